//! Tokens: the lock-free fresh path, one refresh at a time, nothing lost in between.
//!
//! The life of a refresh, in its own task, so that a caller who gives up cannot cut it off between
//! "old token spent" and "new token stored":
//!
//! 1. read the row again: another process may have done it
//! 2. take room for the answer in the journal: with a full disk nothing is spent
//! 3. take the lease and write down the intent, if the generation is still the same
//! 4. call the token service, within a time shorter than the lease
//! 5. check whose tokens came
//! 6. store them `WHERE generation = old`; if the store is away, into the sealed journal
//! 7. only then show them to anyone

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sesame_core::{Error, ErrorKind, Fault, RefreshToken, Result, Retry};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{
    Account, AccountHandle, Id, Notice, Token, Vault,
    audit::Action,
    authorization::{Authorization, Outcome, Windows, approve, hopeless, needs_person, open_refresh},
    fail_point::fail_point,
    journal::Reserve,
    oauth::calls::Offer,
    schedule,
    spend::Spent,
    store::{AuthorizationRow, Claim, Notes},
    vault::{Busy, Inner},
    warnings::News,
};

/// How much longer than a lease another process's refresh is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why somebody wants new tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The access token ends soon, or has ended.
    Due,
    /// The gateway refused the token of this generation.
    Refused(i64),
    /// A person asked for it.
    Forced,
}

impl Vault {
    /// Returns a valid access token with its generation, as [`Vault::token`] does: for callers who
    /// hold a handle and tell the vault when the gateway refuses a token.
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`] when a person has to authorize the shop again; whatever kept the
    /// refresh from succeeding otherwise, with the time of the next try.
    pub async fn token_of(&self, handle: &AccountHandle) -> Result<Token> {
        match handle.fresh_token() {
            Some(token) => Ok(token),
            None => self.0.due_token(&handle.authorization).await.map_err(|error| named(error, handle)),
        }
    }

    /// Says that the gateway refused the token of a generation, and returns a newer one.
    ///
    /// However many callers say so, there is at most one refresh per generation.
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn refused(&self, handle: &AccountHandle, generation: i64) -> Result<Token> {
        let authorization = &handle.authorization;
        authorization.refuse(generation);
        if let Some(token) = handle.fresh_token() {
            return Ok(token);
        }
        let enough = |token: &Token| token.generation > generation;
        self.0
            .wait(authorization, Why::Refused(generation), enough)
            .await
            .map_err(|error| named(error, handle))
    }

    /// Refreshes an account's tokens now, whatever their age.
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn refresh(&self, account: &str) -> Result<Account> {
        let handle = self.handle(account).await?;
        let row = self.0.row_of(&handle.authorization).await?;
        let enough = |token: &Token| token.generation > row.generation;
        self.0
            .wait(&handle.authorization, Why::Forced, enough)
            .await
            .map_err(|error| named(error, &handle))?;
        self.account(account).await
    }
}

/// Several accounts may share one authorization: the error names the account that was asked for.
fn named(error: Error, handle: &AccountHandle) -> Error {
    if error.kind() == ErrorKind::Authorization && handle.name != handle.authorization.label {
        return error.with_hint(approve(handle.app_name(), &handle.name, true));
    }
    error
}

impl Inner {
    async fn due_token(self: &Arc<Self>, authorization: &Arc<Authorization>) -> Result<Token> {
        let now = self.now();
        let current = authorization.current();
        if let Some(current) = &current
            && now < current.windows.mandatory_at
        {
            // Advisory window: begin a refresh unless one runs or failed a moment ago, and go on.
            if now >= authorization.quiet_until.load(Ordering::Acquire) {
                drop(self.join(authorization, Why::Due));
            }
            return Ok(current.token.clone());
        }
        match self.wait(authorization, Why::Due, |_| true).await {
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
        why: Why,
        enough: impl Fn(&Token) -> bool,
    ) -> Result<Token> {
        let mut cut_off = false;
        for _ in 0..3 {
            let mut outcome = self.join(authorization, why);
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
            "the refresh was cut off in this process"
        } else {
            "other programs keep replacing this account's tokens"
        })
        .with_retry(Retry::Backoff))
    }

    /// Joins the refresh that is under way, or begins one in its own task.
    fn join(self: &Arc<Self>, authorization: &Arc<Authorization>, why: Why) -> Outcome {
        let (flight, outcome) = match self.take_off(authorization) {
            Ok(begun) => begun,
            Err(outcome) => return outcome,
        };
        let (inner, authorization) = (self.clone(), authorization.clone());
        tokio::spawn(async move {
            let result = inner.run(&authorization, why).await;
            if let Err(error) = &result {
                tracing::debug!(account = authorization.label, kind = %error.kind(), "no new tokens: {error}");
            }
            flight.land(result).await;
        });
        outcome
    }

    /// Takes the one place for a refresh of an authorization in this process. `Err`: one is under way.
    pub(crate) fn take_off(
        self: &Arc<Self>,
        authorization: &Arc<Authorization>,
    ) -> Result<(Flight, Outcome), Outcome> {
        let mut place = authorization.flight();
        if let Some(outcome) = place.as_ref() {
            return Err(outcome.clone());
        }
        let (tell, outcome) = watch::channel(None);
        *place = Some(outcome.clone());
        drop(place);
        let landing =
            Landing { inner: self.clone(), authorization: authorization.clone(), _busy: self.begin() };
        Ok((Flight { landing, tell }, outcome))
    }

    pub(crate) async fn row_of(&self, authorization: &Authorization) -> Result<AuthorizationRow> {
        let row = self.store.authorization(authorization.id).await?.ok_or_else(|| {
            Error::usage(format!("account {:?} was removed from the vault", authorization.label))
                .with_hint("`sesame accounts` shows the accounts there are.")
        })?;
        self.know_keys(&row).await?;
        Ok(row)
    }

    /// The body of a refresh.
    async fn run(self: &Arc<Self>, authorization: &Arc<Authorization>, why: Why) -> Result<Landed> {
        let patience = self.now().saturating_add(millis(self.lease() + PATIENCE));
        let mut pause = Duration::from_millis(100);
        let mut first_seen = None;
        let mut counted = false;
        let mut reserve = None;
        let mut said = false;
        // More rounds than patience has pauses: a bound for rounds that do not pause.
        for _ in 0..1_000 {
            // An answer that waits in the journal is newer than the row: spending the row's token
            // would spend a dead one.
            self.replay_before(authorization).await?;
            let row = self.row_of(authorization).await?;
            let entry = *first_seen.get_or_insert(row.generation);
            if let Some(token) = self.already_done(authorization, &row, why, entry) {
                return Ok(Landed { token, row: None });
            }
            let refresh = self.may_refresh(authorization, &row, why).await?;
            // However it came here: what it wants to replace is a token that the platform refused.
            let was_refused = matches!(why, Why::Refused(_)) || authorization.was_refused(row.generation);
            if was_refused && why != Why::Forced && !counted {
                self.count_bounce(authorization)?;
                counted = true;
            }
            // Room for the answer comes first: with a full disk nothing is spent.
            let reserve = match &reserve {
                Some(reserve) => reserve,
                None => reserve.insert(self.reserve(row.id).await.map_err(|error| {
                    self.rest(authorization, Duration::from_secs(30));
                    error.context(format!("account {:?} was not refreshed", authorization.label))
                })?),
            };
            let now = self.now();
            let claim = Claim {
                id: row.id,
                generation: row.generation,
                owner: &self.owner,
                gone: None,
                now,
                until: now.saturating_add(millis(self.lease())),
                spending: &Sha256::digest(refresh.expose().as_bytes()),
            };
            fail_point!("before-intent");
            match self.store.claim(claim).await? {
                Some(lease) => {
                    let offer = Offer::Refresh(&refresh);
                    if let Some(spent) = self.spend(authorization, &row, offer, lease, reserve).await? {
                        return Ok(spent.into());
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
                    if !said && pause > Duration::from_millis(400) {
                        said = true;
                        self.tell(waiting(&row, now, &authorization.label));
                    }
                    self.clock.sleep(pause.mul_f64(0.75 + self.clock.jitter() / 2.0)).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
        Err(Error::local("other programs keep replacing this account's tokens").with_retry(Retry::Backoff))
    }

    /// Takes room in the journal for the answer to an exchange.
    pub(crate) async fn reserve(&self, id: Id) -> Result<Reserve> {
        let (journal, sealer, owner) = (self.journal.clone(), self.sealer.clone(), self.owner.clone());
        if !journal.is_kept() {
            return journal.reserve(&sealer, &id, &owner);
        }
        // Until it is on the disk some milliseconds pass, in which others should get on.
        tokio::task::spawn_blocking(move || journal.reserve(&sealer, &id, &owner)).await.unwrap_or_else(
            |_| Err(Error::local("the journal could not be asked for room; nothing was sent")),
        )
    }

    /// The same for many at once: what takes time is the disk, and it writes them together.
    pub(crate) async fn reserve_all(self: &Arc<Self>, ids: &[Id]) -> Vec<Result<Reserve>> {
        if !self.journal.is_kept() {
            return ids.iter().map(|id| self.journal.reserve(&self.sealer, id, &self.owner)).collect();
        }
        let tasks: Vec<_> = ids
            .iter()
            .map(|id| {
                let (inner, id) = (self.clone(), *id);
                tokio::spawn(async move { inner.reserve(id).await })
            })
            .collect();
        let mut reserves = Vec::with_capacity(tasks.len());
        for task in tasks {
            reserves.push(task.await.unwrap_or_else(|_| {
                Err(Error::local("the journal could not be asked for room; nothing was sent"))
            }));
        }
        reserves
    }

    /// Returns the row's token if it is what the caller wants: somebody else was quicker.
    fn already_done(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        why: Why,
        entry: i64,
    ) -> Option<Token> {
        let windows = Windows::of(&authorization.app.platform.tokens, &row.tokens);
        let now = self.now();
        let done = !authorization.was_refused(row.generation)
            && match why {
                Why::Due => now < windows.advisory_at,
                Why::Refused(generation) => row.generation > generation && now < windows.mandatory_at,
                Why::Forced => row.generation > entry,
            };
        if done { self.install_row(authorization, row) } else { None }
    }

    /// Returns the refresh token, if there is one and the time is right.
    async fn may_refresh(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        why: Why,
    ) -> Result<RefreshToken> {
        let (label, app) = (&authorization.label, &authorization.app.name);
        let refresh =
            open_refresh(&self.sealer, row).map_err(|error| error.context(format!("account {label:?}")))?;
        // A person who asks may try a token that was given up: shops come back.
        let given_up = hopeless(row).filter(|_| why != Why::Forced || row.tokens.refresh_denied);
        let refresh = match (refresh, given_up) {
            (Some(refresh), None) => refresh,
            (_, reason) => {
                let reason = reason.unwrap_or_else(|| "the platform gave no refresh token".to_owned());
                self.rest(authorization, Duration::from_secs(30));
                if row.exhausted.is_none() && Self::is_refused(authorization, row) {
                    self.give_up(row, label, &reason).await?;
                }
                return Err(needs_person(label, app, &reason, row.tokens.refresh.is_some()));
            }
        };
        let now = self.now();
        let wait = schedule::not_before(row, now).map_or(0, |at| at.saturating_sub(now));
        if wait > 0 && why != Why::Forced {
            let wait = Duration::from_millis(wait.unsigned_abs());
            self.rest(authorization, wait);
            let last = row.last_error.as_deref().unwrap_or("the last refresh failed");
            return Err(Error::new(
                ErrorKind::Platform,
                format!("account {label:?} cannot be refreshed at the moment: {last}"),
            )
            .with_retry(Retry::After(wait))
            .with_hint(format!(
                "The next try is in {} s; `sesame refresh {label}` tries at once.",
                wait.as_millis().div_ceil(1_000)
            )));
        }
        Ok(refresh)
    }

    /// Marks an authorization as one that only a person can renew, and tells people.
    pub(crate) async fn give_up(&self, row: &AuthorizationRow, label: &str, reason: &str) -> Result<()> {
        let line = self.line(Action::Refresh, label, Some(row.id), Some(reason.to_owned()));
        let event = self.event_or_log(row, News::Exhausted(reason)).await;
        let notes = Notes { audit: vec![line], events: event.into_iter().collect() };
        self.store.exhaust(row.id, row.generation, reason, self.now(), &notes).await
    }

    /// Stops a gateway that refuses every token it issues from being asked for ever more.
    fn count_bounce(&self, authorization: &Authorization) -> Result<()> {
        let Err(wait) = authorization.bounce(self.now()) else { return Ok(()) };
        let wait = Duration::from_millis(wait.unsigned_abs());
        self.rest(authorization, wait);
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
    pub(crate) fn rest(&self, authorization: &Authorization, wait: Duration) {
        authorization.quiet_until.store(self.now().saturating_add(millis(wait)), Ordering::Release);
    }
}

/// Says whom we wait for, and how long at most.
fn waiting(row: &AuthorizationRow, now: i64, account: &str) -> Notice {
    let left = row.lease_until.unwrap_or(now).saturating_sub(now).max(0).unsigned_abs().div_ceil(1_000);
    Notice::new(format!(
        "waiting for another sesame process, which refreshes account {account:?}; at most {left} s"
    ))
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What a refresh leads to: a token, and the row that stands now if this task wrote it.
pub(crate) struct Landed {
    token: Token,
    row: Option<AuthorizationRow>,
}

impl From<Spent> for Landed {
    fn from(spent: Spent) -> Self {
        Self { token: spent.token, row: Some(spent.row) }
    }
}

/// The one refresh of an authorization that is under way in this process. Dropped without a word, it
/// lets those who wait begin another.
pub(crate) struct Flight {
    // Dropped first: first free the place, then tell.
    landing: Landing,
    tell: watch::Sender<Option<Result<Token>>>,
}

impl Flight {
    /// Tells everybody who waits how it ended, and prolongs the refresh token if that is due. Returns
    /// whether it was prolonged.
    pub(crate) async fn land(self, result: Result<Landed>) -> bool {
        let Self { landing, tell } = self;
        let Landing { inner, authorization, .. } = &landing;
        let due = result
            .as_ref()
            .ok()
            .and_then(|landed| landed.row.as_ref())
            .filter(|row| schedule::may_postpone(&authorization.app.platform.tokens, row, inner.now()));
        let Some(row) = due.cloned() else {
            // First free the place, then tell: whoever is told and is not content may begin anew.
            drop(landing);
            let _ = tell.send(Some(result.map(|landed| landed.token)));
            return false;
        };
        // Those who wait have what they wanted; whoever comes now waits for the second call.
        let (then, outcome) = watch::channel(None);
        *authorization.flight() = Some(outcome);
        let result = result.map(|landed| landed.token);
        let _ = tell.send(Some(result.clone()));
        let newest = inner.prolong(authorization, &row).await;
        let prolonged = newest.is_some();
        drop(landing);
        let _ = then.send(Some(newest.map_or(result, Ok)));
        prolonged
    }
}

/// Frees the place of a refresh when its task ends, however it ends.
struct Landing {
    inner: Arc<Inner>,
    authorization: Arc<Authorization>,
    _busy: Busy,
}

impl Drop for Landing {
    fn drop(&mut self) {
        *self.authorization.flight() = None;
    }
}
