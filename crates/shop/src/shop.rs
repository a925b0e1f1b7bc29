//! One shop.

use sesame_client::Client;
use sesame_core::Result;

/// One account, and what a seller does with it. Cheap to clone.
#[derive(Clone)]
pub struct Shop {
    client: Client,
    account: String,
}

impl Shop {
    /// Creates the shop of an account. Nothing is looked up before the first call.
    pub fn new(client: Client, account: impl Into<String>) -> Self {
        Self { client, account: account.into() }
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
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop").field("account", &self.account).finish_non_exhaustive()
    }
}
