//! When a keeper has to look at an authorization, and what it finds to do: pure, from the row, the
//! platform's rules and the time.
//!
//! One column, `due_at`, says when to look next for whatever reason, so that a keeper's cost follows
//! the authorizations that are due. It never lies more than a day ahead: what does was written by a
//! clock that was ahead, and is looked at now. So no jump of a clock can hide an authorization for
//! longer than a day, whichever of its columns it has spoiled.

mod windows;

use sesame_catalog::TokenRules;

pub(crate) use self::windows::{Windows, refresh_impossible};
use crate::{
    model::Id,
    store::{AuthorizationRow, TokenColumns},
};

/// Which access tokens a keeper keeps fresh, so that no call has to wait for a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WarmPolicy {
    /// All.
    Always,
    /// Those of shops used in the last 7 days.
    #[default]
    Used,
    /// None. Refresh tokens are prolonged and warnings given all the same.
    Never,
}

/// How many days before an authorization ends people are warned, longest first.
pub(crate) const WARNING_DAYS: [i64; 4] = [30, 7, 2, 1];

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// No plan and no pause lies further ahead than this.
pub(crate) const HORIZON: i64 = DAY;
/// Tokens that were issued more than this after now were stored by a clock that was ahead.
const CLOCK_MARGIN: i64 = HOUR;
/// How long a shop counts as used after its token was asked for.
const IN_USE: i64 = 7 * DAY;
/// From this part of its life on an access token is renewed; the rest, up to the advisory window, is
/// what refreshes are spread over. Shops imported in one minute are not refreshed in one minute.
const WARM_FROM: f64 = 0.6;
/// A refresh token that a refresh prolongs is renewed after this part of what is left of it.
const PROLONG_AT: f64 = 0.75;
/// Refreshes that prolong are spread over this part of what is left.
const PROLONG_SPREAD: f64 = 0.05;
/// A keeper's pause after a first failure, and its longest one while there is hope.
const SHORT_PAUSE: i64 = 30_000;
const LONG_PAUSE: i64 = 15 * MINUTE;
/// How long after its end a refresh token is tried all the same: ends come in whole seconds, are often
/// guesses, and clocks differ.
const LAST_TRY: i64 = MINUTE;
/// A postponement that is tried again within this time failed for a reason that passes.
const BRIEF: i64 = DAY / 4;
/// Postponements are spread over this part of the window in which the platform allows them.
const POSTPONE_SPREAD: f64 = 1.0 / 60.0;

/// A postponement that was not done after this part of its window is late.
const LATE_POSTPONE: f64 = 1.0 / 6.0;
/// A refresh that prolongs is late after this part of what was left when the tokens came.
const LATE_PROLONG: f64 = 0.9;

/// What is to be done about an authorization now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Prolong the refresh token by the platform's own call for it.
    Postpone,
    /// Fetch a new access token; on some platforms that prolongs the refresh token, too.
    Refresh,
    /// Warn that it ends within this many days.
    Warn(i64),
    /// Its end has come, and there is nothing to refresh it with: look once more before that is believed.
    Confirm,
    /// The same was found before: the shop has to be authorized again.
    End,
    /// Nothing yet.
    Nothing,
}

/// Returns `true` if the tokens were stored by a clock that was ahead: they are due now, and
/// their ends are unknown.
pub(crate) fn is_from_future(tokens: &TokenColumns, now: i64) -> bool {
    tokens.issued_at > now.saturating_add(CLOCK_MARGIN)
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
    let at = from.saturating_add(part(to.saturating_sub(from), chance));
    // A platform may give lives of seconds: they are fetched on demand.
    Some(at.max(tokens.issued_at.saturating_add(MINUTE)))
}

/// Returns when the shop has to be authorized again, unless it is prolonged before.
pub(crate) fn ends_at(tokens: &TokenColumns) -> Option<i64> {
    if tokens.refresh.is_some() && !tokens.refresh_denied {
        return tokens.refresh_expires_at;
    }
    tokens.access_expires_at
}

/// Returns the same of a row; `None` if it is not known. Tokens that came after an end show that it was a
/// guess.
pub(crate) fn end_of(row: &AuthorizationRow, now: i64) -> Option<i64> {
    let tokens = &row.tokens;
    let was_guess = |end: i64| row.last_success.is_some() && tokens.issued_at >= end;
    ends_at(tokens).filter(|end| !was_guess(*end) && !is_from_future(tokens, now))
}

/// Returns the end that a refresh token keeps when a reply names none. What a clock wrote that was ahead
/// is no later than a whole life from now.
pub(crate) fn kept_end(rules: &TokenRules, tokens: &TokenColumns, now: i64) -> Option<i64> {
    let latest = now.saturating_add(millis(rules.refresh_life));
    tokens.refresh_expires_at.map(|end| if is_from_future(tokens, now) { end.min(latest) } else { end })
}

/// Returns the time before which the platform is asked nothing, after a failure.
pub(crate) fn not_before(row: &AuthorizationRow, now: i64) -> Option<i64> {
    within_horizon(row.not_before, now)
}

/// No pause is longer: what lies further ahead was written by a clock that was ahead.
fn within_horizon(at: Option<i64>, now: i64) -> Option<i64> {
    at.filter(|at| at.saturating_sub(now) <= HORIZON)
}

/// Returns `true` if two sets of tokens end together, give or take half a day.
pub(crate) fn is_same_end(one: &TokenColumns, other: &TokenColumns) -> bool {
    match (ends_at(one), ends_at(other)) {
        (Some(one), Some(other)) => one.abs_diff(other) < DAY.unsigned_abs() / 2,
        (one, other) => one == other,
    }
}

/// Returns `true` if a refresh revealed an end that is nearer than what was believed, where refreshes do not
/// move it: the end that an import had was a guess.
pub(crate) fn came_nearer(rules: &TokenRules, former: &TokenColumns, now: &TokenColumns) -> bool {
    let is_nearer = ends_at(now).is_some_and(|now| ends_at(former).is_none_or(|former| now < former));
    is_nearer && (rules.refresh_end_fixed || rules.postpone.is_some())
}

/// Decides what is to be done now.
pub(crate) fn work(rules: &TokenRules, row: &AuthorizationRow, warm: WarmPolicy, now: i64) -> Work {
    if row.exhausted.is_some() {
        return Work::Nothing;
    }
    let end = end_of(row, now);
    let is_past = reached(end, now);
    if is_past && refresh_impossible(row).is_some() {
        return if row.tokens.announced == Some(0) { Work::End } else { Work::Confirm };
    }
    if may_postpone(rules, row, now) {
        return Work::Postpone;
    }
    if reached(refresh_from(rules, row, warm, now), now) {
        return Work::Refresh;
    }
    // Past the end it is too late for a warning: the platform decides.
    if is_past || !reached(warn_from(rules, row, now), now) {
        return Work::Nothing;
    }
    match end.and_then(|end| passed_mark(end, announced(row, end, now), now)) {
        Some(days) => Work::Warn(days),
        None => Work::Nothing,
    }
}

/// Returns when to look again, within a day; `None` if the shop has to be authorized again. `chance` in `0.0..1.0`
/// spreads what would otherwise fall together.
pub(crate) fn due_at(
    rules: &TokenRules,
    row: &AuthorizationRow,
    warm: WarmPolicy,
    now: i64,
    chance: f64,
) -> Option<i64> {
    if row.exhausted.is_some() {
        return None;
    }
    let end = end_of(row, now);
    let confirmed = |end: i64| if row.tokens.announced == Some(0) { end.max(now) + HOUR } else { end };
    let over = end.filter(|_| refresh_impossible(row).is_some()).map(confirmed);
    // A postponement that is tried again has its own time.
    let spread = if row.postpone_after.is_some() { 0.0 } else { POSTPONE_SPREAD * chance };
    let postpone = postpone_from(rules, row, now, part(millis(rules.postpone_window), spread));
    let refresh = refresh_from(rules, row, warm, now);
    let mark = end
        .filter(|end| now < *end)
        .and_then(|end| next_mark(end, announced(row, end, now)))
        .and_then(|mark| Some(mark.max(warn_from(rules, row, mark.max(now))?)));
    let look = now.saturating_add(HORIZON - HOUR - part(3 * HOUR, chance));
    [Some(look), over, postpone, refresh, mark].into_iter().flatten().min()
}

/// Returns `true` if the refresh token may be postponed now.
pub(crate) fn may_postpone(rules: &TokenRules, row: &AuthorizationRow, now: i64) -> bool {
    reached(postpone_from(rules, row, now, 0), now)
}

/// Returns how long a keeper leaves an authorization alone after consecutive failures: longer each time,
/// but always with tries left before the access token ends, and no longer than a day.
pub(crate) fn pause(tokens: &TokenColumns, failures: i64, now: i64) -> i64 {
    let left = tokens.access_expires_at.map_or(0, |end| end.saturating_sub(now));
    let is_over = reached(tokens.refresh_expires_at.map(|end| end.saturating_add(DAY)), now);
    let longest = match left {
        1.. => LONG_PAUSE.min(left / 4),
        _ if is_over => HORIZON,
        _ => LONG_PAUSE,
    };
    (SHORT_PAUSE << failures.clamp(0, 12)).min(longest)
}

/// Returns when a person has to act at the latest; `None` while a keeper prolongs the authorization by
/// itself. One that a keeper should have prolonged some time ago counts as one that ends: no keeper
/// runs, or it fails.
pub(crate) fn needs_person_by(rules: Option<&TokenRules>, row: &AuthorizationRow, now: i64) -> Option<i64> {
    if row.exhausted.is_some() {
        return Some(row.last_error_at.map_or(now, |at| at.min(now)));
    }
    let tokens = &row.tokens;
    // Nothing is refreshed until somebody mends it: calls work to the end of the access token.
    if row.blocked {
        return Some(tokens.access_expires_at.unwrap_or(now));
    }
    // The end is unknown, and no refresh will reveal it.
    if is_from_future(tokens, now) && refresh_impossible(row).is_some() {
        return Some(now);
    }
    let end = end_of(row, now)?;
    let Some(rules) = rules.filter(|_| refresh_impossible(row).is_none()) else { return Some(end) };
    let late = if rules.postpone.is_some() {
        let window = millis(rules.postpone_window);
        end.saturating_sub(window).saturating_add(part(window, LATE_POSTPONE))
    } else {
        if prolong_from(rules, row).is_none() {
            return Some(end);
        }
        tokens.issued_at.saturating_add(part(end.saturating_sub(tokens.issued_at).max(0), LATE_PROLONG))
    };
    (now >= late).then_some(end)
}

/// Returns when the next warning of an authorization's end is due.
pub(crate) fn next_warning(row: &AuthorizationRow, now: i64) -> Option<i64> {
    if row.exhausted.is_some() {
        return None;
    }
    let end = end_of(row, now)?;
    next_mark(end, announced(row, end, now))
}

fn reached(from: Option<i64>, now: i64) -> bool {
    from.is_some_and(|from| now >= from)
}

/// When the platform's window for postponements opens, if there is one for this refresh token.
fn window_opens(rules: &TokenRules, row: &AuthorizationRow) -> Option<i64> {
    rules.postpone.as_ref()?;
    if refresh_impossible(row).is_some() {
        return None;
    }
    Some(row.tokens.refresh_expires_at?.saturating_sub(millis(rules.postpone_window)))
}

/// From when on the refresh token may be postponed: `spread` after the window opens. Past its end, or if
/// that is not known, a refresh asks first whether it lives.
fn postpone_from(rules: &TokenRules, row: &AuthorizationRow, now: i64, spread: i64) -> Option<i64> {
    let opens = window_opens(rules, row).filter(|_| !is_from_future(&row.tokens, now))?;
    let postpone_after = within_horizon(row.postpone_after, now);
    let from = [Some(opens.saturating_add(spread)), postpone_after, not_before(row, now)];
    let end = end_of(row, now);
    from.into_iter().flatten().max().filter(|from| end.is_none_or(|end| now < end && *from < end))
}

/// From when on warnings are given, as it looks at a time. `None`: not as long as a postponement has
/// not been tried.
fn warn_from(rules: &TokenRules, row: &AuthorizationRow, at: i64) -> Option<i64> {
    let Some(opens) = window_opens(rules, row) else { return Some(i64::MIN) };
    let left = within_horizon(row.postpone_after, at)?.saturating_sub(at);
    // A fault that passes is worth some more tries before people are woken.
    Some(if left < BRIEF { opens.saturating_add(DAY) } else { i64::MIN })
}

/// From when on the tokens are to be refreshed: to keep the access token warm, because that prolongs
/// the refresh token, or to hear from the platform that this one has ended.
fn refresh_from(rules: &TokenRules, row: &AuthorizationRow, warm: WarmPolicy, now: i64) -> Option<i64> {
    if refresh_impossible(row).is_some() {
        return None;
    }
    let is_warm = match warm {
        WarmPolicy::Always => true,
        WarmPolicy::Used => row.last_used.is_some_and(|used| now.saturating_sub(used) < IN_USE),
        WarmPolicy::Never => false,
    };
    let from = if is_from_future(&row.tokens, now) {
        now
    } else {
        let warm = row.tokens.warm_at.filter(|_| is_warm);
        let last_try = end_of(row, now).map(|end| end.saturating_add(LAST_TRY));
        [warm, prolong_from(rules, row), unknown_ends_from(row), last_try].into_iter().flatten().min()?
    };
    Some(from.max(not_before(row, now).unwrap_or(from)))
}

/// Returns `true` if the tokens came from another program without their ends: a refresh tells them. Where
/// a platform's reply does not, that one refresh was all that could be done.
pub(crate) fn has_unknown_ends(row: &AuthorizationRow) -> bool {
    let tokens = &row.tokens;
    let is_unknown = tokens.refresh_expires_at.is_none()
        || (tokens.access.is_some() && tokens.access_expires_at.is_none());
    is_unknown && row.last_success.is_none() && refresh_impossible(row).is_none()
}

/// From when on tokens without known ends are to be refreshed: without an end they would
/// not be due before they have expired.
fn unknown_ends_from(row: &AuthorizationRow) -> Option<i64> {
    has_unknown_ends(row).then(|| row.tokens.warm_at.unwrap_or(row.tokens.issued_at))
}

/// From when on a refresh prolongs the refresh token, where one does: late in its life, but before
/// people would be warned of an end that does not come.
fn prolong_from(rules: &TokenRules, row: &AuthorizationRow) -> Option<i64> {
    if rules.refresh_end_fixed || rules.postpone.is_some() {
        return None;
    }
    let tokens = &row.tokens;
    let end = tokens.refresh_expires_at?;
    let left = end.saturating_sub(tokens.issued_at).max(0);
    let late = part(left, PROLONG_AT - PROLONG_SPREAD * chance_of(row.id));
    let from = tokens.issued_at.saturating_add(late);
    let from = match next_mark(end, tokens.announced) {
        Some(mark) => from.min(mark.saturating_sub(DAY / 2)),
        None => from,
    };
    let from = from.max(prolong_at_earliest(end, tokens.issued_at));
    (from < end).then_some(from)
}

/// Should the end not move after all, it is asked for at most once a day, or twice in a shorter life.
fn prolong_at_earliest(end: i64, issued_at: i64) -> i64 {
    let half = end.saturating_sub(issued_at).max(0) / 2;
    issued_at.saturating_add(half.clamp(MINUTE, DAY))
}

/// A chance that is always the same for one authorization.
fn chance_of(id: Id) -> f64 {
    let bytes = id.as_bytes();
    f64::from(u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])) / (f64::from(u32::MAX) + 1.0)
}

/// Returns the warning that counts as given for tokens that were just received: no warning is given of an
/// end that was as near from the beginning.
pub(crate) fn first_announced(rules: &TokenRules, tokens: &TokenColumns, now: i64) -> Option<i64> {
    let end = ends_at(tokens)?;
    // Where a refresh moves the end: no warning before that.
    let is_moved = !rules.refresh_end_fixed && rules.postpone.is_none();
    passed_mark(end, None, if is_moved { prolong_at_earliest(end, now) } else { now })
}

/// Returns the last warning given. One whose day has not come was given by a clock that was ahead, and
/// does not count.
fn announced(row: &AuthorizationRow, end: i64, now: i64) -> Option<i64> {
    let latest = now.saturating_add(DAY);
    row.tokens.announced.filter(|days| latest >= end.saturating_sub(days.saturating_mul(DAY)))
}

/// Returns the last warning given, to be stored after a look: without one that does not count, or it would
/// count when its day comes.
pub(crate) fn announced_so_far(row: &AuthorizationRow, now: i64) -> Option<i64> {
    end_of(row, now).map_or(row.tokens.announced, |end| announced(row, end, now))
}

/// The mark that was passed last and not announced, if one was.
fn passed_mark(end: i64, announced: Option<i64>, now: i64) -> Option<i64> {
    WARNING_DAYS
        .into_iter()
        .rev()
        .find(|mark| now >= end.saturating_sub(mark * DAY))
        .filter(|mark| announced.is_none_or(|announced| *mark < announced))
}

/// When the next mark comes that was not announced.
fn next_mark(end: i64, announced: Option<i64>) -> Option<i64> {
    let mark = WARNING_DAYS.into_iter().find(|mark| announced.is_none_or(|announced| *mark < announced))?;
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

#[cfg(test)]
mod tests;
