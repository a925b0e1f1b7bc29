//! Times as programs write them into files and tables.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// The forms of times, for errors.
pub(crate) const TIME_FORMS: &str =
    "seconds or milliseconds since 1970, 2026-11-22 07:00:00, 2026/11/22 7:00, or 2026-11-21T23:00:00Z";

/// Reads epoch seconds (also with a fraction), epoch milliseconds, ISO 8601 with a zone, and the same
/// without one, which is then in `zone`, also as spreadsheets write it (`2026/11/26 8:00`); a day alone is
/// its first moment.
pub fn parse_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
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
    let dashes = text.replace('/', "-");
    let loose = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"];
    let loose = || loose.iter().find_map(|form| DateTime::strptime(form, &dashes).ok());
    // `3/4/2026` is one day here and another there.
    let local: DateTime = text.parse().ok().or_else(loose).filter(|at: &DateTime| at.year() >= 1900)?;
    local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// Returns `true` if a text says that there is no time. The first days of 1970 do: a program that formats
/// a time of 0 writes the first one's, in whichever zone.
pub(crate) fn is_no_time(text: &str, zone: &TimeZone) -> bool {
    const TWO_DAYS: i64 = 2 * 86_400;
    text == "0"
        || text.starts_with("0000")
        || parse_time(text, zone).is_some_and(|at| at.as_second().abs() < TWO_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_all_forms_scripts_write() {
        let shanghai = TimeZone::fixed(jiff::tz::offset(8));
        let at = |text| parse_time(text, &shanghai).map(|at| at.to_string());
        let noon = Some("2026-11-21T04:00:00Z".to_owned());
        assert_eq!(at("1795233600"), noon);
        assert_eq!(at("1795233600.25"), noon);
        assert_eq!(at("1795233600000"), noon);
        assert_eq!(at("2026-11-21T04:00:00Z"), noon);
        assert_eq!(at("2026-11-21T12:00:00+08:00"), noon);
        assert_eq!(at("2026-11-21 12:00:00"), noon);
        assert_eq!(at("2026-11-21T12:00:00"), noon);
        assert_eq!(
            at("2026-11-21T12:00:00.123456").map(|text| text[..19].to_owned()),
            Some("2026-11-21T04:00:00".to_owned())
        );
        for wrong in ["36000", "tomorrow", "", "2026-13-01 00:00:00", "-5", "99999999999999999999"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
