//! The vendor's JSON laid out anew: numbers and the order of keys stay as they came.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// Writes JSON with two spaces a level.
pub(crate) fn pretty(json: &str) -> String {
    laid_out(json, serde_json::to_string_pretty)
}

/// Writes JSON on one line.
pub(crate) fn compact(json: &str) -> String {
    laid_out(json, serde_json::to_string)
}

/// What cannot be read, because it is too deep or half a character is escaped in it, stays as it is.
fn laid_out(json: &str, write: impl Fn(&Json) -> serde_json::Result<String>) -> String {
    let value: serde_json::Result<Json> = serde_json::from_str(json);
    let text =
        value.and_then(|value| write(&value)).unwrap_or_else(|_| json.trim().replace(['\r', '\n'], " "));
    if text.is_ascii() && !text.as_bytes().contains(&0x7f) {
        return text;
    }
    // JSON allows DEL and the C1 controls as they are; terminals act on them. The escape means the same.
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() && c != '\n' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_numbers_and_order_stay() {
        let json = r#" {"price":12.50 , "id": 12345678901234567890123,"name":"a\"b: {c}, \u4e2d","none":[],"b":[{"a":1},{}]} "#;
        let expected = "{\n  \"price\": 12.50,\n  \"id\": 12345678901234567890123,\n  \"name\": \"a\\\"b: {c}, 中\",\n  \"none\": [],\n  \"b\": [\n    {\n      \"a\": 1\n    },\n    {}\n  ]\n}";
        assert_eq!(pretty(json), expected);
        assert_eq!(
            compact(json),
            r#"{"price":12.50,"id":12345678901234567890123,"name":"a\"b: {c}, 中","none":[],"b":[{"a":1},{}]}"#
        );
    }

    #[test]
    fn controls_that_json_allows_are_escaped() {
        let out = compact("\"a\u{9b}2J\u{7f}中\"");
        assert_eq!(out, "\"a\\u009b2J\\u007f中\"");
        let same: String = serde_json::from_str(&out).unwrap();
        assert_eq!(same, "a\u{9b}2J\u{7f}中");
        assert_eq!(compact("{\"half\":\n\"\\ud800\u{9b}\"}"), "{\"half\": \"\\ud800\\u009b\"}");
    }
}
