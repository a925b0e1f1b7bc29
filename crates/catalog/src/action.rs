//! Actions: how one kind of thing is written on a platform.
//!
//! The build script reads this file too, so nothing here may use other modules than `record`, nor
//! `sesame_core`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::record::Safety;

/// How one kind of thing (`stock-set`, `price-set`, `product-offline`, ..) is written on a platform.
///
/// A row is a SKU or a product; where its fields go is said with our names: `product`, `sku` (the seller's own
/// code), `sku_id`, `quantity` (the new stock), `change` (the difference), `size` (the difference without its
/// sign), `direction` (a word of [`Action::directions`]), `price`, `warehouse`, and `stock`, `status` as they
/// were read; of an order `order`, `line`, `package`, `carrier`, `tracking`. A name with `=` in front is a constant text. Paths are those of `sesame_core::path`.
///
/// There are four forms of a call:
///
/// | `inputs` | `rows` | `products` | a call takes |
/// |---|---|---|---|
/// | yes | no | no | one row |
/// | without `product` | yes | no | a list of rows |
/// | with `product` | yes | no | the rows of one product |
/// | any | yes | yes | a list of products, each with a list of its rows |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Action {
    /// The API.
    pub api: String,
    /// Arguments that are always sent.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub arguments: Map<String, Json>,
    /// A field of ours, and the path of the argument that takes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// The path of the list of products, and the members of each besides its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<ProductList>,
    /// The path of the list of rows; with `products` within a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// The members of a row, each with the field that it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub row: BTreeMap<String, String>,
    /// A row written as text, `{sku_id}:{quantity}`, in place of `row`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What joins the texts of rows to one text. Without it they are a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// `true` if the row of a product is written as the rows of all its SKUs.
    #[serde(default)]
    pub all_skus: bool,
    /// Number of rows a call should have, or of products where they are a list.
    #[serde(default = "one")]
    pub batch: usize,
    /// Number of calls at the same time.
    #[serde(default = "eight")]
    pub concurrency: usize,
    /// Whether the call may be repeated, where its arguments decide that; else as the API says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// The words for adding and for taking away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directions: Option<[String; 2]>,
    /// The facet that reads what is written.
    #[serde(default = "skus")]
    pub reads: String,
    /// The action that takes the place of this one for a product without SKUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_skus: Option<String>,
    /// The words of the status that the product has afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub becomes: Vec<String>,
    /// The largest number of decimals, by currency; `*` for all others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decimals: BTreeMap<String, u32>,
    /// Where a reply tells of rows that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RowReplies>,
    /// Where a reply tells of rows that were written. With it a row that is in neither list is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<RowReplies>,
    /// The words of the status in which it may be done, for steps of shipping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// The step of shipping that comes after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The action that takes the place of this one if not all lines of an order are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The action that takes the place of this one if the seller names the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_carrier: Option<String>,
    /// Where the reply has what is asked for, by name: `file` (Base64), `url`, `carriers`, `code`, `name`. What
    /// comes after `>` is a path in the JSON that a text holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reply: BTreeMap<String, String>,
    /// What a user should know before it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
    /// `true` for what no document says.
    #[serde(default)]
    pub guess: bool,
}

/// A list of products in the arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProductList {
    /// The path of the list.
    pub path: String,
    /// The members of a product, each with the field that it takes.
    pub members: BTreeMap<String, String>,
}

/// Where a reply tells of single rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RowReplies {
    /// The path of the list.
    pub items: String,
    /// The path of the key in an item, which may be a list of keys. Empty if the item is the key.
    #[serde(default)]
    pub key: String,
    /// The field of ours that the key is: `product`, `sku`, `sku_id`, `line` or `package`.
    pub field: String,
    /// Only items in which this boolean is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
    /// Only items in which this boolean is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The path of the code, in the item or else in the payload; `0` is no failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The path of the message, in the item or else in the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

fn one() -> usize {
    1
}

fn eight() -> usize {
    8
}

fn skus() -> String {
    "skus".to_owned()
}

/// An action as an overlay gives it: what it leaves out stays as it is.
pub type ActionFields = Map<String, Json>;

/// Reads and checks the fields of an action.
///
/// # Errors
/// The first mistake, with its key.
pub(crate) fn read(fields: &ActionFields) -> Result<Action, String> {
    let action: Action =
        serde_path_to_error::deserialize(&Json::Object(fields.clone())).map_err(|error| {
            let key = error.path().to_string();
            if key == "." { error.inner().to_string() } else { format!("{key}: {}", error.inner()) }
        })?;
    check(&action)?;
    Ok(action)
}

fn check(action: &Action) -> Result<(), String> {
    if action.batch == 0 || action.concurrency == 0 {
        return Err("batch and concurrency are at least 1".to_owned());
    }
    if action.rows.is_none() && (action.products.is_some() || !action.row.is_empty() || action.text.is_some())
    {
        return Err("rows: the path of the list of rows is missing".to_owned());
    }
    if action.rows.is_some() && action.row.is_empty() == action.text.is_none() {
        return Err("rows: say with either `row` or `text` what a row is".to_owned());
    }
    if action.rows.is_none() && action.inputs.is_empty() && action.reply.is_empty() {
        return Err("inputs: nothing says where a row goes".to_owned());
    }
    let members = action.products.iter().flat_map(|products| products.members.values());
    let mut named: Vec<&str> =
        action.inputs.keys().chain(action.row.values()).chain(members).map(String::as_str).collect();
    named.extend(action.text.iter().flat_map(|text| fields_of(text)));
    if named.contains(&"direction") && action.directions.is_none() {
        return Err("directions: the words for adding and taking away are missing".to_owned());
    }
    if action.is_relative() && action.safety == Some(Safety::Idempotent) {
        return Err("safety: a difference that is sent twice counts twice".to_owned());
    }
    match named.iter().find(|name| !name.starts_with('=') && !FIELDS.contains(name)) {
        Some(name) => Err(format!("unknown field {name:?}; the fields are {}", FIELDS.join(", "))),
        None => Ok(()),
    }
}

/// The fields of a row.
const FIELDS: [&str; 16] = [
    "order",
    "line",
    "package",
    "carrier",
    "tracking",
    "product",
    "sku",
    "sku_id",
    "quantity",
    "change",
    "size",
    "direction",
    "price",
    "warehouse",
    "stock",
    "status",
];

/// Returns the names in braces.
fn fields_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).map(|part| part.split('}').next().unwrap_or_default())
}

impl Action {
    /// Returns `true` if the API takes a difference, not the new value.
    pub fn is_relative(&self) -> bool {
        self.uses("change") || self.uses("size")
    }

    /// Returns `true` if a call says a field of a row.
    pub fn uses(&self, field: &str) -> bool {
        let members = self.products.iter().flat_map(|products| products.members.values());
        self.inputs.contains_key(field)
            || self.row.values().chain(members).any(|name| name == field)
            || self.text.as_deref().is_some_and(|text| fields_of(text).any(|name| name == field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    fn why(text: &str) -> String {
        let mut fields: ActionFields = toml::from_str(text).unwrap();
        fields.insert("source".to_owned(), "s".into());
        fields.insert("date".to_owned(), "2026-11-30".into());
        read(&fields).unwrap_err()
    }

    #[test]
    fn mistakes_are_told() {
        assert!(why("api = '/a'").contains("inputs"));
        assert!(why("api = '/a'\nrows = 'r'").contains("either `row` or `text`"));
        assert!(why("api = '/a'\nrow = { a = 'sku' }").contains("the path of the list of rows is missing"));
        assert!(why("api = '/a'\nrows = 'r'\ntext = '{sku_di}'").contains("unknown field \"sku_di\""));
        assert!(why("api = '/a'\ninputs = { skuid = 'a' }").contains("unknown field"));
        assert!(why("api = '/a'\nrows = 'r'\nrow = { o = 'direction' }").contains("directions"));
        assert!(why("api = '/a'\nbatch = 0\ninputs = { sku = 'a' }").contains("at least 1"));
        assert!(why("api = '/a'\nsafety = 'idempotent'\ninputs = { change = 'a' }").contains("counts twice"));
    }

    /// What an action names is in the catalog: its API, its arguments, the facet that reads back.
    #[test]
    fn built_in_actions_name_what_there_is() {
        let catalog = Catalog::builtin();
        let mut seen = 0;
        for (platform, actions) in &crate::platforms::loaded().actions {
            for name in actions.keys() {
                let action = catalog.action(platform, name).unwrap();
                let api = catalog.api(platform, &action.api).unwrap();
                assert!(api.known, "{platform} {name}: {}", action.api);
                assert_eq!(api.safety == Safety::Read, !action.reply.is_empty(), "{platform} {name}");
                let mut paths: Vec<&String> = action.inputs.values().chain(action.arguments.keys()).collect();
                paths.extend(action.products.as_ref().map_or(action.rows.as_ref(), |list| Some(&list.path)));
                for path in paths {
                    let root = path.split('.').next().unwrap_or_default();
                    assert!(api.params.iter().any(|param| param.name == root), "{platform} {name}: {path}");
                }
                catalog.facet(platform, &action.reads).unwrap();
                let others = [&action.without_skus, &action.next, &action.part, &action.with_carrier];
                for other in others.into_iter().flatten() {
                    catalog.action(platform, other).unwrap();
                }
                seen += 1;
            }
        }
        assert!(seen > 30);
        assert_eq!(catalog.action("miravia", "stock-set").unwrap().batch, 20, "by its dialect");
        let error = catalog.action("1688", "price-set").unwrap_err();
        assert!(error.hint().unwrap().contains("lazada"), "{error:?}");
    }
}
