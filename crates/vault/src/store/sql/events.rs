//! The audit trail, and events until they are delivered.

use super::{
    PIECE, SqlStore,
    claim::{bind_claim, claim_due, readable},
    connection::Connection,
    query::{Row, query},
    rows::StoredRow as _,
};
use crate::{
    Id,
    store::{
        AuditQuery, AuditRow, DueClaim, DueEvent, EventRow, EventStore, HOLDS_BACK, Notes, Sink, StoreFut,
    },
};

fn claim_events() -> String {
    claim_due(
        "event",
        "event_id",
        " AND sink = $6 AND at >= $7 AND NOT EXISTS (SELECT 1 FROM event AS earlier \
         WHERE earlier.authorization_id = event.authorization_id AND earlier.sink = $6 AND earlier.at >= $7 \
         AND earlier.attempts < $8 AND (earlier.at, earlier.event_id) < (event.at, event.event_id))",
        "at, event_id",
        " AND event.sink = $6",
        &format!("attempts, {}", EventRow::columns()),
    )
}

fn due_event(row: &Row) -> sqlx::Result<DueEvent> {
    Ok(DueEvent {
        event: EventRow::read(row)?,
        fence: row.get("lease_fence")?,
        attempts: row.get("attempts")?,
    })
}

impl EventStore for SqlStore {
    fn claim_events<'a>(
        &'a self,
        sink: Sink,
        since: i64,
        claim: DueClaim<'a>,
    ) -> StoreFut<'a, Vec<DueEvent>> {
        self.run(move || async move {
            let claim = bind_claim(query(claim_events()), claim);
            let claim = claim.bind(sink.code()).bind(since).bind(HOLDS_BACK);
            let mut events = readable(self.fetch_all(claim, |row| Ok(due_event(row))).await?);
            events.sort_by_key(|due| (due.event.at, due.event.id));
            Ok(events)
        })
    }

    fn event_taken(&self, event: Id, sink: Sink) -> StoreFut<'_, ()> {
        self.run(move || async move {
            let delete = query("DELETE FROM event WHERE event_id = $1 AND sink = $2");
            self.execute(delete.bind(event).bind(sink.code())).await?;
            Ok(())
        })
    }

    fn event_failed(&self, event: Id, sink: Sink, fence: i64, next_try: i64) -> StoreFut<'_, ()> {
        self.run(move || async move {
            let plan = query(
                "UPDATE event SET attempts = attempts + 1, due_at = $4, lease_owner = NULL, \
                 lease_until = NULL WHERE event_id = $1 AND sink = $2 AND lease_fence = $3",
            );
            self.execute(plan.bind(event).bind(sink.code()).bind(fence).bind(next_try)).await?;
            Ok(())
        })
    }

    fn note<'a>(&'a self, notes: &'a Notes) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            insert_notes(&mut transaction, notes).await?;
            transaction.commit().await
        })
    }

    fn audit(&self, asked: AuditQuery) -> StoreFut<'_, Vec<AuditRow>> {
        self.run(move || {
            // Two statements: one plan cannot serve both.
            let which = if asked.authorization.is_some() { "AND authorization_id = $3" } else { "" };
            let rest = format!("WHERE at >= $1 {which} ORDER BY audit_id DESC LIMIT $2");
            let mut read =
                query(AuditRow::select(&rest)).bind(asked.since.unwrap_or(i64::MIN)).bind(asked.limit);
            if let Some(authorization) = asked.authorization {
                read = read.bind(authorization);
            }
            self.fetch_all(read, AuditRow::read)
        })
    }

    fn has_audit(&self, from: i64, to: i64) -> StoreFut<'_, bool> {
        self.run(move || async move {
            let find = query("SELECT at FROM audit WHERE at >= $1 AND at < $2 LIMIT 1");
            let found = self.fetch_optional(find.bind(from).bind(to), |row| row.get::<i64>("at")).await?;
            Ok(found.is_some())
        })
    }

    fn forget_notes(&self, before: i64) -> StoreFut<'_, u64> {
        Box::pin(async move {
            let mut deleted = 0;
            for delete in [
                "DELETE FROM audit WHERE audit_id IN \
                 (SELECT audit_id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)",
                "DELETE FROM event WHERE event_id IN (SELECT event_id FROM event WHERE at < $1 LIMIT $2)",
            ] {
                deleted += self.in_pieces(move || query(delete).bind(before).bind(PIECE)).await?;
            }
            Ok(deleted)
        })
    }
}

/// Writes notes within a transaction.
pub(super) async fn insert_notes(on: &mut Connection, notes: &Notes) -> sqlx::Result<()> {
    for row in &notes.audit {
        row.insert(on).await?;
    }
    for row in &notes.events {
        let insert = query(
            "INSERT INTO event (event_id, sink, at, due_at, authorization_id, kind, payload) \
             VALUES ($1, $2, $4, $4, $5, $6, $7), ($1, $3, $4, $4, $5, $6, $7)",
        )
        .bind(row.id)
        .bind(Sink::Hook.code())
        .bind(Sink::Webhook.code())
        .bind(row.at)
        .bind(row.authorization_id)
        .bind(&row.kind)
        .bind(&row.payload);
        on.execute(insert).await?;
    }
    Ok(())
}
