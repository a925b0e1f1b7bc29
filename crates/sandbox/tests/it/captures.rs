//! What unmodified third-party SDKs sent, sent again byte for byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::support::{Answer, Bench, app, exchange, query_value};

const FILES: [(&str, &str); 7] = [
    ("ae_sdk", "aliexpress"),
    ("lazop_sdk", "lazada"),
    ("node_topclient", "taobao"),
    ("open_1688", "1688"),
    ("py_taobao_open", "taobao"),
    ("python_aliexpress_api", "aliexpress"),
    ("ronknight_icbu", "alibaba"),
];

fn capture(name: &str) -> Json {
    let path = format!("{}/../../vectors/captures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The bytes of a recorded request.
fn bytes_of(request: &Json) -> Vec<u8> {
    let text = |name: &str| request[name].as_str().unwrap();
    let mut out = format!("{} {} {}\r\n", text("method"), text("target"), text("http_version")).into_bytes();
    for header in request["headers"].as_array().unwrap() {
        out.extend_from_slice(
            format!("{}: {}\r\n", header[0].as_str().unwrap(), header[1].as_str().unwrap()).as_bytes(),
        );
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&STANDARD.decode(text("body_b64")).unwrap());
    out
}

/// When a request was made, as far as it says.
fn time_of(request: &Json) -> Option<Timestamp> {
    let body = String::from_utf8_lossy(&STANDARD.decode(request["body_b64"].as_str().unwrap()).unwrap())
        .into_owned();
    let target = request["target"].as_str().unwrap();
    let text = query_value(target, "timestamp")
        .or_else(|| query_value(&format!("?{body}"), "timestamp"))
        .or_else(|| {
            let at = body.find("name=\"timestamp\"")?;
            Some(body[at..].split("\r\n").nth(2)?.to_owned())
        })?;
    if text.contains(' ') {
        // node-taobao-topclient wrote the local time of a machine that showed 20:32:12: 12:32:12Z.
        return Some("2026-11-21T12:32:12Z".parse().unwrap());
    }
    Some(Timestamp::from_millisecond(text.parse().unwrap()).unwrap())
}

fn is_signature_error(answer: &Answer) -> bool {
    let text = answer.text();
    ["IncompleteSignature", "InvalidSignature", "gw.Signature", "Invalid Signature", "Missing Signature"]
        .iter()
        .any(|word| text.contains(word))
}

#[tokio::test]
async fn every_recorded_request_is_read_and_verified() {
    // One key and one secret for all, as they were recorded; the route tells which app is meant.
    let first = capture("lazop_sdk");
    let secret = first["app_secret"].as_str().unwrap();
    let platforms = ["lazada", "aliexpress", "alibaba", "taobao", "1688"];
    let apps = platforms.map(|name| app(name, "100240", secret)).to_vec();
    let bench = Bench::with(|options| options.apps = apps).await;
    let mut seen = 0;
    for (file, _) in FILES {
        let capture = capture(file);
        assert_eq!(capture["app_secret"].as_str(), Some(secret));
        for request in capture["requests"].as_array().unwrap() {
            replay(&bench, file, request).await;
            seen += 1;
        }
    }
    assert_eq!(seen, 29);
}

#[tokio::test]
async fn each_file_replays_with_an_app_of_its_own_platform() {
    for (file, platform) in FILES {
        let capture = capture(file);
        let apps = vec![app(platform, "100240", capture["app_secret"].as_str().unwrap())];
        let bench = Bench::with(|options| options.apps = apps).await;
        for request in capture["requests"].as_array().unwrap() {
            replay(&bench, file, request).await;
        }
    }
}

async fn replay(bench: &Bench, file: &str, request: &Json) {
    if let Some(now) = time_of(request) {
        bench.control("POST", "clock", &json!({"now": now.to_string()})).await;
    }
    let answer = exchange(&bench.host, &bytes_of(request)).await.unwrap();
    let target = request["target"].as_str().unwrap();
    let shown = format!("{file} {target}: {} {}", answer.status, answer.text());
    if request["signature_reproduced"] == json!(true) {
        assert!(!is_signature_error(&answer), "{shown}");
        // What was recorded used tokens and codes of elsewhere, so that is what must be wrong.
        let unknown_token = [
            "InvalidCode",
            "IllegalRefreshToken",
            "IllegalAccessToken",
            "invalid_grant",
            "\"401\"",
            "\"code\":27",
            "isv.invalid-parameter:code",
            "isv.invalid-parameter:refresh_token",
        ];
        let fine = unknown_token.iter().any(|word| answer.text().contains(word))
            // aliexpress.affiliate.product.query needs no token.
            || answer.text().contains("aliexpress_affiliate_product_query_response");
        assert!(fine, "{shown}");
    } else {
        assert_eq!(answer.code(), "IncompleteSignature", "{shown}");
        let refusal = bench.refusal(&answer).await;
        assert!(refusal["hints"][0].as_str().unwrap().contains("localeCompare"), "{refusal}");
    }
}

#[tokio::test]
async fn a_client_in_the_wrong_time_zone_is_told_so() {
    let capture = capture("node_topclient");
    let apps = vec![app("taobao", "100240", capture["app_secret"].as_str().unwrap())];
    let bench = Bench::with(|options| options.apps = apps).await;
    bench.control("POST", "clock", &json!({"now": "2026-11-21T20:32:12Z"})).await;
    let answer = exchange(&bench.host, &bytes_of(&capture["requests"][0])).await.unwrap();
    assert_eq!(answer.code(), "31");
    let refusal = bench.refusal(&answer).await;
    assert!(refusal["hints"][0].as_str().unwrap().contains("TZ=Asia/Shanghai"), "{refusal}");
}
