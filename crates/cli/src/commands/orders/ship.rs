//! `sesame orders ship`, `documents`, `carriers`.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::OpenOptions,
    io::{ErrorKind as IoError, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sesame_core::Error;
use sesame_shop::{Document, Fields, Order, ShipRequest, Shipment, Shop, Shops, Stage, parse_time};
use sesame_vault::Account;

use crate::{
    commands::call::{RequestView, show_requests},
    context::Context,
    exit::{CliError, CliResult, exit_code, note, person_is_there, report_of_shop, say, weightiest},
    output::Format,
    progress::Progress,
    prompt,
    shops::{ChosenShops, ShopArgs, ShopFlags},
    table::Rows,
};

/// Orders of a shop, or all that wait.
#[derive(Debug, clap::Args)]
pub(crate) struct OrderWords {
    /// The account, or several with commas; left out with --tag, --platform and --all-shops. Then ids of orders.
    #[arg(value_name = "ACCOUNT> <ORDER")]
    words: Vec<String>,
    #[command(flatten)]
    shops: ShopFlags,
    /// All orders that wait for it and changed at or after this time: a date, a time, or 1d, 2h, 30m ago.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// Options of `orders ship`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShipArgs {
    #[command(flatten)]
    orders: OrderWords,
    /// Ships only these lines of the order; ids with commas.
    #[arg(long, value_name = "LINE", value_delimiter = ',')]
    lines: Vec<String>,
    /// The carrier's code, see `sesame orders carriers`.
    #[arg(long, value_name = "CODE")]
    carrier: Option<String>,
    /// The tracking number.
    #[arg(long, value_name = "NUMBER")]
    tracking: Option<String>,
    /// Another way to ship that the platform has: online or dummy.
    #[arg(long, value_name = "WAY")]
    how: Option<String>,
    /// Writes the labels into this folder, too.
    #[arg(long, value_name = "FOLDER")]
    labels: Option<PathBuf>,
    /// Prints the first request for each order instead of sending it.
    #[arg(long)]
    dry_run: bool,
    /// Ships more than one order without asking.
    #[arg(long, short)]
    yes: bool,
}

/// Options of `orders documents`.
#[derive(Debug, clap::Args)]
pub(crate) struct DocumentArgs {
    #[command(flatten)]
    orders: OrderWords,
    /// The folder for the files; made if it is not there.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Replaces files that are there.
    #[arg(long)]
    force: bool,
}

/// Options of `orders carriers`.
#[derive(Debug, clap::Args)]
pub(crate) struct CarrierArgs {
    /// The account.
    account: String,
    /// An order; some platforms list carriers for an order only.
    order: Option<String>,
}

/// An order of a shop.
struct Target<'a> {
    account: &'a Account,
    order: String,
}

/// Finds the orders that are meant: by id, or all in a stage.
async fn targets<'a>(
    words: &OrderWords,
    ids: &[String],
    chosen: &'a ChosenShops,
    context: &Context,
    stage: Stage,
) -> CliResult<(Vec<Target<'a>>, Vec<u8>)> {
    let accounts = chosen.accounts();
    match (&words.since, ids, accounts) {
        (None, [], _) => Err(Error::usage("no order was named")
            .with_hint("Name orders, or use --since TIME for all that wait.")
            .into()),
        (Some(_), [_, ..], _) => Err(Error::usage("orders are named, or chosen by --since, not both").into()),
        (None, ids, [account]) => {
            let mut orders: Vec<Target<'a>> = Vec::new();
            for id in ids {
                if orders.iter().all(|known| known.order != *id) {
                    orders.push(Target { account, order: id.clone() });
                }
            }
            Ok((orders, Vec::new()))
        }
        (None, ..) => Err(Error::usage("orders are named for one shop only")
            .with_hint("Use --since TIME for several shops.")
            .into()),
        (Some(since), ..) => {
            let client = context.client().await?;
            let (mut found, mut codes) = (Vec::new(), Vec::new());
            for account in accounts {
                let shop = Shop::new(client.clone(), &account.name);
                let fields = Fields::open(&shop, "orders").await?;
                let at = parse_time(since, context.clock.now(), fields.zone())
                    .map_err(|error| error.context("--since"))?;
                let mut rows = shop.orders().since(at).stage(stage).rows();
                while let Some(order) = rows.next().await {
                    match order {
                        Ok(order) => found.push(Target { account, order: order.id }),
                        Err(error) if chosen.are_many() => {
                            codes.push(exit_code(error.kind()));
                            report_of_shop(&account.name, &error);
                            break;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Ok((found, codes))
        }
    }
}

/// What came of an order.
type OfOrder<'t, 'a, T> = (&'t Target<'a>, Result<T, Error>);

/// Does something with each order: one after the other of a shop, all shops at the same time.
async fn for_each<'t, 'a, T>(
    context: &Context,
    orders: &'t [Target<'a>],
    work: impl AsyncFn(&Shop, &str) -> Result<T, Error>,
) -> CliResult<Vec<OfOrder<'t, 'a, T>>> {
    let mut by_shop: BTreeMap<&str, Vec<&Target<'_>>> = BTreeMap::new();
    for target in orders {
        by_shop.entry(&target.account.name).or_default().push(target);
    }
    let progress = Progress::new();
    let done = Cell::new(0);
    let shops = Shops::new(context.client().await?, by_shop.keys().copied());
    let mut running = shops.each(|shop| {
        let orders = by_shop.get(shop.account()).cloned().unwrap_or_default();
        let (work, progress, done, total) = (&work, &progress, &done, orders.len());
        async move {
            let mut results = Vec::with_capacity(total);
            for target in orders {
                results.push((target, work(&shop, &target.order).await));
                done.set(done.get() + 1);
                progress.show(done.get(), None);
            }
            results
        }
    });
    let mut all = Vec::new();
    while let Some((_, results)) = running.next().await {
        all.extend(results);
    }
    progress.done();
    all.sort_by(|(a, _), (b, _)| a.account.name.cmp(&b.account.name));
    Ok(all)
}

/// Ships orders.
pub(crate) async fn ship(args: &ShipArgs, context: &Context) -> CliResult {
    let (shops, ids) = ShopArgs::and_words(&args.orders.words, &args.orders.shops)?;
    let chosen = shops.choose(context).await?;
    let (orders, mut codes) = targets(&args.orders, ids, &chosen, context, Stage::ToShip).await?;
    if orders.len() > 1 && (!args.lines.is_empty() || args.tracking.is_some()) {
        return Err(Error::usage("--lines and --tracking are of one order").into());
    }
    let client = context.client().await?;
    let request = |order: &str| {
        ShipRequest::new(order)
            .lines(args.lines.iter().cloned())
            .carrier(args.carrier.clone())
            .tracking(args.tracking.clone())
            .how(args.how.clone())
    };
    if args.dry_run {
        let mut views = Vec::new();
        for target in &orders {
            let shop = Shop::new(client.clone(), &target.account.name);
            let (call, notes) = shop.plan_shipment(&request(&target.order)).await?;
            for text in &notes {
                note("note", &format!("order {}: {text}", target.order));
            }
            match call {
                Some(call) => views.push(RequestView::new(&client.prepare(&call).await?, false)),
                None => note("note", &format!("order {}: there is nothing left to do", target.order)),
            }
        }
        return show_requests(context, &views);
    }
    if orders.len() > 1 && !args.yes {
        let what = format!("`sesame orders ship` ships {} orders", orders.len());
        if !person_is_there() {
            return Err(Error::usage(format!("{what}, and there is no terminal to confirm it on"))
                .with_hint("Add --yes to do it. --dry-run shows what would be sent.")
                .into());
        }
        if !prompt::yes(&format!("{what}. Go on?")).await? {
            say("Nothing was sent.");
            return Err(CliError::Status(1));
        }
    }
    let shipped = for_each(context, &orders, async |shop, order| {
        let shipment = shop.ship(&request(order)).await?;
        let labels = match &args.labels {
            Some(folder) => labels(shop, order, folder, false).await.map(drop),
            None => Ok(()),
        };
        Ok((shipment, labels))
    });
    let mut records = Vec::new();
    for (Target { account, order }, result) in shipped.await? {
        let result = result.and_then(|(shipment, labels)| {
            for text in &shipment.notes {
                note("note", &format!("order {order}: {text}"));
            }
            records.push(Shipped::new(&shipment));
            labels
        });
        let Err(error) = result else { continue };
        // Of one order the whole of it is told.
        if orders.len() == 1 && codes.is_empty() && records.is_empty() {
            return Err(error.into());
        }
        codes.push(exit_code(error.kind()));
        report_of_shop(&account.name, &error);
    }
    let mut rows = Rows::one_line(&["shop", "order", "did", "status", "package", "carrier", "tracking"]);
    for Shipped { shop, order, steps, status, packages } in &records {
        let did = if steps.is_empty() { "nothing, it was done" } else { "shipped" };
        for package in packages.iter().map(Some).chain(packages.is_empty().then_some(None)) {
            let get = |get: fn(&Package) -> &String| package.map(get).cloned().unwrap_or_default();
            let (id, carrier, tracking) = (get(|of| &of.id), get(|of| &of.carrier), get(|of| &of.tracking));
            rows.push([shop.clone(), order.clone(), did.to_owned(), status.clone(), id, carrier, tracking]);
        }
    }
    context.printer(Format::Table).list(&records, &rows)?;
    weightiest(codes).map_or(Ok(()), |code| Err(CliError::Status(code)))
}

/// A shipment for programs.
#[derive(Serialize)]
struct Shipped {
    shop: String,
    order: String,
    steps: Vec<String>,
    status: String,
    packages: Vec<Package>,
}

#[derive(Serialize)]
struct Package {
    id: String,
    carrier: String,
    tracking: String,
}

impl Shipped {
    fn new(shipment: &Shipment) -> Self {
        let order: &Order = &shipment.order;
        let package = |package: &sesame_shop::OrderPackage| Package {
            id: package.id.clone(),
            carrier: package.carrier.clone(),
            tracking: package.tracking.clone(),
        };
        Self {
            shop: order.shop.clone(),
            order: order.id.clone(),
            steps: shipment.steps.clone(),
            status: order.status.clone(),
            packages: order.packages.iter().map(package).collect(),
        }
    }
}

/// Writes labels to files.
pub(crate) async fn documents(args: &DocumentArgs, context: &Context) -> CliResult {
    let (shops, ids) = ShopArgs::and_words(&args.orders.words, &args.orders.shops)?;
    let chosen = shops.choose(context).await?;
    let (orders, mut codes) = targets(&args.orders, ids, &chosen, context, Stage::Packed).await?;
    let written =
        for_each(context, &orders, async |shop, order| labels(shop, order, &args.folder, args.force).await);
    let mut files = Vec::new();
    for (Target { account, .. }, result) in written.await? {
        match result {
            Ok(written) => files.extend(written),
            Err(error) if orders.len() == 1 && codes.is_empty() => return Err(error.into()),
            Err(error) => {
                codes.push(exit_code(error.kind()));
                report_of_shop(&account.name, &error);
            }
        }
    }
    let mut rows = Rows::one_line(&["shop", "order", "package", "file", "bytes>"]);
    for file in &files {
        let Label { shop, order, package, file, bytes } = file;
        rows.push([shop.clone(), order.clone(), package.clone(), file.clone(), bytes.to_string()]);
    }
    context.printer(Format::Table).list(&files, &rows)?;
    weightiest(codes).map_or(Ok(()), |code| Err(CliError::Status(code)))
}

/// A file that was written.
#[derive(Serialize)]
struct Label {
    shop: String,
    order: String,
    package: String,
    file: String,
    bytes: usize,
}

/// Fetches the labels of an order and writes them.
async fn labels(shop: &Shop, order: &str, folder: &Path, force: bool) -> Result<Vec<Label>, Error> {
    let mut out = Vec::new();
    for document in shop.documents(order).await? {
        let file = folder.join(format!("{}.{}", file_name(&document), document.extension));
        write(folder, &file, &document.content, force)?;
        out.push(Label {
            shop: shop.account().to_owned(),
            order: document.order,
            package: document.package,
            file: file.display().to_string(),
            bytes: document.content.len(),
        });
    }
    Ok(out)
}

/// Names the file of a label. Ids come from the platform: nothing of them leads out of the folder.
fn file_name(document: &Document) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(60).collect()
    };
    format!("{}-{}", plain(&document.order), plain(&document.package))
}

/// Writes a file whole or not at all, and never over another one unasked. The same content again is fine.
fn write(folder: &Path, file: &Path, content: &[u8], force: bool) -> Result<(), Error> {
    let wrong = |error: std::io::Error| Error::local(format!("cannot write {}: {error}", file.display()));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    let draft = file.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut out = options.open(&draft).map_err(wrong)?;
    out.write_all(content).and_then(|()| out.sync_all()).map_err(wrong)?;
    if force {
        return std::fs::rename(&draft, file).map_err(wrong);
    }
    // A link is made only where nothing is.
    let linked = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft).map_err(wrong)?;
    match linked {
        Err(error) if error.kind() == IoError::AlreadyExists => {
            if std::fs::read(file).is_ok_and(|there| there == content) {
                return Ok(());
            }
            Err(Error::local(format!("{} is there already with other content", file.display()))
                .with_hint("Use another --folder, or --force to replace it."))
        }
        linked => linked.map_err(wrong),
    }
}

/// Lists carriers.
pub(crate) async fn carriers(args: &CarrierArgs, context: &Context) -> CliResult {
    let shop = Shop::new(context.client().await?.clone(), &args.account);
    let carriers = shop.carriers(args.order.as_deref()).await?;
    let mut rows = Rows::one_line(&["code", "name"]);
    for carrier in &carriers {
        rows.push([carrier.code.clone(), carrier.name.clone()]);
    }
    context.printer(Format::Table).list(&carriers, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_never_overwritten_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new");
        let file = folder.join("a.pdf");
        write(&folder, &file, b"%PDF-1", false).unwrap();
        write(&folder, &file, b"%PDF-1", false).unwrap();
        let error = write(&folder, &file, b"%PDF-2", false).unwrap_err();
        assert!(error.message().contains("there already"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"%PDF-1");
        write(&folder, &file, b"%PDF-2", true).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"%PDF-2");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
    }
}
