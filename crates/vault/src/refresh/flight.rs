//! The one refresh of an authorization that this process has in flight.

use std::sync::Arc;

use sesame_core::Result;
use tokio::sync::watch;

use crate::{
    accounts::authorization::{Authorization, Refreshed},
    model::{InFlight, InFlightGuard, Token},
};

/// A refresh in flight, and those who wait for it. Dropped without a result, it lets them begin another.
pub(crate) struct Flight {
    // Dropped first: whoever hears that it ended may begin another.
    slot: FlightSlot,
    outcome: watch::Sender<Option<Result<Token>>>,
}

impl Flight {
    /// Takes the one place for a refresh of an authorization in this process.
    ///
    /// # Errors
    /// The outcome to wait for, if one is in flight already.
    pub(crate) fn begin(
        authorization: &Arc<Authorization>,
        in_flight: &InFlight,
    ) -> Result<(Self, Refreshed), Refreshed> {
        let mut current = authorization.in_flight();
        if let Some(outcome) = current.as_ref() {
            return Err(outcome.clone());
        }
        let (sender, outcome) = watch::channel(None);
        *current = Some(outcome.clone());
        drop(current);
        let slot = FlightSlot { authorization: authorization.clone(), _guard: in_flight.begin() };
        Ok((Self { slot, outcome: sender }, outcome))
    }

    pub(crate) fn authorization(&self) -> &Arc<Authorization> {
        &self.slot.authorization
    }

    /// Frees the slot, then tells everybody who waits how it ended.
    pub(crate) fn complete(self, result: Result<Token>) {
        let Self { slot, outcome } = self;
        drop(slot);
        let _ = outcome.send(Some(result));
    }

    /// Tells everybody who waits how it ended, and keeps the slot for a second call: whoever comes now
    /// waits for that.
    pub(crate) fn hand_on(self, result: Result<Token>) -> Self {
        let Self { slot, outcome } = self;
        let (second, waiting) = watch::channel(None);
        *slot.authorization.in_flight() = Some(waiting);
        let _ = outcome.send(Some(result));
        Self { slot, outcome: second }
    }
}

/// Frees the slot of a refresh when its task ends, however it ends.
struct FlightSlot {
    authorization: Arc<Authorization>,
    _guard: InFlightGuard,
}

impl Drop for FlightSlot {
    fn drop(&mut self) {
        *self.authorization.in_flight() = None;
    }
}
