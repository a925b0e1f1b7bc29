//! `/openapi`.

use serde_json::{Value as Json, json};
use sesame_core::{Shape, sign::Digest};

use crate::support::{Bench, borrowed, form, signature};

pub(crate) async fn login(bench: &Bench, platform: &str) -> Json {
    let app = bench.app(platform);
    let code = bench.code(&app, &bench.login(platform)).await;
    let answer = get_token(bench, platform, &code, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub(crate) async fn get_token(
    bench: &Bench,
    platform: &str,
    code: &str,
    more: &[(&str, &str)],
) -> crate::support::Answer {
    let app = bench.app(platform);
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("need_refresh_token", "true"),
        ("client_id", app.app_key.as_str()),
        ("client_secret", app.app_secret.as_deref().unwrap()),
        ("redirect_uri", app.redirect_uri.as_str()),
        ("code", code),
    ];
    for (name, value) in more {
        pairs.retain(|(seen, _)| seen != name);
        pairs.push((name, value));
    }
    bench.form(&format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key), &pairs).await
}

#[tokio::test]
async fn the_time_needs_nothing_and_comes_bare() {
    let bench = Bench::start().await;
    let key = bench.app("1688").app_key;
    let answer = bench.get(&format!("/openapi/param2/1/system/currentTime/{key}")).await;
    assert_eq!((answer.status, answer.text()), (200, "\"20261121203212000+0800\""));
    let answer = bench.get(&format!("/openapi/param2/1/system/currentTimeMillis/{key}")).await;
    assert_eq!(answer.text(), bench.now_ms().await);
    let answer = bench.get(&format!("/openapi/xml2/1/system/currentTime/{key}")).await;
    assert!(answer.text().contains("<result>20261121203212000+0800</result>"), "{}", answer.text());
}

#[tokio::test]
async fn both_orders_of_pairs_are_taken_and_the_wrong_one_counted() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let path = format!("param2/1/system/currentTime/{}", app.app_key);
    let pairs = [("page".to_owned(), "a".to_owned()), ("pageSize".to_owned(), "20".to_owned())];
    let joined = signature(&app, Digest::HmacSha1, Shape::Param2, &path, &pairs);
    // Sorted by name, as many ports do: protocols 5.4, D6'.
    let by_name = {
        use sesame_core::{AppSecret, sign::SigningKey};
        let key = SigningKey::new(Digest::HmacSha1, &AppSecret::new(app.app_secret.clone().unwrap()));
        key.digest_of(format!("{path}pageapageSize20").as_bytes()).to_string()
    };
    for (signature, counted) in [(joined.to_lowercase(), 0), (by_name, 1)] {
        let mut all = pairs.to_vec();
        all.push(("_aop_signature".to_owned(), signature));
        assert_eq!(bench.form(&format!("/openapi/{path}"), &borrowed(&all)).await.status, 200);
        let stats = bench.control("GET", "stats", &Json::Null).await;
        assert_eq!(stats["param2_signatures_sorted_by_name"], counted);
    }
}

#[tokio::test]
async fn tokens_follow_their_documented_lives() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let refresh = |token: String| {
        let (bench, app) = (&bench, &app);
        async move {
            let secret = app.app_secret.as_deref().unwrap();
            let target = format!("/openapi/param2/1/system.oauth2/getToken/{}", app.app_key);
            let pairs = [
                ("grant_type", "refresh_token"),
                ("client_id", app.app_key.as_str()),
                ("client_secret", secret),
                ("refresh_token", token.as_str()),
            ];
            bench.form(&target, &pairs).await
        }
    };
    let api = "com.alibaba.product/alibaba.product.list.get";
    let call = |token: String| {
        let (bench, app) = (&bench, &app);
        async move {
            bench
                .param2(app, api, &[("access_token", &token), ("pageNo", "1"), ("pageSize", "20")])
                .await
                .status
        }
    };

    let first = login(&bench, "1688").await;
    let names: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "refresh_token_timeout",
            "aliId",
            "resource_owner",
            "memberId",
            "expires_in",
            "refresh_token",
            "access_token"
        ]
    );
    assert_eq!(first["expires_in"], "36000");
    assert_eq!(first["resource_owner"], bench.login("1688"));
    let timeout = first["refresh_token_timeout"].as_str().unwrap();
    assert!(
        timeout.len() == 22 && timeout.starts_with("2027") && timeout.ends_with("203212000+0800"),
        "{timeout}"
    );
    let token = |json: &Json, name: &str| json[name].as_str().unwrap().to_owned();
    assert_eq!(token(&first, "access_token").len(), 36);
    let second = refresh(token(&first, "refresh_token")).await.json();
    assert!(second.get("refresh_token").is_none() && second.get("refresh_token_timeout").is_none());
    // Several access tokens live side by side, ten hours each.
    assert_eq!(call(token(&first, "access_token")).await, 200);
    assert_eq!(call(token(&second, "access_token")).await, 200);
    bench.advance("9h").await;
    let third = refresh(token(&first, "refresh_token")).await.json();
    bench.advance("61m").await;
    assert_eq!(call(token(&first, "access_token")).await, 401);
    assert_eq!(call(token(&third, "access_token")).await, 200);

    // Postponing: too early, then in the last thirty days, and then the old one is dead.
    let postpone = |access: String, refresh: String| {
        let (bench, app) = (&bench, &app);
        async move {
            let secret = app.app_secret.as_deref().unwrap();
            let target = format!("/openapi/param2/1/system.oauth2/postponeToken/{}", app.app_key);
            let pairs = [
                ("client_id", app.app_key.as_str()),
                ("client_secret", secret),
                ("refresh_token", refresh.as_str()),
                ("access_token", access.as_str()),
            ];
            bench.form(&target, &pairs).await
        }
    };
    let early = postpone(token(&third, "access_token"), token(&first, "refresh_token")).await;
    assert_eq!(early.status, 400);
    assert!(early.text().contains("last 30 days"), "{}", early.text());
    bench.control("POST", "clock", &json!({"now": "2027-05-01T00:00:00Z"})).await;
    let fresh = refresh(token(&first, "refresh_token")).await.json();
    let bad = postpone("nonsense".to_owned(), token(&first, "refresh_token")).await;
    assert_eq!(
        (bad.status, bad.json()["error_message"].as_str()),
        (401, Some("Request need user authorized"))
    );
    let postponed = postpone(token(&fresh, "access_token"), token(&first, "refresh_token")).await;
    assert_eq!(postponed.status, 200, "{}", postponed.text());
    assert_ne!(postponed.json()["refresh_token"], first["refresh_token"]);
    let dead = refresh(token(&first, "refresh_token")).await;
    assert_eq!((dead.status, dead.json()["error"].as_str()), (400, Some("invalid_grant")));
    // And at its end the new one dies as well.
    bench.advance("4400h").await;
    assert_eq!(refresh(token(&postponed.json(), "refresh_token")).await.status, 400);
}

#[tokio::test]
async fn codes_are_good_once_and_for_two_minutes() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let shop = bench.login("1688");
    let code = bench.code(&app, &shop).await;
    for (name, value, status, error) in [
        ("client_secret", "wrong", 401, "invalid_client"),
        ("client_id", "1", 401, "invalid_client"),
        ("redirect_uri", "http://127.0.0.1:1/other", 400, "invalid_grant"),
        ("redirect_uri", "", 400, "invalid_request"),
        ("grant_type", "password", 400, "unsupported_grant_type"),
        ("code", "nonsense", 400, "invalid_grant"),
    ] {
        let answer = get_token(&bench, "1688", &code, &[(name, value)]).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)), "{name}={value}");
        assert!(!answer.text().contains(app.app_secret.as_deref().unwrap()));
    }
    assert_eq!(get_token(&bench, "1688", &code, &[]).await.status, 200, "mistakes do not use it up");
    let again = get_token(&bench, "1688", &code, &[]).await;
    assert!(again.text().contains("used before"), "{}", again.text());
    let late = bench.code(&app, &shop).await;
    bench.advance("121s").await;
    assert!(get_token(&bench, "1688", &late, &[]).await.text().contains("expired"));
    // Without `need_refresh_token` there is none.
    let code = bench.code(&app, &shop).await;
    let answer = get_token(&bench, "1688", &code, &[("need_refresh_token", "false")]).await.json();
    assert!(answer.get("refresh_token").is_none() && answer["access_token"].is_string());
    // Python writes booleans so.
    let code = bench.code(&app, &shop).await;
    let answer = get_token(&bench, "1688", &code, &[("need_refresh_token", "True")]).await.json();
    assert!(answer["refresh_token"].is_string(), "{answer}");
}

#[tokio::test]
async fn the_older_refresh_works_and_timeouts_differ_by_platform() {
    let bench = Bench::start().await;
    let app = bench.app("aliexpress-legacy");
    let token = login(&bench, "aliexpress-legacy").await;
    assert_eq!(token["refresh_token_timeout"].as_str().unwrap().len(), 22, "{token}");
    assert!(token["refresh_token_timeout"].as_str().unwrap().ends_with("000-0800"));
    let refresh = token["refresh_token"].as_str().unwrap();
    let signed = bench.param2(&app, "system.oauth2/refreshToken", &[("refresh_token", refresh)]).await;
    assert_eq!(signed.status, 200, "{}", signed.text());
    assert!(signed.json()["access_token"].is_string());
}

#[tokio::test]
async fn json2_arguments_are_read_and_xml2_ones_refused() {
    let bench = Bench::start().await;
    let app = bench.app("aliexpress-legacy");
    let token = login(&bench, "aliexpress-legacy").await;
    let token = token["access_token"].as_str().unwrap();
    let call = |protocol: &'static str, data: &'static str| {
        let (bench, app) = (&bench, &app);
        async move {
            let path =
                format!("{protocol}/1/aliexpress.open/api.getChildrenPostCategoryById/{}", app.app_key);
            let query = form(&[("access_token", token), ("_data_", data)]);
            bench.get(&format!("/openapi/{path}?{query}")).await
        }
    };
    let answer = call("json2", "{\"cateId\":0}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["aeopPostCategoryList"].is_array());
    assert_eq!(call("json2", "[").await.status, 400);
    assert_eq!(call("json2", "{}").await.json()["error_code"], "gw.ParamMissing");
    let refused = call("xml2", "<cateId>0</cateId>").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("XML arguments are not supported"), "{}", refused.text());
}

#[tokio::test]
async fn signatures_of_another_protocol_or_empty_ones_are_missed_on_every_api() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let token = login(&bench, "1688").await;
    let token = token["access_token"].as_str().unwrap();
    let target = format!("/openapi/param2/1/com.alibaba.product/alibaba.product.list.get/{}", app.app_key);
    let args = [("access_token", token), ("pageNo", "1"), ("pageSize", "2")];
    assert_eq!(bench.form(&target, &args).await.status, 200, "no document says that this one is signed");
    for (name, value) in [("sign", "66987CB115214E59E6EC978214934FB8"), ("_aop_signature", "")] {
        let mut pairs = args.to_vec();
        pairs.push((name, value));
        let answer = bench.form(&target, &pairs).await;
        assert_eq!((answer.status, answer.code()), (400, "gw.SignatureMissing".to_owned()), "{name}");
        assert!(bench.refusal(&answer).await.to_string().contains("_aop_signature"));
    }
    // Empty ones that are not signed are wrong here, as they always were.
    let path = target.trim_start_matches("/openapi/").to_owned();
    let signed: Vec<(String, String)> =
        args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let signature = signature(&app, Digest::HmacSha1, Shape::Param2, &path, &signed);
    let mut pairs = args.to_vec();
    pairs.extend([("subject", ""), ("_aop_signature", &signature)]);
    assert_eq!(bench.form(&target, &pairs).await.code(), "gw.SignatureInvalid");
}

#[tokio::test]
async fn token_calls_tolerate_a_signature_and_are_posts_but_for_get_token() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let code = bench.code(&app, &bench.login("1688")).await;
    let target = format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key);
    let postpone = target.replace("getToken", "postponeToken").replace("http/", "param2/");
    let by_get = bench.get(&format!("{postpone}?{}", form(&[("client_id", &app.app_key)]))).await;
    assert_eq!((by_get.status, by_get.json()["error"].as_str()), (405, Some("invalid_request")));
    let answer = get_token(&bench, "1688", &code, &[("_aop_signature", "00")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Names that no list of the platform has are no token calls.
    let refresh = format!("/openapi/http/1/system.oauth2/refreshToken/{}", app.app_key);
    assert_eq!(bench.form(&refresh, &[]).await.code(), "gw.APIUnsupported");
    let clock = format!("/openapi/param2/2/system/currentTime/{}", app.app_key);
    assert_eq!(bench.get(&clock).await.code(), "gw.APIUnsupported");
}

#[tokio::test]
async fn messages_and_sub_accounts_are_listed() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let token = login(&bench, "1688").await;
    let token = ("access_token", token["access_token"].as_str().unwrap());
    let call = |api: &'static str| bench.param2(&app, api, std::slice::from_ref(&token));
    let answer = call("cn.alibaba.open/push.query.messageList").await;
    assert!(answer.json()["pushMessagePage"]["datas"].is_array(), "{}", answer.text());
    assert_eq!(call("cn.alibaba.open/push.cursor.messageList").await.status, 200);
    assert_eq!(call("cn.alibaba.open/push.message.confirm").await.code(), "gw.ParamMissing");
    assert_eq!(call("cn.alibaba.open/subaccount.auth.list").await.status, 200);
}

/// What the vendor's SDKs for PHP, Java and .NET send, beside the documented form.
#[tokio::test]
async fn official_sdks_get_and_refresh_tokens() {
    let bench = Bench::start().await;
    for platform in ["1688", "aliexpress-legacy"] {
        let app = bench.app(platform);
        let secret = app.app_secret.as_deref().unwrap();
        let target = format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key);
        let client = [("client_id", app.app_key.as_str()), ("client_secret", secret)];
        let code = bench.code(&app, "").await;
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("need_refresh_token", "true"),
            ("redirect_uri", "default"),
            ("code", code.as_str()),
        ];
        pairs.extend(client);
        let first = bench.get(&format!("{target}?{}", crate::support::form(&pairs))).await.json();
        let refresh = first["refresh_token"].as_str().unwrap_or_else(|| panic!("{first}"));
        let mut pairs = vec![("grant_type", "refresh_token"), ("refreshToken", refresh)];
        pairs.extend(client);
        let second = bench.form(&target, &pairs).await.json();
        assert!(second["access_token"].is_string(), "{second}");
    }
}
