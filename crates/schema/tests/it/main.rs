//! `sesame-schema` from outside.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod hostile;
mod json_schema;
#[cfg(feature = "json-schema")]
mod product_schema;
mod properties;
mod skeleton;
