//! Orders in one form, against replies of a gateway.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use sesame_core::{BoxFuture, Clock, HttpRequest, HttpResponse, Result, Transport};
use sesame_shop::{Order, Shop, Stage};

use crate::stage::{self, clock, param};

/// Answers by a function, and remembers what was asked.
struct Gateway<F> {
    answer: F,
    asked: Mutex<Vec<String>>,
}

impl<F: Fn(&HttpRequest) -> Json + Send + Sync> Transport for Gateway<F> {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        self.asked.lock().unwrap().push(request.url.clone());
        Box::pin(std::future::ready(Ok(HttpResponse::new(200, (self.answer)(&request).to_string()))))
    }
}

async fn shop<F>(platform: &str, answer: F) -> (Shop, Arc<Gateway<F>>, tempfile::TempDir)
where
    F: Fn(&HttpRequest) -> Json + Send + Sync + 'static,
{
    let gateway = Arc::new(Gateway { answer, asked: Mutex::default() });
    let transport = Arc::clone(&gateway) as Arc<dyn Transport>;
    let (shop, home) = stage::shop(platform, transport, clock() as Arc<dyn Clock>, "").await;
    (shop, gateway, home)
}

/// Reads all orders, and the warnings.
async fn all(shop: &Shop, personal: bool) -> (Vec<Order>, Vec<String>) {
    let request = if personal { shop.orders().personal() } else { shop.orders() };
    let mut pages = request.pages().await.unwrap();
    let (mut orders, mut warnings) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        orders.extend(page.rows);
        warnings.extend(page.warnings);
    }
    (orders, warnings)
}

fn lazada_list() -> Json {
    let order = |id: u64, statuses: Json| {
        json!({"order_id": id, "statuses": statuses, "price": "19.90", "created_at": "2026-10-01 10:00:00 +0800",
            "updated_at": "2026-10-02 10:00:00 +0800", "customer_first_name": "Ann",
            "address_shipping": {"first_name": "Ann", "phone": "65123", "country": "SG"}})
    };
    let orders = [
        order(1, json!(["shipped", "pending"])),
        order(2, json!(["teleported"])),
        order(3, json!(["teleported"])),
    ];
    json!({"code": "0", "data": {"countTotal": 3, "count": 3, "orders": orders}})
}

fn lazada_lines(ids: &[u64]) -> Json {
    let line = |id: u64, status: &str, package: &str| {
        json!({"order_item_id": id, "sku": "A-1", "product_id": "77", "name": "Pen", "item_price": "9.950", "currency": "SGD",
            "status": status, "package_id": package, "tracking_code": if package.is_empty() { "" } else { "T1" },
            "shipment_provider": "LEX", "payment_time": 1_759_284_000_000_i64})
    };
    let rows: Vec<Json> = ids
        .iter()
        .map(|id| match id {
            1 => json!({"order_id": 1, "order_items": [line(11, "shipped", "P1"), line(12, "pending", ""), line(13, "shipped", "P1")]}),
            id => json!({"order_id": id, "order_items": [line(id * 10, "teleported", "")]}),
        })
        .collect();
    json!({"code": "0", "data": rows})
}

fn ids_of(request: &HttpRequest) -> Vec<u64> {
    serde_json::from_str(&param(request, "order_ids").unwrap()).unwrap()
}

#[tokio::test]
async fn an_order_has_its_lines_packages_and_the_stage_of_its_lines() {
    let answer = |request: &HttpRequest| {
        if request.url.contains("/orders/items/get") { lazada_lines(&ids_of(request)) } else { lazada_list() }
    };
    let (shop, gateway, _home) = shop("lazada", answer).await;
    let (orders, warnings) = all(&shop, false).await;
    let first = &orders[0];
    assert_eq!(
        (first.id.as_str(), first.stage, first.status.as_str()),
        ("1", Stage::PartlyShipped, "pending")
    );
    assert_eq!((first.total.as_str(), first.currency.as_str()), ("19.90", "SGD"));
    assert_eq!(first.created, "2026-10-01T10:00:00+08:00");
    assert_eq!(first.paid, "2025-10-01T02:00:00Z");
    let lines: Vec<_> =
        first.lines.iter().map(|line| (line.id.as_str(), line.stage, line.quantity.as_str())).collect();
    assert_eq!(lines, [("11", Stage::Shipped, "1"), ("12", Stage::ToShip, "1"), ("13", Stage::Shipped, "1")]);
    assert_eq!(first.lines[0].price, "9.950", "an amount keeps its digits");
    assert_eq!(first.packages.len(), 1, "two lines in one package");
    assert_eq!((first.packages[0].id.as_str(), first.packages[0].tracking.as_str()), ("P1", "T1"));
    assert!(first.raw.get().contains("order_items"), "raw has all replies");
    assert_eq!(orders[1].stage, Stage::Unknown);
    assert_eq!(warnings.iter().filter(|warning| warning.contains("teleported")).count(), 1, "{warnings:?}");
    assert_eq!(gateway.asked.lock().unwrap().len(), 2, "one call for the lines of a page");
}

#[tokio::test]
async fn people_are_masked_in_fields_and_raw() {
    let answer = |request: &HttpRequest| {
        if request.url.contains("/orders/items/get") { lazada_lines(&ids_of(request)) } else { lazada_list() }
    };
    let (shop, _, _home) = shop("lazada", answer).await;
    let (orders, _) = all(&shop, false).await;
    let text = serde_json::to_string(&orders[0]).unwrap();
    assert_eq!(orders[0].buyer, "***");
    assert!(!text.contains("Ann") && !text.contains("65123"), "{text}");
    let (orders, _) = all(&shop, true).await;
    assert_eq!(orders[0].buyer, "Ann");
    assert!(orders[0].raw.get().contains("65123"));
}

#[tokio::test]
async fn an_order_whose_lines_are_refused_is_told_of_and_costs_no_other() {
    let answer = |request: &HttpRequest| {
        if !request.url.contains("/orders/items/get") {
            return lazada_list();
        }
        let ids = ids_of(request);
        if ids.contains(&2) {
            return json!({"type": "ISV", "code": "37", "message": "E037: One or more order id in the list are incorrect", "request_id": "r"});
        }
        lazada_lines(&ids)
    };
    let (shop, _, _home) = shop("lazada", answer).await;
    let (orders, warnings) = all(&shop, false).await;
    assert_eq!(orders.len(), 3);
    assert!(warnings.iter().any(|warning| warning.contains("without their lines")), "{warnings:?}");
}

#[tokio::test]
async fn states_that_cannot_hold_a_stage_are_not_asked_for() {
    let answer = |_: &HttpRequest| json!({"aliexpress_solution_order_get_response": {"result": {"success": true, "total_count": 0, "target_list": {}}}});
    let (shop, gateway, _home) = shop("aliexpress", answer).await;
    let mut pages = shop.orders().stage(Stage::ToShip).pages().await.unwrap();
    while let Some(page) = pages.next().await {
        page.unwrap();
    }
    let asked = gateway.asked.lock().unwrap().len();
    assert_eq!(asked, 1, "one state of eleven");
}

#[tokio::test]
async fn a_limit_counts_the_orders_in_the_stages_asked_for() {
    let order = |id: u64, word: &str| json!({"order_id": id, "statuses": [word], "updated_at": "2026-10-02 10:00:00 +0800"});
    // A platform may give as many rows of a page as it is asked for.
    let answer = move |request: &HttpRequest| {
        if request.url.contains("/orders/items/get") {
            return json!({"code": "0", "data": []});
        }
        let words = ["delivered", "pending", "shipped", "pending", "pending"];
        let number = |name: &str| param(request, name).and_then(|text| text.parse().ok());
        let rows: Vec<Json> = (1..).zip(words).map(|(id, word)| order(id, word)).collect();
        let rows: Vec<&Json> =
            rows.iter().skip(number("offset").unwrap_or(0)).take(number("limit").unwrap_or(100)).collect();
        json!({"code": "0", "data": {"countTotal": 5, "count": rows.len(), "orders": rows}})
    };
    let (shop, gateway, _home) = shop("lazada", answer).await;
    let mut pages = shop.orders().stage(Stage::ToShip).limit(2).without_lines().pages().await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        ids.extend(page.unwrap().rows.into_iter().map(|order| order.id));
    }
    assert_eq!(ids, ["2", "4"]);
    assert_eq!(gateway.asked.lock().unwrap().len(), 1, "pages are as large as ever");
}

#[tokio::test]
async fn orders_of_the_archive_of_1688_come_once_and_lines_have_the_code_of_their_own_sku() {
    let order = |id: u64| {
        json!({"baseInfo": {"idOfStr": id.to_string(), "status": "success"},
            "productItems": [{"subItemID": id, "productCargoNumber": "PEN", "cargoNumber": "PEN-RED", "skuID": 7},
                {"subItemID": id + 1, "productCargoNumber": "PEN", "skuID": 8}]})
    };
    let answer = move |request: &HttpRequest| {
        let rows = match param(request, "isHis").as_deref() {
            Some("true") => vec![order(10), order(20)],
            _ => vec![order(30), order(20)],
        };
        json!({"totalRecord": rows.len(), "result": rows})
    };
    let (shop, _, _home) = shop("1688", answer).await;
    for request in [shop.orders(), shop.orders().buyer(), shop.orders().limit(10)] {
        let mut pages = request.pages().await.unwrap();
        let mut orders = Vec::new();
        while let Some(page) = pages.next().await {
            orders.extend(page.unwrap().rows);
        }
        let ids: Vec<&str> = orders.iter().map(|order| order.id.as_str()).collect();
        assert_eq!(ids, ["30", "20", "10"]);
        let skus: Vec<&str> = orders[0].lines.iter().map(|line| line.sku.as_str()).collect();
        assert_eq!(skus, ["PEN-RED", "8"], "the number of the product names no SKU");
    }
}
