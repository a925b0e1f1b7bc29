//! Tokens: leases, compare-and-set, failures.

use sqlx::Row as _;

use super::{SqliteStore, notes::insert_notes, rows::authorization_row};
use crate::{
    Id,
    store::{AuthorizationRow, Claim, FailedRefresh, GivenUp, Lease, Notes, TokenColumns, rows::columns},
};

const UNMARK: &str = "UPDATE authorizations SET exhausted = NULL, last_error = NULL, last_error_at = NULL, \
    attempts = 0, not_before = NULL, postpone_after = NULL, blocked = 0, due_at = 0 \
    WHERE exhausted IS NOT NULL AND last_error_at > ?1";

const GIVEN_UP: &str = "SELECT account.name, count(*) OVER () FROM authorizations JOIN account \
    ON account.authorization_id = authorizations.authorization_id WHERE exhausted IS NOT NULL \
    ORDER BY account.name LIMIT ?1";

/// A lease that ends more than this after one taken now would is none: the row is damaged, or a clock
/// was set back.
pub(super) const ABSURD: i64 = 3_600_000;

impl SqliteStore {
    pub(super) async fn find_authorization(
        &self,
        authorization: Id,
    ) -> sqlx::Result<Option<AuthorizationRow>> {
        let row = sqlx::query(concat!(
            "SELECT ",
            columns!(authorization),
            " FROM authorizations WHERE authorization_id = ?1"
        ))
        .bind(authorization.as_bytes().as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(authorization_row).transpose()
    }

    pub(super) async fn take_lease(&self, claim: Claim<'_>) -> sqlx::Result<Option<Lease>> {
        // An intent that still stands when the lease is free belongs to a refresh that was cut
        // off; it is kept as `interrupted_since` until tokens arrive.
        let row = sqlx::query(
            "UPDATE authorizations SET lease_owner = ?2, lease_fence = lease_fence + 1, lease_until = ?3, \
             interrupted_since = coalesce(interrupted_since, refreshing_since), refreshing_since = ?4, spending = ?5 \
             WHERE authorization_id = ?1 AND generation = ?6 AND (lease_until IS NULL OR lease_until <= ?4 \
             OR lease_owner IS NULL OR lease_owner = ?2 OR lease_owner = ?7 OR lease_until > ?8) \
             RETURNING lease_fence, interrupted_since",
        )
        .bind(claim.id.as_bytes().as_slice())
        .bind(claim.owner)
        .bind(claim.until)
        .bind(claim.now)
        .bind(claim.spending)
        .bind(claim.generation)
        .bind(claim.gone)
        .bind(claim.until.saturating_add(ABSURD))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(Lease { fence: row.try_get(0)?, interrupted_since: row.try_get(1)? })).transpose()
    }

    pub(super) async fn swap_tokens(
        &self,
        authorization: Id,
        expected: i64,
        tokens: &TokenColumns,
        at: i64,
        notes: &Notes,
    ) -> sqlx::Result<bool> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(
            "UPDATE authorizations SET generation = generation + 1, access = ?3, refresh = ?4, issued_at = ?5, \
             access_expires_at = ?6, refresh_expires_at = ?7, refresh_denied = ?8, identity = ?9, \
             last_success = ?10, warm_at = ?11, due_at = ?12, announced = ?13, exhausted = NULL, last_error = NULL, \
             last_error_at = NULL, attempts = 0, not_before = NULL, blocked = 0, \
             postpone_after = CASE WHEN refresh_expires_at IS ?7 THEN postpone_after END, lease_owner = NULL, \
             lease_until = NULL, refreshing_since = NULL, interrupted_since = NULL, spending = NULL \
             WHERE authorization_id = ?1 AND generation = ?2",
        )
        .bind(authorization.as_bytes().as_slice())
        .bind(expected)
        .bind(&tokens.access)
        .bind(&tokens.refresh)
        .bind(tokens.issued_at)
        .bind(tokens.access_expires_at)
        .bind(tokens.refresh_expires_at)
        .bind(i64::from(tokens.refresh_denied))
        .bind(&tokens.identity)
        .bind(at)
        .bind(tokens.warm_at)
        .bind(tokens.due_at)
        .bind(tokens.announced)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        insert_notes(&mut transaction, notes).await?;
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn write_failure(&self, failure: FailedRefresh<'_>, notes: &Notes) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(
            "UPDATE authorizations SET last_error = ?5, last_error_at = ?6, attempts = attempts + 1, \
             not_before = coalesce(?7, not_before), exhausted = coalesce(?8, exhausted), lease_owner = NULL, \
             lease_until = NULL, refreshing_since = CASE WHEN ?9 THEN refreshing_since ELSE NULL END, \
             spending = CASE WHEN ?9 THEN spending ELSE NULL END, postpone_after = coalesce(?10, postpone_after), \
             due_at = ?11, blocked = coalesce(?12, blocked), refresh_denied = max(refresh_denied, ?13) \
             WHERE authorization_id = ?1 AND generation = ?2 AND lease_owner = ?3 AND lease_fence = ?4",
        )
        .bind(failure.id.as_bytes().as_slice())
        .bind(failure.generation)
        .bind(failure.owner)
        .bind(failure.fence)
        .bind(failure.error)
        .bind(failure.at)
        .bind(failure.not_before)
        .bind(failure.exhausted)
        .bind(failure.ambiguous)
        .bind(failure.postpone_after)
        .bind(failure.due_at)
        .bind(failure.blocked)
        .bind(failure.denied)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 1 {
            insert_notes(&mut transaction, notes).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn mark_exhausted(
        &self,
        authorization: Id,
        generation: i64,
        reason: &str,
        at: i64,
        notes: &Notes,
    ) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(
            "UPDATE authorizations SET exhausted = ?3, last_error = ?3, last_error_at = ?4, due_at = NULL \
             WHERE authorization_id = ?1 AND generation = ?2 AND exhausted IS NULL",
        )
        .bind(authorization.as_bytes().as_slice())
        .bind(generation)
        .bind(reason)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 1 {
            insert_notes(&mut transaction, notes).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn unmark(&self, marked_after: i64) -> sqlx::Result<u64> {
        Ok(sqlx::query(UNMARK).bind(marked_after).execute(&self.pool).await?.rows_affected())
    }

    pub(super) async fn find_given_up(&self, limit: u32) -> sqlx::Result<GivenUp> {
        let rows = sqlx::query(GIVEN_UP).bind(limit).fetch_all(&self.pool).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(1))?;
        let names = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
        Ok(GivenUp { names, count: count.unsigned_abs() })
    }

    pub(super) async fn mark_used(&self, ids: &[Id], at: i64) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for id in ids {
            sqlx::query(
                "UPDATE authorizations SET last_used = max(coalesce(last_used, ?2), ?2), \
                 due_at = CASE WHEN exhausted IS NULL AND warm_at IS NOT NULL \
                 THEN min(coalesce(due_at, warm_at), warm_at) ELSE due_at END WHERE authorization_id = ?1",
            )
            .bind(id.as_bytes().as_slice())
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marks_are_found_by_their_index() {
        let home = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&home.path().join("vault.db")).await.unwrap();
        for query in [UNMARK, GIVEN_UP] {
            let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps = sqlx::query(explained).bind(1).fetch_all(&store.pool).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get::<String, _>("detail")).collect();
            let plan = steps.join("\n");
            assert!(plan.contains("INDEX authorization_exhausted"), "{plan}");
            assert!(!plan.contains("SCAN account"), "{plan}");
        }
    }
}
