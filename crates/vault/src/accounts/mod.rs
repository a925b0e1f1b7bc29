//! Apps and accounts: how they are found, shown and changed, and what calls need of them.

mod account;
pub(crate) mod app;
pub(crate) mod apps;
pub(crate) mod authorization;
pub(crate) mod cache;
mod handle;
pub(crate) mod uses;
mod walk;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sesame_core::{AccessToken, Clock, Error, ErrorKind, Result, Retry};

use self::uses::Uses;
pub use self::{
    account::{Account, AccountState, ImportedTokens, Listed},
    app::{App, AppEdit, DEFAULT_REDIRECT_URI, NewApp},
    handle::AccountHandle,
};
use self::{
    app::AppState,
    authorization::{Authorization, open_access},
    cache::AccountCache,
    handle::RECENT,
};
pub(crate) use self::{
    apps::Apps,
    walk::{Step, Walk},
};
use crate::{
    events::{Action, Events},
    model::{AccountId, Id, Token, lock, name, tags},
    schedule::Windows,
    seal::MasterKeys,
    store::{AccountRow, AccountStore, AuthorizationRow, FullRow, Notes},
};

/// How many accounts are looked through for a name like the one that was asked for.
const SUGGESTION_LIMIT: usize = 10_000;
/// How often tags are changed again that others change, too.
const TAG_ATTEMPTS: u32 = 16;
/// How long a look-up may take before calls go on with what is known.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause before the next look-up while the store is away, in milliseconds.
const LOOKUP_PAUSE: i64 = 5_000;

/// The accounts of a vault, and what this process remembers of them.
pub(crate) struct Accounts {
    pub(crate) store: Arc<dyn AccountStore>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) events: Events,
    pub(crate) uses: Arc<Uses>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache: AccountCache,
    pub(crate) authorizations: Mutex<HashMap<Id, Weak<Authorization>>>,
}

impl Accounts {
    /// Finds an account by name. The error for an unknown one names the nearest there are.
    pub(crate) async fn row(&self, name: &str) -> Result<FullRow> {
        if let Some(row) = self.store.account(name).await? {
            return Ok(row);
        }
        let mut names: Vec<String> = Vec::new();
        let mut walk = Walk::begin(self.store.as_ref());
        while names.len() < SUGGESTION_LIMIT
            && let Some(page) = walk.page().await?
        {
            names.extend(page.into_iter().map(|row| row.account.name));
        }
        let error = Error::usage(format!("there is no account called {name:?}"));
        Err(if names.is_empty() {
            error.with_hint("Authorize a shop with `sesame login APP`.")
        } else {
            error.with_hint(name::known(name, names))
        })
    }

    /// Finds the first account that `wanted` accepts.
    pub(crate) async fn find(&self, wanted: impl Fn(&FullRow) -> bool) -> Result<Option<FullRow>> {
        let mut walk = Walk::begin(self.store.as_ref());
        while let Some(page) = walk.page().await? {
            if let Some(row) = page.into_iter().find(&wanted) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Finds the first of `base`, `base-2`, `base-3`, ... that no account has, nor is `refused`.
    pub(crate) async fn free_name(&self, base: &str, refused: impl Fn(&str) -> bool) -> Result<String> {
        let mut name = base.to_owned();
        let mut number = 1_u32;
        while refused(&name) || self.store.account(&name).await?.is_some() {
            number = number.saturating_add(1);
            name = format!("{base}-{number}");
        }
        Ok(name)
    }

    pub(crate) fn shown(&self, row: &FullRow) -> Account {
        let platform = self.apps.platform(&row.app.platform).ok();
        let now = self.clock.now().as_millisecond();
        Account::of(row, platform.map(|platform| &platform.tokens), now)
    }

    /// Lists the accounts that `wanted` accepts, oldest first, and names those whose rows cannot be read.
    pub(crate) async fn list(&self, mut wanted: impl FnMut(&Account) -> bool) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut walk = Walk::begin(self.store.as_ref());
        while let Some(step) = walk.step().await? {
            match step {
                Step::Page(page) => {
                    let shown = page.iter().map(|row| self.shown(row));
                    listed.accounts.extend(shown.filter(|account| wanted(account)));
                }
                Step::Unreadable(id, error) => {
                    tracing::warn!(account = %id, "an account cannot be read: {error}");
                    listed.unreadable.push(id);
                }
            }
        }
        listed
            .accounts
            .sort_by(|one, other| (one.created_at, &one.name).cmp(&(other.created_at, &other.name)));
        Ok(listed)
    }

    /// Gives an account another name.
    pub(crate) async fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        name::check("account", new_name)?;
        let row = self.row(name).await?;
        if !self.store.rename_account(row.account.id, new_name).await? {
            return Err(account_taken(new_name));
        }
        self.cache.forget(name);
        self.events.record(new_name, row.authorization.id, format!("renamed from {name}")).await;
        Ok(())
    }

    /// Adds tags to an account and removes others.
    pub(crate) async fn tag(&self, name: &str, add: &[String], remove: &[String]) -> Result<()> {
        for _ in 0..TAG_ATTEMPTS {
            let row = self.row(name).await?;
            let former = &row.account.tags;
            let tags = tags::changed(former, add, remove)?;
            // Somebody else may put another tag on it at this moment: both count.
            if tags == *former {
                return Ok(());
            }
            if self.store.set_tags(row.account.id, former, &tags).await? {
                let detail = format!("tags: {}", tags.join(" "));
                self.events.record(name, row.authorization.id, detail).await;
                return Ok(());
            }
        }
        Err(Error::local(format!("other programs keep changing the tags of account {name:?}"))
            .with_retry(Retry::Backoff))
    }

    /// Removes an account, and its authorization if no other account uses it. An account whose row cannot
    /// be read is named by its id. Returns the authorization it had, if that is known.
    pub(crate) async fn remove(&self, name: &str) -> Result<Option<Id>> {
        let (id, authorization) = match self.row(name).await {
            Ok(row) => (row.account.id, Some(row.authorization.id)),
            Err(error) => (self.unreadable(name, error).await?, None),
        };
        let line = self.events.audit_row(Action::Logout, name, authorization, None);
        self.store.remove_account(id, &Notes { audit: vec![line], ..Notes::default() }).await?;
        self.cache.forget(name);
        Ok(authorization)
    }

    /// Returns the id of an account whose row cannot be read; `error` says why it was not found by name.
    async fn unreadable(&self, name: &str, error: Error) -> Result<Id> {
        let Ok(id) = name.parse::<Id>() else { return Err(error) };
        let found = self.store.account_ids_after(id.before(), 1).await?;
        let is_read = self.store.accounts_after(id.before(), 1).await.is_ok();
        if found != [id] || is_read { Err(error) } else { Ok(id) }
    }

    /// Writes down what was learned of an account, if anything, so that the next call goes by it.
    pub(crate) async fn update(&self, former: &AccountRow, account: &AccountRow) -> Result<()> {
        if account != former {
            self.store.update_account(None, account, &Notes::default()).await?;
            self.cache.forget(&account.name);
        }
        Ok(())
    }

    /// Returns the handle of an account that was used before: no lock, no wait.
    pub(crate) fn cached(&self, name: &str) -> Option<Arc<AccountHandle>> {
        self.cache.get(name)
    }

    /// Returns the access token of an account that was used not long ago, if nothing has to be done about
    /// it: no lock, no wait.
    pub(crate) fn recent_access(&self, account: AccountId) -> Option<AccessToken> {
        self.cache.shard_of(account).load().get(&account).and_then(|handle| handle.recent_access())
    }

    /// Returns what calls need of an account. Remembered for a minute after it was last looked up, and as
    /// long as the store is away.
    pub(crate) async fn handle(&self, name: &str) -> Result<Arc<AccountHandle>> {
        match self.cache.get(name) {
            Some(handle) if handle.is_recent() => Ok(handle),
            known => self.look_up(known, self.row(name)).await,
        }
    }

    /// As [`Accounts::handle`], by id.
    pub(crate) async fn handle_by_id(&self, account: AccountId) -> Result<Arc<AccountHandle>> {
        match self.cache.get_by_id(account) {
            Some(handle) if handle.is_recent() => Ok(handle),
            known => self.look_up(known, self.row_by_id(account)).await,
        }
    }

    /// Finds an account by id.
    pub(crate) async fn find_by_id(&self, account: AccountId) -> Result<Option<FullRow>> {
        let rows = self.store.accounts_after(account.before(), 1).await?;
        Ok(rows.into_iter().find(|row| row.account.id == account))
    }

    async fn row_by_id(&self, account: AccountId) -> Result<FullRow> {
        self.find_by_id(account).await?.ok_or_else(|| {
            Error::usage(format!("there is no account with the id {account}")).with_hint(
                "It was removed, or belongs to another vault. `sesame accounts` shows the accounts.",
            )
        })
    }

    /// Makes a handle of a row, or finds that the known one still is what the row says.
    async fn look_up(
        &self,
        known: Option<Arc<AccountHandle>>,
        row: impl Future<Output = Result<FullRow>>,
    ) -> Result<Arc<AccountHandle>> {
        let Some(handle) = known else { return self.add_handle(&row.await?).await };
        // Real time: what hangs is a disk or a server.
        let row = tokio::time::timeout(LOOKUP_TIMEOUT, row).await;
        let now = self.clock.now().as_millisecond();
        match row {
            Ok(Ok(row)) if handle.is_of(&row) && self.apps.is_current(&handle.app, &row.app).await => {
                handle.checked_at.store(now, Ordering::Relaxed);
                // Another process may have refreshed it.
                match self.keys.ensure_tokens(&row.authorization).await {
                    Ok(()) => drop(self.install(&handle.authorization, &row.authorization)),
                    Err(error) => {
                        tracing::warn!(
                            account = handle.name,
                            "another process's tokens are not used: {error}"
                        );
                    }
                }
                Ok(handle)
            }
            Ok(Ok(row)) => {
                self.cache.forget(&handle.name);
                self.add_handle(&row).await
            }
            Ok(Err(error)) if error.kind() == ErrorKind::Usage => {
                self.cache.forget(&handle.name);
                Err(error)
            }
            // The store is away: calls go on with what is known.
            Ok(Err(_)) | Err(_) => {
                let pretended = now.saturating_sub(RECENT).saturating_add(LOOKUP_PAUSE);
                handle.checked_at.store(pretended, Ordering::Relaxed);
                Ok(handle)
            }
        }
    }

    async fn add_handle(&self, row: &FullRow) -> Result<Arc<AccountHandle>> {
        self.apps.ensure_environment("account", &row.account.name, row.app.sandbox.as_deref())?;
        let app = self.apps.open(&row.app).await?;
        self.keys.ensure_tokens(&row.authorization).await?;
        let handle = Arc::new(AccountHandle {
            id: row.account.id,
            name: row.account.name.clone(),
            urls: self.apps.urls(&app, row.account.region.as_deref())?,
            region: row.account.region.clone(),
            authorization: self.authorization(&app, &row.authorization, &row.account.name)?,
            app,
            checked_at: AtomicI64::new(self.clock.now().as_millisecond()),
            clock: self.clock.clone(),
            uses: self.uses.clone(),
        });
        self.cache.insert(&handle);
        Ok(handle)
    }

    /// Returns the one shared state of an authorization, brought up to date with its row.
    pub(crate) fn authorization(
        &self,
        app: &Arc<AppState>,
        row: &AuthorizationRow,
        label: &str,
    ) -> Result<Arc<Authorization>> {
        let urls = self.apps.urls(app, row.region.as_deref())?;
        let mut all = lock(&self.authorizations);
        // With a new secret of its app it is made anew; the lease keeps a refresh of the former one apart.
        let known = all.get(&row.id).and_then(Weak::upgrade).filter(|known| known.app.signs_as(app));
        let shared = known.unwrap_or_else(|| {
            if all.len() > 1_024 && all.len().is_power_of_two() {
                all.retain(|_, held| held.strong_count() > 0);
            }
            let shared = Arc::new(Authorization::new(row.id, label.to_owned(), app.clone(), urls));
            all.insert(row.id, Arc::downgrade(&shared));
            shared
        });
        drop(all);
        shared.used_at.fetch_max(row.last_used.unwrap_or(i64::MIN), Ordering::Relaxed);
        self.install(&shared, row);
        Ok(shared)
    }

    /// Makes a row's access token the current one of this process, if it has not expired. One that does
    /// not open counts as none: a refresh or a login brings another.
    pub(crate) fn install(&self, authorization: &Authorization, row: &AuthorizationRow) -> Option<Token> {
        let windows = Windows::of(&authorization.app.platform.tokens, &row.tokens);
        if self.clock.now().as_millisecond() >= windows.ends_at {
            return None;
        }
        let access = open_access(self.keys.sealer(), row).unwrap_or_else(|error| {
            tracing::warn!(account = authorization.label, "the access token cannot be used: {error}");
            None
        })?;
        Some(authorization.install(row.generation, access, windows))
    }
}

pub(crate) fn account_taken(name: &str) -> Error {
    Error::usage(format!("there is already an account called {name:?}"))
        .with_hint("Choose another name. `sesame accounts` shows the accounts.")
}
