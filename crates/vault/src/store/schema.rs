//! The tables, written once for both databases.

use std::{cmp::Ordering, fmt::Display};

use sesame_core::{Error, Result};

/// The version of the schema. An older or newer vault is refused: those before were never released.
pub(super) const VERSION: i64 = 7;

/// The tables in the types of PostgreSQL; for SQLite they are translated.
///
/// Sealed columns are BYTEA, times are milliseconds since 1970. A row with `due_at` and `lease_*` is work
/// that is handed out under leases; see `sql/claim.rs`.
pub(super) const TABLES: &str = r#"
-- One row, which is compared and set as a whole.
CREATE TABLE master_keys (
    id   BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    -- All of them, as JSON.
    keys TEXT   NOT NULL
);

CREATE TABLE app (
    app_id        BYTEA  NOT NULL PRIMARY KEY,
    name          TEXT COLLATE "C" NOT NULL UNIQUE,
    platform      TEXT   NOT NULL,
    region        TEXT,
    app_key       TEXT   NOT NULL,
    secret        BYTEA  NOT NULL,
    -- The secret before this one, until this one has worked.
    former_secret BYTEA,
    redirect_uri  TEXT   NOT NULL,
    sandbox       TEXT,
    secret_origin TEXT,
    created_at    BIGINT NOT NULL
);

CREATE TABLE authorizations (
    authorization_id   BYTEA   NOT NULL PRIMARY KEY,
    app_id             BYTEA   NOT NULL REFERENCES app (app_id),
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
    blocked            BOOLEAN NOT NULL DEFAULT FALSE,
    not_before         BIGINT,
    refreshing_since   BIGINT,
    interrupted_since  BIGINT,
    spending           BYTEA,
    last_used          BIGINT,
    postpone_after     BIGINT,
    warm_at            BIGINT,
    announced          BIGINT,
    due_at             BIGINT,
    lease_owner        TEXT,
    lease_fence        BIGINT  NOT NULL DEFAULT 0,
    lease_until        BIGINT
);
CREATE INDEX authorization_due ON authorizations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX authorization_exhausted ON authorizations (last_error_at) WHERE exhausted IS NOT NULL;

CREATE TABLE account (
    account_id       BYTEA  NOT NULL PRIMARY KEY,
    name             TEXT COLLATE "C" NOT NULL UNIQUE,
    app_id           BYTEA  NOT NULL REFERENCES app (app_id),
    authorization_id BYTEA  NOT NULL REFERENCES authorizations (authorization_id),
    login            TEXT,
    shop_id          TEXT,
    country          TEXT,
    region           TEXT,
    tags             TEXT   NOT NULL DEFAULT '[]',
    created_at       BIGINT NOT NULL
);
CREATE INDEX account_of_app ON account (app_id);
-- With the name: a claim asks for it, and need not look at the account.
CREATE INDEX account_of_authorization ON account (authorization_id, name);
CREATE INDEX account_of_shop ON account (shop_id) WHERE shop_id IS NOT NULL;

CREATE TABLE pending_login (
    state_hash BYTEA  NOT NULL PRIMARY KEY,
    app_id     BYTEA  NOT NULL REFERENCES app (app_id),
    begun_at   BIGINT NOT NULL,
    used_at    BIGINT
);

CREATE TABLE audit (
    audit_id         BYTEA   NOT NULL PRIMARY KEY,
    at               BIGINT  NOT NULL,
    authorization_id BYTEA,
    subject          TEXT    NOT NULL,
    action           TEXT    NOT NULL,
    succeeded        BOOLEAN NOT NULL,
    detail           TEXT,
    actor            TEXT
);
CREATE INDEX audit_of_authorization ON audit (authorization_id, audit_id);
CREATE INDEX audit_by_time ON audit (at);

-- A row for each event and sink that has not taken it.
CREATE TABLE event (
    event_id         BYTEA  NOT NULL,
    -- 0 the hook, 1 the webhook.
    sink             BIGINT NOT NULL,
    at               BIGINT NOT NULL,
    authorization_id BYTEA  NOT NULL,
    kind             TEXT   NOT NULL,
    payload          TEXT   NOT NULL,
    attempts         BIGINT NOT NULL DEFAULT 0,
    due_at           BIGINT NOT NULL,
    lease_owner      TEXT,
    lease_fence      BIGINT NOT NULL DEFAULT 0,
    lease_until      BIGINT,
    PRIMARY KEY (event_id, sink)
);
CREATE INDEX event_of_sink ON event (sink, at);
CREATE INDEX event_of_authorization ON event (authorization_id, sink, at);
CREATE INDEX event_by_time ON event (at);
"#;

/// Refuses a vault of another version. `aside` says how it is moved out of the way.
pub(super) fn check_version(place: impl Display, version: i64, aside: &str) -> Result<()> {
    let (writer, hint) = match version.cmp(&VERSION) {
        Ordering::Equal => return Ok(()),
        Ordering::Greater => ("a newer Sesame", "Use the newer program".to_owned()),
        Ordering::Less => {
            ("a Sesame before its first release", format!("{aside}, then add the apps and log in again"))
        }
    };
    Err(Error::local(format!(
        "the vault {place} was written by {writer} (its schema is {version}, this program's is {VERSION})"
    ))
    .with_hint(format!("{hint}. Nothing was changed.")))
}

/// Returns the tables in the types of SQLite, all of them STRICT.
#[cfg(feature = "sqlite")]
pub(super) fn for_sqlite() -> String {
    TABLES
        .replace("BYTEA", "BLOB")
        .replace("BIGINT", "INTEGER")
        .replace("BOOLEAN", "INTEGER")
        .replace(" COLLATE \"C\"", "")
        .replace("\n);", "\n) STRICT;")
}
