//! The time of a request as callers sign it where they send another: in another form, or taken anew.

use jiff::{SignedDuration, Timestamp};

use super::Pair;
use crate::time::{parse_request_timestamp, top_timestamp};

/// The parameters that hold the time of a request.
const NAMES: [&str; 2] = ["timestamp", "_aop_timestamp"];
/// How far apart two readings of a clock within one request may be: milliseconds one by one, then seconds.
const MILLIS_APART: i64 = 2_000;
const SECONDS_APART: i64 = 60;

/// Returns the place and the value of each time.
pub(super) fn times<'a>(pairs: &'a [Pair<'a>]) -> impl Iterator<Item = (usize, &'a str)> {
    pairs
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| NAMES.contains(name))
        .map(|(at, (_, value))| (at, *value))
}

fn is_in_seconds(value: &str) -> bool {
    value.len() == 10 && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn read(value: &str) -> Option<Timestamp> {
    if is_in_seconds(value) {
        return Timestamp::from_second(value.parse().ok()?).ok();
    }
    parse_request_timestamp(value)
}

/// Returns the same time in the other forms that gateways take, and in the wrong zone.
pub(super) fn other_forms(value: &str) -> Vec<(String, &'static str)> {
    let Some(at) = read(value) else { return Vec::new() };
    let text =
        |hours: i64| at.checked_add(SignedDuration::from_hours(hours)).map(top_timestamp).unwrap_or_default();
    let mut forms = vec![
        (at.as_second().to_string(), "in seconds"),
        (at.as_millisecond().to_string(), "in milliseconds"),
        (text(0), "as a text of GMT+8"),
        (text(-8), "as a text of UTC"),
        (text(8), "as a text of another zone"),
        (at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "as a text with T and Z"),
    ];
    forms.retain(|(form, _)| form != value && !form.is_empty());
    forms
}

/// Returns times in the same form that are near, the nearest first, and how far they are off.
pub(super) fn near(value: &str) -> impl Iterator<Item = (String, String)> {
    let at = read(value);
    let is_fine = !is_in_seconds(value) && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_utc = value.contains('T');
    let millis = 1..=if is_fine { MILLIS_APART } else { 0 };
    let seconds = if is_fine { MILLIS_APART / 1_000 + 1..=SECONDS_APART } else { 1..=SECONDS_APART };
    let steps = millis.map(|step| (step, "ms")).chain(seconds.map(|step| (step * 1_000, "s")));
    let in_seconds = is_in_seconds(value);
    steps.flat_map(|(step, unit)| [(step, unit, "later"), (-step, unit, "earlier")]).filter_map(
        move |(step, unit, side)| {
            let at = at?.checked_add(SignedDuration::from_millis(step)).ok()?;
            let form = match (is_fine, in_seconds, is_utc) {
                (true, ..) => at.as_millisecond().to_string(),
                (_, true, _) => at.as_second().to_string(),
                (.., true) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                _ => top_timestamp(at),
            };
            let far = if unit == "s" { step.abs() / 1_000 } else { step.abs() };
            Some((form, format!("{far} {unit} {side}")))
        },
    )
}
