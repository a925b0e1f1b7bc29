//! Finding rows and numbers in a payload by dotted path, without parsing the rest.
//!
//! Lists on the way are crossed. Wrappers of TOP (`items: {"item": [...]}`) may be there or not:
//! one platform sends both forms of the same list.

use std::{borrow::Cow, collections::HashMap};

use serde_json::value::RawValue;
use sesame_core::scalar;

/// The deepest path that is followed.
const DEEPEST: usize = 16;

/// Returns the rows at `path`, or nothing when there is no such place in the payload, or no list.
pub(super) fn rows<'a>(payload: &'a str, path: &str) -> Option<Vec<&'a RawValue>> {
    let whole: &RawValue = serde_json::from_str(payload).ok()?;
    // An empty object in the place of the list's is an honest "nothing"; an empty reply is none.
    if is_empty(whole) {
        return None;
    }
    let path: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).take(DEEPEST).collect();
    rows_in(whole, &path)
}

fn rows_in<'a>(value: &'a RawValue, path: &[&str]) -> Option<Vec<&'a RawValue>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'[' => {
            let items: Vec<&'a RawValue> = serde_json::from_str(text).ok()?;
            let [first, rest @ ..] = path else { return Some(items) };
            let mut out = Vec::new();
            for item in items {
                match member(item, first) {
                    Some(inner) => match rows_in(inner, rest) {
                        Some(rows) => out.extend(rows),
                        None if rest.is_empty() => out.push(inner),
                        None => {}
                    },
                    // The last step is a wrapper that this reply does without.
                    None if rest.is_empty() => out.push(item),
                    None => {}
                }
            }
            Some(out)
        }
        b'{' => {
            if is_empty(value) {
                return Some(Vec::new());
            }
            if let [first, rest @ ..] = path {
                return rows_in(member(value, first)?, rest);
            }
            let members: HashMap<String, &'a RawValue> = serde_json::from_str(text).ok()?;
            let mut values = members.values();
            match (values.next(), values.next()) {
                (None, _) => Some(Vec::new()),
                (Some(only), None) if only.get().starts_with('[') => rows_in(only, &[]),
                // One row, sent without a list around it.
                _ => Some(vec![value]),
            }
        }
        b'n' => Some(Vec::new()),
        b'"' if text == "\"\"" => Some(Vec::new()),
        // A word or a number where a list belongs is no row.
        _ => None,
    }
}

fn is_empty(value: &RawValue) -> bool {
    value.get().strip_prefix('{').is_some_and(|rest| rest.trim_start() == "}")
}

fn member<'a>(value: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    if !value.get().starts_with('{') {
        return None;
    }
    let mut members: HashMap<String, &'a RawValue> = serde_json::from_str(value.get()).ok()?;
    members.remove(name)
}

/// Returns the first plain value at `path`, as text.
pub(super) fn text(payload: &str, path: &str) -> Option<String> {
    let mut value: &RawValue = serde_json::from_str(payload).ok()?;
    for part in path.split('.').take(DEEPEST) {
        while value.get().starts_with('[') {
            value = serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.into_iter().next()?;
        }
        value = member(value, part)?;
    }
    scalar::raw_text(value).map(Cow::into_owned)
}

/// Returns the whole number at `path`, written as a number or as a text.
pub(super) fn number(payload: &str, path: &str) -> Option<u64> {
    let text = text(payload, path)?;
    u64::try_from(scalar::integer(&serde_json::Value::String(text))?).ok()
}

/// Returns the truth at `path`.
pub(super) fn truth(payload: &str, path: &str) -> Option<bool> {
    scalar::boolean(&serde_json::Value::String(text(payload, path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(payload: &str, path: &str) -> Option<Vec<String>> {
        rows(payload, path).map(|rows| rows.into_iter().map(|row| row.get().to_owned()).collect())
    }

    fn texts(rows: &[&str]) -> Vec<String> {
        rows.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_rows_wrapped_bare_and_crossed() {
        assert_eq!(
            found(r#"{"items":{"item":[{"id":1},{"id":2}]}}"#, "items.item"),
            Some(texts(&[r#"{"id":1}"#, r#"{"id":2}"#]))
        );
        assert_eq!(found(r#"{"items":[{"id":1}]}"#, "items.item"), Some(texts(&[r#"{"id":1}"#])));
        assert_eq!(found(r#"{"items":{"item":[{"id":1}]}}"#, "items"), Some(texts(&[r#"{"id":1}"#])));
        assert_eq!(
            found(r#"{"items":{"item":{"id":1,"b":2}}}"#, "items.item"),
            Some(texts(&[r#"{"id":1,"b":2}"#]))
        );
        assert_eq!(
            found(r#"{"a":[{"b":[1,2]},{"b":[3]},{"c":1}]}"#, "a.b"),
            Some(texts(&["1", "2", "3", r#"{"c":1}"#]))
        );
        assert_eq!(found(r#"[{"id":1}]"#, ""), Some(texts(&[r#"{"id":1}"#])));
    }

    #[test]
    fn no_rows_and_no_place_are_different() {
        assert_eq!(found(r#"{"items":{}}"#, "items"), Some(texts(&[])));
        assert_eq!(found(r#"{"items":null}"#, "items.item"), Some(texts(&[])));
        assert_eq!(found(r#"{"items":""}"#, "items.item"), Some(texts(&[])));
        assert_eq!(found(r#"{"total":0}"#, "items.item"), None);
        assert_eq!(found("not json", "items"), None);
        assert_eq!(found(r#"{"items":"oops"}"#, "items"), None);
        assert_eq!(found(r#"{"items":5}"#, "items.item"), None);
        assert_eq!(found(r#"{"data":{ }}"#, "data.items"), Some(texts(&[])));
        assert_eq!(found("{}", "data.items"), None);
    }

    #[test]
    fn numbers_may_be_texts() {
        let payload = r#"{"result":{"total_item":"1234","more":"true","list":[{"n":5}],"bad":-1}}"#;
        assert_eq!(number(payload, "result.total_item"), Some(1234));
        assert_eq!(number(payload, "result.list.n"), Some(5));
        assert_eq!(number(payload, "result.bad"), None);
        assert_eq!(number(payload, "result.none"), None);
        assert_eq!(truth(payload, "result.more"), Some(true));
    }
}
