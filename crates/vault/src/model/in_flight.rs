//! Counts exchanges of tokens that are in flight, so that a process can wait for them before it ends.

use std::sync::Arc;

use tokio::sync::watch;

/// The number of exchanges in flight. Cheap to clone; all clones count together.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<watch::Sender<usize>>);

impl InFlight {
    /// Counts one more until the guard is dropped.
    pub(crate) fn begin(&self) -> InFlightGuard {
        self.0.send_modify(|count| *count += 1);
        InFlightGuard(self.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Waits until there are none.
    pub(crate) async fn settle(&self) {
        let mut count = self.0.subscribe();
        // The sender lives as long as this counter, so waiting cannot fail.
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

/// Counts as in flight while it lives.
pub(crate) struct InFlightGuard(InFlight);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
