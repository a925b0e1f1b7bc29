//! `sesame vault rekey`: no key is used that may be lost with the command.

use crate::house::House;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The vault opens with the key it was made with, and has its one account.
fn assert_untouched(house: &House) {
    let accounts = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(accounts.as_array().unwrap().len(), 1);
    let report = house.run(&["vault", "check", "--output", "json"]).succeeds().json();
    assert_eq!(report["keys"], 1, "no rekey was begun");
}

fn with_vault() -> House {
    let house = House::empty();
    super::accounts::imported(&house, "lazada", "shop", 100);
    house
}

#[test]
fn a_key_that_only_the_command_has_is_refused() {
    for (name, secret, place) in [
        ("SESAME_NEW_MASTER_KEY", KEY, "environment"),
        ("SESAME_NEW_PASSPHRASE", "the new words", "passphrase"),
    ] {
        let mut house = with_vault();
        house.set(name, secret);
        for arguments in [&["vault", "rekey", "--to", place][..], &["vault", "rekey"]] {
            let refused = house.run(arguments).fails(2);
            assert!(
                refused.stderr.contains(name) && refused.stderr.contains("--key-file"),
                "{}",
                refused.stderr
            );
            assert_untouched(&house);
        }
    }
}

#[test]
fn what_does_not_outlive_the_command_is_no_key_file() {
    let house = with_vault();
    let sesame = env!("CARGO_BIN_EXE_sesame");
    let rekey = format!("{sesame} vault rekey --to environment --key-file");
    for line in [
        format!("printf {KEY} | {rekey} /dev/stdin"),
        format!("bash -c '{rekey} <(printf {KEY})'"),
        // A file whose name is gone.
        format!("printf {KEY} >gone; exec 3<gone; rm gone; {rekey} /dev/fd/3"),
        format!("{rekey} ."),
        format!("{rekey} missing.key"),
        format!(": >empty.key; {rekey} empty.key"),
        format!("printf short >short.key; {rekey} short.key"),
    ] {
        let refused = house.shell(&line).fails(2);
        assert!(!refused.stderr.contains(KEY), "{}", refused.stderr);
        // Nobody set it.
        assert!(!refused.stderr.contains("SESAME_NEW"), "{}", refused.stderr);
        assert_untouched(&house);
    }
}

#[test]
fn a_key_in_a_file_becomes_the_key_of_the_environment() {
    let mut house = with_vault();
    let file = house.file("sesame.key", &format!("{KEY}\n"));
    house.set("SESAME_NEW_MASTER_KEY", "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100");
    let refused = house.run(&["vault", "rekey", "--to", "environment", "--key-file", &file]).fails(2);
    assert!(refused.stderr.contains("SESAME_NEW_MASTER_KEY is not the key in"), "{}", refused.stderr);
    assert_untouched(&house);
    house.set("SESAME_NEW_MASTER_KEY", KEY);
    house.run(&["vault", "rekey", "--key-file", &file]).succeeds();
    house.set("SESAME_MASTER_KEY", KEY);
    house.set("SESAME_NEW_MASTER_KEY", "");
    house.run(&["vault", "check"]).succeeds();
    // What the command itself refuses is not recommended.
    let unsaid = house.run(&["vault", "rekey"]).fails(2);
    assert!(unsaid.stderr.contains("--to environment --key-file FILE"), "{}", unsaid.stderr);
    assert_eq!(house.run(&["accounts", "--output", "json"]).succeeds().json().as_array().unwrap().len(), 1);
    // To a passphrase, from a file as well.
    let words = house.file("words", "the new words\r\n");
    house.run(&["vault", "rekey", "--to", "passphrase", "--key-file", &words]).succeeds();
    house.set("SESAME_MASTER_KEY", "");
    house.set("SESAME_PASSPHRASE", "the new words");
    house.run(&["vault", "check"]).succeeds();
}

#[test]
fn a_key_file_is_for_keys_that_a_person_keeps() {
    let house = with_vault();
    let file = house.file("sesame.key", KEY);
    for arguments in [&["--to", "file"][..], &["--to", "keyring"], &[]] {
        let all = [&["vault", "rekey", "--key-file", &file], arguments].concat();
        let refused = house.run(&all).fails(2);
        assert!(refused.stderr.contains("--key-file needs"), "{}", refused.stderr);
    }
    assert_untouched(&house);
}

#[test]
fn values_that_stay_behind_make_the_command_fail() {
    let house = with_vault();
    let path = house.path().join("vault.db");
    let damage = "import sqlite3, sys\n\
        vault = sqlite3.connect(sys.argv[1])\n\
        vault.execute(\"UPDATE authorizations SET refresh = CAST(substr(refresh, 1, 30) || x'00' || substr(refresh, 32) AS BLOB)\")\n\
        vault.commit()\n";
    let script = house.file("damage.py", damage);
    house.shell(&format!("python3 {script} {}", path.display())).succeeds();
    let failed = house.run(&["vault", "rekey", "--output", "json"]).fails(1);
    assert_eq!(failed.json()["unreadable"].as_array().unwrap().len(), 1);
    assert!(failed.stderr.contains("could not be read"), "{}", failed.stderr);
}
