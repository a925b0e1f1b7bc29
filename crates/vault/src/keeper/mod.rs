//! The keeper: a background service that keeps tokens alive, whoever uses them.
//!
//! It takes from the store what is due, under leases, so that several keepers share the work and its
//! cost follows what is due and not what is kept. What it does to one authorization is what a refresh
//! on demand does: the same single flight, the same intent before and durable answer after.

mod batch;
mod limiter;
mod worker;

use std::{
    collections::HashSet,
    fmt,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use sesame_core::{Error, Result};
use tokio::sync::watch;

use crate::{
    Vault,
    model::{Id, Warning, lock, setters, warn_once},
    schedule::{HORIZON, WarmPolicy},
};
use batch::Throttled;
use limiter::AppLimiter;
use worker::Worker;

/// The longest sleep: other processes change the table, too.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// The shortest sleep, so that what falls due in the meantime is claimed together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(50);
/// How often a tick looks again at a due row that another writer holds.
const HELD_ATTEMPTS: u32 = 20;
/// The longest drain: where tokens live for a minute, there is always something due.
const LONGEST_DRAIN: i64 = 3_600_000;
/// Housekeeping interval.
const HOUSEKEEPING: i64 = 3_600_000;
/// The longest pause while the store is away.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// What a [`Keeper`] does and how fast.
///
/// ```
/// use sesame_vault::{KeeperOptions, WarmPolicy};
///
/// let options = KeeperOptions::default().warm(WarmPolicy::Always).per_app(2);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeeperOptions {
    /// Which access tokens are kept fresh. The default is those of shops used in the last 7 days.
    /// Refresh tokens are prolonged and warnings given in any case.
    pub warm: WarmPolicy,
    /// Maximum number of refreshes of one app per second by this keeper, at least 1; 5 by default. What
    /// exceeds it is put off, not waited for.
    pub per_app: u32,
    /// Maximum number of token calls at one time, of all apps, at least 1; 64 by default.
    pub in_flight: usize,
}

setters! { KeeperOptions {
    /// Sets which access tokens are kept fresh.
    warm: WarmPolicy = warm,
    /// Sets the maximum number of refreshes of one app per second.
    per_app: u32 = per_app,
    /// Sets the maximum number of token calls at one time.
    in_flight: usize = in_flight,
}}

impl Default for KeeperOptions {
    fn default() -> Self {
        Self { warm: WarmPolicy::default(), per_app: 5, in_flight: 64 }
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
    /// Authorizations that need a new login: their end has come, or the platform refuses them.
    pub ended: u64,
    /// Rows given back for a later time: their app's rate, another environment, nothing to do after all.
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

/// What a tick did, and when the next one has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// What was done.
    pub done: Totals,
    /// When the next authorization is due, within a day; `None` if none ever is, as things stand.
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
    limiter: Arc<Mutex<AppLimiter>>,
    /// When housekeeping was last done.
    housekept_at: Mutex<Option<i64>>,
    /// Apps of another environment for which a warning was given.
    notified: Mutex<HashSet<Id>>,
}

impl Keeper {
    /// Creates a keeper of a vault.
    pub fn new(vault: Vault, options: KeeperOptions) -> Self {
        let options = KeeperOptions { in_flight: options.in_flight.max(1), ..options };
        let limiter = Arc::new(Mutex::new(AppLimiter::new(options.per_app)));
        Self { vault, options, limiter, housekept_at: Mutex::default(), notified: Mutex::default() }
    }

    /// Does once what is due now, at the rate of each app, and returns when it is done: 500 shops of one
    /// app that are due together take 100 seconds at 5 per second.
    ///
    /// # Errors
    /// The store's, when it is away; what was begun is finished before.
    pub async fn drain(&self) -> Result<Tick> {
        let mut done = Totals::default();
        let mut waiting = Throttled::default();
        let latest = self.vault.0.now().saturating_add(LONGEST_DRAIN);
        loop {
            // Not when it ended: rows whose slots came while calls were slow are still to be looked at.
            let began = self.vault.0.now();
            let (tick, throttled) = self.once().await?;
            done.add(tick.done);
            // They come again in this drain: what counts is what becomes of them.
            done.deferred = done.deferred.saturating_sub(throttled.count);
            waiting.merge(throttled);
            if began >= waiting.until.min(latest) {
                return Ok(Tick { done, ..tick });
            }
            let next = tick.next_due.map(Timestamp::as_millisecond);
            self.vault.0.clock.sleep(self.sleep_until(next)).await;
        }
    }

    /// Begins once what is due now, as far as each app's rate allows, and returns when that is done.
    ///
    /// # Errors
    /// The store's, when it is away; what was begun is finished before.
    pub async fn tick(&self) -> Result<Tick> {
        self.once().await.map(|(tick, _)| tick)
    }

    /// The same, with the rows that only wait for others of their app.
    async fn once(&self) -> Result<(Tick, Throttled)> {
        let services = &self.vault.0;
        self.housekeeping().await?;
        let mut worker = Worker::new(self);
        let due_by = services.now();
        let never = watch::channel(false).1;
        let mut held = 0;
        let claimed = loop {
            if !worker.has_room() {
                worker.wait_for_one().await;
                continue;
            }
            match worker.claim(due_by, &never).await {
                Ok(true) => {}
                // PostgreSQL passes over rows that another transaction holds, if only to note a use.
                Ok(false) => match services.store.next_due(due_by).await {
                    Ok(Some(at)) if at <= due_by && held < HELD_ATTEMPTS => {
                        held += 1;
                        services.clock.sleep(SHORTEST_SLEEP).await;
                    }
                    Ok(_) => break Ok(()),
                    Err(error) => break Err(error),
                },
                Err(error) => break Err(error),
            }
        };
        let (done, throttled) = worker.finish().await;
        claimed?;
        let next_due = services.store.next_due(services.now()).await?;
        let next_due = next_due.and_then(|at| Timestamp::from_millisecond(at).ok());
        Ok((Tick { done, next_due }, throttled))
    }

    /// Works until `stop`, then finishes what is under way and gives back what was not begun.
    ///
    /// A store that is away is waited for. Whoever drops this future instead of stopping it loses
    /// nothing either: calls under way end by themselves, leases too.
    ///
    /// # Errors
    /// The store's, when it cannot be used at the beginning and waiting would not help.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<Totals> {
        let (tell, stopping) = watch::channel(false);
        let mut work = pin!(self.work(stopping));
        tokio::select! {
            biased;
            () = stop => {
                tell.send_replace(true);
            }
            ended = &mut work => return ended,
        }
        work.await
    }

    async fn work(&self, mut stopping: watch::Receiver<bool>) -> Result<Totals> {
        let mut worker = Worker::new(self);
        let (mut failures, mut has_worked) = (0_u32, false);
        let mut said = String::new();
        while !*stopping.borrow() {
            let is_full = !worker.has_room();
            let claimed =
                if is_full { Ok(Some(LONGEST_SLEEP)) } else { self.claim(&mut worker, &stopping).await };
            let sleep = match claimed {
                Ok(sleep) => {
                    (failures, has_worked) = (0, true);
                    said.clear();
                    match sleep {
                        Some(sleep) => sleep,
                        None => continue,
                    }
                }
                Err(error) if !has_worked && !error.is_retryable() => {
                    worker.finish().await;
                    return Err(error);
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    warn_once(&mut said, "the vault cannot be used, waiting", &error);
                    self.backoff(failures)
                }
            };
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => {}
                _ = worker.wait_for_one(), if is_full => {}
                () = self.vault.0.clock.sleep(sleep) => {}
            }
        }
        Ok(worker.finish().await.0)
    }

    /// Begins a batch of what is due. Returns how long to sleep if no more is.
    async fn claim(
        &self,
        worker: &mut Worker<'_>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Option<Duration>> {
        self.housekeeping().await?;
        let services = &self.vault.0;
        if worker.claim(services.now(), stopping).await? {
            return Ok(None);
        }
        services.store.next_due(services.now()).await.map(|next| Some(self.sleep_until(next)))
    }

    /// Looks after what no row is due for: at first, then every hour, and when the clock was set back.
    async fn housekeeping(&self) -> Result<()> {
        let services = &self.vault.0;
        let now = services.now();
        let last = *lock(&self.housekept_at);
        if last.is_some_and(|at| (at..at.saturating_add(HOUSEKEEPING)).contains(&now)) {
            return Ok(());
        }
        if last.is_some_and(|at| now < at) {
            lock(&self.limiter).forget_times();
        }
        let pulled = services.store.pull_forward(now, HORIZON).await?;
        if pulled > 0 {
            tracing::warn!(pulled, "authorizations were planned by a clock that was ahead; they are due now");
        }
        *lock(&self.housekept_at) = Some(now);
        Ok(())
    }

    fn sleep_until(&self, next_due: Option<i64>) -> Duration {
        let left = next_due.map_or(i64::MAX, |at| at.saturating_sub(self.vault.0.now()));
        Duration::from_millis(left.max(0).unsigned_abs()).clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
    }

    fn backoff(&self, failures: u32) -> Duration {
        let pause = Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(LONGEST_BACKOFF);
        pause.mul_f64(0.5 + self.vault.0.clock.jitter() / 2.0)
    }

    fn notify_once(&self, app: Id, error: &Error) {
        if lock(&self.notified).insert(app) {
            self.vault
                .0
                .warnings
                .warn(Warning::new(format!("{error}: the keeper leaves its accounts alone")));
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
