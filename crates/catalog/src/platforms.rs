//! The platforms of this build, with their error tables joined in.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::Deserialize;
use sesame_core::{
    Error, Protocol, Result,
    classify::ErrorRule,
    envelope::{RefusalRule, SuccessFlag},
    nearest::nearest,
};

use crate::{Platform, action::ActionFields, embedded::PLATFORMS, facet::FacetFields, safety::NameRules};

/// `platforms.toml` and the error tables, as the build script parts them.
#[derive(Deserialize)]
struct File {
    platform: Vec<Platform>,
    flag: Vec<Scoped<SuccessFlag>>,
    refusal: RefusalRule,
    error: Vec<Scoped<ErrorRule>>,
    facet: BTreeMap<String, BTreeMap<String, FacetFields>>,
    action: BTreeMap<String, BTreeMap<String, ActionFields>>,
    safety: NameRules,
    owners: Vec<String>,
}

/// A rule and what it holds for: single platforms, else all of a protocol.
#[derive(Debug, Deserialize)]
pub(crate) struct Scoped<T> {
    #[serde(default)]
    pub(crate) protocol: Option<Protocol>,
    #[serde(default)]
    pub(crate) platforms: Vec<String>,
    pub(crate) rule: T,
}

impl<T: Clone> Scoped<T> {
    /// Picks the rules of a platform: its own first, since of two that fit equally well the earlier
    /// wins.
    fn of(all: &[Self], platform: &Platform) -> Vec<T> {
        let own = all.iter().filter(|one| one.platforms.contains(&platform.name));
        let shared =
            all.iter().filter(|one| one.platforms.is_empty() && one.protocol == Some(platform.protocol));
        own.chain(shared).map(|one| one.rule.clone()).collect()
    }
}

pub(crate) struct Loaded {
    pub(crate) platforms: Vec<Platform>,
    pub(crate) errors: Vec<Scoped<ErrorRule>>,
    /// By platform and name.
    pub(crate) facets: BTreeMap<String, BTreeMap<String, FacetFields>>,
    /// By platform and name.
    pub(crate) actions: BTreeMap<String, BTreeMap<String, ActionFields>>,
    /// How names are judged.
    pub(crate) safety: NameRules,
    /// First parts of methods that mean the same on every platform.
    pub(crate) owners: Vec<String>,
}

/// Parses the data once.
pub(crate) fn loaded() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    // Cannot fail: the test `the_built_in_platforms_decode` reads the same bytes.
    LOADED.get_or_init(|| load(PLATFORMS).expect("the built-in platforms decode"))
}

fn load(text: &str) -> std::result::Result<Loaded, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut file: File =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    for platform in &mut file.platform {
        platform.replies.errors.rules = Scoped::of(&file.error, platform);
        platform.replies.flags = Scoped::of(&file.flag, platform);
        let mut refusal = file.refusal.clone();
        refusal.ok.extend(platform.success_words.iter().cloned());
        platform.replies.refusal = Some(refusal);
    }
    Ok(Loaded {
        platforms: file.platform,
        errors: file.error,
        facets: file.facet,
        actions: file.action,
        safety: file.safety,
        owners: file.owners,
    })
}

/// Returns a platform by name.
pub(crate) fn platform(name: &str) -> Result<&'static Platform> {
    let all = &loaded().platforms;
    all.iter().find(|platform| platform.name == name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|platform| platform.name.as_str()).collect();
        let shown: String = name.chars().take(60).collect();
        let error = Error::usage(format!("unknown platform {shown:?}"));
        match nearest(name, names.iter().copied()) {
            Some(near) => {
                error.with_hint(format!("Did you mean {near:?}? The platforms are: {}.", names.join(", ")))
            }
            None => error.with_hint(format!("The platforms are: {}.", names.join(", "))),
        }
    })
}
