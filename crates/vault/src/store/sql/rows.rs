//! Rows of the tables as values.

use super::query::Row;
use crate::store::{
    AccountRow, AppRow, AuditRow, AuthorizationRow, DueEvent, EventRow, FullRow, PendingLogin, TokenColumns,
};

/// The columns of a table, under names that are unique in a join.
macro_rules! columns {
    (app) => {
        "app.app_id AS app_id, app.name AS app_name, app.platform, app.region AS app_region, app.app_key, app.secret, \
         app.former_secret, app.redirect_uri, app.sandbox, app.secret_origin, app.created_at AS app_created_at"
    };
    (authorization) => {
        "authorizations.authorization_id AS authorization_id, authorizations.app_id AS authorization_app_id, \
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

/// Selects accounts with their apps and authorizations.
macro_rules! full {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            columns!(account),
            ", ",
            columns!(app),
            ", ",
            columns!(authorization),
            " FROM account JOIN app ON app.app_id = account.app_id \
             JOIN authorizations ON authorizations.authorization_id = account.authorization_id ",
            $rest
        )
    };
}

pub(super) use {columns, full};

pub(super) fn app_row(row: &Row) -> sqlx::Result<AppRow> {
    Ok(AppRow {
        id: row.id("app_id")?,
        name: row.get("app_name")?,
        platform: row.get("platform")?,
        region: row.get("app_region")?,
        app_key: row.get("app_key")?,
        secret: row.get("secret")?,
        former_secret: row.get("former_secret")?,
        redirect_uri: row.get("redirect_uri")?,
        sandbox: row.get("sandbox")?,
        secret_origin: row.get("secret_origin")?,
        created_at: row.get("app_created_at")?,
    })
}

pub(super) fn authorization_row(row: &Row) -> sqlx::Result<AuthorizationRow> {
    Ok(AuthorizationRow {
        id: row.id("authorization_id")?,
        app_id: row.id("authorization_app_id")?,
        region: row.get("authorization_region")?,
        generation: row.get("generation")?,
        tokens: TokenColumns {
            access: row.get("access")?,
            refresh: row.get("refresh")?,
            issued_at: row.get("issued_at")?,
            access_expires_at: row.get("access_expires_at")?,
            refresh_expires_at: row.get("refresh_expires_at")?,
            refresh_denied: row.get("refresh_denied")?,
            identity: row.get::<&str>("identity")?.into(),
            warm_at: row.get("warm_at")?,
            due_at: row.get("due_at")?,
            announced: row.get("announced")?,
        },
        exhausted: row.get("exhausted")?,
        last_success: row.get("last_success")?,
        last_error: row.get("last_error")?,
        last_error_at: row.get("last_error_at")?,
        attempts: row.get("attempts")?,
        not_before: row.get("not_before")?,
        lease_owner: row.get("lease_owner")?,
        lease_until: row.get("lease_until")?,
        refreshing_since: row.get("refreshing_since")?,
        interrupted_since: row.get("interrupted_since")?,
        last_used: row.get("last_used")?,
        postpone_after: row.get("postpone_after")?,
        blocked: row.get("blocked")?,
    })
}

pub(super) fn account_row(row: &Row) -> sqlx::Result<AccountRow> {
    Ok(AccountRow {
        id: row.id("account_id")?,
        name: row.get("name")?,
        app_id: row.id("account_app_id")?,
        authorization_id: row.id("account_authorization_id")?,
        login: row.get("login")?,
        shop_id: row.get("shop_id")?,
        country: row.get("country")?,
        region: row.get("account_region")?,
        // A damaged list is an empty one, since nothing depends on it.
        tags: serde_json::from_str(row.get("tags")?).unwrap_or_default(),
        created_at: row.get("account_created_at")?,
    })
}

pub(super) fn full_row(row: &Row) -> sqlx::Result<FullRow> {
    Ok(FullRow { account: account_row(row)?, app: app_row(row)?, authorization: authorization_row(row)? })
}

pub(super) fn audit_row(row: &Row) -> sqlx::Result<AuditRow> {
    Ok(AuditRow {
        id: row.id("audit_id")?,
        at: row.get("at")?,
        authorization_id: row.optional_id("authorization_id")?,
        subject: row.get("subject")?,
        action: row.get("action")?,
        succeeded: row.get("succeeded")?,
        detail: row.get("detail")?,
    })
}

pub(super) fn due_event(row: &Row) -> sqlx::Result<DueEvent> {
    Ok(DueEvent {
        event: EventRow {
            id: row.id("event_id")?,
            at: row.get("at")?,
            authorization_id: row.id("authorization_id")?,
            kind: row.get("kind")?,
            payload: row.get("payload")?,
        },
        fence: row.get("lease_fence")?,
        attempts: row.get("attempts")?,
    })
}

pub(super) fn pending_login(row: &Row) -> sqlx::Result<PendingLogin> {
    Ok(PendingLogin {
        state_hash: row.get("state_hash")?,
        app_id: row.id("app_id")?,
        begun_at: row.get("begun_at")?,
        used_at: row.get("used_at")?,
    })
}
