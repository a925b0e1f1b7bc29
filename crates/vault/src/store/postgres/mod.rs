//! A vault in a database of PostgreSQL.
//!
//! Nothing here needs advisory locks, LISTEN or NOTIFY.

pub(super) mod connections;
mod damage;
mod failures;
mod relay;
mod schema;

use sesame_core::{Error, Result};

use super::{
    limits::{WORKING, WORKING_LONG, limited},
    sql::connection::Connection,
};
use crate::Database;
use connections::Connections;

/// The connections to a database of PostgreSQL.
pub(super) struct PostgresBackend {
    database: Database,
    connections: std::sync::Arc<Connections>,
}

impl PostgresBackend {
    /// Connects to nothing yet.
    fn new(database: &Database) -> Self {
        Self { database: database.clone(), connections: Connections::to(database) }
    }

    /// Connects, and makes the tables if they are not there.
    pub(super) async fn open(database: &Database) -> Result<Self> {
        let backend = Self::new(database);
        let found = limited(WORKING, || backend.find()).await.map_err(|error| backend.describe(error))?;
        if backend.is_to_be_made(found)? {
            let made = limited(WORKING_LONG, || backend.make()).await;
            made.map_err(|error| backend.describe(error))?;
        }
        Ok(backend)
    }

    /// Returns `true` if there is a vault of any version.
    pub(super) async fn exists(database: &Database) -> Result<bool> {
        let backend = Self::new(database);
        let found = limited(WORKING, || backend.find()).await;
        backend.close().await;
        found.map(|found| found.is_vault()).map_err(|error| backend.describe(error))
    }

    pub(super) fn place(&self) -> String {
        self.database.place()
    }

    pub(super) fn describe(&self, error: sqlx::Error) -> Error {
        failures::describe(&self.database, error)
    }

    pub(super) async fn connect(&self) -> sqlx::Result<Connection> {
        Ok(Connection::Postgres(self.connections.take().await?))
    }

    pub(super) async fn begin(&self) -> sqlx::Result<Connection> {
        let mut lent = self.connections.take().await?;
        lent.begin("BEGIN").await?;
        Ok(Connection::Postgres(lent))
    }

    pub(super) async fn begin_unsynced(&self) -> sqlx::Result<Connection> {
        let mut lent = self.connections.take().await?;
        lent.begin("BEGIN; SET LOCAL synchronous_commit = off").await?;
        Ok(Connection::Postgres(lent))
    }

    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}
