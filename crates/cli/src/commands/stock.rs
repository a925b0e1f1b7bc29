//! `sesame stock` and `sesame price`.

use std::{collections::HashMap, path::Path};

use sesame_core::Error;
use sesame_shop::{Amount, JobKind, JobRow};

use super::bulk::{Bulk, BulkOptions, ShopRows, rows_of_shops};
use crate::{
    context::Context,
    exit::CliResult,
    runtime, sheet,
    shops::{ShopArgs, ShopFlags},
};

/// The commands of `stock`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum StockCommand {
    /// Sets the stock of SKUs.
    #[command(after_help = "\
Examples:
  sesame stock set lazada-shop SKU-962912-1=500
  sesame stock set lazada-shop 2512685901/SKU-962912-1=400
  sesame stock set lazada-shop stock.csv --dry-run
  sesame stock set lazada-shop stock.csv --yes --output csv > report.csv
  sesame stock set --platform lazada stock.csv --yes
  sesame stock set lazada-shop --undo

A file names its columns in the first line: sku and quantity, product where the platform finds no SKU by its \
code alone, shop where rows are for different shops. CSV, TSV, JSON Lines and .xlsx are read; - is standard input.

All rows are read and checked before anything is sent. A journal in SESAME_HOME/jobs is kept, so that a job \
that was cut off goes on with --resume and is set back with --undo. What somebody else has changed since is \
left alone.

Exit codes: 0 all is done, 4 the platform or a check refused some, 1 it is unknown of some.
JSON: [{\"shop\",\"line\",\"product\",\"sku\",\"before\",\"wanted\",\"outcome\",\"code\",\"message\",\"job\"}]; outcome \
is done, skipped, failed, unknown or pending.")]
    Set(ValueArgs),
    /// Adds to the stock of SKUs, or takes away.
    #[command(after_help = "\
Examples:
  sesame stock add lazada-shop SKU-962912-1=5
  sesame stock add lazada-shop SKU-962912-1=-5
  sesame stock add lazada-shop stock.csv --yes

Files, journal, exit codes and JSON are those of `sesame stock set`. Where a reply is lost, the stock is read: \
it is added again only if stock and reserved stock are as before. Otherwise the row is unknown, and the exit \
code is 1.")]
    Add(ValueArgs),
}

/// The commands of `price`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PriceCommand {
    /// Sets the price of SKUs.
    #[command(after_help = "\
Examples:
  sesame price set lazada-shop SKU-962912-1=59.90
  sesame price set lazada-shop prices.csv --dry-run
  sesame price set lazada-shop prices.csv --yes
  sesame price set lazada-shop --undo

A file has the columns sku and price, and product where the platform finds no SKU by its code alone. \
Journal, exit codes and JSON are those of `sesame stock set`.")]
    Set(ValueArgs),
}

/// Rows with a value each.
#[derive(Debug, clap::Args)]
pub(crate) struct ValueArgs {
    /// The account, or several with commas; left out with --tag, --platform and --all-shops. Then a file, or
    /// SKU=VALUE, or PRODUCT/SKU=VALUE.
    #[arg(value_name = "ACCOUNT> <FILE|SKU=VALUE")]
    words: Vec<String>,
    #[command(flatten)]
    shops: ShopFlags,
    #[command(flatten)]
    options: BulkOptions,
}

/// Runs `stock`.
pub(crate) fn run(command: &StockCommand, context: &Context) -> CliResult {
    match command {
        StockCommand::Set(args) => {
            runtime::block_on(context, set(args, context, JobKind::StockSet, "stock set"))
        }
        StockCommand::Add(args) => {
            runtime::block_on(context, set(args, context, JobKind::StockAdd, "stock add"))
        }
    }
}

/// Runs `price`.
pub(crate) fn run_price(command: &PriceCommand, context: &Context) -> CliResult {
    let PriceCommand::Set(args) = command;
    runtime::block_on(context, set(args, context, JobKind::PriceSet, "price set"))
}

async fn set(args: &ValueArgs, context: &Context, kind: JobKind, command: &'static str) -> CliResult {
    let column = if kind == JobKind::PriceSet { "price" } else { "quantity" };
    let (shops, words) = ShopArgs::and_words(&args.words, &args.shops)?;
    let catalog = context.catalog()?;
    let chosen =
        shops.choose(context).await?.that_have(|platform| catalog.action(platform, kind.name()).map(drop))?;
    let mut rows = HashMap::new();
    if !words.is_empty() || !args.options.is_of_a_job() {
        let words = words.to_vec();
        let all = runtime::aside(move || read(&words, kind, column)).await?;
        rows = rows_of_shops(&chosen, &all)?;
    }
    let bulk = Bulk { context, kind, command, options: &args.options };
    bulk.run(&chosen, &rows).await
}

/// Reads rows: the words, or those of a file.
fn read(words: &[String], kind: JobKind, column: &'static str) -> CliResult<ShopRows> {
    match words {
        [] => Err(Error::usage("there is nothing to do: no rows were given")
            .with_hint("Name a file, or write SKU=VALUE.")
            .into()),
        [file] if file == "-" || Path::new(file).exists() => from_file(Path::new(file), kind, column),
        words => Ok(words.iter().map(|word| Ok((None, from_word(word)?))).collect::<Result<_, Error>>()?),
    }
}

fn from_file(path: &Path, kind: JobKind, column: &'static str) -> CliResult<ShopRows> {
    let mut rows = Vec::new();
    sheet::read(path, &[column], &["shop", "product", "sku", "sku_id", "warehouse"], &mut |row| {
        let value = row.decimal(column)?.ok_or_else(|| row.wrong(column, "it is empty"))?;
        let value: Amount = value.parse().map_err(|error| row.wrong(column, error))?;
        let product = row.get("product")?;
        let sku = match product {
            // Only a code of the seller's says which SKU of the shop it is.
            None => Some(row.text("sku")?),
            // As `products skus` writes a product without SKUs.
            Some(_) => row.get("sku")?.or(row.get("sku_id")?.filter(|id| *id != "-1")),
        };
        let mut found = match sku {
            Some(sku) => JobRow::sku(sku, value),
            None => JobRow::product(product.unwrap_or_default()).value(value),
        };
        if let Some(product) = product {
            found = found.of(product);
        }
        // What the shop's state does not decide is told of all rows at once.
        found.check(kind).map_err(|error| row.wrong(column, error))?;
        rows.push((row.get("shop")?.map(str::to_owned), found.line(row.line().into())));
        Ok(())
    })?;
    Ok(rows)
}

/// Reads `SKU=VALUE`, `PRODUCT/SKU=VALUE` or `PRODUCT/=VALUE`: a product is a number.
fn from_word(word: &str) -> Result<JobRow, Error> {
    let wrong = || {
        Error::usage(format!("{word:?} is neither a file nor SKU=VALUE"))
            .with_hint("Several rows are SKU=VALUE each; one file stands alone.")
    };
    let (name, value) = word.rsplit_once('=').ok_or_else(wrong)?;
    let value: Amount = value.parse().map_err(|error: Error| error.context(name))?;
    let product = name
        .split_once('/')
        .filter(|(product, _)| !product.is_empty() && product.bytes().all(|byte| byte.is_ascii_digit()));
    match product {
        Some((product, "")) => Ok(JobRow::product(product).value(value)),
        Some((product, sku)) => Ok(JobRow::sku(sku, value).of(product)),
        None if name.is_empty() => Err(wrong()),
        None => Ok(JobRow::sku(name, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_rows() {
        let name = |word: &str| {
            let row = from_word(word).unwrap();
            (row.product.unwrap_or_default(), row.sku.unwrap_or_default(), row.value.unwrap().to_string())
        };
        let text =
            |product: &str, sku: &str, value: &str| (product.to_owned(), sku.to_owned(), value.to_owned());
        assert_eq!(name("PEN-RED=40"), text("", "PEN-RED", "40"));
        assert_eq!(name("160/PEN-RED=1.90"), text("160", "PEN-RED", "1.9"));
        assert_eq!(name("A/B=1"), text("", "A/B", "1"));
        assert_eq!(name("a=b=-3"), text("", "a=b", "-3"));
        assert_eq!(name("160/=7"), text("160", "", "7"));
        assert_eq!(name("袋 红=7"), text("", "袋 红", "7"));
        for bad in ["PEN", "PEN=", "=7", "PEN=x", "PEN=1,5"] {
            assert!(from_word(bad).is_err(), "{bad}");
        }
    }
}
