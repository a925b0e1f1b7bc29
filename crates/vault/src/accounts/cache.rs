//! The handles of one process: made once per account, found again without a lock.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash},
    sync::Arc,
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

use super::handle::AccountHandle;
use crate::model::{AccountId, Id};

/// The map of handles is cut into this many parts, so that adding one copies a small map.
const SHARDS: usize = 64;
/// Maximum number of handles that are kept; past it the map of a shard starts anew.
const SHARD_LIMIT: usize = 4_096;

type Map<K> = HashMap<K, Arc<AccountHandle>, RandomState>;
type Shard<K> = ArcSwap<Map<K>>;

/// The handles of one process, by account name and by id.
pub(crate) struct AccountCache {
    named: Vec<Shard<String>>,
    by_id: Vec<Shard<Id>>,
    hasher: RandomState,
}

impl Default for AccountCache {
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
        let mut map = if map.len() < SHARD_LIMIT { Map::clone(map) } else { Map::default() };
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

impl AccountCache {
    fn shard(&self, account: &str) -> &Shard<String> {
        let at = usize::try_from(self.hasher.hash_one(account) % SHARDS as u64).unwrap_or_default();
        &self.named[at]
    }

    /// The last byte of an id is random.
    pub(super) fn shard_of(&self, account: AccountId) -> &Shard<Id> {
        &self.by_id[usize::from(account.as_bytes()[15]) % SHARDS]
    }

    pub(super) fn get(&self, account: &str) -> Option<Arc<AccountHandle>> {
        self.shard(account).load().get(account).cloned()
    }

    pub(super) fn insert(&self, handle: &Arc<AccountHandle>) {
        put(self.shard(&handle.name), &handle.name, handle);
        put(self.shard_of(handle.id), &handle.id, handle);
    }

    /// Returns the handle of an account that was used before, by id.
    pub(super) fn get_by_id(&self, account: AccountId) -> Option<Arc<AccountHandle>> {
        self.shard_of(account).load().get(&account).cloned()
    }

    /// Forgets an account that was renamed, removed or given to another shop.
    pub(crate) fn forget(&self, account: &str) {
        if let Some(handle) = self.get(account) {
            remove(self.shard_of(handle.id), &handle.id);
            remove(self.shard(account), &handle.name);
        }
    }
}
