//! Delivery of events: to a command on this machine, to a web address, or to both.
//!
//! At least once. A claim on an event lasts a little longer than its delivery may take, so an event
//! whose deliverer died goes out again. Each sink has its own queue, in the order of the events; one
//! that a sink refuses twice no longer holds up those behind it.

mod hook;
mod webhook;

use std::{
    ffi::OsString,
    fmt,
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sesame_core::{AppSecret, Error, Result};
use tokio::sync::watch;

use self::{hook::Hook, webhook::Receiver};
use crate::{
    Vault,
    events::{TEST, test_event},
    model::{Id, lock, millis, warn_once},
    store::{DueClaim, DueEvent, EventRow, Sink},
};

/// Events older than this are not delivered any more: 7 days, in milliseconds.
const OLDEST: i64 = 7 * 86_400_000;
/// How much longer than its delivery a claim on an event lasts.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);
/// The pause after the first failed delivery; each further one doubles it.
const SHORTEST_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause between two deliveries of one event.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How often the store is asked for new events.
const POLL: Duration = Duration::from_secs(5);
/// How often, while the store does not answer.
const POLL_AFTER_FAILURE: Duration = Duration::from_secs(30);
/// Maximum number of deliveries of one tick to one sink: other work gets its turn.
const TICK_LIMIT: usize = 100;

/// An address that events are posted to. `Debug` shows where it is and hides the rest: such
/// addresses often hold a secret; so does `Display`.
///
/// ```
/// use sesame_core::AppSecret;
/// use sesame_vault::Webhook;
///
/// let key = AppSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// let webhook = Webhook::new("https://erp.example.com/hooks/4f1a", key);
/// assert!(!format!("{webhook:?}").contains("4f1a"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Webhook {
    /// `https://...`; plain `http://` to this machine only.
    pub url: String,
    /// The key of the signatures: `whsec_` and 24 to 64 bytes in base64.
    pub secret: AppSecret,
}

impl Webhook {
    /// Names the address and the key of the signatures. Both are checked when the
    /// [`Deliverer`] is made.
    pub fn new(url: impl Into<String>, secret: AppSecret) -> Self {
        Self { url: url.into(), secret }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("url", &webhook::place(&self.url)).finish_non_exhaustive()
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&webhook::place(&self.url))
    }
}

/// Where events go.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeliveryOptions {
    /// A command and its arguments, run without a shell: it reads one event as JSON on its standard
    /// input and accepts it by exiting with code 0.
    pub hook: Option<Vec<OsString>>,
    /// An address that accepts an event by answering with a status of 200 to 299.
    pub webhook: Option<Webhook>,
    /// How long a hook may run before it is killed; 30 seconds by default.
    pub hook_timeout: Duration,
    /// How long a webhook may take to answer; 15 seconds by default.
    pub webhook_timeout: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            hook: None,
            webhook: None,
            hook_timeout: Duration::from_secs(30),
            webhook_timeout: Duration::from_secs(15),
        }
    }
}

/// One attempt to hand an event over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The event's id; the same in each delivery of it.
    pub id: Id,
    /// Where it went.
    pub sink: Sink,
    /// `expiring`, `exhausted`, `recovered` or `test`.
    pub event: String,
    /// The event itself, as JSON.
    pub payload: String,
    /// Why it was not accepted; `None` if it was.
    pub error: Option<String>,
    /// When it is tried again, in milliseconds since 1970; `None` if it was accepted or has expired.
    pub next_try: Option<i64>,
}

impl Delivery {
    /// Returns `true` for the event of [`Deliverer::test`].
    pub fn is_test(&self) -> bool {
        self.event == TEST
    }
}

/// Delivers the events of a vault. Several may work on one vault: they share the events.
///
/// ```no_run
/// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
/// use sesame_vault::{Deliverer, DeliveryOptions};
///
/// let mut options = DeliveryOptions::default();
/// options.hook = Some(vec!["/usr/local/bin/tell-us".into()]);
/// for delivery in Deliverer::new(vault, options)?.tick().await? {
///     println!("{}: {:?}", delivery.event, delivery.error);
/// }
/// # Ok(()) }
/// ```
pub struct Deliverer {
    vault: Vault,
    hook: Option<SinkState>,
    webhook: Option<SinkState>,
}

enum SinkTarget {
    Hook(Hook),
    Webhook(Receiver),
}

/// One sink, and how it does.
struct SinkState {
    target: SinkTarget,
    /// How long one delivery may take.
    timeout: Duration,
    /// Nothing is tried before this time.
    paused_until: AtomicI64,
    /// An event that was accepted while the store did not answer. It is recorded before anything else is
    /// sent, so that it is not sent twice.
    unrecorded: Mutex<Option<Id>>,
}

impl SinkState {
    fn new(target: SinkTarget, timeout: Duration) -> Self {
        Self { target, timeout, paused_until: AtomicI64::new(i64::MIN), unrecorded: Mutex::default() }
    }

    const fn sink(&self) -> Sink {
        match self.target {
            SinkTarget::Hook(_) => Sink::Hook,
            SinkTarget::Webhook(_) => Sink::Webhook,
        }
    }

    /// Returns `true` if it rests. A longer rest than there is was begun by a clock that was ahead.
    fn is_paused(&self, now: i64) -> bool {
        let left = self.paused_until.load(Ordering::Relaxed).saturating_sub(now);
        (1..=millis(LONGEST_PAUSE)).contains(&left)
    }

    /// Delivers what is due, in order, until the sink refuses an event or has had its share.
    async fn drain(&self, vault: &Vault, stopping: &watch::Receiver<bool>) -> Result<Vec<Delivery>> {
        let (services, sink) = (&vault.0, self.sink());
        self.record(vault).await?;
        let lease = millis(self.timeout + CLAIM_MARGIN);
        let mut deliveries = Vec::new();
        while deliveries.len() < TICK_LIMIT && !*stopping.borrow() {
            let now = services.now();
            if self.is_paused(now) {
                break;
            }
            // One at a time: whatever comes after it is not kept from other deliverers.
            let since = now.saturating_sub(OLDEST);
            let claim = DueClaim {
                owner: &services.refresher.owner,
                now,
                until: now.saturating_add(lease),
                limit: 1,
            };
            let claimed = services.store.claim_events(sink, since, claim).await;
            let due = match claimed {
                Ok(events) => events.into_iter().next(),
                // What was delivered before has to be reported.
                Err(error) if deliveries.is_empty() => return Err(error),
                Err(_) => None,
            };
            let Some(due) = due else { break };
            let event = &due.event;
            let sent = self.send(vault, event).await;
            let (error, next_try) = match &sent {
                Ok(()) => (None, None),
                Err(error) => (Some(error.to_string()), self.put_off(vault, &due, error).await),
            };
            deliveries.push(Delivery {
                id: event.id,
                sink,
                event: event.kind.clone(),
                payload: event.payload.clone(),
                error,
                next_try,
            });
            if sent.is_err() {
                break;
            }
            *lock(&self.unrecorded) = Some(event.id);
            if let Err(error) = self.record(vault).await {
                tracing::warn!(event = %event.id, "a delivery cannot be recorded yet: {error}");
                break;
            }
        }
        Ok(deliveries)
    }

    async fn send(&self, vault: &Vault, event: &EventRow) -> Result<()> {
        let services = &vault.0;
        match &self.target {
            SinkTarget::Hook(hook) => {
                hook.deliver(services.clock.as_ref(), &event.payload, self.timeout).await
            }
            SinkTarget::Webhook(receiver) => receiver.deliver(services, event, self.timeout).await,
        }
    }

    /// Records that the event was accepted that was sent last.
    async fn record(&self, vault: &Vault) -> Result<()> {
        let Some(id) = *lock(&self.unrecorded) else { return Ok(()) };
        vault.0.store.event_taken(id, self.sink()).await?;
        lock(&self.unrecorded).take();
        Ok(())
    }

    /// Records that an event was not accepted. Returns when it is tried again, if it is.
    async fn put_off(&self, vault: &Vault, due: &DueEvent, error: &Error) -> Option<i64> {
        let (services, sink, event) = (&vault.0, self.sink(), &due.event);
        let now = services.now();
        let next_try = now.saturating_add(millis(pause(due.attempts, services.clock.jitter())));
        // The first repetition waits with all that comes behind it, which keeps the order. After that
        // it may be this one event that is refused, and the others get their chance.
        let shortest = now.saturating_add(millis(SHORTEST_PAUSE));
        let paused_until = if due.attempts < 1 { next_try } else { next_try.min(shortest) };
        self.paused_until.store(paused_until, Ordering::Relaxed);
        if let Err(error) = services.store.event_failed(event.id, sink, due.fence, next_try).await {
            // Its claim ends by itself, and then it is tried again.
            tracing::warn!(event = %event.id, "a failed delivery cannot be recorded: {error}");
        }
        if next_try.saturating_sub(event.at) > OLDEST {
            tracing::error!(event = %event.id, kind = event.kind, ?sink, "not delivered within 7 days: {error}");
            return None;
        }
        tracing::warn!(event = %event.id, kind = event.kind, ?sink, "not delivered yet: {error}");
        Some(next_try)
    }
}

impl Deliverer {
    /// Checks where events are to go. Sends nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a hook that does not exist or cannot be
    /// run, for an invalid or unencrypted address, and for an invalid secret.
    pub fn new(vault: Vault, options: DeliveryOptions) -> Result<Self> {
        let hook = options.hook.map(Hook::new).transpose()?.map(SinkTarget::Hook);
        let webhook = options.webhook.as_ref().map(Receiver::new).transpose()?.map(SinkTarget::Webhook);
        Ok(Self {
            vault,
            hook: hook.map(|hook| SinkState::new(hook, options.hook_timeout)),
            webhook: webhook.map(|webhook| SinkState::new(webhook, options.webhook_timeout)),
        })
    }

    /// Returns `true` if events go anywhere.
    pub const fn has_sinks(&self) -> bool {
        self.hook.is_some() || self.webhook.is_some()
    }

    /// Delivers what is due, at most 100 events to each sink, and returns how that went.
    ///
    /// # Errors
    /// Those of the store. An event that a sink does not accept is not an error: it is tried again, after
    /// 1 minute at first and every hour at last, for 7 days.
    pub async fn tick(&self) -> Result<Vec<Delivery>> {
        self.drain(&watch::channel(false).1).await
    }

    /// Sends an event `test` to each sink, once, and returns how that went. The vault's own events stay as
    /// they are.
    pub async fn test(&self) -> Vec<Delivery> {
        let event = test_event(self.vault.0.clock.as_ref());
        let mut deliveries = Vec::new();
        for state in [&self.hook, &self.webhook].into_iter().flatten() {
            let error = state.send(&self.vault, &event).await.err().map(|error| error.to_string());
            deliveries.push(Delivery {
                id: event.id,
                sink: state.sink(),
                event: event.kind.clone(),
                payload: event.payload.clone(),
                error,
                next_try: None,
            });
        }
        deliveries
    }

    /// Delivers until `stop` is ready, and calls `report` for each attempt. A delivery that is under
    /// way then is finished. While the store is away it waits for its return.
    pub async fn run(&self, stop: impl Future<Output = ()>, mut report: impl FnMut(&Delivery)) {
        let (tell, mut stopping) = watch::channel(false);
        let mut said = String::new();
        let mut work = pin!(async {
            while !*stopping.borrow() {
                let pause = match self.drain(&stopping).await {
                    Ok(deliveries) => {
                        deliveries.iter().for_each(&mut report);
                        said.clear();
                        POLL
                    }
                    Err(error) => {
                        warn_once(&mut said, "events cannot be delivered", &error);
                        POLL_AFTER_FAILURE
                    }
                };
                tokio::select! {
                    _ = stopping.wait_for(|stopping| *stopping) => {}
                    () = self.vault.0.clock.sleep(pause) => {}
                }
            }
        });
        tokio::select! {
            biased;
            () = stop => {
                tell.send_replace(true);
            }
            () = &mut work => return,
        }
        work.await;
    }

    async fn drain(&self, stopping: &watch::Receiver<bool>) -> Result<Vec<Delivery>> {
        let drain = async |state: &Option<SinkState>| match state {
            Some(state) => state.drain(&self.vault, stopping).await,
            None => Ok(Vec::new()),
        };
        // At once: a webhook that hangs does not make a hook wait.
        let (hook, webhook) = tokio::join!(drain(&self.hook), drain(&self.webhook));
        let mut deliveries = hook?;
        deliveries.extend(webhook?);
        Ok(deliveries)
    }
}

impl fmt::Debug for Deliverer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliverer")
            .field("hook", &self.hook.is_some())
            .field("webhook", &self.webhook.is_some())
            .finish_non_exhaustive()
    }
}

/// Returns the pause after a failure that followed others: a minute, doubled each time up to an hour, and
/// up to a quarter more by chance.
fn pause(failures: i64, chance: f64) -> Duration {
    let doublings = u32::try_from(failures.clamp(0, 6)).unwrap_or(6);
    let pause = SHORTEST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    pause.mul_f64(1.0 + chance / 4.0).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_minute_to_an_hour() {
        assert_eq!(pause(0, 0.0), Duration::from_mins(1));
        assert_eq!(pause(0, 1.0), Duration::from_secs(75));
        assert_eq!(pause(1, 0.0), Duration::from_mins(2));
        assert_eq!(pause(5, 0.0), Duration::from_mins(32));
        for failures in [6, 7, 1_000, i64::MAX] {
            assert_eq!(pause(failures, 0.99), Duration::from_hours(1), "{failures}");
        }
        assert_eq!(pause(-1, 0.0), Duration::from_mins(1));
    }
}
