//! In what two descriptions of an API differ.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use sesame_catalog::Record;

/// What became of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is described otherwise.
    Changed,
}

/// An API that differs between two catalogs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiChange {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: ChangeKind,
    /// In what it differs; empty for one that is new or gone.
    pub differences: Vec<Difference>,
}

impl ApiChange {
    /// Compares two descriptions; `None` if they are the same.
    pub fn between(name: &str, old: Option<&Record>, new: Option<&Record>) -> Option<Self> {
        let (change, differences) = match (old, new) {
            (None, None) => return None,
            (None, Some(_)) => (ChangeKind::Added, Vec::new()),
            (Some(_), None) => (ChangeKind::Removed, Vec::new()),
            (Some(old), Some(new)) => (ChangeKind::Changed, differences(old, new)),
        };
        let is_same = change == ChangeKind::Changed && differences.is_empty();
        (!is_same).then(|| Self { name: name.to_owned(), change, differences })
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What is meant: `safety`, `paging`, `params.filter.limit`, `response.total`, `errors.4104`.
    pub field: String,
    /// What of a parameter or a field: `type`, `required`, `max`. Null if all of it is new or gone.
    pub key: Option<String>,
    /// What was there.
    pub old: Option<Json>,
    /// What is there.
    pub new: Option<Json>,
}

/// Lists in what two descriptions differ. Their names and sources do not count.
pub fn differences(old: &Record, new: &Record) -> Vec<Difference> {
    let mut out = Vec::new();
    let (old, new) = (fields_of(old), fields_of(new));
    for key in keys(&old, &new) {
        let (old, new) = (old.get(key), new.get(key));
        if matches!(key, "params" | "response" | "errors") {
            walk(key, &by_name(old), &by_name(new), &mut out);
        } else if old != new {
            out.push(Difference { field: key.to_owned(), key: None, old: old.cloned(), new: new.cloned() });
        }
    }
    out
}

fn fields_of(record: &Record) -> Map<String, Json> {
    let mut fields = match serde_json::to_value(record) {
        Ok(Json::Object(fields)) => fields,
        _ => Map::new(),
    };
    for other in ["name", "namespace", "version", "source", "doc_id"] {
        fields.shift_remove(other);
    }
    fields
}

fn keys<'a>(old: &'a Map<String, Json>, new: &'a Map<String, Json>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    old.keys().chain(new.keys()).map(String::as_str).filter(|key| seen.insert(*key)).collect()
}

/// A list of things with names, by these. Of two with one name the second has a number.
fn by_name(list: Option<&Json>) -> Map<String, Json> {
    let mut out = Map::new();
    for item in list.and_then(Json::as_array).into_iter().flatten() {
        let name = item["n"].as_str().or(item["code"].as_str()).unwrap_or_default();
        let mut key = name.to_owned();
        let mut nth = 1;
        while out.contains_key(&key) {
            nth += 1;
            key = format!("{name}#{nth}");
        }
        out.insert(key, item.clone());
    }
    out
}

fn walk(place: &str, old: &Map<String, Json>, new: &Map<String, Json>, out: &mut Vec<Difference>) {
    for name in keys(old, new) {
        let field = format!("{place}.{name}");
        let (Some(Json::Object(before)), Some(Json::Object(after))) = (old.get(name), new.get(name)) else {
            out.push(Difference {
                field,
                key: None,
                old: old.get(name).cloned(),
                new: new.get(name).cloned(),
            });
            continue;
        };
        for key in keys(before, after) {
            let (before, after) = (before.get(key), after.get(key));
            if key == "c" {
                walk(&field, &by_name(before), &by_name(after), out);
            } else if before != after && !matches!(key, "n" | "code") {
                let key = Some(word(key).to_owned());
                out.push(Difference { field: field.clone(), key, old: before.cloned(), new: after.cloned() });
            }
        }
    }
}

/// The whole words of the short keys of data files.
fn word(key: &str) -> &str {
    match key {
        "t" => "type",
        "l" => "list",
        "r" => "required",
        "vt" => "vendor type",
        "eg" => "example",
        other => other,
    }
}
