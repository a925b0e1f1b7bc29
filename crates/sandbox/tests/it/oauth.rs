//! The pages, and the lives of IOP tokens.

use serde_json::{Value as Json, json};

use sesame_sandbox::AppSpec;

use crate::support::{Bench, app, form, query_value};

#[tokio::test]
async fn a_person_approves_or_refuses_without_scripts() {
    let bench = Bench::with(|options| options.auto_approve = false).await;
    for (platform, page) in [
        ("lazada", "/oauth/authorize"),
        ("taobao", "/authorize"),
        ("aliexpress-legacy", "/auth/authorize.htm"),
    ] {
        let app = bench.app(platform);
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &app.app_key),
            ("redirect_uri", &app.redirect_uri),
            ("state", "a\"><script>&b"),
        ]);
        let answer = bench.get(&format!("{page}?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let html = answer.text();
        assert!(html.contains("<form method=\"post\"") && html.contains(&bench.login(platform)), "{html}");
        assert!(!html.contains("<script"), "{html}");
        // What a browser would send from that form.
        let shop = html.split("<option value=\"").nth(1).unwrap().split('"').next().unwrap();
        let fill = |decision| {
            [
                ("client_id", app.app_key.clone()),
                ("redirect_uri", app.redirect_uri.clone()),
                ("state", "a\"><script>&b".to_owned()),
                ("_shop", shop.to_owned()),
                ("_decision", String::from(decision)),
            ]
        };
        let pairs = fill("approve");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = bench.form(page, &pairs).await;
        let location = answer.header("location").unwrap().to_owned();
        assert_eq!(answer.status, 302);
        assert_eq!(query_value(&location, "state").as_deref(), Some("a\"><script>&b"));
        assert!(query_value(&location, "code").unwrap().len() >= 20);

        let pairs = fill("refuse");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let location = bench.form(page, &pairs).await.header("location").unwrap().to_owned();
        assert_eq!(query_value(&location, "code"), None);
        assert_eq!(query_value(&location, "state").as_deref(), Some("a\"><script>&b"));
        assert_eq!(
            query_value(&location, "error").as_deref(),
            (platform == "taobao").then_some("access_denied")
        );
    }
}

/// An app of the user has the redirect URI that its file names; where none is known nothing can be
/// compared, and the program that is tried need not be changed.
#[tokio::test]
async fn an_app_that_is_given_redirects_to_its_own_address() {
    let elsewhere = "https://erp.example/cb";
    let with = |key: &str, uri: Option<&str>| AppSpec {
        redirect_uri: uri.map(str::to_owned),
        ..app("lazada", key, "a-secret")
    };
    let apps = vec![with("71", Some(elsewhere)), with("72", None)];
    let bench = Bench::with(|options| options.apps = apps).await;
    for (key, uri, status) in [
        ("71", elsewhere, 302),
        ("71", "https://other.example/cb", 400),
        ("72", elsewhere, 302),
        ("72", "javascript:alert(1)", 400),
        ("72", "https:///cb", 400),
        ("72", "https://erp.example@evil.example/", 400),
    ] {
        let pairs = [("client_id", key), ("redirect_uri", uri)];
        let answer = bench.get(&format!("/oauth/authorize?{}", form(&pairs))).await;
        assert_eq!(answer.status, status, "{key} {uri}: {}", answer.text());
        let location = answer.header("location").unwrap_or_default();
        assert!(status == 400 || location.starts_with("https://erp.example/cb?code="), "{location}");
    }
}

#[tokio::test]
async fn pages_for_wrong_requests_say_what_the_platforms_say() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let page = |pairs: Vec<(&'static str, String)>| {
        let bench = &bench;
        async move {
            let pairs: Vec<(&str, &str)> =
                pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            bench.get(&format!("/oauth/authorize?{}", form(&pairs))).await
        }
    };
    let id = || ("client_id", app.app_key.clone());
    let uri = |uri: &str| ("redirect_uri", uri.to_owned());
    for (pairs, words) in [
        (vec![], "缺少必要参数"),
        (vec![id()], "缺少必要参数"),
        (vec![id(), uri("http://evil.example/callback")], "非法请求"),
        (vec![("client_id", "1".to_owned()), uri(&app.redirect_uri)], "param-appkey.not.exists"),
        (vec![id(), uri(&app.redirect_uri), ("login", "nobody".to_owned())], "No shop"),
        (vec![id(), uri(&app.redirect_uri), ("_aop_signature", "0".repeat(40))], "signature"),
    ] {
        let answer = page(pairs).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("location"), None);
        assert!(answer.text().contains(words), "{words}: {}", answer.text());
    }
    // Any address of this machine is taken, until the app is set to exact.
    let other = "http://localhost:3000/auth?x=1#f";
    let answer = page(vec![id(), uri(other), ("state", "s".to_owned())]).await;
    let location = answer.header("location").unwrap();
    assert!(
        location.starts_with("http://localhost:3000/auth?x=1&code=") && location.ends_with("&state=s#f"),
        "{location}"
    );
    bench.control("POST", "apps", &json!({"app_key": app.app_key, "exact": true})).await;
    assert_eq!(page(vec![id(), uri(other)]).await.status, 400);
    assert_eq!(page(vec![id(), uri(&app.redirect_uri)]).await.status, 302);
    // A code may be shown instead of sent.
    for shown in [
        "urn:ietf:wg:oauth:2.0:oob",
        "http://gw.open.1688.com/auth/authCode.htm",
        "http://gw.api.alibaba.com/auth/authCode.htm",
    ] {
        let answer = page(vec![id(), uri(shown)]).await;
        assert!(answer.text().contains("<code id=\"code\">"), "{shown}: {}", answer.text());
    }
    // Tokens are not handed to browsers.
    let answer = page(vec![id(), uri(&app.redirect_uri), ("response_type", "token".to_owned())]).await;
    assert_eq!((answer.status, answer.header("location")), (400, None));
    assert!(answer.text().contains("response_type=token is not served"), "{}", answer.text());
    // A signature that is right passes (protocols 1.4, D4).
    let pairs = [
        ("client_id".to_owned(), app.app_key.clone()),
        ("redirect_uri".to_owned(), app.redirect_uri.clone()),
        ("site".to_owned(), "1688".to_owned()),
    ];
    let signature = crate::support::signature(
        &app,
        sesame_core::sign::Digest::HmacSha1,
        sesame_core::Shape::Param2Params,
        "",
        &pairs,
    );
    let answer =
        page(vec![id(), uri(&app.redirect_uri), ("site", "1688".to_owned()), ("_aop_signature", signature)])
            .await;
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn logins_take_turns_unless_one_is_named() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let shops: Vec<String> = bench
        .sandbox
        .describe()
        .shops
        .into_iter()
        .filter(|shop| shop.platform == "lazada")
        .map(|shop| shop.login)
        .collect();
    assert_eq!(shops.len(), 2);
    let mut seen = Vec::new();
    for login in ["", "", shops[1].as_str()] {
        let token = bench.iop_login(&app, login).await;
        seen.push(token["account"].as_str().unwrap().to_owned());
    }
    assert_ne!(seen[0], seen[1]);
    assert_eq!(seen[2], shops[1]);
}

#[tokio::test]
async fn iop_codes_end_after_thirty_minutes_and_are_good_once() {
    let bench = Bench::start().await;
    let (lazada, daraz) = (bench.app("lazada"), bench.app("daraz"));
    let create = |app, code: String| {
        let bench = &bench;
        async move { bench.rest(app, "/auth/token/create", &[("code", &code)]).await }
    };
    let code = bench.code(&lazada, "").await;
    assert!(code.starts_with(&format!("0_{}_", lazada.app_key)));
    assert_eq!(create(&daraz, code.clone()).await.code(), "InvalidCode");
    assert_eq!(create(&lazada, code.clone()).await.code(), "0");
    let twice = create(&lazada, code).await;
    assert_eq!(twice.json()["message"], "Invalid authorization code");
    assert!(bench.refusal(&twice).await.to_string().contains("used before"));
    assert_eq!(create(&lazada, "0_1_nonsense".to_owned()).await.code(), "InvalidCode");
    let code = bench.code(&lazada, "").await;
    bench.advance("29m").await;
    assert_eq!(create(&lazada, code).await.code(), "0");
    let code = bench.code(&lazada, "").await;
    bench.advance("1801s").await;
    assert_eq!(create(&lazada, code).await.code(), "InvalidCode");
    let missing = bench.rest(&lazada, "/auth/token/create", &[]).await;
    assert_eq!(missing.code(), "MissingParameter");
}

#[tokio::test]
async fn iop_pairs_rotate_and_their_end_stays() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let text = |json: &Json, name: &str| json[name].as_str().unwrap().to_owned();
    let refresh = |token: String| {
        let (bench, app) = (&bench, &app);
        async move { bench.rest(app, "/auth/token/refresh", &[("refresh_token", &token)]).await }
    };
    let list = |token: String| {
        let (bench, app) = (&bench, &app);
        async move {
            bench.rest(app, "/products/get", &[("access_token", &token), ("filter", "all")]).await.code()
        }
    };
    let first = bench.iop_login(&app, "").await;
    let ends = first["refresh_expires_in"].as_u64().unwrap();
    let life = first["expires_in"].as_u64().unwrap();
    bench.advance("24h").await;
    let second = refresh(text(&first, "refresh_token")).await.json();
    assert_eq!(second["refresh_expires_in"], ends - 86_400, "the end does not move");
    assert_eq!(second["expires_in"], life, "the access token's life starts again");
    assert!(second["country_user_info_list"].is_array() && first["country_user_info"].is_array());
    assert_eq!(
        refresh(text(&first, "refresh_token")).await.code(),
        "IllegalRefreshToken",
        "the old one dies"
    );
    assert_eq!(list(text(&first, "access_token")).await, "0", "the old access token lives on");
    bench.advance(&format!("{}s", life - 86_400)).await;
    assert_eq!(list(text(&first, "access_token")).await, "IllegalAccessToken");
    assert_eq!(list(text(&second, "access_token")).await, "0");

    bench
        .control("POST", "settings", &json!({"old_refresh_token": "lives", "reply_style": "cross-border"}))
        .await;
    let third = refresh(text(&second, "refresh_token")).await.json();
    assert!(third["country_user_info"][0]["user_id"].is_number(), "{third}");
    assert_eq!((&third["country"], third["country_user_info"].as_array().unwrap().len()), (&json!("cb"), 2));
    assert!(!third.to_string().contains("short_code"), "{third}");
    assert_eq!(refresh(text(&second, "refresh_token")).await.code(), "0", "now the old one lives");
    bench.control("POST", "apps", &json!({"app_key": app.app_key, "refreshing": "market-only"})).await;
    assert_eq!(refresh(text(&second, "refresh_token")).await.code(), "AUTH_TYPE_UNSUPPORTED");
    bench.control("POST", "apps", &json!({"app_key": app.app_key, "refreshing": "never"})).await;
    assert_eq!(refresh(text(&second, "refresh_token")).await.code(), "IllegalRefreshToken");
    let without = bench.iop_login(&app, "").await;
    assert_eq!(without["refresh_expires_in"], 0, "an app that may not refresh gets no time to do it");
    bench.control("POST", "settings", &json!({"reply_style": "documented"})).await;
    let documented = bench.iop_login(&app, "").await;
    assert!(documented["expires_in"].is_string(), "{documented}");
    let country = documented["country_user_info"][0]["country"].as_str().unwrap();
    assert_eq!(country, country.to_uppercase(), "{documented}");
    let texts = bench.iop_login(&bench.app("alibaba"), "").await;
    assert!(texts["expires_in"].is_string() && texts["refresh_expires_in"].is_string(), "{texts}");

    bench.control("POST", "apps", &json!({"app_key": app.app_key, "refreshing": "allowed"})).await;
    bench.advance(&format!("{ends}s")).await;
    assert_eq!(
        refresh(text(&second, "refresh_token")).await.code(),
        "IllegalRefreshToken",
        "at its end it dies"
    );
}

#[tokio::test]
async fn every_iop_platform_answers_in_its_own_fields() {
    let bench = Bench::start().await;
    for (platform, fields) in [
        ("lazada", &["country", "account_platform", "country_user_info"][..]),
        ("daraz", &["country", "user_info"]),
        ("miravia", &["country", "user_info"]),
        (
            "aliexpress",
            &[
                "expire_time",
                "refresh_token_valid_time",
                "havana_id",
                "locale",
                "user_nick",
                "sp",
                "seller_id",
            ],
        ),
        ("alibaba", &["account", "country", "user_info"]),
    ] {
        let app = bench.app(platform);
        let reply = bench.iop_login(&app, &bench.login(platform)).await;
        for field in fields.iter().chain(&[
            "access_token",
            "refresh_token",
            "expires_in",
            "refresh_expires_in",
            "request_id",
        ]) {
            assert!(!reply[field].is_null(), "{platform} {field}: {reply}");
        }
        assert_eq!(reply["account"], bench.login(platform));
        assert!(reply["access_token"].as_str().unwrap().starts_with("50000"));
        assert!(reply["refresh_token"].as_str().unwrap().starts_with("50001"));
    }
    // The other spellings of the same calls.
    let app = bench.app("aliexpress");
    for path in ["/auth/token/security/create", "/auth/token/createWithOpenId"] {
        let code = bench.code(&app, "").await;
        assert_eq!(bench.rest(&app, path, &[("code", &code)]).await.code(), "0", "{path}");
    }
    let code = bench.code(&app, "").await;
    let wrapped =
        bench.sync(&app, &[("method", "/auth/token/security/create"), ("code", &code)]).await.json();
    let reply = &wrapped["auth_token_security_create_response"];
    let refresh = reply["refresh_token"].as_str().unwrap();
    let text = bench
        .sync(&app, &[("method", "taobao.top.auth.token.refresh"), ("refresh_token", refresh)])
        .await
        .json();
    let text = text["top_auth_token_refresh_response"]["token_result"].as_str().unwrap();
    assert!(serde_json::from_str::<Json>(text).unwrap()["access_token"].is_string());
}
