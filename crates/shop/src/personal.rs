//! What tells of people: names, addresses, phones. The catalog says which members of a row do.

use serde_json::{Value as Json, value::RawValue};
use sesame_core::payload::members;

/// What stands in the place of something personal.
pub const MASK: &str = "***";

/// The deepest member that is looked at. What is deeper is masked as a whole.
const DEEPEST: usize = 32;

/// Masks the members of these names, at any depth, with all that is in them. The rest stays as the
/// platform sent it, letter for letter.
pub(crate) fn mask(row: &RawValue, names: &[String]) -> Box<RawValue> {
    if names.is_empty() {
        return row.to_owned();
    }
    let mut out = String::with_capacity(row.get().len());
    write(&mut out, row.get(), names, false, DEEPEST);
    // What was written is JSON, since its parts are.
    RawValue::from_string(out).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Returns `true` if something was masked.
fn write(out: &mut String, json: &str, names: &[String], hidden: bool, depth: usize) -> bool {
    let hidden = hidden || depth == 0;
    let mut is_masked = false;
    if depth > 0
        && let Some(members) = members(json)
    {
        out.push('{');
        for (nth, (name, value)) in members.iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            out.push_str(&Json::from(&**name).to_string());
            out.push(':');
            let hidden = hidden || names.iter().any(|known| known.eq_ignore_ascii_case(name));
            is_masked |= write(out, value.get(), names, hidden, depth - 1);
        }
        out.push('}');
    } else if depth > 0
        && json.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json)
    {
        out.push('[');
        for (nth, item) in items.iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            is_masked |= write(out, item.get(), names, hidden, depth - 1);
        }
        out.push(']');
    } else if hidden && !matches!(json, "null" | "true" | "false" | "\"\"") {
        out.push_str(&Json::from(MASK).to_string());
        is_masked = true;
    } else {
        is_masked = inside_text(out, json, names, depth);
    }
    is_masked
}

/// Some platforms send JSON in a text: it may tell of people, too.
fn inside_text(out: &mut String, json: &str, names: &[String], depth: usize) -> bool {
    if depth > 0
        && (json.starts_with("\"{") || json.starts_with("\"["))
        && let Ok(text) = serde_json::from_str::<String>(json)
        && serde_json::from_str::<&RawValue>(&text).is_ok()
    {
        let mut inner = String::with_capacity(text.len());
        if write(&mut inner, text.trim(), names, false, depth - 1) {
            out.push_str(&Json::from(inner).to_string());
            return true;
        }
    }
    out.push_str(json);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(row: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        mask(&RawValue::from_string(row.to_owned()).unwrap(), &names).get().to_owned()
    }

    #[test]
    fn named_members_are_masked_at_any_depth_and_the_rest_stays_letter_for_letter() {
        let row = r#"{ "id":20261130000000001,"price":1.50,"address":{"city":"杭州","zip":310000,"none":null,"empty":""},
            "lines":[{"Phone":"1","sku":"A"}]}"#;
        assert_eq!(
            masked(row, &["address", "phone"]),
            r#"{"id":20261130000000001,"price":1.50,"address":{"city":"***","zip":"***","none":null,"empty":""},"lines":[{"Phone":"***","sku":"A"}]}"#
        );
    }

    #[test]
    fn json_in_a_text_is_looked_into() {
        let row = r#"{"extra":"{\"phone\":\"1\",\"a\":1}","note":"{not json","list":"[1, 2]"}"#;
        assert_eq!(
            masked(row, &["phone"]),
            r#"{"extra":"{\"phone\":\"***\",\"a\":1}","note":"{not json","list":"[1, 2]"}"#
        );
    }

    #[test]
    fn nothing_is_deep_enough_to_hide() {
        let row = format!("{}{{\"phone\":\"555\"}}{}", "[".repeat(100), "]".repeat(100));
        assert!(!masked(&row, &["phone"]).contains("555"));
    }
}
