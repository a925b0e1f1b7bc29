//! What an error code means: one function over tables that are data.

use std::{fmt, time::Duration};

use jiff::{Timestamp, civil::Time, tz};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Fault, Retry, redact::Redactor, scalar::first_number_after};

/// The longest message of a platform that an error repeats, in characters. What is cut is in
/// [`Error::full_message`].
const MESSAGE_LIMIT: usize = 1_000;
/// The longest text of a refusal that is kept, in characters.
const FULL_LIMIT: usize = 60_000;
/// The longest code or id of a platform that an error repeats, in characters.
pub(crate) const ID_LIMIT: usize = 200;

/// What a gateway said instead of a result, word for word. [`classify`] cleans it; `Debug` shows none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The code, as text whatever its JSON type.
    pub code: String,
    /// The sub code (TOP).
    pub sub_code: Option<String>,
    /// The message.
    pub message: String,
    /// The message of the sub code (TOP).
    pub sub_message: Option<String>,
    /// What else the reply says: the fields that are wrong, the rows that failed.
    pub detail: Option<String>,
    /// IOP's `type`: `ISV`, `ISP` or `SYSTEM`. Decides nothing; shown to people.
    pub origin: Option<String>,
    /// The request id.
    pub request_id: Option<String>,
    /// The HTTP status.
    pub http_status: u16,
    /// `true` if the envelope said success and the payload says failure: the code is the API's own.
    pub in_payload: bool,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("http_status", &self.http_status)
            .field("in_payload", &self.in_payload)
            .finish_non_exhaustive()
    }
}

/// When a documented error may be repeated, in the words of the data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryRule {
    /// It would fail again.
    Never,
    /// After a growing pause.
    Backoff,
    /// After one second.
    Second,
    /// After the seconds in the message plus one; without a number, after a growing pause.
    Ban,
    /// After the seconds in the message plus one; without a number, at 00:00 GMT+8.
    NextDay,
    /// After a refresh of the access token, once.
    Refresh,
    /// After the clock was corrected, once.
    Clock,
    /// When what is in the way has passed: hours or days, so not in the run that met it.
    Later,
}

/// One documented error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The code, compared without regard to case. A `*` stands for any text. `500..` stands for
    /// all numbers from 500. Empty when `sub_code` decides alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The sub code, with `*` as in `code`. A rule with a sub code wins over one without.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sub_code: String,
    /// What the message has to be like, with `*` as in `code`, where one code stands for several things.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What the platform says with this code, with `*`: `sesame explain` finds the rule by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// True for a number that means this in the gateway's envelope alone. The same number in a payload is
    /// the API's own code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gateway: bool,
    /// What it means for a program.
    pub kind: ErrorKind,
    /// Whose side has to change something.
    pub fault: Fault,
    /// When it may be repeated.
    pub retry: RetryRule,
    /// `true` if the platform may have carried out the call nevertheless (a time-out behind the
    /// gateway). A write that met this is never sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_done: bool,
    /// What it means, for people.
    pub says: String,
    /// What to do about it, for people.
    pub advice: String,
    /// The field of a product that it is about, as a JSON pointer. `{A|B}` takes what the message has between
    /// A and B.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The rule of a product form that is broken.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Where this is known from, with the confidence mark of the source.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
    /// `true` if the meaning is a guess.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guess: bool,
}

impl ErrorRule {
    /// Returns how well the rule fits a code or a sub code that stands alone: more for each letter that it
    /// names, `usize::MAX` for the very text. `None` if it does not fit, or would fit anything.
    #[doc(hidden)]
    pub fn fitness_of(&self, code: &str) -> Option<usize> {
        let pattern = if self.sub_code.is_empty() { &self.code } else { &self.sub_code };
        fit(pattern, code).filter(|fitness| *fitness > 1 || pattern.ends_with(".."))
    }

    /// Returns `true` if the platform says this with the code.
    #[doc(hidden)]
    pub fn is_said_as(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.texts.iter().any(|known| wildcard(&known.to_lowercase(), &text))
    }
}

/// The documented errors of one platform: its own first, then those of its protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorTable {
    /// The rules; the first that fits best wins.
    pub rules: Vec<ErrorRule>,
}

impl ErrorTable {
    /// Finds the rule for a code and sub code of the gateway's, whatever the message.
    pub fn find(&self, code: &str, sub_code: Option<&str>) -> Option<&ErrorRule> {
        self.best(|rule| {
            let message = if rule.message.is_empty() { 0 } else { return None };
            Some((fit(&rule.sub_code, sub_code.unwrap_or_default())?, message, fit(&rule.code, code)?))
        })
    }

    /// Finds the rule for what a gateway said.
    ///
    /// A rule that names the sub code wins over one that names only the code; an exact name wins
    /// over a pattern, a pattern with more letters over one with fewer; earlier wins over later.
    pub fn find_for(&self, failure: &Failure) -> Option<&ErrorRule> {
        let sub_code = failure.sub_code.as_deref().unwrap_or_default();
        self.best(|rule| {
            if rule.gateway && failure.in_payload {
                return None;
            }
            let message = fit(&rule.message, &failure.message)?;
            Some((fit(&rule.sub_code, sub_code)?, message, fit(&rule.code, &failure.code)?))
        })
    }

    fn best(&self, fitness: impl Fn(&ErrorRule) -> Option<(usize, usize, usize)>) -> Option<&ErrorRule> {
        let mut best: Option<(&ErrorRule, (usize, usize, usize))> = None;
        for rule in &self.rules {
            let Some(fitness) = fitness(rule).filter(|fitness| *fitness > (0, 0, 0)) else { continue };
            if best.is_none_or(|(_, best)| fitness > best) {
                best = Some((rule, fitness));
            }
        }
        best.map(|(rule, _)| rule)
    }
}

/// Returns how well a pattern fits: 0 when the pattern is empty and leaves it open, more for each
/// letter that it names, most for the very text. `None` if it does not fit.
fn fit(pattern: &str, text: &str) -> Option<usize> {
    if pattern.is_empty() {
        return Some(0);
    }
    if pattern.eq_ignore_ascii_case(text) {
        return Some(usize::MAX);
    }
    // A star stands for any text, and none is not a text.
    if text.is_empty() {
        return None;
    }
    if let Some(from) = pattern.strip_suffix("..") {
        let (from, number) = (from.parse::<u64>().ok()?, text.parse::<u64>().ok()?);
        return (number >= from).then_some(1);
    }
    let fits = pattern.contains('*') && wildcard(&pattern.to_lowercase(), &text.to_lowercase());
    fits.then_some(pattern.len())
}

/// Matches `*` as any text, in time linear in the text for each star.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Turns what a gateway said into an [`Error`]: kind, fault, when to retry, what to do.
///
/// Codes are looked up as they came; every text that goes into the error passes the redactor, which knows
/// the secrets of the call. `now` is needed for quotas that end at midnight in Beijing.
pub fn classify(table: &ErrorTable, failure: &Failure, redactor: &Redactor<'_>, now: Timestamp) -> Error {
    let rule = table.find_for(failure);
    let full = redactor.text(&spoken(failure), FULL_LIMIT);
    let said = full.shortened(MESSAGE_LIMIT);
    let error = match rule {
        Some(rule) => {
            let text = format!("{} {}", failure.sub_message.as_deref().unwrap_or_default(), failure.message);
            let retry = retry_of(rule.retry, &text, now);
            Error::new(rule.kind, said)
                .with_fault(rule.fault)
                .with_retry(retry)
                .with_ambiguity(rule.maybe_done)
                .with_hint(rule.advice.clone())
        }
        None => unknown(failure, said),
    };
    let error = error
        .with_full_message(&full)
        .with_detail(failure.detail.as_deref().map(|detail| redactor.text(detail, FULL_LIMIT)))
        .with_request_id(failure.request_id.as_deref().map(|id| redactor.text(id, ID_LIMIT)))
        .with_http_status(failure.http_status);
    let error = match failure.code.as_str() {
        "" => error,
        code => error.with_code(redactor.text(code, ID_LIMIT)),
    };
    match &failure.sub_code {
        Some(sub) => error.with_sub_code(redactor.text(sub, ID_LIMIT)),
        None => error,
    }
}

fn retry_of(rule: RetryRule, text: &str, now: Timestamp) -> Retry {
    match rule {
        RetryRule::Never | RetryRule::Later => Retry::Never,
        RetryRule::Backoff => Retry::Backoff,
        RetryRule::Second => Retry::After(Duration::from_secs(1)),
        RetryRule::Ban => ban(text).map_or(Retry::Backoff, Retry::After),
        RetryRule::NextDay => Retry::After(ban(text).unwrap_or_else(|| until_midnight_in_beijing(now))),
        RetryRule::Refresh => Retry::AfterRefresh,
        RetryRule::Clock => Retry::AfterClock,
    }
}

/// Reads "This ban will last 3 seconds" and "last for 3 more seconds"; adds one second, because
/// the gateway rounds down. Not more than a day.
fn ban(text: &str) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find("ban will last")?;
    let seconds = first_number_after(&lower, at + "ban will last".len(), 16)?;
    Some(Duration::from_secs(seconds.min(86_400) + 1))
}

fn until_midnight_in_beijing(now: Timestamp) -> Duration {
    let zone = tz::TimeZone::fixed(tz::offset(8));
    let next = now
        .to_zoned(zone)
        .tomorrow()
        .and_then(|day| day.with().time(Time::midnight()).build())
        .map(|day| day.timestamp());
    let wait = next.ok().and_then(|next| Duration::try_from(next.duration_since(now)).ok());
    wait.unwrap_or(Duration::from_hours(24))
}

/// A code that no table knows.
fn unknown(failure: &Failure, said: String) -> Error {
    match failure.http_status {
        429 => Error::new(ErrorKind::Quota, said)
            .with_hint("The edge of the platform limits the rate. Wait, then call less often."),
        status if status >= 500 => Error::new(ErrorKind::Platform, said)
            .with_ambiguity(true)
            .with_hint("The platform failed. Try again later; if it stays, report the request id."),
        401 | 403 => Error::new(ErrorKind::Permission, said)
            .with_hint("The edge of the platform turned the call away before the API saw it. Check whether this address is on the app's IP list and whether the host is right."),
        404 => Error::new(ErrorKind::UnknownApi, said)
            .with_hint("There is nothing at this address. Check the host, the path and the region of the account."),
        408 | 425 => Error::new(ErrorKind::Platform, said)
            .with_ambiguity(true)
            .with_hint("The platform timed out. Try again."),
        _ => Error::new(ErrorKind::Business, said).with_hint(
            "Sesame has no description of this code; the platform's page of the API may have one. The call was not repeated.",
        ),
    }
}

/// Joins what the gateway said to one sentence.
fn spoken(failure: &Failure) -> String {
    let mut said = failure.code.clone();
    if let Some(sub) = failure.sub_code.as_deref().filter(|sub| !sub.is_empty()) {
        said.push('/');
        said.push_str(sub);
    }
    let main = failure.message.trim();
    if !main.is_empty() {
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(main);
    }
    if let Some(sub) =
        failure.sub_message.as_deref().map(str::trim).filter(|sub| !sub.is_empty() && *sub != main)
    {
        said.push_str(" (");
        said.push_str(sub);
        said.push(')');
    }
    if let Some(detail) = &failure.detail {
        said.push(' ');
        said.push_str(detail);
    }
    if said.is_empty() {
        said.push_str("the platform refused the call and gave no reason");
    }
    said
}
