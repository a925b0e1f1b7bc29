//! Times in the forms the platforms use.

use jiff::{Timestamp, civil::DateTime, fmt::strtime, tz};

/// Writes TOP's `yyyy-MM-dd HH:mm:ss` in GMT+8, with a 24 hour day.
pub fn top_timestamp(at: Timestamp) -> String {
    at.to_zoned(tz::TimeZone::fixed(tz::offset(8))).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Reads a request's `timestamp`: milliseconds, seconds-as-milliseconds, ISO with `Z`, or
/// `yyyy-MM-dd HH:mm:ss` in GMT+8.
///
/// Sources: protocols 2.2 (`2017-11-11T12:00:00Z`; a text without `Z` is refused), 3.2 (official
/// Python SDKs send milliseconds to TOP).
pub fn parse_request_timestamp(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_millisecond(text.parse().ok()?).ok();
    }
    if text.contains('T') {
        return text.parse().ok();
    }
    let civil: DateTime = strtime::parse("%Y-%m-%d %H:%M:%S", text).ok()?.to_datetime().ok()?;
    civil.to_zoned(tz::TimeZone::fixed(tz::offset(8))).ok().map(|zoned| zoned.timestamp())
}

/// Reads param2's `refresh_token_timeout`: 14 or 17 digits, then `+0800` or `-0800`.
///
/// ```
/// use sesame_core::time::parse_compact;
/// // The vendor's sample and what real traffic shows (protocols 1.5).
/// assert_eq!(parse_compact("20121222222222+0800").unwrap().to_string(), "2012-12-22T14:22:22Z");
/// assert_eq!(parse_compact("20150111011017000-0800").unwrap().to_string(), "2015-01-11T09:10:17Z");
/// ```
pub fn parse_compact(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (stamp, zone) = text.split_at(digits);
    let millis: i32 = match digits {
        14 => 0,
        17 => stamp[14..].parse().ok()?,
        _ => return None,
    };
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let zone = &zone[1..];
    if zone.len() != 4 || !zone.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (zone[..2].parse().ok()?, zone[2..].parse().ok()?);
    if minutes > 59 {
        return None;
    }
    let number = |from: usize, to: usize| stamp[from..to].parse::<i8>().ok();
    let civil = DateTime::new(
        stamp[..4].parse().ok()?,
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        number(12, 14)?,
        millis * 1_000_000,
    )
    .ok()?;
    let offset = tz::Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()?;
    offset.to_timestamp(civil).ok()
}

/// Writes param2's 17-digit form with its zone, as `system/currentTime` answers.
pub fn compact(at: Timestamp, offset_hours: i8) -> String {
    let zoned = at.to_zoned(tz::TimeZone::fixed(tz::offset(offset_hours)));
    let millis = zoned.millisecond();
    format!("{}{millis:03}{}", zoned.strftime("%Y%m%d%H%M%S"), zoned.strftime("%z"))
}

/// Reads an HTTP `Date` header.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
