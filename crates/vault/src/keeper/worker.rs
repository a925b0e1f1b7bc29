//! The refreshes that a keeper has under way, and what came of them.

use std::sync::Arc;

use sesame_core::{ErrorKind, Fault, Result};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use super::{
    Keeper, Totals,
    batch::{Batch, Start, Throttled},
    limiter::CallEnd,
};
use crate::{
    model::millis,
    oauth::calls::Grant,
    refresh::Reservation,
    store::{DueClaim, Lease},
    vault::Services,
};

/// Maximum number of rows that are claimed together.
const BATCH_SIZE: usize = 100;
/// Places are filled again when this many are free, so that claims and intents come in batches.
const REFILL: usize = 16;

/// The work of one tick, or of one run, of a keeper.
///
/// What is under way when it is dropped ends by itself.
pub(super) struct Worker<'a> {
    keeper: &'a Keeper,
    totals: Totals,
    throttled: Throttled,
    under_way: JoinSet<Totals>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(keeper: &'a Keeper) -> Self {
        let (totals, throttled) = (Totals::default(), Throttled::default());
        Self { keeper, totals, throttled, under_way: JoinSet::new() }
    }

    /// Returns `true` if enough places are free for another batch.
    pub(super) fn has_room(&mut self) -> bool {
        while let Some(ended) = self.under_way.try_join_next() {
            self.count(ended);
        }
        let places = self.keeper.options.in_flight;
        places.saturating_sub(self.under_way.len()) >= REFILL.min(places.div_ceil(4))
    }

    /// Waits until one refresh has ended. Returns `false` at once if none is under way.
    pub(super) async fn wait_for_one(&mut self) -> bool {
        let Some(ended) = self.under_way.join_next().await else { return false };
        self.count(ended);
        true
    }

    /// Waits until all refreshes have ended.
    pub(super) async fn finish(mut self) -> (Totals, Throttled) {
        while self.wait_for_one().await {}
        (self.totals, self.throttled)
    }

    fn count(&mut self, ended: Result<Totals, JoinError>) {
        // A task that panicked has failed; its lease ends by itself.
        self.totals.add(ended.unwrap_or(Totals { failed: 1, ..Totals::default() }));
    }

    /// Claims a batch of what is due by a time and begins it. Returns `true` if more may be due.
    ///
    /// # Errors
    /// The store's. Leases that could not be given back end by themselves.
    pub(super) async fn claim(&mut self, due_by: i64, stopping: &watch::Receiver<bool>) -> Result<bool> {
        let services = &self.keeper.vault.0;
        let free = self.keeper.options.in_flight.saturating_sub(self.under_way.len()).min(BATCH_SIZE);
        let claim = DueClaim {
            owner: &services.refresher.owner,
            now: due_by,
            until: services.now().saturating_add(millis(services.refresher.endpoint.lease())),
            limit: u32::try_from(free).unwrap_or(u32::MAX),
        };
        let rows = services.store.claim_due(claim).await?;
        let has_more = rows.len() >= free;
        if rows.is_empty() {
            return Ok(false);
        }
        let mut batch = Batch::new(self.keeper, stopping);
        let begun = match batch.decide(rows).await {
            Ok(()) => batch.begin().await,
            Err(error) => Err(error),
        };
        self.totals.add(batch.totals);
        self.throttled.merge(batch.throttled);
        for (start, reservation) in begun? {
            self.under_way.spawn(carry_out(services.clone(), start, reservation));
        }
        Ok(has_more)
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        // An answer that is on its way must not be lost.
        self.under_way.detach_all();
    }
}

/// Spends one refresh token whose intent stands. Returns what came of it; nothing, if another process stored
/// newer tokens first.
async fn carry_out(services: Arc<Services>, start: Start, reservation: Reservation) -> Totals {
    let mut done = Totals::default();
    let Start { due, authorization, flight, refresh, postpone, permit } = start;
    let row = &due.authorization;
    // As the intent left it: one that stood before was cut off.
    let lease = Lease { fence: due.fence, interrupted_since: row.interrupted_since.or(row.refreshing_since) };
    let grant = match &postpone {
        Some(access) => Grant::Postpone { refresh: &refresh, access },
        None => Grant::Refresh(&refresh),
    };
    let result = services.refresher.exchange(&authorization, row, grant, lease, &reservation).await;
    drop(reservation);
    permit.release(result.as_ref().map_or_else(CallEnd::of, |_| CallEnd::Answered), services.now());
    match result {
        Ok(Some(exchanged)) => {
            let prolonged = services.refresher.complete(flight, Ok(exchanged)).await;
            done.refreshed = u64::from(postpone.is_none());
            done.postponed = u64::from(prolonged || postpone.is_some());
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(account = due.label, kind = %error.kind(), "{error}");
            // The platform says that the refresh token is dead.
            let is_over = postpone.is_none()
                && error.kind() == ErrorKind::Authorization
                && error.fault() == Fault::Seller;
            (done.ended, done.failed) = (u64::from(is_over), u64::from(!is_over));
            // A postponement that failed says nothing about the access token that callers wait for: when
            // the flight is dropped, they begin a refresh of their own.
            if postpone.is_none() {
                services.refresher.complete(flight, Err(error)).await;
            }
        }
    }
    done
}
