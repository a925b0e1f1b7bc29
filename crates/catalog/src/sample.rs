//! Arguments that call an API: to copy, to fill in, to try.

use serde_json::{Map, Value as Json};
use sesame_core::{path, xml};

use crate::{
    Api,
    record::{PagingStyle, Param, Type},
    words::split,
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
        // What is said of replies says nothing of arguments.
        let dates = self.dates.as_deref().unwrap_or_default();
        let dates = dates.split_once("ilters ").map_or(dates, |(_, filters)| filters);
        let date = Some(dates).filter(|dates| !dates.starts_with("Replies")).and_then(date_like);
        let mut values = Values { all, left: MOST, date };
        let mut out = Map::new();
        // Reading all pages makes the object that the page is asked for in; it has to be whole.
        let pages =
            self.paging.as_ref().and_then(|paging| paging.index.split_once('.')).map(|(outer, _)| outer);
        let is_made = |param: &Param| {
            pages == Some(&param.name) && param.children.iter().any(|child| child.required == Some(true))
        };
        let wanted = |param: &&Param| {
            param.kind != Type::Bytes && (all || param.required == Some(true) || is_made(param))
        };
        for param in self.callers().filter(wanted) {
            let value = values.of(param, 0);
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

/// Makes values.
struct Values {
    /// Of all members, not only of those that are required.
    all: bool,
    /// How many may follow.
    left: usize,
    /// How the API writes dates.
    date: Option<[&'static str; 2]>,
}

impl Values {
    fn of(&mut self, param: &Param, depth: usize) -> Json {
        self.left = self.left.saturating_sub(1);
        let one = self.single(param, depth);
        if param.list && !matches!(param.kind, Type::Xml) { Json::Array(vec![one]) } else { one }
    }

    fn single(&mut self, param: &Param, depth: usize) -> Json {
        if !param.children.is_empty() {
            if depth >= DEEPEST || self.left == 0 {
                return Json::Object(Map::new());
            }
            // An object with nothing that is required would be empty: show what it may hold.
            let some = param.children.iter().any(|child| child.required == Some(true));
            let all = self.all;
            let wanted = |child: &&Param| all || !some || child.required == Some(true);
            let members = param.children.iter().filter(wanted);
            return members.map(|child| (child.name.clone(), self.of(child, depth + 1))).collect();
        }
        if let Some(value) = param.values.first().or(param.default.as_ref()) {
            return value.clone();
        }
        let dates = || param.note.as_deref().and_then(date_like);
        match param.kind {
            Type::Integer => number(param).into(),
            Type::Number => f64::from(number(param)).into(),
            Type::Decimal => "9.90".into(),
            Type::Boolean => true.into(),
            Type::Date => date_of(param, dates().or(self.date).unwrap_or(DATES[3].1)).into(),
            Type::Json => "{}".into(),
            Type::Object => Json::Object(Map::new()),
            Type::String | Type::Xml | Type::Bytes => self.text(param).into(),
        }
    }

    fn text(&self, param: &Param) -> String {
        let name = param.name.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let text = if let Some(dates) = param.note.as_deref().and_then(date_like) {
            date_of(param, dates)
        } else if has(&["url", "link"]) {
            "https://example.com/photo.jpg"
        } else if has(&["date", "time", "created", "updated", "_after", "_before"]) {
            date_of(param, self.date.unwrap_or(DATES[6].1))
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
}

/// How dates are described, and one that is written so, with one behind it for the end of a period. Longer forms
/// go before those that they begin with.
const DATES: [(&str, [&str; 2]); 8] = [
    ("yyyyMMddHHmmssSSS", ["20261101000000000+0800", "20261101120000000+0800"]),
    ("MM/dd/yyyy HH:mm:ss", ["11/01/2026 00:00:00", "11/01/2026 12:00:00"]),
    ("yyyy-MM-ddTHH:mm:ss", ["2026-11-01T00:00:00", "2026-11-01T12:00:00"]),
    ("yyyy-MM-dd HH:mm:ss", ["2026-11-01 00:00:00", "2026-11-01 12:00:00"]),
    ("yyyy-MM-dd HH:mm", ["2026-11-01 00:00", "2026-11-01 12:00"]),
    ("yyyy-MM-dd", ["2026-11-01", "2026-11-02"]),
    ("ISO 8601", ["2026-11-01T00:00:00+08:00", "2026-11-01T12:00:00+08:00"]),
    ("illiseconds since 1970", ["1793462400000", "1793505600000"]),
];
/// Words of names that stand for the end of a period.
const ENDS: [&str; 4] = ["end", "before", "until", "to"];

/// Returns a date as a text describes it; where it describes several, as the first.
fn date_like(text: &str) -> Option<[&'static str; 2]> {
    let found = DATES.iter().filter_map(|(form, date)| Some((text.find(form)?, *date)));
    found.min_by_key(|(at, _)| *at).map(|(_, date)| date)
}

#[expect(clippy::cast_possible_truncation, reason = "a number of the documents, held within bounds")]
fn number(param: &Param) -> i32 {
    let least = param.min.unwrap_or(1.0).clamp(-1e9, 1e9);
    param.max.map_or(least, |most| least.min(most.clamp(-1e9, 1e9))).ceil() as i32
}

fn date_of(param: &Param, [start, end]: [&'static str; 2]) -> &'static str {
    let is_end = split(&param.name).iter().any(|word| ENDS.contains(&word.as_str()));
    if is_end { end } else { start }
}
