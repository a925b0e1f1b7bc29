//! `sesame products`: lists and single products.

mod get;
mod list;
mod skus;
mod states;

use sesame_shop::JobKind;

use crate::{context::Context, exit::CliResult, runtime};
pub(crate) use list::{ListArgs, list};

/// The commands of `products`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProductsCommand {
    /// Lists the products of a shop, on any platform, in the same columns.
    #[command(after_help = "\
Examples:
  sesame products list myshop
  sesame products list myshop --all --output csv > products.csv
  sesame products list alibaba-shop --limit 100 --status auditing
  sesame products list myshop --page 3 --limit 30 --output json
  sesame products list --tag eu --all --output ndjson
  sesame products list myshop --all --since 2d --output json
  sesame products list myshop --all -o ndjson --bookmark list.bm >> p.ndjson

JSON: [{\"shop\",\"id\",\"title\",\"status\",\"category\",\"price\",\"currency\",\"modified\",\"raw\":{..}}], all but raw as \
text; raw is the row as the platform sent it. Rows are printed as pages come; when a page fails or the \
command is interrupted, standard error says that the list is incomplete. Of several shops the rows of each \
keep their order and begin with the column `shop`; a shop that fails is a line on standard error.

--all reads the whole list, beyond the windows of the platform: every product that exists all the while comes once, \
also if products change meanwhile. With --bookmark the same command goes on where it was cut off.")]
    List(ListArgs),
    /// Lists the SKUs of a shop, with stock and price.
    #[command(after_help = "\
Examples:
  sesame products skus lazada-shop
  sesame products skus lazada-shop --all -o csv > skus.csv
  sesame products skus --platform lazada --all -o csv > skus.csv
  sesame products skus aliexpress-shop --limit 5 --output json

A CSV or xlsx file of it, with other numbers in the columns quantity or price, is what `sesame stock set` and \
`sesame price set` take. A product without SKUs is one row; on platforms with several warehouses each has one.
JSON: [{\"shop\",\"title\",\"product\",\"sku\",\"sku_id\",\"quantity\",\"reserved\",\"price\",\"currency\",\"status\",\
\"warehouse\"}], all as text; what the platform does not say is left out.")]
    Skus(skus::SkusArgs),
    /// Shows a product.
    #[command(after_help = "\
Examples:
  sesame products get myshop 1600107214049
  sesame products get myshop 1600107214049 --output json
  sesame products get aliexpress-shop 1005006000000001 --buyer --country DE

--buyer shows it as a buyer sees it: what dropshippers read on AliExpress.
JSON: {\"id\",\"shop\",\"title\",\"status\",\"category\",\"price\",\"currency\",\"modified\",\"raw\":{..}}; raw is the product as \
the platform sent it.")]
    Get(get::ProductGetArgs),
    /// Shows many products, whose ids are in a file.
    #[command(after_help = "\
Examples:
  sesame products batch-get myshop --ids ids.txt --output ndjson
  sesame products list myshop -n 3 -o csv | \\
      sesame products batch-get myshop --ids - -o csv

The file has an id a line, or is CSV with a column `id`. Products that the platform refuses are lines on \
standard error, and the exit code is 4. JSON as with products get, one a row.")]
    BatchGet(get::BatchGetArgs),
    /// Puts products on sale.
    #[command(after_help = "\
Examples:
  sesame products online lazada-shop 2512685901
  sesame products online lazada-shop 2512685901 --dry-run

A file, too, says the products: `products list -o csv` writes one. Its first line names the columns: product, \
and shop where they are of different shops. CSV, TSV, JSON Lines and .xlsx are read; - is standard input.
Journal, --resume, --undo, exit codes and JSON are those of `sesame stock set`.")]
    Online(states::StateArgs),
    /// Takes products off sale.
    #[command(after_help = "\
Examples:
  sesame products offline lazada-shop 2512685901
  sesame products list --platform lazada -n 1 -o csv | \\
      sesame products offline --platform lazada - --yes
  sesame products offline lazada-shop --undo

Files are those of `sesame products online`; journal, --resume, --undo, exit codes and JSON those of \
`sesame stock set`.")]
    Offline(states::StateArgs),
    /// Deletes products for good.
    #[command(after_help = "\
Examples:
  sesame products delete lazada-shop 2512685901 --dry-run

It cannot be undone. Files are those of `sesame products online`. Journal, --resume, exit codes and JSON are those of `sesame stock set`.")]
    Delete(states::StateArgs),
}

/// Runs one of them.
pub(crate) fn run(command: ProductsCommand, context: &Context) -> CliResult {
    match command {
        ProductsCommand::List(args) => runtime::block_on(context, list(&args, context, "products")),
        ProductsCommand::Skus(args) => runtime::block_on(context, skus::skus(&args, context)),
        ProductsCommand::Get(args) => runtime::block_on(context, get::get(&args, context)),
        ProductsCommand::BatchGet(args) => {
            // Before the runtime starts: a read of standard input blocks.
            let ids = args.read()?;
            runtime::block_on(context, get::batch_get(&args, ids, context))
        }
        ProductsCommand::Online(args) => {
            let kind = JobKind::ProductOnline;
            runtime::block_on(context, states::change(&args, context, kind, "products online"))
        }
        ProductsCommand::Offline(args) => {
            let kind = JobKind::ProductOffline;
            runtime::block_on(context, states::change(&args, context, kind, "products offline"))
        }
        ProductsCommand::Delete(args) => {
            let kind = JobKind::ProductDelete;
            runtime::block_on(context, states::change(&args, context, kind, "products delete"))
        }
    }
}
