//! The one way to hand out due rows of a table, under leases: for authorizations and events.

use super::query::Query;
use crate::store::DueClaim;

/// A lease that ends later than this after one taken now does not count: the row is damaged, or a clock was set
/// back.
pub(super) const LATEST_LEASE: i64 = 3_600_000;

/// Returns the statement that hands out due rows of a table. Its first five parameters are those of
/// [`bind_claim`]; `which` narrows the rows, `same` the match of a row if the key alone does not, and `order`
/// says which come first.
pub(super) fn claim_due(
    table: &str,
    key: &str,
    which: &str,
    order: &str,
    same: &str,
    columns: &str,
) -> String {
    format!(
        "WITH next AS MATERIALIZED (SELECT {key} FROM {table} WHERE due_at <= $3 AND (lease_until IS NULL \
         OR lease_until <= $3 OR lease_owner IS NULL OR lease_until > $5){which} ORDER BY {order} LIMIT $4 \
         FOR UPDATE SKIP LOCKED) UPDATE {table} SET lease_owner = $1, lease_fence = lease_fence + 1, \
         lease_until = $2, due_at = $2 FROM next WHERE {table}.{key} = next.{key}{same} \
         RETURNING lease_fence, {columns}"
    )
}

/// Passes over rows that cannot be read: the others are not held up. Their leases end by themselves.
pub(super) fn readable<T>(rows: Vec<sqlx::Result<T>>) -> Vec<T> {
    let read = |row: sqlx::Result<T>| {
        row.inspect_err(|error| {
            tracing::warn!("a row that is due cannot be read and is passed over: {error}");
        })
        .ok()
    };
    rows.into_iter().filter_map(read).collect()
}

/// Binds the first five parameters of a claim.
pub(super) fn bind_claim<'q>(query: Query<'q>, claim: DueClaim<'q>) -> Query<'q> {
    query
        .bind(claim.owner)
        .bind(claim.until)
        .bind(claim.now)
        .bind(claim.limit)
        .bind(claim.until.saturating_add(LATEST_LEASE))
}
