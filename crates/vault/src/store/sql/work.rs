//! Work that is handed out under leases.
//!
//! A table of work has the columns `due_at`, `lease_owner`, `lease_fence` and `lease_until`, and an index
//! on `due_at`. [`claim_due`] is the one way to hand out its rows: those that are due the longest and that
//! are not leased. Each is due again when its lease ends, unless its owner plans something else before; so
//! what is held costs nothing when others claim, and what a dead owner held comes back by itself. Whatever
//! an owner writes names its fence, which grows with each lease.

use super::{
    PIECE, SqlStore,
    claim::{bind_claim, claim_due, readable},
    connection::Connection,
    events::insert_notes,
    query::{Row, query},
    rows::StoredRow as _,
};
use crate::{
    Id,
    store::{AuthorizationRow, Due, DueClaim, Intent, Notes, Planned, StoreFut, WorkStore},
};

fn claim_authorizations() -> String {
    let label = "coalesce((SELECT min(name) FROM account \
        WHERE account.authorization_id = authorizations.authorization_id), '') AS label";
    let columns = format!("{label}, {}", AuthorizationRow::columns());
    claim_due("authorizations", "authorization_id", "", "due_at", "", &columns)
}

const NEXT_DUE: &str = "SELECT due_at FROM authorizations WHERE due_at IS NOT NULL \
    AND (lease_until IS NULL OR lease_until <= $1 OR lease_owner IS NULL) ORDER BY due_at LIMIT 1";

const PULL_FORWARD: &str = "UPDATE authorizations SET due_at = $1 WHERE authorization_id IN \
    (SELECT authorization_id FROM authorizations WHERE due_at > $2 LIMIT $3)";

impl WorkStore for SqlStore {
    fn claim_due<'a>(&'a self, claim: DueClaim<'a>) -> StoreFut<'a, Vec<Due>> {
        self.run(move || async move {
            // A lease that a power cut takes back has only not saved a call. What is spent under it waits
            // for its intent to be on the disk.
            let mut transaction = self.begin_unsynced().await?;
            let due = transaction
                .fetch_all(bind_claim(query(claim_authorizations()), claim), |row| Ok(due(row)))
                .await?;
            transaction.commit().await?;
            Ok(readable(due))
        })
    }

    fn begin<'a>(
        &'a self,
        owner: &'a str,
        intents: &'a [Intent],
        now: i64,
        until: i64,
    ) -> StoreFut<'a, Vec<Id>> {
        self.run(move || async move {
            let mut sorted: Vec<_> = intents.iter().collect();
            sorted.sort_by_key(|intent| intent.id);
            let mut lost = Vec::new();
            let mut transaction = self.begin().await?;
            for intent in sorted {
                if !write_intent(&mut transaction, owner, intent, now, until).await? {
                    lost.push(intent.id);
                }
            }
            transaction.commit().await?;
            Ok(intents.iter().map(|intent| intent.id).filter(|id| !lost.contains(id)).collect())
        })
    }

    fn plan<'a>(&'a self, owner: &'a str, plans: &'a [Planned], notes: &'a Notes) -> StoreFut<'a, ()> {
        self.run(move || async move {
            let mut sorted: Vec<_> = plans.iter().collect();
            sorted.sort_by_key(|plan| plan.id);
            let mut lost = Vec::new();
            let mut transaction = self.begin().await?;
            for plan in sorted {
                let write = query(
                    "UPDATE authorizations SET due_at = $4, announced = $5, lease_owner = NULL, \
                     lease_until = NULL WHERE authorization_id = $1 AND lease_owner = $2 AND lease_fence = $3",
                );
                let write =
                    write.bind(plan.id).bind(owner).bind(plan.fence).bind(plan.due_at).bind(plan.announced);
                if transaction.execute(write).await? != 1 {
                    lost.push(plan.id);
                }
            }
            // Whoever holds a lost lease now gives its warning.
            let mut notes = notes.clone();
            notes.events.retain(|event| !lost.contains(&event.authorization_id));
            insert_notes(&mut transaction, &notes).await?;
            transaction.commit().await
        })
    }

    fn next_due(&self, now: i64) -> StoreFut<'_, Option<i64>> {
        self.run(move || self.fetch_optional(query(NEXT_DUE).bind(now), |row| row.get("due_at")))
    }

    fn pull_forward(&self, now: i64, horizon: i64) -> StoreFut<'_, u64> {
        let latest = now.saturating_add(horizon.max(0));
        self.in_pieces(move || query(PULL_FORWARD).bind(now).bind(latest).bind(PIECE))
    }
}

fn due(row: &Row) -> sqlx::Result<Due> {
    Ok(Due {
        authorization: AuthorizationRow::read(row)?,
        fence: row.get("lease_fence")?,
        label: row.get("label")?,
    })
}

/// Returns `false` if the lease was lost.
async fn write_intent(
    on: &mut Connection,
    owner: &str,
    intent: &Intent,
    now: i64,
    until: i64,
) -> sqlx::Result<bool> {
    let write = query(
        "UPDATE authorizations SET interrupted_since = coalesce(interrupted_since, refreshing_since), \
         refreshing_since = $5, spending = $6, lease_until = $7, due_at = $7 \
         WHERE authorization_id = $1 AND lease_owner = $2 AND lease_fence = $3 AND generation = $4",
    )
    .bind(intent.id)
    .bind(owner)
    .bind(intent.fence)
    .bind(intent.generation)
    .bind(now)
    .bind(&intent.spending)
    .bind(until);
    Ok(on.execute(write).await? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn due_rows_are_found_by_their_index_and_nothing_else_is_read() {
        let store = SqlStore::in_memory().await.unwrap();
        for text in [&claim_authorizations(), NEXT_DUE, PULL_FORWARD] {
            let plan = store.plan_of(text).await;
            assert!(
                plan.contains("authorizations USING") && plan.contains("INDEX authorization_due"),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "sorted by the index: {plan}");
            assert!(!plan.contains("SCAN account") && !plan.contains("SCAN authorizations"), "{plan}");
        }
    }
}
