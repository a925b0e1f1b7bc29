//! Writes JSON as TOML.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// Writes the entries of a table, a key a line; a list of tables one a line. Null is left out.
pub(crate) fn table(entries: &Json) -> String {
    let mut out = String::new();
    for (key, entry) in entries.as_object().into_iter().flatten().filter(|(_, entry)| !entry.is_null()) {
        let _ = write!(out, "{} = ", name(key));
        match entry {
            Json::Array(items) if items.iter().any(Json::is_object) => {
                out.push_str("[\n");
                for item in items {
                    let _ = writeln!(out, "  {},", value(item));
                }
                out.push(']');
            }
            other => out.push_str(&value(other)),
        }
        out.push('\n');
    }
    out
}

fn name(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { key.to_owned() } else { string(key) }
}

/// JSON's escapes are TOML's, but for one character that JSON does not escape.
fn string(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn value(json: &Json) -> String {
    match json {
        // TOML has no null; in a list it would be a hole.
        Json::Null => "\"\"".to_owned(),
        Json::Bool(truth) => truth.to_string(),
        // A number that is neither an i64 nor a plain float would change when read.
        Json::Number(number) => match (number.as_i64(), number.to_string()) {
            (Some(whole), _) => whole.to_string(),
            (None, text) if text.contains(['.', 'e', 'E']) => text,
            (None, text) => string(&text),
        },
        Json::String(text) => string(text),
        Json::Array(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<String> =
                fields.map(|(key, entry)| format!("{} = {}", name(key), value(entry))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}
