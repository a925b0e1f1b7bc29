//! A connection to either database, for one piece of work.

#[cfg(feature = "sqlite")]
use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};

use super::query::{Query, Row};
#[cfg(feature = "postgres")]
use crate::store::postgres::connections::Lent;

/// A connection, or an open transaction on one. Dropped before [`Connection::commit`], a transaction is
/// rolled back.
pub(in crate::store) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(PoolConnection<Sqlite>),
    #[cfg(feature = "sqlite")]
    SqliteTransaction(sqlx::Transaction<'static, Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Lent),
}

enum Target<'c> {
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut Lent),
}

impl Connection {
    fn target(&mut self) -> Target<'_> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => Target::Sqlite(connection),
            #[cfg(feature = "sqlite")]
            Self::SqliteTransaction(transaction) => Target::Sqlite(transaction),
            #[cfg(feature = "postgres")]
            Self::Postgres(lent) => Target::Postgres(lent),
        }
    }

    /// Runs a statement; returns the number of rows it changed.
    pub(in crate::store) async fn execute(&mut self, query: Query<'_>) -> sqlx::Result<u64> {
        match self.target() {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(connection) => Ok(query.for_sqlite().execute(connection).await?.rows_affected()),
            #[cfg(feature = "postgres")]
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
            #[cfg(feature = "sqlite")]
            Target::Sqlite(connection) => {
                let rows = query.for_sqlite().fetch_all(connection).await?;
                rows.into_iter().map(|row| read(&Row::Sqlite(row))).collect()
            }
            #[cfg(feature = "postgres")]
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
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "sqlite")]
            Self::SqliteTransaction(transaction) => transaction.commit().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(lent) => lent.commit().await,
        }
    }
}
