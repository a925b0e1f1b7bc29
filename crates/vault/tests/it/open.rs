//! Opening: what a vault is made of, and everything that can be wrong with it.

use std::{fs, path::Path};

use crate::support::{FakeTransport, Home, IopService, Policy, SECRET, app, as_name, log_in};
use sesame_core::{AccessToken, AppSecret, ErrorKind, Result};
use sesame_vault::{
    AccountState, App, ImportedTokens, KeyChoice, KeyKind, Location, LoginOptions, NewApp, Vault,
    VaultOptions,
};
use sqlx::{Connection as _, SqliteConnection};

fn home() -> Home {
    Home::new(FakeTransport::json("{}"))
}

async fn sql(path: &Path, statement: &'static str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Opens and expects a refusal that names the file, says what to do and changes nothing.
async fn refused(options: VaultOptions, path: &Path) -> sesame_core::Error {
    let before = fs::read(path).ok();
    let error = Vault::open(options).await.expect_err("it must not open");
    assert!(error.hint().is_some(), "{error:?}");
    assert!(fs::read(path).ok() == before, "the file was changed");
    error
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    let vault = home.open().await;
    app(&vault, "alibaba").await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path().parent().unwrap()), 0o700);
    for entry in fs::read_dir(home.path().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    vault.close().await;
    // A copy from a backup is made private again, and an open key file is pointed out.
    let key = home.path().with_file_name("vault.db.key");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let vault = home.open().await;
    assert_eq!(mode(&home.path()), 0o600);
    assert!(vault.take_warnings()[0].text.contains("chmod 600"));
}

#[tokio::test]
async fn the_key_file_is_spoken_of_once() {
    let home = home();
    let vault = home.open().await;
    assert_eq!(vault.key_kind(), KeyKind::File);
    let notices = vault.take_warnings();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].text.contains("vault.db.key"));
    assert!(vault.take_warnings().is_empty());
    assert!(home.open().await.take_warnings().is_empty());
}

#[tokio::test]
async fn a_newer_file_is_left_alone() {
    let home = home();
    drop(home.open().await);
    sql(&home.path(), "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE);").await;
    let error = refused(home.options(), &home.path()).await;
    assert!(error.message().contains("newer Sesame") && error.message().contains("99"), "{error}");
}

/// What the versions before the first release wrote: their marks, and a row.
#[tokio::test]
async fn a_file_of_before_the_first_release_is_refused_and_left_alone() {
    for (version, statement) in [
        (1, "PRAGMA user_version = 1"),
        (2, "PRAGMA user_version = 2"),
        (3, "PRAGMA user_version = 3"),
        (4, "PRAGMA user_version = 4"),
    ] {
        let home = home();
        fs::create_dir_all(home.path().parent().unwrap()).unwrap();
        fs::File::create(home.path()).unwrap();
        sql(
            &home.path(),
            "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x5345534D;
             CREATE TABLE authorisation (authorisation_id BLOB NOT NULL PRIMARY KEY, access BLOB) STRICT;
             INSERT INTO authorisation VALUES (x'01', x'02');",
        )
        .await;
        sql(&home.path(), statement).await;
        let error = refused(home.options(), &home.path()).await;
        assert!(error.message().contains(&format!("its schema is {version}")), "{error}");
        assert!(error.message().contains("before its first release"), "{error}");
        assert!(error.hint().unwrap().contains("Move the file away"));
    }
}

/// A program of before the first release has it open, and what it wrote is in its log alone.
#[tokio::test]
async fn an_older_file_whose_log_is_in_use_is_left_alone() {
    let home = home();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    fs::File::create(home.path()).unwrap();
    let address = format!("sqlite:{}", home.path().display());
    let mut older = SqliteConnection::connect(&address).await.unwrap();
    sqlx::raw_sql(
        "PRAGMA journal_mode = WAL; CREATE TABLE authorisation (x); PRAGMA application_id = 0x5345534D;
         PRAGMA user_version = 4;",
    )
    .execute(&mut older)
    .await
    .unwrap();
    let log = home.path().with_file_name("vault.db-wal");
    let before = fs::read(&log).unwrap();
    let error = refused(home.options(), &home.path()).await;
    assert!(error.message().contains("its schema is 4"), "{error}");
    assert!(fs::read(&log).unwrap() == before, "the log was changed");
}

#[tokio::test]
async fn a_file_of_another_program_is_left_alone() {
    let home = home();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    fs::File::create(home.path()).unwrap();
    sql(&home.path(), "CREATE TABLE theirs (x);").await;
    let error = refused(home.options(), &home.path()).await;
    assert!(error.message().contains("another program"), "{error}");
    // Not even its journal mode was changed.
    assert!(!home.path().with_file_name("vault.db-wal").exists());
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let home = home();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    fs::write(home.path(), b"this is no database, however long one looks at it ".repeat(100)).unwrap();
    let error = refused(home.options(), &home.path()).await;
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.message().contains("vault.db") && error.message().contains("damaged"), "{error}");
    assert!(error.hint().unwrap().contains("backup"));
}

#[tokio::test]
async fn a_page_of_noise_is_an_error_and_no_panic() {
    let home = home();
    let vault = home.open().await;
    app(&vault, "alibaba").await;
    vault.close().await;
    sql(&home.path(), "PRAGMA wal_checkpoint(TRUNCATE);").await;
    let whole = fs::read(home.path()).unwrap();
    for page in 1..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096..(page + 1) * 4_096].fill(0xA5);
        fs::write(home.path(), &bytes).unwrap();
        let outcome: Result<Vec<App>> = async {
            let vault = Vault::open(home.options()).await?;
            vault.accounts().await?;
            vault.apps().await
        }
        .await;
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Local, "page {page}: {error:?}");
        }
    }
}

#[tokio::test]
async fn places_that_cannot_be_written_are_named() {
    let home = home();
    let file = home.directory.path().join("a-file");
    fs::write(&file, b"x").unwrap();
    for path in [file.join("vault.db"), Path::new("/proc/sesame/vault.db").to_owned()] {
        let options = home.options().location(Location::Sqlite(path.clone()));
        let error = Vault::open(options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(error.hint().unwrap().contains("SESAME_HOME"), "{error:?}");
    }
    let options = home.options().location(Location::Sqlite(home.directory.path().to_owned()));
    assert!(Vault::open(options).await.unwrap_err().message().contains("is a directory"));
}

fn new(platform: &str) -> NewApp {
    NewApp::new(platform, "500100", AppSecret::new(SECRET))
}

#[tokio::test]
async fn a_wrong_or_missing_key_opens_nothing_and_destroys_nothing() {
    let home = home();
    let vault = home.open().await;
    app(&vault, "alibaba").await;
    vault.close().await;
    sql(&home.path(), "PRAGMA wal_checkpoint(TRUNCATE);").await;
    let key = home.path().with_file_name("vault.db.key");
    let right = fs::read(&key).unwrap();

    fs::write(&key, "bm90IHRoZSBrZXkgYnV0IG9mIHRoZSByaWdodCBsZW4=\n").unwrap();
    let error = refused(home.options(), &home.path()).await;
    assert!(error.message().contains("is not the master key"), "{error}");
    fs::write(&key, "nonsense\n").unwrap();
    assert!(refused(home.options(), &home.path()).await.message().contains("holds no key"));
    fs::remove_file(&key).unwrap();
    let error = refused(home.options(), &home.path()).await;
    assert!(error.message().contains("is missing"), "{error}");
    assert!(!key.exists(), "no new key is made for an old vault");
    let passphrase = home.options().key(KeyChoice::Passphrase(AppSecret::new("x")));
    assert_eq!(refused(passphrase, &home.path()).await.kind(), ErrorKind::Usage);

    fs::write(&key, right).unwrap();
    assert_eq!(home.open().await.apps().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_passphrase_is_asked_for_again_and_checked() {
    let home = home();
    let with = |text: &str| home.options().key(KeyChoice::Passphrase(AppSecret::new(text)));
    assert!(Vault::open(with("")).await.is_err());
    let vault = Vault::open(with("correct horse battery staple")).await.unwrap();
    assert_eq!(vault.key_kind(), KeyKind::Passphrase);
    app(&vault, "alibaba").await;
    vault.close().await;
    sql(&home.path(), "PRAGMA wal_checkpoint(TRUNCATE);").await;
    let error = refused(with("incorrect horse battery staple"), &home.path()).await;
    assert!(error.message().contains("passphrase") && !error.message().contains("horse"), "{error}");
    let error = refused(home.options().key(KeyChoice::Auto), &home.path()).await;
    assert!(error.hint().unwrap().contains("SESAME_PASSPHRASE"));
    let vault = Vault::open(with("correct horse battery staple")).await.unwrap();
    assert!(vault.begin_login("alibaba", LoginOptions::default()).await.is_ok());
    assert!(!home.path().with_file_name("vault.db.key").exists());
}

#[tokio::test]
async fn a_key_from_the_environment_in_base64_or_hex() {
    let home = home();
    let with = |text: &str| home.options().key(KeyChoice::Environment(AppSecret::new(text)));
    for wrong in ["", "short", &"0".repeat(63), "bm90IHRoZSBrZXkgYnV0IG9mIHRoZSByaWdodCBsZW4"] {
        if wrong.len() < 43 || wrong.len() == 63 {
            let error = Vault::open(with(wrong)).await.unwrap_err();
            assert!(error.message().contains("SESAME_MASTER_KEY"), "{error}");
        }
    }
    let vault = Vault::open(with("bm90IHRoZSBrZXkgYnV0IG9mIHRoZSByaWdodCBsZW4=")).await.unwrap();
    app(&vault, "alibaba").await;
    vault.close().await;
    // The same 32 bytes in hex, and in base64 without padding.
    let hex = hex::encode("not the key but of the right len");
    for same in [hex.as_str(), "bm90IHRoZSBrZXkgYnV0IG9mIHRoZSByaWdodCBsZW4"] {
        assert_eq!(Vault::open(with(same)).await.unwrap().apps().await.unwrap().len(), 1);
    }
    sql(&home.path(), "PRAGMA wal_checkpoint(TRUNCATE);").await;
    assert!(refused(with(&"ab".repeat(32)), &home.path()).await.message().contains("is not the master key"));
    let error = refused(home.options().key(KeyChoice::Auto), &home.path()).await;
    assert!(error.message().contains("SESAME_MASTER_KEY"), "{error}");
}

#[tokio::test]
async fn no_keyring_means_a_key_file() {
    // Without a session bus nobody is asked. `./dev test` names one that does not exist.
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default();
    if !bus.is_empty() && bus != "unix:path=/nonexistent" {
        return;
    }
    let home = home();
    let vault = Vault::open(home.options().key(KeyChoice::Auto)).await.unwrap();
    assert_eq!(vault.key_kind(), KeyKind::File);
    let other = self::home();
    let error = Vault::open(other.options().key(KeyChoice::Keyring)).await.unwrap_err();
    assert!(error.message().contains("keyring"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_make_the_vault_at_once() {
    let home = home();
    let opening: Vec<_> = (0..12).map(|_| tokio::spawn(Vault::open(home.options()))).collect();
    for (number, task) in opening.into_iter().enumerate() {
        let vault = task.await.unwrap().unwrap();
        vault.add_app(new("alibaba").name(format!("app-{number}"))).await.unwrap();
    }
    let vault = home.open().await;
    for app in vault.apps().await.unwrap() {
        vault.begin_login(&app.name, LoginOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn names_are_chosen_checked_and_never_doubled() {
    let home = home();
    let vault = home.open().await;
    for expected in ["alibaba", "alibaba-2", "alibaba-3"] {
        assert_eq!(app(&vault, "alibaba").await.name, expected);
    }
    let again = new("lazada").name("alibaba-2");
    assert!(vault.add_app(again).await.unwrap_err().message().contains("already an app"));
    assert_eq!(vault.add_app(new("alibabaa")).await.unwrap_err().kind(), ErrorKind::Usage);
    let nowhere = new("lazada").region("atlantis");
    assert_eq!(vault.add_app(nowhere).await.unwrap_err().kind(), ErrorKind::Usage);
    let error = vault.app("alibab").await.unwrap_err();
    assert!(
        error.hint().unwrap().starts_with("Did you mean alibaba? There are: alibaba, alibaba-2"),
        "{error:?}"
    );
    assert!(vault.account("nobody").await.unwrap_err().hint().unwrap().contains("sesame login"));
}

#[tokio::test]
async fn sandbox_and_real_accounts_never_cross() {
    let mut home = home();
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let real = home.open().await;
    app(&real, "lazada").await;
    log_in(&real, "lazada", as_name("real")).await.unwrap();
    let sandboxed = Vault::open(home.sandboxed()).await.unwrap();
    let mock = app(&sandboxed, "lazada").await;
    assert!(mock.sandbox && mock.name == "lazada-2");
    let accounts = log_in(&sandboxed, "lazada-2", as_name("mock")).await.unwrap();
    assert!(accounts[0].sandbox);
    assert!(home.transport.seen().last().unwrap().url.starts_with("http://127.0.0.1:4600/rest/"));
    let calls = home.transport.count();
    for (vault, app_name, account, word) in
        [(&real, "lazada-2", "mock", "sandbox"), (&sandboxed, "lazada", "real", "real platform")]
    {
        let tokens = ImportedTokens::default().access(AccessToken::new("access"));
        for error in [
            vault.begin_login(app_name, LoginOptions::default()).await.unwrap_err(),
            vault.handle(account).await.unwrap_err(),
            vault.refresh(account).await.unwrap_err(),
            vault.import_tokens(app_name, tokens).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(
                error.message().contains(word) && error.hint().unwrap().contains("SESAME_ENDPOINT"),
                "{error:?}"
            );
        }
        // Looking at them is allowed.
        assert_eq!(vault.account(account).await.unwrap().state, AccountState::Healthy);
    }
    assert_eq!(home.transport.count(), calls);
    assert!(sandboxed.handle("mock").await.unwrap().is_sandbox());
}

#[tokio::test]
async fn accounts_can_be_renamed_and_removed() {
    let mut home = home();
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("a")).await.unwrap();
    vault.handle("a").await.unwrap();
    assert_eq!(vault.rename_account("a", "b").await.unwrap().name, "b");
    assert!(vault.handle("a").await.is_err());
    assert!(vault.handle("b").await.is_ok());
    assert!(vault.rename_account("b", "-x").await.is_err());
    vault.remove_account("b").await.unwrap();
    assert!(vault.handle("b").await.is_err());
    assert!(vault.accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_vault_that_lost_its_content_is_not_taken_for_a_new_one() {
    let home = home();
    let vault = home.open().await;
    app(&vault, "alibaba").await;
    vault.close().await;
    fs::write(home.path(), b"").unwrap();
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(home.path().with_file_name(format!("vault.db{ending}")));
    }
    let key = fs::read(home.path().with_file_name("vault.db.key")).unwrap();
    let error = refused(home.options(), &home.path()).await;
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.message().contains("lost its content"), "{error}");
    assert!(error.hint().unwrap().contains("backup"));
    assert_eq!(fs::read(home.path().with_file_name("vault.db.key")).unwrap(), key);
    // Moved away on purpose: a new vault is made, with the key that is there.
    fs::remove_file(home.path()).unwrap();
    assert!(home.open().await.apps().await.unwrap().is_empty());
}

#[tokio::test]
async fn absurd_times_in_a_damaged_vault_are_no_panic() {
    for times in [
        "issued_at = -9223372036854775808, access_expires_at = 9223372036854775807",
        "issued_at = 9223372036854775807, access_expires_at = -9223372036854775808",
        "lease_until = 9223372036854775807, lease_owner = 'x', not_before = 9223372036854775807",
        "last_success = -9223372036854775808, refresh_expires_at = -9223372036854775808, attempts = 9223372036854775807",
    ] {
        let mut home = home();
        home.transport = IopService::new(Policy::Lives, &home.clock).transport();
        let vault = home.open().await;
        app(&vault, "lazada").await;
        log_in(&vault, "lazada", as_name("shop")).await.unwrap();
        vault.close().await;
        sql(&home.path(), Box::leak(format!("UPDATE authorizations SET {times}").into_boxed_str())).await;
        let vault = home.open().await;
        vault.accounts().await.unwrap();
        let handle = vault.handle("shop").await.unwrap();
        let _ = vault.token_of(&handle).await;
        assert!(vault.refresh("shop").await.is_ok() || times.contains("attempts"), "{times}");
    }
}
