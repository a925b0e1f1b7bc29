//! Everything a running sandbox knows.

use std::sync::{
    Mutex, OnceLock, PoisonError,
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
    options::{OldRefreshToken, Options},
    quotas::Quotas,
    refusals::{Refusals, plain_report},
    reply_style::ReplyStyle,
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
    pub(crate) stats: Stats,
}

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
            faults: Faults::new(options.seed, &options.trouble)?,
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
