//! Statements that both databases understand, their values, and the rows that come back.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, Decode, Row as _, SqlSafeStr as _, SqlStr, Type};
#[cfg(feature = "postgres")]
use sqlx::{Postgres, postgres};
#[cfg(feature = "sqlite")]
use sqlx::{Sqlite, sqlite};

use super::rows::Column;
use crate::Id;

/// A statement in the SQL of PostgreSQL and SQLite, with `$1` for its first value.
///
/// Row locks (`FOR UPDATE`, `SKIP LOCKED`) are left out for SQLite, where a transaction that writes holds
/// the whole file.
pub(in crate::store) struct Query<'q> {
    text: Cow<'static, str>,
    values: Vec<Value<'q>>,
}

/// The value of a parameter.
#[derive(Clone)]
pub(in crate::store) enum Value<'q> {
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Text(Option<Cow<'q, str>>),
    Bytes(Option<Cow<'q, [u8]>>),
}

/// Begins a statement.
pub(in crate::store) fn query<'q>(text: impl Into<Cow<'static, str>>) -> Query<'q> {
    Query { text: text.into(), values: Vec::new() }
}

impl<'q> Query<'q> {
    /// Sets the value of the next parameter.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn for_sqlite(self) -> sqlx::query::Query<'static, Sqlite, sqlite::SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(without_row_locks(self.text)), |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Boolean(value) => query.bind(value),
            Value::Text(value) => query.bind(value.map(Cow::into_owned)),
            Value::Bytes(value) => query.bind(value.map(Cow::into_owned)),
        })
    }

    #[cfg(feature = "postgres")]
    pub(super) fn for_postgres(self) -> sqlx::query::Query<'static, Postgres, postgres::PgArguments> {
        self.values.into_iter().fold(sqlx::query(safe(self.text)), |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Boolean(value) => query.bind(value),
            Value::Text(value) => query.bind(value.map(without_nul)),
            Value::Bytes(value) => query.bind(value.map(Cow::into_owned)),
        })
    }
}

/// Returns the text of a statement for SQLite.
#[cfg(feature = "sqlite")]
fn without_row_locks(text: Cow<'static, str>) -> SqlStr {
    if !text.contains(" FOR UPDATE") {
        return safe(text);
    }
    safe(text.replace(" FOR UPDATE SKIP LOCKED", "").replace(" FOR UPDATE", "").into())
}

/// No statement holds a value: all of them are bound.
fn safe(text: Cow<'static, str>) -> SqlStr {
    match text {
        Cow::Borrowed(text) => text.into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

/// Replaces the character NUL, which PostgreSQL's TEXT does not take and platforms have sent in messages.
#[cfg(feature = "postgres")]
fn without_nul(text: Cow<'_, str>) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text.into_owned() }
}

/// A row of either database.
pub(in crate::store) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(postgres::PgRow),
}

/// Declares what a column of one database may be read as: anything, if the database is not built in.
macro_rules! column {
    ($feature:literal, $name:ident, $database:ident) => {
        #[cfg(feature = $feature)]
        pub(in crate::store) trait $name<'r>:
            Decode<'r, $database> + Type<$database>
        {
        }
        #[cfg(feature = $feature)]
        impl<'r, T: Decode<'r, $database> + Type<$database>> $name<'r> for T {}
        #[cfg(not(feature = $feature))]
        pub(in crate::store) trait $name<'r> {}
        #[cfg(not(feature = $feature))]
        impl<'r, T> $name<'r> for T {}
    };
}

column!("sqlite", SqliteColumn, Sqlite);
column!("postgres", PostgresColumn, Postgres);

impl Row {
    /// Returns the value of a column.
    pub(in crate::store) fn get<'r, T: SqliteColumn<'r> + PostgresColumn<'r>>(
        &'r self,
        column: &str,
    ) -> sqlx::Result<T> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get(column),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

impl<'q, T: Column> From<&'q T> for Value<'q> {
    fn from(value: &'q T) -> Self {
        value.value()
    }
}

macro_rules! values {
    ($($from:ty, $value:ident => $to:expr;)+) => {
        $(impl<'q> From<$from> for Value<'q> {
            fn from($value: $from) -> Self {
                $to
            }
        })+
    };
}

values! {
    i64, value => Self::Integer(Some(value));
    Option<i64>, value => Self::Integer(value);
    u32, value => Self::Integer(Some(value.into()));
    bool, value => Self::Boolean(Some(value));
    Option<bool>, value => Self::Boolean(value);
    &'q str, value => Self::Text(Some(value.into()));
    String, value => Self::Text(Some(value.into()));
    Option<&'q str>, value => Self::Text(value.map(Into::into));
    &'q [u8], value => Self::Bytes(Some(value.into()));
    Vec<u8>, value => Self::Bytes(Some(value.into()));
    Option<&'q [u8]>, value => Self::Bytes(value.map(Into::into));
    Id, value => Self::Bytes(Some(value.as_bytes().to_vec().into()));
    Option<Id>, value => Self::Bytes(value.map(|id| id.as_bytes().to_vec().into()));
}
