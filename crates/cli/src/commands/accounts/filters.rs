//! Which shops `sesame accounts` lists.

use std::time::Duration;

use jiff::Timestamp;
use sesame_vault::Account;

use crate::{humanize::parse_duration, shops::ShopFilter, status};

/// Which shops are listed.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filters {
    /// Only shops that must be authorized within this time: 30d, 12h, ...
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) expiring: Option<Duration>,
    #[command(flatten)]
    pub(super) shops: ShopFilter,
    /// Only shops authorized through this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only shops in this state.
    #[arg(long, value_parser = ["healthy", "needs-refresh", "needs-authorization"])]
    state: Option<String>,
}

impl Filters {
    pub(super) fn is_any(&self) -> bool {
        let Self { expiring, shops, app, state } = self;
        expiring.is_some() || shops.is_any() || app.is_some() || state.is_some()
    }

    pub(super) fn wants(&self, account: &Account, now: Timestamp) -> bool {
        self.shops.wants(account)
            && self.expiring.is_none_or(|within| status::needs_person_within(account, now, within))
            && self.app.as_ref().is_none_or(|app| *app == account.app)
            && self.state.as_ref().is_none_or(|wanted| *wanted == account.state.as_str())
    }
}
