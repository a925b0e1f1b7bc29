//! Time, sleep and randomness, as one thing that tests can replace.

use std::{fmt::Debug, time::Duration};

use jiff::Timestamp;

use crate::BoxFuture;

/// Where time, sleep and randomness come from.
///
/// Nothing else in the product asks the operating system for them; `clippy.toml` sees to it. So
/// every timeout, token life and back-off can be tested in virtual time.
pub trait Clock: Debug + Send + Sync {
    /// Returns the present time.
    fn now(&self) -> Timestamp;

    /// Returns the present time in milliseconds since 1970, up to 10 milliseconds late: for what every
    /// call asks, where a whole look at the clock would be a third of the time.
    fn coarse_millis(&self) -> i64 {
        self.now().as_millisecond()
    }

    /// Waits for `duration` of this clock's time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Fills `buffer` with random bytes fit for keys and nonces.
    fn random(&self, buffer: &mut [u8]);

    /// Returns a number in `0.0..1.0` for jitter.
    fn jitter(&self) -> f64 {
        let mut bytes = [0; 4];
        self.random(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}
