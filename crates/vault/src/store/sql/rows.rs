//! Rows of the tables as values: how each is read and inserted.

use super::{
    connection::Connection,
    query::{Column, Query, Row, Value, query},
};
use crate::store::{
    AccountRow, AppRow, AuditRow, AuthorizationRow, EventRow, FullRow, PendingLogin, TokenColumns,
};

/// What a table, or a part of one, holds.
pub(super) trait StoredRow: Sized {
    const NAME: &'static str;

    fn names() -> Vec<&'static str>;
    fn read(row: &Row) -> sqlx::Result<Self>;
    fn values(&self) -> Vec<Value<'_>>;

    /// Returns the columns as [`StoredRow::read`] expects them, under names that are unique in a join.
    fn columns() -> String {
        let columns: Vec<String> =
            Self::names().iter().map(|name| format!("{0}.{name} AS {0}_{name}", Self::NAME)).collect();
        columns.join(", ")
    }

    /// Selects rows of this table alone.
    fn select(rest: &str) -> String {
        format!("SELECT {} FROM {} {rest}", Self::columns(), Self::NAME)
    }

    async fn insert(&self, on: &mut Connection) -> sqlx::Result<()> {
        let names = Self::names();
        let places: Vec<String> = (1..=names.len()).map(|number| format!("${number}")).collect();
        let (table, names, places) = (Self::NAME, names.join(", "), places.join(", "));
        let insert = query(format!("INSERT INTO {table} ({names}) VALUES ({places})"));
        on.execute(self.values().into_iter().fold(insert, Query::bind)).await?;
        Ok(())
    }
}

macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:literal) => {
        $column
    };
}

/// Declares the columns of a row: its fields, with the column's name where that is another one, and the field
/// that holds the rest of the columns.
macro_rules! table {
    (
        $table:literal, $row:ident { $($field:ident $(= $column:literal)?),+ }
        $(+ $part:ident: $columns:ident)?
    ) => {
        impl StoredRow for $row {
            const NAME: &'static str = $table;

            fn names() -> Vec<&'static str> {
                [vec![$(name!($field $($column)?)),+] $(, $columns::names())?].concat()
            }

            fn read(row: &Row) -> sqlx::Result<Self> {
                Ok(Self {
                    $($field: Column::read(row, concat!($table, "_", name!($field $($column)?)))?,)+
                    $($part: StoredRow::read(row)?,)?
                })
            }

            fn values(&self) -> Vec<Value<'_>> {
                [vec![$(self.$field.value()),+] $(, self.$part.values())?].concat()
            }
        }
    };
}

table!("app", AppRow {
    id = "app_id", name, platform, region, app_key, secret, former_secret, redirect_uri, sandbox, secret_origin,
    created_at
});

table!("authorizations", AuthorizationRow {
    id = "authorization_id", app_id, region, generation, exhausted, last_success, last_error, last_error_at,
    attempts, not_before, lease_owner, lease_until, refreshing_since, interrupted_since, last_used,
    postpone_after, blocked
} + tokens: TokenColumns);

table!("authorizations", TokenColumns {
    access, refresh, issued_at, access_expires_at, refresh_expires_at, refresh_denied, identity = "identity",
    warm_at, due_at, announced
});

table!("account", AccountRow {
    id = "account_id", name, app_id, authorization_id, login, shop_id, country, region, tags, created_at
});

table!("audit", AuditRow { id = "audit_id", at, authorization_id, subject, action, succeeded, detail, actor });

table!("event", EventRow { id = "event_id", at, authorization_id, kind, payload });

table!("pending_login", PendingLogin { state_hash, app_id, begun_at, used_at });

impl FullRow {
    /// Selects accounts with their apps and authorizations.
    pub(super) fn select(rest: &str) -> String {
        format!(
            "SELECT {}, {}, {} FROM account JOIN app ON app.app_id = account.app_id \
             JOIN authorizations ON authorizations.authorization_id = account.authorization_id {rest}",
            AccountRow::columns(),
            AppRow::columns(),
            AuthorizationRow::columns()
        )
    }

    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            account: StoredRow::read(row)?,
            app: StoredRow::read(row)?,
            authorization: StoredRow::read(row)?,
        })
    }
}
