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
    /// The lists inside a row (`lines` and `packages` of an order), by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, Sublist>,
    /// How all rows are read, where that takes more than page after page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk: Option<WalkRule>,
    /// The most ids that the input `ids` takes in one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// The platform's words for the state of a row or of its lines, and what they mean.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<String, StageWord>,
    /// Names of members that tell of people (names, addresses, phones), at any depth of a row. They are
    /// masked with all that is in them, unless they are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal: Vec<String>,
    /// Where a row has its other, encrypted id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted_id: Option<String>,
    /// The IANA time zone of times that say none, where it is not that of the account's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
    /// `true` if no document says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guess: bool,
}

/// A list inside a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sublist {
    /// Where it is in the row. Lists on the way are crossed.
    pub items: String,
    /// The columns of its rows.
    pub columns: Vec<Column>,
}

/// How all rows of a list are read although the platform shows only a part at once, and although rows
/// move while they are read: by windows of time, where there are the inputs `since` and `until`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WalkRule {
    /// How `since` and `until` are written.
    #[serde(default)]
    pub form: TimeForm,
    /// The longest window that the platform takes, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<i64>,
    /// How far back the platform shows rows at all, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<i64>,
    /// The parts that make up the list, one after the other: each sets inputs, or another API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<Part>,
    /// The time that `since` and `until` speak of is that of the creation: rows that change do not move.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_creation: bool,
}

/// A part of a list that has to be read by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Part {
    /// The API, where it is another one. It takes the same inputs and gives the same columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The inputs that select this part: `{ status = "FINISH" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
}

/// How a platform writes a time in arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TimeForm {
    /// `2026-11-01T00:00:00+08:00`.
    #[default]
    Rfc3339,
    /// `2026-11-01 00:00:00`, in the zone of the account.
    Local,
    /// `11/01/2026 00:00:00`, in the zone of the account.
    American,
    /// `2026-11-01`: a whole day in the zone of the account.
    Day,
    /// `20261101000000000+0800`.
    Compact,
    /// Milliseconds since 1970.
    Millis,
    /// `{"date_str":"2026-11-01 00:00:00","date_timestamp":1793491200000}`, the text in the zone of the
    /// account.
    Object,
}

/// What a platform's word for a state means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StageWord {
    /// The stage.
    pub stage: String,
    /// Where that is known from, if not from where the facet is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `true` if no document says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guess: bool,
    /// A member of the row whose value decides otherwise, and the stage then: the word of AliExpress for
    /// finished orders stands for closed ones, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<StageException>,
}

/// Where a word means another stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StageException {
    /// Where it stands in the row.
    pub path: String,
    /// Words; a value that holds one of them, in any case, counts.
    pub holds: Vec<String>,
    /// The stage then.
    pub stage: String,
}

/// The stages of an order, the earliest first. What no table lists is `unknown`.
pub const STAGES: [&str; 12] = [
    "unpaid",
    "to_ship",
    "partly_shipped",
    "packed",
    "shipped",
    "delivered",
    "done",
    "cancelling",
    "cancelled",
    "returning",
    "held",
    "unknown",
];

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
    /// An amount of money, as text: it is never a binary float.
    Money,
    /// A point in time.
    Time,
    /// A state; where the row names none, the one that the call asked for.
    Asked,
    /// A currency; where the row names none, that of the shop's region.
    Currency,
    /// The name, address or phone of a person: masked unless it is asked for.
    Person,
}

/// A facet as an overlay gives it: what it leaves out stays as it is.
pub type FacetFields = Map<String, Json>;

/// Reads the fields of a facet.
///
/// # Errors
/// The first mistake, with its key.
pub(crate) fn read(fields: &FacetFields) -> Result<Facet, String> {
    let facet: Facet = serde_path_to_error::deserialize(&Json::Object(fields.clone())).map_err(|error| {
        let key = error.path().to_string();
        if key == "." { error.inner().to_string() } else { format!("{key}: {}", error.inner()) }
    })?;
    check(&facet)?;
    Ok(facet)
}

/// Says what is wrong with a facet whose fields have the right types.
fn check(facet: &Facet) -> Result<(), String> {
    for (word, meaning) in &facet.stages {
        let exception = meaning.unless.as_ref().map(|unless| &unless.stage);
        for stage in std::iter::once(&meaning.stage).chain(exception) {
            if !STAGES.contains(&stage.as_str()) {
                return Err(format!("stages.{word}: {stage:?} is not one of {}", STAGES.join(", ")));
            }
        }
    }
    if facet.batch == Some(0) {
        return Err("batch: a call takes at least one id".to_owned());
    }
    let Some(walk) = &facet.walk else { return Ok(()) };
    if facet.inputs.contains_key("since") != facet.inputs.contains_key("until") {
        return Err("walk: windows of time take the inputs \"since\" and \"until\"".to_owned());
    }
    if walk.window.is_some_and(|seconds| seconds < 2) || walk.history.is_some_and(|seconds| seconds < 1) {
        return Err("walk: a window has two seconds at least, and history one".to_owned());
    }
    let unknown =
        walk.each.iter().flat_map(|part| part.inputs.keys()).find(|name| !facet.inputs.contains_key(*name));
    match unknown {
        Some(name) => Err(format!("walk.each: {name:?} is not among the inputs")),
        None => Ok(()),
    }
}
