//! The sandbox's token and list replies, held key by key against bodies of the live gateways.
//!
//! `vectors/` has bodies of our own with the keys, types and order of recorded ones. The recorded ones
//! are compared, too, where their folder lies beside the checkout. Of the lists of 1688, Taobao and the
//! legacy AliExpress gateway none was recorded: `fixture_documented` holds those against the documents.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value as Json, json};

use crate::support::{Bench, form};

/// How the sandbox is asked for a reply.
#[derive(Clone, Copy)]
enum Call {
    Create,
    Refresh,
    List(&'static [(&'static str, &'static str)]),
    /// What belongs to the first order of the shop.
    Order,
}

struct Case {
    platform: &'static str,
    call: Call,
    vector: &'static str,
    recorded: &'static [&'static str],
    /// Differences that are known, each with its reason.
    differences: &'static [(&'static str, &'static str)],
}

const NEWER: &str = "documented since the reply was recorded";
const TRACED: &str = "replies recorded since 2021 have it, older ones and this one do not";
const PER_PRODUCT: &str = "documented; absent where it does not apply";

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        platform: "alibaba", call: Call::Create, vector: "token/alibaba-create-live", recorded: &["alibaba-token-2026.json"],
        differences: &[("/: order", "the recorded one was printed with sorted keys")],
    },
    Case {
        platform: "aliexpress", call: Call::Create, vector: "token/aliexpress-create-live", recorded: &["aliexpress-token-2026.json"],
        differences: &[],
    },
    Case {
        platform: "lazada", call: Call::Create, vector: "token/lazada-create-live", recorded: &["lazada-token-2018-th.json", "lazada-token-2026-sg.json"],
        differences: &[("/_trace_id_: added", TRACED)],
    },
    Case { platform: "lazada", call: Call::Refresh, vector: "token/lazada-refresh-live", recorded: &[], differences: &[] },
    Case {
        platform: "taobao-global", call: Call::Create, vector: "token/taobao-global-create-live", recorded: &["taobao-global-token-2024.json"],
        differences: &[],
    },
    Case {
        platform: "daraz", call: Call::Create, vector: "token/daraz-create-live", recorded: &["daraz-token-local-2026.json"],
        differences: &[("/_trace_id_: added", TRACED)],
    },
    Case { platform: "1688", call: Call::Create, vector: "token/1688-create-live", recorded: &["1688-token-2015.json"], differences: &[] },
    Case {
        platform: "aliexpress-legacy", call: Call::Create, vector: "token/aliexpress-legacy-create-live", recorded: &["ae-legacy-token-2014-dst.json"],
        differences: &[],
    },
    Case { platform: "taobao", call: Call::Create, vector: "token/top-create-live", recorded: &["top-token-2017-user.json"], differences: &[] },
    Case {
        platform: "lazada", call: Call::List(&[("created_after", "2020-01-01T00:00:00Z"), ("limit", "1")]),
        vector: "list/lazada-orders", recorded: &["lazada-orders-get-2019.json"],
        differences: &[
            ("/_trace_id_: added", TRACED),
            ("/data/countTotal: added", NEWER),
            ("/data/orders/: order", "the document's order"),
            ("/data/orders/address_billing/: order", "the document's order"),
            ("/data/orders/address_billing/addressDsitrict: added", NEWER),
            ("/data/orders/address_shipping/: order", "the document's order"),
            ("/data/orders/address_shipping/addressDsitrict: added", NEWER),
            ("/data/orders/address_updated_at: added", NEWER),
            ("/data/orders/branch_number: added", NEWER),
            ("/data/orders/buyer_note: added", NEWER),
            ("/data/orders/is_cancel_pending: added", NEWER),
            ("/data/orders/need_cancel_confirm: added", NEWER),
            ("/data/orders/recipient_info: added", NEWER),
            ("/data/orders/shipping_fee_discount_platform: added", NEWER),
            ("/data/orders/shipping_fee_discount_seller: added", NEWER),
            ("/data/orders/shipping_fee_original: added", NEWER),
            ("/data/orders/tax_code: added", NEWER),
            ("/data/orders/warehouse_code: added", NEWER),
        ],
    },
    Case {
        platform: "lazada", call: Call::Order, vector: "list/lazada-order", recorded: &["lazada-order-get-2019.json"],
        differences: &[
            ("/_trace_id_: added", TRACED),
            ("/data/: order", "the document's order"),
            ("/data/address_billing/: order", "the document's order"),
            ("/data/address_billing/addressDsitrict: added", NEWER),
            ("/data/address_shipping/: order", "the document's order"),
            ("/data/address_shipping/addressDsitrict: added", NEWER),
            ("/data/address_updated_at: added", NEWER),
            ("/data/branch_number: added", NEWER),
            ("/data/buyer_note: added", NEWER),
            ("/data/is_cancel_pending: added", NEWER),
            ("/data/need_cancel_confirm: added", NEWER),
            ("/data/recipient_info: added", NEWER),
            ("/data/shipping_fee_discount_platform: added", NEWER),
            ("/data/shipping_fee_discount_seller: added", NEWER),
            ("/data/shipping_fee_original: added", NEWER),
            ("/data/tax_code: added", NEWER),
            ("/data/voucher_platform: added", NEWER),
            ("/data/voucher_seller: added", NEWER),
            ("/data/warehouse_code: added", NEWER),
        ],
    },
    Case {
        platform: "lazada", call: Call::Order, vector: "list/lazada-order-items", recorded: &["lazada-order-items-get-2019.json"],
        differences: &[
            ("/_trace_id_: added", TRACED),
            ("/data/: order", "the document's order"),
            ("/data/biz_group: added", NEWER),
            ("/data/buyer_id: added", NEWER),
            ("/data/can_escalate_pickup: added", NEWER),
            ("/data/cancel_trigger_time: added", NEWER),
            ("/data/delivery_option_sof: added", NEWER),
            ("/data/fulfillment_sla: added", NEWER),
            ("/data/gift_wrapping: added", NEWER),
            ("/data/is_cancel_pending: added", NEWER),
            ("/data/is_fbl: added", NEWER),
            ("/data/is_reroute: added", NEWER),
            ("/data/mp3_order: added", NEWER),
            ("/data/need_cancel_confirm: added", NEWER),
            ("/data/order_flag: added", NEWER),
            ("/data/order_type: added", NEWER),
            ("/data/payment_time: added", NEWER),
            ("/data/personalization: added", NEWER),
            ("/data/pick_up_store_info: added", NEWER),
            ("/data/priority_fulfillment_tag: added", NEWER),
            ("/data/product_id: added", NEWER),
            ("/data/reverse_order_id: added", NEWER),
            ("/data/schedule_delivery_end_timeslot: added", NEWER),
            ("/data/schedule_delivery_start_timeslot: added", NEWER),
            ("/data/semi_managed: added", NEWER),
            ("/data/shipping_fee_discount_platform: added", NEWER),
            ("/data/shipping_fee_discount_seller: added", NEWER),
            ("/data/shipping_fee_original: added", NEWER),
            ("/data/show_giftwrapping_tag: added", NEWER),
            ("/data/show_personalization_tag: added", NEWER),
            ("/data/sku_id: added", NEWER),
            ("/data/sla_time_stamp: added", NEWER),
            ("/data/stage_pay_status: added", NEWER),
            ("/data/supply_price: added", NEWER),
            ("/data/supply_price_currency: added", NEWER),
            ("/data/voucher_code_platform: added", NEWER),
            ("/data/voucher_code_seller: added", NEWER),
            ("/data/voucher_platform_lpi: added", NEWER),
            ("/data/voucher_seller_lpi: added", NEWER),
            ("/data/wallet_credits: added", NEWER),
            ("/data/warehouse_code: added", NEWER),
        ],
    },
    Case {
        platform: "aliexpress", call: Call::List(&[("aeop_a_e_product_list_query", r#"{"product_status_type":"onSelling","page_size":1}"#)]),
        vector: "list/aliexpress-solution-products", recorded: &["aliexpress-solution-list-2021.json"],
        differences: &[
            ("/_trace_id_: added", TRACED),
            ("/result/: order", "the recorded one was printed with sorted keys"),
            ("/result/aeop_a_e_product_display_d_t_o_list/item_display_dto/: order", "the recorded one was printed with sorted keys"),
            ("/result/aeop_a_e_product_display_d_t_o_list/item_display_dto/group_id: added", PER_PRODUCT),
            ("/result/aeop_a_e_product_display_d_t_o_list/item_display_dto/ws_offline_date: added", PER_PRODUCT),
        ],
    },
    Case {
        platform: "alibaba", call: Call::List(&[("page_size", "1")]), vector: "list/alibaba-search-v2", recorded: &[],
        differences: &[
            ("/: order", "the order was not recorded"),
            ("/page: added", "documented; whether the live reply has it is not known"),
            ("/product_info/attributes: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/audit_status: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/create_timestamp: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/description: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/keywords: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/language: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/last_modified_timestamp: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/model_number: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/owner_ali_id: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/product_images: added", "documented; the vector has only what was measured"),
            ("/product_info/basic_info/status: added", "documented; the vector has only what was measured"),
            ("/product_info/category_info: added", "documented; the vector has only what was measured"),
            ("/product_info/logistics_info: added", "documented; the vector has only what was measured"),
            ("/product_info/trade_info: added", "documented; the vector has only what was measured"),
        ],
    },
];

#[tokio::test]
async fn replies_have_the_keys_and_types_of_recorded_ones() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recordings = root.join("../shared/found/replies");
    if !recordings.is_dir() {
        eprintln!("skipped in part: there are no recorded replies at {}", recordings.display());
    }
    let bench = Bench::start().await;
    for case in CASES {
        let vector = root.join("vectors").join(case.vector);
        let about: Json = serde_json::from_slice(&fs::read(vector.join("case.json")).unwrap()).unwrap();
        let answer = answer(&bench, case, about["api"].as_str().unwrap_or_default()).await;
        let files = case.recorded.iter().map(|name| recordings.join(name)).filter(|file| file.is_file());
        let mut found = BTreeSet::new();
        for file in files.chain([vector.join("body")]) {
            let body: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            compare(&unwrapped(&body), &unwrapped(&answer), "", &mut found);
        }
        let expected: BTreeSet<String> =
            case.differences.iter().map(|(what, _)| (*what).to_owned()).collect();
        let unexpected: Vec<&String> = found.difference(&expected).collect();
        assert!(unexpected.is_empty(), "{}: {unexpected:#?}\n{answer}", case.vector);
        if recordings.is_dir() {
            let gone: Vec<&String> = expected.difference(&found).collect();
            assert!(gone.is_empty(), "{}: no longer different: {gone:#?}", case.vector);
        }
    }
}

/// The inside of a reply of `/sync`.
fn unwrapped(reply: &Json) -> Json {
    match reply.as_object().map(|members| members.iter().next()) {
        Some(Some((name, inner))) if name.ends_with("_response") => inner.clone(),
        _ => reply.clone(),
    }
}

async fn answer(bench: &Bench, case: &Case, api: &str) -> Json {
    let app = bench.app(case.platform);
    let secret = app.app_secret.as_deref().unwrap();
    match case.call {
        Call::Create if app.protocol == "iop" => bench.iop_login(&app, "").await,
        Call::Create => {
            let code = bench.code(&app, "").await;
            let target = match app.protocol {
                "param2" => format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key),
                _ => "/token".to_owned(),
            };
            let pairs = [
                ("grant_type", "authorization_code"),
                ("need_refresh_token", "true"),
                ("client_id", app.app_key.as_str()),
                ("client_secret", secret),
                ("redirect_uri", app.redirect_uri.as_str()),
                ("code", code.as_str()),
            ];
            bench.post(&target, "application/x-www-form-urlencoded", form(&pairs).as_bytes()).await.json()
        }
        Call::Refresh => {
            let first = bench.iop_login(&app, "").await;
            let token = first["refresh_token"].as_str().unwrap();
            bench.rest(&app, "/auth/token/refresh", &[("refresh_token", token)]).await.json()
        }
        Call::Order => {
            let login = bench.iop_login(&app, "").await;
            let token = ("access_token", login["access_token"].as_str().unwrap());
            let all = [("created_after", "2020-01-01T00:00:00Z"), ("limit", "1"), token];
            let orders = bench.rest(&app, "/orders/get", &all).await.json();
            let id = orders["data"]["orders"][0]["order_id"].to_string();
            bench.rest(&app, api, &[("order_id", id.as_str()), token]).await.json()
        }
        Call::List(args) => {
            let login = bench.iop_login(&app, "").await;
            let mut pairs = args.to_vec();
            pairs.push(("access_token", login["access_token"].as_str().unwrap()));
            if api.starts_with('/') {
                return bench.rest(&app, api, &pairs).await.json();
            }
            pairs.push(("method", api));
            bench.sync(&app, &pairs).await.json()
        }
    }
}

/// Notes where `answer` has other keys, types or order than `recorded`. Of lists, the first items count.
fn compare(recorded: &Json, answer: &Json, path: &str, found: &mut BTreeSet<String>) {
    match (recorded, answer) {
        (Json::Object(old), Json::Object(new)) => {
            let missing = old.keys().filter(|name| !new.contains_key(*name));
            found.extend(missing.map(|name| format!("{path}/{name}: missing")));
            let added = new.keys().filter(|name| !old.contains_key(*name));
            found.extend(added.map(|name| format!("{path}/{name}: added")));
            let shared = |one: &serde_json::Map<String, Json>, other: &serde_json::Map<String, Json>| {
                one.keys().filter(|name| other.contains_key(*name)).cloned().collect::<Vec<_>>()
            };
            if shared(old, new) != shared(new, old) {
                found.insert(format!("{path}/: order"));
            }
            for (name, value) in old {
                if let Some(other) = new.get(name) {
                    compare(value, other, &format!("{path}/{name}"), found);
                }
            }
        }
        (Json::Array(old), Json::Array(new)) => {
            if let (Some(old), Some(new)) = (old.first(), new.first()) {
                compare(old, new, path, found);
            }
        }
        (old, new) if std::mem::discriminant(old) != std::mem::discriminant(new) => {
            found.insert(format!("{path}: {new} instead of {old}"));
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_v2_calls_have_both_forms() {
    let bench = Bench::start().await;
    let app = bench.app("alibaba");
    let token = bench.iop_login(&app, "").await["access_token"].as_str().unwrap().to_owned();
    let search = |args: Vec<(&'static str, String)>| {
        let (bench, app, token) = (&bench, &app, token.as_str());
        async move {
            let mut pairs: Vec<(&str, &str)> =
                args.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.push(("access_token", token));
            bench.rest(app, "/alibaba/icbu/product/search/v2", &pairs).await.json()
        }
    };
    let mut seen = BTreeSet::new();
    for page in 1..=3 {
        let reply = search(vec![("page_index", page.to_string()), ("page_size", "200".to_owned())]).await;
        assert_eq!((&reply["success"], &reply["page"]["total_item"]), (&json!(true), &json!(40)), "{reply}");
        seen.extend(
            reply["product_info"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["basic_info"]["product_id"].to_string()),
        );
    }
    assert_eq!(seen.len(), 40);
    let all = search(vec![]).await;
    let first = &all["product_info"][0];
    let model = first["basic_info"]["model_number"].as_str().unwrap().to_owned();
    let found = search(vec![("model_number", model.clone())]).await;
    assert!(
        found["product_info"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["basic_info"]["model_number"] == model.as_str())
    );
    let sku = first["trade_info"]["sku_info"][0]["sku_code"].as_str().unwrap().to_owned();
    assert_eq!(search(vec![("sku_code", sku)]).await["product_info"][0], *first);

    let get = |id: String| {
        let (bench, app, token) = (&bench, &app, token.as_str());
        async move {
            let pairs = [("product_id", id.as_str()), ("access_token", token)];
            bench.rest(app, "/alibaba/icbu/product/get/v2", &pairs).await.json()
        }
    };
    let id = first["basic_info"]["product_id"].to_string();
    assert_eq!(get(id.clone()).await["product_info"], *first);
    let unknown = get("5".to_owned()).await;
    assert_eq!((&unknown["success"], &unknown["msg_code"]), (&json!(false), &json!("B_PRODUCT_NOT_FOUND")));
    bench.control("POST", "settings", &json!({"reply_style": "documented"})).await;
    assert_eq!(get(id).await["result"]["product_info"], *first);
    assert_eq!(search(vec![]).await["result"]["product_info"], all["product_info"]);
}
