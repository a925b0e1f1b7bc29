//! Leases, compare-and-set, failures, use.

use sesame_vault::store::{
    AuthorizationRow, Claim, FailedRefresh, NewRows, Notes, ReauthorizationRequired, TokenColumns,
};

use super::{Place, rows::*};

pub async fn one_of_many_claims_wins(place: &dyn Place) {
    let store = place.open().await;
    let id = shop(store.as_ref()).await;
    let others = [place.open().await, place.open().await, store.clone()];
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..32_usize {
        let store = others[number % 3].clone();
        racers.spawn(async move {
            let owner = format!("owner-{number}");
            let lease = store.claim(claim(id, &owner, NOW)).await.unwrap();
            lease.map(|lease| (owner, lease))
        });
    }
    let won: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let (owner, lease) = &won[0];
    assert_eq!((lease.fence, lease.interrupted_since), (1, None));
    let row = row(store.as_ref(), id).await;
    assert_eq!(row.lease_owner.as_ref(), Some(owner));
    assert_eq!((row.lease_until, row.refreshing_since), (Some(NOW + MINUTE), Some(NOW)));
}

pub async fn a_lease_is_fenced(place: &dyn Place) {
    let store = place.open().await;
    let id = shop(store.as_ref()).await;
    let first = store.claim(claim(id, "a", NOW)).await.unwrap().unwrap();
    assert_eq!(store.claim(claim(id, "b", NOW + MINUTE - 1)).await.unwrap(), None);
    assert_eq!(store.claim(Claim { generation: 2, ..claim(id, "a", NOW) }).await.unwrap(), None);
    let again = store.claim(claim(id, "a", NOW + 1)).await.unwrap().unwrap();
    assert_eq!(again.fence, first.fence + 1, "a lease of our own is a leftover");
    let next = store.claim(claim(id, "b", NOW + 1 + MINUTE)).await.unwrap().unwrap();
    assert_eq!((next.fence, next.interrupted_since), (3, Some(NOW)), "the lease has ended");
    let late = store.claim(claim(id, "c", NOW + 1 + 2 * MINUTE)).await.unwrap().unwrap();
    assert_eq!(late.fence, 4);

    // Nobody frees another's lease, nor a later one of its own.
    let failure = |owner, fence| FailedRefresh {
        id,
        generation: 1,
        owner,
        fence,
        at: NOW,
        error: "no",
        not_before: None,
        postpone_after: None,
        due_at: None,
        exhausted: None,
        ambiguous: false,
        blocked: None,
        denied: false,
    };
    for (owner, fence) in [("b", next.fence), ("c", 3), ("b", 4), ("", 4)] {
        store.record_failure(failure(owner, fence), &notes(id)).await.unwrap();
    }
    let standing = row(store.as_ref(), id).await;
    assert_eq!((standing.lease_owner.as_deref(), standing.attempts), (Some("c"), 0));
    assert_eq!(lines(store.as_ref(), id).await, 0);
    assert_eq!(events(store.as_ref()).await, []);
}

pub async fn tokens_are_compared_and_set(place: &dyn Place) {
    let store = place.open().await;
    let id = shop(store.as_ref()).await;
    let lease = store.claim(claim(id, "a", NOW)).await.unwrap().unwrap();
    store
        .record_failure(
            FailedRefresh {
                id,
                generation: 1,
                owner: "a",
                fence: lease.fence,
                at: NOW,
                error: "no",
                not_before: Some(NOW + 1),
                postpone_after: Some(NOW + 2),
                due_at: None,
                exhausted: Some("ended"),
                ambiguous: true,
                blocked: None,
                denied: false,
            },
            &Notes::default(),
        )
        .await
        .unwrap();
    store.claim(claim(id, "b", NOW + 5)).await.unwrap().unwrap();

    let bare = TokenColumns {
        refresh: None,
        access_expires_at: None,
        refresh_expires_at: None,
        refresh_denied: false,
        warm_at: None,
        due_at: Some(NOW + 7),
        announced: None,
        ..tokens(80)
    };
    assert!(!store.replace_tokens(id, 2, &bare, NOW + 9, &notes(id)).await.unwrap());
    assert!(!store.replace_tokens(super::rows::id(), 1, &bare, NOW + 9, &notes(id)).await.unwrap());
    assert_eq!(lines(store.as_ref(), id).await, 0, "notes only with the change");
    assert!(store.replace_tokens(id, 1, &bare, NOW + 9, &notes(id)).await.unwrap());
    let before = authorization(id);
    let expected = AuthorizationRow {
        id,
        app_id: row(store.as_ref(), id).await.app_id,
        generation: 2,
        tokens: bare,
        last_success: Some(NOW + 9),
        ..before
    };
    assert_eq!(row(store.as_ref(), id).await, expected, "intent, lease and errors are gone");
    // An end that stays the same keeps its postponement off.
    let same = TokenColumns { access: None, ..expected.tokens.clone() };
    let lease = store.claim(Claim { generation: 2, ..claim(id, "d", NOW + 9) }).await.unwrap().unwrap();
    let put_off = FailedRefresh {
        id,
        generation: 2,
        owner: "d",
        fence: lease.fence,
        at: NOW,
        error: "no",
        not_before: None,
        postpone_after: Some(NOW + 77),
        due_at: None,
        exhausted: None,
        ambiguous: false,
        blocked: None,
        denied: false,
    };
    store.record_failure(put_off, &Notes::default()).await.unwrap();
    assert!(store.replace_tokens(id, 2, &same, NOW + 9, &Notes::default()).await.unwrap());
    assert_eq!(row(store.as_ref(), id).await.postpone_after, Some(NOW + 77));
    assert!(store.replace_tokens(id, 3, &tokens(9), NOW + 9, &Notes::default()).await.unwrap());
    assert_eq!(row(store.as_ref(), id).await.postpone_after, None);
    assert!(!store.replace_tokens(id, 1, &tokens(9), NOW + 9, &notes(id)).await.unwrap());
    assert_eq!(lines(store.as_ref(), id).await, 1);
    assert_eq!(events(store.as_ref()).await.len(), 1);
    let lease = store.claim(Claim { generation: 4, ..claim(id, "c", NOW + 9) }).await.unwrap().unwrap();
    assert_eq!((lease.fence, lease.interrupted_since), (4, None), "fences only grow");
}

pub async fn one_of_many_writes_wins(place: &dyn Place) {
    let store = place.open().await;
    let id = shop(store.as_ref()).await;
    let others = [place.open().await, place.open().await, store.clone()];
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..32_u8 {
        let store = others[usize::from(number) % 3].clone();
        racers.spawn(async move {
            let tokens = tokens(100 + number);
            store.replace_tokens(id, 1, &tokens, NOW, &notes(id)).await.unwrap().then_some(tokens)
        });
    }
    let won: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let row = row(store.as_ref(), id).await;
    assert_eq!((row.generation, &row.tokens), (2, &won[0]));
    assert_eq!(lines(store.as_ref(), id).await, 1);
}

/// Each of many callers hears of its own row, also where two write the same one.
pub async fn many_answers_at_once(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 300, |_, _| ()).await;
    let mut writers = tokio::task::JoinSet::new();
    for (number, id) in ids.iter().copied().enumerate() {
        for expected in [1, 2, 7] {
            let store = store.clone();
            writers.spawn(async move {
                let mark = u8::try_from(number % 200).unwrap();
                let done = store.replace_tokens(id, expected, &tokens(mark), NOW, &notes(id)).await.unwrap();
                (number, expected, done)
            });
        }
    }
    let mut generations = vec![1_i64; ids.len()];
    for (number, expected, done) in writers.join_all().await {
        assert!(!done || expected != 7, "there is no generation 7");
        assert!(done || expected != 1, "generation 1 was there");
        generations[number] += i64::from(done);
    }
    for (number, id) in ids.into_iter().enumerate() {
        let row = row(store.as_ref(), id).await;
        assert_eq!(row.generation, generations[number], "what was said is what is there");
        assert_eq!(row.tokens.access, tokens(u8::try_from(number % 200).unwrap()).access);
        assert_eq!(lines(store.as_ref(), id).await, usize::try_from(row.generation - 1).unwrap());
    }
}

pub async fn one_bad_answer_spoils_no_other(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 40, |_, _| ()).await;
    let taken = notes(ids[0]);
    store.note(&taken).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for (number, id) in ids.iter().copied().enumerate() {
        // The tenth brings a line whose id is taken: it cannot be written.
        let notes = if number == 10 { taken.clone() } else { notes(id) };
        let store = store.clone();
        writers.spawn(async move { (number, store.replace_tokens(id, 1, &tokens(9), NOW, &notes).await) });
    }
    for (number, done) in writers.join_all().await {
        assert_eq!(done.is_ok_and(|done| done), number != 10, "number {number}");
    }
    assert_eq!(row(store.as_ref(), ids[10]).await.generation, 1);
    assert_eq!(row(store.as_ref(), ids[11]).await.generation, 2);
}

pub async fn failures_are_written_under_the_lease(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 1, |_, row| row.tokens.refresh_denied = false).await;
    let id = ids[0];
    let lease = store.claim(claim(id, "a", NOW)).await.unwrap().unwrap();
    let failure = FailedRefresh {
        id,
        generation: 1,
        owner: "a",
        fence: lease.fence,
        at: NOW + 1,
        error: "the platform says \0 no",
        not_before: Some(NOW + 30),
        postpone_after: None,
        due_at: Some(NOW + 31),
        exhausted: None,
        ambiguous: true,
        blocked: Some(true),
        denied: false,
    };
    store.record_failure(failure, &notes(id)).await.unwrap();
    let first = row(store.as_ref(), id).await;
    assert_eq!((first.attempts, first.not_before, first.last_error_at), (1, Some(NOW + 30), Some(NOW + 1)));
    assert_eq!((first.lease_owner, first.lease_until), (None, None));
    assert_eq!(first.refreshing_since, Some(NOW), "it may have been spent");
    assert_eq!((first.blocked, first.tokens.refresh_denied), (true, false));
    assert_eq!(first.tokens.due_at, Some(NOW + 31));
    assert!(first.last_error.unwrap().starts_with("the platform says"));
    assert_eq!((lines(store.as_ref(), id).await, events(store.as_ref()).await.len()), (1, 1));
    store.record_failure(failure, &notes(id)).await.unwrap();
    assert_eq!(row(store.as_ref(), id).await.attempts, 1, "the lease was given back");

    let lease = store.claim(claim(id, "a", NOW + 40)).await.unwrap().unwrap();
    assert_eq!(lease.interrupted_since, Some(NOW));
    let last = FailedRefresh {
        fence: lease.fence,
        not_before: None,
        due_at: None,
        postpone_after: Some(NOW + 99),
        exhausted: Some("ended"),
        ambiguous: false,
        blocked: None,
        denied: true,
        ..failure
    };
    store.record_failure(last, &Notes::default()).await.unwrap();
    let second = row(store.as_ref(), id).await;
    assert_eq!((second.attempts, second.not_before), (2, Some(NOW + 30)), "nothing leaves what stands");
    assert_eq!((second.blocked, second.tokens.refresh_denied), (true, true));
    assert!(store.replace_tokens(id, 1, &tokens(2), NOW + 50, &Notes::default()).await.unwrap());
    let third = row(store.as_ref(), id).await;
    assert_eq!((third.blocked, third.tokens.refresh_denied), (false, true), "as the new tokens are");
    assert_eq!((second.postpone_after, second.exhausted.as_deref()), (Some(NOW + 99), Some("ended")));
    assert_eq!((second.refreshing_since, second.interrupted_since), (None, Some(NOW)));
    assert_eq!(second.tokens.due_at, None);
}

pub async fn exhaustion_is_told_once(place: &dyn Place) {
    let store = place.open().await;
    let id = shop(store.as_ref()).await;
    store.exhaust(id, 2, "ended", NOW, &notes(id)).await.unwrap();
    assert_eq!(row(store.as_ref(), id).await.exhausted, None, "another generation");
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        racers.spawn(async move {
            store.exhaust(id, 1, &format!("reason {number}"), NOW + 1, &notes(id)).await.unwrap();
        });
    }
    racers.join_all().await;
    let row = row(store.as_ref(), id).await;
    assert!(row.exhausted.as_ref().is_some_and(|why| why.starts_with("reason")));
    assert_eq!((row.last_error, row.last_error_at), (row.exhausted, Some(NOW + 1)));
    assert_eq!(row.tokens.due_at, None);
    assert_eq!((lines(store.as_ref(), id).await, events(store.as_ref()).await.len()), (1, 1));
}

pub async fn what_was_given_up_is_named(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.reauthorization_required(10).await.unwrap(), ReauthorizationRequired::default());
    let ids = shops(store.as_ref(), 6, |number, row| {
        row.tokens.due_at = None;
        // The first was imported as one that is over.
        row.exhausted = (number == 0).then(|| "ended".to_owned());
        row.last_error_at = (number == 0).then_some(NOW);
    })
    .await;
    for (id, at) in [(ids[4], NOW + 2), (ids[2], NOW + 1), (ids[5], NOW + 2)] {
        store.exhaust(id, 1, "ended", at, &Notes::default()).await.unwrap();
    }
    let lease = store.claim(claim(ids[1], "a", NOW)).await.unwrap().unwrap();
    let failure = FailedRefresh {
        id: ids[1],
        generation: 1,
        owner: "a",
        fence: lease.fence,
        at: NOW + 3,
        error: "no",
        not_before: Some(NOW + 4),
        postpone_after: Some(NOW + 5),
        due_at: None,
        exhausted: Some("refused"),
        ambiguous: false,
        blocked: None,
        denied: false,
    };
    store.record_failure(failure, &Notes::default()).await.unwrap();
    // Two accounts use one of them.
    let full = store.account("shop-0004").await.unwrap().unwrap();
    let twin = NewRows { accounts: vec![account("a-twin", full.app.id, ids[4])], ..NewRows::default() };
    assert!(store.add(&twin, &Notes::default()).await.unwrap());
    let named = async |limit| {
        let given_up = store.reauthorization_required(limit).await.unwrap();
        (given_up.names.join(" "), given_up.count)
    };
    let all = "a-twin shop-0000 shop-0001 shop-0002 shop-0004 shop-0005";
    assert_eq!(named(10).await, (all.to_owned(), 6));
    assert_eq!(named(2).await, ("a-twin shop-0000".to_owned(), 6));
    // New tokens, and an account that goes.
    assert!(store.replace_tokens(ids[4], 1, &tokens(9), NOW, &Notes::default()).await.unwrap());
    let gone = store.account("shop-0005").await.unwrap().unwrap().account.id;
    store.remove_account(gone, &Notes::default()).await.unwrap();
    assert_eq!(named(10).await, ("shop-0000 shop-0001 shop-0002".to_owned(), 3));
}

pub async fn what_is_used_becomes_due(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 5, |number, row| {
        row.tokens.warm_at = (number != 3).then_some(NOW + 50);
        row.tokens.due_at = [None, Some(NOW + 99), Some(NOW + 1), None, None][number];
        row.exhausted = (number == 4).then(|| "ended".to_owned());
        row.last_used = [None, Some(NOW + 500), Some(NOW), None, None][number];
    })
    .await;
    store.touch(&[], NOW).await.unwrap();
    let mut some = ids.clone();
    some.push(id());
    some.reverse();
    store.touch(&some, NOW + 100).await.unwrap();
    let mut seen = Vec::new();
    for id in &ids {
        let row = row(store.as_ref(), *id).await;
        seen.push((row.tokens.due_at, row.last_used));
    }
    assert_eq!(
        seen,
        [
            (Some(NOW + 50), Some(NOW + 100)),
            (Some(NOW + 50), Some(NOW + 500)),
            (Some(NOW + 1), Some(NOW + 100)),
            (None, Some(NOW + 100)),
            (None, Some(NOW + 100)),
        ]
    );

    // Many note the same shops at once, in different orders.
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..16_usize {
        let (store, mut ids) = (place.open().await, ids.clone());
        ids.rotate_left(number % 5);
        racers.spawn(async move {
            for step in 0..10 {
                store.touch(&ids, NOW + 200 + step).await.unwrap();
            }
        });
    }
    racers.join_all().await;
    assert_eq!(row(store.as_ref(), ids[0]).await.last_used, Some(NOW + 209));
}

pub async fn an_interrupted_refresh_is_remembered(place: &dyn Place) {
    let store = place.open().await;
    let id = shop(store.as_ref()).await;
    for step in 0..3 {
        let now = NOW + step * 2 * MINUTE;
        let lease = store.claim(claim(id, &format!("owner-{step}"), now)).await.unwrap().unwrap();
        assert_eq!(lease.interrupted_since, (step > 0).then_some(NOW), "the first stays");
    }
}
