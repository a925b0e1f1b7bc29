//! What an OpenAPI 3 document says.

use serde_json::Value as Json;
use sesame_catalog::{Field, HttpMethods, Param, Record, Type};

use super::NAME;
use crate::{
    apidoc::{COMMON, DEEPEST},
    record::join,
    schema::TYPE,
    types,
};

/// The most members of one API: a document may refer to a part of itself from many places.
const MOST_MEMBERS: usize = 20_000;
/// References to references.
const LONGEST_CHAIN: usize = 16;

/// Reads the operations of a document.
pub(crate) fn records(root: &Json) -> Result<Vec<Record>, String> {
    let version = root["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.") {
        return Err(format!("openapi: {version:?} is not version 3"));
    }
    let paths = root["paths"].as_object().ok_or("paths: expected an object")?;
    let mut out = Vec::new();
    for (path, item) in paths {
        let item = item.as_object().ok_or_else(|| format!("paths.{path}: expected an object"))?;
        for (method, http) in
            [("get", HttpMethods::Get), ("post", HttpMethods::Post), ("put", HttpMethods::Put)]
        {
            let Some(operation) = item.get(method) else { continue };
            let mut reader = Reader { root, open: Vec::new(), left: MOST_MEMBERS };
            let read = reader.operation(path, item.get("parameters"), operation);
            let record = read.map_err(|why| format!("paths.{path}.{method}: {why}"))?;
            out.push(Record { http: Some(http), ..record });
        }
    }
    let both: Vec<String> = out
        .iter()
        .filter(|one| out.iter().any(|other| other.name == one.name && other.http != one.http))
        .map(|record| record.name.clone())
        .collect();
    for record in out.iter_mut().filter(|record| both.contains(&record.name)) {
        record.http = Some(HttpMethods::Both);
    }
    Ok(join(out))
}

struct Reader<'a> {
    root: &'a Json,
    /// The references that are being followed: a type inside itself ends there.
    open: Vec<&'a str>,
    left: usize,
}

impl<'a> Reader<'a> {
    fn operation(
        &mut self,
        path: &str,
        shared: Option<&'a Json>,
        operation: &'a Json,
    ) -> Result<Record, String> {
        let mut record = Record::named(match operation[NAME].as_str() {
            Some(name) => name.to_owned(),
            None => own_name(path),
        });
        let text =
            |key: &str| Some(operation[key].as_str()?.trim().to_owned()).filter(|text| !text.is_empty());
        record.title = text("summary");
        record.about = text("description");
        record.group = operation["tags"][0].as_str().map(str::to_owned);
        let mut params = Vec::new();
        for parameter in
            shared.into_iter().chain([&operation["parameters"]]).filter_map(Json::as_array).flatten()
        {
            let parameter = self.resolved(parameter)?;
            let place = parameter["in"].as_str().unwrap_or_default();
            if !matches!(place, "query" | "path") {
                continue;
            }
            let name = parameter["name"].as_str().ok_or("a parameter has no name")?;
            let mut param = self.member(name, &parameter["schema"], 1)?;
            param.required = parameter["required"].as_bool();
            param.note = parameter["description"].as_str().map(str::to_owned).or(param.note);
            // A variable of the path is known by the path.
            if place == "query" || !record.name.contains(':') || name != "app_key" {
                params.push(param);
            }
        }
        let body = self.resolved(&operation["requestBody"])?;
        if let Some(media) = body["content"].as_object().and_then(|content| content.values().next()) {
            params.extend(self.members(&media["schema"], 1)?);
        }
        if params.iter().any(|param: &Param| param.name == "sign") {
            params.retain(|param| !COMMON.contains(&param.name.as_str()));
        }
        record.params = params;
        let responses = operation["responses"].as_object();
        let good = |code: &&String| code.starts_with('2') || *code == "default";
        let response =
            responses.and_then(|all| all.iter().find(|(code, _)| good(code)).map(|(_, reply)| reply));
        if let Some(response) = response {
            let content = self.resolved(response)?["content"].as_object();
            if let Some(media) = content.and_then(|content| content.values().next()) {
                let fields = self.members(&media["schema"], 1)?;
                record.response = fields.into_iter().map(types::as_field).collect::<Vec<Field>>();
                record.reply = media.get("example").cloned();
            }
        }
        Ok(record)
    }

    fn resolved(&self, mut value: &'a Json) -> Result<&'a Json, String> {
        for _ in 0..LONGEST_CHAIN {
            let Some(reference) = value["$ref"].as_str() else { return Ok(value) };
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            value = target.ok_or_else(|| format!("$ref {reference:?} leads nowhere in this document"))?;
        }
        Err("a $ref leads to itself".to_owned())
    }

    /// Reads the members of an object; those of all its parts.
    fn members(&mut self, schema: &'a Json, depth: usize) -> Result<Vec<Param>, String> {
        let reference = schema["$ref"].as_str();
        if depth > DEEPEST || reference.is_some_and(|reference| self.open.contains(&reference)) {
            return Ok(Vec::new());
        }
        let before = self.open.len();
        self.open.extend(reference);
        let schema = self.resolved(schema)?;
        let mut out = Vec::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            out.extend(self.members(part, depth + 1)?);
        }
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let param = self.member(name, member, depth)?;
            let required = required.contains(&name.as_str()).then_some(true);
            out.push(Param { required, ..param });
        }
        self.open.truncate(before);
        Ok(out)
    }

    fn member(&mut self, name: &str, schema: &'a Json, depth: usize) -> Result<Param, String> {
        self.left = self.left.checked_sub(1).ok_or_else(|| format!("more than {MOST_MEMBERS} members"))?;
        let mut outer = self.resolved(schema)?;
        if let Some(first) = ["oneOf", "anyOf"].iter().find_map(|key| outer[*key].as_array()?.first()) {
            outer = self.resolved(first)?;
        }
        let list = type_word(outer) == "array";
        let inner_reference = if list { &outer["items"] } else { schema };
        let inner = if list { self.resolved(inner_reference)? } else { outer };
        let media = inner["contentMediaType"].as_str().unwrap_or_default();
        let is_object = inner.get("properties").is_some() || inner.get("allOf").is_some();
        let kind = match (type_word(inner), media) {
            (_, "application/json") => Type::Json,
            (_, "application/xml") => Type::Xml,
            (_, "application/octet-stream") => Type::Bytes,
            _ if inner[TYPE] == "date" => Type::Date,
            ("integer", _) => Type::Integer,
            ("number", _) if inner["type"].is_array() => Type::Decimal,
            ("number", _) => Type::Number,
            ("boolean", _) => Type::Boolean,
            ("object", _) => Type::Object,
            // A list of lists goes as JSON.
            ("array", _) => Type::Json,
            _ if is_object => Type::Object,
            ("string", _) => match inner["format"].as_str() {
                Some("binary" | "byte") => Type::Bytes,
                Some("date" | "date-time") => Type::Date,
                Some("decimal") => Type::Decimal,
                _ => Type::String,
            },
            _ => Type::String,
        };
        let layout = if kind == Type::Object { inner_reference } else { &inner["contentSchema"] };
        let mut param = Param::named(name.to_owned(), kind);
        param.list = list;
        param.children = self.members(layout, depth + 1)?;
        param.vendor_type = inner["title"].as_str().map(str::to_owned);
        param.min = inner["minimum"].as_f64();
        param.max = inner["maximum"].as_f64();
        param.max_len = inner["maxLength"].as_u64();
        param.max_items = outer["maxItems"].as_u64();
        let values = ["enum", "examples"].iter().find_map(|key| inner[*key].as_array());
        param.values = values.cloned().unwrap_or_default();
        param.default = outer.get("default").cloned();
        param.note = outer["description"].as_str().or(inner["description"].as_str()).map(str::to_owned);
        Ok(param)
    }
}

fn type_word(schema: &Json) -> &str {
    let types = schema["type"].as_array();
    let first = types.and_then(|types| types.iter().filter_map(Json::as_str).find(|word| *word != "null"));
    first.or(schema["type"].as_str()).unwrap_or_default()
}

/// Takes the name of an API out of a path with a gateway's prefix.
fn own_name(path: &str) -> String {
    if let Some((_, method)) = path.split_once('#') {
        return method.to_owned();
    }
    let path = path.strip_prefix("/rest/2.0").or_else(|| path.strip_prefix("/rest")).unwrap_or(path);
    path.strip_prefix("/openapi/").unwrap_or(path).trim_end_matches("/{app_key}").to_owned()
}
