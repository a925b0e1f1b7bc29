//! `sesame products list`.

use std::cell::{Cell, RefCell};

use serde_json::{Map, Value as Json, json};
use sesame_catalog::{Facet, Paging, PagingStyle};
use sesame_client::{Page, Pages};
use sesame_core::{Error, path};
use sesame_vault::Account;

use crate::{
    context::Context,
    exit::{CliResult, note},
    facets::{self, FacetRows},
    list::List,
    output::Format,
    runtime,
    shops::ShopArgs,
};

/// The rows shown when nobody says how many.
const FEW: u64 = 20;

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

JSON: [{\"shop\",\"id\",\"title\",\"status\",\"category\",\"price\",\"currency\",\"modified\",\"raw\":{..}}], all but raw as \
text; raw is the row as the platform sent it. Rows are printed as pages come; when a page fails or the \
command is interrupted, standard error says that the list is incomplete. Of several shops the rows of each \
keep their order and begin with the column `shop`; a shop that fails is a line on standard error.")]
    List(ListArgs),
}

/// Options of lists.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    shops: ShopArgs,
    /// Fetches all rows.
    #[arg(long, conflicts_with = "page")]
    all: bool,
    /// Maximum number of rows of each shop; page size with --page [default: 20].
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u64).range(1..=10_000_000), conflicts_with = "all")]
    limit: Option<u64>,
    /// Only this page, counted from 1.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    page: Option<u64>,
    /// Only rows in this status, in the platform's own word (see `sesame apis show` of the list).
    #[arg(long)]
    status: Option<String>,
}

impl ListArgs {
    /// Asks for the first rows.
    pub(crate) fn first(limit: u64) -> Self {
        Self { shops: ShopArgs::default(), all: false, limit: Some(limit), page: None, status: None }
    }
}

/// Runs it.
pub(crate) fn run(command: ProductsCommand, context: &Context) -> CliResult {
    let ProductsCommand::List(args) = command;
    runtime::block_on(context, list(&args, context, "products"))
}

/// Prints the rows of a facet of the catalog as they come.
pub(crate) async fn list(args: &ListArgs, context: &Context, facet: &str) -> CliResult {
    let catalog = context.catalog()?;
    let shops = args.shops.choose(context).await?;
    let shops = shops.that_have(|platform| catalog.facet(platform, facet).map(drop))?;
    let printer = context.printer(Format::Table);
    let known = shops.accounts().iter().filter_map(|account| catalog.facet(&account.platform, facet).ok());
    let columns = facets::columns_of(known);
    let titles = facets::titles(&columns, printer.format());
    let list = RefCell::new(List::of_shops(printer, &shops, titles));
    let cut = Cell::new(None);
    let outcome = shops.each(context, async |account: &Account| -> CliResult {
        let shop = account.name.as_str();
        let mut listing = Listing::open(args, shop, context, facet).await?;
        let status = args.status.as_deref();
        let status = status.zip(listing.facet.columns.iter().find(|column| column.name == "status").cloned());
        let (mut total, mut count, mut others) = (None, 0, 0_u64);
        while let Some(page) = listing.next().await {
            let page = page?;
            shops.warn_all(shop, &page.warnings);
            total = page.total.or(total);
            count += page.items.len() as u64;
            if let Some((wanted, column)) = &status {
                let found = page.items.iter().map(|row| facets::cell(row, column));
                let is_other = |found: &String| !found.is_empty() && !found.eq_ignore_ascii_case(wanted);
                others += found.filter(is_other).count() as u64;
            }
            // The whole answer is not needed any more, and may be large.
            drop(page.reply);
            let mut view = FacetRows { facet: &listing.facet, columns: &columns, parent: None, shop: Some(shop) };
            list.borrow_mut().page_of(shop, &page.items, total, &mut view)?;
        }
        if others > 0 {
            let wanted = args.status.as_deref().unwrap_or_default();
            shops.note("warning", shop, &format!("{others} of {count} {facet} have another status than {wanted}: the platform may not heed the filter, or name it otherwise"));
        }
        if !args.all && total.map_or(count >= args.limit.unwrap_or(FEW), |total| total > count) {
            cut.set(Some((count, total)));
        }
        Ok(())
    });
    let outcome = outcome.await;
    let done = list.borrow_mut().close(outcome);
    match cut.get() {
        _ if done.is_err() && !shops.are_many() => {}
        Some(_) if shops.are_many() => {
            note("note", &format!("some shops have more {facet}; --all shows all"));
        }
        Some((count, Some(total))) => {
            note("note", &format!("{count} of {total} {facet} are shown; --all shows all"));
        }
        Some((count, None)) => note("note", &format!("the first {count} {facet} are shown; --all shows all")),
        None => {}
    }
    done
}

/// The pages of a list, as far as they are asked for.
pub(crate) struct Listing {
    /// How the rows are read.
    pub(crate) facet: Facet,
    pages: Pages,
    /// Rows that are still to come at most.
    left: u64,
    only_one: bool,
}

impl Listing {
    /// Prepares the first call.
    ///
    /// # Errors
    /// Usage, for a platform without this facet and for a filter that it does not have.
    pub(crate) async fn open(
        args: &ListArgs,
        account: &str,
        context: &Context,
        name: &str,
    ) -> CliResult<Self> {
        let client = context.client().await?;
        let platform = context.vault().await?.handle(account).await?.platform().name.clone();
        let facet = context.catalog()?.facet(&platform, name)?;
        if args.status.is_some() && !facet.inputs.contains_key("status") {
            return Err(Error::usage(format!("the list of {name} on {platform} has no filter by status"))
                .with_hint("Leave --status out, and filter the output.")
                .into());
        }
        let status = args.status.iter().map(|text| ("status", json!(text)));
        let mut call = facets::call(context, account, &facet, status)?;
        let limit = if args.all { u64::MAX } else { args.limit.unwrap_or(FEW) };
        if let Some(paging) = context.catalog()?.api(&platform, &facet.api)?.paging {
            set_page(&mut call.args, &paging, args.page, limit)?;
        }
        Ok(Self { facet, pages: client.pages(call), left: limit, only_one: args.page.is_some() })
    }

    /// Fetches the next page.
    pub(crate) async fn next(&mut self) -> Option<Result<Page, Error>> {
        if self.left == 0 {
            return None;
        }
        let mut page = self.pages.next().await?;
        if let Ok(page) = &mut page {
            page.items.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left = if self.only_one { 0 } else { self.left - page.items.len() as u64 };
        }
        Some(page)
    }
}

/// Asks for pages of a size that fits the limit, and for one of them by its number from 1.
fn set_page(
    arguments: &mut Map<String, Json>,
    paging: &Paging,
    page: Option<u64>,
    limit: u64,
) -> Result<(), Error> {
    let rows = paging.fixed_size.unwrap_or_else(|| limit.clamp(1, paging.max_size.unwrap_or(50)));
    if let (Some(size), None) = (&paging.size, paging.fixed_size) {
        path::set(arguments, size, json!(rows))?;
    }
    let Some(page) = page else { return Ok(()) };
    let index = match paging.style {
        PagingStyle::Page => paging.first.unwrap_or(1) + page - 1,
        PagingStyle::Offset => (page - 1).saturating_mul(rows),
        // A cursor has no numbers: the first page is all that can be named.
        PagingStyle::Cursor => return Ok(()),
    };
    path::set(arguments, &paging.index, json!(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_set_in_the_words_of_each_platform() {
        let catalog = sesame_catalog::Catalog::builtin();
        let asked = |platform: &str, page, limit| {
            let facet = catalog.facet(platform, "products").unwrap();
            let paging = catalog.api(platform, &facet.api).unwrap().paging.unwrap();
            let mut arguments = facet.arguments.clone();
            set_page(&mut arguments, &paging, Some(page), limit).unwrap();
            Json::Object(arguments)
        };
        let alibaba = asked("alibaba", 3, 100);
        assert_eq!(
            (&alibaba["current_page"], &alibaba["page_size"]),
            (&json!(3), &json!(30)),
            "cut to the documented 30"
        );
        let aliexpress = asked("aliexpress", 2, 50);
        assert_eq!(aliexpress["aeop_a_e_product_list_query"]["current_page"], 2);
        assert_eq!(aliexpress["aeop_a_e_product_list_query"]["product_status_type"], "onSelling");
        let lazada = asked("lazada", 3, 20);
        assert_eq!((&lazada["offset"], &lazada["limit"]), (&json!(40), &json!(20)));
    }
}
