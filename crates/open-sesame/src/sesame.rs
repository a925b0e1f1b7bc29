//! The handle that a program keeps.

use std::{fmt, sync::Arc};

use sesame_catalog::Catalog;
use sesame_client::{Client, QuotaStore};
use sesame_core::Transport;
use sesame_shop::{Shop, Shops};
use sesame_vault::Vault;

use crate::CallRequest;

/// A vault and a client over it. Cheap to clone; clones share connections, quotas and tokens.
///
/// Made by [`Sesame::builder`].
#[derive(Clone)]
pub struct Sesame {
    pub(crate) vault: Vault,
    pub(crate) client: Client,
}

impl Sesame {
    /// Starts a call of an API in the name of an account. Nothing is sent before
    /// [`CallRequest::send`] or one of its siblings.
    ///
    /// The API is a path, a method name, `[namespace:]name[@version]` or an alias of one.
    ///
    /// ```no_run
    /// # async fn example(sesame: open_sesame::Sesame) -> open_sesame::Result<()> {
    /// let output = sesame.call("shop", "/orders/get").arg("limit", 10).send().await?;
    /// println!("{}", output.reply.payload());
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self, account: impl Into<String>, api: impl Into<String>) -> CallRequest {
        CallRequest::new(self.client.clone(), account.into(), api.into())
    }

    /// Returns the shop of an account: its products, orders, stock and prices in one form on every platform.
    pub fn shop(&self, account: impl Into<String>) -> Shop {
        Shop::new(self.client.clone(), account)
    }

    /// Returns several shops, for what is to be done with all of them at the same time.
    ///
    /// ```no_run
    /// # async fn example(sesame: open_sesame::Sesame) -> open_sesame::Result<()> {
    /// let eu = sesame.vault().accounts().await?.into_iter().filter(|account| account.tags.contains(&"eu".into()));
    /// let shops = sesame.shops(eu.map(|account| account.name));
    /// let mut products = shops.merge(|shop| sesame.call(shop.account(), "/products/get").rows::<open_sesame::Json>());
    /// while let Some((shop, product)) = products.next().await {
    ///     println!("{}: {:?}", shop.account(), product);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn shops<A: Into<String>>(&self, accounts: impl IntoIterator<Item = A>) -> Shops {
        Shops::new(&self.client, accounts)
    }

    /// Returns the vault: apps, accounts, logins and tokens.
    ///
    /// ```no_run
    /// # async fn example(sesame: open_sesame::Sesame) -> open_sesame::Result<()> {
    /// let token = sesame.vault().access_token("shop").await?;
    /// // `Display` masks it; `expose` returns the token itself.
    /// assert_ne!(token.to_string(), token.expose());
    /// # Ok(())
    /// # }
    /// ```
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Returns the client, for calls that were built elsewhere.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the catalog of platforms and APIs.
    pub fn catalog(&self) -> &Catalog {
        self.vault.catalog()
    }

    /// Returns the transport that vault and client share.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        self.vault.transport()
    }

    /// Replaces the quota store, e.g. with one shared by several machines.
    #[must_use]
    pub fn with_quota(mut self, quota: Arc<dyn QuotaStore>) -> Self {
        self.client = self.client.with_quota(quota);
        self
    }
}

impl fmt::Debug for Sesame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sesame").field("vault", &self.vault).finish_non_exhaustive()
    }
}
