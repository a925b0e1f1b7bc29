//! The audit trail, and events until they are delivered.

use sqlx::{Row as _, SqliteConnection};

use super::{
    SqliteStore,
    rows::{audit_row, event_row},
};
use crate::{
    Id,
    store::{AuditQuery, AuditRow, EventRow, HOLDS_BACK, Notes, Sink},
};

impl SqliteStore {
    pub(super) async fn insert_notes(&self, notes: &Notes) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await
    }

    pub(super) async fn read_audit(&self, query: AuditQuery) -> sqlx::Result<Vec<AuditRow>> {
        let rows = sqlx::query(
            "SELECT audit_id, at, authorization_id, subject, action, succeeded, detail FROM audit \
             WHERE (?1 IS NULL OR authorization_id = ?1) AND (?2 IS NULL OR at >= ?2) \
             ORDER BY audit_id DESC LIMIT ?3",
        )
        .bind(query.authorization.map(|id| id.as_bytes().to_vec()))
        .bind(query.since)
        .bind(query.limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(audit_row).collect()
    }

    pub(super) async fn delete_notes(&self, before: i64) -> sqlx::Result<u64> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let audit =
            sqlx::query("DELETE FROM audit WHERE at < ?1").bind(before).execute(&mut *transaction).await?;
        let events =
            sqlx::query("DELETE FROM event WHERE at < ?1").bind(before).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(audit.rows_affected() + events.rows_affected())
    }

    pub(super) async fn take_events(
        &self,
        sink: Sink,
        since: i64,
        now: i64,
        until: i64,
        limit: u32,
    ) -> sqlx::Result<Vec<EventRow>> {
        // A claim is a next try in the future: a deliverer that dies is followed by another.
        let query = match sink {
            Sink::Hook => {
                "UPDATE event SET hook_next = ?3 WHERE event_id IN (SELECT event_id FROM event \
                 WHERE hook_at IS NULL AND at >= ?1 AND hook_next <= ?2 AND NOT EXISTS (SELECT 1 FROM event AS earlier \
                 WHERE earlier.authorization_id = event.authorization_id AND earlier.hook_at IS NULL \
                 AND earlier.at >= ?1 AND earlier.hook_attempts < ?5 \
                 AND (earlier.at, earlier.event_id) < (event.at, event.event_id)) \
                 ORDER BY at, event_id LIMIT ?4) \
                 RETURNING *, hook_attempts AS attempts"
            }
            Sink::Webhook => {
                "UPDATE event SET webhook_next = ?3 WHERE event_id IN (SELECT event_id FROM event \
                 WHERE webhook_at IS NULL AND at >= ?1 AND webhook_next <= ?2 AND NOT EXISTS (SELECT 1 FROM event AS earlier \
                 WHERE earlier.authorization_id = event.authorization_id AND earlier.webhook_at IS NULL \
                 AND earlier.at >= ?1 AND earlier.webhook_attempts < ?5 \
                 AND (earlier.at, earlier.event_id) < (event.at, event.event_id)) \
                 ORDER BY at, event_id LIMIT ?4) \
                 RETURNING *, webhook_attempts AS attempts"
            }
        };
        let rows = sqlx::query(query)
            .bind(since)
            .bind(now)
            .bind(until)
            .bind(limit)
            .bind(HOLDS_BACK)
            .fetch_all(&self.pool)
            .await?;
        let mut events = rows.iter().map(event_row).collect::<sqlx::Result<Vec<_>>>()?;
        events.sort_by_key(|event| (event.at, event.id));
        Ok(events)
    }

    pub(super) async fn mark_taken(&self, event: Id, sink: Sink, at: i64) -> sqlx::Result<()> {
        let query = match sink {
            Sink::Hook => "UPDATE event SET hook_at = ?2 WHERE event_id = ?1",
            Sink::Webhook => "UPDATE event SET webhook_at = ?2 WHERE event_id = ?1",
        };
        sqlx::query(query).bind(event.as_bytes().as_slice()).bind(at).execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn put_off(&self, event: Id, sink: Sink, next_try: i64) -> sqlx::Result<()> {
        let query = match sink {
            Sink::Hook => {
                "UPDATE event SET hook_attempts = hook_attempts + 1, hook_next = ?2 WHERE event_id = ?1"
            }
            Sink::Webhook => {
                "UPDATE event SET webhook_attempts = webhook_attempts + 1, webhook_next = ?2 \
                 WHERE event_id = ?1"
            }
        };
        sqlx::query(query).bind(event.as_bytes().as_slice()).bind(next_try).execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn find_damage(&self) -> sqlx::Result<Vec<String>> {
        let mut found = Vec::new();
        for row in sqlx::query("PRAGMA integrity_check(20)").fetch_all(&self.pool).await? {
            let text: String = row.try_get(0)?;
            if text != "ok" {
                found.push(text);
            }
        }
        for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(&self.pool).await? {
            let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            found.push(format!("a row of table {table} names one of table {parent} that is not there"));
        }
        Ok(found)
    }
}

/// Writes notes down within a transaction.
pub(super) async fn insert_notes(connection: &mut SqliteConnection, notes: &Notes) -> sqlx::Result<()> {
    for row in &notes.audit {
        sqlx::query(
            "INSERT INTO audit (audit_id, at, authorization_id, subject, action, succeeded, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(row.id.as_bytes().as_slice())
        .bind(row.at)
        .bind(row.authorization_id.map(|id| id.as_bytes().to_vec()))
        .bind(&row.subject)
        .bind(&row.action)
        .bind(i64::from(row.succeeded))
        .bind(&row.detail)
        .execute(&mut *connection)
        .await?;
    }
    for row in &notes.events {
        sqlx::query(
            "INSERT INTO event (event_id, at, authorization_id, kind, payload, hook_next, webhook_next) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?2)",
        )
        .bind(row.id.as_bytes().as_slice())
        .bind(row.at)
        .bind(row.authorization_id.as_bytes().as_slice())
        .bind(&row.kind)
        .bind(&row.payload)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
