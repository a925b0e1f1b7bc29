//! The tables, and how an older file becomes a newer one. Forward only.

/// Marks a SQLite file as a vault: "SESM".
pub(super) const APPLICATION_ID: i32 = 0x5345_534D;

/// The migrations; entry `n` brings a file from version `n` to `n + 1`. Never edited once released.
pub(super) const MIGRATIONS: &[&str] = &[VERSION_1];

/// The version this program writes.
pub(super) const fn current() -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "a handful of migrations"
    )]
    {
        MIGRATIONS.len() as i32
    }
}

/// Apps, authorisations, accounts; sealed columns are BLOBs, times are milliseconds since 1970.
const VERSION_1: &str = "
CREATE TABLE master_key (
    key_id      BLOB    NOT NULL PRIMARY KEY,
    -- One row for now: a later version may hold two while it rekeys.
    active      INTEGER NOT NULL DEFAULT 1,
    kind        TEXT    NOT NULL,
    params      TEXT    NOT NULL,
    checked     BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX master_key_active ON master_key (active) WHERE active = 1;

CREATE TABLE app (
    app_id       BLOB    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    platform     TEXT    NOT NULL,
    region       TEXT,
    app_key      TEXT    NOT NULL,
    secret       BLOB    NOT NULL,
    redirect_uri TEXT    NOT NULL,
    sandbox      TEXT,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE authorisation (
    authorisation_id   BLOB    NOT NULL PRIMARY KEY,
    app_id             BLOB    NOT NULL REFERENCES app (app_id),
    region             TEXT,
    generation         INTEGER NOT NULL,
    access             BLOB,
    refresh            BLOB,
    issued_at          INTEGER NOT NULL,
    access_expires_at  INTEGER,
    refresh_expires_at INTEGER,
    refresh_denied     INTEGER NOT NULL DEFAULT 0,
    identity           TEXT    NOT NULL,
    exhausted          TEXT,
    last_success       INTEGER,
    last_error         TEXT,
    last_error_at      INTEGER,
    attempts           INTEGER NOT NULL DEFAULT 0,
    not_before         INTEGER,
    lease_owner        TEXT,
    lease_fence        INTEGER NOT NULL DEFAULT 0,
    lease_until        INTEGER,
    refreshing_since   INTEGER,
    interrupted_since  INTEGER,
    spending           BLOB
) STRICT;

CREATE TABLE account (
    account_id       BLOB    NOT NULL PRIMARY KEY,
    name             TEXT    NOT NULL UNIQUE,
    app_id           BLOB    NOT NULL REFERENCES app (app_id),
    authorisation_id BLOB    NOT NULL REFERENCES authorisation (authorisation_id),
    login            TEXT,
    shop_id          TEXT,
    country          TEXT,
    region           TEXT,
    created_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX account_of_app ON account (app_id);
CREATE INDEX account_of_authorisation ON account (authorisation_id);

CREATE TABLE pending_login (
    state_hash BLOB    NOT NULL PRIMARY KEY,
    app_id     BLOB    NOT NULL REFERENCES app (app_id),
    begun_at   INTEGER NOT NULL
) STRICT;
";
