//! A connection to either database, for one piece of work.

use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};

use super::query::{Query, Row};
use crate::store::postgres::connections::Lent;

/// A connection, or an open transaction on one. Dropped before [`Connection::commit`], a transaction is
/// rolled back.
pub(in crate::store) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTransaction(sqlx::Transaction<'static, Sqlite>),
    Postgres(Lent),
}

enum Target<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut Lent),
}

impl Connection {
    fn target(&mut self) -> Target<'_> {
        match self {
            Self::Sqlite(connection) => Target::Sqlite(connection),
            Self::SqliteTransaction(transaction) => Target::Sqlite(transaction),
            Self::Postgres(lent) => Target::Postgres(lent),
        }
    }

    /// Runs a statement; returns the number of rows it changed.
    pub(in crate::store) async fn execute(&mut self, query: Query<'_>) -> sqlx::Result<u64> {
        match self.target() {
            Target::Sqlite(connection) => Ok(query.for_sqlite().execute(connection).await?.rows_affected()),
            Target::Postgres(lent) => {
                let done = query.for_postgres().execute(lent.connection()).await;
                Ok(lent.answered(done)?.rows_affected())
            }
        }
    }

    /// Runs a statement; returns the rows that came back.
    pub(in crate::store) async fn fetch_all<T>(
        &mut self,
        query: Query<'_>,
        read: impl Fn(&Row) -> sqlx::Result<T>,
    ) -> sqlx::Result<Vec<T>> {
        match self.target() {
            Target::Sqlite(connection) => {
                let rows = query.for_sqlite().fetch_all(connection).await?;
                rows.into_iter().map(|row| read(&Row::Sqlite(row))).collect()
            }
            Target::Postgres(lent) => {
                let rows = query.for_postgres().fetch_all(lent.connection()).await;
                lent.answered(rows)?.into_iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// Runs a statement; returns its only row, if one came back.
    pub(in crate::store) async fn fetch_optional<T>(
        &mut self,
        query: Query<'_>,
        read: impl Fn(&Row) -> sqlx::Result<T>,
    ) -> sqlx::Result<Option<T>> {
        Ok(self.fetch_all(query, read).await?.into_iter().next())
    }

    /// Commits, if this is a transaction.
    pub(in crate::store) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::SqliteTransaction(transaction) => transaction.commit().await,
            Self::Postgres(lent) => lent.commit().await,
        }
    }
}
