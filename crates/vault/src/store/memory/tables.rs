//! The tables, as maps; each method is one transaction, under the store's one lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use sesame_core::{Error, Result};

use crate::{
    Id,
    store::{
        AccountRow, AppRow, AuditQuery, AuditRow, AuthorizationRow, Claim, Due, DueClaim, EventRow,
        FailedRefresh, FullRow, GivenUp, HOLDS_BACK, Intent, KeyChange, KeyRow, KeyState, Lease, NewRows,
        Notes, PendingLogin, Planned, Sealed, SealedPlace, Sink, TokenColumns,
    },
};

/// A lease that ends more than this after one taken now would is none.
const ABSURD: i64 = 3_600_000;
/// The most lines of the audit trail.
const LINES: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Tables {
    keys: Vec<KeyRow>,
    pub(super) apps: BTreeMap<Id, AppRow>,
    pub(super) authorizations: BTreeMap<Id, Kept>,
    pub(super) accounts: BTreeMap<Id, AccountRow>,
    pub(super) names: BTreeMap<String, Id>,
    /// Authorization and account.
    using: BTreeSet<(Id, Id)>,
    /// The index of shops: their ids, and which account.
    shops: BTreeSet<(String, Id)>,
    /// The index that keepers search: when, and which authorization.
    due: BTreeSet<(i64, Id)>,
    /// The index of those that were given up: when, and which authorization.
    exhausted: BTreeSet<(i64, Id)>,
    audit: BTreeMap<Id, AuditRow>,
    events: BTreeMap<Id, Waiting>,
    pub(super) logins: BTreeMap<Vec<u8>, PendingLogin>,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) row: AuthorizationRow,
    fence: i64,
    spending: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Waiting {
    row: EventRow,
    hook: Tries,
    webhook: Tries,
}

/// How one sink is doing with an event.
#[derive(Debug, Clone, Copy)]
struct Tries {
    next: i64,
    failed: i64,
}

impl Waiting {
    fn tries(&mut self, sink: Sink) -> &mut Tries {
        match sink {
            Sink::Hook => &mut self.hook,
            Sink::Webhook => &mut self.webhook,
        }
    }

    fn failed(&self, sink: Sink) -> i64 {
        match sink {
            Sink::Hook => self.hook.failed,
            Sink::Webhook => self.webhook.failed,
        }
    }

    fn next(&self, sink: Sink) -> Option<i64> {
        match sink {
            Sink::Hook => self.row.hook_at.is_none().then_some(self.hook.next),
            Sink::Webhook => self.row.webhook_at.is_none().then_some(self.webhook.next),
        }
    }
}

impl Kept {
    fn is_held(&self, now: i64) -> bool {
        self.row.lease_owner.is_some() && self.row.lease_until.is_some_and(|until| until > now)
    }

    fn is_absurd(&self, until: i64) -> bool {
        self.row.lease_until.is_some_and(|held| held > until.saturating_add(ABSURD))
    }

    fn is_ours(&self, owner: &str, fence: i64) -> bool {
        self.row.lease_owner.as_deref() == Some(owner) && self.fence == fence
    }

    fn lease(&mut self, owner: &str, until: i64) {
        self.row.lease_owner = Some(owner.to_owned());
        self.row.lease_until = Some(until);
        self.fence += 1;
    }

    fn release(&mut self) {
        self.row.lease_owner = None;
        self.row.lease_until = None;
    }

    fn intend(&mut self, now: i64, spending: &[u8]) {
        self.row.interrupted_since = self.row.interrupted_since.or(self.row.refreshing_since);
        self.row.refreshing_since = Some(now);
        self.spending = Some(spending.to_vec());
    }
}

fn page<T>(limit: u32) -> impl FnMut(&T) -> bool {
    let mut left = limit;
    move |_| {
        let more = left > 0;
        left = left.saturating_sub(1);
        more
    }
}

fn after(id: Option<Id>) -> (Bound<Id>, Bound<Id>) {
    (id.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

/// The place in the index, if it was given up.
fn mark_of(row: &AuthorizationRow) -> Option<(i64, Id)> {
    row.exhausted.as_ref().map(|_| (row.last_error_at.unwrap_or(i64::MIN), row.id))
}

impl Tables {
    pub(super) fn all_keys(&self) -> Vec<KeyRow> {
        let mut keys = self.keys.clone();
        let rank = |state| match state {
            KeyState::Active => 0,
            KeyState::Incoming => 1,
            KeyState::Retired => 2,
        };
        keys.sort_by_key(|key| (rank(key.state), std::cmp::Reverse(key.created_at)));
        keys
    }

    fn key_of(&self, state: KeyState) -> Option<&KeyRow> {
        self.keys.iter().find(|key| key.state == state)
    }

    pub(super) fn add_key(&mut self, row: &KeyRow, active: Option<&[u8]>) -> bool {
        let is_free =
            self.key_of(row.state).is_none() && self.keys.iter().all(|key| key.key_id != row.key_id);
        if !is_free || self.key_of(KeyState::Active).map(|key| key.key_id.as_slice()) != active {
            return false;
        }
        self.keys.push(row.clone());
        true
    }

    pub(super) fn wrap_key(&mut self, key_id: &[u8], wrapped: Option<&[u8]>) {
        for key in self.keys.iter_mut().filter(|key| key.key_id == key_id) {
            key.wrapped = wrapped.map(<[u8]>::to_vec);
        }
    }

    pub(super) fn activate_key(&mut self, change: KeyChange<'_>) -> bool {
        let is_incoming = self.key_of(KeyState::Incoming).is_some_and(|key| key.key_id == change.key_id);
        let is_former = self
            .key_of(KeyState::Active)
            .is_some_and(|key| key.key_id == change.former && key.wrapped.as_deref() == Some(change.wrapped));
        if !is_incoming || !is_former {
            return false;
        }
        for key in &mut self.keys {
            if key.key_id == change.key_id {
                key.state = KeyState::Active;
                key.wrapped = None;
            } else if key.state == KeyState::Active {
                key.state = KeyState::Retired;
            }
        }
        true
    }

    pub(super) fn retire_key(&mut self, key_id: &[u8]) -> bool {
        let mut keys = self.keys.iter_mut();
        let incoming = keys.find(|key| key.key_id == key_id && key.state == KeyState::Incoming);
        incoming.map(|key| key.state = KeyState::Retired).is_some()
    }

    pub(super) fn sealed_with(
        &self,
        key_id: &[u8],
        place: SealedPlace,
        from: Option<Id>,
        limit: u32,
    ) -> Vec<Sealed> {
        let of_authorization = |kept: &Kept| match place {
            SealedPlace::Access => kept.row.tokens.access.clone(),
            SealedPlace::Refresh | SealedPlace::AppSecret => kept.row.tokens.refresh.clone(),
        };
        let named = |bytes: &Vec<u8>| bytes.get(1..9) == Some(key_id);
        let sealed = |(id, bytes): (&Id, Vec<u8>)| Sealed { place, id: *id, bytes };
        if place == SealedPlace::AppSecret {
            let apps = self.apps.range(after(from)).map(|(id, app)| (id, app.secret.clone()));
            return apps.filter(|(_, bytes)| named(bytes)).take_while(page(limit)).map(sealed).collect();
        }
        let values = self
            .authorizations
            .range(after(from))
            .filter_map(|(id, kept)| Some((id, of_authorization(kept)?)));
        values.filter(|(_, bytes)| named(bytes)).take_while(page(limit)).map(sealed).collect()
    }

    pub(super) fn reseal(&mut self, changes: &[(Sealed, Vec<u8>)]) -> u64 {
        let mut replaced = 0;
        for (sealed, new) in changes {
            let place = match sealed.place {
                SealedPlace::AppSecret => self.apps.get_mut(&sealed.id).map(|app| &mut app.secret),
                SealedPlace::Access => {
                    self.authorizations.get_mut(&sealed.id).and_then(|kept| kept.row.tokens.access.as_mut())
                }
                SealedPlace::Refresh => {
                    self.authorizations.get_mut(&sealed.id).and_then(|kept| kept.row.tokens.refresh.as_mut())
                }
            };
            if let Some(place) = place.filter(|place| **place == sealed.bytes) {
                place.clone_from(new);
                replaced += 1;
            }
        }
        replaced
    }

    pub(super) fn replace_secret(
        &mut self,
        former: &Sealed,
        new: &[u8],
        origin: Option<&str>,
        notes: &Notes,
    ) -> bool {
        let Some(app) = self.apps.get_mut(&former.id).filter(|app| app.secret == former.bytes) else {
            return false;
        };
        app.secret = new.to_vec();
        app.secret_origin = origin.map(str::to_owned);
        self.note(notes);
        true
    }

    pub(super) fn all_apps(&self) -> Vec<AppRow> {
        let mut apps: Vec<AppRow> = self.apps.values().cloned().collect();
        apps.sort_by(|one, other| (one.created_at, &one.name).cmp(&(other.created_at, &other.name)));
        apps
    }

    /// Rows point to rows that are there.
    pub(super) fn check_app(&self, app: Id) -> Result<()> {
        if self.apps.contains_key(&app) {
            return Ok(());
        }
        Err(Error::local(format!("there is no app of the id {app} in the vault")))
    }

    pub(super) fn add(&mut self, rows: &NewRows, notes: &Notes) -> Result<bool> {
        let mut names = BTreeSet::new();
        names.extend(self.apps.values().map(|app| ("app", &app.name)));
        let app_taken = rows.apps.iter().any(|new| !names.insert(("app", &new.name)));
        let account_taken = rows
            .accounts
            .iter()
            .any(|new| !names.insert(("account", &new.name)) || self.names.contains_key(&new.name));
        if app_taken || account_taken {
            return Ok(false);
        }
        // An import adds 100,000 apps at once: none is looked for among all others.
        let new_apps: BTreeSet<Id> = rows.apps.iter().map(|row| row.id).collect();
        let new_authorizations: BTreeSet<Id> = rows.authorizations.iter().map(|row| row.id).collect();
        let owners = rows.authorizations.iter().map(|row| row.app_id);
        for app in owners.chain(rows.accounts.iter().map(|row| row.app_id)) {
            if !new_apps.contains(&app) {
                self.check_app(app)?;
            }
        }
        for used in rows.accounts.iter().map(|row| row.authorization_id) {
            if !self.authorizations.contains_key(&used) && !new_authorizations.contains(&used) {
                return Err(Error::local(format!("there is no authorization of the id {used} in the vault")));
            }
        }
        for row in &rows.apps {
            self.apps.insert(row.id, row.clone());
        }
        for row in &rows.authorizations {
            self.insert_authorization(row);
        }
        for row in &rows.accounts {
            self.names.insert(row.name.clone(), row.id);
            self.using.insert((row.authorization_id, row.id));
            self.shops.extend(row.shop_id.clone().map(|shop| (shop, row.id)));
            self.accounts.insert(row.id, row.clone());
        }
        self.note(notes);
        Ok(true)
    }

    fn insert_authorization(&mut self, row: &AuthorizationRow) {
        if let Some(due_at) = row.tokens.due_at {
            self.due.insert((due_at, row.id));
        }
        self.exhausted.extend(mark_of(row));
        let mut row = row.clone();
        // As a new row of a table: nobody holds it.
        (row.lease_owner, row.lease_until) = (None, None);
        self.authorizations.insert(row.id, Kept { row, fence: 0, spending: None });
    }

    pub(super) fn full(&self, account: Id) -> Option<FullRow> {
        let account = self.accounts.get(&account)?;
        Some(FullRow {
            app: self.apps.get(&account.app_id)?.clone(),
            authorization: self.authorizations.get(&account.authorization_id)?.row.clone(),
            account: account.clone(),
        })
    }

    pub(super) fn oldest_first(&self) -> Vec<FullRow> {
        let mut rows: Vec<FullRow> = self.accounts.keys().filter_map(|id| self.full(*id)).collect();
        rows.sort_by(|one, other| {
            let key = |row: &FullRow| (row.account.created_at, row.account.name.clone());
            key(one).cmp(&key(other))
        });
        rows
    }

    pub(super) fn accounts_using(&self, authorization: Id) -> Vec<FullRow> {
        let mut rows: Vec<FullRow> =
            self.users(authorization).filter_map(|account| self.full(account)).collect();
        rows.sort_by(|one, other| {
            (one.account.created_at, &one.account.name).cmp(&(other.account.created_at, &other.account.name))
        });
        rows
    }

    fn users(&self, authorization: Id) -> impl Iterator<Item = Id> {
        let first = (authorization, Id::FIRST);
        self.using
            .range(first..)
            .take_while(move |(used, _)| *used == authorization)
            .map(|(_, account)| *account)
    }

    pub(super) fn accounts_after(&self, from: Option<Id>, limit: u32) -> Vec<FullRow> {
        self.account_ids_after(from, limit).filter_map(|id| self.full(id)).collect()
    }

    pub(super) fn account_ids_after(&self, from: Option<Id>, limit: u32) -> impl Iterator<Item = Id> {
        self.accounts.range(after(from)).map(|(id, _)| *id).take_while(page(limit))
    }

    pub(super) fn update_account(
        &mut self,
        authorization: Option<&AuthorizationRow>,
        row: &AccountRow,
        notes: &Notes,
    ) -> Result<()> {
        let is_new = authorization.is_some_and(|new| new.id == row.authorization_id);
        if !is_new && !self.authorizations.contains_key(&row.authorization_id) {
            return Err(Error::local("an account's authorization is not in the vault"));
        }
        if let Some(authorization) = authorization {
            self.insert_authorization(authorization);
        }
        if let Some(account) = self.accounts.get_mut(&row.id) {
            let former = account.authorization_id;
            account.authorization_id = row.authorization_id;
            account.login.clone_from(&row.login);
            if let Some(shop) = std::mem::replace(&mut account.shop_id, row.shop_id.clone()) {
                self.shops.remove(&(shop, row.id));
            }
            self.shops.extend(row.shop_id.clone().map(|shop| (shop, row.id)));
            account.country.clone_from(&row.country);
            account.region.clone_from(&row.region);
            self.using.remove(&(former, row.id));
            self.using.insert((row.authorization_id, row.id));
            self.delete_unused(former);
        }
        self.note(notes);
        Ok(())
    }

    pub(super) fn accounts_of_shop(&self, app_key: &str, shop_id: &str, limit: u32) -> Vec<FullRow> {
        let of_shop = self.shops.range((shop_id.to_owned(), Id::FIRST)..);
        let rows = of_shop.take_while(|(shop, _)| shop == shop_id).filter_map(|(_, id)| self.full(*id));
        rows.filter(|row| row.app.app_key == app_key).take_while(page(limit)).collect()
    }

    pub(super) fn rename_account(&mut self, id: Id, name: &str) -> bool {
        if self.names.get(name).is_some_and(|owner| *owner != id) {
            return false;
        }
        if let Some(account) = self.accounts.get_mut(&id) {
            self.names.remove(&account.name);
            name.clone_into(&mut account.name);
            self.names.insert(name.to_owned(), id);
        }
        true
    }

    pub(super) fn remove_account(&mut self, id: Id, notes: &Notes) {
        if let Some(account) = self.accounts.remove(&id) {
            self.names.remove(&account.name);
            self.using.remove(&(account.authorization_id, id));
            if let Some(shop) = account.shop_id {
                self.shops.remove(&(shop, id));
            }
            self.delete_unused(account.authorization_id);
        }
        self.note(notes);
    }

    fn delete_unused(&mut self, authorization: Id) {
        if self.users(authorization).next().is_none() {
            self.set_due(authorization, None);
            self.change(authorization, |row| row.exhausted = None);
            self.authorizations.remove(&authorization);
        }
    }

    /// Keeps row and index together.
    fn set_due(&mut self, id: Id, due_at: Option<i64>) {
        let Some(kept) = self.authorizations.get_mut(&id) else { return };
        if let Some(former) = kept.row.tokens.due_at {
            self.due.remove(&(former, id));
        }
        kept.row.tokens.due_at = due_at;
        if let Some(due_at) = due_at {
            self.due.insert((due_at, id));
        }
    }

    /// Keeps row and index together, too.
    fn change(&mut self, id: Id, change: impl FnOnce(&mut AuthorizationRow)) {
        let Some(kept) = self.authorizations.get_mut(&id) else { return };
        if let Some(mark) = mark_of(&kept.row) {
            self.exhausted.remove(&mark);
        }
        change(&mut kept.row);
        self.exhausted.extend(mark_of(&kept.row));
    }

    pub(super) fn claim(&mut self, claim: &Claim<'_>) -> Option<Lease> {
        let kept = self.authorizations.get_mut(&claim.id)?;
        let holder = kept.row.lease_owner.as_deref();
        let is_free = !kept.is_held(claim.now)
            || holder == Some(claim.owner)
            || (claim.gone.is_some() && holder == claim.gone)
            || kept.is_absurd(claim.until);
        if kept.row.generation != claim.generation || !is_free {
            return None;
        }
        kept.lease(claim.owner, claim.until);
        kept.intend(claim.now, claim.spending);
        Some(Lease { fence: kept.fence, interrupted_since: kept.row.interrupted_since })
    }

    pub(super) fn replace_tokens(
        &mut self,
        id: Id,
        expected: i64,
        tokens: &TokenColumns,
        at: i64,
        notes: &Notes,
    ) -> Result<bool> {
        let Some(kept) = self.authorizations.get_mut(&id) else { return Ok(false) };
        let row = &mut kept.row;
        if row.generation != expected {
            return Ok(false);
        }
        if notes.audit.iter().any(|line| self.audit.contains_key(&line.id)) {
            return Err(Error::local("a line of the audit trail is there already"));
        }
        if row.tokens.refresh_expires_at != tokens.refresh_expires_at {
            row.postpone_after = None;
        }
        row.generation += 1;
        row.last_success = Some(at);
        (row.attempts, row.not_before, row.blocked) = (0, None, false);
        (row.refreshing_since, row.interrupted_since) = (None, None);
        let former = row.tokens.due_at;
        row.tokens = tokens.clone();
        row.tokens.due_at = former;
        kept.spending = None;
        kept.release();
        self.change(id, |row| (row.exhausted, row.last_error, row.last_error_at) = (None, None, None));
        self.set_due(id, tokens.due_at);
        self.note(notes);
        Ok(true)
    }

    pub(super) fn record_failure(&mut self, failure: &FailedRefresh<'_>, notes: &Notes) {
        let Some(kept) = self.authorizations.get_mut(&failure.id) else { return };
        if kept.row.generation != failure.generation || !kept.is_ours(failure.owner, failure.fence) {
            return;
        }
        let row = &mut kept.row;
        row.attempts += 1;
        row.not_before = failure.not_before.or(row.not_before);
        row.postpone_after = failure.postpone_after.or(row.postpone_after);
        row.blocked = failure.blocked.unwrap_or(row.blocked);
        row.tokens.refresh_denied |= failure.denied;
        if !failure.ambiguous {
            row.refreshing_since = None;
            kept.spending = None;
        }
        kept.release();
        self.change(failure.id, |row| {
            row.last_error = Some(failure.error.to_owned());
            row.last_error_at = Some(failure.at);
            row.exhausted = failure.exhausted.map(str::to_owned).or_else(|| row.exhausted.take());
        });
        self.set_due(failure.id, failure.due_at);
        self.note(notes);
    }

    pub(super) fn exhaust(&mut self, id: Id, generation: i64, reason: &str, at: i64, notes: &Notes) {
        let stands = |kept: &Kept| kept.row.generation == generation && kept.row.exhausted.is_none();
        if !self.authorizations.get(&id).is_some_and(stands) {
            return;
        }
        self.change(id, |row| {
            row.exhausted = Some(reason.to_owned());
            row.last_error = Some(reason.to_owned());
            row.last_error_at = Some(at);
        });
        self.set_due(id, None);
        self.note(notes);
    }

    pub(super) fn take_back(&mut self, marked_after: i64) -> u64 {
        let first = (marked_after.saturating_add(1), Id::FIRST);
        let ids: Vec<Id> = self.exhausted.range(first..).map(|(_, id)| *id).collect();
        for id in &ids {
            self.change(*id, |row| {
                (row.exhausted, row.last_error, row.last_error_at) = (None, None, None);
                (row.attempts, row.not_before, row.postpone_after) = (0, None, None);
                row.blocked = false;
            });
            self.set_due(*id, Some(0));
        }
        u64::try_from(ids.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn given_up(&self, limit: u32) -> GivenUp {
        let accounts = self.exhausted.iter().flat_map(|(_, id)| self.users(*id));
        let mut names: Vec<String> =
            accounts.filter_map(|account| Some(self.accounts.get(&account)?.name.clone())).collect();
        let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
        names.sort_unstable();
        names.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        GivenUp { names, count }
    }

    pub(super) fn touch(&mut self, ids: &[Id], at: i64) {
        for id in ids {
            let Some(kept) = self.authorizations.get_mut(id) else { continue };
            let row = &mut kept.row;
            row.last_used = Some(row.last_used.map_or(at, |used| used.max(at)));
            let (warm_at, due_at) = (row.tokens.warm_at, row.tokens.due_at);
            if let (None, Some(warm_at)) = (&row.exhausted, warm_at) {
                self.set_due(*id, Some(due_at.map_or(warm_at, |due_at| due_at.min(warm_at))));
            }
        }
    }

    pub(super) fn claim_due(&mut self, claim: &DueClaim<'_>) -> Vec<Due> {
        let free = |id: &Id| {
            let kept = self.authorizations.get(id);
            kept.is_some_and(|kept| !kept.is_held(claim.now) || kept.is_absurd(claim.until))
        };
        let ids: Vec<Id> = self
            .due
            .iter()
            .take_while(|(due_at, _)| *due_at <= claim.now)
            .map(|(_, id)| *id)
            .filter(free)
            .take_while(page(claim.limit))
            .collect();
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            let names = self.users(id).filter_map(|account| self.accounts.get(&account));
            let label = names.map(|account| account.name.as_str()).min().unwrap_or_default().to_owned();
            self.set_due(id, Some(claim.until));
            if let Some(kept) = self.authorizations.get_mut(&id) {
                kept.lease(claim.owner, claim.until);
                claimed.push(Due { authorization: kept.row.clone(), fence: kept.fence, label });
            }
        }
        claimed
    }

    pub(super) fn begin(&mut self, owner: &str, intents: &[Intent], now: i64, until: i64) -> Vec<Id> {
        let mut begun = Vec::with_capacity(intents.len());
        for intent in intents {
            let Some(kept) = self.authorizations.get_mut(&intent.id) else { continue };
            if kept.is_ours(owner, intent.fence) && kept.row.generation == intent.generation {
                kept.intend(now, &intent.spending);
                kept.row.lease_until = Some(until);
                self.set_due(intent.id, Some(until));
                begun.push(intent.id);
            }
        }
        begun
    }

    pub(super) fn plan(&mut self, owner: &str, plans: &[Planned], notes: &Notes) {
        let mut lost = BTreeSet::new();
        for plan in plans {
            match self.authorizations.get_mut(&plan.id) {
                Some(kept) if kept.is_ours(owner, plan.fence) => {
                    kept.release();
                    kept.row.tokens.announced = plan.announced;
                    self.set_due(plan.id, plan.due_at);
                }
                _ => {
                    lost.insert(plan.id);
                }
            }
        }
        if lost.is_empty() {
            return self.note(notes);
        }
        let mut notes = notes.clone();
        notes.events.retain(|event| !lost.contains(&event.authorization_id));
        self.note(&notes);
    }

    pub(super) fn next_due(&self, now: i64) -> Option<i64> {
        let is_free = |id: &Id| self.authorizations.get(id).is_some_and(|kept| !kept.is_held(now));
        self.due.iter().find(|(_, id)| is_free(id)).map(|(due_at, _)| *due_at)
    }

    pub(super) fn pull_forward(&mut self, now: i64, horizon: i64) -> u64 {
        let first = (now.saturating_add(horizon).saturating_add(1), Id::FIRST);
        let ids: Vec<Id> = self.due.range(first..).map(|(_, id)| *id).collect();
        for id in &ids {
            self.set_due(*id, Some(now));
        }
        ids.len() as u64
    }

    pub(super) fn keep_all_warm(&mut self) {
        let early: Vec<(Id, i64)> = self
            .authorizations
            .values()
            .map(|kept| &kept.row)
            .filter(|row| row.exhausted.is_none())
            .filter_map(|row| Some((row, row.tokens.warm_at?.max(row.not_before.unwrap_or(i64::MIN)))))
            .filter(|(row, from)| row.tokens.due_at.is_none_or(|due_at| due_at > *from))
            .map(|(row, from)| (row.id, from))
            .collect();
        for (id, from) in early {
            self.set_due(id, Some(from));
        }
    }

    pub(super) fn claim_events(
        &mut self,
        sink: Sink,
        since: i64,
        now: i64,
        until: i64,
        limit: u32,
    ) -> Vec<EventRow> {
        let mut waiting: Vec<&Waiting> = self
            .events
            .values()
            .filter(|waiting| waiting.row.at >= since && waiting.next(sink).is_some())
            .collect();
        waiting.sort_unstable_by_key(|waiting| (waiting.row.at, waiting.row.id));
        let mut held_back = BTreeSet::new();
        let mut wanted = Vec::new();
        for event in waiting {
            let authorization = event.row.authorization_id;
            if event.next(sink).is_some_and(|next| next <= now) && !held_back.contains(&authorization) {
                wanted.push(event.row.id);
            }
            if event.failed(sink) < HOLDS_BACK {
                held_back.insert(authorization);
            }
        }
        let mut claimed = Vec::new();
        for id in wanted.into_iter().take_while(page(limit)) {
            if let Some(waiting) = self.events.get_mut(&id) {
                let tries = waiting.tries(sink);
                tries.next = until;
                let attempts = tries.failed;
                claimed.push(EventRow { attempts, ..waiting.row.clone() });
            }
        }
        claimed
    }

    pub(super) fn event_taken(&mut self, id: Id, sink: Sink, at: i64) {
        if let Some(waiting) = self.events.get_mut(&id) {
            match sink {
                Sink::Hook => waiting.row.hook_at = Some(at),
                Sink::Webhook => waiting.row.webhook_at = Some(at),
            }
        }
    }

    pub(super) fn event_failed(&mut self, id: Id, sink: Sink, next_try: i64) {
        if let Some(waiting) = self.events.get_mut(&id) {
            let tries = waiting.tries(sink);
            *tries = Tries { next: next_try, failed: tries.failed + 1 };
        }
    }

    pub(super) fn note(&mut self, notes: &Notes) {
        for row in &notes.audit {
            if self.audit.len() >= LINES {
                self.audit.pop_first();
            }
            self.audit.insert(row.id, row.clone());
        }
        for row in &notes.events {
            let tries = Tries { next: row.at, failed: 0 };
            let waiting = Waiting { row: row.clone(), hook: tries, webhook: tries };
            self.events.insert(row.id, waiting);
        }
    }

    pub(super) fn read_audit(&self, query: &AuditQuery) -> Vec<AuditRow> {
        self.audit
            .values()
            .rev()
            .filter(|row| query.authorization.is_none() || row.authorization_id == query.authorization)
            .filter(|row| query.since.is_none_or(|since| row.at >= since))
            .take_while(page(query.limit))
            .cloned()
            .collect()
    }

    pub(super) fn forget_notes(&mut self, before: i64) -> u64 {
        let had = self.audit.len() + self.events.len();
        self.audit.retain(|_, row| row.at >= before);
        self.events.retain(|_, waiting| waiting.row.at >= before);
        u64::try_from(had - self.audit.len() - self.events.len()).unwrap_or(u64::MAX)
    }
}
