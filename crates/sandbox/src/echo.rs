//! What a request names comes back in a reply that no fixtures are behind: ids, page numbers.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sesame_catalog::{Api, Param};
use sesame_core::scalar;

use crate::fixtures::Args;

/// Maximum number of ids of one name that come back.
const MOST_IDS: usize = 100;
/// Maximum size of the rows of a list, in bytes.
const MOST_BYTES: usize = 2 << 20;

/// The ids in the arguments of a call, by [`plain_name`].
#[derive(Debug, Default)]
pub(crate) struct Echo {
    values: BTreeMap<String, Vec<String>>,
    /// How many the longest list of ids has; 0 if none was asked for.
    items: usize,
}

impl Echo {
    pub(crate) fn of(api: &Api, args: &dyn Args) -> Self {
        let mut asked = Self::default();
        for param in &api.params {
            if let Some(text) = args.get(&param.name) {
                asked.note(param, text, false);
            }
        }
        asked
    }

    /// Notes the ids in an argument, and how many its longest list has.
    fn note(&mut self, param: &Param, text: &str, inside: bool) {
        let text = text.trim();
        let values = match text.as_bytes().first() {
            Some(b'{' | b'[') => match serde_json::from_str::<Json>(text) {
                Ok(Json::Object(members)) => {
                    for child in &param.children {
                        if let Some(value) = members.get(&child.name) {
                            let text = scalar::text(value).unwrap_or_else(|| value.to_string());
                            self.note(child, &text, true);
                        }
                    }
                    return;
                }
                Ok(Json::Array(items)) => items.iter().filter_map(scalar::text).collect(),
                _ => return,
            },
            _ => text.split(',').map(|value| value.trim().to_owned()).collect::<Vec<_>>(),
        };
        let is_list = param.list || values.len() > 1 || param.name.ends_with('s');
        let values: Vec<String> =
            values.into_iter().filter(|value| !value.is_empty()).take(MOST_IDS).collect();
        let name = plain_name(&param.name);
        if is_id(&name) && !values.is_empty() {
            if is_list {
                self.items = self.items.max(values.len());
            }
            // An argument that is one id says more than a list, and than a member of another argument.
            if is_list || inside {
                self.values.entry(name).or_insert(values);
            } else {
                self.values.insert(name, values);
            }
        }
    }

    /// Adds a value that comes back wherever the reply has its name.
    pub(crate) fn add(&mut self, name: &str, value: String) {
        self.values.insert(plain_name(name), vec![value]);
    }

    /// Returns how many values of a name were asked for.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        self.values.get(&plain_name(name)).map(Vec::len)
    }

    /// Returns how many rows like this one were asked for by a list of ids, if they were.
    pub(crate) fn items_in(&self, row: &Json) -> Option<usize> {
        Some(self.items).filter(|items| *items > 0 && self.is_in(row))
    }

    /// Lays what was asked for over a reply. `item` is the number of the row that it is, if it is one.
    pub(crate) fn lay(&self, value: &mut Json, item: Option<usize>) {
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    let asked = self.values.get(&plain_name(name));
                    match (member, asked) {
                        (Json::Array(items), Some(asked)) if items.iter().all(is_scalar) => {
                            if let Some(sample) = items.first().cloned() {
                                *items = asked.iter().map(|id| typed(&sample, id)).collect();
                            }
                        }
                        (member, Some(asked)) if is_scalar(member) => {
                            if let Some(id) = asked.get(item.unwrap_or(0)).or_else(|| asked.last()) {
                                *member = typed(member, id);
                            }
                        }
                        (member, _) => self.lay(member, item),
                    }
                }
            }
            Json::Array(items) => {
                let is_asked = item.is_none() && self.items > 0;
                if is_asked && !items.is_empty() && items.iter().any(|row| self.is_in(row)) {
                    let count = affordable(&items[0], self.items);
                    *items = (0..count).map(|at| items[at % items.len()].clone()).collect();
                }
                for (at, row) in items.iter_mut().enumerate() {
                    self.lay(row, item.or_else(|| is_asked.then_some(at)));
                }
            }
            _ => {}
        }
    }

    /// Returns `true` if a row has a place for something that was asked for.
    fn is_in(&self, row: &Json) -> bool {
        match row {
            Json::Object(members) => {
                members.iter().any(|(name, value)| self.count(name).is_some() || self.is_in(value))
            }
            Json::Array(items) => items.iter().any(|item| self.is_in(item)),
            _ => false,
        }
    }
}

/// Returns by what name an id goes, however an argument or a field spells it: `product_ids` and
/// `productId` are `productid`, ICBU's `e_trade_id` is `tradeid`.
pub(crate) fn plain_name(name: &str) -> String {
    let name = name.strip_prefix("e_").unwrap_or(name).replace('_', "").to_ascii_lowercase();
    let one = name.strip_suffix("list").unwrap_or(&name);
    let one = one.strip_suffix('s').unwrap_or(one);
    // A number of pages is not a page.
    if is_id(one) { one.to_owned() } else { name }
}

fn is_id(plain_name: &str) -> bool {
    plain_name.ends_with("id")
}

/// Returns how many rows like this one a reply may have, at most `wanted`: some documents describe rows of
/// thousands of values.
pub(crate) fn affordable(row: &Json, wanted: usize) -> usize {
    wanted.min((MOST_BYTES / row.to_string().len().max(1)).max(1))
}

/// Returns `true` if a field is an id by its name.
pub(crate) fn names_id(name: &str) -> bool {
    is_id(&plain_name(name))
}

pub(crate) fn is_scalar(value: &Json) -> bool {
    value.is_string() || value.is_number()
}

/// Writes a value in the type of a sample; one that does not fit leaves the sample.
fn typed(sample: &Json, value: &str) -> Json {
    match sample {
        Json::String(_) => value.into(),
        _ => value.parse::<u64>().map_or_else(|_| sample.clone(), Json::from),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_that_were_asked_for_come_back() {
        let mut api = sesame_catalog::Catalog::builtin().api("lazada", "/no/such/api").unwrap();
        api.params = serde_json::from_value(json!([
            {"n": "product_id", "t": "integer"},
            {"n": "query", "t": "object", "c": [{"n": "e_tradeIds", "t": "string", "l": true}]},
        ]))
        .unwrap();
        let laid = |args: &[(&str, &str)]| {
            let mut reply = json!({"orders": [{"trade_id": "x", "productID": 5}, {"trade_id": "y", "productID": 6}],
                "product_ids": [1], "other": [{"a": 1}]});
            Echo::of(&api, &args.to_vec()).lay(&mut reply, None);
            reply
        };
        let reply = laid(&[("product_id", "12345678901234")]);
        assert_eq!(reply["orders"][1]["productID"], 12_345_678_901_234_u64);
        assert_eq!(reply["product_ids"], json!([12_345_678_901_234_u64]));
        let reply = laid(&[("query", r#"{"e_tradeIds":["7","8",9]}"#), ("product_id", "six")]);
        let orders = reply["orders"].as_array().unwrap();
        assert_eq!(orders.iter().map(|order| &order["trade_id"]).collect::<Vec<_>>(), ["7", "8", "9"]);
        assert_eq!(orders[0]["productID"], 5, "an id that is not a number does not fit");
        assert_eq!(reply["other"].as_array().unwrap().len(), 1, "not a list of what was asked for");
    }
}
