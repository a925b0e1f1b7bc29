//! Shipping: packing, handing over, labels, carriers.
//!
//! The order itself says how far it is: it is read before each step, so that a shipment that was cut off
//! goes on where it is, and nothing is packed twice.

mod call;
mod document;
mod flow;
#[cfg(test)]
mod tests;

pub use document::{Carrier, Document};
pub use flow::Shipment;

/// What is to be shipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShipRequest {
    /// The order.
    pub order: String,
    /// Ids of its lines; all that can be shipped if there are none.
    pub lines: Vec<String>,
    /// The carrier's code, see [`Shop::carriers`](crate::Shop::carriers).
    pub carrier: Option<String>,
    /// The tracking number, where the seller says it.
    pub tracking: Option<String>,
    /// Another way to ship that the platform has: `online` or `dummy`.
    pub how: Option<String>,
}

impl ShipRequest {
    /// Creates the request to ship a whole order.
    pub fn new(order: impl Into<String>) -> Self {
        Self { order: order.into(), ..Self::default() }
    }

    /// Ships only these lines.
    #[must_use]
    pub fn lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.lines = lines.into_iter().collect();
        self
    }

    /// Names the carrier.
    #[must_use]
    pub fn carrier(mut self, code: Option<String>) -> Self {
        self.carrier = code;
        self
    }

    /// Says the tracking number.
    #[must_use]
    pub fn tracking(mut self, number: Option<String>) -> Self {
        self.tracking = number;
        self
    }

    /// Ships in another way.
    #[must_use]
    pub fn how(mut self, how: Option<String>) -> Self {
        self.how = how;
        self
    }
}
