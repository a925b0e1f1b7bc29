//! What the tables hold, as values: sealed bytes, times in milliseconds since 1970.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Id;

/// The id of a master key; not a secret.
pub type KeyId = [u8; 8];

/// What a master key is to the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It seals; exactly one.
    Active,
    /// It will be the active one when a rekey that has begun is done; at most one.
    Incoming,
    /// It sealed once. Its row stays, so that nothing it sealed becomes unreadable.
    Retired,
}

/// Where the master key of a vault comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyKind {
    /// The keyring of the desktop session.
    Keyring,
    /// A file beside the vault.
    File,
    /// A passphrase.
    Passphrase,
    /// `SESAME_MASTER_KEY`.
    Environment,
}

impl KeyKind {
    /// Returns the word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Passphrase => "passphrase",
            Self::Environment => "environment",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is stored of a master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key's id.
    pub key_id: KeyId,
    /// What it is to the vault.
    pub state: KeyState,
    /// The key itself, sealed with another key of the vault: an incoming one with the active one, a
    /// retired one with its successor.
    pub wrapped: Option<Vec<u8>>,
    /// Where it comes from.
    pub kind: KeyKind,
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
    /// The sealed secret that was replaced, until the new one has worked.
    pub former_secret: Option<Vec<u8>>,
    /// Where the platform sends the seller's browser.
    pub redirect_uri: String,
    /// The sandbox it was made against; `None` for a real app.
    pub sandbox: Option<String>,
    /// Where its secret was read from when it was added: `standard input`, `variable X`, `file F`.
    pub secret_origin: Option<String>,
    /// When it was added.
    pub created_at: i64,
}

/// What one approval of a seller gave: a pair of tokens, used by one account or by several (a
/// cross-border seller of Lazada has one pair for six shops).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRow {
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
    /// When somebody last used the access token, give or take an hour.
    pub last_used: Option<i64>,
    /// The refresh token is not prolonged before this time.
    pub postpone_after: Option<i64>,
    /// `true` if what went wrong last does not pass by itself: a wrong secret, a missing right.
    pub blocked: bool,
}

/// The columns that a refresh replaces together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenColumns {
    /// The sealed access token.
    pub access: Option<Vec<u8>>,
    /// The sealed refresh token.
    pub refresh: Option<Vec<u8>>,
    /// When the access token was received.
    pub issued_at: i64,
    /// When the access token ends; `None` if that is not known.
    pub access_expires_at: Option<i64>,
    /// When the refresh token ends; `None` if that is not known.
    pub refresh_expires_at: Option<i64>,
    /// `true` if the platform said that the refresh token has no life at all.
    pub refresh_denied: bool,
    /// Who the tokens belong to, as JSON; shared by all accounts that are read together.
    pub identity: Arc<str>,
    /// When the keeper fetches the next access token, if the account is in use.
    #[serde(default)]
    pub warm_at: Option<i64>,
    /// When the keeper has to look at this authorization next, for whatever reason.
    #[serde(default)]
    pub due_at: Option<i64>,
    /// The last warning given of this refresh token's end, in days before it.
    #[serde(default)]
    pub announced: Option<i64>,
}

/// One authorized shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The id.
    pub id: Id,
    /// The name people use; unique.
    pub name: String,
    /// The app it belongs to.
    pub app_id: Id,
    /// The authorization whose tokens it uses.
    pub authorization_id: Id,
    /// The login name on the platform.
    pub login: Option<String>,
    /// The platform's id of the shop.
    pub shop_id: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The region whose hosts are called.
    pub region: Option<String>,
    /// What people put on it, to find it by; sorted, no tag twice.
    pub tags: Vec<String>,
    /// When it was added.
    pub created_at: i64,
}

/// An account with its app and its authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullRow {
    /// The account.
    pub account: AccountRow,
    /// Its app.
    pub app: AppRow,
    /// Its authorization.
    pub authorization: AuthorizationRow,
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
    /// When it was finished.
    pub used_at: Option<i64>,
}

/// Who wants to refresh, until when, and what it is going to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The authorization.
    pub id: Id,
    /// The generation whose refresh token is going to be spent.
    pub generation: i64,
    /// The process, or rather one opening of the vault by it. A lease that it holds itself is a
    /// leftover: it begins one refresh at a time.
    pub owner: &'a str,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRefresh<'a> {
    /// The authorization.
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
    /// No refresh before this time; `None` keeps the stored one.
    pub not_before: Option<i64>,
    /// No postponement before this time; `None` keeps the stored one.
    pub postpone_after: Option<i64>,
    /// When the keeper looks next.
    pub due_at: Option<i64>,
    /// Why no refresh can succeed any more.
    pub exhausted: Option<&'a str>,
    /// `true` if the platform may have spent the refresh token nevertheless.
    pub ambiguous: bool,
    /// `true` if this does not pass by itself; `None` keeps what is stored.
    pub blocked: Option<bool>,
    /// `true` if the platform lets this app refresh no tokens.
    pub denied: bool,
}

/// Rows that are added together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRows {
    /// Apps.
    pub apps: Vec<AppRow>,
    /// Authorizations.
    pub authorizations: Vec<AuthorizationRow>,
    /// Accounts, of these or of standing apps and authorizations.
    pub accounts: Vec<AccountRow>,
}

/// Who asks for due work: a keeper, or a deliverer of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueClaim<'a> {
    /// Who asks; see [`Claim::owner`].
    pub owner: &'a str,
    /// Now: what is due by then.
    pub now: i64,
    /// When the leases end by themselves.
    pub until: i64,
    /// Maximum number of rows to hand out.
    pub limit: u32,
}

/// An authorization that is due, with its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The authorization, read under the lease.
    pub authorization: AuthorizationRow,
    /// The fence of the lease.
    pub fence: i64,
    /// The first name of an account that uses it, for messages.
    pub label: String,
}

/// An intent that a keeper writes down before it spends a refresh token under a lease it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The authorization.
    pub id: Id,
    /// The fence of the lease.
    pub fence: i64,
    /// The generation whose refresh token is going to be spent.
    pub generation: i64,
    /// The SHA-256 of that refresh token.
    pub spending: Vec<u8>,
}

/// What a keeper decides about an authorization whose lease it gives back unspent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The authorization.
    pub id: Id,
    /// The fence of the lease.
    pub fence: i64,
    /// When a keeper looks next.
    pub due_at: Option<i64>,
    /// The last warning given; see [`TokenColumns::announced`].
    pub announced: Option<i64>,
}

/// The accounts that have to be authorized again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReauthorizationRequired {
    /// The names of the first ones.
    pub names: Vec<String>,
    /// How many there are.
    pub count: u64,
}

/// A line of the audit trail. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// The id.
    pub id: Id,
    /// When.
    pub at: i64,
    /// The authorization it is about, if it is about one.
    pub authorization_id: Option<Id>,
    /// The account's or the app's name at that time.
    pub subject: String,
    /// `login`, `refresh`, `postpone`, `import`, ...
    pub action: String,
    /// `true` if it succeeded.
    pub succeeded: bool,
    /// More, for people.
    pub detail: Option<String>,
    /// The user, host and process that did it.
    pub actor: Option<String>,
}

/// Which lines of the audit trail are asked for, newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those of this authorization.
    pub authorization: Option<Id>,
    /// Only those since then.
    pub since: Option<i64>,
    /// Maximum number of lines.
    pub limit: u32,
}

/// A notification for people or programs, kept until it was delivered. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The id; the same in each delivery of it.
    pub id: Id,
    /// When it happened.
    pub at: i64,
    /// The authorization it is about.
    pub authorization_id: Id,
    /// `expiring`, `exhausted` or `recovered`.
    pub kind: String,
    /// What is delivered, as JSON.
    pub payload: String,
}

/// An event that a sink has to take, with its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEvent {
    /// The event.
    pub event: EventRow,
    /// The fence of the lease.
    pub fence: i64,
    /// The number of deliveries to this sink that failed.
    pub attempts: i64,
}

/// A way by which events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// A command.
    Hook,
    /// An HTTP POST.
    Webhook,
}

impl Sink {
    /// Returns the number that is stored.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Hook => 0,
            Self::Webhook => 1,
        }
    }
}

/// What is written down in the same transaction as a change of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Lines of the audit trail.
    pub audit: Vec<AuditRow>,
    /// Events.
    pub events: Vec<EventRow>,
}

/// A sealed value and where it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its column.
    pub place: SecretColumn,
    /// The id of its row.
    pub id: Id,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

/// The columns that hold sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretColumn {
    /// The secret of an app.
    AppSecret,
    /// The secret that an app had before.
    FormerSecret,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

impl SecretColumn {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AppSecret, Self::FormerSecret, Self::Access, Self::Refresh];

    /// Returns the table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::AppSecret | Self::FormerSecret => "app",
            Self::Access | Self::Refresh => "authorizations",
        }
    }

    /// Returns the column of the row's id.
    pub(super) const fn id_column(self) -> &'static str {
        match self {
            Self::AppSecret | Self::FormerSecret => "app_id",
            Self::Access | Self::Refresh => "authorization_id",
        }
    }

    /// Returns the column.
    pub const fn column(self) -> &'static str {
        match self {
            Self::AppSecret => "secret",
            Self::FormerSecret => "former_secret",
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}
