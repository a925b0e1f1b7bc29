//! Tables of other programs come into a vault: the ERP's dump, CSV, and what is wrong with them.

mod ends;
mod files;

use crate::support::{FakeTransport, Home, IopService, Policy, all_bytes, as_name, contains, log_in, reply};
use jiff::Timestamp;
use sesame_core::ErrorKind;
use sesame_vault::{
    AccountState, LoginOptions, Vault,
    import::{ImportOptions, Imported, Mapping, Table, TableFormat},
};

/// What `mysql --batch` prints of the join in docs/vault.md. The clock of the tests is at 2026-11-22 08:00
/// in Shanghai.
const JOINED: &str = "account\tapp_key\tapp_secret\taliId\taccess_token\trefresh_token\taccess_create_time\trefresh_create_time
shop1\t111\tplanted-secret-1\t200042360\tplanted-access-1\tplanted-refresh-1\t2026-11-22 07:00:00\t1795262400
shop2\t222\tplanted-secret-2\t200042361\tplanted-access-2\tplanted-refresh-2\t2026-11-21 07:00:00\t1779000000
Shop3\t222\tplanted-secret-2\t200042362\tNULL\tNULL\t0000-00-00 00:00:00\t0
never\t444\tplanted-secret-4\tNULL\tNULL\tNULL\tNULL\tNULL
";

fn read(text: &str, format: TableFormat) -> Table {
    Table::read(text.into(), format).unwrap()
}

fn csv(text: &str) -> Table {
    read(text, TableFormat::Csv)
}

async fn import(
    vault: &Vault,
    tsv: &str,
    change: impl Fn(&mut ImportOptions),
) -> sesame_core::Result<Imported> {
    let mut options = ImportOptions::new("aliexpress-legacy").unwrap();
    change(&mut options);
    vault.import_table(&read(tsv, TableFormat::Tsv), &options).await
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_join_of_an_erps_two_tables_becomes_shops() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let look = import(&vault, JOINED, |options| options.dry_run = true).await.unwrap();
    assert_eq!(vault.accounts().await.unwrap(), [], "a dry run stores nothing");
    let done = import(&vault, JOINED, |_| {}).await.unwrap();
    assert_eq!(done, look);
    assert_eq!(done.accounts, ["shop1", "shop2", "Shop3", "never"]);
    assert_eq!(done.apps, ["shop1", "aliexpress-legacy", "never"]);
    assert_eq!(done.notes.len(), 1, "{:?}", done.notes);
    assert!(done.notes[0].starts_with("1 shop has a refresh token without a known end"), "{:?}", done.notes);
    let waiting: Vec<_> = done.needs_authorization.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(waiting, ["Shop3", "never"]);

    let one = vault.account("shop1").await.unwrap();
    assert_eq!(one.shop_id.as_deref(), Some("200042360"));
    assert_eq!(one.access_expires_at, Some(at("2026-11-22T09:00:00Z")), "10 hours, in Shanghai's time");
    assert_eq!(one.refresh_expires_at, Some(at("2027-05-20T12:00:00Z")), "180 days after epoch seconds");
    assert_eq!(one.state, AccountState::Healthy);
    let handle = vault.handle("shop1").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "planted-access-1");
    assert_eq!(handle.app_name(), "shop1");
    let two = vault.account("shop2").await.unwrap();
    assert_eq!((&two.state, two.refresh_expires_at), (&AccountState::NeedsRefresh, None), "it is asked");
    assert!(vault.account("Shop3").await.unwrap().state.reason().unwrap().contains("no token"));
    assert_eq!(two.app, vault.account("Shop3").await.unwrap().app, "one app key is one app");
    assert!(vault.check().await.unwrap().is_clean());
    let lines = vault.audit(&sesame_vault::AuditFilter::default()).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "import").count(), 4);

    // Once more: nothing twice.
    let again = import(&vault, JOINED, |_| {}).await.unwrap();
    assert_eq!((again.accounts.len(), again.apps.len(), again.left_alone.len()), (0, 0, 4));
    assert_eq!(vault.accounts().await.unwrap().len(), 4);
    for planted in ["planted-secret", "planted-access", "planted-refresh"] {
        assert!(!contains(&all_bytes(home.directory.path()), planted), "{planted}");
        assert!(!format!("{done:?} {:?}", read(JOINED, TableFormat::Tsv)).contains(planted));
    }
}

#[tokio::test]
async fn another_shops_answer_does_not_replace_an_imported_one() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import(&vault, JOINED, |_| {}).await.unwrap();
    home.transport.answer(|_| {
        Ok(reply(
            200,
            r#"{"access_token":"planted-other","expires_in":"36000","aliId":"999","resource_owner":"x"}"#,
        ))
    });
    let error = vault.refresh("shop1").await.unwrap_err();
    assert!(error.message().contains("another shop"), "{error}");
    home.transport.answer(|_| {
        Ok(reply(
            200,
            r#"{"access_token":"fresh","expires_in":"36000","aliId":"200042360","resource_owner":"x"}"#,
        ))
    });
    vault.refresh("shop1").await.unwrap();
    let handle = vault.handle("shop1").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "fresh");
    assert_eq!(
        home.transport.seen().last().unwrap().form["refresh_token"],
        "planted-refresh-1",
        "the refresh token came over whole"
    );
}

#[tokio::test]
async fn rows_that_cannot_be_imported_are_named_and_stop_all_unless_skipped() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let bad = "nokey\tNULL\tNULL\t1\tplanted-a\tplanted-r\tNULL\tNULL
shop1\t111\tplanted-secret-1\t1\tplanted-a\tplanted-r\tNULL\tNULL
badtime\t555\tx5\t1\tplanted-a\tplanted-r\tplanted-not-a-time\tNULL
NULL\t111\tplanted-secret-1\t1\tplanted-a\tplanted-r\tNULL\tNULL
future\t666\tx6\t1\tplanted-a\tplanted-r\t2027-11-22 07:00:00\tNULL
short\t111
spaces\t777\tx7\t1\tplanted a\tNULL\tNULL\tNULL
other\t222\tdifferent\t1\tplanted-b\tNULL\tNULL\tNULL
nosecret\t888\tNULL\t1\tplanted-b\tNULL\tNULL\tNULL
";
    let table = format!("{JOINED}{bad}");
    let error = import(&vault, &table, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let said = error.message().to_owned();
    for words in [
        "9 rows cannot be imported",
        "line 6: it has no app key",
        "line 7: account \"shop1\" is in the table already (line 2)",
        "line 8: column access_create_time is not a time",
        "line 9: it has no account name",
        "line 10: column access_create_time is a time in the future",
        "line 11: it has another number of values",
        "line 12: column access_token is not a token: it has spaces or line breaks",
        "line 13: app key 222 has another secret in app",
        "line 14: it has an app key and no app secret",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("planted"), "{said}");
    assert!(error.hint().unwrap().contains("--skip-bad"));
    assert_eq!((vault.accounts().await.unwrap().len(), vault.apps().await.unwrap().len()), (0, 0));
    let done = import(&vault, &table, |options| options.skip_bad = true).await.unwrap();
    assert_eq!(done.accounts, ["shop1", "shop2", "Shop3", "never"]);
    assert_eq!(done.skipped.len(), 9, "{:?}", done.skipped);
}

#[tokio::test]
async fn csv_with_a_mapping_and_an_app_of_the_vault() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    crate::support::app(&vault, "lazada").await;
    let table = csv(
        "\u{feff}shop;tok;rtok;Seller_ID;access_expires_at\r\nsg1;planted-a1;planted-r1;1001;2026-12-01T00:00:00+08:00\r\n\"sg;2\";planted-a2;;1002;1796000000\r\n",
    );
    let mut options = ImportOptions::new("lazada").unwrap();
    options.mapping = "account=shop,access_token=tok,refresh_token=rtok".parse().unwrap();
    let error = vault.import_table(&table, &options).await.unwrap_err();
    assert!(error.message().contains("no app key"), "{error}");
    options.app = Some("lazada".to_owned());
    let done = vault.import_table(&table, &options).await.unwrap();
    assert_eq!(
        (done.accounts.as_slice(), done.apps.len()),
        (["sg1".to_owned(), "sg;2".to_owned()].as_slice(), 0)
    );
    let account = vault.account("sg1").await.unwrap();
    assert_eq!(account.access_expires_at, Some(at("2026-11-30T16:00:00Z")));
    assert_eq!(account.shop_id.as_deref(), Some("1001"));

    options.mapping = "access_token=nowhere".parse().unwrap();
    let error = vault.import_table(&table, &options).await.unwrap_err();
    assert!(error.message().contains("\"nowhere\"") && error.hint().unwrap().contains("--map"), "{error:?}");
    for wrong in ["tok", "nothing=tok", "access_token=", "access_token=a,access_token=b"] {
        assert!(wrong.parse::<Mapping>().is_err(), "{wrong}");
    }
}

/// Two shops of Lazada, whose replies name a seller for each country.
const SELLERS: &str = "account,app_key,app_secret,access_token,refresh_token,seller_id\n\
    one,500100,planted-secret,planted-a1,planted-r1,1001\n\
    two,500100,planted-secret,planted-a2,planted-r2,2002\n";

async fn import_csv(vault: &Vault, platform: &str, table: &str) -> sesame_core::Result<Imported> {
    vault.import_table(&csv(table), &ImportOptions::new(platform).unwrap()).await
}

#[tokio::test]
async fn an_imported_seller_is_told_from_another_in_replies_by_country() {
    // Of one of them nobody knows where a seller approves.
    let options = |name: Option<&str>| {
        name.into_iter().fold(LoginOptions::default().have_code(true), LoginOptions::as_name)
    };
    for platform in ["lazada", "daraz", "miravia"] {
        let mut home = Home::new(FakeTransport::json("{}"));
        let service = IopService::new(Policy::Lives, &home.clock);
        home.transport = service.transport();
        let vault = home.open().await;
        import_csv(&vault, platform, SELLERS).await.unwrap();
        // Their refresh tokens are not the service's, so it knows of none but those of logins.
        let before = vault.account("two").await.unwrap();
        let error = log_in(&vault, platform, options(Some("two"))).await.unwrap_err();
        assert!(error.message().contains("another shop"), "{platform}: {error}");
        assert_eq!(vault.account("two").await.unwrap(), before);
        let renewed = log_in(&vault, platform, options(Some("one"))).await.unwrap();
        assert_eq!((renewed.len(), renewed[0].generation), (1, 2), "{platform}");

        // Found without a name, too: a second pair of tokens could end the first.
        service.become_seller("2002");
        let found = log_in(&vault, platform, options(None)).await.unwrap();
        assert_eq!((found.len(), found[0].name.as_str()), (1, "two"), "{platform}");
        // And by an import under another name.
        let again = import_csv(&vault, platform, &SELLERS.replace("one,", "uno,")).await.unwrap();
        assert_eq!(again.left_alone[0], ("uno".to_owned(), "one".to_owned()), "{platform}");

        service.become_seller("3003");
        let error = vault.refresh("one").await.unwrap_err();
        assert!(error.message().contains("another shop"), "{platform}: {error}");
    }
}

#[tokio::test]
async fn an_id_of_another_kind_is_not_taken_for_the_shops() {
    let mut home = Home::new(FakeTransport::json("{}"));
    home.transport = IopService::new(Policy::Lives, &home.clock).transport();
    let vault = home.open().await;
    import_csv(&vault, "lazada", &SELLERS.replace("seller_id", "user_id")).await.unwrap();
    assert_eq!(vault.account("two").await.unwrap().shop_id, None);
    log_in(&vault, "lazada", as_name("two")).await.unwrap();
    assert_eq!(vault.account("two").await.unwrap().shop_id.as_deref(), Some("1001"), "now it is known");
    // A column that claims nothing is the platform's first id.
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import_csv(&vault, "lazada", &SELLERS.replace("seller_id", "identity")).await.unwrap();
    assert_eq!(vault.account("two").await.unwrap().shop_id.as_deref(), Some("2002"));
}

#[tokio::test]
async fn apps_get_names_that_no_app_has() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    crate::support::named_app(&vault, "daraz", "one").await;
    let done = import_csv(&vault, "lazada", SELLERS.split_inclusive("1001\n").next().unwrap()).await.unwrap();
    assert_eq!(done.apps, ["one-2"]);
}

#[tokio::test]
async fn on_another_port_of_the_sandbox_the_same_shops_are_left_alone() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = Vault::open(home.sandboxed()).await.unwrap();
    import_csv(&vault, "lazada", SELLERS).await.unwrap();
    let port = |port: u16| {
        let url = format!("http://127.0.0.1:{port}");
        home.options().environment(sesame_catalog::Environment::sandbox(&url).unwrap())
    };
    let vault = Vault::open(port(4_700)).await.unwrap();
    let again = import_csv(&vault, "lazada", SELLERS).await.unwrap();
    assert_eq!((again.accounts.len(), again.apps.len(), again.left_alone.len()), (0, 0, 2));
    // Also where the key has an app for each port.
    crate::support::app(&vault, "lazada").await;
    let other = SELLERS.replace("one,", "uno,").replace("1001", "1003");
    let mut options = ImportOptions::new("lazada").unwrap();
    options.app = Some("lazada-2".to_owned());
    let table = csv(&other);
    options.dry_run = true;
    let look = vault.import_table(&table, &options).await.unwrap();
    assert_eq!(
        (look.accounts.as_slice(), look.left_alone.len()),
        (["uno".to_owned()].as_slice(), 1),
        "{look:?}"
    );
}

#[tokio::test]
async fn rows_of_another_app_are_not_taken_for_the_chosen_one() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    crate::support::app(&vault, "lazada").await;
    let key = vault.app("lazada").await.unwrap().app_key;
    let rows = format!(
        "account,app_key,access_token,refresh_token\none,{key},a1,r1\ntwo,999999,a2,r2\nthree,,a3,r3\n"
    );
    let table = csv(&rows);
    let mut options = ImportOptions::new("lazada").unwrap();
    options.app = Some("lazada".to_owned());
    let error = vault.import_table(&table, &options).await.unwrap_err();
    assert!(error.message().contains("line 3: its app key is not that of app \"lazada\""), "{error}");
    options.skip_bad = true;
    assert_eq!(vault.import_table(&table, &options).await.unwrap().accounts, ["one", "three"]);
}

#[tokio::test]
async fn a_shop_is_called_where_its_country_is() {
    let head = "account,app_key,app_secret,access_token,refresh_token,country\n";
    let row = |name: &str, site: &str| format!("{name},77,sec77,a{name},r{name},{site}\n");
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let rows = row("1", "MY") + &row("2", "cn-th") + &row("3", "cb") + &row("4", "");
    let mut options = ImportOptions::new("lazada").unwrap();
    options.region = Some("vn".to_owned());
    vault.import_table(&csv(&format!("{head}{rows}")), &options).await.unwrap();
    for (name, country, region) in
        [("1", Some("my"), "my"), ("2", Some("th"), "cn-th"), ("3", None, "vn"), ("4", None, "vn")]
    {
        let shop = vault.account(name).await.unwrap();
        assert_eq!((shop.country.as_deref(), shop.region.as_deref()), (country, Some(region)), "{name}");
    }
    let urls = vault.handle("1").await.unwrap();
    assert!(format!("{:?}", urls.urls()).contains("api.lazada.com.my"), "{:?}", urls.urls());
    // Tokens of Daraz are refreshed at the country's own host, too.
    home.transport.answer(|_| Ok(reply(200, r#"{"access_token":"b","expires_in":"9","code":"0"}"#)));
    import_csv(&vault, "daraz", &format!("{head}{}", row("bd", "bd"))).await.unwrap();
    vault.refresh("bd").await.unwrap();
    let seen = home.transport.seen().pop().unwrap();
    assert!(seen.url.contains("daraz.com.bd"), "{}", seen.url);

    let error = import_csv(&vault, "lazada", &format!("{head}{}", row("5", "planted"))).await.unwrap_err();
    assert!(error.message().contains("line 2: column country is not a country of Lazada"), "{error}");
    assert!(error.message().contains("sg, my, th") && !error.message().contains("planted"), "{error}");
    // Where there is one host for all, a column `country` may hold anything.
    let done = import_csv(&vault, "taobao", &format!("{head}{}", row("6", "aliexpress"))).await.unwrap();
    assert_eq!(done.accounts, ["6"]);
    assert_eq!(vault.account("6").await.unwrap().region, None);
    // A mapping says so, where a column is called otherwise.
    let rows = format!("{head}{}", row("7", "id")).replace("country", "where");
    let mut options = ImportOptions::new("lazada").unwrap();
    options.mapping = "country=where".parse().unwrap();
    vault.import_table(&csv(&rows), &options).await.unwrap();
    assert_eq!(vault.account("7").await.unwrap().region.as_deref(), Some("id"));
}

#[tokio::test]
async fn a_shop_without_tokens_takes_them_from_a_later_import() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let bare = JOINED.replace("planted-access-1\tplanted-refresh-1", "NULL\tNULL");
    let bare = bare.replace("planted-access-2\tplanted-refresh-2", "NULL\tNULL");
    let bare = bare.replace("20004236", "");
    let bare = bare.replace("\t0\t", "\tNULL\t").replace("\t1\t", "\tNULL\t").replace("\t2\t", "\tNULL\t");
    import(&vault, &bare, |_| {}).await.unwrap();
    assert!(vault.account("shop1").await.unwrap().state.reason().unwrap().contains("no token"));
    let look = import(&vault, JOINED, |options| options.dry_run = true).await.unwrap();
    assert_eq!(look.completed, ["shop1", "shop2"]);
    let done = import(&vault, JOINED, |_| {}).await.unwrap();
    assert_eq!(done, look);
    assert_eq!((done.accounts.len(), done.left_alone.len()), (0, 2), "{done:?}");
    let one = vault.account("shop1").await.unwrap();
    assert_eq!(
        (&one.state, one.refresh_expires_at),
        (&AccountState::Healthy, Some(at("2027-05-20T12:00:00Z")))
    );
    let handle = vault.handle("shop1").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "planted-access-1");
    assert!(vault.check().await.unwrap().is_clean());
    // Once more, and with other tokens: what stands is left alone.
    let other = JOINED.replace("planted-access", "planted-other");
    let again = import(&vault, &other, |_| {}).await.unwrap();
    assert_eq!((again.completed.len(), again.left_alone.len()), (0, 4));
    // Where the first import told whose the shop is, another shop's tokens are refused.
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import(&vault, JOINED, |_| {}).await.unwrap();
    let other = JOINED.replace("200042362\tNULL\tNULL", "999\tplanted-x\tplanted-y");
    let error = import(&vault, &other, |_| {}).await.unwrap_err();
    assert!(error.message().contains("another shop"), "{error}");
}

#[tokio::test]
async fn a_shop_that_is_completed_shares_its_tokens_with_a_new_one() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import_csv(&vault, "lazada", "account,app_key,app_secret\nold,1,x\n").await.unwrap();
    let rows = "account,app_key,app_secret,access_token,refresh_token\nold,1,x,a1,r1\nnew,1,x,a1,r1\n";
    let done = import_csv(&vault, "lazada", rows).await.unwrap();
    assert_eq!((done.completed, done.accounts), (vec!["old".to_owned()], vec!["new".to_owned()]));
    for name in ["old", "new"] {
        let handle = vault.handle(name).await.unwrap();
        assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "a1", "{name}");
    }
    assert!(vault.check().await.unwrap().is_clean());
    // The other way round the new one has an authorization of its own by then.
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import_csv(&vault, "lazada", "account,app_key,app_secret\nold,1,x\n").await.unwrap();
    let rows = "account,app_key,app_secret,access_token,refresh_token\nnew,1,x,a1,r1\nold,1,x,a1,r1\n";
    let error = import_csv(&vault, "lazada", rows).await.unwrap_err();
    assert!(error.message().contains("has other tokens in this vault"), "{error}");
}
