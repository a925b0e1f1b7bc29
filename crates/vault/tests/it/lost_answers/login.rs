//! Logins whose answer cannot be stored.

use super::{Shop, flaky, settled, shop};
use crate::support::{FlakyStore, Policy, as_name, log_in};
use sesame_vault::{AccountState, Location, LoginOptions, Vault};
use std::sync::{Arc, atomic::Ordering};

over_both! {
    #[tokio::test(flavor = "multi_thread")]
    a_login_that_is_given_up_stores_its_tokens_all_the_same,
    a_store_that_is_away_for_a_moment_costs_no_login,
    a_login_while_the_store_stays_away_waits_in_the_journal,
    a_login_that_waits_is_not_overtaken_by_a_refresh_of_the_former_approval;
}

async fn a_login_that_is_given_up_stores_its_tokens_all_the_same() {
    let shop = shop(Policy::Dies).await;
    shop.home.transport.close_gate();
    let vault = shop.vault.clone();
    let login = tokio::spawn(async move { log_in(&vault, "lazada", as_name("shop")).await });
    shop.home.transport.arrivals(2).await;
    assert!(shop.vault.is_busy());
    login.abort();
    assert!(login.await.unwrap_err().is_cancelled());
    shop.home.transport.open_gate();
    assert_eq!(settled(&shop.vault, "shop").await.generation, 2);
    assert!(!shop.vault.is_busy());
}

/// Makes the store fail a number of reads and writes of tokens as soon as a code is redeemed.
fn away_after_redeeming(shop: &Shop, store: &Arc<FlakyStore>, reads: usize, writes: usize) {
    let (service, store) = (shop.service.clone(), store.clone());
    shop.home.transport.answer(move |seen| {
        store.fail_read.store(reads, Ordering::SeqCst);
        store.fail_replace.store(writes, Ordering::SeqCst);
        service.answer(seen)
    });
}

async fn a_store_that_is_away_for_a_moment_costs_no_login() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    let options =
        [as_name("shop"), LoginOptions::default(), as_name("another name"), as_name("another shop")];
    for (number, options) in (1..).zip(options) {
        if number == 4 {
            shop.service.become_seller("2002");
        }
        away_after_redeeming(&shop, &store, 3, 0);
        let accounts = log_in(&vault, "lazada", options.clone()).await.unwrap();
        store.fail_read.store(0, Ordering::SeqCst);
        let handle = vault.handle(&accounts[0].name).await.unwrap();
        let token = vault.token_of(&handle).await.unwrap();
        assert_eq!(token.access.expose(), shop.service.access(), "{options:?}");
    }
    let names: Vec<String> =
        vault.accounts().await.unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["shop", "another name", "another shop"]);
}

async fn a_login_while_the_store_stays_away_waits_in_the_journal() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    away_after_redeeming(&shop, &store, 1_000, 1_000);
    let error = log_in(&vault, "lazada", as_name("shop")).await.unwrap_err();
    assert!(error.message().contains("new tokens are kept"), "{error}");
    // The next process finds them, and they are the ones that are good.
    let vault = shop.home.open().await;
    let account = vault.account("shop").await.unwrap();
    assert_eq!((account.generation, account.state), (2, AccountState::Healthy));
    let handle = vault.handle("shop").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
}

/// Two machines: what waits in the journal of one is not seen by the other.
async fn a_login_that_waits_is_not_overtaken_by_a_refresh_of_the_former_approval() {
    let shop = shop(Policy::Lives).await;
    let first_end = shop.vault.account("shop").await.unwrap().refresh_expires_at.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let there = elsewhere.path().join("vault.db");
    std::fs::copy(shop.home.key_file(), elsewhere.path().join("vault.db.key")).unwrap();
    let store = Arc::new(FlakyStore::over(shop.home.store().await));
    let options = || shop.home.options().location(Location::Sqlite(there.clone()));
    let other = Vault::open_with(options(), store.clone()).await.unwrap();
    shop.service.approve_until(first_end.as_second() + 5_000_000);
    away_after_redeeming(&shop, &store, 1_000, 1_000);
    log_in(&other, "lazada", as_name("shop")).await.unwrap_err();
    other.settle().await;
    drop(other);
    // The former approval has its former end.
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| service.answer(seen)
    });
    shop.service.approve_until(first_end.as_second());
    assert_eq!(shop.vault.refresh("shop").await.unwrap().refresh_expires_at, Some(first_end));
    let other = Vault::open_with(options(), shop.home.store().await).await.unwrap();
    let account = other.account("shop").await.unwrap();
    assert_eq!(account.refresh_expires_at.unwrap().as_second(), first_end.as_second() + 5_000_000);
    assert_eq!(account.generation, 3);
    // What a refresh left behind is overtaken, as ever.
    shop.vault.refresh("shop").await.unwrap();
    other.close().await;
}
