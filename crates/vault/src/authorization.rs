//! One authorization as this process knows it: the snapshot that fresh calls read without a lock.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use sesame_catalog::{TokenRules, Urls};
use sesame_core::{AccessToken, Error, RefreshToken, Result};
use tokio::sync::watch;

use crate::{
    Id, Token,
    app::AppState,
    seal::{Sealer, Slot, open_text},
    store::{AuthorizationRow, TokenColumns},
};

/// The access token of now, and when it stops being one.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) token: Token,
    pub(crate) windows: Windows,
}

/// The three ends of an access token, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "each is a time; the ending says so")]
pub(crate) struct Windows {
    /// From here on one caller refreshes and the others go on.
    pub(crate) advisory_at: i64,
    /// From here on all wait for the refresh.
    pub(crate) mandatory_at: i64,
    /// From here on the gateway refuses it.
    pub(crate) ends_at: i64,
}

impl Windows {
    /// Works out the windows of a token by its platform's rules.
    ///
    /// A life as documented has the documented window (10 minutes of 10 hours); any other life has
    /// the same share of it. A token whose end nobody knows is used until the gateway refuses it.
    pub(crate) fn of(rules: &TokenRules, tokens: &TokenColumns) -> Self {
        let Some(ends_at) = tokens.access_expires_at else {
            return Self { advisory_at: i64::MAX, mandatory_at: i64::MAX, ends_at: i64::MAX };
        };
        // Stored times may be damaged: no arithmetic on them may overflow.
        let life = ends_at.saturating_sub(tokens.issued_at).max(0);
        let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000);
        let advisory = if life == seconds(rules.access_life) {
            seconds(rules.advisory_seconds)
        } else {
            share(life, rules.advisory_share)
        };
        let advisory = advisory.min(life / 2);
        // A short life must leave room for both windows.
        let mandatory = seconds(rules.mandatory_seconds).min(advisory / 2);
        Self {
            advisory_at: ends_at.saturating_sub(advisory),
            mandatory_at: ends_at.saturating_sub(mandatory),
            ends_at,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a share of a life of years in milliseconds"
)]
fn share(life: i64, share: f64) -> i64 {
    (life as f64 * share.clamp(0.0, 0.5)) as i64
}

/// The outcome of a refresh, for everybody who waits for it.
pub(crate) type Outcome = watch::Receiver<Option<Result<Token>>>;

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
    pub(crate) flight: Mutex<Option<Outcome>>,
    /// How many refreshes refused tokens have led to, and since when that is counted.
    bounces: Mutex<(u32, i64)>,
}

/// The most refreshes that refused tokens may lead to in a minute.
const BOUNCES_A_MINUTE: u32 = 3;

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
            flight: Mutex::new(None),
            bounces: Mutex::new((0, i64::MIN)),
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

    /// Remembers that the gateway refused a generation; from now on nobody gets it any more.
    pub(crate) fn refuse(&self, generation: i64) {
        self.refused.fetch_max(generation, Ordering::AcqRel);
        self.fresh.rcu(|now| now.clone().filter(|fresh| fresh.token.generation > generation));
    }

    pub(crate) fn was_refused(&self, generation: i64) -> bool {
        self.refused.load(Ordering::Acquire) >= generation
    }

    /// Counts a refresh that a refused token leads to. `Err` says for how many milliseconds none
    /// may be begun.
    pub(crate) fn bounce(&self, now: i64) -> Result<(), i64> {
        let mut bounces = self.bounces.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = *bounces;
        if now.saturating_sub(since) >= 60_000 {
            *bounces = (1, now);
        } else if count < BOUNCES_A_MINUTE {
            bounces.0 += 1;
        } else {
            return Err(since.saturating_add(60_000).saturating_sub(now));
        }
        Ok(())
    }

    pub(crate) fn flight(&self) -> std::sync::MutexGuard<'_, Option<Outcome>> {
        // What the lock guards is a single value: a panic elsewhere cannot leave it half-written.
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("id", &self.id)
            .field("account", &self.label)
            .finish_non_exhaustive()
    }
}

fn slot<'a>(id: &'a Id, column: &'a str) -> Slot<'a> {
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

/// Why a refresh cannot even be tried, if it cannot.
pub(crate) fn hopeless(row: &AuthorizationRow) -> Option<String> {
    if let Some(reason) = &row.exhausted {
        return Some(reason.clone());
    }
    if row.tokens.refresh.is_none() {
        return Some("the platform gave no refresh token".to_owned());
    }
    row.tokens.refresh_denied.then(|| {
        "the platform lets this app refresh no tokens (they live as long as the access token)".to_owned()
    })
}

/// The error that asks for a person. `again` tells whether there is a refresh token left to try.
pub(crate) fn needs_person(account: &str, app: &str, reason: &str, again: bool) -> Error {
    Error::new(
        sesame_core::ErrorKind::Authorization,
        format!("account {account:?} has to be authorized again: {reason}"),
    )
    .with_hint(approve(app, account, again))
}

/// What to do when a person is needed.
pub(crate) fn approve(app: &str, account: &str, again: bool) -> String {
    let login = format!("Run `sesame login {app} --as {account}` and let the seller approve.");
    if again {
        return format!("{login} `sesame refresh {account}` tries the refresh token once more.");
    }
    login
}
