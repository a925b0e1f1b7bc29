//! Vaults that are damaged, older, read-only, or written by somebody else at the same time: what is said,
//! and that nothing is overwritten. What keeps a vault from opening at all is in `open.rs`, ciphertexts
//! in the wrong place are in `sealing.rs`.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use crate::support::{FakeTransport, FlakyStore, Home, IopService, app, as_name, log_in, reply, two_shops};
use jiff::SignedDuration;
use sesame_core::{AccessToken, Clock as _, Error, ErrorKind, RefreshToken};
use sesame_vault::{
    Account, AccountState, CopyOptions, ImportedTokens, Keeper, KeeperOptions, LoginOptions, Vault,
    WarmPolicy,
};
use sqlx::{Connection as _, SqliteConnection};

/// A closed vault of two shops, all of it in the one file.
async fn closed() -> (Home, IopService) {
    let (home, service, vault) = two_shops().await;
    vault.close().await;
    sql(&home.path(), "PRAGMA wal_checkpoint(TRUNCATE)").await;
    (home, service)
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap()
}

async fn sql(path: &Path, statement: &'static str) {
    let mut connection = connect(path).await;
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn token(vault: &Vault, account: &str) -> sesame_core::Result<String> {
    let handle = vault.handle(account).await?;
    Ok(vault.token_of(&handle).await?.access.expose().to_owned())
}

/// The sealed columns of all authorizations, by the names of their accounts.
async fn sealed(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut connection = connect(path).await;
    let select =
        "SELECT access, refresh FROM authorizations JOIN account USING (authorization_id) ORDER BY name";
    let rows = sqlx::query_as(select).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_a_refresh_token_is_never_sent_and_stays_as_it_is() {
    let (home, service) = closed().await;
    let whole = sealed(&home.path()).await;
    // Head, nonce, text and tag of the sealed value: whichever byte it is.
    for at in [0, 3, 9, 15, 30, whole[0].1.len() - 1] {
        let mut damaged = whole[0].1.clone();
        damaged[at] ^= 0x20;
        let mut connection = connect(&home.path()).await;
        let set = "UPDATE authorizations SET refresh = ?1 WHERE refresh = ?2";
        sqlx::query(set).bind(&damaged).bind(&whole[0].1).execute(&mut connection).await.unwrap();

        let vault = home.open().await;
        let calls = home.transport.count();
        let error = vault.refresh("one").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local, "byte {at}: {error:?}");
        assert!(error.message().contains("one") && error.hint().is_some(), "byte {at}: {error:?}");
        assert_eq!(home.transport.count(), calls, "byte {at}: something was sent");
        // The other shop goes on.
        assert!(vault.refresh("two").await.is_ok(), "byte {at}");
        vault.close().await;
        assert_eq!(sealed(&home.path()).await[0].1, damaged, "byte {at}");
        sqlx::query(set).bind(&whole[0].1).bind(&damaged).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    // Put right, it goes on as if nothing had been.
    service.become_seller("1001");
    assert!(home.open().await.refresh("one").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_does_not_open_is_replaced_by_whatever_brings_another() {
    for way in ["call", "refresh", "login", "keeper"] {
        let (home, service) = closed().await;
        service.become_seller("1001");
        sql(&home.path(), "UPDATE authorizations SET access = zeroblob(80)").await;
        let vault = home.open().await;
        match way {
            "call" => assert_eq!(token(&vault, "one").await.unwrap(), service.access()),
            "refresh" => drop(vault.refresh("one").await.unwrap()),
            "login" => drop(log_in(&vault, "lazada", as_name("one")).await.unwrap()),
            _ => {
                home.clock.advance_secs(29 * 86_400);
                let options = KeeperOptions::default().warm(WarmPolicy::Always);
                Keeper::new(vault.clone(), options).tick().await.unwrap();
            }
        }
        assert_eq!(vault.account("one").await.unwrap().generation, 2, "{way}");
        assert_eq!(
            token(&vault, "one").await.unwrap(),
            token(&home.open().await, "one").await.unwrap(),
            "{way}"
        );
        let report = vault.check().await.unwrap();
        assert!(report.findings.iter().all(|finding| finding.name == "two"), "{way}: {report:?}");
        assert!(!report.findings.is_empty(), "{way}: nobody asked for the other one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_prolonged_with_another_access_token_than_one_that_does_not_open() {
    let home = Home::new(FakeTransport::new(|seen| {
        let refresh = &seen.form["refresh_token"];
        if seen.url.contains("/postponeToken/") {
            assert_eq!(seen.form["access_token"], "fresh");
            return Ok(reply(
                200,
                format!(
                    r#"{{"access_token":"postponed","expires_in":"36000","refresh_token":"{refresh}-2","refresh_token_timeout":"20270601000000000+0800"}}"#
                ),
            ));
        }
        Ok(reply(200, r#"{"access_token":"fresh","expires_in":"36000"}"#))
    }));
    let vault = home.open().await;
    app(&vault, "aliexpress-legacy").await;
    let begun = home.clock.now();
    let ends = |hours| begun + SignedDuration::from_hours(hours);
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("a"))
        .refresh(RefreshToken::new("r"))
        .access_expires_at(ends(9))
        .refresh_expires_at(ends(20 * 24))
        .account_name("one");
    vault.import_tokens("aliexpress-legacy", tokens).await.unwrap();
    sql(&home.path(), "UPDATE authorizations SET access = zeroblob(80)").await;
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default());
    while home.transport.count() == 0 {
        assert!(home.clock.now() < ends(9), "not in time");
        keeper.tick().await.unwrap();
        home.clock.advance_secs(600);
    }
    vault.settle().await;
    assert_eq!((home.transport.count(), vault.account("one").await.unwrap().generation), (2, 3));
    assert_eq!(token(&vault, "one").await.unwrap(), "postponed");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cannot_be_read_are_named_and_hide_no_others() {
    let (home, _) = closed().await;
    let vault = home.open().await;
    let id = vault.account("one").await.unwrap().id;
    sql(&home.path(), "UPDATE account SET login = CAST(x'ff' AS TEXT) WHERE name = 'one'").await;
    // Damage of another kind behind it.
    sql(
        &home.path(),
        "UPDATE authorizations SET refresh = zeroblob(80) WHERE authorization_id = \
         (SELECT authorization_id FROM account WHERE name = 'two')",
    )
    .await;
    let report = vault.check().await.unwrap();
    let mut found: Vec<_> =
        report.findings.iter().map(|finding| (finding.name.clone(), finding.column)).collect();
    found.sort_unstable();
    assert_eq!(found, [(id.to_string(), None), ("two".to_owned(), Some("refresh"))], "{report:?}");
    assert!(report.findings.iter().any(|finding| finding.why.contains("row cannot be read")), "{report:?}");
    assert_eq!((report.apps, report.accounts), (1, 1));
    // A login of another shop goes on, too.
    assert_eq!(log_in(&vault, "lazada", LoginOptions::default()).await.unwrap()[0].name, "two");

    // Others are listed and copied, and the damaged one can go.
    vault.take_warnings();
    let names = |accounts: Vec<Account>| accounts.into_iter().map(|account| account.name).collect::<Vec<_>>();
    assert_eq!(names(vault.accounts().await.unwrap()), ["two"]);
    assert!(vault.take_warnings().iter().any(|notice| notice.to_string().contains("1 account")));
    let listed = vault.accounts_where(|_| false).await.unwrap();
    assert_eq!((listed.accounts.len(), listed.unreadable), (0, vec![id]));
    let mut other = Home::new(FakeTransport::json("{}"));
    other.clock = home.clock.clone();
    let there = other.open().await;
    let error = vault.copy_to(&there, CopyOptions::default(), &|_| {}).await.unwrap_err();
    assert!(error.message().contains(&id.to_string()), "{error}");
    assert_eq!(there.apps().await.unwrap().len(), 0, "nothing was copied");
    let mut skip = CopyOptions::default();
    skip.skip_bad = true;
    let copied = vault.copy_to(&there, skip, &|_| {}).await.unwrap();
    assert_eq!((copied.accounts, copied.left_out.len()), (1, 1), "{copied:?}");
    let two = vault.account("two").await.unwrap().id.to_string();
    assert_eq!(vault.remove_account(&two).await.unwrap_err().kind(), ErrorKind::Usage, "it can be read");
    vault.remove_account(&id.to_string()).await.unwrap();
    assert_eq!(vault.accounts_where(|_| true).await.unwrap().unreadable, []);

    sql(&home.path(), "UPDATE app SET region = CAST(x'ff' AS TEXT)").await;
    let report = vault.check().await.unwrap();
    let places: Vec<_> = report.findings.iter().map(|finding| finding.place).collect();
    assert_eq!(places, ["app", "account"], "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_anywhere_is_an_error_or_no_harm_and_never_another_token() {
    let (home, _) = closed().await;
    let good = home.open().await;
    let right = [token(&good, "one").await.unwrap(), token(&good, "two").await.unwrap()];
    good.close().await;
    // An access token that does not open would be replaced.
    home.transport.answer(|_| Err(Error::new(ErrorKind::Network, "no way out")));
    sql(&home.path(), "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let whole = fs::read(home.path()).unwrap();
    // Every page is met, at places that differ from page to page.
    let (mut refused, mut harmless) = (0, 0);
    for at in (0..whole.len()).step_by(509) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(home.path(), &bytes).unwrap();
        for file in ["vault.db-wal", "vault.db-shm"] {
            let _ = fs::remove_file(home.path().with_file_name(file));
        }
        match Vault::open(home.options()).await {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Local, "byte {at}: {error:?}");
                assert!(error.hint().is_some(), "byte {at}: {error:?}");
                // A file that is refused is left as it is.
                assert!(fs::read(home.path()).unwrap() == bytes, "byte {at}: the file was changed");
                refused += 1;
            }
            Ok(vault) => {
                for (account, right) in ["one", "two"].into_iter().zip(&right) {
                    match token(&vault, account).await {
                        Ok(token) => assert_eq!(token, *right, "byte {at}"),
                        Err(error) => assert!(
                            matches!(error.kind(), ErrorKind::Local | ErrorKind::Usage | ErrorKind::Network),
                            "byte {at}: {error:?}"
                        ),
                    }
                }
                vault.close().await;
                harmless += 1;
            }
        }
    }
    assert!(refused > 0 && harmless > 0, "{refused} refused, {harmless} opened");
}

#[tokio::test]
async fn a_due_row_that_cannot_be_read_holds_up_no_other() {
    let (home, _, vault) = two_shops().await;
    vault.settle().await;
    sql(
        &home.path(),
        "UPDATE authorizations SET identity = CAST(x'ff' AS TEXT) WHERE authorization_id = \
         (SELECT authorization_id FROM account WHERE name = 'one')",
    )
    .await;
    home.clock.advance_secs(30 * 86_400 - 600);
    let options = KeeperOptions::default().warm(WarmPolicy::Always);
    for _ in 0..3 {
        let done = Keeper::new(vault.clone(), options).tick().await.unwrap().done;
        assert_eq!(done.failed, 0, "{done:?}");
        home.clock.advance_secs(100);
    }
    assert_eq!(vault.account("two").await.unwrap().generation, 2);
}

/// SQLite drops the rest of a damaged log without a word: a refresh token that was spent would come back.
#[tokio::test]
async fn a_damaged_log_is_refused_and_a_damaged_last_change_is_named() {
    let (home, _, vault) = two_shops().await;
    vault.refresh("two").await.unwrap();
    let sent = home.transport.count();
    let log = |home: &Home| home.path().with_extension("db-wal");
    let length = fs::read(log(&home)).unwrap().len();
    let (mut refused, mut named) = (0, 0);
    for at in (5..length).step_by(4_000) {
        let twin = home.twin();
        let mut bytes = fs::read(log(&twin)).unwrap();
        bytes[at] ^= 0x40;
        fs::write(log(&twin), &bytes).unwrap();
        match Vault::open(twin.options()).await {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Local, "{error}");
                assert!(error.message().contains("db-wal is damaged"), "{error}");
                assert!(error.hint().unwrap().contains("Nothing was changed"), "{error:?}");
                assert!(fs::read(log(&twin)).unwrap() == bytes, "the log was changed");
                refused += 1;
            }
            Ok(vault) => {
                let findings = vault.check().await.unwrap().findings;
                if findings.is_empty() {
                    assert!(at >= length - 4_120, "byte {at} of {length} went unnoticed");
                } else {
                    assert!(findings[0].why.contains("the last change in"), "{findings:?}");
                    named += 1;
                }
            }
        }
    }
    assert!(refused > 20 && named > 0, "{refused} refused, {named} named");
    assert_eq!(home.transport.count(), sent);
    // An untouched one is read to its end.
    let twin = home.twin();
    let twin_vault = twin.open().await;
    assert_eq!(token(&twin_vault, "two").await.unwrap(), token(&vault, "two").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_on_a_read_only_file_system_says_so_and_sends_nothing() {
    let (home, _) = closed().await;
    let directory = home.path().parent().unwrap().to_owned();
    let Some(_read_only) = ReadOnly::make(&directory) else {
        return;
    };
    let before = fs::read(home.path()).unwrap();
    let calls = home.transport.count();
    let outcome = async {
        let vault = Vault::open(home.options()).await?;
        vault.refresh("one").await
    };
    let error = outcome.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
    assert!(error.message().contains("vault.db"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("mode") || hint.contains("read")), "{error:?}");
    assert_eq!(home.transport.count(), calls);
    assert!(fs::read(home.path()).unwrap() == before);
}

/// A directory that nothing can be written into while this lives. Modes do not hold root back, so for
/// root it is mounted read-only. Nothing where neither works.
struct ReadOnly<'a>(&'a Path);

impl<'a> ReadOnly<'a> {
    fn make(directory: &'a Path) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o500)).unwrap();
        let probe = directory.join("probe");
        if fs::write(&probe, b"").is_err() {
            return Some(Self(directory));
        }
        fs::remove_file(probe).unwrap();
        let mount = |arguments: &[&str]| {
            std::process::Command::new("mount")
                .args(arguments)
                .arg(directory)
                .stderr(std::process::Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        let source = directory.to_str().unwrap();
        (mount(&["--bind", source]) && mount(&["-o", "remount,ro,bind"])).then_some(Self(directory))
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        use std::os::unix::fs::PermissionsExt as _;
        let _ = std::process::Command::new("umount").arg(self.0).stderr(std::process::Stdio::null()).status();
        let _ = fs::set_permissions(self.0, fs::Permissions::from_mode(0o700));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writer_that_stays_is_named_and_nothing_is_spent() {
    let (home, service) = closed().await;
    let vault = home.open().await;
    let mut other = connect(&home.path()).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = vault.refresh("two").await.unwrap_err();
    assert!(error.message().contains("locked by another program"), "{error}");
    assert!(error.is_retryable() && error.hint().is_some());
    assert_eq!(service.refreshes(), 0, "no token was spent that could not be stored");
    // Who only reads is not held up.
    assert!(token(&vault, "one").await.is_ok());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(vault.refresh("two").await.unwrap().state, AccountState::Healthy);
    assert_eq!(service.refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_wait_in_the_journal_outlive_a_file_put_back_from_a_backup() {
    let (home, service) = closed().await;
    let backup = fs::read(home.path()).unwrap();
    let vault = home.open().await;
    vault.refresh("two").await.unwrap();
    vault.close().await;
    let store = FlakyStore::over(home.store().await);
    store.fail_replace.store(usize::MAX, Ordering::SeqCst);
    let vault = Vault::open_with(home.options(), Arc::new(store)).await.unwrap();
    vault.refresh("two").await.unwrap();
    vault.close().await;
    fs::write(home.path(), backup).unwrap();

    let vault = home.open().await;
    assert_eq!(token(&vault, "two").await.unwrap(), service.access());
    assert_eq!(fs::read_dir(home.journal()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_promises_of_a_rekey_only_what_it_does() {
    let (home, _) = closed().await;
    let damaged = sealed(&home.path()).await[0].1.clone();
    let mut connection = connect(&home.path()).await;
    let mut bytes = damaged.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 0x20;
    sqlx::query("UPDATE authorizations SET refresh = ?1 WHERE refresh = ?2")
        .bind(&bytes)
        .bind(&damaged)
        .execute(&mut connection)
        .await
        .unwrap();
    let vault = home.open().await;
    vault.rekey(sesame_vault::KeyChoice::Auto, &|_| {}).await.unwrap();
    let report = vault.check().await.unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    let notes = report.notes.join("\n");
    assert!(!notes.contains("anew"), "{notes}");
    assert!(notes.contains("1 value does not open, and a rekey leaves it as it is"), "{notes}");
    assert!(notes.contains("sesame login"), "{notes}");
}
