//! Joins `data/` into a form that is looked up without parsing more than one entry.
//!
//! Output, in `OUT_DIR`: `entries.jsonl` (one API a line, overlays applied), `strings.txt` (names,
//! keys and one line of summary for each API), `tables.bin` (where all of them are, and the index,
//! sorted), `platforms.json`. `src/embedded.rs` reads them.

#![expect(
    unreachable_pub,
    reason = "these modules belong to the library, which uses and exports all of them"
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[path = "src/facet.rs"]
mod facet;
#[path = "src/names.rs"]
mod names;
#[path = "src/overlay.rs"]
mod overlay;
#[path = "src/record.rs"]
mod record;
#[path = "src/safety.rs"]
mod safety;
#[path = "src/words.rs"]
mod words;

use overlay::Overlay;
use record::{Record, Safety};
use serde_json::Value as Json;

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Cargo shows only lines of this form without `-vv`.
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let room = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?);
    let data = room.join("data");
    println!("cargo::rerun-if-changed={}", data.display());
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|error| error.to_string())?);

    let mut platforms = platforms(&data)?;
    let facets = facets(&data, &platforms)?;
    if let Some(all) = platforms.as_object_mut() {
        all.insert("facet".to_owned(), facets);
    }
    let mut catalogs = base(&data)?;
    overlays(&data, &platforms, &mut catalogs)?;
    write_tables(&out, &catalogs)?;
    write_search(&data, &out, &catalogs)?;
    let text = serde_json::to_string(&platforms).map_err(|error| error.to_string())?;
    write(&out.join("platforms.json"), text.as_bytes())
}

// ------------------------------------------------------------------------------- platforms

/// Reads `platforms.toml` and the error tables; fills each entry's source and date from its file.
fn platforms(data: &Path) -> Result<Json> {
    let mut all = toml_file(&data.join("platforms.toml"))?;
    only(&all, "platforms.toml", &["platform", "flag", "refusal"])?;
    let mut errors = Vec::new();
    for file in files(&data.join("errors"), "toml")? {
        let table = toml_file(&file)?;
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

/// Reads `facets/*.toml`: by platform and name, each with its source and date.
fn facets(data: &Path, platforms: &Json) -> Result<Json> {
    let mut all = serde_json::Map::new();
    for file in files(&data.join("facets"), "toml")? {
        let place = |why: String| format!("{}: {why}", file.display());
        let overlay = Overlay::parse(&read(&file)?).map_err(|mistake| place(mistake.to_string()))?;
        let known = list(platforms, "platform").iter().any(|platform| platform["name"] == *overlay.platform);
        if !known || overlay.platform != stem(&file) || !overlay.apis.is_empty() {
            return Err(place("holds the facets of the platform that it is named for".to_owned()));
        }
        let mut found = serde_json::Map::new();
        for name in overlay.facets.keys() {
            let fields = overlay.facet(name).unwrap_or_default();
            facet::read(&fields).map_err(|why| place(format!("facet.{name}: {why}")))?;
            found.insert(name.clone(), Json::Object(fields));
        }
        all.insert(overlay.platform, Json::Object(found));
    }
    Ok(Json::Object(all))
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
        says advice source date guess";
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

// ------------------------------------------------------------------------------- APIs

/// The APIs of each base file, by the file's name.
type Catalogs = BTreeMap<String, Vec<Record>>;

fn base(data: &Path) -> Result<Catalogs> {
    let mut out = Catalogs::new();
    for file in files(&data.join("base"), "jsonl")? {
        let mut records: Vec<Record> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (at, line) in read(&file)?.lines().enumerate() {
            let place = || format!("{}:{}", file.display(), at + 1);
            let mut deserializer = serde_json::Deserializer::from_str(line);
            let record: Record = serde_path_to_error::deserialize(&mut deserializer)
                .map_err(|error| format!("{}: {}: {}", place(), error.path(), error.inner()))?;
            if !seen.insert((names::key(&record.name), record.namespace.clone(), record.version.unwrap_or(1))) {
                return Err(format!("{}: {} is there twice", place(), record.name));
            }
            records.push(record);
        }
        out.insert(stem(&file), records);
    }
    Ok(out)
}

/// Applies `overlay/<name>/*.toml`. `<name>` is that of a base file, or of a platform: then only
/// that platform sees the changes.
fn overlays(data: &Path, platforms: &Json, catalogs: &mut Catalogs) -> Result<()> {
    let room = data.join("overlay");
    for folder in folders(&room)? {
        let target = stem(&folder);
        let platform = list(platforms, "platform").iter().find(|platform| platform["name"] == *target);
        // Which base files are looked through for an API that this one does not have.
        let own = catalogs.contains_key(&target);
        if !own && platform.is_none() {
            return Err(format!("{}: there is no base file and no platform {target:?}", folder.display()));
        }
        let chain: Vec<String> = platform
            .map(|platform| list(platform, "catalogs"))
            .unwrap_or_default()
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        let user = list(platforms, "platform").iter().find(|platform| {
            list(platform, "catalogs").iter().any(|name| *name == *target) || platform["name"] == *target
        });
        let param2 = user.and_then(|platform| platform["default_namespace"].as_str());
        for file in files(&folder, "toml")? {
            let overlay =
                Overlay::parse(&read(&file)?).map_err(|mistake| format!("{}: {mistake}", file.display()))?;
            if overlay.platform != target {
                return Err(format!(
                    "{}: platform is {:?}, the folder {target:?}",
                    file.display(),
                    overlay.platform
                ));
            }
            for patch in &overlay.apis {
                apply(&overlay, patch, &chain, &target, param2, catalogs)
                    .map_err(|why| format!("{}: {}: {why}", file.display(), patch.name))?;
            }
        }
    }
    Ok(())
}

fn apply(
    overlay: &Overlay,
    patch: &overlay::Patch,
    chain: &[String],
    target: &str,
    param2: Option<&str>,
    catalogs: &mut Catalogs,
) -> Result<()> {
    let name = names::parse(&patch.name, param2.is_some())?;
    let fits = |record: &Record| {
        names::key(&record.name) == names::key(name.plain)
            && name.namespace.is_none_or(|namespace| record.namespace.as_deref() == Some(namespace))
            && name.version.unwrap_or(1) == record.version.unwrap_or(1)
    };
    // Patched before, by another file of the same platform?
    let places: Vec<String> = std::iter::once(target.to_owned()).chain(chain.iter().cloned()).collect();
    let found = places.iter().find_map(|place| {
        let at = catalogs.get(place)?.iter().position(fits)?;
        Some((place.clone(), at))
    });
    match found {
        Some((place, at)) if place == target => {
            let record = catalogs.get_mut(&place).and_then(|records| records.get_mut(at)).ok_or("lost")?;
            patch.apply(overlay, record)
        }
        Some((place, at)) => {
            let mut record = catalogs[&place][at].clone();
            patch.apply(overlay, &mut record)?;
            catalogs.entry(target.to_owned()).or_default().push(record);
            Ok(())
        }
        None => {
            let record = patch.create(overlay, param2)?;
            catalogs.entry(target.to_owned()).or_default().push(record);
            Ok(())
        }
    }
}

// ------------------------------------------------------------------------------- output

/// What a key is, best first.
const NAME: u8 = 0;
const ALIAS: u8 = 1;
const TITLE: u8 = 2;

fn write_tables(out: &Path, catalogs: &Catalogs) -> Result<()> {
    let mut entries = String::new();
    let mut strings = String::new();
    let mut rows = Vec::new();
    let mut keys: Vec<(u8, String, u8, u32)> = Vec::new();
    let mut names = Vec::new();

    for (number, (name, records)) in catalogs.iter().enumerate() {
        let number = u8::try_from(number).map_err(|_| "more than 255 base files")?;
        let first = rows.len();
        let records = in_order(records);
        let mut titles: BTreeMap<String, u32> = BTreeMap::new();
        for record in &records {
            if let Some(title) = &record.title {
                *titles.entry(names::key(title)).or_default() += 1;
            }
        }
        for record in records {
            let entry = u32::try_from(rows.len()).map_err(|_| "too many APIs")?;
            keys.push((number, names::key(&record.name), NAME, entry));
            for alias in &record.aliases {
                keys.push((number, names::key(alias), ALIAS, entry));
            }
            if let Some(title) = &record.title
                // `GetProducts` is a name people use; `alibaba.icbu.product.get` is that of another API.
                && !title.contains([' ', '.', '/'])
                && titles.get(&names::key(title)) == Some(&1)
            {
                keys.push((number, names::key(title), TITLE, entry));
            }
            let from = entries.len();
            let text = serde_json::to_string(record).map_err(|error| error.to_string())?;
            entries.push_str(&text);
            entries.push('\n');
            let summary = put(&mut strings, &summary(record)?)?;
            rows.push([offset(from)?, offset(text.len())?, summary.0, summary.1, u32::from(number)]);
        }
        let name = put(&mut strings, name)?;
        names.push([name.0, name.1, offset(first)?, offset(rows.len() - first)?]);
    }

    keys.sort();
    keys.dedup();
    let mut tables: Vec<u8> = Vec::new();
    let mut push = |number: u32| tables.extend_from_slice(&number.to_le_bytes());
    push(offset(names.len())?);
    push(offset(rows.len())?);
    push(offset(keys.len())?);
    names.iter().flatten().for_each(|number| push(*number));
    rows.iter().flatten().for_each(|number| push(*number));
    for (catalog, key, kind, entry) in &keys {
        let (at, length) = put(&mut strings, key)?;
        push(at);
        push(length);
        push(u32::from(*catalog) << 8 | u32::from(*kind));
        push(*entry);
    }
    write(&out.join("tables.bin"), &tables)?;
    write(&out.join("strings.txt"), strings.as_bytes())?;
    write(&out.join("entries.jsonl"), entries.as_bytes())
}

fn in_order(records: &[Record]) -> Vec<&Record> {
    let mut records: Vec<&Record> = records.iter().collect();
    records.sort_by(|a, b| (&a.name, &a.namespace, a.version).cmp(&(&b.name, &b.namespace, b.version)));
    records
}

/// Writes `documents.txt`, a line of words for each API in the order of the tables; `uses.bin`, how often
/// each is called, 255 the most; and `search.json`.
fn write_search(data: &Path, out: &Path, catalogs: &Catalogs) -> Result<()> {
    let table = read(&data.join("use.tsv"))?;
    let mut used: BTreeMap<&str, u8> = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [name, programs, _] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("use.tsv: {line}: not three columns"));
        };
        let programs: f64 = programs.parse().map_err(|_| format!("use.tsv: {line}: not a number"))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
        let use_of = ((1.0 + programs).ln() / 28_f64.ln() * 255.0) as u8;
        used.insert(name, use_of);
    }
    let (mut documents, mut uses) = (String::new(), Vec::new());
    for records in catalogs.values() {
        for record in in_order(records) {
            documents.push_str(&words::document(record));
            documents.push('\n');
            uses.push(used.get(record.name.as_str()).copied().unwrap_or_default());
        }
    }
    write(&out.join("documents.txt"), documents.as_bytes())?;
    write(&out.join("uses.bin"), &uses)?;
    let words = toml_file(&data.join("search.toml"))?;
    only(&words, "search.toml", &["source", "date", "fill", "groups", "platforms"])?;
    write(&out.join("search.json"), words.to_string().as_bytes())
}

/// One line: name, safety, `?` when derived, group, title; separated by tabs.
fn summary(record: &Record) -> Result<String> {
    let mut line = String::new();
    if let Some(namespace) = &record.namespace {
        line.push_str(namespace);
        line.push(':');
    }
    line.push_str(&record.name);
    if let Some(version) = record.version.filter(|version| *version != 1) {
        let _ = write!(line, "@{version}");
    }
    let safety =
        record.safety.unwrap_or(if safety::reads(&record.name) { Safety::Read } else { Safety::Write });
    let derived = if record.safety.is_none() { "?" } else { "" };
    let group = record.group.as_deref().unwrap_or_default();
    let title = record.title.as_deref().unwrap_or_default();
    let title_zh = record.title_zh.as_deref().unwrap_or_default();
    let _ = write!(line, "\t{}\t{derived}\t{group}\t{title}\t{title_zh}", safety.as_str());
    if line.matches('\t').count() != 5 || line.contains('\n') {
        return Err(format!("{}: a tab or a line break in name, group or title", record.name));
    }
    Ok(line)
}

fn put(strings: &mut String, text: &str) -> Result<(u32, u32)> {
    let at = offset(strings.len())?;
    strings.push_str(text);
    Ok((at, offset(text.len())?))
}

fn offset(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| "the catalog has outgrown 4 GB".to_owned())
}

// ------------------------------------------------------------------------------- files

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()))
}

fn stem(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        out.push(entry.map_err(|error| format!("{}: {error}", folder.display()))?.path());
    }
    out.sort();
    Ok(out)
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect())
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn toml_file(file: &Path) -> Result<Json> {
    let table: toml::Table =
        toml::from_str(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::to_value(table).map_err(|error| format!("{}: {error}", file.display()))
}

fn list<'a>(value: &'a Json, key: &str) -> &'a [Json] {
    value.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn only(value: &Json, file: &str, keys: &[&str]) -> Result<()> {
    match value.as_object().and_then(|object| object.keys().find(|key| !keys.contains(&key.as_str()))) {
        Some(key) => Err(format!("{file}: unknown key {key:?}")),
        None => Ok(()),
    }
}
