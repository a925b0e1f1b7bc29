//! `/_sandbox/`, and the line for scripts.

use serde_json::{Value as Json, json};

use crate::support::Bench;

#[tokio::test]
async fn the_description_holds_what_scripts_need() {
    let bench = Bench::start().await;
    let json = serde_json::to_value(bench.sandbox.describe()).unwrap();
    assert_eq!(json["listen"], bench.sandbox.url());
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["listen", "apps", "shops"]);
    let app = json["apps"].as_array().unwrap().iter().find(|app| app["platform"] == "lazada").unwrap();
    let keys: Vec<&String> = app.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["platform", "protocol", "app_key", "app_secret", "redirect_uri", "authorize_url", "api_base"]
    );
    assert_eq!(app["api_base"], format!("{}/rest", bench.sandbox.url()));
    assert_eq!(app["authorize_url"], format!("{}/oauth/authorize", bench.sandbox.url()));
    assert_eq!(app["redirect_uri"], "http://127.0.0.1:8756/callback");
    assert_eq!(json["apps"].as_array().unwrap().len(), 9);
    assert_eq!(json["shops"].as_array().unwrap().len(), 18);
    // All of it follows from the seed.
    let again = Bench::start().await;
    assert_eq!(
        serde_json::to_value(again.sandbox.describe()).unwrap()["apps"][0]["app_key"],
        json["apps"][0]["app_key"]
    );
    let other = Bench::with(|options| options.seed = 2).await;
    assert_ne!(
        serde_json::to_value(other.sandbox.describe()).unwrap()["apps"][0]["app_key"],
        json["apps"][0]["app_key"]
    );
    // Debug is for logs.
    let secret = app["app_secret"].as_str().unwrap();
    assert!(!format!("{:?}", bench.sandbox.describe()).contains(secret));
}

#[tokio::test]
async fn calls_are_counted_by_api_and_outcome() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, "").await;
    let token = token["access_token"].as_str().unwrap();
    for _ in 0..3 {
        bench.rest(&app, "/products/get", &[("access_token", token), ("filter", "all")]).await;
    }
    bench.rest(&app, "/products/get", &[("access_token", "x")]).await;
    bench.rest(&app, "/no/such", &[]).await;
    let stats = bench.control("GET", "stats", &Json::Null).await;
    assert_eq!(stats["calls"]["lazada"]["/products/get"], json!({"ok": 3, "IllegalAccessToken": 1}));
    assert_eq!(stats["calls"]["lazada"]["/auth/token/create"], json!({"ok": 1}));
    assert_eq!(stats["calls"]["lazada"]["/no/such"], json!({"InvalidApiPath": 1}));
    assert_eq!(stats["tokens"]["created"], 1);
    bench.control("POST", "reset", &Json::Null).await;
    let stats = bench.control("GET", "stats", &Json::Null).await;
    assert_eq!((&stats["calls"], &stats["tokens"]["created"]), (&json!({}), &json!(0)));
    assert_eq!(
        bench.rest(&app, "/products/get", &[("access_token", token), ("filter", "all")]).await.code(),
        "0",
        "tokens stay"
    );
    bench.control("POST", "reset", &json!({"tokens": true})).await;
    assert_eq!(
        bench.rest(&app, "/products/get", &[("access_token", token)]).await.code(),
        "IllegalAccessToken"
    );
}

#[tokio::test]
async fn tokens_end_when_told() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let login = bench.login("lazada");
    let list = |token: &str| {
        let (bench, app, token) = (&bench, &app, token.to_owned());
        async move {
            bench.rest(app, "/products/get", &[("access_token", &token), ("filter", "all")]).await.code()
        }
    };
    let token = bench.iop_login(&app, &login).await;
    let access = token["access_token"].as_str().unwrap();
    let refresh = token["refresh_token"].as_str().unwrap();
    let listed = bench.control("GET", "tokens", &Json::Null).await;
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(access) && !listed.to_string().contains(refresh));
    let changed = bench.control("POST", "tokens/expire", &json!({"login": login, "which": "access"})).await;
    assert_eq!(changed["changed"], 1);
    assert_eq!(list(access).await, "IllegalAccessToken");
    let refreshed = bench.rest(&app, "/auth/token/refresh", &[("refresh_token", refresh)]).await.json();
    assert_eq!(list(refreshed["access_token"].as_str().unwrap()).await, "0");
    bench.control("POST", "tokens/revoke", &json!({"platform": "lazada"})).await;
    assert_eq!(list(refreshed["access_token"].as_str().unwrap()).await, "IllegalAccessToken");
    let refresh = refreshed["refresh_token"].as_str().unwrap();
    assert_eq!(
        bench.rest(&app, "/auth/token/refresh", &[("refresh_token", refresh)]).await.code(),
        "IllegalRefreshToken"
    );
}

#[tokio::test]
async fn mistakes_are_answered_and_web_pages_kept_out() {
    let bench = Bench::start().await;
    for (method, route, body, status) in [
        ("GET", "nowhere", "", 404),
        ("PUT", "stats", "", 405),
        ("POST", "faults", "{\"kind\":\"nonsense\"}", 400),
        ("POST", "faults", "\"latency\"", 400),
        ("POST", "faults", "{", 400),
        ("POST", "clock", "{\"now\":\"yesterday\"}", 400),
        ("POST", "clock", "{\"advance\":true}", 400),
        ("POST", "apps", "{\"app_key\":\"1\"}", 404),
        ("POST", "faults", "{\"kind\":\"html\",\"cuont\":1}", 400),
        ("POST", "faults", "[{\"kind\":\"latency\",\"ms\":1,\"seconds\":1}]", 400),
        ("POST", "quotas", "{\"calls\":1,\"seconds\":0}", 400),
        ("POST", "quotas", "{\"calls\":1,\"seconds\":1,\"pre\":\"app\"}", 400),
        ("POST", "tokens/expire", "{\"login\":\"nobody\"}", 400),
        ("GET", "refusals/r77", "", 404),
    ] {
        let answer = bench.send(method, &format!("/_sandbox/{route}"), &[], body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, status, "{method} {route} {}", answer.text());
        assert!(answer.json()["error"].is_string());
    }
    for headers in [[("Origin", "http://evil.example")], [("Host", "evil.example")]] {
        let host = if headers[0].0 == "Host" { "" } else { bench.host.as_str() };
        let mut request = format!("GET /_sandbox/stats HTTP/1.1\r\n{}: {}\r\n", headers[0].0, headers[0].1);
        if !host.is_empty() {
            request = format!("{request}Host: {host}\r\n");
        }
        request.push_str("\r\n");
        let answer = crate::support::exchange(&bench.host, request.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 403, "{headers:?}");
    }
}

#[tokio::test]
async fn an_address_that_no_header_takes_is_not_registered() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    for bad in ["http://127.0.0.1/a\r\nX-Injected: 1", "http://127.0.0.1/a b", "", "\u{7f}"] {
        let body = json!({"app_key": app.app_key, "redirect_uri": bad, "exact": true}).to_string();
        let answer = bench.send("POST", "/_sandbox/apps", &[], body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 400, "{bad:?} {}", answer.text());
    }
    let apps = bench.control("GET", "apps", &Json::Null).await;
    let mine = apps["apps"].as_array().unwrap().iter().find(|known| known["app_key"] == app.app_key).unwrap();
    assert_eq!(
        (&mine["redirect_uri"], &mine["exact"]),
        (&json!("http://127.0.0.1:8756/callback"), &json!(false))
    );
}
