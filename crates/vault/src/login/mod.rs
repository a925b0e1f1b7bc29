//! Logins: from "approve this app" to stored tokens, without ever mixing up shops.

mod listener;
mod refusals;
mod store;

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use sesame_catalog::Platform;
use sesame_core::{
    AuthCode, Clock, Error, ErrorKind, Result,
    command_line::quote,
    mask::{mask, mask_url},
};
use sha2::{Digest as _, Sha256};

pub use self::listener::{Browser, Listener};
use self::store::Arrived;
use crate::{
    accounts::{Account, Accounts, Apps, app::AppState},
    events::{Action, Events},
    model::{Id, InFlight, Warning, Warnings, name, setters},
    oauth::{
        authorize,
        callback::{self, WebAddress},
        calls::Grant,
        reply::EarlyEnd,
    },
    refresh::Refresher,
    store::{AppRow, FullRow, PendingLogin, Store},
};

/// How long a login may take from its URL to its callback, in milliseconds.
pub(crate) const LOGIN_LIFE: i64 = 2 * 3_600 * 1_000;

/// Options of a login.
///
/// ```
/// let options = sesame_vault::LoginOptions::default().as_name("my-shop").region("th");
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginOptions {
    /// The account's name: a new one, or one that is to be authorized again. Made from the shop's
    /// login name when left out.
    pub as_name: Option<String>,
    /// Lets the account named by `as_name` become another shop.
    pub replace_shop: bool,
    /// The region whose hosts are called; the app's when left out.
    pub region: Option<String>,
    /// Lazada's `country` on the authorize page: `sg`, `my`, ..., `cb`.
    pub country: Option<String>,
    /// `true` if the caller has a code already: then a platform whose authorize page is not known is not
    /// an error.
    pub have_code: bool,
}

setters! { LoginOptions {
    /// Sets the account's name.
    as_name: impl Into<String> = Some(as_name.into()),
    /// Sets whether the named account may become another shop.
    replace_shop: bool = replace_shop,
    /// Sets the region whose hosts are called.
    region: impl Into<String> = Some(region.into()),
    /// Sets the country of the authorize page.
    country: impl Into<String> = Some(country.into()),
    /// Sets whether the caller has a code already.
    have_code: bool = have_code,
}}

/// A login that was begun. `Debug` masks its state.
#[derive(Clone)]
#[non_exhaustive]
pub struct Login {
    /// The app's name.
    pub app: String,
    /// The platform's name.
    pub platform: String,
    /// The page where the seller approves the app; empty only with [`LoginOptions::have_code`] on
    /// a platform whose page is not known.
    pub authorize_url: String,
    /// What the callback has to repeat.
    pub state: String,
    /// Where the platform sends the seller's browser afterwards.
    pub redirect_uri: String,
    /// `true` if a listener on this machine can receive the callback; otherwise it is pasted.
    pub is_loopback: bool,
    /// `true` if a sandbox is asked, not a platform.
    pub is_sandbox: bool,
    /// How long the callback is taken, by this process or another one on the same vault.
    pub expires_in: Duration,
    /// What was asked for.
    pub options: LoginOptions,
    pub(crate) app_id: Id,
    pub(crate) begun_at: i64,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("app", &self.app)
            .field("authorize_url", &mask_url(&self.authorize_url).replace(&self.state, &mask(&self.state)))
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// What came back from the authorize page.
#[derive(Clone)]
#[non_exhaustive]
pub enum Callback {
    /// The code alone, as a person read it off a page. Its login cannot be checked.
    Code(AuthCode),
    /// The whole address that the browser was sent to.
    Url(String),
}

impl Callback {
    /// Reads what a person pasted: an address, or a code alone.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        // A part of an address is refused as such, and not spent as a code.
        if text.contains("://") || text.contains("code=") {
            return Self::Url(text.to_owned());
        }
        Self::Code(AuthCode::new(text))
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "Callback({code})"),
            // The state is a secret as long as its login waits.
            Self::Url(url) => write!(f, "Callback({}?…)", url.split(['?', '#']).next().unwrap_or_default()),
        }
    }
}

/// Refuses a country that the platform's page would not know.
fn check_country(platform: &Platform, country: Option<&str>) -> Result<()> {
    let countries = &platform.authorize.countries;
    let Some(country) = country.filter(|country| !countries.iter().any(|known| known == country)) else {
        return Ok(());
    };
    if countries.is_empty() {
        return Err(Error::usage(format!("{} lets no country be chosen", platform.title))
            .with_hint("Leave --country out: the seller's own is known from the answer."));
    }
    Err(Error::usage(format!("{} has no country {country:?} to choose", platform.title))
        .with_hint(format!("It has: {}.", countries.join(", "))))
}

/// Authorizes apps: from an authorize URL to stored tokens.
pub(crate) struct Logins {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) refresher: Arc<Refresher>,
    pub(crate) events: Events,
    pub(crate) warnings: Warnings,
    pub(crate) in_flight: InFlight,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Logins {
    /// Begins a login: makes a `state` of 160 random bits and the authorize URL.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for an unknown app, region, country or account name, for an app of a sandbox
    /// while real platforms are called (or the other way), and for a platform whose page is not known.
    pub(crate) async fn begin(&self, app: &str, options: LoginOptions) -> Result<Login> {
        let row = self.apps.row(app).await?;
        self.apps.ensure_environment("app", &row.name, row.sandbox.as_deref())?;
        self.target(&row, options.as_name.as_deref()).await?;
        let app = self.apps.open(&row).await?;
        check_country(app.platform, options.country.as_deref())?;
        let region = options.region.as_deref().or(app.region.as_deref());
        let urls = self.apps.urls(&app, region)?;
        let mut random = [0; 20];
        self.clock.random(&mut random);
        let state = hex::encode(random);
        let asked = authorize::Asked {
            platform: app.platform,
            region: app.platform.region(region),
            urls: &urls,
            app_key: &app.app_key,
            secret: &app.secret,
            redirect_uri: &app.redirect_uri,
            state: &state,
            country: options.country.as_deref(),
        };
        let authorize_url = match authorize::url(&asked) {
            Err(_) if options.have_code => String::new(),
            url => url?,
        };
        let begun_at = self.now();
        let pending = PendingLogin { state_hash: hash(&state), app_id: app.id, begun_at, used_at: None };
        self.store.add_login(&pending, begun_at.saturating_sub(LOGIN_LIFE)).await?;
        Ok(Login {
            app: app.name.clone(),
            platform: app.platform.name.clone(),
            authorize_url,
            state,
            redirect_uri: app.redirect_uri.clone(),
            is_loopback: WebAddress::of(&app.redirect_uri).is_some_and(|place| place.is_loopback()),
            is_sandbox: app.sandbox.is_some(),
            expires_in: Duration::from_millis(LOGIN_LIFE.unsigned_abs()),
            options,
            app_id: app.id,
            begun_at,
        })
    }

    /// Finishes a login: checks the callback, exchanges its code, stores the tokens.
    ///
    /// Returns the accounts that use them: one, or one per country for a cross-border seller. A
    /// callback that belongs to an earlier login of the same app, begun here at most two hours ago,
    /// is taken too: `sesame login APP --callback-url URL` runs in another process than the one
    /// that showed the URL.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a callback that is none, comes from somewhere else or has a wrong
    /// state; [`ErrorKind::Authorization`] when the seller refused, when the code was used or is
    /// too old, and when the shop is not the one that the account belongs to. Nothing is stored then.
    pub(crate) async fn finish(self: &Arc<Self>, login: &Login, got: Callback) -> Result<Vec<Account>> {
        let row = self.apps.row(&login.app).await?;
        self.apps.ensure_environment("app", &row.name, row.sandbox.as_deref())?;
        let target = self.target(&row, login.options.as_name.as_deref()).await?;
        let app = self.apps.open(&row).await?;
        // From here on in a task of its own: a caller that stops waiting cannot cut it off between "code
        // spent" and "tokens stored".
        let guard = self.in_flight.begin();
        let (logins, login) = (self.clone(), login.clone());
        let task = tokio::spawn(async move {
            let _guard = guard;
            let known = target.as_ref().map(|row| row.authorization.id);
            let finished = Box::pin(logins.redeem_and_store(&login, &app, target, got)).await;
            if let Err(error) = &finished {
                let subject = login.options.as_name.as_ref().unwrap_or(&app.name);
                logins.events.record_failure(Action::Login, subject, known, error).await;
            }
            finished
        });
        // It is cut off only by a panic, which was reported, or by the end of the runtime.
        task.await.unwrap_or_else(|_| Err(Error::local("the login was interrupted in this process")))
    }
}

/// Says for which APIs a token ends before its time.
fn early_ends(account: &str, early: &[EarlyEnd], now: Timestamp) -> Warning {
    let ends: Vec<String> = early
        .iter()
        .map(|end| match end.at.duration_since(now).as_secs() {
            ..=0 => format!("{} not at all", end.class),
            seconds => format!("{} for {} min", end.class, seconds / 60),
        })
        .collect();
    Warning::new(format!(
        "the access token of {account} is good for some APIs for a shorter time than for the rest: {}; then those need a new approval",
        ends.join(", ")
    ))
}

pub(crate) fn hash(state: &str) -> Vec<u8> {
    Sha256::digest(state.as_bytes()).to_vec()
}

/// Finds what cannot be a code, before a call is spent on it.
fn check_code(code: &AuthCode) -> Result<()> {
    let text = code.expose();
    if !text.is_empty() && text.len() <= 2_048 && !text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    Err(Error::usage("this is not an authorization code")
        .with_hint("Copy the value of code= from the address that the browser shows after the approval."))
}

impl Logins {
    async fn redeem_and_store(
        &self,
        login: &Login,
        app: &Arc<AppState>,
        target: Option<FullRow>,
        got: Callback,
    ) -> Result<Vec<Account>> {
        // 1 the callback: is it one, of this login?
        let (code, state, begun_at) = match got {
            // A code alone does not say when its login began, nor where.
            Callback::Code(code) => (code, login.state.clone(), None),
            Callback::Url(url) => {
                let received =
                    callback::read(&url, &login.redirect_uri).map_err(|error| app.explained(error, None))?;
                let begun_at = self.check_state(login, &received.state).await?;
                (received.code, received.state, Some(begun_at))
            }
        };
        check_code(&code)?;
        // 2 room for the tokens, then the code becomes tokens
        let reservation = self.refresher.replay.journal.reserve().await?;
        let arrived = self.redeem(login, app, &code, begun_at).await?;
        let early = arrived.reply.early.clone();
        // 3 the tokens are stored, if they are the right shop's
        let accounts = self.place(target, arrived, reservation).await?;
        if let Some(account) = accounts.first()
            && !early.is_empty()
        {
            self.warnings.warn(early_ends(&account.name, &early, self.clock.now()));
        }
        // The tokens are stored: a missing event is not a failure.
        if let Err(error) = self.store.login_used(&hash(&state), self.now()).await {
            tracing::warn!("a login cannot be marked as finished: {error}");
        }
        Ok(accounts)
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Finds the account that a login is for, and refuses what cannot work before a code is spent.
    async fn target(&self, app: &AppRow, as_name: Option<&str>) -> Result<Option<FullRow>> {
        let Some(wanted) = as_name else { return Ok(None) };
        name::check("account", wanted)?;
        match self.store.account(wanted).await? {
            Some(row) if row.app.id != app.id => Err(Error::usage(format!(
                "account {wanted:?} belongs to app {:?} ({}), not to {:?}",
                row.app.name, row.app.platform, app.name
            ))
            .with_hint(format!(
                "Run `sesame login {} --as {}`, or choose another name.",
                quote(&row.app.name),
                quote(wanted)
            ))),
            row => Ok(row),
        }
    }

    /// Returns when the login began that a state belongs to.
    async fn check_state(&self, login: &Login, state: &str) -> Result<i64> {
        let hash_of_theirs = hash(state);
        // Compared as hashes: how long that takes tells nothing of the state.
        if hash_of_theirs == hash(&login.state) {
            return Ok(login.begun_at);
        }
        let known = self.store.login(&hash_of_theirs).await?.filter(|pending| {
            pending.app_id == login.app_id && self.now().saturating_sub(pending.begun_at) <= LOGIN_LIFE
        });
        if let Some(at) = known.as_ref().and_then(|pending| pending.used_at) {
            let at = Timestamp::from_millisecond(at).unwrap_or_default();
            return Err(Error::usage(format!("this approval was used already: its login was finished at {at}"))
                .with_hint("`sesame accounts` shows the shop. To approve once more, start the login again. Nothing was sent or stored."));
        }
        known.map(|pending| pending.begun_at).ok_or_else(|| {
            Error::usage("the callback's state is not that of a login begun here: it may be forged, from another machine, or older than two hours")
                .with_hint("Nothing was sent or stored. Start the login again and use the address that this new login leads to.")
        })
    }

    async fn redeem(
        &self,
        login: &Login,
        app: &Arc<AppState>,
        code: &AuthCode,
        begun_at: Option<i64>,
    ) -> Result<Arrived> {
        let region = login.options.region.as_deref().or(app.region.as_deref());
        let urls = self.apps.urls(app, region)?;
        let grant = Grant::Code { code, redirect_uri: &app.redirect_uri };
        let mut reply =
            self.refresher.endpoint.exchange(app.credentials(&urls), grant).await.map_err(|error| {
                self.code_refused(app.explained(error, login.options.as_name.as_deref()), begun_at, app)
            })?;
        self.apps.secret_accepted(app).await;
        if let Some(doubt) = reply.doubt.take() {
            return Err(doubt);
        }
        let (app, options) = (app.clone(), login.options.clone());
        Ok(Arrived { app, options, reply, region: region.map(str::to_owned), urls, at: self.clock.now() })
    }

    /// Tells a code that was too old from one that was used, as far as this side can know.
    fn code_refused(&self, error: Error, begun_at: Option<i64>, app: &AppState) -> Error {
        let about_code = matches!(error.kind(), ErrorKind::Authorization | ErrorKind::Token)
            || error.code() == Some("invalid_grant")
            || (error.kind() == ErrorKind::Argument && error.message().to_ascii_lowercase().contains("code"));
        if !about_code {
            return error.context("the code could not be exchanged for tokens");
        }
        let life = app.platform.authorize.code_life;
        let minutes = life.div_ceil(60);
        let life = i64::try_from(life).unwrap_or(i64::MAX).saturating_mul(1_000);
        let too_old = format!("it is too old (it lives {minutes} minutes)");
        let why = match begun_at {
            Some(begun_at) if self.now().saturating_sub(begun_at) <= life => {
                "it was used already, or is of another app".to_owned()
            }
            Some(_) => format!("most likely {too_old}; or it was used already, or is of another app"),
            // Pasted alone: when the platform issued it is not known.
            None => format!("it was used already, or {too_old}, or it is of another app"),
        };
        let message = format!("the platform does not take this code: {why}; the platform says: {error}");
        error.rephrased(ErrorKind::Authorization, message).with_hint(format!(
            "A code of {} is good once, within {minutes} minutes. Run `sesame login {}` again for a new one.",
            app.platform.title,
            quote(&app.name)
        ))
    }
}
