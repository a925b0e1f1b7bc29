//! Reads `NAME=VALUE`, `NAME=@FILE` and `NAME:=JSON`.

use std::{io::Read, path::Path};

use serde_json::{Map, Value};
use sesame_core::{Error, params::File};

use crate::exit::CliResult;

/// The largest file that becomes a part or a value.
const MAX_FILE: u64 = 64 << 20;

/// Arguments of a call.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// Texts and JSON values.
    pub(crate) values: Map<String, Value>,
    /// Files.
    pub(crate) files: Vec<(String, File)>,
}

/// Splits `NAME=VALUE` as it stands: no files, no JSON.
///
/// # Errors
/// Usage, for a word without `=`, an empty name or a name given twice.
pub(crate) fn split_literal(words: &[String]) -> CliResult<Vec<(String, String)>> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(words.len());
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| no_equals(word))?;
        check(name, word, out.iter().any(|(known, _)| known == name))?;
        out.push((name.to_owned(), value.to_owned()));
    }
    Ok(out)
}

/// Reads the arguments of a call. `is_file` tells which parameters are files by contract; the
/// content of other files becomes text.
///
/// # Errors
/// Usage, as [`split_literal`], and for files that cannot be read and invalid JSON.
pub(crate) fn read(words: &[String], is_file: impl Fn(&str) -> bool) -> CliResult<Arguments> {
    let mut out = Arguments::default();
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| no_equals(word))?;
        let (name, json) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
        let doubled = out.values.contains_key(name) || out.files.iter().any(|(known, _)| known == name);
        check(name, word, doubled)?;
        if json {
            let text = match value.strip_prefix('@') {
                Some(path) => text_of(name, path)?,
                None => value.to_owned(),
            };
            let value = serde_json::from_str(&text).map_err(|error| {
                Error::usage(format!("the value of {name:?} is not JSON: {error}"))
                    .with_hint(format!("Write {name}:='{{\"key\":1}}', or {name}=TEXT for text."))
            })?;
            out.values.insert(name.to_owned(), as_typed(value, &text));
        } else if let Some(path) = value.strip_prefix('@') {
            if is_file(name) {
                out.files.push((name.to_owned(), file(name, path)?));
            } else {
                out.values.insert(name.to_owned(), Value::String(text_of(name, path)?));
            }
        } else {
            out.values.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    }
    Ok(out)
}

/// Keeps the text of a number or an object that the parser would write in another way: `1E2` as `1e+2`,
/// for one. That text is what is signed and sent. Lists stay lists: some platforms want their items
/// joined by commas.
fn as_typed(value: Value, text: &str) -> Value {
    let bare = |text: &str| -> String { text.split_whitespace().collect() };
    if matches!(value, Value::Number(_) | Value::Object(_)) && bare(&value.to_string()) != bare(text) {
        return Value::String(text.trim().to_owned());
    }
    value
}

fn no_equals(word: &str) -> Error {
    // The word may be a secret that slipped in; its length says enough.
    let shown: String = word.chars().take(20).collect();
    Error::usage(format!("{shown:?} is not a parameter"))
        .with_hint("Write NAME=VALUE, NAME=@FILE for the content of a file, or NAME:=JSON for a typed value.")
}

fn check(name: &str, word: &str, doubled: bool) -> CliResult {
    if name.is_empty() {
        return Err(no_equals(word).into());
    }
    if doubled {
        return Err(Error::usage(format!("the parameter {name:?} is given twice"))
            .with_hint("Give it once; a list goes into one parameter, as JSON or joined by commas.")
            .into());
    }
    Ok(())
}

fn bytes_of(name: &str, path: &str) -> CliResult<Vec<u8>> {
    let wrong = |why: String| Error::usage(format!("the parameter {name:?} cannot be read: {why}"));
    let mut content = Vec::new();
    let read = if path == "-" {
        std::io::stdin().take(MAX_FILE + 1).read_to_end(&mut content)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content))
    };
    read.map_err(|error| {
        let shown = if path == "-" { "standard input" } else { path };
        wrong(format!("{shown}: {error}"))
            .with_hint("NAME=@FILE reads a file. For a text that begins with @, use NAME:='\"@text\"'.")
    })?;
    if content.len() as u64 > MAX_FILE {
        return Err(wrong(format!("{path} is larger than {} MiB", MAX_FILE >> 20)).into());
    }
    Ok(content)
}

fn text_of(name: &str, path: &str) -> CliResult<String> {
    String::from_utf8(bytes_of(name, path)?).map_err(|_| {
        Error::usage(format!("the parameter {name:?}: {path} is not UTF-8 text"))
            .with_hint("Only parameters that the catalog lists as files take other content; see `sesame apis show API`.")
            .into()
    })
}

fn file(name: &str, path: &str) -> CliResult<File> {
    let content = bytes_of(name, path)?;
    let file_name = Path::new(path)
        .file_name()
        .map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned());
    let file_name = if path == "-" { "stdin".to_owned() } else { file_name };
    Ok(File::new(file_name, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn literal_values_keep_everything_after_the_first_equals() {
        let pairs = split_literal(&words(&["a=", "b=x=y&z", "c=@file", "d:=1"])).unwrap();
        assert_eq!(pairs[0], ("a".to_owned(), String::new()));
        assert_eq!(pairs[1].1, "x=y&z");
        assert_eq!(pairs[2].1, "@file");
        assert_eq!(pairs[3].0, "d:");
    }

    #[test]
    fn doubled_and_nameless_parameters_are_refused() {
        assert!(split_literal(&words(&["a=1", "a=1"])).is_err());
        assert!(split_literal(&words(&["=1"])).is_err());
        assert!(split_literal(&words(&["word"])).is_err());
        assert!(read(&words(&["a=1", "a:=2"]), |_| false).is_err());
    }

    #[test]
    fn json_stays_typed_and_files_become_parts_or_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.png");
        std::fs::write(&path, b"\x89PNG....").unwrap();
        let text = dir.path().join("t.xml");
        std::fs::write(&text, "<a/>").unwrap();
        let list = words(&[
            "n:=12",
            "o:={\"b\":1,\"a\":2}",
            &format!("image=@{}", path.display()),
            &format!("xml=@{}", text.display()),
            "s=true",
        ]);
        let got = read(&list, |name| name == "image").unwrap();
        assert_eq!(got.values["n"], 12);
        assert_eq!(got.values["o"].to_string(), "{\"b\":1,\"a\":2}");
        let odd =
            read(&words(&["p:= 1E2", "q:={ \"a\" : [1E2, 1.10] }", "l:=[12.50, \"x\"]"]), |_| false).unwrap();
        assert_eq!(odd.values["p"], "1E2");
        assert_eq!(odd.values["q"], "{ \"a\" : [1E2, 1.10] }");
        assert_eq!(odd.values["l"].to_string(), "[12.50,\"x\"]");
        assert_eq!(got.values["xml"], "<a/>");
        assert_eq!(got.values["s"], "true");
        assert_eq!(got.files[0].1.content_type, "image/png");
        assert_eq!(got.files[0].1.file_name, "p.png");
        assert!(read(&words(&[&format!("x=@{}", path.display())]), |_| false).is_err(), "not text");
        assert!(read(&words(&["x=@/does/not/exist"]), |_| false).is_err());
        assert!(read(&words(&["x:={"]), |_| false).is_err());
    }
}
