//! Secrets stay hidden; scalars are read as the platforms really send them.

use proptest::prelude::*;
use serde_json::json;
use sesame_core::{
    AccessToken, AppSecret, Error, HttpRequest, RefreshToken,
    mask::{mask, mask_known, mask_text, mask_url},
    redact::Redactor,
    request::Method,
    scalar,
    sign::{Digest, SigningKey, explain, sign},
    time::{compact, parse_compact, parse_http_date, parse_request_timestamp, top_timestamp},
};

const SECRET: &str = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg";

#[test]
fn no_debug_or_display_shows_a_secret() {
    let inside = &SECRET[3..SECRET.len() - 3];
    let key = SigningKey::new(Digest::Md5Sandwich, &AppSecret::new(SECRET));
    let request = HttpRequest {
        body: bytes::Bytes::from_static(SECRET.as_bytes()),
        ..HttpRequest::new(
            Method::POST,
            format!("https://u:{SECRET}@h/rest?access_token={SECRET}&sign={SECRET}&code={SECRET}#x"),
        )
    };
    let explained =
        explain(&key, sesame_core::Shape::IopRest, "/p", &[("access_token", SECRET), ("a", "b")], b"");
    let shown = [
        format!("{:?}", AppSecret::new(SECRET)),
        format!("{}", AccessToken::new(SECRET)),
        format!("{:?}", Some(RefreshToken::new(SECRET))),
        format!("{key:?}"),
        format!("{request:?}"),
        explained.masked_base_string.clone(),
        mask_url(&format!("access_token={SECRET}&a=b")),
        mask_url(&format!("http://127.0.0.1/cb?code={SECRET}&state=s")),
        mask_url(&format!("http://h/?access%5Ftoken={SECRET}")),
        mask_known(&format!("token {SECRET}."), [SECRET]),
        mask_text(&format!("GET /x?a=b&access_token={SECRET}&sign={SECRET}&code={SECRET}")),
        mask_text(&format!(
            r#"bad request {{"session" : "{SECRET}","x":{{\"refresh_token\":\"{SECRET}\"}}}}"#
        )),
        format!(
            "{:?}",
            Error::usage(format!("said {SECRET}"))
                .with_code(SECRET)
                .with_hint(format!("look at {SECRET}"))
                .with_source(std::io::Error::other(SECRET))
                .redacted(&Redactor::new([SECRET]))
        ),
    ];
    for text in shown {
        assert!(!text.contains(inside), "{text}");
    }
    assert_eq!(explained.masked_base_string, "/pabaccess_token500…GBg");
    assert!(explained.base_string.ends_with(SECRET.as_bytes()));
}

#[test]
fn short_secrets_show_nothing() {
    assert_eq!(mask("helloworld"), "…");
    assert_eq!(mask("0123456789abcdef"), "012…def");
    assert_eq!(mask("密密密密密密密密密密密密密密密密"), "密密密…密密密");
}

#[test]
fn explain_tells_where_lineages_differ() {
    let key = SigningKey::new(Digest::HmacSha1, &AppSecret::new("test123"));
    let path = "param2/1/system/currentTime/1000000";
    let pairs = [("page", "a"), ("pageSize", "20"), ("_aop_signature", "x"), ("empty", "")];
    let explained = explain(&key, sesame_core::Shape::Param2, path, &pairs[..3], b"");
    assert_eq!(explained.signature.as_str(), "6F2CB9556E06C9F7CDFD2F326D037560FB6F46EA");
    assert_eq!(explained.by_name.unwrap().as_str(), "AA0597CCFC3F23D4D3468434A3FD2D712ED45A07");
    assert_eq!(explained.left_out[0].name, "_aop_signature");
    let explained = explain(&key, sesame_core::Shape::Param2, path, &pairs, b"");
    let without = sign(&key, sesame_core::Shape::Param2, path, &pairs[..3], b"");
    assert_eq!(explained.without_empty.unwrap(), without);
}

#[test]
fn numbers_come_as_texts_and_truths_as_words() {
    assert_eq!(scalar::integer(&json!("259200")), Some(259_200));
    assert_eq!(scalar::integer(&json!("1.5")), None);
    assert_eq!(scalar::integer(&json!(1e300)), None);
    assert_eq!(scalar::integer(&json!(true)), None);
    assert_eq!(scalar::boolean(&json!("TRUE")), Some(true));
    assert_eq!(scalar::boolean(&json!("N")), Some(false));
    assert_eq!(scalar::boolean(&json!(2)), None);
    assert_eq!(scalar::text(&json!(7_063_844)).as_deref(), Some("7063844"));
}

#[test]
fn request_times_are_read_in_all_forms() {
    let at = "2016-01-01T04:00:00Z".parse().unwrap();
    assert_eq!(top_timestamp(at), "2016-01-01 12:00:00");
    assert_eq!(parse_request_timestamp("2016-01-01 12:00:00"), Some(at));
    assert_eq!(parse_request_timestamp("1451620800000"), Some(at));
    assert_eq!(parse_request_timestamp("2016-01-01T04:00:00Z"), Some(at));
    for wrong in [
        "",
        "2016-01-01T04:00:00",
        "yesterday",
        "2016-13-01 12:00:00",
        "99999999999999999999",
        "2016-01-01 24:61:00",
    ] {
        assert_eq!(parse_request_timestamp(wrong), None, "{wrong}");
    }
    assert_eq!(parse_http_date("Sun, 22 Nov 2026 00:10:33 GMT").unwrap().to_string(), "2026-11-22T00:10:33Z");
}

proptest! {
    #[test]
    fn compact_times_round_trip(millis in 0_i64..4_000_000_000_000, offset in -12_i8..=12) {
        let at = jiff::Timestamp::from_millisecond(millis).unwrap();
        prop_assert_eq!(parse_compact(&compact(at, offset)), Some(at));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "(?s).{0,40}", digits in "[0-9]{10,20}[+-][0-9]{0,6}") {
        let _ = (parse_compact(&text), parse_compact(&digits), parse_request_timestamp(&text), parse_http_date(&text));
        let _ = (mask(&text), mask_url(&text), mask_text(&text), scalar::first_number_after(&text, 0, 10));
    }
}

/// What `main` prints of an error that it returns.
#[test]
fn the_debug_of_an_error_has_its_hint() {
    let error = Error::usage("no such app").with_hint("Add it first.");
    assert!(format!("{error:?}").contains("Add it first."), "{error:?}");
    assert!(!format!("{:?}", Error::local("lost")).contains("hint: \"\""));
}
