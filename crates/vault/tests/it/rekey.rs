//! A new master key, cut off at every step, and with other processes at work.

mod at_once;
mod given_up;

use crate::support::{
    Breakdown, FakeTransport, FlakyStore, Home, IopService, Policy, app, as_name, log_in, two_shops,
};
use sesame_core::{AccessToken, AppSecret, ErrorKind, RefreshToken};
use sesame_vault::{
    ImportedTokens, KeyChoice, KeyKind, Vault, VaultOptions,
    store::{KeyState, SecretColumn, Store},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

over_both! {
    #[tokio::test]
    cut_off_at_any_call_everything_stays_readable_and_the_next_rekey_finishes,
    a_key_file_with_another_key_is_left_alone,
    a_former_key_is_told_from_a_wrong_one_and_opens_only_copies_from_before,
    another_process_refreshes_during_a_rekey_and_both_go_on,
    a_process_with_the_former_passphrase_says_that_it_has_to_be_restarted,
    damaged_values_are_named_and_keep_their_key,
    nobody_goes_on_sealing_with_the_former_key,
    a_keyring_that_takes_no_key_is_found_out_before_anything_changes,
    a_new_passphrase_is_no_short_one,
    former_keys_that_seal_nothing_do_not_pile_up,
    a_draft_of_a_key_that_a_killed_rekey_left_is_swept;
}

const SHOPS: [&str; 3] = ["one", "two", "three"];

fn nothing(_: u64) {}

fn passphrase(text: &str) -> KeyChoice {
    KeyChoice::Passphrase(AppSecret::new(text))
}

fn environment(byte: &str) -> KeyChoice {
    KeyChoice::Environment(AppSecret::new(byte.repeat(32)))
}

fn with(home: &Home, key: &KeyChoice) -> VaultOptions {
    home.options().key(key.clone())
}

async fn fill(vault: &Vault) {
    app(vault, "lazada").await;
    for shop in SHOPS {
        let tokens = ImportedTokens::default()
            .access(AccessToken::new(format!("access-of-{shop}")))
            .refresh(RefreshToken::new(format!("refresh-of-{shop}")))
            .account_name(shop);
        vault.import_tokens("lazada", tokens).await.unwrap();
    }
}

/// Everything opens, and says what it said.
async fn assert_whole(vault: &Vault, when: &str) {
    for shop in SHOPS {
        let handle = vault.handle(shop).await.unwrap_or_else(|error| panic!("{when}: {error:?}"));
        assert_eq!(
            vault.token_of(&handle).await.unwrap().access.expose(),
            format!("access-of-{shop}"),
            "{when}"
        );
    }
    let report = vault.check().await.unwrap();
    assert!(report.is_clean(), "{when}: {report:?}");
    assert_eq!((report.apps, report.accounts, report.values), (1, 3, 7), "{when}");
}

/// Which keys seal something.
async fn sealing_keys(store: &dyn Store) -> Vec<KeyState> {
    let mut states = Vec::new();
    for row in store.keys().await.unwrap() {
        for place in SecretColumn::ALL {
            if !store.sealed_with(row.key_id, place, None, 1).await.unwrap().is_empty() {
                states.push(row.state);
            }
        }
    }
    states.dedup();
    states
}

async fn cut_off_at_any_call_everything_stays_readable_and_the_next_rekey_finishes() {
    for (from, to, both) in [
        (KeyChoice::File, KeyChoice::File, true),
        (KeyChoice::File, environment("ab"), false),
        (environment("cd"), KeyChoice::File, false),
    ] {
        let mut resumed = 0;
        let mut calls = 0;
        let filled = Home::new(FakeTransport::json("{}"));
        // The steps are the same over any store; there each of them takes a database of its own.
        if filled.is_in_postgresql() && !both {
            continue;
        }
        let vault = Vault::open(with(&filled, &from)).await.unwrap();
        fill(&vault).await;
        vault.close().await;
        // A call that was not carried out, and one that was and whose answer is lost.
        for after in [true, false].into_iter().take(if both { 2 } else { 1 }) {
            for n in 0.. {
                let when = format!("{from:?} to {to:?}, call {n}, after {after}");
                // Randomness goes on where it was, as it would: no id comes twice.
                let home = filled.twin();
                let store = FlakyStore::over(home.store().await);
                let breakdown = store.breakdown.clone();
                let vault = Vault::open_with(with(&home, &from), Arc::new(store)).await.unwrap();
                *breakdown.lock().unwrap() = Some(Breakdown { calls: n, after });
                let done = vault.rekey(to.clone(), &nothing).await;
                drop(vault);
                let store = home.store().await;
                let keys = store.keys().await.unwrap();
                let stands = keys.iter().any(|row| row.state == KeyState::Incoming);
                let is_over = keys.len() == 2 && !stands;
                if done.is_ok() {
                    assert!(is_over, "{when}");
                    calls += n;
                    break;
                }
                // Until the new key is the active one the former source opens all; from then on the new one.
                let opening = if is_over { &to } else { &from };
                let vault =
                    Vault::open(with(&home, opening)).await.unwrap_or_else(|error| panic!("{when}: {error}"));
                assert_whole(&vault, &when).await;
                if !is_over {
                    let to = if stands { KeyChoice::Auto } else { to.clone() };
                    let again =
                        vault.rekey(to, &nothing).await.unwrap_or_else(|error| panic!("{when}: {error}"));
                    assert_eq!(again.resumed, stands, "{when}");
                    resumed += usize::from(stands);
                }
                assert_whole(&vault, &when).await;
                vault.close().await;
                let vault =
                    Vault::open(with(&home, &to)).await.unwrap_or_else(|error| panic!("{when}: {error}"));
                assert_whole(&vault, &when).await;
                vault.close().await;
                // Cut off after the end, the last sweep is left to the next rekey.
                let states = sealing_keys(store.as_ref()).await;
                assert!(states == [KeyState::Active] || is_over, "{when}: sealed with {states:?}");
            }
        }
        assert!(calls > 20 && resumed > 10, "{calls} calls, {resumed} resumed: the steps were met");
    }
}

async fn a_key_file_with_another_key_is_left_alone() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    let other = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\n";
    std::fs::write(home.key_file(), other).unwrap();
    let error = vault.rekey(KeyChoice::File, &nothing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error}");
    assert_eq!(std::fs::read_to_string(home.key_file()).unwrap(), other);
    assert_whole(&vault, "refused").await;
    // A draft that a killed process has left is no obstacle, and does not stay.
    std::fs::remove_file(home.key_file()).unwrap();
    let mut draft = home.key_file().into_os_string();
    draft.push(".new");
    std::fs::write(&draft, "half").unwrap();
    vault.rekey(KeyChoice::File, &nothing).await.unwrap();
    assert!(!std::path::Path::new(&draft).exists());
    assert_whole(&home.open().await, "finished").await;
}

async fn a_former_key_is_told_from_a_wrong_one_and_opens_only_copies_from_before() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    let key_file = home.key_file();
    let former = std::fs::read(&key_file).unwrap();
    let heard = AtomicU64::new(0);
    let rekeyed = vault.rekey(KeyChoice::Auto, &|count| heard.store(count, Ordering::SeqCst)).await.unwrap();
    assert_eq!((rekeyed.resealed, rekeyed.resumed, rekeyed.key), (7, false, KeyKind::File));
    assert_eq!(heard.load(Ordering::SeqCst), 7);
    assert_eq!(rekeyed.unreadable, Vec::<String>::new());
    assert_whole(&vault, "the same process").await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    vault.close().await;
    let new = std::fs::read(&key_file).unwrap();
    assert_ne!(new, former);
    std::fs::write(&key_file, &former).unwrap();
    let error = Vault::open(home.options()).await.unwrap_err();
    assert!(error.message().contains("rekeyed since"), "{error}");
    assert!(error.hint().unwrap().contains("Nothing was changed"));
    std::fs::write(&key_file, "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\n").unwrap();
    let error = Vault::open(home.options()).await.unwrap_err();
    assert!(error.message().contains("is not the master key"), "{error}");
    std::fs::write(&key_file, &new).unwrap();
    let vault = home.open().await;
    assert_whole(&vault, "reopened").await;

    // To a passphrase and back; each former source says where the key is now.
    vault.rekey(passphrase("correct horse"), &nothing).await.unwrap();
    assert_eq!(vault.key_kind(), KeyKind::Passphrase);
    vault.close().await;
    let error = Vault::open(home.options()).await.unwrap_err();
    assert!(
        error.message().contains("rekeyed since") && error.hint().unwrap().contains("SESAME_PASSPHRASE"),
        "{error}"
    );
    let error = Vault::open(with(&home, &passphrase("wrong words"))).await.unwrap_err();
    assert!(error.message().contains("passphrase is not"), "{error}");
    let vault = Vault::open(with(&home, &passphrase("correct horse"))).await.unwrap();
    let error = vault.rekey(KeyChoice::Auto, &nothing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = vault.rekey(passphrase("correct horse"), &nothing).await.unwrap_err();
    assert!(error.message().contains("has already"), "{error}");
    vault.rekey(KeyChoice::File, &nothing).await.unwrap();
    vault.close().await;
    let vault = home.open().await;
    assert_whole(&vault, "from a file again").await;
    let lines = vault.audit(&sesame_vault::AuditFilter::default()).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "rekey" && line.succeeded).count(), 3);
}

async fn another_process_refreshes_during_a_rekey_and_both_go_on() {
    let (home, service, other) = two_shops().await;
    let before = home.open().await;

    // The other process refreshes while each value is sealed anew: it still seals with the former key.
    let vault = home.open().await;
    let (vault_two, other_two) = (vault.clone(), other.clone());
    let rekey = tokio::spawn(async move { vault_two.rekey(KeyChoice::Auto, &nothing).await });
    service.become_seller("1001");
    for _ in 0..5 {
        other_two.refresh("one").await.unwrap();
    }
    rekey.await.unwrap().unwrap();
    other.refresh("one").await.unwrap();
    // One that knew the former key only, and looks after the end: it reads the key file again.
    let handle = before.handle("one").await.unwrap();
    let token = before.token_of(&handle).await.unwrap();
    assert_eq!(token.generation, 7);
    before.refresh("one").await.unwrap();
    let reopened = home.open().await;
    for vault in [&vault, &other, &before, &reopened] {
        let report = vault.check().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        vault.refresh("one").await.unwrap();
    }
}

async fn a_process_with_the_former_passphrase_says_that_it_has_to_be_restarted() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let old = passphrase("the former one");
    let before = Vault::open(with(&home, &old)).await.unwrap();
    app(&before, "lazada").await;
    log_in(&before, "lazada", as_name("one")).await.unwrap();
    let handle = before.handle("one").await.unwrap();
    let vault = Vault::open(with(&home, &old)).await.unwrap();
    vault.rekey(passphrase("the new one"), &nothing).await.unwrap();
    // The token in memory is still good; what has to be read is not.
    before.token_of(&handle).await.unwrap();
    let error = before.refresh("one").await.unwrap_err();
    assert!(error.message().contains("was rekeyed"), "{error}");
    assert!(error.hint().unwrap().contains("Restart"));
    assert_eq!(service.refreshes(), 0, "nothing was spent");
    vault.refresh("one").await.unwrap();
}

async fn damaged_values_are_named_and_keep_their_key() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    // One byte in the middle of one secret.
    let secret = if home.is_in_postgresql() {
        "overlay(refresh PLACING decode('00', 'hex') FROM 31)"
    } else {
        "CAST(substr(refresh, 1, 30) || x'00' || substr(refresh, 32) AS BLOB)"
    };
    home.sql(&format!(
        "UPDATE authorizations SET refresh = {secret} \
         WHERE authorization_id = (SELECT authorization_id FROM account WHERE name = 'two'); \
         UPDATE authorizations SET identity = 'x' WHERE authorization_id = \
         (SELECT authorization_id FROM account WHERE name = 'three'); \
         UPDATE app SET platform = 'nowhere'"
    ))
    .await;
    let vault_again = home.open().await;
    let report = vault_again.check().await.unwrap();
    let mut found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.place, finding.name.as_str(), finding.column))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("account", "three", Some("identity")),
            ("account", "two", Some("refresh")),
            ("app", "lazada", Some("platform")),
        ]
    );
    home.sql("UPDATE app SET platform = 'lazada'").await;
    let rekeyed = vault.rekey(KeyChoice::Auto, &nothing).await.unwrap();
    assert_eq!(rekeyed.resealed, 6);
    assert_eq!(rekeyed.unreadable.len(), 1);
    assert!(rekeyed.unreadable[0].starts_with("account \"two\""), "{:?}", rekeyed.unreadable);
    let report = home.open().await.check().await.unwrap();
    assert_eq!(report.findings.len(), 2, "{report:?}");
    assert!(report.notes[0].contains("1 value does not open, and a rekey leaves it"), "{report:?}");
}

/// Leaves a rekey cut off after a number of calls of the store.
async fn cut_off(home: &Home, from: &KeyChoice, to: KeyChoice, calls: usize) {
    let store = FlakyStore::over(home.store().await);
    let breakdown = store.breakdown.clone();
    let vault = Vault::open_with(with(home, from), Arc::new(store)).await.unwrap();
    *breakdown.lock().unwrap() = Some(Breakdown { calls, after: false });
    vault.rekey(to, &nothing).await.unwrap_err();
}

/// What another process seals while a rekey is under way is sealed with the key that comes.
async fn nobody_goes_on_sealing_with_the_former_key() {
    let (home, _, vault) = two_shops().await;
    vault.close().await;
    for calls in 8..60 {
        let home = home.twin();
        let keeper = home.open().await;
        cut_off(&home, &KeyChoice::File, passphrase("the new words"), calls).await;
        // All values are sealed anew, and the new key is not the active one yet.
        let store = home.store().await;
        if sealing_keys(store.as_ref()).await == [KeyState::Incoming] {
            keeper.refresh("two").await.unwrap();
            assert_eq!(sealing_keys(store.as_ref()).await, [KeyState::Incoming]);
            return;
        }
    }
    panic!("the rekey never came so far");
}

async fn a_keyring_that_takes_no_key_is_found_out_before_anything_changes() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    // No build of the tests has a keyring to write to.
    let error = vault.rekey(KeyChoice::Keyring, &nothing).await.unwrap_err();
    assert!(error.message().contains("keyring"), "{error}");
    assert_eq!(home.store().await.keys().await.unwrap().len(), 1);
    vault.rekey(KeyChoice::File, &nothing).await.unwrap();
    assert_whole(&vault, "rekeyed").await;
}

async fn a_new_passphrase_is_no_short_one() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let error = vault.rekey(passphrase("seven c"), &nothing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    let new = Home::new(FakeTransport::json("{}"));
    let error = Vault::open(with(&new, &passphrase("seven c"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

async fn former_keys_that_seal_nothing_do_not_pile_up() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    let store = home.store().await;
    let first = store.keys().await.unwrap()[0].key_id;
    // A value of the first key that does not open any more keeps that key.
    let stale = store.account("two").await.unwrap().unwrap().authorization.tokens.access.unwrap();
    let prefix = if home.is_in_postgresql() { "'\\x" } else { "x'" };
    for round in 0..20 {
        vault.rekey(KeyChoice::File, &nothing).await.unwrap();
        if round == 0 {
            home.sql(&format!(
                "UPDATE authorizations SET access = {prefix}{}' WHERE authorization_id = \
                 (SELECT authorization_id FROM account WHERE name = 'one')",
                hex::encode(&stale)
            ))
            .await;
        }
        home.clock.advance_secs(1);
    }
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.len(), 1 + 16 + 1, "the active one, the newest former ones, and one that is needed");
    assert!(keys.iter().any(|key| key.key_id == first));
    vault.close().await;
    let vault = home.open().await;
    let report = vault.check().await.unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(
        vault.token_of(&vault.handle("two").await.unwrap()).await.unwrap().access.expose(),
        "access-of-two"
    );
}

async fn a_draft_of_a_key_that_a_killed_rekey_left_is_swept() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    vault.close().await;
    let mut draft = home.key_file().into_os_string();
    draft.push(".new");
    std::fs::write(&draft, "a key").unwrap();
    // A rekey that runs holds the lock; the draft is its own.
    let lock = std::fs::File::open(home.key_file().parent().unwrap()).unwrap();
    lock.lock().unwrap();
    home.open().await.close().await;
    assert!(std::path::Path::new(&draft).exists());
    drop(lock);
    assert_whole(&home.open().await, "swept").await;
    assert!(!std::path::Path::new(&draft).exists());
}
