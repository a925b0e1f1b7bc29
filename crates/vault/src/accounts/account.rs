//! Accounts as people see them: whose they are, and how their tokens do.

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use sesame_catalog::TokenRules;
use sesame_core::{AccessToken, RefreshToken};

use crate::{
    model::{Id, Warning, setters},
    schedule::{self, Windows, refresh_impossible},
    store::FullRow,
};

/// How the tokens of an account do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountState {
    /// The access token is good for a while.
    Healthy,
    /// The access token ends soon or has ended, and the next call refreshes it; or the tokens were
    /// imported without their ends, and the keeper's refresh tells those.
    NeedsRefresh,
    /// The shop has to be authorized again.
    NeedsAuthorization {
        /// Why.
        reason: String,
    },
}

impl AccountState {
    /// Returns the word that JSON output uses.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::NeedsRefresh => "needs-refresh",
            Self::NeedsAuthorization { .. } => "needs-authorization",
        }
    }

    /// Returns why the shop has to be authorized again.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NeedsAuthorization { reason } => Some(reason),
            _ => None,
        }
    }
}

/// One authorized shop, without its secrets. Serializes with stable names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The id.
    pub id: Id,
    /// The name.
    pub name: String,
    /// The name of its app.
    pub app: String,
    /// The platform.
    pub platform: String,
    /// The login name on the platform.
    pub login: Option<String>,
    /// The platform's id of the shop.
    pub shop_id: Option<String>,
    /// The country, two letters in lower case.
    pub country: Option<String>,
    /// The region whose hosts are called, where one is chosen.
    pub region: Option<String>,
    /// `true` if it was made against a sandbox.
    pub sandbox: bool,
    /// When the access token ends; `None` if that is not known.
    pub access_expires_at: Option<Timestamp>,
    /// When the refresh token ends; `None` if there is none or its end is not known.
    pub refresh_expires_at: Option<Timestamp>,
    /// Whether there is a refresh token that the platform lets this app use.
    pub has_refresh_token: bool,
    /// When the tokens were issued, if that is in the future: they were stored by a clock that was ahead,
    /// and their ends are not known before a refresh. `None` if all is well.
    pub issued_in_future: Option<Timestamp>,
    /// How the tokens do.
    pub state: AccountState,
    /// When tokens were last received.
    pub last_success: Option<Timestamp>,
    /// What last went wrong since then.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// `true` if that does not pass by itself: a wrong secret, a missing right.
    pub blocked: bool,
    /// Failed refreshes since the last success.
    pub attempts: i64,
    /// How many times the tokens were replaced.
    pub generation: i64,
    /// When the shop has to be authorized again at the latest; `None` while its tokens are prolonged
    /// without that, or if it is not known.
    pub needs_person_by: Option<Timestamp>,
    /// When the next warning of its end is given; `None` after the last one, or if the end is not known.
    pub next_warning_at: Option<Timestamp>,
    /// When its access token was last used, give or take an hour.
    pub last_used: Option<Timestamp>,
    /// Where the secret of its app was read from: `standard input`, `variable X`, `file F`.
    pub secret_origin: Option<String>,
    /// What people put on it, to find it by; sorted.
    pub tags: Vec<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Accounts, and those that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Those that are wanted, oldest first.
    pub accounts: Vec<Account>,
    /// The ids of those whose rows are damaged: nothing else is known of them.
    pub unreadable: Vec<Id>,
}

impl Listed {
    /// Says that some cannot be read, if so.
    pub fn warning(&self) -> Option<Warning> {
        let what = match self.unreadable.len() {
            0 => return None,
            1 => "1 account of the vault cannot be read and is left out".to_owned(),
            many => format!("{many} accounts of the vault cannot be read and are left out"),
        };
        Some(Warning::new(format!("{what}: `sesame vault check` names what is damaged")))
    }
}

impl Account {
    pub(crate) fn of(row: &FullRow, rules: Option<&TokenRules>, now: i64) -> Self {
        let at = |millis: Option<i64>| millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let FullRow { account, app, authorization } = row;
        let tokens = &authorization.tokens;
        let is_from_future = schedule::is_from_future(tokens, now);
        let has_refresh_token = tokens.refresh.is_some() && !tokens.refresh_denied;
        Self {
            id: account.id,
            name: account.name.clone(),
            app: app.name.clone(),
            platform: app.platform.clone(),
            login: account.login.clone(),
            shop_id: account.shop_id.clone(),
            country: account.country.clone(),
            region: account.region.clone(),
            sandbox: app.sandbox.is_some(),
            access_expires_at: at(tokens.access_expires_at).filter(|_| !is_from_future),
            refresh_expires_at: at(tokens.refresh_expires_at)
                .filter(|_| has_refresh_token && !is_from_future),
            has_refresh_token,
            issued_in_future: at(Some(tokens.issued_at)).filter(|_| is_from_future),
            state: state(row, rules, now),
            last_success: at(authorization.last_success),
            last_error: authorization.last_error.clone(),
            last_error_at: at(authorization.last_error_at),
            blocked: authorization.blocked,
            attempts: authorization.attempts,
            generation: authorization.generation,
            needs_person_by: at(schedule::needs_person_by(rules, authorization, now)),
            next_warning_at: at(schedule::next_warning(authorization, now)),
            last_used: at(authorization.last_used),
            secret_origin: app.secret_origin.clone(),
            tags: account.tags.clone(),
            created_at: at(Some(account.created_at)).unwrap_or_default(),
        }
    }
}

fn state(row: &FullRow, rules: Option<&TokenRules>, now: i64) -> AccountState {
    let authorization = &row.authorization;
    let tokens = &authorization.tokens;
    // The refresh token is dead: said at once, even while the access token lives on for some hours.
    if let Some(reason) = &authorization.exhausted {
        return AccountState::NeedsAuthorization { reason: reason.clone() };
    }
    let (due, over) = match (rules, tokens.access.is_some()) {
        (_, false) => (true, true),
        (Some(rules), true) => {
            let windows = Windows::of(rules, tokens);
            (now >= windows.advisory_at, now >= windows.ends_at)
        }
        (None, true) => {
            let over = tokens.access_expires_at.is_some_and(|end| now >= end);
            (over, over)
        }
    };
    // Its lifetime is unknown until a refresh.
    if !due && !schedule::has_unknown_ends(authorization) && !schedule::is_from_future(tokens, now) {
        return AccountState::Healthy;
    }
    let ended = schedule::end_of(authorization, now).filter(|end| now >= *end);
    match (refresh_impossible(authorization), ended) {
        (Some(reason), _) if over => AccountState::NeedsAuthorization { reason },
        (Some(_), _) => AccountState::Healthy,
        (None, Some(end)) => {
            let day = Timestamp::from_millisecond(end).map(|end| end.to_string()).unwrap_or_default();
            AccountState::NeedsAuthorization { reason: format!("the refresh token ended at {day}") }
        }
        (None, None) => AccountState::NeedsRefresh,
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let mut out = serializer.serialize_struct("Account", 26)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("platform", &self.platform)?;
        out.serialize_field("app", &self.app)?;
        out.serialize_field("login", &self.login)?;
        out.serialize_field("shop_id", &self.shop_id)?;
        out.serialize_field("country", &self.country)?;
        out.serialize_field("region", &self.region)?;
        out.serialize_field("sandbox", &self.sandbox)?;
        out.serialize_field("state", self.state.as_str())?;
        out.serialize_field("reason", &self.state.reason())?;
        out.serialize_field("access_expires_at", &time(self.access_expires_at))?;
        out.serialize_field("refresh_expires_at", &time(self.refresh_expires_at))?;
        out.serialize_field("issued_in_future", &time(self.issued_in_future))?;
        out.serialize_field("last_success", &time(self.last_success))?;
        out.serialize_field("last_error", &self.last_error)?;
        out.serialize_field("last_error_at", &time(self.last_error_at))?;
        out.serialize_field("blocked", &self.blocked)?;
        out.serialize_field("attempts", &self.attempts)?;
        out.serialize_field("generation", &self.generation)?;
        out.serialize_field("id", &self.id.to_string())?;
        out.serialize_field("tags", &self.tags)?;
        out.serialize_field("secret_origin", &self.secret_origin)?;
        out.serialize_field("last_used", &time(self.last_used))?;
        out.serialize_field("created_at", &time(Some(self.created_at)))?;
        out.serialize_field("needs_person_by", &time(self.needs_person_by))?;
        out.serialize_field("next_warning_at", &time(self.next_warning_at))?;
        out.end()
    }
}

/// Tokens that another program kept until now.
///
/// ```
/// use sesame_core::RefreshToken;
///
/// let tokens = sesame_vault::ImportedTokens::default().refresh(RefreshToken::new("..")).account_name("my-shop");
/// # drop(tokens);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ImportedTokens {
    /// The access token.
    pub access: Option<AccessToken>,
    /// The refresh token.
    pub refresh: Option<RefreshToken>,
    /// The account's name; made from the app's when left out.
    pub account_name: Option<String>,
    /// When the access token ends; unknown means that it is used until the gateway refuses it, or a
    /// keeper's refresh tells the ends.
    pub access_expires_at: Option<Timestamp>,
    /// When the refresh token ends.
    pub refresh_expires_at: Option<Timestamp>,
}

setters! { ImportedTokens {
    /// Sets the access token.
    access: AccessToken = Some(access),
    /// Sets the refresh token.
    refresh: RefreshToken = Some(refresh),
    /// Sets the account's name.
    account_name: impl Into<String> = Some(account_name.into()),
    /// Sets when the access token ends.
    access_expires_at: Timestamp = Some(access_expires_at),
    /// Sets when the refresh token ends.
    refresh_expires_at: Timestamp = Some(refresh_expires_at),
}}
