//! Master keys, and the values that are sealed with them.

use sesame_core::{BoxFuture, Result};

use super::{Backend, SqlStore, WORKING_LONG, bytes_before, query::query, rows::key_row};
use crate::{
    Id,
    store::{KeyChange, KeyRow, KeyState, KeyStore, Sealed, SealedPlace},
};

const RETIRED: i64 = KeyState::Retired.code();
const ACTIVE: i64 = KeyState::Active.code();
const INCOMING: i64 = KeyState::Incoming.code();

impl KeyStore for SqlStore {
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyRow>>> {
        self.run(move || {
            self.fetch_all(
                query(
                    "SELECT key_id, state, wrapped, kind, params, checked, created_at FROM master_key \
                     ORDER BY CASE state WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE 2 END, created_at DESC",
                ),
                key_row,
            )
        })
    }

    fn add_key<'a>(&'a self, key: &'a KeyRow, active: Option<&'a [u8]>) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            // Locked until the end: the active key cannot change before the new one is in. Whoever has just
            // changed it is waited for, and the row is looked at again.
            let found = transaction
                .fetch_optional(
                    query("SELECT key_id FROM master_key WHERE state = $1 FOR UPDATE").bind(ACTIVE),
                    |row| row.get::<Vec<u8>>("key_id"),
                )
                .await?;
            if found.as_deref() != active {
                return Ok(false);
            }
            let added = query(
                "INSERT INTO master_key (key_id, state, wrapped, kind, params, checked, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(&key.key_id)
            .bind(key.state.code())
            .bind(&key.wrapped)
            .bind(&key.kind)
            .bind(&key.params)
            .bind(&key.check)
            .bind(key.created_at);
            let added = transaction.execute(added).await?;
            transaction.commit().await?;
            Ok(added == 1)
        })
    }

    fn wrap_key<'a>(&'a self, key_id: &'a [u8], wrapped: Option<&'a [u8]>) -> BoxFuture<'a, Result<()>> {
        self.run(move || async move {
            let wrap = query("UPDATE master_key SET wrapped = $2 WHERE key_id = $1");
            self.execute(wrap.bind(key_id).bind(wrapped)).await?;
            Ok(())
        })
    }

    fn activate_key<'a>(&'a self, change: KeyChange<'a>) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            // In this order: there is never more than one active key.
            let retire =
                query("UPDATE master_key SET state = $4 WHERE key_id = $1 AND state = $2 AND wrapped = $3");
            let retire = retire.bind(change.former).bind(ACTIVE).bind(change.wrapped).bind(RETIRED);
            if transaction.execute(retire).await? != 1 {
                return Ok(false);
            }
            let activate =
                query("UPDATE master_key SET state = $3, wrapped = NULL WHERE key_id = $1 AND state = $2");
            if transaction.execute(activate.bind(change.key_id).bind(INCOMING).bind(ACTIVE)).await? != 1 {
                return Ok(false);
            }
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn retire_key<'a>(&'a self, key_id: &'a [u8]) -> BoxFuture<'a, Result<bool>> {
        self.run(move || async move {
            let retire = query("UPDATE master_key SET state = $2 WHERE key_id = $1 AND state = $3");
            Ok(self.execute(retire.bind(key_id).bind(RETIRED).bind(INCOMING)).await? == 1)
        })
    }

    fn remove_key<'a>(&'a self, key_id: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        self.run_for(WORKING_LONG, move || async move {
            let remove = query(
                "DELETE FROM master_key WHERE key_id = $1 AND state = $2 \
                 AND NOT EXISTS (SELECT 1 FROM app WHERE substr(secret, 2, 8) = $1) \
                 AND NOT EXISTS (SELECT 1 FROM authorizations \
                 WHERE substr(access, 2, 8) = $1 OR substr(refresh, 2, 8) = $1)",
            );
            self.execute(remove.bind(key_id).bind(RETIRED)).await?;
            Ok(())
        })
    }

    fn forget_remains(&self) -> BoxFuture<'_, Result<()>> {
        self.run_for(WORKING_LONG, move || async move {
            // In the file of SQLite `secure_delete` overwrites what is replaced, and its log still has it.
            // PostgreSQL keeps former rows until they are vacuumed.
            let clean = query(match self.0.as_ref() {
                #[cfg(feature = "sqlite")]
                Backend::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE)",
                #[cfg(feature = "postgres")]
                Backend::Postgres(_) => "VACUUM master_key, app, authorizations",
            });
            self.execute(clean).await?;
            Ok(())
        })
    }

    fn sealed_with<'a>(
        &'a self,
        key_id: &'a [u8],
        place: SealedPlace,
        after: Option<Id>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Sealed>>> {
        self.run(move || async move {
            // A sealed value begins with its form (one byte) and the id of its key (eight).
            let find = query(match place {
                SealedPlace::AppSecret => {
                    "SELECT app_id AS id, secret AS sealed FROM app \
                     WHERE substr(secret, 2, 8) = $1 AND app_id > $2 ORDER BY app_id LIMIT $3"
                }
                SealedPlace::FormerSecret => {
                    "SELECT app_id AS id, former_secret AS sealed FROM app \
                     WHERE substr(former_secret, 2, 8) = $1 AND app_id > $2 ORDER BY app_id LIMIT $3"
                }
                SealedPlace::Access => {
                    "SELECT authorization_id AS id, access AS sealed FROM authorizations \
                     WHERE substr(access, 2, 8) = $1 AND authorization_id > $2 \
                     ORDER BY authorization_id LIMIT $3"
                }
                SealedPlace::Refresh => {
                    "SELECT authorization_id AS id, refresh AS sealed FROM authorizations \
                     WHERE substr(refresh, 2, 8) = $1 AND authorization_id > $2 \
                     ORDER BY authorization_id LIMIT $3"
                }
            });
            self.fetch_all(find.bind(key_id).bind(bytes_before(after)).bind(limit), |row| {
                Ok(Sealed { place, id: row.id("id")?, bytes: row.get("sealed")? })
            })
            .await
        })
    }

    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> BoxFuture<'a, Result<u64>> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let mut replaced = 0;
            let mut changes: Vec<_> = changes.iter().collect();
            changes.sort_by_key(|(sealed, _)| (sealed.place, sealed.id));
            for (sealed, new) in changes {
                let replace = query(match sealed.place {
                    SealedPlace::AppSecret => "UPDATE app SET secret = $3 WHERE app_id = $1 AND secret = $2",
                    SealedPlace::FormerSecret => {
                        "UPDATE app SET former_secret = $3 WHERE app_id = $1 AND former_secret = $2"
                    }
                    SealedPlace::Access => {
                        "UPDATE authorizations SET access = $3 WHERE authorization_id = $1 AND access = $2"
                    }
                    SealedPlace::Refresh => {
                        "UPDATE authorizations SET refresh = $3 WHERE authorization_id = $1 AND refresh = $2"
                    }
                });
                replaced +=
                    transaction.execute(replace.bind(sealed.id).bind(&sealed.bytes).bind(new)).await?;
            }
            transaction.commit().await?;
            Ok(replaced)
        })
    }
}
