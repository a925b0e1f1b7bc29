//! A vault in a database of PostgreSQL.
//!
//! Nothing here needs advisory locks, LISTEN or NOTIFY.

pub(super) mod connections;
mod damage;
mod failures;
mod schema;

use sesame_core::Error;

use super::{
    failure::{Failure, Outcome},
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
    pub(super) fn new(database: &Database) -> Self {
        Self { database: database.clone(), connections: Connections::to(database) }
    }

    pub(super) fn place(&self) -> String {
        self.database.place()
    }

    pub(super) fn describe(&self, failure: Failure) -> Error {
        failures::describe(&self.database, failure)
    }

    pub(super) async fn connect(&self) -> Outcome<Connection> {
        Ok(Connection::Postgres(self.connections.take().await?))
    }

    pub(super) async fn begin(&self) -> Outcome<Connection> {
        let mut lent = self.connections.take().await?;
        lent.begin("BEGIN").await?;
        Ok(Connection::Postgres(lent))
    }

    pub(super) async fn begin_unsynced(&self) -> Outcome<Connection> {
        let mut lent = self.connections.take().await?;
        lent.begin("BEGIN; SET LOCAL synchronous_commit = off").await?;
        Ok(Connection::Postgres(lent))
    }

    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}
