//! The shared store: what is asked of PostgreSQL, one transaction a call.
//!
//! Nothing here needs advisory locks, LISTEN or NOTIFY. All isolation is READ COMMITTED: each
//! compare-and-set is one UPDATE whose condition the server looks at again once it holds the row.

mod accounts;
mod connections;
mod failures;
mod group;
mod keys;
mod notes;
mod rows;
mod schema;
mod tokens;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use sesame_core::{BoxFuture, Error, Result};

use connections::{Connections, Failure};
use group::Group;

use super::{
    AccountRow, AccountStore, AppRow, AppStore, AuditQuery, AuditRow, AuthorizationRow, Claim, Due, DueClaim,
    EventRow, EventStore, FailedRefresh, FullRow, GivenUp, Intent, KeyChange, KeyRow, KeyStore, Lease,
    LoginStore, NewRows, Notes, PendingLogin, Planned, Sealed, SealedPlace, Sink, Store, TokenColumns,
    TokenStore, WorkStore,
};
use crate::{Database, Id};

/// What a piece of work comes to.
type Outcome<T> = std::result::Result<T, Failure>;

/// How long a piece of work may take, the wait for a connection included.
const WORKING: Duration = Duration::from_mins(1);
/// How long one may take that looks at everything.
const WORKING_LONG: Duration = Duration::from_mins(10);
/// How often work is done again that the server undid because of other work.
const REPEATS: usize = 5;

/// A vault in a database of PostgreSQL. Cheap to clone; clones share their connections.
///
/// All tables are in the schema `sesame`. At most 8 connections, made when needed: 10 seconds for a
/// connection, 30 for a statement, a minute for a piece of work.
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    database: Database,
    connections: Connections,
    group: Group,
}

impl PostgresStore {
    /// Connects, makes schema and tables if they are not there, brings older ones up to date. Many
    /// processes may do so at once.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a server that cannot be reached or
    /// refuses, and for tables that are newer or another program's. Nothing is changed then.
    pub async fn open(database: &Database) -> Result<Self> {
        let store = Self::new(database);
        store.migrate().await?;
        Ok(store)
    }

    /// Tells whether the database holds a vault already; makes nothing.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn exists(database: &Database) -> Result<bool> {
        let store = Self::new(database);
        let version = store.run(|| store.version()).await;
        store.close().await;
        Ok(version?.is_some())
    }

    fn new(database: &Database) -> Self {
        Self(Arc::new(Inner {
            connections: Connections::to(database),
            database: database.clone(),
            group: Group::default(),
        }))
    }

    async fn take(&self) -> Outcome<connections::Lent<'_>> {
        self.0.connections.take().await
    }

    /// Runs a piece of work, again when it lost against other work, and says what went wrong where.
    fn run<'a, T, F>(&'a self, work: impl Fn() -> F + Send + Sync + 'a) -> BoxFuture<'a, Result<T>>
    where
        F: Future<Output = Outcome<T>> + Send + 'a,
        T: Send + 'a,
    {
        self.run_for(WORKING, work)
    }

    fn run_for<'a, T, F>(
        &'a self,
        limit: Duration,
        work: impl Fn() -> F + Send + Sync + 'a,
    ) -> BoxFuture<'a, Result<T>>
    where
        F: Future<Output = Outcome<T>> + Send + 'a,
        T: Send + 'a,
    {
        Box::pin(async move {
            let repeated = async {
                for _ in 0..REPEATS {
                    match work().await {
                        Err(failure) if failure.is_conflict() => {
                            tracing::debug!("the database undid work because of other work; repeated");
                        }
                        done => return done,
                    }
                }
                work().await
            };
            let done = tokio::time::timeout(limit, repeated).await.unwrap_or(Err(Failure::NoAnswer));
            done.map_err(|failure| self.failed(failure))
        })
    }

    fn failed(&self, failure: Failure) -> Error {
        failures::describe(&self.0.database, failure)
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("database", &self.0.database).finish_non_exhaustive()
    }
}

/// True when it was done, false when a name was taken.
fn unless_taken(done: Outcome<()>) -> Outcome<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(failure) if failure.is_taken() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// What TEXT takes: all but the character NUL, which platforms have sent in messages.
fn text(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}").into() } else { text.into() }
}

fn some_text(optional: Option<&str>) -> Option<std::borrow::Cow<'_, str>> {
    optional.map(text)
}

impl KeyStore for PostgresStore {
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyRow>>> {
        self.run(|| self.all_keys())
    }

    fn add_key<'a>(&'a self, key: &'a KeyRow, active: Option<&'a [u8]>) -> BoxFuture<'a, Result<bool>> {
        self.run(move || self.insert_key(key, active))
    }

    fn wrap_key<'a>(&'a self, key_id: &'a [u8], wrapped: Option<&'a [u8]>) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.set_wrapped(key_id, wrapped))
    }

    fn activate_key<'a>(&'a self, change: KeyChange<'a>) -> BoxFuture<'a, Result<bool>> {
        self.run(move || self.switch_key(change))
    }

    fn retire_key<'a>(&'a self, key_id: &'a [u8]) -> BoxFuture<'a, Result<bool>> {
        self.run(|| self.retire_incoming(key_id))
    }

    fn forget_remains(&self) -> BoxFuture<'_, Result<()>> {
        self.run_for(WORKING_LONG, || self.vacuum())
    }

    fn sealed_with<'a>(
        &'a self,
        key_id: &'a [u8],
        place: SealedPlace,
        after: Option<Id>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Sealed>>> {
        self.run(move || self.find_sealed(key_id, place, after, limit))
    }

    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> BoxFuture<'a, Result<u64>> {
        self.run(|| self.replace_sealed(changes))
    }
}

impl AppStore for PostgresStore {
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        self.run(|| self.all_apps())
    }

    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        self.run(|| self.find_app(name))
    }

    fn replace_secret<'a>(
        &'a self,
        former: &'a Sealed,
        new: &'a [u8],
        origin: Option<&'a str>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(move || self.change_secret(former, new, origin, notes))
    }
}

impl AccountStore for PostgresStore {
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> BoxFuture<'a, Result<bool>> {
        self.run(|| self.insert(rows, notes))
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(|| self.all_accounts())
    }

    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        self.run(|| self.find_account(name))
    }

    fn accounts_using(&self, authorization: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move || self.accounts_of_authorization(authorization))
    }

    fn accounts_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move || self.page_of_accounts(after, limit))
    }

    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<Id>>> {
        self.run(move || self.page_of_account_ids(after, limit))
    }

    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<FullRow>>> {
        self.run(move || self.find_shop(app_key, shop_id, limit))
    }

    fn given_up(&self, limit: u32) -> BoxFuture<'_, Result<GivenUp>> {
        self.run(move || self.find_given_up(limit))
    }

    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        account: &'a AccountRow,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.change_account(authorization, account, notes))
    }

    fn rename_account<'a>(&'a self, account: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.run(move || self.change_name(account, name))
    }

    fn set_tags<'a>(
        &'a self,
        account: Id,
        former: &'a [String],
        tags: &'a [String],
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(move || self.change_tags(account, former, tags))
    }

    fn remove_account<'a>(&'a self, account: Id, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.delete_account(account, notes))
    }
}

impl TokenStore for PostgresStore {
    fn authorization(&self, authorization: Id) -> BoxFuture<'_, Result<Option<AuthorizationRow>>> {
        self.run(move || self.find_authorization(authorization))
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Option<Lease>>> {
        self.run(move || self.take_lease(claim.clone()))
    }

    fn replace_tokens<'a>(
        &'a self,
        authorization: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.swap_tokens(authorization, expected, tokens, at, notes))
    }

    fn record_failure<'a>(
        &'a self,
        failure: FailedRefresh<'a>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.write_failure(failure.clone(), notes))
    }

    fn exhaust<'a>(
        &'a self,
        authorization: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.mark_exhausted(authorization, generation, reason, at, notes))
    }

    fn take_back(&self, marked_after: i64) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let mut taken_back = 0;
            loop {
                let some = self.run(move || self.unmark_some(marked_after)).await?;
                if some == 0 {
                    return Ok(taken_back);
                }
                taken_back += some;
            }
        })
    }

    fn touch<'a>(&'a self, ids: &'a [Id], at: i64) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.mark_used(ids, at))
    }
}

impl WorkStore for PostgresStore {
    fn claim_due<'a>(&'a self, claim: DueClaim<'a>) -> BoxFuture<'a, Result<Vec<Due>>> {
        self.run(move || self.take_due(claim.clone()))
    }

    fn begin<'a>(
        &'a self,
        owner: &'a str,
        intents: &'a [Intent],
        now: i64,
        until: i64,
    ) -> BoxFuture<'a, Result<Vec<Id>>> {
        self.run(move || self.write_intents(owner, intents, now, until))
    }

    fn plan<'a>(
        &'a self,
        owner: &'a str,
        plans: &'a [Planned],
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.write_plans(owner, plans, notes))
    }

    fn next_due(&self, now: i64) -> BoxFuture<'_, Result<Option<i64>>> {
        self.run(move || self.first_due(now))
    }

    fn pull_forward(&self, now: i64, horizon: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(move || self.pull_due(now, horizon))
    }

    fn keep_all_warm(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut after = Vec::new();
            // In pieces: nobody who refreshes has to wait for a million rows.
            while let Some(last) = self.run(|| self.plan_warm_after(&after)).await? {
                after = last;
            }
            Ok(())
        })
    }
}

impl EventStore for PostgresStore {
    fn claim_events(
        &self,
        sink: Sink,
        since: i64,
        now: i64,
        until: i64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<EventRow>>> {
        self.run(move || self.take_events(sink, since, now, until, limit))
    }

    fn event_taken(&self, event: Id, sink: Sink, at: i64) -> BoxFuture<'_, Result<()>> {
        self.run(move || self.mark_taken(event, sink, at))
    }

    fn event_failed(&self, event: Id, sink: Sink, next_try: i64) -> BoxFuture<'_, Result<()>> {
        self.run(move || self.put_off(event, sink, next_try))
    }

    fn note<'a>(&'a self, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(|| self.add_notes(notes))
    }

    fn audit(&self, query: AuditQuery) -> BoxFuture<'_, Result<Vec<AuditRow>>> {
        self.run(move || self.read_audit(query.clone()))
    }

    fn forget_notes(&self, before: i64) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let mut forgotten = 0;
            loop {
                let some = self.run(move || self.delete_some_notes(before)).await?;
                if some == 0 {
                    return Ok(forgotten);
                }
                forgotten += some;
            }
        })
    }
}

impl LoginStore for PostgresStore {
    fn add_login(&self, login: PendingLogin, forget_before: i64) -> BoxFuture<'_, Result<()>> {
        self.run(move || self.insert_login(login.clone(), forget_before))
    }

    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>> {
        self.run(|| self.find_login(state_hash))
    }

    fn login_used<'a>(&'a self, state_hash: &'a [u8], at: i64) -> BoxFuture<'a, Result<()>> {
        self.run(move || self.mark_login(state_hash, at))
    }
}

impl Store for PostgresStore {
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.run_for(WORKING_LONG, || self.find_damage())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.0.group.settle().await;
            self.0.connections.close().await;
        })
    }
}
