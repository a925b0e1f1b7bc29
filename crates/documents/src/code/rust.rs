//! Structs for serde.

use std::fmt::Write as _;

use super::{
    Kind, Object, comments,
    names::{Names, snake},
};

const HEAD: &str = "\
// Written by `sesame codegen rust`. Needs serde with the feature `derive`, and serde_json.
#![allow(clippy::all, clippy::pedantic, dead_code, rustdoc::all)]

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error};
use serde_json::Value;
";

/// Platforms send numbers as text, objects as JSON in a text, and wrap lists.
const LENIENT: &str = "
/// Reads what platforms send for a value: numbers as text, objects as JSON in a text, lists in an object.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let value = match Option::<Value>::deserialize(from)? {
        None => return Ok(None),
        Some(value) => value,
    };
    let error = match T::deserialize(&value) {
        Ok(read) => return Ok(Some(read)),
        Err(error) => error,
    };
    let other = match &value {
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        Value::Number(_) | Value::Bool(_) => Value::String(value.to_string()),
        Value::Object(fields) if fields.len() == 1 => fields.values().next().cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    };
    T::deserialize(&other).map(Some).map_err(|_| D::Error::custom(error))
}
";

/// Keywords of Rust 2024; those behind the first four cannot be written raw.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

pub(super) fn write(objects: &[Object]) -> String {
    let mut out = HEAD.to_owned();
    for object in objects {
        write_object(&mut out, object);
    }
    if objects.iter().any(|object| object.is_reply && !object.members.is_empty()) {
        out.push_str(LENIENT);
    }
    out
}

fn write_object(out: &mut String, object: &Object) {
    out.push('\n');
    comments(out, "/// ", &object.about);
    let serde = if object.is_reply { "Deserialize" } else { "Serialize" };
    let _ =
        writeln!(out, "#[derive(Debug, Clone, Default, PartialEq, {serde})]\npub struct {} {{", object.name);
    let mut names = Names::default();
    for member in &object.members {
        comments(out, "    /// ", member.note.as_deref().unwrap_or_default());
        let name = match snake(&member.name) {
            word if matches!(word.as_str(), "self" | "super" | "crate") => format!("{word}_"),
            word if KEYWORDS.contains(&word.as_str()) => format!("r#{word}"),
            word => word,
        };
        let name = names.unique(&name);
        let mut serde = Vec::new();
        if name.trim_start_matches("r#") != member.name {
            serde.push(format!("rename = {:?}", member.name));
        }
        let optional = object.is_reply || !member.required;
        if object.is_reply {
            serde.push("default, deserialize_with = \"lenient\"".to_owned());
        } else if optional {
            serde.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        if !serde.is_empty() {
            let _ = writeln!(out, "    #[serde({})]", serde.join(", "));
        }
        let kind = kind(&member.kind);
        let kind = if optional { format!("Option<{kind}>") } else { kind };
        let _ = writeln!(out, "    pub {name}: {kind},");
    }
    out.push_str("}\n");
}

fn kind(of: &Kind) -> String {
    match of {
        Kind::Text | Kind::Decimal => "String".to_owned(),
        Kind::Integer => "i64".to_owned(),
        Kind::Number => "f64".to_owned(),
        Kind::Boolean => "bool".to_owned(),
        Kind::Any => "Value".to_owned(),
        Kind::Object(name) => name.clone(),
        Kind::List(one) => format!("Vec<{}>", kind(one)),
    }
}
