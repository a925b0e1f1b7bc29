//! The sandbox's own time: the clock of the machine, moved.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use hyper::header::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use sesame_core::Clock;

/// A clock that runs at the pace of another one, some time before or after it.
///
/// Codes, tokens, bans and the `Date` header follow it, so that half a year passes by one call of
/// the control API.
pub(crate) struct SandboxClock {
    base: Arc<dyn Clock>,
    /// How far this clock is ahead, in milliseconds.
    ahead: AtomicI64,
}

/// The furthest the clock may be moved: 200 years either way, well inside what dates can hold.
const FURTHEST: i64 = 200 * 366 * 86_400_000;

impl SandboxClock {
    pub(crate) fn new(base: Arc<dyn Clock>, now: Option<Timestamp>) -> Self {
        let clock = Self { base, ahead: AtomicI64::new(0) };
        if let Some(now) = now {
            clock.set(now);
        }
        clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead.load(Ordering::Relaxed));
        // Cannot leave the range of timestamps: `ahead` is bounded. If the base clock is absurd, stay with it.
        let base = self.base.now();
        base.checked_add(ahead).unwrap_or(base)
    }

    /// Sets the clock; it runs on from there.
    pub(crate) fn set(&self, now: Timestamp) {
        let ahead = now.as_millisecond() - self.base.now().as_millisecond();
        self.ahead.store(ahead.clamp(-FURTHEST, FURTHEST), Ordering::Relaxed);
    }

    /// Moves the clock on, or back.
    pub(crate) fn advance(&self, milliseconds: i64) {
        let ahead = self.ahead.load(Ordering::Relaxed).saturating_add(milliseconds);
        self.ahead.store(ahead.clamp(-FURTHEST, FURTHEST), Ordering::Relaxed);
    }

    /// Goes back to the time of the machine.
    pub(crate) fn follow_machine(&self) {
        self.ahead.store(0, Ordering::Relaxed);
    }

    /// Returns how far the clock is ahead of the machine's, in milliseconds.
    pub(crate) fn ahead_ms(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Returns the `Date` header, `shift` seconds off.
    pub(crate) fn date(&self, shift: i64) -> HeaderValue {
        let now = self.now();
        let at = now.checked_add(SignedDuration::from_secs(shift)).unwrap_or(now);
        let text = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        // Digits, letters and spaces only, so this cannot fail.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
    }

    /// Returns the clock underneath, for sleeping and random bytes.
    pub(crate) fn base(&self) -> &Arc<dyn Clock> {
        &self.base
    }
}

impl fmt::Debug for SandboxClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SandboxClock({} ms ahead)", self.ahead_ms())
    }
}

/// Returns the milliseconds since the epoch.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Returns the time `seconds` later.
pub(crate) fn after(at: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).min(FURTHEST / 1_000);
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// Returns the whole seconds from `now` to `end`; 0 when it is over.
pub(crate) fn seconds_left(end: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(end.duration_since(now).as_secs()).unwrap_or(0)
}
