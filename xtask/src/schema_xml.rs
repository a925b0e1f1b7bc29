//! Compares two documents: elements, texts and attributes. White space between elements, `name`, the order of
//! attributes and what stands before the root do not count; of two fields with one id the last counts.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result, bail, ensure};
use quick_xml::{Reader, XmlVersion, escape::resolve_predefined_entity, events::Event};

#[derive(Debug, Default, PartialEq, Eq)]
struct XmlElement {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<XmlElement>,
}

/// # Errors
/// The first difference, or a document that cannot be read.
pub(crate) fn same(found: &str, wanted: &str) -> Result<()> {
    let difference = compare(&tree(found)?, &tree(wanted)?, "");
    difference.map_or(Ok(()), |difference| bail!("{difference}\nwritten: {found}"))
}

fn compare(found: &XmlElement, wanted: &XmlElement, place: &str) -> Option<String> {
    let id = wanted.attributes.get("id").map(String::as_str).unwrap_or_default();
    let place =
        format!("{place}/{}{}", wanted.name, if id.is_empty() { String::new() } else { format!("[{id}]") });
    if (&found.name, &found.attributes, &found.text) != (&wanted.name, &wanted.attributes, &wanted.text) {
        let brief =
            |element: &XmlElement| format!("<{}> {:?} {:?}", element.name, element.attributes, element.text);
        return Some(format!("{place}: found {}, wanted {}", brief(found), brief(wanted)));
    }
    if found.children.len() != wanted.children.len() {
        let (found, wanted) = (found.children.len(), wanted.children.len());
        return Some(format!("{place}: {found} elements inside, wanted {wanted}"));
    }
    found.children.iter().zip(&wanted.children).find_map(|(found, wanted)| compare(found, wanted, &place))
}

fn tree(text: &str) -> Result<XmlElement> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![XmlElement::default()];
    loop {
        let event = reader.read_event()?;
        let last = open.last_mut().context("an element ends that never began")?;
        match event {
            Event::Start(start) => {
                let mut element =
                    XmlElement { name: start.name().as_ref().to_owned(), ..XmlElement::default() };
                for attribute in start.attributes() {
                    let attribute = attribute?;
                    let key = attribute.key.as_ref().to_owned();
                    if key != "name" {
                        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned();
                        element.attributes.insert(key, value);
                    }
                }
                open.push(element);
            }
            Event::End(_) => {
                let mut element = open.pop().unwrap_or_default();
                if !element.children.is_empty() {
                    element.text = String::from(element.text.trim());
                }
                let mut seen = HashSet::new();
                element.children.reverse();
                element.children.retain(|child| match child.attributes.get("id") {
                    Some(id) if child.name == "field" => seen.insert(id.clone()),
                    _ => true,
                });
                element.children.reverse();
                open.last_mut().context("no root")?.children.push(element);
            }
            Event::Text(text) => last.text.push_str(text.as_ref()),
            Event::CData(text) => last.text.push_str(text.as_ref()),
            Event::GeneralRef(name) => match name.resolve_char_ref()? {
                Some(character) => last.text.push(character),
                None => last.text.push_str(resolve_predefined_entity(&name).context("unknown entity")?),
            },
            Event::Eof => break,
            _ => {}
        }
    }
    ensure!(open.len() == 1, "the document ends inside an element");
    let mut document = open.remove(0);
    ensure!(document.children.len() == 1, "one root element");
    Ok(document.children.remove(0))
}
