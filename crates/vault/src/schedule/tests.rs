use proptest::prelude::*;
use sesame_catalog::Catalog;

use super::*;

const NOW: i64 = 1_795_305_600_000;

fn rules(platform: &str) -> TokenRules {
    Catalog::builtin().platform(platform).unwrap().tokens.clone()
}

/// A row whose tokens came at `issued_at`.
fn row(issued_at: i64, access_life: i64, refresh_end: i64) -> AuthorizationRow {
    let id: Id = "01a2008d-7400-705d-aa4b-8acf76748aa2".parse().unwrap();
    let mut row = AuthorizationRow::new(id, id, None, issued_at);
    row.tokens.access = Some(vec![1]);
    row.tokens.refresh = Some(vec![2]);
    row.tokens.access_expires_at = Some(issued_at + access_life);
    row.tokens.refresh_expires_at = Some(refresh_end);
    row
}

/// What the rules say for an end that nothing moves, written down a second time and plainly.
fn expected_of_fixed(row: &AuthorizationRow, warm: WarmPolicy, now: i64) -> Work {
    let tokens = &row.tokens;
    let end = tokens.refresh_expires_at.unwrap();
    let may_ask = now >= row.not_before.unwrap_or(0);
    if now >= end + MINUTE && may_ask {
        return Work::Refresh;
    }
    let in_use = match warm {
        WarmPolicy::Always => true,
        WarmPolicy::Used => now - row.last_used.unwrap() < 7 * DAY,
        WarmPolicy::Never => false,
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
        // A warning that was given too early was given by a clock that was ahead.
        Some(mark) if tokens.announced.is_none_or(|days| mark < days || now + DAY < end - days * DAY) => {
            Work::Warn(mark)
        }
        _ => Work::Nothing,
    }
}

proptest! {
    /// Stepping through time hour by hour finds work exactly from the moment on that was planned.
    #[test]
    fn work_begins_when_it_is_due_and_not_before(
        platform in prop::sample::select(vec!["lazada", "aliexpress-legacy", "taobao"]),
        warm in prop::sample::select(vec![WarmPolicy::Always, WarmPolicy::Used, WarmPolicy::Never]),
        access_life in 1..60 * 24_i64,
        refresh_life in 1..300 * 24_i64,
        age in 0..300 * 24_i64,
        unused in 0..20 * 24_i64,
        announced in prop::option::of(prop::sample::select(WARNING_DAYS.to_vec())),
        not_before in prop::option::of(0..25_i64),
        postpone_after in prop::option::of(0..24_i64),
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
        let due = due_at(&rules, &row, warm, NOW, 0.0).unwrap();
        let look = NOW + HORIZON - HOUR;
        prop_assert!(due <= look);
        let mut at = NOW;
        while at < due {
            prop_assert_eq!(work(&rules, &row, warm, at), Work::Nothing, "at {} of {}", at - NOW, due - NOW);
            at += HOUR;
        }
        let at = due.max(NOW);
        let lapsed = warm == WarmPolicy::Used && at - row.last_used.unwrap() >= IN_USE;
        let found = work(&rules, &row, warm, at);
        prop_assert!(lapsed || due == look || found != Work::Nothing, "nothing at {}", at - NOW);
        if platform == "lazada" {
            for hour in 0..300 * 24 {
                let at = NOW + hour * HOUR;
                prop_assert_eq!(work(&rules, &row, warm, at), expected_of_fixed(&row, warm, at));
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
            match work(&rules, &row, WarmPolicy::Used, now) {
                Work::Warn(mark) => {
                    told.push(mark);
                    row.tokens.announced = Some(mark);
                }
                Work::Refresh => break,
                Work::Nothing => {}
                other => prop_assert!(false, "{:?}", other),
            }
            let due = due_at(&rules, &row, WarmPolicy::Used, now, 0.5).unwrap();
            prop_assert!(due > now || work(&rules, &row, WarmPolicy::Used, now) != Work::Nothing);
            prop_assert!(due <= now.max(NOW) + HORIZON);
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
            // Days on which there is nothing to do but to look.
            while work(&rules, &row, WarmPolicy::Used, now) == Work::Nothing {
                now = due_at(&rules, &row, WarmPolicy::Used, now, 0.5).unwrap();
            }
            prop_assert_eq!(work(&rules, &row, WarmPolicy::Used, now), Work::Refresh);
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
        warm in prop::sample::select(vec![WarmPolicy::Always, WarmPolicy::Used, WarmPolicy::Never]),
        access_left in -60..60 * 24_i64,
        refresh_left in -60..60 * 24_i64,
        pause in 1..24_i64,
        postpone_after in prop::option::of(0..25_i64),
        chance in 0.0..1.0_f64,
    ) {
        let rules = rules(platform);
        let mut row = row(NOW - 100 * DAY, 100 * DAY + access_left * HOUR, NOW + refresh_left * HOUR);
        row.tokens.warm_at = warm_at(&rules, &row.tokens, chance);
        row.last_used = Some(NOW);
        row.not_before = Some(NOW + pause * HOUR);
        row.postpone_after = postpone_after.map(|hours| NOW + hours * HOUR);
        let asks = |at| matches!(work(&rules, &row, warm, at), Work::Refresh | Work::Postpone);
        for hour in 0..pause {
            prop_assert!(!asks(NOW + hour * HOUR), "hour {hour} of {pause}");
        }
        let due = due_at(&rules, &row, warm, NOW, chance).unwrap().max(NOW);
        let is_a_look = due >= NOW + HORIZON - 4 * HOUR;
        if due < NOW + pause * HOUR && !is_a_look {
            let found = work(&rules, &row, warm, due);
            prop_assert!(matches!(found, Work::Warn(_) | Work::Confirm), "{found:?}");
        }
    }
}

#[test]
fn an_end_is_a_question_for_the_platform_and_tokens_after_it_an_answer() {
    let rules = rules("lazada");
    let mut row = row(NOW - 10 * DAY, 30 * DAY, NOW);
    row.last_used = None;
    let look = NOW + HORIZON - HOUR;
    let due = |row: &AuthorizationRow| due_at(&rules, row, WarmPolicy::Never, NOW, 0.0);
    let found = |row: &AuthorizationRow, at| work(&rules, row, WarmPolicy::Never, at);
    assert_eq!(due(&row), Some(NOW + LAST_TRY));
    assert_eq!(found(&row, NOW), Work::Nothing, "it is too late for a warning");
    assert_eq!(found(&row, NOW + LAST_TRY), Work::Refresh);
    row.tokens.issued_at = NOW;
    assert_eq!((end_of(&row, NOW), due(&row)), (None, Some(look)));
    // Imported: the end was said together with the tokens.
    row.last_success = None;
    assert_eq!(found(&row, NOW + LAST_TRY), Work::Refresh);
    // Without a refresh token there is nothing to ask for, and time alone is believed when it is seen
    // twice.
    row.tokens.refresh = None;
    row.tokens.issued_at = NOW - 10 * DAY;
    row.tokens.access_expires_at = Some(NOW + 1);
    assert_eq!(found(&row, NOW), Work::Warn(1));
    assert_eq!(found(&row, NOW + 1), Work::Confirm);
    row.tokens.announced = Some(0);
    assert_eq!(due_at(&rules, &row, WarmPolicy::Never, NOW + 1, 0.0), Some(NOW + 1 + HOUR));
    assert_eq!(found(&row, NOW + 1 + HOUR), Work::End);
    assert_eq!(found(&row, NOW - 2 * DAY), Work::Warn(7), "and not if a clock was ahead");
}

#[test]
fn tokens_from_the_future_are_due_now_and_their_ends_are_unknown() {
    for platform in ["lazada", "aliexpress-legacy", "taobao"] {
        let rules = rules(platform);
        let ahead = NOW + 5 * 365 * DAY;
        let mut row = row(ahead, 10 * HOUR, ahead + 180 * DAY);
        row.tokens.warm_at = warm_at(&rules, &row.tokens, 0.5);
        assert_eq!(work(&rules, &row, WarmPolicy::Never, NOW), Work::Refresh, "{platform}");
        assert_eq!(due_at(&rules, &row, WarmPolicy::Never, NOW, 0.5), Some(NOW));
        assert_eq!((end_of(&row, NOW), next_warning(&row, NOW)), (None, None));
        assert_eq!(kept_end(&rules, &row.tokens, NOW), Some(NOW + millis(rules.refresh_life)));
        // Clocks differ a little.
        assert!(!is_from_future(&row.tokens, ahead - CLOCK_MARGIN));
        // What a platform asked for is heeded, unless that is of such a clock, too.
        row.not_before = Some(NOW + HOUR);
        assert_eq!(work(&rules, &row, WarmPolicy::Never, NOW), Work::Nothing);
        row.not_before = Some(ahead);
        assert_eq!(work(&rules, &row, WarmPolicy::Never, NOW), Work::Refresh);
    }
}

/// What a keeper makes of a shop whose refresh token ends for good at `end`, hour by hour or when it is due:
/// the hours at which it looked, and the warnings with their hours. For some hours its clock is wrong.
fn looks_and_warnings(
    end: i64,
    warm: WarmPolicy,
    hours: i64,
    jump: Option<(i64, i64, i64)>,
) -> (Vec<i64>, Vec<(i64, i64)>) {
    let rules = rules("lazada");
    let mut row = row(NOW, 30 * DAY, end);
    row.last_used = Some(NOW);
    row.tokens.warm_at = warm_at(&rules, &row.tokens, 0.5);
    row.tokens.announced = first_announced(&rules, &row.tokens, NOW);
    row.tokens.due_at = due_at(&rules, &row, warm, NOW, 0.5);
    let (mut looks, mut told) = (Vec::new(), Vec::new());
    for hour in 0..hours {
        let real = NOW + hour * HOUR;
        let wrong = jump.filter(|(from, length, _)| (*from..from + length).contains(&hour));
        let now = real + wrong.map_or(0, |(.., by)| by);
        // As housekeeping does.
        let due = row.tokens.due_at.map(|at| if at > now + HORIZON { now } else { at });
        if due.is_none_or(|due| due > now) {
            continue;
        }
        looks.push(hour);
        match work(&rules, &row, warm, now) {
            // The platform goes by its own time, and gives ends as seconds from now.
            Work::Refresh if real < end => {
                let ends = now + (end - real);
                let kept = kept_end(&rules, &row.tokens, now).filter(|kept| *kept > now);
                row.tokens.issued_at = now;
                row.last_success = Some(now);
                row.tokens.access_expires_at = Some(now + 30 * DAY);
                row.tokens.refresh_expires_at = Some(kept.map_or(ends, |kept| kept.min(ends)));
                row.tokens.warm_at = warm_at(&rules, &row.tokens, 0.5);
            }
            Work::Refresh => return (looks, told),
            Work::Warn(mark) => {
                row.tokens.announced = Some(mark);
                told.push((mark, hour));
            }
            Work::Nothing => {}
            other => panic!("{other:?} at hour {hour}: there is a refresh token"),
        }
        row.tokens.due_at = due_at(&rules, &row, warm, now, 0.5).map(|due| due.max(now + MINUTE));
        row.tokens.announced = announced_so_far(&row, now);
    }
    (looks, told)
}

proptest! {
    /// Whenever a clock is wrong, by whatever and for however long: the shop is looked at within a day of
    /// its return, and its end is announced as it would have been, a day later at most.
    #[test]
    fn a_clock_that_was_wrong_delays_looks_and_warnings_by_a_day_at_most(
        warm in prop::sample::select(vec![WarmPolicy::Always, WarmPolicy::Used, WarmPolicy::Never]),
        life in 40..200_i64,
        from in 1..150 * 24_i64,
        length in 1..72_i64,
        by in prop_oneof![-10 * 365..10 * 365_i64, -40..40_i64, -3..3_i64],
        minutes in -90..90_i64,
    ) {
        let hours = (life + 3) * 24;
        let end = NOW + life * DAY;
        let by = by * DAY + minutes * MINUTE;
        let (_, plain) = looks_and_warnings(end, warm, hours, None);
        let (looks, told) = looks_and_warnings(end, warm, hours, Some((from, length, by)));
        let back = from + length;
        if back + 24 < life * 24 {
            prop_assert!(looks.iter().any(|hour| (back..=back + 24).contains(hour)), "not looked at: {looks:?}");
        }
        for (mark, hour) in plain.into_iter().filter(|(_, hour)| *hour > back) {
            // A clock that was behind may leave an end that is too near: then what is announced is more
            // urgent. One that was ahead has given the warnings of the two days after its return.
            let is_told = |(told, at): &(i64, i64)| {
                *told <= mark && *at <= hour + 24 && (*at >= back || hour <= back + 48)
            };
            prop_assert!(told.iter().any(is_told), "{mark} days at {hour}: {told:?}");
        }
    }
}

#[test]
fn a_warning_whose_day_has_not_come_is_given_again() {
    let rules = rules("lazada");
    let mut row = row(NOW, HOUR, NOW + 180 * DAY);
    row.tokens.announced = Some(2);
    assert_eq!(next_warning(&row, NOW), Some(NOW + 150 * DAY));
    assert_eq!(work(&rules, &row, WarmPolicy::Never, NOW + 150 * DAY), Work::Warn(30));
    assert_eq!(next_warning(&row, NOW + 178 * DAY), Some(NOW + 179 * DAY));
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
    assert_eq!(pause(&tokens, i64::MAX, NOW + 2 * DAY), DAY, "long over, and the platform does not answer");
}
