//! The shapes of the vendors' document hosts: `getApiCategoryMixed.json` and `getApi.json`, and the files of
//! a mirror of TOP's documents.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use sesame_catalog::{ApiErrorNote, Field, HttpMethods, Param, Record};
use sesame_core::scalar;

use crate::types;

/// Parameters that every call has; documents list them among an API's own.
pub(crate) const COMMON: [&str; 6] =
    ["app_key", "sign_method", "timestamp", "partner_id", "access_token", "sign"];
/// Deeper members are left out: documents describe some types inside themselves.
pub(crate) const DEEPEST: usize = 16;
/// The longest sample reply that is kept.
const LONGEST_SAMPLE: usize = 16 << 10;

/// Some hosts put `{"data": ..}` around each list, and null for none.
#[derive(Debug, Deserialize)]
struct Data<T> {
    data: Option<Vec<T>>,
}

fn list<T>(data: Option<Data<T>>) -> Vec<T> {
    data.and_then(|data| data.data).unwrap_or_default()
}

/// A parameter or a field, in either shape.
#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    #[serde(rename = "type", default, deserialize_with = "scalar::lenient_text")]
    kind: Option<String>,
    #[serde(default)]
    required: Json,
    #[serde(alias = "description", default, deserialize_with = "scalar::lenient_text")]
    desc: Option<String>,
    #[serde(alias = "subParams", default)]
    children: Option<Vec<Member>>,
    #[serde(rename = "maxLength", default)]
    max_len: Json,
    #[serde(rename = "maxValue", default)]
    max: Json,
    #[serde(rename = "minValue", default)]
    min: Json,
    #[serde(rename = "maxListSize", default)]
    max_items: Json,
}

/// One API in a category of `getApiCategoryMixed.json`.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    title: Option<String>,
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    description: Option<String>,
    path: String,
    #[serde(rename = "methodType", alias = "method", default, deserialize_with = "scalar::lenient_text")]
    method: Option<String>,
    #[serde(rename = "errorCodes", default)]
    errors: Option<Data<CodeNote>>,
    examples: Option<Data<Sample>>,
}

/// A category of `getApiCategoryMixed.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Category {
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    name: Option<String>,
    #[serde(rename = "apiList", default)]
    apis: Option<Vec<Listed>>,
}

#[derive(Debug, Deserialize)]
struct CodeNote {
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    code: Option<String>,
    #[serde(rename = "codeDesc", default, deserialize_with = "scalar::lenient_text")]
    says: Option<String>,
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    solution: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    #[serde(rename = "responseCode", default, deserialize_with = "scalar::lenient_text")]
    reply: Option<String>,
}

/// The `data` of `getApi.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    desc: Option<String>,
    parameters: Option<Data<Member>>,
    #[serde(rename = "outputParameters")]
    output: Option<Data<Member>>,
    #[serde(rename = "apiList")]
    apis: Vec<Listed>,
}

/// A file of the mirror of TOP's documents.
#[derive(Debug, Deserialize)]
pub(crate) struct TopDocument {
    name: String,
    #[serde(rename = "apiChineseName", default, deserialize_with = "scalar::lenient_text")]
    title: Option<String>,
    #[serde(default, deserialize_with = "scalar::lenient_text")]
    description: Option<String>,
    #[serde(rename = "requestParams", default)]
    request: Option<Vec<Member>>,
    #[serde(rename = "responseParams", default)]
    response: Option<Vec<Member>>,
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Category {
    pub(crate) fn records(self) -> Vec<Record> {
        let group = filled(self.name);
        let listed = self.apis.into_iter().flatten();
        listed.map(|api| Record { group: group.clone(), ..api.record() }).collect()
    }
}

impl Listed {
    fn record(self) -> Record {
        let mut record = Record::named(self.path);
        // Lazada's titles are names of operations: `GetOrders`.
        match filled(self.title) {
            Some(title) if is_operation(&title) => record.aliases.push(title),
            title => record.title = title,
        }
        record.about = filled(self.description);
        record.http = self.method.as_deref().and_then(methods);
        record.errors = list(self.errors).into_iter().filter_map(CodeNote::note).collect();
        record.reply =
            list(self.examples).into_iter().find_map(|sample| payload(&record.name, &sample.reply?));
        record
    }
}

impl CodeNote {
    fn note(self) -> Option<ApiErrorNote> {
        let text = |text| filled(text).unwrap_or_default();
        Some(ApiErrorNote { code: filled(self.code)?, says: text(self.says), advice: text(self.solution) })
    }
}

impl Document {
    pub(crate) fn records(self) -> Vec<Record> {
        let mut members = list(self.parameters);
        let mut auth = None;
        // Where the signature is listed, the others are, too. One of an API's own may have the same name.
        if members.iter().any(|member| member.name == "sign") {
            for common in COMMON {
                let Some(at) = members.iter().position(|member| member.name == common) else { continue };
                let member = members.remove(at);
                if common == "access_token" {
                    auth = scalar::boolean(&member.required);
                }
            }
        }
        let params: Vec<Param> = members.into_iter().map(|member| member.param(1)).collect();
        let response: Vec<Field> = list(self.output).into_iter().map(|member| member.field(1)).collect();
        let about = filled(self.desc);
        let apis = self.apis.into_iter().map(|api| {
            let record = api.record();
            Record {
                about: about.clone().or(record.about.clone()),
                auth,
                params: params.clone(),
                response: response.clone(),
                ..record
            }
        });
        apis.collect()
    }
}

impl TopDocument {
    pub(crate) fn record(self) -> Record {
        Record {
            title_zh: filled(self.title),
            about_zh: filled(self.description),
            params: self.request.into_iter().flatten().map(|member| member.param(1)).collect(),
            response: self.response.into_iter().flatten().map(|member| member.field(1)).collect(),
            ..Record::named(self.name)
        }
    }
}

impl Member {
    fn members(&mut self, depth: usize) -> Vec<Member> {
        self.children.take().filter(|_| depth < DEEPEST).unwrap_or_default()
    }

    fn written(&self) -> types::Written {
        let has_members = self.children.as_ref().is_some_and(|children| !children.is_empty());
        types::parse(self.kind.as_deref().unwrap_or_default(), has_members)
    }

    fn param(mut self, depth: usize) -> Param {
        let written = self.written();
        // Documents write 0 and -1 where there is no limit.
        let number = |value: &Json| scalar::text(value)?.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let whole =
            |value: &Json| scalar::integer(value).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        Param {
            list: written.list,
            required: scalar::boolean(&self.required),
            max_len: whole(&self.max_len),
            max: number(&self.max).filter(|max| *max > 0.0),
            min: number(&self.min),
            max_items: whole(&self.max_items),
            vendor_type: written.class.clone(),
            children: self.members(depth).into_iter().map(|member| member.param(depth + 1)).collect(),
            note: filled(self.desc),
            ..Param::named(self.name, written.kind)
        }
    }

    fn field(mut self, depth: usize) -> Field {
        let written = self.written();
        Field {
            kind: written.kind,
            list: written.list,
            vendor_type: written.class,
            children: self.members(depth).into_iter().map(|member| member.field(depth + 1)).collect(),
            example: None,
            note: filled(self.desc),
            name: self.name,
        }
    }
}

fn is_operation(title: &str) -> bool {
    title.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && title.starts_with(|first: char| first.is_ascii_alphabetic())
        && title.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
}

fn methods(word: &str) -> Option<HttpMethods> {
    let word = word.to_ascii_uppercase();
    Some(match (word.contains("GET"), word.contains("POST")) {
        (true, true) => HttpMethods::Both,
        (true, false) => HttpMethods::Get,
        (false, true) => HttpMethods::Post,
        _ if word == "PUT" => HttpMethods::Put,
        _ => return None,
    })
}

/// Takes the payload out of a sample: documents print it with its envelope.
fn payload(name: &str, text: &str) -> Option<Json> {
    let mut sample: Json = serde_json::from_str(text).ok().filter(|_| text.len() <= LONGEST_SAMPLE)?;
    if let Some(fields) = sample.as_object_mut() {
        let method = name.replace('.', "_");
        let is_envelope =
            |key: &String| key.strip_suffix("_response").is_some_and(|stem| method.ends_with(stem));
        if fields.len() == 1 && fields.keys().any(is_envelope) {
            return fields.iter_mut().next().map(|(_, inner)| inner.take());
        }
        if fields.contains_key("code") && fields.contains_key("request_id") {
            fields.shift_remove("code");
            fields.shift_remove("request_id");
        }
    }
    Some(sample)
}

/// Writes the list of a document host, `getApiCategoryMixed.json`.
pub fn document_list<'a>(records: impl IntoIterator<Item = &'a Record>) -> Json {
    let mut groups: Vec<(&str, Vec<Json>)> = Vec::new();
    for record in records {
        let group = record.group.as_deref().unwrap_or_default();
        let entry = json!({
            "title": title(record),
            "description": record.about.as_deref().unwrap_or_default(),
            "path": record.name,
            "methodType": method_word(record),
        });
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, apis)) => apis.push(entry),
            None => groups.push((group, vec![entry])),
        }
    }
    let groups = groups
        .iter()
        .enumerate()
        .map(|(id, (name, apis))| json!({ "id": id + 1, "name": name, "description": "", "apiList": apis }));
    json!({ "success": true, "data": groups.collect::<Vec<_>>() })
}

/// Writes the document of one API, `getApi.json`. The shape has no place for limits and values of
/// parameters, safety, page rules, examples of arguments, notes, and texts in Chinese.
pub fn document(record: &Record) -> Json {
    let mut common: Vec<Json> = COMMON
        .iter()
        .filter(|name| **name != "access_token" || record.auth.is_some())
        .map(|name| {
            let required = match *name {
                "access_token" => record.auth == Some(true),
                name => name != "partner_id",
            };
            json!({ "name": name, "type": "String", "required": required, "desc": "", "children": [] })
        })
        .collect();
    common.extend(record.params.iter().map(param_document));
    let errors: Vec<Json> = record
        .errors
        .iter()
        .map(|note| json!({ "code": note.code, "codeDesc": note.says, "solution": note.advice }))
        .collect();
    let examples: Vec<Json> =
        record.reply.iter().map(|reply| json!({ "responseCode": reply.to_string() })).collect();
    json!({ "success": true, "data": {
        "desc": record.about.as_deref().unwrap_or_default(),
        "parameters": { "data": common },
        "outputParameters": { "data": record.response.iter().map(field_document).collect::<Vec<_>>() },
        "apiList": [{
            "title": title(record),
            "path": record.name,
            "method": method_word(record),
            "errorCodes": { "data": errors },
            "examples": { "data": examples },
        }],
    }})
}

/// Writes the list of a host of TOP's documents: the heads of all, in the form of [`top_document`].
pub fn top_list<'a>(records: impl IntoIterator<Item = &'a Record>) -> Json {
    records.into_iter().map(|record| top(record, &[], &[])).collect()
}

/// Writes the document of one API in the form of the mirror of TOP's. The shape has no place for values of
/// parameters, errors, samples, page rules, and texts in English.
pub fn top_document(record: &Record) -> Json {
    top(record, &record.params, &record.response)
}

fn top(record: &Record, params: &[Param], response: &[Field]) -> Json {
    json!({
        "name": record.name,
        "apiChineseName": record.title_zh.as_deref().unwrap_or_default(),
        "description": record.about_zh.as_deref().unwrap_or_default(),
        "requestParams": params.iter().map(top_param).collect::<Vec<_>>(),
        "responseParams": response.iter().map(|field| top_param(&types::as_param(field))).collect::<Vec<_>>(),
    })
}

fn top_param(param: &Param) -> Json {
    json!({
        "name": param.name,
        "type": types::word(param.kind, param.list, param.vendor_type.as_deref()),
        "required": param.required,
        "description": param.note,
        "maxLength": param.max_len,
        "maxValue": param.max,
        "minValue": param.min,
        "maxListSize": param.max_items,
        "subParams": param.children.iter().map(top_param).collect::<Vec<_>>(),
    })
}

fn title(record: &Record) -> &str {
    let operation = || record.aliases.iter().find(|alias| is_operation(alias)).map(String::as_str);
    record.title.as_deref().or_else(operation).unwrap_or_default()
}

pub(crate) fn method_word(record: &Record) -> &'static str {
    match record.http {
        Some(HttpMethods::Get) => "GET",
        Some(HttpMethods::Post) => "POST",
        Some(HttpMethods::Both) => "GET/POST",
        Some(HttpMethods::Put) => "PUT",
        None => "",
    }
}

fn param_document(param: &Param) -> Json {
    let word = types::word(param.kind, param.list, param.vendor_type.as_deref());
    let children: Vec<Json> = param.children.iter().map(param_document).collect();
    json!({ "name": param.name, "type": word, "required": param.required, "desc": param.note, "children": children })
}

fn field_document(field: &Field) -> Json {
    let word = types::word(field.kind, field.list, field.vendor_type.as_deref());
    let children: Vec<Json> = field.children.iter().map(field_document).collect();
    json!({ "name": field.name, "type": word, "desc": field.note, "children": children })
}
