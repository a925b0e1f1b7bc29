//! Reads `multipart/form-data` the way tolerant servers do.
//!
//! One official SDK writes `Content-Disposition: file` (protocols 3.3), others end lines with LF
//! only or leave the last line break out; a strict reader would refuse what the platforms take.

use std::borrow::Cow;

use memchr::memmem;

/// A part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: Cow<'a, str>,
    /// True for a file: its content is not signed.
    pub(crate) file: bool,
    pub(crate) content: &'a [u8],
}

/// Finds the boundary in a media type.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then_some(value)
    })
}

/// Splits a body into its parts; an error says what is wrong with it.
pub(crate) fn parts<'a>(body: &'a [u8], boundary: &str, most: usize) -> Result<Vec<Part<'a>>, String> {
    let delimiter = format!("--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let mut out = Vec::new();
    let mut at =
        finder.find(body).ok_or("the multipart body does not hold its own boundary")? + delimiter.len();
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(out);
        }
        let head_from = at + line_break(rest).ok_or("a multipart boundary does not end its line")?;
        let Some(next) = next_boundary(&body[head_from..], &finder) else {
            return Err("the multipart body ends before its last boundary".to_owned());
        };
        if out.len() >= most {
            return Err(format!("the multipart body has more than {most} parts"));
        }
        out.push(part(&body[head_from..head_from + next.0])?);
        at = head_from + next.1;
    }
}

/// Returns where the content before the next boundary ends, and where the boundary ends.
///
/// A boundary counts only at the beginning of a line.
fn next_boundary(body: &[u8], finder: &memmem::Finder<'_>) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let found = from + finder.find(&body[from..])?;
        let end = found + finder.needle().len();
        if found == 0 {
            return Some((0, end));
        }
        if body[found - 1] == b'\n' {
            let content = if found >= 2 && body[found - 2] == b'\r' { found - 2 } else { found - 1 };
            return Some((content, end));
        }
        from = end;
    }
}

/// The length of the white space and line break at the beginning of `rest`.
fn line_break(rest: &[u8]) -> Option<usize> {
    let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &rest[blank..] {
        [b'\r', b'\n', ..] => Some(blank + 2),
        [b'\n', ..] => Some(blank + 1),
        _ => None,
    }
}

fn part(bytes: &[u8]) -> Result<Part<'_>, String> {
    let mut at = 0;
    let mut found: Option<(Cow<'_, str>, bool)> = None;
    loop {
        let end = memchr::memchr(b'\n', &bytes[at..])
            .ok_or("a multipart part has no empty line after its headers")?;
        let line = bytes[at..at + end].strip_suffix(b"\r").unwrap_or(&bytes[at..at + end]);
        at += end + 1;
        if line.is_empty() {
            break;
        }
        let Ok(line) = std::str::from_utf8(line) else { continue };
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-disposition")
        {
            found = disposition(value);
        }
    }
    let (name, file) = found.ok_or("a multipart part has no name")?;
    Ok(Part { name, file, content: &bytes[at..] })
}

/// Reads `form-data; name="a"; filename="b"`.
fn disposition(value: &str) -> Option<(Cow<'_, str>, bool)> {
    let mut name = None;
    let kind = value.split(';').next().unwrap_or_default().trim();
    let mut file = kind.eq_ignore_ascii_case("file");
    let mut rest = &value[value.find(';')? + 1..];
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let Some((key, after)) = rest.split_once('=') else { break };
        let after = after.trim_start();
        let (text, left) = match after.strip_prefix('"') {
            Some(quoted) => {
                // A backslash keeps the next quote in the value.
                let mut end = None;
                let mut escaped = false;
                for (at, byte) in quoted.bytes().enumerate() {
                    match byte {
                        b'\\' if !escaped => escaped = true,
                        b'"' if !escaped => {
                            end = Some(at);
                            break;
                        }
                        _ => escaped = false,
                    }
                }
                let end = end?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => after.split_once(';').unwrap_or((after, "")),
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(unescaped(text.trim_end())),
            "filename" | "filename*" => file = true,
            _ => {}
        }
        rest = left;
    }
    Some((name?, file))
}

/// Undoes both ways of escaping in use: `\"` and browsers' `%22`, `%0D`, `%0A`.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '%']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
    Cow::Owned(text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_official_python_sdk_writes() {
        let body = "--PYTHON_SDK_BOUNDARY\r\nContent-Disposition: form-data; name=\"name\"\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n中文 a&b\r\n--PYTHON_SDK_BOUNDARY\r\nContent-Disposition: file; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\u{1}--PYTHON\r\n\r\n--PYTHON_SDK_BOUNDARY--\r\n";
        let parts = parts(body.as_bytes(), "PYTHON_SDK_BOUNDARY", 10).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].name.as_ref(), parts[0].file), ("name", false));
        assert_eq!(parts[0].content, "中文 a&b".as_bytes());
        assert_eq!((parts[1].name.as_ref(), parts[1].file), ("image", true));
        assert_eq!(parts[1].content, b"\x01--PYTHON\r\n");
    }

    #[test]
    fn takes_line_feeds_quotes_and_a_missing_last_break() {
        let body = b"preamble\n--x\nContent-Disposition: form-data; name=a%22b\n\n1\n--x\ncontent-disposition: form-data; name=\"c\\\"d\"\n\n\n--x--";
        let parts = parts(body, "x", 10).unwrap();
        assert_eq!((parts[0].name.as_ref(), parts[0].content), ("a\"b", &b"1"[..]));
        assert_eq!((parts[1].name.as_ref(), parts[1].content), ("c\"d", &b""[..]));
    }

    #[test]
    fn says_what_is_wrong() {
        for (body, what) in [
            (&b"nothing"[..], "its own boundary"),
            (b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1", "ends before"),
            (b"--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--", "has no name"),
            (b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n--x--", "no empty line"),
            (b"--x\r\n--x\r\n--x--", "no empty line"),
        ] {
            let error = parts(body, "x", 10).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        let many = b"--x\n\n--x\n".to_vec();
        assert!(parts(&many, "x", 0).is_err());
    }

    #[test]
    fn finds_the_boundary() {
        assert_eq!(boundary("multipart/form-data; charset=UTF-8; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("multipart/form-data;Boundary=ab"), Some("ab"));
        assert_eq!(boundary("multipart/form-data"), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = parts(&body, "x", 5);
            let mut framed = b"--x\r\n".to_vec();
            framed.extend_from_slice(&body);
            framed.extend_from_slice(b"\r\n--x--");
            let _ = parts(&framed, "x", 5);
        }
    }
}
