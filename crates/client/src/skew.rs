//! How far this machine's clock is off, by platform host.
//!
//! Learned from a refusal for the time of a request, and used for all later calls to that host.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use sesame_core::{Error, ErrorKind, Retry, time};

/// Maximum offset that is corrected: three days.
const LARGEST: SignedDuration = SignedDuration::from_hours(72);
/// Nearer than this, the time is not what the platform complains of.
const SMALLEST: SignedDuration = SignedDuration::from_secs(2);
/// Maximum number of hosts remembered.
const MAX_HOSTS: usize = 256;

/// What is added to the clock, by host.
#[derive(Debug, Default)]
pub(crate) struct Skews {
    offsets: RwLock<HashMap<Box<str>, SignedDuration>>,
    any: AtomicBool,
}

impl Skews {
    /// Returns the time as the host sees it.
    pub(crate) fn at(&self, host: &str, now: Timestamp) -> Timestamp {
        if !self.any() {
            return now;
        }
        let offsets = self.offsets.read().unwrap_or_else(PoisonError::into_inner);
        offsets.get(host).and_then(|offset| now.checked_add(*offset).ok()).unwrap_or(now)
    }

    /// Returns `true` if any host is known to see another time.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Learns the host's time; returns a warning.
    ///
    /// A sandbox may live at any time it likes; a platform lives today.
    ///
    /// # Errors
    /// The refusal itself, with a better hint, when the clock is not to blame or is off too far.
    pub(crate) fn learn(
        &self,
        host: &str,
        theirs: Timestamp,
        now: Timestamp,
        sandbox: bool,
        refusal: Error,
    ) -> Result<String, Error> {
        let offset = theirs.duration_since(now);
        if theirs.duration_since(self.at(host, now)).abs() < SMALLEST {
            return Err(refusal.with_retry(Retry::Never).with_hint(
                "The platform refuses the time of the request although its own clock agrees with it. The form of the time is wrong, or another machine on the way holds requests back.",
            ));
        }
        if offset.abs() > LARGEST && !sandbox {
            return Err(refusal.with_retry(Retry::Never).with_hint(format!(
                "The clock of this machine is off by {}. Set it: an offset of more than three days is not corrected.",
                words(offset)
            )));
        }
        let mut offsets = self.offsets.write().unwrap_or_else(PoisonError::into_inner);
        if offsets.len() >= MAX_HOSTS {
            offsets.clear();
        }
        offsets.insert(host.into(), offset);
        self.any.store(true, Ordering::Release);
        let way = if offset.is_negative() { "ahead of" } else { "behind" };
        Ok(format!(
            "the clock of this machine is {} {way} the platform's; Sesame allows for it until it ends, but set the clock",
            words(offset)
        ))
    }
}

/// Reads the time out of a `Date` header, or out of the payload of a platform's time API: the
/// compact text of param2 (`"20261010164552223+0800"`), milliseconds, or TOP's `time` field.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_matches('"');
    time::parse_http_date(text)
        .or_else(|| time::parse_compact(text))
        .or_else(|| {
            let value: serde_json::Value = serde_json::from_str(text).ok()?;
            let inner = value.get("time").or_else(|| value.get("result")).unwrap_or(&value);
            let inner = sesame_core::scalar::text(inner)?;
            time::parse_compact(&inner).or_else(|| time::parse_request_timestamp(&inner))
        })
        .or_else(|| time::parse_request_timestamp(text))
}

/// The refusal of a platform that does not say what time it is.
pub(crate) fn untold(refusal: Error) -> Error {
    debug_assert_eq!(refusal.kind(), ErrorKind::Clock);
    refusal.with_retry(Retry::Never).with_hint("The platform refuses the time of the request and does not say what time it has. Check the clock of this machine and its time zone.")
}

fn words(offset: SignedDuration) -> String {
    let seconds = offset.abs().as_secs();
    // To the nearest minute: `Date` headers are whole seconds, and 2 h 59 min would puzzle people.
    let minutes = (seconds + 30) / 60;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_169 => format!("{minutes} min"),
        7_170..=172_799 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn refusal() -> Error {
        Error::new(ErrorKind::Clock, "IllegalTimestamp")
    }

    #[test]
    fn learns_and_keeps_to_the_host() {
        let skews = Skews::default();
        let (now, theirs) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T03:00:00Z"));
        let said = skews.learn("a", theirs, now, false, refusal()).unwrap();
        assert!(said.contains("3 h 0 min behind"), "{said}");
        assert_eq!(skews.at("a", now), theirs);
        assert_eq!(skews.at("b", now), now);
        // Refused again with the corrected time: the clock is not it.
        let error = skews.learn("a", theirs, now, false, refusal()).unwrap_err();
        assert_eq!(error.retry(), Retry::Never);
    }

    #[test]
    fn far_off_is_for_people_except_in_a_sandbox() {
        let skews = Skews::default();
        let (now, theirs) = (at("2026-01-01T00:00:00Z"), at("2015-01-01T00:00:00Z"));
        let error = skews.learn("a", theirs, now, false, refusal()).unwrap_err();
        assert!(error.hint().unwrap().contains("days"), "{error:?}");
        assert_eq!(skews.at("a", now), now);
        assert!(skews.learn("a", theirs, now, true, refusal()).is_ok());
        assert_eq!(skews.at("a", now), theirs);
    }

    #[test]
    fn reads_every_form_of_time() {
        let expected = at("2026-10-10T08:45:52Z");
        for text in [
            "Sat, 10 Oct 2026 08:45:52 GMT",
            "\"20261010164552000+0800\"",
            "1791621952000",
            r#"{"time":"2026-10-10 16:45:52"}"#,
            r#"{"result":1791621952000}"#,
        ] {
            assert_eq!(read_time(text), Some(expected), "{text}");
        }
        assert_eq!(read_time("yesterday"), None);
    }
}
