//! Master keys, and what they sealed.

use sesame_vault::store::{KeyKind, KeyRow, KeyState, NewRows, Notes, Sealed, SecretColumn};

use super::{Place, rows::*};

fn key(mark: u8, state: KeyState) -> KeyRow {
    KeyRow {
        key_id: [mark; 8],
        state,
        wrapped: None,
        kind: KeyKind::File,
        params: "{}".to_owned(),
        check: vec![mark; 30],
        created_at: NOW + i64::from(mark),
    }
}

pub async fn a_vault_gets_its_first_key_once(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.keys().await.unwrap(), []);
    let mut racers = tokio::task::JoinSet::new();
    for mark in 1..=12 {
        let store = place.open().await;
        racers.spawn(async move { store.set_keys(&[], &[key(mark, KeyState::Active)]).await.unwrap() });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|added| *added).count(), 1);
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert!(!store.set_keys(&[], &[key(30, KeyState::Active)]).await.unwrap(), "a second one");
    assert_eq!(store.keys().await.unwrap(), keys);
}

pub async fn keys_are_compared_and_set(place: &dyn Place) {
    let store = place.open().await;
    let first = [key(1, KeyState::Active)];
    assert!(store.set_keys(&[], &first).await.unwrap());
    let (retired, older) = (key(2, KeyState::Retired), key(1, KeyState::Retired));
    let incoming = KeyRow { wrapped: Some(vec![7; 48]), ..key(4, KeyState::Incoming) };
    let active = key(3, KeyState::Active);
    let all = [older.clone(), incoming.clone(), retired.clone(), active.clone()];
    for (wrong, why) in [
        (vec![key(9, KeyState::Active)], "another key"),
        (vec![KeyRow { wrapped: Some(vec![8]), ..first[0].clone() }], "wrapped in another way"),
        (vec![first[0].clone(), incoming.clone()], "one more"),
    ] {
        assert!(!store.set_keys(&wrong, &all).await.unwrap(), "{why}");
        assert_eq!(store.keys().await.unwrap(), first, "{why}");
    }
    assert!(store.set_keys(&first, &all).await.unwrap());
    let stored = store.keys().await.unwrap();
    assert_eq!(
        stored,
        [active.clone(), incoming, retired, older],
        "the active one, the incoming one, the newest"
    );

    let mut racers = tokio::task::JoinSet::new();
    for mark in 10..18 {
        let (store, stored) = (place.open().await, stored.clone());
        racers.spawn(async move { store.set_keys(&stored, &[key(mark, KeyState::Active)]).await.unwrap() });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(store.keys().await.unwrap().len(), 1);
    store.forget_remains().await.unwrap();
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
    let count = async |place, key: [u8; 8]| store.sealed_with(key, place, None, 1_000).await.unwrap().len();
    assert_eq!(count(SecretColumn::AppSecret, old).await, 2);
    assert_eq!(count(SecretColumn::Access, old).await, 20);
    assert_eq!(count(SecretColumn::Access, [2; 8]).await, 10);
    assert_eq!(count(SecretColumn::Refresh, old).await, 24);

    // In pages, in the order of ids.
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.sealed_with(old, SecretColumn::Refresh, after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen.len(), 24);
    assert!(seen.is_sorted_by_key(|sealed| sealed.id));
    assert!(seen.iter().all(|value| value.bytes == sealed(1, 2) && value.place == SecretColumn::Refresh));

    // One changed meanwhile; all places in one batch.
    let mut changes: Vec<(Sealed, Vec<u8>)> = seen.into_iter().map(|value| (value, sealed(3, 3))).collect();
    for place in [SecretColumn::AppSecret, SecretColumn::Access] {
        let values = store.sealed_with(old, place, None, 1_000).await.unwrap();
        changes.extend(values.into_iter().map(|value| (value, sealed(3, 4))));
    }
    changes.reverse();
    let refreshed = ids[1];
    assert!(store.replace_tokens(refreshed, 1, &tokens(50), NOW, &Notes::default()).await.unwrap());
    assert_eq!(store.reseal(&changes).await.unwrap(), 46 - 2, "two values of one row are newer");
    let newer = row(store.as_ref(), refreshed).await.tokens;
    assert_eq!((newer.access, newer.refresh), (tokens(50).access, tokens(50).refresh));
    assert_eq!(count(SecretColumn::AppSecret, [3; 8]).await, 2);
    assert_eq!(store.reseal(&changes).await.unwrap(), 0);
    assert_eq!(store.reseal(&[]).await.unwrap(), 0);
}
