//! When tokens were last used: recorded at most once an hour each, in batches.
//!
//! A keeper keeps those access tokens fresh that are in use. To know which those are must cost a call
//! that finds a fresh token nothing: it looks at one number and goes on.

use std::{
    mem,
    sync::{Arc, Mutex, atomic::Ordering},
};

use tokio::runtime::Handle;

use super::authorization::Authorization;
use crate::{
    model::{Id, InFlight, InFlightGuard, lock},
    store::TokenStore,
};

/// How old the record of a use may become: an hour.
const EXACT_TO: u64 = 3_600_000;
/// Maximum number of ids that are written down together.
const TOGETHER: usize = 1_000;

/// Uses that are not written down yet.
pub(crate) struct Uses {
    store: Arc<dyn TokenStore>,
    in_flight: InFlight,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    ids: Vec<Id>,
    /// When the latest of them was used.
    at: i64,
    is_written: bool,
}

impl Uses {
    pub(crate) fn new(store: Arc<dyn TokenStore>, in_flight: InFlight) -> Self {
        Self { store, in_flight, waiting: Mutex::default() }
    }

    /// Notes a use. No lock, no wait and no shared write, but once an hour.
    #[inline]
    pub(crate) fn note(self: &Arc<Self>, authorization: &Authorization, now: i64) {
        let noted = authorization.used_at.load(Ordering::Relaxed);
        if noted.abs_diff(now) >= EXACT_TO {
            self.note_now(authorization, noted, now);
        }
    }

    #[cold]
    fn note_now(self: &Arc<Self>, authorization: &Authorization, noted: i64, now: i64) {
        let first =
            authorization.used_at.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            let mut waiting = lock(&self.waiting);
            waiting.ids.push(authorization.id);
            waiting.at = waiting.at.max(now);
            drop(waiting);
            self.write();
        }
    }

    /// Begins to write down what waits, unless that is being done. Outside of a runtime it waits on.
    pub(crate) fn write(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut waiting = lock(&self.waiting);
        if waiting.is_written || waiting.ids.is_empty() {
            return;
        }
        waiting.is_written = true;
        drop(waiting);
        let writing = Writing { uses: self.clone(), _guard: self.in_flight.begin() };
        runtime.spawn(async move {
            while let Some((ids, at)) = writing.next() {
                for ids in ids.chunks(TOGETHER) {
                    if let Err(error) = writing.uses.store.touch(ids, at).await {
                        // Whoever uses the token an hour from now tries again.
                        tracing::debug!("uses of {} tokens are not written down: {error}", ids.len());
                    }
                }
            }
        });
    }
}

/// The one task that writes.
struct Writing {
    uses: Arc<Uses>,
    _guard: InFlightGuard,
}

impl Writing {
    /// Takes what waits. With `None` the task ends, and the next use begins another.
    fn next(&self) -> Option<(Vec<Id>, i64)> {
        let mut waiting = lock(&self.uses.waiting);
        if waiting.ids.is_empty() {
            waiting.is_written = false;
            return None;
        }
        Some((mem::take(&mut waiting.ids), waiting.at))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // A task that is cut off must not keep others from writing.
        lock(&self.uses.waiting).is_written = false;
    }
}
