//! Apps and their sealed secrets.

use super::{SqlStore, events::insert_notes, is_taken, query::query, rows::StoredRow as _};
use crate::{
    Id,
    store::{AppRow, AppStore, Notes, StoreFut},
};

impl AppStore for SqlStore {
    fn apps(&self) -> StoreFut<'_, Vec<AppRow>> {
        self.run(move || {
            self.fetch_all(query(AppRow::select("ORDER BY app.created_at, app.name")), AppRow::read)
        })
    }

    fn app<'a>(&'a self, name: &'a str) -> StoreFut<'a, Option<AppRow>> {
        self.run(move || {
            self.fetch_optional(query(AppRow::select("WHERE app.name = $1")).bind(name), AppRow::read)
        })
    }

    fn update_app<'a>(&'a self, former: &'a AppRow, new: &'a AppRow, notes: &'a Notes) -> StoreFut<'a, bool> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let update = query(
                "UPDATE app SET name = $6, region = $7, redirect_uri = $8, secret = $9, former_secret = $10, \
                 secret_origin = $11 WHERE app_id = $1 AND name = $2 AND redirect_uri = $3 AND secret = $4 \
                 AND former_secret IS NOT DISTINCT FROM $5 AND region IS NOT DISTINCT FROM $12",
            )
            .bind(former.id)
            .bind(&former.name)
            .bind(&former.redirect_uri)
            .bind(&former.secret)
            .bind(&former.former_secret)
            .bind(&new.name)
            .bind(&new.region)
            .bind(&new.redirect_uri)
            .bind(&new.secret)
            .bind(&new.former_secret)
            .bind(&new.secret_origin)
            .bind(&former.region);
            match transaction.execute(update).await {
                Ok(1) => {}
                Ok(_) => return Ok(false),
                Err(error) if is_taken(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
            if former.region != new.region {
                for follow in [
                    "UPDATE authorizations SET region = $3 WHERE app_id = $1 AND region IS NOT DISTINCT FROM $2",
                    "UPDATE account SET region = $3 WHERE app_id = $1 AND region IS NOT DISTINCT FROM $2 \
                     AND (country IS NULL OR region IS NULL OR country <> region)",
                ] {
                    let follow = query(follow).bind(former.id).bind(&former.region).bind(&new.region);
                    transaction.execute(follow).await?;
                }
            }
            // What kept its shops from being refreshed may be mended: the old error goes, and they are due.
            if former.secret != new.secret || former.region != new.region {
                let retry = "UPDATE authorizations SET blocked = FALSE, last_error = NULL, last_error_at = NULL, \
                             attempts = 0, not_before = NULL, due_at = coalesce(last_error_at, due_at) \
                             WHERE app_id = $1 AND blocked AND exhausted IS NULL";
                transaction.execute(query(retry).bind(former.id)).await?;
            }
            insert_notes(&mut transaction, notes).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn remove_app<'a>(&'a self, id: Id, notes: &'a Notes) -> StoreFut<'a, bool> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            transaction.execute(query("DELETE FROM pending_login WHERE app_id = $1").bind(id)).await?;
            let unused = "DELETE FROM app WHERE app_id = $1 \
                          AND NOT EXISTS (SELECT 1 FROM account WHERE app_id = $1)";
            if transaction.execute(query(unused).bind(id)).await? == 0 {
                return Ok(false);
            }
            insert_notes(&mut transaction, notes).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }
}
