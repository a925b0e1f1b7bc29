//! Everything a running sandbox knows.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use sesame_catalog::Platform;
use sesame_core::Result;

use crate::{
    apps::{App, Apps},
    clock::SandboxClock,
    contracts::{Contract, Contracts},
    fixtures::{Fixtures, Shop},
    options::{OldRefreshToken, Options},
    quotas::Quotas,
    refusals::{Refusals, plain_report},
    token_replies::ReplyStyle,
    tokens::TokenBook,
    trouble::Troubles,
};

/// Everything a running sandbox knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: SandboxClock,
    pub(crate) contracts: Contracts,
    pub(crate) fixtures: Fixtures,
    pub(crate) apps: Apps,
    pub(crate) tokens: TokenBook,
    pub(crate) refusals: Refusals,
    pub(crate) troubles: Troubles,
    pub(crate) quotas: Quotas,
    pub(crate) seed: u64,
    pub(crate) auto_approve: bool,
    pub(crate) max_body: usize,
    pub(crate) max_batch: usize,
    /// True when others than this machine may reach it, by whatever name.
    pub(crate) public: bool,
    /// The base URL, known once the port is.
    pub(crate) url: OnceLock<String>,
    old_refresh_token: Mutex<OldRefreshToken>,
    reply_style: Mutex<ReplyStyle>,
    /// The shop that is approved next when nobody names one.
    next_login: AtomicUsize,
    /// Makes request ids differ.
    requests: AtomicU64,
    /// param2 signatures that only fit when sorted by name.
    pub(crate) sorted_by_name: AtomicU64,
    /// IOP signatures over the parameters that are not empty, while empty ones came too.
    pub(crate) without_empty: AtomicU64,
    /// Calls that no entry of the catalog counts.
    others: Mutex<BTreeMap<(String, String), BTreeMap<String, u64>>>,
}

/// The most names of calls that are counted beside the catalog's.
const MAX_OTHERS: usize = 1_000;

impl State {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let platforms = options.catalog.platforms();
        Ok(Self {
            clock: SandboxClock::new(options.clock.clone(), options.now),
            contracts: Contracts::new(options.catalog.clone()),
            fixtures: Fixtures::generate(options.seed, options.shops, options.products),
            apps: Apps::new(platforms, options.seed, &options.apps)?,
            tokens: TokenBook::default(),
            refusals: Refusals::default(),
            troubles: Troubles::new(options.seed, &options.trouble)?,
            quotas: Quotas::new(&options.quotas)?,
            seed: options.seed,
            auto_approve: options.auto_approve,
            max_body: options.max_body,
            max_batch: options.max_batch,
            public: !options.listen.ip().is_loopback(),
            url: OnceLock::new(),
            old_refresh_token: Mutex::new(options.old_refresh_token),
            reply_style: Mutex::new(options.reply_style),
            next_login: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            sorted_by_name: AtomicU64::new(0),
            without_empty: AtomicU64::new(0),
            others: Mutex::default(),
        })
    }

    pub(crate) fn platform(&self, app: &App) -> &Platform {
        self.contracts.platform(app.platform)
    }

    pub(crate) fn shop(&self, at: usize) -> Option<&Shop> {
        self.fixtures.shops().get(at)
    }

    pub(crate) fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    pub(crate) fn old_refresh_token(&self) -> OldRefreshToken {
        *self.old_refresh_token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_old_refresh_token(&self, what: OldRefreshToken) {
        *self.old_refresh_token.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    pub(crate) fn reply_style(&self) -> ReplyStyle {
        *self.reply_style.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_reply_style(&self, style: ReplyStyle) {
        *self.reply_style.lock().unwrap_or_else(PoisonError::into_inner) = style;
    }

    /// Takes turns among the shops that could be meant.
    pub(crate) fn next_login(&self) -> usize {
        self.next_login.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns a request id in the vendors' style: hexadecimal, with the time inside.
    pub(crate) fn request_id(&self, now: Timestamp) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("2101{:013}{:08x}", now.as_millisecond().max(0), number & 0xffff_ffff)
    }

    /// Counts a call by its outcome; no code is success.
    pub(crate) fn count(&self, platform: &str, api: &str, contract: Option<&Contract>, code: &str) {
        if let Some(contract) = contract {
            contract.count(code);
            return;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        // Names come from requests: short ones are kept, and not too many.
        let mut end = api.len().min(120);
        while !api.is_char_boundary(end) {
            end -= 1;
        }
        let mut key = (platform.to_owned(), api[..end].to_owned());
        if !others.contains_key(&key) && others.len() >= MAX_OTHERS {
            "(others)".clone_into(&mut key.1);
        }
        let counts = others.entry(key).or_default();
        let code = if code.is_empty() { "ok" } else { code };
        if counts.len() < 200 || counts.contains_key(code) {
            *counts.entry(code.to_owned()).or_default() += 1;
        } else {
            *counts.entry("(others)".to_owned()).or_default() += 1;
        }
    }

    /// Returns the counts by platform, API and outcome.
    pub(crate) fn counts(&self, reset: bool) -> BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>> {
        let mut out: BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>> = BTreeMap::new();
        self.contracts.for_each(|platform, contract| {
            let counts = contract.counts(reset);
            if !counts.is_empty() {
                let apis = out.entry(platform.to_owned()).or_default();
                let merged = apis.entry(contract.api.name.clone()).or_default();
                for (code, count) in counts {
                    *merged.entry(code).or_default() += count;
                }
            }
        });
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        for ((platform, api), counts) in others.iter() {
            let merged = out.entry(platform.clone()).or_default().entry(api.clone()).or_default();
            for (code, count) in counts {
                *merged.entry(code.clone()).or_default() += count;
            }
        }
        if reset {
            others.clear();
        }
        out
    }

    /// Keeps the reason of a refusal that is not about the signature.
    pub(crate) fn keep_refusal(
        &self,
        why: &str,
        route: &str,
        hint: &str,
        pairs: &[(&str, &str)],
        now: Timestamp,
    ) -> String {
        let id = self.refusals.keep(|id| plain_report(id, why, route, hint, pairs, now));
        tracing::info!(refusal = %id, parameters = pairs.len(), "refused");
        id
    }
}
