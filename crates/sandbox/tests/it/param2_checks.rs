//! What `/openapi` checks, and in which order.

use sesame_core::{Shape, sign::Digest};

use crate::{
    param2::{get_token, login},
    support::{Answer, Bench, form, signature},
};

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error_code"].as_str().unwrap().to_owned())
}

fn bad(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

const API: &str = "aliexpress.open/api.findAeProductById";

#[tokio::test]
async fn the_api_is_looked_at_before_the_key_and_the_key_before_the_signature() {
    let bench = Bench::start().await;
    let app = bench.app("aliexpress-legacy");
    let key = &app.app_key;
    for (target, expected) in [
        ("param2/1/aliexpress.open".to_owned(), "gw.APIUnsupported"),
        (format!("soap/1/{API}/{key}"), "gw.APIUnsupported"),
        (format!("param2/1/{API}"), "gw.AppKeyMissing"),
        (format!("param2/1/{API}/"), "gw.AppKeyMissing"),
        ("param2/1/no.such/api/999?_aop_signature=0".to_owned(), "gw.APIUnsupported"),
        (format!("param2/1/no.such/api/{key}?_aop_signature=0"), "gw.APIUnsupported"),
        (format!("param2/1/{API}/999?_aop_signature=0"), "gw.AppKeyNotFound"),
        ("http/1/system.oauth2/getToken/999?client_id=1".to_owned(), "gw.AppKeyNotFound"),
        // An API of the sister platform alone.
        (format!("param2/1/com.alibaba.trade/alibaba.trade.getSellerOrderList/{key}"), "gw.APIUnsupported"),
        (format!("param2/1/{API}/{key}?_aop_signature=0&access_token=x"), "gw.SignatureInvalid"),
    ] {
        assert_eq!(code(&bench.get(&format!("/openapi/{target}")).await), bad(expected), "{target}");
    }
    let target = format!("/openapi/param2/1/{API}/{key}?sign=66987CB115214E59E6EC978214934FB8");
    let answer = bench.get(&target).await;
    assert_eq!(code(&answer), bad("gw.SignatureMissing"));
    assert!(bench.refusal(&answer).await.to_string().contains("_aop_signature"));

    assert_eq!(code(&bench.param2(&app, API, &[]).await), (401, "401".to_owned()));
    let answer = bench.param2(&app, API, &[("access_token", "nonsense")]).await;
    assert_eq!(answer.json()["error_message"], "Request need user authorized");
    assert_eq!(answer.json()["exception"], "Request need user authorized");
    let token = login(&bench, "aliexpress-legacy").await;
    let token = token["access_token"].as_str().unwrap();
    let answer = bench.param2(&app, API, &[("access_token", token)]).await;
    assert_eq!(code(&answer), bad("gw.ParamMissing"));
    assert_eq!(answer.json()["error_message"], "Required argument productId");
    let answer = bench.param2(&app, API, &[("access_token", token), ("productId", "x")]).await;
    assert_eq!(code(&answer).1, "400");
}

#[tokio::test]
async fn unsigned_calls_pass_with_a_warning_unless_signatures_are_strict() {
    for strict in [false, true] {
        let bench = Bench::with(|options| options.strict_signatures = strict).await;
        for (platform, api, args) in [
            // The catalog has it from an SDK that this one is signed; of the other nobody says so.
            (
                "aliexpress-legacy",
                "aliexpress.open/api.findProductInfoListQuery",
                &[("productStatusType", "onSelling")],
            ),
            (
                "aliexpress-legacy",
                "aliexpress.open/api.findAeProductDetailModuleListByQurey",
                &[("moduleStatus", "approved")],
            ),
            ("1688", "com.alibaba.product/alibaba.product.list.get", &[("pageNo", "1")]),
        ] {
            let app = bench.app(platform);
            let token = login(&bench, platform).await;
            let mut pairs = args.to_vec();
            pairs.push(("access_token", token["access_token"].as_str().unwrap()));
            pairs.push(("pageIndex", "1"));
            let signed = bench.param2(&app, api, &pairs).await;
            assert_eq!((signed.status, signed.header("x-sandbox-warning")), (200, None), "{}", signed.text());
            let answer = bench.form(&format!("/openapi/param2/1/{api}/{}", app.app_key), &pairs).await;
            if strict {
                assert_eq!(code(&answer), bad("gw.SignatureMissing"), "{api}");
            } else {
                assert_eq!((answer.status, answer.text()), (200, signed.text()), "{api}");
                assert!(answer.header("x-sandbox-warning").unwrap().contains("unsigned"));
            }
            pairs.push(("_aop_signature", "66987CB115214E59E6EC97821493AAAAAAAAAAAA"));
            let answer = bench.form(&format!("/openapi/param2/1/{api}/{}", app.app_key), &pairs).await;
            assert_eq!(code(&answer), bad("gw.SignatureInvalid"), "{api}");
        }
        // This one needs none, the document says.
        let time =
            bench.get(&format!("/openapi/param2/1/system/currentTime/{}", bench.app("1688").app_key)).await;
        assert_eq!((time.status, time.header("x-sandbox-warning")), (200, None));
    }
}

#[tokio::test]
async fn token_calls_ignore_a_wrong_signature_and_say_so() {
    let bench = Bench::start().await;
    let strict = Bench::with(|options| options.strict_signatures = true).await;
    for bench in [&bench, &strict] {
        let app = bench.app("aliexpress-legacy");
        let code = bench.code(&app, "").await;
        let token = get_token(bench, "aliexpress-legacy", &code, &[("_aop_signature", "00")]).await;
        assert_eq!(token.status, 200, "{}", token.text());
        assert!(token.header("x-sandbox-warning").unwrap().contains("ignored"));
        let refresh = token.json()["refresh_token"].as_str().unwrap().to_owned();

        // A script in use signs the key of one app for all of them.
        let pairs = [("refresh_token".to_owned(), refresh.clone())];
        let other = "param2/1/system.oauth2/refreshToken/544880";
        let foreign = signature(&app, Digest::HmacSha1, Shape::Param2, other, &pairs);
        let target = format!("/openapi/param2/1/system.oauth2/refreshToken/{}", app.app_key);
        let refresh = ("refresh_token", refresh.as_str());
        for (pairs, warning) in
            [(vec![refresh, ("_aop_signature", foreign.as_str())], "ignored"), (vec![refresh], "unsigned")]
        {
            let answer = bench.form(&target, &pairs).await;
            if std::ptr::eq(bench, &raw const strict) {
                assert!(answer.code().starts_with("gw.Signature"), "{}", answer.text());
            } else {
                assert!(answer.json()["access_token"].is_string(), "{}", answer.text());
                assert!(answer.header("x-sandbox-warning").unwrap().contains(warning));
            }
        }
    }
}

#[tokio::test]
async fn requests_of_another_time_are_expired() {
    let bench = Bench::start().await;
    let app = bench.app("1688");
    let now: i64 = bench.now_ms().await.parse().unwrap();
    let api = "com.alibaba.product/alibaba.category.get";
    for (off, passes) in
        [(0, true), (599, true), (-599, true), (601, false), (-601, false), (8 * 3_600, false)]
    {
        let time = (now + off * 1_000).to_string();
        let answer = bench.param2(&app, api, &[("categoryID", "0"), ("_aop_timestamp", &time)]).await;
        if passes {
            assert_eq!(answer.status, 200, "{off}: {}", answer.text());
        } else {
            assert_eq!(code(&answer), bad("400"), "{off}");
            assert!(answer.json()["error_message"].as_str().unwrap().contains("Request is expired"));
            assert!(bench.refusal(&answer).await.to_string().contains(&off.to_string()));
        }
    }
    // Seconds are a time long ago; a text is none; nothing at all is documented to be fine.
    for (time, message) in
        [("1795264332", "expired"), ("now", "_aop_timestamp"), ("9".repeat(30).as_str(), "_aop_timestamp")]
    {
        let answer = bench.param2(&app, api, &[("categoryID", "0"), ("_aop_timestamp", time)]).await;
        assert!(answer.text().contains(message), "{time}: {}", answer.text());
        assert_eq!(answer.status, 400);
    }
    assert_eq!(bench.param2(&app, api, &[("categoryID", "0")]).await.status, 200);
    // The platform's own time puts a clock right.
    let answer = bench.get(&format!("/openapi/param2/1/system/currentTimeMillis/{}", app.app_key)).await;
    let pairs = [("categoryID", "0"), ("_aop_timestamp", answer.text())];
    assert_eq!(bench.param2(&app, api, &pairs).await.status, 200);
    let query = form(&[("_aop_timestamp", "1"), ("categoryID", "0")]);
    let answer = bench.get(&format!("/openapi/param2/1/{api}/{}?{query}", app.app_key)).await;
    assert!(answer.text().contains("expired"), "{}", answer.text());
}
