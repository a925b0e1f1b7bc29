//! Planted secrets: none of them stands in any file, error, notice, log line or debug output.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, atomic::Ordering},
};

use crate::support::{
    FakeTransport, FlakyStore, Home, IopService, Policy, SECRET, all_events, app, as_name, callback,
    contains, log_in, reply,
};
use sesame_core::{AppSecret, AuthCode, RefreshToken, request::HeaderName};
use sesame_vault::{
    Callback, CopyOptions, Deliverer, DeliveryOptions, ImportedTokens, KeyChoice, Location, LoginOptions,
    Vault,
    import::{ImportOptions, Table, TableFormat},
    store::{AuditQuery, AuditRow, EventRow, Sink},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

over_both! {
    #[tokio::test]
    no_planted_secret_is_found_anywhere,
    no_cut_of_an_echo_leaves_a_part_of_a_secret,
    what_a_reply_says_of_the_shop_holds_no_token;
}

const PLANTED: &[&str] = &[
    SECRET,
    "planted0access0",
    "planted0refresh0",
    "planted0code0",
    "planted0imported",
    "planted0passphrase",
    "planted0table",
];

/// A reply made of what was sent.
type Body = fn(&str) -> String;

/// What the log lines of this process showed, of all crates and at every level, while somebody watched.
struct Log {
    watchers: usize,
    refreshes: usize,
    statements: usize,
    leaks: Vec<String>,
}

static LOG: Mutex<Log> = Mutex::new(Log { watchers: 0, refreshes: 0, statements: 0, leaks: Vec::new() });

/// Looks at log lines until it is dropped.
struct Watch;

impl Watch {
    fn begin() -> Self {
        // There is one for the whole process; the other tests are watched, too.
        let _ = tracing::subscriber::set_global_default(Lines);
        LOG.lock().unwrap().watchers += 1;
        Self
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        LOG.lock().unwrap().watchers -= 1;
    }
}

struct Lines;

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LOG.lock().unwrap().watchers > 0
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{field}={value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut log = LOG.lock().unwrap();
        log.refreshes += usize::from(text.0.contains("tokens refreshed"));
        log.statements += usize::from(text.0.contains("SELECT"));
        if PLANTED.iter().any(|secret| text.0.contains(secret)) {
            log.leaks.push(text.0);
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Has the events delivered to a command that writes down what it reads, and every process's arguments
/// and its own surroundings.
#[cfg(target_os = "linux")]
async fn run_a_hook(home: &Home, vault: &Vault) {
    let file = home.directory.path().join("heard");
    let script = "cat >> \"$0\"; cat /proc/[0-9]*/cmdline >> \"$0\" 2> /dev/null; env >> \"$0\"";
    let mut options = DeliveryOptions::default();
    options.hook = Some(
        ["sh", "-c", script, file.to_str().unwrap()].into_iter().map(std::ffi::OsString::from).collect(),
    );
    // A command takes the time of the machine.
    let _ = home.clock.clone().manual();
    let deliverer = Deliverer::new(vault.clone(), options).unwrap();
    let delivered = deliverer.tick().await.unwrap();
    assert!(!delivered.is_empty(), "an event was delivered");
    let heard = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    assert!(heard.contains("exhausted") && heard.contains("PATH="), "{heard}");
}

/// The whole audit trail and all events.
async fn audit(home: &Home) -> (Vec<AuditRow>, Vec<EventRow>) {
    let store = home.store().await;
    let lines = store.audit(AuditQuery { limit: 10_000, ..AuditQuery::default() }).await.unwrap();
    assert!(lines.len() > 8, "{lines:?}");
    let events = all_events(store.as_ref(), Sink::Webhook).await;
    assert!(!events.is_empty());
    (lines, events)
}

/// Refreshes while the store takes no tokens, and leaves the answer in the journal.
async fn journal_an_answer(home: &Home) {
    let store = FlakyStore::over(home.store().await);
    store.fail_replace.store(usize::MAX, Ordering::SeqCst);
    let vault = Vault::open_with(home.options(), Arc::new(store)).await.unwrap();
    vault.refresh("shop").await.unwrap();
    assert_eq!(home.waiting().len(), 1);
}

/// Copies it into another vault, in vain and well, and rekeys.
async fn move_it(home: &Home, vault: &Vault) -> String {
    let words = AppSecret::new("planted0passphrase0words");
    let location = Location::Sqlite(home.directory.path().join("copy.db"));
    let options = home.options().location(location).key(KeyChoice::Passphrase(words.clone()));
    let there = Vault::open(options).await.unwrap();
    let refused = vault.copy_to(vault, CopyOptions::default(), &|_| {}).await.unwrap_err();
    let copied = vault.copy_to(&there, CopyOptions::default(), &|_| {}).await.unwrap();
    assert!(there.check().await.unwrap().is_clean());
    there.close().await;
    let rekeyed = vault.rekey(KeyChoice::Auto, &|_| {}).await.unwrap();
    let short = vault.rekey(KeyChoice::Passphrase(words), &|_| {}).await;
    let again = vault.rekey(KeyChoice::File, &|_| {}).await.unwrap();
    format!("{refused:?} {copied:?} {rekeyed:?} {short:?} {again:?}")
}

/// Tables of another program, the first rows of which cannot be used.
async fn import_tables(vault: &Vault) -> String {
    let csv = "account,access_token,refresh_token,access_create_time\n\
               ,planted0table0access,planted0table0refresh,2026-11-01 00:00:00\n\
               shop two,planted0table0access,planted0table0refresh,planted0table0time\n\
               shop three,planted0table0access,planted0table0refresh,2026-11-01 00:00:00\n";
    let json = "{\"account\":\"shop four\",\"app_key\":5002,\"app_secret\":\"planted0table0secret\",\"more\":[\"planted0table0more\"]}\n\
                \"planted0table0text\"\n{\"account\":\"planted0table0open\n";
    let mut said = String::new();
    let tables = [
        Table::read(csv.into(), TableFormat::Csv).unwrap(),
        Table::read(csv.replace(',', "\t").into(), TableFormat::Tsv).unwrap(),
        Table::read(json.into(), TableFormat::JsonLines).unwrap(),
        // No names of columns: its first row is taken for them.
        Table::read("planted0table0access,planted0table0refresh\nx,y\n".into(), TableFormat::Csv).unwrap(),
    ];
    for table in tables {
        write!(said, "{table:?}").unwrap();
        for skip_bad in [false, true] {
            let mut options = ImportOptions::new("aliexpress-legacy").unwrap();
            options.skip_bad = skip_bad;
            write!(said, "{:?}", vault.import_table(&table, &options).await).unwrap();
        }
    }
    said
}

async fn no_planted_secret_is_found_anywhere() {
    let _watch = Watch::begin();
    let mut said = String::new();
    let mut home = Home::alone(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Dies, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;

    let login = vault.begin_login("lazada", as_name("shop")).await.unwrap();
    let got = callback(&login, "planted0code0123456789");
    write!(said, "{login:?} {got:?} {:?}", Callback::Code(AuthCode::new("planted0code0123456789"))).unwrap();
    assert!(!said.contains(&login.state), "the state is masked, too");
    write!(said, "{:?}", vault.finish_login(&login, got).await.unwrap()).unwrap();

    let handle = vault.handle("shop").await.unwrap();
    let token = vault.token_of(&handle).await.unwrap();
    let key = handle.key(sesame_core::sign::Digest::Md5Sandwich);
    write!(said, "{vault:?} {handle:?} {token:?} {key:?} {:?}", vault.apps().await.unwrap()).unwrap();
    write!(said, "{}", serde_json::to_string(&vault.accounts().await.unwrap()).unwrap()).unwrap();
    write!(said, "{}", serde_json::to_string(&vault.apps().await.unwrap()).unwrap()).unwrap();
    let tokens = ImportedTokens::default()
        .refresh(RefreshToken::new("planted0imported0refresh"))
        .account_name("imported");
    write!(said, "{tokens:?}").unwrap();
    vault.import_tokens("lazada", tokens).await.unwrap();
    vault.refresh("shop").await.unwrap();

    // Gateways that repeat what they were sent, in every way they fail.
    let bodies: [(u16, Body); 4] = [
        (200, |sent| format!(r#"{{"type":"ISP","code":"6","message":"internal {sent}","request_id":"r"}}"#)),
        (200, |sent| {
            format!(
                r#"{{"type":"ISV","code":"IllegalRefreshToken","message":"bad {sent}","request_id":"r"}}"#
            )
        }),
        (500, |sent| format!("<html>{sent}</html>")),
        (200, |sent| format!(r#"{{"echo":"{sent}"}}"#)),
    ];
    for (status, body) in bodies {
        home.transport.answer(move |seen| {
            let sent: Vec<&str> = seen.form.values().map(String::as_str).collect();
            Ok(reply(status, body(&format!("{} {SECRET}", sent.join(" ")))))
        });
        for error in [
            vault.refresh("imported").await.unwrap_err(),
            vault.refresh("shop").await.unwrap_err(),
            log_in(&vault, "lazada", LoginOptions::default()).await.unwrap_err(),
        ] {
            write!(said, "{error} {error:?} {:?}", error.hint()).unwrap();
        }
    }
    vault.settle().await;
    // One of those bodies ended the authorization: an event for the hook, a line in the trail.
    write!(said, "{:?}", audit(&home).await).unwrap();
    // An answer that waits in the journal, since the store is away.
    home.transport.answer({
        let service = service.clone();
        move |seen| service.answer(seen)
    });
    journal_an_answer(&home).await;
    #[cfg(target_os = "linux")]
    run_a_hook(&home, &vault).await;

    write!(said, "{}", move_it(&home, &vault).await).unwrap();
    write!(said, "{}", import_tables(&vault).await).unwrap();

    write!(said, "{:?}", vault.accounts().await.unwrap()).unwrap();
    write!(said, "{:?}", vault.take_warnings()).unwrap();

    let files = home.all_bytes();
    let log = LOG.lock().unwrap();
    assert!(log.refreshes > 0, "logs were looked at");
    assert!(log.statements > 0 || home.is_in_postgresql(), "statements, too");
    assert!(log.leaks.is_empty(), "a secret was logged: {:?}", log.leaks);
    drop(log);
    for secret in PLANTED {
        assert!(!contains(&files, secret), "{secret} stands in a file");
        assert!(!said.contains(secret), "{secret} was said: {said}");
    }
}

/// Gateways that repeat a secret where the text is cut: at every position, in what kills the
/// authorization and in what does not.
async fn no_cut_of_an_echo_leaves_a_part_of_a_secret() {
    let mut said = String::new();
    let mut home = Home::alone(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("shop")).await.unwrap();
    let refresh = crate::support::refresh_token(1);
    // 1,000 characters are kept, of which the code takes some: the cut is met in the last ones. Of the
    // others some, and all in the long run.
    let step = if std::env::var_os("SESAME_TORTURE").is_some() { 1 } else { 37 };
    for (at, ahead) in (0..930).step_by(step).chain(930..=1_000).enumerate() {
        for code in ["IllegalRefreshToken", "6"] {
            let secret = if at % 2 == 0 { refresh.clone() } else { SECRET.to_owned() };
            home.transport.answer(move |seen| {
                let secret = if secret == SECRET { SECRET } else { &seen.form["refresh_token"] };
                let message = format!("{} {secret}", "é".repeat(ahead));
                let reply = reply(
                    200,
                    format!(
                        r#"{{"type":"ISV","code":"{code}","message":"{message}","request_id":"{secret}"}}"#
                    ),
                );
                Ok(reply.with_header(HeaderName::from_static("x-sandbox-refusal"), secret))
            });
            let error = vault.refresh("shop").await.unwrap_err();
            write!(said, "{error} {error:?} {:?} {:?}", error.request_id(), error.reference()).unwrap();
            write!(said, "{:?}", vault.accounts().await.unwrap()).unwrap();
            // The next one is told anew.
            home.sql("UPDATE authorizations SET exhausted = NULL, not_before = NULL, last_error = NULL")
                .await;
            home.clock.advance_secs(600);
        }
    }
    vault.settle().await;
    let (lines, events) = audit(&home).await;
    assert!(lines.len() > 190 && events.len() > 90, "{} lines, {} events", lines.len(), events.len());
    write!(said, "{lines:?} {events:?}").unwrap();
    #[cfg(target_os = "linux")]
    run_a_hook(&home, &vault).await;

    let files = home.all_bytes();
    for secret in [SECRET, &refresh] {
        for part in secret.as_bytes().windows(12) {
            let part = str::from_utf8(part).unwrap();
            assert!(!said.contains(part), "{part} was said");
            assert!(!contains(&files, part), "{part} stands in a file");
        }
    }
}

/// A token reply that repeats tokens in what it says of the shop.
async fn what_a_reply_says_of_the_shop_holds_no_token() {
    let home = Home::alone(FakeTransport::new(|seen| {
        let code = &seen.form["code"];
        Ok(reply(
            200,
            format!(
                r#"{{"access_token":"50000planted0access0token","refresh_token":"50001planted0refresh0token","country":"sg","account":"50001planted0refresh0token","expires_in":"1000","refresh_expires_in":"2000","country_user_info":[{{"country":"sg","user_id":"{code}","seller_id":"{SECRET}","short_code":"50000planted0access0to"}}],"code":"0","request_id":"r2"}}"#
            ),
        ))
    }));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let login = vault.begin_login("lazada", as_name("shop")).await.unwrap();
    let accounts = vault.finish_login(&login, callback(&login, "planted0code0123456789")).await.unwrap();
    let said = format!("{accounts:?} {:?} {:?}", vault.accounts().await.unwrap(), vault.take_warnings());
    let files = home.all_bytes();
    for secret in ["50000planted0access0to", "50001planted0refresh0token", SECRET, "planted0code0123456789"] {
        assert!(!contains(&files, secret), "{secret} stands in a file");
        assert!(!said.contains(secret), "{secret} was said: {said}");
    }
}
