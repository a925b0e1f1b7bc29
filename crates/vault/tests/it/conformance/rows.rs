//! Rows to put into a store.
use std::sync::atomic::{AtomicU64, Ordering};

use sesame_vault::{
    Id,
    store::{
        AccountRow, AppRow, AuditRow, AuthorizationRow, Claim, DueClaim, EventRow, NewRows, Notes, Store,
        TokenColumns,
    },
};

/// Some time of 2026.
pub const NOW: i64 = 1_795_305_600_000;
pub const MINUTE: i64 = 60_000;

/// Ids that grow.
pub fn id() -> Id {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    numbered(NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn numbered(number: u64) -> Id {
    let mut bytes = [0x11; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Id::from_slice(&bytes).unwrap()
}

pub fn app(name: &str) -> AppRow {
    AppRow {
        id: id(),
        name: name.to_owned(),
        platform: "lazada".to_owned(),
        region: Some("sg".to_owned()),
        app_key: "500100".to_owned(),
        secret: sealed(1, 100),
        former_secret: Some(sealed(1, 101)),
        redirect_uri: "http://127.0.0.1:9005/".to_owned(),
        sandbox: Some("http://127.0.0.1:4600".to_owned()),
        secret_origin: Some("standard input".to_owned()),
        created_at: NOW,
    }
}

/// A sealed value: a form, the id of its key, anything.
pub fn sealed(key: u8, rest: u8) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend([key; 8]);
    bytes.extend([rest; 40]);
    bytes
}

pub fn tokens(mark: u8) -> TokenColumns {
    TokenColumns {
        access: Some(sealed(1, mark)),
        refresh: Some(sealed(1, mark.wrapping_add(1))),
        issued_at: NOW,
        access_expires_at: Some(NOW + 600 * MINUTE),
        refresh_expires_at: Some(NOW + 6_000 * MINUTE),
        refresh_denied: true,
        identity: r#"{"seller":"1001","nick":"店 'x' \" \\ {,}"}"#.into(),
        warm_at: Some(NOW + 500 * MINUTE),
        due_at: Some(NOW + 400 * MINUTE),
        announced: Some(30),
    }
}

pub fn authorization(app_id: Id) -> AuthorizationRow {
    AuthorizationRow {
        id: id(),
        app_id,
        region: Some("sg".to_owned()),
        generation: 1,
        tokens: tokens(1),
        exhausted: None,
        last_success: Some(NOW),
        last_error: None,
        last_error_at: None,
        attempts: 0,
        not_before: None,
        lease_owner: None,
        lease_until: None,
        refreshing_since: None,
        interrupted_since: None,
        last_used: Some(NOW - MINUTE),
        postpone_after: None,
        blocked: false,
    }
}

pub fn account(name: &str, app_id: Id, authorization_id: Id) -> AccountRow {
    AccountRow {
        id: id(),
        name: name.to_owned(),
        app_id,
        authorization_id,
        login: Some("seller@example.com".to_owned()),
        shop_id: Some("1001".to_owned()),
        country: Some("sg".to_owned()),
        region: None,
        tags: vec!["big".to_owned(), "süd, \"ost\"".to_owned()],
        created_at: NOW,
    }
}

pub fn line(about: Option<Id>) -> AuditRow {
    AuditRow {
        id: id(),
        at: NOW,
        authorization_id: about,
        subject: "shop".to_owned(),
        action: "refresh".to_owned(),
        succeeded: true,
        detail: None,
        actor: Some("anna@host, pid 7".to_owned()),
    }
}

pub fn event(about: Id, at: i64) -> EventRow {
    EventRow {
        id: id(),
        at,
        authorization_id: about,
        kind: "expiring".to_owned(),
        payload: r#"{"days":30}"#.to_owned(),
    }
}

pub fn notes(about: Id) -> Notes {
    Notes { audit: vec![line(Some(about))], events: vec![event(about, NOW)] }
}

/// Puts a number of shops of one app into a store; each has an authorization of its own.
pub async fn shops(
    store: &dyn Store,
    count: usize,
    change: impl Fn(usize, &mut AuthorizationRow),
) -> Vec<Id> {
    let app = app("app");
    let mut rows = NewRows::default();
    for number in 0..count {
        let mut authorization = authorization(app.id);
        change(number, &mut authorization);
        rows.accounts.push(account(&format!("shop-{number:04}"), app.id, authorization.id));
        rows.authorizations.push(authorization);
    }
    rows.apps.push(app);
    assert!(store.add(&rows, &Notes::default()).await.unwrap());
    rows.authorizations.iter().map(|row| row.id).collect()
}

pub async fn shop(store: &dyn Store) -> Id {
    shops(store, 1, |_, _| ()).await[0]
}

pub async fn row(store: &dyn Store, id: Id) -> AuthorizationRow {
    store.authorization(id).await.unwrap().unwrap()
}

pub fn claim(id: Id, owner: &str, now: i64) -> Claim<'_> {
    Claim { id, generation: 1, owner, now, until: now + MINUTE, spending: b"spent" }
}

/// Counts lines of the audit trail about an authorization.
pub async fn lines(store: &dyn Store, about: Id) -> usize {
    let query = sesame_vault::store::AuditQuery { authorization: Some(about), since: None, limit: 1_000 };
    store.audit(query).await.unwrap().len()
}

/// Takes all events that wait for the hook.
pub async fn events(store: &dyn Store) -> Vec<EventRow> {
    let claim = DueClaim { owner: "a", now: NOW * 2, until: NOW * 2 + 1, limit: 1_000 };
    let due = store.claim_events(sesame_vault::store::Sink::Hook, 0, claim).await.unwrap();
    due.into_iter().map(|due| due.event).collect()
}
