//! The embedded store's file: opening, making, bringing up to date, and what its errors mean.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sesame_core::{Error, Result};
use sqlx::{
    Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use super::schema::{APPLICATION_ID, MIGRATIONS, current};

/// A vault in a file of SQLite.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) pool: SqlitePool,
    pub(super) path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, makes it if it is not there, brings an older one up to date.
    ///
    /// A new file gets mode 0600, a new directory 0700.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a file that is damaged, newer, of
    /// another program, or cannot be written. Nothing is changed then.
    pub async fn open(path: &Path) -> Result<Self> {
        prepare_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .synchronous(SqliteSynchronous::Full)
            .thread_name(|number| format!("sesame-vault-{number}"));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(options)
            .await
            .map_err(|error| describe(path, error))?;
        let store = Self { pool, path: path.to_owned() };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<()> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.failed(error))?;
        // Version, whose file, and whether anything is in it, in one statement.
        let about = sqlx::query(
            "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema) AS tables \
             FROM pragma_user_version, pragma_application_id",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| self.failed(error))?;
        let (version, owner, tables): (i32, i32, i64) = (
            about.try_get(0).map_err(|error| self.failed(error))?,
            about.try_get(1).map_err(|error| self.failed(error))?,
            about.try_get(2).map_err(|error| self.failed(error))?,
        );
        let path = self.path.display();
        if owner == APPLICATION_ID && version == current() {
            return Ok(());
        }
        if owner != APPLICATION_ID && (tables > 0 || version != 0) {
            return Err(Error::local(format!("{path} is a SQLite file of another program, not a vault"))
                .hint("Set SESAME_VAULT or SESAME_HOME to another place. Nothing was changed."));
        }
        if version > current() {
            return Err(Error::local(format!(
                "the vault {path} was written by a newer Sesame (its schema is {version}, this program knows {})",
                current()
            ))
            .hint("Use the newer program. Nothing was changed."));
        }
        self.upgrade(&mut connection).await.map_err(|error| self.failed(error))
    }

    async fn upgrade(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        // The mode is written into the file once; every later connection finds it there.
        sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        // Read again under the lock: another process may have done the work meanwhile.
        let version: i32 = sqlx::query("SELECT user_version FROM pragma_user_version")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        let done = usize::try_from(version).unwrap_or(usize::MAX);
        for migration in MIGRATIONS.iter().skip(done) {
            sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        }
        if done < MIGRATIONS.len() {
            let marks =
                format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", current());
            sqlx::raw_sql(sqlx::AssertSqlSafe(marks)).execute(&mut *transaction).await?;
            tracing::debug!(from = version, to = current(), "vault schema brought up to date");
        }
        transaction.commit().await
    }

    pub(super) fn failed(&self, error: sqlx::Error) -> Error {
        describe(&self.path, error)
    }
}

/// Makes directory and file with modes that keep others out, before SQLite sees the path.
fn prepare_file(path: &Path) -> Result<()> {
    let failed = |what: &str, at: &Path, error: &io::Error| {
        Error::local(format!("{what} {} cannot be made: {error}", at.display()))
            .hint("Set SESAME_HOME (or SESAME_VAULT=sqlite:PATH) to a place that can be written, or mend its owner, mode or free space.")
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder.create(parent).map_err(|error| failed("the vault's directory", parent, &error))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(path),
        Err(error) => Err(failed("the vault", path, &error)),
    }
}

/// Takes the rights of others away from a file that has them, e.g. one restored from a backup.
fn tighten(path: &Path) -> Result<()> {
    let about = fs::metadata(path)
        .map_err(|error| Error::local(format!("the vault {} cannot be read: {error}", path.display())))?;
    if about.is_dir() {
        return Err(Error::usage(format!("the vault {} is a directory", path.display()))
            .hint("Name a file, such as vault.db in it."));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = about.permissions().mode();
        if mode & 0o077 != 0 {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700));
        }
    }
    Ok(())
}

/// Says what went wrong with which file, and what to do.
fn describe(path: &Path, error: sqlx::Error) -> Error {
    let path = path.display();
    // SQLite's primary result codes (sqlite.org/rescode.html), the low byte of the extended ones.
    let code = match &error {
        sqlx::Error::Database(database) => {
            database.code().and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff)
        }
        _ => None,
    };
    let (message, hint) = match code {
        Some(11 | 26) => (
            format!("the vault {path} is damaged, or no vault"),
            "Nothing was changed. Restore it from a backup; or move it away (with its -wal and -shm files), add the apps and log in again.",
        ),
        Some(13) => (
            format!("the disk is full: the vault {path} cannot be written"),
            "Free some space and repeat the command. What the vault held is unchanged.",
        ),
        Some(8) => (
            format!("the vault {path} cannot be written: the file or its directory is read-only"),
            "Mend the owner or mode of the file and its directory, or set SESAME_HOME to another place.",
        ),
        Some(14) => (
            format!("the vault {path} cannot be opened: its directory is missing, read-only or not yours"),
            "SQLite also writes beside the file. Mend the directory's owner and mode, or set SESAME_HOME to another place.",
        ),
        Some(5 | 6) => (
            format!("the vault {path} is locked by another program for more than 5 seconds"),
            "End the other program (a backup, a database browser), then repeat the command.",
        ),
        Some(10) => (
            format!("reading or writing the vault {path} failed: {error}"),
            "Look at the disk and the system's log. What was committed before is unchanged.",
        ),
        _ => (
            format!("the vault {path} failed: {error}"),
            "Nothing else was changed. Repeat the command; if it stays, report it.",
        ),
    };
    let error = Error::local(message).hint(hint).caused_by(error);
    match code {
        // Waiting helps against a lock and against a full disk, and against nothing else here.
        Some(5 | 6 | 10 | 13) => error.retry_when(sesame_core::Retry::Backoff),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{KeyRow, TokenStore as _};

    #[tokio::test]
    async fn a_full_disk_is_named_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        let store = SqliteStore::open(&path).await.unwrap();
        // SQLite's own limit of pages fails with the very code of a full disk. It holds for one
        // connection, so all that the pool may open get it.
        let mut all = Vec::new();
        for _ in 0..4 {
            let mut connection = store.pool.acquire().await.unwrap();
            sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&mut *connection).await.unwrap();
            all.push(connection);
        }
        drop(all);
        let key = KeyRow {
            key_id: vec![1],
            kind: "file".into(),
            params: "x".repeat(100_000),
            check: vec![],
            created_at: 0,
        };
        let error = store.add_key(key).await.unwrap_err();
        assert!(
            error.message().contains("the disk is full") && error.message().contains("vault.db"),
            "{error:?}"
        );
        assert!(error.is_retryable() && error.hint_text().is_some());
        assert_eq!(store.key().await.unwrap(), None);
    }
}
