//! `sesame freight`: what it costs a dropshipper to send a product.

use sesame_shop::FreightRequest;

use crate::{
    commands::orders,
    context::Context,
    exit::{CliResult, note},
    output::Format,
    record::RecordRows,
    runtime,
};

const COLUMNS: [&str; 9] =
    ["service", "carrier", "fee>", "currency", "free", "min_days>", "max_days>", "from", "tracking"];

/// Options of `freight`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame freight aliexpress-shop 1005006000000001 --sku 12000030000000001
  sesame freight aliexpress-shop 1005006000000001 \\
      --sku 12000030000000001 --country DE --quantity 2 --currency EUR -o json

For dropshippers on AliExpress. `sesame products get ACCOUNT ID --buyer` shows the SKUs.
JSON: [{\"service\",\"carrier\",\"fee\",\"currency\",\"free\",\"min_days\",\"max_days\",\"from\",\"tracking\"}], all as text; \
service is what an order takes.")]
pub(crate) struct FreightArgs {
    /// The account.
    account: String,
    /// The product.
    product: String,
    /// The SKU.
    #[arg(long)]
    sku: String,
    /// The country of the buyer, two letters.
    #[arg(long, default_value = "US", value_name = "CC")]
    country: String,
    /// The number of pieces.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    quantity: u64,
    /// The currency of the fee.
    #[arg(long)]
    currency: Option<String>,
    /// The language of texts.
    #[arg(long)]
    language: Option<String>,
}

/// Runs it.
pub(crate) fn run(args: &FreightArgs, context: &Context) -> CliResult {
    runtime::block_on(context, freight(args, context))
}

async fn freight(args: &FreightArgs, context: &Context) -> CliResult {
    let mut request = FreightRequest::default();
    request.product.clone_from(&args.product);
    request.sku.clone_from(&args.sku);
    request.country.clone_from(&args.country);
    request.quantity = args.quantity;
    request.currency.clone_from(&args.currency);
    request.language.clone_from(&args.language);
    let found = context.shop(&args.account).await?.freight(&request).await?;
    let rows = found.iter().map(orders::record).collect::<CliResult<Vec<_>>>()?;
    let mut view = RecordRows::new(&COLUMNS);
    let printer = context.printer(Format::Table);
    let mut list = view.list(printer);
    list.page(&rows, None, &mut view)?;
    list.end()?;
    if rows.is_empty() {
        note("note", &format!("the platform offers no way to send it to {}", args.country));
    }
    Ok(())
}
