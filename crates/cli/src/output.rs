//! Results on standard output: tables for people, JSON, lines and CSV for programs.

use std::io::{self, BufWriter, IsTerminal, Write};

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table as Grid};
use serde::Serialize;

use crate::{exit::CliResult, json_text};

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people; not stable.
    Table,
    /// One JSON document; stable.
    Json,
    /// One JSON value a line; stable.
    Ndjson,
    /// Comma separated, with a header line; stable.
    Csv,
}

/// Rows with named columns, and the same as JSON.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    columns: Vec<String>,
    right: Vec<bool>,
    cells: Vec<Vec<String>>,
}

impl Rows {
    /// Starts a table. A column whose name ends in `>` is set to the right.
    pub(crate) fn new<S: AsRef<str>>(columns: &[S]) -> Self {
        Self {
            columns: columns.iter().map(|name| name.as_ref().trim_end_matches('>').to_owned()).collect(),
            right: columns.iter().map(|name| name.as_ref().ends_with('>')).collect(),
            cells: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn push<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.cells.push(cells.into_iter().map(Into::into).collect());
    }

    /// Tells whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Lays the rows out for a screen of this width, or as wide as they are.
    pub(crate) fn grid(&self, width: Option<u16>, bold: bool) -> String {
        let mut grid = Grid::new();
        grid.load_style(comfy_table::presets::NOTHING);
        match width {
            Some(width) => grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => grid.set_content_arrangement(ContentArrangement::Disabled),
        };
        if bold {
            grid.enforce_styling();
        }
        grid.set_header(self.columns.iter().map(|name| {
            let cell = Cell::new(name.to_uppercase());
            if bold { cell.add_attribute(Attribute::Bold) } else { cell }
        }));
        for row in &self.cells {
            grid.add_row(row.iter().map(|text| Cell::new(sesame_core::scalar::printable(text))));
        }
        for (at, column) in grid.column_iter_mut().enumerate() {
            let last = at + 1 == self.columns.len();
            column.set_padding((0, if last { 0 } else { 2 }));
            if self.right.get(at).copied().unwrap_or_default() {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        // Cells are filled up to the width of their column; the last of a line need not be.
        grid.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }

    /// Returns how many columns of a screen the rows take at most when no cell is broken.
    fn width(&self) -> usize {
        // Whatever comes after the Latin, Greek and Cyrillic letters may be two columns wide.
        let wide = |line: &str| line.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum();
        self.grid(None, false).lines().map(wide).max().unwrap_or_default()
    }

    /// Writes the rows as RFC 4180 has it.
    pub(crate) fn csv(&self) -> String {
        let mut out = String::new();
        csv_line(&mut out, &self.columns);
        for row in &self.cells {
            csv_line(&mut out, row);
        }
        out
    }
}

/// Writes one line of RFC 4180.
fn csv_line(out: &mut String, cells: &[String]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    out.push_str("\r\n");
}

/// Standard output, with the form that was asked for.
pub(crate) struct Printer {
    format: Format,
    out: BufWriter<anstream::AutoStream<io::Stdout>>,
    terminal: bool,
    color: bool,
}

impl Printer {
    /// Opens standard output.
    pub(crate) fn new(format: Format) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let color = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        Self { format, out: BufWriter::new(anstream::AutoStream::auto(stdout)), terminal, color }
    }

    /// Returns the form.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Tells whether the form is for people.
    pub(crate) fn for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Prints a list: `records` are its items for programs, `rows` the same for people.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn list<T: Serialize>(&mut self, records: &[T], rows: &Rows) -> CliResult {
        match self.format {
            Format::Json => self.json(records)?,
            Format::Ndjson => {
                for record in records {
                    let line = serde_json::to_string(record).unwrap_or_default();
                    writeln!(self.out, "{line}")?;
                }
            }
            Format::Csv => self.out.write_all(rows.csv().as_bytes())?,
            Format::Table => self.rows(rows)?,
        }
        self.flush()
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
            Format::Ndjson => {
                let line = serde_json::to_string(record).unwrap_or_default();
                writeln!(self.out, "{line}")?;
            }
            Format::Csv => self.out.write_all(one_row(record).csv().as_bytes())?,
            Format::Table => text(self)?,
        }
        self.flush()
    }

    /// Tells whether rows are wider than the terminal that they would be printed on.
    pub(crate) fn is_too_wide(&self, rows: &Rows) -> bool {
        let width = if self.terminal { terminal_width() } else { None };
        width.is_some_and(|width| rows.width() > usize::from(width))
    }

    /// Prints rows as a table, whatever the form.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn rows(&mut self, rows: &Rows) -> CliResult {
        let width = if self.terminal { terminal_width() } else { None };
        let text = rows.grid(width, self.color);
        self.text(&text)
    }

    /// Prints rows as CSV, whatever the form.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn csv(&mut self, rows: &Rows) -> CliResult {
        self.out.write_all(rows.csv().as_bytes())?;
        self.flush()
    }

    fn json<T: Serialize + ?Sized>(&mut self, record: &T) -> CliResult {
        let text = serde_json::to_string_pretty(record).unwrap_or_default();
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// Prints the vendor's JSON, laid out but otherwise as it came.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn vendor_json(&mut self, json: &str) -> CliResult {
        let text =
            if self.format == Format::Ndjson { json_text::compact(json) } else { json_text::pretty(json) };
        writeln!(self.out, "{text}")?;
        self.flush()
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> CliResult {
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// Prints text as it is.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn text(&mut self, text: &str) -> CliResult {
        self.out.write_all(text.as_bytes())?;
        Ok(())
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

/// Prints bytes on standard output exactly as they are.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn raw(bytes: &[u8]) -> CliResult {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// Lays an object out as one row: its fields are the columns, what is no scalar is JSON.
fn one_row<T: Serialize>(record: &T) -> Rows {
    let value = serde_json::to_value(record).unwrap_or_default();
    let fields = value.as_object().cloned().unwrap_or_default();
    let mut rows = Rows::new::<&str>(&[]);
    rows.columns = fields.keys().cloned().collect();
    rows.push(fields.values().map(|value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }));
    rows
}

fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width().filter(|width| *width >= 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_wide_characters() {
        let mut rows = Rows::new(&["id", "title", "price>"]);
        rows.push(["1", "铅笔", "1.20"]);
        rows.push(["1600", "pen", "10.00"]);
        let grid = rows.grid(None, false);
        assert_eq!(grid, "ID    TITLE  PRICE\n1     铅笔    1.20\n1600  pen    10.00\n");
    }

    #[test]
    fn cells_cannot_steer_the_terminal() {
        let mut rows = Rows::new(&["title"]);
        rows.push(["a\u{1b}[31mred\nline"]);
        let grid = rows.grid(None, false);
        assert_eq!(grid, "TITLE\na [31mred line\n");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let mut rows = Rows::new(&["a>", "b"]);
        rows.push(["1,5", "say \"hi\"\nthere"]);
        assert_eq!(rows.csv(), "a,b\r\n\"1,5\",\"say \"\"hi\"\"\nthere\"\r\n");
    }
}
