//! One batch of claimed rows: what each of them needs, what goes back, what begins.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sesame_core::{AccessToken, Error, RefreshToken, Result};
use sha2::{Digest as _, Sha256};

use super::{
    Keeper, Totals,
    lanes::{Paced, Seat},
    shift::{BEGINNING, Start},
};
use crate::{
    Id,
    app::AppState,
    audit::Action,
    authorization::{Authorization, open_access, open_refresh},
    fail_point::fail_point,
    journal::Reserve,
    refresh::millis,
    schedule::{self, DAY, Work},
    store::{AppRow, AuthorizationRow, Due, FailedRefresh, Intent, Notes, Planned},
    vault::{Inner, lock},
    warnings::News,
};

/// When a row is looked at again that could not be handled just now: the store or the disk is away,
/// or a refresh on demand is under way.
const SOON: i64 = 30_000;
/// When rows of another endpoint are looked at again.
const FOREIGN: i64 = 3_600_000;
/// No row is due again at once, whatever its times say.
const NOT_AT_ONCE: i64 = 1_000;

/// A batch of rows under leases of this keeper.
pub(super) struct Batch<'a> {
    keeper: &'a Keeper,
    inner: &'a Arc<Inner>,
    /// What was due by then was claimed.
    due_by: i64,
    claimed_at: i64,
    /// How many rows.
    claimed: usize,
    stopping: &'a AtomicBool,
    plans: Vec<Planned>,
    notes: Notes,
    starts: Vec<Start>,
    /// What may be carried out: its intent stands.
    pub(super) begun: Vec<(Start, Reserve)>,
    /// Some of them went back and are still due.
    pub(super) again: bool,
    pub(super) totals: Totals,
    /// Those put off that only wait for others of their app.
    pub(super) paced: Paced,
}

/// What is known of an app.
enum AppNow {
    Ready(Arc<AppState>),
    /// Of a sandbox while real platforms are called, or the other way.
    Foreign(String),
    /// Sealed with a key that this process cannot get: the vault was rekeyed.
    Unknown(Error),
    Broken(Error),
}

impl<'a> Batch<'a> {
    pub(super) fn new(keeper: &'a Keeper, due_by: i64, claimed_at: i64, stopping: &'a AtomicBool) -> Self {
        Self {
            keeper,
            inner: &keeper.vault.0,
            due_by,
            claimed_at,
            claimed: 0,
            stopping,
            plans: Vec::new(),
            notes: Notes::default(),
            starts: Vec::new(),
            begun: Vec::new(),
            again: false,
            totals: Totals::default(),
            paced: Paced::default(),
        }
    }

    /// Decides about each row.
    pub(super) async fn sort(&mut self, rows: Vec<Due>) -> Result<()> {
        self.claimed = rows.len();
        let apps = self.apps_of(&rows).await?;
        let waiting = self.inner.journal.waiting()?;
        for due in rows {
            if self.stopping.load(Ordering::Relaxed) {
                self.plan(&due, Some(self.claimed_at));
                continue;
            }
            let row = &due.authorization;
            match apps.get(&row.app_id) {
                Some(AppNow::Ready(app)) => {
                    if waiting.contains(&row.id) && self.replay(&due).await {
                        continue;
                    }
                    // A rekey whose new key is out of reach: nothing is wrong with the row.
                    if let Err(error) = self.inner.know_keys(row).await {
                        tracing::warn!(account = due.label, "{error}");
                        let soon = self.spread(SOON);
                        self.put_off(&due, soon);
                        continue;
                    }
                    self.decide(due, app).await;
                }
                Some(AppNow::Foreign(why)) => {
                    self.keeper.tell_once(row.app_id, why);
                    let later = self.spread(FOREIGN);
                    self.put_off(&due, later);
                }
                Some(AppNow::Unknown(error)) => {
                    tracing::warn!(account = due.label, "{error}");
                    let soon = self.spread(SOON);
                    self.put_off(&due, soon);
                }
                Some(AppNow::Broken(error)) => self.trouble(&due, error).await,
                None => self.trouble(&due, &Error::local("its app is not in the vault")).await,
            }
        }
        Ok(())
    }

    /// Moves an answer that waits in the journal into the store: it is newer than the row. True when
    /// the row was dealt with by that.
    async fn replay(&mut self, due: &Due) -> bool {
        let id = due.authorization.id;
        let replayed = match self.inner.replay(Some(&id)).await {
            // The lease went with it.
            Ok(replayed) if replayed.stored > 0 => return true,
            // What cannot be read may be newer than the row, whose token is then a spent one.
            Ok(replayed) => replayed.trouble().map_or(Ok(()), Err),
            Err(error) => Err(error),
        };
        match replayed {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(account = due.label, "tokens still wait in the journal: {error}");
                let soon = self.spread(SOON);
                self.put_off(due, soon);
                true
            }
        }
    }

    async fn decide(&mut self, due: Due, app: &Arc<AppState>) {
        let row = &due.authorization;
        let (rules, now) = (&app.platform.tokens, self.inner.now());
        match schedule::work(rules, row, self.keeper.options.keep, now) {
            Work::Refresh | Work::Postpone => self.enter(due, app, now).await,
            Work::Announce(mark) => match self.inner.event(row, News::Expiring(mark)).await {
                Ok(event) => {
                    self.notes.events.push(event);
                    self.totals.announced += 1;
                    let told = announced(row, mark);
                    let due_at = self.inner.due_at(&app.platform, &told);
                    self.plans.push(Planned { announced: Some(mark), ..self.planned(&due, due_at) });
                }
                Err(error) => {
                    tracing::warn!(account = due.label, "a warning cannot be written down: {error}");
                    let soon = self.spread(SOON);
                    self.put_off(&due, soon);
                }
            },
            Work::End => {
                let reason = ended(row);
                match self.inner.give_up(row, &due.label, &reason).await {
                    Ok(()) => {
                        self.totals.ended += 1;
                        self.plans.push(Planned { due_at: None, ..self.planned(&due, None) });
                    }
                    Err(error) => {
                        tracing::warn!(account = due.label, "an end cannot be written down: {error}");
                        let soon = self.spread(SOON);
                        self.put_off(&due, soon);
                    }
                }
            }
            Work::Nothing => {
                let due_at = self.inner.due_at(&app.platform, row);
                self.totals.deferred += 1;
                self.plan(&due, due_at);
            }
        }
    }

    /// Puts a row among those that begin, if its app's pace and the refreshes on demand allow.
    async fn enter(&mut self, due: Due, app: &Arc<AppState>, now: i64) {
        let chance = self.inner.clock.jitter();
        let seat = match Seat::take(&self.keeper.lanes, &app.counted_by, now, chance) {
            Ok(seat) => seat,
            Err(wait) => {
                if wait.is_paced {
                    self.paced.add(wait.until);
                }
                self.put_off(&due, wait.until);
                return;
            }
        };
        let opened = self.open(&due, app, now);
        let (authorization, refresh, postpone) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.trouble(&due, &error).await;
                return;
            }
        };
        if let Ok((flight, _)) = self.inner.take_off(&authorization) {
            self.starts.push(Start { due, authorization, flight, refresh, postpone, seat });
        } else {
            // A refresh on demand is under way: let it be. It plans the row anew.
            let soon = self.spread(SOON);
            self.put_off(&due, soon);
        }
    }

    /// Opens what is going to be spent; with an access token where that is postponed.
    fn open(
        &self,
        due: &Due,
        app: &Arc<AppState>,
        now: i64,
    ) -> Result<(Arc<Authorization>, RefreshToken, Option<AccessToken>)> {
        let row = &due.authorization;
        let authorization = self.inner.authorization(app, row, &due.label)?;
        let sealer = &self.inner.sealer;
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

    /// Writes down that a row cannot be used, and leaves it alone for a day. The others go on.
    async fn trouble(&mut self, due: &Due, error: &Error) {
        let row = &due.authorization;
        let said = error.to_string();
        tracing::warn!(account = due.label, "left alone for a day: {said}");
        self.totals.failed += 1;
        let line = self.inner.line(Action::Refresh, &due.label, Some(row.id), Some(said.clone()));
        let notes = Notes { audit: vec![line], ..Notes::default() };
        let failure = FailedRefresh {
            id: row.id,
            generation: row.generation,
            owner: &self.inner.owner,
            fence: due.fence,
            at: self.inner.now(),
            error: &said,
            not_before: None,
            postpone_after: None,
            due_at: Some(self.spread(DAY)),
            exhausted: None,
            ambiguous: row.refreshing_since.is_some(),
            blocked: Some(true),
            denied: false,
        };
        if let Err(store) = self.inner.store.record_failure(failure, &notes).await {
            tracing::warn!("a failure cannot be written down: {store}");
        }
    }

    fn planned(&self, due: &Due, due_at: Option<i64>) -> Planned {
        let row = &due.authorization;
        Planned {
            id: row.id,
            fence: due.fence,
            due_at: due_at.map(|at| at.max(self.inner.now().saturating_add(NOT_AT_ONCE))),
            announced: row.tokens.announced,
        }
    }

    fn plan(&mut self, due: &Due, due_at: Option<i64>) {
        let planned = self.planned(due, due_at);
        self.plans.push(planned);
    }

    fn put_off(&mut self, due: &Due, due_at: i64) {
        self.totals.deferred += 1;
        self.plan(due, Some(due_at));
    }

    /// Returns the time in so many milliseconds, give or take, so that rows do not come together.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a part of a day in milliseconds"
    )]
    fn spread(&self, wait: i64) -> i64 {
        let more = wait as f64 * self.inner.clock.jitter() / 4.0;
        self.inner.now().saturating_add(wait).saturating_add(more as i64)
    }

    /// Gives back what is not begun, in one write.
    pub(super) async fn give_back(&mut self) -> Result<()> {
        if self.plans.is_empty() {
            return Ok(());
        }
        let plans = std::mem::take(&mut self.plans);
        let notes = std::mem::take(&mut self.notes);
        self.inner.store.plan(&self.inner.owner, &plans, &notes).await
    }

    /// Takes room for the answers and writes the intents down, all in one write.
    pub(super) async fn begin(&mut self) -> Result<()> {
        let starts = std::mem::take(&mut self.starts);
        if starts.is_empty() {
            return Ok(());
        }
        let ids: Vec<Id> = starts.iter().map(|start| start.due.authorization.id).collect();
        let mut ready = Vec::with_capacity(starts.len());
        for (start, reserve) in starts.into_iter().zip(self.inner.reserve_all(&ids).await) {
            match reserve {
                Ok(reserve) => ready.push((start, reserve)),
                // Nothing is spent for whose answer there is no room.
                Err(error) => {
                    tracing::warn!(account = start.due.label, "not refreshed: {error}");
                    self.totals.failed += 1;
                    let soon = self.spread(SOON);
                    self.plan(&start.due, Some(soon));
                }
            }
        }
        // So late that leases may end before the answers are stored: again in this round, fewer at once.
        if self.is_late(millis(BEGINNING) / 3) {
            for (start, _) in ready.drain(..) {
                if self.claimed > 1 {
                    let again = self.planned(&start.due, None);
                    self.plans.push(Planned { due_at: Some(self.due_by), ..again });
                    self.again = true;
                } else {
                    let soon = self.spread(SOON);
                    self.put_off(&start.due, soon);
                }
            }
        } else if self.stopping.load(Ordering::Relaxed) {
            for (start, _) in ready.drain(..) {
                self.put_off(&start.due, self.claimed_at);
            }
        }
        self.give_back().await?;
        if ready.is_empty() {
            return Ok(());
        }
        let intents: Vec<Intent> = ready
            .iter()
            .map(|(start, _)| Intent {
                id: start.due.authorization.id,
                fence: start.due.fence,
                generation: start.due.authorization.generation,
                spending: Sha256::digest(start.refresh.expose().as_bytes()).to_vec(),
            })
            .collect();
        fail_point!("before-intent");
        let begun = self.inner.store.begin(&self.inner.owner, &intents, self.inner.now()).await;
        let begun: HashSet<Id> = match begun {
            Ok(begun) if !self.is_late(millis(BEGINNING)) => begun.into_iter().collect(),
            Ok(_) => HashSet::new(),
            Err(error) => return Err(error),
        };
        for (start, reserve) in ready {
            if begun.contains(&start.due.authorization.id) {
                self.begun.push((start, reserve));
            } else {
                // The lease was lost: a refresh on demand took it, or time did.
                self.totals.deferred += 1;
            }
        }
        Ok(())
    }

    /// Tells whether more time has passed than there is, and sees to it that the next batch fits.
    fn is_late(&self, may_take: i64) -> bool {
        let now = self.inner.now();
        let took = now.saturating_sub(self.claimed_at);
        let mut portion = lock(&self.keeper.portion);
        let is_late = portion.learn(self.claimed, took, may_take);
        if is_late && portion.tells(now) {
            tracing::warn!(
                rows = self.claimed,
                seconds = took / 1_000,
                "refreshes begin so slowly that fewer are begun together: look at the disk and the vault's store"
            );
        }
        is_late
    }

    /// Returns the apps of the rows; those not known in this process are read together.
    async fn apps_of(&self, rows: &[Due]) -> Result<HashMap<Id, AppNow>> {
        let ids: HashSet<Id> = rows.iter().map(|due| due.authorization.app_id).collect();
        let mut apps = HashMap::with_capacity(ids.len());
        {
            let known = lock(&self.inner.apps);
            for id in &ids {
                if let Some(app) = known.get(id).filter(|app| !app.was_doubted()) {
                    apps.insert(*id, self.matching(app.clone()));
                }
            }
        }
        if apps.len() < ids.len() {
            let rows: HashMap<Id, AppRow> =
                self.inner.store.apps().await?.into_iter().map(|row| (row.id, row)).collect();
            for id in ids {
                let (false, Some(row)) = (apps.contains_key(&id), rows.get(&id)) else { continue };
                // As with accounts: the new key may be known to other keepers.
                if let Err(error) = self.inner.know_keys_of_app(row).await {
                    apps.insert(id, AppNow::Unknown(error));
                    continue;
                }
                let app = match self.inner.app_state(row) {
                    Ok(app) => self.matching(app),
                    Err(error) => AppNow::Broken(error),
                };
                apps.insert(id, app);
            }
        }
        Ok(apps)
    }

    fn matching(&self, app: Arc<AppState>) -> AppNow {
        match self.inner.check_crossing("app", &app.name, app.sandbox.as_deref()) {
            Ok(()) => AppNow::Ready(app),
            Err(error) => AppNow::Foreign(format!("{error}: the keeper leaves its accounts alone")),
        }
    }
}

/// The row after a warning was given.
fn announced(row: &AuthorizationRow, mark: i64) -> AuthorizationRow {
    let mut row = row.clone();
    row.tokens.announced = Some(mark);
    row
}

/// Says which end has come.
fn ended(row: &AuthorizationRow) -> String {
    let end = schedule::ends_at(&row.tokens)
        .and_then(|end| jiff::Timestamp::from_millisecond(end).ok())
        .unwrap_or_default();
    format!("the access token, which cannot be refreshed, ended at {end}")
}
