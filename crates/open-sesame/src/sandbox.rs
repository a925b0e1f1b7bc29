//! The platforms' gateways on this machine, and shops in them that are already authorized.
//!
//! Examples, tests and demonstrations start here; with real keys only this part of a program would differ.

use std::{net::SocketAddr, sync::Arc};

use sesame_catalog::Catalog;
use sesame_core::{AppSecret, Clock, Error, HttpRequest, Result, request::Method};
pub use sesame_sandbox::{FaultKind, FaultRule, Options, Sandbox};
use sesame_vault::{Callback, KeyChoice, LoginOptions, NewApp, SystemClock};

use crate::Sesame;

/// A sandbox in this process and a [`Sesame`] over it, with a vault in a temporary directory.
///
/// ```no_run
/// use open_sesame::{Json, sandbox::DemoEnv};
///
/// # async fn example() -> open_sesame::Result<()> {
/// let demo = DemoEnv::start(1, 40).await?;
/// let shop = demo.authorize("lazada", 1).await?.remove(0);
/// let products: Json = demo.sesame.call(shop, "/products/get").arg("filter", "all").send_as().await?;
/// demo.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DemoEnv {
    /// A vault and a client that reach the sandbox alone.
    pub sesame: Sesame,
    sandbox: Sandbox,
    _home: tempfile::TempDir,
}

impl DemoEnv {
    /// Starts a sandbox with `shops` shops on each platform and `products` products in each shop.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](crate::ErrorKind::Local) if no port or no temporary directory can be had.
    pub async fn start(shops: usize, products: usize) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut options = Options::new(Arc::new(Catalog::builtin()), clock);
        options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        options.auto_approve = true;
        (options.shops, options.products) = (shops, products);
        let sandbox = Sandbox::start(options).await?;
        let home = tempfile::tempdir()
            .map_err(|error| Error::local("could not create a temporary directory").with_source(error))?;
        let builder = Sesame::builder().home(home.path()).sandbox(sandbox.url()).key(KeyChoice::File);
        Ok(Self { sesame: builder.build().await?, sandbox, _home: home })
    }

    /// Adds the sandbox's app of a platform and lets its first `shops` shops approve it. Returns the names of
    /// their accounts.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a platform that the sandbox does not have; the
    /// vault's errors.
    pub async fn authorize(&self, platform: &str, shops: usize) -> Result<Vec<String>> {
        let (vault, transport) = (self.sesame.vault(), self.sesame.transport());
        let description = self.sandbox.describe();
        let missing = || Error::usage(format!("the sandbox has no app of {platform:?}"));
        let app = description.apps.iter().find(|app| app.platform == platform).ok_or_else(missing)?;
        vault
            .add_app(
                NewApp::new(
                    platform,
                    app.app_key.clone(),
                    AppSecret::new(app.app_secret.clone().unwrap_or_default()),
                )
                .name(platform)
                .redirect_uri(app.redirect_uri.clone()),
            )
            .await?;
        let mut accounts = Vec::new();
        for shop in description.shops.iter().filter(|shop| shop.platform == platform).take(shops) {
            let login = vault.begin_login(platform, LoginOptions::default()).await?;
            // A person would approve in a browser; the sandbox approves by itself and redirects.
            let page = format!("{}&login={}", login.authorize_url, shop.login);
            let reply = transport.send(HttpRequest::new(Method::GET, page)).await?;
            let back = reply.header("location").ok_or_else(|| Error::local("the sandbox did not approve"))?;
            let added = vault.finish_login(&login, Callback::Url(back.to_owned())).await?;
            accounts.extend(added.into_iter().map(|account| account.name).take(1));
        }
        Ok(accounts)
    }

    /// Returns the sandbox's address.
    pub fn url(&self) -> String {
        self.sandbox.url()
    }

    /// Stops the sandbox.
    pub async fn stop(self) {
        self.sandbox.stop().await;
    }
}
