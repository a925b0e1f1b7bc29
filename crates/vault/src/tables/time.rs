//! Times as programs write them into files and tables.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// Reads epoch seconds (also with a fraction), epoch milliseconds, ISO 8601 with a zone, and the same
/// without one, which is then in `zone`; a day alone is its first moment.
pub fn parse_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { text }
    });
    if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return match whole.len() {
            // 2001 to 2286: shorter numbers are lives, not times.
            10 => Timestamp::from_second(whole.parse().ok()?).ok(),
            13 => Timestamp::from_millisecond(whole.parse().ok()?).ok(),
            _ => None,
        };
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let local: DateTime = match text.parse::<Date>() {
        Ok(day) if text.len() == 10 => day.to_datetime(jiff::civil::Time::midnight()),
        _ => text.replacen(' ', "T", 1).parse().ok()?,
    };
    local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// Tells whether a text is MySQL's way to say that there is no time.
pub(super) fn is_no_time(text: &str) -> bool {
    let text = text.trim();
    text == "0" || text.starts_with("0000-00-00")
}
