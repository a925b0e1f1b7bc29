//! Reads `NAME=VALUE`, `NAME=@FILE`, `NAME:=JSON` and `NAME.MEMBER=VALUE`.

use std::{io::Read, path::Path};

use serde_json::{Map, Value};
use sesame_catalog::{Api, Param, Type};
use sesame_core::{Error, params::File, scalar};

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

/// Reads the arguments of a call. The API says which are files, which are lists, and of what kind the members
/// of an object are; the content of other files becomes text.
///
/// `body` holds arguments that were read before; those of the command line replace them.
///
/// # Errors
/// Usage, as [`split_literal`], and for files that cannot be read and invalid JSON.
pub(crate) fn read(words: &[String], body: Map<String, Value>, api: &Api) -> CliResult<Arguments> {
    let mut out = Arguments { values: body, files: Vec::new() };
    let mut given: Vec<&str> = Vec::new();
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| no_equals(word))?;
        let (name, json) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
        let path = path_of(name, api);
        let param = path.as_ref().ok().and_then(|path| param_at(&api.params, path));
        let again = given.contains(&name);
        let list = param.is_some_and(|param| param.list);
        check(name, word, again && !list)?;
        given.push(name);
        let value = if json {
            let text = match value.strip_prefix('@') {
                Some(path) => text_of(name, path)?,
                None => value.to_owned(),
            };
            let parsed = serde_json::from_str(&text).map_err(|error| {
                Error::usage(format!("the value of {name:?} is not JSON: {error}"))
                    .with_hint(format!("Write {name}:='{{\"key\":1}}', or {name}=TEXT for text."))
            })?;
            as_typed(parsed, &text)
        } else if let Some(path) = value.strip_prefix('@') {
            if param.is_some_and(|param| param.kind == Type::Bytes) {
                out.files.push((name.to_owned(), file(name, path)?));
                continue;
            }
            Value::String(text_of(name, path)?)
        } else {
            Value::String(value.to_owned())
        };
        match path.map_err(|why| Error::usage(format!("{name:?}: {why}")))?.as_slice() {
            [] => {}
            [name] if again => append(out.values.entry(*name), value),
            [name] => {
                out.values.insert((*name).to_owned(), value);
            }
            [name, members @ ..] => {
                let value = param.filter(|_| !json).map_or(value.clone(), |param| member(param, &value));
                set(out.values.entry(*name).or_insert(Value::Null), members, value, again)
                    .map_err(|why| Error::usage(format!("{word:?}: {why}")))?;
            }
        }
    }
    Ok(out)
}

/// Reads a JSON object of arguments from a file, or from standard input for `-`.
///
/// # Errors
/// Usage, for a file that cannot be read and for what is not a JSON object.
pub(crate) fn read_body(path: &str) -> CliResult<Map<String, Value>> {
    let text = text_of("--body", path)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::usage(format!("{path} holds no JSON object"))
            .with_hint("The members of the object are the arguments: {\"limit\": 10}. `sesame apis show API --skeleton` prints one to fill in.")
            .into()),
        Err(error) => Err(Error::usage(format!("{path} is not JSON: {error}"))
            .with_hint("`sesame apis show API --skeleton` prints a body to fill in.")
            .into()),
    }
}

/// The deepest member that a name may give.
const DEEPEST: usize = 32;

/// Splits `payload.Request.Product`; a name that the documents have with its dots stays whole.
fn path_of<'a>(name: &'a str, api: &Api) -> Result<Vec<&'a str>, String> {
    let first = name.split('.').next().unwrap_or_default();
    let nested = api.params.iter().any(|param| param.name == first)
        && !api.params.iter().any(|param| param.name == name);
    if !nested || !name.contains('.') {
        return Ok(vec![name]);
    }
    let path: Vec<&str> = name.split('.').collect();
    if path.len() > DEEPEST {
        return Err(format!("has {} members inside each other; at most {DEEPEST} are read", path.len()));
    }
    if path.iter().any(|part| part.is_empty()) {
        return Err("has an empty member between two dots".to_owned());
    }
    Ok(path)
}

/// Finds what the documents say of a member. Positions in lists are numbers.
fn param_at<'a>(params: &'a [Param], path: &[&str]) -> Option<&'a Param> {
    let (first, rest) = path.split_first()?;
    let param = params.iter().find(|param| param.name == *first)?;
    let rest = match rest.split_first() {
        Some((number, rest)) if param.list && number.parse::<usize>().is_ok() => rest,
        _ => rest,
    };
    if rest.is_empty() { Some(param) } else { param_at(&param.children, rest) }
}

/// Gives a member the type that the documents say: inside JSON, `5` and `"5"` are not the same.
fn member(param: &Param, value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    let typed = match param.kind {
        Type::Integer => scalar::integer(value).and_then(|_| serde_json::from_str(text.trim()).ok()),
        Type::Number => serde_json::from_str(text.trim()).ok().filter(Value::is_number),
        Type::Boolean => scalar::boolean(value).map(Value::Bool),
        _ => None,
    };
    typed.unwrap_or_else(|| value.clone())
}

fn append(entry: serde_json::map::Entry<'_>, value: Value) {
    match entry.or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(items) => items.push(value),
        first => *first = Value::Array(vec![first.take(), value]),
    }
}

/// Sets a member of a member. What is not there is made: a list where the path has a position.
fn set(place: &mut Value, path: &[&str], value: Value, again: bool) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        match place {
            Value::Array(items) if again => items.push(value),
            Value::Null => *place = value,
            _ if again => *place = Value::Array(vec![place.take(), value]),
            _ => *place = value,
        }
        return Ok(());
    };
    let position = first.parse::<usize>().ok();
    if place.is_null() {
        *place = if position.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match (place, position) {
        (Value::Object(members), _) => set(members.entry(*first).or_insert(Value::Null), rest, value, again),
        (Value::Array(items), Some(nth)) if nth <= items.len() => {
            if nth == items.len() {
                items.push(Value::Null);
            }
            set(&mut items[nth], rest, value, again)
        }
        (Value::Array(items), _) => Err(format!(
            "the list has {} items; write the position of one, or {} for the next",
            items.len(),
            items.len()
        )),
        _ => Err("what it is a member of has a value already".to_owned()),
    }
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
    let is_option = name.starts_with("--");
    let what = if is_option { name.to_owned() } else { format!("the parameter {name:?}") };
    let wrong = |why: String| Error::usage(format!("{what} cannot be read: {why}"));
    let mut content = Vec::new();
    let read = if path == "-" {
        std::io::stdin().take(MAX_FILE + 1).read_to_end(&mut content)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content))
    };
    read.map_err(|error| {
        let shown = if path == "-" { "standard input" } else { path };
        wrong(format!("{shown}: {error}")).with_hint(if is_option {
            "Name a file, or - for standard input."
        } else {
            "NAME=@FILE reads a file. For a text that begins with @, use NAME:='\"@text\"'."
        })
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

    /// An API with these parameters.
    fn api(params: &str) -> Api {
        let mut api = sesame_catalog::Catalog::builtin().api("lazada", "/no/such/api").unwrap();
        api.params = serde_json::from_str(params).unwrap();
        api
    }

    fn values(list: &[&str], api: &Api) -> String {
        Value::Object(read(&words(list), Map::new(), api).unwrap().values).to_string()
    }

    #[test]
    fn members_are_set_by_their_path_and_typed_by_the_documents() {
        let api = api(
            r#"[{"n":"o","t":"object","c":[{"n":"id","t":"integer"},{"n":"code","t":"string"},{"n":"on","t":"boolean"},
                {"n":"rows","t":"object","l":true,"c":[{"n":"qty","t":"integer"}]},{"n":"tags","t":"string","l":true}]},
                {"n":"a.b","t":"string"},{"n":"a","t":"object"},{"n":"ids","t":"integer","l":true}]"#,
        );
        assert_eq!(
            values(&["o.id=7", "o.code=007", "o.on=true", "o.rows.0.qty=2", "o.rows.1.qty=3"], &api),
            r#"{"o":{"id":7,"code":"007","on":true,"rows":[{"qty":2},{"qty":3}]}}"#
        );
        assert_eq!(values(&["o.tags=x", "o.tags=y"], &api), r#"{"o":{"tags":["x","y"]}}"#);
        assert_eq!(values(&["ids=1", "ids=2"], &api), r#"{"ids":["1","2"]}"#);
        assert_eq!(values(&["ids=1,2"], &api), r#"{"ids":"1,2"}"#);
        // A documented name with a dot, and one of an object that nobody describes.
        assert_eq!(values(&["a.b=1", "x.y=2"], &api), r#"{"a.b":"1","x.y":"2"}"#);
        assert_eq!(values(&["a.c:=[1]"], &api), r#"{"a":{"c":[1]}}"#);
        for bad in [&["o.id=1", "o.id=2"][..], &["o..id=1"], &["o=1", "o.id=2"], &["o.rows.5.qty=1"]] {
            assert!(read(&words(bad), Map::new(), &api).is_err(), "{bad:?}");
        }
        let deep = format!("o.{}x=1", "y.".repeat(200));
        assert!(read(&words(&[&deep]), Map::new(), &api).is_err());
    }

    #[test]
    fn a_body_gives_arguments_that_the_line_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = dir.path().join("body.json");
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let body = read_body(&file(r#"{"limit":10,"o":{"id":1,"code":"x"}}"#)).unwrap();
        let api =
            api(r#"[{"n":"o","t":"object","c":[{"n":"id","t":"integer"}]},{"n":"limit","t":"integer"}]"#);
        let read = read(&words(&["limit=20", "o.id=2"]), body, &api).unwrap();
        assert_eq!(Value::Object(read.values).to_string(), r#"{"limit":"20","o":{"id":2,"code":"x"}}"#);
        for bad in ["[1]", "7", "{", "", &format!("{}1", "[".repeat(10_000))] {
            assert!(read_body(&file(bad)).is_err(), "{bad:.20}");
        }
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
        assert!(read(&words(&["a=1", "a:=2"]), Map::new(), &api("[]")).is_err());
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
        let image = api(r#"[{"n":"image","t":"bytes"}]"#);
        let none = api("[]");
        let read = |list: &[String], api: &Api| super::read(list, Map::new(), api);
        let got = read(&list, &image).unwrap();
        assert_eq!(got.values["n"], 12);
        assert_eq!(got.values["o"].to_string(), "{\"b\":1,\"a\":2}");
        let odd =
            read(&words(&["p:= 1E2", "q:={ \"a\" : [1E2, 1.10] }", "l:=[12.50, \"x\"]"]), &none).unwrap();
        assert_eq!(odd.values["p"], "1E2");
        assert_eq!(odd.values["q"], "{ \"a\" : [1E2, 1.10] }");
        assert_eq!(odd.values["l"].to_string(), "[12.50,\"x\"]");
        assert_eq!(got.values["xml"], "<a/>");
        assert_eq!(got.values["s"], "true");
        assert_eq!(got.files[0].1.content_type, "image/png");
        assert_eq!(got.files[0].1.file_name, "p.png");
        assert!(read(&words(&[&format!("x=@{}", path.display())]), &none).is_err(), "not text");
        assert!(read(&words(&["x=@/does/not/exist"]), &none).is_err());
        assert!(read(&words(&["x:={"]), &none).is_err());
    }
}
