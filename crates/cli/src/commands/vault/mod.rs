//! `sesame vault check|rekey|export|import|audit`.

mod audit;
mod check;
mod export;
mod import;
mod rekey;

use sesame_core::Error;
use sesame_vault::Vault;

use crate::{context::Context, exit::CliResult};

/// The commands of `vault`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum VaultCommand {
    /// Reads everything once, and names what cannot be read.
    Check(check::VaultCheckArgs),
    /// Gives the vault a new master key, while other programs go on.
    Rekey(rekey::Args),
    /// Writes everything into one file under a passphrase.
    Export(export::Args),
    /// Takes over an export, or the account tables of another program.
    Import(Box<import::Args>),
    /// Shows who did what to whose tokens.
    Audit(audit::VaultAuditArgs),
}

/// Runs one of them.
pub(crate) fn run(command: VaultCommand, context: &Context) -> CliResult {
    match command {
        VaultCommand::Check(args) => check::run(&args, context),
        VaultCommand::Rekey(args) => rekey::run(&args, context),
        VaultCommand::Export(args) => export::run(&args, context),
        VaultCommand::Import(args) => import::run(&args, context),
        VaultCommand::Audit(args) => audit::run(&args, context),
    }
}

/// Opens a vault that is there: to look after one should make none.
pub(crate) async fn standing(context: &Context) -> CliResult<&Vault> {
    must_stand(context).await?;
    context.vault().await
}

/// Makes sure that there is a vault, without opening it.
pub(crate) async fn must_stand(context: &Context) -> CliResult {
    if context.vault_is_new().await? {
        let place = context.settings.location()?;
        return Err(Error::usage(format!("there is no vault yet at {place}"))
            .with_hint("It is made with the first app: sesame app add PLATFORM --key KEY --secret-stdin. SESAME_HOME and SESAME_VAULT say where it is.")
            .into());
    }
    Ok(())
}

/// Counts in words: `1 app`, `2 apps`.
pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
