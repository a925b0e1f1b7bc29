//! Lazada's orders: packed, handed over, printed, canceled, returned; refused in its codes.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value as Json, json};

use crate::agreement::Shop;

/// The order and the item that the catalog's examples name, still to be packed.
const ORDER: u64 = 300_112_233_445_566;
const ITEM: u64 = 300_112_233_545_566;

async fn items(shop: &Shop, order: u64) -> Vec<Json> {
    let answer = shop.call("/order/items/get", &[("order_id", &order.to_string())]).await.json();
    answer["data"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

async fn json(shop: &Shop, api: &str, name: &str, value: Json) -> Json {
    shop.call(api, &[(name, &value.to_string())]).await.json()
}

async fn pack(shop: &Shop, orders: Json) -> Json {
    let request =
        json!({"delivery_type": "dropship", "shipping_allocate_type": "TFS", "pack_order_list": orders});
    json(shop, "/order/fulfill/pack", "packReq", request).await
}

/// An order of `pieces` of the product of the examples, paid just now.
async fn new_order(shop: &Shop, pieces: u32) -> (u64, Vec<u64>) {
    let wanted = json!({"do": "create", "lines": [{"product": 2_512_345_678_u64, "sku": 11_012_345_678_u64, "quantity": pieces}]});
    let order = shop.bench.control("POST", "orders?platform=lazada", &wanted).await["order"].clone();
    let lines = order["lines"].as_array().unwrap().iter().map(|line| line["id"].as_u64().unwrap()).collect();
    (order["id"].as_u64().unwrap(), lines)
}

async fn step(shop: &Shop, order: u64, what: &str) {
    shop.bench.control("POST", "orders?platform=lazada", &json!({"do": what, "order": order})).await;
}

#[tokio::test]
async fn an_order_is_packed_printed_and_handed_over() {
    let shop = Shop::of("lazada").await;
    let before = items(&shop, ORDER).await;
    assert_eq!(
        (&before[0]["order_item_id"], &before[0]["status"], &before[0]["package_id"]),
        (&json!(ITEM), &json!("pending"), &json!(""))
    );
    let all: Vec<&Json> = before.iter().map(|item| &item["order_item_id"]).collect();
    let carriers = json!({"orders": [{"order_id": ORDER, "order_item_ids": all}]});
    let carriers = json(&shop, "/order/shipment/providers/get", "getShipmentProvidersReq", carriers).await;
    assert_eq!(carriers["result"]["data"]["shipping_allocate_type"], "TFS", "{carriers}");

    shop.bench.advance("60s").await;
    let packed = pack(&shop, json!([{"order_id": ORDER, "order_item_list": all}])).await;
    let rows = &packed["result"]["data"]["pack_order_list"][0]["order_item_list"];
    let package = rows[0]["package_id"].as_str().unwrap().to_owned();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["item_err_code"] == "0" && row["package_id"] == package.as_str()),
        "{packed}"
    );
    let after = items(&shop, ORDER).await;
    assert_eq!((&after[0]["status"], &after[0]["package_id"]), (&json!("packed"), &json!(package)));
    assert_eq!(
        (&after[0]["tracking_code"], &after[0]["shipment_provider"]),
        (&rows[0]["tracking_number"], &json!("LEX SG"))
    );
    let order = shop.call("/order/get", &[("order_id", &ORDER.to_string())]).await.json();
    assert_eq!(
        (&order["data"]["statuses"], &order["data"]["updated_at"]),
        (&json!(["packed"]), &json!("2026-11-21 20:33:12 +0800"))
    );
    // Packed twice is refused, item by item.
    let again = pack(&shop, json!([{"order_id": ORDER, "order_item_list": [ITEM]}])).await;
    assert_eq!(
        again["result"]["data"]["pack_order_list"][0]["order_item_list"][0]["item_err_code"],
        "700026"
    );

    let label = json!({"doc_type": "PDF", "packages": [{"package_id": package}], "print_item_list": true});
    let label = json(&shop, "/order/package/document/get", "getDocumentReq", label).await;
    let data = &label["result"]["data"];
    let pdf = BASE64.decode(data["file"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(pdf.clone()).unwrap();
    for part in [
        "%PDF-1.4",
        &package,
        &ORDER.to_string(),
        after[0]["tracking_code"].as_str().unwrap(),
        after[0]["sku"].as_str().unwrap(),
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let link = data["pdf_url"].as_str().unwrap().strip_prefix(&shop.bench.sandbox.url()).unwrap().to_owned();
    let linked = shop.bench.get(&link).await;
    assert_eq!((linked.header("content-type"), &linked.body), (Some("application/pdf"), &pdf));
    let old = [("doc_type", "shippingLabel"), ("order_item_ids", &format!("[{ITEM}]"))];
    let old = shop.call("/order/document/get", &old).await.json();
    assert_eq!(old["data"]["document"]["mime_type"], "application/pdf");

    let ready = json!({"packages": [{"package_id": package}, {"package_id": "FP1"}]});
    let answer = json(&shop, "/order/package/rts", "readyToShipReq", ready.clone()).await;
    let codes = |answer: &Json| -> Vec<Json> {
        answer["result"]["data"]["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["item_err_code"].clone())
            .collect()
    };
    assert_eq!(codes(&answer), ["0", "30012"], "{answer}");
    assert_eq!(items(&shop, ORDER).await[0]["status"], "ready_to_ship");
    assert_eq!(codes(&json(&shop, "/order/package/rts", "readyToShipReq", ready).await), ["700000", "30012"]);
    for (what, status) in [("ship", "shipped"), ("deliver", "delivered")] {
        step(&shop, ORDER, what).await;
        assert_eq!(items(&shop, ORDER).await[0]["status"], status);
    }
    let trace = shop.call("/logistic/order/trace", &[("order_id", &ORDER.to_string())]).await.json();
    let parcel = &trace["result"]["module"][0]["package_detail_info_list"][0];
    let titles: Vec<&Json> =
        parcel["logistic_detail_info_list"].as_array().unwrap().iter().map(|event| &event["title"]).collect();
    assert_eq!(
        (&parcel["ofc_package_id"], titles),
        (
            &json!(package),
            vec![&json!("Delivered"), &json!("Shipped"), &json!("Ready to ship"), &json!("Packed")]
        )
    );
    assert_eq!(shop.call("/logistic/order/trace", &[("order_id", "1")]).await.code(), "LD_INPUT_PARAM_VALID");
}

#[tokio::test]
async fn packing_has_limits_and_each_item_answers_for_itself() {
    let shop = Shop::of("lazada").await;
    let result = |answer: &Json| answer["result"]["error_code"].clone();
    let entry = json!({"order_id": ORDER, "order_item_list": [ITEM]});
    for (change, code) in [
        (json!({"delivery_type": "pickup"}), "700013"),
        (json!({"shipping_allocate_type": "NTFS"}), "700017"),
        (json!({"shipping_allocate_type": "NTFS", "shipment_provider_code": "NONE"}), "700001"),
        (json!({"pack_order_list": vec![entry.clone(); 21]}), "700022"),
        (json!({"pack_order_list": []}), "700018"),
        (json!({"pack_order_list": [{"order_id": ORDER, "order_item_list": []}]}), "700018"),
    ] {
        let mut request =
            json!({"delivery_type": "dropship", "shipping_allocate_type": "TFS", "pack_order_list": [entry]});
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = json(&shop, "/order/fulfill/pack", "packReq", request).await;
        assert_eq!(result(&answer), code, "{change}: {answer}");
        assert_eq!(answer["result"]["success"], false);
    }
    for (name, word) in [("delivery_type", "drone"), ("shipping_allocate_type", "XTFS")] {
        let mut request =
            json!({"delivery_type": "dropship", "shipping_allocate_type": "TFS", "pack_order_list": [entry]});
        request[name] = word.into();
        let answer = json(&shop, "/order/fulfill/pack", "packReq", request).await;
        assert_eq!(answer["code"], "InvalidParameter", "{answer}");
    }
    assert_eq!(items(&shop, ORDER).await[0]["status"], "pending", "nothing was packed");
    assert_eq!(shop.call("/order/fulfill/pack", &[("packReq", "{\"a\":")]).await.code(), "InvalidParameter");

    // A new order of three pieces: one canceled, one unknown, two good ones in one package; an unknown order.
    let (order, lines) = new_order(&shop, 3).await;
    let cancel = json!({"do": "cancel", "order": order, "lines": [lines[0]]});
    shop.bench.control("POST", "orders?platform=lazada", &cancel).await;
    let wanted = json!([
        {"order_id": order, "order_item_list": [lines[0], lines[1], lines[2], ITEM]},
        {"order_id": 7, "order_item_list": [1]},
    ]);
    let answer = pack(&shop, wanted).await;
    let list = &answer["result"]["data"]["pack_order_list"];
    let codes: Vec<&Json> =
        list[0]["order_item_list"].as_array().unwrap().iter().map(|row| &row["item_err_code"]).collect();
    assert_eq!(codes, ["700026", "0", "0", "700025"], "{answer}");
    assert_eq!(list[0]["order_item_list"][1]["package_id"], list[0]["order_item_list"][2]["package_id"]);
    assert_eq!(list[1]["order_item_list"][0]["item_err_code"], "700021");
    let row = shop.call("/order/get", &[("order_id", &order.to_string())]).await.json();
    assert_eq!(row["data"]["statuses"], json!(["canceled", "packed"]));

    // By the seller's choice of a carrier; and undone.
    let (order, lines) = new_order(&shop, 2).await;
    let request = json!({"delivery_type": "dropship", "shipping_allocate_type": "NTFS", "shipment_provider_code": "FM41",
        "pack_order_list": [{"order_id": order, "order_item_list": [lines[0]]}]});
    let answer = json(&shop, "/order/fulfill/pack", "packReq", request).await;
    let packed = &answer["result"]["data"]["pack_order_list"][0]["order_item_list"][0];
    assert_eq!(packed["shipment_provider"], "DEX", "{answer}");
    let undo = json!({"packages": [{"package_id": packed["package_id"]}]});
    let undone = json(&shop, "/order/package/repack", "rePackReq", undo.clone()).await;
    assert_eq!(undone["result"]["data"]["packages"][0]["item_err_code"], "0", "{undone}");
    let after = items(&shop, order).await;
    assert_eq!((&after[0]["status"], &after[0]["package_id"]), (&json!("pending"), &json!("")));
    let undone = json(&shop, "/order/package/repack", "rePackReq", undo).await;
    assert_eq!(undone["result"]["data"]["packages"][0]["item_err_code"], "30012");
}

#[tokio::test]
async fn documents_want_what_is_packed() {
    let shop = Shop::of("lazada").await;
    let document = async |kind: &str, ids: &str| {
        shop.call("/order/document/get", &[("doc_type", kind), ("order_item_ids", ids)]).await.code()
    };
    let pending = format!("[{ITEM}]");
    assert_eq!(document("shippingLabel", &pending).await, "34");
    assert_eq!(document("shippingLabel", "[300112233545577]").await, "0");
    assert_eq!(document("invoice", "[300112233545577]").await, "0");
    assert_eq!(document("poster", &pending).await, "32");
    for ids in ["[1]", "[]", "x", "[300112233545577,300112233545566]"] {
        assert_eq!(document("shippingLabel", ids).await, "20", "{ids}");
    }
    let label = async |package: &str| {
        let request = json!({"doc_type": "HTML", "packages": [{"package_id": package}]});
        json(&shop, "/order/package/document/get", "getDocumentReq", request).await["result"].clone()
    };
    assert_eq!(label("FP0123456789012").await["data"]["doc_type"], "HTML");
    assert_eq!(label("FP1").await["error_code"], "30012");
    step(&shop, 300_112_233_445_577, "cancel").await;
    assert_eq!(label("FP0123456789012").await["error_code"], "700040");
    assert_eq!(shop.bench.get("/_sandbox/labels/lazada/1/FP1.pdf").await.status, 404);
}

#[tokio::test]
async fn the_older_paths_pack_by_items_of_one_order() {
    for platform in ["lazada", "daraz"] {
        let shop = Shop::of(platform).await;
        let carrier = if platform == "daraz" { "DEX" } else { "LEX SG" };
        let pack = async |ids: &str, carrier: &str, way: &str| {
            let args = [("shipping_provider", carrier), ("delivery_type", way), ("order_item_ids", ids)];
            shop.call("/order/pack", &args).await
        };
        let good = format!("[{ITEM}]");
        assert_eq!(pack(&good, "Nobody", "dropship").await.code(), "InvalidParameter");
        assert_eq!(pack(&good, carrier, "pickup").await.code(), "InvalidParameter");
        for ids in [format!("[{ITEM},300112233545588]"), "[1]".to_owned(), "[300112233545577]".to_owned()] {
            assert_eq!(pack(&ids, carrier, "dropship").await.code(), "20", "{ids}");
        }
        let row = pack(&good, carrier, "dropship").await.json()["data"]["order_items"][0].clone();
        let ready = async |tracking: &str, ids: &str| {
            let args = [
                ("delivery_type", "dropship"),
                ("order_item_ids", ids),
                ("shipment_provider", carrier),
                ("tracking_number", tracking),
            ];
            shop.call("/order/rts", &args).await.code()
        };
        let tracking = row["tracking_number"].as_str().unwrap();
        assert_eq!(ready(tracking, "[300112233545588]").await, "20", "of another package");
        assert_eq!(ready("other", &good).await, "20");
        assert_eq!(ready(tracking, &good).await, "0");
        assert_eq!(ready(tracking, &good).await, "34");
        assert_eq!(items(&shop, ORDER).await[0]["status"], "ready_to_ship");
        let repack = async || {
            shop.call("/order/repack", &[("package_id", row["package_id"].as_str().unwrap())]).await.code()
        };
        assert_eq!((repack().await, repack().await), ("0".to_owned(), "20".to_owned()));
        let cancel = async |id: u64, reason: &str| {
            shop.call("/order/cancel", &[("order_item_id", &id.to_string()), ("reason_id", reason)])
                .await
                .code()
        };
        assert_eq!(cancel(ITEM, "1").await, "InvalidParameter");
        assert_eq!(cancel(1, "15").await, "20");
        assert_eq!((cancel(ITEM, "15").await, cancel(ITEM, "15").await), ("0".to_owned(), "20".to_owned()));
        let after = items(&shop, ORDER).await;
        assert_eq!((&after[0]["status"], &after[0]["reason"]), (&json!("canceled"), &json!("Out of stock")));
    }
}

#[tokio::test]
async fn cancellations_give_the_stock_back() {
    let shop = Shop::of("lazada").await;
    let held = async || {
        let books = shop.bench.control("GET", "products?platform=lazada&id=2512345678", &Json::Null).await;
        books["products"][0]["skus"][0]["reserved"].as_u64().unwrap()
    };
    let (order, lines) = new_order(&shop, 2).await;
    assert_eq!(held().await, 2);
    let cancel = async |order: u64, lines: &Json, reason: &str| {
        let args = [
            ("order_id", &*order.to_string()),
            ("order_item_id_list", &lines.to_string()),
            ("reason_id", reason),
        ];
        shop.call("/order/reverse/cancel/create", &args).await.code()
    };
    assert_eq!(cancel(order, &json!([lines[0]]), "99").await, "104");
    assert_eq!(cancel(7, &json!([lines[0]]), "15").await, "122");
    assert_eq!(cancel(order, &json!([ITEM]), "15").await, "102");
    assert_eq!(cancel(order, &json!([lines[0]]), "15").await, "0");
    assert_eq!((held().await, cancel(order, &json!(lines), "15").await), (1, "123".to_owned()));
    step(&shop, order, "ship").await;
    assert_eq!((held().await, cancel(order, &json!([lines[1]]), "15").await), (0, "123".to_owned()));

    // A buyer who wants to cancel waits for an answer.
    let (order, _) = new_order(&shop, 1).await;
    step(&shop, order, "ask-cancel").await;
    let row = shop.call("/order/get", &[("order_id", &order.to_string())]).await.json();
    assert_eq!(
        (&row["data"]["statuses"], &row["data"]["need_cancel_confirm"]),
        (&json!(["pending"]), &json!(true))
    );
    let decide = async |agreed: &str| {
        let id = (order + 100_000_000_000_000).to_string();
        shop.call(
            "/order/reverse/cancel/seller/decide",
            &[("reverse_order_id", &id), ("agree_cancel", agreed)],
        )
        .await
        .code()
    };
    for reason in ["99999999999999999999", "1.5", "many"] {
        let id = (order + 100_000_000_000_000).to_string();
        let args = [("reverse_order_id", &*id), ("agree_cancel", "true"), ("reason_code", reason)];
        let refused = shop.call("/order/reverse/cancel/seller/decide", &args).await;
        assert_eq!(refused.code(), "InvalidParameter", "{reason}: {}", refused.text());
    }
    assert_eq!((decide("false").await, decide("false").await), ("0".to_owned(), "131".to_owned()));
    step(&shop, order, "ask-cancel").await;
    assert_eq!((held().await, decide("true").await, held().await), (1, "0".to_owned(), 0));
    assert_eq!(items(&shop, order).await[0]["status"], "canceled");
}

#[tokio::test]
async fn returns_are_listed_and_decided() {
    let shop = Shop::of("lazada").await;
    let (order, lines) = new_order(&shop, 2).await;
    for what in ["ship", "deliver", "ask-return"] {
        step(&shop, order, what).await;
    }
    let id = order + 100_000_000_000_000;
    let list = shop
        .call(
            "/reverse/getreverseordersforseller",
            &[("page_no", "1"), ("page_size", "10"), ("request_type_list", "[\"RETURN\"]")],
        )
        .await
        .json();
    let newest = &list["result"]["items"][0];
    assert_eq!(
        (&newest["reverse_order_id"], &newest["trade_order_id"]),
        (&json!(id), &json!(order)),
        "{list}"
    );
    let detail =
        shop.call("/order/reverse/return/detail/list", &[("reverse_order_id", &id.to_string())]).await.json();
    assert_eq!(detail["data"]["reverseOrderLineDTOList"][1]["trade_order_line_id"], lines[1], "{detail}");
    assert_eq!(
        shop.call("/order/reverse/return/detail/list", &[("reverse_order_id", "1")]).await.code(),
        "105"
    );
    let line = |at: usize| lines[at] + 100_000_000_000_000;
    let update = async |action: &str, ids: Json, more: &[(&str, &str)]| {
        let (id, ids) = (id.to_string(), ids.to_string());
        let mut args =
            vec![("action", action), ("reverse_order_id", &*id), ("reverse_order_item_ids", &*ids)];
        args.extend(more);
        shop.call("/order/reverse/return/update", &args).await.code()
    };
    let why = [("reason_id", "10000123"), ("comment", "used")];
    assert_eq!(update("burn", json!([line(0)]), &[]).await, "107");
    assert_eq!(update("agreeReturn", json!([]), &[]).await, "100");
    assert_eq!(update("agreeReturn", json!([1]), &[]).await, "126");
    assert_eq!(update("refuseReturn", json!([line(0)]), &[]).await, "108");
    assert_eq!(update("refuseReturn", json!([line(0)]), &why[..1]).await, "109");
    assert_eq!(update("refuseRefund", json!([line(0)]), &why).await, "110");
    assert_eq!(update("refuseReturn", json!([line(0), line(1)]), &why).await, "111");
    assert_eq!(update("refuseReturn", json!([line(0)]), &why).await, "0");
    assert_eq!(update("agreeReturn", json!([line(1)]), &[]).await, "0");
    assert_eq!(update("agreeReturn", json!([line(1)]), &[]).await, "113");
    let after = items(&shop, order).await;
    assert_eq!((&after[0]["status"], &after[1]["status"]), (&json!("delivered"), &json!("returned")));
}

#[tokio::test]
async fn lists_of_orders_follow_what_happens() {
    let shop = Shop::of("lazada").await;
    let (order, _) = new_order(&shop, 1).await;
    shop.bench.advance("1h").await;
    step(&shop, ORDER, "pack").await;
    let since =
        [("update_after", "2026-11-21T00:00:00Z"), ("sort_by", "updated_at"), ("sort_direction", "ASC")];
    let list = shop.call("/orders/get", &since).await.json();
    let ids: Vec<u64> = list["data"]["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["order_id"].as_u64().unwrap())
        .collect();
    assert_eq!((ids, &list["data"]["countTotal"]), (vec![order, ORDER], &json!(2)));
    let newest =
        shop.call("/orders/get", &[("created_after", "2020-01-01T00:00:00Z"), ("limit", "1")]).await.json();
    assert_eq!(
        (&newest["data"]["orders"][0]["order_id"], &newest["data"]["countTotal"]),
        (&json!(order), &json!(121))
    );
    let far = [("created_after", "2020-01-01T00:00:00Z"), ("offset", "5001")];
    assert_eq!(shop.call("/orders/get", &far).await.code(), "14");
    let many = format!("[{}]", vec![ORDER.to_string(); 51].join(","));
    assert_eq!(shop.call("/orders/items/get", &[("order_ids", &many)]).await.code(), "38");
    let both = shop.call("/orders/items/get", &[("order_ids", &format!("[{order},{ORDER}]"))]).await.json();
    assert_eq!(
        (&both["data"][0]["order_items"][0]["status"], &both["data"][1]["order_items"][0]["status"]),
        (&json!("pending"), &json!("packed"))
    );
    assert_eq!(both["data"][0]["order_items"][0]["sku"], "TSHIRT-BLACK-M");
}

#[tokio::test]
async fn sellers_that_deliver_themselves_tell_what_arrived() {
    let shop = Shop::of("lazada").await;
    let (order, lines) = new_order(&shop, 1).await;
    let packed = pack(&shop, json!([{"order_id": order, "order_item_list": lines}])).await;
    let package = packed["result"]["data"]["pack_order_list"][0]["order_item_list"][0]["package_id"].clone();
    let told = async |api: &str, name: &str, package: &Json| {
        let reply = json(&shop, api, name, json!({"packages": [{"package_id": package}]})).await;
        reply["result"]["data"]["packages"][0]["item_err_code"].as_str().unwrap().to_owned()
    };
    let (delivered, failed) = ("/order/package/sof/delivered", "/order/package/sof/failed_delivery");
    assert_eq!(told(delivered, "dbsDeliveryReq", &package).await, "700000", "not shipped");
    assert_eq!(told(delivered, "dbsDeliveryReq", &json!("FP0000000000001")).await, "30012");
    step(&shop, order, "ready").await;
    step(&shop, order, "ship").await;
    assert_eq!(told(failed, "dbsFailedDeliveryReq", &package).await, "0");
    assert_eq!(items(&shop, order).await[0]["status"], "failed_delivery");
    assert_eq!(told(delivered, "dbsDeliveryReq", &package).await, "700000", "it came back");
    let nothing = json(&shop, delivered, "dbsDeliveryReq", json!({"packages": []})).await;
    assert_eq!(nothing["result"]["error_code"], "700018", "{nothing}");

    let (order, lines) = new_order(&shop, 2).await;
    let old = async |ids: Json| {
        shop.call("/order/sof/delivered", &[("order_item_ids", &ids.to_string())]).await.json()
    };
    for ids in [json!(lines), json!([1]), json!([-1]), json!([])] {
        assert_eq!(old(ids.clone()).await["code"], "20", "{ids}");
    }
    step(&shop, order, "ship").await;
    assert_eq!(old(json!(lines)).await["code"], "0");
    assert_eq!(old(json!(lines)).await["code"], "20", "twice");
}

#[tokio::test]
async fn digital_goods_arrive_once_and_invoices_belong_to_packed_items() {
    let shop = Shop::of("lazada").await;
    let (order, lines) = new_order(&shop, 2).await;
    let digital = async |order: u64, list: Json| {
        let orders = json!({"orders": [{"order_id": order, "order_item_list": list}]});
        json(&shop, "/order/digital/delivered", "digitalDeliveryReq", orders).await["result"].clone()
    };
    let row = |reply: &Json| reply["data"]["orders"][0]["order_item_list"][0]["item_err_code"].clone();
    assert_eq!(row(&digital(order, json!([lines[0]])).await), "0");
    assert_eq!(row(&digital(order, json!([lines[0]])).await), "700026", "twice");
    assert_eq!(row(&digital(order, json!([7])).await), "700025");
    assert_eq!(row(&digital(7, json!([lines[1]])).await), "700021");
    assert_eq!(digital(order, json!([])).await["errorCode"], "700018");
    let after = items(&shop, order).await;
    assert_eq!((&after[0]["status"], &after[1]["status"]), (&json!("delivered"), &json!("pending")));

    let invoice = async |item: &str| {
        let args = [("order_item_id", item), ("invoice_number", "INV-1")];
        shop.call("/order/invoice_number/set", &args).await.json()["code"].clone()
    };
    assert_eq!(invoice(&lines[1].to_string()).await, "34");
    assert_eq!(invoice("7").await, "20");
    pack(&shop, json!([{"order_id": order, "order_item_list": [lines[1]]}])).await;
    assert_eq!(invoice(&lines[1].to_string()).await, "0");
}
