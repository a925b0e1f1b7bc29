//! `sesame vault export`.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use sesame_core::{AppSecret, Error};
use sesame_vault::Exported;

use super::count;
use crate::{
    context::Context,
    exit::{CliResult, note, person_is_there, say},
    output::Format,
    runtime,
    secret_input::{ask_new, ask_secret},
    settings::as_text,
};

/// The variable that holds the passphrase of an export.
const VARIABLE: &str = "SESAME_EXPORT_PASSPHRASE";

/// Options of `vault export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame vault export shops.sesame
  SESAME_EXPORT_PASSPHRASE=... sesame vault export - | ssh backup 'cat > shops.sesame'

Apps, accounts and tokens, sealed under a passphrase of at least 8 characters: from
SESAME_EXPORT_PASSPHRASE, or asked for on a terminal, twice. The file gets mode 0600, and is there whole
or not at all. A refresh may end the token that was exported: let one vault of the two be used.
JSON: {\"file\",\"apps\",\"accounts\",\"left_out\":[..]}")]
pub(crate) struct Args {
    /// The file to write; - for standard output.
    file: PathBuf,
    /// Replaces a file that is there.
    #[arg(long)]
    force: bool,
    /// Leaves out what does not open, and names it.
    #[arg(long)]
    skip_bad: bool,
}

/// Reads the passphrase of an export: from its variable, else from a person, unseen.
pub(super) fn passphrase(is_new: bool) -> CliResult<AppSecret> {
    if let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return as_text(VARIABLE, value).map(AppSecret::new);
    }
    if !person_is_there() {
        return Err(Error::usage("no passphrase was given for the export")
            .with_hint(format!("Set {VARIABLE}. Without a terminal nobody is asked."))
            .into());
    }
    if is_new { ask_new("Passphrase of the export") } else { ask_secret("Passphrase of the export") }
}

/// Writes the export.
pub(crate) fn run(args: &Args, context: &Context) -> CliResult {
    let to_stdout = args.file == Path::new("-");
    if to_stdout && io::stdout().is_terminal() {
        return Err(Error::usage("an export is no text, and standard output is a terminal")
            .with_hint("Name a file, or pass the output on: sesame vault export - > FILE.")
            .into());
    }
    if !to_stdout && !args.force && args.file.exists() {
        return Err(Error::usage(format!("{} is there already", args.file.display()))
            .with_hint("Choose another name, or replace it with --force.")
            .into());
    }
    runtime::block_on(context, async {
        // Before a passphrase is asked for.
        super::must_stand(context).await?;
        let passphrase = runtime::aside(|| passphrase(true)).await?;
        let vault = super::standing(context).await?;
        if to_stdout {
            let mut out = BufWriter::new(io::stdout());
            let done = vault.export(&passphrase, args.skip_bad, &mut out).await?;
            out.flush()?;
            warn(&done);
            say(&format!("exported {} and {}", count(done.apps, "app"), count(done.accounts, "account")));
            return Ok(());
        }
        let failed = |error: &io::Error| {
            Error::local(format!("{} cannot be written: {error}", args.file.display()))
                .with_hint("Look at the directory's owner and mode, and at the free space.")
        };
        // What a link leads to is replaced, and not the link.
        let target = args.file.canonicalize().unwrap_or_else(|_| args.file.clone());
        if target.exists() && !target.is_file() {
            return Err(Error::usage(format!("{} is no file that could be replaced", target.display()))
                .with_hint("Name a file, or write to standard output: sesame vault export -")
                .into());
        }
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        // A file of mode 0600 under another name, until it is whole.
        let draft = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))
            .map_err(|error| failed(&error))?;
        let mut out = BufWriter::new(draft);
        let done = vault.export(&passphrase, args.skip_bad, &mut out).await?;
        let draft = out.into_inner().map_err(|error| failed(error.error()))?;
        draft.as_file().sync_all().map_err(|error| failed(&error))?;
        let kept = if args.force { draft.persist(&target) } else { draft.persist_noclobber(&target) };
        kept.map_err(|error| failed(&error.error))?;
        warn(&done);
        let record = serde_json::json!({
            "file": args.file.display().to_string(),
            "apps": done.apps,
            "accounts": done.accounts,
            "left_out": done.left_out,
        });
        context.printer(Format::Table).one(&record, |printer| {
            printer.line(format_args!(
                "exported {} and {} to {}",
                count(done.apps, "app"),
                count(done.accounts, "account"),
                args.file.display()
            ))
        })
    })
}

fn warn(done: &Exported) {
    for text in &done.left_out {
        note("warning", &format!("left out: {text}"));
    }
}
