//! `sesame call`: any API by name.

use serde_json::{Value, json, value::RawValue};
use sesame_catalog::{Api, Catalog, Safety};
use sesame_client::{Call, Client, Page, Prepared};
use sesame_core::{Error, ErrorKind, Retry, nearest::nearest, path, request::header::CONTENT_TYPE};

use crate::{
    columns::{self, Columns},
    context::Context,
    exit::{CliError, CliResult, note, person_is_there, say, warn_all},
    list::List,
    output::{Format, Printer},
    parameters, prompt, runtime,
};

/// Options of `call`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[command(after_help = "\
Examples:
  sesame call alibaba-shop /alibaba/icbu/product/list page_size=30
  sesame call lazada-shop /products/get filter=live --all --output ndjson
  sesame call aliexpress-legacy-shop api.findAeProductById productId=32800011962
  sesame call alibaba-shop /icbu/product/schema/level/get cat_id=21110712 \\
      language=en_US xml=@chosen.xml
  sesame call lazada-shop /image/upload image=@photo.jpg --yes
  sesame call lazada-shop /order/get order_id=1234 --dry-run
  sesame call lazada-shop /product/price_quantity/update --body stock.json --yes

Values are text; NAME:=JSON gives a typed value, NAME=@FILE the content of a file (a file part where \
the catalog says so), NAME=@- standard input. NAME.MEMBER=VALUE sets a member of an object, NAME.0.MEMBER \
one of the first item of a list; a list also takes NAME=VALUE several times. --body reads all arguments \
from a JSON file, which `sesame apis show API --skeleton` prints to be filled in; what is sent as JSON or \
XML in a text may stand there as plain JSON. Writes ask on a terminal and need --yes elsewhere.

JSON: the platform's own payload, numbers and keys as they came; with --all one list of all rows.
ndjson: the payload on one line; with --all one row a line. csv and table: the rows; what csv has no \
column for, because only later pages have it, stands as JSON in the last column, `more`.
--raw prints the reply byte for byte; --unwrap turns {\"items\":{\"item\":[..]}} into {\"items\":[..]}.

When --all fails or is interrupted, or the platform does not give all rows that it counts, the rows read \
so far are printed, the last line of standard error says that the list is incomplete, and the exit code \
is not 0: 1 if every page came and rows are missing, else that of the page that failed. Without any row \
nothing is printed.

An empty argument (NAME=, NAME:='\"\"', NAME:=null) is not sent: the platforms' own SDKs disagree on \
whether it is signed. A note says so.")]
pub(crate) struct CallArgs {
    /// The account, as `sesame accounts` names it.
    account: String,
    /// A path, a method, or namespace:name[@VERSION].
    api: String,
    /// The arguments.
    #[arg(value_name = "NAME=VALUE | NAME=@FILE | NAME:=JSON")]
    arguments: Vec<String>,
    /// Reads arguments from a file with a JSON object; - reads standard input.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    body: Option<String>,
    /// Fetches every page.
    #[arg(long)]
    all: bool,
    /// Sends a write without asking.
    #[arg(long, short)]
    yes: bool,
    /// Prints the signed request instead of sending it.
    #[arg(long, conflicts_with = "all")]
    dry_run: bool,
    /// Prints secrets in the --dry-run request instead of masking them, and sends calls whose replies
    /// are tokens.
    #[arg(long)]
    show_secrets: bool,
    /// Takes lists out of the wrappers that the platform puts around them.
    #[arg(long, conflicts_with_all = ["raw", "all", "dry_run"])]
    unwrap: bool,
    /// Prints the reply byte for byte.
    #[arg(long, conflicts_with_all = ["all", "dry_run"])]
    raw: bool,
}

/// Calls and prints.
pub(crate) fn run(args: &CallArgs, context: &Context) -> CliResult {
    runtime::block_on(context, call(args, context))
}

async fn call(args: &CallArgs, context: &Context) -> CliResult {
    let client = context.client().await?;
    let handle = context.vault().await?.handle(&args.account).await?;
    let platform = handle.platform().name.clone();
    let api = context.catalog()?.api(&platform, &args.api)?;
    let (words, body, contract) = (args.arguments.clone(), args.body.clone(), api.clone());
    let arguments = runtime::aside(move || {
        let body = body.as_deref().map(parameters::read_body).transpose()?.unwrap_or_default();
        parameters::read(&words, body, &contract)
    })
    .await?;
    let mut call = context.call(&args.account, &args.api);
    call.args = arguments.values;
    call.files = arguments.files;
    suggest(context, &api)?;
    if args.dry_run {
        return dry_run(args, context, client, &call).await;
    }
    if !args.show_secrets && is_token_call(&api) {
        return Err(token_call(&api).into());
    }
    if api.safety != Safety::Read {
        confirm(args, &api).await?;
    }
    if args.all {
        return all_pages(context, client, call).await;
    }
    // Before it is sent: what is misspelt may be why the platform refuses it.
    let warnings = client.check(&call).await?;
    warn_all(&warnings);
    let outcome = client.call(&call).await?;
    warn_all(outcome.warnings.get(warnings.len()..).unwrap_or_default());
    if args.raw {
        return crate::output::raw(outcome.reply.body());
    }
    let payload = outcome.reply.payload();
    if args.unwrap {
        return print_reply(context.printer(Format::Json), &api, &api.unwrap_lists(payload));
    }
    print_reply(context.printer(Format::Json), &api, payload)
}

/// Returns `true` if an API hands out tokens, by the platforms' own data. A platform's spelling with dots,
/// slashes or a protocol in front is the same call.
pub(super) fn is_token_call(api: &Api) -> bool {
    let plain = |name: &str| -> String {
        let name = name.split('@').next().unwrap_or_default();
        let name = ["http/1/", "param2/1/"].iter().find_map(|front| name.strip_prefix(front)).unwrap_or(name);
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let names: Vec<String> = std::iter::once(&api.name).chain(&api.aliases).map(|name| plain(name)).collect();
    Catalog::builtin().platforms().iter().map(|platform| &platform.tokens).any(|tokens| {
        [&tokens.create, &tokens.refresh]
            .into_iter()
            .chain(&tokens.create_also)
            .chain(&tokens.refresh_also)
            .chain(&tokens.postpone)
            .any(|known| names.contains(&plain(known)))
    })
}

fn token_call(api: &Api) -> Error {
    Error::usage(format!("{} hands out tokens, and tokens belong to the vault", api.name)).with_hint(
        "Use `sesame login APP` or `sesame refresh ACCOUNT`. --show-secrets sends it all the same and prints the tokens; a refresh token that it uses up is lost to the vault.",
    )
}

/// Says which known API may have been meant. That it is called all the same, the client says.
fn suggest(context: &Context, api: &Api) -> CliResult {
    if api.known {
        return Ok(());
    }
    let known = context.catalog()?.list(&api.platform);
    if let Some(near) = nearest(&api.name, known.iter().map(|api| api.name.as_str())) {
        note("warning", &format!("no catalog has {} on {}; did you mean {near}?", api.name, api.platform));
    }
    Ok(())
}

/// Asks before something is changed.
async fn confirm(args: &CallArgs, api: &Api) -> CliResult {
    if args.yes {
        return Ok(());
    }
    let derived = if api.safety_derived { " (by its name; the catalog does not say)" } else { "" };
    let what = format!("{} on {} {}{derived}", api.name, args.account, deed(api.safety));
    if !person_is_there() {
        return Err(Error::usage(format!("{what}, and there is no terminal to confirm it on"))
            .with_hint("Add --yes to send it. --dry-run shows what would be sent.")
            .into());
    }
    if prompt::yes(&format!("{what}. Send it?")).await? {
        return Ok(());
    }
    say("Nothing was sent.");
    Err(CliError::Status(1))
}

fn deed(safety: Safety) -> &'static str {
    match safety {
        Safety::Idempotent => "changes something (repeating it does no harm)",
        Safety::Read => "only reads",
        Safety::Write => "changes something",
    }
}

async fn dry_run(args: &CallArgs, context: &Context, client: &Client, call: &Call) -> CliResult {
    let prepared = client.prepare(call).await?;
    warn_all(&prepared.warnings);
    let view = RequestView::new(&prepared, args.show_secrets);
    // The payload's form is JSON by default; a request that was not sent is for people first.
    context.printer(Format::Table).one(&view.record, |printer| printer.line(&view.curl))
}

/// A request that was not sent, as it is shown.
pub(super) struct RequestView {
    record: Value,
    curl: String,
}

impl RequestView {
    pub(super) fn new(prepared: &Prepared, show_secrets: bool) -> Self {
        let request = &prepared.request;
        let base = if show_secrets { prepared.base_string_with_secrets() } else { &prepared.base_string };
        let curl = prepared.curl(show_secrets);
        let shown = request.headers.iter().filter(|(name, _)| *name != CONTENT_TYPE);
        let headers: Vec<_> =
            shown.map(|(name, value)| json!([name.as_str(), value.to_str().unwrap_or_default()])).collect();
        let record = json!({
            "api": prepared.api,
            "shape": prepared.shape.as_str(),
            "method": request.method.as_str(),
            "url": if show_secrets { request.url.clone() } else { prepared.masked_url() },
            "headers": headers,
            "content_type": request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
            "body_bytes": request.body.len(),
            "base_string": base,
            "masked": !show_secrets,
            "curl": curl,
        });
        Self { record, curl }
    }
}

/// Prints requests that were not sent.
pub(super) fn show_requests(context: &Context, views: &[RequestView]) -> CliResult {
    let mut printer = context.printer(Format::Table);
    if printer.for_people() {
        views.iter().try_for_each(|view| printer.line(&view.curl))?;
        return printer.flush();
    }
    printer.records(views.iter().map(|view| &view.record))
}

async fn all_pages(context: &Context, client: &Client, call: Call) -> CliResult {
    let mut list = List::new(context.printer(Format::Json), Vec::new());
    let mut columns: Option<Columns> = None;
    let mut pages = client.pages(call);
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => return list.fail(error),
        };
        warn_all(&page.warnings);
        // The whole answer is not needed any more, and may be large.
        let Page { items, total, reply, .. } = page;
        drop(reply);
        let columns = columns.get_or_insert_with(|| {
            // The first page decides which columns there are.
            let columns = Columns::of(&items, list.format(), pages.has_more());
            list.set_columns(columns.titles());
            columns
        });
        list.page(&items, total, columns)?;
    }
    list.end()?;
    if let Some(columns) = columns {
        columns.say_left_out();
    }
    Ok(())
}

/// Prints one reply.
fn print_reply(mut printer: Printer, api: &Api, payload: &str) -> CliResult {
    if matches!(printer.format(), Format::Json | Format::Ndjson) {
        return printer.vendor_json(payload);
    }
    let value: &RawValue = serde_json::from_str(payload).map_err(|error| {
        Error::local(format!("the reply cannot be shown as a table: {error}"))
            .with_hint("Use --output json or --raw.")
    })?;
    let items = api.paging.as_ref().and_then(|paging| paging.items.as_deref());
    let rows = items.and_then(|items| path::rows(value, items)).filter(|rows| !rows.is_empty());
    match rows.or_else(|| columns::first_list(value, 0)) {
        Some(rows) if rows.len() > path::MAX_ROWS => Err(Error::new(
            ErrorKind::Envelope,
            format!("the reply has more than {} rows, which no page has", path::MAX_ROWS),
        )
        .with_retry(Retry::Never)
        .with_hint("Use --output json or --raw to look at it.")
        .into()),
        Some(rows) => columns::print(printer, &rows),
        None => columns::print_fields(printer, value),
    }
}
