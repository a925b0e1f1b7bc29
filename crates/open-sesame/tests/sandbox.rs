//! The client against the sandbox, over real sockets: the gateways check what the client sends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use open_sesame::{Call, ErrorKind, sandbox::DemoEnv};
use serde_json::{Value, json};
use sesame_core::HttpRequest;

/// Calls the sandbox's control API.
async fn control(demo: &DemoEnv, path: &str, body: &Value) -> Value {
    let request = HttpRequest::json(format!("{}/_sandbox/{path}", demo.url()), body.to_string());
    let response = demo.sesame.transport().send(request).await.unwrap();
    assert!(response.status < 300, "{path}: {} {:?}", response.status, response.body);
    serde_json::from_slice(&response.body).unwrap_or_default()
}

async fn count(demo: &DemoEnv, call: Call) -> usize {
    let mut pages = demo.sesame.client().pages(call);
    let mut rows = 0;
    while let Some(page) = pages.next().await {
        rows += page.unwrap().items.len();
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_platform_answers_signed_calls_and_pages() {
    let demo = DemoEnv::start(1, 77).await.unwrap();
    let lists = [
        ("alibaba", "/alibaba/icbu/product/list", json!({"language": "ENGLISH"})),
        ("lazada", "/products/get", json!({})),
        ("1688", "com.alibaba.product:alibaba.product.list.get", json!({})),
        ("taobao", "taobao.items.onsale.get", json!({"fields": "num_iid,title"})),
        (
            "aliexpress",
            "aliexpress.solution.product.list.get",
            json!({"aeop_a_e_product_list_query": {"product_status_type": "onSelling"}}),
        ),
        (
            "aliexpress-legacy",
            "aliexpress.open:api.findProductInfoListQuery",
            json!({"productStatusType": "onSelling"}),
        ),
    ];
    for (platform, api, args) in lists {
        let shop = demo.authorize(platform, 1).await.unwrap().remove(0);
        let mut call = Call::new(&shop, api);
        call.args = args.as_object().unwrap().clone();
        let rows = count(&demo, call).await;
        assert!(rows > 0 && rows <= 77, "{platform}: {rows} rows");
        if matches!(platform, "alibaba" | "lazada") {
            assert_eq!(rows, 77, "{platform}");
        }
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_the_sandbox_made_up_is_warned_of() {
    let demo = DemoEnv::start(1, 3).await.unwrap();
    let shop = demo.authorize("taobao", 1).await.unwrap().remove(0);
    let warned = async |call: Call| {
        let outcome = demo.sesame.client().call(&call).await.unwrap();
        outcome.warnings.iter().filter(|warning| warning.contains("are made up")).count()
    };
    assert_eq!(warned(Call::new(&shop, "taobao.simba.customers.sid.get")).await, 1);
    let world = Call::new(&shop, "taobao.items.onsale.get").arg("fields", "num_iid,title");
    assert_eq!(warned(world).await, 0);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_revoked_there_is_refreshed_here() {
    let demo = DemoEnv::start(1, 3).await.unwrap();
    let shop = demo.authorize("lazada", 1).await.unwrap().remove(0);
    let call = Call::new(&shop, "/products/get");
    demo.sesame.client().call(&call).await.unwrap();
    control(&demo, "tokens/expire", &json!({"platform": "lazada", "which": "access", "in_seconds": 0})).await;
    let outcome = demo.sesame.client().call(&call).await.unwrap();
    assert_eq!(outcome.attempts, 2);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_three_hours_off_is_allowed_for() {
    let demo = DemoEnv::start(1, 3).await.unwrap();
    let shop = demo.authorize("lazada", 1).await.unwrap().remove(0);
    control(&demo, "clock", &json!({"advance": "3h"})).await;
    let outcome = demo.sesame.client().call(&Call::new(&shop, "/products/get")).await.unwrap();
    assert!(outcome.warnings.iter().any(|warning| warning.contains("3 h")), "{:?}", outcome.warnings);
    let again = demo.sesame.client().call(&Call::new(&shop, "/products/get")).await.unwrap();
    assert_eq!(again.attempts, 1);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_survived_by_reads_and_told_of_writes() {
    let demo = DemoEnv::start(1, 3).await.unwrap();
    let shop = demo.authorize("lazada", 1).await.unwrap().remove(0);
    for kind in ["html", "empty", "truncated", "drop-before", "drop-after", "busy"] {
        control(&demo, "faults", &json!({"kind": kind, "api": "/products/get", "count": 1})).await;
        let outcome = demo.sesame.client().call(&Call::new(&shop, "/products/get")).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        assert_eq!(outcome.attempts, 2, "{kind}");
    }
    control(&demo, "faults", &json!({"kind": "drop-after", "api": "/product/remove", "count": 1})).await;
    let write = Call::new(&shop, "/product/remove").arg("seller_sku_list", json!(["a"]));
    let error = demo.sesame.client().call(&write).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
    assert!(error.is_ambiguous());
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_parameter_survives_the_way() {
    let demo = DemoEnv::start(1, 3).await.unwrap();
    let shop = demo.authorize("alibaba", 1).await.unwrap().remove(0);
    let big = "x".repeat(5 << 20);
    for value in
        ["中文", "🦀 four bytes", "a&b=c+d%20", "line\r\nbreak", "{\"looks\":\"like JSON\"}", big.as_str()]
    {
        let call = Call::new(&shop, "/icbu/product/group/add")
            .arg("group_name", value)
            .arg("2", "integer-like")
            .arg("10", "integer-like");
        match demo.sesame.client().call(&call).await {
            Ok(_) => {}
            Err(error) => assert_ne!(error.kind(), ErrorKind::Signature, "{error:?}"),
        }
    }
    demo.stop().await;
}
