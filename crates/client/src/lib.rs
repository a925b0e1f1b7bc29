//! The line: one `Client::call`, from an account and a name to a reply.
#![warn(missing_docs)]

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
pub use options::{Call, CallOptions, Outcome};
pub use pages::{Page, PageStream, Pages};
pub use prepare::Prepared;
pub use quota::{Claim, Key, Limit, MemoryQuota, Names, QuotaStore, Scope, Turn};
