//! The tables, and how an older file becomes a newer one. Forward only.

/// Marks a SQLite file as a vault: "SESM".
pub(super) const APPLICATION_ID: i32 = 0x5345_534D;

/// The migrations; entry `n` brings a file from version `n` to `n + 1`. Never edited once released.
pub(super) const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4];

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

/// Apps, authorizations, accounts; sealed columns are BLOBs, times are milliseconds since 1970.
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

CREATE TABLE authorizations (
    authorization_id   BLOB    NOT NULL PRIMARY KEY,
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
    authorization_id BLOB    NOT NULL REFERENCES authorizations (authorization_id),
    login            TEXT,
    shop_id          TEXT,
    country          TEXT,
    region           TEXT,
    created_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX account_of_app ON account (app_id);
CREATE INDEX account_of_authorization ON account (authorization_id);

CREATE TABLE pending_login (
    state_hash BLOB    NOT NULL PRIMARY KEY,
    app_id     BLOB    NOT NULL REFERENCES app (app_id),
    begun_at   INTEGER NOT NULL
) STRICT;
";

/// What the keeper, the rekeying, the audit trail and the warnings need.
const VERSION_2: &str = "
-- 0 retired, 1 active, 2 incoming.
ALTER TABLE master_key RENAME COLUMN active TO state;
ALTER TABLE master_key ADD COLUMN wrapped BLOB;
CREATE UNIQUE INDEX master_key_incoming ON master_key (state) WHERE state = 2;

ALTER TABLE app ADD COLUMN secret_origin TEXT;

ALTER TABLE account ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';

ALTER TABLE authorizations ADD COLUMN last_used INTEGER;
ALTER TABLE authorizations ADD COLUMN postpone_after INTEGER;
ALTER TABLE authorizations ADD COLUMN warm_at INTEGER;
ALTER TABLE authorizations ADD COLUMN due_at INTEGER;
ALTER TABLE authorizations ADD COLUMN announced INTEGER;
-- Nobody has planned these yet: the first keeper does.
UPDATE authorizations SET due_at = 0 WHERE exhausted IS NULL;
-- With the name: a claim asks for it, and need not look at the account.
DROP INDEX account_of_authorization;
CREATE INDEX account_of_authorization ON account (authorization_id, name);
CREATE INDEX authorization_due ON authorizations (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE audit (
    audit_id         BLOB    NOT NULL PRIMARY KEY,
    at               INTEGER NOT NULL,
    authorization_id BLOB,
    subject          TEXT    NOT NULL,
    action           TEXT    NOT NULL,
    succeeded        INTEGER NOT NULL,
    detail           TEXT
) STRICT;
CREATE INDEX audit_of_authorization ON audit (authorization_id, audit_id);
CREATE INDEX audit_by_time ON audit (at);

CREATE TABLE event (
    event_id         BLOB    NOT NULL PRIMARY KEY,
    at               INTEGER NOT NULL,
    authorization_id BLOB    NOT NULL,
    kind             TEXT    NOT NULL,
    payload          TEXT    NOT NULL,
    -- When a sink took it, how often that failed, and when it is next tried: one that is away holds
    -- up no other.
    hook_at          INTEGER,
    hook_attempts    INTEGER NOT NULL DEFAULT 0,
    hook_next        INTEGER NOT NULL,
    webhook_at       INTEGER,
    webhook_attempts INTEGER NOT NULL DEFAULT 0,
    webhook_next     INTEGER NOT NULL
) STRICT;
CREATE INDEX event_for_hook ON event (at) WHERE hook_at IS NULL;
CREATE INDEX event_for_webhook ON event (at) WHERE webhook_at IS NULL;
";

/// What has been given up, found without reading the rest.
const VERSION_3: &str = "
CREATE INDEX authorization_exhausted ON authorizations (last_error_at) WHERE exhausted IS NOT NULL;
CREATE INDEX event_of_authorization ON event (authorization_id, at);
ALTER TABLE pending_login ADD COLUMN used_at INTEGER;
";

/// Failures that do not pass by themselves, and shops found by their ids without reading all accounts.
const VERSION_4: &str = "
ALTER TABLE authorizations ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX account_of_shop ON account (shop_id) WHERE shop_id IS NOT NULL;
";
