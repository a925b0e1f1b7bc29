//! Handing events over: to a command on this machine, to an address elsewhere, or to both.
//!
//! At least once. A claim on an event lasts a little longer than its delivery may take, so an event
//! whose deliverer died goes out again. Each sink has its own queue, in the order of the events; one
//! that a sink refuses twice no longer holds up those behind it.

mod hook;
mod webhook;

use std::{
    ffi::OsString,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sesame_core::{AppSecret, Result};
use tokio::sync::watch;

use self::{hook::Hook, webhook::Receiver};
use crate::{
    Id, Vault,
    store::{DueClaim, DueEvent, EventRow, Sink},
    vault::{Inner, lock},
};

/// Events older than this are not delivered any more: 7 days, in milliseconds.
const OLDEST: i64 = 7 * 86_400_000;
/// How much longer than its delivery a claim on an event lasts.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);
/// The pause after the first failed delivery; it doubles with each further one.
const SHORTEST_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause between two deliveries of one event.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How often the store is asked for new events.
const LOOK: Duration = Duration::from_secs(5);
/// How often, while the store does not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The most deliveries of one pass to one sink: other work gets its turn.
const MOST_A_PASS: usize = 100;

/// An address that events are posted to. `Debug` shows where it is and hides the rest: such
/// addresses often hold a secret; so does `Display`.
#[derive(Clone)]
pub struct Webhook {
    /// `https://...`; plain `http://` to this machine only.
    pub url: String,
    /// The key of the signatures: 16 characters or more.
    pub secret: AppSecret,
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
    /// input and takes it by ending with code 0.
    pub hook: Option<Vec<OsString>>,
    /// An address that takes an event by answering with a status of 200 to 299.
    pub webhook: Option<Webhook>,
    /// How long a hook may run before it is killed: 30 seconds.
    pub hook_limit: Duration,
    /// How long a webhook may take to answer: 15 seconds.
    pub webhook_limit: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            hook: None,
            webhook: None,
            hook_limit: Duration::from_secs(30),
            webhook_limit: Duration::from_secs(15),
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
    /// `expiring`, `exhausted` or `recovered`.
    pub event: String,
    /// The event itself, as JSON.
    pub payload: String,
    /// Why it was not taken; nothing when it was.
    pub error: Option<String>,
    /// When it is tried again, in milliseconds since 1970; nothing when it was taken or is given up.
    pub next_try: Option<i64>,
}

/// Hands the events of a vault over. Several may work on one vault: they share the events.
pub struct Deliverer {
    vault: Vault,
    hook: Option<Line<Hook>>,
    webhook: Option<Line<Receiver>>,
}

/// One sink, and how it does.
struct Line<S> {
    sink: S,
    /// How long one delivery may take.
    limit: Duration,
    /// Nothing is tried before this time.
    quiet_until: AtomicI64,
    /// An event that was taken while the store did not answer, and since when. It is marked before
    /// anything else is sent, so that it is not sent twice.
    unmarked: Mutex<Option<Id>>,
}

impl<S> Line<S> {
    fn new(sink: S, limit: Duration) -> Self {
        Self { sink, limit, quiet_until: AtomicI64::new(i64::MIN), unmarked: Mutex::default() }
    }
}

/// What takes events.
trait Taker {
    const SINK: Sink;

    /// Hands one over.
    fn hand(
        &self,
        inner: &Inner,
        event: &EventRow,
        limit: Duration,
    ) -> impl Future<Output = Result<()>> + Send;
}

impl Deliverer {
    /// Checks where events are to go. Sends nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a hook that is not there or cannot be
    /// run, for an address that is none or is not encrypted, and for a secret that is too short.
    pub fn new(vault: Vault, options: DeliveryOptions) -> Result<Self> {
        let hook = options.hook.map(Hook::new).transpose()?;
        let webhook = options.webhook.as_ref().map(Receiver::new).transpose()?;
        Ok(Self {
            vault,
            hook: hook.map(|hook| Line::new(hook, options.hook_limit)),
            webhook: webhook.map(|webhook| Line::new(webhook, options.webhook_limit)),
        })
    }

    /// Tells whether events go anywhere.
    pub fn has_sinks(&self) -> bool {
        self.hook.is_some() || self.webhook.is_some()
    }

    /// Delivers what waits and is due, at most 100 events to each sink, and tells how that went.
    ///
    /// # Errors
    /// Those of the store. An event that a sink does not take is no error: it is tried again, after
    /// 1 minute at first and every hour at last, for 7 days.
    pub async fn pass(&self) -> Result<Vec<Delivery>> {
        self.pass_until(&watch::channel(false).1).await
    }

    /// Delivers until `stop` is ready, and tells `report` of each attempt. A delivery that is under
    /// way then is finished. While the store is away it waits for its return.
    pub async fn run(&self, stop: impl Future<Output = ()>, mut report: impl FnMut(&Delivery)) {
        let (tell, stopping) = watch::channel(false);
        let work = async {
            let clock = &self.vault.0.clock;
            let mut changed = stopping.clone();
            while !*stopping.borrow() {
                let pause = match self.pass_until(&stopping).await {
                    Ok(deliveries) => {
                        deliveries.iter().for_each(&mut report);
                        LOOK
                    }
                    Err(error) => {
                        tracing::warn!("events cannot be delivered: {error}");
                        LOOK_AGAIN
                    }
                };
                tokio::select! {
                    () = clock.sleep(pause) => {}
                    _ = changed.changed() => {}
                }
            }
        };
        let end = async {
            stop.await;
            tell.send_replace(true);
        };
        tokio::join!(work, end);
    }

    async fn pass_until(&self, stopping: &watch::Receiver<bool>) -> Result<Vec<Delivery>> {
        // At once: a webhook that hangs is no reason for a hook to wait.
        let (hook, webhook) = tokio::join!(
            self.drain(self.hook.as_ref(), stopping),
            self.drain(self.webhook.as_ref(), stopping)
        );
        let mut deliveries = hook?;
        deliveries.extend(webhook?);
        Ok(deliveries)
    }

    async fn drain<S: Taker>(
        &self,
        line: Option<&Line<S>>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        let Some(line) = line else { return Ok(deliveries) };
        let inner = &self.vault.0;
        self.mark(line).await?;
        let claim = millis(line.limit + CLAIM_MARGIN);
        while deliveries.len() < MOST_A_PASS && !*stopping.borrow() {
            let now = inner.now();
            if now < line.quiet_until.load(Ordering::Relaxed) {
                break;
            }
            // One at a time: whatever comes after it is not kept from other deliverers.
            let since = now.saturating_sub(OLDEST);
            let claim = DueClaim { owner: &inner.owner, now, until: now.saturating_add(claim), limit: 1 };
            let due = match inner.store.claim_events(S::SINK, since, claim).await {
                Ok(events) => events.into_iter().next(),
                // What was delivered before has to be told.
                Err(error) if deliveries.is_empty() => return Err(error),
                Err(_) => None,
            };
            let Some(due) = due else { break };
            let event = &due.event;
            match line.sink.hand(inner, event, line.limit).await {
                Ok(()) => {
                    *lock(&line.unmarked) = Some(event.id);
                    deliveries.push(told(S::SINK, event, None, None));
                    if let Err(error) = self.mark(line).await {
                        tracing::warn!(event = %event.id, "a delivery cannot be marked yet: {error}");
                        break;
                    }
                }
                Err(error) => {
                    let next_try = self.put_off(line, &due, &error).await;
                    deliveries.push(told(S::SINK, event, Some(error.to_string()), next_try));
                    break;
                }
            }
        }
        Ok(deliveries)
    }

    /// Writes down that the event was taken that was sent last.
    async fn mark<S: Taker>(&self, line: &Line<S>) -> Result<()> {
        let Some(id) = *lock(&line.unmarked) else { return Ok(()) };
        self.vault.0.store.event_taken(id, S::SINK).await?;
        lock(&line.unmarked).take();
        Ok(())
    }

    /// Writes down that an event was not taken; returns when it is tried again, if it is.
    async fn put_off<S: Taker>(
        &self,
        line: &Line<S>,
        due: &DueEvent,
        error: &sesame_core::Error,
    ) -> Option<i64> {
        let inner = &self.vault.0;
        let event = &due.event;
        let now = inner.now();
        let next_try = now.saturating_add(millis(pause(due.attempts, inner.clock.jitter())));
        // The first repetition waits with all that comes behind it, which keeps the order. After that
        // it may be this one event that is refused, and the others get their chance.
        let quiet_until = if due.attempts < 1 {
            next_try
        } else {
            next_try.min(now.saturating_add(millis(SHORTEST_PAUSE)))
        };
        line.quiet_until.store(quiet_until, Ordering::Relaxed);
        if let Err(error) = inner.store.event_failed(event.id, S::SINK, due.fence, next_try).await {
            // Its claim ends by itself, and then it is tried again.
            tracing::warn!(event = %event.id, "a failed delivery cannot be written down: {error}");
        }
        let is_last = next_try.saturating_sub(event.at) > OLDEST;
        if is_last {
            tracing::error!(event = %event.id, kind = event.kind, sink = sink_word(S::SINK), "never delivered, given up after 7 days: {error}");
        } else {
            tracing::warn!(event = %event.id, kind = event.kind, sink = sink_word(S::SINK), "not delivered yet: {error}");
        }
        (!is_last).then_some(next_try)
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

fn told(sink: Sink, event: &EventRow, error: Option<String>, next_try: Option<i64>) -> Delivery {
    Delivery {
        id: event.id,
        sink,
        event: event.kind.clone(),
        payload: event.payload.clone(),
        error,
        next_try,
    }
}

const fn sink_word(sink: Sink) -> &'static str {
    match sink {
        Sink::Hook => "hook",
        Sink::Webhook => "webhook",
    }
}

/// How long to wait after a failure, when so many went before: a minute, doubled each time up to an
/// hour, and up to a quarter more by chance.
fn pause(failures: i64, chance: f64) -> Duration {
    let doublings = u32::try_from(failures.clamp(0, 6)).unwrap_or(6);
    let pause = SHORTEST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    pause.mul_f64(1.0 + chance / 4.0).min(LONGEST_PAUSE)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
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
