//! Opens a vault, and builds its services from the ground up.

use std::{
    fmt, fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use sesame_catalog::{Catalog, Environment};
use sesame_core::{Clock, Error, Result, Transport};

use super::{Services, Vault};
use crate::{
    Location, SystemClock,
    accounts::{Accounts, Apps, cache::AccountCache, uses::Uses},
    check::Checker,
    events::Events,
    login::Logins,
    model::{InFlight, Warnings, setters},
    oauth::TokenEndpoint,
    ownership::{beside, ensure_private, make_private_directory},
    refresh::{JOURNAL_SUFFIX, Journal, Refresher, Replay, TokenWriter},
    rekey::Rekey,
    seal::{KeyChoice, KeyKind, KeySource, MasterKeys, check_new, unlock},
    store::{KeyState, KeyStore as _, SqlStore, Store},
};

/// Where a vault is and what it works with.
///
/// ```no_run
/// # async fn example(transport: std::sync::Arc<dyn sesame_core::Transport>) -> sesame_core::Result<()> {
/// use sesame_vault::{KeyChoice, Vault, VaultOptions};
///
/// let options = VaultOptions::new("sqlite:/var/lib/shop/vault.db".parse()?, transport).key(KeyChoice::File);
/// let vault = Vault::open(options).await?;
/// # drop(vault);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VaultOptions {
    location: Location,
    key: KeyChoice,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    catalog: Arc<Catalog>,
    environment: Environment,
}

impl VaultOptions {
    /// A vault at a location, with the transport to the platforms' token services. The rest has defaults.
    pub fn new(location: Location, transport: Arc<dyn Transport>) -> Self {
        Self {
            location,
            key: KeyChoice::Auto,
            clock: Arc::new(SystemClock),
            transport,
            catalog: Arc::new(Catalog::builtin()),
            environment: Environment::Live,
        }
    }
}

setters! { VaultOptions {
    /// Sets where the vault is kept.
    location: Location = location,
    /// Sets where the master key comes from. Default: [`KeyChoice::Auto`].
    key: KeyChoice = key,
    /// Replaces the clock and the source of randomness. Default: [`SystemClock`].
    clock: Arc<dyn Clock> = clock,
    /// Replaces the transport.
    transport: Arc<dyn Transport> = transport,
    /// Sets the platforms. Default: [`Catalog::builtin`].
    catalog: Arc<Catalog> = catalog,
    /// Sets whom calls reach. Default: [`Environment::Live`].
    environment: Environment = environment,
}}

impl fmt::Debug for VaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultOptions")
            .field("location", &self.location)
            .field("key", &self.key)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// Refuses files of a vault that other users own or can write.
fn ensure_all_private(location: &Location) -> Result<()> {
    let base = location.base()?;
    let directory = base.parent().filter(|parent| !parent.as_os_str().is_empty());
    ensure_private("the directory", directory.unwrap_or(Path::new(".")))?;
    ensure_private("the master key's file", &location.key_file()?)?;
    if matches!(location, Location::Sqlite(_)) {
        for suffix in ["", "-wal", "-shm"] {
            ensure_private("the vault's file", &beside(&base, suffix))?;
        }
    }
    let journal = beside(&base, JOURNAL_SUFFIX);
    ensure_private("the journal", &journal)?;
    // Whoever opens the vault replays them.
    for entry in fs::read_dir(&journal).into_iter().flatten().flatten() {
        ensure_private("the journal's file", &entry.path())?;
    }
    Ok(())
}

impl Vault {
    /// Opens a vault, makes it if it is not there, and replays what its journal holds.
    ///
    /// ```no_run
    /// # async fn example(transport: std::sync::Arc<dyn sesame_core::Transport>) -> sesame_core::Result<()> {
    /// use sesame_vault::{KeyChoice, Location, Vault, VaultOptions};
    ///
    /// let location = Location::Sqlite("/var/lib/erp/vault.db".into());
    /// let vault = Vault::open(VaultOptions::new(location, transport).key(KeyChoice::File)).await?;
    /// vault.close().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a file that is damaged, newer or
    /// cannot be written, and for a master key that is missing or wrong; nothing is changed then.
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the master key was not given.
    pub async fn open(options: VaultOptions) -> Result<Self> {
        options.location.ensure_supported()?;
        ensure_all_private(&options.location)?;
        match &options.location {
            Location::Sqlite(path) => {
                refuse_emptied(path, &options.location.key_file()?, options.clock.as_ref()).await?;
                if !path.exists() {
                    check_new(&options.key)?;
                }
            }
            Location::Postgres(_) => {
                // Before anything is asked of the server: without a home there would be no journal.
                make_home(&options.location.base()?)?;
            }
        }
        let store = SqlStore::open(&options.location).await?;
        Self::open_with(options, Arc::new(store)).await
    }

    /// Returns where the master key of a vault comes from, without opening it; `None` if it has none yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn key_kind_at(location: &Location) -> Result<Option<KeyKind>> {
        let store = SqlStore::open(location).await?;
        let kind = store.keys().await.map(|keys| keys.first().map(|key| key.kind));
        store.close().await;
        kind
    }

    /// Opens a vault over another store; key file and journal still live beside the location.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_with(options: VaultOptions, store: Arc<dyn Store>) -> Result<Self> {
        let base = options.location.base()?;
        let source = KeySource { choice: options.key, key_file: options.location.key_file()? };
        let unlocked = match unlock(store.as_ref(), &source, &options.clock).await {
            Err(error) if matches!(options.location, Location::Postgres(_)) => {
                return Err(explain_shared_key(error, store.as_ref(), &source.key_file).await);
            }
            unlocked => unlocked?,
        };
        let clock = options.clock;
        let warnings = Warnings::new(unlocked.warnings.clone());
        let in_flight = InFlight::default();
        let keys = Arc::new(MasterKeys::new(store.clone(), unlocked, source, clock.clone()));
        let events = Events::new(store.clone(), store.clone(), clock.clone());
        let uses = Arc::new(Uses::new(store.clone(), in_flight.clone()));
        let apps = Arc::new(Apps {
            store: store.clone(),
            keys: keys.clone(),
            events: events.clone(),
            clock: clock.clone(),
            catalog: options.catalog.clone(),
            environment: options.environment,
            opened: Mutex::default(),
        });
        let accounts = Arc::new(Accounts {
            store: store.clone(),
            apps: apps.clone(),
            keys: keys.clone(),
            events: events.clone(),
            uses: uses.clone(),
            clock: clock.clone(),
            cache: AccountCache::default(),
            authorizations: Mutex::default(),
        });
        let endpoint = Arc::new(TokenEndpoint::new(options.transport.clone(), clock.clone()));
        let directory = store.is_durable().then(|| beside(&base, JOURNAL_SUFFIX));
        let journal = Journal::new(directory, keys.sealer().clone(), clock.clone());
        let replay = Arc::new(Replay {
            journal: journal.clone(),
            store: store.clone(),
            keys: keys.clone(),
            events: events.clone(),
            warnings: warnings.clone(),
            clock: clock.clone(),
        });
        let tokens = Arc::new(TokenWriter {
            store: store.clone(),
            keys: keys.clone(),
            replay: replay.clone(),
            events: events.clone(),
            clock: clock.clone(),
        });
        let mut owner = [0; 12];
        clock.random(&mut owner);
        let owner: Arc<str> = hex::encode(owner).into();
        let refresher = Arc::new(Refresher {
            store: store.clone(),
            keys: keys.clone(),
            apps: apps.clone(),
            accounts: accounts.clone(),
            tokens,
            replay: replay.clone(),
            endpoint,
            events: events.clone(),
            warnings: warnings.clone(),
            in_flight: in_flight.clone(),
            clock: clock.clone(),
            owner,
        });
        let logins = Arc::new(Logins {
            store: store.clone(),
            apps: apps.clone(),
            accounts: accounts.clone(),
            refresher: refresher.clone(),
            events: events.clone(),
            warnings: warnings.clone(),
            in_flight: in_flight.clone(),
            clock: clock.clone(),
        });
        let rekey = Rekey {
            store: store.clone(),
            keys: keys.clone(),
            replay: replay.clone(),
            events: events.clone(),
            clock: clock.clone(),
        };
        let checker = Checker {
            store: store.clone(),
            keys: keys.clone(),
            apps: apps.clone(),
            journal,
            clock: clock.clone(),
        };
        replay.at_opening().await;
        Ok(Self(Arc::new(Services {
            store,
            clock,
            transport: options.transport,
            catalog: options.catalog,
            keys,
            events,
            warnings,
            in_flight,
            uses,
            apps,
            accounts,
            refresher,
            logins,
            rekey,
            checker,
            location: options.location,
        })))
    }
}

/// Refuses a file without content that has a key already: it was a vault, and is none any more. To
/// take it for a new one would hide the loss.
async fn refuse_emptied(path: &Path, key_file: &Path, clock: &dyn Clock) -> Result<()> {
    let is_empty = || fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() == 0);
    if !is_empty() || !key_file.exists() {
        return Ok(());
    }
    // Where only the vault was moved away, another process may be making a new one right now.
    clock.sleep(Duration::from_millis(500)).await;
    if !is_empty() {
        return Ok(());
    }
    let path = path.display();
    Err(Error::local(format!("the vault {path} has lost its content: the file is empty, but its key is there"))
        .with_hint(format!(
            "Nothing was changed. Put the vault back from a backup; its key {path}.key still opens it. If there is none: remove the empty file, add the apps and log in again."
        )))
}

/// Makes the directory for key file and journal of a vault on a server.
fn make_home(base: &Path) -> Result<()> {
    let Some(home) = base.parent().filter(|home| !home.as_os_str().is_empty() && !home.is_dir()) else {
        return Ok(());
    };
    make_private_directory(home).map_err(|error| {
        Error::local(format!(
            "the directory {} for the vault's key and journal cannot be made: {error}",
            home.display()
        ))
        .with_hint("Set SESAME_HOME to a place that can be written, or fix its owner, mode or free space.")
    })
}

/// Where machines share a vault whose key is in a file, each needs that file: says so.
async fn explain_shared_key(error: Error, store: &dyn Store, key_file: &Path) -> Error {
    let keys = store.keys().await.unwrap_or_default();
    if !keys.iter().any(|key| key.state == KeyState::Active && key.kind == KeyKind::File) {
        return error;
    }
    error.with_hint(format!(
        "The vault is in a database that was set up on another machine or with another SESAME_HOME, and its master \
         key is in a file there (called {} where the same address is used). Copy that file to {} with mode 0600. Machines \
         that share a vault are easier served by SESAME_MASTER_KEY or SESAME_PASSPHRASE, chosen when it is made. \
         Nothing was changed.",
        key_file.file_name().unwrap_or_default().display(),
        key_file.display()
    ))
}
