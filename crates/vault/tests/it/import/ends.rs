//! When imported tokens end, and when they are refreshed.

use super::{csv, import_csv};
use crate::support::{FakeTransport, Home, IopService, Policy, reply};
use sesame_core::Clock as _;
use sesame_vault::{
    AccountState, Location,
    import::ImportOptions,
    store::{AccountStore as _, SqlStore},
};
use std::collections::BTreeMap;

#[tokio::test]
async fn shops_imported_in_one_minute_are_not_refreshed_in_one_minute() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let row =
        |shop: u32| format!("shop{shop},77,sec77,a{shop},r{shop},2026-11-22 07:30:00,2026-11-01 00:00:00\n");
    let head =
        "account,app_key,app_secret,access_token,refresh_token,access_create_time,refresh_create_time\n";
    let rows: String = std::iter::once(head.to_owned()).chain((0..300).map(row)).collect();
    let options = ImportOptions::new("aliexpress-legacy").unwrap();
    let done = vault.import_table(&csv(&rows), &options).await.unwrap();
    assert_eq!((done.accounts.len(), done.apps.len()), (300, 1));
    vault.close().await;
    let store = SqlStore::open(&Location::Sqlite(home.path())).await.unwrap();
    let mut due: Vec<i64> =
        store.accounts().await.unwrap().iter().map(|row| row.authorization.tokens.due_at.unwrap()).collect();
    due.sort_unstable();
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for at in &due {
        *minutes.entry(at / 60_000).or_default() += 1;
    }
    assert!(minutes.len() > 120, "{} minutes", minutes.len());
    assert!(*minutes.values().max().unwrap() < 12, "{minutes:?}");
}

#[tokio::test]
async fn shops_without_known_ends_are_refreshed_soon_and_not_taken_for_healthy() {
    let mut home = Home::new(FakeTransport::json("{}"));
    home.transport = IopService::new(Policy::Lives, &home.clock).transport();
    let vault = home.open().await;
    let row = |shop: u32| format!("shop{shop},77,sec77,a{shop},r{shop},0000-00-00 00:00:00,NULL\n");
    let head =
        "account,app_key,app_secret,access_token,refresh_token,access_create_time,refresh_create_time\n";
    let rows: String = std::iter::once(head.to_owned()).chain((0..300).map(row)).collect();
    let done = import_csv(&vault, "lazada", &rows).await.unwrap();
    assert!(
        done.notes
            .iter()
            .any(|note| note.starts_with("300 shops each have a refresh token without a known end")),
        "{:?}",
        done.notes
    );
    let shop = vault.account("shop7").await.unwrap();
    assert_eq!((shop.state, shop.has_refresh_token), (AccountState::NeedsRefresh, true));
    // Due at once, over some minutes.
    let store = home.store().await;
    let now = home.clock.now().as_millisecond();
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for row in store.accounts().await.unwrap() {
        let due = row.authorization.tokens.due_at.unwrap();
        assert!((now..=now + 600_000).contains(&due), "{}", due - now);
        *minutes.entry((due - now) / 60_000).or_default() += 1;
    }
    assert!(minutes.len() >= 10 && *minutes.values().max().unwrap() < 80, "{minutes:?}");
}

#[tokio::test]
async fn a_keeper_asks_once_for_ends_that_nobody_knows() {
    let home = Home::new(FakeTransport::json(
        r#"{"access_token":"new","refresh_token":"newer","expires_in":"604800","refresh_expires_in":"15552000","code":"0","country":"sg","account":"x"}"#,
    ));
    let vault = home.open().await;
    let rows = "account,app_key,app_secret,access_token,refresh_token\nshop,77,sec77,a,r\n";
    import_csv(&vault, "lazada", rows).await.unwrap();
    let keeper = sesame_vault::Keeper::new(vault.clone(), sesame_vault::KeeperOptions::default());
    home.clock.advance_secs(11 * 60);
    keeper.tick().await.unwrap();
    let shop = vault.account("shop").await.unwrap();
    assert_eq!((shop.generation, &shop.state), (2, &AccountState::Healthy), "{shop:?}");
    assert!(shop.refresh_expires_at.is_some() && shop.needs_person_by.is_some(), "{shop:?}");
    // Where a reply does not say, it is not asked again and again.
    home.transport.answer(|_| Ok(reply(200, r#"{"access_token":"new","expires_in":"36000","aliId":"7"}"#)));
    import_csv(&vault, "aliexpress-legacy", &rows.replace("shop", "other")).await.unwrap();
    for _ in 0..5 {
        home.clock.advance_secs(3_600);
        keeper.tick().await.unwrap();
    }
    assert_eq!(home.transport.count(), 2);
    let shop = vault.account("other").await.unwrap();
    assert_eq!((shop.refresh_expires_at, shop.has_refresh_token), (None, true), "{shop:?}");
}

/// 1688 documents "half a year", and many refresh tokens live longer.
#[tokio::test]
async fn a_shop_is_given_up_by_the_platform_and_not_by_the_age_of_its_token() {
    let home = Home::new(FakeTransport::new(|seen| {
        Ok(reply(
            200,
            match seen.form["refresh_token"].as_str() {
                "lives" => {
                    r#"{"access_token":"fresh","expires_in":"36000","aliId":"1","resource_owner":"x"}"#
                }
                _ => r#"{"error":"invalid_grant","error_description":"refresh token expired"}"#,
            },
        ))
    }));
    let vault = home.open().await;
    let head = "account,app_key,app_secret,access_token,refresh_token,aliId,refresh_create_time,refresh_expires_at\n";
    // 181 days ago.
    let rows = format!(
        "{head}old,77,sec77,a1,lives,1,2026-05-25 08:00:00,\ndead,77,sec77,a2,dead,2,2020-01-01 08:00:00,\n\
         told,77,sec77,a3,told,3,2026-05-25 08:00:00,2026-11-20 08:00:00\n"
    );
    let done = import_csv(&vault, "1688", &rows).await.unwrap();
    let waiting: Vec<_> = done.needs_authorization.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(waiting, ["told"], "only the table's own word counts");
    assert!(done.notes.iter().any(|note| note.starts_with("2 shops each have a refresh token without")));
    for name in ["old", "dead"] {
        let shop = vault.account(name).await.unwrap();
        assert_eq!((shop.state, shop.refresh_expires_at), (AccountState::NeedsRefresh, None), "{name}");
        assert_eq!(shop.needs_person_by, None, "nobody knows");
    }
    // At once, but not all in one moment.
    let now = home.clock.now().as_millisecond();
    for row in home.store().await.accounts().await.unwrap() {
        let due = row.authorization.tokens.due_at;
        assert_eq!(due.is_none(), row.account.name == "told");
        assert!(due.is_none_or(|due| (now..=now + 600_000).contains(&due)), "{due:?}");
    }
    let keeper = sesame_vault::Keeper::new(vault.clone(), sesame_vault::KeeperOptions::default());
    home.clock.advance_secs(11 * 60);
    keeper.tick().await.unwrap();
    assert_eq!(vault.account("old").await.unwrap().state, AccountState::Healthy);
    let dead = vault.account("dead").await.unwrap();
    assert!(dead.state.reason().is_some_and(|reason| reason.contains("no longer takes")), "{dead:?}");
    assert_eq!(home.transport.count(), 2);
}
