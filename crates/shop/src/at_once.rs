//! Several calls at the same time, but not all.

use std::future::Future;

use sesame_core::{Error, Result};
use tokio::task::JoinSet;

/// Does work on all items, `limit` of them at the same time, and hands over each result as it comes. After
/// an error nothing new is begun; what has begun is waited for, and the first error is returned.
///
/// # Errors
/// What `work` or `each` returns.
pub(crate) async fn at_once<T, R, F>(
    limit: usize,
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> F,
    mut each: impl FnMut(R) -> Result<()>,
) -> Result<()>
where
    F: Future<Output = Result<R>> + Send + 'static,
    R: Send + 'static,
{
    let mut items = items.into_iter();
    let mut running = JoinSet::new();
    let mut failed: Option<Error> = None;
    loop {
        while failed.is_none() && running.len() < limit.max(1) {
            let Some(item) = items.next() else { break };
            running.spawn(work(item));
        }
        let Some(joined) = running.join_next().await else { break };
        let result = joined.map_err(|error| Error::local("a task of the job ended").with_source(error));
        if let Err(error) = result.and_then(|result| result).and_then(&mut each) {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}
