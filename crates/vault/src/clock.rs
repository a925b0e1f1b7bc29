//! The real clock.

use std::time::Duration;

use jiff::Timestamp;
use sesame_core::{BoxFuture, Clock};

/// The clock, the timer and the random source of this machine: the only [`Clock`] outside tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else asks")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[cfg(target_os = "linux")]
    fn coarse_millis(&self) -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else asks")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else asks")]
    fn random(&self, buffer: &mut [u8]) {
        // Without randomness there are no safe nonces and no `state`; going on would be worse than ending.
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}
