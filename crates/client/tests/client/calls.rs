//! The life of a call, on virtual time, against a scripted gateway.

use std::time::Duration;

use crate::stage::{REFRESH, SECRET, TOKEN, ok, param, params, refusal, stage};
use serde_json::json;
use sesame_client::Call;
use sesame_core::{
    AppSecret, Error, ErrorKind, HttpRequest, HttpResponse, Retry, Shape,
    params::File,
    request::{Method, header},
    sign::{Digest, SigningKey, verify},
};

const FINE: &str = r#"{"code":"0","data":{"total_products":0,"products":[]},"request_id":"r0"}"#;
const NEW_TOKENS: &str = r#"{"access_token":"a-new-access-token-000001","refresh_token":"a-new-refresh-token-00001","expires_in":"36000","refresh_expires_in":"3600000","account":"shop","code":"0"}"#;

/// An API that no catalog knows: a write.
const WRITE: &str = "/warehouse/thing/destroy";
const READ: &str = "/products/get";

fn signature_is_right(request: &HttpRequest, shape: Shape, path: &str, digest: Digest) {
    let pairs = params(request);
    let pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let signature = pairs.iter().find(|(name, _)| *name == shape.signature_param()).unwrap().1;
    let key = SigningKey::new(digest, &AppSecret::new(SECRET));
    verify(&key, shape, path, &pairs, b"", signature).unwrap();
}

pub(crate) fn unreached() -> Error {
    Error::new(ErrorKind::Network, "refused")
}

fn broken() -> Error {
    Error::new(ErrorKind::Network, "broken").with_ambiguity(true)
}

#[tokio::test]
async fn every_shape_is_signed_as_its_protocol_says() {
    let stage = stage(&["lazada", "aliexpress", "1688", "taobao", "alibaba"]).await;
    stage.gateway.always(|_| Ok(ok(r#"{"code":"0"}"#)));
    let text = "中文 & + = % \r\n 🦀";

    // GOP only documents GET here, so everything is in the query.
    stage.client.call(&Call::new("lazada", READ).arg("filter", text)).await.unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    assert_eq!(request.method, Method::GET);
    assert!(request.url.starts_with("https://api.lazada.sg/rest/products/get?"), "{}", request.url);
    signature_is_right(&request, Shape::IopRest, "/products/get", Digest::HmacSha256);
    assert_eq!(param(&request, "filter").as_deref(), Some(text));
    assert_eq!(param(&request, "access_token").as_deref(), Some(TOKEN));
    assert_eq!(param(&request, "sign_method").as_deref(), Some("sha256"));
    assert_eq!(param(&request, "timestamp").as_deref(), Some("1780272000000"));
    assert_eq!(param(&request, "partner_id"), None);

    stage
        .client
        .call(
            &Call::new("alibaba", "/alibaba/icbu/product/list")
                .arg("language", "ENGLISH")
                .arg("subject", text),
        )
        .await
        .unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    signature_is_right(&request, Shape::IopRest, "/alibaba/icbu/product/list", Digest::HmacSha256);
    assert!(request.headers["x-protocol"] == "GOP", "{:?}", request.headers);

    stage
        .client
        .call(&Call::new("aliexpress", "aliexpress.solution.product.list.get").arg(
            "aeop_a_e_product_list_query",
            json!({"current_page": 1, "product_status_type": "onSelling"}),
        ))
        .await
        .unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    assert_eq!(
        (&request.method, request.url.as_str()),
        (&Method::POST, "https://api-sg.aliexpress.com/sync")
    );
    signature_is_right(&request, Shape::IopSync, "", Digest::HmacSha256);
    assert_eq!(param(&request, "session").as_deref(), Some(TOKEN));
    assert_eq!(param(&request, "method").as_deref(), Some("aliexpress.solution.product.list.get"));
    assert_eq!(param(&request, "simplify").as_deref(), Some("false"));
    assert_eq!(
        param(&request, "aeop_a_e_product_list_query").as_deref(),
        Some(r#"{"current_page":1,"product_status_type":"onSelling"}"#)
    );

    stage
        .client
        .call(
            &Call::new("1688", "com.alibaba.product:alibaba.product.list.get")
                .arg("pageNo", 1)
                .arg("pageSize", "20"),
        )
        .await
        .unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    let path = "param2/1/com.alibaba.product/alibaba.product.list.get/123456";
    assert_eq!(
        (request.method, request.url),
        (Method::POST, format!("https://gw.open.1688.com/openapi/{path}"))
    );
    let request = stage.gateway.seen().pop().unwrap();
    signature_is_right(&request, Shape::Param2, path, Digest::HmacSha1);
    assert_eq!(param(&request, "_aop_timestamp").as_deref(), Some("1780272000000"));
    assert_eq!(param(&request, "app_key"), None);

    stage.gateway.always(|_| Ok(ok(r#"{"items_onsale_get_response":{"total_results":0}}"#)));
    stage
        .client
        .call(&Call::new("taobao", "taobao.items.onsale.get").arg("fields", json!(["num_iid", "title"])))
        .await
        .unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    assert_eq!(request.method, Method::POST);
    assert_eq!(param(&request, "fields").as_deref(), Some("num_iid,title"));
    assert_eq!(param(&request, "timestamp").as_deref(), Some("2026-06-01 08:00:00"));
    assert_eq!(param(&request, "v").as_deref(), Some("2.0"));
    assert_eq!(param(&request, "session").as_deref(), Some(TOKEN));
    assert!(!request.url.contains("session"), "the token belongs into the body");
    let digest = match param(&request, "sign_method").unwrap().as_str() {
        "md5" => Digest::Md5Sandwich,
        "hmac" => Digest::HmacMd5,
        _ => Digest::HmacSha256,
    };
    signature_is_right(&request, Shape::Top, "", digest);
}

#[tokio::test]
async fn files_travel_unsigned_and_the_rest_signed() {
    let stage = stage(&["alibaba"]).await;
    stage.gateway.says(r#"{"code":"0"}"#);
    let file = File {
        file_name: "a.jpg".into(),
        content_type: "image/jpeg".into(),
        content: vec![0xFF, 0xD8, 0, b'\r', b'\n'].into(),
    };
    let call = Call::new("alibaba", "/alibaba/icbu/photobank/upload")
        .arg("file_name", "a.jpg")
        .file("image_bytes", file);
    stage.client.call(&call).await.unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    let kind = request.headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let parts: Vec<(String, String)> = body
        .split(&format!("--{boundary}"))
        .filter_map(|part| {
            let (head, text) = part.split_once("\r\n\r\n")?;
            let name = head.split_once("name=\"")?.1.split('"').next()?;
            Some((name.to_owned(), text.strip_suffix("\r\n")?.to_owned()))
        })
        .collect();
    let texts: Vec<(&str, &str)> = parts
        .iter()
        .filter(|(name, _)| name != "image_bytes")
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(parts.len(), texts.len() + 1);
    let signature = texts.iter().find(|(name, _)| *name == "sign").unwrap().1;
    let key = SigningKey::new(Digest::HmacSha256, &AppSecret::new(SECRET));
    verify(&key, Shape::IopRest, "/alibaba/icbu/photobank/upload", &texts, b"", signature).unwrap();
}

#[tokio::test]
async fn what_cannot_be_right_is_never_sent() {
    let stage = stage(&["taobao", "lazada", "alibaba"]).await;
    let wrong = [
        (Call::new("nobody", READ), "nobody"),
        (Call::new("taobao", "taobao.items.onsale.get"), "fields"),
        (Call::new("taobao", "taobao.items.onsale.get").arg("fields", ""), "fields"),
        (
            Call::new("taobao", "taobao.items.onsale.get").arg("fields", "a").arg("page_no", json!([1])),
            "page_no",
        ),
        (Call::new("lazada", READ).arg("sign", "x"), "sign"),
        (Call::new("lazada", READ).arg("app_key", "x"), "app_key"),
        (Call::new("lazada", READ).arg("", "x"), "name"),
        (
            Call::new("alibaba", "/alibaba/icbu/photobank/upload")
                .arg("file_name", "a")
                .arg("image_bytes", "x"),
            "file",
        ),
    ];
    for (call, word) in wrong {
        let error = stage.client.call(&call).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        let text = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(text.contains(word), "{text:?} does not name {word:?}");
    }
    assert!(stage.gateway.seen().is_empty());
}

#[tokio::test]
async fn an_api_nobody_knows_is_called_as_given_with_a_warning() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.says(FINE);
    let outcome =
        stage.client.call(&Call::new("lazada", WRITE).arg("anything", json!({"a": [1]}))).await.unwrap();
    assert!(
        outcome.warnings.iter().any(|warning| warning.contains("does not know")),
        "{:?}",
        outcome.warnings
    );
    assert_eq!(param(&stage.gateway.seen()[0], "anything").as_deref(), Some(r#"{"a":[1]}"#));
}

#[tokio::test]
async fn reads_are_repeated_with_a_fresh_signature() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.fails(broken()).fails(unreached()).says(FINE);
    let outcome = stage.client.call(&Call::new("lazada", READ)).await.unwrap();
    assert_eq!(outcome.attempts, 3);
    let seen = stage.gateway.seen();
    let times: Vec<_> = seen.iter().map(|request| param(request, "timestamp").unwrap()).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    for request in &seen {
        signature_is_right(request, Shape::IopRest, "/products/get", Digest::HmacSha256);
    }
}

#[tokio::test]
async fn an_ambiguous_write_is_never_sent_twice() {
    let page = HttpResponse { status: 200, body: "<html>".into(), ..HttpResponse::default() };
    let cut = ok("{\"code\":\"0\",");
    let empty = ok("");
    let bad_gateway = HttpResponse { status: 502, body: "<html>".into(), ..HttpResponse::default() };
    let answers: Vec<Result<HttpResponse, Error>> = vec![
        Err(broken()),
        Err(Error::new(ErrorKind::Timeout, "slow").with_ambiguity(true)),
        Ok(page),
        Ok(cut),
        Ok(empty),
        Ok(bad_gateway),
        Ok(ok(&refusal("ServiceTimeout", "service timeout"))),
    ];
    for answer in answers {
        let stage = stage(&["lazada"]).await;
        let shown = format!("{answer:?}");
        stage.gateway.then(move |_| answer.clone());
        let error = stage.client.call(&Call::new("lazada", WRITE)).await.unwrap_err();
        assert!(error.is_ambiguous(), "{shown}");
        assert_eq!(stage.gateway.seen().len(), 1, "{shown}");
        assert!(error.hint().unwrap().contains("not sent again"), "{error:?}");
    }
}

#[tokio::test]
async fn a_write_that_surely_did_nothing_is_repeated() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.fails(unreached()).says(&refusal("901", "Access too frequent")).says(FINE);
    let outcome = stage.client.call(&Call::new("lazada", WRITE)).await.unwrap();
    assert_eq!(outcome.attempts, 3);
}

#[tokio::test]
async fn a_caller_may_know_better_than_the_catalogue() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.fails(broken()).says(FINE);
    let mut call = Call::new("lazada", WRITE);
    call.options.idempotency = Some(sesame_catalog::Safety::Idempotent);
    assert_eq!(stage.client.call(&call).await.unwrap().attempts, 2);
}

#[tokio::test]
async fn attempts_end() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| Err(unreached()));
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!((error.kind(), stage.gateway.seen().len()), (ErrorKind::Network, 4));
    assert!(error.hint().unwrap().contains("sent 4 times"), "{error:?}");
    let once = Call::new("lazada", READ).attempts(1);
    stage.client.call(&once).await.unwrap_err();
    assert_eq!(stage.gateway.seen().len(), 5);
}

#[tokio::test]
async fn a_web_page_is_said_and_reads_try_again() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| {
        let page = HttpResponse::new(200, "<!DOCTYPE html><html>punish");
        Ok(page.with_header(header::CONTENT_TYPE, "text/html"))
    });
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Envelope);
    assert!(error.to_string().contains("web page"), "{error}");
    assert_eq!(stage.gateway.seen().len(), 4);
}

#[tokio::test]
async fn a_redirect_is_an_error_that_shows_no_token() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.then(|_| {
        let location = format!("https://evil.example/?access_token={TOKEN}");
        Ok(HttpResponse::new(302, "").with_header(header::LOCATION, &location))
    });
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Envelope, Retry::Never));
    assert!(error.to_string().contains("evil.example") && !error.to_string().contains(TOKEN), "{error}");
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_and_the_call_repeated_once() {
    let stage = stage(&["lazada"]).await;
    let illegal = refusal("IllegalAccessToken", "The specified access token is invalid or expired");
    stage.gateway.says(&illegal).says(NEW_TOKENS).says(FINE);
    let outcome = stage.client.call(&Call::new("lazada", WRITE)).await.unwrap();
    assert_eq!(outcome.attempts, 2);
    let calls = stage.gateway.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(param(&calls[0], "access_token").as_deref(), Some(TOKEN));
    assert_eq!(param(&calls[1], "access_token").as_deref(), Some("a-new-access-token-000001"));

    // Refused again and again: one more refresh, and no more calls than two.
    stage.clock.advance(Duration::from_hours(1));
    let illegal_again = illegal.clone();
    stage.gateway.always(move |request| {
        Ok(ok(if request.url.contains("/auth/token/") { NEW_TOKENS } else { &illegal_again }))
    });
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert_eq!(stage.gateway.calls().len(), 4);
}

#[tokio::test]
async fn business_errors_inside_success_are_errors() {
    let stage = stage(&["alibaba"]).await;
    stage.gateway.says(r#"{"code":"0","result":{"success":false,"message_info":"no such product","msg_code":"isv.product-not-found"},"request_id":"r"}"#);
    let error = stage
        .client
        .call(&Call::new("alibaba", "/icbu/product/get").arg("product_get_request", json!({"productId": 1})))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Business, Some("isv.product-not-found")));
    assert_eq!(error.request_id(), Some("r"));
}

#[tokio::test]
async fn prepare_sends_nothing_and_hides_what_is_secret() {
    let stage = stage(&["lazada", "taobao"]).await;
    for call in [
        Call::new("lazada", READ).arg("filter", "it's"),
        Call::new("taobao", "taobao.items.onsale.get").arg("fields", "num_iid"),
    ] {
        let prepared = stage.client.prepare(&call).await.unwrap();
        let shown = format!(
            "{prepared:?} {} {} {} {:?}",
            prepared.base_string,
            prepared.curl(false),
            prepared.masked_url(),
            prepared.warnings
        );
        assert!(!shown.contains(TOKEN) && !shown.contains(SECRET), "{shown}");
        assert!(prepared.curl(true).contains(TOKEN));
        assert!(prepared.base_string_with_secrets().contains(TOKEN));
        assert!(!prepared.curl(true).contains(SECRET));
    }
    assert!(stage.gateway.seen().is_empty());
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let answers: Vec<Result<HttpResponse, Error>> = vec![
        Err(broken()),
        Ok(ok("{")),
        Ok(ok(&refusal("IncompleteSignature", "The request signature does not conform to lazop standards"))),
        Ok(ok(&refusal("IllegalTimestamp", "no"))),
        Ok(ok(&refusal("ApiCallLimit", "This ban will last 100 seconds"))),
        Ok(ok(&refusal("SomethingNew", "never seen"))),
        Ok(HttpResponse { status: 500, body: "<html>".into(), ..HttpResponse::default() }),
    ];
    for answer in answers {
        let stage = stage(&["lazada"]).await;
        stage.gateway.always(move |_| answer.clone());
        let error = stage.client.call(&Call::new("lazada", WRITE)).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?} {:?}", error.hint(), stage.client);
        for secret in [SECRET, TOKEN, REFRESH] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error:?}");
    }
}

#[tokio::test]
async fn calls_travel_as_json() {
    let call = Call::new("shop", "/orders/get").arg("limit", 10).timeout(Duration::from_millis(1_500));
    let text = serde_json::to_string(&call).unwrap();
    assert_eq!(
        text,
        r#"{"account":"shop","api":"/orders/get","args":{"limit":10},"options":{"timeout":1.5}}"#
    );
    assert_eq!(serde_json::from_str::<Call>(&text).unwrap(), call);
    assert!(serde_json::from_str::<Call>(r#"{"account":"a","api":"b","opitons":{}}"#).is_err());
    assert!(serde_json::from_str::<Call>(r#"{"account":"a","api":"b","options":{"timeout":-1}}"#).is_err());
}

#[tokio::test]
async fn long_arguments_leave_the_url() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| Ok(ok(FINE)));
    stage.client.call(&Call::new("lazada", READ).arg("filter", "x".repeat(5 << 20))).await.unwrap();
    let request = stage.gateway.seen().pop().unwrap();
    assert_eq!(
        (&request.method, request.url.as_str()),
        (&Method::POST, "https://api.lazada.sg/rest/products/get")
    );
    signature_is_right(&request, Shape::IopRest, "/products/get", Digest::HmacSha256);
}

#[tokio::test]
async fn a_gateway_that_quotes_the_request_does_not_give_the_token_away() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|request| {
        let body = json!({ "type": "ISV", "code": format!("Bad {TOKEN}"), "message": format!("GET {}", request.url), "request_id": TOKEN });
        Ok(ok(&body.to_string()))
    });
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    let request = stage.gateway.seen().pop().unwrap();
    let shown = format!("{error} {error:?} {:?} {:?} {:?}", error.code(), error.hint(), error.request_id());
    assert!(shown.contains("/products/get"), "{shown}");
    for secret in [TOKEN, &param(&request, "sign").unwrap()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Vendors call many an id a number that is an encrypted text: the platform decides.
#[tokio::test]
async fn a_text_for_a_documented_number_is_sent_with_a_warning() {
    let stage = stage(&["taobao"]).await;
    stage.gateway.says(r#"{"items_onsale_get_response":{"total_results":0}}"#);
    let call = Call::new("taobao", "taobao.items.onsale.get").arg("fields", "a").arg("page_no", "IDX1oaAQ");
    let outcome = stage.client.call(&call).await.unwrap();
    assert!(outcome.warnings.iter().any(|warning| warning.contains("page_no")), "{:?}", outcome.warnings);
    assert_eq!(param(&stage.gateway.seen()[0], "page_no").as_deref(), Some("IDX1oaAQ"));
}
