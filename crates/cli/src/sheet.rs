//! Reads the rows of input files: CSV, TSV, JSON Lines and workbooks (`.xlsx`), whatever their columns are
//! called in English or Chinese.
//!
//! Rows are handed out as they are read, so that a file of a million lines takes no memory but that for
//! finding rows that come twice: some 20 bytes a row.

mod amount;
mod delimited;
mod json_lines;
#[cfg(test)]
mod office_tests;
#[cfg(test)]
mod tests;
mod text;
mod workbook;
#[cfg(test)]
mod workbook_tests;

use std::{
    collections::HashMap,
    fmt::Display,
    fs::File,
    hash::{BuildHasher, RandomState},
    io::{self, Read, Seek},
    path::Path,
    rc::Rc,
    sync::LazyLock,
};

use sesame_core::{Error, ErrorKind};

use crate::{
    bounded_file,
    exit::{CliError, CliResult},
};

/// The most rows of a file.
const MOST_ROWS: u32 = 5_000_000;
/// The most bytes of a row.
const MOST_OF_A_ROW: usize = 4 << 20;
/// The most bytes of a workbook that comes through a pipe.
const MOST_OF_A_WORKBOOK: u64 = 512 << 20;
/// The most mistakes that are told at once.
const MOST_TOLD: usize = 20;
/// The most columns that an error lists.
const MOST_NAMED: usize = 20;

/// A field of rows, as `columns.toml` describes it.
#[derive(serde::Deserialize)]
struct Field {
    /// The names of its column.
    words: Vec<String>,
    /// Rows that agree in all such fields are the same.
    #[serde(default)]
    identifies: bool,
}

#[expect(clippy::expect_used, reason = "a file of this program, which a test reads")]
static FIELDS: LazyLock<HashMap<String, Field>> =
    LazyLock::new(|| toml::from_str(include_str!("sheet/columns.toml")).expect("columns.toml is read"));

/// The text of a cell, or why it has none that can be relied on.
type Cell = Result<String, String>;

/// Reads a file and hands out each of its rows.
///
/// `path` may be `-` for standard input. The fields are those of `columns.toml`: `shop`, `product`, `sku`,
/// `sku_id`, `warehouse`, `quantity`, `price`, `sale_price`, `currency`. The first line that is not empty names
/// the columns, in any order; other columns are passed over, and so are empty lines. What a file is, its
/// content tells, not its name.
///
/// Returns the number of rows.
///
/// ```ignore
/// let mut wanted = Vec::new();
/// sheet::read(path, &["sku", "quantity"], &["shop", "product"], &mut |row| {
///     wanted.push((row.line(), row.text("sku")?.to_owned(), row.decimal("quantity")?));
///     Ok(())
/// })?;
/// ```
///
/// # Errors
/// Usage, with the place in the file: a file that cannot be read, is cut or changes while it is read; columns
/// that are missing or there twice; two rows for the same thing; no row at all; more than 5,000,000. And what
/// `each` returns. What is wrong with single rows is told of all of them at once, 20 at most.
pub(crate) fn read(
    path: &Path,
    required: &[&'static str],
    optional: &[&'static str],
    each: &mut dyn FnMut(&Row) -> CliResult,
) -> CliResult<u32> {
    let name = bounded_file::shown(path);
    let mut table = Table {
        name: name.as_str().into(),
        required,
        optional,
        kind: Kind::Lines,
        columns: None,
        seen: HashMap::new(),
        hashes: RandomState::new(),
        count: 0,
        mistakes: Vec::new(),
        more_mistakes: 0,
        each,
    };
    let done = read_path(&mut table, path);
    table.all_mistakes(done)?;
    if table.count == 0 {
        let what =
            if table.columns.is_none() { "is empty" } else { "has no rows below the names of its columns" };
        return Err(Error::usage(format!("{name} {what}")).into());
    }
    Ok(table.count)
}

fn read_path(table: &mut Table, path: &Path) -> CliResult {
    let name = Rc::clone(&table.name);
    if path == Path::new("-") {
        table.read_from(io::stdin().lock(), None)?;
    } else {
        let unread = |error: &dyn Display| {
            Error::usage(format!("cannot read {name}: {error}"))
                .with_hint("Name a regular file, or - for standard input.")
        };
        // What it is, is looked at before it is opened: to open a pipe is to wait for its other end.
        let kind = std::fs::metadata(path).map_err(|error| unread(&error))?;
        if !kind.is_file() {
            return Err(unread(&"it is not a regular file").into());
        }
        let file = File::open(path).map_err(|error| unread(&error))?;
        let size = table.read_from(&file, Some(&file))?;
        let now = file.metadata().map_err(|error| unread(&error))?.len();
        if size.is_some_and(|size| size != now) {
            return Err(table
                .error("it changed while it was read")
                .with_hint("Run the command again.")
                .into());
        }
    }
    Ok(())
}

/// A row of an input file.
#[derive(Debug)]
pub(crate) struct Row {
    file: Rc<str>,
    kind: Kind,
    line: u32,
    /// The fields that have a column, each with its number from 0.
    cells: Vec<(&'static str, usize, Cell)>,
}

/// How people find a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By the line and the column.
    Lines,
    /// By the line and the name of the member.
    Members,
    /// By the name of the cell: B7.
    Cells,
}

impl Row {
    /// Returns the number of the line, or the row of a worksheet, from 1.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Returns the text of a field, without blanks around it; `None` if the cell is empty and where the file has
    /// no such column.
    ///
    /// # Errors
    /// Usage, with the name of the cell, for what cannot be relied on: a formula without a result, a date, an
    /// id that has lost digits.
    pub(crate) fn get(&self, field: &str) -> Result<Option<&str>, Error> {
        match self.cells.iter().find(|(name, ..)| *name == field) {
            Some((.., Ok(text))) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some((.., Err(why))) => Err(self.wrong(field, why)),
            None => Ok(None),
        }
    }

    /// Returns the text of a field that must not be empty.
    ///
    /// # Errors
    /// As [`Row::get`]; usage, with the name of the cell, if it is empty.
    pub(crate) fn text(&self, field: &str) -> Result<&str, Error> {
        self.get(field)?.ok_or_else(|| self.wrong(field, "it is empty"))
    }

    /// Returns a number as decimal text, such as `1234.50` for `1.234,50`: digits, a point before a fraction,
    /// `-` in front of a negative one. `None` as in [`Row::get`].
    ///
    /// # Errors
    /// As [`Row::get`]; usage, with the name of the cell, for what is no number and for what may be two, such as
    /// `1,234`.
    pub(crate) fn decimal(&self, field: &str) -> Result<Option<String>, Error> {
        let text = self.get(field)?;
        text.map(amount::decimal).transpose().map_err(|why| self.wrong(field, why))
    }

    /// Makes an error of what is wrong with a cell, with its name.
    pub(crate) fn wrong(&self, field: &str, why: impl Display) -> Error {
        let column = self.cells.iter().find(|(name, ..)| *name == field).map(|(_, column, _)| *column);
        let place = match (self.kind, column) {
            (Kind::Lines, Some(column)) => {
                format!("line {}, column {} ({field})", self.line, letters(column))
            }
            (Kind::Cells, Some(column)) => format!("cell {}{} ({field})", letters(column), self.line),
            _ => format!("line {} ({field})", self.line),
        };
        Error::usage(format!("{}, {place}: {why}", self.file))
    }
}

/// What is known of a file while it is read.
struct Table<'a> {
    name: Rc<str>,
    required: &'a [&'static str],
    optional: &'a [&'static str],
    kind: Kind,
    /// The columns that are used, once they are known.
    columns: Option<Vec<(&'static str, usize)>>,
    /// The lines of what the rows are about, by its hash. Keyed anew for each file: of 1,000,000 rows two
    /// look the same once in 36,000,000 files, and are refused then.
    seen: HashMap<u64, u32>,
    hashes: RandomState,
    count: u32,
    /// What is wrong with single rows, the first of them, and the number of the others.
    mistakes: Vec<Error>,
    more_mistakes: usize,
    each: &'a mut dyn FnMut(&Row) -> CliResult,
}

impl Table<'_> {
    /// Reads all rows. Returns how many bytes there were, where that is known.
    fn read_from(&mut self, mut input: impl Read, file: Option<&File>) -> CliResult<Option<u64>> {
        let mut begin = Vec::new();
        (&mut input).take(8).read_to_end(&mut begin).map_err(|error| self.error(&error))?;
        if begin.starts_with(b"PK") {
            let spooled;
            let mut file = if let Some(file) = file {
                file
            } else {
                // Its parts are read out of order.
                spooled = spool(begin.as_slice().chain(input)).map_err(|error| self.error(&error))?;
                &spooled
            };
            file.rewind().map_err(|error| self.error(&error))?;
            workbook::read(self, io::BufReader::new(file))?;
            return Ok(None);
        }
        if begin.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            let old = self.error("it is a workbook of the old format (.xls), or one with a password");
            return Err(old.with_hint("Save it as .xlsx or CSV.").into());
        }
        let mut text = text::Utf8::new(begin.as_slice().chain(input));
        let first = first_line(&mut text).map_err(|error| self.error(&error))?;
        let start = first.iter().find(|byte| !byte.is_ascii_whitespace());
        match start {
            Some(b'{') => json_lines::read(self, &first, &mut text)?,
            Some(b'[') => {
                return Err(self
                    .error("it is a JSON list, and JSON Lines are read: one object a line")
                    .with_hint(
                        "`jq -c '.[]'` makes them of it, and so does --output ndjson in place of json.",
                    )
                    .into());
            }
            _ => delimited::read(self, &first, &mut text)?,
        }
        Ok(Some(text.size))
    }

    /// Makes an error about the whole file.
    fn error(&self, why: impl Display) -> Error {
        Error::usage(format!("{}: {why}", self.name))
    }

    /// Makes an error about a line.
    fn error_at(&self, line: u32, why: impl Display) -> Error {
        Error::usage(format!("{}, line {line}: {why}", self.name))
    }

    /// Takes the next row, which may be the names of the columns, or empty.
    fn push(&mut self, line: u32, cells: Vec<Cell>) -> CliResult {
        if cells.iter().all(|cell| cell.as_ref().is_ok_and(String::is_empty)) {
            return Ok(());
        }
        let Some(columns) = &self.columns else {
            let names: Vec<String> = cells.into_iter().map(|cell| cell.unwrap_or_else(|why| why)).collect();
            self.columns = Some(self.find_columns(line, &names)?);
            return Ok(());
        };
        let mut cells: Vec<Option<Cell>> = cells.into_iter().map(Some).collect();
        let mut take =
            |column: usize| cells.get_mut(column).and_then(Option::take).unwrap_or_else(|| Ok(String::new()));
        let cells = columns.iter().map(|(field, column)| (*field, *column, take(*column))).collect();
        self.hand_out(&Row { file: Rc::clone(&self.name), kind: self.kind, line, cells })
    }

    /// Finds the columns of the fields by their names.
    fn find_columns(&self, line: u32, names: &[String]) -> Result<Vec<(&'static str, usize)>, Error> {
        let mut columns: Vec<(&'static str, usize)> = Vec::new();
        for (column, name) in names.iter().enumerate() {
            let Some(field) = self.field(name) else { continue };
            if let Some((_, other)) = columns.iter().find(|(known, _)| *known == field) {
                return Err(self.error_at(
                    line,
                    format!(
                        "columns {} ({}) and {} ({name}) are both {field}",
                        letters(*other),
                        names[*other],
                        letters(column)
                    ),
                ));
            }
            columns.push((field, column));
        }
        let missing: Vec<&str> = self
            .required
            .iter()
            .filter(|field| columns.iter().all(|(known, _)| known != *field))
            .copied()
            .collect();
        if missing.is_empty() {
            return Ok(columns);
        }
        let more = if names.len() > MOST_NAMED { ", ..." } else { "" };
        let there = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let words = missing.iter().filter_map(|field| FIELDS.get(*field)).map(|field| field.words.join(", "));
        Err(self
            .error_at(
                line,
                format!("there is no column for {}; the columns are: {there}{more}", missing.join(" and ")),
            )
            .with_hint(format!(
                "The first line names the columns. Known names: {}.",
                words.collect::<Vec<_>>().join("; ")
            )))
    }

    /// Finds the field of a column, among those that are wanted.
    fn field(&self, name: &str) -> Option<&'static str> {
        let name = plain(name);
        let is_it =
            |field: &&'static str| FIELDS.get(*field).is_some_and(|field| field.words.contains(&name));
        self.required.iter().chain(self.optional).copied().find(is_it)
    }

    /// Hands out a row, unless there was one for the same thing.
    fn hand_out(&mut self, row: &Row) -> CliResult {
        let mut identity: Vec<(&str, &str)> = row
            .cells
            .iter()
            .filter(|(field, ..)| FIELDS.get(*field).is_some_and(|field| field.identifies))
            .filter_map(|(field, _, cell)| Some((*field, cell.as_deref().ok()?)))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        // Each line of JSON has an order of its own.
        identity.sort_unstable();
        if !identity.is_empty() {
            let before = self.seen.insert(self.hashes.hash_one(&identity), row.line);
            if let Some(before) = before {
                let what: Vec<String> =
                    identity.iter().map(|(field, text)| format!("{field} {text}")).collect();
                self.mistake(
                    self.error_at(row.line, format!("{} is in line {before}, too", what.join(", "))),
                );
                return Ok(());
            }
        }
        self.count += 1;
        if self.count > MOST_ROWS {
            return Err(self.error(format!("it has more than {MOST_ROWS} rows")).into());
        }
        match (self.each)(row) {
            Err(CliError::Failed(error)) if error.kind() == ErrorKind::Usage => self.mistake(error),
            other => return other,
        }
        Ok(())
    }

    /// Notes what is wrong with a row. The rows after it are read all the same.
    fn mistake(&mut self, error: Error) {
        if self.mistakes.len() < MOST_TOLD {
            self.mistakes.push(error);
        } else {
            self.more_mistakes += 1;
        }
    }

    /// Returns all that is wrong as one error, with what ended the reading.
    fn all_mistakes(&mut self, ended: CliResult) -> CliResult {
        match ended {
            Err(CliError::Failed(error)) if self.more_mistakes == 0 => self.mistakes.push(error),
            Ok(()) | Err(CliError::Failed(_)) => {}
            Err(other) => return Err(other),
        }
        if self.mistakes.len() < 2 {
            return self.mistakes.pop().map_or(Ok(()), |error| Err(error.into()));
        }
        let place = format!("{}, ", self.name);
        let mut told: Vec<&str> = self.mistakes.iter().map(Error::message).collect();
        for later in &mut told[1..] {
            *later = later.strip_prefix(&place).unwrap_or(later);
        }
        let more = format!("and {} more", self.more_mistakes);
        if self.more_mistakes > 0 {
            told.push(&more);
        }
        let told = told.join("; ");
        let hint = self.mistakes.iter().find_map(Error::hint).map(str::to_owned);
        let error = Error::usage(told);
        Err(match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
        .into())
    }
}

/// Copies a workbook that comes through a pipe into a file that nobody else sees.
fn spool(input: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let size = io::copy(&mut input.take(MOST_OF_A_WORKBOOK + 1), &mut file)?;
    if size > MOST_OF_A_WORKBOOK {
        return Err(text::invalid(format!("it is larger than {} MiB", MOST_OF_A_WORKBOOK >> 20)));
    }
    Ok(file)
}

/// Reads the text of a cell, which may be a number that was cut to what a column shows.
fn text_cell(text: &str) -> Cell {
    let text = text.trim();
    let is_rounded = text.contains(['E', 'e'])
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.contains('+')
        && text.replace(',', ".").parse::<f64>().is_ok();
    if is_rounded {
        return Err(format!(
            "{text} is how a spreadsheet shows a long number, whose digits are lost: format the column as text and enter it again"
        ));
    }
    Ok(text.to_owned())
}

/// Reads the first line that is not blank, with those before it.
fn first_line(text: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    let mut quoted = false;
    while text.read(&mut byte)? == 1 {
        line.push(byte[0]);
        quoted ^= byte[0] == b'"';
        let is_blank = || line.iter().all(u8::is_ascii_whitespace);
        if byte[0] == b'\n' && !quoted && !is_blank() {
            break;
        }
        if line.len() > MOST_OF_A_ROW {
            return Err(text::invalid(format!("its first line has more than {MOST_OF_A_ROW} bytes")));
        }
    }
    Ok(line)
}

/// Returns the name of a column without case, blanks, punctuation and what stands in parentheses.
fn plain(name: &str) -> String {
    let name = name.trim();
    let end = name.find(['(', '（', '[', '【']).filter(|at| *at > 0).unwrap_or(name.len());
    name[..end].chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Names a column as spreadsheets do: A, B, .. Z, AA.
fn letters(mut column: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.insert(0, char::from(b'A' + u8::try_from(column % 26).unwrap_or_default()));
        if column < 26 {
            return out.into_iter().collect();
        }
        column = column / 26 - 1;
    }
}
