//! `Vault::import_tables`: shops of another program's tables come into a vault, all or nothing.

use std::{collections::HashMap, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use sesame_catalog::{OAuthStyle, Platform};
use sesame_core::{AccessToken, AppSecret, Error, RefreshToken, Result};
use sesame_tables::{
    Field, Joined, Mapping, RawRow, Shop, TIME_FORMS, is_no_time, join, names_an_id, normal, parse_time,
};

use crate::{
    Id, Imported, NewApp, Vault,
    app::{self, secret_slot},
    audit::Action,
    authorisation::{seal_access, seal_refresh},
    export::{Known, some},
    identity::{Identity, leaf},
    name::{self, Names},
    schedule,
    seal::open_text,
    store::{AccountRow, AppRow, AuthorisationRow, FullRow, NewRows, Notes, TokenColumns},
    vault::{Inner, blank},
};

/// param2 documents the life of its refresh tokens as "half a year". Programs that count count this.
const HALF_A_YEAR: Duration = Duration::from_hours(180 * 24);
/// Refreshes of tokens that ended long ago are spread over this, in milliseconds.
const SPREAD: i64 = 600_000;
/// The longest token.
const LONGEST_TOKEN: usize = 8 << 10;

/// How a table is read.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// The platform of its shops.
    pub platform: String,
    /// The region whose hosts are called; the platform's first when left out.
    pub region: Option<String>,
    /// The app of the vault that all its shops belong to, for tables without app keys.
    pub app: Option<String>,
    /// Which column is what, where the usual names do not say so.
    pub mapping: Mapping,
    /// The zone of times without one.
    pub time_zone: TimeZone,
    /// How long an access token lives from its create time; the platform's own rule when left out.
    pub access_life: Option<Duration>,
    /// How long a refresh token lives from its create time; the platform's own rule when left out,
    /// where param2's half a year counts as 180 days.
    pub refresh_life: Option<Duration>,
    /// Takes over what can be read, although some rows cannot.
    pub skip_bad: bool,
    /// Looks, and stores nothing.
    pub dry_run: bool,
    /// Where the secrets come from, for people: `file accounts.csv`.
    pub origin: Option<String>,
}

impl TableOptions {
    /// A table of a platform, with times of Shanghai.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the zone is not known to this machine.
    pub fn new(platform: impl Into<String>) -> Result<Self> {
        Ok(Self {
            platform: platform.into(),
            region: None,
            app: None,
            mapping: Mapping::default(),
            time_zone: TimeZone::get("Asia/Shanghai").map_err(|error| {
                Error::local(format!("the time zone Asia/Shanghai is not known: {error}"))
            })?,
            access_life: None,
            refresh_life: None,
            skip_bad: false,
            dry_run: false,
            origin: None,
        })
    }
}

impl Vault {
    /// Takes over the shops of tables that another program kept; all or nothing. An app key becomes
    /// one app; one that the vault has already is used. Shops that the vault has are left alone and
    /// listed. Whose a shop is (its aliId) is kept, so that another shop's tokens never replace its own.
    ///
    /// Shops whose refresh token is missing or has ended come in, too, as ones that have to be
    /// authorised again.
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
        if joined.shops.is_empty() && joined.bad.is_empty() {
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
                |row: &AccountRow| self.line(Action::Import, &row.name, Some(row.authorisation_id), None);
            let notes = Notes { audit: accounts.map(line).collect(), ..Notes::default() };
            if plan.rows == NewRows::default() || self.store.add(&plan.rows, &notes).await? {
                return Ok(std::mem::take(&mut plan.report));
            }
        }
        Err(Error::local("other programs keep adding apps and accounts of these names")
            .hint("Repeat the command. Nothing was imported."))
    }
}

fn nothing_usable(rows: usize) -> Error {
    let rows = if rows == 1 { "1 row names".to_owned() } else { format!("{rows} rows name") };
    Error::usage(format!(
        "there is nothing to take over: {rows} an account, with neither an app key nor a token"
    ))
    .hint(
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
        .hint("Mend them, or leave them out with --skip-bad. --dry-run shows what would be done. Nothing was imported.")
}

/// An app of the plan.
struct Seat {
    row: AppRow,
    secret: Option<AppSecret>,
    /// Not in the vault yet; added when a shop needs it.
    is_new: bool,
}

/// The apps that shops of a table may belong to.
struct Apps {
    /// By their keys.
    seats: HashMap<String, Seat>,
    /// The names of all apps, of other platforms and endpoints, too.
    names: Names,
}

struct Plan {
    rows: NewRows,
    report: Imported,
    /// Shops with a refresh token of which nobody knows the end.
    untold: usize,
    /// Those with an access token alone, and no known end of it.
    endless: usize,
}

impl Plan {
    fn note_once(&mut self, note: String) {
        if !self.report.notes.contains(&note) {
            self.report.notes.push(note);
        }
    }

    fn note_missing_ends(&mut self) {
        let no_end = |count: usize| match count {
            1 => "1 shop has no known end".to_owned(),
            count => format!("{count} shops have no known end"),
        };
        if self.untold > 0 {
            self.report.notes.push(format!(
                "{}: the table has no times of its refresh tokens. `sesame keeper` refreshes them soon, or `sesame refresh ACCOUNT` does; most platforms tell the end then, and all do after a login",
                no_end(self.untold)
            ));
        }
        if self.endless > 0 {
            self.report.notes.push(format!(
                "{}, and no refresh token: the access tokens are used until the platform refuses them",
                no_end(self.endless)
            ));
        }
    }
}

/// The times and tokens of a shop.
struct Tokens {
    access: Option<AccessToken>,
    refresh: Option<RefreshToken>,
    issued_at: Option<i64>,
    access_ends: Option<i64>,
    refresh_ends: Option<i64>,
}

impl Inner {
    async fn plan_tables(
        &self,
        joined: &Joined,
        platform: &Platform,
        options: &TableOptions,
    ) -> Result<Plan> {
        let stands = self.store.accounts().await?;
        let known = Known::of(&stands);
        let mut apps = self.apps_for(platform, options).await?;
        let mut shops_of: HashMap<&str, usize> = HashMap::new();
        for key in joined.shops.iter().filter_map(|shop| shop.get(Field::AppKey)) {
            *shops_of.entry(key).or_default() += 1;
        }
        let mut report = Imported { skipped: joined.bad.clone(), ..Imported::default() };
        if joined.empty > 0 {
            report.notes.push(format!(
                "{} rows name an account and have neither an app key nor a token; they were left out",
                joined.empty
            ));
        }
        let mut plan = Plan { rows: NewRows::default(), report, untold: 0, endless: 0 };
        let mut ids: HashMap<String, String> = HashMap::new();
        for shop in &joined.shops {
            let alone = shop.get(Field::AppKey).is_some_and(|key| shops_of.get(key) == Some(&1));
            if let Err(why) = self.plan_shop(shop, platform, options, &known, &mut apps, alone, &mut plan) {
                plan.report.skipped.push((shop.place.clone(), why));
                continue;
            }
            if let Some(id) = shop.get(Field::Identity).filter(|id| !is_nothing(id))
                && let Some(other) =
                    ids.insert(format!("{:?} {id}", shop.get(Field::AppKey)), shop.name.clone())
            {
                plan.report.notes.push(format!(
                    "accounts {other:?} and {:?} are one shop ({id}) of one app: a refresh of one may end the other's token",
                    shop.name
                ));
            }
        }
        plan.note_missing_ends();
        // In the order of the file.
        plan.report.skipped.sort_by_key(|(place, _)| first_number(place));
        Ok(plan)
    }

    async fn apps_for(&self, platform: &Platform, options: &TableOptions) -> Result<Apps> {
        let mut apps = Apps { seats: HashMap::new(), names: Names::default() };
        if let Some(name) = &options.app {
            let row = self.app_row(name).await?;
            self.check_crossing("app", &row.name, row.sandbox.as_deref())?;
            if row.platform != platform.name {
                return Err(Error::usage(format!(
                    "app {name:?} is one of {}, not of {}",
                    row.platform, platform.name
                ))
                .hint("Give the app's platform with --platform."));
            }
            apps.seats.insert(String::new(), Seat { row, secret: None, is_new: false });
        }
        for row in self.store.apps().await? {
            apps.names.add(&row.name);
            if row.platform == platform.name && row.sandbox.is_some() == self.endpoint.is_some() {
                self.know_keys_of_app(&row).await?;
                let secret =
                    open_text(&self.sealer, secret_slot(&row.id), &row.secret).ok().map(AppSecret::new);
                apps.seats.entry(row.app_key.clone()).or_insert(Seat { row, secret, is_new: false });
            }
        }
        Ok(apps)
    }

    /// Plans one shop. `Err` says why it cannot be taken over, and quotes no secret.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the plan")]
    fn plan_shop(
        &self,
        shop: &Shop,
        platform: &Platform,
        options: &TableOptions,
        known: &Known<'_>,
        apps: &mut Apps,
        alone: bool,
        plan: &mut Plan,
    ) -> Result<(), String> {
        let said = |error: Error| error.message().to_owned();
        name::check("account", &shop.name).map_err(said)?;
        let tokens = tokens(shop, platform, options, self.clock.now())?;
        let key = self.seat(shop, platform, options, apps, alone)?;
        let seat = apps.seats.get_mut(&key).ok_or("its app is unknown")?;
        let (identity, shop_id) = identity(shop, platform).unwrap_or_else(|column| {
            plan.note_once(format!(
                "column {column} was not used: {} does not tell shops apart by it, so whose they are becomes known with their first refresh or login",
                platform.title
            ));
            (Identity::default(), None)
        });
        if let Some(row) = known.names.get(shop.name.as_str()) {
            if is_same_app(row, &seat.row) && is_same_shop(row, &identity, platform) {
                plan.report.left_alone(&shop.name, &row.account.name);
                return Ok(());
            }
            return Err(format!(
                "account {:?} is another shop in this vault, or one of another app",
                shop.name
            ));
        }
        if let Some(row) = self.twin(known, &seat.row, &identity.to_json()) {
            plan.report.left_alone(&shop.name, &row.account.name);
            return Ok(());
        }
        if seat.is_new {
            seat.is_new = false;
            plan.report.apps.push(seat.row.name.clone());
            plan.rows.apps.push(seat.row.clone());
        }
        let id = Id::new(self.clock.as_ref());
        let authorisation = self.planned_authorisation(id, &seat.row, platform, &tokens, &identity);
        if authorisation.exhausted.is_none() && schedule::ends_at(&authorisation.tokens).is_none() {
            let can_refresh = authorisation.tokens.refresh.is_some();
            *(if can_refresh { &mut plan.untold } else { &mut plan.endless }) += 1;
        }
        if let Some(reason) = &authorisation.exhausted {
            plan.report.needs_authorisation.push((shop.name.clone(), reason.clone()));
        }
        plan.report.accounts.push(shop.name.clone());
        plan.rows.accounts.push(AccountRow {
            id: Id::new(self.clock.as_ref()),
            name: shop.name.clone(),
            app_id: seat.row.id,
            authorisation_id: id,
            login: shop.get(Field::Login).map(str::to_owned),
            shop_id: shop_id.map(str::to_owned),
            country: None,
            region: options.region.clone().or_else(|| seat.row.region.clone()),
            tags: Vec::new(),
            created_at: self.now(),
        });
        plan.rows.authorisations.push(authorisation);
        Ok(())
    }

    /// Finds or makes the app of a shop, and returns the key under which it is found.
    fn seat(
        &self,
        shop: &Shop,
        platform: &Platform,
        options: &TableOptions,
        apps: &mut Apps,
        alone: bool,
    ) -> Result<String, String> {
        if let Some(chosen) = &options.app {
            let seat = apps.seats.get("").ok_or("its app is unknown")?;
            // Its tokens would be refused with this app's key, and spent for nothing.
            return match shop.get(Field::AppKey) {
                Some(key) if key != seat.row.app_key => Err(format!(
                    "its app key is not that of app {chosen:?}: its tokens were given to another app"
                )),
                _ => Ok(String::new()),
            };
        }
        let (key, secret) = match (shop.get(Field::AppKey), shop.get(Field::AppSecret)) {
            (Some(key), Some(secret)) => (key, AppSecret::new(secret)),
            (Some(_), None) => return Err("there is an app key and no app secret for it".to_owned()),
            (None, _) => return Err("there is no app key for it".to_owned()),
        };
        if let Some(seat) = apps.seats.get(key) {
            let is_other = seat.secret.as_ref().is_some_and(|known| known.expose() != secret.expose());
            return if is_other {
                Err(format!("app key {key} has another secret elsewhere (app {:?})", seat.row.name))
            } else {
                Ok(key.to_owned())
            };
        }
        let new = NewApp {
            platform: platform.name.clone(),
            name: None,
            key: key.to_owned(),
            secret,
            redirect_uri: None,
            region: options.region.clone(),
            secret_origin: options.origin.clone(),
        };
        app::check(&new).map_err(|error| error.message().to_owned())?;
        // An app of one shop is called like it: `sesame login shop1 --as shop1`.
        let wanted = if alone { shop.name.as_str() } else { platform.name.as_str() };
        let name = apps.names.take_free(wanted);
        let id = Id::new(self.clock.as_ref());
        let row = AppRow {
            id,
            name,
            platform: new.platform,
            region: new.region,
            app_key: new.key,
            secret: self.sealer.seal(secret_slot(&id), new.secret.expose().as_bytes()),
            redirect_uri: app::DEFAULT_REDIRECT_URI.to_owned(),
            sandbox: self.endpoint.as_ref().map(ToString::to_string),
            secret_origin: new.secret_origin,
            created_at: self.now(),
        };
        apps.seats.insert(key.to_owned(), Seat { row, secret: Some(new.secret), is_new: true });
        Ok(key.to_owned())
    }

    fn planned_authorisation(
        &self,
        id: Id,
        app: &AppRow,
        platform: &Platform,
        tokens: &Tokens,
        identity: &Identity,
    ) -> AuthorisationRow {
        let now = self.now();
        let exhausted = why_exhausted(tokens, now);
        let mut row = AuthorisationRow {
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
            ..blank(id, app.id, app.region.clone(), now)
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

/// Sandboxes are one here, whatever their ports: each start may have another.
fn is_same_app(row: &FullRow, app: &AppRow) -> bool {
    row.app.platform == app.platform
        && row.app.app_key == app.app_key
        && row.app.sandbox.is_some() == app.sandbox.is_some()
}

fn is_same_shop(row: &FullRow, identity: &Identity, platform: &Platform) -> bool {
    let theirs = Identity::parse(&row.authorisation.tokens.identity);
    theirs.compare(identity, &platform.tokens.identity) != crate::identity::Match::Other
}

/// An id that stands for none.
fn is_nothing(id: &str) -> bool {
    matches!(id, "" | "0" | "null")
}

/// Whose the shop is, under the name that the platform's own data has for it. `Err` names a column that
/// is called like an id of another kind: under a wrong name it would refuse the shop's own tokens.
fn identity<'a>(shop: &'a Shop, platform: &Platform) -> Result<(Identity, Option<&'a str>), &'a str> {
    let Some(id) = shop.get(Field::Identity).filter(|id| !is_nothing(id)) else {
        return Ok((Identity::default(), None));
    };
    let column = shop.column(Field::Identity).unwrap_or_default();
    let leaves: Vec<&str> = platform.tokens.identity.id.iter().map(|path| leaf(path)).collect();
    let named = leaves.iter().find(|leaf| normal(leaf) == normal(column));
    let field = named.or_else(|| leaves.first().filter(|_| !names_an_id(column))).ok_or(column)?;
    Ok((Identity::of(field, id), Some(id)))
}

fn tokens(
    shop: &Shop,
    platform: &Platform,
    options: &TableOptions,
    now: Timestamp,
) -> Result<Tokens, String> {
    let rules = &platform.tokens;
    let documented = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
    let access_life = options.access_life.or_else(|| documented(rules.access_life));
    let refresh_life = options.refresh_life.or_else(|| {
        let life = documented(rules.refresh_life)?;
        Some(if rules.style == OAuthStyle::Param2 { life.min(HALF_A_YEAR) } else { life })
    });
    let time = |field: Field| -> Result<Option<i64>, String> {
        let Some(text) = shop.get(field).filter(|text| !is_no_time(text)) else { return Ok(None) };
        let column = shop.column(field).unwrap_or_default();
        let at = parse_time(text, &options.time_zone)
            .ok_or_else(|| format!("column {column} holds no time that can be read ({TIME_FORMS})"))?;
        Ok(Some(at.as_millisecond()))
    };
    let created = |field: Field| -> Result<Option<i64>, String> {
        let at = time(field)?;
        // A day is more than any zone; what is further ahead is no create time.
        if at.is_some_and(|at| at > now.as_millisecond().saturating_add(86_400_000)) {
            let column = shop.column(field).unwrap_or_default();
            return Err(format!("column {column} holds a time that is still to come"));
        }
        Ok(at)
    };
    let plus = |at: Option<i64>, life: Option<Duration>| {
        let life = i64::try_from(life?.as_millis()).unwrap_or(i64::MAX);
        Some(at?.saturating_add(life))
    };
    let access_created = created(Field::AccessCreateTime)?;
    let refresh_created = created(Field::RefreshCreateTime)?;
    let access_ends = time(Field::AccessExpiresAt)?.or_else(|| plus(access_created, access_life));
    let refresh_ends = time(Field::RefreshExpiresAt)?.or_else(|| plus(refresh_created, refresh_life));
    Ok(Tokens {
        access: token(shop, Field::AccessToken)?.map(AccessToken::new),
        refresh: token(shop, Field::RefreshToken)?.map(RefreshToken::new),
        issued_at: access_created,
        access_ends,
        refresh_ends,
    })
}

fn token(shop: &Shop, field: Field) -> Result<Option<&str>, String> {
    let Some(text) = shop.get(field) else { return Ok(None) };
    let column = shop.column(field).unwrap_or_default();
    if text.len() > LONGEST_TOKEN || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("column {column} holds no token: it has spaces or line breaks, or is too long"));
    }
    Ok(Some(text))
}

/// Why a shop has to be authorised again before it can be used, if it has to.
fn why_exhausted(tokens: &Tokens, now: i64) -> Option<String> {
    let day = |at: i64| Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default();
    let is_over = |end: Option<i64>| end.filter(|end| now >= *end);
    match (&tokens.access, &tokens.refresh) {
        (None, None) => Some("the imported table had no token for it".to_owned()),
        (_, Some(_)) => {
            is_over(tokens.refresh_ends).map(|end| format!("the refresh token ended at {}", day(end)))
        }
        (Some(_), None) => is_over(tokens.access_ends).map(|end| {
            format!("the access token ended at {}, and the imported table had no refresh token", day(end))
        }),
    }
}
