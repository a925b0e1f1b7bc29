//! The store over SQLite and PostgreSQL: each statement is written once, one transaction a call.
//!
//! All isolation in PostgreSQL is READ COMMITTED: each compare-and-set is one UPDATE whose condition the
//! server looks at again once it holds the row. Whoever changes several rows takes them in the order of
//! their ids, so that there is no deadlock.

mod accounts;
mod apps;
mod claim;
pub(super) mod connection;
mod events;
mod keys;
mod logins;
pub(super) mod query;
mod rows;
mod tokens;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use sesame_core::{BoxFuture, Result};

#[cfg(feature = "postgres")]
use super::postgres::PostgresBackend;
#[cfg(feature = "sqlite")]
use super::sqlite::SqliteBackend;
use super::{
    Store, StoreFut,
    limits::{WORKING, WORKING_LONG, limited},
};
use crate::{Id, Location};
use connection::Connection;
use query::{Query, Row};

/// Maximum number of rows that one of several statements changes, so that no lock is held for long.
const PIECE: i64 = 5_000;

/// A vault in a file of SQLite, in memory, or in a database of PostgreSQL. Cheap to clone; clones share
/// their connections.
#[derive(Clone)]
pub struct SqlStore(Arc<Backend>);

enum Backend {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteBackend),
    #[cfg(feature = "postgres")]
    Postgres(PostgresBackend),
}

/// What one of the two databases does in its own way.
macro_rules! on_backend {
    ($store:expr, $backend:ident => $work:expr) => {
        match $store.0.as_ref() {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite($backend) => $work,
            #[cfg(feature = "postgres")]
            Backend::Postgres($backend) => $work,
        }
    };
}

impl SqlStore {
    /// Opens the store at a location and makes it if it is not there. Many processes may do so at once.
    ///
    /// A new file gets mode 0600, a new directory 0700. Tables in PostgreSQL are in the schema `sesame`; at
    /// most 8 connections are made: 10 seconds for a connection, 30 for a statement, a minute for a piece
    /// of work.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a file that is damaged or cannot be written,
    /// for a server that cannot be reached or refuses, and for tables of another version or program.
    /// Nothing is changed then.
    pub async fn open(location: &Location) -> Result<Self> {
        let backend = match location {
            #[cfg(feature = "sqlite")]
            Location::Sqlite(path) => Backend::Sqlite(SqliteBackend::open(path).await?),
            #[cfg(feature = "postgres")]
            Location::Postgres(database) => Backend::Postgres(PostgresBackend::open(database).await?),
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            other => return Err(other.unsupported()),
        };
        Ok(Self(Arc::new(backend)))
    }

    /// Makes a store that is kept in memory and is gone with its last clone: for tests and dry runs.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) if SQLite fails.
    ///
    /// ```
    /// # async fn example(options: sesame_vault::VaultOptions) -> sesame_core::Result<()> {
    /// let store = sesame_vault::store::SqlStore::in_memory().await?;
    /// let vault = sesame_vault::Vault::open_with(options, std::sync::Arc::new(store)).await?;
    /// # drop(vault);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlite")]
    pub async fn in_memory() -> Result<Self> {
        Ok(Self(Arc::new(Backend::Sqlite(SqliteBackend::in_memory().await?))))
    }

    /// Returns `true` if there is a vault at a location; makes nothing.
    ///
    /// # Errors
    /// As [`SqlStore::open`].
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, reason = "only a database on a server is asked")
    )]
    pub async fn exists(location: &Location) -> Result<bool> {
        match location {
            #[cfg(feature = "sqlite")]
            Location::Sqlite(path) => Ok(path.exists()),
            #[cfg(feature = "postgres")]
            Location::Postgres(database) => PostgresBackend::exists(database).await,
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            other => Err(other.unsupported()),
        }
    }

    #[cfg(all(test, feature = "sqlite"))]
    pub(super) fn over(backend: SqliteBackend) -> Self {
        Self(Arc::new(Backend::Sqlite(backend)))
    }

    /// Returns the steps by which SQLite would run a statement; all its values are 1.
    #[cfg(test)]
    async fn plan_of(&self, text: &str) -> String {
        let values = (1..=9).filter(|number| text.contains(&format!("${number}"))).count();
        let explained = format!("EXPLAIN QUERY PLAN {text}");
        let explained = (0..values).fold(query::query(explained), |query, _| query.bind(1_i64));
        self.fetch_all(explained, |row| row.get::<String>("detail")).await.unwrap().join("\n")
    }

    /// Returns a connection for single statements.
    async fn connect(&self) -> sqlx::Result<Connection> {
        on_backend!(self, backend => backend.connect().await)
    }

    /// Begins a transaction that writes.
    async fn begin(&self) -> sqlx::Result<Connection> {
        on_backend!(self, backend => backend.begin().await)
    }

    /// Begins a transaction whose commit does not wait for the disk.
    async fn begin_unsynced(&self) -> sqlx::Result<Connection> {
        on_backend!(self, backend => backend.begin_unsynced().await)
    }

    async fn execute(&self, query: Query<'_>) -> sqlx::Result<u64> {
        self.connect().await?.execute(query).await
    }

    async fn fetch_all<T>(
        &self,
        query: Query<'_>,
        read: impl Fn(&Row) -> sqlx::Result<T>,
    ) -> sqlx::Result<Vec<T>> {
        self.connect().await?.fetch_all(query, read).await
    }

    async fn fetch_optional<T>(
        &self,
        query: Query<'_>,
        read: impl Fn(&Row) -> sqlx::Result<T>,
    ) -> sqlx::Result<Option<T>> {
        self.connect().await?.fetch_optional(query, read).await
    }

    /// Repeats a statement that changes at most a piece of all rows until there are none left; returns how
    /// many it changed.
    fn in_pieces<'a>(&'a self, query: impl Fn() -> Query<'a> + Send + Sync + 'a) -> StoreFut<'a, u64> {
        Box::pin(async move {
            let mut changed = 0;
            loop {
                let some = self.run(|| self.execute(query())).await?;
                if some == 0 {
                    return Ok(changed);
                }
                changed += some;
            }
        })
    }

    /// Runs a piece of work, again if it lost against concurrent work, and says what went wrong where.
    fn run<'a, T, F>(&'a self, work: impl Fn() -> F + Send + Sync + 'a) -> StoreFut<'a, T>
    where
        F: Future<Output = sqlx::Result<T>> + Send + 'a,
        T: Send + 'a,
    {
        self.run_for(WORKING, work)
    }

    fn run_for<'a, T, F>(
        &'a self,
        limit: Duration,
        work: impl Fn() -> F + Send + Sync + 'a,
    ) -> StoreFut<'a, T>
    where
        F: Future<Output = sqlx::Result<T>> + Send + 'a,
        T: Send + 'a,
    {
        Box::pin(async move {
            let done = limited(limit, work).await;
            done.map_err(|error| on_backend!(self, backend => backend.describe(error)))
        })
    }
}

/// Returns what all ids after this one are greater than; no bytes are less than any id.
fn bytes_before(after: Option<Id>) -> Vec<u8> {
    after.map(|id| id.as_bytes().to_vec()).unwrap_or_default()
}

/// Returns `true` if it was done, `false` if a name is taken.
fn unless_taken(done: sqlx::Result<()>) -> sqlx::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns `true` if a unique name is taken.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

impl Store for SqlStore {
    fn is_durable(&self) -> bool {
        match self.0.as_ref() {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(backend) => backend.is_durable(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => true,
        }
    }

    fn check(&self) -> StoreFut<'_, Vec<String>> {
        self.run_for(WORKING_LONG, move || async move {
            on_backend!(self, backend => backend.find_damage().await)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { on_backend!(self, backend => backend.close().await) })
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlStore({})", on_backend!(self, backend => backend.place()))
    }
}
