//! Lookup: from what people write to the contract of one API.

use std::{collections::HashMap, ops::Range, path::Path};

use sesame_core::{Error, Protocol, Result, Shape, classify::ErrorRule};

use crate::{
    Api, Platform,
    embedded::{Entry, KeyKind, Tables},
    explain::{self, Explained, Place},
    facet::{self, Facet, FacetFields},
    names::{self, Name},
    overlay::{Mistake, Overlay},
    platforms,
    record::{Record, Safety},
    safety,
    summary::{ApiSummary, bare, take_apart},
    user::{self, UserOverlay},
};

/// What platforms and APIs exist.
///
/// Built-in data is embedded in the program and parsed one API at a time, on each lookup: a program
/// that makes many calls keeps what it looked up. A value is cheap.
pub struct Catalog {
    tables: Tables,
    user: Vec<UserOverlay>,
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
        Self { tables: Tables::builtin(), user: Vec::new(), user_index: HashMap::new() }
    }

    /// Opens the built-in data and a user's overlays: `*.toml` in `user_dir`, at most 1,000 files of
    /// at most 1 MiB. A folder that does not exist holds none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an overlay that is not understood, naming file, line and key;
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for one that cannot be read.
    pub fn open(user_dir: Option<&Path>) -> Result<Self> {
        let mut catalog = Self::builtin();
        if let Some(folder) = user_dir {
            catalog.user = user::read(folder)?;
            catalog.index_user()?;
        }
        Ok(catalog)
    }

    /// Reads one overlay, as text.
    ///
    /// # Errors
    /// The first mistake: line, key, what is wrong.
    pub fn parse_overlay(text: &str) -> Result<Overlay, Mistake> {
        Overlay::parse(text)
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

    /// Looks up an API by path, method, `[namespace:]name[@version]`, title or alias.
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
        let found = self.find(platform, &parsed).or_else(|| self.find_by_user_alias(platform, &parsed));
        let (record, known) = match found {
            Some(entry) => (Some(self.tables.record(entry)?), true),
            None => (None, false),
        };
        let place = found.map(|entry| names::key(bare(self.tables.summary(entry).name)));
        let (record, touched) = self.patch(platform, &parsed, place.as_deref(), record)?;
        Ok(match record {
            Some(record) => api_of(platform, record, known || touched),
            None => unknown(platform, &parsed),
        })
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
        let platform = self.platform(platform)?;
        let fields = self.facet_fields(platform, name).ok_or_else(|| {
            let having: Vec<&str> = self
                .platforms()
                .iter()
                .filter(|other| self.facet_fields(other, name).is_some())
                .map(|other| other.name.as_str())
                .collect();
            Error::usage(format!("the catalog names no API for {name} on {}", platform.name)).with_hint(
                format!(
                    "It does for: {}. Elsewhere use `sesame apis search` and `sesame call`, or describe [facet.{name}] in a file of SESAME_HOME/catalog.",
                    having.join(", ")
                ),
            )
        })?;
        facet::read(&fields).map_err(|why| Error::usage(format!("facet.{name} of {}: {why}", platform.name)))
    }

    /// Joins what is known of a facet: the dialect's first, then the platform's own.
    fn facet_fields(&self, platform: &Platform, name: &str) -> Option<FacetFields> {
        let mut fields = None;
        for place in platform.dialect.iter().chain([&platform.name]) {
            let builtin = platforms::loaded().facets.get(place).and_then(|facets| facets.get(name));
            fields = builtin.cloned().or(fields);
            for file in self.user.iter().filter(|file| file.overlay.platform == *place) {
                if let Some(theirs) = file.overlay.facet(name) {
                    fields.get_or_insert_default().extend(theirs);
                }
            }
        }
        fields
    }

    /// Lists the APIs of a platform in the order of their names; empty for an unknown platform.
    pub fn list(&self, platform: &str) -> Vec<ApiSummary> {
        let Ok(platform) = self.platform(platform) else { return Vec::new() };
        let mut out: Vec<ApiSummary> = self
            .visible(platform)
            .into_iter()
            .map(|entry| ApiSummary::new(platform, self.tables.summary(entry)))
            .collect();
        self.add_user_summaries(platform, &mut out);
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    /// Finds APIs whose name, title or group holds every word of `text`, best first.
    pub fn search(&self, text: &str, platform: Option<&str>, limit: usize) -> Vec<ApiSummary> {
        let words: Vec<String> = text.split_whitespace().take(16).map(str::to_lowercase).collect();
        if words.is_empty() {
            return Vec::new();
        }
        let whole = names::key(text.trim());
        let mut hits: Vec<(u8, ApiSummary)> = Vec::new();
        for found in platforms::loaded()
            .platforms
            .iter()
            .filter(|found| platform.is_none_or(|name| found.name == name))
        {
            let mut all: Vec<ApiSummary> = self
                .visible(found)
                .into_iter()
                .map(|entry| ApiSummary::new(found, self.tables.summary(entry)))
                .collect();
            self.add_user_summaries(found, &mut all);
            hits.extend(all.into_iter().filter_map(|api| api.rank(&whole, &words).map(|rank| (rank, api))));
        }
        hits.sort_by(|(left, a), (right, b)| {
            (left, a.name.len(), &a.name, &a.platform).cmp(&(right, b.name.len(), &b.name, &b.platform))
        });
        hits.into_iter().map(|(_, api)| api).take(limit).collect()
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
        let place = match place {
            None => Place::Everywhere,
            Some(name) => match (name.parse(), self.platform(name)) {
                (_, Ok(platform)) => Place::Platform(platform),
                (Ok(protocol), _) => Place::Protocol(protocol),
                (Err(_), Err(error)) => return Err(error),
            },
        };
        let text = text.trim();
        if text.is_empty() || text.len() > 2_000 {
            return Ok(Vec::new());
        }
        Ok(explain::explain(&self.tables, text, &place))
    }

    /// Returns all error rules by what they hold for: protocols first, then single platforms.
    pub fn error_rules(&self) -> Vec<(String, Vec<&'static ErrorRule>)> {
        explain::scopes()
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

    /// Lists the entries of a platform that can be reached by their own names: not those that a
    /// catalog before theirs hides, by the same name or by an alias.
    fn visible(&self, platform: &Platform) -> Vec<Entry> {
        let mut out = Vec::new();
        for (nth, (_, range)) in self.chain(platform).into_iter().enumerate() {
            if nth == 0 {
                out.extend(range);
                continue;
            }
            out.extend(range.filter(|entry| {
                let (_, plain, _) = take_apart(self.tables.summary(*entry).name);
                self.find(platform, &Name { namespace: None, plain, version: None }) == Some(*entry)
            }));
        }
        out
    }

    // ---- a user's overlays

    fn index_user(&mut self) -> Result<()> {
        for (at, file) in self.user.iter().enumerate() {
            let platform = platforms::platform(&file.overlay.platform)?;
            for name in file.overlay.facets.keys() {
                self.facet(&platform.name, name).map_err(|error| error.context(file.file.display()))?;
            }
            for (nth, patch) in file.overlay.apis.iter().enumerate() {
                let mistake = |why: String| {
                    user::wrong(
                        &file.file,
                        &Mistake { line: None, key: format!("api[{nth}] {}", patch.name), why },
                    )
                };
                let name =
                    parse_name(platform, &patch.name).map_err(|error| error.context(file.file.display()))?;
                let mut keys = vec![names::key(name.plain)];
                for alias in &patch.aliases {
                    let alias =
                        parse_name(platform, alias).map_err(|error| error.context(file.file.display()))?;
                    keys.push(names::key(alias.plain));
                }
                // The entry as built in, so that a patch by alias is found by the real name too.
                let entry = self.find(platform, &name);
                if let Some(entry) = entry {
                    keys.push(names::key(bare(self.tables.summary(entry).name)));
                }
                // Try it now: a patch that does not fit should fail at the start, not in the middle.
                match entry {
                    Some(entry) => {
                        let mut record = self.tables.record(entry)?;
                        patch.apply(&file.overlay, &mut record).map_err(mistake)?;
                    }
                    None => {
                        // A second file may add to an API that the first one made.
                        if !self.user_index.contains_key(&(platform.name.clone(), keys[0].clone())) {
                            patch.create(&file.overlay, param2(platform)).map_err(mistake)?;
                        }
                    }
                }
                keys.sort();
                keys.dedup();
                for key in keys {
                    self.user_index.entry((platform.name.clone(), key)).or_default().push((at, nth));
                }
            }
        }
        Ok(())
    }

    /// Finds the built-in entry that a user has given another name.
    fn find_by_user_alias(&self, platform: &Platform, name: &Name<'_>) -> Option<Entry> {
        let patches = self.user_index.get(&(platform.name.clone(), names::key(name.plain)))?;
        patches.iter().find_map(|(at, nth)| {
            let theirs = parse_name(platform, &self.user[*at].overlay.apis[*nth].name).ok()?;
            self.find(platform, &theirs)
        })
    }

    /// Applies a user's patches; makes the record where only the user knows the API.
    fn patch(
        &self,
        platform: &Platform,
        name: &Name<'_>,
        builtin: Option<&str>,
        mut record: Option<Record>,
    ) -> Result<(Option<Record>, bool)> {
        if self.user_index.is_empty() {
            return Ok((record, false));
        }
        let mut patches: Vec<(usize, usize)> = Vec::new();
        for key in builtin.into_iter().map(str::to_owned).chain([names::key(name.plain)]) {
            patches.extend(self.user_index.get(&(platform.name.clone(), key)).into_iter().flatten());
        }
        patches.sort_unstable();
        patches.dedup();
        let mut touched = false;
        for (at, nth) in patches {
            let file = &self.user[at];
            let patch = &file.overlay.apis[nth];
            let theirs = parse_name(platform, &patch.name)?;
            if let Some(record) = &record
                && (theirs.version.is_some_and(|version| version != record.version.unwrap_or(1))
                    || theirs
                        .namespace
                        .is_some_and(|namespace| record.namespace.as_deref() != Some(namespace)))
            {
                continue;
            }
            let done = match &mut record {
                Some(record) => patch.apply(&file.overlay, record),
                None => patch.create(&file.overlay, param2(platform)).map(|made| record = Some(made)),
            };
            done.map_err(|why| {
                user::wrong(&file.file, &Mistake { line: None, key: patch.name.clone(), why })
            })?;
            touched = true;
        }
        Ok((record, touched))
    }

    fn add_user_summaries(&self, platform: &Platform, out: &mut Vec<ApiSummary>) {
        for file in self.user.iter().filter(|file| file.overlay.platform == platform.name) {
            for patch in &file.overlay.apis {
                let Ok(api) = self.api(&platform.name, &patch.name) else { continue };
                let version = if api.version > 1 { format!("@{}", api.version) } else { String::new() };
                let summary = ApiSummary {
                    platform: platform.name.clone(),
                    name: format!("{}{version}", api.name),
                    title: api.title,
                    group: api.group,
                    safety: api.safety,
                    safety_derived: api.safety_derived,
                };
                match out.iter_mut().find(|old| old.name == summary.name) {
                    Some(old) => *old = summary,
                    None => out.push(summary),
                }
            }
        }
    }
}

fn param2(platform: &Platform) -> Option<&str> {
    (platform.protocol == Protocol::Param2).then(|| platform.default_namespace.as_deref().unwrap_or("system"))
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

fn api_of(platform: &Platform, record: Record, known: bool) -> Api {
    let shape = shape_of(platform.protocol, &record.name);
    let path = matches!(shape, Shape::IopRest | Shape::IopRestVariables).then(|| record.name.clone());
    let derived = if safety::reads(&record.name) { Safety::Read } else { Safety::Write };
    Api {
        platform: platform.name.clone(),
        name: match &record.namespace {
            Some(namespace) => format!("{namespace}:{}", record.name),
            None => record.name,
        },
        title: record.title,
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
        notes: record.notes,
        group: record.group,
        source: record.source,
        known,
    }
}

/// An API that the catalog does not describe.
fn unknown(platform: &Platform, name: &Name<'_>) -> Api {
    let plain = match platform.protocol {
        // The slash in front may be left out; methods have none at all.
        Protocol::Iop if name.plain.contains('/') => format!("/{}", name.plain.trim_matches('/')),
        _ => name.plain.to_owned(),
    };
    let namespace = param2(platform).map(|default| name.namespace.unwrap_or(default).to_owned());
    let record = Record {
        version: namespace.as_ref().map(|_| name.version.unwrap_or(1)),
        namespace,
        ..Record::named(plain)
    };
    api_of(platform, record, false)
}
