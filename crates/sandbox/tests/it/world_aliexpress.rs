//! AliExpress: what is written of products is read back, and what is refused changes nothing.

use serde_json::{Value as Json, json};

use crate::seller::{BookSku, Seller, ids, rows};

const INVENTORY: &str = "aliexpress.solution.batch.product.inventory.update";
const PRICES: &str = "aliexpress.solution.batch.product.price.update";
const INFO: &str = "aliexpress.solution.product.info.get";
const LIST: &str = "mutiple_product_update_list";

fn update(product: u64, skus: &[Json]) -> Json {
    json!({"product_id": product, "multiple_sku_update_list": skus})
}

fn stock(sku: &BookSku, pieces: u64) -> Json {
    json!({"sku_code": sku.code, "inventory": pieces})
}

async fn batch(seller: &Seller, api: &str, updates: &[Json]) -> Json {
    seller.get(api, &[(LIST, &json!(updates).to_string())]).await
}

#[tokio::test]
async fn a_batch_of_stock_is_written_product_by_product() {
    let seller = Seller::of("aliexpress").await;
    let (two, one) = (seller.skus(2).await, seller.skus(1).await);
    let (good, mixed, held, alone) = (&two[0], &two[1], &one[0], &one[1]);
    seller.order(&[(held, 5)].map(|(skus, n)| (&skus[0], n)), true).await;
    let updates = [
        update(good[0].product, &[stock(&good[0], 71), stock(&good[1], good[1].reserved)]),
        update(mixed[0].product, &[stock(&mixed[0], 72), json!({"sku_code": "NO-SUCH", "inventory": 1})]),
        update(held[0].product, &[stock(&held[0], 3)]),
        update(alone[0].product, &[stock(&alone[0], 999_999)]),
        update(5, &[stock(&good[0], 1)]),
    ];
    // What orders hold of a SKU cannot be taken from it.
    let reply = batch(&seller, INVENTORY, &updates[..4]).await;
    assert_eq!(ids(&reply, "/update_successful_list", "product_id"), [good[0].product, alone[0].product]);
    assert_eq!(ids(&reply, "/update_failed_list", "product_id"), [mixed[0].product, held[0].product]);
    assert_eq!(
        (&reply["update_success"], &reply["update_error_code"]),
        (&json!(false), &json!("F00-00-10014-015"))
    );
    for (sku, pieces) in
        [(&good[0], 71), (&good[1], good[1].reserved), (&mixed[0], mixed[0].stock), (&alone[0], 999_999)]
    {
        assert_eq!(seller.sku(sku).await.stock, pieces, "{sku:?}");
    }
    let now = seller.sku(&held[0]).await;
    assert_eq!((now.stock, now.reserved), (held[0].stock, held[0].reserved + 5));

    let page = seller.get(INFO, &[("product_id", &good[0].product.to_string())]).await;
    let read: Vec<(&str, u64)> = rows(&page, "/result/aeop_ae_product_s_k_us")
        .iter()
        .map(|sku| (sku["sku_code"].as_str().unwrap(), sku["ipm_sku_stock"].as_u64().unwrap()))
        .collect();
    assert_eq!(read, [(good[0].code.as_str(), 71), (&good[1].code, good[1].reserved)]);

    for (updates, code) in [
        (&updates[4..], "F00-00-10007-024"),
        (&[update(mixed[0].product, &[stock(&good[0], 1)])][..], "F00-00-10007-024"),
        (&[update(mixed[0].product, &[stock(&mixed[0], 1_000_000)])], "F00-00-10014-017"),
        (
            &[update(mixed[0].product, &[json!({"sku_code": mixed[0].code, "inventory": -1})])],
            "F00-00-10014-017",
        ),
    ] {
        let reply = batch(&seller, INVENTORY, updates).await;
        assert_eq!(reply["update_error_code"], code, "{reply}");
        assert!(rows(&reply, "/update_successful_list").is_empty());
    }
    let many: Vec<Json> = (0..21).map(|_| updates[0].clone()).collect();
    for wrong in [json!(many), json!([]), json!({}), json!([{"product_id": 5}]), json!("x"), json!([5])] {
        let args = [(LIST, &*wrong.to_string())];
        let code = seller.refusal(INVENTORY, &args).await;
        assert!(["InvalidParameter", "MissingParameter"].contains(&code.as_str()), "{wrong}: {code}");
    }
}

#[tokio::test]
async fn a_batch_of_prices_is_written_and_bad_ones_are_not() {
    let seller = Seller::of("aliexpress").await;
    let skus = &seller.skus(2).await[0];
    let product = skus[0].product;
    let price = |price: Json| json!({"sku_code": skus[0].code, "price": price});
    let reply = batch(&seller, PRICES, &[update(product, &[price(json!("12.5"))])]).await;
    assert_eq!((&reply["update_success"], reply["update_error_code"].as_str()), (&json!(true), None));
    assert_eq!((seller.sku(&skus[0]).await.price, seller.sku(&skus[1]).await.price), (12.5, skus[1].price));
    let with_discount = json!({"sku_code": skus[0].code, "price": "20", "discount_price": "19.99"});
    batch(&seller, PRICES, &[update(product, &[with_discount])]).await;
    let page = seller.get(INFO, &[("product_id", &product.to_string())]).await;
    let sku = &page["result"]["aeop_ae_product_s_k_us"][0];
    assert_eq!((&sku["sku_price"], &sku["sku_discount_price"]), (&json!("20.00"), &json!("19.99")));
    for wrong in ["0", "-1", "1.234", "1e2", "1,5", "abc", "99999999999"] {
        let reply = batch(&seller, PRICES, &[update(product, &[price(json!(wrong))])]).await;
        assert_eq!(reply["update_error_code"], "F00-00-10014-017", "{wrong}");
    }
    let above = json!({"sku_code": skus[0].code, "price": "5", "discount_price": "5"});
    let reply =
        batch(&seller, PRICES, &[update(product, &[json!({"sku_code": skus[1].code, "price": "1"}), above])])
            .await;
    assert_eq!(ids(&reply, "/update_failed_list", "product_id"), [product]);
    let now = (seller.sku(&skus[0]).await.price, seller.sku(&skus[1]).await.price);
    assert_eq!(now, (20.0, skus[1].price), "all of a product or nothing");
    // Lists show the new bounds, and find products by any of their codes.
    let query = json!({"product_status_type": "onSelling", "sku_code": skus[1].code}).to_string();
    let found =
        seller.get("aliexpress.solution.product.list.get", &[("aeop_a_e_product_list_query", &query)]).await;
    let row = &found["result"]["aeop_a_e_product_display_d_t_o_list"][0];
    assert_eq!((&row["product_id"], &found["result"]["product_count"]), (&json!(product), &json!(1)));
    let mut bounds = [20.0, skus[1].price].map(|price| format!("{price:.2}"));
    bounds.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse().unwrap()));
    assert_eq!(
        (&row["product_min_price"], &row["product_max_price"]),
        (&json!(bounds[0]), &json!(bounds[1]))
    );
}

#[tokio::test]
async fn one_sku_is_edited_by_its_id_in_the_product() {
    for platform in ["aliexpress", "aliexpress-legacy"] {
        let seller = Seller::of(platform).await;
        let legacy = platform == "aliexpress-legacy";
        let skus = &seller.skus(2).await[0];
        let product = skus[0].product.to_string();
        let (info, id) = if legacy {
            let page = seller.get("api.findAeProductById", &[("productId", &product)]).await;
            (page.clone(), page["aeopAeProductSKUs"][1]["id"].clone())
        } else {
            let page = seller.get(INFO, &[("product_id", &product)]).await;
            (page.clone(), page["result"]["aeop_ae_product_s_k_us"][1]["id"].clone())
        };
        let id = id.as_str().unwrap_or_else(|| panic!("{info}"));
        let names = if legacy {
            [
                "api.editSingleSkuStock",
                "api.editSingleSkuPrice",
                "productId",
                "skuId",
                "ipmSkuStock",
                "skuPrice",
            ]
        } else {
            [
                "aliexpress.postproduct.redefining.editsingleskustock",
                "aliexpress.postproduct.redefining.editsingleskuprice",
                "product_id",
                "sku_id",
                "ipm_sku_stock",
                "sku_price",
            ]
        };
        let edit = async |at: usize, product: &str, sku: &str, value: &str| {
            let reply =
                seller.get(names[at], &[(names[2], product), (names[3], sku), (names[4 + at], value)]).await;
            if legacy { reply } else { reply["result"].clone() }
        };
        assert_eq!(edit(0, &product, id, "77").await["success"], true);
        assert_eq!(edit(1, &product, id, "3.21").await["success"], true);
        let now = seller.sku(&skus[1]).await;
        assert_eq!((now.stock, now.price), (77, 3.21), "{platform}");
        for (at, product, sku, value) in [
            (0, "5", id, "1"),
            (0, &product, "14:0", "1"),
            (0, &product, "<none>", "1"),
            (1, &product, id, "0"),
            (1, &product, id, "1.234"),
        ] {
            let reply = edit(at, product, sku, value).await;
            assert_eq!(reply["success"], false, "{platform} {product} {sku} {value}: {reply}");
        }
        seller.order(&[(&skus[1], 9)], true).await;
        assert_eq!(edit(0, &product, id, &(now.reserved + 8).to_string()).await["success"], false, "held");
        assert_eq!(edit(0, &product, id, &(now.reserved + 9).to_string()).await["success"], true);
    }
}

#[tokio::test]
async fn products_go_off_sale_come_back_and_are_deleted() {
    let seller = Seller::of("aliexpress").await;
    let all = seller.products().await;
    let with = |status: &str| {
        let found = all.iter().find(|product| product["status"] == status);
        found.unwrap_or_else(|| panic!("no {status}"))["id"].as_u64().unwrap()
    };
    let (selling, offline, auditing) = (with("selling"), with("offline"), with("under-review"));
    let set = async |word: &str, ids: &[u64]| {
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        let api = format!("aliexpress.postproduct.redefining.{word}aeproduct");
        seller.get(&api, &[("product_ids", &ids.join(";"))]).await["result"].clone()
    };
    let status = async |id: u64| seller.book("products", id).await["status"].clone();
    let reply = set("offline", &[selling, offline]).await;
    assert_eq!((&reply["success"], &reply["modify_count"]), (&json!(true), &json!(2)));
    let reply = set("online", &[selling, auditing, 5]).await;
    assert_eq!((&reply["success"], &reply["modify_count"]), (&json!(true), &json!(1)));
    let failed: Vec<Json> =
        rows(&reply, "/error_details").iter().map(|row| row["product_ids"].clone()).collect();
    assert_eq!(failed, [json!([auditing]), json!([5])]);
    assert_eq!((status(selling).await, status(auditing).await), (json!("selling"), json!("under-review")));
    assert_eq!(set("online", &[5]).await["success"], false);
    let many = vec!["1"; 51].join(";");
    for wrong in ["", ";", "x", &*many] {
        let api = "aliexpress.postproduct.redefining.onlineaeproduct";
        let code = seller.refusal(api, &[("product_ids", wrong)]).await;
        assert!(["InvalidParameter", "MissingParameter"].contains(&code.as_str()), "{wrong}: {code}");
    }

    let delete = async |ids: &str| {
        seller.get("aliexpress.solution.batch.product.delete", &[("product_ids", ids)]).await["success"]
            .clone()
    };
    assert_eq!(delete(&format!("[{selling},5]")).await, "false");
    assert_eq!(status(selling).await, "selling", "all or none");
    assert_eq!(delete(&format!("{selling},{offline}")).await, "true");
    assert_eq!(delete(&format!("[{selling}]")).await, "true", "it is gone already");
    assert_eq!(status(selling).await, "deleted");
    let gone = seller.get(INFO, &[("product_id", &selling.to_string())]).await;
    assert_eq!(
        (&gone["result"]["success"], &gone["result"]["error_code"]),
        (&json!(false), &json!("PRODUCT_NOT_EXIST"))
    );
    assert_eq!(set("online", &[selling]).await["success"], false);
}

#[tokio::test]
async fn the_legacy_gateway_changes_all_products_of_a_call_or_none() {
    let seller = Seller::of("aliexpress-legacy").await;
    let skus = seller.skus(1).await;
    let ids: Vec<String> = skus[..2].iter().map(|skus| skus[0].product.to_string()).collect();
    let set = async |word: &str, ids: &str| {
        seller.get(&format!("api.{word}AeProduct"), &[("productIds", ids)]).await
    };
    let status = async || seller.book("products", skus[0][0].product).await["status"].clone();
    assert_eq!(set("offline", &format!("{};5", ids[0])).await["success"], false);
    assert_eq!(status().await, "selling");
    assert_eq!(set("offline", &ids.join(";")).await, json!({"modifyCount": 2, "success": true}));
    assert_eq!(status().await, "offline");
    assert_eq!(set("online", &ids.join(";")).await["modifyCount"], 2);
}

#[tokio::test]
async fn a_dropshipper_sees_products_of_all_shops_that_are_on_sale() {
    const GET: &str = "aliexpress.ds.product.get";
    const FREIGHT: &str = "aliexpress.ds.freight.query";
    let seller = Seller::of("aliexpress").await;
    let other = seller.bench.sandbox.describe().shops;
    let other = &other.iter().filter(|shop| shop.platform == "aliexpress").nth(1).unwrap().login;
    let route = format!("products?platform=aliexpress&login={other}&limit=1000");
    let books = seller.bench.control("GET", &route, &Json::Null).await;
    let with = |wanted: &str| {
        rows(&books, "/products").iter().find(|product| product["status"] == wanted).unwrap().clone()
    };
    let (selling, offline) = (with("selling"), with("offline"));
    let get = async |product: &str, country: &str| {
        let args = [("product_id", product), ("ship_to_country", country), ("target_currency", "EUR")];
        let answer = seller.call(GET, &args).await.json();
        (answer["rsp_code"].as_u64().unwrap(), answer["result"].clone())
    };
    let id = selling["id"].to_string();
    let (code, page) = get(&id, "US").await;
    assert_eq!(code, 200);
    assert_eq!(page["ae_item_base_info_dto"]["subject"], selling["title"]);
    let sku = &page["ae_item_sku_info_dtos"][0];
    assert_eq!(
        (&sku["sku_id"], &sku["currency_code"]),
        (&json!(selling["skus"][0]["id"].to_string()), &json!("EUR"))
    );
    let left =
        selling["skus"][0]["stock"].as_u64().unwrap() - selling["skus"][0]["reserved"].as_u64().unwrap();
    assert_eq!(sku["sku_available_stock"], left);
    for (product, country, code) in [
        (&*offline["id"].to_string(), "US", 605),
        ("5", "US", 605),
        ("9999999999999999", "US", 605),
        (&id, "usa", 602),
    ] {
        assert_eq!(get(product, country).await.0, code, "{product} {country}");
    }

    let freight = async |sku: &str, quantity: u64, country: &str| {
        let query = json!({
            "productId": id, "selectedSkuId": sku, "quantity": quantity, "shipToCountry": country,
            "currency": "EUR", "language": "en_US", "locale": "en_US",
        });
        seller.get(FREIGHT, &[("queryDeliveryReq", &query.to_string())]).await["result"].clone()
    };
    let sku = selling["skus"][0]["id"].to_string();
    let options = freight(&sku, 1, "US").await;
    assert_eq!((&options["success"], &options["code"]), (&json!(true), &json!(200)));
    let option = &rows(&options, "/delivery_options")[0];
    assert_eq!(
        (&option["shipping_fee_currency"], &option["available_stock"]),
        (&json!("EUR"), &json!(left.to_string()))
    );
    for (sku, quantity, country, why) in [
        ("5", 1, "US", "DELIVERY_INFO_EMPTY"),
        (&sku, left + 1, "US", "DELIVERY_INFO_EMPTY"),
        (&sku, 0, "US", "DELIVERY_INFO_EMPTY"),
        (&sku, 1, "nowhere", "DELIVERY_NOT_AVAILABLE_TO_YOUR_ADDRESS"),
    ] {
        let reply = freight(sku, quantity, country).await;
        assert_eq!((&reply["msg"], &reply["code"]), (&json!(why), &json!(501)), "{sku} {quantity} {country}");
    }
    let query = json!({"product_id": selling["id"], "sku_id": sku, "product_num": 2, "country_code": "US", "send_goods_country_code": "CN"});
    for (api, argument, list) in [
        (
            "aliexpress.logistics.buyer.freight.calculate",
            "param_aeop_freight_calculate_for_buyer_d_t_o",
            "/result/aeop_freight_calculate_result_for_buyer_d_t_o_list",
        ),
        (
            "aliexpress.logistics.buyer.freight.get",
            "aeopFreightCalculateForBuyerDTO",
            "/result/aeop_freight_calculate_result_for_buyer_dtolist",
        ),
    ] {
        let reply = seller.get(api, &[(argument, &query.to_string())]).await;
        assert_eq!(rows(&reply, list)[0]["service_name"], "CAINIAO_STANDARD");
    }
}
