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
    let replace = [&add[..], &["--replace"]].concat();
    snapshot!("app_add_replace", house.show_with(&replace, "qrstuvwxyzabcdef"));
    let json = [&replace[..], &["--output", "json"]].concat();
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

#[test]
fn a_wrong_secret_names_the_way_back_and_the_former_one_comes_back() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let (key, _) = house.app("lazada");
    let add = ["app", "add", "lazada", "--key", &key, "--secret-stdin"];
    let refused = house.run_with(&add, "qrstuvwxyzabcdef").fails(2);
    assert!(refused.stderr.contains("--replace") && refused.stderr.contains("nothing was changed"));
    house.run(&["call", "shop", "/seller/get"]).succeeds();
    house.run_with(&[&add[..], &["--replace"]].concat(), "qrstuvwxyzabcdef").succeeds();
    let done = house.run(&["call", "shop", "/seller/get", "--output", "json"]).fails(4);
    let hint = done.error()["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("sesame app edit lazada --former-secret"), "{hint}");
    let app = house.run(&["app", "show", "lazada", "--output", "json"]).succeeds().json();
    assert_eq!((&app["has_former_secret"], &app["accounts"][0]), (&true.into(), &"shop".into()));
    house.run(&["app", "edit", "lazada", "--former-secret"]).succeeds();
    house.run(&["call", "shop", "/seller/get"]).succeeds();
    let app = house.run(&["app", "show", "lazada", "--output", "json"]).succeeds().json();
    assert_eq!(app["has_former_secret"], false, "it has worked");
    house.run(&["app", "edit", "lazada", "--former-secret"]).fails(2);
}

#[test]
fn an_app_is_shown_changed_renamed_and_removed() {
    let house = House::empty();
    let add = ["app", "add", "lazada", "--key", "500123", "--secret-stdin"];
    house.run_with(&add, "abcdefghijklmnop").succeeds();
    house.run(&["app", "edit", "lazada"]).fails(2);
    house.run(&["app", "edit", "lazada", "--region", "mars"]).fails(2);
    house
        .run(&["app", "edit", "lazada", "--region", "my", "--redirect-uri", "https://shop.example/cb"])
        .succeeds();
    house.run(&["app", "rename", "lazada", "my shop"]).succeeds();
    snapshot!("app_show", house.show(&["app", "show", "my shop"]));
    snapshot!("app_remove_unasked", house.show(&["app", "remove", "my shop"]));
    snapshot!("app_remove", house.show(&["app", "remove", "my shop", "--yes"]));
    assert_eq!(house.run(&["app", "list", "--output", "json"]).succeeds().json(), serde_json::json!([]));

    let house = House::with_accounts(&[("lazada", "a;shop")]);
    snapshot!("app_remove_used", house.show(&["app", "remove", "lazada", "--yes"]));
}

#[test]
fn a_platform_that_is_switched_off_says_so_and_what_to_do() {
    let house = House::empty();
    let add = ["app", "add", "aliexpress-legacy", "--key", "500123", "--secret-stdin"];
    let says = |stderr: &str| {
        assert!(stderr.contains("switched off") && stderr.contains("sesame app add aliexpress"), "{stderr}");
    };
    says(&house.run_with(&add, "abcdefghijklmnop").succeeds().stderr);
    let table =
        "account\taccess_token\trefresh_token\tapp_key\tapp_secret\ns1\ta\tr\t500123\tabcdefghijklmnop\n";
    let import = ["vault", "import", "--tsv", "-", "--platform", "aliexpress-legacy"];
    says(&house.run_with(&import, table).succeeds().stderr);
    says(&house.run(&["accounts"]).succeeds().stderr);
    let checks = house.run(&["doctor", "--output", "json"]).json();
    let route = checks.as_array().unwrap().iter().find(|check| check["check"] == "route aliexpress-legacy");
    assert_eq!(route.unwrap()["state"], "note");
    let other = house.run_with(&["app", "add", "lazada", "--key", "1", "--secret-stdin"], "abcdefghijklmnop");
    assert!(!other.succeeds().stderr.contains("switched off"));
}

#[test]
fn the_consoles_of_a_platform_with_several_key_registries_are_named_where_nobody_can_be_asked() {
    let house = House::empty();
    let add = ["app", "add", "alibaba", "--key", "500123", "--secret-stdin"];
    let done = house.run_with(&add, "abcdefghijklmnop").succeeds();
    let both = "openapi.alibaba.com (--region global) or open.alibaba.com (--region seller)";
    assert!(done.stderr.contains(both), "{}", done.stderr);
    let chosen = [&add[..], &["--region", "seller", "--name", "b"]].concat();
    assert!(!house.run_with(&chosen, "abcdefghijklmnop").succeeds().stderr.contains("openapi.alibaba.com"));
    let other = ["app", "add", "lazada", "--key", "1", "--secret-stdin"];
    assert!(!house.run_with(&other, "abcdefghijklmnop").succeeds().stderr.contains("--region"));
}
