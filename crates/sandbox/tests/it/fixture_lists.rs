//! Lists of AliExpress, Lazada and its siblings, and Taobao: filters, fields, codes.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use sesame_sandbox::fixtures::Fixtures;

use crate::fixture_support::{ask, list, number, payload, refused};

fn world() -> Fixtures {
    Fixtures::generate(7, 2, 60)
}

#[test]
fn legacy_lists_and_pages_of_products_agree() {
    let world = world();
    let (platform, api) = ("aliexpress-legacy", "aliexpress.open:api.findProductInfoListQuery");
    let mut total = 0;
    for status in ["onSelling", "offline", "auditing", "editingRequired"] {
        let reply = payload(&world, platform, api, &[("productStatusType", status), ("pageSize", "500")]);
        let rows = list(&reply, "/aeopAEProductDisplayDTOList");
        total += rows.len();
        assert_eq!(reply["productCount"], rows.len());
        for row in rows {
            let id = row["productId"].to_string();
            let page =
                payload(&world, platform, "aliexpress.open:api.findAeProductById", &[("productId", &id)]);
            assert_eq!(page["productStatusType"], status);
            for same in ["subject", "gmtModified", "wsOfflineDate", "imageURLs", "groupId"] {
                assert_eq!(page[same], row[same], "{same}");
            }
            let at = page["gmtCreate"].as_str().unwrap();
            assert!(at.len() == 22 && (at.ends_with("-0800") || at.ends_with("-0700")), "{at}");
            sesame_core::time::parse_compact(at).unwrap();
        }
    }
    assert_eq!(total, 60);
    let missing = payload(&world, platform, "aliexpress.open:api.findAeProductById", &[("productId", "1")]);
    assert_eq!(missing["success"], false);
    assert_eq!(refused(&world, platform, api, &[]), "gw.ParamMissing");

    let top =
        payload(&world, platform, "aliexpress.open:api.getChildrenPostCategoryById", &[("cateId", "0")]);
    let first = &list(&top, "/aeopPostCategoryList")[0];
    assert_eq!(
        (&first["id"], &first["level"], &first["names"]["zh"]),
        (&json!(3), &json!(1), &json!("服装"))
    );
    let below =
        payload(&world, platform, "aliexpress.open:api.getChildrenPostCategoryById", &[("cateId", "3")]);
    assert!(list(&below, "/aeopPostCategoryList").iter().all(|category| category["level"] == 2));
}

#[test]
fn solution_lists_are_narrowed_by_a_query() {
    let world = world();
    let (platform, api) = ("aliexpress", "aliexpress.solution.product.list.get");
    let query = r#"{"product_status_type":"onSelling","page_size":"10","current_page":1}"#;
    let args = [("aeop_a_e_product_list_query", query)];
    let first = payload(&world, platform, api, &args);
    let list_a = list(&first, "/result/aeop_a_e_product_display_d_t_o_list");
    assert_eq!(list_a.len(), 10);
    assert_eq!(first["result"]["success"], true);
    assert_eq!(number(&first, "/result/total_page"), number(&first, "/result/product_count").div_ceil(10));
    let mut ids = HashSet::new();
    for page in 1..=number(&first, "/result/total_page") {
        let query =
            json!({"product_status_type": "onSelling", "page_size": 10, "current_page": page}).to_string();
        let reply = payload(&world, platform, api, &[("aeop_a_e_product_list_query", &query)]);
        for row in list(&reply, "/result/aeop_a_e_product_display_d_t_o_list") {
            assert!(ids.insert(row["product_id"].to_string()));
        }
    }
    assert_eq!(ids.len(), number(&first, "/result/product_count"));
    let narrowed = json!({"product_status_type": "onSelling", "excepted_product_ids": [list_a[0]["product_id"]],
        "gmt_modified_start": "2020-01-01", "gmt_modified_end": "2030-01-01"});
    let reply = payload(&world, platform, api, &[("aeop_a_e_product_list_query", &narrowed.to_string())]);
    assert_eq!(number(&reply, "/result/product_count"), ids.len() - 1);
    let business = payload(&world, platform, api, &[("aeop_a_e_product_list_query", "{}")]);
    assert_eq!(business["result"]["success"], false);
    let beside = payload(&world, platform, api, &[("page_size", "5")]);
    assert_eq!(list(&beside, "/result/aeop_a_e_product_display_d_t_o_list"), &list_a[..5]);
    assert_eq!(refused(&world, platform, api, &[("aeop_a_e_product_list_query", "[1")]), "InvalidParameter");
}

#[test]
fn lazada_speaks_its_documented_codes() {
    let world = world();
    for platform in ["lazada", "daraz", "miravia"] {
        for (api, args, code) in [
            ("/products/get", ("limit", "51"), "19"),
            ("/products/get", ("limit", "0"), "19"),
            ("/products/get", ("offset", "10001"), "14"),
            ("/products/get", ("offset", "-1"), "14"),
            ("/products/get", ("update_after", "yesterday"), "17"),
            ("/products/get", ("filter", "shiny"), "36"),
            ("/products/get", ("sku_seller_list", "A,B"), "70"),
            ("/orders/get", ("limit", "101"), "19"),
            ("/orders/get", ("status", "pending"), "17"),
        ] {
            assert_eq!(refused(&world, platform, api, &[args]), code, "{platform} {api} {args:?}");
        }
        for (name, value, code) in
            [("sort_by", "price", "75"), ("sort_direction", "UP", "74"), ("status", "lost?", "36")]
        {
            let args = [("created_after", "2026-01-01T00:00:00+0800"), (name, value)];
            assert_eq!(refused(&world, platform, "/orders/get", &args), code);
        }
        let tree = payload(&world, platform, "/category/tree/get", &[]);
        let mut ids = HashSet::new();
        let mut open: Vec<&Value> = list(&tree, "/data").iter().collect();
        while let Some(node) = open.pop() {
            assert!(ids.insert(node["category_id"].to_string()));
            let children = node["children"].as_array();
            assert_eq!(children.is_none(), node["leaf"] == true);
            open.extend(children.into_iter().flatten());
        }
        let products = payload(&world, platform, "/products/get", &[("limit", "50")]);
        for product in list(&products, "/data/products") {
            assert!(ids.contains(&product["primary_category"].to_string()));
        }
    }
}

#[test]
fn lazada_can_be_walked_by_update_time() {
    let world = world();
    let mut after = "2000-01-01T00:00:00Z".to_owned();
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let args = [("update_after", after.as_str()), ("limit", "10")];
        let reply = payload(&world, "lazada", "/products/get", &args);
        let rows = list(&reply, "/data/products");
        seen.extend(rows.iter().map(|row| row["item_id"].to_string()));
        let last: i64 = rows.last().unwrap()["updated_time"].as_str().unwrap().parse().unwrap();
        let next = Timestamp::from_millisecond(last).unwrap().to_string();
        if next == after {
            break;
        }
        after = next;
    }
    assert_eq!(seen.len(), 60);
}

#[test]
fn taobao_sends_the_fields_that_are_asked_for() {
    let world = world();
    let api = "taobao.items.onsale.get";
    let args = [("fields", "price, num_iid ,title,nothing"), ("page_size", "3")];
    let reply = payload(&world, "taobao", api, &args);
    for item in list(&reply, "/items") {
        let names: Vec<&String> = item.as_object().unwrap().keys().collect();
        assert_eq!(names, ["num_iid", "title", "price"]);
    }
    let all = "approve_status,iid,num_iid,title,nick,type,cid,seller_cids,pic_url,num,props,valid_thru,list_time,\
        price,has_discount,has_invoice,has_warranty,has_showcase,modified,delist_time,postage_id,outer_id,is_ex,\
        is_virtual,is_taobao,sold_quantity,is_cspu,first_starts_time";
    let whole = payload(&world, "taobao", api, &[("fields", all), ("page_size", "200")]);
    for item in list(&whole, "/items") {
        assert_eq!(item.as_object().unwrap().len(), 28);
    }
    // Every field alone is what it is in the whole item.
    for field in all.split(',').map(str::trim) {
        let one = payload(&world, "taobao", api, &[("fields", field), ("page_size", "200")]);
        for (item, whole) in list(&one, "/items").iter().zip(list(&whole, "/items")) {
            assert_eq!(item, &json!({field: whole[field]}));
        }
    }
    for (args, code, sub_code) in [
        (vec![], "40", "isv.missing-parameter:fields"),
        (vec![("fields", "nothing")], "41", "isv.invalid-parameter:fields"),
        (vec![("fields", "title"), ("page_size", "201")], "41", "isv.invalid-parameter:page_size"),
        (
            vec![("fields", "title"), ("page_no", "101"), ("page_size", "200")],
            "41",
            "isv.invalid-parameter:page_no",
        ),
        (vec![("fields", "title"), ("order_by", "beauty:asc")], "41", "isv.invalid-parameter:order_by"),
    ] {
        let error = ask(&world, "taobao", api, &args).unwrap_err();
        assert_eq!((error.code.as_ref(), error.sub_code.as_deref()), (code, Some(sub_code)));
    }
}
