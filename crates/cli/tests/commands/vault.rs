//! `sesame vault`: check, rekey, export, import, audit.

use crate::{
    house::{House, files_below},
    snapshot,
};

/// As mysqldump writes the ERP's two tables, with invented values.
const DUMP: &str = "\
-- MySQL dump 10.13
DROP TABLE IF EXISTS `account`;
CREATE TABLE `account` (
  `id` int NOT NULL,
  `account` varchar(50) NOT NULL,
  `appkey` varchar(50),
  `appsecret` varchar(50),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `account` VALUES (1,'shop1','1234567','planted-secret-one'),(2,'shop2','7654321','planted-secret-two');
CREATE TABLE `erp_aliexpress_accounts` (
  `aliexpress_account` varchar(50),
  `aliId` bigint,
  `access_token` varchar(255),
  `refresh_token` varchar(255),
  `access_create_time` datetime,
  `refresh_create_time` datetime
);
INSERT INTO `erp_aliexpress_accounts` VALUES ('shop1',200042360,'planted-access','planted-refresh','2026-11-20 10:00:00','2099-01-01 00:00:00'),
('shop2',200042361,NULL,NULL,NULL,NULL);
";

/// The same, with a create time that is in the past on any day.
fn dump() -> String {
    DUMP.replace("2099-01-01 00:00:00", "2026-11-01 00:00:00")
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
fn the_erps_dump_comes_in_is_checked_rekeyed_and_moved() {
    let mut house = House::empty();
    house.set("SESAME_EXPORT_PASSPHRASE", "planted words of the export");
    let path = house.file("erp.sql", &dump());
    snapshot!("vault_import_dry_run", house.show(&["vault", "import", "--sql-dump", &path, "--dry-run"]));
    snapshot!("vault_import", house.show(&["vault", "import", "--sql-dump", &path]));
    let again = house.run(&["vault", "import", "--sql-dump", &path, "--output", "json"]).succeeds().json();
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
    snapshot!("vault_export", house.show(&["vault", "export", "moved.sesame"]));
    snapshot!("vault_export_again", house.show(&["vault", "export", "moved.sesame"]));
    let file = house.path().join("moved.sesame");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut other = House::empty();
    let file = file.to_str().unwrap().to_owned();
    let refused = other.run(&["vault", "import", &file]).fails(2);
    assert!(refused.stderr.contains("SESAME_EXPORT_PASSPHRASE"), "{}", refused.stderr);
    other.set("SESAME_EXPORT_PASSPHRASE", "planted words of another");
    assert!(other.run(&["vault", "import", &file]).fails(2).stderr.contains("not the passphrase"));
    other.set("SESAME_EXPORT_PASSPHRASE", "planted words of the export");
    let moved = other.run(&["vault", "import", &file, "--output", "json"]).succeeds().json();
    assert_eq!(moved["accounts"].as_array().unwrap().len(), 2);
    let json = other.run(&["accounts", "--output", "json"]).succeeds().json();
    let shop = json.as_array().unwrap().iter().find(|account| account["name"] == "shop1").unwrap();
    assert_eq!(shop["shop_id"], "200042360");
    assert_eq!(shop["access_expires_at"], "2026-11-20T12:00:00Z");
    assert_sealed(&house);
    assert_sealed(&other);
    // Through a pipe.
    #[cfg(unix)]
    {
        let sesame = env!("CARGO_BIN_EXE_sesame");
        let piped =
            house.shell(&format!("{sesame} vault export - | SESAME_HOME=$PWD/third {sesame} vault import -"));
        assert_eq!(piped.code, Some(0), "{}", piped.stderr);
        assert!(piped.stdout.contains("2 apps, 2 accounts"), "{}", piped.stdout);
    }
}

#[test]
fn mistakes_are_named() {
    let house = House::empty();
    snapshot!("vault_check_no_vault", house.show(&["vault", "check"]));
    snapshot!("vault_rekey_no_vault", house.show(&["vault", "rekey"]));
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
    let dump = house.file("other.sql", "CREATE TABLE `shops` (`a` int);\nINSERT INTO `shops` VALUES (1);\n");
    snapshot!("vault_import_other_tables", house.show(&["vault", "import", "--sql-dump", &dump]));
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

#[cfg(unix)]
#[test]
fn an_export_replaces_what_a_link_leads_to_and_no_device() {
    let mut house = House::empty();
    house.set("SESAME_EXPORT_PASSPHRASE", "planted words of the export");
    super::accounts::imported(&house, "lazada", "shop", 100);
    let (kept, link) = (house.path().join("kept.sesame"), house.path().join("link.sesame"));
    std::fs::write(&kept, "old").unwrap();
    std::os::unix::fs::symlink(&kept, &link).unwrap();
    house.run(&["vault", "export", link.to_str().unwrap(), "--force"]).succeeds();
    assert!(link.is_symlink());
    assert!(std::fs::read(&kept).unwrap().len() > 100);
    let pipe = house.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = house.run(&["vault", "export", pipe.to_str().unwrap(), "--force"]).fails(2);
    assert!(refused.stderr.contains("no file that could be replaced"), "{}", refused.stderr);
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
    let mut house = House::empty();
    let path = house.file("erp.sql", &dump());
    house.run(&["vault", "import", "--sql-dump", &path, "--dry-run"]).succeeds();
    assert_untouched(&house);
    let bad = house.file("bad.csv", "account,app_key,access_token\nshop1,1001,t\n");
    house.run(&["vault", "import", "--csv", &bad, "--platform", "lazada"]).fails(2);
    house.run(&["vault", "import", "--csv", &bad, "--app", "nobody"]).fails(2);
    for (variable, value) in [("SESAME_PASSPHRASE", "short"), ("SESAME_MASTER_KEY", "abc")] {
        let mut house = House::empty();
        house.set(variable, value);
        let path = house.file("erp.sql", &dump());
        house.run(&["vault", "import", "--sql-dump", &path]).fails(2);
        assert_untouched(&house);
    }
    assert_untouched(&house);
    let mut other = House::empty();
    other.set("SESAME_EXPORT_PASSPHRASE", "planted words of the export");
    super::accounts::imported(&other, "lazada", "shop", 100);
    let export = house.path().join("files/shops.sesame");
    let export = export.to_str().unwrap();
    other.run(&["vault", "export", export]).succeeds();
    house.set("SESAME_EXPORT_PASSPHRASE", "other words");
    assert!(house.run(&["vault", "import", export]).fails(2).stderr.contains("not the passphrase"));
    house.set("SESAME_EXPORT_PASSPHRASE", "planted words of the export");
    snapshot!("vault_import_export_dry_run", house.show(&["vault", "import", export, "--dry-run"]));
    assert_untouched(&house);
    house.run(&["vault", "import", export]).succeeds();
    let again = house.run(&["vault", "import", export, "--dry-run", "--output", "json"]).succeeds().json();
    assert_eq!(again["left_alone"][0]["name"], "shop");
    house.run(&["vault", "check"]).succeeds();
}

#[test]
fn files_of_another_kind_and_standard_input_are_told_apart() {
    let house = House::empty();
    let path = house.file("erp.sql", &dump());
    snapshot!("vault_import_no_export", house.show(&["vault", "import", &path]));
    let sql = house.run_with(&["vault", "import", "--sql-dump", "-"], &dump()).succeeds();
    assert!(sql.stdout.contains("2 apps, 2 accounts"), "{}", sql.stdout);
    let csv = "account,app_key,app_secret,access_token\nother,1001,secret1,t\n";
    house.run_with(&["vault", "import", "--csv", "-", "--platform", "lazada"], csv).succeeds();
    let shop = house.run(&["accounts", "show", "other", "--output", "json"]).succeeds().json();
    assert_eq!(shop["secret_origin"], "standard input");
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
    assert!(refused.stderr.contains("more than one app"), "{}", refused.stderr);
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
        house.run(&["vault", "import", "--csv", "-", "--as", "x"]).fails(2).stderr.contains("--env-file")
    );
    assert_sealed(&house);
}

#[test]
fn an_import_into_a_sandbox_says_so() {
    let mut house = House::empty();
    let path = house.file("erp.sql", &dump());
    house.run(&["vault", "import", "--sql-dump", &path]).succeeds();
    house.set("SESAME_ENDPOINT", "http://127.0.0.1:4700");
    let refused = house.run(&["vault", "import", "--sql-dump", &path]).fails(2);
    assert!(
        refused.stderr.contains("is a real shop in this vault, and these would be shops of a sandbox"),
        "{}",
        refused.stderr
    );
    let other = house.file("other.sql", &dump().replace("'shop", "'test").replace("planted-a", "planted-b"));
    let import = ["vault", "import", "--sql-dump", &other];
    for more in [&["--dry-run"][..], &[]] {
        let done = house.run(&[&import[..], more].concat()).succeeds();
        assert!(done.stderr.contains("shops of the sandbox at http://127.0.0.1:4700"), "{}", done.stderr);
    }
    let json = house.run(&[&import[..], &["--output", "json"]].concat()).succeeds().json();
    assert_eq!(json["sandbox"], "http://127.0.0.1:4700");
    house.set("SESAME_ENDPOINT", "");
    let refused = house.run(&import).fails(2);
    assert!(
        refused.stderr.contains("is a shop of a sandbox in this vault, and these would be real ones"),
        "{}",
        refused.stderr
    );
}

#[test]
fn only_the_documented_columns_of_the_erps_tables_count() {
    let house = House::empty();
    let path = house.file(
        "erp.sql",
        "INSERT INTO account (account,appkey,appsecret,session,expire_time,login) VALUES ('shop1','1','planted-s','planted-php-session','2020-01-01 00:00:00','boss');\n\
         INSERT INTO erp_aliexpress_accounts (aliexpress_account,aliId,access_token,refresh_token) VALUES ('shop1',7,NULL,'planted-r');\n",
    );
    let done = house
        .run(&["vault", "import", "--sql-dump", &path, "--dry-run", "--output", "json"])
        .succeeds()
        .json();
    assert_eq!(
        done["columns"],
        serde_json::json!({
            "account": ["account.account", "erp_aliexpress_accounts.aliexpress_account"],
            "app_key": ["account.appkey"],
            "app_secret": ["account.appsecret"],
            "identity": ["erp_aliexpress_accounts.aliId"],
            "refresh_token": ["erp_aliexpress_accounts.refresh_token"],
            "access_token": ["erp_aliexpress_accounts.access_token"],
        })
    );
    let mapped = ["vault", "import", "--sql-dump", &path, "--map", "login=login", "--dry-run"];
    let done = house.run(&mapped).succeeds();
    assert!(done.stderr.contains("login from account.login"), "{}", done.stderr);
    let named = ["vault", "import", "--sql-dump", &path, "--table", "account", "--dry-run"];
    let done = house.run(&named).succeeds();
    assert!(done.stderr.contains("access_token from account.session"), "{}", done.stderr);
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
    assert!(said.contains("ACCESS_CREATE_TIME (line 7) holds no time"), "{said}");
    let said = import("REFRESH_TOKEN=\"planted a\"\n");
    assert!(said.contains("REFRESH_TOKEN (line 6) holds no token"), "{said}");
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
    let path = house.file("erp.sql", &dump());
    for (option, life) in [("--access-life", "0h"), ("--refresh-life", "0d")] {
        let refused = house.run(&["vault", "import", "--sql-dump", &path, option, life]).fails(2);
        assert!(refused.stderr.contains("longer than nothing"), "{}", refused.stderr);
    }
}
