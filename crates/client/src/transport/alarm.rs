//! The timer of a connection.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that lives as long as its connection.
///
/// A new timer for every call takes a lock of the runtime twice, and wakes its driver when no other
/// timer is there. To put a timer off, which is what the next call on a connection does, takes
/// neither.
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Works until it is done or the time has come; then there is nothing.
    pub(super) async fn limit<T>(&mut self, deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut alarm = self.0.as_mut();
        alarm.as_mut().reset(deadline);
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}
