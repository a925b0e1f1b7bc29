//! The timer of a connection.

use std::{future::poll_fn, pin::Pin, task::Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that lives as long as its connection.
///
/// A new timer for every call takes a lock of the runtime twice, and wakes its driver when no other
/// timer is there. To put a timer off, which is what the next call on a connection does, takes
/// neither.
pub(crate) struct Deadline(Pin<Box<Sleep>>);

impl Deadline {
    pub(crate) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Sets the time for all work from here on.
    pub(crate) fn set(&mut self, deadline: Instant) {
        self.0.as_mut().reset(deadline);
    }

    /// Works until it is done or the time has come; then there is nothing.
    /// The work is pinned by the caller: an `async` function would hold what is moved into it twice.
    pub(crate) fn limit<'a, F: Future>(
        &'a mut self,
        mut work: Pin<&'a mut F>,
    ) -> impl Future<Output = Option<F::Output>> + 'a {
        poll_fn(move |context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.0.as_mut().poll(context).map(|()| None),
        })
    }
}
