//! What is written down of an account: lines of the audit trail, and events that are delivered.

mod audit;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use sesame_core::{Clock, Result};

pub(crate) use self::audit::Action;
pub use self::audit::{AuditFilter, AuditLine};
use crate::{
    model::{Id, reauthorize},
    schedule,
    store::{AccountStore, AuthorizationRow, EventRow, EventStore, FullRow},
};

/// Makes audit lines and events, and writes those that belong to no other change.
#[derive(Clone)]
pub(crate) struct Events {
    store: Arc<dyn EventStore>,
    accounts: Arc<dyn AccountStore>,
    clock: Arc<dyn Clock>,
    /// Who this process is.
    actor: Arc<str>,
}

/// The kind of an event that tries a sink.
pub(crate) const TEST: &str = "test";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News<'a> {
    /// It ends within this many days, and nothing but a login prolongs it.
    Expiring(i64),
    /// No refresh helps any more.
    Exhausted(&'a str),
    /// Tokens came after all.
    Recovered,
}

impl News<'_> {
    const fn kind(self) -> &'static str {
        match self {
            Self::Expiring(_) => "expiring",
            Self::Exhausted(_) => "exhausted",
            Self::Recovered => "recovered",
        }
    }
}

/// Makes an event that is about nothing, to try a sink with. It has the members of the others.
pub(crate) fn test_event(clock: &dyn Clock) -> EventRow {
    let (id, now) = (Id::new(clock), clock.now());
    let payload = json!({
        "id": id.to_string(),
        "event": TEST,
        "at": now.to_string(),
        "account": null,
        "accounts": [],
        "platform": null,
        "app": null,
        "login": null,
        "country": null,
        "ends_at": null,
        "days": null,
        "reason": "a test: nothing has happened",
        "advice": null,
    });
    EventRow {
        id,
        at: now.as_millisecond(),
        authorization_id: id,
        kind: TEST.to_owned(),
        payload: payload.to_string(),
    }
}

impl Events {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        accounts: Arc<dyn AccountStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, accounts, clock, actor: audit::this_process().into() }
    }

    /// Makes the event, unless the store is away: then the log alone has it.
    pub(crate) async fn try_event(&self, row: &AuthorizationRow, news: News<'_>) -> Option<EventRow> {
        match self.event(row, news).await {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::warn!(authorization = %row.id, kind = news.kind(), "an event cannot be written down: {error}");
                None
            }
        }
    }

    /// Makes the event that hooks and webhooks deliver.
    pub(crate) async fn event(&self, row: &AuthorizationRow, news: News<'_>) -> Result<EventRow> {
        Ok(self.event_of(row, &self.accounts.accounts_using(row.id).await?, news))
    }

    /// The same where it is known whom it is about. It holds no secret.
    pub(crate) fn event_of(&self, row: &AuthorizationRow, rows: &[FullRow], news: News<'_>) -> EventRow {
        let now = self.clock.now().as_millisecond();
        let id = Id::new(self.clock.as_ref());
        let time = |millis: i64| Timestamp::from_millisecond(millis).ok().map(|at| at.to_string());
        let first = rows.first();
        let advice = first
            .filter(|_| news != News::Recovered)
            .map(|row| reauthorize(&row.app.name, &row.account.name, false));
        let accounts: Vec<&str> = rows.iter().map(|row| row.account.name.as_str()).collect();
        let (days, reason) = match news {
            News::Expiring(days) => (Some(days), None),
            News::Exhausted(reason) => (None, Some(reason)),
            News::Recovered => (None, None),
        };
        let payload = json!({
            "id": id.to_string(),
            "event": news.kind(),
            "at": time(now),
            "account": accounts.first(),
            "accounts": accounts,
            "platform": first.map(|row| &row.app.platform),
            "app": first.map(|row| &row.app.name),
            "login": first.and_then(|row| row.account.login.as_ref()),
            "country": first.and_then(|row| row.account.country.as_ref()),
            "ends_at": schedule::ends_at(&row.tokens).and_then(time),
            "days": days,
            "reason": reason,
            "advice": advice,
        });
        EventRow {
            id,
            at: now,
            authorization_id: row.id,
            kind: news.kind().to_owned(),
            payload: payload.to_string(),
        }
    }
}
