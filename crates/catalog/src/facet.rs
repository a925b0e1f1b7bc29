//! Facets: how one kind of thing is fetched on a platform, and where its columns are.
//!
//! The build script reads this file too, so nothing here may use other modules or `sesame_core`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// How one kind of thing (`products`, `categories`, `schema`, ..) is fetched on a platform.
///
/// Paths are those of `sesame_core::path`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Facet {
    /// The API.
    pub api: String,
    /// Arguments that are always sent.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub arguments: Map<String, Json>,
    /// What may be asked for (`status`, `category`, ..), and the path of the argument that takes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// How many values an input takes at once, as a list; one where nothing is said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub many: BTreeMap<String, usize>,
    /// Where the rows, or the document, are in the payload. `None` for those of the API's paging, else
    /// the whole payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Where a row holds the rows below it: a tree that comes whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<String>,
    /// Where a row holds the ids of the rows below it: each is asked for by a call of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_ids: Option<String>,
    /// The columns of a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
}

/// One column of the rows of a facet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Column {
    /// The name, the same on every platform.
    pub name: String,
    /// Where it may be in a row: the first path that holds something counts. With `!` in front, the
    /// opposite of the boolean there.
    pub paths: Vec<String>,
    /// What it holds.
    #[serde(default)]
    pub kind: ColumnKind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ColumnKind {
    /// Text.
    #[default]
    Text,
    /// A number.
    Number,
    /// A point in time, in the platform's own form.
    Time,
}

/// A facet as an overlay gives it: what it leaves out stays as it is.
pub type FacetFields = Map<String, Json>;

/// Reads the fields of a facet.
///
/// # Errors
/// The first mistake, with its key.
pub(crate) fn read(fields: &FacetFields) -> Result<Facet, String> {
    serde_path_to_error::deserialize(&Json::Object(fields.clone())).map_err(|error| {
        let key = error.path().to_string();
        if key == "." { error.inner().to_string() } else { format!("{key}: {}", error.inner()) }
    })
}
