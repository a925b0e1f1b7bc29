//! `sesame catalog`, `apis diff` and `codegen`.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use sesame_catalog::{Catalog, Param, Record, Type};
use sesame_documents::{top_document, top_list};

use crate::{
    house::{House, files_below},
    snapshot,
};

const TODAY: &str = "platform = \"taobao-global\"\nsource = \"test\"\ndate = \"2026-11-30\"\n";

/// What another day of the catalog knows: a changed API and a new one.
const NEWER: &str = r#"
[[api]]
name = "/product/get"
title = "List of products"
http = "GET"
auth = true
params = [{ n = "brand_new", t = "integer", r = true, note = "How many." }]
errors = [{ code = "4104", says = "Gone.", advice = "Look again." }]

[[api]]
name = "/made/up"
title = "Made up"
params = [{ n = "a", t = "object", l = true, c = [{ n = "b.c", t = "boolean" }] }]
response = [{ n = "ok", t = "boolean" }]
"#;

/// A sandbox whose catalog is newer than that of the house.
fn ahead() -> (House, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("newer.toml"), format!("{TODAY}{NEWER}")).unwrap();
    let catalog = Arc::new(Catalog::open(Some(folder.path())).unwrap());
    assert!(catalog.mistakes().is_empty(), "{:?}", catalog.mistakes());
    let house = House::with(|options| options.catalog = Arc::clone(&catalog));
    let host = format!("{}/_sandbox/documents/taobao-global", house.url());
    (house, folder, host)
}

#[test]
fn an_update_brings_what_the_host_has_and_then_nothing_more() {
    let (house, newer, host) = ahead();
    let update = ["catalog", "update", "taobao-global", "--host", &host, "--pause", "0s"];
    let with = |more: &[&'static str]| [&update[..], more].concat();
    snapshot!("catalog_update_dry_run", house.show(&with(&["--dry-run"])));
    assert!(!house.path().join("catalog").exists());
    // Nobody is there to be asked.
    house.run(&update).fails(2);
    assert!(!house.path().join("catalog").exists());
    let done = house.run(&with(&["--yes", "--output", "json"])).succeeds();
    assert!(done.stderr.contains("fetched before"), "{}", done.stderr);
    assert_eq!(done.json()["changes"].as_array().unwrap().len(), 2);
    assert_eq!(done.json()["files"].as_array().unwrap().len(), 1);
    let again = house.run(&with(&["--yes", "--output", "json"])).succeeds();
    assert!(!again.stderr.contains("fetched before"), "{}", again.stderr);
    assert_eq!(again.json()["changes"], json!([]));

    // The same catalog: each entry of the platform, field by field.
    let mine = house.path().join("catalog").display().to_string();
    let theirs = newer.path().display().to_string();
    let diff = ["apis", "diff", &theirs, &mine, "--platform", "taobao-global", "--output", "json"];
    assert_eq!(house.run(&diff).succeeds().json(), json!([]));
    let shown =
        house.run(&["apis", "show", "/made/up", "-p", "taobao-global", "-o", "json"]).succeeds().json();
    assert_eq!(shown["params"][0]["c"][0]["n"], "b.c");
}

#[test]
fn without_a_host_the_sandbox_in_use_is_asked() {
    let house = House::with_sandbox();
    let done = house.run(&["catalog", "update", "lazada", "--pause", "0s", "-o", "json"]).succeeds();
    assert_eq!(done.json()["changes"], json!([]));
    assert!(done.json()["apis"].as_u64().unwrap() >= 377);
    // Looking wrote nothing.
    assert!(!house.path().join("catalog").exists());
    let alone = House::empty().run(&["catalog", "update", "taobao"]).fails(2);
    assert!(alone.stderr.contains("no document host of taobao is known"), "{}", alone.stderr);
}

/// A document host that answers as it is told, by the number of the request.
struct Script {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

fn host(
    answer: impl Fn(usize, &str, Option<&str>) -> (u16, &'static str, String) + Send + Sync + 'static,
) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, count) = (Arc::clone(&asked), AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (target, tag) = request(&stream);
            let (status, headers, body) =
                answer(count.fetch_add(1, Ordering::Relaxed), &target, tag.as_deref());
            seen.lock().unwrap().push(target);
            reply(stream, status, headers, &body);
        }
    });
    Script { url, asked }
}

fn request(stream: &TcpStream) -> (String, Option<String>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let mut tag = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match:") {
            tag = Some(value.trim().to_owned());
        }
    }
    (first.split(' ').nth(1).unwrap().to_owned(), tag)
}

fn reply(mut stream: TcpStream, status: u16, headers: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

fn list(names: &[&str]) -> String {
    let apis: Vec<Value> =
        names.iter().map(|name| json!({"path": name, "methodType": "GET", "title": "x y"})).collect();
    json!({"success": true, "data": [{"id": 1, "name": "g", "apiList": apis}]}).to_string()
}

fn document(name: &str) -> String {
    json!({"success": true, "data": {"parameters": {"data": [{"name": "q", "type": "String"}]},
        "outputParameters": {"data": []}, "apiList": [{"path": name}]}})
    .to_string()
}

fn update(house: &House, host: &Script, more: &[&str]) -> crate::house::Done {
    let all = ["catalog", "update", "lazada", "--host", &host.url, "--pause", "0s"];
    house.run(&[&all[..], more].concat())
}

#[test]
fn an_interrupted_update_goes_on_where_it_stopped() {
    let house = House::empty();
    let answers = |nth: usize, target: &str, _: Option<&str>| match (nth, target.contains("Mixed")) {
        (_, true) => (200, "", list(&["/a/one", "/a/two", "/a/three"])),
        // The second document is answered only when it is asked for again.
        (2, _) => (500, "", "{}".to_owned()),
        _ => (200, "", document(if target.contains("one") { "/a/one" } else { "/a/other" })),
    };
    let script = host(answers);
    let failed = update(&house, &script, &["--yes"]).fails(4);
    assert!(
        failed.stderr.contains("path=%2Fa%2Ftwo") && failed.stderr.contains("HTTP 500"),
        "{}",
        failed.stderr
    );
    assert!(!house.path().join("catalog").exists());
    // A process that is killed leaves half a line.
    let state = house.path().join("documents/lazada.part.jsonl");
    let mut text = std::fs::read_to_string(&state).unwrap();
    text.push_str("{\"url\":\"http://half");
    std::fs::write(&state, text).unwrap();
    let before = script.asked.lock().unwrap().len();
    let done = update(&house, &script, &["--yes", "-o", "json"]).succeeds();
    assert_eq!(done.json()["changes"].as_array().unwrap().len(), 3);
    let asked = script.asked.lock().unwrap()[before..].join(" ");
    assert!(asked.contains("two") && asked.contains("three") && !asked.contains("one"), "{asked}");
}

#[test]
fn a_host_of_tops_documents_is_walked_in_its_own_form() {
    let param = Param {
        max_items: Some(20),
        required: Some(true),
        ..Param::named("num_iids".to_owned(), Type::Integer)
    };
    let made_up = Record {
        title_zh: Some("新接口".to_owned()),
        params: vec![Param { list: true, ..param }],
        ..Record::named("taobao.made.up.get".to_owned())
    };
    let script = host(move |_, target, _| match target.split_once("metadata.json") {
        Some(("/", "")) => (200, "", top_list([&made_up]).to_string()),
        Some(("/", "?name=taobao.made.up.get")) => (200, "", top_document(&made_up).to_string()),
        _ => (404, "", "{}".to_owned()),
    });
    let house = House::empty();
    let all = ["catalog", "update", "taobao", "--host", &script.url, "--pause", "0s", "--yes", "-o", "json"];
    assert_eq!(house.run(&all).succeeds().json()["changes"].as_array().unwrap().len(), 1);
    assert_eq!(script.asked.lock().unwrap().len(), 2);
    let shown =
        house.run(&["apis", "show", "taobao.made.up.get", "-p", "taobao", "-o", "json"]).succeeds().json();
    assert_eq!((&shown["title_zh"], &shown["params"][0]["max_items"]), (&json!("新接口"), &json!(20)));
    assert_eq!(house.run(&all).succeeds().json()["changes"], json!([]));
}

#[test]
fn a_busy_host_is_waited_for_and_what_has_not_changed_is_not_sent_again() {
    let house = House::empty();
    let script = host(|nth, target, tag| match (nth, tag) {
        (0, _) => (429, "Retry-After: 0\r\n", "busy".to_owned()),
        (_, Some("\"v1\"")) => (304, "ETag: \"v1\"\r\n", String::new()),
        _ if target.contains("Mixed") => (200, "ETag: \"v1\"\r\n", list(&["/a/one"])),
        _ => (200, "ETag: \"v1\"\r\n", document("/a/one")),
    });
    let first = update(&house, &script, &["--yes"]).succeeds();
    assert!(first.stderr.contains("busy"), "{}", first.stderr);
    let second = update(&house, &script, &["--yes", "-o", "json"]).succeeds();
    assert_eq!((second.json()["apis"].clone(), second.json()["changes"].clone()), (json!(1), json!([])));
    assert_eq!(script.asked.lock().unwrap().len(), 5);
    // A pause longer than anybody waits for.
    let slow = host(|_, _, _| (429, "Retry-After: 86400\r\n", String::new()));
    let failed = update(&House::empty(), &slow, &["--yes"]).fails(6);
    assert!(failed.stderr.contains(&slow.url) && failed.stderr.contains("busy"), "{}", failed.stderr);
}

#[test]
fn pages_and_garbage_are_errors_that_name_the_address() {
    for (body, says) in [
        ("<!DOCTYPE html><title>Login</title>".to_owned(), "HTML"),
        ("{\"success\":true,\"data\":[{".to_owned(), "cut off"),
        ("\u{0}\u{1}garbage".to_owned(), "not valid JSON"),
        ("{\"success\":false,\"errorCode\":\"NO_SESSION\"}".to_owned(), "NO_SESSION"),
        (list(&["/bad name?x=1"]), "invalid API name"),
    ] {
        let house = House::empty();
        let script = host(move |_, target, _| {
            let is_list = target.contains("Mixed");
            (200, "", if is_list { body.clone() } else { "{\"success\":false}".to_owned() })
        });
        let done = update(&house, &script, &["--yes"]);
        assert!(matches!(done.code, Some(2 | 4)), "{says}: {:?} {}", done.code, done.stderr);
        assert!(done.stderr.contains(says), "{says}: {}", done.stderr);
        assert!(says == "invalid API name" || done.stderr.contains(&script.url), "{says}: {}", done.stderr);
        assert!(!house.path().join("catalog").exists(), "{says}");
    }
}

#[test]
fn files_are_imported_and_a_broken_one_changes_nothing() {
    let house = House::empty();
    let document = json!({"success": true, "data": {"desc": "Their words.", "parameters": {"data": [
        {"name": "limit", "type": "Number", "required": true, "desc": "Their limit."}]},
        "outputParameters": {"data": []}, "apiList": [{"path": "/orders/get", "method": "GET", "title": "GetOrders"}]}});
    let good = house.file("order.json", &document.to_string());
    let half = house.file("half.json", &document.to_string()[..150]);
    let names =
        |text: String| text.replace(std::path::Path::new(&good).parent().unwrap().to_str().unwrap(), "[DIR]");
    snapshot!(
        "catalog_import_cut_off",
        names(house.show(&["catalog", "import", &good, &half, "-p", "lazada", "--yes"]))
    );
    assert!(!house.path().join("catalog").exists());
    snapshot!("catalog_import", names(house.show(&["catalog", "import", &good, "-p", "lazada", "--yes"])));
    // The vendor's words are shown, and stay in the user's own files.
    let shown = house.run(&["apis", "show", "/orders/get", "-p", "lazada"]).succeeds().stdout;
    assert!(shown.contains("Their words.") && shown.contains("Their limit."), "{shown}");
    snapshot!("apis_diff", house.show(&["apis", "diff", "builtin"]));
    // A second time it says nothing new, and makes no file.
    let again = house.run(&["catalog", "import", &good, "-p", "lazada", "-o", "json"]).succeeds().json();
    assert_eq!((again["changes"].clone(), again["files"].clone()), (json!([]), json!([])));
    assert_eq!(files_below(&house.path().join("catalog")).len(), 1);
    // Which platform is meant, the names say where they can.
    let odd = house.file("odd.json", &document.to_string().replace("/orders/get", "/no/such/thing"));
    let unknown = house.run(&["catalog", "import", &odd, "--dry-run"]).fails(2);
    assert!(unknown.stderr.contains("--platform"), "{}", unknown.stderr);
    house.run(&["catalog", "import", "/nonexistent.json"]).fails(2);
}

#[test]
fn an_import_that_the_catalog_could_not_read_again_is_refused() {
    let house = House::empty();
    let of = |note: &str| {
        json!({"success": true, "data": {"desc": "d", "parameters": {"data": [
            {"name": "limit", "type": "Number", "required": true, "desc": note}]},
            "outputParameters": {"data": []}, "apiList": [{"path": "/big/one", "method": "GET", "title": "Big"}]}})
        .to_string()
    };
    let large = house.file("large.json", &of(&"x".repeat(2 << 20)));
    let refused = house.run(&["catalog", "import", &large, "-p", "lazada", "--yes"]).fails(2);
    assert!(refused.stderr.starts_with("error: /big/one: the catalog cannot hold"), "{}", refused.stderr);
    assert!(!house.path().join("catalog").exists());
    // As many files as are read are there.
    let folder = house.path().join("catalog");
    std::fs::create_dir(&folder).unwrap();
    for nth in 0..1_000 {
        std::fs::write(folder.join(format!("{nth}.toml")), TODAY).unwrap();
    }
    let small = house.file("small.json", &of("Small."));
    let refused = house.run(&["catalog", "import", &small, "-p", "lazada", "--yes"]).fails(2);
    assert!(refused.stderr.contains("at most 1000 are read"), "{}", refused.stderr);
    assert_eq!(files_below(&folder).len(), 1_000);
}

#[test]
fn base_files_are_compared() {
    let house = House::empty();
    let base =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/data/base/taobao-global.jsonl");
    let text = std::fs::read_to_string(base).unwrap();
    let old = house.file("taobao-global.jsonl", &text);
    let new: String =
        text.lines().skip(1).map(|line| line.replacen("\"r\":true", "\"r\":false", 1) + "\n").collect();
    let new = house.file("new.jsonl", &new);
    house.run(&["apis", "diff", &old, &new]).fails(2);
    let diff =
        house.run(&["apis", "diff", &old, &new, "-p", "taobao-global", "-o", "json"]).succeeds().json();
    let diff = diff.as_array().unwrap();
    assert_eq!(diff.iter().filter(|one| one["change"] == "removed").count(), 1);
    let required = diff.iter().flat_map(|one| one["differences"].as_array().unwrap());
    assert!(required.clone().count() > 3);
    assert!(
        required.clone().all(|one| one["key"] == "required" && one["old"] == true && one["new"] == false)
    );
    let bad = house.file("bad.jsonl", &format!("{}\n{{\"nam\":1}}\n", text.lines().next().unwrap()));
    let failed = house.run(&["apis", "diff", &bad, "-p", "taobao-global"]).fails(2);
    assert!(failed.stderr.contains("line 2"), "{}", failed.stderr);
}

#[test]
fn the_catalog_is_exported() {
    let house = House::empty();
    let openapi = house.run(&["catalog", "export", "--openapi", "lazada"]).succeeds().json();
    assert_eq!(openapi["openapi"], "3.1.0");
    assert!(openapi["paths"]["/rest/orders/get"]["get"]["parameters"].as_array().unwrap().len() > 5);
    // And imported, it says nothing about parameters and replies that is not known.
    let file = house.file("openapi.json", &openapi.to_string());
    let back =
        house.run(&["catalog", "import", &file, "-p", "lazada", "--dry-run", "-o", "json"]).succeeds().json();
    let fields: Vec<&str> = back["changes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|change| change["differences"].as_array().unwrap())
        .filter_map(|one| one["field"].as_str())
        .collect();
    // A derived title is a title there, and where no method is documented it is POST.
    assert!(fields.iter().all(|field| matches!(*field, "title" | "http")), "{fields:?}");
    let schema =
        house.run(&["catalog", "export", "--json-schema", "/orders/get", "-p", "lazada"]).succeeds().json();
    assert_eq!(schema["properties"]["limit"]["maximum"], 100);
    let folder = house.path().join("reference");
    let done = house
        .run(&["catalog", "export", "--markdown", folder.to_str().unwrap(), "-p", "taobao-global"])
        .succeeds();
    let pages = files_below(&folder);
    assert!(done.stdout.starts_with(&format!("{} pages", pages.len() - 1)), "{}", done.stdout);
    let index = std::fs::read_to_string(folder.join("index.html")).unwrap();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|ending| ending == "md")) {
        let path = page.strip_prefix(&folder).unwrap().display().to_string();
        assert!(index.contains(&format!("\"{path}\"")), "{path}");
    }
    house.run(&["catalog", "export"]).fails(2);
    house.run(&["catalog", "export", "--openapi", "lazda"]).fails(2);
}
