//! Reads a table out of CSV with a line of names.

use std::{
    io::{self, Read},
    sync::Arc,
};

use sesame_core::{Error, Result};
use zeroize::Zeroizing;

use crate::{CONVERT, Cell, LONGEST_VALUE, MOST_COLUMNS, MOST_ROWS, RawRow, text::Utf8};

const NAMES_FIRST: &str = "The first line names the columns: account,app_key,app_secret,access_token,refresh_token,... Each line below is a shop.";

/// Reads a table whose first line names the columns. Fields are separated by `delimiter`; without one,
/// what the line `sep=;` of a spreadsheet says, or by whichever of comma, semicolon and tab the first line
/// has most of. An empty field and `NULL` (also `\N`) count as absent, and rows of such fields alone are
/// skipped. UTF-16 is read where a byte order mark says so. At most 1,000,000 rows.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a file without a line of names or
/// without rows, and for more rows; [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when it cannot be read.
pub fn read_csv(input: impl Read, delimiter: Option<u8>) -> Result<Vec<RawRow>> {
    let mut input = Utf8::new(input);
    // The first line is looked at before the parser is made.
    let mut head = first_line(&mut input)?;
    refuse_others(&head)?;
    let mut lines_before = 0;
    let mut delimiter = delimiter;
    if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', said] = head.trim_ascii_end()
        && delimiter.is_none_or(|delimiter| delimiter == *said)
    {
        delimiter = Some(*said);
        lines_before = 1;
        head = first_line(&mut input)?;
    }
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, &head).count();
    let delimiter = delimiter
        .unwrap_or_else(|| [b'\t', b';', b','].into_iter().max_by_key(|byte| count(*byte)).unwrap_or(b','));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(true)
        .from_reader(WithoutReturns(head.as_slice().chain(input)));
    let headers = reader.byte_headers().map_err(|error| broken(&error))?;
    if std::str::from_utf8(headers.as_slice()).is_err() {
        return Err(Error::usage(
            "the first line of the file, with the names of the columns, is not UTF-8 text",
        )
        .with_hint(format!("If another program wrote it in another encoding, {CONVERT}.")));
    }
    let columns: Arc<[String]> =
        headers.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    if columns.len() > MOST_COLUMNS || columns.iter().all(String::is_empty) {
        return Err(Error::usage("the file has no line of column names").with_hint(NAMES_FIRST));
    }
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| broken(&error))? {
        // Spreadsheets write rows that somebody emptied.
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        if rows.len() >= MOST_ROWS {
            return Err(Error::usage(format!("the file has more than {MOST_ROWS} rows"))
                .with_hint("Cut it into parts. Nothing was imported."));
        }
        let line = record.position().map_or(0, csv::Position::line) + lines_before;
        let cells = if record.len() == columns.len() {
            Ok(record.iter().map(cell).collect())
        } else {
            Err(format!("it has {} fields for {} columns", record.len(), columns.len()))
        };
        rows.push(RawRow { line, number: None, table: None, columns: columns.clone(), lines: None, cells });
    }
    if rows.is_empty() {
        // Its only line is not quoted: it may be a row with tokens.
        return Err(Error::usage("the file has one line of text, and no rows below a line of column names")
            .with_hint(NAMES_FIRST));
    }
    Ok(rows)
}

/// Reads up to the end of the first line: 64 KiB of names are more than enough.
fn first_line(input: &mut impl Read) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST_VALUE && input.read(&mut byte).map_err(|error| unread(&error))? == 1 {
        line.push(byte[0]);
        if byte[0] == b'\n' {
            break;
        }
    }
    Ok(line)
}

/// Names files that people take for CSV.
fn refuse_others(head: &[u8]) -> Result<()> {
    let head = head.trim_ascii_start();
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(Error::usage("the file is a workbook of Excel, and no CSV")
            .with_hint("Save the sheet as \"CSV UTF-8\" and import that."));
    }
    if head.starts_with(b"<") {
        return Err(Error::usage("the file is a page of HTML or XML, and no CSV")
            .with_hint(format!("A download that asks for a login first gives such a page. {NAMES_FIRST}")));
    }
    Ok(())
}

/// Leaves carriage returns out: with them the parser counts lines one too few, and no value has one.
struct WithoutReturns<R>(R);

impl<R: Read> Read for WithoutReturns<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            let mut kept = 0;
            for at in 0..read {
                if buffer[at] != b'\r' {
                    buffer[kept] = buffer[at];
                    kept += 1;
                }
            }
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

fn cell(field: &[u8]) -> Cell {
    if field.len() > LONGEST_VALUE {
        return Cell::Unreadable("it is longer than 64 KiB");
    }
    match field.trim_ascii() {
        b"" | b"NULL" | b"null" | b"\\N" => Cell::Null,
        field => Cell::Text(Zeroizing::new(field.to_vec())),
    }
}

fn unread(error: &std::io::Error) -> Error {
    Error::local(format!("the file cannot be read: {error}"))
}

/// The parser's errors name places and no values; only its kind is passed on all the same.
fn broken(error: &csv::Error) -> Error {
    match error.kind() {
        csv::ErrorKind::Io(error) => unread(error),
        _ => Error::usage("the file is no CSV")
            .with_hint("Fields stand between commas, semicolons or tabs; texts may stand in double quotes."),
    }
}
