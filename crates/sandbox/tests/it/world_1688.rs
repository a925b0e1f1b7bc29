//! 1688's products, stock, orders and parcels on the world, over HTTP.

use serde_json::{Value as Json, json};

use crate::support::{Answer, Bench};

const PRODUCT: u64 = 600_123_456_789;
const SKU: u64 = 3_012_345_678_901;

struct Seller {
    bench: Bench,
    token: String,
}

impl Seller {
    async fn login() -> Self {
        let bench = Bench::start().await;
        let app = bench.app("1688");
        let code = bench.code(&app, &bench.login("1688")).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("need_refresh_token", "true"),
            ("client_id", app.app_key.as_str()),
            ("client_secret", app.app_secret.as_deref().unwrap()),
            ("redirect_uri", app.redirect_uri.as_str()),
            ("code", &code),
        ];
        let target = format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key);
        let reply = bench.form(&target, &pairs).await.json();
        Self { token: reply["access_token"].as_str().unwrap().to_owned(), bench }
    }

    async fn answer(&self, api: &str, args: &Json) -> Answer {
        let texts: Vec<(String, String)> = args
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map_or(value.to_string(), str::to_owned)))
            .collect();
        let mut pairs: Vec<(&str, &str)> = texts.iter().map(|(name, value)| (&**name, &**value)).collect();
        pairs.push(("access_token", &self.token));
        self.bench.param2(&self.bench.app("1688"), api, &pairs).await
    }

    async fn call(&self, api: &str, args: Json) -> Json {
        let answer = self.answer(api, &args).await;
        assert_eq!(
            (answer.status, answer.header("x-sandbox-source")),
            (200, Some("world")),
            "{}",
            answer.text()
        );
        answer.json()
    }

    async fn product(&self, name: &str, args: Json) -> Json {
        self.call(&format!("com.alibaba.product/alibaba.product.{name}"), args).await
    }

    async fn trade(&self, name: &str, args: Json) -> Json {
        self.call(&format!("com.alibaba.trade/alibaba.trade.{name}"), args).await
    }

    async fn logistics(&self, name: &str, args: Json) -> Json {
        self.call(&format!("com.alibaba.logistics/alibaba.trade.{name}"), args).await
    }

    async fn by_hand(&self, route: &str, body: Json) -> Json {
        let target = format!("/_sandbox/{route}?platform=1688");
        let answer = self.bench.post(&target, "application/json", body.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// What can be sold of each SKU of a product.
    async fn on_sale(&self, product: &Json) -> Vec<u64> {
        let page = self.product("get", json!({"productID": product, "webSite": "1688"})).await;
        let skus = page["productInfo"]["skuInfos"].as_array().unwrap();
        skus.iter().map(|sku| sku["amountOnSale"].as_u64().unwrap()).collect()
    }

    async fn with_skus(&self, status: &str) -> Json {
        let books = self.bench.control("GET", "products?platform=1688&limit=1000", &Json::Null).await;
        let fits =
            |product: &&Json| product["status"] == status && product["skus"].as_array().unwrap().len() > 1;
        books["products"].as_array().unwrap().iter().find(fits).unwrap().clone()
    }
}

#[tokio::test]
async fn stock_moves_by_differences_and_each_product_stands_for_itself() {
    let seller = Seller::login().await;
    let product = seller.with_skus("selling").await;
    let (id, one, other) = (&product["id"], &product["skus"][0]["id"], &product["skus"][1]["id"]);
    let before = seller.on_sale(id).await;
    let modify = async |rows: Json| {
        seller.product("modifyStock", json!({"productStockChange": rows, "webSite": "1688"})).await["result"]
            .clone()
    };
    let change = |sku: &Json, by: i64| json!({"skuId": sku.to_string(), "stockChange": by});
    let set = json!([{"productId": id, "skuStocks": [change(one, 7), change(other, -1)]}, {"productId": 5, "productAmountChange": 1}]);
    let told = modify(set).await;
    assert_eq!((&told[0]["result"], &told[0]["code"]), (&json!(true), &json!("0")));
    assert_eq!((&told[1]["result"], &told[1]["code"]), (&json!(false), &json!("PRODUCT_NOT_EXIST")));
    let after = seller.on_sale(id).await;
    assert_eq!(after[..2], [before[0] + 7, before[1] - 1]);
    let books = seller.bench.control("GET", &format!("products?platform=1688&id={id}"), &Json::Null).await;
    let sku = &books["products"][0]["skus"][0];
    assert_eq!(sku["stock"].as_u64().unwrap() - sku["reserved"].as_u64().unwrap(), after[0]);

    let too_many = -i64::try_from(after[1]).unwrap() - 1;
    for (row, code) in [
        (
            json!({"productId": id, "skuStocks": [change(one, 1), change(other, too_many)]}),
            "STOCK_NOT_ENOUGH",
        ),
        (json!({"productId": id, "skuStocks": [change(one, 1), change(&json!(4), 1)]}), "SKU_NOT_EXIST"),
        (json!({"productId": id, "productAmountChange": 3}), "PARAM_ERROR"),
        (json!({"productId": id, "productAmountChange": 3, "skuStocks": [change(one, 2)]}), "PARAM_ERROR"),
        (json!({"productId": id}), "PARAM_ERROR"),
    ] {
        let told = modify(json!([row])).await;
        assert_eq!((&told[0]["result"], &told[0]["code"]), (&json!(false), &json!(code)), "{told}");
    }
    assert_eq!(seller.on_sale(id).await, after, "what is refused changes nothing");
    let none = json!({"productStockChange": [], "webSite": "1688"});
    let answer = seller.answer("com.alibaba.product/alibaba.product.modifyStock", &none).await;
    assert_eq!(answer.code(), "gw.ParamMissing");

    // Absolute numbers on demand.
    let absolute = json!({"productStockChange": [{"productId": id, "skuStocks": [change(one, 4)]}], "increaceModify": false});
    assert_eq!(seller.product("modifyStock", absolute).await["result"][0]["result"], true);
    assert_eq!(seller.on_sale(id).await[0], 4);
    // What an order holds is not on sale.
    let lines = json!([{"product": id, "sku": one, "quantity": 3}]);
    seller.by_hand("orders", json!({"do": "create", "lines": lines})).await;
    assert_eq!(seller.on_sale(id).await[0], 1);
    let told = modify(json!([{"productId": id, "skuStocks": [change(one, -2)]}])).await;
    assert_eq!(told[0]["code"], "STOCK_NOT_ENOUGH");
}

#[tokio::test]
async fn products_are_expired_reposted_and_deleted() {
    let seller = Seller::login().await;
    let review = seller.with_skus("under-review").await["id"].clone();
    let status =
        async || seller.product("get", json!({"productID": PRODUCT})).await["productInfo"]["status"].clone();
    let ids = json!({"productIds": [PRODUCT, 9, review], "webSite": "1688"});
    let told = seller.product("expire", ids.clone()).await["result"].clone();
    assert_eq!((&told[0]["result"], &told[1]["code"]), (&json!(true), &json!("PRODUCT_NOT_EXIST")));
    assert_eq!((&told[2]["code"], status().await), (&json!("PRODUCT_STATUS_ERROR"), json!("member expired")));
    assert_eq!(seller.product("expire", ids.clone()).await["result"], told, "it may be said twice");
    assert_eq!(seller.product("repost", ids).await["result"][0]["result"], true);
    assert_eq!(status().await, "published");
    let gone = json!({"productID": PRODUCT, "webSite": "1688"});
    assert_eq!(seller.product("delete", gone.clone()).await["isSuccess"], true);
    let again = seller.product("delete", gone.clone()).await;
    assert_eq!((&again["isSuccess"], &again["reason"]), (&json!(false), &json!("the product is deleted")));
    let page = seller.product("get", gone).await;
    assert!(
        page["productInfo"].is_null() && page["errMsg"].as_str().unwrap().contains("no product"),
        "{page}"
    );
    let list = seller.product("list.get", json!({"productIds": [PRODUCT]})).await;
    assert_eq!(list["result"]["result"]["pageResult"]["totalRecords"], 0);
}

#[tokio::test]
async fn lists_of_products_are_narrowed_by_time_state_and_number() {
    let seller = Seller::login().await;
    seller.bench.advance("3600s").await;
    let change = json!([{"productId": PRODUCT, "skuStocks": [{"skuId": SKU, "stockChange": 1}]}]);
    seller.product("modifyStock", json!({"productStockChange": change})).await;
    let total = async |args: Json| {
        let page = seller.product("list.get", args).await["result"]["result"]["pageResult"].clone();
        (page["totalRecords"].as_u64().unwrap(), page["resultList"][0]["productID"].as_u64())
    };
    let from = |time: &str| json!({"startModifyTime": format!("{time}000+0800")});
    assert_eq!(total(from("20261121213212")).await, (1, Some(PRODUCT)));
    assert_eq!(total(from("20261121213213")).await, (0, None));
    assert_eq!(total(json!({"endModifyTime": "20261121213211000+0800"})).await.0, 39);
    assert_eq!(total(json!({"cargoNumber": "PEN-RED-12"})).await, (1, Some(PRODUCT)));
    let all = total(json!({})).await.0;
    let published = total(json!({"statusList": ["published"]})).await.0;
    let others = total(json!({"statusList": ["auditing", "member expired", "untread"]})).await.0;
    assert_eq!((all, published + others), (40, 40));
    let (low, high) =
        (total(json!({"priceEnd": "100.00"})).await.0, total(json!({"priceStart": "100.01"})).await.0);
    assert!(low > 0 && high > 0 && low + high == 40, "{low} {high}");
    let before = total(json!({"endPublishTime": "20260601000000000+0800"})).await.0;
    let after = total(json!({"startPublishTime": "20260601000001000+0800"})).await.0;
    assert!(before > 0 && after > 0 && before + after == 40, "{before} {after}");
    let api = "com.alibaba.product/alibaba.product.list.get";
    assert_eq!(seller.answer(api, &json!({"statusList": ["nosuch"]})).await.code(), "400");
}

#[tokio::test]
async fn an_order_is_seen_from_both_sides_until_it_arrives() {
    let seller = Seller::login().await;
    let lines = json!([{"product": PRODUCT, "sku": SKU, "quantity": 2}]);
    let stock = json!([{"productId": PRODUCT, "skuStocks": [{"skuId": SKU, "stockChange": 50}]}]);
    seller.product("modifyStock", json!({"productStockChange": stock})).await;
    let free = seller.on_sale(&json!(PRODUCT)).await[0];
    let order =
        seller.by_hand("orders", json!({"do": "create", "lines": lines, "paid": false})).await["order"]
            .clone();
    let id = order["id"].to_string();
    let get = async |side: &str| {
        seller.trade(&format!("get.{side}View"), json!({"orderId": id, "webSite": "1688"})).await["result"]
            .clone()
    };
    let unpaid = get("seller").await;
    assert_eq!(unpaid, get("buyer").await);
    let (base, item) = (&unpaid["baseInfo"], &unpaid["productItems"][0]);
    assert_eq!((&base["status"], &base["idOfStr"]), (&json!("waitbuyerpay"), &json!(id)));
    assert_eq!(
        (&item["cargoNumber"], &item["quantity"], &item["skuID"]),
        (&json!("PEN-RED-12"), &json!("2"), &json!(SKU))
    );
    assert_eq!(base["createTime"], "20261121203212000+0800");
    let cents = |value: &Json| value.as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
    assert_eq!(cents(&item["price"]) * 2, cents(&item["itemAmount"]));
    assert_eq!(item["itemAmount"], base["totalAmount"]);
    assert!(base["receiverInfo"]["toMobile"].as_str().unwrap().contains("****"));

    seller.bench.advance("60s").await;
    seller.by_hand("orders", json!({"do": "pay", "order": order["id"]})).await;
    let list = async |name: &str, args: Json| seller.trade(name, args).await;
    let changed = json!({"orderStatus": "waitsellersend", "modifyStartTime": "20261121203312000+0800"});
    let found = list("getSellerOrderList", changed.clone()).await;
    assert_eq!((&found["totalRecord"], &found["result"][0]["baseInfo"]["idOfStr"]), (&json!(1), &json!(id)));
    assert!(found["result"][0]["baseInfo"].get("receiverInfo").is_none(), "addresses come on demand");
    assert_eq!(list("getBuyerOrderList", changed).await, found);
    let with = json!({"modifyStartTime": "20261121203312000+0800", "needBuyerAddressAndPhone": true});
    assert!(list("getSellerOrderList", with).await["result"][0]["nativeLogistics"]["address"].is_string());
    for wrong in [json!({"orderStatus": "nosuch"}), json!({"refundStatus": "nosuch"})] {
        let answer = seller.answer("com.alibaba.trade/alibaba.trade.getSellerOrderList", &wrong).await;
        assert_eq!(answer.code(), "400");
    }

    let parcels = async || {
        seller.logistics("ec.getLogisticsInfos.sellerView", json!({"orderId": id, "webSite": "1688"})).await["result"].clone()
    };
    let trace = async |side: &str, list: &str| {
        let args = json!({"orderId": id, "webSite": "1688"});
        seller.logistics(&format!("getLogisticsTraceInfo.{side}View"), args).await[list].clone()
    };
    assert_eq!((parcels().await, trace("seller", "logisticsTrace").await), (json!([]), json!([])));
    seller.by_hand("orders", json!({"do": "ship", "order": order["id"]})).await;
    let parcel = parcels().await[0].clone();
    assert_eq!(
        (&parcel["orderEntryIds"], &parcel["status"]),
        (&json!(item["subItemID"].to_string()), &json!("TRANSPORT"))
    );
    let traced = trace("buyer", "result").await;
    assert_eq!(traced[0]["logisticsBillNo"], parcel["logisticsBillNo"]);
    assert_eq!(traced[0]["logisticsSteps"][0]["acceptTime"], "2026-11-21 20:33:12");
    let shipped = get("seller").await;
    assert_eq!(shipped["baseInfo"]["status"], "waitbuyerreceive");
    assert_eq!(shipped["nativeLogistics"]["logisticsItems"][0]["logisticsCode"], parcel["logisticsId"]);
    assert_eq!(seller.on_sale(&json!(PRODUCT)).await[0], free - 2);
    seller.by_hand("orders", json!({"do": "deliver", "order": order["id"]})).await;
    assert_eq!(
        (parcels().await[0]["status"].clone(), get("buyer").await["baseInfo"]["status"].clone()),
        (json!("SIGN"), json!("confirm_goods"))
    );
    let other = json!({"orderId": id, "logisticsId": "LP1", "webSite": "1688"});
    assert_eq!(
        seller.logistics("getLogisticsTraceInfo.sellerView", other).await["errorCode"],
        "LOGISTICS_NOT_EXIST"
    );
    seller.by_hand("orders", json!({"do": "ask-return", "order": order["id"]})).await;
    let asked = list(
        "getSellerOrderList",
        json!({"refundStatus": "waitselleragree", "modifyStartTime": "20261121203312000+0800"}),
    )
    .await;
    assert_eq!(asked["totalRecord"], 1);
}

#[tokio::test]
async fn only_what_is_not_paid_is_canceled_and_unknown_orders_are_refused() {
    let seller = Seller::login().await;
    // Two orders of the examples: one is paid, one is not.
    let cancel = async |id: u64| {
        seller.trade("cancel", json!({"tradeID": id, "webSite": "1688", "cancelReason": "buyerCancel"})).await
    };
    let paid = cancel(1_234_567_890_123_456_789).await;
    assert_eq!((&paid["success"], &paid["errorCode"]), (&json!(false), &json!("ORDER_STATUS_ERROR")));
    let unpaid = 1_234_567_890_123_456_799;
    assert_eq!(cancel(unpaid).await["success"], true);
    assert_eq!(cancel(unpaid).await["errorCode"], "ORDER_STATUS_ERROR");
    let order =
        seller.trade("get.sellerView", json!({"orderId": unpaid.to_string()})).await["result"]["baseInfo"]
            .clone();
    assert_eq!((&order["status"], &order["closeReason"]), (&json!("cancel"), &json!("buyerCancel")));
    assert_eq!(cancel(1).await["errorCode"], "ORDER_NOT_EXIST");
    for (name, args) in [
        ("com.alibaba.trade/alibaba.trade.get.sellerView", json!({"orderId": "1"})),
        ("com.alibaba.trade/alibaba.trade.get.buyerView", json!({"orderId": "x"})),
        (
            "com.alibaba.logistics/alibaba.trade.getLogisticsInfos.buyerView",
            json!({"orderId": 1, "webSite": "1688"}),
        ),
        ("com.alibaba.logistics/alibaba.trade.getLogisticsTraceInfo.sellerView", json!({"orderId": "1"})),
    ] {
        assert_eq!(seller.call(name, args).await["errorCode"], "ORDER_NOT_EXIST", "{name}");
    }
    // The archive holds what is old and over.
    let total =
        async |args: Json| seller.trade("getSellerOrderList", args).await["totalRecord"].as_u64().unwrap();
    let (all, old) = (total(json!({})).await, total(json!({"isHis": true})).await);
    assert!(0 < old && old < all, "{old} of {all}");
    assert_eq!(total(json!({"isHis": true, "orderStatus": "waitsellersend"})).await, 0);
}
