//! Which database the homes of a test keep their vaults in.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    Sqlite,
    Postgres,
}

tokio::task_local! {
    static STORAGE: Storage;
}

/// Runs a test whose homes keep their vaults in this database.
pub async fn with_storage(storage: Storage, test: impl Future<Output = ()>) {
    STORAGE.scope(storage, test).await;
}

/// Returns the database of the test that is running; SQLite where it did not say.
pub(super) fn current() -> Storage {
    STORAGE.try_with(|storage| *storage).unwrap_or(Storage::Sqlite)
}
