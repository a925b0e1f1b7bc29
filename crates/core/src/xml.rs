//! XML in a text, as some arguments are: an object becomes elements, a list repeats its element.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use serde_json::{Map, Value as Json};

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

/// Reads a document: the name of its root element, and what is in it, as [`write()`] takes it. Elements that come
/// again are a list; an element with text alone, or with nothing, is that text.
///
/// ```
/// let (root, value) = sesame_core::xml::read("<Request><Id>7</Id><Id a=\"b\"/></Request>")?;
/// assert_eq!(root, "Request");
/// assert_eq!(value, serde_json::json!({ "Id": ["7", { "@a": "b" }] }));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// What is wrong, and where: tags that do not match, more than one root, more than 64 elements inside each other.
pub fn read(text: &str) -> Result<(String, Json), String> {
    let mut reader = Reader::from_str(text);
    let at = |position: u64| {
        let before = usize::try_from(position).ok().and_then(|end| text.get(..end)).unwrap_or(text);
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("line {}, column {column}", before.matches('\n').count() + 1)
    };
    // The document itself is the outermost element.
    let mut open = vec![(String::new(), Map::new(), String::new())];
    loop {
        let position = reader.buffer_position();
        let event =
            reader.read_event().map_err(|error| format!("{}: {error}", at(reader.error_position())))?;
        let depth = open.len();
        let Some((_, members, inside)) = open.last_mut() else {
            return Err(format!("{}: an element ends that never began", at(position)));
        };
        match event {
            Event::Start(_) if depth > DEEPEST => {
                return Err(format!("{}: more than {DEEPEST} elements inside each other", at(position)));
            }
            Event::Start(element) => {
                open.push((element.name().as_ref().to_owned(), attributes(&element), String::new()));
            }
            Event::Empty(element) => {
                let attributes = attributes(&element);
                let value = if attributes.is_empty() { "".into() } else { attributes.into() };
                add(members, element.name().as_ref(), value);
            }
            Event::Text(text) => inside.push_str(&text),
            Event::CData(text) => inside.push_str(&text),
            Event::GeneralRef(name) => {
                let unknown = || format!("{}: unknown entity &{};", at(position), &*name);
                match name.resolve_char_ref().map_err(|_| unknown())? {
                    Some(character) => inside.push(character),
                    None => inside.push_str(resolve_predefined_entity(&name).ok_or_else(unknown)?),
                }
            }
            Event::End(_) => {
                let (name, members, text) = open.pop().unwrap_or_default();
                let text = text.trim();
                let value = if members.is_empty() || !text.is_empty() { text.into() } else { members.into() };
                if let Some((_, outer, _)) = open.last_mut() {
                    add(outer, &name, value);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let unfinished = open.len() > 1;
    match open.pop() {
        Some((name, ..)) if unfinished => Err(format!("the element {name} does not end")),
        Some((_, members, around)) if members.len() == 1 && around.trim().is_empty() => {
            let root = members.into_iter().next().filter(|(_, root)| !root.is_array());
            root.ok_or_else(|| "it has several root elements".to_owned())
        }
        _ => Err("it needs one root element and nothing around it".to_owned()),
    }
}

fn attributes(element: &BytesStart<'_>) -> Map<String, Json> {
    let all = element.attributes().flatten();
    all.map(|one| (format!("@{}", one.key.as_ref()), one.value.as_ref().into())).collect()
}

/// Adds a member; a second one of its name makes a list.
fn add(members: &mut Map<String, Json>, name: &str, value: Json) {
    match members.get_mut(name) {
        None => drop(members.insert(name.to_owned(), value)),
        Some(Json::Array(items)) => items.push(value),
        Some(first) => *first = Json::Array(vec![first.take(), value]),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_callers_send() {
        let sent = "<?xml version=\"1.0\"?><Request><Sku id=\"1\"><Id>7</Id></Sku><Sku/><N>a<![CDATA[<b>]]></N></Request>";
        let (root, value) = read(sent).unwrap();
        assert_eq!(root, "Request");
        assert_eq!(value, serde_json::json!({"Sku": [{"@id": "1", "Id": "7"}, ""], "N": "a<b>"}));
        assert_eq!(
            read("<a><b c='1'>5</b><d e='2'/></a>").unwrap().1,
            serde_json::json!({"b": "5", "d": {"@e": "2"}})
        );
        assert_eq!(read("<a>1 &lt; 2 &amp; &#x4e2d; &quot;</a>").unwrap().1, "1 < 2 & 中 \"");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (wrong, why) in [
            ("", "it needs one root element"),
            ("text", "it needs one root element"),
            ("<a/><b/>", "it needs one root element"),
            ("x<a/>", "it needs one root element"),
            ("<a/><a/>", "it has several root elements"),
            ("<a><b></b>", "the element a does not end"),
            ("<a>&nbsp;</a>", "line 1, column 4: unknown entity &nbsp;"),
            ("<a>&#0;</a>", "line 1, column 4: unknown entity &#0;"),
            ("<a>\n <b></c></a>", "line 2, column 5: "),
            (&"<a>".repeat(100), "line 1, column 193: more than 64"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.starts_with(why), "{wrong:.20}: {error}");
        }
    }
}
