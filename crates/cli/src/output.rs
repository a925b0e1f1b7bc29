//! Results on standard output: tables for people, JSON, lines and CSV for programs.

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use crate::{
    exit::CliResult,
    json_text,
    table::{Layout, Rows},
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
    /// Comma separated, with a header line; stable.
    Csv,
}

/// Writes one line of RFC 4180.
pub(crate) fn csv_line(cells: &[String]) -> String {
    let quoted: Vec<String> = cells
        .iter()
        .map(|cell| {
            if cell.contains(['"', ',', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        })
        .collect();
    quoted.join(",") + "\r\n"
}

/// Writes rows as RFC 4180 has it.
pub(crate) fn csv(rows: &Rows) -> String {
    rows.cells.iter().fold(csv_line(&rows.header), |text, row| text + &csv_line(row))
}

/// Standard output, with the form that was asked for.
pub(crate) struct Printer {
    format: Format,
    out: BufWriter<anstream::AutoStream<io::Stdout>>,
    terminal: bool,
}

impl Printer {
    /// Opens standard output.
    pub(crate) fn new(format: Format) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self { format, out: BufWriter::new(anstream::AutoStream::auto(stdout)), terminal }
    }

    /// Returns the form.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns `true` if standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Returns the columns of the terminal. `None` if standard output is not one, or is too narrow for
    /// tables.
    pub(crate) fn terminal_width(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size().filter(|_| self.terminal)?;
        Some(usize::from(width.0)).filter(|width| *width >= 40)
    }

    /// Returns `true` if the form is for people.
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
            Format::Csv => self.out.write_all(csv(rows).as_bytes())?,
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
            Format::Csv => self.out.write_all(csv(&one_row(record)).as_bytes())?,
            Format::Table => text(self)?,
        }
        self.flush()
    }

    /// Returns `true` if rows are wider than the terminal that they would be printed on.
    pub(crate) fn is_too_wide(&self, rows: &Rows) -> bool {
        self.terminal_width().is_some_and(|width| Layout::new(rows, None).width() > width)
    }

    /// Prints rows as a table, whatever the form.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn rows(&mut self, rows: &Rows) -> CliResult {
        let text = rows.grid(self.terminal_width());
        self.text(&text)
    }

    /// Prints rows as CSV, whatever the form.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn csv(&mut self, rows: &Rows) -> CliResult {
        self.out.write_all(csv(rows).as_bytes())?;
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

/// Lays an object out as one row: its fields are the columns; lists and objects become JSON.
fn one_row<T: Serialize>(record: &T) -> Rows {
    let value = serde_json::to_value(record).unwrap_or_default();
    let fields = value.as_object().cloned().unwrap_or_default();
    let mut rows = Rows::new::<&str>(&[]);
    rows.header = fields.keys().cloned().collect();
    rows.push(fields.values().map(|value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_needs_it() {
        let mut rows = Rows::new(&["a>", "b"]);
        rows.push(["1,5", "say \"hi\"\nthere"]);
        assert_eq!(csv(&rows), "a,b\r\n\"1,5\",\"say \"\"hi\"\"\nthere\"\r\n");
    }
}
