//! Which rows of a table become which apps, authorizations and accounts.

use std::collections::{HashMap, HashSet};

use sesame_catalog::Platform;
use sesame_core::Result;

use super::{
    ImportOptions, Imported, Importer,
    apps::ImportedApps,
    dedup_by_token::{PairDigest, TokenIndex, cannot_share},
    row::{Candidate, Tokens},
    table::{Columns, Field, Table},
};
use crate::{
    accounts::{
        Step, Walk,
        app::{AppKey, app_key_of},
    },
    model::{
        Id,
        identity::{Identity, Match, leaf},
        name,
    },
    schedule,
    store::{AccountRow, AppRow, AuthorizationRow, FullRow, NewRows},
    vault::Services,
};

fn columns(table: &Table, platform: &Platform, options: &ImportOptions) -> Result<Columns> {
    table.columns(&options.mapping, platform.tokens.identity.id.iter().map(|path| leaf(path)))
}

/// Reads the accounts of the vault that have a name or an app key of the table, page by page.
pub(super) async fn relevant_accounts(
    services: &Services,
    table: &Table,
    platform: &Platform,
    options: &ImportOptions,
    chosen: Option<&(AppRow, bool)>,
) -> Result<Vec<FullRow>> {
    let columns = columns(table, platform, options)?;
    let all = |field| table.shops(&columns).filter_map(move |shop| shop.ok()?.get(field));
    let names: HashSet<&str> = all(Field::Account).collect();
    let mut keys: HashSet<&str> = all(Field::AppKey).collect();
    keys.extend(chosen.map(|(app, _)| app.app_key.as_str()));
    let is_relevant =
        |row: &FullRow| names.contains(row.account.name.as_str()) || keys.contains(row.app.app_key.as_str());
    let mut rows = Vec::new();
    let mut walk = Walk::begin(services.store.as_ref());
    while let Some(step) = walk.step().await? {
        match step {
            Step::Page(page) => rows.extend(page.into_iter().filter(is_relevant)),
            Step::Unreadable(id, error) => {
                tracing::warn!(account = %id, "an account cannot be read, and is passed over: {error}");
            }
        }
    }
    Ok(rows)
}

/// An authorization, standing or planned, and what it is known by.
struct Holder<'a> {
    app_id: Id,
    /// The name of its first account.
    name: String,
    identity: Identity,
    exhausted: Option<String>,
    /// Its accounts that the vault has.
    accounts: Vec<&'a FullRow>,
    /// Where it is in the plan, and its tokens, if it is new.
    planned: Option<(usize, Tokens)>,
}

/// Plans an import.
pub(super) struct Planner<'a> {
    importer: &'a Importer<'a>,
    platform: &'a Platform,
    options: &'a ImportOptions,
    by_name: HashMap<&'a str, &'a FullRow>,
    by_identity: HashMap<(AppKey<'a>, String), Vec<&'a FullRow>>,
    by_token: TokenIndex,
    holders: HashMap<Id, Holder<'a>>,
    apps: ImportedApps,
    plan: Plan,
}

/// What an import will do.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) rows: NewRows,
    pub(super) report: Imported,
    /// Accounts of the vault that get their first tokens: their names and generations, and what follows.
    pub(super) completions: Vec<(String, i64, AuthorizationRow)>,
    /// The accounts that share the authorization of another one.
    sharing: usize,
}

/// The country of a shop, where it is known.
type Country<'a> = Option<&'a str>;

impl<'a> Planner<'a> {
    pub(super) fn new(
        importer: &'a Importer<'a>,
        platform: &'a Platform,
        options: &'a ImportOptions,
        rows: &'a [FullRow],
        apps: ImportedApps,
    ) -> Self {
        let mut planner = Self {
            importer,
            platform,
            options,
            by_name: rows.iter().map(|row| (row.account.name.as_str(), row)).collect(),
            by_identity: HashMap::new(),
            by_token: TokenIndex::default(),
            holders: HashMap::new(),
            apps,
            plan: Plan::default(),
        };
        planner.plan.report.sandbox.clone_from(&importer.sandbox);
        for row in rows {
            let identity = Identity::parse(&row.authorization.tokens.identity);
            for mark in identity.marks() {
                planner.by_identity.entry((app_key_of(&row.app), mark)).or_default().push(row);
            }
            if row.app.platform != platform.name || row.app.sandbox.is_some() != importer.sandbox.is_some() {
                continue;
            }
            let id = row.authorization.id;
            let holder = planner.holders.entry(id).or_insert_with(|| {
                let pair = PairDigest::of_row(importer.sealer, &row.app.app_key, &row.authorization);
                planner.by_token.insert(&pair, id);
                Holder {
                    app_id: row.app.id,
                    name: row.account.name.clone(),
                    identity,
                    exhausted: row.authorization.exhausted.clone(),
                    accounts: Vec::new(),
                    planned: None,
                }
            });
            holder.accounts.push(row);
        }
        planner
    }

    pub(super) fn plan(mut self, table: &Table) -> Result<Plan> {
        let columns = columns(table, self.platform, self.options)?;
        let mut shops_of: HashMap<&str, usize> = HashMap::new();
        for key in table.shops(&columns).filter_map(|shop| shop.ok()?.get(Field::AppKey)) {
            *shops_of.entry(key).or_default() += 1;
        }
        let mut places: HashMap<&str, String> = HashMap::new();
        let mut ids: HashMap<(Country<'_>, &str), (&str, Option<Id>)> = HashMap::new();
        for shop in table.shops(&columns) {
            let shop = match shop {
                Ok(shop) => shop,
                Err(bad) => {
                    self.plan.report.skipped.push(bad);
                    continue;
                }
            };
            // Also of a name whose first row is a bad one.
            let first = shop.get(Field::Account).and_then(|name| places.insert(name, shop.place.clone()));
            let read = Candidate::read(&shop, self.platform, self.options, self.importer.now());
            let planned = read.and_then(|new| {
                name::check("account", new.name).map_err(|error| error.message().to_owned())?;
                if let Some(place) = first {
                    return Err(format!("account {:?} is in the table already ({place})", new.name));
                }
                let (name, key, shop_id) = (new.name, new.app_key, new.shop_id);
                let is_alone = key.is_some_and(|key| shops_of.get(key) == Some(&1));
                let uses = self.plan_shop(new, is_alone)?;
                let other = shop_id.and_then(|id| ids.insert((key, id), (name, uses)));
                if let Some((other, _)) = other.filter(|(_, used)| uses.is_none() || uses != *used) {
                    self.plan.report.notes.push(format!(
                        "accounts {other:?} and {name:?} are one shop of one app: a refresh of one may end the other's token"
                    ));
                }
                Ok(())
            });
            if let Err(why) = planned {
                self.plan.report.skipped.push((shop.place, why));
            }
        }
        self.sum_up();
        Ok(self.plan)
    }

    /// Plans one shop, and returns the authorization that it uses. `Err` says why it cannot be imported,
    /// and quotes no secret.
    fn plan_shop(&mut self, mut new: Candidate<'_>, is_alone: bool) -> Result<Option<Id>, String> {
        let app = self.apps.find(&new, self.importer, self.options, is_alone)?;
        new.region = new.region.take().or_else(|| app.row.region.clone());
        let (app_row, is_new_app) = (app.row.clone(), app.is_new);
        let pair = new.tokens.digest(&app_row.app_key);
        let held = self.by_token.find(&pair);
        let holder = held.and_then(|id| self.holders.get(&id));
        if let Some(row) = self.by_name.get(new.name).copied() {
            if holder.is_none() && self.plan_completion(&new, row, &app_row, &pair) {
                return Ok(Some(row.authorization.id));
            }
            self.check_is_that_account(row, &new, &app_row, held)?;
            return Ok(Some(self.leave_alone(&new, row)));
        }
        if let (Some(id), Some(holder)) = (held, holder) {
            let is_theirs =
                |row: &&&FullRow| new.shop_id.is_some() && row.account.shop_id.as_deref() == new.shop_id;
            let same = holder.accounts.iter().find(is_theirs);
            let made_up = holder.accounts.first().filter(|_| self.options.name_is_made_up);
            if let Some(row) = same.or(made_up).copied() {
                return Ok(Some(self.leave_alone(&new, row)));
            }
            if cannot_share(&holder.identity, &new.identity, self.platform) {
                return Err(format!(
                    "its refresh token is that of account {:?}, which is another shop: one of both has a wrong one",
                    holder.name
                ));
            }
            let app_id = holder.app_id;
            self.merge_into(id, &new, &app_row);
            self.plan.sharing += 1;
            self.plan_account(&new, app_id, id);
            return Ok(Some(id));
        }
        let twins =
            new.identity.marks().filter_map(|mark| self.by_identity.get(&(app_key_of(&app_row), mark)));
        let fields = &self.platform.tokens.identity;
        let is_same = |row: &&&FullRow| {
            Identity::parse(&row.authorization.tokens.identity).compare(&new.identity, fields) == Match::Same
        };
        let twin = twins.flatten().find(is_same).copied();
        if let Some(row) = twin {
            return Ok(Some(self.leave_alone(&new, row)));
        }
        if is_new_app {
            if let Ok(app) = self.apps.find(&new, self.importer, self.options, is_alone) {
                app.is_new = false;
            }
            self.plan.report.apps.push(app_row.name.clone());
            self.plan.rows.apps.push(app_row.clone());
        }
        let id = Id::new(self.importer.clock);
        let row = self.authorization(id, &app_row, &new, &new.tokens, &new.identity);
        self.hold(&pair, &row, &new, Some((self.plan.rows.authorizations.len(), new.tokens.clone())));
        self.plan.rows.authorizations.push(row);
        self.plan_account(&new, app_row.id, id);
        Ok(Some(id))
    }

    fn authorization(
        &self,
        id: Id,
        app: &AppRow,
        new: &Candidate<'_>,
        tokens: &Tokens,
        identity: &Identity,
    ) -> AuthorizationRow {
        self.importer.authorization(id, app, new.region.clone(), self.platform, tokens, identity)
    }

    fn leave_alone(&mut self, new: &Candidate<'_>, row: &FullRow) -> Id {
        self.plan.report.left_alone.push((new.name.to_owned(), row.account.name.clone()));
        row.authorization.id
    }

    fn hold(
        &mut self,
        pair: &PairDigest,
        row: &AuthorizationRow,
        new: &Candidate<'_>,
        planned: Option<(usize, Tokens)>,
    ) {
        self.by_token.insert(pair, row.id);
        let holder = Holder {
            app_id: row.app_id,
            name: new.name.to_owned(),
            identity: Identity::parse(&row.tokens.identity),
            exhausted: row.exhausted.clone(),
            accounts: Vec::new(),
            planned,
        };
        self.holders.insert(row.id, holder);
    }

    /// Adds what another row says of the tokens of a planned authorization.
    fn merge_into(&mut self, id: Id, new: &Candidate<'_>, app: &AppRow) {
        let Some(holder) = self.holders.get_mut(&id) else { return };
        let Some((at, tokens)) = holder.planned.take() else { return };
        if holder.identity == Identity::default() {
            holder.identity = new.identity.clone();
        }
        let identity = holder.identity.clone();
        let tokens = tokens.merge(new.tokens.clone());
        let region = self.plan.rows.authorizations[at].region.clone();
        let row = self.importer.authorization(id, app, region, self.platform, &tokens, &identity);
        self.by_token.insert(&tokens.digest(&app.app_key), id);
        if let Some(holder) = self.holders.get_mut(&id) {
            holder.exhausted.clone_from(&row.exhausted);
            holder.planned = Some((at, tokens));
        }
        self.plan.rows.authorizations[at] = row;
    }

    fn plan_account(&mut self, new: &Candidate<'_>, app_id: Id, authorization_id: Id) {
        self.plan.report.accounts.push(new.name.to_owned());
        self.plan.rows.accounts.push(AccountRow {
            id: Id::new(self.importer.clock),
            name: new.name.to_owned(),
            app_id,
            authorization_id,
            login: new.login.map(str::to_owned),
            shop_id: new.shop_id.map(str::to_owned),
            country: new.country.clone(),
            region: new.region.clone(),
            tags: Vec::new(),
            created_at: self.importer.now(),
        });
    }

    /// Plans tokens for a shop that an earlier import brought without any. `false` if it is not that, or
    /// if these tokens are of no use.
    fn plan_completion(
        &mut self,
        new: &Candidate<'_>,
        row: &FullRow,
        app: &AppRow,
        pair: &PairDigest,
    ) -> bool {
        let stands = &row.authorization;
        let has_tokens = stands.tokens.access.is_some() || stands.tokens.refresh.is_some();
        let theirs = Identity::parse(&stands.tokens.identity);
        if has_tokens
            || stands.last_success.is_some()
            || new.tokens.are_missing()
            || self.options.name_is_made_up
            || app_key_of(&row.app) != app_key_of(app)
            || theirs.compare(&new.identity, &self.platform.tokens.identity) == Match::Other
        {
            return false;
        }
        let identity = if new.identity == Identity::default() { &theirs } else { &new.identity };
        let after = self.authorization(stands.id, &row.app, new, &new.tokens, identity);
        if after.exhausted.is_some() {
            return false;
        }
        self.hold(pair, &after, new, None);
        self.plan.report.completed.push(new.name.to_owned());
        self.plan.completions.push((new.name.to_owned(), stands.generation, after));
        true
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
        match (&row.app.sandbox, &app.sandbox) {
            (None, Some(url)) => {
                return Err(format!(
                    "account {name:?} is a real shop in this vault, and these would be shops of a sandbox, the one at {url}"
                ));
            }
            (Some(url), None) => {
                return Err(format!(
                    "account {name:?} is a shop of a sandbox in this vault, and these would be real ones; it is of the one at {url}"
                ));
            }
            _ => {}
        }
        let is_same_app = app_key_of(&row.app) == app_key_of(app);
        // Whatever ids say: a cross-border seller has one for each country, and one pair of tokens.
        let has_them = held == Some(row.authorization.id);
        let has_id = new.shop_id.is_some() && row.account.shop_id.as_deref() == new.shop_id;
        if is_same_app && (has_them || has_id) {
            return Ok(());
        }
        let theirs = Identity::parse(&row.authorization.tokens.identity);
        let advice = match theirs.compare(&new.identity, &self.platform.tokens.identity) {
            Match::Same if is_same_app => return Ok(()),
            Match::Unknown if is_same_app => {
                // The table's name is all there is, and what came from the platform since is newer.
                let is_newer = row.authorization.last_success.is_some() && !self.options.name_is_made_up;
                if new.tokens.are_missing() || is_newer {
                    return Ok(());
                }
                if self.options.name_is_made_up {
                    "give another shop a name of its own, with --as NAME or ACCOUNT in the file"
                } else {
                    "give another shop another name; for the same one remove the account first, or log it in again"
                }
            }
            _ => {
                return Err(format!("account {name:?} is another shop in this vault, or one of another app"));
            }
        };
        Err(format!(
            "account {name:?} has other tokens in this vault, and nothing says whose these are: {advice}"
        ))
    }

    /// Says of all new accounts what people have to know, when it is known what they share.
    fn sum_up(&mut self) {
        let (mut untold, mut endless) = (0_usize, 0_usize);
        let planned = &self.plan.rows.authorizations;
        let new: HashMap<Id, &AuthorizationRow> = planned.iter().map(|row| (row.id, row)).collect();
        let report = &mut self.plan.report;
        for account in &self.plan.rows.accounts {
            let id = &account.authorization_id;
            let exhausted = self.holders.get(id).and_then(|holder| holder.exhausted.as_ref());
            if let Some(reason) = exhausted {
                report.needs_authorization.push((account.name.clone(), reason.clone()));
            } else if let Some(row) = new.get(id).filter(|row| schedule::ends_at(&row.tokens).is_none()) {
                *(if row.tokens.refresh.is_some() { &mut untold } else { &mut endless }) += 1;
            }
        }
        let mut note = |count: usize, one: &str, more: &str, rest: &str| match count {
            0 => {}
            1 => report.notes.push(format!("1 {one}{rest}")),
            _ => report.notes.push(format!("{count} {more}{rest}")),
        };
        note(
            untold,
            "shop has a refresh token without a known end",
            "shops have refresh tokens without a known end",
            ": `sesame keeper` refreshes them soon, or `sesame refresh ACCOUNT` does; most platforms tell the end then, and all do after a login",
        );
        note(
            endless,
            "shop has no refresh token and an access token without a known end",
            "shops have no refresh tokens and access tokens without a known end",
            ": it is used until the platform refuses it",
        );
        note(
            self.plan.sharing,
            "account has the same refresh token as another one",
            "accounts have the same refresh token as another one",
            " and shares its authorization: a second one would end the first",
        );
    }
}
