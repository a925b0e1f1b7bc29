//! What keepers share.

use std::collections::HashSet;

use sesame_vault::store::{AuditQuery, DueClaim, Intent, Notes, Planned};

use super::{Place, rows::*};

fn due(owner: &str, now: i64, limit: u32) -> DueClaim<'_> {
    DueClaim { owner, now, until: now + MINUTE, limit }
}

pub async fn due_rows_are_handed_out_once_the_longest_due_first(place: &dyn Place) {
    let store = place.open().await;
    // The later the id, the longer due; every tenth is not due.
    let ids = shops(store.as_ref(), 50, |number, row| {
        let number = i64::try_from(number).unwrap();
        row.tokens.due_at = Some(if number % 10 == 0 { NOW + 1 } else { NOW - number });
    })
    .await;
    let other = place.open().await;
    let first = store.claim_due(due("a", NOW, 10)).await.unwrap();
    assert_eq!(first.len(), 10);
    // Number 40 is not due.
    let longest: HashSet<_> = ids[39..].iter().copied().filter(|id| *id != ids[40]).collect();
    assert_eq!(first.iter().map(|due| due.authorization.id).collect::<HashSet<_>>(), longest);
    let last = first.iter().find(|due| due.authorization.id == ids[49]).unwrap();
    assert_eq!((last.label.as_str(), last.fence), ("shop-0049", 1));
    let held = &last.authorization;
    assert_eq!((held.lease_owner.as_deref(), held.lease_until), (Some("a"), Some(NOW + MINUTE)));
    assert_eq!(held.refreshing_since, None);
    assert_eq!(held.tokens.due_at, Some(NOW + MINUTE), "again when the lease ends");
    assert_eq!(*held, row(store.as_ref(), held.id).await, "as it stands under the lease");

    let rest = other.claim_due(due("b", NOW, 1_000)).await.unwrap();
    assert_eq!(rest.len(), 35);
    assert_eq!(store.claim_due(due("a", NOW, 1_000)).await.unwrap(), []);
    let all: HashSet<_> = first.iter().chain(&rest).map(|due| due.authorization.id).collect();
    assert_eq!(all.len(), 45);
    assert_eq!(store.claim_due(due("a", NOW + 1, 1_000)).await.unwrap().len(), 5);
    let after = store.claim_due(due("c", NOW + MINUTE, 1_000)).await.unwrap();
    assert_eq!(after.len(), 45, "leases have ended");
    assert!(after.iter().all(|due| due.fence == 2));
}

pub async fn due_rows_in_a_crowd(place: &dyn Place) {
    let store = place.open().await;
    shops(store.as_ref(), 600, |_, row| row.tokens.due_at = Some(NOW)).await;
    let mut keepers = tokio::task::JoinSet::new();
    for number in 0..6 {
        let store = place.open().await;
        keepers.spawn(async move {
            let owner = format!("keeper-{number}");
            let mut mine = Vec::new();
            loop {
                let some = store.claim_due(due(&owner, NOW, 20)).await.unwrap();
                assert!(some.len() <= 20);
                if some.is_empty() {
                    return mine;
                }
                mine.extend(some.into_iter().map(|due| due.authorization.id));
            }
        });
    }
    let mut all: Vec<_> = keepers.join_all().await.concat();
    // Rows that another was just looking at may be left over: whoever asks next gets them.
    all.extend(
        store.claim_due(due("last", NOW, 600)).await.unwrap().into_iter().map(|due| due.authorization.id),
    );
    assert_eq!(all.len(), 600);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 600, "each once");
}

pub async fn absurd_leases_are_none(place: &dyn Place) {
    let store = place.open().await;
    let id = shops(store.as_ref(), 1, |_, row| row.tokens.due_at = Some(NOW)).await[0];
    let year = 365 * 24 * 60 * MINUTE;
    assert!(store.claim(claim(id, "a", NOW + year)).await.unwrap().is_some(), "by a clock a year ahead");
    assert!(store.claim(claim(id, "b", NOW)).await.unwrap().is_some());
    assert!(store.claim(claim(id, "a", NOW + year)).await.unwrap().is_some());
    assert_eq!(store.claim_due(due("c", NOW, 5)).await.unwrap().len(), 1);
    // Half an hour ahead is a clock that differs, and is heeded.
    assert!(store.claim(claim(id, "c", NOW + 30 * MINUTE)).await.unwrap().is_some());
    assert_eq!(store.claim_due(due("d", NOW, 5)).await.unwrap(), []);
}

pub async fn intents_only_under_the_own_lease(place: &dyn Place) {
    let store = place.open().await;
    shops(store.as_ref(), 6, |_, row| row.tokens.due_at = Some(NOW)).await;
    let held = store.claim_due(due("a", NOW, 6)).await.unwrap();
    let mut intents: Vec<Intent> = held
        .iter()
        .map(|due| Intent {
            id: due.authorization.id,
            fence: due.fence,
            generation: 1,
            spending: vec![3; 32],
        })
        .collect();
    intents[1].fence += 1;
    intents[2].generation += 1;
    intents[3].id = id();
    assert!(store.claim(claim(intents[4].id, "b", NOW + 2 * MINUTE)).await.unwrap().is_some());
    assert_eq!(store.begin("b", &intents, NOW + 5, NOW + 5 + MINUTE).await.unwrap(), [], "not ours");
    assert_eq!(
        store.begin("a", &intents, NOW + 5, NOW + 5 + MINUTE).await.unwrap(),
        [intents[0].id, intents[5].id]
    );
    let begun = row(store.as_ref(), intents[0].id).await;
    assert_eq!((begun.refreshing_since, begun.interrupted_since), (Some(NOW + 5), None));
    let renewed = Some(NOW + 5 + MINUTE);
    assert_eq!((begun.lease_until, begun.tokens.due_at), (renewed, renewed));
    assert_eq!(row(store.as_ref(), intents[1].id).await.refreshing_since, None);
    assert_eq!(store.begin("a", &[], NOW, NOW).await.unwrap(), []);
    // Begun again, after a while: the first is the one that may have been spent.
    assert_eq!(store.begin("a", &intents[..1], NOW + 9, NOW + 9 + MINUTE).await.unwrap().len(), 1);
    assert_eq!(row(store.as_ref(), intents[0].id).await.interrupted_since, Some(NOW + 5));
}

pub async fn plans_give_leases_back(place: &dyn Place) {
    let store = place.open().await;
    shops(store.as_ref(), 4, |_, row| row.tokens.due_at = Some(NOW)).await;
    let held = store.claim_due(due("a", NOW, 4)).await.unwrap();
    let plan = |number: usize, due_at, announced| Planned {
        id: held[number].authorization.id,
        fence: held[number].fence,
        due_at,
        announced,
    };
    let mut plans = vec![plan(0, Some(NOW + 70), Some(7)), plan(1, None, None), plan(2, Some(NOW + 5), None)];
    plans[2].fence += 1;
    let about = plans[0].id;
    store.plan("b", &plans, &notes(about)).await.unwrap();
    assert_eq!(events(store.as_ref()).await, [], "a warning only under the lease");
    assert_eq!(store.claim_due(due("b", NOW, 9)).await.unwrap(), [], "nobody frees another's lease");
    store.plan("a", &plans, &notes(about)).await.unwrap();
    let first = row(store.as_ref(), plans[0].id).await;
    assert_eq!((first.tokens.due_at, first.tokens.announced), (Some(NOW + 70), Some(7)));
    assert_eq!((first.lease_owner, first.lease_until), (None, None));
    let second = row(store.as_ref(), plans[1].id).await;
    assert_eq!((second.tokens.due_at, second.tokens.announced, second.lease_owner), (None, None, None));
    assert_eq!(row(store.as_ref(), plans[2].id).await.lease_owner.as_deref(), Some("a"));
    assert_eq!((lines(store.as_ref(), about).await, events(store.as_ref()).await.len()), (2, 1));
    let elsewhere = id();
    store.plan("a", &plans, &notes(elsewhere)).await.unwrap();
    assert_eq!(events(store.as_ref()).await.len(), 1, "of one that is not planned");
    store.plan("a", &[], &Notes::default()).await.unwrap();
}

pub async fn the_next_due_row(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.next_due(NOW).await.unwrap(), None);
    shops(store.as_ref(), 3, |number, row| {
        row.tokens.due_at = [Some(NOW + 30), None, Some(NOW + 10)][number];
    })
    .await;
    assert_eq!(store.next_due(NOW).await.unwrap(), Some(NOW + 10));
    assert_eq!(store.claim_due(due("a", NOW + 10, 5)).await.unwrap().len(), 1);
    assert_eq!(store.next_due(NOW + 10).await.unwrap(), Some(NOW + 30), "one is held");
    let ended = NOW + 10 + MINUTE;
    assert_eq!(store.claim_due(due("b", NOW + 30, 5)).await.unwrap().len(), 1);
    assert_eq!(store.next_due(ended).await.unwrap(), Some(ended), "whose lease has ended");
}

pub async fn plans_that_lie_too_far_ahead_are_due_now(place: &dyn Place) {
    let store = place.open().await;
    let ids = shops(store.as_ref(), 5, |number, row| {
        row.tokens.due_at = [None, Some(NOW - 7), Some(NOW + 9), Some(NOW + 10), Some(i64::MAX)][number];
    })
    .await;
    assert_eq!(store.pull_forward(NOW, 9).await.unwrap(), 2);
    assert_eq!(store.pull_forward(NOW, 9).await.unwrap(), 0);
    let mut seen = Vec::new();
    for id in &ids {
        seen.push(row(store.as_ref(), *id).await.tokens.due_at.map(|due_at| due_at - NOW));
    }
    assert_eq!(seen, [None, Some(-7), Some(9), Some(0), Some(0)]);
}

pub async fn rows_due_too_late_are_pulled_forward(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.pull_forward(NOW, MINUTE).await.unwrap(), 0);
    let ids = shops(store.as_ref(), 5, |number, row| {
        row.tokens.due_at =
            [Some(NOW - 1), Some(NOW + MINUTE), Some(NOW + MINUTE + 1), Some(i64::MAX), None][number];
    })
    .await;
    // Also a row whose lease was taken by a clock that was ahead.
    assert_eq!(store.claim_due(due("a", NOW + 900 * MINUTE, 1)).await.unwrap().len(), 1);
    assert_eq!(store.pull_forward(NOW, MINUTE).await.unwrap(), 3);
    let mut seen = Vec::new();
    for id in &ids {
        seen.push(row(store.as_ref(), *id).await.tokens.due_at.map(|due_at| due_at - NOW));
    }
    assert_eq!(seen, [Some(0), Some(MINUTE), Some(0), Some(0), None]);
    assert_eq!(store.claim_due(due("b", NOW, 9)).await.unwrap().len(), 3);
}

pub async fn a_store_that_is_new_has_nothing(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.apps().await.unwrap(), []);
    assert_eq!(store.accounts().await.unwrap(), []);
    assert_eq!(store.accounts_after(None, 10).await.unwrap(), []);
    assert_eq!(store.claim_due(due("a", NOW, 10)).await.unwrap(), []);
    assert_eq!(store.audit(AuditQuery { authorization: None, since: None, limit: 10 }).await.unwrap(), []);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    store.close().await;
}

pub async fn a_new_vault_made_by_many_at_once(place: &dyn Place) {
    let all = open_eight(place).await;
    let id = shop(all[0].as_ref()).await;
    for store in &all {
        assert_eq!(row(store.as_ref(), id).await.id, id);
    }
}

/// Opens eight stores at the same time.
async fn open_eight(place: &dyn Place) -> Vec<std::sync::Arc<dyn sesame_vault::store::Store>> {
    let all = tokio::join!(
        place.open(),
        place.open(),
        place.open(),
        place.open(),
        place.open(),
        place.open(),
        place.open(),
        place.open()
    );
    <[_; 8]>::from(all).into()
}
