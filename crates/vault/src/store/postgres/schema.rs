//! What is in the database, and making the tables.
//!
//! Everything is in the schema `sesame`. The row of `sesame_schema` holds the version, and whoever makes
//! the tables holds that row: many processes may start at once.

use sesame_core::{Error, Result};
use sqlx::{PgConnection, Row as _};

use super::PostgresBackend;
use crate::store::schema::{TABLES, VERSION, check_version};

/// What is in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// Nothing of ours.
    Nothing,
    /// A vault of this version; 0 while it is being made.
    Version(i64),
    /// The schema is another program's.
    Stranger,
    /// Texts are kept in this encoding, which is not UTF-8.
    Encoding(String),
}

impl Found {
    /// Returns `true` for a vault of any version.
    pub(super) fn is_vault(&self) -> bool {
        matches!(self, Self::Version(1..))
    }
}

impl PostgresBackend {
    /// Looks what is in the database.
    pub(in crate::store) async fn find(&self) -> sqlx::Result<Found> {
        let mut lent = self.connections.take().await?;
        let found = look(lent.connection()).await;
        lent.answered(found)
    }

    /// Returns `false` if the vault is there already.
    pub(in crate::store) fn is_to_be_made(&self, found: Found) -> Result<bool> {
        let place = self.place();
        match found {
            Found::Nothing | Found::Version(0) => Ok(true),
            Found::Version(version) => {
                let aside = "Rename it (ALTER SCHEMA sesame RENAME TO sesame_old)";
                check_version(place, version, aside).map(|()| false)
            }
            Found::Stranger => Err(Error::local(format!(
                "the schema \"sesame\" of the database {place} is another program's, not a vault"
            ))
            .with_hint("Name another database in SESAME_VAULT. Nothing was changed.")),
            Found::Encoding(encoding) => Err(Error::local(format!(
                "the database {place} has the encoding {encoding}, and a vault needs UTF8"
            ))
            .with_hint(
                "Make another: createdb --encoding=UTF8 --template=template0 NAME. Nothing was changed.",
            )),
        }
    }

    /// Makes the tables, unless another process did so meanwhile.
    pub(in crate::store) async fn make(&self) -> sqlx::Result<()> {
        let mut lent = self.connections.take().await?;
        let made = async {
            let connection = lent.connection();
            if look(connection).await? == Found::Nothing {
                make_foundation(connection).await?;
            }
            sqlx::raw_sql("BEGIN; SET LOCAL statement_timeout = '9min'; SET LOCAL lock_timeout = '1min'")
                .execute(&mut *connection)
                .await?;
            sqlx::query("INSERT INTO sesame_schema (whole, version) VALUES (TRUE, 0) ON CONFLICT DO NOTHING")
                .execute(&mut *connection)
                .await?;
            // Read again under the lock: another process may have made them meanwhile.
            let version: i64 = sqlx::query("SELECT version FROM sesame_schema FOR UPDATE")
                .fetch_one(&mut *connection)
                .await?
                .try_get(0)?;
            if version == 0 {
                sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
                // Room is left on its pages: leases are written without touching an index.
                sqlx::raw_sql("ALTER TABLE authorizations SET (fillfactor = 70)")
                    .execute(&mut *connection)
                    .await?;
                sqlx::query("UPDATE sesame_schema SET version = $1")
                    .bind(VERSION)
                    .execute(&mut *connection)
                    .await?;
            }
            sqlx::raw_sql("COMMIT").execute(connection).await
        };
        let made = made.await;
        // Not given back after an error: it may be in a transaction.
        if made.is_ok() { lent.answered(made).map(|_| ()) } else { made.map(|_| ()) }?;
        Ok(())
    }
}

/// Makes the schema, unless somebody with more rights made it for us, and the row that is locked.
async fn make_foundation(connection: &mut PgConnection) -> sqlx::Result<()> {
    let exists = sqlx::query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'sesame'")
        .fetch_optional(&mut *connection)
        .await?
        .is_some();
    let table = "CREATE TABLE sesame.sesame_schema \
                 (whole BOOLEAN NOT NULL PRIMARY KEY CHECK (whole), version BIGINT NOT NULL)";
    for statement in ["CREATE SCHEMA sesame", table].into_iter().skip(usize::from(exists)) {
        match sqlx::raw_sql(statement).execute(&mut *connection).await {
            // Two that begin at once: one of them loses, and finds what it wanted.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("42P06" | "42P07" | "42710" | "23505")) => {}
            done => {
                done?;
            }
        }
    }
    Ok(())
}

async fn look(connection: &mut PgConnection) -> sqlx::Result<Found> {
    let about = sqlx::query(
        "SELECT count(*) FILTER (WHERE relname = 'sesame_schema') AS ours, count(*) AS tables, \
         pg_catalog.current_setting('server_encoding') AS encoding \
         FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE nspname = 'sesame' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (ours, tables, encoding): (i64, i64, String) =
        (about.try_get(0)?, about.try_get(1)?, about.try_get(2)?);
    if encoding != "UTF8" {
        return Ok(Found::Encoding(encoding));
    }
    if ours == 0 {
        return Ok(if tables == 0 { Found::Nothing } else { Found::Stranger });
    }
    match sqlx::query("SELECT version FROM sesame.sesame_schema WHERE whole").fetch_optional(connection).await
    {
        Ok(Some(row)) => row.try_get(0).map(Found::Version),
        Ok(None) => Ok(Found::Version(0)),
        // No such column: it is no table of ours.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42703") => Ok(Found::Stranger),
        Err(error) => Err(error),
    }
}
