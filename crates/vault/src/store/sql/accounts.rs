//! Accounts.

use sesame_core::{BoxFuture, Result};

use super::{
    SqlStore,
    apps::insert_app,
    bytes_before,
    connection::Connection,
    events::insert_notes,
    query::query,
    rows::{account_row, app_row, authorization_row, columns, full, full_row},
    tokens::{AUTHORIZATION, delete_unused, insert_authorization},
    unless_taken,
};
use crate::{
    Id,
    store::{AccountRow, AccountStore, AuthorizationRow, FullRow, GivenUp, NewRows, Notes, failure::Outcome},
};

const GIVEN_UP: &str = "SELECT account.name, count(*) OVER () AS total FROM authorizations JOIN account \
    ON account.authorization_id = authorizations.authorization_id WHERE exhausted IS NOT NULL \
    ORDER BY account.name LIMIT $1";

impl SqlStore {
    async fn insert(&self, rows: &NewRows, notes: &Notes) -> Outcome<()> {
        let mut transaction = self.begin().await?;
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
        Ok(transaction.commit().await?)
    }
}

impl AccountStore for SqlStore {
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move { unless_taken(self.insert(rows, notes).await) })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move || self.fetch_all(query(full!("ORDER BY account.created_at, account.name")), full_row))
    }

    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        self.run(move || self.fetch_optional(query(full!("WHERE account.name = $1")).bind(name), full_row))
    }

    fn accounts_using(&self, authorization: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move || async move {
            // Read once: an approval of many shops lists them all in its identity.
            let shared = query(AUTHORIZATION).bind(authorization);
            let Some(shared) = self.fetch_optional(shared, authorization_row).await? else {
                return Ok(Vec::new());
            };
            let using = query(concat!(
                "SELECT ",
                columns!(account),
                ", ",
                columns!(app),
                " FROM account JOIN app ON app.app_id = account.app_id \
                 WHERE account.authorization_id = $1 ORDER BY account.created_at, account.name"
            ));
            self.fetch_all(using.bind(authorization), |row| {
                let (account, app) = (account_row(row)?, app_row(row)?);
                Ok(FullRow { account, app, authorization: shared.clone() })
            })
            .await
        })
    }

    fn accounts_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move || {
            let page = query(full!("WHERE account.account_id > $1 ORDER BY account.account_id LIMIT $2"));
            self.fetch_all(page.bind(bytes_before(after)).bind(limit), full_row)
        })
    }

    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<Id>>> {
        self.run(move || {
            let page =
                query("SELECT account_id FROM account WHERE account_id > $1 ORDER BY account_id LIMIT $2");
            self.fetch_all(page.bind(bytes_before(after)).bind(limit), |row| row.id("account_id"))
        })
    }

    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<FullRow>>> {
        self.run(move || {
            let of_shop = query(full!(
                "WHERE account.shop_id = $1 AND app.app_key = $2 ORDER BY account.account_id LIMIT $3"
            ));
            self.fetch_all(of_shop.bind(shop_id).bind(app_key).bind(limit), full_row)
        })
    }

    fn given_up(&self, limit: u32) -> BoxFuture<'_, Result<GivenUp>> {
        self.run(move || async move {
            let rows: Vec<(String, i64)> = self
                .fetch_all(query(GIVEN_UP).bind(limit), |row| Ok((row.get("name")?, row.get("total")?)))
                .await?;
            let (names, totals): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            Ok(GivenUp { names, count: totals.first().copied().unwrap_or_default().unsigned_abs() })
        })
    }

    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        row: &'a AccountRow,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            if let Some(authorization) = authorization {
                insert_authorization(&mut transaction, authorization).await?;
            }
            // Held until the end: what it points to must not change in between.
            let former = transaction
                .fetch_optional(
                    query("SELECT authorization_id FROM account WHERE account_id = $1 FOR UPDATE")
                        .bind(row.id),
                    |row| row.id("authorization_id"),
                )
                .await?;
            let update = query(
                "UPDATE account SET authorization_id = $2, login = $3, shop_id = $4, country = $5, \
                 region = $6 WHERE account_id = $1",
            )
            .bind(row.id)
            .bind(row.authorization_id)
            .bind(&row.login)
            .bind(&row.shop_id)
            .bind(&row.country)
            .bind(&row.region);
            transaction.execute(update).await?;
            if let Some(former) = former {
                delete_unused(&mut transaction, former).await?;
            }
            insert_notes(&mut transaction, notes).await?;
            Ok(transaction.commit().await?)
        })
    }

    fn rename_account<'a>(&'a self, account: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move {
            let rename = query("UPDATE account SET name = $2 WHERE account_id = $1");
            unless_taken(self.execute(rename.bind(account).bind(name)).await.map(|_| ()))
        })
    }

    fn set_tags<'a>(
        &'a self,
        account: Id,
        former: &'a [String],
        tags: &'a [String],
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move {
            let set = query("UPDATE account SET tags = $3 WHERE account_id = $1 AND tags = $2");
            Ok(self.execute(set.bind(account).bind(as_json(former)?).bind(as_json(tags)?)).await? == 1)
        })
    }

    fn remove_account<'a>(&'a self, account: Id, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let removed = transaction
                .fetch_optional(
                    query("DELETE FROM account WHERE account_id = $1 RETURNING authorization_id")
                        .bind(account),
                    |row| row.id("authorization_id"),
                )
                .await?;
            if let Some(authorization) = removed {
                delete_unused(&mut transaction, authorization).await?;
            }
            insert_notes(&mut transaction, notes).await?;
            Ok(transaction.commit().await?)
        })
    }
}

fn as_json(tags: &[String]) -> sqlx::Result<String> {
    serde_json::to_string(tags).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

async fn insert_account(on: &mut Connection, row: &AccountRow) -> sqlx::Result<()> {
    let insert = query(
        "INSERT INTO account (account_id, name, app_id, authorization_id, login, shop_id, country, region, \
         tags, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.id)
    .bind(&row.name)
    .bind(row.app_id)
    .bind(row.authorization_id)
    .bind(&row.login)
    .bind(&row.shop_id)
    .bind(&row.country)
    .bind(&row.region)
    .bind(as_json(&row.tags)?)
    .bind(row.created_at);
    on.execute(insert).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_given_up_is_found_by_its_index() {
        let store = SqlStore::in_memory().await.unwrap();
        let plan = store.plan_of(GIVEN_UP).await;
        assert!(plan.contains("INDEX authorization_exhausted"), "{plan}");
        assert!(!plan.contains("SCAN account"), "{plan}");
    }
}
