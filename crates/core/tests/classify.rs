//! Rules and waits. The documented codes themselves are tested with the catalog's tables.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use jiff::Timestamp;
use sesame_core::{
    ErrorKind, ErrorTable, Fault, Retry,
    classify::{ErrorRule, Failure, RetryRule, classify},
    redact::Redactor,
};

fn rule(code: &str, sub_code: &str, kind: ErrorKind, retry: RetryRule) -> ErrorRule {
    ErrorRule {
        code: code.into(),
        sub_code: sub_code.into(),
        message: String::new(),
        texts: Vec::new(),
        gateway: code.ends_with(".."),
        kind,
        fault: Fault::Platform,
        retry,
        maybe_done: false,
        says: "s".into(),
        advice: "a".into(),
        field: String::new(),
        rule: String::new(),
        source: "test".into(),
        date: "2026-11-21".into(),
        guess: false,
    }
}

fn table() -> ErrorTable {
    ErrorTable {
        rules: vec![
            rule("15", "", ErrorKind::Business, RetryRule::Never),
            rule("500..", "", ErrorKind::Business, RetryRule::Never),
            rule("", "isp.*", ErrorKind::Platform, RetryRule::Backoff),
            rule("", "isp.top-mapping-parse-error", ErrorKind::Platform, RetryRule::Never),
            rule("", "isv.*-service-rejection", ErrorKind::Argument, RetryRule::Never),
            rule("ApiCallLimit", "", ErrorKind::Quota, RetryRule::Ban),
            rule("AppCallLimit", "", ErrorKind::Quota, RetryRule::NextDay),
            rule("901", "", ErrorKind::Quota, RetryRule::Second),
        ],
    }
}

fn said(code: &str, sub_code: Option<&str>, message: &str) -> sesame_core::Error {
    let failure = Failure {
        code: code.into(),
        sub_code: sub_code.map(Into::into),
        message: message.into(),
        http_status: 200,
        ..Failure::default()
    };
    // 2026-11-22 03:30:00 in Beijing.
    classify(&table(), &failure, &Redactor::default(), "2026-11-21T19:30:00Z".parse::<Timestamp>().unwrap())
}

#[test]
fn the_more_exact_rule_wins() {
    assert_eq!(said("15", Some("isp.unknown-error"), "").kind(), ErrorKind::Platform);
    assert_eq!(said("15", Some("isp.top-mapping-parse-error"), "").retry(), Retry::Never);
    assert_eq!(said("15", Some("isv.item-update-service-rejection"), "").kind(), ErrorKind::Argument);
    assert_eq!(said("15", Some("isv.else"), "").kind(), ErrorKind::Business);
    assert_eq!(said("550", None, "").kind(), ErrorKind::Business);
    assert_eq!(said("appcalllimit", None, "").kind(), ErrorKind::Quota, "case does not count");
}

#[test]
fn waits_are_read_from_the_message() {
    let seconds = |error: sesame_core::Error| error.retry_after().map(|wait| wait.as_secs());
    assert_eq!(
        seconds(said("ApiCallLimit", None, "... exceeds the limit. This ban will last 1 seconds")),
        Some(2)
    );
    assert_eq!(seconds(said("ApiCallLimit", None, "this ban will last for 3 more seconds")), Some(4));
    assert_eq!(said("ApiCallLimit", None, "no number here 77").retry(), Retry::Backoff);
    assert_eq!(seconds(said("ApiCallLimit", None, "This ban will last 99999999999 seconds")), Some(86_401));
    assert_eq!(
        seconds(said("ApiCallLimit", None, "This ban will last 99999999999999999999 seconds")),
        Some(86_401),
        "no number of a program holds it"
    );
    assert_eq!(
        seconds(said("AppCallLimit", None, "")),
        Some(20 * 3600 + 30 * 60),
        "until midnight in Beijing"
    );
    assert_eq!(seconds(said("AppCallLimit", None, "This ban will last 5 seconds")), Some(6));
    assert_eq!(said("901", None, "").retry_after(), Some(Duration::from_secs(1)));
}

#[test]
fn an_unknown_code_is_business_and_never_repeated() {
    let error = said("NEVER_SEEN", None, "why");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Business, Retry::Never));
    assert_eq!(error.message(), "NEVER_SEEN: why");
    assert!(said("", None, "").message().contains("no reason"));
}

#[test]
fn long_messages_are_cut() {
    assert!(said("X", None, &"ü".repeat(5_000)).message().chars().count() <= 1_001);
}
