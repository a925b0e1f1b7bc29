//! Which API lists products, categories and templates on which platform, and where the columns are.
//!
//! Facts, as data: sources are the catalog's entries of the same names (A.4, B, C, D, E and F of
//! its digest, 2026-11-21).

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use sesame_core::{Error, scalar};

/// One list on one platform.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The platform.
    pub(crate) platform: &'static str,
    /// The API.
    pub(crate) api: &'static str,
    /// Arguments that are always sent, as JSON.
    pub(crate) arguments: &'static str,
    /// The argument that says which status is wanted, dotted, where there is one.
    pub(crate) status: Option<&'static str>,
    /// Column name, and the paths it may be found at: the first that holds something wins.
    pub(crate) columns: &'static [(&'static str, &'static [&'static str])],
}

/// Lists of products.
pub(crate) const PRODUCTS: &[Listing] = &[
    Listing {
        platform: "alibaba",
        api: "/alibaba/icbu/product/list",
        arguments: r#"{"language":"ENGLISH"}"#,
        status: Some("filter_type"),
        columns: &[
            ("id", &["id"]),
            ("title", &["subject"]),
            ("status", &["status"]),
            ("category", &["category_id"]),
            ("price", &["price"]),
            ("currency", &["currency"]),
            ("modified", &["gmt_modified"]),
        ],
    },
    Listing {
        platform: "aliexpress-legacy",
        api: "aliexpress.open:api.findProductInfoListQuery@1",
        arguments: r#"{"productStatusType":"onSelling"}"#,
        status: Some("productStatusType"),
        columns: &[
            ("id", &["productId"]),
            ("title", &["subject"]),
            ("status", &["productStatusType", "wsDisplay"]),
            ("category", &["categoryId", "groupId"]),
            ("price", &["productMinPrice"]),
            ("currency", &["currencyCode"]),
            ("modified", &["gmtModified"]),
        ],
    },
    Listing {
        platform: "aliexpress",
        api: "aliexpress.solution.product.list.get",
        arguments: r#"{"aeop_a_e_product_list_query":{"product_status_type":"onSelling"}}"#,
        status: Some("aeop_a_e_product_list_query.product_status_type"),
        columns: &[
            ("id", &["product_id"]),
            ("title", &["subject"]),
            ("status", &["ws_display"]),
            ("category", &["group_id"]),
            ("price", &["product_min_price"]),
            ("currency", &["currency_code"]),
            ("modified", &["gmt_modified"]),
        ],
    },
    LAZADA_PRODUCTS,
    Listing { platform: "daraz", ..LAZADA_PRODUCTS },
    Listing {
        platform: "1688",
        api: "com.alibaba.product:alibaba.product.list.get",
        arguments: "{}",
        status: None,
        columns: &[
            ("id", &["productID"]),
            ("title", &["subject"]),
            ("status", &["status"]),
            ("category", &["categoryID"]),
            ("price", &["saleInfo.priceRanges.0.price", "skuInfos.0.price", "saleInfo.retailprice"]),
            ("currency", &["currency"]),
            ("modified", &["lastUpdateTime", "lastRepostTime", "createTime"]),
        ],
    },
    Listing {
        platform: "taobao",
        api: "taobao.items.onsale.get",
        arguments: r#"{"fields":"num_iid,title,approve_status,cid,price,modified"}"#,
        status: None,
        columns: &[
            ("id", &["num_iid"]),
            ("title", &["title"]),
            ("status", &["approve_status"]),
            ("category", &["cid"]),
            ("price", &["price"]),
            ("currency", &["currency"]),
            ("modified", &["modified"]),
        ],
    },
];

const LAZADA_PRODUCTS: Listing = Listing {
    platform: "lazada",
    api: "/products/get",
    arguments: r#"{"filter":"all"}"#,
    status: Some("filter"),
    columns: &[
        ("id", &["item_id"]),
        ("title", &["attributes.name"]),
        ("status", &["status", "skus.0.Status"]),
        ("category", &["primary_category"]),
        ("price", &["skus.0.price"]),
        ("currency", &["skus.0.currency"]),
        ("modified", &["updated_time"]),
    ],
};

/// Lists of detail modules: reusable blocks of product descriptions.
pub(crate) const TEMPLATES: &[Listing] = &[
    Listing {
        platform: "aliexpress-legacy",
        api: "aliexpress.open:api.findAeProductDetailModuleListByQurey",
        arguments: r#"{"moduleStatus":"approved"}"#,
        status: Some("moduleStatus"),
        columns: &[("id", &["id"]), ("name", &["name"]), ("type", &["type"]), ("status", &["status"])],
    },
    Listing {
        platform: "aliexpress",
        api: "aliexpress.postproduct.redefining.findaeproductdetailmodulelistbyqurey",
        arguments: r#"{"module_status":"approved"}"#,
        status: Some("module_status"),
        columns: &[("id", &["id"]), ("name", &["name"]), ("type", &["type"]), ("status", &["status"])],
    },
];

/// How the children of a category are asked for on one platform.
#[derive(Debug)]
pub(crate) struct Children {
    /// The platform.
    pub(crate) platform: &'static str,
    /// The API.
    pub(crate) api: &'static str,
    /// The argument that takes the category's id; empty where the whole tree comes at once.
    pub(crate) id: &'static str,
    /// Arguments that are always sent, as JSON.
    pub(crate) arguments: &'static str,
    /// Where the categories are.
    pub(crate) items: &'static str,
    /// Column name and paths, as in [`Listing`].
    pub(crate) columns: &'static [(&'static str, &'static [&'static str])],
}

/// Categories.
pub(crate) const CATEGORIES: &[Children] = &[
    Children {
        platform: "alibaba",
        api: "/icbu/product/category/get",
        id: "cat_id",
        arguments: "{}",
        items: "result.result",
        columns: &[
            ("id", &["category_id"]),
            ("name", &["name"]),
            ("local_name", &["cn_name"]),
            ("level", &["level"]),
            ("leaf", &["leaf_category"]),
        ],
    },
    Children {
        platform: "aliexpress-legacy",
        api: "aliexpress.open:api.getChildrenPostCategoryById",
        id: "cateId",
        arguments: "{}",
        items: "aeopPostCategoryList",
        columns: &[
            ("id", &["id"]),
            ("name", &["names.en"]),
            ("local_name", &["names.zh"]),
            ("level", &["level"]),
            ("leaf", &["isleaf"]),
        ],
    },
    Children {
        platform: "aliexpress",
        api: "aliexpress.category.redefining.getchildrenpostcategorybyid",
        id: "param0",
        arguments: "{}",
        items: "result.aeop_post_category_list",
        columns: &[
            ("id", &["id"]),
            ("name", &["names.en", "names"]),
            ("local_name", &["names.zh"]),
            ("level", &["level"]),
            ("leaf", &["isleaf"]),
        ],
    },
    LAZADA_CATEGORIES,
    Children { platform: "daraz", ..LAZADA_CATEGORIES },
    Children {
        platform: "1688",
        api: "com.alibaba.product:alibaba.category.get",
        id: "categoryID",
        arguments: r#"{"webSite":"1688"}"#,
        items: "categoryInfo",
        columns: &[
            ("id", &["categoryID"]),
            ("name", &["name"]),
            ("local_name", &["name"]),
            ("level", &["level"]),
            ("leaf", &["isLeaf"]),
        ],
    },
    Children {
        platform: "taobao",
        api: "taobao.itemcats.get",
        id: "parent_cid",
        arguments: r#"{"fields":"cid,parent_cid,name,is_parent"}"#,
        items: "item_cats",
        columns: &[
            ("id", &["cid"]),
            ("name", &["name"]),
            ("local_name", &["name"]),
            ("level", &["level"]),
            ("leaf", &["!is_parent"]),
        ],
    },
];

const LAZADA_CATEGORIES: Children = Children {
    platform: "lazada",
    api: "/category/tree/get",
    id: "",
    arguments: "{}",
    items: "data",
    columns: &[
        ("id", &["category_id"]),
        ("name", &["name"]),
        ("local_name", &["local_name"]),
        ("level", &["level"]),
        ("leaf", &["leaf"]),
    ],
};

/// How the schema of a category is asked for on one platform.
#[derive(Debug)]
pub(crate) struct SchemaCall {
    /// The platform.
    pub(crate) platform: &'static str,
    /// The API.
    pub(crate) api: &'static str,
    /// The argument that takes the category's id.
    pub(crate) category: &'static str,
    /// The argument that takes the language, where there is one.
    pub(crate) language: Option<&'static str>,
    /// The argument that takes the values chosen so far (levels only).
    pub(crate) xml: Option<&'static str>,
    /// Where the document is.
    pub(crate) document: &'static str,
}

/// Whole schemas.
pub(crate) const SCHEMAS: &[SchemaCall] = &[
    SchemaCall {
        platform: "alibaba",
        api: "/alibaba/icbu/product/schema/get",
        category: "cat_id",
        language: Some("language"),
        xml: None,
        document: "result.data",
    },
    SchemaCall {
        platform: "aliexpress",
        api: "aliexpress.solution.product.schema.get",
        category: "aliexpress_category_id",
        language: None,
        xml: None,
        document: "result.schema",
    },
];

/// The next level of a schema whose options decide which attributes follow.
pub(crate) const SCHEMA_LEVELS: &[SchemaCall] = &[SchemaCall {
    platform: "alibaba",
    api: "/icbu/product/schema/level/get",
    category: "cat_id",
    language: Some("language"),
    xml: Some("xml"),
    document: "result.data",
}];

/// Returns the entry of a platform.
///
/// # Errors
/// Usage, naming the platforms that have one.
pub(crate) fn of<'a, T>(
    entries: &'a [T],
    name: impl Fn(&T) -> &'static str,
    platform: &str,
    what: &str,
) -> Result<&'a T, Error> {
    entries.iter().find(|entry| name(entry) == platform).ok_or_else(|| {
        let names: Vec<&str> = entries.iter().map(name).collect();
        Error::usage(format!("Sesame knows no call that fetches {what} on {platform}")).with_hint(format!(
            "It does for: {}. Others: `sesame apis search` and `sesame call`.",
            names.join(", ")
        ))
    })
}

/// Returns the arguments of an entry as an object.
pub(crate) fn arguments(text: &str) -> Map<String, Json> {
    // The texts are constants above; a test parses each.
    serde_json::from_str(text).unwrap_or_default()
}

/// Sets an argument that may sit inside a JSON argument: `query.page`.
pub(crate) fn set(arguments: &mut Map<String, Json>, path: &str, value: Json) {
    match path.split_once('.') {
        None => {
            arguments.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = arguments.entry(head.to_owned()).or_insert_with(|| json!({}));
            if let Json::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Follows a dotted path; numbers are positions in lists.
pub(crate) fn at<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(value, |value, step| match value {
        Json::Object(members) => members.get(step),
        Json::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Finds the rows at a path: a list, one object, or TOP's `{"item":[..]}` around a list.
pub(crate) fn rows_at(value: &Json, path: &str) -> Vec<Json> {
    match at(value, path) {
        Some(Json::Array(items)) => items.clone(),
        Some(Json::Object(members)) if members.len() == 1 && members.values().all(Json::is_array) => {
            members.values().next().and_then(Json::as_array).cloned().unwrap_or_default()
        }
        Some(object @ Json::Object(_)) => vec![object.clone()],
        _ => Vec::new(),
    }
}

/// Reads the columns of one row as text; a path with `!` in front holds the opposite.
pub(crate) fn cells(row: &Json, columns: &[(&str, &[&str])]) -> Vec<(String, String)> {
    columns
        .iter()
        .map(|(name, paths)| {
            let text = paths
                .iter()
                .find_map(|path| match path.strip_prefix('!') {
                    Some(path) => at(row, path).and_then(scalar::boolean).map(|truth| (!truth).to_string()),
                    None => at(row, path).and_then(scalar::text),
                })
                .map(|text| if *name == "modified" { readable_time(text) } else { text })
                .unwrap_or_default();
            ((*name).to_owned(), text)
        })
        .collect()
}

/// Puts param2's compact times (`20261102203212000-0800`) and Lazada's milliseconds into the form of
/// the others, with their zone.
fn readable_time(text: String) -> String {
    if text.len() == 13
        && let Some(at) = text.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
    {
        return at.strftime("%Y-%m-%d %H:%M:%S +0000").to_string();
    }
    if sesame_core::time::parse_compact(&text).is_none() {
        return text;
    }
    let (date, zone) = (&text[..14], &text[text.len() - 5..]);
    let part = |from: usize, to: usize| &date[from..to];
    format!(
        "{}-{}-{} {}:{}:{} {zone}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_every_entry_parse() {
        let texts = PRODUCTS.iter().chain(TEMPLATES).map(|entry| entry.arguments);
        for text in texts.chain(CATEGORIES.iter().map(|entry| entry.arguments)) {
            assert!(serde_json::from_str::<Map<String, Json>>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_catalog_has_every_api_named_here() {
        let catalog = sesame_catalog::Catalog::builtin();
        let lists = PRODUCTS.iter().chain(TEMPLATES).map(|entry| (entry.platform, entry.api));
        let categories = CATEGORIES.iter().map(|entry| (entry.platform, entry.api));
        let schemas = SCHEMAS.iter().chain(SCHEMA_LEVELS).map(|entry| (entry.platform, entry.api));
        for (platform, api) in lists.chain(categories).chain(schemas) {
            let found = catalog.api(platform, api).unwrap();
            assert!(found.known, "{platform} {api}");
            assert_eq!(found.safety, sesame_catalog::Safety::Read, "{platform} {api}");
        }
    }

    #[test]
    fn rows_are_found_bare_single_and_wrapped() {
        let reply =
            json!({"a": {"rows": [{"id": 1}]}, "one": {"id": 2, "x": 1}, "items": {"item": [{"id": 3}]}});
        assert_eq!(rows_at(&reply, "a.rows")[0]["id"], 1);
        assert_eq!(rows_at(&reply, "one")[0]["id"], 2);
        assert_eq!(rows_at(&reply, "items")[0]["id"], 3);
        assert!(rows_at(&reply, "nowhere.at.all").is_empty());
    }

    #[test]
    fn cells_take_the_first_path_that_holds_something() {
        let row = json!({"names": {"zh": "铅笔"}, "is_parent": false, "skus": [{"price": "1.50"}]});
        let columns: &[(&str, &[&str])] =
            &[("name", &["names.en", "names.zh"]), ("leaf", &["!is_parent"]), ("price", &["skus.0.price"])];
        let cells = cells(&row, columns);
        assert_eq!(cells[0].1, "铅笔");
        assert_eq!(cells[1].1, "true");
        assert_eq!(cells[2].1, "1.50");
    }

    #[test]
    fn times_of_all_forms_become_readable() {
        assert_eq!(readable_time("20261102203212000-0800".to_owned()), "2026-11-02 20:32:12 -0800");
        assert_eq!(readable_time("20261102203212+0800".to_owned()), "2026-11-02 20:32:12 +0800");
        assert_eq!(readable_time("1739776650000".to_owned()), "2025-02-17 07:17:30 +0000");
        for same in ["32800011962", "2026-10-15 07:44:51", "陶瓷", ""] {
            assert_eq!(readable_time(same.to_owned()), same);
        }
    }

    #[test]
    fn dotted_arguments_are_set_inside() {
        let mut map = arguments(r#"{"q":{"a":1}}"#);
        set(&mut map, "q.page", json!(2));
        set(&mut map, "plain", json!("x"));
        assert_eq!(Json::Object(map), json!({"q": {"a": 1, "page": 2}, "plain": "x"}));
    }
}
