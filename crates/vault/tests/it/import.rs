//! Tables of other programs come into a vault: the ERP's dump, CSV, and what is wrong with them.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::support::{FakeTransport, Home, IopService, Policy, all_bytes, as_name, contains, log_in, reply};
use jiff::Timestamp;
use proptest::prelude::*;
use sesame_core::{Clock as _, ErrorKind};
use sesame_vault::{
    AccountState, Location, LoginOptions, Vault,
    import::{ImportOptions, Imported, MAX_TABLE, Mapping, Table, TableFormat},
    store::{AccountStore as _, SqlStore},
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
        "line 13: app key 222 has another secret elsewhere",
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

#[tokio::test]
async fn a_table_without_names_shows_none_of_its_values() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let row = "a1,26411111,SECRETsec1,50000ACCESSTOKENabc,50001REFRESHabc\n";
    let said = |error: sesame_core::Error| format!("{error} {error:?} {:?}", error.hint());
    let mut all = said(Table::read(row.into(), TableFormat::Csv).unwrap_err());
    let mut options = ImportOptions::new("lazada").unwrap();
    for (format, separator) in [(TableFormat::Csv, ","), (TableFormat::Csv, ";"), (TableFormat::Tsv, "\t")] {
        let table = read(&row.repeat(2).replace(',', separator), format);
        let error = said(vault.import_table(&table, &options).await.unwrap_err());
        assert!(error.contains("no column \\\"account\\\"") && error.contains("app_secret"), "{error}");
        write!(all, "{table:?} {error}").unwrap();
        options.mapping = "access_token=tok".parse().unwrap();
        all += &said(vault.import_table(&table, &options).await.unwrap_err());
        options.mapping = Mapping::default();
    }
    for secret in ["26411111", "SECRETsec1", "50000ACCESS", "50001REFRESH"] {
        assert!(!all.contains(secret), "{secret}: {all}");
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
    let options = |name: Option<&str>| LoginOptions {
        as_name: name.map(str::to_owned),
        // Of one of them nobody knows where a seller approves.
        have_code: true,
        ..LoginOptions::default()
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
        let endpoint = sesame_catalog::Endpoint::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        sesame_vault::VaultOptions { endpoint: Some(endpoint), ..home.sandboxed() }
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
async fn shops_imported_in_one_minute_are_not_refreshed_in_one_minute() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let row =
        |shop: u32| format!("shop{shop},77,sec77,a{shop},r{shop},2026-11-22 07:30:00,2026-11-01 00:00:00\n");
    let head =
        "account,app_key,app_secret,access_token,refresh_token,access_create_time,refresh_create_time\n";
    let rows: String = std::iter::once(head.to_owned()).chain((0..300).map(row)).collect();
    let options = ImportOptions::new("aliexpress-legacy").unwrap();
    let done = vault.import_table(&csv(&rows), &options).await.unwrap();
    assert_eq!((done.accounts.len(), done.apps.len()), (300, 1));
    vault.close().await;
    let store = SqlStore::open(&Location::Sqlite(home.path())).await.unwrap();
    let mut due: Vec<i64> =
        store.accounts().await.unwrap().iter().map(|row| row.authorization.tokens.due_at.unwrap()).collect();
    due.sort_unstable();
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for at in &due {
        *minutes.entry(at / 60_000).or_default() += 1;
    }
    assert!(minutes.len() > 120, "{} minutes", minutes.len());
    assert!(*minutes.values().max().unwrap() < 12, "{minutes:?}");
}

#[tokio::test]
async fn shops_without_known_ends_are_refreshed_soon_and_not_taken_for_healthy() {
    let mut home = Home::new(FakeTransport::json("{}"));
    home.transport = IopService::new(Policy::Lives, &home.clock).transport();
    let vault = home.open().await;
    let row = |shop: u32| format!("shop{shop},77,sec77,a{shop},r{shop},0000-00-00 00:00:00,NULL\n");
    let head =
        "account,app_key,app_secret,access_token,refresh_token,access_create_time,refresh_create_time\n";
    let rows: String = std::iter::once(head.to_owned()).chain((0..300).map(row)).collect();
    let done = import_csv(&vault, "lazada", &rows).await.unwrap();
    assert!(
        done.notes.iter().any(|note| note.starts_with("300 shops have refresh tokens without a known end")),
        "{:?}",
        done.notes
    );
    let shop = vault.account("shop7").await.unwrap();
    assert_eq!((shop.state, shop.has_refresh_token), (AccountState::NeedsRefresh, true));
    // Due at once, over some minutes.
    let store = home.store().await;
    let now = home.clock.now().as_millisecond();
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for row in store.accounts().await.unwrap() {
        let due = row.authorization.tokens.due_at.unwrap();
        assert!((now..=now + 600_000).contains(&due), "{}", due - now);
        *minutes.entry((due - now) / 60_000).or_default() += 1;
    }
    assert!(minutes.len() >= 10 && *minutes.values().max().unwrap() < 80, "{minutes:?}");
}

#[tokio::test]
async fn a_keeper_asks_once_for_ends_that_nobody_knows() {
    let home = Home::new(FakeTransport::json(
        r#"{"access_token":"new","refresh_token":"newer","expires_in":"604800","refresh_expires_in":"15552000","code":"0","country":"sg","account":"x"}"#,
    ));
    let vault = home.open().await;
    let rows = "account,app_key,app_secret,access_token,refresh_token\nshop,77,sec77,a,r\n";
    import_csv(&vault, "lazada", rows).await.unwrap();
    let keeper = sesame_vault::Keeper::new(vault.clone(), sesame_vault::KeeperOptions::default());
    home.clock.advance_secs(11 * 60);
    keeper.tick().await.unwrap();
    let shop = vault.account("shop").await.unwrap();
    assert_eq!((shop.generation, &shop.state), (2, &AccountState::Healthy), "{shop:?}");
    assert!(shop.refresh_expires_at.is_some() && shop.needs_person_by.is_some(), "{shop:?}");
    // Where a reply does not say, it is not asked again and again.
    home.transport.answer(|_| Ok(reply(200, r#"{"access_token":"new","expires_in":"36000","aliId":"7"}"#)));
    import_csv(&vault, "aliexpress-legacy", &rows.replace("shop", "other")).await.unwrap();
    for _ in 0..5 {
        home.clock.advance_secs(3_600);
        keeper.tick().await.unwrap();
    }
    assert_eq!(home.transport.count(), 2);
    let shop = vault.account("other").await.unwrap();
    assert_eq!((shop.refresh_expires_at, shop.has_refresh_token), (None, true), "{shop:?}");
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

#[test]
fn files_with_nothing_to_import_and_other_encodings_are_errors() {
    let utf_16: Vec<u8> =
        "\u{feff}account,app_key\nx,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (table, words) in [
        (b"account,app_key,app_secret,access_token\n".to_vec(), "no rows"),
        (b"account,app_key,app_secret,access_token\n,,,\n \n".to_vec(), "no rows"),
        (Vec::new(), "no rows"),
        (utf_16, "line 1 of the table is not UTF-8"),
        (b"account,app_key\r\nx,1\r\n\xb5\xea\xc6\xcc,1\r\n".to_vec(), "line 3 of the table is not UTF-8"),
    ] {
        let error = Table::read(table, TableFormat::Csv).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.message().contains(words), "{words}: {error}");
    }
    let error = Table::read(b"account\tapp_key\n\n".to_vec(), TableFormat::Tsv).unwrap_err();
    assert!(error.message().contains("no rows"), "{error}");
}

#[test]
fn a_table_is_bounded_in_bytes_rows_and_columns() {
    let refused = |table: Vec<u8>, format| Table::read(table, format).unwrap_err().message().to_owned();
    let limit = usize::try_from(MAX_TABLE).unwrap();
    assert!(refused(vec![0; limit + 1], TableFormat::Csv).contains("larger than 64 MiB"));
    for format in [TableFormat::Csv, TableFormat::Tsv] {
        let rows = format!("account\n{}", "a\n".repeat(250_001));
        assert!(refused(rows.into(), format).contains("larger than 250,000 rows"));
        let separator = if format == TableFormat::Csv { "," } else { "\t" };
        let row = vec!["a"; 201].join(separator);
        assert!(refused(format!("{row}\n{row}\n").into(), format).contains("more than 200 columns"));
    }
    let rows = "{\"account\":\"a\"}\n".repeat(250_001);
    assert!(refused(rows.into(), TableFormat::JsonLines).contains("larger than 250,000 rows"));
}

#[tokio::test]
async fn a_row_that_is_too_long_is_a_bad_one() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let long = "x".repeat(64 << 10);
    for (format, table) in [
        (TableFormat::Csv, format!("account,app_key\nshop,{long}\n")),
        (TableFormat::Tsv, format!("account\tapp_key\nshop\t{long}\n")),
        (TableFormat::JsonLines, format!("{{\"account\":\"{long}\"}}\n{{\"account\":\"shop\"}}\n")),
    ] {
        let mut options = ImportOptions::new("lazada").unwrap();
        options.dry_run = true;
        let done = vault.import_table(&read(&table, format), &options).await.unwrap();
        assert!(done.skipped.iter().any(|(_, why)| why == "it is longer than 64 KiB"), "{:?}", done.skipped);
    }
}

#[tokio::test]
async fn csv_tsv_and_json_lines_say_the_same() {
    let json = r#"{"account":"店\t1","app_key":26411111,"app_secret":"s\\1","access_token":"a1","aliId":220000000000000001,"access_create_time":null}

{"account":"two","app_key":"26411111","app_secret":"s\\1","refresh_token":"r2","login":"o \"x\""}
"#;
    let csv = "account,app_key,app_secret,access_token,refresh_token,aliId,login\n\
        \"店\t1\",26411111,s\\1,a1,,220000000000000001,\ntwo,26411111,s\\1,,r2,,\"o \"\"x\"\"\"\n";
    let tsv = "account\tapp_key\tapp_secret\taccess_token\trefresh_token\taliId\tlogin\n\
        店\\t1\t26411111\ts\\\\1\ta1\t\\N\t220000000000000001\tNULL\ntwo\t26411111\ts\\\\1\tNULL\tr2\t\to \"x\"\n";
    let mut all = Vec::new();
    for (format, table) in [(TableFormat::JsonLines, json), (TableFormat::Csv, csv), (TableFormat::Tsv, tsv)]
    {
        // A name with a tab in it is refused for what it is, in each.
        let home = Home::new(FakeTransport::json("{}"));
        let vault = home.open().await;
        let options = ImportOptions::new("aliexpress-legacy").unwrap();
        let error = vault.import_table(&read(table, format), &options).await.unwrap_err();
        assert!(error.message().contains("control characters"), "{format:?}: {error}");
        let table = table.replace("\\t", " ").replace("店\t", "店 ");
        vault.import_table(&read(&table, format), &options).await.unwrap();
        let mut shown = Vec::new();
        for name in ["店 1", "two"] {
            let row = vault.account(name).await.unwrap();
            shown.push((row.app, row.shop_id, row.login, row.has_refresh_token));
        }
        all.push(shown);
    }
    assert_eq!(all[0][0].1.as_deref(), Some("220000000000000001"), "no digit is lost");
    assert_eq!(all[0][1].2.as_deref(), Some("o \"x\""));
    assert!(all[0] == all[1] && all[1] == all[2], "{all:?}");
}

#[tokio::test]
async fn lines_of_json_that_are_not_objects_of_plain_values_are_bad_rows() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let lines = "\"planted-text\"\n{\"account\":[\"planted\"]}\n{\"account\":\"planted\n{\"account\":true}\n{\"account\":\"x\"}\n";
    let table = read(lines, TableFormat::JsonLines);
    let error = vault.import_table(&table, &ImportOptions::new("lazada").unwrap()).await.unwrap_err();
    for words in [
        "line 1: it is not a JSON object",
        "line 2: a value is neither text nor a number",
        "line 3: it is not a JSON object",
        "line 4: a value is neither",
        "line 5: it has no app key",
    ] {
        assert!(error.message().contains(words), "{words}: {error}");
    }
    assert!(!error.message().contains("planted"), "{error}");
}

proptest! {
    /// Whatever is in a file: it is read or refused, and no error shows a value.
    #[test]
    fn any_bytes_are_read_or_refused(
        start in prop::sample::select(vec!["", "account,app_key\n", "account\tapp_key\n", "{\"account\":"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        secret in "[a-z]{12}",
    ) {
        let table = [start.as_bytes(), secret.as_bytes(), &bytes].concat();
        for format in [TableFormat::Csv, TableFormat::Tsv, TableFormat::JsonLines] {
            if let Err(error) = Table::read(table.clone(), format) {
                let said = format!("{error:?} {:?}", error.hint());
                prop_assert!(!said.contains(&secret), "{}", said);
            }
        }
    }
}

#[tokio::test]
async fn what_spreadsheets_made_of_values_is_read_or_refused() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let head = "account,app_key,app_secret,access_token,refresh_token,aliId,access_create_time\n";
    let good = "one,26411111,sec1,a1,r1,220001,2026/11/22 7:00\n\n,,,,,,\n\
                two,26411111,sec1,None,nan,NULL,2026-11-22 7:00\n";
    let done = import_csv(&vault, "aliexpress-legacy", &format!("{head}{good}")).await.unwrap();
    assert_eq!((done.apps.len(), done.accounts.len()), (1, 2), "{done:?}");
    let one = vault.account("one").await.unwrap();
    assert_eq!(one.shop_id.as_deref(), Some("220001"));
    assert_eq!(one.access_expires_at, Some(at("2026-11-22T09:00:00Z")));
    let two = vault.account("two").await.unwrap();
    assert_eq!(two.shop_id, None);
    assert!(two.state.reason().unwrap().contains("no token"), "{two:?}");
    let bad = "three,2.64111E+07,sec,a,r,1,\nfour,26411111,sec1,a,r,220001.0,\n\
               five,26411111,sec1,a,r,5,11/22/2026 7:00\n";
    let error = import_csv(&vault, "aliexpress-legacy", &format!("{head}{bad}")).await.unwrap_err();
    for words in [
        "line 2: column app_key lost digits",
        "line 3: column aliId lost digits",
        "line 4: column access_create_time is not a time",
        "2026/11/22 7:00",
    ] {
        assert!(error.message().contains(words), "{words}: {error}");
    }
}

/// 1688 documents "half a year", and many refresh tokens live longer.
#[tokio::test]
async fn a_shop_is_given_up_by_the_platform_and_not_by_the_age_of_its_token() {
    let home = Home::new(FakeTransport::new(|seen| {
        Ok(reply(
            200,
            match seen.form["refresh_token"].as_str() {
                "lives" => {
                    r#"{"access_token":"fresh","expires_in":"36000","aliId":"1","resource_owner":"x"}"#
                }
                _ => r#"{"error":"invalid_grant","error_description":"refresh token expired"}"#,
            },
        ))
    }));
    let vault = home.open().await;
    let head = "account,app_key,app_secret,access_token,refresh_token,aliId,refresh_create_time,refresh_expires_at\n";
    // 181 days ago.
    let rows = format!(
        "{head}old,77,sec77,a1,lives,1,2026-05-25 08:00:00,\ndead,77,sec77,a2,dead,2,2020-01-01 08:00:00,\n\
         told,77,sec77,a3,told,3,2026-05-25 08:00:00,2026-11-20 08:00:00\n"
    );
    let done = import_csv(&vault, "1688", &rows).await.unwrap();
    let waiting: Vec<_> = done.needs_authorization.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(waiting, ["told"], "only the table's own word counts");
    assert!(done.notes.iter().any(|note| note.starts_with("2 shops have refresh tokens without")));
    for name in ["old", "dead"] {
        let shop = vault.account(name).await.unwrap();
        assert_eq!((shop.state, shop.refresh_expires_at), (AccountState::NeedsRefresh, None), "{name}");
        assert_eq!(shop.needs_person_by, None, "nobody knows");
    }
    // At once, but not all in one moment.
    let now = home.clock.now().as_millisecond();
    for row in home.store().await.accounts().await.unwrap() {
        let due = row.authorization.tokens.due_at;
        assert_eq!(due.is_none(), row.account.name == "told");
        assert!(due.is_none_or(|due| (now..=now + 600_000).contains(&due)), "{due:?}");
    }
    let keeper = sesame_vault::Keeper::new(vault.clone(), sesame_vault::KeeperOptions::default());
    home.clock.advance_secs(11 * 60);
    keeper.tick().await.unwrap();
    assert_eq!(vault.account("old").await.unwrap().state, AccountState::Healthy);
    let dead = vault.account("dead").await.unwrap();
    assert!(dead.state.reason().is_some_and(|reason| reason.contains("no longer takes")), "{dead:?}");
    assert_eq!(home.transport.count(), 2);
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
async fn the_first_days_of_1970_are_no_times() {
    let rows = "account,app_key,app_secret,access_token,refresh_token,access_create_time,refresh_create_time\n\
        s,1,x,a1,r1,1970-01-01 08:00:00,1970-01-01 00:00:00\nt,1,x,a2,r2,1969-12-31 16:00:00,1970-01-02\n";
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import_csv(&vault, "lazada", rows).await.unwrap();
    for shop in ["s", "t"] {
        let account = vault.account(shop).await.unwrap();
        assert_eq!((account.access_expires_at, account.refresh_expires_at), (None, None), "{shop}");
    }
    let error = import_csv(&vault, "lazada", &rows.replace("s,1,x,a1", "u,1,x,a3").replace("08:00", "0x:00"))
        .await
        .unwrap_err();
    assert!(error.message().contains("is not a time"), "{error}");
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
