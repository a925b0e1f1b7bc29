//! A platform as OpenAPI 3.1.

use serde_json::{Map, Value as Json, json};
use sesame_catalog::{Api, HttpMethods, Platform, Type};
use sesame_core::Shape;

use super::NAME;
use crate::{
    record_of,
    schema::{object, param_schema, reply_schema},
};

/// Writes OpenAPI 3.1 for APIs of a platform.
///
/// Signing is described as an API key, which is as near as OpenAPI comes. A method, which is called at the path that
/// all methods share, stands under this path with a fragment: `/router/rest#taobao.time.get`.
pub fn openapi(platform: &Platform, apis: &[Api], version: &str) -> Json {
    let mut paths = Map::new();
    let mut schemes = Map::new();
    for api in apis {
        let (path, operation) = (path(api), operation(api, &mut schemes));
        let method = match api.http {
            Some(HttpMethods::Get) => "get",
            Some(HttpMethods::Put) => "put",
            _ => "post",
        };
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation;
    }
    let servers: Vec<Json> = platform
        .regions
        .iter()
        .map(|region| json!({ "url": region.api, "description": region.name }))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": format!("APIs of {}", platform.title), "version": version },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": servers,
        "paths": paths,
        "components": { "securitySchemes": schemes },
    })
}

fn path(api: &Api) -> String {
    match api.shape {
        Shape::IopRest => format!("/rest{}", api.name),
        Shape::IopRestVariables => format!("/rest/2.0{}", api.name),
        Shape::IopSync => format!("/sync#{}", api.name),
        Shape::Top | Shape::TopBatch => format!("/router/rest#{}", api.name),
        Shape::Param2 | Shape::Param2Params => {
            let namespace = api.namespace.as_deref().unwrap_or_default();
            let name = api.name.rsplit(':').next().unwrap_or_default();
            format!("/openapi/param2/{}/{namespace}/{name}/{{app_key}}", api.version)
        }
    }
}

fn operation(api: &Api, schemes: &mut Map<String, Json>) -> Json {
    let record = record_of(api);
    let mut out = json!({ "operationId": record.name, NAME: record.name });
    for (key, text) in [("summary", &api.title), ("description", &api.about)] {
        if let Some(text) = text {
            out[key] = json!(text);
        }
    }
    if let Some(group) = &api.group {
        out["tags"] = json!([group]);
    }
    let path = path(api);
    let in_path = |name: &str| path.contains(&format!("{{{name}}}"));
    let mut parameters = Vec::new();
    for name in path.split('{').skip(1).filter_map(|part| part.split('}').next()) {
        let known = api.params.iter().find(|param| param.name == name);
        let schema = known.map_or_else(|| json!({ "type": "string" }), param_schema);
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    let mut body = Vec::new();
    for param in api.callers().filter(|param| !in_path(&param.name)) {
        if api.http == Some(HttpMethods::Get) {
            let mut parameter = json!({ "name": param.name, "in": "query", "schema": param_schema(param) });
            if let Some(required) = param.required {
                parameter["required"] = json!(required);
            }
            parameters.push(parameter);
        } else {
            body.push(param);
        }
    }
    if !parameters.is_empty() {
        out["parameters"] = Json::Array(parameters);
    }
    if !body.is_empty() {
        let has_file = body.iter().any(|param| param.kind == Type::Bytes);
        let media = if has_file { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
        let required = body.iter().any(|param| param.required == Some(true));
        out["requestBody"] =
            json!({ "required": required, "content": { media: { "schema": object(body) } } });
    }
    let mut content = json!({ "schema": reply_schema(api) });
    if let Some(reply) = &api.reply {
        content["example"] = reply.clone();
    }
    let about =
        if api.response.is_empty() { "Not documented." } else { "The payload, without its envelope." };
    out["responses"] = json!({ "200": { "description": about, "content": { "application/json": content } } });
    let mut needed = Map::new();
    let names = [(api.shape.signature_param(), true), (api.shape.token_param(), api.auth != Some(false))];
    for (name, _) in names.into_iter().filter(|(_, is_needed)| *is_needed) {
        schemes.entry(name).or_insert_with(|| json!({ "type": "apiKey", "in": "query", "name": name }));
        needed.insert(name.to_owned(), json!([]));
    }
    out["security"] = match api.auth {
        Some(_) => json!([needed]),
        // Nobody says whether a token is needed.
        None => json!([needed, { api.shape.signature_param(): [] }]),
    };
    out
}
