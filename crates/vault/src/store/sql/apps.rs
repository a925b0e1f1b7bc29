//! Apps and their sealed secrets.

use sesame_core::{BoxFuture, Result};

use super::{
    SqlStore,
    connection::Connection,
    events::insert_notes,
    query::query,
    rows::{app_row, columns},
};
use crate::store::{AppRow, AppStore, Notes, Sealed};

impl AppStore for SqlStore {
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        self.run(move || {
            let all = concat!("SELECT ", columns!(app), " FROM app ORDER BY app.created_at, app.name");
            self.fetch_all(query(all), app_row)
        })
    }

    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        self.run(move || {
            let one = concat!("SELECT ", columns!(app), " FROM app WHERE app.name = $1");
            self.fetch_optional(query(one).bind(name), app_row)
        })
    }

    fn replace_secret<'a>(
        &'a self,
        former: &'a Sealed,
        new: &'a [u8],
        origin: Option<&'a str>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let replace =
                query("UPDATE app SET secret = $3, secret_origin = $4 WHERE app_id = $1 AND secret = $2");
            let replace = replace.bind(former.id).bind(&former.bytes).bind(new).bind(origin);
            let is_done = transaction.execute(replace).await? == 1;
            if is_done {
                insert_notes(&mut transaction, notes).await?;
            }
            transaction.commit().await?;
            Ok(is_done)
        })
    }
}

pub(super) async fn insert_app(on: &mut Connection, row: &AppRow) -> sqlx::Result<()> {
    let insert = query(
        "INSERT INTO app (app_id, name, platform, region, app_key, secret, redirect_uri, sandbox, \
         secret_origin, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.id)
    .bind(&row.name)
    .bind(&row.platform)
    .bind(&row.region)
    .bind(&row.app_key)
    .bind(&row.secret)
    .bind(&row.redirect_uri)
    .bind(&row.sandbox)
    .bind(&row.secret_origin)
    .bind(row.created_at);
    on.execute(insert).await?;
    Ok(())
}
