//! A store that fails when told to, in front of a real one.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sesame_core::{BoxFuture, Error, Result};
use sesame_vault::{
    Id,
    store::{
        AccountRow, AccountStore, AppRow, AppStore, AuditQuery, AuditRow, AuthorizationRow, Claim, Due,
        DueClaim, DueEvent, EventStore, FailedRefresh, FullRow, Intent, KeyId, KeyRow, KeyStore, Lease,
        LoginStore, NewRows, Notes, PendingLogin, Planned, ReauthorizationRequired, Sealed, SecretColumn,
        Sink, Store, TokenColumns, TokenStore, WorkStore,
    },
};

use super::FakeClock;

/// How many of the next writes of tokens, or intents, or reads fail.
pub struct FlakyStore {
    inner: Arc<dyn Store>,
    pub fail_replace: Arc<AtomicUsize>,
    pub fail_touch: Arc<AtomicUsize>,
    /// Writes of tokens are never answered.
    pub hang_replace: Arc<AtomicBool>,
    pub fail_claim: Arc<AtomicUsize>,
    pub fail_taken: Arc<AtomicUsize>,
    /// How many of the next reads of accounts and authorizations fail.
    pub fail_read: Arc<AtomicUsize>,
    /// How often all accounts were read at once.
    pub read_all: Arc<AtomicUsize>,
    /// How many of the next claims find the due rows held by another transaction, and pass over them.
    pub held: Arc<AtomicUsize>,
    /// Each row that is handed out takes so long.
    pub slow_claims: Option<(FakeClock, Duration)>,
    /// When set, the store breaks down at one of its calls for keys and sealed values, for good.
    pub breakdown: Arc<Mutex<Option<Breakdown>>>,
    /// When set, one of the calls for keys and sealed values waits.
    pub pause: Arc<Mutex<Option<Pause>>>,
}

/// A process that is stopped before one of its calls, and goes on when it is told to.
pub struct Pause {
    /// How many calls are made before.
    pub calls: usize,
    pub reached: tokio::sync::oneshot::Sender<()>,
    pub resume: tokio::sync::oneshot::Receiver<()>,
}

/// A process that ends at a call: as far as the file is concerned, a kill.
#[derive(Debug, Clone, Copy)]
pub struct Breakdown {
    /// How many calls still work.
    pub calls: usize,
    /// True: the last call is carried out, and its answer is lost.
    pub after: bool,
}

impl FlakyStore {
    pub fn new(inner: impl Store + 'static) -> Self {
        Self::over(Arc::new(inner))
    }

    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            fail_replace: Arc::default(),
            fail_touch: Arc::default(),
            hang_replace: Arc::default(),
            fail_claim: Arc::default(),
            fail_taken: Arc::default(),
            fail_read: Arc::default(),
            held: Arc::default(),
            read_all: Arc::default(),
            slow_claims: None,
            breakdown: Arc::default(),
            pause: Arc::default(),
        }
    }

    fn read<'a, T>(&self, call: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        if due(&self.fail_read) { Box::pin(async { Err(full()) }) } else { call }
    }

    fn key_call<'a, T: Send + 'a>(&'a self, call: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        let mut pause = self.pause.lock().unwrap();
        if let Some(stop) = pause.as_mut() {
            if let Some(left) = stop.calls.checked_sub(1) {
                stop.calls = left;
                return call;
            }
            let stop = pause.take().unwrap();
            return Box::pin(async move {
                let _ = stop.reached.send(());
                let _ = stop.resume.await;
                call.await
            });
        }
        let mut breakdown = self.breakdown.lock().unwrap();
        let Some(state) = breakdown.as_mut() else { return call };
        if let Some(left) = state.calls.checked_sub(1) {
            state.calls = left;
            return call;
        }
        // From now on nothing is carried out any more.
        let after = std::mem::take(&mut state.after);
        Box::pin(async move {
            if after {
                call.await?;
            }
            Err(Error::local("the process was killed"))
        })
    }
}

fn full() -> Error {
    Error::local("the disk is full").with_hint("Free some space.").with_retry(sesame_core::Retry::Backoff)
}

fn due(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl KeyStore for FlakyStore {
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyRow>>> {
        self.key_call(self.inner.keys())
    }

    fn set_keys<'a>(&'a self, former: &'a [KeyRow], new: &'a [KeyRow]) -> BoxFuture<'a, Result<bool>> {
        self.key_call(self.inner.set_keys(former, new))
    }

    fn forget_remains(&self) -> BoxFuture<'_, Result<()>> {
        self.key_call(self.inner.forget_remains())
    }

    fn sealed_with(
        &self,
        key_id: KeyId,
        place: SecretColumn,
        after: Option<Id>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Sealed>>> {
        self.key_call(self.inner.sealed_with(key_id, place, after, limit))
    }

    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> BoxFuture<'a, Result<u64>> {
        self.key_call(self.inner.reseal(changes))
    }
}

impl AppStore for FlakyStore {
    fn apps(&self) -> BoxFuture<'_, Result<Vec<AppRow>>> {
        self.inner.apps()
    }

    fn app<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AppRow>>> {
        self.inner.app(name)
    }

    fn update_app<'a>(
        &'a self,
        former: &'a AppRow,
        new: &'a AppRow,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        self.inner.update_app(former, new, notes)
    }

    fn remove_app<'a>(&'a self, id: Id, notes: &'a Notes) -> BoxFuture<'a, Result<bool>> {
        self.inner.remove_app(id, notes)
    }
}

impl AccountStore for FlakyStore {
    fn add<'a>(&'a self, rows: &'a NewRows, notes: &'a Notes) -> BoxFuture<'a, Result<bool>> {
        self.inner.add(rows, notes)
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.read_all.fetch_add(1, Ordering::SeqCst);
        self.read(self.inner.accounts())
    }

    fn account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FullRow>>> {
        self.read(self.inner.account(name))
    }

    fn accounts_using(&self, authorization: Id) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.read(self.inner.accounts_using(authorization))
    }

    fn accounts_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<FullRow>>> {
        self.read(self.inner.accounts_after(after, limit))
    }

    fn account_ids_after(&self, after: Option<Id>, limit: u32) -> BoxFuture<'_, Result<Vec<Id>>> {
        self.inner.account_ids_after(after, limit)
    }

    fn accounts_of_shop<'a>(
        &'a self,
        app_key: &'a str,
        shop_id: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<FullRow>>> {
        self.read(self.inner.accounts_of_shop(app_key, shop_id, limit))
    }

    fn reauthorization_required(&self, limit: u32) -> BoxFuture<'_, Result<ReauthorizationRequired>> {
        self.inner.reauthorization_required(limit)
    }

    fn update_account<'a>(
        &'a self,
        authorization: Option<&'a AuthorizationRow>,
        row: &'a AccountRow,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.inner.update_account(authorization, row, notes)
    }

    fn rename_account<'a>(&'a self, id: Id, name: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.inner.rename_account(id, name)
    }

    fn set_tags<'a>(
        &'a self,
        id: Id,
        former: &'a [String],
        tags: &'a [String],
    ) -> BoxFuture<'a, Result<bool>> {
        self.inner.set_tags(id, former, tags)
    }

    fn remove_account<'a>(&'a self, id: Id, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.inner.remove_account(id, notes)
    }
}

impl TokenStore for FlakyStore {
    fn authorization(&self, id: Id) -> BoxFuture<'_, Result<Option<AuthorizationRow>>> {
        self.read(self.inner.authorization(id))
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
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<bool>> {
        if self.hang_replace.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        if due(&self.fail_replace) {
            return Box::pin(async { Err(full()) });
        }
        self.inner.replace_tokens(id, expected, tokens, at, notes)
    }

    fn record_failure<'a>(
        &'a self,
        failure: FailedRefresh<'a>,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.inner.record_failure(failure, notes)
    }

    fn exhaust<'a>(
        &'a self,
        id: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.inner.exhaust(id, generation, reason, at, notes)
    }

    fn touch<'a>(&'a self, ids: &'a [Id], at: i64) -> BoxFuture<'a, Result<()>> {
        if due(&self.fail_touch) {
            return Box::pin(async { Err(full()) });
        }
        self.inner.touch(ids, at)
    }
}

impl WorkStore for FlakyStore {
    fn claim_due<'a>(&'a self, claim: DueClaim<'a>) -> BoxFuture<'a, Result<Vec<Due>>> {
        Box::pin(async move {
            if due(&self.held) {
                return Ok(Vec::new());
            }
            let rows = self.inner.claim_due(claim).await?;
            if let Some((clock, each)) = &self.slow_claims {
                clock.advance(*each * u32::try_from(rows.len()).unwrap());
            }
            Ok(rows)
        })
    }

    fn begin<'a>(
        &'a self,
        owner: &'a str,
        intents: &'a [Intent],
        now: i64,
        until: i64,
    ) -> BoxFuture<'a, Result<Vec<Id>>> {
        self.inner.begin(owner, intents, now, until)
    }

    fn plan<'a>(
        &'a self,
        owner: &'a str,
        plans: &'a [Planned],
        notes: &'a Notes,
    ) -> BoxFuture<'a, Result<()>> {
        self.inner.plan(owner, plans, notes)
    }

    fn next_due(&self, now: i64) -> BoxFuture<'_, Result<Option<i64>>> {
        self.inner.next_due(now)
    }

    fn pull_forward(&self, now: i64, horizon: i64) -> BoxFuture<'_, Result<u64>> {
        self.inner.pull_forward(now, horizon)
    }
}

impl EventStore for FlakyStore {
    fn claim_events<'a>(
        &'a self,
        sink: Sink,
        since: i64,
        claim: DueClaim<'a>,
    ) -> BoxFuture<'a, Result<Vec<DueEvent>>> {
        self.inner.claim_events(sink, since, claim)
    }

    fn event_taken(&self, id: Id, sink: Sink) -> BoxFuture<'_, Result<()>> {
        if due(&self.fail_taken) {
            return Box::pin(async { Err(full()) });
        }
        self.inner.event_taken(id, sink)
    }

    fn event_failed(&self, id: Id, sink: Sink, fence: i64, next_try: i64) -> BoxFuture<'_, Result<()>> {
        self.inner.event_failed(id, sink, fence, next_try)
    }

    fn note<'a>(&'a self, notes: &'a Notes) -> BoxFuture<'a, Result<()>> {
        self.key_call(self.inner.note(notes))
    }

    fn audit(&self, query: AuditQuery) -> BoxFuture<'_, Result<Vec<AuditRow>>> {
        self.inner.audit(query)
    }

    fn has_audit(&self, from: i64, to: i64) -> BoxFuture<'_, Result<bool>> {
        self.inner.has_audit(from, to)
    }

    fn forget_notes(&self, before: i64) -> BoxFuture<'_, Result<u64>> {
        self.inner.forget_notes(before)
    }
}

impl LoginStore for FlakyStore {
    fn add_login<'a>(&'a self, login: &'a PendingLogin, forget_before: i64) -> BoxFuture<'a, Result<()>> {
        self.inner.add_login(login, forget_before)
    }

    fn login<'a>(&'a self, state_hash: &'a [u8]) -> BoxFuture<'a, Result<Option<PendingLogin>>> {
        self.inner.login(state_hash)
    }

    fn login_used<'a>(&'a self, state_hash: &'a [u8], at: i64) -> BoxFuture<'a, Result<()>> {
        self.inner.login_used(state_hash, at)
    }
}

impl Store for FlakyStore {
    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.inner.check()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
