//! What a payload says of its own success while the envelope says yes.
//!
//! A flag decides where there is one. Without a flag, an error code beside an error text is a refusal.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smallvec::SmallVec;

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

/// Names of fields, compared without regard to case and underscores. `*` in front stands for any beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct FieldNames {
    patterns: Vec<String>,
    /// A bit for each letter that one of them ends with; nearly all names of a payload end with another.
    ends: u32,
}

impl From<Vec<String>> for FieldNames {
    fn from(patterns: Vec<String>) -> Self {
        let ends = patterns.iter().fold(0, |ends, pattern| match pattern.as_bytes().last() {
            Some(b'*') => u32::MAX,
            Some(letter) => ends | bit_of(*letter),
            None => ends,
        });
        Self { patterns, ends }
    }
}

impl From<FieldNames> for Vec<String> {
    fn from(names: FieldNames) -> Self {
        names.patterns
    }
}

impl FieldNames {
    fn contains(&self, name: &str) -> bool {
        let letters = name.bytes().rev().filter(|byte| *byte != b'_');
        if letters.clone().next().is_none_or(|last| self.ends & bit_of(last) == 0) {
            return false;
        }
        self.patterns.iter().any(|pattern| {
            let (end, is_open) = match pattern.strip_prefix('*') {
                Some(end) => (end, true),
                None => (pattern.as_str(), false),
            };
            let mut letters = letters.clone();
            end.len() <= name.len()
                && end.bytes().rev().all(|byte| letters.next().is_some_and(|l| l.eq_ignore_ascii_case(&byte)))
                && (is_open || letters.next().is_none())
        })
    }
}

/// The lower five bits of a letter are the same in either case.
fn bit_of(letter: u8) -> u32 {
    1 << (letter & 31)
}

/// How a payload without a success flag is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalRule {
    /// Objects that hold the outcome of a call, like `result`.
    pub results: FieldNames,
    /// Objects that hold data; only fields that cannot be data are looked at there.
    pub data: FieldNames,
    /// Objects that hold nothing but an error.
    pub errors: FieldNames,
    /// Names of success flags. Where one says yes, nothing beside it is looked at.
    pub flags: FieldNames,
    /// What a flag says that does not say yes.
    pub no: Vec<String>,
    /// Fields that hold an error code and nothing else.
    pub error_codes: FieldNames,
    /// Fields that hold an error text and nothing else.
    pub error_messages: FieldNames,
    /// Fields that may hold an error code; they count where nothing else is in the object.
    pub codes: FieldNames,
    /// Fields that may hold the text of an error.
    pub messages: FieldNames,
    /// Fields that are not part of a result: request ids.
    pub ids: FieldNames,
    /// Codes and texts that mean success, in lower case; `*` stands for any text.
    pub ok: Vec<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
}

impl RefusalRule {
    fn place_of(&self, name: &str) -> Option<Place> {
        [(&self.errors, Place::Error), (&self.results, Place::Result), (&self.data, Place::Data)]
            .into_iter()
            .find_map(|(names, place)| names.contains(name).then_some(place))
    }

    /// Returns `true` if a code or a text means success.
    pub(crate) fn is_success(&self, text: &str) -> bool {
        fits(&self.ok, text)
    }
}

/// Finds what in a payload says that the call did not work.
pub(crate) fn contradiction(
    rules: &ReplyRules,
    payload: Members<'_>,
    whole: &str,
    status: u16,
    request_id: Option<&str>,
) -> Option<Failure> {
    let rule = rules.refusal.as_ref();
    let mut levels = SmallVec::new();
    let top = Level { path: "".into(), place: rule.map(|_| Place::Result), members: payload };
    top.push_to(&mut levels, rules, 0);
    let payload = &levels[0].members;
    let refused = |code: String, message: String| Failure {
        code,
        message,
        detail: rule.filter(|rule| says_more(rule, payload, 0)).map(|_| whole.to_owned()),
        request_id: request_id.map(str::to_owned),
        http_status: status,
        in_payload: true,
        ..Failure::default()
    };
    let mut settled: SmallVec<[&str; 4]> = SmallVec::new();
    for flag in &rules.flags {
        let said = levels.iter().find_map(|level| Some((level, level.text_at(&flag.flag)?)));
        let Some((level, value)) = said else { continue };
        if flag.ok.iter().any(|ok| ok.eq_ignore_ascii_case(&value)) {
            if !value.is_empty() {
                settled.push(&*level.path);
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
    let rule = rule?;
    let mut open = levels.iter().filter(|level| !settled.contains(&&*level.path));
    let found = open.find_map(|level| level.refusal(rule))?;
    Some(refused(found.code, found.message))
}

/// Returns `true` if a payload holds more than a code and a text.
fn says_more(rule: &RefusalRule, payload: &Members<'_>, depth: usize) -> bool {
    results(rule, payload).any(|(name, raw)| match members(raw.get()) {
        Some(inner) if rule.place_of(name).is_some() && depth < DEEPEST => says_more(rule, &inner, depth + 1),
        _ => true,
    })
}

/// Returns the members that are not codes, texts, flags and ids.
fn results<'m>(
    rule: &RefusalRule,
    members: &'m Members<'_>,
) -> impl Iterator<Item = (&'m str, &'m RawValue)> {
    let of_the_outcome =
        [&rule.error_codes, &rule.error_messages, &rule.codes, &rule.messages, &rule.flags, &rule.ids];
    members.iter().map(|(name, raw)| (&**name, *raw)).filter(move |(name, raw)| {
        !is_nothing(raw) && !of_the_outcome.iter().any(|names| names.contains(name))
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
struct Level<'p> {
    /// The names that lead to it, dotted; empty for the payload itself.
    path: Cow<'p, str>,
    /// `None` if only flags are looked for here.
    place: Option<Place>,
    members: Members<'p>,
}

/// The objects of a payload that may say something of the outcome.
type Levels<'p> = SmallVec<[Level<'p>; 4]>;

struct Refusal {
    code: String,
    message: String,
}

impl<'p> Level<'p> {
    /// Lists this object and, after it, those inside that may say something of the outcome.
    fn push_to(self, levels: &mut Levels<'p>, rules: &ReplyRules, depth: usize) {
        let at = levels.len();
        levels.push(self);
        let mut next = 0;
        while let Some(&(ref name, raw)) = levels[at].members.get(next) {
            next += 1;
            if raw.get().starts_with('{')
                && let Some(inner) = levels[at].inside(rules, name, raw, depth)
            {
                inner.push_to(levels, rules, depth + 1);
            }
        }
    }

    fn inside(
        &self,
        rules: &ReplyRules,
        name: &Cow<'p, str>,
        raw: &'p RawValue,
        depth: usize,
    ) -> Option<Self> {
        let path = if depth == 0 { name.clone() } else { format!("{}.{name}", self.path).into() };
        let rule = rules.refusal.as_ref().filter(|_| self.place.is_some() && depth < DEEPEST);
        let place = rule.and_then(|rule| rule.place_of(name));
        let is_on_the_way = || rules.flags.iter().any(|flag| below(&flag.flag, &path).is_some());
        let members = (place.is_some() || is_on_the_way()).then(|| members(raw.get()))??;
        Some(Self { path, place, members })
    }

    /// Returns the text at a path from the payload, if it leads to a member of this object.
    fn text_at(&self, path: &str) -> Option<Cow<'p, str>> {
        member(&self.members, below(path, &self.path)?).and_then(scalar::raw_text)
    }

    fn refusal(&self, rule: &RefusalRule) -> Option<Refusal> {
        let (code, text) = (self.said(rule, &rule.error_codes), self.said(rule, &rule.error_messages));
        // Nearly every reply ends here.
        if code.is_none() && text.is_none() && self.said(rule, &rule.codes).is_none() {
            return None;
        }
        if self.texts(&rule.flags).any(|text| !fits(&rule.no, &text)) {
            return None;
        }
        let plain_text = || self.said(rule, &rule.messages);
        let beside_result = results(rule, &self.members).next().is_some();
        let (code, text) = match (code, text) {
            (Some(code), text) => match text.or_else(plain_text) {
                Some(text) => (code, text),
                None if beside_result => return None,
                None => (code, Cow::Borrowed("")),
            },
            // An error code that says success goes before a text.
            (None, Some(text)) if !beside_result && self.texts(&rule.error_codes).next().is_none() => {
                (self.said(rule, &rule.codes).unwrap_or_default(), text)
            }
            (None, text)
                if self.place == Some(Place::Error)
                    || (self.place == Some(Place::Result) && !beside_result) =>
            {
                (self.said(rule, &rule.codes)?, text.or_else(plain_text)?)
            }
            (None, _) => return None,
        };
        Some(Refusal { code: code.into_owned(), message: text.into_owned() })
    }

    /// Returns the first value of the members of these names that does not say success.
    fn said(&self, rule: &RefusalRule, names: &FieldNames) -> Option<Cow<'p, str>> {
        self.texts(names).find(|text| !rule.is_success(text))
    }

    /// Returns the values of the members of these names that hold a text, a number or a boolean.
    fn texts<'s>(&'s self, names: &'s FieldNames) -> impl Iterator<Item = Cow<'p, str>> + 's {
        self.members
            .iter()
            .filter(move |(name, _)| names.contains(name))
            .filter_map(|(_, raw)| scalar::raw_text(raw))
            .filter(|text| !text.trim().is_empty())
    }
}

/// Returns what is left of a dotted path below the object at `to`.
fn below<'f>(path: &'f str, to: &str) -> Option<&'f str> {
    if to.is_empty() { Some(path) } else { path.strip_prefix(to)?.strip_prefix('.') }
}

fn is_nothing(raw: &RawValue) -> bool {
    let text = raw.get();
    match text.as_bytes() {
        [b'[' | b'{', inside @ .., _] => inside.iter().all(u8::is_ascii_whitespace),
        _ => matches!(text, "null" | "false" | "0" | "\"\"" | "\"0\"" | "\"false\"" | "\"null\""),
    }
}

fn fits(words: &[String], text: &str) -> bool {
    let text = text.trim();
    words.iter().any(|word| word == text) || {
        let text = text.to_lowercase();
        words.iter().any(|word| wildcard(word, &text))
    }
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
