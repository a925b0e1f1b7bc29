//! Which entries of the catalog are complete, and whether their examples and replies fit.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result};
use quick_xml::events::Event;
use serde_json::Value as Json;
use sesame_catalog::{Api, Catalog, Field, Param, Type};

/// Names of parameters that need no explanation, compared without case and `_`.
pub(crate) struct PlainNames(BTreeSet<String>);

impl PlainNames {
    /// Reads them from `data/words.toml`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let file = root.join("crates/catalog/data/words.toml");
        let table: toml::Table =
            fs::read_to_string(&file)?.parse().with_context(|| file.display().to_string())?;
        let names = table.get("plain_params").and_then(toml::Value::as_array).context("no plain_params")?;
        Ok(Self(names.iter().filter_map(toml::Value::as_str).map(folded).collect()))
    }
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// Lists what an entry lacks to be complete.
pub(crate) fn gaps(api: &Api, plain: &PlainNames) -> Vec<String> {
    let mut out = Vec::new();
    let mut need = |is_there: bool, what: &str| {
        if !is_there {
            out.push(what.to_owned());
        }
    };
    need(api.title.is_some() && !api.title_derived, "title");
    need(api.title_zh.is_some(), "title_zh");
    need(api.about.is_some(), "about");
    need(api.about_zh.is_some(), "about_zh");
    need(api.example.is_some() || api.params.is_empty(), "example");
    need(api.reply.is_some(), "reply");
    let has_dates = api.params.iter().any(param_is_date) || api.response.iter().any(field_is_date);
    need(api.dates.is_some() || !has_dates, "dates");
    for param in &api.params {
        let said = param.note.is_some() || !param.values.is_empty() || !param.children.is_empty();
        need(said || plain.0.contains(&folded(&param.name)), &format!("a note for {}", param.name));
        layouts(param, "", &mut |path| need(false, &format!("the layout of {path}")));
    }
    out
}

/// Finds JSON, XML and objects of which nobody knows the members.
fn layouts(param: &Param, above: &str, report: &mut impl FnMut(&str)) {
    let path = format!("{above}{}", param.name);
    if param.children.is_empty() && matches!(param.kind, Type::Json | Type::Xml | Type::Object) {
        // A list of plain values in a text has no members; its note says so.
        // So does that of a map, whose keys are no members: "By the name of the attribute: {..}."
        let is_map =
            param.note.as_deref().is_some_and(|note| note.starts_with("By ") && note.contains(": {"));
        if !(param.kind == Type::Json && param.note.is_some() || is_map) {
            report(&path);
        }
    }
    for child in &param.children {
        layouts(child, &format!("{path}."), report);
    }
}

fn param_is_date(param: &Param) -> bool {
    param.kind == Type::Date || param.children.iter().any(param_is_date)
}

fn field_is_date(field: &Field) -> bool {
    field.kind == Type::Date || field.children.iter().any(field_is_date)
}

/// Lists where example and reply do not fit what the entry says.
pub(crate) fn faults(api: &Api) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(example) = &api.example {
        members(example, &api.params, "example", true, &mut out);
    }
    if let Some(reply) = &api.reply
        && !api.response.is_empty()
    {
        let fields: Vec<Param> = api.response.iter().map(as_param).collect();
        members(reply, &fields, "reply", false, &mut out);
    }
    out
}

fn as_param(field: &Field) -> Param {
    let mut param = Param::named(field.name.clone(), field.kind);
    param.list = field.list;
    param.children = field.children.iter().map(as_param).collect();
    param
}

fn members(value: &Json, known: &[Param], path: &str, is_request: bool, out: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        out.push(format!("{path} is not an object"));
        return;
    };
    for (name, value) in object {
        match known.iter().find(|param| param.name == *name) {
            Some(param) => fits(value, param, &format!("{path}.{name}"), is_request, out),
            None => out.push(format!("{path}.{name} is not described")),
        }
    }
    for param in known.iter().filter(|param| is_request && param.required == Some(true)) {
        // Sesame knows these of the app.
        let known = matches!(param.name.as_str(), "client_id" | "client_secret" | "app_signature");
        // A file is given by its path.
        if !known && param.kind != Type::Bytes && !object.contains_key(&param.name) {
            out.push(format!("{path}.{} is required and missing", param.name));
        }
    }
}

fn fits(value: &Json, param: &Param, path: &str, is_request: bool, out: &mut Vec<String>) {
    if value.is_null() && !is_request {
        return;
    }
    let in_text = value.as_str().filter(|text| text.starts_with(['[', '{']));
    if param.list {
        let parsed = in_text.and_then(|text| serde_json::from_str::<Json>(text).ok());
        match (value, &parsed) {
            (Json::Array(items), _) | (_, Some(Json::Array(items))) => {
                if param.max_items.is_some_and(|most| items.len() as u64 > most) {
                    out.push(format!("{path} has more than {} items", param.max_items.unwrap_or_default()));
                }
                for (nth, item) in items.iter().enumerate() {
                    one_fits(item, param, &format!("{path}[{nth}]"), is_request, out);
                }
            }
            // Plain values may be joined with commas.
            (Json::String(text), None) if !matches!(param.kind, Type::Object | Type::Json) => {
                for item in text.split(',') {
                    one_fits(&item.trim().into(), param, path, is_request, out);
                }
            }
            _ => out.push(format!("{path} is not a list")),
        }
        return;
    }
    one_fits(value, param, path, is_request, out);
}

fn one_fits(value: &Json, param: &Param, path: &str, is_request: bool, out: &mut Vec<String>) {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_scalar = !value.is_array() && !value.is_object();
    let good = match param.kind {
        Type::String | Type::Bytes => is_scalar,
        Type::Date => is_scalar && text.bytes().any(|byte| byte.is_ascii_digit()),
        Type::Integer => is_scalar && text.parse::<i128>().is_ok(),
        Type::Number | Type::Decimal => is_scalar && text.parse::<f64>().is_ok_and(f64::is_finite),
        Type::Boolean => matches!(text.as_str(), "true" | "false"),
        Type::Object | Type::Json => {
            let parsed = match value {
                Json::String(text) => serde_json::from_str(text).ok(),
                other => Some(other.clone()),
            };
            match parsed {
                Some(parsed) => {
                    let items = parsed.as_array().cloned().unwrap_or_else(|| vec![parsed]);
                    for item in items.iter().filter(|_| !param.children.is_empty()) {
                        members(item, &param.children, path, is_request, out);
                    }
                    true
                }
                None => false,
            }
        }
        Type::Xml => {
            match element(&text) {
                Ok(root) => root.fits(&param.children, path, out),
                Err(why) => out.push(format!("{path}: {why}")),
            }
            true
        }
    };
    if !good {
        let kind = format!("{:?}", param.kind).to_lowercase();
        out.push(format!("{path} is not of the type {kind}: {text}"));
    }
    if !is_request {
        return;
    }
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if !param.values.is_empty() && !param.values.iter().any(|known| plain(known) == text) {
        out.push(format!("{path} is none of the values: {text}"));
    }
    if param.max_len.is_some_and(|most| text.chars().count() as u64 > most) {
        out.push(format!("{path} is too long"));
    }
    if let Ok(number) = text.parse::<f64>()
        && (param.max.is_some_and(|max| number > max) || param.min.is_some_and(|min| number < min))
    {
        out.push(format!("{path} is out of range: {text}"));
    }
}

/// An element of XML.
struct Element {
    name: String,
    children: Vec<Element>,
}

impl Element {
    fn fits(&self, known: &[Param], path: &str, out: &mut Vec<String>) {
        let path = format!("{path}.{}", self.name);
        let Some(param) = known.iter().find(|param| param.name == self.name) else {
            out.push(format!("{path} is not described"));
            return;
        };
        for child in self.children.iter().filter(|_| !param.children.is_empty()) {
            child.fits(&param.children, &path, out);
        }
        for needed in param.children.iter().filter(|needed| needed.required == Some(true)) {
            if !self.children.iter().any(|child| child.name == needed.name) {
                out.push(format!("{path}.{} is required and missing", needed.name));
            }
        }
    }
}

fn element(text: &str) -> Result<Element, String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open = vec![Element { name: String::new(), children: Vec::new() }];
    loop {
        let event = reader.read_event().map_err(|error| format!("invalid XML: {error}"))?;
        let named = |name: quick_xml::name::QName<'_>| Element {
            name: name.as_ref().to_owned(),
            children: Vec::new(),
        };
        match event {
            Event::Start(start) => open.push(named(start.name())),
            Event::Empty(empty) => {
                let one = named(empty.name());
                open.last_mut().ok_or("invalid XML")?.children.push(one);
            }
            Event::End(_) => {
                let one = open.pop().ok_or("invalid XML")?;
                open.last_mut().ok_or("invalid XML: an end without a start")?.children.push(one);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut outer = open.pop().filter(|_| open.is_empty()).ok_or("invalid XML: an element is not closed")?;
    match outer.children.len() {
        1 => Ok(outer.children.remove(0)),
        other => Err(format!("invalid XML: {other} root elements")),
    }
}

/// Lists what is missing or wrong in the entries that somebody has begun to describe, one a line: the
/// file of the overlay, the API, what.
pub(crate) fn report(root: &Path, catalog: &Catalog) -> Result<String> {
    let plain = PlainNames::read(root)?;
    let files = overlays(&root.join("crates/catalog/data/overlay"))?;
    let mut lines = BTreeSet::new();
    for api in apis(catalog).filter(|api| api.title_zh.is_some() || api.about.is_some()) {
        let name = api.name.rsplit(':').next().unwrap_or_default();
        let lacks = gaps(&api, &plain).into_iter().map(|gap| format!("lacks {gap}"));
        for what in lacks.chain(faults(&api)) {
            let wanted = format!("{name}\"");
            let file = files.iter().filter(|(_, text)| text.contains(&wanted)).map(|(file, _)| file.as_str());
            let file = file.collect::<Vec<_>>().join(" ");
            lines.insert(format!("{file}\t{}\t{what}", api.name));
        }
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// Returns every API of every platform, without those that nobody has confirmed there.
pub(crate) fn apis(catalog: &Catalog) -> impl Iterator<Item = Api> + '_ {
    catalog.platforms().iter().flat_map(|platform| {
        let all = catalog.list(&platform.name).into_iter().filter(|api| !api.presumed);
        all.filter_map(|api| catalog.api(&platform.name, &api.name).ok())
    })
}

/// Returns name and text of all overlays.
fn overlays(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut out = Vec::new();
    for base in fs::read_dir(folder)? {
        for file in fs::read_dir(base?.path())? {
            let file = file?.path();
            let name = file.strip_prefix(folder)?.display().to_string();
            out.push((name, fs::read_to_string(&file)?));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(text: &str) -> Api {
        let folder = tempfile::tempdir().expect("a folder");
        let head =
            "platform = \"lazada\"\nsource = \"test\"\ndate = \"2026-11-30\"\n[[api]]\nname = \"/x/y\"\n";
        fs::write(folder.path().join("x.toml"), format!("{head}{text}")).expect("written");
        let catalog = Catalog::open(Some(folder.path())).expect("open");
        assert!(catalog.mistakes().is_empty(), "{:?}", catalog.mistakes());
        catalog.api("lazada", "/x/y").expect("known")
    }

    #[test]
    fn examples_and_replies_of_complete_entries_fit() {
        let root = crate::root().expect("the root");
        let plain = PlainNames::read(&root).expect("words.toml");
        let catalog = Catalog::builtin();
        let mut wrong = Vec::new();
        for api in apis(&catalog).filter(|api| gaps(api, &plain).is_empty()) {
            wrong.extend(
                faults(&api).into_iter().map(|fault| format!("{} {}: {fault}", api.platform, api.name)),
            );
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The names of `use.tsv`, the most used first.
    fn used(root: &Path) -> Vec<String> {
        let text = fs::read_to_string(root.join("crates/catalog/data/use.tsv")).expect("use.tsv");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
    }

    #[test]
    fn the_apis_that_people_call_most_are_complete() {
        let root = crate::root().expect("the root");
        let plain = PlainNames::read(&root).expect("words.toml");
        let catalog = Catalog::builtin();
        let all: Vec<Api> = apis(&catalog).collect();
        let mut lacking = Vec::new();
        for name in used(&root).into_iter().take(400) {
            let same = |api: &&Api| {
                let bare = api.name.rsplit(':').next().unwrap_or_default();
                bare.eq_ignore_ascii_case(&name)
                    || api.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(&name))
            };
            let mut found = 0;
            for api in all.iter().filter(same) {
                found += 1;
                let lacks = gaps(api, &plain);
                if !lacks.is_empty() {
                    lacking.push(format!("{} {}: {}", api.platform, api.name, lacks.join(", ")));
                }
                if api.safety_derived {
                    lacking.push(format!("{} {}: safety", api.platform, api.name));
                }
            }
            if found == 0 {
                lacking.push(format!("{name}: unknown"));
            }
        }
        assert!(lacking.is_empty(), "{}:\n{}", lacking.len(), lacking.join("\n"));
    }

    #[test]
    fn what_an_entry_lacks_is_named() {
        let plain = PlainNames(BTreeSet::from(["pagesize".to_owned()]));
        let bare = api("params = [{ n = \"page_size\", t = \"integer\" }, { n = \"odd\", t = \"json\" }]\n");
        let gaps = gaps(&bare, &plain);
        for gap in [
            "title",
            "title_zh",
            "about",
            "about_zh",
            "example",
            "reply",
            "a note for odd",
            "the layout of odd",
        ] {
            assert!(gaps.iter().any(|found| found == gap), "{gap}: {gaps:?}");
        }
        assert_eq!(gaps.len(), 8, "{gaps:?}");
    }

    #[test]
    fn an_example_that_does_not_fit_is_named() {
        let params = r#"params = [
            { n = "id", t = "integer", r = true, max = 9 },
            { n = "status", t = "string", enum = ["a", "b"] },
            { n = "ids", t = "integer", l = true, max_items = 2 },
            { n = "payload", t = "xml", c = [{ n = "Request", t = "object", c = [{ n = "Sku", t = "string", r = true }] }] },
            { n = "body", t = "json", c = [{ n = "sku", t = "string", r = true }] },
        ]
        response = [{ n = "data", t = "object", c = [{ n = "count", t = "integer" }] }]
        "#;
        let of = |rest: &str| faults(&api(&format!("{params}{rest}")));
        assert!(
            of(r#"example = { id = 3, status = "a", ids = "1,2", payload = "<Request><Sku>x</Sku></Request>", body = "{\"sku\":\"x\"}" }
               reply = '{"data":{"count":1}}'"#)
            .is_empty()
        );
        for (rest, fault) in [
            ("example = { status = \"a\" }", "example.id is required"),
            ("example = { id = \"x\" }", "example.id is not of the type integer"),
            ("example = { id = 10 }", "example.id is out of range"),
            ("example = { id = 1, status = \"c\" }", "example.status is none of the values"),
            ("example = { id = 1, other = 1 }", "example.other is not described"),
            ("example = { id = 1, ids = [1, 2, 3] }", "example.ids has more than 2"),
            ("example = { id = 1, ids = \"1,x\" }", "example.ids is not of the type"),
            ("example = { id = 1, payload = \"<Request>\" }", "an element is not closed"),
            ("example = { id = 1, payload = \"<Request/>\" }", "example.payload.Request.Sku is required"),
            ("example = { id = 1, payload = \"<Other/>\" }", "example.payload.Other is not described"),
            ("example = { id = 1, body = \"{}\" }", "example.body.sku is required"),
            ("example = { id = 1, body = \"x\" }", "example.body is not of the type json"),
            ("reply = '{\"data\":{\"counts\":1}}'", "reply.data.counts is not described"),
            ("reply = '{\"data\":{\"count\":\"x\"}}'", "reply.data.count is not of the type"),
        ] {
            let found = of(rest);
            assert!(found.iter().any(|found| found.contains(fault)), "{rest}: {found:?}");
        }
    }
}
