//! A rekey that was cut off is given up, or has to be finished.

use super::{assert_whole, cut_off, fill, nothing, passphrase, sealing_keys, with};
use crate::support::{FakeTransport, Home};
use sesame_core::ErrorKind;
use sesame_vault::{KeyChoice, Vault, store::KeyState};

over_both! {
    #[tokio::test]
    a_rekey_whose_new_passphrase_is_lost_is_given_up,
    a_rekey_whose_new_key_is_in_the_key_file_is_not_given_up;
}

async fn a_rekey_whose_new_passphrase_is_lost_is_given_up() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    fill(&vault).await;
    vault.close().await;
    // Some values are sealed with the new key already.
    cut_off(&home, &KeyChoice::File, passphrase("a typing eror"), 8).await;
    let store = home.store().await;
    assert!(sealing_keys(store.as_ref()).await.contains(&KeyState::Incoming));
    let vault = home.open().await;
    let error = vault.rekey(passphrase("a typing error"), &nothing).await.unwrap_err();
    assert!(error.hint().unwrap().contains("--anew"), "{error:?}");

    assert!(vault.abandon_rekey().await.unwrap());
    assert!(!vault.abandon_rekey().await.unwrap(), "there is none any more");
    assert_whole(&vault, "given up").await;
    let other = home.open().await;
    let done = other.rekey(passphrase("a typing error"), &nothing).await.unwrap();
    assert_eq!((done.resumed, done.resealed), (false, 7));
    assert_eq!(sealing_keys(store.as_ref()).await, [KeyState::Active]);
    assert_whole(&Vault::open(with(&home, &passphrase("a typing error"))).await.unwrap(), "after").await;
    let lost = Vault::open(with(&home, &passphrase("a typing eror"))).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Local, "{lost}");
}

async fn a_rekey_whose_new_key_is_in_the_key_file_is_not_given_up() {
    let filled = Home::new(FakeTransport::json("{}"));
    let vault = filled.open().await;
    fill(&vault).await;
    vault.close().await;
    let before = std::fs::read(filled.key_file()).unwrap();
    for calls in 0..60 {
        let home = filled.twin();
        cut_off(&home, &KeyChoice::File, KeyChoice::File, calls).await;
        if std::fs::read(home.key_file()).unwrap() == before {
            continue;
        }
        let vault = home.open().await;
        assert_eq!(vault.abandon_rekey().await.unwrap_err().kind(), ErrorKind::Usage);
        vault.rekey(KeyChoice::Auto, &nothing).await.unwrap();
        assert_whole(&home.open().await, "finished").await;
        return;
    }
    panic!("the new key never came into the file");
}
