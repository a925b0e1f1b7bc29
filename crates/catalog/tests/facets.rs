//! Facets: which APIs list things, what they are built on, what a user can change.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;

use sesame_catalog::{Catalog, Safety};
use sesame_core::ErrorKind;

const NAMES: [&str; 16] = [
    "products",
    "product",
    "product-buyer",
    "categories",
    "category-map",
    "attributes",
    "schema",
    "schema-level",
    "templates",
    "orders",
    "orders-buyer",
    "order",
    "order-lines",
    "tracking",
    "tracking-buyer",
    "freight",
];

/// The columns of an order, in the order of its row. A platform has those that it tells.
const ORDER: [&str; 9] =
    ["id", "status", "created", "updated", "paid", "ship_by", "total", "currency", "buyer"];

fn open(text: &str) -> sesame_core::Result<Catalog> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.toml"), text).unwrap();
    Catalog::open(Some(folder.path()))
}

#[test]
fn every_facet_names_an_api_that_the_catalog_has_and_that_only_reads() {
    let catalog = Catalog::builtin();
    let mut found = 0;
    for platform in catalog.platforms() {
        for name in NAMES {
            let Ok(facet) = catalog.facet(&platform.name, name) else { continue };
            found += 1;
            let api = catalog.api(&platform.name, &facet.api).unwrap();
            assert!(api.known, "{} {name}", platform.name);
            assert_eq!(api.safety, Safety::Read, "{} {name}", platform.name);
            assert!(!facet.source.is_empty() && facet.date.starts_with("20"), "{} {name}", platform.name);
            assert!(
                facet.columns.iter().all(|column| !column.paths.is_empty()),
                "{} {name}: a column is nowhere",
                platform.name
            );
            if ["products", "templates", "orders", "orders-buyer"].contains(&name) {
                assert!(api.paging.is_some(), "{} {name}: no pages", platform.name);
            }
        }
    }
    assert_eq!(found, 66);
}

#[test]
fn the_same_facet_has_the_same_columns_everywhere() {
    let catalog = Catalog::builtin();
    for name in ["products", "product", "categories", "attributes", "templates"] {
        let lists: Vec<Vec<String>> = catalog
            .platforms()
            .iter()
            .filter_map(|platform| catalog.facet(&platform.name, name).ok())
            .map(|facet| facet.columns.into_iter().map(|column| column.name).collect())
            .collect();
        assert!(lists.iter().all(|list| *list == lists[0]), "{name}: {lists:?}");
    }
}

#[test]
fn orders_have_the_columns_of_the_row_in_its_order() {
    let catalog = Catalog::builtin();
    for platform in catalog.platforms() {
        for name in ["orders", "orders-buyer", "order", "order-lines"] {
            let Ok(facet) = catalog.facet(&platform.name, name) else { continue };
            let mut rest = ORDER.iter();
            for column in &facet.columns {
                let place = format!("{} {name}: {}", platform.name, column.name);
                assert!(rest.any(|known| *known == column.name), "{place}");
            }
            assert!(name == "order-lines" || !facet.personal.is_empty(), "{} {name}", platform.name);
            assert!(name != "orders" || !facet.stages.is_empty(), "{} {name}", platform.name);
        }
    }
}

#[test]
fn every_list_that_is_walked_counts_its_rows_and_has_keys() {
    let catalog = Catalog::builtin();
    let mut found = 0;
    for platform in catalog.platforms() {
        for name in ["products", "orders", "orders-buyer"] {
            let Ok(facet) = catalog.facet(&platform.name, name) else { continue };
            let Some(walk) = &facet.walk else { continue };
            let others = walk.each.iter().filter_map(|part| part.api.as_deref());
            for api in others.chain([facet.api.as_str()]) {
                found += 1;
                let paging = catalog.api(&platform.name, api).unwrap().paging.unwrap();
                assert!(paging.total.is_some() && paging.items.is_some(), "{} {api}", platform.name);
                assert!(paging.key.is_some(), "{} {api}", platform.name);
            }
        }
    }
    assert!(found >= 16, "{found}");
}

#[test]
fn a_user_adds_a_word_to_the_stages_and_the_others_stay() {
    let head = "platform = \"taobao\"\nsource = \"our tests\"\ndate = \"2026-11-30\"\n";
    let with = |fields: &str| open(&format!("{head}[facet.orders.stages]\n{fields}\n"));
    let facet =
        with("PAID_FORBID_CONSIGN = { stage = \"held\" }").unwrap().facet("taobao", "orders").unwrap();
    assert_eq!(facet.stages["PAID_FORBID_CONSIGN"].stage, "held");
    assert_eq!(facet.stages["TRADE_FINISHED"].stage, "done");
    let catalog = with("PAID_FORBID_CONSIGN = { stage = \"hold\" }").unwrap();
    assert!(catalog.mistakes()[0].message().contains("hold"), "{:?}", catalog.mistakes());
}

#[test]
fn a_dialect_has_the_facets_of_its_platform() {
    let catalog = Catalog::builtin();
    for platform in ["daraz", "miravia"] {
        for name in ["products", "categories"] {
            assert_eq!(catalog.facet(platform, name).unwrap(), catalog.facet("lazada", name).unwrap());
        }
    }
    let error = catalog.facet("taobao-global", "products").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("products") && error.message().contains("taobao-global"), "{error}");
    assert!(error.hint().unwrap().contains("lazada, daraz, miravia"), "{error:?}");
    assert!(catalog.facet("lasada", "products").is_err());
}

#[test]
fn a_user_changes_adds_and_inherits() {
    let head = |platform: &str| {
        format!("platform = \"{platform}\"\nsource = \"our tests\"\ndate = \"2026-11-30\"\n")
    };
    let text = head("lazada") + "[facet.products]\narguments = { filter = \"live\" }\n";
    let catalog = open(&text).unwrap();
    for platform in ["lazada", "miravia"] {
        let facet = catalog.facet(platform, "products").unwrap();
        assert_eq!(facet.arguments["filter"], "live", "{platform}");
        assert_eq!(facet.api, "/products/get", "what is left out stays");
        assert_eq!(facet.source, "our tests");
    }
    let text = head("daraz") + "[facet.products]\napi = \"/our/products\"\n";
    let catalog = open(&text).unwrap();
    assert_eq!(catalog.facet("daraz", "products").unwrap().api, "/our/products");
    assert_eq!(catalog.facet("lazada", "products").unwrap().api, "/products/get");

    let text = head("taobao-global")
        + "[facet.products]\napi = \"/product/list\"\nitems = \"data\"\ncolumns = [{ name = \"id\", paths = [\"item_id\"] }]\n";
    assert_eq!(open(&text).unwrap().facet("taobao-global", "products").unwrap().columns.len(), 1);

    for (fields, said) in [
        ("items = \"data\"", "api"),
        ("api = \"/a\"\ncolums = []", "colums"),
        ("api = \"/a\"\ncolumns = [{ name = \"id\", paths = \"id\" }]", "columns[0].paths"),
        ("api = \"/a\"\ncolumns = [{ name = \"id\", paths = [], kind = \"int\" }]", "columns[0].kind"),
    ] {
        let catalog = open(&format!("{}[facet.products]\n{fields}\n", head("taobao-global"))).unwrap();
        let [error] = catalog.mistakes() else { panic!("{fields}: {:?}", catalog.mistakes()) };
        for part in ["mine.toml", "facet.products", said] {
            assert!(error.message().contains(part), "{part} is missing in {error}");
        }
        assert!(catalog.facet("taobao-global", "products").is_err(), "{fields}");
    }
}
