//! What a shop holds, as people and programs see it.

use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

use crate::{house::House, snapshot};

const ALL: [(&str, &str); 7] = [
    ("alibaba", "a-shop-with-a-name-of-forty-characters-and-more"),
    ("aliexpress", "c"),
    ("lazada", "d"),
    ("1688", "e"),
    ("taobao", "f"),
    ("daraz", "h"),
    ("miravia", "m"),
];

const ORDER: &str = "8100000000000003";

/// Returns an order of a shop that has packages, else its first one.
fn order_of(house: &House, account: &str) -> String {
    let orders = house.run(&["orders", "list", account, "-o", "json"]).succeeds().json();
    let orders = orders.as_array().unwrap();
    let packed = orders.iter().find(|order| !order["packages"].as_array().unwrap().is_empty());
    packed.unwrap_or(&orders[0])["id"].as_str().unwrap().to_owned()
}

#[test]
fn every_table_of_a_shop_fits_eighty_columns_one_line_a_row() {
    let house = House::with_accounts(&ALL);
    let accounts: Vec<&str> = ALL.iter().map(|(_, account)| *account).collect();
    let orders: Vec<String> = accounts.iter().map(|account| order_of(&house, account)).collect();
    let some = ["--since", "1999-01-01", "--limit", "20"];
    let mut tables = vec![
        [&["orders", "list", "--all-shops"], &some[..]].concat(),
        [&["orders", "lines", "--all-shops"], &some[..]].concat(),
        vec!["products", "list", "--all-shops", "--all"],
        vec!["freight", "c", "1005006000000001", "--sku", "12000030000000001"],
        vec!["orders", "track", "c", ORDER],
        vec!["categories", "tree", "d", "--depth", "3"],
        vec!["categories", "find", "e", "1"],
    ];
    for (account, order) in accounts.iter().zip(&orders) {
        tables.extend([
            [&["orders", "list", account], &some[..]].concat(),
            [&["orders", "lines", account], &some[..]].concat(),
            vec!["products", "list", account],
            vec!["orders", "track", account, order],
            vec!["orders", "carriers", account, order],
            vec!["orders", "ship", account, order],
        ]);
    }
    let mut checked = 0;
    for table in &tables {
        let done = house.run(table);
        for line in done.stdout.lines() {
            assert!(line.width() <= 80, "{table:?}: {line}");
        }
        if table[1] == "list" {
            let rows = done.stdout.lines().count() - 1;
            assert!(if table[2] == "--all-shops" { rows > 100 } else { rows == 20 }, "{table:?}: {rows}");
        }
        checked += usize::from(done.code == Some(0));
    }
    assert!(checked > 30, "{checked}");
    let lines = house.run(&["orders", "list", "f"]).succeeds().stdout;
    let id = &orders[4];
    assert!(lines.contains(id.as_str()), "an id of 19 digits stays whole");
}

#[test]
fn commands_about_orders_as_they_print() {
    let house = House::with_accounts(&[("lazada", "laz"), ("1688", "cn"), ("daraz", "daraz")]);
    for account in ["laz", "cn", "daraz"] {
        let show = |name: &str, arguments: &[&str]| {
            snapshot!(format!("{name}_{account}"), house.show(arguments));
        };
        let all = ["--since", "2020-01-01", "--limit", "3"];
        show("orders_list", &[&["orders", "list", account], &all[..]].concat());
        show("orders_list_csv", &[&["orders", "list", account, "-o", "csv"], &all[..]].concat());
        show("orders_lines", &[&["orders", "lines", account], &all[..]].concat());
        show("orders_lines_json", &[&["orders", "lines", account, "-o", "json"], &all[..]].concat());
        show("orders_get_unknown", &["orders", "get", account, "1"]);
        show("orders_track_unknown", &["orders", "track", account, "1"]);
        let products = house.run(&["products", "list", account, "--limit", "2", "-o", "json"]).json();
        let ids: String = products.as_array().unwrap().iter().map(|row| id_of(row) + "\n").collect();
        let file = house.file("ids.txt", &ids);
        let batch = house.run(&["products", "batch-get", account, "--ids", &file]).succeeds().stdout;
        snapshot!(format!("products_batch_get_{account}"), batch);
        show("products_get_unknown", &["products", "get", account, "1"]);
    }
}

fn id_of(row: &Json) -> String {
    row["id"].as_str().unwrap().to_owned()
}
