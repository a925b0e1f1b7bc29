//! Apps, accounts, and logins that wait.

use sqlx::{Row as _, SqliteConnection};

use super::{
    SqliteStore,
    notes::insert_notes,
    rows::{app_row, full_row, id},
};
use crate::{
    Id,
    store::{
        AccountRow, AppRow, AuthorizationRow, FullRow, NewRows, Notes, PendingLogin, Sealed,
        rows::{columns, full},
    },
};

fn is_name_taken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}

/// True when it was done, false when a name was taken.
fn unless_taken(done: sqlx::Result<()>) -> sqlx::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if is_name_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

impl SqliteStore {
    pub(super) async fn all_apps(&self) -> sqlx::Result<Vec<AppRow>> {
        let rows =
            sqlx::query(concat!("SELECT ", columns!(app), " FROM app ORDER BY app.created_at, app.name"))
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(app_row).collect()
    }

    pub(super) async fn find_app(&self, name: &str) -> sqlx::Result<Option<AppRow>> {
        let row = sqlx::query(concat!("SELECT ", columns!(app), " FROM app WHERE app.name = ?1"))
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(app_row).transpose()
    }

    pub(super) async fn change_secret(
        &self,
        former: &Sealed,
        new: &[u8],
        origin: Option<&str>,
        notes: &Notes,
    ) -> sqlx::Result<bool> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let done =
            sqlx::query("UPDATE app SET secret = ?3, secret_origin = ?4 WHERE app_id = ?1 AND secret = ?2")
                .bind(former.id.as_bytes().as_slice())
                .bind(&former.bytes)
                .bind(new)
                .bind(origin)
                .execute(&mut *transaction)
                .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn insert(&self, rows: &NewRows, notes: &Notes) -> sqlx::Result<bool> {
        unless_taken(self.insert_rows(rows, notes).await)
    }

    async fn insert_rows(&self, rows: &NewRows, notes: &Notes) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for row in &rows.apps {
            insert_app(&mut transaction, row).await?;
        }
        for row in &rows.authorizations {
            insert_authorization(&mut transaction, row).await?;
        }
        for row in &rows.accounts {
            insert_account(&mut transaction, row).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await
    }

    pub(super) async fn all_accounts(&self) -> sqlx::Result<Vec<FullRow>> {
        let rows =
            sqlx::query(full!("", "ORDER BY account.created_at, account.name")).fetch_all(&self.pool).await?;
        rows.iter().map(full_row).collect()
    }

    pub(super) async fn find_account(&self, name: &str) -> sqlx::Result<Option<FullRow>> {
        let row =
            sqlx::query(full!("", "WHERE account.name = ?1")).bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(full_row).transpose()
    }

    pub(super) async fn accounts_of_authorization(&self, authorization: Id) -> sqlx::Result<Vec<FullRow>> {
        let rows = sqlx::query(full!(
            "",
            "WHERE account.authorization_id = ?1 ORDER BY account.created_at, account.name"
        ))
        .bind(authorization.as_bytes().as_slice())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(full_row).collect()
    }

    pub(super) async fn page_of_accounts(&self, after: Option<Id>, limit: u32) -> sqlx::Result<Vec<FullRow>> {
        let rows =
            sqlx::query(full!("", "WHERE account.account_id > ?1 ORDER BY account.account_id LIMIT ?2"))
                .bind(after.map(|id| id.as_bytes().to_vec()).unwrap_or_default())
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(full_row).collect()
    }

    pub(super) async fn page_of_account_ids(&self, after: Option<Id>, limit: u32) -> sqlx::Result<Vec<Id>> {
        let rows =
            sqlx::query("SELECT account_id FROM account WHERE account_id > ?1 ORDER BY account_id LIMIT ?2")
                .bind(after.map(|id| id.as_bytes().to_vec()).unwrap_or_default())
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(|row| id(row, "account_id")).collect()
    }

    pub(super) async fn find_shop(
        &self,
        app_key: &str,
        shop_id: &str,
        limit: u32,
    ) -> sqlx::Result<Vec<FullRow>> {
        let rows = sqlx::query(full!(
            "",
            "WHERE account.shop_id = ?1 AND app.app_key = ?2 ORDER BY account.account_id LIMIT ?3"
        ))
        .bind(shop_id)
        .bind(app_key)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(full_row).collect()
    }

    pub(super) async fn change_account(
        &self,
        authorization: Option<&AuthorizationRow>,
        row: &AccountRow,
        notes: &Notes,
    ) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(authorization) = authorization {
            insert_authorization(&mut transaction, authorization).await?;
        }
        let former = sqlx::query("SELECT authorization_id FROM account WHERE account_id = ?1")
            .bind(row.id.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE account SET authorization_id = ?2, login = ?3, shop_id = ?4, country = ?5, region = ?6 \
             WHERE account_id = ?1",
        )
        .bind(row.id.as_bytes().as_slice())
        .bind(row.authorization_id.as_bytes().as_slice())
        .bind(&row.login)
        .bind(&row.shop_id)
        .bind(&row.country)
        .bind(&row.region)
        .execute(&mut *transaction)
        .await?;
        if let Some(former) = former {
            let former: Vec<u8> = former.try_get(0)?;
            delete_unused(&mut transaction, &former).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await
    }

    pub(super) async fn change_name(&self, account: Id, name: &str) -> sqlx::Result<bool> {
        let done = sqlx::query("UPDATE account SET name = ?2 WHERE account_id = ?1")
            .bind(account.as_bytes().as_slice())
            .bind(name)
            .execute(&self.pool)
            .await;
        unless_taken(done.map(|_| ()))
    }

    pub(super) async fn change_tags(
        &self,
        account: Id,
        former: &[String],
        tags: &[String],
    ) -> sqlx::Result<bool> {
        let as_json =
            |tags| serde_json::to_string(tags).map_err(|error| sqlx::Error::Encode(Box::new(error)));
        let done = sqlx::query("UPDATE account SET tags = ?3 WHERE account_id = ?1 AND tags = ?2")
            .bind(account.as_bytes().as_slice())
            .bind(as_json(former)?)
            .bind(as_json(tags)?)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(super) async fn delete_account(&self, account: Id, notes: &Notes) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let removed = sqlx::query("DELETE FROM account WHERE account_id = ?1 RETURNING authorization_id")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = removed {
            let authorization: Vec<u8> = row.try_get(0)?;
            delete_unused(&mut transaction, &authorization).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await
    }

    pub(super) async fn insert_login(&self, login: PendingLogin, forget_before: i64) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM pending_login WHERE begun_at < ?1")
            .bind(forget_before)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO pending_login (state_hash, app_id, begun_at) VALUES (?1, ?2, ?3)")
            .bind(&login.state_hash)
            .bind(login.app_id.as_bytes().as_slice())
            .bind(login.begun_at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    pub(super) async fn find_login(&self, state_hash: &[u8]) -> sqlx::Result<Option<PendingLogin>> {
        let row = sqlx::query(
            "SELECT state_hash, app_id, begun_at, used_at FROM pending_login WHERE state_hash = ?1",
        )
        .bind(state_hash)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(PendingLogin {
                state_hash: row.try_get("state_hash")?,
                app_id: id(&row, "app_id")?,
                begun_at: row.try_get("begun_at")?,
                used_at: row.try_get("used_at")?,
            })
        })
        .transpose()
    }

    pub(super) async fn mark_login(&self, state_hash: &[u8], at: i64) -> sqlx::Result<()> {
        sqlx::query("UPDATE pending_login SET used_at = ?2 WHERE state_hash = ?1")
            .bind(state_hash)
            .bind(at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

async fn insert_app(connection: &mut SqliteConnection, row: &AppRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO app (app_id, name, platform, region, app_key, secret, redirect_uri, sandbox, secret_origin, \
         created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
    .bind(row.id.as_bytes().as_slice())
    .bind(&row.name)
    .bind(&row.platform)
    .bind(&row.region)
    .bind(&row.app_key)
    .bind(&row.secret)
    .bind(&row.redirect_uri)
    .bind(&row.sandbox)
    .bind(&row.secret_origin)
    .bind(row.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_account(connection: &mut SqliteConnection, row: &AccountRow) -> sqlx::Result<()> {
    let tags = serde_json::to_string(&row.tags).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(
        "INSERT INTO account (account_id, name, app_id, authorization_id, login, shop_id, country, region, tags, \
         created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
    .bind(row.id.as_bytes().as_slice())
    .bind(&row.name)
    .bind(row.app_id.as_bytes().as_slice())
    .bind(row.authorization_id.as_bytes().as_slice())
    .bind(&row.login)
    .bind(&row.shop_id)
    .bind(&row.country)
    .bind(&row.region)
    .bind(tags)
    .bind(row.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_authorization(connection: &mut SqliteConnection, row: &AuthorizationRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO authorizations (authorization_id, app_id, region, generation, access, refresh, issued_at, \
         access_expires_at, refresh_expires_at, refresh_denied, identity, last_success, last_used, warm_at, due_at, \
         announced, exhausted, last_error, last_error_at, attempts, not_before, refreshing_since, \
         interrupted_since, postpone_after) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
         ?22, ?23, ?24)",
    )
    .bind(row.id.as_bytes().as_slice())
    .bind(row.app_id.as_bytes().as_slice())
    .bind(&row.region)
    .bind(row.generation)
    .bind(&row.tokens.access)
    .bind(&row.tokens.refresh)
    .bind(row.tokens.issued_at)
    .bind(row.tokens.access_expires_at)
    .bind(row.tokens.refresh_expires_at)
    .bind(i64::from(row.tokens.refresh_denied))
    .bind(&row.tokens.identity)
    .bind(row.last_success)
    .bind(row.last_used)
    .bind(row.tokens.warm_at)
    .bind(row.tokens.due_at)
    .bind(row.tokens.announced)
    .bind(&row.exhausted)
    .bind(&row.last_error)
    .bind(row.last_error_at)
    .bind(row.attempts)
    .bind(row.not_before)
    .bind(row.refreshing_since)
    .bind(row.interrupted_since)
    .bind(row.postpone_after)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an authorization that no account uses any more.
async fn delete_unused(connection: &mut SqliteConnection, authorization: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM authorizations WHERE authorization_id = ?1 \
         AND NOT EXISTS (SELECT 1 FROM account WHERE authorization_id = ?1)",
    )
    .bind(authorization)
    .execute(connection)
    .await?;
    Ok(())
}
