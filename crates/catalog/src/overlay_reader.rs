//! Reads an overlay: what can be used of it, and all that is wrong, with line and column.
//!
//! The build script reads this file too, so nothing here may use other modules than `overlay`, `record` and
//! `names`, nor `sesame_core`.

use std::{collections::BTreeMap, ops::Range};

use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    names,
    overlay::{LARGEST, Mistake, Overlay, Patch},
    record::{Paging, PagingStyle},
};

/// After this number of mistakes in a file the rest of an entry is not looked at.
const MOST_MISTAKES: usize = 100;

impl Overlay {
    /// Reads and checks one file: what can be used of it, and all that is wrong. An entry with a mistake is
    /// left out; a file that is no TOML, or does not say for what and from where it is, cannot be used.
    pub fn parse(text: &str) -> (Option<Self>, Vec<Mistake>) {
        let mut reader = Reader { text, mistakes: Vec::new() };
        let overlay = reader.overlay();
        (overlay, reader.mistakes)
    }
}

/// Reads a file and notes what is wrong with it.
struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, at: Option<Range<usize>>, key: impl Into<String>, why: impl Into<String>) {
        let place = at.map(|at| place_of(self.text, at.start));
        self.mistakes.push(Mistake { place, key: key.into(), why: why.into() });
    }

    fn overlay(&mut self) -> Option<Overlay> {
        if self.text.len() > LARGEST {
            let why = format!("the file has {} bytes; an overlay has at most {LARGEST}", self.text.len());
            self.wrong(None, "", why);
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.wrong(error.span(), "", error.message().trim().replace('\n', "; "));
        }
        // What was read around a hole may not be what was meant.
        if !errors.is_empty() {
            return None;
        }
        let mut head = BTreeMap::new();
        let (mut apis, mut facets, mut actions) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (key, value) in table.into_inner() {
            let span = key.span();
            match (key.get_ref().as_ref(), value.get_ref()) {
                (key @ ("platform" | "source" | "date"), DeValue::String(text)) => {
                    head.insert(key.to_owned(), (text.to_string(), value.span()));
                }
                ("api", DeValue::Array(items)) => {
                    for (nth, item) in items.iter().enumerate() {
                        apis.extend(self.api(nth, item));
                    }
                }
                (kind @ ("facet" | "action"), DeValue::Table(named)) => {
                    let found = if kind == "facet" { &mut facets } else { &mut actions };
                    for (name, fields) in named {
                        let name = name.get_ref().to_string();
                        if let Some(fields) = self.value(&format!("{kind}.{name}"), fields) {
                            found.insert(name, fields);
                        }
                    }
                }
                (key @ ("platform" | "source" | "date"), _) => self.wrong(Some(span), key, "is not a text"),
                (key @ ("api" | "facet" | "action"), _) => {
                    let why = format!("write [[api]], [facet.NAME] or [action.NAME], not `{key} =`");
                    self.wrong(Some(span), key, why);
                }
                (other, _) => self.wrong(Some(span), other, format!("unknown field `{other}`")),
            }
        }
        let mut take = |key: &str, says: &str, good: &dyn Fn(&str) -> bool| match head.remove(key) {
            Some((text, _)) if good(&text) => Some(text),
            Some((_, span)) => {
                self.wrong(Some(span), key, says);
                None
            }
            None => {
                self.wrong(None, key, format!("missing field `{key}`"));
                None
            }
        };
        let is_there = |text: &str| !text.trim().is_empty();
        let platform = take("platform", "is empty", &is_there);
        let source = take("source", "is empty: say where these facts are from", &is_there);
        let date = take("date", "is not a date like 2026-11-21", &is_date);
        Some(Overlay { platform: platform?, source: source?, date: date?, apis, facets, actions })
    }

    /// Reads one `[[api]]`.
    fn api(&mut self, nth: usize, item: &Spanned<DeValue<'a>>) -> Option<Patch> {
        let key = format!("api[{nth}]");
        let (patch, is_whole) = self.readable::<Patch>(&key, item)?;
        let span_of = |field: &str| {
            let members = item.get_ref().as_table().into_iter().flatten();
            let found = members.into_iter().find(|(key, _)| key.get_ref() == field);
            found.map_or_else(|| item.span(), |(key, _)| key.span())
        };
        let wrong = check(&patch);
        for (field, why) in &wrong {
            let name = field.split(['[', '.']).next().unwrap_or_default();
            self.wrong(Some(span_of(name)), format!("{key}.{field}"), why);
        }
        (is_whole && wrong.is_empty()).then_some(patch)
    }

    /// Reads a value that has no mistake.
    fn value<T: DeserializeOwned>(&mut self, key: &str, value: &Spanned<DeValue<'a>>) -> Option<T> {
        self.readable(key, value).filter(|(_, is_whole)| *is_whole).map(|(read, _)| read)
    }

    /// Reads a value. After a mistake in one of its keys the others are read all the same, so that all
    /// mistakes are told at once; `false` says that there was one.
    fn readable<T: DeserializeOwned>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'a>>,
    ) -> Option<(T, bool)> {
        let mut rest = value.clone();
        let mut is_good = true;
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(rest.clone().into_deserializer()) {
                Ok(read) => return Some((read, is_good)),
                Err(error) => error,
            };
            let inner = match error.path().to_string() {
                path if path == "." => key.to_owned(),
                path => format!("{key}.{path}"),
            };
            let span = error.inner().span().unwrap_or_else(|| value.span());
            self.wrong(Some(span.clone()), inner, error.inner().message().trim().replace('\n', "; "));
            is_good = false;
            let DeValue::Table(members) = rest.get_mut() else { return None };
            let before = members.len();
            let first = match error.path().iter().next() {
                Some(serde_path_to_error::Segment::Map { key }) => key.as_str(),
                _ => "",
            };
            let holds = |of: Range<usize>| of.start <= span.start && span.start < of.end;
            *members = std::mem::take(members)
                .into_iter()
                .filter(|(key, value)| key.get_ref() != first && !holds(key.span()) && !holds(value.span()))
                .collect();
            // A key that is missing, say.
            if members.len() == before || self.mistakes.len() >= MOST_MISTAKES {
                return None;
            }
        }
    }
}

/// Says what is wrong with an entry that can be read: field and reason.
fn check(api: &Patch) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, why: String| wrong.push((field.to_owned(), why));
    let is_name = |name: &str| names::parse(name, true).is_ok() || names::parse(name, false).is_ok();
    if !is_name(&api.name) {
        let why = names::parse(&api.name, false).err().unwrap_or_default();
        say("name", format!("{:?} {why}", shorten(&api.name)));
    }
    if api.date.as_deref().is_some_and(|date| !is_date(date)) {
        say("date", "is not a date like 2026-11-21".to_owned());
    }
    for (nth, alias) in api.aliases.iter().enumerate().filter(|(_, alias)| !is_name(alias)) {
        say(&format!("aliases[{nth}]"), format!("invalid API name {:?}", shorten(alias)));
    }
    for (nth, param) in api.params.iter().enumerate() {
        if param.n.is_empty() || param.n.chars().any(char::is_control) {
            say(&format!("params[{nth}].n"), "invalid parameter name".to_owned());
        }
    }
    if let Some(Err(why)) = api.paging.as_ref().map(check_paging) {
        say("paging", why);
    }
    if api.paging.is_some() && api.drop_paging {
        say("drop_paging", "says that it does not page, and `paging` says how".to_owned());
    }
    if api.example.as_ref().is_some_and(|example| !example.is_object()) {
        say("example", "is not a table of arguments".to_owned());
    }
    if let Some(Err(error)) = api.reply.as_deref().map(serde_json::from_str::<Json>) {
        say("reply", format!("invalid JSON: {error}"));
    }
    wrong
}

fn check_paging(paging: &Paging) -> Result<(), String> {
    if paging.index.is_empty() {
        return Err("index is empty".to_owned());
    }
    if paging.first.is_some_and(|first| first > 1) {
        return Err("first is 0 or 1".to_owned());
    }
    if paging.max_size == Some(0) || paging.fixed_size == Some(0) {
        return Err("a page of no rows never ends".to_owned());
    }
    if paging.style == PagingStyle::Cursor && paging.next.is_none() {
        return Err("the style \"cursor\" needs next: where a reply says how to go on".to_owned());
    }
    let counted = paging.total.is_some() && paging.key.is_some() && paging.reachable.is_none();
    if paging.backward && (paging.style != PagingStyle::Page || !counted || paging.max_index.is_some()) {
        return Err("backward takes the style \"page\", total and key, and no limit of what can be reached"
            .to_owned());
    }
    if paging.fixed_size.is_some() && paging.size.is_some() {
        return Err("fixed_size says that the size cannot be chosen, and size names the parameter".to_owned());
    }
    Ok(())
}

fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    shape && matches!(text[5..7].parse(), Ok(1..=12)) && matches!(text[8..10].parse(), Ok(1..=31))
}

fn shorten(text: &str) -> String {
    let mut out: String = text.chars().take(60).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// Returns line and column, from 1.
fn place_of(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}
