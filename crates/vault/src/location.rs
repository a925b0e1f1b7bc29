//! Where a vault is.

use std::{fmt, path::PathBuf, str::FromStr};

use sesame_core::{Error, Result};

use crate::{Database, ownership::beside};

/// Where a vault is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server. Key file and journal live on this machine: see
    /// [`Location::at_home`].
    Postgres(Box<Database>),
}

impl Location {
    /// Sets the directory on this machine where a vault in PostgreSQL keeps its key file and its
    /// journal. A vault in a file keeps them beside it.
    #[must_use]
    pub fn at_home(self, directory: impl Into<PathBuf>) -> Self {
        match self {
            Self::Postgres(database) => Self::Postgres(Box::new(database.at_home(directory))),
            Self::Sqlite(path) => Self::Sqlite(path),
        }
    }

    /// Returns where the master key lives of a vault that takes it from a file.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a database without a directory of this
    /// machine; see [`Location::at_home`].
    pub fn key_file(&self) -> Result<PathBuf> {
        Ok(beside(&self.base()?, ".key"))
    }

    /// Fails if this program was built without the database of this location.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage), naming the feature that is missing.
    pub fn ensure_supported(&self) -> Result<()> {
        let is_supported = match self {
            Self::Sqlite(_) => cfg!(feature = "sqlite"),
            Self::Postgres(_) => cfg!(feature = "postgres"),
        };
        if is_supported { Ok(()) } else { Err(self.unsupported()) }
    }

    pub(crate) fn unsupported(&self) -> Error {
        let (database, feature) = match self {
            Self::Sqlite(_) => ("SQLite", "sqlite"),
            Self::Postgres(_) => ("PostgreSQL", "postgres"),
        };
        Error::usage(format!(
            "this program cannot open a vault in {database}: it was built without the feature `{feature}`"
        ))
        .with_hint(format!(
            "Install the program with all features (cargo install --path crates/cli --features full); in a program of \
             your own, enable `{feature}` of open-sesame or sesame-vault in Cargo.toml. Or name another place for the vault."
        ))
    }

    /// Returns what the names of key file and journal begin with.
    pub(crate) fn base(&self) -> Result<PathBuf> {
        match self {
            Self::Sqlite(path) => Ok(path.clone()),
            Self::Postgres(database) => database.base(),
        }
    }
}

impl FromStr for Location {
    type Err = Error;

    /// Reads `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`, the value of `SESAME_VAULT`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            if path.is_empty() {
                return Err(
                    Error::usage("sqlite: names no file").with_hint("Write sqlite:/path/to/vault.db.")
                );
            }
            if let Some(why) = no_plain_file(path) {
                return Err(Error::usage(format!("SESAME_VAULT={text:?} {why}")).with_hint(
                    "Write sqlite:/path/to/vault.db: a plain file. A vault has to outlive the command that fills it.",
                ));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Ok(Self::Postgres(Box::new(Database::parse(text)?)));
        }
        let scheme = text.split(':').next().unwrap_or_default();
        Err(Error::usage(format!("invalid vault address: {scheme:?} is neither sqlite nor postgres"))
            .with_hint("Set SESAME_VAULT to sqlite:/path/to/vault.db or postgres://USER:PASSWORD@HOST/DATABASE, or leave it out for the default place."))
    }
}

/// Finds SQLite's other spellings, which would silently become a file of that very name.
fn no_plain_file(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.starts_with(":memory:") {
        return Some("asks for a vault in memory, which would be gone with the command");
    }
    if path.starts_with("file:") {
        return Some("is a SQLite address within an address");
    }
    match path.split_once('?') {
        Some((_, query)) if query.contains('=') => Some("has a query (?...), and a vault's file takes none"),
        _ => None,
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(database) => database.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_not_built_in_is_named_with_its_feature() {
        let location = "postgres://user:hunter2hunter2@db/vault".parse::<Location>().unwrap();
        let error = location.unsupported();
        assert!(error.message().contains("PostgreSQL") && error.message().contains("`postgres`"), "{error}");
        assert!(
            error.hint().unwrap().contains("--features full") && !format!("{error:?}").contains("hunter2")
        );
        assert_eq!(location.ensure_supported().is_ok(), cfg!(feature = "postgres"));
    }

    #[test]
    fn reads_what_people_write_and_never_repeats_a_password() {
        assert_eq!("sqlite:/a/b.db".parse::<Location>().unwrap(), Location::Sqlite("/a/b.db".into()));
        assert_eq!("sqlite:///a/b.db".parse::<Location>().unwrap(), Location::Sqlite("/a/b.db".into()));
        assert!("sqlite:".parse::<Location>().is_err());
        let location = " postgres://user:hunter2hunter2@db/vault ".parse::<Location>().unwrap();
        assert!(!format!("{location} {location:?}").contains("hunter2"));
        let error = "postgres://user:hunter2hunter2/@db/vault".parse::<Location>().unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"));
        for odd in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:vault.db?mode=memory",
            "sqlite:///a/b.db?cache=shared&mode=ro",
            "sqlite:file:b.db",
        ] {
            let error = odd.parse::<Location>().unwrap_err();
            assert_eq!(error.kind(), sesame_core::ErrorKind::Usage, "{odd}");
            assert!(error.message().contains(odd) && error.hint().is_some(), "{odd}: {error}");
        }
        assert!("sqlite:/a/what?/b.db".parse::<Location>().is_ok(), "a file may be called so");
        let error = "/plain/path".parse::<Location>().unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("sqlite:")));
    }
}
