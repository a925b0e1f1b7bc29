//! The examples in the help of every command are run, each on a shop of the platform that it names.
#![cfg(unix)]

use std::{os::unix::fs::PermissionsExt, path::Path};

use crate::house::House;

/// Examples that are not run here: they serve until they are stopped, ask a person, or need files, keys
/// and places that the tests of their commands have.
const ELSEWHERE: [&str; 23] = [
    "sesame demo",
    "sesame sandbox",
    "sesame app add",
    "sesame app edit lazada --former-secret",
    "sesame app remove",
    "sesame login",
    "sesame logout",
    "sesame keeper",
    "sesame sign",
    "sesame vault rekey",
    "sesame vault copy",
    "sesame vault import",
    "sesame doctor",
    "sesame completions",
    "sesame catalog import",
    "sesame catalog update",
    "curl ",
    // The label of an order that another example ships comes before it in the reference.
    "sesame orders documents",
    "sesame orders ship --all-shops",
    "--tracking",
    "sesame orders ship taobao-shop",
    "sesame orders carriers aliexpress-shop",
    "sesame orders carriers taobao-shop",
];

/// The lines of all `Examples:` of the reference, which is made of the help.
fn examples() -> Vec<String> {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let text = std::fs::read_to_string(reference).unwrap();
    let mut lines = Vec::new();
    let (mut inside, mut open) = (false, String::new());
    for line in text.lines() {
        inside = line == "Examples:" || (inside && !line.starts_with("```"));
        if !inside || !(line.starts_with("  ") && (line.contains("sesame ") || !open.is_empty())) {
            continue;
        }
        open.push_str(line.trim());
        match open.strip_suffix('\\') {
            Some(more) => open = more.to_owned(),
            None => lines.push(std::mem::take(&mut open)),
        }
    }
    lines
}

#[test]
fn every_example_of_the_help_works_on_the_platform_it_names() {
    let mut house = House::with_accounts(&[
        ("alibaba", "myshop"),
        ("lazada", "lazada-shop"),
        ("aliexpress-legacy", "aliexpress-legacy-shop"),
        ("taobao", "seller@example.com"),
        ("aliexpress", "aliexpress-shop"),
        ("1688", "shop-1688"),
    ]);
    house.run(&["login", "alibaba", "--as", "alibaba-shop"]).succeeds();
    house.run(&["login", "taobao", "--as", "taobao-shop"]).succeeds();
    for (name, content) in [
        ("ids.txt", "1600107214049\n"),
        ("chosen.xml", "<itemSchema></itemSchema>"),
        ("stock.json", STOCK),
        ("photo.jpg", "\u{fffd}"),
        ("stock.csv", "sku,quantity\nSKU-962912-1,300\n"),
        ("prices.csv", "sku,price\nSKU-962912-1,61.50\n"),
    ] {
        std::fs::write(house.path().join(name), content).unwrap();
    }
    let mail = house.file("mail", "#!/bin/sh\ncat > /dev/null\n");
    std::fs::set_permissions(&mail, std::fs::Permissions::from_mode(0o755)).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_sesame")).parent().unwrap();
    let tools = Path::new(&mail).parent().unwrap();
    house.set("PATH", &format!("{}:{}:/usr/bin:/bin", binary.display(), tools.display()));

    let (mut run, mut failed) = (0, Vec::new());
    for line in examples() {
        // The first page of the help shows no name of a shop.
        let line = line.replace("ACCOUNT", "lazada-shop");
        if ELSEWHERE.iter().any(|other| line.contains(other)) {
            continue;
        }
        run += 1;
        let done = house.shell(&line);
        if done.code != Some(0) {
            failed.push(format!("{line}\n{:?}: {}", done.code, done.stderr));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(run >= 40, "the help lost its examples: {run}");
}

/// The body of an example: as `sesame apis show --skeleton` prints it, filled in.
const STOCK: &str = r#"{"payload":{"Request":{"Product":{"Skus":{"Sku":[{"ItemId":2512345678,"SkuId":11012345678,"Quantity":5}]}}}}}"#;
