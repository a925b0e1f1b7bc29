//! Master keys, and the values that are sealed with them.

use super::{Backend, SqlStore, WORKING_LONG, bytes_before, query::query};
use crate::{
    Id,
    store::{KeyId, KeyRow, KeyStore, Sealed, SecretColumn, StoreFut},
};

impl KeyStore for SqlStore {
    fn keys(&self) -> StoreFut<'_, Vec<KeyRow>> {
        self.run(move || async move {
            let read = query("SELECT keys FROM master_keys");
            let keys = self.fetch_optional(read, |row| {
                let keys = serde_json::from_str(&row.get::<String>("keys")?);
                keys.map_err(|error| sqlx::Error::Decode(Box::new(error)))
            });
            Ok(keys.await?.unwrap_or_default())
        })
    }

    fn set_keys<'a>(&'a self, former: &'a [KeyRow], new: &'a [KeyRow]) -> StoreFut<'a, bool> {
        self.run(move || async move {
            let set = if former.is_empty() {
                query("INSERT INTO master_keys (id, keys) VALUES (1, $1) ON CONFLICT DO NOTHING")
                    .bind(as_json(new)?)
            } else {
                query("UPDATE master_keys SET keys = $1 WHERE keys = $2")
                    .bind(as_json(new)?)
                    .bind(as_json(former)?)
            };
            Ok(self.execute(set).await? == 1)
        })
    }

    fn forget_remains(&self) -> StoreFut<'_, ()> {
        self.run_for(WORKING_LONG, move || async move {
            let clean = query(match self.0.as_ref() {
                // `secure_delete` overwrites what is replaced in the file, and its log still has it.
                #[cfg(feature = "sqlite")]
                Backend::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE)",
                // Former rows are kept until they are vacuumed.
                #[cfg(feature = "postgres")]
                Backend::Postgres(_) => "VACUUM master_keys, app, authorizations",
            });
            self.execute(clean).await?;
            Ok(())
        })
    }

    fn sealed_with(
        &self,
        key_id: KeyId,
        place: SecretColumn,
        after: Option<Id>,
        limit: u32,
    ) -> StoreFut<'_, Vec<Sealed>> {
        self.run(move || async move {
            // A sealed value begins with its form (one byte) and the id of its key (eight).
            let (table, id, column) = (place.table(), place.id_column(), place.column());
            let find = query(format!(
                "SELECT {id} AS id, {column} AS sealed FROM {table} \
                 WHERE substr({column}, 2, 8) = $1 AND {id} > $2 ORDER BY {id} LIMIT $3"
            ));
            self.fetch_all(find.bind(key_id.to_vec()).bind(bytes_before(after)).bind(limit), |row| {
                Ok(Sealed { place, id: row.get("id")?, bytes: row.get("sealed")? })
            })
            .await
        })
    }

    fn reseal<'a>(&'a self, changes: &'a [(Sealed, Vec<u8>)]) -> StoreFut<'a, u64> {
        self.run(move || async move {
            let mut transaction = self.begin().await?;
            let mut replaced = 0;
            let mut changes: Vec<_> = changes.iter().collect();
            changes.sort_by_key(|(sealed, _)| (sealed.place, sealed.id));
            for (sealed, new) in changes {
                let (table, id, column) =
                    (sealed.place.table(), sealed.place.id_column(), sealed.place.column());
                let replace =
                    query(format!("UPDATE {table} SET {column} = $3 WHERE {id} = $1 AND {column} = $2"));
                replaced +=
                    transaction.execute(replace.bind(sealed.id).bind(&sealed.bytes).bind(new)).await?;
            }
            transaction.commit().await?;
            Ok(replaced)
        })
    }
}

/// In the one order of [`KeyStore::keys`], so that what was read compares equal.
fn as_json(keys: &[KeyRow]) -> sqlx::Result<String> {
    let mut keys: Vec<&KeyRow> = keys.iter().collect();
    keys.sort_by_key(|key| (key.state, std::cmp::Reverse(key.created_at)));
    serde_json::to_string(&keys).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
