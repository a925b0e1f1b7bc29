//! Tables in which other programs keep their accounts: read from a dump of MySQL or from CSV, and
//! joined into shops. Taking them over is the vault's.
//!
//! | question | function |
//! |---|---|
//! | what stands in a dump | [`read_sql`] |
//! | what stands in a CSV | [`read_csv`] |
//! | which column is what | [`Mapping`] |
//! | which rows are one shop | [`join`] |
//! | what a time means | [`parse_time`] |
#![warn(missing_docs)]

mod csv_file;
mod fields;
mod join;
mod lexer;
mod sql;
mod text;
mod time;

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

pub use csv_file::read_csv;
pub use fields::{Field, Mapping, names_an_id, normal};
pub use join::{Joined, Shop, join};
pub use sql::{ERP_TABLES, read_sql};
pub use time::{TIME_FORMS, is_no_time, parse_time};

/// The longest value that is kept of a row.
const LONGEST_VALUE: usize = 64 << 10;
/// The most rows that are kept.
const MOST_ROWS: usize = 1_000_000;
/// What to do about text that is not UTF-8.
const CONVERT: &str = "convert the file first, e.g. iconv -f GBK -t UTF-8 OLD > NEW";
/// The most columns of a table.
const MOST_COLUMNS: usize = 1_000;

/// A value of a row. `Debug` shows nothing of it: it may be a token.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A text, or a number as it was written.
    Text(Zeroizing<Vec<u8>>),
    /// Something that is no plain value, and why.
    Unreadable(&'static str),
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Unreadable(why) => write!(f, "Unreadable({why})"),
        }
    }
}

/// A row as it stands in its file. `Debug` shows how many columns it has and not their names: in a file
/// without a line of names its first row, with its tokens, stands in their place.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRow {
    /// The line it begins in, counted from 1.
    pub line: u64,
    /// Its number within its statement, where other rows of that begin in the same line.
    pub number: Option<u64>,
    /// The table, or nothing for a file that is one table.
    pub table: Option<Arc<str>>,
    /// The names of the columns.
    pub columns: Arc<[String]>,
    /// The line of each value, in a file with one on each; 0 for a value that does not stand there. Then
    /// `line` is 0.
    pub lines: Option<Arc<[u64]>>,
    /// The values; or why the row cannot be read.
    pub cells: Result<Vec<Cell>, String>,
}

impl fmt::Debug for RawRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRow")
            .field("line", &self.line)
            .field("number", &self.number)
            .field("table", &self.table)
            .field("columns", &self.columns.len())
            .field("cells", &self.cells)
            .finish_non_exhaustive()
    }
}
