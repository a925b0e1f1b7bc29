//! Authorizations and their tokens: leases, compare-and-set, failures.

use super::{
    SqlStore,
    claim::LATEST_LEASE,
    connection::Connection,
    events::insert_notes,
    query::{Query, query},
    rows::StoredRow as _,
};
use crate::{
    Id,
    store::{AuthorizationRow, Claim, FailedRefresh, Lease, Notes, StoreFut, TokenColumns, TokenStore},
};

pub(super) fn select_authorization<'q>(id: Id) -> Query<'q> {
    query(AuthorizationRow::select("WHERE authorization_id = $1")).bind(id)
}

impl TokenStore for SqlStore {
    fn authorization(&self, authorization: Id) -> StoreFut<'_, Option<AuthorizationRow>> {
        self.run(move || self.fetch_optional(select_authorization(authorization), AuthorizationRow::read))
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> StoreFut<'a, Option<Lease>> {
        // An intent that is left when the lease is free belongs to a refresh that was cut off; it is
        // kept as `interrupted_since` until tokens arrive.
        self.run(move || {
            let claim = query(
                "UPDATE authorizations SET lease_owner = $2, lease_fence = lease_fence + 1, \
                 lease_until = $3, interrupted_since = coalesce(interrupted_since, refreshing_since), \
                 refreshing_since = $4, spending = $5 WHERE authorization_id = $1 AND generation = $6 \
                 AND (lease_until IS NULL OR lease_until <= $4 OR lease_owner IS NULL OR lease_owner = $2 \
                 OR lease_until > $7) RETURNING lease_fence, interrupted_since",
            )
            .bind(claim.id)
            .bind(claim.owner)
            .bind(claim.until)
            .bind(claim.now)
            .bind(claim.spending)
            .bind(claim.generation)
            .bind(claim.until.saturating_add(LATEST_LEASE));
            self.fetch_optional(claim, |row| {
                Ok(Lease { fence: row.get("lease_fence")?, interrupted_since: row.get("interrupted_since")? })
            })
        })
    }

    fn replace_tokens<'a>(
        &'a self,
        authorization: Id,
        expected: i64,
        tokens: &'a TokenColumns,
        at: i64,
        notes: &'a Notes,
    ) -> StoreFut<'a, bool> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let replace = query(
                "UPDATE authorizations SET generation = generation + 1, last_success = $3, access = $4, \
                 refresh = $5, issued_at = $6, access_expires_at = $7, refresh_expires_at = $8, \
                 refresh_denied = $9, identity = $10, warm_at = $11, due_at = $12, announced = $13, \
                 exhausted = NULL, last_error = NULL, last_error_at = NULL, attempts = 0, not_before = NULL, \
                 blocked = FALSE, postpone_after = CASE WHEN refresh_expires_at IS NOT DISTINCT FROM $8 \
                 THEN postpone_after END, lease_owner = NULL, lease_until = NULL, refreshing_since = NULL, \
                 interrupted_since = NULL, spending = NULL WHERE authorization_id = $1 AND generation = $2",
            )
            .bind(authorization)
            .bind(expected)
            .bind(at);
            // In the order in which the row names them.
            let replace = tokens.values().into_iter().fold(replace, Query::bind);
            let is_done = transaction.execute(replace).await? == 1;
            if is_done {
                insert_notes(&mut transaction, notes).await?;
            }
            transaction.commit().await?;
            Ok(is_done)
        })
    }

    fn record_failure<'a>(&'a self, failure: FailedRefresh<'a>, notes: &'a Notes) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let record = query(
                "UPDATE authorizations SET last_error = $5, last_error_at = $6, attempts = attempts + 1, \
                 not_before = coalesce($7, not_before), exhausted = coalesce($8, exhausted), \
                 lease_owner = NULL, lease_until = NULL, \
                 refreshing_since = CASE WHEN $9 THEN refreshing_since END, \
                 spending = CASE WHEN $9 THEN spending END, \
                 postpone_after = coalesce($10, postpone_after), due_at = $11, \
                 blocked = coalesce($12, blocked), refresh_denied = refresh_denied OR $13 \
                 WHERE authorization_id = $1 AND generation = $2 AND lease_owner = $3 AND lease_fence = $4",
            )
            .bind(failure.id)
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
            .bind(failure.denied);
            if transaction.execute(record).await? == 1 {
                insert_notes(&mut transaction, notes).await?;
            }
            transaction.commit().await
        })
    }

    fn exhaust<'a>(
        &'a self,
        authorization: Id,
        generation: i64,
        reason: &'a str,
        at: i64,
        notes: &'a Notes,
    ) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let exhaust = query(
                "UPDATE authorizations SET exhausted = $3, last_error = $3, last_error_at = $4, \
                 due_at = NULL WHERE authorization_id = $1 AND generation = $2 AND exhausted IS NULL",
            );
            let exhaust = exhaust.bind(authorization).bind(generation).bind(reason).bind(at);
            if transaction.execute(exhaust).await? == 1 {
                insert_notes(&mut transaction, notes).await?;
            }
            transaction.commit().await
        })
    }

    fn touch<'a>(&'a self, ids: &'a [Id], at: i64) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut ids = ids.to_vec();
            ids.sort();
            let mut transaction = self.begin().await?;
            for id in ids {
                let touch = query(
                    "UPDATE authorizations \
                     SET last_used = CASE WHEN last_used > $2 THEN last_used ELSE $2 END, \
                     due_at = CASE WHEN exhausted IS NULL AND warm_at IS NOT NULL \
                     AND (due_at IS NULL OR due_at > warm_at) THEN warm_at ELSE due_at END \
                     WHERE authorization_id = $1",
                );
                transaction.execute(touch.bind(id).bind(at)).await?;
            }
            transaction.commit().await
        })
    }
}

/// Removes an authorization that no account uses any more.
pub(super) async fn delete_unused(on: &mut Connection, authorization: Id) -> sqlx::Result<()> {
    // Held first: of two that remove the last two accounts at once, the second then sees that both are
    // gone. Neither would remove it otherwise.
    on.execute(
        query("SELECT 1 FROM authorizations WHERE authorization_id = $1 FOR UPDATE").bind(authorization),
    )
    .await?;
    let delete = query(
        "DELETE FROM authorizations WHERE authorization_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM account WHERE authorization_id = $1)",
    );
    on.execute(delete.bind(authorization)).await?;
    Ok(())
}
