//! `sesame orders get|track`.

use crate::{
    columns,
    commands::orders::list::record,
    context::Context,
    exit::{CliResult, note},
    output::Format,
    record::RecordRows,
};

const PACKAGES: [&str; 6] = ["order", "package", "carrier", "tracking", "status", "events>"];
const EVENTS: [&str; 4] = ["time", "status", "place", "text"];

/// Options of `orders get`.
#[derive(Debug, clap::Args)]
pub(crate) struct OrderGetArgs {
    /// The account.
    account: String,
    /// The order.
    id: String,
    /// Shows names, addresses and phones.
    #[arg(long)]
    personal: bool,
    /// An order that this account made, where it buys and sells.
    #[arg(long)]
    buyer: bool,
}

/// Options of `orders track`.
#[derive(Debug, clap::Args)]
pub(crate) struct TrackArgs {
    /// The account.
    account: String,
    /// The order, or several.
    #[arg(required = true)]
    id: Vec<String>,
    /// An order that this account made, where it buys and sells.
    #[arg(long)]
    buyer: bool,
}

/// Prints an order.
pub(crate) async fn get(args: &OrderGetArgs, context: &Context) -> CliResult {
    let mut asked = context.shop(&args.account).await?.orders();
    if args.personal {
        asked = asked.personal();
    }
    if args.buyer {
        asked = asked.buyer();
    }
    let order = record(&asked.get(&args.id).await?)?;
    let mut printer = context.printer(Format::Table);
    match printer.format() {
        Format::Json | Format::Ndjson => printer.vendor_json(order.get()),
        _ => columns::print_fields(printer, &order),
    }
}

/// Prints where packages are: one row each; of a single package, for people, what happened to it.
pub(crate) async fn track(args: &TrackArgs, context: &Context) -> CliResult {
    let shop = context.shop(&args.account).await?;
    let printer = context.printer(Format::Table);
    let mut found = Vec::new();
    for id in &args.id {
        found.extend(shop.track(id, args.buyer).await?);
    }
    if printer.format() == Format::Table
        && let [only] = found.as_slice()
        && !only.events.is_empty()
    {
        let text = [&only.carrier, &only.tracking, &only.status].map(String::as_str);
        let text: Vec<&str> = text.into_iter().filter(|text| !text.is_empty()).collect();
        note("note", &format!("order {}: {}", only.order, text.join(", ")));
        let rows = only.events.iter().map(record).collect::<CliResult<Vec<_>>>()?;
        let mut view = RecordRows::new(&EVENTS);
        let mut list = view.list(printer);
        list.page(&rows, None, &mut view)?;
        return list.end();
    }
    let rows = found.iter().map(record).collect::<CliResult<Vec<_>>>()?;
    let mut view = RecordRows::new(&PACKAGES);
    let mut list = view.list(printer);
    list.page(&rows, None, &mut view)?;
    list.end()?;
    if rows.is_empty() {
        note("note", "the platform knows of no packages yet");
    }
    Ok(())
}
