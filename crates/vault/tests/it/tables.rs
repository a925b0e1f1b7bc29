//! Tables of other programs come into a vault: the ERP's dump, CSV, and what is wrong with them.

use std::collections::BTreeMap;

use crate::support::{FakeTransport, Home, IopService, Policy, all_bytes, as_name, contains, log_in, reply};
use jiff::Timestamp;
use sesame_core::{Clock as _, ErrorKind};
use sesame_vault::{
    AccountState, Imported, Location, LoginOptions, TableOptions, Vault,
    store::{AccountStore as _, SqlStore},
    tables::{ERP_TABLES, read_csv, read_sql},
};

fn erp() -> Vec<String> {
    ERP_TABLES.map(str::to_owned).to_vec()
}

/// The clock of the tests stands at 2026-11-22 08:00 in Shanghai.
const DUMP: &str = "CREATE TABLE `account` (`id` int, `account` varchar(50), `appkey` varchar(50), `appsecret` varchar(50), `memo` text);
CREATE TABLE `erp_aliexpress_accounts` (`id` int, `aliexpress_account` varchar(50), `aliId` bigint, `access_token` varchar(255), `refresh_token` varchar(255), `access_create_time` datetime, `refresh_create_time` int);
INSERT INTO `account` VALUES (1,'shop1','111','planted-secret-1',NULL),(2,'shop2','222','planted-secret-2','it\\'s'),
(3,'Shop3','222','planted-secret-2',''),(4,'never','444','planted-secret-4',''),(5,'ebay',NULL,NULL,'');
INSERT INTO `erp_aliexpress_accounts` VALUES
(1,'shop1',200042360,'planted-access-1','planted-refresh-1','2026-11-22 07:00:00',1795262400),
(2,'shop2',200042361,'planted-access-2','planted-refresh-2','2026-11-21 07:00:00','1779000000'),
(3,'shop3',200042362,NULL,NULL,'0000-00-00 00:00:00',0);
";

async fn import(
    vault: &Vault,
    dump: &str,
    change: impl Fn(&mut TableOptions),
) -> sesame_core::Result<Imported> {
    let mut options = TableOptions::new("aliexpress-legacy").unwrap();
    change(&mut options);
    vault.import_tables(&read_sql(dump.as_bytes(), &erp()).unwrap(), &options).await
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_erps_two_tables_become_shops() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let look = import(&vault, DUMP, |options| options.dry_run = true).await.unwrap();
    assert_eq!(vault.accounts().await.unwrap(), [], "a dry run stores nothing");
    let done = import(&vault, DUMP, |_| {}).await.unwrap();
    assert_eq!(done, look);
    assert_eq!(done.accounts, ["shop1", "shop2", "Shop3", "never"]);
    assert_eq!(done.apps, ["shop1", "aliexpress-legacy", "never"]);
    assert_eq!(done.notes.len(), 2, "the row of another platform is counted: {:?}", done.notes);
    assert!(
        done.notes[1].starts_with("1 shop has a refresh token that should have ended"),
        "{:?}",
        done.notes
    );
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
    let again = import(&vault, DUMP, |_| {}).await.unwrap();
    assert_eq!((again.accounts.len(), again.apps.len(), again.left_alone.len()), (0, 0, 4));
    assert_eq!(vault.accounts().await.unwrap().len(), 4);
    for planted in ["planted-secret", "planted-access", "planted-refresh"] {
        assert!(!contains(&all_bytes(home.directory.path()), planted), "{planted}");
        assert!(!format!("{done:?} {:?}", read_sql(DUMP.as_bytes(), &erp()).unwrap()).contains(planted));
    }
}

#[tokio::test]
async fn another_shops_answer_does_not_replace_an_imported_one() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import(&vault, DUMP, |_| {}).await.unwrap();
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
async fn rows_that_cannot_be_taken_are_named_and_stop_all_unless_skipped() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let dump = format!(
        "{DUMP}INSERT INTO erp_aliexpress_accounts VALUES (9,'nokey',1,'planted-a','planted-r','2026-11-22 07:00:00',NULL),\n\
         (10,'shop1',1,'planted-a','planted-r',NULL,NULL),(11,'badtime',1,'planted-a','planted-r','planted-not-a-time',NULL),\n\
         (12,NULL,1,'planted-a','planted-r',NULL,NULL),(13,'future',1,'planted-a','planted-r','2027-11-22 07:00:00',NULL),(14);\n\
         INSERT INTO account (account,appkey,appsecret) VALUES ('badtime','555','x5'),('future','666','x6'),('spaces','7 7','x7'),('other','222','different');\n\
         INSERT INTO erp_aliexpress_accounts (aliexpress_account,access_token) VALUES ('spaces','planted a'),('other','planted-b');"
    );
    let error = import(&vault, &dump, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let said = format!("{error}");
    for words in [
        "9 rows",
        "line 9 (table erp_aliexpress_accounts) and line",
        "there is no app key for it",
        "line 10, row 2 (table erp_aliexpress_accounts): account \"shop1\" stands there already",
        "access_create_time holds no time",
        "there is no account name",
        "still to come",
        "it has 1 values for 7 columns",
        "spaces or line breaks",
        "has another secret elsewhere",
    ] {
        assert!(said.contains(words) || words.starts_with("line 9") || words == "9 rows", "{words}: {said}");
    }
    assert!(!said.contains("planted"), "{said}");
    assert!(error.hint().unwrap().contains("--skip-bad"));
    assert_eq!((vault.accounts().await.unwrap().len(), vault.apps().await.unwrap().len()), (0, 0));
    let done = import(&vault, &dump, |options| options.skip_bad = true).await.unwrap();
    assert_eq!(done.accounts, ["shop1", "shop2", "Shop3"], "the row of `never` may be the one that is cut");
    assert!(done.skipped.len() >= 8, "{:?}", done.skipped);
}

#[tokio::test]
async fn csv_with_a_mapping_and_an_app_of_the_vault() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    crate::support::app(&vault, "lazada").await;
    let csv = "\u{feff}shop;tok;rtok;Seller ID;expires_at\r\nsg1;planted-a1;planted-r1;1001;2026-12-01T00:00:00+08:00\r\n\"sg;2\";planted-a2;;1002;1796000000\r\n";
    let rows = read_csv(csv.as_bytes(), None).unwrap();
    assert_eq!((rows.len(), rows[1].line), (2, 3));
    let mut options = TableOptions::new("lazada").unwrap();
    options.mapping = "access_token=tok,refresh_token=rtok".parse().unwrap();
    let error = vault.import_tables(&rows, &options).await.unwrap_err();
    assert!(error.message().contains("no app key"), "{error}");
    options.app = Some("lazada".to_owned());
    let done = vault.import_tables(&rows, &options).await.unwrap();
    assert_eq!(
        (done.accounts.as_slice(), done.apps.len()),
        (["sg1".to_owned(), "sg;2".to_owned()].as_slice(), 0)
    );
    let account = vault.account("sg1").await.unwrap();
    assert_eq!(account.access_expires_at, Some(at("2026-11-30T16:00:00Z")));
    assert_eq!(account.shop_id.as_deref(), Some("1001"));

    options.mapping = "access_token=nowhere".parse().unwrap();
    let error = vault.import_tables(&rows, &options).await.unwrap_err();
    assert!(error.message().contains("\"nowhere\"") && error.hint().unwrap().contains("rtok"), "{error:?}");
    for wrong in ["tok", "nothing=tok", "access_token=", "access_token=a,accesstoken=b"] {
        assert!(wrong.parse::<sesame_vault::tables::Mapping>().is_err(), "{wrong}");
    }
    assert!(read_csv(b"".as_slice(), None).is_err());
    let rows = read_csv(b"account,app_key\nx\n".as_slice(), None).unwrap();
    assert!(rows[0].cells.as_ref().unwrap_err().contains("1 fields for 2"));
}

#[tokio::test]
async fn a_table_without_names_shows_none_of_its_values() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let row = "a1,26411111,SECRETsec1,50000ACCESSTOKENabc,50001REFRESHabc\n";
    let said = |error: sesame_core::Error| format!("{error} {error:?} {:?}", error.hint());
    let one = said(read_csv(row.as_bytes(), None).unwrap_err());
    assert!(one.contains("account,app_key,app_secret"), "{one}");
    let rows = read_csv(row.repeat(2).as_bytes(), None).unwrap();
    let shown = format!("{rows:?}");
    let mut options = TableOptions::new("lazada").unwrap();
    let two = said(vault.import_tables(&rows, &options).await.unwrap_err());
    assert!(two.contains("first line") && two.contains("account,app_key,app_secret"), "{two}");
    options.mapping = "access_token=tok".parse().unwrap();
    let mapped = said(vault.import_tables(&rows, &options).await.unwrap_err());
    // One name by chance: then the others are named if they look like names.
    let by_chance =
        "shop_title,shop-no 1,account,50000ACCESSTOKENabc,c1b2a3f4e5d6a7b8c9d0e1f2a3b4c5d6,Very.secret\n";
    let rows = read_csv(by_chance.repeat(2).as_bytes(), None).unwrap();
    let chance = said(vault.import_tables(&rows, &options).await.unwrap_err());
    assert!(chance.contains("shop_title, shop-no 1, account, 3 that do not"), "{chance}");
    for secret in ["26411111", "SECRETsec1", "50000ACCESS", "50001REFRESH", "c1b2a3", "Very.secret"] {
        for text in [&one, &shown, &two, &mapped, &chance] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// Two shops of Lazada, whose replies name a seller for each country.
const SELLERS: &str = "account,app_key,app_secret,access_token,refresh_token,seller_id\n\
    one,500100,planted-secret,planted-a1,planted-r1,1001\n\
    two,500100,planted-secret,planted-a2,planted-r2,2002\n";

async fn import_csv(vault: &Vault, platform: &str, csv: &str) -> sesame_core::Result<Imported> {
    let options = TableOptions::new(platform).unwrap();
    vault.import_tables(&read_csv(csv.as_bytes(), None).unwrap(), &options).await
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
    let done = import_csv(&vault, "lazada", &SELLERS.replace("seller_id", "user_id")).await.unwrap();
    assert!(done.notes[0].contains("user_id") && done.notes[0].contains("not used"), "{:?}", done.notes);
    assert_eq!(vault.account("two").await.unwrap().shop_id, None);
    log_in(&vault, "lazada", as_name("two")).await.unwrap();
    assert_eq!(vault.account("two").await.unwrap().shop_id.as_deref(), Some("1001"), "now it is known");
    // A column that claims nothing is the platform's first id.
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let done = import_csv(&vault, "lazada", &SELLERS.replace("seller_id", "identity")).await.unwrap();
    assert!(!done.notes.iter().any(|note| note.contains("not used")), "{:?}", done.notes);
}

#[tokio::test]
async fn timestamps_are_read_in_the_zone_of_the_dump() {
    let row = "INSERT INTO `erp_aliexpress_accounts` VALUES ('s','1','x1','a','r','2026-11-22 01:00:00','2026-11-22 01:00:00');\n";
    let head = "CREATE TABLE `erp_aliexpress_accounts` (`aliexpress_account` varchar(50), `appkey` int, `appsecret` text, \
         `access_token` text, `refresh_token` text, `access_create_time` timestamp NULL DEFAULT NULL, \
         `refresh_create_time` datetime DEFAULT NULL);\n";
    for (zone, access) in [
        // Without a word, the server's own, as with DATETIME.
        ("", "2026-11-22T03:00:00Z"),
        (
            "/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n",
            "2026-11-22T11:00:00Z",
        ),
        ("SET time_zone = \"-01:30\";\n", "2026-11-22T12:30:00Z"),
        ("SET NAMES utf8mb4, @@session.time_zone = 'Europe/Berlin';\n", "2026-11-22T10:00:00Z"),
        (
            "/*!40103 SET TIME_ZONE='+00:00' */;\n/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n",
            "2026-11-22T03:00:00Z",
        ),
        ("SET time_zone = 'SYSTEM';\n", "2026-11-22T03:00:00Z"),
        ("-- SET time_zone = '+00:00';\n/* SET time_zone = '+00:00' */\n", "2026-11-22T03:00:00Z"),
    ] {
        let home = Home::new(FakeTransport::json("{}"));
        let vault = home.open().await;
        import(&vault, &format!("{zone}{head}{row}"), |_| {}).await.unwrap();
        let account = vault.account("s").await.unwrap();
        assert_eq!(account.access_expires_at, Some(at(access)), "{zone}");
        assert_eq!(account.refresh_expires_at, Some(at("2027-05-20T17:00:00Z")), "{zone}");
    }
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let error = import(&vault, &format!("SET time_zone='Mars/North';{head}{row}"), |_| {}).await.unwrap_err();
    assert!(error.message().contains("access_create_time: it is in a time zone"), "{error}");
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
async fn a_second_table_that_disagrees_adds_nothing_at_all() {
    let dump = format!(
        "{DUMP}INSERT INTO erp_aliexpress_accounts (aliexpress_account,aliId,access_token,refresh_token) VALUES ('late',7,'a','r');\n\
         CREATE TABLE `more` (`account` text, `appkey` text, `appsecret` text, `refresh_token` text, `aliId` text, `login` text, `nick` text);\n\
         INSERT INTO `more` VALUES ('late','777','x7','another','7','who','who');\n"
    );
    let mut tables = erp();
    tables.push("more".to_owned());
    let rows = read_sql(dump.as_bytes(), &tables).unwrap();
    let mut options = TableOptions::new("aliexpress-legacy").unwrap();
    options.skip_bad = true;
    options.dry_run = true;
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    // By chance it went well now and then.
    for _ in 0..16 {
        let done = vault.import_tables(&rows, &options).await.unwrap();
        let why: Vec<&str> = done.skipped.iter().map(|(_, why)| why.as_str()).collect();
        assert!(why.iter().any(|why| why.contains("another refresh_token")), "{why:?}");
        assert!(why.contains(&"there is no app key for it"), "{why:?}");
    }
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
    let mut options = TableOptions::new("lazada").unwrap();
    options.app = Some("lazada-2".to_owned());
    let rows = read_csv(other.as_bytes(), None).unwrap();
    options.dry_run = true;
    let look = vault.import_tables(&rows, &options).await.unwrap();
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
    let csv: String = std::iter::once(head.to_owned()).chain((0..300).map(row)).collect();
    let options = TableOptions::new("aliexpress-legacy").unwrap();
    let done = vault.import_tables(&read_csv(csv.as_bytes(), None).unwrap(), &options).await.unwrap();
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
    let csv: String = std::iter::once(head.to_owned()).chain((0..300).map(row)).collect();
    let done = import_csv(&vault, "lazada", &csv).await.unwrap();
    assert!(done.notes.iter().any(|note| note.contains("300 shops have no known end")), "{:?}", done.notes);
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
    let csv = "account,app_key,app_secret,access_token,refresh_token\nshop,77,sec77,a,r\n";
    import_csv(&vault, "lazada", csv).await.unwrap();
    let keeper = sesame_vault::Keeper::new(vault.clone(), sesame_vault::KeeperOptions::default());
    home.clock.advance_secs(11 * 60);
    keeper.pass().await.unwrap();
    let shop = vault.account("shop").await.unwrap();
    assert_eq!((shop.generation, &shop.state), (2, &AccountState::Healthy), "{shop:?}");
    assert!(shop.refresh_expires_at.is_some() && shop.needs_person_by.is_some(), "{shop:?}");
    // Where a reply does not say, it is not asked again and again.
    home.transport.answer(|_| Ok(reply(200, r#"{"access_token":"new","expires_in":"36000","aliId":"7"}"#)));
    import_csv(&vault, "aliexpress-legacy", &csv.replace("shop", "other")).await.unwrap();
    for _ in 0..5 {
        home.clock.advance_secs(3_600);
        keeper.pass().await.unwrap();
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
    let csv = format!(
        "account,app_key,access_token,refresh_token\none,{key},a1,r1\ntwo,999999,a2,r2\nthree,,a3,r3\n"
    );
    let rows = read_csv(csv.as_bytes(), None).unwrap();
    let mut options = TableOptions::new("lazada").unwrap();
    options.app = Some("lazada".to_owned());
    let error = vault.import_tables(&rows, &options).await.unwrap_err();
    assert!(error.message().contains("line 3: its app key is not that of app \"lazada\""), "{error}");
    options.skip_bad = true;
    assert_eq!(vault.import_tables(&rows, &options).await.unwrap().accounts, ["one", "three"]);
}

#[tokio::test]
async fn files_with_nothing_to_import_are_errors() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let said = |error: sesame_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Usage);
        format!("{error} {}", error.hint().unwrap())
    };
    for (csv, words) in [
        ("account,app_key,app_secret,access_token\n", "no rows"),
        ("account,app_key,app_secret,access_token\n,,,\n \n", "no rows"),
        ("<!DOCTYPE html>\n<html><body>Log in</body></html>\n", "HTML"),
        ("PK\u{3}\u{4}binary\nx\n", "Excel"),
    ] {
        let error = said(read_csv(csv.as_bytes(), None).unwrap_err());
        assert!(error.contains(words), "{csv}: {error}");
    }
    let tables = "CREATE TABLE `account` (`account` text, `appkey` text);\nCREATE TABLE `erp_aliexpress_accounts` (`aliexpress_account` text);\n";
    let error = said(read_sql(tables.as_bytes(), &erp()).unwrap_err());
    assert!(error.contains("no rows") && error.contains("erp_aliexpress_accounts"), "{error}");
    let postgres = "CREATE TABLE public.account (\n    id integer NOT NULL,\n    account text\n);\n\nCOPY public.account (id, account) FROM stdin;\n1\tshop1\n\\.\n";
    let error = said(read_sql(postgres.as_bytes(), &erp()).unwrap_err());
    assert!(error.contains("COPY") && error.contains("pg_dump --column-inserts"), "{error}");
    let rows = read_csv(b"account,app_key\nshop1,\nshop2,\n".as_slice(), None).unwrap();
    let error = vault.import_tables(&rows, &TableOptions::new("lazada").unwrap()).await;
    let error = said(error.unwrap_err());
    assert!(error.contains("2 rows") && error.contains("access_token"), "{error}");
}

#[tokio::test]
async fn what_spreadsheets_made_of_values_is_mended_or_refused() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let head = "account,app_key,app_secret,access_token,refresh_token,aliId,access_create_time\n";
    let good = "one,26411111.0,sec1,a1,r1,220001.0,2026/11/22 7:00\n\
                two,26411111,sec1,None,nan,NULL,2026-11-22 7:00\n";
    let rows = read_csv(format!("{head}{good}").as_bytes(), None).unwrap();
    let options = TableOptions::new("aliexpress-legacy").unwrap();
    let done = vault.import_tables(&rows, &options).await.unwrap();
    assert_eq!((done.apps.len(), done.accounts.len()), (1, 2), "{done:?}");
    let one = vault.account("one").await.unwrap();
    assert_eq!(one.shop_id.as_deref(), Some("220001"));
    assert_eq!(one.access_expires_at, Some(at("2026-11-22T09:00:00Z")));
    let two = vault.account("two").await.unwrap();
    assert_eq!(two.shop_id, None);
    assert!(two.state.reason().unwrap().contains("no token"), "{two:?}");
    assert_eq!(vault.apps().await.unwrap()[0].app_key, "26411111");
    let bad = "three,2.64111E+07,sec,a,r,1,\nfour,26411111,sec1,a,r,2.20001E+11,\n\
               five,26411111,sec1,a,r,5,11/22/2026 7:00\n";
    let rows = read_csv(format!("{head}{bad}").as_bytes(), None).unwrap();
    let error = vault.import_tables(&rows, &options).await.unwrap_err();
    for words in [
        "line 2: column app_key: it lost digits",
        "line 3: column aliId: it lost digits",
        "line 4: column access_create_time holds no time that can be read",
        "2026/11/22 7:00",
    ] {
        assert!(error.message().contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn texts_as_windows_writes_them_are_read() {
    let utf_16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    };
    let csv = "sep=;\r\naccount;app_key;app_secret;access_token\r\n店铺😀;1;s;t\r\n;;;\r\n\r\n ; ;;\r\nx;1;s;t2\r\n";
    for bytes in [csv.as_bytes().to_vec(), utf_16(csv, u16::to_le_bytes), utf_16(csv, u16::to_be_bytes)] {
        let rows = read_csv(bytes.as_slice(), None).unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [3, 7]);
        let home = Home::new(FakeTransport::json("{}"));
        let vault = home.open().await;
        let done = vault.import_tables(&rows, &TableOptions::new("lazada").unwrap()).await.unwrap();
        assert_eq!(done.accounts, ["店铺😀", "x"]);
    }
    let sql = "CREATE TABLE `account` (`account` text, `appkey` text);\nINSERT INTO `account` VALUES ('店铺','1');\n";
    let marked = format!("\u{feff}{sql}").into_bytes();
    for bytes in [marked, utf_16(sql, u16::to_le_bytes), utf_16(sql, u16::to_be_bytes)] {
        assert_eq!(read_sql(bytes.as_slice(), &erp()).unwrap().len(), 1);
    }
    // GBK.
    let error = read_csv(b"\xb5\xea\xc6\xcc,app_key\nx,1\n".as_slice(), None).unwrap_err();
    assert!(error.hint().unwrap().contains("iconv -f GBK -t UTF-8"), "{error:?}");
    let rows = read_csv(b"account,app_key,app_secret\n\xb5\xea\xc6\xcc,1,s\n".as_slice(), None).unwrap();
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let error = vault.import_tables(&rows, &TableOptions::new("lazada").unwrap()).await.unwrap_err();
    assert!(error.message().contains("iconv -f GBK -t UTF-8"), "{error}");
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
    let csv = format!(
        "{head}old,77,sec77,a1,lives,1,2026-05-25 08:00:00,\ndead,77,sec77,a2,dead,2,2020-01-01 08:00:00,\n\
         told,77,sec77,a3,told,3,2026-05-25 08:00:00,2026-11-20 08:00:00\n"
    );
    let done = import_csv(&vault, "1688", &csv).await.unwrap();
    let waiting: Vec<_> = done.needs_authorization.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(waiting, ["told"], "only the table's own word counts");
    assert!(done.notes.iter().any(|note| note.starts_with("2 shops have refresh tokens that should each")));
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
    keeper.pass().await.unwrap();
    assert_eq!(vault.account("old").await.unwrap().state, AccountState::Healthy);
    let dead = vault.account("dead").await.unwrap();
    assert!(dead.state.reason().is_some_and(|reason| reason.contains("no longer takes")), "{dead:?}");
    assert_eq!(home.transport.count(), 2);
}

#[tokio::test]
async fn a_shop_is_called_where_its_country_is() {
    let head = "account,app_key,app_secret,access_token,refresh_token,site\n";
    let row = |name: &str, site: &str| format!("{name},77,sec77,a{name},r{name},{site}\n");
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let rows = row("1", "MY") + &row("2", "cn-th") + &row("3", "cb") + &row("4", "");
    let mut options = TableOptions::new("lazada").unwrap();
    options.region = Some("vn".to_owned());
    vault
        .import_tables(&read_csv(format!("{head}{rows}").as_bytes(), None).unwrap(), &options)
        .await
        .unwrap();
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
    assert!(error.message().contains("line 2: column site holds no country of Lazada"), "{error}");
    assert!(error.message().contains("sg, my, th") && !error.message().contains("planted"), "{error}");
    // Where there is one host for all, a column `site` may hold anything.
    let done = import_csv(&vault, "taobao", &format!("{head}{}", row("6", "aliexpress"))).await.unwrap();
    assert_eq!(done.accounts, ["6"]);
    assert_eq!(vault.account("6").await.unwrap().region, None);
    // A mapping says so, where a column is called otherwise.
    let csv = format!("{head}{}", row("7", "id")).replace("site", "where");
    let mut options = TableOptions::new("lazada").unwrap();
    options.mapping = "country=where".parse().unwrap();
    vault.import_tables(&read_csv(csv.as_bytes(), None).unwrap(), &options).await.unwrap();
    assert_eq!(vault.account("7").await.unwrap().region.as_deref(), Some("id"));
}

#[test]
fn a_dump_that_is_cut_off_or_whose_quotes_do_not_match_is_refused() {
    let said = |dump: &[u8]| match read_sql(dump, &erp()) {
        Ok(rows) => panic!("{} rows were read", rows.len()),
        Err(error) => format!("{error} {}", error.hint().unwrap_or_default()),
    };
    // Behind any row, and anywhere else in the second INSERT.
    let second = DUMP.find("INSERT INTO `erp").unwrap();
    for end in second + 30..DUMP.trim_end().len() {
        let said = said(&DUMP.as_bytes()[..end]);
        assert!(said.contains("the dump ends inside"), "{end}: {said}");
        assert!(!said.contains("planted"), "{said}");
    }
    let between = DUMP.find(",\n(2,'shop2',200042361").unwrap();
    let cut = said(&DUMP.as_bytes()[..between]);
    assert!(cut.contains("INSERT") && cut.contains("line 5"), "{cut}");
    assert!(cut.contains("add the ; "), "{cut}");
    // Another table between the two; in GBK the second byte of a character may be a backslash.
    let (first, rest) = DUMP.split_at(second);
    for other in
        [&b"INSERT INTO `memo` VALUES (1,'\x95\x5c');\n"[..], b"INSERT INTO `memo` VALUES (1,'open);\n"]
    {
        let dump = [first.as_bytes(), other, rest.as_bytes()].concat();
        let said = said(&dump);
        assert!(said.contains("inside a text that began on line"), "{said}");
        assert!(said.contains("iconv -f GBK"), "{said}");
    }
    let other = said(&[first.as_bytes(), b"INSERT INTO `memo` VALUES (1,2)"].concat());
    assert!(other.contains("inside an INSERT"), "{other}");
    let comment = said(&[first.as_bytes(), b"/* never closed\n", rest.as_bytes()].concat());
    assert!(comment.contains("inside a comment that began on line 5"), "{comment}");
    let name = said(&[first.as_bytes(), b"DROP TABLE `open;\n", rest.as_bytes()].concat());
    assert!(name.contains("inside a name"), "{name}");
    let bodies = said(&[first.as_bytes(), b"DELIMITER ;;\n", rest.as_bytes()].concat());
    assert!(bodies.contains("DELIMITER"), "{bodies}");
    let definition = said(&[first.as_bytes(), b"CREATE TABLE `memo` (`a` int"].concat());
    assert!(definition.contains("inside a CREATE"), "{definition}");
}

/// Two apps, and a table of tokens whose rows stand on one line, one of them a bad one.
const ONE_BAD: &str = "INSERT INTO account (account,appkey,appsecret) VALUES ('a1','1','s1'),('a2','1','s1'),('a3','1','s1'),('a4','1','s1');
INSERT INTO erp_aliexpress_accounts (aliexpress_account,aliId,access_token,access_create_time) VALUES ('a1',1,'t1',NULL),BAD,('a3',3,'t3',NULL),('a4',4,NULL,NULL);\n";

#[tokio::test]
async fn a_shop_whose_row_of_tokens_is_a_bad_one_is_left_out() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    for (bad, why) in [
        ("('a2',2,'t2')", "may be among those of table erp_aliexpress_accounts that cannot be read"),
        ("('a2',2,NOW(),NULL)", "a row of it cannot be read (line 2, row 2 (table erp_aliexpress_accounts))"),
    ] {
        let done = import(&vault, &ONE_BAD.replace("BAD", bad), |options| {
            (options.skip_bad, options.dry_run) = (true, true);
        })
        .await
        .unwrap();
        assert_eq!(
            done.accounts,
            ["a1", "a3", "a4"],
            "{bad}: only what stands there without tokens has none"
        );
        assert_eq!(done.skipped.len(), 2, "{:?}", done.skipped);
        assert!(done.skipped.iter().any(|(_, said)| said.contains(why)), "{:?}", done.skipped);
    }
}

#[tokio::test]
async fn rows_on_one_line_are_told_apart() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    for (bad, place) in [
        ("('a2',2,'planted')", "line 2, row 2 (table erp_aliexpress_accounts): it has 3 values"),
        (
            "('a2',2,NOW(),NULL)",
            "line 2, row 2 (table erp_aliexpress_accounts), account \"a2\": column access_token",
        ),
        (
            "('a2',2,'planted t',NULL)",
            "line 1, row 2 (table account) and line 2, row 2 (table erp_aliexpress_accounts), account \"a2\": column access_token",
        ),
    ] {
        let error = import(&vault, &ONE_BAD.replace("BAD", bad), |_| {}).await.unwrap_err();
        assert!(error.message().contains(place), "{error}");
        assert!(!error.message().contains("planted"), "{error}");
    }
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
    assert!(error.message().contains("no time"), "{error}");
}

#[test]
fn a_table_of_one_schema_is_no_other_schemas() {
    let dump = "INSERT INTO `erp1`.`account` (`account`) VALUES ('one');\nINSERT INTO erp2.account (account) VALUES ('two');\n\
        USE `erp1`;\nINSERT INTO `account` (`account`) VALUES ('three');\nUSE erp2;\nINSERT INTO account (account) VALUES ('four');\n";
    let lines = |table: &str| -> Vec<u64> {
        let rows = read_sql(dump.as_bytes(), &[table.to_owned()]).unwrap();
        rows.iter().map(|row| row.line).collect()
    };
    assert_eq!(lines("erp1.account"), [1, 4]);
    assert_eq!(lines("ERP2.Account"), [2, 6]);
    assert_eq!(lines("account"), [1, 2, 4, 6]);
    assert!(read_sql(dump.as_bytes(), &["erp3.account".to_owned()]).is_err());
}

#[test]
fn a_dump_without_escapes_is_read_without_them() {
    for (mode, has_escapes) in [
        ("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';", false),
        ("/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='no_backslash_escapes' */;", false),
        ("/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;", true),
        ("SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SET sql_mode = '';", true),
    ] {
        let (text, value) = if has_escapes { ("'a\\\\b'", "a\\b") } else { ("'a\\b\\'", "a\\b\\") };
        let dump = format!("{mode}\nINSERT INTO account (account,appkey) VALUES ({text},'1');\n");
        let rows = read_sql(dump.as_bytes(), &erp()).unwrap();
        let cells = rows[0].cells.as_ref().unwrap();
        let expected = sesame_vault::tables::Cell::Text(value.as_bytes().to_vec().into());
        assert!(cells[0] == expected, "{mode}");
    }
}

#[tokio::test]
async fn a_shop_without_tokens_takes_them_from_a_later_import() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let (apps, tokens) = DUMP.split_at(DUMP.find("INSERT INTO `erp").unwrap());
    import(&vault, apps, |_| {}).await.unwrap();
    assert!(vault.account("shop1").await.unwrap().state.reason().unwrap().contains("no token"));
    let look = import(&vault, DUMP, |options| options.dry_run = true).await.unwrap();
    assert_eq!(look.completed, ["shop1", "shop2"]);
    let done = import(&vault, DUMP, |_| {}).await.unwrap();
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
    let other = format!("{apps}{}", tokens.replace("planted-access", "planted-other"));
    let again = import(&vault, &other, |_| {}).await.unwrap();
    assert_eq!((again.completed.len(), again.left_alone.len()), (0, 4));
    // Where the first import told whose the shop is, another shop's tokens are refused.
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    import(&vault, DUMP, |_| {}).await.unwrap();
    let other = DUMP.replace("200042362,NULL,NULL", "999,'planted-x','planted-y'");
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
    assert!(error.message().contains("those of another row"), "{error}");
}
