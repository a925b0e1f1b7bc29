//! What a payload says of its own success while the envelope says yes.
//!
//! A flag decides where there is one. Without a flag, an error code beside an error text is a refusal.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ErrorTable, Result,
    classify::{Failure, wildcard},
    path,
    scalar::{self, Text},
};

/// The deepest object inside a payload that is asked for an error code.
const DEEPEST: usize = 3;

/// The data by which replies of one platform are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyRules {
    /// Documented errors.
    pub errors: ErrorTable,
    /// Fields that contradict a successful envelope, in order.
    #[serde(default)]
    pub flags: Vec<SuccessFlag>,
    /// How a payload without such a field is read.
    #[serde(default)]
    pub refusal: Option<RefusalRule>,
}

/// A field of the payload that says whether the call really worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessFlag {
    /// Dotted path from the payload, e.g. `result.success`.
    pub flag: String,
    /// Values that mean success, as text, compared without regard to case.
    pub ok: Vec<String>,
    /// Paths that may hold the code, first found wins.
    #[serde(default)]
    pub code: Vec<String>,
    /// Paths that may hold the message, first found wins.
    #[serde(default)]
    pub message: Vec<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
}

/// How a payload without a success flag is read.
///
/// Names are compared without regard to case and underscores, and `*` in front stands for any beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalRule {
    /// Objects that hold the outcome of a call, like `result`.
    pub results: Vec<String>,
    /// Objects that hold data; only fields that cannot be data are looked at there.
    pub data: Vec<String>,
    /// Objects that hold nothing but an error.
    pub errors: Vec<String>,
    /// Names of success flags. Where one says yes, nothing beside it is looked at.
    pub flags: Vec<String>,
    /// What a flag says that does not say yes.
    pub no: Vec<String>,
    /// Fields that hold an error code and nothing else.
    pub error_codes: Vec<String>,
    /// Fields that hold an error text and nothing else.
    pub error_messages: Vec<String>,
    /// Fields that may hold an error code; they count where nothing else is in the object.
    pub codes: Vec<String>,
    /// Fields that may hold the text of an error.
    pub messages: Vec<String>,
    /// Fields that are not part of a result: request ids.
    pub ids: Vec<String>,
    /// Codes and texts that mean success, in lower case; `*` stands for any text.
    pub ok: Vec<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
}

impl RefusalRule {
    /// Returns `true` if a code or a text means success.
    pub(crate) fn is_success(&self, text: &str) -> bool {
        fits(&self.ok, text)
    }
}

/// Finds what in a payload says that the call did not work.
pub(crate) fn contradiction(
    rules: &ReplyRules,
    payload: &Members<'_>,
    whole: &str,
    status: u16,
    request_id: Option<&String>,
) -> Option<Failure> {
    let rule = rules.refusal.as_ref();
    let refused = |code: String, message: String| Failure {
        code,
        message,
        detail: rule.filter(|rule| says_more(rule, payload, 0)).map(|_| whole.to_owned()),
        request_id: request_id.cloned(),
        http_status: status,
        in_payload: true,
        ..Failure::default()
    };
    let mut settled = Vec::new();
    for flag in &rules.flags {
        let Some(value) = text_at(payload, &flag.flag) else { continue };
        if flag.ok.iter().any(|ok| ok.eq_ignore_ascii_case(&value)) {
            if !value.is_empty() {
                settled.push(flag.flag.rsplit_once('.').map_or("", |(level, _)| level));
            }
            continue;
        }
        let first = |paths: &[String]| {
            let text = paths.iter().find_map(|path| text_at(payload, path));
            text.filter(|text| !text.is_empty()).map(Cow::into_owned)
        };
        let code = first(&flag.code).unwrap_or_else(|| format!("{}={value}", flag.flag));
        return Some(refused(code, first(&flag.message).unwrap_or_default()));
    }
    let top = Level { rule: rule?, place: Place::Result, members: payload };
    let found = top.refusal("", &settled)?;
    Some(refused(found.code, found.message))
}

/// Returns `true` if a payload holds more than a code and a text.
fn says_more(rule: &RefusalRule, payload: &Members<'_>, depth: usize) -> bool {
    let level = Level { rule, place: Place::Result, members: payload };
    level.results().any(|(name, raw)| match members(raw.get()) {
        Some(inner) if level.place_of(name).is_some() && depth < DEEPEST => {
            says_more(rule, &inner, depth + 1)
        }
        _ => true,
    })
}

/// Where an object stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Result,
    Data,
    Error,
}

/// One object of a payload.
struct Level<'a, 'p> {
    rule: &'a RefusalRule,
    place: Place,
    members: &'a Members<'p>,
}

struct Refusal {
    code: String,
    message: String,
}

impl Level<'_, '_> {
    /// Looks for a refusal here and in the objects inside; `settled` are those of which a flag said yes.
    fn refusal(&self, path: &str, settled: &[&str]) -> Option<Refusal> {
        if !settled.contains(&path)
            && let Some(found) = self.own_refusal()
        {
            return Some(found);
        }
        if path.split('.').count() >= DEEPEST {
            return None;
        }
        self.members.iter().find_map(|(name, raw)| {
            let place = raw.get().starts_with('{').then(|| self.place_of(name)).flatten()?;
            let inner = members(raw.get())?;
            let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            Level { rule: self.rule, place, members: &inner }.refusal(&path, settled)
        })
    }

    fn place_of(&self, name: &str) -> Option<Place> {
        let rule = self.rule;
        [(&rule.errors, Place::Error), (&rule.results, Place::Result), (&rule.data, Place::Data)]
            .into_iter()
            .find_map(|(names, place)| is_one_of(names, name).then_some(place))
    }

    fn own_refusal(&self) -> Option<Refusal> {
        let rule = self.rule;
        let (code, text) = (self.said(&rule.error_codes), self.said(&rule.error_messages));
        // Nearly every reply ends here.
        if code.is_none() && text.is_none() && self.said(&rule.codes).is_none() {
            return None;
        }
        if self.texts(&rule.flags).any(|text| !fits(&rule.no, &text)) {
            return None;
        }
        let plain_text = || self.said(&rule.messages);
        let beside_result = self.results().next().is_some();
        let (code, text) = match (code, text) {
            (Some(code), text) => match text.or_else(plain_text) {
                Some(text) => (code, text),
                None if beside_result => return None,
                None => (code, Cow::Borrowed("")),
            },
            // An error code that says success goes before a text.
            (None, Some(text)) if !beside_result && self.texts(&rule.error_codes).next().is_none() => {
                (self.said(&rule.codes).unwrap_or_default(), text)
            }
            (None, text) if self.place == Place::Error || (self.place == Place::Result && !beside_result) => {
                (self.said(&rule.codes)?, text.or_else(plain_text)?)
            }
            (None, _) => return None,
        };
        Some(Refusal { code: code.into_owned(), message: text.into_owned() })
    }

    /// Returns the first value of these members that does not say success.
    fn said<'s>(&'s self, names: &'s [String]) -> Option<Cow<'s, str>> {
        self.texts(names).find(|text| !self.rule.is_success(text))
    }

    /// Returns the values of the members of these names that hold a text, a number or a boolean.
    fn texts<'s>(&'s self, names: &'s [String]) -> impl Iterator<Item = Cow<'s, str>> {
        self.members
            .iter()
            .filter(move |(name, _)| is_one_of(names, name))
            .filter_map(|(_, raw)| scalar::raw_text(raw))
            .filter(|text| !text.trim().is_empty())
    }

    /// Returns the members that are not codes, texts, flags and ids.
    fn results(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        let rule = self.rule;
        let of_the_outcome =
            [&rule.error_codes, &rule.error_messages, &rule.codes, &rule.messages, &rule.flags, &rule.ids];
        self.members.iter().map(|(name, raw)| (&**name, *raw)).filter(move |(name, raw)| {
            !is_nothing(raw) && !of_the_outcome.iter().any(|names| is_one_of(names, name))
        })
    }
}

fn is_nothing(raw: &RawValue) -> bool {
    let text = raw.get();
    match text.as_bytes() {
        [b'[' | b'{', inside @ .., _] => inside.iter().all(u8::is_ascii_whitespace),
        _ => matches!(text, "null" | "false" | "0" | "\"\"" | "\"0\"" | "\"false\"" | "\"null\""),
    }
}

fn fits(words: &[String], text: &str) -> bool {
    let text = text.trim().to_lowercase();
    words.iter().any(|word| wildcard(word, &text))
}

fn is_one_of(patterns: &[String], name: &str) -> bool {
    let letters = || name.bytes().rev().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    let last = letters().next();
    patterns.iter().any(|pattern| {
        // Nearly all differ in their last letter.
        if pattern.as_bytes().last().copied() != last && pattern != "*" {
            return false;
        }
        let (end, is_open) = match pattern.strip_prefix('*') {
            Some(end) => (end, true),
            None => (pattern.as_str(), false),
        };
        let mut letters = letters();
        end.bytes().rev().all(|byte| letters.next() == Some(byte)) && (is_open || letters.next().is_none())
    })
}

/// The members of a JSON object, in order, none of them parsed.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

pub(crate) fn members(text: &str) -> Option<Members<'_>> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Members<'de>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::with_capacity(8);
            while let Some(key) = map.next_key::<Text<'de>>()? {
                out.push((key.0, map.next_value::<&'de RawValue>()?));
            }
            Ok(out)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = serde::Deserializer::deserialize_map(&mut deserializer, Visitor).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

pub(crate) fn member<'a>(members: &Members<'a>, name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw)
}

fn text_at<'a>(payload: &Members<'a>, path: &str) -> Option<Cow<'a, str>> {
    match path.split_once('.') {
        None => member(payload, path).and_then(scalar::raw_text),
        Some((head, rest)) => path::text(member(payload, head)?, rest),
    }
}
