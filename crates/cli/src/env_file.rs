//! Reads the files that existing scripts keep their keys in: `.env` files, and lines
//! `PLATFORM:KEY:SECRET`.
//!
//! No error quotes a line: it may hold a secret.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use sesame_core::Error;
use sesame_vault::import::{COLUMNS, parse_time};

use crate::{bounded_file, exit::CliResult};

/// The largest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// Returns `true` if a name is read somewhere; the value of another one may be anything.
fn is_read(name: &str) -> bool {
    let is_column = COLUMNS.iter().any(|column| column.eq_ignore_ascii_case(name));
    is_column || matches!(name, "PLATFORM" | "REDIRECT_URI" | "EXPIRES_AT") || name.ends_with("_ID")
}

const NOT_FILLED_IN: &str = "the value is a variable that a shell would fill in, and none does here; write the value itself, or put a text that begins with $ in single quotes";

/// What one file holds.
#[derive(Default)]
pub(crate) struct EnvFile {
    /// Names, values and their lines.
    values: Vec<(String, String, usize)>,
    /// Lines `PLATFORM:KEY:SECRET`.
    pub(crate) apps: Vec<AppLine>,
}

/// A line `PLATFORM:KEY:SECRET`.
pub(crate) struct AppLine {
    /// Its number.
    pub(crate) line: usize,
    /// The platform's name, as written.
    pub(crate) platform: String,
    /// The app key.
    pub(crate) key: String,
    /// The app secret.
    pub(crate) secret: String,
}

impl EnvFile {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// Usage, with file and line, for what is neither.
    pub(crate) fn read(path: &Path) -> CliResult<Self> {
        let shown = bounded_file::shown(path);
        let bytes = bounded_file::read_or_stdin(path, MAX_FILE)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("{shown} is not UTF-8 text")).with_hint("Save it as UTF-8."))?;
        Self::parse(&text).map_err(|(line, why)| {
            Error::usage(format!("{shown}, line {line}: {why}"))
                .with_hint("Write NAME=VALUE or PLATFORM:KEY:SECRET, one a line; # starts a comment.")
                .into()
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut file = Self::default();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let number = at + 1;
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let name_end = line.find(['=', ':']).ok_or((number, "there is no = or : in it"))?;
            let (name, rest) = (line[..name_end].trim(), &line[name_end + 1..]);
            if line.as_bytes()[name_end] == b':' {
                let (key, secret) =
                    rest.split_once(':').ok_or((number, "a line PLATFORM:KEY:SECRET has three parts"))?;
                let (key, secret) = (key.trim(), secret.trim());
                if name.is_empty() || key.is_empty() || secret.is_empty() {
                    return Err((number, "a part of PLATFORM:KEY:SECRET is empty"));
                }
                if is_variable(key) || is_variable(secret) {
                    return Err((number, NOT_FILLED_IN));
                }
                file.apps.push(AppLine {
                    line: number,
                    platform: name.to_owned(),
                    key: key.to_owned(),
                    secret: secret.to_owned(),
                });
                continue;
            }
            if name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
            {
                return Err((number, "the name before the = is not made of letters, digits and _"));
            }
            let value = unquote(rest.trim()).ok_or((number, "a quote is not closed"))?;
            if is_read(name) && !rest.trim().starts_with('\'') && is_variable(&value) {
                return Err((number, NOT_FILLED_IN));
            }
            file.values.retain(|(known, ..)| known != name);
            file.values.push((name.to_owned(), value, number));
        }
        Ok(file)
    }

    /// Returns the platform that it names, be it in its one line of an app, which is that of the tokens.
    pub(crate) fn platform(&self) -> Option<&str> {
        self.get("PLATFORM").or_else(|| match self.apps.as_slice() {
            [line] if self.get("APP_KEY").is_none() => Some(line.platform.as_str()),
            _ => None,
        })
    }

    /// Returns a value; empty ones count as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values().find(|(known, ..)| *known == name).map(|(_, text, _)| text)
    }

    /// Returns all values that are not empty, with their names and lines.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        let values = self.values.iter().filter(|(_, text, _)| !text.is_empty());
        values.map(|(name, text, line)| (name.as_str(), text.as_str(), *line))
    }

    /// Returns a time. `zone` is that of times without one.
    ///
    /// # Errors
    /// Usage, for a value that is no time.
    pub(crate) fn time(&self, name: &str, zone: &TimeZone) -> CliResult<Option<Timestamp>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse_time(text, zone) {
            Some(at) => Ok(Some(at)),
            // The value is not quoted: with a line mixed up it may be a token.
            None => Err(Error::usage(format!("{name} is not a time"))
                .with_hint("Write seconds or milliseconds since 1970, 2026-11-21T12:00:00Z, or 2026-11-21 12:00:00 (local time, or --timezone).")
                .into()),
        }
    }
}

/// Tells whether a value is `$NAME`, or has a `${NAME}` in it.
fn is_variable(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let in_brackets = |rest: &str| {
        let name = rest.split_once('}').map_or("", |(name, _)| name);
        // ${NAME:-other}
        is_name(name.split(':').next().unwrap_or(name))
    };
    text.strip_prefix('$').is_some_and(is_name) || text.split("${").skip(1).any(in_brackets)
}

/// Takes quotes and a comment off a value.
fn unquote(text: &str) -> Option<String> {
    match text.as_bytes().first() {
        Some(b'\'') => {
            let end = text[1..].find('\'')?;
            Some(text[1..=end].to_owned())
        }
        Some(b'"') => {
            let mut out = String::new();
            let mut chars = text[1..].chars();
            loop {
                match chars.next()? {
                    '"' => return Some(out),
                    '\\' => match chars.next()? {
                        'n' => out.push('\n'),
                        'r' => out.push('\r'),
                        't' => out.push('\t'),
                        other => out.push(other),
                    },
                    other => out.push(other),
                }
            }
        }
        // A # inside a word belongs to the value; secrets have been seen with one.
        _ => Some(text.find(" #").map_or(text, |at| &text[..at]).trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> EnvFile {
        EnvFile::parse(text).unwrap_or_else(|(line, why)| panic!("line {line}: {why}"))
    }

    #[test]
    fn env_files_of_existing_scripts_are_read() {
        let file = parse(
            "\u{feff}# keys of the app\r\nAPP_KEY=500123\r\nexport APP_SECRET=\"a#b\\\"c\"\r\nREDIRECT_URI = 'https://example.com/cb?x=1#y'\r\n\r\nACCESS_TOKEN=tok#en # the newest\r\nEMPTY=\r\nAPP_KEY=500124\r\n",
        );
        assert_eq!(file.get("APP_KEY"), Some("500124"), "the last one counts, as in a shell");
        assert_eq!(file.get("APP_SECRET"), Some("a#b\"c"));
        assert_eq!(file.get("REDIRECT_URI"), Some("https://example.com/cb?x=1#y"));
        assert_eq!(file.get("ACCESS_TOKEN"), Some("tok#en"));
        assert_eq!(file.get("EMPTY"), None);
        assert_eq!(file.get("OTHER"), None);
    }

    #[test]
    fn app_lines_are_read_and_may_stand_beside() {
        let file = parse("alibaba:500123:se:cr=et\n1688 : 77 : x\nNAME=1\n");
        let apps: Vec<_> = file
            .apps
            .iter()
            .map(|app| (app.platform.as_str(), app.key.as_str(), app.secret.as_str()))
            .collect();
        assert_eq!(apps, [("alibaba", "500123", "se:cr=et"), ("1688", "77", "x")]);
        assert_eq!(file.get("NAME"), Some("1"));
    }

    #[test]
    fn a_bad_line_is_named_and_not_quoted() {
        for (text, line) in
            [("A=1\nverysecret\n", 2), ("A='open\n", 1), ("a b=1", 1), ("alibaba:key", 1), ("x::y", 1)]
        {
            let Err((number, why)) = EnvFile::parse(text) else { panic!("{text:?} was read") };
            assert_eq!(number, line);
            assert!(!why.contains("verysecret"));
        }
    }
}
