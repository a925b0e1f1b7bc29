//! Signing against the bare HMAC over the same bytes, with a prepared key on both sides.

use std::{hint::black_box, time::Instant};

use hmac::{Hmac, KeyInit, Mac};
use sesame_core::{
    AppSecret, Shape,
    sign::{self, Digest, Pair, SigningKey, base_string},
};
use sha2::Sha256;

use crate::{
    Effort,
    median::paired,
    report::{Report, Target},
};

const PATH: &str = "/order/get";

/// Parameters whose base string, path included, has exactly `bytes` bytes.
fn params(count: usize, bytes: usize) -> Vec<(String, String)> {
    let names = [
        "app_key",
        "access_token",
        "timestamp",
        "sign_method",
        "order_id",
        "created_after",
        "offset",
        "limit",
        "status",
        "sort_by",
        "language",
        "page_size",
        "current_page",
        "subject",
        "category_id",
        "group_id1",
        "filter_type",
        "gmt_modified_from",
        "gmt_modified_to",
        "id",
    ];
    let names = &names[..count];
    let fixed = PATH.len() + names.iter().map(|name| name.len()).sum::<usize>();
    let room = bytes - fixed;
    names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let len = room / count + usize::from(at < room % count);
            let value: String = (0..len)
                .map(|byte| char::from(b'a' + u8::try_from((at * 7 + byte * 3) % 26).unwrap_or_default()))
                .collect();
            ((*name).to_owned(), value)
        })
        .collect()
}

pub(crate) fn measure(effort: Effort, report: &mut Report) {
    let secret = "a-secret-of-32-characters-000001";
    let key = SigningKey::new(Digest::HmacSha256, &AppSecret::new(secret));
    // HMAC takes keys of any length (RFC 2104).
    let bare: Hmac<Sha256> = Hmac::new_from_slice(secret.as_bytes()).expect("every key length is allowed");
    for (count, bytes, sorted_target, unsorted_target) in [(10, 300, 1.4, 1.9), (20, 2_048, 1.2, 1.5)] {
        let owned = params(count, bytes);
        let unsorted: Vec<Pair<'_>> =
            owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut sorted = unsorted.clone();
        sign::sort(Shape::IopRest, &mut sorted);
        let text = base_string(Shape::IopRest, PATH, &unsorted, b"");
        assert_eq!(text.len(), bytes, "the base string must have the size that is announced");

        let iterations = 2_000;
        let (mut of_bare, mut of_sorted, mut of_unsorted) = (Vec::new(), Vec::new(), Vec::new());
        // Turn by turn, so that a change of the machine's speed meets all three.
        for _ in 0..effort.of(301) {
            of_bare.push(time(iterations, || {
                black_box(bare.clone().chain_update(black_box(&text)).finalize());
            }));
            of_sorted.push(time(iterations, || {
                black_box(sign::sign_sorted(&key, Shape::IopRest, PATH, black_box(&sorted), b""));
            }));
            of_unsorted.push(time(iterations, || {
                black_box(sign::sign(&key, Shape::IopRest, PATH, black_box(&unsorted), b""));
            }));
        }
        let (of_sorted, of_unsorted) = (
            paired(&of_sorted, &of_bare, |signed, bare| signed / bare),
            paired(&of_unsorted, &of_bare, |signed, bare| signed / bare),
        );
        let what =
            |from: &str| format!("{count} parameters, {bytes} bytes, {from}, against bare HMAC-SHA256");
        report.add("signing", format!("bare HMAC-SHA256 over {bytes} bytes"), of_bare, "ns", Target::None);
        report.add("signing", what("sorted"), of_sorted, "times", Target::AtMost(sorted_target));
        report.add("signing", what("unsorted"), of_unsorted, "times", Target::AtMost(unsorted_target));
    }
}

/// Returns nanoseconds of one run of `work`.
fn time(iterations: u32, mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..iterations {
        work();
    }
    began.elapsed().as_nanos() as f64 / f64::from(iterations)
}
