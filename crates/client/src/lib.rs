//! HTTP client: signs, rate-limits, retries and paginates calls.
//!
//! [`Client::call`] makes one [`Call`], [`Client::pages`] reads a list page by page, [`Client::prepare`]
//! stops before the request is sent. Tokens come from a [`sesame_vault::Vault`], facts about platforms
//! from a [`sesame_catalog::Catalog`].
#![warn(missing_docs, clippy::missing_errors_doc)]

mod attempt;
mod call;
mod contract;
mod options;
mod pages;
mod prepare;
mod quota;
mod retry;
mod skew;

pub use call::Client;
pub use options::{Call, CallOptions, CallOutput};
pub use pages::{Page, PageStream, Pages};
pub use prepare::Prepared;
pub use quota::{Decision, Key, MemoryQuota, Names, QuotaStore, Reservation, Scope};
