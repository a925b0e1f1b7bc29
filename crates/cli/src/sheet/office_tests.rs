//! What LibreOffice makes of our workbooks, and we of its: `./dev sheets`.

use std::{path::Path, process::Command};

use super::tests::{read_bytes, seen};
use crate::workbook::Book;

/// CSV with commas, double quotes and UTF-8, whose formulas are computed when it is read.
const CSV: &str = "Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,0,true";

/// Converts a file in its folder by LibreOffice, in a profile of its own.
fn convert(directory: &Path, file: &str, to: &str) {
    let profile = format!("-env:UserInstallation=file://{}", directory.join("profile").display());
    let done = Command::new("soffice")
        .args([&profile, "--headless"])
        .args(file.ends_with(".csv").then(|| format!("--infilter={CSV}")))
        .args(["--convert-to", to, "--outdir"])
        .arg(directory)
        .arg(directory.join(file))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
#[ignore = "needs LibreOffice; ./dev sheets installs it"]
fn office_shows_the_cells_of_our_workbook() {
    let rows = [
        ["id", "标题", "price"],
        ["1005000000011962", "铅笔 🎁 <A&B>, \"x\"", "12.50"],
        ["007", "=1+1", "-0.10"],
        ["12345678901234567890", "@SUM(A1)\nline two", "1e5"],
        ["+1", "", "2026-01-02"],
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut book = Book::new().unwrap();
    for row in &rows {
        book.row(row).unwrap();
    }
    book.finish(&mut std::fs::File::create(directory.path().join("ours.xlsx")).unwrap()).unwrap();
    // Commas, double quotes, UTF-8, from the first line on, cells as they are shown.
    convert(directory.path(), "ours.xlsx", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false");
    let file = std::fs::read(directory.path().join("ours.csv")).unwrap();
    let read = csv::ReaderBuilder::new().has_headers(false).from_reader(file.as_slice()).into_records();
    let read: Vec<Vec<String>> = read.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(read, rows);
}

#[test]
#[ignore = "needs LibreOffice; ./dev sheets installs it"]
fn a_workbook_of_office_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let rows = "商家编码,库存,价格,商品ID\nA-1,5,12.5,\"=\"\"1005000000011962\"\"\"\n铅笔,=2+3,=0.1+0.2,7\n,,,\nlast,0,1999.99,8\n";
    std::fs::write(directory.path().join("theirs.csv"), rows).unwrap();
    convert(directory.path(), "theirs.csv", "xlsx:Calc MS Excel 2007 XML");
    let file = std::fs::read(directory.path().join("theirs.xlsx")).unwrap();
    assert_eq!(
        read_bytes(&file).unwrap(),
        [
            seen(2, ["A-1", "5", "12.5", "1005000000011962", ""]),
            seen(3, ["铅笔", "5", "0.3", "7", ""]),
            seen(5, ["last", "0", "1999.99", "8", ""]),
        ]
    );
}
