//! `sesame products list`.

use serde_json::{Map, Value as Json, json};
use sesame_catalog::{Api, PagingStyle};
use sesame_core::Error;

use crate::{
    commands::call::{Progress, warn_all},
    context::Context,
    exit::{CliResult, note},
    listings::{self, Listing, PRODUCTS, cells},
    output::{Format, Rows},
    runtime,
};

/// The rows shown when nobody says how many.
const FEW: u64 = 20;

/// The commands of `products`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the products of a shop, on any platform, in the same columns.
    #[command(after_help = "\
Examples:
  sesame products list myshop
  sesame products list myshop --all --output csv > products.csv
  sesame products list myshop --limit 100 --status auditing
  sesame products list myshop --page 3 --limit 30 --output json

JSON: [{\"id\",\"title\",\"status\",\"category\",\"price\",\"currency\",\"modified\",\"raw\":{..}}], all but raw as
text; raw is the row as the platform sent it.")]
    List(ListArgs),
}

/// Options of lists.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The account.
    account: String,
    /// Fetches all rows.
    #[arg(long, conflicts_with = "page")]
    all: bool,
    /// The most rows; with --page the size of the page [default: 20].
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
    /// Asks for the first rows of an account.
    pub(crate) fn first(account: &str, limit: u64) -> Self {
        Self { account: account.to_owned(), all: false, limit: Some(limit), page: None, status: None }
    }
}

/// Runs it.
pub(crate) fn run(command: Command, context: &Context) -> CliResult {
    let Command::List(args) = command;
    runtime::block_on(context, async { list(&args, context, PRODUCTS, "products").await })
}

/// Rows of a list, as far as they were asked for.
pub(crate) struct Listed {
    /// How the rows are read.
    pub(crate) listing: &'static Listing,
    /// The rows, as the platform sent them.
    pub(crate) items: Vec<Json>,
    /// The number of all rows, if the platform tells.
    pub(crate) total: Option<u64>,
    /// Why it ended early, when some rows came before.
    failed: Option<Error>,
}

/// Prints one of the lists of [`listings`].
pub(crate) async fn list(
    args: &ListArgs,
    context: &Context,
    listings: &'static [Listing],
    what: &str,
) -> CliResult {
    let Listed { listing, items, total, failed } = fetch(args, context, listings, what).await?;
    print(context, listing, &items)?;
    let count = items.len() as u64;
    match total {
        _ if failed.is_some() || args.all => {}
        Some(total) if total > count => {
            note("note", &format!("{count} of {total} {what} are shown; --all shows all"));
        }
        None if count >= args.limit.unwrap_or(FEW) => {
            note("note", &format!("the first {count} {what} are shown; --all shows all"));
        }
        _ => {}
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Fetches the rows of a list.
pub(crate) async fn fetch(
    args: &ListArgs,
    context: &Context,
    listings: &'static [Listing],
    what: &str,
) -> CliResult<Listed> {
    let client = context.client().await?;
    let handle = context.vault().await?.handle(&args.account).await?;
    let platform = handle.platform().name.clone();
    let listing = listings::of(listings, |entry| entry.platform, &platform, what)?;
    let api = context.catalog()?.api(&platform, listing.api)?;

    let mut arguments = listings::arguments(listing.arguments);
    if let Some(status) = &args.status {
        let Some(name) = listing.status else {
            return Err(Error::usage(format!("the list of {what} on {platform} has no filter by status"))
                .with_hint("Leave --status out, and filter the output.")
                .into());
        };
        listings::set(&mut arguments, name, json!(status));
    }
    let limit = if args.all { u64::MAX } else { args.limit.unwrap_or(FEW) };
    set_size(&mut arguments, &api, limit);
    if let Some(page) = args.page {
        set_page(&mut arguments, &api, page, limit);
    }
    let mut call = context.call(&args.account, listing.api);
    call.args = arguments;

    let progress = Progress::new();
    let mut pages = client.pages(call);
    let mut listed = Listed { listing, items: Vec::new(), total: None, failed: None };
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            // What came before is shown; the error follows.
            Err(error) if !listed.items.is_empty() => {
                listed.failed = Some(error);
                break;
            }
            Err(error) => return Err(error.into()),
        };
        warn_all(&page.warnings);
        listed.total = page.total.or(listed.total);
        for item in &page.items {
            let item = serde_json::from_str(item.get())
                .map_err(|error| Error::local(format!("a row of the reply cannot be read: {error}")))?;
            listed.items.push(item);
        }
        progress.show(listed.items.len() as u64, listed.total);
        if args.page.is_some() || listed.items.len() as u64 >= limit {
            break;
        }
    }
    progress.done();
    listed.items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(listed)
}

fn set_size(arguments: &mut Map<String, Json>, api: &Api, limit: u64) {
    let Some(paging) = &api.paging else { return };
    if let (Some(size), None) = (&paging.size, paging.fixed_size) {
        let most = paging.max_size.unwrap_or(50);
        listings::set(arguments, size, json!(limit.clamp(1, most)));
    }
}

fn set_page(arguments: &mut Map<String, Json>, api: &Api, page: u64, limit: u64) {
    let Some(paging) = &api.paging else { return };
    let rows = paging.fixed_size.unwrap_or_else(|| limit.clamp(1, paging.max_size.unwrap_or(50)));
    let index = match paging.style {
        PagingStyle::Page => paging.first.unwrap_or(1) + page - 1,
        PagingStyle::Offset => (page - 1).saturating_mul(rows),
        // A cursor has no numbers: the first page is all that can be named.
        PagingStyle::Cursor => return,
    };
    listings::set(arguments, &paging.index, json!(index));
}

fn print(context: &Context, listing: &Listing, items: &[Json]) -> CliResult {
    let names: Vec<&str> = listing.columns.iter().map(|(name, _)| *name).collect();
    let headers: Vec<String> = names
        .iter()
        .map(|name| if *name == "price" { format!("{name}>") } else { (*name).to_owned() })
        .collect();
    let mut rows = Rows::new(&headers);
    let mut records = Vec::with_capacity(items.len());
    for item in items {
        let row = cells(item, listing.columns);
        let mut record: Map<String, Json> =
            row.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        record.insert("raw".to_owned(), item.clone());
        records.push(Json::Object(record));
        rows.push(row.into_iter().map(|(_, text)| text));
    }
    context.printer(Format::Table).list(&records, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_set_in_the_words_of_each_platform() {
        let catalog = sesame_catalog::Catalog::builtin();
        let asked = |platform: &str, page, limit| {
            let listing = listings::of(PRODUCTS, |entry| entry.platform, platform, "products").unwrap();
            let api = catalog.api(platform, listing.api).unwrap();
            let mut arguments = listings::arguments(listing.arguments);
            set_size(&mut arguments, &api, limit);
            set_page(&mut arguments, &api, page, limit);
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

    #[test]
    fn platforms_without_a_list_are_named() {
        let error = listings::of(PRODUCTS, |entry| entry.platform, "miravia", "products").unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("lazada")));
    }
}
