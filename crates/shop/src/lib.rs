//! Products, orders, stock and price of a shop, in one form on every platform.
//!
//! [`Shop`] is one account of a [`sesame_client::Client`]. What differs between platforms is data of the
//! [`sesame_catalog::Catalog`]: which APIs are called, where a row holds its columns, what the platform's words
//! mean. Every row keeps what the platform sent.
#![warn(missing_docs, clippy::missing_errors_doc)]

mod shop;
mod shops;

pub use shop::Shop;
pub use shops::{AT_ONCE, Merged, Shops};
