//! A refresh from the moment the old token is spent until the new one is stored, or given up.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use sesame_catalog::{OAuthStyle, Platform};
use sesame_core::{Error, ErrorKind, Fault, Result, Retry};
use sha2::{Digest as _, Sha256};

use crate::{
    Token,
    audit::Action,
    authorization::{
        Authorization, Windows, needs_person, open_access, open_refresh, seal_access, seal_refresh,
    },
    fail_point::fail_point,
    identity::{Identity, Match},
    journal::{Entry, Reserve},
    oauth::{
        calls::{Asker, Offer},
        exchange::exchange,
        reply::{RefreshEnd, TokenReply},
    },
    refresh::millis,
    replay::replay_later,
    schedule,
    store::{AuthorizationRow, Claim, FailedRefresh, Lease, Notes, TokenColumns},
    vault::{Inner, blank},
    warnings::News,
};

/// How long the store may take for new tokens before they go into the journal.
const STORE_LIMIT: Duration = Duration::from_secs(5);
/// How often both are tried before new tokens are given up.
const RESCUE_TRIES: u32 = 4;
/// The longest pause after failures that the platform gave no time for, and the longest one that it may
/// ask for: less than [`schedule::HORIZON`], so that all clocks believe it.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
const LONGEST_ASKED: Duration = Duration::from_hours(23);

/// How long a refused postponement is not tried again, and one that failed for a reason that passes.
const REFUSED_POSTPONE: Duration = Duration::from_hours(24);
const FAILED_POSTPONE: Duration = Duration::from_hours(1);

/// What a refresh or a postponement brought.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) token: Token,
    /// The row, as it stands with the new tokens.
    pub(crate) row: AuthorizationRow,
}

/// A call for tokens that brought none.
struct Failure<'a> {
    action: Action,
    error: &'a Error,
    /// No refresh for so long.
    pause: Option<Duration>,
    /// No postponement for so long.
    postpone: Option<Duration>,
    exhausted: Option<&'a str>,
    ambiguous: bool,
    /// It does not pass by itself.
    blocked: Option<bool>,
    /// The platform lets this app refresh no tokens.
    denied: bool,
}

impl Inner {
    /// Spends the refresh token. From here on a new pair may exist that only this task knows of.
    pub(crate) async fn spend(
        self: &Arc<Self>,
        authorization: &Authorization,
        row: &AuthorizationRow,
        offer: Offer<'_>,
        lease: Lease,
        reserve: &Reserve,
    ) -> Result<Option<Spent>> {
        fail_point!("after-intent");
        let begun = self.now();
        // The use that led here may not be written down yet.
        let used_at = Some(authorization.used_at.load(Ordering::Relaxed)).filter(|at| *at > i64::MIN);
        let row = &AuthorizationRow { last_used: row.last_used.max(used_at), ..row.clone() };
        let app = &authorization.app;
        let asker = Asker {
            platform: &app.platform,
            urls: &authorization.urls,
            app_key: &app.app_key,
            secret: &app.secret,
            is_sandbox: app.sandbox.is_some(),
            limit: self.limit(),
        };
        let answer = exchange(self.transport.as_ref(), self.clock.as_ref(), asker, offer).await;
        let mut reply = match answer.and_then(|reply| check_postponed(reply, offer, row)) {
            Ok(reply) => reply,
            Err(error) => return self.call_failed(authorization, row, offer, lease, error, false).await,
        };
        fail_point!("after-receive");
        if matches!(offer, Offer::Postpone { .. }) {
            fail_point!("during-postpone");
        }
        // A reply that names nobody is taken: not every documented one does, and it answers this
        // account's own refresh token.
        let former = Identity::parse(&row.tokens.identity);
        let shop = former.compare(&reply.owner.identity, &app.platform.tokens.identity);
        if let Some(doubt) = reply.doubt.take() {
            if shop == Match::Other {
                return self.call_failed(authorization, row, offer, lease, doubt, false).await;
            }
            // The pair may be the only good one now: it is kept, and used until it is refused.
            tracing::warn!(account = authorization.label, "{doubt}; the tokens are kept");
        }
        if shop == Match::Other {
            let error = Error::new(
                ErrorKind::Authorization,
                "the platform answered the refresh with the tokens of another shop; nothing was overwritten",
            )
            .with_fault(Fault::Platform);
            return self.call_failed(authorization, row, offer, lease, error, true).await;
        }
        let now = self.clock.now();
        let tokens = self.columns(authorization, &reply, Some(row), now);
        let windows = Windows::of(&app.platform.tokens, &tokens);
        // Our lease may have ended, by somebody's clock: they found the old token spent and gave the shop
        // up, which now comes back.
        let is_late = self.now() > begun.saturating_add(millis(self.lease()) / 4);
        let current = if is_late { self.row_of(authorization).await.ok() } else { None };
        let current = current.as_ref().unwrap_or(row);
        let after = AuthorizationRow { tokens: tokens.clone(), ..current.clone() };
        let notes = self.news_of_tokens(authorization, &after, action_of(offer)).await;
        let kept = match self.keep(authorization, row.generation, &tokens, Some(reserve), notes, false).await
        {
            Ok(kept) => kept,
            Err(error) => {
                // The intent stays, the lease goes: the old token is tried once more when the disk
                // can be written again.
                let failure = Failure {
                    action: action_of(offer),
                    error: &error,
                    pause: Some(Duration::ZERO),
                    postpone: None,
                    exhausted: None,
                    ambiguous: true,
                    blocked: None,
                    denied: false,
                };
                self.write_down(authorization, row, lease, failure).await;
                return Err(error);
            }
        };
        if !kept {
            // Our lease was lost for so long that somebody else stored newer tokens: theirs stand.
            tracing::warn!(account = authorization.label, "another process stored newer tokens first");
            return Ok(None);
        }
        let generation = row.generation.saturating_add(1);
        let by = action_of(offer).as_str();
        tracing::debug!(account = authorization.label, generation, by, "tokens refreshed");
        authorization.quiet_until.store(i64::MIN, Ordering::Release);
        let is_noted = row.last_error.is_some();
        let postpone_after =
            row.postpone_after.filter(|_| row.tokens.refresh_expires_at == tokens.refresh_expires_at);
        let row = AuthorizationRow {
            generation,
            tokens,
            last_used: row.last_used,
            postpone_after,
            ..blank(row.id, row.app_id, row.region.clone(), now.as_millisecond())
        };
        let learning = self.learn_owner(authorization, &row, &former, &reply.owner, is_noted);
        if tokio::time::timeout(STORE_LIMIT, learning).await.is_err() {
            tracing::warn!(
                account = authorization.label,
                "the vault does not answer: whose it is stays unsaid"
            );
        }
        Ok(Some(Spent { token: authorization.install(generation, reply.access, windows), row }))
    }

    /// Prolongs the refresh token after a refresh, if its platform's window for that has come. A
    /// failure is written down, and takes nothing away.
    pub(crate) async fn prolong(
        self: &Arc<Self>,
        authorization: &Authorization,
        row: &AuthorizationRow,
    ) -> Option<Token> {
        match self.postpone(authorization, row).await {
            Ok(spent) => spent.map(|spent| spent.token),
            Err(error) => {
                tracing::warn!(account = authorization.label, "the refresh token was not prolonged: {error}");
                None
            }
        }
    }

    async fn postpone(
        self: &Arc<Self>,
        authorization: &Authorization,
        row: &AuthorizationRow,
    ) -> Result<Option<Spent>> {
        let (Some(refresh), Some(access)) =
            (open_refresh(&self.sealer, row)?, open_access(&self.sealer, row)?)
        else {
            return Ok(None);
        };
        let reserve = self.reserve(row.id).await?;
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
        // Nothing: somebody else is at it, or has newer tokens.
        let Some(lease) = self.store.claim(claim).await? else { return Ok(None) };
        let offer = Offer::Postpone { refresh: &refresh, access: &access };
        self.spend(authorization, row, offer, lease, &reserve).await
    }

    /// Seals a reply's tokens; what a refresh does not repeat is kept from the row.
    pub(crate) fn columns(
        &self,
        authorization: &Authorization,
        reply: &TokenReply,
        former: Option<&AuthorizationRow>,
        now: Timestamp,
    ) -> TokenColumns {
        let rules = &authorization.app.platform.tokens;
        let id = &authorization.id;
        let old = former.map(|row| &row.tokens);
        // A login comes without the former refresh token: what the new approval gave counts alone.
        let is_refresh = old.is_some_and(|tokens| tokens.refresh.is_some());
        let old_end = old.and_then(|tokens| schedule::kept_end(rules, tokens, now.as_millisecond()));
        let life = i64::try_from(rules.refresh_life).unwrap_or_default().saturating_mul(1_000);
        let refresh_expires_at = match reply.refresh_end {
            // The platform's documents say that a refresh does not move the end; a later one in the
            // reply would silence the warnings before the real end.
            RefreshEnd::At(end) if rules.refresh_end_fixed => {
                // One that has passed was a guess: there are new tokens.
                let old_end = old_end.filter(|old| *old > now.as_millisecond());
                Some(old_end.map_or(end.as_millisecond(), |old| old.min(end.as_millisecond())))
            }
            RefreshEnd::At(end) => Some(end.as_millisecond()),
            RefreshEnd::Denied => None,
            RefreshEnd::Unsaid if is_refresh && (rules.refresh_end_fixed || reply.refresh.is_none()) => {
                old_end
            }
            RefreshEnd::Unsaid => {
                (life > 0 && reply.refresh.is_some()).then(|| now.as_millisecond().saturating_add(life))
            }
        };
        let identity = match old {
            Some(tokens) => reply.owner.identity.clone().or_from(&Identity::parse(&tokens.identity)),
            None => reply.owner.identity.clone(),
        };
        let mut tokens = TokenColumns {
            access: Some(seal_access(&self.sealer, id, &reply.access)),
            // param2 returns no refresh token: the old one stays good, and stays.
            refresh: match &reply.refresh {
                Some(token) => Some(seal_refresh(&self.sealer, id, token)),
                None => old.and_then(|tokens| tokens.refresh.clone()),
            },
            issued_at: now.as_millisecond(),
            access_expires_at: reply.access_end.map(Timestamp::as_millisecond),
            refresh_expires_at,
            refresh_denied: reply.refresh_end == RefreshEnd::Denied,
            identity: identity.to_json(),
            warm_at: None,
            due_at: None,
            announced: None,
        };
        let at = now.as_millisecond();
        tokens.announced = match old {
            // Replies give the end as seconds from now, so it wanders a little.
            Some(old) if schedule::is_same_end(old, &tokens) => old.announced,
            // Nobody was told of it yet.
            Some(old) if is_refresh && schedule::came_nearer(rules, old, &tokens) => old.announced,
            _ => schedule::first_announced(rules, &tokens, at),
        };
        tokens.warm_at = schedule::warm_at(rules, &tokens, self.clock.jitter());
        let same_end = old.is_some_and(|old| old.refresh_expires_at == tokens.refresh_expires_at);
        let planned = AuthorizationRow {
            last_used: former.map_or(Some(at), |row| row.last_used),
            postpone_after: former.and_then(|row| row.postpone_after).filter(|_| same_end),
            ..blank(*id, authorization.app.id, None, at)
        };
        let planned = AuthorizationRow { tokens, ..planned };
        let due_at = self.due_at(&authorization.app.platform, &planned);
        TokenColumns { due_at, ..planned.tokens }
    }

    /// What is written down beside new tokens; the row is the former one with these, and may have been
    /// given up.
    pub(crate) async fn news_of_tokens(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        action: Action,
    ) -> Notes {
        let line = self.line(action, &authorization.label, Some(row.id), None);
        let mut notes = Notes { audit: vec![line], ..Notes::default() };
        if row.exhausted.is_some() {
            notes.events.extend(self.event_or_log(row, News::Recovered).await);
        }
        notes
    }

    /// Makes new tokens durable: in the store, else at once in the journal. They are nowhere else, so a
    /// store that does not answer is not waited for. False when somebody else's stand.
    pub(crate) async fn keep(
        self: &Arc<Self>,
        authorization: &Authorization,
        expected: i64,
        tokens: &TokenColumns,
        reserve: Option<&Reserve>,
        notes: Notes,
        is_login: bool,
    ) -> Result<bool> {
        let (id, at) = (authorization.id, self.now());
        let mut pause = Duration::from_millis(200);
        let mut tried = 0;
        loop {
            tried += 1;
            let storing = self.store.replace_tokens(id, expected, tokens, at, &notes);
            // Real time, whatever the vault's clock is: what hangs is a disk or a server.
            let error = match tokio::time::timeout(STORE_LIMIT, storing).await {
                Ok(Ok(stored)) => {
                    fail_point!("after-store");
                    return Ok(stored);
                }
                Ok(Err(error)) => error,
                // Should it be stored all the same, the journal's copy is found to be overtaken.
                Err(_) => Error::local(format!("the vault did not answer in {} s", STORE_LIMIT.as_secs())),
            };
            tracing::warn!(account = authorization.label, tried, "new tokens cannot be stored: {error}");
            let (authorization_id, tokens, notes) = (id.to_string(), tokens.clone(), notes.clone());
            let entry = Entry { authorization: authorization_id, expected, tokens, at, is_login, notes };
            let written = match reserve {
                Some(reserve) => self.journal.write(&self.sealer, &id, &entry, reserve),
                None => self
                    .journal
                    .reserve(&self.sealer, &id, &self.owner)
                    .and_then(|reserve| self.journal.write(&self.sealer, &id, &entry, &reserve)),
            };
            match written {
                // Now there is time: for a store that is away for a moment, for a task of its own, for the
                // next refresh of this account, and for whoever opens the vault next.
                Ok(()) => {
                    fail_point!("after-journal");
                    if tokio::time::timeout(STORE_LIMIT, self.replay_soon(id)).await != Ok(true) {
                        tokio::spawn(replay_later(Arc::downgrade(self), id));
                    }
                    return Ok(true);
                }
                Err(journal) => tracing::error!(account = authorization.label, "{journal}"),
            }
            if tried >= RESCUE_TRIES {
                return Err(error
                    .context(format!(
                        "account {:?} has new tokens, but they could be written neither to the vault nor to its journal",
                        authorization.label
                    ))
                    .with_hint("Free some space. If the platform no longer takes the old refresh token, the shop has to be authorized again."));
            }
            self.clock.sleep(pause).await;
            pause *= 2;
        }
    }

    async fn call_failed(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        offer: Offer<'_>,
        lease: Lease,
        error: Error,
        other_shop: bool,
    ) -> Result<Option<Spent>> {
        if matches!(error.kind(), ErrorKind::Signature | ErrorKind::App) {
            authorization.app.doubt();
        }
        if matches!(offer, Offer::Postpone { .. }) {
            return self.postpone_failed(authorization, row, lease, error).await;
        }
        self.refresh_failed(authorization, row, lease, error, other_shop).await
    }

    /// Writes down why the refresh token was not prolonged. Refreshes go on: a refusal of this call
    /// may be of the access token, so it proves nothing about the refresh token.
    async fn postpone_failed(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        lease: Lease,
        error: Error,
    ) -> Result<Option<Spent>> {
        let passes = error.is_retryable() || error.is_ambiguous();
        let wait = if passes { FAILED_POSTPONE } else { REFUSED_POSTPONE };
        let asked = error.retry_after().map(|asked| asked.min(LONGEST_ASKED));
        let failure = Failure {
            action: Action::Postpone,
            error: &error,
            // Quiet that the platform asks for is for refreshes, too.
            pause: asked,
            postpone: Some(wait.mul_f64(1.0 - self.clock.jitter() / 24.0).max(asked.unwrap_or_default())),
            exhausted: None,
            ambiguous: error.is_ambiguous(),
            blocked: None,
            denied: false,
        };
        self.write_down(authorization, row, lease, failure).await;
        Err(error
            .context(format!("the refresh token of account {:?} was not prolonged", authorization.label)))
    }

    /// Writes down why there are no new tokens, and decides what follows.
    ///
    /// `Ok(None)`: somebody else has replaced the tokens meanwhile.
    async fn refresh_failed(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        lease: Lease,
        error: Error,
        other_shop: bool,
    ) -> Result<Option<Spent>> {
        let (label, app) = (&authorization.label, &authorization.app.name);
        let platform = &authorization.app.platform;
        // Its access token is used to its end, of which people are warned.
        let denied = error.code().is_some_and(|code| platform.tokens.denies(code));
        let dead = !denied && is_dead(&error, platform);
        let now = self.now();
        let ended = schedule::end_of(row, now).filter(|end| now >= *end).map(at);
        let reason = match (dead, ended, lease.interrupted_since) {
            _ if other_shop || denied => None,
            (true, _, Some(since)) => Some(format!(
                "a refresh that began at {} was cut off before its answer could be stored, and the platform has replaced the refresh token with it ({error})",
                at(since)
            )),
            (true, Some(end), None) => Some(format!("the refresh token ended at {end} ({error})")),
            (true, None, None) => Some(format!("the platform no longer takes the refresh token ({error})")),
            (false, ..) => None,
        };
        let pause = self.pause_after(&error, row.attempts, other_shop);
        let failure = Failure {
            action: Action::Refresh,
            error: &error,
            pause: Some(pause),
            postpone: None,
            exhausted: reason.as_deref(),
            ambiguous: error.is_ambiguous(),
            blocked: Some(other_shop || !(dead || denied || error.is_retryable())),
            denied,
        };
        self.write_down(authorization, row, lease, failure).await;
        self.rest(authorization, pause);
        if dead && self.row_of(authorization).await?.generation != row.generation {
            return Ok(None);
        }
        match reason {
            Some(reason) if dead => Err(needs_person(label, app, &reason, true)),
            _ if other_shop => Err(error.context(format!("account {label:?}"))),
            // Not the access token of a call was refused, so no refresh helps against it.
            _ if error.retry() == Retry::AfterRefresh => Err(error
                .with_retry(Retry::Backoff)
                .context(format!("account {label:?} could not be refreshed"))
                .with_hint(format!(
                    "The platform did not say that the refresh token has ended, so it is kept: `sesame refresh {label}` tries it again. If this stays, run `sesame login {app} --as {label}`."
                ))),
            _ => Err(error.context(format!("account {label:?} could not be refreshed"))),
        }
    }

    /// Writes down a failure and gives the lease back.
    async fn write_down(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        lease: Lease,
        failure: Failure<'_>,
    ) {
        let now = self.now();
        let said = failure.error.to_string();
        let until = |pause: Duration| now.saturating_add(millis(pause));
        let (not_before, postpone_after) = (failure.pause.map(until), failure.postpone.map(until));
        let line = self.line(failure.action, &authorization.label, Some(row.id), Some(said.clone()));
        let mut notes = Notes { audit: vec![line], ..Notes::default() };
        if let (Some(reason), None) = (failure.exhausted, &row.exhausted) {
            notes.events.extend(self.event_or_log(row, News::Exhausted(reason)).await);
        }
        // A caller who waits for a token may try again soon; a keeper has time.
        let patience = now.saturating_add(schedule::pause(&row.tokens, row.attempts, now));
        let after = AuthorizationRow {
            not_before: not_before.map_or(row.not_before, |not_before| Some(not_before.max(patience))),
            postpone_after: postpone_after.or(row.postpone_after),
            exhausted: failure.exhausted.map(str::to_owned).or_else(|| row.exhausted.clone()),
            tokens: TokenColumns {
                refresh_denied: row.tokens.refresh_denied || failure.denied,
                ..row.tokens.clone()
            },
            ..row.clone()
        };
        let failed = FailedRefresh {
            id: row.id,
            generation: row.generation,
            owner: &self.owner,
            fence: lease.fence,
            at: now,
            error: &said,
            not_before,
            postpone_after,
            due_at: self.due_at(&authorization.app.platform, &after),
            exhausted: failure.exhausted,
            ambiguous: failure.ambiguous,
            blocked: failure.blocked,
            denied: failure.denied,
        };
        if let Err(store) = self.store.record_failure(failed, &notes).await {
            // The lease ends by itself; the failure itself is what the caller has to hear.
            tracing::warn!("a failure cannot be written down: {store}");
        }
    }

    /// How long nobody tries again: what the platform asks for, else growing, never in step.
    fn pause_after(&self, error: &Error, attempts: i64, other_shop: bool) -> Duration {
        if other_shop {
            return Duration::from_hours(1);
        }
        if let Some(wait) = error.retry_after() {
            return wait.min(LONGEST_ASKED);
        }
        let exponent = u32::try_from(attempts.clamp(0, 7)).unwrap_or_default();
        let pause = Duration::from_secs(1 << exponent).min(LONGEST_PAUSE);
        // What only a person can change (a wrong secret, a missing right) is not asked every second.
        let pause = if error.is_retryable() { pause } else { pause.max(Duration::from_secs(30)) };
        pause.mul_f64(0.5 + self.clock.jitter() / 2.0)
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

const fn action_of(offer: Offer<'_>) -> Action {
    match offer {
        Offer::Postpone { .. } => Action::Postpone,
        Offer::Code { .. } | Offer::Refresh(_) => Action::Refresh,
    }
}

/// Refuses an answer to a postponement without a refresh token: the old one may be dead, and is
/// tried before anybody believes that. Without an access token the row's stays, to its end.
fn check_postponed(mut reply: TokenReply, offer: Offer<'_>, row: &AuthorizationRow) -> Result<TokenReply> {
    let Offer::Postpone { access, .. } = offer else { return Ok(reply) };
    if reply.access == *access {
        reply.access_end = row.tokens.access_expires_at.map(at);
    }
    if reply.refresh.is_none() {
        return Err(Error::new(
            ErrorKind::Envelope,
            "the platform answered the postponement without a refresh token",
        )
        .with_fault(Fault::Platform)
        .with_ambiguity(true));
    }
    Ok(reply)
}

/// Tells whether a refusal means that the refresh token is dead.
///
/// A refusal of an access token does not: none was sent. Only param2 knows one code for both (401,
/// "Request need user authorized"), and names nothing else for a refresh token that has ended.
fn is_dead(error: &Error, platform: &Platform) -> bool {
    match error.kind() {
        ErrorKind::Authorization => true,
        ErrorKind::Token => platform.tokens.style == OAuthStyle::Param2,
        _ => error.code() == Some("invalid_grant"),
    }
}
