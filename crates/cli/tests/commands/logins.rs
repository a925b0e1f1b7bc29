//! Logins without a terminal, and logins that wait.

use std::process::Stdio;

use crate::{
    house::House,
    shops::{add_with_redirect, approve, free_redirect, get},
};

/// A sandbox whose page wants a person, and its Lazada app.
fn waiting(redirect: &str) -> House {
    let house = House::with(|options| options.auto_approve = false);
    add_with_redirect(&house, "lazada", redirect);
    house
}

#[test]
fn without_a_terminal_the_address_is_printed_and_another_command_finishes() {
    let house = waiting("https://shop.example/cb");
    let begun = house.run(&["login", "lazada", "--as", "a shop", "--output", "json"]).succeeds();
    let json = begun.json();
    assert_eq!(
        (&json["expires_in"], &json["redirect_uri"]),
        (&7_200.into(), &"https://shop.example/cb".into())
    );
    let url = json["authorize_url"].as_str().unwrap();
    assert!(url.contains(json["state"].as_str().unwrap()), "{url}");
    assert!(
        begun.stderr.contains("sesame login lazada --as 'a shop' --callback-url URL"),
        "{}",
        begun.stderr
    );
    let callback = approve(&house, "lazada", url);
    let forged =
        callback.replace(json["state"].as_str().unwrap(), "0123456789abcdef0123456789abcdef01234567");
    house.run(&["login", "lazada", "--as", "a shop", "--callback-url", &forged]).fails(2);
    // Read from standard input it stands in no list of processes.
    let done =
        house.run_with(&["login", "lazada", "--as", "a shop", "--callback-url", "-"], &callback).succeeds();
    assert!(!done.stderr.contains("other users"), "{}", done.stderr);
    let accounts = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(accounts[0]["name"], "a shop");
    // Each approval is good once.
    let again = house.run(&["login", "lazada", "--callback-url", &callback]).fails(2);
    assert!(
        again.stderr.contains("used already") && again.stderr.contains("other users"),
        "{}",
        again.stderr
    );
    let plain = house.run(&["login", "lazada"]).succeeds();
    assert!(plain.stdout.starts_with(house.url()) && plain.stdout.lines().count() == 1, "{}", plain.stdout);
}

#[test]
fn an_approval_that_failed_names_the_app_in_what_to_do() {
    let house = waiting("https://shop.example/cb");
    for (callback, code, command) in [
        ("https://shop.example/cb?error=access_denied&state=s", 3, "`sesame login lazada` again"),
        (
            "https://shop.example/cb?error=invalid_client&state=s",
            4,
            "`sesame app edit lazada --redirect-uri URI`",
        ),
        ("https://other.example/cb?code=c&state=s", 2, "`sesame app edit lazada --redirect-uri URI`"),
    ] {
        let failed = house.run_with(&["login", "lazada", "--callback-url", "-"], callback).fails(code);
        assert!(failed.stderr.contains(command), "{callback}: {}", failed.stderr);
    }
}

#[test]
fn a_waiting_login_ends_at_the_end_of_input_and_by_its_time_limit() {
    let house = waiting(&free_redirect());
    // Nobody can paste: the address is printed, and the login may be finished later.
    let ended = house.run(&["login", "lazada"]).succeeds();
    assert!(ended.stdout.contains("/oauth/authorize?"), "{}", ended.stdout);
    let callback = approve(&house, "lazada", ended.stdout.trim());
    house.run(&["login", "lazada", "--callback-url", &callback]).succeeds();
    for redirect in [free_redirect(), "https://shop.example/cb".to_owned()] {
        let house = waiting(&redirect);
        let mut command = house.command(&["login", "lazada", "--no-browser", "--wait", "1s"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The input stays open: time alone ends the wait.
        let _stdin = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }
    house.run(&["login", "lazada", "--wait", "16m"]).fails(2);
}

#[test]
fn a_port_that_somebody_else_holds_refuses_the_login_before_its_page_is_shown() {
    for host in ["127.0.0.1", "[::1]"] {
        let other = std::net::TcpListener::bind(format!("{host}:0")).unwrap();
        let port = other.local_addr().unwrap().port();
        let house = waiting(&format!("http://localhost:{port}/callback"));
        let refused = house.run(&["login", "lazada", "--no-browser"]).fails(1);
        let said = [port.to_string(), "sesame app edit lazada --redirect-uri".to_owned()];
        assert!(said.iter().all(|said| refused.stderr.contains(said)), "{}", refused.stderr);
        assert!(
            !refused.stderr.contains("/oauth/authorize?") && refused.stdout.is_empty(),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn the_browser_is_told_how_the_login_ended() {
    let house = waiting(&free_redirect());
    let mut command = house.command(&["login", "lazada", "--no-browser"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let _stdin = child.stdin.take();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut url = String::new();
    while !url.trim().starts_with("http") {
        url.clear();
        assert!(std::io::BufRead::read_line(&mut stderr, &mut url).unwrap() > 0);
    }
    let page = get(&approve(&house, "lazada", url.trim()));
    assert!(page.contains("is authorized for the shop") && page.contains(&house.shop("lazada")), "{page}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_shop_that_gets_a_second_name_is_said() {
    let house = House::with_sandbox();
    house.add_app("lazada");
    let first = house.run(&["login", "lazada", "--as", "one"]).succeeds().stderr;
    assert!(!first.contains("is the shop of"), "{first}");
    let second = house.run(&["login", "lazada", "--as", "two"]).succeeds().stderr;
    assert!(second.contains("two is the shop of one, too; they share its tokens"), "{second}");
    assert!(second.contains("sesame token two"), "{second}");
}
