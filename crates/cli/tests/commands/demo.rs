//! `sesame demo` and `sesame sandbox`.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::house::House;

#[test]
fn the_demo_does_the_main_job_twice_and_leaves_nothing() {
    let mut house = House::empty();
    // The demo must neither see nor touch what belongs to the user.
    let temporary = house.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    house.set("TMPDIR", temporary.to_str().unwrap());
    house.set("SESAME_ENDPOINT", "http://127.0.0.1:9");
    house.set("SESAME_OUTPUT", "json");
    house.set("SESAME_VAULT", "sqlite:/does/not/exist");
    for _ in 0..2 {
        let begun = Instant::now();
        let done = house.run(&["demo"]).succeeds();
        assert!(begun.elapsed() < Duration::from_secs(10));
        for part in [
            "speaks iop",
            "speaks param2",
            "state checked",
            "got a new pair",
            "refreshed it by itself",
            "top categories",
            "bytes of XML",
            "/alibaba/order/list",
            "detail modules",
            "The same with real keys",
        ] {
            assert!(done.stdout.contains(part), "{part} is missing: {}", done.stdout);
        }
        assert_eq!(done.stderr, "");
    }
    assert!(!house.path().join("vault.db").exists());
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "the temporary directory is removed");
}

#[cfg(unix)]
#[test]
fn the_sandbox_prints_one_line_and_stops_when_it_is_told() {
    let house = House::empty();
    for signal in ["-INT", "-TERM"] {
        let mut child = house
            .command(&["sandbox", "--listen", "127.0.0.1:0", "--json", "--shops", "1", "--products", "5"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(json["listen"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        for key in
            ["platform", "protocol", "app_key", "app_secret", "redirect_uri", "authorize_url", "api_base"]
        {
            assert!(json["apps"][0][key].is_string(), "{key}");
        }
        assert!(json["shops"][0]["login"].is_string());
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
        let mut rest = String::new();
        stdout.read_line(&mut rest).unwrap();
        assert_eq!(rest, "", "nothing else on standard output");
    }
}

#[test]
fn the_sandbox_stays_on_this_machine() {
    let house = House::empty();
    let done = house.run(&["sandbox", "--listen", "0.0.0.0:0"]).fails(2);
    assert!(done.stderr.contains("--allow-public") || done.stderr.contains("hint"), "{}", done.stderr);
    house.run(&["sandbox", "--listen", "nowhere"]).fails(2);
    house.run(&["sandbox", "--listen", "127.0.0.1:0", "--fault", "nonsense"]).fails(2);
    house.run(&["sandbox", "--listen", "127.0.0.1:0", "--app-file", "/does/not/exist"]).fails(2);
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = House::empty().run(&["sandbox", "--listen", &address]);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.contains(&address), "{}", done.stderr);
}
