//! Writes rows as a workbook (`.xlsx`).

use std::io::{self, Write};

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use sesame_core::Error;

use crate::exit::{CliError, CliResult, note};

/// The most rows of a worksheet, the names of the columns among them.
const MOST_ROWS: u32 = 1_048_576;
/// The most characters of a cell, as Excel counts them: in UTF-16.
const MOST_OF_A_CELL: usize = 32_767;
/// How wide columns are, in characters.
const WIDTH: u16 = 18;

/// A workbook that is written row by row. Rows wait in a file that nobody else sees, not in memory.
///
/// All cells are text: ids keep their digits, prices their zeros, and nothing is a formula. Where a worksheet is
/// full, another one with the same columns follows.
pub(crate) struct Book {
    workbook: Workbook,
    sheets: usize,
    /// The rows of the last worksheet.
    rows: u32,
    header: Vec<String>,
    /// Cells that did not fit.
    cut: u64,
    most_rows: u32,
}

impl Book {
    /// Starts one without rows.
    pub(crate) fn new() -> CliResult<Self> {
        let mut book = Self {
            workbook: Workbook::new(),
            sheets: 0,
            rows: 0,
            header: Vec::new(),
            cut: 0,
            most_rows: MOST_ROWS,
        };
        book.add_sheet()?;
        Ok(book)
    }

    fn add_sheet(&mut self) -> CliResult {
        self.workbook.add_worksheet_with_constant_memory().map_err(|error| failed(&error))?;
        (self.sheets, self.rows) = (self.sheets + 1, 0);
        Ok(())
    }

    /// Writes a row. The first one has the names of the columns.
    ///
    /// # Errors
    /// When the disk is full, and for more columns than a worksheet has.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> CliResult {
        if self.header.is_empty() {
            self.header = cells.iter().map(|cell| cell.as_ref().to_owned()).collect();
            return self.name_columns();
        }
        if self.rows == self.most_rows {
            self.add_sheet()?;
            self.name_columns()?;
        }
        let row = self.rows;
        self.rows += 1;
        let (sheet, mut cut) = (self.sheet()?, 0);
        for (column, cell) in (0..).zip(cells) {
            let (text, is_cut) = fitting(cell.as_ref());
            cut += u64::from(is_cut);
            if !text.is_empty() {
                sheet.write_string(row, column, text).map_err(|error| failed(&error))?;
            }
        }
        self.cut += cut;
        Ok(())
    }

    /// Writes the names of the columns, which stay in view.
    fn name_columns(&mut self) -> CliResult {
        let header = self.header.clone();
        let sheet = self.sheet()?;
        let mut named = || -> Result<(), XlsxError> {
            let bold = Format::new().set_bold();
            sheet.set_freeze_panes(1, 0)?;
            for (column, name) in (0..).zip(&header) {
                sheet.set_column_width(column, WIDTH)?;
                sheet.write_string_with_format(0, column, fitting(name).0, &bold)?;
            }
            Ok(())
        };
        named().map_err(|error| failed(&error))?;
        self.rows = 1;
        Ok(())
    }

    fn sheet(&mut self) -> CliResult<&mut Worksheet> {
        self.workbook.worksheet_from_index(self.sheets - 1).map_err(|error| failed(&error))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(mut self, to: &mut (impl Write + Send)) -> CliResult {
        if self.cut > 0 {
            note(
                "warning",
                &format!(
                    "cells that were cut to {MOST_OF_A_CELL} characters, the most of a worksheet: {}; --output csv and json have all",
                    self.cut
                ),
            );
        }
        self.workbook.save_to_writer(to).map_err(|error| failed(&error))
    }
}

/// Cuts a text to what a cell holds. Returns whether it did.
fn fitting(text: &str) -> (&str, bool) {
    // Most are short, and bytes are no fewer than the units of UTF-16.
    if text.len() <= MOST_OF_A_CELL {
        return (text, false);
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > MOST_OF_A_CELL
    });
    end.map_or((text, false), |(end, _)| (&text[..end], true))
}

fn failed(error: &XlsxError) -> CliError {
    match error {
        XlsxError::IoError(error) if error.kind() == io::ErrorKind::BrokenPipe => CliError::ReaderGone,
        error => {
            CliError::Output(Error::local(format!("cannot write the workbook: {error}")).with_hint(
                "Is the disk full, or the folder for temporary files? --output csv has no limits.",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use calamine::{Data, Reader as _, Xlsx};
    use proptest::prelude::*;

    use super::*;

    /// Reads all cells of all worksheets.
    fn read(file: Vec<u8>) -> Vec<Vec<Vec<String>>> {
        let mut book: Xlsx<_> = Xlsx::new(io::Cursor::new(file)).unwrap();
        let sheets = book.worksheets();
        let cell = |cell: &Data| match cell {
            Data::Empty => String::new(),
            Data::String(text) => text.clone(),
            other => panic!("a cell that is not text: {other:?}"),
        };
        sheets
            .iter()
            .map(|(_, range)| range.rows().map(|row| row.iter().map(cell).collect()).collect())
            .collect()
    }

    fn written(most_rows: u32, rows: &[Vec<String>]) -> Vec<u8> {
        let mut book = Book::new().unwrap();
        book.most_rows = most_rows;
        for row in rows {
            book.row(row).unwrap();
        }
        let mut file = Vec::new();
        book.finish(&mut file).unwrap();
        file
    }

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn all_cells_are_text_as_it_is() {
        let rows = rows(&[
            &["id", "标题", "price"],
            &["1005000000011962", "铅笔 🎁✨ <A&B> \"x\"", "12.50"],
            &["007", "=1+cmd|'x'!A0", "-1"],
            &["@SUM(A1)", "+1\n\tline two ", "1e5"],
            &["", "_x0041_", "TRUE"],
            &["12345678901234567890", "{=A1}", "https://example.com"],
        ]);
        assert_eq!(read(written(MOST_ROWS, &rows)), [rows]);
    }

    #[test]
    fn the_header_is_bold_and_frozen() {
        let file = written(MOST_ROWS, &rows(&[&["id"], &["1"]]));
        let mut archive = zip::ZipArchive::new(io::Cursor::new(file)).unwrap();
        let mut part = |name: &str| io::read_to_string(archive.by_name(name).unwrap()).unwrap();
        let sheet = part("xl/worksheets/sheet1.xml");
        assert!(sheet.contains("<pane ySplit=\"1\"") && sheet.contains("state=\"frozen\""), "{sheet}");
        assert!(sheet.contains("<c r=\"A1\" s=\"1\"") && sheet.contains("<c r=\"A2\" t="), "{sheet}");
        assert!(part("xl/styles.xml").contains("<b/>"));
    }

    #[test]
    fn a_full_worksheet_is_followed_by_another_with_the_same_columns() {
        let given = rows(&[&["id", "x"], &["1", "a"], &["2", "b"], &["3", "c"], &["4", "d"], &["5", "e"]]);
        let sheets = read(written(3, &given));
        assert_eq!(sheets.len(), 3);
        assert!(sheets.iter().all(|sheet| sheet[0] == given[0]), "{sheets:?}");
        assert_eq!(
            sheets.into_iter().flat_map(|sheet| sheet.into_iter().skip(1)).collect::<Vec<_>>(),
            given[1..]
        );
    }

    #[test]
    fn a_cell_holds_what_fits_and_a_workbook_may_be_empty() {
        let long = "中".repeat(40_000);
        let sheets = read(written(MOST_ROWS, &[vec!["a".to_owned()], vec![long], vec!["🎁".repeat(20_000)]]));
        assert_eq!((sheets[0][1][0].chars().count(), sheets[0][2][0].chars().count()), (32_767, 16_383));
        assert_eq!(read(written(MOST_ROWS, &[])), [Vec::<Vec<String>>::new()]);
    }

    proptest! {
        #[test]
        fn a_workbook_reads_back_the_same(cells in prop::collection::vec("[^\\p{Cc}\\u{fffe}\\u{ffff}]{1,20}|=.{0,9}", 1..6)) {
            let printable = |cell: &String| cell.replace(|c: char| c.is_control(), " ");
            let row: Vec<String> = cells.iter().map(printable).collect();
            let rows = vec![(0..row.len()).map(|nth| format!("c{nth}")).collect(), row];
            prop_assert_eq!(read(written(MOST_ROWS, &rows)), [rows]);
        }
    }
}
