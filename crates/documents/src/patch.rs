//! What a document says that the catalog does not, as entries of an overlay.

use serde_json::{Map, Value as Json, json};
use sesame_catalog::{Field, Param, Record, Type};

use crate::{schema::number, toml_text, types::allows};

/// The largest overlay file that is written: the catalog reads files of at most 1 MiB.
const LARGEST: usize = 1_000_000;

/// What a document says of one API, beside the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// An entry `[[api]]` of an overlay with what is new; `None` if nothing is.
    pub entry: Option<Json>,
    /// Parameters that the catalog has and the document has not. They are kept: documents leave things out.
    pub kept: Vec<String>,
}

/// Finds what a document says that the catalog does not. What the document leaves out stays; a type or a list that is
/// only coarser in the document stays, too. Texts become the document's.
pub fn patch(known: Option<&Record>, said: &Record) -> Merged {
    let empty = Record::named(said.name.clone());
    let old = known.unwrap_or(&empty);
    let mut out = Map::new();
    let mut put = |key: &str, value: Json| out.insert(key.to_owned(), value);
    for (key, old, new) in [
        ("title", &old.title, &said.title),
        ("title_zh", &old.title_zh, &said.title_zh),
        ("about", &old.about, &said.about),
        ("about_zh", &old.about_zh, &said.about_zh),
        ("group", &old.group, &said.group),
    ] {
        if let Some(text) = new.as_ref().filter(|text| old.as_ref() != Some(text)) {
            put(key, json!(text));
        }
    }
    let aliases: Vec<&String> = said.aliases.iter().filter(|alias| !old.aliases.contains(alias)).collect();
    if !aliases.is_empty() {
        put("aliases", json!(aliases));
    }
    if said.http.is_some() && said.http != old.http {
        put("http", json!(said.http));
    }
    if said.auth.is_some() && said.auth != old.auth {
        put("auth", json!(said.auth));
    }
    let params = params(&old.params, &said.params);
    if !params.is_empty() {
        put("params", Json::Array(params));
    }
    if !said.response.is_empty() {
        let response = fields(&old.response, &said.response);
        if response != old.response {
            put("response", json!(response));
        }
    }
    let errors: Vec<_> = said
        .errors
        .iter()
        .filter(|note| !old.errors.contains(note))
        .filter(|note| {
            // A bare code says nothing against a code with a meaning.
            !(note.says.is_empty()
                && note.advice.is_empty()
                && old.errors.iter().any(|known| known.code == note.code))
        })
        .collect();
    if !errors.is_empty() {
        put("errors", json!(errors));
    }
    if let (None, Some(reply)) = (&old.reply, &said.reply) {
        put("reply", json!(reply.to_string()));
    }
    let said_params = |name: &String| said.params.iter().any(|param| param.name == *name);
    let kept = old.params.iter().map(|param| param.name.clone());
    let kept =
        if said.params.is_empty() { Vec::new() } else { kept.filter(|name| !said_params(name)).collect() };
    let is_new = known.is_none() || !out.is_empty();
    let entry = is_new.then(|| {
        let mut entry = Map::from_iter([("name".to_owned(), json!(said.name))]);
        entry.extend(out);
        Json::Object(entry)
    });
    Merged { entry, kept }
}

fn params(old: &[Param], said: &[Param]) -> Vec<Json> {
    let one = |new: &Param| param(old.iter().find(|old| old.name == new.name), new);
    said.iter().filter(|param| !param.name.is_empty()).filter_map(one).collect()
}

fn param(old: Option<&Param>, new: &Param) -> Option<Json> {
    let unknown = Param::named(new.name.clone(), new.kind);
    let base = old.unwrap_or(&unknown);
    let mut out = Map::from_iter([("n".to_owned(), json!(new.name))]);
    let mut put = |key: &str, is_new: bool, value: Json| {
        if is_new {
            out.insert(key.to_owned(), value);
        }
    };
    put("t", old.is_none() || !allows(new.kind, base.kind), json!(new.kind));
    let is_coarse = new.kind == Type::String && !new.list && old.is_some();
    put("l", new.list != base.list && !is_coarse, json!(new.list));
    put("r", new.required.is_some() && new.required != base.required, json!(new.required));
    put("max_len", new.max_len.is_some() && new.max_len != base.max_len, json!(new.max_len));
    put("max", new.max.is_some() && new.max != base.max, new.max.map_or(Json::Null, number));
    put("min", new.min.is_some() && new.min != base.min, new.min.map_or(Json::Null, number));
    put("max_items", new.max_items.is_some() && new.max_items != base.max_items, json!(new.max_items));
    put("enum", !new.values.is_empty() && new.values != base.values, json!(new.values));
    put("default", new.default.is_some() && new.default != base.default, json!(new.default));
    put("vt", new.vendor_type.is_some() && new.vendor_type != base.vendor_type, json!(new.vendor_type));
    put("note", new.note.is_some() && new.note != base.note, json!(new.note));
    let children = params(&base.children, &new.children);
    put("c", !children.is_empty(), Json::Array(children));
    (old.is_none() || out.len() > 1).then_some(Json::Object(out))
}

/// Joins fields by name: those of the catalog first, in its order.
fn fields(old: &[Field], said: &[Field]) -> Vec<Field> {
    let mut out = old.to_vec();
    for new in said.iter().filter(|field| !field.name.is_empty()) {
        let Some(known) = out.iter_mut().find(|known| known.name == new.name) else {
            out.push(new.clone());
            continue;
        };
        if !allows(new.kind, known.kind) {
            known.kind = new.kind;
        }
        if new.kind != Type::String || new.list {
            known.list = new.list;
        }
        known.vendor_type = new.vendor_type.clone().or(known.vendor_type.take());
        known.example = new.example.clone().or(known.example.take());
        known.note = new.note.clone().or(known.note.take());
        known.children = fields(&known.children, &new.children);
    }
    out
}

/// Writes entries as overlay files, each small enough to be read.
pub fn overlays(platform: &str, source: &str, date: &str, entries: &[Json]) -> Vec<String> {
    let head = toml_text::table(&json!({ "platform": platform, "source": source, "date": date }));
    let mut out: Vec<String> = Vec::new();
    for entry in entries {
        let text = format!("\n[[api]]\n{}", toml_text::table(entry));
        match out.last_mut().filter(|file| file.len() + text.len() <= LARGEST) {
            Some(file) => file.push_str(&text),
            None => out.push(format!("{head}{text}")),
        }
    }
    out
}
