//! Workbooks (`.xlsx`): the first worksheet that is shown.

use std::io::{Read, Seek};

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};
use memchr::{memchr, memchr_iter, memrchr};
use zip::ZipArchive;

use super::{Cell, Kind, MOST_OF_A_ROW, Table, amount, text_cell};
use crate::exit::{CliResult, note};

/// The columns that are looked at.
const MOST_COLUMNS: usize = 1_000;
/// The most bytes of a worksheet, unpacked: read as it is unpacked, so that this bounds time alone.
const MOST_OF_A_SHEET: u64 = 2 << 30;
/// The most bytes of another part, unpacked: the texts of the cells are held in memory.
const MOST_OF_A_PART: u64 = 128 << 20;
/// The most tags of another part: a text of a cell takes four.
const MOST_TAGS: u64 = 20_000_000;

/// Reads rows.
pub(super) fn read(table: &mut Table, mut file: impl Read + Seek) -> CliResult {
    table.kind = Kind::Cells;
    let cannot = |table: &Table, error: &XlsxError| {
        table.error(format!("the workbook cannot be read: {error}")).with_hint(
            "The file may be cut, damaged or another kind of file. Save it again as .xlsx, or as CSV.",
        )
    };
    check(&mut file).map_err(|error| cannot(table, &error))?;
    let mut book = Xlsx::new(file).map_err(|error| cannot(table, &error))?;
    let sheets = book.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let shown: Vec<String> = sheets
        .filter(|sheet| sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .collect();
    let Some(sheet) = shown.first() else {
        return Err(table.error("the workbook shows no worksheet").into());
    };
    if shown.len() > 1 {
        note("note", &format!("{}: of {} worksheets the first is read, {sheet}", table.name, shown.len()));
    }
    let mut cells = book.worksheet_cells_reader(sheet).map_err(|error| cannot(table, &error))?;
    let (mut line, mut row) = (0, Vec::new());
    loop {
        let next = cells.next_cell_with_formula_metadata().map_err(|error| cannot(table, &error))?;
        let at = next.as_ref().map(|cell| cell.pos.0);
        if at != Some(line) {
            table.push(line + 1, std::mem::take(&mut row))?;
        }
        let (Some(next), Some(at)) = (next, at) else { return Ok(()) };
        line = at;
        let place = usize::try_from(next.pos.1).unwrap_or(usize::MAX);
        if place < MOST_COLUMNS {
            if row.len() <= place {
                row.resize_with(place + 1, || Ok(String::new()));
            }
            row[place] = cell(next.value, next.formula.is_some());
        }
    }
}

fn cell(value: DataRef, is_formula: bool) -> Cell {
    match value {
        DataRef::Empty if is_formula => {
            Err("a formula without a stored result: open the file in a spreadsheet program and save it"
                .to_owned())
        }
        DataRef::Empty => Ok(String::new()),
        DataRef::String(text) => text_cell(&text),
        DataRef::SharedString(text) => text_cell(text),
        DataRef::Float(number) => amount::of_float(number),
        DataRef::Int(number) => Ok(number.to_string()),
        DataRef::Bool(value) => Ok(value.to_string()),
        DataRef::Error(error) => Err(format!("it shows the error {error}")),
        DataRef::DateTime(_) | DataRef::DateTimeIso(_) | DataRef::DurationIso(_) => {
            Err("a date or a time: format the column as text and enter it again".to_owned())
        }
    }
}

/// Unpacks each part once, to see that it is whole and not larger than makes sense: a few kilobytes can stand
/// for gigabytes.
fn check(file: &mut (impl Read + Seek)) -> Result<(), XlsxError> {
    let mut archive = ZipArchive::new(&mut *file)?;
    let mut chunk = vec![0; 64 << 10];
    for nth in 0..archive.len() {
        let mut part = archive.by_index(nth)?;
        let name = part.name()?.to_lowercase();
        if !matches!(name.rsplit('.').next(), Some("xml" | "rels")) {
            continue;
        }
        let is_sheet = name.contains("worksheets/");
        let most = if is_sheet { MOST_OF_A_SHEET } else { MOST_OF_A_PART };
        // The bytes and tags so far, and how far the last tag is.
        let (mut size, mut tags, mut run) = (0, 0, 0);
        loop {
            let count = part.read(&mut chunk)?;
            let bytes = &chunk[..count];
            size += count as u64;
            tags += memchr_iter(b'<', bytes).count() as u64;
            run += memchr(b'<', bytes).unwrap_or(count);
            if size > most || (tags > MOST_TAGS && !is_sheet) || run > MOST_OF_A_ROW {
                return Err(XlsxError::Io(super::text::invalid(format!(
                    "{name} is larger than makes sense when it is unpacked"
                ))));
            }
            if let Some(last) = memrchr(b'<', bytes) {
                run = count - last;
            }
            if count == 0 {
                break;
            }
        }
    }
    file.rewind()?;
    Ok(())
}
