//! JSON Schema, draft 2020-12.

use serde_json::{Map, Value as Json, json};
use sesame_catalog::{Api, Param, Type};

use crate::types::as_param;

/// The key that tells types apart that JSON Schema has one word for.
pub(crate) const TYPE: &str = "x-sesame-type";

/// Writes the schema of an API's arguments. The values that documents list may not be all, so they are examples.
pub fn json_schema(api: &Api) -> Json {
    let mut out = Map::new();
    out.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    out.insert("title".to_owned(), json!(api.title.as_ref().unwrap_or(&api.name)));
    if let Some(about) = &api.about {
        out.insert("description".to_owned(), json!(about));
    }
    if let Json::Object(schema) = object(api.callers()) {
        out.extend(schema);
    }
    if let Some(example) = &api.example {
        out.insert("examples".to_owned(), json!([example]));
    }
    Json::Object(out)
}

/// Writes the schema of an API's payload.
pub fn reply_schema(api: &Api) -> Json {
    let fields: Vec<Param> = api.response.iter().map(as_param).collect();
    if fields.is_empty() { json!({}) } else { object(&fields) }
}

/// Writes an object with these members.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = &'a Param>) -> Json {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for member in members {
        properties.insert(member.name.clone(), param_schema(member));
        if member.required == Some(true) && !required.contains(&&member.name) {
            required.push(&member.name);
        }
    }
    let mut out = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

pub(crate) fn param_schema(param: &Param) -> Json {
    let mut one = match param.kind {
        Type::String | Type::Date => json!({ "type": "string" }),
        Type::Integer => json!({ "type": "integer" }),
        Type::Number => json!({ "type": "number" }),
        // As text it keeps all its digits.
        Type::Decimal => json!({ "type": ["number", "string"] }),
        Type::Boolean => json!({ "type": "boolean" }),
        Type::Json => json!({ "type": "string", "contentMediaType": "application/json" }),
        Type::Xml => json!({ "type": "string", "contentMediaType": "application/xml" }),
        Type::Bytes => json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
        Type::Object => object(&param.children),
    };
    if param.kind == Type::Date {
        one[TYPE] = json!("date");
    }
    if matches!(param.kind, Type::Json | Type::Xml) && !param.children.is_empty() {
        one["contentSchema"] = object(&param.children);
    }
    if let Some(class) = &param.vendor_type {
        one["title"] = json!(class);
    }
    for (key, limit) in [("minimum", param.min), ("maximum", param.max)] {
        if let Some(limit) = limit {
            one[key] = number(limit);
        }
    }
    if let Some(length) = param.max_len {
        one["maxLength"] = json!(length);
    }
    if !param.values.is_empty() {
        one["examples"] = json!(param.values);
    }
    let mut out = one;
    if param.list {
        out = json!({ "type": "array", "items": out });
        if let Some(most) = param.max_items {
            out["maxItems"] = json!(most);
        }
    }
    if let Some(note) = &param.note {
        out["description"] = json!(note);
    }
    if let Some(default) = &param.default {
        out["default"] = default.clone();
    }
    out
}

/// Writes a limit without a fraction where it has none.
pub(crate) fn number(limit: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small enough")]
    if limit.fract() == 0.0 && limit.abs() < 9.0e15 { json!(limit as i64) } else { json!(limit) }
}
