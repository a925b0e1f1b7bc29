//! Replies of every shape, status and content: `read_reply` answers or refuses, and never panics.
//!
//! Input: one byte for the shape, one for the HTTP status, one for `Retry-After` (digits read well
//! in the seeds, any byte is taken), then the body.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use sesame_catalog::Catalog;
use sesame_core::{
    HttpResponse, Retry, Shape,
    envelope::{ReplyRules, SuccessFlag, read_reply},
    redact::Redactor,
    request::header,
};

const STATUSES: [u16; 10] = [200, 201, 302, 400, 401, 403, 404, 429, 500, 503];

/// The rules that ship, and one set of our own that reaches deeper than any of them.
static RULES: LazyLock<Vec<ReplyRules>> = LazyLock::new(|| {
    let catalog = Catalog::builtin();
    let mut rules: Vec<ReplyRules> =
        catalog.platforms().iter().map(|platform| platform.replies.clone()).collect();
    let flag = |flag: &str| SuccessFlag {
        flag: flag.to_owned(),
        ok: vec!["true".to_owned(), "0".to_owned()],
        code: vec!["result.error.code".to_owned(), "errorCode".to_owned(), "a.b.c.d.e".to_owned()],
        message: vec!["result.error.message".to_owned(), "message".to_owned()],
        source: "fuzzing".to_owned(),
        date: String::new(),
    };
    rules.push(ReplyRules {
        flags: vec![flag("success"), flag("result.success"), flag("result.inner.success")],
        ..ReplyRules::default()
    });
    rules
});

fuzz_target!(|data: &[u8]| {
    let [shape, status, retry_after, body @ ..] = data else { return };
    let pick = |byte: &u8| usize::from(byte.wrapping_sub(b'0'));
    let shape = Shape::ALL[pick(shape) % Shape::ALL.len()];
    let mut response =
        HttpResponse::new(STATUSES[pick(status) % STATUSES.len()], Bytes::copy_from_slice(body));
    if pick(retry_after) != 0 {
        let seconds = 1_u64 << (pick(retry_after) % 64);
        response = response.with_header(header::RETRY_AFTER, &seconds.to_string());
    }
    let now = Timestamp::UNIX_EPOCH;
    for rules in RULES.iter() {
        match read_reply(shape, rules, &response, &Redactor::default(), now) {
            Ok(reply) => {
                // The payload is JSON that the vendor sent, found again in the vendor's bytes.
                let payload = reply.payload();
                assert!(!payload.is_empty(), "a reply without a payload");
                assert!(serde_json::from_str::<&RawValue>(payload).is_ok(), "a payload that is not JSON");
                let (whole, part) = (reply.body().as_ptr_range(), payload.as_bytes().as_ptr_range());
                assert!(whole.start <= part.start && part.end <= whole.end, "a payload from elsewhere");
                assert!(response.status < 400, "HTTP status {} taken for success", response.status);
            }
            Err(error) => {
                let text = error.to_string();
                assert!(!text.is_empty(), "an error that says nothing");
                // 1,000 characters of the platform's words, and ours around them.
                assert!(text.chars().count() <= 2_000, "an error of {} bytes", text.len());
                assert!(!text.contains('\u{1b}'), "an escape sequence reached an error text");
                if let Retry::After(wait) = error.retry() {
                    assert!(wait <= Duration::from_secs(86_401), "told to wait {wait:?}");
                }
            }
        }
    }
});
