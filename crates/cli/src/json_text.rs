//! The vendor's JSON laid out anew, while it is written: numbers, the order of keys and doubled keys stay
//! as they came, and nothing of it is kept in memory.

use std::io::{self, Write};

use sesame_core::scalar::is_invisible;

/// Deeper levels are not moved further to the right: a line of brackets would become as wide as it is long.
const DEEPEST: usize = 64;

/// Writes JSON with two spaces a level, as if it stood `level` levels deep.
pub(crate) fn pretty(json: &str, level: usize, out: &mut impl Write) -> io::Result<()> {
    lay_out(json, Some(level), out)
}

/// Writes JSON on one line.
pub(crate) fn compact(json: &str, out: &mut impl Write) -> io::Result<()> {
    lay_out(json, None, out)
}

/// Copies token by token. `json` is valid JSON: a reply was read as such.
fn lay_out(json: &str, mut level: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' => at = string(json, at, out)?,
            b'{' | b'[' => {
                out.write_all(&[*byte])?;
                let inside = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                if let Some(end @ (b'}' | b']')) = bytes.get(inside) {
                    out.write_all(&[*end])?;
                    at = inside + 1;
                } else {
                    level = level.map(|level| level + 1);
                    break_line(level, out)?;
                }
            }
            b'}' | b']' => {
                level = level.map(|level| level.saturating_sub(1));
                break_line(level, out)?;
                out.write_all(&[*byte])?;
            }
            b',' => {
                out.write_all(b",")?;
                break_line(level, out)?;
            }
            b':' => out.write_all(if level.is_some() { b": " } else { b":" })?,
            _ => {
                let rest = bytes[at..].iter().take_while(|byte| !b" \t\n\r,:]}".contains(byte)).count();
                out.write_all(&bytes[at - 1..at + rest])?;
                at += rest;
            }
        }
    }
    Ok(())
}

fn break_line(level: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    match level {
        Some(level) => write!(out, "\n{:1$}", "", level.min(DEEPEST) * 2),
        None => Ok(()),
    }
}

/// Copies a text from behind its opening quote, and returns where it has ended. Letters that were
/// escaped for no need are written as letters.
fn string(json: &str, from: usize, out: &mut impl Write) -> io::Result<usize> {
    let bytes = json.as_bytes();
    out.write_all(b"\"")?;
    let (mut done, mut at) = (from, from);
    loop {
        match bytes.get(at) {
            Some(b'\\') => {
                if let Some((letter, length)) = letter(&json[at..]) {
                    out.write_all(&bytes[done..at])?;
                    write!(out, "{letter}")?;
                    done = at + length;
                    at = done;
                } else {
                    at += 2;
                }
            }
            Some(b'"') | None => break,
            Some(_) => at += 1,
        }
    }
    let end = (at + 1).min(bytes.len());
    out.write_all(bytes.get(done..end).unwrap_or_default())?;
    Ok(end)
}

/// Reads an escape that stands for a letter which needs none. Returns it and the length of the escape.
fn letter(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok();
    if text.starts_with("\\/") {
        return Some(('/', 2));
    }
    let first = unit(0)?;
    let pair = [first, if (0xd800..0xdc00).contains(&first) { unit(6)? } else { 0 }];
    let letter = char::decode_utf16(pair).next()?.ok()?;
    let needs_escape = is_invisible(letter) || matches!(letter, '"' | '\\');
    (!needs_escape).then_some((letter, letter.len_utf16() * 6))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_vendors_numbers_and_order_stay() {
        let json = r#" {"price":12.50 , "id": 12345678901234567890123,"name":"a\"b: {c}, \u4e2d\/","none":[ ],"b":[{"a":1},{}]} "#;
        let expected = "{\n  \"price\": 12.50,\n  \"id\": 12345678901234567890123,\n  \"name\": \"a\\\"b: {c}, 中/\",\n  \"none\": [],\n  \"b\": [\n    {\n      \"a\": 1\n    },\n    {}\n  ]\n}";
        assert_eq!(text(|out| pretty(json, 0, out)), expected);
        assert_eq!(
            text(|out| compact(json, out)),
            r#"{"price":12.50,"id":12345678901234567890123,"name":"a\"b: {c}, 中/","none":[],"b":[{"a":1},{}]}"#
        );
        assert_eq!(text(|out| pretty("[1]", 1, out)), "[\n    1\n  ]");
    }

    #[test]
    fn escapes_that_are_needed_stay() {
        for kept in [r#""\ud800\u009b""#, r#""\u0022\u005c\\u4e2d""#, r#""\u202e\n\\""#, r#""\ud800\u0041""#]
        {
            assert_eq!(text(|out| compact(kept, out)), kept.replace("\\u0041", "A"));
        }
        assert_eq!(text(|out| compact(r#""\ud83c\udf81""#, out)), "\"🎁\"");
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(json in any_json(), level in 0_usize..3) {
            for given in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                prop_assert_eq!(&serde_json::from_str::<Json>(&text(|out| pretty(&given, level, out))).unwrap(), &json);
                prop_assert_eq!(text(|out| compact(&given, out)), json.to_string());
            }
        }
    }
}
