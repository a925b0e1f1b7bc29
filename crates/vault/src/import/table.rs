//! Tables of accounts with named columns: CSV, TSV and JSON Lines.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
};

use serde_json::value::RawValue;
use sesame_core::{Error, Result};
use zeroize::Zeroizing;

use super::options::{COLUMNS, Mapping};

/// The largest table, in bytes.
pub const MAX_TABLE: u64 = 64 << 20;
/// The longest row, in bytes.
const MAX_ROW: usize = 64 << 10;
/// Maximum number of rows.
const MAX_ROWS: usize = 250_000;
/// Maximum number of columns.
const MAX_COLUMNS: usize = 200;
const TOO_LONG: &str = "it is longer than 64 KiB";
const NOT_CLOSED: &str = "a quote in it is not closed: the file may be cut off";
/// Read as a row of its own after the last one, unless a quote is still open there.
const AFTER_THE_END: &str = "\n\u{0}\n";

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableFormat {
    /// Values between commas or semicolons, in double quotes where needed; the first line names the columns.
    Csv,
    /// Values between tabs, with `\t`, `\n` and `\\` for what separates them, as `mysql --batch` and
    /// PostgreSQL's `COPY` write them; the first line names the columns.
    Tsv,
    /// One JSON object per line, whose names are the columns.
    JsonLines,
}

/// A table of accounts. `Debug` shows nothing of it: it holds secrets.
#[derive(Default)]
pub struct Table {
    columns: Vec<String>,
    /// The line of each column's value in a file that has one value per line.
    lines: Vec<usize>,
    rows: Vec<TableRow>,
}

struct TableRow {
    line: u64,
    /// The values; or why the row cannot be read.
    cells: Result<Cells, &'static str>,
    /// The columns whose values are neither texts nor numbers.
    odd: Vec<usize>,
}

type Cells = Vec<Option<Zeroizing<String>>>;

/// Which column holds which of [`COLUMNS`].
pub(crate) type Columns = HashMap<&'static str, usize>;

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} columns, {} rows)", self.columns.len(), self.rows.len())
    }
}

impl Table {
    /// Reads a table: UTF-8, at most [`MAX_TABLE`] bytes, 250,000 rows and 64 KiB per row. Empty values,
    /// `NULL` and `\N` count as absent. A row that cannot be read is an error when it is imported.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for text that is not UTF-8, a table without
    /// rows, and one that is larger.
    pub fn read(bytes: Vec<u8>, format: TableFormat) -> Result<Self> {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.len() as u64 > MAX_TABLE {
            return Err(too_large("64 MiB"));
        }
        // Lines of Windows end with one, and the reader of CSV would count them wrong. No value has one.
        bytes.retain(|byte| *byte != b'\r');
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            Error::usage(format!("line {line} of the table is not UTF-8 text")).with_hint(
                "Save it as \"CSV UTF-8\", or convert it: iconv -f GBK -t UTF-8 OLD > NEW. Nothing was imported.",
            )
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let mut table = Self::default();
        match format {
            TableFormat::JsonLines => table.read_json_lines(text)?,
            format => table.read_columns(text, format)?,
        }
        if table.rows.is_empty() {
            return Err(
                Error::usage("the table has no rows below a line of column names").with_hint(name_columns())
            );
        }
        Ok(table)
    }

    /// Makes a table of one row, of names, values and the lines they are on.
    pub fn of_one_row<'a>(values: impl IntoIterator<Item = (&'a str, &'a str, usize)>) -> Self {
        let mut table = Self::default();
        let mut cells = Vec::new();
        for (name, value, line) in values {
            table.columns.push(name.to_owned());
            table.lines.push(line);
            cells.push(cell(value));
        }
        table.rows.push(TableRow { line: 0, cells: Ok(cells), odd: Vec::new() });
        table
    }

    fn read_columns(&mut self, text: &str, format: TableFormat) -> Result<()> {
        let is_tsv = format == TableFormat::Tsv;
        let names = text.lines().next().unwrap_or_default();
        let delimiter = match names.matches(';').count() > names.matches(',').count() {
            _ if is_tsv => b'\t',
            true => b';',
            false => b',',
        };
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(delimiter).quoting(!is_tsv).flexible(true);
        let mut reader = reader.from_reader(io::Read::chain(text.as_bytes(), AFTER_THE_END.as_bytes()));
        let broken = |_| Error::usage("the table cannot be read").with_hint(name_columns());
        self.columns = reader.headers().map_err(broken)?.iter().map(|name| name.trim().to_owned()).collect();
        // As of a file without a line.
        let mut is_closed = self.columns == ["\0"];
        if self.columns.len() > MAX_COLUMNS {
            return Err(Error::usage("the table has more than 200 columns").with_hint(name_columns()));
        }
        for record in reader.records() {
            let record = record.map_err(broken)?;
            if record.as_slice() == "\0" {
                is_closed = true;
                break;
            }
            let line = record.position().map_or(0, csv::Position::line);
            let read = if is_tsv { unescaped } else { cell };
            let cells: Cells = record.iter().map(read).collect();
            // Spreadsheets write rows that somebody emptied.
            if cells.iter().all(Option::is_none) {
                continue;
            }
            let has_all = cells.len() == self.columns.len();
            let cells = if record.as_slice().len() > MAX_ROW {
                Err(TOO_LONG)
            } else if has_all {
                Ok(cells)
            } else {
                Err("it has another number of values than the first line has names")
            };
            self.push(line, cells, Vec::new())?;
        }
        match self.rows.last_mut() {
            Some(row) if !is_closed => row.cells = Err(NOT_CLOSED),
            None if !is_closed => {
                return Err(Error::usage("a quote in the line of column names is not closed")
                    .with_hint(name_columns()));
            }
            _ => {}
        }
        Ok(())
    }

    fn read_json_lines(&mut self, text: &str) -> Result<()> {
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            let mut odd = Vec::new();
            let cells = if text.len() > MAX_ROW { Err(TOO_LONG) } else { self.object(text, &mut odd) };
            self.push(line, cells, odd)?;
        }
        match self.rows.first() {
            Some(TableRow { line, cells: Err(why), .. }) if self.columns.is_empty() => {
                Err(Error::usage(format!("line {line} of the table: {why}")).with_hint(
                    "JSON Lines are one object a line, such as {\"account\":\"a\",..}; `jq -c '.[]'` makes them of an array. Nothing was imported.",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Reads a line of JSON. The parser's errors may quote a value, and are not passed on.
    fn object(&mut self, text: &str, odd: &mut Vec<usize>) -> Result<Cells, &'static str> {
        let object: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| "it is not a JSON object")?;
        let mut cells = Vec::new();
        for (name, value) in object {
            let text = match value.get() {
                "null" => continue,
                text if text.starts_with('"') => serde_json::from_str(text).map_err(|_| "it is not JSON")?,
                text if text.starts_with(['{', '[', 't', 'f']) => String::new(),
                number => number.to_owned(),
            };
            let is_odd = value.get().starts_with(['{', '[', 't', 'f']);
            let known = self.columns.iter().position(|column| *column == name);
            let at = known.unwrap_or(self.columns.len());
            if at == MAX_COLUMNS {
                return Err("the table has more than 200 columns by then");
            }
            if known.is_none() {
                self.columns.push(name);
            }
            if is_odd {
                odd.push(at);
            }
            cells.resize_with(cells.len().max(at + 1), || None);
            cells[at] = cell(&text);
        }
        Ok(cells)
    }

    fn push(&mut self, line: u64, cells: Result<Cells, &'static str>, odd: Vec<usize>) -> Result<()> {
        if self.rows.len() == MAX_ROWS {
            return Err(too_large("250,000 rows"));
        }
        self.rows.push(TableRow { line, cells, odd });
        Ok(())
    }

    /// Finds the columns: by the mapping, else by the documented names, without regard to case.
    /// `identities` are a platform's own names of a shop's id.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a mapped column that is not there, for one
    /// that is there twice, and without a column `account`. The table's own names are never shown: in a table without a line of
    /// names, values are in their place.
    pub(crate) fn columns<'a>(
        &self,
        mapping: &Mapping,
        identities: impl Iterator<Item = &'a str>,
    ) -> Result<Columns> {
        let find = |name: &str| self.columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        let mut columns: Columns = COLUMNS.into_iter().filter_map(|name| Some((name, find(name)?))).collect();
        if let Some(at) = { identities }.find_map(find) {
            columns.entry("identity").or_insert(at);
        }
        for (name, column) in &mapping.0 {
            let at = find(column).ok_or_else(|| {
                Error::usage(format!("the table has no column {column:?} to take {name} from"))
                    .with_hint("Look at the table's first line, and correct --map. Nothing was imported.")
            })?;
            columns.insert(name, at);
        }
        let is_twice = |at: usize| {
            self.columns.iter().filter(|column| column.eq_ignore_ascii_case(&self.columns[at])).count() > 1
        };
        if let Some((name, _)) = columns.iter().find(|(_, at)| is_twice(**at)) {
            return Err(Error::usage(format!("more than one column of the table may be {name}")).with_hint(
                "Give each column its own name; in SQL: SELECT a.id AS a_id. Nothing was imported.",
            ));
        }
        if !columns.contains_key("account") {
            return Err(Error::usage(
                "the table has no column \"account\" (its names are not shown: they may be secrets)",
            )
            .with_hint(name_columns()));
        }
        Ok(columns)
    }

    /// Returns the shops, or the place of each row that cannot be read and why.
    pub(crate) fn shops<'a>(
        &'a self,
        columns: &'a Columns,
    ) -> impl Iterator<Item = Result<Shop<'a>, (String, String)>> {
        self.rows.iter().map(move |row| {
            let place = if row.line == 0 { "the file".to_owned() } else { format!("line {}", row.line) };
            match &row.cells {
                Ok(cells) => match columns.values().find(|at| row.odd.contains(at)) {
                    Some(at) => {
                        let column = &self.columns[*at];
                        Err((place, format!("a value is neither text nor a number: column {column}")))
                    }
                    None => Ok(Shop { table: self, columns, cells, place }),
                },
                Err(why) => Err((place, (*why).to_owned())),
            }
        })
    }
}

/// A row of a table.
pub(crate) struct Shop<'a> {
    table: &'a Table,
    columns: &'a Columns,
    cells: &'a Cells,
    /// Where it is, for people.
    pub(crate) place: String,
}

impl<'a> Shop<'a> {
    /// Returns the value of a field; `None` also for words that programs write where there is no value.
    pub(crate) fn get(&self, field: &str) -> Option<&'a str> {
        const WORDS: [&str; 3] = ["none", "nan", "undefined"];
        let text = self.cells.get(*self.columns.get(field)?)?.as_ref()?.as_str();
        // A shop may be called like one of them.
        let is_name = matches!(field, "account" | "login");
        (is_name || !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))).then_some(text)
    }

    /// Returns the name of a field's column.
    pub(crate) fn column(&self, field: &str) -> &'a str {
        self.columns.get(field).map_or("", |at| self.table.columns[*at].as_str())
    }

    /// Says where the value of a field is: `column tok`, `ACCESS_TOKEN (line 7)`.
    pub(crate) fn spot(&self, field: &str) -> String {
        let line = self.columns.get(field).and_then(|at| self.table.lines.get(*at));
        let column = self.column(field);
        line.map_or_else(|| format!("column {column}"), |line| format!("{column} (line {line})"))
    }
}

fn cell(text: &str) -> Option<Zeroizing<String>> {
    match text.trim() {
        "" | "NULL" | "\\N" => None,
        text => Some(Zeroizing::new(text.to_owned())),
    }
}

/// Takes the escapes off a value of TSV.
fn unescaped(text: &str) -> Option<Zeroizing<String>> {
    if !text.contains('\\') || text == "\\N" {
        return cell(text);
    }
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, if c == '\\' { chars.next() } else { None }) {
            (_, Some('n')) => '\n',
            (_, Some('t')) => '\t',
            (_, Some(other)) => other,
            (c, None) => c,
        });
    }
    cell(&out)
}

fn name_columns() -> String {
    format!(
        "The first line names the columns, or each object of JSON its values: {}. Other names are mapped with --map NAME=COLUMN. Nothing was imported.",
        COLUMNS.join(", ")
    )
}

fn too_large(limit: &str) -> Error {
    Error::usage(format!("the table is larger than {limit}"))
        .with_hint("Cut it into several, each with the line of names. Nothing was imported.")
}
