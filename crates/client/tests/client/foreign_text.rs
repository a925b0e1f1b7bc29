//! No error of a call holds a part of its secrets, whatever the gateway or the network says.

use std::error::Error as _;

use crate::stage::{SECRET, TOKEN, ok, param, refusal, stage};
use sesame_client::Call;
use sesame_core::{
    Error, ErrorKind, HttpRequest, HttpResponse,
    request::{HeaderName, header},
};

/// Every secret of a call, as the gateway knows them.
fn secrets(request: &HttpRequest) -> Vec<String> {
    let mut out = vec![SECRET.to_owned(), TOKEN.to_owned()];
    out.extend(param(request, "sign").or_else(|| param(request, "_aop_signature")));
    out
}

/// Calls an API once; returns all that can be seen of the error, and the secrets.
async fn shown(
    platform: &str,
    api: &str,
    answer: impl Fn(&HttpRequest) -> Result<HttpResponse, Error> + Send + 'static,
) -> (String, Vec<String>) {
    let stage = stage(&[platform]).await;
    stage.gateway.always(move |request| answer(request));
    let error = stage.client.call(&Call::new(platform, api)).await.unwrap_err();
    let mut out = format!(
        "{error} {error:#} {error:?} {:?} {:?} {:?} {:?} {:?}",
        error.hint(),
        error.code(),
        error.sub_code(),
        error.request_id(),
        error.reference()
    );
    let mut source = error.source();
    while let Some(below) = source {
        out = format!("{out} {below} {below:?}");
        source = below.source();
    }
    (out, secrets(&stage.gateway.seen()[0]))
}

fn check((shown, secrets): &(String, Vec<String>)) {
    for secret in secrets {
        let leak = secret.as_bytes().windows(12).find(|part| shown.contains(str::from_utf8(part).unwrap()));
        assert!(leak.is_none(), "a part of {secret:?} in {shown}");
    }
}

const SHAPES: [(&str, &str); 3] = [
    ("lazada", "/warehouse/thing/destroy"),
    ("1688", "com.alibaba.thing:alibaba.thing.destroy-1"),
    ("taobao", "taobao.thing.destroy"),
];

#[tokio::test]
async fn no_cut_of_a_refusal_leaves_a_part_of_a_secret() {
    for (platform, api) in SHAPES {
        for which in 0..3 {
            // A message is cut at 1,000 characters; its code goes ahead of it.
            for ahead in (930..1_000).step_by(if which == 1 { 1 } else { 6 }) {
                let seen = shown(platform, api, move |request| {
                    let secret = &secrets(request)[which];
                    let message = format!("{} {secret}", "ü".repeat(ahead));
                    let body = match platform {
                        "lazada" => refusal("X", &message),
                        "1688" => format!(r#"{{"error_code":"X","error_message":"{message}"}}"#),
                        _ => format!(r#"{{"error_response":{{"code":15,"msg":"m","sub_msg":"{message}"}}}}"#),
                    };
                    Ok(ok(&body).with_header(HeaderName::from_static("x-sandbox-refusal"), secret))
                })
                .await;
                check(&seen);
            }
        }
    }
}

#[tokio::test]
async fn no_cut_of_a_redirect_leaves_a_part_of_a_secret() {
    for which in 0..3 {
        // An address is cut at 200 characters.
        for ahead in (120..180).step_by(if which == 1 { 1 } else { 6 }) {
            let seen = shown("lazada", "/products/get", move |request| {
                let secret = &secrets(request)[which];
                let location = format!("https://elsewhere.example/{}/{secret}", "a/".repeat(ahead / 2));
                Ok(HttpResponse::new(302, "").with_header(header::LOCATION, &location))
            })
            .await;
            assert!(seen.0.contains("elsewhere.example"), "{}", seen.0);
            check(&seen);
        }
    }
}

#[tokio::test]
async fn an_error_of_the_transport_is_cleaned() {
    for which in 0..3 {
        let seen = shown("lazada", "/warehouse/thing/destroy", move |request| {
            let said = format!("the proxy says: {}", secrets(request)[which]);
            Err(Error::new(ErrorKind::Network, said.clone())
                .with_hint(said.clone())
                .with_source(std::io::Error::other(said)))
        })
        .await;
        assert!(seen.0.contains("the proxy says"), "{}", seen.0);
        check(&seen);
    }
}
