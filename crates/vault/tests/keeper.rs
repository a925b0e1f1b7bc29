//! The keeper: keeps warm, prolongs, warns, shares, stops, survives.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sesame_core::{
    AccessToken, AppSecret, BoxFuture, Clock as _, Error, ErrorKind, HttpRequest, HttpResponse, RefreshToken,
    Result, Retry, Transport,
};
use sesame_vault::{
    AccountState, ImportedTokens, Keep, Keeper, KeeperOptions, NewApp, Vault, VaultOptions,
    store::{AuditQuery, DueClaim, EventRow, FullRow, MemoryStore, Notes, SealedPlace, Sink, TokenStore},
};
use support::{
    FakeTransport, FlakyStore, Home, IopService, Policy, START, all_events, app, as_name, log_in, reply,
};
use tokio::sync::{Notify, oneshot};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// A token service with the rules of param2: the refresh token stays, and may be postponed near its end.
#[derive(Clone, Default)]
struct Param2Service(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    /// How often each refresh token was spent, and when.
    refreshed: BTreeMap<String, usize>,
    postponed: Vec<String>,
    refuse_postponements: bool,
    refuse_refreshes: bool,
}

impl Param2Service {
    fn transport(&self) -> FakeTransport {
        let service = self.clone();
        FakeTransport::new(move |seen| {
            let mut calls = service.0.lock().unwrap();
            let refresh = seen.form["refresh_token"].clone();
            // Each is of a shop of its own.
            let shop: String = refresh.chars().filter(char::is_ascii_digit).collect();
            if seen.url.contains("/postponeToken/") {
                assert!(seen.form.contains_key("client_secret") && seen.form.contains_key("access_token"));
                if calls.refuse_postponements {
                    return Ok(reply(
                        400,
                        r#"{"error_code":"gw.QosAppFrequencyLimit2","error_message":"refresh token postpone not allowed"}"#,
                    ));
                }
                calls.postponed.push(refresh.clone());
                return Ok(reply(
                    200,
                    format!(
                        r#"{{"aliId":"{shop}","resource_owner":"shop","expires_in":"36000","access_token":"postponed-access-{refresh}","refresh_token":"{refresh}-again","refresh_token_timeout":"20270601000000000+0800"}}"#
                    ),
                ));
            }
            if calls.refuse_refreshes {
                return Ok(reply(
                    401,
                    r#"{"error_code":"401","error_message":"Request need user authorized"}"#,
                ));
            }
            let spent = calls.refreshed.entry(refresh.clone()).or_default();
            *spent += 1;
            Ok(reply(
                200,
                format!(
                    r#"{{"aliId":"{shop}","resource_owner":"shop","expires_in":"36000","access_token":"access-{spent}-{refresh}"}}"#
                ),
            ))
        })
    }

    fn refreshes(&self) -> usize {
        self.0.lock().unwrap().refreshed.values().sum()
    }

    fn spent(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().refreshed.clone()
    }

    fn postponed(&self) -> Vec<String> {
        self.0.lock().unwrap().postponed.clone()
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millisecond(START + i64::try_from(seconds * 1_000).unwrap()).unwrap()
}

fn shop(number: usize, access_left: u64, refresh_left: u64) -> ImportedTokens {
    ImportedTokens {
        access: Some(AccessToken::new(format!("imported-access-{number:04}"))),
        refresh: Some(RefreshToken::new(format!("imported-refresh-{number:04}"))),
        account_name: Some(format!("shop-{number:04}")),
        access_expires_at: Some(at(access_left)),
        refresh_expires_at: Some(at(refresh_left)),
    }
}

/// A home with a store in memory and param2 shops.
async fn shops(home: &Home, count: usize, access_left: u64, refresh_left: u64) -> (Vault, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    let vault = Vault::open_with(home.options(), store.clone()).await.unwrap();
    app(&vault, "aliexpress-legacy").await;
    for number in 0..count {
        vault.import_tokens("aliexpress-legacy", shop(number, access_left, refresh_left)).await.unwrap();
    }
    (vault, store)
}

fn home(transport: FakeTransport) -> Home {
    let home = Home::new(transport);
    // The key of a vault in memory lives in a file.
    std::fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    home
}

async fn events(store: &dyn TokenStore) -> Vec<EventRow> {
    all_events(store, Sink::Hook).await
}

async fn row(store: &dyn TokenStore, name: &str) -> FullRow {
    store.account(name).await.unwrap().unwrap()
}

/// Lets passes follow each other until a time, in virtual time.
async fn keep_until(keeper: &Keeper, home: &Home, until: u64) {
    let until = at(until);
    loop {
        let pass = keeper.pass().await.unwrap();
        let next = pass.next_due.unwrap_or(until).min(until);
        let now = home.clock.now();
        if now >= until {
            return;
        }
        let step = u64::try_from(next.duration_since(now).as_millis().max(1)).unwrap();
        home.clock.advance(Duration::from_millis(step));
    }
}

#[tokio::test]
async fn shops_imported_in_one_minute_are_kept_warm_and_not_all_at_once() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 500, 10 * HOUR, 180 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    loop {
        let before = service.refreshes();
        let pass = keeper.pass().await.unwrap();
        let now = home.clock.now();
        *minutes.entry(now.as_second() / 60).or_default() += service.refreshes() - before;
        if service.refreshes() >= 500 {
            break;
        }
        let next = pass.next_due.unwrap();
        home.clock.advance(Duration::try_from(next.duration_since(now)).unwrap());
    }
    let first = minutes.keys().next().unwrap() - START / 60_000;
    let busy = minutes.values().max().unwrap();
    assert!((0..600).contains(&(first)), "{first}");
    assert!(*busy <= 15, "{busy} in one minute, where 500 have some four hours");
    // Nobody's token came near its end, and nobody was refreshed twice.
    assert!(home.clock.now() < at(10 * HOUR - 600));
    assert!(service.spent().values().all(|spent| *spent == 1));
    assert_eq!(events(store.as_ref()).await, []);
}

#[tokio::test]
async fn an_app_keeps_its_pace_even_when_all_its_tokens_have_ended() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 200, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault, KeeperOptions { per_app: 4, ..KeeperOptions::default() });
    let begun = home.clock.now();
    let first = keeper.pass().await.unwrap();
    assert_eq!((first.done.refreshed, first.done.deferred), (4, 196));
    keep_until(&keeper, &home, 2 * HOUR + 40).await;
    assert_eq!(service.refreshes(), 4 + 40 * 4, "four at once, then four a second");
    keep_until(&keeper, &home, 2 * HOUR + 60).await;
    assert_eq!(service.spent().len(), 200);
    assert_eq!(service.refreshes(), 200);
    assert!(home.clock.now() > begun);
}

#[tokio::test]
async fn what_is_kept_warm_is_a_choice() {
    for (keep, after_a_week, by_run, expected) in [
        (Keep::Used, false, true, 20),
        (Keep::Used, true, true, 0),
        (Keep::Always, true, true, 20),
        (Keep::Always, true, false, 20),
        (Keep::Never, false, true, 0),
    ] {
        let service = Param2Service::default();
        let home = home(service.transport());
        let left = if after_a_week { 9 * DAY } else { 10 * HOUR };
        let (vault, _) = shops(&home, 20, left, 180 * DAY).await;
        let begin = if after_a_week { 8 * DAY } else { 0 };
        home.clock.advance_secs(begin);
        let keeper = Keeper::new(vault, KeeperOptions { keep, ..KeeperOptions::default() });
        if by_run {
            let (stop, stopped) = oneshot::channel::<()>();
            stop.send(()).unwrap();
            keeper.run(async { stopped.await.unwrap() }).await.unwrap();
        }
        keep_until(&keeper, &home, left).await;
        assert_eq!(service.spent().len(), expected, "{keep:?}, after a week: {after_a_week}, run: {by_run}");
    }
}

#[tokio::test]
async fn all_stay_warm_though_another_process_plans_for_those_in_use() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 9 * DAY, 180 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions { keep: Keep::Always, ..KeeperOptions::default() });
    home.clock.advance_secs(8 * DAY);
    keeper.pass().await.unwrap();
    assert_eq!(service.refreshes(), 1);
    let other = Vault::open_with(home.options(), store.clone()).await.unwrap();
    other.refresh("shop-0000").await.unwrap();
    let planned = row(store.as_ref(), "shop-0000").await.authorisation.tokens.due_at.unwrap();
    assert!(planned > (home.clock.now() + Duration::from_secs(100 * DAY)).as_millisecond(), "not in use");
    keep_until(&keeper, &home, 8 * DAY + 10 * HOUR).await;
    assert_eq!(service.refreshes(), 3);
}

/// However slow it is, a round refreshes what is due, and in pieces whose leases last.
#[tokio::test]
async fn a_slow_store_gets_fewer_rows_at_once_and_all_are_refreshed() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 60, HOUR, 180 * DAY).await;
    drop(vault);
    home.clock.advance_secs(2 * HOUR);
    let mut slow = FlakyStore::over(store);
    slow.slow_claims = Some((home.clock.clone(), Duration::from_millis(400)));
    let vault = Vault::open_with(home.options(), Arc::new(slow)).await.unwrap();
    let options = KeeperOptions { per_app: 1_000, in_flight: 200, ..KeeperOptions::default() };
    let done = Keeper::new(vault, options).pass().await.unwrap().done;
    assert_eq!((done.refreshed, done.failed), (60, 0), "{done:?}");
    assert_eq!(service.refreshes(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keepers_share_the_work_and_nobody_is_refreshed_twice() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let one = home.open().await;
    app(&one, "aliexpress-legacy").await;
    for number in 0..60 {
        one.import_tokens("aliexpress-legacy", shop(number, HOUR, 180 * DAY)).await.unwrap();
    }
    home.clock.advance_secs(2 * HOUR);
    // As another process would: its own opening of the same file.
    let other = home.open().await;
    let options = KeeperOptions { per_app: 1_000, in_flight: 8, ..KeeperOptions::default() };
    let keepers = [Keeper::new(one.clone(), options), Keeper::new(other.clone(), options)];
    let (first, second) = tokio::join!(keepers[0].pass(), keepers[1].pass());
    let (first, second) = (first.unwrap().done.refreshed, second.unwrap().done.refreshed);
    assert_eq!(first + second, 60);
    assert!(first > 0 && second > 0, "{first} and {second}");
    assert!(service.spent().values().all(|spent| *spent == 1), "{:?}", service.spent());
    for account in one.accounts().await.unwrap() {
        assert_eq!((account.generation, account.attempts), (2, 0));
    }
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_and_a_keeper_in_one_process_refresh_once() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 30, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    home.transport.close_gate();
    let keeper = Keeper::new(vault.clone(), KeeperOptions { per_app: 1_000, ..KeeperOptions::default() });
    let pass = tokio::spawn(async move { keeper.pass().await.unwrap() });
    let ids: Vec<_> = vault.accounts().await.unwrap().iter().map(|account| account.id).collect();
    let callers: Vec<_> = ids
        .iter()
        .map(|id| {
            let (vault, id) = (vault.clone(), *id);
            tokio::spawn(async move { vault.token(&id).await.unwrap() })
        })
        .collect();
    home.transport.arrivals(30).await;
    home.transport.open_gate();
    for caller in callers {
        assert!(caller.await.unwrap().expose().starts_with("access-1-"));
    }
    pass.await.unwrap();
    vault.settle().await;
    assert_eq!(service.spent().len(), 30);
    assert_eq!(service.refreshes(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_in_the_middle_it_finishes_and_gives_back_the_rest() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 50, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    let _clock = home.clock.clone().manual();
    home.transport.close_gate();
    let options = KeeperOptions { per_app: 1_000, in_flight: 8, ..KeeperOptions::default() };
    let keeper = Keeper::new(vault.clone(), options);
    let (stop, stopped) = oneshot::channel::<()>();
    let run = tokio::spawn(async move { keeper.run(async { stopped.await.unwrap() }).await.unwrap() });
    home.transport.arrivals(8).await;
    stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!run.is_finished(), "what is under way is waited for");
    home.transport.open_gate();
    let totals = run.await.unwrap();
    assert_eq!(totals.refreshed, 8);
    assert_eq!(service.refreshes(), 8);
    for full in store.accounts().await.unwrap() {
        let row = full.authorisation;
        assert_eq!((row.lease_owner, row.refreshing_since), (None, None), "{}", full.account.name);
        assert!(row.tokens.due_at.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_is_dropped_cuts_nothing_off() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 4, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    home.transport.close_gate();
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    let run = tokio::spawn(async move { keeper.pass().await });
    home.transport.arrivals(4).await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    home.transport.open_gate();
    vault.settle().await;
    for account in vault.accounts().await.unwrap() {
        assert_eq!(account.generation, 2, "{}", account.name);
    }
}

#[tokio::test]
async fn the_leases_of_a_killed_keeper_end() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 10, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    let now = home.clock.now().as_millisecond();
    let claim = DueClaim { owner: "of a killed process", now, until: now + 90_000, limit: 100 };
    assert_eq!(store.claim_due(claim).await.unwrap().len(), 10);
    let keeper = Keeper::new(vault, KeeperOptions { per_app: 100, ..KeeperOptions::default() });
    assert_eq!(keeper.pass().await.unwrap().done.refreshed, 0);
    home.clock.advance_secs(91);
    assert_eq!(keeper.pass().await.unwrap().done.refreshed, 10);
    assert_eq!(service.refreshes(), 10);
}

/// Lets the calls of one app hang.
#[derive(Clone)]
struct Hanging {
    app_key: &'static str,
    release: Arc<Notify>,
    released: Arc<AtomicBool>,
    others: FakeTransport,
}

impl Transport for Hanging {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        if !form.contains(&format!("client_id={}", self.app_key)) {
            return self.others.send(request);
        }
        Box::pin(async move {
            if !self.released.load(Ordering::SeqCst) {
                self.release.notified().await;
            }
            Err(Error::new(ErrorKind::Timeout, "no answer").may_have_happened(true))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_hangs_does_not_starve_the_others() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let hanging = Hanging {
        app_key: "666",
        release: Arc::default(),
        released: Arc::default(),
        others: home.transport.clone(),
    };
    let store = Arc::new(MemoryStore::default());
    let options = VaultOptions { transport: Arc::new(hanging.clone()), ..home.options() };
    let vault = Vault::open_with(options, store.clone()).await.unwrap();
    app(&vault, "aliexpress-legacy").await;
    vault
        .add_app(NewApp {
            platform: "aliexpress-legacy".to_owned(),
            name: Some("bad".to_owned()),
            key: "666".to_owned(),
            secret: AppSecret::new("planted0other0secret"),
            redirect_uri: None,
            region: None,
            secret_origin: None,
        })
        .await
        .unwrap();
    // The bad app's rows are due first.
    for number in 0..200 {
        vault.import_tokens("bad", shop(number, HOUR - 60, 180 * DAY)).await.unwrap();
    }
    for number in 200..240 {
        vault.import_tokens("aliexpress-legacy", shop(number, HOUR, 180 * DAY)).await.unwrap();
    }
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault, KeeperOptions { in_flight: 32, ..KeeperOptions::default() });
    let (stop, stopped) = oneshot::channel::<()>();
    let run = tokio::spawn(async move { keeper.run(async { stopped.await.unwrap() }).await.unwrap() });
    home.transport.arrivals(40).await;
    assert_eq!(service.spent().len(), 40, "all of the good app, while the bad one hangs");
    stop.send(()).unwrap();
    hanging.released.store(true, Ordering::SeqCst);
    hanging.release.notify_waiters();
    let totals = run.await.unwrap();
    assert_eq!(totals.refreshed, 40);
    // What it got before it was found silent, at its pace, and no more.
    assert!((5..=22).contains(&totals.failed), "{totals:?}");
}

#[tokio::test]
async fn in_its_last_30_days_a_refresh_token_is_postponed_and_nobody_is_warned() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 3, 31 * DAY, 31 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    keep_until(&keeper, &home, DAY - 60).await;
    assert_eq!(service.postponed().len(), 0, "not before the window opens");
    keep_until(&keeper, &home, DAY + 13 * HOUR).await;
    assert_eq!(service.postponed().len(), 3);
    assert_eq!(service.refreshes(), 0);
    assert_eq!(events(store.as_ref()).await, []);
    let full = row(store.as_ref(), "shop-0000").await;
    assert_eq!(full.authorisation.generation, 2);
    assert_eq!(full.authorisation.tokens.refresh_expires_at, Some(1_811_779_200_000));
    assert_eq!(full.authorisation.tokens.announced, None);
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
    let keeper = Keeper::new(vault, KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    let done = keeper.pass().await.unwrap().done;
    assert_eq!((done.refreshed, done.postponed, done.failed), (1, 1, 0));
    assert_eq!(service.postponed(), ["imported-refresh-0000"]);
    let full = row(store.as_ref(), "shop-0000").await;
    assert_eq!((full.authorisation.generation, full.authorisation.lease_owner), (3, None));
    assert_eq!(home.transport.seen()[1].form["access_token"], "access-1-imported-refresh-0000");
}

#[tokio::test]
async fn a_refused_postponement_is_tried_once_a_day_and_all_four_warnings_are_given() {
    let service = Param2Service::default();
    service.0.lock().unwrap().refuse_postponements = true;
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    keep_until(&keeper, &home, 30 * DAY).await;
    // Refreshes have no cool-down by it.
    assert_eq!(row(store.as_ref(), "shop-0000").await.authorisation.not_before, None);
    service.0.lock().unwrap().refuse_refreshes = true;
    keep_until(&keeper, &home, 32 * DAY).await;
    let days: Vec<_> = events(store.as_ref())
        .await
        .iter()
        .map(|event| {
            let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
            (event.kind.clone(), payload["days"].as_i64())
        })
        .collect();
    let expiring = |days| ("expiring".to_owned(), Some(days));
    assert_eq!(days, [expiring(30), expiring(7), expiring(2), expiring(1), ("exhausted".to_owned(), None)]);
    let tries = home.transport.seen().iter().filter(|seen| seen.url.contains("postpone")).count();
    assert!((25..=31).contains(&tries), "{tries} tries in 30 days");
    let account = vault.account("shop-0000").await.unwrap();
    assert!(matches!(account.state, AccountState::NeedsAuthorisation { .. }), "{account:?}");
    let row = row(store.as_ref(), "shop-0000").await.authorisation;
    assert_eq!((row.lease_owner, row.tokens.due_at), (None, None));
}

#[tokio::test]
async fn a_lost_answer_to_a_postponement_costs_nothing_but_a_refresh() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    home.clock.advance_secs(DAY + 13 * HOUR);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Timeout, "no answer").may_have_happened(true)));
    let keeper = Keeper::new(vault, KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    let done = keeper.pass().await.unwrap().done;
    assert_eq!((done.postponed, done.failed), (0, 1));
    let failed = row(store.as_ref(), "shop-0000").await.authorisation;
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
    let account = one.import_tokens("aliexpress-legacy", shop(0, HOUR, 20 * DAY)).await.unwrap();
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
    let mut home = home(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Dies, &home.clock);
    home.transport = service.transport();
    let store = Arc::new(MemoryStore::default());
    let vault = Vault::open_with(home.options(), store.clone()).await.unwrap();
    app(&vault, "lazada").await;
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
    let AccountState::NeedsAuthorisation { reason } = account.state else { panic!("{account:?}") };
    assert!(reason.contains("the refresh token ended at"), "{reason}");
    assert_eq!(keeper.pass().await.unwrap().next_due, None);
}

async fn kinds_of_events(store: &dyn TokenStore) -> Vec<String> {
    events(store).await.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn an_end_that_was_a_guess_ends_nothing() {
    let mut home = home(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Dies, &home.clock);
    home.transport = service.transport();
    let store = Arc::new(MemoryStore::default());
    let vault = Vault::open_with(home.options(), store.clone()).await.unwrap();
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("shop")).await.unwrap();
    let kept = row(store.as_ref(), "shop").await;
    let guess = at(10 * DAY).as_millisecond();
    let mut tokens = kept.authorisation.tokens;
    (tokens.refresh_expires_at, tokens.due_at) = (Some(guess), Some(0));
    store.replace_tokens(kept.authorisation.id, 1, &tokens, START, &Notes::default()).await.unwrap();
    let keeper = Keeper::new(vault.clone(), KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    keep_until(&keeper, &home, 10 * DAY).await;
    assert_eq!(service.refreshes(), 0);
    keep_until(&keeper, &home, 12 * DAY).await;
    assert_eq!(service.refreshes(), 1, "asked once");
    let account = vault.account("shop").await.unwrap();
    assert_eq!((account.state, account.refresh_expires_at), (AccountState::Healthy, Some(at(180 * DAY))));
    assert_eq!(kinds_of_events(store.as_ref()).await, ["expiring"; 4], "of the end that was thought to come");
}

#[tokio::test]
async fn an_end_while_the_platform_is_away_is_believed_after_a_day() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, HOUR, 2 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    home.clock.advance_secs(2 * DAY);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "connection refused")));
    keep_until(&keeper, &home, 3 * DAY - 60).await;
    let tries = home.transport.count();
    assert!((40..200).contains(&tries), "{tries} tries in a day");
    assert_eq!(kinds_of_events(store.as_ref()).await, [""; 0], "it may live on");
    keep_until(&keeper, &home, 4 * DAY).await;
    assert_eq!(kinds_of_events(store.as_ref()).await, ["exhausted"]);
    let account = vault.account("shop-0000").await.unwrap();
    let AccountState::NeedsAuthorisation { reason } = account.state else { panic!("{account:?}") };
    assert!(
        reason.contains("ended at 2026-11-24T00:00:00Z") && reason.contains("connection refused"),
        "{reason}"
    );
    assert!(home.transport.count() <= tries + 2);
}

/// Vaults that were kept by a clock twelve years ahead, until somebody saw it.
#[tokio::test]
async fn a_clock_that_was_ahead_gives_up_shops_for_as_long_as_it_is() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 3, 10 * HOUR, 180 * DAY).await;
    let used = vault.account("shop-0000").await.unwrap().id;
    vault.token(&used).await.unwrap();
    let bare = ImportedTokens { refresh: None, ..shop(3, 5 * DAY, DAY) };
    vault.import_tokens("aliexpress-legacy", bare).await.unwrap();
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    let years = Duration::from_secs(12 * 365 * DAY);
    let given_up = async || store.given_up(10).await.unwrap().count;
    let gives_all_up = async || {
        home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "the certificate has expired")));
        home.clock.advance(years);
        keeper.pass().await.unwrap();
        assert_eq!(given_up().await, 4);
        home.clock.set_back(years);
        let answering = service.transport();
        home.transport.answer(move |seen| answering.ask(seen));
    };
    gives_all_up().await;
    keeper.pass().await.unwrap();
    assert_eq!(given_up().await, 0, "the keeper saw that the clock was set back");
    keep_until(&keeper, &home, 10 * HOUR).await;
    assert_eq!(service.spent().len(), 3);

    // Without a keeper: whoever uses one of them.
    gives_all_up().await;
    home.clock.advance_secs(11 * HOUR);
    let other = Vault::open_with(home.options(), store.clone()).await.unwrap();
    let id = other.account("shop-0003").await.unwrap().id;
    assert_eq!(other.token(&id).await.unwrap().expose(), "imported-access-0003");
    assert_eq!(given_up().await, 0);
    gives_all_up().await;
    vault.token(&used).await.unwrap();
    assert_eq!(given_up().await, 0);
}

#[tokio::test]
async fn a_failure_in_the_window_of_postponements_makes_no_storm() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, HOUR, 20 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    home.clock.advance_secs(2 * DAY);
    let looks = async |count: usize| {
        for _ in 0..count {
            keeper.pass().await.unwrap();
            home.clock.advance_secs(1);
        }
        home.transport.count()
    };
    home.transport.answer(|_| Ok(reply(502, "<html>Bad Gateway</html>")));
    assert_eq!(looks(25).await, 1);
    let failed = row(store.as_ref(), "shop-0000").await.authorisation;
    assert!(failed.tokens.due_at >= failed.not_before, "{failed:?}");
}

#[tokio::test]
async fn quiet_that_the_platform_asks_for_is_kept_by_postponements_too() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 20 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    home.clock.advance_secs(DAY);
    home.transport.answer(|_| {
        Err(Error::new(ErrorKind::Quota, "slow down").retry_when(Retry::After(Duration::from_hours(9))))
    });
    keep_until(&keeper, &home, DAY + 9 * HOUR - 1).await;
    assert_eq!(home.transport.count(), 1);
    home.transport.answer(move |seen| service.transport().ask(seen));
    keep_until(&keeper, &home, DAY + 10 * HOUR).await;
    assert!(row(store.as_ref(), "shop-0000").await.authorisation.generation > 1);
}

#[tokio::test]
async fn a_postponement_that_failed_in_passing_warns_nobody_after_a_refresh_either() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 60 * DAY, 31 * DAY).await;
    home.clock.advance_secs(DAY + 13 * HOUR);
    home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "connection refused")));
    let keeper = Keeper::new(vault.clone(), KeeperOptions { keep: Keep::Never, ..KeeperOptions::default() });
    assert_eq!(keeper.pass().await.unwrap().done.failed, 1);
    let answering = service.transport();
    home.transport.answer(move |seen| answering.ask(seen));
    vault.refresh("shop-0000").await.unwrap();
    vault.settle().await;
    keep_until(&keeper, &home, DAY + 16 * HOUR).await;
    assert_eq!(service.postponed(), ["imported-refresh-0000"]);
    assert_eq!(events(store.as_ref()).await, []);
}

#[tokio::test]
async fn a_row_that_cannot_be_opened_does_not_stop_the_others() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 10, HOUR, 180 * DAY).await;
    let key = store.keys().await.unwrap()[0].key_id.clone();
    let sealed = store.sealed_with(&key, SealedPlace::Refresh, None, 1).await.unwrap().remove(0);
    let mut flipped = sealed.bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(store.reseal(&[(sealed, flipped)]).await.unwrap(), 1);
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault.clone(), KeeperOptions { per_app: 100, ..KeeperOptions::default() });
    let done = keeper.pass().await.unwrap().done;
    assert_eq!((done.refreshed, done.failed), (9, 1));
    let damaged: Vec<_> =
        vault.accounts().await.unwrap().into_iter().filter(|account| account.last_error.is_some()).collect();
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].last_error.as_ref().unwrap().contains("damaged"), "{damaged:?}");
    keep_until(&keeper, &home, 22 * HOUR).await;
    assert_eq!(vault.account(&damaged[0].name).await.unwrap().attempts, 1, "left alone for a day");
}

#[tokio::test]
async fn accounts_of_another_endpoint_are_left_alone() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 5, HOUR, 20 * DAY).await;
    drop(vault);
    home.clock.advance_secs(2 * HOUR);
    let sandboxed = Vault::open_with(home.sandboxed(), store.clone()).await.unwrap();
    let keeper = Keeper::new(sandboxed.clone(), KeeperOptions::default());
    let pass = keeper.pass().await.unwrap();
    assert_eq!((pass.done.deferred, pass.done.refreshed, pass.done.failed), (5, 0, 0));
    assert!(pass.next_due.unwrap() >= at(3 * HOUR));
    keep_until(&keeper, &home, DAY).await;
    assert_eq!(home.transport.count(), 0);
    let notices = sandboxed.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].text.contains("sandbox"), "{notices:?}");
    // The right one finds them as they were.
    let real = Vault::open_with(home.options(), store).await.unwrap();
    let keeper = Keeper::new(real, KeeperOptions::default());
    keep_until(&keeper, &home, DAY + 2 * HOUR).await;
    assert_eq!(service.postponed().len(), 5);
}

#[tokio::test]
async fn failures_are_tried_again_before_the_end_and_not_all_the_time() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 10 * HOUR, 180 * DAY).await;
    home.transport.answer(|_| Ok(reply(500, "<html>busy</html>")));
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    keep_until(&keeper, &home, 24 * HOUR).await;
    let tries = home.transport.count();
    assert!((40..200).contains(&tries), "{tries} tries in a day");
    assert!(row(store.as_ref(), "shop-0000").await.authorisation.exhausted.is_none());
    home.transport.answer(move |seen| service.transport().ask(seen));
    keep_until(&keeper, &home, 24 * HOUR + 20 * 60).await;
    assert_eq!(vault.account("shop-0000").await.unwrap().generation, 2);
}

#[tokio::test]
async fn a_use_is_noted_once_an_hour_and_wakes_the_keeper() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 9 * DAY, 180 * DAY).await;
    let id = vault.account("shop-0000").await.unwrap().id;
    let used = async || {
        vault.settle().await;
        row(store.as_ref(), "shop-0000").await.authorisation.last_used.unwrap()
    };
    home.clock.advance_secs(8 * DAY);
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    assert_eq!(keeper.pass().await.unwrap().done.refreshed, 0, "nobody used it for a week");
    vault.token(&id).await.unwrap();
    let first = used().await;
    assert_eq!(first, home.clock.now().as_millisecond());
    home.clock.advance_secs(HOUR - 1);
    for _ in 0..10 {
        vault.token(&id).await.unwrap();
    }
    assert_eq!(used().await, first);
    home.clock.advance_secs(1);
    vault.token(&id).await.unwrap();
    assert_eq!(used().await, first + 3_600_000);
    // Another process knows of it by the row.
    let other = Vault::open_with(home.options(), store.clone()).await.unwrap();
    home.clock.advance_secs(60);
    other.token(&id).await.unwrap();
    other.settle().await;
    assert_eq!(used().await, first + 3_600_000);
    assert_eq!(keeper.pass().await.unwrap().done.refreshed, 1, "in use again, and past its warm time");
}

#[tokio::test]
async fn tokens_by_id_are_masked_copies_and_unknown_ids_are_said() {
    let home = home(Param2Service::default().transport());
    let (vault, _) = shops(&home, 3, 10 * HOUR, 180 * DAY).await;
    let accounts = vault.accounts().await.unwrap();
    let tokens: BTreeSet<String> = {
        let mut tokens = BTreeSet::new();
        for account in &accounts {
            let token = vault.token(&account.id).await.unwrap();
            assert!(!format!("{token} {token:?}").contains("imported-access"));
            tokens.insert(token.expose().to_owned());
        }
        tokens
    };
    assert_eq!(tokens.len(), 3);
    vault.rename_account("shop-0000", "renamed").await.unwrap();
    assert!(vault.token(&accounts[0].id).await.is_ok());
    vault.remove_account("renamed").await.unwrap();
    let error = vault.token(&accounts[0].id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint_text().is_some());
}
