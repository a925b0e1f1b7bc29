//! `sesame refresh ACCOUNT..`.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use serde_json::json;
use sesame_core::Result;
use sesame_vault::{Account, AccountId, Id, Vault};

use crate::{
    commands::vault::standing, context::Context, exit::CliResult, humanize, output::Format, runtime,
    shops::ShopArgs, table::Rows,
};

/// Options of `refresh`.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("all_shops", |argument| argument.visible_alias("all")),
    after_help = "\
Examples:
  sesame refresh myshop
  sesame refresh --all-shops --output json

Of several shops one that fails does not keep the others. Accounts that share their tokens are refreshed \
together, once.
JSON: [{\"account\",\"refreshed\",\"access_expires_at\",\"refresh_expires_at\",\"error\"}]"
)]
pub(crate) struct RefreshArgs {
    #[command(flatten)]
    shops: ShopArgs,
}

/// Refreshes an account, unless it shares its tokens with one that was refreshed before: by its id, so that
/// it is found under the name that it has now.
async fn refresh(vault: &Vault, id: AccountId, refreshed: &RefCell<HashSet<Id>>) -> Result<Account> {
    let handle = vault.handle_by_id(id).await?;
    let (name, id) = (handle.name(), handle.authorization_id());
    if refreshed.borrow().contains(&id) {
        return vault.account(name).await;
    }
    // Of two that share their tokens, the second joins the refresh of the first.
    let account = vault.refresh(name).await?;
    refreshed.borrow_mut().insert(id);
    Ok(account)
}

/// Refreshes and prints the new ends.
pub(crate) fn run(args: &RefreshArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let vault = standing(context).await?;
        let shops = args.shops.choose(context).await?;
        let refreshed = RefCell::new(HashSet::new());
        let ended = RefCell::new(HashMap::new());
        let outcome = shops.each(context, async |account: &Account| {
            let result = refresh(vault, account.id, &refreshed).await;
            let (kept, result) = match result {
                Ok(account) => (Ok(account), Ok(())),
                Err(error) => (Err(error.full_message().to_owned()), Err(error.into())),
            };
            ended.borrow_mut().insert(account.id, kept);
            result
        });
        let outcome = outcome.await;
        if outcome.is_err() && !shops.are_many() {
            return outcome;
        }
        let mut printer = context.printer(Format::Table);
        let mut rows = Rows::new(&["account", "access token", "refresh token"]);
        let mut records = Vec::new();
        let now = context.clock.now();
        let left = |until: Option<jiff::Timestamp>| {
            until.map_or_else(|| "no end known".to_owned(), |until| humanize::left(until, now))
        };
        for asked in shops.accounts() {
            let (account, error) = match ended.borrow_mut().remove(&asked.id) {
                Some(Ok(account)) => (Some(account), None),
                Some(Err(error)) => (None, Some(error)),
                None => continue,
            };
            if let Some(account) = &account {
                let ends = [left(account.access_expires_at), left(account.refresh_expires_at)];
                rows.push([account.name.clone()].into_iter().chain(ends));
            }
            let text = |end: Option<jiff::Timestamp>| end.map(|end| end.to_string());
            records.push(json!({
                "account": account.as_ref().map_or(&asked.name, |account| &account.name),
                "refreshed": account.is_some(),
                "access_expires_at": account.as_ref().and_then(|account| text(account.access_expires_at)),
                "refresh_expires_at": account.as_ref().and_then(|account| text(account.refresh_expires_at)),
                "error": error,
            }));
        }
        if !rows.is_empty() || !printer.for_people() {
            printer.list(&records, &rows)?;
        }
        outcome
    })
}
