//! Workbooks as programs write them, and as nobody should.

use std::io::{Cursor, Write as _};

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::tests::{read_bytes, seen};

/// A workbook with these names of columns and what is put below them.
fn book(header: &[&str], fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(header) {
        sheet.write_string(0, column, *name).unwrap();
    }
    fill(sheet);
    book.save_to_buffer().unwrap()
}

/// A ZIP archive of these parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        out.start_file(*name, options).unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// A workbook by hand: the cells of its sheet, and the texts that cells share.
fn by_hand(cells: &str, texts: &[u8]) -> Vec<u8> {
    let sheet = format!(
        r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>"#
    );
    archive(&[
        ("_rels/.rels", br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#),
        ("xl/workbook.xml", br#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="a"/></sheets></workbook>"#),
        ("xl/_rels/workbook.xml.rels", br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="b" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#),
        ("xl/sharedStrings.xml", texts),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

const HEADER: &str = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>sku</t></is></c><c r="B1" t="inlineStr"><is><t>quantity</t></is></c></row>"#;

#[test]
fn cells_of_every_kind_are_read_with_their_rows() {
    let file = book(&["商家编码", "库存", "价格", "商品ID", "标题"], |sheet| {
        sheet.write_string(1, 0, " A-1 ").unwrap();
        sheet.write_number(1, 1, 5).unwrap();
        sheet.write_number(1, 2, 19.99).unwrap();
        sheet.write_number(1, 3, 1_005_000_000_011_962.0).unwrap();
        // Row 3 is empty. Texts in place of numbers, and numbers in place of texts.
        sheet.write_number(3, 0, 12_345).unwrap();
        sheet.write_string(3, 1, "1.234,0").unwrap();
        sheet.write_formula(3, 2, Formula::new("=1+1").set_result("2.5")).unwrap();
        sheet.write_string(4, 0, "=not a formula").unwrap();
        sheet.write_boolean(4, 4, true).unwrap();
        sheet.write_number(4, 1, 0).unwrap();
    });
    let rows = read_bytes(&file).unwrap();
    assert_eq!(
        rows,
        [
            seen(2, ["A-1", "5", "19.99", "1005000000011962", ""]),
            seen(4, ["12345", "1234.0", "2.5", "", ""]),
            seen(5, ["=not a formula", "0", "", "", ""]),
        ]
    );
}

#[test]
fn what_cannot_be_relied_on_is_refused_with_its_cell() {
    type Change<'a> = &'a dyn for<'s> Fn(&'s mut Worksheet) -> Result<&'s mut Worksheet, XlsxError>;
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let day = ExcelDateTime::from_ymd(2026, 1, 2).unwrap();
    let one = |change: Change| {
        read_bytes(&book(&["sku", "quantity", "price"], |sheet| {
            sheet.write_string(1, 0, "A").unwrap();
            sheet.write_number(1, 1, 1).unwrap();
            change(sheet).unwrap();
        }))
    };
    assert_eq!(one(&|sheet| Ok(sheet)).unwrap().len(), 1);
    let digits = ", cell A2 (sku): a number of more than 15 digits";
    let cases: [(Change, &str); 7] = [
        (&|sheet| sheet.write_number(1, 0, 12_345_678_901_234_567_890.0), digits),
        (&|sheet| sheet.write_number(1, 0, 1_005_000_000_011_960.0), digits),
        (&|sheet| sheet.write_string(1, 0, "1.005E+15"), ", cell A2 (sku): 1.005E+15 is how"),
        (&|sheet| sheet.write_string(1, 2, "1,234"), ", cell C2 (price): \"1,234\" may be 1234 or 1.234"),
        (&|sheet| sheet.write_datetime_with_format(1, 0, &day, &date), ", cell A2 (sku): a date"),
        (&|sheet| sheet.write_string(2, 0, "A")?.write_number(2, 1, 2), ", line 3: sku A is in line 2, too"),
        (&|sheet| sheet.write_blank(1, 0, &date), ", cell A2 (sku): it is empty"),
    ];
    for (fill, why) in cases {
        let error = one(fill).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn a_formula_needs_a_stored_result() {
    let sheet = |cell: &str| {
        read_bytes(&by_hand(
            &format!("{HEADER}<row r=\"2\"><c r=\"A2\" t=\"str\"><f>\"A\"</f><v>A-1</v></c>{cell}</row>"),
            b"<sst/>",
        ))
    };
    assert_eq!(sheet("<c r=\"B2\"><f>2+3</f><v>5</v></c>").unwrap(), [seen(2, ["A-1", "5", "", "", ""])]);
    let missing = sheet("<c r=\"B2\"><f>2+3</f></c>").unwrap_err();
    assert!(missing.starts_with(", cell B2 (quantity): a formula without a stored result"), "{missing}");
    let wrong = sheet("<c r=\"B2\" t=\"e\"><f>1/0</f><v>#DIV/0!</v></c>").unwrap_err();
    assert!(wrong.starts_with(", cell B2 (quantity): it shows the error #DIV/0!"), "{wrong}");
}

#[test]
fn the_first_worksheet_that_is_shown_is_read() {
    let mut book = Workbook::new();
    for (name, sku) in [("hidden", "X"), ("first", "A"), ("second", "B")] {
        let sheet = book.add_worksheet().set_name(name).unwrap();
        for (column, text) in (0..).zip(["sku", "quantity"]) {
            sheet.write_string(0, column, text).unwrap();
        }
        sheet.write_string(1, 0, sku).unwrap().write_number(1, 1, 1).unwrap();
        if name == "hidden" {
            sheet.set_hidden(true);
        } else if name == "first" {
            sheet.set_active(true).set_first_tab(true);
        }
    }
    assert_eq!(read_bytes(&book.save_to_buffer().unwrap()).unwrap(), [seen(2, ["A", "1", "", "", ""])]);
}

#[test]
fn what_is_no_workbook_or_is_cut_is_refused() {
    let good = book(&["sku", "quantity"], |sheet| {
        for row in 1..2_000 {
            sheet.write_string(row, 0, format!("sku-{row}")).unwrap().write_number(row, 1, row).unwrap();
        }
    });
    assert_eq!(read_bytes(&good).unwrap().len(), 1_999);
    let step = good.len() / 37;
    for end in (2..good.len()).step_by(step) {
        assert!(read_bytes(&good[..end]).is_err(), "cut after {end}");
    }
    // A damaged byte is found by the checksums, or is where nobody looks.
    let whole = read_bytes(&good).unwrap();
    for at in (0..good.len()).step_by(step / 3) {
        let mut damaged = good.clone();
        damaged[at] ^= 0x55;
        if let Ok(rows) = read_bytes(&damaged) {
            assert_eq!(rows, whole, "damaged at {at}");
        }
    }
    for file in
        [&b"PK\x03\x04"[..], b"PK\x05\x06", &archive(&[("word/document.xml", b"<w/>")]), &archive(&[])]
    {
        assert!(read_bytes(file).unwrap_err().contains("the workbook cannot be read"), "{file:?}");
    }
    assert!(read_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").unwrap_err().contains(".xls"));
}

#[test]
fn a_bomb_is_not_unpacked_into_memory() {
    let row = "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c><c r=\"B2\"><v>1</v></c></row>";
    let text = |text: &str| format!("<sst><si><t>{text}</t></si></sst>").into_bytes();
    let ok = by_hand(&format!("{HEADER}{row}"), &text("A"));
    assert_eq!(read_bytes(&ok).unwrap(), [seen(2, ["A", "1", "", "", ""])]);
    // One text without end, many small ones, a cell without end, a tag without end.
    let long = "x".repeat(20 << 20);
    let many = format!("<sst>{}</sst>", "<si><t/></si>".repeat(10_400_000)).into_bytes();
    for bomb in [
        by_hand(&format!("{HEADER}{row}"), &text(&long)),
        by_hand(&format!("{HEADER}{row}"), &many),
        by_hand(&format!("{HEADER}<row><c t=\"inlineStr\"><is><t>{long}</t></is></c></row>"), b"<sst/>"),
        by_hand(&format!("{HEADER}<row r=\"{long}\"></row>"), b"<sst/>"),
    ] {
        assert!(bomb.len() < 1 << 20, "it is small");
        let error = read_bytes(&bomb).unwrap_err();
        assert!(error.contains("is larger than makes sense when it is unpacked"), "{error}");
    }
}

#[test]
fn cells_far_to_the_right_cost_nothing() {
    let cells = |row: u32| {
        format!(
            r#"<row r="{row}"><c r="A{row}"><v>{row}</v></c><c r="B{row}"><v>1</v></c><c r="XFD{row}"><v>1</v></c></row>"#
        )
    };
    let far = (2..3_000).map(cells).collect::<Vec<_>>().concat();
    assert_eq!(read_bytes(&by_hand(&format!("{HEADER}{far}"), b"<sst/>")).unwrap().len(), 2_998);
}
