//! Makes an order of what the platform sent: a row of the list, and the replies with the rest.

use std::collections::HashSet;

use serde_json::{Value as Json, value::RawValue};
use sesame_core::{path, payload::members, scalar};

use super::{Order, OrderLine, OrderPackage};
use crate::{Fields, Stage, fields::SubRow};

/// Where the words of states are explained, and which ones were not.
#[derive(Debug)]
pub(super) struct Words {
    /// The facet that has the table.
    table: Fields,
    unknown: HashSet<String>,
    /// Unknown words that were not told of yet.
    pub(super) warnings: Vec<String>,
}

impl Words {
    pub(super) fn new(table: Fields) -> Self {
        Self { table, unknown: HashSet::new(), warnings: Vec::new() }
    }

    fn stage(&mut self, word: &str, row: &RawValue) -> Stage {
        let stage = Stage::of(&self.table.facet, word, row);
        if stage == Stage::Unknown
            && !word.is_empty()
            && self.unknown.len() < 100
            && self.unknown.insert(word.to_owned())
        {
            self.warnings.push(format!(
                "the catalog does not know the state {word:?} of orders: its stage is unknown"
            ));
        }
        stage
    }
}

/// Builds an order. Of the replies the first that has a value counts.
pub(super) fn order(shop: &str, parts: &[(&Fields, &RawValue)], words: &mut Words) -> Order {
    let get = |name: &str| {
        parts
            .iter()
            .map(|(fields, row)| fields.get(row, name))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let whole = merged(parts.iter().map(|(_, row)| *row));
    let own = parts
        .iter()
        .map(|(fields, row)| states(fields, row))
        .find(|states| !states.is_empty())
        .unwrap_or_default();
    let mut status = own.first().cloned().unwrap_or_default();
    let mut stage = words.stage(&status, &whole);
    let mut lines: Vec<OrderLine> = sublist(parts, "lines")
        .iter()
        .map(|line| {
            let word = line.get("status");
            let of_line = if word.is_empty() { stage } else { words.stage(&word, line.row()) };
            line_of(line, if word.is_empty() { status.clone() } else { word }, of_line)
        })
        .collect();
    // A list of states is that of the lines: the order has the one that is least far.
    if is_of_lines(parts) {
        let of_lines: Vec<(Stage, String)> = if lines.is_empty() {
            own.iter().map(|word| (words.stage(word, &whole), word.clone())).collect()
        } else {
            lines.iter().map(|line| (line.stage, line.status.clone())).collect()
        };
        if let Some(least) = Stage::of_lines(of_lines.iter().map(|(stage, _)| *stage)) {
            stage = least;
            status = of_lines
                .into_iter()
                .min_by_key(|(stage, _)| *stage)
                .map(|(_, word)| word)
                .unwrap_or_default();
        }
    }
    let mut packages: Vec<OrderPackage> = sublist(parts, "packages")
        .iter()
        .map(|package| OrderPackage {
            id: package.get("id"),
            carrier: package.get("carrier"),
            tracking: package.get("tracking"),
        })
        .collect();
    for line in &mut lines {
        let is_packed = !line.package.is_empty() || !line.tracking.is_empty();
        let package = || OrderPackage {
            id: line.package.clone(),
            carrier: line.carrier.clone(),
            tracking: line.tracking.clone(),
        };
        let is_known =
            packages.iter().any(|known| known.id == line.package && known.tracking == line.tracking);
        if is_packed && !is_known {
            packages.push(package());
        }
    }
    Order {
        id: get("id"),
        shop: shop.to_owned(),
        status,
        stage,
        created: get("created"),
        updated: get("updated"),
        paid: get("paid"),
        ship_by: get("ship_by"),
        total: get("total"),
        currency: get("currency"),
        buyer: get("buyer"),
        lines,
        packages,
        raw: words.table.raw(&whole),
    }
}

fn line_of(line: &SubRow<'_, '_>, status: String, stage: Stage) -> OrderLine {
    let quantity = line.get("quantity");
    OrderLine {
        id: line.get("id"),
        sku: line.get("sku"),
        product: line.get("product"),
        title: line.get("title"),
        quantity: if quantity.is_empty() { "1".to_owned() } else { quantity },
        price: line.get("price"),
        status,
        stage,
        package: line.get("package"),
        carrier: line.get("carrier"),
        tracking: line.get("tracking"),
    }
}

/// Returns the rows of a list of the first reply that has some.
fn sublist<'a>(parts: &[(&'a Fields, &'a RawValue)], name: &str) -> Vec<SubRow<'a, 'a>> {
    parts.iter().map(|(fields, row)| fields.list(row, name)).find(|rows| !rows.is_empty()).unwrap_or_default()
}

/// Returns `true` if the state of the order is a list: that of its lines.
fn is_of_lines(parts: &[(&Fields, &RawValue)]) -> bool {
    parts.iter().any(|(fields, row)| {
        let paths =
            fields.facet.columns.iter().find(|column| column.name == "status").map(|column| &column.paths);
        paths
            .into_iter()
            .flatten()
            .filter_map(|place| path::get(row, place))
            .any(|value| value.get().starts_with('['))
    })
}

/// Returns the words at the column of the state: one, or a list of them.
fn states(fields: &Fields, row: &RawValue) -> Vec<String> {
    let Some(column) = fields.facet.columns.iter().find(|column| column.name == "status") else {
        return Vec::new();
    };
    let words = column.paths.iter().filter_map(|place| path::get(row, place)).find_map(|value| {
        let value: Json = serde_json::from_str(value.get()).ok()?;
        let words: Vec<String> = match value {
            Json::Array(words) => words.iter().filter_map(scalar::text).collect(),
            word => scalar::text(&word).into_iter().collect(),
        };
        (!words.is_empty()).then_some(words)
    });
    words.unwrap_or_default()
}

/// Joins the replies about an order: of members with the same name the first counts.
fn merged<'a>(rows: impl Iterator<Item = &'a RawValue>) -> Box<RawValue> {
    let rows: Vec<&RawValue> = rows.collect();
    if let [only] = rows[..] {
        return only.to_owned();
    }
    let mut out = String::from("{");
    let mut names = HashSet::new();
    for row in &rows {
        for (name, value) in members(row.get()).into_iter().flatten() {
            if names.insert(name.to_string()) {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(&Json::from(&*name).to_string());
                out.push(':');
                out.push_str(value.get());
            }
        }
    }
    out.push('}');
    // What was written is JSON, since its parts are.
    RawValue::from_string(out).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
