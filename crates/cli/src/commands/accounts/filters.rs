//! Which shops `sesame accounts` lists.

use std::time::Duration;

use jiff::Timestamp;
use sesame_vault::Account;

use crate::{humanize::parse_duration, status};

/// Which shops are listed.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filters {
    /// Only shops that must be authorized within this time: 30d, 12h, ...
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) expiring: Option<Duration>,
    /// Only shops with this tag; given more than once, with all of them.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Only shops on this platform.
    #[arg(long, value_name = "PLATFORM")]
    pub(super) platform: Option<String>,
    /// Only shops authorized through this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only shops in this state.
    #[arg(long, value_parser = ["healthy", "needs-refresh", "needs-authorization"])]
    state: Option<String>,
}

impl Filters {
    pub(super) fn is_any(&self) -> bool {
        let Self { expiring, tag, platform, app, state } = self;
        expiring.is_some() || !tag.is_empty() || platform.is_some() || app.is_some() || state.is_some()
    }

    pub(super) fn wants(&self, account: &Account, now: Timestamp) -> bool {
        self.tag.iter().all(|tag| account.tags.contains(tag))
            && self.expiring.is_none_or(|within| status::needs_person_within(account, now, within))
            && self.platform.as_ref().is_none_or(|platform| *platform == account.platform)
            && self.app.as_ref().is_none_or(|app| *app == account.app)
            && self.state.as_ref().is_none_or(|wanted| *wanted == account.state.as_str())
    }
}
