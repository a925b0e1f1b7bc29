//! Tokens: the lock-free fresh path, one refresh at a time, nothing lost in between.
//!
//! The life of a refresh, in its own task, so that a caller who stops waiting cannot cut it off between
//! "old token spent" and "new token stored":
//!
//! 1. read the row again: another process may have done it
//! 2. take room for the answer in the journal: with a full disk nothing is spent
//! 3. take the lease and write down the intent, if the generation is still the same
//! 4. call the token service, within a time shorter than the lease
//! 5. check whose tokens came
//! 6. store them `WHERE generation = old`; if the store is away, into the sealed journal
//! 7. only then show them to anyone

mod exchange;
mod flight;
mod journal;
mod merge;
mod replay;
mod shops;
mod tokens;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sesame_core::{Clock, Error, ErrorKind, Fault, RefreshToken, Result, Retry, command_line::quote};
use sha2::{Digest as _, Sha256};

pub(crate) use self::{
    exchange::Exchanged,
    flight::Flight,
    journal::{JOURNAL_SUFFIX, Journal, Reservation},
    merge::IdentityQuery,
    replay::Replay,
    shops::{may_be_about, region_of_country, shop_of},
    tokens::TokenWriter,
};
use crate::{
    accounts::{
        AccountHandle, Accounts, Apps,
        authorization::{Authorization, Refreshed, open_refresh},
    },
    events::{Action, Events, News},
    fail_point::fail_point,
    model::{InFlight, Token, Warning, Warnings, millis, needs_reauthorization, reauthorize},
    oauth::{TokenEndpoint, calls::Grant},
    schedule::{self, Windows, refresh_impossible},
    seal::MasterKeys,
    store::{AuthorizationRow, Claim, Lease, Notes, Store},
};

/// How much longer than a lease another process's refresh is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why new tokens are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshReason {
    /// The access token ends soon, or has ended.
    Due,
    /// The gateway refused the token of this generation.
    Rejected(i64),
    /// The user asked for it.
    Forced,
}

/// Several accounts may share one authorization: the error names the account that was asked for.
fn named(error: Error, handle: &AccountHandle) -> Error {
    if error.kind() == ErrorKind::Authorization && handle.name != handle.authorization.label {
        return error.with_hint(reauthorize(handle.app_name(), &handle.name, true));
    }
    error
}

/// Refreshes tokens: one refresh at a time for each authorization, in this process and among processes.
pub(crate) struct Refresher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) tokens: Arc<TokenWriter>,
    pub(crate) replay: Arc<Replay>,
    pub(crate) endpoint: Arc<TokenEndpoint>,
    pub(crate) events: Events,
    pub(crate) warnings: Warnings,
    pub(crate) in_flight: InFlight,
    pub(crate) clock: Arc<dyn Clock>,
    /// Who holds a lease: this opening of the vault.
    pub(crate) owner: Arc<str>,
}

impl Refresher {
    /// Returns a valid access token, refreshed if that is due.
    pub(crate) async fn access_token(self: &Arc<Self>, handle: &AccountHandle) -> Result<Token> {
        let now = self.now();
        handle.uses.note(&handle.authorization, now);
        self.due_token(&handle.authorization, now).await.map_err(|error| named(error, handle))
    }

    /// Notes that the gateway rejected the token of a generation, and returns a newer one. However many
    /// callers report it, there is at most one refresh per generation.
    pub(crate) async fn rejected(self: &Arc<Self>, handle: &AccountHandle, generation: i64) -> Result<Token> {
        let authorization = &handle.authorization;
        authorization.refuse(generation);
        if let Some(token) = handle.fresh_token() {
            return Ok(token);
        }
        let enough = |token: &Token| token.generation > generation;
        self.wait(authorization, RefreshReason::Rejected(generation), enough)
            .await
            .map_err(|error| named(error, handle))
    }

    /// Refreshes now, whatever the age of the tokens.
    pub(crate) async fn force(self: &Arc<Self>, handle: &AccountHandle) -> Result<Token> {
        let row = self.row_of(&handle.authorization).await?;
        let enough = |token: &Token| token.generation > row.generation;
        self.wait(&handle.authorization, RefreshReason::Forced, enough)
            .await
            .map_err(|error| named(error, handle))
    }

    async fn due_token(self: &Arc<Self>, authorization: &Arc<Authorization>, now: i64) -> Result<Token> {
        let current = authorization.current();
        if let Some(current) = &current
            && now < current.windows.mandatory_at
        {
            // Advisory window: begin a refresh unless one runs or failed a moment ago, and go on.
            if now >= current.windows.advisory_at && now >= authorization.quiet_until.load(Ordering::Acquire)
            {
                drop(self.join(authorization, RefreshReason::Due));
            }
            return Ok(current.token.clone());
        }
        match self.wait(authorization, RefreshReason::Due, |_| true).await {
            Ok(token) => Ok(token),
            // The refresh failed, but the old token has some seconds left: better than nothing.
            Err(error) => match current {
                Some(current)
                    if self.now() < current.windows.ends_at
                        && !authorization.was_refused(current.token.generation) =>
                {
                    Ok(current.token.clone())
                }
                _ => Err(error),
            },
        }
    }

    /// Waits for a refresh that satisfies the caller. One that began for another reason may not.
    async fn wait(
        self: &Arc<Self>,
        authorization: &Arc<Authorization>,
        reason: RefreshReason,
        enough: impl Fn(&Token) -> bool,
    ) -> Result<Token> {
        let mut cut_off = false;
        for _ in 0..3 {
            let mut outcome = self.join(authorization, reason);
            let done = match outcome.wait_for(Option::is_some).await {
                Ok(done) => done.clone(),
                // It ended without a word: a keeper that joined found its lease taken, the task
                // panicked, or the runtime is being shut down.
                Err(_) => None,
            };
            cut_off = done.is_none();
            match done {
                Some(Ok(token)) if enough(&token) => return Ok(token),
                Some(Ok(_)) | None => {}
                Some(Err(error)) => return Err(error),
            }
        }
        Err(Error::local(if cut_off {
            "the refresh was interrupted in this process"
        } else {
            "other programs keep replacing this account's tokens"
        })
        .with_retry(Retry::Backoff))
    }

    /// Joins the refresh in flight, or begins one in its own task.
    fn join(self: &Arc<Self>, authorization: &Arc<Authorization>, reason: RefreshReason) -> Refreshed {
        let (flight, outcome) = match Flight::begin(authorization, &self.in_flight) {
            Ok(begun) => begun,
            Err(outcome) => return outcome,
        };
        let refresher = self.clone();
        tokio::spawn(async move {
            let result = refresher.refresh(flight.authorization(), reason).await;
            if let Err(error) = &result {
                let account = &flight.authorization().label;
                tracing::debug!(account, kind = %error.kind(), "no new tokens: {error}");
            }
            refresher.complete(flight, result).await;
        });
        outcome
    }

    /// Tells everybody who waits how a refresh ended, and postpones the end of the refresh token if that
    /// is due. Returns `true` if it was postponed.
    pub(crate) async fn complete(&self, flight: Flight, result: Result<Exchanged>) -> bool {
        let authorization = flight.authorization().clone();
        let rules = &authorization.app.platform.tokens;
        let due = result
            .as_ref()
            .ok()
            .and_then(|outcome| outcome.row.clone())
            .filter(|row| schedule::may_postpone(rules, row, self.now()));
        let result = result.map(|outcome| outcome.token);
        let Some(row) = due else {
            flight.complete(result);
            return false;
        };
        // Those who wait have what they wanted; whoever comes now waits for the second call.
        let flight = flight.hand_on(result.clone());
        let newest = self.postpone(&authorization, &row).await;
        let postponed = newest.is_some();
        flight.complete(newest.map_or(result, Ok));
        postponed
    }

    pub(crate) async fn row_of(&self, authorization: &Authorization) -> Result<AuthorizationRow> {
        let row = self.store.authorization(authorization.id).await?.ok_or_else(|| {
            Error::usage(format!("account {:?} was removed from the vault", authorization.label))
                .with_hint("`sesame accounts` shows the accounts there are.")
        })?;
        self.keys.ensure_tokens(&row).await?;
        Ok(row)
    }

    /// The body of a refresh.
    async fn refresh(&self, authorization: &Authorization, reason: RefreshReason) -> Result<Exchanged> {
        let patience = self.now().saturating_add(millis(self.endpoint.lease() + PATIENCE));
        let mut pause = Duration::from_millis(100);
        let mut first_seen = None;
        let mut counted = false;
        let mut reservation = None;
        let mut warned = false;
        // More rounds than patience has pauses: a bound for rounds that do not pause.
        for _ in 0..1_000 {
            // An answer that waits in the journal is newer than the row: spending the row's token
            // would spend a dead one.
            self.replay.before_refresh(authorization).await?;
            let row = self.row_of(authorization).await?;
            let entry = *first_seen.get_or_insert(row.generation);
            if let Some(token) = self.already_done(authorization, &row, reason, entry) {
                return Ok(Exchanged { token, row: None });
            }
            let refresh = self.may_refresh(authorization, &row, reason).await?;
            // However it came here: what it wants to replace is a token that the platform refused.
            let was_refused =
                matches!(reason, RefreshReason::Rejected(_)) || authorization.was_refused(row.generation);
            if was_refused && reason != RefreshReason::Forced && !counted {
                self.limit_rejections(authorization)?;
                counted = true;
            }
            // Room for the answer comes first: with a full disk nothing is spent.
            let reservation = match &reservation {
                Some(reservation) => reservation,
                None => reservation.insert(self.replay.journal.reserve().await.map_err(|error| {
                    self.defer(authorization, Duration::from_secs(30));
                    error.context(format!("account {:?} was not refreshed", authorization.label))
                })?),
            };
            let now = self.now();
            fail_point!("before-intent");
            match self.claim(&row, Some(&refresh)).await? {
                Some(lease) => {
                    let grant = Grant::Refresh(&refresh);
                    if let Some(exchanged) =
                        self.exchange(authorization, &row, grant, lease, reservation).await?
                    {
                        return Ok(exchanged);
                    }
                    // Refused, but somebody else had replaced the tokens meanwhile: look again.
                }
                None if self.now() > patience => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        "another process has been refreshing this account for too long",
                    )
                    .with_fault(Fault::Machine)
                    .with_hint("Look for another sesame process that hangs; its lease ends by itself."));
                }
                // Somebody else holds the lease: their answer will be in the row.
                None => {
                    // A pause or two are nothing to speak of.
                    if !warned && pause > Duration::from_millis(400) {
                        warned = true;
                        self.warnings.warn(waiting(&row, now, &authorization.label));
                    }
                    self.clock.sleep(pause.mul_f64(0.75 + self.clock.jitter() / 2.0)).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
        Err(Error::local("other programs keep replacing this account's tokens").with_retry(Retry::Backoff))
    }

    /// Takes the lease of an authorization, and writes down that its refresh token is going to be spent.
    async fn claim(&self, row: &AuthorizationRow, refresh: Option<&RefreshToken>) -> Result<Option<Lease>> {
        let now = self.now();
        let claim = Claim {
            id: row.id,
            generation: row.generation,
            owner: &self.owner,
            now,
            until: now.saturating_add(millis(self.endpoint.lease())),
            spending: &Sha256::digest(refresh.map_or("", RefreshToken::expose).as_bytes()),
        };
        self.store.claim(claim).await
    }

    /// Returns the row's token if it is what the caller wants: somebody else was quicker.
    fn already_done(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        reason: RefreshReason,
        entry: i64,
    ) -> Option<Token> {
        let windows = Windows::of(&authorization.app.platform.tokens, &row.tokens);
        let now = self.now();
        let done = !authorization.was_refused(row.generation)
            && match reason {
                RefreshReason::Due => now < windows.advisory_at,
                RefreshReason::Rejected(generation) => {
                    row.generation > generation && now < windows.mandatory_at
                }
                RefreshReason::Forced => row.generation > entry,
            };
        if done { self.accounts.install(authorization, row) } else { None }
    }

    /// Returns the refresh token, if there is one and the time is right.
    async fn may_refresh(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        reason: RefreshReason,
    ) -> Result<RefreshToken> {
        let (label, app) = (&authorization.label, &authorization.app.name);
        let refresh = open_refresh(self.keys.sealer(), row)
            .map_err(|error| error.context(format!("account {label:?}")))?;
        // A forced refresh may try a token that was found expired: shops come back.
        let exhausted =
            refresh_impossible(row).filter(|_| reason != RefreshReason::Forced || row.tokens.refresh_denied);
        let refresh = match (refresh, exhausted) {
            (Some(refresh), None) => refresh,
            (_, why) => {
                let why = why.unwrap_or_else(|| "the platform gave no refresh token".to_owned());
                self.defer(authorization, Duration::from_secs(30));
                if row.exhausted.is_none() && Self::is_refused(authorization, row) {
                    self.exhaust(row, label, &why).await?;
                }
                return Err(needs_reauthorization(label, app, &why, row.tokens.refresh.is_some()));
            }
        };
        let now = self.now();
        let wait = schedule::not_before(row, now).map_or(0, |at| at.saturating_sub(now));
        if wait > 0 && reason != RefreshReason::Forced {
            let wait = Duration::from_millis(wait.unsigned_abs());
            self.defer(authorization, wait);
            let last = row.last_error.as_deref().unwrap_or("the last refresh failed");
            return Err(Error::new(
                ErrorKind::Platform,
                format!("account {label:?} cannot be refreshed at the moment: {last}"),
            )
            .with_retry(Retry::After(wait))
            .with_hint(format!(
                "The next try is in {} s; `sesame refresh {}` tries at once.",
                wait.as_millis().div_ceil(1_000),
                quote(label)
            )));
        }
        Ok(refresh)
    }

    /// Marks an authorization as one that has to be authorized again, and emits the event.
    pub(crate) async fn exhaust(&self, row: &AuthorizationRow, label: &str, reason: &str) -> Result<()> {
        let line = self.events.audit_row(Action::Refresh, label, Some(row.id), Some(reason.to_owned()));
        let event = self.events.try_event(row, News::Exhausted(reason)).await;
        let notes = Notes { audit: vec![line], events: event.into_iter().collect() };
        self.store.exhaust(row.id, row.generation, reason, self.now(), &notes).await
    }

    /// Limits refreshes if the gateway refuses every token it issues.
    fn limit_rejections(&self, authorization: &Authorization) -> Result<()> {
        let Err(wait) = authorization.count_rejection(self.now()) else { return Ok(()) };
        let wait = Duration::from_millis(wait.unsigned_abs());
        self.defer(authorization, wait);
        let label = &authorization.label;
        Err(Error::new(
            ErrorKind::Token,
            format!("the platform keeps refusing the access tokens that it has just issued for account {label:?}"),
        )
        .with_fault(Fault::Platform)
        .with_retry(Retry::After(wait))
        .with_hint("Is the right region called, and may the app still act for this shop? A login with --as gets a new approval."))
    }

    /// Returns `true` if the platform refuses the access token, or there is none. Its end alone proves
    /// nothing: this clock may be ahead.
    fn is_refused(authorization: &Authorization, row: &AuthorizationRow) -> bool {
        authorization.was_refused(row.generation) || row.tokens.access.is_none()
    }

    /// Begins no refresh for convenience for a while.
    pub(crate) fn defer(&self, authorization: &Authorization, wait: Duration) {
        authorization.defer_until(self.now().saturating_add(millis(wait)));
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

fn waiting(row: &AuthorizationRow, now: i64, account: &str) -> Warning {
    let left = row.lease_until.unwrap_or(now).saturating_sub(now).max(0).unsigned_abs().div_ceil(1_000);
    Warning::new(format!(
        "waiting for another sesame process, which refreshes account {account:?}; at most {left} s"
    ))
}
