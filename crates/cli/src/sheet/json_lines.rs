//! JSON Lines: one object a line.

use std::{
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
    rc::Rc,
};

use serde_json::value::RawValue;
use sesame_core::{Error, scalar};

use super::{Cell, Kind, MOST_OF_A_ROW, Row, Table};
use crate::{columns, exit::CliResult};

/// Reads rows. `first` is the beginning of the text, to the end of its first line.
pub(super) fn read(table: &mut Table, first: &[u8], rest: &mut impl Read) -> CliResult {
    table.kind = Kind::Members;
    // No line names the columns: each has its own.
    table.columns = Some(Vec::new());
    let mut input = BufReader::with_capacity(64 << 10, first.chain(rest));
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let count = (&mut input).take(MOST_OF_A_ROW as u64 + 1).read_until(b'\n', &mut text);
        match count.map_err(|error| table.error(&error))? {
            0 => return Ok(()),
            count if count > MOST_OF_A_ROW => {
                return Err(table.error_at(line, format!("it has more than {MOST_OF_A_ROW} bytes")).into());
            }
            _ if text.trim_ascii().is_empty() => {}
            _ => {
                let row = row(table, line, &text)?;
                table.hand_out(&row)?;
            }
        }
    }
    Ok(())
}

fn row(table: &Table, line: u32, text: &[u8]) -> Result<Row, Error> {
    let object: &RawValue = serde_json::from_slice(text)
        .map_err(|error| table.error_at(line, format!("invalid JSON: {error}")))?;
    if !object.get().starts_with('{') {
        return Err(table.error_at(line, "it is not an object: {\"sku\":\"A-1\",\"quantity\":5}"));
    }
    let mut cells: Vec<(&'static str, usize, Cell)> = Vec::new();
    let mut twice = None;
    let _ = columns::members(object, &mut |name, value| {
        let Some(field) = table.field(&name) else { return ControlFlow::Continue(()) };
        if cells.iter().any(|(known, ..)| *known == field) {
            twice = Some(field);
            return ControlFlow::Break(());
        }
        let cell = match value.get().as_bytes().first() {
            Some(b'{' | b'[') => Err("it is not a text or a number".to_owned()),
            Some(b'n') => Ok(String::new()),
            _ => scalar::raw_text(value)
                .map(|text| text.trim().to_owned())
                .ok_or_else(|| "it is not text".to_owned()),
        };
        cells.push((field, cells.len(), cell));
        ControlFlow::Continue(())
    });
    if let Some(field) = twice {
        return Err(table.error_at(line, format!("two members are both {field}")));
    }
    if let Some(missing) = table.required.iter().find(|field| cells.iter().all(|(known, ..)| known != *field))
    {
        return Err(table.error_at(line, format!("it has no {missing}")));
    }
    Ok(Row { file: Rc::clone(&table.name), kind: table.kind, line, cells })
}
