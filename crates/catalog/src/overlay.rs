//! Overlays: what we, or a user, know better than the imported facts, as TOML.
//!
//! The build script reads this file too, so nothing here may use other modules than `record`, `facet`,
//! `action` and `names`, nor `sesame_core`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{
    action::ActionFields,
    facet::FacetFields,
    names,
    record::{ApiErrorNote, Field, HttpMethods, Paging, Param, Record, Safety, Type},
};

/// The largest overlay file that is read.
pub(crate) const LARGEST: usize = 1 << 20;

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
    /// How things are written, by name: the fields of an [`Action`](super::Action) that are set or changed.
    pub actions: BTreeMap<String, ActionFields>,
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
    /// Returns what it says of a facet, with source and date.
    pub(crate) fn facet(&self, name: &str) -> Option<FacetFields> {
        Some(self.dated(self.facets.get(name)?))
    }

    /// Returns what it says of an action, with source and date.
    pub(crate) fn action(&self, name: &str) -> Option<ActionFields> {
        Some(self.dated(self.actions.get(name)?))
    }

    fn dated(&self, fields: &Map<String, Json>) -> Map<String, Json> {
        let mut fields = fields.clone();
        for (key, value) in [("source", &self.source), ("date", &self.date)] {
            fields.entry(key).or_insert_with(|| Json::from(value.as_str()));
        }
        fields
    }
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
