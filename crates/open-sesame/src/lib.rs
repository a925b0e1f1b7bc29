//! Signed calls, tokens and lists of the Alibaba family of commerce platforms.
//!
//! [`Sesame`] holds a vault of apps and authorized shops, and calls platforms in their name:
//!
//! ```no_run
//! use open_sesame::{Json, Sesame};
//!
//! # async fn example(dir: std::path::PathBuf) -> open_sesame::Result<()> {
//! let sesame = Sesame::builder().home(dir).build().await?;
//! let orders: Json = sesame.call("shop", "/orders/get").arg("limit", 10).send_as().await?;
//! let mut rows = sesame.call("shop", "/products/get").rows::<Json>();
//! while let Some(product) = rows.next().await {
//!     println!("{}", product?);
//! }
//! let token = sesame.vault().access_token("shop").await?;
//! # let _ = (orders, token);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//! One type, [`Error`]: a kind, whose fault it is, whether to try again, and a hint. `{error:#}` prints the
//! hint beside the message.
//!
//! # Features
//! `sqlite` (default) and `postgres` say where vaults may be kept, `keyring` lets the master key live in the
//! keyring of a desktop session, `sandbox` brings the platforms' gateways to this machine: see the module
//! `sandbox`.
#![warn(missing_docs, clippy::missing_errors_doc)]

mod builder;
mod request;
mod rows;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod sesame;

pub use builder::SesameBuilder;
pub use request::CallRequest;
pub use rows::Rows;
pub use serde_json::Value as Json;
pub use sesame::Sesame;
pub use sesame_catalog::{Catalog, Environment, Safety, SandboxUrl};
pub use sesame_client::{
    Call, CallOptions, CallOutput, Client, Page, PageStream, Pages, Prepared, QuotaStore,
};
pub use sesame_core::{
    AccessToken, AppSecret, AuthCode, Clock, Error, ErrorKind, Fault, RefreshToken, Result, Retry, Transport,
    envelope::Reply, params::File,
};
pub use sesame_http::HttpTransport;
pub use sesame_shop::{
    Amount, Attribute, Bookmark, BookmarkFile, Carrier, Categories, Category, Document, Freight, Job,
    JobEntry, JobInfo, JobKind, JobPlan, JobReport, JobRow, Merged, Order, OrderLine, OrderPackage,
    OrdersRequest, Product, ProductId, ProductsRequest, RowOutcome, ShipRequest, Shipment, Shop, Shops, Sku,
    SkuState, SkusRequest, Stage, Tracking, parse_time,
};
pub use sesame_vault::{
    Account, AccountId, AccountState, App, Callback, ImportedTokens, Keeper, KeeperOptions, KeyChoice, Login,
    LoginOptions, NewApp, SystemClock, Vault, WarmPolicy,
};
