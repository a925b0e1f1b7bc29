//! One API in a list.

use crate::{Platform, embedded::Summary, record::Safety};

/// One API in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSummary {
    /// The platform.
    pub platform: String,
    /// The canonical name, with `@version` where it is not 1.
    pub name: String,
    /// The title.
    pub title: Option<String>,
    /// The title in Chinese.
    pub title_zh: Option<String>,
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
            title_zh: some(summary.title_zh),
            title_derived: summary.title_derived,
            group: some(summary.group),
            auth: summary.auth,
            safety: summary.safety,
            safety_derived: summary.derived,
            presumed,
        }
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
