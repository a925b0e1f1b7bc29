//! Where a vault is and what it works with, step by step.

use std::{fmt, path::PathBuf, sync::Arc};

use sesame_catalog::{Catalog, Environment};
use sesame_client::Client;
use sesame_core::{Clock, Error, Result, Transport};
use sesame_http::HttpTransport;
use sesame_vault::{KeyChoice, Location, Vault, VaultOptions};

use crate::Sesame;

/// Builds a [`Sesame`]. [`SesameBuilder::home`] or [`SesameBuilder::vault`] is needed, the rest has defaults.
///
/// ```no_run
/// use open_sesame::{AppSecret, KeyChoice, Sesame};
///
/// # async fn example(passphrase: AppSecret) -> open_sesame::Result<()> {
/// let sesame = Sesame::builder()
///     .vault("postgres://sesame@db.example/vault")
///     .home("/var/lib/sesame")
///     .key(KeyChoice::Passphrase(passphrase))
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "nothing is opened before `build`"]
pub struct SesameBuilder {
    home: Option<PathBuf>,
    vault: Option<String>,
    sandbox: Option<String>,
    key: KeyChoice,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
}

impl Sesame {
    /// Starts to describe where the vault is and what it works with.
    pub fn builder() -> SesameBuilder {
        SesameBuilder::default()
    }
}

impl SesameBuilder {
    /// Sets the directory of this program's files: the vault (`vault.db`) unless [`SesameBuilder::vault`] names
    /// another, its key file and journal, and `catalog/*.toml`, which override the built-in catalog. The
    /// program `sesame` calls it `SESAME_HOME`.
    pub fn home(mut self, directory: impl Into<PathBuf>) -> Self {
        self.home = Some(directory.into());
        self
    }

    /// Sets where the vault is: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`. A vault in
    /// PostgreSQL needs a [`SesameBuilder::home`], too, for its key file and its journal.
    pub fn vault(mut self, url: impl Into<String>) -> Self {
        self.vault = Some(url.into());
        self
    }

    /// Sends all calls to a sandbox instead of the platforms, on this machine or in a private network, e.g.
    /// `http://127.0.0.1:4600` or `http://sandbox:4600` (see [`SandboxUrl`](crate::SandboxUrl)).
    pub fn sandbox(mut self, url: impl Into<String>) -> Self {
        self.sandbox = Some(url.into());
        self
    }

    /// Sets where the master key comes from. Default: [`KeyChoice::Auto`].
    pub fn key(mut self, key: KeyChoice) -> Self {
        self.key = key;
        self
    }

    /// Replaces the HTTP client.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Replaces the clock and the source of randomness.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Opens the vault, or makes it if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) if neither home nor vault is set, or for an invalid
    /// address; the catalog's errors about files of the home; the errors of [`Vault::open`].
    pub async fn build(self) -> Result<Sesame> {
        let environment = self.sandbox.as_deref().map(Environment::sandbox).transpose()?.unwrap_or_default();
        let location = location(self.vault.as_deref(), self.home.clone())?;
        let overrides = self.home.map(|home| home.join("catalog"));
        let transport = self.transport.unwrap_or_else(|| match environment.sandbox_url() {
            Some(url) => Arc::new(HttpTransport::new().with_sandbox(url.as_str())),
            None => Arc::new(HttpTransport::new()),
        });
        let catalog = Catalog::open(overrides.as_deref())?;
        for mistake in catalog.mistakes() {
            tracing::warn!("{mistake}; it is left out");
        }
        let mut options = VaultOptions::new(location, transport)
            .key(self.key)
            .catalog(Arc::new(catalog))
            .environment(environment);
        if let Some(clock) = self.clock {
            options = options.clock(clock);
        }
        let vault = Vault::open(options).await?;
        Ok(Sesame { client: Client::new(vault.clone()), vault })
    }
}

/// Finds where the vault is.
fn location(vault: Option<&str>, home: Option<PathBuf>) -> Result<Location> {
    match (vault, home) {
        (Some(url), Some(home)) => Ok(url.parse::<Location>()?.at_home(home)),
        (Some(url), None) => url.parse(),
        (None, Some(home)) => Ok(Location::Sqlite(home.join("vault.db"))),
        (None, None) => Err(Error::usage("no vault was named")
            .with_hint("Call `home` with a directory, or `vault` with an address, before `build`.")),
    }
}

impl fmt::Debug for SesameBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address of a vault may hold a password.
        f.debug_struct("SesameBuilder")
            .field("home", &self.home)
            .field("sandbox", &self.sandbox)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
