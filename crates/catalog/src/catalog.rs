//! Lookup: from what people write to the contract of one API.

mod patches;
mod questions;

use std::{collections::HashMap, ops::Range, path::Path};

use sesame_core::{Error, Protocol, Result, Shape, classify::ErrorRule};

pub use questions::SearchFilter;

use crate::{
    Api, Platform,
    action::{self, Action},
    embedded::{Entry, KeyKind, Summary, Tables},
    explain::{self, Explained, Place},
    facet::{self, Facet, FacetFields},
    names::{self, Name},
    overlay::{Mistake, Overlay},
    platforms,
    record::Record,
    summary::{ApiSummary, bare, take_apart},
    user::{self, UserOverlay},
};

/// The shortest end of a name that is looked for.
const SHORTEST: usize = 6;

/// What platforms and APIs exist.
///
/// Built-in data is embedded in the program and parsed one API at a time, on each lookup: a program
/// that makes many calls keeps what it looked up. A value is cheap.
pub struct Catalog {
    tables: Tables,
    user: Vec<UserOverlay>,
    mistakes: Vec<Error>,
    /// Which of `user` speak of what: platform and key to (overlay, patch).
    user_index: HashMap<(String, String), Vec<(usize, usize)>>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("user_overlays", &self.user.len()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the built-in data alone.
    pub fn builtin() -> Self {
        Self { tables: Tables::builtin(), user: Vec::new(), mistakes: Vec::new(), user_index: HashMap::new() }
    }

    /// Opens the built-in data and a user's overlays: `*.toml` in `user_dir`, at most 1,000 files of
    /// at most 1 MiB. A folder that does not exist holds none.
    ///
    /// Of large overlays an index is kept in `user_dir/.index`, so that not all of them are read every time.
    ///
    /// An entry with a mistake is left out and the rest is used: [`mistakes`](Self::mistakes) says what is wrong.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a folder that cannot be read or holds too much.
    pub fn open(user_dir: Option<&Path>) -> Result<Self> {
        let mut catalog = Self::builtin();
        if let Some(folder) = user_dir {
            (catalog.user, catalog.mistakes) = user::read(folder, &catalog.tables.stamp())?;
            catalog.index_user();
        }
        Ok(catalog)
    }

    /// Returns everything that is wrong with a user's overlays: file, line and column, key, why.
    pub fn mistakes(&self) -> &[Error] {
        &self.mistakes
    }

    /// Reads one overlay, as text.
    ///
    /// # Errors
    /// All mistakes: line and column, key, what is wrong.
    pub fn parse_overlay(text: &str) -> Result<Overlay, Vec<Mistake>> {
        match Overlay::parse(text) {
            (Some(overlay), mistakes) if mistakes.is_empty() => Ok(overlay),
            (_, mistakes) => Err(mistakes),
        }
    }

    /// Returns all platforms.
    pub fn platforms(&self) -> &'static [Platform] {
        &platforms::loaded().platforms
    }

    /// Returns a platform by name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage), with the names there are.
    pub fn platform(&self, name: &str) -> Result<&'static Platform> {
        platforms::platform(name)
    }

    /// Looks up an API by path, method, `[namespace:]name[@version]`, alias, or the end of a name that only one
    /// API of the platform has (`getSellerOrderList`, `trades.sold.get`).
    ///
    /// A name that no catalog knows is taken for a new API: `known` is false, and it counts as a
    /// write unless its name says otherwise.
    ///
    /// ```
    /// let api = sesame_catalog::Catalog::builtin().api("lazada", "/products/get")?;
    /// assert!(api.known && api.safety == sesame_catalog::Safety::Read);
    /// # Ok::<(), sesame_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown platform and for what cannot be a name.
    pub fn api(&self, platform: &str, name: &str) -> Result<Api> {
        let platform = self.platform(platform)?;
        let parsed = parse_name(platform, name)?;
        let found = self
            .find(platform, &parsed)
            .or_else(|| self.find_by_user_alias(platform, &parsed))
            .or_else(|| self.find_short(platform, &parsed));
        let summary = found.map(|entry| self.tables.summary(entry));
        let record = found.map(|entry| self.tables.record(entry)).transpose()?;
        let place = summary.map(|summary| names::key(bare(summary.name)));
        let record = self.patch(platform, &parsed, place.as_deref(), record)?;
        let known = record.is_some();
        let record = record.unwrap_or_else(|| unknown(platform, &parsed));
        let presumed = summary.is_some_and(|summary| self.is_presumed(platform, &summary));
        Ok(api_of(platform, record, summary, known, presumed))
    }

    /// Returns the platforms and names under which the same operation is found elsewhere: by its method
    /// on TOP and `/sync`, by its path, and on platforms that have an API of the same list.
    pub fn also(&self, api: &Api) -> Vec<(&'static str, String)> {
        if api.namespace.is_some() {
            return Vec::new();
        }
        let mut out = Vec::new();
        let own = self.platform(&api.platform).map_or("", family);
        for platform in self.platforms().iter().filter(|platform| platform.default_namespace.is_none()) {
            for name in std::iter::once(&api.name).chain(&api.aliases) {
                let dotted = names::key(name).replace('/', ".");
                // `/alibaba/icbu/product/list` is `alibaba.icbu.product.list` everywhere; what `/product/get`
                // is, each platform says for itself.
                let is_global = dotted.matches('.').count() > 1
                    && platforms::loaded().owners.iter().any(|owner| dotted.split('.').next() == Some(owner));
                if !is_global && family(platform) != own {
                    continue;
                }
                for plain in [dotted.replace('.', "/"), dotted] {
                    let name = Name { namespace: None, plain: &plain, version: None };
                    let Some(entry) = self.find(platform, &name) else { continue };
                    let found = (platform.name.as_str(), self.tables.summary(entry).name.to_owned());
                    if (found.0, &found.1) != (&api.platform, &api.name) && !out.contains(&found) {
                        out.push(found);
                    }
                }
            }
        }
        out
    }

    /// Returns `true` for an API of the platform whose dialect this one speaks: whether it is here, too,
    /// nobody has confirmed.
    fn is_presumed(&self, platform: &Platform, summary: &Summary) -> bool {
        platform.dialect.as_deref().is_some_and(|dialect| self.tables.name_of(summary.catalog) == dialect)
    }

    /// Looks up how one kind of thing is fetched on a platform: `products`, `categories`, `schema`, ...
    ///
    /// A user's overlays count, and so do the facets of the platform whose dialect it speaks.
    ///
    /// ```
    /// let facet = sesame_catalog::Catalog::builtin().facet("lazada", "products")?;
    /// assert_eq!(facet.api, "/products/get");
    /// # Ok::<(), sesame_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown platform, and for one without
    /// this facet, with the platforms that have it.
    pub fn facet(&self, platform: &str, name: &str) -> Result<Facet> {
        let (platform, fields) = self.described("facet", platform, name)?;
        facet::read(&fields).map_err(|why| Error::usage(format!("facet.{name} of {}: {why}", platform.name)))
    }

    /// Looks up how one kind of thing is written on a platform: `stock-set`, `price-set`, ...
    ///
    /// ```
    /// let action = sesame_catalog::Catalog::builtin().action("lazada", "stock-set")?;
    /// assert_eq!((action.api.as_str(), action.batch), ("/product/price_quantity/update", 20));
    /// # Ok::<(), sesame_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Catalog::facet`].
    pub fn action(&self, platform: &str, name: &str) -> Result<Action> {
        let (platform, fields) = self.described("action", platform, name)?;
        action::read(&fields)
            .map_err(|why| Error::usage(format!("action.{name} of {}: {why}", platform.name)))
    }

    fn described(&self, kind: &str, platform: &str, name: &str) -> Result<(&Platform, FacetFields)> {
        let platform = self.platform(platform)?;
        if let Some(fields) = self.fields(kind, platform, name) {
            return Ok((platform, fields));
        }
        let all = self.platforms().iter();
        let having: Vec<&str> = all
            .filter(|other| self.fields(kind, other, name).is_some())
            .map(|other| other.name.as_str())
            .collect();
        Err(Error::usage(format!("the catalog names no API for {name} on {}", platform.name)).with_hint(format!(
            "It does for: {}. Elsewhere use `sesame apis search` and `sesame call`, or describe [{kind}.{name}] in a file of SESAME_HOME/catalog.",
            having.join(", ")
        )))
    }

    /// Joins what is known of a facet or an action: the dialect's first, then the platform's own.
    fn fields(&self, kind: &str, platform: &Platform, name: &str) -> Option<FacetFields> {
        let loaded = platforms::loaded();
        let builtin = if kind == "facet" { &loaded.facets } else { &loaded.actions };
        let mut fields = None;
        for place in platform.dialect.iter().chain([&platform.name]) {
            fields = builtin.get(place).and_then(|named| named.get(name)).cloned().or(fields);
            for file in self.user.iter().filter(|file| file.overlay.platform == *place) {
                let theirs =
                    if kind == "facet" { file.overlay.facet(name) } else { file.overlay.action(name) };
                if let Some(theirs) = theirs {
                    extend(fields.get_or_insert_default(), theirs);
                }
            }
        }
        fields
    }

    /// Lists the APIs of a platform in the order of their names; empty for an unknown platform.
    pub fn list(&self, platform: &str) -> Vec<ApiSummary> {
        let Ok(platform) = self.platform(platform) else { return Vec::new() };
        let mut out: Vec<ApiSummary> =
            self.visible(platform).into_iter().map(|entry| self.summary_of(platform, entry)).collect();
        self.add_user_summaries(platform, &mut out);
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    /// Says what a code, a sub code or a message means: everywhere, or on one platform or protocol; in the
    /// tables, and in the notes of single APIs.
    ///
    /// What is found by its very name goes before what only fits a pattern. Rules that say the same are one.
    ///
    /// ```
    /// let found = sesame_catalog::Catalog::builtin().explain("IllegalAccessToken", Some("lazada"))?;
    /// assert!(!found.is_empty());
    /// # Ok::<(), sesame_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown platform, with the names there are.
    pub fn explain(&self, text: &str, place: Option<&str>) -> Result<Vec<Explained>> {
        let place = Place::named(place)?;
        let text = text.trim();
        if text.is_empty() || text.len() > 2_000 {
            return Ok(Vec::new());
        }
        Ok(explain::explain(&self.tables, text, &place))
    }

    /// Lists the codes that [`explain`](Self::explain) knows by name, sub codes and those of single APIs among
    /// them; no patterns.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown platform, with the names there are.
    pub fn codes(&self, place: Option<&str>) -> Result<Vec<String>> {
        Ok(explain::codes(&self.tables, &Place::named(place)?))
    }

    /// Returns all error rules by what they hold for: protocols first, then single platforms.
    pub fn error_rules(&self) -> Vec<(String, Vec<&'static ErrorRule>)> {
        explain::scopes()
    }

    fn summary_of(&self, platform: &Platform, entry: Entry) -> ApiSummary {
        let summary = self.tables.summary(entry);
        ApiSummary::new(platform, summary, self.is_presumed(platform, &summary))
    }

    /// Returns the catalogs a platform looks through, its own changes first.
    fn chain(&self, platform: &Platform) -> Vec<(usize, Range<Entry>)> {
        let own = (!platform.catalogs.contains(&platform.name)).then_some(platform.name.as_str());
        own.into_iter()
            .chain(platform.catalogs.iter().map(String::as_str))
            .filter_map(|name| self.tables.catalog(name))
            .collect()
    }

    /// Finds the built-in entry that a name means.
    fn find(&self, platform: &Platform, name: &Name<'_>) -> Option<Entry> {
        let key = names::key(name.plain);
        for (catalog, _) in self.chain(platform) {
            let mut best: Option<((KeyKind, bool, u32), Entry)> = None;
            for (kind, entry) in self.tables.find(catalog, &key) {
                let full = self.tables.summary(entry).name;
                let (namespace, plain, version) = take_apart(full);
                // Aliases of param2 are whole names; namespace and version of the alias say nothing.
                if kind == KeyKind::Name {
                    if name.namespace.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(namespace)) {
                        continue;
                    }
                    if name.version.is_some_and(|wanted| wanted != version) {
                        continue;
                    }
                }
                // Same kind: the spelling as given wins, then the lowest version.
                let score = (kind, plain.trim_matches('/') != name.plain.trim_matches('/'), version);
                if best.as_ref().is_none_or(|(old, _)| score < *old) {
                    best = Some((score, entry));
                }
            }
            if let Some((_, entry)) = best {
                return Some(entry);
            }
        }
        None
    }

    /// Finds the only built-in entry whose name ends with a short one. What may be a whole name is none: paths,
    /// and names that begin as those of the vendor do.
    fn find_short(&self, platform: &Platform, name: &Name<'_>) -> Option<Entry> {
        let key = names::key(name.plain);
        let first = key.split('.').next().unwrap_or_default();
        let whole = name.namespace.is_some()
            || name.plain.contains('/')
            || key.len() < SHORTEST
            || platforms::loaded().owners.iter().any(|owner| owner == first);
        if whole {
            return None;
        }
        let ends = |full: &str| {
            let (_, plain, version) = take_apart(full);
            let start = plain.len().checked_sub(key.len());
            name.version.is_none_or(|wanted| wanted == version)
                && start.is_some_and(|start| {
                    plain.is_char_boundary(start)
                        && plain[start..].eq_ignore_ascii_case(&key)
                        && plain[..start].ends_with(['.', '/'])
                })
        };
        // `trades.sold.get` is `taobao.trades.sold.get` before it is the end of a longer name.
        let length = |entry: Entry| self.tables.summary(entry).name.matches(['.', '/']).count();
        let all = self.visible(platform).into_iter().filter(|entry| ends(self.tables.summary(*entry).name));
        let mut found: Vec<(usize, Entry)> = all.map(|entry| (length(entry), entry)).collect();
        found.sort_unstable();
        match found[..] {
            [(_, only)] => Some(only),
            [(shortest, first), (next, _), ..] if shortest < next => Some(first),
            _ => None,
        }
    }

    /// Lists the entries of a platform that can be reached by their own names: not those that a
    /// catalog before theirs hides, by the same name or by an alias.
    fn visible(&self, platform: &Platform) -> Vec<Entry> {
        let chain = self.chain(platform);
        let all = chain.iter().flat_map(|(_, range)| range.clone());
        all.filter(|entry| self.is_visible(platform, &chain, *entry)).collect()
    }

    /// Returns `true` if a platform has an entry, and no catalog before it hides it.
    fn is_visible(&self, platform: &Platform, chain: &[(usize, Range<Entry>)], entry: Entry) -> bool {
        let Some(place) = chain.iter().position(|(_, range)| range.contains(&entry)) else { return false };
        let (_, plain, _) = take_apart(self.tables.summary(entry).name);
        place == 0 || self.find(platform, &Name { namespace: None, plain, version: None }) == Some(entry)
    }
}

fn param2(platform: &Platform) -> Option<&str> {
    (platform.protocol == Protocol::Param2).then(|| platform.default_namespace.as_deref().unwrap_or("system"))
}

/// Writes what an overlay says over the fields of a facet. Words of `stages` join those that are there.
fn extend(fields: &mut FacetFields, theirs: FacetFields) {
    for (key, value) in theirs {
        match (fields.get_mut(&key), value) {
            (Some(serde_json::Value::Object(words)), serde_json::Value::Object(more)) if key == "stages" => {
                words.extend(more);
            }
            (_, value) => drop(fields.insert(key, value)),
        }
    }
}

fn parse_name<'a>(platform: &Platform, text: &'a str) -> Result<Name<'a>> {
    let text = text.trim();
    let name = names::parse(text, platform.protocol == Protocol::Param2).and_then(|name| {
        if platform.protocol == Protocol::Top && name.plain.contains('/') {
            return Err("is a path; the APIs of this platform are methods like `taobao.time.get`".to_owned());
        }
        Ok(name)
    });
    name.map_err(|why| {
        let shown: String = text.chars().take(80).collect();
        Error::usage(format!("invalid API name {:?} for {}: it {why}", sesame_core::scalar::printable(&shown), platform.name))
            .with_hint(match platform.protocol {
                Protocol::Param2 => "Write `name`, `namespace:name` or `namespace:name@version`, e.g. `com.alibaba.product:alibaba.product.list.get`. `sesame apis search WORD` finds names.",
                Protocol::Iop => "Write a path like `/orders/get` or a method like `aliexpress.solution.product.list.get`. `sesame apis search WORD` finds names.",
                Protocol::Top => "Write a method like `taobao.items.onsale.get`. `sesame apis search WORD` finds names.",
            })
    })
}

fn shape_of(protocol: Protocol, name: &str) -> Shape {
    match protocol {
        Protocol::Param2 => Shape::Param2,
        Protocol::Top => Shape::Top,
        // `aliexpress/message/list` is a method of /sync: only a slash in front makes a path.
        Protocol::Iop if !name.starts_with('/') => Shape::IopSync,
        Protocol::Iop if name.contains('{') => Shape::IopRestVariables,
        Protocol::Iop => Shape::IopRest,
    }
}

/// Makes the contract of a record. What the index holds was derived at build time, by the same rules and
/// their exceptions.
fn api_of(platform: &Platform, record: Record, summary: Option<Summary>, known: bool, presumed: bool) -> Api {
    let shape = shape_of(platform.protocol, &record.name);
    let path = matches!(shape, Shape::IopRest | Shape::IopRestVariables).then(|| record.name.clone());
    let derived = match summary {
        Some(summary) if summary.derived => summary.safety,
        _ => platforms::loaded().safety.safety(&record.name),
    };
    let title_derived = record.title.is_none();
    let derived_title =
        summary.filter(|summary| summary.title_derived).map(|summary| summary.title.to_owned());
    Api {
        platform: platform.name.clone(),
        name: match &record.namespace {
            Some(namespace) => format!("{namespace}:{}", record.name),
            None => record.name,
        },
        title_derived: title_derived && derived_title.is_some(),
        title: record.title.or(derived_title),
        title_zh: record.title_zh,
        about: record.about,
        about_zh: record.about_zh,
        shape,
        path,
        namespace: record.namespace,
        version: record.version.unwrap_or(1),
        http: record.http,
        auth: record.auth,
        signed: record.signed,
        params: record.params,
        response: record.response,
        paging: record.paging,
        safety: record.safety.unwrap_or(derived),
        safety_derived: record.safety.is_none(),
        aliases: record.aliases,
        errors: record.errors,
        example: record.example,
        reply: record.reply,
        dates: record.dates,
        quota: record.quota,
        notes: record.notes,
        group: record.group,
        source: record.source,
        known,
        presumed,
    }
}

/// Platforms that have one list of APIs: a dialect and who speaks it.
fn family(platform: &Platform) -> &str {
    platform.dialect.as_deref().unwrap_or(&platform.name)
}

/// An API that the catalog does not describe.
fn unknown(platform: &Platform, name: &Name<'_>) -> Record {
    let plain = match platform.protocol {
        // The slash in front may be left out; methods have none at all.
        Protocol::Iop if name.plain.contains('/') => format!("/{}", name.plain.trim_matches('/')),
        _ => name.plain.to_owned(),
    };
    let namespace = param2(platform).map(|default| name.namespace.unwrap_or(default).to_owned());
    Record {
        version: namespace.as_ref().map(|_| name.version.unwrap_or(1)),
        namespace,
        ..Record::named(plain)
    }
}
