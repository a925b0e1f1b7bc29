//! JSON payloads as XML, the default format of TOP; and XML that callers send, as JSON.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use serde_json::{Map, Value as Json};

/// How deep elements of a caller nest.
const DEEPEST: usize = 64;

/// Reads a document: its root element, and what is in it. Attributes and elements are members, those that
/// come again are lists; an element with a text is that text. `None` if it is no XML.
pub(crate) fn read(text: &str) -> Option<(String, Json)> {
    let mut reader = Reader::from_str(text);
    // The document itself is the outermost element.
    let mut open = vec![(String::new(), Map::new(), String::new())];
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) if open.len() <= DEEPEST => {
                open.push((element.name().as_ref().to_owned(), attributes(&element), String::new()));
            }
            Event::Start(_) => return None,
            Event::Empty(element) => {
                let members = attributes(&element);
                let value = if members.is_empty() { "".into() } else { members.into() };
                add(&mut open.last_mut()?.1, element.name().as_ref(), value);
            }
            Event::Text(inside) => open.last_mut()?.2.push_str(&inside),
            Event::CData(inside) => open.last_mut()?.2.push_str(&inside),
            Event::GeneralRef(name) => {
                let text = &mut open.last_mut()?.2;
                match name.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(resolve_predefined_entity(&name)?),
                }
            }
            Event::End(_) => {
                let (name, members, text) = open.pop()?;
                let text = text.trim();
                let value = if members.is_empty() || !text.is_empty() { text.into() } else { members.into() };
                add(&mut open.last_mut()?.1, &name, value);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let (_, members, around) = open.pop().filter(|_| open.is_empty())?;
    let is_one = members.len() == 1 && around.trim().is_empty();
    members.into_iter().next().filter(|(_, root)| is_one && !root.is_array())
}

fn attributes(element: &BytesStart<'_>) -> Map<String, Json> {
    let all = element.attributes().flatten();
    all.map(|one| (one.key.as_ref().to_owned(), one.value.as_ref().into())).collect()
}

/// Adds a member; a second one of its name makes a list.
fn add(members: &mut Map<String, Json>, name: &str, value: Json) {
    match members.get_mut(name) {
        None => drop(members.insert(name.to_owned(), value)),
        Some(Json::Array(items)) => items.push(value),
        Some(first) => *first = Json::Array(vec![first.take(), value]),
    }
}

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
    fn reads_what_callers_send() {
        let sent = "<?xml version=\"1.0\"?><Request><Sku id=\"1\"><Id>7</Id></Sku><Sku/><N>a<![CDATA[<b>]]></N></Request>";
        let (root, value) = read(sent).unwrap();
        assert_eq!(root, "Request");
        assert_eq!(value, serde_json::json!({"Sku": [{"id": "1", "Id": "7"}, ""], "N": "a<b>"}));
        assert_eq!(
            read("<a><b c='1'>5</b><d e='2'/></a>").unwrap().1,
            serde_json::json!({"b": "5", "d": {"e": "2"}})
        );
        assert_eq!(read("<a>1 &lt; 2 &amp; &#x4e2d; &quot;</a>").unwrap().1, "1 < 2 & 中 \"");
        for wrong in [
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><a/>",
            "<a/><b/>",
            "x<a/>",
            &"<a>".repeat(100),
        ] {
            assert_eq!(read(wrong), None, "{wrong:.20}");
        }
    }

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
