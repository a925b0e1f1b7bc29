//! Accounts.

use super::{
    SqlStore, bytes_before,
    events::insert_notes,
    query::query,
    rows::StoredRow,
    tokens::{delete_unused, select_authorization},
    unless_taken,
};
use crate::{
    Id,
    store::{
        AccountRow, AccountStore, AppRow, AuthorizationRow, FullRow, NewRows, Notes, ReauthorizationRequired,
        StoreFut,
    },
};

const REAUTHORIZATION_REQUIRED: &str = "SELECT account.name, count(*) OVER () AS total FROM authorizations JOIN account \
    ON account.authorization_id = authorizations.authorization_id WHERE exhausted IS NOT NULL \
    ORDER BY account.name LIMIT $1";

impl SqlStore {
    async fn insert(&self, rows: &NewRows, notes: &Notes) -> sqlx::Result<()> {
        let mut transaction = self.begin().await?;
        for row in &rows.apps {
            row.insert(&mut transaction).await?;
        }
        for row in &rows.authorizations {
            row.insert(&mut transaction).await?;
        }
        for row in &rows.accounts {
            row.insert(&mut transaction).await?;
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await
    }
}

impl AccountStore for SqlStore {
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> StoreFut<'a, bool> {
        self.run(move || async move { unless_taken(self.insert(rows, notes).await) })
    }

    fn accounts(&self) -> StoreFut<'_, Vec<FullRow>> {
        self.run(move || {
            self.fetch_all(query(FullRow::select("ORDER BY account.created_at, account.name")), FullRow::read)
        })
    }

    fn account<'a>(&'a self, name: &'a str) -> StoreFut<'a, Option<FullRow>> {
        self.run(move || {
            self.fetch_optional(query(FullRow::select("WHERE account.name = $1")).bind(name), FullRow::read)
        })
    }

    fn accounts_using(&self, authorization: Id) -> StoreFut<'_, Vec<FullRow>> {
        self.run(move || async move {
            // Read once: an approval of many shops lists them all in its identity.
            let shared = select_authorization(authorization);
            let Some(shared) = self.fetch_optional(shared, AuthorizationRow::read).await? else {
                return Ok(Vec::new());
            };
            let using = query(format!(
                "SELECT {}, {} FROM account JOIN app ON app.app_id = account.app_id \
                 WHERE account.authorization_id = $1 ORDER BY account.created_at, account.name",
                AccountRow::columns(),
                AppRow::columns()
            ));
            self.fetch_all(using.bind(authorization), |row| {
                let (account, app) = (StoredRow::read(row)?, StoredRow::read(row)?);
                Ok(FullRow { account, app, authorization: shared.clone() })
            })
            .await
        })
    }

    fn accounts_after(&self, after: Option<Id>, limit: u32) -> StoreFut<'_, Vec<FullRow>> {
        self.run(move || {
            let page = "WHERE account.account_id > $1 ORDER BY account.account_id LIMIT $2";
            let page = query(FullRow::select(page)).bind(bytes_before(after)).bind(limit);
            self.fetch_all(page, FullRow::read)
        })
    }

    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> StoreFut<'_, Vec<Id>> {
        self.run(move || {
            let page =
                query("SELECT account_id FROM account WHERE account_id > $1 ORDER BY account_id LIMIT $2");
            self.fetch_all(page.bind(bytes_before(after)).bind(limit), |row| row.get("account_id"))
        })
    }

    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> StoreFut<'a, Vec<FullRow>> {
        self.run(move || {
            let of_shop = query(FullRow::select(
                "WHERE account.shop_id = $1 AND app.app_key = $2 ORDER BY account.account_id LIMIT $3",
            ));
            self.fetch_all(of_shop.bind(shop_id).bind(app_key).bind(limit), FullRow::read)
        })
    }

    fn reauthorization_required(&self, limit: u32) -> StoreFut<'_, ReauthorizationRequired> {
        self.run(move || async move {
            let rows: Vec<(String, i64)> = self
                .fetch_all(query(REAUTHORIZATION_REQUIRED).bind(limit), |row| {
                    Ok((row.get("name")?, row.get("total")?))
                })
                .await?;
            let (names, totals): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            Ok(ReauthorizationRequired {
                names,
                count: totals.first().copied().unwrap_or_default().unsigned_abs(),
            })
        })
    }

    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        row: &'a AccountRow,
        notes: &'a Notes,
    ) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            if let Some(authorization) = authorization {
                authorization.insert(&mut transaction).await?;
            }
            // Held until the end: what it points to must not change in between.
            let former = transaction
                .fetch_optional(
                    query("SELECT authorization_id FROM account WHERE account_id = $1 FOR UPDATE")
                        .bind(row.id),
                    |row| row.get("authorization_id"),
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
            transaction.commit().await
        })
    }

    fn rename_account<'a>(&'a self, account: Id, name: &'a str) -> StoreFut<'a, bool> {
        self.run(move || async move {
            let rename = query("UPDATE account SET name = $2 WHERE account_id = $1");
            unless_taken(self.execute(rename.bind(account).bind(name)).await.map(|_| ()))
        })
    }

    fn set_tags<'a>(&'a self, account: Id, former: &'a [String], tags: &'a [String]) -> StoreFut<'a, bool> {
        self.run(move || async move {
            let set = query("UPDATE account SET tags = $3 WHERE account_id = $1 AND tags = $2");
            Ok(self.execute(set.bind(account).bind(&former.to_vec()).bind(&tags.to_vec())).await? == 1)
        })
    }

    fn remove_account<'a>(&'a self, account: Id, notes: &'a Notes) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let removed = transaction
                .fetch_optional(
                    query("DELETE FROM account WHERE account_id = $1 RETURNING authorization_id")
                        .bind(account),
                    |row| row.get("authorization_id"),
                )
                .await?;
            if let Some(authorization) = removed {
                delete_unused(&mut transaction, authorization).await?;
            }
            insert_notes(&mut transaction, notes).await?;
            transaction.commit().await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_given_up_is_found_by_its_index() {
        let store = SqlStore::in_memory().await.unwrap();
        let plan = store.plan_of(REAUTHORIZATION_REQUIRED).await;
        assert!(plan.contains("INDEX authorization_exhausted"), "{plan}");
        assert!(!plan.contains("SCAN account"), "{plan}");
    }
}
