//! `sesame vault rekey`.

use std::path::{Path, PathBuf};

use sesame_core::{AppSecret, Error, ErrorKind};
use sesame_vault::{KeyChoice, KeyKind, Location, Rekeyed, Vault};

use crate::{
    context::Context,
    exit::{CliResult, note, person_is_there, say},
    output::Format,
    progress::Progress,
    runtime,
    secret_input::{ask_new, ask_secret, read_bounded},
    settings::as_text,
};

const NEW_PASSPHRASE: &str = "SESAME_NEW_PASSPHRASE";
const NEW_MASTER_KEY: &str = "SESAME_NEW_MASTER_KEY";

/// Options of `vault rekey`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame vault rekey
  sesame vault rekey --to passphrase
  (umask 077; openssl rand -base64 32 > sesame.key)
  sesame vault rekey --to environment --key-file sesame.key

Without --to the new key goes where the former one is. A new key or passphrase must outlive this command: give it in --key-file, or type it on a terminal. If SESAME_NEW_MASTER_KEY or SESAME_NEW_PASSPHRASE is set, it must be the same.

Other programs go on meanwhile; restart those that were started with the former passphrase or key. If the command is interrupted, the vault still opens, and the same command finishes the rekey. Of several rekeys at once one succeeds. The exit code is 1 if a value could not be sealed with the new key.

JSON: {\"key_id\",\"key\",\"former\",\"resumed\",\"resealed\",\"unreadable\":[..]}")]
pub(crate) struct Args {
    /// Where the new key goes.
    #[arg(long, value_name = "PLACE", value_enum)]
    to: Option<Place>,
    /// Read the new key or passphrase from this file, which must be kept.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Discard an interrupted rekey whose new key is lost, and start over.
    #[arg(long)]
    anew: bool,
}

/// Where a master key may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Place {
    /// A generated file of mode 0600 beside the vault.
    File,
    /// The keyring of the desktop session.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// `SESAME_MASTER_KEY`.
    Environment,
}

/// Rekeys the vault.
pub(crate) fn run(args: &Args, context: &Context) -> CliResult {
    let to = choose(args)?;
    runtime::block_on(context, async {
        let vault = super::standing(context).await?;
        if args.anew && vault.abandon_rekey().await? {
            say("The interrupted rekey was discarded.");
        }
        let done = match rekey(vault, to.clone()).await {
            // The vault has a passphrase, and nobody gave the new one yet.
            Err(error)
                if error.kind() == ErrorKind::Usage
                    && matches!(to, KeyChoice::Auto)
                    && vault.key_kind() == KeyKind::Passphrase
                    && person_is_there() =>
            {
                let new = runtime::aside(|| ask_new("New passphrase of the vault")).await?;
                rekey(vault, KeyChoice::Passphrase(new)).await?
            }
            done => done?,
        };
        context.printer(Format::Table).one(&done, |printer| {
            let resumed = if done.resumed { " (an interrupted rekey was finished)" } else { "" };
            printer.line(format_args!(
                "the vault has a new master key ({}); resealed: {}{resumed}",
                done.key,
                super::count(done.resealed, "value")
            ))
        })?;
        advise(&done, vault);
        match done.unreadable.len() as u64 {
            0 => Ok(()),
            count => Err(Error::local(format!(
                "{} could not be read and still need the former key",
                super::count(count, "value")
            ))
            .with_hint("Restore the vault from a backup, or remove these accounts and log in again.")
            .into()),
        }
    })
}

/// Chooses the new key, and makes sure that a key which only the user has outlives this command.
fn choose(args: &Args) -> CliResult<KeyChoice> {
    let (passphrase, key) = (variable(NEW_PASSPHRASE)?, variable(NEW_MASTER_KEY)?);
    let place = match (args.to, &passphrase, &key) {
        (Some(place), ..) => place,
        (None, Some(_), Some(_)) => {
            return Err(Error::usage(format!("both {NEW_PASSPHRASE} and {NEW_MASTER_KEY} are set"))
                .with_hint("Unset one of them, or choose with --to.")
                .into());
        }
        (None, Some(_), None) => Place::Passphrase,
        (None, None, Some(_)) => Place::Environment,
        (None, None, None) if args.key_file.is_some() => {
            return Err(Error::usage("--key-file needs --to passphrase or --to environment").into());
        }
        (None, None, None) => return Ok(KeyChoice::Auto),
    };
    match place {
        Place::File | Place::Keyring if args.key_file.is_some() => {
            Err(Error::usage("--key-file needs --to passphrase or --to environment")
                .with_hint("For a file or the keyring, Sesame generates the key.")
                .into())
        }
        Place::File => Ok(KeyChoice::File),
        Place::Keyring => Ok(KeyChoice::Keyring),
        Place::Passphrase => kept("passphrase", NEW_PASSPHRASE, passphrase, args.key_file.as_deref())
            .map(KeyChoice::Passphrase),
        Place::Environment => {
            kept("key", NEW_MASTER_KEY, key, args.key_file.as_deref()).map(KeyChoice::Environment)
        }
    }
}

/// Returns the new secret once it is known to exist outside this command. With a key that nobody has,
/// the vault could never be opened again.
fn kept(what: &str, name: &str, in_variable: Option<AppSecret>, file: Option<&Path>) -> CliResult<AppSecret> {
    let is_same = |one: &AppSecret, other: &AppSecret| one.expose() == other.expose();
    if let Some(file) = file {
        let secret = read_kept(file)?;
        return match in_variable {
            Some(other) if !is_same(&secret, &other) => {
                Err(Error::usage(format!("{name} is not the {what} in {}", file.display()))
                    .with_hint(format!("Unset {name}, or give the file that holds it. Nothing was changed."))
                    .into())
            }
            _ => Ok(secret),
        };
    }
    match in_variable {
        None if person_is_there() => ask_new(&format!("New {what} of the vault")),
        None => Err(Error::usage(format!("no new {what} was given"))
            .with_hint("Give a file that holds it: --key-file FILE. Nothing was changed.")
            .into()),
        Some(secret) if person_is_there() => {
            if is_same(&ask_secret(&format!("New {what} of the vault, as in {name}"))?, &secret) {
                return Ok(secret);
            }
            Err(Error::usage(format!("{name} is not the {what} that was typed")).with_hint("Nothing was changed.").into())
        }
        Some(_) => Err(Error::usage(format!("the new {what} is only in {name}, and may be lost with this command"))
            .with_hint(format!(
                "Write the {what} to a file that you keep, and repeat the command with --key-file FILE. Nothing was changed."
            ))
            .into()),
    }
}

/// Reads a secret from a file that is still there after this command: no pipe, and no file without a name.
fn read_kept(path: &Path) -> CliResult<AppSecret> {
    let failed = |error: std::io::Error| Error::usage(format!("cannot read {}: {error}", path.display()));
    // Before it is opened: to open a pipe is to wait for its other end.
    let about = std::fs::metadata(path).map_err(failed)?;
    #[cfg(unix)]
    let is_named = std::os::unix::fs::MetadataExt::nlink(&about) > 0;
    #[cfg(not(unix))]
    let is_named = true;
    if !about.is_file() || !is_named {
        return Err(Error::usage(format!("{} is not a file that is kept", path.display()))
            .with_hint(
                "Write the new key to a file first; a pipe is gone after this command. Nothing was changed.",
            )
            .into());
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0 {
        note("warning", &format!("other users can read the key file; run: chmod 600 {}", path.display()));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let text = read_bounded(file, &path.display().to_string())?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Error::usage(format!("{} is empty", path.display()))
            .with_hint("Nothing was changed.")
            .into());
    }
    Ok(AppSecret::new(secret))
}

async fn rekey(vault: &Vault, to: KeyChoice) -> Result<Rekeyed, Error> {
    let progress = Progress::new();
    let done = vault.rekey(to, &|count| progress.show(count, None)).await;
    progress.done();
    done
}

/// Says what the user has to do now.
fn advise(done: &Rekeyed, vault: &Vault) {
    for text in &done.unreadable {
        note("warning", &format!("{text}; it stays as it was, with its key"));
    }
    match done.key {
        KeyKind::File => {
            say("Keep a copy of the new key file. Copies of the vault from before need the former key.");
        }
        KeyKind::Passphrase => {
            say("From now on set SESAME_PASSPHRASE to the new passphrase, and restart programs that run.");
        }
        KeyKind::Environment => {
            say("From now on set SESAME_MASTER_KEY to the new key, and restart programs that run.");
        }
        _ => say("Copies of the vault from before need the former key."),
    }
    if done.former == KeyKind::File
        && done.key != KeyKind::File
        && let Location::Sqlite(path) = vault.location()
    {
        say(&format!(
            "The former key is still in {}.key: it opens copies of the vault from before, and nothing else. Remove it when no such copy is needed.",
            path.display()
        ));
    }
}

/// Reads a secret from a variable; `None` if it is not set or empty.
pub(super) fn variable(name: &'static str) -> CliResult<Option<AppSecret>> {
    let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    as_text(name, value).map(|text| Some(AppSecret::new(text)))
}
