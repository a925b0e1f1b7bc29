//! `sesame orders`: what was sold.

mod list;
mod ship;
mod single;

use crate::{context::Context, exit::CliResult, runtime};
pub(crate) use list::record;

/// The commands of `orders`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum OrdersCommand {
    /// Lists the orders of a shop, on any platform, in the same columns.
    #[command(after_help = "\
Examples:
  sesame orders list myshop
  sesame orders list myshop --since 2h --stage to_ship
  sesame orders list myshop --since 2026-11-01 --output json
  sesame orders list --all-shops --since 1d -o csv > orders.csv
  sesame orders list myshop --all -o ndjson --bookmark o.bm >> o.ndjson

JSON: [{\"id\",\"shop\",\"status\",\"stage\",\"created\",\"updated\",\"paid\",\"ship_by\",\"total\",\"currency\",\"buyer\",\
\"lines\":[{\"id\",\"sku\",\"product\",\"title\",\"quantity\",\"price\",\"status\",\"stage\",\"package\",\"carrier\",\"tracking\"}],\
\"packages\":[{\"id\",\"carrier\",\"tracking\"}],\"raw\":{..}}], all but lists and raw as text.

status is the platform's word; stage is one of unpaid, to_ship, partly_shipped, packed, shipped, delivered, \
done, cancelling, cancelled, returning, held, unknown. Without --since and --all these are the orders that \
changed within the last 7 days. Every order comes once, also if orders change meanwhile. Names, addresses and \
phones are masked, in raw too, unless --personal. Times have their zone.")]
    List(list::OrderListArgs),
    /// Shows an order in full.
    #[command(after_help = "\
Examples:
  sesame orders get lazada-shop 300112233445566
  sesame orders get lazada-shop 300112233445566 --personal --output json

JSON as one row of orders list.")]
    Get(single::OrderGetArgs),
    /// Lists the lines of orders: what has to be picked and packed.
    #[command(after_help = "\
Examples:
  sesame orders lines myshop --since 1d --stage to_ship
  sesame orders lines lazada-shop --order 300112233445566
  sesame orders lines --all-shops --since 1d -o csv > lines.csv

JSON: [{\"shop\",\"order\",\"id\",\"sku\",\"product\",\"title\",\"quantity\",\"price\",\"status\",\"stage\",\"package\",\"carrier\",\
\"tracking\"}], all as text. With --stage only the lines in this stage.")]
    Lines(list::LineListArgs),
    /// Ships orders: packs them and hands them over, or declares a tracking number.
    #[command(after_help = "\
Examples:
  sesame orders ship lazada-shop 31202640000400 --dry-run
  sesame orders ship lazada-shop 31202640000400 --labels labels
  sesame orders ship aliexpress-shop 8100000000000003 --carrier DHL \\
      --tracking 1234567890
  sesame orders ship taobao-shop 3000000000000000001 \\
      --lines 3000000000000000002 --carrier YTO --tracking YT0001
  sesame orders ship --all-shops --since 1d --yes --labels today

The order is read first: what is packed is not packed again, and what is shipped is left alone. A shipment \
that was cut off goes on with the same command. A line that cannot be shipped is said before anything is \
sent, with the reason.

JSON: [{\"shop\",\"order\",\"steps\":[..],\"status\",\"packages\":[{\"id\",\"carrier\",\"tracking\"}]}]; steps is empty if there \
was nothing left to do.")]
    Ship(ship::ShipArgs),
    /// Writes the labels of packed orders to files.
    #[command(after_help = "\
Examples:
  sesame orders documents lazada-shop 31202640000400
  sesame orders documents lazada-shop 31202640000400 --folder labels
  sesame orders documents --all-shops --since 1d --folder today

A file for each package, ORDER-PACKAGE.pdf. A file that is there with other content is not replaced unless \
--force says so.

JSON: [{\"shop\",\"order\",\"package\",\"file\",\"bytes\"}]")]
    Documents(ship::DocumentArgs),
    /// Lists the carriers that can be named for shipping.
    #[command(after_help = "\
Examples:
  sesame orders carriers aliexpress-shop
  sesame orders carriers lazada-shop 31202640000400
  sesame orders carriers taobao-shop --output json

JSON: [{\"code\",\"name\"}]")]
    Carriers(ship::CarrierArgs),
    /// Shows where the packages of an order are.
    #[command(after_help = "\
Examples:
  sesame orders track lazada-shop 300112233445566
  sesame orders track aliexpress-shop 8100000000000003 --output json
  sesame orders track shop-1688 1234567890123456789 --buyer

On AliExpress these are orders that a dropshipper placed; on 1688 --buyer asks about what was bought.
JSON: [{\"shop\",\"order\",\"package\",\"carrier\",\"tracking\",\"status\",\"events\":[{\"time\",\"status\",\"place\",\"text\"}]}]")]
    Track(single::TrackArgs),
}

/// Runs one of them.
pub(crate) fn run(command: OrdersCommand, context: &Context) -> CliResult {
    match command {
        OrdersCommand::List(args) => runtime::block_on(context, list::orders(&args, context)),
        OrdersCommand::Get(args) => runtime::block_on(context, single::get(&args, context)),
        OrdersCommand::Lines(args) => runtime::block_on(context, list::lines(&args, context)),
        OrdersCommand::Ship(args) => runtime::block_on(context, ship::ship(&args, context)),
        OrdersCommand::Documents(args) => runtime::block_on(context, ship::documents(&args, context)),
        OrdersCommand::Carriers(args) => runtime::block_on(context, ship::carriers(&args, context)),
        OrdersCommand::Track(args) => runtime::block_on(context, single::track(&args, context)),
    }
}
