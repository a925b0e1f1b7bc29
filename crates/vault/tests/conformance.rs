//! One suite for all stores: what the trait promises, whoever keeps it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "conformance/mod.rs"]
mod suite;

use std::sync::Arc;

use sesame_core::BoxFuture;
use sesame_testing::postgres;
use sesame_vault::{
    Location,
    store::{SqlStore, Store},
};
use suite::Place;

async fn open(location: &Location) -> Arc<dyn Store> {
    Arc::new(SqlStore::open(location).await.unwrap())
}

struct SqliteFile(tempfile::TempDir);

impl Place for SqliteFile {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { open(&Location::Sqlite(self.0.path().join("vault.db"))).await })
    }
}

struct FreshDatabase(Location);

impl Place for FreshDatabase {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(open(&self.0))
    }
}

suite::run_all!(sqlite, SqliteFile(tempfile::tempdir().unwrap()));
suite::run_all!(postgresql, FreshDatabase(postgres::Server::shared().database().by_socket.parse().unwrap()));
