//! Arguments that call an API: to copy, to fill in, to try.

use serde_json::{Map, Value as Json};
use sesame_core::{path, xml};

use crate::{
    Api,
    record::{PagingStyle, Param, Type},
};

/// How deep a sample goes: some documents describe types inside themselves.
const DEEPEST: usize = 12;
/// Maximum number of values of a sample.
const MOST: usize = 2_000;

impl Api {
    /// Returns arguments as they are sent: the example of the catalog, or a value of the right type for each
    /// parameter that is required. Files are not among them: see [`Api::files`].
    pub fn example_arguments(&self) -> Map<String, Json> {
        match &self.example {
            Some(Json::Object(example)) => {
                let mut example = example.clone();
                example.retain(|name, _| self.files(false).all(|file| file.name != *name));
                example
            }
            _ => self.arguments(false),
        }
    }

    /// Returns all arguments to be filled in, with a value of the right type for each. What is sent as JSON or
    /// XML in a text stands as its layout; `sesame call --body` and [`Api`]'s callers write it as text.
    pub fn skeleton(&self) -> Map<String, Json> {
        self.arguments(true)
    }

    /// Lists the parameters that are files; with `required` alone those that a call must have, or that the
    /// example has.
    pub fn files(&self, required: bool) -> impl Iterator<Item = &Param> {
        let shown = |name: &str| self.example.as_ref().is_some_and(|example| example.get(name).is_some());
        let called = move |param: &Param| param.required == Some(true) || shown(&param.name);
        self.callers().filter(move |param| param.kind == Type::Bytes && (!required || called(param)))
    }

    /// Lists the parameters that a caller gives: not those that every request of the protocol has, and not
    /// members that the documents list by dotted names beside their object.
    pub fn callers(&self) -> impl Iterator<Item = &Param> {
        let reserved = self.shape.reserved();
        self.params
            .iter()
            .filter(move |param| !reserved.contains(&param.name.as_str()) && !param.name.contains('.'))
    }

    /// Asks for the first page where the arguments have a place for it.
    fn first_page(&self, arguments: &mut Map<String, Json>) {
        let Some(paging) = &self.paging else { return };
        let first = paging.first.unwrap_or(u64::from(paging.style == PagingStyle::Page));
        let size = paging.max_size.unwrap_or(u64::MAX).min(20);
        let index = Some(&paging.index).filter(|_| paging.style != PagingStyle::Cursor);
        for (place, number) in [(index, first), (paging.size.as_ref(), size)] {
            let Some(place) = place else { continue };
            let value = match path::argument(arguments, place) {
                Some(Json::String(_)) => number.to_string().into(),
                Some(Json::Number(_)) => Json::from(number),
                _ => continue,
            };
            // It was found, so there is a way to it.
            let _ = path::set(arguments, place, value);
        }
    }

    fn arguments(&self, all: bool) -> Map<String, Json> {
        let mut left = MOST;
        let mut out = Map::new();
        let wanted = |param: &&Param| param.kind != Type::Bytes && (all || param.required == Some(true));
        for param in self.callers().filter(wanted) {
            let value = value(param, all, 0, &mut left);
            let text = if all { value } else { as_sent(param, value) };
            out.insert(param.name.clone(), text);
        }
        let path = self.path.as_deref().unwrap_or_default();
        for variable in path.split('{').skip(1).filter_map(|part| part.split('}').next()) {
            out.entry(variable).or_insert_with(|| "1".into());
        }
        self.first_page(&mut out);
        out
    }
}

/// Writes a value as the text that is sent, where JSON or XML is sent in a text.
fn as_sent(param: &Param, value: Json) -> Json {
    match param.kind {
        Type::Xml if !value.is_string() => xml::write(&value).into(),
        Type::Json if !value.is_string() => value.to_string().into(),
        _ => value,
    }
}

fn value(param: &Param, all: bool, depth: usize, left: &mut usize) -> Json {
    *left = left.saturating_sub(1);
    let one = single(param, all, depth, left);
    if param.list && !matches!(param.kind, Type::Xml) { Json::Array(vec![one]) } else { one }
}

fn single(param: &Param, all: bool, depth: usize, left: &mut usize) -> Json {
    if !param.children.is_empty() {
        if depth >= DEEPEST || *left == 0 {
            return Json::Object(Map::new());
        }
        // An object with nothing that is required would be empty: show what it may hold.
        let some = param.children.iter().any(|child| child.required == Some(true));
        let wanted = |child: &&Param| all || !some || child.required == Some(true);
        let members = param.children.iter().filter(wanted);
        return members.map(|child| (child.name.clone(), value(child, all, depth + 1, left))).collect();
    }
    if let Some(value) = param.values.first().or(param.default.as_ref()) {
        return value.clone();
    }
    match param.kind {
        Type::Integer => number(param).into(),
        Type::Number => f64::from(number(param)).into(),
        Type::Decimal => "9.90".into(),
        Type::Boolean => true.into(),
        Type::Date => "2026-11-01 00:00:00".into(),
        Type::Json => "{}".into(),
        Type::Object => Json::Object(Map::new()),
        Type::String | Type::Xml | Type::Bytes => text(param).into(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a number of the documents, held within bounds")]
fn number(param: &Param) -> i32 {
    let least = param.min.unwrap_or(1.0).clamp(-1e9, 1e9);
    param.max.map_or(least, |most| least.min(most.clamp(-1e9, 1e9))).ceil() as i32
}

fn text(param: &Param) -> String {
    let name = param.name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let text = if has(&["url", "link"]) {
        "https://example.com/photo.jpg"
    } else if has(&["date", "time", "created", "updated", "_after", "_before"]) {
        "2026-11-01T00:00:00+08:00"
    } else if has(&["currency"]) {
        "USD"
    } else if has(&["country"]) {
        "US"
    } else if has(&["language", "locale"]) {
        "en_US"
    } else if name.ends_with("id")
        || name.ends_with("ids")
        || has(&["page", "limit", "offset"])
        || name == "size"
    {
        "1"
    } else {
        "text"
    };
    let most = param.max_len.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    text.chars().take(most.max(1)).collect()
}
