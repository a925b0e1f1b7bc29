//! A value and where it came from.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An option of this command.
    Flag(&'static str),
    /// A variable of the environment.
    Environment(&'static str),
    /// `config.toml`.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "option {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Chosen<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// Takes the value that counts: options beat the environment, the environment beats the file.
pub(crate) fn choose<T>(
    flag: Option<(T, &'static str)>,
    environment: Option<(T, &'static str)>,
    file: Option<(T, PathBuf)>,
) -> Option<Chosen<T>> {
    flag.map(|(value, name)| Chosen { value, origin: Origin::Flag(name) })
        .or_else(|| environment.map(|(value, name)| Chosen { value, origin: Origin::Environment(name) }))
        .or_else(|| file.map(|(value, path)| Chosen { value, origin: Origin::File(path) }))
}

/// Returns `None` by default, where nobody said anything.
pub(crate) fn optional<T>(chosen: Option<Chosen<T>>) -> Chosen<Option<T>> {
    match chosen {
        Some(Chosen { value, origin }) => Chosen { value: Some(value), origin },
        None => Chosen { value: None, origin: Origin::Default },
    }
}
