//! What a check has to say.

use std::fmt;

use serde::Serialize;

/// Something that is wrong with a product or a form, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The rule that is broken: as the document names it, or `option`, `unknownField` or `shape`.
    pub rule: String,
    /// Where: ids of fields, and numbers of rows and values from 0.
    pub path: Path,
    /// Whether it has to be mended.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The limit, as the document has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What the limit counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<u64>,
    /// The platform's own hints for the field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tips: Vec<String>,
}

impl Finding {
    pub(crate) fn new(rule: &str, path: Vec<Step>, message: String) -> Self {
        Self {
            rule: rule.to_owned(),
            path: Path(path),
            severity: Severity::Error,
            message,
            value: None,
            limit: None,
            unit: None,
            actual: None,
            tips: Vec::new(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.message, self.rule)
    }
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The platform refuses it.
    Error,
    /// Nothing is wrong by itself.
    Note,
}

/// The place of a value. Ids have dots and slashes, so it is a list; as text it is a JSON pointer.
///
/// ```
/// # use sesame_schema::{Path, Step};
/// let path = Path(vec![Step::from("a.b/c"), Step::from(2)]);
/// assert_eq!(path.to_string(), "/a.b~1c/2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Path(pub Vec<Step>);

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// Into a field, by its id.
    Field(String),
    /// Into a row or to one of several values, from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(id: &str) -> Self {
        Self::Field(id.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Field(id) => write!(f, "/{}", id.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => write!(f, "/{index}"),
        })
    }
}
