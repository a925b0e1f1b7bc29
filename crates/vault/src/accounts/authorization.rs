//! One authorization as this process knows it: the snapshot that fresh calls read without a lock.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwapOption;
use sesame_catalog::Urls;
use sesame_core::{AccessToken, RefreshToken, Result};
use tokio::sync::watch;

use super::app::AppState;
use crate::{
    model::{Id, Token, lock},
    schedule::Windows,
    seal::{Sealer, Slot, open_text},
    store::{AuthorizationRow, TokenColumns},
};

/// The access token of now, and when it stops being one.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) token: Token,
    pub(crate) windows: Windows,
}

/// The outcome of a refresh, for everybody who waits for it.
pub(crate) type Refreshed = watch::Receiver<Option<Result<Token>>>;

/// An authorization in memory, shared by all handles that use its tokens.
pub(crate) struct Authorization {
    pub(crate) id: Id,
    /// The account's name, for messages.
    pub(crate) label: String,
    pub(crate) app: Arc<AppState>,
    pub(crate) urls: Urls,
    fresh: ArcSwapOption<Fresh>,
    /// The newest generation that the gateway refused.
    refused: AtomicI64,
    /// No refresh is begun for convenience before this time.
    pub(crate) quiet_until: AtomicI64,
    /// When its use was last noted.
    pub(crate) used_at: AtomicI64,
    in_flight: Mutex<Option<Refreshed>>,
    /// How many refreshes refused tokens have led to, and since when that is counted.
    rejections: Mutex<(u32, i64)>,
}

/// Maximum number of refreshes that refused tokens may lead to in a minute.
const REJECTIONS_A_MINUTE: u32 = 3;

impl Authorization {
    pub(crate) fn new(id: Id, label: String, app: Arc<AppState>, urls: Urls) -> Self {
        Self {
            id,
            label,
            app,
            urls,
            fresh: ArcSwapOption::empty(),
            refused: AtomicI64::new(i64::MIN),
            quiet_until: AtomicI64::new(i64::MIN),
            used_at: AtomicI64::new(i64::MIN),
            in_flight: Mutex::new(None),
            rejections: Mutex::new((0, i64::MIN)),
        }
    }

    /// Returns the token if nothing has to be done about it. Takes no lock.
    pub(crate) fn fresh_at(&self, now: i64) -> Option<Token> {
        let fresh = self.fresh.load();
        let fresh = fresh.as_ref()?;
        (now < fresh.windows.advisory_at).then(|| fresh.token.clone())
    }

    /// The same, as a copy that is the caller's own: many threads may ask, and none waits for a
    /// counter that another one has just changed.
    pub(crate) fn fresh_access_at(&self, now: i64) -> Option<AccessToken> {
        let fresh = self.fresh.load();
        let fresh = fresh.as_ref()?;
        (now < fresh.windows.advisory_at).then(|| fresh.token.access.clone())
    }

    pub(crate) fn current(&self) -> Option<Arc<Fresh>> {
        self.fresh.load_full()
    }

    /// Makes the tokens of a row the current ones, unless newer ones are or the gateway refused them.
    pub(crate) fn install(&self, generation: i64, access: AccessToken, windows: Windows) -> Token {
        let token = Token::new(access, generation);
        let fresh = Arc::new(Fresh { token: token.clone(), windows });
        self.fresh.rcu(|now| match now {
            Some(now) if now.token.generation > generation => Some(now.clone()),
            _ if self.was_refused(generation) => None,
            _ => Some(fresh.clone()),
        });
        token
    }

    /// Remembers that the gateway refused a generation; it is no longer handed out.
    pub(crate) fn refuse(&self, generation: i64) {
        self.refused.fetch_max(generation, Ordering::AcqRel);
        self.fresh.rcu(|now| now.clone().filter(|fresh| fresh.token.generation > generation));
    }

    pub(crate) fn was_refused(&self, generation: i64) -> bool {
        self.refused.load(Ordering::Acquire) >= generation
    }

    /// Counts a refresh that a refused token leads to. `Err` says for how many milliseconds none
    /// may be begun.
    pub(crate) fn count_rejection(&self, now: i64) -> Result<(), i64> {
        let mut rejections = lock(&self.rejections);
        let (count, since) = *rejections;
        if now.saturating_sub(since) >= 60_000 {
            *rejections = (1, now);
        } else if count < REJECTIONS_A_MINUTE {
            rejections.0 += 1;
        } else {
            return Err(since.saturating_add(60_000).saturating_sub(now));
        }
        Ok(())
    }

    /// The one refresh of this authorization that this process has in flight.
    pub(crate) fn in_flight(&self) -> MutexGuard<'_, Option<Refreshed>> {
        lock(&self.in_flight)
    }

    /// Begins no refresh ahead of time before `until`.
    pub(crate) fn defer_until(&self, until: i64) {
        self.quiet_until.store(until, Ordering::Release);
    }
}

pub(crate) fn slot<'a>(id: &'a Id, column: &'a str) -> Slot<'a> {
    Slot { table: "authorizations", row: id.as_bytes(), column }
}

pub(crate) fn seal_access(sealer: &Sealer, id: &Id, token: &AccessToken) -> Vec<u8> {
    sealer.seal(slot(id, "access"), token.expose().as_bytes())
}

pub(crate) fn seal_refresh(sealer: &Sealer, id: &Id, token: &RefreshToken) -> Vec<u8> {
    sealer.seal(slot(id, "refresh"), token.expose().as_bytes())
}

pub(crate) fn open_access(sealer: &Sealer, row: &AuthorizationRow) -> Result<Option<AccessToken>> {
    let Some(sealed) = &row.tokens.access else { return Ok(None) };
    open_text(sealer, slot(&row.id, "access"), sealed).map(|text| Some(AccessToken::new(text)))
}

pub(crate) fn open_refresh(sealer: &Sealer, row: &AuthorizationRow) -> Result<Option<RefreshToken>> {
    let Some(sealed) = &row.tokens.refresh else { return Ok(None) };
    open_text(sealer, slot(&row.id, "refresh"), sealed).map(|text| Some(RefreshToken::new(text)))
}

impl AuthorizationRow {
    /// Returns a new authorization without tokens.
    pub(crate) fn new(id: Id, app_id: Id, region: Option<String>, now: i64) -> Self {
        Self {
            id,
            app_id,
            region,
            generation: 1,
            tokens: TokenColumns { issued_at: now, ..TokenColumns::default() },
            exhausted: None,
            last_success: Some(now),
            last_error: None,
            last_error_at: None,
            attempts: 0,
            not_before: None,
            lease_owner: None,
            lease_until: None,
            refreshing_since: None,
            interrupted_since: None,
            last_used: Some(now),
            postpone_after: None,
            blocked: false,
        }
    }
}
