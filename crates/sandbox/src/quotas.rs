//! Limits on calls, set by options or by the control API. None are in force unless asked for.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sesame_core::{Error, Result};

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotaPer {
    /// All shops of an app.
    #[default]
    App,
    /// One shop of an app.
    Account,
}

/// A limit: `calls` in `seconds`, then the gateway's error with the seconds left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRule {
    /// The API; `None` for all calls of the app together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The platform; `None` for every platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The number of calls.
    pub calls: u64,
    /// The window in seconds.
    pub seconds: u64,
    /// Who shares them.
    #[serde(default)]
    pub per: QuotaPer,
}

/// Reads the form of the command line: `CALLS/SECONDS[@API]`.
impl FromStr for QuotaRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (rate, api) = text.split_once('@').map_or((text, None), |(rate, api)| (rate, Some(api)));
        let parsed = rate
            .split_once('/')
            .and_then(|(calls, seconds)| Some((calls.parse().ok()?, seconds.parse().ok()?)));
        let (calls, seconds) = parsed.ok_or_else(|| {
            Error::usage(format!("cannot read the quota {text:?}"))
                .with_hint("Write CALLS/SECONDS[@API], e.g. 50/1@/orders/get.")
        })?;
        let rule = Self { api: api.map(str::to_owned), platform: None, calls, seconds, per: QuotaPer::App };
        rule.check()?;
        Ok(rule)
    }
}

impl QuotaRule {
    fn check(&self) -> Result<()> {
        if self.seconds == 0 || self.seconds > 31_622_400 {
            return Err(Error::usage("the window of a quota is 1 second to 366 days"));
        }
        Ok(())
    }
}

/// A limit that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) seconds: u64,
    /// True when the limit is for one API.
    pub(crate) api: bool,
    pub(crate) per: QuotaPer,
}

/// The limits in force and what was used of them.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    table: Mutex<QuotaTable>,
}

#[derive(Debug, Default)]
struct QuotaTable {
    rules: Vec<QuotaRule>,
    used: HashMap<(usize, String, Option<usize>), (i64, u64)>,
}

impl Quotas {
    pub(crate) fn new(rules: &[QuotaRule]) -> Result<Self> {
        let quotas = Self::default();
        for rule in rules {
            quotas.add(rule.clone())?;
        }
        Ok(quotas)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, QuotaTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, rule: QuotaRule) -> Result<()> {
        rule.check()?;
        let mut inner = self.lock();
        if inner.rules.len() >= 1_000 {
            return Err(Error::usage("there are 1000 quotas already"));
        }
        inner.rules.push(rule);
        Ok(())
    }

    pub(crate) fn clear(&self) -> usize {
        let mut inner = self.lock();
        inner.used.clear();
        std::mem::take(&mut inner.rules).len()
    }

    pub(crate) fn list(&self) -> Vec<QuotaRule> {
        self.lock().rules.clone()
    }

    /// Counts a call, or returns the limit that it exceeds.
    pub(crate) fn take(
        &self,
        platform: &str,
        names: &[&str],
        app_key: &str,
        shop: Option<usize>,
        now: Timestamp,
    ) -> std::result::Result<(), Exceeded> {
        let mut inner = self.lock();
        let QuotaTable { rules, used } = &mut *inner;
        let second = now.as_second();
        for (at, rule) in rules.iter().enumerate() {
            let fits = rule.platform.as_deref().is_none_or(|wanted| wanted == platform)
                && rule.api.as_deref().is_none_or(|api| names.contains(&api));
            if !fits {
                continue;
            }
            let window = i64::try_from(rule.seconds).unwrap_or(i64::MAX);
            let start = second - second.rem_euclid(window);
            let who = if rule.per == QuotaPer::Account { shop } else { None };
            if used.len() > 100_000 {
                used.clear();
            }
            let count = used.entry((at, app_key.to_owned(), who)).or_insert((start, 0));
            if count.0 != start {
                *count = (start, 0);
            }
            if count.1 >= rule.calls {
                let seconds = u64::try_from(start + window - second).unwrap_or(1).max(1);
                return Err(Exceeded { seconds, api: rule.api.is_some(), per: rule.per });
            }
            count.1 += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_windows_and_says_how_long() {
        let quotas = Quotas::new(&["2/10@/a".parse().unwrap()]).unwrap();
        let at = |second: i64| Timestamp::from_second(1_795_293_100 + second).unwrap();
        assert!(quotas.take("lazada", &["/b"], "1", None, at(0)).is_ok());
        assert!(quotas.take("lazada", &["/a"], "1", None, at(3)).is_ok());
        assert!(quotas.take("lazada", &["/a"], "1", None, at(3)).is_ok());
        let exceeded = quotas.take("lazada", &["/a"], "1", None, at(3)).unwrap_err();
        assert_eq!((exceeded.seconds, exceeded.api), (7, true));
        assert!(quotas.take("lazada", &["/a"], "2", None, at(3)).is_ok(), "another app has its own");
        assert!(quotas.take("lazada", &["/a"], "1", None, at(10)).is_ok());
        for wrong in ["", "5", "5/0", "x/1", "5/x@/a"] {
            assert!(wrong.parse::<QuotaRule>().is_err(), "{wrong}");
        }
    }
}
