//! One lane an app key: how fast its refreshes may follow each other, and how many may be under way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use sesame_core::{Error, ErrorKind};

use crate::{schedule::AHEAD, vault::lock};

/// From so many failures in a row on an app is only sounded out.
const TROUBLED: u32 = 8;
/// How many calls of an app in trouble may be under way.
const SOUNDINGS: usize = 2;
/// An app of which nothing was heard for so long, while calls are under way, may be hanging.
const SILENT: i64 = 3_000;
/// How long at least the rows of an app wait that has no room; the longest wait is three times that.
const NO_ROOM: i64 = 5_000;
const IN_TROUBLE: i64 = 30_000;
/// Lanes are swept when there are more than this.
const SWEPT_AT: usize = 4_096;

/// The lanes of a keeper. Times are milliseconds since 1970, or microseconds where a name says so.
#[derive(Debug)]
pub(super) struct Lanes {
    interval_micros: i64,
    burst_micros: i64,
    in_flight: usize,
    /// By what the platform counts calls by.
    of_apps: HashMap<Arc<str>, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    /// GCRA's theoretical arrival time.
    arrival_micros: i64,
    /// Up to when rows that had to wait were given slots.
    booked_micros: i64,
    under_way: usize,
    /// When a call last came back, or the first of those under way began.
    heard_at: i64,
    /// Failures in a row that are not a single shop's.
    failures: u32,
    /// The platform asked for quiet until then.
    closed_until: i64,
}

/// How a call ended, as far as the lane of its app is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The platform works: it gave tokens, or refused this shop.
    Well,
    /// It did not answer, or refuses the app.
    Badly,
    /// It asks for quiet.
    Quiet(Duration),
}

/// Why and until when a refresh waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// In milliseconds since 1970.
    pub(super) until: i64,
    /// Others of its app go first, and that is all.
    pub(super) is_paced: bool,
}

/// Rows that wait for others of their app: how many, and the last one's time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paced {
    pub(super) count: u64,
    pub(super) until: i64,
}

impl Paced {
    pub(super) fn add(&mut self, until: i64) {
        self.merge(Self { count: 1, until });
    }

    pub(super) fn merge(&mut self, more: Self) {
        self.count += more.count;
        self.until = self.until.max(more.until);
    }
}

impl Ended {
    pub(super) fn of(error: &Error) -> Self {
        match (error.kind(), error.retry_after()) {
            (ErrorKind::Quota, Some(wait)) => Self::Quiet(wait),
            (ErrorKind::Authorization | ErrorKind::Token, _) => Self::Well,
            _ => Self::Badly,
        }
    }
}

impl Lane {
    /// Forgets times of a clock that was ahead and has been set back since.
    fn forget_from_ahead(&mut self, now: i64) {
        let latest = now.saturating_add(AHEAD);
        if self.arrival_micros.max(self.closed_until.saturating_mul(1_000)) > latest.saturating_mul(1_000) {
            (self.arrival_micros, self.booked_micros, self.closed_until) = (0, 0, 0);
        }
        self.heard_at = self.heard_at.min(latest);
    }
}

impl Lanes {
    /// `per_app` is at least 1; a second's worth of refreshes may come at once.
    pub(super) fn new(per_app: u32, in_flight: usize) -> Self {
        let interval_micros = 1_000_000 / i64::from(per_app.max(1));
        Self {
            interval_micros,
            burst_micros: 1_000_000 - interval_micros,
            in_flight,
            of_apps: HashMap::new(),
        }
    }

    /// Lets one refresh of an app go at `now`. `Err`: how long it waits. `chance` in
    /// `0.0..1.0` spreads those that wait for room.
    fn enter(&mut self, app: &Arc<str>, now: i64, chance: f64) -> Result<(), Wait> {
        if self.of_apps.len() > SWEPT_AT && !self.of_apps.contains_key(app) {
            let past = now.saturating_mul(1_000);
            self.of_apps.retain(|_, lane| {
                lane.under_way > 0 || lane.failures > 0 || lane.arrival_micros.max(lane.booked_micros) > past
            });
        }
        let (interval, burst) = (self.interval_micros, self.burst_micros);
        let lane = self.of_apps.entry(app.clone()).or_default();
        lane.forget_from_ahead(now);
        let in_trouble = lane.failures >= TROUBLED;
        let is_silent = lane.under_way > 0 && now.saturating_sub(lane.heard_at) > SILENT;
        let room = match (in_trouble, is_silent) {
            (true, _) => SOUNDINGS,
            (false, true) => self.in_flight / 2,
            // As long as its calls come back it may have all places.
            (false, false) => usize::MAX,
        };
        if lane.under_way >= room.max(1) {
            let wait = if in_trouble { IN_TROUBLE } else { NO_ROOM };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "a part of half a minute"
            )]
            let more = (2.0 * wait as f64 * chance) as i64;
            return Err(Wait { until: now.saturating_add(wait).saturating_add(more), is_paced: false });
        }
        let micros = now.max(lane.closed_until).saturating_mul(1_000);
        let earliest = lane.arrival_micros.saturating_sub(burst).max(micros);
        if earliest > now.saturating_mul(1_000) {
            let slot = earliest.max(lane.booked_micros);
            lane.booked_micros = slot.saturating_add(interval);
            // Rounded up: a slot that comes a little too early would be missed.
            let is_paced = !in_trouble && lane.closed_until <= now;
            return Err(Wait { until: slot.saturating_add(999) / 1_000, is_paced });
        }
        lane.arrival_micros = lane.arrival_micros.max(micros).saturating_add(interval);
        if lane.under_way == 0 {
            lane.heard_at = now;
        }
        lane.under_way += 1;
        Ok(())
    }

    /// Gives a place back.
    fn leave(&mut self, app: &str) {
        if let Some(lane) = self.of_apps.get_mut(app) {
            lane.under_way = lane.under_way.saturating_sub(1);
        }
    }

    /// Notes how a call ended.
    fn ended(&mut self, app: &str, how: Ended, now: i64) {
        let Some(lane) = self.of_apps.get_mut(app) else { return };
        lane.heard_at = lane.heard_at.max(now);
        match how {
            Ended::Well => lane.failures = 0,
            Ended::Badly => lane.failures = lane.failures.saturating_add(1),
            Ended::Quiet(wait) => {
                let wait = wait.min(Duration::from_hours(1));
                let until = now.saturating_add(crate::refresh::millis(wait));
                lane.closed_until = lane.closed_until.max(until);
            }
        }
    }
}

/// One place of an app, given back on drop.
#[derive(Debug)]
pub(super) struct Seat {
    lanes: Arc<Mutex<Lanes>>,
    app: Arc<str>,
}

impl Seat {
    /// Takes a place for a refresh at `now`. `Err`: how long it waits.
    pub(super) fn take(
        lanes: &Arc<Mutex<Lanes>>,
        app: &Arc<str>,
        now: i64,
        chance: f64,
    ) -> Result<Self, Wait> {
        lock(lanes).enter(app, now, chance)?;
        Ok(Self { lanes: lanes.clone(), app: app.clone() })
    }

    /// Gives the place back and notes how the call ended.
    pub(super) fn ended(self, how: Ended, now: i64) {
        lock(&self.lanes).ended(&self.app, how, now);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.lanes).leave(&self.app);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(until: i64) -> Wait {
        Wait { until, is_paced: false }
    }

    fn key(key: &str) -> Arc<str> {
        key.into()
    }

    #[test]
    fn an_app_has_a_burst_and_then_its_pace_and_those_that_wait_get_slots_of_their_own() {
        let mut lanes = Lanes::new(5, 1_000);
        let app = key("lazada 500100");
        let now = 1_000_000;
        let outcomes: Vec<_> = (0..500).map(|_| lanes.enter(&app, now, 0.0)).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
        let slots: Vec<i64> = outcomes.into_iter().filter_map(Result::err).map(|wait| wait.until).collect();
        for pair in slots.windows(2) {
            assert_eq!(pair[1] - pair[0], 200);
        }
        assert_eq!(slots[0], now + 200);
        // Each comes at its slot and goes at once.
        for slot in slots {
            assert_eq!(lanes.enter(&app, slot, 0.0), Ok(()), "{slot}");
        }
        // Another app is not concerned.
        assert_eq!(lanes.enter(&key("lazada 500101"), now, 0.0), Ok(()));
    }

    #[test]
    fn no_second_sees_more_than_twice_the_pace() {
        let mut lanes = Lanes::new(7, 100_000);
        let app = key("lazada 500100");
        let mut went = Vec::new();
        for now in 0..20_000 {
            if lanes.enter(&app, now, 0.0).is_ok() {
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
    fn an_app_that_hangs_takes_half_of_the_places_and_one_in_trouble_two() {
        let mut lanes = Lanes::new(1_000, 10);
        let app = key("lazada 500100");
        assert_eq!((0..4).filter(|_| lanes.enter(&app, 0, 0.5).is_ok()).count(), 4);
        assert_eq!((0..10).filter(|_| lanes.enter(&app, 4_000, 0.5).is_ok()).count(), 1);
        assert_eq!(lanes.enter(&app, 4_000, 0.5), Err(wait(4_000 + 10_000)));
        for _ in 0..5 {
            lanes.leave(&app);
            lanes.ended(&app, Ended::Badly, 4_000);
        }
        for _ in 0..3 {
            lanes.enter(&app, 4_000, 0.5).unwrap();
            lanes.leave(&app);
            lanes.ended(&app, Ended::Badly, 4_000);
        }
        assert_eq!((0..10).filter(|_| lanes.enter(&app, 4_010, 0.5).is_ok()).count(), 2);
        assert_eq!(lanes.enter(&app, 4_010, 0.5), Err(wait(4_010 + 60_000)));
        lanes.ended(&app, Ended::Well, 4_010);
        assert_eq!((0..10).filter(|_| lanes.enter(&app, 4_010, 0.5).is_ok()).count(), 10);
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_no_app_waiting() {
        let mut lanes = Lanes::new(5, 10);
        let app = key("lazada 500100");
        let year = 365 * 24 * AHEAD;
        while lanes.enter(&app, year, 0.0).is_ok() {}
        lanes.ended(&app, Ended::Quiet(Duration::from_mins(10)), year);
        assert_eq!(lanes.enter(&app, 0, 0.0), Ok(()));
        // An hour at most is what the platform may ask for.
        lanes.ended(&app, Ended::Quiet(Duration::from_hours(9)), 0);
        assert_eq!(lanes.enter(&app, 1, 0.0), Err(wait(AHEAD)));
    }

    #[test]
    fn a_platform_that_asks_for_quiet_gets_it() {
        let mut lanes = Lanes::new(5, 10);
        let app = key("lazada 500100");
        lanes.enter(&app, 0, 0.0).unwrap();
        lanes.ended(&app, Ended::Quiet(Duration::from_mins(1)), 0);
        assert_eq!(lanes.enter(&app, 1_000, 0.0), Err(wait(60_000)));
        assert_eq!(lanes.enter(&app, 1_000, 0.0), Err(wait(60_200)));
        assert_eq!(lanes.enter(&app, 60_000, 0.0), Ok(()));
    }
}
