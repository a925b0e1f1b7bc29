//! `sesame refresh ACCOUNT | --all`.

use std::collections::HashSet;

use serde_json::json;
use sesame_core::Result;
use sesame_vault::{Account, AccountId, Id, Vault};

use crate::{
    commands::vault::standing,
    context::Context,
    exit::{CliError, CliResult, report},
    humanize,
    output::Format,
    runtime,
    table::Rows,
};

/// Options of `refresh`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "sesame refresh [OPTIONS] <ACCOUNT|--all>",
    after_help = "\
Examples:
  sesame refresh myshop
  sesame refresh --all --output json

With --all one shop that fails does not keep the others; the exit code is that of the first failure. \
Accounts that share their tokens are refreshed together, once.
JSON: [{\"account\",\"refreshed\",\"access_expires_at\",\"refresh_expires_at\",\"error\"}]"
)]
pub(crate) struct RefreshArgs {
    /// The account.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    account: Option<String>,
    /// Refreshes every account.
    #[arg(long)]
    all: bool,
}

/// Refreshes an account, unless it shares its tokens with one that was refreshed before. With an id it is
/// found under the name that it has now.
async fn refresh(
    vault: &Vault,
    name: &str,
    id: Option<AccountId>,
    refreshed: &mut HashSet<Id>,
) -> Result<Account> {
    let handle = match id {
        Some(id) => vault.handle_by_id(id).await?,
        None => vault.handle(name).await?,
    };
    let (name, id) = (handle.name(), handle.authorization_id());
    if refreshed.contains(&id) {
        return vault.account(name).await;
    }
    let account = vault.refresh(name).await?;
    refreshed.insert(id);
    Ok(account)
}

/// Refreshes and prints the new ends.
pub(crate) fn run(args: RefreshArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let vault = standing(context).await?;
        let names = if let Some(name) = args.account {
            vec![(name, None)]
        } else {
            let accounts = vault.accounts().await?.into_iter();
            accounts.map(|account| (account.name, Some(account.id))).collect()
        };
        let mut printer = context.printer(Format::Table);
        let mut rows = Rows::new(&["account", "access token", "refresh token"]);
        let mut records = Vec::new();
        let mut failed = None;
        let mut refreshed = HashSet::new();
        for (name, id) in names {
            match refresh(vault, &name, id, &mut refreshed).await {
                Ok(account) => {
                    let now = context.clock.now();
                    let left = |until: Option<jiff::Timestamp>| {
                        until.map_or_else(|| "no end known".to_owned(), |until| humanize::left(until, now))
                    };
                    rows.push([
                        account.name.clone(),
                        left(account.access_expires_at),
                        left(account.refresh_expires_at),
                    ]);
                    records.push(json!({
                        "account": account.name,
                        "refreshed": true,
                        "access_expires_at": account.access_expires_at.map(|at| at.to_string()),
                        "refresh_expires_at": account.refresh_expires_at.map(|at| at.to_string()),
                        "error": null,
                    }));
                }
                Err(error) if args.all => {
                    failed.get_or_insert(crate::exit::exit_code(error.kind()));
                    records.push(json!({
                        "account": name,
                        "refreshed": false,
                        "access_expires_at": null,
                        "refresh_expires_at": null,
                        "error": error.full_message(),
                    }));
                    report(&error.context(&name), !printer.for_people(), None, false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !rows.is_empty() || !printer.for_people() {
            printer.list(&records, &rows)?;
        }
        failed.map_or(Ok(()), |code| Err(CliError::Status(code)))
    })
}
