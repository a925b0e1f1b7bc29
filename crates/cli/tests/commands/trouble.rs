//! What gateways, networks and machines do to commands: a clear error and the right code.

use sesame_sandbox::FaultRule;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{house::House, snapshot};

/// A shop whose gateway has this trouble once it was authorized.
fn troubled(rule: &str) -> House {
    let rule: FaultRule = rule.parse().unwrap();
    House::with(|options| options.faults.push(rule)).and_accounts(&[("lazada", "shop")])
}

const CALL: [&str; 4] = ["call", "shop", "/products/get", "--timeout=3s"];

#[test]
fn an_html_page_is_not_an_answer() {
    let done = troubled("html@/products/get").run(&[&CALL[..], &["--output", "json"]].concat()).fails(4);
    assert_eq!(done.error()["kind"], "envelope");
    assert!(done.error()["message"].as_str().unwrap().contains("web page"), "{}", done.stderr);
}

#[test]
fn cut_and_empty_replies_are_told_apart() {
    let done = troubled("truncated@/products/get").run(&[&CALL[..], &["--output", "json"]].concat());
    assert!(matches!(done.code, Some(4 | 5)), "{:?} {}", done.code, done.stderr);
    let done = troubled("empty@/products/get").run(&[&CALL[..], &["--output", "json"]].concat()).fails(4);
    assert!(done.error()["message"].as_str().unwrap().contains("empty"), "{}", done.stderr);
}

#[test]
fn a_reply_of_100_megabytes_is_cut_off() {
    let done = troubled("huge=100000000@/products/get")
        .run(&["call", "shop", "/products/get", "--timeout=30s", "--output", "json"])
        .fails(4);
    assert_eq!(done.error()["kind"], "envelope", "{}", done.stderr);
}

#[test]
fn a_gateway_that_hangs_is_left() {
    let begun = std::time::Instant::now();
    let done = troubled("hang@/products/get").run(&[&CALL[..], &["--output", "json"]].concat()).fails(5);
    assert_eq!(done.error()["kind"], "timeout", "{}", done.stderr);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn limits_and_their_wait_are_told() {
    let done =
        troubled("call-limit=600@/products/get").run(&[&CALL[..], &["--output", "json"]].concat()).fails(6);
    assert_eq!(done.error()["kind"], "quota");
    assert_eq!(done.error()["code"], "ApiCallLimit");
    assert!(done.error()["retry_after"].as_f64().is_some_and(|wait| wait >= 500.0), "{}", done.stderr);
}

#[test]
fn success_that_is_none_is_seen() {
    let done =
        troubled("business-failure@/products/get").run(&[&CALL[..], &["--output", "json"]].concat()).fails(4);
    assert_eq!(done.error()["kind"], "business", "{}", done.stderr);
}

#[test]
fn a_refused_token_is_refreshed_once() {
    let house = troubled("illegal-token@/products/get,count=1");
    let before = house.run(&["accounts", "--output", "json"]).succeeds().json()[0]["generation"].as_i64();
    house.run(&CALL).succeeds();
    let after = house.run(&["accounts", "--output", "json"]).succeeds().json()[0]["generation"].as_i64();
    assert_eq!(after, before.map(|generation| generation + 1));
}

#[test]
fn a_write_is_not_sent_twice_and_that_is_said() {
    let house = troubled("drop-after@/product/remove");
    let done = house
        .run(&["call", "shop", "/product/remove", "seller_sku_list=[\"a\"]", "--yes", "--output", "json"])
        .fails(5);
    assert_eq!(done.error()["may_have_happened"], true);
}

#[test]
fn a_wrong_secret_points_at_the_explanation() {
    let house = House::with_sandbox();
    let (key, _) = house.app("lazada");
    let path = house.file("wrong.env", &format!("APP_KEY={key}\nAPP_SECRET=wrongwrongwrongwrong\nACCESS_TOKEN=50000601c30atpedfgu3LVvik87\nACCOUNT=shop\n"));
    house.run(&["app", "add", "lazada", "--env-file", &path]).succeeds();
    snapshot!("wrong_secret", house.show(&["call", "shop", "/products/get"]));
    let path = house.file("unknown.env", "APP_KEY=123454321\nAPP_SECRET=wrongwrongwrongwrong\nACCESS_TOKEN=50000601c30atpedfgu3LVvik87\nACCOUNT=other\n");
    house.run(&["app", "add", "lazada", "--env-file", &path]).succeeds();
    let done = house.run(&["call", "other", "/products/get", "--output", "json"]).fails(4);
    assert_eq!(done.error()["kind"], "app", "{}", done.stderr);
}

#[test]
fn a_clock_three_hours_off_is_corrected_or_named() {
    let house = House::with(|options| {
        let now = sesame_core::Clock::now(&sesame_vault::SystemClock);
        options.now = Some(now + jiff::SignedDuration::from_hours(3));
    });
    house.add_app("taobao");
    house.run(&["login", "taobao", "--as", "shop"]).succeeds();
    let done =
        house.run(&["call", "shop", "taobao.items.onsale.get", "fields=num_iid", "page_size=1"]).succeeds();
    assert!(done.stderr.contains("clock"), "{}", done.stderr);
    let doctor = house.run(&["doctor", "--output", "json"]).fails(1);
    let clock =
        doctor.json().as_array().unwrap().iter().find(|row| row["check"] == "clock").cloned().unwrap();
    assert_eq!(clock["state"], "wrong");
}

#[test]
fn nobody_listening_is_a_network_error() {
    let mut house = House::with_accounts(&[("lazada", "shop")]);
    house.set("SESAME_ENDPOINT", "http://127.0.0.1:9");
    let done = house.run(&[&CALL[..], &["--output", "json"]].concat()).fails(5);
    assert_eq!(done.error()["kind"], "network");
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let mut house = House::empty();
    let file = house.file("a-file", "x");
    house.set("SESAME_HOME", &format!("{file}/home"));
    let done = house
        .run_with(&["app", "add", "lazada", "--key", "1", "--secret-stdin"], "abcdefghijklmnop")
        .fails(1);
    assert!(done.stderr.contains("a-file/home") && done.stderr.contains("hint:"), "{}", done.stderr);
}

#[test]
fn a_damaged_vault_is_left_as_it_is() {
    let house = House::empty();
    let vault = house.path().join("vault.db");
    std::fs::write(&vault, b"this is not a database, and it is long enough to look like one to nobody")
        .unwrap();
    let before = std::fs::read(&vault).unwrap();
    let done = house.run(&["accounts"]).fails(1);
    assert!(done.stderr.contains("vault.db") && done.stderr.contains("hint:"), "{}", done.stderr);
    assert_eq!(std::fs::read(&vault).unwrap(), before);
    let doctor = house.run(&["doctor", "--output", "json"]).fails(1).json();
    assert!(doctor.as_array().unwrap().iter().any(|row| row["check"] == "vault" && row["state"] == "wrong"));
}

#[test]
fn a_missing_master_key_is_named() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    std::fs::rename(house.path().join("vault.db.key"), house.path().join("elsewhere")).unwrap();
    let done = house.run(&["token", "shop"]).fails(1);
    assert!(done.stderr.contains("vault.db.key"), "{}", done.stderr);
    assert_eq!(done.stdout, "");
}

/// What machines do to the vault's file.
#[test]
fn a_vault_of_a_newer_version_is_left_alone() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let path = house.path().join("vault.db");
    // Through SQLite itself: what was written last may still stand in the log beside the file.
    // Closing the only connection moves it over, so that the file can be compared afterwards.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut vault =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut vault).await.unwrap();
        vault.close().await.unwrap();
    });
    let file = std::fs::read(&path).unwrap();
    for arguments in [&["accounts"][..], &["token", "shop"], &["call", "shop", "/products/get"]] {
        let done = house.run(arguments).fails(1);
        assert!(done.stderr.contains("newer Sesame") && done.stderr.contains("vault.db"), "{}", done.stderr);
    }
    assert_eq!(std::fs::read(&path).unwrap(), file, "nothing was changed");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_a_clear_error() {
    let house = House::empty();
    let sesame = env!("CARGO_BIN_EXE_sesame");
    // Blocks of 512 bytes. The signal of a file that is too large is ignored, so that writes fail.
    let line = format!(
        "trap '' XFSZ; ulimit -f 1; {sesame} app add lazada --key 500123 --secret abcdefghijklmnop; echo code $?"
    );
    let done = house.shell(&line);
    assert!(done.stdout.contains("code 1"), "{} {}", done.stdout, done.stderr);
    assert!(done.stderr.contains("error:") && !done.stderr.contains("panicked"), "{}", done.stderr);
    // With room again, the same command works.
    house.run(&["app", "add", "lazada", "--key", "500123", "--secret", "abcdefghijklmnop"]).succeeds();
}

#[cfg(unix)]
#[test]
fn a_home_that_may_not_be_written_is_a_clear_error() {
    use std::os::unix::fs::PermissionsExt;

    let house = House::empty();
    let home = house.path().join("closed");
    std::fs::create_dir(&home).unwrap();
    let mode = |mode| std::fs::set_permissions(&home, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    // For root every door is open.
    if std::fs::write(home.join("probe"), "").is_err() {
        let mut add =
            house.command(&["app", "add", "lazada", "--key", "500123", "--secret", "abcdefghijklmnop"]);
        let output = add.env("SESAME_HOME", &home).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("closed"), "{said}");
    }
    mode(0o700);
}

#[cfg(unix)]
#[test]
fn a_vault_file_that_cannot_be_opened_is_named_itself() {
    use std::os::unix::fs::PermissionsExt;

    let house = House::empty();
    house.run(&["app", "add", "lazada", "--key", "500123", "--secret", "abcdefghijklmnop"]).succeeds();
    let file = house.path().join("vault.db");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    // For root every door is open.
    if std::fs::File::open(&file).is_err() {
        let said = house.run(&["app", "list"]).fails(1).stderr;
        assert!(said.contains("the file itself: ") && !said.contains("its directory"), "{said}");
    }
}

/// As after a restart of the sandbox.
#[test]
fn a_sandbox_that_knows_the_tokens_no_more_says_why() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let revoke = format!("{}/_sandbox/tokens/revoke", house.url());
    assert!(crate::shops::request("POST", &revoke, "{}").contains(" 200 "));
    for arguments in [&["refresh", "shop"][..], &["products", "list", "shop"]] {
        let over = house.run(arguments).fails(3);
        assert!(over.stderr.contains("knows no tokens from before it was started"), "{}", over.stderr);
    }
}
