//! What platforms and APIs exist, what they take and return, how they page.
//!
//! All of it is data, in `catalog/` at the root of the repository: `platforms.toml`, the imported
//! facts in `base/`, and what we know better in `overlay/`. A build script joins them into a form
//! that is looked up without parsing more than the one entry asked for.
#![warn(missing_docs)]

mod api;
mod platform;

pub use api::{Api, ApiErrorNote, Field, HttpMethods, Paging, PagingStyle, Param, Safety, Type};
pub use platform::{
    AuthorizeRules, ClockRules, DigestChoice, IdentityFields, OAuthStyle, Platform, QuotaRule, Region, TokenRules,
};
