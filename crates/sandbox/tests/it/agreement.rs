//! Replies agree with the request and with each other, or say that they are made up.

use serde_json::{Value as Json, json};

use crate::support::{Answer, Bench};

/// A shop that calls.
pub(crate) struct Shop {
    pub(crate) bench: Bench,
    platform: &'static str,
    token: String,
}

impl Shop {
    pub(crate) async fn of(platform: &'static str) -> Self {
        let bench = Bench::start().await;
        let login = bench.iop_login(&bench.app(platform), "").await;
        Self { bench, platform, token: login["access_token"].as_str().unwrap().to_owned() }
    }

    pub(crate) async fn call(&self, api: &str, args: &[(&str, &str)]) -> Answer {
        let app = self.bench.app(self.platform);
        let mut pairs = args.to_vec();
        pairs.push(("access_token", &self.token));
        if api.starts_with('/') {
            return self.bench.rest(&app, api, &pairs).await;
        }
        pairs.push(("method", api));
        self.bench.sync(&app, &pairs).await
    }
}

#[tokio::test]
async fn an_order_of_the_list_is_the_same_alone_on_alibaba() {
    let shop = Shop::of("alibaba").await;
    let list = shop.call("/alibaba/order/list", &[("role", "seller"), ("page_size", "100")]).await.json();
    let orders = list["value"]["order_list"].as_array().unwrap();
    assert!(orders.len() >= 20, "{list}");
    for order in orders.iter().take(5) {
        let answer =
            shop.call("/alibaba/order/get", &[("e_trade_id", order["trade_id"].as_str().unwrap())]).await;
        let json = answer.json();
        for name in ["trade_id", "trade_status", "create_date"] {
            assert_eq!(json["value"][name], order[name], "{name}");
        }
        assert!(json["value"]["order_products"].is_array(), "the rest is made up: {json}");
        assert_eq!(answer.header("x-sandbox-source"), Some("world"));
    }
    for nonsense in ["1", "none", "234193410001028893"] {
        let answer = shop.call("/alibaba/order/get", &[("e_trade_id", nonsense)]).await;
        assert_eq!(answer.code(), "ORDER_NOT_EXIST", "{}", answer.text());
    }
}

#[tokio::test]
async fn an_order_of_the_list_is_the_same_alone_on_lazada() {
    let shop = Shop::of("lazada").await;
    let list = shop.call("/orders/get", &[("created_after", "2020-01-01T00:00:00Z")]).await.json();
    let orders = list["data"]["orders"].as_array().unwrap();
    let id = |order: &Json| order["order_id"].to_string();
    for order in orders.iter().take(4) {
        let alone = shop.call("/order/get", &[("order_id", &id(order))]).await;
        assert_eq!(alone.json()["data"], *order);
        assert_eq!(alone.header("x-sandbox-source"), Some("world"));
        let items = shop.call("/order/items/get", &[("order_id", &id(order))]).await.json();
        let items = items["data"].as_array().unwrap();
        assert_eq!(json!(items.len()), order["items_count"]);
        for item in items {
            assert_eq!((&item["order_id"], &item["status"]), (&order["order_id"], &order["statuses"][0]));
        }
    }
    let ids = format!("[{},{}]", id(&orders[0]), id(&orders[1]));
    let both = shop.call("/orders/items/get", &[("order_ids", &ids)]).await.json();
    let both: Vec<&Json> = both["data"].as_array().unwrap().iter().map(|order| &order["order_id"]).collect();
    assert_eq!(both, [&orders[0]["order_id"], &orders[1]["order_id"]]);
    let joined = ids.trim_matches(['[', ']']);
    for (ids, code) in
        [(joined, "56"), (id(&orders[0]).as_str(), "56"), ("{}", "56"), ("[1,2]", "37"), (r#"["x"]"#, "37")]
    {
        let answer = shop.call("/orders/items/get", &[("order_ids", ids)]).await;
        assert_eq!(answer.code(), code, "{ids}: {}", answer.text());
    }
    let many = format!("[{}]", vec![id(&orders[0]); 101].join(","));
    assert_eq!(shop.call("/orders/items/get", &[("order_ids", &many)]).await.code(), "38");
    for api in ["/order/get", "/order/items/get"] {
        assert_eq!(shop.call(api, &[("order_id", "1")]).await.code(), "16");
    }
}

#[tokio::test]
async fn replies_that_are_made_up_say_so_and_echo_the_ids_asked_for() {
    let shop = Shop::of("aliexpress").await;
    let query = [("aeop_a_e_product_list_query", r#"{"product_status_type":"onSelling"}"#)];
    let list = shop.call("aliexpress.solution.product.list.get", &query).await;
    assert_eq!(list.header("x-sandbox-source"), Some("world"), "{}", list.text());
    let result = list.json()["aliexpress_solution_product_list_get_response"]["result"].take();
    let row = &result["aeop_a_e_product_display_d_t_o_list"]["item_display_dto"][0];
    let product = row["product_id"].to_string();
    let answer = shop.call("aliexpress.offer.product.query", &[("product_id", &product)]).await;
    assert!(answer.text().contains(&format!(r#""product_id":{product}"#)), "{}", answer.text());
    assert_eq!(answer.header("x-sandbox-source"), Some("documented"));
    // One that the shop does not have.
    let refused = shop.call("aliexpress.offer.product.query", &[("product_id", "1005003784285827")]).await;
    assert_eq!(refused.code(), "PRODUCT_NOT_EXIST", "{}", refused.text());
    let ids = "1005003784285827,32212764152,4000102014176";
    let answer = shop.call("aliexpress.affiliate.productdetail.get", &[("product_ids", ids)]).await;
    for id in ids.split(',') {
        assert_eq!(answer.text().matches(&format!("\"product_id\":{id}")).count(), 1, "{}", answer.text());
    }
    let wrong = [("product_id", "many")];
    let refused = shop.call("aliexpress.offer.product.query", &wrong).await;
    assert_eq!((refused.header("x-sandbox-source"), refused.code().as_str()), (None, "InvalidParameter"));
}

#[tokio::test]
async fn rows_do_not_contradict_the_status_asked_for() {
    let shop = Shop::of("alibaba").await;
    let list = |filter: &'static str| {
        let shop = &shop;
        async move {
            shop.call("/alibaba/icbu/product/list", &[("filter_type", filter), ("page_size", "30")]).await
        }
    };
    let total = |answer: &Answer| answer.json()["result"]["total_item"].as_u64().unwrap();
    // What scripts in use send to read the whole shop.
    assert_eq!(total(&list("onSelling").await), 40);
    let mut sum = 0;
    for (filter, words) in
        [("approved", &["approved"][..]), ("auditing", &["new", "modified"]), ("tbd", &["tbd"])]
    {
        let answer = list(filter).await;
        for row in answer.json()["result"]["products"].as_array().unwrap() {
            assert!(words.contains(&row["status"].as_str().unwrap()), "{filter}: {row}");
        }
        sum += total(&answer);
    }
    assert_eq!(sum, 40);
    assert_eq!(list("nosuch").await.code(), "InvalidParameter");

    let shop = Shop::of("lazada").await;
    let orders = |status: &'static str| {
        let shop = &shop;
        let args = [("created_after", "2020-01-01T00:00:00Z"), ("status", status)];
        async move { shop.call("/orders/get", &args).await }
    };
    let shipped = orders("shipped").await.json();
    for order in shipped["data"]["orders"].as_array().unwrap() {
        assert_eq!(order["statuses"], json!(["shipped"]));
    }
    assert_eq!(orders("package_scrapped").await.json()["data"]["countTotal"], 0, "documented, and rare");
    assert_eq!(orders("all").await.code(), "36", "documented: `all` is not a status");
}

#[tokio::test]
async fn changed_trades_come_for_a_day_at_most() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    let code = bench.code(&app, "").await;
    let create = [("method", "taobao.top.auth.token.create"), ("code", &code)];
    let token = bench.top(&app, &create).await.json();
    let token = token["top_auth_token_create_response"]["token_result"].as_str().unwrap();
    let token: Json = serde_json::from_str(token).unwrap();
    for (end, code) in [
        ("2026-11-21 00:00:00", "0"),
        ("2026-11-21 00:00:01", "41"),
        ("2026-12-10 00:00:00", "41"),
        ("2026-11-19 00:00:00", "41"),
    ] {
        let pairs = [
            ("method", "taobao.trades.sold.increment.get"),
            ("session", token["access_token"].as_str().unwrap()),
            ("fields", "tid"),
            ("start_modified", "2026-11-20 00:00:00"),
            ("end_modified", end),
        ];
        let answer = bench.top(&app, &pairs).await;
        assert_eq!(answer.code(), code, "{end}: {}", answer.text());
    }
}

#[tokio::test]
async fn daraz_takes_the_time_with_a_space_and_lazada_does_not() {
    for (platform, code) in [("daraz", "IllegalAccessToken"), ("lazada", "IllegalTimestamp")] {
        let bench = Bench::start().await;
        let app = bench.app(platform);
        let pairs = [("timestamp", "2026-11-21 20:32:12")];
        assert_eq!(bench.rest(&app, "/products/get", &pairs).await.code(), code);
    }
}

#[tokio::test]
async fn calls_of_the_old_seller_center_are_refused_in_its_own_form() {
    let bench = Bench::start().await;
    let xml = bench.get("/?Action=GetProducts&Format=XML&UserID=me&Version=1.0&Signature=0").await;
    assert_eq!(xml.status, 400);
    assert!(xml.text().contains("<ErrorCode>5</ErrorCode>"), "{}", xml.text());
    let json = bench.form("/", &[("Action", "GetOrder"), ("Format", "JSON")]).await;
    assert_eq!(json.status, 400);
    assert_eq!(json.json()["ErrorResponse"]["Head"]["RequestAction"], "GetOrder");
    assert_eq!(bench.get("/").await.status, 200, "people get a page");
}
