//! `sesame products`, `categories`, `schema`, `templates`.

use crate::{house::House, snapshot};

const ALL: [(&str, &str); 8] = [
    ("alibaba", "a"),
    ("aliexpress-legacy", "b"),
    ("aliexpress", "c"),
    ("lazada", "d"),
    ("1688", "e"),
    ("taobao", "f"),
    // What they list is known from the platform whose dialect they speak.
    ("miravia", "g"),
    ("daraz", "h"),
];

#[test]
fn products_of_every_platform_come_in_the_same_columns() {
    let house = House::with_accounts(&ALL);
    let mut empty = std::collections::BTreeSet::new();
    for (platform, account) in ALL {
        let done = house.run(&["products", "list", account, "--all", "--output", "json"]).succeeds();
        let json = done.json();
        let rows = json.as_array().unwrap();
        assert!(rows.len() >= 20, "{platform}: {} rows", rows.len());
        for row in rows {
            for key in ["id", "title"] {
                assert!(row[key].as_str().is_some_and(|text| !text.is_empty()), "{platform}: {row}");
            }
            assert!(row["raw"].is_object(), "{platform}");
            let columns = ["status", "category", "price", "currency", "modified"];
            empty.extend(
                columns.into_iter().filter(|column| row[column] == "").map(|column| (platform, column)),
            );
        }
        let ids: std::collections::HashSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        assert_eq!(ids.len(), rows.len(), "{platform}: no row twice");
        let csv = house.run(&["products", "list", account, "--all", "--output", "csv"]).succeeds().stdout;
        assert!(csv.starts_with("id,title,status,category,price,currency,modified\r\n"), "{platform}");
    }
    // What the documents of the lists do not have.
    let expected = [("1688", "modified"), ("alibaba", "currency"), ("alibaba", "price")];
    assert_eq!(Vec::from_iter(empty), expected);
    snapshot!("products_list", house.show(&["products", "list", "a", "--limit", "3"]));
    snapshot!("products_list_wide", house.show(&["products", "list", "e", "--limit", "3"]));
}

#[test]
fn pages_and_limits_are_kept() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let all = [&["products", "list", "shop", "--output", "json"], arguments].concat();
        let json = house.run(&all).succeeds().json();
        json.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = ids(&["--limit", "10"]);
    let second = ids(&["--page", "2", "--limit", "10"]);
    assert_eq!((first.len(), second.len()), (10, 10));
    assert!(first.iter().all(|id| !second.contains(id)));
    assert_eq!(ids(&["--page", "1", "--limit", "10"]), first);
    assert_eq!(ids(&["--page", "99"]), Vec::<String>::new());
    house.run(&["products", "list", "shop", "--limit", "0"]).fails(2);
    house.run(&["products", "list", "shop", "--all", "--page", "2"]).fails(2);
}

#[test]
fn categories_are_walked() {
    let house = House::with_accounts(&[("alibaba", "a"), ("aliexpress-legacy", "b"), ("lazada", "d")]);
    snapshot!("categories_get", house.show(&["categories", "get", "a"]));
    snapshot!("categories_get_legacy", house.show(&["categories", "get", "b"]));
    for account in ["a", "b", "d"] {
        let top = house.run(&["categories", "get", account, "--output", "json"]).succeeds().json();
        let inner = top.as_array().unwrap().iter().find(|row| row["leaf"] != "true").unwrap();
        let below = house
            .run(&["categories", "get", account, inner["id"].as_str().unwrap(), "--output", "json"])
            .succeeds()
            .json();
        assert!(!below.as_array().unwrap().is_empty(), "{account}");
        assert_eq!(below[0]["parent"], inner["id"]);
    }
    let ids = house.run(&["categories", "get", "a", "--ids", "--output", "json"]).succeeds().json();
    assert_eq!(ids[0]["name"], "");
    snapshot!("categories_get_unknown", house.show(&["categories", "get", "d", "999999999"]));
}

#[test]
fn category_ids_are_mapped() {
    let house = House::with_accounts(&[("alibaba", "a"), ("lazada", "d")]);
    let category = leaf(&house);
    let json =
        house.run(&["categories", "map", "a", "--category", &category, "--output", "json"]).succeeds().json();
    assert_eq!(json["convert_type"], 1);
    assert!(!json["result"].is_null());
    house.run(&["categories", "map", "a", "--category", &category, "--value", "1"]).fails(2);
    snapshot!("categories_map_elsewhere", house.show(&["categories", "map", "d", "--category", "1"]));
}

#[test]
fn schemas_are_fetched() {
    let house = House::with_accounts(&[("alibaba", "a"), ("lazada", "d")]);
    let category = leaf(&house);
    let xml = house.run(&["schema", "get", "a", "--category", &category]).succeeds().stdout;
    assert!(xml.contains("<itemSchema>") && xml.contains("productTitle"), "{}", &xml[..200]);
    let json =
        house.run(&["schema", "get", "a", "--category", &category, "--output", "json"]).succeeds().json();
    assert_eq!(json["document"].as_str().map(str::trim_end), Some(xml.trim_end()));
    let get = ["schema", "get", "a", "--category", &category];
    let table = house.run(&[&get[..], &["--fields"]].concat()).succeeds().stdout;
    assert!(table.starts_with("ID") && table.contains("\nproductTitle "), "{table}");
    let csv = house.run(&[&get[..], &["-o", "csv"]].concat()).succeeds().stdout;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("id,parent,name,type,required,rules,options"));
    assert!(lines.next().unwrap().starts_with("productTitle,,Product name,input,yes,"), "{csv}");
    let fields = house.run(&[&get[..], &["--fields", "-o", "json"]].concat()).succeeds().json();
    let count = xml.matches("<field ").count();
    assert_eq!((fields.as_array().unwrap().len(), table.lines().count()), (count, count + 1));
    let level = house.run(&["schema", "level", "a", "--category", &category]).succeeds().stdout;
    assert!(level.contains("<field "), "{level}");
    let chosen = house.file("chosen.xml", "<itemSchema></itemSchema>");
    assert_eq!(
        house
            .run(&["schema", "level", "a", "--category", &category, "--xml", &format!("@{chosen}")])
            .succeeds()
            .stdout,
        level
    );
    assert_eq!(
        house
            .run_with(
                &["schema", "level", "a", "--category", &category, "--xml", "-"],
                "<itemSchema></itemSchema>"
            )
            .succeeds()
            .stdout,
        level
    );
    snapshot!("schema_elsewhere", house.show(&["schema", "get", "d", "--category", "1"]));
}

#[test]
fn detail_modules_are_listed() {
    let house = House::with_accounts(&[("aliexpress-legacy", "b"), ("alibaba", "a")]);
    snapshot!("templates_list", house.show(&["templates", "list", "b", "--limit", "3"]));
    let all = house.run(&["templates", "list", "b", "--all", "--output", "json"]).succeeds().json();
    assert!(all.as_array().unwrap().len() > 50, "more than one page of 50");
    snapshot!("templates_elsewhere", house.show(&["templates", "list", "a"]));
}

fn leaf(house: &House) -> String {
    let products =
        house.run(&["products", "list", "a", "--limit", "1", "--output", "json"]).succeeds().json();
    products[0]["category"].as_str().unwrap().to_owned()
}

/// M4: a category of 1688 names its children by id alone.
#[test]
fn the_tree_of_1688_can_be_walked_down() {
    let house = House::with_accounts(&[("1688", "shop")]);
    let get = |id: &str| house.run(&["categories", "get", "shop", id, "--output", "json"]);
    let top = get("0").succeeds().json();
    let inner = top.as_array().unwrap().iter().find(|row| row["leaf"] != "true").unwrap();
    let below = get(inner["id"].as_str().unwrap()).succeeds().json();
    let below = below.as_array().unwrap();
    assert!(!below.is_empty());
    assert!(below.iter().all(|row| row["id"] != inner["id"] && row["name"] != ""), "{below:?}");
}

/// m17: one form on all platforms.
#[test]
fn times_have_one_form() {
    let house = House::with_accounts(&ALL);
    for (platform, account) in ALL {
        let list = house.run(&["products", "list", account, "--limit", "5", "-o", "json"]).succeeds().json();
        for row in list.as_array().unwrap() {
            let text = row["modified"].as_str().unwrap();
            let is_time =
                text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok();
            assert!(text.is_empty() || (is_time && text.contains('T')), "{platform}: {text}");
        }
    }
}

/// m6: a platform may ignore a filter.
#[test]
fn rows_that_contradict_the_filter_are_said() {
    let house = House::with_accounts(&[("alibaba", "shop")]);
    let done = house.run(&["products", "list", "shop", "--all", "--status", "nosuch"]);
    let rows = done.stdout.lines().count().saturating_sub(1);
    assert!(
        rows == 0
            || done.stderr.contains(&format!("{rows} of {rows} products have another status than nosuch")),
        "{}",
        done.stderr
    );
}
