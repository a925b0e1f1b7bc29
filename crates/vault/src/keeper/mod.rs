//! The keeper: a background pass that keeps tokens alive, whoever uses them.
//!
//! It takes from the store what is due, under leases, so that several keepers share the work and its
//! cost follows what is due and not what is kept. What it does to one authorization is what a refresh
//! on demand does: the same single flight, the same intent before and durable answer after.

mod batch;
mod lanes;
mod portion;
mod shift;

use std::{
    collections::HashSet,
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sesame_core::{Error, Result};

use crate::{Id, Vault, refresh::millis, schedule::Keep, vault::lock};
use lanes::{Lanes, Paced};
use portion::Portion;
use shift::Shift;

/// The longest sleep: other processes change the table, too.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// The shortest sleep, so that what falls due in the meantime is claimed together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(50);
/// The longest round: where tokens live for a minute, there is always something due.
const LONGEST_ROUND: i64 = 3_600_000;
/// How often it looks after what no row is due for.
const TENDING: i64 = 3_600_000;
/// The longest pause while the store is away.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// What a [`Keeper`] does and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeeperOptions {
    /// Which access tokens are kept warm; those of shops used in the last 7 days unless told otherwise.
    /// Refresh tokens are prolonged and warnings given in any case.
    pub keep: Keep,
    /// The most refreshes of one app in a second, by this keeper: 5 unless told otherwise, at least 1.
    /// What exceeds it is put off, not waited for.
    pub per_app: u32,
    /// The most token calls at one time, of all apps: 64 unless told otherwise, at least 1. An app
    /// that does not answer takes at most half of them, one whose calls keep failing two.
    pub in_flight: usize,
}

impl Default for KeeperOptions {
    fn default() -> Self {
        Self { keep: Keep::default(), per_app: 5, in_flight: 64 }
    }
}

/// What a keeper did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Access tokens fetched.
    pub refreshed: u64,
    /// Refresh tokens prolonged by the platform's own call for it.
    pub postponed: u64,
    /// Warnings written down for delivery.
    pub announced: u64,
    /// Calls that brought no tokens, and rows that cannot be used.
    pub failed: u64,
    /// Authorizations given up: their end has come, or the platform says that they are over.
    pub ended: u64,
    /// Rows given back for a later time: their app's pace, another endpoint, nothing to do after all.
    pub deferred: u64,
}

impl Totals {
    fn add(&mut self, more: Self) {
        self.refreshed += more.refreshed;
        self.postponed += more.postponed;
        self.announced += more.announced;
        self.failed += more.failed;
        self.ended += more.ended;
        self.deferred += more.deferred;
    }
}

/// What one pass did, and when the next one has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pass {
    /// What was done.
    pub done: Totals,
    /// When the next authorization is due; nothing when none ever is, as things stand.
    pub next_due: Option<Timestamp>,
}

/// Keeps the tokens of a vault alive and warns before they end.
///
/// ```no_run
/// # async fn example(vault: sesame_vault::Vault, stop: impl Future<Output = ()>) -> sesame_core::Result<()> {
/// use sesame_vault::{Keeper, KeeperOptions};
///
/// let keeper = Keeper::new(vault, KeeperOptions::default());
/// let totals = keeper.run(stop).await?;
/// # let _ = totals; Ok(()) }
/// ```
///
/// Any number of keepers may run on one vault, in one process or on many machines.
pub struct Keeper {
    vault: Vault,
    options: KeeperOptions,
    lanes: Arc<Mutex<Lanes>>,
    portion: Mutex<Portion>,
    /// When it last looked after what no row is due for.
    tended_at: Mutex<Option<i64>>,
    /// Apps of another endpoint that people were told of.
    told: Mutex<HashSet<Id>>,
}

impl Keeper {
    /// Makes a keeper of a vault. The first one of a vault decides what is kept warm.
    pub fn new(vault: Vault, options: KeeperOptions) -> Self {
        let keep = *vault.0.keep.get_or_init(|| options.keep);
        let options =
            KeeperOptions { keep, per_app: options.per_app.max(1), in_flight: options.in_flight.max(1) };
        let lanes = Arc::new(Mutex::new(Lanes::new(options.per_app, options.in_flight)));
        let (portion, tended_at, told) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { vault, options, lanes, portion, tended_at, told }
    }

    /// Does once what is due now, at the pace of each app, and returns when it is done: 500 shops of one
    /// app that are due together take 100 seconds at 5 a second.
    ///
    /// # Errors
    /// The store's, when it is away; what was begun is finished before.
    pub async fn round(&self) -> Result<Pass> {
        let mut round = Totals::default();
        let mut waiting = Paced::default();
        let latest = self.vault.0.now().saturating_add(LONGEST_ROUND);
        loop {
            let (pass, paced) = self.once().await?;
            round.add(pass.done);
            // They come again in this round: what counts is what becomes of them.
            round.deferred = round.deferred.saturating_sub(paced.count);
            waiting.merge(paced);
            let now = self.vault.0.now();
            if now >= waiting.until.min(latest) {
                return Ok(Pass { done: round, ..pass });
            }
            let next = pass.next_due.map(Timestamp::as_millisecond);
            self.vault.0.clock.sleep(self.sleep_until(next)).await;
        }
    }

    /// Begins once what is due now, as far as each app's pace allows, and returns when that is done.
    ///
    /// # Errors
    /// The store's, when it is away; what was begun is finished before.
    pub async fn pass(&self) -> Result<Pass> {
        self.once().await.map(|(pass, _)| pass)
    }

    /// The same, with the rows that only wait for others of their app.
    async fn once(&self) -> Result<(Pass, Paced)> {
        let inner = &self.vault.0;
        self.tend().await?;
        let mut shift = Shift::new(self);
        let due_by = inner.now();
        let never = AtomicBool::new(false);
        let claimed = loop {
            shift.count_landed();
            if !shift.has_room() {
                shift.wait_landed().await;
                continue;
            }
            match shift.claim(due_by, &never).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let paced = shift.paced;
        let done = shift.finish().await;
        claimed?;
        let next_due = inner.store.next_due(inner.now()).await?;
        let next_due = next_due.and_then(|at| Timestamp::from_millisecond(at).ok());
        Ok((Pass { done, next_due }, paced))
    }

    /// Works until `stop`, then finishes what is under way and gives back what was not begun.
    ///
    /// A store that is away is waited for. Whoever drops this future instead of stopping it loses
    /// nothing either: calls under way end by themselves, leases too.
    ///
    /// # Errors
    /// The store's, when it cannot be used at the beginning and waiting would not help.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<Totals> {
        let inner = &self.vault.0;
        let mut stop = pin!(stop);
        let stopping = AtomicBool::new(false);
        let mut shift = Shift::new(self);
        let mut failures = 0_u32;
        let mut has_worked = false;
        while !stopping.load(Ordering::Relaxed) {
            let is_full = !shift.has_room();
            let sleep = if is_full {
                LONGEST_SLEEP
            } else {
                let claimed = {
                    let mut work = pin!(async {
                        self.tend().await?;
                        if shift.claim(inner.now(), &stopping).await? {
                            return Ok(None);
                        }
                        inner.store.next_due(inner.now()).await.map(|next| Some(self.sleep_until(next)))
                    });
                    loop {
                        // Stopped in the middle of a claim: it is finished, so that its leases are known.
                        tokio::select! {
                            biased;
                            claimed = &mut work => break claimed,
                            () = &mut stop, if !stopping.load(Ordering::Relaxed) => {
                                stopping.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                };
                match claimed {
                    Ok(sleep) => {
                        failures = 0;
                        has_worked = true;
                        let Some(sleep) = sleep else {
                            shift.count_landed();
                            continue;
                        };
                        sleep
                    }
                    Err(error) if !has_worked && !error.is_retryable() => {
                        shift.finish().await;
                        return Err(error);
                    }
                    Err(error) => {
                        failures = failures.saturating_add(1);
                        self.backoff(&error, failures)
                    }
                }
            };
            if stopping.load(Ordering::Relaxed) {
                break;
            }
            let mut sleep = inner.clock.sleep(sleep);
            loop {
                tokio::select! {
                    biased;
                    () = &mut stop => {
                        stopping.store(true, Ordering::Relaxed);
                        break;
                    }
                    () = shift.wait_landed(), if shift.is_busy() => {
                        if is_full && shift.has_room() {
                            break;
                        }
                    }
                    () = &mut sleep => break,
                }
            }
        }
        Ok(shift.finish().await)
    }

    /// Looks after what no row is due for: at first, then every hour, and when the clock was set back.
    async fn tend(&self) -> Result<()> {
        let inner = &self.vault.0;
        let now = inner.now();
        let is_tended = |at: i64| (at..at.saturating_add(TENDING)).contains(&now);
        if lock(&self.tended_at).is_some_and(is_tended) {
            return Ok(());
        }
        inner.take_back().await?;
        if self.options.keep == Keep::Always {
            // Others plan by what they keep themselves.
            inner.store.keep_all_warm().await?;
        }
        *lock(&self.tended_at) = Some(now);
        Ok(())
    }

    fn sleep_until(&self, next_due: Option<i64>) -> Duration {
        let left = next_due.map_or(i64::MAX, |at| at.saturating_sub(self.vault.0.now()));
        Duration::from_millis(left.max(0).unsigned_abs()).clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
    }

    fn backoff(&self, error: &Error, failures: u32) -> Duration {
        let pause = Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(LONGEST_BACKOFF);
        let pause = pause.mul_f64(0.5 + self.vault.0.clock.jitter() / 2.0);
        tracing::warn!(
            failures,
            seconds = millis(pause) / 1_000,
            "the vault cannot be used, waiting: {error}"
        );
        pause
    }

    fn tell_once(&self, app: Id, why: &str) {
        if lock(&self.told).insert(app) {
            self.vault.0.tell(crate::Notice::new(why));
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("vault", &self.vault)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
