//! Apps that are given from outside: `PLATFORM:KEY:SECRET`, one a line.

use std::{io::Read, path::Path};

use sesame_core::{AppSecret, Error, Result};

/// The largest app file that is read.
const MAX_FILE: u64 = 1 << 20;

/// An app beside the invented ones.
///
/// Several platforms may have the same key; then the route of a request, and the API it
/// names, tell which one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSpec {
    /// The platform's name.
    pub platform: String,
    /// The app key.
    pub key: String,
    /// The app secret.
    pub secret: AppSecret,
}

impl AppSpec {
    /// Reads an app file. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the file cannot be read,
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) with the number of a line that is wrong.
    pub fn parse_file(path: &Path) -> Result<Vec<Self>> {
        let read = || -> std::io::Result<String> {
            // A pipe or a device might never end.
            if !std::fs::metadata(path)?.is_file() {
                return Err(std::io::Error::other("it is not a regular file"));
            }
            let mut text = String::new();
            std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
            if text.len() as u64 > MAX_FILE {
                return Err(std::io::Error::other(format!("it has more than {MAX_FILE} bytes")));
            }
            Ok(text)
        };
        let text = read().map_err(|error| {
            Error::local(format!("cannot read the app file {}: {error}", path.display())).with_source(error)
        })?;
        Self::parse(&text).map_err(|error| error.context(path.display()))
    }

    /// Reads the text of an app file.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) with the number of a line that is wrong.
    /// The line itself is never repeated: it may hold a secret.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let mut apps: Vec<Self> = Vec::new();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| {
                Error::usage(format!("line {}: {what}", at + 1)).with_hint(
                    "Write one app a line: PLATFORM:KEY:SECRET, e.g. lazada:100240:0123456789abcdef.",
                )
            };
            let mut parts = line.splitn(3, ':').map(str::trim);
            let (Some(platform), Some(key), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(wrong("there are not three parts with colons between them"));
            };
            if platform.is_empty() {
                return Err(wrong("the platform is missing"));
            }
            if key.is_empty() || key.len() > 64 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(wrong("the app key is not 1 to 64 letters and digits"));
            }
            if secret.is_empty() {
                return Err(wrong("the app secret is missing"));
            }
            if apps.iter().any(|app| app.platform == platform && app.key == key) {
                return Err(wrong("this platform and app key are listed twice"));
            }
            apps.push(Self {
                platform: platform.to_owned(),
                key: key.to_owned(),
                secret: AppSecret::new(secret),
            });
        }
        Ok(apps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_apps_and_skips_comments() {
        let apps = AppSpec::parse("# captured\n\nlazada:100240:abc:def\r\n 1688 : 7 : s \n").unwrap();
        assert_eq!(apps.len(), 2);
        assert_eq!(apps[0].secret.expose(), "abc:def");
        assert_eq!((apps[1].platform.as_str(), apps[1].key.as_str()), ("1688", "7"));
    }

    #[test]
    fn names_the_line_but_never_the_secret() {
        for (text, part) in [
            ("lazada:1:s3cr3t-planted\nlazada:1:s3cr3t-planted", "line 2: this platform"),
            ("s3cr3t-planted", "line 1: there are not three parts"),
            ("lazada::s3cr3t-planted", "line 1: the app key"),
            ("lazada:9:", "line 1: the app secret"),
            (":9:s3cr3t-planted", "line 1: the platform"),
        ] {
            let error = AppSpec::parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
        }
    }

    #[test]
    fn says_which_file() {
        let error = AppSpec::parse_file(Path::new("/nowhere/apps")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/apps"), "{error}");
        let error = AppSpec::parse_file(&std::env::temp_dir()).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}
