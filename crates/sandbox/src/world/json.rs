//! Writing JSON text: rows are written once, at generation, and pages join them.

use std::fmt::Write as _;

/// A JSON text in the making. Commas come by themselves; braces are the caller's business.
#[derive(Debug, Default)]
pub(super) struct Json(String);

impl Json {
    /// Creates an empty text with room for `bytes`.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Returns the length so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the text out.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.0)
    }

    /// Writes `{`.
    pub(super) fn object(&mut self) -> &mut Self {
        self.comma();
        self.0.push('{');
        self
    }

    /// Writes `}`.
    pub(super) fn end(&mut self) -> &mut Self {
        self.0.push('}');
        self
    }

    /// Writes `[`.
    pub(super) fn list(&mut self) -> &mut Self {
        self.comma();
        self.0.push('[');
        self
    }

    /// Writes `]`.
    pub(super) fn end_list(&mut self) -> &mut Self {
        self.0.push(']');
        self
    }

    /// Writes a member's name. Names are ours and need no escaping.
    pub(super) fn key(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self
    }

    /// Writes a text.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.comma();
        self.0.push('"');
        let mut rest = value;
        while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
            self.0.push_str(&rest[..at]);
            match rest.as_bytes()[at] {
                b'"' => self.0.push_str("\\\""),
                b'\\' => self.0.push_str("\\\\"),
                b'\n' => self.0.push_str("\\n"),
                control => {
                    // Writing to a String cannot fail.
                    let _ = write!(self.0, "\\u{control:04x}");
                }
            }
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        self.0.push('"');
        self
    }

    /// Writes a value whose JSON text is its `Display`: numbers, truths.
    pub(super) fn plain(&mut self, value: impl std::fmt::Display) -> &mut Self {
        self.comma();
        let _ = write!(self.0, "{value}");
        self
    }

    /// Writes JSON text as it is; an empty text writes nothing.
    pub(super) fn raw(&mut self, json: &str) -> &mut Self {
        if !json.is_empty() {
            self.comma();
            self.0.push_str(json);
        }
        self
    }

    /// Writes a member that is a text.
    pub(super) fn with(&mut self, name: &str, value: &str) -> &mut Self {
        self.key(name).text(value)
    }

    /// Writes a member that is a number or a truth.
    pub(super) fn put(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.key(name).plain(value)
    }

    /// Writes members that are null.
    pub(super) fn nulls(&mut self, names: &[&str]) -> &mut Self {
        for name in names {
            self.key(name).raw("null");
        }
        self
    }

    /// Writes a member that is a list of texts, inside TOP's wrapper if there is one.
    pub(super) fn texts(&mut self, name: &str, wrapper: Option<&str>, values: &[&str]) -> &mut Self {
        self.key(name).open_list(wrapper);
        for value in values {
            self.text(value);
        }
        self.close_list(wrapper)
    }

    /// Opens a list, inside TOP's wrapper (`{"string":[`) if there is one.
    pub(super) fn open_list(&mut self, wrapper: Option<&str>) -> &mut Self {
        if let Some(wrapper) = wrapper {
            self.object().key(wrapper);
        }
        self.list()
    }

    /// Closes what [`Json::open_list`] opened.
    pub(super) fn close_list(&mut self, wrapper: Option<&str>) -> &mut Self {
        self.end_list();
        if wrapper.is_some() {
            self.end();
        }
        self
    }

    /// Puts a comma where one is needed: after a whole value, which never ends in `{`, `[` or `:`.
    fn comma(&mut self) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
    }
}

/// Writes cents as a price: `1250` as `12.50`.
pub(super) fn price(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_parser_reads_back() {
        let mut json = Json::default();
        let odd = "12\" \\ tab\t\nline\u{1} 笔 𠮷 🎁 :";
        json.object().with("a", odd).put("b", 7).key("c").list().text(":").text("{").end_list();
        json.texts("d", Some("string"), &["x", "y"]).texts("e", None, &[]).nulls(&["f"]).end();
        let back: serde_json::Value = serde_json::from_str(&json.finish()).unwrap();
        assert_eq!(
            back,
            serde_json::json!({"a": odd, "b": 7, "c": [":", "{"], "d": {"string": ["x", "y"]}, "e": [], "f": null})
        );
    }

    #[test]
    fn prices_have_two_digits() {
        assert_eq!((price(5).as_str(), price(1_250).as_str()), ("0.05", "12.50"));
    }
}
