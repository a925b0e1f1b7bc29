//! Where rows are kept: SQLite in a file or in memory, or PostgreSQL for many machines.
//!
//! A store sees sealed bytes only. It compares and sets; it decides nothing. Times are milliseconds
//! since 1970.

mod limits;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod schema;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

use sesame_core::{BoxFuture, Result};

pub use records::{
    AccountRow, AppRow, AuditQuery, AuditRow, AuthorizationRow, Claim, Due, DueClaim, DueEvent, EventRow,
    FailedRefresh, FullRow, Intent, KeyId, KeyKind, KeyRow, KeyState, Lease, NewRows, Notes, PendingLogin,
    Planned, ReauthorizationRequired, Sealed, SecretColumn, Sink, TokenColumns,
};
pub use sql::SqlStore;

use crate::Id;

/// What every call of a store returns.
pub type StoreFut<'a, T> = BoxFuture<'a, Result<T>>;

/// After this number of failed deliveries to a sink an event no longer holds back the later ones of its
/// authorization: it may be the one that is refused.
pub const HOLDS_BACK: i64 = 10;

/// Master keys, and the values that are sealed with them.
pub trait KeyStore: Send + Sync {
    /// Returns all master keys: the active one first, then the incoming one, then the retired ones, the
    /// newest first.
    fn keys(&self) -> StoreFut<'_, Vec<KeyRow>>;

    /// Replaces all master keys, if they still are `former`. Returns `false` and changes nothing if not.
    fn set_keys<'a>(&'a self, former: &'a [KeyRow], new: &'a [KeyRow]) -> StoreFut<'a, bool>;

    /// Removes what is left of values that were overwritten, as far as the store can.
    fn forget_remains(&self) -> StoreFut<'_, ()>;

    /// Returns sealed values of one column whose head names this key, in the order of their rows'
    /// ids, those after `after`, at most `limit` of them.
    fn sealed_with(
        &self,
        key_id: KeyId,
        place: SecretColumn,
        after: Option<Id>,
        limit: u32,
    ) -> StoreFut<'_, Vec<Sealed>>;

    /// Replaces sealed values `WHERE value = from`; returns how many were still the same.
    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> StoreFut<'a, u64>;
}

/// Apps and their sealed secrets.
pub trait AppStore: Send + Sync {
    /// Returns all apps, oldest first, then by name.
    fn apps(&self) -> StoreFut<'_, Vec<AppRow>>;

    /// Returns an app by name.
    fn app<'a>(&'a self, name: &'a str) -> StoreFut<'a, Option<AppRow>>;

    /// Replaces name, region, redirect URI and secrets of an app, if the row still is `former`. With another
    /// region go the accounts and authorizations that had the former one, unless it is that of their
    /// country. Returns `false` and changes nothing if the row is another one, or if the name is taken.
    fn update_app<'a>(&'a self, former: &'a AppRow, new: &'a AppRow, notes: &'a Notes) -> StoreFut<'a, bool>;

    /// Removes an app that no account uses. Returns `false` and changes nothing if one does.
    fn remove_app<'a>(&'a self, id: Id, notes: &'a Notes) -> StoreFut<'a, bool>;
}

/// Accounts.
pub trait AccountStore: Send + Sync {
    /// Adds apps, authorizations and accounts; all or nothing. False when a name is taken.
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> StoreFut<'a, bool>;

    /// Returns all accounts, oldest first, then by name.
    fn accounts(&self) -> StoreFut<'_, Vec<FullRow>>;

    /// Returns an account by name.
    fn account<'a>(&'a self, name: &'a str) -> StoreFut<'a, Option<FullRow>>;

    /// Returns the accounts that use an authorization, oldest first.
    fn accounts_using(&self, authorization: Id) -> StoreFut<'_, Vec<FullRow>>;

    /// Returns accounts in the order of their ids, those after `after`, at most `limit` of them.
    fn accounts_after(&self, after: Option<Id>, limit: u32) -> StoreFut<'_, Vec<FullRow>>;

    /// Returns the ids of accounts alone, as [`AccountStore::accounts_after`]: also those of accounts
    /// whose rows cannot be read.
    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> StoreFut<'_, Vec<Id>>;

    /// Returns the accounts of apps with this key whose shop has this id, in the order of their ids, at
    /// most `limit` of them. Found by an index on the ids of shops.
    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> StoreFut<'a, Vec<FullRow>>;

    /// Returns the accounts whose authorization is marked so, by name, at most `limit` of them, and how
    /// many there are. Found by the same index.
    fn reauthorization_required(&self, limit: u32) -> StoreFut<'_, ReauthorizationRequired>;

    /// Changes what is known of an account (login, shop, country, region). With a new authorization, or
    /// with another one that is stored, the account moves to it, and the former one goes when no account
    /// uses it any more.
    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        row: &'a AccountRow,
        notes: &'a Notes,
    ) -> StoreFut<'a, ()>;

    /// Renames an account; returns `false` if the new name is taken.
    fn rename_account<'a>(&'a self, id: Id, name: &'a str) -> StoreFut<'a, bool>;

    /// Replaces an account's tags; returns `false` if they are not `former` any more.
    fn set_tags<'a>(&'a self, id: Id, former: &'a [String], tags: &'a [String]) -> StoreFut<'a, bool>;

    /// Removes an account, and its authorization when no other account uses it.
    fn remove_account<'a>(&'a self, id: Id, notes: &'a Notes) -> StoreFut<'a, ()>;
}

/// Authorizations and their tokens: one at a time, under a lease.
pub trait TokenStore: Send + Sync {
    /// Returns an authorization.
    fn authorization(&self, id: Id) -> StoreFut<'_, Option<AuthorizationRow>>;

    /// Takes the lease and writes down the intent, if the generation is still the same and no
    /// other owner holds a lease that has not ended.
    fn claim<'a>(&'a self, claim: Claim<'a>) -> StoreFut<'a, Option<Lease>>;

    /// Replaces the tokens `WHERE generation = expected`, clears intent, lease and errors, and
    /// `postpone_after` unless the refresh token's end stays the same; returns `false` if somebody else was
    /// first.
    fn replace_tokens<'a>(
        &'a self,
        id: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
        notes: &'a Notes,
    ) -> StoreFut<'a, bool>;

    /// Writes down a failure and gives the lease back, if it is still ours; the notes only then.
    fn record_failure<'a>(&'a self, failure: FailedRefresh<'a>, notes: &'a Notes) -> StoreFut<'a, ()>;

    /// Marks a generation as one that cannot be refreshed any more; the notes only if it was not
    /// marked yet.
    fn exhaust<'a>(
        &'a self,
        id: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
        notes: &'a Notes,
    ) -> StoreFut<'a, ()>;

    /// Notes that access tokens were used, and makes those due that the keeper had left alone.
    fn touch<'a>(&'a self, ids: &'a [Id], at: i64) -> StoreFut<'a, ()>;
}

/// Due authorizations, handed out in batches under leases.
pub trait WorkStore: Send + Sync {
    /// Hands out the authorizations that are not leased and are due the longest, in no order, and
    /// takes their leases. Several keepers share the work so. Found by the index on `due_at`: what is
    /// not due costs nothing. Each is due again when its lease ends, unless something else is planned
    /// before: so what is held costs those nothing either who claim next.
    fn claim_due<'a>(&'a self, claim: DueClaim<'a>) -> StoreFut<'a, Vec<Due>>;

    /// Writes down intents under leases that are still this owner's, and renews those until `until`;
    /// returns the authorizations for which that was so.
    fn begin<'a>(
        &'a self,
        owner: &'a str,
        intents: &'a [Intent],
        now: i64,
        until: i64,
    ) -> StoreFut<'a, Vec<Id>>;

    /// Gives leases back that are still this owner's, with what was decided. Events of authorizations
    /// whose lease was lost are left out: whoever holds it now gives that warning.
    fn plan<'a>(&'a self, owner: &'a str, plans: &'a [Planned], notes: &'a Notes) -> StoreFut<'a, ()>;

    /// Returns when the next authorization is due that is not leased now.
    fn next_due(&self, now: i64) -> StoreFut<'_, Option<i64>>;

    /// Makes due at `now` what is due later than `horizon` milliseconds after it: no plan reaches that far,
    /// so a wrong clock made it. Returns the number of rows. Found by the index on `due_at`.
    fn pull_forward(&self, now: i64, horizon: i64) -> StoreFut<'_, u64>;
}

/// The audit trail, and events until they are delivered.
pub trait EventStore: Send + Sync {
    /// Hands out events since `since` that a sink has not taken, the oldest due ones first, under
    /// leases as [`WorkStore::claim_due`]. An event that was not taken holds back the
    /// later ones of its authorization, unless its delivery failed [`HOLDS_BACK`] times.
    fn claim_events<'a>(&'a self, sink: Sink, since: i64, claim: DueClaim<'a>)
    -> StoreFut<'a, Vec<DueEvent>>;

    /// Forgets an event that a sink took.
    fn event_taken(&self, id: Id, sink: Sink) -> StoreFut<'_, ()>;

    /// Gives the lease of an event back after a failed delivery, if it is still this one, and makes the
    /// event due at `next_try`; the other sink does not wait.
    fn event_failed(&self, id: Id, sink: Sink, fence: i64, next_try: i64) -> StoreFut<'_, ()>;

    /// Adds lines and events of their own.
    fn note<'a>(&'a self, notes: &'a Notes) -> StoreFut<'a, ()>;

    /// Reads the audit trail, newest first.
    fn audit(&self, query: AuditQuery) -> StoreFut<'_, Vec<AuditRow>>;

    /// Returns `true` if the audit trail has a line that is not older than `from` and older than `to`.
    fn has_audit(&self, from: i64, to: i64) -> StoreFut<'_, bool>;

    /// Deletes records of the audit trail and events older than `before`. Returns the number of rows.
    fn forget_notes(&self, before: i64) -> StoreFut<'_, u64>;
}

/// Logins that were begun and not finished.
pub trait LoginStore: Send + Sync {
    /// Remembers a login; forgets those begun before `forget_before`.
    fn add_login<'a>(&'a self, login: &'a PendingLogin, forget_before: i64) -> StoreFut<'a, ()>;

    /// Returns a login by the hash of its `state`.
    fn login<'a>(&'a self, state_hash: &'a [u8]) -> StoreFut<'a, Option<PendingLogin>>;

    /// Notes that a login was finished.
    fn login_used<'a>(&'a self, state_hash: &'a [u8], at: i64) -> StoreFut<'a, ()>;
}

/// Where apps, accounts and tokens are kept: all parts of a store together.
///
/// Every write is one transaction, durable when it returns; but for [`WorkStore::claim_due`], whose
/// leases a power cut may take back.
///
/// A part is had by upcasting: `let tokens: Arc<dyn TokenStore> = store.clone();`.
pub trait Store:
    KeyStore + AppStore + AccountStore + TokenStore + WorkStore + EventStore + LoginStore
{
    /// Returns `true` if what is written outlives the process. If not, there is no journal either, since
    /// what it holds would be of no use.
    fn is_durable(&self) -> bool;

    /// Looks for damage in the store itself; each finding is a sentence.
    fn check(&self) -> StoreFut<'_, Vec<String>>;

    /// Ends what the store holds open. When it returns, nothing of this store touches files or
    /// connections any more.
    fn close(&self) -> BoxFuture<'_, ()>;
}
