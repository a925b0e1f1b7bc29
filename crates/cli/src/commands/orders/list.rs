//! `sesame orders list|lines`.

use std::{cell::RefCell, path::PathBuf};

use jiff::SignedDuration;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sesame_core::Error;
use sesame_shop::{Fields, Order, OrderLine, OrdersRequest, Stage};
use sesame_vault::Account;

use crate::{
    context::Context,
    exit::{CliResult, note},
    list::List,
    output::Format,
    record::RecordRows,
    resume::Resume,
    shops::ShopArgs,
    span::SpanArgs,
};

type OrderColumns = [&'static str];

/// The largest limit.
const MOST: u64 = 10_000_000;
/// How far back orders are listed when nobody says.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);

const IN_TABLE: [&str; 6] = ["id", "stage", "created", "total>", "currency", "lines>"];
const IN_CSV: [&str; 12] = [
    "id", "status", "stage", "created", "updated", "paid", "ship_by", "total", "currency", "buyer", "lines",
    "packages",
];
const LINES_IN_TABLE: [&str; 6] = ["order", "id", "sku", "title", "quantity>", "stage"];
const LINES: [&str; 12] = [
    "order",
    "id",
    "sku",
    "product",
    "title",
    "quantity>",
    "price>",
    "status",
    "stage",
    "package",
    "carrier",
    "tracking",
];

/// Which orders.
#[derive(Debug, clap::Args)]
pub(crate) struct OrderFilters {
    #[command(flatten)]
    shops: ShopArgs,
    /// All orders that the platform shows, not those of the last 7 days alone.
    #[arg(long)]
    all: bool,
    /// Maximum number of rows of each shop, in the platform's order: of those that all filters let through.
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u64).range(1..=MOST), conflicts_with = "all")]
    limit: Option<u64>,
    #[command(flatten)]
    span: SpanArgs,
    /// Only orders in this state, in the platform's own word.
    #[arg(long)]
    status: Option<String>,
    /// Only orders in this stage; given more than once, in one of them.
    #[arg(long)]
    stage: Vec<Stage>,
    /// Shows names, addresses and phones.
    #[arg(long)]
    personal: bool,
    /// What this account bought, where it buys and sells.
    #[arg(long)]
    buyer: bool,
}

/// Options of `orders list`.
#[derive(Debug, clap::Args)]
pub(crate) struct OrderListArgs {
    #[command(flatten)]
    filters: OrderFilters,
    /// Reads no lines where they take calls of their own.
    #[arg(long)]
    no_lines: bool,
    /// Notes in this file how far the list was read; the same command goes on from there.
    #[arg(long, value_name = "FILE", conflicts_with = "limit")]
    bookmark: Option<PathBuf>,
}

/// Options of `orders lines`.
#[derive(Debug, clap::Args)]
pub(crate) struct LineListArgs {
    #[command(flatten)]
    filters: OrderFilters,
    /// Only this order; may be given more than once.
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until", "all", "limit", "status"])]
    order: Vec<String>,
}

/// A line, and where it is.
#[derive(Serialize)]
struct LineRecord<'a> {
    shop: &'a str,
    order: &'a str,
    #[serde(flatten)]
    line: &'a OrderLine,
}

/// Prints orders.
pub(crate) async fn orders(args: &OrderListArgs, context: &Context) -> CliResult {
    let columns = columns(context, &IN_TABLE, &IN_CSV);
    each_page(args, None, context, columns, |orders| orders.iter().map(record).collect()).await
}

fn columns(
    context: &Context,
    table: &'static OrderColumns,
    csv: &'static OrderColumns,
) -> &'static OrderColumns {
    if context.printer(Format::Table).format() == Format::Table { table } else { csv }
}

/// Prints the lines of orders.
pub(crate) async fn lines(args: &LineListArgs, context: &Context) -> CliResult {
    let stages = &args.filters.stage;
    let lines_of = |orders: &[Order]| {
        let lines = orders.iter().flat_map(|order| order.lines.iter().map(move |line| (order, line)));
        let lines = lines.filter(|(_, line)| stages.is_empty() || stages.contains(&line.stage));
        lines.map(|(order, line)| record(&LineRecord { shop: &order.shop, order: &order.id, line })).collect()
    };
    let list = OrderListArgs {
        // A line may be in a stage that its order is not in.
        filters: OrderFilters {
            shops: args.filters.shops.clone(),
            // The limit is one of lines.
            limit: args.filters.limit.map(|_| MOST),
            ..OrderFilters::default_of(&args.filters)
        },
        no_lines: false,
        bookmark: None,
    };
    let columns = columns(context, &LINES_IN_TABLE, &LINES);
    if args.order.is_empty() {
        return each_page(&list, args.filters.limit, context, columns, lines_of).await;
    }
    let shops = args.filters.shops.choose(context).await?;
    let mut rows = RecordRows::new(columns);
    let out = RefCell::new(List::of_shops(context.printer(Format::Table), &shops, rows.titles()));
    let outcome = async {
        for account in shops.accounts() {
            for id in &args.order {
                let shop = context.shop(&account.name).await?;
                let order = request(&list.filters, shop.orders(), true).get(id).await?;
                out.borrow_mut().page_of(&account.name, &lines_of(&[order])?, None, &mut rows)?;
            }
        }
        Ok(())
    };
    let outcome = outcome.await;
    out.borrow_mut().close(outcome)
}

/// Prints what is made of the orders of all shops, as pages come.
///
/// `limit` is the most rows of a shop, where not every order is one.
async fn each_page(
    args: &OrderListArgs,
    limit: Option<u64>,
    context: &Context,
    columns: &'static OrderColumns,
    make: impl Fn(&[Order]) -> CliResult<Vec<Box<RawValue>>>,
) -> CliResult {
    let filters = &args.filters;
    let catalog = context.catalog()?;
    let facet = if filters.buyer { "orders-buyer" } else { "orders" };
    let shops = filters.shops.choose(context).await?;
    let shops = shops.that_have(|platform| catalog.facet(platform, facet).map(drop))?;
    let titles = RecordRows::new(columns).titles();
    let printer = context.printer(Format::Table);
    let titles = if printer.format() == Format::Table {
        titles.iter().map(|name| name.replace('_', " ")).collect()
    } else {
        titles
    };
    let resume = Resume::open(args.bookmark.as_deref(), printer.format(), shops.are_many())?;
    let list = RefCell::new(List::of_shops(printer, &shops, titles));
    if resume.continues() {
        list.borrow_mut().without_header();
    }
    let outcome = shops.each(context, async |account: &Account| -> CliResult {
        let name = account.name.as_str();
        let shop = context.shop(name).await?;
        let fields = Fields::open(&shop, facet).await?;
        let (since, until) = filters.span.read(context, &fields)?;
        let since = since.or_else(|| (!filters.all).then(|| context.clock.now() - USUAL));
        let mut asked = request(filters, shop.orders(), !args.no_lines);
        if let Some(since) = since {
            asked = asked.since(since);
        }
        if let Some(until) = until {
            asked = asked.until(until);
        }
        if let Some(limit) = filters.limit {
            asked = asked.limit(limit);
        }
        if let Some(bookmark) = resume.bookmark() {
            asked = asked.resume(bookmark);
        }
        let mut pages = asked.pages().await?;
        resume.begin(pages.bookmark())?;
        let most = limit.or(filters.limit).unwrap_or(u64::MAX);
        let (mut count, mut total) = (0, None);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| resume.explain(error))?;
            shops.warn_all(name, &page.warnings);
            total = page.total.or(total);
            let mut rows = make(&page.rows)?;
            rows.truncate(usize::try_from(most - count).unwrap_or(usize::MAX));
            count += rows.len() as u64;
            list.borrow_mut().page_of(name, &rows, total, &mut RecordRows::new(columns))?;
            resume.record(page.progress)?;
            if count == most {
                break;
            }
        }
        if count == most && (limit.is_some() || total.is_none_or(|total| total > count)) {
            shops.note("note", name, &format!("the first {count} are shown; leave --limit out for all"));
        }
        Ok(())
    });
    let outcome = outcome.await;
    let done = list.borrow_mut().close(outcome);
    resume.end(done.as_ref().err())?;
    if done.is_ok() && list.borrow().is_empty() && filters.span.since.is_none() && !filters.all {
        note("note", "no order changed within the last 7 days; --since and --all look further back");
    }
    done
}

impl OrderFilters {
    /// Copies what is not about shops and stages.
    fn default_of(other: &Self) -> Self {
        Self {
            shops: ShopArgs::default(),
            all: other.all,
            limit: other.limit,
            span: other.span.clone(),
            status: other.status.clone(),
            stage: Vec::new(),
            personal: other.personal,
            buyer: other.buyer,
        }
    }
}

/// Asks for what the filters say, without a span of time.
fn request(filters: &OrderFilters, mut asked: OrdersRequest, lines: bool) -> OrdersRequest {
    if filters.buyer {
        asked = asked.buyer();
    }
    if filters.personal {
        asked = asked.personal();
    }
    if !lines {
        asked = asked.without_lines();
    }
    if let Some(status) = &filters.status {
        asked = asked.status(status);
    }
    filters.stage.iter().fold(asked, |asked, stage| asked.stage(*stage))
}

/// Writes a record as JSON.
pub(crate) fn record(value: &impl Serialize) -> CliResult<Box<RawValue>> {
    to_raw_value(value).map_err(|error| Error::local(format!("a row of orders: {error}")).into())
}
