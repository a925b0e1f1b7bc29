//! Ids that the shop does not have, in every entry that nothing but a sample is behind.

use serde_json::{Map, Value as Json};
use sesame_catalog::Safety;
use sesame_sandbox::ReplySource;

use crate::{
    support::{Bench, CATALOG},
    sweep_calls::{Caller, Connection},
};

/// No shop has a row with this id.
const UNKNOWN: &str = "987654321987654";

/// Groups of the documents whose orders and products are the shop's own; a param2 entry has its namespace.
const GROUPS: [(&str, &[&str]); 6] = [
    ("lazada", &["order-api", "fulfillment-api", "product-api", "return-and-refund-api"]),
    ("daraz", &["order-api", "product-api"]),
    ("miravia", &["order-api", "fulfillment-api", "product", "product-v2"]),
    (
        "aliexpress",
        &["aliexpress.postproduct", "aliexpress.solution", "aliexpress.offer", "aliexpress.trade"],
    ),
    ("1688", &["com.alibaba.product", "com.alibaba.trade", "com.alibaba.logistics"]),
    ("taobao", &["tblogistics", "logistic", "tbitem", "tbtrade", "trade"]),
];

/// Names of arguments that are ids of orders, lines, packages, products and SKUs of a shop.
fn names_a_row(platform: &str, name: &str) -> bool {
    let names: &[&str] = match platform {
        "taobao" => &["tid", "tids", "sub_tid", "sub_tids", "oid", "num_iid", "num_iids"],
        "1688" => &["orderId", "orderIds", "productID", "productId", "productIDs", "productIds", "skuId"],
        "aliexpress" => &["order_id", "order_ids", "trade_order_id", "product_id", "product_ids", "item_id"],
        _ => &[
            "order_id",
            "order_ids",
            "trade_order_id",
            "order_item_id",
            "order_item_ids",
            "item_id",
            "package_id",
            "sku_id",
            "sku_ids",
            "product_id",
        ],
    };
    names.contains(&name)
}

/// Replaces all ids of rows; returns how many.
fn spoil(platform: &str, args: &mut Map<String, Json>) -> usize {
    let mut count = 0;
    for (name, value) in args {
        count += spoil_one(platform, name, value);
    }
    count
}

fn spoil_one(platform: &str, name: &str, value: &mut Json) -> usize {
    match value {
        Json::Object(members) => spoil(platform, members),
        Json::Array(items) => items.iter_mut().map(|item| spoil_one(platform, name, item)).sum(),
        Json::Number(_) if names_a_row(platform, name) => {
            *value = UNKNOWN.parse::<u64>().unwrap().into();
            1
        }
        Json::String(text) if text.starts_with(['{', '[']) => {
            let Ok(mut inner) = serde_json::from_str::<Json>(text) else { return 0 };
            let count = spoil_one(platform, name, &mut inner);
            *text = inner.to_string();
            count
        }
        Json::String(text) if names_a_row(platform, name) => {
            UNKNOWN.clone_into(text);
            1
        }
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_the_shop_does_not_have_are_refused() {
    let bench = Bench::start().await;
    let mut answered = Vec::new();
    let (mut wrong, mut refused, mut writes) = (Vec::new(), 0, 0);
    for (platform, groups) in GROUPS {
        let caller = Caller::login(&bench, platform).await;
        let mut connection = Connection::new(&bench.host);
        for summary in CATALOG.list(platform) {
            let api = CATALOG.api(platform, &summary.name).unwrap();
            let group = api.namespace.as_deref().or(api.group.as_deref()).unwrap_or_default();
            let source = ReplySource::of(caller.platform, &api);
            if source == ReplySource::World || !groups.contains(&group) {
                continue;
            }
            let mut args = api.skeleton();
            if spoil(platform, &mut args) == 0 {
                continue;
            }
            match connection.call(&caller, &api, &args).await.reply {
                Ok(_) => answered.push(api.name),
                Err(error) => match error.sub_code().or(error.code()).unwrap_or_default() {
                    "16"
                    | "20"
                    | "207"
                    | "208"
                    | "30012"
                    | "ORDER_NOT_EXIST"
                    | "PRODUCT_NOT_EXIST"
                    | "SKU_NOT_EXIST"
                    | "isv.trade-not-exist"
                    | "isv.item-not-exist" => {
                        refused += 1;
                        writes += usize::from(api.safety != Safety::Read);
                    }
                    _ => wrong.push(format!("{platform} {}: {error}", api.name)),
                },
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers:\n{}", wrong.len(), wrong.join("\n"));
    // Lists: the id narrows them down.
    answered.sort();
    assert_eq!(
        answered,
        [
            "alibaba.ascp.logistics.seller.orders.get",
            "aliexpress.offer.redefining.querybundle",
            "aliexpress.trade.redefining.findloanlistquery",
            "com.alibaba.trade:alibaba.trade.refund.queryOrderRefundList",
            "taobao.logistics.orders.detail.get",
            "taobao.logistics.orders.get",
        ]
    );
    assert!(refused >= 100 && writes >= 60, "{refused} refused, {writes} of them writes");
}
