//! Rows of PostgreSQL as values.

use crate::store::rows::readers;

readers!(sqlx::postgres::PgRow);
