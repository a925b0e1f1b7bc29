//! `Vault::import_tables`: shops of another program's tables come into a vault, all or nothing.

mod apps;
mod options;
mod row;

use std::collections::{HashMap, HashSet};

use sesame_catalog::Platform;
use sesame_core::{Error, Result};
use sesame_tables::{Field, Joined, RawRow, Shop, join};

pub use self::options::TableOptions;
use self::{
    apps::Apps,
    row::{Place, Tokens, identity, is_nothing},
};
use crate::{
    Id, Imported, Vault,
    app::side_of,
    audit::Action,
    authorization::{seal_access, seal_refresh},
    export::{Known, some},
    identity::{Identity, Match},
    name,
    same_tokens::{Held, Mark, cannot_share},
    schedule,
    store::{AccountRow, AppRow, AuthorizationRow, FullRow, NewRows, Notes, TokenColumns},
    vault::{Inner, blank},
    warnings::News,
};

/// Refreshes of tokens that ended long ago are spread over this, in milliseconds.
const SPREAD: i64 = 600_000;

impl Vault {
    /// Takes over the shops of tables that another program kept; all or nothing. An app key becomes
    /// one app; one that the vault has already is used. Shops that the vault has are left alone and
    /// listed. Whose a shop is (its aliId) is kept, so that another shop's tokens never replace its own.
    ///
    /// One refresh token becomes one authorization, whose accounts all rows are that hold it; so does
    /// one that the vault has under another name.
    ///
    /// Shops whose refresh token is missing, or ended by the table's own word, come in, too, as ones
    /// that have to be authorized again. Where only its age speaks against it, the platform is asked.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when rows cannot be read: all are named
    /// by line and reason (the first 20 in the message), and nothing is stored unless
    /// [`skip_bad`](TableOptions::skip_bad); and for an unknown platform, region, app or column.
    pub async fn import_tables(&self, rows: &[RawRow], options: &TableOptions) -> Result<Imported> {
        let inner = &self.0;
        let imported = inner.import_tables(rows, options).await;
        if let Err(error) = imported.as_ref()
            && !options.dry_run
        {
            inner.note_failure(Action::Import, "vault", None, error).await;
        }
        imported
    }
}

impl Inner {
    async fn import_tables(&self, rows: &[RawRow], options: &TableOptions) -> Result<Imported> {
        let platform = self.platform(&options.platform)?;
        platform.urls(options.region.as_deref(), self.endpoint.as_ref())?;
        let joined = join(rows, &options.mapping)?;
        if joined.shops.is_empty() && joined.bad.is_empty() && joined.doubtful.is_empty() {
            return Err(nothing_usable(joined.empty));
        }
        // Another process may take a name that was free a moment ago.
        for _ in 0..4 {
            let mut plan = self.plan_tables(&joined, &platform, options).await?;
            if options.dry_run {
                return Ok(plan.report);
            }
            if !plan.report.skipped.is_empty() && !options.skip_bad {
                return Err(refused(&plan.report));
            }
            let accounts = plan.rows.accounts.iter();
            let line =
                |row: &AccountRow| self.line(Action::Import, &row.name, Some(row.authorization_id), None);
            let notes = Notes { audit: accounts.map(line).collect(), ..Notes::default() };
            if plan.rows == NewRows::default() || self.store.add(&plan.rows, &notes).await? {
                self.complete(&mut plan).await?;
                return Ok(std::mem::take(&mut plan.report));
            }
        }
        Err(Error::local("other programs keep adding apps and accounts of these names")
            .with_hint("Repeat the command. Nothing was imported."))
    }
}

impl Inner {
    /// Gives tokens to shops that an earlier import brought without any. Whoever logged one in meanwhile
    /// has newer ones: then the shop is left alone.
    async fn complete(&self, plan: &mut Plan) -> Result<()> {
        for (name, generation, after) in &plan.completions {
            let line = self.line(Action::Import, name, Some(after.id), None);
            let mut notes = Notes { audit: vec![line], ..Notes::default() };
            notes.events.extend(self.event_or_log(after, News::Recovered).await);
            let now = self.now();
            if !self.store.replace_tokens(after.id, *generation, &after.tokens, now, &notes).await? {
                plan.report.completed.retain(|completed| completed != name);
                plan.report.left_alone.push((name.clone(), name.clone()));
            }
        }
        Ok(())
    }

    /// Plans tokens for a shop that has none, because an earlier import found none for it. False where it
    /// is not that, or where these tokens are of no use.
    fn plan_completion(
        &self,
        new: &Candidate<'_>,
        row: &FullRow,
        platform: &Platform,
        plan: &mut Plan,
    ) -> Result<bool, String> {
        let stands = &row.authorization;
        let is_bare = stands.tokens.access.is_none()
            && stands.tokens.refresh.is_none()
            && stands.last_success.is_none();
        let theirs = Identity::parse(&stands.tokens.identity);
        let is_other = theirs.compare(&new.identity, &platform.tokens.identity) == Match::Other;
        if !is_bare || is_other || (new.tokens.access.is_none() && new.tokens.refresh.is_none()) {
            return Ok(false);
        }
        let name = &row.account.name;
        // Two authorizations with one refresh token would end each other's.
        let marks = new.tokens.marks(&row.app.app_key);
        let is_taken = |mark: &Mark| plan.groups.contains_key(mark) || plan.completing.contains_key(mark);
        if marks.all().any(|mark| is_taken(&mark)) {
            return Err(format!(
                "its tokens are those of another row, too, and account {name:?} stands without any: log it in instead"
            ));
        }
        let identity = if new.identity == Identity::default() { &theirs } else { &new.identity };
        let region = stands.region.clone();
        let after = self.planned_authorization(stands.id, &row.app, region, platform, &new.tokens, identity);
        if after.exhausted.is_some() {
            return Ok(false);
        }
        for mark in marks.all() {
            plan.completing.insert(mark, (stands.id, identity.clone(), name.clone()));
        }
        plan.report.completed.push(name.clone());
        plan.completions.push((name.clone(), stands.generation, after));
        Ok(true)
    }
}

fn nothing_usable(rows: usize) -> Error {
    let rows = if rows == 1 { "1 row names".to_owned() } else { format!("{rows} rows name") };
    Error::usage(format!(
        "there is nothing to take over: {rows} an account, with neither an app key nor a token"
    ))
    .with_hint(
        "Looked for are app_key, app_secret, access_token, refresh_token and the like. Say with --map FIELD=COLUMN,... how they are called there. Nothing was imported.",
    )
}

fn refused(report: &Imported) -> Error {
    let count = report.skipped.len();
    let rows: Vec<String> = report.skipped.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    let are = if count == 1 {
        "1 row cannot be taken over".to_owned()
    } else {
        format!("{count} rows cannot be taken over")
    };
    Error::usage(format!("{are}\n{}", some(&rows, "\n")))
        .with_hint("Mend them, or leave them out with --skip-bad. --dry-run shows what would be done. Nothing was imported.")
}

#[derive(Default)]
struct Plan {
    rows: NewRows,
    report: Imported,
    /// Where the new authorizations stand in `rows`, by the tokens that they have.
    groups: HashMap<Mark, usize>,
    /// The new authorizations, in their order: their tokens, and where the first account of each stands.
    tokens: Vec<(Tokens, usize)>,
    /// Accounts that share the authorization of another one.
    sharing: usize,
    /// Accounts of the vault that get their first tokens: their names and generations, and what follows.
    completions: Vec<(String, i64, AuthorizationRow)>,
    /// By their tokens: the authorization, whose it is, and the account's name.
    completing: HashMap<Mark, (Id, Identity, String)>,
}

impl Plan {
    fn note_once(&mut self, note: String) {
        if !self.report.notes.contains(&note) {
            self.report.notes.push(note);
        }
    }

    /// Says of all new accounts what people have to know, when it is known what they share.
    fn sum_up(&mut self) {
        let (mut lapsed, mut untold, mut endless) = (0_usize, 0_usize, 0_usize);
        let rows = self.rows.authorizations.iter().zip(&self.tokens);
        let by_id: HashMap<Id, _> = rows.map(|(row, (tokens, _))| (row.id, (row, tokens))).collect();
        for account in &self.rows.accounts {
            let Some((row, tokens)) = by_id.get(&account.authorization_id) else { continue };
            if let Some(reason) = &row.exhausted {
                self.report.needs_authorization.push((account.name.clone(), reason.clone()));
            } else if schedule::ends_at(&row.tokens).is_none() {
                let counted = match &row.tokens.refresh {
                    Some(_) if tokens.is_lapsed => &mut lapsed,
                    Some(_) => &mut untold,
                    None => &mut endless,
                };
                *counted += 1;
            }
        }
        let shops = |count: usize, one: &str, more: &str| match count {
            1 => format!("1 shop {one}"),
            count => format!("{count} shops {more}"),
        };
        let notes = &mut self.report.notes;
        if lapsed > 0 {
            notes.push(format!(
                "{} ended, going by its create time. Only the platform knows: `sesame keeper` asks it soon, or `sesame refresh ACCOUNT` does",
                shops(lapsed, "has a refresh token that should have", "have refresh tokens that should each have")
            ));
        }
        if untold > 0 {
            notes.push(format!(
                "{}: the table has no times of its refresh tokens. `sesame keeper` refreshes them soon, or `sesame refresh ACCOUNT` does; most platforms tell the end then, and all do after a login",
                shops(untold, "has no known end", "have no known end")
            ));
        }
        if endless > 0 {
            notes.push(format!(
                "{}, and no refresh token: the access tokens are used until the platform refuses them",
                shops(endless, "has no known end", "have no known end")
            ));
        }
        if self.sharing > 0 {
            let accounts = if self.sharing == 1 {
                "1 account has".to_owned()
            } else {
                format!("{} accounts have", self.sharing)
            };
            notes.push(format!(
                "{accounts} the same refresh token as another one, and shares its authorization: a second one would end the first"
            ));
        }
    }
}

/// The accounts that the vault has already.
struct Stands<'a> {
    known: Known<'a>,
    held: Held<'a>,
}

/// A shop of a table, as far as it is understood.
struct Candidate<'a> {
    shop: &'a Shop,
    tokens: Tokens,
    identity: Identity,
    shop_id: Option<&'a str>,
    place: Place,
}

impl Inner {
    async fn plan_tables(
        &self,
        joined: &Joined,
        platform: &Platform,
        options: &TableOptions,
    ) -> Result<Plan> {
        let rows = self.store.accounts().await?;
        let mut apps = self.apps_for(platform, options).await?;
        let mut shops_of: HashMap<&str, usize> = HashMap::new();
        for key in joined.shops.iter().filter_map(|shop| shop.get(Field::AppKey)) {
            *shops_of.entry(key).or_default() += 1;
        }
        // The tokens of other apps stay closed.
        let mut named: HashSet<&str> = shops_of.keys().copied().collect();
        let chosen = apps.seats.get("").map(|seat| seat.row.app_key.clone());
        named.extend(chosen.as_deref());
        let is_named = |row: &FullRow| {
            row.app.platform == platform.name
                && row.app.sandbox.is_some() == self.endpoint.is_some()
                && named.contains(row.app.app_key.as_str())
        };
        let stands = Stands { known: Known::of(&rows), held: self.held(&rows, is_named).await? };
        let mut plan = Plan::default();
        plan.report.skipped.clone_from(&joined.bad);
        // Without it the rows that cannot be read are what there is to say.
        if options.skip_bad {
            plan.report.skipped.extend(joined.doubtful.iter().cloned());
        }
        plan.report.sandbox = self.endpoint.as_ref().map(ToString::to_string);
        plan.report.columns =
            joined.columns.iter().map(|(field, from)| (field.to_string(), from.clone())).collect();
        if joined.empty > 0 {
            plan.report.notes.push(format!(
                "{} rows name an account and have neither an app key nor a token; they were left out",
                joined.empty
            ));
        }
        let mut ids: HashMap<String, (String, Option<Id>)> = HashMap::new();
        for shop in &joined.shops {
            let alone = shop.get(Field::AppKey).is_some_and(|key| shops_of.get(key) == Some(&1));
            if let Err(why) = self.plan_shop(shop, platform, options, &stands, &mut apps, alone, &mut plan) {
                plan.report.skipped.push((shop.place_and_name(), why));
                continue;
            }
            let Some(id) = shop.get(Field::Identity).filter(|id| !is_nothing(id)) else { continue };
            let planned = plan.rows.accounts.last().filter(|row| row.name == shop.name);
            let stood = || stands.known.names.get(shop.name.as_str()).map(|row| row.authorization.id);
            let uses = planned.map(|row| row.authorization_id).or_else(stood);
            let key = format!("{:?} {id}", shop.get(Field::AppKey));
            if let Some((other, others)) = ids.insert(key, (shop.name.clone(), uses))
                && (uses.is_none() || uses != others)
            {
                plan.report.notes.push(format!(
                    "accounts {other:?} and {:?} are one shop ({id}) of one app: a refresh of one may end the other's token",
                    shop.name
                ));
            }
        }
        plan.sum_up();
        // In the order of the file.
        plan.report.skipped.sort_by_key(|(place, _)| first_number(place));
        Ok(plan)
    }

    /// Plans one shop. `Err` says why it cannot be taken over, and quotes no secret.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the plan")]
    fn plan_shop(
        &self,
        shop: &Shop,
        platform: &Platform,
        options: &TableOptions,
        stands: &Stands<'_>,
        apps: &mut Apps,
        alone: bool,
        plan: &mut Plan,
    ) -> Result<(), String> {
        let said = |error: Error| error.message().to_owned();
        name::check("account", &shop.name).map_err(said)?;
        let tokens = Tokens::read(shop, platform, options, self.clock.now())?;
        let mut place = Place::read(shop, platform)?;
        let key = self.seat(shop, platform, options, apps, alone)?;
        let seat = apps.seats.get_mut(&key).ok_or("its app is unknown")?;
        place.region = place.region.or_else(|| options.region.clone()).or_else(|| seat.row.region.clone());
        let (identity, shop_id) = identity(shop, platform).unwrap_or_else(|column| {
            plan.note_once(format!(
                "column {column} was not used: {} does not tell shops apart by it, so whose they are becomes known with their first refresh or login",
                platform.title
            ));
            (Identity::default(), None)
        });
        let new = Candidate { shop, tokens, identity, shop_id, place };
        let wanted = new.tokens.marks(&seat.row.app_key).wanted();
        let holders = stands.held.accounts(wanted);
        if let Some(row) = stands.known.names.get(shop.name.as_str()) {
            // A name that was made up is no reason to give a shop these tokens.
            if side_of(&row.app) == side_of(&seat.row)
                && holders.is_empty()
                && !options.name_is_made_up
                && self.plan_completion(&new, row, platform, plan)?
            {
                return Ok(());
            }
            is_that_account(row, &new, &seat.row, holders, platform, options)?;
            plan.report.left_alone(&shop.name, &row.account.name);
            return Ok(());
        }
        if let Some(holder) = holders.first() {
            let is_theirs = |row: &&&FullRow| shop_id.is_some() && row.account.shop_id.as_deref() == shop_id;
            let named = holders.iter().find(is_theirs);
            if let Some(row) = named.or_else(|| options.name_is_made_up.then_some(holder)) {
                plan.report.left_alone(&shop.name, &row.account.name);
                return Ok(());
            }
            if cannot_share(&Identity::parse(&holder.authorization.tokens.identity), &new.identity, platform)
            {
                return Err(of_another(&holder.account.name));
            }
            if let Some(reason) = &holder.authorization.exhausted {
                plan.report.needs_authorization.push((shop.name.clone(), reason.clone()));
            }
            plan.sharing += 1;
            self.plan_account(new, holder.app.id, holder.authorization.id, plan);
            return Ok(());
        }
        if let Some((id, identity, name)) = wanted.and_then(|mark| plan.completing.get(&mark)) {
            if cannot_share(identity, &new.identity, platform) {
                return Err(of_another(name));
            }
            let id = *id;
            plan.sharing += 1;
            self.plan_account(new, seat.row.id, id, plan);
            return Ok(());
        }
        if let Some(row) = self.twin(&stands.known, &seat.row, &new.identity.to_json()) {
            plan.report.left_alone(&shop.name, &row.account.name);
            return Ok(());
        }
        let id = self.plan_authorization(&new, &seat.row, platform, plan)?;
        if seat.is_new {
            seat.is_new = false;
            plan.report.apps.push(seat.row.name.clone());
            plan.rows.apps.push(seat.row.clone());
        }
        self.plan_account(new, seat.row.id, id, plan);
        Ok(())
    }

    /// Plans the authorization of a shop, or finds the planned one that has its tokens.
    fn plan_authorization(
        &self,
        new: &Candidate<'_>,
        app: &AppRow,
        platform: &Platform,
        plan: &mut Plan,
    ) -> Result<Id, String> {
        let marks = new.tokens.marks(&app.app_key);
        let Some(at) = marks.wanted().and_then(|mark| plan.groups.get(&mark).copied()) else {
            let id = Id::new(self.clock.as_ref());
            for mark in marks.all() {
                plan.groups.entry(mark).or_insert(plan.tokens.len());
            }
            let region = new.place.region.clone();
            let row = self.planned_authorization(id, app, region, platform, &new.tokens, &new.identity);
            plan.rows.authorizations.push(row);
            plan.tokens.push((new.tokens.clone(), plan.rows.accounts.len()));
            return Ok(id);
        };
        let row = &plan.rows.authorizations[at];
        let (id, region) = (row.id, row.region.clone());
        let known = Identity::parse(&row.tokens.identity);
        if cannot_share(&known, &new.identity, platform) {
            let first = plan.rows.accounts.get(plan.tokens[at].1);
            return Err(of_another(first.map_or("", |account| &account.name)));
        }
        let identity = if known == Identity::default() { new.identity.clone() } else { known };
        let tokens = plan.tokens[at].0.clone().and(new.tokens.clone());
        for mark in tokens.marks(&app.app_key).all() {
            plan.groups.entry(mark).or_insert(at);
        }
        plan.rows.authorizations[at] =
            self.planned_authorization(id, app, region, platform, &tokens, &identity);
        plan.tokens[at].0 = tokens;
        plan.sharing += 1;
        Ok(id)
    }

    fn plan_account(&self, new: Candidate<'_>, app_id: Id, authorization_id: Id, plan: &mut Plan) {
        plan.report.accounts.push(new.shop.name.clone());
        plan.rows.accounts.push(AccountRow {
            id: Id::new(self.clock.as_ref()),
            name: new.shop.name.clone(),
            app_id,
            authorization_id,
            login: new.shop.get(Field::Login).map(str::to_owned),
            shop_id: new.shop_id.map(str::to_owned),
            country: new.place.country,
            region: new.place.region,
            tags: Vec::new(),
            created_at: self.now(),
        });
    }

    fn planned_authorization(
        &self,
        id: Id,
        app: &AppRow,
        region: Option<String>,
        platform: &Platform,
        tokens: &Tokens,
        identity: &Identity,
    ) -> AuthorizationRow {
        let now = self.now();
        let exhausted = tokens.why_exhausted(now);
        let mut row = AuthorizationRow {
            tokens: TokenColumns {
                access: tokens.access.as_ref().map(|token| seal_access(&self.sealer, &id, token)),
                refresh: tokens.refresh.as_ref().map(|token| seal_refresh(&self.sealer, &id, token)),
                issued_at: tokens.issued_at.unwrap_or(now),
                access_expires_at: tokens.access_ends,
                refresh_expires_at: tokens.refresh_ends,
                refresh_denied: false,
                identity: identity.to_json(),
                warm_at: None,
                due_at: None,
                announced: None,
            },
            last_success: None,
            last_error: exhausted.clone(),
            last_error_at: exhausted.as_ref().map(|_| now),
            exhausted,
            ..blank(id, app.id, region, now)
        };
        let chance = self.clock.jitter();
        // What is due by now would all be fetched in one minute.
        let soon = now.saturating_add(SPREAD.saturating_mul(chance_in_thousand(chance)) / 1_000);
        row.tokens.warm_at = if schedule::ends_untold(&row) {
            Some(soon)
        } else {
            let at = schedule::warm_at(&platform.tokens, &row.tokens, chance);
            at.map(|at| if at <= now { soon } else { at })
        };
        row.tokens.due_at = self.due_at(platform, &row);
        row
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 1000")]
fn chance_in_thousand(chance: f64) -> i64 {
    (chance.clamp(0.0, 1.0) * 1_000.0) as i64
}

fn first_number(place: &str) -> u64 {
    let digits = place.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(u64::MAX)
}

/// Makes sure that a row means the account of the vault that has its name.
fn is_that_account(
    row: &FullRow,
    new: &Candidate<'_>,
    app: &AppRow,
    holders: &[&FullRow],
    platform: &Platform,
    options: &TableOptions,
) -> Result<(), String> {
    let name = &row.account.name;
    let another = || format!("account {name:?} is another shop in this vault, or one of another app");
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
    if side_of(&row.app) != side_of(app) {
        return Err(another());
    }
    // Whatever ids say: a cross-border seller has one for each country, and one pair of tokens.
    let has_them = holders.iter().any(|holder| holder.authorization.id == row.authorization.id);
    if has_them || (new.shop_id.is_some() && row.account.shop_id.as_deref() == new.shop_id) {
        return Ok(());
    }
    let theirs = Identity::parse(&row.authorization.tokens.identity);
    match theirs.compare(&new.identity, &platform.tokens.identity) {
        Match::Same => Ok(()),
        Match::Other => Err(another()),
        Match::Unknown if new.tokens.access.is_none() && new.tokens.refresh.is_none() => Ok(()),
        // What differs may be another shop's, and would be nowhere.
        Match::Unknown if options.name_is_made_up => Err(format!(
            "account {name:?} has other tokens in this vault, and nothing says whose these are: give another shop a name of its own, with --as NAME or ACCOUNT in the file"
        )),
        // The table's name is all there is, and what came from the platform since is newer.
        Match::Unknown if row.authorization.last_success.is_some() => Ok(()),
        Match::Unknown => Err(format!(
            "account {name:?} has other tokens in this vault, and nothing says whose these are: give another shop another name; for the same one remove the account first, or log it in again"
        )),
    }
}

fn of_another(name: &str) -> String {
    format!(
        "its refresh token is that of account {name:?}, which is another shop: one of both has a wrong one"
    )
}
