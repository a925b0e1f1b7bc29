//! A user's own overlays: what they can change, and what a bad one is told.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;

use proptest::prelude::*;
use sesame_catalog::{Catalog, Safety, SearchFilter};
use sesame_core::{ErrorKind, Shape};

const HEAD: &str = "platform = \"lazada\"\nsource = \"our tests\"\ndate = \"2026-11-21\"\n";

fn open(files: &[(&str, &str)]) -> sesame_core::Result<Catalog> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Catalog::open(Some(folder.path()))
}

/// Opens a folder with mistakes and returns what is said of them.
fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let catalog = open(files).unwrap();
    let all = catalog.mistakes().iter();
    all.map(|error| {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.hint().is_some(), "{error}");
        error.message().to_owned()
    })
    .collect()
}

#[test]
fn a_folder_that_is_not_there_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(Some(&folder.path().join("nowhere"))).unwrap();
    assert!(catalog.api("lazada", "/orders/get").unwrap().known);
    assert!(Catalog::open(None).is_ok());
}

#[test]
fn an_overlay_changes_adds_and_names() {
    let text = format!(
        "{HEAD}
[[api]]
name = \"/orders/get\"
aliases = [\"our-orders\"]
notes = [\"ours\"]
params = [{{ n = \"limit\", max = 99 }}, {{ n = \"extra\", t = \"string\", r = false }}]
[api.paging]
style = \"offset\"
index = \"offset\"
size = \"limit\"
max_size = 99
items = \"data.orders\"

[[api]]
name = \"/our/secret/api\"
title = \"Ours\"
safety = \"idempotent\"
params = [{{ n = \"id\", t = \"integer\", r = true }}]
"
    );
    let catalog = open(&[("a.toml", &text), ("readme.txt", "not an overlay")]).unwrap();
    for name in ["/orders/get", "our-orders", "GetOrders", "orders/get"] {
        let api = catalog.api("lazada", name).unwrap();
        assert_eq!(api.name, "/orders/get");
        assert!(api.known && api.notes.contains(&"ours".to_owned()), "{name}");
        assert_eq!(api.paging.as_ref().unwrap().max_size, Some(99), "{name}");
        let limit = api.params.iter().find(|param| param.name == "limit").unwrap();
        assert_eq!(limit.max, Some(99.0));
        assert!(api.params.iter().any(|param| param.name == "extra"));
        assert!(api.source.unwrap().contains("our tests (2026-11-21)"));
    }
    let ours = catalog.api("lazada", "our/secret/api").unwrap();
    assert!(
        ours.known
            && ours.shape == Shape::IopRest
            && ours.safety == Safety::Idempotent
            && !ours.safety_derived
    );
    assert!(catalog.list("lazada").iter().any(|api| api.name == "/our/secret/api"));
    assert_eq!(
        catalog.search("secret", &SearchFilter { platform: Some("lazada"), ..SearchFilter::default() })[0]
            .name,
        "/our/secret/api"
    );
    // Daraz lists the same file of the catalog and is not touched.
    assert!(!catalog.api("daraz", "our-orders").unwrap().known);
    assert_ne!(catalog.api("daraz", "/orders/get").unwrap().paging.unwrap().max_size, Some(99));
}

#[test]
fn a_later_file_speaks_last_and_versions_stay_apart() {
    let head = "platform = \"aliexpress-legacy\"\nsource = \"s\"\ndate = \"2026-11-21\"\n";
    let of = |name: &str, title: &str| format!("{head}[[api]]\nname = \"{name}\"\ntitle = \"{title}\"\n");
    let catalog = open(&[
        ("1.toml", &of("api.findProductInfoListQuery@2", "two")),
        ("2.toml", &of("api.findAeProductById", "first")),
        ("3.toml", &of("aliexpress.open:api.findAeProductById", "last")),
        ("4.toml", &of("our.ns:ours@3", "new")),
        ("5.toml", &of("our.ns:ours@3", "newer")),
    ])
    .unwrap();
    let title = |name: &str| catalog.api("aliexpress-legacy", name).unwrap().title.unwrap();
    assert_eq!(title("api.findProductInfoListQuery@2"), "two");
    assert_ne!(title("api.findProductInfoListQuery"), "two");
    assert_eq!(title("api.findAeProductById"), "last");
    assert_eq!(title("our.ns:ours@3"), "newer");
    assert_eq!(catalog.api("aliexpress-legacy", "our.ns:ours@3").unwrap().version, 3);
}

#[test]
fn a_mistake_is_told_with_file_line_and_key() {
    let api = |text: &str| format!("{HEAD}\n[[api]]\nname = \"/orders/get\"\n{text}\n");
    for (text, line, key, why) in [
        ("platform = ".to_owned(), "line 1", "", ""),
        ("platform = \"lazada\"\n".to_owned(), "", "", "source"),
        (HEAD.replace("lazada", "lasada"), "", "platform", "unknown platform \"lasada\""),
        (HEAD.replace("2026-11-21", "yesterday"), "", "date", "is not a date"),
        (HEAD.replace("our tests", " "), "", "source", "is empty"),
        (api("saftey = \"read\""), "line 7", "api[0]", "saftey"),
        (api("safety = \"maybe\""), "line 7", "api[0].safety", "maybe"),
        (api("aliases = \"x\""), "line 7", "api[0].aliases", ""),
        (api("aliases = [\"a b\"]"), "line 7", "api[0].aliases[0]", "invalid API name"),
        (api("params = [{ n = \"x\", t = \"text\" }]"), "line 7", "api[0].params[0].t", "text"),
        (api("params = [{ n = \"brand_new\" }]"), "", "api[0]", "needs a type"),
        (
            api("params = [{ n = \"\", t = \"string\" }]"),
            "line 7",
            "api[0].params[0].n",
            "invalid parameter name",
        ),
        (api("drop_params = [\"nowhere\"]"), "", "api[0]", "no parameter \"nowhere\""),
        (api("example = 5"), "line 7", "api[0].example", "not a table"),
        (api("paging = { style = \"page\", index = \"\" }"), "line 7", "api[0].paging", "index is empty"),
        (
            api("paging = { style = \"page\", index = \"p\", first = 2 }"),
            "line 7",
            "api[0].paging",
            "first is 0 or 1",
        ),
        (
            api("paging = { style = \"page\", index = \"p\", max_size = 0 }"),
            "line 7",
            "api[0].paging",
            "never ends",
        ),
        (
            api("paging = { style = \"sideways\", index = \"p\" }"),
            "line 7",
            "api[0].paging.style",
            "sideways",
        ),
        (format!("{HEAD}[[api]]\nname = \"a b\"\n"), "line 5", "api[0].name", "holds a space"),
        (format!("{HEAD}[[api]]\nname = \"ns:name\"\n"), "", "", "holds ':'"),
    ] {
        let said = mistakes(&[("mine.toml", &text)]);
        let fits = |said: &&String| ["mine.toml", line, key, why].iter().all(|part| said.contains(part));
        assert!(said.iter().any(|said| fits(&said)), "{line} {key} {why} is missing in {said:?}\nof\n{text}");
    }
}

#[test]
fn all_mistakes_are_told_with_line_and_column_and_the_rest_is_used() {
    let text = format!(
        "{HEAD}
[[api]]
name = \"/orders/get\"
saftey = \"read\"
auth = \"yes\"
title = 5
  params = [{{ n = \"x\", t = \"text\" }}]

[[api]]
name = \"/good/one\"
title = \"Good\"

[[api]]
name = \"a b\"
date = \"soon\"

[[api]]
title = \"no name\"

[api.paging]
style = \"page\"
index = \"p\"
first = 7
"
    );
    let files =
        [("bad.toml", text.as_str()), ("good.toml", &format!("{HEAD}[[api]]\nname = \"/good/two\"\n"))];
    let said = mistakes(&files);
    for part in [
        "line 7, column 1: api[0].saftey: unknown field `saftey`",
        "line 8, column 8: api[0].auth",
        "line 9, column 9: api[0].title",
        "line 10, column 28: api[0].params[0].t",
        "line 17, column 1: api[2].name",
        "line 18, column 1: api[2].date",
        "api[3]: missing field `name`",
    ] {
        assert!(said.iter().any(|said| said.contains(part)), "{part:?} is missing in {said:#?}");
    }
    assert_eq!(said.len(), 7, "{said:#?}");
    let catalog = open(&files).unwrap();
    let known = |name: &str| catalog.api("lazada", name).unwrap();
    assert!(known("/good/one").known && known("/good/two").known);
    assert!(known("/orders/get").params.iter().all(|param| param.name != "x"));
}

#[test]
fn what_cannot_be_read_does_not_hide_what_makes_no_sense() {
    let entry = "[[api]]\nname = \"/orders/get\"\nsafety = \"maybe\"\ndate = \"soon\"\n\
                 [api.paging]\nstyle = \"cursor\"\nindex = \"x\"\n";
    let said = mistakes(&[("bad.toml", &format!("{HEAD}{entry}"))]);
    for part in [
        "api[0].safety: unknown variant",
        "api[0].date: is not a date",
        "api[0].paging: the style \"cursor\" needs next",
    ] {
        assert!(said.iter().any(|said| said.contains(part)), "{part:?} is missing in {said:#?}");
    }
    assert_eq!(said.len(), 3, "{said:#?}");
}

#[test]
fn of_twenty_thousand_mistakes_a_hundred_are_told() {
    let keys = (0..20_000).fold(String::new(), |keys, nth| keys + &format!("k{nth} = 1\n"));
    let said = mistakes(&[("bad.toml", &format!("{HEAD}[[api]]\nname = \"/x\"\n{keys}"))]);
    assert!((100..200).contains(&said.len()), "{}", said.len());
}

#[test]
fn size_and_number_are_bounded_and_odd_files_are_told() {
    let large = format!("{HEAD}# {}\n", "x".repeat(1 << 20));
    let said = mistakes(&[("large.toml", &large)]);
    assert!(said[0].contains("large.toml") && said[0].contains("1048576"), "{said:?}");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("latin.toml"), b"platform = \"\xe9\"").unwrap();
    let first = |folder: &std::path::Path| Catalog::open(Some(folder)).unwrap().mistakes()[0].to_string();
    assert!(first(folder.path()).contains("not UTF-8"));

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder.toml")).unwrap();
    assert!(first(folder.path()).contains("folder"));

    let folder = tempfile::tempdir().unwrap();
    for number in 0..=1000 {
        fs::write(folder.path().join(format!("{number}.toml")), HEAD).unwrap();
    }
    assert!(Catalog::open(Some(folder.path())).unwrap_err().message().contains("more than 1000"));
}

#[test]
fn deep_nesting_ends_in_a_mistake() {
    let deep = format!("{HEAD}x = {}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Catalog::parse_overlay(&deep).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Catalog::parse_overlay(&text);
        let _ = Catalog::parse_overlay(&format!("{HEAD}{text}"));
    }

    #[test]
    fn no_entry_panics(name in "[a-z/:@.{}]{0,12}", key in "(title|safety|params|paging|response|example|errors|notes)", value in "[a-z0-9\"{}\\[\\]=, ]{0,30}") {
        let _ = Catalog::parse_overlay(&format!("{HEAD}[[api]]\nname = \"{name}\"\n{key} = {value}\n"));
    }
}

/// The overlay of an import: two hundred APIs, one of them built in.
fn large() -> String {
    let note = "x".repeat(500);
    (0..200).fold(HEAD.to_owned(), |text, nth| {
        let name = if nth == 7 { "/orders/get".to_owned() } else { format!("/made/up/{nth}") };
        text + &format!("\n[[api]]\nname = \"{name}\"\naliases = [\"Made{nth}\"]\nparams = [{{ n = \"p\", t = \"string\", note = \"{note}\" }}]\n")
    })
}

#[test]
fn a_large_overlay_is_read_by_entries_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.toml");
    fs::write(&file, large()).unwrap();
    let shown = |catalog: &Catalog| {
        assert!(catalog.mistakes().is_empty(), "{:?}", catalog.mistakes());
        ["/orders/get", "/made/up/3", "Made5", "made7"]
            .map(|name| format!("{:?}", catalog.api("lazada", name).unwrap()))
    };
    let whole = Catalog::open(Some(folder.path())).unwrap();
    let index = folder.path().join(".index/large.json");
    assert!(index.exists());
    // With another name in the index: it is what is read, not the overlay.
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replacen("Made9", "Other", 1).replacen("made9", "other", 1)).unwrap();
    let again = Catalog::open(Some(folder.path())).unwrap();
    assert!(again.api("lazada", "other").unwrap().known, "the index was not used");
    fs::write(&index, text).unwrap();
    let by_entries = Catalog::open(Some(folder.path())).unwrap();
    assert_eq!(shown(&by_entries), shown(&whole));
    assert_eq!(by_entries.list("lazada").len(), whole.list("lazada").len());
    let filter = SearchFilter { platform: Some("lazada"), limit: 3, ..SearchFilter::default() };
    assert_eq!(by_entries.search("/made/up/12", &filter)[0].name, "/made/up/12");
}

#[test]
fn an_index_that_does_not_hold_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.toml");
    fs::write(&file, large()).unwrap();
    let started = Catalog::open(Some(folder.path())).unwrap();
    assert!(started.api("lazada", "/made/up/3").unwrap().known);
    let by_entries = Catalog::open(Some(folder.path())).unwrap();

    // A mistake of a hand is told as ever, and what had started does not read half an entry.
    fs::write(&file, large().replace("name = \"/made/up/3\"", "nam = \"/made/up/3\"")).unwrap();
    let edited = Catalog::open(Some(folder.path())).unwrap();
    assert!(edited.mistakes()[0].message().contains("line 21, column"), "{}", edited.mistakes()[0]);
    let error = by_entries.api("lazada", "/made/up/4").unwrap_err();
    assert!(error.message().contains("large.toml was changed"), "{error}");
    assert!(edited.api("lazada", "/made/up/4").unwrap().known);

    // An index that was cut off.
    fs::write(&file, large()).unwrap();
    drop(Catalog::open(Some(folder.path())).unwrap());
    let index = folder.path().join(".index/large.json");
    let text = fs::read(&index).unwrap();
    fs::write(&index, &text[..text.len() / 2]).unwrap();
    let cut = Catalog::open(Some(folder.path())).unwrap();
    assert!(cut.api("lazada", "/made/up/4").unwrap().known && cut.mistakes().is_empty());
    assert_eq!(fs::read(&index).unwrap(), text, "it is written anew");

    // A text that holds what looks like the start of an entry.
    fs::remove_file(&index).unwrap();
    let odd = large() + "\n[[api]]\nname = \"/odd\"\nabout = \"\"\"\n[[api]]\n\"\"\"\n";
    fs::write(&file, odd).unwrap();
    assert!(Catalog::open(Some(folder.path())).unwrap().api("lazada", "/odd").unwrap().known);
    assert!(!index.exists());
}
