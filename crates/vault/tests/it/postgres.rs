//! What a vault in PostgreSQL meets: refusals, servers that go away, other programs, other machines.

mod impostor;

use std::{sync::Arc, time::Duration};

use crate::conformance::rows;
use crate::support::{FakeTransport, Home, app};
use base64::Engine as _;
use sesame_core::{AppSecret, Error, ErrorKind};
use sesame_testing::postgres::{PASSWORD, Server};
use sesame_vault::{
    Database, KeyChoice, Location, Vault,
    store::{
        AccountStore as _, AppStore as _, DueClaim, Notes, SqlStore, Store as _, TokenStore as _,
        WorkStore as _,
    },
};

async fn refused(address: &str) -> Error {
    let error =
        SqlStore::open(&Location::Postgres(Database::parse(address).unwrap().into())).await.unwrap_err();
    let all = format!("{error} {error:?} {:?}", error.hint());
    assert!(!all.contains(PASSWORD) && !all.contains("planted"), "{all}");
    assert_eq!(error.kind(), ErrorKind::Local, "{all}");
    assert!(error.hint().is_some(), "{all}");
    error
}

async fn open(address: &str) -> SqlStore {
    SqlStore::open(&address.parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn refusals_say_what_is_wrong_and_never_the_password() {
    let server = Server::shared();
    let database = server.database();
    open(&database.by_tcp).await;

    let wrong = database.by_tcp.replace(PASSWORD, "planted0wrong0password");
    let error = refused(&wrong).await;
    assert!(error.message().contains("refuses the login") && !error.is_retryable(), "{error}");
    let error = refused(&server.named("nowhere").by_tcp).await;
    assert!(error.message().contains("there is no database"), "{error}");
    assert!(error.hint().unwrap().contains("createdb"));
    let nobody = database.by_tcp.replace("127.0.0.1", "localhost").replace("sesame:", "nobody:");
    assert!(refused(&nobody).await.message().contains("refuses the login"));

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("postgres://a:{PASSWORD}@127.0.0.1:{}/vault", port.local_addr().unwrap().port());
    drop(port);
    let error = refused(&closed).await;
    assert!(error.message().contains("no server listens there") && error.is_retryable(), "{error}");
    let error = refused(&format!("postgres://a:{PASSWORD}@/vault?host=/nowhere")).await;
    assert!(error.message().contains("cannot be reached"), "{error}");

    // The server speaks no TLS, and an address that demands it gets nothing else.
    let error = refused(&format!("{}?sslmode=verify-full", database.by_tcp)).await;
    assert!(error.message().contains("does not prove who it is"), "{error}");
}

#[tokio::test]
async fn what_is_no_server_of_postgresql_is_told() {
    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("postgres://a:{PASSWORD}@127.0.0.1:{}/vault", web.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            use tokio::io::AsyncWriteExt as _;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        }
    });
    let error = refused(&address).await;
    assert!(!error.message().contains("planted"), "{error}");
}

#[tokio::test]
async fn tables_of_others_and_of_newer_versions_are_left_alone() {
    let server = Server::shared();
    let stranger = server.database();
    server.sql(&stranger.name, "CREATE SCHEMA sesame; CREATE TABLE sesame.account (id int)");
    assert!(refused(&stranger.by_socket).await.message().contains("another program's"));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'sesame'";
    assert_eq!(server.sql(&stranger.name, tables).trim(), "1");

    let alike = server.database();
    server.sql(&alike.name, "CREATE SCHEMA sesame; CREATE TABLE sesame.sesame_schema (release text)");
    assert!(refused(&alike.by_socket).await.message().contains("another program's"));

    let newer = server.database();
    open(&newer.by_socket).await;
    server.sql(&newer.name, "UPDATE sesame.sesame_schema SET version = 99");
    let error = refused(&newer.by_socket).await;
    assert!(error.message().contains("newer Sesame (its schema is 99"), "{error}");

    // Others' tables beside ours are nobody's business.
    let shared = server.database();
    server.sql(&shared.name, "CREATE TABLE account (id int)");
    open(&shared.by_socket).await;
}

#[tokio::test]
async fn a_vault_of_before_the_first_release_is_refused_and_left_alone() {
    let server = Server::shared();
    for version in 1..=4 {
        let older = server.database();
        server.sql(
            &older.name,
            &format!(
                "CREATE SCHEMA sesame; CREATE TABLE sesame.sesame_schema (whole BOOLEAN PRIMARY KEY, version BIGINT); \
                 INSERT INTO sesame.sesame_schema VALUES (TRUE, {version}); \
                 CREATE TABLE sesame.authorisation (authorisation_id BYTEA PRIMARY KEY, access BYTEA); \
                 INSERT INTO sesame.authorisation VALUES ('a', 'b')"
            ),
        );
        let error = refused(&older.by_socket).await;
        assert!(error.message().contains(&format!("its schema is {version}")), "{error}");
        assert!(error.hint().unwrap().contains("ALTER SCHEMA sesame RENAME"));
        let tables =
            "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'sesame'";
        assert_eq!(server.sql(&older.name, tables).trim(), "authorisation sesame_schema");
        assert_eq!(server.sql(&older.name, "SELECT access FROM sesame.authorisation").trim(), "\\x62");
    }
}

#[tokio::test]
async fn a_database_that_is_not_utf_8_is_refused() {
    let server = Server::shared();
    let fresh = server.database();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{}_{}", fresh.name, encoding.to_lowercase());
        server.sql(
            "postgres",
            &format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        );
        let error = refused(&server.named(&name).by_socket).await;
        assert!(error.message().contains(&format!("encoding {encoding}")), "{error}");
        assert!(error.hint().unwrap().contains("createdb --encoding=UTF8"));
        let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sesame'";
        assert_eq!(server.sql(&name, schemas).trim(), "0");
    }
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_the_owner_runs() {
    let server = Server::shared();
    let database = server.database();
    let role = format!("role_{}", database.name);
    server.sql(&database.name, &format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
    let address = database.by_tcp.replace("sesame:", &format!("{role}:"));
    let error = refused(&address).await;
    assert!(error.message().contains("lacks a right"), "{error}");
    assert!(error.hint().unwrap().contains("CREATE SCHEMA sesame AUTHORIZATION"));
    server.sql(&database.name, &format!("CREATE SCHEMA sesame AUTHORIZATION {role}"));
    let store = open(&address).await;
    rows::shop(&store).await;
    assert!(SqlStore::exists(&address.parse().unwrap()).await.unwrap());
    // A second user finds tables that are not its own.
    server.sql(&database.name, &format!("CREATE ROLE {role}_2 LOGIN PASSWORD '{PASSWORD}'"));
    let error = refused(&address.replace(&role, &format!("{role}_2"))).await;
    assert!(error.message().contains("lacks a right"), "{error}");
}

#[tokio::test]
async fn looking_makes_nothing() {
    let server = Server::shared();
    let fresh = server.database();
    let database = fresh.by_socket.parse().unwrap();
    assert!(!SqlStore::exists(&database).await.unwrap());
    assert_eq!(
        server.sql(&fresh.name, "SELECT count(*) FROM pg_namespace WHERE nspname = 'sesame'").trim(),
        "0"
    );
    open(&fresh.by_socket).await;
    assert!(SqlStore::exists(&database).await.unwrap());
}

/// A certificate for these names and its key, by an authority whose own certificate is in a file.
fn certified(names: &[&str]) -> (String, String, tempfile::NamedTempFile) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::new(authority.clone(), &authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(root.path(), pem("CERTIFICATE", authority.self_signed(&authority_key).unwrap().der()))
        .unwrap();
    (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()), root)
}

fn pem(what: &str, bytes: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

#[tokio::test]
async fn a_server_proves_its_name_by_its_certificate() {
    let (certificate, key, root) = certified(&["localhost"]);
    let server = Server::start_tls(&certificate, &key).unwrap();
    let fresh = server.database();
    let named = fresh.by_tcp.replace("127.0.0.1", "localhost");
    let with = |address: &str, root: &tempfile::NamedTempFile| {
        format!("{address}?sslmode=verify-full&sslrootcert={}", root.path().display())
    };
    let store = open(&with(&named, &root)).await;
    rows::shop(&store).await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND application_name = 'sesame'";
    assert_eq!(server.sql(&fresh.name, encrypted).trim(), "1");

    // Another name, an authority that nobody knows, one that is not its own, a file that is none.
    let stranger = certified(&["localhost"]).2;
    let broken = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(broken.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for address in [
        with(&fresh.by_tcp, &root),
        format!("{named}?sslmode=verify-full"),
        with(&named, &stranger),
        with(&named, &broken),
    ] {
        let error = refused(&address).await;
        assert!(error.message().contains("does not prove who it is"), "{address}: {error}");
        assert!(error.hint().unwrap().contains("sslrootcert") && !error.is_retryable());
    }
    let error = refused(&format!("{named}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem")).await;
    assert!(error.message().contains("/nowhere/ca.pem"), "{error}");
}

/// Killed as by a power cut while answers are being written: what was said to be stored is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_was_stored() {
    let server = Server::start(&[]).unwrap();
    let fresh = server.database();
    let store = open(&fresh.by_tcp).await;
    let ids = rows::shops(&store, 400, |_, _| ()).await;
    let mut writers = tokio::task::JoinSet::new();
    let (started, mut seen) = tokio::sync::watch::channel(0_usize);
    let started = Arc::new(started);
    for id in ids.clone() {
        let (store, started) = (store.clone(), started.clone());
        writers.spawn(async move {
            let done = store.replace_tokens(id, 1, &rows::tokens(9), rows::NOW, &rows::notes(id)).await;
            started.send_modify(|count| *count += 1);
            (id, done)
        });
    }
    seen.wait_for(|count| *count > 0).await.unwrap();
    server.kill();
    let mut stored = Vec::new();
    for (id, done) in writers.join_all().await {
        match done {
            Ok(done) => {
                assert!(done);
                stored.push(id);
            }
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    assert!(!stored.is_empty());
    let error = store.apps().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");

    server.run().unwrap();
    // The same store goes on, without being opened anew.
    for id in ids {
        let done = store.replace_tokens(id, 1, &rows::tokens(9), rows::NOW, &Notes::default()).await.unwrap();
        assert!(!done || !stored.contains(&id), "it was stored already");
        assert_eq!(rows::row(&store, id).await.generation, 2);
    }
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew() {
    let server = Server::shared();
    let fresh = server.database();
    let store = open(&fresh.by_socket).await;
    store.apps().await.unwrap();
    let cut =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", fresh.name);
    server.sql("postgres", &cut);
    // The first may find the connection cut; it says that waiting helps, and the next works.
    if let Err(error) = store.apps().await {
        assert!(error.is_retryable(), "{error:?}");
    }
    store.apps().await.unwrap();
}

/// A caller that is dropped in the middle takes neither the others' answers nor a connection along.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_callers_leave_the_others_alone() {
    let fresh = Server::shared().database();
    let store = open(&fresh.by_socket).await;
    let ids = rows::shops(&store, 60, |_, _| ()).await;
    for id in &ids {
        let tokens = rows::tokens(7);
        let notes = Notes::default();
        let short = Duration::from_micros(300);
        let _ = tokio::time::timeout(short, store.replace_tokens(*id, 1, &tokens, rows::NOW, &notes)).await;
        let _ = tokio::time::timeout(short, store.account("shop-0001")).await;
    }
    let last = ids.last().copied().unwrap();
    store.replace_tokens(last, 5, &rows::tokens(1), rows::NOW, &Notes::default()).await.unwrap();
    for id in ids {
        // Undone or done, and nothing in between: the audit trail knows of none, and rows can be read.
        assert!((1..=2).contains(&rows::row(&store, id).await.generation));
    }
    assert_eq!(store.accounts().await.unwrap().len(), 60);
    store.close().await;
    assert!(store.apps().await.is_err());
}

#[tokio::test]
async fn rows_held_by_another_program_are_waited_for_within_bounds() {
    let server = Server::shared();
    let fresh = server.database();
    let store = open(&fresh.by_socket).await;
    let ids = rows::shops(&store, 3, |_, row| row.tokens.due_at = Some(rows::NOW)).await;
    let name = fresh.name.clone();
    let holder = tokio::task::spawn_blocking(move || {
        server.sql(
            &name,
            "BEGIN; SELECT 1 FROM sesame.authorizations ORDER BY authorization_id LIMIT 1 FOR UPDATE; \
             SELECT pg_sleep(2); COMMIT",
        );
    });
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        fresh.name
    );
    while server.sql("postgres", &waits).trim() != "1" {}
    // A keeper takes what is free and waits for nobody.
    let claim = DueClaim { owner: "a", now: rows::NOW, until: rows::NOW + rows::MINUTE, limit: 10 };
    let free = store.claim_due(claim).await.unwrap();
    assert_eq!(free.iter().map(|due| due.authorization.id).collect::<Vec<_>>(), ids[1..]);
    // Who wants that very row waits until it is free.
    assert!(store.claim(rows::claim(ids[0], "b", rows::NOW)).await.unwrap().is_some());
    holder.await.unwrap();
}

#[tokio::test]
async fn a_second_machine_is_told_to_bring_the_key() {
    let fresh = Server::shared().database();
    let home = |directory: &std::path::Path, key| {
        Home::new(FakeTransport::json("{}"))
            .options()
            .location(fresh.by_tcp.parse::<Location>().unwrap().at_home(directory))
            .key(key)
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let vault = Vault::open(home(&one.path().join("new"), KeyChoice::File)).await.unwrap();
    app(&vault, "alibaba").await;
    assert!(!format!("{vault:?}").contains("planted"));

    let error = Vault::open(home(two.path(), KeyChoice::Auto)).await.unwrap_err();
    assert!(error.message().contains("key file") && error.message().contains("is missing"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("Copy that file to") && hint.contains("SESAME_MASTER_KEY"), "{hint}");
    assert!(std::fs::read_dir(two.path()).unwrap().next().is_none(), "no key is made for an old vault");

    let key = std::fs::read_dir(one.path().join("new")).unwrap();
    let key =
        key.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|end| end == "key"));
    let key = key.unwrap();
    std::fs::write(
        two.path().join(key.file_name().unwrap()),
        "bm90IHRoZSBrZXkgYnV0IG9mIHRoZSByaWdodCBsZW4=\n",
    )
    .unwrap();
    let error = Vault::open(home(two.path(), KeyChoice::Auto)).await.unwrap_err();
    assert!(error.message().contains("is not the master key"), "{error}");
    assert!(error.hint().unwrap().contains("Copy that file to"));
    std::fs::copy(&key, two.path().join(key.file_name().unwrap())).unwrap();
    let second = Vault::open(home(two.path(), KeyChoice::Auto)).await.unwrap();
    assert_eq!(second.apps().await.unwrap().len(), 1);
    let passphrase = KeyChoice::Passphrase(AppSecret::new("x"));
    assert_eq!(Vault::open(home(two.path(), passphrase)).await.unwrap_err().kind(), ErrorKind::Usage);
    let no_home = home(two.path(), KeyChoice::File).location(fresh.by_tcp.parse().unwrap());
    assert_eq!(Vault::open(no_home).await.unwrap_err().kind(), ErrorKind::Usage);
}

/// The plan that the server itself made of the keeper's claim, among many that are not due.
#[tokio::test]
async fn due_rows_are_found_by_their_index() {
    let server = Server::start(&[
        "session_preload_libraries=auto_explain",
        "auto_explain.log_min_duration=0",
        "auto_explain.log_analyze=on",
        "auto_explain.log_timing=off",
    ])
    .unwrap();
    let fresh = server.database();
    let store = open(&fresh.by_socket).await;
    rows::shop(&store).await;
    server.sql(
        &fresh.name,
        "INSERT INTO sesame.authorizations (authorization_id, app_id, generation, issued_at, identity, due_at) \
         SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), app_id, 1, 0, '', n \
         FROM sesame.app, generate_series(1, 50000) AS n; ANALYZE sesame.authorizations",
    );
    let claim = DueClaim { owner: "a", now: 25_000, until: 25_000 + rows::MINUTE, limit: 100 };
    let due = store.claim_due(claim).await.unwrap();
    assert_eq!(due.len(), 100);
    assert_eq!(store.next_due(25_000).await.unwrap(), Some(101));
    let log = server.log();
    let plan = log.split("duration:").find(|part| part.contains("SKIP LOCKED")).unwrap();
    assert!(plan.contains("Index Scan using authorization_due on authorization"), "{plan}");
    assert!(plan.contains("Index Scan using authorizations_pkey on authorizations"), "{plan}");
    assert!(!plan.contains("Seq Scan on authorization"), "{plan}");
    let next = log.split("duration:").find(|part| part.contains("SELECT due_at FROM")).unwrap();
    assert!(next.contains("Index Scan using authorization_due"), "{next}");
}

/// A server that goes by another name has another journal: what waits in the former one is not passed over.
#[tokio::test]
async fn what_waits_in_the_journal_of_another_address_is_said() {
    let server = Server::shared();
    let database = server.database();
    let home = tempfile::tempdir().unwrap();
    let notices = || async {
        let place = Database::parse(&database.by_tcp).unwrap().at_home(home.path());
        let options =
            Home::new(FakeTransport::json("{}")).options().location(Location::Postgres(place.into()));
        let vault = Vault::open(options).await.unwrap();
        let notices: Vec<String> = vault.take_warnings().iter().map(ToString::to_string).collect();
        vault.close().await;
        notices.join("\n")
    };
    let former = home.path().join("vault-0123456789ab.journal");
    std::fs::create_dir(&former).unwrap();
    assert!(!notices().await.contains("another address"), "nothing waits in it");
    std::fs::write(former.join("0123.log"), crate::support::journal_file(rows::id())).unwrap();
    let said = notices().await;
    assert!(said.contains("vault-0123456789ab.journal") && said.contains("another address"), "{said}");
}
