//! Master keys, and the values that are sealed with them.

use sqlx::Row as _;

use super::{
    SqliteStore,
    rows::{id, key_row},
};
use crate::{
    Id,
    store::{KeyChange, KeyRow, KeyState, Sealed, SealedPlace},
};

/// Active, incoming, retired.
const ORDER: &str = "ORDER BY CASE state WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE 2 END, created_at DESC";

impl SqliteStore {
    pub(super) async fn all_keys(&self) -> sqlx::Result<Vec<KeyRow>> {
        let query = format!(
            "SELECT key_id, state, wrapped, kind, params, checked, created_at FROM master_key {ORDER}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&self.pool).await?;
        rows.iter().map(key_row).collect()
    }

    pub(super) async fn insert_key(&self, key: &KeyRow, active: Option<&[u8]>) -> sqlx::Result<bool> {
        let added = sqlx::query(
            "INSERT INTO master_key (key_id, state, wrapped, kind, params, checked, created_at) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 \
             WHERE ?8 IS (SELECT key_id FROM master_key WHERE state = ?9) ON CONFLICT DO NOTHING",
        )
        .bind(&key.key_id)
        .bind(key.state.code())
        .bind(&key.wrapped)
        .bind(&key.kind)
        .bind(&key.params)
        .bind(&key.check)
        .bind(key.created_at)
        .bind(active)
        .bind(KeyState::Active.code())
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    pub(super) async fn set_wrapped(&self, key_id: &[u8], wrapped: Option<&[u8]>) -> sqlx::Result<()> {
        sqlx::query("UPDATE master_key SET wrapped = ?2 WHERE key_id = ?1")
            .bind(key_id)
            .bind(wrapped)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(super) async fn switch_key(&self, change: KeyChange<'_>) -> sqlx::Result<bool> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        // In this order: there is never more than one active key.
        let retired =
            sqlx::query("UPDATE master_key SET state = ?4 WHERE key_id = ?1 AND state = ?2 AND wrapped = ?3")
                .bind(change.former)
                .bind(KeyState::Active.code())
                .bind(change.wrapped)
                .bind(KeyState::Retired.code())
                .execute(&mut *transaction)
                .await?;
        if retired.rows_affected() != 1 {
            return Ok(false);
        }
        let activated =
            sqlx::query("UPDATE master_key SET state = ?3, wrapped = NULL WHERE key_id = ?1 AND state = ?2")
                .bind(change.key_id)
                .bind(KeyState::Incoming.code())
                .bind(KeyState::Active.code())
                .execute(&mut *transaction)
                .await?;
        if activated.rows_affected() != 1 {
            // Dropped, the transaction rolls back.
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn retire_incoming(&self, key_id: &[u8]) -> sqlx::Result<bool> {
        let done = sqlx::query("UPDATE master_key SET state = ?2 WHERE key_id = ?1 AND state = ?3")
            .bind(key_id)
            .bind(KeyState::Retired.code())
            .bind(KeyState::Incoming.code())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// In the file itself `secure_delete` overwrites what is replaced; its log still has it.
    pub(super) async fn empty_log(&self) -> sqlx::Result<()> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn find_sealed(
        &self,
        key_id: &[u8],
        place: SealedPlace,
        after: Option<Id>,
        limit: u32,
    ) -> sqlx::Result<Vec<Sealed>> {
        // A sealed value begins with its form (one byte) and the id of its key (eight).
        let query = match place {
            SealedPlace::AppSecret => {
                "SELECT app_id AS id, secret AS sealed FROM app \
                 WHERE substr(secret, 2, 8) = ?1 AND app_id > ?2 ORDER BY app_id LIMIT ?3"
            }
            SealedPlace::Access => {
                "SELECT authorization_id AS id, access AS sealed FROM authorizations \
                 WHERE substr(access, 2, 8) = ?1 AND authorization_id > ?2 ORDER BY authorization_id LIMIT ?3"
            }
            SealedPlace::Refresh => {
                "SELECT authorization_id AS id, refresh AS sealed FROM authorizations \
                 WHERE substr(refresh, 2, 8) = ?1 AND authorization_id > ?2 ORDER BY authorization_id LIMIT ?3"
            }
        };
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let rows = sqlx::query(query).bind(key_id).bind(after).bind(limit).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok(Sealed { place, id: id(row, "id")?, bytes: row.try_get("sealed")? }))
            .collect()
    }

    pub(super) async fn replace_sealed(&self, changes: &[(Sealed, Vec<u8>)]) -> sqlx::Result<u64> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut replaced = 0;
        for (sealed, new) in changes {
            let query = match sealed.place {
                SealedPlace::AppSecret => "UPDATE app SET secret = ?3 WHERE app_id = ?1 AND secret = ?2",
                SealedPlace::Access => {
                    "UPDATE authorizations SET access = ?3 WHERE authorization_id = ?1 AND access = ?2"
                }
                SealedPlace::Refresh => {
                    "UPDATE authorizations SET refresh = ?3 WHERE authorization_id = ?1 AND refresh = ?2"
                }
            };
            let done = sqlx::query(query)
                .bind(sealed.id.as_bytes().as_slice())
                .bind(&sealed.bytes)
                .bind(new)
                .execute(&mut *transaction)
                .await?;
            replaced += done.rows_affected();
        }
        transaction.commit().await?;
        Ok(replaced)
    }
}
