//! `sesame vault`: check, rekey, copy, import, audit.

use sesame_testing::postgres::Server;

use crate::{
    house::{House, files_below},
    snapshot,
};

/// What `mysql --batch` prints of the ERP's two tables, with invented values.
const JOINED: &str = "\
account\tapp_key\tapp_secret\taliId\taccess_token\trefresh_token\taccess_create_time\trefresh_create_time
shop1\t1234567\tplanted-secret-one\t200042360\tplanted-access\tplanted-refresh\t2026-11-20 10:00:00\t2026-11-01 00:00:00
shop2\t7654321\tplanted-secret-two\t200042361\tNULL\tNULL\tNULL\tNULL
";

const IMPORT: [&str; 4] = ["vault", "import", "--platform", "aliexpress-legacy"];

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

/// No file of the home but `files/` holds any of the planted secrets.
fn assert_sealed(house: &House) {
    for path in files_below(house.path()) {
        if path.starts_with(house.path().join("files")) {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"planted"), "{}", path.display());
    }
}

#[test]
fn the_erps_table_comes_in_is_checked_rekeyed_and_copied() {
    let mut house = House::empty();
    let path = house.file("erp.tsv", JOINED);
    let import = with(&IMPORT, &["--tsv", &path]);
    snapshot!("vault_import_dry_run", house.show(&with(&import, &["--dry-run"])));
    snapshot!("vault_import", house.show(&import));
    let again = house.run(&with(&import, &["--output", "json"])).succeeds().json();
    assert_eq!(again["left_alone"][0]["name"], "shop1");
    assert_eq!(again["accounts"], serde_json::json!([]));
    snapshot!("vault_check", house.show(&["vault", "check"]));
    snapshot!("vault_rekey", house.show(&["vault", "rekey"]));
    house.run(&["vault", "check"]).succeeds();
    assert_eq!(
        house.run(&["vault", "audit", "--output", "json"]).succeeds().json().as_array().unwrap().len(),
        3
    );
    snapshot!("vault_audit", house.show(&["vault", "audit", "--since", "1d", "--account", "shop1"]));

    let copy = ["vault", "copy", "--to", "sqlite:copy.db"];
    snapshot!("vault_copy", house.show(&copy));
    snapshot!("vault_copy_again", house.show(&copy));
    snapshot!("vault_copy_to_itself", house.show(&["vault", "copy", "--to", "sqlite:vault.db"]));
    #[cfg(unix)]
    for file in ["copy.db", "copy.db.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(house.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let json = house.run(&["--vault", "sqlite:copy.db", "accounts", "--output", "json"]).succeeds().json();
    let shop = json.as_array().unwrap().iter().find(|account| account["name"] == "shop1").unwrap();
    assert_eq!(shop["shop_id"], "200042360");
    assert_eq!(shop["access_expires_at"], "2026-11-20T12:00:00Z");
    assert_ne!(
        std::fs::read(house.path().join("copy.db.key")).unwrap(),
        std::fs::read(house.path().join("vault.db.key")).unwrap()
    );

    // With a passphrase of its own, which the vault's own key does not replace.
    let sealed = with(&["vault", "copy", "--to", "sqlite:sealed.db"], &["--key", "passphrase"]);
    snapshot!("vault_copy_no_passphrase", house.show(&sealed));
    assert!(!house.path().join("sealed.db").exists());
    house.set("SESAME_NEW_PASSPHRASE", "short");
    house.run(&sealed).fails(2);
    assert!(!house.path().join("sealed.db").exists());
    house.set("SESAME_NEW_PASSPHRASE", "planted words of the copy");
    let done = house.run(&with(&sealed, &["--output", "json"])).succeeds().json();
    assert_eq!((done["apps"].as_u64(), done["accounts"].as_u64()), (Some(2), Some(2)));
    assert!(!house.path().join("sealed.db.key").exists());
    let refused = house.run(&["--vault", "sqlite:sealed.db", "accounts"]).fails(2);
    assert!(refused.stderr.contains("sealed with a passphrase"), "{}", refused.stderr);
    house.set("SESAME_NEW_PASSPHRASE", "planted words of another");
    let refused = house.run(&sealed).fails(2);
    assert!(refused.stderr.contains("not the master key of this vault"), "{}", refused.stderr);
    assert_sealed(&house);
}

#[test]
fn a_copy_goes_to_postgresql_and_back() {
    let house = House::empty();
    let import = with(&IMPORT, &["--tsv", "-"]);
    house.run_with(&import, JOINED).succeeds();
    let database = Server::shared().database();
    house.run(&["vault", "copy", "--to", &database.by_socket]).succeeds();
    house.run(&["--vault", &database.by_socket, "vault", "check"]).succeeds();
    let back = ["--vault", &database.by_socket, "vault", "copy", "--to", "sqlite:back.db"];
    house.run(&back).succeeds();
    let accounts = |vault: &str| {
        let mut list = house.run(&["--vault", vault, "accounts", "--output", "json"]).succeeds().json();
        // Counted from the moment of each command.
        for account in list.as_array_mut().unwrap() {
            for name in ["access_seconds_left", "refresh_seconds_left"] {
                account.as_object_mut().unwrap().remove(name).unwrap();
            }
        }
        list
    };
    assert_eq!(accounts("sqlite:back.db"), accounts("sqlite:vault.db"));
    let other = Server::shared().database();
    let warned = house.run(&["vault", "copy", "--to", &other.by_tcp]).succeeds();
    assert!(warned.stderr.contains("can see the password in --to"), "{}", warned.stderr);
    assert!(!warned.stderr.contains(sesame_testing::postgres::PASSWORD), "{}", warned.stderr);
    assert_sealed(&house);
}

#[test]
fn a_copy_that_is_killed_is_repeated() {
    let house = House::empty();
    let rows = (0..6_000).map(|shop| format!("shop{shop},77,planted-s,planted-a{shop},planted-r{shop}\n"));
    let csv: String = std::iter::once("account,app_key,app_secret,access_token,refresh_token\n".to_owned())
        .chain(rows)
        .collect();
    let path = house.file("shops.csv", &csv);
    house.run(&["vault", "import", "--csv", &path, "--platform", "lazada"]).succeeds();
    let copy = ["vault", "copy", "--to", "sqlite:copy.db", "--output", "json"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let copied = || {
        runtime.block_on(async {
            let address = format!("sqlite:{}?mode=ro", house.path().join("copy.db").display());
            let Ok(mut target) = <sqlx::SqliteConnection as sqlx::Connection>::connect(&address).await else {
                return 0;
            };
            let count = sqlx::query_scalar("SELECT count(*) FROM account").fetch_one(&mut target).await;
            count.unwrap_or(0_i64)
        })
    };
    let mut child = house.command(&copy).stdout(std::process::Stdio::null()).spawn().unwrap();
    while copied() == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = copied();
    assert!(before > 0 && before < 6_000, "{before}");
    let done = house.run(&copy).succeeds().json();
    assert_eq!(done["accounts"].as_i64().unwrap() + before, 6_000);
    assert_eq!(copied(), 6_000);
    house.run(&["--vault", "sqlite:copy.db", "vault", "check"]).succeeds();
    assert_sealed(&house);
}

#[test]
fn mistakes_are_named() {
    let house = House::empty();
    snapshot!("vault_check_no_vault", house.show(&["vault", "check"]));
    snapshot!("vault_rekey_no_vault", house.show(&["vault", "rekey"]));
    snapshot!("vault_copy_no_vault", house.show(&["vault", "copy", "--to", "sqlite:copy.db"]));
    let bad = house.file(
        "bad.csv",
        "account,app_key,app_secret,tok\nshop1,1001,secret1,planted token\nshop2,1002,,t\nshop1,1001,secret1,t\nshop4,1004,secret4,t\n",
    );
    snapshot!("vault_import_no_platform", house.show(&["vault", "import", "--csv", &bad]));
    let import = ["vault", "import", "--csv", &bad, "--platform", "lazada", "--map", "access_token=tok"];
    snapshot!("vault_import_bad_rows", house.show(&import));
    let looked = house.run(&[&import[..], &["--dry-run", "--output", "json"]].concat()).fails(2).json();
    assert_eq!(looked["skipped"].as_array().unwrap().len(), 3);
    assert!(house.run(&["accounts", "--output", "json"]).succeeds().json().as_array().unwrap().is_empty());
    snapshot!("vault_import_skip_bad", house.show(&[&import[..], &["--skip-bad"]].concat()));
    snapshot!(
        "vault_import_bad_map",
        house.show(&["vault", "import", "--csv", &bad, "--platform", "lazada", "--map", "token=tok"])
    );
    snapshot!("vault_copy_no_place", house.show(&["vault", "copy", "--to", "/backup/vault.db"]));
    snapshot!("vault_import_no_file", house.show(&["vault", "import", "--platform", "lazada"]));
    assert_sealed(&house);
}

#[test]
fn a_passphrase_is_changed_and_the_former_one_says_so() {
    let mut house = House::empty();
    house.set("SESAME_PASSPHRASE", "the former words");
    let env = house.file(
        ".env",
        "APP_KEY=1001\nAPP_SECRET=planted-secret\nACCESS_TOKEN=planted-token\nACCESS_CREATE_TIME=2026-11-20 10:00:00\n",
    );
    let done = house
        .run(&["vault", "import", "--env-file", &env, "--platform", "alibaba", "--output", "json"])
        .succeeds();
    assert_eq!(done.json()["accounts"], serde_json::json!(["alibaba"]));
    snapshot!("vault_rekey_no_passphrase", house.show(&["vault", "rekey"]));
    house.set("SESAME_NEW_PASSPHRASE", "the new words");
    snapshot!("vault_rekey_lost_passphrase", house.show(&["vault", "rekey"]));
    let words = house.file("words", "the new words\n");
    snapshot!("vault_rekey_passphrase", house.show(&["vault", "rekey", "--key-file", &words]));
    snapshot!("vault_former_passphrase", house.show(&["vault", "check"]));
    house.set("SESAME_PASSPHRASE", "the new words");
    assert_eq!(house.run(&["token", "alibaba"]).code, house.run(&["token", "alibaba"]).code);
    let report = house.run(&["vault", "check", "--output", "json"]).succeeds().json();
    assert_eq!((report["values"].as_u64(), report["keys"].as_u64()), (Some(2), Some(2)));
    assert_sealed(&house);
}

#[test]
fn a_rekey_to_a_keyring_that_is_not_there_changes_nothing() {
    let house = House::empty();
    super::accounts::imported(&house, "lazada", "shop", 100);
    let refused = house.run(&["vault", "rekey", "--to", "keyring"]).fails(1);
    assert!(refused.stderr.contains("keyring"), "{}", refused.stderr);
    house.run(&["vault", "rekey"]).succeeds();
    house.run(&["vault", "rekey", "--anew"]).succeeds();
    house.run(&["vault", "check"]).succeeds();
}

#[test]
fn shops_whose_end_nobody_knows_are_not_shown_as_healthy() {
    let house = House::empty();
    let csv = house.file(
        "shops.csv",
        "account,app_key,app_secret,access_token,refresh_token,refresh_create_time\nshop1,1001,secret1,tok1,rtok1,0000-00-00 00:00:00\nshop2,1001,secret1,tok2,rtok2,NULL\n",
    );
    snapshot!(
        "vault_import_no_ends",
        house.show(&["vault", "import", "--csv", &csv, "--platform", "lazada"])
    );
    snapshot!("accounts_no_ends", house.show(&["accounts"]));
    snapshot!("accounts_expiring_no_ends", house.show(&["accounts", "--expiring", "30d"]));
    snapshot!("accounts_show_no_ends", house.show(&["accounts", "show", "shop1"]));
}

/// Nothing but the files of the test lies in the home.
fn assert_untouched(house: &House) {
    let left: Vec<_> = files_below(house.path())
        .into_iter()
        .filter(|path| !path.starts_with(house.path().join("files")))
        .collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_import_that_looks_or_fails_makes_no_vault() {
    let house = House::empty();
    let path = house.file("erp.tsv", JOINED);
    house.run(&with(&IMPORT, &["--tsv", &path, "--dry-run"])).succeeds();
    assert_untouched(&house);
    let bad = house.file("bad.csv", "account,app_key,access_token\nshop1,1001,t\n");
    house.run(&["vault", "import", "--csv", &bad, "--platform", "lazada"]).fails(2);
    house.run(&["vault", "import", "--csv", &bad, "--app", "nobody"]).fails(2);
    for (variable, value) in [("SESAME_PASSPHRASE", "short"), ("SESAME_MASTER_KEY", "abc")] {
        let mut house = House::empty();
        house.set(variable, value);
        let path = house.file("erp.tsv", JOINED);
        house.run(&with(&IMPORT, &["--tsv", &path])).fails(2);
        assert_untouched(&house);
    }
    assert_untouched(&house);
}

#[cfg(unix)]
#[test]
fn what_never_ends_is_not_read() {
    let house = House::empty();
    for format in ["--csv", "--tsv", "--jsonl", "--env-file"] {
        let refused = house.run(&with(&IMPORT, &[format, "/dev/zero"])).fails(2);
        assert!(refused.stderr.contains("not a regular file"), "{}", refused.stderr);
    }
    let sesame = env!("CARGO_BIN_EXE_sesame");
    let piped = house.shell(&format!("{sesame} vault import --csv - --platform lazada < /dev/zero"));
    assert_eq!(piped.code, Some(2), "{}", piped.stderr);
    assert!(piped.stderr.contains("larger than 64 MiB"), "{}", piped.stderr);
    assert_untouched(&house);
}

#[test]
fn tables_come_from_standard_input_too() {
    let house = House::empty();
    let tsv = house.run_with(&with(&IMPORT, &["--tsv", "-"]), JOINED).succeeds();
    assert!(tsv.stdout.contains("2 apps, 2 accounts"), "{}", tsv.stdout);
    let csv = "account,app_key,app_secret,access_token\nother,1001,secret1,t\n";
    house.run_with(&["vault", "import", "--csv", "-", "--platform", "lazada"], csv).succeeds();
    let jsonl = "{\"shop\":\"third\",\"app_key\":1001,\"app_secret\":\"secret1\",\"access_token\":\"t3\"}\n";
    let import = ["vault", "import", "--jsonl", "-", "--platform", "lazada", "--map", "account=shop"];
    house.run_with(&import, jsonl).succeeds();
    for name in ["other", "third"] {
        let shop = house.run(&["accounts", "show", name, "--output", "json"]).succeeds().json();
        assert_eq!(shop["secret_origin"], "standard input");
    }
}

#[test]
fn an_env_file_is_one_shop_or_an_error() {
    let house = House::empty();
    let env = house.file("apps.env", "lazada:1001:planted-secret-of-lines\nDEBUG=1\n");
    snapshot!(
        "vault_import_env_no_token",
        house.show(&["vault", "import", "--env-file", &env, "--platform", "lazada"])
    );
    let env = house.file(
        "shop.env",
        "lazada:1001:planted-secret-of-lines\ndaraz:1002:planted-secret-of-daraz\nREFRESH_TOKEN=planted-refresh\nACCOUNT=mine\n",
    );
    house.run(&["vault", "import", "--env-file", &env, "--platform", "lazada"]).succeeds();
    let shop = house.run(&["accounts", "show", "mine", "--output", "json"]).succeeds().json();
    assert_eq!(shop["platform"], "lazada");
    assert_eq!(house.run(&["app", "list", "--output", "json"]).succeeds().json()[0]["app_key"], "1001");
    let env = house.file("two.env", "lazada:1:s1\nlazada:2:s2\nACCESS_TOKEN=planted-access\n");
    let refused = house.run(&["vault", "import", "--env-file", &env, "--platform", "lazada"]).fails(2);
    assert!(refused.stderr.contains("several apps"), "{}", refused.stderr);
    assert_sealed(&house);
}

#[test]
fn a_second_shop_of_an_app_without_a_name_is_no_known_one() {
    let house = House::empty();
    let file = |shop: u32| {
        format!(
            "APP_KEY=1001\nAPP_SECRET=planted-secret\nACCESS_TOKEN=planted-a{shop}\nREFRESH_TOKEN=planted-r{shop}\nCOUNTRY=my\n"
        )
    };
    let import = ["vault", "import", "--env-file", "-", "--platform", "lazada"];
    house.run_with(&import, &file(1)).succeeds();
    snapshot!("vault_import_env_other_tokens", house.show_with(&import, &file(2)));
    house.run_with(&[&import[..], &["--as", "second"]].concat(), &file(2)).succeeds();
    let again = house.run_with(&[&import[..], &["--output", "json"]].concat(), &file(2)).fails(2);
    assert!(!again.stderr.contains("planted"), "{}", again.stderr);
    let again = house.run_with(&[&import[..], &["--output", "json"]].concat(), &file(1)).succeeds().json();
    assert_eq!(again["left_alone"], serde_json::json!([{ "name": "lazada", "stands": "lazada" }]));
    let shop = house.run(&["accounts", "show", "second", "--output", "json"]).succeeds().json();
    assert_eq!((&shop["country"], &shop["region"]), (&"my".into(), &"my".into()));
    assert_eq!(shop["secret_origin"], "standard input");
    assert!(
        house
            .run(&["vault", "import", "--csv", "-", "--as", "x"])
            .fails(2)
            .stderr
            .contains("cannot be used with")
    );
    assert_sealed(&house);
}

#[test]
fn an_import_into_a_sandbox_says_so() {
    let mut house = House::empty();
    let path = house.file("erp.tsv", JOINED);
    let import = with(&IMPORT, &["--tsv", &path]);
    house.run(&import).succeeds();
    house.set("SESAME_ENDPOINT", "http://127.0.0.1:4700");
    let refused = house.run(&import).fails(2);
    assert!(
        refused.stderr.contains(
            "is a real shop in this vault, and would be a shop of the sandbox at http://127.0.0.1:4700 here"
        ),
        "{}",
        refused.stderr
    );
    let other = house.file("other.tsv", &JOINED.replace("shop", "test").replace("planted-a", "planted-b"));
    let import = with(&IMPORT, &["--tsv", &other]);
    for more in [&["--dry-run"][..], &[]] {
        let done = house.run(&with(&import, more)).succeeds();
        assert!(done.stderr.contains("shops of the sandbox at http://127.0.0.1:4700"), "{}", done.stderr);
    }
    let json = house.run(&with(&import, &["--output", "json"])).succeeds().json();
    assert_eq!(json["sandbox"], "http://127.0.0.1:4700");
    house.set("SESAME_ENDPOINT", "");
    let refused = house.run(&import).fails(2);
    assert!(
        refused.stderr.contains(
            "is a shop of the sandbox at http://127.0.0.1:4700 in this vault, and would be a real shop here"
        ),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_platform_of_an_env_file_counts() {
    let house = House::empty();
    let file = "PLATFORM=lazada\nAPP_KEY=1001\nAPP_SECRET=planted-s\nACCESS_TOKEN=planted-a\n";
    let import = |more: &[&str], file: &str| {
        house.run_with(&[&["vault", "import", "--env-file", "-", "--dry-run"][..], more].concat(), file)
    };
    let refused = import(&["--platform", "alibaba"], file).fails(2);
    assert!(refused.stderr.contains("is one of lazada, and --platform says alibaba"), "{}", refused.stderr);
    assert!(import(&[], file).succeeds().stdout.contains("account lazada"));
    import(&["--platform", "lazada"], file).succeeds();
    let line = "\nlazada:1:planted-s\nACCESS_TOKEN=planted-a\n";
    assert!(import(&[], line).succeeds().stdout.contains("account lazada"));
    let refused = import(&["--platform", "alibaba"], line).fails(2);
    assert!(refused.stderr.contains("is one of lazada"), "{}", refused.stderr);
    let refused = import(&[], "PLATFORM=nowhere\nACCESS_TOKEN=planted-a\n").fails(2);
    assert!(refused.stderr.contains("nowhere"), "{}", refused.stderr);
    let refused = import(&[], "APP_KEY=1\nAPP_SECRET=planted-s\nACCESS_TOKEN=planted-a\n").fails(2);
    assert!(refused.stderr.contains("platform of the shops is not given"), "{}", refused.stderr);
}

#[test]
fn mistakes_in_an_env_file_are_named_by_their_lines() {
    let house = House::empty();
    let head = "PLATFORM=lazada\nAPP_KEY=1001\n\n# the secret\nAPP_SECRET=planted-s\n";
    let import = |rest: &str| {
        let refused =
            house.run_with(&["vault", "import", "--env-file", "-"], &format!("{head}{rest}")).fails(2);
        assert!(!refused.stderr.contains("planted"), "{}", refused.stderr);
        refused.stderr
    };
    let said = import("ACCESS_TOKEN=planted-a\nACCESS_CREATE_TIME=planted\n");
    assert!(said.contains("ACCESS_CREATE_TIME (line 7) is not a time"), "{said}");
    let said = import("REFRESH_TOKEN=\"planted a\"\n");
    assert!(said.contains("REFRESH_TOKEN (line 6) is not a token"), "{said}");
    for variable in ["${TOKEN}", "$TOKEN", "\"${TOKEN}\"", "pre-${TOKEN}"] {
        let said = import(&format!("ACCESS_TOKEN={variable}\n"));
        assert!(said.contains("line 6") && said.contains("is a variable"), "{said}");
    }
    // A text in single quotes is what it is, and what is not read may be anything.
    let good = format!("{head}ACCESS_TOKEN='$TOKEN'\nPATH=$PATH:/opt\n");
    house.run_with(&["vault", "import", "--env-file", "-", "--dry-run"], &good).succeeds();
}

#[test]
fn a_life_of_nothing_is_refused() {
    let house = House::empty();
    let path = house.file("erp.tsv", JOINED);
    for (option, life) in [("--access-life", "0h"), ("--refresh-life", "0d")] {
        let refused = house.run(&with(&IMPORT, &["--tsv", &path, option, life])).fails(2);
        assert!(refused.stderr.contains("longer than nothing"), "{}", refused.stderr);
    }
}
