//! Replies that were made to steer a terminal, to lose rows or to fill the memory.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use rustix::termios;
use serde_json::{Value, json};

use crate::{accounts::imported, house::House, terminal::terminal};

/// A gateway that answers every request with one body.
struct Gateway {
    body: Arc<Mutex<Arc<String>>>,
}

/// A shop on a gateway of that kind.
fn stage() -> (House, Gateway) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut house = House::empty();
    house.set("SESAME_ENDPOINT", &format!("http://{}", listener.local_addr().unwrap()));
    let body = Arc::new(Mutex::new(Arc::new(String::new())));
    let shared = Arc::clone(&body);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = Arc::clone(&shared.lock().unwrap());
            std::thread::spawn(move || answer(stream, &body));
        }
    });
    imported(&house, "lazada", "shop", 100);
    (house, Gateway { body })
}

fn answer(mut stream: std::net::TcpStream, body: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap_or_default() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut sent = vec![0; length];
    let _ = reader.read_exact(&mut sent);
    // Whoever has enough hangs up.
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(body.as_bytes());
}

impl Gateway {
    fn says(&self, body: String) {
        *self.body.lock().unwrap() = Arc::new(body);
    }

    fn lists(&self, rows: &str, total: usize) {
        self.says(format!(
            r#"{{"code":"0","data":{{"total_products":{total},"products":[{rows}]}},"request_id":"r"}}"#
        ));
    }
}

/// Runs a command to its end, whatever it prints, and returns its code and the most memory it took.
fn peak(house: &House, arguments: &[&str]) -> (Option<i32>, u64) {
    let mut child = house
        .command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        // The system keeps the highest mark, so that what happens between two looks is seen, too.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = mark.and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kilobytes.unwrap_or(0_u64));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        std::thread::yield_now();
    };
    reader.join().unwrap().unwrap();
    (code, most >> 10)
}

/// X5: small replies took gigabytes.
#[test]
fn no_reply_takes_more_than_250_megabytes() {
    let (house, gateway) = stage();
    let wide: Vec<String> = (0..12_000).map(|n| format!("{{\"k{n}\":1}}")).collect();
    let many = "{},".repeat(20_000_000);
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let large = format!("{{\"item_id\":1,\"title\":\"{}\"}}", "<p>".repeat(20_000_000));
    let numbers = format!("{{\"item_id\":1,\"skus\":[{}0]}}", "1,".repeat(30_000_000));
    for (name, rows, total) in [
        ("12,000 columns", wide.join(","), 12_000),
        ("20,000,000 rows", many.trim_end_matches(',').to_owned(), 20_000_000),
        ("1,000,000 levels", deep, 1),
        ("one row of 60 MB", large, 1),
        ("30,000,000 numbers in a row", numbers, 1),
    ] {
        gateway.lists(&rows, total);
        for command in [
            &["call", "shop", "/products/get"][..],
            &["call", "shop", "/products/get", "--all"],
            &["products", "list", "shop", "-n", "50"],
        ] {
            for form in ["json", "ndjson", "csv", "table"] {
                let (code, megabytes) = peak(&house, &[command, &["-o", form]].concat());
                assert!(matches!(code, Some(0 | 1 | 4)), "{name}, {command:?} {form}: {code:?}");
                assert!(megabytes <= 250, "{name}, {command:?} {form}: {megabytes} MB");
            }
        }
    }
}

/// Fifty rows were asked for.
#[test]
fn a_page_of_many_more_rows_than_were_asked_for_is_not_printed() {
    let (house, gateway) = stage();
    let rows =
        |count: usize| (0..count).map(|n| format!("{{\"item_id\":{n}}}")).collect::<Vec<_>>().join(",");
    gateway.lists(&rows(200), 200);
    let some = house.run(&["products", "list", "shop", "-n", "50", "-o", "json"]).succeeds().json();
    assert_eq!(some.as_array().unwrap().len(), 50);
    gateway.lists(&rows(5_000), 5_000);
    let done = house.run(&["products", "list", "shop", "-n", "50", "-o", "json"]).fails(4);
    assert_eq!((done.stdout.as_str(), &done.error()["kind"]), ("", &"envelope".into()));
}

/// Texts with all that steers terminals, ends lines or is hard for a reader of CSV.
fn odd_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "plain",
        "\"quoted\"",
        "a,b",
        "a\nb",
        "a\r\nb",
        "\r",
        "\t",
        "铅笔 🎁 𠮷",
        "=1+cmd|x",
        "-5",
        "\u{feff}bom",
        "X\u{1b}]0;pwn",
        "X\u{1b}[",
        "X\u{1b}P",
        "X\u{1b}X",
        "X\u{1b}^",
        "X\u{1b}_",
        "\u{1b}]0;pwn\u{7}def",
        "\u{9b}2J",
        "\u{9d}0;x\u{9c}",
        "\u{7f}\u{8}\u{0}",
        "\u{202e}abc\u{2066}\u{200b}\u{2028}",
        "\\u001b",
        "1e5",
        "007",
    ]
    .map(str::to_owned)
    .into();
    texts.extend((0..0x20).chain(0x7f..0xa0).map(|c| format!("a{}b", char::from_u32(c).unwrap())));
    texts
}

/// Reads RFC 4180, as strictly as it is written here.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.next_if_eq(&'\n').is_some() => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}

/// X3: an escape in one title made CSV lose all rows behind it, with exit code 0.
#[test]
fn results_read_back_to_the_same_values_from_a_file() {
    let (house, gateway) = stage();
    let titles = odd_texts();
    let rows: Vec<Value> =
        titles.iter().enumerate().map(|(id, title)| json!({"item_id": id, "title": title})).collect();
    let text: Vec<String> = rows.iter().map(ToString::to_string).collect();
    gateway.lists(&text.join(","), rows.len());
    for command in [&["call", "shop", "/products/get"][..], &["call", "shop", "/products/get", "--all"]] {
        let csv = house.run(&[command, &["-o", "csv"]].concat()).succeeds().stdout;
        let read: Vec<String> = read_csv(&csv).into_iter().skip(1).map(|mut row| row.remove(1)).collect();
        assert_eq!(read, titles, "{command:?}");
        // A spreadsheet gets the same, and a tab before what it would change.
        let sheet = house.run(&[command, &["-o", "excel"]].concat()).succeeds().stdout;
        let read = read_csv(sheet.strip_prefix('\u{feff}').unwrap());
        for (row, title) in read.iter().skip(1).zip(&titles) {
            assert_eq!(row[1].strip_prefix('\t').filter(|_| row[1] != *title).unwrap_or(&row[1]), title);
        }
        assert_eq!(read.iter().filter(|row| row[1] == "\t=1+cmd|x" || row[1] == "\t007").count(), 2);
    }
    let json = house.run(&["call", "shop", "/products/get", "--all", "-o", "json"]).succeeds().json();
    assert_eq!(json, json!(rows));
    let lines = house.run(&["call", "shop", "/products/get", "--all", "-o", "ndjson"]).succeeds().stdout;
    let lines: Vec<Value> =
        lines.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, rows);
    let listed = house.run(&["products", "list", "shop", "-n", "200", "-o", "csv"]).succeeds().stdout;
    // What stands in a cell of a facet is the text of the platform, too.
    assert_eq!(read_csv(&listed).len(), rows.len() + 1);
}

/// Runs a command on a terminal and returns all that it wrote there.
fn on_terminal(house: &House, arguments: &[&str]) -> String {
    let (mut ours, theirs) = terminal();
    // Bytes as they are written: no carriage return before the end of a line.
    let mut raw = termios::tcgetattr(&theirs).unwrap();
    raw.make_raw();
    termios::tcsetattr(&theirs, termios::OptionalActions::Now, &raw).unwrap();
    let mut command: Command = house.command(arguments);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop((command, theirs));
    let mut text = Vec::new();
    // The system reports an error where nobody holds the other end any more.
    let _ = ours.read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap()
}

#[test]
fn a_terminal_is_not_steered_and_json_reads_back_all_the_same() {
    let (house, gateway) = stage();
    let titles = odd_texts();
    let rows: Vec<Value> =
        titles.iter().enumerate().map(|(id, title)| json!({"item_id": id, "title": title})).collect();
    let text: Vec<String> = rows.iter().map(ToString::to_string).collect();
    gateway.lists(&text.join(","), rows.len());
    for form in ["json", "ndjson", "csv", "excel", "table"] {
        for list in [
            &["call", "shop", "/products/get", "--all"][..],
            &["products", "list", "shop", "-n", "200"],
            &["call", "shop", "/products/get"],
        ] {
            let shown = on_terminal(&house, &[list, &["-o", form, "--color", "never"]].concat());
            let plain = shown.replace("\r\n", "\n").replace('\t', "");
            let bad = plain.chars().find(|c| *c != '\n' && sesame_core::scalar::is_invisible(*c));
            assert_eq!(bad, None, "{list:?} {form}");
            match (form, list[0]) {
                ("json", "call") if list.len() == 4 => {
                    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json!(rows));
                }
                ("ndjson", "call") if list.len() == 4 => {
                    let read =
                        shown.split_terminator('\n').map(|line| serde_json::from_str::<Value>(line).unwrap());
                    assert_eq!(read.collect::<Vec<_>>(), rows);
                }
                ("csv", _) => assert_eq!(read_csv(&shown).len(), rows.len() + 1, "{list:?}"),
                _ => {}
            }
        }
    }
    assert!(on_terminal(&house, &["accounts", "--color", "always"]).contains("\u{1b}[1m"), "colors are ours");
}

#[test]
fn the_token_is_printed_byte_for_byte() {
    let (house, _gateway) = stage();
    assert_eq!(house.run(&["token", "shop"]).succeeds().stdout, "5000planted0access0shop\n");
    assert_eq!(on_terminal(&house, &["token", "shop"]), "5000planted0access0shop\n");
}
