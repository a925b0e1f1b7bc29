//! A place to practice: a sandbox in this process, a vault in a temporary directory, and shops that
//! are already authorized. With real keys only this file would differ.

use std::{net::SocketAddr, sync::Arc};

use sesame_catalog::{Catalog, Endpoint};
use sesame_client::Client;
use sesame_core::{AppSecret, Clock, Error, HttpRequest, Result, Transport, request::Method};
use sesame_http::HttpTransport;
use sesame_sandbox::{Options, Sandbox};
use sesame_vault::{Callback, KeyChoice, Location, LoginOptions, NewApp, SystemClock, Vault, VaultOptions};

pub(crate) struct Practice {
    pub(crate) client: Client,
    pub(crate) vault: Vault,
    transport: Arc<HttpTransport>,
    sandbox: Sandbox,
    _home: tempfile::TempDir,
}

impl Practice {
    /// Starts a sandbox with this many shops on each platform and products in each shop.
    pub(crate) async fn start(shops: usize, products: usize) -> Result<Self> {
        let catalog = Arc::new(Catalog::builtin());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);

        let mut options = Options::new(Arc::clone(&catalog), Arc::clone(&clock));
        options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        options.auto_approve = true;
        (options.shops, options.products) = (shops, products);
        let sandbox = Sandbox::start(options).await?;

        // With real keys: no endpoint, and a vault in a directory that lasts.
        let home = tempfile::tempdir()
            .map_err(|error| Error::local("there is no place for temporary files").with_source(error))?;
        let transport = Arc::new(HttpTransport::new());
        let vault = Vault::open(VaultOptions {
            location: Location::Sqlite(home.path().join("vault.db")),
            key: KeyChoice::File,
            clock: Arc::clone(&clock),
            transport: Arc::clone(&transport) as Arc<dyn Transport>,
            catalog: Arc::clone(&catalog),
            endpoint: Some(Endpoint::parse(&sandbox.url())?),
        })
        .await?;
        let client = Client::new(vault.clone(), catalog, Arc::clone(&transport) as Arc<dyn Transport>, clock);
        Ok(Self { client, vault, transport, sandbox, _home: home })
    }

    /// Adds the sandbox's app of a platform and lets its first `shops` shops approve it. Returns
    /// the names of their accounts.
    pub(crate) async fn authorize(&self, platform: &str, shops: usize) -> Result<Vec<String>> {
        let description = self.sandbox.describe();
        let missing = || Error::usage(format!("the sandbox has no app of {platform}"));
        let app = description.apps.iter().find(|app| app.platform == platform).ok_or_else(missing)?;
        self.vault
            .add_app(NewApp {
                platform: platform.to_owned(),
                name: Some(platform.to_owned()),
                key: app.app_key.clone(),
                secret: AppSecret::new(app.app_secret.clone().unwrap_or_default()),
                redirect_uri: Some(app.redirect_uri.clone()),
                region: None,
                secret_origin: None,
            })
            .await?;
        let mut accounts = Vec::new();
        for shop in description.shops.iter().filter(|shop| shop.platform == platform).take(shops) {
            let login = self.vault.begin_login(platform, LoginOptions::default()).await?;
            // A person would approve in a browser; the sandbox approves by itself and redirects.
            let page = format!("{}&login={}", login.authorize_url, shop.login);
            let response = self.transport.send(HttpRequest::new(Method::GET, page)).await?;
            let back = response
                .header("location")
                .map(str::to_owned)
                .ok_or_else(|| Error::local("the sandbox did not approve"))?;
            let made = self.vault.finish_login(&login, Callback::Url(back)).await?;
            accounts.extend(made.into_iter().map(|account| account.name).take(1));
        }
        Ok(accounts)
    }

    /// The sandbox's address.
    pub(crate) fn url(&self) -> String {
        self.sandbox.url()
    }

    /// Ends the sandbox.
    pub(crate) async fn end(self) {
        self.sandbox.stop().await;
    }
}
