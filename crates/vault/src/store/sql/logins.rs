//! Logins that were begun and not finished.

use super::{SqlStore, query::query, rows::StoredRow as _};
use crate::store::{LoginStore, PendingLogin, StoreFut};

impl LoginStore for SqlStore {
    fn add_login<'a>(&'a self, login: &'a PendingLogin, forget_before: i64) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let forget = query("DELETE FROM pending_login WHERE begun_at < $1");
            transaction.execute(forget.bind(forget_before)).await?;
            login.insert(&mut transaction).await?;
            transaction.commit().await
        })
    }

    fn login<'a>(&'a self, state_hash: &'a [u8]) -> StoreFut<'a, Option<PendingLogin>> {
        self.run(move || {
            let find = query(PendingLogin::select("WHERE state_hash = $1"));
            self.fetch_optional(find.bind(state_hash), PendingLogin::read)
        })
    }

    fn login_used<'a>(&'a self, state_hash: &'a [u8], at: i64) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mark = query("UPDATE pending_login SET used_at = $2 WHERE state_hash = $1");
            self.execute(mark.bind(state_hash).bind(at)).await?;
            Ok(())
        })
    }
}
