//! `platforms.toml`, the error tables, the facets and the actions, joined into one JSON.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::{
    Result, action, facet,
    files::{files, list, read, stem, toml_file},
    overlay::Overlay,
    safety::NameRules,
};

/// Joins everything that is no API: platforms, error tables, facets, and the rules about names.
pub(crate) fn platforms(data: &Path, safety: &NameRules, owners: &[String]) -> Result<Json> {
    let mut all = tables(data)?;
    let (facets, actions) = facets(data, &all)?;
    if let Some(all) = all.as_object_mut() {
        all.insert("facet".to_owned(), json!(facets));
        all.insert("action".to_owned(), json!(actions));
        let rules = serde_json::to_value(safety).map_err(|error| error.to_string())?;
        all.insert("safety".to_owned(), rules);
        all.insert("owners".to_owned(), owners.into());
    }
    Ok(all)
}

/// Reads `platforms.toml` and the error tables; fills each entry's source and date from its file.
fn tables(data: &Path) -> Result<Json> {
    let mut all: Json = toml_file(&data.join("platforms.toml"))?;
    only(&all, "platforms.toml", &["platform", "flag", "refusal"])?;
    let mut errors = Vec::new();
    for file in files(&data.join("errors"), "toml")? {
        let table: Json = toml_file(&file)?;
        let name = file.display().to_string();
        only(&table, &name, &["protocol", "protocols", "platforms", "source", "date", "error"])?;
        let defaults = table.as_object().cloned().unwrap_or_default();
        for (at, entry) in list(&table, "error").iter().enumerate() {
            let mut entry = entry.clone();
            let Some(object) = entry.as_object_mut() else {
                return Err(format!("{name}: error[{at}] is not a table"));
            };
            for key in ["source", "date", "protocol", "platforms"] {
                if let Some(value) = defaults.get(key)
                    && !object.contains_key(key)
                    && !(key == "protocol" && object.contains_key("platforms"))
                {
                    object.insert(key.to_owned(), value.clone());
                }
            }
            // What a number means in an envelope of the protocol, it need not mean in a payload.
            let code = object.get("code").and_then(Json::as_str).unwrap_or_default();
            if !object.contains_key("platforms") && code.trim_end_matches("..").parse::<u64>().is_ok() {
                object.insert("gateway".to_owned(), true.into());
            }
            // One list for several protocols: an entry for each.
            let protocols = list(&table, "protocols");
            if protocols.is_empty() || object.contains_key("platforms") {
                check_error(object)
                    .map_err(|why| format!("{name}: error[{at}] {}: {why}", entry_name(object)))?;
                errors.push(entry);
                continue;
            }
            for protocol in protocols {
                let mut object = object.clone();
                object.insert("protocol".to_owned(), protocol.clone());
                check_error(&object)
                    .map_err(|why| format!("{name}: error[{at}] {}: {why}", entry_name(&object)))?;
                errors.push(Json::Object(object));
            }
        }
    }
    let flags = flags(list(&all, "flag"))?;
    if let Some(object) = all.as_object_mut() {
        object.insert("error".to_owned(), errors.iter().map(scoped).collect());
        object.insert("flag".to_owned(), flags.iter().map(scoped).collect());
    }
    let mut seen = std::collections::BTreeSet::new();
    for platform in list(&all, "platform") {
        let name = platform["name"].as_str().unwrap_or_default();
        if name.is_empty() || !seen.insert(name.to_owned()) {
            return Err(format!("platforms.toml: a platform without a name of its own: {name:?}"));
        }
    }
    Ok(all)
}

/// Tables by platform.
type ByPlatform = std::collections::BTreeMap<String, serde_json::Map<String, Json>>;

/// Reads `facets/*.toml` and `actions/*.toml`: facets and actions by platform and name, each with its source
/// and date.
fn facets(data: &Path, platforms: &Json) -> Result<(ByPlatform, ByPlatform)> {
    let (mut all, mut all_actions) = (ByPlatform::new(), ByPlatform::new());
    let mut both = files(&data.join("facets"), "toml")?;
    both.extend(files(&data.join("actions"), "toml")?);
    for file in both {
        let place = |why: String| format!("{}: {why}", file.display());
        let (overlay, mistakes) = Overlay::parse(&read(&file)?);
        let overlay = match (overlay, mistakes.first()) {
            (Some(overlay), None) => overlay,
            (_, mistake) => return Err(place(mistake.map(ToString::to_string).unwrap_or_default())),
        };
        let known = list(platforms, "platform").iter().any(|platform| platform["name"] == *overlay.platform);
        if !known || overlay.platform != stem(&file) || !overlay.apis.is_empty() {
            return Err(place("holds the facets of the platform that it is named for".to_owned()));
        }
        for name in overlay.facets.keys() {
            let fields = overlay.facet(name).unwrap_or_default();
            facet::read(&fields).map_err(|why| place(format!("facet.{name}: {why}")))?;
            let twice =
                all.entry(overlay.platform.clone()).or_default().insert(name.clone(), Json::Object(fields));
            twice.map_or(Ok(()), |_| Err(place(format!("facet.{name}: is there twice"))))?;
        }
        for name in overlay.actions.keys() {
            let fields = overlay.action(name).unwrap_or_default();
            action::read(&fields).map_err(|why| place(format!("action.{name}: {why}")))?;
            all_actions
                .entry(overlay.platform.clone())
                .or_default()
                .insert(name.clone(), Json::Object(fields));
        }
    }
    Ok((all, all_actions))
}

/// Parts what an entry holds for from what it says, so that the program reads both directly.
fn scoped(entry: &Json) -> Json {
    let mut rule = entry.as_object().cloned().unwrap_or_default();
    let mut out = serde_json::Map::new();
    for key in ["protocol", "platforms"] {
        if let Some(value) = rule.remove(key) {
            out.insert(key.to_owned(), value);
        }
    }
    out.insert("rule".to_owned(), Json::Object(rule));
    Json::Object(out)
}

/// Makes an entry for each protocol of a flag.
fn flags(flags: &[Json]) -> Result<Vec<Json>> {
    let mut out = Vec::new();
    for flag in flags {
        let name = || flag["flag"].as_str().unwrap_or_default().to_owned();
        only(
            flag,
            &format!("platforms.toml: flag {}", name()),
            &["protocols", "platforms", "flag", "ok", "code", "message", "source", "date"],
        )?;
        let mut plain = flag.as_object().cloned().unwrap_or_default();
        let protocols = plain.remove("protocols");
        match protocols.as_ref().and_then(Json::as_array) {
            None if plain.contains_key("platforms") => out.push(Json::Object(plain)),
            None => {
                return Err(format!("platforms.toml: flag {}: says neither protocols nor platforms", name()));
            }
            Some(protocols) => {
                for protocol in protocols {
                    let mut one = plain.clone();
                    one.insert("protocol".to_owned(), protocol.clone());
                    out.push(Json::Object(one));
                }
            }
        }
    }
    Ok(out)
}

fn entry_name(entry: &serde_json::Map<String, Json>) -> String {
    let part = |key: &str| entry.get(key).and_then(Json::as_str).unwrap_or_default();
    format!("{} {}", part("code"), part("sub_code")).trim().to_owned()
}

fn check_error(entry: &serde_json::Map<String, Json>) -> Result<()> {
    const KEYS: &str = "protocol platforms code sub_code message texts gateway kind fault retry maybe_done \
        says advice field rule source date guess";
    if let Some(key) = entry.keys().find(|key| !KEYS.split_whitespace().any(|known| known == *key)) {
        return Err(format!("unknown key {key:?}"));
    }
    for key in ["kind", "fault", "retry", "says", "advice", "source", "date"] {
        if entry.get(key).and_then(Json::as_str).is_none_or(str::is_empty) {
            return Err(format!("{key} is missing"));
        }
    }
    if !entry.contains_key("protocol") && !entry.contains_key("platforms") {
        return Err("says neither protocol nor platforms".to_owned());
    }
    if entry_name(entry).is_empty() {
        return Err("has neither code nor sub_code".to_owned());
    }
    Ok(())
}

fn only(value: &Json, file: &str, keys: &[&str]) -> Result<()> {
    match value.as_object().and_then(|object| object.keys().find(|key| !keys.contains(&key.as_str()))) {
        Some(key) => Err(format!("{file}: unknown key {key:?}")),
        None => Ok(()),
    }
}
