//! One snapshot of each command that the other files look at in other ways.

use crate::{house::House, snapshot};

/// The first lines of an output that is long, and of each line the beginning.
fn beginning(text: &str, lines: usize) -> String {
    let short = |line: &str| line.chars().take(400).collect::<String>();
    text.lines().take(lines).map(|line| short(line) + "\n").collect()
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let shown = house.show(&["token", "shop"]);
    let token = house.run(&["token", "shop"]).succeeds().stdout.trim_end().to_owned();
    assert!(token.len() > 20 && !token.contains(char::is_whitespace), "{token}");
    snapshot!("token", shown.replace(&token, "[THE TOKEN]"));
    snapshot!("accounts_expiring", house.show(&["accounts", "--expiring", "365d"]));
}

#[test]
fn schemas_and_mappings_are_shown() {
    let house = House::with_accounts(&[("alibaba", "shop")]);
    let schema = house.show(&["schema", "get", "shop", "--category", "21110712"]);
    snapshot!("schema_get", beginning(&schema, 16));
    snapshot!(
        "schema_level",
        beginning(&house.show(&["schema", "level", "shop", "--category", "21110712"]), 16)
    );
    snapshot!("categories_map", house.show(&["categories", "map", "shop", "--category", "21110712"]));
}

#[test]
fn what_needs_no_shop_is_shown() {
    let house = House::empty();
    snapshot!("apis_list", house.show(&["apis", "list", "taobao-global"]));
    snapshot!("doctor_alone", house.show(&["doctor"]));
    snapshot!("completions", beginning(&house.show(&["completions", "fish"]), 6));
}

#[test]
fn the_demo_reads_like_this() {
    let shown = House::empty().show(&["demo"]);
    // The sandbox takes any free port; orders and the time taken differ from day to day.
    let port = shown.split_once("http://127.0.0.1:").and_then(|(_, rest)| rest.split_once(' ')).unwrap().0;
    let steady: String = shown
        .lines()
        .map(|line| match line.find("answered ").or_else(|| line.find("of this took ")) {
            Some(at) => format!("{}[...]\n", &line[..at]),
            None => format!("{line}\n"),
        })
        .collect();
    snapshot!("demo", steady.replace(port, "[PORT]"));
}
