use super::*;
use crate::{
    Location,
    store::{EventStore as _, KeyKind, KeyRow, KeyState, KeyStore as _, SqlStore, Store as _},
};

async fn open(path: &Path) -> Result<SqlStore> {
    SqlStore::open(&Location::Sqlite(path.to_owned())).await
}

fn key(params: String) -> KeyRow {
    KeyRow {
        key_id: [1; 8],
        state: KeyState::Active,
        wrapped: None,
        kind: KeyKind::File,
        params,
        check: vec![],
        created_at: 0,
    }
}

#[tokio::test]
async fn a_frozen_vault_can_be_read_and_says_why_it_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault.db");
    let keys = [key(String::new())];
    let store = open(&path).await.unwrap();
    assert!(store.set_keys(&[], &keys).await.unwrap());
    store.close().await;
    let store = SqlStore::over(SqliteBackend::open_frozen(&path).await.unwrap());
    assert_eq!(store.keys().await.unwrap(), keys);
    let error = store.set_keys(&keys, &[key("new".into())]).await.unwrap_err();
    assert!(error.message().contains("the disk is full"), "{error}");
    assert!(!beside(&path, "-shm").exists() && !beside(&path, "-wal").exists());
}

#[tokio::test]
async fn a_file_that_holds_no_vault_yet_is_not_opened_frozen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault.db");
    fs::File::create(&path).unwrap();
    assert!(SqliteBackend::open_frozen(&path).await.is_err());
}

#[tokio::test]
async fn a_connection_whose_transaction_failed_is_not_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let backend = SqliteBackend::open(&directory.path().join("vault.db")).await.unwrap();
    // What SQLite does by itself when a write fails for want of space.
    let mut transaction = backend.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    let store = SqlStore::over(backend);
    for _ in 0..8 {
        store.note(&crate::store::Notes::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault.db");
    let backend = SqliteBackend::open(&path).await.unwrap();
    // SQLite's own limit of pages fails with the very code of a full disk. It holds for one
    // connection, so all that the pool may open get it.
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut connection = backend.pool.acquire().await.unwrap();
        sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&mut *connection).await.unwrap();
        all.push(connection);
    }
    drop(all);
    let store = SqlStore::over(backend);
    let error = store.set_keys(&[], &[key("x".repeat(100_000))]).await.unwrap_err();
    assert!(
        error.message().contains("the disk is full") && error.message().contains("vault.db"),
        "{error:?}"
    );
    assert!(error.is_retryable() && error.hint().is_some());
    assert_eq!(store.keys().await.unwrap(), []);
}
