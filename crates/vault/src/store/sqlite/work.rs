//! What keepers share: due authorizations, intents, plans.

use sqlx::Row as _;

use super::{SqliteStore, notes::insert_notes, rows::authorization_row, tokens::ABSURD};
use crate::{
    Id,
    store::{Due, DueClaim, Intent, Notes, Planned, rows::columns},
};

const TAKE_DUE: &str = concat!(
    "UPDATE authorizations SET lease_owner = ?1, lease_fence = lease_fence + 1, lease_until = ?2, due_at = ?2 \
     WHERE rowid IN (SELECT rowid FROM authorizations WHERE due_at <= ?3 \
     AND (lease_until IS NULL OR lease_until <= ?3 OR lease_owner IS NULL OR lease_until > ?5) \
     ORDER BY due_at LIMIT ?4) RETURNING lease_fence, \
     coalesce((SELECT min(name) FROM account \
     WHERE account.authorization_id = authorizations.authorization_id), '') AS label, ",
    columns!(authorization),
);

const FIRST_DUE: &str = "SELECT due_at FROM authorizations WHERE due_at IS NOT NULL \
    AND (lease_until IS NULL OR lease_until <= ?1 OR lease_owner IS NULL) ORDER BY due_at LIMIT 1";

impl SqliteStore {
    pub(super) async fn take_due(&self, claim: DueClaim<'_>) -> sqlx::Result<Vec<Due>> {
        let rows = sqlx::query(TAKE_DUE)
            .bind(claim.owner)
            .bind(claim.until)
            .bind(claim.now)
            .bind(claim.limit)
            .bind(claim.until.saturating_add(ABSURD))
            .fetch_all(&self.claims)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Due {
                    authorization: authorization_row(row)?,
                    fence: row.try_get("lease_fence")?,
                    label: row.try_get("label")?,
                })
            })
            .collect()
    }

    pub(super) async fn write_intents(
        &self,
        owner: &str,
        intents: &[Intent],
        now: i64,
        until: i64,
    ) -> sqlx::Result<Vec<Id>> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut begun = Vec::with_capacity(intents.len());
        for intent in intents {
            let done = sqlx::query(
                "UPDATE authorizations SET interrupted_since = coalesce(interrupted_since, refreshing_since), \
                 refreshing_since = ?5, spending = ?6, lease_until = ?7, due_at = ?7 \
                 WHERE authorization_id = ?1 AND lease_owner = ?2 AND lease_fence = ?3 AND generation = ?4",
            )
            .bind(intent.id.as_bytes().as_slice())
            .bind(owner)
            .bind(intent.fence)
            .bind(intent.generation)
            .bind(now)
            .bind(&intent.spending)
            .bind(until)
            .execute(&mut *transaction)
            .await?;
            if done.rows_affected() == 1 {
                begun.push(intent.id);
            }
        }
        transaction.commit().await?;
        Ok(begun)
    }

    pub(super) async fn write_plans(
        &self,
        owner: &str,
        plans: &[Planned],
        notes: &Notes,
    ) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut lost = Vec::new();
        for plan in plans {
            let done = sqlx::query(
                "UPDATE authorizations SET due_at = ?4, announced = ?5, lease_owner = NULL, lease_until = NULL \
                 WHERE authorization_id = ?1 AND lease_owner = ?2 AND lease_fence = ?3",
            )
            .bind(plan.id.as_bytes().as_slice())
            .bind(owner)
            .bind(plan.fence)
            .bind(plan.due_at)
            .bind(plan.announced)
            .execute(&mut *transaction)
            .await?;
            if done.rows_affected() != 1 {
                lost.push(plan.id);
            }
        }
        if lost.is_empty() {
            insert_notes(&mut transaction, notes).await?;
        } else {
            let mut notes = notes.clone();
            notes.events.retain(|event| !lost.contains(&event.authorization_id));
            insert_notes(&mut transaction, &notes).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn first_due(&self, now: i64) -> sqlx::Result<Option<i64>> {
        let row = sqlx::query(FIRST_DUE).bind(now).fetch_optional(&self.pool).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    pub(super) async fn pull_due(&self, now: i64, horizon: i64) -> sqlx::Result<u64> {
        let pulled = sqlx::query("UPDATE authorizations SET due_at = ?1 WHERE due_at > ?2")
            .bind(now)
            .bind(now.saturating_add(horizon))
            .execute(&self.pool)
            .await?;
        Ok(pulled.rows_affected())
    }

    pub(super) async fn plan_all_warm(&self) -> sqlx::Result<()> {
        let mut after = 0_i64;
        loop {
            let last = sqlx::query(
                "SELECT max(rowid) FROM (SELECT rowid FROM authorizations WHERE rowid > ?1 ORDER BY rowid LIMIT 5000)",
            )
            .bind(after)
            .fetch_one(&self.pool)
            .await?;
            let Some(last) = last.try_get::<Option<i64>, _>(0)? else { return Ok(()) };
            sqlx::query(
                "UPDATE authorizations SET due_at = max(warm_at, coalesce(not_before, warm_at)) \
                 WHERE rowid > ?1 AND rowid <= ?2 AND warm_at IS NOT NULL AND exhausted IS NULL \
                 AND (due_at IS NULL OR due_at > max(warm_at, coalesce(not_before, warm_at)))",
            )
            .bind(after)
            .bind(last)
            .execute(&self.pool)
            .await?;
            after = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn due_rows_are_found_by_their_index_and_nothing_else_is_read() {
        let home = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&home.path().join("vault.db")).await.unwrap();
        for query in [TAKE_DUE, FIRST_DUE] {
            let explained = format!("EXPLAIN QUERY PLAN {query}");
            let mut asked = sqlx::query::<sqlx::Sqlite>(sqlx::AssertSqlSafe(explained));
            for _ in 0..query.matches('?').count().min(5) {
                asked = asked.bind(1);
            }
            let steps = asked.fetch_all(&store.pool).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get::<String, _>("detail")).collect();
            let plan = steps.join("\n");
            assert!(plan.contains("authorizations USING INDEX authorization_due"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "sorted by the index: {plan}");
            assert!(!plan.contains("SCAN account"), "{plan}");
        }
    }
}
