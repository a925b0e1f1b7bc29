//! XML in a text, as some arguments are: an object becomes elements, a list repeats its element.

use serde_json::Value as Json;

/// How deep elements nest.
const DEEPEST: usize = 64;

/// Writes an object as XML: its only member is the root element. Attributes are members that begin with `@`.
///
/// ```
/// let sku = serde_json::json!({ "Request": { "Sku": [{ "Id": 7 }, { "Id": 8, "Name": "A & B" }] } });
/// assert_eq!(
///     sesame_core::xml::write(&sku),
///     "<Request><Sku><Id>7</Id></Sku><Sku><Id>8</Id><Name>A &amp; B</Name></Sku></Request>"
/// );
/// ```
pub fn write(value: &Json) -> String {
    let mut out = String::new();
    if let Json::Object(members) = value {
        members.iter().for_each(|(name, value)| element(&mut out, name, value, 0));
    }
    out
}

fn element(out: &mut String, name: &str, value: &Json, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Json::Null => {}
        Json::Array(items) => items.iter().for_each(|item| element(out, name, item, depth + 1)),
        _ => {
            out.push('<');
            out.push_str(name);
            let members = value.as_object().into_iter().flatten();
            for (attribute, value) in members.filter_map(|(key, value)| Some((key.strip_prefix('@')?, value)))
            {
                out.push(' ');
                out.push_str(attribute);
                out.push_str("=\"");
                escape(out, &scalar(value));
                out.push('"');
            }
            out.push('>');
            match value {
                Json::Object(members) => {
                    let inner = members.iter().filter(|(key, _)| !key.starts_with('@'));
                    inner.for_each(|(key, value)| element(out, key, value, depth + 1));
                }
                other => escape(out, &scalar(other)),
            }
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
    }
}

fn scalar(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}
