//! Prints in what two catalogs differ.

use serde_json::{Value as Json, json};
use sesame_core::scalar::printable;
use sesame_documents::{ApiChange, ChangeKind, Difference};

use crate::{exit::CliResult, output::Printer};

/// The width of text for people.
const WIDTH: usize = 80;

/// A change as a record for programs.
pub(crate) fn record(platform: &str, change: &ApiChange) -> Json {
    json!({
        "platform": platform,
        "name": change.name,
        "change": change.change,
        "differences": change.differences,
    })
}

/// Prints an API: what sign stands in front of it says whether it is new, gone or changed.
pub(crate) fn print(printer: &mut Printer, platform: &str, change: &ApiChange) -> CliResult {
    let sign = match change.change {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => '~',
    };
    printer.line(format_args!("{sign} {platform} {}", printable(&change.name)))?;
    for difference in &change.differences {
        printer.line(clipped(&format!("    {}", words(difference))))?;
    }
    Ok(())
}

/// Counts changes in words.
pub(crate) fn counts<'a>(changes: impl IntoIterator<Item = &'a ApiChange>) -> String {
    let (mut added, mut removed, mut changed) = (0, 0, 0);
    for change in changes {
        match change.change {
            ChangeKind::Added => added += 1,
            ChangeKind::Removed => removed += 1,
            ChangeKind::Changed => changed += 1,
        }
    }
    format!("{added} added, {removed} removed, {changed} changed")
}

fn words(difference: &Difference) -> String {
    let place = match &difference.key {
        Some(key) => format!("{} {key}", difference.field),
        None => difference.field.clone(),
    };
    match (&difference.old, &difference.new) {
        (None, Some(new)) if difference.key.is_none() => format!("{place}: added, {}", short(new)),
        (Some(old), None) if difference.key.is_none() => format!("{place}: removed, {}", short(old)),
        (old, new) => {
            let of = |value: &Option<Json>| value.as_ref().map_or_else(|| "none".to_owned(), short);
            format!("{place}: {} -> {}", of(old), of(new))
        }
    }
}

/// A parameter or a field is its type and whether it is required; all else is itself.
fn short(value: &Json) -> String {
    if let Some(kind) = value["t"].as_str() {
        let list = if value["l"] == true { "[]" } else { "" };
        let required = if value["r"] == true { ", required" } else { "" };
        return format!("{kind}{list}{required}");
    }
    match value {
        Json::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}
