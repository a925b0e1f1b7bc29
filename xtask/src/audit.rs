//! Where each fact of the catalog is from, and when it was looked up.
//!
//! A fact of `platforms.toml`, of the error tables, of the facets and of the actions has a source and a
//! date, its own or those of the entry or file that it stands in, and says if it is a guess. `audit` prints
//! all of them, so that a sample can be held against the sources again.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use toml::{Table, Value};

/// One fact.
struct Fact {
    place: String,
    source: String,
    date: String,
    is_guess: bool,
}

/// What stands above a fact and holds for it, too.
#[derive(Clone, Copy, Default)]
struct Above<'a> {
    source: Option<&'a str>,
    date: Option<&'a str>,
}

impl<'a> Above<'a> {
    fn with(self, table: &'a Table) -> Self {
        Self { source: text(table, "source").or(self.source), date: text(table, "date").or(self.date) }
    }
}

/// Prints every fact, one a line: place, source, date, and `guess` where it is one.
///
/// # Errors
/// The facts without a source or with a date that is none, after the table.
pub(crate) fn check(root: &Path) -> Result<String> {
    let data = root.join("crates/catalog/data");
    let mut facts = Vec::new();
    for (name, facts_of) in [
        ("platforms.toml", platforms as fn(&Table, &str, &mut Vec<Fact>)),
        ("errors", errors),
        ("facets", facets),
        ("actions", facets),
    ] {
        for (place, table) in tables(&data.join(name), name)? {
            facts_of(&table, &place, &mut facts);
        }
    }
    let unknown: Vec<String> = facts.iter().filter_map(complaint).collect();
    let mut out = String::from("place\tsource\tdate\tguess\n");
    for Fact { place, source, date, is_guess } in &facts {
        writeln!(out, "{place}\t{source}\t{date}\t{}", if *is_guess { "guess" } else { "" })?;
    }
    if !unknown.is_empty() {
        bail!("{} of {} facts: {}", unknown.len(), facts.len(), unknown.join("; "));
    }
    if facts.len() < 100 {
        bail!("only {} facts were found", facts.len());
    }
    Ok(out)
}

/// Says what a fact lacks.
fn complaint(fact: &Fact) -> Option<String> {
    let is_date = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        matches!(parts.as_slice(), [year, month, day]
            if year.len() == 4 && month.len() == 2 && day.len() == 2
                && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())))
    };
    let lacks = match (fact.source.trim().is_empty(), is_date(&fact.date)) {
        (false, true) => return None,
        (true, true) => "a source",
        (false, false) => "a date",
        (true, false) => "a source and a date",
    };
    Some(format!("{} has not {lacks}", fact.place))
}

fn platforms(file: &Table, place: &str, out: &mut Vec<Fact>) {
    for platform in list(file, "platform") {
        let name = text(platform, "name").unwrap_or("?");
        let above = Above::default().with(platform);
        fact(platform, format!("{place} {name}"), Above::default(), out);
        for (key, value) in platform {
            let place = |what: &str| format!("{place} {name} {key}{what}");
            match value {
                Value::Table(table) if table.contains_key("source") => fact(table, place(""), above, out),
                Value::Array(entries) => {
                    for entry in entries.iter().filter_map(Value::as_table) {
                        // A region or a quota says itself where it is known from.
                        let own = ["name", "api"].iter().find_map(|key| text(entry, key)).unwrap_or_default();
                        fact(entry, place(&format!(" {own}")), Above { source: None, ..above }, out);
                    }
                }
                // Time zone, digests, headers and the like: as the platform says of itself.
                Value::Table(_) => fact(&Table::new(), place(""), above, out),
                _ => {}
            }
        }
    }
    for flag in list(file, "flag") {
        fact(flag, format!("{place} flag {}", text(flag, "flag").unwrap_or("?")), Above::default(), out);
    }
    if let Some(refusal) = file.get("refusal").and_then(Value::as_table) {
        fact(refusal, format!("{place} refusal"), Above::default(), out);
    }
}

fn errors(file: &Table, place: &str, out: &mut Vec<Fact>) {
    for error in list(file, "error") {
        let name: Vec<&str> = ["code", "sub_code"].iter().filter_map(|key| text(error, key)).collect();
        fact(error, format!("{place} {}", name.join(" / ")), Above::default().with(file), out);
    }
}

fn facets(file: &Table, place: &str, out: &mut Vec<Fact>) {
    let empty = Table::new();
    for kind in ["facet", "action"] {
        for (name, entry) in file.get(kind).and_then(Value::as_table).into_iter().flatten() {
            let entry = entry.as_table().unwrap_or(&empty);
            let above = Above::default().with(file);
            fact(entry, format!("{place} {kind} {name}"), above, out);
            for (word, meaning) in entry.get("stages").and_then(Value::as_table).into_iter().flatten() {
                let meaning = meaning.as_table().unwrap_or(&empty);
                fact(meaning, format!("{place} {name} {word}"), above.with(entry), out);
            }
        }
    }
}

fn fact(table: &Table, place: String, above: Above<'_>, out: &mut Vec<Fact>) {
    let Above { source, date } = above.with(table);
    let source = source.unwrap_or_default().to_owned();
    // What no document says is a guess, marked or not.
    let is_guess = table.get("guess").and_then(Value::as_bool).unwrap_or_default();
    out.push(Fact { place, source, date: date.unwrap_or_default().to_owned(), is_guess });
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

fn list<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

/// Reads a file, or all files of a folder.
fn tables(path: &Path, name: &str) -> Result<Vec<(String, Table)>> {
    let read = |file: &Path| -> Result<Table> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        text.parse().with_context(|| file.display().to_string())
    };
    if path.is_file() {
        return Ok(vec![(name.to_owned(), read(path)?)]);
    }
    let mut out = Vec::new();
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            let stem = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            out.push((format!("{name}/{stem}"), read(&file)?));
        }
    }
    out.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_without_source_or_date_is_named() {
        let file: Table = r#"
            [[platform]]
            name = "a"
            source = "s"
            date = "2026-11-21"
            [[platform.regions]]
            name = "sg"
            [platform.tokens]
            source = "t"
            date = "soon"
            guess = true
        "#
        .parse()
        .expect("TOML");
        let mut facts = Vec::new();
        platforms(&file, "p", &mut facts);
        let complaints: Vec<String> = facts.iter().filter_map(complaint).collect();
        assert_eq!(complaints, ["p a regions sg has not a source", "p a tokens has not a date"]);
        assert!(facts.iter().any(|fact| fact.is_guess && fact.place == "p a tokens"));
    }

    #[test]
    fn an_error_inherits_what_its_file_says() {
        let file: Table = r#"
            source = "s"
            [[error]]
            code = "1"
            date = "2026-11-21"
            [[error]]
            code = "2"
        "#
        .parse()
        .expect("TOML");
        let mut facts = Vec::new();
        errors(&file, "e", &mut facts);
        let complaints: Vec<String> = facts.iter().filter_map(complaint).collect();
        assert_eq!(complaints, ["e 2 has not a date"]);
    }
}
