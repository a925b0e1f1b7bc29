//! Master keys, and the values that are sealed with them.

use sqlx::Connection as _;

use super::{
    Outcome, PostgresStore,
    notes::bytes,
    rows::{id, key_row},
};
use crate::{
    Id,
    store::{KeyChange, KeyRow, KeyState, Sealed, SealedPlace},
};

impl PostgresStore {
    pub(super) async fn all_keys(&self) -> Outcome<Vec<KeyRow>> {
        let mut lent = self.take().await?;
        // Active, incoming, retired.
        let rows = sqlx::query(
            "SELECT key_id, state, wrapped, kind, params, checked, created_at FROM sesame.master_key \
             ORDER BY CASE state WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE 2 END, created_at DESC",
        )
        .fetch_all(&mut lent.connection)
        .await?;
        let keys = rows.iter().map(key_row).collect::<sqlx::Result<_>>()?;
        lent.give_back();
        Ok(keys)
    }

    pub(super) async fn insert_key(&self, key: &KeyRow, active: Option<&[u8]>) -> Outcome<bool> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        // Locked until the end: the key that stands here cannot change before the new one is in. Whoever
        // has just changed it is waited for, and the row is looked at again.
        let stands: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT key_id FROM sesame.master_key WHERE state = $1 FOR UPDATE")
                .bind(KeyState::Active.code())
                .fetch_optional(&mut *transaction)
                .await?;
        if stands.as_deref() != active {
            transaction.rollback().await?;
            lent.give_back();
            return Ok(false);
        }
        let added = sqlx::query(
            "INSERT INTO sesame.master_key (key_id, state, wrapped, kind, params, checked, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&key.key_id)
        .bind(key.state.code())
        .bind(&key.wrapped)
        .bind(&key.kind)
        .bind(&key.params)
        .bind(&key.check)
        .bind(key.created_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(added.rows_affected() == 1)
    }

    pub(super) async fn set_wrapped(&self, key_id: &[u8], wrapped: Option<&[u8]>) -> Outcome<()> {
        let mut lent = self.take().await?;
        sqlx::query("UPDATE sesame.master_key SET wrapped = $2 WHERE key_id = $1")
            .bind(key_id)
            .bind(wrapped)
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn switch_key(&self, change: KeyChange<'_>) -> Outcome<bool> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        // In this order: there is never more than one active key.
        let retired = sqlx::query(
            "UPDATE sesame.master_key SET state = $4 WHERE key_id = $1 AND state = $2 AND wrapped = $3",
        )
        .bind(change.former)
        .bind(KeyState::Active.code())
        .bind(change.wrapped)
        .bind(KeyState::Retired.code())
        .execute(&mut *transaction)
        .await?;
        let mut changed = retired.rows_affected() == 1;
        if changed {
            let activated = sqlx::query(
                "UPDATE sesame.master_key SET state = $3, wrapped = NULL WHERE key_id = $1 AND state = $2",
            )
            .bind(change.key_id)
            .bind(KeyState::Incoming.code())
            .bind(KeyState::Active.code())
            .execute(&mut *transaction)
            .await?;
            changed = activated.rows_affected() == 1;
        }
        if changed {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        lent.give_back();
        Ok(changed)
    }

    pub(super) async fn retire_incoming(&self, key_id: &[u8]) -> Outcome<bool> {
        let mut lent = self.take().await?;
        let done = sqlx::query("UPDATE sesame.master_key SET state = $2 WHERE key_id = $1 AND state = $3")
            .bind(key_id)
            .bind(KeyState::Retired.code())
            .bind(KeyState::Incoming.code())
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(done.rows_affected() == 1)
    }

    /// The server keeps former rows until then.
    pub(super) async fn vacuum(&self) -> Outcome<()> {
        let mut lent = self.take().await?;
        sqlx::raw_sql("VACUUM sesame.master_key, sesame.app, sesame.authorizations")
            .execute(&mut lent.connection)
            .await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn find_sealed(
        &self,
        key_id: &[u8],
        place: SealedPlace,
        after: Option<Id>,
        limit: u32,
    ) -> Outcome<Vec<Sealed>> {
        // A sealed value begins with its form (one byte) and the id of its key (eight).
        let query = match place {
            SealedPlace::AppSecret => {
                "SELECT app_id AS id, secret AS sealed FROM sesame.app \
                 WHERE substring(secret FROM 2 FOR 8) = $1 AND app_id > $2 ORDER BY app_id LIMIT $3"
            }
            SealedPlace::Access => {
                "SELECT authorization_id AS id, access AS sealed FROM sesame.authorizations \
                 WHERE substring(access FROM 2 FOR 8) = $1 AND authorization_id > $2 \
                 ORDER BY authorization_id LIMIT $3"
            }
            SealedPlace::Refresh => {
                "SELECT authorization_id AS id, refresh AS sealed FROM sesame.authorizations \
                 WHERE substring(refresh FROM 2 FOR 8) = $1 AND authorization_id > $2 \
                 ORDER BY authorization_id LIMIT $3"
            }
        };
        let mut lent = self.take().await?;
        let rows = sqlx::query(query)
            .bind(key_id)
            .bind(after.map(bytes).unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&mut lent.connection)
            .await?;
        lent.give_back();
        let sealed = rows
            .iter()
            .map(|row| Ok(Sealed { place, id: id(row, "id")?, bytes: sqlx::Row::try_get(row, "sealed")? }));
        Ok(sealed.collect::<sqlx::Result<_>>()?)
    }

    pub(super) async fn replace_sealed(&self, changes: &[(Sealed, Vec<u8>)]) -> Outcome<u64> {
        let mut lent = self.take().await?;
        let mut transaction = lent.connection.begin().await?;
        let mut replaced = 0;
        for place in SealedPlace::ALL {
            let mut changes: Vec<_> = changes.iter().filter(|(sealed, _)| sealed.place == place).collect();
            if changes.is_empty() {
                continue;
            }
            // All who change several rows do so in the order of their ids: none waits for another in a circle.
            changes.sort_by_key(|(sealed, _)| sealed.id);
            let query = match place {
                SealedPlace::AppSecret => {
                    "UPDATE sesame.app SET secret = given.new \
                     FROM unnest($1::BYTEA[], $2::BYTEA[], $3::BYTEA[]) AS given(id, old, new) \
                     WHERE app.app_id = given.id AND app.secret = given.old"
                }
                SealedPlace::Access => {
                    "UPDATE sesame.authorizations SET access = given.new \
                     FROM unnest($1::BYTEA[], $2::BYTEA[], $3::BYTEA[]) AS given(id, old, new) \
                     WHERE authorizations.authorization_id = given.id AND authorizations.access = given.old"
                }
                SealedPlace::Refresh => {
                    "UPDATE sesame.authorizations SET refresh = given.new \
                     FROM unnest($1::BYTEA[], $2::BYTEA[], $3::BYTEA[]) AS given(id, old, new) \
                     WHERE authorizations.authorization_id = given.id AND authorizations.refresh = given.old"
                }
            };
            let done = sqlx::query(query)
                .bind(changes.iter().map(|(sealed, _)| bytes(sealed.id)).collect::<Vec<_>>())
                .bind(changes.iter().map(|(sealed, _)| sealed.bytes.as_slice()).collect::<Vec<_>>())
                .bind(changes.iter().map(|(_, new)| new.as_slice()).collect::<Vec<_>>())
                .execute(&mut *transaction)
                .await?;
            replaced += done.rows_affected();
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(replaced)
    }
}
