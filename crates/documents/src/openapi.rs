//! OpenAPI 3.1, both ways.

pub(crate) mod read;
pub(crate) mod write;

/// The key that holds an API's own name: paths of OpenAPI have prefixes, and methods share one path.
const NAME: &str = "x-sesame-name";
