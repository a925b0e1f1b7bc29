//! Columns made up from what a platform's rows hold, where no list of columns is known.

use std::collections::{HashMap, hash_map::Entry};

use serde_json::Value as Json;

use crate::{
    exit::{CliResult, note},
    output::{Format, Printer, Rows},
};

/// The most columns of a table: more would not fit a screen. CSV has them all.
const MOST_IN_TABLE: usize = 12;

/// Objects are spread into columns down to this depth, and written as JSON below it.
const DEEPEST: usize = 2;

/// Prints rows as CSV, which leaves nothing out, or as a table, which says how much it leaves out.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print(printer: &mut Printer, items: &[Json]) -> CliResult {
    if printer.format() == Format::Csv {
        return printer.csv(&made_up(items, true).0);
    }
    let (rows, hidden) = made_up(items, false);
    printer.rows(&rows)?;
    printer.flush()?;
    say_hidden(hidden, "column");
    Ok(())
}

/// Prints the fields of one value, a line each.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_fields(printer: &mut Printer, value: &Json) -> CliResult {
    if printer.format() == Format::Csv {
        return printer.csv(&fields(value, true).0);
    }
    let (rows, hidden) = fields(value, false);
    printer.rows(&rows)?;
    printer.flush()?;
    say_hidden(hidden, "list");
    Ok(())
}

fn say_hidden(hidden: usize, what: &str) {
    if hidden > 0 {
        let plural = if hidden == 1 { "" } else { "s" };
        note("note", &format!("{hidden} {what}{plural} not shown; --output csv and json have all"));
    }
}

/// One column: the names on the way to its value. The empty way leads to a row that is no object.
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

/// Makes rows of all columns, or of those that a table has room for; and counts the others.
fn made_up(items: &[Json], all: bool) -> (Rows, usize) {
    let columns = columns_of(items);
    let count = columns.len();
    let chosen: Vec<Column> = if all {
        columns
    } else {
        columns.into_iter().filter(|column| column.plain).take(MOST_IN_TABLE).collect()
    };
    let hidden = count - chosen.len();
    if chosen.is_empty() {
        let mut rows = Rows::new(&["value"]);
        for item in items {
            rows.push([shown(item)]);
        }
        // Whole rows are there, so nothing is hidden.
        return (rows, 0);
    }
    let mut rows = Rows::new(&chosen.iter().map(Column::title).collect::<Vec<_>>());
    for item in items {
        rows.push(chosen.iter().map(|column| column.cell(item)));
    }
    (rows, hidden)
}

/// Makes a line of each field of one value.
fn fields(value: &Json, all: bool) -> (Rows, usize) {
    let mut rows = Rows::new(&["field", "value"]);
    let columns = columns_of(std::slice::from_ref(value));
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

/// Collects the columns of all rows in the order in which they first come.
fn columns_of(items: &[Json]) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut known = HashMap::new();
    for item in items {
        collect(item, &mut Vec::new(), &mut columns, &mut known);
    }
    columns
}

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

    #[test]
    fn a_table_has_the_plain_columns_in_the_order_they_come_and_counts_the_others() {
        let (rows, hidden) = made_up(
            &[
                json!({"id": 1, "attributes": {"name": "a"}, "skus": [{"x": 1}]}),
                json!({"id": 2, "late": "z", "attributes": {"name": null}}),
            ],
            false,
        );
        assert_eq!(rows.grid(None, false), "ID  ATTRIBUTES.NAME  LATE\n1   a\n2                    z\n");
        assert_eq!(hidden, 1);
        let wide: serde_json::Map<String, Json> = (0..20).map(|n| (format!("c{n:02}"), json!(n))).collect();
        assert_eq!(made_up(&[Json::Object(wide)], false).1, 8);
    }

    #[test]
    fn csv_leaves_nothing_out() {
        let mut items: Vec<Json> = (0..60).map(|n| json!({"id": n})).collect();
        items.push(json!({
            "id": 60, "skus": [{"x": 1}], "a.b": "dot", "empty": {}, "none": [],
            "deep": {"one": {"two": {"three": 3}}},
        }));
        items.push(json!("bare"));
        let (rows, hidden) = made_up(&items, true);
        let csv = rows.csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "id,skus,a.b,empty,none,deep.one.two,value");
        assert_eq!(lines[61], r#"60,"[{""x"":1}]",dot,{},[],"{""three"":3}","#);
        assert_eq!(lines[62], ",,,,,,bare");
        assert_eq!(hidden, 0);
        let wide: serde_json::Map<String, Json> = (0..80).map(|n| (format!("c{n:02}"), json!(n))).collect();
        let csv = made_up(&[Json::Object(wide)], true).0.csv();
        assert_eq!(csv.lines().next().unwrap().split(',').count(), 80);
    }

    #[test]
    fn a_reply_without_a_list_becomes_fields() {
        let reply = json!({"code": "0", "tags": ["a"], "result": {"time": "2026-11-21 12:00:00"}});
        let (rows, hidden) = fields(&reply, false);
        assert!(rows.grid(None, false).contains("result.time  2026-11-21 12:00:00"));
        assert_eq!(hidden, 1);
        assert!(fields(&reply, true).0.csv().contains("tags,\"[\"\"a\"\"]\""));
        assert!(fields(&json!("20261121"), false).0.grid(None, false).contains("20261121"));
    }
}
