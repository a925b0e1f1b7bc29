//! Setting the page in the arguments, also where it sits inside a JSON argument.

use serde_json::{Map, Value};
use sesame_core::{Error, Result};

/// Returns the value at a dotted path. A JSON text on the way is looked into.
pub(super) fn get(args: &Map<String, Value>, path: &str) -> Option<Value> {
    let mut parts = path.split('.');
    let mut value = args.get(parts.next()?)?.clone();
    for part in parts {
        if let Value::String(text) = &value {
            value = serde_json::from_str(text).ok()?;
        }
        value = value.as_object_mut()?.remove(part)?;
    }
    Some(value)
}

/// Sets the value at a dotted path and creates the objects on the way. A JSON text becomes the
/// object that it holds.
///
/// # Errors
/// A usage error when something on the way is no object.
pub(super) fn set(args: &mut Map<String, Value>, path: &str, value: Value) -> Result<()> {
    let mut parts: Vec<&str> = path.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut object = args;
    for part in parts {
        let inner = object.entry(part).or_insert_with(|| Value::Object(Map::new()));
        if let Value::String(text) = inner {
            *inner = serde_json::from_str(text).unwrap_or(Value::Null);
        }
        object = inner.as_object_mut().ok_or_else(|| {
            Error::usage(format!(
                "the argument {part:?} must be a JSON object, because the page number goes into it as {path}"
            ))
        })?;
    }
    object.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_flat_nested_and_inside_text() {
        let mut args = Map::new();
        set(&mut args, "page_no", json!(2)).unwrap();
        set(&mut args, "request.page.current", json!(3)).unwrap();
        args.insert("query".into(), json!(r#"{"subject":"cup"}"#));
        set(&mut args, "query.page", json!(4)).unwrap();
        assert_eq!(
            Value::Object(args.clone()),
            json!({"page_no": 2, "request": {"page": {"current": 3}}, "query": {"subject": "cup", "page": 4}})
        );
        assert_eq!(get(&args, "request.page.current"), Some(json!(3)));
        assert_eq!(get(&args, "query.none"), None);
        args.insert("query".into(), json!(r#"{"page":7}"#));
        assert_eq!(get(&args, "query.page"), Some(json!(7)));
    }

    #[test]
    fn what_is_no_object_is_not_overwritten() {
        let mut args = Map::new();
        args.insert("query".into(), json!("not json"));
        assert!(set(&mut args, "query.page", json!(1)).is_err());
        args.insert("query".into(), json!([1]));
        assert!(set(&mut args, "query.page", json!(1)).is_err());
    }
}
