//! The fields of a category's schema, one a row.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use serde::Serialize;
use serde_json::Value as Json;
use sesame_core::{Error, ErrorKind, Result};

use crate::table::Rows;

/// Deeper documents are refused; real ones have six levels.
const DEEPEST: usize = 128;

/// A field that a product of the category has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct SchemaField {
    id: String,
    /// The ids of the fields it is in, with dots between; empty at the top.
    parent: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: Required,
    /// Its other rules, each with its value.
    rules: String,
    /// The values it takes, as `VALUE=NAME`.
    options: String,
    #[serde(skip)]
    choices: usize,
}

/// Whether a field has to be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
enum Required {
    #[default]
    No,
    Yes,
    /// If other fields have certain values.
    Depends,
}

/// Reads a document: the XML of `itemSchema`, or JSON Schema.
///
/// # Errors
/// Envelope, for a document of another kind.
pub(crate) fn read(document: &str) -> Result<Vec<SchemaField>> {
    let mut fields = Vec::new();
    let found = match serde_json::from_str::<Json>(document) {
        Ok(schema) if !schema["properties"].is_object() => Err("it is not a JSON Schema".to_owned()),
        Ok(schema) => from_json(&schema, "", 0, &mut fields),
        Err(_) => from_xml(document, &mut fields),
    };
    found.map(|()| fields).map_err(|why| {
        Error::new(ErrorKind::Envelope, format!("the fields of the schema cannot be read: {why}"))
            .with_hint("Leave out --fields and -o csv: the document is printed as it came.")
    })
}

/// Lays fields out for people.
pub(crate) fn table(fields: &[SchemaField]) -> Rows {
    let mut rows = Rows::new(&["id", "parent", "name", "type", "required", "options>"]);
    for field in fields {
        let required = match field.required {
            Required::No => "",
            Required::Yes => "yes",
            Required::Depends => "depends",
        };
        let options = if field.choices == 0 { String::new() } else { field.choices.to_string() };
        rows.push([&field.id, &field.parent, &field.name, &field.kind, required, &options]);
    }
    rows
}

fn from_xml(document: &str, fields: &mut Vec<SchemaField>) -> Result<(), String> {
    let mut reader = Reader::from_str(document);
    // Where the open fields are in `fields`, and the elements that are open.
    let (mut open, mut path): (Vec<usize>, Vec<String>) = (Vec::new(), Vec::new());
    let mut is_schema = false;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let (element, is_empty) = match &event {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(_) => {
                if path.pop().as_deref() == Some("field") {
                    open.pop();
                }
                continue;
            }
            Event::Eof if !path.is_empty() => return Err("it ends inside an element".to_owned()),
            Event::Eof if !is_schema => return Err("it has no itemSchema".to_owned()),
            Event::Eof => return Ok(()),
            _ => continue,
        };
        if path.len() == DEEPEST {
            return Err(format!("it is deeper than {DEEPEST} levels"));
        }
        let name = element.name().as_ref().to_owned();
        is_schema |= name == "itemSchema";
        match (name.as_str(), open.last()) {
            ("field", _) => {
                let ids = open.iter().map(|at| fields[*at].id.as_str()).collect::<Vec<_>>();
                let field = SchemaField {
                    parent: ids.join("."),
                    id: attribute(element, "id")?,
                    name: attribute(element, "name")?,
                    kind: attribute(element, "type")?,
                    ..SchemaField::default()
                };
                if !is_empty {
                    open.push(fields.len());
                }
                fields.push(field);
            }
            ("rule", Some(&at)) => add_rule(&mut fields[at], element)?,
            // A group of conditions is inside the rule that it belongs to.
            ("depend-group", Some(&at)) if fields[at].required == Required::Yes => {
                fields[at].required = Required::Depends;
            }
            ("option", Some(&at)) => {
                let option =
                    format!("{}={}", attribute(element, "value")?, attribute(element, "displayName")?);
                append(&mut fields[at].options, &option);
                fields[at].choices += 1;
            }
            _ => {}
        }
        if !is_empty {
            path.push(name);
        }
    }
}

fn add_rule(field: &mut SchemaField, rule: &BytesStart<'_>) -> Result<(), String> {
    let (name, value) = (attribute(rule, "name")?, attribute(rule, "value")?);
    if name == "requiredRule" {
        field.required = if value == "true" { Required::Yes } else { Required::No };
        return Ok(());
    }
    let (unit, not) = (attribute(rule, "unit")?, attribute(rule, "exProperty")?);
    let words = [name, value, unit, if not == "include" { String::new() } else { not }];
    append(
        &mut field.rules,
        &words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
    );
    Ok(())
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<String, String> {
    let found = element.try_get_attribute(name).map_err(|error| error.to_string())?;
    let value = found
        .map(|found| found.normalized_value(XmlVersion::Implicit1_0).map(std::borrow::Cow::into_owned))
        .transpose();
    value.map(Option::unwrap_or_default).map_err(|error| error.to_string())
}

fn from_json(schema: &Json, parent: &str, depth: usize, fields: &mut Vec<SchemaField>) -> Result<(), String> {
    if depth == DEEPEST {
        return Err(format!("it is deeper than {DEEPEST} levels"));
    }
    // Of a list, the fields are those of its items.
    let schema = schema.get("items").filter(|items| items.is_object()).unwrap_or(schema);
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (id, field) in schema["properties"].as_object().into_iter().flatten() {
        let mut options = String::new();
        let choices = field["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
        for choice in choices {
            append(&mut options, &text(choice));
        }
        let rules = ["minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern"];
        let rules = rules.iter().filter_map(|rule| Some(format!("{rule} {}", text(field.get(rule)?))));
        fields.push(SchemaField {
            id: id.clone(),
            parent: parent.to_owned(),
            name: field["title"].as_str().unwrap_or_default().to_owned(),
            kind: field["type"].as_str().unwrap_or_default().to_owned(),
            required: if required.iter().any(|name| name == id) { Required::Yes } else { Required::No },
            rules: rules.collect::<Vec<_>>().join("; "),
            options,
            choices: choices.len(),
        });
        let here = if parent.is_empty() { id.clone() } else { format!("{parent}.{id}") };
        from_json(field, &here, depth + 1, fields)?;
    }
    Ok(())
}

fn append(list: &mut String, more: &str) {
    if !list.is_empty() {
        list.push_str("; ");
    }
    list.push_str(more);
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_xml_have_their_place_their_rules_and_their_options() {
        let fields = read(
            r#"<?xml version="1.0"?><itemSchema><field id="title" name="Name &amp; more" type="input"><rules>
            <rule name="requiredRule" value="true"/><rule name="maxLengthRule" value="128" unit="byte" exProperty="include"/>
            <rule name="regexRule" value="a;b" exProperty="not include"/></rules></field>
            <field id="box" name="Box" type="complex"><fields><field id="in" name="In" type="singleCheck"><rules>
            <rule name="requiredRule" value="true"><depend-group operator="and"><depend-express fieldId="title"
            value="x" symbol="=="/></depend-group></rule></rules><options><option displayName="China" value="1"/>
            <option displayName="India" value="2"/></options></field></fields></field><field id="last" type="input"/></itemSchema>"#,
        )
        .unwrap();
        let field = |at: usize| serde_json::to_value(&fields[at]).unwrap();
        assert_eq!(
            field(0),
            serde_json::json!({"id": "title", "parent": "", "name": "Name & more", "type": "input", "required": "yes",
                "rules": "maxLengthRule 128 byte; regexRule a;b not include", "options": ""})
        );
        assert_eq!(
            field(2),
            serde_json::json!({"id": "in", "parent": "box", "name": "In", "type": "singleCheck",
                "required": "depends", "rules": "", "options": "1=China; 2=India"})
        );
        assert_eq!((fields.len(), fields[3].parent.as_str()), (4, ""));
    }

    #[test]
    fn fields_of_json_schema_are_read_too() {
        let fields = read(
            r#"{"type":"object","required":["a"],"properties":{"a":{"title":"A","type":"string","maxLength":5},
            "b":{"type":"array","items":{"type":"object","properties":{"c":{"enum":["x",2]}}}}}}"#,
        )
        .unwrap();
        let of = |field: &SchemaField| {
            [field.id.clone(), field.parent.clone(), field.rules.clone(), field.options.clone()]
        };
        assert_eq!(of(&fields[0]), ["a", "", "maxLength 5", ""]);
        assert_eq!((of(&fields[2]), fields[2].choices), (["c", "b", "", "x; 2"].map(str::to_owned), 2));
        assert_eq!((fields[0].required, fields[1].required), (Required::Yes, Required::No));
    }

    #[test]
    fn other_documents_are_refused() {
        let deep = format!("<itemSchema>{}", "<field id=\"a\">".repeat(200));
        for document in ["", "schema 5169", "{}", "<a/>", "<itemSchema><field id=\"a\">", "<a></b>", &deep] {
            let error = read(document).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Envelope, "{document:.30}");
        }
        assert_eq!(read("<itemSchema/>").unwrap(), [], "nothing follows a choice");
    }
}
