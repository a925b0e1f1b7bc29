//! The vault: opened once per process, cheap to clone.

use std::{
    collections::HashMap,
    fmt, fs,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sesame_catalog::{Catalog, Endpoint, Platform, Urls};
use sesame_core::{Clock, Error, Result, Retry, Transport};
use tokio::sync::watch;

use crate::{
    Account, App, Id, Listed, Location, NewApp,
    app::{self, AppState},
    audit::Action,
    authorization::Authorization,
    handles::Handles,
    journal::Journal,
    keys::Keys,
    lookup::{Step, Walk},
    name,
    oauth::exchange::longest,
    schedule::{self, WarmPolicy},
    seal::{KeyChoice, KeyKind, KeySource, Sealer, check_new, open_text, unlock},
    store::{
        AppRow, AuthorizationRow, FullRow, GivenUp, KeyState, NewRows, Notes, PostgresStore, Sealed,
        SealedPlace, SqliteStore, Store, TokenColumns,
    },
    tags,
    uses::Uses,
};

/// How long one call to a token service may take, unless told otherwise.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(20);
/// How long the vault and its journal are tried for an answer to be kept.
const STORING: Duration = Duration::from_secs(30);

/// Where a vault is and what it works with.
#[derive(Clone)]
pub struct VaultOptions {
    /// Where it is kept.
    pub location: Location,
    /// Where the master key comes from.
    pub key: KeyChoice,
    /// Time, sleep and randomness.
    pub clock: Arc<dyn Clock>,
    /// The way to the platforms' token services.
    pub transport: Arc<dyn Transport>,
    /// The platforms.
    pub catalog: Arc<Catalog>,
    /// The sandbox that stands for all platforms, if one does.
    pub endpoint: Option<Endpoint>,
}

/// Something that people should hear once, on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One sentence without a full stop.
    pub text: String,
}

impl Notice {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Apps, accounts and their tokens. Cheap to clone; all clones are one vault.
#[derive(Clone)]
pub struct Vault(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealer: Sealer,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) endpoint: Option<Endpoint>,
    /// Who holds a lease: this opening of the vault by this process.
    pub(crate) owner: String,
    /// Refreshes that are under way.
    pub(crate) busy: watch::Sender<usize>,
    /// Uses of tokens that are not written down yet.
    pub(crate) uses: Arc<Uses>,
    /// How long one call to a token service may take, in seconds.
    limit: AtomicU64,
    pub(crate) keys: Keys,
    location: Location,
    notices: watch::Sender<Vec<Notice>>,
    platforms: Mutex<HashMap<String, Arc<Platform>>>,
    pub(crate) apps: Mutex<HashMap<Id, Arc<AppState>>>,
    pub(crate) authorizations: Mutex<HashMap<Id, Weak<Authorization>>>,
    pub(crate) handles: Handles,
}

impl Vault {
    /// Opens a vault, makes it if it is not there, and replays what its journal holds.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a file that is damaged, newer or
    /// cannot be written, and for a master key that is missing or wrong; nothing is changed then.
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the master key was not given.
    pub async fn open(options: VaultOptions) -> Result<Self> {
        let store: Arc<dyn Store> = match &options.location {
            Location::Sqlite(path) => {
                refuse_emptied(path, &options.location.key_file()?, options.clock.as_ref()).await?;
                if !path.exists() {
                    check_new(&options.key)?;
                }
                Arc::new(SqliteStore::open(path).await?)
            }
            Location::Postgres(database) => {
                // Before anything is asked of the server: without a home there would be no journal.
                make_home(&options.location.base()?)?;
                Arc::new(PostgresStore::open(database).await?)
            }
        };
        Self::open_with(options, store).await
    }

    /// Opens a vault over another store; key file and journal still live beside the location.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_with(options: VaultOptions, store: Arc<dyn Store>) -> Result<Self> {
        let base = options.location.base()?;
        let key_source = KeySource { choice: options.key, key_file: options.location.key_file()? };
        let unlocked = match unlock(store.as_ref(), &key_source, &options.clock).await {
            Err(error) if matches!(options.location, Location::Postgres(_)) => {
                return Err(explain_shared_key(error, store.as_ref(), &key_source.key_file).await);
            }
            unlocked => unlocked?,
        };
        let sealer = Sealer::of(unlocked.ring, options.clock.clone());
        let journal = if store.is_durable() { Journal::beside(&base) } else { Journal::none() };
        let owner = Id::new(options.clock.as_ref()).to_string();
        let (busy, store_of_uses) = (watch::Sender::new(0), store.clone());
        let inner = Arc::new(Inner {
            store,
            sealer,
            journal,
            clock: options.clock,
            transport: options.transport,
            catalog: options.catalog,
            endpoint: options.endpoint,
            owner,
            uses: Arc::new(Uses::new(store_of_uses, busy.clone())),
            busy,
            limit: AtomicU64::new(EXCHANGE_LIMIT.as_secs()),
            keys: Keys::new(unlocked.kind, key_source),
            location: options.location,
            notices: watch::Sender::new(unlocked.notices),
            platforms: Mutex::default(),
            apps: Mutex::default(),
            authorizations: Mutex::default(),
            handles: Handles::default(),
        });
        inner.replay_at_opening().await;
        Ok(Self(inner))
    }

    /// Returns what people should hear, and forgets it.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut taken = Vec::new();
        self.0.notices.send_if_modified(|notices| {
            taken = std::mem::take(notices);
            false
        });
        taken
    }

    /// Waits until there is something that people should hear, e.g. that another process is waited
    /// for; [`Vault::take_notices`] says what.
    pub async fn noticed(&self) {
        let mut notices = self.0.notices.subscribe();
        // The sender lives as long as this vault, so waiting cannot fail.
        let _ = notices.wait_for(|notices| !notices.is_empty()).await;
    }

    /// Chooses how long one call to a token service may take: 20 seconds unless told otherwise, never
    /// less than 5, since an answer that is not waited for may hold the only copy of new tokens, and
    /// never more than 60.
    pub fn limit_exchanges(&self, limit: Duration) {
        self.0.limit.store(limit.as_secs().clamp(5, 60), Ordering::Relaxed);
    }

    /// Returns how long an exchange of a code or a refresh token takes at most, with the writing of
    /// its answer.
    pub fn longest_exchange(&self) -> Duration {
        longest(self.0.limit()) + STORING
    }

    /// Tells whether tokens are on their way: what is spent for them may be gone already, so a
    /// process that can wait should [`settle`](Vault::settle) before it ends.
    pub fn is_busy(&self) -> bool {
        *self.0.busy.borrow() > 0
    }

    /// Returns where the master key comes from.
    pub fn key_kind(&self) -> KeyKind {
        self.0.keys.kind()
    }

    /// Returns where the vault is kept.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Returns the sandbox that stands for all platforms, if one does.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.0.endpoint.as_ref()
    }

    /// Waits until no refresh and no exchange of a code is under way and uses are written down: to be
    /// called before the process ends, so that an answer that is on its way is not lost.
    pub async fn settle(&self) {
        self.0.uses.write();
        let mut busy = self.0.busy.subscribe();
        // The sender lives as long as this vault, so waiting cannot fail.
        let _ = busy.wait_for(|count| *count == 0).await;
    }

    /// Closes the vault: waits for what is under way, then lets go of its files. Whoever drops it
    /// instead loses nothing, but cannot know when its files are let go of; a copy of them, or another
    /// file in their place, has to wait for this.
    pub async fn close(self) {
        self.settle().await;
        self.0.store.close().await;
    }

    /// Adds an app. With an endpoint set it is marked as one of a sandbox.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown platform or region, a name
    /// that is taken, and a key or secret that cannot be right.
    pub async fn add_app(&self, new: NewApp) -> Result<App> {
        let inner = &self.0;
        // Two processes may choose the same name at once: the store lets one win, the other chooses again.
        for _ in 0..8 {
            let row = inner.new_app(&new).await?;
            let rows = NewRows { apps: vec![row], ..NewRows::default() };
            if inner.store.add(&rows, &Notes::default()).await? {
                return Ok(App::of(&rows.apps[0]));
            }
        }
        Err(no_free_name())
    }

    /// Gives the apps that have this key already their secret anew: those of the same platform and of
    /// the same side, real or one sandbox, that a name, redirect URI or region in `new` does not tell
    /// apart. Returns them, each with whether its secret was replaced: one that is the same stays.
    /// None: then it is a new app.
    ///
    /// What runs takes it up within a minute, or when the platform refuses the former one.
    ///
    /// # Errors
    /// As [`Vault::add_app`]; [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when another program
    /// changes it at the same time.
    pub async fn renew_secret(&self, new: &NewApp) -> Result<Vec<(App, bool)>> {
        self.0.renew_secret(new).await
    }

    /// Returns all apps, oldest first.
    pub async fn apps(&self) -> Result<Vec<App>> {
        Ok(self.0.store.apps().await?.iter().map(App::of).collect())
    }

    /// Returns an app by name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) naming the apps there are.
    pub async fn app(&self, name: &str) -> Result<App> {
        self.0.app_row(name).await.map(|row| App::of(&row))
    }

    /// Returns all accounts, oldest first. Those whose rows cannot be read are left out, and a notice
    /// says so.
    ///
    /// # Errors
    /// Those of the store as a whole.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let listed = self.accounts_where(|_| true).await?;
        if let Some(notice) = listed.notice() {
            self.0.tell(notice);
        }
        Ok(listed.accounts)
    }

    /// Returns the accounts that are wanted, oldest first, and names those whose rows cannot be read.
    /// Memory is taken by those that are wanted alone.
    ///
    /// # Errors
    /// Those of the store as a whole.
    pub async fn accounts_where(&self, mut wanted: impl FnMut(&Account) -> bool) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut walk = Walk::begin(self.0.store.as_ref());
        while let Some(step) = walk.step().await? {
            match step {
                Step::Page(page) => {
                    let shown = page.iter().map(|row| self.0.shown(row));
                    listed.accounts.extend(shown.filter(|account| wanted(account)));
                }
                Step::Unreadable(id, error) => {
                    tracing::warn!(account = %id, "an account cannot be read: {error}");
                    listed.unreadable.push(id);
                }
            }
        }
        listed
            .accounts
            .sort_by(|one, other| (one.created_at, &one.name).cmp(&(other.created_at, &other.name)));
        Ok(listed)
    }

    /// Returns the accounts that were given up, by name, at most so many of them, and how many there
    /// are: a person has to authorize each again. Its cost follows these, not all that are kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn given_up(&self, most: u32) -> Result<GivenUp> {
        self.0.store.given_up(most).await
    }

    /// Returns an account by name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) naming the nearest accounts there are.
    pub async fn account(&self, name: &str) -> Result<Account> {
        self.0.account_row(name).await.map(|row| self.0.shown(&row))
    }

    /// Gives an account another name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the name is taken or cannot be one.
    pub async fn rename_account(&self, name: &str, new_name: &str) -> Result<Account> {
        name::check("account", new_name)?;
        let row = self.0.account_row(name).await?;
        if !self.0.store.rename_account(row.account.id, new_name).await? {
            return Err(account_taken(new_name));
        }
        self.0.handles.forget(name);
        self.account(new_name).await
    }

    /// Puts tags on an account and takes others off; returns it with its tags, sorted, none twice.
    ///
    /// A tag has 1 to 50 letters, digits or `-_.:/`, and begins with a letter or a digit; an account
    /// has at most 32. To add one that is there and to take off one that is not changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a tag that cannot be one, for one that
    /// is both added and taken off, and when there would be too many; nothing is changed then.
    pub async fn tag_account(&self, name: &str, add: &[String], remove: &[String]) -> Result<Account> {
        for _ in 0..TAG_TRIES {
            let row = self.0.account_row(name).await?;
            let former = &row.account.tags;
            let tags = tags::changed(former, add, remove)?;
            // Somebody else may put another tag on it at this moment: both count.
            if tags == *former || self.0.store.set_tags(row.account.id, former, &tags).await? {
                return self.account(name).await;
            }
        }
        Err(Error::local(format!("other programs keep changing the tags of account {name:?}"))
            .with_retry(Retry::Backoff))
    }

    /// Returns the names of other accounts that use the same tokens: those of a cross-border seller.
    ///
    /// # Errors
    /// As [`Vault::account`].
    pub async fn accounts_sharing(&self, name: &str) -> Result<Vec<String>> {
        let row = self.0.account_row(name).await?;
        let rows = self.0.store.accounts_using(row.authorization.id).await?;
        Ok(rows
            .into_iter()
            .filter(|other| other.account.id != row.account.id)
            .map(|row| row.account.name)
            .collect())
    }

    /// Forgets lines of the audit trail, and events, from before a time; returns how many. Events of
    /// the last 7 days may not have been delivered yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget_notes(&self, before: Timestamp) -> Result<u64> {
        self.0.store.forget_notes(before.as_millisecond()).await
    }

    /// Removes an account from the vault, and its tokens when no other account uses them; one whose row
    /// cannot be read goes by its id. The platform is not told: the app stays authorized there until its tokens end or the seller
    /// takes the approval back.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) naming the nearest accounts there are.
    pub async fn remove_account(&self, name: &str) -> Result<()> {
        let row = match self.0.account_row(name).await {
            Ok(row) => row,
            Err(error) => return self.0.remove_unreadable(name, error).await,
        };
        let line = self.0.line(Action::Logout, name, Some(row.authorization.id), None);
        let notes = Notes { audit: vec![line], ..Notes::default() };
        self.0.store.remove_account(row.account.id, &notes).await?;
        self.0.handles.forget(name);
        self.0.forget_waiting(row.authorization.id).await;
        Ok(())
    }
}

/// How often tags are tried that others change, too.
const TAG_TRIES: u32 = 16;

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("location", &self.0.location)
            .field("key", &self.0.keys.kind())
            .finish_non_exhaustive()
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

/// Makes the directory for key file and journal of a vault that is elsewhere itself.
fn make_home(base: &Path) -> Result<()> {
    let Some(home) = base.parent().filter(|home| !home.as_os_str().is_empty() && !home.is_dir()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(home).map_err(|error| {
        Error::local(format!(
            "the directory {} for the vault's key and journal cannot be made: {error}",
            home.display()
        ))
        .with_hint("Set SESAME_HOME to a place that can be written, or mend its owner, mode or free space.")
    })
}

/// Where machines share a vault whose key is in a file, each needs that file: says so.
async fn explain_shared_key(error: Error, store: &dyn Store, key_file: &Path) -> Error {
    let keys = store.keys().await.unwrap_or_default();
    let in_file = |kind: &str| kind == KeyKind::File.as_str();
    if !keys.iter().any(|key| key.state == KeyState::Active && in_file(&key.kind)) {
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

/// What the locks here guard is always whole: each holder does one insertion or one look.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn account_taken(name: &str) -> Error {
    Error::usage(format!("there is already an account called {name:?}"))
        .with_hint("Choose another name. `sesame accounts` shows the accounts.")
}

pub(crate) fn no_free_name() -> Error {
    Error::local("other programs keep adding apps of this platform").with_hint("Give this one a --name.")
}

/// A new authorization without tokens.
pub(crate) fn blank(id: Id, app_id: Id, region: Option<String>, now: i64) -> AuthorizationRow {
    AuthorizationRow {
        id,
        app_id,
        region,
        generation: 1,
        tokens: TokenColumns {
            access: None,
            refresh: None,
            issued_at: now,
            access_expires_at: None,
            refresh_expires_at: None,
            refresh_denied: false,
            identity: String::new(),
            warm_at: None,
            due_at: None,
            announced: None,
        },
        exhausted: None,
        last_success: Some(now),
        last_error: None,
        last_error_at: None,
        attempts: 0,
        not_before: None,
        lease_owner: None,
        lease_until: None,
        refreshing_since: None,
        interrupted_since: None,
        last_used: Some(now),
        postpone_after: None,
        blocked: false,
    }
}

/// Counts as busy while it lives.
pub(crate) struct Busy(watch::Sender<usize>);

impl Busy {
    pub(crate) fn new(busy: &watch::Sender<usize>) -> Self {
        busy.send_modify(|count| *count += 1);
        Self(busy.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Inner {
    /// Keeps [`Vault::settle`] waiting.
    pub(crate) fn begin(&self) -> Busy {
        Busy::new(&self.busy)
    }

    /// How long one call to a token service may take.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit.load(Ordering::Relaxed))
    }

    /// How long the lease of a refresh lasts: its calls, and half a minute to store the answer and
    /// for clocks that differ.
    pub(crate) fn lease(&self) -> Duration {
        longest(self.limit()) + STORING + Duration::from_secs(5)
    }

    /// Tells people something.
    pub(crate) fn tell(&self, notice: Notice) {
        tracing::warn!("{notice}");
        self.notices.send_modify(|notices| notices.push(notice));
    }

    /// Plans when the keeper looks at an authorization next.
    pub(crate) fn due_at(&self, platform: &Platform, row: &AuthorizationRow) -> Option<i64> {
        // A keeper that keeps fewer access tokens fresh finds nothing to do then.
        schedule::due_at(&platform.tokens, row, WarmPolicy::Always, self.now(), self.clock.jitter())
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Checks a new app, and seals its secret for a row under a free name.
    pub(crate) async fn new_app(&self, new: &NewApp) -> Result<AppRow> {
        let platform = self.platform(&new.platform)?;
        platform.urls(new.region.as_deref(), self.endpoint.as_ref())?;
        app::check(new)?;
        let id = Id::new(self.clock.as_ref());
        Ok(AppRow {
            id,
            name: app::choose_name(new, &platform.name, &self.store.apps().await?)?,
            platform: platform.name.clone(),
            region: new.region.clone(),
            app_key: new.key.clone(),
            secret: self.sealer.seal(app::secret_slot(&id), new.secret.expose().as_bytes()),
            redirect_uri: new.redirect_uri.clone().unwrap_or_else(|| app::DEFAULT_REDIRECT_URI.to_owned()),
            sandbox: self.endpoint.as_ref().map(ToString::to_string),
            secret_origin: new.secret_origin.clone(),
            created_at: self.now(),
        })
    }

    /// Finds the apps that [`Vault::renew_secret`] is about, oldest first.
    pub(crate) async fn apps_of_key(&self, new: &NewApp) -> Result<Vec<AppRow>> {
        let platform = self.platform(&new.platform)?;
        app::check(new)?;
        let side = self.endpoint.as_ref().map(ToString::to_string);
        let fits =
            |chosen: &Option<String>, stands: Option<&str>| chosen.is_none() || chosen.as_deref() == stands;
        let is_same = |row: &AppRow| {
            row.platform == platform.name
                && row.app_key == new.key
                && row.sandbox == side
                && fits(&new.name, Some(&row.name))
                && fits(&new.redirect_uri, Some(&row.redirect_uri))
                && fits(&new.region, row.region.as_deref())
        };
        Ok(self.store.apps().await?.into_iter().filter(is_same).collect())
    }

    async fn renew_secret(&self, new: &NewApp) -> Result<Vec<(App, bool)>> {
        let mut renewed = Vec::new();
        for row in self.apps_of_key(new).await? {
            let replaced = self.replace_secret(&row, new).await;
            if let Err(error) = &replaced {
                self.note_failure(Action::Secret, &row.name, None, error).await;
            }
            renewed.push((App::of(&row), replaced?));
        }
        Ok(renewed)
    }

    /// Replaces the secret of an app unless it is this one; one that does not open is replaced, too.
    async fn replace_secret(&self, row: &AppRow, new: &NewApp) -> Result<bool> {
        let slot = app::secret_slot(&row.id);
        let known = match self.know_keys_of_app(row).await {
            Ok(()) => open_text(&self.sealer, slot, &row.secret).ok(),
            Err(_) => None,
        };
        if known.is_some_and(|known| known == new.secret.expose()) {
            return Ok(false);
        }
        let former = Sealed { place: SealedPlace::AppSecret, id: row.id, bytes: row.secret.clone() };
        let sealed = self.sealer.seal(app::secret_slot(&row.id), new.secret.expose().as_bytes());
        let origin = new.secret_origin.as_deref();
        let mut line = self.line(Action::Secret, &row.name, None, None);
        line.detail =
            Some(origin.map_or_else(|| "replaced".to_owned(), |from| format!("replaced, from {from}")));
        let notes = Notes { audit: vec![line], ..Notes::default() };
        if !self.store.replace_secret(&former, &sealed, origin, &notes).await? {
            return Err(Error::local(format!("another program changes app {:?} at this moment", row.name))
                .with_hint("Repeat the command."));
        }
        lock(&self.apps).remove(&row.id);
        Ok(true)
    }

    /// Returns a platform, copied out of the catalog once.
    pub(crate) fn platform(&self, name: &str) -> Result<Arc<Platform>> {
        if let Some(platform) = lock(&self.platforms).get(name) {
            return Ok(platform.clone());
        }
        let platform = Arc::new(self.catalog.platform(name)?.clone());
        lock(&self.platforms).insert(name.to_owned(), platform.clone());
        Ok(platform)
    }

    pub(crate) async fn app_row(&self, name: &str) -> Result<AppRow> {
        if let Some(row) = self.store.app(name).await? {
            return Ok(row);
        }
        let names: Vec<String> = self.store.apps().await?.into_iter().map(|app| app.name).collect();
        let error = Error::usage(format!("there is no app called {name:?}"));
        Err(if names.is_empty() {
            error.with_hint("Add one with `sesame app add PLATFORM --key KEY --secret-stdin`.")
        } else {
            error.with_hint(format!("There are: {}.", name::known(name, names)))
        })
    }

    /// Keeps sandbox accounts and real ones apart: neither's tokens ever reach the other's gateway.
    pub(crate) fn check_crossing(&self, what: &str, name: &str, sandbox: Option<&str>) -> Result<()> {
        match (sandbox, &self.endpoint) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            (Some(made_at), None) => Err(Error::usage(format!(
                "{what} {name:?} belongs to a sandbox ({made_at}) and is never used against real platforms"
            ))
            .with_hint(
                "Set SESAME_ENDPOINT to the address of a running sandbox, or use an account of a real shop.",
            )),
            (None, Some(endpoint)) => Err(Error::usage(format!(
                "{what} {name:?} belongs to a real platform and is never used against the sandbox {endpoint}"
            ))
            .with_hint(
                "Unset SESAME_ENDPOINT to reach the real platform, or use an account made against a sandbox.",
            )),
        }
    }

    pub(crate) fn shown(&self, row: &FullRow) -> Account {
        let platform = self.platform(&row.app.platform).ok();
        Account::of(row, platform.as_ref().map(|platform| &platform.tokens), self.now())
    }

    /// Returns an app with its secret open, once per process and secret.
    pub(crate) fn app_state(&self, row: &AppRow) -> Result<Arc<AppState>> {
        let known = lock(&self.apps).get(&row.id).cloned();
        if let Some(app) = known.filter(|app| app.is_of(row, &self.sealer)) {
            return Ok(app);
        }
        let app = Arc::new(AppState::open(row, self.platform(&row.platform)?, &self.sealer)?);
        lock(&self.apps).insert(row.id, app.clone());
        Ok(app)
    }

    /// Reads an app's row with its secret open, whichever key of the vault sealed it.
    pub(crate) async fn open_app(&self, row: &AppRow) -> Result<Arc<AppState>> {
        self.know_keys_of_app(row).await?;
        self.app_state(row)
    }

    pub(crate) fn urls(&self, app: &AppState, region: Option<&str>) -> Result<Urls> {
        app.platform.urls(region, self.endpoint.as_ref())
    }
}
