//! `sesame products online`, `offline`, `delete`.

use std::collections::HashMap;

use sesame_core::Error;
use sesame_shop::{JobKind, JobRow};

use crate::{
    commands::bulk::{Bulk, BulkOptions},
    context::Context,
    exit::CliResult,
    shops::{ShopArgs, ShopFlags},
};

/// Products of a shop.
#[derive(Debug, clap::Args)]
pub(crate) struct StateArgs {
    /// The account.
    account: String,
    /// Ids of products, as `sesame products list` shows them.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    options: BulkOptions,
}

/// Changes the state of products.
pub(crate) async fn change(
    args: &StateArgs,
    context: &Context,
    kind: JobKind,
    command: &'static str,
) -> CliResult {
    if args.ids.is_empty() && !args.options.is_of_a_job() {
        return Err(Error::usage("there is nothing to do: no product was named")
            .with_hint("`sesame products list` shows the ids.")
            .into());
    }
    let shops = ShopArgs { account: vec![args.account.clone()], flags: ShopFlags::default() };
    let chosen = shops.choose(context).await?;
    let rows: Vec<JobRow> = args.ids.iter().map(JobRow::product).collect();
    let rows = HashMap::from([(chosen.accounts()[0].name.clone(), rows)]);
    Bulk { context, kind, command, options: &args.options }.run(&chosen, &rows).await
}
