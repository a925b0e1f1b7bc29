//! `sesame accounts`: the health of every shop's tokens.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sesame_catalog::TokenRules;
use sesame_vault::{Account, AccountState};

use crate::{
    output::{Format, Rows},
    running,
    session::Session,
    stop::{NEEDS_PERSON, Outcome, Stop, say},
    words::{self, parse_duration},
};

/// Options of `accounts`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame accounts
  sesame accounts --expiring 30d || mail -s 'authorise a shop' owner@example.com
  sesame accounts --output json

Sorted by urgency. With --expiring only shops are listed that a person must authorise within that
time, and the exit code is 3 if there is one.
JSON: [{\"name\",\"platform\",\"app\",\"login\",\"shop_id\",\"country\",\"region\",\"sandbox\",\"state\",\"reason\",
\"access_expires_at\",\"refresh_expires_at\",\"last_success\",\"last_error\",\"last_error_at\",\"attempts\",
\"generation\",\"id\",\"access_seconds_left\",\"refresh_seconds_left\",\"advice\"}]; state is healthy,
needs-refresh or needs-authorisation.")]
pub(crate) struct Args {
    /// Only shops whose authorisation ends within this time: 30d, 12h, ...
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    expiring: Option<Duration>,
}

/// Lists them.
pub(crate) fn run(args: &Args, session: &Session) -> Outcome {
    running::block_on(session, async {
        let mut accounts = if session.vault_is_new().await? {
            Vec::new()
        } else {
            session.vault().await?.accounts().await?
        };
        let now = session.clock.now();
        if let Some(within) = args.expiring {
            accounts.retain(|account| needs_person_within(account, now, within));
        }
        accounts.sort_by_cached_key(|account| urgency(account, now));
        print(session, &accounts, now, args.expiring.is_some())?;
        if args.expiring.is_some() && !accounts.is_empty() {
            return Err(Stop::Status(NEEDS_PERSON));
        }
        Ok(())
    })
}

/// Prints accounts; also after a login.
pub(crate) fn print(session: &Session, accounts: &[Account], now: Timestamp, filtered: bool) -> Outcome {
    let mut rows = Rows::new(&[
        "account",
        "platform",
        "login",
        "country",
        "state",
        "access token",
        "refresh token",
        "last success",
        "do",
    ]);
    let catalog = session.catalog()?;
    let mut records = Vec::with_capacity(accounts.len());
    for account in accounts {
        let left = |until: Option<Timestamp>| {
            until.map_or_else(|| "unknown".to_owned(), |until| words::left(until, now))
        };
        let rules = catalog.platform(&account.platform).ok().map(|platform| &platform.tokens);
        let advice = advice(account, rules, now, filtered);
        rows.push([
            account.name.clone(),
            if account.sandbox {
                format!("{} (sandbox)", account.platform)
            } else {
                account.platform.clone()
            },
            account.login.clone().unwrap_or_default(),
            account.country.clone().unwrap_or_default(),
            state_words(&account.state).to_owned(),
            left(account.access_expires_at),
            account.refresh_expires_at.map_or_else(|| "none".to_owned(), |until| words::left(until, now)),
            account.last_success.map_or_else(|| "never".to_owned(), |at| words::ago(at, now)),
            advice.clone().unwrap_or_default(),
        ]);
        let mut record = serde_json::to_value(account).unwrap_or_default();
        let seconds = |until: Option<Timestamp>| until.map(|until| until.duration_since(now).as_secs());
        record["access_seconds_left"] = json!(seconds(account.access_expires_at));
        record["refresh_seconds_left"] = json!(seconds(account.refresh_expires_at));
        record["advice"] = json!(advice);
        records.push(record);
    }
    let mut printer = session.printer(Format::Table);
    if printer.for_people() && accounts.is_empty() {
        say(if filtered {
            "No shop needs a person in that time."
        } else {
            "There is no account yet. Authorise a shop: sesame login APP"
        });
        return Ok(());
    }
    printer.list(&records, &rows)
}

fn state_words(state: &AccountState) -> &'static str {
    match state {
        AccountState::Healthy => "healthy",
        AccountState::NeedsRefresh => "needs a refresh",
        AccountState::NeedsAuthorisation { .. } => "needs a person",
    }
}

/// From this long before the end of an authorisation on, a person is told.
const SOON: i64 = 30 * DAY;
const DAY: i64 = 86_400;

/// Says what went wrong or ends soon, and what to do, in one sentence; nothing while all is well. A
/// shop that was asked for by its end gets an answer however far that is.
fn advice(account: &Account, rules: Option<&TokenRules>, now: Timestamp, asked: bool) -> Option<String> {
    let login = format!(
        "sesame login {} --as {}",
        super::apis::quote(&account.app),
        super::apis::quote(&account.name)
    );
    if let Some(reason) = account.state.reason() {
        return Some(format!("{reason}: {login}"));
    }
    if let Some(ending) = ending(account, rules, now, asked) {
        return Some(format!("{ending}: {login}"));
    }
    let error = account.last_error.as_deref()?;
    let next = match account.state {
        AccountState::Healthy => "the token is still good",
        _ => "the next call refreshes; or sesame refresh now",
    };
    Some(format!("{error} ({next})"))
}

/// Says when the authorisation ends, if that is near: the nearer, the stronger.
fn ending(account: &Account, rules: Option<&TokenRules>, now: Timestamp, asked: bool) -> Option<String> {
    let end = if asked {
        account.refresh_expires_at.or(account.access_expires_at)?
    } else {
        account.refresh_expires_at?
    };
    // Where a refresh moves the end, a short-lived refresh token is near its end all the time.
    let soon = match rules {
        Some(rules) if !rules.refresh_end_fixed => {
            SOON.min(i64::try_from(rules.refresh_life).unwrap_or(i64::MAX) / 2)
        }
        _ => SOON,
    };
    let left = end.duration_since(now).as_secs();
    if left > soon && !asked {
        return None;
    }
    let stronger = match left {
        ..=0 => return Some("the authorisation has ended".to_owned()),
        left if left <= DAY => "today: ",
        left if left <= 2 * DAY => "urgent: ",
        left if left <= 7 * DAY => "this week: ",
        _ => "",
    };
    Some(format!("{stronger}ends in {}", words::left(end, now)))
}

/// Orders shops that need a person first, then those that fail, then by the end of the authorisation.
fn urgency(account: &Account, now: Timestamp) -> (u8, i64, String) {
    let class = match (&account.state, &account.last_error) {
        (AccountState::NeedsAuthorisation { .. }, _) => 0,
        (_, Some(_)) => 1,
        (AccountState::NeedsRefresh, None) => 2,
        (AccountState::Healthy, None) => 3,
    };
    let end = account.refresh_expires_at.or(account.access_expires_at);
    (class, end.map_or(i64::MAX, |end| end.duration_since(now).as_secs()), account.name.clone())
}

/// Tells whether a shop stops working within this time unless a person authorises it.
fn needs_person_within(account: &Account, now: Timestamp, within: Duration) -> bool {
    if matches!(account.state, AccountState::NeedsAuthorisation { .. }) {
        return true;
    }
    // Without a refresh token the access token is all there is.
    let end = account.refresh_expires_at.or(account.access_expires_at);
    end.is_some_and(|end| {
        end.duration_since(now).as_secs() <= i64::try_from(within.as_secs()).unwrap_or(i64::MAX)
    })
}
