//! `sesame products online`, `offline`, `delete`.

use std::{collections::HashMap, path::Path};

use sesame_core::Error;
use sesame_shop::{JobKind, JobRow};

use crate::{
    commands::bulk::{Bulk, BulkOptions, ShopRows, rows_of_shops},
    context::Context,
    exit::CliResult,
    runtime, sheet,
    shops::{ShopArgs, ShopFlags},
};

/// Products of shops.
#[derive(Debug, clap::Args)]
pub(crate) struct StateArgs {
    /// The account, or several with commas; left out with --tag, --platform and --all-shops. Then ids of
    /// products, as `sesame products list` shows them, or a file.
    #[arg(value_name = "ACCOUNT> <FILE|ID")]
    words: Vec<String>,
    #[command(flatten)]
    shops: ShopFlags,
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
    let (shops, words) = ShopArgs::and_words(&args.words, &args.shops)?;
    let catalog = context.catalog()?;
    let chosen =
        shops.choose(context).await?.that_have(|platform| catalog.action(platform, kind.name()).map(drop))?;
    let mut rows = HashMap::new();
    if !words.is_empty() || !args.options.is_of_a_job() {
        let words = words.to_vec();
        let all = runtime::aside(move || read(&words)).await?;
        // An id is of one shop.
        if chosen.accounts().len() > 1
            && let Some((_, row)) = all.iter().find(|(shop, _)| shop.is_none())
        {
            let product = row.product.as_deref().unwrap_or_default();
            return Err(Error::usage(format!("several shops were named, and product {product} is of one"))
                .with_hint("Name one shop, or a file with the columns shop and product. Nothing was sent.")
                .into());
        }
        rows = rows_of_shops(&chosen, &all)?;
    }
    Bulk { context, kind, command, options: &args.options }.run(&chosen, &rows).await
}

/// Reads products: the words, or those of a file.
fn read(words: &[String]) -> CliResult<ShopRows> {
    match words {
        [] => Err(Error::usage("there is nothing to do: no product was named")
            .with_hint("Name ids, or a file with a column product. `sesame products list` shows the ids.")
            .into()),
        [file] if file == "-" || Path::new(file).exists() => {
            let mut rows = Vec::new();
            sheet::read(Path::new(file), &["product"], &["shop"], &mut |row| {
                let found = JobRow::product(row.text("product")?).line(row.line().into());
                rows.push((row.get("shop")?.map(str::to_owned), found));
                Ok(())
            })?;
            Ok(rows)
        }
        ids => Ok(ids.iter().map(|id| (None, JobRow::product(id))).collect()),
    }
}
