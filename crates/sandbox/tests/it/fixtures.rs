//! The world of the sandbox, asked as the gateways ask it.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};
use sesame_sandbox::fixtures::{Fixtures, PLATFORMS};

use crate::fixture_support::{ask, ask_as, list, number, payload, refused, shop};

const SEED: u64 = 7;

fn world() -> Fixtures {
    Fixtures::generate(SEED, 2, 60)
}

/// How a list is walked.
struct Walk {
    platform: &'static str,
    api: &'static str,
    args: &'static [(&'static str, &'static str)],
    /// The argument of the page, its first value, and what is added for the next page.
    page: (&'static str, usize, usize),
    size: Option<(&'static str, &'static str)>,
    items: &'static str,
    id: &'static str,
    total: &'static str,
}

#[rustfmt::skip]
const WALKS: &[Walk] = &[
    Walk { platform: "alibaba", api: "/alibaba/icbu/product/list", args: &[], page: ("current_page", 1, 1), size: Some(("page_size", "7")), items: "/result/products", id: "/id", total: "/result/total_item" },
    Walk { platform: "alibaba", api: "alibaba.icbu.product.list", args: &[("language", "ENGLISH")], page: ("current_page", 1, 1), size: Some(("page_size", "30")), items: "/products", id: "/product_id", total: "/total_item" },
    Walk { platform: "alibaba", api: "/alibaba/order/list", args: &[("role", "seller")], page: ("start_page", 0, 1), size: Some(("page_size", "100")), items: "/value/order_list", id: "/trade_id", total: "/value/total_count" },
    Walk { platform: "alibaba", api: "/alibaba/order/list", args: &[("role", "seller")], page: ("start_page", 0, 1), size: None, items: "/value/order_list", id: "/trade_id", total: "/value/total_count" },
    Walk { platform: "aliexpress-legacy", api: "aliexpress.open:api.findProductInfoListQuery", args: &[("productStatusType", "onSelling")], page: ("currentPage", 1, 1), size: None, items: "/aeopAEProductDisplayDTOList", id: "/productId", total: "/productCount" },
    Walk { platform: "aliexpress-legacy", api: "aliexpress.open:api.findProductInfoListQuery", args: &[("productStatusType", "offline"), ("subject", " ")], page: ("currentPage", 1, 1), size: Some(("pageSize", "1")), items: "/aeopAEProductDisplayDTOList", id: "/productId", total: "/productCount" },
    Walk { platform: "lazada", api: "/products/get", args: &[("filter", "all")], page: ("offset", 0, 50), size: Some(("limit", "50")), items: "/data/products", id: "/item_id", total: "/data/total_products" },
    Walk { platform: "daraz", api: "/products/get", args: &[("filter", "live")], page: ("offset", 0, 20), size: None, items: "/data/products", id: "/item_id", total: "/data/total_products" },
    Walk { platform: "miravia", api: "/orders/get", args: &[("created_after", "2020-01-01T00:00:00+0100")], page: ("offset", 0, 100), size: Some(("limit", "100")), items: "/data/orders", id: "/order_id", total: "/data/countTotal" },
    Walk { platform: "lazada", api: "/orders/get", args: &[("update_after", "2020-01-01T00:00:00+08:00"), ("sort_by", "updated_at"), ("sort_direction", "ASC")], page: ("offset", 0, 20), size: None, items: "/data/orders", id: "/order_id", total: "/data/countTotal" },
    Walk { platform: "1688", api: "com.alibaba.product:alibaba.product.list.get", args: &[("webSite", "1688")], page: ("pageNo", 1, 1), size: Some(("pageSize", "11")), items: "/result/result/pageResult/resultList", id: "/productID", total: "/result/result/pageResult/totalRecords" },
    Walk { platform: "taobao", api: "taobao.items.onsale.get", args: &[("fields", "num_iid,title")], page: ("page_no", 1, 1), size: Some(("page_size", "9")), items: "/items", id: "/num_iid", total: "/total_results" },
    Walk { platform: "taobao", api: "taobao.items.onsale.get", args: &[("fields", "num_iid,price"), ("order_by", "num:asc")], page: ("page_no", 1, 1), size: None, items: "/items", id: "/num_iid", total: "/total_results" },
];

#[test]
fn walking_all_pages_sees_each_thing_once() {
    let world = world();
    for walk in WALKS {
        let mut seen = HashSet::new();
        let (name, first, step) = walk.page;
        for page in 0.. {
            let at = (first + page * step).to_string();
            let mut args = walk.args.to_vec();
            args.push((name, &at));
            args.extend(walk.size);
            let reply = payload(&world, walk.platform, walk.api, &args);
            let total = number(&reply, walk.total);
            let items = list(&reply, walk.items);
            if items.is_empty() {
                assert_eq!(seen.len(), total, "{} {}", walk.platform, walk.api);
                assert!(total > 0, "{} {} has nothing to walk", walk.platform, walk.api);
                break;
            }
            for item in items {
                let id = item.pointer(walk.id).unwrap().to_string();
                assert!(seen.insert(id.clone()), "{} {}: {id} twice", walk.platform, walk.api);
            }
            assert!(page < 200, "{} does not end", walk.api);
        }
    }
}

#[test]
fn detail_modules_come_in_fifties() {
    let world = world();
    let api = "aliexpress.open:api.findAeProductDetailModuleListByQurey";
    let mut seen = HashSet::new();
    let first =
        payload(&world, "aliexpress-legacy", api, &[("moduleStatus", "approved"), ("pageIndex", "1")]);
    let pages = number(&first, "/totalPage");
    assert!(pages >= 2, "{pages}");
    assert_eq!(list(&first, "/aeopDetailModuleList").len(), 50);
    for page in 1..=pages + 1 {
        let page = page.to_string();
        let args = [("moduleStatus", "approved"), ("pageIndex", page.as_str()), ("pageSize", "10")];
        let reply = payload(&world, "aliexpress-legacy", api, &args);
        for module in list(&reply, "/aeopDetailModuleList") {
            assert_eq!(module["status"], "approved");
            assert!(seen.insert(module["id"].to_string()));
        }
        assert_eq!(reply["success"], true);
    }
    let beyond = (pages + 1).to_string();
    let reply =
        payload(&world, "aliexpress-legacy", api, &[("moduleStatus", "approved"), ("pageIndex", &beyond)]);
    assert!(list(&reply, "/aeopDetailModuleList").is_empty());
    let only = [("moduleStatus", "approved"), ("type", "relation"), ("pageIndex", "1")];
    let reply = payload(&world, "aliexpress-legacy", api, &only);
    assert!(list(&reply, "/aeopDetailModuleList").iter().all(|module| module["type"] == "relation"));

    assert_eq!(refused(&world, "aliexpress-legacy", api, &[("pageIndex", "1")]), "gw.ParamMissing");
    for args in [
        [("moduleStatus", "gone"), ("pageIndex", "1")],
        [("moduleStatus", "tbd"), ("pageIndex", "0")],
        [("moduleStatus", "tbd"), ("pageIndex", "one")],
    ] {
        assert_eq!(refused(&world, "aliexpress-legacy", api, &args), "14030996");
    }
}

#[test]
fn icbu_cuts_pages_at_30_and_ends_at_5000_rows() {
    let world = Fixtures::generate(SEED, 1, 5_100);
    let page = |page: &str, size: &str| {
        payload(
            &world,
            "alibaba",
            "/alibaba/icbu/product/list",
            &[("current_page", page), ("page_size", size), ("pageNo", "3"), ("unknown", "x")],
        )
    };
    let first = page("1", "50");
    assert_eq!(first["result"]["page_size"], 30);
    assert_eq!(list(&first, "/result/products").len(), 30);
    assert_eq!(first["result"]["total_item"], 5_100);
    assert_eq!(list(&page("166", "30"), "/result/products").len(), 30);
    // Row 5,000 is the 20th of page 167.
    assert_eq!(list(&page("167", "30"), "/result/products").len(), 20);
    let beyond = page("168", "30");
    assert_eq!(beyond["result"]["total_item"], 5_100);
    assert!(list(&beyond, "/result/products").is_empty());
    assert!(list(&page("9223372036854775807", "30"), "/result/products").is_empty());

    // Newest change first, and a window of time reaches what the pages do not.
    let times: Vec<String> = list(&first, "/result/products")
        .iter()
        .map(|product| product["gmt_modified"].as_str().unwrap().to_owned())
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let last = page("166", "30");
    let until = list(&last, "/result/products")[29]["gmt_modified"].as_str().unwrap();
    let older = payload(
        &world,
        "alibaba",
        "/alibaba/icbu/product/list",
        &[("gmt_modified_to", until), ("page_size", "30")],
    );
    let total = number(&older, "/result/total_item");
    assert!((121..=125).contains(&total), "{total}");
}

#[test]
fn icbu_filters_narrow() {
    let world = world();
    let api = "/alibaba/icbu/product/list";
    let all = payload(&world, "alibaba", api, &[("page_size", "30")]);
    let some = &list(&all, "/result/products")[3];
    let check = |args: &[(&str, &str)], test: &dyn Fn(&Value) -> bool| {
        let reply = payload(&world, "alibaba", api, args);
        let rows = list(&reply, "/result/products");
        assert!(rows.iter().all(test), "{args:?}");
        number(&reply, "/result/total_item")
    };
    let id = some["id"].to_string();
    assert_eq!(check(&[("id", &id)], &|row| row["id"] == some["id"]), 1);
    let category = some["category_id"].to_string();
    assert!(check(&[("category_id", &category)], &|row| row["category_id"] == some["category_id"]) > 0);
    let word = some["subject"].as_str().unwrap().split(' ').next().unwrap().to_uppercase();
    assert!(
        check(&[("subject", &word)], &|row| {
            row["subject"].as_str().unwrap().to_uppercase().contains(&word)
        }) > 0
    );
    let none = check(&[("group_id1", "0")], &|row| row["group_id"] == 0);
    let flat = check(&[("group_id2", "-1")], &|_| true);
    assert!(none <= flat && flat <= 60, "{none} {flat}");
    let (from, to) = ("2026-01-01 00:00:00", "2026-06-30 23:59:59");
    check(&[("gmt_modified_from", from), ("gmt_modified_to", to)], &|row| {
        let at = row["gmt_modified"].as_str().unwrap();
        (from..=to).contains(&at)
    });
    for (name, value) in
        [("page_size", "many"), ("current_page", "0"), ("gmt_modified_from", "June"), ("id", "-4")]
    {
        let error = ask(&world, "alibaba", api, &[(name, value)]).unwrap_err();
        assert_eq!(error.code, "InvalidParameter");
        assert!(error.message.contains(&format!("\"{name}\"")), "{error:?}");
    }
}

#[test]
fn icbu_products_are_found_by_either_id() {
    let world = world();
    let all = payload(&world, "alibaba", "/alibaba/icbu/product/list", &[("page_size", "30")]);
    for row in list(&all, "/result/products") {
        let (plain, secret) = (row["id"].to_string(), row["product_id"].as_str().unwrap());
        let by = |id: Value| {
            let request = json!({"productId": id}).to_string();
            payload(&world, "alibaba", "/icbu/product/get", &[("product_get_request", &request)])
        };
        let found = by(row["id"].clone());
        assert_eq!(found["result"]["product_id"], row["product_id"]);
        assert_eq!(found["result"]["subject"], row["subject"]);
        assert_eq!(found["result"]["gmt_modified"], row["gmt_modified"]);
        assert_eq!(by(json!(secret)), found);
        assert_eq!(by(json!(plain)), found);
        let top = payload(&world, "alibaba", "alibaba.icbu.product.get", &[("product_id", secret)]);
        assert_eq!(top["product"]["subject"], row["subject"]);
        assert!(top["product"]["attributes"].is_array());
    }
    let unknown =
        payload(&world, "alibaba", "/icbu/product/get", &[("product_get_request", r#"{"productId":1}"#)]);
    assert_eq!(unknown["result"]["success"], false);
    assert_eq!(unknown["result"]["msg_code"], "B_PRODUCT_NOT_FOUND");
    for (request, code) in
        [("{}", "MissingParameter"), ("{", "InvalidParameter"), (r#"{"productId":[]}"#, "InvalidParameter")]
    {
        let args = [("product_get_request", request)];
        assert_eq!(refused(&world, "alibaba", "/icbu/product/get", &args), code, "{request}");
    }
}

#[test]
fn the_ids_of_the_vendors_samples_can_be_tried() {
    for seed in [1, 2] {
        let world = Fixtures::generate(seed, 1, 3);
        let request = r#"{"productId":1600107214049}"#;
        let icbu = payload(&world, "alibaba", "/icbu/product/get", &[("product_get_request", request)]);
        assert!(icbu["result"]["subject"].is_string());
        let api = "aliexpress.open:api.findAeProductById";
        let legacy = payload(&world, "aliexpress-legacy", api, &[("productId", "32800000001")]);
        assert_eq!(legacy["success"], true);
    }
}

#[test]
fn shops_see_only_their_own() {
    let world = world();
    let products =
        |shop| ask_as(&world, shop, "alibaba", "/alibaba/icbu/product/list", &[("page_size", "30")]);
    let (one, two) = (products(Some(0)).unwrap(), products(Some(1)).unwrap());
    assert_ne!(one, two);
    // No token, a token of another platform, a shop that does not exist.
    for wrong in [None, shop(&world, "lazada"), Some(999)] {
        assert_eq!(products(wrong).unwrap_err().code, "IllegalAccessToken");
    }
    let foreign = json!({"productId": two["result"]["products"][0]["id"]}).to_string();
    let reply = payload(&world, "alibaba", "/icbu/product/get", &[("product_get_request", &foreign)]);
    assert_eq!(reply["result"]["success"], false);
}

#[test]
fn the_icbu_category_tree_can_be_walked() {
    let world = world();
    let get = |id: &str| payload(&world, "alibaba", "/icbu/product/category/get", &[("cat_id", id)]);
    let mut open = vec!["0".to_owned()];
    let mut leaves = BTreeSet::new();
    let mut deepest = 0;
    while let Some(id) = open.pop() {
        let reply = get(&id);
        assert_eq!(reply["result"]["success"], true);
        let node = &reply["result"]["result"];
        assert_eq!(node["category_id"].to_string(), id);
        let children = list(node, "/child_ids");
        assert_eq!(children.is_empty(), node["leaf_category"] == true, "{node}");
        deepest = deepest.max(node["level"].as_u64().unwrap());
        if children.is_empty() {
            leaves.insert(id.clone());
        }
        for child in children {
            let parents = get(&child.to_string());
            assert_eq!(list(&parents, "/result/result/parent_ids").last().unwrap().to_string(), id);
            open.push(child.to_string());
        }
    }
    assert_eq!(deepest, 4);
    assert!(leaves.len() > 40 && leaves.contains("21110712"));
    let unknown = get("999");
    assert_eq!(unknown["result"]["success"], false);
    assert_eq!(unknown["result"]["msg_code"], "BUSINESS_CATEGORY_NOT_EXIST");
    let top = payload(&world, "alibaba", "alibaba.icbu.category.get.new", &[("cat_id", "0")]);
    assert!(top["category"]["child_ids"].is_array());

    let map = |kind: &str, name: &str, id: &str| {
        payload(&world, "alibaba", "/alibaba/icbu/category/id/mapping", &[("convert_type", kind), (name, id)])
    };
    assert_eq!(map("1", "cat_id", "1110712")["result"]["mapping_result"], 21_110_712);
    assert_eq!(map("1", "cat_id", "21110712")["result"]["mapping_result"], 21_110_712);
    assert_eq!(map("2", "attribute_id", "800000010")["result"]["mapping_result"], 10);
    assert_eq!(map("3", "attribute_value_id", "900000101")["result"]["mapping_result"], 101);
    assert_eq!(map("1", "cat_id", "5")["result"]["success"], false);
    let api = "/alibaba/icbu/category/id/mapping";
    assert_eq!(refused(&world, "alibaba", api, &[("convert_type", "4")]), "InvalidParameter");
}

#[test]
fn groups_and_photos_hang_together() {
    let world = world();
    let get = |id: &str| payload(&world, "alibaba", "/alibaba/icbu/product/group/get", &[("group_id", id)]);
    let top = get("-1");
    let mut open: Vec<String> =
        list(&top, "/result/product_group/children_id_list").iter().map(Value::to_string).collect();
    assert!(open.len() >= 4);
    let mut known = HashSet::new();
    while let Some(id) = open.pop() {
        let group = get(&id);
        assert_eq!(group["result"]["product_group"]["group_id"].to_string(), id);
        open.extend(list(&group, "/result/product_group/children_id_list").iter().map(Value::to_string));
        assert!(known.insert(id));
    }
    let products = payload(&world, "alibaba", "/alibaba/icbu/product/list", &[("page_size", "30")]);
    for product in list(&products, "/result/products") {
        let group = product["group_id"].to_string();
        assert!(group == "0" || known.contains(&group), "{group}");
    }
    assert_eq!(get("5")["result"]["success"], false);

    let albums = payload(&world, "alibaba", "/icbu/product/photobank/group/list", &[]);
    let mut photos = 0;
    let mut open: Vec<String> =
        list(&albums, "/result/groups").iter().map(|group| group["id"].to_string()).collect();
    while let Some(id) = open.pop() {
        let args = [("groupId", id.as_str()), ("currentPage", "1"), ("pageSize", "100")];
        let inside = payload(&world, "alibaba", "/icbu/product/photobank/list", &args);
        photos += list(&inside, "/result/pagination_query_list/list").len();
        let below = payload(&world, "alibaba", "/icbu/product/photobank/group/list", &[("id", &id)]);
        open.extend(list(&below, "/result/groups").iter().map(|group| group["id"].to_string()));
    }
    assert_eq!(photos, 60);
}

#[test]
fn icbu_orders_keep_the_documented_limits() {
    let world = world();
    let get = |args: &[(&str, &str)]| payload(&world, "alibaba", "/alibaba/order/list", args);
    let all = get(&[("role", "seller")]);
    assert_eq!(all["value"]["total_count"], "180");
    assert_eq!(list(&all, "/value/order_list").len(), 10);
    assert_eq!(list(&get(&[("role", "seller"), ("page_size", "500")]), "/value/order_list").len(), 100);
    assert_eq!(get(&[])["value"]["total_count"], "0", "these shops buy nothing");
    let order = &list(&all, "/value/order_list")[4];
    let at = order["create_date"]["timestamp"].as_i64().unwrap();
    let from = json!({"date_timestamp": at}).to_string();
    assert_eq!(get(&[("role", "seller"), ("create_date_start", &from)])["value"]["total_count"], "5");
    let spoken = order["create_date"]["format_date"].as_str().unwrap();
    assert!(spoken.ends_with(" PST.") || spoken.ends_with(" PDT."), "{spoken}");
    for status in ["unpay", "trade_success"] {
        let some = get(&[("role", "seller"), ("status", status)]);
        assert!(list(&some, "/value/order_list").iter().all(|order| order["trade_status"] == status));
    }
    assert_eq!(refused(&world, "alibaba", "/alibaba/order/list", &[("role", "king")]), "InvalidParameter");
}

#[test]
fn clocks_tell_the_time_of_the_call() {
    let world = Fixtures::generate(1, 0, 0);
    let call = |platform, api| ask_as(&world, None, platform, api, &[]).unwrap();
    assert_eq!(call("1688", "system:currentTime"), json!("20261121120506789+0800"));
    assert_eq!(call("1688", "system:currentTimeMillis"), json!(1_795_233_906_789_u64));
    assert_eq!(call("taobao", "taobao.time.get"), json!({"time": "2026-11-21 12:05:06"}));
}

#[test]
fn titles_hold_what_breaks_careless_readers() {
    let world = world();
    let mut titles = Vec::new();
    for page in ["1", "2"] {
        let args = [("current_page", page), ("page_size", "30")];
        let reply = payload(&world, "alibaba", "/alibaba/icbu/product/list", &args);
        for row in list(&reply, "/result/products") {
            titles.push(row["subject"].as_str().unwrap().to_owned());
        }
    }
    for what in ["\"", "\\", "&", "🎁", "𠮷"] {
        let chinese = payload(
            &world,
            "taobao",
            "taobao.items.onsale.get",
            &[("fields", "title"), ("page_size", "200")],
        );
        let found = titles.iter().any(|title| title.contains(what)) || chinese.to_string().contains(what);
        assert!(found, "no {what} in any title");
    }
}

#[test]
fn the_seed_decides_everything() {
    let bytes = |seed| {
        let world = Fixtures::generate(seed, 1, 30);
        let mut all: Vec<_> =
            WALKS.iter().map(|walk| ask(&world, walk.platform, walk.api, walk.args)).collect();
        all.push(ask(&world, "alibaba", "/icbu/product/photobank/group/list", &[]));
        (world.shops().to_vec(), all)
    };
    let one = bytes(42);
    assert_eq!(one, bytes(42));
    let other = bytes(43);
    for (place, shop) in one.0.iter().enumerate() {
        assert_ne!(shop.id, other.0[place].id);
    }
    for (place, answer) in one.1.iter().enumerate() {
        assert_ne!(*answer, other.1[place], "{place}");
    }
}

#[test]
fn every_platform_has_its_shops() {
    let world = Fixtures::generate(SEED, 3, 1);
    for platform in PLATFORMS {
        assert_eq!(world.shops().iter().filter(|shop| shop.platform == platform).count(), 3);
    }
    assert!(Fixtures::generate(SEED, 0, 10).shops().is_empty());
    // A shop without products answers all the same.
    let empty = Fixtures::generate(SEED, 1, 0);
    for walk in WALKS {
        let reply = payload(&empty, walk.platform, walk.api, walk.args);
        assert!(list(&reply, walk.items).is_empty(), "{}", walk.api);
        assert_eq!(number(&reply, walk.total), 0);
    }
}
