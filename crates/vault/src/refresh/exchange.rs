//! One exchange of a refresh token: from the moment it is spent until the new one is stored, or not.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;
use sesame_catalog::{OAuthStyle, Platform};
use sesame_core::{Error, ErrorKind, Fault, Result, Retry, command_line::quote};

use super::{Refresher, journal::Reservation, tokens::STORE_TIMEOUT};
use crate::{
    accounts::authorization::{Authorization, open_access, open_refresh},
    events::{Action, News},
    fail_point::fail_point,
    model::{
        Token,
        identity::{Identity, Match},
        millis, needs_reauthorization,
    },
    oauth::{calls::Grant, reply::TokenReply},
    schedule::{self, Windows},
    store::{AuthorizationRow, FailedRefresh, Lease, Notes},
};

/// The longest pause after failures that the platform gave no time for, and the longest one that it may
/// ask for: less than [`schedule::HORIZON`], so that all clocks believe it.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
const LONGEST_ASKED: Duration = Duration::from_hours(23);

/// How long a refused postponement is not tried again, and one that failed for a reason that passes.
const REFUSED_POSTPONE: Duration = Duration::from_hours(24);
const FAILED_POSTPONE: Duration = Duration::from_hours(1);

/// What a refresh leads to: a token, and the row as it is stored now if this task wrote it.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) token: Token,
    pub(crate) row: Option<AuthorizationRow>,
}

/// An exchange that is under way: whose tokens are replaced, by what, and under which lease.
struct Attempt<'a> {
    authorization: &'a Authorization,
    row: &'a AuthorizationRow,
    grant: Grant<'a>,
    lease: Lease,
}

impl Refresher {
    /// Spends the refresh token. From here on a new pair may exist that only this task knows of.
    pub(crate) async fn exchange(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        grant: Grant<'_>,
        lease: Lease,
        reservation: &Reservation,
    ) -> Result<Option<Exchanged>> {
        fail_point!("after-intent");
        let begun = self.now();
        // The use that led here may not be written down yet.
        let used_at = Some(authorization.used_at.load(Ordering::Relaxed)).filter(|at| *at > i64::MIN);
        let row = &AuthorizationRow { last_used: row.last_used.max(used_at), ..row.clone() };
        let attempt = Attempt { authorization, row, grant, lease };
        let app = &authorization.app;
        let answer = self.endpoint.exchange(app.credentials(&authorization.urls), grant).await;
        let mut reply = match answer.and_then(|reply| check_postponed(reply, grant, row)) {
            Ok(reply) => reply,
            Err(error) => {
                let error = app.explained(error, Some(&authorization.label));
                return self.call_failed(&attempt, error, false).await;
            }
        };
        fail_point!("after-receive");
        if matches!(grant, Grant::Postpone { .. }) {
            fail_point!("during-postpone");
        }
        // A reply that names no owner is taken: not every documented one does, and it answers this
        // account's own refresh token.
        let former = Identity::parse(&row.tokens.identity);
        let shop = former.compare(&reply.owner.identity, &app.platform.tokens.identity);
        if let Some(doubt) = reply.doubt.take() {
            if shop == Match::Other {
                return self.call_failed(&attempt, doubt, false).await;
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
            return self.call_failed(&attempt, error, true).await;
        }
        let now = self.clock.now();
        let tokens = self.tokens.columns(authorization, &reply, Some(row), now);
        let windows = Windows::of(&app.platform.tokens, &tokens);
        // Our lease may have ended, by somebody's clock: they found the old token spent and gave the shop
        // up, which now comes back.
        let is_late = self.now() > begun.saturating_add(millis(self.endpoint.lease()) / 4);
        let current = if is_late { self.row_of(authorization).await.ok() } else { None };
        let current = current.as_ref().unwrap_or(row);
        let after = AuthorizationRow { tokens: tokens.clone(), ..current.clone() };
        let notes = self.tokens.notes(authorization, &after, action_of(grant)).await;
        let persisted = self
            .tokens
            .persist(authorization, row.generation, &tokens, Some(reservation), notes, false)
            .await;
        let kept = match persisted {
            Ok(kept) => kept,
            Err(error) => {
                // The intent stays, the lease goes: the old token is tried once more when the disk
                // can be written again.
                let said = error.to_string();
                let failed = FailedRefresh {
                    not_before: Some(self.now()),
                    ambiguous: true,
                    ..self.failed(row, lease, &said)
                };
                self.write_down(&attempt, failed).await;
                return Err(error);
            }
        };
        if !kept {
            // Our lease was lost, and another process stored newer tokens: theirs stay.
            tracing::warn!(account = authorization.label, "another process stored newer tokens first");
            return Ok(None);
        }
        let generation = row.generation.saturating_add(1);
        let by = action_of(grant).as_str();
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
            ..AuthorizationRow::new(row.id, row.app_id, row.region.clone(), now.as_millisecond())
        };
        let learning = async {
            self.learn_owner(authorization, &row, &former, &reply.owner, is_noted).await;
            self.apps.secret_accepted(app).await;
        };
        if tokio::time::timeout(STORE_TIMEOUT, learning).await.is_err() {
            tracing::warn!(
                account = authorization.label,
                "the vault does not answer: the owner of the tokens is not stored"
            );
        }
        let token = authorization.install(generation, reply.access, windows);
        Ok(Some(Exchanged { token, row: Some(row) }))
    }

    /// Prolongs the refresh token after a refresh, if its platform's window for that has come. A
    /// failure is written down, and takes nothing away.
    pub(super) async fn postpone(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
    ) -> Option<Token> {
        match self.try_postpone(authorization, row).await {
            Ok(exchanged) => exchanged.map(|exchanged| exchanged.token),
            Err(error) => {
                tracing::warn!(account = authorization.label, "the refresh token was not extended: {error}");
                None
            }
        }
    }

    async fn try_postpone(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
    ) -> Result<Option<Exchanged>> {
        let (Some(refresh), Some(access)) =
            (open_refresh(self.keys.sealer(), row)?, open_access(self.keys.sealer(), row)?)
        else {
            return Ok(None);
        };
        let reservation = self.replay.journal.reserve().await?;
        // `None`: somebody else is at it, or has newer tokens.
        let Some(lease) = self.claim(row, Some(&refresh)).await? else { return Ok(None) };
        let grant = Grant::Postpone { refresh: &refresh, access: &access };
        self.exchange(authorization, row, grant, lease, &reservation).await
    }

    async fn call_failed(
        &self,
        attempt: &Attempt<'_>,
        error: Error,
        other_shop: bool,
    ) -> Result<Option<Exchanged>> {
        if matches!(error.kind(), ErrorKind::Signature | ErrorKind::App) {
            attempt.authorization.app.doubt();
        }
        if matches!(attempt.grant, Grant::Postpone { .. }) {
            return self.postpone_failed(attempt, error).await;
        }
        self.refresh_failed(attempt, error, other_shop).await
    }

    /// Writes down why the refresh token was not extended. Refreshes go on: a refusal of this call
    /// may be of the access token, so it proves nothing about the refresh token.
    async fn postpone_failed(&self, attempt: &Attempt<'_>, error: Error) -> Result<Option<Exchanged>> {
        let label = &attempt.authorization.label;
        let passes = error.is_retryable() || error.is_ambiguous();
        let wait = if passes { FAILED_POSTPONE } else { REFUSED_POSTPONE };
        let asked = error.retry_after().map(|asked| asked.min(LONGEST_ASKED));
        let wait = wait.mul_f64(1.0 - self.clock.jitter() / 24.0).max(asked.unwrap_or_default());
        let said = error.to_string();
        let failed = FailedRefresh {
            // Quiet that the platform asks for is for refreshes, too.
            not_before: asked.map(|asked| self.after(asked)),
            postpone_after: Some(self.after(wait)),
            ambiguous: error.is_ambiguous(),
            ..self.failed(attempt.row, attempt.lease, &said)
        };
        self.write_down(attempt, failed).await;
        Err(error.context(format!("the refresh token of account {label:?} was not extended")))
    }

    /// Writes down why there are no new tokens, and decides what follows.
    ///
    /// `Ok(None)`: somebody else has replaced the tokens meanwhile.
    async fn refresh_failed(
        &self,
        attempt: &Attempt<'_>,
        error: Error,
        other_shop: bool,
    ) -> Result<Option<Exchanged>> {
        let Attempt { authorization, row, lease, .. } = *attempt;
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
                "a refresh that began at {} was interrupted before its answer could be stored, and the platform has replaced the refresh token with it ({error})",
                at(since)
            )),
            (true, Some(end), None) => Some(format!("the refresh token ended at {end} ({error})")),
            (true, None, None) => Some(format!("the platform no longer takes the refresh token ({error})")),
            (false, ..) => None,
        };
        let pause = self.pause_after(&error, row.attempts, other_shop);
        let said = error.to_string();
        let failed = FailedRefresh {
            not_before: Some(self.after(pause)),
            exhausted: reason.as_deref(),
            ambiguous: error.is_ambiguous(),
            blocked: Some(other_shop || !(dead || denied || error.is_retryable())),
            denied,
            ..self.failed(row, lease, &said)
        };
        self.write_down(attempt, failed).await;
        self.defer(authorization, pause);
        if dead && self.row_of(authorization).await?.generation != row.generation {
            return Ok(None);
        }
        match reason {
            Some(reason) if dead => Err(needs_reauthorization(label, app, &reason, true)),
            _ if other_shop => Err(error.context(format!("account {label:?}"))),
            // Not the access token of a call was refused, so no refresh helps against it.
            _ if error.retry() == Retry::AfterRefresh => Err(error
                .with_retry(Retry::Backoff)
                .context(format!("account {label:?} could not be refreshed"))
                .with_hint(format!(
                    "The platform did not say that the refresh token has ended, so it is kept: `sesame refresh {0}` tries it again. If this stays, run `sesame login {1} --as {0}`.",
                    quote(label),
                    quote(app)
                ))),
            _ => Err(error.context(format!("account {label:?} could not be refreshed"))),
        }
    }

    /// A failure after which nothing changes; its reason is `said`.
    pub(crate) fn failed<'a>(
        &'a self,
        row: &AuthorizationRow,
        lease: Lease,
        said: &'a str,
    ) -> FailedRefresh<'a> {
        FailedRefresh {
            id: row.id,
            generation: row.generation,
            owner: &self.owner,
            fence: lease.fence,
            at: self.now(),
            error: said,
            not_before: None,
            postpone_after: None,
            due_at: row.tokens.due_at,
            exhausted: None,
            ambiguous: false,
            blocked: None,
            denied: false,
        }
    }

    /// Writes down a failure, plans what follows, and gives the lease back.
    async fn write_down(&self, attempt: &Attempt<'_>, failed: FailedRefresh<'_>) {
        let Attempt { authorization, row, grant, .. } = *attempt;
        let said = Some(failed.error.to_owned());
        let line = self.events.audit_row(action_of(grant), &authorization.label, Some(row.id), said);
        let mut notes = Notes { audit: vec![line], ..Notes::default() };
        if let (Some(reason), None) = (failed.exhausted, &row.exhausted) {
            notes.events.extend(self.events.try_event(row, News::Exhausted(reason)).await);
        }
        // A caller who waits for a token may try again soon; a keeper has time.
        let patience = failed.at.saturating_add(schedule::pause(&row.tokens, row.attempts, failed.at));
        let mut after = row.clone();
        after.not_before = failed.not_before.map(|at| at.max(patience)).or(row.not_before);
        after.postpone_after = failed.postpone_after.or(row.postpone_after);
        after.exhausted = failed.exhausted.map(str::to_owned).or(after.exhausted);
        after.tokens.refresh_denied |= failed.denied;
        let due_at = self.tokens.due_at(authorization.app.platform, &after);
        if let Err(store) = self.store.record_failure(FailedRefresh { due_at, ..failed }, &notes).await {
            // The lease ends by itself; the failure itself is what the caller has to hear.
            tracing::warn!("a failure cannot be written down: {store}");
        }
    }

    /// Returns the time after a pause.
    fn after(&self, pause: Duration) -> i64 {
        self.now().saturating_add(millis(pause))
    }

    /// Returns the time until the next try: what the platform asks for, else growing, with jitter.
    fn pause_after(&self, error: &Error, attempts: i64, other_shop: bool) -> Duration {
        if other_shop {
            return Duration::from_hours(1);
        }
        if let Some(wait) = error.retry_after() {
            return wait.min(LONGEST_ASKED);
        }
        let exponent = u32::try_from(attempts.clamp(0, 7)).unwrap_or_default();
        let pause = Duration::from_secs(1 << exponent).min(LONGEST_PAUSE);
        // What does not pass by itself (a wrong secret, a missing right) is not tried every second.
        let pause = if error.is_retryable() { pause } else { pause.max(Duration::from_secs(30)) };
        pause.mul_f64(0.5 + self.clock.jitter() / 2.0)
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

const fn action_of(grant: Grant<'_>) -> Action {
    match grant {
        Grant::Postpone { .. } => Action::Postpone,
        Grant::Code { .. } | Grant::Refresh(_) => Action::Refresh,
    }
}

/// Refuses an answer to a postponement without a refresh token: the old one may be dead, and is
/// tried before anybody believes that. Without an access token the row's stays, to its end.
fn check_postponed(mut reply: TokenReply, grant: Grant<'_>, row: &AuthorizationRow) -> Result<TokenReply> {
    let Grant::Postpone { access, .. } = grant else { return Ok(reply) };
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

/// Returns `true` if a refusal means that the refresh token is dead.
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
