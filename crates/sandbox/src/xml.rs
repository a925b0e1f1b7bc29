//! JSON payloads as XML, the default format of TOP.

use serde_json::Value as Json;

/// Writes a reply as XML: the outermost member is the root; a member of a list repeats its name.
pub(crate) fn of_json(value: &Json, root: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\" ?>");
    match value {
        Json::Object(members) if members.len() == 1 && members.values().all(Json::is_object) => {
            for (name, value) in members {
                write(&mut out, name, value);
            }
        }
        value => write(&mut out, root, value),
    }
    out
}

fn write(out: &mut String, name: &str, value: &Json) {
    let name = element(name);
    match value {
        Json::Null => {}
        Json::Array(items) => {
            for item in items {
                write(out, &name, item);
            }
        }
        Json::Object(members) => {
            // `{"items":{"item":[..]}}` is how TOP writes a list.
            let list = members.len() == 1 && members.values().all(Json::is_array);
            out.push('<');
            out.push_str(&name);
            out.push_str(if list { " list=\"true\">" } else { ">" });
            for (inner, value) in members {
                write(out, inner, value);
            }
            close(out, &name);
        }
        Json::String(text) => scalar(out, &name, text),
        Json::Bool(_) | Json::Number(_) => scalar(out, &name, &value.to_string()),
    }
}

fn scalar(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    escape(out, text);
    close(out, name);
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Keys of maps may be anything; element names may not.
fn element(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' })
        .collect();
    if !out.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

/// Escapes text for XML and HTML; characters that XML forbids become a space.
pub(crate) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_lists_and_scalars() {
        let json = r#"{"items_onsale_get_response":{"items":{"item":[{"num_iid":1,"title":"a<b>&\u0001\"中"},{"num_iid":2}]},"total":2,"ok":true,"none":null,"1 x":"y"}}"#;
        assert_eq!(
            of_json(&serde_json::from_str(json).unwrap(), "x"),
            "<?xml version=\"1.0\" encoding=\"utf-8\" ?><items_onsale_get_response><items list=\"true\"><item><num_iid>1</num_iid><title>a&lt;b&gt;&amp; &quot;中</title></item><item><num_iid>2</num_iid></item></items><total>2</total><ok>true</ok><_1_x>y</_1_x></items_onsale_get_response>"
        );
        assert!(of_json(&"2026".into(), "result").ends_with("<result>2026</result>"));
    }
}
