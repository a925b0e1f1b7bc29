//! The master key in a real keyring: run by `./dev keyring`, in a session of its own with a Secret Service.
#![cfg(target_os = "linux")]

use std::{path::Path, process::Command};

use crate::support::{FakeTransport, Home, app};
use sesame_core::{AccessToken, ErrorKind, RefreshToken};
use sesame_vault::{ImportedTokens, KeyChoice, KeyKind, Location, Vault, VaultOptions};

/// Says to the child which vault it is to open.
const VAULT: &str = "SESAME_KEYRING_CHILD";

fn with(home: &Home, key: KeyChoice) -> VaultOptions {
    home.options().key(key)
}

async fn fill(vault: &Vault) {
    app(vault, "lazada").await;
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("planted0access0of0the0keyring"))
        .refresh(RefreshToken::new("planted0refresh0of0the0keyring"))
        .account_name("shop");
    vault.import_tokens("lazada", tokens).await.unwrap();
}

async fn opens_with(home: &Home, key: KeyChoice, kind: KeyKind) {
    let vault = Vault::open(with(home, key)).await.unwrap();
    assert_eq!(vault.key_kind(), kind);
    let handle = vault.handle("shop").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "planted0access0of0the0keyring");
    vault.close().await;
}

/// Runs a test of this program that is ignored otherwise, in other surroundings.
fn child(name: &str, vault: &Path, change: impl FnOnce(&mut Command)) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("keyring::{name}"), "--exact", "--ignored", "--nocapture"]).env(VAULT, vault);
    change(&mut command);
    assert!(command.status().unwrap().success(), "{name}");
}

#[tokio::test]
#[ignore = "needs a keyring of its own: ./dev keyring"]
async fn a_new_vault_takes_the_keyring_that_answers_and_remembers_it() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = Vault::open(with(&home, KeyChoice::Auto)).await.unwrap();
    assert_eq!(vault.key_kind(), KeyKind::Keyring);
    assert!(vault.take_warnings().iter().any(|notice| notice.to_string().contains("rekey --to file")));
    fill(&vault).await;
    vault.close().await;
    assert!(!home.key_file().exists());
    for key in [KeyChoice::Auto, KeyChoice::Keyring] {
        opens_with(&home, key, KeyKind::Keyring).await;
    }
    let wrong = Vault::open(with(&home, KeyChoice::File)).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Usage, "{wrong}");
    // Where there is no session, or one whose bus never answers.
    child("without_a_bus", &home.path(), |command| {
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
    });
    let silent = home.directory.path().join("silent");
    let _bus = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    child("without_a_bus", &home.path(), |command| {
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", silent.display()));
    });
    opens_with(&home, KeyChoice::Auto, KeyKind::Keyring).await;
}

#[tokio::test]
#[ignore = "is what another test starts"]
async fn without_a_bus() {
    let Some(vault) = std::env::var_os(VAULT) else { return };
    let home = Home::new(FakeTransport::json("{}"));
    let options = with(&home, KeyChoice::Auto).location(Location::Sqlite(vault.into()));
    let begun = std::time::Instant::now();
    let error = Vault::open(options).await.unwrap_err();
    assert!(begun.elapsed().as_secs() < 5, "people wait 3 seconds: {:?}", begun.elapsed());
    assert_eq!(error.kind(), ErrorKind::Local, "{error}");
    assert!(error.message().contains("keyring"), "{error}");
    assert!(error.hint().unwrap().contains("Nothing was changed"), "{error:?}");
    // A new vault does without.
    let vault = Vault::open(with(&home, KeyChoice::Auto)).await.unwrap();
    assert_eq!(vault.key_kind(), KeyKind::File);
}

#[tokio::test]
#[ignore = "needs a keyring of its own: ./dev keyring"]
async fn a_key_moves_into_the_keyring_and_out_of_it() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = Vault::open(with(&home, KeyChoice::File)).await.unwrap();
    fill(&vault).await;
    vault.rekey(KeyChoice::Keyring, &|_| {}).await.unwrap();
    vault.close().await;
    opens_with(&home, KeyChoice::Auto, KeyKind::Keyring).await;
    let vault = Vault::open(with(&home, KeyChoice::Auto)).await.unwrap();
    // A new entry takes the place of the former one.
    vault.rekey(KeyChoice::Auto, &|_| {}).await.unwrap();
    vault.close().await;
    opens_with(&home, KeyChoice::Auto, KeyKind::Keyring).await;
    let vault = Vault::open(with(&home, KeyChoice::Auto)).await.unwrap();
    vault.rekey(KeyChoice::File, &|_| {}).await.unwrap();
    vault.close().await;
    opens_with(&home, KeyChoice::Auto, KeyKind::File).await;
}

/// Rekeys of two processes at once, one of them into the keyring or out of it: some key opens everything.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a keyring of its own: ./dev keyring"]
async fn of_two_rekeys_at_once_one_wins_with_the_keyring_too() {
    let (file, keyring) = (KeyChoice::File, KeyChoice::Keyring);
    for (from, first, second) in [
        (&file, &keyring, &keyring),
        (&file, &keyring, &file),
        (&keyring, &file, &keyring),
        (&keyring, &keyring, &keyring),
    ] {
        for round in 0..10 {
            let when = format!("{from:?} to {first:?} and {second:?}, round {round}");
            let home = Home::new(FakeTransport::json("{}"));
            let one = Vault::open(with(&home, from.clone())).await.unwrap();
            fill(&one).await;
            let other = Vault::open(with(&home, from.clone())).await.unwrap();
            let run = |vault: Vault, to: KeyChoice| {
                tokio::spawn(async move {
                    let done = vault.rekey(to, &|_| {}).await;
                    vault.close().await;
                    done.is_ok()
                })
            };
            let (one, other) = (run(one, first.clone()), run(other, second.clone()));
            let won = [one.await.unwrap(), other.await.unwrap()];
            assert!(won.contains(&true), "{when}");
            let vault = Vault::open(with(&home, KeyChoice::Auto))
                .await
                .unwrap_or_else(|error| panic!("{when}: {error}"));
            assert_eq!(vault.check().await.unwrap().findings, [], "{when}");
            let handle = vault.handle("shop").await.unwrap();
            let token = vault.token_of(&handle).await.unwrap();
            assert_eq!(token.access.expose(), "planted0access0of0the0keyring", "{when}");
            vault.close().await;
        }
    }
}
