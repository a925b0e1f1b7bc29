//! Columns made up from what a platform's rows hold, where no list of columns is known.
//!
//! Rows are read as they came, member by member: a reply of some megabytes may have millions of them.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
};

use serde::{Deserializer as _, de};
use serde_json::value::RawValue;
use sesame_core::{path, scalar};

use crate::{
    exit::{CliResult, note},
    json_text,
    list::{List, RowView},
    output::{Format, Printer},
    table::Rows,
};

/// The most columns of a table: more would not fit a screen. CSV has more.
const MOST_IN_TABLE: usize = 12;

/// The most columns that are told apart. What rows hold besides stands in [`MORE`].
const MOST: usize = 1_000;

/// The most columns that are remembered as late.
const MOST_LATE: usize = 100;

/// Objects are spread into columns down to this depth, and written as JSON below it.
const DEEPEST: usize = 2;

/// The rows that decide how wide the columns of a table are.
const FIRST: usize = 1_000;

/// The column of CSV that holds, as JSON, what has no column of its own.
const MORE: &str = "more";

/// Prints rows as CSV, which leaves nothing out, or as a table, which says how much it leaves out.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print(printer: Printer, rows: &[&RawValue]) -> CliResult {
    let mut columns = Columns::of(rows, printer.format(), false);
    let mut list = List::new(printer, columns.titles());
    for some in rows.chunks(FIRST) {
        list.page(some, Some(rows.len() as u64), &mut columns)?;
    }
    list.end()?;
    columns.say_left_out();
    Ok(())
}

/// Prints the fields of one value, a line each.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_fields(mut printer: Printer, value: &RawValue) -> CliResult {
    let mut rows = Rows::new(&["field", "value"]);
    let (mut hidden, mut outcome) = (0_u64, Ok(()));
    let for_people = printer.for_people();
    if !for_people {
        printer.csv_row(&rows.header)?;
    }
    let _ = spread(value, &mut Vec::new(), &mut |way, member| {
        if !for_people {
            outcome = printer.csv_row(&[way.join(".").as_str(), &*shown(member)]);
        } else if is_plain(member, way) && rows.cells.len() < MOST {
            rows.push([way.join("."), shown(member).into_owned()]);
        } else {
            hidden += 1;
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome?;
    if for_people {
        printer.rows(&rows)?;
    }
    printer.end()?;
    if hidden > 0 {
        let s = if hidden == 1 { "" } else { "s" };
        note("note", &format!("{hidden} field{s} not shown; --output csv and json have all"));
    }
    Ok(())
}

/// The columns of a list, as its first rows have them.
pub(crate) struct Columns {
    /// Those that are shown; whole rows where there are none.
    shown: Vec<Vec<String>>,
    /// Where the cell of a member goes; `None` if a table has no room for it.
    known: HashMap<Vec<String>, Option<usize>>,
    /// There are more than [`MOST`].
    is_full: bool,
    /// The last column takes what has none.
    has_more: bool,
    is_csv: bool,
    /// Those that later rows brought to a table, at most [`MOST_LATE`].
    late: BTreeSet<Vec<String>>,
}

impl Columns {
    /// Makes up the columns: all for CSV, for a table those that it has room for. `continues` if later
    /// rows may have others.
    pub(crate) fn of<T: std::borrow::Borrow<RawValue>>(rows: &[T], format: Format, continues: bool) -> Self {
        // In the order in which they first come, and whether some row has more than a list or an object there.
        let (mut order, mut plain) = (Vec::new(), HashMap::new());
        let mut is_full = false;
        for row in rows {
            let _ = spread(row.borrow(), &mut Vec::new(), &mut |way, member| {
                if let Some(plain) = plain.get_mut(way) {
                    *plain |= is_plain(member, way);
                } else if order.len() < MOST {
                    plain.insert(way.to_vec(), is_plain(member, way));
                    order.push(way.to_vec());
                } else {
                    is_full = true;
                }
                ControlFlow::Continue(())
            });
        }
        let is_csv = format == Format::Csv;
        let is_shown = |way: &Vec<String>| is_csv || plain.get(way).copied().unwrap_or_default();
        let most = if is_csv { MOST } else { MOST_IN_TABLE };
        let shown: Vec<Vec<String>> = order.iter().filter(|way| is_shown(way)).take(most).cloned().collect();
        let mut known: HashMap<_, _> = order.into_iter().map(|way| (way, None)).collect();
        known.extend(shown.iter().cloned().zip((0..).map(Some)));
        let has_more = is_csv && !shown.is_empty() && (is_full || continues);
        Self { shown, known, is_full, has_more, is_csv, late: BTreeSet::new() }
    }

    /// Returns the names of the columns.
    pub(crate) fn titles(&self) -> Vec<String> {
        let names =
            self.shown.iter().map(|way| if way.is_empty() { "value".to_owned() } else { way.join(".") });
        let titles: Vec<String> = names.chain(self.has_more.then(|| MORE.to_owned())).collect();
        if titles.is_empty() { vec!["value".to_owned()] } else { titles }
    }

    /// Says how many columns were not shown.
    pub(crate) fn say_left_out(&self) {
        if self.is_csv || self.shown.is_empty() {
            return;
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let hidden = self.known.len() - self.shown.len();
        if hidden > 0 {
            let at_least = if self.is_full { "at least " } else { "" };
            note(
                "note",
                &format!(
                    "{at_least}{hidden} column{} not shown; --output csv and json have all",
                    plural(hidden)
                ),
            );
        }
        if !self.late.is_empty() {
            let names: Vec<String> = self.late.iter().take(5).map(|way| way.join(".")).collect();
            let more = if self.late.len() > names.len() { ", ..." } else { "" };
            note(
                "warning",
                &format!(
                    "column{} that only later rows have, not shown: {}{more}; --output csv and json have all",
                    plural(self.late.len()),
                    names.join(", ")
                ),
            );
        }
    }
}

impl RowView for Columns {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        if self.shown.is_empty() {
            return vec![shown(row).into_owned()];
        }
        let mut cells = vec![String::new(); self.shown.len()];
        let mut more = String::new();
        let _ = spread(row, &mut Vec::new(), &mut |way, member| {
            match self.known.get(way) {
                // Of members with the same name the first counts.
                Some(Some(at)) if cells[*at].is_empty() => cells[*at] = shown(member).into_owned(),
                None if self.has_more => {
                    more.push(if more.is_empty() { '{' } else { ',' });
                    more.push_str(&serde_json::Value::from(way.join(".")).to_string());
                    more.push(':');
                    more.push_str(&shown_as_json(member));
                }
                None if self.late.len() < MOST_LATE => {
                    self.late.insert(way.to_vec());
                }
                Some(_) | None => {}
            }
            ControlFlow::Continue(())
        });
        if self.has_more {
            cells.push(if more.is_empty() { more } else { more + "}" });
        }
        cells
    }

    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str> {
        row.get().into()
    }
}

/// Visits the members of a row that make columns, with the names on the way to them. A row that is no
/// object has one, without a name.
fn spread<'a>(
    value: &'a RawValue,
    way: &mut Vec<String>,
    visit: &mut dyn FnMut(&[String], &'a RawValue) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let is_spread = value.get().starts_with('{') && way.len() <= DEEPEST;
    if !is_spread || (!way.is_empty() && value.get()[1..].trim_start() == "}") {
        return visit(way, value);
    }
    members(value, &mut |name, member| {
        way.push(name.into_owned());
        let flow = spread(member, way, visit);
        way.pop();
        flow
    })
}

/// Visits the members of an object, until told to stop.
pub(crate) fn members<'a>(
    object: &'a RawValue,
    visit: &mut dyn FnMut(Cow<'a, str>, &'a RawValue) -> ControlFlow<()>,
) -> ControlFlow<()> {
    struct Members<'v, 'a>(&'v mut dyn FnMut(Cow<'a, str>, &'a RawValue) -> ControlFlow<()>);
    impl<'de: 'a, 'a> de::Visitor<'de> for Members<'_, 'a> {
        type Value = ControlFlow<()>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while let Some((name, member)) = map.next_entry::<String, &'de RawValue>()? {
                if (self.0)(name.into(), member).is_break() {
                    // The reader takes what follows for an error, which nobody sees.
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object.get());
    reader.deserialize_map(Members(visit)).unwrap_or(ControlFlow::Break(()))
}

/// Finds the first list of objects, the outermost first.
pub(crate) fn first_list(value: &RawValue, depth: usize) -> Option<Vec<&RawValue>> {
    match value.get().as_bytes().first()? {
        b'[' => path::rows(value, "").filter(|rows| rows.iter().any(|row| row.get().starts_with('{'))),
        b'{' if depth < 6 => {
            let mut found = None;
            let _ = members(value, &mut |_, member| {
                found = first_list(member, depth + 1);
                if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            found
        }
        _ => None,
    }
}

fn is_plain(value: &RawValue, way: &[String]) -> bool {
    way.is_empty() || !value.get().starts_with(['[', '{'])
}

/// Returns a value as a cell: nothing for null, texts without quotes, lists and objects as JSON.
fn shown(value: &RawValue) -> Cow<'_, str> {
    match value.get().as_bytes().first() {
        Some(b'n') => "".into(),
        Some(b'{' | b'[') => shown_as_json(value).into(),
        // A lone surrogate is not text; what stands there is shown.
        _ => scalar::raw_text(value).unwrap_or_else(|| value.get().into()),
    }
}

fn shown_as_json(value: &RawValue) -> String {
    let mut out = Vec::with_capacity(value.get().len());
    // Memory is always written.
    let _ = json_text::compact(value.get(), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn raw(json: &Json) -> Box<RawValue> {
        RawValue::from_string(json.to_string()).unwrap()
    }

    fn rows(items: &[Json], format: Format) -> (Vec<String>, Vec<Vec<String>>, usize) {
        let items: Vec<Box<RawValue>> = items.iter().map(raw).collect();
        let mut columns = Columns::of(&items, format, false);
        let cells = items.iter().map(|item| columns.cells(item)).collect();
        (columns.titles(), cells, columns.known.len() - columns.shown.len())
    }

    fn wide(from: u32, count: u32) -> Json {
        Json::Object((from..from + count).map(|n| (format!("c{n:02}"), json!(n))).collect())
    }

    #[test]
    fn a_table_has_the_plain_columns_in_the_order_they_come_and_counts_the_others() {
        let (titles, cells, hidden) = rows(
            &[
                json!({"id": 1, "attributes": {"name": "a"}, "skus": [{"x": 1}]}),
                json!({"id": 2, "late": "z", "attributes": {"name": null}}),
            ],
            Format::Table,
        );
        assert_eq!(titles, ["id", "attributes.name", "late"]);
        assert_eq!(cells, [["1", "a", ""], ["2", "", "z"]]);
        assert_eq!(hidden, 1);
        assert_eq!(rows(&[wide(0, 20)], Format::Table).2, 8);
    }

    #[test]
    fn csv_leaves_nothing_out() {
        let mut items: Vec<Json> = (0..60).map(|n| json!({"id": n})).collect();
        items.push(json!({
            "id": 60, "skus": [{"x": 1}], "a.b": "dot", "empty": {}, "none": [],
            "deep": {"one": {"two": {"three": 3}}},
        }));
        items.push(json!("bare"));
        let (titles, cells, hidden) = rows(&items, Format::Csv);
        assert_eq!(titles, ["id", "skus", "a.b", "empty", "none", "deep.one.two", "value"]);
        assert_eq!(cells[60], ["60", r#"[{"x":1}]"#, "dot", "{}", "[]", r#"{"three":3}"#, ""]);
        assert_eq!(cells[61], ["", "", "", "", "", "", "bare"]);
        assert_eq!(hidden, 0);
        assert_eq!(rows(&[wide(0, 80)], Format::Csv).0.len(), 80);
    }

    #[test]
    fn more_columns_than_csv_has_stand_in_its_last_one() {
        let (titles, cells, _) = rows(&[wide(0, 1_000), wide(999, 3)], Format::Csv);
        assert_eq!((titles.len(), titles[1_000].as_str()), (1_001, "more"));
        assert_eq!(
            (cells[0][1_000].as_str(), cells[1][1_000].as_str()),
            ("", r#"{"c1000":1000,"c1001":1001}"#)
        );
        assert_eq!(cells[1][999], "999");
    }

    #[test]
    fn columns_that_come_late_are_not_lost_from_csv_and_counted_by_a_table() {
        let first = [raw(&json!({"id": 1, "more": {"a": 1}}))];
        let late = raw(&json!({"new": [1, "x"], "id": 3, "more": {"b": 2}}));
        let mut columns = Columns::of(&first, Format::Csv, true);
        assert_eq!(columns.titles(), ["id", "more.a", "more"]);
        assert_eq!(columns.cells(&first[0]), ["1", "1", ""]);
        assert_eq!(columns.cells(&late), ["3", "", r#"{"new":[1,"x"],"more.b":2}"#]);
        let mut columns = Columns::of(&first, Format::Table, true);
        assert_eq!(columns.cells(&late), ["3", ""]);
        assert_eq!(columns.late.len(), 2);
        for n in 0..1000 {
            columns.cells(&raw(&json!({ format!("n{n}"): 1 })));
        }
        assert_eq!(columns.late.len(), MOST_LATE);
    }

    #[test]
    fn the_first_list_of_objects_is_found_inside() {
        let reply = raw(&json!({"code": "0", "tags": ["a"], "data": {"orders": [{"id": 1}]}}));
        assert_eq!(first_list(&reply, 0).map(|rows| rows.len()), Some(1));
        assert!(first_list(&raw(&json!({"tags": ["a"]})), 0).is_none());
    }
}
