//! `data/safety.toml`: how the names of the catalog are judged, and which otherwise.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{record::Safety, safety::NameRules};

/// `data/safety.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// What every name is judged by.
    pub(crate) names: NameRules,
    /// Names that are judged otherwise.
    #[serde(default, rename = "exception")]
    exceptions: Vec<Exception>,
}

/// Names that the rules judge wrongly.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    names: BTreeSet<String>,
    safety: Safety,
    /// For the reader of the file.
    #[serde(rename = "why")]
    _why: String,
}

impl Table {
    /// Judges an API of the catalog by its name.
    pub(crate) fn of(&self, name: &str) -> Safety {
        let exception = self.exceptions.iter().find(|exception| exception.names.contains(name));
        exception.map_or_else(|| self.names.safety(name), |exception| exception.safety)
    }

    /// Lists the names that are judged by an exception.
    #[cfg(test)]
    pub(crate) fn exceptions(&self) -> impl Iterator<Item = &String> {
        self.exceptions.iter().flat_map(|exception| &exception.names)
    }
}
