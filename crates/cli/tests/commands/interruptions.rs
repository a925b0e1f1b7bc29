//! Ctrl-C and readers that leave.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::house::House;

#[test]
fn a_reader_that_leaves_is_no_error() {
    let house = House::empty();
    for arguments in [
        &["apis", "list", "lazada"][..],
        &["apis", "list", "lazada", "--output", "json"],
        &["completions", "bash"],
        &["generate-docs"],
    ] {
        let mut child =
            house.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn ctrl_c_ends_a_call_at_once_and_loses_nothing() {
    let house = House::with(|options| options.trouble.push("hang@/products/get".parse().unwrap()))
        .and_accounts(&[("lazada", "shop")]);
    let token = house.run(&["token", "shop"]).succeeds().stdout;
    interrupted(&house, &["call", "shop", "/products/get"]);
    assert_eq!(house.run(&["token", "shop"]).succeeds().stdout, token);
}

#[test]
fn ctrl_c_ends_a_login_that_waits() {
    let house = House::with(|options| options.auto_approve = false);
    house.add_app("taobao");
    interrupted(&house, &["login", "taobao", "--no-browser"]);
}

/// A refresh whose answer comes late is waited for a moment: the new token must not be lost.
#[test]
fn ctrl_c_in_the_middle_of_a_refresh_keeps_the_new_token() {
    let house =
        House::with(|options| options.trouble.push("latency=1200@/auth/token/refresh".parse().unwrap()))
            .and_accounts(&[("lazada", "shop")]);
    interrupted(&house, &["refresh", "shop"]);
    let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
    assert_eq!(json[0]["generation"], 2, "{json}");
    house.run(&["call", "shop", "/products/get", "limit=1"]).succeeds();
}

fn interrupted(house: &House, arguments: &[&str]) {
    let child = house
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Long enough to be in the middle of it.
    #[expect(
        clippy::disallowed_methods,
        reason = "another process is waited for, which has no virtual clock"
    )]
    std::thread::sleep(Duration::from_millis(700));
    let begun = Instant::now();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
}
