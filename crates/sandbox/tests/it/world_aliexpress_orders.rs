//! AliExpress: orders are listed, declared as shipped and tracked.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::seller::{Seller, ids, rows};

const LIST: &str = "aliexpress.solution.order.get";
const INFO: &str = "aliexpress.solution.order.info.get";
const FULFILL: &str = "aliexpress.solution.order.fulfill";

const STATUSES: [&str; 11] = [
    "PLACE_ORDER_SUCCESS",
    "IN_CANCEL",
    "WAIT_SELLER_SEND_GOODS",
    "SELLER_PART_SEND_GOODS",
    "WAIT_BUYER_ACCEPT_GOODS",
    "FUND_PROCESSING",
    "IN_ISSUE",
    "IN_FROZEN",
    "WAIT_SELLER_EXAMINE_MONEY",
    "RISK_CONTROL",
    "FINISH",
];

/// Reads all pages.
async fn list(seller: &Seller, args: &[(&str, &str)]) -> Vec<Json> {
    let mut all = Vec::new();
    for page in 1.. {
        let page = page.to_string();
        let mut args = args.to_vec();
        args.extend([("current_page", &*page), ("page_size", "7")]);
        let reply = seller.get(LIST, &args).await;
        let some = rows(&reply, "/result/target_list");
        all.extend_from_slice(some);
        if some.len() < 7 {
            assert_eq!(reply["result"]["total_count"], all.len());
            break;
        }
    }
    all
}

fn set(rows: &[Json], name: &str) -> BTreeSet<u64> {
    let ids: BTreeSet<u64> = rows.iter().map(|row| row[name].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), rows.len(), "each once");
    ids
}

#[tokio::test]
async fn orders_come_by_status_and_closed_ones_only_when_asked_for() {
    let seller = Seller::of("aliexpress").await;
    let books = seller.orders().await;
    let mut all = BTreeSet::new();
    for status in STATUSES {
        let some = list(&seller, &[("order_status", status)]).await;
        assert!(some.iter().all(|order| order["order_status"] == status));
        let some = set(&some, "order_id");
        assert!(all.is_disjoint(&some), "{status}");
        all.extend(some);
    }
    assert_eq!(all, set(&books, "id"));
    let open = list(&seller, &[]).await;
    assert!(open.iter().all(|order| order["order_status"] != "FINISH" && order.get("end_reason").is_none()));
    let closed = list(&seller, &[("order_status_list", r#"["FINISH"]"#)]).await;
    assert_eq!(open.len() + closed.len(), books.len());
    for order in &closed {
        let state = &seller.book("orders", order["order_id"].as_u64().unwrap()).await["state"];
        let reason = order["end_reason"].as_str().unwrap();
        assert_eq!(state == "done", reason == "buyer_accept_goods", "{state} {reason}");
    }
    // The same in one argument, as other SDKs send it; newest first; times are Pacific.
    let whole =
        json!({"page_size": 50, "order_status_list": ["FINISH", "WAIT_SELLER_SEND_GOODS"]}).to_string();
    let reply = seller.get(LIST, &[("param0", &whole)]).await;
    let times: Vec<&str> =
        rows(&reply, "/result/target_list").iter().map(|row| row["gmt_create"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next) && times.len() > 10, "{times:?}");
    let newest = &books[0]["created"];
    assert_eq!(
        (newest, &open[0]["gmt_create"]),
        (&json!("2026-11-18T06:45:48Z"), &json!("2026-11-17 22:45:48"))
    );
    for (name, value) in [
        ("order_status", "SHIPPED"),
        ("order_status_list", "FINISH,X"),
        ("create_date_start", "11/01/2026 00:00:00"),
        ("current_page", "0"),
        ("param0", "{"),
    ] {
        assert_eq!(seller.refusal(LIST, &[(name, value)]).await, "InvalidParameter", "{name}");
    }
    let many = seller.get(LIST, &[("page_size", "51")]).await;
    assert_eq!(rows(&many, "/result/target_list").len(), 50.min(open.len()));
}

#[tokio::test]
async fn orders_come_by_creation_and_by_change() {
    let seller = Seller::of("aliexpress").await;
    let skus = &seller.skus(1).await[0][0];
    let id = seller.order(&[(skus, 1)], false).await["id"].as_u64().unwrap();
    seller.bench.advance("1h").await;
    seller.step("orders", json!({"do": "pay", "order": id})).await;
    // 12:32:12 and 13:32:12 UTC are 04:32:12 and 05:32:12 there.
    let within = async |name: &str, from: &str, to: &str| {
        let (start, end) = (format!("{name}_date_start"), format!("{name}_date_end"));
        let (from, to) = (format!("2026-11-21 {from}"), format!("2026-11-21 {to}"));
        let reply = seller.get(LIST, &[(&*start, &*from), (&*end, &*to)]).await;
        ids(&reply, "/result/target_list", "order_id")
    };
    assert_eq!(within("create", "04:32:12", "04:32:12").await, [id]);
    assert!(within("create", "04:32:13", "05:32:12").await.is_empty());
    assert_eq!(within("modified", "05:32:12", "06:00:00").await, [id]);
    assert!(within("modified", "00:00:00", "05:32:11").await.is_empty());
    let order =
        &seller.get(LIST, &[("create_date_start", "2026-11-21 00:00:00")]).await["result"]["target_list"][0];
    assert_eq!(
        (&order["gmt_create"], &order["gmt_pay_time"], &order["gmt_update"]),
        (&json!("2026-11-21 04:32:12"), &json!("2026-11-21 05:32:12"), &json!("2026-11-21 05:32:12"))
    );
    assert_eq!(order["pay_amount"], json!({"amount": format!("{:.2}", skus.price), "currency_code": "USD"}));
    assert_eq!(order["product_list"][0]["sku_code"], *skus.code);
    let buyer = order["buyer_login_id"].as_str().unwrap();
    assert_eq!(
        list(&seller, &[("buyer_login_id", buyer), ("order_status", "WAIT_SELLER_SEND_GOODS")]).await.len(),
        1
    );
}

#[tokio::test]
async fn an_order_is_shipped_in_parts_and_not_twice() {
    let seller = Seller::of("aliexpress").await;
    let skus = seller.skus(1).await;
    let (one, two, three) = (&skus[0][0], &skus[1][0], &skus[2][0]);
    let id = seller.order(&[(one, 2), (two, 1), (three, 1)], true).await["id"].as_u64().unwrap();
    let text = id.to_string();
    let fulfill = async |kind: &str, number: &str| {
        let args = [
            ("out_ref", &*text),
            ("send_type", kind),
            ("service_name", "CAINIAO_STANDARD"),
            ("logistics_no", number),
        ];
        let reply = seller.get(FULFILL, &args).await["result"].clone();
        (reply["result_success"] == true, reply["result_error_code"].as_str().unwrap_or_default().to_owned())
    };
    let status = async || {
        let param = json!({"order_id": id}).to_string();
        let page = seller.get(INFO, &[("param1", &param)]).await["result"]["data"].clone();
        let sent = rows(&page, "/logistic_info_list").iter().map(|row| row["logistics_no"].clone()).collect();
        (page["order_status"].as_str().unwrap().to_owned(), Json::Array(sent))
    };
    assert!(fulfill("part", "LX1001").await.0);
    assert_eq!(status().await, ("SELLER_PART_SEND_GOODS".to_owned(), json!(["LX1001"])));
    assert_eq!((seller.sku(one).await.stock, seller.sku(two).await.stock), (one.stock - 2, two.stock));
    assert_eq!(fulfill("part", "LX1001").await, (false, "ORDER_ALREADY_SHIPPED".to_owned()));
    assert!(fulfill("all", "LX1002").await.0);
    assert_eq!(status().await, ("WAIT_BUYER_ACCEPT_GOODS".to_owned(), json!(["LX1001", "LX1002"])));
    let now = (seller.sku(two).await, seller.sku(three).await);
    assert_eq!((now.0.stock, now.1.stock), (two.stock - 1, three.stock - 1));
    assert_eq!((now.0.reserved, now.1.reserved), (two.reserved, three.reserved));
    for number in ["LX1002", "LX1003"] {
        assert_eq!(fulfill("all", number).await, (false, "ORDER_ALREADY_SHIPPED".to_owned()), "{number}");
    }
    assert_eq!(seller.sku(two).await.stock, two.stock - 1);

    // Declared with another number, and tracked by it.
    let modify = async |old: &str| {
        let args = [
            ("out_ref", &*text),
            ("send_type", "all"),
            ("old_service_name", "CAINIAO_STANDARD"),
            ("old_logistics_no", old),
            ("new_service_name", "EMS"),
            ("new_logistics_no", "EM2001"),
        ];
        seller.get("aliexpress.logistics.sellermodifiedshipmentfortop", &args).await
    };
    assert_eq!(modify("LX9999").await["result_error_code"], "SHIPMENT_NOT_EXIST");
    assert_eq!(modify("LX1002").await["result_success"], true);
    assert_eq!(status().await.1, json!(["LX1001", "EM2001"]));
    seller.bench.advance("48h").await;
    seller.step("orders", json!({"do": "deliver", "order": id})).await;
    for api in
        ["aliexpress.logistics.redefining.querytrackingresult", "aliexpress.logistics.ds.trackinginfo.query"]
    {
        let track = async |service: &str, number: &str| {
            let args = [
                ("service_name", service),
                ("logistics_no", number),
                ("out_ref", &*text),
                ("origin", "ESCROW"),
                ("to_area", "US"),
            ];
            seller.get(api, &args).await
        };
        let found = track("EMS", "EM2001").await;
        let words: Vec<&Json> = rows(&found, "/details").iter().map(|event| &event["status"]).collect();
        assert_eq!(words, ["delivered", "transit"]);
        for (service, number) in [("EMS", "LX1001"), ("CAINIAO_STANDARD", "LX1002")] {
            assert_eq!(track(service, number).await["result_success"], false, "{service} {number}");
        }
    }
    let tracked = seller
        .get("aliexpress.ds.order.tracking.get", &[("ae_order_id", &text), ("language", "en_US")])
        .await;
    let parcels = rows(&tracked, "/result/data/tracking_detail_line_list");
    assert_eq!((&parcels[0]["mail_no"], &parcels[1]["mail_no"]), (&json!("LX1001"), &json!("EM2001")));
    assert_eq!(parcels[0]["package_item_list"][0]["quantity"], 2);
    let delivered = parcels[0]["detail_node_list"][0]["time_stamp"].as_u64().unwrap();
    assert_eq!(delivered, 1_795_264_332_000 + 48 * 3_600_000);
}

#[tokio::test]
async fn what_cannot_be_shipped_is_refused() {
    let seller = Seller::of("aliexpress").await;
    let sku = &seller.skus(1).await[0][0];
    let paid = seller.order(&[(sku, 1)], true).await["id"].to_string();
    let unpaid = seller.order(&[(sku, 1)], false).await["id"].to_string();
    let cancelled = seller.order(&[(sku, 1)], true).await["id"].clone();
    seller.step("orders", json!({"do": "cancel", "order": cancelled})).await;
    let asked = seller.order(&[(sku, 1)], true).await["id"].clone();
    seller.step("orders", json!({"do": "ask-cancel", "order": asked})).await;
    let good =
        [("send_type", "all"), ("service_name", "EMS"), ("logistics_no", "LX1001"), ("out_ref", &*paid)];
    let with = async |changes: &[(&str, &str)]| {
        let mut args = good.to_vec();
        for (name, value) in changes {
            args.retain(|(known, _)| known != name);
            args.push((name, value));
        }
        let reply = seller.get("aliexpress.logistics.sellershipmentfortop", &args).await;
        assert_eq!(reply["result_success"], false, "{changes:?}");
        reply["result_error_code"].as_str().unwrap().to_owned()
    };
    let (cancelled, asked) = (cancelled.to_string(), asked.to_string());
    for (changes, code) in [
        (&[("out_ref", "5")][..], "ORDER_NOT_EXIST"),
        (&[("out_ref", "five")], "ORDER_NOT_EXIST"),
        (&[("out_ref", &*unpaid)], "ORDER_STATUS_ERROR"),
        (&[("out_ref", &*cancelled)], "ORDER_STATUS_ERROR"),
        (&[("out_ref", &*asked)], "ORDER_STATUS_ERROR"),
        (&[("service_name", "NO_SUCH")], "SERVICE_NAME_NOT_EXIST"),
        (&[("service_name", "Other")], "TRACKING_WEBSITE_MISSING"),
        (&[("logistics_no", "a b")], "LOGISTICS_NO_INVALID"),
        (&[("logistics_no", "ab")], "LOGISTICS_NO_INVALID"),
    ] {
        assert_eq!(with(changes).await, code, "{changes:?}");
    }
    let api = "aliexpress.logistics.sellershipmentfortop";
    assert_eq!(
        seller.refusal(api, &[&good[1..], &[("send_type", "half")]].concat()).await,
        "InvalidParameter"
    );
    assert_eq!(seller.refusal(api, &good[1..]).await, "MissingParameter");
    assert_eq!(seller.book("orders", paid.parse().unwrap()).await["state"], "to-ship", "nothing was changed");
    let other =
        [&good[..1], &good[2..], &[("service_name", "Other"), ("tracking_website", "https://track.example")]];
    assert_eq!(seller.get(api, &other.concat()).await["result_success"], true);
    // Every carrier of the list is taken.
    let carriers = seller.get("aliexpress.logistics.redefining.listlogisticsservice", &[]).await;
    for carrier in rows(&carriers, "/result_list").iter().filter(|carrier| carrier["service_name"] != "Other")
    {
        let order = seller.order(&[(sku, 1)], true).await["id"].to_string();
        let name = carrier["service_name"].as_str().unwrap();
        let args =
            [("send_type", "part"), ("service_name", name), ("logistics_no", "LX1001"), ("out_ref", &*order)];
        assert_eq!(seller.get(api, &args).await["result_success"], true, "{name}");
        let book = seller.book("orders", order.parse().unwrap()).await;
        assert_eq!(book["state"], "packed", "a part of one line: more parcels follow");
    }
}

#[tokio::test]
async fn unknown_orders_are_refused_by_every_page() {
    let seller = Seller::of("aliexpress").await;
    let known = seller.orders().await[0]["id"].to_string();
    for (api, argument) in [
        ("aliexpress.solution.order.receiptinfo.get", "param1"),
        ("aliexpress.solution.order.delivery.info.get", "single_order_query"),
        ("aliexpress.trade.ds.order.get", "single_order_query"),
    ] {
        let query = |id: &str| format!(r#"{{"order_id":{id}}}"#);
        assert!(seller.get(api, &[(argument, &query(&known))]).await["result"].is_object());
        assert_eq!(seller.refusal(api, &[(argument, &query("5"))]).await, "ORDER_NOT_EXIST", "{api}");
        assert_eq!(seller.refusal(api, &[(argument, "{}")]).await, "MissingParameter", "{api}");
        assert_eq!(seller.refusal(api, &[]).await, "MissingParameter", "{api}");
    }
    let info = seller.get(INFO, &[("param1", r#"{"order_id":5}"#)]).await;
    assert_eq!(
        (&info["result"]["error_code"], info["result"].get("data")),
        (&json!("ORDER_NOT_EXIST"), None)
    );
    let trade = async |id: &str| seller.get("aliexpress.ds.trade.order.get", &[("order_id", id)]).await;
    assert_eq!(trade(&known).await["rsp_code"], 200);
    assert_eq!(trade("5").await["rsp_code"], 605);
    let track = async |id: &str| {
        let args = [("ae_order_id", id), ("language", "en_US")];
        seller.get("aliexpress.ds.order.tracking.get", &args).await["result"].clone()
    };
    let unshipped = seller.orders().await.into_iter().find(|order| order["state"] == "to-ship").unwrap();
    for id in ["5", "five", &unshipped["id"].to_string()] {
        assert_eq!(track(id).await["msg"], "TRACKING DATA NOT FOUND", "{id}");
    }
}

#[tokio::test]
async fn the_legacy_gateway_lists_and_ships_the_same_orders() {
    const LIST: &str = "api.findOrderListQuery";
    let seller = Seller::of("aliexpress-legacy").await;
    let books = seller.orders().await;
    let get = async |args: &[(&str, &str)]| {
        let mut all = vec![("page", "1"), ("pageSize", "50")];
        all.extend_from_slice(args);
        seller.get(LIST, &all).await["result"].clone()
    };
    let open = get(&[]).await["totalItem"].as_u64().unwrap();
    let closed = get(&[("orderStatus", "FINISH")]).await["totalItem"].as_u64().unwrap();
    assert_eq!(open + closed, books.len() as u64);
    let sku = &seller.skus(1).await[0][0];
    let id = seller.order(&[(sku, 2)], true).await["id"].to_string();
    let found =
        get(&[("createDateStart", "11/21/2026 04:32:12"), ("createDateEnd", "11/21/2026 04:32:12")]).await;
    let row = &rows(&found, "/orderList")[0];
    assert_eq!(
        (row["orderId"].to_string(), &row["gmtCreate"], &row["orderStatus"]),
        (id.clone(), &json!("20261121043212000-0800"), &json!("WAIT_SELLER_SEND_GOODS"))
    );
    assert_eq!(row["payAmount"]["cent"], (sku.price * 200.0).round());
    assert_eq!(row["productList"][0]["skuCode"], *sku.code);
    for (name, value) in [("createDateStart", "2026-11-21 00:00:00"), ("orderStatus", "DONE")] {
        let answer = seller.call(LIST, &[("page", "1"), ("pageSize", "5"), (name, value)]).await;
        assert_eq!(answer.code(), "14030996", "{name}: {}", answer.text());
    }

    let args = [("serviceName", "EMS"), ("logisticsNo", "EM1001"), ("sendType", "all"), ("outRef", &*id)];
    assert_eq!(seller.get("api.sellerShipment", &args).await, json!({"success": true}));
    assert_eq!(seller.get("api.sellerShipment", &args).await["errorCode"], "ORDER_ALREADY_SHIPPED");
    let page = seller.get("api.findOrderById", &[("orderId", &id)]).await;
    assert_eq!(
        (&page["orderStatus"], page["id"].to_string()),
        (&json!("WAIT_BUYER_ACCEPT_GOODS"), id.clone())
    );
    assert_eq!(page["childOrderList"][0]["orderStatus"], "WAIT_BUYER_ACCEPT_GOODS");
    let track = [
        ("serviceName", "EMS"),
        ("logisticsNo", "EM1001"),
        ("toArea", "US"),
        ("origin", "ESCROW"),
        ("outRef", &*id),
    ];
    let events = seller.get("api.queryTrackingResult", &track).await;
    assert_eq!(rows(&events, "/details")[0]["eventDate"], "20261121043212000-0800");
    let receipt = seller.get("api.findOrderReceiptInfo", &[("orderId", &id)]).await;
    assert_eq!(receipt["result"]["contactPerson"], seller.book("orders", id.parse().unwrap()).await["buyer"]);
    for api in ["api.findOrderById", "api.findOrderReceiptInfo"] {
        assert_eq!(seller.get(api, &[("orderId", "5")]).await["errorCode"], "ORDER_NOT_EXIST", "{api}");
    }
}
