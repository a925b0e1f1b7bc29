//! Pages of rows as a stream of rows.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use sesame_core::{BoxFuture, Result};

use crate::Page;

/// What gives pages of rows.
pub(crate) trait Reader: Send + 'static {
    type Row: Send;

    fn next_page(&mut self) -> impl Future<Output = Option<Result<Page<Self::Row>>>> + Send;
}

/// A list that is opened when its first row is asked for.
pub(crate) enum Lazy<R> {
    Closed(Option<BoxFuture<'static, Result<R>>>),
    Open(R),
}

impl<R: Reader> Lazy<R> {
    pub(crate) fn new(open: impl Future<Output = Result<R>> + Send + 'static) -> Self {
        Self::Closed(Some(Box::pin(open)))
    }
}

impl<R: Reader> Reader for Lazy<R> {
    type Row = R::Row;

    async fn next_page(&mut self) -> Option<Result<Page<R::Row>>> {
        if let Self::Closed(open) = self {
            match open.take()?.await {
                Ok(reader) => *self = Self::Open(reader),
                Err(error) => return Some(Err(error)),
            }
        }
        let Self::Open(reader) = self else { return None };
        reader.next_page().await
    }
}

type Turn<R> = (Box<R>, Option<Result<Page<<R as Reader>::Row>>>);

enum Step<R: Reader> {
    Idle(Box<R>),
    Busy(BoxFuture<'static, Turn<R>>),
    Over,
}

/// The rows of a list. An error ends it.
pub struct Rows<T> {
    inner: Pin<Box<dyn Stream<Item = Result<T>> + Send>>,
}

impl<T: Send + 'static> Rows<T> {
    pub(crate) fn new(reader: impl Reader<Row = T>) -> Self {
        Self { inner: Box::pin(Steps { step: Step::Idle(Box::new(reader)), rows: VecDeque::new() }) }
    }

    /// Fetches the next row.
    pub async fn next(&mut self) -> Option<Result<T>> {
        std::future::poll_fn(|context| self.inner.as_mut().poll_next(context)).await
    }
}

impl<T> Stream for Rows<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.inner.as_mut().poll_next(context)
    }
}

impl<T> std::fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

struct Steps<R: Reader> {
    step: Step<R>,
    rows: VecDeque<R::Row>,
}

// Nothing in it is pinned by its address.
impl<R: Reader> Unpin for Steps<R> {}

impl<R: Reader> Stream for Steps<R> {
    type Item = Result<R::Row>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(row) = self.rows.pop_front() {
                return Poll::Ready(Some(Ok(row)));
            }
            match std::mem::replace(&mut self.step, Step::Over) {
                Step::Over => return Poll::Ready(None),
                Step::Idle(mut reader) => {
                    self.step = Step::Busy(Box::pin(async move {
                        let page = reader.next_page().await;
                        (reader, page)
                    }));
                }
                Step::Busy(mut busy) => match busy.as_mut().poll(context) {
                    Poll::Pending => {
                        self.step = Step::Busy(busy);
                        return Poll::Pending;
                    }
                    Poll::Ready((reader, Some(Ok(page)))) => {
                        self.rows.extend(page.rows);
                        self.step = Step::Idle(reader);
                    }
                    Poll::Ready((_, Some(Err(error)))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready((_, None)) => return Poll::Ready(None),
                },
            }
        }
    }
}
