//! The vault: opened once per process, cheap to clone. Each method is one call of a service.

mod accounts;
mod apps;
mod open;

use std::{fmt, sync::Arc, time::Duration};

use sesame_catalog::{Catalog, Environment};
use sesame_core::{AccessToken, Clock, Result, Transport};

pub use self::open::VaultOptions;
use crate::{
    Account, AccountHandle, AccountId, Callback, CheckReport, KeyChoice, KeyKind, Listener, Location, Login,
    LoginOptions, Rekeyed, Token, Warning,
    accounts::{Accounts, Apps, uses::Uses},
    check::Checker,
    events::Events,
    login::Logins,
    model::{InFlight, Warnings},
    refresh::Refresher,
    rekey::Rekey,
    seal::MasterKeys,
    store::Store,
};

/// Apps, accounts and their tokens. Cheap to clone; all clones are one vault.
#[derive(Clone)]
pub struct Vault(pub(crate) Arc<Services>);

/// The services of one vault. Each holds what it may touch, and nothing else.
pub(crate) struct Services {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) events: Events,
    pub(crate) warnings: Warnings,
    pub(crate) in_flight: InFlight,
    pub(crate) uses: Arc<Uses>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) refresher: Arc<Refresher>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) rekey: Rekey,
    pub(crate) checker: Checker,
    pub(crate) location: Location,
}

impl Services {
    /// Returns the time in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

impl Vault {
    /// Returns the warnings that were not read yet.
    pub fn take_warnings(&self) -> Vec<Warning> {
        self.0.warnings.take()
    }

    /// Waits until there is a warning, e.g. that another process is waited for.
    pub async fn warned(&self) {
        self.0.warnings.wait().await;
    }

    /// Sets how long one call to a token service may take: 20 seconds unless set, at least 5, since a
    /// reply that is not waited for may hold the only copy of new tokens, and at most 60.
    pub fn set_exchange_timeout(&self, timeout: Duration) {
        self.0.refresher.endpoint.set_timeout(timeout);
    }

    /// Returns how long an exchange of a code or a refresh token takes at most, with the writing of its
    /// reply.
    pub fn longest_exchange(&self) -> Duration {
        self.0.refresher.endpoint.longest()
    }

    /// Returns `true` while tokens are being exchanged: what is spent for them may be gone already, so a
    /// process that can wait should [`settle`](Vault::settle) before it ends.
    pub fn is_busy(&self) -> bool {
        !self.0.in_flight.is_empty()
    }

    /// Returns where the master key comes from.
    pub fn key_kind(&self) -> KeyKind {
        self.0.keys.kind()
    }

    /// Returns where the vault is kept.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Returns the clock and source of randomness.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Returns the transport to the platforms.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.0.transport
    }

    /// Returns the platforms.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.0.catalog
    }

    /// Returns whom calls reach.
    pub fn environment(&self) -> &Environment {
        &self.0.apps.environment
    }

    /// Waits until no refresh and no exchange of a code is in flight and uses are written down: to be
    /// called before the process ends, so that a reply that is on its way is not lost.
    pub async fn settle(&self) {
        self.0.uses.write();
        self.0.in_flight.settle().await;
    }

    /// Closes the vault: waits for what is in flight, then closes its files. Whoever drops it instead
    /// loses nothing, but cannot know when its files are closed; a copy of them, or another file in their
    /// place, has to wait for this.
    pub async fn close(self) {
        self.settle().await;
        self.0.store.close().await;
    }

    /// Begins a login: makes a `state` of 160 random bits and the authorize URL.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
    /// use sesame_vault::LoginOptions;
    ///
    /// let login = vault.begin_login("lazada", LoginOptions::default().as_name("my-shop")).await?;
    /// let listener = vault.listen(&login).await?;
    /// println!("Open {} and approve.", login.authorize_url);
    /// let (callback, browser) = listener.accept().await?;
    /// let accounts = vault.finish_login(&login, callback).await;
    /// browser.show(&accounts).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown app, region, country or account
    /// name, for an app of a sandbox while real platforms are called (or the reverse), and for a platform
    /// whose page is not known.
    pub async fn begin_login(&self, app: &str, options: LoginOptions) -> Result<Login> {
        self.0.logins.begin(app, options).await
    }

    /// Binds the port of the login's redirect URI.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the redirect URI is not on this machine;
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when its port is taken.
    pub async fn listen(&self, login: &Login) -> Result<Listener> {
        Listener::bind(login, self.0.clock.clone()).await
    }

    /// Finishes a login: checks the callback, exchanges its code, stores the tokens.
    ///
    /// Returns the accounts that use them: one, or one per country for a cross-border seller. A callback
    /// of an earlier login of the same app, begun here at most two hours ago, is accepted too: it may be
    /// finished by another process than the one that showed the URL.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault, login: sesame_vault::Login) -> sesame_core::Result<()> {
    /// use sesame_vault::Callback;
    ///
    /// let pasted = "https://erp.example.com/callback?code=0_100132_x&state=y";
    /// for account in vault.finish_login(&login, Callback::parse(pasted)).await? {
    ///     println!("{} of {}", account.name, account.platform);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an invalid callback, one from somewhere
    /// else, and a wrong state; [`ErrorKind::Authorization`](sesame_core::ErrorKind::Authorization) when
    /// the seller refused, when the code was used or is too old, and when the shop is not the one that the
    /// account belongs to. Nothing is stored then.
    pub async fn finish_login(&self, login: &Login, callback: Callback) -> Result<Vec<Account>> {
        self.0.logins.finish(login, callback).await
    }

    /// Returns what calls need of an account; remembered for a minute after it was last looked up, and as
    /// long as the store is away.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown account, and for one of a
    /// sandbox while real platforms are called, or the reverse.
    pub async fn handle(&self, account: &str) -> Result<Arc<AccountHandle>> {
        self.0.accounts.handle(account).await
    }

    /// As [`Vault::handle`], by id.
    ///
    /// # Errors
    /// As [`Vault::handle`].
    pub async fn handle_by_id(&self, account: AccountId) -> Result<Arc<AccountHandle>> {
        self.0.accounts.handle_by_id(account).await
    }

    /// Returns the handle of an account that was used before: no lock, no wait.
    pub fn cached_handle(&self, account: &str) -> Option<Arc<AccountHandle>> {
        self.0.accounts.cached(account)
    }

    /// Returns a valid access token of an account.
    ///
    /// A fresh token is returned at once, without a lock. Shortly before it expires one refresh begins
    /// and everybody gets the old token, which is still valid. Later everybody waits for that refresh.
    /// The token masks itself in `Debug` and `Display`, and is a copy: ask again for each call.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
    /// let account = vault.account("myshop").await?.id;
    /// let token = vault.token(&account).await?;
    /// assert_ne!(token.to_string(), token.expose());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`](sesame_core::ErrorKind::Authorization) when the shop has to be
    /// authorized again; whatever kept a refresh from succeeding otherwise, with the time of the next try;
    /// as [`Vault::handle`].
    pub async fn token(&self, account: &AccountId) -> Result<AccessToken> {
        match self.0.accounts.recent_access(*account) {
            Some(access) => Ok(access),
            // In a box of its own: so this future, which every call makes, stays small.
            None => Box::pin(self.refreshed_token(*account)).await,
        }
    }

    async fn refreshed_token(&self, account: AccountId) -> Result<AccessToken> {
        let handle = self.handle_by_id(account).await?;
        self.token_of(&handle).await.map(|token| token.access.clone())
    }

    /// Returns a valid access token by the name of its account; as [`Vault::token`].
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
    /// let token = vault.access_token("my-shop").await?;
    /// // Displayed, it is masked; this is the text that goes into a request.
    /// let text = token.expose();
    /// # let _ = text; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn access_token(&self, account: &str) -> Result<AccessToken> {
        let handle = self.handle(account).await?;
        self.token_of(&handle).await.map(|token| token.access.clone())
    }

    /// Returns a valid access token with its generation: for callers who hold a handle and report the
    /// tokens that a gateway rejects.
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn token_of(&self, handle: &AccountHandle) -> Result<Token> {
        self.0.refresher.access_token(handle).await
    }

    /// Reports that the gateway rejected the token of a generation, and returns a newer one. However many
    /// callers report it, there is at most one refresh per generation.
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn report_rejected(&self, handle: &AccountHandle, generation: i64) -> Result<Token> {
        self.0.refresher.rejected(handle, generation).await
    }

    /// Refreshes an account's tokens now, whatever their age.
    ///
    /// # Errors
    /// As [`Vault::token`].
    pub async fn refresh(&self, account: &str) -> Result<Account> {
        let handle = self.handle(account).await?;
        self.0.refresher.force(&handle).await?;
        self.account(account).await
    }

    /// Gives the vault a new master key, online: other processes go on reading and writing, and learn the
    /// new key by themselves where they can reach it. One that was given a passphrase or a key of the
    /// environment has to be restarted with the new one afterwards.
    ///
    /// `to` is where the new key lives; [`KeyChoice::Auto`]: where the former one does, or where an
    /// earlier rekey that was cut off was going to. A rekey that was cut off is finished by the next one.
    /// `progress` is called with the number of values sealed so far.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
    /// use sesame_vault::KeyChoice;
    ///
    /// let done = vault.rekey(KeyChoice::File, &|values| println!("{values} resealed")).await?;
    /// assert!(done.unreadable.is_empty(), "these values still need the former key");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the new key is missing, the same as the
    /// former one, or not the one of the rekey that was cut off;
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when store, key file or keyring fail, and when
    /// another process finished a rekey first. What was readable before is readable after any error.
    pub async fn rekey(&self, to: KeyChoice, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<Rekeyed> {
        self.0.rekey.run(to, progress).await
    }

    /// Abandons a rekey that was cut off, so that the next one begins anew: its new key is lost, or cannot
    /// go where it was to go. The active key stays. Returns `false` if there is no such rekey.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the new key is in the key file already: then
    /// the rekey has to be finished; [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the store fails.
    pub async fn abandon_rekey(&self) -> Result<bool> {
        self.0.rekey.give_up().await
    }

    /// Reads everything once: the store's own integrity, the keys, every sealed value, identities,
    /// platforms, the journal. Changes nothing. Memory is bounded by a page of accounts.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the store cannot be read at all.
    pub async fn check(&self) -> Result<CheckReport> {
        self.0.checker.run().await
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("location", &self.0.location)
            .field("key", &self.0.keys.kind())
            .finish_non_exhaustive()
    }
}
