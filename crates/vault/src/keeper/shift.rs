//! What a keeper has under way, and what came of it.

use std::sync::{Arc, atomic::AtomicBool};

use sesame_core::{AccessToken, Error, ErrorKind, Fault, RefreshToken, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    Keeper, Totals,
    batch::Batch,
    lanes::{Ended, Paced, Seat},
};
use crate::{
    authorization::Authorization,
    journal::Reserve,
    oauth::calls::Offer,
    refresh::{Flight, millis},
    store::{Due, DueClaim, Lease},
    vault::{Inner, lock},
};

/// Places are filled again when so many are free, so that claims and intents come in batches.
const REFILL: usize = 16;
/// How much longer a claimed lease lasts than one that is taken for a single refresh: until then its
/// intent stands.
pub(super) const BEGINNING: std::time::Duration = std::time::Duration::from_secs(15);

/// One pass, or one run, of a keeper.
pub(super) struct Shift<'a> {
    keeper: &'a Keeper,
    totals: Totals,
    /// Rows that were put off only because others of their app go first.
    pub(super) paced: Paced,
    under_way: usize,
    tell: UnboundedSender<Outcome>,
    landed: UnboundedReceiver<Outcome>,
}

/// A row whose tokens are about to be spent.
pub(super) struct Start {
    pub(super) due: Due,
    pub(super) authorization: Arc<Authorization>,
    pub(super) flight: Flight,
    pub(super) refresh: RefreshToken,
    /// Present: the refresh token is postponed, which takes this.
    pub(super) postpone: Option<AccessToken>,
    pub(super) seat: Seat,
}

/// What came of one row.
#[derive(Clone, Copy)]
enum Outcome {
    Refreshed {
        prolonged: bool,
    },
    Postponed,
    /// Somebody else's tokens stand.
    Overtaken,
    Failed,
    /// The platform says that the refresh token is dead.
    Ended,
}

/// Tells what came of a row when its task ends, however it ends.
struct Telling {
    tell: UnboundedSender<Outcome>,
    outcome: Outcome,
}

impl Drop for Telling {
    fn drop(&mut self) {
        // Nobody listens any more when the keeper was dropped.
        let _ = self.tell.send(self.outcome);
    }
}

impl<'a> Shift<'a> {
    pub(super) fn new(keeper: &'a Keeper) -> Self {
        // As many messages as calls under way: bounded by the options.
        let (tell, landed) = unbounded_channel();
        Self { keeper, totals: Totals::default(), paced: Paced::default(), under_way: 0, tell, landed }
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.under_way > 0
    }

    /// Tells whether enough places are free for another batch.
    pub(super) fn has_room(&self) -> bool {
        let places = self.keeper.options.in_flight;
        places.saturating_sub(self.under_way) >= REFILL.min(places.div_ceil(4))
    }

    pub(super) fn count_landed(&mut self) {
        while let Ok(landed) = self.landed.try_recv() {
            self.count(landed);
        }
    }

    /// Waits until one call has ended. Only while one is under way.
    pub(super) async fn wait_landed(&mut self) {
        if let Some(landed) = self.landed.recv().await {
            self.count(landed);
        }
    }

    /// Waits until all is done.
    pub(super) async fn finish(mut self) -> Totals {
        while self.is_busy() {
            self.wait_landed().await;
        }
        self.totals
    }

    fn count(&mut self, landed: Outcome) {
        self.under_way = self.under_way.saturating_sub(1);
        match landed {
            Outcome::Refreshed { prolonged } => {
                self.totals.refreshed += 1;
                self.totals.postponed += u64::from(prolonged);
            }
            Outcome::Postponed => self.totals.postponed += 1,
            Outcome::Overtaken => {}
            Outcome::Failed => self.totals.failed += 1,
            Outcome::Ended => self.totals.ended += 1,
        }
    }

    /// Claims what is due by then and begins it. True when more may be due.
    ///
    /// # Errors
    /// The store's. Leases that could not be given back end by themselves.
    pub(super) async fn claim(&mut self, due_by: i64, stopping: &AtomicBool) -> Result<bool> {
        let inner = &self.keeper.vault.0;
        let portion = lock(&self.keeper.portion).rows();
        let free = self.keeper.options.in_flight.saturating_sub(self.under_way).min(portion);
        let claimed_at = inner.now();
        let claim = DueClaim {
            owner: &inner.owner,
            now: due_by,
            until: claimed_at.saturating_add(millis(inner.lease() + BEGINNING)),
            limit: u32::try_from(free).unwrap_or(u32::MAX),
        };
        let rows = inner.store.claim_due(claim).await?;
        let more = rows.len() >= free;
        if rows.is_empty() {
            return Ok(false);
        }
        let mut batch = Batch::new(self.keeper, due_by, claimed_at, stopping);
        batch.sort(rows).await?;
        batch.give_back().await?;
        batch.begin().await?;
        let Batch { begun, again, totals, paced, .. } = batch;
        self.paced.merge(paced);
        self.totals.announced += totals.announced;
        self.totals.failed += totals.failed;
        self.totals.ended += totals.ended;
        self.totals.deferred += totals.deferred;
        for (start, reserve) in begun {
            self.under_way += 1;
            let telling = Telling { tell: self.tell.clone(), outcome: Outcome::Failed };
            tokio::spawn(carry_out(inner.clone(), start, reserve, telling));
        }
        Ok(more || again)
    }
}

/// Spends one refresh token whose intent stands.
async fn carry_out(inner: Arc<Inner>, start: Start, reserve: Reserve, mut telling: Telling) {
    let Start { due, authorization, flight, refresh, postpone, seat } = start;
    let row = &due.authorization;
    // As the intent left it: one that stood before was cut off.
    let lease = Lease { fence: due.fence, interrupted_since: row.interrupted_since.or(row.refreshing_since) };
    let offer = match &postpone {
        Some(access) => Offer::Postpone { refresh: &refresh, access },
        None => Offer::Refresh(&refresh),
    };
    let result = inner.spend(&authorization, row, offer, lease, &reserve).await;
    drop(reserve);
    seat.ended(result.as_ref().map_or_else(Ended::of, |_| Ended::Well), inner.now());
    match result {
        Ok(Some(spent)) => {
            let prolonged = flight.land(Ok(spent.into())).await;
            telling.outcome = match postpone {
                Some(_) => Outcome::Postponed,
                None => Outcome::Refreshed { prolonged },
            };
        }
        Ok(None) => telling.outcome = Outcome::Overtaken,
        Err(error) => {
            tracing::warn!(account = due.label, kind = %error.kind(), "{error}");
            let is_over = postpone.is_none()
                && error.kind() == ErrorKind::Authorization
                && error.fault() == Fault::Seller;
            telling.outcome = if is_over { Outcome::Ended } else { Outcome::Failed };
            report_failure(flight, error, postpone.is_some()).await;
        }
    }
}

/// Tells those who wait. A postponement that failed says nothing about the access token they want:
/// they begin a refresh of their own.
async fn report_failure(flight: Flight, error: Error, was_postponed: bool) {
    if was_postponed {
        drop(flight);
    } else {
        flight.land(Err(error)).await;
    }
}
