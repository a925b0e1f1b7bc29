//! The forms of tables: CSV, TSV, lines of JSON, and what spreadsheets make of values.

use super::{at, import_csv, read};
use crate::support::{FakeTransport, Home};
use proptest::prelude::*;
use sesame_core::ErrorKind;
use sesame_vault::import::{ImportOptions, MAX_TABLE, Mapping, Table, TableFormat};
use std::fmt::Write as _;

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

/// A quote that stays open takes all later rows into its value, and so nobody would miss them.
#[tokio::test]
async fn a_quote_that_is_not_closed_swallows_no_rows() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let names = "account,app_key,app_secret,refresh_token,title\n";
    for (rows, place) in [
        ("one,1,s,r1,\"12\" x\ntwo,1,s,r2,\"cut off\nthree,1,s,r3,c\n", "line 3"),
        ("one,1,s,r1,t\ntwo,1,s,\"r2", "line 3"),
        ("one,1,s,r1,\"", "line 2"),
    ] {
        let table = read(&format!("{names}{rows}"), TableFormat::Csv);
        let options = ImportOptions::new("lazada").unwrap();
        let error = vault.import_table(&table, &options).await.unwrap_err();
        let said = format!("{place}: a quote in it is not closed");
        assert!(error.message().contains(&said), "{rows}: {error}");
    }
    let error = Table::read(b"account,\"app_key\none,1\n".to_vec(), TableFormat::Csv).unwrap_err();
    assert!(error.message().contains("column names is not closed"), "{error}");
    // A quote inside a value is one, and so is a closed one at the end.
    let table = read(&format!("{names}one,1,s,r1,12\" x\ntwo,1,s,r2,\"a\nb\""), TableFormat::Csv);
    let done = vault.import_table(&table, &ImportOptions::new("lazada").unwrap()).await.unwrap();
    assert_eq!(done.accounts, ["one", "two"]);
}

#[tokio::test]
async fn lines_that_are_not_objects_and_columns_that_are_there_twice_are_named() {
    for text in ["[{\"account\":\"a\"}]\n", "{\"account\":\"a\"\n", "account,app_key\nx,1\n"] {
        let error = Table::read(text.into(), TableFormat::JsonLines).unwrap_err();
        assert!(error.message().contains("line 1 of the table: it is not a JSON object"), "{error}");
        assert!(error.hint().unwrap().contains("jq -c"), "{error:?}");
    }
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let options = ImportOptions::new("taobao").unwrap();
    // As of `SELECT a.*, b.*`: nobody knows which one is meant.
    let table = read("account,app_key,app_secret,access_token,ACCESS_TOKEN\nx,1,s,a1,a2\n", TableFormat::Csv);
    let error = vault.import_table(&table, &options).await.unwrap_err();
    assert!(error.message().contains("more than one column of the table may be access_token"), "{error}");
    // What Sesame does not read may be anything.
    let row = |value: &str| {
        let row = format!(
            "{{\"account\":\"x\",\"app_key\":1,\"app_secret\":\"s\",\"refresh_token\":{value},\"tags\":[1],\"on\":true}}\n"
        );
        read(&row, TableFormat::JsonLines)
    };
    let error = vault.import_table(&row("{\"t\":1}"), &options).await.unwrap_err();
    assert!(
        error.message().contains("line 1: a value is neither text nor a number: column refresh_token"),
        "{error}"
    );
    assert_eq!(vault.import_table(&row("\"r1\""), &options).await.unwrap().accounts, ["x"]);
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
