//! Scalars as the platforms really send them: numbers as texts, truths as words.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, value::RawValue};

/// Reads an integer from a number or a string. `None` for null, an empty string and other things.
///
/// ```
/// use sesame_core::scalar::integer;
/// use serde_json::json;
/// assert_eq!(integer(&json!("36000")), Some(36_000));
/// assert_eq!(integer(&json!(36000)), Some(36_000));
/// assert_eq!(integer(&json!(36000.0)), Some(36_000));
/// assert_eq!(integer(&json!("")), None);
/// ```
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse::<f64>().ok().and_then(whole))
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small enough")]
fn whole(number: f64) -> Option<i64> {
    // 2^53: beyond it a float no longer tells neighbors apart.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Reads a boolean from a boolean, `"true"`, `"Y"`, `1` and their opposites.
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "y" | "yes" | "1" => Some(true),
            "false" | "n" | "no" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Reads text from a string, a number or a boolean. `None` for null, lists and objects.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Like [`text`], from JSON that was not parsed yet. Borrows what has no escapes.
pub fn raw_text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let raw = raw.get();
    match raw.as_bytes() {
        // Without an escape the text is what stands between the quotes.
        [b'"', text @ .., _] if !text.contains(&b'\\') => Some(Cow::Borrowed(&raw[1..=text.len()])),
        [b'"', ..] => serde_json::from_str::<Text<'_>>(raw).ok().map(|text| text.0),
        [] | [b'n' | b'{' | b'[', ..] => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// A JSON text that borrows unless it has escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Deserializes an optional integer leniently: for `#[serde(deserialize_with = "...")]`.
///
/// # Errors
/// The deserializer's, and one for anything but an integer, as number or as text, or null.
pub fn lenient_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match &value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        other => integer(other)
            .map(Some)
            .ok_or_else(|| de::Error::custom("expected an integer, as number or as text")),
    }
}

/// Deserializes an optional string leniently: numbers and booleans become text.
///
/// # Errors
/// The deserializer's.
pub fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text(&Value::deserialize(deserializer)?).filter(|text| !text.is_empty()))
}

/// Finds the first integer in `text` that starts within `reach` bytes after `from`. One too
/// large for its type is its largest: what is said to last that long does not last no time.
pub fn first_number_after(text: &str, from: usize, reach: usize) -> Option<u64> {
    let bytes = text.as_bytes();
    let end = bytes.len().min(from.saturating_add(reach));
    let start = (from..end).find(|at| bytes[*at].is_ascii_digit())?;
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(text[start..start + digits].parse().unwrap_or(u64::MAX))
}

/// Makes control characters and invisible ones visible, so that a reply cannot steer a terminal, turn
/// its text around or forge a log line.
///
/// What ends a line, and a tab, becomes a space; the others are written as Rust writes them.
///
/// ```
/// assert_eq!(sesame_core::scalar::printable("a\nb\u{1b}[2J\u{202e}"), r"a b\u{1b}[2J\u{202e}");
/// ```
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Returns `true` for control characters, those that turn the direction of text, and those without a
/// width.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
