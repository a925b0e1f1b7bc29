//! The embedded store's file: opening, making, bringing up to date, and what its errors mean.

use std::{
    fs,
    io::{self, Write as _},
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
    pub(in crate::store) pool: SqlitePool,
    /// For claims of due rows alone: these do not wait for the disk. A lease that a power cut takes
    /// back has only not saved a call, and what is spent under it waits for its intent to be synced.
    pub(in crate::store) claims: SqlitePool,
    pub(in crate::store) path: PathBuf,
    access: Access,
}

/// How the file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Full,
    /// As it stands, without the files that SQLite keeps beside it: what a full disk leaves room for.
    Frozen,
}

impl SqliteStore {
    /// Opens the file, makes it if it is not there, brings an older one up to date.
    ///
    /// A new file gets mode 0600, a new directory 0700. Even readers need 32 KiB beside the file: on a
    /// full disk it is opened as it stands, for reading only, where all is in it (its log is empty).
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a file that is damaged, newer, of
    /// another program, or cannot be written. Nothing is changed then.
    pub async fn open(path: &Path) -> Result<Self> {
        prepare_file(path)?;
        let error = match Self::open_as(path, Access::Full).await {
            Err(error) if is_log_empty(path) && disk_is_full(path) => error,
            done => return done,
        };
        let store = Self::open_as(path, Access::Frozen).await.map_err(|_| error)?;
        tracing::warn!("the disk is full: the vault can be read, and not written");
        Ok(store)
    }

    async fn open_as(path: &Path, access: Access) -> Result<Self> {
        let frozen = access == Access::Frozen;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .immutable(frozen)
            .read_only(frozen)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .synchronous(SqliteSynchronous::Full)
            // A former ciphertext is not left in the free space of a page.
            .pragma("secure_delete", "ON")
            .thread_name(|number| format!("sesame-vault-{number}"));
        let claims = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(30))
            // As many rows as a claim has, without a wait in between; and the inner pages of the trees of a
            // million rows, which the usual 2 MB do not hold.
            .connect_lazy_with(
                options
                    .clone()
                    .synchronous(SqliteSynchronous::Normal)
                    .row_buffer_size(128)
                    .pragma("cache_size", "-16000"),
            );
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(30))
            // Where a write fails (a full disk), SQLite ends the transaction itself. sqlx then finds none
            // to roll back, takes it for open, and would refuse every later one on this connection.
            .after_release(|connection, _| {
                Box::pin(async move {
                    if connection.is_in_transaction() {
                        // A rollback may be on its way: the ping comes after it.
                        connection.ping().await?;
                    }
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options)
            .await
            .map_err(|error| describe(path, access, error))?;
        let store = Self { pool, claims, path: path.to_owned(), access };
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
                .with_hint("Set SESAME_VAULT or SESAME_HOME to another place. Nothing was changed."));
        }
        if version > current() {
            return Err(Error::local(format!(
                "the vault {path} was written by a newer Sesame (its schema is {version}, this program knows {})",
                current()
            ))
            .with_hint("Use the newer program. Nothing was changed."));
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
        describe(&self.path, self.access, error)
    }
}

/// Makes directory and file with modes that keep others out, before SQLite sees the path.
fn prepare_file(path: &Path) -> Result<()> {
    let failed = |what: &str, at: &Path, error: &io::Error| {
        Error::local(format!("{what} {} cannot be made: {error}", at.display()))
            .with_hint("Set SESAME_HOME (or SESAME_VAULT=sqlite:PATH) to a place that can be written, or mend its owner, mode or free space.")
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
            .with_hint("Name a file, such as vault.db in it."));
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

/// Tells whether SQLite's log beside the file holds nothing, so that the file alone is the vault.
fn is_log_empty(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).map_or(true, |log| log.len() == 0)
}

/// Tells whether the disk takes no more, by trying: SQLite's errors do not say why a write failed.
fn disk_is_full(path: &Path) -> bool {
    let probe = beside(path, ".probe");
    let tried =
        fs::OpenOptions::new().write(true).create(true).truncate(true).open(&probe).and_then(|mut file| {
            file.write_all(&vec![0xA5; PROBE])?;
            file.sync_all()
        });
    let _ = fs::remove_file(&probe);
    tried
        .is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// SQLITE_FULL.
const FULL: i64 = 13;
/// As much as SQLite needs beside a vault to read it and to write a row.
const PROBE: usize = 64 << 10;

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Why a file that is there cannot be read, if it cannot.
fn unreadable(path: &Path) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    if about.is_dir() {
        return Some("it is a directory".to_owned());
    }
    std::fs::File::open(path).err().map(|error| format!("the file itself: {error}"))
}

/// Says what went wrong with which file, and what to do.
fn describe(path: &Path, access: Access, error: sqlx::Error) -> Error {
    // SQLite's extended result codes (sqlite.org/rescode.html); the low byte is the primary one.
    let extended = match &error {
        sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i64>().ok()),
        _ => None,
    };
    let code = match extended {
        // SQLITE_IOERR_SHMSIZE: no room for the index of the log.
        Some(4_874) => Some(FULL),
        // The same codes stand for a full disk and for a broken one, or one that is not ours.
        Some(code) if matches!(code & 0xff, 10 | 14) && disk_is_full(path) => Some(FULL),
        // Opened for reading because of it.
        Some(code) if code & 0xff == 8 && access == Access::Frozen => Some(FULL),
        code => code.map(|code| code & 0xff),
    };
    let unreadable = code.filter(|code| *code == 14).and_then(|_| unreadable(path));
    let path = path.display();
    let (message, hint) = match code {
        Some(11 | 26) => (
            format!("the vault {path} is damaged, or no vault"),
            "Nothing was changed. Restore it from a backup; or move it away (with its -wal and -shm files), add the apps and log in again.",
        ),
        Some(FULL) => (
            format!("the disk is full: the vault {path} cannot be written"),
            "Free some space and repeat the command. What the vault held is unchanged.",
        ),
        Some(8) => (
            format!("the vault {path} cannot be written: the file or its directory is read-only"),
            "Mend the owner or mode of the file and its directory, or set SESAME_HOME to another place.",
        ),
        Some(14) if unreadable.is_some() => (
            format!("the vault {path} cannot be opened: {}", unreadable.unwrap_or_default()),
            "Mend the owner and mode of that file (0600), or set SESAME_HOME to another place.",
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
    let error = Error::local(message).with_hint(hint).with_source(error);
    match code {
        // Waiting helps against a lock and against a full disk, and against nothing else here.
        Some(5 | 6 | 10 | FULL) => error.with_retry(sesame_core::Retry::Backoff),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        AccountStore as _, EventStore as _, KeyRow, KeyState, KeyStore as _, Store as _, TokenStore as _,
        WorkStore as _,
    };

    /// What SQLite says, by its extended code.
    #[derive(Debug)]
    struct Said(&'static str);

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("disk I/O error")
        }
    }

    impl std::error::Error for Said {}

    impl sqlx::error::DatabaseError for Said {
        fn message(&self) -> &'static str {
            "disk I/O error"
        }
        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }
        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }
        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn extended_codes_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        let said = |code, access| describe(&path, access, sqlx::Error::Database(Box::new(Said(code))));
        for (code, access, words) in [
            ("13", Access::Full, "the disk is full"),
            ("4874", Access::Full, "the disk is full"),
            ("8", Access::Frozen, "the disk is full"),
            ("8", Access::Full, "read-only"),
            ("778", Access::Full, "reading or writing"),
            ("526", Access::Full, "cannot be opened"),
            ("267", Access::Full, "damaged"),
            ("261", Access::Full, "locked"),
        ] {
            let error = said(code, access);
            assert!(error.message().contains(words), "{code}: {error}");
            assert!(error.hint().is_some());
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "the probe is gone");
    }

    #[tokio::test]
    async fn a_frozen_vault_can_be_read_and_says_why_it_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        let key = KeyRow {
            key_id: vec![1],
            state: KeyState::Active,
            wrapped: None,
            kind: "file".into(),
            params: String::new(),
            check: vec![],
            created_at: 0,
        };
        let store = SqliteStore::open(&path).await.unwrap();
        assert!(store.add_key(&key, None).await.unwrap());
        store.pool.close().await;
        let store = SqliteStore::open_as(&path, Access::Frozen).await.unwrap();
        assert_eq!(store.keys().await.unwrap(), std::slice::from_ref(&key));
        let error = store.add_key(&KeyRow { key_id: vec![2], ..key }, None).await.unwrap_err();
        assert!(error.message().contains("the disk is full"), "{error}");
        assert!(!beside(&path, "-shm").exists() && !beside(&path, "-wal").exists());
    }

    /// What version 1 wrote for one shop.
    const ROWS_OF_VERSION_1: &str = "
        INSERT INTO master_key (key_id, active, kind, params, checked, created_at) VALUES (x'01', 1, 'file', '', x'02', 1);
        INSERT INTO app (app_id, name, platform, app_key, secret, redirect_uri, created_at)
            VALUES (zeroblob(16), 'lazada', 'lazada', '500100', x'03', 'http://127.0.0.1:4617/callback', 1);
        INSERT INTO authorizations (authorization_id, app_id, generation, access, refresh, issued_at, access_expires_at, identity)
            VALUES (zeroblob(16), zeroblob(16), 7, x'04', x'05', 1, 2, '{}');
        INSERT INTO account (account_id, name, app_id, authorization_id, created_at)
            VALUES (zeroblob(16), 'shop', zeroblob(16), zeroblob(16), 1);";

    /// A file as the first version left it.
    async fn version_1(path: &Path) {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;");
        for statements in ["PRAGMA journal_mode = WAL;", MIGRATIONS[0], ROWS_OF_VERSION_1, &marks] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        version_1(&path).await;
        // Several programs of the new version may be started at once.
        let (first, second) = tokio::join!(SqliteStore::open(&path), SqliteStore::open(&path));
        let (store, second) = (first.unwrap(), second.unwrap());
        second.close().await;
        let rows = store.accounts().await.unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.account.name.as_str(), row.account.tags.len()), ("shop", 0));
        let tokens = &row.authorization.tokens;
        assert_eq!(row.authorization.generation, 7);
        assert_eq!((tokens.access.as_deref(), tokens.refresh.as_deref()), (Some(&[4][..]), Some(&[5][..])));
        // Nobody has planned it: a keeper looks at it first thing.
        assert_eq!(tokens.due_at, Some(0));
        assert_eq!(store.keys().await.unwrap()[0].state, KeyState::Active);
        store.close().await;
        // And opened again it stays so.
        assert_eq!(SqliteStore::open(&path).await.unwrap().accounts().await.unwrap(), rows);
    }

    #[tokio::test]
    async fn a_migration_that_is_cut_off_leaves_the_older_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        version_1(&path).await;
        // In the way of the second migration: it fails in the middle.
        let mut connection =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
        sqlx::raw_sql("CREATE TABLE event (x)").execute(&mut connection).await.unwrap();
        SqliteStore::open(&path).await.unwrap_err();
        let version: i32 = sqlx::query("SELECT user_version FROM pragma_user_version")
            .fetch_one(&mut connection)
            .await
            .unwrap()
            .get(0);
        assert_eq!(version, 1);
        // Out of the way again, all is there.
        sqlx::raw_sql("DROP TABLE event").execute(&mut connection).await.unwrap();
        assert_eq!(SqliteStore::open(&path).await.unwrap().accounts().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_failed_is_not_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("vault.db")).await.unwrap();
        // What SQLite does by itself when a write fails for want of space.
        let mut transaction = store.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        for _ in 0..8 {
            store.note(&crate::store::Notes::default()).await.unwrap();
        }
    }

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
            state: KeyState::Active,
            wrapped: None,
            kind: "file".into(),
            params: "x".repeat(100_000),
            check: vec![],
            created_at: 0,
        };
        let error = store.add_key(&key, None).await.unwrap_err();
        assert!(
            error.message().contains("the disk is full") && error.message().contains("vault.db"),
            "{error:?}"
        );
        assert!(error.is_retryable() && error.hint().is_some());
        assert_eq!(store.keys().await.unwrap(), []);
    }

    #[tokio::test]
    async fn files_of_every_older_version_are_brought_up_to_date() {
        let home = tempfile::tempdir().unwrap();
        for version in 1..current() {
            let path = home.path().join(format!("{version}.db"));
            let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let before = &MIGRATIONS[..usize::try_from(version).unwrap()];
            let rows = "INSERT INTO app VALUES (zeroblob(16), 'app', 'lazada', NULL, 'k', x'00', 'u', NULL, 1);
                INSERT INTO authorizations (authorization_id, app_id, generation, issued_at, identity, exhausted, last_error_at)
                VALUES (zeroblob(16), zeroblob(16), 1, 1, '{}', 'ended', 5);
                INSERT INTO account VALUES (zeroblob(16), 'shop', zeroblob(16), zeroblob(16), NULL, NULL, NULL, NULL, 1);";
            // The rows are of the first version.
            let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}");
            let all = [&before[..1], &[rows], &before[1..], &[&marks]].concat().join(";");
            sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();

            let store = SqliteStore::open(&path).await.unwrap();
            let given_up = store.given_up(9).await.unwrap();
            assert_eq!((given_up.names, given_up.count), (vec!["shop".to_owned()], 1), "{version}");
            assert_eq!(store.take_back(4).await.unwrap(), 1);
            assert_eq!(store.next_due(9).await.unwrap(), Some(0));
            let now = sqlx::query("PRAGMA user_version").fetch_one(&store.pool).await.unwrap();
            assert_eq!(now.get::<i32, _>(0), current());
            store.close().await;
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_from_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        assert_eq!(unreadable(&path), None, "it is not there");
        std::fs::create_dir(&path).unwrap();
        assert!(unreadable(&path).unwrap().contains("directory"));
        let error = sqlx::Error::Database(Box::new(Said("14")));
        let said = describe(&path, Access::Full, error);
        assert!(said.message().ends_with("vault.db cannot be opened: it is a directory"), "{said}");
    }
}
