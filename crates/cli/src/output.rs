//! Results on standard output: tables for people, JSON, lines and CSV for programs.
//!
//! What goes to a file or a pipe is written as it is. What goes to a terminal passes [`Out`], which makes
//! visible what would steer the terminal. Colors are written by [`Printer::styled`] alone.

use std::{
    borrow::Cow,
    io::{self, BufWriter, IsTerminal, Write},
};

use serde::Serialize;
use sesame_core::{Error, scalar::is_invisible};

use crate::{
    exit::CliResult,
    json_text,
    table::{Layout, Rows},
    workbook::Book,
};

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people; not stable.
    Table,
    /// One JSON document; stable.
    Json,
    /// One JSON value a line; stable.
    Ndjson,
    /// Comma separated, with a header line, every value as it is; stable.
    Csv,
    /// The same as csv with --bom.
    Excel,
    /// A workbook, to a file or a pipe: all cells are text, the first row is frozen.
    Xlsx,
}

/// Standard output.
struct Out {
    to: BufWriter<Box<dyn Write + Send>>,
    is_terminal: bool,
    /// Hidden characters become JSON's escapes, so that JSON stays JSON.
    is_json: bool,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_terminal {
            self.to.write_all(visible(&String::from_utf8_lossy(bytes), self.is_json).as_bytes())?;
        } else {
            self.to.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Makes visible what would steer a terminal, turn its text around or take no place in it. What ends a
/// line and tabs stay.
fn visible(text: &str, is_json: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => out.push(c),
            c if is_invisible(c) && is_json => {
                out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Writes one line of RFC 4180.
fn csv_line<S: AsRef<str>>(cells: &[S], for_spreadsheet: bool, out: &mut impl Write) -> io::Result<()> {
    for (nth, cell) in cells.iter().enumerate() {
        let cell = cell.as_ref();
        out.write_all(if nth == 0 { b"" } else { b"," })?;
        let tab = if for_spreadsheet && is_changed_by_spreadsheets(cell) { "\t" } else { "" };
        // One empty cell alone would be a line that readers skip.
        if cell.contains(['"', ',', '\n', '\r', '\u{feff}']) || (cell.is_empty() && cells.len() == 1) {
            write!(out, "\"{tab}")?;
            for (nth, part) in cell.split('"').enumerate() {
                out.write_all(if nth == 0 { b"" } else { b"\"\"" })?;
                out.write_all(part.as_bytes())?;
            }
            out.write_all(b"\"")?;
        } else {
            write!(out, "{tab}{cell}")?;
        }
    }
    out.write_all(b"\r\n")
}

/// Returns `true` for formulas, and for what is taken for a number and would not stay the same: more than
/// 15 digits, zeros in front, exponents.
fn is_changed_by_spreadsheets(cell: &str) -> bool {
    let number = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let is_number = number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok();
    let whole = number.split('.').next().unwrap_or_default();
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && number.len() <= 15
        && (whole.len() == 1 || !whole.starts_with('0'));
    if is_number { !is_plain } else { cell.starts_with(['=', '+', '-', '@', '\t', '\r']) }
}

/// Standard output, with the form that was asked for.
pub(crate) struct Printer {
    format: Format,
    out: Out,
    has_colors: bool,
    cells: Cells,
}

/// What becomes of the cells of rows.
enum Cells {
    /// CSV, every value as it is.
    Plain,
    /// CSV for spreadsheets; the byte order mark may be still to come.
    Guarded { mark: bool },
    /// A workbook, from its first row on.
    Workbook(Option<Box<Book>>),
}

impl Printer {
    /// Writes to nowhere, as to a file.
    #[cfg(test)]
    pub(crate) fn nowhere(format: Format) -> Self {
        let mut printer = Self::new(format);
        printer.out.to = BufWriter::new(Box::new(io::sink()));
        printer
    }

    /// Opens standard output.
    pub(crate) fn new(format: Format) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let has_colors = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let cells = match format {
            Format::Excel => Cells::Guarded { mark: !is_terminal },
            Format::Xlsx => Cells::Workbook(None),
            _ => Cells::Plain,
        };
        Self {
            format: if matches!(format, Format::Excel | Format::Xlsx) { Format::Csv } else { format },
            out: Out {
                to: BufWriter::new(Box::new(stdout)),
                is_terminal,
                is_json: matches!(format, Format::Json | Format::Ndjson),
            },
            has_colors,
            cells,
        }
    }

    /// Returns the form; [`Format::Csv`] for both kinds of CSV and for workbooks, which have the same rows.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns `true` if standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.is_terminal
    }

    /// Returns the columns of the terminal. `None` if standard output is not one, or is too narrow for
    /// tables.
    pub(crate) fn terminal_width(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size().filter(|_| self.out.is_terminal)?;
        Some(usize::from(width.0)).filter(|width| *width >= 40)
    }

    /// Returns `true` if the form is for people.
    pub(crate) fn for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Prints a list: `records` are its items for programs, JSON and CSV alike, `rows` the same for people.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn list<T: Serialize>(&mut self, records: &[T], rows: &Rows) -> CliResult {
        match self.format {
            Format::Table => {
                self.rows(rows)?;
                self.flush()
            }
            // Programs read a header even where nothing is below it.
            Format::Csv | Format::Excel | Format::Xlsx if records.is_empty() => {
                let names: Vec<String> = rows.header.iter().map(|name| name.replace(' ', "_")).collect();
                self.csv_row(&names)?;
                self.end()
            }
            _ => self.records(records),
        }
    }

    /// Prints records for programs, one after the other as they are made.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn records<T: Serialize>(&mut self, records: impl IntoIterator<Item = T>) -> CliResult {
        let mut names: Option<Vec<String>> = None;
        let mut count = 0_u64;
        for record in records {
            match self.format {
                Format::Ndjson => self.ndjson(&record)?,
                Format::Csv | Format::Excel | Format::Xlsx => {
                    let record = serde_json::to_value(&record).unwrap_or_default();
                    if names.is_none() {
                        let keys = record.as_object().map(|fields| fields.keys().cloned().collect());
                        self.csv_row(names.insert(keys.unwrap_or_default()))?;
                    }
                    self.csv_fields(names.as_deref().unwrap_or_default(), &record)?;
                }
                _ => {
                    let text = serde_json::to_string(&record).map_err(io::Error::from)?;
                    self.text(if count == 0 { "[\n  " } else { ",\n  " })?;
                    self.vendor_row(&text, 1)?;
                }
            }
            count += 1;
        }
        if self.format == Format::Json {
            self.text(if count == 0 { "[]\n" } else { "\n]\n" })?;
        }
        self.end()
    }

    /// Prints one thing: a JSON object, one line of CSV with its fields, or the text for people.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn one<T: Serialize>(
        &mut self,
        record: &T,
        text: impl FnOnce(&mut Self) -> CliResult,
    ) -> CliResult {
        match self.format {
            Format::Json => self.json(record)?,
            Format::Ndjson => self.ndjson(record)?,
            Format::Csv | Format::Excel | Format::Xlsx => self.records([record])?,
            Format::Table => text(self)?,
        }
        self.end()
    }

    /// Prints an object as a line of CSV; lists and objects in it become JSON.
    fn csv_fields(&mut self, names: &[String], record: &serde_json::Value) -> CliResult {
        let cell = |name: &String| match record.get(name) {
            Some(serde_json::Value::String(text)) => Cow::Borrowed(text.as_str()),
            None | Some(serde_json::Value::Null) => "".into(),
            Some(other) => other.to_string().into(),
        };
        self.csv_row(&names.iter().map(cell).collect::<Vec<_>>())
    }

    /// Prints rows as a table, whatever the form.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn rows(&mut self, rows: &Rows) -> CliResult {
        let layout = Layout::new(rows, self.terminal_width().or(rows.usual_width()));
        self.styled(&layout.header(rows))?;
        rows.cells.iter().try_for_each(|row| self.text(&layout.line(row)))
    }

    /// Prints one line of CSV, whatever the form.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn csv_row<S: AsRef<str>>(&mut self, cells: &[S]) -> CliResult {
        match &mut self.cells {
            Cells::Workbook(book) => {
                let book = match book {
                    Some(book) => book,
                    none => none.insert(Box::new(Book::new()?)),
                };
                return book.row(cells);
            }
            Cells::Guarded { mark: mark @ true } => {
                *mark = false;
                self.out.write_all("\u{feff}".as_bytes())?;
            }
            Cells::Guarded { .. } | Cells::Plain => {}
        }
        csv_line(cells, matches!(self.cells, Cells::Guarded { .. }), &mut self.out)?;
        Ok(())
    }

    fn json<T: Serialize>(&mut self, record: &T) -> CliResult {
        serde_json::to_writer_pretty(&mut self.out, record).map_err(io::Error::from)?;
        self.text("\n")
    }

    fn ndjson<T: Serialize>(&mut self, record: &T) -> CliResult {
        serde_json::to_writer(&mut self.out, record).map_err(io::Error::from)?;
        self.text("\n")
    }

    /// Prints the vendor's JSON, laid out but otherwise as it came: as one line for ndjson.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn vendor_json(&mut self, json: &str) -> CliResult {
        self.has_no_rows()?;
        self.vendor_row(json, 0)?;
        self.text("\n")?;
        self.flush()
    }

    /// The same inside of what is being printed.
    pub(crate) fn vendor_row(&mut self, json: &str, level: usize) -> CliResult {
        match self.format {
            Format::Ndjson => json_text::compact(json, &mut self.out)?,
            _ => json_text::pretty(json, level, &mut self.out)?,
        }
        Ok(())
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> CliResult {
        self.text(&format!("{text}\n"))
    }

    /// Prints text as it is.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn text(&mut self, text: &str) -> CliResult {
        self.has_no_rows()?;
        self.out.write_all(text.as_bytes())?;
        Ok(())
    }

    /// Prints text of our own, whose colors are left out where the output shows none.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn styled(&mut self, text: &str) -> CliResult {
        self.has_no_rows()?;
        if self.has_colors {
            self.out.to.write_all(text.as_bytes())?;
        } else {
            write!(self.out.to, "{}", anstream::adapter::strip_str(text))?;
        }
        Ok(())
    }

    /// Refuses to print something other than rows into a workbook.
    fn has_no_rows(&self) -> CliResult {
        if !matches!(self.cells, Cells::Workbook(_)) {
            return Ok(());
        }
        Err(Error::usage("this prints no rows, which a workbook is made of")
            .with_hint("Use another --output than xlsx.")
            .into())
    }

    /// Ends the output: a workbook is written now.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn end(&mut self) -> CliResult {
        if let Cells::Workbook(book) = &mut self.cells {
            let book = book.take().map_or_else(Book::new, |book| Ok(*book))?;
            book.finish(&mut self.out.to)?;
        }
        self.flush()
    }

    /// Prints what waits to be printed.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn flush(&mut self) -> CliResult {
        self.out.flush()?;
        Ok(())
    }
}

/// Prints bytes exactly as they are; on a terminal with what would steer it made visible.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn raw(bytes: &[u8]) -> CliResult {
    let mut out = Printer::new(Format::Json).out;
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csv(rows: &[Vec<String>], for_spreadsheet: bool) -> String {
        let mut out = Vec::new();
        for row in rows {
            csv_line(row, for_spreadsheet, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let rows = [cells(&["a", "b"]), cells(&["1,5", "say \"hi\"\nthere"]), cells(&[""])];
        assert_eq!(csv(&rows, false), "a,b\r\n\"1,5\",\"say \"\"hi\"\"\nthere\"\r\n\"\"\r\n");
    }

    #[test]
    fn a_tab_keeps_spreadsheets_from_computing_and_rounding() {
        for same in
            ["", "5", "-5", "+5", "-0.50", "0", "0.5", "123456789012345", "12:30", "a=b", "中", "1.2.3", "-"]
        {
            let shown = csv(&[cells(&["x", same])], true);
            assert_eq!(shown.contains('\t'), same == "-", "{same}: {shown}");
        }
        for changed in
            ["=1+cmd|x", "@SUM(A1)", "+cmd", "-1+1", "1005000000011962", "007", "12E5", "1e99", "\t=1"]
        {
            assert!(csv(&[cells(&["x", changed])], true).starts_with("x,\t"), "{changed}");
            assert_eq!(csv(&[cells(&["x", changed])], false), format!("x,{changed}\r\n"));
        }
        assert_eq!(csv(&[cells(&["=\"a\""])], true), "\"\t=\"\"a\"\"\"\r\n");
    }

    /// Reads RFC 4180 as its readers do.
    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
        let (mut quoted, mut chars) = (false, text.chars().peekable());
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\r' if !quoted => {}
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                c => cell.push(c),
            }
        }
        rows
    }

    proptest! {
        #[test]
        fn csv_reads_back_the_same(rows in (1_usize..4).prop_flat_map(|width| {
            prop::collection::vec(prop::collection::vec(any::<String>(), width), 1..6)
        })) {
            prop_assert_eq!(read(&csv(&rows, false)), rows);
        }

        #[test]
        fn json_on_a_terminal_reads_back_the_same(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let shown = visible(&json, true);
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
            prop_assert!(!shown.chars().any(is_invisible));
        }
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let text = "a\u{1b}]0;x\u{7}\u{9b}2J\u{7f}\r\u{202e}\u{200b}\u{2028}\tb\r\n";
        assert_eq!(
            visible(text, false),
            "a\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{7f}\\u{d}\\u{202e}\\u{200b}\\u{2028}\tb\r\n"
        );
        assert_eq!(visible("\u{9b}\u{e0001}", true), "\\u009b\\udb40\\udc01");
    }
}
