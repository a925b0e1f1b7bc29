//! Products, orders, stock and price of a shop, in one form on every platform.
//!
//! [`Shop`] is one account of a [`sesame_client::Client`]. What differs between platforms is data of the
//! [`sesame_catalog::Catalog`]: which APIs are called, where a row holds its columns, what the platform's words
//! mean. Every row keeps what the platform sent.
#![warn(missing_docs, clippy::missing_errors_doc)]

mod amount;
mod at_once;
mod categories;
mod fields;
mod job;
mod order;
mod personal;
mod product;
mod ship;
mod shop;
mod shops;
mod sku_list;
mod skus;
mod stage;
mod stream;
mod times;
mod tracking;
mod walk;

pub use amount::Amount;
pub use categories::{Attribute, AttributeValue, Categories, Category, TOP};
pub use fields::{Fields, SubRow};
pub use job::{Job, JobEntry, JobInfo, JobKind, JobPlan, JobReport, JobRow, RowOutcome};
pub use order::{Order, OrderLine, OrderPackage, OrderPages, OrdersRequest};
pub use personal::MASK;
pub use product::{EncryptedProductId, Product, ProductId, ProductPages, ProductView, ProductsRequest};
pub use ship::{Carrier, Document, ShipRequest, Shipment};
pub use shop::Shop;
pub use shops::{AT_ONCE, Merged, Shops};
pub use sku_list::{Sku, SkuPages, SkusRequest};
pub use skus::SkuState;
pub use stage::Stage;
pub use stream::Rows;
pub use times::parse_time;
pub use tracking::{Freight, FreightRequest, Tracking, TrackingEvent};
pub use walk::{Bookmark, BookmarkFile, Page, Progress, Request, Walk};
