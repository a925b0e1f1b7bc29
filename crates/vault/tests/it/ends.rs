//! The ends of authorizations: prolonged where they can be, announced where they cannot, believed with care.

use std::{sync::Arc, time::Duration};

use crate::support::{
    FakeTransport, Home, IopService, Policy, START, app, as_name, log_in,
    param2::{DAY, HOUR, Param2Service, at, events, home, keep_until, row, shop, shops},
    reply,
};
use sesame_core::{AccessToken, Error, ErrorKind, RefreshToken, Retry};
use sesame_vault::{
    AccountState, ImportedTokens, Keeper, KeeperOptions, Vault, WarmPolicy,
    store::{AccountStore as _, AuditQuery, EventStore as _, Notes, SqlStore, Store, TokenStore as _},
};

/// A home with a store in memory and an app of Lazada, whose ends do not move.
async fn lazada() -> (Home, IopService, Vault, Arc<SqlStore>) {
    let mut home = home(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Dies, &home.clock);
    home.transport = service.transport();
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let vault = Vault::open_with(home.options(), store.clone()).await.unwrap();
    app(&vault, "lazada").await;
    (home, service, vault, store)
}

#[tokio::test]
async fn in_its_last_30_days_a_refresh_token_is_postponed_and_nobody_is_warned() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 3, 31 * DAY, 31 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Never));
    keep_until(&keeper, &home, DAY - 60).await;
    assert_eq!(service.postponed().len(), 0, "not before the window opens");
    keep_until(&keeper, &home, DAY + 13 * HOUR).await;
    assert_eq!(service.postponed().len(), 3);
    assert_eq!(service.refreshes(), 0);
    assert_eq!(events(store.as_ref()).await, []);
    let full = row(store.as_ref(), "shop-0000").await;
    assert_eq!(full.authorization.generation, 2);
    assert_eq!(full.authorization.tokens.refresh_expires_at, Some(1_811_779_200_000));
    assert_eq!(full.authorization.tokens.announced, None);
    let lines = store.audit(AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "postpone" && line.succeeded).count(), 3);
    // The new one is what is spent from now on.
    vault.refresh("shop-0000").await.unwrap();
    assert_eq!(service.spent().into_keys().collect::<Vec<_>>(), ["imported-refresh-0000-again"]);
}

#[tokio::test]
async fn where_the_access_token_has_ended_a_refresh_comes_before_the_postponement() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, HOUR, 31 * DAY).await;
    home.clock.advance_secs(2 * DAY);
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Never));
    let done = keeper.tick().await.unwrap().done;
    assert_eq!((done.refreshed, done.postponed, done.failed), (1, 1, 0));
    assert_eq!(service.postponed(), ["imported-refresh-0000"]);
    let full = row(store.as_ref(), "shop-0000").await;
    assert_eq!((full.authorization.generation, full.authorization.lease_owner), (3, None));
    assert_eq!(home.transport.seen()[1].form["access_token"], "access-1-imported-refresh-0000");
}

#[tokio::test]
async fn a_refused_postponement_is_tried_once_a_day_and_all_four_warnings_are_given() {
    let service = Param2Service::default();
    service.0.lock().unwrap().refuse_postponements = true;
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Never));
    keep_until(&keeper, &home, 30 * DAY).await;
    // Refreshes have no cool-down by it.
    assert_eq!(row(store.as_ref(), "shop-0000").await.authorization.not_before, None);
    service.0.lock().unwrap().refuse_refreshes = true;
    keep_until(&keeper, &home, 32 * DAY).await;
    let exhausted = ("exhausted".to_owned(), None);
    let four = [expiring(30), expiring(7), expiring(2), expiring(1), exhausted];
    assert_eq!(told(store.as_ref()).await, four);
    let tries = home.transport.seen().iter().filter(|seen| seen.url.contains("postpone")).count();
    assert!((25..=31).contains(&tries), "{tries} tries in 30 days");
    let account = vault.account("shop-0000").await.unwrap();
    assert!(matches!(account.state, AccountState::NeedsAuthorization { .. }), "{account:?}");
    let row = row(store.as_ref(), "shop-0000").await.authorization;
    assert_eq!((row.lease_owner, row.tokens.due_at), (None, None));
}

#[tokio::test]
async fn a_lost_answer_to_a_postponement_costs_nothing_but_a_refresh() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    home.clock.advance_secs(DAY + 13 * HOUR);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Timeout, "no answer").with_ambiguity(true)));
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Never));
    let done = keeper.tick().await.unwrap().done;
    assert_eq!((done.postponed, done.failed), (0, 1));
    let failed = row(store.as_ref(), "shop-0000").await.authorization;
    assert!(failed.refreshing_since.is_some(), "the intent stays");
    assert!(failed.last_error.is_some() && failed.exhausted.is_none());
    assert_eq!(events(store.as_ref()).await, [], "a fault that passes wakes nobody");
    let answering = service.transport();
    home.transport.answer(move |seen| answering.ask(seen));
    keep_until(&keeper, &home, DAY + 15 * HOUR).await;
    assert_eq!(service.spent().get("imported-refresh-0000"), Some(&1), "the old one is tried first");
    assert_eq!(service.postponed(), ["imported-refresh-0000"]);
    assert_eq!(events(store.as_ref()).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_on_demand_postpones_too_and_its_caller_does_not_wait_for_that() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let one = home.open().await;
    app(&one, "aliexpress-legacy").await;
    let (account, _) = one.import_tokens("aliexpress-legacy", shop(0, HOUR, 20 * DAY)).await.unwrap();
    home.clock.advance_secs(2 * HOUR);
    let other = home.open().await;
    let token = one.token(&account.id).await.unwrap();
    assert_eq!(token.expose(), "access-1-imported-refresh-0000");
    one.settle().await;
    assert_eq!(service.postponed(), ["imported-refresh-0000"]);
    let newest = one.token(&account.id).await.unwrap();
    assert_eq!(newest.expose(), "postponed-access-imported-refresh-0000");
    assert_eq!(other.token(&account.id).await.unwrap(), newest);
    other.settle().await;
    assert_eq!((service.refreshes(), service.postponed().len()), (1, 1));
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_end_that_does_not_move_is_announced_at_four_marks_and_said_once() {
    let (home, _, vault, store) = lazada().await;
    log_in(&vault, "lazada", as_name("shop")).await.unwrap();
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    keep_until(&keeper, &home, 181 * DAY).await;
    let told: Vec<_> = events(store.as_ref())
        .await
        .iter()
        .map(|event| {
            let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
            assert_eq!(payload["account"], "shop");
            let day = (event.at - START) / 86_400_000;
            (event.kind.clone(), payload["days"].as_i64(), day)
        })
        .collect();
    let expiring = |days: i64| ("expiring".to_owned(), Some(days), 180 - days);
    assert_eq!(
        told,
        [expiring(30), expiring(7), expiring(2), expiring(1), ("exhausted".to_owned(), None, 180)]
    );
    let account = vault.account("shop").await.unwrap();
    let AccountState::NeedsAuthorization { reason } = account.state else { panic!("{account:?}") };
    assert!(reason.contains("the refresh token ended at"), "{reason}");
    assert_eq!(keeper.tick().await.unwrap().next_due, None);
}

async fn kinds_of_events(store: &dyn Store) -> Vec<String> {
    events(store).await.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn an_end_that_was_a_guess_ends_nothing() {
    let (home, service, vault, store) = lazada().await;
    log_in(&vault, "lazada", as_name("shop")).await.unwrap();
    let kept = row(store.as_ref(), "shop").await;
    let guess = at(10 * DAY).as_millisecond();
    let mut tokens = kept.authorization.tokens;
    (tokens.refresh_expires_at, tokens.due_at) = (Some(guess), Some(0));
    store.replace_tokens(kept.authorization.id, 1, &tokens, START, &Notes::default()).await.unwrap();
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Never));
    keep_until(&keeper, &home, 10 * DAY).await;
    assert_eq!(service.refreshes(), 0);
    keep_until(&keeper, &home, 12 * DAY).await;
    assert_eq!(service.refreshes(), 1, "asked once");
    let account = vault.account("shop").await.unwrap();
    assert_eq!((account.state, account.refresh_expires_at), (AccountState::Healthy, Some(at(180 * DAY))));
    assert_eq!(kinds_of_events(store.as_ref()).await, ["expiring"; 4], "of the end that was thought to come");
}

#[tokio::test]
async fn an_end_while_the_platform_is_away_is_asked_for_until_it_answers() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, HOUR, 2 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Never));
    home.clock.advance_secs(2 * DAY);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "connection refused")));
    keep_until(&keeper, &home, 3 * DAY - 60).await;
    let tries = home.transport.count();
    assert!((40..200).contains(&tries), "{tries} tries in a day");
    keep_until(&keeper, &home, 13 * DAY).await;
    let later = home.transport.count() - tries;
    assert!((8..30).contains(&later), "{later} tries in ten more days");
    assert_eq!(kinds_of_events(store.as_ref()).await, [""; 0], "it may live on");
    let account = vault.account("shop-0000").await.unwrap();
    let AccountState::NeedsAuthorization { reason } = account.state else { panic!("{account:?}") };
    assert!(reason.contains("ended at 2026-11-24T00:00:00Z"), "{reason}");
    service.0.lock().unwrap().refuse_refreshes = true;
    home.transport.answer(move |seen| service.transport().ask(seen));
    keep_until(&keeper, &home, 15 * DAY).await;
    assert_eq!(kinds_of_events(store.as_ref()).await, ["exhausted"]);
}

/// A clock twelve years ahead, until somebody sees it: certificates have expired, ends have passed.
#[tokio::test]
async fn a_clock_that_was_ahead_gives_nothing_up() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 3, 10 * HOUR, 180 * DAY).await;
    let mut bare = shop(3, 5 * DAY, DAY);
    bare.refresh = None;
    vault.import_tokens("aliexpress-legacy", bare).await.unwrap();
    let bare = vault.account("shop-0003").await.unwrap().id;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    let years = Duration::from_secs(12 * 365 * DAY);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "the certificate has expired")));
    home.clock.advance(years);
    keeper.tick().await.unwrap();
    assert!(vault.token(&bare).await.is_err());
    home.clock.set_back(years);
    let answering = service.transport();
    home.transport.answer(move |seen| answering.ask(seen));
    assert_eq!(store.reauthorization_required(10).await.unwrap().count, 0);
    assert_eq!(kinds_of_events(store.as_ref()).await, [""; 0]);
    // Another process, which has not seen the clock run ahead.
    let other = Vault::open_with(home.options(), store.clone()).await.unwrap();
    assert_eq!(other.token(&bare).await.unwrap().expose(), "imported-access-0003");
    let keeper = Keeper::new(other, KeeperOptions::default());
    keeper.tick().await.unwrap();
    for full in store.accounts().await.unwrap() {
        assert!(full.authorization.tokens.due_at.unwrap() <= at(DAY).as_millisecond());
    }
    keep_until(&keeper, &home, 10 * HOUR).await;
    assert_eq!(service.spent().len(), 3);
    keep_until(&keeper, &home, 6 * DAY).await;
    let exhausted = ("exhausted".to_owned(), None);
    assert_eq!(told(store.as_ref()).await, [expiring(7), expiring(2), expiring(1), exhausted]);
}

/// Ten days early is not when people expect the warning: it comes again.
#[tokio::test]
async fn a_warning_that_a_clock_ahead_gave_is_given_again_on_its_day() {
    let (home, _, vault, store) = lazada().await;
    let tokens = ImportedTokens::default().refresh(RefreshToken::new("r")).account_name("shop");
    let tokens = tokens.access(AccessToken::new("a")).access_expires_at(at(180 * DAY));
    vault.import_tokens("lazada", tokens.refresh_expires_at(at(60 * DAY))).await.unwrap();
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Never));
    home.clock.advance_secs(20 * DAY);
    keeper.tick().await.unwrap();
    home.clock.advance_secs(11 * DAY);
    keeper.tick().await.unwrap();
    home.clock.set_back(Duration::from_secs(11 * DAY));
    assert_eq!(told(store.as_ref()).await, [expiring(30)]);
    keep_until(&keeper, &home, 29 * DAY).await;
    assert_eq!(told(store.as_ref()).await, [expiring(30)]);
    keep_until(&keeper, &home, 32 * DAY).await;
    assert_eq!(told(store.as_ref()).await, [expiring(30), expiring(30)]);
}

#[tokio::test]
async fn tokens_from_the_future_are_named_and_a_refresh_mends_them() {
    let service = Param2Service::default();
    // It knows the time.
    service.0.lock().unwrap().refuse_postponements = true;
    let home = home(service.transport());
    let (vault, store) = shops(&home, 2, 10 * HOUR, 180 * DAY).await;
    let year = Duration::from_secs(365 * DAY);
    home.clock.advance(year);
    vault.refresh("shop-0000").await.unwrap();
    home.clock.set_back(year);
    let account = vault.account("shop-0000").await.unwrap();
    assert_eq!(account.issued_in_future, Some(at(365 * DAY)));
    assert_eq!((account.access_expires_at, account.refresh_expires_at), (None, None));
    assert_eq!(account.state, AccountState::NeedsRefresh);
    let notes = vault.check().await.unwrap().notes;
    assert!(notes.len() == 1 && notes[0].contains("of shop-0000 were issued in the future"), "{notes:?}");
    assert_eq!(vault.account("shop-0001").await.unwrap().issued_in_future, None);
    Keeper::new(vault.clone(), KeeperOptions::default()).tick().await.unwrap();
    let account = vault.account("shop-0000").await.unwrap();
    assert_eq!((account.issued_in_future, account.state), (None, AccountState::Healthy));
    assert_eq!(
        (account.access_expires_at, account.refresh_expires_at),
        (Some(at(10 * HOUR)), Some(at(180 * DAY)))
    );
    assert_eq!(vault.check().await.unwrap().notes, [""; 0]);
    assert_eq!(events(store.as_ref()).await, []);
}

/// Its ends are unknown, and no refresh tells them.
#[tokio::test]
async fn tokens_from_the_future_that_nobody_can_refresh_need_a_login_now() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 10 * HOUR, 180 * DAY).await;
    let app = vault.apps().await.unwrap().remove(0).name;
    let year = Duration::from_secs(365 * DAY);
    home.clock.advance(year);
    let tokens = ImportedTokens::default().access(AccessToken::new("bare-access")).account_name("bare");
    vault.import_tokens(&app, tokens.access_expires_at(at(366 * DAY))).await.unwrap();
    home.clock.set_back(year);
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Always));
    let done = keeper.tick().await.unwrap().done;
    assert_eq!((done.refreshed, home.transport.count()), (0, 0), "{done:?}");
    let account = vault.account("bare").await.unwrap();
    assert_eq!(account.issued_in_future, Some(at(365 * DAY)));
    assert!(account.needs_person_by.is_some_and(|by| by <= at(0)), "{account:?}");
    let due = row(store.as_ref(), "bare").await.authorization.tokens.due_at;
    assert!(due.is_none_or(|due| due <= at(DAY).as_millisecond()), "{due:?}");
    // Whoever asks still gets the token: the gateway knows how long it is good for.
    assert_eq!(vault.access_token("bare").await.unwrap().expose(), "bare-access");
}

#[tokio::test]
async fn a_failure_in_the_window_of_postponements_makes_no_storm() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, HOUR, 20 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Never));
    home.clock.advance_secs(2 * DAY);
    let looks = async |count: usize| {
        for _ in 0..count {
            keeper.tick().await.unwrap();
            home.clock.advance_secs(1);
        }
        home.transport.count()
    };
    home.transport.answer(|_| Ok(reply(502, "<html>Bad Gateway</html>")));
    assert_eq!(looks(25).await, 1);
    let failed = row(store.as_ref(), "shop-0000").await.authorization;
    assert!(failed.tokens.due_at >= failed.not_before, "{failed:?}");
}

#[tokio::test]
async fn quiet_that_the_platform_asks_for_is_kept_by_postponements_too() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 20 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Never));
    home.clock.advance_secs(DAY);
    home.transport.answer(|_| {
        Err(Error::new(ErrorKind::Quota, "slow down").with_retry(Retry::After(Duration::from_hours(9))))
    });
    keep_until(&keeper, &home, DAY + 9 * HOUR - 1).await;
    assert_eq!(home.transport.count(), 1);
    home.transport.answer(move |seen| service.transport().ask(seen));
    keep_until(&keeper, &home, DAY + 10 * HOUR).await;
    assert!(row(store.as_ref(), "shop-0000").await.authorization.generation > 1);
}

#[tokio::test]
async fn a_postponement_that_failed_in_passing_warns_nobody_after_a_refresh_either() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    home.clock.advance_secs(DAY + 13 * HOUR);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "connection refused")));
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Never));
    assert_eq!(keeper.tick().await.unwrap().done.failed, 1);
    let answering = service.transport();
    home.transport.answer(move |seen| answering.ask(seen));
    vault.refresh("shop-0000").await.unwrap();
    vault.settle().await;
    keep_until(&keeper, &home, DAY + 16 * HOUR).await;
    assert_eq!(service.postponed(), ["imported-refresh-0000"]);
    assert_eq!(events(store.as_ref()).await, []);
}

/// The kind of each event, and the days that it names.
async fn told(store: &dyn Store) -> Vec<(String, Option<i64>)> {
    let days = |payload: &str| serde_json::from_str::<serde_json::Value>(payload).unwrap()["days"].as_i64();
    events(store).await.into_iter().map(|event| (event.kind, days(&event.payload))).collect()
}

fn expiring(days: i64) -> (String, Option<i64>) {
    ("expiring".to_owned(), Some(days))
}

#[tokio::test]
async fn an_end_that_a_refresh_reveals_to_be_near_is_announced() {
    let (home, service, vault, store) = lazada().await;
    // Whoever kept the table took each new pair for a new approval.
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("imported-access-token"))
        .refresh(RefreshToken::new("50001planted0refresh000000token"))
        .account_name("shop")
        .access_expires_at(at(179 * DAY))
        .refresh_expires_at(at(350 * DAY));
    vault.import_tokens("lazada", tokens).await.unwrap();
    home.clock.advance_secs(179 * DAY + 4 * HOUR);
    let id = vault.account("shop").await.unwrap().id;
    vault.token(&id).await.unwrap();
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    keep_until(&keeper, &home, 179 * DAY + 5 * HOUR).await;
    assert_eq!(service.refreshes(), 1);
    assert_eq!(told(store.as_ref()).await, [expiring(1)], "the nearest mark, at once");
    keep_until(&keeper, &home, 180 * DAY + HOUR).await;
    assert_eq!(told(store.as_ref()).await, [expiring(1), ("exhausted".to_owned(), None)]);
}

#[tokio::test]
async fn a_postponement_that_brings_a_refresh_token_alone_keeps_the_access_token() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    let answering = service.transport();
    home.transport.answer(move |seen| {
        if seen.url.contains("/postponeToken/") {
            return Ok(reply(
                200,
                r#"{"refresh_token":"the-new-one","refresh_token_timeout":"20270601000000000+0800"}"#,
            ));
        }
        answering.ask(seen)
    });
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Never));
    keep_until(&keeper, &home, 2 * DAY).await;
    let account = vault.account("shop-0000").await.unwrap();
    assert_eq!((account.generation, account.access_expires_at), (2, Some(at(60 * DAY))));
    assert_eq!(vault.token(&account.id).await.unwrap().expose(), "imported-access-0000");
    assert_eq!(events(store.as_ref()).await, []);
    vault.refresh("shop-0000").await.unwrap();
    assert_eq!(service.spent().into_keys().collect::<Vec<_>>(), ["the-new-one"]);
}

#[tokio::test]
async fn where_a_market_app_may_refresh_nothing_its_access_token_is_used_to_the_end() {
    let home = home(FakeTransport::json(
        r#"{"type":"ISV","code":"AUTH_TYPE_UNSUPPORTED","message":"only market","request_id":"r"}"#,
    ));
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let vault = Vault::open_with(home.options(), store.clone()).await.unwrap();
    app(&vault, "lazada").await;
    vault.import_tokens("lazada", shop(0, 60 * DAY, 180 * DAY)).await.unwrap();
    let id = vault.account("shop-0000").await.unwrap().id;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Always));
    keep_until(&keeper, &home, 59 * DAY).await;
    assert_eq!(home.transport.count(), 1, "it is not asked again");
    let account = vault.account("shop-0000").await.unwrap();
    assert_eq!((account.state, account.blocked), (AccountState::Healthy, false));
    assert_eq!(account.needs_person_by, Some(at(60 * DAY)));
    assert_eq!(vault.token(&id).await.unwrap().expose(), "imported-access-0000");
    let before = told(store.as_ref()).await;
    assert_eq!(before[before.len() - 3..], [expiring(7), expiring(2), expiring(1)], "{before:?}");
    keep_until(&keeper, &home, 61 * DAY).await;
    assert_eq!(told(store.as_ref()).await.last().unwrap(), &("exhausted".to_owned(), None));
    assert_eq!(home.transport.count(), 1);
}

#[tokio::test]
async fn a_failure_that_does_not_pass_needs_a_person_by_the_end_of_the_access_token() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 1, HOUR, 180 * DAY).await;
    home.transport.answer(|_| {
        Ok(reply(400, r#"{"error_code":"gw.SignatureInvalid","error_message":"Invalid signature"}"#))
    });
    assert_eq!(vault.refresh("shop-0000").await.unwrap_err().kind(), ErrorKind::Signature);
    let account = vault.account("shop-0000").await.unwrap();
    assert!(account.blocked);
    assert_eq!(account.needs_person_by, Some(at(HOUR)));
    // One that passes says nothing of the kind, and takes nothing back.
    home.clock.advance_secs(600);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Timeout, "no answer").with_retry(Retry::Backoff)));
    vault.refresh("shop-0000").await.unwrap_err();
    let account = vault.account("shop-0000").await.unwrap();
    assert_eq!((account.blocked, account.attempts), (false, 2));
    assert_eq!(account.needs_person_by, None);
    let answering = service.transport();
    home.transport.answer(move |seen| answering.ask(seen));
    assert!(!vault.refresh("shop-0000").await.unwrap().blocked);
}
