//! The audit trail, and events until they are delivered.

use std::collections::HashMap;

use sqlx::{PgConnection, Row as _, postgres::PgArguments, query::Query};

use super::{
    Outcome, PostgresStore,
    rows::{audit_row, event_row},
    some_text, text,
};
use crate::{
    Id,
    store::{AuditQuery, AuditRow, EventRow, HOLDS_BACK, Notes, Sink},
};

/// Ends a statement with the notes of those items that `done` names: parameters 1 to 14, see [`Columns::bind`].
macro_rules! noting {
    ($($before:expr),+; $after:expr) => {
        concat!(
            "WITH ",
            $($before,)+
            ", lines AS (INSERT INTO sesame.audit \
             (audit_id, at, authorization_id, subject, action, succeeded, detail) \
             SELECT line.id, line.at, line.about, line.subject, line.action, line.succeeded, line.detail \
             FROM unnest($1::BIGINT[], $2::BYTEA[], $3::BIGINT[], $4::BYTEA[], $5::TEXT[], $6::TEXT[], \
             $7::BOOLEAN[], $8::TEXT[]) AS line(item, id, at, about, subject, action, succeeded, detail) \
             WHERE line.item IN (SELECT done.item FROM done)), \
             events AS (INSERT INTO sesame.event \
             (event_id, at, authorization_id, kind, payload, hook_next, webhook_next) \
             SELECT news.id, news.at, news.about, news.kind, news.payload, news.at, news.at \
             FROM unnest($9::BIGINT[], $10::BYTEA[], $11::BIGINT[], $12::BYTEA[], $13::TEXT[], $14::TEXT[]) \
             AS news(item, id, at, about, kind, payload) \
             WHERE news.item IN (SELECT done.item FROM done)) ",
            $after
        )
    };
}

pub(super) use noting;

/// Notes as columns. Each line knows the item it belongs to.
#[derive(Default)]
pub(super) struct Columns<'a> {
    lines: Vec<(i64, &'a AuditRow)>,
    events: Vec<(i64, &'a EventRow)>,
}

impl<'a> Columns<'a> {
    /// The notes of one item, which is number 0.
    pub(super) fn of(notes: &'a Notes) -> Self {
        let mut columns = Self::default();
        columns.add(0, notes);
        columns
    }

    pub(super) fn add(&mut self, item: i64, notes: &'a Notes) {
        self.lines.extend(notes.audit.iter().map(|line| (item, line)));
        self.events.extend(notes.events.iter().map(|event| (item, event)));
    }

    /// Adds the events of items as theirs, and all else as of number -1.
    pub(super) fn of_items(notes: &'a Notes, items: impl Iterator<Item = Id>) -> Self {
        let items: HashMap<Id, i64> = items.zip(0..).collect();
        let of = |event: &'a EventRow| (items.get(&event.authorization_id).copied().unwrap_or(-1), event);
        Self {
            lines: notes.audit.iter().map(|line| (-1, line)).collect(),
            events: notes.events.iter().map(of).collect(),
        }
    }

    /// Binds the first 14 parameters.
    pub(super) fn bind<'q>(
        &self,
        query: Query<'q, sqlx::Postgres, PgArguments>,
    ) -> Query<'q, sqlx::Postgres, PgArguments> {
        let lines = &self.lines;
        let events = &self.events;
        query
            .bind(lines.iter().map(|(item, _)| *item).collect::<Vec<_>>())
            .bind(lines.iter().map(|(_, line)| bytes(line.id)).collect::<Vec<_>>())
            .bind(lines.iter().map(|(_, line)| line.at).collect::<Vec<_>>())
            .bind(lines.iter().map(|(_, line)| line.authorization_id.map(bytes)).collect::<Vec<_>>())
            .bind(lines.iter().map(|(_, line)| text(&line.subject).into_owned()).collect::<Vec<_>>())
            .bind(lines.iter().map(|(_, line)| text(&line.action).into_owned()).collect::<Vec<_>>())
            .bind(lines.iter().map(|(_, line)| line.succeeded).collect::<Vec<_>>())
            .bind(
                lines
                    .iter()
                    .map(|(_, line)| some_text(line.detail.as_deref()).map(std::borrow::Cow::into_owned))
                    .collect::<Vec<_>>(),
            )
            .bind(events.iter().map(|(item, _)| *item).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| bytes(event.id)).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| event.at).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| bytes(event.authorization_id)).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| text(&event.kind).into_owned()).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, event)| text(&event.payload).into_owned()).collect::<Vec<_>>())
    }
}

pub(super) fn bytes(id: Id) -> Vec<u8> {
    id.as_bytes().to_vec()
}

/// Writes notes down within a transaction.
pub(super) async fn insert_notes(connection: &mut PgConnection, notes: &Notes) -> sqlx::Result<()> {
    if *notes == Notes::default() {
        return Ok(());
    }
    let query = sqlx::query(noting!("done AS (SELECT 0::BIGINT AS item)"; "SELECT 1"));
    Columns::of(notes).bind(query).execute(connection).await?;
    Ok(())
}

impl PostgresStore {
    pub(super) async fn add_notes(&self, notes: &Notes) -> Outcome<()> {
        let mut lent = self.take().await?;
        insert_notes(&mut lent.connection, notes).await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn read_audit(&self, query: AuditQuery) -> Outcome<Vec<AuditRow>> {
        let mut lent = self.take().await?;
        // Two statements: one plan cannot serve both.
        let select = match query.authorization {
            Some(_) => {
                "SELECT audit_id, at, authorization_id, subject, action, succeeded, detail FROM sesame.audit \
                 WHERE authorization_id = $1 AND ($2::BIGINT IS NULL OR at >= $2) ORDER BY audit_id DESC LIMIT $3"
            }
            None => {
                "SELECT audit_id, at, authorization_id, subject, action, succeeded, detail FROM sesame.audit \
                 WHERE $1::BYTEA IS NULL AND ($2::BIGINT IS NULL OR at >= $2) ORDER BY audit_id DESC LIMIT $3"
            }
        };
        let rows = sqlx::query(select)
            .bind(query.authorization.map(bytes))
            .bind(query.since)
            .bind(i64::from(query.limit))
            .fetch_all(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(rows.iter().map(audit_row).collect::<sqlx::Result<_>>()?)
    }

    /// Returns how many; 0 when there are no more.
    pub(super) async fn delete_some_notes(&self, before: i64) -> Outcome<u64> {
        let mut lent = self.take().await?;
        let mut deleted = 0;
        for delete in [
            "DELETE FROM sesame.audit WHERE audit_id IN \
             (SELECT audit_id FROM sesame.audit WHERE at < $1 ORDER BY at LIMIT 10000)",
            "DELETE FROM sesame.event WHERE event_id IN \
             (SELECT event_id FROM sesame.event WHERE at < $1 LIMIT 10000)",
        ] {
            deleted += sqlx::query(delete).bind(before).execute(&mut lent.connection).await?.rows_affected();
        }
        lent.give_back();
        Ok(deleted)
    }

    pub(super) async fn take_events(
        &self,
        sink: Sink,
        since: i64,
        now: i64,
        until: i64,
        limit: u32,
    ) -> Outcome<Vec<EventRow>> {
        // A claim is a next try in the future: a deliverer that dies is followed by another.
        let query = match sink {
            Sink::Hook => {
                "WITH next AS MATERIALIZED (SELECT event_id FROM sesame.event \
                 WHERE hook_at IS NULL AND at >= $1 AND hook_next <= $2 AND NOT EXISTS (SELECT 1 FROM sesame.event AS earlier \
                 WHERE earlier.authorization_id = event.authorization_id AND earlier.hook_at IS NULL \
                 AND earlier.at >= $1 AND earlier.hook_attempts < $5 \
                 AND (earlier.at, earlier.event_id) < (event.at, event.event_id)) \
                 ORDER BY at, event_id LIMIT $4 \
                 FOR UPDATE SKIP LOCKED) \
                 UPDATE sesame.event SET hook_next = $3 FROM next WHERE event.event_id = next.event_id \
                 RETURNING event.*, hook_attempts AS attempts"
            }
            Sink::Webhook => {
                "WITH next AS MATERIALIZED (SELECT event_id FROM sesame.event \
                 WHERE webhook_at IS NULL AND at >= $1 AND webhook_next <= $2 AND NOT EXISTS (SELECT 1 FROM sesame.event AS earlier \
                 WHERE earlier.authorization_id = event.authorization_id AND earlier.webhook_at IS NULL \
                 AND earlier.at >= $1 AND earlier.webhook_attempts < $5 \
                 AND (earlier.at, earlier.event_id) < (event.at, event.event_id)) \
                 ORDER BY at, event_id LIMIT $4 \
                 FOR UPDATE SKIP LOCKED) \
                 UPDATE sesame.event SET webhook_next = $3 FROM next WHERE event.event_id = next.event_id \
                 RETURNING event.*, webhook_attempts AS attempts"
            }
        };
        let mut lent = self.take().await?;
        let rows = sqlx::query(query)
            .bind(since)
            .bind(now)
            .bind(until)
            .bind(i64::from(limit))
            .bind(HOLDS_BACK)
            .fetch_all(&mut lent.connection)
            .await?;
        lent.give_back();
        let mut events = rows.iter().map(event_row).collect::<sqlx::Result<Vec<_>>>()?;
        events.sort_by_key(|event| (event.at, event.id));
        Ok(events)
    }

    pub(super) async fn mark_taken(&self, event: Id, sink: Sink, at: i64) -> Outcome<()> {
        let query = match sink {
            Sink::Hook => "UPDATE sesame.event SET hook_at = $2 WHERE event_id = $1",
            Sink::Webhook => "UPDATE sesame.event SET webhook_at = $2 WHERE event_id = $1",
        };
        let mut lent = self.take().await?;
        sqlx::query(query).bind(bytes(event)).bind(at).execute(&mut lent.connection).await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn put_off(&self, event: Id, sink: Sink, next_try: i64) -> Outcome<()> {
        let query = match sink {
            Sink::Hook => {
                "UPDATE sesame.event SET hook_attempts = hook_attempts + 1, hook_next = $2 WHERE event_id = $1"
            }
            Sink::Webhook => {
                "UPDATE sesame.event SET webhook_attempts = webhook_attempts + 1, webhook_next = $2 \
                 WHERE event_id = $1"
            }
        };
        let mut lent = self.take().await?;
        sqlx::query(query).bind(bytes(event)).bind(next_try).execute(&mut lent.connection).await?;
        lent.give_back();
        Ok(())
    }

    /// Reads every row, values that are kept apart included, and looks at what the server says of itself.
    pub(super) async fn find_damage(&self) -> Outcome<Vec<String>> {
        let mut lent = self.take().await?;
        let mut found = Vec::new();
        sqlx::raw_sql("SET statement_timeout = '9min'").execute(&mut lent.connection).await?;
        for (table, read) in TABLES {
            match sqlx::query(*read).fetch_all(&mut lent.connection).await {
                Ok(_) => {}
                Err(sqlx::Error::Database(error))
                    if error.code().is_some_and(|code| code.starts_with("XX") || code.starts_with("58")) =>
                {
                    found.push(format!("table {table} cannot be read: {}", error.message()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        for row in sqlx::query(ODDITIES).fetch_all(&mut lent.connection).await? {
            found.push(row.try_get(0)?);
        }
        // Not given back: its settings are others now.
        drop(lent);
        Ok(found)
    }
}

/// What reads a table whole.
const TABLES: &[(&str, &str)] = &[
    ("master_key", "SELECT max(md5(checked) || coalesce(md5(wrapped), '')) FROM sesame.master_key"),
    ("app", "SELECT max(md5(secret) || name) FROM sesame.app"),
    (
        "authorizations",
        "SELECT max(md5(identity) || coalesce(md5(access), '') || coalesce(md5(refresh), '')) \
         FROM sesame.authorizations",
    ),
    ("account", "SELECT max(md5(name) || md5(tags)) FROM sesame.account"),
    ("pending_login", "SELECT max(md5(state_hash)) FROM sesame.pending_login"),
    ("audit", "SELECT max(md5(subject) || md5(coalesce(detail, ''))) FROM sesame.audit"),
    ("event", "SELECT max(md5(payload)) FROM sesame.event"),
];

/// What would lose rows one day although nothing looks wrong yet, and rows that point nowhere.
const ODDITIES: &str = "
SELECT 'the server''s setting ' || name || ' is off: a crash of its machine may lose or damage what was stored'
    FROM pg_catalog.pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'
UNION ALL
SELECT 'table ' || relname || ' is UNLOGGED: a crash of the server empties it'
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'sesame' AND relkind = 'r' AND relpersistence = 'u'
UNION ALL
SELECT 'index ' || relname || ' is not valid: run REINDEX INDEX sesame.' || relname
    FROM pg_catalog.pg_index JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'sesame' AND NOT indisvalid
UNION ALL
SELECT 'a row of table account names one of table authorizations that is not there' FROM sesame.account
    WHERE NOT EXISTS (SELECT 1 FROM sesame.authorizations
    WHERE authorizations.authorization_id = account.authorization_id)
UNION ALL
SELECT 'a row of table account names one of table app that is not there' FROM sesame.account
    WHERE NOT EXISTS (SELECT 1 FROM sesame.app WHERE app.app_id = account.app_id)
UNION ALL
SELECT 'a row of table authorizations names one of table app that is not there' FROM sesame.authorizations
    WHERE NOT EXISTS (SELECT 1 FROM sesame.app WHERE app.app_id = authorizations.app_id)
LIMIT 20";
