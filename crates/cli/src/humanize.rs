//! Times in words.

use std::time::Duration;

use jiff::Timestamp;

/// Says how long something takes: `9 h 41 min`, `179 days`, `3 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (2.., _, _) => format!("{days} days"),
        (_, 1.., _) if minutes % 60 == 0 => format!("{hours} h"),
        (_, 1.., _) => format!("{hours} h {} min", minutes % 60),
        (_, _, 1..) => format!("{minutes} min"),
        _ if seconds == 0 && time.subsec_millis() > 0 => format!("{} ms", time.subsec_millis()),
        _ => format!("{seconds} s"),
    }
}

/// Says how long something still lasts, or since when it has ended.
pub(crate) fn left(until: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(until.duration_since(now)) {
        Ok(left) => duration(left),
        Err(_) => format!("ended {} ago", duration(now.duration_since(until).unsigned_abs())),
    }
}

/// Says how long ago something was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(now.duration_since(at)) {
        Ok(since) if since.as_secs() < 60 => "just now".to_owned(),
        Ok(since) => format!("{} ago", duration(since)),
        Err(_) => "just now".to_owned(),
    }
}

/// Reads `30d`, `12h`, `10m` or `45s`. A number alone is refused: whoever writes 30 means days here and
/// seconds there.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let wrong = || format!("{text:?} is not a time span; write 30d, 12h, 10m or 45s");
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let seconds = match &text[digits..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .filter(|total| *total <= 86_400 * 36_500)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_speech() {
        let say = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(say(0), "0 s");
        assert_eq!(say(59), "59 s");
        assert_eq!(say(60), "1 min");
        assert_eq!(say(34_860), "9 h 41 min");
        assert_eq!(say(36_000), "10 h");
        assert_eq!(say(86_400 + 3_600), "25 h");
        assert_eq!(say(86_400 * 179 + 5), "179 days");
        assert_eq!(duration(Duration::from_millis(250)), "250 ms");
    }

    #[test]
    fn both_sides_of_now_are_said() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(left("2026-11-21T21:41:00Z".parse().unwrap(), now), "9 h 41 min");
        assert_eq!(left("2026-11-21T11:00:00Z".parse().unwrap(), now), "ended 1 h ago");
        assert_eq!(ago("2026-11-21T11:58:00Z".parse().unwrap(), now), "2 min ago");
        assert_eq!(ago("2026-11-21T12:00:00Z".parse().unwrap(), now), "just now");
    }

    #[test]
    fn spans_are_read_and_bounded() {
        assert_eq!(parse_duration("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(parse_duration("45s"), Ok(Duration::from_secs(45)));
        assert!(parse_duration("45").is_err());
        assert!(parse_duration("").is_err());
        assert!(parse_duration("d").is_err());
        assert!(parse_duration("5w").is_err());
        assert!(parse_duration("99999999999999999999d").is_err());
        assert!(parse_duration("999999999999999d").is_err());
    }
}
