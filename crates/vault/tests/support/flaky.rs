//! A store that fails when told to, in front of a real one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sesame_core::{BoxFuture, Error, Result};
use sesame_vault::{
    Id,
    store::{
        AccountRow, AppRow, AuthorisationRow, Claim, FailedRefresh, FullRow, KeyRow, Lease, PendingLogin,
        SqliteStore, TokenColumns, TokenStore,
    },
};

/// Fails the next so many writes of tokens, or intents.
pub struct FlakyStore {
    inner: SqliteStore,
    pub fail_replace: Arc<AtomicUsize>,
    pub fail_claim: Arc<AtomicUsize>,
}

impl FlakyStore {
    pub fn new(inner: SqliteStore) -> Self {
        Self { inner, fail_replace: Arc::default(), fail_claim: Arc::default() }
    }
}

fn full() -> Error {
    Error::local("the disk is full").hint("Free some space.").retry_when(sesame_core::Retry::Backoff)
}

fn due(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl TokenStore for FlakyStore {
    fn key(&self) -> BoxFuture<'_, Result<Option<KeyRow>>> {
        self.inner.key()
    }
    fn add_key(&self, row: KeyRow) -> BoxFuture<'_, Result<KeyRow>> {
        self.inner.add_key(row)
    }
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        self.inner.apps()
    }
    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        self.inner.app(name)
    }
    fn add_app(&self, row: AppRow) -> BoxFuture<'_, Result<bool>> {
        self.inner.add_app(row)
    }
    fn add_app_with_account(
        &self,
        app: AppRow,
        authorisation: AuthorisationRow,
        account: AccountRow,
    ) -> BoxFuture<'_, Result<bool>> {
        self.inner.add_app_with_account(app, authorisation, account)
    }
    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.inner.accounts()
    }
    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        self.inner.account(name)
    }
    fn accounts_of(&self, app: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.inner.accounts_of(app)
    }
    fn add_accounts(
        &self,
        authorisation: Option<AuthorisationRow>,
        accounts: Vec<AccountRow>,
    ) -> BoxFuture<'_, Result<bool>> {
        self.inner.add_accounts(authorisation, accounts)
    }
    fn update_account(
        &self,
        authorisation: Option<AuthorisationRow>,
        row: AccountRow,
    ) -> BoxFuture<'_, Result<()>> {
        self.inner.update_account(authorisation, row)
    }
    fn rename_account<'a>(&'a self, id: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.inner.rename_account(id, name)
    }
    fn remove_account(&self, id: Id) -> BoxFuture<'_, Result<()>> {
        self.inner.remove_account(id)
    }
    fn authorisation(&self, id: Id) -> BoxFuture<'_, Result<Option<AuthorisationRow>>> {
        self.inner.authorisation(id)
    }
    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Option<Lease>>> {
        if due(&self.fail_claim) {
            return Box::pin(async { Err(full()) });
        }
        self.inner.claim(claim)
    }
    fn replace_tokens<'a>(
        &'a self,
        id: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
    ) -> BoxFuture<'a, Result<bool>> {
        if due(&self.fail_replace) {
            return Box::pin(async { Err(full()) });
        }
        self.inner.replace_tokens(id, expected, tokens, at)
    }
    fn record_failure<'a>(&'a self, failure: FailedRefresh<'a>) -> BoxFuture<'a, Result<()>> {
        self.inner.record_failure(failure)
    }
    fn exhaust<'a>(&'a self, id: Id, generation: i64, reason: &'a str, at: i64) -> BoxFuture<'a, Result<()>> {
        self.inner.exhaust(id, generation, reason, at)
    }
    fn add_login(&self, login: PendingLogin, forget_before: i64) -> BoxFuture<'_, Result<()>> {
        self.inner.add_login(login, forget_before)
    }
    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>> {
        self.inner.login(state_hash)
    }
    fn remove_login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        self.inner.remove_login(state_hash)
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
