//! The catalog in other forms. Everything here is pure: text in, text out.
//!
//! | question | item |
//! |---|---|
//! | what do a vendor's documents or an OpenAPI file say | [`read`] |
//! | what of it does the catalog not know yet | [`patch`], [`overlays`] |
//! | in what do two descriptions of an API differ | [`differences`], [`ApiChange`] |
//! | a platform as a vendor's document host shows it | [`document_list`], [`document`], [`top_list`], [`top_document`] |
//! | a platform as OpenAPI 3.1, an API's arguments as JSON Schema | [`openapi`], [`json_schema`] |
//! | types in Rust, TypeScript, Python | [`code`] |
//! | a reference to browse | [`mod@reference`] |
//!
//! A [`Record`](sesame_catalog::Record) of this crate has its whole name, `[namespace:]name[@version]`, in `name`.
#![warn(missing_docs, clippy::missing_errors_doc)]

mod apidoc;
pub mod code;
mod diff;
mod openapi;
mod patch;
mod read;
mod record;
pub mod reference;
mod schema;
mod toml_text;
mod types;

pub use apidoc::{document, document_list, top_document, top_list};
pub use diff::{ApiChange, ChangeKind, Difference, differences};
pub use openapi::write::openapi;
pub use patch::{Merged, overlays, patch};
pub use read::{MOST_APIS, read};
pub use record::{join, record_of, with_whole_name};
pub use schema::{json_schema, reply_schema};
