//! The command line itself: settings, errors, help, version, doctor, completions.

use crate::{house::House, snapshot};

#[test]
fn version_and_help() {
    let house = House::empty();
    snapshot!("version", house.show(&["--version"]));
    snapshot!("help", house.show(&["-h"]));
    snapshot!("help_call", house.show(&["call", "--help"]));
    house.run(&[]).fails(2);
}

#[test]
fn mistakes_on_the_command_line_exit_2() {
    let house = House::empty();
    snapshot!("usage_mistyped_command", house.show(&["acounts"]));
    snapshot!("usage_json", house.show(&["refresh", "--output", "json"]));
    house.run(&["accounts", "--output", "xml"]).fails(2);
    house.run(&["call", "a", "b", "--timeout", "0"]).fails(2);
}

#[test]
fn only_this_machine_may_be_an_endpoint() {
    let mut house = House::empty();
    snapshot!("usage_endpoint", house.show(&["--endpoint", "http://example.com", "accounts"]));
    house.set("SESAME_ENDPOINT", "https://api.lazada.sg");
    let done = house.run(&["accounts"]).fails(2);
    assert!(done.stderr.contains("SESAME_ENDPOINT"), "{}", done.stderr);
}

#[test]
fn other_vaults_are_refused_without_their_password() {
    let mut house = House::empty();
    house.set("SESAME_VAULT", "mysql://user:plantedpassword@db/vault");
    let done = house.run(&["accounts"]).fails(2);
    assert!(!done.stderr.contains("plantedpassword"), "{}", done.stderr);
    let doctor = house.run(&["doctor"]);
    assert!(
        !doctor.stdout.contains("plantedpassword") && !doctor.stderr.contains("plantedpassword"),
        "{}",
        doctor.stdout
    );
}

#[test]
fn the_file_is_heeded_and_its_mistakes_are_named() {
    let house = House::empty();
    std::fs::write(house.path().join("config.toml"), "output = \"json\"\n").unwrap();
    assert_eq!(house.run(&["app", "list"]).succeeds().stdout, "[]\n");
    std::fs::write(house.path().join("config.toml"), "\nouptut = \"json\"\n").unwrap();
    snapshot!("usage_config", house.show(&["app", "list"]));
}

#[test]
fn the_doctor_says_where_every_value_comes_from() {
    let house = House::empty();
    let done = house.run(&["doctor", "--output", "json", "--timeout", "5s"]).succeeds();
    let json = done.json();
    let found = |check: &str| {
        json.as_array().unwrap().iter().find(|row| row["check"] == check).unwrap()["found"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(found("home").contains("environment SESAME_HOME"), "{}", found("home"));
    assert!(
        found("vault").contains("(default)") && found("vault").contains("does not exist yet"),
        "{}",
        found("vault")
    );
    assert!(found("timeout").contains("option --timeout"));
    assert!(found("route lazada").starts_with("https://"), "{}", found("route lazada"));
    assert!(!house.path().join("vault.db").exists(), "looking makes nothing");

    let house = House::with_accounts(&[("lazada", "shop")]);
    // The width of the columns follows the length of the path of the home.
    let shown = house.show(&["doctor"]);
    let shown: Vec<String> = shown
        .lines()
        .map(|line| {
            line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | ")
        })
        .collect();
    snapshot!("doctor_sandbox", shown.join("\n"));
}

#[test]
fn looking_makes_no_vault() {
    let house = House::empty();
    for arguments in [&["accounts"][..], &["app", "list"], &["doctor"], &["apis", "list", "lazada"]] {
        house.run(arguments).succeeds();
    }
    assert!(!house.path().join("vault.db").exists());
}

#[test]
fn every_shell_gets_completions() {
    let house = House::empty();
    for (shell, mark) in [
        ("bash", "-F _sesame sesame"),
        ("zsh", "#compdef sesame"),
        ("zsh", "_describe -V 'values' open -S ''"),
        ("fish", "--command sesame"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let done = house.run(&["completions", shell]).succeeds();
        assert!(done.stdout.contains(mark) && done.stdout.contains("SESAME_COMPLETE"), "{shell}");
    }
}

#[test]
fn verbose_output_goes_to_standard_error() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let done = house.run(&["-vv", "call", "shop", "/products/get", "limit=1"]).succeeds();
    assert!(done.json().is_object(), "standard output has the result only");
    let mut house = House::empty();
    house.set("SESAME_LOG", "loud");
    house.run(&["accounts"]).fails(2);
}

#[test]
fn colors_stay_away_from_pipes() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    for arguments in [&["accounts"][..], &["call", "shop", "/nothing/here"], &["demo"]] {
        let done = house.run(arguments);
        assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{arguments:?}");
    }
    let done = house.run(&["accounts", "--color", "always"]);
    assert!(done.stdout.contains('\u{1b}'), "{}", done.stdout);
}

/// What cannot be read is never taken as absent: a call for a sandbox would go to the real platforms.
#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_an_error() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    for name in [
        "SESAME_ENDPOINT",
        "SESAME_VAULT",
        "SESAME_OUTPUT",
        "SESAME_TIMEOUT",
        "SESAME_KEY",
        "SESAME_MASTER_KEY",
        "SESAME_PASSPHRASE",
        "SESAME_LOG",
    ] {
        let house = House::empty();
        let mut command = house.command(&["accounts"]);
        let output = command.env(name, OsStr::from_bytes(b"http://127.0.0.1:1/\xff")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(name) && said.contains("UTF-8"), "{name}: {said}");
    }
}

/// A home may have any name. SQLite's files may not; then no other place is taken in its stead.
#[cfg(unix)]
#[test]
fn a_home_that_is_no_text_is_still_the_home() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let house = House::empty();
    let home = house.path().join(OsStr::from_bytes(b"odd\xff"));
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("config.toml"), "output = \"json\"\n").unwrap();
    let output = house.command(&["app", "list"]).env("SESAME_HOME", &home).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"[]\n".as_slice()));
    let mut add = house.command(&["app", "add", "lazada", "--key", "500123", "--secret", "abcdefghijklmnop"]);
    let output = add.env("SESAME_HOME", &home).env_remove("SESAME_KEY").output().unwrap();
    if output.status.code() == Some(0) {
        assert!(home.join("vault.db").exists());
    } else {
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let elsewhere = crate::house::files_below(house.path());
    assert!(elsewhere.iter().all(|path| path.starts_with(&home)), "{elsewhere:?}");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_a_usage_error() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let house = House::empty();
    for arguments in [&["bogus"][..], &["accounts", "--output", "json"], &["call", "shop", "/products/get"]] {
        let output = house.command(arguments).arg(OsStr::from_bytes(b"a=\xff")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {said}");
        assert!(!said.contains("panicked") && !said.contains("bug"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn only_what_may_have_been_meant_is_suggested() {
    let house = House::empty();
    for (arguments, suggested) in [
        (&["orders"][..], None),
        (&["products", "list", "x", "--tag", "y"], None),
        (&["acounts"], Some("accounts")),
        (&["products", "list", "x", "--statsu", "y"], Some("--status")),
    ] {
        let said = house.run(arguments).fails(2).stderr;
        match suggested {
            None => assert!(!said.contains("similar") && !said.contains("tip"), "{said}"),
            Some(name) => assert!(said.contains("similar") && said.contains(name), "{said}"),
        }
    }
}

#[test]
fn what_never_ends_is_no_file() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    house.run(&["app", "add", "lazada", "--env-file", "/dev/zero"]).fails(2);
    house.run(&["sandbox", "--listen", "127.0.0.1:0", "--app-file", "/dev/zero"]).fails(2);
    house.run(&["call", "shop", "/products/get", "filter=@/dev/zero"]).fails(2);
    let pipe = house.path().join("config.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let done = house.run(&["app", "list"]).fails(2);
    assert!(
        done.stderr.contains("config.toml") && done.stderr.contains("not a regular file"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_sandbox_of_too_many_shops_is_refused() {
    let house = House::empty();
    for wanted in [["--shops", "99999999999"], ["--products", "99999999999"]] {
        let done = house.run(&["sandbox", "--listen", "127.0.0.1:0", wanted[0], wanted[1]]).fails(2);
        assert!(done.stderr.contains("at most"), "{}", done.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let house = House::empty();
    for arguments in ["help", "--help", "--version", "login --help"] {
        let done = house.shell(&format!("{} {arguments} > /dev/full", env!("CARGO_BIN_EXE_sesame")));
        assert_eq!(done.code, Some(1), "{arguments}: {}", done.stderr);
        assert!(done.stderr.contains("standard output"), "{}", done.stderr);
    }
}
