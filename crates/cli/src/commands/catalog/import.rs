//! `sesame catalog import` and `update`: what documents say and the catalog does not, as a file of the user's.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use sesame_catalog::{Catalog, MOST_OVERLAYS, Platform, Record};
use sesame_core::{Error, scalar::printable};
use sesame_documents::{ApiChange, join, overlays, patch, read, record_of};

use super::{
    folder::{LARGEST, private_folder},
    host::{self, Host},
};
use crate::{
    bounded_file,
    context::Context,
    differences,
    exit::{CliError, CliResult, note, person_is_there, say},
    humanize::parse_duration,
    output::Format,
    prompt, runtime,
};

/// The most APIs that are shown one by one to a person.
const MOST_SHOWN: usize = 100;

/// Options of `catalog import`.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Files or addresses; - is standard input.
    #[arg(required = true, value_name = "FILE|URL", value_hint = clap::ValueHint::FilePath)]
    sources: Vec<String>,
    /// The platform; without it, the one that has most of the APIs.
    #[arg(long, short, value_name = "PLATFORM")]
    platform: Option<String>,
    #[command(flatten)]
    writing: Writing,
}

/// Options of `catalog update`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateArgs {
    /// The platform.
    platform: String,
    /// Another document host: what stands before /handler/share/apidoc/.
    #[arg(long, value_name = "URL")]
    host: Option<String>,
    /// The pause between two requests, at most 60s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = pause)]
    pause: Duration,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, clap::Args)]
struct Writing {
    /// Shows the differences and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Writes without a question.
    #[arg(long, short = 'y', conflicts_with = "dry_run")]
    yes: bool,
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause = parse_duration(text)?;
    if pause <= Duration::from_mins(1) { Ok(pause) } else { Err(format!("{text:?} is longer than 60s")) }
}

pub(super) fn import(args: ImportArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async move {
        let mut records = Vec::new();
        for source in &args.sources {
            let text = if source.contains("://") {
                host::fetch(context, source).await?
            } else {
                bounded_file::read_or_stdin(Path::new(source), LARGEST)?
            };
            records.extend(read(&text).map_err(|error| nothing_changed(error.context(source)))?);
        }
        let records = join(records);
        let catalog = context.catalog()?;
        let platform = platform_of(&catalog, args.platform.as_deref(), &records)?;
        let source = format!("imported from {}", args.sources.join(", "));
        add(context, &catalog, platform, records, &source, &args.writing).await.map(drop)
    })
}

pub(super) fn update(args: UpdateArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async move {
        let catalog = context.catalog()?;
        let platform = catalog.platform(&args.platform)?;
        let host = Host::of(platform, args.host.as_deref(), context.settings.endpoint.value.as_deref())?;
        let walked = host::walk(context, &host, &platform.name, args.pause).await?;
        let source = format!("documents of {}", host.base());
        // What was fetched for a question that was answered with no is kept for the next try.
        if add(context, &catalog, platform, walked.records, &source, &args.writing).await? {
            walked.state.finish()?;
        }
        Ok(())
    })
}

fn apis(count: usize) -> String {
    if count == 1 { "1 API".to_owned() } else { format!("{count} APIs") }
}

fn nothing_changed(error: Error) -> Error {
    if error.hint().is_some() { error } else { error.with_hint("Nothing was changed.") }
}

/// Finds the platform that most of the names belong to.
fn platform_of(
    catalog: &Catalog,
    given: Option<&str>,
    records: &[Record],
) -> Result<&'static Platform, Error> {
    if let Some(name) = given {
        return catalog.platform(name);
    }
    let knows = |platform: &&Platform| {
        let known = records.iter().filter(|record| {
            catalog.api(&platform.name, &record.name).is_ok_and(|api| api.known && !api.presumed)
        });
        known.count()
    };
    let mut counts: Vec<_> =
        catalog.platforms().iter().map(|platform| (knows(&platform), platform)).collect();
    counts.sort_by_key(|(known, _)| std::cmp::Reverse(*known));
    match counts[..] {
        [(most, platform), (second, _), ..] if most > second => Ok(platform),
        _ => Err(Error::usage("the names of these APIs do not tell the platform")
            .with_hint("Name it: --platform PLATFORM.")),
    }
}

/// Shows what is new, asks, and writes it. Returns `true` if nothing of it is left to be written.
async fn add(
    context: &Context,
    catalog: &Catalog,
    platform: &Platform,
    records: Vec<Record>,
    source: &str,
    writing: &Writing,
) -> CliResult<bool> {
    let date = context.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    let (mut entries, mut changes, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let count = records.len();
    for said in records {
        let api = catalog.api(&platform.name, &said.name).map_err(nothing_changed)?;
        let known = record_of(&api);
        let said = Record { name: known.name.clone(), ..said };
        let known = Some(known).filter(|_| api.known);
        let merged = patch(known.as_ref(), &said);
        if !merged.kept.is_empty() {
            kept.push(json!({ "name": said.name, "params": merged.kept }));
        }
        let Some(entry) = merged.entry else { continue };
        // What is written has to be read again by every command.
        let after = applied(known.as_ref(), said, platform, source, &date, &entry)?;
        if let Some(change) = ApiChange::between(&after.name, known.as_ref(), Some(&after)) {
            changes.push(change);
            entries.push(entry);
        }
    }
    let texts = overlays(&platform.name, source, &date, &entries);
    let mut printer = context.printer(Format::Table);
    let for_people = printer.for_people();
    if for_people {
        for change in changes.iter().take(MOST_SHOWN) {
            differences::print(&mut printer, &platform.name, change)?;
        }
        if changes.len() > MOST_SHOWN {
            printer.line(format_args!("and {} more; -o json shows all", changes.len() - MOST_SHOWN))?;
        }
        printer.line(format_args!(
            "{} of {} read: {}",
            apis(count),
            platform.name,
            differences::counts(&changes)
        ))?;
        printer.flush()?;
    }
    if !kept.is_empty() {
        note(
            "note",
            &format!(
                "parameters of {} are not in the documents and stay; -o json names them",
                apis(kept.len())
            ),
        );
    }
    let mut files = Vec::new();
    if !entries.is_empty() && !writing.dry_run {
        if !writing.yes {
            ask(&platform.name).await?;
        }
        files = write(&context.settings.home.value.join("catalog"), &platform.name, &texts)?;
    }
    let shown: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    if for_people {
        for file in &shown {
            printer.line(format_args!("wrote {}", printable(file)))?;
        }
        printer.flush()?;
    } else {
        let changes: Vec<_> = changes.iter().map(|one| differences::record(&platform.name, one)).collect();
        let record = json!({
            "platform": platform.name, "apis": count, "changes": changes, "kept": kept, "files": shown,
        });
        printer.one(&record, |_| Ok(()))?;
    }
    Ok(entries.is_empty() || !files.is_empty())
}

/// Applies an entry as the catalog will; `said` is what the document says of an API that nobody knows.
fn applied(
    known: Option<&Record>,
    said: Record,
    platform: &Platform,
    source: &str,
    date: &str,
    entry: &serde_json::Value,
) -> CliResult<Record> {
    let unusable = |why: String| {
        let name = &said.name;
        nothing_changed(Error::usage(format!(
            "{name}: the catalog cannot hold what the documents say: {why}"
        )))
    };
    let text = overlays(&platform.name, source, date, std::slice::from_ref(entry)).concat();
    let overlay = Catalog::parse_overlay(&text).map_err(|mistakes| {
        let parts = mistakes.iter().take(5).map(|mistake| match mistake.key.as_str() {
            "" => mistake.why.clone(),
            key => format!("{key}: {}", mistake.why),
        });
        unusable(parts.collect::<Vec<_>>().join("; "))
    })?;
    let Some(mut after) = known.cloned() else { return Ok(said) };
    for patch in &overlay.apis {
        patch.apply(&overlay, &mut after).map_err(unusable)?;
    }
    Ok(after)
}

async fn ask(platform: &str) -> CliResult {
    if !person_is_there() {
        return Err(Error::usage(format!(
            "the catalog of {platform} would be changed, and there is no terminal to ask at"
        ))
        .with_hint("Add --yes to write it, or --dry-run to look only.")
        .into());
    }
    if prompt::yes("Add this to your catalog?").await? {
        return Ok(());
    }
    say("Nothing was changed.");
    Err(CliError::Status(1))
}

/// Writes new files behind those of former imports: what is read later wins. Either all are there or none.
fn write(folder: &Path, platform: &str, texts: &[String]) -> CliResult<Vec<PathBuf>> {
    let failed = |path: &Path, error: &std::io::Error| {
        Error::local(format!("cannot write {}: {error}", path.display())).with_hint("Nothing was changed.")
    };
    private_folder(folder)?;
    let prefix = format!("imported-{platform}-");
    let names = fs::read_dir(folder).map_err(|error| failed(folder, &error))?.flatten();
    let names: Vec<String> = names.filter_map(|file| file.file_name().into_string().ok()).collect();
    let count = names.iter().filter(|name| name.ends_with(".toml")).count() + texts.len();
    if count > MOST_OVERLAYS {
        return Err(Error::usage(format!(
            "{} would have {count} files; at most {MOST_OVERLAYS} are read",
            folder.display()
        ))
        .with_hint("Nothing was changed. Remove files of former imports there.")
        .into());
    }
    let numbers = names
        .iter()
        .filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(".toml")?.parse::<u32>().ok());
    let first = numbers.max().unwrap_or(0) + 1;
    let mut waiting = Vec::new();
    for text in texts {
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(folder, &error))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all());
        written.map_err(|error| failed(folder, &error))?;
        waiting.push(file);
    }
    let mut done: Vec<PathBuf> = Vec::new();
    for (number, file) in (first..).zip(waiting) {
        let path = folder.join(format!("{prefix}{number:04}.toml"));
        if let Err(error) = file.persist_noclobber(&path) {
            for path in &done {
                let _ = fs::remove_file(path);
            }
            return Err(failed(&path, &error.error).into());
        }
        done.push(path);
    }
    Ok(done)
}
