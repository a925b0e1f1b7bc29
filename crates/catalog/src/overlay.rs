//! Overlays: what we, or a user, know better than the imported facts, as TOML.
//!
//! The build script reads this file too, so nothing here may use other modules than `record`, `facet`
//! and `names`, nor `sesame_core`.

use std::{collections::BTreeMap, ops::Range};

use serde::{
    Deserialize,
    de::{DeserializeOwned, IntoDeserializer as _},
};
use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    facet::FacetFields,
    names,
    record::{ApiErrorNote, Field, HttpMethods, Paging, PagingStyle, Param, Record, Safety, Type},
};

/// The largest overlay file that is read.
pub(crate) const LARGEST: usize = 1 << 20;

/// After so many mistakes in a file the rest of an entry is not looked at.
const MOST_MISTAKES: usize = 100;

/// One overlay file.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    /// The platform that all entries are for. (In the repository also: the name of a base file.)
    pub platform: String,
    /// Where the facts are from, unless an entry says otherwise.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
    /// The entries, `[[api]]`.
    pub apis: Vec<Patch>,
    /// How things are listed, by name: the fields of a [`Facet`](super::Facet) that are set or changed.
    pub facets: BTreeMap<String, FacetFields>,
}

/// What an overlay says of one API. What it leaves out stays as it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// `[namespace:]name[@version]`. An API that the catalog does not have is added.
    pub name: String,
    /// The title.
    #[serde(default)]
    pub title: Option<String>,
    /// The title in Chinese.
    #[serde(default)]
    pub title_zh: Option<String>,
    /// What it does, in one or two sentences.
    #[serde(default)]
    pub about: Option<String>,
    /// The same in Chinese.
    #[serde(default)]
    pub about_zh: Option<String>,
    /// The group.
    #[serde(default)]
    pub group: Option<String>,
    /// More names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// HTTP methods.
    #[serde(default)]
    pub http: Option<HttpMethods>,
    /// Whether it needs an access token.
    #[serde(default)]
    pub auth: Option<bool>,
    /// Whether an unsigned call is refused.
    #[serde(default)]
    pub signed: Option<bool>,
    /// Whether it may be repeated.
    #[serde(default)]
    pub safety: Option<Safety>,
    /// Parameters that are added or changed; matched by name.
    #[serde(default)]
    pub params: Vec<ParamPatch>,
    /// Parameters that do not exist.
    #[serde(default)]
    pub drop_params: Vec<String>,
    /// The fields of the payload; replaces all.
    #[serde(default)]
    pub response: Option<Vec<Field>>,
    /// How it pages; replaces all.
    #[serde(default)]
    pub paging: Option<Paging>,
    /// `true` if it does not page, whatever the imported facts say.
    #[serde(default)]
    pub drop_paging: bool,
    /// Business errors that are added, or whose text is.
    #[serde(default)]
    pub errors: Vec<ApiErrorNote>,
    /// An example of arguments.
    #[serde(default)]
    pub example: Option<Json>,
    /// A sample of the payload, shortened: JSON in a text.
    #[serde(default)]
    pub reply: Option<String>,
    /// How dates are written, and in which time zone.
    #[serde(default)]
    pub dates: Option<String>,
    /// How often it may be called.
    #[serde(default)]
    pub quota: Option<String>,
    /// More notes.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where this entry is from.
    #[serde(default)]
    pub source: Option<String>,
    /// When this entry was looked up.
    #[serde(default)]
    pub date: Option<String>,
}

/// What an overlay says of one parameter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamPatch {
    /// Name.
    pub n: String,
    /// Type; needed for a parameter that is new.
    #[serde(default)]
    pub t: Option<Type>,
    /// A list.
    #[serde(default)]
    pub l: Option<bool>,
    /// Required.
    #[serde(default)]
    pub r: Option<bool>,
    /// The longest text.
    #[serde(default)]
    pub max_len: Option<u64>,
    /// The largest number.
    #[serde(default)]
    pub max: Option<f64>,
    /// The smallest number.
    #[serde(default)]
    pub min: Option<f64>,
    /// Maximum number of items.
    #[serde(default)]
    pub max_items: Option<u64>,
    /// Values.
    #[serde(default, rename = "enum")]
    pub values: Option<Vec<Json>>,
    /// The value when left out.
    #[serde(default)]
    pub default: Option<Json>,
    /// The vendor's name of the type.
    #[serde(default)]
    pub vt: Option<String>,
    /// What users should know.
    #[serde(default)]
    pub note: Option<String>,
    /// Members.
    #[serde(default)]
    pub c: Vec<ParamPatch>,
}

/// Why an overlay was not understood: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line and column, from 1, where known.
    pub place: Option<(usize, usize)>,
    /// The key, dotted; empty at the top.
    pub key: String,
    /// What is wrong.
    pub why: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.key.is_empty() && self.key != "." {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.why)
    }
}

impl Overlay {
    /// Reads and checks one file: what can be used of it, and all that is wrong. An entry with a mistake is
    /// left out; a file that is no TOML, or does not say for what and from where it is, cannot be used.
    pub fn parse(text: &str) -> (Option<Self>, Vec<Mistake>) {
        let mut reader = Reader { text, mistakes: Vec::new() };
        let overlay = reader.overlay();
        (overlay, reader.mistakes)
    }

    /// Returns what it says of a facet, with source and date.
    pub(crate) fn facet(&self, name: &str) -> Option<FacetFields> {
        let mut fields = self.facets.get(name)?.clone();
        for (key, value) in [("source", &self.source), ("date", &self.date)] {
            fields.entry(key).or_insert_with(|| Json::from(value.as_str()));
        }
        Some(fields)
    }
}

/// Reads a file and notes what is wrong with it.
struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, at: Option<Range<usize>>, key: impl Into<String>, why: impl Into<String>) {
        let place = at.map(|at| place_of(self.text, at.start));
        self.mistakes.push(Mistake { place, key: key.into(), why: why.into() });
    }

    fn overlay(&mut self) -> Option<Overlay> {
        if self.text.len() > LARGEST {
            let why = format!("the file has {} bytes; an overlay has at most {LARGEST}", self.text.len());
            self.wrong(None, "", why);
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.wrong(error.span(), "", error.message().trim().replace('\n', "; "));
        }
        // What was read around a hole may not be what was meant.
        if !errors.is_empty() {
            return None;
        }
        let mut head = BTreeMap::new();
        let (mut apis, mut facets) = (Vec::new(), BTreeMap::new());
        for (key, value) in table.into_inner() {
            let span = key.span();
            match (key.get_ref().as_ref(), value.get_ref()) {
                (key @ ("platform" | "source" | "date"), DeValue::String(text)) => {
                    head.insert(key.to_owned(), (text.to_string(), value.span()));
                }
                ("api", DeValue::Array(items)) => {
                    for (nth, item) in items.iter().enumerate() {
                        apis.extend(self.api(nth, item));
                    }
                }
                ("facet", DeValue::Table(named)) => {
                    for (name, fields) in named {
                        let name = name.get_ref().to_string();
                        if let Some(fields) = self.value(&format!("facet.{name}"), fields) {
                            facets.insert(name, fields);
                        }
                    }
                }
                (key @ ("platform" | "source" | "date"), _) => self.wrong(Some(span), key, "is not a text"),
                (key @ ("api" | "facet"), _) => {
                    self.wrong(Some(span), key, format!("write [[api]] or [facet.NAME], not `{key} =`"));
                }
                (other, _) => self.wrong(Some(span), other, format!("unknown field `{other}`")),
            }
        }
        let mut take = |key: &str, says: &str, good: &dyn Fn(&str) -> bool| match head.remove(key) {
            Some((text, _)) if good(&text) => Some(text),
            Some((_, span)) => {
                self.wrong(Some(span), key, says);
                None
            }
            None => {
                self.wrong(None, key, format!("missing field `{key}`"));
                None
            }
        };
        let is_there = |text: &str| !text.trim().is_empty();
        let platform = take("platform", "is empty", &is_there);
        let source = take("source", "is empty: say where these facts are from", &is_there);
        let date = take("date", "is not a date like 2026-11-21", &is_date);
        Some(Overlay { platform: platform?, source: source?, date: date?, apis, facets })
    }

    /// Reads one `[[api]]`.
    fn api(&mut self, nth: usize, item: &Spanned<DeValue<'a>>) -> Option<Patch> {
        let key = format!("api[{nth}]");
        let patch: Patch = self.value(&key, item)?;
        let span_of = |field: &str| {
            let members = item.get_ref().as_table().into_iter().flatten();
            let found = members.into_iter().find(|(key, _)| key.get_ref() == field);
            found.map_or_else(|| item.span(), |(key, _)| key.span())
        };
        let wrong = check(&patch);
        for (field, why) in &wrong {
            let name = field.split(['[', '.']).next().unwrap_or_default();
            self.wrong(Some(span_of(name)), format!("{key}.{field}"), why);
        }
        wrong.is_empty().then_some(patch)
    }

    /// Reads a value. After a mistake in one of its keys the others are read all the same, so that all
    /// mistakes are told at once.
    fn value<T: DeserializeOwned>(&mut self, key: &str, value: &Spanned<DeValue<'a>>) -> Option<T> {
        let mut rest = value.clone();
        let mut is_good = true;
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(rest.clone().into_deserializer()) {
                Ok(read) => return is_good.then_some(read),
                Err(error) => error,
            };
            let inner = match error.path().to_string() {
                path if path == "." => key.to_owned(),
                path => format!("{key}.{path}"),
            };
            let span = error.inner().span().unwrap_or_else(|| value.span());
            self.wrong(Some(span.clone()), inner, error.inner().message().trim().replace('\n', "; "));
            is_good = false;
            let DeValue::Table(members) = rest.get_mut() else { return None };
            let before = members.len();
            let first = match error.path().iter().next() {
                Some(serde_path_to_error::Segment::Map { key }) => key.as_str(),
                _ => "",
            };
            let holds = |of: Range<usize>| of.start <= span.start && span.start < of.end;
            *members = std::mem::take(members)
                .into_iter()
                .filter(|(key, value)| key.get_ref() != first && !holds(key.span()) && !holds(value.span()))
                .collect();
            // A key that is missing, say.
            if members.len() == before || self.mistakes.len() >= MOST_MISTAKES {
                return None;
            }
        }
    }
}

/// Says what is wrong with an entry that can be read: field and reason.
fn check(api: &Patch) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, why: String| wrong.push((field.to_owned(), why));
    let is_name = |name: &str| names::parse(name, true).is_ok() || names::parse(name, false).is_ok();
    if !is_name(&api.name) {
        let why = names::parse(&api.name, false).err().unwrap_or_default();
        say("name", format!("{:?} {why}", shorten(&api.name)));
    }
    if api.date.as_deref().is_some_and(|date| !is_date(date)) {
        say("date", "is not a date like 2026-11-21".to_owned());
    }
    for (nth, alias) in api.aliases.iter().enumerate().filter(|(_, alias)| !is_name(alias)) {
        say(&format!("aliases[{nth}]"), format!("invalid API name {:?}", shorten(alias)));
    }
    for (nth, param) in api.params.iter().enumerate() {
        if param.n.is_empty() || param.n.chars().any(char::is_control) {
            say(&format!("params[{nth}].n"), "invalid parameter name".to_owned());
        }
    }
    if let Some(Err(why)) = api.paging.as_ref().map(check_paging) {
        say("paging", why);
    }
    if api.paging.is_some() && api.drop_paging {
        say("drop_paging", "says that it does not page, and `paging` says how".to_owned());
    }
    if api.example.as_ref().is_some_and(|example| !example.is_object()) {
        say("example", "is not a table of arguments".to_owned());
    }
    if let Some(Err(error)) = api.reply.as_deref().map(serde_json::from_str::<Json>) {
        say("reply", format!("invalid JSON: {error}"));
    }
    wrong
}

fn check_paging(paging: &Paging) -> Result<(), String> {
    if paging.index.is_empty() {
        return Err("index is empty".to_owned());
    }
    if paging.first.is_some_and(|first| first > 1) {
        return Err("first is 0 or 1".to_owned());
    }
    if paging.max_size == Some(0) || paging.fixed_size == Some(0) {
        return Err("a page of no rows never ends".to_owned());
    }
    let counted = paging.total.is_some() && paging.key.is_some() && paging.reachable.is_none();
    if paging.backward && (paging.style != PagingStyle::Page || !counted || paging.max_index.is_some()) {
        return Err("backward takes the style \"page\", total and key, and no limit of what can be reached"
            .to_owned());
    }
    if paging.fixed_size.is_some() && paging.size.is_some() {
        return Err("fixed_size says that the size cannot be chosen, and size names the parameter".to_owned());
    }
    Ok(())
}

fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    shape && matches!(text[5..7].parse(), Ok(1..=12)) && matches!(text[8..10].parse(), Ok(1..=31))
}

fn shorten(text: &str) -> String {
    let mut out: String = text.chars().take(60).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// Returns line and column, from 1.
fn place_of(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

impl Patch {
    /// Makes the record of an API that no catalog has.
    ///
    /// # Errors
    /// What is missing.
    pub fn create(&self, overlay: &Overlay, param2: Option<&str>) -> Result<Record, String> {
        let name = names::parse(&self.name, param2.is_some())?;
        let namespace = param2.map(|default| name.namespace.unwrap_or(default).to_owned());
        let path = param2.is_none() && name.plain.contains('/');
        let plain = if path { format!("/{}", name.plain.trim_matches('/')) } else { name.plain.to_owned() };
        let mut record = Record::named(plain);
        record.version = namespace.as_ref().map(|_| name.version.unwrap_or(1));
        record.namespace = namespace;
        self.apply(overlay, &mut record)?;
        Ok(record)
    }

    /// Writes what it says into a record.
    ///
    /// # Errors
    /// What does not fit.
    pub fn apply(&self, overlay: &Overlay, record: &mut Record) -> Result<(), String> {
        fn put<T: Clone>(from: Option<&T>, to: &mut Option<T>) {
            if let Some(value) = from {
                *to = Some(value.clone());
            }
        }
        put(self.title.as_ref(), &mut record.title);
        put(self.title_zh.as_ref(), &mut record.title_zh);
        put(self.about.as_ref(), &mut record.about);
        put(self.about_zh.as_ref(), &mut record.about_zh);
        put(self.group.as_ref(), &mut record.group);
        put(self.http.as_ref(), &mut record.http);
        put(self.auth.as_ref(), &mut record.auth);
        put(self.signed.as_ref(), &mut record.signed);
        put(self.safety.as_ref(), &mut record.safety);
        put(self.example.as_ref(), &mut record.example);
        put(self.dates.as_ref(), &mut record.dates);
        put(self.quota.as_ref(), &mut record.quota);
        // `parse` has checked it.
        record.reply =
            self.reply.as_deref().map_or(record.reply.take(), |text| serde_json::from_str(text).ok());
        for name in &self.drop_params {
            let before = record.params.len();
            record.params.retain(|param| param.name != *name);
            if record.params.len() == before {
                return Err(format!("drop_params: there is no parameter {name:?}"));
            }
        }
        for param in &self.params {
            param.apply(&mut record.params)?;
        }
        if let Some(response) = &self.response {
            record.response.clone_from(response);
        }
        if self.drop_paging {
            record.paging = None;
        }
        put(self.paging.as_ref(), &mut record.paging);
        for alias in &self.aliases {
            if !record.aliases.contains(alias) {
                record.aliases.push(alias.clone());
            }
        }
        for note in &self.errors {
            match record.errors.iter_mut().find(|old| old.code == note.code) {
                Some(old) => old.clone_from(note),
                None => record.errors.push(note.clone()),
            }
        }
        record.notes.extend(self.notes.iter().cloned());
        let source = self.source.as_deref().unwrap_or(&overlay.source);
        let date = self.date.as_deref().unwrap_or(&overlay.date);
        let ours = format!("{source} ({date})");
        record.source = Some(match record.source.take() {
            Some(base) => format!("{base}; {ours}"),
            None => ours,
        });
        Ok(())
    }
}

impl ParamPatch {
    fn apply(&self, params: &mut Vec<Param>) -> Result<(), String> {
        let known = params.iter().position(|param| param.name == self.n);
        let at = if let Some(at) = known {
            at
        } else {
            let Some(kind) = self.t else {
                return Err(format!("params: {:?} is new, so it needs a type: t = \"string\"", self.n));
            };
            params.push(Param::named(self.n.clone(), kind));
            params.len() - 1
        };
        let param = &mut params[at];
        if let Some(kind) = self.t {
            param.kind = kind;
        }
        param.list = self.l.unwrap_or(param.list);
        param.required = self.r.or(param.required);
        param.max_len = self.max_len.or(param.max_len);
        param.max = self.max.or(param.max);
        param.min = self.min.or(param.min);
        param.max_items = self.max_items.or(param.max_items);
        if let Some(values) = &self.values {
            param.values.clone_from(values);
        }
        param.default = self.default.clone().or(param.default.take());
        param.vendor_type = self.vt.clone().or(param.vendor_type.take());
        param.note = self.note.clone().or(param.note.take());
        for child in &self.c {
            child.apply(&mut param.children)?;
        }
        Ok(())
    }
}
