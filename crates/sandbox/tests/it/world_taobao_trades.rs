//! Taobao: trades come by creation and by change, are shipped in the three ways, and are refunded.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::seller::{Seller, ids, rows};

const SOLD: &str = "taobao.trades.sold.get";
const CHANGED: &str = "taobao.trades.sold.increment.get";
const TRADE: &str = "taobao.trade.fullinfo.get";

/// Reads the trades that changed in a day of Beijing.
async fn changed(seller: &Seller, day: &str, more: &[(&str, &str)]) -> Json {
    let (from, to) = (format!("{day} 00:00:00"), format!("{day} 23:59:59"));
    let args = [("fields", "tid,status,modified,orders"), ("start_modified", &from), ("end_modified", &to)];
    seller.get(CHANGED, &[&args, more].concat()).await
}

#[tokio::test]
async fn changed_trades_come_last_changed_first_and_leave_the_pages_behind() {
    let seller = Seller::of("taobao").await;
    let sku = &seller.skus(1).await[0][0];
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(seller.order(&[(sku, 1)], false).await["id"].as_u64().unwrap());
        seller.bench.advance("1s").await;
    }
    let page = async |page: &str| {
        let reply = changed(&seller, "2026-11-21", &[("page_no", page), ("page_size", "2")]).await;
        (ids(&reply, "/trades", "tid"), reply["total_results"].as_u64().unwrap())
    };
    assert_eq!(page("1").await, (vec![made[4], made[3]], 5));
    assert_eq!(page("3").await, (vec![made[0]], 5));
    assert_eq!(page("4").await, (vec![], 5));
    // What changes now goes to the front, and is gone from the last page.
    seller.step("orders", json!({"do": "pay", "order": made[0]})).await;
    assert_eq!((page("1").await.0, page("3").await.0), (vec![made[0], made[4]], vec![made[1]]));
    let reply = changed(&seller, "2026-11-21", &[("page_size", "2"), ("use_has_next", "true")]).await;
    assert_eq!((&reply["has_next"], reply.get("total_results")), (&json!(true), None));
    let paid = changed(&seller, "2026-11-21", &[("status", "WAIT_SELLER_SEND_GOODS")]).await;
    assert_eq!(ids(&paid, "/trades", "tid"), [made[0]]);
    assert_eq!(rows(&paid, "/trades")[0]["modified"], "2026-11-21 20:32:17", "Beijing time");
    assert!(ids(&changed(&seller, "2026-11-22", &[]).await, "/trades", "tid").is_empty());

    let good = [
        ("fields", "tid"),
        ("start_modified", "2026-11-21 00:00:00"),
        ("end_modified", "2026-11-21 23:59:59"),
    ];
    for (name, value, code) in [
        ("end_modified", "2026-11-22 00:00:01", "isv.invalid-parameter:end_modified"),
        ("end_modified", "2026-11-20 00:00:00", "isv.invalid-parameter:end_modified"),
        ("start_modified", "yesterday", "isv.invalid-parameter:start_modified"),
        ("start_modified", "", "isv.missing-parameter:start_modified"),
        ("page_size", "101", "isv.invalid-parameter:page_size"),
        ("page_no", "0", "isv.invalid-parameter:page_no"),
        ("status", "SHIPPED", "isv.invalid-parameter:status"),
        ("fields", "color", "isv.invalid-parameter:fields"),
        ("fields", "", "isv.missing-parameter:fields"),
    ] {
        let mut args: Vec<(&str, &str)> = good.iter().copied().filter(|(known, _)| *known != name).collect();
        args.push((name, value));
        assert_eq!(seller.refusal(CHANGED, &args).await, code, "{name} {value}");
    }
}

#[tokio::test]
async fn sold_trades_go_back_three_months() {
    let seller = Seller::of("taobao").await;
    let all = |more: &'static [(&str, &str)]| {
        let seller = &seller;
        async move {
            let mut found = Vec::new();
            for page in ["1", "2", "3", "4", "5"] {
                let args = [("fields", "tid,created,status"), ("page_size", "30"), ("page_no", page)];
                let reply = seller.get(SOLD, &[&args, more].concat()).await;
                found.extend_from_slice(rows(&reply, "/trades"));
                assert!(reply["total_results"].as_u64().unwrap() >= found.len() as u64);
            }
            found
        }
    };
    let newest_first = all(&[]).await;
    let created: Vec<&str> = newest_first.iter().map(|trade| trade["created"].as_str().unwrap()).collect();
    assert!(created.is_sorted_by(|one, next| one >= next) && created.last().unwrap() > &"2026-08-19");
    let young =
        seller.orders().await.into_iter().filter(|order| order["created"].as_str().unwrap() >= "2026-08-20");
    assert_eq!(newest_first.len(), young.count());
    let mut parts = BTreeSet::new();
    for status in [
        &[("status", "WAIT_BUYER_PAY")],
        &[("status", "WAIT_SELLER_SEND_GOODS")],
        &[("status", "SELLER_CONSIGNED_PART")],
        &[("status", "WAIT_BUYER_CONFIRM_GOODS")],
        &[("status", "TRADE_BUYER_SIGNED")],
        &[("status", "TRADE_FINISHED")],
        &[("status", "ALL_CLOSED")],
    ] {
        for trade in all(status).await {
            assert!(parts.insert(trade["tid"].as_u64().unwrap()), "in one state");
        }
    }
    assert_eq!(parts.len(), newest_first.len());
    assert!(all(&[("end_created", "2026-08-01 00:00:00")]).await.is_empty());
    let october =
        all(&[("start_created", "2026-10-01 00:00:00"), ("end_created", "2026-10-31 23:59:59")]).await;
    assert!(
        !october.is_empty()
            && october.iter().all(|trade| trade["created"].as_str().unwrap().starts_with("2026-10"))
    );
}

#[tokio::test]
async fn a_trade_has_the_fields_asked_for_and_its_recipient_masked() {
    let seller = Seller::of("taobao").await;
    let skus = &seller.skus(2).await[0];
    let tid = seller.order(&[(&skus[1], 2)], true).await["id"].to_string();
    let get = async |api: &str, fields: &str| {
        seller.get(api, &[("tid", &*tid), ("fields", fields)]).await["trade"].clone()
    };
    assert_eq!(get(TRADE, "status").await, json!({"status": "WAIT_SELLER_SEND_GOODS"}));
    let trade = get(TRADE, "tid,payment,pay_time,receiver_name,oaid,orders").await;
    assert_eq!(
        (trade["tid"].to_string(), &trade["payment"]),
        (tid.clone(), &json!(format!("{:.2}", skus[1].price * 2.0)))
    );
    assert!(trade["receiver_name"].as_str().unwrap().ends_with("**") && trade["oaid"].is_string());
    let line = &trade["orders"][0];
    assert_eq!(
        (&line["sku_id"], &line["outer_sku_id"], &line["num"], &line["refund_status"]),
        (&json!(skus[1].id.to_string()), &json!(skus[1].code), &json!(2), &json!("NO_REFUND"))
    );
    let part = get(TRADE, "tid,orders.oid,orders.status").await;
    assert_eq!(part["orders"], json!([{"oid": line["oid"], "status": "WAIT_SELLER_SEND_GOODS"}]));
    let plain = get("taobao.trade.get", "tid,receiver_name,oaid").await;
    assert_eq!(plain, json!({"tid": trade["tid"]}), "without the recipient");
    for api in [TRADE, "taobao.trade.get"] {
        assert_eq!(seller.refusal(api, &[("tid", "5"), ("fields", "tid")]).await, "isv.trade-not-exist");
        assert_eq!(
            seller.refusal(api, &[("tid", &tid), ("fields", "color")]).await,
            "isv.invalid-parameter:fields"
        );
    }
}

/// What a trade has come to: its word, those of its orders, and their tracking numbers.
async fn state(seller: &Seller, tid: &str) -> (String, Vec<String>, Vec<Json>) {
    let trade = &seller.get(TRADE, &[("tid", tid), ("fields", "status,orders")]).await["trade"];
    let lines = rows(trade, "/orders");
    let word = |value: &Json| value["status"].as_str().unwrap().to_owned();
    (
        word(trade),
        lines.iter().map(word).collect(),
        lines.iter().map(|line| line["invoice_no"].clone()).collect(),
    )
}

#[tokio::test]
async fn a_trade_is_shipped_in_parts_with_carriers_of_the_list() {
    const SEND: &str = "taobao.logistics.offline.send";
    let seller = Seller::of("taobao").await;
    let skus = seller.skus(2).await;
    let (one, two, three) = (&skus[0][0], &skus[0][1], &skus[1][0]);
    let order = seller.order(&[(one, 2), (two, 1), (three, 1)], true).await;
    let tid = order["id"].to_string();
    let line = |at: usize| order["lines"][at]["id"].to_string();
    let send = async |more: &[(&str, &str)]| {
        let mut args = vec![("tid", &*tid), ("company_code", "YTO"), ("out_sid", "YT1001")];
        for (name, value) in more {
            args.retain(|(known, _)| known != name);
            args.push((name, value));
        }
        let answer = seller.call(SEND, &args).await.json();
        answer["error_response"]["sub_code"]
            .as_str()
            .map_or_else(|| answer["shipping"].to_string(), str::to_owned)
    };
    let ok = r#"{"is_success":true}"#;
    for (more, code) in [
        (&[("company_code", "NOBODY")][..], "isv.invalid-parameter:company_code"),
        (&[("out_sid", "a b")], "isv.invalid-parameter:out_sid"),
        (&[("out_sid", "")], "isv.missing-parameter:out_sid"),
        (&[("is_split", "1")], "isv.missing-parameter:sub_tid"),
        (&[("is_split", "1"), ("sub_tid", "5")], "isv.invalid-parameter:sub_tid"),
        (&[("sub_tid", &*line(0))], "isv.invalid-parameter:sub_tid"),
        (&[("is_split", "2")], "isv.invalid-parameter:is_split"),
        (&[("tid", "5")], "isv.trade-not-exist"),
    ] {
        assert_eq!(send(more).await, code, "{more:?}");
    }
    assert_eq!(state(&seller, &tid).await.0, "WAIT_SELLER_SEND_GOODS");
    let first_two = format!("{},{}", line(0), line(1));
    assert_eq!(send(&[("is_split", "1"), ("sub_tid", &first_two)]).await, ok);
    let (word, lines, numbers) = state(&seller, &tid).await;
    assert_eq!(word, "SELLER_CONSIGNED_PART");
    assert_eq!(lines, ["WAIT_BUYER_CONFIRM_GOODS", "WAIT_BUYER_CONFIRM_GOODS", "WAIT_SELLER_SEND_GOODS"]);
    assert_eq!(numbers, [json!("YT1001"), json!("YT1001"), Json::Null]);
    assert_eq!((seller.sku(one).await.stock, seller.sku(three).await.stock), (one.stock - 2, three.stock));
    let again = "isv.logistics-send-service-rejection";
    assert_eq!(send(&[("is_split", "1"), ("sub_tid", &line(0))]).await, again);
    // What is left, by any carrier of the list.
    let companies = seller.get("taobao.logistics.companies.get", &[("fields", "code,name")]).await;
    let last = rows(&companies, "/logistics_companies").last().unwrap()["code"].as_str().unwrap().to_owned();
    assert_eq!(send(&[("company_code", &last), ("out_sid", "SB2002")]).await, ok);
    assert_eq!(state(&seller, &tid).await.2, [json!("YT1001"), json!("YT1001"), json!("SB2002")]);
    assert_eq!(send(&[]).await, again);

    let trace = async |more: &[(&str, &str)]| {
        seller.get("taobao.logistics.trace.search", &[&[("tid", &*tid)], more].concat()).await
    };
    let apart = trace(&[("is_split", "1"), ("sub_tid", &line(2))]).await;
    assert_eq!((&apart["out_sid"], &apart["status"]), (&json!("SB2002"), &json!("ACCEPTED_BY_COMPANY")));
    assert_eq!(trace(&[]).await["company_name"], "圆通速递");
    seller.bench.advance("10h").await;
    seller.step("orders", json!({"do": "deliver", "order": order["id"]})).await;
    let arrived = trace(&[]).await;
    assert_eq!(rows(&arrived, "/trace_list")[1]["status_time"], "2026-11-22 06:32:12");
}

#[tokio::test]
async fn a_number_comes_with_the_shipment_or_later_or_never() {
    let seller = Seller::of("taobao").await;
    let sku = &seller.skus(1).await[0][0];
    let call = async |word: &str, args: &[(&str, &str)]| {
        let answer = seller.call(&format!("taobao.logistics.{word}"), args).await.json();
        answer["error_response"]["sub_code"].as_str().unwrap_or("done").to_owned()
    };
    let new = async || seller.order(&[(sku, 1)], true).await["id"].to_string();
    let rejected = "isv.logistics-send-service-rejection";
    let (later, at_once, dummy) = (new().await, new().await, new().await);
    let confirm =
        async |tid: &str, number: &str| call("online.confirm", &[("tid", tid), ("out_sid", number)]).await;
    assert_eq!(confirm(&later, "YT1001").await, rejected, "nothing was begun");
    assert_eq!(call("online.send", &[("tid", &later), ("company_code", "YTO")]).await, "done");
    assert_eq!(
        state(&seller, &later).await,
        ("WAIT_SELLER_SEND_GOODS".into(), vec!["WAIT_SELLER_SEND_GOODS".into()], vec![Json::Null])
    );
    assert_eq!(call("online.send", &[("tid", &later), ("company_code", "YTO")]).await, rejected, "twice");
    assert_eq!(seller.sku(sku).await.stock, sku.stock, "nothing has left");
    assert_eq!(confirm(&later, "x").await, "isv.invalid-parameter:out_sid");
    assert_eq!(confirm(&later, "YT1001").await, "done");
    assert_eq!(confirm(&later, "YT1001").await, rejected, "twice");
    assert_eq!(state(&seller, &later).await.2, [json!("YT1001")]);
    let args = [("tid", &*at_once), ("company_code", "YTO"), ("out_sid", "YT1002")];
    assert_eq!(call("online.send", &args).await, "done");
    assert_eq!(state(&seller, &at_once).await.0, "WAIT_BUYER_CONFIRM_GOODS");
    assert_eq!(call("dummy.send", &[("tid", &dummy)]).await, "done");
    assert_eq!(state(&seller, &dummy).await.0, "WAIT_BUYER_CONFIRM_GOODS");
    assert_eq!(call("dummy.send", &[("tid", &dummy)]).await, rejected);
    assert_eq!(seller.sku(sku).await.stock, sku.stock - 3);

    let unpaid = seller.order(&[(sku, 1)], false).await["id"].clone();
    let cancelled = seller.order(&[(sku, 1)], true).await["id"].clone();
    seller.step("orders", json!({"do": "cancel", "order": cancelled})).await;
    for tid in [unpaid, cancelled] {
        for word in ["online.send", "offline.send", "dummy.send"] {
            let args = [("tid", &*tid.to_string()), ("company_code", "YTO"), ("out_sid", "YT1003")];
            assert_eq!(call(word, &args).await, rejected, "{word}");
        }
    }
    let untouched = new().await;
    assert_eq!(call("trace.search", &[("tid", &untouched)]).await, "isv.logistics-trace-service-rejection");
    for word in ["online.send", "dummy.send", "online.confirm", "trace.search"] {
        let args = [("tid", "5"), ("company_code", "YTO"), ("out_sid", "YT1003")];
        assert_eq!(call(word, &args).await, "isv.trade-not-exist", "{word}");
    }
}

#[tokio::test]
async fn refunds_follow_what_buyers_ask_for() {
    let seller = Seller::of("taobao").await;
    let sku = &seller.skus(1).await[0][0];
    let order = seller.order(&[(sku, 1)], true).await;
    let (tid, oid) = (order["id"].clone(), order["lines"][0]["id"].to_string());
    let refunds = async |status: &str| {
        let args = [
            ("fields", "refund_id,tid,status,refund_fee"),
            ("status", status),
            ("start_modified", "2026-11-21 00:00:00"),
        ];
        let reply = seller.get("taobao.refunds.receive.get", &args).await;
        rows(&reply, "/refunds").to_vec()
    };
    let one = async || {
        let args = [("fields", "status,good_status"), ("refund_id", &*oid)];
        let answer = seller.call("taobao.refund.get", &args).await.json();
        answer["error_response"]["sub_code"].as_str().map_or_else(|| answer["refund"].clone(), Json::from)
    };
    assert_eq!((refunds("WAIT_SELLER_AGREE").await, one().await), (vec![], json!("isv.refund-not-exist")));
    seller.step("orders", json!({"do": "ask-cancel", "order": tid})).await;
    let fee = format!("{:.2}", sku.price);
    let asked = json!({"refund_id": oid, "tid": tid, "status": "WAIT_SELLER_AGREE", "refund_fee": fee});
    assert_eq!(refunds("WAIT_SELLER_AGREE").await, [asked]);
    assert_eq!(one().await, json!({"status": "WAIT_SELLER_AGREE", "good_status": "BUYER_NOT_RECEIVED"}));
    let trade = &seller.get(TRADE, &[("tid", &tid.to_string()), ("fields", "status,orders")]).await["trade"];
    assert_eq!(
        (&trade["status"], &trade["orders"][0]["refund_status"], &trade["orders"][0]["refund_id"]),
        (&json!("WAIT_SELLER_SEND_GOODS"), &json!("WAIT_SELLER_AGREE"), &json!(oid))
    );
    seller.step("orders", json!({"do": "cancel", "order": tid})).await;
    assert_eq!((refunds("WAIT_SELLER_AGREE").await, refunds("SUCCESS").await.len()), (vec![], 1));
    assert_eq!(state(&seller, &tid.to_string()).await.0, "TRADE_CLOSED");
    // One that was never paid has nothing to give back.
    let unpaid = seller.order(&[(sku, 1)], false).await["id"].clone();
    seller.step("orders", json!({"do": "cancel", "order": unpaid})).await;
    assert_eq!(refunds("SUCCESS").await.len(), 1);
    assert_eq!(state(&seller, &unpaid.to_string()).await.0, "TRADE_CLOSED_BY_TAOBAO");
}

#[tokio::test]
async fn carrier_and_number_of_a_shipment_are_corrected_until_it_arrives() {
    const RESEND: &str = "taobao.logistics.consign.resend";
    let seller = Seller::of("taobao").await;
    let sku = &seller.skus(1).await[0][0];
    let tid = seller.order(&[(sku, 1)], true).await["id"].to_string();
    let args = |tid: &'static str, number: &'static str| {
        [("tid", tid), ("company_code", "YTO"), ("out_sid", number)]
    };
    let tid: &'static str = tid.leak();
    assert_eq!(seller.refusal(RESEND, &args(tid, "YT0002")).await, "isv.logistics-send-service-rejection");
    seller.get("taobao.logistics.offline.send", &args(tid, "YT0001")).await;
    let sent = seller.get(RESEND, &args(tid, "YT0002")).await;
    assert_eq!(sent["shipping"]["is_success"], true, "{sent}");
    let trace = seller.get("taobao.logistics.trace.search", &[("tid", tid)]).await;
    assert_eq!(trace["out_sid"], "YT0002");
    assert_eq!(seller.refusal(RESEND, &args("7654321", "YT0002")).await, "isv.trade-not-exist");
    assert_eq!(seller.refusal(RESEND, &args(tid, "?")).await, "isv.invalid-parameter:out_sid");
    seller.step("orders", json!({"do": "deliver", "order": tid.parse::<u64>().unwrap()})).await;
    assert_eq!(seller.refusal(RESEND, &args(tid, "YT0003")).await, "isv.logistics-send-service-rejection");
}
