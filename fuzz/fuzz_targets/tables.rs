//! Account tables of other programs: every dump and every CSV is read or refused, and never panics.
//!
//! Input: one byte (`s` a dump, `;` or `t` a CSV with that delimiter, anything else a CSV), then the
//! file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sesame_tables::{Cell, ERP_TABLES, read_csv, read_sql};

/// The longest value that is documented to come out.
const LONGEST: usize = 64 << 10;

fuzz_target!(|data: &[u8]| {
    let [form, file @ ..] = data else { return };
    let read = match form {
        b's' => read_sql(file, &ERP_TABLES.map(str::to_owned)),
        b';' => read_csv(file, Some(b';')),
        b't' => read_csv(file, Some(b'\t')),
        _ => read_csv(file, None),
    };
    match read {
        Ok(rows) => {
            for row in rows {
                let longest = |cell: &Cell| if let Cell::Text(text) = cell { text.len() } else { 0 };
                let longest = row.cells.iter().flatten().map(longest).max().unwrap_or_default();
                assert!(longest <= LONGEST, "a value of {longest} bytes");
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty(), "an error that says nothing");
            assert!(text.chars().count() <= 4_000, "an error of {} bytes", text.len());
        }
    }
});
