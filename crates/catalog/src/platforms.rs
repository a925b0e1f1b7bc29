//! The platforms of this build, with their error tables joined in.

use std::sync::OnceLock;

use serde::Deserialize;
use sesame_core::{Error, Protocol, Result, classify::ErrorRule, envelope::SuccessFlag};

use crate::{Platform, embedded::PLATFORMS, nearest::nearest};

/// `platforms.toml` and the error tables.
#[derive(Deserialize)]
struct File {
    platform: Vec<Platform>,
    #[serde(default)]
    flag: Vec<Scoped>,
    error: Vec<Scoped>,
}

/// A rule and what it holds for.
#[derive(Deserialize)]
struct Scoped {
    #[serde(default)]
    protocol: Option<Protocol>,
    #[serde(default)]
    platforms: Vec<String>,
    #[serde(flatten)]
    rule: serde_json::Map<String, serde_json::Value>,
}

/// An error rule and what it holds for.
#[derive(Debug, Clone)]
pub(crate) struct ScopedError {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) platforms: Vec<String>,
    pub(crate) rule: ErrorRule,
}

pub(crate) struct Loaded {
    pub(crate) platforms: Vec<Platform>,
    pub(crate) errors: Vec<ScopedError>,
}

/// Parses the data once.
pub(crate) fn loaded() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    // Cannot fail: the test `the_built_in_platforms_decode` reads the same bytes.
    LOADED.get_or_init(|| load(PLATFORMS).expect("the built-in platforms decode"))
}

fn load(text: &str) -> std::result::Result<Loaded, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let file: File =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    let mut errors = Vec::with_capacity(file.error.len());
    for entry in file.error {
        let name = format!("{:?} {:?}", entry.rule.get("code"), entry.rule.get("sub_code"));
        let rule: ErrorRule = serde_json::from_value(serde_json::Value::Object(entry.rule))
            .map_err(|error| format!("error {name}: {error}"))?;
        errors.push(ScopedError { protocol: entry.protocol, platforms: entry.platforms, rule });
    }
    let mut flags = Vec::with_capacity(file.flag.len());
    for entry in file.flag {
        let name = format!("{:?}", entry.rule.get("flag"));
        let flag: SuccessFlag = serde_json::from_value(serde_json::Value::Object(entry.rule))
            .map_err(|error| format!("flag {name}: {error}"))?;
        flags.push((entry.protocol, entry.platforms, flag));
    }
    let mut platforms = file.platform;
    for platform in &mut platforms {
        // The platform's own come first: of two rules that fit equally well the earlier wins.
        let own = |names: &[String]| names.contains(&platform.name);
        let shared = |protocol: Option<Protocol>, names: &[String]| {
            names.is_empty() && protocol == Some(platform.protocol)
        };
        let rules = errors
            .iter()
            .filter(|error| own(&error.platforms))
            .chain(errors.iter().filter(|error| shared(error.protocol, &error.platforms)));
        platform.replies.errors.rules = rules.map(|error| error.rule.clone()).collect();
        let found = flags
            .iter()
            .filter(|flag| own(&flag.1))
            .chain(flags.iter().filter(|flag| shared(flag.0, &flag.1)));
        platform.replies.flags = found.map(|flag| flag.2.clone()).collect();
    }
    Ok(Loaded { platforms, errors })
}

/// Returns a platform by name.
pub(crate) fn platform(name: &str) -> Result<&'static Platform> {
    let all = &loaded().platforms;
    all.iter().find(|platform| platform.name == name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|platform| platform.name.as_str()).collect();
        let shown: String = name.chars().take(60).collect();
        let error = Error::usage(format!("there is no platform {shown:?}"));
        match nearest(name, &names) {
            Some(near) => {
                error.hint(format!("Did you mean {near:?}? The platforms are: {}.", names.join(", ")))
            }
            None => error.hint(format!("The platforms are: {}.", names.join(", "))),
        }
    })
}
