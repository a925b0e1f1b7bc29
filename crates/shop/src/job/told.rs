//! What a reply says of single rows.

use std::borrow::Cow;

use serde_json::value::RawValue;
use sesame_catalog::RowReplies;
use sesame_core::{path, scalar::raw_text};

use super::JobEntry;

/// What a reply tells of single rows: keys with code and message.
pub(crate) struct Told<'a> {
    rules: Option<&'a RowReplies>,
    keys: Vec<(String, Option<String>, String)>,
}

impl<'a> Told<'a> {
    pub(crate) fn read(payload: Option<&RawValue>, rules: Option<&'a RowReplies>) -> Self {
        let mut keys = Vec::new();
        if let (Some(payload), Some(rules)) = (payload, rules) {
            for item in path::rows(payload, &rules.items).unwrap_or_default() {
                let is =
                    |place: &Option<String>| place.as_deref().and_then(|place| path::boolean(item, place));
                if is(&rules.unless) == Some(true) || is(&rules.when) == Some(false) {
                    continue;
                }
                let text = |place: &Option<String>| {
                    let place = place.as_deref()?;
                    let found = path::text(item, place).or_else(|| path::text(payload, place))?;
                    Some(found.into_owned()).filter(|text| !text.is_empty())
                };
                let code = text(&rules.code);
                if code.as_deref() == Some("0") {
                    continue;
                }
                let message =
                    text(&rules.message).unwrap_or_else(|| "the platform gave no reason".to_owned());
                let all = path::rows(item, &rules.key).unwrap_or_default();
                let scalars = all.into_iter().filter_map(raw_text);
                let mut found: Vec<String> = scalars.map(Cow::into_owned).collect();
                if found.is_empty() {
                    found.extend(path::text(item, &rules.key).map(Cow::into_owned));
                }
                keys.extend(found.into_iter().map(|key| (key, code.clone(), message.clone())));
            }
        }
        Self { rules, keys }
    }

    fn key<'e>(&self, entry: &'e JobEntry) -> Option<&'e str> {
        let state = entry.state()?;
        match self.rules?.field.as_str() {
            "sku" => state.sku.as_deref(),
            "sku_id" => state.sku_id.as_deref(),
            _ => Some(&state.product),
        }
    }

    pub(super) fn of(&self, entry: &JobEntry) -> Option<(Option<String>, String)> {
        self.find(self.key(entry)?)
    }

    /// Returns code and message of a key.
    pub(crate) fn find(&self, key: &str) -> Option<(Option<String>, String)> {
        let (_, code, message) = self.keys.iter().find(|(known, ..)| known == key)?;
        Some((code.clone(), message.clone()))
    }

    pub(super) fn is_same(&self, a: &JobEntry, b: &JobEntry) -> bool {
        self.key(a) == self.key(b)
    }
}
