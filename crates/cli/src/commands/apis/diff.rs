//! `sesame apis diff`: in what two catalogs differ.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sesame_catalog::{Catalog, Record};
use sesame_core::Error;
use sesame_documents::{ApiChange, record_of, with_whole_name};

use crate::{bounded_file, context::Context, differences, exit::CliResult, output::Format};

/// The largest base file that is read.
const LARGEST: u64 = 256 << 20;
/// What stands for the catalog without overlays.
const BUILTIN: &str = "builtin";

/// Options of `apis diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// A base file (*.jsonl), a folder of overlays, or `builtin` for the catalog of this program.
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    old: String,
    /// The same; without it, the catalog in use, overlays included.
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    new: Option<String>,
    /// Only this platform. A base file is of the platform that it is named after, unless this says otherwise.
    #[arg(long, short, value_name = "PLATFORM")]
    platform: Option<String>,
}

/// One of two catalogs.
enum Side {
    Whole(Arc<Catalog>),
    /// One platform's records, by name.
    File(String, BTreeMap<String, Record>),
}

pub(super) fn diff(args: &DiffArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    if let Some(platform) = &args.platform {
        catalog.platform(platform)?;
    }
    let old = side(&args.old, args)?;
    let new =
        args.new.as_deref().map_or_else(|| Ok(Side::Whole(Arc::clone(&catalog))), |new| side(new, args))?;
    let only = match (&old, &new) {
        (Side::File(one, _), Side::File(other, _)) if one != other => {
            return Err(Error::usage(format!("one file is of {one}, the other of {other}"))
                .with_hint("Name the platform of both: --platform PLATFORM.")
                .into());
        }
        (Side::File(platform, _), _) | (_, Side::File(platform, _)) => Some(platform.clone()),
        _ => args.platform.clone(),
    };
    let mut changes = Vec::new();
    for platform in
        catalog.platforms().iter().filter(|known| only.as_ref().is_none_or(|only| *only == known.name))
    {
        let (before, after) = (old.names(&platform.name), new.names(&platform.name));
        let mut names: Vec<&String> = before.iter().chain(&after).collect();
        names.sort();
        names.dedup();
        for name in names {
            let (before, after) = (old.record(&platform.name, name), new.record(&platform.name, name));
            let change = ApiChange::between(name, before.as_ref(), after.as_ref());
            changes.extend(change.map(|change| (platform.name.clone(), change)));
        }
    }
    let mut printer = context.printer(Format::Table);
    if !printer.for_people() {
        return printer
            .records(changes.iter().map(|(platform, change)| differences::record(platform, change)));
    }
    for (platform, change) in &changes {
        differences::print(&mut printer, platform, change)?;
    }
    printer.line(differences::counts(changes.iter().map(|(_, change)| change)))?;
    printer.flush()
}

fn side(text: &str, args: &DiffArgs) -> CliResult<Side> {
    let path = PathBuf::from(text);
    if text == BUILTIN && !path.exists() {
        return Ok(Side::Whole(Arc::new(Catalog::builtin())));
    }
    if path.is_dir() {
        let catalog = Catalog::open(Some(&path))?;
        if let Some(mistake) = catalog.mistakes().first() {
            return Err(Error::usage(mistake.to_string())
                .with_hint("Correct it, or move the file away.")
                .into());
        }
        return Ok(Side::Whole(Arc::new(catalog)));
    }
    let bytes = bounded_file::read_or_stdin(&path, LARGEST).map_err(|error| {
        error.with_hint(format!("Name a base file (*.jsonl), a folder of overlays, or `{BUILTIN}`."))
    })?;
    let stem = Path::new(text).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let platform = args.platform.as_deref().unwrap_or(stem);
    Catalog::builtin().platform(platform).map_err(|error| {
        Error::usage(format!("{text}: of which platform is it? {}", error.message()))
            .with_hint("Name it: --platform PLATFORM.")
    })?;
    let mut records = BTreeMap::new();
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..).filter(|(line, _)| !line.trim_ascii().is_empty());
    for (line, number) in lines {
        let record: Record = serde_json::from_slice(line).map_err(|error| {
            // Each line is read by itself, and the error counts from its start.
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            Error::usage(format!("{text}: line {number}, column {}: {why}", error.column()))
        })?;
        let record = with_whole_name(record);
        records.insert(record.name.clone(), record);
    }
    Ok(Side::File(platform.to_owned(), records))
}

impl Side {
    fn names(&self, platform: &str) -> Vec<String> {
        match self {
            Self::Whole(catalog) => catalog.list(platform).into_iter().map(|api| api.name).collect(),
            Self::File(_, records) => records.keys().cloned().collect(),
        }
    }

    fn record(&self, platform: &str, name: &str) -> Option<Record> {
        match self {
            Self::Whole(catalog) => {
                let api = catalog.api(platform, name).ok().filter(|api| api.known)?;
                let record = record_of(&api);
                // Another name for an API that the other catalog has under its own.
                Some(record).filter(|record| record.name == name)
            }
            Self::File(_, records) => records.get(name).cloned(),
        }
    }
}
