//! The catalog's entries, prepared for serving: looked up once, shared from then on.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use sesame_catalog::{Api, Catalog, Platform};

/// A `/rest/2.0` path with variables.
#[derive(Debug)]
struct PathTemplate {
    name: String,
    segments: Vec<String>,
}

/// The values of the variables of a path, by name.
pub(crate) type PathValues = Vec<(String, String)>;

/// The prepared entries of all platforms.
#[derive(Debug)]
pub(crate) struct Contracts {
    catalog: Arc<Catalog>,
    platforms: Vec<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    name: String,
    /// By every name it was asked for under; aliases share one entry.
    entries: RwLock<HashMap<String, Arc<Api>>>,
    templates: OnceLock<Vec<PathTemplate>>,
}

/// Maximum number of names kept per platform; the catalog has fewer.
const MAX_NAMES: usize = 20_000;

impl Contracts {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        let platforms = catalog
            .platforms()
            .iter()
            .map(|platform| Prepared {
                name: platform.name.clone(),
                entries: RwLock::default(),
                templates: OnceLock::new(),
            })
            .collect();
        Self { catalog, platforms }
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn platform(&self, at: usize) -> &Platform {
        &self.catalog.platforms()[at]
    }

    /// Finds a known API of a platform by path, method, `namespace:name@version` or alias.
    pub(crate) fn find(&self, platform: usize, name: &str) -> Option<Arc<Api>> {
        let prepared = &self.platforms[platform];
        let read = prepared.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = read.get(name) {
            return Some(Arc::clone(found));
        }
        drop(read);
        // Names are checked by the catalog; what it cannot read is not an API either.
        let api =
            self.catalog.api(&prepared.name, name).ok().filter(|api| api.known && is_exact(api, name))?;
        let mut entries = prepared.entries.write().unwrap_or_else(PoisonError::into_inner);
        let canonical = format!("{}@{}", api.name, api.version);
        let contract = match entries.get(&canonical) {
            Some(found) => Arc::clone(found),
            None => Arc::new(api),
        };
        if entries.len() + 1 < MAX_NAMES {
            entries.insert(canonical, Arc::clone(&contract));
            entries.insert(name.to_owned(), Arc::clone(&contract));
        }
        Some(contract)
    }

    /// Finds an API whose path has variables, and their values in this path.
    pub(crate) fn find_template(&self, platform: usize, path: &str) -> Option<(Arc<Api>, PathValues)> {
        let prepared = &self.platforms[platform];
        let templates = prepared.templates.get_or_init(|| {
            let all = self.catalog.list(&prepared.name);
            all.iter()
                .filter(|api| api.name.starts_with('/') && api.name.contains('{'))
                .map(|api| PathTemplate {
                    name: api.name.clone(),
                    segments: api.name.split('/').skip(1).map(str::to_owned).collect(),
                })
                .collect()
        });
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let fits = |template: &&PathTemplate| {
            template.segments.len() == segments.len()
                && template.segments.iter().zip(&segments).all(|(wanted, given)| {
                    if variable(wanted).is_some() { !given.is_empty() } else { wanted == given }
                })
        };
        let template = templates.iter().find(fits)?;
        let contract = self.find(platform, &template.name)?;
        let values = template
            .segments
            .iter()
            .zip(&segments)
            .filter_map(|(wanted, given)| {
                let name = variable(wanted)?;
                let value = percent_encoding::percent_decode_str(given).decode_utf8_lossy();
                Some((name.to_owned(), value.into_owned()))
            })
            // The document's own reading leaves the braces in the path and the value in the
            // parameters (protocols 2.4); then there is nothing to take from the path.
            .filter(|(name, value)| variable(value) != Some(name))
            .collect();
        Some((contract, values))
    }
}

/// Returns `true` if a name is to the letter one of an API's own.
///
/// People may ask the catalog for `/rest/order/get` or without a version; a gateway knows only
/// what is written down.
fn is_exact(api: &Api, name: &str) -> bool {
    let plain = match name.rsplit_once('@') {
        Some((plain, version)) if version.parse() == Ok(api.version) => plain,
        _ => name,
    };
    api.name == plain || api.path.as_deref() == Some(plain) || api.aliases.iter().any(|alias| alias == plain)
}

/// Returns the name in `{name}`.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}
