//! Apps, accounts, logins.

use sesame_vault::store::{AccountRow, AuthorizationRow, NewRows, Notes, PendingLogin};

use super::{Place, rows::*};

pub async fn apps_and_accounts_come_back_as_they_were(place: &dyn Place) {
    let store = place.open().await;
    let first = app("first");
    let bare = sesame_vault::store::AppRow {
        region: None,
        sandbox: None,
        secret_origin: None,
        created_at: NOW - 1,
        ..app("second")
    };
    let with_all = AuthorizationRow {
        exhausted: Some("ended".to_owned()),
        last_error: Some("no".to_owned()),
        last_error_at: Some(NOW),
        attempts: 3,
        not_before: Some(NOW + 1),
        refreshing_since: Some(NOW + 2),
        interrupted_since: Some(NOW + 3),
        postpone_after: Some(NOW + 4),
        ..authorization(first.id)
    };
    let mut blank = authorization(bare.id);
    blank.tokens.access = None;
    blank.tokens.refresh = None;
    blank.tokens.refresh_denied = false;
    blank.tokens.due_at = None;
    blank.tokens.warm_at = None;
    blank.tokens.announced = None;
    blank.last_used = None;
    blank.region = None;
    let shop = account("b-shop", first.id, with_all.id);
    let mut plain = account("a-shop", bare.id, blank.id);
    (plain.login, plain.shop_id, plain.country, plain.tags) = (None, None, None, vec![]);
    let twin = account("A-shop", bare.id, blank.id);
    let rows = NewRows {
        apps: vec![first.clone(), bare.clone()],
        authorizations: vec![with_all.clone(), blank.clone()],
        accounts: vec![shop.clone(), plain.clone(), twin.clone()],
    };
    let notes = notes(with_all.id);
    assert!(store.add(&rows, &notes).await.unwrap());

    assert_eq!(store.apps().await.unwrap(), [bare.clone(), first.clone()], "oldest first");
    assert_eq!(store.app("first").await.unwrap(), Some(first.clone()));
    assert_eq!(store.app("First").await.unwrap(), None);
    // A change with a line of the trail, if the row still is the one that was read.
    let noted = Notes { audit: vec![line(Some(with_all.id))], ..Notes::default() };
    let changed = sesame_vault::store::AppRow {
        secret: sealed(1, 7),
        former_secret: None,
        secret_origin: Some("file f".to_owned()),
        ..first.clone()
    };
    for other in [
        sesame_vault::store::AppRow { secret: sealed(9, 9), ..first.clone() },
        sesame_vault::store::AppRow { former_secret: None, ..first.clone() },
        sesame_vault::store::AppRow { region: None, ..first.clone() },
    ] {
        assert!(!store.update_app(&other, &changed, &noted).await.unwrap());
    }
    let taken = sesame_vault::store::AppRow { name: "second".to_owned(), ..first.clone() };
    assert!(!store.update_app(&first, &taken, &noted).await.unwrap());
    assert_eq!(lines(store.as_ref(), with_all.id).await, 1);
    assert!(store.update_app(&first, &changed, &noted).await.unwrap());
    let first = changed;
    assert_eq!(store.app("first").await.unwrap(), Some(first.clone()));
    assert!(!store.remove_app(first.id, &noted).await.unwrap(), "an account uses it");
    assert_eq!(store.app("first").await.unwrap(), Some(first.clone()));
    let full = store.accounts().await.unwrap();
    let names: Vec<&str> = full.iter().map(|row| row.account.name.as_str()).collect();
    assert_eq!(names, ["A-shop", "a-shop", "b-shop"], "by name as bytes, whatever the language");
    let found = store.account("b-shop").await.unwrap().unwrap();
    assert_eq!(
        (found.account, found.app, found.authorization),
        (shop.clone(), first.clone(), with_all.clone())
    );
    assert_eq!(store.account("nobody").await.unwrap(), None);
    assert_eq!(store.authorization(blank.id).await.unwrap(), Some(blank.clone()));
    assert_eq!(store.authorization(id()).await.unwrap(), None);
    let using = store.accounts_using(blank.id).await.unwrap();
    assert_eq!(using.iter().map(|row| row.account.clone()).collect::<Vec<_>>(), [twin, plain.clone()]);
    assert_eq!(lines(store.as_ref(), with_all.id).await, 2);
    assert_eq!(events(store.as_ref()).await, notes.events);

    let tags = vec!["neu".to_owned()];
    assert!(store.set_tags(plain.id, &plain.tags, &tags).await.unwrap());
    assert!(!store.set_tags(plain.id, &plain.tags, &[]).await.unwrap(), "others have changed them");
    assert_eq!(store.account("a-shop").await.unwrap().unwrap().account.tags, tags);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

pub async fn names_are_taken_once_and_nothing_is_written(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 2, |_, _| ()).await;
    let taken = NewRows { apps: vec![app("new"), app("app")], ..NewRows::default() };
    assert!(!store.add(&taken, &notes(ids[0])).await.unwrap());
    assert_eq!(store.app("new").await.unwrap(), None);
    let of_app = store.app("app").await.unwrap().unwrap().id;
    let fresh = authorization(of_app);
    let taken = NewRows {
        authorizations: vec![fresh.clone()],
        accounts: vec![account("free", of_app, fresh.id), account("shop-0001", of_app, fresh.id)],
        ..NewRows::default()
    };
    assert!(!store.add(&taken, &notes(ids[0])).await.unwrap());
    assert_eq!(store.account("free").await.unwrap(), None);
    assert_eq!(store.authorization(fresh.id).await.unwrap(), None);
    let one = store.account("shop-0000").await.unwrap().unwrap().account.id;
    assert!(!store.rename_account(one, "shop-0001").await.unwrap());
    assert!(store.rename_account(one, "shop-new").await.unwrap());
    assert!(store.account("shop-0000").await.unwrap().is_none());
    assert_eq!(lines(store.as_ref(), ids[0]).await, 0, "notes only with the change");
    assert_eq!(events(store.as_ref()).await, []);

    // Many take one name at once: one of them gets it.
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        racers.spawn(async move {
            let rows = NewRows { apps: vec![app("wanted")], ..NewRows::default() };
            store.add(&rows, &Notes::default()).await.unwrap()
        });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

pub async fn a_batch_of_a_thousand_rows(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 1_100, |_, row| row.tokens.due_at = Some(NOW)).await;
    assert_eq!(store.accounts().await.unwrap().len(), 1_100);
    store.touch(&ids, NOW + 5).await.unwrap();
    assert_eq!(row(store.as_ref(), ids[1_099]).await.last_used, Some(NOW + 5));
}

pub async fn pages_of_accounts(place: &dyn Place) {
    let store = place.open().await;
    shops(store.as_ref(), 25, |_, _| ()).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.accounts_after(after, 10).await.unwrap();
        assert!(page.len() <= 10);
        let page: Vec<_> = page.into_iter().map(|row| row.account.id).collect();
        assert_eq!(store.account_ids_after(after, 10).await.unwrap(), page);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted(), "in the order of ids");
    seen.dedup();
    assert_eq!(seen.len(), 25, "none twice");
}

pub async fn rows_point_to_rows(place: &dyn Place) {
    let store = place.open().await;
    let lost = authorization(id());
    let rows = NewRows { authorizations: vec![lost.clone()], ..NewRows::default() };
    assert!(store.add(&rows, &Notes::default()).await.is_err(), "of an app that is not there");
    assert_eq!(store.authorization(lost.id).await.unwrap(), None);
    let real = app("app");
    let rows =
        NewRows { accounts: vec![account("shop", real.id, id())], apps: vec![real], ..NewRows::default() };
    assert!(store.add(&rows, &Notes::default()).await.is_err(), "of an authorization that is not there");
    assert_eq!(store.apps().await.unwrap(), []);
    let login = PendingLogin { state_hash: vec![1; 32], app_id: id(), begun_at: NOW, used_at: None };
    assert!(store.add_login(&login, 0).await.is_err());
}

pub async fn an_account_moves_and_its_former_authorization_goes(place: &dyn Place) {
    let store = place.open().await;
    let old = shop(store.as_ref()).await;
    let full = store.account("shop-0000").await.unwrap().unwrap();
    let shared = account("twin", full.app.id, old);
    let rows = NewRows { accounts: vec![shared.clone()], ..NewRows::default() };
    assert!(store.add(&rows, &Notes::default()).await.unwrap());

    let new = authorization(full.app.id);
    let mut moved = full.account.clone();
    moved.authorization_id = new.id;
    moved.login = None;
    moved.shop_id = Some("2002".to_owned());
    store.update_account(Some(&new), &moved, &notes(new.id)).await.unwrap();
    assert_eq!(store.account("shop-0000").await.unwrap().unwrap().account, moved);
    assert!(store.authorization(old).await.unwrap().is_some(), "the twin uses it");
    assert_eq!(lines(store.as_ref(), new.id).await, 1);

    let newest = authorization(full.app.id);
    let moved_twin = sesame_vault::store::AccountRow { authorization_id: newest.id, ..shared.clone() };
    store.update_account(Some(&newest), &moved_twin, &Notes::default()).await.unwrap();
    assert_eq!(store.authorization(old).await.unwrap(), None, "nobody uses it");

    store.update_account(None, &moved_twin, &Notes::default()).await.unwrap();
    assert!(store.authorization(newest.id).await.unwrap().is_some());
    store.remove_account(shared.id, &notes(newest.id)).await.unwrap();
    assert_eq!(store.authorization(newest.id).await.unwrap(), None);
    assert_eq!(store.account("twin").await.unwrap(), None);
    assert_eq!(lines(store.as_ref(), newest.id).await, 1, "the trail outlives it");
}

pub async fn shops_are_found_by_their_ids(place: &dyn Place) {
    let store = place.open().await;
    let (one, two) = (app("one"), sesame_vault::store::AppRow { app_key: "other".to_owned(), ..app("two") });
    let key = one.app_key.clone();
    let (first, second) = (authorization(one.id), authorization(two.id));
    let shop = |name: &str, app_id, authorization_id, shop_id: Option<&str>| AccountRow {
        shop_id: shop_id.map(str::to_owned),
        ..account(name, app_id, authorization_id)
    };
    let accounts = vec![
        shop("a", one.id, first.id, Some("7")),
        shop("b", one.id, first.id, Some("7")),
        shop("c", one.id, first.id, Some("77")),
        shop("d", one.id, first.id, None),
        shop("e", two.id, second.id, Some("7")),
    ];
    let authorizations = vec![first.clone(), second];
    let rows = NewRows { apps: vec![one, two], authorizations, accounts: accounts.clone() };
    assert!(store.add(&rows, &Notes::default()).await.unwrap());
    let found = async |key: &str, shop_id: &str, limit| {
        let rows = store.accounts_of_shop(key, shop_id, limit).await.unwrap();
        rows.into_iter().map(|row| row.account.name).collect::<Vec<_>>()
    };
    let mut both = [(accounts[0].id, "a"), (accounts[1].id, "b")];
    both.sort_unstable();
    assert_eq!(found(&key, "7", 9).await, [both[0].1, both[1].1]);
    assert_eq!(found(&key, "7", 1).await, [both[0].1]);
    assert_eq!(found("other", "7", 9).await, ["e"]);
    for (key, shop_id) in [(key.as_str(), ""), (key.as_str(), "8"), ("", "7"), (key.as_str(), "7\0")] {
        assert!(found(key, shop_id, 9).await.is_empty(), "{key} {shop_id:?}");
    }
    // An account moves to an authorization that stands, and to none that does not.
    let moved = AccountRow { authorization_id: first.id, ..accounts[4].clone() };
    store.update_account(None, &moved, &Notes::default()).await.unwrap();
    assert_eq!(store.accounts_using(first.id).await.unwrap().len(), 5);
    let lost = AccountRow { authorization_id: id(), ..accounts[4].clone() };
    assert!(store.update_account(None, &lost, &Notes::default()).await.is_err());
    assert_eq!(store.account("e").await.unwrap().unwrap().account.authorization_id, first.id);
}

pub async fn two_that_take_the_last_accounts_away(place: &dyn Place) {
    let store = place.open().await;
    for round in 0..10 {
        let app = app(&format!("app-{round}"));
        let shared = authorization(app.id);
        let accounts: Vec<_> =
            (0..4).map(|number| account(&format!("shop-{round}-{number}"), app.id, shared.id)).collect();
        let rows =
            NewRows { accounts: accounts.clone(), authorizations: vec![shared.clone()], apps: vec![app] };
        assert!(store.add(&rows, &Notes::default()).await.unwrap());
        let mut racers = tokio::task::JoinSet::new();
        for account in accounts {
            let store = store.clone();
            racers.spawn(async move { store.remove_account(account.id, &Notes::default()).await.unwrap() });
        }
        racers.join_all().await;
        assert_eq!(store.authorization(shared.id).await.unwrap(), None, "round {round}");
    }
}

pub async fn logins_wait_and_are_forgotten(place: &dyn Place) {
    let store = place.open().await;
    shop(store.as_ref()).await;
    let app_id = store.app("app").await.unwrap().unwrap().id;
    let login =
        |mark: u8, begun_at| PendingLogin { state_hash: vec![mark; 32], app_id, begun_at, used_at: None };
    store.add_login(&login(1, NOW), 0).await.unwrap();
    assert_eq!(store.login(&[1; 32]).await.unwrap(), Some(login(1, NOW)));
    assert_eq!(store.login(&[9; 32]).await.unwrap(), None);
    store.add_login(&login(2, NOW + 10), NOW + 1).await.unwrap();
    assert_eq!(store.login(&[1; 32]).await.unwrap(), None, "begun too long ago");
    store.login_used(&[2; 32], NOW + 11).await.unwrap();
    let used = PendingLogin { used_at: Some(NOW + 11), ..login(2, NOW + 10) };
    assert_eq!(store.login(&[2; 32]).await.unwrap(), Some(used));
    store.login_used(&[9; 32], NOW).await.unwrap();
    assert!(store.add_login(&login(3, NOW), 0).await.is_ok());
    assert!(store.add_login(&login(3, NOW), 0).await.is_err(), "the same state twice");
}

pub async fn accounts_follow_their_app_into_another_region(place: &dyn Place) {
    let store = place.open().await;
    let first = sesame_vault::store::AppRow { region: None, ..app("first") };
    let (mut theirs, mut chosen) = (authorization(first.id), authorization(first.id));
    (theirs.region, chosen.region) = (None, Some("th".to_owned()));
    let mut follows = account("follows", first.id, theirs.id);
    (follows.region, follows.country) = (None, Some("cn".to_owned()));
    let mut stays = account("stays", first.id, chosen.id);
    stays.region = Some("th".to_owned());
    let rows = NewRows {
        apps: vec![first.clone(), app("unused")],
        authorizations: vec![theirs.clone(), chosen.clone()],
        accounts: vec![follows, stays],
    };
    assert!(store.add(&rows, &Notes::default()).await.unwrap());
    let regions = async |store: &dyn sesame_vault::store::Store| {
        let mut out = Vec::new();
        for name in ["follows", "stays"] {
            let row = store.account(name).await.unwrap().unwrap();
            out.push((row.account.region, row.authorization.region));
        }
        out
    };
    let both = |region: &str| (Some(region.to_owned()), Some(region.to_owned()));
    let my = sesame_vault::store::AppRow { region: Some("my".to_owned()), ..first.clone() };
    assert!(store.update_app(&first, &my, &Notes::default()).await.unwrap());
    assert_eq!(regions(store.as_ref()).await, [both("my"), both("th")]);
    let unused = store.app("unused").await.unwrap().unwrap();
    let noted = Notes { audit: vec![line(None)], ..Notes::default() };
    let pending = PendingLogin { state_hash: vec![7; 32], app_id: unused.id, begun_at: NOW, used_at: None };
    store.add_login(&pending, 0).await.unwrap();
    assert!(store.remove_app(unused.id, &noted).await.unwrap());
    assert_eq!(store.app("unused").await.unwrap(), None);
    assert_eq!(store.login(&pending.state_hash).await.unwrap(), None);
}
