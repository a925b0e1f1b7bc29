//! Alibaba.com's products, stock, prices, orders and parcels on the world, over HTTP.

use serde_json::{Value as Json, json};

use crate::support::{Answer, Bench};

const PRODUCT: u64 = 1_600_107_214_049;

struct Seller {
    bench: Bench,
    token: String,
}

impl Seller {
    async fn login() -> Self {
        let bench = Bench::start().await;
        let login = bench.iop_login(&bench.app("alibaba"), &bench.login("alibaba")).await;
        Self { bench, token: login["access_token"].as_str().unwrap().to_owned() }
    }

    async fn call(&self, api: &str, args: Json) -> Answer {
        let app = self.bench.app("alibaba");
        let texts: Vec<(String, String)> = args
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map_or(value.to_string(), str::to_owned)))
            .collect();
        let mut pairs: Vec<(&str, &str)> = texts.iter().map(|(name, value)| (&**name, &**value)).collect();
        pairs.push(("access_token", &self.token));
        if api.starts_with('/') {
            return self.bench.rest(&app, api, &pairs).await;
        }
        pairs.extend([("method", api), ("simplify", "true")]);
        self.bench.sync(&app, &pairs).await
    }

    /// The `result` of a call that the gateway takes.
    async fn result(&self, api: &str, args: Json) -> Json {
        let answer = self.call(api, args).await;
        assert_eq!(answer.code(), "0", "{}", answer.text());
        assert_eq!(answer.header("x-sandbox-source"), Some("world"));
        answer.json()["result"].clone()
    }

    /// The business code of a refusal.
    async fn msg_code(&self, api: &str, args: Json) -> String {
        let result = self.result(api, args).await;
        assert_eq!(result["success"], false, "{result}");
        result["msg_code"].as_str().unwrap().to_owned()
    }

    async fn by_hand(&self, route: &str, body: Json) -> Json {
        let target = format!("/_sandbox/{route}?platform=alibaba");
        let answer = self.bench.post(&target, "application/json", body.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn book(&self, product: u64) -> Json {
        let books =
            self.bench.control("GET", &format!("products?platform=alibaba&id={product}"), &Json::Null).await;
        books["products"][0].clone()
    }

    /// A product with several SKUs that is in a state.
    async fn with_skus(&self, status: &str) -> Json {
        let books = self.bench.control("GET", "products?platform=alibaba&limit=1000", &Json::Null).await;
        let fits =
            |product: &&Json| product["status"] == status && product["skus"].as_array().unwrap().len() > 1;
        books["products"].as_array().unwrap().iter().find(fits).unwrap().clone()
    }
}

fn sellable(sku: &Json) -> u64 {
    sku["stock"].as_u64().unwrap() - sku["reserved"].as_u64().unwrap()
}

#[tokio::test]
async fn stock_is_set_added_and_read_back() {
    let seller = Seller::login().await;
    let product = seller.with_skus("selling").await;
    let (id, skus) = (&product["id"], product["skus"].as_array().unwrap());
    let (one, other) = (&skus[0]["id"], &skus[1]["id"]);
    let set = json!([{"sku_id": one, "inventory": 70}, {"sku_id": other, "inventory": 0}]);
    let done =
        seller.result("/icbu/product/edit-inventory", json!({"product_id": id, "sku_inventory": set})).await;
    assert_eq!((&done["success"], &done["msg_code"]), (&json!(true), &json!("SUCCESS")));
    let add = json!([
        {"sku_id": one, "inventory_code": "CN", "inventory": 5, "operate": "sub"},
        {"sku_id": other, "inventory_code": "CN", "inventory": 9, "operate": "plus"},
    ]);
    let update = json!({"product_id": id, "inventory_list": add});
    assert_eq!(seller.result("/icbu/product/inventory/update", update.clone()).await["success"], true);

    // The same is read everywhere.
    let rows = seller
        .result("/icbu/product/inventory/get", json!({"product_id": id, "language": "en_US"}))
        .await["data_list"]
        .clone();
    assert_eq!((&rows[0]["inventory"], &rows[1]["inventory"]), (&json!(65), &json!(9)));
    assert_eq!((&rows[0]["sku_outer_id"], &rows[0]["sku_id"]), (&skus[0]["code"], one));
    let page = seller.result("/icbu/product/get", json!({"product_get_request": {"productId": id}})).await;
    assert_eq!(page["product_sku"]["skus"][1]["inventory_dto_list"][0]["inventory"], 9);
    let v2 = seller.call("/alibaba/icbu/product/get/v2", json!({"sku_id": one})).await.json();
    assert_eq!(v2["product_info"]["trade_info"]["sku_info"][0]["inventory"], 65);
    let book = seller.book(id.as_u64().unwrap()).await;
    assert_eq!((sellable(&book["skus"][0]), sellable(&book["skus"][1])), (65, 9));

    // All rows or none.
    let too_much = json!([
        {"sku_id": one, "inventory_code": "CN", "inventory": 1, "operate": "plus"},
        {"sku_id": other, "inventory_code": "CN", "inventory": 10, "operate": "sub"},
    ]);
    let update = json!({"product_id": id, "inventory_list": too_much});
    assert_eq!(seller.msg_code("/icbu/product/inventory/update", update).await, "600003");
    assert_eq!(seller.book(id.as_u64().unwrap()).await["skus"], book["skus"]);
    for (rows, code) in [
        (json!([{"sku_id": one, "inventory": 4_294_967_296_u64}]), "600003"),
        (json!([{"sku_id": 1, "inventory": 3}]), "B_PRODUCT_PARAM_INVALID"),
        (json!([{"sku_id": -1, "inventory": 3}]), "B_PRODUCT_PARAM_INVALID"),
        (
            json!([{"sku_id": one, "inventory": 3}, {"sku_id": one, "inventory": 4}]),
            "B_PRODUCT_PARAM_INVALID",
        ),
        (json!([]), "B_INVENTORY_ALL_NULL"),
    ] {
        let args = json!({"product_id": id, "sku_inventory": rows});
        assert_eq!(seller.msg_code("/icbu/product/edit-inventory", args.clone()).await, code, "{args}");
    }
    let negative = json!({"product_id": id, "sku_inventory": [{"sku_id": one, "inventory": -1}]});
    assert_eq!(seller.call("/icbu/product/edit-inventory", negative).await.code(), "InvalidParameter");
    let negative = json!([{"sku_id": one, "inventory_code": "CN", "inventory": -1, "operate": "plus"}]);
    let update = json!({"product_id": id, "inventory_list": negative});
    assert_eq!(seller.msg_code("/icbu/product/inventory/update", update).await, "600003");
    let both = json!({"product_id": id, "sku_inventory": set, "inventory": 3});
    assert_eq!(seller.msg_code("/icbu/product/edit-inventory", both).await, "B_INVENTORY_CONFLICT");
    let unknown = json!({"product_id": 5, "inventory": 3});
    assert_eq!(seller.msg_code("/icbu/product/edit-inventory", unknown).await, "B_PRODUCT_NOT_FOUND");
    let elsewhere = json!([{"sku_id": one, "inventory_code": "US", "inventory": 1, "operate": "plus"}]);
    let update = json!({"product_id": id, "inventory_list": elsewhere});
    assert_eq!(seller.msg_code("/icbu/product/inventory/update", update).await, "B_PRODUCT_PARAM_INVALID");
    assert_eq!(
        seller.book(id.as_u64().unwrap()).await["skus"],
        book["skus"],
        "what is refused changes nothing"
    );
    let turned = json!([{"sku_id": one, "inventory_code": "CN", "inventory": 1, "operate": "twice"}]);
    let answer = seller
        .call("/icbu/product/inventory/update", json!({"product_id": id, "inventory_list": turned}))
        .await;
    assert_eq!(answer.code(), "InvalidParameter");
}

#[tokio::test]
async fn stock_that_orders_hold_cannot_be_sold_again() {
    let seller = Seller::login().await;
    let sku = 105_613_018_158_u64;
    let set =
        |pieces: u64| json!({"product_id": PRODUCT, "sku_inventory": [{"sku_id": sku, "inventory": pieces}]});
    seller.result("/icbu/product/edit-inventory", set(10)).await;
    let lines = json!([{"product": PRODUCT, "sku": sku, "quantity": 4}]);
    seller.by_hand("orders", json!({"do": "create", "lines": lines})).await;
    // TOP's twins read and write the same.
    let read = async || {
        let reply = seller
            .call(
                "alibaba.icbu.product.sku.inventory.get",
                json!({"product_id": PRODUCT.to_string(), "language": "en_US"}),
            )
            .await
            .json();
        reply["result"]["data_list"][0].clone()
    };
    assert_eq!(read().await, json!({"sku_id": sku, "inventory_code": "CN", "inventory": 6}));
    let take = |pieces: u64| {
        let rows = json!([{"sku_id": sku, "inventory_code": "CN", "inventory": pieces, "operate": "sub"}]);
        json!({"request_param": {"product_id": PRODUCT, "inventory_list": rows}})
    };
    let refused = seller.call("alibaba.icbu.product.inventory.update", take(7)).await.json();
    assert_eq!(refused["result"]["msg_code"], "600003", "{refused}");
    let done = seller.call("alibaba.icbu.product.inventory.update", take(6)).await.json();
    assert_eq!(done["result"]["success"], true, "{done}");
    assert_eq!(read().await["inventory"], 0);
    let book = seller.book(PRODUCT).await;
    assert_eq!(sellable(&book["skus"][0]), 0);
}

#[tokio::test]
async fn prices_are_decimal_texts_by_sku_by_ladder_or_a_range() {
    let seller = Seller::login().await;
    let product = seller.with_skus("selling").await;
    let (id, one, other) = (&product["id"], &product["skus"][0]["id"], &product["skus"][1]["id"]);
    let rows = json!([{"sku_id": one, "price": "12.50"}, {"sku_id": other, "price": "0.01"}]);
    let done = seller.result("/icbu/product/edit-price", json!({"product_id": id, "sku_price": rows})).await;
    assert_eq!(done["success"], true);
    let page =
        async || seller.result("/icbu/product/get", json!({"product_get_request": {"productId": id}})).await;
    let skus = page().await["product_sku"]["skus"].clone();
    let price = |at: usize| skus[at]["bulk_discount_prices"].as_array().unwrap().clone();
    assert_eq!(
        (price(0).len(), &price(0)[0]["price"], &price(1)[0]["price"]),
        (1, &json!("12.50"), &json!("0.01"))
    );
    let row = |price: &str| json!({"product_id": id, "sku_price": [{"sku_id": one, "price": price}]});
    for (price, code) in [
        ("1.234", "B_PRICE_SCALE_INVALID"),
        ("0", "PUB_BIZCHECK_SKU_PRICE"),
        ("-1.00", "PUB_BIZCHECK_SKU_PRICE"),
        ("1,50", "B_PRODUCT_PARAM_INVALID"),
        ("1e3", "B_PRODUCT_PARAM_INVALID"),
        ("42949672.96", "B_PRODUCT_PARAM_INVALID"),
    ] {
        assert_eq!(seller.msg_code("/icbu/product/edit-price", row(price)).await, code, "{price}");
    }
    assert_eq!(page().await["product_sku"]["skus"], skus, "what is refused changes nothing");
    assert_eq!(seller.result("/icbu/product/edit-price", row("42949672.950")).await["success"], true);

    let whole = |price: Json| json!({"product_id": id, "price": price});
    let ladder = |steps: Json| json!({"price_type": "TIERED", "currency": "USD", "tiered_price": steps});
    let steps = json!([{"quantity": 10, "price": "1.50"}, {"quantity": 100, "price": "1.20"}]);
    assert_eq!(seller.result("/icbu/product/edit-price", whole(ladder(steps))).await["success"], true);
    let read = &page().await["product_sku"]["skus"][1]["bulk_discount_prices"];
    assert_eq!(
        *read,
        json!([{"start_quantity": 10, "price": "1.50"}, {"start_quantity": 100, "price": "1.20"}])
    );
    let range = |low: &str, high: &str| json!({"price_type": "RANGE", "currency": "USD", "range_price": {"min_price": low, "max_price": high}});
    for (price, code) in [
        (
            ladder(json!([{"quantity": 10, "price": "1.50"}, {"quantity": 9, "price": "1.20"}])),
            "B_PRICE_SEQUENCE_INVALID",
        ),
        (
            ladder(json!([{"quantity": 10, "price": "1.50"}, {"quantity": 20, "price": "1.50"}])),
            "B_PRICE_SEQUENCE_INVALID",
        ),
        (ladder(json!([])), "B_PRICE_ALL_NULL"),
        (range("2.00", "2.00"), "B_MIN_PRICE_RANGE_INVALID"),
        (json!({"price_type": "RANGE", "currency": "EUR"}), "B_PRODUCT_PARAM_INVALID"),
    ] {
        assert_eq!(seller.msg_code("/icbu/product/edit-price", whole(price.clone())).await, code, "{price}");
    }
    assert_eq!(
        seller.result("/icbu/product/edit-price", whole(range("2.00", "3.10"))).await["success"],
        true
    );
    let v2 = seller.call("/alibaba/icbu/product/get/v2", json!({"product_id": id})).await.json();
    let price = &v2["product_info"]["trade_info"]["price"];
    assert_eq!((&price["price_type"], &price["range_price"]), (&json!("RANGE"), &json!("2.00-3.10")));

    let nothing = json!({"product_id": id});
    assert_eq!(seller.msg_code("/icbu/product/edit-price", nothing).await, "B_PRICE_ALL_NULL");
    let mut both = row("1.00");
    both["price"] = range("1.00", "2.00");
    assert_eq!(seller.msg_code("/icbu/product/edit-price", both).await, "B_PRICE_CONFLICT");
    let review = seller.with_skus("under-review").await;
    let rows = json!([{"sku_id": review["skus"][0]["id"], "price": "1.00"}]);
    let args = json!({"product_id": review["id"], "sku_price": rows});
    assert_eq!(seller.msg_code("/icbu/product/edit-price", args).await, "PUB_BIZCHECK_PRODUCT_IN_AUDITING");
}

#[tokio::test]
async fn products_are_shown_hidden_and_deleted_each_for_itself() {
    let seller = Seller::login().await;
    let review = seller.with_skus("under-review").await["id"].clone();
    let status = async |action: &str, ids: Json| {
        let args = json!({"product_id_list": ids, "action": action});
        seller.call("/alibaba/icbu/product/batch/update/status", args).await.json()
    };
    let state = async || seller.book(PRODUCT).await["status"].as_str().unwrap().to_owned();
    let told = status("offline", json!([PRODUCT, 7, review])).await;
    assert_eq!((&told["success"], &told["updated_product_ids"]), (&json!(true), &json!([PRODUCT])));
    let codes: Vec<&Json> =
        told["errors"].as_array().unwrap().iter().map(|error| &error["msg_code"]).collect();
    assert_eq!(codes, ["B_PRODUCT_NOT_FOUND", "PUB_BIZCHECK_PRODUCT_IN_AUDITING"]);
    assert_eq!((told["errors"][0]["product_id"].as_u64(), state().await), (Some(7), "offline".to_owned()));
    assert_eq!(status("offline", json!([PRODUCT])).await["success"], true, "it may be said twice");
    let none = status("online", json!([7])).await;
    assert_eq!((&none["success"], &none["msg_code"]), (&json!(false), &json!("B_PRODUCT_NOT_FOUND")));

    let list = seller.result("/alibaba/icbu/product/list", json!({"id": PRODUCT})).await;
    assert_eq!(list["products"][0]["display"], "N");
    let display = json!({"new_display": "on", "product_id_list": [PRODUCT, 7]});
    let told = seller.result("/icbu/product/update/display", display).await;
    assert_eq!((told["fail_id_map"].as_object().unwrap().len(), &told["error_code"]), (1, &Json::Null));
    assert_eq!(state().await, "selling");
    let none = json!({"new_display": "off", "product_id_list": [7]});
    let told = seller.result("/icbu/product/update/display", none).await;
    assert_eq!(told["error_code"], "B_PRODUCT_NOT_FOUND");
    let off = json!({"new_display": "off", "product_id_list": PRODUCT.to_string()});
    let top = seller.call("alibaba.icbu.product.batch.update.display", off).await.json();
    assert_eq!((&top["sub_success"], state().await), (&json!(true), "offline".to_owned()), "{top}");

    let delete = async |ids: Json| {
        seller.call("/alibaba/icbu/product/delete", json!({"product_id_list": ids})).await.json()
    };
    assert_eq!(delete(json!([PRODUCT])).await["deleted_product_ids"], json!([PRODUCT]));
    assert_eq!(delete(json!([PRODUCT])).await["msg_code"], "B_PRODUCT_NOT_FOUND");
    let gone = json!({"product_get_request": {"productId": PRODUCT}});
    assert_eq!(seller.msg_code("/icbu/product/get", gone).await, "B_PRODUCT_NOT_FOUND");
    let list = seller.result("/alibaba/icbu/product/list", json!({"id": PRODUCT})).await;
    assert_eq!(list["total_item"], 0);
}

#[tokio::test]
async fn changes_move_products_to_the_front_of_their_window() {
    let seller = Seller::login().await;
    seller.bench.advance("3600s").await;
    let set =
        json!({"product_id": PRODUCT, "sku_inventory": [{"sku_id": 105_613_018_158_u64, "inventory": 1}]});
    seller.result("/icbu/product/edit-inventory", set).await;
    let first =
        seller.result("/alibaba/icbu/product/list", json!({"page_size": 1})).await["products"][0].clone();
    // 13:32:12Z is 05:32:12 in America/Los_Angeles.
    assert_eq!((&first["id"], &first["gmt_modified"]), (&json!(PRODUCT), &json!("2026-11-21 05:32:12")));
    let within = async |from: &str, to: &str| {
        let args = json!({"gmt_modified_from": from, "gmt_modified_to": to});
        seller.result("/alibaba/icbu/product/list", args).await["total_item"].as_u64().unwrap()
    };
    assert_eq!(within("2026-11-21 05:32:12", "2026-11-21 05:32:12").await, 1);
    assert_eq!(within("2026-11-21 05:32:13", "2026-11-22 00:00:00").await, 0);
    assert_eq!(within("2020-01-01 00:00:00", "2026-11-21 05:32:11").await, 39);
}

#[tokio::test]
async fn an_order_is_read_paid_shipped_tracked_and_canceled() {
    let seller = Seller::login().await;
    let lines = json!([{"product": PRODUCT, "sku": 105_613_018_158_u64, "quantity": 3}]);
    let set =
        json!({"product_id": PRODUCT, "sku_inventory": [{"sku_id": 105_613_018_158_u64, "inventory": 100}]});
    seller.result("/icbu/product/edit-inventory", set).await;
    let price =
        json!({"product_id": PRODUCT, "sku_price": [{"sku_id": 105_613_018_158_u64, "price": "1.25"}]});
    seller.result("/icbu/product/edit-price", price).await;
    let create = json!({"do": "create", "lines": lines, "paid": false});
    let id = seller.by_hand("orders", create).await["order"]["id"].to_string();
    let order =
        async || seller.call("/alibaba/order/get", json!({"e_trade_id": id})).await.json()["value"].clone();
    let unpaid = order().await;
    assert_eq!(
        (&unpaid["trade_status"], &unpaid["total_amount"]["amount"]),
        (&json!("unpay"), &json!("3.75"))
    );
    let line = &unpaid["order_products"][0];
    assert_eq!(
        (&line["sku_code"], &line["quantity"], &line["unit_price"]["amount"]),
        (&json!("PEN-RED-12"), &json!("3.0000"), &json!("1.25"))
    );
    assert_eq!(unpaid["create_date"]["format_date"], "Nov. 21, 2026, 04:32:12 PST.");
    let fee = async || {
        let args = json!({"e_trade_id": id, "data_select": "fund_transaction_fee"});
        seller.call("/alibaba/order/fund/query", args).await.json()["value"]["payment_transaction_fee"]["amount"].clone()
    };
    assert_eq!(fee().await, "0.00");
    let ship = json!({"shipping_request": {
        "service_provider": "FEDEX", "logistics_type": "EXPRESS", "tracking_number": "TN77", "trade_id": id,
    }});
    assert_eq!(seller.call("/alibaba/v2/order/shipping", ship.clone()).await.code(), "ORDER_STATUS_ERROR");

    seller.bench.advance("60s").await;
    seller.by_hand("orders", json!({"do": "pay", "order": id.parse::<u64>().unwrap()})).await;
    assert_eq!((order().await["trade_status"].clone(), fee().await), (json!("undeliver"), json!("0.07")));
    assert_eq!(
        seller.call("/alibaba/order/cancel", json!({"trade_id": id})).await.code(),
        "ORDER_STATUS_ERROR"
    );
    // The list finds it by the dates of its change, both included.
    let found = async |from: i64, to: i64| {
        let date = |ms: i64| json!({"date_timestamp": ms});
        let args = json!({"role": "seller", "status": "undeliver", "modified_date_start": date(from), "modified_date_end": date(to)});
        seller.call("/alibaba/order/list", args).await.json()["value"]["total_count"].clone()
    };
    let paid = order().await["create_date"]["timestamp"].as_i64().unwrap() + 60_000;
    assert_eq!((found(paid, paid).await, found(paid + 1_000, paid + 9_000).await), (json!("1"), json!("0")));
    let dates = json!({"role": "seller", "modified_date_start": {"date_str": "2026-11-21 04:33:12"}});
    let list = seller.call("/alibaba/order/list", dates).await.json();
    assert_eq!(list["value"]["order_list"][0]["trade_id"], id, "{list}");

    let parcels = async || {
        seller.call("/order/logistics/tracking/get", json!({"trade_id": id})).await.json()["tracking_list"]
            .clone()
    };
    let state =
        async || seller.call("/order/logistics/query", json!({"trade_id": id})).await.json()["value"].clone();
    assert_eq!((parcels().await, state().await["logistic_status"].clone()), (json!([]), json!("UNDELIVER")));
    assert_eq!(
        seller.call("/alibaba/v2/order/shipping", ship.clone()).await.json()["value"]["success"],
        true
    );
    assert_eq!(seller.call("/alibaba/v2/order/shipping", ship).await.code(), "ORDER_STATUS_ERROR");
    assert_eq!(order().await["trade_status"], "wait_confirm_receipt");
    assert_eq!(state().await["shipping_order_list"][0]["voucher"]["tracking_number"], "TN77");
    assert_eq!(parcels().await[0]["current_event_code"], "PICKED_UP");
    seller.by_hand("orders", json!({"do": "deliver", "order": id.parse::<u64>().unwrap()})).await;
    let parcel = &parcels().await[0];
    assert_eq!((&parcel["carrier"], &parcel["current_event_code"]), (&json!("FEDEX"), &json!("DELIVERED")));
    assert_eq!(parcel["event_list"][0]["event_time"], "2026-11-21 04:33:12");
    let book = seller.book(PRODUCT).await;
    assert_eq!(sellable(&book["skus"][0]), 97);

    let other =
        seller.by_hand("orders", json!({"do": "create", "lines": lines, "paid": false})).await["order"]["id"]
            .to_string();
    let cancel = async || seller.call("/alibaba/order/cancel", json!({"trade_id": other})).await;
    assert_eq!(cancel().await.code(), "0");
    assert_eq!(cancel().await.code(), "ORDER_STATUS_ERROR");
    assert_eq!(sellable(&seller.book(PRODUCT).await["skus"][0]), 97, "what was held is free again");
    for (api, name) in [
        ("/alibaba/order/get", "e_trade_id"),
        ("/alibaba/order/cancel", "trade_id"),
        ("/order/logistics/query", "trade_id"),
        ("/order/logistics/tracking/get", "trade_id"),
    ] {
        assert_eq!(
            seller.call(api, json!({name: "234193410001028893"})).await.code(),
            "ORDER_NOT_EXIST",
            "{api}"
        );
    }
}
