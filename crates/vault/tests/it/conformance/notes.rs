//! The audit trail and events.

use std::collections::HashSet;

use sesame_vault::{
    Id,
    store::{AuditQuery, DueClaim, DueEvent, EventRow, HOLDS_BACK, Notes, Sink},
};

use super::{Place, rows::*};

fn claim_of(now: i64, until: i64, limit: u32) -> DueClaim<'static> {
    DueClaim { owner: "a", now, until, limit }
}

fn events_of(due: &[DueEvent]) -> Vec<EventRow> {
    due.iter().map(|due| due.event.clone()).collect()
}

fn ids_of(due: &[DueEvent]) -> Vec<Id> {
    due.iter().map(|due| due.event.id).collect()
}

/// Events of as many shops.
fn with_events(count: usize) -> Notes {
    Notes { audit: vec![], events: (0..).take(count).map(|number| event(id(), NOW + number)).collect() }
}

pub async fn events_reach_each_sink_once(place: &dyn Place) {
    let store = place.open().await;
    let notes = with_events(3);
    store.note(&notes).await.unwrap();
    let until = NOW + 10 * MINUTE;
    let now = NOW + MINUTE;
    assert_eq!(store.claim_events(Sink::Hook, NOW + 1, claim_of(NOW - 1, until, 10)).await.unwrap(), []);
    let taken = store.claim_events(Sink::Hook, NOW + 1, claim_of(now, until, 10)).await.unwrap();
    assert_eq!(events_of(&taken), notes.events[1..], "those since then, oldest first");
    assert_eq!(
        store.claim_events(Sink::Hook, NOW + 1, claim_of(now, until, 10)).await.unwrap(),
        [],
        "claimed"
    );
    assert_eq!(
        store.claim_events(Sink::Hook, NOW + 1, claim_of(until, until + 1, 1)).await.unwrap().len(),
        1,
        "in time again"
    );

    store.event_taken(taken[0].event.id, Sink::Hook).await.unwrap();
    let later = until + MINUTE;
    let hook = store.claim_events(Sink::Hook, NOW + 1, claim_of(later, later + 1, 10)).await.unwrap();
    assert_eq!(ids_of(&hook), [taken[1].event.id]);
    let web = store.claim_events(Sink::Webhook, NOW + 1, claim_of(later, later + MINUTE, 10)).await.unwrap();
    assert_eq!(ids_of(&web), [taken[0].event.id, taken[1].event.id], "one sink waits for no other");

    // Only whoever holds the lease now puts it off.
    store.event_failed(taken[1].event.id, Sink::Hook, taken[1].fence, later + 99 * MINUTE).await.unwrap();
    store.event_failed(hook[0].event.id, Sink::Hook, hook[0].fence, later + 5 * MINUTE).await.unwrap();
    let early = store
        .claim_events(Sink::Hook, NOW + 1, claim_of(later + 4 * MINUTE, later + 5 * MINUTE, 10))
        .await
        .unwrap();
    assert_eq!(early, [], "put off");
    let retried = store
        .claim_events(Sink::Hook, NOW + 1, claim_of(later + 5 * MINUTE, later + 6 * MINUTE, 10))
        .await
        .unwrap();
    assert_eq!((retried.len(), retried[0].attempts), (1, 1));
    let web = store
        .claim_events(Sink::Webhook, NOW, claim_of(later + MINUTE, later + 2 * MINUTE, 10))
        .await
        .unwrap();
    assert_eq!(web.iter().map(|event| event.attempts).collect::<Vec<_>>(), [0, 0, 0], "that is the hook's");
}

pub async fn events_of_one_shop_keep_their_order(place: &dyn Place) {
    let store = place.open().await;
    let (shop, other) = (id(), id());
    // The second and the third are of one instant.
    let of_shop = [event(shop, NOW), event(shop, NOW + 1), event(shop, NOW + 1)];
    let events = [&of_shop[..], &[event(other, NOW + 2)]].concat();
    store.note(&Notes { audit: vec![], events: events.clone() }).await.unwrap();
    let claim = async |at: i64| {
        let claimed = store.claim_events(Sink::Hook, 0, claim_of(at, at + 10, 10)).await.unwrap();
        claimed.into_iter().map(|due| (due.event.id, due.fence)).collect::<Vec<_>>()
    };
    let ids = |claimed: Vec<(Id, i64)>| claimed.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let (first, last) = (events[0].id, events[3].id);
    assert_eq!(ids(claim(NOW + 10).await), [first, last], "and none of those behind the first");
    assert_eq!(claim(NOW + 11).await, [], "not to another deliverer either");
    store.event_taken(last, Sink::Hook).await.unwrap();
    // While it is refused, nothing of that shop goes out; the other sink does not wait.
    for refusal in 0..HOLDS_BACK {
        let at = NOW + 100 * (refusal + 1);
        let held = claim(at).await;
        let fence = held[0].1;
        assert_eq!(ids(held), [first], "refused {refusal} times");
        store.event_failed(first, Sink::Hook, fence, at + 100).await.unwrap();
    }
    let web = store.claim_events(Sink::Webhook, 0, claim_of(NOW + 10, NOW + 20, 10)).await.unwrap();
    assert_eq!(ids_of(&web), [first, last]);
    // At last it may be this one alone that is refused.
    let next = of_shop[1].id.min(of_shop[2].id);
    assert_eq!(ids(claim(NOW + 1_099).await), [next]);
    store.event_taken(next, Sink::Hook).await.unwrap();
    let rest = of_shop[1].id.max(of_shop[2].id);
    assert_eq!(ids(claim(NOW + 1_200).await), [first, rest]);
}

pub async fn two_deliverers_share_events(place: &dyn Place) {
    let store = place.open().await;
    store.note(&with_events(200)).await.unwrap();
    let mut deliverers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = place.open().await;
        deliverers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let some = store
                    .claim_events(Sink::Webhook, 0, claim_of(NOW + MINUTE, NOW + 9 * MINUTE, 7))
                    .await
                    .unwrap();
                if some.is_empty() {
                    return mine;
                }
                mine.extend(some.into_iter().map(|due| due.event.id));
            }
        });
    }
    let all: Vec<_> = deliverers.join_all().await.concat();
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 200, "each once");
}

pub async fn the_audit_trail_is_read_newest_first(place: &dyn Place) {
    let store = place.open().await;
    let (one, other) = (id(), id());
    let mut all = Vec::new();
    for number in 0..10 {
        let mut line = line((number != 9).then_some(if number % 2 == 0 { one } else { other }));
        line.at = NOW + number;
        line.succeeded = number % 3 == 0;
        line.detail = (number == 4).then(|| "HTTP 500 {\"a\":\"b,c\"} ü\n\t".to_owned());
        all.push(line);
    }
    store.note(&Notes { audit: all.clone(), events: vec![] }).await.unwrap();
    all.reverse();
    let ask = async |authorization, since, limit| {
        store.audit(AuditQuery { authorization, since, limit }).await.unwrap()
    };
    assert_eq!(ask(None, None, 100).await, all);
    assert_eq!(ask(None, None, 3).await, all[..3]);
    assert_eq!(ask(None, Some(NOW + 7), 100).await, all[..3]);
    assert_eq!(ask(Some(one), None, 100).await.len(), 5);
    assert_eq!(ask(Some(one), Some(NOW + 6), 100).await.len(), 2);
    store.note(&Notes::default()).await.unwrap();
}

pub async fn notes_are_forgotten(place: &dyn Place) {
    let store = place.open().await;
    let mut notes = with_events(10);
    for number in 0..20 {
        notes.audit.push(sesame_vault::store::AuditRow { at: NOW + number, ..line(None) });
    }
    store.note(&notes).await.unwrap();
    assert!(store.has_audit(NOW + 19, NOW + 20).await.unwrap());
    assert!(!store.has_audit(NOW + 20, i64::MAX).await.unwrap() && !store.has_audit(0, NOW).await.unwrap());
    assert_eq!(store.forget_notes(NOW).await.unwrap(), 0);
    assert_eq!(store.forget_notes(NOW + 5).await.unwrap(), 15, "an event is a row for each sink");
    assert_eq!(events(store.as_ref()).await.len(), 5);
    assert_eq!(store.forget_notes(NOW * 2).await.unwrap(), 25);
}

pub async fn odd_texts_are_kept_or_replaced(place: &dyn Place) {
    let store = place.open().await;
    let mut odd = line(None);
    odd.subject = String::from("a'; DROP TABLE account; -- \\ \" $1 {NULL}");
    odd.detail = Some("NULL".to_owned());
    let mut nul = line(None);
    nul.detail = Some("cut\0here".to_owned());
    store.note(&Notes { audit: vec![odd.clone(), nul], events: vec![] }).await.unwrap();
    let read = store.audit(AuditQuery { authorization: None, since: None, limit: 10 }).await.unwrap();
    assert_eq!(read[1], odd);
    let detail = read[0].detail.as_deref().unwrap();
    assert!(["cut\0here", "cut\u{FFFD}here"].contains(&detail), "{detail:?}");
}
