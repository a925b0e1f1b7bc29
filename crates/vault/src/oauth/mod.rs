//! The OAuth of the three families: authorize URL, callback, token calls, token replies.

pub(crate) mod authorize;
pub(crate) mod callback;
pub(crate) mod calls;
mod exchange;
pub(crate) mod reply;
#[cfg(test)]
mod vectors;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sesame_core::{Clock, Transport};

/// How long one call to a token service may take, unless configured.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long store and journal are tried for a reply to be kept.
const STORING: Duration = Duration::from_secs(30);

/// The token services of the platforms.
pub(crate) struct TokenEndpoint {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    /// How long one call may take, in seconds.
    timeout: AtomicU64,
}

impl TokenEndpoint {
    pub(crate) const fn new(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self { transport, clock, timeout: AtomicU64::new(CALL_TIMEOUT.as_secs()) }
    }

    /// Sets how long one call may take: at least 5 seconds, at most 60.
    pub(crate) fn set_timeout(&self, timeout: Duration) {
        self.timeout.store(timeout.as_secs().clamp(5, 60), Ordering::Relaxed);
    }

    /// Returns how long an exchange takes at most, with the writing of its reply.
    pub(crate) fn longest(&self) -> Duration {
        self.longest_exchange() + STORING
    }

    /// Returns how long an exchange takes at most, with all its calls.
    fn longest_exchange(&self) -> Duration {
        self.timeout() * 2
    }

    /// Returns how long the lease of a refresh lasts: its calls, the writing of the reply, and some
    /// seconds for clocks that differ.
    pub(crate) fn lease(&self) -> Duration {
        self.longest() + Duration::from_secs(5)
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.load(Ordering::Relaxed))
    }
}
