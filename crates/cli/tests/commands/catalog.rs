//! `sesame apis` and `sesame explain`.

use crate::{house::House, snapshot};

#[test]
fn a_title_that_nobody_wrote_says_so() {
    let house = House::empty();
    let shown = |name: &str| house.run(&["apis", "show", name]).succeeds().stdout;
    let marked = "title     made of the words of the name";
    assert!(shown("taobao.qimen.orderstatus.update").contains(marked));
    assert!(!shown("taobao.trades.sold.get").contains(marked));
}

#[test]
fn apis_are_shown() {
    let house = House::empty();
    snapshot!("apis_show", house.show(&["apis", "show", "/icbu/product/schema/level/get"]));
    snapshot!("apis_show_param2", house.show(&["apis", "show", "api.findAeProductDetailModuleListByQurey"]));
    let json = house
        .run(&["apis", "show", "/products/get", "--platform", "lazada", "--output", "json"])
        .succeeds()
        .json();
    assert_eq!(json["name"], "/products/get");
    assert_eq!(json["safety"], "read");
    assert_eq!(json["paging"]["index"], "offset");
    assert!(json["params"].as_array().unwrap().iter().any(|param| param["n"] == "limit"));
}

#[test]
fn an_alias_shows_the_same_api() {
    let house = House::empty();
    let by = |name: &str| {
        house.run(&["apis", "show", name, "--platform", "alibaba", "--output", "json"]).succeeds().json()["name"].clone()
    };
    assert_eq!(by("/icbu/product/list"), by("/alibaba/icbu/product/list"));
}

#[test]
fn apis_are_searched_and_listed() {
    let house = House::empty();
    snapshot!(
        "apis_search",
        house.show(&["apis", "search", "schema", "--platform", "alibaba", "--limit", "5"])
    );
    snapshot!("apis_search_nothing", house.show(&["apis", "search", "zzzz"]));
    let json = house.run(&["apis", "list", "lazada", "--output", "json"]).succeeds().json();
    assert!(json.as_array().unwrap().len() >= 377);
    let csv = house.run(&["apis", "list", "1688", "--output", "csv"]).succeeds().stdout;
    assert!(csv.starts_with("platform,name,title,title_zh,group,safety\r\n"), "{}", &csv[..40]);
    let lines = house.run(&["apis", "list", "1688", "--output", "ndjson"]).succeeds().stdout;
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn mistyped_names_get_a_suggestion() {
    let house = House::empty();
    snapshot!("apis_show_mistyped", house.show(&["apis", "show", "/alibaba/icbu/product/lst"]));
    snapshot!("apis_list_mistyped", house.show(&["apis", "list", "lazda"]));
    house.run(&["apis", "show", "/x", "--platform", "shopee"]).fails(2);
}

#[test]
fn codes_are_explained() {
    let house = House::empty();
    snapshot!("explain", house.show(&["explain", "IncompleteSignature"]));
    snapshot!("explain_unknown", house.show(&["explain", "IncompleteSignatur"]));
    let json = house.run(&["explain", "27", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["kind"], "token");
    // One code of each family, as its platform prints it.
    for code in ["gw.SignatureInvalid", "ApiCallLimit", "isv.invalid-parameter", "IllegalAccessToken", "901"]
    {
        house.run(&["explain", code]).succeeds();
    }
    let only = house.run(&["explain", "27", "--platform", "taobao", "--output", "json"]).succeeds().json();
    assert_eq!(only.as_array().map(Vec::len), Some(1));
    // A negative code is a code, and an empty one is not.
    let photo = house.run(&["explain", "-2", "--output", "json"]).succeeds().json();
    assert_eq!(photo[0]["scope"], "alibaba");
    let unknown = house.run(&["explain", "-4003"]).fails(1);
    assert!(unknown.stderr.contains("unknown code") && !unknown.stderr.contains("Did you mean"));
    house.run(&["explain", ""]).fails(2);
    house.run(&["explain", " "]).fails(2);
    let message = house.run(&["explain", "The specified access token is invalid or expired"]).succeeds();
    assert!(message.stdout.contains("IllegalAccessToken"), "{}", message.stdout);
}

#[test]
fn mistakes_of_an_overlay_are_named_with_their_places_and_the_rest_is_used() {
    let house = House::empty();
    let directory = house.path().join("catalog");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("mine.toml"), MISTAKEN).unwrap();
    let done = house.run(&["apis", "show", "/our/own/api", "-p", "lazada"]).succeeds();
    for place in ["mine.toml: line 4, column 1", "nonsense", "line 8, column 10"] {
        assert!(done.stderr.contains(place), "{place}: {}", done.stderr);
    }
}

const MISTAKEN: &str = r#"platform = "lazada"
source = "ours"
date = "2026-11-30"
nonsense = 1
[[api]]
name = "/our/own/api"
[[api]]
safety = "harmless"
name = "/another"
"#;

#[test]
fn what_hands_out_tokens_is_shown_with_the_command_of_the_vault() {
    let house = House::empty();
    for (api, command) in
        [("/auth/token/create", "sesame login APP"), ("/auth/token/refresh", "sesame refresh ACCOUNT")]
    {
        let shown = house.run(&["apis", "show", api, "-p", "lazada"]).succeeds().stdout;
        assert!(shown.contains(command) && !shown.contains("sesame call"), "{shown}");
    }
}

#[test]
fn a_name_of_ten_thousand_characters_is_refused_in_a_few_lines() {
    let house = House::with_accounts(&[("lazada", "ocean-trade")]);
    let long = "a".repeat(10_000);
    for (words, status) in [
        (&["apis", "show", &long, "-p", "lazada"][..], 2),
        (&["call", "ocean-trade", &long], 2),
        (&["codegen", "rust", &long, "-p", "lazada"], 2),
        (&["catalog", "export", "--json-schema", &long, "-p", "lazada"], 2),
        (&["explain", &long], 1),
        (&["explain", &long, "-p", "lazada"], 1),
    ] {
        let done = house.run(words).fails(status);
        assert!(done.stderr.len() < 1_000, "{}: {}", words[0], done.stderr.len());
    }
    let many = "stock ".repeat(10_000);
    assert!(house.run(&["apis", "search", &many, "-p", "lazada"]).succeeds().stdout.len() < 20_000);
}
