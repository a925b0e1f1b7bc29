//! Handles: made once per account and process, found again without a lock.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash},
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use sesame_core::{AccessToken, Error, ErrorKind, Result};

use crate::{
    AccountHandle, AccountId, Id, Token, Vault,
    app::AppState,
    authorization::{Authorization, Windows, open_access},
    handle::RECENT,
    store::{AppRow, AuthorizationRow, FullRow},
    vault::{Inner, lock},
};

/// The map of handles is cut into this many parts, so that adding one copies a small map.
const SHARDS: usize = 64;
/// The most handles that are kept; past it the map of a shard starts anew.
const HANDLES_A_SHARD: usize = 4_096;

/// How long a look-up may take before calls go on with what is known, and the pause before the next.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
const PAUSE: i64 = 5_000;

type Map<K> = HashMap<K, Arc<AccountHandle>, RandomState>;
type Shard<K> = ArcSwap<Map<K>>;

/// The handles of one process, by account name and by id.
pub(crate) struct Handles {
    named: Vec<Shard<String>>,
    by_id: Vec<Shard<Id>>,
    hasher: RandomState,
}

impl Default for Handles {
    fn default() -> Self {
        Self {
            named: (0..SHARDS).map(|_| Shard::default()).collect(),
            by_id: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::default(),
        }
    }
}

fn put<K: Clone + Eq + Hash>(shard: &Shard<K>, key: &K, handle: &Arc<AccountHandle>) {
    shard.rcu(|map| {
        let mut map = if map.len() < HANDLES_A_SHARD { Map::clone(map) } else { Map::default() };
        map.insert(key.clone(), handle.clone());
        map
    });
}

fn remove<K: Clone + Eq + Hash>(shard: &Shard<K>, key: &K) {
    shard.rcu(|map| {
        let mut map = Map::clone(map);
        map.remove(key);
        map
    });
}

impl Handles {
    fn shard(&self, account: &str) -> &Shard<String> {
        let at = usize::try_from(self.hasher.hash_one(account) % SHARDS as u64).unwrap_or_default();
        &self.named[at]
    }

    /// The last byte of an id is random.
    fn shard_of(&self, account: AccountId) -> &Shard<Id> {
        &self.by_id[usize::from(account.as_bytes()[15]) % SHARDS]
    }

    fn get(&self, account: &str) -> Option<Arc<AccountHandle>> {
        self.shard(account).load().get(account).cloned()
    }

    fn insert(&self, handle: &Arc<AccountHandle>) {
        put(self.shard(&handle.name), &handle.name, handle);
        put(self.shard_of(handle.id), &handle.id, handle);
    }

    /// Forgets an account that was renamed, removed or given to another shop.
    pub(crate) fn forget(&self, account: &str) {
        if let Some(handle) = self.get(account) {
            remove(self.shard_of(handle.id), &handle.id);
            remove(self.shard(account), &handle.name);
        }
    }
}

impl Vault {
    /// Returns what calls need of an account; remembered for a minute after it was last looked up, and
    /// as long as the store is away: another program may rename accounts or give them to other shops.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown account, and for one of a
    /// sandbox while real platforms are called, or the other way.
    pub async fn handle(&self, account: &str) -> Result<Arc<AccountHandle>> {
        match self.cached_handle(account) {
            Some(handle) if handle.is_recent() => Ok(handle),
            known => self.0.look_up(known, self.0.account_row(account)).await,
        }
    }

    /// Returns a valid access token of an account: the one door for whoever makes calls by himself.
    ///
    /// Fresh: at once, without a lock and without anything that other threads wait for. In the
    /// advisory window one refresh begins and everybody gets the old token, which is still valid.
    /// Later everybody waits for that one refresh. What is returned masks itself in `Debug` and
    /// `Display`, and is a copy: ask again for each call.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
    /// let account = vault.account("myshop").await?.id;
    /// let token = vault.token(&account).await?;
    /// assert_ne!(token.to_string(), token.expose());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`](sesame_core::ErrorKind::Authorization) when a person has to
    /// authorize the shop again; whatever kept a refresh from succeeding otherwise, with the time of
    /// the next try; [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown account, and
    /// for one of a sandbox while real platforms are called, or the other way.
    pub async fn token(&self, account: &AccountId) -> Result<AccessToken> {
        let fresh = {
            let shard = self.0.handles.shard_of(*account).load();
            shard.get(account).and_then(|handle| handle.recent_access())
        };
        match fresh {
            Some(access) => Ok(access),
            // In a box of its own: so this future, which every call makes, stays small.
            None => Box::pin(self.awaited_token(account)).await,
        }
    }

    /// Returns a valid access token of an account, by its name; as [`Vault::token`] does by its id.
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn access_token(&self, account: &str) -> Result<AccessToken> {
        let handle = self.handle(account).await?;
        self.token_of(&handle).await.map(|token| token.access.clone())
    }

    async fn awaited_token(&self, account: &AccountId) -> Result<AccessToken> {
        let handle = self.handle_by_id(account).await?;
        self.token_of(&handle).await.map(|token| token.access.clone())
    }

    /// Returns what calls need of an account; as [`Vault::handle`], by id.
    ///
    /// # Errors
    /// As [`Vault::handle`].
    pub async fn handle_by_id(&self, account: &AccountId) -> Result<Arc<AccountHandle>> {
        let known = self.0.handles.shard_of(*account).load().get(account).cloned();
        match known {
            Some(handle) if handle.is_recent() => Ok(handle),
            known => self.0.look_up(known, self.0.account_row_by_id(account)).await,
        }
    }

    /// Returns the handle of an account that was used before: no lock, no wait.
    pub fn cached_handle(&self, account: &str) -> Option<Arc<AccountHandle>> {
        self.0.handles.get(account)
    }
}

impl Inner {
    /// Makes a handle of a row, or finds that the known one still is what the row says.
    async fn look_up(
        &self,
        known: Option<Arc<AccountHandle>>,
        row: impl Future<Output = Result<FullRow>>,
    ) -> Result<Arc<AccountHandle>> {
        let Some(handle) = known else { return self.add_handle(&row.await?).await };
        // Real time: what hangs is a disk or a server.
        let row = tokio::time::timeout(LOOK_LIMIT, row).await;
        let now = self.now();
        match row {
            Ok(Ok(row)) if handle.is_of(&row) && self.is_app_of(&handle.app, &row.app).await => {
                handle.looked_at.store(now, Ordering::Relaxed);
                // Another process may have refreshed it.
                match self.know_keys(&row.authorization).await {
                    Ok(()) => drop(self.install_row(&handle.authorization, &row.authorization)),
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
                self.handles.forget(&handle.name);
                self.add_handle(&row).await
            }
            Ok(Err(error)) if error.kind() == ErrorKind::Usage => {
                self.handles.forget(&handle.name);
                Err(error)
            }
            // The store is away: calls go on with what is known.
            Ok(Err(_)) | Err(_) => {
                handle.looked_at.store(now.saturating_sub(RECENT).saturating_add(PAUSE), Ordering::Relaxed);
                Ok(handle)
            }
        }
    }

    /// Tells whether an app's secret still is the row's. One whose key this process does not get is taken
    /// for the same: calls go on with what is known.
    async fn is_app_of(&self, app: &AppState, row: &AppRow) -> bool {
        self.know_keys_of_app(row).await.is_err() || app.is_of(row, &self.sealer)
    }

    async fn add_handle(&self, row: &FullRow) -> Result<Arc<AccountHandle>> {
        let handle = Arc::new(self.make_handle(row).await?);
        self.handles.insert(&handle);
        Ok(handle)
    }

    async fn account_row_by_id(&self, account: &AccountId) -> Result<FullRow> {
        let rows = self.store.accounts_after(account.before(), 1).await?;
        rows.into_iter().find(|row| row.account.id == *account).ok_or_else(|| {
            Error::usage(format!("there is no account of the id {account}"))
                .with_hint("It was removed, or is of another vault. `sesame accounts` shows the accounts.")
        })
    }

    async fn make_handle(&self, row: &FullRow) -> Result<AccountHandle> {
        self.check_crossing("account", &row.account.name, row.app.sandbox.as_deref())?;
        let app = self.open_app(&row.app).await?;
        self.know_keys(&row.authorization).await?;
        self.takes_back(&row.authorization).await?;
        let urls = self.urls(&app, row.account.region.as_deref())?;
        let authorization = self.authorization(&app, &row.authorization, &row.account.name)?;
        Ok(AccountHandle {
            id: row.account.id,
            name: row.account.name.clone(),
            urls,
            region: row.account.region.clone(),
            app,
            authorization,
            looked_at: self.now().into(),
            clock: self.clock.clone(),
            uses: self.uses.clone(),
        })
    }

    /// Returns the one shared state of an authorization, brought up to date with its row.
    pub(crate) fn authorization(
        &self,
        app: &Arc<AppState>,
        row: &AuthorizationRow,
        label: &str,
    ) -> Result<Arc<Authorization>> {
        let urls = self.urls(app, row.region.as_deref())?;
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
        self.install_row(&shared, row);
        Ok(shared)
    }

    /// Makes a row's access token the current one of this process, if it has not ended. One that does
    /// not open counts as none: a refresh or a login brings another.
    pub(crate) fn install_row(&self, authorization: &Authorization, row: &AuthorizationRow) -> Option<Token> {
        let windows = Windows::of(&authorization.app.platform.tokens, &row.tokens);
        if self.now() >= windows.ends_at {
            return None;
        }
        let access = open_access(&self.sealer, row).unwrap_or_else(|error| {
            tracing::warn!(account = authorization.label, "the access token is of no use: {error}");
            None
        })?;
        Some(authorization.install(row.generation, access, windows))
    }
}
