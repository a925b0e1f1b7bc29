//! CSV with commas, semicolons or tabs.

use std::{
    cell::Cell as Counter,
    io::{self, Read},
};

use super::{
    Cell, MOST_OF_A_ROW, Table,
    text::{invalid, newlines},
    text_cell,
};
use crate::exit::CliResult;

/// What is put behind the text. Inside of quotes it does not become a row of its own. No text holds a zero.
const END: &[u8] = b"\n\0\n";

/// Reads rows. `first` is the beginning of the text, to the end of its first line.
pub(super) fn read(table: &mut Table, mut first: &[u8], rest: &mut impl Read) -> CliResult {
    let mut skipped = 0;
    // What Excel writes and reads to tell the delimiter.
    let told = first.trim_ascii().strip_prefix(b"sep=").filter(|rest| rest.len() == 1).map(|rest| rest[0]);
    let delimiter = if let Some(delimiter) = told {
        skipped = newlines(first);
        first = &[];
        delimiter
    } else {
        let is_known = |name: &str| table.field(name).is_some();
        let score = |delimiter: &u8| {
            let names = names(first, *delimiter);
            (names.iter().filter(|name| is_known(name)).count(), names.len())
        };
        // Of equals the last one counts, so that one column alone is CSV with commas.
        [b'\t', b';', b','].into_iter().max_by_key(score).unwrap_or(b',')
    };
    let since_row = Counter::new(0);
    let input = Bounded { input: first.chain(rest).chain(END), since_row: &since_row };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(input);
    let mut record = csv::StringRecord::new();
    let mut width = 0;
    loop {
        since_row.set(0);
        let more = reader.read_record(&mut record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => table.error(&error),
            kind => table.error(format!("{kind:?}")),
        })?;
        let is_end = record.len() == 1 && &record[0] == "\0";
        if !more || is_end {
            return Ok(());
        }
        // The reader is behind the row: its own position is before the empty lines above it.
        let inside: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
        let is_cut = record.iter().any(|cell| cell.contains('\0'));
        let at = (reader.position().line() + skipped).saturating_sub(u64::from(!is_cut) + inside as u64);
        let line = u32::try_from(at).unwrap_or(u32::MAX);
        if is_cut {
            let why = "a quote (\") is opened here or in the lines below and not closed: the file is cut or damaged";
            return Err(table.error_at(line, why).into());
        }
        let cells: Vec<Cell> = record.iter().map(cell).collect();
        if table.columns.is_none() {
            width = cells.len();
        }
        let is_blank = record.iter().all(|cell| cell.trim().is_empty());
        let is_longer = record.iter().skip(width).any(|cell| !cell.trim().is_empty());
        if !is_blank && (cells.len() < width || is_longer) {
            return Err(table
                .error_at(line, format!("it has {} cells, and the first line {width}", cells.len()))
                .with_hint("A cell that holds the delimiter stands in quotes: \"12,50\". A file that ends here may have been cut.")
                .into());
        }
        table.push(line, cells)?;
    }
}

/// Splits a line as its reader will.
fn names(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(line);
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

/// Reads a cell. What guards it from being computed is taken off.
fn cell(text: &str) -> Cell {
    let text = text.trim();
    let Some(formula) = text.strip_prefix('=') else { return text_cell(text) };
    match formula.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('"') => Ok(inner.trim().to_owned()),
        _ => Err("a formula, of which CSV holds no result: save the file again from a spreadsheet program"
            .to_owned()),
    }
}

/// Refuses a row without end, which would fill the memory.
struct Bounded<'a, R> {
    input: R,
    since_row: &'a Counter<usize>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(to)?;
        self.since_row.set(self.since_row.get() + count);
        if self.since_row.get() > MOST_OF_A_ROW {
            return Err(invalid(format!(
                "a row has more than {MOST_OF_A_ROW} bytes; is a quote (\") not closed?"
            )));
        }
        Ok(count)
    }
}
