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
    model::{Id, InFlight, lock},
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
    /// The ids, and when the latest of them was used.
    waiting: Mutex<(Vec<Id>, i64)>,
    /// Held by the one task that writes.
    writer: tokio::sync::Mutex<()>,
}

impl Uses {
    pub(crate) fn new(store: Arc<dyn TokenStore>, in_flight: InFlight) -> Self {
        Self { store, in_flight, waiting: Mutex::default(), writer: <_>::default() }
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
            waiting.0.push(authorization.id);
            waiting.1 = waiting.1.max(now);
            drop(waiting);
            self.write();
        }
    }

    /// Begins to write down what waits. Outside of a runtime it waits on.
    pub(crate) fn write(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if lock(&self.waiting).0.is_empty() {
            return;
        }
        let (uses, guard) = (self.clone(), self.in_flight.begin());
        runtime.spawn(async move {
            let _guard = guard;
            // What comes while another task writes is written down together.
            let _turn = uses.writer.lock().await;
            let (ids, at) = mem::take(&mut *lock(&uses.waiting));
            for ids in ids.chunks(TOGETHER) {
                if let Err(error) = uses.store.touch(ids, at).await {
                    // Whoever uses the token an hour from now tries again.
                    tracing::debug!("uses of {} tokens are not written down: {error}", ids.len());
                }
            }
        });
    }
}
