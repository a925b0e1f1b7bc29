//! Rows of SQLite as values.

use crate::store::rows::readers;

readers!(sqlx::sqlite::SqliteRow);
