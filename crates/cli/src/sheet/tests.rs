use std::fmt::Write as _;

use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};

use super::*;
use crate::exit::CliError;

/// A row as the tests see it: its line, and each field that is wanted.
pub(super) type Seen = (u32, Vec<Option<String>>);

pub(super) const REQUIRED: [&str; 2] = ["sku", "quantity"];
pub(super) const OPTIONAL: [&str; 3] = ["price", "product", "shop"];

/// Reads a file of this content; an error as its text.
pub(super) fn read_bytes(content: &[u8]) -> Result<Vec<Seen>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, content).unwrap();
    let mut rows = Vec::new();
    let done = read(&path, &REQUIRED, &OPTIONAL, &mut |row| {
        let mut cells = vec![Some(row.text("sku")?.to_owned())];
        for field in ["quantity", "price"] {
            cells.push(row.decimal(field)?);
        }
        for field in ["product", "shop"] {
            cells.push(row.get(field)?.map(str::to_owned));
        }
        rows.push((row.line(), cells));
        Ok(())
    });
    match done {
        Ok(count) => {
            assert_eq!(count as usize, rows.len());
            Ok(rows)
        }
        Err(CliError::Failed(error)) => {
            assert_eq!(error.kind(), sesame_core::ErrorKind::Usage);
            Err(error
                .message()
                .split_once(&*path.to_string_lossy())
                .map(|(_, text)| text.to_owned())
                .unwrap())
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn read_text(content: &str) -> Result<Vec<Seen>, String> {
    read_bytes(content.as_bytes())
}

pub(super) fn seen(line: u32, cells: [&str; 5]) -> Seen {
    (line, cells.map(|cell| Some(cell.to_owned()).filter(|cell| !cell.is_empty())).to_vec())
}

#[test]
fn every_delimiter_and_line_end_is_read() {
    let expected = vec![seen(2, ["A-1", "5", "12.50", "", ""]), seen(4, ["B;2", "0", "", "", ""])];
    for content in [
        "sku,quantity,price\nA-1,5,12.50\n\nB;2,0,\n",
        "sku,quantity,price\r\nA-1,5,\"12,50\"\r\n,,\r\nB;2,0,",
        "\"sku\";\"quantity\";\"price\"\nA-1;5;12,50\n;;\n\"B;2\";0;\n",
        "price\tsku\tquantity\n12.50\t A-1 \t5\n\t\t\n\tB;2\t0\n",
        "{\"sku\":\"A-1\",\"quantity\":5,\"price\":12.50,\"x\":[1]}\n{\"sku\":\"B;2\",\"quantity\":\"0\",\"price\":null}\n",
    ] {
        let rows = read_text(content).unwrap();
        let mut expected = expected.clone();
        if content.starts_with('{') {
            (expected[0].0, expected[1].0) = (1, 2);
        }
        assert_eq!(rows, expected, "{content}");
    }
    let mac = read_text("sku,quantity\rA,1\r\r\"B\rx\",2\rC,3").unwrap();
    assert_eq!(mac.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 6]);
    let windows = read_text("\r\nsku,quantity\r\nA,1\r\n\r\n\"B\r\nx\",2\r\nC,3\r\n").unwrap();
    assert_eq!(windows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 5, 7]);
    assert_eq!(read_text("sep=|\nsku|quantity\nA|1\n").unwrap(), [seen(3, ["A", "1", "", "", ""])]);
}

#[test]
fn columns_are_found_by_their_names_in_two_languages() {
    for header in [
        "SKU,Quantity",
        "Seller SKU *,QTY",
        "商家编码,库存",
        "货号（必填）,可售库存(件)",
        " seller_sku , Stock ",
        "﻿sku,数量",
    ] {
        assert_eq!(
            read_text(&format!("{header}\nA,7\n")).unwrap(),
            [seen(2, ["A", "7", "", "", ""])],
            "{header}"
        );
    }
    let rows =
        read_text("店铺,商品ID,标题,SKU编码,数量,价格\nberlin,1005000000011962,铅笔,A,7,1.5\n").unwrap();
    assert_eq!(rows, [seen(2, ["A", "7", "1.5", "1005000000011962", "berlin"])]);
    let missing = read_text("sku,colour\nA,red\n").unwrap_err();
    assert_eq!(missing, ", line 1: there is no column for quantity; the columns are: sku, colour");
    let twice = read_text("sku,quantity,库存\nA,1,2\n").unwrap_err();
    assert_eq!(twice, ", line 1: columns B (quantity) and C (库存) are both quantity");
    assert!(read_text("A,1\nB,2\n").unwrap_err().contains("the columns are: A, 1"));
}

#[test]
fn every_encoding_gives_the_same_rows() {
    let long = format!("商家编码,库存\n{}铅笔-7,12\n", "a,1\nb,2\n".replace("a,", "甲,"));
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    assert_eq!((UTF_16LE.name(), UTF_16BE.name()), ("UTF-16LE", "UTF-16BE"));
    let expected = read_text(&long).unwrap();
    assert_eq!(expected.len(), 3);
    assert_eq!(expected[2], seen(4, ["铅笔-7", "12", "", "", ""]));
    let english = long.replace("商家编码,库存", "sku,quantity");
    for content in [
        format!("\u{feff}{long}").into_bytes(),
        GB18030.encode(&long).0.into_owned(),
        utf16(&format!("\u{feff}{long}"), false),
        utf16(&format!("\u{feff}{long}"), true),
        // Without a mark the zeros of ASCII tell.
        utf16(&english, false),
        utf16(&english, true),
        GB18030.encode(&english).0.into_owned(),
    ] {
        assert_eq!(read_bytes(&content).unwrap(), expected);
    }
}

#[test]
fn the_encoding_is_told_by_characters_that_come_late_and_at_the_edge_of_a_block() {
    for padding in 0..4 {
        let mut text = format!("sku,quantity\n{}", "x".repeat(padding));
        for nth in 0..20_000 {
            writeln!(text, "row-{nth},1").unwrap();
        }
        for nth in 0..20_000 {
            writeln!(text, "铅笔{nth},2").unwrap();
        }
        let rows = read_text(&text).unwrap();
        assert_eq!(rows.len(), 40_000);
        assert_eq!(read_bytes(&GB18030.encode(&text).0).unwrap(), rows);
    }
}

#[test]
fn text_that_is_damaged_is_refused_with_its_line() {
    let mut damaged = "sku,quantity\n铅笔铅笔铅笔,1\nB,2\n".as_bytes().to_vec();
    damaged.extend(b"C\xff,3\n");
    assert!(
        read_bytes(&damaged).unwrap_err().contains(": line 4 is not UTF-8"),
        "{:?}",
        read_bytes(&damaged)
    );
    let mut odd: Vec<u8> = "\u{feff}sku,quantity\nA,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    odd.pop();
    assert!(read_bytes(&odd).is_err());
    for content in
        [&b"sku,quantity\nA\0,1\n"[..], b"\xff\xfe\0\0s\0\0\0", b"\x89PNG\r\n\x1a\n\0\0", b"\0\0\0\0\0"]
    {
        assert!(read_bytes(content).is_err(), "{content:?}");
    }
}

#[test]
fn a_file_that_is_cut_or_has_no_rows_is_refused() {
    let quote = read_text("sku,quantity\nA,1\n\"B,2\nC,3\n").unwrap_err();
    assert!(
        quote.contains("line 3: a quote (\") is opened here or in the lines below and not closed"),
        "{quote}"
    );
    assert!(
        read_text("sku,quantity,price\nA,1,2\nB,2")
            .unwrap_err()
            .contains("line 3: it has 2 cells, and the first line 3")
    );
    assert!(read_text("sku,quantity\nA,1,7\n").unwrap_err().contains("3 cells"));
    assert!(read_text("sku;quantity;x\nA;1,5;2;;\n").is_ok(), "empty cells behind the last column");
    for empty in ["", "\n\n", "\u{feff}"] {
        assert_eq!(read_text(empty).unwrap_err(), " is empty");
    }
    assert!(read_text("sku,quantity\n,\n").unwrap_err().contains("no rows below"));
    assert!(read_text("[{\"sku\":1}]").unwrap_err().contains("it is a JSON list"));
    assert!(read_text("{\"sku\":\"A\"\n").unwrap_err().contains("line 1: invalid JSON"));
    assert!(read_text("{\"sku\":\"A\"}\n").unwrap_err().contains("it has no quantity"));
    assert!(
        read_text("{\"sku\":\"A\",\"qty\":1,\"stock\":2}\n")
            .unwrap_err()
            .contains("two members are both quantity")
    );
}

#[test]
fn what_cannot_be_relied_on_is_refused_with_its_cell_if_it_is_wanted() {
    for (row, why) in [
        ("A,=1+1,", "line 2, column B (quantity): a formula"),
        ("1.005E+15,1,", "line 2, column A (sku): 1.005E+15 is how a spreadsheet shows a long number"),
        ("A,\"1,234\",", "line 2, column B (quantity): \"1,234\" may be 1234 or 1.234"),
        ("A,1,1e3", "line 2, column C (price): \"1e3\" is not a plain number"),
        (",1,", "line 2, column A (sku): it is empty"),
    ] {
        let error = read_text(&format!("sku,quantity,price\n{row}\n")).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    // Nobody asked for that column.
    assert!(read_text("sku,quantity,colour\nA,1,=x\n").is_ok());
    // What programs put around cells so that spreadsheets leave them alone.
    let rows = read_text("sku,quantity\n=\"007\",1\n\"\t1005000000011962\",2\n1005000000011963,3\n").unwrap();
    let skus: Vec<&str> = rows.iter().filter_map(|(_, cells)| cells[0].as_deref()).collect();
    assert_eq!(skus, ["007", "1005000000011962", "1005000000011963"]);
    let ids = read_text("{\"sku\":12345678901234567890,\"quantity\":1}\n").unwrap();
    assert_eq!(ids[0].1[0].as_deref(), Some("12345678901234567890"));
}

#[test]
fn two_rows_for_the_same_sku_are_refused_with_both_lines() {
    let twice = read_text("sku,quantity\nA,1\nB,2\n\nA,1\n").unwrap_err();
    assert_eq!(twice, ", line 5: sku A is in line 2, too");
    // The SKU of another product or shop is another one.
    assert!(read_text("shop,product,sku,quantity\na,1,A,1\na,2,A,1\nb,1,A,1\n").is_ok());
    let twice = read_text(
        "{\"sku\":\"A\",\"quantity\":1,\"shop\":\"x\"}\n{\"quantity\":2,\"shop\":\"x\",\"sku\":\"A\"}\n",
    );
    assert!(twice.unwrap_err().contains("line 2: "));
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().to_owned(), directory.path().join("none")] {
        let Err(CliError::Failed(error)) = read(&path, &REQUIRED, &[], &mut |_| Ok(())) else {
            panic!("{path:?}")
        };
        assert!(error.message().starts_with("cannot read "), "{error}");
    }
    let path = directory.path().join("grows");
    std::fs::write(&path, "sku,quantity\nA,1\n").unwrap();
    let Err(CliError::Failed(error)) = read(&path, &REQUIRED, &[], &mut |_| {
        std::fs::write(&path, "sku,quantity\nA,1\nB,2\n").unwrap();
        Ok(())
    }) else {
        panic!("it changed")
    };
    assert!(error.message().ends_with("it changed while it was read"), "{error}");
}

#[test]
fn a_row_without_end_does_not_fill_the_memory() {
    let long = "x".repeat(MOST_OF_A_ROW + 100_000);
    for content in [
        format!("sku,quantity\n\"{long}"),
        format!("sku,quantity\n{long},1\n"),
        long.clone(),
        format!("{{\"sku\":\"{long}\",\"quantity\":1}}"),
    ] {
        let error = read_text(&content).unwrap_err();
        assert!(error.contains("more than 4194304 bytes"), "{error}");
    }
}

#[test]
fn mistakes_in_rows_are_told_together_and_another_error_ends_the_reading() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.csv");
    std::fs::write(&path, "sku,quantity\nA,1\nB,2\nC,3\n").unwrap();
    let mut count = 0;
    let outcome = read(&path, &REQUIRED, &[], &mut |row| {
        count += 1;
        Err(row.wrong("quantity", "below the reserved stock").into())
    });
    let Err(CliError::Failed(error)) = outcome else { panic!("{outcome:?}") };
    let places = [2, 3, 4].map(|line| format!("line {line}, column B (quantity): below the reserved stock"));
    assert!(error.message().ends_with(&format!("f.csv, {}", places.join("; "))), "{error}");
    assert_eq!(count, 3);
    count = 0;
    let outcome = read(&path, &REQUIRED, &[], &mut |_| {
        count += 1;
        Err(Error::local("the disk is full").into())
    });
    let Err(CliError::Failed(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.message(), count), ("the disk is full", 1));
}

#[test]
fn columns_have_the_letters_of_spreadsheets() {
    assert_eq!([0, 25, 26, 51, 701, 702, 16_383].map(letters), ["A", "Z", "AA", "AZ", "ZZ", "AAA", "XFD"]);
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_not_without_end() {
    let text = "sku,quantity\nA,x\nB,1\n,3\nB,2\nC,4\nA,1\n";
    assert_eq!(
        read_text(text).unwrap_err(),
        ", line 2, column B (quantity): \"x\" is not a plain number; line 4, column A (sku): it is empty; \
         line 5: sku B is in line 3, too; line 7: sku A is in line 2, too"
    );
    // What ends the reading comes last, after what was wrong before.
    let cut = read_text("sku,quantity\nA,x\nB,1\nC\n").unwrap_err();
    assert!(cut.contains("is not a plain number; line 4: it has 1 cells"), "{cut}");
    let many = format!("sku,quantity\n{}", "A,1\n".repeat(100));
    let many = read_text(&many).unwrap_err();
    assert!(many.ends_with("line 22: sku A is in line 21, too; and 79 more"), "{many}");
}
