//! Idle connections, by origin.
//!
//! Connections speak HTTP/1.1, one exchange at a time, so a pool is a stack per origin: the last
//! one used is the warmest and the least likely to have been closed by the other side.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use sesame_core::Result;
use tokio::{task::AbortHandle, time::Instant};

use crate::{deadline::Deadline, origin::Origin};

/// A connection, ready for a request.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    pub(crate) deadline: Deadline,
    _task: Task,
}

impl Connection {
    /// `task` is the one that reads and writes for the sender.
    pub(crate) fn new(sender: SendRequest<Full<Bytes>>, task: AbortHandle) -> Self {
        Self { sender, deadline: Deadline::new(), _task: Task(task) }
    }
}

/// Ends the connection's task with the connection: without a sender, hyper still goes on to write a
/// request that the other side no longer reads, and keeps the socket open for it.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long a connection may take to notice that its last exchange is over. Mostly that is a matter
/// of microseconds; to yield a few times instead lost most connections under two threads.
const GRACE: Duration = Duration::from_millis(20);

/// Shorter than the keep-alive of common gateways, so that we close first and not in a race.
const IDLE_LIFE: Duration = Duration::from_secs(20);

/// Maximum number of idle connections kept for one origin.
const MAX_IDLE: usize = 128;

/// Maximum number of origins remembered. All platforms in all regions are fewer than 50.
const MAX_ORIGINS: usize = 256;

/// An idle connection.
struct Idle {
    connection: Connection,
    since: Instant,
}

/// One origin with its idle connections.
pub(crate) struct Slot {
    pub(crate) origin: Origin,
    idle: Mutex<Vec<Idle>>,
}

type Slots = HashMap<Box<str>, Arc<Slot>, foldhash::fast::RandomState>;

/// All origins that were called. Read without a lock: every call looks its origin up.
pub(crate) struct Pool {
    slots: ArcSwap<Slots>,
    /// The origin that plain HTTP may go to beside this machine.
    pub(crate) sandbox: Option<Box<str>>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self { slots: ArcSwap::default(), sandbox: None }
    }

    /// Returns the slot of the origin of this name.
    ///
    /// # Errors
    /// A usage error if it may not be called at all.
    pub(crate) fn slot(&self, name: &str) -> Result<Arc<Slot>> {
        if let Some(slot) = self.slots.load().get(name) {
            return Ok(Arc::clone(slot));
        }
        let origin = Origin::parse(name, self.sandbox.as_deref())?;
        let mut slot = Arc::new(Slot { origin, idle: Mutex::default() });
        self.slots.rcu(|slots| {
            // Somebody feeds us invented hosts: start over instead of growing. Exchanges under way
            // keep their slot alive until they end.
            let mut slots = if slots.len() < MAX_ORIGINS { Slots::clone(slots) } else { Slots::default() };
            slot = Arc::clone(slots.entry(name.into()).or_insert_with(|| Arc::clone(&slot)));
            slots
        });
        Ok(slot)
    }
}

impl Slot {
    /// Takes an idle connection that is ready for a request, if there is one.
    pub(crate) async fn check_out(&self, now: Instant, deadline: Instant) -> Option<Connection> {
        loop {
            let idle = lock(&self.idle).pop()?;
            if now.saturating_duration_since(idle.since) > IDLE_LIFE {
                // A stack: all below are older still.
                lock(&self.idle).clear();
                return None;
            }
            let mut connection = idle.connection;
            if connection.sender.is_ready() {
                return Some(connection);
            }
            if connection.sender.is_closed() {
                continue;
            }
            let Connection { sender, deadline: grace, .. } = &mut connection;
            grace.set(deadline.min(Instant::now() + GRACE));
            let ready = grace.limit(pin!(sender.ready())).await;
            if let Some(Ok(())) = ready {
                return Some(connection);
            }
            // Still writing the last request: the gateway answered without reading all of it, and may
            // never read the rest. A new connection is cheaper than to try the others below in the same
            // way, one grace after the other.
            if !connection.sender.is_closed() {
                return None;
            }
        }
    }

    /// Gives a connection back after a reply that was read to its end.
    pub(crate) fn check_in(&self, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        if idle.len() >= MAX_IDLE {
            // Drop the coldest half at once, so that this stays cheap on average.
            idle.drain(..MAX_IDLE / 2);
        }
        if idle.first().is_some_and(|oldest| now - oldest.since > IDLE_LIFE) {
            idle.retain(|idle| now - idle.since <= IDLE_LIFE);
        }
        idle.push(Idle { connection, since: now });
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> std::sync::MutexGuard<'_, Vec<Idle>> {
    // A panic while holding the lock cannot leave the stack half changed.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
