//! One API in a list, and how well it fits a search.

use crate::{Platform, embedded::Summary, names, record::Safety};

/// One API in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSummary {
    /// The platform.
    pub platform: String,
    /// The canonical name, with `@version` where it is not 1.
    pub name: String,
    /// The title.
    pub title: Option<String>,
    /// `true` if the title is made of the words of the name.
    pub title_derived: bool,
    /// The group in the vendor's documents.
    pub group: Option<String>,
    /// Whether it needs an access token; `None` when the documents do not say.
    pub auth: Option<bool>,
    /// Whether it may be repeated.
    pub safety: Safety,
    /// `true` if that was derived from the name.
    pub safety_derived: bool,
    /// `true` for an API of the platform whose dialect this one speaks: nobody has confirmed that it
    /// exists here.
    pub presumed: bool,
}

impl ApiSummary {
    /// Fills it from the index.
    pub(crate) fn new(platform: &Platform, summary: Summary, presumed: bool) -> Self {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            platform: platform.name.clone(),
            name: summary.name.to_owned(),
            title: some(summary.title),
            title_derived: summary.title_derived,
            group: some(summary.group),
            auth: summary.auth,
            safety: summary.safety,
            safety_derived: summary.derived,
            presumed,
        }
    }

    /// Returns how well it fits a search: 0 is the name itself. `None` if a word is missing.
    pub(crate) fn rank(&self, whole: &str, words: &[String]) -> Option<u8> {
        let name = names::key(&self.name);
        let title = self.title.as_deref().unwrap_or_default().to_lowercase();
        let group = self.group.as_deref().unwrap_or_default().to_lowercase();
        let all = words.iter().all(|word| {
            let key = word.trim_matches('/');
            name.contains(key) || title.contains(word.as_str()) || group.contains(word.as_str())
        });
        if !all {
            return None;
        }
        Some(if name == whole || bare(&name) == whole || title == whole {
            0
        } else if name.starts_with(whole) || title.starts_with(whole) {
            1
        } else if words.iter().all(|word| name.contains(word.trim_matches('/'))) {
            2
        } else if words.iter().all(|word| title.contains(word.as_str())) {
            3
        } else {
            4
        })
    }
}

/// Takes a canonical name of the index apart: namespace, name, version.
pub(crate) fn take_apart(full: &str) -> (&str, &str, u32) {
    let (rest, version) = match full.rsplit_once('@') {
        Some((rest, version)) => (rest, version.parse().unwrap_or(1)),
        None => (full, 1),
    };
    let (namespace, name) = rest.split_once(':').unwrap_or(("", rest));
    (namespace, name, version)
}

/// Returns the plain name in a canonical name.
pub(crate) fn bare(full: &str) -> &str {
    take_apart(full).1
}
