//! The embedded store: what is asked of SQLite, one transaction a call.

use sesame_core::{BoxFuture, Error, Result};
use sqlx::{Row as _, SqliteConnection};

use super::{
    AccountRow, AppRow, AuthorisationRow, Claim, FailedRefresh, FullRow, KeyRow, Lease, PendingLogin,
    TokenColumns, TokenStore,
    rows::{app_row, authorisation_row, columns, full, full_row, id, key_row},
    sqlite_file::SqliteStore,
};
use crate::Id;

fn is_name_taken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}

impl TokenStore for SqliteStore {
    fn key(&self) -> BoxFuture<'_, Result<Option<KeyRow>>> {
        Box::pin(async {
            let row = sqlx::query(
                "SELECT key_id, kind, params, checked, created_at FROM master_key WHERE active = 1",
            )
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            row.map(|row| key_row(&row)).transpose().map_err(|error| self.failed(error))
        })
    }

    fn add_key(&self, key: KeyRow) -> BoxFuture<'_, Result<KeyRow>> {
        Box::pin(async move {
            let stands = sqlx::query(
                "INSERT INTO master_key (key_id, kind, params, checked, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(&key.key_id)
            .bind(&key.kind)
            .bind(&key.params)
            .bind(&key.check)
            .bind(key.created_at)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            if stands.rows_affected() == 1 {
                return Ok(key);
            }
            self.key()
                .await?
                .ok_or_else(|| Error::local(format!("the vault {} lost its key row", self.path.display())))
        })
    }

    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        Box::pin(async {
            let rows =
                sqlx::query(concat!("SELECT ", columns!(app), " FROM app ORDER BY app.created_at, app.name"))
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|error| self.failed(error))?;
            rows.iter().map(app_row).collect::<sqlx::Result<_>>().map_err(|error| self.failed(error))
        })
    }

    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        Box::pin(async move {
            let row = sqlx::query(concat!("SELECT ", columns!(app), " FROM app WHERE app.name = ?1"))
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
            row.as_ref().map(app_row).transpose().map_err(|error| self.failed(error))
        })
    }

    fn add_app(&self, app: AppRow) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let added = async {
                let mut connection = self.pool.acquire().await?;
                insert_app(&mut connection, &app).await
            };
            self.unless_taken(added.await)
        })
    }

    fn add_app_with_account(
        &self,
        app: AppRow,
        authorisation: AuthorisationRow,
        account: AccountRow,
    ) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let added = async {
                let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
                insert_app(&mut transaction, &app).await?;
                insert_authorisation(&mut transaction, &authorisation).await?;
                insert_account(&mut transaction, &account).await?;
                transaction.commit().await
            };
            self.unless_taken(added.await)
        })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        Box::pin(async {
            let rows = sqlx::query(full!("ORDER BY account.created_at, account.name"))
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
            rows.iter().map(full_row).collect::<sqlx::Result<_>>().map_err(|error| self.failed(error))
        })
    }

    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        Box::pin(async move {
            let row = sqlx::query(full!("WHERE account.name = ?1"))
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
            row.as_ref().map(full_row).transpose().map_err(|error| self.failed(error))
        })
    }

    fn accounts_of(&self, app: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        Box::pin(async move {
            let rows =
                sqlx::query(full!("WHERE account.app_id = ?1 ORDER BY account.created_at, account.name"))
                    .bind(app.as_bytes().as_slice())
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|error| self.failed(error))?;
            rows.iter().map(full_row).collect::<sqlx::Result<_>>().map_err(|error| self.failed(error))
        })
    }

    fn add_accounts(
        &self,
        authorisation: Option<AuthorisationRow>,
        accounts: Vec<AccountRow>,
    ) -> BoxFuture<'_, Result<bool>> {
        Box::pin(
            async move { self.unless_taken(self.insert_accounts(authorisation.as_ref(), &accounts).await) },
        )
    }

    fn update_account(
        &self,
        authorisation: Option<AuthorisationRow>,
        account: AccountRow,
    ) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.change_account(authorisation.as_ref(), &account).await.map_err(|error| self.failed(error))
        })
    }

    fn rename_account<'a>(&'a self, account: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let done = sqlx::query("UPDATE account SET name = ?2 WHERE account_id = ?1")
                .bind(account.as_bytes().as_slice())
                .bind(name)
                .execute(&self.pool)
                .await;
            match done {
                Ok(_) => Ok(true),
                Err(error) if is_name_taken(&error) => Ok(false),
                Err(error) => Err(self.failed(error)),
            }
        })
    }

    fn remove_account(&self, account: Id) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.delete_account(account).await.map_err(|error| self.failed(error)) })
    }

    fn authorisation(&self, authorisation: Id) -> BoxFuture<'_, Result<Option<AuthorisationRow>>> {
        Box::pin(async move {
            let row = sqlx::query(concat!(
                "SELECT ",
                columns!(authorisation),
                " FROM authorisation WHERE authorisation_id = ?1"
            ))
            .bind(authorisation.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            row.as_ref().map(authorisation_row).transpose().map_err(|error| self.failed(error))
        })
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Option<Lease>>> {
        Box::pin(async move {
            // An intent that still stands when the lease is free belongs to a refresh that was cut
            // off; it is kept as `interrupted_since` until tokens arrive. A lease that ends more than
            // an hour after ours would is none: the row is damaged, or a clock was set back.
            let row = sqlx::query(
                "UPDATE authorisation SET lease_owner = ?2, lease_fence = lease_fence + 1, lease_until = ?3, \
                 interrupted_since = coalesce(interrupted_since, refreshing_since), refreshing_since = ?4, spending = ?5 \
                 WHERE authorisation_id = ?1 AND generation = ?6 AND (lease_until IS NULL OR lease_until <= ?4 \
                 OR lease_owner IS NULL OR lease_owner = ?2 OR lease_owner = ?7 OR lease_until > ?8) \
                 RETURNING lease_fence, interrupted_since",
            )
            .bind(claim.id.as_bytes().as_slice())
            .bind(claim.owner)
            .bind(claim.until)
            .bind(claim.now)
            .bind(claim.spending)
            .bind(claim.generation)
            .bind(claim.gone)
            .bind(claim.until.saturating_add(3_600_000))
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            row.map(|row| Ok(Lease { fence: row.try_get(0)?, interrupted_since: row.try_get(1)? }))
                .transpose()
                .map_err(|error| self.failed(error))
        })
    }

    fn replace_tokens<'a>(
        &'a self,
        authorisation: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let done = sqlx::query(
                "UPDATE authorisation SET generation = generation + 1, access = ?3, refresh = ?4, issued_at = ?5, \
                 access_expires_at = ?6, refresh_expires_at = ?7, refresh_denied = ?8, identity = ?9, \
                 last_success = ?10, exhausted = NULL, last_error = NULL, last_error_at = NULL, attempts = 0, \
                 not_before = NULL, lease_owner = NULL, lease_until = NULL, refreshing_since = NULL, \
                 interrupted_since = NULL, spending = NULL \
                 WHERE authorisation_id = ?1 AND generation = ?2",
            )
            .bind(authorisation.as_bytes().as_slice())
            .bind(expected)
            .bind(&tokens.access)
            .bind(&tokens.refresh)
            .bind(tokens.issued_at)
            .bind(tokens.access_expires_at)
            .bind(tokens.refresh_expires_at)
            .bind(i64::from(tokens.refresh_denied))
            .bind(&tokens.identity)
            .bind(at)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            Ok(done.rows_affected() == 1)
        })
    }

    fn record_failure<'a>(&'a self, failure: FailedRefresh<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            sqlx::query(
                "UPDATE authorisation SET last_error = ?5, last_error_at = ?6, attempts = attempts + 1, \
                 not_before = ?7, exhausted = coalesce(?8, exhausted), lease_owner = NULL, lease_until = NULL, \
                 refreshing_since = CASE WHEN ?9 THEN refreshing_since ELSE NULL END, \
                 spending = CASE WHEN ?9 THEN spending ELSE NULL END \
                 WHERE authorisation_id = ?1 AND generation = ?2 AND lease_owner = ?3 AND lease_fence = ?4",
            )
            .bind(failure.id.as_bytes().as_slice())
            .bind(failure.generation)
            .bind(failure.owner)
            .bind(failure.fence)
            .bind(failure.error)
            .bind(failure.at)
            .bind(failure.not_before)
            .bind(failure.exhausted)
            .bind(failure.ambiguous)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            Ok(())
        })
    }

    fn exhaust<'a>(
        &'a self,
        authorisation: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            sqlx::query(
                "UPDATE authorisation SET exhausted = ?3, last_error = ?3, last_error_at = ?4 \
                 WHERE authorisation_id = ?1 AND generation = ?2 AND exhausted IS NULL",
            )
            .bind(authorisation.as_bytes().as_slice())
            .bind(generation)
            .bind(reason)
            .bind(at)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
            Ok(())
        })
    }

    fn add_login(&self, login: PendingLogin, forget_before: i64) -> BoxFuture<'_, Result<()>> {
        Box::pin(
            async move { self.insert_login(&login, forget_before).await.map_err(|error| self.failed(error)) },
        )
    }

    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>> {
        Box::pin(async move {
            let row =
                sqlx::query("SELECT state_hash, app_id, begun_at FROM pending_login WHERE state_hash = ?1")
                    .bind(state_hash)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|error| self.failed(error))?;
            row.map(|row| {
                Ok(PendingLogin {
                    state_hash: row.try_get("state_hash")?,
                    app_id: id(&row, "app_id")?,
                    begun_at: row.try_get("begun_at")?,
                })
            })
            .transpose()
            .map_err(|error| self.failed(error))
        })
    }

    fn remove_login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            sqlx::query("DELETE FROM pending_login WHERE state_hash = ?1")
                .bind(state_hash)
                .execute(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

impl SqliteStore {
    /// True when it was done, false when a name was taken.
    fn unless_taken(&self, done: sqlx::Result<()>) -> Result<bool> {
        match done {
            Ok(()) => Ok(true),
            Err(error) if is_name_taken(&error) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn insert_accounts(
        &self,
        authorisation: Option<&AuthorisationRow>,
        accounts: &[AccountRow],
    ) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(row) = authorisation {
            insert_authorisation(&mut transaction, row).await?;
        }
        for row in accounts {
            insert_account(&mut transaction, row).await?;
        }
        transaction.commit().await
    }

    async fn change_account(
        &self,
        authorisation: Option<&AuthorisationRow>,
        row: &AccountRow,
    ) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(authorisation) = authorisation {
            insert_authorisation(&mut transaction, authorisation).await?;
        }
        let former = sqlx::query("SELECT authorisation_id FROM account WHERE account_id = ?1")
            .bind(row.id.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE account SET authorisation_id = ?2, login = ?3, shop_id = ?4, country = ?5, region = ?6 \
             WHERE account_id = ?1",
        )
        .bind(row.id.as_bytes().as_slice())
        .bind(row.authorisation_id.as_bytes().as_slice())
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
        transaction.commit().await
    }

    async fn delete_account(&self, account: Id) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let removed = sqlx::query("DELETE FROM account WHERE account_id = ?1 RETURNING authorisation_id")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = removed {
            let authorisation: Vec<u8> = row.try_get(0)?;
            delete_unused(&mut transaction, &authorisation).await?;
        }
        transaction.commit().await
    }

    async fn insert_login(&self, login: &PendingLogin, forget_before: i64) -> sqlx::Result<()> {
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
}

async fn insert_app(connection: &mut SqliteConnection, row: &AppRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO app (app_id, name, platform, region, app_key, secret, redirect_uri, sandbox, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(row.id.as_bytes().as_slice())
    .bind(&row.name)
    .bind(&row.platform)
    .bind(&row.region)
    .bind(&row.app_key)
    .bind(&row.secret)
    .bind(&row.redirect_uri)
    .bind(&row.sandbox)
    .bind(row.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_account(connection: &mut SqliteConnection, row: &AccountRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO account (account_id, name, app_id, authorisation_id, login, shop_id, country, region, \
         created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(row.id.as_bytes().as_slice())
    .bind(&row.name)
    .bind(row.app_id.as_bytes().as_slice())
    .bind(row.authorisation_id.as_bytes().as_slice())
    .bind(&row.login)
    .bind(&row.shop_id)
    .bind(&row.country)
    .bind(&row.region)
    .bind(row.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_authorisation(connection: &mut SqliteConnection, row: &AuthorisationRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO authorisation (authorisation_id, app_id, region, generation, access, refresh, issued_at, \
         access_expires_at, refresh_expires_at, refresh_denied, identity, last_success) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an authorisation that no account uses any more.
async fn delete_unused(connection: &mut SqliteConnection, authorisation: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM authorisation WHERE authorisation_id = ?1 \
         AND NOT EXISTS (SELECT 1 FROM account WHERE authorisation_id = ?1)",
    )
    .bind(authorisation)
    .execute(connection)
    .await?;
    Ok(())
}
