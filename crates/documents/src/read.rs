//! Reads documents of any known shape.

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, error::Category as Wrong};
use sesame_catalog::Record;
use sesame_core::{Error, Result};

use crate::{
    apidoc::{Category, Document, TopDocument},
    openapi,
    record::join,
};

/// The most APIs of one import.
pub const MOST_APIS: usize = 20_000;

/// Reads one or more JSON documents, one after the other or in a list: replies of `getApiCategoryMixed.json`
/// and `getApi.json`, files of a mirror of TOP's documents, OpenAPI 3. What several say of one API is joined.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) with the place of what cannot be read: line and column, or
/// the path in the document.
pub fn read(text: &[u8]) -> Result<Vec<Record>> {
    let start = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match start {
        None => return Err(Error::usage("it is empty")),
        Some(b'<') => return Err(Error::usage("it is a page of HTML or XML, not JSON")),
        _ => {}
    }
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Json>() {
        let value = value.map_err(|error| {
            let what = match error.classify() {
                Wrong::Eof => "it is cut off",
                _ => "it is not valid JSON",
            };
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            Error::usage(format!("{what} at line {}, column {}: {said}", error.line(), error.column()))
        })?;
        read_value(value, "", &mut records)?;
        if records.len() > MOST_APIS {
            return Err(Error::usage(format!("it describes more than {MOST_APIS} APIs")));
        }
    }
    Ok(join(records))
}

fn read_value(mut value: Json, place: &str, out: &mut Vec<Record>) -> Result<()> {
    if let Json::Array(items) = value {
        for (nth, item) in items.into_iter().enumerate() {
            read_value(item, &format!("{place}[{nth}]"), out)?;
        }
        return Ok(());
    }
    if value.get("openapi").is_some() {
        out.extend(openapi::read::records(&value).map_err(|why| at(place, &why))?);
    } else if value.get("requestParams").is_some() || value.get("responseParams").is_some() {
        out.push(typed::<TopDocument>(value, place)?.record());
    } else if value.get("data").is_some_and(Json::is_array) {
        let categories: Vec<Category> = typed(value["data"].take(), &join_place(place, "data"))?;
        out.extend(categories.into_iter().flat_map(Category::records));
    } else if value.pointer("/data/apiList").is_some() {
        out.extend(typed::<Document>(value["data"].take(), &join_place(place, "data"))?.records());
    } else if value.get("success").is_some_and(|success| *success == Json::Bool(false)) {
        let code = ["errorCode", "code", "message"].iter().find_map(|key| value.get(*key)?.as_str());
        return Err(at(place, &format!("the host refused: {}", code.unwrap_or("it does not say why"))));
    } else {
        return Err(at(
            place,
            "unknown form: expected getApiCategoryMixed.json, getApi.json, a file of the TOP mirror, or OpenAPI 3",
        ));
    }
    Ok(())
}

fn typed<T: DeserializeOwned>(value: Json, place: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { place.to_owned() } else { join_place(place, &path) };
        at(&place, &error.into_inner().to_string())
    })
}

fn join_place(place: &str, more: &str) -> String {
    let gap = if place.is_empty() || more.starts_with('[') { "" } else { "." };
    format!("{place}{gap}{more}")
}

fn at(place: &str, why: &str) -> Error {
    Error::usage(if place.is_empty() { why.to_owned() } else { format!("{place}: {why}") })
}
