//! Lists, page by page, against a scripted gateway.

use crate::stage::{ok, param, stage};
use serde_json::{Value, json};
use sesame_client::{Call, Pages};
use sesame_core::{Error, ErrorKind, HttpRequest};

/// Reads all pages: the ids, the warnings, and the error at the end if there is one.
async fn read(mut pages: Pages) -> (Vec<u64>, Vec<String>, Option<Error>) {
    let (mut ids, mut warnings) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                for item in page.items {
                    let item: Value = serde_json::from_str(item.get()).unwrap();
                    ids.push(
                        item.get("item_id")
                            .or(item.get("num_iid"))
                            .or(item.get("id"))
                            .and_then(Value::as_u64)
                            .unwrap(),
                    );
                }
                warnings.extend(page.warnings);
            }
            Err(error) => return (ids, warnings, Some(error)),
        }
    }
    (ids, warnings, None)
}

fn number(request: &HttpRequest, name: &str) -> u64 {
    param(request, name).unwrap_or_else(|| panic!("{name} is missing in {request:?}")).parse().unwrap()
}

/// Lazada's product list, by offset.
fn lazada(request: &HttpRequest, total: u64) -> String {
    let (from, limit) = (number(request, "offset"), number(request, "limit").min(50));
    let products: Vec<Value> = (from..(from + limit).min(total)).map(|id| json!({"item_id": id})).collect();
    json!({"code": "0", "data": {"total_products": total, "products": products}, "request_id": "r"})
        .to_string()
}

#[tokio::test]
async fn by_offset() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|request| Ok(ok(&lazada(request, 123))));
    let (ids, _, error) = read(stage.client.pages(Call::new("lazada", "/products/get"))).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(ids, (0..123).collect::<Vec<_>>());
    assert_eq!(stage.gateway.seen().len(), 3);
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| Ok(ok(r#"{"code":"0","data":{"total_products":0},"request_id":"r"}"#)));
    let mut pages = stage.client.pages(Call::new("lazada", "/products/get"));
    let page = pages.next().await.unwrap().unwrap();
    assert_eq!((page.items.len(), page.total, page.number), (0, Some(0), 1));
    assert!(pages.next().await.is_none());
}

#[tokio::test]
async fn by_page_with_the_wrappers_of_top() {
    let stage = stage(&["taobao"]).await;
    stage.gateway.always(|request| {
        let (page, size) = (number(request, "page_no"), number(request, "page_size"));
        let items: Vec<Value> = ((page - 1) * size..(page * size).min(450)).map(|id| json!({"num_iid": id})).collect();
        Ok(ok(&json!({"items_onsale_get_response": {"total_results": 450, "items": {"item": items}, "request_id": "r"}}).to_string()))
    });
    let (ids, _, error) =
        read(stage.client.pages(Call::new("taobao", "taobao.items.onsale.get").arg("fields", "num_iid")))
            .await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(ids, (0..450).collect::<Vec<_>>());
    assert_eq!(number(&stage.gateway.seen()[0], "page_size"), 200);
}

/// ICBU's product list: pages cut to 30 without a word, 5,000 rows reachable.
fn icbu(request: &HttpRequest, total: u64) -> String {
    let (page, size) = (number(request, "current_page"), number(request, "page_size").min(30));
    let rows: Vec<Value> =
        ((page - 1) * size..(page * size).min(total).min(5_010)).map(|id| json!({"id": id})).collect();
    json!({"code": "0", "result": {"success": true, "total_item": total, "page_size": size, "current_page": page, "products": rows}, "request_id": "r"}).to_string()
}

#[tokio::test]
async fn a_page_size_too_large_is_cut_with_a_warning() {
    let stage = stage(&["alibaba"]).await;
    stage.gateway.always(|request| Ok(ok(&icbu(request, 100))));
    let call =
        Call::new("alibaba", "/alibaba/icbu/product/list").arg("language", "ENGLISH").arg("page_size", 50);
    let (ids, warnings, error) = read(stage.client.pages(call)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
    assert!(warnings.iter().any(|warning| warning.contains("at most 30")), "{warnings:?}");
}

#[tokio::test]
async fn rows_beyond_the_window_are_an_error_at_the_end() {
    let stage = stage(&["alibaba"]).await;
    stage.gateway.always(|request| Ok(ok(&icbu(request, 7_321))));
    let call = Call::new("alibaba", "/alibaba/icbu/product/list").arg("language", "ENGLISH");
    let (ids, warnings, error) = read(stage.client.pages(call)).await;
    assert!(ids.len() >= 5_000, "{}", ids.len());
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("7321"), "{error}");
    assert!(error.hint().is_some());
    assert!(warnings.iter().any(|warning| warning.contains("7321")), "{warnings:?}");
}

#[tokio::test]
async fn a_start_in_the_middle_is_kept() {
    let stage = stage(&["alibaba"]).await;
    stage.gateway.always(|request| Ok(ok(&icbu(request, 100))));
    let call =
        Call::new("alibaba", "/alibaba/icbu/product/list").arg("language", "ENGLISH").arg("current_page", 3);
    let (ids, _, error) = read(stage.client.pages(call)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(ids, (60..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_page_again_is_an_error_and_no_endless_list() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| Ok(ok(r#"{"code":"0","data":{"total_products":500,"products":[{"item_id":1},{"item_id":2}]},"request_id":"r"}"#)));
    let (ids, _, error) = read(stage.client.pages(Call::new("lazada", "/products/get"))).await;
    assert_eq!(ids, [1, 2]);
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Envelope);
    assert!(error.to_string().contains("offset=2"), "{error}");
    assert_eq!(stage.gateway.seen().len(), 2);
}

#[tokio::test]
async fn rows_that_move_come_once() {
    let stage = stage(&["alibaba"]).await;
    // A product was added while page 1 was read: its last row comes again on page 2.
    stage.gateway.always(|request| {
        let page = number(request, "current_page");
        let from = if page == 1 { 0 } else { (page - 1) * 30 - 1 };
        let rows: Vec<Value> = (from..(from + 30).min(60)).map(|id| json!({"id": id})).collect();
        Ok(ok(&json!({"code": "0", "result": {"success": true, "total_item": if page == 1 { 60 } else { 61 }, "products": rows}})
            .to_string()))
    });
    let call = Call::new("alibaba", "/alibaba/icbu/product/list").arg("language", "ENGLISH");
    let mut pages = stage.client.pages(call);
    let (mut rows, mut duplicates) = (0, 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        rows += page.items.len();
        duplicates += page.duplicates;
    }
    assert_eq!((rows, duplicates), (60, 1));
}

#[tokio::test]
async fn the_page_inside_a_json_argument() {
    let stage = stage(&["aliexpress"]).await;
    stage.gateway.always(|request| {
        let query: Value = serde_json::from_str(&param(request, "aeop_a_e_product_list_query").unwrap()).unwrap();
        assert_eq!(query["product_status_type"], "onSelling");
        let page = query["current_page"].as_u64().unwrap();
        let rows: Vec<Value> = ((page - 1) * 99..(page * 99).min(150)).map(|id| json!({"product_id": id, "id": id})).collect();
        Ok(ok(&json!({"aliexpress_solution_product_list_get_response": {"result": {
            "aeop_a_e_product_display_d_t_o_list": {"item_display_dto": rows}, "product_count": 150, "total_page": 2, "current_page": page, "success": true
        }}}).to_string()))
    });
    let call = Call::new("aliexpress", "aliexpress.solution.product.list.get")
        .arg("aeop_a_e_product_list_query", r#"{"product_status_type":"onSelling"}"#);
    let (ids, _, error) = read(stage.client.pages(call)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(ids.len(), 150);
}

#[tokio::test]
async fn what_does_not_page_is_said_before_anything_is_sent() {
    let stage = stage(&["lazada"]).await;
    for api in ["/seller/get", "/nobody/knows/get"] {
        let (_, _, error) = read(stage.client.pages(Call::new("lazada", api))).await;
        assert_eq!(error.unwrap().kind(), ErrorKind::Usage);
    }
    assert!(stage.gateway.seen().is_empty());
}

#[tokio::test]
async fn a_stream_gives_the_same_pages() {
    use std::{future::poll_fn, pin::Pin};

    use futures_core::Stream;

    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|request| Ok(ok(&lazada(request, 120))));
    let mut stream = stage.client.pages(Call::new("lazada", "/products/get")).into_stream();
    let mut sizes = Vec::new();
    while let Some(page) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
        sizes.push(page.unwrap().items.len());
    }
    assert_eq!(sizes, [50, 50, 20]);
}

/// No list where one belongs is never "no rows": a script would take the shop to be empty.
#[tokio::test]
async fn a_reply_without_its_list_is_an_error() {
    for reply in [
        r#"{"code":"0","data":{"total_products":5},"request_id":"r"}"#,
        r#"{"code":"0","data":{"other":[]},"request_id":"r"}"#,
        r#"{"code":"0","result":{},"request_id":"r"}"#,
        r#"{"code":"0","data":{"total_products":1,"products":"oops"},"request_id":"r"}"#,
        r#"{"code":"0","data":{"products":7},"request_id":"r"}"#,
    ] {
        let stage = stage(&["lazada"]).await;
        stage.gateway.always(move |_| Ok(ok(reply)));
        let (ids, _, error) = read(stage.client.pages(Call::new("lazada", "/products/get"))).await;
        assert!(ids.is_empty(), "{reply}");
        let error = error.unwrap_or_else(|| panic!("{reply} was taken for an empty list"));
        assert_eq!(error.kind(), ErrorKind::Envelope, "{reply}");
        assert!(error.message().contains("data.products"), "{error}");
    }
}

#[tokio::test]
async fn honest_empty_replies_are_empty_lists() {
    for reply in [
        r#"{"code":"0","data":{"total_products":0},"request_id":"r"}"#,
        r#"{"code":"0","data":{"total_products":0,"products":null},"request_id":"r"}"#,
        r#"{"code":"0","data":null,"request_id":"r"}"#,
        r#"{"code":"0","data":{},"request_id":"r"}"#,
        r#"{"code":"0","data":{"products":[]},"request_id":"r"}"#,
    ] {
        let stage = stage(&["lazada"]).await;
        stage.gateway.always(move |_| Ok(ok(reply)));
        let (ids, _, error) = read(stage.client.pages(Call::new("lazada", "/products/get"))).await;
        assert!(ids.is_empty() && error.is_none(), "{reply}: {error:?}");
    }
    let stage = stage(&["taobao"]).await;
    stage.gateway.always(|_| Ok(ok(r#"{"items_onsale_get_response":{"total_results":0,"request_id":"r"}}"#)));
    let call = Call::new("taobao", "taobao.items.onsale.get").arg("fields", "num_iid");
    let (ids, _, error) = read(stage.client.pages(call)).await;
    assert!(ids.is_empty() && error.is_none(), "{error:?}");
}

/// R3: 45 trades, 20 a page; one of the first page changes and leaves the window before page 2.
#[tokio::test]
async fn a_window_that_rows_leave_while_it_is_read_loses_none() {
    let stage = stage(&["taobao"]).await;
    let mut left = false;
    stage.gateway.always(move |request| {
        let (page, size) = (number(request, "page_no"), number(request, "page_size"));
        let window: Vec<u64> = (1_000..1_045).filter(|id| !left || *id != 1_003).collect();
        left = true;
        let trades: Vec<Value> = window.iter().skip(usize::try_from((page - 1) * size).unwrap()).take(20).map(|id| json!({"tid": id, "id": id})).collect();
        Ok(ok(&json!({"trades_sold_increment_get_response": {"total_results": window.len(), "trades": {"trade": trades}, "request_id": "r"}}).to_string()))
    });
    let call = Call::new("taobao", "taobao.trades.sold.increment.get")
        .arg("fields", "tid")
        .arg("start_modified", "2026-11-21 00:00:00")
        .arg("end_modified", "2026-11-21 00:30:00")
        .arg("page_size", 20);
    let (mut ids, warnings, error) = read(stage.client.pages(call)).await;
    assert!(error.is_none(), "{error:?}");
    ids.sort_unstable();
    assert_eq!(ids, (1_000..1_045).collect::<Vec<_>>());
    assert!(warnings.iter().any(|warning| warning.contains("45 rows before, 44 now")), "{warnings:?}");
}

/// R4: rows that the platform counts and does not show are not a success, however it hides them.
#[tokio::test]
async fn orders_behind_the_largest_offset_make_the_list_incomplete() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|request| {
        let (from, limit) = (number(request, "offset"), number(request, "limit"));
        assert!(from <= 5_000, "refused by the platform");
        let rows: Vec<Value> = (from..from + limit).map(|id| json!({"order_id": id, "id": id})).collect();
        Ok(ok(&json!({"code": "0", "data": {"countTotal": 12_000, "orders": rows}}).to_string()))
    });
    let call = Call::new("lazada", "/orders/get").arg("created_after", "2026-11-01T00:00:00+08:00");
    let (ids, _, error) = read(stage.client.pages(call)).await;
    assert_eq!(ids.len(), 5_100);
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("first 5100 of 12000"), "{error}");
}

/// X5: a page of far more rows than were asked for is not read into memory row by row.
#[tokio::test]
async fn a_page_of_many_more_rows_than_were_asked_for_is_refused() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| {
        let rows = "{},".repeat(300_000);
        let rows = rows.trim_end_matches(',');
        Ok(ok(&format!(r#"{{"code":"0","data":{{"total_products":300000,"products":[{rows}]}}}}"#)))
    });
    let (ids, _, error) = read(stage.client.pages(Call::new("lazada", "/products/get"))).await;
    assert!(ids.is_empty());
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Envelope);
    assert!(error.to_string().contains("more than 1000 rows"), "{error}");
}
