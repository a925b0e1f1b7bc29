//! What a sandbox is started with.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use jiff::Timestamp;
use sesame_catalog::Catalog;
use sesame_core::{Clock, Error, Result};

use crate::{
    apps::AppSpec,
    fault::FaultRule,
    fixtures::{MOST_PRODUCTS, MOST_SHOPS},
    quotas::QuotaRule,
    settings::{OldRefreshToken, ReplyStyle},
};

/// What a sandbox is started with. [`Options::new`] gives the defaults of `sesame sandbox`.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on. Default: `127.0.0.1:4600`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Allows an address other than loopback. The control API has no login, so it is off.
    pub allow_public: bool,
    /// Shops of each platform, at most [`MOST_SHOPS`]. Default: 2.
    pub shops: usize,
    /// Products of each shop, at most [`MOST_PRODUCTS`]. Default: 120.
    pub products: usize,
    /// The seed that keys, shops and products follow from. Default: 1.
    pub seed: u64,
    /// The time at which the sandbox's clock starts. Default: that of `clock`.
    pub now: Option<Timestamp>,
    /// Changes of each shop in a second of the sandbox's clock, at most [`MOST_CHURN`]: orders are made,
    /// paid, canceled and returned, products change, come and go. Default: 0.
    pub churn: f64,
    /// Approves on the OAuth pages without asking.
    pub auto_approve: bool,
    /// Refuses unsigned calls on param2, where no document says which ones the gateway refuses.
    pub strict_signatures: bool,
    /// Apps beside those invented.
    pub apps: Vec<AppSpec>,
    /// Faults in force from the start.
    pub faults: Vec<FaultRule>,
    /// Limits in force from the start.
    pub quotas: Vec<QuotaRule>,
    /// What becomes of used refresh tokens on IOP.
    pub old_refresh_token: OldRefreshToken,
    /// Which form replies take where the live gateways and the documents differ.
    pub reply_style: ReplyStyle,
    /// The largest body of a request, in bytes. Default: 16 MiB.
    pub max_body: usize,
    /// Maximum number of calls of a TOP batch. Default: what the catalog says.
    pub max_batch: usize,
    /// Maximum number of connections at a time. Default: 4,096; more wait.
    pub max_connections: usize,
    /// The catalog to serve.
    pub catalog: Arc<Catalog>,
    /// Where time, sleep and randomness come from.
    pub clock: Arc<dyn Clock>,
}

/// Maximum number of changes of a shop in a second.
pub const MOST_CHURN: f64 = 1_000.0;

impl Options {
    /// Checks what the types cannot.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.listen.ip().is_loopback() && !self.allow_public {
            return Err(Error::usage(format!("{} is not a loopback address", self.listen.ip())).with_hint(
                "A sandbox has a control API without a login. Listen on 127.0.0.1, or add --allow-public (`Options::allow_public`) if the network is yours.",
            ));
        }
        for (what, wanted, most) in [
            ("shops on each platform", self.shops, MOST_SHOPS),
            ("products of each shop", self.products, MOST_PRODUCTS),
        ] {
            if wanted > most {
                return Err(Error::usage(format!("{wanted} {what} are too many"))
                    .with_hint(format!("A sandbox has at most {most} {what}.")));
            }
        }
        if !(0.0..=MOST_CHURN).contains(&self.churn) {
            return Err(Error::usage(format!("invalid churn rate {}", self.churn)).with_hint(format!(
                "It is changes of a shop in a second: a number from 0 to {MOST_CHURN}."
            )));
        }
        Ok(())
    }

    /// Returns the defaults.
    pub fn new(catalog: Arc<Catalog>, clock: Arc<dyn Clock>) -> Self {
        let batch = catalog.platforms().iter().find_map(|platform| platform.batch.as_ref());
        // If the data name no limit, there is one all the same.
        let max_batch = batch.map_or(1_000, |rules| rules.calls);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4600)),
            allow_public: false,
            shops: 2,
            products: 120,
            seed: 1,
            now: None,
            churn: 0.0,
            auto_approve: false,
            strict_signatures: false,
            apps: Vec::new(),
            faults: Vec::new(),
            quotas: Vec::new(),
            old_refresh_token: OldRefreshToken::Dies,
            reply_style: ReplyStyle::Recorded,
            max_body: 16 << 20,
            max_batch,
            max_connections: 4_096,
            catalog,
            clock,
        }
    }
}
