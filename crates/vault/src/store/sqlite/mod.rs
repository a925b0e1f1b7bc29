//! The embedded store: what is asked of SQLite, one transaction a call.

mod accounts;
mod file;
mod keys;
mod notes;
mod rows;
mod schema;
mod tokens;
mod work;

use sesame_core::{BoxFuture, Result};

pub use file::SqliteStore;

use super::{
    AccountRow, AccountStore, AppRow, AppStore, AuditQuery, AuditRow, AuthorizationRow, Claim, Due, DueClaim,
    EventRow, EventStore, FailedRefresh, FullRow, GivenUp, Intent, KeyChange, KeyRow, KeyStore, Lease,
    LoginStore, NewRows, Notes, PendingLogin, Planned, Sealed, SealedPlace, Sink, Store, TokenColumns,
    TokenStore, WorkStore,
};
use crate::Id;

impl SqliteStore {
    /// Runs a piece of work and says what went wrong with which file.
    fn run<'a, T>(
        &'a self,
        work: impl Future<Output = sqlx::Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move { work.await.map_err(|error| self.failed(error)) })
    }
}

impl KeyStore for SqliteStore {
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyRow>>> {
        self.run(self.all_keys())
    }

    fn add_key<'a>(&'a self, key: &'a KeyRow, active: Option<&'a [u8]>) -> BoxFuture<'a, Result<bool>> {
        self.run(self.insert_key(key, active))
    }

    fn wrap_key<'a>(&'a self, key_id: &'a [u8], wrapped: Option<&'a [u8]>) -> BoxFuture<'a, Result<()>> {
        self.run(self.set_wrapped(key_id, wrapped))
    }

    fn activate_key<'a>(&'a self, change: KeyChange<'a>) -> BoxFuture<'a, Result<bool>> {
        self.run(self.switch_key(change))
    }

    fn retire_key<'a>(&'a self, key_id: &'a [u8]) -> BoxFuture<'a, Result<bool>> {
        self.run(self.retire_incoming(key_id))
    }

    fn forget_remains(&self) -> BoxFuture<'_, Result<()>> {
        self.run(self.empty_log())
    }

    fn sealed_with<'a>(
        &'a self,
        key_id: &'a [u8],
        place: SealedPlace,
        after: Option<Id>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Sealed>>> {
        self.run(self.find_sealed(key_id, place, after, limit))
    }

    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> BoxFuture<'a, Result<u64>> {
        self.run(self.replace_sealed(changes))
    }
}

impl AppStore for SqliteStore {
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        self.run(self.all_apps())
    }

    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        self.run(self.find_app(name))
    }

    fn replace_secret<'a>(
        &'a self,
        former: &'a Sealed,
        new: &'a [u8],
        origin: Option<&'a str>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(self.change_secret(former, new, origin, notes))
    }
}

impl AccountStore for SqliteStore {
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> BoxFuture<'a, Result<bool>> {
        self.run(self.insert(rows, notes))
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(self.all_accounts())
    }

    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        self.run(self.find_account(name))
    }

    fn accounts_using(&self, authorization: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(self.accounts_of_authorization(authorization))
    }

    fn accounts_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(self.page_of_accounts(after, limit))
    }

    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<Id>>> {
        self.run(self.page_of_account_ids(after, limit))
    }

    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<FullRow>>> {
        self.run(self.find_shop(app_key, shop_id, limit))
    }

    fn given_up(&self, limit: u32) -> BoxFuture<'_, Result<GivenUp>> {
        self.run(self.find_given_up(limit))
    }

    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        account: &'a AccountRow,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(self.change_account(authorization, account, notes))
    }

    fn rename_account<'a>(&'a self, account: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.run(self.change_name(account, name))
    }

    fn set_tags<'a>(
        &'a self,
        account: Id,
        former: &'a [String],
        tags: &'a [String],
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(self.change_tags(account, former, tags))
    }

    fn remove_account<'a>(&'a self, account: Id, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(self.delete_account(account, notes))
    }
}

impl TokenStore for SqliteStore {
    fn authorization(&self, authorization: Id) -> BoxFuture<'_, Result<Option<AuthorizationRow>>> {
        self.run(self.find_authorization(authorization))
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Option<Lease>>> {
        self.run(self.take_lease(claim))
    }

    fn replace_tokens<'a>(
        &'a self,
        authorization: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(self.swap_tokens(authorization, expected, tokens, at, notes))
    }

    fn record_failure<'a>(
        &'a self,
        failure: FailedRefresh<'a>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(self.write_failure(failure, notes))
    }

    fn exhaust<'a>(
        &'a self,
        authorization: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(self.mark_exhausted(authorization, generation, reason, at, notes))
    }

    fn take_back(&self, marked_after: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(self.unmark(marked_after))
    }

    fn touch<'a>(&'a self, ids: &'a [Id], at: i64) -> BoxFuture<'a, Result<()>> {
        self.run(self.mark_used(ids, at))
    }
}

impl WorkStore for SqliteStore {
    fn claim_due<'a>(&'a self, claim: DueClaim<'a>) -> BoxFuture<'a, Result<Vec<Due>>> {
        self.run(self.take_due(claim))
    }

    fn begin<'a>(
        &'a self,
        owner: &'a str,
        intents: &'a [Intent],
        now: i64,
        until: i64,
    ) -> BoxFuture<'a, Result<Vec<Id>>> {
        self.run(self.write_intents(owner, intents, now, until))
    }

    fn plan<'a>(
        &'a self,
        owner: &'a str,
        plans: &'a [Planned],
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(self.write_plans(owner, plans, notes))
    }

    fn next_due(&self, now: i64) -> BoxFuture<'_, Result<Option<i64>>> {
        self.run(self.first_due(now))
    }

    fn pull_forward(&self, now: i64, horizon: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(self.pull_due(now, horizon))
    }

    fn keep_all_warm(&self) -> BoxFuture<'_, Result<()>> {
        self.run(self.plan_all_warm())
    }
}

impl EventStore for SqliteStore {
    fn claim_events(
        &self,
        sink: Sink,
        since: i64,
        now: i64,
        until: i64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<EventRow>>> {
        self.run(self.take_events(sink, since, now, until, limit))
    }

    fn event_taken(&self, event: Id, sink: Sink, at: i64) -> BoxFuture<'_, Result<()>> {
        self.run(self.mark_taken(event, sink, at))
    }

    fn event_failed(&self, event: Id, sink: Sink, next_try: i64) -> BoxFuture<'_, Result<()>> {
        self.run(self.put_off(event, sink, next_try))
    }

    fn note<'a>(&'a self, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(self.insert_notes(notes))
    }

    fn audit(&self, query: AuditQuery) -> BoxFuture<'_, Result<Vec<AuditRow>>> {
        self.run(self.read_audit(query))
    }

    fn forget_notes(&self, before: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(self.delete_notes(before))
    }
}

impl LoginStore for SqliteStore {
    fn add_login(&self, login: PendingLogin, forget_before: i64) -> BoxFuture<'_, Result<()>> {
        self.run(self.insert_login(login, forget_before))
    }

    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>> {
        self.run(self.find_login(state_hash))
    }

    fn login_used<'a>(&'a self, state_hash: &'a [u8], at: i64) -> BoxFuture<'a, Result<()>> {
        self.run(self.mark_login(state_hash, at))
    }
}

impl Store for SqliteStore {
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.run(self.find_damage())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.claims.close().await;
            self.pool.close().await;
        })
    }
}
