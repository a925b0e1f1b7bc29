//! Lines to copy: a call of one API on the command line, by curl, in Rust and in Python.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Safety};
use sesame_core::command_line::quote;

use crate::commands::call::is_token_call;

/// The same call in several languages; empty where the vault makes it.
#[derive(Default)]
pub(super) struct Samples {
    pub(super) sesame: String,
    pub(super) curl: String,
    pub(super) rust: String,
    pub(super) python: String,
}

/// Writes them. ACCOUNT stands for the account, as `sesame accounts` names it.
pub(super) fn samples(api: &Api) -> Samples {
    if is_token_call(api) {
        // `sesame call` refuses these: tokens belong to the vault.
        let refreshes = api.name.to_lowercase().contains("refresh");
        let sesame = if refreshes { "sesame refresh ACCOUNT" } else { "sesame login APP" };
        return Samples { sesame: sesame.to_owned(), ..Samples::default() };
    }
    let arguments = api.example_arguments();
    let mut words = words(&arguments);
    words.extend(api.files(true).map(|param| format!("{}=@photo.jpg", param.name)));
    let shell: Vec<String> = words.iter().map(|word| quote(word)).collect();
    let call = format!("sesame call ACCOUNT {} {}", quote(&api.name), shell.join(" ")).trim_end().to_owned();
    let pages = api.paging.as_ref().is_some_and(|paging| paging.items.is_some());
    let end = match (pages, api.safety) {
        (true, Safety::Read) => " --all --output ndjson",
        (true, _) => " --all --output ndjson --yes",
        (false, Safety::Read) => "",
        (false, _) => " --yes",
    };
    let python: Vec<String> = ["sesame", "call", "ACCOUNT", &api.name]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .chain((api.safety != Safety::Read).then_some("--yes"))
        .map(literal)
        .collect();
    Samples {
        curl: format!("{call} --dry-run --show-secrets | sh"),
        rust: rust(api, &arguments),
        python: format!("json.loads(subprocess.check_output([{}]))", python.join(", ")),
        sesame: format!("{call}{end}"),
    }
}

/// Writes arguments as words of a command line: `name=text`, `name:=JSON`.
pub(super) fn words(arguments: &Map<String, Json>) -> Vec<String> {
    let word = |(name, value): (&String, &Json)| match value {
        Json::String(text) if text.starts_with('@') => format!("{name}:={value}"),
        Json::String(text) => format!("{name}={text}"),
        other => format!("{name}:={other}"),
    };
    arguments.iter().map(word).collect()
}

fn rust(api: &Api, arguments: &Map<String, Json>) -> String {
    let mut line = format!("sesame.call(\"ACCOUNT\", {})", literal(&api.name));
    for (name, value) in arguments {
        let value = match value {
            Json::String(text) => literal(text),
            Json::Number(_) | Json::Bool(_) => value.to_string(),
            other => format!("serde_json::json!({other})"),
        };
        let _ = write!(line, ".arg({}, {value})", literal(name));
    }
    for file in api.files(true) {
        let name = literal(&file.name);
        let _ = write!(line, ".file({name}, File::new(\"photo.jpg\", std::fs::read(\"photo.jpg\")?))");
    }
    line.push_str(".send().await?");
    line
}

/// Writes a text as a literal that Rust and Python read alike.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
