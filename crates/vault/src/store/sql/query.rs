//! Statements that both databases understand, their values, and the rows that come back.

use std::{borrow::Cow, sync::Arc};

use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr as _, SqlStr};
#[cfg(feature = "postgres")]
use sqlx::{Postgres, postgres};
#[cfg(feature = "sqlite")]
use sqlx::{Sqlite, sqlite};

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

impl Row {
    /// Returns the value of a column.
    pub(in crate::store) fn get<T: Column>(&self, name: &str) -> sqlx::Result<T> {
        T::read(self, name)
    }
}

/// What a column may hold.
pub(in crate::store) trait Column: Sized {
    fn read(row: &Row, name: &str) -> sqlx::Result<Self>;
    fn value(&self) -> Value<'_>;
}

macro_rules! columns {
    ($($type:ty, $self:ident => $value:expr;)+) => {
        $(impl Column for $type {
            fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
                match row {
                    #[cfg(feature = "sqlite")]
                    Row::Sqlite(row) => row.try_get(name),
                    #[cfg(feature = "postgres")]
                    Row::Postgres(row) => row.try_get(name),
                }
            }
            fn value(&$self) -> Value<'_> {
                $value
            }
        })+
    };
}

columns! {
    i64, self => Value::Integer(Some(*self));
    Option<i64>, self => Value::Integer(*self);
    bool, self => Value::Boolean(Some(*self));
    String, self => Value::Text(Some(self.into()));
    Option<String>, self => Value::Text(self.as_ref().map(Into::into));
    Vec<u8>, self => Value::Bytes(Some(self.into()));
    Option<Vec<u8>>, self => Value::Bytes(self.as_ref().map(Into::into));
}

impl Column for Id {
    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        Self::from_slice(&row.get::<Vec<u8>>(name)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }
    fn value(&self) -> Value<'_> {
        Value::Bytes(Some(self.as_bytes().as_slice().into()))
    }
}

impl Column for Option<Id> {
    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.get::<Option<Vec<u8>>>(name)?.map(|_| Id::read(row, name)).transpose()
    }
    fn value(&self) -> Value<'_> {
        Value::Bytes(self.as_ref().map(|id| id.as_bytes().as_slice().into()))
    }
}

impl Column for Arc<str> {
    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.get::<String>(name).map(Into::into)
    }
    fn value(&self) -> Value<'_> {
        Value::Text(Some((&**self).into()))
    }
}

/// A list as JSON. A damaged one is empty, since nothing depends on it.
impl Column for Vec<String> {
    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.get::<String>(name).map(|text| serde_json::from_str(&text).unwrap_or_default())
    }
    fn value(&self) -> Value<'_> {
        let list = serde_json::Value::from(self.as_slice());
        Value::Text(Some(Cow::Owned(list.to_string())))
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
