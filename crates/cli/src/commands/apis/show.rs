//! `sesame apis show`: what an API takes, returns and refuses.

use serde_json::{Value as Json, json};
use sesame_catalog::{Api, ApiSummary, Catalog, Field, HttpMethods, Paging, Param, Safety};
use sesame_core::{Error, nearest::nearest, scalar::printable};
use sesame_sandbox::ReplySource;
use unicode_width::UnicodeWidthStr;

use super::{ShowArgs, samples::samples};
use crate::{
    context::Context,
    exit::CliResult,
    output::{Format, Printer},
};

/// The width of text for people.
const WIDTH: usize = 80;
/// How far lines that follow are indented, at most: a long name leaves no room beside it.
const WIDEST_INDENT: usize = 42;

pub(super) fn show(args: &ShowArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    let api = find(&catalog, &args.api, args.platform.as_deref())?;
    if args.skeleton {
        return context.printer(Format::Json).vendor_json(&Json::Object(api.skeleton()).to_string());
    }
    let source = ReplySource::of(catalog.platform(&api.platform)?, &api);
    let mut record = as_json(&api, source);
    let also = catalog.also(&api);
    let places = also.iter().map(|(platform, name)| json!({ "platform": platform, "name": name }));
    record["also"] = places.collect();
    let mut printer = context.printer(Format::Table);
    printer.one(&record, |printer| text(printer, &api, source, &also))
}

/// Finds an API of the catalog, on a platform or on the first that has it.
pub(crate) fn find(catalog: &Catalog, name: &str, platform: Option<&str>) -> CliResult<Api> {
    let mut platforms = catalog.platforms().iter();
    let api = match platform {
        Some(platform) => Some(catalog.api(platform, name)?),
        None => platforms.find_map(|other| catalog.api(&other.name, name).ok().filter(|api| api.known)),
    };
    Ok(api.filter(|api| api.known).ok_or_else(|| unknown(catalog, name, platform))?)
}

fn unknown(catalog: &Catalog, name: &str, platform: Option<&str>) -> Error {
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
fn as_json(api: &Api, source: ReplySource) -> Json {
    let samples = samples(api);
    json!({
        "platform": api.platform,
        "name": api.name,
        "title": api.title,
        "title_derived": api.title_derived,
        "title_zh": api.title_zh,
        "about": api.about,
        "about_zh": api.about_zh,
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
        "example": api.example_arguments(),
        "samples": {
            "sesame": samples.sesame,
            "curl": samples.curl,
            "rust": samples.rust,
            "python": samples.python,
        },
        "reply": api.reply,
        "sandbox": source.as_str(),
        "dates": api.dates,
        "quota": api.quota,
        "notes": api.notes,
        "group": api.group,
        "source": api.source,
        "known": api.known,
        "presumed": api.presumed,
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

fn text(printer: &mut Printer, api: &Api, source: ReplySource, also: &[(&str, String)]) -> CliResult {
    let title = api.title.as_deref().unwrap_or_default();
    printer.line(format_args!("{}  {}", api.name, printable(title)).to_string().trim_end())?;
    if let Some(title) = &api.title_zh {
        printer.line(printable(title))?;
    }
    for about in [&api.about, &api.about_zh].into_iter().flatten() {
        printer.line("")?;
        paragraph(printer, 0, about)?;
    }
    printer.line("")?;
    let mut line = |name: &str, value: &str| -> CliResult {
        if value.is_empty() { Ok(()) } else { hanging(printer, &format!("  {name:<10}"), value) }
    };
    let derived =
        if api.title_derived { "made of the words of the name; nobody has written one" } else { "" };
    line("title", derived)?;
    let presumed = if api.presumed { " (nobody has confirmed that it exists here)" } else { "" };
    line("platform", &format!("{}{presumed}", api.platform))?;
    let also: Vec<String> = also
        .iter()
        .map(
            |(platform, name)| {
                if *name == api.name { (*platform).to_owned() } else { format!("{name} on {platform}") }
            },
        )
        .collect();
    line("also", &also.join(", "))?;
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
    line("dates", api.dates.as_deref().unwrap_or_default())?;
    line("quota", api.quota.as_deref().unwrap_or_default())?;
    line("sandbox", &format!("{}: {}", source.as_str(), source.meaning()))?;
    if !api.params.is_empty() {
        printer.line("\nParameters (* required, ? not documented)")?;
        for param in &api.params {
            params(printer, param, 1)?;
        }
    }
    if let Some(paging) = &api.paging {
        let derived = if paging.derived {
            " (derived from the names of its fields; nobody has confirmed it)"
        } else {
            ""
        };
        printer.line("\nPages")?;
        paragraph(printer, 2, &format!("{}{derived}", paging_words(paging)))?;
        if let Some(advice) = &paging.advice {
            paragraph(printer, 2, advice)?;
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
        let (explained, bare): (Vec<_>, Vec<_>) =
            api.errors.iter().partition(|error| !error.says.is_empty() || !error.advice.is_empty());
        for error in explained {
            printer.line(format_args!("  {}", error.code))?;
            for text in [&error.says, &error.advice].into_iter().filter(|text| !text.is_empty()) {
                paragraph(printer, 6, text)?;
            }
        }
        if !bare.is_empty() {
            let codes: Vec<&str> = bare.iter().map(|error| error.code.as_str()).collect();
            paragraph(printer, 2, &format!("also documented, without a meaning: {}", codes.join(", ")))?;
        }
    }
    if !api.notes.is_empty() {
        printer.line("\nNotes")?;
        for text in &api.notes {
            paragraph(printer, 2, text)?;
        }
    }
    if let Some(reply) = &api.reply {
        printer.line("\nSample reply")?;
        let text = serde_json::to_string_pretty(reply).unwrap_or_default();
        text.lines().try_for_each(|line| printer.line(format_args!("  {}", printable(line))))?;
    }
    let samples = samples(api);
    for (title, line) in [
        ("Example", &samples.sesame),
        ("With curl", &samples.curl),
        ("In Rust", &samples.rust),
        ("In Python", &samples.python),
    ]
    .into_iter()
    .filter(|(_, line)| !line.is_empty())
    {
        printer.line(format_args!("\n{title}\n  {}", printable(line)))?;
    }
    if let Some(source) = &api.source {
        printer.line("")?;
        hanging(printer, "Source: ", source)?;
    }
    Ok(())
}

/// Prints a text, broken at blanks to fit the width for people.
fn paragraph(printer: &mut Printer, indent: usize, text: &str) -> CliResult {
    hanging(printer, &" ".repeat(indent), text)
}

/// Prints a text behind a beginning, broken at blanks; what follows stands under its first word.
fn hanging(printer: &mut Printer, beginning: &str, text: &str) -> CliResult {
    let text = printable(text);
    let indent = beginning.width().min(WIDEST_INDENT);
    let mut line = beginning.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.width() + 1 + word.width() > WIDTH {
            printer.line(line.trim_end())?;
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    printer.line(line.trim_end())
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
    let beginning = format!(
        "{:indent$}{mark} {:<width$} {:<9} ",
        "",
        printable(&param.name),
        format!("{}{list}", word(param.kind)),
        indent = depth * 2,
        width = 26_usize.saturating_sub(depth * 2),
    );
    hanging(printer, &beginning, &limits.join("; "))?;
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

#[cfg(test)]
mod tests {
    use sesame_core::encode::{self, Wire};

    use super::*;
    use crate::{commands::apis::samples::words, parameters};

    #[test]
    fn every_entry_is_shown_and_its_example_is_read_as_it_was_meant() {
        let catalog = Catalog::builtin();
        let mut printer = Printer::nowhere(Format::Table);
        let mut wrong = Vec::new();
        for platform in catalog.platforms() {
            for listed in catalog.list(&platform.name) {
                let api = catalog.api(&platform.name, &listed.name).unwrap();
                let source = ReplySource::of(platform, &api);
                text(&mut printer, &api, source, &[]).unwrap();
                let shown = as_json(&api, source);
                assert!(["world", "documented", "generated"].contains(&shown["sandbox"].as_str().unwrap()));
                let meant = api.example_arguments();
                let wire = |_: &str| Wire { comma_list: false, xml_root: Some("Request") };
                let flat = |args: &_| {
                    let params = encode::flatten(api.shape, args, wire).ok()?;
                    Some(params.texts().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>())
                };
                match parameters::read(&words(&meant), serde_json::Map::new(), &api) {
                    // A token call of 1688 has a parameter that every call has, and cannot be called by name.
                    Ok(read) if flat(&meant).is_none() && api.name.contains("oauth2") => drop(read),
                    Ok(read) if flat(&meant).is_some() && flat(&read.values) == flat(&meant) => {}
                    Ok(read) => {
                        let read = Json::Object(read.values);
                        wrong.push(format!(
                            "{} {}: {} was read as {read}",
                            api.platform,
                            api.name,
                            Json::Object(meant)
                        ));
                    }
                    Err(_) => wrong.push(format!(
                        "{} {}: {} cannot be read",
                        api.platform,
                        api.name,
                        Json::Object(meant)
                    )),
                }
            }
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
