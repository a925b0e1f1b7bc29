//! How long work on a store may take.

use std::time::Duration;

#[cfg(feature = "postgres")]
use super::failure::{Failure, Outcome};

/// How long a piece of work may take in PostgreSQL, the wait for a connection included.
pub(super) const WORKING: Duration = Duration::from_mins(1);
/// How long one may take that reads everything.
pub(super) const WORKING_LONG: Duration = Duration::from_mins(10);
/// How often work is repeated that the server undid because of concurrent work.
#[cfg(feature = "postgres")]
const REPEATS: usize = 5;

/// Runs a piece of work in PostgreSQL within a time limit, again if it lost against concurrent work.
#[cfg(feature = "postgres")]
pub(super) async fn limited<T, F: Future<Output = Outcome<T>>>(
    limit: Duration,
    work: impl Fn() -> F,
) -> Outcome<T> {
    tokio::time::timeout(limit, repeated(work)).await.unwrap_or(Err(Failure::NoAnswer))
}

#[cfg(feature = "postgres")]
async fn repeated<T, F: Future<Output = Outcome<T>>>(work: impl Fn() -> F) -> Outcome<T> {
    for _ in 0..REPEATS {
        match work().await {
            Err(failure) if failure.is_conflict() => {
                tracing::debug!("the database undid work because of concurrent work; repeated");
            }
            done => return done,
        }
    }
    work().await
}
