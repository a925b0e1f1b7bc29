//! Arguments become flat parameters: once per call, before any attempt.

use serde_json::{Map, Value as Json, json};

use crate::{Error, Params, Protocol, Result, Shape, xml};

/// The largest single text parameter: 8 MiB. The platforms' own limits are lower where known.
pub const MAX_TEXT: usize = 8 << 20;
/// Maximum number of parameters of one call.
pub const MAX_PARAMS: usize = 1_000;

/// What the catalog knows of a parameter, as far as encoding needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire<'a> {
    /// A list of plain values that this protocol wants joined by commas.
    pub comma_list: bool,
    /// The root element of an argument that is XML in a text.
    pub xml_root: Option<&'a str>,
}

/// Flattens a JSON object of arguments to parameters.
///
/// Texts stay as they are; numbers and truths become their JSON text (`true`, never `1`); lists
/// and objects become one compact JSON text, keys in the order given, because that exact text is
/// signed; lists of plain values join with commas where the catalog says the platform wants
/// that; objects become XML where the argument is that. Null and empty texts are left out: official SDKs disagree on signing them.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that the client sets itself (`sign`,
/// `app_key`, ...), an empty name, a text over [`MAX_TEXT`], more than [`MAX_PARAMS`].
pub fn flatten<'a>(
    shape: Shape,
    args: &Map<String, Json>,
    wire: impl Fn(&str) -> Wire<'a>,
) -> Result<Params> {
    if args.len() > MAX_PARAMS {
        return Err(Error::usage(format!(
            "{} parameters are too many; the limit is {MAX_PARAMS}",
            args.len()
        )));
    }
    let mut params = Params::new();
    for (name, value) in args {
        check_name(shape, name)?;
        let Some(text) = scalar_or_json(value, wire(name)) else { continue };
        if text.len() > MAX_TEXT {
            return Err(Error::usage(format!(
                "the parameter {name:?} has {} bytes; the limit is {MAX_TEXT}",
                text.len()
            ))
            .with_hint("Send large content as a file, or in several calls."));
        }
        params.push(name.clone(), text)?;
    }
    Ok(params)
}

/// Refuses names that the client sets itself.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage) with what sets the parameter.
pub fn check_name(shape: Shape, name: &str) -> Result<()> {
    if shape.reserved().contains(&name) {
        return Err(Error::usage(format!(
            "the parameter {name:?} is set by Sesame itself on every {} call",
            shape.protocol()
        ))
        .with_hint(
            "Leave it out: the signature, the app key, the time and the token come from the account.",
        ));
    }
    Ok(())
}

fn scalar_or_json(value: &Json, wire: Wire<'_>) -> Option<String> {
    let text = match value {
        Json::Null => return None,
        Json::String(text) => text.clone(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => number.to_string(),
        Json::Array(items) if wire.comma_list && items.iter().all(is_plain) => {
            items.iter().filter_map(crate::scalar::text).collect::<Vec<_>>().join(",")
        }
        Json::Array(_) | Json::Object(_) => match wire.xml_root {
            Some(root) if value.get(root).is_none() => xml::write(&json!({ root: value })),
            Some(_) => xml::write(value),
            None => value.to_string(),
        },
    };
    (!text.is_empty()).then_some(text)
}

fn is_plain(value: &Json) -> bool {
    match value {
        // A comma inside an item would become two items.
        Json::String(text) => !text.contains(','),
        Json::Number(_) | Json::Bool(_) => true,
        _ => false,
    }
}

/// Replaces `{name}` in a `/rest/2.0` path by the parameter of that name and takes it out.
///
/// Source: AliExpress Java SDK, `GopRestExecutor` (protocols 2.4): the replaced path is signed and
/// the parameter is not sent.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage) when a variable has no value or is not closed.
pub fn fill_path(template: &str, params: &mut Params) -> Result<String> {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let close = rest[open..]
            .find('}')
            .ok_or_else(|| Error::usage(format!("the path {template:?} has a brace that is not closed")))?;
        let name = &rest[open + 1..open + close];
        let Some(crate::Value::Text(value)) = params.remove(name) else {
            return Err(Error::usage(format!("the path {template:?} needs the parameter {name:?}"))
                .with_hint(format!("Add {name}=VALUE.")));
        };
        if value.contains(['/', '?', '#', '{', '}']) || value == ".." || value == "." {
            return Err(Error::usage(format!(
                "the parameter {name:?} goes into the path and may not hold {value:?}"
            )));
        }
        out.push_str(&value);
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Tells how a list of plain values travels: TOP joins with commas, the others send JSON.
pub const fn comma_lists(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Top)
}
