//! How a table is imported, and what an import did.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use jiff::tz::TimeZone;
use serde::Serialize;
use sesame_core::{Error, Result};

/// The columns of a table, in the order in which documents list them.
pub const COLUMNS: [&str; 12] = [
    "account",
    "app_key",
    "app_secret",
    "access_token",
    "refresh_token",
    "identity",
    "login",
    "country",
    "access_create_time",
    "refresh_create_time",
    "access_expires_at",
    "refresh_expires_at",
];

/// How a table is imported.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ImportOptions {
    /// The platform of its shops.
    pub platform: String,
    /// The region whose hosts are called, for rows without a country; the platform's first when left out.
    pub region: Option<String>,
    /// The app of the vault that all its shops belong to, for tables without app keys.
    pub app: Option<String>,
    /// Which column is what, where it does not have its documented name.
    pub mapping: Mapping,
    /// The zone of times without one.
    pub time_zone: TimeZone,
    /// How long an access token lives from its create time; the platform's own rule when left out.
    pub access_life: Option<Duration>,
    /// How long a refresh token lives from its create time; the platform's own rule when left out. An end
    /// in the past that follows from it is not believed: the platform is asked.
    pub refresh_life: Option<Duration>,
    /// The name of the shop was made up: it tells no shop from another.
    pub name_is_made_up: bool,
    /// Imports what can be read, although some rows cannot.
    pub skip_bad: bool,
    /// Reports what would be done, and stores nothing.
    pub dry_run: bool,
    /// Where the secrets come from, for people: `file accounts.csv`.
    pub origin: Option<String>,
    /// Tokens whose end has passed are tried before that is believed.
    pub(crate) tries_ended: bool,
}

impl ImportOptions {
    /// Options for a table of a platform, with times in the zone of Shanghai.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when this machine does not know the zone.
    pub fn new(platform: impl Into<String>) -> Result<Self> {
        Ok(Self {
            platform: platform.into(),
            region: None,
            app: None,
            mapping: Mapping::default(),
            time_zone: TimeZone::get("Asia/Shanghai")
                .map_err(|error| Error::local(format!("unknown time zone Asia/Shanghai: {error}")))?,
            access_life: None,
            refresh_life: None,
            name_is_made_up: false,
            skip_bad: false,
            dry_run: false,
            origin: None,
            tries_ended: false,
        })
    }
}

/// Which column holds what, where it does not have its documented name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping(pub(crate) BTreeMap<&'static str, String>);

impl FromStr for Mapping {
    type Err = Error;

    /// Reads `access_token=tok,refresh_token=rtok`: documented names, and those in the table.
    fn from_str(text: &str) -> Result<Self> {
        let mut mapping = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, column) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, column) = (name.trim(), column.trim());
            let field = COLUMNS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
            let field = field.filter(|field| !column.is_empty() && !mapping.0.contains_key(field));
            let Some(field) = field else {
                return Err(Error::usage(format!("invalid or repeated mapping {pair:?}")).with_hint(
                    format!("Write NAME=COLUMN,NAME=COLUMN. The names are: {}.", COLUMNS.join(", ")),
                ));
            };
            mapping.0.insert(field, column.to_owned());
        }
        Ok(mapping)
    }
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// The names of the apps that were added.
    pub apps: Vec<String>,
    /// The names of the accounts that were added.
    pub accounts: Vec<String>,
    /// The names of accounts that an earlier import had brought without tokens, and that have some now.
    pub completed: Vec<String>,
    /// Shops that the vault had already, and that were left as they are: the name in the file, and
    /// that in the vault.
    pub left_alone: Vec<(String, String)>,
    /// Accounts that were added and have to be authorized again: the name, and why.
    pub needs_authorization: Vec<(String, String)>,
    /// Rows that were left out: where they are, and why.
    pub skipped: Vec<(String, String)>,
    /// The sandbox whose shops the new accounts are, if it is one.
    pub sandbox: Option<String>,
    /// Notes for the user.
    pub notes: Vec<String>,
}
