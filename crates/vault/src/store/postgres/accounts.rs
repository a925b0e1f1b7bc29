//! Apps, accounts, and logins that wait.

use sqlx::{Connection as _, PgConnection, Row as _};

use super::{
    Outcome, PostgresStore,
    notes::{bytes, insert_notes},
    rows::{app_row, full_row, id},
    some_text, text, unless_taken,
};
use crate::{
    Id,
    store::{
        AccountRow, AppRow, AuthorizationRow, FullRow, NewRows, Notes, PendingLogin, Sealed,
        rows::{columns, full},
    },
};

impl PostgresStore {
    pub(super) async fn all_apps(&self) -> Outcome<Vec<AppRow>> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(concat!(
            "SELECT ",
            columns!(app),
            " FROM sesame.app ORDER BY app.created_at, app.name"
        ))
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(rows.iter().map(app_row).collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn find_app(&self, name: &str) -> Outcome<Option<AppRow>> {
        let mut lent = self.take().await?;
        let row = sqlx::query(concat!("SELECT ", columns!(app), " FROM sesame.app WHERE app.name = $1"))
            .bind(text(name))
            .fetch_optional(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(row.as_ref().map(app_row).transpose()?)
    }

    pub(super) async fn change_secret(
        &self,
        former: &Sealed,
        new: &[u8],
        origin: Option<&str>,
        notes: &Notes,
    ) -> Outcome<bool> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        let done = sqlx::query(
            "UPDATE sesame.app SET secret = $3, secret_origin = $4 WHERE app_id = $1 AND secret = $2",
        )
        .bind(former.id.as_bytes().as_slice())
        .bind(&former.bytes)
        .bind(new)
        .bind(origin)
        .execute(&mut *transaction)
        .await?;
        let is_done = done.rows_affected() > 0;
        if is_done {
            insert_notes(&mut transaction, notes).await?;
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(is_done)
    }

    pub(super) async fn insert(&self, rows: &NewRows, notes: &Notes) -> Outcome<bool> {
        unless_taken(self.insert_rows(rows, notes).await)
    }

    async fn insert_rows(&self, rows: &NewRows, notes: &Notes) -> Outcome<()> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        for row in &rows.apps {
            insert_app(&mut transaction, row).await?;
        }
        for some in rows.authorizations.chunks(PIECE) {
            insert_authorizations(&mut transaction, some).await?;
        }
        for some in rows.accounts.chunks(PIECE) {
            insert_accounts(&mut transaction, some).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn all_accounts(&self) -> Outcome<Vec<FullRow>> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(full!("sesame.", "ORDER BY account.created_at, account.name"))
            .fetch_all(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(rows.iter().map(full_row).collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn find_account(&self, name: &str) -> Outcome<Option<FullRow>> {
        let mut lent = self.take().await?;
        let row = sqlx::query(full!("sesame.", "WHERE account.name = $1"))
            .bind(text(name))
            .fetch_optional(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(row.as_ref().map(full_row).transpose()?)
    }

    pub(super) async fn accounts_of_authorization(&self, authorization: Id) -> Outcome<Vec<FullRow>> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(full!(
            "sesame.",
            "WHERE account.authorization_id = $1 ORDER BY account.created_at, account.name"
        ))
        .bind(bytes(authorization))
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(rows.iter().map(full_row).collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn page_of_accounts(&self, after: Option<Id>, limit: u32) -> Outcome<Vec<FullRow>> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(full!(
            "sesame.",
            "WHERE account.account_id > $1 ORDER BY account.account_id LIMIT $2"
        ))
        .bind(after.map(bytes).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(rows.iter().map(full_row).collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn page_of_account_ids(&self, after: Option<Id>, limit: u32) -> Outcome<Vec<Id>> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(
            "SELECT account_id FROM sesame.account WHERE account_id > $1 ORDER BY account_id LIMIT $2",
        )
        .bind(after.map(bytes).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(rows.iter().map(|row| id(row, "account_id")).collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn find_shop(&self, app_key: &str, shop_id: &str, limit: u32) -> Outcome<Vec<FullRow>> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(full!(
            "sesame.",
            "WHERE account.shop_id = $1 AND app.app_key = $2 ORDER BY account.account_id LIMIT $3"
        ))
        .bind(text(shop_id))
        .bind(text(app_key))
        .bind(i64::from(limit))
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(rows.iter().map(full_row).collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn change_account(
        &self,
        authorization: Option<&AuthorizationRow>,
        row: &AccountRow,
        notes: &Notes,
    ) -> Outcome<()> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        if let Some(authorization) = authorization {
            insert_authorizations(&mut transaction, std::slice::from_ref(authorization)).await?;
        }
        // Held until the end: what it pointed to must not change in between.
        let former =
            sqlx::query("SELECT authorization_id FROM sesame.account WHERE account_id = $1 FOR UPDATE")
                .bind(bytes(row.id))
                .fetch_optional(&mut *transaction)
                .await?;
        sqlx::query(
            "UPDATE sesame.account SET authorization_id = $2, login = $3, shop_id = $4, country = $5, region = $6 \
             WHERE account_id = $1",
        )
        .bind(bytes(row.id))
        .bind(bytes(row.authorization_id))
        .bind(some_text(row.login.as_deref()))
        .bind(some_text(row.shop_id.as_deref()))
        .bind(some_text(row.country.as_deref()))
        .bind(some_text(row.region.as_deref()))
        .execute(&mut *transaction)
        .await?;
        if let Some(former) = former {
            let former: Vec<u8> = former.try_get(0)?;
            delete_unused(&mut transaction, &former).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn change_name(&self, account: Id, name: &str) -> Outcome<bool> {
        unless_taken(self.write_name(account, name).await)
    }

    async fn write_name(&self, account: Id, name: &str) -> Outcome<()> {
        let mut lent = self.take().await?;
        sqlx::query("UPDATE sesame.account SET name = $2 WHERE account_id = $1")
            .bind(bytes(account))
            .bind(text(name))
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn change_tags(&self, account: Id, former: &[String], tags: &[String]) -> Outcome<bool> {
        let mut lent = self.take().await?;
        let done = sqlx::query("UPDATE sesame.account SET tags = $3 WHERE account_id = $1 AND tags = $2")
            .bind(bytes(account))
            .bind(as_json(former)?)
            .bind(as_json(tags)?)
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(done.rows_affected() == 1)
    }

    pub(super) async fn delete_account(&self, account: Id, notes: &Notes) -> Outcome<()> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        let removed =
            sqlx::query("DELETE FROM sesame.account WHERE account_id = $1 RETURNING authorization_id")
                .bind(bytes(account))
                .fetch_optional(&mut *transaction)
                .await?;
        if let Some(row) = removed {
            let authorization: Vec<u8> = row.try_get(0)?;
            delete_unused(&mut transaction, &authorization).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn insert_login(&self, login: PendingLogin, forget_before: i64) -> Outcome<()> {
        let mut lent = self.take().await?;
        sqlx::query(
            "WITH forgotten AS (DELETE FROM sesame.pending_login WHERE begun_at < $4) \
             INSERT INTO sesame.pending_login (state_hash, app_id, begun_at) VALUES ($1, $2, $3)",
        )
        .bind(&login.state_hash)
        .bind(bytes(login.app_id))
        .bind(login.begun_at)
        .bind(forget_before)
        .execute(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn find_login(&self, state_hash: &[u8]) -> Outcome<Option<PendingLogin>> {
        let mut lent = self.take().await?;
        let row = sqlx::query(
            "SELECT state_hash, app_id, begun_at, used_at FROM sesame.pending_login WHERE state_hash = $1",
        )
        .bind(state_hash)
        .fetch_optional(&mut lent.connection)
        .await?;
        lent.give_back();
        let login = row.map(|row| -> sqlx::Result<PendingLogin> {
            Ok(PendingLogin {
                state_hash: row.try_get("state_hash")?,
                app_id: id(&row, "app_id")?,
                begun_at: row.try_get("begun_at")?,
                used_at: row.try_get("used_at")?,
            })
        });
        Ok(login.transpose()?)
    }

    pub(super) async fn mark_login(&self, state_hash: &[u8], at: i64) -> Outcome<()> {
        let mut lent = self.take().await?;
        sqlx::query("UPDATE sesame.pending_login SET used_at = $2 WHERE state_hash = $1")
            .bind(state_hash)
            .bind(at)
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }
}

/// The most rows of one statement.
const PIECE: usize = 1_000;

fn as_json(tags: &[String]) -> sqlx::Result<String> {
    serde_json::to_string(tags).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

async fn insert_app(connection: &mut PgConnection, row: &AppRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO sesame.app (app_id, name, platform, region, app_key, secret, redirect_uri, sandbox, \
         secret_origin, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(bytes(row.id))
    .bind(text(&row.name))
    .bind(&row.platform)
    .bind(&row.region)
    .bind(text(&row.app_key))
    .bind(&row.secret)
    .bind(text(&row.redirect_uri))
    .bind(&row.sandbox)
    .bind(some_text(row.secret_origin.as_deref()))
    .bind(row.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// A column of optional texts.
fn texts<'a, T>(rows: &'a [T], column: fn(&'a T) -> Option<&'a String>) -> Vec<Option<String>> {
    rows.iter().map(|row| column(row).map(|value| text(value).into_owned())).collect()
}

async fn insert_accounts(connection: &mut PgConnection, rows: &[AccountRow]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO sesame.account (account_id, name, app_id, authorization_id, login, shop_id, country, region, \
         tags, created_at) SELECT * FROM unnest($1::BYTEA[], $2::TEXT[], $3::BYTEA[], $4::BYTEA[], $5::TEXT[], \
         $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[], $10::BIGINT[])",
    )
    .bind(rows.iter().map(|row| bytes(row.id)).collect::<Vec<_>>())
    .bind(texts(rows, |row| Some(&row.name)))
    .bind(rows.iter().map(|row| bytes(row.app_id)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| bytes(row.authorization_id)).collect::<Vec<_>>())
    .bind(texts(rows, |row| row.login.as_ref()))
    .bind(texts(rows, |row| row.shop_id.as_ref()))
    .bind(texts(rows, |row| row.country.as_ref()))
    .bind(texts(rows, |row| row.region.as_ref()))
    .bind(rows.iter().map(|row| as_json(&row.tags)).collect::<sqlx::Result<Vec<_>>>()?)
    .bind(rows.iter().map(|row| row.created_at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_authorizations(connection: &mut PgConnection, rows: &[AuthorizationRow]) -> sqlx::Result<()> {
    let all = |column: fn(&AuthorizationRow) -> Option<i64>| -> Vec<Option<i64>> {
        rows.iter().map(column).collect()
    };
    sqlx::query(
        "INSERT INTO sesame.authorizations (authorization_id, app_id, region, generation, access, refresh, issued_at, \
         access_expires_at, refresh_expires_at, refresh_denied, identity, last_success, last_used, warm_at, due_at, \
         announced, exhausted, last_error, last_error_at, attempts, not_before, refreshing_since, \
         interrupted_since, postpone_after) \
         SELECT * FROM unnest($1::BYTEA[], $2::BYTEA[], $3::TEXT[], $4::BIGINT[], $5::BYTEA[], $6::BYTEA[], \
         $7::BIGINT[], $8::BIGINT[], $9::BIGINT[], $10::BOOLEAN[], $11::TEXT[], $12::BIGINT[], $13::BIGINT[], \
         $14::BIGINT[], $15::BIGINT[], $16::BIGINT[], $17::TEXT[], $18::TEXT[], $19::BIGINT[], \
         $20::BIGINT[], $21::BIGINT[], $22::BIGINT[], $23::BIGINT[], $24::BIGINT[])",
    )
    .bind(rows.iter().map(|row| bytes(row.id)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| bytes(row.app_id)).collect::<Vec<_>>())
    .bind(texts(rows, |row| row.region.as_ref()))
    .bind(rows.iter().map(|row| row.generation).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tokens.access.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tokens.refresh.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tokens.issued_at).collect::<Vec<_>>())
    .bind(all(|row| row.tokens.access_expires_at))
    .bind(all(|row| row.tokens.refresh_expires_at))
    .bind(rows.iter().map(|row| row.tokens.refresh_denied).collect::<Vec<_>>())
    .bind(texts(rows, |row| Some(&row.tokens.identity)))
    .bind(all(|row| row.last_success))
    .bind(all(|row| row.last_used))
    .bind(all(|row| row.tokens.warm_at))
    .bind(all(|row| row.tokens.due_at))
    .bind(all(|row| row.tokens.announced))
    .bind(texts(rows, |row| row.exhausted.as_ref()))
    .bind(texts(rows, |row| row.last_error.as_ref()))
    .bind(all(|row| row.last_error_at))
    .bind(rows.iter().map(|row| row.attempts).collect::<Vec<_>>())
    .bind(all(|row| row.not_before))
    .bind(all(|row| row.refreshing_since))
    .bind(all(|row| row.interrupted_since))
    .bind(all(|row| row.postpone_after))
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an authorization that no account uses any more.
async fn delete_unused(connection: &mut PgConnection, authorization: &[u8]) -> sqlx::Result<()> {
    // Held first: of two that take away the last two accounts at once, the second then sees that
    // both are gone. Neither would remove it otherwise.
    sqlx::query("SELECT 1 FROM sesame.authorizations WHERE authorization_id = $1 FOR UPDATE")
        .bind(authorization)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM sesame.authorizations WHERE authorization_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM sesame.account WHERE authorization_id = $1)",
    )
    .bind(authorization)
    .execute(connection)
    .await?;
    Ok(())
}
