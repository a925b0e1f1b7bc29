//! `sesame apis search|list|show|groups|diff`: the catalog of APIs.

mod diff;
mod samples;
mod show;

use std::collections::BTreeMap;

use serde_json::json;
use sesame_catalog::{ApiSummary, Safety, SearchFilter};

use crate::{
    context::Context,
    exit::{CliError, CliResult, note},
    output::Format,
    table::Rows,
};

/// The commands of `apis`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ApisCommand {
    /// Finds APIs by what they do, in English or Chinese.
    #[command(after_help = "\
Examples:
  sesame apis search update stock --platform lazada
  sesame apis search 发货 --platform taobao
  sesame apis search list orders --safety read --limit 50 --output json

Words may stand in any order, in the plural, with typos; words for the same thing (stock, inventory, 库存) find each other, and a platform's name in the question counts as --platform. What is called most comes first.

JSON: [{\"platform\",\"name\",\"title\",\"title_zh\",\"group\",\"safety\"}]; exits 1 if nothing is found.")]
    Search(SearchArgs),
    /// Lists the APIs of a platform.
    #[command(after_help = "\
Examples:
  sesame apis list lazada
  sesame apis list 1688 --output csv

JSON: as `apis search`.")]
    List(ApisListArgs),
    /// Lists the groups of a platform's APIs.
    #[command(after_help = "\
Examples:
  sesame apis groups lazada
  sesame apis search order --platform lazada --group order-api

JSON: [{\"group\",\"apis\"}].")]
    Groups(ApisListArgs),
    /// Shows what an API takes, returns and refuses, with a call to copy.
    #[command(after_help = "\
Examples:
  sesame apis show /alibaba/icbu/product/list
  sesame apis show api.findAeProductById --platform aliexpress-legacy
  sesame apis show /products/get --output json
  sesame apis show /product/create --skeleton > product.json

JSON: {\"platform\",\"name\",\"title\",\"title_zh\",\"about\",\"about_zh\",\"shape\",\"path\",\"namespace\",\"version\",\"http\",\"auth\",\"signed\",
       \"safety\",\"safety_derived\",\"params\":[..],\"response\":[..],\"paging\",\"aliases\",\"errors\",
       \"example\",\"samples\":{\"sesame\",\"curl\",\"rust\",\"python\"},\"reply\",\"dates\",\"quota\",\"notes\",\"group\",\"source\",\"known\",\"presumed\",\"also\":[{\"platform\",\"name\"}]}
In params and response: n is the name, t the type, l says that it is a list, r that it is required (left \
out where nobody knows), vt the vendor's word for the type, eg an example, c the members of an object.")]
    Show(ShowArgs),
    /// Shows in what two catalogs differ.
    #[command(after_help = "\
Examples:
  sesame apis diff builtin
  sesame apis diff builtin --platform lazada --output json

Compares a base file of the catalog, a folder of overlays, or the catalog of this program with the catalog in use. + is an API that is new, - one that is gone, ~ one that is described otherwise.

JSON: [{\"platform\",\"name\",\"change\",\"differences\":[{\"field\",\"key\",\"old\",\"new\"}]}]; change is added, removed or changed.")]
    Diff(diff::DiffArgs),
}

/// Options of `apis search`.
#[derive(Debug, clap::Args)]
pub(crate) struct SearchArgs {
    /// What the API does, or a part of its name.
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Only this platform.
    #[arg(long, short, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Only this group, as `sesame apis groups` lists them.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only APIs that read, that may be repeated, or that write.
    #[arg(long, value_name = "read|idempotent|write", value_parser = safety)]
    safety: Option<Safety>,
    /// Only APIs that need an access token, or only those that do not.
    #[arg(long, value_name = "true|false")]
    token: Option<bool>,
    /// The most APIs to show.
    #[arg(long, short = 'n', default_value_t = 30)]
    limit: usize,
}

/// Options of `apis list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApisListArgs {
    /// The platform.
    platform: String,
}

/// Options of `apis show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// A path, a method, or namespace:name with @VERSION where it has several.
    api: String,
    /// The platform; without it, the first that has the API.
    #[arg(long, short, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Prints a request body to fill in, as JSON.
    #[arg(long)]
    skeleton: bool,
}

fn safety(word: &str) -> Result<Safety, String> {
    [Safety::Read, Safety::Idempotent, Safety::Write]
        .into_iter()
        .find(|safety| safety.as_str() == word)
        .ok_or_else(|| "expected read, idempotent or write".to_owned())
}

/// Runs one of them.
pub(crate) fn run(command: ApisCommand, context: &Context) -> CliResult {
    match command {
        ApisCommand::Search(args) => search(&args, context),
        ApisCommand::List(args) => list(&args, context),
        ApisCommand::Groups(args) => groups(&args, context),
        ApisCommand::Show(args) => show::show(&args, context),
        ApisCommand::Diff(args) => diff::diff(&args, context),
    }
}

pub(crate) use show::find;

fn search(args: &SearchArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    if let Some(platform) = &args.platform {
        catalog.platform(platform)?;
    }
    let text = args.text.join(" ");
    let filter = SearchFilter {
        platform: args.platform.as_deref(),
        group: args.group.as_deref(),
        safety: args.safety,
        token: args.token,
        limit: args.limit.clamp(1, 10_000),
    };
    let found = catalog.search(&text, &filter);
    print_summaries(context, &found)?;
    if found.is_empty() {
        note(
            "note",
            &format!("no API of the catalog has {text:?}; `sesame call` takes any name the platform knows"),
        );
        return Err(CliError::Status(1));
    }
    if found.len() == args.limit {
        note("note", &format!("the first {} are shown; --limit shows more", args.limit));
    }
    Ok(())
}

fn list(args: &ApisListArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    catalog.platform(&args.platform)?;
    print_summaries(context, &catalog.list(&args.platform))
}

fn groups(args: &ApisListArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    catalog.platform(&args.platform)?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for api in catalog.list(&args.platform) {
        *counts.entry(api.group.unwrap_or_default()).or_default() += 1;
    }
    let mut rows = Rows::new(&["group", "apis>"]);
    for (group, apis) in &counts {
        rows.push([group.clone(), apis.to_string()]);
    }
    let records: Vec<_> =
        counts.iter().map(|(group, apis)| json!({ "group": group, "apis": apis })).collect();
    context.printer(Format::Table).list(&records, &rows)
}

fn print_summaries(context: &Context, found: &[ApiSummary]) -> CliResult {
    let mut rows = Rows::new(&["platform", "api", "safety", "title"]);
    let mut records = Vec::with_capacity(found.len());
    for api in found {
        rows.push([
            api.platform.as_str(),
            &api.name,
            api.safety.as_str(),
            api.title.as_deref().unwrap_or_default(),
        ]);
        records.push(json!({
            "platform": api.platform,
            "name": api.name,
            "title": api.title,
            "title_zh": api.title_zh,
            "group": api.group,
            "safety": api.safety.as_str(),
        }));
    }
    let mut printer = context.printer(Format::Table);
    if printer.for_people() && rows.is_empty() {
        return Ok(());
    }
    printer.list(&records, &rows)
}
