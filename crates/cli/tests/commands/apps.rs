//! `sesame app` and the files of existing scripts.

use crate::{house::House, snapshot};

const ENV: &str = "\u{feff}# the shop's app\r\nexport APP_KEY=\"500123\"\r\nAPP_SECRET='abcdefghijklmnopqrst#1'\r\nREDIRECT_URI=https://shop.example/cb\r\n";

#[test]
fn an_app_is_added_and_listed() {
    let house = House::empty();
    snapshot!(
        "app_add",
        house.show_with(
            &["app", "add", "lazada", "--key", "500123", "--secret-stdin", "--region", "my"],
            "abcdefghijklmnop"
        )
    );
    snapshot!("app_list", house.show(&["app", "list"]));
    let json = house.run(&["app", "list", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["app_key"], "500123");
    assert_eq!(json[0]["sandbox"], false);
}

#[test]
fn an_empty_list_says_how_to_begin() {
    snapshot!("app_list_empty", House::empty().show(&["app", "list"]));
}

#[test]
fn the_env_file_of_a_script_is_taken() {
    let house = House::empty();
    let path = house.file(".env", ENV);
    snapshot!("app_add_env_file", house.show(&["app", "add", "alibaba", "--env-file", &path]));
    let json = house.run(&["app", "list", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["redirect_uri"], "https://shop.example/cb");
}

#[test]
fn its_tokens_become_an_account() {
    let house = House::empty();
    let tokens = "ACCESS_TOKEN=50000601c30atpedfgu3LVvik87\nREFRESH_TOKEN=50001600212wcwOabwyjtEH11acc\nACCOUNT=summer\nEXPIRES_AT=2099-11-21 12:00:00\nREFRESH_EXPIRES_AT=4102444800\n";
    let path = house.file(".env", &format!("{ENV}{tokens}"));
    house.run(&["app", "add", "alibaba", "--env-file", &path]).succeeds();
    let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["name"], "summer");
    assert_eq!(json[0]["state"], "healthy");
    // A time without a zone is this machine's; TZ is Asia/Shanghai here.
    assert_eq!(json[0]["access_expires_at"], "2099-11-21T04:00:00Z");
    assert_eq!(json[0]["refresh_expires_at"], "2100-01-01T00:00:00Z");
    assert_eq!(house.run(&["token", "summer"]).succeeds().stdout, "50000601c30atpedfgu3LVvik87\n");

    let house = House::empty();
    house
        .run(&["app", "add", "alibaba", "--env-file", &path, "--timezone", "America/Los_Angeles"])
        .succeeds();
    let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["access_expires_at"], "2099-11-21T20:00:00Z");
}

#[test]
fn app_lines_are_taken_by_platform() {
    let house = House::empty();
    let path = house.file(
        "apps",
        "lazada:1001:abcdefghijklmnop\n1688:1002:qrstuvwxyzabcdef\nlazada:1003:ghijklmnopqrstuv\n",
    );
    let json =
        house.run(&["app", "add", "lazada", "--env-file", &path, "--output", "json"]).succeeds().json();
    assert_eq!(json["apps"].as_array().map(Vec::len), Some(2));
    snapshot!("app_add_wrong_platform", house.show(&["app", "add", "taobao", "--env-file", &path]));
}

#[test]
fn mistakes_are_named_without_quoting_secrets() {
    let house = House::empty();
    snapshot!(
        "app_add_mistyped",
        house.show_with(&["app", "add", "alibab", "--key", "1", "--secret-stdin"], "x")
    );
    snapshot!("app_add_no_secret", house.show(&["app", "add", "lazada", "--key", "500123"]));
    snapshot!(
        "app_add_region",
        house.show_with(
            &["app", "add", "lazada", "--key", "500123", "--secret-stdin", "--region", "xx"],
            "abcdefghijklmnop"
        )
    );
    let path = house.file("bad.env", "APP_KEY=1\nplantedsecretwithoutname\n");
    let done = house.run(&["app", "add", "lazada", "--env-file", &path]).fails(2);
    assert!(done.stderr.contains("line 2") && !done.stderr.contains("planted"), "{}", done.stderr);
    let path =
        house.file("time.env", "APP_KEY=1\nAPP_SECRET=abcdefghijklmnop\nACCESS_TOKEN=x\nEXPIRES_AT=36000\n");
    snapshot!("app_add_bad_time", house.show(&["app", "add", "lazada", "--env-file", &path]));
    assert_eq!(
        house.run(&["app", "list", "--output", "json"]).succeeds().json(),
        serde_json::json!([]),
        "nothing was stored"
    );
    house.run(&["app", "add", "lazada", "--env-file", "/does/not/exist"]).fails(2);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let house = House::empty();
    let add = ["app", "add", "lazada", "--key", "500123", "--secret-stdin", "--name", "shop"];
    house.run_with(&add, "abcdefghijklmnop").succeeds();
    house.run_with(&add, "abcdefghijklmnop").fails(2);
}

#[test]
fn a_file_that_fails_leaves_nothing_behind_and_can_be_mended() {
    let house = House::empty();
    let tokens = "ACCESS_TOKEN=50000601c30atpedfgu3LVvik87\n";
    let file = |extra: &str| house.file(".env", &format!("{ENV}{tokens}{extra}"));
    house
        .run(&["app", "add", "alibaba", "--env-file", &file("ACCOUNT=summer\n"), "--name", "one"])
        .succeeds();
    for taken in ["ACCOUNT=summer\n", "ACCOUNT=-x\n"] {
        house.run(&["app", "add", "alibaba", "--env-file", &file(taken), "--name", "two"]).fails(2);
        let apps = house.run(&["app", "list", "--output", "json"]).succeeds().json();
        assert_eq!(apps.as_array().map(Vec::len), Some(1), "{taken}");
    }
    house
        .run(&["app", "add", "alibaba", "--env-file", &file("ACCOUNT=winter\n"), "--name", "two"])
        .succeeds();
    let accounts = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(accounts.as_array().map(Vec::len), Some(2));
}

#[test]
fn the_same_file_again_adds_no_second_account_of_its_tokens() {
    let house = House::empty();
    let tokens = "ACCESS_TOKEN=50000601c30atpedfgu3LVvik87\nREFRESH_TOKEN=50001600212wcwOabwyjtEH11acc\n";
    let path = house.file(".env", &format!("{ENV}{tokens}"));
    let add = ["app", "add", "lazada", "--env-file", &path];
    house.run(&add).succeeds();
    snapshot!("app_add_same_tokens", house.show(&add));
    let again = house.run(&[&add[..], &["--output", "json"]].concat()).succeeds().json();
    assert_eq!((&again["left_alone"], &again["accounts"]), (&["lazada"].into(), &serde_json::json!([])));
    let accounts = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(accounts.as_array().map(Vec::len), Some(1));
    // A name that is given is one more name for them.
    let named = format!("{ENV}{tokens}ACCOUNT=mine\n");
    let done = house.run_with(&["app", "add", "lazada", "--env-file", "-"], &named).succeeds();
    assert!(done.stderr.contains("account \"lazada\" has the same tokens"), "{}", done.stderr);
    let shop = house.run(&["accounts", "show", "mine", "--output", "json"]).succeeds().json();
    assert_eq!(shop["name"], "mine");
    // What cannot come in changes no secret either.
    let other = named.replace("abcdefghijklmnopqrst#1", "qrstuvwxyzabcdef");
    house.run_with(&["app", "add", "lazada", "--env-file", "-"], &other).fails(2);
    let add = ["app", "add", "lazada", "--key", "500123", "--secret-stdin", "--output", "json"];
    let same = house.run_with(&add, "abcdefghijklmnopqrst#1").succeeds().json();
    assert_eq!(same["known"][0]["secret_replaced"], false);
}

#[test]
fn a_value_of_the_file_is_not_quoted() {
    let house = House::empty();
    let path = house.file(".env", &format!("{ENV}ACCESS_TOKEN=x\nEXPIRES_AT=plantedtokeninthewrongline\n"));
    let done = house.run(&["app", "add", "alibaba", "--env-file", &path]).fails(2);
    assert!(done.stderr.contains("EXPIRES_AT") && !done.stderr.contains("planted"), "{}", done.stderr);
    assert!(done.stderr.contains("2026-11-21T12:00:00Z"), "{}", done.stderr);
}

#[test]
fn a_known_key_gets_its_secret_anew_and_no_second_app() {
    let house = House::empty();
    let add = ["app", "add", "daraz", "--key", "500123", "--secret-stdin"];
    house.run_with(&add, "abcdefghijklmnop").succeeds();
    snapshot!("app_add_same", house.show_with(&add, "abcdefghijklmnop"));
    snapshot!("app_add_other_secret", house.show_with(&add, "qrstuvwxyzabcdef"));
    let json = [&add[..], &["--output", "json"]].concat();
    let done = house.run_with(&json, "abcdefghijklmnop").succeeds().json();
    assert_eq!(done["known"][0], serde_json::json!({"name": "daraz", "secret_replaced": true}));
    let done = house.run_with(&json, "abcdefghijklmnop").succeeds().json();
    assert_eq!(done["known"][0]["secret_replaced"], false, "the new one was stored");
    // Another platform, name or redirect URI is another app.
    house
        .run_with(&["app", "add", "miravia", "--key", "500123", "--secret-stdin"], "abcdefghijklmnop")
        .succeeds();
    house.run_with(&[&add[..], &["--name", "second"]].concat(), "abcdefghijklmnop").succeeds();
    house
        .run_with(&[&add[..], &["--redirect-uri", "https://shop.example/cb"]].concat(), "abcdefghijklmnop")
        .succeeds();
    let apps = house.run(&["app", "list", "--output", "json"]).succeeds().json();
    let names: Vec<_> = apps.as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["daraz", "miravia", "second", "daraz-2"]);
}
