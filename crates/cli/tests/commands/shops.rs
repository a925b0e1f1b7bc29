//! `sesame login`, `accounts`, `token`, `refresh`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use crate::{house::House, snapshot};

#[test]
fn a_sandbox_that_approves_is_asked_directly() {
    let house = House::with_sandbox();
    house.add_app("lazada");
    snapshot!("login", house.show(&["login", "lazada", "--as", "shop"]));
    snapshot!("accounts", house.show(&["accounts"]));
    let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["name"], "shop");
    assert_eq!(json[0]["sandbox"], true);
    for key in [
        "platform",
        "login",
        "country",
        "state",
        "reason",
        "access_expires_at",
        "last_error",
        "access_seconds_left",
        "advice",
    ] {
        assert!(json[0].get(key).is_some(), "{key}");
    }
}

#[test]
fn no_accounts_yet() {
    snapshot!("accounts_empty", House::empty().show(&["accounts"]));
}

#[test]
fn the_token_alone_is_printed() {
    let house = House::with_accounts(&[("alibaba", "shop")]);
    let done = house.run(&["token", "shop"]).succeeds();
    assert_eq!(done.stdout.lines().count(), 1);
    assert!(done.stdout.trim().len() >= 16, "{}", done.stdout);
    assert_eq!(done.stderr, "");
    let json = house.run(&["token", "shop", "--output", "json"]).succeeds().json();
    assert_eq!(json["access_token"], done.stdout.trim());
    snapshot!("token_unknown", house.show(&["token", "shpo"]));
}

#[test]
fn a_refresh_prints_the_new_ends() {
    let house = House::with_accounts(&[("alibaba", "one"), ("1688", "two")]);
    let before = house.run(&["token", "one"]).succeeds().stdout;
    snapshot!("refresh", house.show(&["refresh", "one"]));
    assert_ne!(before, house.run(&["token", "one"]).succeeds().stdout);
    snapshot!("refresh_all", house.show(&["refresh", "--all"]));
    let json = house.run(&["refresh", "--all", "--output", "json"]).succeeds().json();
    assert!(json.as_array().unwrap().iter().all(|row| row["refreshed"] == true));
    house.run(&["refresh"]).fails(2);
}

#[test]
fn one_shop_that_fails_does_not_keep_the_others() {
    let house = House::empty();
    // No refresh token: it cannot be refreshed, whatever the gateway says.
    let path = house.file(
        "a.env",
        "APP_KEY=1\nAPP_SECRET=abcdefghijklmnop\nACCESS_TOKEN=50000601c30atpedfgu3\nACCOUNT=alone\n",
    );
    house.run(&["app", "add", "lazada", "--env-file", &path]).succeeds();
    let done = house.run(&["refresh", "--all", "--output", "json"]).fails(3);
    assert_eq!(done.json()[0]["refreshed"], false);
    assert_eq!(done.error()["kind"], "authorization");
}

#[test]
fn shops_that_need_a_person_soon_are_listed_for_cron() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    snapshot!("accounts_expiring_none", house.show(&["accounts", "--expiring", "30d"]));
    let done = house.run(&["accounts", "--expiring", "400d", "--output", "json"]).fails(3);
    assert_eq!(done.json()[0]["name"], "shop");
    house.run(&["accounts", "--expiring", "soon"]).fails(2);
}

#[test]
fn at_the_end_of_input_the_address_is_the_result() {
    let house = House::with(|options| options.auto_approve = false);
    let redirect = free_redirect();
    add_with_redirect(&house, "lazada", &redirect);
    // A program that runs the command reads standard output, whatever the options are.
    for options in [&["--no-browser"][..], &[]] {
        let all = [&["login", "lazada", "-o", "json"], options].concat();
        let json = house.run(&all).succeeds().json();
        let url = json["authorize_url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/oauth/authorize?", house.url())), "{url}");
        assert!(url.contains(json["state"].as_str().unwrap()), "{url}");
    }
    // A line that was no callback is a failure.
    let wrong = house.run_with(&["login", "lazada", "--no-browser"], "y\n").fails(3);
    assert_eq!(wrong.stdout, "");
}

#[test]
fn the_callback_may_be_pasted() {
    let house = House::with(|options| options.auto_approve = false);
    add_with_redirect(&house, "lazada", "https://shop.example/cb");
    let mut login = begin(&house, &["login", "lazada", "--no-browser", "--as", "pasted"]);
    let callback = approve(&house, "lazada", &login.url);
    writeln!(login.child.stdin.as_mut().unwrap(), "\n{callback}").unwrap();
    let output = login.child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", login.rest.join().unwrap());
    assert!(String::from_utf8_lossy(&output.stdout).contains("pasted"));
}

#[test]
fn the_callback_may_come_to_the_listener() {
    let house = House::with(|options| options.auto_approve = false);
    add_with_redirect(&house, "1688", &free_redirect());
    let login = begin(&house, &["login", "1688", "--no-browser", "--as", "heard"]);
    let callback = approve(&house, "1688", &login.url);
    assert!(get(&callback).contains("200 OK"));
    // The input stays open: the callback alone ends the wait.
    let mut child = login.child;
    let _stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", login.rest.join().unwrap());
    assert!(String::from_utf8_lossy(&output.stdout).contains("heard"));
}

#[test]
fn a_callback_url_and_a_code_may_come_later() {
    let house = House::with(|options| options.auto_approve = false);
    add_with_redirect(&house, "lazada", "https://shop.example/cb");
    let mut login = begin(&house, &["login", "lazada", "--no-browser"]);
    let callback = approve(&house, "lazada", &login.url);
    drop(login.child.stdin.take());
    assert_eq!(login.child.wait().unwrap().code(), Some(0));
    house.run(&["login", "lazada", "--callback-url", &callback, "--as", "later"]).succeeds();
    // Codes are good once.
    let code = callback.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let again = house.run(&["login", "lazada", "--code", code, "--output", "json"]).fails(3);
    assert_eq!(again.error()["kind"], "authorization");
    assert!(!again.stderr.contains(code), "{}", again.stderr);
}

#[test]
fn forged_and_stray_callbacks_are_refused() {
    let house = House::with_sandbox();
    add_with_redirect(&house, "lazada", "https://shop.example/cb");
    snapshot!(
        "login_wrong_state",
        house.show(&[
            "login",
            "lazada",
            "--callback-url",
            "https://shop.example/cb?code=0_1_plantedplanted&state=forged"
        ])
    );
    snapshot!(
        "login_from_elsewhere",
        house.show(&[
            "login",
            "lazada",
            "--callback-url",
            "https://evil.example/cb?code=0_1_plantedplanted&state=x"
        ])
    );
    snapshot!(
        "login_refused",
        house.show(&[
            "login",
            "lazada",
            "--callback-url",
            "https://shop.example/cb?error=access_denied&state=x"
        ])
    );
    snapshot!("login_unknown_app", house.show(&["login", "lazda"]));
}

#[test]
fn another_shop_does_not_take_an_account_over() {
    let house = House::with(|options| options.shops = 2);
    house.add_app("lazada");
    house.run(&["login", "lazada", "--as", "shop"]).succeeds();
    let before = house.run(&["token", "shop"]).succeeds().stdout;
    // The sandbox approves as its next shop.
    let done = house.run(&["login", "lazada", "--as", "shop", "--output", "json"]).fails(3);
    assert_eq!(done.error()["kind"], "authorization");
    assert_eq!(house.run(&["token", "shop"]).succeeds().stdout, before);
    // The third login is the first shop again: the same account is authorized anew.
    house.run(&["login", "lazada", "--as", "shop"]).succeeds();
    house.run(&["login", "lazada", "--as", "shop", "--replace-shop"]).succeeds();
    assert_ne!(house.run(&["token", "shop"]).succeeds().stdout, before);
}

#[test]
fn sandbox_accounts_never_reach_the_real_platforms() {
    let mut house = House::with_accounts(&[("lazada", "shop")]);
    house.set("SESAME_ENDPOINT", "");
    for command in [
        &["token", "shop"][..],
        &["call", "shop", "/products/get"],
        &["refresh", "shop"],
        &["login", "lazada"],
    ] {
        let done = house.run(command).fails(2);
        assert!(done.stderr.contains("sandbox"), "{}", done.stderr);
    }
}

struct Begun {
    child: std::process::Child,
    url: String,
    rest: std::thread::JoinHandle<String>,
}

/// Starts a login and reads the address it prints.
fn begin(house: &House, arguments: &[&str]) -> Begun {
    let mut child = house
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut url = String::new();
    while !url.trim().starts_with("http") {
        url.clear();
        assert!(stderr.read_line(&mut url).unwrap() > 0, "no address was printed");
    }
    // Somebody has to read on, or the command would block on a full pipe.
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        let _ = stderr.read_to_string(&mut rest);
        rest
    });
    Begun { child, url: url.trim().to_owned(), rest }
}

/// Presses the button that approves, as a browser would, and returns where the page redirects to.
pub(crate) fn approve(house: &House, platform: &str, url: &str) -> String {
    let (path, query) = url.split_once('?').unwrap();
    let login = sesame_core::request::encode_segment(&house.shop(platform));
    let reply = request("POST", path, &format!("{query}&_decision=approve&login={login}"));
    let location = reply
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
    location.unwrap_or_else(|| panic!("no redirect: {reply}")).1.trim().to_owned()
}

pub(crate) fn get(url: &str) -> String {
    request("GET", url, "")
}

pub(crate) fn request(method: &str, url: &str, body: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// A redirect URI on a port that is free now.
pub(crate) fn free_redirect() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://127.0.0.1:{}/callback", socket.local_addr().unwrap().port())
}

pub(crate) fn add_with_redirect(house: &House, platform: &str, redirect: &str) {
    let (key, secret) = house.app(platform);
    house
        .run_with(
            &["app", "add", platform, "--key", &key, "--secret-stdin", "--redirect-uri", redirect],
            &secret,
        )
        .succeeds();
    if !redirect.starts_with("http://127.") {
        // What a developer does in the platform's console.
        let body = format!("{{\"app_key\":\"{key}\",\"redirect_uri\":\"{redirect}\"}}");
        assert!(request("POST", &format!("{}/_sandbox/apps", house.url()), &body).contains(" 200 "));
    }
}

#[test]
fn a_mistyped_line_does_not_end_the_wait() {
    let house = House::with(|options| options.auto_approve = false);
    add_with_redirect(&house, "lazada", "https://shop.example/cb");
    let mut login = begin(&house, &["login", "lazada", "--no-browser", "--as", "pasted"]);
    let callback = approve(&house, "lazada", &login.url);
    let stdin = login.child.stdin.as_mut().unwrap();
    stdin
        .write_all(
            b"what is this?\n\xff\xfe\nhttps://shop.example/cb?code=0_1_planted&state=forged\nmistyped\n",
        )
        .unwrap();
    stdin.write_all(&vec![b'x'; 50_000]).unwrap();
    writeln!(stdin, "\n{callback}").unwrap();
    let output = login.child.wait_with_output().unwrap();
    let said = login.rest.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("Still waiting") && said.contains("UTF-8") && !said.contains("planted"), "{said}");
}

#[test]
fn mistyped_lines_end_with_the_input_or_after_some() {
    let house = House::with(|options| options.auto_approve = false);
    add_with_redirect(&house, "lazada", "https://shop.example/cb");
    house.run_with(&["login", "lazada", "--no-browser"], "what is this?\n").fails(2);
    let endless = "what is this?\n".repeat(1_000);
    let done = house.run_with(&["login", "lazada", "--no-browser"], &endless).fails(2);
    assert!(done.stderr.matches("Still waiting").count() < 20, "{}", done.stderr);
}

#[test]
fn a_sandbox_that_does_not_know_the_app_says_what_is_wrong() {
    let house = House::with_sandbox();
    let (key, _) = house.app("aliexpress-legacy");
    let add = |platform: &str, key: &str, name: &str| {
        let arguments = ["app", "add", platform, "--key", key, "--secret-stdin", "--name", name];
        house.run_with(&arguments, "plantedwrongsecret").succeeds();
    };
    add("aliexpress-legacy", &key, "wrong-secret");
    add("aliexpress-legacy", "1234567", "wrong-key");
    add("lazada", "1234567", "wrong-key-iop");
    for (name, reason) in
        [("wrong-secret", "ignature"), ("wrong-key", "1234567"), ("wrong-key-iop", "1234567")]
    {
        let done = house.run(&["login", name, "--output", "json"]).fails(4);
        let error = done.error();
        assert_eq!(error["fault"], "caller", "{error}");
        assert!(error["message"].as_str().unwrap().contains(reason), "{error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("key") && hint.contains("secret"), "{hint}");
        assert!(!done.stderr.contains("plantedwrongsecret"), "{}", done.stderr);
    }
}
