//! The platforms' clocks: which zone a shop lives in, and how dates are written there.

use std::sync::LazyLock;

use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::strtime,
    tz::{self, TimeZone},
};

/// The newest thing in the world: 2026-11-20 00:00 UTC. Fixed, because a world follows from its
/// seed alone and has no clock.
pub(super) const NEWEST: i64 = 1_795_132_800;

// As POSIX rules and not by name: minimal systems have no time zone database.
static PACIFIC: LazyLock<TimeZone> = LazyLock::new(|| posix("PST8PDT,M3.2.0,M11.1.0"));
static MADRID: LazyLock<TimeZone> = LazyLock::new(|| posix("CET-1CEST,M3.5.0,M10.5.0/3"));
static BEIJING: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::fixed(tz::offset(8)));

fn posix(rule: &str) -> TimeZone {
    // The two rules above are valid; a test reads them.
    TimeZone::posix(rule).unwrap_or(TimeZone::UTC)
}

/// Returns the zone in which a platform writes its dates.
///
/// ICBU orders and AliExpress are documented in US Pacific, TOP and 1688 in Beijing time. That
/// ICBU products share the zone of the orders, and that Lazada and its siblings write the local
/// time of the country, are guesses.
pub(super) fn zone(platform: &str, country: &str) -> TimeZone {
    match platform {
        "alibaba" | "aliexpress" | "aliexpress-legacy" => PACIFIC.clone(),
        "miravia" => MADRID.clone(),
        "lazada" | "daraz" => fixed(match country {
            "TH" | "VN" | "ID" => 420,
            "PK" => 300,
            "BD" => 360,
            "LK" => 330,
            "NP" => 345,
            "MM" => 390,
            _ => 480,
        }),
        _ => BEIJING.clone(),
    }
}

fn fixed(minutes: i32) -> TimeZone {
    tz::Offset::from_seconds(minutes * 60).map_or(TimeZone::UTC, TimeZone::fixed)
}

/// Writes a time in one of the forms below.
pub(super) fn write(at: i64, zone: &TimeZone, form: &str) -> String {
    Timestamp::from_second(at)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
        .strftime(form)
        .to_string()
}

/// `yyyy-MM-dd HH:mm:ss`: ICBU, AliExpress, TOP.
pub(super) const PLAIN: &str = "%Y-%m-%d %H:%M:%S";
/// `yyyyMMddHHmmssSSSZ`: param2.
pub(super) const COMPACT: &str = "%Y%m%d%H%M%S000%z";
/// `yyyy-MM-dd HH:mm:ss +0800`: Lazada's orders.
pub(super) const WITH_OFFSET: &str = "%Y-%m-%d %H:%M:%S %z";
/// `Jul. 31, 2025, 21:09:36 PDT.`: ICBU's orders.
pub(super) const SPOKEN: &str = "%b. %d, %Y, %H:%M:%S %Z.";

/// Reads a date of an argument: `yyyy-MM-dd HH:mm:ss` or `yyyy-MM-dd` in `zone`, ISO 8601 with an
/// offset (`+0800`, `+08:00`, `Z`), or param2's compact form. Returns seconds.
///
/// A day without a time is its first second, or with `end_of_day` its last.
pub(super) fn read(text: &str, zone: &TimeZone, end_of_day: bool) -> Option<i64> {
    let text = text.trim();
    if text.len() > 40 || !text.is_ascii() {
        return None;
    }
    if text.len() >= 14 && text.bytes().take(14).all(|byte| byte.is_ascii_digit()) {
        return sesame_core::time::parse_compact(text).map(Timestamp::as_second);
    }
    if text.contains('T') {
        return text
            .parse::<Timestamp>()
            .ok()
            .or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).ok())
            .map(Timestamp::as_second)
            .or_else(|| civil("%Y-%m-%dT%H:%M:%S", text, zone));
    }
    if text.len() == 10 {
        let suffixed = format!("{text} {}", if end_of_day { "23:59:59" } else { "00:00:00" });
        return civil(PLAIN, &suffixed, zone);
    }
    civil(PLAIN, text, zone)
}

fn civil(form: &str, text: &str, zone: &TimeZone) -> Option<i64> {
    let civil: DateTime = strtime::parse(form, text).ok()?.to_datetime().ok()?;
    Some(civil.to_zoned(zone.clone()).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pacific_knows_summer_and_winter() {
        let zone = zone("alibaba", "CN");
        // 2025-08-01T04:09:36Z is the sample of the vendor's order page.
        assert_eq!(write(1_754_021_376, &zone, SPOKEN), "Jul. 31, 2025, 21:09:36 PDT.");
        assert_eq!(write(1_736_000_000, &zone, COMPACT), "20250104061320000-0800");
        assert_eq!(write(NEWEST, &TimeZone::UTC, PLAIN), "2026-11-20 00:00:00");
        assert_eq!(
            write(1_754_021_376, &super::zone("miravia", "ES"), WITH_OFFSET),
            "2025-08-01 06:09:36 +0200"
        );
    }

    #[test]
    fn reads_what_callers_write() {
        let beijing = zone("taobao", "CN");
        let noon = Some(1_704_168_000);
        for text in [
            "2024-01-02 12:00:00",
            "2024-01-02T12:00:00+08:00",
            "2024-01-02T12:00:00+0800",
            "2024-01-02T04:00:00Z",
            "2024-01-02T12:00:00",
            "20240102120000000+0800",
        ] {
            assert_eq!(read(text, &beijing, false), noon, "{text}");
        }
        assert_eq!(read("2024-01-02", &beijing, true), Some(1_704_168_000 + 12 * 3_600 - 1));
        for text in
            ["", "yesterday", "2024-13-01 00:00:00", "2024-01-02 25:00:00", "２０２４-01-02", "20240102"]
        {
            assert_eq!(read(text, &beijing, false), None, "{text}");
        }
    }
}
