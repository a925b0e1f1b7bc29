//! Tokens: leases, failures, use. How answers are written is in `group`.

use sqlx::Row as _;

use super::{
    Outcome, PostgresStore,
    notes::{Columns, bytes, noting},
    rows::authorization_row,
    some_text, text,
};
use crate::{
    Id,
    store::{AuthorizationRow, Claim, FailedRefresh, GivenUp, Lease, Notes, rows::columns},
};

/// A lease that ends more than this after one taken now would is none: the row is damaged, or a clock
/// was set back.
pub(super) const ABSURD: i64 = 3_600_000;

impl PostgresStore {
    pub(super) async fn find_authorization(&self, authorization: Id) -> Outcome<Option<AuthorizationRow>> {
        let mut lent = self.take().await?;
        let row = sqlx::query(concat!(
            "SELECT ",
            columns!(authorization),
            " FROM sesame.authorizations WHERE authorization_id = $1"
        ))
        .bind(bytes(authorization))
        .fetch_optional(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(row.as_ref().map(authorization_row).transpose()?)
    }

    pub(super) async fn take_lease(&self, claim: Claim<'_>) -> Outcome<Option<Lease>> {
        let mut lent = self.take().await?;
        // An intent that still stands when the lease is free belongs to a refresh that was cut
        // off; it is kept as `interrupted_since` until tokens arrive. Of several that claim at once
        // the server lets one after the other in, and looks at the condition again for each.
        let row = sqlx::query(
            "UPDATE sesame.authorizations SET lease_owner = $2, lease_fence = lease_fence + 1, lease_until = $3, \
             interrupted_since = coalesce(interrupted_since, refreshing_since), refreshing_since = $4, spending = $5 \
             WHERE authorization_id = $1 AND generation = $6 AND (lease_until IS NULL OR lease_until <= $4 \
             OR lease_owner IS NULL OR lease_owner = $2 OR lease_owner = $7 OR lease_until > $8) \
             RETURNING lease_fence, interrupted_since",
        )
        .bind(bytes(claim.id))
        .bind(claim.owner)
        .bind(claim.until)
        .bind(claim.now)
        .bind(claim.spending)
        .bind(claim.generation)
        .bind(claim.gone)
        .bind(claim.until.saturating_add(ABSURD))
        .fetch_optional(&mut lent.connection)
        .await?;
        lent.give_back();
        let lease = row.map(|row| Ok(Lease { fence: row.try_get(0)?, interrupted_since: row.try_get(1)? }));
        Ok(lease.transpose().map_err(|error: sqlx::Error| error)?)
    }

    pub(super) async fn write_failure(&self, failure: FailedRefresh<'_>, notes: &Notes) -> Outcome<()> {
        let mut lent = self.take().await?;
        let query = sqlx::query(noting!(
            "done AS (UPDATE sesame.authorizations SET last_error = $19, last_error_at = $20, \
             attempts = attempts + 1, not_before = coalesce($21, not_before), \
             exhausted = coalesce($22, exhausted), lease_owner = NULL, lease_until = NULL, \
             refreshing_since = CASE WHEN $23 THEN refreshing_since ELSE NULL END, \
             spending = CASE WHEN $23 THEN spending ELSE NULL END, \
             postpone_after = coalesce($24, postpone_after), due_at = $25, blocked = coalesce($26, blocked), \
             refresh_denied = refresh_denied OR $27 \
             WHERE authorization_id = $15 AND generation = $16 AND lease_owner = $17 AND lease_fence = $18 \
             RETURNING 0::BIGINT AS item)";
            "SELECT 1"
        ));
        Columns::of(notes)
            .bind(query)
            .bind(bytes(failure.id))
            .bind(failure.generation)
            .bind(failure.owner)
            .bind(failure.fence)
            .bind(text(failure.error))
            .bind(failure.at)
            .bind(failure.not_before)
            .bind(some_text(failure.exhausted))
            .bind(failure.ambiguous)
            .bind(failure.postpone_after)
            .bind(failure.due_at)
            .bind(failure.blocked)
            .bind(failure.denied)
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn mark_exhausted(
        &self,
        authorization: Id,
        generation: i64,
        reason: &str,
        at: i64,
        notes: &Notes,
    ) -> Outcome<()> {
        let mut lent = self.take().await?;
        let query = sqlx::query(noting!(
            "done AS (UPDATE sesame.authorizations SET exhausted = $17, last_error = $17, last_error_at = $18, \
             due_at = NULL WHERE authorization_id = $15 AND generation = $16 AND exhausted IS NULL \
             RETURNING 0::BIGINT AS item)";
            "SELECT 1"
        ));
        Columns::of(notes)
            .bind(query)
            .bind(bytes(authorization))
            .bind(generation)
            .bind(text(reason))
            .bind(at)
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }

    /// Returns how many; 0 when there are no more.
    pub(super) async fn unmark_some(&self, marked_after: i64) -> Outcome<u64> {
        let mut lent = self.take().await?;
        let done = sqlx::query(
            "UPDATE sesame.authorizations SET exhausted = NULL, last_error = NULL, last_error_at = NULL, \
             attempts = 0, not_before = NULL, postpone_after = NULL, blocked = FALSE, due_at = 0 \
             WHERE authorization_id IN \
             (SELECT authorization_id FROM sesame.authorizations \
             WHERE exhausted IS NOT NULL AND last_error_at > $1 LIMIT 5000)",
        )
        .bind(marked_after)
        .execute(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(done.rows_affected())
    }

    pub(super) async fn find_given_up(&self, limit: u32) -> Outcome<GivenUp> {
        let mut lent = self.take().await?;
        let rows = sqlx::query(
            "SELECT account.name, count(*) OVER () FROM sesame.authorizations JOIN sesame.account \
             ON account.authorization_id = authorizations.authorization_id WHERE exhausted IS NOT NULL \
             ORDER BY account.name LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut lent.connection)
        .await?;
        lent.give_back();
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(1))?;
        let names = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
        Ok(GivenUp { names, count: count.unsigned_abs() })
    }

    pub(super) async fn mark_used(&self, ids: &[Id], at: i64) -> Outcome<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut lent = self.take().await?;
        // Many processes note the use of the same shops: all take the rows in one order, so that none
        // waits for another in a circle.
        sqlx::query(
            "WITH used AS MATERIALIZED (SELECT authorization_id FROM sesame.authorizations \
             WHERE authorization_id = ANY($1) ORDER BY authorization_id FOR UPDATE) \
             UPDATE sesame.authorizations SET last_used = greatest(coalesce(last_used, $2), $2), \
             due_at = CASE WHEN exhausted IS NULL AND warm_at IS NOT NULL \
             THEN least(coalesce(due_at, warm_at), warm_at) ELSE due_at END \
             FROM used WHERE authorizations.authorization_id = used.authorization_id",
        )
        .bind(ids.iter().copied().map(bytes).collect::<Vec<_>>())
        .bind(at)
        .execute(&mut lent.connection)
        .await?;
        lent.give_back();
        Ok(())
    }
}
