//! What people should hear about an authorization: that it ends, has ended, or lives again.

use jiff::Timestamp;
use serde_json::json;
use sesame_core::Result;

use crate::{
    Id,
    authorization::approve,
    schedule,
    store::{AuthorizationRow, EventRow, FullRow},
    vault::Inner,
};

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

impl Inner {
    /// Makes the event, unless the store is away: then the log alone has it.
    pub(crate) async fn event_or_log(&self, row: &AuthorizationRow, news: News<'_>) -> Option<EventRow> {
        match self.event(row, news).await {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::warn!(authorization = %row.id, kind = news.kind(), "nobody can be told: {error}");
                None
            }
        }
    }

    /// Makes the event that hooks and webhooks deliver.
    pub(crate) async fn event(&self, row: &AuthorizationRow, news: News<'_>) -> Result<EventRow> {
        Ok(self.event_of(row, &self.store.accounts_using(row.id).await?, news))
    }

    /// The same where it is known whom it is about. It holds no secret.
    pub(crate) fn event_of(&self, row: &AuthorizationRow, rows: &[FullRow], news: News<'_>) -> EventRow {
        let now = self.now();
        let id = Id::new(self.clock.as_ref());
        let time = |millis: i64| Timestamp::from_millisecond(millis).ok().map(|at| at.to_string());
        let first = rows.first();
        let advice = first
            .filter(|_| news != News::Recovered)
            .map(|row| approve(&row.app.name, &row.account.name, false));
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
            hook_at: None,
            webhook_at: None,
            attempts: 0,
        }
    }
}
