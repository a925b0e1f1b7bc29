//! The tables, and how older ones become newer ones. Forward only.
//!
//! Everything is in a schema of its own. The row of `sesame_schema` holds the version, and who wants
//! to change the tables holds that row: many processes may start at once.

use sesame_core::{Error, Result};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::{Outcome, PostgresStore, WORKING_LONG};

/// The migrations; entry `n` brings a database from version `n` to `n + 1`. Never edited once released.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3];

/// The version this program writes.
const CURRENT: i64 = {
    #[expect(clippy::cast_possible_wrap, reason = "a handful of migrations")]
    {
        MIGRATIONS.len() as i64
    }
};

/// What is in the database.
enum Found {
    /// Nothing of ours.
    Nothing,
    /// A vault of this version; 0 when it is just being made.
    Version(i64),
    /// The schema is another program's.
    Stranger,
}

impl PostgresStore {
    /// Returns the version of the vault that is there.
    pub(super) async fn version(&self) -> Outcome<Option<i64>> {
        Ok(match self.find().await? {
            Found::Version(version) if version > 0 => Some(version),
            _ => None,
        })
    }

    async fn find(&self) -> Outcome<Found> {
        let mut lent = self.take().await?;
        let found = look(&mut lent.connection).await?;
        lent.give_back();
        Ok(found)
    }

    pub(super) async fn migrate(&self) -> Result<()> {
        let found = self.run(|| self.find()).await?;
        let place = self.0.database.place();
        match found {
            Found::Version(CURRENT) => Ok(()),
            Found::Version(version) if version > CURRENT => Err(Error::local(format!(
                "the vault {place} was written by a newer Sesame (its schema is {version}, this program knows {CURRENT})"
            ))
            .with_hint("Use the newer program. Nothing was changed.")),
            Found::Stranger => Err(Error::local(format!(
                "the schema \"sesame\" of the database {place} is another program's, not a vault"
            ))
            .with_hint("Name another database in SESAME_VAULT. Nothing was changed.")),
            Found::Nothing | Found::Version(_) => self.run_for(WORKING_LONG, || self.upgrade()).await,
        }
    }

    async fn upgrade(&self) -> Outcome<()> {
        let mut lent = self.take().await?;
        if let Found::Nothing = look(&mut lent.connection).await? {
            make_foundation(&mut lent.connection).await?;
        }
        let mut transaction = lent.connection.begin().await?;
        sqlx::raw_sql("SET LOCAL statement_timeout = '9min'; SET LOCAL lock_timeout = '1min'")
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO sesame.sesame_schema (whole, version) VALUES (TRUE, 0) ON CONFLICT DO NOTHING",
        )
        .execute(&mut *transaction)
        .await?;
        // Read again under the lock: another process may have done the work meanwhile.
        let version: i64 = sqlx::query("SELECT version FROM sesame.sesame_schema FOR UPDATE")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        let done = usize::try_from(version).unwrap_or(usize::MAX);
        for migration in MIGRATIONS.iter().skip(done) {
            sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        }
        if done < MIGRATIONS.len() {
            sqlx::query("UPDATE sesame.sesame_schema SET version = $1")
                .bind(CURRENT)
                .execute(&mut *transaction)
                .await?;
            tracing::debug!(from = version, to = CURRENT, "vault schema brought up to date");
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }
}

/// Makes the schema, unless somebody with more rights made it for us, and the row that is locked.
async fn make_foundation(connection: &mut PgConnection) -> sqlx::Result<()> {
    let stands = sqlx::query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'sesame'")
        .fetch_optional(&mut *connection)
        .await?
        .is_some();
    let table = "CREATE TABLE sesame.sesame_schema \
                 (whole BOOLEAN NOT NULL PRIMARY KEY CHECK (whole), version BIGINT NOT NULL)";
    for statement in ["CREATE SCHEMA sesame", table].into_iter().skip(usize::from(stands)) {
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
        "SELECT count(*) FILTER (WHERE relname = 'sesame_schema') AS ours, count(*) AS tables \
         FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE nspname = 'sesame' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (ours, tables): (i64, i64) = (about.try_get(0)?, about.try_get(1)?);
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

/// Apps, authorizations, accounts, keys, audit trail, events; sealed columns are BYTEA, times are
/// milliseconds since 1970. Room is left on the pages of `authorization`: its leases are written
/// without touching an index.
const VERSION_1: &str = r#"
CREATE TABLE sesame.master_key (
    key_id     BYTEA  NOT NULL PRIMARY KEY,
    -- 0 retired, 1 active, 2 incoming.
    state      BIGINT NOT NULL DEFAULT 1,
    wrapped    BYTEA,
    kind       TEXT   NOT NULL,
    params     TEXT   NOT NULL,
    checked    BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX master_key_active ON sesame.master_key (state) WHERE state = 1;
CREATE UNIQUE INDEX master_key_incoming ON sesame.master_key (state) WHERE state = 2;

CREATE TABLE sesame.app (
    app_id        BYTEA  NOT NULL PRIMARY KEY,
    name          TEXT COLLATE "C" NOT NULL UNIQUE,
    platform      TEXT   NOT NULL,
    region        TEXT,
    app_key       TEXT   NOT NULL,
    secret        BYTEA  NOT NULL,
    redirect_uri  TEXT   NOT NULL,
    sandbox       TEXT,
    secret_origin TEXT,
    created_at    BIGINT NOT NULL
);

CREATE TABLE sesame.authorizations (
    authorization_id   BYTEA   NOT NULL PRIMARY KEY,
    app_id             BYTEA   NOT NULL REFERENCES sesame.app (app_id),
    region             TEXT,
    generation         BIGINT  NOT NULL,
    access             BYTEA,
    refresh            BYTEA,
    issued_at          BIGINT  NOT NULL,
    access_expires_at  BIGINT,
    refresh_expires_at BIGINT,
    refresh_denied     BOOLEAN NOT NULL DEFAULT FALSE,
    identity           TEXT    NOT NULL,
    exhausted          TEXT,
    last_success       BIGINT,
    last_error         TEXT,
    last_error_at      BIGINT,
    attempts           BIGINT  NOT NULL DEFAULT 0,
    not_before         BIGINT,
    lease_owner        TEXT,
    lease_fence        BIGINT  NOT NULL DEFAULT 0,
    lease_until        BIGINT,
    refreshing_since   BIGINT,
    interrupted_since  BIGINT,
    spending           BYTEA,
    last_used          BIGINT,
    postpone_after     BIGINT,
    warm_at            BIGINT,
    due_at             BIGINT,
    announced          BIGINT
) WITH (fillfactor = 70);
CREATE INDEX authorization_due ON sesame.authorizations (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE sesame.account (
    account_id       BYTEA  NOT NULL PRIMARY KEY,
    name             TEXT COLLATE "C" NOT NULL UNIQUE,
    app_id           BYTEA  NOT NULL REFERENCES sesame.app (app_id),
    authorization_id BYTEA  NOT NULL REFERENCES sesame.authorizations (authorization_id),
    login            TEXT,
    shop_id          TEXT,
    country          TEXT,
    region           TEXT,
    tags             TEXT   NOT NULL DEFAULT '[]',
    created_at       BIGINT NOT NULL
);
CREATE INDEX account_of_app ON sesame.account (app_id);
CREATE INDEX account_of_authorization ON sesame.account (authorization_id);

CREATE TABLE sesame.pending_login (
    state_hash BYTEA  NOT NULL PRIMARY KEY,
    app_id     BYTEA  NOT NULL REFERENCES sesame.app (app_id),
    begun_at   BIGINT NOT NULL
);

CREATE TABLE sesame.audit (
    audit_id         BYTEA   NOT NULL PRIMARY KEY,
    at               BIGINT  NOT NULL,
    authorization_id BYTEA,
    subject          TEXT    NOT NULL,
    action           TEXT    NOT NULL,
    succeeded        BOOLEAN NOT NULL,
    detail           TEXT
);
CREATE INDEX audit_of_authorization ON sesame.audit (authorization_id, audit_id);
CREATE INDEX audit_by_time ON sesame.audit (at);

CREATE TABLE sesame.event (
    event_id         BYTEA  NOT NULL PRIMARY KEY,
    at               BIGINT NOT NULL,
    authorization_id BYTEA  NOT NULL,
    kind             TEXT   NOT NULL,
    payload          TEXT   NOT NULL,
    -- When a sink took it, how often that failed, and when it is next tried: one that is away holds
    -- up no other.
    hook_at          BIGINT,
    hook_attempts    BIGINT NOT NULL DEFAULT 0,
    hook_next        BIGINT NOT NULL,
    webhook_at       BIGINT,
    webhook_attempts BIGINT NOT NULL DEFAULT 0,
    webhook_next     BIGINT NOT NULL
);
CREATE INDEX event_for_hook ON sesame.event (at) WHERE hook_at IS NULL;
CREATE INDEX event_for_webhook ON sesame.event (at) WHERE webhook_at IS NULL;
"#;

/// What has been given up, found without reading the rest.
const VERSION_2: &str = "
CREATE INDEX authorization_exhausted ON sesame.authorizations (last_error_at) WHERE exhausted IS NOT NULL;
CREATE INDEX event_of_authorization ON sesame.event (authorization_id, at);
ALTER TABLE sesame.pending_login ADD COLUMN used_at BIGINT;
";

/// Failures that do not pass by themselves, and shops found by their ids without reading all accounts.
const VERSION_3: &str = "
ALTER TABLE sesame.authorizations ADD COLUMN blocked BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX account_of_shop ON sesame.account (shop_id) WHERE shop_id IS NOT NULL;
";
