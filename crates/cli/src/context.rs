//! What commands work with, opened when first asked for: catalog, vault, client.

use std::sync::{Arc, OnceLock};

use sesame_catalog::{Catalog, Environment};
use sesame_client::{Call, Client};
use sesame_core::{AppSecret, Clock, Error, ErrorKind, Transport};
use sesame_http::HttpTransport;
use sesame_shop::Shop;
use sesame_vault::{
    KeyChoice, KeyKind, Location, SystemClock, Vault, VaultOptions, ensure_private, store::SqlStore,
};
use tokio::sync::OnceCell;

use crate::{
    chosen::Origin,
    exit::{CliError, CliResult, note, person_is_there},
    output::{Format, Printer},
    secret_input::ask_secret,
    settings::Settings,
};

/// The settings, and what was opened by them.
pub(crate) struct Context {
    /// Where everything is.
    pub(crate) settings: Settings,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    catalog: OnceLock<Arc<Catalog>>,
    transport: OnceLock<Arc<dyn Transport>>,
    vault: OnceCell<Vault>,
    client: OnceLock<Client>,
}

impl Context {
    /// Starts with nothing open.
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// Starts with another clock.
    pub(crate) fn with_clock(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            clock,
            catalog: OnceLock::new(),
            transport: OnceLock::new(),
            vault: OnceCell::new(),
            client: OnceLock::new(),
        }
    }

    /// Opens standard output in the form that was asked for, or in the command's own.
    pub(crate) fn printer(&self, default: Format) -> Printer {
        Printer::new(self.settings.output.value.unwrap_or(default))
    }

    /// Opens the catalog, with the user's own overlays.
    ///
    /// # Errors
    /// Usage, for an overlay that cannot be read.
    pub(crate) fn catalog(&self) -> CliResult<Arc<Catalog>> {
        if let Some(catalog) = self.catalog.get() {
            return Ok(Arc::clone(catalog));
        }
        let own = self.settings.catalog_dir();
        if let Some(directory) = &own {
            ensure_private("the catalog", directory)?;
            for file in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                ensure_private("the catalog's file", &file.path())?;
            }
        }
        let catalog = Arc::new(Catalog::open(own.as_deref())?);
        for mistake in catalog.mistakes() {
            note("warning", &format!("{mistake}; it is left out"));
        }
        Ok(Arc::clone(self.catalog.get_or_init(|| catalog)))
    }

    /// Returns whom calls reach.
    ///
    /// # Errors
    /// Usage, for an address on the public internet.
    pub(crate) fn environment(&self) -> CliResult<Environment> {
        let chosen = &self.settings.endpoint;
        match &chosen.value {
            None => Ok(Environment::Live),
            Some(url) => Ok(Environment::sandbox(url).map_err(|error| error.context(&chosen.origin))?),
        }
    }

    /// Returns the way out. An invalid endpoint is reported by whoever asks for the environment.
    pub(crate) fn transport(&self) -> Arc<dyn Transport> {
        let new = || match self.environment() {
            Ok(Environment::Sandbox(url)) => Arc::new(HttpTransport::new().with_sandbox(url.as_str())),
            _ => Arc::new(HttpTransport::new()),
        };
        Arc::clone(self.transport.get_or_init(|| new()))
    }

    /// Returns `true` if opening the vault would create it. Looking should create nothing.
    ///
    /// # Errors
    /// Usage, for an invalid endpoint: a mistake is reported although nothing is opened. A database
    /// that cannot be asked.
    pub(crate) async fn vault_is_new(&self) -> CliResult<bool> {
        self.environment()?;
        match self.settings.location() {
            // Once opened, it is there.
            Ok(location) if self.vault.get().is_none() => Ok(!SqlStore::exists(&location).await?),
            _ => Ok(false),
        }
    }

    /// Opens the vault, once, and says what people should hear about it.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub(crate) async fn vault(&self) -> CliResult<&Vault> {
        self.vault
            .get_or_try_init(|| async {
                let location = self.settings.location()?;
                if let Location::Sqlite(path) = &location
                    && path.to_str().is_none()
                {
                    return Err(Error::usage(format!(
                        "the vault would be {}, and SQLite takes no file name that is not UTF-8 text",
                        path.display()
                    ))
                    .with_hint("Name another place for it: SESAME_VAULT=sqlite:PATH or --vault sqlite:PATH.")
                    .into());
                }
                if let Location::Postgres(database) = &location
                    && database.has_password()
                    && self.settings.vault.origin == Origin::Flag("--vault")
                {
                    note(
                        "note",
                        "other users of this machine can see the password in --vault in the list of processes; SESAME_VAULT and ~/.pgpass hide it",
                    );
                }
                let vault = self.open_vault(location).await?;
                vault.set_exchange_timeout(self.settings.timeout.value);
                for notice in vault.take_warnings() {
                    note("note", &notice.to_string());
                }
                Ok(vault)
            })
            .await
    }

    /// Opens the vault; on a terminal its passphrase is asked for, if it has one and none was given.
    async fn open_vault(&self, location: Location) -> CliResult<Vault> {
        let key = key_choice(&self.settings);
        let is_asked = matches!(key, KeyChoice::Auto) && person_is_there();
        let error = match Vault::open(self.vault_options(location.clone(), key)?).await {
            Err(error) if is_asked && error.kind() == ErrorKind::Usage => error,
            opened => return Ok(opened?),
        };
        if !matches!(Vault::key_kind_at(&location).await, Ok(Some(KeyKind::Passphrase))) {
            return Err(error.into());
        }
        let asked = tokio::task::spawn_blocking(|| ask_secret("Passphrase of the vault")).await;
        // It can only fail by a panic, which the hook has reported.
        let passphrase = asked.unwrap_or(Err(CliError::Status(1)))?;
        Ok(Vault::open(self.vault_options(location, KeyChoice::Passphrase(passphrase))?).await?)
    }

    /// Returns what a vault is opened with, besides its place and its key.
    ///
    /// # Errors
    /// Usage, for an endpoint or a catalog that cannot be read.
    pub(crate) fn vault_options(&self, location: Location, key: KeyChoice) -> CliResult<VaultOptions> {
        Ok(VaultOptions::new(location, self.transport())
            .key(key)
            .clock(Arc::clone(&self.clock))
            .catalog(self.catalog()?)
            .environment(self.environment()?))
    }

    /// Opens a vault that is kept nowhere: to look what would be done in one that is not made yet.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub(crate) async fn passing_vault(&self) -> CliResult<Vault> {
        // What it seals is gone with it, so its key guards nothing; a key file would stay.
        let key = KeyChoice::Environment(AppSecret::new("00".repeat(32)));
        let options = self.vault_options(self.settings.location()?, key)?;
        Ok(Vault::open_with(options, Arc::new(SqlStore::in_memory().await?)).await?)
    }

    /// Opens the client over the vault.
    ///
    /// # Errors
    /// As [`Context::vault`].
    pub(crate) async fn client(&self) -> CliResult<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(self.vault().await?.clone());
        Ok(self.client.get_or_init(|| client))
    }

    /// Starts a call with the limits of this context.
    pub(crate) fn call(&self, account: &str, api: &str) -> Call {
        let mut call = Call::new(account, api);
        let limit = self.settings.timeout.value;
        call.options.timeout = Some(limit);
        call.options.attempt_timeout = Some(limit.min(sesame_client::CallOptions::ATTEMPT_TIMEOUT));
        call
    }

    /// Returns a shop whose calls have the limits of this context.
    ///
    /// # Errors
    /// As [`Context::vault`].
    pub(crate) async fn shop(&self, account: &str) -> CliResult<Shop> {
        let options = self.call(account, "").options;
        Ok(Shop::new(self.client().await?.clone(), account).with_options(options))
    }

    /// Returns the vault, if this command has opened it.
    pub(crate) fn opened(&self) -> Option<&Vault> {
        self.vault.get()
    }
}

/// The environment says how the vault's master key comes; the vault remembers it from then on.
fn key_choice(settings: &Settings) -> KeyChoice {
    match &settings.key {
        crate::settings::Key::Auto => KeyChoice::Auto,
        crate::settings::Key::Keyring => KeyChoice::Keyring,
        crate::settings::Key::File => KeyChoice::File,
        crate::settings::Key::Passphrase(secret) => KeyChoice::Passphrase(secret.clone()),
        crate::settings::Key::Environment(secret) => KeyChoice::Environment(secret.clone()),
    }
}
