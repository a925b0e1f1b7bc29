//! Ctrl-C and readers that leave.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
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
    let house = House::with(|options| options.faults.push("hang@/products/get".parse().unwrap()))
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

#[test]
fn ctrl_c_ends_a_read_of_standard_input() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    interrupted(&house, &["call", "shop", "/products/get", "filter=@-"]);
}

/// JSON stays JSON, and a warning says that it is not all.
#[test]
fn ctrl_c_in_the_middle_of_a_list_keeps_the_rows() {
    for list in [&["call", "shop", "/products/get", "--all"][..], &["products", "list", "shop", "--all"]] {
        for form in ["json", "ndjson", "csv", "table"] {
            let house = House::with(|options| {
                options.products = 120;
                // The second page is waited for.
                options.quotas.push("1/40@/products/get".parse().unwrap());
            })
            .and_accounts(&[("lazada", "shop")]);
            let mut child = begun(&house, &[list, &["--output", form]].concat());
            // They are there before the command has ended.
            let mut rows = BufReader::new(child.stdout.take().unwrap());
            let mut text = String::new();
            rows.read_line(&mut text).unwrap();
            assert!(!text.is_empty(), "{list:?} {form}");
            send(&child, "-INT");
            rows.read_to_string(&mut text).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(130), "{list:?} {form}: {said}");
            assert!(said.contains("incomplete, 50 rows"), "{list:?} {form}: {said}");
            match form {
                "json" => {
                    let list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
                    assert_eq!(list.len(), 50);
                }
                "ndjson" => assert_eq!(text.lines().count(), 50),
                _ => assert_eq!(text.lines().count(), 51, "{list:?} {form}"),
            }
        }
    }
}

/// A refresh or login whose answer comes late is waited for: the new tokens must not be lost.
#[test]
fn a_signal_in_the_middle_of_an_exchange_keeps_the_new_tokens() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        if signal == "-HUP" && hang_ups_are_ignored() {
            continue;
        }
        let house =
            House::with(|options| options.faults.push("latency=3500@/auth/token/refresh".parse().unwrap()))
                .and_accounts(&[("lazada", "shop")]);
        let child = begun(&house, &["refresh", "shop"]);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{signal}: {said}");
        assert!(said.contains("interrupted") && said.contains("are waited for, at most"), "{signal}: {said}");
        let json = house.run(&["accounts", "--output", "json"]).succeeds().json();
        assert_eq!(json[0]["generation"], 2, "{signal}: {json}");
        house.run(&["call", "shop", "/products/get", "limit=1"]).succeeds();
    }
    let house =
        House::with(|options| options.faults.push("latency=3500@/auth/token/create".parse().unwrap()));
    house.add_app("lazada");
    let child = begun(&house, &["login", "lazada", "--as", "shop", "--no-browser"]);
    send(&child, "-INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    house.run(&["token", "shop"]).succeeds();
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_says_what_may_be_lost() {
    let house =
        House::with(|options| options.faults.push("latency=9000@/auth/token/refresh".parse().unwrap()))
            .and_accounts(&[("lazada", "shop")]);
    let child = begun(&house, &["refresh", "shop"]);
    send(&child, "-INT");
    pause();
    let second = Instant::now();
    send(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert!(second.elapsed() < Duration::from_secs(3), "{:?}", second.elapsed());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("were not stored") && said.contains("sesame refresh"), "{said}");
}

/// The lease of a killed process ends by itself; whoever comes before that says what it waits for.
#[test]
#[cfg(target_os = "linux")]
fn after_a_kill_the_next_command_says_that_it_waits() {
    let house =
        House::with(|options| options.faults.push("latency=3500@/auth/token/refresh".parse().unwrap()))
            .and_accounts(&[("lazada", "shop")]);
    let child = begun(&house, &["refresh", "shop"]);
    send(&child, "-KILL");
    child.wait_with_output().unwrap();
    let next = begun(&house, &["refresh", "shop"]);
    pause();
    pause();
    send(&next, "-KILL");
    let said = String::from_utf8(next.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("waiting for another sesame process") && said.contains("at most"), "{said}");
}

fn begun(house: &House, arguments: &[&str]) -> Child {
    let child = house
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Long enough to be in the middle of it.
    pause();
    child
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for, which has no virtual clock")]
fn pause() {
    std::thread::sleep(Duration::from_secs(1));
}

/// Under `nohup` programs go on after a hang-up, and so do ours.
fn hang_ups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

fn send(child: &Child, signal: &str) {
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
}

fn interrupted(house: &House, arguments: &[&str]) {
    let mut child = begun(house, arguments);
    // Held until it has ended: else it may see the end of its input before the signal.
    let _input = child.stdin.take();
    let begun = Instant::now();
    send(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
}
