//! One batch of claimed rows: what each of them needs, what goes back, what begins.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt::Display,
    sync::Arc,
};

use sesame_core::{AccessToken, Error, RefreshToken, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::{Keeper, Totals, limiter::Permit};
use crate::{
    accounts::{
        app::AppState,
        authorization::{Authorization, open_access, open_refresh},
    },
    events::{Action, News},
    fail_point::fail_point,
    model::{Id, millis},
    refresh::{Flight, Reservation},
    schedule::{self, HORIZON, Work},
    store::{AppRow, AuthorizationRow, Due, EventRow, FailedRefresh, Intent, Lease, Notes, Planned},
    vault::Services,
};

/// When a row is looked at again that could not be handled just now: the store or the disk is away,
/// or a refresh on demand is under way.
const SOON: i64 = 30_000;
/// When rows of another environment are looked at again.
const OTHER_ENVIRONMENT: i64 = 3_600_000;
/// No row is due again at once, whatever its times say.
const NOT_AT_ONCE: i64 = 1_000;

/// Rows that only wait for others of their app: how many, and the time of the last one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Throttled {
    pub(super) count: u64,
    pub(super) until: i64,
}

impl Throttled {
    pub(super) fn merge(&mut self, more: Self) {
        self.count += more.count;
        self.until = self.until.max(more.until);
    }
}

/// A row whose refresh token is about to be spent.
pub(super) struct Start {
    pub(super) due: Due,
    pub(super) authorization: Arc<Authorization>,
    pub(super) flight: Flight,
    pub(super) refresh: RefreshToken,
    /// The access token by which the refresh token is prolonged, if it is to be.
    pub(super) postpone: Option<AccessToken>,
    pub(super) permit: Permit,
}

/// A batch of rows under leases of this keeper.
pub(super) struct Batch<'a> {
    keeper: &'a Keeper,
    services: &'a Arc<Services>,
    stopping: &'a watch::Receiver<bool>,
    plans: Vec<Planned>,
    notes: Notes,
    starts: Vec<Start>,
    pub(super) totals: Totals,
    pub(super) throttled: Throttled,
}

/// What is known of an app.
enum AppStatus {
    Ready(Arc<AppState>),
    /// Of a sandbox while real platforms are called, or the other way.
    OtherEnvironment(Error),
    /// Sealed with a key that this process cannot get: the vault was rekeyed.
    Locked(Error),
    Broken(Error),
}

impl<'a> Batch<'a> {
    pub(super) fn new(keeper: &'a Keeper, stopping: &'a watch::Receiver<bool>) -> Self {
        Self {
            keeper,
            services: &keeper.vault.0,
            stopping,
            plans: Vec::new(),
            notes: Notes::default(),
            starts: Vec::new(),
            totals: Totals::default(),
            throttled: Throttled::default(),
        }
    }

    fn now(&self) -> i64 {
        self.services.clock.now().as_millisecond()
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Decides about each row.
    pub(super) async fn decide(&mut self, rows: Vec<Due>) -> Result<()> {
        let apps = self.apps_of(&rows).await?;
        let journaled = self.services.refresher.replay.journal.waiting()?;
        for due in rows {
            let row = &due.authorization;
            match apps.get(&row.app_id) {
                _ if self.is_stopping() => self.give_back(&due),
                Some(AppStatus::Ready(app)) => {
                    if journaled.as_ref().is_none_or(|ids| ids.contains(&row.id)) && self.replay(&due).await {
                        continue;
                    }
                    // A rekey whose new key is out of reach: nothing is wrong with the row.
                    match self.services.keys.ensure_tokens(row).await {
                        Ok(()) => self.work_on(due, app).await,
                        Err(error) => self.retry_soon(&due, error),
                    }
                }
                Some(AppStatus::OtherEnvironment(error)) => {
                    self.keeper.notify_once(row.app_id, error);
                    let later = self.spread(OTHER_ENVIRONMENT);
                    self.put_off(&due, later);
                }
                Some(AppStatus::Locked(error)) => self.retry_soon(&due, error),
                Some(AppStatus::Broken(error)) => self.record_broken(&due, error).await,
                None => self.record_broken(&due, &Error::local("its app is not in the vault")).await,
            }
        }
        Ok(())
    }

    /// Moves an answer that waits in the journal into the store: it is newer than the row. Returns `true`
    /// if that completes the row.
    async fn replay(&mut self, due: &Due) -> bool {
        let replayed = match self.services.refresher.replay.run(Some(&due.authorization.id)).await {
            // The lease went with it.
            Ok(replayed) if replayed.stored > 0 => return true,
            // What cannot be read may be newer than the row, whose token is then a spent one.
            Ok(replayed) => replayed.error().map_or(Ok(()), Err),
            Err(error) => Err(error),
        };
        replayed.is_err_and(|error| {
            self.retry_soon(due, format_args!("tokens still wait in the journal: {error}"));
            true
        })
    }

    async fn work_on(&mut self, due: Due, app: &Arc<AppState>) {
        let row = &due.authorization;
        let now = self.now();
        let warm = self.keeper.options.warm;
        match schedule::work(&app.platform.tokens, row, warm, now) {
            Work::Refresh | Work::Postpone => self.start(due, app, now).await,
            Work::Warn(days) => match self.services.events.event(row, News::Expiring(days)).await {
                Ok(event) => {
                    self.notes.events.push(event);
                    self.totals.announced += 1;
                    self.plan_announced(&due, app, days);
                }
                Err(error) => {
                    self.retry_soon(&due, format_args!("a warning cannot be written down: {error}"));
                }
            },
            Work::Confirm => self.plan_announced(&due, app, 0),
            Work::End => match self.services.refresher.exhaust(row, &due.label, &ended(row)).await {
                Ok(()) => {
                    self.totals.ended += 1;
                    self.plan(&due, None);
                }
                Err(error) => self.retry_soon(&due, format_args!("an end cannot be written down: {error}")),
            },
            Work::Nothing => {
                self.totals.deferred += 1;
                self.plan(&due, self.due_at(app, row));
            }
        }
    }

    /// Puts a row among those that begin, if its app's rate and the refreshes on demand allow.
    async fn start(&mut self, due: Due, app: &Arc<AppState>, now: i64) {
        let permit = match Permit::acquire(&self.keeper.limiter, &app.counted_by, now) {
            Ok(permit) => permit,
            Err(wait) => {
                if wait.is_throttled {
                    self.throttled.merge(Throttled { count: 1, until: wait.until });
                }
                return self.put_off(&due, wait.until);
            }
        };
        let (authorization, refresh, postpone) = match self.open(&due, app, now) {
            Ok(opened) => opened,
            Err(error) => return self.record_broken(&due, &error).await,
        };
        if let Ok((flight, _)) = Flight::begin(&authorization, &self.services.in_flight) {
            self.starts.push(Start { due, authorization, flight, refresh, postpone, permit });
        } else {
            // A refresh on demand is under way: let it be. It plans the row itself.
            let soon = self.spread(SOON);
            self.put_off(&due, soon);
        }
    }

    /// Opens what is going to be spent; with an access token if that is for a postponement.
    fn open(
        &self,
        due: &Due,
        app: &Arc<AppState>,
        now: i64,
    ) -> Result<(Arc<Authorization>, RefreshToken, Option<AccessToken>)> {
        let row = &due.authorization;
        let authorization = self.services.accounts.authorization(app, row, &due.label)?;
        let sealer = self.services.keys.sealer();
        let refresh =
            open_refresh(sealer, row)?.ok_or_else(|| Error::local("the platform gave no refresh token"))?;
        // A postponement takes a valid access token. After a failure it is not trusted, and a refresh
        // finds out first whether the refresh token still is what it was; it prolongs afterwards.
        let is_sound = row.attempts == 0
            && row.refreshing_since.is_none()
            && row.interrupted_since.is_none()
            && row.tokens.access_expires_at.is_none_or(|end| now.saturating_add(60_000) < end);
        let postpone = if is_sound && schedule::may_postpone(&app.platform.tokens, row, now) {
            // One that does not open prolongs nothing; a refresh brings another.
            open_access(sealer, row).unwrap_or_default()
        } else {
            None
        };
        Ok((authorization, refresh, postpone))
    }

    /// Records that a row cannot be used, and leaves it alone for a day. The others go on.
    async fn record_broken(&mut self, due: &Due, error: &Error) {
        let row = &due.authorization;
        let reason = error.to_string();
        tracing::warn!(account = due.label, "left alone for a day: {reason}");
        self.totals.failed += 1;
        let line =
            self.services.events.audit_row(Action::Refresh, &due.label, Some(row.id), Some(reason.clone()));
        let notes = Notes { audit: vec![line], ..Notes::default() };
        let lease = Lease { fence: due.fence, interrupted_since: None };
        let failure = FailedRefresh {
            due_at: Some(self.now().saturating_add(HORIZON)),
            ambiguous: row.refreshing_since.is_some(),
            blocked: Some(true),
            ..self.services.refresher.failed(row, lease, &reason)
        };
        if let Err(store) = self.services.store.record_failure(failure, &notes).await {
            tracing::warn!("a failure cannot be recorded: {store}");
        }
    }

    fn due_at(&self, app: &AppState, row: &AuthorizationRow) -> Option<i64> {
        let (rules, warm) = (&app.platform.tokens, self.keeper.options.warm);
        schedule::due_at(rules, row, warm, self.now(), self.services.clock.jitter())
    }

    fn plan(&mut self, due: &Due, due_at: Option<i64>) {
        let row = &due.authorization;
        let now = self.now();
        self.plans.push(Planned {
            id: row.id,
            fence: due.fence,
            due_at: due_at.map(|at| at.clamp(now.saturating_add(NOT_AT_ONCE), now.saturating_add(HORIZON))),
            announced: schedule::announced_so_far(row, now),
        });
    }

    /// Plans a row with a warning that was given.
    fn plan_announced(&mut self, due: &Due, app: &AppState, days: i64) {
        let mut due = due.clone();
        due.authorization.tokens.announced = Some(days);
        let due_at = self.due_at(app, &due.authorization);
        self.plan(&due, due_at);
    }

    fn put_off(&mut self, due: &Due, due_at: i64) {
        self.totals.deferred += 1;
        self.plan(due, Some(due_at));
    }

    fn give_back(&mut self, due: &Due) {
        let now = self.now();
        self.put_off(due, now);
    }

    fn retry_soon(&mut self, due: &Due, why: impl Display) {
        tracing::warn!(account = due.label, "{why}");
        let soon = self.spread(SOON);
        self.put_off(due, soon);
    }

    /// Returns the time after `wait` milliseconds or up to a quarter more, so that rows do not come
    /// together.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a part of an hour in milliseconds"
    )]
    fn spread(&self, wait: i64) -> i64 {
        let more = wait as f64 * self.services.clock.jitter() / 4.0;
        self.now().saturating_add(wait).saturating_add(more as i64)
    }

    /// Gives back what does not begin, reserves room for the answers of the rest, and writes its intents
    /// down in one write. Returns what may be carried out.
    pub(super) async fn begin(&mut self) -> Result<Vec<(Start, Reservation)>> {
        let starts = std::mem::take(&mut self.starts);
        let mut ready = Vec::with_capacity(starts.len());
        match self.services.refresher.replay.journal.reserve_many(starts.len()).await {
            Ok(_) if self.is_stopping() => starts.iter().for_each(|start| self.give_back(&start.due)),
            Ok(reserved) => ready.extend(starts.into_iter().zip(reserved)),
            // Without room for the reply no token is spent.
            Err(error) => {
                for start in &starts {
                    self.totals.failed += 1;
                    self.totals.deferred = self.totals.deferred.saturating_sub(1);
                    self.retry_soon(&start.due, format_args!("not refreshed: {error}"));
                }
            }
        }
        let store = &self.services.store;
        if !self.plans.is_empty() {
            let (plans, notes) = (std::mem::take(&mut self.plans), std::mem::take(&mut self.notes));
            let owner = &self.services.refresher.owner;
            match store.plan(owner, &plans, &notes).await {
                Err(error) if !error.is_retryable() => self.plan_one_by_one(&plans, &notes).await?,
                planned => planned?,
            }
        }
        if ready.is_empty() {
            return Ok(ready);
        }
        let intents: Vec<Intent> = ready.iter().map(|(start, _)| intent(start)).collect();
        fail_point!("before-intent");
        let now = self.now();
        let until = now.saturating_add(millis(self.services.refresher.endpoint.lease()));
        let begun = store.begin(&self.services.refresher.owner, &intents, now, until).await?;
        let begun: HashSet<Id> = begun.into_iter().collect();
        let claimed = ready.len();
        ready.retain(|(start, _)| begun.contains(&start.due.authorization.id));
        // The others' leases were lost: a refresh on demand took them, or time did.
        self.totals.deferred += (claimed - ready.len()) as u64;
        Ok(ready)
    }

    /// Writes plans each for itself, so that one that the store refuses for good holds up no others.
    async fn plan_one_by_one(&self, plans: &[Planned], notes: &Notes) -> Result<()> {
        let owner = &self.services.refresher.owner;
        for plan in plans {
            let own = |event: &&EventRow| event.authorization_id == plan.id;
            let events = notes.events.iter().filter(own).cloned().collect();
            let notes = Notes { events, ..Notes::default() };
            match self.services.store.plan(owner, std::slice::from_ref(plan), &notes).await {
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    tracing::warn!(authorization = %plan.id, "a plan cannot be written down: {error}");
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Returns the apps of the rows; those not known in this process are read together.
    async fn apps_of(&self, rows: &[Due]) -> Result<HashMap<Id, AppStatus>> {
        let mut apps = HashMap::new();
        let mut stored: Option<Vec<AppRow>> = None;
        for due in rows {
            let Entry::Vacant(entry) = apps.entry(due.authorization.app_id) else { continue };
            let known = self.services.apps.opened(entry.key()).filter(|app| !app.was_doubted());
            if let Some(app) = known {
                entry.insert(self.in_environment(app));
                continue;
            }
            let stored = match &mut stored {
                Some(stored) => stored,
                none => none.insert(self.services.store.apps().await?),
            };
            if let Some(row) = stored.iter().find(|row| row.id == *entry.key()) {
                entry.insert(self.open_app(row).await);
            }
        }
        Ok(apps)
    }

    async fn open_app(&self, row: &AppRow) -> AppStatus {
        // The new key of a rekey may be known to other keepers.
        if let Err(error) = self.services.keys.ensure_value(&row.secret).await {
            return AppStatus::Locked(error);
        }
        self.services.apps.state(row).map_or_else(AppStatus::Broken, |app| self.in_environment(app))
    }

    fn in_environment(&self, app: Arc<AppState>) -> AppStatus {
        match self.services.apps.ensure_environment("app", &app.name, app.sandbox.as_deref()) {
            Ok(()) => AppStatus::Ready(app),
            Err(error) => AppStatus::OtherEnvironment(error),
        }
    }
}

fn intent(start: &Start) -> Intent {
    let row = &start.due.authorization;
    Intent {
        id: row.id,
        fence: start.due.fence,
        generation: row.generation,
        spending: Sha256::digest(start.refresh.expose().as_bytes()).to_vec(),
    }
}

/// Returns the reason: which end has come.
fn ended(row: &AuthorizationRow) -> String {
    let end = schedule::ends_at(&row.tokens)
        .and_then(|end| jiff::Timestamp::from_millisecond(end).ok())
        .unwrap_or_default();
    format!("the access token, which cannot be refreshed, ended at {end}")
}
