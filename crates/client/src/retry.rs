//! Whether a call is repeated: only what is safe, bounded by attempts, time and a budget.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use sesame_catalog::Safety;
use sesame_core::{Clock, Error, ErrorKind, Retry};

use crate::options::CallOptions;

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Return the error.
    GiveUp(GiveUpReason),
    /// Get another access token, then send again at once.
    Refresh,
    /// Correct the clock, then send again at once.
    SetClock,
    /// Send again after this time.
    Wait(Duration),
}

/// GiveUpReason a call is not repeated; shown to people where it is not plain from the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GiveUpReason {
    /// It would fail in the same way.
    Permanent,
    /// The platform may have carried it out, and twice is worse than once.
    Unsafe,
    /// All attempts are used up.
    Attempts,
    /// The time of the call would run out first.
    Time,
    /// Too many calls of this client were repeated lately.
    Budget,
}

impl GiveUpReason {
    /// Puts the reason beside the hint that the error has.
    pub(crate) fn tell(self, error: Error, attempts: u32) -> Error {
        let why = match self {
            Self::Unsafe => "It was not sent again, because it may have been carried out: look first, then repeat it by hand if nothing happened.".to_owned(),
            Self::Attempts if attempts > 1 => format!("It was sent {attempts} times."),
            Self::Time if attempts > 1 => format!("It was sent {attempts} times; the time of the call does not allow another."),
            Self::Time => "The time of the call does not allow another attempt.".to_owned(),
            Self::Budget => "It was not repeated: too many calls failed lately, and repeats would add to the load.".to_owned(),
            Self::Permanent | Self::Attempts => return error,
        };
        let hint = match error.hint() {
            Some(hint) if !hint.is_empty() => format!("{hint} {why}"),
            _ => why,
        };
        error.with_hint(hint)
    }
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// How often the request was sent.
    pub(crate) made: u32,
    /// Attempts that failed for reasons which repeats are counted for.
    failed: u32,
    most: u32,
    deadline: Timestamp,
    refreshed: bool,
    clock_set: bool,
}

impl Attempts {
    pub(crate) fn new(options: &CallOptions, now: Timestamp) -> Self {
        Self {
            made: 0,
            failed: 0,
            most: options.max_attempts(),
            // A day fits into every time the clock can show.
            deadline: now.checked_add(options.whole()).unwrap_or(Timestamp::MAX),
            refreshed: false,
            clock_set: false,
        }
    }

    /// Returns the time that is left.
    pub(crate) fn left(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.deadline.duration_since(now)).unwrap_or_default()
    }

    /// Decides.
    pub(crate) fn next(&mut self, error: &Error, safety: Safety, budget: &Budget, clock: &dyn Clock) -> Next {
        // First of all: an ambiguous write is never sent twice.
        if error.is_ambiguous() && safety == Safety::Write {
            return Next::GiveUp(GiveUpReason::Unsafe);
        }
        self.failed += 1;
        let wait = match error.retry() {
            Retry::AfterRefresh if self.refreshed => return Next::GiveUp(GiveUpReason::Permanent),
            Retry::AfterRefresh => {
                self.refreshed = true;
                self.failed -= 1;
                return Next::Refresh;
            }
            Retry::AfterClock if self.clock_set => return Next::GiveUp(GiveUpReason::Permanent),
            Retry::AfterClock => {
                self.clock_set = true;
                self.failed -= 1;
                return Next::SetClock;
            }
            Retry::After(wait) => wait,
            Retry::Backoff => backoff(error.kind(), self.failed, clock.jitter()),
            // Never, and what this does not know.
            _ => return Next::GiveUp(GiveUpReason::Permanent),
        };
        if self.failed >= self.most {
            return Next::GiveUp(GiveUpReason::Attempts);
        }
        if wait >= self.left(clock.now()) {
            return Next::GiveUp(GiveUpReason::Time);
        }
        if !budget.withdraw() {
            return Next::GiveUp(GiveUpReason::Budget);
        }
        Next::Wait(wait)
    }
}

/// A pause that grows with each failure, somewhere between nothing and its limit (full jitter), so
/// that callers which failed together do not return together. A refused rate gets at least half.
fn backoff(kind: ErrorKind, failed: u32, jitter: f64) -> Duration {
    let (first, longest, least) = match kind {
        ErrorKind::Quota => (Duration::from_secs(1), Duration::from_mins(1), 0.5),
        _ => (Duration::from_millis(200), Duration::from_secs(10), 0.0),
    };
    let limit = first.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(longest);
    limit.mul_f64(least + jitter * (1.0 - least))
}

/// How many repeats a client may add to its calls: each call pays in a tenth of a repeat.
///
/// When a platform fails altogether, repeats then add 10 % to the load and not 300 %.
#[derive(Debug)]
pub(crate) struct Budget {
    tenths: AtomicU32,
}

impl Budget {
    /// Ten repeats, which are also there at the start.
    const MOST: u32 = 100;
    const REPEAT: u32 = 10;

    pub(crate) fn new() -> Self {
        Self { tenths: AtomicU32::new(Self::MOST) }
    }

    /// A call begins.
    pub(crate) fn deposit(&self) {
        // Mostly full: then nothing is written, so that threads do not contend for the line.
        if self.tenths.load(Ordering::Relaxed) < Self::MOST {
            self.tenths.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes out one repeat, if there is one.
    fn withdraw(&self) -> bool {
        self.tenths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tenths| tenths.checked_sub(Self::REPEAT))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sesame_core::BoxFuture;

    use super::*;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
        fn random(&self, buffer: &mut [u8]) {
            buffer.fill(0x80);
        }
    }

    fn attempts() -> Attempts {
        Attempts::new(&CallOptions::default(), Timestamp::UNIX_EPOCH)
    }

    /// Every kind of error, ambiguous or not, against every safety.
    #[test]
    fn the_matrix() {
        use ErrorKind as K;
        let kinds = [
            (K::Usage, false),
            (K::Signature, false),
            (K::App, false),
            (K::Permission, false),
            (K::Argument, false),
            (K::UnknownApi, false),
            (K::Business, false),
            (K::Authorization, false),
            (K::Local, false),
            (K::Quota, true),
            (K::Platform, true),
            (K::Envelope, true),
            (K::Network, true),
            (K::Timeout, true),
        ];
        for (kind, repeated) in kinds {
            for safety in [Safety::Read, Safety::Idempotent, Safety::Write] {
                for ambiguous in [false, true] {
                    let error = Error::new(kind, "").with_ambiguity(ambiguous);
                    let next = attempts().next(&error, safety, &Budget::new(), &Still);
                    let expected = repeated && !(ambiguous && safety == Safety::Write);
                    assert_eq!(
                        matches!(next, Next::Wait(_)),
                        expected,
                        "{kind} {safety:?} ambiguous={ambiguous}: {next:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn tokens_and_clocks_get_one_more_chance_each() {
        let (mut attempts, budget) = (attempts(), Budget::new());
        let (token, clock) = (Error::new(ErrorKind::Token, ""), Error::new(ErrorKind::Clock, ""));
        assert_eq!(attempts.next(&token, Safety::Write, &budget, &Still), Next::Refresh);
        assert_eq!(attempts.next(&clock, Safety::Write, &budget, &Still), Next::SetClock);
        assert_eq!(
            attempts.next(&token, Safety::Write, &budget, &Still),
            Next::GiveUp(GiveUpReason::Permanent)
        );
        assert_eq!(
            attempts.next(&clock, Safety::Write, &budget, &Still),
            Next::GiveUp(GiveUpReason::Permanent)
        );
    }

    #[test]
    fn attempts_time_and_budget_end() {
        let failed = Error::new(ErrorKind::Platform, "");
        let (mut some, budget) = (attempts(), Budget::new());
        for _ in 0..3 {
            assert!(matches!(some.next(&failed, Safety::Read, &budget, &Still), Next::Wait(_)));
        }
        assert_eq!(some.next(&failed, Safety::Read, &budget, &Still), Next::GiveUp(GiveUpReason::Attempts));

        let banned = Error::new(ErrorKind::Quota, "").with_retry(Retry::After(Duration::from_secs(61)));
        assert_eq!(attempts().next(&banned, Safety::Read, &budget, &Still), Next::GiveUp(GiveUpReason::Time));

        for _ in 0..7 {
            assert!(budget.withdraw());
        }
        assert_eq!(
            attempts().next(&failed, Safety::Read, &budget, &Still),
            Next::GiveUp(GiveUpReason::Budget)
        );
        for _ in 0..10 {
            budget.deposit();
        }
        assert!(matches!(attempts().next(&failed, Safety::Read, &budget, &Still), Next::Wait(_)));
    }

    proptest! {
        #[test]
        fn pauses_grow_and_stay_bounded(failed in 1_u32..100, jitter in 0.0..1.0_f64) {
            prop_assert!(backoff(ErrorKind::Platform, failed, jitter) <= Duration::from_secs(10));
            let quota = backoff(ErrorKind::Quota, failed, jitter);
            prop_assert!(quota >= Duration::from_millis(500) && quota <= Duration::from_mins(1));
        }

        /// However calls fail, repeats stay within a tenth of the calls, plus the ten at hand.
        #[test]
        fn repeats_stay_within_the_budget(calls in 1_u32..500) {
            let budget = Budget::new();
            let mut repeats = 0;
            for _ in 0..calls {
                budget.deposit();
                while budget.withdraw() {
                    repeats += 1;
                }
            }
            prop_assert!(repeats >= 10, "the ten at hand are granted");
            prop_assert!(repeats + 1 >= 10 + calls / 10, "and a tenth of the calls");
            prop_assert!(repeats <= 10 + calls / 10);
        }
    }
}
