//! A vault in a file of SQLite, or in memory.

mod failures;
mod log;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sesame_core::{Error, Result};
use sqlx::{
    AssertSqlSafe, Connection as _, Row as _, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    schema::{self, VERSION},
    sql::connection::Connection,
};
use crate::ownership::{beside, make_private_directory, new_private_file};
use failures::{describe, disk_is_full, is_log_empty};

/// Marks a SQLite file as a vault: "SESM".
const APPLICATION_ID: i64 = 0x5345_534D;

/// The connections to a file of SQLite.
pub(super) struct SqliteBackend {
    pool: SqlitePool,
    /// For claims of due rows alone: these do not wait for the disk. A lease that a power cut takes
    /// back has only not saved a call, and what is spent under it waits for its intent to be synced.
    claims: SqlitePool,
    /// `None` for a vault in memory.
    path: Option<PathBuf>,
    access: Access,
    /// What was wrong with the log when it was opened.
    damage: Option<String>,
}

/// How the file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Full,
    /// As it stands, without the files that SQLite keeps beside it: what a full disk leaves room for.
    Frozen,
}

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    version: i64,
    application: i64,
    tables: i64,
}

impl SqliteBackend {
    /// Opens the file, makes it if it is not there.
    ///
    /// Even readers need 32 KiB beside the file: on a full disk it is opened as it stands, for reading
    /// only, where all is in it (its log is empty).
    pub(super) async fn open(path: &Path) -> Result<Self> {
        prepare_file(path)?;
        let damage = check_log(path)?;
        let error = match Self::open_in_full(path).await {
            Err(error) if is_log_empty(path) && disk_is_full(path) => error,
            done => return Ok(Self { damage, ..done? }),
        };
        let store = Self::open_frozen(path).await.map_err(|_| error)?;
        tracing::warn!("the disk is full: the vault can be read, and not written");
        Ok(store)
    }

    async fn open_in_full(path: &Path) -> Result<Self> {
        if !is_current(path) {
            // By a connection that cannot write: what is refused stays as it is, byte for byte.
            let options = SqliteConnectOptions::new().filename(path).read_only(true);
            let marks = async {
                let mut connection = SqliteConnection::connect_with(&options).await?;
                let marks = read_marks(&mut connection).await;
                connection.close().await?;
                marks
            };
            let marks = marks.await.map_err(|error| describe(path, Access::Full, error))?;
            check_marks(path, marks)?;
        }
        let store = Self::connect_to(path, Access::Full).await?;
        if !is_current(path) {
            store.make().await.map_err(|error| store.describe(error))?;
        }
        Ok(store)
    }

    /// Opens a vault that is there for reading only.
    async fn open_frozen(path: &Path) -> Result<Self> {
        let store = Self::connect_to(path, Access::Frozen).await?;
        let marks = async { read_marks(&mut *store.pool.acquire().await?).await };
        let marks = marks.await.map_err(|error| store.describe(error))?;
        check_marks(path, marks)?;
        if marks.tables == 0 {
            return Err(Error::local(format!("there is no vault in {}", path.display())));
        }
        Ok(store)
    }

    async fn connect_to(path: &Path, access: Access) -> Result<Self> {
        let frozen = access == Access::Frozen;
        let options = options().filename(path).immutable(frozen).read_only(frozen);
        // As many rows as a claim has, without a wait in between; and the inner pages of the trees of a
        // million rows, which the usual 2 MB do not hold.
        let unsynced = options.clone().synchronous(SqliteSynchronous::Normal).row_buffer_size(128);
        let claims = pool(1).connect_lazy_with(unsynced.pragma("cache_size", "-16000"));
        let pool = pool(4).connect_with(options).await.map_err(|error| describe(path, access, error))?;
        Ok(Self { pool, claims, path: Some(path.to_owned()), access, damage: None })
    }

    pub(super) async fn in_memory() -> Result<Self> {
        // One connection: what is in memory belongs to it.
        let pool = pool(1).connect_lazy_with(options().in_memory(true));
        let store = Self { claims: pool.clone(), pool, path: None, access: Access::Full, damage: None };
        store.make().await.map_err(|error| store.describe(error))?;
        Ok(store)
    }

    pub(super) const fn is_durable(&self) -> bool {
        self.path.is_some()
    }

    pub(super) fn place(&self) -> String {
        self.path.as_ref().map_or_else(|| "in memory".to_owned(), |path| path.display().to_string())
    }

    pub(super) async fn connect(&self) -> sqlx::Result<Connection> {
        self.pool.acquire().await.map(Connection::Sqlite)
    }

    pub(super) async fn begin(&self) -> sqlx::Result<Connection> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map(Connection::SqliteTransaction)
    }

    pub(super) async fn begin_unsynced(&self) -> sqlx::Result<Connection> {
        self.claims.acquire().await.map(Connection::Sqlite)
    }

    pub(super) async fn close(&self) {
        self.claims.close().await;
        self.pool.close().await;
    }

    pub(super) fn describe(&self, error: sqlx::Error) -> Error {
        describe(self.path.as_deref().unwrap_or(Path::new("in memory")), self.access, error)
    }

    /// Makes the tables, unless another process did so meanwhile.
    async fn make(&self) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        // The mode is written into the file once; every later connection finds it there.
        sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        if read_marks(&mut transaction).await?.version == 0 {
            let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};");
            let all = AssertSqlSafe(schema::for_sqlite() + &marks);
            sqlx::raw_sql(all).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn find_damage(&self) -> sqlx::Result<Vec<String>> {
        let mut connection: PoolConnection<sqlx::Sqlite> = self.pool.acquire().await?;
        let mut found: Vec<String> = self.damage.clone().into_iter().collect();
        for row in sqlx::query("PRAGMA integrity_check(20)").fetch_all(&mut *connection).await? {
            let text: String = row.try_get(0)?;
            if text != "ok" {
                found.push(text);
            }
        }
        for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *connection).await? {
            let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            found.push(format!("a row of table {table} names one of table {parent} that is not there"));
        }
        Ok(found)
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .synchronous(SqliteSynchronous::Full)
        // A former ciphertext is not left in the free space of a page.
        .pragma("secure_delete", "ON")
        .thread_name(|number| format!("sesame-vault-{number}"))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
        // Where a write fails (a full disk), SQLite ends the transaction itself. sqlx then finds none to
        // roll back, takes it for open, and would refuse every later one on this connection.
        .after_release(|connection, _| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    // A rollback may be on its way: the ping comes after it.
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        })
}

/// Version, whose file, and whether anything is in it, in one statement.
async fn read_marks(connection: &mut SqliteConnection) -> sqlx::Result<Marks> {
    let row = sqlx::query(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema) AS tables \
         FROM pragma_user_version, pragma_application_id",
    )
    .fetch_one(connection)
    .await?;
    Ok(Marks { version: row.try_get(0)?, application: row.try_get(1)?, tables: row.try_get(2)? })
}

/// Returns `true` if the head of the file says that it is a vault of this version.
///
/// The offsets are those of the [database header](https://sqlite.org/fileformat.html#the_database_header).
fn is_current(path: &Path) -> bool {
    let mut head = [0; 100];
    let read = fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
    let number = |at: usize| {
        let bytes = head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        i64::from(u32::from_be_bytes(bytes))
    };
    read.is_ok() && number(60) == VERSION && number(68) == APPLICATION_ID
}

/// Refuses a log whose damage would take back what was stored. Returns what is wrong with its last change.
fn check_log(path: &Path) -> Result<Option<String>> {
    let log = beside(path, "-wal");
    match log::examine(path) {
        Ok(log::LogState::Whole) => Ok(None),
        Ok(log::LogState::LastChangeDamaged) => {
            let why = format!(
                "the last change in {} is damaged, or the power was cut while it was written; it is dropped",
                log.display()
            );
            tracing::warn!("{why}");
            Ok(Some(why))
        }
        Ok(log::LogState::Damaged) => Err(Error::local(format!(
            "{} is damaged: SQLite would drop what was stored after that place, new tokens among it",
            log.display()
        ))
        .with_hint(format!(
            "Restore it together with {0} from a backup. To go on with what was stored before the damage, let another SQLite \
             program open the vault once: sqlite3 {0} 'SELECT count(*) FROM app'. Shops whose newest tokens are lost have to be \
             authorized again. Nothing was changed.",
            path.display()
        ))),
        Err(error) => Err(Error::local(format!("{} cannot be read: {error}", log.display()))
            .with_hint("It belongs to the vault. Check its owner and mode.")),
    }
}

/// Refuses a file of another version or program.
fn check_marks(path: &Path, marks: Marks) -> Result<()> {
    let path = path.display();
    let Marks { version, application, tables } = marks;
    if application != APPLICATION_ID {
        if tables == 0 && version == 0 {
            return Ok(());
        }
        return Err(Error::local(format!("{path} is a SQLite file of another program, not a vault"))
            .with_hint("Set SESAME_VAULT or SESAME_HOME to another place. Nothing was changed."));
    }
    schema::check_version(path, version, "Move the file away (with its -wal and -shm files)")
}

/// Makes directory and file with modes that keep others out, before SQLite sees the path.
fn prepare_file(path: &Path) -> Result<()> {
    let failed = |what: &str, at: &Path, error: &io::Error| {
        Error::local(format!("{what} {} cannot be made: {error}", at.display()))
            .with_hint("Set SESAME_HOME (or SESAME_VAULT=sqlite:PATH) to a place that can be written, or fix its owner, mode or free space.")
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        make_private_directory(parent).map_err(|error| failed("the vault's directory", parent, &error))?;
    }
    match new_private_file().open(path) {
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

#[cfg(test)]
mod tests;
