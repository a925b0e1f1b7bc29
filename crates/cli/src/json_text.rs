//! Lays JSON out anew without reading it: numbers, escapes and the order of keys stay the vendor's.
//!
//! A parser would turn `12.50` into `12.5` and a 20-digit id into a float.

use std::fmt::Write as _;

/// Writes valid JSON with two spaces a level.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 3 / 2);
    let mut depth = 0_usize;
    let mut tokens = Tokens(json.trim()).peekable();
    while let Some(token) = tokens.next() {
        match token {
            "{" | "[" => {
                out.push_str(token);
                if tokens.peek().is_some_and(|next| matches!(*next, "}" | "]")) {
                    out.push_str(tokens.next().unwrap_or_default());
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            "}" | "]" => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push_str(token);
            }
            "," => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ":" => out.push_str(": "),
            other => push_visible(&mut out, other),
        }
    }
    out
}

/// Writes valid JSON on one line.
pub(crate) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for token in Tokens(json.trim()) {
        push_visible(&mut out, token);
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth.min(64) {
        out.push_str("  ");
    }
}

/// JSON allows DEL and the C1 controls as they are; terminals act on them. The escape means the same.
fn push_visible(out: &mut String, token: &str) {
    if token.is_ascii() && !token.as_bytes().contains(&0x7f) {
        out.push_str(token);
        return;
    }
    for c in token.chars() {
        if c.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// The punctuation, texts and words of a JSON text, white space left out.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
        let bytes = text.as_bytes();
        let end = match bytes.first()? {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => {
                let mut at = 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                (at + 1).min(bytes.len())
            }
            _ => bytes
                .iter()
                .position(|byte| {
                    matches!(
                        byte,
                        b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"' | b' ' | b'\t' | b'\r' | b'\n'
                    )
                })
                .unwrap_or(bytes.len()),
        };
        let (token, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        self.0 = rest;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_numbers_and_escapes_stay() {
        let json = r#" {"price":12.50 , "id": 12345678901234567890123,"name":"a\"b: {c}, \u4e2d","none":[],"rows":[{"a":1},{}]} "#;
        let expected = "{\n  \"price\": 12.50,\n  \"id\": 12345678901234567890123,\n  \"name\": \"a\\\"b: {c}, \\u4e2d\",\n  \"none\": [],\n  \"rows\": [\n    {\n      \"a\": 1\n    },\n    {}\n  ]\n}";
        assert_eq!(pretty(json), expected);
        assert_eq!(
            compact(json),
            r#"{"price":12.50,"id":12345678901234567890123,"name":"a\"b: {c}, \u4e2d","none":[],"rows":[{"a":1},{}]}"#
        );
    }

    #[test]
    fn controls_that_json_allows_are_escaped() {
        let out = compact("\"a\u{9b}2J\u{7f}中\"");
        assert_eq!(out, "\"a\\u009b2J\\u007f中\"");
        let same: String = serde_json::from_str(&out).unwrap();
        assert_eq!(same, "a\u{9b}2J\u{7f}中");
    }

    #[test]
    fn scalars_and_cut_texts_do_not_panic() {
        assert_eq!(pretty("\"20260101\""), "\"20260101\"");
        assert_eq!(pretty("  12 "), "12");
        for cut in ["\"abc", "\"abc\\", "{\"a\":", "[", "", "\"ä\\ö"] {
            let _ = pretty(cut);
            let _ = compact(cut);
        }
    }
}
