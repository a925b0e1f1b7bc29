//! New tokens, from a reply to the store: sealed, planned, and durable before anyone sees them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sesame_catalog::Platform;
use sesame_core::{Clock, Error, Result};

use super::{
    journal::{Entry, Reservation},
    replay::{Replay, replay_later, store_tokens},
};
use crate::{
    accounts::authorization::{Authorization, seal_access, seal_refresh},
    events::{Action, Events, News},
    fail_point::fail_point,
    model::identity::Identity,
    oauth::reply::{RefreshEnd, TokenReply},
    schedule::{self, WarmPolicy},
    seal::MasterKeys,
    store::{AuthorizationRow, Notes, TokenColumns, TokenStore},
};

/// How long the store may take for new tokens before they go into the journal.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of tries to write new tokens to the store or the journal.
const ATTEMPTS: u32 = 4;

/// Writes new tokens down.
pub(crate) struct TokenWriter {
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) replay: Arc<Replay>,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
}

impl TokenWriter {
    /// Plans when the keeper looks at an authorization next.
    pub(crate) fn due_at(&self, platform: &Platform, row: &AuthorizationRow) -> Option<i64> {
        let now = self.clock.now().as_millisecond();
        // A keeper that keeps fewer access tokens fresh finds nothing to do then.
        schedule::due_at(&platform.tokens, row, WarmPolicy::Always, now, self.clock.jitter())
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
            RefreshEnd::Unknown if is_refresh && (rules.refresh_end_fixed || reply.refresh.is_none()) => {
                old_end
            }
            RefreshEnd::Unknown => {
                (life > 0 && reply.refresh.is_some()).then(|| now.as_millisecond().saturating_add(life))
            }
        };
        // param2 returns no refresh token: the old one stays good, and stays.
        let refresh = match &reply.refresh {
            Some(token) => Some(seal_refresh(self.keys.sealer(), id, token)),
            None => old.and_then(|tokens| tokens.refresh.clone()),
        };
        let identity = match old {
            Some(tokens) => reply.owner.identity.clone().or_from(&Identity::parse(&tokens.identity)),
            None => reply.owner.identity.clone(),
        };
        let mut tokens = TokenColumns {
            access: Some(seal_access(self.keys.sealer(), id, &reply.access)),
            issued_at: now.as_millisecond(),
            access_expires_at: reply.access_end.map(Timestamp::as_millisecond),
            // Some replies give the end of a token that they do not hold.
            refresh_expires_at: refresh_expires_at.filter(|_| refresh.is_some()),
            refresh,
            refresh_denied: reply.refresh_end == RefreshEnd::Denied,
            identity: identity.to_json().into(),
            ..TokenColumns::default()
        };
        let at = now.as_millisecond();
        tokens.announced = match old {
            // Replies give the end as seconds from now, so it wanders a little.
            Some(old) if schedule::is_same_end(old, &tokens) => old.announced,
            // No warning of it was given yet.
            Some(old) if is_refresh && schedule::came_nearer(rules, old, &tokens) => old.announced,
            _ => schedule::first_announced(rules, &tokens, at),
        };
        tokens.warm_at = schedule::warm_at(rules, &tokens, self.clock.jitter());
        let same_end = old.is_some_and(|old| old.refresh_expires_at == tokens.refresh_expires_at);
        let planned = AuthorizationRow {
            last_used: former.map_or(Some(at), |row| row.last_used),
            postpone_after: former.and_then(|row| row.postpone_after).filter(|_| same_end),
            ..AuthorizationRow::new(*id, authorization.app.id, None, at)
        };
        let planned = AuthorizationRow { tokens, ..planned };
        let due_at = self.due_at(authorization.app.platform, &planned);
        TokenColumns { due_at, ..planned.tokens }
    }

    /// What is written down beside new tokens; the row is the former one with these, and may have been
    /// given up.
    pub(crate) async fn notes(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        action: Action,
    ) -> Notes {
        let line = self.events.audit_row(action, &authorization.label, Some(row.id), None);
        let mut notes = Notes { audit: vec![line], ..Notes::default() };
        if row.exhausted.is_some() {
            notes.events.extend(self.events.try_event(row, News::Recovered).await);
        }
        notes
    }

    /// Makes new tokens durable: in the store, else at once in the journal. They are nowhere else, so a
    /// store that does not answer is not waited for. False when somebody else's stand.
    pub(crate) async fn persist(
        &self,
        authorization: &Authorization,
        expected: i64,
        tokens: &TokenColumns,
        reservation: Option<&Reservation>,
        notes: Notes,
        is_login: bool,
    ) -> Result<bool> {
        let (id, at) = (authorization.id, self.clock.now().as_millisecond());
        let mut pause = Duration::from_millis(200);
        let mut tried = 0;
        loop {
            tried += 1;
            let storing = store_tokens(self.store.as_ref(), id, expected, tokens, at, &notes);
            // Real time, whatever the vault's clock is: what hangs is a disk or a server.
            let error = match tokio::time::timeout(STORE_TIMEOUT, storing).await {
                Ok(Ok(stored)) => {
                    fail_point!("after-store");
                    return Ok(stored);
                }
                Ok(Err(error)) => error,
                // Should it be stored all the same, the journal's copy is found to be overtaken.
                Err(_) => Error::local(format!("the vault did not answer in {} s", STORE_TIMEOUT.as_secs())),
            };
            tracing::warn!(account = authorization.label, tried, "new tokens cannot be stored: {error}");
            let (authorization_id, tokens, notes) = (id.to_string(), tokens.clone(), notes.clone());
            let entry = Entry { authorization: authorization_id, expected, tokens, at, is_login, notes };
            let written = match reservation {
                Some(reservation) => self.replay.journal.write(&id, &entry, reservation),
                None => match self.replay.journal.reserve().await {
                    Ok(reservation) => self.replay.journal.write(&id, &entry, &reservation),
                    Err(error) => Err(error),
                },
            };
            match written {
                // Now there is time: for a store that is away for a moment, for a task of its own, for the
                // next refresh of this account, and for whoever opens the vault next.
                Ok(()) => {
                    fail_point!("after-journal");
                    let replay = Arc::downgrade(&self.replay);
                    let soon = replay_later(replay.clone(), id, 3, Duration::from_millis(200));
                    if tokio::time::timeout(STORE_TIMEOUT, soon).await != Ok(true) {
                        // For an hour at most.
                        tokio::spawn(replay_later(replay, id, 120, Duration::from_secs(1)));
                    }
                    return Ok(true);
                }
                Err(journal) => tracing::error!(account = authorization.label, "{journal}"),
            }
            if tried >= ATTEMPTS {
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
}
