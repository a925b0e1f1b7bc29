//! Logins on every platform: the URL, the callback, the reply, and whose shop it is.

mod callback;
mod hostile;

use crate::support::{FakeTransport, Home, IopService, Policy, SECRET, Seen, app, as_name, log_in, reply};
use sesame_core::{
    AppSecret, ErrorKind, Shape,
    sign::{Digest, SigningKey, sign},
    time::top_timestamp,
};
use sesame_vault::{Account, AccountState, Callback, LoginOptions, NewApp, Vault};
use std::collections::BTreeMap;

over_both! {
    #[tokio::test]
    every_platform_has_its_own_authorize_url,
    a_platform_without_a_known_page_takes_a_code,
    iop_signs_its_token_calls_and_never_sends_the_secret,
    param2_asks_by_post_over_https_with_the_secret_in_the_body,
    another_spelling_is_tried_when_the_gateway_does_not_know_the_first,
    top_takes_the_form_and_the_token_inside_a_text,
    the_shortest_life_counts_for_each_class_of_apis,
    one_approval_of_a_cross_border_seller_is_several_shops_with_one_pair,
    another_shops_approval_overwrites_nothing_unless_told_to,
    the_same_shop_is_found_again_and_two_names_share_its_tokens,
    a_reply_that_names_nobody_overwrites_no_known_shop,
    a_country_that_the_page_does_not_have_is_refused;
    #[tokio::test(flavor = "multi_thread")]
    parallel_logins_of_one_shop_are_one_account,
    parallel_logins_of_different_shops_do_not_share_a_name;
}

fn query(url: &str) -> (String, BTreeMap<String, String>) {
    let (page, query) = url.split_once('?').unwrap();
    (page.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

async fn authorize_url(platform: &str, options: LoginOptions) -> (String, BTreeMap<String, String>) {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    app(&vault, platform).await;
    let login = vault.begin_login(platform, options).await.unwrap();
    assert!(login.is_loopback && !login.is_sandbox);
    let (page, params) = query(&login.authorize_url);
    assert_eq!(params["state"], login.state);
    assert!(login.state.len() >= 32, "128 bits at least");
    assert_eq!(params["client_id"], "500100");
    assert_eq!(params["redirect_uri"], "http://127.0.0.1:8756/callback");
    (page, params)
}

async fn every_platform_has_its_own_authorize_url() {
    let (page, params) = authorize_url("alibaba", LoginOptions::default()).await;
    assert_eq!(page, "https://openapi-auth.alibaba.com/oauth/authorize");
    assert_eq!((params["response_type"].as_str(), params["force_auth"].as_str()), ("code", "true"));
    assert!(!params.contains_key("_aop_signature"));

    let country = LoginOptions::default().country("cb");
    let (page, params) = authorize_url("lazada", country).await;
    assert_eq!(
        (page.as_str(), params["country"].as_str()),
        ("https://auth.lazada.com/oauth/authorize", "cb")
    );

    let (page, params) = authorize_url("1688", LoginOptions::default()).await;
    assert_eq!((page.as_str(), params["site"].as_str()), ("https://auth.1688.com/oauth/authorize", "1688"));
    assert!(!params.contains_key("_aop_signature"), "today's page wants none");

    let old = LoginOptions::default().region("china-2012");
    let (page, params) = authorize_url("1688", old).await;
    assert_eq!(
        (page.as_str(), params["site"].as_str()),
        ("https://gw.open.1688.com/auth/authorize.htm", "china")
    );
    check_aop_signature(&params);

    let (page, params) = authorize_url("aliexpress-legacy", LoginOptions::default()).await;
    assert_eq!(
        (page.as_str(), params["site"].as_str()),
        ("https://gw.api.alibaba.com/auth/authorize.htm", "aliexpress")
    );
    check_aop_signature(&params);

    let (page, params) = authorize_url("taobao", LoginOptions::default()).await;
    assert_eq!((page.as_str(), params["view"].as_str()), ("https://oauth.taobao.com/authorize", "web"));
}

fn check_aop_signature(params: &BTreeMap<String, String>) {
    let pairs: Vec<(&str, &str)> = params
        .iter()
        .filter(|(name, _)| *name != "_aop_signature")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let key = SigningKey::new(Digest::HmacSha1, &AppSecret::new(SECRET));
    assert_eq!(params["_aop_signature"], sign(&key, Shape::Param2Params, "", &pairs, b"").as_str());
}

async fn a_platform_without_a_known_page_takes_a_code() {
    let home = Home::new(FakeTransport::json(
        r#"{"access_token":"a0000000000000000001","refresh_token":"r0000000000000000001","expires_in":60,"refresh_expires_in":60,"user_info":{"country":"TW","seller_id":"9"},"code":"0"}"#,
    ));
    let vault = home.open().await;
    app(&vault, "taobao-global").await;
    let taiwan = LoginOptions::default().region("tw");
    let error = vault.begin_login("taobao-global", taiwan).await.unwrap_err();
    assert!(error.hint().unwrap().contains("--code"), "{error:?}");
    let options = as_name("m").have_code(true).region("tw");
    let login = vault.begin_login("taobao-global", options).await.unwrap();
    let got = Callback::parse("3_500100_abc");
    assert_eq!(vault.finish_login(&login, got).await.unwrap()[0].country.as_deref(), Some("tw"));
}

async fn first_call(platform: &str, body: &'static str) -> (Seen, Vec<Account>) {
    let home = Home::new(FakeTransport::json(body));
    let vault = home.open().await;
    app(&vault, platform).await;
    let accounts = log_in(&vault, platform, LoginOptions::default()).await.unwrap();
    (home.transport.seen().remove(0), accounts)
}

async fn iop_signs_its_token_calls_and_never_sends_the_secret() {
    let (seen, accounts) = first_call(
        "alibaba",
        r#"{"access_token":"50000planted0access","refresh_token":"50001planted0refresh","account":"seller@x.com","country":"cn","expires_in":"25920000","refresh_expires_in":25920000,"user_info":{"user_id":200042360,"loginId":"cn100"},"code":"0","request_id":"1"}"#,
    )
    .await;
    assert_eq!(seen.url, "https://openapi-api.alibaba.com/rest/auth/token/create");
    let names: Vec<&str> = seen.form.keys().map(String::as_str).collect();
    assert_eq!(names, ["app_key", "code", "sign", "sign_method", "timestamp"]);
    let pairs: Vec<(&str, &str)> = seen
        .form
        .iter()
        .filter(|(name, _)| *name != "sign")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let key = SigningKey::new(Digest::HmacSha256, &AppSecret::new(SECRET));
    assert_eq!(seen.form["sign"], sign(&key, Shape::IopRest, "/auth/token/create", &pairs, b"").as_str());
    let account = &accounts[0];
    assert_eq!((account.name.as_str(), account.shop_id.as_deref()), ("seller@x.com", Some("200042360")));
    assert_eq!(account.access_expires_at.unwrap().to_string(), "2027-09-18T00:00:00Z");
}

async fn param2_asks_by_post_over_https_with_the_secret_in_the_body() {
    // As one sample prints it: resourceOwner, 14 digits, no memberId.
    let (seen, accounts) = first_call(
        "1688",
        r#"{"aliId":8888888888,"resourceOwner":"cn100","expires_in":36000,"refresh_token":"479f9564-1049-456e-ab62-29d3e82277d9","access_token":"f14da3b8-b0b1-4f73-a5de-9bed637e0188","refresh_token_timeout":"20270521222222+0800"}"#,
    )
    .await;
    assert_eq!(seen.url, "https://gw.open.1688.com/openapi/param2/1/system.oauth2/getToken/500100");
    assert_eq!(seen.form["grant_type"], "authorization_code");
    assert_eq!(seen.form["need_refresh_token"], "true");
    assert_eq!(seen.form["client_secret"], SECRET);
    assert_eq!(seen.form["redirect_uri"], "http://127.0.0.1:8756/callback");
    assert!(!seen.form.contains_key("_aop_signature"));
    let account = &accounts[0];
    assert_eq!((account.login.as_deref(), account.shop_id.as_deref()), (Some("cn100"), Some("8888888888")));
    assert_eq!(account.refresh_expires_at.unwrap().to_string(), "2027-05-21T14:22:22Z");
}

async fn another_spelling_is_tried_when_the_gateway_does_not_know_the_first() {
    let home = Home::new(FakeTransport::new(|seen| {
        Ok(if seen.url.contains("/openapi/http/1/system.oauth2/getToken/") {
            reply(
                200,
                r#"{"aliId":"1","resource_owner":"o","expires_in":"36000","refresh_token":"479f9564-1049-456e-ab62-29d3e82277d9","access_token":"f14da3b8-b0b1-4f73-a5de-9bed637e0188","refresh_token_timeout":"20270521222222+0800"}"#,
            )
        } else if seen.url.contains("/refreshToken/") {
            assert!(seen.form.contains_key("_aop_signature"), "the older spelling is signed");
            reply(
                200,
                r#"{"aliId":"1","expires_in":"36000","access_token":"0000da90-0000-4f73-a5de-9bed637e0188"}"#,
            )
        } else {
            reply(400, r#"{"error_code":"gw.APIUnsupported","error_message":"unknown"}"#)
        })
    }));
    let vault = home.open().await;
    app(&vault, "aliexpress-legacy").await;
    log_in(&vault, "aliexpress-legacy", as_name("x")).await.unwrap();
    assert_eq!(home.transport.count(), 2);
    home.transport.answer(|seen| {
        Ok(if seen.url.contains("/param2/1/system.oauth2/refreshToken/500100") {
            let path = "param2/1/system.oauth2/refreshToken/500100";
            let pairs: Vec<(&str, &str)> = seen
                .form
                .iter()
                .filter(|(name, _)| *name != "_aop_signature")
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let key = SigningKey::new(Digest::HmacSha1, &AppSecret::new(SECRET));
            assert_eq!(seen.form["_aop_signature"], sign(&key, Shape::Param2, path, &pairs, b"").as_str());
            reply(
                200,
                r#"{"aliId":"1","expires_in":"36000","access_token":"0000da90-0000-4f73-a5de-9bed637e0188"}"#,
            )
        } else {
            reply(400, r#"{"error_code":"gw.APIUnsupported","error_message":"unknown"}"#)
        })
    });
    assert_eq!(vault.refresh("x").await.unwrap().generation, 2);
    assert_eq!(home.transport.count(), 5);
}

async fn top_takes_the_form_and_the_token_inside_a_text() {
    const REPLY: &str = r#"{"access_token":"6200planted0session00","token_type":"Bearer","expires_in":86400,"refresh_token":"6201planted0refresh00","re_expires_in":172800,"r1_expires_in":86400,"taobao_user_nick":"%E5%95%86%E5%BA%97%E6%B5%8B%E8%AF%95","taobao_user_id":"263685215"}"#;
    let (seen, accounts) = first_call("taobao", REPLY).await;
    assert_eq!(seen.url, "https://oauth.taobao.com/token");
    assert_eq!(
        (seen.form["grant_type"].as_str(), seen.form["client_secret"].as_str()),
        ("authorization_code", SECRET)
    );
    assert_eq!(accounts[0].login.as_deref(), Some("商店测试"));
    assert_eq!(accounts[0].refresh_expires_at.unwrap().to_string(), "2026-11-24T00:00:00Z");

    // The signed API, where /token is not known: the reply is JSON inside a text.
    let home = Home::new(FakeTransport::new(|seen| {
        Ok(if seen.url.ends_with("/router/rest") {
            assert_eq!(seen.form["method"], "taobao.top.auth.token.create");
            assert_eq!(seen.form["timestamp"], top_timestamp("2026-11-22T00:00:00Z".parse().unwrap()));
            assert!(!seen.form.contains_key("client_secret"));
            let inner = serde_json::to_string(REPLY).unwrap();
            reply(
                200,
                format!(
                    r#"{{"top_auth_token_create_response":{{"token_result":{inner},"request_id":"1"}}}}"#
                ),
            )
        } else {
            reply(200, r#"{"error_response":{"code":22,"msg":"Invalid Method","request_id":"1"}}"#)
        })
    }));
    let vault = home.open().await;
    app(&vault, "taobao").await;
    let accounts = log_in(&vault, "taobao", LoginOptions::default()).await.unwrap();
    assert_eq!(accounts[0].shop_id.as_deref(), Some("263685215"));
    home.transport.answer(|seen| {
        Ok(if seen.url.ends_with("/router/rest") {
            assert_eq!(seen.form["method"], "taobao.top.auth.token.refresh");
            assert_eq!(seen.form["refresh_token"], "6201planted0refresh00");
            let inner = serde_json::to_string(&REPLY.replace("session00", "session01")).unwrap();
            reply(200, format!(r#"{{"top_auth_token_refresh_response":{{"token_result":{inner}}}}}"#))
        } else {
            reply(200, r#"{"error_response":{"code":22,"msg":"Invalid Method","request_id":"1"}}"#)
        })
    });
    let refreshed = vault.refresh(&accounts[0].name).await.unwrap();
    assert_eq!((refreshed.generation, refreshed.login.as_deref()), (2, Some("商店测试")));
}

/// The classes of TOP: the token is of use as long as one of them is, and people hear of the rest.
async fn the_shortest_life_counts_for_each_class_of_apis() {
    const START: &str = r#"{"access_token":"6200planted0session00","expires_in":86400,"refresh_token":"6201planted0refresh00","re_expires_in":86400,"taobao_user_id":"1","taobao_user_nick":"n","#;
    for (classes, end, said) in [
        (
            r#""r1_expires_in":86400,"r2_expires_in":86400,"w1_expires_in":86400,"w2_expires_in":1800}"#,
            "2026-11-23T00:00:00Z",
            Some("writes of level 2 for 30 min;"),
        ),
        (
            r#""r1_expires_in":"7200","r2_expires_in":"3600","w1_expires_in":"3600","w2_expires_in":"0"}"#,
            "2026-11-22T02:00:00Z",
            Some("reads of level 2 for 60 min, writes of level 1 for 60 min, writes of level 2 not at all;"),
        ),
        (r#""r1_valid":1795309200000,"r2_valid":1795309200000}"#, "2026-11-22T01:00:00Z", None),
        (r#""r1_expires_in":90000,"w2_expires_in":86399}"#, "2026-11-23T00:00:00Z", None),
        (
            r#""r1_expires_in":0,"r2_expires_in":0,"w1_expires_in":0,"w2_expires_in":"x"}"#,
            "2026-11-23T00:00:00Z",
            None,
        ),
    ] {
        let home = Home::new(FakeTransport::new(move |_| Ok(reply(200, format!("{START}{classes}")))));
        let vault = home.open().await;
        app(&vault, "taobao").await;
        vault.take_warnings();
        let account = log_in(&vault, "taobao", as_name("t")).await.unwrap().remove(0);
        assert_eq!(account.access_expires_at.unwrap().to_string(), end, "{classes}");
        let notices = vault.take_warnings();
        match said {
            Some(words) => assert!(notices[0].text.contains(words), "{classes}: {notices:?}"),
            None => assert!(notices.is_empty(), "{classes}: {notices:?}"),
        }
    }
}

async fn one_approval_of_a_cross_border_seller_is_several_shops_with_one_pair() {
    const LIST: &str = r#"{"access_token":"50000planted0access1","refresh_token":"50001planted0refresh1","country":"cb","account":"cb@x.com","account_platform":"seller_center","expires_in":259200,"refresh_expires_in":2592000,"country_user_info":[{"country":"sg","seller_id":"1001","user_id":10101},{"country":"my","seller_id":"2001","user_id":20101}]}"#;
    const MAP: &str = r#"{"access_token":"50000planted0access2","refresh_token":"50001planted0refresh2","country":"cb","account":"cb@x.com","expires_in":"259200","refresh_expires_in":"2592000","country_user_info":{"SG":{"seller_id":"1001"},"MY":{"seller_id":"2001"},"TH":{"seller_id":"3001"}},"code":"0"}"#;
    const RENAMED: &str = r#"{"access_token":"50000planted0access3","refresh_token":"50001planted0refresh3","country":"cb","account":"cb@x.com","expires_in":259200,"refresh_expires_in":2592000,"country_user_info_list":[{"country":"SG","seller_id":"1001"},{"country":"MY","seller_id":"2001"}],"code":"0"}"#;
    let home = Home::new(FakeTransport::json(LIST));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let accounts = log_in(&vault, "lazada", as_name("cb")).await.unwrap();
    let told: Vec<_> = accounts
        .iter()
        .map(|a| (a.name.as_str(), a.shop_id.as_deref().unwrap(), a.region.as_deref().unwrap()))
        .collect();
    assert_eq!(told, [("cb-my", "2001", "my"), ("cb-sg", "1001", "sg")]);
    let (my, sg) = (vault.handle("cb-my").await.unwrap(), vault.handle("cb-sg").await.unwrap());
    assert_eq!(
        (my.urls().api.as_str(), sg.urls().api.as_str()),
        ("https://api.lazada.com.my", "https://api.lazada.sg")
    );

    // One refresh serves both.
    home.transport.answer(|_| Ok(reply(200, RENAMED)));
    vault.refresh("cb-my").await.unwrap();
    assert_eq!(vault.token_of(&sg).await.unwrap().access.expose(), "50000planted0access3");
    assert_eq!(home.transport.count(), 2);

    // A later approval with one country more adds that shop and renews the others.
    home.transport.answer(|_| Ok(reply(200, MAP)));
    let accounts = log_in(&vault, "lazada", as_name("cb")).await.unwrap();
    let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["cb-my", "cb-sg", "cb-th"]);
    assert_eq!(vault.token_of(&my).await.unwrap().access.expose(), "50000planted0access2");

    // A shop that leaves takes no tokens that others use; the last one takes them.
    assert_eq!(vault.accounts_sharing("cb-sg").await.unwrap(), ["cb-my", "cb-th"]);
    vault.remove_account("cb-sg").await.unwrap();
    vault.remove_account("cb-my").await.unwrap();
    assert!(vault.accounts_sharing("cb-th").await.unwrap().is_empty());
    home.transport.answer(|_| Ok(reply(200, MAP)));
    assert_eq!(vault.refresh("cb-th").await.unwrap().generation, 4);
    vault.remove_account("cb-th").await.unwrap();
    assert!(vault.accounts().await.unwrap().is_empty());
}

struct Shop {
    home: Home,
    service: IopService,
    vault: Vault,
}

async fn lazada() -> Shop {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    Shop { home, service, vault }
}

async fn another_shops_approval_overwrites_nothing_unless_told_to() {
    let shop = lazada().await;
    log_in(&shop.vault, "lazada", as_name("mine")).await.unwrap();
    let before = shop.vault.account("mine").await.unwrap();
    let token = shop.service.access();
    shop.service.become_seller("2002");
    let error = log_in(&shop.vault, "lazada", as_name("mine")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    assert!(error.message().contains("another shop") && error.message().contains("2002"), "{error}");
    assert!(error.hint().unwrap().contains("--replace-shop"));
    assert_eq!(shop.vault.account("mine").await.unwrap(), before);
    let handle = shop.vault.handle("mine").await.unwrap();
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), token);

    let options = as_name("mine").replace_shop(true);
    let accounts = log_in(&shop.vault, "lazada", options).await.unwrap();
    assert_eq!(
        (accounts.len(), accounts[0].shop_id.as_deref(), accounts[0].id),
        (1, Some("2002"), before.id)
    );
    let handle = shop.vault.handle("mine").await.unwrap();
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
}

async fn the_same_shop_is_found_again_and_two_names_share_its_tokens() {
    let shop = lazada().await;
    let first = log_in(&shop.vault, "lazada", LoginOptions::default()).await.unwrap();
    assert_eq!(first[0].name, "seller@example.com");
    let again = log_in(&shop.vault, "lazada", LoginOptions::default()).await.unwrap();
    assert_eq!((again.len(), again[0].id, again[0].generation), (1, first[0].id, 2));
    let more = log_in(&shop.vault, "lazada", as_name("short")).await.unwrap();
    assert_eq!(
        more.iter().map(|account| account.name.as_str()).collect::<Vec<_>>(),
        ["seller@example.com", "short"]
    );
    shop.vault.refresh("short").await.unwrap();
    let handle = shop.vault.handle("seller@example.com").await.unwrap();
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
    // Removing one name leaves the other its tokens.
    shop.vault.remove_account("short").await.unwrap();
    assert!(shop.vault.account("short").await.is_err());
    assert_eq!(shop.vault.account("seller@example.com").await.unwrap().state, AccountState::Healthy);
    // The same login name under another app does not clash.
    let other = shop.vault.add_app(new_app("lazada", Some("second"))).await.unwrap();
    let accounts = log_in(&shop.vault, &other.name, LoginOptions::default()).await.unwrap();
    assert_eq!(accounts[0].name, "seller@example.com-second");
    // A name of another app's account is refused before a code is spent.
    let calls = shop.home.transport.count();
    let error = log_in(&shop.vault, "second", as_name("seller@example.com")).await.unwrap_err();
    assert_eq!((error.kind(), shop.home.transport.count()), (ErrorKind::Usage, calls));
}

fn new_app(platform: &str, name: Option<&str>) -> NewApp {
    name.into_iter().fold(NewApp::new(platform, "500200", AppSecret::new(SECRET)), NewApp::name)
}

async fn a_reply_that_names_nobody_overwrites_no_known_shop() {
    let shop = lazada().await;
    log_in(&shop.vault, "lazada", as_name("mine")).await.unwrap();
    let before = shop.vault.account("mine").await.unwrap();
    shop.home.transport.answer(|_| {
        Ok(reply(200, r#"{"access_token":"a0000000000000000001","refresh_token":"r0000000000000000001","expires_in":60,"refresh_expires_in":60,"code":"0"}"#))
    });
    let error = log_in(&shop.vault, "lazada", as_name("mine")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    assert!(error.message().contains("did not say whose") && error.message().contains("1001"), "{error}");
    assert!(error.hint().unwrap().contains("--replace-shop"));
    assert_eq!(shop.vault.account("mine").await.unwrap(), before);
    let options = as_name("mine").replace_shop(true);
    assert_eq!(log_in(&shop.vault, "lazada", options).await.unwrap()[0].shop_id, None);
    // Nor are lives believed that are none.
    shop.home.transport.answer(|_| {
        Ok(reply(200, r#"{"access_token":"a0000000000000000001","expires_in":"-1","code":"0"}"#))
    });
    let error = log_in(&shop.vault, "lazada", as_name("other")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Envelope, "{error:?}");
}

/// Several logins that were begun before any of them was finished.
async fn at_once(shop: &Shop, options: LoginOptions) -> Vec<sesame_core::Result<Vec<Account>>> {
    shop.home.transport.close_gate();
    let first = shop.home.transport.count();
    let mut running = Vec::new();
    for _ in 0..3 {
        let vault = shop.home.open().await;
        let options = options.clone();
        running.push(tokio::spawn(async move { log_in(&vault, "lazada", options).await }));
    }
    shop.home.transport.arrivals(first + 3).await;
    shop.home.transport.open_gate();
    let mut outcomes = Vec::new();
    for login in running {
        outcomes.push(login.await.unwrap());
    }
    outcomes
}

async fn parallel_logins_of_one_shop_are_one_account() {
    for options in [as_name("same"), LoginOptions::default()] {
        let shop = lazada().await;
        for outcome in at_once(&shop, options.clone()).await {
            outcome.unwrap();
        }
        let accounts = shop.vault.accounts().await.unwrap();
        assert_eq!(accounts.len(), 1, "{accounts:?}");
        assert_eq!(accounts[0].generation, 3);
    }
}

async fn parallel_logins_of_different_shops_do_not_share_a_name() {
    let shop = lazada().await;
    let service = shop.service.clone();
    let number = std::sync::atomic::AtomicUsize::new(0);
    shop.home.transport.answer(move |seen| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        service.become_seller(&format!("{number}99"));
        service.answer(seen)
    });
    let outcomes = at_once(&shop, as_name("same")).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.message().contains("already an account") && error.message().contains("not stored"));
    }
    assert_eq!(shop.vault.accounts().await.unwrap().len(), 1);
}

async fn a_country_that_the_page_does_not_have_is_refused() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    for (platform, country, words) in
        [("lazada", "zz", "sg, my, th, vn, ph, id, cb"), ("alibaba", "sg", "Leave --country out")]
    {
        app(&vault, platform).await;
        let options = LoginOptions::default().country(country);
        let error = vault.begin_login(platform, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.hint().unwrap().contains(words), "{error:?}");
    }
}
