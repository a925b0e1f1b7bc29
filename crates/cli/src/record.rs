//! Lists of records that are JSON already: their columns are members.

use std::borrow::Cow;

use serde_json::value::RawValue;
use sesame_core::path;

use crate::{
    list::{List, RowView},
    output::Printer,
};

/// Shows members of records as columns.
pub(crate) struct RecordRows {
    columns: &'static [&'static str],
}

impl RecordRows {
    /// Shows these members; numbers are marked with `>`, lists are shown by their length.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns }
    }

    /// Starts a list of them, each one line in a table.
    pub(crate) fn list(&self, printer: Printer) -> List {
        List::new(printer, self.titles()).one_line()
    }

    /// Returns the names of the columns.
    pub(crate) fn titles(&self) -> Vec<String> {
        self.columns.iter().map(|name| (*name).to_owned()).collect()
    }
}

impl RowView for RecordRows {
    fn cells(&mut self, row: &RawValue) -> Vec<String> {
        let cell = |name: &&str| {
            let name = name.trim_end_matches('>');
            match path::get(row, name) {
                Some(list) if list.get().starts_with('[') => {
                    path::rows(row, name).map(|rows| rows.len().to_string()).unwrap_or_default()
                }
                _ => path::text(row, name).map(Cow::into_owned).unwrap_or_default(),
            }
        };
        self.columns.iter().map(cell).collect()
    }

    fn record<'a>(&self, row: &'a RawValue) -> Cow<'a, str> {
        row.get().into()
    }
}
