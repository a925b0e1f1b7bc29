//! `sesame orders`, `freight`, and single products.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::{house::House, snapshot};

const ALL: [(&str, &str); 6] =
    [("alibaba", "a"), ("aliexpress", "c"), ("lazada", "d"), ("1688", "e"), ("taobao", "f"), ("daraz", "h")];

const MEMBERS: [&str; 14] = [
    "id", "shop", "status", "stage", "created", "updated", "paid", "ship_by", "total", "currency", "buyer",
    "lines", "packages", "raw",
];

fn rows(house: &House, arguments: &[&str]) -> Vec<Json> {
    let all = [arguments, &["--output", "json"]].concat();
    house.run(&all).succeeds().json().as_array().unwrap().clone()
}

#[test]
fn orders_of_every_platform_come_in_the_same_row() {
    let house = House::with_accounts(&ALL);
    for (platform, account) in ALL {
        let orders = rows(&house, &["orders", "list", account, "--all"]);
        assert!(!orders.is_empty(), "{platform}");
        let ids: HashSet<&str> = orders.iter().map(|order| order["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), orders.len(), "{platform}: no order twice");
        for order in &orders {
            let members: Vec<&String> = order.as_object().unwrap().keys().collect();
            assert_eq!(members, MEMBERS, "{platform}");
            assert_eq!(order["shop"], account, "{platform}");
            for text in ["id", "status", "created", "total"] {
                assert!(
                    order[text].as_str().is_some_and(|text| !text.is_empty()),
                    "{platform}: {text}: {order}"
                );
            }
            for time in ["created", "updated", "paid", "ship_by"] {
                let text = order[time].as_str().unwrap();
                assert!(
                    text.is_empty() || text.parse::<jiff::Timestamp>().is_ok(),
                    "{platform}: {time} {text}"
                );
            }
            let lines = order["lines"].as_array().unwrap();
            assert!(!lines.is_empty(), "{platform}: {order}");
            for name in ["id", "sku", "product", "title", "quantity", "price", "status", "stage"] {
                assert!(lines[0][name].is_string(), "{platform}: {name}");
            }
        }
    }
}

#[test]
fn people_are_masked_unless_they_are_asked_for() {
    let house = House::with_accounts(&ALL);
    for (platform, account) in ALL {
        let masked = rows(&house, &["orders", "list", account, "--all"]);
        let shown = rows(&house, &["orders", "list", account, "--all", "--personal"]);
        for (order, open) in masked.iter().zip(&shown) {
            let buyer = order["buyer"].as_str().unwrap();
            assert!(["***", ""].contains(&buyer), "{platform}: {buyer}");
            let open = open["buyer"].as_str().unwrap();
            if open.len() > 3 {
                assert!(!order.to_string().contains(&format!("\"{open}\"")), "{platform}: {open} in {order}");
            }
        }
    }
    let masked = rows(&house, &["orders", "list", "d", "--all"]);
    assert_eq!(masked[0]["raw"]["address_shipping"]["phone"], "***");
    let order = masked[0]["id"].as_str().unwrap();
    let get = |more: &[&str]| {
        house.run(&[&["orders", "get", "d", order, "-o", "json"], more].concat()).succeeds().json()
    };
    assert_eq!(get(&[])["raw"]["address_shipping"]["address1"], "***");
    assert_ne!(get(&["--personal"])["raw"]["address_shipping"]["address1"], "***");
}

#[test]
fn an_order_alone_is_that_of_the_list() {
    let house = House::with_accounts(&ALL);
    for (platform, account) in [("alibaba", "a"), ("lazada", "d"), ("daraz", "h")] {
        let orders = rows(&house, &["orders", "list", account, "--all"]);
        let order = &orders[0];
        let id = order["id"].as_str().unwrap();
        let alone = house.run(&["orders", "get", account, id, "-o", "json"]).succeeds().json();
        for name in ["id", "status", "stage", "created", "total", "currency", "lines", "packages"] {
            assert_eq!(alone[name], order[name], "{platform}: {name}");
        }
        let lines = rows(&house, &["orders", "lines", account, "--order", id]);
        assert_eq!(lines.len(), order["lines"].as_array().unwrap().len(), "{platform}");
        assert_eq!((&lines[0]["order"], &lines[0]["shop"]), (&order["id"], &order["shop"]), "{platform}");
    }
    house.run(&["orders", "get", "d", "1"]).fails(4);
}

#[test]
fn orders_are_filtered_by_stage_time_and_limit() {
    let house = House::with_accounts(&[("lazada", "d")]);
    let all = rows(&house, &["orders", "list", "d", "--all"]);
    let of_stage = all.iter().filter(|order| order["stage"] == "to_ship").count();
    assert!(of_stage > 0 && of_stage < all.len());
    let found = rows(&house, &["orders", "list", "d", "--all", "--stage", "to_ship"]);
    assert_eq!(found.len(), of_stage);
    assert!(found.iter().all(|order| order["stage"] == "to_ship"));
    let both = ["orders", "list", "d", "--all", "--stage", "to_ship", "--stage", "done"];
    assert_eq!(rows(&house, &both).len(), of_stage);
    let newest = all.iter().map(|order| order["updated"].as_str().unwrap()).max().unwrap();
    let found = rows(&house, &["orders", "list", "d", "--since", newest]);
    assert!(!found.is_empty() && found.len() < all.len());
    assert_eq!(rows(&house, &["orders", "list", "d", "--since", "1999-01-01", "--limit", "3"]).len(), 3);
    let bare = rows(&house, &["orders", "list", "d", "--all", "--no-lines"]);
    assert_eq!(bare.len(), all.len());
    assert!(bare.iter().all(|order| order["lines"].as_array().unwrap().is_empty()));
    let stages =
        |orders: &[Json]| -> Vec<Json> { orders.iter().map(|order| order["stage"].clone()).collect() };
    assert_eq!(stages(&bare), stages(&all), "the words of the list are those of the lines");

    snapshot!("orders_bad_stage", house.show(&["orders", "list", "d", "--stage", "packing"]));
    snapshot!("orders_bad_since", house.show(&["orders", "list", "d", "--since", "yesterday"]));
    house.run(&["orders", "list", "d", "--since", "2h", "--until", "3h"]).fails(2);
}

#[test]
fn a_list_that_was_cut_off_goes_on_from_its_bookmark() {
    let house = House::with(|options| {
        options.products = 300;
        options.quotas.push("3/3@/products/get".parse().unwrap());
    })
    .and_accounts(&[("lazada", "shop")]);
    let file = house.path().join("list.bm");
    let file = file.to_str().unwrap();
    let read = |more: &[&str]| {
        house.run(
            &[
                &["products", "list", "shop", "--all", "-o", "ndjson", "--bookmark", file, "--timeout", "1s"],
                more,
            ]
            .concat(),
        )
    };
    let ids = |stdout: &str| -> Vec<String> {
        let row = |line: &str| serde_json::from_str::<Json>(line).unwrap()["id"].as_str().unwrap().to_owned();
        stdout.lines().map(row).collect()
    };
    let first = read(&[]).fails(6);
    assert!(first.stderr.contains("--bookmark"), "{}", first.stderr);
    let begun = ids(&first.stdout);
    assert!(begun.len() >= 50 && begun.len() < 300, "{}", begun.len());

    let mut all = begun;
    // Each run gets some pages further before the quota of the moment is used up.
    for _ in 0..2_000 {
        let next = read(&[]);
        all.extend(ids(&next.stdout));
        if next.code == Some(0) {
            break;
        }
    }
    assert_eq!(all.len(), 300);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 300);
    assert!(!std::path::Path::new(file).exists(), "a list that is complete needs no bookmark");

    std::fs::write(file, "my notes").unwrap();
    read(&[]).fails(2);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "my notes", "what is no bookmark is left as it is");
    house.run(&["products", "list", "shop", "--bookmark", file]).fails(2);
}

#[test]
fn products_are_shown_alone_and_many_at_once() {
    let house = House::with_accounts(&ALL);
    for (platform, account) in ALL {
        let listed = rows(&house, &["products", "list", account, "--limit", "3"]);
        let id = listed[0]["id"].as_str().unwrap();
        let one = house.run(&["products", "get", account, id, "-o", "json"]).succeeds().json();
        assert_eq!(one["id"], listed[0]["id"], "{platform}");
        assert!(one["raw"].is_object(), "{platform}");
        let ids: String = listed.iter().map(|row| row["id"].as_str().unwrap().to_owned() + "\n").collect();
        let file = house.file("ids.txt", &ids);
        let many = rows(&house, &["products", "batch-get", account, "--ids", &file]);
        let got: Vec<&Json> = many.iter().map(|row| &row["id"]).collect();
        assert_eq!(got, listed.iter().map(|row| &row["id"]).collect::<Vec<_>>(), "{platform}");
    }
    snapshot!("products_get_encrypted", house.show(&["products", "get", "a", "IDX1IH4qB8"]));
    let id = rows(&house, &["products", "list", "d", "--limit", "1"])[0]["id"].as_str().unwrap().to_owned();
    let file = house.file("ids.txt", &format!("id\n{id}\n999\n"));
    let done = house.run(&["products", "batch-get", "d", "--ids", &file, "-o", "csv"]).fails(4);
    assert_eq!(done.stdout.lines().count(), 2, "{}", done.stdout);
    assert!(done.stderr.contains("product 999"), "{}", done.stderr);
}

#[test]
fn what_dropshippers_read() {
    let house = House::with_accounts(&[("aliexpress", "ds"), ("lazada", "d")]);
    let product = ["products", "get", "ds", "1005006000000001", "--buyer", "-o", "json"];
    assert!(house.run(&product).succeeds().json()["title"].as_str().is_some_and(|title| !title.is_empty()));
    let freight = rows(&house, &["freight", "ds", "1005006000000001", "--sku", "12000030000000001"]);
    assert!(freight[0]["service"].as_str().is_some_and(|service| !service.is_empty()), "{freight:?}");
    let packages = rows(&house, &["orders", "track", "ds", "8100000000000003"]);
    assert!(!packages[0]["events"].as_array().unwrap().is_empty());
    house.run(&["freight", "d", "1", "--sku", "1"]).fails(2);
}

#[test]
fn categories_come_from_the_cache_after_the_first_time() {
    let house = House::with_accounts(&[("lazada", "d"), ("alibaba", "a"), ("aliexpress", "c")]);
    for account in ["d", "a"] {
        let first = house.run(&["categories", "tree", account, "-o", "json"]).succeeds();
        assert!(!first.stderr.contains("from the cache"), "{}", first.stderr);
        let tree = first.json();
        let tree = tree.as_array().unwrap();
        assert!(tree.len() > 5 && tree.iter().any(|row| row["parent"] != "0"), "{tree:?}");
        let name = tree[0]["name"].as_str().unwrap();
        let found = rows(&house, &["categories", "find", account, &name.to_uppercase(), "--depth", "2"]);
        assert!(found.iter().any(|row| row["id"] == tree[0]["id"]), "{account}: {name}");

        let again = house.run(&["categories", "tree", account, "-o", "json"]).succeeds();
        assert_eq!(again.json().as_array().unwrap(), tree);
        assert!(again.stderr.contains("from the cache, fetched"), "{}", again.stderr);
        let fresh = house.run(&["categories", "tree", account, "--refresh", "-o", "json"]).succeeds();
        assert!(!fresh.stderr.contains("from the cache"), "{}", fresh.stderr);
    }
    let leaf = rows(&house, &["categories", "tree", "d", "--depth", "9"]);
    let leaf = leaf.iter().find(|row| row["leaf"] == "true").unwrap()["id"].as_str().unwrap().to_owned();
    let attributes = rows(&house, &["categories", "attributes", "d", &leaf]);
    assert!(attributes[0]["name"].as_str().is_some_and(|name| !name.is_empty()));
    let again = house.run(&["categories", "attributes", "d", &leaf]).succeeds();
    assert!(again.stderr.contains("from the cache"), "{}", again.stderr);
    house.run(&["categories", "attributes", "d", "../../etc"]).fails(2);
    house.run(&["categories", "tree", "d", "999999999"]).fails(2);
    snapshot!("categories_tree", house.show(&["categories", "tree", "d", "--depth", "1"]));
}
