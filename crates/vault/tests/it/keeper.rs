//! The keeper: keeps warm, keeps a pace, shares, stops, survives.

mod apps;

use crate::support::{
    FlakyStore, START, app,
    param2::{DAY, HOUR, Param2Service, at, events, home, keep_until, row, shop, shops},
    reply,
};
use sesame_core::{Clock as _, ErrorKind};
use sesame_vault::{
    Keeper, KeeperOptions, Vault, WarmPolicy,
    store::{AccountStore as _, DueClaim, KeyStore as _, SecretColumn, WorkStore as _},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::oneshot;

#[tokio::test]
async fn shops_imported_in_one_minute_are_kept_warm_and_not_all_at_once() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 500, 10 * HOUR, 180 * DAY).await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    loop {
        let before = service.refreshes();
        let pass = keeper.tick().await.unwrap();
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
async fn an_app_keeps_its_rate_even_when_all_its_tokens_have_ended() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 200, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault, KeeperOptions::default().per_app(4));
    let begun = home.clock.now();
    let first = keeper.tick().await.unwrap();
    assert_eq!((first.done.refreshed, first.done.deferred), (4, 196));
    keep_until(&keeper, &home, 2 * HOUR + 40).await;
    assert_eq!(service.refreshes(), 4 + 40 * 4, "four at once, then four a second");
    keep_until(&keeper, &home, 2 * HOUR + 60).await;
    assert_eq!(service.spent().len(), 200);
    assert_eq!(service.refreshes(), 200);
    assert!(home.clock.now() > begun);
}

/// From cron: one app of many shops, whose tokens ended together.
#[tokio::test]
async fn a_drain_does_all_that_is_due_at_the_rate_of_the_app() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 200, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    let begun = home.clock.now();
    let keeper = Keeper::new(vault, KeeperOptions::default().per_app(4));
    let round = keeper.drain().await.unwrap();
    assert_eq!((round.done.refreshed, round.done.deferred, round.done.failed), (200, 0, 0));
    assert_eq!(service.spent().len(), 200);
    let took = home.clock.now().duration_since(begun).as_secs();
    assert!((49..=60).contains(&took), "200 at 4 a second in {took} s");
}

/// As PostgreSQL does where a use is just noted: it passes over a row that is locked.
#[tokio::test]
async fn a_due_row_that_another_writer_holds_for_a_moment_is_not_left_out() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (_, store) = shops(&home, 3, HOUR, 180 * DAY).await;
    home.clock.advance_secs(2 * HOUR);
    let store = FlakyStore::over(store);
    let held = store.held.clone();
    let vault = Vault::open_with(home.options(), Arc::new(store)).await.unwrap();
    let keeper = Keeper::new(vault, KeeperOptions::default());
    held.store(3, Ordering::SeqCst);
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 3);
    // One that stays held is left for the next round, which is not endless.
    home.clock.advance_secs(10 * HOUR);
    held.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 0);
}

#[tokio::test]
async fn what_is_kept_warm_is_a_choice() {
    for (keep, after_a_week, by_run, expected) in [
        (WarmPolicy::Used, false, true, 20),
        (WarmPolicy::Used, true, true, 0),
        (WarmPolicy::Always, true, true, 20),
        (WarmPolicy::Always, true, false, 20),
        (WarmPolicy::Never, false, true, 0),
    ] {
        let service = Param2Service::default();
        let home = home(service.transport());
        let left = if after_a_week { 9 * DAY } else { 10 * HOUR };
        let (vault, _) = shops(&home, 20, left, 180 * DAY).await;
        let begin = if after_a_week { 8 * DAY } else { 0 };
        home.clock.advance_secs(begin);
        let keeper = Keeper::new(vault, KeeperOptions::default().warm(keep));
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
async fn all_stay_warm_though_another_process_refreshes() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, 9 * DAY, 180 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Always));
    home.clock.advance_secs(8 * DAY);
    keeper.tick().await.unwrap();
    assert_eq!(service.refreshes(), 1);
    let other = Vault::open_with(home.options(), store.clone()).await.unwrap();
    other.refresh("shop-0000").await.unwrap();
    keep_until(&keeper, &home, 8 * DAY + 10 * HOUR).await;
    assert_eq!(service.refreshes(), 3);
}

#[tokio::test]
async fn every_shop_is_looked_at_within_a_day_and_that_is_all() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 20, 60 * DAY, 180 * DAY).await;
    let keeper = Keeper::new(vault, KeeperOptions::default().warm(WarmPolicy::Never));
    let mut looks = 0;
    loop {
        let tick = keeper.tick().await.unwrap();
        let now = home.clock.now();
        if now >= at(10 * DAY) {
            break;
        }
        looks += tick.done.deferred;
        for full in store.accounts().await.unwrap() {
            let due_at = full.authorization.tokens.due_at.unwrap();
            assert!(due_at <= now.as_millisecond() + 86_400_000, "{due_at}");
        }
        home.clock.advance(Duration::try_from(tick.next_due.unwrap().duration_since(now)).unwrap());
    }
    assert_eq!(home.transport.count(), 0);
    assert!((180..=260).contains(&looks), "{looks} looks at 20 shops in 10 days");
}

/// However slow it is, a drain refreshes what is due: intents renew the leases.
#[tokio::test]
async fn over_a_slow_store_all_are_refreshed() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 60, HOUR, 180 * DAY).await;
    drop(vault);
    home.clock.advance_secs(2 * HOUR);
    let mut slow = FlakyStore::over(store);
    slow.slow_claims = Some((home.clock.clone(), Duration::from_millis(400)));
    let vault = Vault::open_with(home.options(), Arc::new(slow)).await.unwrap();
    let options = KeeperOptions::default().per_app(1_000).in_flight(200);
    let done = Keeper::new(vault, options).tick().await.unwrap().done;
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
    let options = KeeperOptions::default().per_app(1_000).in_flight(8);
    let keepers = [Keeper::new(one.clone(), options), Keeper::new(other.clone(), options)];
    let (first, second) = tokio::join!(keepers[0].tick(), keepers[1].tick());
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
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().per_app(1_000));
    let pass = tokio::spawn(async move { keeper.tick().await.unwrap() });
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
    let options = KeeperOptions::default().per_app(1_000).in_flight(8);
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
        let row = full.authorization;
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
    let run = tokio::spawn(async move { keeper.tick().await });
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
    let keeper = Keeper::new(vault, KeeperOptions::default().per_app(100));
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 0);
    home.clock.advance_secs(91);
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 10);
    assert_eq!(service.refreshes(), 10);
}

#[tokio::test]
async fn the_use_that_needs_a_refresh_keeps_the_shop_warm() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 1, HOUR, 180 * DAY).await;
    let id = vault.account("shop-0000").await.unwrap().id;
    vault.settle().await;
    home.clock.advance_secs(10 * DAY);
    // The use itself is written down too late.
    let slow = FlakyStore::over(store.clone());
    slow.fail_touch.store(1, Ordering::SeqCst);
    let vault = Vault::open_with(home.options(), Arc::new(slow)).await.unwrap();
    vault.token(&id).await.unwrap();
    vault.settle().await;
    let planned = row(store.as_ref(), "shop-0000").await.authorization.tokens.due_at.unwrap();
    assert!(planned < at(10 * DAY + 10 * HOUR).as_millisecond(), "{planned}");
}

#[tokio::test]
async fn a_row_that_cannot_be_opened_does_not_stop_the_others() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 10, HOUR, 180 * DAY).await;
    let key = store.keys().await.unwrap()[0].key_id;
    let sealed = store.sealed_with(key, SecretColumn::Refresh, None, 1).await.unwrap().remove(0);
    let mut flipped = sealed.bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(store.reseal(&[(sealed, flipped)]).await.unwrap(), 1);
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().per_app(100));
    let done = keeper.tick().await.unwrap().done;
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
    let pass = keeper.tick().await.unwrap();
    assert_eq!((pass.done.deferred, pass.done.refreshed, pass.done.failed), (5, 0, 0));
    assert!(pass.next_due.unwrap() >= at(3 * HOUR));
    keep_until(&keeper, &home, DAY).await;
    assert_eq!(home.transport.count(), 0);
    let notices = sandboxed.take_warnings();
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
    assert!(row(store.as_ref(), "shop-0000").await.authorization.exhausted.is_none());
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
        row(store.as_ref(), "shop-0000").await.authorization.last_used.unwrap()
    };
    home.clock.advance_secs(8 * DAY);
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 0, "nobody used it for a week");
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
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 1, "in use again, and past its warm time");
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
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_round_ends_also_where_the_clock_is_before_1970() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 3, 10 * HOUR, 180 * DAY).await;
    home.clock
        .set_back(Duration::from_millis(u64::try_from(START).unwrap()) + Duration::from_secs(365 * DAY));
    assert!(home.clock.now().as_second() < 0);
    let keeper = Keeper::new(vault, KeeperOptions::default());
    let round = tokio::spawn(async move { keeper.drain().await });
    for _ in 0..600 {
        home.clock.advance_secs(1);
        sesame_vault::SystemClock.sleep(Duration::from_millis(10)).await;
        if round.is_finished() {
            break;
        }
    }
    assert!(round.is_finished(), "it waits for ever");
    round.await.unwrap().unwrap();
}
