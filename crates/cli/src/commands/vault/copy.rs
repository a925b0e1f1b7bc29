//! `sesame vault copy`.

use sesame_core::{AppSecret, Error};
use sesame_vault::{CopyOptions, KeyChoice, Location, Vault, store::SqlStore};

use super::{count, rekey::variable};
use crate::{
    context::Context,
    exit::{CliResult, note, person_is_there, say},
    output::Format,
    progress::Progress,
    runtime,
    secret_input::ask_new,
};

/// Options of `vault copy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame vault copy --to sqlite:/backup/vault.db
  SESAME_NEW_PASSPHRASE=... sesame vault copy --to sqlite:vault.db \\
      --key passphrase
  sesame vault copy --to postgres://sesame@db/vault

Apps, accounts and tokens, sealed with the target's own key; the audit trail stays behind. The copy is a vault: `sesame --vault sqlite:/backup/vault.db accounts` opens it. The target is made if it is not there. One that has accounts gets those it lacks, and the newer tokens of those that an earlier copy brought; its other accounts are left alone. A copy that was cut off is repeated.

From then on let only one of the two vaults refresh: on many platforms a refresh ends the tokens of the other one. So run no keeper and no calls on a backup.

A passphrase is read from SESAME_NEW_PASSPHRASE, or asked for on a terminal. A key file is beside the target; that of a PostgreSQL vault is in SESAME_HOME.

JSON: {\"to\",\"apps\",\"accounts\",\"updated\",\"left_alone\",\"renamed\":[[from,to]],\"left_out\":[..],\"notes\":[..]}")]
pub(crate) struct VaultCopyArgs {
    /// The target: sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "URL")]
    to: AppSecret,
    /// How the target is sealed [default: its own way if it is there, else file].
    #[arg(long, value_name = "KEY", value_enum)]
    key: Option<CopyKey>,
    /// Gives a number to names that other apps or accounts of the target have.
    #[arg(long)]
    rename: bool,
    /// Leaves out what does not open, and names it.
    #[arg(long)]
    skip_bad: bool,
}

/// Where the target's master key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CopyKey {
    /// A passphrase.
    Passphrase,
    /// A generated file of mode 0600 beside the target.
    File,
}

/// Copies the vault.
pub(crate) fn run(args: &VaultCopyArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let target = args.to.expose().parse::<Location>().map_err(|error| {
            error
                .context("--to")
                .with_hint("Write sqlite:/path/to/vault.db or postgres://USER@HOST/DATABASE.")
        })?;
        let target = target.at_home(&context.settings.home.value);
        // Before a passphrase is asked for.
        super::must_stand(context).await?;
        if let Location::Postgres(database) = &target
            && database.has_password()
        {
            note(
                "note",
                "other users of this machine can see the password in --to in the list of processes; ~/.pgpass hides it",
            );
        }
        let key = key_choice(args.key, &target).await?;
        let from = context.vault().await?;
        let to = Vault::open(context.vault_options(target, key)?).await.map_err(of_target)?;
        for notice in to.take_warnings() {
            note("target", &notice.to_string());
        }
        let mut options = CopyOptions::default();
        (options.rename, options.skip_bad) = (args.rename, args.skip_bad);
        let progress = Progress::new();
        let copied = from.copy_to(&to, options, &|done| progress.show(done, None)).await;
        progress.done();
        let shown = to.location().to_string();
        // So that a copy of its file holds all of it.
        to.close().await;
        let copied = copied?;
        for text in &copied.left_out {
            note("warning", &format!("left out: {text}"));
        }
        for (name, new) in &copied.renamed {
            note("renamed", &format!("{name} is called {new} there"));
        }
        for text in &copied.notes {
            note("note", text);
        }
        let mut record = serde_json::to_value(&copied).map_err(|error| Error::local(error.to_string()))?;
        record["to"] = shown.as_str().into();
        let mut printer = context.printer(Format::Table);
        let people = printer.for_people();
        printer.one(&record, |printer| {
            let (apps, accounts) = (count(copied.apps, "app"), count(copied.accounts, "account"));
            printer.line(format_args!("copied {apps} and {accounts} to {shown}"))?;
            if copied.updated > 0 {
                printer.line(format_args!("newer tokens for {}", count(copied.updated, "authorization")))?;
            }
            if copied.left_alone > 0 {
                printer.line(format_args!("there already: {}", count(copied.left_alone, "account")))?;
            }
            Ok(())
        })?;
        if people {
            say(
                "Let only one of the two vaults refresh from now on: a refresh may end the tokens of the other one.",
            );
        }
        Ok(())
    })
}

/// Chooses how the target is opened or made.
async fn key_choice(key: Option<CopyKey>, target: &Location) -> CliResult<KeyChoice> {
    let passphrase = variable("SESAME_NEW_PASSPHRASE")?;
    match (key, passphrase) {
        (Some(CopyKey::Passphrase) | None, Some(passphrase)) => Ok(KeyChoice::Passphrase(passphrase)),
        (Some(CopyKey::Passphrase), None) if person_is_there() => {
            let asked = runtime::aside(|| ask_new("Passphrase of the target")).await?;
            Ok(KeyChoice::Passphrase(asked))
        }
        (Some(CopyKey::Passphrase), None) => Err(Error::usage("no passphrase was given for the target")
            .with_hint("Set SESAME_NEW_PASSPHRASE: there is no terminal to ask on.")
            .into()),
        (Some(CopyKey::File), _) => Ok(KeyChoice::File),
        (None, None) if !SqlStore::exists(target).await? => Ok(KeyChoice::File),
        (None, None) => Ok(KeyChoice::Auto),
    }
}

fn of_target(error: Error) -> Error {
    let hint = error.hint().unwrap_or_default().replace("SESAME_PASSPHRASE", "SESAME_NEW_PASSPHRASE");
    error.context("the target of the copy").with_hint(hint)
}
