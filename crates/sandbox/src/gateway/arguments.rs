//! Checks arguments against the catalog: what is required, what has to be a number.

use serde_json::{Map, Value as Json};
use sesame_catalog::{Param, Type};

use crate::{contracts::Contract, received::Fields, world::Args};

/// What is wrong with the arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A required one is missing; dotted when it sits inside another.
    Missing(String),
    /// One has the wrong type.
    Invalid(String),
}

/// Checks the arguments of a call.
///
/// Only what the documents say for certain is enforced: parameters whose `required` is unknown may
/// be left out, and members of an object are looked at when the object came.
pub(crate) fn check(contract: &Contract, args: &dyn Args, fields: &Fields<'_>) -> Option<Wrong> {
    for param in &contract.api.params {
        let name = param.name.as_str();
        match args.get(name).filter(|value| !value.is_empty()) {
            None => {
                if param.required == Some(true) && !fields.has_file(name) {
                    return Some(Wrong::Missing(name.to_owned()));
                }
            }
            Some(value) => {
                if let Some(wrong) = check_text(param, name, value) {
                    return Some(wrong);
                }
            }
        }
    }
    None
}

fn check_text(param: &Param, path: &str, value: &str) -> Option<Wrong> {
    if param.list {
        // Lists come as JSON or joined by commas; both are read where the API stands.
        return None;
    }
    match param.kind {
        Type::Integer if !is_integer(value) => Some(Wrong::Invalid(path.to_owned())),
        Type::Number if value.trim().parse::<f64>().is_err() => Some(Wrong::Invalid(path.to_owned())),
        Type::Object if !param.children.is_empty() => {
            // XML and other texts in the place of an object are the API's own business.
            if !value.trim_start().starts_with('{') {
                return None;
            }
            match serde_json::from_str::<Map<String, Json>>(value) {
                Ok(members) => check_members(&param.children, path, &members),
                Err(_) => Some(Wrong::Invalid(path.to_owned())),
            }
        }
        _ => None,
    }
}

fn check_members(params: &[Param], path: &str, members: &Map<String, Json>) -> Option<Wrong> {
    params.iter().find_map(|param| {
        let path = format!("{path}.{}", param.name);
        match members.get(&param.name) {
            None | Some(Json::Null) => (param.required == Some(true)).then_some(Wrong::Missing(path)),
            Some(Json::Object(inner)) if !param.list && !param.children.is_empty() => {
                check_members(&param.children, &path, inner)
            }
            Some(Json::String(text)) if param.kind == Type::Integer && !param.list && !is_integer(text) => {
                Some(Wrong::Invalid(path))
            }
            Some(_) => None,
        }
    })
}

/// Whole numbers, signed or not, of any length that ids have.
fn is_integer(text: &str) -> bool {
    let digits = text.trim().strip_prefix(['-', '+']).unwrap_or(text.trim());
    !digits.is_empty() && digits.len() <= 40 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
