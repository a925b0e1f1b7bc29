//! A request as it arrived: parameters from query, form, multipart and JSON, in one list.
//!
//! Real SDKs send parameters in the query of a POST, split between query and body, as JSON beside
//! the same query, or without a media type at all; every one of them has to be read.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use crate::{fixtures::Args, multipart};

/// Maximum number of parameters of a request.
pub(crate) const MAX_PARAMS: usize = 2_000;
/// Maximum number of headers of a request.
pub(crate) const MAX_HEADERS: usize = 128;

/// A request that cannot be read. Answered before any gateway looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// A text that borrows from the request where it can.
pub(crate) type Text<'a> = Cow<'a, str>;

/// The head of a request, as far as reading parameters needs it.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) content_type: Option<&'a str>,
    /// TOP's `top-api-separator`.
    pub(crate) separator: Option<&'a str>,
    /// `If-None-Match`.
    pub(crate) none_match: Option<&'a str>,
}

/// One reading of which parameters were signed.
pub(crate) struct Reading<'a> {
    pub(crate) pairs: Vec<(&'a str, &'a str)>,
    /// True when empty ones that came are left out.
    pub(crate) without_empty: bool,
}

/// Parameters as they arrived. Those that came twice with the same value stand here once.
/// No `Debug`: they hold secrets.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pairs: Vec<(Text<'a>, Text<'a>)>,
    /// From here on the pairs came only in a JSON body.
    json_from: usize,
    /// From here on they were `null` there: kept as empty texts, because one client signs them so.
    nulls_from: usize,
    files: Vec<Text<'a>>,
    doubled: Option<String>,
    /// Why the body, or a part of it, could not be read.
    unread: Option<String>,
}

impl<'a> Fields<'a> {
    /// Reads query and body.
    pub(crate) fn read(head: &Head<'a>, body: &'a [u8]) -> Result<Self, Unreadable> {
        let mut fields = Self::of_query(head)?;
        if body.is_empty() {
            return Ok(fields);
        }
        let kind = head.content_type.unwrap_or_default();
        // Media types are compared without case (RFC 9110, 8.3.1).
        let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if media.starts_with("multipart/") {
            fields.add_multipart(kind, body)?;
        } else if media.ends_with("json") || (first == Some(&b'{') && !media.ends_with("urlencoded")) {
            fields.add_json(body)?;
        } else if media.is_empty() || media.ends_with("urlencoded") || media == "text/plain" {
            fields.add_form(body)?;
        }
        // Any other media type carries no parameters; the gateways miss what they need and say so.
        Ok(fields)
    }

    /// Reads the query alone: batches sign their body as it is.
    pub(crate) fn of_query(head: &Head<'a>) -> Result<Self, Unreadable> {
        let mut fields = Self::with_room(16);
        fields.add_form(head.query.as_bytes())?;
        Ok(fields)
    }

    /// Reads one form-encoded text.
    pub(crate) fn of_form(form: &'a [u8]) -> Result<Self, Unreadable> {
        let mut fields = Self::with_room(8);
        fields.add_form(form)?;
        Ok(fields)
    }

    fn with_room(pairs: usize) -> Self {
        Self {
            pairs: Vec::with_capacity(pairs),
            json_from: usize::MAX,
            nulls_from: usize::MAX,
            ..Self::default()
        }
    }

    fn add_form(&mut self, form: &'a [u8]) -> Result<(), Unreadable> {
        for (name, value) in form_urlencoded::parse(form) {
            self.add(name, value)?;
        }
        Ok(())
    }

    fn add(&mut self, name: Text<'a>, value: Text<'a>) -> Result<(), Unreadable> {
        // Up to MAX_PARAMS a linear search is as good as a map: requests have ten of them.
        if let Some((_, seen)) = self.pairs.iter().find(|(seen, _)| *seen == name) {
            if *seen != value && self.doubled.is_none() {
                self.doubled = Some(name.into_owned());
            }
            return Ok(());
        }
        if self.pairs.len() >= MAX_PARAMS {
            return Err(Unreadable {
                status: 400,
                code: "too-many-parameters",
                message: format!("the request has more than {MAX_PARAMS} parameters"),
            });
        }
        self.pairs.push((name, value));
        Ok(())
    }

    fn add_multipart(&mut self, content_type: &str, body: &'a [u8]) -> Result<(), Unreadable> {
        let broken = |message: String| Unreadable { status: 400, code: "broken-multipart", message };
        let boundary = multipart::boundary(content_type)
            .ok_or_else(|| broken("the media type multipart/form-data names no boundary".to_owned()))?;
        for part in multipart::parts(body, boundary, MAX_PARAMS).map_err(broken)? {
            if part.file {
                self.files.push(part.name);
            } else {
                self.add(part.name, String::from_utf8_lossy(part.content))?;
            }
        }
        Ok(())
    }

    /// Adds the members of a JSON object whose names are not there yet: one SDK sends everything
    /// in the query and a copy as JSON, which is not signed (protocols 2.3).
    ///
    /// Anything but an object is the gateway's to answer: with what could be read, in its own words.
    fn add_json(&mut self, body: &'a [u8]) -> Result<(), Unreadable> {
        let Ok(text) = std::str::from_utf8(body) else {
            self.unread = Some("the JSON body is not UTF-8".to_owned());
            return Ok(());
        };
        // What programs write for "nothing": PHP's empty array, a missing object, an empty text.
        if matches!(text.trim(), "" | "[]" | "null" | "\"\"") {
            return Ok(());
        }
        let members: BTreeMap<String, &'a RawValue> = match serde_json::from_str(text) {
            Ok(members) => members,
            Err(error) => {
                // Some clients put a form under the media type of JSON.
                if text.contains('=') && !text.trim_start().starts_with(['{', '[', '"']) {
                    return self.add_form(text.trim().as_bytes());
                }
                self.unread = Some(format!("the JSON body is not an object of parameters: {error}"));
                return Ok(());
            }
        };
        self.json_from = self.pairs.len();
        let mut nulls = Vec::new();
        for (name, raw) in members {
            if self.pairs[..self.json_from].iter().any(|(seen, _)| *seen == name) {
                continue;
            }
            let raw = raw.get();
            let value = match raw.as_bytes().first() {
                Some(b'n') => {
                    nulls.push(name);
                    continue;
                }
                Some(b'"') => match serde_json::from_str::<String>(raw) {
                    Ok(text) => Cow::Owned(text),
                    Err(error) => {
                        let shown: String = name.chars().take(64).collect();
                        self.unread = Some(format!(
                            "the member {shown:?} of the JSON body holds a damaged text: {error}"
                        ));
                        continue;
                    }
                },
                _ => Cow::Borrowed(raw),
            };
            self.add(Cow::Owned(name), value)?;
        }
        self.nulls_from = self.pairs.len();
        for name in nulls {
            self.add(Cow::Owned(name), Cow::Borrowed(""))?;
        }
        Ok(())
    }

    /// Returns a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(seen, _)| seen == name).map(|(_, value)| value.as_ref())
    }

    /// Returns a value that is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns all parameters, in the order they came, for signing.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect()
    }

    /// Returns the readings of what a client may have signed, the plainest first: all parameters,
    /// those that did not only come in a JSON body, and both without empty ones.
    ///
    /// Without `lenient` the only empty ones that may go are the `null`s of a JSON body.
    pub(crate) fn readings(&self, lenient: bool) -> Vec<Reading<'_>> {
        let mut out = Vec::with_capacity(4);
        let json_from = self.json_from.min(self.pairs.len());
        for end in [self.pairs.len(), json_from] {
            if end == json_from && !out.is_empty() && json_from == self.pairs.len() {
                break;
            }
            let all: Vec<(&str, &str)> =
                self.pairs[..end].iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
            let filled: Vec<(&str, &str)> = all
                .iter()
                .enumerate()
                .filter(|(at, (_, value))| !value.is_empty() || !(lenient || *at >= self.nulls_from))
                .map(|(_, pair)| *pair)
                .collect();
            let fewer = filled.len() < all.len();
            out.push(Reading { pairs: all, without_empty: false });
            if fewer {
                out.push(Reading { pairs: filled, without_empty: true });
            }
        }
        out
    }

    /// Returns why the body, or a part of it, could not be read.
    pub(crate) fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// Returns the name that came with two different values.
    pub(crate) fn doubled(&self) -> Option<&str> {
        self.doubled.as_deref()
    }

    /// Returns `true` if a file part of this name came.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.files.iter().any(|file| file == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

impl Args for Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        Fields::get(self, name)
    }
}

/// Parameters with some more in front: path variables, members of `_data_`, shared ones of a batch.
pub(crate) struct Layered<'a> {
    pub(crate) first: &'a dyn Args,
    pub(crate) then: &'a dyn Args,
}

impl Args for Layered<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.first.get(name).or_else(|| self.then.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head<'a>(query: &'a str, content_type: Option<&'a str>) -> Head<'a> {
        Head { path: "/", query, content_type, separator: None, none_match: None }
    }

    #[test]
    fn merges_query_and_form_whatever_the_charset() {
        for kind in [
            None,
            Some("application/x-www-form-urlencoded"),
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            Some("text/plain"),
        ] {
            let fields =
                Fields::read(&head("a=1&m=x&m=x", kind), b"q=%E4%B8%AD+a%26b%2B&empty=&%F0%9F%98%80=4")
                    .unwrap();
            assert_eq!(
                fields.pairs(),
                [("a", "1"), ("m", "x"), ("q", "中 a&b+"), ("empty", ""), ("😀", "4")],
                "{kind:?}"
            );
            assert_eq!(fields.doubled(), None);
            assert_eq!((fields.get("empty"), fields.filled("empty")), (Some(""), None));
        }
        let doubled = Fields::read(&head("m=x", None), b"m=y").unwrap();
        assert_eq!(doubled.doubled(), Some("m"));
    }

    #[test]
    fn takes_json_as_parameters_but_not_twice() {
        let body = br#"{"a":1,"b":"caf\u00e9","c":{"x":[1, 2]},"d":true,"e":null,"f":12.50}"#;
        let fields = Fields::read(&head("a=01", Some("application/json")), body).unwrap();
        assert_eq!(
            fields.pairs(),
            [("a", "01"), ("b", "café"), ("c", "{\"x\":[1, 2]}"), ("d", "true"), ("f", "12.50"), ("e", "")]
        );
        let lens = |lenient| {
            let readings = fields.readings(lenient);
            readings.iter().map(|reading| reading.pairs.len()).collect::<Vec<_>>()
        };
        assert_eq!((lens(true), lens(false)), (vec![6, 5, 1], vec![6, 5, 1]));
        let all = Fields::read(&head("", None), body).unwrap();
        assert_eq!(all.get("a"), Some("1"));
    }

    #[test]
    fn json_that_is_no_object_is_left_to_the_gateway() {
        for kind in ["application/json", "Application/JSON; charset=UTF-8"] {
            let head = head("a=1", Some(kind));
            for nothing in ["[]", " null\n", "\"\"", " "] {
                let fields = Fields::read(&head, nothing.as_bytes()).unwrap();
                assert_eq!((fields.pairs(), fields.unread()), (vec![("a", "1")], None), "{nothing}");
            }
            let fields = Fields::read(&head, b"b=%20&c=3").unwrap();
            assert_eq!((fields.pairs(), fields.unread()), (vec![("a", "1"), ("b", " "), ("c", "3")], None));
            for broken in [&b"[1]"[..], b"{", b"\xff", b"{\"b\":\"\\ud800\"}", b"12"] {
                let fields = Fields::read(&head, broken).unwrap();
                assert_eq!(fields.pairs(), [("a", "1")]);
                assert!(fields.unread().unwrap().contains("JSON body"), "{broken:?}");
            }
        }
    }

    #[test]
    fn readings_differ_by_what_may_be_left_out() {
        let lens = |query: &str, lenient| {
            let fields =
                Fields::read(&head(query, Some("application/json")), b"{\"x\":\"\",\"y\":2}").unwrap();
            fields.readings(lenient).iter().map(|reading| reading.pairs.len()).collect::<Vec<_>>()
        };
        assert_eq!(lens("a=1&b=", true), [4, 2, 2, 1]);
        assert_eq!(lens("a=1&b=", false), [4, 2]);
        let plain = Fields::read(&head("a=1", None), b"").unwrap();
        assert_eq!(plain.readings(true).len(), 1);
    }

    #[test]
    fn files_are_named_and_not_parameters() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\nContent-Disposition: file; name=\"image\"; filename=\"x\"\r\n\r\n\xff\r\n--b--";
        let fields = Fields::read(&head("s=2", Some("multipart/form-data;boundary=b")), body).unwrap();
        assert_eq!(fields.pairs(), [("s", "2"), ("a", "1")]);
        assert!(fields.has_file("image") && !fields.has_file("a"));
    }

    #[test]
    fn too_many_parameters_are_refused() {
        let query = (0..=MAX_PARAMS).map(|at| format!("p{at}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(Fields::read(&head(&query, None), b"").err().unwrap().code, "too-many-parameters");
    }
}
