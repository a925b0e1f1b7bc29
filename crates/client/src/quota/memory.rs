//! Counters in memory, for one process.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use foldhash::quality::RandomState;
use jiff::Timestamp;
use sesame_core::{BoxFuture, Result, gcra::Limit};
use smallvec::SmallVec;

use super::{Decision, Key, QuotaStore, Reservation, Scope};

/// Maximum number of counters; the oldest that mean nothing any more go first.
const MAX_COUNTERS: usize = 50_000;

/// The gap between calls after a first refusal.
const FIRST_GAP: Duration = Duration::from_millis(100);
/// The largest learned gap.
const LARGEST_GAP: Duration = Duration::from_secs(10);
/// A learned gap under this is forgotten.
const SMALLEST_GAP: Duration = Duration::from_millis(10);
/// A learned gap halves in this time.
const EASE: Duration = Duration::from_secs(20);

/// By the hash of a key, which no key is stored beside.
type Counters = HashMap<u64, Counter, RandomState>;

/// The default [`QuotaStore`]: GCRA counters in memory.
#[derive(Debug, Default)]
pub struct MemoryQuota {
    counters: Mutex<Counters>,
    hasher: RandomState,
    /// `false` until a call was refused: until then only documented limits count, and calls without
    /// one take no lock.
    refused: AtomicBool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    /// Of the documented limit. See [`sesame_core::gcra`]; nanoseconds since 1970.
    arrival: i128,
    banned_until: i128,
    learned: Option<Learned>,
}

/// A rate learned from refusals.
#[derive(Debug, Clone, Copy)]
struct Learned {
    gap: Duration,
    since: i128,
    /// As in [`Counter`], but of this rate alone: a documented quota may have run far ahead, and
    /// read against a small gap its arrival time would be a ban of hours.
    arrival: i128,
}

impl Learned {
    /// The gap as eased back by now; none when it no longer matters.
    fn gap_at(self, now: i128) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "a ratio for an exponent")]
        let halvings = (now - self.since).max(0) as f64 / EASE.as_nanos() as f64;
        let gap = self.gap.mul_f64((-halvings).exp2());
        (gap >= SMALLEST_GAP).then_some(gap)
    }
}

impl Counter {
    /// The learned rate as it counts at `now`, with its arrival time.
    fn learned_at(self, now: i128) -> Option<(Limit, i128)> {
        let learned = self.learned?;
        Some((Limit::new(learned.gap_at(now)?, 1), learned.arrival))
    }

    fn wait(self, documented: Option<Limit>, now: i128) -> i128 {
        let ban = (self.banned_until - now).max(0);
        let documented = documented.map(|limit| (limit, self.arrival));
        let limits = documented.into_iter().chain(self.learned_at(now));
        limits.map(|(limit, arrival)| limit.wait(arrival, now)).fold(ban, i128::max)
    }

    /// Counts a call that is made at `at`.
    fn count(&mut self, documented: Option<Limit>, at: i128) {
        if let Some(limit) = documented {
            self.arrival = limit.next(self.arrival, at);
        }
        let next = self.learned_at(at).map(|(limit, arrival)| limit.next(arrival, at));
        if let (Some(learned), Some(next)) = (&mut self.learned, next) {
            learned.arrival = next;
        }
    }

    fn is_idle(self, now: i128) -> bool {
        self.arrival <= now
            && self.banned_until <= now
            && self.learned.is_none_or(|learned| learned.gap_at(now).is_none())
    }
}

impl MemoryQuota {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        // Counters are plain numbers: a panic elsewhere cannot leave one half written.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, key: Key<'_>) -> u64 {
        let names = key.names;
        match key.scope {
            Scope::App => self.hasher.hash_one((0_u8, names.platform, names.app)),
            Scope::AppApi => self.hasher.hash_one((1_u8, names.platform, names.app, names.api)),
            Scope::Account => self.hasher.hash_one((2_u8, names.account)),
            Scope::AccountApi => self.hasher.hash_one((3_u8, names.account, names.api)),
        }
    }

    fn take_now(&self, reservations: &[Reservation<'_>], now: Timestamp, patience: Duration) -> Decision {
        let refused = self.refused.load(Ordering::Acquire);
        let counted: SmallVec<[(u64, Option<Limit>); 4]> = reservations
            .iter()
            .filter(|reservation| refused || reservation.limit.is_some())
            .map(|reservation| (self.id(reservation.key), reservation.limit))
            .collect();
        if counted.is_empty() {
            return Decision::Wait(Duration::ZERO);
        }
        let now = now.as_nanosecond();
        let mut counters = self.lock();
        let wait_of = |(id, limit): &(u64, Option<Limit>)| {
            counters.get(id).copied().unwrap_or_default().wait(*limit, now)
        };
        let wait = counted.iter().map(wait_of).max().unwrap_or_default();
        let wait_time = Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX));
        if wait_time > patience {
            return Decision::Exceeded(wait_time);
        }
        for (id, limit) in counted {
            let counter = match limit {
                Some(_) => Some(counters.entry(id).or_default()),
                None => counters.get_mut(&id),
            };
            if let Some(counter) = counter {
                counter.count(limit, now + wait);
            }
        }
        sweep(&mut counters, now);
        Decision::Wait(wait_time)
    }

    fn refused_now(&self, key: Key<'_>, now: Timestamp, ban: Option<Duration>) {
        let now = now.as_nanosecond();
        let mut counters = self.lock();
        let counter = counters.entry(self.id(key)).or_default();
        if let Some(ban) = ban {
            counter.banned_until = counter.banned_until.max(now + ban.as_nanos().cast_signed());
        }
        // Calls that were under way together are refused together: that is one lesson, not many.
        let before = counter.learned.and_then(|learned| learned.gap_at(now));
        let lesson = counter
            .learned
            .is_none_or(|learned| now - learned.since > learned.gap.as_nanos().cast_signed() * 2);
        if lesson {
            let gap = before.map_or(FIRST_GAP, |gap| (gap * 2).clamp(FIRST_GAP, LARGEST_GAP));
            // The ban itself is no time in which the lesson fades.
            let arrival = counter.learned.map_or(0, |learned| learned.arrival);
            counter.learned = Some(Learned { gap, since: now.max(counter.banned_until), arrival });
        }
        if let Some(learned) = &mut counter.learned {
            // After the ban one by one.
            learned.arrival = learned.arrival.max(now).max(counter.banned_until);
        }
        self.refused.store(true, Ordering::Release);
        sweep(&mut counters, now);
    }
}

/// Forgets counters that mean nothing any more, once there are many.
fn sweep(counters: &mut Counters, now: i128) {
    if counters.len() <= MAX_COUNTERS {
        return;
    }
    counters.retain(|_, counter| !counter.is_idle(now));
    if counters.len() > MAX_COUNTERS {
        // All of them matter, which no honest use reaches. Forgetting costs a refusal at worst.
        let mut keep = 0;
        counters.retain(|_, _| {
            keep += 1;
            keep <= MAX_COUNTERS / 2
        });
    }
}

impl QuotaStore for MemoryQuota {
    fn take<'a>(
        &'a self,
        reservations: &'a [Reservation<'a>],
        now: Timestamp,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Decision>> {
        let turn = self.take_now(reservations, now, patience);
        Box::pin(std::future::ready(Ok(turn)))
    }

    fn ban_remaining<'a>(
        &'a self,
        reservations: &'a [Reservation<'a>],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Duration>> {
        let now = now.as_nanosecond();
        let counters = self.lock();
        let left = reservations
            .iter()
            .filter_map(|reservation| counters.get(&self.id(reservation.key)))
            .map(|counter| (counter.banned_until - now).max(0))
            .max()
            .unwrap_or_default();
        drop(counters);
        Box::pin(std::future::ready(Ok(Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)))))
    }

    fn refused<'a>(
        &'a self,
        key: Key<'a>,
        now: Timestamp,
        ban: Option<Duration>,
    ) -> BoxFuture<'a, Result<()>> {
        self.refused_now(key, now, ban);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Names, *};

    const NAMES: &Names<'static> =
        &Names { platform: "lazada", app: "app", account: "shop", api: "/orders/get" };

    fn reservation(scope: Scope, limit: Option<Limit>) -> Reservation<'static> {
        Reservation { key: Key { scope, names: NAMES }, limit }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn millis(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn without_any_limit_nobody_waits_and_nothing_is_kept() {
        let store = MemoryQuota::new();
        for _ in 0..100 {
            assert_eq!(
                store.take_now(&[reservation(Scope::App, None)], at(0), LONG),
                Decision::Wait(Duration::ZERO)
            );
        }
        assert!(store.lock().is_empty());
    }

    #[test]
    fn turns_are_given_in_order_and_all_limits_count() {
        let store = MemoryQuota::new();
        let reservations = [
            reservation(Scope::App, Some(Limit::new(millis(10), 2))),
            reservation(Scope::AccountApi, Some(Limit::new(millis(100), 1))),
        ];
        assert_eq!(store.take_now(&reservations, at(0), LONG), Decision::Wait(Duration::ZERO));
        assert_eq!(store.take_now(&reservations, at(0), LONG), Decision::Wait(millis(100)));
        assert_eq!(store.take_now(&reservations, at(0), LONG), Decision::Wait(millis(200)));
        // Another shop of the same app shares only the limit of the app.
        let names = &Names { account: "other", ..*NAMES };
        let other = [Reservation {
            key: Key { scope: Scope::AccountApi, names },
            limit: Some(Limit::new(millis(100), 1)),
        }];
        assert_eq!(store.take_now(&other, at(0), LONG), Decision::Wait(Duration::ZERO));
    }

    #[test]
    fn a_turn_too_far_away_is_not_counted() {
        let store = MemoryQuota::new();
        let reservations = [reservation(Scope::App, Some(Limit::new(millis(1_000), 1)))];
        assert_eq!(store.take_now(&reservations, at(0), millis(500)), Decision::Wait(Duration::ZERO));
        for _ in 0..5 {
            assert_eq!(store.take_now(&reservations, at(0), millis(500)), Decision::Exceeded(millis(1_000)));
        }
        assert_eq!(store.take_now(&reservations, at(600), millis(500)), Decision::Wait(millis(400)));
    }

    #[test]
    fn after_a_ban_calls_come_one_by_one_and_ease_back() {
        let store = MemoryQuota::new();
        let reservations = [reservation(Scope::AppApi, None)];
        store.refused_now(reservations[0].key, at(0), Some(millis(3_000)));
        assert_eq!(store.take_now(&reservations, at(0), millis(1_000)), Decision::Exceeded(millis(3_000)));
        assert_eq!(store.take_now(&reservations, at(1_000), LONG), Decision::Wait(millis(2_000)));
        // The next one does not arrive in the same instant as the first.
        let Decision::Wait(second) = store.take_now(&reservations, at(1_000), LONG) else {
            panic!("must get a turn")
        };
        assert!(second >= millis(2_090), "{second:?}");
        // Minutes later the lesson is forgotten.
        for _ in 0..10 {
            assert_eq!(store.take_now(&reservations, at(300_000), LONG), Decision::Wait(Duration::ZERO));
        }
    }

    /// 2,000 calls are 173 s of a quota of a million a day. A ban of a second is no ban of 173 s.
    #[test]
    fn a_short_ban_is_short_beside_a_quota_of_a_day() {
        let store = MemoryQuota::new();
        let reservations =
            [reservation(Scope::App, Some(Limit::calls_in(1_000_000, Duration::from_hours(24))))];
        for _ in 0..2_000 {
            assert_eq!(store.take_now(&reservations, at(0), LONG), Decision::Wait(Duration::ZERO));
        }
        store.refused_now(reservations[0].key, at(0), Some(millis(1_000)));
        let Decision::Wait(wait) = store.take_now(&reservations, at(0), LONG) else {
            panic!("must get a turn")
        };
        assert!(wait >= millis(1_000) && wait <= millis(1_100), "{wait:?}");
        let Decision::Wait(wait) = store.take_now(&reservations, at(0), LONG) else {
            panic!("must get a turn")
        };
        assert!(wait > millis(1_050) && wait <= millis(1_200), "{wait:?}");
    }

    #[test]
    fn refusals_of_one_burst_are_one_lesson() {
        let store = MemoryQuota::new();
        let key = reservation(Scope::AppApi, None).key;
        for _ in 0..64 {
            store.refused_now(key, at(0), None);
        }
        let gap = |store: &MemoryQuota| store.lock().values().next().unwrap().learned.unwrap().gap;
        assert_eq!(gap(&store), FIRST_GAP);
        store.refused_now(key, at(1_000), None);
        assert!(gap(&store) > FIRST_GAP);
        for second in 2..200 {
            store.refused_now(key, at(second * 1_000), None);
        }
        assert!(gap(&store) <= LARGEST_GAP);
    }

    #[test]
    fn counters_are_bounded() {
        let store = MemoryQuota::new();
        for shop in 0..MAX_COUNTERS + 10 {
            let account = shop.to_string();
            let names = &Names { account: &account, ..*NAMES };
            let reservations =
                [Reservation { key: Key { scope: Scope::Account, names }, limit: Some(Limit::new(LONG, 1)) }];
            store.take_now(&reservations, at(0), Duration::ZERO);
        }
        assert!(store.lock().len() <= MAX_COUNTERS + 1);
    }
}
