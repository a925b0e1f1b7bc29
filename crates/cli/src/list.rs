//! A list on standard output that grows as pages come.

use std::borrow::{Borrow, Cow};

use serde_json::value::RawValue;
use sesame_core::{Error, ErrorKind};

use crate::{
    exit::{CliError, CliResult, note},
    output::{Format, Printer},
    progress::Progress,
    shops::ChosenShops,
    table::{Layout, Rows},
};

/// Writes rows as they come, so that a reader may start before the last page is here and the list takes
/// no memory. A table gets the widths of its columns from the first page.
///
/// Dropped before its end, because of Ctrl-C for one, it finishes what was written: JSON stays JSON, and
/// a warning says that the list is incomplete.
pub(crate) struct List {
    printer: Printer,
    progress: Progress,
    columns: Vec<String>,
    layout: Option<Layout>,
    count: u64,
    is_open: bool,
    has_header: bool,
    /// A row of a table is one line, within the width of the terminal or 80 columns.
    one_line: bool,
    /// The names of the shops, where rows begin with one.
    shops: Vec<String>,
}

/// How a list turns the rows of a platform into its own.
pub(crate) trait RowView {
    /// Returns the cells, for people and CSV.
    fn cells(&mut self, row: &RawValue) -> Vec<String>;
    /// Returns the record, for programs: JSON in any layout.
    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str>;
}

/// The rows of one shop among others.
struct OfShop<'a, V> {
    shop: &'a str,
    view: &'a mut V,
}

impl<V: RowView> RowView for OfShop<'_, V> {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        let mut cells = self.view.cells(row);
        cells.insert(0, self.shop.to_owned());
        cells
    }

    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str> {
        self.view.record(row)
    }
}

impl List {
    /// Starts a list. A column whose name ends in `>` is aligned to the right.
    pub(crate) fn new(printer: Printer, columns: Vec<String>) -> Self {
        // Rows that run over the screen say by themselves how far it is.
        let progress = if printer.is_terminal() { Progress::hidden() } else { Progress::new() };
        Self {
            printer,
            progress,
            columns,
            layout: None,
            count: 0,
            is_open: true,
            has_header: true,
            one_line: false,
            shops: Vec::new(),
        }
    }

    /// Starts a list of rows of shops, each one line in a table: `shop` is its first column if more than one
    /// was asked for.
    pub(crate) fn of_shops(printer: Printer, shops: &ChosenShops, mut columns: Vec<String>) -> Self {
        if shops.are_many() {
            columns.insert(0, "shop".to_owned());
        }
        let mut list = Self::new(printer, columns).one_line();
        if shops.are_many() {
            list.shops.extend(shops.accounts().iter().map(|account| account.name.clone()));
        }
        list
    }

    /// Makes each row of a table one line.
    pub(crate) fn one_line(mut self) -> Self {
        self.one_line = true;
        self
    }

    /// Returns the form of the output.
    pub(crate) fn format(&self) -> Format {
        self.printer.format()
    }

    /// Writes no names of columns: an earlier run wrote them.
    pub(crate) fn without_header(&mut self) {
        self.has_header = false;
    }

    /// Returns `true` if no row was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names the columns, where the first page decides about them.
    pub(crate) fn set_columns(&mut self, columns: Vec<String>) {
        self.columns = columns;
    }

    /// Writes the rows of a page.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn page<T: Borrow<RawValue>>(
        &mut self,
        rows: &[T],
        total: Option<u64>,
        view: &mut impl RowView,
    ) -> CliResult {
        // A reader that has gone is not told of rows that are missing.
        self.write(rows, view).inspect_err(|_| self.is_open = false)?;
        self.progress.show(self.count, total);
        Ok(())
    }

    /// Writes the rows of a page of one shop, in a list made by [`List::of_shops`]. Its records say by
    /// themselves which shop they are of.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn page_of<T: Borrow<RawValue>>(
        &mut self,
        shop: &str,
        rows: &[T],
        total: Option<u64>,
        view: &mut impl RowView,
    ) -> CliResult {
        if self.shops.is_empty() {
            return self.page(rows, total, view);
        }
        // How many rows all shops have is not known before the last one has said it.
        self.page(rows, None, &mut OfShop { shop, view })
    }

    fn write<T: Borrow<RawValue>>(&mut self, rows: &[T], view: &mut impl RowView) -> CliResult {
        let rows = rows.iter().map(Borrow::borrow);
        match self.printer.format() {
            Format::Ndjson => {
                for row in rows {
                    self.printer.vendor_row(&view.record(row), 0)?;
                    self.printer.text("\n")?;
                    self.count += 1;
                }
            }
            Format::Json => {
                for row in rows {
                    self.printer.text(if self.count == 0 { "[\n  " } else { ",\n  " })?;
                    self.printer.vendor_row(&view.record(row), 1)?;
                    self.count += 1;
                }
            }
            Format::Csv | Format::Excel | Format::Xlsx => {
                self.begin(Vec::new())?;
                for row in rows {
                    self.printer.csv_row(&view.cells(row))?;
                    self.count += 1;
                }
            }
            Format::Table => {
                let cells: Vec<Vec<String>> = rows.map(|row| view.cells(row)).collect();
                let cells = self.begin(cells)?;
                for row in &cells {
                    let line = self.layout.as_ref().map(|layout| layout.line(row)).unwrap_or_default();
                    self.printer.text(&line)?;
                    self.count += 1;
                }
            }
        }
        self.printer.flush()
    }

    /// Writes the names of the columns, once, and returns the rows that decide about their widths.
    fn begin(&mut self, first: Vec<Vec<String>>) -> CliResult<Vec<Vec<String>>> {
        if self.layout.is_some() {
            return Ok(first);
        }
        let mut rows = if self.one_line { Rows::one_line(&self.columns) } else { Rows::new(&self.columns) };
        rows.cells = first;
        // Later pages may be of shops with longer names.
        let count = rows.cells.len();
        rows.cells.extend(self.shops.iter().map(|name| vec![name.clone()]));
        let layout = Layout::new(&rows, self.printer.terminal_width().or(rows.usual_width()));
        match self.printer.format() {
            _ if !self.has_header => {}
            Format::Csv | Format::Excel | Format::Xlsx => self.printer.csv_row(&rows.header)?,
            Format::Table => self.printer.styled(&layout.header(&rows))?,
            Format::Json | Format::Ndjson => {}
        }
        self.layout = Some(layout);
        rows.cells.truncate(count);
        Ok(rows.cells)
    }

    /// Ends the list.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn end(&mut self) -> CliResult {
        self.is_open = false;
        self.progress.done();
        match self.printer.format() {
            Format::Json => self.printer.text(if self.count == 0 { "[]\n" } else { "\n]\n" })?,
            Format::Table | Format::Csv | Format::Excel | Format::Xlsx => drop(self.begin(Vec::new())?),
            Format::Ndjson => {}
        }
        self.printer.end()
    }

    /// Ends a list as the work that filled it ended. After a failure of some shops ([`CliError::Status`])
    /// the rows of the others stay.
    pub(crate) fn close(&mut self, outcome: CliResult) -> CliResult {
        match outcome {
            Ok(()) => self.end(),
            Err(CliError::Failed(error)) => self.fail(error),
            Err(stop) => {
                self.is_open = false;
                self.progress.done();
                if matches!(stop, CliError::Status(_)) && self.count > 0 {
                    self.end()?;
                    note("warning", &self.incomplete());
                }
                Err(stop)
            }
        }
    }

    /// Ends a list whose next page failed, or that is not whole although all pages came. Without any row
    /// nothing is written, not even an empty list.
    pub(crate) fn fail(&mut self, error: Error) -> CliResult {
        self.is_open = false;
        self.progress.done();
        if self.count > 0 {
            self.end()?;
        } else if error.kind() != ErrorKind::Incomplete {
            return Err(error.into());
        }
        Err(CliError::Incomplete(error, self.incomplete()))
    }

    fn incomplete(&self) -> String {
        let rows = if self.count == 1 { "row was" } else { "rows were" };
        format!("the list is incomplete, {} {rows} printed", self.count)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if self.is_open && self.count > 0 && self.end().is_ok() {
            note("warning", &self.incomplete());
        }
    }
}
