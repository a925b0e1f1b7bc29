//! `sesame logout ACCOUNT`: a shop leaves the vault.

use serde_json::json;
use sesame_core::{Error, scalar::printable};
use sesame_vault::{Account, Vault};

use crate::{
    context::Context,
    exit::{CliError, CliResult, person_is_there, say},
    output::Format,
    prompt, runtime,
};

/// Options of `logout`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame logout myshop
  sesame logout myshop --yes

Removes the account from the vault, and its tokens unless another account uses the same authorization, as \
the countries of a cross-border shop do. The platform is not informed: it has no call for that. The app stays \
authorized until the tokens expire, or until the seller revokes it in the platform's seller center. Asks on a terminal and needs --yes elsewhere. \
`sesame login APP --as ACCOUNT` brings the shop back.
JSON: {\"account\",\"platform\",\"app\",\"removed\",\"tokens_removed\",\"accounts_left\":[NAME]}")]
pub(crate) struct LogoutArgs {
    /// The account, as `sesame accounts` names it.
    account: String,
    /// Does not ask.
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Asks, removes and says what is left.
pub(crate) fn run(args: &LogoutArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let vault = context.vault().await?;
        let account = match vault.account(&args.account).await {
            Ok(account) => account,
            Err(error) => return remove_unreadable(args, context, vault, error).await,
        };
        let others = vault.accounts_sharing(&account.name).await?;
        if !args.yes {
            confirm(&account, &others).await?;
        }
        vault.remove_account(&account.name).await?;
        let record = json!({
            "account": account.name,
            "platform": account.platform,
            "app": account.app,
            "removed": true,
            "tokens_removed": others.is_empty(),
            "accounts_left": others,
        });
        context.printer(Format::Table).one(&record, |printer| {
            let name = &account.name;
            printer.line(if others.is_empty() {
                format!("removed account {name} and its tokens")
            } else {
                let use_them = if others.len() == 1 { "uses" } else { "use" };
                format!(
                    "removed account {name}; its tokens stay, since {} {use_them} them, too",
                    others.join(", ")
                )
            })
        })?;
        say(&format!(
            "{} was not informed. To take the approval back, the seller removes the app from the authorized apps of its seller center.",
            context.catalog()?.platform(&account.platform).map_or("the platform", |platform| &platform.title)
        ));
        Ok(())
    })
}

/// Removes an account whose row is damaged, by the id that `sesame vault check` gives it.
async fn remove_unreadable(args: &LogoutArgs, context: &Context, vault: &Vault, error: Error) -> CliResult {
    let id = &args.account;
    let is_damaged =
        |unreadable: &[sesame_vault::Id]| unreadable.iter().any(|known| known.to_string() == *id);
    if id.parse::<sesame_vault::Id>().is_err()
        || !is_damaged(&vault.accounts_where(|_| false).await?.unreadable)
    {
        return Err(error.into());
    }
    if !args.yes {
        may_ask(id)?;
        say(&format!("This removes the damaged account of the id {id}, with its tokens, from the vault."));
        if !prompt::yes("Remove it?").await? {
            say("Nothing was removed.");
            return Err(CliError::Status(1));
        }
    }
    vault.remove_account(id).await?;
    let record = json!({ "account": id, "platform": null, "app": null, "removed": true, "tokens_removed": true, "accounts_left": [] });
    let said = format!("removed the damaged account of the id {id}");
    context.printer(Format::Table).one(&record, |printer| printer.line(said))
}

/// Refuses where nobody could answer.
fn may_ask(account: &str) -> CliResult {
    if person_is_there() {
        return Ok(());
    }
    Err(Error::usage(format!("account {account:?} would be removed, and there is no terminal to ask on"))
        .with_hint("Add --yes to remove it.")
        .into())
}

async fn confirm(account: &Account, others: &[String]) -> CliResult {
    may_ask(&account.name)?;
    let tokens = if others.is_empty() { "and its tokens " } else { "" };
    let whose = account.login.as_deref().map_or_else(String::new, |login| format!(" ({login})"));
    say(&printable(&format!(
        "This removes account {}{whose} {tokens}from the vault. A seller has to approve the app to bring it back.",
        account.name
    )));
    if prompt::yes("Remove it?").await? {
        return Ok(());
    }
    say("Nothing was removed.");
    Err(CliError::Status(1))
}
