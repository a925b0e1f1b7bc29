//! How long work on a store may take, and work that is repeated.

use std::{io, time::Duration};

/// How long a piece of work may take, the wait for a connection included.
pub(super) const WORKING: Duration = Duration::from_mins(1);
/// How long one may take that reads everything.
pub(super) const WORKING_LONG: Duration = Duration::from_mins(10);
/// How often work is repeated that the server undid because of concurrent work.
const REPEATS: usize = 5;

/// Runs a piece of work within a time limit, again if it lost against concurrent work.
pub(super) async fn limited<T, F: Future<Output = sqlx::Result<T>>>(
    limit: Duration,
    work: impl Fn() -> F,
) -> sqlx::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "what it was asked may have been done or not");
    tokio::time::timeout(limit, repeated(work)).await.unwrap_or_else(|_| Err(late().into()))
}

async fn repeated<T, F: Future<Output = sqlx::Result<T>>>(work: impl Fn() -> F) -> sqlx::Result<T> {
    for _ in 0..REPEATS {
        match work().await {
            Err(error) if is_conflict(&error) => {
                tracing::debug!("the database undid work because of concurrent work; repeated");
            }
            done => return done,
        }
    }
    work().await
}

/// Returns `true` if PostgreSQL undid the work because of concurrent work: it may be repeated at once.
fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01"))
}
