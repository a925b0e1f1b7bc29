//! Looks for damage in the database.

use sqlx::Row as _;

use super::PostgresBackend;

impl PostgresBackend {
    /// Reads every row, values that are kept apart included, and looks at what the server says of itself.
    pub(in crate::store) async fn find_damage(&self) -> sqlx::Result<Vec<String>> {
        let mut lent = self.connections.take().await?;
        // Not given back: its settings are others from now on.
        let connection = lent.connection();
        let mut found = Vec::new();
        sqlx::raw_sql("SET statement_timeout = '9min'").execute(&mut *connection).await?;
        for (table, read) in TABLES {
            match sqlx::query(*read).fetch_all(&mut *connection).await {
                Ok(_) => {}
                Err(sqlx::Error::Database(error))
                    if error.code().is_some_and(|code| code.starts_with("XX") || code.starts_with("58")) =>
                {
                    found.push(format!("table {table} cannot be read: {}", error.message()));
                }
                Err(error) => return Err(error),
            }
        }
        for row in sqlx::query(ODDITIES).fetch_all(connection).await? {
            found.push(row.try_get(0)?);
        }
        Ok(found)
    }
}

/// What reads a table whole.
const TABLES: &[(&str, &str)] = &[
    ("master_keys", "SELECT max(md5(keys)) FROM master_keys"),
    ("app", "SELECT max(md5(secret) || name) FROM app"),
    (
        "authorizations",
        "SELECT max(md5(identity) || coalesce(md5(access), '') || coalesce(md5(refresh), '')) \
         FROM authorizations",
    ),
    ("account", "SELECT max(md5(name) || md5(tags)) FROM account"),
    ("pending_login", "SELECT max(md5(state_hash)) FROM pending_login"),
    ("audit", "SELECT max(md5(subject) || md5(coalesce(detail, ''))) FROM audit"),
    ("event", "SELECT max(md5(payload)) FROM event"),
];

/// What would lose rows one day although nothing looks wrong yet, and rows that point nowhere.
const ODDITIES: &str = "
SELECT 'the server''s setting ' || name || ' is off: a crash of its machine may lose or damage what was stored'
    FROM pg_catalog.pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'
UNION ALL
SELECT 'table ' || relname || ' is UNLOGGED: a crash of the server empties it'
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'sesame' AND relkind = 'r' AND relpersistence = 'u'
UNION ALL
SELECT 'index ' || relname || ' is not valid: run REINDEX INDEX sesame.' || relname
    FROM pg_catalog.pg_index JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'sesame' AND NOT indisvalid
UNION ALL
SELECT 'a row of table account names one of table authorizations that is not there' FROM account
    WHERE NOT EXISTS (SELECT 1 FROM authorizations
    WHERE authorizations.authorization_id = account.authorization_id)
UNION ALL
SELECT 'a row of table account names one of table app that is not there' FROM account
    WHERE NOT EXISTS (SELECT 1 FROM app WHERE app.app_id = account.app_id)
UNION ALL
SELECT 'a row of table authorizations names one of table app that is not there' FROM authorizations
    WHERE NOT EXISTS (SELECT 1 FROM app WHERE app.app_id = authorizations.app_id)
LIMIT 20";
