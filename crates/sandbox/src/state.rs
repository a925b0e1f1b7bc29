//! Everything a running sandbox knows.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use jiff::Timestamp;
use sesame_catalog::Platform;
use sesame_core::Result;

use crate::{
    apps::{App, Apps},
    clock::SandboxClock,
    contracts::Contracts,
    faults::Faults,
    fixtures::{Fixtures, Shop},
    options::Options,
    quotas::Quotas,
    refusals::{Refusals, plain_report},
    settings::Settings,
    stats::Stats,
    tokens::TokenBook,
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
    pub(crate) faults: Faults,
    pub(crate) quotas: Quotas,
    pub(crate) seed: u64,
    pub(crate) auto_approve: bool,
    pub(crate) strict_signatures: bool,
    pub(crate) max_body: usize,
    pub(crate) max_batch: usize,
    /// True when others than this machine may reach it, by whatever name.
    pub(crate) public: bool,
    /// The base URL, known once the port is.
    pub(crate) url: OnceLock<String>,
    settings: Mutex<Settings>,
    /// The shop that is approved next when nobody names one.
    next_login: AtomicUsize,
    /// Makes request ids differ.
    requests: AtomicU64,
    pub(crate) stats: Stats,
}

impl State {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let platforms = options.catalog.platforms();
        let Options { old_refresh_token, reply_style, .. } = *options;
        let settings = Settings { old_refresh_token, reply_style };
        let clock = SandboxClock::new(options.clock.clone(), options.now);
        let fixtures = Fixtures::generate(options.seed, options.shops, options.products);
        Ok(Self {
            fixtures: fixtures.beginning(clock.now(), options.churn),
            clock,
            contracts: Contracts::new(options.catalog.clone()),
            apps: Apps::new(platforms, options.seed, &options.apps)?,
            tokens: TokenBook::default(),
            refusals: Refusals::default(),
            faults: Faults::new(options.seed, &options.faults)?,
            quotas: Quotas::new(&options.quotas)?,
            seed: options.seed,
            auto_approve: options.auto_approve,
            strict_signatures: options.strict_signatures,
            max_body: options.max_body,
            max_batch: options.max_batch,
            public: !options.listen.ip().is_loopback(),
            url: OnceLock::new(),
            settings: Mutex::new(settings),
            next_login: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            stats: Stats::default(),
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

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
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
