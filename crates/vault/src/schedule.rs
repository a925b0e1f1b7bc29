//! When a keeper has to look at an authorization, and what it finds to do: pure, from the row, the
//! platform's rules and the time.
//!
//! One column, `due_at`, says when to look next for whatever reason, so that a keeper's cost follows
//! the authorizations that are due and not those that are kept.

use sesame_catalog::TokenRules;

use crate::{
    Id,
    accounts::authorization::{Windows, hopeless},
    store::{AuthorizationRow, TokenColumns},
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

/// How many days before an authorization ends people are told, longest first.
pub(crate) const MARKS: [i64; 4] = [30, 7, 2, 1];

pub(crate) const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// How long a shop counts as used after its token was asked for.
const IN_USE: i64 = 7 * DAY;
/// From this part of its life on an access token is renewed; the rest, up to the advisory window, is
/// what refreshes are spread over. Shops imported in one minute are not refreshed in one minute.
const WARM_FROM: f64 = 0.6;
/// A refresh token that a refresh prolongs is renewed after this part of what is left of it.
const PROLONG_AT: f64 = 0.75;
/// Refreshes that prolong are spread over this part of what is left.
const PROLONG_SPREAD: f64 = 0.05;
/// A keeper's pause after a first failure, and its longest one once an access token has ended.
const SHORT_PAUSE: i64 = 30_000;
const LONG_PAUSE: i64 = 15 * 60_000;
/// No pause is longer than a day: a time beyond this is damage, or of a clock that was set back since.
const ABSURD_PAUSE: i64 = DAY + HOUR;
/// How long after its end a refresh token is tried all the same: ends come in whole seconds, are often
/// guesses, and clocks differ.
const LAST_TRY: i64 = MINUTE;
/// A refresh token that brings nothing so long after its end is over, whatever the failure.
const OVER: i64 = DAY;
/// What was written down so much later than now was written by a clock that was ahead.
pub(crate) const AHEAD: i64 = HOUR;
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
    /// Warn that it ends within so many days.
    Announce(i64),
    /// Its end has come, and there is nothing to refresh it with: only a person helps.
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
    let at = from.saturating_add(part(to.saturating_sub(from), chance));
    // A platform may give lives of seconds: they are fetched on demand.
    Some(at.max(tokens.issued_at.saturating_add(MINUTE)))
}

/// Returns when a person has to authorize the shop again, if nothing prolongs it before.
pub(crate) fn ends_at(tokens: &TokenColumns) -> Option<i64> {
    if tokens.refresh.is_some() && !tokens.refresh_denied {
        return tokens.refresh_expires_at;
    }
    tokens.access_expires_at
}

/// The same of a row; nothing when nobody knows. Tokens that came after an end show that it was a
/// guess.
pub(crate) fn end_of(row: &AuthorizationRow) -> Option<i64> {
    let was_received = row.last_success.is_some();
    ends_at(&row.tokens).filter(|end| !(was_received && row.tokens.issued_at >= *end))
}

/// Tells whether a refresh token ended so long ago that a failure of any kind proves it.
pub(crate) fn is_over(row: &AuthorizationRow, now: i64) -> bool {
    reached(end_of(row).map(|end| end.saturating_add(OVER)), now)
}

/// Tells whether an authorization was given up by a clock that was ahead and has been set back since.
pub(crate) fn was_given_up_ahead(row: &AuthorizationRow, now: i64) -> bool {
    row.exhausted.is_some() && row.last_error_at.is_some_and(|at| at > now.saturating_add(AHEAD))
}

/// Returns before when the platform is asked nothing, after a failure.
pub(crate) fn not_before(row: &AuthorizationRow, now: i64) -> Option<i64> {
    row.not_before.filter(|at| at.saturating_sub(now) <= ABSURD_PAUSE)
}

/// Tells whether two sets of tokens end together, give or take half a day.
pub(crate) fn is_same_end(one: &TokenColumns, other: &TokenColumns) -> bool {
    match (ends_at(one), ends_at(other)) {
        (Some(one), Some(other)) => one.abs_diff(other) < DAY.unsigned_abs() / 2,
        (one, other) => one == other,
    }
}

/// Tells whether a refresh revealed an end that is nearer than what was believed, where refreshes do not
/// move it: the end that an import had was a guess.
pub(crate) fn came_nearer(rules: &TokenRules, former: &TokenColumns, now: &TokenColumns) -> bool {
    let is_nearer = ends_at(now).is_some_and(|now| ends_at(former).is_none_or(|former| now < former));
    is_nearer && (rules.refresh_end_fixed || rules.postpone.is_some())
}

/// Decides what is to be done now.
pub(crate) fn work(rules: &TokenRules, row: &AuthorizationRow, keep: Keep, now: i64) -> Work {
    if row.exhausted.is_some() {
        return Work::Nothing;
    }
    let end = end_of(row);
    let is_past = reached(end, now);
    if is_past && hopeless(row).is_some() {
        return Work::End;
    }
    if may_postpone(rules, row, now) {
        return Work::Postpone;
    }
    if reached(refresh_from(rules, row, keep, now), now) {
        return Work::Refresh;
    }
    // Past the end it is too late for a warning: the platform decides.
    if is_past || !reached(warn_from(rules, row, now), now) {
        return Work::Nothing;
    }
    match end.and_then(|end| passed_mark(end, row.tokens.announced, now)) {
        Some(mark) => Work::Announce(mark),
        None => Work::Nothing,
    }
}

/// Returns when to look again. `chance` in `0.0..1.0` spreads what would otherwise fall together.
pub(crate) fn due_at(
    rules: &TokenRules,
    row: &AuthorizationRow,
    keep: Keep,
    now: i64,
    chance: f64,
) -> Option<i64> {
    if row.exhausted.is_some() {
        return None;
    }
    let end = end_of(row);
    let over = end.filter(|_| hopeless(row).is_some());
    // A postponement that is tried again has its own time.
    let chance = if row.postpone_after.is_some() { 0.0 } else { chance };
    let spread = part(millis(rules.postpone_window), POSTPONE_SPREAD * chance);
    let postpone = postpone_from(rules, row, now, spread);
    let refresh = refresh_from(rules, row, keep, now);
    let mark = end
        .filter(|end| now < *end)
        .and_then(|end| next_mark(end, row.tokens.announced))
        .and_then(|mark| Some(mark.max(warn_from(rules, row, mark.max(now))?)));
    [over, postpone, refresh, mark].into_iter().flatten().min()
}

/// Tells whether the refresh token may be postponed now.
pub(crate) fn may_postpone(rules: &TokenRules, row: &AuthorizationRow, now: i64) -> bool {
    reached(postpone_from(rules, row, now, 0), now)
}

/// How long a keeper leaves an authorization alone after so many failures in a row: longer each time,
/// but always with tries left before the access token ends.
pub(crate) fn pause(tokens: &TokenColumns, failures: i64, now: i64) -> i64 {
    let grown = SHORT_PAUSE << failures.clamp(0, 5);
    let left = tokens.access_expires_at.map_or(0, |end| end.saturating_sub(now));
    if left > 0 { grown.min(left / 4) } else { grown.min(LONG_PAUSE) }
}

/// When a person has to act at the latest; nothing while a keeper prolongs the authorization by
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
    let end = end_of(row)?;
    let Some(rules) = rules.filter(|_| hopeless(row).is_none()) else { return Some(end) };
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

/// When the next warning of an authorization's end is due.
pub(crate) fn next_warning(row: &AuthorizationRow) -> Option<i64> {
    if row.exhausted.is_some() {
        return None;
    }
    next_mark(end_of(row)?, row.tokens.announced)
}

fn reached(from: Option<i64>, now: i64) -> bool {
    from.is_some_and(|from| now >= from)
}

/// When the platform's window for postponements opens, if there is one for this refresh token.
fn window_opens(rules: &TokenRules, row: &AuthorizationRow) -> Option<i64> {
    rules.postpone.as_ref()?;
    if hopeless(row).is_some() {
        return None;
    }
    Some(row.tokens.refresh_expires_at?.saturating_sub(millis(rules.postpone_window)))
}

/// From when on the refresh token may be postponed, so long after the window opens. Past its end a
/// refresh asks first whether it lives.
fn postpone_from(rules: &TokenRules, row: &AuthorizationRow, now: i64, spread: i64) -> Option<i64> {
    let opens = window_opens(rules, row).filter(|_| !reached(end_of(row), now))?;
    [Some(opens.saturating_add(spread)), row.postpone_after, not_before(row, now)].into_iter().flatten().max()
}

/// From when on warnings are given, as it looks at a time. Nothing: not as long as a postponement has
/// not been tried.
fn warn_from(rules: &TokenRules, row: &AuthorizationRow, at: i64) -> Option<i64> {
    let Some(opens) = window_opens(rules, row) else { return Some(i64::MIN) };
    let left = row.postpone_after?.saturating_sub(at);
    // A fault that passes is worth some more tries before people are woken.
    Some(if left < BRIEF { opens.saturating_add(DAY) } else { i64::MIN })
}

/// From when on the tokens are to be refreshed: to keep the access token warm, because that prolongs
/// the refresh token, or to hear from the platform that this one has ended.
fn refresh_from(rules: &TokenRules, row: &AuthorizationRow, keep: Keep, now: i64) -> Option<i64> {
    if hopeless(row).is_some() {
        return None;
    }
    let is_warm = match keep {
        Keep::Always => true,
        Keep::Used => row.last_used.is_some_and(|used| now.saturating_sub(used) < IN_USE),
        Keep::Never => false,
    };
    // Rows of an older version were never planned: their chance follows from the id.
    let warm = || row.tokens.warm_at.or_else(|| warm_at(rules, &row.tokens, chance_of(row.id)));
    let warm = is_warm.then(warm).flatten();
    let last_try = end_of(row).map(|end| end.saturating_add(LAST_TRY));
    let wanted = [warm, prolong_from(rules, row), untold_from(row), last_try];
    let from = wanted.into_iter().flatten().min()?;
    Some(from.max(not_before(row, now).unwrap_or(from)))
}

/// Tells whether the tokens came from another program without their ends: a refresh tells them. Where
/// a platform's reply does not, that one refresh was all that could be done.
pub(crate) fn ends_untold(row: &AuthorizationRow) -> bool {
    let tokens = &row.tokens;
    let is_unknown = tokens.refresh_expires_at.is_none()
        || (tokens.access.is_some() && tokens.access_expires_at.is_none());
    is_unknown && row.last_success.is_none() && hopeless(row).is_none()
}

/// From when on tokens without known ends are to be refreshed: without an end to look for, nobody
/// would look again before they have died.
fn untold_from(row: &AuthorizationRow) -> Option<i64> {
    ends_untold(row).then(|| row.tokens.warm_at.unwrap_or(row.tokens.issued_at))
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

/// Returns the mark that counts as announced for tokens that were just received: nobody is warned of
/// an end that was as near from the beginning.
pub(crate) fn first_announced(rules: &TokenRules, tokens: &TokenColumns, now: i64) -> Option<i64> {
    let end = ends_at(tokens)?;
    // Where a refresh moves the end: no warning before that.
    let is_moved = !rules.refresh_end_fixed && rules.postpone.is_none();
    passed_mark(end, None, if is_moved { prolong_at_earliest(end, now) } else { now })
}

/// The mark that was passed last and not announced, if one was.
fn passed_mark(end: i64, announced: Option<i64>, now: i64) -> Option<i64> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sesame_catalog::Catalog;

    use super::*;
    use crate::vault::blank;

    const NOW: i64 = 1_795_305_600_000;

    fn rules(platform: &str) -> TokenRules {
        Catalog::builtin().platform(platform).unwrap().tokens.clone()
    }

    /// A row whose tokens came at `issued_at`.
    fn row(issued_at: i64, access_life: i64, refresh_end: i64) -> AuthorizationRow {
        let id: Id = "01a2008d-7400-705d-aa4b-8acf76748aa2".parse().unwrap();
        let mut row = blank(id, id, None, issued_at);
        row.tokens.access = Some(vec![1]);
        row.tokens.refresh = Some(vec![2]);
        row.tokens.access_expires_at = Some(issued_at + access_life);
        row.tokens.refresh_expires_at = Some(refresh_end);
        row
    }

    /// What the rules say for an end that nothing moves, written down a second time and plainly.
    fn expected_of_fixed(row: &AuthorizationRow, keep: Keep, now: i64) -> Work {
        let tokens = &row.tokens;
        let end = tokens.refresh_expires_at.unwrap();
        let may_ask = now >= row.not_before.unwrap_or(0);
        if now >= end + MINUTE && may_ask {
            return Work::Refresh;
        }
        let in_use = match keep {
            Keep::Always => true,
            Keep::Used => now - row.last_used.unwrap() < 7 * DAY,
            Keep::Never => false,
        };
        if in_use && now >= tokens.warm_at.unwrap() && may_ask {
            return Work::Refresh;
        }
        if now >= end {
            return Work::Nothing;
        }
        let days_left = (end - now) / DAY + i64::from((end - now) % DAY != 0);
        let mark = [1, 2, 7, 30].into_iter().find(|mark| days_left <= *mark);
        match mark {
            Some(mark) if mark < tokens.announced.unwrap_or(i64::MAX) => Work::Announce(mark),
            _ => Work::Nothing,
        }
    }

    proptest! {
        /// Stepping through time hour by hour finds work exactly from the moment on that was planned.
        #[test]
        fn work_begins_when_it_is_due_and_not_before(
            platform in prop::sample::select(vec!["lazada", "aliexpress-legacy", "taobao"]),
            keep in prop::sample::select(vec![Keep::Always, Keep::Used, Keep::Never]),
            access_life in 1..60 * 24_i64,
            refresh_life in 1..300 * 24_i64,
            age in 0..300 * 24_i64,
            unused in 0..20 * 24_i64,
            announced in prop::option::of(prop::sample::select(MARKS.to_vec())),
            not_before in prop::option::of(0..25_i64),
            postpone_after in prop::option::of(0..48_i64),
            chance in 0.0..1.0_f64,
        ) {
            let rules = rules(platform);
            let issued_at = NOW - age * HOUR;
            let mut row = row(issued_at, access_life * HOUR, issued_at + refresh_life * HOUR);
            row.last_used = Some(NOW - unused * HOUR);
            row.tokens.announced = announced;
            row.tokens.warm_at = warm_at(&rules, &row.tokens, chance);
            row.not_before = not_before.map(|hours| NOW + hours * HOUR);
            row.postpone_after = postpone_after.map(|hours| NOW + hours * HOUR);
            row.last_error_at = row.postpone_after.map(|_| NOW - HOUR);
            let due = due_at(&rules, &row, keep, NOW, 0.0).unwrap();
            let mut at = NOW;
            while at < due {
                prop_assert_eq!(work(&rules, &row, keep, at), Work::Nothing, "at {} of {}", at - NOW, due - NOW);
                at += HOUR;
            }
            let at = due.max(NOW);
            let lapsed = keep == Keep::Used && at - row.last_used.unwrap() >= IN_USE;
            prop_assert!(lapsed || work(&rules, &row, keep, at) != Work::Nothing, "nothing at {}", at - NOW);
            if platform == "lazada" {
                for hour in 0..300 * 24 {
                    let at = NOW + hour * HOUR;
                    prop_assert_eq!(work(&rules, &row, keep, at), expected_of_fixed(&row, keep, at));
                }
            }
        }

        /// Whenever a keeper looks, and however long it was away: the marks that have passed are
        /// announced once, the nearest first seen, and the end once.
        #[test]
        fn marks_are_announced_once_in_order(
            life in 1..200 * 24_i64,
            away in prop::collection::vec(0..15 * 24_i64, 0..20),
        ) {
            let rules = rules("lazada");
            let mut row = row(NOW, HOUR, NOW + life * HOUR);
            row.last_used = None;
            row.tokens.announced = first_announced(&rules, &row.tokens, NOW);
            let (mut now, mut told, mut away) = (NOW, Vec::new(), away.into_iter());
            loop {
                match work(&rules, &row, Keep::Used, now) {
                    Work::Announce(mark) => {
                        told.push(mark);
                        row.tokens.announced = Some(mark);
                    }
                    Work::Refresh => break,
                    Work::Nothing => {}
                    other => prop_assert!(false, "{:?}", other),
                }
                let due = due_at(&rules, &row, Keep::Used, now, 0.5).unwrap();
                prop_assert!(due > now || work(&rules, &row, Keep::Used, now) != Work::Nothing);
                now = due.max(now) + away.next().unwrap_or(0) * HOUR;
            }
            prop_assert!(told.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", told);
            prop_assert!(now >= NOW + life * HOUR);
        }

        /// A refresh that moves the end comes before anybody is warned of it, however short the life.
        #[test]
        fn an_end_that_moves_is_never_announced(life in prop_oneof![1..60_i64, 60..400 * 24_i64]) {
            let rules = rules("taobao");
            let mut now = NOW;
            for _ in 0..10 {
                let mut row = row(now, HOUR, now + life * HOUR);
                row.last_used = None;
                row.tokens.announced = first_announced(&rules, &row.tokens, now);
                now = due_at(&rules, &row, Keep::Used, now, 0.5).unwrap();
                prop_assert_eq!(work(&rules, &row, Keep::Used, now), Work::Refresh);
                prop_assert!(now < row.tokens.refresh_expires_at.unwrap(), "and before it has come");
            }
        }
    }

    proptest! {
        /// After a failure nothing is asked of the platform before the pause is over, and a keeper looks
        /// before that only if it has something to say.
        #[test]
        fn a_pause_is_heeded_by_all_that_asks_the_platform(
            platform in prop::sample::select(vec!["lazada", "aliexpress-legacy", "taobao"]),
            keep in prop::sample::select(vec![Keep::Always, Keep::Used, Keep::Never]),
            access_left in -60..60 * 24_i64,
            refresh_left in -60..60 * 24_i64,
            pause in 1..25_i64,
            postpone_after in prop::option::of(0..25_i64),
            chance in 0.0..1.0_f64,
        ) {
            let rules = rules(platform);
            let mut row = row(NOW - 100 * DAY, 100 * DAY + access_left * HOUR, NOW + refresh_left * HOUR);
            row.tokens.warm_at = warm_at(&rules, &row.tokens, chance);
            row.last_used = Some(NOW);
            row.not_before = Some(NOW + pause * HOUR);
            row.postpone_after = postpone_after.map(|hours| NOW + hours * HOUR);
            let asks = |at| matches!(work(&rules, &row, keep, at), Work::Refresh | Work::Postpone);
            for hour in 0..pause {
                prop_assert!(!asks(NOW + hour * HOUR), "hour {hour} of {pause}");
            }
            let due = due_at(&rules, &row, keep, NOW, chance).map(|due| due.max(NOW));
            if let Some(due) = due.filter(|due| *due < NOW + pause * HOUR) {
                let found = work(&rules, &row, keep, due);
                prop_assert!(matches!(found, Work::Announce(_) | Work::End), "{found:?}");
            }
        }
    }

    #[test]
    fn an_end_is_a_question_for_the_platform_and_tokens_after_it_an_answer() {
        let rules = rules("lazada");
        let mut row = row(NOW - 10 * DAY, 30 * DAY, NOW);
        row.last_used = None;
        assert_eq!(due_at(&rules, &row, Keep::Never, NOW, 0.5), Some(NOW + LAST_TRY));
        assert_eq!(work(&rules, &row, Keep::Never, NOW), Work::Nothing, "it is too late for a warning");
        assert_eq!(work(&rules, &row, Keep::Never, NOW + LAST_TRY), Work::Refresh);
        assert!(!is_over(&row, NOW + DAY - 1) && is_over(&row, NOW + DAY));
        row.tokens.issued_at = NOW;
        assert_eq!((end_of(&row), due_at(&rules, &row, Keep::Never, NOW, 0.5)), (None, None));
        assert!(!is_over(&row, NOW + DAY));
        // Imported: the end was said together with the tokens.
        row.last_success = None;
        assert_eq!(work(&rules, &row, Keep::Never, NOW + LAST_TRY), Work::Refresh);
        // Without a refresh token there is nothing to ask for.
        row.tokens.refresh = None;
        row.tokens.access_expires_at = Some(NOW + 1);
        assert_eq!(work(&rules, &row, Keep::Never, NOW), Work::Announce(1));
        assert_eq!(work(&rules, &row, Keep::Never, NOW + 1), Work::End);
    }

    #[test]
    fn what_a_clock_wrote_that_was_ahead_is_told_from_what_clocks_differ_by() {
        let mut row = row(NOW, DAY, NOW + DAY);
        row.last_error_at = Some(NOW + 2 * AHEAD);
        assert!(!was_given_up_ahead(&row, NOW));
        row.exhausted = Some("ended".to_owned());
        assert!(was_given_up_ahead(&row, NOW) && !was_given_up_ahead(&row, NOW + AHEAD));
        row.not_before = Some(NOW + DAY);
        assert_eq!(not_before(&row, NOW), Some(NOW + DAY));
        row.not_before = Some(NOW + 2 * DAY);
        assert_eq!(not_before(&row, NOW), None);
    }

    #[test]
    fn access_tokens_are_renewed_over_a_third_of_their_life_and_before_anybody_waits() {
        let rules = rules("aliexpress-legacy");
        let tokens = row(NOW, 10 * HOUR, NOW + 180 * DAY).tokens;
        let first = warm_at(&rules, &tokens, 0.0).unwrap();
        let last = warm_at(&rules, &tokens, 1.0).unwrap();
        assert_eq!(first, NOW + 6 * HOUR);
        assert_eq!(last, NOW + 10 * HOUR - 10 * 60_000);
        let brief = row(NOW, 10_000, NOW + 180 * DAY).tokens;
        assert_eq!(warm_at(&rules, &brief, 0.0), Some(NOW + MINUTE), "lives of seconds make no storm");
    }

    #[test]
    fn pauses_grow_and_leave_tries_before_the_end() {
        let tokens = row(NOW, HOUR, NOW + DAY).tokens;
        assert_eq!(pause(&tokens, 0, NOW), 30_000);
        assert_eq!(pause(&tokens, 1, NOW), 60_000);
        assert_eq!(pause(&tokens, i64::MAX, NOW), 15 * 60_000);
        assert_eq!(pause(&tokens, 9, NOW + HOUR - 60_000), 15_000);
        assert_eq!(pause(&tokens, 9, NOW + 2 * HOUR), 15 * 60_000);
    }
}
