//! Taobao: items are read in the fields asked for, and what is written of them is read back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::seller::{Seller, ids, rows};

const ON_SALE: &str = "taobao.items.onsale.get";
const WAREHOUSE: &str = "taobao.items.inventory.get";
const ITEM: &str = "taobao.item.seller.get";
const SKUS: &str = "taobao.skus.quantity.update";
const QUANTITY: &str = "taobao.item.quantity.update";
const PRICE: &str = "tmall.item.price.update";

#[tokio::test]
async fn every_item_is_on_sale_or_in_the_warehouse() {
    let seller = Seller::of("taobao").await;
    let list = async |api: &str, more: &[(&str, &str)]| {
        let mut args = vec![("fields", "num_iid,approve_status"), ("page_size", "200")];
        args.extend_from_slice(more);
        let reply = seller.get(api, &args).await;
        let ids = ids(&reply, "/items", "num_iid");
        assert_eq!(reply["total_results"], ids.len());
        ids.into_iter().collect::<BTreeSet<u64>>()
    };
    let mut books: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for product in seller.products().await {
        let status = product["status"].as_str().unwrap().to_owned();
        books.entry(status).or_default().insert(product["id"].as_u64().unwrap());
    }
    let (on_sale, stored) = (list(ON_SALE, &[]).await, list(WAREHOUSE, &[]).await);
    assert_eq!(on_sale, books["selling"]);
    assert_eq!(
        stored,
        [&books["offline"], &books["under-review"], &books["rejected"]]
            .into_iter()
            .flatten()
            .copied()
            .collect()
    );
    let banner = async |word: &str| list(WAREHOUSE, &[("banner", word)]).await;
    assert_eq!(banner("off_shelf").await, books["offline"]);
    assert_eq!(banner("violation_off_shelf").await, books["rejected"]);
    assert_eq!(banner("for_shelved").await.len(), stored.len() - books["rejected"].len());
    for (args, code) in [
        (&[("page_no", "102")][..], "isv.invalid-parameter:page_no"),
        (&[("page_size", "201")], "isv.invalid-parameter:page_size"),
        (&[("banner", "unsold")], "isv.invalid-parameter:banner"),
        (&[("order_by", "color")], "isv.invalid-parameter:order_by"),
    ] {
        let args = [&[("fields", "num_iid")], args].concat();
        assert_eq!(seller.refusal(WAREHOUSE, &args).await, code);
    }
    assert_eq!(seller.refusal(WAREHOUSE, &[]).await, "isv.missing-parameter:fields");
    assert_eq!(seller.refusal(WAREHOUSE, &[("fields", "color")]).await, "isv.invalid-parameter:fields");
}

#[tokio::test]
async fn items_and_skus_are_found_by_id_and_by_code_in_the_fields_asked_for() {
    let seller = Seller::of("taobao").await;
    let (three, one) = (&seller.skus(3).await[0], &seller.skus(1).await[0]);
    let (item, single) = (three[0].product.to_string(), one[0].product.to_string());
    let list = async |fields: &str, ids: &str| {
        let reply =
            seller.get("taobao.items.seller.list.get", &[("fields", fields), ("num_iids", ids)]).await;
        rows(&reply, "/items").to_vec()
    };
    let both = list("num_iid,num,outer_id,with_hold_quantity,skus", &format!("{item},{single},5")).await;
    assert_eq!(both.len(), 2, "an unknown one is left out");
    assert_eq!(
        both[1],
        json!({"num_iid": one[0].product, "num": one[0].stock, "outer_id": one[0].code, "with_hold_quantity": one[0].reserved, "skus": []})
    );
    let skus: Vec<(u64, u64, u64)> = rows(&both[0], "/skus")
        .iter()
        .map(|sku| {
            ["sku_id", "quantity", "with_hold_quantity"].map(|name| sku[name].as_u64().unwrap()).into()
        })
        .collect();
    assert_eq!(skus, three.iter().map(|sku| (sku.id, sku.stock, sku.reserved)).collect::<Vec<_>>());
    assert_eq!(both[0]["num"], three.iter().map(|sku| sku.stock).sum::<u64>());
    let part = list("skus.sku_id,skus.price", &item).await;
    assert_eq!(
        part[0],
        json!({"skus": three.iter().map(|sku| json!({"sku_id": sku.id, "price": format!("{:.2}", sku.price)})).collect::<Vec<_>>()})
    );
    assert_eq!(list("title", &single).await[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["title"]);
    let many = vec!["1"; 21].join(",");
    let refused =
        seller.refusal("taobao.items.seller.list.get", &[("fields", "title"), ("num_iids", &many)]).await;
    assert_eq!(refused, "isv.invalid-parameter:num_iids");

    // A code is that of a SKU, or of an item.
    let by = async |api: &str, fields: &str, code: &str| {
        let reply = seller.get(api, &[("fields", fields), ("outer_id", code)]).await;
        reply.as_object().unwrap().values().find(|value| value.is_array()).unwrap().clone()
    };
    let (of_skus, of_items) = ("taobao.skus.custom.get", "taobao.items.custom.get");
    assert_eq!(
        by(of_skus, "sku_id,num_iid", &three[1].code).await,
        json!([{"sku_id": three[1].id, "num_iid": three[1].product}])
    );
    assert_eq!(by(of_items, "num_iid", &three[1].code).await, json!([]));
    assert_eq!(by(of_skus, "sku_id", &one[0].code).await, json!([]));
    assert_eq!(by(of_items, "num_iid", &one[0].code).await, json!([{"num_iid": one[0].product}]));
    assert_eq!(
        by(of_items, "num_iid", three[0].code.rsplit_once('-').unwrap().0).await,
        json!([{"num_iid": three[0].product}])
    );
    let skus = seller
        .get("taobao.item.skus.get", &[("fields", "sku_id"), ("num_iids", &format!("{item},{single}"))])
        .await;
    assert_eq!(ids(&skus, "/skus", "sku_id"), three.iter().map(|sku| sku.id).collect::<Vec<_>>());
    let sku = async |item: &str, sku: &str| {
        let args = [("fields", "outer_id,status"), ("sku_id", sku), ("num_iid", item)];
        seller.call("taobao.item.sku.get", &args).await.json()["sku"].clone()
    };
    assert_eq!(
        sku(&item, &three[2].id.to_string()).await,
        json!({"outer_id": three[2].code, "status": "normal"})
    );
    assert_eq!(sku(&single, &three[2].id.to_string()).await, Json::Null);
    let one = seller.get(ITEM, &[("fields", "num_iid"), ("num_iid", &item)]).await;
    assert_eq!(one, json!({"item": {"num_iid": three[0].product}, "request_id": one["request_id"]}));
    assert_eq!(seller.refusal(ITEM, &[("fields", "num_iid"), ("num_iid", "5")]).await, "isv.item-not-exist");
}

#[tokio::test]
async fn stock_is_set_and_changed_of_all_skus_of_a_call_or_none() {
    let seller = Seller::of("taobao").await;
    let (skus, single) = (&seller.skus(2).await[0], &seller.skus(1).await[0][0]);
    let item = skus[0].product.to_string();
    let order = seller.order(&[(&skus[1], 7)], true).await;
    let held = skus[1].reserved + 7;
    let now = async || (seller.sku(&skus[0]).await.stock, seller.sku(&skus[1]).await.stock);
    let set = async |kind: &str, pairs: &str| {
        seller.get(SKUS, &[("num_iid", &*item), ("skuid_quantities", pairs), ("type", kind)]).await["item"]
            .clone()
    };
    let (a, b) = (skus[0].id, skus[1].id);
    let reply = set("1", &format!("{a}:50;{b}:60")).await;
    assert_eq!(reply["num"], 110);
    assert_eq!(rows(&reply, "/skus").iter().map(|sku| sku["quantity"].clone()).collect::<Vec<_>>(), [50, 60]);
    set("2", &format!("{a}:5;{b}:-3;")).await;
    assert_eq!(now().await, (55, 57));
    let codes = format!("{}:40", skus[0].code);
    seller.get(SKUS, &[("num_iid", &*item), ("outerid_quantities", &codes)]).await;
    assert_eq!(now().await, (40, 57));

    let many = "9:1;".repeat(21);
    let (too_low, too_much) = (format!("{a}:9;{b}:{}", held - 1), format!("{a}:9;{b}:-{}", 57 - held + 1));
    for (kind, pairs, code) in [
        ("1", &*too_low, "isv.item-update-service-rejection"),
        ("2", &*too_much, "isv.item-update-service-rejection"),
        ("1", &format!("{a}:9;5:9"), "isv.invalid-parameter:skuid_quantities"),
        ("1", &format!("{a}:9;{}:9", single.id), "isv.invalid-parameter:skuid_quantities"),
        ("1", &format!("{a}:9;{a}:8"), "isv.invalid-parameter:skuid_quantities"),
        ("1", &format!("{a}:-1"), "isv.invalid-parameter:skuid_quantities"),
        ("1", &format!("{a}:1.5"), "isv.invalid-parameter:skuid_quantities"),
        ("1", &format!("{a}"), "isv.invalid-parameter:skuid_quantities"),
        ("1", ";", "isv.invalid-parameter:skuid_quantities"),
        ("1", &many, "isv.invalid-parameter:skuid_quantities"),
        ("1", "", "isv.missing-parameter:skuid_quantities"),
        ("3", &format!("{a}:9"), "isv.invalid-parameter:type"),
    ] {
        let args = [("num_iid", &*item), ("skuid_quantities", pairs), ("type", kind)];
        assert_eq!(seller.refusal(SKUS, &args).await, code, "{pairs}");
        assert_eq!(now().await, (40, 57), "{pairs}");
    }
    let pairs = format!("{a}:1");
    let unknown = [("num_iid", "5"), ("skuid_quantities", &*pairs)];
    assert_eq!(seller.refusal(SKUS, &unknown).await, "isv.item-not-exist");
    seller.step("orders", json!({"do": "cancel", "order": order["id"]})).await;
    set("1", &format!("{b}:{}", held - 7)).await;
}

#[tokio::test]
async fn the_stock_of_one_sku_or_of_an_item_without_skus_is_set() {
    let seller = Seller::of("taobao").await;
    let (skus, single) = (&seller.skus(2).await[0], &seller.skus(1).await[0][0]);
    let change = async |item: u64, more: &[(&str, &str)]| {
        let item = item.to_string();
        let answer = seller.call(QUANTITY, &[&[("num_iid", &*item)], more].concat()).await.json();
        let code = &answer["error_response"]["sub_code"];
        code.as_str().map_or_else(|| answer["item"]["num"].clone(), Json::from)
    };
    let sku = skus[0].id.to_string();
    let rest = skus[1].stock;
    assert_eq!(change(single.product, &[("quantity", "70")]).await, 70);
    assert_eq!(change(single.product, &[("quantity", "-5"), ("type", "2")]).await, 65);
    assert_eq!(change(skus[0].product, &[("quantity", "30"), ("sku_id", &sku)]).await, 30 + rest);
    assert_eq!(
        change(skus[0].product, &[("quantity", "4"), ("outer_id", &skus[0].code), ("type", "2")]).await,
        34 + rest
    );
    for (item, more, code) in [
        (skus[0].product, &[("quantity", "1")][..], "isv.missing-parameter:sku_id"),
        (skus[0].product, &[("quantity", "1"), ("sku_id", "5")], "isv.invalid-parameter:sku_id"),
        (skus[0].product, &[("quantity", "1"), ("outer_id", "X")], "isv.invalid-parameter:outer_id"),
        (single.product, &[("quantity", "1"), ("sku_id", &sku)], "isv.invalid-parameter:sku_id"),
        (single.product, &[("quantity", "-1")], "isv.invalid-parameter:quantity"),
        (single.product, &[("quantity", "-66"), ("type", "2")], "isv.item-update-service-rejection"),
        (single.product, &[("quantity", "99999999999")], "isv.invalid-parameter:quantity"),
        (5, &[("quantity", "1")], "isv.item-not-exist"),
    ] {
        assert_eq!(change(item, more).await, code, "{more:?}");
    }
    assert_eq!((seller.sku(single).await.stock, seller.sku(&skus[0]).await.stock), (65, 34));
}

#[tokio::test]
async fn the_price_of_an_item_lies_within_those_of_its_skus() {
    let seller = Seller::of("taobao").await;
    let (skus, single) = (&seller.skus(2).await[0], &seller.skus(1).await[0][0]);
    let set = async |item: u64, price: &str, skus: &Json| {
        let (item, skus) = (item.to_string(), skus.to_string());
        let answer =
            seller.call(PRICE, &[("item_id", &item), ("item_price", price), ("sku_prices", &skus)]).await;
        let json = answer.json();
        let code = &json["error_response"]["sub_code"];
        code.as_str().map_or_else(|| json["price_update_result"].clone(), Json::from)
    };
    let item = skus[0].product;
    let prices = async || (seller.sku(&skus[0]).await.price, seller.sku(&skus[1]).await.price);
    let both = json!([{"sku_id": skus[0].id, "price": "10.50"}, {"outer_id": skus[1].code, "price": "20"}]);
    assert_eq!(set(item, "", &both).await, item.to_string());
    assert_eq!(prices().await, (10.5, 20.0));
    assert_eq!(set(item, "15.25", &json!([])).await, item.to_string());
    assert_eq!(set(single.product, "7.77", &json!([])).await, single.product.to_string());
    assert_eq!(json!(seller.sku(single).await.price), json!(7.77));
    let (in_item, in_skus) = ("isv.invalid-parameter:item_price", "isv.invalid-parameter:sku_prices");
    for (item, price, skus, code) in [
        (item, "20.01", json!([]), in_item),
        (item, "15", json!([{"sku_id": skus[0].id, "price": "16"}]), in_item),
        (item, "1.234", json!([]), in_item),
        (single.product, "0", json!([]), in_item),
        (item, "", json!([{"sku_id": 5, "price": "1"}]), in_skus),
        (item, "", json!([{"sku_id": skus[0].id, "outer_id": skus[1].code, "price": "1"}]), in_skus),
        (
            item,
            "",
            json!([{"sku_id": skus[0].id, "price": "1"}, {"sku_id": skus[1].id, "price": "0.001"}]),
            in_skus,
        ),
        (item, "", json!([{"sku_id": skus[0].id}]), in_skus),
        (single.product, "", json!([{"sku_id": single.id, "price": "1"}]), in_skus),
        (item, "", json!([]), "isv.missing-parameter:item_price"),
        (5, "1", json!([]), "isv.item-not-exist"),
    ] {
        assert_eq!(set(item, price, &skus).await, code, "{price} {skus}");
    }
    assert_eq!((prices().await, seller.sku(single).await.price), ((10.5, 20.0), 7.77), "nothing was changed");
    let both = json!([{"properties": "1:2", "price": "1"}]);
    assert_eq!(set(item, "", &both).await, in_skus);
}

#[tokio::test]
async fn items_are_listed_delisted_and_deleted() {
    let seller = Seller::of("taobao").await;
    let (skus, single) = (&seller.skus(2).await[0], &seller.skus(1).await[0][0]);
    let call = async |word: &str, item: u64, num: &str| {
        let item = item.to_string();
        let answer =
            seller.call(&format!("taobao.item.{word}"), &[("num_iid", &*item), ("num", num)]).await.json();
        answer["error_response"]["sub_code"].as_str().unwrap_or("done").to_owned()
    };
    let (list, delist) = ("update.listing", "update.delisting");
    let status = async |item: u64| seller.book("products", item).await["status"].clone();
    for item in [skus[0].product, single.product] {
        assert_eq!(call(delist, item, "").await, "done");
        assert_eq!(call(delist, item, "").await, "done", "again");
        assert_eq!(status(item).await, "offline");
        assert_eq!(call(list, item, "88").await, "done");
        assert_eq!(status(item).await, "selling");
    }
    assert_eq!((seller.sku(single).await.stock, seller.sku(&skus[0]).await.stock), (88, skus[0].stock));
    seller.order(&[(single, 3)], true).await;
    call(delist, single.product, "").await;
    let below = (single.reserved + 2).to_string();
    assert_eq!(call(list, single.product, &below).await, "isv.item-update-service-rejection");
    assert_eq!(call(list, single.product, "0").await, "isv.invalid-parameter:num");
    assert_eq!(call(list, single.product, "").await, "isv.missing-parameter:num");
    assert_eq!(status(single.product).await, "offline");
    seller.step("products", json!({"do": "change", "product": single.product, "status": "rejected"})).await;
    assert_eq!(call(list, single.product, "50").await, "isv.item-listing-service-rejection");
    assert_eq!(call(delist, single.product, "").await, "done");
    assert_eq!(status(single.product).await, "rejected", "it was not on sale");

    assert_eq!(call("delete", single.product, "").await, "done");
    for word in ["delete", list, delist] {
        assert_eq!(call(word, single.product, "5").await, "isv.item-not-exist", "{word}");
    }
    let gone = [("fields", "num_iid"), ("num_iid", &*single.product.to_string())];
    assert_eq!(seller.refusal(ITEM, &gone).await, "isv.item-not-exist");
}
