//! Rate limits: documented ones, bans imposed by the platform, and rates learned from refusals.
//!
//! Waiting happens here, before signing, because signatures carry the time and age.

mod memory;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use sesame_catalog::{Api, Platform};
use sesame_core::{BoxFuture, Error, ErrorKind, Result, gcra::Limit};

pub use memory::MemoryQuota;

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// All calls of an app.
    App,
    /// All calls of an app to one API, whichever the shop.
    AppApi,
    /// All calls for one shop.
    Account,
    /// All calls for one shop to one API.
    AccountApi,
}

impl Scope {
    const ALL: [Self; 4] = [Self::App, Self::AppApi, Self::Account, Self::AccountApi];
}

/// The names a call is counted under.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The platform.
    pub platform: &'a str,
    /// The app key.
    pub app: &'a str,
    /// The account's lasting id.
    pub account: &'a str,
    /// The canonical name of the API.
    pub api: &'a str,
}

/// One counter: a scope and the names that belong to it. `Display` writes it as one text, which a
/// store shared by many machines can use as its key.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The scope.
    pub scope: Scope,
    /// The names; those outside the scope do not count.
    pub names: &'a Names<'a>,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Names { platform, app, account, api } = *self.names;
        match self.scope {
            Scope::App => write!(f, "app/{platform}/{app}"),
            Scope::AppApi => write!(f, "app/{platform}/{app}/{api}"),
            Scope::Account => write!(f, "account/{account}"),
            Scope::AccountApi => write!(f, "account/{account}/{api}"),
        }
    }
}

/// A call to be counted under one counter.
#[derive(Debug, Clone, Copy)]
pub struct Reservation<'a> {
    /// The counter.
    pub key: Key<'a>,
    /// The documented limit, where there is one. Without it only bans and learned rates count.
    pub limit: Option<Limit>,
}

/// Whether and when a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call is counted; make it after this time, which is mostly zero.
    Wait(Duration),
    /// The required wait exceeds the call's remaining time. Nothing was counted.
    Exceeded(Duration),
}

/// Where calls are counted: in memory for one process, elsewhere for many.
pub trait QuotaStore: Send + Sync {
    /// Counts one call under all reservations, or under none of them.
    fn take<'a>(
        &'a self,
        reservations: &'a [Reservation<'a>],
        now: Timestamp,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Decision>>;

    /// Returns how long the longest ban among the reservations still lasts. Asked after a wait, because
    /// somebody else may have been refused meanwhile.
    fn ban_remaining<'a>(
        &'a self,
        reservations: &'a [Reservation<'a>],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Duration>>;

    /// Says that a platform refused a call for its rate; `ban` is the wait it asked for. Until the
    /// ban ends no call is made under this key; after it the rate is low and eases back.
    fn refused<'a>(
        &'a self,
        key: Key<'a>,
        now: Timestamp,
        ban: Option<Duration>,
    ) -> BoxFuture<'a, Result<()>>;
}

/// The documented limits of one API, looked up once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Documented {
    limits: [Option<Limit>; 4],
}

impl Documented {
    pub(crate) fn of(platform: &Platform, api: &Api) -> Self {
        let mut documented = Self::default();
        for rule in &platform.quotas {
            // Nothing tells a test app from a live one before it is refused.
            if rule.test_app || !(rule.api.is_empty() || names(api, &rule.api)) {
                continue;
            }
            let scope = match (rule.per.as_str(), rule.api.is_empty()) {
                ("account", true) => Scope::Account,
                ("account", false) => Scope::AccountApi,
                (_, true) => Scope::App,
                (_, false) => Scope::AppApi,
            };
            let limit = Limit::calls_in(rule.calls, Duration::from_secs(rule.seconds));
            let slot = &mut documented.limits[scope as usize];
            if slot.is_none_or(|slot| limit.is_slower_than(slot)) {
                *slot = Some(limit);
            }
        }
        documented
    }

    pub(crate) fn reservations<'a>(&self, names: &'a Names<'a>) -> [Reservation<'a>; 4] {
        Scope::ALL.map(|scope| Reservation { key: Key { scope, names }, limit: self.limits[scope as usize] })
    }
}

fn names(api: &Api, name: &str) -> bool {
    api.name == name || api.path.as_deref() == Some(name) || api.aliases.iter().any(|alias| alias == name)
}

/// Tells who shares the limit that a refusal speaks of.
///
/// Sources: protocols 1.6 (`gw.Qos*`), 2.7 (the texts of `*CallLimit`: "app access to the api",
/// "daily app quota"), 3.5 (the names of codes 4 to 8 and of `accesscontrol.*`).
pub(crate) fn scope_of(error: &Error) -> Scope {
    let code = error.code().unwrap_or_default();
    let sub = error.sub_code().unwrap_or_default();
    let is = |text: &str, words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(
        sub,
        &["accesscontrol.limited-by-api-access-count", "accesscontrol.limited-by-app-api-access-count"],
    ) {
        return Scope::AppApi;
    }
    if is(sub, &["accesscontrol.limited-by-app-access-count"])
        || is(code, &["AppCallLimit", "gw.QosAppFrequencyLimit", "gw.QosRequestLimit", "6", "7", "8"])
    {
        return Scope::App;
    }
    if is(code, &["SellerCallLimit", "4", "5"]) {
        return Scope::Account;
    }
    // ApiCallLimit, AppApiCallLimit, 901, gw.QosApiFrequencyLimit and all that nobody explains.
    Scope::AppApi
}

/// The error of a call whose turn is too far away.
pub(crate) fn too_long(wait: Duration, patience: Duration) -> Error {
    let seconds = wait.as_secs_f64();
    Error::new(
        ErrorKind::Quota,
        format!("rate limit: next call allowed in {seconds:.1} s, but the timeout is {:.0} s; nothing was sent", patience.as_secs_f64()),
    )
    .with_retry(sesame_core::Retry::After(wait))
    .with_hint("Call again after that time, allow more time with --timeout, or call less often. The platform set this limit or refused a call before.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_follow_the_words_of_the_platforms() {
        let scope = |code: &'static str, sub: &'static str| {
            let error = Error::new(ErrorKind::Quota, "").with_code(code);
            scope_of(&if sub.is_empty() { error } else { error.with_sub_code(sub) })
        };
        assert_eq!(scope("ApiCallLimit", ""), Scope::AppApi);
        assert_eq!(scope("appcalllimit", ""), Scope::App);
        assert_eq!(scope("SellerCallLimit", ""), Scope::Account);
        assert_eq!(scope("7", "accesscontrol.limited-by-api-access-count"), Scope::AppApi);
        assert_eq!(scope("7", "accesscontrol.limited-by-app-access-count"), Scope::App);
        assert_eq!(scope("gw.QosAppFrequencyLimit", ""), Scope::App);
        assert_eq!(scope("901", ""), Scope::AppApi);
    }

    #[test]
    fn keys_name_only_what_belongs_to_them() {
        let names = &Names { platform: "lazada", app: "1", account: "a", api: "/orders/get" };
        let key = |scope| Key { scope, names }.to_string();
        assert_eq!(key(Scope::App), "app/lazada/1");
        assert_eq!(key(Scope::AppApi), "app/lazada/1//orders/get");
        assert_eq!(key(Scope::Account), "account/a");
        assert_eq!(key(Scope::AccountApi), "account/a//orders/get");
    }
}
