//! The life of one call, from top to bottom.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sesame_catalog::{Catalog, SandboxUrl};
use sesame_core::{
    Clock, Error, ErrorKind, Fault, HttpResponse, Result, Retry, Transport,
    envelope::{Reply, read_reply},
    mask::mask_url,
    redact::Redactor,
};
use sesame_vault::{AccountHandle, Token, Vault};

use crate::{
    attempt::{self, Caller, Encoded},
    contract::{Contract, Contracts},
    options::{Call, CallOptions, CallOutput},
    prepare::Prepared,
    quota::{self, Decision, Key, MemoryQuota, Names, QuotaStore, Reservation},
    retry::{Attempts, Budget, GiveUpReason, Next},
    skew::{self, Skews},
};

/// Calls platforms in the name of the accounts of a vault. Cheap to clone; clones share
/// connections, quotas and what was learned of clocks.
///
/// All three entry points take the same [`Call`]: [`Client::call`] makes it, [`Client::prepare`] stops
/// before it would be sent, [`Client::pages`] makes it page by page.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    quota: Arc<dyn QuotaStore>,
}

/// What all calls of a client share.
struct Shared {
    vault: Vault,
    catalog: Arc<Catalog>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    contracts: Contracts,
    budget: Budget,
    skews: Skews,
}

impl Client {
    /// Creates a client of the accounts of a vault, with the vault's catalog, transport and clock.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault) -> sesame_core::Result<()> {
    /// use sesame_client::{Call, Client};
    ///
    /// let client = Client::new(vault);
    /// let output = client.call(&Call::new("my-shop", "/orders/get").arg("limit", 10)).await?;
    /// println!("{}", output.reply.payload());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(vault: Vault) -> Self {
        let shared = Shared {
            catalog: Arc::clone(vault.catalog()),
            transport: Arc::clone(vault.transport()),
            clock: Arc::clone(vault.clock()),
            vault,
            contracts: Contracts::default(),
            budget: Budget::new(),
            skews: Skews::default(),
        };
        Self { shared: Arc::new(shared), quota: Arc::new(MemoryQuota::new()) }
    }

    /// Replaces the quota store, e.g. with one shared by several machines.
    #[must_use]
    pub fn with_quota(mut self, quota: Arc<dyn QuotaStore>) -> Self {
        self.quota = quota;
        self
    }

    /// Returns the vault whose accounts it calls for.
    pub fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    /// Returns the catalog of platforms and APIs.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.shared.catalog
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Makes one call and returns the platform's answer.
    ///
    /// Repeats what is safe to repeat, within the attempts and the time of the call's options: a
    /// refused rate after the wait the platform asks for, a failure of the platform or the network
    /// after a growing pause, a refused token once after a refresh, a refused time once with the
    /// clock corrected. A write that may have been carried out is never sent again.
    ///
    /// ```no_run
    /// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
    /// use sesame_client::Call;
    ///
    /// let output = client.call(&Call::new("my-shop", "/orders/get").arg("limit", 10)).await?;
    /// let reply: serde_json::Value = output.reply.parse()?;
    /// # let _ = reply; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] before anything is sent, for arguments that the documents rule out; the
    /// vault's errors; what the platform or the network said, classified. See [`Error`].
    pub async fn call(&self, call: &Call) -> Result<CallOutput> {
        let shared = &*self.shared;
        shared.budget.deposit();

        // 1 account: from the vault's snapshot
        let account = shared.vault.handle(&call.account).await?;

        // 2 contract: what the catalog says of the API
        let contract = shared.contracts.get(&shared.catalog, account.platform(), &call.api)?;

        // 3 encode: validate and flatten, once for all attempts
        let mut warnings = contract.check(call)?;
        let encoded = Encoded::new(&contract, &caller(&account), call)?;
        let safety = call.options.idempotency.unwrap_or(contract.api.safety);
        let names = &names(&account, &contract);
        let reservations = contract.documented.reservations(names);
        let key = account.key(contract.digest.digest);
        let mut now = shared.clock.now();
        let mut attempts = Attempts::new(&call.options, now);
        let mut refused_generation = None;
        let mut last_error = None;

        loop {
            // 4 quota: wait here, because signatures carry the time
            if let Err(late) = self.wait_for_quota(&reservations, &attempts, now).await {
                return Err(give_up(late, last_error, attempts.made));
            }

            // 5 token: lock-free while it is fresh
            let token = shared.token_within(&attempts, &account, &contract, refused_generation.take()).await;
            let Some(token) = token else {
                let late = nothing_sent("timed out waiting for an access token", &call.options);
                return Err(give_up(late, last_error, attempts.made));
            };
            let (token, no_token) = split(token, &contract)?;

            // 6 sign: with the time as the platform sees it
            let sent_at = shared.clock.now();
            let system = attempt::system(
                &contract,
                account.app_key(),
                token.as_ref().map(|token| token.access.expose()),
                shared.time_at(&encoded, sent_at),
            );
            let (mut request, signature) =
                attempt::signed(&contract, &encoded, &system, key, &*shared.clock)?;
            let left = attempts.left(sent_at);
            if left.is_zero() {
                let late = nothing_sent("the call timed out", &call.options);
                return Err(give_up(late, last_error, attempts.made));
            }
            request.timeout = call.options.attempt().min(left);
            request.max_reply = call.options.reply_limit();

            // 7 send
            // A gateway may quote the request in its refusal.
            let redactor = account
                .redactor()
                .with(signature.as_str())
                .with(token.as_ref().map_or("", |token| token.access.expose()));
            if tracing::enabled!(tracing::Level::TRACE) {
                tracing::trace!("request {}", request.described(&redactor));
            }
            attempts.made += 1;
            let sent = shared.transport.send(request).await;

            // 8 classify
            now = shared.clock.now();
            let took_ms = now.duration_since(sent_at).as_millis();
            let mut is_generated = false;
            let (read, date) = match sent {
                Ok(response) => {
                    if tracing::enabled!(tracing::Level::TRACE) {
                        tracing::trace!("reply {}", response.described(&redactor));
                    }
                    let read = read(&account, &contract, &response, &redactor, now);
                    let date = read.is_err().then(|| response.header("date").map(str::to_owned));
                    is_generated =
                        account.is_sandbox() && response.header("x-sandbox-source") == Some("generated");
                    (read, date.flatten())
                }
                Err(error) => (Err(error.redacted(&redactor)), None),
            };
            let error = match read {
                Ok(reply) => {
                    tracing::debug!(
                        account = account.name(),
                        api = contract.api.name,
                        attempt = attempts.made,
                        method = %encoded.method,
                        host = encoded.host(),
                        took_ms,
                        "answered"
                    );
                    shared.vault.secret_accepted(&account).await;
                    if is_generated {
                        warnings.push(format!(
                            "the sandbox has no data for {}: the values of this reply are made up",
                            contract.api.name
                        ));
                    }
                    return Ok(CallOutput { reply, warnings, attempts: attempts.made });
                }
                Err(error) => error,
            };
            tracing::debug!(account = account.name(), api = contract.api.name, attempt = attempts.made, method = %encoded.method, host = encoded.host(), took_ms, kind = %error.kind(), code = error.code(), "failed");

            // and again, if that is safe
            if error.kind() == ErrorKind::Quota {
                let key = Key { scope: quota::scope_of(&error), names };
                self.quota.refused(key, now, error.retry_after()).await?;
            }
            match attempts.next(&error, safety, &shared.budget, &*shared.clock) {
                Next::GiveUp(why) => return Err(why.tell(error, attempts.made)),
                Next::Refresh => match &token {
                    Some(token) => {
                        refused_generation = Some(token.generation);
                        last_error = Some(error);
                    }
                    // Without a token there is nothing to refresh: say why there was none.
                    None => return Err(no_token.unwrap_or(error)),
                },
                Next::SetClock => {
                    let left = attempts.left(now);
                    last_error = Some(error.clone());
                    warnings.push(shared.set_clock(&account, &encoded, date, error, left).await?);
                }
                Next::Wait(pause) => {
                    shared.clock.sleep(pause).await;
                    last_error = Some(error);
                }
            }
            now = shared.clock.now();
        }
    }

    /// Does everything but send: account, contract, encoding, token, signature.
    ///
    /// Counts against no quota, and refreshes the token if it has ended.
    ///
    /// ```no_run
    /// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
    /// use sesame_client::Call;
    ///
    /// let prepared = client.prepare(&Call::new("my-shop", "/orders/get")).await?;
    /// # let _ = prepared; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Client::call`], as far as it goes.
    pub async fn prepare(&self, call: &Call) -> Result<Prepared> {
        let shared = &*self.shared;
        let account = shared.vault.handle(&call.account).await?;
        let contract = shared.contracts.get(&shared.catalog, account.platform(), &call.api)?;
        let warnings = contract.check(call)?;
        let encoded = Encoded::new(&contract, &caller(&account), call)?;
        let (token, _) = split(shared.token(&account, &contract, None).await, &contract)?;
        let system = attempt::system(
            &contract,
            account.app_key(),
            token.as_ref().map(|token| token.access.expose()),
            shared.time_at(&encoded, shared.clock.now()),
        );
        let key = account.key(contract.digest.digest);
        let (mut request, _) = attempt::signed(&contract, &encoded, &system, key, &*shared.clock)?;
        request.timeout = call.options.attempt();
        request.max_reply = call.options.reply_limit();
        Ok(Prepared::new(&contract, &encoded, &system, key, request, warnings))
    }

    /// Checks the arguments of a call without sending it, and returns what the caller should know: those that
    /// the documents do not have, and values that go against them. [`CallOutput::warnings`] begins with the same.
    ///
    /// # Errors
    /// As [`Client::call`] before anything is sent.
    pub async fn check(&self, call: &Call) -> Result<Vec<String>> {
        self.contract(call).await?.check(call)
    }

    /// Returns the account's entry in the catalog for an API.
    pub(crate) async fn contract(&self, call: &Call) -> Result<Arc<Contract>> {
        let account = self.shared.vault.handle(&call.account).await?;
        self.shared.contracts.get(&self.shared.catalog, account.platform(), &call.api)
    }

    /// Waits until the call may be made.
    async fn wait_for_quota(
        &self,
        reservations: &[Reservation<'_>],
        attempts: &Attempts,
        mut now: Timestamp,
    ) -> Result<()> {
        let clock = &self.shared.clock;
        loop {
            let patience = attempts.left(now);
            match self.quota.take(reservations, now, patience).await? {
                Decision::Wait(Duration::ZERO) => return Ok(()),
                Decision::Wait(wait) => clock.sleep(wait).await,
                Decision::Exceeded(wait) => return Err(quota::too_long(wait, patience)),
            }
            // Somebody else may have been banned while we waited. Then all who waited take a new turn,
            // so that they do not come together when the ban ends; it is counted a second time, which
            // errs on the safe side.
            now = clock.now();
            if self.quota.ban_remaining(reservations, now).await?.is_zero() {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns the token for the next attempt; `None` for an API that takes none.
    async fn token(
        &self,
        account: &AccountHandle,
        contract: &Contract,
        refused: Option<i64>,
    ) -> Result<Option<Token>> {
        if contract.api.auth == Some(false) {
            return Ok(None);
        }
        let token = match refused {
            Some(generation) => self.vault.report_rejected(account, generation).await,
            None => self.vault.token_of(account).await,
        };
        token.map(Some)
    }

    /// The same, if it can be had in time. Whoever stops waiting does not stop a refresh: that runs
    /// in a task of its own.
    async fn token_within(
        &self,
        attempts: &Attempts,
        account: &AccountHandle,
        contract: &Contract,
        refused: Option<i64>,
    ) -> Option<Result<Option<Token>>> {
        // The common way, without a timer.
        if refused.is_none()
            && contract.api.auth != Some(false)
            && let Some(token) = account.fresh_token()
        {
            return Some(Ok(Some(token)));
        }
        // Real time, as in the transport: a virtual clock jumps when it is asked to sleep.
        let left = attempts.left(self.clock.now());
        let token = Box::pin(self.token(account, contract, refused));
        tokio::time::timeout(left, token).await.ok()
    }

    /// Returns the time as the platform sees it.
    fn time_at(&self, encoded: &Encoded<'_>, now: Timestamp) -> Timestamp {
        if self.skews.any() { self.skews.at(encoded.host(), now) } else { now }
    }

    /// Learns the platform's time after it refused ours; returns a warning.
    async fn set_clock(
        &self,
        account: &AccountHandle,
        encoded: &Encoded<'_>,
        date: Option<String>,
        refusal: Error,
        left: Duration,
    ) -> Result<String> {
        let told = date.as_deref().and_then(skew::read_time);
        let theirs = match told {
            Some(theirs) => theirs,
            None => match self.ask_time(account, left).await {
                Some(theirs) => theirs,
                None => return Err(skew::untold(refusal)),
            },
        };
        self.skews.learn(encoded.host(), theirs, self.clock.now(), account.is_sandbox(), refusal)
    }

    /// Asks the platform's time API, where it has one. One attempt, without a token.
    async fn ask_time(&self, account: &AccountHandle, left: Duration) -> Option<Timestamp> {
        let name = account.platform().clock.api.as_deref()?;
        let contract = self.contracts.get(&self.catalog, account.platform(), name).ok()?;
        let encoded = Encoded::new(&contract, &caller(account), &Call::new(account.name(), name)).ok()?;
        let system = attempt::system(&contract, account.app_key(), None, self.clock.now());
        let key = account.key(contract.digest.digest);
        let (mut request, _) = attempt::signed(&contract, &encoded, &system, key, &*self.clock).ok()?;
        request.timeout = Duration::from_secs(10).min(left);
        request.max_reply = 64 << 10;
        let response = self.transport.send(request).await.ok()?;
        let reply = read(account, &contract, &response, &account.redactor(), self.clock.now()).ok()?;
        skew::read_time(reply.payload())
    }
}

/// The error of a call that has no time left before it is sent.
fn nothing_sent(what: &str, options: &CallOptions) -> Error {
    let seconds = options.whole().as_secs_f64();
    Error::new(ErrorKind::Timeout, format!("{what}: the timeout is {seconds} s; nothing was sent"))
        .with_ambiguity(false)
        .with_hint("Try again, or allow more time with --timeout.")
}

/// What to say when the time is over before a request is sent: after a failed attempt that failure,
/// and that there was no time for another.
fn give_up(late: Error, earlier: Option<Error>, attempts: u32) -> Error {
    match earlier {
        Some(error) if matches!(late.kind(), ErrorKind::Quota | ErrorKind::Timeout) => {
            GiveUpReason::Time.tell(error, attempts)
        }
        _ => late,
    }
}

fn caller(account: &AccountHandle) -> Caller<'_> {
    Caller { app_key: account.app_key(), urls: account.urls() }
}

fn names<'a>(account: &'a AccountHandle, contract: &'a Contract) -> Names<'a> {
    Names {
        platform: &account.platform().name,
        app: account.app_key(),
        account: account.name(),
        api: &contract.api.name,
    }
}

/// Goes on without a token where the documents do not say that the API needs one; the vault's
/// reason is kept in case the platform says it does.
fn split(token: Result<Option<Token>>, contract: &Contract) -> Result<(Option<Token>, Option<Error>)> {
    match token {
        Ok(token) => Ok((token, None)),
        Err(error) if contract.api.auth.is_none() && error.kind() == ErrorKind::Authorization => {
            Ok((None, Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// Reads a reply: the payload, or what its refusal means.
fn read(
    account: &AccountHandle,
    contract: &Contract,
    response: &HttpResponse,
    redactor: &Redactor<'_>,
    now: Timestamp,
) -> Result<Reply> {
    if (300..400).contains(&response.status) {
        return Err(redirected(response, redactor));
    }
    read_reply(contract.api.shape, &account.platform().replies, response, redactor, now).map_err(|error| {
        // The documents of the API itself know its business errors best.
        let code = error.code().unwrap_or_default();
        let note = contract
            .api
            .errors
            .iter()
            .find(|note| note.code.eq_ignore_ascii_case(code) && !note.says.is_empty());
        let error = match note {
            Some(note) if error.kind() == ErrorKind::Business => {
                let says = format!("The documents of {} say: {}", contract.api.name, note.says);
                error.with_hint(says)
            }
            _ => account.advise(error),
        };
        if account.is_sandbox() {
            error.with_reference(SandboxUrl::reference(response, redactor))
        } else {
            error
        }
    })
}

/// A redirect, which is never followed: it would carry the token to whoever wrote it.
fn redirected(response: &HttpResponse, redactor: &Redactor<'_>) -> Error {
    let target = response.header("location").unwrap_or("nowhere");
    let target = redactor.text(&mask_url(target), 200);
    Error::new(ErrorKind::Envelope, format!("the gateway redirects (HTTP status {}) to {target}; redirects are not followed", response.status))
        .with_fault(Fault::Platform)
        .with_retry(Retry::Never)
        .with_http_status(response.status)
        .with_hint("A token is not carried to another address. Check the region and the host of the platform; a captive portal or a proxy may also be the sender.")
}
