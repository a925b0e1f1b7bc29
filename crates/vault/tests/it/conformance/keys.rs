//! Master keys, and what they sealed.

use sesame_vault::store::{KeyChange, KeyRow, KeyState, NewRows, Notes, Sealed, SealedPlace};

use super::{Place, rows::*};

fn key(mark: u8, state: KeyState) -> KeyRow {
    KeyRow {
        key_id: vec![mark; 8],
        state,
        wrapped: None,
        kind: "file".to_owned(),
        params: "{}".to_owned(),
        check: vec![mark; 30],
        created_at: NOW + i64::from(mark),
    }
}

pub async fn one_active_key_and_one_incoming(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.keys().await.unwrap(), []);
    let mut racers = tokio::task::JoinSet::new();
    for mark in 1..=12 {
        let store = place.open().await;
        racers.spawn(async move { store.add_key(&key(mark, KeyState::Active), None).await.unwrap() });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|added| *added).count(), 1);
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    let active = &keys[0];
    assert!(!store.add_key(&key(30, KeyState::Active), Some(&active.key_id)).await.unwrap(), "a second one");

    let incoming = KeyRow { wrapped: Some(vec![7; 48]), ..key(40, KeyState::Incoming) };
    for other in [None, Some([99; 8].as_slice())] {
        assert!(!store.add_key(&incoming, other).await.unwrap(), "another key is the active one");
    }
    assert!(store.add_key(&incoming, Some(&active.key_id)).await.unwrap());
    assert!(!store.add_key(&key(41, KeyState::Incoming), Some(&active.key_id)).await.unwrap());
    assert_eq!(store.keys().await.unwrap(), [active.clone(), incoming]);
}

pub async fn a_retired_key_that_seals_nothing_is_removed(place: &dyn Place) {
    let store = place.open().await;
    assert!(store.add_key(&key(1, KeyState::Active), None).await.unwrap());
    let incoming = KeyRow { wrapped: Some(vec![7]), ..key(2, KeyState::Incoming) };
    assert!(store.add_key(&incoming, Some(&[1; 8])).await.unwrap());
    for mark in [1, 2] {
        store.remove_key(&[mark; 8]).await.unwrap();
    }
    assert_eq!(store.keys().await.unwrap().len(), 2, "these are in use");
    store.wrap_key(&[1; 8], Some(&[8])).await.unwrap();
    let change = KeyChange { key_id: &[2; 8], former: &[1; 8], wrapped: &[8] };
    assert!(store.activate_key(change).await.unwrap());
    let sealed = |mark| sealed(mark, 0);
    let mut rows = NewRows { apps: vec![app("an app")], ..NewRows::default() };
    rows.apps[0].secret = sealed(1);
    assert!(store.add(&rows, &Notes::default()).await.unwrap());
    store.remove_key(&[1; 8]).await.unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 2, "it seals an app's secret");
    let place = SealedPlace::AppSecret;
    let change = (Sealed { place, id: rows.apps[0].id, bytes: sealed(1) }, sealed(2));
    assert_eq!(store.reseal(&[change]).await.unwrap(), 1);
    store.remove_key(&[1; 8]).await.unwrap();
    let left: Vec<_> = store.keys().await.unwrap().iter().map(|key| key.key_id[0]).collect();
    assert_eq!(left, [2]);
}

pub async fn keys_change_places(place: &dyn Place) {
    let store = place.open().await;
    let add = async |row: KeyRow, active: &[u8]| store.add_key(&row, Some(active)).await.unwrap();
    assert!(store.add_key(&key(1, KeyState::Active), None).await.unwrap());
    assert!(add(KeyRow { wrapped: Some(vec![7]), ..key(2, KeyState::Incoming) }, &[1; 8]).await);
    store.wrap_key(&[1; 8], Some(&[8; 3])).await.unwrap();
    let change = |key_id, former, wrapped| KeyChange { key_id, former, wrapped };
    let right = change(&[2; 8], &[1; 8], &[8; 3]);
    for (wrong, why) in [
        (KeyChange { key_id: &[1; 8], ..right }, "it is active already"),
        (KeyChange { key_id: &[9; 8], ..right }, "there is no such key"),
        (KeyChange { former: &[2; 8], ..right }, "that is not the active key"),
        (KeyChange { former: &[9; 8], ..right }, "no key of the vault is to be retired"),
        (KeyChange { wrapped: &[8; 4], ..right }, "the former key is wrapped in another way"),
    ] {
        assert!(!store.activate_key(wrong).await.unwrap(), "{why}");
        let states: Vec<_> =
            store.keys().await.unwrap().iter().map(|key| (key.key_id[0], key.state)).collect();
        assert_eq!(states, [(1, KeyState::Active), (2, KeyState::Incoming)], "{why}");
    }

    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        racers.spawn(async move { store.activate_key(right).await.unwrap() });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|won| *won).count(), 1);
    let keys = store.keys().await.unwrap();
    assert_eq!(keys[0], key(2, KeyState::Active), "without its wrapped form");
    assert_eq!(keys[1], KeyRow { wrapped: Some(vec![8; 3]), ..key(1, KeyState::Retired) });

    assert!(!add(key(3, KeyState::Incoming), &[1; 8]).await, "that is the former key");
    assert!(add(key(3, KeyState::Incoming), &[2; 8]).await);
    store.wrap_key(&[2; 8], Some(&[6])).await.unwrap();
    assert!(store.activate_key(change(&[3; 8], &[2; 8], &[6])).await.unwrap());
    let states: Vec<_> = store.keys().await.unwrap().iter().map(|key| (key.key_id[0], key.state)).collect();
    assert_eq!(states, [(3, KeyState::Active), (2, KeyState::Retired), (1, KeyState::Retired)]);
    store.wrap_key(&[1; 8], None).await.unwrap();
    assert_eq!(store.keys().await.unwrap()[2].wrapped, None);

    // One that was given up keeps its wrapped form: what it has sealed still opens.
    assert!(add(KeyRow { wrapped: Some(vec![7]), ..key(4, KeyState::Incoming) }, &[3; 8]).await);
    for (mark, was) in [(3, false), (9, false), (4, true), (4, false)] {
        assert_eq!(store.retire_key(&[mark; 8]).await.unwrap(), was, "{mark}");
    }
    store.wrap_key(&[3; 8], Some(&[5])).await.unwrap();
    assert!(!store.activate_key(change(&[4; 8], &[3; 8], &[5])).await.unwrap());
    let keys = store.keys().await.unwrap();
    assert_eq!((keys[0].key_id[0], keys[0].state), (3, KeyState::Active));
    let given_up = keys.iter().find(|row| row.key_id == [4; 8]).unwrap();
    assert_eq!(*given_up, KeyRow { wrapped: Some(vec![7]), ..key(4, KeyState::Retired) });
    assert!(add(key(5, KeyState::Incoming), &[3; 8]).await);
    store.forget_remains().await.unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 5);
}

pub async fn values_are_sealed_anew_where_still_the_same(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 30, |number, row| {
        if number % 3 == 0 {
            row.tokens.access = Some(sealed(2, 9));
        }
        if number % 5 == 0 {
            row.tokens.refresh = None;
        }
    })
    .await;
    let rows = NewRows { apps: vec![app("other")], ..NewRows::default() };
    assert!(store.add(&rows, &Notes::default()).await.unwrap());

    let old = [1; 8];
    let count = async |place, key: &[u8]| store.sealed_with(key, place, None, 1_000).await.unwrap().len();
    assert_eq!(count(SealedPlace::AppSecret, &old).await, 2);
    assert_eq!(count(SealedPlace::Access, &old).await, 20);
    assert_eq!(count(SealedPlace::Access, &[2; 8]).await, 10);
    assert_eq!(count(SealedPlace::Refresh, &old).await, 24);
    assert_eq!(count(SealedPlace::Refresh, &[1; 7]).await, 0, "half a key's id names none");

    // In pages, in the order of ids.
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.sealed_with(&old, SealedPlace::Refresh, after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen.len(), 24);
    assert!(seen.is_sorted_by_key(|sealed| sealed.id));
    assert!(seen.iter().all(|value| value.bytes == sealed(1, 2) && value.place == SealedPlace::Refresh));

    // One changed meanwhile; all places in one batch.
    let mut changes: Vec<(Sealed, Vec<u8>)> = seen.into_iter().map(|value| (value, sealed(3, 3))).collect();
    for place in [SealedPlace::AppSecret, SealedPlace::Access] {
        let values = store.sealed_with(&old, place, None, 1_000).await.unwrap();
        changes.extend(values.into_iter().map(|value| (value, sealed(3, 4))));
    }
    changes.reverse();
    let refreshed = ids[1];
    assert!(store.replace_tokens(refreshed, 1, &tokens(50), NOW, &Notes::default()).await.unwrap());
    assert_eq!(store.reseal(&changes).await.unwrap(), 46 - 2, "two values of one row are newer");
    let newer = row(store.as_ref(), refreshed).await.tokens;
    assert_eq!((newer.access, newer.refresh), (tokens(50).access, tokens(50).refresh));
    assert_eq!(count(SealedPlace::AppSecret, &[3; 8]).await, 2);
    assert_eq!(store.reseal(&changes).await.unwrap(), 0);
    assert_eq!(store.reseal(&[]).await.unwrap(), 0);
}
