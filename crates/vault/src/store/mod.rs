//! Where rows are kept: a small seam with SQLite as its embedded default.
//!
//! A store sees sealed bytes only. It compares and sets; it decides nothing. Times are milliseconds
//! since 1970.

mod rows;
mod schema;
mod sqlite;
mod sqlite_file;

use sesame_core::{BoxFuture, Result};

pub use sqlite_file::SqliteStore;

use crate::Id;

/// The row that tells where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The key's id.
    pub key_id: Vec<u8>,
    /// `keyring`, `file`, `passphrase` or `environment`.
    pub kind: String,
    /// How a passphrase is stretched, as JSON.
    pub params: String,
    /// A sealed text that only the right key opens.
    pub check: Vec<u8>,
    /// When it was made.
    pub created_at: i64,
}

/// An app: its key and its sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRow {
    /// The id.
    pub id: Id,
    /// The name people chose; unique.
    pub name: String,
    /// The platform.
    pub platform: String,
    /// The region, where it is not the platform's first.
    pub region: Option<String>,
    /// The app key.
    pub app_key: String,
    /// The sealed app secret.
    pub secret: Vec<u8>,
    /// Where the platform sends the seller's browser.
    pub redirect_uri: String,
    /// The sandbox it was made against; nothing for a real app.
    pub sandbox: Option<String>,
    /// When it was added.
    pub created_at: i64,
}

/// What one approval of a seller gave: a pair of tokens, used by one account or by several (a
/// cross-border seller of Lazada has one pair for six shops).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorisationRow {
    /// The id.
    pub id: Id,
    /// The app it was given to.
    pub app_id: Id,
    /// The region whose token host is asked.
    pub region: Option<String>,
    /// Counts replacements of the tokens; every write compares and sets it.
    pub generation: i64,
    /// The tokens.
    pub tokens: TokenColumns,
    /// Why no refresh can succeed any more.
    pub exhausted: Option<String>,
    /// When tokens were last received.
    pub last_success: Option<i64>,
    /// What last went wrong, without secrets.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<i64>,
    /// Failures since the last success.
    pub attempts: i64,
    /// No refresh before this time.
    pub not_before: Option<i64>,
    /// Who refreshes.
    pub lease_owner: Option<String>,
    /// Until when somebody refreshes.
    pub lease_until: Option<i64>,
    /// When a refresh was sent whose outcome is not known yet.
    pub refreshing_since: Option<i64>,
    /// When the first refresh was sent whose outcome never became known.
    pub interrupted_since: Option<i64>,
}

/// The columns that a refresh replaces together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TokenColumns {
    /// The sealed access token.
    pub access: Option<Vec<u8>>,
    /// The sealed refresh token.
    pub refresh: Option<Vec<u8>>,
    /// When the access token was received.
    pub issued_at: i64,
    /// When the access token ends; nothing when nobody knows.
    pub access_expires_at: Option<i64>,
    /// When the refresh token ends; nothing when nobody knows.
    pub refresh_expires_at: Option<i64>,
    /// True when the platform said that the refresh token has no life at all.
    pub refresh_denied: bool,
    /// Who the tokens belong to, as JSON.
    pub identity: String,
}

/// One authorised shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The id.
    pub id: Id,
    /// The name people use; unique.
    pub name: String,
    /// The app it belongs to.
    pub app_id: Id,
    /// The authorisation whose tokens it uses.
    pub authorisation_id: Id,
    /// The login name on the platform.
    pub login: Option<String>,
    /// The platform's id of the shop.
    pub shop_id: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The region whose hosts are called.
    pub region: Option<String>,
    /// When it was added.
    pub created_at: i64,
}

/// An account with its app and its authorisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullRow {
    /// The account.
    pub account: AccountRow,
    /// Its app.
    pub app: AppRow,
    /// Its authorisation.
    pub authorisation: AuthorisationRow,
}

/// A login that was begun and not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLogin {
    /// The SHA-256 of its `state`.
    pub state_hash: Vec<u8>,
    /// The app.
    pub app_id: Id,
    /// When it was begun.
    pub begun_at: i64,
}

/// Who wants to refresh, until when, and what it is going to spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The authorisation.
    pub id: Id,
    /// The generation whose refresh token is going to be spent.
    pub generation: i64,
    /// The process, or rather one opening of the vault by it. A lease that it holds itself is a
    /// leftover: it begins one refresh at a time.
    pub owner: &'a str,
    /// A holder whose process is gone: its lease ends at once.
    pub gone: Option<&'a str>,
    /// Now.
    pub now: i64,
    /// When the lease ends by itself.
    pub until: i64,
    /// The SHA-256 of the refresh token that is going to be spent.
    pub spending: &'a [u8],
}

/// A lease that was won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Grows with each lease; tells ours from a later one of the same owner.
    pub fence: i64,
    /// When an earlier refresh of the same token was sent whose outcome never became known.
    pub interrupted_since: Option<i64>,
}

/// A refresh that brought no tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRefresh<'a> {
    /// The authorisation.
    pub id: Id,
    /// Its generation.
    pub generation: i64,
    /// The owner of the lease.
    pub owner: &'a str,
    /// The fence of the lease.
    pub fence: i64,
    /// When it failed.
    pub at: i64,
    /// Why, without secrets.
    pub error: &'a str,
    /// No refresh before this time.
    pub not_before: Option<i64>,
    /// Why no refresh can succeed any more.
    pub exhausted: Option<&'a str>,
    /// True when the platform may have spent the refresh token nevertheless.
    pub ambiguous: bool,
}

/// Where apps, accounts and tokens are kept.
///
/// Every write is one transaction, durable when it returns.
pub trait TokenStore: Send + Sync {
    /// Returns the row of the master key.
    fn key(&self) -> BoxFuture<'_, Result<Option<KeyRow>>>;
    /// Adds the row of the master key unless one stands; returns the one that stands.
    fn add_key(&self, row: KeyRow) -> BoxFuture<'_, Result<KeyRow>>;

    /// Returns all apps, oldest first, then by name.
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>>;
    /// Returns an app by name.
    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>>;
    /// Adds an app; false when the name is taken.
    fn add_app(&self, row: AppRow) -> BoxFuture<'_, Result<bool>>;
    /// Adds an app with an account and its authorisation; all or nothing. False when a name is taken.
    fn add_app_with_account(
        &self,
        app: AppRow,
        authorisation: AuthorisationRow,
        account: AccountRow,
    ) -> BoxFuture<'_, Result<bool>>;

    /// Returns all accounts, oldest first, then by name.
    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>>;
    /// Returns an account by name.
    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>>;
    /// Returns the accounts of one app.
    fn accounts_of(&self, app: Id) -> BoxFuture<'_, Result<Vec<FullRow>>>;
    /// Adds an authorisation, where one is given, and accounts; all or nothing. False when a name is taken.
    fn add_accounts(
        &self,
        authorisation: Option<AuthorisationRow>,
        accounts: Vec<AccountRow>,
    ) -> BoxFuture<'_, Result<bool>>;
    /// Changes what is known of an account (login, shop, country, region). With a new authorisation
    /// the account moves to it, and the former one goes when no account uses it any more.
    fn update_account(
        &self,
        authorisation: Option<AuthorisationRow>,
        row: AccountRow,
    ) -> BoxFuture<'_, Result<()>>;
    /// Renames an account; false when the new name is taken.
    fn rename_account<'a>(&'a self, id: Id, name: &'a str) -> BoxFuture<'a, Result<bool>>;
    /// Removes an account, and its authorisation when no other account uses it.
    fn remove_account(&self, id: Id) -> BoxFuture<'_, Result<()>>;

    /// Returns an authorisation.
    fn authorisation(&self, id: Id) -> BoxFuture<'_, Result<Option<AuthorisationRow>>>;
    /// Takes the lease and writes down the intent, if the generation is still the same and nobody
    /// else holds a lease that has not ended.
    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Option<Lease>>>;
    /// Replaces the tokens `WHERE generation = expected`, clears intent, lease and errors; false
    /// when somebody else was first.
    fn replace_tokens<'a>(
        &'a self,
        id: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
    ) -> BoxFuture<'a, Result<bool>>;
    /// Writes down a failure and gives the lease back, if it is still ours.
    fn record_failure<'a>(&'a self, failure: FailedRefresh<'a>) -> BoxFuture<'a, Result<()>>;
    /// Marks a generation as one that cannot be refreshed any more.
    fn exhaust<'a>(&'a self, id: Id, generation: i64, reason: &'a str, at: i64) -> BoxFuture<'a, Result<()>>;

    /// Remembers a login; forgets those begun before `forget_before`.
    fn add_login(&self, login: PendingLogin, forget_before: i64) -> BoxFuture<'_, Result<()>>;
    /// Returns a login by the hash of its `state`.
    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>>;
    /// Forgets a login.
    fn remove_login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<()>>;

    /// Ends what the store holds open. When it returns, nothing of this store touches files or
    /// connections any more.
    fn close(&self) -> BoxFuture<'_, ()>;
}
