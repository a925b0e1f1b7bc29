//! When a keeper has to look at an authorisation, and what it finds to do: pure, from the row, the
//! platform's rules and the time.
//!
//! One column, `due_at`, says when to look next for whatever reason, so that a keeper's cost follows
//! the authorisations that are due and not those that are kept.

use sesame_catalog::TokenRules;

use crate::{
    authorisation::{Windows, hopeless},
    store::{AuthorisationRow, TokenColumns},
};

/// Which access tokens are kept warm, so that no call has to wait for a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// All.
    Always,
    /// Those of shops used in the last 7 days.
    #[default]
    Used,
    /// None; refresh tokens are prolonged and warnings given all the same.
    Never,
}

/// How many days before an authorisation ends people are told, longest first.
pub(crate) const MARKS: [i64; 4] = [30, 7, 2, 1];

const DAY: i64 = 86_400_000;
/// How long a shop counts as used after its token was asked for.
const IN_USE: i64 = 7 * DAY;
/// From this part of its life on an access token is renewed; the rest, up to the advisory window, is
/// what refreshes are spread over. Shops imported in one minute are not refreshed in one minute.
const WARM_FROM: f64 = 0.6;
/// A refresh token that a refresh prolongs is renewed after this part of what is left of it.
const PROLONG_AT: f64 = 0.75;
/// Postponements are spread over this part of the window in which the platform allows them.
const POSTPONE_SPREAD: f64 = 1.0 / 60.0;

/// What is to be done about an authorisation now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Prolong the refresh token by the platform's own call for it.
    Postpone,
    /// Fetch a new access token; on some platforms that prolongs the refresh token, too.
    Refresh,
    /// Warn that it ends within so many days.
    Announce(i64),
    /// Its end has come: only a person helps.
    End,
    /// Nothing yet.
    Nothing,
}

/// Returns when the next access token should be fetched, by chance within the last part of this one's
/// life. `chance` is in `0.0..1.0`.
pub(crate) fn warm_at(rules: &TokenRules, tokens: &TokenColumns, chance: f64) -> Option<i64> {
    if tokens.refresh.is_none() || tokens.refresh_denied {
        return None;
    }
    let ends_at = tokens.access_expires_at?;
    let life = ends_at.saturating_sub(tokens.issued_at).max(0);
    let from = tokens.issued_at.saturating_add(part(life, WARM_FROM));
    let to = Windows::of(rules, tokens).advisory_at.max(from);
    Some(from.saturating_add(part(to.saturating_sub(from), chance)))
}

/// Returns when a person has to authorise the shop again, if nothing prolongs it before.
pub(crate) fn ends_at(tokens: &TokenColumns) -> Option<i64> {
    if tokens.refresh.is_some() && !tokens.refresh_denied {
        return tokens.refresh_expires_at;
    }
    tokens.access_expires_at
}

/// Tells whether two sets of tokens end together, give or take half a day.
pub(crate) fn is_same_end(one: &TokenColumns, other: &TokenColumns) -> bool {
    match (ends_at(one), ends_at(other)) {
        (Some(one), Some(other)) => one.abs_diff(other) < DAY.unsigned_abs() / 2,
        (one, other) => one == other,
    }
}

/// Decides what is to be done now.
pub(crate) fn work(rules: &TokenRules, row: &AuthorisationRow, keep: Keep, now: i64) -> Work {
    let tokens = &row.tokens;
    if row.exhausted.is_some() {
        return Work::Nothing;
    }
    let end = ends_at(tokens);
    if end.is_some_and(|end| now >= end) {
        return Work::End;
    }
    if reached(postpone_from(rules, row), now) {
        return Work::Postpone;
    }
    if reached(refresh_from(rules, row, keep, now), now) {
        return Work::Refresh;
    }
    match end.and_then(|end| passed_mark(end, tokens.announced, now)) {
        Some(mark) => Work::Announce(mark),
        None => Work::Nothing,
    }
}

/// Returns when to look again. `chance` in `0.0..1.0` spreads what would otherwise fall together.
pub(crate) fn due_at(
    rules: &TokenRules,
    row: &AuthorisationRow,
    keep: Keep,
    now: i64,
    chance: f64,
) -> Option<i64> {
    if row.exhausted.is_some() {
        return None;
    }
    let end = ends_at(&row.tokens);
    let spread = part(millis(rules.postpone_window), POSTPONE_SPREAD * chance);
    let postpone = postpone_from(rules, row).map(|from| from.saturating_add(spread));
    let refresh = refresh_from(rules, row, keep, now);
    let mark = end.and_then(|end| next_mark(end, row.tokens.announced));
    [end, postpone, refresh, mark].into_iter().flatten().min()
}

fn reached(from: Option<i64>, now: i64) -> bool {
    from.is_some_and(|from| now >= from)
}

/// From when on the refresh token may be postponed.
fn postpone_from(rules: &TokenRules, row: &AuthorisationRow) -> Option<i64> {
    rules.postpone.as_ref()?;
    if hopeless(row).is_some() {
        return None;
    }
    let from = row.tokens.refresh_expires_at?.saturating_sub(millis(rules.postpone_window));
    Some(from.max(row.postpone_after.unwrap_or(from)))
}

/// From when on the tokens are to be refreshed: to keep the access token warm, or because that
/// prolongs the refresh token.
fn refresh_from(rules: &TokenRules, row: &AuthorisationRow, keep: Keep, now: i64) -> Option<i64> {
    if hopeless(row).is_some() {
        return None;
    }
    let is_warm = match keep {
        Keep::Always => true,
        Keep::Used => row.last_used.is_some_and(|used| now.saturating_sub(used) < IN_USE),
        Keep::Never => false,
    };
    let warm = row.tokens.warm_at.filter(|_| is_warm);
    let from = [warm, prolong_from(rules, &row.tokens)].into_iter().flatten().min()?;
    Some(from.max(row.not_before.unwrap_or(from)))
}

/// From when on a refresh prolongs the refresh token, where one does.
fn prolong_from(rules: &TokenRules, tokens: &TokenColumns) -> Option<i64> {
    if rules.refresh_end_fixed || rules.postpone.is_some() {
        return None;
    }
    let end = tokens.refresh_expires_at?;
    let left = end.saturating_sub(tokens.issued_at).max(0);
    // Should the end not move after all, it is asked for less than once a day.
    let from = tokens.issued_at.saturating_add(part(left, PROLONG_AT).max(DAY));
    (from < end).then_some(from)
}

/// The mark that was passed last and not announced, if one was.
pub(crate) fn passed_mark(end: i64, announced: Option<i64>, now: i64) -> Option<i64> {
    MARKS
        .into_iter()
        .rev()
        .find(|mark| now >= end.saturating_sub(mark * DAY))
        .filter(|mark| announced.is_none_or(|announced| *mark < announced))
}

/// When the next mark comes that was not announced.
fn next_mark(end: i64, announced: Option<i64>) -> Option<i64> {
    let mark = MARKS.into_iter().find(|mark| announced.is_none_or(|announced| *mark < announced))?;
    Some(end.saturating_sub(mark * DAY))
}

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a part of a life of years in milliseconds"
)]
fn part(life: i64, share: f64) -> i64 {
    (life as f64 * share.clamp(0.0, 1.0)) as i64
}
