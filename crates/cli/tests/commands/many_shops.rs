//! Commands about several shops at once.

use crate::{house::House, snapshot};

/// Two shops that work, and one that has no token any more.
fn three(faults: &[&str]) -> House {
    let house = House::with(|options| {
        options.products = 25;
        options.faults.extend(faults.iter().map(|fault| fault.parse().unwrap()));
    });
    let house = house.and_accounts(&[("lazada", "berlin"), ("1688", "广州")]);
    let (key, secret) = house.app("miravia");
    let token = house.file(
        "a.env",
        &format!("APP_KEY={key}\nAPP_SECRET={secret}\nACCESS_TOKEN=50000601c30atpedfgu3\nACCOUNT=alone\n"),
    );
    house.run(&["app", "add", "miravia", "--env-file", &token]).succeeds();
    house.run(&["accounts", "tag", "berlin", "+eu"]).succeeds();
    house.run(&["accounts", "tag", "alone", "+eu", "+old"]).succeeds();
    house
}

fn shops_of(csv: &str) -> Vec<&str> {
    csv.lines().skip(1).filter_map(|line| line.split(',').next()).collect()
}

#[test]
fn rows_of_several_shops_say_whose_they_are() {
    let house = three(&[]);
    let list = |words: &[&str]| house.run(&[&["products", "list"], words].concat());
    let csv = list(&["berlin", "广州", "berlin", "--all", "-o", "csv"]).succeeds().stdout;
    assert!(csv.starts_with("shop,id,title,status,category,price,currency,modified\r\n"), "{csv}");
    let shops = shops_of(&csv);
    assert_eq!(shops.len(), 50, "a shop that is named twice is read once");
    assert_eq!(shops.iter().filter(|shop| **shop == "berlin").count(), 25);
    // Whoever asks for one shop by its name does not need it in each row, programs have it always.
    assert!(list(&["berlin", "-o", "csv"]).succeeds().stdout.starts_with("id,title,"));
    assert_eq!(list(&["berlin", "-n", "1", "-o", "json"]).succeeds().json()[0]["shop"], "berlin");
    // A filter may find more tomorrow: its columns do not depend on how many it finds.
    let found = list(&["--tag", "eu", "--platform", "lazada", "-o", "csv"]).succeeds().stdout;
    assert!(found.starts_with("shop,id,"), "{found}");
    let json = list(&["berlin", "广州", "-n", "3", "-o", "json"]).succeeds().json();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert!(
        rows.iter().all(|row| row["raw"].is_object() && !row["id"].as_str().unwrap().is_empty()),
        "{json}"
    );
    let table = list(&["berlin", "广州", "-n", "3"]).succeeds();
    assert_eq!(table.stdout.lines().count(), 7, "{}", table.stdout);
    assert!(table.stderr.contains("some shops have more products; --all shows all"), "{}", table.stderr);
}

#[test]
fn a_shop_that_fails_is_a_line_and_the_others_go_on() {
    let house = three(&[]);
    let done = house.run(&["products", "list", "--all-shops", "--all", "-o", "csv"]).fails(3);
    let shops = shops_of(&done.stdout);
    assert_eq!(shops.len(), 50);
    assert!(!shops.contains(&"alone"));
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert!(lines[0].starts_with("error: alone: ") && lines[0].contains("sesame login"), "{}", done.stderr);
    assert_eq!(
        lines[1..],
        ["warning: 1 of 3 shops failed: alone", "warning: the list is incomplete, 50 rows were printed",]
    );
    // Programs have one object a line.
    let done = house.run(&["products", "list", "--tag", "eu", "-o", "json"]).fails(3);
    assert_eq!(done.json().as_array().unwrap().len(), 20);
    let first: serde_json::Value = serde_json::from_str(done.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["error"]["shop"], &first["error"]["kind"]),
        (&"alone".into(), &"authorization".into())
    );
    // All of them failed: no list, not even an empty one.
    let done = house.run(&["products", "list", "--tag", "old", "-o", "json"]).fails(3);
    assert_eq!(done.stdout, "");
}

#[test]
fn of_different_failures_the_exit_code_is_that_of_the_one_to_be_mended() {
    let codes = |faults: &[&str], words: &[&str]| {
        three(faults).run(&[&["products", "list", "--timeout", "2s"], words].concat()).code
    };
    let both = [
        "status=404@/products/get,platform=lazada",
        "drop-before@com.alibaba.product:alibaba.product.list.get",
    ];
    assert_eq!(codes(&both, &["berlin", "广州"]), Some(4));
    assert_eq!(codes(&both, &["--all-shops"]), Some(3));
    assert_eq!(codes(&both[1..], &["berlin", "广州"]), Some(5));
}

#[test]
fn a_choice_that_finds_nothing_is_a_mistake() {
    let house = three(&[]);
    for words in [
        &["products", "list", "--tag", "us"][..],
        &["products", "list", "--platform", "daraz"],
        &["products", "list", "--tag", "+eu"],
        &["products", "list", "--platform", "ebay"],
        &["products", "list", "berlin", "--tag", "eu"],
        &["products", "list", "--all-shops", "--tag", "eu"],
        &["products", "list", "berlin", "nobody"],
        &["products", "list"],
        &["refresh", "--tag", "us"],
    ] {
        let done = house.run(words).fails(2);
        assert_eq!(done.stdout, "", "{words:?}");
    }
    snapshot!("shops_none", house.show(&["products", "list", "--tag", "us", "--platform", "lazada"]));
    snapshot!("shops_two_ways", house.show(&["products", "list", "berlin", "--tag", "eu"]));
}

#[test]
fn platforms_without_such_a_list_are_left_out_of_a_filter() {
    let house = House::with_accounts(&[("lazada", "berlin"), ("aliexpress", "spain")]);
    let done = house.run(&["templates", "list", "--all-shops", "-o", "csv"]).succeeds();
    assert!(shops_of(&done.stdout).iter().all(|shop| *shop == "spain"), "{}", done.stdout);
    assert!(done.stderr.contains("note: shops are left out: "), "{}", done.stderr);
    house.run(&["templates", "list", "spain", "berlin"]).fails(2);
    house.run(&["templates", "list", "--platform", "lazada"]).fails(2);
}

#[test]
fn several_shops_are_refreshed() {
    let house = three(&[]);
    let done = house.run(&["refresh", "berlin", "alone", "-o", "json"]).fails(3);
    assert_eq!((&done.json()[0]["refreshed"], &done.json()[1]["refreshed"]), (&true.into(), &false.into()));
    let done = house.run(&["refresh", "--platform", "1688", "-o", "json"]).succeeds();
    assert_eq!(done.json()[0]["account"], "广州");
}

/// Reads all cells of the first worksheet; all of them are text.
fn workbook(file: &[u8]) -> Vec<Vec<String>> {
    use calamine::{Data, Reader as _, Xlsx};
    let mut book: Xlsx<_> = Xlsx::new(std::io::Cursor::new(file)).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let cell = |cell: &Data| match cell {
        Data::String(text) => text.clone(),
        Data::Empty => String::new(),
        other => panic!("{other:?}"),
    };
    range.rows().map(|row| row.iter().map(cell).collect()).collect()
}

#[test]
fn a_workbook_has_the_same_cells_as_csv() {
    let house = three(&[]);
    for words in [
        &["products", "list", "berlin", "--all"][..],
        &["call", "berlin", "/products/get"],
        &["call", "berlin", "/products/get", "--all"],
        &["explain", "27"],
        &["accounts"],
        &["accounts", "--tag", "nobody"],
        &["app", "list"],
        &["apis", "list", "miravia"],
    ] {
        let run = |form: &str| house.command(&[words, &["-o", form]].concat()).output().unwrap();
        let (xlsx, csv) = (run("xlsx"), run("csv"));
        assert!(xlsx.status.success(), "{words:?}: {}", String::from_utf8_lossy(&xlsx.stderr));
        let rows =
            csv::ReaderBuilder::new().has_headers(false).from_reader(csv.stdout.as_slice()).into_records();
        let mut rows: Vec<Vec<String>> =
            rows.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        let mut cells = workbook(&xlsx.stdout);
        // What counts seconds differs from run to run.
        for row in rows.iter_mut().chain(&mut cells) {
            row.retain(|cell| cell.parse::<u32>().map_or(true, |number| number < 10_000));
        }
        assert_eq!(cells, rows, "{words:?}");
    }
    let several =
        house.command(&["products", "list", "berlin", "广州", "--all", "-o", "xlsx"]).output().unwrap();
    let rows = workbook(&several.stdout);
    assert_eq!((rows.len(), rows[0][0].as_str(), rows[0][1].as_str()), (51, "shop", "id"));
    // What prints no rows makes no workbook.
    let refused = house.run(&["apis", "show", "/products/get", "--skeleton", "-o", "xlsx"]).fails(2);
    assert_eq!(refused.stdout, "");
}

#[test]
fn csv_with_a_mark_is_the_form_excel() {
    let house = three(&[]);
    let list = |words: &[&str]| house.run(&[&["products", "list", "berlin", "--all"], words].concat());
    let marked = list(&["-o", "csv", "--bom"]).succeeds().stdout;
    assert!(marked.starts_with("\u{feff}id,"), "{marked}");
    assert_eq!(marked, list(&["-o", "excel"]).succeeds().stdout);
    assert!(list(&["--bom"]).fails(2).stderr.contains("--bom is for CSV"));
    list(&["--bom", "-o", "xlsx"]).fails(2);
}
