//! Times: how platforms write them, and how people ask for them.

use jiff::{SignedDuration, Timestamp, Zoned, civil, tz::TimeZone};
use serde_json::{Value as Json, json};
use sesame_catalog::TimeForm;
use sesame_core::{Error, Result, time};

/// Which end of a window a time is. A time that cannot be written exactly makes the window longer, never
/// shorter: rows that come twice are told apart, rows that are left out are lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Since,
    Until,
}

/// Returns the zone of this name.
///
/// # Errors
/// Local, for a name that the time zone database does not have.
pub(crate) fn zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name)
        .map_err(|error| Error::local(format!("the time zone {name:?} of the catalog: {error}")))
}

/// Writes a time as an argument.
pub(crate) fn write(form: TimeForm, at: Timestamp, zone: &TimeZone, edge: Edge) -> Json {
    // Upwards at the end: a row of 10:00:00.7 belongs to a window until 10:00:00.9.
    let floor = at.as_second();
    let second = floor + i64::from(edge == Edge::Until && at.subsec_nanosecond() > 0);
    let at = Timestamp::from_second(second).unwrap_or(at);
    let zoned = at.to_zoned(zone.clone());
    match form {
        TimeForm::Local => json!(local(&zoned, edge, "%Y-%m-%d %H:%M:%S")),
        TimeForm::American => json!(local(&zoned, edge, "%m/%d/%Y %H:%M:%S")),
        TimeForm::Day => {
            // Whether the last day is part of the window, or only its first instant, is not documented.
            let days = i64::from(edge == Edge::Until);
            let date = zoned.date().checked_add(SignedDuration::from_hours(24 * days));
            json!(date.unwrap_or_else(|_| zoned.date()).to_string())
        }
        TimeForm::Compact => {
            json!(time::compact(at, i8::try_from(zoned.offset().seconds() / 3_600).unwrap_or(8)))
        }
        TimeForm::Millis => json!(at.as_millisecond()),
        TimeForm::Object => json!({
            "date_str": local(&zoned, edge, "%Y-%m-%d %H:%M:%S"),
            "date_timestamp": at.as_millisecond(),
        }),
        _ => json!(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()),
    }
}

/// Writes a local time without its zone. In the hour that comes twice when summer time ends nobody knows
/// which one is meant: then the hour before or after is written.
fn local(zoned: &Zoned, edge: Edge, format: &str) -> String {
    let mut civil = zoned.datetime();
    if zoned.time_zone().to_ambiguous_zoned(civil).is_ambiguous() {
        let hour = SignedDuration::from_hours(if edge == Edge::Since { -1 } else { 1 });
        civil = civil.checked_add(hour).unwrap_or(civil);
    }
    civil.strftime(format).to_string()
}

/// Puts the times of all platforms into one form, RFC 3339 with its zone: param2's compact times
/// (`20261102203212000-0800`), milliseconds, dates with a zone behind a space, and local times in the zone
/// of the account. Anything else stays as it is.
pub(crate) fn readable(text: &str, zone: &TimeZone) -> String {
    if text.len() == 13
        && let Some(at) = text.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
    {
        return at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    if time::parse_compact(text).is_some() {
        let (date, zone) = (&text[..14], &text[text.len() - 5..]);
        let part = |from: usize, to: usize| &date[from..to];
        return format!(
            "{}-{}-{}T{}:{}:{}{}:{}",
            part(0, 4),
            part(4, 6),
            part(6, 8),
            part(8, 10),
            part(10, 12),
            part(12, 14),
            &zone[..3],
            &zone[3..]
        );
    }
    let mut words = text.split([' ', 'T']);
    let (Some(date), Some(time), offset, None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return text.to_owned();
    };
    let Ok(civil) = format!("{date}T{time}").parse::<civil::DateTime>() else { return text.to_owned() };
    if let Some(offset) = offset {
        let offset = match offset.split_at_checked(3) {
            Some((hours, minutes)) if minutes.len() == 2 => format!("{hours}:{minutes}"),
            _ => offset.to_owned(),
        };
        return civil.strftime("%Y-%m-%dT%H:%M:%S").to_string() + &offset;
    }
    // A time with an offset and without a blank was no civil time, and came out above.
    match civil.to_zoned(zone.clone()) {
        Ok(zoned) => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Reads a time that a person wrote: `30m`, `2h`, `3d`, `2w` before now, a date (its first instant), a
/// date with a time, both in the zone of the shop, or RFC 3339.
///
/// ```
/// use jiff::{Timestamp, tz::TimeZone};
/// let now: Timestamp = "2026-11-30T12:00:00Z".parse()?;
/// let zone = TimeZone::get("Asia/Singapore")?;
/// let at = |text: &str| sesame_shop::parse_time(text, now, &zone).unwrap().to_string();
/// assert_eq!(at("2h"), "2026-11-30T10:00:00Z");
/// assert_eq!(at("2026-11-30"), "2026-11-29T16:00:00Z");
/// assert_eq!(at("2026-11-30T08:00:00"), "2026-11-30T00:00:00Z");
/// assert_eq!(at("2026-11-30T08:00:00-03:00"), "2026-11-30T11:00:00Z");
/// # Ok::<(), jiff::Error>(())
/// ```
///
/// # Errors
/// Usage, for anything else.
pub fn parse_time(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp> {
    let text = text.trim();
    let wrong = || {
        Error::usage(format!("invalid time {text:?}"))
            .with_hint("Write 30m, 2h, 3d or 2w for that long ago, a date like 2026-11-30, or 2026-11-30T08:00:00 with or without a zone like +08:00.")
    };
    let split = text.len().saturating_sub(1);
    if let Some((number, unit)) = text.split_at_checked(split)
        && let Some(hours) =
            [("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)].iter().find(|known| known.0 == unit)
        && let Ok(number) = number.parse::<u32>()
    {
        let ago = SignedDuration::from_secs(i64::from(number).saturating_mul(hours.1));
        return now.checked_sub(ago).map_err(|_| wrong());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let civil = text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0));
    // `parse::<Date>` takes the date of a whole time, too.
    let civil = if text.len() > 10 { text.parse::<civil::DateTime>() } else { civil };
    let zoned = civil.and_then(|civil| civil.to_zoned(zone.clone())).map_err(|_| wrong())?;
    Ok(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(name: &str) -> TimeZone {
        zone(name).unwrap()
    }

    #[test]
    fn times_of_all_forms_become_readable() {
        let shanghai = get("Asia/Shanghai");
        let readable = |text: &str| readable(text, &shanghai);
        assert_eq!(readable("20261102203212000-0800"), "2026-11-02T20:32:12-08:00");
        assert_eq!(readable("20261102203212+0800"), "2026-11-02T20:32:12+08:00");
        assert_eq!(readable("1739776650000"), "2025-02-17T07:17:30Z");
        assert_eq!(readable("2026-10-15 07:44:51"), "2026-10-15T07:44:51+08:00");
        assert_eq!(readable("2026-10-15T07:44:51"), "2026-10-15T07:44:51+08:00");
        assert_eq!(readable("2026-10-15 07:44:51 -0300"), "2026-10-15T07:44:51-03:00");
        for same in
            ["32800011962", "2026-10-15T07:44:51+08:00", "2026-10-15T07:44:51Z", "two words", "陶瓷", ""]
        {
            assert_eq!(readable(same), same);
        }
    }

    #[test]
    fn a_local_time_has_the_offset_of_its_season() {
        let pacific = get("America/Los_Angeles");
        assert_eq!(readable("2026-07-01 00:00:00", &pacific), "2026-07-01T00:00:00-07:00");
        assert_eq!(readable("2026-12-01 00:00:00", &pacific), "2026-12-01T00:00:00-08:00");
    }

    #[test]
    fn arguments_are_written_in_the_words_of_each_platform() {
        let at: Timestamp = "2026-11-01T16:00:00.5Z".parse().unwrap();
        let zone = get("Asia/Shanghai");
        let write = |form, edge| write(form, at, &zone, edge);
        assert_eq!(write(TimeForm::Rfc3339, Edge::Since), "2026-11-02T00:00:00+08:00");
        assert_eq!(write(TimeForm::Rfc3339, Edge::Until), "2026-11-02T00:00:01+08:00");
        assert_eq!(write(TimeForm::Local, Edge::Since), "2026-11-02 00:00:00");
        assert_eq!(write(TimeForm::American, Edge::Since), "11/02/2026 00:00:00");
        assert_eq!(write(TimeForm::Day, Edge::Since), "2026-11-02");
        assert_eq!(write(TimeForm::Day, Edge::Until), "2026-11-03");
        assert_eq!(write(TimeForm::Compact, Edge::Since), "20261102000000000+0800");
        assert_eq!(write(TimeForm::Millis, Edge::Since), 1_793_548_800_000_i64);
        assert_eq!(write(TimeForm::Object, Edge::Since)["date_str"], "2026-11-02 00:00:00");
    }

    #[test]
    fn the_hour_that_comes_twice_makes_a_window_longer() {
        // 01:30 in Los Angeles, before and after the clocks were set back.
        let pacific = get("America/Los_Angeles");
        for at in ["2026-11-01T08:30:00Z", "2026-11-01T09:30:00Z"] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(write(TimeForm::Local, at, &pacific, Edge::Since), "2026-11-01 00:30:00");
            assert_eq!(write(TimeForm::Local, at, &pacific, Edge::Until), "2026-11-01 02:30:00");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        for text in ["", "h", "yesterday", "2026-13-01", "-2h", "2 h", "2026-11-30T25:00:00"] {
            assert!(parse_time(text, now, &TimeZone::UTC).is_err(), "{text}");
        }
    }
}
