//! No error of a call holds a part of its secrets, wherever and however a platform repeats them.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{error::Error as _, fmt::Write as _};

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use sesame_core::{
    Error, ErrorKind, HttpResponse, Shape,
    envelope::{ReplyRules, read_reply},
    redact::Redactor,
};

/// An access token, a refresh token, a code, an app secret and a signature, as platforms make them.
const SECRETS: [&str; 5] = [
    "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg",
    "50001601/730atp+edfgu3\"LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43",
    "4_500100_plantedCode01234567",
    "planted.app-secret~0123456789ab",
    "0AA5D2B7C1F34E0899B1D6E0C5C2F7A9",
];

/// The longest part of a secret that may be seen.
const VISIBLE: usize = 11;

fn leak(shown: &str, upper: bool) -> Option<String> {
    SECRETS.iter().find_map(|secret| {
        let secret = if upper { secret.to_uppercase() } else { (*secret).to_owned() };
        let parts = secret.as_bytes().windows(VISIBLE + 1);
        parts.map(|part| str::from_utf8(part).unwrap().to_owned()).find(|part| shown.contains(part))
    })
}

/// Everything that can be seen of an error.
fn shown(error: &Error) -> String {
    let mut out = format!(
        "{error}|{error:#}|{error:?}|{}|{:?}|{:?}|{:?}|{:?}|{:?}",
        error.message(),
        error.hint(),
        error.code(),
        error.sub_code(),
        error.request_id(),
        error.reference(),
    );
    let mut source = error.source();
    while let Some(below) = source {
        write!(out, "|{below}|{below:?}").unwrap();
        source = below.source();
    }
    out
}

/// How an echo is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Echo {
    Raw,
    Percent,
    PercentTwice,
    Json,
    Unicode,
    Html,
    Upper,
}

const ECHOES: [Echo; 7] =
    [Echo::Raw, Echo::Percent, Echo::PercentTwice, Echo::Json, Echo::Unicode, Echo::Html, Echo::Upper];

impl Echo {
    fn write(self, text: &str) -> String {
        let percent = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        match self {
            Self::Raw => text.to_owned(),
            Self::Percent => percent(text),
            Self::PercentTwice => percent(&percent(text)),
            Self::Json => serde_json::to_string(text).unwrap().replace('/', "\\/"),
            Self::Unicode => {
                text.chars().fold(String::new(), |out, c| format!("{out}\\u{:04x}", u32::from(c)))
            }
            Self::Html => text.replace('&', "&amp;").replace('"', "&quot;").replace('/', "&#x2F;"),
            Self::Upper => text.to_uppercase(),
        }
    }

    /// The encodings are what could be read as the secret: take them off again.
    fn read(self, text: &str) -> String {
        let percent =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        match self {
            Self::Raw | Self::Upper => text.to_owned(),
            Self::Percent => percent(text),
            Self::PercentTwice => percent(&percent(text)),
            Self::Json => text.replace("\\/", "/").replace("\\\"", "\""),
            Self::Html => text.replace("&#x2F;", "/").replace("&quot;", "\"").replace("&amp;", "&"),
            Self::Unicode => {
                let mut out = String::new();
                for part in text.split("\\u") {
                    match part.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
                        Some(c) => {
                            out.push(char::from_u32(c).unwrap());
                            out.push_str(&part[4..]);
                        }
                        None => out.push_str(part),
                    }
                }
                out
            }
        }
    }
}

fn check(error: &Error, echo: Echo, what: &dyn std::fmt::Debug) {
    // What goes ahead of a secret is of no interest.
    let shown = shown(error).replace("üü", "");
    for text in [echo.read(&shown), shown] {
        // `Debug` writes quotes as `\"`.
        let text = text.replace('\\', "");
        let leak = leak(&text, echo == Echo::Upper);
        assert!(leak.is_none(), "{leak:?} of {what:?}: {text}");
    }
}

fn refused(shape: Shape, field: &str, text: &str) -> Error {
    let quoted = serde_json::to_string(text).unwrap();
    let plain = |name: &str| if name == field { quoted.clone() } else { r#""15""#.to_owned() };
    let members = |names: &[&str]| {
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":{}", plain(name))).collect();
        members.join(",")
    };
    let (status, body) = match shape {
        Shape::Param2 => (400, format!("{{{}}}", members(&["error_code", "error_message", "request_id"]))),
        Shape::Top => (
            200,
            format!(
                "{{\"error_response\":{{{}}}}}",
                members(&["code", "msg", "sub_code", "sub_msg", "request_id"])
            ),
        ),
        _ => (200, format!("{{{}}}", members(&["type", "code", "message", "detail", "request_id"]))),
    };
    let response = HttpResponse::new(status, body);
    let redactor = Redactor::new(SECRETS);
    read_reply(shape, &ReplyRules::default(), &response, &redactor, Timestamp::UNIX_EPOCH).unwrap_err()
}

const FIELDS: [(Shape, &[&str]); 3] = [
    (Shape::Param2, &["error_code", "error_message", "request_id"]),
    (Shape::Top, &["code", "msg", "sub_code", "sub_msg", "request_id"]),
    (Shape::IopRest, &["code", "message", "detail", "request_id"]),
];

/// The limits of all fields lie within the 1,100 characters that go ahead of the secret.
#[test]
fn no_cut_leaves_a_part_of_a_secret() {
    for (shape, fields) in FIELDS {
        for field in fields {
            for secret in SECRETS {
                for echo in [Echo::Raw, Echo::Percent] {
                    let told = echo.write(secret);
                    // Code and sub code go ahead of a message.
                    let limit = if field.contains('m') || *field == "detail" { 1_000 } else { 200 };
                    for ahead in limit - told.len() - 10..=limit + 2 {
                        let text = format!("{} {told} end", "ü".repeat(ahead));
                        check(&refused(shape, field, &text), echo, &(shape, field, echo, ahead));
                    }
                }
            }
        }
    }
}

/// Gateways cut what they quote, too.
#[test]
fn no_part_of_a_secret_is_shown_that_a_gateway_quotes() {
    for (shape, fields) in FIELDS {
        for field in fields {
            for secret in SECRETS {
                for cut in 1..=secret.len() {
                    for part in [&secret[..cut], &secret[secret.len() - cut..]] {
                        // A code of "0" says success.
                        let part = if part == "0" { "1" } else { part };
                        check(&refused(shape, field, part), Echo::Raw, &(shape, field, part));
                    }
                }
            }
        }
    }
}

#[test]
fn ten_characters_of_a_secret_in_a_row_are_hidden_and_nine_are_not() {
    let secret = "50000601c30atpedfgu3LVvik87";
    let redactor = Redactor::new([secret]);
    for from in 0..=secret.len() - 10 {
        let (ten, nine) = (&secret[from..from + 10], &secret[from..from + 9]);
        assert_eq!(redactor.text(&format!("id {ten}"), 100).as_str(), "id …");
        assert_eq!(redactor.text(&format!("id {nine}"), 100).as_str(), format!("id {nine}"));
        // The pairs of neighbors are there, in another order.
        let swapped = format!("id {} {}", &ten[5..], &ten[..6]);
        assert_eq!(redactor.text(&swapped, 100).as_str(), swapped);
    }
}

#[test]
fn errors_of_others_are_cleaned_with_their_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer {0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    for secret in SECRETS {
        let below = std::io::Error::other(format!("inner {secret}"));
        let error = Error::new(ErrorKind::Network, format!("broken: {secret}"))
            .with_hint(format!("see {secret}"))
            .with_source(Outer(secret, below))
            .context(secret)
            .redacted(&Redactor::new(SECRETS));
        check(&error, Echo::Raw, &secret);
        let source = error.source().unwrap();
        assert!(source.to_string().starts_with("outer "), "{source}");
        assert!(source.source().unwrap().to_string().starts_with("inner "));
    }
}

#[test]
fn words_codes_and_ids_stay() {
    let redactor = Redactor::new(SECRETS);
    for text in [
        "isv.invalid-parameter:item_id",
        "THD_IC_ERR_F_IC_ABILITY_PG_004:X",
        r#"{"code":"THD_IC_ERR_F_IC_ABILITY_PG_004:X","message":"m"}"#,
        "error code: B_PRODUCT_01234567_NOT_FOUND",
        "request 0ba2887315172940728551014, order 500006011234",
    ] {
        assert_eq!(redactor.text(text, 200).as_str(), text);
    }
}

#[test]
fn short_secrets_are_hidden_where_they_can_be_told_from_words() {
    let text = |secret: &str, text: &str| Redactor::new([secret]).text(text, 100).to_string();
    assert_eq!(text("abc", "abc=abc"), "abc=abc", "not looked for");
    assert_eq!(text("hall", "hall, shall: hall"), "…, shall: …", "alone");
    assert_eq!(text("secret", "asecretb"), "a…b", "whole");
    assert_eq!(text("helloworld", "say helloworl, helloworld"), "say helloworl, …");
    assert_eq!(Redactor::new([""]).text("a", 10).as_str(), "a");
}

#[test]
fn a_cut_takes_whole_runs_and_shows_that_it_was_made() {
    let text = |text: &str, limit| Redactor::default().text(text, limit).to_string();
    assert_eq!(text("some words", 10), "some words");
    assert_eq!(text("some words", 9), "some…");
    assert_eq!(text("some words", 4), "some…");
    assert_eq!(text(&"x".repeat(300), 200), "…");
    assert_eq!(text("a\tb\u{1b}[31m\u{202e}", 100), r"a b\u{1b}[31m\u{202e}");
}

/// What others said is one line by then.
#[test]
fn a_message_of_our_own_keeps_its_lines_and_steers_no_terminal() {
    assert_eq!(Error::usage("two rows:\n  a\u{1b}[2J").message(), "two rows:\n  a\\u{1b}[2J");
}

/// Tokens of Taobao end with the id of the shop.
#[test]
fn an_id_that_a_token_ends_with_is_kept() {
    let token = "6200e1909ca29b04685c49d67f5cbf37abfd8b4c5f5e8b0e2050695162";
    let redactor = Redactor::new([token]);
    assert_eq!(redactor.id("2050695162"), "2050695162");
    assert_eq!(redactor.id(token), "620…162");
    assert_eq!(redactor.id(&format!("shop {}", &token[..20])), "shop …");
}

fn part(text: &str, from: usize) -> &str {
    text.get(from..).unwrap_or(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn however_it_is_written(
        which in 0..SECRETS.len(),
        from in 0_usize..30,
        echo in prop::sample::select(ECHOES.to_vec()),
        before in "[a-z =:&?\"'ü]{0,20}",
        ahead in 0_usize..1_010,
        behind in "[a-z =:&?\"']{0,20}",
        at in 0_usize..100,
    ) {
        let told = echo.write(part(SECRETS[which], from));
        let text = format!("{}{before}{told}{behind}", "ü".repeat(ahead));
        let (shape, fields) = FIELDS[at % 3];
        let field = fields[at % fields.len()];
        check(&refused(shape, field, &text), echo, &(shape, field, echo, text));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,60}", limit in 0_usize..80, secret in "(?s).{0,20}") {
        let redactor = Redactor::new([secret.as_str(), SECRETS[0]]);
        let clean = redactor.text(&text, limit);
        prop_assert!(clean.as_str().chars().count() <= limit + 1);
        prop_assert!(!clean.as_str().chars().any(char::is_control));
        let _ = redactor.id(&text);
    }
}
