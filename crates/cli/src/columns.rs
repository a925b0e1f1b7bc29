//! Columns made up from what a platform's rows hold, where no list of columns is known.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use serde_json::{Value as Json, value::RawValue};

use crate::{
    exit::{CliResult, note},
    list::RowView,
    output::{Format, Printer},
    table::Rows,
};

/// The most columns of a table: more would not fit a screen. CSV has them all.
const MOST_IN_TABLE: usize = 12;

/// The most columns that are remembered as late.
const MOST_LATE: usize = 100;

/// Objects are spread into columns down to this depth, and written as JSON below it.
const DEEPEST: usize = 2;

/// Prints rows as CSV, which leaves nothing out, or as a table, which says how much it leaves out.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print(printer: &mut Printer, items: &[Json]) -> CliResult {
    let columns = Columns::of(items, printer.format());
    let mut rows = Rows::new(&columns.titles());
    for item in items {
        rows.push(columns.row(item));
    }
    print_rows(printer, &rows)?;
    columns.say_left_out();
    Ok(())
}

/// Prints the fields of one value, a line each.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_fields(printer: &mut Printer, value: &Json) -> CliResult {
    let (rows, hidden) = fields(value, printer.format() == Format::Csv);
    print_rows(printer, &rows)?;
    if hidden > 0 {
        let plural = if hidden == 1 { "" } else { "s" };
        note("note", &format!("{hidden} list{plural} not shown; --output csv and json have all"));
    }
    Ok(())
}

fn print_rows(printer: &mut Printer, rows: &Rows) -> CliResult {
    if printer.format() == Format::Csv {
        return printer.csv(rows);
    }
    printer.rows(rows)?;
    printer.flush()
}

/// The columns of a list, as its first rows have them.
pub(crate) struct Columns {
    /// Those that are shown; whole rows where there are none.
    shown: Vec<Column>,
    /// How many a table has no room for.
    hidden: usize,
    known: HashMap<Vec<String>, usize>,
    /// Those that later rows brought, at most [`MOST_LATE`].
    late: BTreeSet<Vec<String>>,
}

impl Columns {
    /// Makes up the columns: all for CSV, for a table those that it has room for.
    pub(crate) fn of(items: &[Json], format: Format) -> Self {
        let (mut columns, mut known) = (Vec::new(), HashMap::new());
        for item in items {
            collect(item, &mut Vec::new(), &mut columns, &mut known);
        }
        let count = columns.len();
        let shown: Vec<Column> = if format == Format::Csv {
            columns
        } else {
            columns.into_iter().filter(|column| column.plain).take(MOST_IN_TABLE).collect()
        };
        let hidden = if shown.is_empty() { 0 } else { count - shown.len() };
        Self { shown, hidden, known, late: BTreeSet::new() }
    }

    /// Returns the names of the columns.
    pub(crate) fn titles(&self) -> Vec<String> {
        if self.shown.is_empty() {
            return vec!["value".to_owned()];
        }
        self.shown.iter().map(Column::title).collect()
    }

    fn row(&self, item: &Json) -> Vec<String> {
        if self.shown.is_empty() {
            return vec![shown(item)];
        }
        self.shown.iter().map(|column| column.cell(item)).collect()
    }

    /// Says how many columns were not shown.
    pub(crate) fn say_left_out(&self) {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        if self.hidden > 0 {
            let s = plural(self.hidden);
            note("note", &format!("{} column{s} not shown; --output csv and json have all", self.hidden));
        }
        if !self.late.is_empty() && !self.shown.is_empty() {
            let names: Vec<String> = self.late.iter().take(5).map(|way| way.join(".")).collect();
            let more = if self.late.len() > names.len() { ", ..." } else { "" };
            let s = plural(self.late.len());
            note(
                "warning",
                &format!(
                    "column{s} that only later pages have, not shown: {}{more}; --output json and ndjson have all",
                    names.join(", ")
                ),
            );
        }
    }
}

impl RowView for Columns {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        let item: Json = serde_json::from_str(row.get()).unwrap_or_else(|_| Json::from(row.get()));
        let (mut columns, known) = (Vec::new(), &mut HashMap::new());
        collect(&item, &mut Vec::new(), &mut columns, known);
        for column in columns {
            if self.late.len() < MOST_LATE && !self.known.contains_key(&column.way) {
                self.late.insert(column.way);
            }
        }
        self.row(&item)
    }

    fn record(&self, row: &RawValue) -> String {
        row.get().to_owned()
    }
}

/// One column: the names on the way to its value. The empty way leads to a row that is not an object.
struct Column {
    way: Vec<String>,
    /// Holds something other than lists and objects in some row.
    plain: bool,
}

impl Column {
    fn title(&self) -> String {
        if self.way.is_empty() { "value".to_owned() } else { self.way.join(".") }
    }

    fn cell(&self, item: &Json) -> String {
        if self.way.is_empty() && item.is_object() {
            return String::new();
        }
        let found = self.way.iter().try_fold(item, |value, name| value.get(name.as_str()));
        // Spread in columns of its own, which hold it all.
        match found {
            Some(Json::Object(members)) if self.way.len() <= DEEPEST && !members.is_empty() => String::new(),
            found => found.map(shown).unwrap_or_default(),
        }
    }
}

/// Makes a line of each field of one value.
fn fields(value: &Json, all: bool) -> (Rows, usize) {
    let mut rows = Rows::new(&["field", "value"]);
    let mut columns = Vec::new();
    collect(value, &mut Vec::new(), &mut columns, &mut HashMap::new());
    let mut hidden = 0;
    for column in columns {
        if all || column.plain {
            rows.push([column.way.join("."), column.cell(value)]);
        } else {
            hidden += 1;
        }
    }
    (rows, hidden)
}

/// Collects the columns of a row in the order in which they first come.
fn collect(
    value: &Json,
    way: &mut Vec<String>,
    columns: &mut Vec<Column>,
    known: &mut HashMap<Vec<String>, usize>,
) {
    if let Json::Object(members) = value
        && way.len() <= DEEPEST
        && (!members.is_empty() || way.is_empty())
    {
        for (name, member) in members {
            way.push(name.clone());
            collect(member, way, columns, known);
            way.pop();
        }
        return;
    }
    let plain = !matches!(value, Json::Array(_) | Json::Object(_)) || way.is_empty();
    match known.entry(way.clone()) {
        Entry::Occupied(at) => {
            if let Some(column) = columns.get_mut(*at.get()) {
                column.plain |= plain;
            }
        }
        Entry::Vacant(place) => {
            place.insert(columns.len());
            columns.push(Column { way: way.clone(), plain });
        }
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(items: &[Json], format: Format) -> (Rows, usize) {
        let columns = Columns::of(items, format);
        let mut rows = Rows::new(&columns.titles());
        for item in items {
            rows.push(columns.row(item));
        }
        (rows, columns.hidden)
    }

    fn wide(count: u32) -> Json {
        Json::Object((0..count).map(|n| (format!("c{n:02}"), json!(n))).collect())
    }

    #[test]
    fn a_table_has_the_plain_columns_in_the_order_they_come_and_counts_the_others() {
        let (table, hidden) = rows(
            &[
                json!({"id": 1, "attributes": {"name": "a"}, "skus": [{"x": 1}]}),
                json!({"id": 2, "late": "z", "attributes": {"name": null}}),
            ],
            Format::Table,
        );
        assert_eq!(table.header, ["id", "attributes.name", "late"]);
        assert_eq!(table.cells, [["1", "a", ""], ["2", "", "z"]]);
        assert_eq!(hidden, 1);
        assert_eq!(rows(&[wide(20)], Format::Table).1, 8);
    }

    #[test]
    fn csv_leaves_nothing_out() {
        let mut items: Vec<Json> = (0..60).map(|n| json!({"id": n})).collect();
        items.push(json!({
            "id": 60, "skus": [{"x": 1}], "a.b": "dot", "empty": {}, "none": [],
            "deep": {"one": {"two": {"three": 3}}},
        }));
        items.push(json!("bare"));
        let (table, hidden) = rows(&items, Format::Csv);
        let csv = crate::output::csv(&table);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "id,skus,a.b,empty,none,deep.one.two,value");
        assert_eq!(lines[61], r#"60,"[{""x"":1}]",dot,{},[],"{""three"":3}","#);
        assert_eq!(lines[62], ",,,,,,bare");
        assert_eq!(hidden, 0);
        assert_eq!(rows(&[wide(80)], Format::Csv).0.header.len(), 80);
    }

    #[test]
    fn columns_that_come_late_are_counted() {
        let mut columns = Columns::of(&[json!({"id": 1, "more": {"a": 1}})], Format::Csv);
        let row = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(columns.cells(&row(r#"{"id":2,"more":{"a":2}}"#)), ["2", "2"]);
        assert!(columns.late.is_empty());
        assert_eq!(columns.cells(&row(r#"{"new":1,"id":3,"more":{"b":2}}"#)), ["3", ""]);
        assert_eq!(columns.late.len(), 2);
        for n in 0..1000 {
            columns.cells(&row(&format!("{{\"n{n}\":1}}")));
        }
        assert_eq!(columns.late.len(), MOST_LATE);
    }

    #[test]
    fn a_reply_without_a_list_becomes_fields() {
        let reply = json!({"code": "0", "tags": ["a"], "result": {"time": "2026-11-21 12:00:00"}});
        let (rows, hidden) = fields(&reply, false);
        assert!(rows.grid(None).contains("result.time  2026-11-21 12:00:00"));
        assert_eq!(hidden, 1);
        assert!(crate::output::csv(&fields(&reply, true).0).contains("tags,\"[\"\"a\"\"]\""));
        assert!(fields(&json!("20261121"), false).0.grid(None).contains("20261121"));
    }
}
