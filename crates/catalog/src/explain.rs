//! What a code means: the error tables, and the notes of single APIs.

use sesame_core::{
    ErrorKind, ErrorTable, Fault, Protocol,
    classify::{ErrorRule, RetryRule},
};

use crate::{embedded::Tables, platforms};

/// What one code means somewhere.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The protocol (`iop`), the platforms (`lazada, daraz`), or one API (`alibaba /icbu/product/list`).
    pub scope: String,
    /// The rule. For the note of one API it is a business error without more advice.
    pub rule: ErrorRule,
}

/// The most APIs that are named for one code.
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

/// See [`crate::Catalog::explain`].
pub(crate) fn explain(tables: &Tables, code: &str) -> Vec<Explained> {
    let mut out: Vec<Explained> = Vec::new();
    for (scope, rules) in scopes() {
        let table = ErrorTable { rules: rules.into_iter().cloned().collect() };
        // The code may be a code or a sub code: people paste what they see.
        let found = [table.find(code, None), table.find("", Some(code))];
        let mut seen: Option<&ErrorRule> = None;
        for rule in found.into_iter().flatten() {
            if seen != Some(rule) {
                out.push(Explained { scope: scope.clone(), rule: rule.clone() });
            }
            seen = Some(rule);
        }
    }
    // A number like 901 also fits the pattern `500..` of another protocol: the very text says more.
    let exact =
        |rule: &ErrorRule| rule.code.eq_ignore_ascii_case(code) || rule.sub_code.eq_ignore_ascii_case(code);
    if out.iter().any(|found| exact(&found.rule)) {
        out.retain(|found| exact(&found.rule));
    }
    // "The page lists it" says nothing new where a table explains the code.
    let explained = !out.is_empty();
    out.extend(notes(tables, code).into_iter().filter(|note| !explained || !note.rule.guess));
    out
}

/// Finds the APIs whose documents list the code. Only entries that hold its text are parsed.
fn notes(tables: &Tables, code: &str) -> Vec<Explained> {
    let mut out = Vec::new();
    for (catalog, entry) in tables.holding(code) {
        let Ok(record) = tables.record(entry) else { continue };
        let Some(note) = record.errors.iter().find(|note| note.code.eq_ignore_ascii_case(code)) else {
            continue;
        };
        let says = if note.says.is_empty() {
            "The documents of this API list the code and do not say what it means.".to_owned()
        } else {
            note.says.clone()
        };
        out.push(Explained {
            scope: format!("{catalog} {}", tables.summary(entry).name),
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
                advice: "Read the message that comes with it and correct the arguments or the shop's data."
                    .to_owned(),
                source: record.source.unwrap_or_default(),
                date: "2026-11-21".to_owned(),
                guess: note.says.is_empty(),
            },
        });
        if out.len() == MOST_APIS {
            break;
        }
    }
    out
}
