//! From JSON to a type of the caller's.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::{Error, ErrorKind, Result, Retry, scalar::printable};

/// Parses the JSON of a reply, or of a part of it.
///
/// ```
/// #[derive(serde::Deserialize, Debug)]
/// struct Order {
///     id: u64,
/// }
///
/// let error = sesame_core::decode::decode::<Vec<Order>>(r#"[{"id":1},{"id":"two"}]"#).unwrap_err();
/// assert_eq!(error.message(), "cannot decode the reply at `$[1].id`: expected u64");
/// ```
///
/// # Errors
/// [`ErrorKind::Envelope`] if the JSON has another shape than `T`. The message says where, as a JSON path,
/// and what was expected there; it does not repeat the value.
pub fn decode<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|_| {
        // Once more, slower, with a note of the place.
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let (place, wrong) = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => (place(error.path()), expectation(error.inner())),
            Ok(_) => ("$".to_owned(), "more than one value".to_owned()),
        };
        Error::new(ErrorKind::Envelope, format!("cannot decode the reply at `{place}`: {wrong}"))
            .with_retry(Retry::Never)
    })
}

/// Writes a path as `$.data.orders[0].id`. Names that may be keys of data and not of a type are left out.
fn place(path: &serde_path_to_error::Path) -> String {
    let mut out = String::from("$");
    for segment in path {
        // Writing to a string does not fail.
        let _ = match segment {
            Segment::Seq { index } => write!(out, "[{index}]"),
            Segment::Map { key } if key.len() < 12 || !key.bytes().any(|byte| byte.is_ascii_digit()) => {
                write!(out, ".{}", printable(key))
            }
            Segment::Map { .. } => write!(out, ".…"),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    out
}

/// Says what was expected, without the value that came: it is the platform's, and may be anything.
fn expectation(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    match error.classify() {
        serde_json::error::Category::Data => {
            let of_the_type = text.starts_with("missing field") || text.starts_with("duplicate field");
            match text.rsplit_once(", expected ") {
                _ if of_the_type => text.to_owned(),
                Some((_, expected)) if !text.ends_with("there are no fields") => {
                    format!("expected {expected}")
                }
                _ => "unexpected value".to_owned(),
            }
        }
        _ => "invalid JSON".to_owned(),
    }
}
