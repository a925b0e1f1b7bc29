//! `sesame products skus`: SKUs in the columns that `stock` and `price` take.

use std::{borrow::Cow, cell::RefCell};

use serde_json::value::{RawValue, to_raw_value};
use sesame_core::{Error, path};
use sesame_shop::Sku;
use sesame_vault::Account;

use crate::{
    context::Context,
    exit::{CliResult, note},
    list::{List, RowView},
    output::Format,
    shops::ShopArgs,
};

/// The rows of each shop that are shown when nobody says how many.
const FEW: u64 = 20;

/// Options of `products skus`.
#[derive(Debug, clap::Args)]
pub(crate) struct SkusArgs {
    #[command(flatten)]
    shops: ShopArgs,
    /// Fetches all rows.
    #[arg(long)]
    all: bool,
    /// Maximum number of rows of each shop [default: 20].
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u64).range(1..=10_000_000), conflicts_with = "all")]
    limit: Option<u64>,
    /// Only SKUs of products in this status, in the platform's own word.
    #[arg(long)]
    status: Option<String>,
}

/// What people see, and what files have.
const TABLE: [&str; 7] = ["product", "sku", "title", "quantity>", "reserved>", "price>", "status"];
const FILE: [&str; 10] =
    ["product", "sku", "sku_id", "title", "quantity", "reserved", "price", "currency", "status", "warehouse"];

struct SkuView(&'static [&'static str]);

impl RowView for SkuView {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        let text = |name: &str| path::text(row, name).map(Cow::into_owned).unwrap_or_default();
        let cell = |name: &&str| match (name.trim_end_matches('>'), text("sku")) {
            // Without a code of the seller's, the platform's id names it.
            ("sku", code) if code.is_empty() => {
                Some(text("sku_id")).filter(|id| id != "-1").unwrap_or_default()
            }
            (name, _) => text(name),
        };
        self.0.iter().map(cell).collect()
    }

    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str> {
        row.get().into()
    }
}

/// Prints the SKUs as their products come.
pub(crate) async fn skus(args: &SkusArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    let shops = args.shops.choose(context).await?;
    let shops = shops.that_have(|platform| catalog.facet(platform, "skus").map(drop))?;
    let printer = context.printer(Format::Table);
    let columns: &'static [&'static str] = match printer.format() {
        Format::Table => &TABLE,
        _ => &FILE,
    };
    let titles = columns.iter().map(|name| (*name).to_owned()).collect();
    let list = RefCell::new(List::of_shops(printer, &shops, titles));
    let limit = args.limit.unwrap_or(FEW);
    let outcome = shops.each(context, async |account: &Account| -> CliResult {
        let name = account.name.as_str();
        let mut request = context.shop(name).await?.skus();
        if !args.all {
            request = request.limit(limit);
        }
        if let Some(status) = &args.status {
            request = request.status(status);
        }
        let mut pages = request.pages().await?;
        let mut count = 0;
        while let Some(page) = pages.next().await {
            let page = page?;
            shops.warn_all(name, &page.warnings);
            count += page.rows.len() as u64;
            let raw = |sku: &Sku| to_raw_value(sku).map_err(|error| Error::local(error.to_string()));
            let rows = page.rows.iter().map(raw).collect::<Result<Vec<_>, Error>>()?;
            list.borrow_mut().page_of(name, &rows, None, &mut SkuView(columns))?;
        }
        if !args.all && count >= limit {
            let shop = if shops.are_many() { format!("{name}: ") } else { String::new() };
            note("note", &format!("{shop}the first {count} SKUs are shown; --all shows all"));
        }
        Ok(())
    });
    let outcome = outcome.await;
    list.into_inner().close(outcome)
}
