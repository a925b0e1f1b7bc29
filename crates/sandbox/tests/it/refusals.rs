//! Why a signature is wrong, and what nobody may read.

use sesame_core::{
    AppSecret, Shape,
    sign::{Digest, SigningKey, sign},
};
use sesame_sandbox::DescribedApp;

use crate::support::{Bench, app, borrowed};

const LIST: &str = "/products/get";

/// A call of `/products/get` whose signature is made by `text`.
async fn hint_for(
    bench: &Bench,
    app: &DescribedApp,
    make: impl Fn(&SigningKey, &[(&str, &str)]) -> String,
) -> String {
    let key = SigningKey::new(Digest::HmacSha256, &AppSecret::new(app.app_secret.clone().unwrap()));
    let now = bench.now_ms().await;
    let mut pairs = vec![
        ("app_key", app.app_key.as_str()),
        ("timestamp", now.as_str()),
        ("sign_method", "sha256"),
        ("access_token", "50000planted-access-token"),
        ("search", "a b&c 中"),
        ("empty", ""),
        ("SKU", "1"),
    ];
    let signature = make(&key, &pairs);
    pairs.push(("sign", &signature));
    let answer = bench.form("/rest/products/get", &pairs).await;
    assert_eq!(answer.code(), "IncompleteSignature", "{}", answer.text());
    let refusal = bench.refusal(&answer).await;
    refusal["hints"][0].as_str().unwrap().to_owned()
}

/// Signs pairs in some way, with a key or without it.
type Signer = Box<dyn Fn(&SigningKey, &[(&str, &str)]) -> String>;

fn joined(prefix: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(prefix.to_owned(), |text, (name, value)| text + name + value)
}

#[tokio::test]
async fn known_mistakes_are_named() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let secret = app.app_secret.clone().unwrap();
    let other = bench.app("daraz");
    let sha = |secret: &str, prefix: &str, pairs: &[(&str, &str)]| {
        let key = SigningKey::new(Digest::HmacSha256, &AppSecret::new(secret));
        sign(&key, Shape::IopRest, prefix, pairs, b"").to_string()
    };
    let hint = |make: Signer| {
        let (bench, app) = (&bench, &app);
        async move { hint_for(bench, app, make).await }
    };

    let s = secret.clone();
    assert!(hint(Box::new(move |_, pairs| sha(&s, "", pairs))).await.contains("path in front is left out"));
    let s = secret.clone();
    assert!(
        hint(Box::new(move |_, pairs| sha(&s, "/rest/products/get", pairs)))
            .await
            .contains("begins with /rest")
    );
    let s = secret.clone();
    let md5 = hint(Box::new(move |_, pairs| {
        let key = SigningKey::new(Digest::Md5Sandwich, &AppSecret::new(s.clone()));
        sign(&key, Shape::IopRest, LIST, pairs, b"").to_string()
    }));
    assert!(md5.await.contains("MD5 of secret + text + secret"));
    let s = secret.clone();
    let late = hint(Box::new(move |_, pairs| {
        let early: Vec<_> = pairs.iter().copied().filter(|(name, _)| *name != "access_token").collect();
        sha(&s, LIST, &early)
    }));
    assert!(late.await.contains("`access_token` is left out"));
    let s = secret.clone();
    let encoded = hint(Box::new(move |_, pairs| {
        let coded: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (*name, if *name == "search" { "a%20b%26c%20%E4%B8%AD" } else { value }))
            .collect();
        sha(&s, LIST, &coded)
    }));
    assert!(encoded.await.contains("percent-encoded"));
    let unsorted = hint(Box::new(|key, pairs| key.digest_of(joined(LIST, pairs).as_bytes()).to_string()));
    assert!(unsorted.await.contains("not sorted"));
    let theirs = other.app_secret.clone().unwrap();
    let hinted = hint(Box::new(move |_, pairs| sha(&theirs, LIST, pairs))).await;
    assert!(hinted.contains("another app is used: daraz"), "{hinted}");
    let s = format!("{secret}\n");
    assert!(hint(Box::new(move |_, pairs| sha(&s, LIST, pairs))).await.contains("line break"));
    let s = secret.clone();
    let two = hint(Box::new(move |_, pairs| {
        let key = SigningKey::new(Digest::Md5Sandwich, &AppSecret::new(s.clone()));
        sign(&key, Shape::IopSync, "", pairs, b"").to_string()
    }));
    let two = two.await;
    assert!(two.contains("MD5") && two.contains("path in front is left out"), "{two}");
    assert!(hint(Box::new(|_, _| "0".repeat(64))).await.contains("no known mistake"));
    assert!(hint(Box::new(|_, _| "bm90IGhleA==".to_owned())).await.contains("not base64"));
}

#[tokio::test]
async fn secrets_are_in_no_output() {
    const PLANTED: [&str; 5] = [
        "plantedsecret0123456789plantedsecret",
        "50000planted-access-token-0123456789",
        "planted-refresh-token-0123456789",
        "0_1_planted-code-0123456789",
        "planted-client-secret-0123456789",
    ];
    let apps = ["lazada", "aliexpress", "taobao", "1688"].map(|name| app(name, "4242", PLANTED[0])).to_vec();
    let bench = Bench::with(|options| options.apps = apps).await;
    let now = bench.now_ms().await;
    let system = [
        ("app_key", "4242"),
        ("timestamp", now.as_str()),
        ("sign_method", "sha256"),
        ("sign", "ABCDEF0123456789ABCDEF0123456789"),
    ];
    let secrets = [
        ("access_token", PLANTED[1]),
        ("session", PLANTED[1]),
        ("refresh_token", PLANTED[2]),
        ("code", PLANTED[3]),
        ("client_secret", PLANTED[4]),
        ("note", PLANTED[1]),
    ];
    let mut outputs = Vec::new();
    let mut keep = |answer: crate::support::Answer| {
        outputs.push(format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body)));
    };
    for target in [
        "/rest/products/get",
        "/rest/auth/token/create",
        "/sync?method=aliexpress.solution.product.list.get",
        "/router/rest?method=taobao.items.onsale.get",
        "/openapi/param2/1/system.oauth2/getToken/4242",
        "/openapi/param2/1/com.alibaba.product/alibaba.product.list.get/4242?_aop_signature=0123456789012345678901234567890123456789",
        "/token?client_id=4242&grant_type=refresh_token",
        "/oauth/authorize?client_id=4242&redirect_uri=http://x.example",
    ] {
        let pairs: Vec<_> = system.iter().chain(&secrets).copied().collect();
        keep(bench.form(target, &pairs).await);
    }
    // A batch has its tokens in the body.
    let body =
        format!("#PUBLIC#session={}\r\n-S-\r\nmethod=taobao.time.get&session={}", PLANTED[1], PLANTED[1]);
    let query = "app_key=4242&timestamp=2026-11-21%2020:32:12&v=2.0&format=json&sign=00";
    keep(bench.post(&format!("/router/batch?{query}"), "text/plain;charset=utf-8", body.as_bytes()).await);
    let ids = bench.control("GET", "refusals", &serde_json::Value::Null).await;
    let ids: Vec<String> =
        ids["refusals"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert!(ids.len() >= 7, "{ids:?}");
    for id in &ids {
        keep(bench.get(&format!("/_sandbox/refusals/{id}")).await);
    }
    for route in ["stats", "apps", "tokens", "clock", "faults", "settings", "quotas", "refusals"] {
        keep(bench.get(&format!("/_sandbox/{route}")).await);
    }
    outputs.push(serde_json::to_string(&bench.sandbox.describe()).unwrap());
    outputs.push(format!("{:?}", bench.sandbox));
    for output in &outputs {
        for planted in PLANTED {
            assert!(!output.contains(planted), "{planted} in {output}");
        }
    }
    // And not because nothing is shown at all.
    let all = outputs.join("\n");
    assert!(all.contains("expected_base_string") && all.contains("access_token500"), "{all}");
}

#[tokio::test]
async fn a_report_is_never_over_64_kb() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let now = bench.now_ms().await;
    let large = "\u{1}".repeat(300_000);
    let names: Vec<String> = (0..1_500).map(|at| format!("{}{at}", "\u{2}".repeat(40))).collect();
    let mut pairs = vec![
        ("app_key", app.app_key.as_str()),
        ("timestamp", &now),
        ("sign_method", "sha256"),
        ("sign", "00"),
        ("payload", &large),
    ];
    pairs.extend(names.iter().map(|name| (name.as_str(), "\u{3}\u{3}\u{3}")));
    let answer = bench.form("/rest/products/get", &pairs).await;
    let id = answer.header("x-sandbox-refusal").unwrap();
    let report = bench.get(&format!("/_sandbox/refusals/{id}")).await;
    assert!(report.body.len() <= 64 << 10, "{}", report.body.len());
    assert_eq!(report.json()["expected_base_string_cut"], true);
}

#[tokio::test]
async fn the_expected_text_can_be_compared() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let all =
        bench.iop_pairs(&app, Some(LIST), &[("access_token", "50000planted-access"), ("limit", "5")]).await;
    let mut pairs = borrowed(&all);
    pairs.push(("limit2", "added after signing"));
    let refusal = bench.refusal(&bench.form("/rest/products/get", &pairs).await).await;
    let now = bench.now_ms().await;
    assert_eq!(
        refusal["expected_base_string"],
        format!(
            "/products/getaccess_token500…essapp_key{}limit5limit2added after signingsign_methodsha256timestamp{now}",
            app.app_key
        )
    );
    assert_eq!(
        refusal["hints"][0],
        "it matches when `limit2` is left out of the text: everything that is sent has to be there before signing"
    );
    assert_eq!(
        (refusal["platform"].as_str(), refusal["digest"].as_str()),
        (Some("lazada"), Some("hmac-sha256"))
    );
}
