//! How a table is read.

use std::time::Duration;

use jiff::tz::TimeZone;
use sesame_core::{Error, Result};
use sesame_tables::Mapping;

/// How a table is read.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// The platform of its shops.
    pub platform: String,
    /// The region whose hosts are called, for rows that name no country; the platform's first when left
    /// out.
    pub region: Option<String>,
    /// The app of the vault that all its shops belong to, for tables without app keys.
    pub app: Option<String>,
    /// Which column is what, where the usual names do not say so.
    pub mapping: Mapping,
    /// The zone of times without one.
    pub time_zone: TimeZone,
    /// How long an access token lives from its create time; the platform's own rule when left out.
    pub access_life: Option<Duration>,
    /// How long a refresh token lives from its create time; the platform's own rule when left out,
    /// where param2's half a year counts as 180 days. An end in the past that follows from it is not
    /// believed: the platform is asked.
    pub refresh_life: Option<Duration>,
    /// The name of the shop stands in no table and was made up: it tells no shop from another.
    pub name_is_made_up: bool,
    /// Takes over what can be read, although some rows cannot.
    pub skip_bad: bool,
    /// Looks, and stores nothing.
    pub dry_run: bool,
    /// Where the secrets come from, for people: `file accounts.csv`.
    pub origin: Option<String>,
}

impl TableOptions {
    /// A table of a platform, with times of Shanghai.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the zone is not known to this machine.
    pub fn new(platform: impl Into<String>) -> Result<Self> {
        Ok(Self {
            platform: platform.into(),
            region: None,
            app: None,
            mapping: Mapping::default(),
            time_zone: TimeZone::get("Asia/Shanghai").map_err(|error| {
                Error::local(format!("the time zone Asia/Shanghai is not known: {error}"))
            })?,
            access_life: None,
            refresh_life: None,
            name_is_made_up: false,
            skip_bad: false,
            dry_run: false,
            origin: None,
        })
    }
}
