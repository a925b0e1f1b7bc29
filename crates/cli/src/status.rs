//! What people hear of a shop's tokens: how urgent it is, what went wrong, what to do.

use std::time::Duration;

use jiff::Timestamp;
use sesame_catalog::TokenRules;
use sesame_core::command_line::quote;
use sesame_vault::{Account, AccountState};

use crate::humanize;

/// From this long before the end of an authorization on, it is told.
const SOON: i64 = 30 * DAY;
const DAY: i64 = 86_400;

/// Returns a state in words.
pub(crate) fn state(state: &AccountState) -> &'static str {
    match state {
        AccountState::Healthy => "healthy",
        AccountState::NeedsRefresh => "needs refresh",
        AccountState::NeedsAuthorization { .. } => "needs authorization",
        other => other.as_str(),
    }
}

/// Says what ends or went wrong, and what to do, in one sentence; nothing while all is well. A shop
/// that was asked for by its end gets an answer however far that is.
pub(crate) fn advice(
    account: &Account,
    rules: Option<&TokenRules>,
    now: Timestamp,
    asked: bool,
) -> Option<String> {
    let login = format!("sesame login {} --as {}", quote(&account.app), quote(&account.name));
    if let Some(reason) = account.state.reason() {
        return Some(format!("{reason}: {login}"));
    }
    if let (true, Some(error)) = (account.blocked, &account.last_error) {
        let name = quote(&account.name);
        let left = account.access_expires_at.filter(|end| *end > now);
        let until = left.map_or_else(
            || "the access token has ended".to_owned(),
            |end| format!("the access token ends in {}", humanize::left(end, now)),
        );
        return Some(format!("{error} ({until}); when that is mended: sesame refresh {name}"));
    }
    if let Some(ending) = ending(account, now, asked) {
        // A keeper could still do it, and should have done it by now.
        let keeper = if prolongs(account, rules) { "sesame keeper --once, or " } else { "" };
        return Some(format!("{ending}: {keeper}{login}"));
    }
    if account.last_error.is_none()
        && account.last_success.is_none()
        && account.state == AccountState::NeedsRefresh
        && account.refresh_expires_at.is_none()
    {
        let name = quote(&account.name);
        return Some(format!(
            "the end is not known: a keeper asks within ten minutes, or sesame refresh {name}"
        ));
    }
    let error = account.last_error.as_deref()?;
    let next = match account.state {
        AccountState::Healthy => "the token is still good".to_owned(),
        _ => format!("the next call refreshes; or sesame refresh {}", quote(&account.name)),
    };
    Some(format!("{error} ({next})"))
}

/// Returns `true` if a machine can move the end of an authorization.
fn prolongs(account: &Account, rules: Option<&TokenRules>) -> bool {
    account.refresh_expires_at.is_some()
        && rules.is_some_and(|rules| rules.postpone.is_some() || !rules.refresh_end_fixed)
}

/// Says when a shop must be authorized again, if that is soon: the nearer, the stronger.
fn ending(account: &Account, now: Timestamp, asked: bool) -> Option<String> {
    let end = account.needs_person_by?;
    let left = end.duration_since(now).as_secs();
    if left > soon(account) && !asked {
        return None;
    }
    let stronger = match left {
        ..=0 => return Some("the authorization has ended".to_owned()),
        left if left <= DAY => "today: ",
        left if left <= 2 * DAY => "urgent: ",
        left if left <= 7 * DAY => "this week: ",
        _ => "",
    };
    Some(format!("{stronger}ends in {}", humanize::left(end, now)))
}

/// How many seconds before its end an account's authorization is worth a word: 30 days, and half of
/// its life where that is shorter.
fn soon(account: &Account) -> i64 {
    let life = account
        .last_success
        .zip(account.needs_person_by)
        .map_or(i64::MAX, |(from, to)| to.duration_since(from).as_secs());
    SOON.min(life / 2)
}

/// Orders shops that must be authorized first, then those that soon will, those that fail, those that
/// wait for a refresh; then by the end of the authorization.
pub(crate) fn urgency(account: &Account, now: Timestamp) -> (u8, i64, String) {
    let left = |end: Timestamp| end.duration_since(now).as_secs();
    let needed_in = account.needs_person_by.map(left);
    let class = match (&account.state, &account.last_error) {
        (AccountState::NeedsAuthorization { .. }, _) => 0,
        _ if needed_in.is_some_and(|needed_in| needed_in <= soon(account)) => 1,
        (_, Some(_)) => 2,
        (AccountState::NeedsRefresh, None) => 3,
        (_, None) => 4,
    };
    let end = needed_in.or_else(|| account.refresh_expires_at.or(account.access_expires_at).map(left));
    (class, end.unwrap_or(i64::MAX), account.name.clone())
}

/// Returns `true` if a shop stops working within this time unless somebody authorizes it.
pub(crate) fn needs_person_within(account: &Account, now: Timestamp, within: Duration) -> bool {
    if matches!(account.state, AccountState::NeedsAuthorization { .. }) {
        return true;
    }
    let within = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
    account.needs_person_by.is_some_and(|end| end.duration_since(now).as_secs() <= within)
}
