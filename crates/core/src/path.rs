//! Dotted paths into JSON: `result.total`, `skus.0.price`.
//!
//! A payload is read as it came, without parsing more of it than the path leads through. Three rules
//! hold wherever facts name a place in a reply:
//!
//! * a number is a position in a list; [`rows`] also crosses lists without one,
//! * of members with the same name the first counts,
//! * `a|b` is the first of two places that holds something, where a platform answers in both forms,
//! * the wrapper that TOP puts around lists (`{"items":{"item":[..]}}`) may be there or not, and may be
//!   named in the path or not: one platform sends both forms of the same list.

use std::borrow::Cow;

use serde::{Deserializer as _, de};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    Error, Result,
    scalar::{self, Text},
};

/// The deepest path that is followed.
const DEEPEST: usize = 16;

/// Returns the value at a path. `None` if it leads nowhere.
///
/// ```
/// use sesame_core::path;
/// use serde_json::value::RawValue;
/// let reply: &RawValue = serde_json::from_str(r#"{"skus":{"sku":[{"price":"1.50"}]}}"#)?;
/// assert_eq!(path::get(reply, "skus.sku.0.price").unwrap().get(), r#""1.50""#);
/// assert_eq!(path::text(reply, "skus.0.price").unwrap(), "1.50");
/// assert_eq!(path::rows(reply, "skus").unwrap().len(), 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn get<'a>(json: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    let place = |path| {
        steps(path)
            .take(DEEPEST)
            .try_fold(json, |value, name| member(value, name).or_else(|| nth(value, name)))
    };
    match path.split_once('|') {
        None => place(path),
        Some((first, others)) => place(first).or_else(|| get(json, others)),
    }
}

/// Returns the text, number or boolean at a path, as text. Borrows what has no escapes.
pub fn text<'a>(json: &'a RawValue, path: &str) -> Option<Cow<'a, str>> {
    get(json, path).and_then(scalar::raw_text)
}

/// Returns the integer at a path, written as a number or as text. `None` if it is negative.
pub fn unsigned(json: &RawValue, path: &str) -> Option<u64> {
    let text = text(json, path)?;
    u64::try_from(scalar::integer(&Value::String(text.into_owned()))?).ok()
}

/// Returns the boolean at a path, in any of the forms of [`scalar::boolean`].
pub fn boolean(json: &RawValue, path: &str) -> Option<bool> {
    scalar::boolean(&Value::String(text(json, path)?.into_owned()))
}

/// The most rows that [`rows`] returns, and one more: a list that is longer is not looked at further.
pub const MAX_ROWS: usize = 100_000;

/// Returns the rows at a path, at most [`MAX_ROWS`] and one. `None` if there is no such place in the
/// payload, or no list.
///
/// `null`, an empty object and an empty text stand for an empty list; an object stands for one row.
pub fn rows<'a>(json: &'a RawValue, path: &str) -> Option<Vec<&'a RawValue>> {
    // An empty object in the place of a list is an honest "none"; an empty reply says nothing.
    if is_empty(json) {
        return None;
    }
    path.split('|').find_map(|path| {
        let path: Vec<&str> = steps(path).take(DEEPEST).collect();
        rows_in(json, &path)
    })
}

fn rows_in<'a>(value: &'a RawValue, path: &[&str]) -> Option<Vec<&'a RawValue>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'[' => {
            let [first, rest @ ..] = path else { return items(value, MAX_ROWS + 1) };
            if let Some(item) = nth(value, first) {
                return rows_in(item, rest);
            }
            let mut out = Vec::new();
            for item in items(value, MAX_ROWS + 1)? {
                if out.len() > MAX_ROWS {
                    break;
                }
                match member(item, first) {
                    Some(inner) => match rows_in(inner, rest) {
                        Some(rows) => out.extend(rows.into_iter().take(MAX_ROWS + 1 - out.len())),
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
        b'{' if is_empty(value) => Some(Vec::new()),
        b'{' => match path {
            [first, rest @ ..] => match member(value, first) {
                Some(inner) => rows_in(inner, rest),
                None => rows_in(nth(value, first)?, rest),
            },
            [] => match wrapped(value) {
                Some(list) => items(list, MAX_ROWS + 1),
                // One row, sent without a list around it.
                None => Some(vec![value]),
            },
        },
        b'n' => Some(Vec::new()),
        b'"' if text == "\"\"" => Some(Vec::new()),
        // A word or a number where a list belongs is not a row.
        _ => None,
    }
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    // By hand: `split` is made for long texts, and every reply is asked for a dozen paths.
    let mut rest = path;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = rest.bytes().position(|byte| byte == b'.').unwrap_or(rest.len());
            let (step, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if !step.is_empty() {
                return Some(step);
            }
        }
        None
    })
}

/// Returns the first items of a list. The others are not looked at: there may be millions.
fn items(list: &RawValue, limit: usize) -> Option<Vec<&RawValue>> {
    struct Items(usize);
    impl<'de> de::Visitor<'de> for Items {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while out.len() < self.0
                && let Some(item) = list.next_element()?
            {
                out.push(item);
            }
            while list.next_element::<de::IgnoredAny>()?.is_some() {}
            Ok(out)
        }
    }
    serde_json::Deserializer::from_str(list.get()).deserialize_seq(Items(limit)).ok()
}

/// Returns an item of a list, wrapped or not, where the step is a position.
fn nth<'a>(list: &'a RawValue, step: &str) -> Option<&'a RawValue> {
    let position: usize = step.parse().ok()?;
    let list = if list.get().starts_with('{') { wrapped(list)? } else { list };
    items(list, position.checked_add(1)?.min(MAX_ROWS))?.get(position).copied()
}

/// Returns the list in an object that has no other member.
fn wrapped(object: &RawValue) -> Option<&RawValue> {
    struct Only;
    impl<'de> de::Visitor<'de> for Only {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let first = map.next_entry::<de::IgnoredAny, &RawValue>()?;
            let mut is_only = true;
            while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {
                is_only = false;
            }
            Ok(first.map(|(_, value)| value).filter(|_| is_only))
        }
    }
    let mut members = serde_json::Deserializer::from_str(object.get());
    members.deserialize_map(Only).ok()?.filter(|only| only.get().starts_with('['))
}

fn is_empty(value: &RawValue) -> bool {
    value.get().strip_prefix('{').is_some_and(|rest| rest.trim_start() == "}")
}

/// Finds a member of an object and stops there: replies are long, and what says whether they succeeded
/// stands at their beginning or is not there.
fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    struct Find<'k, 'a> {
        name: &'k str,
        found: &'k mut Option<&'a RawValue>,
    }
    impl<'de: 'a, 'a> de::Visitor<'de> for Find<'_, 'a> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                if key == self.name {
                    *self.found = Some(map.next_value::<&'de RawValue>()?);
                    // The reader takes what follows for an error, which nobody sees.
                    break;
                }
                map.next_value::<de::IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let text = object.get();
    // Looking for the bare name is far quicker than reading the members.
    if !text.starts_with('{') || !text.contains(name) {
        return None;
    }
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let _ = deserializer.deserialize_map(Find { name, found: &mut found });
    found
}

/// Returns the argument at a path. JSON in a text on the way is looked into.
pub fn argument(arguments: &Map<String, Value>, path: &str) -> Option<Value> {
    let mut parts = steps(path);
    let mut value = arguments.get(parts.next()?)?.clone();
    for part in parts {
        if let Value::String(text) = &value {
            value = serde_json::from_str(text).ok()?;
        }
        value = value.as_object_mut()?.remove(part)?;
    }
    Some(value)
}

/// Sets the argument at a path and creates the objects on the way. JSON in a text becomes the object
/// that it holds.
///
/// # Errors
/// Usage, when something on the way is not an object.
pub fn set(arguments: &mut Map<String, Value>, path: &str, value: Value) -> Result<()> {
    let mut parts: Vec<&str> = steps(path).collect();
    let last = parts.pop().unwrap_or_default();
    let mut object = arguments;
    for part in parts {
        let inner = object.entry(part).or_insert_with(|| Value::Object(Map::new()));
        if let Value::String(text) = inner {
            *inner = serde_json::from_str(text).unwrap_or(Value::Null);
        }
        object = inner.as_object_mut().ok_or_else(|| {
            Error::usage(format!("the argument {part:?} must be a JSON object: {path} is set inside it"))
        })?;
    }
    object.insert(last.to_owned(), value);
    Ok(())
}
