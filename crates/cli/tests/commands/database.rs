//! A vault in PostgreSQL, from the command line.

use sesame_testing::postgres::{PASSWORD, Server};

use crate::house::{Done, House};

fn clean(done: Done) -> Done {
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(!said.contains(PASSWORD) && !said.contains("planted"), "{said}");
    done
}

#[test]
fn a_vault_in_a_database_works_as_one_in_a_file() {
    let database = Server::shared().database();
    let mut house = House::with_sandbox();
    house.set("SESAME_VAULT", &database.by_tcp);

    // Looking makes nothing.
    clean(house.run(&["accounts"])).succeeds();
    let doctor = clean(house.run(&["doctor"]));
    assert!(doctor.stdout.contains("does not exist yet"), "{}", doctor.stdout);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sesame'";
    assert_eq!(Server::shared().sql(&database.name, schemas).trim(), "0");

    let house = house.and_accounts(&[("lazada", "shop")]);
    let accounts = clean(house.run(&["accounts", "--output", "csv"])).succeeds();
    assert!(accounts.stdout.contains("shop"), "{}", accounts.stdout);
    clean(house.run(&["refresh", "shop"])).succeeds();
    let doctor = clean(house.run(&["doctor", "--output", "csv"])).succeeds();
    assert!(doctor.stdout.contains("postgres://sesame:***@127.0.0.1:"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("environment SESAME_VAULT"), "{}", doctor.stdout);
    assert!(!house.path().join("vault.db").exists(), "nothing of it is in a file");
}

#[test]
fn a_password_among_the_options_is_warned_of() {
    let database = Server::shared().database();
    let house = House::empty();
    let with = |address: &str, command: &str| clean(house.run(&["--vault", address, command]));
    let warning = "can see the password in --vault";
    // It is said when the vault is opened, which the first look does not do.
    let added = clean(house.run_with(
        &["--vault", &database.by_tcp, "app", "add", "lazada", "--key", "500100", "--secret-stdin"],
        "secret0of0the0tests",
    ));
    let added = added.succeeds();
    assert!(added.stderr.contains(warning), "{}", added.stderr);
    let shown = with(&database.by_tcp, "accounts").succeeds();
    assert!(shown.stderr.contains(warning), "{}", shown.stderr);
    // An address without a password, of another database: its key is in a file of its own.
    let other = Server::shared().database();
    let added = clean(house.run_with(
        &["--vault", &other.by_socket, "app", "add", "lazada", "--key", "500101", "--secret-stdin"],
        "secret1of1the1tests",
    ));
    let added = added.succeeds();
    assert!(!added.stderr.contains(warning), "{}", added.stderr);
}

#[test]
fn a_database_that_is_away_is_named_without_its_password() {
    let house = House::empty();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let address = format!("postgres://shop:{PASSWORD}@127.0.0.1:{port}/vault");
    let done = clean(house.run(&["--vault", &address, "accounts"])).fails(1);
    assert!(done.stderr.contains("no server listens there"), "{}", done.stderr);
    let doctor = clean(house.run(&["--vault", &address, "doctor"])).fails(1);
    assert!(doctor.stdout.contains("no server listens there"), "{}", doctor.stdout);
    let address = format!("postgres://shop:{PASSWORD}@db.example/vault?sslmode=require");
    let done = clean(house.run(&["--vault", &address, "accounts"])).fails(2);
    assert!(done.stderr.contains("verify-full"), "{}", done.stderr);
}
