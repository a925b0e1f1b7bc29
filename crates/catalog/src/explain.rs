//! What a code means: the error tables, and the notes of single APIs.

use std::collections::BTreeSet;

use sesame_core::{
    ErrorKind, Fault, Protocol, Result,
    classify::{ErrorRule, RetryRule},
};

use crate::{
    Platform,
    embedded::{Entry, Tables},
    platforms::{self, Scoped},
    record::ApiErrorNote,
    words::split,
};

/// What one code means somewhere.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The protocol (`iop`), the platforms (`lazada, daraz`), or one API (`alibaba /icbu/product/list`); with
    /// commas where several say the same.
    pub scope: String,
    /// The rule. The note of one API is a business error.
    pub rule: ErrorRule,
}

/// Maximum number of APIs that are named for one code.
const MOST_APIS: usize = 50;

/// Returns all rules by scope, protocols first.
pub(crate) fn scopes() -> Vec<(String, Vec<&'static ErrorRule>)> {
    let mut out: Vec<(String, Vec<&'static ErrorRule>)> = Vec::new();
    for error in &platforms::loaded().errors {
        let scope = match (&error.protocol, error.platforms.is_empty()) {
            (_, false) => error.platforms.join(", "),
            (Some(protocol), true) => protocol.as_str().to_owned(),
            (None, true) => continue,
        };
        match out.iter_mut().find(|(found, _)| *found == scope) {
            Some((_, rules)) => rules.push(&error.rule),
            None => out.push((scope, vec![&error.rule])),
        }
    }
    let protocol = |scope: &str| scope.parse::<Protocol>().is_ok();
    out.sort_by_key(|(scope, _)| !protocol(scope));
    out
}

/// Where a code is looked up.
pub(crate) enum Place<'a> {
    Everywhere,
    Protocol(Protocol),
    Platform(&'a Platform),
}

impl Place<'_> {
    /// Looks up a platform or a protocol.
    pub(crate) fn named(name: Option<&str>) -> Result<Self> {
        let Some(name) = name else { return Ok(Self::Everywhere) };
        match (name.parse(), platforms::platform(name)) {
            (_, Ok(platform)) => Ok(Self::Platform(platform)),
            (Ok(protocol), _) => Ok(Self::Protocol(protocol)),
            (Err(_), Err(error)) => Err(error),
        }
    }

    fn has_rule(&self, rule: &Scoped<ErrorRule>) -> bool {
        let of_protocol = |protocol: Protocol| match rule.platforms.first() {
            None => rule.protocol == Some(protocol),
            Some(name) => platforms::platform(name).is_ok_and(|platform| platform.protocol == protocol),
        };
        match self {
            Self::Everywhere => true,
            Self::Protocol(protocol) => of_protocol(*protocol),
            Self::Platform(platform) if rule.platforms.is_empty() => rule.protocol == Some(platform.protocol),
            Self::Platform(platform) => rule.platforms.contains(&platform.name),
        }
    }

    /// Returns `true` for a catalog that platforms of this place look through.
    fn has_catalog(&self, name: &str) -> bool {
        let looks_in =
            |platform: &Platform| platform.name == name || platform.catalogs.iter().any(|own| own == name);
        match self {
            Self::Everywhere => true,
            Self::Protocol(protocol) => platforms::loaded()
                .platforms
                .iter()
                .any(|platform| platform.protocol == *protocol && looks_in(platform)),
            Self::Platform(platform) => looks_in(platform),
        }
    }
}

/// See [`crate::Catalog::codes`].
pub(crate) fn codes(tables: &Tables, place: &Place<'_>) -> Vec<String> {
    let rules = platforms::loaded().errors.iter().filter(|rule| place.has_rule(rule));
    let rules = rules.flat_map(|rule| [rule.rule.code.clone(), rule.rule.sub_code.clone()]);
    let apis = tables.all_with_errors().filter(|entry| place.has_catalog(tables.catalog_of(*entry)));
    let notes = apis.filter_map(|entry| tables.record(entry).ok()).flat_map(|record| record.errors);
    let all = rules.chain(notes.map(|note| note.code));
    let named: BTreeSet<String> =
        all.filter(|code| !code.is_empty() && !code.contains('*') && !code.ends_with("..")).collect();
    named.into_iter().collect()
}

/// See [`crate::Catalog::explain`].
pub(crate) fn explain(tables: &Tables, text: &str, place: &Place<'_>) -> Vec<Explained> {
    // As it stands in a reply: `"code":"4104",`.
    let text = text.trim_matches(['"', '\'', ',', ';']);
    let found = by_code(tables, text, place);
    if !found.is_empty() {
        return merged(found);
    }
    // As an error prints it: `CODE: message`, `CODE/SUB_CODE: message`, `CODE/SUB_CODE`.
    let head = text.split_once(": ").map_or(text, |(head, _)| head.trim());
    if !head.is_empty() && !head.contains(' ') {
        // Message texts print `E036` for code 36.
        let number = head.strip_prefix(['E', 'e']).unwrap_or_default().trim_start_matches('0');
        let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let parts = head.rsplit('/').chain(number).filter(|part| !part.is_empty());
        let found = parts.map(|part| by_code(tables, part, place)).find(|found| !found.is_empty());
        if let Some(found) = found {
            return merged(found);
        }
    }
    merged(by_message(tables, text, place))
}

/// The shortest text that is looked for in messages.
const SHORTEST_MESSAGE: usize = 6;
/// The most words of a message that are looked at.
const MOST_WORDS: usize = 32;
/// Words that say nothing of what went wrong.
const FILL: [&str; 30] = [
    "a", "an", "the", "this", "that", "it", "is", "are", "was", "were", "be", "been", "do", "does", "has",
    "have", "of", "in", "on", "to", "for", "with", "or", "and", "there", "such", "code", "your", "you",
    "please",
];

/// Finds rules by what platforms say with them, or by the words of what it means.
fn by_message(tables: &Tables, text: &str, place: &Place<'_>) -> Vec<Explained> {
    let wanted: Vec<String> = meaningful(text).take(MOST_WORDS).collect();
    let text = text.trim_end_matches('.').to_lowercase();
    if text.len() < SHORTEST_MESSAGE {
        return Vec::new();
    }
    let of_place = || platforms::loaded().errors.iter().filter(|rule| place.has_rule(rule));
    let explained =
        |found: &Scoped<ErrorRule>| Explained { scope: scope_of(found), rule: found.rule.clone() };
    let said = |found: &&Scoped<ErrorRule>| {
        let has = |known: &String| known.to_lowercase().contains(&text);
        found.rule.is_said_as(&text) || found.rule.texts.iter().any(has)
    };
    let known: Vec<_> = of_place().filter(said).map(explained).collect();
    if !known.is_empty() {
        return known;
    }
    // A name of its own, as `BIZ_CHECK_PRICE_IS_ZERO`, is looked for as it stands: its words are in others, too.
    let is_name = !text.contains(' ');
    let has_all =
        |words: &[String]| !is_name && wanted.len() > 1 && wanted.iter().all(|word| words.contains(word));
    let fits = |code: &str, says: &str| {
        // Many codes are made of words, too: `TRANSFER_ORDER_ID_INVALID`.
        let (code, words): (Vec<_>, Vec<_>) = (meaningful(code).collect(), meaningful(says).collect());
        let is_there = has_all(&code) || has_all(&words) || says.to_lowercase().contains(&text);
        is_there.then_some(if has_all(&code) { code.len() } else { words.len() })
    };
    let fits_rule = |rule: &ErrorRule| fits(&format!("{} {}", rule.code, rule.sub_code), &rule.says);
    let rules = of_place().filter_map(|found| Some((fits_rule(&found.rule)?, explained(found))));
    let mut found: Vec<_> = rules.collect();
    let has = |note: &ApiErrorNote| fits(&note.code, &note.says).is_some();
    let listed = notes(tables, tables.all_with_errors(), place, &has);
    found.extend(listed.into_iter().filter_map(|note| Some((fits_rule(&note.rule)?, note))));
    // What says little beside the words is closest to them.
    found.sort_by_key(|(words, _)| *words);
    found.into_iter().take(MOST_APIS).map(|(_, explained)| explained).collect()
}

/// Returns the words of a message that say something: no numbers, no plurals.
fn meaningful(text: &str) -> impl Iterator<Item = String> {
    let words = split(text).into_iter();
    let words = words.filter(|word| !FILL.contains(&word.as_str()) && word.parse::<f64>().is_err());
    words.map(|word| match word.strip_suffix('s') {
        Some(one) if one.len() > 1 && !one.ends_with('s') => one.to_owned(),
        _ => word,
    })
}

/// Finds rules by code or sub code: people paste what they see.
fn by_code(tables: &Tables, code: &str, place: &Place<'_>) -> Vec<Explained> {
    let mut exact = Vec::new();
    let mut patterns: Vec<(usize, Explained)> = Vec::new();
    for found in platforms::loaded().errors.iter().filter(|rule| place.has_rule(rule)) {
        // An open range says where a code may come from, not what it means: only for the platform asked.
        if found.rule.code.ends_with("..") && !matches!(place, Place::Platform(_)) {
            continue;
        }
        let Some(fitness) = found.rule.fitness_of(code) else { continue };
        let explained = Explained { scope: scope_of(found), rule: found.rule.clone() };
        if fitness == usize::MAX {
            exact.push(explained);
        } else {
            patterns.push((fitness, explained));
        }
    }
    let listed = notes(tables, tables.with_code(code).into_iter(), place, &|note| {
        note.code.eq_ignore_ascii_case(code)
    });
    if !exact.is_empty() {
        if let Place::Platform(_) = place
            && exact.iter().any(|found| found.scope.parse::<Protocol>().is_err())
        {
            // What a platform means by a code goes before what its protocol means.
            exact.retain(|found| found.scope.parse::<Protocol>().is_err());
        }
        // "The page lists it" says nothing new where a table explains the code.
        let listed = listed.into_iter().filter(|note| !note.rule.guess);
        // Whose fault it is, and whether to repeat it, the table says for all APIs.
        let table = exact[0].rule.clone();
        exact.extend(listed.map(|mut note| {
            (note.rule.kind, note.rule.fault, note.rule.retry) = (table.kind, table.fault, table.retry);
            note
        }));
        return exact;
    }
    // A pattern says more than a page that only lists the code.
    if !listed.is_empty() && (patterns.is_empty() || listed.iter().any(|note| !note.rule.guess)) {
        return listed;
    }
    let best = patterns.iter().map(|(fitness, _)| *fitness).max();
    let mut found: Vec<Explained> = Vec::new();
    for (fitness, pattern) in patterns {
        // Of several that fit equally the first is the general one.
        if Some(fitness) == best && found.iter().all(|one| one.scope != pattern.scope) {
            found.push(pattern);
        }
    }
    found
}

/// Makes one of those that say the same.
fn merged(found: Vec<Explained>) -> Vec<Explained> {
    let mut out: Vec<Explained> = Vec::new();
    for one in found {
        let same = |old: &&mut Explained| {
            let (old, new) = (&old.rule, &one.rule);
            (&old.says, &old.advice, old.kind, old.retry) == (&new.says, &new.advice, new.kind, new.retry)
        };
        match out.iter_mut().find(same) {
            Some(old) if old.scope.split(", ").any(|scope| scope == one.scope) => {}
            Some(old) => {
                old.scope.push_str(", ");
                old.scope.push_str(&one.scope);
            }
            None => out.push(one),
        }
    }
    out
}

fn scope_of(rule: &Scoped<ErrorRule>) -> String {
    match rule.protocol {
        Some(protocol) if rule.platforms.is_empty() => protocol.as_str().to_owned(),
        _ => rule.platforms.join(", "),
    }
}

/// When the facts of the base files were looked up.
const IMPORTED: &str = "2026-11-21";

/// Finds the notes of single APIs among those that may have one.
fn notes(
    tables: &Tables,
    entries: impl Iterator<Item = Entry>,
    place: &Place<'_>,
    is_it: &dyn Fn(&ApiErrorNote) -> bool,
) -> Vec<Explained> {
    let mut out = Vec::new();
    for entry in entries.filter(|entry| place.has_catalog(tables.catalog_of(*entry))) {
        let Ok(record) = tables.record(entry) else { continue };
        let scope = format!("{} {}", tables.catalog_of(entry), tables.summary(entry).name);
        let said = record.errors.iter().filter(|note| is_it(note));
        out.extend(said.map(|note| of_note(note, &scope, record.source.as_deref().unwrap_or_default())));
        if out.len() >= MOST_APIS {
            break;
        }
    }
    out
}

fn of_note(note: &ApiErrorNote, scope: &str, source: &str) -> Explained {
    let says = if note.says.is_empty() {
        "The documents of this API list the code and do not say what it means.".to_owned()
    } else {
        note.says.clone()
    };
    let advice = if note.advice.is_empty() {
        "Read the message that comes with it and correct the arguments or the shop's data.".to_owned()
    } else {
        note.advice.clone()
    };
    // The last fact is the newest: `... (2026-11-30)`.
    let (source, date) = match source.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
        Some((source, date)) if date.starts_with("20") => (source.to_owned(), date.to_owned()),
        _ => (source.to_owned(), IMPORTED.to_owned()),
    };
    Explained {
        scope: scope.to_owned(),
        rule: ErrorRule {
            code: note.code.clone(),
            sub_code: String::new(),
            message: String::new(),
            texts: Vec::new(),
            gateway: false,
            kind: ErrorKind::Business,
            fault: Fault::Caller,
            retry: RetryRule::Never,
            maybe_done: false,
            says,
            advice,
            field: String::new(),
            rule: String::new(),
            source,
            date,
            guess: note.says.is_empty(),
        },
    }
}
