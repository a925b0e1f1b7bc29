//! Where a vault is.

use std::{fmt, path::PathBuf, str::FromStr};

use sesame_core::{Error, Result};

/// Where a vault is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A file of SQLite.
    Sqlite(PathBuf),
}

impl FromStr for Location {
    type Err = Error;

    /// Reads `sqlite:PATH`, the value of `SESAME_VAULT`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            if path.is_empty() {
                return Err(Error::usage("sqlite: names no file").hint("Write sqlite:/path/to/vault.db."));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            // The address holds a password: it is not repeated in the message.
            return Err(Error::usage(
                "this version of Sesame keeps its vault in SQLite only; PostgreSQL is not built in",
            )
            .hint("Set SESAME_VAULT=sqlite:/path/to/vault.db, or leave it out for the default place."));
        }
        let scheme = text.split(':').next().unwrap_or_default();
        Err(Error::usage(format!("{scheme:?} is no place for a vault"))
            .hint("Set SESAME_VAULT=sqlite:/path/to/vault.db, or leave it out for the default place."))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_never_repeats_a_password() {
        assert_eq!("sqlite:/a/b.db".parse::<Location>().unwrap(), Location::Sqlite("/a/b.db".into()));
        assert_eq!("sqlite:///a/b.db".parse::<Location>().unwrap(), Location::Sqlite("/a/b.db".into()));
        assert!("sqlite:".parse::<Location>().is_err());
        let error = "postgres://user:hunter2hunter2@db/vault".parse::<Location>().unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint_text()).contains("hunter2"));
        let error = "/plain/path".parse::<Location>().unwrap_err();
        assert!(error.hint_text().is_some_and(|hint| hint.contains("sqlite:")));
    }
}
