//! How fast the refreshes of each app may follow each other: one rate per app key, and a growing pause
//! after failures.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use sesame_core::{Error, ErrorKind, gcra::Limit};

use crate::model::{lock, millis};

/// An app has at most this many seconds' worth of its rate under way: one whose calls hang leaves the
/// others their share of the keeper's places.
const SECONDS_UNDER_WAY: u32 = 3;
/// The pause when too many calls are under way.
const CROWDED: Duration = Duration::from_secs(1);
/// The pause after a failure; each consecutive one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause that a platform may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);
/// Idle apps are forgotten when there are more than this.
const MAX_APPS: usize = 4_096;

/// The limiters of all apps of a keeper. Times are milliseconds since 1970.
#[derive(Debug)]
pub(super) struct AppLimiter {
    limit: Limit,
    /// The time between two refreshes of one app in the long run, in nanoseconds.
    interval: i128,
    max_under_way: usize,
    /// By what the platform counts calls by.
    apps: HashMap<Arc<str>, LimitedApp>,
}

#[derive(Debug, Default)]
struct LimitedApp {
    /// The theoretical arrival time, see [`sesame_core::gcra`]; nanoseconds since 1970.
    arrival: i128,
    /// Rows that have to wait got slots up to this time; nanoseconds since 1970.
    booked: i128,
    under_way: usize,
    consecutive_failures: u32,
    paused_until: i64,
}

/// How a call ended, as far as its app is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallEnd {
    /// The platform works: it gave tokens, or refused this shop.
    Answered,
    /// It did not answer, refuses the app, or asks for a pause.
    Failed { asked: Duration },
}

impl CallEnd {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Authorization | ErrorKind::Token => Self::Answered,
            _ => Self::Failed { asked: error.retry_after().unwrap_or_default() },
        }
    }
}

/// Why a refresh may not begin yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// Milliseconds since 1970.
    pub(super) until: i64,
    /// `true` if it only waits for others of its app, not for the end of a pause.
    pub(super) is_throttled: bool,
}

impl AppLimiter {
    /// Creates limiters that let a second's worth of `per_app` refreshes begin at once.
    pub(super) fn new(per_app: u32) -> Self {
        let per_app = per_app.max(1);
        let interval = Duration::from_secs(1) / per_app;
        let max_under_way = usize::try_from(per_app.saturating_mul(SECONDS_UNDER_WAY)).unwrap_or(usize::MAX);
        Self {
            limit: Limit::new(interval, per_app),
            interval: interval.as_nanos().cast_signed(),
            max_under_way,
            apps: HashMap::new(),
        }
    }

    /// Counts a refresh of an app that begins at `now`, or says until when it waits.
    fn acquire(&mut self, key: &Arc<str>, now: i64) -> Result<(), Wait> {
        let now = nanos(now);
        if self.apps.len() > MAX_APPS && !self.apps.contains_key(key) {
            self.apps.retain(|_, app| app.under_way > 0 || app.paused_until > 0 || app.booked > now);
        }
        let app = self.apps.entry(key.clone()).or_default();
        let paused = nanos(app.paused_until) - now;
        let crowded = if app.under_way >= self.max_under_way { CROWDED.as_nanos().cast_signed() } else { 0 };
        let wait = self.limit.wait(app.arrival, now).max(paused).max(crowded);
        if wait <= 0 {
            app.arrival = self.limit.next(app.arrival, now);
            app.under_way += 1;
            return Ok(());
        }
        // Each row that waits gets a slot of its own, so that it is looked at once more and not polled.
        let slot = app.booked.max(now + wait);
        app.booked = slot + self.interval;
        Err(Wait { until: millis_after(slot), is_throttled: paused <= 0 })
    }

    fn release(&mut self, key: &str) {
        if let Some(app) = self.apps.get_mut(key) {
            app.under_way = app.under_way.saturating_sub(1);
        }
    }

    fn record(&mut self, key: &str, end: CallEnd, now: i64) {
        let Some(app) = self.apps.get_mut(key) else { return };
        let CallEnd::Failed { asked } = end else {
            (app.consecutive_failures, app.paused_until) = (0, 0);
            return;
        };
        // Those that were under way when the pause began say nothing new.
        let mut pause = asked.min(LONGEST_ASKED);
        if now >= app.paused_until {
            let doublings = app.consecutive_failures.min(16);
            app.consecutive_failures += 1;
            pause = pause.max((FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE));
        }
        app.paused_until = app.paused_until.max(now.saturating_add(millis(pause)));
    }

    /// Forgets all times: the clock that they are of was wrong.
    pub(super) fn forget_times(&mut self) {
        for app in self.apps.values_mut() {
            *app = LimitedApp { under_way: app.under_way, ..LimitedApp::default() };
        }
    }
}

fn nanos(millis: i64) -> i128 {
    i128::from(millis) * 1_000_000
}

/// Rounds up: a row that came a little before its slot would miss it.
fn millis_after(nanos: i128) -> i64 {
    i64::try_from((nanos + 999_999) / 1_000_000).unwrap_or(i64::MAX)
}

/// Leave for one refresh of an app; given back on drop.
#[derive(Debug)]
pub(super) struct Permit {
    limiter: Arc<Mutex<AppLimiter>>,
    app: Arc<str>,
}

impl Permit {
    /// Acquires a permit for a refresh at `now`.
    pub(super) fn acquire(limiter: &Arc<Mutex<AppLimiter>>, app: &Arc<str>, now: i64) -> Result<Self, Wait> {
        lock(limiter).acquire(app, now)?;
        Ok(Self { limiter: limiter.clone(), app: app.clone() })
    }

    /// Gives the permit back and records how the call ended.
    pub(super) fn release(self, end: CallEnd, now: i64) {
        lock(&self.limiter).record(&self.app, end, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.limiter).release(&self.app);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: CallEnd = CallEnd::Failed { asked: Duration::ZERO };

    fn key(key: &str) -> Arc<str> {
        key.into()
    }

    #[test]
    fn an_app_has_a_burst_and_then_its_rate_and_those_that_wait_get_slots_of_their_own() {
        let mut limiter = AppLimiter::new(5);
        let app = key("lazada 500100");
        let now = 1_000_000;
        let outcomes: Vec<_> = (0..500).map(|_| limiter.acquire(&app, now)).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
        let slots: Vec<i64> = outcomes.into_iter().filter_map(Result::err).map(|wait| wait.until).collect();
        assert_eq!(slots[0], now + 200);
        assert!(slots.windows(2).all(|pair| pair[1] - pair[0] == 200));
        // Each comes at its slot and goes at once.
        for slot in slots {
            limiter.release(&app);
            assert_eq!(limiter.acquire(&app, slot), Ok(()), "{slot}");
        }
        assert_eq!(limiter.acquire(&key("lazada 500101"), now), Ok(()), "another app is not concerned");
    }

    #[test]
    fn no_second_sees_more_than_twice_the_rate() {
        let mut limiter = AppLimiter::new(7);
        let app = key("lazada 500100");
        let mut went = Vec::new();
        for now in 0..20_000 {
            if limiter.acquire(&app, now).is_ok() {
                limiter.release(&app);
                went.push(now);
            }
        }
        for (at, begun) in went.iter().enumerate() {
            let in_a_second = went[at..].iter().take_while(|now| **now < begun + 1_000).count();
            assert!(in_a_second <= 14, "{in_a_second} from {begun}");
        }
        assert!((140..=147).contains(&went.len()), "{}", went.len());
    }

    #[test]
    fn an_app_that_hangs_takes_a_few_places_and_no_more() {
        let mut limiter = AppLimiter::new(5);
        let app = key("lazada 500100");
        let begun = (0..60_000).filter(|now| limiter.acquire(&app, *now).is_ok()).count();
        assert_eq!(begun, 15);
        assert!(limiter.acquire(&app, 60_000).unwrap_err().is_throttled);
    }

    #[test]
    fn pauses_grow_with_consecutive_failures_and_end_with_a_success() {
        let mut limiter = AppLimiter::new(1_000);
        let app = key("lazada 500100");
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..12 {
            // Several were under way: together they count once.
            for _ in 0..5 {
                limiter.acquire(&app, now).unwrap();
            }
            for _ in 0..5 {
                limiter.release(&app);
                limiter.record(&app, FAILED, now);
            }
            limiter.apps.get_mut(&app).unwrap().booked = 0;
            let wait = limiter.acquire(&app, now).unwrap_err();
            assert!(!wait.is_throttled);
            pauses.push(wait.until - now);
            now = wait.until;
        }
        assert_eq!(pauses[..4], [200, 400, 800, 1_600]);
        assert_eq!(pauses[9..], [60_000, 60_000, 60_000]);
        limiter.acquire(&app, now).unwrap();
        limiter.record(&app, CallEnd::Answered, now);
        limiter.record(&app, FAILED, now);
        assert_eq!(limiter.apps[&app].paused_until, now + 200);
    }

    #[test]
    fn a_platform_that_asks_for_a_pause_gets_it_up_to_an_hour() {
        let mut limiter = AppLimiter::new(5);
        let app = key("lazada 500100");
        limiter.acquire(&app, 0).unwrap();
        limiter.record(&app, CallEnd::Failed { asked: Duration::from_mins(5) }, 0);
        assert_eq!(limiter.acquire(&app, 1_000), Err(Wait { until: 300_000, is_throttled: false }));
        assert_eq!(limiter.acquire(&app, 1_000), Err(Wait { until: 300_200, is_throttled: false }));
        assert_eq!(limiter.acquire(&app, 300_000), Ok(()));
        limiter.record(&app, CallEnd::Failed { asked: Duration::from_hours(9) }, 300_000);
        assert_eq!(limiter.apps[&app].paused_until, 300_000 + 3_600_000);
        // The clock was set back by more than that.
        limiter.forget_times();
        assert_eq!(limiter.acquire(&app, 0), Ok(()));
    }
}
