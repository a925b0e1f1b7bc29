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
    house.set("SESAME_VAULT", "postgres://user:plantedpassword@db/vault");
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
        ("bash", "complete -F"),
        ("zsh", "#compdef sesame"),
        ("fish", "complete -c sesame"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let done = house.run(&["completions", shell]).succeeds();
        assert!(done.stdout.contains(mark), "{shell}");
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
fn colours_stay_away_from_pipes() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    for arguments in [&["accounts"][..], &["call", "shop", "/nothing/here"], &["demo"]] {
        let done = house.run(arguments);
        assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{arguments:?}");
    }
    let done = house.run(&["accounts", "--color", "always"]);
    assert!(done.stdout.contains('\u{1b}'), "{}", done.stdout);
}
