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

    /// Returns `true` if it matters what is there: what is sent follows from it, or it proves later whether an
    /// addition happened. Then it is read again just before, and by one job of a shop at a time.
    pub(super) fn depends_on_reading(&self) -> bool {
        self.kind == JobKind::StockAdd || (self.kind == JobKind::StockSet && self.action.is_relative())
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
        call.args = self.arguments(entries, batch)?;
        call.options.idempotency = action.safety;
        Ok(call)
    }

    fn arguments(&self, entries: &[JobEntry], batch: &Batch) -> Result<Map<String, Json>> {
        let action = self.action(batch);
        let mut args = action.arguments.clone();
        let rows = || batch.rows.iter().map(|row| &entries[*row]);
        let Some(first) = rows().next() else { return Ok(args) };
        for (name, place) in &action.inputs {
            path::set(&mut args, place, field(self.kind, action, first, first.state(), name)?)?;
        }
        let Some(place) = &action.rows else { return Ok(args) };
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
            path::set(&mut args, &products.path, Json::Array(list.collect::<Result<_>>()?))?;
            return Ok(args);
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
        path::set(&mut args, place, list)?;
        Ok(args)
    }

    /// Writes a row: one, or one for each SKU of a product.
    fn written(&self, action: &Action, entry: &JobEntry) -> Result<Vec<Json>> {
        let states: Vec<Option<&SkuState>> =
            if action.all_skus { entry.before.iter().map(Some).collect() } else { vec![entry.state()] };
        let one = |state: Option<&SkuState>| {
            if let Some(text) = &action.text {
                return template(text, |name| field(self.kind, action, entry, state, name));
            }
            let mut members = Map::new();
            for (member, name) in &action.row {
                path::set(&mut members, member, field(self.kind, action, entry, state, name)?)?;
            }
            Ok(Json::Object(members))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sesame_catalog::Catalog;

    use super::*;
    use crate::{JobRow, RowOutcome};

    fn writing(platform: &str, kind: JobKind) -> Writing {
        let catalog = Catalog::builtin();
        let action = catalog.action(platform, kind.name()).unwrap();
        let other = action.without_skus.as_deref().map(|name| catalog.action(platform, name).unwrap());
        Writing { kind, action, other }
    }

    /// A SKU with 10 in stock, of which `to` is wanted.
    fn entry(kind: JobKind, product: u64, sku: Option<u64>, to: &str) -> JobEntry {
        let to: Amount = to.parse().unwrap();
        let state = SkuState {
            product: product.to_string(),
            sku: Some(format!("S{}", sku.unwrap_or_default())),
            sku_id: sku.map(|sku| sku.to_string()),
            quantity: Some(Amount::from(10)),
            warehouse: Some("CN".to_owned()),
            status: Some("instock".to_owned()),
            ..SkuState::default()
        };
        let mut row = JobRow::product(product.to_string());
        row.value = match kind {
            JobKind::StockAdd => to.checked_sub(Amount::from(10)),
            _ => Some(to),
        };
        let wanted = (!kind.is_of_products()).then_some(to);
        JobEntry { row, before: vec![state], wanted, expected: None, outcome: RowOutcome::Pending }
    }

    /// The calls for SKUs 1 and 2 of product 70, SKU 3 of 80, and product 90 without SKUs.
    fn calls(platform: &str, kind: JobKind, to: &str) -> Vec<(String, Json)> {
        let writing = writing(platform, kind);
        let mut entries: Vec<JobEntry> = [(70, 1), (80, 3), (70, 2)]
            .into_iter()
            .map(|(product, sku)| entry(kind, product, Some(sku), to))
            .collect();
        if writing.other.is_some() {
            entries.push(entry(kind, 90, None, to));
        }
        let rows: Vec<usize> = (0..entries.len()).collect();
        let batches = writing.batches(&entries, &rows, &vec![false; rows.len()]);
        let call = |batch: &Batch| {
            (writing.action(batch).api.clone(), writing.arguments(&entries, batch).map(Json::Object).unwrap())
        };
        batches.iter().map(call).collect()
    }

    #[test]
    fn stock_is_written_as_each_platform_wants_it() {
        let sku = |product: u64, sku: u64| json!({"ItemId": product, "SkuId": sku, "Quantity": 7});
        assert_eq!(
            calls("lazada", JobKind::StockSet, "7"),
            [(
                "/product/price_quantity/update".to_owned(),
                json!({"payload": {"Request": {"Product": {"Skus": {"Sku": [sku(70, 1), sku(80, 3), sku(70, 2)]}}}}})
            )]
        );
        assert_eq!(
            calls("aliexpress", JobKind::StockSet, "7")[0].1,
            json!({"mutiple_product_update_list": [
                {"product_id": 70, "multiple_sku_update_list": [
                    {"sku_code": "S1", "inventory": 7}, {"sku_code": "S2", "inventory": 7}]},
                {"product_id": 80, "multiple_sku_update_list": [{"sku_code": "S3", "inventory": 7}]}]})
        );
        let calls_of = |platform: &str, kind, to| calls(platform, kind, to).into_iter().map(|(_, args)| args);
        assert!(calls_of("alibaba", JobKind::StockSet, "7").eq([
            json!({"product_id": 70, "sku_inventory": [{"sku_id": 1, "inventory": 7}, {"sku_id": 2, "inventory": 7}]}),
            json!({"product_id": 80, "sku_inventory": [{"sku_id": 3, "inventory": 7}]}),
            json!({"product_id": 90, "inventory": 7}),
        ]));
        let row = |sku: u64, word: &str| json!({"sku_id": sku, "inventory_code": "CN", "inventory": 3, "operate": word});
        assert!(calls_of("alibaba", JobKind::StockAdd, "13").eq([
            json!({"product_id": 70, "inventory_list": [row(1, "plus"), row(2, "plus")]}),
            json!({"product_id": 80, "inventory_list": [row(3, "plus")]}),
        ]));
        assert_eq!(
            calls_of("alibaba", JobKind::StockAdd, "7").nth(1).unwrap()["inventory_list"],
            json!([row(3, "sub")])
        );
        assert!(calls_of("taobao", JobKind::StockAdd, "7").eq([
            json!({"num_iid": 70, "skuid_quantities": "1:-3;2:-3", "type": 2}),
            json!({"num_iid": 80, "skuid_quantities": "3:-3", "type": 2}),
            json!({"num_iid": 90, "quantity": -3, "type": 2}),
        ]));
        // What takes differences sets a stock by the difference to what was read.
        assert!(calls_of("1688", JobKind::StockSet, "7").eq([
            json!({"webSite": "1688", "productStockChange": [
                {"productId": 70, "skuStocks": [{"skuId": 1, "stockChange": -3}, {"skuId": 2, "stockChange": -3}]},
                {"productId": 80, "skuStocks": [{"skuId": 3, "stockChange": -3}]}]}),
            json!({"webSite": "1688", "productStockChange": [{"productId": 90, "productAmountChange": -3}]}),
        ]));
    }

    #[test]
    fn prices_and_states_are_written_as_each_platform_wants_them() {
        assert_eq!(
            calls("taobao", JobKind::PriceSet, "1.90")[0].1,
            json!({"item_id": 70, "sku_prices": [{"sku_id": 1, "price": "1.9"}, {"sku_id": 2, "price": "1.9"}]})
        );
        assert_eq!(
            calls("taobao", JobKind::PriceSet, "1.90")[2].1,
            json!({"item_id": 90, "item_price": "1.9"})
        );
        let first = |platform, kind| calls(platform, kind, "1").remove(0).1;
        assert_eq!(first("aliexpress", JobKind::ProductOffline), json!({"product_ids": "70;80;70"}));
        assert_eq!(
            first("alibaba", JobKind::ProductOnline),
            json!({"action": "online", "product_id_list": [70, 80, 70]})
        );
        assert_eq!(first("taobao", JobKind::ProductOnline), json!({"num_iid": 70, "num": 10}));
        assert_eq!(first("lazada", JobKind::ProductDelete), json!({"sku_id_list": ["SkuId_70_1"]}));
        assert_eq!(
            first("lazada", JobKind::ProductOnline),
            json!({"payload": {"Request": {"Product": {
                "ItemId": 70, "Skus": {"Sku": [{"SkuId": 1, "Status": "active"}]}}}}})
        );
    }

    proptest! {
        /// Whatever is to be written: each row is in one call, no call has more than its number of rows, and the
        /// calls of one product or of one kind hold nothing else.
        #[test]
        fn every_row_is_in_one_call(
            rows in proptest::collection::vec((0_u64..6, proptest::option::of(0_u64..4), any::<bool>()), 0..80),
            platform in prop::sample::select(vec!["lazada", "aliexpress", "alibaba", "taobao", "1688"]),
            kind in prop::sample::select(vec![JobKind::StockSet, JobKind::StockAdd]),
        ) {
            let writing = writing(platform, kind);
            let entries: Vec<JobEntry> =
                rows.iter().map(|(product, sku, _)| entry(kind, *product, *sku, "7")).collect();
            let alone: Vec<bool> = rows.iter().map(|(.., alone)| *alone).collect();
            let all: Vec<usize> = (0..entries.len()).collect();
            let batches = writing.batches(&entries, &all, &alone);
            let mut seen: Vec<usize> = batches.iter().flat_map(|batch| batch.rows.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, all);
            for batch in &batches {
                let action = writing.action(batch);
                let product = |row: &usize| entries[*row].state().unwrap().product.clone();
                let mut products: Vec<String> = batch.rows.iter().map(product).collect();
                products.sort();
                products.dedup();
                let counted = if action.products.is_some() { products.len() } else { batch.rows.len() };
                prop_assert!(counted <= action.batch && !batch.rows.is_empty());
                if action.rows.is_none() {
                    prop_assert_eq!(batch.rows.len(), 1);
                } else if action.products.is_none() && action.inputs.contains_key("product") {
                    prop_assert_eq!(products.len(), 1);
                }
                prop_assert!(batch.rows.len() == 1 || batch.rows.iter().all(|row| !alone[*row]));
                if writing.other.is_some() {
                    let fits = |row: &usize| entries[*row].state().unwrap().is_sku() != batch.without_skus;
                    prop_assert!(batch.rows.iter().all(fits));
                }
            }
        }
    }
}
