//! Stock, prices and states of Lazada's products: written, read back, refused in its codes.

use serde_json::{Value as Json, json};

use crate::{agreement::Shop, support::Answer};

/// The product and the SKU that the catalog's examples name, in the first shop.
const ITEM: u64 = 2_512_345_678;
const SKU: u64 = 11_012_345_678;
const PRICES: &str = "/product/price_quantity/update";
const SET: &str = "/product/stock/sellable/update";
const ADJUST: &str = "/product/stock/sellable/adjust";

fn payload(rows: &[Json]) -> String {
    json!({"Request": {"Product": {"Skus": {"Sku": rows}}}}).to_string()
}

fn row(members: Json) -> Json {
    let mut row = json!({"ItemId": ITEM, "SkuId": SKU});
    let Json::Object(members) = members else { panic!("members of a row: {members}") };
    row.as_object_mut().unwrap().extend(members);
    row
}

async fn write(shop: &Shop, api: &str, members: Json) -> Answer {
    shop.call(api, &[("payload", &payload(&[row(members)]))]).await
}

/// The first SKU of a product, as its page has it.
async fn sku(shop: &Shop, item: u64) -> Json {
    let answer = shop.call("/product/item/get", &[("item_id", &item.to_string())]).await.json();
    answer["data"]["skus"][0].clone()
}

#[tokio::test]
async fn what_is_written_is_read_back_in_both_forms() {
    let shop = Shop::of("lazada").await;
    let xml = format!(
        "<?xml version=\"1.0\"?><Request><Product><Skus><Sku><ItemId>{ITEM}</ItemId><SkuId>{SKU}</SkuId><Quantity>7</Quantity>\
         <Price>19.90</Price><SalePrice>17.9</SalePrice><SaleStartDate>2026-11-01</SaleStartDate><SaleEndDate>2026-12-31</SaleEndDate></Sku></Skus></Product></Request>"
    );
    let answer = shop.call(PRICES, &[("payload", &xml)]).await;
    assert_eq!(
        (answer.json()["data"].clone(), answer.header("x-sandbox-source")),
        (json!({}), Some("world"))
    );
    let read = sku(&shop, ITEM).await;
    for (name, value) in [
        ("quantity", json!(7)),
        ("Available", json!(7)),
        ("price", json!(19.9)),
        ("special_price", json!(17.9)),
        ("special_from_date", json!("2026-11-01 00:00")),
        ("special_to_date", json!("2026-12-31 23:59")),
    ] {
        assert_eq!(read[name], value, "{name}");
    }
    // The other form, named by the seller's code too; the rest stays.
    write(&shop, PRICES, json!({"Quantity": "9"})).await;
    let after = sku(&shop, ITEM).await;
    assert_eq!(
        (&after["quantity"], &after["price"], &after["special_price"]),
        (&json!(9), &json!(19.9), &json!(17.9))
    );
    // A change is the last one of the list by update time, at the time of the call.
    let list =
        shop.call("/products/get", &[("update_after", "2026-11-21T00:00:00Z"), ("limit", "50")]).await.json();
    let products = list["data"]["products"].as_array().unwrap();
    assert_eq!((products.len(), &products[0]["item_id"]), (1, &json!(ITEM)));
    assert_eq!(products[0]["updated_time"], "1795264332000");
    let found = shop.call("/products/get", &[("sku_seller_list", r#"["TSHIRT-BLACK-M"]"#)]).await.json();
    assert_eq!(
        (&found["data"]["total_products"], &found["data"]["products"][0]["item_id"]),
        (&json!(1), &json!(ITEM))
    );
}

#[tokio::test]
async fn each_rule_has_its_code_and_changes_nothing() {
    let shop = Shop::of("lazada").await;
    let hold = json!({"do": "create", "lines": [{"product": ITEM, "sku": SKU, "quantity": 5}]});
    write(&shop, PRICES, json!({"Quantity": 100, "Price": "20.00"})).await;
    shop.bench.control("POST", "orders?platform=lazada", &hold).await;
    let before = sku(&shop, ITEM).await;
    assert_eq!((&before["quantity"], &before["Available"]), (&json!(100), &json!(95)));
    for (api, members, code) in [
        (PRICES, json!({"Price": "19.999"}), "4104"),
        (PRICES, json!({"SalePrice": "19.999"}), "4121"),
        (PRICES, json!({"Price": "0"}), "4118"),
        (PRICES, json!({"Price": "-1"}), "4118"),
        (PRICES, json!({"SalePrice": "20.00"}), "4119"),
        (PRICES, json!({"Price": "99999999999"}), "4104"),
        (
            PRICES,
            json!({"Price": "9.00", "SaleStartDate": "2026-12-02", "SaleEndDate": "2026-12-01"}),
            "4117",
        ),
        (PRICES, json!({"Quantity": 4}), "4152"),
        (PRICES, json!({"SkuId": 1}), "4136"),
        (PRICES, json!({"ItemId": 1}), "4137"),
        (
            PRICES,
            json!({"MultiWarehouseInventories": {"MultiWarehouseInventory": [{"WarehouseCode": "moon", "Quantity": 9}]}}),
            "501",
        ),
        (ADJUST, json!({"SellableQuantity": -96}), "212"),
        (SET, json!({"SkuId": 1, "SellableQuantity": 1}), "4136"),
    ] {
        let answer = write(&shop, api, members.clone()).await;
        let refused = answer.json();
        assert_eq!(answer.code(), code, "{members}: {refused}");
        assert_eq!(refused["detail"][0]["code"], code, "{refused}");
        assert_eq!(sku(&shop, ITEM).await, before, "{members}");
    }
    // What no SKU can have is refused by the gateway or the service, whatever else is right.
    for members in [
        json!({"Quantity": -1}),
        json!({"Quantity": "1.5"}),
        json!({"Quantity": "many"}),
        json!({"Price": "abc"}),
    ] {
        assert_ne!(write(&shop, PRICES, members.clone()).await.code(), "0", "{members}");
    }
    for (text, code) in [
        ("<Request><Product>", "5"),
        ("{\"Request\":", "5"),
        ("hello", "5"),
        ("<Product></Product>", "5"),
        ("{\"Product\":{}}", "5"),
        ("<Request/>", "30"),
        ("<Request><Product></Product></Request>", "30"),
        ("", "MissingParameter"),
    ] {
        assert_eq!(shop.call(PRICES, &[("payload", text)]).await.code(), code, "{text}");
    }
    assert_eq!(sku(&shop, ITEM).await, before);
    for (api, code) in [(PRICES, "4171"), (SET, "204"), (ADJUST, "204")] {
        let rows = vec![row(json!({"Quantity": 50, "SellableQuantity": 50})); 51];
        assert_eq!(shop.call(api, &[("payload", &payload(&rows))]).await.code(), code);
        let answer = shop.call(api, &[("payload", &payload(&rows[..50]))]).await;
        assert_eq!(answer.code(), "0", "{}", answer.text());
    }
}

#[tokio::test]
async fn sellable_stock_is_what_open_orders_leave() {
    let shop = Shop::of("lazada").await;
    let stock = async |shop: &Shop| {
        let sku = sku(shop, ITEM).await;
        let warehouse = sku["multiWarehouseInventories"][0].clone();
        (sku["quantity"].clone(), sku["Available"].clone(), warehouse["occupyQuantity"].clone())
    };
    write(&shop, PRICES, json!({"Quantity": 10})).await;
    let hold = json!({"do": "create", "lines": [{"product": ITEM, "sku": SKU, "quantity": 3}]});
    shop.bench.control("POST", "orders?platform=lazada", &hold).await;
    assert_eq!(stock(&shop).await, (json!(10), json!(7), json!(3)));
    write(&shop, SET, json!({"SellableQuantity": 20})).await;
    assert_eq!(stock(&shop).await, (json!(23), json!(20), json!(3)));
    write(&shop, ADJUST, json!({"SellableQuantity": -20})).await;
    assert_eq!(stock(&shop).await, (json!(3), json!(0), json!(3)));
    write(&shop, ADJUST, json!({"SellableQuantity": "+4"})).await;
    assert_eq!(stock(&shop).await, (json!(7), json!(4), json!(3)));
    let inventory = json!({"MultiWarehouseInventory": [{"WarehouseCode": "dropshipping", "Quantity": 30}]});
    write(&shop, PRICES, json!({"MultiWarehouseInventories": inventory})).await;
    assert_eq!(stock(&shop).await, (json!(30), json!(27), json!(3)));
}

#[tokio::test]
async fn a_sku_may_be_in_two_warehouses() {
    let shop = Shop::of("lazada").await;
    let put = async |shop: &Shop, api: &str, field: &str, [here, away]: [i64; 2]| {
        let one = |code: &str, pieces: i64| json!({"WarehouseCode": code, field: pieces});
        let both = json!([one("dropshipping", here), one("WAREHOUSE-2", away)]);
        write(shop, api, json!({"MultiWarehouseInventories": {"MultiWarehouseInventory": both}})).await
    };
    let stock = async |shop: &Shop| {
        let sku = sku(shop, ITEM).await;
        let places = sku["multiWarehouseInventories"].as_array().unwrap();
        let number = |row: &Json, name: &str| row[name].as_i64().unwrap();
        let all = |name| places.iter().map(|row| number(row, name)).collect::<Vec<_>>();
        (number(&sku, "quantity"), number(&sku, "Available"), all("quantity"), all("occupyQuantity"))
    };
    put(&shop, PRICES, "Quantity", [3, 20]).await;
    let hold = json!({"do": "create", "lines": [{"product": ITEM, "sku": SKU, "quantity": 5}]});
    shop.bench.control("POST", "orders?platform=lazada", &hold).await;
    assert_eq!(stock(&shop).await, (23, 18, vec![3, 20], vec![3, 2]));
    // Without a warehouse the standard one is meant.
    assert_eq!(write(&shop, PRICES, json!({"Quantity": 2})).await.code(), "4152");
    write(&shop, PRICES, json!({"Quantity": 10})).await;
    assert_eq!(stock(&shop).await, (30, 25, vec![10, 20], vec![3, 2]));
    write(&shop, ADJUST, json!({"SellableQuantity": -7})).await;
    assert_eq!(stock(&shop).await, (23, 18, vec![3, 20], vec![3, 2]));
    assert_eq!(write(&shop, ADJUST, json!({"SellableQuantity": -1})).await.code(), "212");
    put(&shop, ADJUST, "SellableQuantity", [2, -18]).await;
    assert_eq!(stock(&shop).await, (7, 2, vec![5, 2], vec![3, 2]));
    put(&shop, SET, "SellableQuantity", [0, 4]).await;
    assert_eq!(stock(&shop).await, (9, 4, vec![3, 6], vec![3, 2]));
}

#[tokio::test]
async fn of_several_skus_those_that_are_right_are_written() {
    let shop = Shop::of("lazada").await;
    let rows = [
        row(json!({"Quantity": 41})),
        row(json!({"SkuId": 1, "SellerSku": "GONE", "Quantity": 41})),
        row(json!({"Price": "1.234"})),
    ];
    let answer = shop.call(PRICES, &[("payload", &payload(&rows))]).await;
    let refused = answer.json();
    assert_eq!(answer.code(), "501", "the code of the whole: {refused}");
    let detail: Vec<(&Json, &Json)> =
        refused["detail"].as_array().unwrap().iter().map(|one| (&one["sku_id"], &one["code"])).collect();
    assert_eq!(detail, [(&json!("1"), &json!("4136")), (&json!("11012345678"), &json!("4104"))]);
    assert_eq!(refused["detail"][0]["seller_sku"], "GONE");
    assert_eq!(sku(&shop, ITEM).await["quantity"], 41);
}

#[tokio::test]
async fn a_seller_has_fifty_stock_calls_a_second() {
    let shop = Shop::of("lazada").await;
    for _ in 0..50 {
        assert_eq!(write(&shop, PRICES, json!({"Quantity": 60})).await.code(), "0");
    }
    assert_eq!(write(&shop, SET, json!({"SellableQuantity": 1})).await.code(), "901");
    assert_eq!(sku(&shop, ITEM).await["quantity"], 60, "reads are free");
    shop.bench.advance("1s").await;
    assert_eq!(write(&shop, SET, json!({"SellableQuantity": 1})).await.code(), "0");
}

#[tokio::test]
async fn products_go_off_and_on_sale_and_away() {
    let shop = Shop::of("lazada").await;
    let body = json!({"Request": {"Product": {"ItemId": ITEM}}}).to_string();
    // The product of the examples may be in any state at first.
    let online = json!({"do": "change", "product": ITEM, "status": "selling"});
    shop.bench.control("POST", "products?platform=lazada", &online).await;
    let total = async |filter: &str| {
        shop.call("/products/get", &[("filter", filter)]).await.json()["data"]["total_products"]
            .as_u64()
            .unwrap()
    };
    let (all, inactive) = (total("all").await, total("inactive").await);
    assert_eq!(shop.call("/product/deactivate", &[("apiRequestBody", &body)]).await.code(), "0");
    assert_eq!(
        (total("inactive").await, sku(&shop, ITEM).await["Status"].clone()),
        (inactive + 1, json!("inactive"))
    );
    for (wanted, code) in [
        (body.clone(), "E0004"),
        (json!({"Request": {"Product": {"ItemId": 1}}}).to_string(), "E0002"),
        (json!({"Request": {"Product": {"ItemId": ""}}}).to_string(), "E0001"),
    ] {
        assert_eq!(
            shop.call("/product/deactivate", &[("apiRequestBody", &wanted)]).await.code(),
            code,
            "{wanted}"
        );
    }
    let update = async |product: Json| {
        shop.call("/product/update", &[("payload", &json!({"Request": {"Product": product}}).to_string())])
            .await
    };
    let active = json!({"ItemId": ITEM, "Attributes": {"name": "Tee & \"more\""}, "Skus": {"Sku": [{"SkuId": SKU, "Status": "active", "quantity": 5, "price": "8.5"}]}});
    let answer = update(active).await.json();
    assert_eq!(answer["data"]["item_status"], "Active", "{answer}");
    let after = sku(&shop, ITEM).await;
    assert_eq!(
        (&after["Status"], &after["quantity"], &after["price"]),
        (&json!("active"), &json!(5), &json!(8.5))
    );
    let page = shop.call("/product/item/get", &[("item_id", &ITEM.to_string())]).await.json();
    assert_eq!(page["data"]["attributes"]["name"], "Tee & \"more\"");
    let other = shop.call("/products/get", &[("limit", "1")]).await.json()["data"]["products"][0]["skus"][0]
        ["SellerSku"]
        .clone();
    for (product, code) in [
        (json!({"ItemId": 1}), "4137"),
        (json!({"ItemId": ITEM, "Skus": {"Sku": [{"SkuId": 1}]}}), "4136"),
        (json!({"ItemId": ITEM, "Skus": {"Sku": [{"price": "9"}]}}), "MissingParameter"),
        (json!({"ItemId": ITEM, "Skus": {"Sku": [{"SkuId": SKU, "SellerSku": other}]}}), "4105"),
        (
            json!({"ItemId": ITEM, "Attributes": {"name": "New"}, "Skus": {"Sku": [{"SkuId": SKU, "price": "1.001"}]}}),
            "4104",
        ),
        (json!({"ItemId": ITEM, "PrimaryCategory": 1}), "4134"),
    ] {
        let answer = update(product.clone()).await;
        assert_eq!(answer.code(), code, "{product}: {}", answer.text());
    }
    let same = shop.call("/product/item/get", &[("item_id", &ITEM.to_string())]).await.json();
    assert_eq!(same["data"], page["data"], "all or nothing");

    // Away with the last SKU, for good.
    let skus: Vec<String> = page["data"]["skus"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sku| format!("SkuId_{ITEM}_{}", sku["SkuId"]))
        .collect();
    let remove = async |ids: &Json| shop.call("/product/remove", &[("sku_id_list", &ids.to_string())]).await;
    assert_eq!(remove(&json!(skus)).await.code(), "0");
    assert_eq!((total("all").await, total("deleted").await), (all - 1, 1));
    assert_eq!(shop.call("/product/item/get", &[("item_id", &ITEM.to_string())]).await.code(), "208");
    assert_eq!(write(&shop, PRICES, json!({"Quantity": 1})).await.code(), "4137");
    for (ids, code) in [
        (json!(skus), "503"),
        (json!(["x"]), "503"),
        (json!([]), "30"),
        (json!({}), "5"),
        (json!(vec!["x"; 51]), "204"),
    ] {
        assert_eq!(remove(&ids).await.code(), code, "{ids}");
    }
}
