//! What platforms and APIs exist, what they take and return, how they page.
//!
//! All of it is data, in `data/` beside this code: `platforms.toml`, the error
//! tables in `errors/`, the imported facts in `base/`, and what we know better in `overlay/`. A
//! build script joins them into a form that is looked up without parsing more than the one entry
//! asked for.
//!
//! Where to look:
//!
//! | question | item |
//! |---|---|
//! | what does this API take and return | [`Catalog::api`], [`Api`] |
//! | which APIs are there | [`Catalog::search`], [`Catalog::list`] |
//! | how products, categories, schemas are fetched | [`Catalog::facet`] |
//! | how stock, prices, states are written | [`Catalog::action`] |
//! | which hosts, lives, digests | [`Platform`] |
//! | where does a call go, what is signed of its path | [`request_url`], [`signed_path`] |
//! | what does this code mean | [`Catalog::explain`] |
//! | the format of overlays | [`Overlay`] |
#![warn(missing_docs)]

mod action;
mod api;
mod catalog;
mod embedded;
mod endpoint;
mod explain;
mod facet;
#[cfg(test)]
#[path = "../build/judged.rs"]
mod judged;
mod names;
mod overlay;
mod overlay_reader;
#[cfg(test)]
#[path = "../build/pack.rs"]
mod pack;
mod packed;
mod platform;
mod platforms;
mod record;
mod safety;
mod sample;
mod search;
mod summary;
mod user;
mod words;

pub use action::{Action, ActionFields, ProductList, RowReplies};
pub use api::Api;
pub use catalog::Catalog;
pub use catalog::SearchFilter;
pub use endpoint::{Environment, SandboxUrl, Urls, request_url, signed_path};
pub use explain::Explained;
pub use facet::{
    Column, ColumnKind, Facet, FacetFields, Part, STAGES, StageException, StageWord, Sublist, TimeForm,
    WalkRule,
};
pub use overlay::{Mistake, Overlay, ParamPatch, Patch};
pub use platform::{
    AuthorizeRules, BatchRules, ClockRules, DigestChoice, DocumentHost, IdentityFields, OAuthStyle, Platform,
    QuotaRule, Region, TokenRules,
};
pub use record::{ApiErrorNote, Field, HttpMethods, Paging, PagingStyle, Param, Record, Safety, Type};
pub use summary::ApiSummary;
pub use user::MOST_OVERLAYS;
