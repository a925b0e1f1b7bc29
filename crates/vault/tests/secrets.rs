//! Planted secrets: none of them stands in any file, error, notice, log line or debug output.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::{fmt::Write as _, sync::Mutex};

use sesame_core::{AuthCode, RefreshToken};
use sesame_vault::{Callback, ImportedTokens, LoginOptions};
use support::{
    FakeTransport, Home, IopService, Policy, SECRET, all_bytes, app, as_name, callback, contains, log_in,
    reply,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

const PLANTED: &[&str] =
    &[SECRET, "planted0access0", "planted0refresh0", "planted0code0", "planted0imported"];

/// A reply made of what was sent.
type Body = fn(&str) -> String;

/// Collects every log line at every level.
struct Lines(&'static Mutex<String>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sesame")
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
        self.0.lock().unwrap().push_str(&text.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_planted_secret_is_found_anywhere() {
    static LINES: Mutex<String> = Mutex::new(String::new());
    tracing::subscriber::set_global_default(Lines(&LINES)).unwrap();
    let mut said = String::new();
    let mut home = Home::new(FakeTransport::json("{}"));
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
    let tokens = ImportedTokens {
        refresh: Some(RefreshToken::new("planted0imported0refresh")),
        account_name: Some("imported".to_owned()),
        ..ImportedTokens::default()
    };
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
            write!(said, "{error} {error:?} {:?}", error.hint_text()).unwrap();
        }
    }
    vault.settle().await;
    write!(said, "{:?}", vault.accounts().await.unwrap()).unwrap();
    write!(said, "{:?}", vault.take_notices()).unwrap();

    let files = all_bytes(home.directory.path());
    let lines = LINES.lock().unwrap().clone();
    assert!(lines.contains("tokens refreshed"), "logs were collected: {lines}");
    for secret in PLANTED {
        assert!(!contains(&files, secret), "{secret} stands in a file");
        assert!(!said.contains(secret), "{secret} was said: {said}");
        assert!(!lines.contains(secret), "{secret} was logged: {lines}");
    }
}
