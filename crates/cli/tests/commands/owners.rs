//! Files of other users, and files that others can write, are refused.
#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
};

use crate::house::House;

const NOBODY: u32 = 65_534;

/// A vault with an app, a configuration and a catalog of its own.
fn furnished() -> House {
    let house = House::empty();
    fs::create_dir(house.path().join("catalog")).unwrap();
    fs::write(
        house.path().join("catalog/own.toml"),
        "platform = \"lazada\"\nsource = \"a test\"\ndate = \"2026-11-30\"\n",
    )
    .unwrap();
    fs::write(house.path().join("config.toml"), "timeout = \"20s\"\n").unwrap();
    let add = ["app", "add", "lazada", "--key", "500123", "--secret-stdin"];
    house.run_with(&add, "abcdefghijklmnop").succeeds();
    // It is made when tokens are exchanged.
    fs::create_dir(house.path().join("vault.db.journal")).unwrap();
    house
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

const PARTS: [&str; 7] =
    ["", "config.toml", "catalog", "catalog/own.toml", "vault.db", "vault.db.key", "vault.db.journal"];

#[test]
fn what_others_can_write_is_refused_with_what_to_do() {
    let house = furnished();
    for part in PARTS {
        let path = house.path().join(part);
        let mode = fs::metadata(&path).unwrap().mode();
        set_mode(&path, mode | 0o002);
        let refused = house.run(&["app", "list"]).fails(1);
        assert!(
            refused.stderr.contains("chmod go-w") && refused.stderr.contains(part),
            "{part}: {}",
            refused.stderr
        );
        set_mode(&path, mode);
        house.run(&["app", "list"]).succeeds();
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let house = furnished();
    let pipe = |path: &Path| {
        assert!(
            std::process::Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success()
        );
    };
    for part in ["config.toml", "catalog/own.toml", "vault.db", "vault.db.key"] {
        let (path, aside) = (house.path().join(part), house.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        pipe(&path);
        let refused = house.run(&["app", "list"]).fails(2).stderr;
        assert!(refused.contains("not a regular file") && refused.contains(part), "{part}: {refused}");
        fs::rename(&aside, &path).unwrap();
        house.run(&["app", "list"]).succeeds();
    }
    let key = house.path().join("key");
    pipe(&key);
    let rekey = ["vault", "rekey", "--to", "environment", "--key-file", key.to_str().unwrap()];
    assert!(house.run(&rekey).fails(2).stderr.contains("not a file that is kept"));
}

/// Only root can give files away.
#[test]
fn what_belongs_to_another_user_is_refused_also_behind_a_link() {
    let house = furnished();
    if fs::metadata(house.path()).unwrap().uid() != 0 {
        return;
    }
    for part in PARTS {
        let path = house.path().join(part);
        chown(&path, Some(NOBODY), None).unwrap();
        let refused = house.run(&["app", "list"]).fails(1);
        assert!(refused.stderr.contains("belongs to another user"), "{part}: {}", refused.stderr);
        chown(&path, Some(0), None).unwrap();
        house.run(&["app", "list"]).succeeds();
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("theirs.db");
    fs::rename(house.path().join("vault.db"), &target).unwrap();
    chown(&target, Some(NOBODY), None).unwrap();
    symlink(&target, house.path().join("vault.db")).unwrap();
    assert!(house.run(&["app", "list"]).fails(1).stderr.contains("belongs to another user"));
}

#[test]
fn a_hook_in_a_home_of_another_user_is_not_run() {
    let house = furnished();
    let marker = house.path().join("pwned");
    let hook = format!("[keeper]\nhook = [\"/bin/sh\", \"-c\", \"id > {}\"]\n", marker.display());
    fs::write(house.path().join("config.toml"), hook).unwrap();
    set_mode(house.path(), 0o777);
    house.run(&["keeper", "--once"]).fails(1);
    assert!(!marker.exists());
    let doctor = house.run(&["doctor", "--output", "json"]).fails(1);
    let checks = doctor.json();
    let config = checks.as_array().unwrap().iter().find(|check| check["check"] == "config").unwrap();
    assert_eq!(config["state"], "wrong");
}

#[test]
fn doctor_says_what_is_wrong_with_the_configuration() {
    let house = furnished();
    fs::write(house.path().join("config.toml"), "endpiont = \"x\"\n").unwrap();
    house.run(&["app", "list"]).fails(2);
    let checks = house.run(&["doctor", "--output", "json"]).fails(1).json();
    let found =
        |name: &str| checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone();
    assert!(found("config")["found"].as_str().unwrap().contains("line 1"), "{checks}");
    assert_eq!(found("config")["do"], "Did you mean \"endpoint\"?");
    assert_eq!(found("vault")["state"], "ok", "the rest is checked all the same");
}
