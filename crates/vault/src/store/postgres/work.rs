//! What keepers share: due authorizations, intents, plans.

use std::collections::HashSet;

use sqlx::Row as _;

use super::{
    Outcome, PostgresStore,
    notes::{Columns, bytes, noting},
    rows::{authorization_row, id},
    tokens::ABSURD,
};
use crate::{
    Id,
    store::{Due, DueClaim, Intent, Notes, Planned, rows::columns},
};

impl PostgresStore {
    pub(super) async fn take_due(&self, claim: DueClaim<'_>) -> Outcome<Vec<Due>> {
        let mut lent = self.take().await?;
        // A lease that a power cut takes back has only not saved a call: nobody waits for the disk here.
        // What is spent under it waits for its intent to be on the disk.
        sqlx::raw_sql("BEGIN; SET LOCAL synchronous_commit = off").execute(&mut lent.connection).await?;
        let rows = sqlx::query(concat!(
            "WITH next AS MATERIALIZED (SELECT authorization_id FROM sesame.authorizations \
             WHERE due_at <= $3 AND (lease_until IS NULL OR lease_until <= $3 OR lease_owner IS NULL \
             OR lease_until > $5) ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED) \
             UPDATE sesame.authorizations SET lease_owner = $1, lease_fence = lease_fence + 1, lease_until = $2, \
             due_at = $2 FROM next WHERE authorizations.authorization_id = next.authorization_id \
             RETURNING lease_fence, coalesce((SELECT min(name) FROM sesame.account \
             WHERE account.authorization_id = authorizations.authorization_id), '') AS label, ",
            columns!(authorization),
        ))
        .bind(claim.owner)
        .bind(claim.until)
        .bind(claim.now)
        .bind(i64::from(claim.limit))
        .bind(claim.until.saturating_add(ABSURD))
        .fetch_all(&mut lent.connection)
        .await?;
        sqlx::raw_sql("COMMIT").execute(&mut lent.connection).await?;
        lent.give_back();
        let due = rows.iter().map(|row| {
            Ok(Due {
                authorization: authorization_row(row)?,
                fence: row.try_get("lease_fence")?,
                label: row.try_get("label")?,
            })
        });
        Ok(due.collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn write_intents(
        &self,
        owner: &str,
        intents: &[Intent],
        now: i64,
        until: i64,
    ) -> Outcome<Vec<Id>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        let mut lent = self.take().await?;
        let rows = sqlx::query(
            "UPDATE sesame.authorizations SET interrupted_since = coalesce(interrupted_since, refreshing_since), \
             refreshing_since = $2, spending = given.spending, lease_until = $7, due_at = $7 \
             FROM unnest($3::BYTEA[], $4::BIGINT[], $5::BIGINT[], $6::BYTEA[]) \
             AS given(id, fence, generation, spending) \
             WHERE authorization_id = given.id AND lease_owner = $1 AND lease_fence = given.fence \
             AND authorizations.generation = given.generation RETURNING authorization_id",
        )
        .bind(owner)
        .bind(now)
        .bind(intents.iter().map(|intent| bytes(intent.id)).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.fence).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.generation).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.spending.as_slice()).collect::<Vec<_>>())
        .bind(until)
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        let begun =
            rows.iter().map(|row| id(row, "authorization_id")).collect::<sqlx::Result<HashSet<_>>>()?;
        Ok(intents.iter().map(|intent| intent.id).filter(|id| begun.contains(id)).collect())
    }

    pub(super) async fn write_plans(&self, owner: &str, plans: &[Planned], notes: &Notes) -> Outcome<()> {
        let mut lent = self.take().await?;
        // Events of those whose lease was lost are left out: whoever holds it now gives that warning.
        let query = sqlx::query(noting!(
            "planned AS (UPDATE sesame.authorizations SET due_at = given.due_at, announced = given.announced, \
             lease_owner = NULL, lease_until = NULL \
             FROM unnest($16::BIGINT[], $17::BYTEA[], $18::BIGINT[], $19::BIGINT[], $20::BIGINT[]) \
             AS given(item, id, fence, due_at, announced) \
             WHERE authorization_id = given.id AND lease_owner = $15 AND lease_fence = given.fence \
             RETURNING given.item AS item), \
             done AS (SELECT item FROM planned UNION ALL SELECT -1::BIGINT)";
            "SELECT 1"
        ));
        Columns::of_items(notes, plans.iter().map(|plan| plan.id))
            .bind(query)
            .bind(owner)
            .bind((0..).zip(plans).map(|(item, _)| item).collect::<Vec<i64>>())
            .bind(plans.iter().map(|plan| bytes(plan.id)).collect::<Vec<_>>())
            .bind(plans.iter().map(|plan| plan.fence).collect::<Vec<_>>())
            .bind(plans.iter().map(|plan| plan.due_at).collect::<Vec<_>>())
            .bind(plans.iter().map(|plan| plan.announced).collect::<Vec<_>>())
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn first_due(&self, now: i64) -> Outcome<Option<i64>> {
        let mut lent = self.take().await?;
        let row = sqlx::query(
            "SELECT due_at FROM sesame.authorizations WHERE due_at IS NOT NULL \
             AND (lease_until IS NULL OR lease_until <= $1 OR lease_owner IS NULL) ORDER BY due_at LIMIT 1",
        )
        .bind(now)
        .fetch_optional(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(super) async fn pull_due(&self, now: i64, horizon: i64) -> Outcome<u64> {
        let mut lent = self.take().await?;
        let pulled = sqlx::query("UPDATE sesame.authorizations SET due_at = $1 WHERE due_at > $2")
            .bind(now)
            .bind(now.saturating_add(horizon))
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(pulled.rows_affected())
    }

    /// Plans a piece of all rows; returns the last id of it, nothing when there were none.
    pub(super) async fn plan_warm_after(&self, after: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let mut lent = self.take().await?;
        let row = sqlx::query(
            "SELECT authorization_id FROM (SELECT authorization_id FROM sesame.authorizations \
             WHERE authorization_id > $1 ORDER BY authorization_id LIMIT 5000) AS piece \
             ORDER BY authorization_id DESC LIMIT 1",
        )
        .bind(after)
        .fetch_optional(&mut lent.connection)
        .await?;
        let last: Option<Vec<u8>> = row.map(|row| row.try_get(0)).transpose()?;
        if let Some(last) = &last {
            sqlx::query(
                "UPDATE sesame.authorizations SET due_at = greatest(warm_at, not_before) \
                 WHERE authorization_id > $1 AND authorization_id <= $2 \
                 AND warm_at IS NOT NULL AND exhausted IS NULL \
                 AND (due_at IS NULL OR due_at > greatest(warm_at, not_before))",
            )
            .bind(after)
            .bind(last)
            .execute(&mut lent.connection)
            .await?;
        }
        lent.give_back();
        Ok(last)
    }
}
