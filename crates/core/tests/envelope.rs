//! Replies of all three families, honest and lying.

use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use sesame_core::{
    ErrorKind, HttpResponse, Retry, Shape,
    envelope::{Reply, ReplyRules, SuccessFlag, read_reply},
    redact::Redactor,
};

fn flags() -> ReplyRules {
    let flag = |flag: &str, ok: &[&str], code: &str, message: &str| SuccessFlag {
        flag: flag.into(),
        ok: ok.iter().map(|text| (*text).to_owned()).collect(),
        code: vec![code.into()],
        message: vec![message.into()],
        source: "test".into(),
        date: "2026-11-21".into(),
    };
    ReplyRules {
        flags: vec![
            flag("success", &["true"], "msg_code", "message"),
            flag("result.success", &["true"], "result.msg_code", "result.message_info"),
            flag("page.status.done", &["true"], "page.status.code", "page.status.text"),
            flag("resp_result.resp_code", &["200"], "resp_result.resp_code", "resp_result.resp_msg"),
        ],
        ..ReplyRules::default()
    }
}

fn read(shape: Shape, status: u16, body: &str) -> sesame_core::Result<Reply> {
    let response = HttpResponse { status, body: Bytes::from(body.to_owned()), ..HttpResponse::default() };
    read_reply(shape, &flags(), &response, &Redactor::default(), Timestamp::UNIX_EPOCH)
}

#[test]
fn a_result_keeps_the_vendors_bytes_and_loses_its_wrapper() {
    let body = r#"{"code":"0","data":{"price":"12.50","id":100000000000000000001},"request_id":"0ba2"}"#;
    let reply = read(Shape::IopRest, 200, body).unwrap();
    assert_eq!(reply.payload(), body);
    assert_eq!(reply.body(), body);
    assert_eq!(reply.request_id(), Some("0ba2"));

    let body =
        " \u{feff}".to_owned() + r#"{"items_onsale_get_response":{"total_results":1,"request_id":"r1"}} "#;
    let reply = read(Shape::Top, 200, body.trim_start_matches(' ')).unwrap();
    assert_eq!(reply.payload(), r#"{"total_results":1,"request_id":"r1"}"#);
    assert_eq!(reply.request_id(), Some("r1"));

    let simplified = r#"{"item":[],"request_id":"r2"}"#;
    assert_eq!(read(Shape::IopSync, 200, simplified).unwrap().payload(), simplified);

    let bare = r#""20261010164552223+0800""#;
    assert_eq!(read(Shape::Param2, 200, bare).unwrap().payload(), bare);
    assert_eq!(read(Shape::Param2, 200, "1484033752883").unwrap().payload(), "1484033752883");
}

#[test]
fn code_zero_may_be_a_number_or_missing() {
    for body in
        [r#"{"code":0,"a":1}"#, r#"{"code":"0"}"#, r#"{"a":1}"#, r#"{"code":"","a":1}"#, r#"{"code":null}"#]
    {
        assert!(read(Shape::IopRest, 200, body).is_ok(), "{body}");
    }
    // On /sync a bare `code` belongs to the API; only with `type` is it the gateway's.
    assert!(read(Shape::IopSync, 200, r#"{"code":"5"}"#).is_ok());
    assert!(read(Shape::IopSync, 200, r#"{"type":"ISV","code":"5","message":"m"}"#).is_err());
}

#[test]
fn refusals_are_found_in_every_envelope() {
    let cases = [
        (
            Shape::IopRest,
            200,
            r#"{"type":"ISV","code":"IncompleteSignature","message":"m","request_id":"q"}"#,
            "IncompleteSignature",
            None,
        ),
        (
            Shape::IopSync,
            200,
            r#"{"error_response":{"type":"ISV","code":"IllegalAccessToken","msg":"m","request_id":"q"}}"#,
            "IllegalAccessToken",
            None,
        ),
        (
            Shape::Top,
            200,
            r#"{"error_response":{"code":15,"msg":"Remote service error","sub_code":"isv.invalid-parameter","sub_msg":"非法参数","request_id":"q"}}"#,
            "15",
            Some("isv.invalid-parameter"),
        ),
        (
            Shape::Top,
            200,
            "<?xml version=\"1.0\"?><error_response><code>15</code><msg>m</msg><sub_code>isv.invalid-parameter</sub_code><request_id>q</request_id></error_response>",
            "15",
            Some("isv.invalid-parameter"),
        ),
        (
            Shape::Param2,
            400,
            r#"{"error_code":"gw.APIACLDecline","error_message":"AppKey is not allowed(acl)","request_id":"q"}"#,
            "gw.APIACLDecline",
            None,
        ),
        (
            Shape::Param2,
            200,
            r#"{"error_code":"gw.SignatureInvalid","error_message":"x","request_id":"q"}"#,
            "gw.SignatureInvalid",
            None,
        ),
        (
            Shape::Param2,
            200,
            r#"{"error_code":"401","error_message":"Request need user authorized","request_id":"q"}"#,
            "401",
            None,
        ),
        (
            Shape::Param2,
            400,
            r#"{"error":"invalid_grant","error_description":"refresh token expired","request_id":"q"}"#,
            "invalid_grant",
            None,
        ),
        (
            Shape::IopRest,
            200,
            r#"{"result":{"success":false,"message_info":"no","msg_code":"isp.error-happened"},"code":"0","request_id":"q"}"#,
            "isp.error-happened",
            None,
        ),
        (
            Shape::IopRest,
            200,
            r#"{"success":"false","msg_code":"B_X","message":"no","code":"0","request_id":"q"}"#,
            "B_X",
            None,
        ),
        (
            Shape::IopSync,
            200,
            r#"{"x_get_response":{"resp_result":{"resp_code":405,"resp_msg":"The result is empty"},"request_id":"q"}}"#,
            "405",
            None,
        ),
        (
            Shape::IopRest,
            200,
            r#"{"page":{"status":{"done":false,"code":"P_X","text":"no"}},"code":"0","request_id":"q"}"#,
            "P_X",
            None,
        ),
    ];
    for (shape, status, body, code, sub_code) in cases {
        let error = read(shape, status, body).expect_err(body);
        assert_eq!(error.code(), Some(code), "{body}");
        assert_eq!(error.sub_code(), sub_code, "{body}");
        assert_eq!(error.request_id(), Some("q"), "{body}");
        assert!(error.hint().is_some(), "{body}: says nothing about what to do");
    }
}

#[test]
fn what_is_no_reply_says_so_and_stays_ambiguous() {
    let cut = r#"{"code":"0","data":{"products":[{"a":1},"#;
    for body in [
        "",
        "   ",
        "<html>502 Bad Gateway</html>",
        "<!DOCTYPE html><title>404</title>",
        cut,
        "OK",
        "{\"a\":1}}",
    ] {
        let error = read(Shape::IopRest, 200, body).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::Envelope, "{body}");
        assert!(error.is_ambiguous(), "{body}: the call may have been carried out");
        assert_eq!(error.retry(), Retry::Backoff, "{body}");
    }
    let error = read(Shape::IopRest, 502, "<html>502 Bad Gateway</html>").unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Platform, Some(502)));
    let error = read(Shape::IopRest, 403, "<html>punish</html>").unwrap_err();
    assert!(!error.is_ambiguous() && !error.is_retryable(), "an edge's page came before the API");
    let invalid = HttpResponse {
        status: 200,
        body: Bytes::from_static(b"{\"a\":\"\xff\"}"),
        ..HttpResponse::default()
    };
    assert!(read_reply(Shape::Top, &flags(), &invalid, &Redactor::default(), Timestamp::UNIX_EPOCH).is_err());
}

#[test]
fn an_http_status_is_not_taken_for_a_business_code() {
    assert_eq!(read(Shape::IopRest, 500, r#"{"oops":1}"#).unwrap_err().code(), Some("HTTP 500"));
    assert_eq!(read(Shape::Param2, 500, r#"{"oops":1}"#).unwrap_err().code(), Some("500"));
    assert_eq!(read(Shape::IopRest, 429, r#"{"oops":1}"#).unwrap_err().kind(), ErrorKind::Quota);
    assert_eq!(read(Shape::IopRest, 403, r#"{"oops":1}"#).unwrap_err().kind(), ErrorKind::Permission);
}

#[test]
fn a_message_cannot_steer_a_terminal() {
    let body = r#"{"type":"ISV","code":"X","message":"a\u001b[31mred\nline"}"#;
    let error = read(Shape::IopRest, 200, body).unwrap_err();
    assert!(!error.message().chars().any(char::is_control), "{:?}", error.message());
}

#[test]
fn a_reply_nested_deeper_than_128_levels_is_refused_without_recursion() {
    let nested =
        |depth: usize| format!("{{\"code\":\"0\",\"data\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(Shape::IopRest, 200, &nested(127)).is_ok());
    for deep in [nested(128), nested(1_000_000), "[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
        for shape in Shape::ALL {
            let error = read(shape, 200, &deep).expect_err("too deep");
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Envelope, Retry::Never));
            assert!(error.message().contains("128 levels") && error.is_ambiguous(), "{error}");
        }
    }
    // Nor do many beside each other, or those inside strings.
    let wide = format!(r#"{{"code":"0","a":[{}[]]}}"#, "[[]],{},".repeat(1_000));
    assert!(read(Shape::IopRest, 200, &wide).is_ok());
    let text = format!(r#"{{"code":"0","a":"{}\\","b":[]}}"#, "[{".repeat(500));
    assert!(read(Shape::IopRest, 200, &text).is_ok());
}

#[test]
fn an_xml_error_is_read_and_other_xml_is_not_called_a_web_page() {
    let old = r#"<?xml version="1.0" encoding="UTF-8"?><ErrorResponse><Head><RequestAction>GetOrders</RequestAction><ErrorType>Sender</ErrorType><ErrorCode>9</ErrorCode><ErrorMessage>E009: Access &amp; rights denied</ErrorMessage></Head><Body/></ErrorResponse>"#;
    for shape in Shape::ALL {
        let error = read(shape, 200, old).expect_err(old);
        assert_eq!((error.code(), error.retry()), (Some("9"), Retry::Never), "{shape:?}");
        assert!(error.message().contains("Access & rights denied"), "{error}");
    }
    let json = r#"{"ErrorResponse":{"Head":{"RequestAction":"GetOrders","ErrorType":"Sender","ErrorCode":"9","ErrorMessage":"E009: Access denied"},"Body":""}}"#;
    for shape in Shape::ALL {
        assert_eq!(read(shape, 200, json).expect_err(json).code(), Some("9"), "{shape:?}");
    }
    let other = read(Shape::IopRest, 200, "<?xml version=\"1.0\"?><rss><item/></rss>").unwrap_err();
    assert_eq!((other.kind(), other.retry()), (ErrorKind::Envelope, Retry::Never));
    assert!(other.message().contains("XML") && !other.message().contains("web page"), "{other}");
    let page = "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"x\"><html></html>";
    assert!(read(Shape::IopRest, 200, page).unwrap_err().message().contains("web page"));
}

#[test]
fn no_part_of_a_refusal_is_lost() {
    let entries: Vec<String> = (1..=200)
        .map(|n| {
            format!(
                r#"{{"field":"Skus[{n}]","message":"not accepted, entry {n}","code":"THD_ERR_{n:03}:X"}}"#
            )
        })
        .collect();
    let detail = format!("[{}]", entries.join(","));
    for (shape, body) in [
        (
            Shape::IopRest,
            format!(r#"{{"type":"ISV","code":"501","message":"m","detail":{detail},"request_id":"q"}}"#),
        ),
        (Shape::IopSync, format!(r#"{{"error_response":{{"code":"501","msg":"m","detail":{detail}}}}}"#)),
        (Shape::IopRest, format!(r#"{{"type":"ISV","code":"501","message":"m","failures":{detail}}}"#)),
        (Shape::Param2, format!(r#"{{"error_code":"501","error_message":"m","extra":{detail}}}"#)),
    ] {
        let error = read(shape, 200, &body).expect_err(&body);
        assert!(error.message().chars().count() <= 1_001, "the short form is short");
        for n in 1..=200 {
            assert!(error.full_message().contains(&format!("entry {n}\"")), "{shape:?} {n}");
            assert!(error.full_message().contains(&format!("THD_ERR_{n:03}:X")), "codes are not secrets");
        }
    }
    // Nothing is said twice where nothing was cut.
    let short = read(Shape::IopRest, 200, r#"{"type":"ISV","code":"5","message":"m"}"#).unwrap_err();
    assert_eq!(short.full_message(), short.message());
    let renamed = short.context("shop");
    assert_eq!(renamed.full_message(), "shop: 5: m");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[\\{\\}\\[\\]\":,a-z0-9_<>/ ]{0,80}".prop_map(String::into_bytes),
    ], status in 100_u16..600, shape in prop::sample::select(Shape::ALL.to_vec())) {
        let response = HttpResponse { status, body: body.into(), ..HttpResponse::default() };
        if let Ok(reply) = read_reply(shape, &flags(), &response, &Redactor::default(), Timestamp::UNIX_EPOCH) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(reply.payload()).is_ok() || reply.payload().len() > 100);
        }
    }
}
