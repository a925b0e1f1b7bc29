//! What a caller holds of an account: everything that a call needs, without asking the vault again.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use sesame_catalog::{Platform, Urls};
use sesame_core::{
    AccessToken, AppSecret, Clock, Error,
    redact::Redactor,
    sign::{Digest, SigningKey},
};

use super::{app::AppState, authorization::Authorization, uses::Uses};
use crate::{
    model::{Id, Token},
    store::FullRow,
};

/// How long an account that was looked up is taken for what it was, in milliseconds.
pub(crate) const RECENT: i64 = 60_000;

/// An account, ready for calls. Cheap to share; `Debug` shows no secret.
pub struct AccountHandle {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) urls: Urls,
    pub(crate) region: Option<String>,
    pub(crate) app: Arc<AppState>,
    pub(crate) authorization: Arc<Authorization>,
    /// When its row was last looked at.
    pub(crate) checked_at: AtomicI64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) uses: Arc<Uses>,
}

impl AccountHandle {
    /// Returns the account's id.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Returns the account's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the account's app.
    pub fn app_name(&self) -> &str {
        &self.app.name
    }

    /// Returns the id of the account's app; quotas are counted by it.
    pub fn app_id(&self) -> Id {
        self.app.id
    }

    /// Returns the id of what its platform authorized: the same for accounts that share their tokens,
    /// as the shops of a cross-border seller do.
    pub fn authorization_id(&self) -> Id {
        self.authorization.id
    }

    /// Returns the platform.
    pub fn platform(&self) -> &Platform {
        self.app.platform
    }

    /// Returns the base URLs to call: the platform's, or those of a sandbox.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Returns the region, where one is chosen.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the app key.
    pub fn app_key(&self) -> &str {
        &self.app.app_key
    }

    /// Returns the app secret prepared for a digest; prepared once per app.
    pub fn key(&self, digest: Digest) -> &SigningKey {
        self.app.key(digest)
    }

    /// Returns the app secret, which masks itself in `Debug` and `Display`.
    pub fn app_secret(&self) -> &AppSecret {
        &self.app.secret
    }

    /// Returns what keeps the app's secret out of text that the platform sends; whoever makes a call adds the
    /// secrets of the call.
    pub fn redactor(&self) -> Redactor<'_> {
        Redactor::new([self.app.secret.expose()])
    }

    /// Adds what this account's owner has to do about a refusal of a call that was made and signed for it, and
    /// puts the names of account and app into the commands of its hint.
    #[doc(hidden)]
    #[must_use]
    pub fn advise(&self, error: Error) -> Error {
        self.app.explained(error, Some(&self.name))
    }

    /// Returns the access token if nothing has to be done about it: no lock, no wait.
    ///
    /// `None` means: ask [`Vault::access_token`](crate::Vault::access_token), which refreshes, or begins to.
    pub fn fresh_token(&self) -> Option<Token> {
        let now = self.clock.coarse_millis();
        self.uses.note(&self.authorization, now);
        self.authorization.fresh_at(now)
    }

    /// The same as a copy of the token alone, if the account was looked up not long ago.
    pub(crate) fn recent_access(&self) -> Option<AccessToken> {
        let now = self.clock.coarse_millis();
        if !self.is_recent_at(now) {
            return None;
        }
        self.uses.note(&self.authorization, now);
        self.authorization.fresh_access_at(now)
    }

    /// Returns `true` if the account was looked up not long ago, so that no other program has changed it
    /// for long.
    pub(crate) fn is_recent(&self) -> bool {
        self.is_recent_at(self.clock.coarse_millis())
    }

    fn is_recent_at(&self, now: i64) -> bool {
        i64::try_from(now.abs_diff(self.checked_at.load(Ordering::Relaxed))).is_ok_and(|age| age < RECENT)
    }

    /// Returns `true` if a row still says what this handle says.
    pub(crate) fn is_of(&self, row: &FullRow) -> bool {
        self.id == row.account.id
            && self.name == row.account.name
            && self.region == row.account.region
            && self.app.id == row.app.id
            && self.authorization.id == row.authorization.id
    }

    /// Returns `true` if the account was made against a sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.app.sandbox.is_some()
    }
}

impl fmt::Debug for AccountHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountHandle")
            .field("name", &self.name)
            .field("platform", &self.app.platform.name)
            .field("sandbox", &self.is_sandbox())
            .finish_non_exhaustive()
    }
}
