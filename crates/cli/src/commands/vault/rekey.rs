//! `sesame vault rekey`.

use sesame_core::{AppSecret, Error, ErrorKind};
use sesame_vault::{KeyChoice, KeyKind, Location, Rekeyed, Vault};

use crate::{
    commands::call::Progress,
    context::Context,
    exit::{CliResult, note, person_is_there, say},
    output::Format,
    runtime,
    secret_input::ask_new,
    settings::as_text,
};

/// Options of `vault rekey`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame vault rekey
  SESAME_PASSPHRASE=... SESAME_NEW_PASSPHRASE=... sesame vault rekey
  SESAME_NEW_MASTER_KEY=$(openssl rand -base64 32) sesame vault rekey --to environment

Without --to the new key goes where the former one is. A new passphrase or key is read from
SESAME_NEW_PASSPHRASE or SESAME_NEW_MASTER_KEY; a passphrase is asked for on a terminal. Other programs
go on meanwhile; one that was started with the former passphrase or key is restarted afterwards. Killed
at whatever instant, the vault opens, and the same command finishes what was begun.
JSON: {\"key_id\",\"key\",\"former\",\"resumed\",\"resealed\",\"unreadable\":[..]}")]
pub(crate) struct Args {
    /// Where the new key goes.
    #[arg(long, value_name = "PLACE", value_enum)]
    to: Option<Place>,
    /// Give up a rekey that was cut off, whose new key is lost, and begin anew.
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
    let (passphrase, key) = (variable("SESAME_NEW_PASSPHRASE")?, variable("SESAME_NEW_MASTER_KEY")?);
    let to = match (args.to, passphrase, key) {
        (None, Some(_), Some(_)) => {
            return Err(Error::usage("both SESAME_NEW_PASSPHRASE and SESAME_NEW_MASTER_KEY are set")
                .hint("Unset one of them, or choose with --to.")
                .into());
        }
        (Some(Place::File), ..) => KeyChoice::File,
        (Some(Place::Keyring), ..) => KeyChoice::Keyring,
        (Some(Place::Passphrase), Some(new), _) | (None, Some(new), None) => KeyChoice::Passphrase(new),
        (Some(Place::Environment), _, Some(new)) | (None, None, Some(new)) => KeyChoice::Environment(new),
        (Some(Place::Passphrase), None, _) if person_is_there() => {
            KeyChoice::Passphrase(ask_new("New passphrase of the vault")?)
        }
        (Some(Place::Passphrase), None, _) => {
            return Err(Error::usage("no new passphrase was given")
                .hint("Set SESAME_NEW_PASSPHRASE. Without a terminal nobody is asked.")
                .into());
        }
        (Some(Place::Environment), _, None) => {
            return Err(Error::usage("no new key was given")
                .hint("Set SESAME_NEW_MASTER_KEY to 32 bytes in base64 or hex: openssl rand -base64 32.")
                .into());
        }
        (None, None, None) => KeyChoice::Auto,
    };
    runtime::block_on(context, async {
        let vault = super::standing(context).await?;
        if args.anew && vault.give_up_rekey().await? {
            say("The rekey that had been cut off is given up.");
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
            let resumed = if done.resumed { " (a rekey that had been cut off is finished)" } else { "" };
            printer.line(format_args!(
                "the vault has a new master key ({}); sealed anew: {}{resumed}",
                done.key,
                super::count(done.resealed, "value")
            ))
        })?;
        advise(&done, vault);
        Ok(())
    })
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
        KeyKind::Keyring => say("Copies of the vault from before need the former key."),
        KeyKind::Passphrase => {
            say("From now on set SESAME_PASSPHRASE to the new passphrase, and restart programs that run.");
        }
        KeyKind::Environment => {
            say("From now on set SESAME_MASTER_KEY to the new key, and restart programs that run.");
        }
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
