//! Changes of a product that exists.

use serde_json::value::RawValue;

use crate::value::{Value, Values, values_from_json};

/// Applies a JSON merge patch (RFC 7396) to the values of a product: members replace fields, `null` removes one,
/// objects are merged, lists replace lists.
///
/// The whole product is sent after it: a platform may refuse documents with the changed fields alone.
///
/// ```
/// use sesame_schema::{patch, values_from_json};
/// let mut product = values_from_json(r#"{"title": "Cup", "box": {"w": "1", "h": "2"}, "old": "x"}"#)?;
/// patch(&mut product, r#"{"box": {"h": 3}, "old": null}"#)?;
/// assert_eq!(serde_json::to_string(&product)?, r#"{"title":"Cup","box":{"w":"1","h":"3"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// As [`values_from_json`].
pub fn patch(product: &mut Values, changes: &str) -> serde_json::Result<()> {
    // It has the shape of a product, but for its nulls.
    let changed = values_from_json(changes)?;
    let removed: indexmap::IndexMap<String, &RawValue> = serde_json::from_str(changes)?;
    merge(product, changed, &removed)
}

/// Returns the fields of a product that differ from another one's, whole as they are at the top.
///
/// ```
/// use sesame_schema::{changed, values_from_json};
/// let was = values_from_json(r#"{"title": "Cup", "box": {"w": "1"}}"#)?;
/// let is = values_from_json(r#"{"title": "Cup", "box": {"w": "2"}}"#)?;
/// assert_eq!(serde_json::to_string(&changed(&was, &is))?, r#"{"box":{"w":"2"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn changed(was: &Values, is: &Values) -> Values {
    let differs = is.iter().filter(|(id, value)| was.get(*id) != Some(*value));
    differs.map(|(id, value)| (id.clone(), value.clone())).collect()
}

fn merge(
    into: &mut Values,
    changed: Values,
    raw: &indexmap::IndexMap<String, &RawValue>,
) -> serde_json::Result<()> {
    let removed = raw.iter().filter(|(_, value)| value.get() == "null");
    let removed: std::collections::HashSet<&String> = removed.map(|(id, _)| id).collect();
    into.retain(|id, _| !removed.contains(id));
    for (id, value) in changed {
        match (into.get_mut(&id), value) {
            (Some(Value::Object(inner)), Value::Object(changed)) => {
                let raw = raw.get(&id).map_or("{}", |raw| raw.get());
                merge(inner, changed, &serde_json::from_str(raw)?)?;
            }
            // Into nothing, an object is merged as well: its nulls have gone.
            (_, value) => drop(into.insert(id, value)),
        }
    }
    Ok(())
}
