//! Arguments that are wrong in one place, made from an entry.

use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Param, Type};
use sesame_core::scalar;

/// What is wrong with a set of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    Missing,
    MissingInside,
    Kind,
    KindInside,
    TooLong,
    TooLarge,
    NotListed,
    BrokenJson,
    BrokenXml,
    OtherRoot,
}

/// Returns sets of arguments that are wrong in one place, one of each kind, and the name of that place.
pub(crate) fn wrong_arguments(
    api: &Api,
    right: &Map<String, Json>,
) -> Vec<(Wrong, String, Map<String, Json>)> {
    let mut out: Vec<(Wrong, String, Map<String, Json>)> = Vec::new();
    // The documents list numbers of some pages, and a size that is too large is cut.
    let is_paged = |name: &str| {
        api.paging.as_ref().is_some_and(|rule| name == rule.index || rule.size.as_deref() == Some(name))
    };
    let variable = |name: &str| api.path.as_deref().is_some_and(|path| path.contains(&format!("{{{name}}}")));
    for param in api.callers().filter(|param| param.kind != Type::Bytes && !variable(&param.name)) {
        let name = &param.name;
        let mut add = |wrong, place: String, value: Option<Json>| {
            if out.iter().all(|(known, ..)| *known != wrong) {
                let mut args = right.clone();
                match value {
                    None => drop(args.remove(name)),
                    Some(value) => drop(args.insert(name.clone(), value)),
                }
                out.push((wrong, place, args));
            }
        };
        if param.required == Some(true) {
            add(Wrong::Missing, name.clone(), None);
        }
        for (wrong, value) in wrong_values(param, is_paged(name)) {
            add(wrong, name.clone(), Some(value));
        }
        // A member of a payload, in what is right otherwise.
        let whole = if param.kind == Type::Xml { param.children.first() } else { Some(param) };
        let given = right.get(name).map(|value| match value {
            Json::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
            other => other.clone(),
        });
        let (Some(whole), Some(Json::Object(members))) = (whole, given) else { continue };
        let root = (param.kind == Type::Xml).then(|| whole.name.clone());
        let inner = match &root {
            Some(root) => members.get(root).and_then(Json::as_object).cloned(),
            None => Some(members),
        };
        let Some(inner) = inner else { continue };
        let place = root.as_ref().map_or_else(|| name.clone(), |root| format!("{name}.{root}"));
        let around = |inner: Map<String, Json>| match &root {
            Some(root) => Json::Object(Map::from_iter([(root.clone(), inner.into())])),
            None => inner.into(),
        };
        for child in &whole.children {
            let place = format!("{place}.{}", child.name);
            if child.required == Some(true) && inner.contains_key(&child.name) {
                let mut less = inner.clone();
                less.remove(&child.name);
                // An empty XML element and none are the same.
                if !less.is_empty() {
                    add(Wrong::MissingInside, place.clone(), Some(around(less)));
                }
            }
            for (_, value) in
                wrong_values(child, is_paged(&place)).into_iter().filter(|_| child.children.is_empty())
            {
                let mut other = inner.clone();
                other.insert(child.name.clone(), value);
                add(Wrong::KindInside, place.clone(), Some(around(other)));
            }
        }
    }
    out
}

/// Returns values that a parameter does not take.
fn wrong_values(param: &Param, is_paged: bool) -> Vec<(Wrong, Json)> {
    let mut out = Vec::new();
    let plain = param.children.is_empty()
        && !matches!(param.kind, Type::Json | Type::Xml | Type::Object | Type::Bytes);
    match param.kind {
        Type::Integer | Type::Number | Type::Decimal => out.push((Wrong::Kind, "twelve".into())),
        Type::Boolean => out.push((Wrong::Kind, "perhaps".into())),
        Type::Date => out.push((Wrong::Kind, "the day before".into())),
        Type::Json | Type::Object => out.push((Wrong::BrokenJson, "{\"a\":".into())),
        Type::Xml => {
            out.push((Wrong::BrokenXml, "<Request><a></Request>".into()));
            if !param.children.is_empty() {
                out.push((Wrong::OtherRoot, "<NoSuchRoot></NoSuchRoot>".into()));
            }
        }
        Type::String | Type::Bytes => {}
    }
    if plain && !is_paged && !param.values.is_empty() {
        let text = scalar::text(&param.values[0]).unwrap_or_default();
        let other = if param.kind == Type::String { "no-such-value".into() } else { format!("{text}987654") };
        out.push((Wrong::NotListed, other.into()));
    }
    if plain
        && param.values.is_empty()
        && param.kind == Type::String
        && let Some(most) = param.max_len
    {
        let long = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1);
        if long < 100_000 {
            out.push((Wrong::TooLong, "7".repeat(long).into()));
        }
    }
    if plain
        && !is_paged
        && matches!(param.kind, Type::Integer | Type::Number)
        && let Some(most) = param.max
    {
        out.push((Wrong::TooLarge, format!("{}", most + 1.0).into()));
    }
    out
}
