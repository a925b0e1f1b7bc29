//! The rows of a list, across its pages.

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sesame_client::{PageStream, Pages};
use sesame_core::{Result, decode::decode};

/// The rows of all pages of a list, as a [`Stream`]. Made by [`CallRequest::rows`](crate::CallRequest::rows).
///
/// A row of another shape is an error, and the rows after it still come. An error of a page is the last
/// item: then the list is not whole. [`ErrorKind::Incomplete`](crate::ErrorKind::Incomplete) as the last
/// item means that every page came and rows are missing all the same.
pub struct Rows<T> {
    pages: PageStream,
    items: vec::IntoIter<Box<RawValue>>,
    row: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Rows<T> {
    pub(crate) fn new(pages: Pages) -> Self {
        Self { pages: pages.into_stream(), items: Vec::new().into_iter(), row: PhantomData }
    }

    /// Returns the next row; `None` if the list has ended.
    ///
    /// The same as `StreamExt::next`, for programs that need no other adapter.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: DeserializeOwned> Stream for Rows<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(decode(item.get())));
            }
            match ready!(Pin::new(&mut self.pages).poll_next(context)) {
                Some(Ok(page)) => {
                    for warning in &page.warnings {
                        tracing::warn!(page = page.number, "{warning}");
                    }
                    self.items = page.items.into_iter();
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("at_hand", &self.items.len()).finish_non_exhaustive()
    }
}
