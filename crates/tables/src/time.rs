//! Times as programs write them into files and tables.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// Reads epoch seconds (also with a fraction), epoch milliseconds, ISO 8601 with a zone, and the same
/// without one, which is then in `zone`, also as spreadsheets write it (`2026/11/26 8:00`); a day alone is
/// its first moment.
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
        _ => text.replacen(' ', "T", 1).parse().ok().or_else(|| of_spreadsheet(text))?,
    };
    local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// The forms of times, for errors.
pub const TIME_FORMS: &str =
    "seconds or milliseconds since 1970, 2026-11-22 07:00:00, 2026/11/22 7:00, or 2026-11-21T23:00:00Z";

/// `2026/11/26 8:00`: slashes, numbers of one digit, no seconds. The year comes first: `3/4/2026` is one
/// day here and another there.
fn of_spreadsheet(text: &str) -> Option<DateTime> {
    let number = |text: &str, most: usize| -> Option<i16> {
        let is_one = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| text.parse().ok()).flatten()
    };
    let small = |text: &str| number(text, 2).and_then(|number| i8::try_from(number).ok());
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "0:0"));
    let mut date = date.split(['-', '/']);
    let year = date.next().filter(|year| year.len() == 4).and_then(|year| number(year, 4))?;
    let (month, day) = (small(date.next()?)?, small(date.next()?)?);
    let mut time = time.trim().split(':');
    let (hour, minute) = (small(time.next()?)?, small(time.next()?)?);
    let second = time.next().map_or(Some(0), |second| small(second.split('.').next().unwrap_or(second)))?;
    if date.next().is_some() || time.next().is_some() {
        return None;
    }
    DateTime::new(year, month, day, hour, minute, second, 0).ok()
}

/// Tells whether a text is the way of MySQL, or of a program, to say that there is no time. The first two
/// days of 1970 are: a program that formats a time of 0 writes the first one's, in whichever zone.
pub fn is_no_time(text: &str, zone: &TimeZone) -> bool {
    const DAY: i64 = 86_400;
    let text = text.trim();
    text == "0"
        || text.starts_with("0000-00-00")
        || text.starts_with("0000/00/00")
        || parse_time(text, zone).is_some_and(|at| (-DAY..2 * DAY).contains(&at.as_second()))
}
