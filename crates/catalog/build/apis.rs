//! The APIs: base files, and the overlays that are applied to them.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde_json::Value as Json;

use crate::{
    Result,
    files::{files, folders, list, read, stem},
    names,
    overlay::{self, Overlay},
    record::Record,
};

/// The APIs of each base file, by the file's name.
pub(crate) type Catalogs = BTreeMap<String, Catalog>;

/// The APIs of one base file.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) records: Vec<Record>,
    /// Where those of a name are: several namespaces and versions may have one.
    by_key: HashMap<String, Vec<usize>>,
}

impl Catalog {
    /// Adds an API; `false` if it is there already.
    fn add(&mut self, record: Record) -> bool {
        let is_new = self.find(&record.name, record.namespace.as_deref(), record.version).is_none();
        if is_new {
            self.by_key.entry(names::key(&record.name)).or_default().push(self.records.len());
            self.records.push(record);
        }
        is_new
    }

    fn find(&self, name: &str, namespace: Option<&str>, version: Option<u32>) -> Option<usize> {
        self.by_key.get(&names::key(name))?.iter().copied().find(|at| {
            let record = &self.records[*at];
            namespace.is_none_or(|namespace| record.namespace.as_deref() == Some(namespace))
                && version.unwrap_or(1) == record.version.unwrap_or(1)
        })
    }
}

/// Reads `base/*.jsonl`.
pub(crate) fn base(data: &Path) -> Result<Catalogs> {
    let mut out = Catalogs::new();
    for file in files(&data.join("base"), "jsonl")? {
        let mut catalog = Catalog::default();
        for (at, line) in read(&file)?.lines().enumerate() {
            let place = || format!("{}:{}", file.display(), at + 1);
            let mut deserializer = serde_json::Deserializer::from_str(line);
            let record: Record = serde_path_to_error::deserialize(&mut deserializer)
                .map_err(|error| format!("{}: {}: {}", place(), error.path(), error.inner()))?;
            let name = record.name.clone();
            if !catalog.add(record) {
                return Err(format!("{}: {name} is there twice", place()));
            }
        }
        out.insert(stem(&file), catalog);
    }
    Ok(out)
}

/// Applies `overlay/<name>/*.toml`. `<name>` is that of a base file, or of a platform: then only
/// that platform sees the changes. All mistakes of all files are told.
pub(crate) fn overlays(data: &Path, platforms: &Json, catalogs: &mut Catalogs) -> Result<()> {
    let mut mistakes = Vec::new();
    for folder in folders(&data.join("overlay"))? {
        let target = stem(&folder);
        let platform = list(platforms, "platform").iter().find(|platform| platform["name"] == *target);
        if !catalogs.contains_key(&target) && platform.is_none() {
            return Err(format!("{}: there is no base file and no platform {target:?}", folder.display()));
        }
        // What is looked through for an API that the target does not have.
        let chain: Vec<String> = platform
            .map_or(&[][..], |platform| list(platform, "catalogs"))
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        let user = list(platforms, "platform").iter().find(|platform| {
            list(platform, "catalogs").iter().any(|name| *name == *target) || platform["name"] == *target
        });
        let param2 = user.and_then(|platform| platform["default_namespace"].as_str());
        for file in files(&folder, "toml")? {
            let (overlay, wrong) = Overlay::parse(&read(&file)?);
            mistakes.extend(wrong.into_iter().map(|mistake| format!("{}: {mistake}", file.display())));
            let Some(overlay) = overlay else { continue };
            if overlay.platform != target {
                mistakes.push(format!(
                    "{}: platform is {:?}, the folder {target:?}",
                    file.display(),
                    overlay.platform
                ));
            }
            for patch in &overlay.apis {
                if let Err(why) = apply(&overlay, patch, &chain, &target, param2, catalogs) {
                    mistakes.push(format!("{}: {}: {why}", file.display(), patch.name));
                }
            }
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("\n")) }
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
    let find = |catalog: &Catalog| catalog.find(name.plain, name.namespace, name.version);
    if let Some(at) = catalogs.get(target).and_then(find) {
        let records = catalogs.get_mut(target).map(|catalog| &mut catalog.records).ok_or("lost")?;
        return patch.apply(overlay, &mut records[at]);
    }
    let mut elsewhere = chain.iter().filter_map(|place| catalogs.get(place));
    let found = elsewhere.find_map(|catalog| Some(catalog.records[find(catalog)?].clone()));
    let record = match found {
        Some(mut record) => {
            patch.apply(overlay, &mut record)?;
            record
        }
        None => patch.create(overlay, param2)?,
    };
    catalogs.entry(target.to_owned()).or_default().add(record);
    Ok(())
}
