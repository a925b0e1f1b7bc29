//! `sesame keeper` as a process: once, and until it is stopped.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use crate::{accounts::imported, house::House, snapshot};

const SECRET: &str = "whsec_planted0webhook0secret0of0the0testsAAAAA";

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn a_round_tells_the_hook_and_shows_it_no_secret() {
    let mut house = House::empty();
    imported(&house, "lazada", "near", 20);
    house.set("SESAME_WEBHOOK_SECRET", SECRET);
    house.set("PGPASSWORD", "planted0password");
    house.set("SESAME_OF_TOMORROW", "planted0tomorrow");
    let heard = house.path().join("heard");
    let script = "cat >> heard; env > variables; echo \"$0 $*\" > words; echo planted-noise";
    let words = ["--hook", "sh", "--hook", "-c", "--hook", script, "--hook", "it's", "--hook", "$HOME; x"];
    let arguments = [&["keeper", "--once", "--keep", "never", "--output", "json"], &words[..]].concat();
    let done = house.run(&arguments).succeeds();
    let said = lines(&done.stdout);
    assert_eq!(
        (&said[0]["type"], &said[0]["sink"], &said[0]["taken"]),
        (&"delivery".into(), &"hook".into(), &true.into())
    );
    assert_eq!(
        (&said[1]["type"], &said[1]["announced"], &said[1]["delivered"]),
        (&"round".into(), &1.into(), &1.into())
    );
    let event: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&heard).unwrap()).unwrap();
    assert_eq!(
        (&event["event"], &event["days"], &event["account"]),
        (&"expiring".into(), &30.into(), &"near".into())
    );
    assert_eq!(event, said[0]["event"]);
    assert!(event["advice"].as_str().unwrap().contains("sesame login near --as near"), "{event}");
    assert_eq!(std::fs::read_to_string(house.path().join("words")).unwrap().trim(), "it's $HOME; x");
    let variables = std::fs::read_to_string(house.path().join("variables")).unwrap();
    assert!(variables.contains("SESAME_HOME=") && !variables.contains("planted"), "{variables}");
    assert!(!event.to_string().contains("planted") && !done.stderr.contains("planted"), "{}", done.stderr);
    // Told once is told.
    let again = house.run(&arguments).succeeds();
    assert_eq!(lines(&again.stdout).len(), 1, "{}", again.stdout);
    snapshot!("keeper_once", house.show(&["keeper", "--once", "--keep", "never"]));
}

#[test]
fn a_round_that_finds_a_shop_without_hope_exits_3() {
    let house = House::with_sandbox();
    let (key, secret) = house.app("lazada");
    let gone = |name: &str| {
        let text = format!(
            "APP_KEY={key}\nAPP_SECRET={secret}\nREFRESH_TOKEN=5001planted{name}\nACCOUNT={name}\nREFRESH_EXPIRES_AT=2020-01-01T00:00:00Z\n"
        );
        let path = house.file("a.env", &text);
        house.run(&["app", "add", "lazada", "--name", name, "--env-file", &path]).succeeds();
    };
    gone("gone");
    snapshot!("keeper_ended", house.show(&["keeper", "--once", "--hook", "true"]));
    for number in 1..=11 {
        gone(&format!("gone-{number:02}"));
    }
    let done = house.run(&["keeper", "--once", "-o", "ndjson"]).fails(3);
    let said = &lines(&done.stdout)[0];
    assert_eq!((&said["ended"], &said["need_person_count"]), (&11.into(), &12.into()));
    assert_eq!(said["need_person"].as_array().unwrap().len(), 12);
    assert!(
        done.stderr.contains("gone, gone-01, ") && done.stderr.contains("gone-09 and 2 more"),
        "{}",
        done.stderr
    );
}

/// Nobody sits before cron: what failed is in its mail.
#[test]
fn a_round_names_the_shops_that_failed_and_why() {
    let house = House::with_sandbox();
    let (key, secret) = house.app("lazada");
    let add = |name: &str, end: &str| {
        let text = format!(
            "APP_KEY={key}\nAPP_SECRET=wrong{secret}\nREFRESH_TOKEN=5001planted{name}\nACCOUNT={name}\nREFRESH_EXPIRES_AT={end}\n"
        );
        house.run(&["app", "add", "lazada", "--env-file", &house.file("a.env", &text)]).succeeds();
    };
    add("living", "2037-01-01T00:00:00Z");
    house.run(&["refresh", "living"]).fails(4);
    let alarm = house.run(&["accounts", "--expiring", "30d"]).fails(3);
    assert!(alarm.stdout.contains("when that is mended: sesame refresh living"), "{}", alarm.stdout);
    add("shop", "2020-01-01T00:00:00Z");
    let done = house.run(&["keeper", "--once"]);
    assert!(done.stderr.contains("account=\"shop\""), "{}", done.stderr);
    assert!(done.stderr.contains("IncompleteSignature"), "{}", done.stderr);
}

#[test]
fn a_webhook_gets_a_signed_post_and_an_error_of_it_harms_nothing() {
    let mut house = House::empty();
    imported(&house, "lazada", "near", 20);
    house.set("SESAME_WEBHOOK_SECRET", SECRET);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        (head, String::from_utf8(body).unwrap())
    });
    let config = format!("[keeper]\nkeep = \"never\"\nwebhook = \"{url}\"\n");
    std::fs::write(house.path().join("config.toml"), config).unwrap();
    let done = house.run(&["keeper", "--once", "--output", "json"]).succeeds();
    let (head, body) = server.join().unwrap();
    let said = lines(&done.stdout);
    assert!(
        said[0]["error"].as_str().unwrap().contains("500") && said[0]["next_try"].is_string(),
        "{said:?}"
    );
    assert_eq!(said[1]["undelivered"], 1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), said[0]["event"]);
    let signature = head.lines().find_map(|line| line.strip_prefix("webhook-signature: ")).unwrap();
    assert!(signature.starts_with("v1,"), "{signature}");
    assert!(!head.contains("planted") && !body.contains("planted"));
}

#[test]
fn a_test_event_tries_the_sinks_and_nothing_else() {
    let house = House::empty();
    imported(&house, "lazada", "near", 20);
    let heard = house.path().join("heard");
    let run = |script: &str| {
        house.run(&[
            "keeper",
            "--test-event",
            "--output",
            "json",
            "--hook",
            "sh",
            "--hook",
            "-c",
            "--hook",
            script,
        ])
    };
    let said = lines(&run("cat > heard").succeeds().stdout);
    assert_eq!((said.len(), &said[0]["taken"]), (1, &true.into()), "{said:?}");
    let event: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&heard).unwrap()).unwrap();
    assert_eq!((&event["event"], &event), (&"test".into(), &said[0]["event"]));
    let refused = run("exit 7").fails(1);
    assert!(refused.stdout.contains("exit code 7") || refused.stdout.contains('7'), "{}", refused.stdout);
    // The warning of the shop is still to come.
    let round = house.run(&[
        "keeper",
        "--once",
        "--keep",
        "never",
        "--output",
        "json",
        "--hook",
        "sh",
        "--hook",
        "-c",
        "--hook",
        "cat > heard",
    ]);
    assert_eq!(lines(&round.succeeds().stdout)[0]["event"]["event"], "expiring");
    let nowhere = house.run(&["keeper", "--test-event"]).fails(2);
    assert!(nowhere.stderr.contains("neither a hook nor a webhook"), "{}", nowhere.stderr);
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let mut house = House::empty();
    snapshot!("keeper_no_vault", house.show(&["keeper"]));
    house.run(&["keeper", "--once"]).fails(2);
    imported(&house, "lazada", "near", 20);
    snapshot!("keeper_no_hook", house.show(&["keeper", "--hook", "/nowhere/hook"]));
    snapshot!("keeper_no_secret", house.show(&["keeper", "--webhook", "https://a.example/in"]));
    house.set("SESAME_WEBHOOK_SECRET", "planted");
    let done = house.run(&["keeper", "--webhook", "https://a.example/in"]).fails(2);
    assert!(!done.stderr.contains("planted"), "{}", done.stderr);
    house.set("SESAME_WEBHOOK_SECRET", SECRET);
    house.run(&["keeper", "--webhook", "http://a.example/in"]).fails(2);
    house.run(&["keeper", "--audit-days", "1"]).fails(2);
    house.run(&["keeper", "--per-app", "0"]).fails(2);
    house.run(&["keeper", "--keep", "some"]).fails(2);
}

#[test]
fn sigterm_ends_it_well_and_what_is_under_way_is_kept() {
    let house =
        House::with(|options| options.faults.push("latency=3000@/auth/token/refresh".parse().unwrap()))
            .and_accounts(&[("lazada", "shop")]);
    make_due(&house);
    let (child, mut said) = begun(&house, &["keeper", "--output", "json"]);
    wait_for_intent(&house);
    send(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(output.status.code(), Some(0), "{rest}");
    assert!(rest.contains("Stopping"), "{rest}");
    let last = lines(&String::from_utf8(output.stdout).unwrap()).pop().unwrap();
    assert_eq!(
        (&last["type"], &last["refreshed"], &last["failed"]),
        (&"stopped".into(), &1.into(), &0.into())
    );
    let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!((&json[0]["generation"], &json[0]["last_error"]), (&2.into(), &serde_json::Value::Null));
    house.run(&["call", "shop", "/products/get", "limit=1"]).succeeds();
}

#[test]
fn an_idle_keeper_stops_at_once_and_says_what_it_did() {
    for signal in ["-TERM", "-INT"] {
        let house = House::with_accounts(&[("lazada", "shop")]);
        let (child, _said) = begun(&house, &["keeper", "--keep", "always", "--hook", "true"]);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("refreshed 0, "), "{signal}: {text}");
    }
}

/// Starts a keeper and waits until it says what it does.
fn begun(house: &House, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = house
        .command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("Keeping the shops of") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it says nothing");
    }
    (child, said)
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Lets every authorization of a vault be due now, as after some days.
fn make_due(house: &House) {
    query(house, "UPDATE authorizations SET due_at = 0, warm_at = 0");
}

/// Waits until a refresh token is being spent.
#[expect(clippy::disallowed_methods, reason = "another process is waited for, which has no virtual clock")]
fn wait_for_intent(house: &House) {
    for _ in 0..200 {
        if query(house, "SELECT refreshing_since FROM authorizations WHERE refreshing_since IS NOT NULL") > 0
        {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no refresh was begun");
}

fn query(house: &House, text: &'static str) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{Connection as _, Executor as _};

        let path = house.path().join("vault.db");
        let mut connection =
            sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        let rows = connection.fetch_all(text).await.unwrap();
        connection.close().await.unwrap();
        rows.len()
    })
}
