//! The SKUs of a shop as they are now: found by product, or by the seller's own code.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};
use sesame_catalog::{Column, ColumnKind, Facet};
use sesame_core::{Error, ErrorKind, Result, path, scalar::raw_text};

use crate::{Amount, Shop, at_once::at_once};

/// The facets that find SKUs by the seller's own code, in the order in which they are asked.
const BY_CODE: [&str; 2] = ["skus-by-code", "skus-by-code-2"];
/// Number of reads at the same time.
const READS: usize = 8;

/// A SKU, or a product without SKUs, as the platform shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkuState {
    /// The platform's id of the product.
    pub product: String,
    /// The seller's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The platform's id of the SKU. `None` or `-1` for a product without SKUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku_id: Option<String>,
    /// The stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Amount>,
    /// How much of the stock orders have taken already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Amount>,
    /// The price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// The currency of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The status of the product, in the platform's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Where the stock is, on platforms with a row for each place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// Where the stock is, if the platform shows one row for several places; empty if it is in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warehouses: Vec<String>,
}

impl SkuState {
    /// Returns `false` for a product without SKUs.
    pub(crate) fn is_sku(&self) -> bool {
        self.sku_id.as_deref().is_some_and(|id| id != "-1")
    }

    fn read(columns: &[Column], row: &RawValue, parent: &RawValue, product: Option<&str>) -> Self {
        let text = |name: &str| {
            let column = columns.iter().find(|column| column.name == name)?;
            let found = column.paths.iter().find_map(|place| match place.strip_prefix('^') {
                Some(place) => path::text(parent, place),
                None => path::text(row, place),
            })?;
            Some(found.into_owned()).filter(|text| !text.is_empty())
        };
        let amount = |name: &str| {
            let of_one = || text(name).and_then(|text| text.parse().ok());
            of_one().or_else(|| sum(&texts(columns, name, row)))
        };
        let warehouses = texts(columns, "warehouses", row);
        Self {
            product: text("product").or_else(|| product.map(str::to_owned)).unwrap_or_default(),
            sku: text("sku"),
            sku_id: text("sku_id"),
            quantity: amount("quantity"),
            reserved: amount("reserved"),
            price: amount("price"),
            currency: text("currency"),
            status: text("status"),
            warehouse: text("warehouse"),
            warehouses: if warehouses.len() > 1 { warehouses } else { Vec::new() },
        }
    }
}

/// Returns the texts of a column whose path leads through a list.
fn texts(columns: &[Column], name: &str, row: &RawValue) -> Vec<String> {
    let Some(column) = columns.iter().find(|column| column.name == name) else { return Vec::new() };
    let all = |place: &String| -> Vec<String> {
        let found = path::rows(row, place).unwrap_or_default();
        // An item without the member counts as one that says nothing.
        found.into_iter().map(|item| raw_text(item).unwrap_or_default().into_owned()).collect()
    };
    column.paths.iter().map(all).find(|texts| !texts.is_empty()).unwrap_or_default()
}

/// Adds numbers up. `None` if there are none, or if one of them is not a number.
fn sum(numbers: &[String]) -> Option<Amount> {
    let mut numbers = numbers.iter().map(|text| text.parse::<Amount>().ok());
    let first = numbers.next()??;
    numbers.try_fold(first, |sum, number| sum.checked_add(number?))
}

/// What is looked for: a product, a SKU of it, or a SKU alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sought {
    /// The product.
    pub(crate) product: Option<String>,
    /// The seller's own code, or the platform's id of a SKU of that product.
    pub(crate) sku: Option<String>,
}

/// What was found: no rows if there is nothing, several if the name fits several.
pub(crate) type Found = std::result::Result<Vec<SkuState>, Error>;

/// The SKUs of one shop.
#[derive(Debug)]
pub(crate) struct Skus {
    shop: Shop,
    platform: String,
    facet: Facet,
}

impl Skus {
    /// Prepares reading by a facet.
    ///
    /// # Errors
    /// For a platform without this facet.
    pub(crate) async fn new(shop: &Shop, facet: &str) -> Result<Self> {
        let platform = shop.platform().await?;
        let facet = shop.client().catalog().facet(&platform, facet)?;
        Ok(Self { shop: shop.clone(), platform, facet })
    }

    /// Returns `true` if the facet has a column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.facet.columns.iter().any(|known| known.name == column)
    }

    pub(crate) fn platform(&self) -> &str {
        &self.platform
    }

    /// Finds all that is sought, in its order. What the platform refuses to show is an error in its place.
    ///
    /// # Errors
    /// What keeps everything from being read: the network, the token, a platform that finds no SKU by its code.
    pub(crate) async fn find(&self, sought: &[Sought]) -> Result<Vec<Found>> {
        let products = |of: &mut dyn Iterator<Item = &Sought>| -> BTreeSet<String> {
            of.filter_map(|one| one.product.clone()).collect()
        };
        let mut by_product = self.products(products(&mut sought.iter())).await?;
        let codes = sought.iter().filter(|one| one.product.is_none()).filter_map(|one| one.sku.clone());
        let codes: BTreeSet<String> = codes.collect();
        let by_code =
            if codes.is_empty() { BTreeMap::new() } else { self.codes(codes, &mut by_product).await? };
        let found = |one: &Sought| match (&one.product, &one.sku) {
            (Some(product), sku) => {
                let rows = by_product.get(product).cloned().unwrap_or_else(|| Ok(Vec::new()))?;
                Ok(sku.as_ref().map_or(rows.clone(), |sku| called(&rows, sku)))
            }
            (None, Some(sku)) => by_code.get(sku).cloned().unwrap_or_else(|| Ok(Vec::new())),
            (None, None) => Ok(Vec::new()),
        };
        Ok(sought.iter().map(found).collect())
    }

    /// Reads all SKUs of products.
    async fn products(&self, products: BTreeSet<String>) -> Result<BTreeMap<String, Found>> {
        self.read_all(&self.facet, "product", products, |state| state.product.clone()).await
    }

    /// Finds SKUs by code.
    async fn codes(
        &self,
        codes: BTreeSet<String>,
        by_product: &mut BTreeMap<String, Found>,
    ) -> Result<BTreeMap<String, Found>> {
        let catalog = self.shop.client().catalog();
        let mut all: BTreeMap<String, Found> = BTreeMap::new();
        let mut missing = codes;
        for (nth, name) in BY_CODE.into_iter().enumerate() {
            let facet = match catalog.facet(&self.platform, name) {
                Ok(facet) => facet,
                Err(_) if nth > 0 => break,
                Err(_) => {
                    return Err(Error::usage(format!(
                        "{} finds no product by a SKU code alone",
                        self.platform
                    ))
                    .with_hint("Name the product, too: PRODUCT/SKU=VALUE, or a column `product` beside `sku`. `sesame products list` shows the ids."));
                }
            };
            if missing.is_empty() {
                break;
            }
            let only_products = !facet.columns.iter().any(|column| column.name == "sku");
            let of = |state: &SkuState| state.sku.clone().unwrap_or_default();
            let mut found = self.read_all(&facet, "sku", missing.clone(), of).await?;
            if only_products {
                let products = found.values().flatten().flatten().map(|state| state.product.clone());
                let unread = products.filter(|product| !by_product.contains_key(product)).collect();
                by_product.extend(self.products(unread).await?);
                for (code, found) in &mut found {
                    let Ok(states) = found else { continue };
                    let rows =
                        states.iter().filter_map(|state| by_product.get(&state.product)?.as_ref().ok());
                    *states = called(&rows.flatten().cloned().collect::<Vec<_>>(), code);
                }
            }
            missing.retain(|code| !matches!(found.get(code), Some(Ok(rows)) if !rows.is_empty()));
            // An error of the first place is what counts where no other knows the code.
            found.retain(|code, rows| {
                !all.contains_key(code) || rows.as_ref().is_ok_and(|rows| !rows.is_empty())
            });
            all.extend(found);
        }
        Ok(all)
    }

    /// Reads the rows of all keys, as many of them in a call as the API takes.
    async fn read_all(
        &self,
        facet: &Facet,
        input: &'static str,
        keys: BTreeSet<String>,
        key_of: impl Fn(&SkuState) -> String,
    ) -> Result<BTreeMap<String, Found>> {
        let most = facet.many.get(input).copied();
        let keys: Vec<String> = keys.into_iter().collect();
        let mut all: BTreeMap<String, Found> = BTreeMap::new();
        let mut refused: Vec<Vec<String>> = Vec::new();
        let chunks = keys.chunks(most.unwrap_or(1)).map(<[String]>::to_vec);
        let read = |chunk| read(self.shop.clone(), facet.clone(), input, chunk);
        let mut sort = |(chunk, found): (Vec<String>, Found)| {
            match found {
                // One key is the key of all that came.
                Ok(rows) if chunk.len() == 1 => {
                    all.insert(chunk[0].clone(), Ok(rows));
                }
                Ok(rows) => {
                    // A product comes with all its SKUs, also those that another call asks for.
                    for row in rows.into_iter().filter(|row| chunk.contains(&key_of(row))) {
                        if let Ok(rows) = all.entry(key_of(&row)).or_insert_with(|| Ok(Vec::new())) {
                            rows.push(row);
                        }
                    }
                }
                // Which of them it is about is told by asking for each.
                Err(_) if chunk.len() > 1 => refused.push(chunk),
                Err(error) => {
                    all.insert(chunk[0].clone(), Err(error));
                }
            }
            Ok(())
        };
        at_once(READS, chunks, read, &mut sort).await?;
        let singles: Vec<Vec<String>> =
            std::mem::take(&mut refused).into_iter().flatten().map(|key| vec![key]).collect();
        at_once(READS, singles, read, |(chunk, found): (Vec<String>, Found)| {
            all.insert(chunk[0].clone(), found);
            Ok(())
        })
        .await?;
        if input == "sku" {
            // Some platforms answer with what only resembles the code.
            for (code, found) in &mut all {
                if let Ok(rows) = found {
                    rows.retain(|row| row.sku.as_ref().is_none_or(|sku| sku == code));
                }
            }
        }
        Ok(all)
    }
}

/// Makes one read. A refusal that is about what was asked for is an answer; anything else is an error.
async fn read(shop: Shop, facet: Facet, input: &str, keys: Vec<String>) -> Result<(Vec<String>, Found)> {
    let mut call = shop.call(&facet.api);
    call.args.clone_from(&facet.arguments);
    if let Some(place) = facet.inputs.get(input) {
        let is_list = facet.many.contains_key(input);
        let value = if is_list { Json::from(keys.clone()) } else { Json::from(keys[0].as_str()) };
        path::set(&mut call.args, place, value)?;
    }
    let reply = match shop.client().call(&call).await {
        Ok(output) => output.reply,
        Err(error) if matches!(error.kind(), ErrorKind::Business | ErrorKind::Argument) => {
            return Ok((keys, Err(error)));
        }
        Err(error) => return Err(error.context(format!("could not read the SKUs of {}", shop.account()))),
    };
    let payload: &RawValue = serde_json::from_str(reply.payload())
        .map_err(|error| reply.error(ErrorKind::Envelope, format!("the payload is not JSON: {error}")))?;
    let items = facet.items.as_deref().unwrap_or_default();
    let product = (input == "product" && keys.len() == 1).then(|| keys[0].as_str());
    let mut states = Vec::new();
    for item in path::rows(payload, items).unwrap_or_default() {
        let children = facet.children.as_deref().and_then(|children| path::rows(item, children));
        let children = children.filter(|rows| !rows.is_empty()).unwrap_or_else(|| vec![item]);
        states.extend(children.iter().map(|row| SkuState::read(&facet.columns, row, item, product)));
    }
    if facet.columns.iter().any(|column| column.kind == ColumnKind::Currency) {
        let currency = shop.place().await?.currency;
        for state in states.iter_mut().filter(|state| state.currency.is_none()) {
            state.currency.clone_from(&currency);
        }
    }
    Ok((keys, Ok(states)))
}

/// Picks the SKUs with a code, or else with a platform's id.
fn called(rows: &[SkuState], name: &str) -> Vec<SkuState> {
    let pick = |of: &dyn Fn(&SkuState) -> Option<&str>| -> Vec<SkuState> {
        rows.iter().filter(|row| of(row) == Some(name)).cloned().collect()
    };
    let by_code = pick(&|row| row.sku.as_deref());
    if by_code.is_empty() { pick(&|row| row.sku_id.as_deref()) } else { by_code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_the_sum_over_the_warehouses() {
        let catalog = sesame_catalog::Catalog::builtin();
        let of = |platform: &str, places: &str| {
            let row = format!(r#"{{"SkuId":1,"quantity":23,"multiWarehouseInventories":{places}}}"#);
            let row: &RawValue = serde_json::from_str(&row).unwrap();
            let state = SkuState::read(&catalog.facet(platform, "skus").unwrap().columns, row, row, None);
            (state.quantity, state.reserved, state.warehouses.join(" "))
        };
        let (all, is) = (Some(Amount::from(23)), |number: i64| Some(Amount::from(number)));
        let one = |code: &str, held: &str| format!(r#"{{"warehouseCode":"{code}","occupyQuantity":{held}}}"#);
        for platform in ["lazada", "daraz", "miravia"] {
            let two = format!("[{},{}]", one("A", "3"), one("B", "\"2\""));
            assert_eq!(of(platform, &two), (all, is(5), "A B".to_owned()), "{platform}");
        }
        assert_eq!(of("lazada", &format!("[{}]", one("A", "3"))), (all, is(3), String::new()), "one place");
        assert_eq!(of("lazada", "[]"), (all, None, String::new()));
        let silent = format!(r#"[{},{{"warehouseCode":"B"}}]"#, one("A", "3"));
        assert_eq!(of("lazada", &silent), (all, None, "A B".to_owned()), "one of them says nothing");
    }
}
