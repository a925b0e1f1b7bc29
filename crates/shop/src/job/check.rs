//! What is known to be wrong before anything is sent.

use std::collections::HashMap;

use sesame_catalog::Action;
use sesame_core::{Error, Result};

use super::{JobEntry, JobKind, JobRow, RowOutcome};
use crate::{Amount, SkuState, skus::Found};

/// Maximum number of rows of a job.
const MAX_ROWS: usize = 1_000_000;
/// Number of mistakes that are told at once.
const MAX_TOLD: usize = 20;

/// Checks what is asked for, without asking the platform.
///
/// # Errors
/// Usage, with all mistakes.
pub(super) fn rows(kind: JobKind, rows: &[JobRow]) -> Result<()> {
    if rows.is_empty() {
        return Err(Error::usage("there is nothing to do: no rows were given"));
    }
    if rows.len() > MAX_ROWS {
        return Err(Error::usage(format!("{} rows are too many; a job has at most {MAX_ROWS}", rows.len())));
    }
    let mut seen: HashMap<(Option<&str>, Option<&str>), &JobRow> = HashMap::with_capacity(rows.len());
    let mut wrong: Vec<String> = Vec::new();
    for row in rows {
        let key = (row.product.as_deref(), row.sku.as_deref());
        let why = value(kind, row).err().or_else(|| {
            let first = seen.insert(key, row)?;
            let line = first.line.map_or_else(String::new, |line| format!(" (line {line})"));
            Some(format!("is there twice{line}"))
        });
        if let Some(why) = why {
            wrong.push(format!("{}{}: {why}", place(row), row.name()));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let count = wrong.len();
    if count > MAX_TOLD {
        wrong.truncate(MAX_TOLD);
        wrong.push(format!("and {} more", count - MAX_TOLD));
    }
    Err(Error::usage(format!("{}; nothing was sent", wrong.join("; "))))
}

impl JobRow {
    /// Checks what is asked for, without knowing what the shop holds.
    ///
    /// # Errors
    /// Usage: no SKU or product, no value, a negative stock, a price that is not above zero, a part of a piece.
    pub fn check(&self, kind: JobKind) -> Result<()> {
        value(kind, self).map_err(Error::usage)
    }
}

fn place(row: &JobRow) -> String {
    row.line.map_or_else(String::new, |line| format!("line {line}: "))
}

fn value(kind: JobKind, row: &JobRow) -> std::result::Result<(), String> {
    if kind.is_of_products() {
        return if row.product.as_deref().is_none_or(str::is_empty) {
            Err("no product id".to_owned())
        } else {
            Ok(())
        };
    }
    if row.product.is_none() && row.sku.as_deref().is_none_or(str::is_empty) {
        return Err("no SKU".to_owned());
    }
    let Some(value) = row.value else { return Err("no value".to_owned()) };
    match kind {
        JobKind::PriceSet if value <= Amount::ZERO => Err(format!("{value} is not above 0")),
        JobKind::PriceSet => Ok(()),
        _ if value.decimals() > 0 => Err(format!("{value} is not a whole number")),
        JobKind::StockSet if value.is_negative() => Err(format!("{value} is below 0")),
        _ => Ok(()),
    }
}

/// Makes the entry of a row from what was read of it. `expected` is what must be there.
pub(super) fn entry(
    kind: JobKind,
    action: &Action,
    row: JobRow,
    found: Found,
    expected: Option<Amount>,
) -> JobEntry {
    let mut entry =
        JobEntry { row, before: Vec::new(), wanted: None, expected, outcome: RowOutcome::Pending };
    match found {
        Err(error) => entry.outcome = RowOutcome::failed(&error),
        Ok(found) => {
            let checked = if kind.is_of_products() {
                product(kind, action, &found)
            } else {
                sku(kind, action, &entry, &found).map(|wanted| entry.wanted = wanted)
            };
            entry.before = found;
            if let Err(outcome) = checked {
                entry.outcome = outcome;
            }
        }
    }
    entry
}

fn product(kind: JobKind, action: &Action, found: &[SkuState]) -> std::result::Result<(), RowOutcome> {
    let Some(first) = found.first() else { return Err(RowOutcome::refused("there is no such product")) };
    let status = first.status.as_deref().unwrap_or_default();
    if kind != JobKind::ProductDelete && action.becomes.iter().any(|word| word == status) {
        return Err(RowOutcome::skipped(format!("is {status} already")));
    }
    if action.uses("stock") && first.quantity.is_none() {
        return Err(RowOutcome::refused("the platform does not say its stock, which the call takes"));
    }
    if action.uses("stock") && first.quantity == Some(Amount::ZERO) {
        return Err(RowOutcome::refused("has no stock: set it first, then put it on sale"));
    }
    Ok(())
}

/// Checks a SKU and returns what there is afterwards.
fn sku(
    kind: JobKind,
    action: &Action,
    entry: &JobEntry,
    found: &[SkuState],
) -> std::result::Result<Option<Amount>, RowOutcome> {
    let refused = |why: String| Err(RowOutcome::refused(why));
    let (first, value) = match (found, entry.row.value) {
        ([], _) => {
            return refused(format!(
                "there is no such {}",
                if entry.row.sku.is_some() { "SKU" } else { "product" }
            ));
        }
        ([one], Some(value)) => (one, value),
        // Without a value there would be no row.
        ([first, ..], _) => {
            let places: Vec<&str> = found.iter().filter_map(|state| state.warehouse.as_deref()).collect();
            let same =
                found.iter().all(|state| (&state.product, &state.sku_id) == (&first.product, &first.sku_id));
            if same && !places.is_empty() {
                return refused(format!(
                    "its stock is in {} places ({}); change it with `sesame call`",
                    found.len(),
                    places.join(", ")
                ));
            }
            let names: Vec<String> = found.iter().take(5).map(full_name).collect();
            return refused(format!("fits {} SKUs; name one: {}", found.len(), names.join(", ")));
        }
    };
    if first.is_sku() || action.without_skus.is_none() {
        if action.uses("sku") && first.sku.is_none() {
            return refused("has no code of its own, which this platform's call takes".to_owned());
        }
        if action.uses("sku_id") && first.sku_id.is_none() {
            return refused("the product has no SKUs; change it with `sesame call`".to_owned());
        }
    }
    if action.uses("warehouse") && first.warehouse.is_none() {
        return refused("the platform does not say where its stock is, which the call takes".to_owned());
    }
    if kind == JobKind::StockSet && !action.is_relative() && !first.warehouses.is_empty() {
        return refused(format!(
            "its stock is in {} places ({}), and the call sets that of one of them; add or take away with \
             `sesame stock add`, or set each place with `sesame call`",
            first.warehouses.len(),
            first.warehouses.join(", ")
        ));
    }
    let before = if kind == JobKind::PriceSet { first.price } else { first.quantity };
    if kind != JobKind::StockAdd && before == Some(value) {
        return unchanged(before, value);
    }
    if entry.expected.is_some() && before != entry.expected {
        let now = before.map_or_else(|| "unknown".to_owned(), |now| now.to_string());
        return Err(RowOutcome::skipped(format!(
            "is {now}: somebody has changed it since, so it is left alone"
        )));
    }
    if kind == JobKind::PriceSet {
        let currency = first.currency.as_deref().unwrap_or("*");
        let most = action.decimals.get(currency).or_else(|| action.decimals.get("*"));
        if let Some(most) = most.filter(|most| value.decimals() > **most) {
            let of = if currency == "*" { "prices have".to_owned() } else { format!("{currency} has") };
            return refused(format!("{value}: {of} at most {most} decimals on this platform"));
        }
        return unchanged(before, value);
    }
    let Some(quantity) = before else {
        // An absolute value needs no former one.
        return if kind == JobKind::StockSet && !action.is_relative() {
            Ok(Some(value))
        } else {
            refused("the platform does not say its stock".to_owned())
        };
    };
    let wanted = match kind {
        JobKind::StockAdd => quantity.checked_add(value),
        _ => Some(value),
    };
    let Some(wanted) = wanted else { return refused(format!("{quantity} and {value} are too much")) };
    if wanted.is_negative() {
        return refused(format!("the stock is {quantity}; it would be {wanted}"));
    }
    if let Some(reserved) = first.reserved.filter(|reserved| wanted < *reserved) {
        return refused(format!("{reserved} are reserved for orders; the stock cannot be {wanted}"));
    }
    unchanged(before, wanted)
}

fn unchanged(before: Option<Amount>, wanted: Amount) -> std::result::Result<Option<Amount>, RowOutcome> {
    if before == Some(wanted) {
        Err(RowOutcome::skipped(format!("is {wanted} already")))
    } else {
        Ok(Some(wanted))
    }
}

fn full_name(state: &SkuState) -> String {
    let sku = state.sku.as_deref().or(state.sku_id.as_deref()).unwrap_or_default();
    format!("{}/{sku}", state.product)
}

/// Refuses the second of two rows that are the same SKU under two names.
pub(super) fn twice(entries: &mut [JobEntry]) {
    let mut seen: HashMap<(String, Option<String>, Option<String>), String> = HashMap::new();
    for entry in entries.iter_mut().filter(|entry| entry.outcome == RowOutcome::Pending) {
        let Some(state) = entry.state() else { continue };
        let key = (state.product.clone(), state.sku_id.clone(), state.sku.clone());
        if let Some(first) = seen.insert(key, entry.row.name()) {
            entry.outcome = RowOutcome::refused(format!("is the same SKU as {first}"));
        }
    }
}
