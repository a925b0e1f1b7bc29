//! `sesame products get|batch-get`.

use serde_json::value::{RawValue, to_raw_value};
use sesame_core::{Error, ErrorKind};
use sesame_shop::{Product, ProductId, ProductView};

use crate::{
    bounded_file, columns,
    context::Context,
    exit::{self, CliError, CliResult},
    output::Format,
    record::RecordRows,
};

/// The columns of a product.
const COLUMNS: [&str; 7] = ["id", "title", "status", "category", "price>", "currency", "modified"];
/// The products that are asked for before some are printed.
const GROUP: usize = 100;
/// The largest file of ids that is read.
const MAX_IDS: u64 = 64 << 20;

/// How products are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct ViewArgs {
    /// Shows them as a buyer sees them.
    #[arg(long)]
    buyer: bool,
    /// The country of the buyer, two letters.
    #[arg(long, requires = "buyer", value_name = "CC")]
    country: Option<String>,
    /// The currency of prices.
    #[arg(long, requires = "buyer")]
    currency: Option<String>,
    /// The language of texts.
    #[arg(long, requires = "buyer")]
    language: Option<String>,
}

/// Options of `products get`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProductGetArgs {
    /// The account.
    account: String,
    /// The product, by its number in the column id of `products list`.
    id: ProductId,
    #[command(flatten)]
    view: ViewArgs,
}

/// Options of `products batch-get`.
#[derive(Debug, clap::Args)]
pub(crate) struct BatchGetArgs {
    /// The account.
    account: String,
    /// The file of the ids; - for standard input.
    #[arg(long, value_name = "FILE")]
    ids: String,
    #[command(flatten)]
    view: ViewArgs,
}

impl ViewArgs {
    fn view(&self) -> ProductView {
        let mut view = ProductView::default();
        view.buyer = self.buyer;
        view.country.clone_from(&self.country);
        view.currency.clone_from(&self.currency);
        view.language.clone_from(&self.language);
        view
    }
}

impl BatchGetArgs {
    /// Reads the ids: the column `id` of CSV, or the first one.
    ///
    /// # Errors
    /// Usage, for a file that cannot be read and what is no id, with its line.
    pub(crate) fn read(&self) -> CliResult<Vec<ProductId>> {
        let read = match self.ids.as_str() {
            "-" => bounded_file::read_from(std::io::stdin(), MAX_IDS),
            path => bounded_file::read(path.as_ref(), MAX_IDS),
        };
        let bytes = read.map_err(|error| Error::usage(format!("cannot read --ids {}: {error}", self.ids)))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("cannot read --ids {}: it is not UTF-8 text", self.ids)))?;
        ids_of(&text).map_err(|error| error.context(&self.ids).into())
    }
}

fn ids_of(text: &str) -> Result<Vec<ProductId>, Error> {
    let cells = |line: &str| -> Vec<String> {
        line.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches(['"', '=']).to_owned()).collect()
    };
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .peekable();
    let column = lines
        .peek()
        .and_then(|(_, line)| cells(line).iter().position(|cell| cell.eq_ignore_ascii_case("id")));
    if column.is_some() {
        lines.next();
    }
    let id = |(nth, line): (usize, &str)| {
        let cells = cells(line);
        let cell = cells.get(column.unwrap_or_default()).map_or("", String::as_str);
        cell.parse().map_err(|error: Error| error.context(format!("line {}", nth + 1)))
    };
    lines.map(id).collect()
}

/// Prints one product.
pub(crate) async fn get(args: &ProductGetArgs, context: &Context) -> CliResult {
    let shop = context.shop(&args.account).await?;
    let mut found = shop.product(std::slice::from_ref(&args.id), &args.view.view()).await?;
    let product = found.pop().unwrap_or_else(|| {
        Err(Error::new(ErrorKind::Business, format!("the platform has no product {}", args.id)))
    })?;
    let mut printer = context.printer(Format::Table);
    match printer.format() {
        Format::Json | Format::Ndjson => printer.vendor_json(raw(&product)?.get()),
        _ => columns::print_fields(printer, &raw(&product)?),
    }
}

/// Prints many products.
pub(crate) async fn batch_get(args: &BatchGetArgs, ids: Vec<ProductId>, context: &Context) -> CliResult {
    let shop = context.shop(&args.account).await?;
    let view = args.view.view();
    let printer = context.printer(Format::Table);
    let mut rows = RecordRows::new(&COLUMNS);
    let mut list = rows.list(printer);
    let (mut failed, mut code) = (0_u64, 0);
    for some in ids.chunks(GROUP) {
        let products = match shop.product(some, &view).await {
            Ok(products) => products,
            Err(error) => return list.fail(error),
        };
        let mut page = Vec::with_capacity(products.len());
        for (id, product) in some.iter().zip(products) {
            match product {
                Ok(product) => page.push(raw(&product)?),
                Err(error) => {
                    failed += 1;
                    code = exit::exit_code(error.kind());
                    exit::note("error", &format!("product {id}: {error}"));
                }
            }
        }
        list.page(&page, Some(ids.len() as u64), &mut rows)?;
    }
    list.end()?;
    if failed == 0 {
        return Ok(());
    }
    exit::note("warning", &format!("{failed} of {} products were not read", ids.len()));
    Err(CliError::Status(code))
}

fn raw(product: &Product) -> CliResult<Box<RawValue>> {
    to_raw_value(product).map_err(|error| Error::local(format!("a product: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_a_line_or_in_the_column_of_that_name() {
        let read =
            |text: &str| -> Vec<String> { ids_of(text).unwrap().iter().map(ToString::to_string).collect() };
        assert_eq!(read("\u{feff}7\r\n\n 8 \n"), ["7", "8"]);
        assert_eq!(read("title,id,price\nPencil,7,1\n\"Box\",\"8\",2\n"), ["7", "8"]);
        assert_eq!(read("id;x\n=\"16001\";1\n"), ["16001"]);
        let error = ids_of("7\nIDX1abc\n").unwrap_err();
        assert!(error.message().contains("line 2"), "{error}");
    }
}
