//! Every folder of `vectors/envelope` is a documented reply; the platform's own tables must read it.

use std::{fs, path::Path};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sesame_catalog::Catalog;
use sesame_core::{HttpResponse, Retry, Shape, envelope::read_reply, redact::Redactor, request::header};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[expect(dead_code, reason = "for the reader of the case")]
    source: String,
    #[expect(dead_code, reason = "for the reader of the case")]
    date: String,
    platform: String,
    shape: Shape,
    status: u16,
    content_type: String,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    payload: Option<Value>,
    request_id: Option<String>,
    kind: Option<String>,
    fault: Option<String>,
    retry: Option<String>,
    after: Option<u64>,
    code: Option<String>,
    sub_code: Option<String>,
    says: Option<String>,
    ambiguous: Option<bool>,
}

#[test]
fn documented_replies_are_read_as_documented() {
    let catalog = Catalog::builtin();
    let now: Timestamp = "2026-11-21T19:30:00Z".parse().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/envelope");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let id = path.file_name().unwrap().to_string_lossy().into_owned();
        let case: Case = serde_json::from_str(&fs::read_to_string(path.join("case.json")).unwrap())
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        let response = HttpResponse::new(case.status, fs::read(path.join("body")).unwrap())
            .with_header(header::CONTENT_TYPE, &case.content_type);
        let rules = &catalog.platform(&case.platform).unwrap().replies;
        let expect = case.expect;
        match (read_reply(case.shape, rules, &response, &Redactor::default(), now), expect.payload) {
            (Ok(reply), Some(payload)) => {
                assert_eq!(reply.parse::<Value>().unwrap(), payload, "{id}");
                assert_eq!(reply.request_id(), expect.request_id.as_deref(), "{id}");
            }
            (Err(error), None) => {
                let retry = match error.retry() {
                    Retry::Never => "never",
                    Retry::Backoff => "backoff",
                    Retry::After(_) => "after",
                    Retry::AfterRefresh => "after-refresh",
                    Retry::AfterClock => "after-clock",
                    _ => "unknown",
                };
                let same = |what: &str, found: Option<&str>, expected: Option<&String>| {
                    if let Some(expected) = expected {
                        assert_eq!(found, Some(expected.as_str()), "{id}: {what} of {error:?}");
                    }
                };
                same("kind", Some(error.kind().as_str()), expect.kind.as_ref());
                same("fault", Some(error.fault().as_str()), expect.fault.as_ref());
                same("retry", Some(retry), expect.retry.as_ref());
                same("code", error.code(), expect.code.as_ref());
                same("sub code", error.sub_code(), expect.sub_code.as_ref());
                same("request id", error.request_id(), expect.request_id.as_ref());
                if let Some(after) = expect.after {
                    assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(after), "{id}");
                }
                if let Some(says) = &expect.says {
                    assert!(error.message().contains(says.as_str()), "{id}: {error}");
                }
                if let Some(ambiguous) = expect.ambiguous {
                    assert_eq!(error.is_ambiguous(), ambiguous, "{id}");
                }
                assert!(error.hint().is_some_and(|hint| hint.len() > 10), "{id}: no advice");
            }
            (Ok(reply), None) => panic!("{id}: read as a result: {}", reply.payload()),
            (Err(error), Some(_)) => panic!("{id}: read as a refusal: {error:?}"),
        }
        seen += 1;
    }
    assert!(seen >= 47, "cases are missing: {seen}");
}
