//! Orders with their lines, in one form on every platform.

mod build;
mod read;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use sesame_core::Result;

use crate::{Bookmark, Request, Rows, Shop, Stage, stream::Lazy};
pub use read::OrderPages;

/// An order. What the platform does not say is empty.
///
/// Times are RFC 3339 with their zone, amounts text with all their digits. Names, addresses and phones are
/// masked, also in `raw`, unless [`OrdersRequest::personal`] asks for them.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Order {
    /// The id.
    pub id: String,
    /// The account.
    pub shop: String,
    /// The state, in the platform's word. Where each line has its own, that of the line that is least far.
    pub status: String,
    /// The state, in the word for all platforms.
    pub stage: Stage,
    /// When it was made.
    pub created: String,
    /// When it changed last.
    pub updated: String,
    /// When it was paid.
    pub paid: String,
    /// Until when it has to be shipped.
    pub ship_by: String,
    /// The amount.
    pub total: String,
    /// The currency of the amount.
    pub currency: String,
    /// The buyer.
    pub buyer: String,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What was packed.
    pub packages: Vec<OrderPackage>,
    /// The order as the platform sent it, all replies in one object.
    pub raw: Box<RawValue>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrderLine {
    /// The id.
    pub id: String,
    /// The seller's own code of the SKU.
    pub sku: String,
    /// The product.
    pub product: String,
    /// The title.
    pub title: String,
    /// The number of pieces; 1 on platforms that have a line for each piece.
    pub quantity: String,
    /// The price of a piece.
    pub price: String,
    /// The state, in the platform's word; that of the order where lines have none.
    pub status: String,
    /// The state, in the word for all platforms.
    pub stage: Stage,
    /// The package that it is in.
    pub package: String,
    /// The carrier.
    pub carrier: String,
    /// The tracking number.
    pub tracking: String,
}

/// A package of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrderPackage {
    /// The id.
    pub id: String,
    /// The carrier.
    pub carrier: String,
    /// The tracking number.
    pub tracking: String,
}

/// The orders of a shop, as far as they are asked for. Made by [`Shop::orders`].
#[derive(Debug, Clone)]
#[must_use]
pub struct OrdersRequest {
    shop: Shop,
    request: Request,
    has_lines: bool,
    is_personal: bool,
    is_buyer: bool,
}

impl Shop {
    /// Asks for the orders of the shop: all that the platform shows, unless the request is narrowed down.
    ///
    /// ```no_run
    /// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
    /// use sesame_shop::{Shop, Stage};
    ///
    /// let yesterday = client.clock().now() - jiff::SignedDuration::from_hours(24);
    /// let mut orders = Shop::new(client, "my-shop").orders().since(yesterday).stage(Stage::ToShip).rows();
    /// while let Some(order) = orders.next().await {
    ///     let order = order?;
    ///     println!("{} {} {}", order.id, order.total, order.currency);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn orders(&self) -> OrdersRequest {
        OrdersRequest {
            shop: self.clone(),
            request: Request::new("orders"),
            has_lines: true,
            is_personal: false,
            is_buyer: false,
        }
    }
}

impl OrdersRequest {
    /// Only orders that changed at or after this time; on a platform that lists by creation, that were made.
    pub fn since(mut self, at: Timestamp) -> Self {
        self.request.since = Some(at);
        self
    }

    /// Only orders that changed at or before this time.
    pub fn until(mut self, at: Timestamp) -> Self {
        self.request.until = Some(at);
        self
    }

    /// Only orders in this state, in the platform's own word.
    pub fn status(mut self, word: impl Into<String>) -> Self {
        self.request.status = Some(word.into());
        self
    }

    /// Only orders in this stage; called again, in one of several.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.request.stages.push(stage);
        self
    }

    /// The first orders alone, in the platform's order, of those in the stages asked for.
    pub fn limit(mut self, most: u64) -> Self {
        self.request.limit = Some(most);
        self
    }

    /// Reads no lines where they take calls of their own.
    pub fn without_lines(mut self) -> Self {
        self.has_lines = false;
        self
    }

    /// Shows names, addresses and phones.
    pub fn personal(mut self) -> Self {
        self.is_personal = true;
        self
    }

    /// Asks for what this account bought, where it is buyer and seller.
    pub fn buyer(mut self) -> Self {
        self.is_buyer = true;
        "orders-buyer".clone_into(&mut self.request.list);
        self
    }

    /// Goes on where an earlier read was left. Its span of time holds.
    pub fn resume(mut self, bookmark: Bookmark) -> Self {
        self.request.bookmark = Some(bookmark);
        self
    }

    /// Opens the list, page by page: with totals, warnings and a bookmark.
    ///
    /// # Errors
    /// As [`Walk::open`](crate::Walk::open).
    pub async fn pages(self) -> Result<OrderPages> {
        OrderPages::open(self).await
    }

    /// Opens the list as a stream of orders.
    pub fn rows(self) -> Rows<Order> {
        Rows::new(Lazy::new(self.pages()))
    }

    /// Reads one order in full.
    ///
    /// # Errors
    /// Usage, for a platform without such a call; what the platform says of an unknown id.
    pub async fn get(self, id: &str) -> Result<Order> {
        read::one(self, id).await
    }
}
