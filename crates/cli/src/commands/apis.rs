//! `sesame apis search|list|show`: the catalog of APIs.

use serde_json::{Value as Json, json};
use sesame_catalog::{Api, ApiSummary, Field, HttpMethods, Paging, Param, Safety};
use sesame_core::{Error, command_line::quote, nearest::nearest};

use crate::{
    context::Context,
    exit::{CliError, CliResult, note},
    output::{Format, Printer},
    table::Rows,
};

/// The commands of `apis`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ApisCommand {
    /// Finds APIs by words of their name, title or group.
    #[command(after_help = "\
Examples:
  sesame apis search product list
  sesame apis search order --platform lazada --limit 50 --output json

JSON: [{\"platform\",\"name\",\"title\",\"group\",\"safety\"}]; exits 1 if nothing is found.")]
    Search(SearchArgs),
    /// Lists the APIs of a platform.
    #[command(after_help = "\
Examples:
  sesame apis list lazada
  sesame apis list 1688 --output csv

JSON: as `apis search`.")]
    List(ApisListArgs),
    /// Shows what an API takes and returns.
    #[command(after_help = "\
Examples:
  sesame apis show /alibaba/icbu/product/list
  sesame apis show api.findAeProductById --platform aliexpress-legacy
  sesame apis show /products/get --output json

JSON: {\"platform\",\"name\",\"title\",\"shape\",\"path\",\"namespace\",\"version\",\"http\",\"auth\",\"signed\",
       \"safety\",\"safety_derived\",\"params\":[..],\"response\":[..],\"paging\",\"aliases\",\"errors\",
       \"example\",\"notes\",\"group\",\"source\",\"known\",\"also_on\":[..]}
In params and response: n is the name, t the type, l says that it is a list, r that it is required (left \
out where nobody knows), vt the vendor's word for the type, eg an example, c the members of an object.")]
    Show(ShowArgs),
}

/// Options of `apis search`.
#[derive(Debug, clap::Args)]
pub(crate) struct SearchArgs {
    /// Words that must all occur.
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Only this platform.
    #[arg(long, short, value_name = "PLATFORM")]
    platform: Option<String>,
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
}

/// Runs one of them.
pub(crate) fn run(command: ApisCommand, context: &Context) -> CliResult {
    match command {
        ApisCommand::Search(args) => search(&args, context),
        ApisCommand::List(args) => list(&args, context),
        ApisCommand::Show(args) => show(&args, context),
    }
}

fn search(args: &SearchArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    if let Some(platform) = &args.platform {
        catalog.platform(platform)?;
    }
    let text = args.text.join(" ");
    let found = catalog.search(&text, args.platform.as_deref(), args.limit.clamp(1, 10_000));
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

fn show(args: &ShowArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    let (api, also) = if let Some(platform) = &args.platform {
        catalog.platform(platform)?;
        (catalog.api(platform, &args.api)?, Vec::new())
    } else {
        let platforms = catalog.platforms().iter();
        let mut found = platforms
            .filter_map(|platform| catalog.api(&platform.name, &args.api).ok())
            .filter(|api| api.known);
        let first = found.next().ok_or_else(|| unknown(&catalog, &args.api, None))?;
        let also: Vec<String> = found.map(|api| api.platform).collect();
        (first, also)
    };
    if !api.known {
        return Err(unknown(&catalog, &args.api, args.platform.as_deref()).into());
    }
    let mut record = as_json(&api);
    record["also_on"] = json!(also);
    let mut printer = context.printer(Format::Table);
    printer.one(&record, |printer| text(printer, &api, &also))
}

fn unknown(catalog: &sesame_catalog::Catalog, name: &str, platform: Option<&str>) -> Error {
    let platforms =
        catalog.platforms().iter().filter(|known| platform.is_none_or(|wanted| known.name == wanted));
    let known: Vec<ApiSummary> = platforms.flat_map(|platform| catalog.list(&platform.name)).collect();
    let near = nearest(name, known.iter().map(|api| api.name.as_str()))
        .and_then(|name| known.iter().find(|api| api.name == name))
        .map(|api| format!("Did you mean {} on {}? ", api.name, api.platform))
        .unwrap_or_default();
    let place = platform.map_or_else(String::new, |platform| format!(" of {platform}"));
    Error::usage(format!("the catalog{place} has no API {name:?}")).with_hint(format!(
        "{near}`sesame apis search TEXT` finds names; `sesame call` takes any name the platform knows."
    ))
}

/// The parts of an API as JSON, in the names of the catalog's own files.
fn as_json(api: &Api) -> Json {
    json!({
        "platform": api.platform,
        "name": api.name,
        "title": api.title,
        "shape": api.shape.as_str(),
        "path": api.path,
        "namespace": api.namespace,
        "version": api.version,
        "http": api.http.map(http_word),
        "auth": api.auth,
        "signed": api.signed,
        "safety": api.safety.as_str(),
        "safety_derived": api.safety_derived,
        "params": api.params,
        "response": api.response,
        "paging": api.paging,
        "aliases": api.aliases,
        "errors": api.errors,
        "example": api.example,
        "notes": api.notes,
        "group": api.group,
        "source": api.source,
        "known": api.known,
    })
}

fn http_word(methods: HttpMethods) -> &'static str {
    match methods {
        HttpMethods::Get => "GET",
        HttpMethods::Post => "POST",
        HttpMethods::Both => "GET|POST",
        HttpMethods::Put => "PUT",
    }
}

fn text(printer: &mut Printer, api: &Api, also: &[String]) -> CliResult {
    let title = api.title.as_deref().unwrap_or_default();
    printer.line(
        format_args!("{}  {}", api.name, sesame_core::scalar::printable(title)).to_string().trim_end(),
    )?;
    printer.line("")?;
    let mut line = |name: &str, value: &str| -> CliResult {
        if value.is_empty() {
            Ok(())
        } else {
            printer.line(format_args!("  {name:<10}{}", sesame_core::scalar::printable(value)))
        }
    };
    line(
        "platform",
        &if also.is_empty() {
            api.platform.clone()
        } else {
            format!("{} (also on: {})", api.platform, also.join(", "))
        },
    )?;
    line(
        "shape",
        &match &api.path {
            Some(path) => format!("{}, path {path}", api.shape),
            None => api.shape.to_string(),
        },
    )?;
    if let Some(methods) = api.http {
        line("http", http_word(methods))?;
    }
    line(
        "token",
        match api.auth {
            Some(true) => "needed",
            Some(false) => "not needed",
            None => "not documented",
        },
    )?;
    let derived = if api.safety_derived { " (derived from the name; nobody has confirmed it)" } else { "" };
    line("safety", &format!("{}{derived}", safety_words(api.safety)))?;
    line("group", api.group.as_deref().unwrap_or_default())?;
    line("aliases", &api.aliases.join(", "))?;
    if !api.params.is_empty() {
        printer.line("\nParameters (* required, ? not documented)")?;
        for param in &api.params {
            params(printer, param, 1)?;
        }
    }
    if let Some(paging) = &api.paging {
        printer.line(format_args!("\nPages\n  {}", paging_words(paging)))?;
        if let Some(advice) = &paging.advice {
            printer.line(format_args!("  {advice}"))?;
        }
    }
    if !api.response.is_empty() {
        printer.line("\nReply")?;
        for field in &api.response {
            fields(printer, field, 1)?;
        }
    }
    if !api.errors.is_empty() {
        printer.line("\nErrors")?;
        for error in &api.errors {
            printer.line(format_args!("  {}  {}", error.code, error.says).to_string().trim_end())?;
        }
    }
    if !api.notes.is_empty() {
        printer.line("\nNotes")?;
        for text in &api.notes {
            printer.line(format_args!("  {}", sesame_core::scalar::printable(text)))?;
        }
    }
    printer.line(format_args!("\nExample\n  {}", example(api)))?;
    if let Some(source) = &api.source {
        printer.line(format_args!("\nSource: {}", sesame_core::scalar::printable(source)))?;
    }
    Ok(())
}

fn safety_words(safety: Safety) -> &'static str {
    match safety {
        Safety::Read => "read: changes nothing",
        Safety::Idempotent => "idempotent: twice is the same as once; asks before it is sent",
        Safety::Write => "write: asks before it is sent, and is never sent twice",
    }
}

fn params(printer: &mut Printer, param: &Param, depth: usize) -> CliResult {
    let mark = match param.required {
        Some(true) => "*",
        Some(false) => " ",
        None => "?",
    };
    let list = if param.list { "[]" } else { "" };
    let mut limits = Vec::new();
    if let Some(length) = param.max_len {
        limits.push(format!("at most {length} characters"));
    }
    match (param.min, param.max) {
        (Some(min), Some(max)) => limits.push(format!("{min} to {max}")),
        (Some(min), None) => limits.push(format!("from {min}")),
        (None, Some(max)) => limits.push(format!("up to {max}")),
        (None, None) => {}
    }
    if let Some(items) = param.max_items {
        limits.push(format!("at most {items} items"));
    }
    if !param.values.is_empty() {
        let values: Vec<String> = param.values.iter().map(plain).collect();
        limits.push(format!("one of {}", values.join(", ")));
    }
    if let Some(default) = &param.default {
        limits.push(format!("default {}", plain(default)));
    }
    limits.extend(param.note.clone());
    printer.line(
        format_args!(
            "{:indent$}{mark} {:<width$} {:<9} {}",
            "",
            param.name,
            format!("{}{list}", word(param.kind)),
            sesame_core::scalar::printable(&limits.join("; ")),
            indent = depth * 2,
            width = 26_usize.saturating_sub(depth * 2),
        )
        .to_string()
        .trim_end(),
    )?;
    param.children.iter().filter(|_| depth < 16).try_for_each(|child| params(printer, child, depth + 1))
}

fn fields(printer: &mut Printer, field: &Field, depth: usize) -> CliResult {
    let list = if field.list { "[]" } else { "" };
    let kind = if field.children.is_empty() { word(field.kind) } else { String::new() };
    let name = format!("{}{list}", field.name);
    let line = format!(
        "{:indent$}{name:<width$} {kind}",
        "",
        indent = depth * 2,
        width = 30_usize.saturating_sub(depth * 2)
    );
    printer.line(line.trim_end())?;
    field.children.iter().filter(|_| depth < 16).try_for_each(|child| fields(printer, child, depth + 1))
}

fn word(kind: sesame_catalog::Type) -> String {
    format!("{kind:?}").to_lowercase()
}

fn plain(value: &Json) -> String {
    sesame_core::scalar::text(value).unwrap_or_else(|| value.to_string())
}

fn paging_words(paging: &Paging) -> String {
    let mut words = vec![match paging.style {
        sesame_catalog::PagingStyle::Page => format!("by page number in {}", paging.index),
        sesame_catalog::PagingStyle::Offset => format!("by row offset in {}", paging.index),
        sesame_catalog::PagingStyle::Cursor => format!("by cursor in {}", paging.index),
    }];
    if let Some(first) = paging.first {
        words.push(format!("the first is {first}"));
    }
    match (&paging.size, paging.max_size, paging.fixed_size) {
        (_, _, Some(fixed)) => words.push(format!("{fixed} rows each")),
        (Some(size), Some(most), None) => words.push(format!("{size} rows each, at most {most}")),
        (Some(size), None, None) => words.push(format!("{size} rows each")),
        _ => {}
    }
    if let Some(items) = &paging.items {
        words.push(format!("rows in {items}"));
    }
    if let Some(total) = &paging.total {
        words.push(format!("total in {total}"));
    }
    if let Some(reachable) = paging.reachable {
        words.push(format!("only the first {reachable} rows can be reached"));
    }
    words.join("; ")
}

/// Writes a command line that calls the API with its example, or with its required parameters.
fn example(api: &Api) -> String {
    let mut line = format!("sesame call ACCOUNT {}", quote(&api.name));
    let mut add = |text: String| {
        line.push(' ');
        line.push_str(&text);
    };
    if let Some(Json::Object(arguments)) = &api.example {
        for (name, value) in arguments {
            add(match value {
                Json::String(text) => quote(&format!("{name}={text}")),
                other => quote(&format!("{name}:={other}")),
            });
        }
    } else {
        for param in api.params.iter().filter(|param| param.required == Some(true)) {
            add(match (param.kind, param.list || !param.children.is_empty()) {
                (sesame_catalog::Type::Bytes, _) => format!("{}=@FILE", param.name),
                (_, true) => format!("{}:=JSON", param.name),
                _ => format!("{}={}", param.name, word(param.kind).to_uppercase()),
            });
        }
    }
    if api.paging.is_some() {
        line.push_str(" --all --output ndjson");
    } else if api.safety != Safety::Read {
        line.push_str(" --yes");
    }
    line
}
