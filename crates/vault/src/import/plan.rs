//! Which rows of a table become which apps, authorizations and accounts.

use std::{collections::HashMap, time::Duration};

use sesame_catalog::Platform;

use super::{
    ImportOptions, Imported,
    apps::ImportedApps,
    dedup_by_token::{PairDigest, TokenIndex, cannot_share},
    row::{Candidate, Tokens},
    table::{Columns, Table},
};
use crate::{
    accounts::{
        app::{AppKey, app_key_of},
        authorization::{seal_access, seal_refresh},
    },
    model::{
        Id,
        identity::{Identity, Match},
        millis, name,
    },
    schedule::{self, WarmPolicy},
    store::{AccountRow, AppRow, AuthorizationRow, FullRow, NewRows},
    vault::Services,
};

/// Refreshes of tokens that ended long ago are spread over this time.
const SPREAD: Duration = Duration::from_mins(10);

/// One pair of tokens of the vault or of the table, and what it is known by.
struct Approval<'a> {
    app_id: Id,
    region: Option<String>,
    /// The name of its first account.
    name: String,
    identity: Identity,
    exhausted: Option<String>,
    /// Its accounts that the vault has.
    known: Vec<&'a FullRow>,
    /// Its tokens, if they come from the table.
    tokens: Option<Tokens>,
}

/// Plans an import.
pub(super) struct Planner<'a> {
    services: &'a Services,
    platform: &'a Platform,
    options: &'a ImportOptions,
    by_name: HashMap<&'a str, &'a FullRow>,
    by_identity: HashMap<(AppKey<'a>, String), Vec<&'a FullRow>>,
    by_token: TokenIndex,
    approvals: HashMap<Id, Approval<'a>>,
    apps: ImportedApps<'a>,
    /// The approvals whose tokens come from the table, in its order.
    imported: Vec<Id>,
    plan: Plan,
    now: i64,
}

/// What an import will do.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) rows: NewRows,
    pub(super) report: Imported,
    /// Accounts of the vault that get their first tokens: their names and generations, and what follows.
    pub(super) completions: Vec<(String, i64, AuthorizationRow)>,
}

impl<'a> Planner<'a> {
    /// `rows` are the accounts of the vault that the table may mean.
    pub(super) fn new(
        services: &'a Services,
        platform: &'a Platform,
        options: &'a ImportOptions,
        rows: &'a [FullRow],
        apps: ImportedApps<'a>,
    ) -> Self {
        let mut planner = Self {
            services,
            platform,
            options,
            by_name: rows.iter().map(|row| (row.account.name.as_str(), row)).collect(),
            by_identity: HashMap::new(),
            by_token: TokenIndex::default(),
            approvals: HashMap::new(),
            apps,
            imported: Vec::new(),
            plan: Plan::default(),
            now: services.now(),
        };
        planner.plan.report.sandbox = services.apps.sandbox();
        let is_sandbox = planner.plan.report.sandbox.is_some();
        for row in rows {
            let key = app_key_of(&row.app);
            let identity = Identity::parse(&row.authorization.tokens.identity);
            for mark in identity.marks() {
                planner.by_identity.entry((key, mark)).or_default().push(row);
            }
            if (key.0, key.2) != (&platform.name, is_sandbox) {
                continue;
            }
            let id = row.authorization.id;
            let approval = planner.approvals.entry(id).or_insert_with(|| {
                let sealer = services.keys.sealer();
                planner.by_token.insert(&PairDigest::of_row(sealer, key.1, &row.authorization), id);
                Approval {
                    app_id: row.app.id,
                    region: row.authorization.region.clone(),
                    name: row.account.name.clone(),
                    identity,
                    exhausted: row.authorization.exhausted.clone(),
                    known: Vec::new(),
                    tokens: None,
                }
            });
            approval.known.push(row);
        }
        planner
    }

    pub(super) fn plan(mut self, table: &Table, columns: &Columns) -> Plan {
        let mut shops_of: HashMap<&str, usize> = HashMap::new();
        for key in table.shops(columns).filter_map(|shop| shop.ok()?.get("app_key")) {
            *shops_of.entry(key).or_default() += 1;
        }
        let mut places: HashMap<&str, String> = HashMap::new();
        for shop in table.shops(columns) {
            let shop = match shop {
                Ok(shop) => shop,
                Err(bad) => {
                    self.plan.report.skipped.push(bad);
                    continue;
                }
            };
            // Also of a name whose first row is a bad one.
            let first = shop.get("account").and_then(|name| places.insert(name, shop.place.clone()));
            let planned = Candidate::read(&shop, self.platform, self.options, self.now).and_then(|new| {
                name::check("account", new.name).map_err(|error| error.message().to_owned())?;
                if let Some(place) = first {
                    return Err(format!("account {:?} is in the table already ({place})", new.name));
                }
                let is_alone = new.app_key.is_some_and(|key| shops_of.get(key) == Some(&1));
                self.plan_shop(new, is_alone)
            });
            if let Err(why) = planned {
                self.plan.report.skipped.push((shop.place, why));
            }
        }
        self.finish()
    }

    /// Plans one shop. `Err` says why it cannot be imported, and quotes no secret.
    fn plan_shop(&mut self, mut new: Candidate<'_>, is_alone: bool) -> Result<(), String> {
        let app = self.apps.find(&new, self.options, is_alone)?.clone();
        new.region = new.region.take().or_else(|| app.region.clone());
        let pair = new.tokens.digest(&app.app_key);
        let held = self.by_token.find(&pair);
        if let Some(row) = self.by_name.get(new.name).copied() {
            if held.is_none() && self.completes(&new, row, &app) {
                self.plan.report.completed.push(new.name.to_owned());
                let identity = Identity::parse(&row.authorization.tokens.identity);
                self.add_approval(row.authorization.id, &mut new, row.app.id, &pair, identity);
                return Ok(());
            }
            self.check_is_that_account(row, &new, &app, held)?;
            self.leave_alone(&new, row);
            return Ok(());
        }
        if let Some((id, approval)) = held.and_then(|id| Some((id, self.approvals.get_mut(&id)?))) {
            let is_theirs =
                |row: &&&FullRow| new.shop_id.is_some() && row.account.shop_id.as_deref() == new.shop_id;
            let same = approval.known.iter().find(is_theirs);
            let made_up = approval.known.first().filter(|_| self.options.name_is_made_up);
            if let Some(row) = same.or(made_up).copied() {
                self.leave_alone(&new, row);
                return Ok(());
            }
            if cannot_share(&approval.identity, &new.identity, self.platform) {
                return Err(format!(
                    "its refresh token is that of account {:?}, which is another shop: one of both has a wrong one",
                    approval.name
                ));
            }
            if let Some(tokens) = approval.tokens.take() {
                let tokens = tokens.merge(new.tokens.clone());
                self.by_token.insert(&tokens.digest(&app.app_key), id);
                approval.tokens = Some(tokens);
                if approval.identity == Identity::default() {
                    approval.identity = new.identity.clone();
                }
            }
            let app_id = approval.app_id;
            self.plan_account(&new, app_id, id);
            return Ok(());
        }
        let fields = &self.platform.tokens.identity;
        let marks = new.identity.marks();
        let twins = marks.filter_map(|mark| self.by_identity.get(&(app_key_of(&app), mark))).flatten();
        let is_same = |row: &&&FullRow| {
            Identity::parse(&row.authorization.tokens.identity).compare(&new.identity, fields) == Match::Same
        };
        if let Some(row) = { twins }.find(is_same).copied() {
            self.leave_alone(&new, row);
            return Ok(());
        }
        if self.apps.take_new(&app) {
            self.plan.report.apps.push(app.name.clone());
            self.plan.rows.apps.push(app.clone());
        }
        let id = Id::new(self.services.clock.as_ref());
        self.plan_account(&new, app.id, id);
        self.add_approval(id, &mut new, app.id, &pair, Identity::default());
        Ok(())
    }

    fn leave_alone(&mut self, new: &Candidate<'_>, row: &FullRow) {
        self.plan.report.left_alone.push((new.name.to_owned(), row.account.name.clone()));
    }

    /// Adds tokens of the table under an id. `known` is the identity where the row has none.
    fn add_approval(
        &mut self,
        id: Id,
        new: &mut Candidate<'_>,
        app_id: Id,
        pair: &PairDigest,
        known: Identity,
    ) {
        let identity = std::mem::take(&mut new.identity);
        let approval = Approval {
            app_id,
            region: new.region.clone(),
            name: new.name.to_owned(),
            identity: if identity == Identity::default() { known } else { identity },
            exhausted: None,
            known: Vec::new(),
            tokens: Some(std::mem::take(&mut new.tokens)),
        };
        self.by_token.insert(pair, id);
        self.approvals.insert(id, approval);
        self.imported.push(id);
    }

    fn plan_account(&mut self, new: &Candidate<'_>, app_id: Id, authorization_id: Id) {
        self.plan.report.accounts.push(new.name.to_owned());
        self.plan.rows.accounts.push(AccountRow {
            id: Id::new(self.services.clock.as_ref()),
            name: new.name.to_owned(),
            app_id,
            authorization_id,
            login: new.login.map(str::to_owned),
            shop_id: new.shop_id.map(str::to_owned),
            country: new.country.clone(),
            region: new.region.clone(),
            tags: Vec::new(),
            created_at: self.now,
        });
    }

    /// Returns `true` if these are the first tokens of a shop that an earlier import brought without any.
    fn completes(&self, new: &Candidate<'_>, row: &FullRow, app: &AppRow) -> bool {
        let stands = &row.authorization;
        let theirs = Identity::parse(&stands.tokens.identity);
        (&stands.tokens.access, &stands.tokens.refresh) == (&None, &None)
            && stands.last_success.is_none()
            && !new.tokens.are_missing()
            && new.tokens.why_exhausted(self.now).is_none()
            && !self.options.name_is_made_up
            && app_key_of(&row.app) == app_key_of(app)
            && theirs.compare(&new.identity, &self.platform.tokens.identity) != Match::Other
    }

    /// Makes sure that a row means the account of the vault that has its name.
    fn check_is_that_account(
        &self,
        row: &FullRow,
        new: &Candidate<'_>,
        app: &AppRow,
        held: Option<Id>,
    ) -> Result<(), String> {
        let name = &row.account.name;
        if row.app.sandbox.is_some() != app.sandbox.is_some() {
            let kind = |sandbox: &Option<String>| match sandbox {
                Some(url) => format!("a shop of the sandbox at {url}"),
                None => "a real shop".to_owned(),
            };
            let (ours, theirs) = (kind(&row.app.sandbox), kind(&app.sandbox));
            return Err(format!("account {name:?} is {ours} in this vault, and would be {theirs} here"));
        }
        let theirs = Identity::parse(&row.authorization.tokens.identity);
        let mut found = theirs.compare(&new.identity, &self.platform.tokens.identity);
        let has_id = new.shop_id.is_some() && row.account.shop_id.as_deref() == new.shop_id;
        // Whatever ids say: a cross-border seller has one for each country, and one pair of tokens.
        if has_id || held == Some(row.authorization.id) {
            found = Match::Same;
        }
        if app_key_of(&row.app) != app_key_of(app) || found == Match::Other {
            return Err(format!("account {name:?} is another shop in this vault, or one of another app"));
        }
        // The table's name is all there is, and what came from the platform since is newer.
        let is_newer = row.authorization.last_success.is_some() && !self.options.name_is_made_up;
        if found == Match::Same || new.tokens.are_missing() || is_newer {
            return Ok(());
        }
        let advice = if self.options.name_is_made_up {
            "give another shop a name of its own, with --as NAME or ACCOUNT in the file"
        } else {
            "give another shop another name; for the same one remove the account first, or log it in again"
        };
        Err(format!(
            "account {name:?} has other tokens in this vault, and nothing says whose these are: {advice}"
        ))
    }

    /// Makes the rows of the authorizations, now that all that the table says of them is known.
    fn finish(mut self) -> Plan {
        let mut plan = std::mem::take(&mut self.plan);
        for id in &self.imported {
            let Some(tokens) = self.approvals.get_mut(id).and_then(|approval| approval.tokens.take()) else {
                continue;
            };
            let row = self.authorization(*id, &tokens);
            if let Some(approval) = self.approvals.get_mut(id) {
                approval.exhausted.clone_from(&row.exhausted);
            }
            // One that the vault has gets its first tokens.
            match self.by_name.get(self.approvals[id].name.as_str()) {
                Some(known) => {
                    let name = known.account.name.clone();
                    plan.completions.push((name, known.authorization.generation, row));
                }
                None => plan.rows.authorizations.push(row),
            }
        }
        let new: HashMap<Id, &AuthorizationRow> =
            plan.rows.authorizations.iter().map(|row| (row.id, row)).collect();
        let (mut endless, mut without_refresh) = (0, 0);
        for account in &plan.rows.accounts {
            let id = &account.authorization_id;
            let exhausted = self.approvals.get(id).and_then(|approval| approval.exhausted.clone());
            if let Some(reason) = exhausted {
                plan.report.needs_authorization.push((account.name.clone(), reason));
            } else if let Some(row) = new.get(id).filter(|row| schedule::ends_at(&row.tokens).is_none()) {
                *(if row.tokens.refresh.is_some() { &mut endless } else { &mut without_refresh }) += 1;
            }
        }
        let sharing = plan.rows.accounts.len() - new.len();
        for (count, what) in [
            (
                endless,
                "a refresh token without a known end: `sesame keeper` refreshes it soon, or `sesame refresh ACCOUNT` does; most platforms tell the end then, and all do after a login",
            ),
            (
                without_refresh,
                "an access token without a known end and no refresh token: it is used until the platform refuses it",
            ),
            (
                sharing,
                "the refresh token of another account, and shares its authorization: a second one would end the first",
            ),
        ] {
            if count > 0 {
                let shops = if count == 1 { "1 shop has" } else { &format!("{count} shops each have") };
                plan.report.notes.push(format!("{shops} {what}"));
            }
        }
        plan
    }

    /// Makes the row of tokens of the table. What is due by now is spread over ten minutes.
    fn authorization(&self, id: Id, tokens: &Tokens) -> AuthorizationRow {
        let (approval, rules) = (&self.approvals[&id], &self.platform.tokens);
        let (sealer, clock, now) = (self.services.keys.sealer(), &self.services.clock, self.now);
        let mut row = AuthorizationRow::new(id, approval.app_id, approval.region.clone(), now);
        row.last_success = None;
        row.exhausted = tokens.why_exhausted(now).filter(|_| !self.options.tries_ended);
        row.last_error.clone_from(&row.exhausted);
        row.last_error_at = row.exhausted.as_ref().map(|_| now);
        row.tokens.access = tokens.access.as_ref().map(|token| seal_access(sealer, &id, token));
        row.tokens.refresh = tokens.refresh.as_ref().map(|token| seal_refresh(sealer, &id, token));
        row.tokens.issued_at = tokens.issued_at.unwrap_or(now);
        row.tokens.access_expires_at = tokens.access_ends;
        row.tokens.refresh_expires_at = tokens.refresh_ends;
        row.tokens.identity = approval.identity.to_json().into();
        let soon = now.saturating_add(millis(SPREAD.mul_f64(clock.jitter())));
        row.tokens.warm_at = match schedule::warm_at(rules, &row.tokens, clock.jitter()) {
            _ if schedule::has_unknown_ends(&row) => Some(soon),
            at => at.map(|at| if at <= now { soon } else { at }),
        };
        row.tokens.due_at = schedule::due_at(rules, &row, WarmPolicy::Always, now, clock.jitter());
        row
    }
}
