//! From rows to calls: pure, so that every property can be tried.

use serde_json::{Map, Value as Json};
use sesame_catalog::Action;
use sesame_client::Call;
use sesame_core::{Error, Result, path};

use super::{JobEntry, JobKind};
use crate::{Amount, Shop, SkuState};

/// The rows of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// Places in the list of entries.
    pub(super) rows: Vec<usize>,
    /// Whether the call is that for products without SKUs.
    pub(super) without_skus: bool,
}

/// How a kind of rows is written on a platform.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    pub(super) kind: JobKind,
    pub(super) action: Action,
    /// The action for products without SKUs.
    pub(super) other: Option<Action>,
}

impl Writing {
    pub(super) fn action(&self, batch: &Batch) -> &Action {
        match &self.other {
            Some(other) if batch.without_skus => other,
            _ => &self.action,
        }
    }

    /// Returns `true` if what is sent follows from what was read: it is read again just before.
    pub(super) fn depends_on_reading(&self) -> bool {
        (self.kind == JobKind::StockSet) == self.action.is_relative()
            && !self.kind.is_of_products()
            && self.kind != JobKind::PriceSet
    }

    /// Parts rows into calls, in their order. Those in `alone` get a call each.
    pub(super) fn batches(&self, entries: &[JobEntry], rows: &[usize], alone: &[bool]) -> Vec<Batch> {
        let mut out: Vec<Batch> = Vec::new();
        for without_skus in [false, true] {
            let action = match &self.other {
                Some(other) if without_skus => other,
                None if without_skus => break,
                _ => &self.action,
            };
            let of = |row: &usize| entries[*row].state();
            let is_here = |row: &&usize| {
                let has_sku = of(row).is_none_or(SkuState::is_sku);
                self.other.is_none() || has_sku != without_skus
            };
            let mut mine: Vec<usize> = rows.iter().filter(is_here).copied().collect();
            let product = |row: &usize| of(row).map(|state| state.product.as_str()).unwrap_or_default();
            let by_product =
                action.rows.is_some() && (action.products.is_some() || action.inputs.contains_key("product"));
            if by_product {
                // Stable: in the order in which the products come first.
                let mut first = std::collections::HashMap::new();
                for row in &mine {
                    let next = first.len();
                    first.entry(product(row)).or_insert(next);
                }
                mine.sort_by_key(|row| first[product(row)]);
            }
            let mut open: Option<(Batch, usize)> = None;
            for row in mine {
                if alone[row] {
                    out.push(Batch { rows: vec![row], without_skus });
                    continue;
                }
                let fits = |(batch, counted): &(Batch, usize)| {
                    let last = batch.rows.last().map(product).unwrap_or_default();
                    let same = last == product(&row);
                    match () {
                        () if action.rows.is_none() => false,
                        () if action.products.is_some() => same || *counted < action.batch,
                        () if action.inputs.contains_key("product") => same && *counted < action.batch,
                        () => *counted < action.batch,
                    }
                };
                if open.as_ref().is_some_and(fits) {
                    if let Some((batch, counted)) = &mut open {
                        let same = batch.rows.last().map(product) == Some(product(&row));
                        *counted += usize::from(action.products.is_none() || !same);
                        batch.rows.push(row);
                    }
                } else {
                    out.extend(
                        open.replace((Batch { rows: vec![row], without_skus }, 1)).map(|(batch, _)| batch),
                    );
                }
            }
            out.extend(open.map(|(batch, _)| batch));
        }
        out
    }

    /// Makes the call of a batch.
    ///
    /// # Errors
    /// For an action whose paths do not fit together.
    pub(super) fn call(&self, shop: &Shop, entries: &[JobEntry], batch: &Batch) -> Result<Call> {
        let action = self.action(batch);
        let mut call = shop.call(&action.api);
        call.args.clone_from(&action.arguments);
        call.options.idempotency = action.safety;
        let rows = || batch.rows.iter().map(|row| &entries[*row]);
        let Some(first) = rows().next() else { return Ok(call) };
        for (name, place) in &action.inputs {
            path::set(&mut call.args, place, field(self.kind, action, first, first.state(), name)?)?;
        }
        let Some(place) = &action.rows else { return Ok(call) };
        if let Some(products) = &action.products {
            let mut list: Vec<(&str, Map<String, Json>, Vec<Json>)> = Vec::new();
            for entry in rows() {
                let product = entry.state().map(|state| state.product.as_str()).unwrap_or_default();
                if list.last().is_none_or(|(last, ..)| *last != product) {
                    let mut members = Map::new();
                    for (member, name) in &products.members {
                        path::set(
                            &mut members,
                            member,
                            field(self.kind, action, entry, entry.state(), name)?,
                        )?;
                    }
                    list.push((product, members, Vec::new()));
                }
                if let Some((.., inner)) = list.last_mut() {
                    inner.extend(self.written(action, entry)?);
                }
            }
            let list = list.into_iter().map(|(_, mut members, rows)| {
                path::set(&mut members, place, Json::from(rows))?;
                Ok(Json::Object(members))
            });
            path::set(&mut call.args, &products.path, Json::Array(list.collect::<Result<_>>()?))?;
            return Ok(call);
        }
        let mut list = Vec::new();
        for entry in rows() {
            list.extend(self.written(action, entry)?);
        }
        let list = match &action.join {
            None => Json::Array(list),
            Some(by) => {
                let texts = list.iter().filter_map(sesame_core::scalar::text);
                Json::from(texts.collect::<Vec<_>>().join(by))
            }
        };
        path::set(&mut call.args, place, list)?;
        Ok(call)
    }

    /// Writes a row: one, or one for each SKU of a product.
    fn written(&self, action: &Action, entry: &JobEntry) -> Result<Vec<Json>> {
        let states: Vec<Option<&SkuState>> = match action.all_skus {
            true => entry.before.iter().map(Some).collect(),
            false => vec![entry.state()],
        };
        let one = |state: Option<&SkuState>| match &action.text {
            Some(text) => template(text, |name| field(self.kind, action, entry, state, name)),
            None => {
                let mut members = Map::new();
                for (member, name) in &action.row {
                    path::set(&mut members, member, field(self.kind, action, entry, state, name)?)?;
                }
                Ok(Json::Object(members))
            }
        };
        states.into_iter().map(one).collect()
    }
}

/// Fills the braces of a text. A text that is one name alone is that value.
pub(crate) fn template(text: &str, field: impl Fn(&str) -> Result<Json>) -> Result<Json> {
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
        && !name.contains('{')
    {
        return field(name);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&sesame_core::scalar::text(&field(name)?).unwrap_or_default());
        rest = after;
    }
    Ok(Json::from(out + rest))
}

/// Returns a field of a row as it goes into the arguments.
fn field(
    kind: JobKind,
    action: &Action,
    entry: &JobEntry,
    state: Option<&SkuState>,
    name: &str,
) -> Result<Json> {
    let missing = || Error::local(format!("{} has no {name}, which {} takes", entry.row.name(), action.api));
    if let Some(constant) = name.strip_prefix('=') {
        return Ok(Json::from(constant));
    }
    let state = state.ok_or_else(missing)?;
    let change = || match kind {
        JobKind::StockAdd => entry.row.value,
        _ => entry.wanted?.checked_sub(state.quantity?),
    };
    let text = |text: &Option<String>| text.clone().map(Json::from);
    let value = match name {
        "product" => Some(id(&state.product)),
        "sku_id" => state.sku_id.as_deref().map(id),
        "sku" => text(&state.sku),
        "warehouse" => text(&state.warehouse),
        "status" => text(&state.status),
        "quantity" => entry.wanted.map(number),
        "stock" => state.quantity.map(number),
        "change" => change().map(number),
        "size" => change().map(|change| number(change.abs())),
        "price" => entry.wanted.map(|price| Json::from(price.to_string())),
        "direction" => change().and_then(|change| {
            let words = action.directions.as_ref()?;
            Some(Json::from(words[usize::from(change.is_negative())].as_str()))
        }),
        _ => None,
    };
    value.ok_or_else(missing)
}

/// An id that is a number goes as one.
pub(crate) fn id(text: &str) -> Json {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Json::from(number),
        _ => Json::from(text),
    }
}

fn number(amount: Amount) -> Json {
    id(&amount.to_string())
}
