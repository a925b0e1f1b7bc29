//! The generic cell rate algorithm: one number per counter, no background work.
//!
//! The number is the *theoretical arrival time*: when the next call would come if all calls came
//! evenly. A call may come earlier than that by as much as the burst allows. Whoever counts keeps the
//! number; times are nanoseconds of one clock, whichever.
//!
//! ```
//! use std::time::Duration;
//!
//! use sesame_core::gcra::Limit;
//!
//! let limit = Limit::new(Duration::from_secs(1), 2);
//! let mut arrival = 0;
//! for expected in [0, 0, 1_000_000_000] {
//!     assert_eq!(limit.wait(arrival, 0), expected);
//!     arrival = limit.next(arrival, 0);
//! }
//! ```

use std::time::Duration;

/// A rate: one call each `interval`, of which `burst` may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    interval: Duration,
    burst: u32,
}

impl Limit {
    /// Creates a limit. An interval under a microsecond and a burst of zero are raised to these.
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self { interval: interval.max(Duration::from_micros(1)), burst: burst.max(1) }
    }

    /// Turns "`calls` in `window`" into a rate.
    ///
    /// A window of up to a minute gets a burst of a tenth: the gateway counts fixed windows, and a
    /// full burst beside a full refill would be twice what it allows. For a day the whole number
    /// may come at once: nobody wants a morning's 500 calls spread over the day.
    pub fn calls_in(calls: u64, window: Duration) -> Self {
        let calls = u32::try_from(calls.max(1)).unwrap_or(u32::MAX);
        let burst = if window <= Duration::from_mins(1) { calls / 10 } else { calls };
        Self::new(window / calls, burst)
    }

    /// Returns `true` if this allows fewer calls in the long run.
    pub fn is_slower_than(self, other: Self) -> bool {
        self.interval > other.interval
    }

    /// Returns how long a call at `now` has to wait; times are nanoseconds of one clock.
    #[must_use]
    pub fn wait(self, arrival: i128, now: i128) -> i128 {
        let tolerance = self.interval.as_nanos().cast_signed() * i128::from(self.burst - 1);
        (arrival - tolerance - now).max(0)
    }

    /// Returns the arrival time after a call at `now` was counted.
    #[must_use]
    pub fn next(self, arrival: i128, now: i128) -> i128 {
        arrival.max(now) + self.interval.as_nanos().cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use governor::{Quota, RateLimiter, clock::FakeRelativeClock};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The same decisions as `governor`, whatever the rate and the gaps between calls.
        #[test]
        fn decides_as_governor_does(
            interval in 1_u64..2_000_000,
            burst in 1_u32..50,
            gaps in proptest::collection::vec(0_u64..4_000_000, 1..200),
        ) {
            let interval = Duration::from_micros(interval);
            let clock = FakeRelativeClock::default();
            let quota = Quota::with_period(interval).unwrap().allow_burst(burst.try_into().unwrap());
            let oracle = RateLimiter::direct_with_clock(quota, clock.clone());
            let limit = Limit::new(interval, burst);
            let (mut now, mut arrival) = (0_i128, 0_i128);
            for gap in gaps {
                clock.advance(Duration::from_micros(gap));
                now += i128::from(gap) * 1_000;
                let ours = limit.wait(arrival, now) == 0;
                if ours {
                    arrival = limit.next(arrival, now);
                }
                prop_assert_eq!(ours, oracle.check().is_ok(), "at {} ns", now);
            }
        }

        /// Whoever waits as long as told is let in, and not a nanosecond earlier.
        #[test]
        fn waits_are_exact(interval in 1_u64..1_000_000, burst in 1_u32..20, calls in 1_usize..100) {
            let limit = Limit::new(Duration::from_micros(interval), burst);
            let (mut now, mut arrival) = (0_i128, 0_i128);
            for _ in 0..calls {
                let wait = limit.wait(arrival, now);
                if wait > 0 {
                    prop_assert!(limit.wait(arrival, now + wait - 1) > 0);
                }
                now += wait;
                prop_assert_eq!(limit.wait(arrival, now), 0);
                arrival = limit.next(arrival, now);
            }
        }
    }

    #[test]
    fn windows_become_rates() {
        assert_eq!(Limit::calls_in(50, Duration::from_secs(1)), Limit::new(Duration::from_millis(20), 5));
        assert_eq!(Limit::calls_in(1, Duration::from_secs(1)), Limit::new(Duration::from_secs(1), 1));
        assert_eq!(
            Limit::calls_in(5_000, Duration::from_hours(24)),
            Limit::new(Duration::from_millis(17_280), 5_000)
        );
        assert_eq!(Limit::calls_in(0, Duration::from_secs(1)), Limit::new(Duration::from_secs(1), 1));
    }
}
