//! `sesame accounts` with its commands, and `sesame logout`.

use sesame_core::Clock as _;

use crate::{house::House, snapshot};

/// An account of imported tokens whose refresh token ends in a number of days.
pub(crate) fn imported(house: &House, platform: &str, name: &str, days: i64) {
    let clock = sesame_vault::SystemClock;
    let end = |hours: i64| {
        let now = sesame_core::Clock::now(&clock);
        now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap().to_string()
    };
    let file = house.file(
        &format!("{name}.env"),
        &format!(
            "APP_KEY=5001\nAPP_SECRET=abcdefghijklmnop\nACCOUNT={name}\nACCESS_TOKEN=5000planted0access0{name}\n\
             REFRESH_TOKEN=5001planted0refresh0{name}\nEXPIRES_AT={}\nREFRESH_EXPIRES_AT={}\n",
            end(9),
            end(days * 24)
        ),
    );
    house.run(&["app", "add", platform, "--name", name, "--env-file", &file]).succeeds();
}

fn names(json: &serde_json::Value) -> Vec<&str> {
    json.as_array().unwrap().iter().map(|account| account["name"].as_str().unwrap()).collect()
}

#[test]
fn who_needs_a_person_comes_first_and_makes_cron_write_a_mail() {
    let house = House::empty();
    imported(&house, "lazada", "far", 100);
    imported(&house, "lazada", "near", 20);
    imported(&house, "lazada", "nearer", 1);
    imported(&house, "1688", "prolonged", 28);
    imported(&house, "1688", "late", 10);
    imported(&house, "lazada", "ended", -1);
    let all = house.run(&["accounts", "--output", "json"]).succeeds().json();
    let order = names(&all);
    assert_eq!(order.last(), Some(&"far"), "{order:?}");
    let at = |name: &str| order.iter().position(|other| *other == name).unwrap();
    assert!(at("ended") < at("nearer") && at("nearer") < at("late") && at("late") < at("near"), "{order:?}");

    let soon = house.run(&["accounts", "--expiring", "30d", "--output", "json"]).fails(3).json();
    assert_eq!(names(&soon), ["ended", "nearer", "late", "near"]);
    // A keeper prolongs it in its last 30 days; it is named when that is overdue.
    assert!(soon[2]["advice"].as_str().unwrap().contains("sesame keeper --once"), "{soon}");
    assert!(soon[1]["advice"].as_str().unwrap().starts_with("today: "), "{soon}");
    let done = house.run(&["accounts", "--expiring", "30d", "--tag", "none"]).succeeds();
    assert!(done.stderr.contains("No shop must be authorized"), "{}", done.stderr);
    let prolonged = &all[at("prolonged")];
    assert_eq!(prolonged["needs_person_by"], serde_json::Value::Null);
    assert!(all[at("far")]["next_warning_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn one_that_ended_alone_is_reason_enough() {
    let house = House::empty();
    let path = house.file(
        "a.env",
        "APP_KEY=1\nAPP_SECRET=abcdefghijklmnop\nREFRESH_TOKEN=5001planted\nACCOUNT=gone\nREFRESH_EXPIRES_AT=2020-01-01T00:00:00Z\n",
    );
    house.run(&["app", "add", "lazada", "--env-file", &path]).succeeds();
    let done = house.run(&["accounts", "--expiring", "1d", "--output", "json"]).fails(3);
    assert_eq!(done.json()[0]["state"], "needs-authorization");
    snapshot!("accounts_ended", house.show(&["accounts", "--expiring", "1d"]));
}

#[test]
fn all_is_shown_of_one_shop() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    snapshot!("accounts_show", house.show(&["accounts", "show", "shop"]));
    let json = house.run(&["accounts", "show", "shop", "--output", "json"]).succeeds().json();
    let list = house.run(&["accounts", "--output", "json"]).succeeds().json();
    let keys = |json: &serde_json::Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json), keys(&list[0]));
    assert_eq!((&json["secret_origin"], &json["master_key"]), (&"standard input".into(), &"file".into()));
    // Programs get the same columns whatever there is.
    let csv = house.run(&["accounts", "--output", "csv"]).succeeds().stdout;
    assert_eq!(
        csv.lines().next().unwrap().split(',').collect::<Vec<_>>(),
        keys(&json),
        "the members of JSON"
    );
    assert!(csv.contains(json["access_expires_at"].as_str().unwrap()), "{csv}");
    let none = house.run(&["accounts", "--tag", "none", "-o", "csv"]).succeeds().stdout;
    assert_eq!(none.lines().collect::<Vec<_>>(), [csv.lines().next().unwrap()], "without a shop, too");
    snapshot!("accounts_show_unknown", house.show(&["accounts", "show", "shpo"]));
}

#[test]
fn shops_are_renamed_and_tagged() {
    let house = House::with_accounts(&[("lazada", "shop"), ("alibaba", "other")]);
    snapshot!("accounts_tag", house.show(&["accounts", "tag", "shop", "+vip", "+eu", "+eu", "-none"]));
    house.run(&["accounts", "tag", "other", "+eu"]).succeeds();
    let both = house.run(&["accounts", "--tag", "eu", "--output", "json"]).succeeds().json();
    assert_eq!(both.as_array().unwrap().len(), 2);
    let one = house.run(&["accounts", "--tag", "eu", "--tag", "vip", "--output", "json"]).succeeds().json();
    assert_eq!((names(&one), &one[0]["tags"]), (vec!["shop"], &serde_json::json!(["eu", "vip"])));
    let fewer = house.run(&["accounts", "tag", "--output", "json", "shop", "-vip"]).succeeds().json();
    assert_eq!(fewer["tags"], serde_json::json!(["eu"]));
    snapshot!("accounts_tagged", house.show(&["accounts", "--tag", "eu"]));
    for wrong in [
        &["shop", "eu"][..],
        &["shop", "+a b"],
        &["shop"],
        &["shop", "+a", "-a"],
        &["shop", "+a", "--output"],
    ] {
        house.run(&[&["accounts", "tag"], wrong].concat()).fails(2);
    }
    snapshot!("accounts_tag_wrong", house.show(&["accounts", "tag", "shop", "eu"]));

    let token = house.run(&["token", "shop"]).succeeds().stdout;
    snapshot!("accounts_rename", house.show(&["accounts", "rename", "shop", "summer"]));
    assert_eq!(house.run(&["token", "summer"]).succeeds().stdout, token);
    house.run(&["token", "shop"]).fails(2);
    house.run(&["accounts", "rename", "summer", "other"]).fails(2);
    house.run(&["accounts", "rename", "summer", "-x"]).fails(2);
    house.run(&["accounts", "--tag", "eu", "rename", "summer", "x"]).fails(2);
    assert_eq!(house.run(&["account", "show", "summer", "-o", "json"]).succeeds().json()["tags"][0], "eu");
}

#[test]
fn a_shop_leaves_and_nothing_of_it_stays() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    snapshot!("logout_unasked", house.show(&["logout", "shop"]));
    house.run(&["token", "shop"]).succeeds();
    snapshot!("logout", house.show(&["logout", "shop", "--yes"]));
    house.run(&["token", "shop"]).fails(2);
    house.run(&["logout", "shop", "--yes"]).fails(2);
    assert_eq!(house.run(&["accounts", "-o", "json"]).succeeds().json(), serde_json::json!([]));
    // The app stays, and with it the way back.
    house.run(&["login", "lazada", "--as", "shop"]).succeeds();
    let json = house.run(&["logout", "shop", "-y", "--output", "json"]).succeeds().json();
    assert_eq!((&json["removed"], &json["tokens_removed"]), (&true.into(), &true.into()));
}

#[test]
fn an_alarm_on_a_vault_that_is_not_there_sounds() {
    let house = House::empty();
    let missing = house.run(&["accounts", "--expiring", "30d"]).fails(2);
    assert!(missing.stderr.contains("there is no vault yet"), "{}", missing.stderr);
    house.run(&["refresh", "--all"]).fails(2);
    assert!(!house.path().join("vault.db").exists(), "looking makes none");
    // Thirty of what?
    let unit = house.run(&["accounts", "--expiring", "30"]).fails(2);
    assert!(unit.stderr.contains("write 30d, 12h, 10m or 45s"), "{}", unit.stderr);
}

#[test]
fn accounts_that_share_their_tokens_are_refreshed_once() {
    let house = House::with_accounts(&[("lazada", "one")]);
    house.run(&["login", "lazada", "--as", "two"]).succeeds();
    let all = || house.run(&["accounts", "--output", "json"]).succeeds().json();
    let before = all();
    let done = house.run(&["refresh", "--all", "--output", "json"]).succeeds().json();
    assert_eq!(done.as_array().unwrap().len(), 2, "{done}");
    for account in 0..2 {
        let generation = |all: &serde_json::Value| all[account]["generation"].as_i64().unwrap();
        assert_eq!(generation(&all()), generation(&before) + 1);
        assert_eq!(done[account]["refreshed"], true, "{done}");
    }
}

#[test]
fn one_thing_is_one_line_of_csv() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let csv = house.run(&["token", "shop", "--output", "csv"]).succeeds().stdout;
    let (header, row) = csv.split_once("\r\n").unwrap();
    assert_eq!(header, "account,access_token,expires_at");
    assert_eq!(row.split(',').nth(1).unwrap(), house.run(&["token", "shop"]).succeeds().stdout.trim());
    let shown = house.run(&["accounts", "show", "shop", "--output", "csv"]).succeeds().stdout;
    assert_eq!(shown.lines().count(), 2, "{shown}");
}

#[test]
fn a_sign_before_a_tag_that_is_looked_for_is_an_error() {
    let said = House::empty().run(&["accounts", "--tag", "+eu"]).fails(2).stderr;
    assert!(said.contains("no tag begins") && said.contains("sesame accounts --tag eu"), "{said}");
}

#[test]
fn shops_are_listed_by_platform_app_and_state() {
    let house = House::with_accounts(&[("lazada", "one"), ("alibaba", "two")]);
    let gone = "APP_KEY=1\nAPP_SECRET=abcdefghijklmnop\nREFRESH_TOKEN=5001planted\nACCOUNT=ended\nREFRESH_EXPIRES_AT=2020-01-01T00:00:00Z\n";
    let file = house.file("gone.env", gone);
    house.run(&["app", "add", "lazada", "--name", "old", "--env-file", &file]).succeeds();
    for (filters, wanted) in [
        (&["--platform", "lazada"][..], &["ended", "one"][..]),
        (&["--app", "alibaba"], &["two"]),
        (&["--state", "needs-authorization"], &["ended"]),
        (&["--state", "healthy", "--platform", "lazada"], &["one"]),
    ] {
        for command in [&["accounts"][..], &["accounts", "list"]] {
            let found = house.run(&[command, filters, &["-o", "json"]].concat()).succeeds().json();
            assert_eq!(names(&found), wanted, "{filters:?}");
        }
    }
    house.run(&["accounts", "--platform", "lazda"]).fails(2);
}

#[test]
fn a_mistyped_home_is_not_an_empty_vault() {
    let house = House::empty();
    for form in ["table", "json", "csv"] {
        let there = house.run(&["accounts", "-o", form]).succeeds();
        assert!(there.stderr.contains("there is no vault yet at"), "{}", there.stderr);
        let missing = house.run(&["accounts", "--home", "/nowhere/at/all", "-o", form]).fails(2);
        assert!(
            missing.stderr.contains("there is no vault yet at sqlite:/nowhere/at/all"),
            "{}",
            missing.stderr
        );
    }
}

/// One line a shop, within 80 columns, whatever the shops are called and have to be told.
#[test]
fn a_table_of_shops_fits_a_screen() {
    let house = House::with_sandbox();
    for platform in ["lazada", "aliexpress-legacy", "alibaba", "1688", "taobao"] {
        house.add_app(platform);
        house.run(&["login", platform]).succeeds();
    }
    imported(&house, "aliexpress-legacy", "ended", -1);
    let table = house.run(&["accounts"]).succeeds().stdout;
    let (table, todo) = table.split_once("\n\n").unwrap();
    assert_eq!(table.lines().count(), 7, "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(todo.contains("ended: ") && todo.contains("sesame login ended --as ended"), "{todo}");
}

#[test]
fn a_name_that_is_nearly_one_is_suggested() {
    let house = House::with_accounts(&[("lazada", "ocean-trade62"), ("alibaba", "river")]);
    for (arguments, meant) in [
        (&["accounts", "show", "ocean"][..], "Did you mean ocean-trade62? There are: ocean-trade62, river."),
        (&["token", "rivr"], "Did you mean river?"),
        (&["login", "Lazada"], "Did you mean lazada? There are: alibaba, lazada."),
        (&["token", "elsewhere"], "hint: There are: ocean-trade62, river."),
    ] {
        let said = house.run(arguments).fails(2).stderr;
        assert!(said.contains(meant), "{said}");
    }
}

/// The machine's clock, and years more.
#[derive(Debug)]
struct Ahead;

impl sesame_core::Clock for Ahead {
    fn now(&self) -> jiff::Timestamp {
        let now = sesame_vault::SystemClock.now();
        now.checked_add(jiff::SignedDuration::from_hours(5 * 365 * 24)).unwrap()
    }

    fn sleep(&self, duration: std::time::Duration) -> sesame_core::BoxFuture<'static, ()> {
        sesame_vault::SystemClock.sleep(duration)
    }

    fn random(&self, buffer: &mut [u8]) {
        sesame_vault::SystemClock.random(buffer);
    }
}

#[test]
fn tokens_that_a_clock_stored_which_was_ahead_are_named_everywhere() {
    let house = House::empty();
    imported(&house, "lazada", "right", 100);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let location = sesame_vault::Location::Sqlite(house.path().join("vault.db"));
        let transport = std::sync::Arc::new(sesame_http::HttpTransport::new());
        let options = sesame_vault::VaultOptions::new(location, transport).clock(std::sync::Arc::new(Ahead));
        let vault = sesame_vault::Vault::open(options).await.unwrap();
        let tokens = sesame_vault::ImportedTokens::default()
            .access(sesame_core::AccessToken::new("5000planted0access0ahead"))
            .refresh(sesame_core::RefreshToken::new("5001planted0refresh0ahead"))
            .account_name("early")
            .access_expires_at(Ahead.now().checked_add(jiff::SignedDuration::from_hours(9)).unwrap());
        vault.import_tokens("right", tokens).await.unwrap();
        vault.close().await;
    });
    let listed = house.run(&["accounts", "--output", "json"]).succeeds();
    let rows = listed.json();
    let row = |name: &str| {
        let found = rows.as_array().unwrap().iter().find(|row| row["name"] == name);
        found.unwrap_or_else(|| panic!("{rows}")).clone()
    };
    assert!(row("early")["issued_in_future"].is_string() && row("right")["issued_in_future"].is_null());
    assert_eq!(
        (&row("early")["state"], &row("right")["state"]),
        (&"needs-refresh".into(), &"healthy".into())
    );
    for arguments in [&["accounts"][..], &["doctor"], &["vault", "check"]] {
        let done = house.run(arguments);
        let said = format!("{}{}", done.stdout, done.stderr);
        let line = said.lines().find(|line| line.contains("issued in the future")).unwrap_or_default();
        assert!(line.contains("early") && !line.contains("right"), "{arguments:?}: {said}");
    }
}

#[test]
fn without_a_refresh_token_its_end_is_no_end() {
    let house = House::empty();
    let file = house.file(
        "one.env",
        "APP_KEY=5001\nAPP_SECRET=abcdefghijklmnop\nACCOUNT=one\nACCESS_TOKEN=5000planted0access0one\n\
         REFRESH_EXPIRES_AT=2095-01-01T00:00:00Z\n",
    );
    house.run(&["app", "add", "lazada", "--name", "one", "--env-file", &file]).succeeds();
    let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert!(json[0]["refresh_expires_at"].is_null(), "{json}");
    let shown = house.run(&["accounts", "show", "one"]).succeeds().stdout;
    assert!(!shown.contains("2095"), "{shown}");
}
