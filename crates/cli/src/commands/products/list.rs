//! Lists of the catalog: products, templates.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
};

use sesame_shop::{Fields, Request, Walk};
use sesame_vault::Account;

use crate::{
    context::Context,
    exit::{CliResult, note},
    facets::{self, FacetRows},
    list::List,
    output::Format,
    resume::Resume,
    shops::ShopArgs,
    span::SpanArgs,
};

/// The rows shown when nobody says how many.
const FEW: u64 = 20;

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
    #[command(flatten)]
    span: SpanArgs,
    /// Notes in this file how far the list was read; the same command goes on from there.
    #[arg(long, value_name = "FILE", requires = "all")]
    bookmark: Option<PathBuf>,
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
    let resume = Resume::open(args.bookmark.as_deref(), printer.format(), shops.are_many())?;
    let list = RefCell::new(List::of_shops(printer, &shops, titles));
    if resume.continues() {
        list.borrow_mut().without_header();
    }
    let cut = Cell::new(None);
    let outcome = shops.each(context, async |account: &Account| -> CliResult {
        let name = account.name.as_str();
        let shop = context.shop(name).await?;
        let fields = Fields::open(&shop, facet).await?;
        let mut request = Request::new(facet);
        (request.since, request.until) = args.span.read(context, &fields)?;
        request.status.clone_from(&args.status);
        request.page = args.page;
        request.limit = (!args.all).then(|| args.limit.unwrap_or(FEW));
        request.bookmark = resume.bookmark();
        let mut walk = Walk::open(&shop, request).await?;
        resume.begin(walk.bookmark())?;
        let (mut total, mut count, mut others) = (None, 0, 0_u64);
        while let Some(page) = walk.next().await {
            let page = page.map_err(|error| resume.explain(error))?;
            shops.warn_all(name, &page.warnings);
            total = page.total.or(total);
            count += page.rows.len() as u64;
            if let Some(wanted) = &args.status {
                let found = page.rows.iter().map(|row| fields.get(row, "status"));
                let is_other = |found: &String| !found.is_empty() && !found.eq_ignore_ascii_case(wanted);
                others += found.filter(is_other).count() as u64;
            }
            let fields = fields.clone().with_asked(page.asked);
            let mut view = FacetRows { fields: &fields, columns: &columns, parent: None, shop: Some(name) };
            list.borrow_mut().page_of(name, &page.rows, total, &mut view)?;
            resume.record(page.progress)?;
        }
        if others > 0 {
            let wanted = args.status.as_deref().unwrap_or_default();
            shops.note("warning", name, &format!("{others} of {count} {facet} have another status than {wanted}: the platform may not heed the filter, or name it otherwise"));
        }
        if !args.all && total.map_or(count >= args.limit.unwrap_or(FEW), |total| total > count) {
            cut.set(Some((count, total)));
        }
        Ok(())
    });
    let outcome = outcome.await;
    let done = list.borrow_mut().close(outcome);
    resume.end(done.as_ref().err())?;
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
