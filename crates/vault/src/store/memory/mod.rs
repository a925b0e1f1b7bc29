//! A store that forgets: for tests and simulations.

mod tables;

use std::sync::Mutex;

use sesame_core::{BoxFuture, Error, Result};

use super::{
    AccountRow, AccountStore, AppRow, AppStore, AuditQuery, AuditRow, AuthorizationRow, Claim, Due, DueClaim,
    EventRow, EventStore, FailedRefresh, FullRow, GivenUp, Intent, KeyChange, KeyRow, KeyStore, Lease,
    LoginStore, NewRows, Notes, PendingLogin, Planned, Sealed, SealedPlace, Sink, Store, TokenColumns,
    TokenStore, WorkStore,
};
use crate::{Id, vault::lock};
use tables::Tables;

/// Keeps everything in the memory of this process, and nothing when that ends.
///
/// For tests and simulations. It has no journal either: what would wait there would be gone, too.
/// The audit trail keeps its newest 100,000 lines.
///
/// ```
/// let store = std::sync::Arc::new(sesame_vault::store::MemoryStore::default());
/// // sesame_vault::Vault::open_with(options, store)
/// # drop(store);
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

impl MemoryStore {
    fn run<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Tables) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move { Ok(work(&mut lock(&self.0))) })
    }
}

impl KeyStore for MemoryStore {
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyRow>>> {
        self.run(|tables| tables.all_keys())
    }

    fn add_key<'a>(&'a self, row: &'a KeyRow, active: Option<&'a [u8]>) -> BoxFuture<'a, Result<bool>> {
        self.run(move |tables| tables.add_key(row, active))
    }

    fn wrap_key<'a>(&'a self, key_id: &'a [u8], wrapped: Option<&'a [u8]>) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.wrap_key(key_id, wrapped))
    }

    fn activate_key<'a>(&'a self, change: KeyChange<'a>) -> BoxFuture<'a, Result<bool>> {
        self.run(move |tables| tables.activate_key(change))
    }

    fn retire_key<'a>(&'a self, key_id: &'a [u8]) -> BoxFuture<'a, Result<bool>> {
        self.run(move |tables| tables.retire_key(key_id))
    }

    fn forget_remains(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn sealed_with<'a>(
        &'a self,
        key_id: &'a [u8],
        place: SealedPlace,
        after: Option<Id>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Sealed>>> {
        self.run(move |tables| tables.sealed_with(key_id, place, after, limit))
    }

    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> BoxFuture<'a, Result<u64>> {
        self.run(move |tables| tables.reseal(changes))
    }
}

impl AppStore for MemoryStore {
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        self.run(|tables| tables.all_apps())
    }

    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        self.run(move |tables| tables.apps.values().find(|app| app.name == name).cloned())
    }

    fn replace_secret<'a>(
        &'a self,
        former: &'a Sealed,
        new: &'a [u8],
        origin: Option<&'a str>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(move |tables| tables.replace_secret(former, new, origin, notes))
    }
}

impl AccountStore for MemoryStore {
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move { lock(&self.0).add(rows, notes) })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(|tables| tables.oldest_first())
    }

    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        self.run(move |tables| tables.names.get(name).and_then(|id| tables.full(*id)))
    }

    fn accounts_using(&self, authorization: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move |tables| tables.accounts_using(authorization))
    }

    fn accounts_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.run(move |tables| tables.accounts_after(after, limit))
    }

    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<Id>>> {
        self.run(move |tables| tables.account_ids_after(after, limit).collect())
    }

    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<FullRow>>> {
        self.run(move |tables| tables.accounts_of_shop(app_key, shop_id, limit))
    }

    fn given_up(&self, limit: u32) -> BoxFuture<'_, Result<GivenUp>> {
        self.run(move |tables| tables.given_up(limit))
    }

    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        row: &'a AccountRow,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { lock(&self.0).update_account(authorization, row, notes) })
    }

    fn rename_account<'a>(&'a self, id: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.run(move |tables| tables.rename_account(id, name))
    }

    fn set_tags<'a>(
        &'a self,
        id: Id,
        former: &'a [String],
        tags: &'a [String],
    ) -> BoxFuture<'a, Result<bool>> {
        self.run(move |tables| {
            let account = tables.accounts.get_mut(&id).filter(|account| account.tags == former);
            account.map(|account| account.tags = tags.to_vec()).is_some()
        })
    }

    fn remove_account<'a>(&'a self, id: Id, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.remove_account(id, notes))
    }
}

impl TokenStore for MemoryStore {
    fn authorization(&self, id: Id) -> BoxFuture<'_, Result<Option<AuthorizationRow>>> {
        self.run(move |tables| tables.authorizations.get(&id).map(|kept| kept.row.clone()))
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Option<Lease>>> {
        self.run(move |tables| tables.claim(&claim))
    }

    fn replace_tokens<'a>(
        &'a self,
        id: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move { lock(&self.0).replace_tokens(id, expected, tokens, at, notes) })
    }

    fn record_failure<'a>(
        &'a self,
        failure: FailedRefresh<'a>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.record_failure(&failure, notes))
    }

    fn exhaust<'a>(
        &'a self,
        id: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.exhaust(id, generation, reason, at, notes))
    }

    fn take_back(&self, marked_after: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(move |tables| tables.take_back(marked_after))
    }

    fn touch<'a>(&'a self, ids: &'a [Id], at: i64) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.touch(ids, at))
    }
}

impl WorkStore for MemoryStore {
    fn claim_due<'a>(&'a self, claim: DueClaim<'a>) -> BoxFuture<'a, Result<Vec<Due>>> {
        self.run(move |tables| tables.claim_due(&claim))
    }

    fn begin<'a>(
        &'a self,
        owner: &'a str,
        intents: &'a [Intent],
        now: i64,
        until: i64,
    ) -> BoxFuture<'a, Result<Vec<Id>>> {
        self.run(move |tables| tables.begin(owner, intents, now, until))
    }

    fn plan<'a>(
        &'a self,
        owner: &'a str,
        plans: &'a [Planned],
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.plan(owner, plans, notes))
    }

    fn next_due(&self, now: i64) -> BoxFuture<'_, Result<Option<i64>>> {
        self.run(move |tables| tables.next_due(now))
    }

    fn pull_forward(&self, now: i64, horizon: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(move |tables| tables.pull_forward(now, horizon))
    }

    fn keep_all_warm(&self) -> BoxFuture<'_, Result<()>> {
        self.run(Tables::keep_all_warm)
    }
}

impl EventStore for MemoryStore {
    fn claim_events(
        &self,
        sink: Sink,
        since: i64,
        now: i64,
        until: i64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<EventRow>>> {
        self.run(move |tables| tables.claim_events(sink, since, now, until, limit))
    }

    fn event_taken(&self, id: Id, sink: Sink, at: i64) -> BoxFuture<'_, Result<()>> {
        self.run(move |tables| tables.event_taken(id, sink, at))
    }

    fn event_failed(&self, id: Id, sink: Sink, next_try: i64) -> BoxFuture<'_, Result<()>> {
        self.run(move |tables| tables.event_failed(id, sink, next_try))
    }

    fn note<'a>(&'a self, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| tables.note(notes))
    }

    fn audit(&self, query: AuditQuery) -> BoxFuture<'_, Result<Vec<AuditRow>>> {
        self.run(move |tables| tables.read_audit(&query))
    }

    fn forget_notes(&self, before: i64) -> BoxFuture<'_, Result<u64>> {
        self.run(move |tables| tables.forget_notes(before))
    }
}

impl LoginStore for MemoryStore {
    fn add_login(&self, login: PendingLogin, forget_before: i64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut tables = lock(&self.0);
            tables.check_app(login.app_id)?;
            if tables.logins.contains_key(&login.state_hash) {
                return Err(Error::local("this login was begun already"));
            }
            tables.logins.retain(|_, login| login.begun_at >= forget_before);
            tables.logins.insert(login.state_hash.clone(), login);
            Ok(())
        })
    }

    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>> {
        self.run(move |tables| tables.logins.get(state_hash).cloned())
    }

    fn login_used<'a>(&'a self, state_hash: &'a [u8], at: i64) -> BoxFuture<'a, Result<()>> {
        self.run(move |tables| {
            if let Some(login) = tables.logins.get_mut(state_hash) {
                login.used_at = Some(at);
            }
        })
    }
}

impl Store for MemoryStore {
    fn is_durable(&self) -> bool {
        false
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.run(|_| Vec::new())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
