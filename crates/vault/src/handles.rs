//! Handles: made once per account and process, found again without a lock.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Weak},
};

use arc_swap::ArcSwap;
use sesame_core::Result;

use crate::{
    AccountHandle, Token, Vault,
    app::AppState,
    authorisation::{Authorisation, Windows, open_access},
    store::{AuthorisationRow, FullRow},
    vault::{Inner, lock},
};

/// The map of handles is cut into this many parts, so that adding one copies a small map.
const SHARDS: usize = 64;
/// The most handles that are kept; past it the map of a shard starts anew.
const HANDLES_A_SHARD: usize = 4_096;

type Shard = ArcSwap<HashMap<String, Arc<AccountHandle>>>;

/// The handles of one process, by account name.
pub(crate) struct Handles {
    shards: Vec<Shard>,
    hasher: RandomState,
}

impl Default for Handles {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), hasher: RandomState::new() }
    }
}

impl Handles {
    fn shard(&self, account: &str) -> &Shard {
        let at = usize::try_from(self.hasher.hash_one(account) % SHARDS as u64).unwrap_or_default();
        &self.shards[at]
    }

    fn get(&self, account: &str) -> Option<Arc<AccountHandle>> {
        self.shard(account).load().get(account).cloned()
    }

    fn insert(&self, handle: &Arc<AccountHandle>) {
        self.shard(&handle.name).rcu(|map| {
            let mut map = if map.len() < HANDLES_A_SHARD { HashMap::clone(map) } else { HashMap::new() };
            map.insert(handle.name.clone(), handle.clone());
            map
        });
    }

    /// Forgets an account that was renamed, removed or given to another shop.
    pub(crate) fn forget(&self, account: &str) {
        self.shard(account).rcu(|map| {
            let mut map = HashMap::clone(map);
            map.remove(account);
            map
        });
    }
}

impl Vault {
    /// Returns what calls need of an account; remembered after the first time.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown account, and for one of a
    /// sandbox while real platforms are called, or the other way.
    pub async fn handle(&self, account: &str) -> Result<Arc<AccountHandle>> {
        if let Some(handle) = self.cached_handle(account) {
            return Ok(handle);
        }
        let row = self.0.account_row(account).await?;
        self.0.know_keys_of_app(&row.app).await?;
        self.0.know_keys(&row.authorisation).await?;
        let handle = Arc::new(self.0.make_handle(&row)?);
        self.0.handles.insert(&handle);
        Ok(handle)
    }

    /// Returns the handle of an account that was used before: no lock, no wait.
    pub fn cached_handle(&self, account: &str) -> Option<Arc<AccountHandle>> {
        self.0.handles.get(account)
    }
}

impl Inner {
    fn make_handle(&self, row: &FullRow) -> Result<AccountHandle> {
        self.check_crossing("account", &row.account.name, row.app.sandbox.as_deref())?;
        let app = self.app_state(&row.app)?;
        let urls = self.urls(&app, row.account.region.as_deref())?;
        let authorisation = self.authorisation(&app, &row.authorisation, &row.account.name)?;
        Ok(AccountHandle {
            id: row.account.id,
            name: row.account.name.clone(),
            urls,
            region: row.account.region.clone(),
            app,
            authorisation,
            clock: self.clock.clone(),
        })
    }

    /// Returns the one shared state of an authorisation, brought up to date with its row.
    pub(crate) fn authorisation(
        &self,
        app: &Arc<AppState>,
        row: &AuthorisationRow,
        label: &str,
    ) -> Result<Arc<Authorisation>> {
        let urls = self.urls(app, row.region.as_deref())?;
        let mut all = lock(&self.authorisations);
        let known = all.get(&row.id).and_then(Weak::upgrade);
        let shared = known.unwrap_or_else(|| {
            if all.len() > 1_024 && all.len().is_power_of_two() {
                all.retain(|_, held| held.strong_count() > 0);
            }
            let shared = Arc::new(Authorisation::new(row.id, label.to_owned(), app.clone(), urls));
            all.insert(row.id, Arc::downgrade(&shared));
            shared
        });
        drop(all);
        self.install_row(&shared, row)?;
        Ok(shared)
    }

    /// Makes a row's access token the current one of this process, if it has not ended.
    pub(crate) fn install_row(
        &self,
        authorisation: &Authorisation,
        row: &AuthorisationRow,
    ) -> Result<Option<Token>> {
        let windows = Windows::of(&authorisation.app.platform.tokens, &row.tokens);
        if self.now() >= windows.ends_at {
            return Ok(None);
        }
        let Some(access) = open_access(&self.sealer, row)
            .map_err(|error| error.context(format!("account {:?}", authorisation.label)))?
        else {
            return Ok(None);
        };
        Ok(Some(authorisation.install(row.generation, access, windows)))
    }
}
