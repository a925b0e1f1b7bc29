//! One shop.

use sesame_client::{Call, CallOptions, Client};
use sesame_core::Result;

/// One account, and what a seller does with it. Cheap to clone.
#[derive(Clone)]
pub struct Shop {
    client: Client,
    account: String,
    options: CallOptions,
}

impl Shop {
    /// Creates the shop of an account. Nothing is looked up before the first call.
    pub fn new(client: Client, account: impl Into<String>) -> Self {
        Self { client, account: account.into(), options: CallOptions::default() }
    }

    /// Sets the limits of each call.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Returns the name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the name of the platform.
    ///
    /// # Errors
    /// The vault's, for an account that is not there.
    pub async fn platform(&self) -> Result<String> {
        Ok(self.client.vault().handle(&self.account).await?.platform().name.clone())
    }

    /// Returns the client, for calls of single APIs.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts a call of an API.
    pub(crate) fn call(&self, api: &str) -> Call {
        let mut call = Call::new(&self.account, api);
        call.options = self.options.clone();
        call
    }

    /// Returns where the shop is.
    pub(crate) async fn place(&self) -> Result<Place> {
        let handle = self.client.vault().handle(&self.account).await?;
        let platform = handle.platform();
        let region =
            handle.region().and_then(|name| platform.regions.iter().find(|region| region.name == name));
        let zone = region.map_or(platform.time_zone.as_str(), |region| platform.time_zone_in(region));
        Ok(Place {
            platform: platform.name.clone(),
            zone: zone.to_owned(),
            currency: platform.currency_in(region).map(ToOwned::to_owned),
        })
    }
}

/// Where a shop is: what its rows leave out.
pub(crate) struct Place {
    /// The platform.
    pub(crate) platform: String,
    /// The time zone of dates that say none.
    pub(crate) zone: String,
    /// The currency of prices that say none.
    pub(crate) currency: Option<String>,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop").field("account", &self.account).finish_non_exhaustive()
    }
}
