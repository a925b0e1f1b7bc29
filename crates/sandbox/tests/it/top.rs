//! `/router/rest`, `/router/batch`, `/token`.

use serde_json::Value as Json;
use sesame_core::{
    AppSecret, Shape,
    sign::{Digest, SigningKey, sign},
};

use crate::support::{Answer, Bench, borrowed, form};

async fn exchange(bench: &Bench, pairs: &[(&str, &str)]) -> Answer {
    let app = bench.app("taobao");
    let mut all =
        vec![("client_id", app.app_key.as_str()), ("client_secret", app.app_secret.as_deref().unwrap())];
    for (name, value) in pairs {
        all.retain(|(seen, _)| seen != name);
        all.push((name, value));
    }
    bench.form("/token", &all).await
}

async fn login(bench: &Bench) -> Json {
    let app = bench.app("taobao");
    let code = bench.code(&app, &bench.login("taobao")).await;
    let answer = exchange(
        bench,
        &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &app.redirect_uri)],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn checks_come_in_the_documented_order() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    let method = ("method", "taobao.items.onsale.get");
    let plain = |pairs: Vec<(&'static str, String)>| {
        let bench = &bench;
        async move {
            let mut pairs: Vec<(String, String)> =
                pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            pairs.push(("format".to_owned(), "json".to_owned()));
            let answer = bench.form("/router/rest", &borrowed(&pairs)).await;
            assert_eq!(answer.status, 200);
            assert!(answer.json()["error_response"]["code"].is_number());
            answer.code()
        }
    };
    assert_eq!(plain(vec![]).await, "21");
    assert_eq!(plain(vec![("method", "no.such".into())]).await, "22");
    let onsale = || ("method", method.1.to_owned());
    assert_eq!(plain(vec![onsale()]).await, "28");
    assert_eq!(plain(vec![onsale(), ("app_key", "999".into())]).await, "29");
    let key = || ("app_key", app.app_key.clone());
    assert_eq!(plain(vec![onsale(), key()]).await, "24");
    assert_eq!(plain(vec![onsale(), key(), ("sign", "0".repeat(32))]).await, "25");
    // Signed from here on. A dash leaves a system parameter out.
    assert_eq!(bench.top(&app, &[method, ("timestamp", "-")]).await.code(), "30");
    assert_eq!(bench.top(&app, &[method, ("timestamp", "2026-11-21 12:32:12")]).await.code(), "31");
    assert_eq!(bench.top(&app, &[method, ("v", "-")]).await.code(), "32");
    assert_eq!(bench.top(&app, &[method, ("v", "3.0")]).await.code(), "33");
    assert_eq!(bench.top(&app, &[method, ("format", "yaml")]).await.code(), "23");
    assert_eq!(bench.top(&app, &[method]).await.code(), "26");
    let answer = bench.top(&app, &[method, ("session", "6200nonsense")]).await;
    assert_eq!(answer.code(), "27");
    assert_eq!(answer.json()["error_response"]["sub_code"], "invalid-sessionkey");
    let session = login(&bench).await;
    let session = session["access_token"].as_str().unwrap();
    let answer = bench.top(&app, &[method, ("session", session)]).await;
    assert_eq!(answer.code(), "40", "{}", answer.text());
    assert_eq!(answer.json()["error_response"]["msg"], "Missing Required Arguments:fields");
    let answer =
        bench.top(&app, &[method, ("session", session), ("fields", "num_iid"), ("page_no", "x")]).await;
    assert_eq!(answer.code(), "41", "{}", answer.text());
    // Ten minutes either way are allowed, and milliseconds are read.
    let fine = "2026-11-21 20:41:00";
    assert_eq!(bench.top(&app, &[("method", "taobao.time.get"), ("timestamp", fine)]).await.code(), "0");
    let ms = bench.now_ms().await;
    assert_eq!(bench.top(&app, &[("method", "taobao.time.get"), ("timestamp", &ms)]).await.code(), "0");
}

#[tokio::test]
async fn all_digests_and_both_formats() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    for digest in ["md5", "hmac", "hmac-sha256"] {
        let answer = bench.top(&app, &[("method", "taobao.time.get"), ("sign_method", digest)]).await;
        assert_eq!(answer.json()["time_get_response"]["time"], "2026-11-21 20:32:12", "{digest}");
    }
    let unknown = bench.top(&app, &[("method", "taobao.time.get"), ("sign_method", "sha512")]).await;
    assert_eq!(unknown.code(), "25");
    assert!(bench.refusal(&unknown).await["hints"][0].as_str().unwrap().contains("it takes: "));
    // XML is what is answered when nobody asks.
    let xml = bench.top(&app, &[("method", "taobao.time.get"), ("format", "-")]).await;
    assert_eq!(xml.header("content-type"), Some("text/xml;charset=UTF-8"));
    assert!(
        xml.text().contains("<time_get_response><time>2026-11-21 20:32:12</time><request_id>"),
        "{}",
        xml.text()
    );
    let error = bench.form("/router/rest", &[("method", "no.such")]).await;
    assert!(
        error.text().contains("<error_response><code>22</code><msg>Invalid Method</msg><request_id>"),
        "{}",
        error.text()
    );
    let simple = bench.top(&app, &[("method", "taobao.time.get"), ("simplify", "true")]).await.json();
    assert_eq!(simple["time"], "2026-11-21 20:32:12");
    assert!(simple["request_id"].is_string());
}

#[tokio::test]
async fn empty_values_may_be_signed_or_not() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    let method = ("method", "taobao.time.get");
    assert_eq!(bench.top(&app, &[method, ("partner_id", "")]).await.code(), "0", "Python and Node sign them");
    let mut pairs = bench.top_pairs(&app, &[method]).await;
    pairs.push(("partner_id".to_owned(), String::new()));
    assert_eq!(bench.form("/router/rest", &borrowed(&pairs)).await.code(), "0", "Java and C# do not");
    pairs.push(("x".to_owned(), "1".to_owned()));
    assert_eq!(bench.form("/router/rest", &borrowed(&pairs)).await.code(), "25");
}

#[tokio::test]
async fn lists_are_wrapped_unless_simplified() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    let session = login(&bench).await;
    let session = session["access_token"].as_str().unwrap();
    let args = [
        ("method", "taobao.items.onsale.get"),
        ("session", session),
        ("fields", "num_iid,title"),
        ("page_size", "3"),
    ];
    let json = bench.top(&app, &args).await.json();
    assert_eq!(json["items_onsale_get_response"]["items"]["item"].as_array().unwrap().len(), 3, "{json}");
    let mut simple = args.to_vec();
    simple.push(("simplify", "true"));
    let json = bench.top(&app, &simple).await.json();
    assert_eq!(json["items"].as_array().unwrap().len(), 3, "{json}");
    // An example follows the same rule.
    let json = bench
        .top(&app, &[("method", "taobao.user.openuid.getbynick"), ("session", session), ("buyer_nicks", "a")])
        .await
        .json();
    assert!(json["user_openuid_getbynick_response"]["open_uids"]["open_uid_info"].is_array(), "{json}");
}

#[tokio::test]
async fn token_replies_and_refusals_are_those_of_rfc_6749() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    let reply = login(&bench).await;
    for field in [
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "re_expires_in",
        "r1_expires_in",
        "r2_expires_in",
        "w1_expires_in",
        "w2_expires_in",
        "r1_valid",
        "r2_valid",
        "w1_valid",
        "w2_valid",
        "expire_time",
        "refresh_token_valid_time",
        "taobao_user_nick",
        "taobao_user_id",
    ] {
        assert!(!reply[field].is_null(), "{field}: {reply}");
    }
    let code = bench.code(&app, &bench.login("taobao")).await;
    let fine = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", app.redirect_uri.as_str()),
    ];
    for (name, value, status, error) in [
        ("client_secret", "wrong", 401, "invalid_client"),
        ("client_id", "999", 401, "invalid_client"),
        ("redirect_uri", "http://127.0.0.1:9/x", 400, "invalid_grant"),
        ("grant_type", "password", 400, "unsupported_grant_type"),
    ] {
        let mut pairs = fine.to_vec();
        pairs.push((name, value));
        let answer = exchange(&bench, &pairs).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)), "{name}");
        assert!(answer.json()["error_description"].is_string());
    }
    assert_eq!(bench.get(&format!("/token?{}", form(&fine))).await.status, 405);
    assert_eq!(exchange(&bench, &fine).await.status, 200);
    assert_eq!(exchange(&bench, &fine).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_shop_has_one_session_and_the_signed_calls_answer_in_a_text() {
    let bench = Bench::start().await;
    let app = bench.app("taobao");
    let code = bench.code(&app, &bench.login("taobao")).await;
    let create = bench.top(&app, &[("method", "taobao.top.auth.token.create"), ("code", &code)]).await.json();
    let text = create["top_auth_token_create_response"]["token_result"].as_str().unwrap();
    let first: Json = serde_json::from_str(text).unwrap();
    let session = |json: &Json| json["access_token"].as_str().unwrap().to_owned();
    let fields = ("fields", "num_iid");
    let method = ("method", "taobao.items.onsale.get");
    assert_eq!(bench.top(&app, &[method, fields, ("session", &session(&first))]).await.code(), "0");
    let refresh = first["refresh_token"].as_str().unwrap();
    let refreshed = bench
        .top(&app, &[("method", "taobao.top.auth.token.refresh"), ("refresh_token", refresh)])
        .await
        .json();
    let second: Json =
        serde_json::from_str(refreshed["top_auth_token_refresh_response"]["token_result"].as_str().unwrap())
            .unwrap();
    assert_eq!(bench.top(&app, &[method, fields, ("session", &session(&first))]).await.code(), "27");
    assert_eq!(bench.top(&app, &[method, fields, ("session", &session(&second))]).await.code(), "0");
    let again =
        bench.top(&app, &[("method", "taobao.top.auth.token.refresh"), ("refresh_token", refresh)]).await;
    assert_eq!(again.code(), "15");
    assert_eq!(again.json()["error_response"]["sub_code"], "isv.invalid-parameter:refresh_token");
}

/// Sends a batch; `separator` goes into the header when it is not the usual one.
async fn batch(bench: &Bench, public: &[(&str, &str)], body: &str, separator: Option<&str>) -> Answer {
    let app = bench.app("taobao");
    let mut pairs = vec![
        ("v", "2.0"),
        ("app_key", app.app_key.as_str()),
        ("timestamp", "2026-11-21 20:32:12"),
        ("format", "json"),
        ("sign_method", "hmac-sha256"),
    ];
    pairs.extend_from_slice(public);
    let key = SigningKey::new(Digest::HmacSha256, &AppSecret::new(app.app_secret.clone().unwrap()));
    let signature = sign(&key, Shape::TopBatch, "", &pairs, body.as_bytes());
    pairs.push(("sign", signature.as_str()));
    let target = format!("/router/batch?{}", form(&pairs));
    let headers =
        [("Content-Type", "text/plain;charset=utf-8"), ("top-api-separator", separator.unwrap_or(""))];
    bench.send("POST", &target, &headers, body.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn a_batch_answers_each_call_in_its_place() {
    let bench = Bench::start().await;
    let session = login(&bench).await;
    let session = session["access_token"].as_str().unwrap();
    let own = format!("method=taobao.items.onsale.get&fields=num_iid&page_size=2&session={session}");
    let sep = "\r\n-S-\r\n";
    let body = format!(
        "#PUBLIC#method=taobao.time.get{sep}N{sep}{own}{sep}method=no.such{sep}method=taobao.items.onsale.get"
    );
    let answer = batch(&bench, &[], &body, None).await;
    let replies: Vec<Json> =
        answer.text().split(sep).map(|reply| serde_json::from_str(reply).unwrap()).collect();
    assert_eq!(replies.len(), 4, "{}", answer.text());
    assert_eq!(replies[0]["time_get_response"]["time"], "2026-11-21 20:32:12");
    assert_eq!(replies[1]["items_onsale_get_response"]["items"]["item"].as_array().unwrap().len(), 2);
    assert_eq!(replies[2]["error_response"]["code"], 22);
    assert_eq!(replies[3]["error_response"]["code"], 26);

    // A broken call fails alone.
    let body = format!("method=taobao.time.get&method=no.such{sep}method=taobao.time.get");
    let answer = batch(&bench, &[], &body, None).await;
    let replies: Vec<Json> =
        answer.text().split(sep).map(|reply| serde_json::from_str(reply).unwrap()).collect();
    assert_eq!(replies[0]["error_response"]["code"], 41, "{}", answer.text());
    assert_eq!(replies[1]["time_get_response"]["time"], "2026-11-21 20:32:12");

    // The brackets of the document, another separator, a session for all.
    let body = format!("[#PUBLIC#fields=num_iid@@]method=taobao.time.get@@{own}");
    let answer = batch(&bench, &[("session", session)], &body, Some("@@")).await;
    assert_eq!(answer.text().split("@@").count(), 2, "{}", answer.text());
    assert!(answer.text().contains("items_onsale_get_response"), "{}", answer.text());

    // The whole batch fails in one reply.
    for body in ["", &vec!["N"; 21].join(sep)] {
        assert_eq!(batch(&bench, &[], body, None).await.code(), "41");
    }
    let tampered = batch(&bench, &[("sign", "0")], "method=taobao.time.get", None).await;
    assert!(matches!(tampered.code().as_str(), "25" | "41"), "{}", tampered.text());
}
