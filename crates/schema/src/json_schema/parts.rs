//! Pieces of a JSON Schema.

use serde_json::{Value as Json, json};

use crate::{Value, form::Kind};

/// Blanks and control characters, as a class.
pub(super) const BLANK: &str = r"[\u0000-\u0020]";
/// A text with more than blanks in it.
pub(super) const FILLED: &str = r"[^\u0000-\u0020]";

/// Schemas that others refer to: what is empty, a blank text, a text with attributes.
pub(super) fn definitions() -> serde_json::Map<String, Json> {
    let blank = json!({"type": "string", "pattern": format!("^{BLANK}*$")});
    let empty = reference("empty");
    let all = json!({
        "empty": {"anyOf": [
            {"type": "null"},
            blank,
            attributed(&blank, None),
            {"type": "array", "items": {"type": ["null", "string", "object"], "$ref": empty["$ref"]}},
            {"type": "object", "properties": {"$value": false}, "additionalProperties": empty},
        ]},
        "filled": not(empty),
        "blank": {"anyOf": [{"type": "null"}, blank, attributed(&blank, None)]},
        "attributed": {
            "type": "object",
            "required": ["$value"],
            "properties": {
                "$value": {"type": "string"},
                "$attrs": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "additionalProperties": false,
        },
    });
    match all {
        Json::Object(all) => all,
        _ => serde_json::Map::new(),
    }
}

pub(super) fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// A text with attributes, whose text fits a schema; one of them may be needed.
pub(super) fn attributed(text: &Json, attribute: Option<&str>) -> Json {
    let mut schema = json!({"$ref": "#/$defs/attributed", "properties": {"$value": text}});
    if let Some(name) = attribute {
        schema["required"] = json!(["$attrs"]);
        schema["properties"]["$attrs"] =
            json!({"required": [name], "properties": {name: {"pattern": FILLED}}});
    }
    schema
}

/// A text that fits a schema.
fn one(text: &Json, attribute: Option<&str>) -> Vec<Json> {
    let with = attributed(text, attribute);
    match (attribute, text) {
        (Some(_), _) => vec![with],
        (None, Json::Object(parts)) => {
            let mut plain = json!({"type": "string"});
            parts.iter().for_each(|(key, value)| plain[key] = value.clone());
            vec![plain, with]
        }
        (None, _) => vec![all(vec![json!({"type": "string"}), text.clone()]), with],
    }
}

/// The value of a field with one or several texts: empty, or each text fits a schema.
pub(super) fn texts(kind: Kind, text: &Json, attribute: Option<&str>) -> Json {
    let mut ways = vec![reference("empty")];
    ways.extend(one(text, attribute));
    if kind.is_list() {
        let mut items = vec![reference("blank")];
        items.extend(one(text, attribute));
        ways.push(json!({"type": "array", "items": {"anyOf": items}}));
    }
    json!({ "anyOf": ways })
}

/// The value of a field of which one text at least fits a schema.
pub(super) fn some_text(kind: Kind, text: &Json) -> Json {
    let mut ways = one(text, None);
    if kind.is_list() {
        ways.push(json!({"type": "array", "contains": {"anyOf": one(text, None)}}));
    }
    json!({ "anyOf": ways })
}

/// An object whose member fits a schema; without it, or with `null`, it fits if `is_absent_fine`.
pub(super) fn member(id: &str, schema: Json, is_absent_fine: bool) -> Json {
    let null = json!({"type": "null"});
    if is_absent_fine && schema["anyOf"][0] == reference("empty") {
        json!({"properties": {id: schema}})
    } else if is_absent_fine {
        json!({"properties": {id: any(vec![null, schema])}})
    } else {
        json!({"required": [id], "properties": {id: all(vec![not(null), schema])}})
    }
}

/// The JSON of a value.
pub(super) fn json_of(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

/// All of some schemas.
pub(super) fn all(mut parts: Vec<Json>) -> Json {
    parts.retain(|part| *part != json!(true) && *part != json!({}));
    match parts.len() {
        _ if parts.contains(&json!(false)) => json!(false),
        0 => json!(true),
        1 => parts.remove(0),
        _ => json!({ "allOf": parts }),
    }
}

/// One at least of some schemas.
pub(super) fn any(mut parts: Vec<Json>) -> Json {
    parts.retain(|part| *part != json!(false));
    match parts.len() {
        _ if parts.contains(&json!(true)) => json!(true),
        0 => json!(false),
        1 => parts.remove(0),
        _ => json!({ "anyOf": parts }),
    }
}

/// Not a schema.
pub(super) fn not(schema: Json) -> Json {
    match schema {
        Json::Bool(is) => json!(!is),
        Json::Object(mut parts) if parts.len() == 1 && parts.contains_key("not") => {
            parts.remove("not").unwrap_or_default()
        }
        schema => json!({ "not": schema }),
    }
}
