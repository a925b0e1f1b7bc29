//! One suite for all stores: what the trait promises, whoever keeps it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "conformance/mod.rs"]
mod suite;

use std::sync::Arc;

use sesame_core::BoxFuture;
use sesame_testing::postgres;
use sesame_vault::{
    Database,
    store::{MemoryStore, PostgresStore, SqliteStore, Store},
};
use suite::Place;

struct SqliteFile(tempfile::TempDir);

impl Place for SqliteFile {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async {
            let store = SqliteStore::open(&self.0.path().join("vault.db")).await.unwrap();
            Arc::new(store) as Arc<dyn Store>
        })
    }
}

struct FreshDatabase(Database);

impl Place for FreshDatabase {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(PostgresStore::open(&self.0).await.unwrap()) as Arc<dyn Store> })
    }
}

struct InMemory(Arc<MemoryStore>);

impl Place for InMemory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(std::future::ready(self.0.clone() as Arc<dyn Store>))
    }
}

suite::run_all!(in_memory, InMemory(Arc::default()));
suite::run_all!(sqlite, SqliteFile(tempfile::tempdir().unwrap()));
suite::run_all!(
    postgresql,
    FreshDatabase(Database::parse(&postgres::Server::shared().database().by_socket).unwrap())
);
