//! Lists and documents as the catalog's facets describe them.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, value::RawValue};
use sesame_catalog::{Column, ColumnKind, Facet};
use sesame_client::{Call, Client};
use sesame_core::{Error, ErrorKind, envelope::Reply};
use sesame_shop::Fields;

use crate::{
    exit::{CliResult, warn_all},
    list::RowView,
    output::Format,
};

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

/// The rows of a facet in columns.
pub(crate) struct FacetRows<'a> {
    /// The facet, and how its rows are read.
    pub(crate) fields: &'a Fields,
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
        if matches!(column.kind, ColumnKind::Number | ColumnKind::Money) { name + ">" } else { name }
    });
    titles.collect()
}

impl RowView for FacetRows<'_> {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        self.columns.iter().map(|column| self.fields.get(row, &column.name)).collect()
    }

    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str> {
        let columns = self.fields.facet.columns.iter();
        let shop = self.shop.map(|shop| ("shop".to_owned(), Json::from(shop)));
        let columns = columns.map(|column| (column.name.clone(), Json::from(self.fields.cell(row, column))));
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
        let fields = Fields::new(facet, jiff::tz::TimeZone::UTC);
        let mut rows = FacetRows { fields: &fields, columns: &columns, parent: None, shop: None };
        assert_eq!(rows.cells(&row), ["铅笔", "true", "1.50", ""]);
        assert_eq!(titles(&columns, Format::Table), ["local name", "leaf", "price>", "none"]);
        assert_eq!(titles(&columns, Format::Csv)[0], "local_name");
        let expected =
            format!(r#"{{"local_name":"铅笔","leaf":"true","price":"1.50","none":"","raw":{}}}"#, row.get());
        assert_eq!(rows.record(&row), expected);
        let below = FacetRows { fields: &fields, columns: &columns, parent: Some("7"), shop: None };
        assert!(below.record(&row).ends_with(r#","parent":"7"}"#));
    }
}
