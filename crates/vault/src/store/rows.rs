//! Rows of a database as values: the same columns by the same names in both.

/// The columns of a table, under names that are told apart in a join.
macro_rules! columns {
    (app) => {
        "app.app_id AS app_id, app.name AS app_name, app.platform, app.region AS app_region, app.app_key, app.secret, \
         app.redirect_uri, app.sandbox, app.secret_origin, app.created_at AS app_created_at"
    };
    (authorization) => {
        "authorizations.authorization_id, authorizations.app_id AS authorization_app_id, \
         authorizations.region AS authorization_region, generation, access, refresh, issued_at, access_expires_at, \
         refresh_expires_at, refresh_denied, identity, exhausted, last_success, last_error, last_error_at, attempts, \
         not_before, lease_owner, lease_until, refreshing_since, interrupted_since, last_used, postpone_after, \
         warm_at, due_at, announced, blocked"
    };
    (account) => {
        "account.account_id, account.name, account.app_id AS account_app_id, \
         account.authorization_id AS account_authorization_id, login, shop_id, country, \
         account.region AS account_region, account.tags, account.created_at AS account_created_at"
    };
}

/// Selects accounts with all that belongs to them; `$schema` stands before the names of tables.
macro_rules! full {
    ($schema:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            columns!(account),
            ", ",
            columns!(app),
            ", ",
            columns!(authorization),
            " FROM ",
            $schema,
            "account JOIN ",
            $schema,
            "app ON app.app_id = account.app_id JOIN ",
            $schema,
            "authorizations ON authorizations.authorization_id = account.authorization_id ",
            $rest
        )
    };
}

/// Makes the functions that read one kind of database row.
macro_rules! readers {
    ($row:ty) => {
        use sqlx::Row as _;

        use crate::{
            Id,
            store::{
                AccountRow, AppRow, AuditRow, AuthorizationRow, EventRow, FullRow, KeyRow, KeyState,
                TokenColumns,
            },
        };

        pub(super) fn id(row: &$row, column: &str) -> sqlx::Result<Id> {
            let bytes: &[u8] = row.try_get(column)?;
            Id::from_slice(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))
        }

        pub(super) fn app_row(row: &$row) -> sqlx::Result<AppRow> {
            Ok(AppRow {
                id: id(row, "app_id")?,
                name: row.try_get("app_name")?,
                platform: row.try_get("platform")?,
                region: row.try_get("app_region")?,
                app_key: row.try_get("app_key")?,
                secret: row.try_get("secret")?,
                redirect_uri: row.try_get("redirect_uri")?,
                sandbox: row.try_get("sandbox")?,
                secret_origin: row.try_get("secret_origin")?,
                created_at: row.try_get("app_created_at")?,
            })
        }

        pub(super) fn authorization_row(row: &$row) -> sqlx::Result<AuthorizationRow> {
            Ok(AuthorizationRow {
                id: id(row, "authorization_id")?,
                app_id: id(row, "authorization_app_id")?,
                region: row.try_get("authorization_region")?,
                generation: row.try_get("generation")?,
                tokens: TokenColumns {
                    access: row.try_get("access")?,
                    refresh: row.try_get("refresh")?,
                    issued_at: row.try_get("issued_at")?,
                    access_expires_at: row.try_get("access_expires_at")?,
                    refresh_expires_at: row.try_get("refresh_expires_at")?,
                    refresh_denied: row.try_get("refresh_denied")?,
                    identity: row.try_get("identity")?,
                    warm_at: row.try_get("warm_at")?,
                    due_at: row.try_get("due_at")?,
                    announced: row.try_get("announced")?,
                },
                exhausted: row.try_get("exhausted")?,
                last_success: row.try_get("last_success")?,
                last_error: row.try_get("last_error")?,
                last_error_at: row.try_get("last_error_at")?,
                attempts: row.try_get("attempts")?,
                not_before: row.try_get("not_before")?,
                lease_owner: row.try_get("lease_owner")?,
                lease_until: row.try_get("lease_until")?,
                refreshing_since: row.try_get("refreshing_since")?,
                interrupted_since: row.try_get("interrupted_since")?,
                last_used: row.try_get("last_used")?,
                postpone_after: row.try_get("postpone_after")?,
                blocked: row.try_get("blocked")?,
            })
        }

        pub(super) fn full_row(row: &$row) -> sqlx::Result<FullRow> {
            Ok(FullRow {
                account: AccountRow {
                    id: id(row, "account_id")?,
                    name: row.try_get("name")?,
                    app_id: id(row, "account_app_id")?,
                    authorization_id: id(row, "account_authorization_id")?,
                    login: row.try_get("login")?,
                    shop_id: row.try_get("shop_id")?,
                    country: row.try_get("country")?,
                    region: row.try_get("account_region")?,
                    tags: crate::store::rows::tags(row.try_get("tags")?),
                    created_at: row.try_get("account_created_at")?,
                },
                app: app_row(row)?,
                authorization: authorization_row(row)?,
            })
        }

        pub(super) fn key_row(row: &$row) -> sqlx::Result<KeyRow> {
            Ok(KeyRow {
                key_id: row.try_get("key_id")?,
                state: KeyState::from_code(row.try_get("state")?),
                wrapped: row.try_get("wrapped")?,
                kind: row.try_get("kind")?,
                params: row.try_get("params")?,
                check: row.try_get("checked")?,
                created_at: row.try_get("created_at")?,
            })
        }

        pub(super) fn audit_row(row: &$row) -> sqlx::Result<AuditRow> {
            let of: Option<&[u8]> = row.try_get("authorization_id")?;
            Ok(AuditRow {
                id: id(row, "audit_id")?,
                at: row.try_get("at")?,
                authorization_id: of
                    .map(Id::from_slice)
                    .transpose()
                    .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
                subject: row.try_get("subject")?,
                action: row.try_get("action")?,
                succeeded: row.try_get("succeeded")?,
                detail: row.try_get("detail")?,
            })
        }

        pub(super) fn event_row(row: &$row) -> sqlx::Result<EventRow> {
            Ok(EventRow {
                id: id(row, "event_id")?,
                at: row.try_get("at")?,
                authorization_id: id(row, "authorization_id")?,
                kind: row.try_get("kind")?,
                payload: row.try_get("payload")?,
                hook_at: row.try_get("hook_at")?,
                webhook_at: row.try_get("webhook_at")?,
                attempts: row.try_get("attempts")?,
            })
        }
    };
}

/// Tags are a list in JSON; a damaged list is none, since nothing depends on it.
pub(super) fn tags(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) use {columns, full, readers};
