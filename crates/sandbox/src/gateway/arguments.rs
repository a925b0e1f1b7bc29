//! Checks arguments against the catalog: what is required, what has to be a number.

use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Param, Type};
use sesame_core::Protocol;

use crate::{
    error::{GatewayError, GatewayResult},
    fixtures::Args,
    received::Fields,
};

/// What is wrong with an argument, and its name, dotted when it sits inside another.
enum ArgumentError {
    Missing(String),
    Invalid(String),
}

/// Checks the arguments of a call.
///
/// Only what the documents say for certain is enforced: parameters whose `required` is unknown may
/// be left out, and members of an object are looked at when the object came.
pub(super) fn check(
    protocol: Protocol,
    contract: &Api,
    args: &dyn Args,
    fields: &Fields<'_>,
) -> GatewayResult<()> {
    let wrong = contract.params.iter().find_map(|param| {
        let name = param.name.as_str();
        if let Some(value) = args.get(name).filter(|value| !value.is_empty()) {
            return check_text(param, name, value);
        }
        let is_missing = param.required == Some(true) && !fields.has_file(name);
        is_missing.then(|| ArgumentError::Missing(name.to_owned()))
    });
    match wrong {
        None => Ok(()),
        Some(ArgumentError::Missing(name)) => Err(GatewayError::missing(protocol, &name)),
        Some(ArgumentError::Invalid(name)) => Err(GatewayError::invalid(protocol, &name)),
    }
}

fn check_text(param: &Param, path: &str, value: &str) -> Option<ArgumentError> {
    if param.list {
        // Lists come as JSON or joined by commas; both are read where the API stands.
        return None;
    }
    match param.kind {
        Type::Integer if !is_integer(value) => Some(ArgumentError::Invalid(path.to_owned())),
        Type::Number if value.trim().parse::<f64>().is_err() => Some(ArgumentError::Invalid(path.to_owned())),
        Type::Object if !param.children.is_empty() => {
            // XML and other texts in the place of an object are the API's own business.
            if !value.trim_start().starts_with('{') {
                return None;
            }
            match serde_json::from_str::<Map<String, Json>>(value) {
                Ok(members) => check_members(&param.children, path, &members),
                Err(_) => Some(ArgumentError::Invalid(path.to_owned())),
            }
        }
        _ => None,
    }
}

fn check_members(params: &[Param], path: &str, members: &Map<String, Json>) -> Option<ArgumentError> {
    params.iter().find_map(|param| {
        let path = format!("{path}.{}", param.name);
        match members.get(&param.name) {
            None | Some(Json::Null) => (param.required == Some(true)).then_some(ArgumentError::Missing(path)),
            Some(Json::Object(inner)) if !param.list && !param.children.is_empty() => {
                check_members(&param.children, &path, inner)
            }
            Some(Json::String(text)) if param.kind == Type::Integer && !param.list && !is_integer(text) => {
                Some(ArgumentError::Invalid(path))
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
