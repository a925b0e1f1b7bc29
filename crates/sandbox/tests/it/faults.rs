//! What goes wrong on demand.

use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};

use crate::support::{Bench, borrowed, form};

const LIST: &str = "/products/get";

async fn ordered(bench: &Bench, rule: Json) {
    bench.control("DELETE", "faults", &Json::Null).await;
    bench.control("POST", "faults", &rule).await;
}

#[tokio::test]
async fn every_kind_strikes_where_it_says() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, "").await;
    let token = token["access_token"].as_str().unwrap();
    let args = [("access_token", token), ("filter", "all")];
    let call = || bench.rest(&app, LIST, &args);
    let whole = call().await.body.len();
    let dropped = || async {
        let all = bench.iop_pairs(&app, Some(LIST), &args).await;
        let body = form(&borrowed(&all));
        bench
            .send(
                "POST",
                "/rest/products/get",
                &[("Content-Type", "application/x-www-form-urlencoded")],
                body.as_bytes(),
            )
            .await
    };

    ordered(&bench, json!("html@/products/get,count=1")).await;
    let answer = call().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html;charset=UTF-8")));
    assert_eq!(call().await.code(), "0", "once");

    ordered(&bench, json!({"kind": "status", "status": 502})).await;
    let answer = call().await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("502 Bad Gateway"));

    ordered(&bench, json!({"kind": "drop-before"})).await;
    assert!(dropped().await.is_none());
    ordered(&bench, json!({"kind": "drop-after"})).await;
    assert!(dropped().await.is_none());

    ordered(&bench, json!({"kind": "empty"})).await;
    let answer = call().await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));

    ordered(&bench, json!({"kind": "truncated"})).await;
    let answer = call().await;
    assert!(!answer.body.is_empty() && answer.body.len() < whole, "{}", answer.body.len());
    assert!(answer.header("content-length").unwrap().parse::<usize>().unwrap() > answer.body.len());

    ordered(&bench, json!({"kind": "huge", "bytes": 3_000_000})).await;
    let answer = call().await;
    assert_eq!(answer.body.len(), 3_000_000);
    assert_eq!(answer.code(), "0", "white space behind JSON is still JSON");

    ordered(&bench, json!({"kind": "busy"})).await;
    let json = call().await.json();
    assert_eq!((json["code"].as_str(), json["type"].as_str()), (Some("901"), Some("SYSTEM")));

    ordered(&bench, json!({"kind": "call-limit", "seconds": 3})).await;
    let json = call().await.json();
    assert_eq!(json["code"], "ApiCallLimit");
    assert!(json["message"].as_str().unwrap().contains("This ban will last 3 seconds"));

    ordered(&bench, json!({"kind": "illegal-token", "count": 1})).await;
    assert_eq!(call().await.code(), "IllegalAccessToken");
    assert_eq!(call().await.code(), "0");

    ordered(&bench, json!({"kind": "business-failure"})).await;
    let json = call().await.json();
    assert_eq!((json["code"].as_str(), &json["success"]), (Some("0"), &json!(false)));

    ordered(&bench, json!({"kind": "error", "code": "InsufficientPermission", "message": "no"})).await;
    assert_eq!(call().await.code(), "InsufficientPermission");

    ordered(&bench, json!({"kind": "wrong-date", "seconds": -10_800})).await;
    assert_eq!(call().await.header("date"), Some("Sat, 21 Nov 2026 09:32:12 GMT"));

    ordered(&bench, json!({"kind": "latency", "ms": 1_500})).await;
    let before = bench.clock.slept_ms.load(Ordering::Relaxed);
    assert_eq!(call().await.code(), "0");
    assert_eq!(bench.clock.slept_ms.load(Ordering::Relaxed) - before, 1_500);

    ordered(&bench, json!([{"kind": "busy", "api": "/orders/*"}, {"kind": "busy", "platform": "daraz"}]))
        .await;
    assert_eq!(call().await.code(), "0", "rules for others do not strike");
}

#[tokio::test]
async fn a_call_that_hangs_ends_with_its_client() {
    let bench = Bench::start().await;
    bench.control("POST", "faults", &json!("hang@/products/get")).await;
    let app = bench.app("lazada");
    let call = bench.rest(&app, LIST, &[]);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), call).await.is_err());
    // And stopping does not wait for it.
    let stop = bench.sandbox.stop();
    tokio::time::timeout(std::time::Duration::from_secs(5), stop).await.unwrap();
}

#[tokio::test]
async fn the_effect_of_a_lost_answer_stands() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, "").await;
    let refresh = token["refresh_token"].as_str().unwrap();
    let lost = |rule: &'static str| {
        let (bench, app) = (&bench, &app);
        async move {
            ordered(bench, json!(rule)).await;
            let all = bench.iop_pairs(app, Some("/auth/token/refresh"), &[("refresh_token", refresh)]).await;
            bench.send("POST", "/rest/auth/token/refresh", &[], form(&borrowed(&all)).as_bytes()).await
        }
    };
    assert!(lost("drop-before@/auth/token/refresh,count=1").await.is_none());
    let stats = bench.control("GET", "stats", &Json::Null).await;
    assert_eq!(stats["tokens"]["refreshed"], 0);
    assert!(lost("drop-after@/auth/token/refresh,count=1").await.is_none());
    let stats = bench.control("GET", "stats", &Json::Null).await;
    assert_eq!(stats["tokens"]["refreshed"], 1);
    let answer = bench.rest(&app, "/auth/token/refresh", &[("refresh_token", refresh)]).await;
    assert_eq!(answer.code(), "IllegalRefreshToken", "it was spent");
}

#[tokio::test]
async fn the_other_gateways_say_it_in_their_words() {
    let bench = Bench::with(|options| {
        options.faults = vec![
            "call-limit=7@taobao.time.get".parse().unwrap(),
            "call-limit=7@system:currentTime,count=1".parse().unwrap(),
        ];
    })
    .await;
    let json = bench.top(&bench.app("taobao"), &[("method", "taobao.time.get")]).await.json();
    assert_eq!(json["error_response"]["code"], 7);
    assert_eq!(json["error_response"]["sub_msg"], "This ban will last for 7 more seconds");
    let answer = bench.param2(&bench.app("1688"), "system/currentTime", &[]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("gw.Qos"), "{}", answer.text());
    assert_eq!(bench.param2(&bench.app("1688"), "system/currentTime", &[]).await.status, 200);
}

#[tokio::test]
async fn quotas_refuse_with_the_seconds_left() {
    let bench = Bench::start().await;
    bench.control("POST", "quotas", &json!({"api": "taobao.time.get", "calls": 2, "seconds": 60})).await;
    let app = bench.app("taobao");
    let call = || bench.top(&app, &[("method", "taobao.time.get")]);
    assert_eq!(call().await.code(), "0");
    assert_eq!(call().await.code(), "0");
    let refused = call().await.json();
    assert_eq!(refused["error_response"]["sub_code"], "accesscontrol.limited-by-app-api-access-count");
    assert_eq!(refused["error_response"]["sub_msg"], "This ban will last for 48 more seconds");
    bench.advance("48s").await;
    assert_eq!(call().await.code(), "0");
}

#[tokio::test]
async fn errors_have_the_type_that_the_documents_show() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, "").await;
    let args = [("access_token", token["access_token"].as_str().unwrap()), ("filter", "all")];
    for (code, wanted) in [
        ("ServiceTimeout", "ISP"),
        ("UnknownRuntimeException", "ISP"),
        ("6", "SYSTEM"),
        ("E901", "SYSTEM"),
        ("InsufficientPermission", "ISV"),
    ] {
        ordered(&bench, json!({"kind": "error", "code": code})).await;
        let answer = bench.rest(&app, LIST, &args).await.json();
        assert_eq!((answer["code"].as_str(), answer["type"].as_str()), (Some(code), Some(wanted)));
    }
    ordered(&bench, json!({"kind": "error", "code": "6", "type": "ISV"})).await;
    assert_eq!(bench.rest(&app, LIST, &args).await.json()["type"], "ISV");
}
