//! Lists and documents as the catalog's facets describe them.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, value::RawValue};
use sesame_catalog::{Column, ColumnKind, Facet};
use sesame_client::{Call, Client};
use sesame_core::{Error, ErrorKind, envelope::Reply, path};

use crate::{
    context::Context,
    exit::{CliResult, warn_all},
    list::RowView,
    output::Format,
};

/// Prepares the call of a facet. What the platform has no argument for is left out.
///
/// # Errors
/// Usage, for a facet whose paths do not fit its arguments.
pub(crate) fn call(
    context: &Context,
    account: &str,
    facet: &Facet,
    inputs: impl IntoIterator<Item = (&'static str, Json)>,
) -> CliResult<Call> {
    let mut call = context.call(account, &facet.api);
    call.args.clone_from(&facet.arguments);
    for (name, value) in inputs {
        if let Some(place) = facet.inputs.get(name) {
            path::set(&mut call.args, place, value)?;
        }
    }
    Ok(call)
}

/// Makes a call and prints its warnings.
///
/// # Errors
/// As [`Client::call`].
pub(crate) async fn fetch(client: &Client, call: &Call) -> CliResult<Reply> {
    let outcome = client.call(call).await?;
    warn_all(&outcome.warnings);
    Ok(outcome.reply)
}

/// Returns the payload of a reply, unparsed.
///
/// # Errors
/// Envelope, for what is not JSON.
pub(crate) fn payload(reply: &Reply) -> CliResult<&RawValue> {
    serde_json::from_str(reply.payload()).map_err(|error| {
        Error::new(ErrorKind::Envelope, format!("the payload of the reply is not JSON: {error}")).into()
    })
}

/// Returns the cell of a column in a row; empty where the row has none.
pub(crate) fn cell(row: &RawValue, column: &Column) -> String {
    let found = column.paths.iter().find_map(|place| match place.strip_prefix('!') {
        Some(place) => path::boolean(row, place).map(|found| (!found).to_string()),
        None => path::text(row, place).map(Cow::into_owned),
    });
    let text = found.unwrap_or_default();
    if column.kind == ColumnKind::Time { readable_time(text) } else { text }
}

/// The rows of a facet in columns.
pub(crate) struct FacetRows<'a> {
    /// The facet.
    pub(crate) facet: &'a Facet,
    /// The columns of the list, which may be of several facets.
    pub(crate) columns: &'a [Column],
    /// The row that all are below of. Without one, records hold the row as the platform sent it.
    pub(crate) parent: Option<&'a str>,
    /// The account that the rows are of; records name it.
    pub(crate) shop: Option<&'a str>,
}

/// Returns the columns of a list whose rows are of several facets: each name once.
pub(crate) fn columns_of(facets: impl IntoIterator<Item = Facet>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for column in facets.into_iter().flat_map(|facet| facet.columns) {
        if columns.iter().all(|known| known.name != column.name) {
            columns.push(column);
        }
    }
    columns
}

/// Returns the names of columns, those of numbers marked with `>`.
pub(crate) fn titles(columns: &[Column], format: Format) -> Vec<String> {
    let titles = columns.iter().map(|column| {
        let name = if format == Format::Table { column.name.replace('_', " ") } else { column.name.clone() };
        if column.kind == ColumnKind::Number { name + ">" } else { name }
    });
    titles.collect()
}

impl RowView for FacetRows<'_> {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        let own = |wanted: &Column| self.facet.columns.iter().find(|column| column.name == wanted.name);
        self.columns.iter().map(|column| own(column).map_or_else(String::new, |own| cell(row, own))).collect()
    }

    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str> {
        let columns = self.facet.columns.iter();
        let shop = self.shop.map(|shop| ("shop".to_owned(), Json::from(shop)));
        let columns = columns.map(|column| (column.name.clone(), Json::from(cell(row, column))));
        let mut members: Map<String, Json> = shop.into_iter().chain(columns).collect();
        if let Some(parent) = self.parent {
            members.insert("parent".to_owned(), Json::from(parent));
            return Json::Object(members).to_string().into();
        }
        let comma = if members.is_empty() { "" } else { "," };
        let mut text = Json::Object(members).to_string();
        text.pop();
        text.reserve(row.get().len() + 10);
        (text + comma + "\"raw\":" + row.get() + "}").into()
    }
}

/// Puts the times of all platforms into one form, RFC 3339: param2's compact times
/// (`20261102203212000-0800`), milliseconds, and dates with a zone behind a space. Where a platform says no
/// zone, none is made up.
fn readable_time(text: String) -> String {
    if text.len() == 13
        && let Some(at) = text.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
    {
        return at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    if sesame_core::time::parse_compact(&text).is_some() {
        let (date, zone) = (&text[..14], &text[text.len() - 5..]);
        let part = |from: usize, to: usize| &date[from..to];
        return format!(
            "{}-{}-{}T{}:{}:{}{}:{}",
            part(0, 4),
            part(4, 6),
            part(6, 8),
            part(8, 10),
            part(10, 12),
            part(12, 14),
            &zone[..3],
            &zone[3..]
        );
    }
    let mut words = text.split(' ');
    let (Some(date), Some(time), zone, None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return text;
    };
    let Ok(local) = format!("{date}T{time}").parse::<jiff::civil::DateTime>() else { return text };
    let zone = zone.map(|zone| match zone.split_at_checked(3) {
        Some((hours, minutes)) if minutes.len() == 2 => format!("{hours}:{minutes}"),
        _ => zone.to_owned(),
    });
    local.strftime("%Y-%m-%dT%H:%M:%S").to_string() + &zone.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facet(columns: &str) -> Facet {
        let text = format!(r#"{{"api":"/a","columns":{columns},"source":"s","date":"2026-11-30"}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn cells_take_the_first_path_that_holds_something() {
        let facet = facet(
            r#"[{"name":"local_name","paths":["names.en","names.zh"]},{"name":"leaf","paths":["!is_parent"]},
            {"name":"price","paths":["skus.0.price"],"kind":"number"},{"name":"none","paths":["x"]}]"#,
        );
        let row = r#"{"names":{"zh":"铅笔"},"is_parent":false,"skus":[{"price":1.50}]}"#;
        let row = RawValue::from_string(row.to_owned()).unwrap();
        let columns = columns_of([facet.clone(), facet.clone()]);
        let mut rows = FacetRows { facet: &facet, columns: &columns, parent: None, shop: None };
        assert_eq!(rows.cells(&row), ["铅笔", "true", "1.50", ""]);
        assert_eq!(titles(&columns, Format::Table), ["local name", "leaf", "price>", "none"]);
        assert_eq!(titles(&columns, Format::Csv)[0], "local_name");
        let expected =
            format!(r#"{{"local_name":"铅笔","leaf":"true","price":"1.50","none":"","raw":{}}}"#, row.get());
        assert_eq!(rows.record(&row), expected);
        let below = FacetRows { facet: &facet, columns: &columns, parent: Some("7"), shop: None };
        assert!(below.record(&row).ends_with(r#","parent":"7"}"#));
    }

    #[test]
    fn times_of_all_forms_become_readable() {
        assert_eq!(readable_time("20261102203212000-0800".to_owned()), "2026-11-02T20:32:12-08:00");
        assert_eq!(readable_time("20261102203212+0800".to_owned()), "2026-11-02T20:32:12+08:00");
        assert_eq!(readable_time("1739776650000".to_owned()), "2025-02-17T07:17:30Z");
        assert_eq!(readable_time("2026-10-15 07:44:51".to_owned()), "2026-10-15T07:44:51");
        assert_eq!(readable_time("2026-10-15 07:44:51 +0800".to_owned()), "2026-10-15T07:44:51+08:00");
        for same in ["32800011962", "2026-10-15T07:44:51+08:00", "two words", "陶瓷", ""] {
            assert_eq!(readable_time(same.to_owned()), same);
        }
    }
}
