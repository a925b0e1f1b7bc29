//! The audit trail and the events: what went wrong is in them as well, without secrets.

use crate::support::{
    FakeTransport, Home, IopService, Policy, all_events, app, as_name, callback, log_in, reply,
};
use sesame_core::{AccessToken, AppSecret, Clock as _};
use sesame_vault::{
    AuditFilter, AuditLine, Callback, CopyOptions, ImportedTokens, KeyChoice, Location, LoginOptions, NewApp,
    Vault,
    import::{ImportOptions, Table, TableFormat},
    store::{AccountStore as _, Sink, SqlStore},
};

async fn shop() -> (Home, IopService, Vault) {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("mine")).await.unwrap();
    // The newest line is the one with the latest time.
    home.clock.advance_secs(1);
    (home, service, vault)
}

async fn trail(vault: &Vault, account: Option<&str>) -> Vec<AuditLine> {
    let filter = account.into_iter().fold(AuditFilter::default(), AuditFilter::account);
    vault.audit(&filter).await.unwrap()
}

/// The newest line: a failure of this action, and whose.
async fn newest_failure(home: &Home, vault: &Vault, action: &str, subject: &str) -> String {
    let line = trail(vault, None).await.swap_remove(0);
    assert_eq!(
        (line.action.as_str(), line.subject.as_str(), line.succeeded),
        (action, subject, false),
        "{line:?}"
    );
    let said = line.detail.unwrap();
    assert!(!said.contains("planted") && !said.contains("100132_code") && !said.contains('\n'), "{said}");
    home.clock.advance_secs(1);
    said
}

#[tokio::test]
async fn failed_logins_are_in_the_trail() {
    let (home, service, vault) = shop().await;
    service.become_seller("2002");
    log_in(&vault, "lazada", as_name("mine")).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "login", "mine").await.contains("another shop"));
    assert!(!trail(&vault, Some("mine")).await[0].succeeded, "found by the account, too");

    home.transport.answer(|seen| {
        let code = &seen.form["code"];
        Ok(reply(
            200,
            format!(
                r#"{{"type":"ISV","code":"InvalidCode","message":"Invalid authorization code: {code}","request_id":"r"}}"#
            ),
        ))
    });
    log_in(&vault, "lazada", LoginOptions::default()).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "login", "lazada").await.contains("does not take this code"));
    log_in(&vault, "lazada", as_name("new")).await.unwrap_err();
    newest_failure(&home, &vault, "login", "new").await;

    let login = vault.begin_login("lazada", as_name("new")).await.unwrap();
    let refused = format!("{}?error=access_denied&state={}", login.redirect_uri, login.state);
    vault.finish_login(&login, Callback::Url(refused)).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "login", "new").await.contains("access_denied"));
    let forged = Callback::Url(format!("{}?code=c&state=planted-state", login.redirect_uri));
    vault.finish_login(&login, forged).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "login", "new").await.contains("state"));
    home.transport.answer(move |seen| service.answer(seen));
    vault.finish_login(&login, callback(&login, "c")).await.unwrap();
    assert!(trail(&vault, None).await[0].succeeded);
}

#[tokio::test]
async fn failed_copies_imports_and_rekeys_are_in_the_trail() {
    let (home, _, vault) = shop().await;
    vault.copy_to(&vault, CopyOptions::default(), &|_| {}).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "copy", "vault").await.contains("is this vault"));

    let rows = b"account,access_token\nx,planted a\ny,planted b\n";
    let table = Table::read(rows.to_vec(), TableFormat::Csv).unwrap();
    let mut options = ImportOptions::new("lazada").unwrap();
    let before = trail(&vault, None).await.len();
    options.dry_run = true;
    options.region = Some("mars".to_owned());
    vault.import_table(&table, &options).await.unwrap_err();
    assert_eq!(trail(&vault, None).await.len(), before, "a look is no import");
    (options.dry_run, options.region) = (false, None);
    vault.import_table(&table, &options).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "import", "vault").await.contains("2 rows"));

    let tokens =
        |name: &str| ImportedTokens::default().access(AccessToken::new("planted-a")).account_name(name);
    vault.import_tokens("lazada", tokens("mine")).await.unwrap_err();
    assert!(newest_failure(&home, &vault, "import", "mine").await.contains("already an account"));
    vault.import_tokens("nowhere", ImportedTokens::default()).await.unwrap_err();
    newest_failure(&home, &vault, "import", "nowhere").await;

    vault.rekey(KeyChoice::Environment(AppSecret::new("planted, no key")), &|_| {}).await.unwrap_err();
    newest_failure(&home, &vault, "rekey", "vault").await;
}

#[tokio::test]
async fn an_account_that_was_given_up_and_becomes_another_shop_is_told_as_recovered() {
    let (home, service, vault) = shop().await;
    // Another name for the same tokens, which stay given up.
    log_in(&vault, "lazada", as_name("old name")).await.unwrap();
    home.transport.answer(|_| {
        Ok(reply(200, r#"{"type":"ISV","code":"IllegalRefreshToken","message":"expired","request_id":"r"}"#))
    });
    vault.refresh("mine").await.unwrap_err();
    home.clock.advance_secs(1);
    service.become_seller("2002");
    home.transport.answer(move |seen| service.answer(seen));
    let options = as_name("mine").replace_shop(true);
    log_in(&vault, "lazada", options).await.unwrap();
    vault.close().await;
    let store = SqlStore::open(&Location::Sqlite(home.path())).await.unwrap();
    let events = all_events(&store, Sink::Hook).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["exhausted", "recovered"]);
    let told: serde_json::Value = serde_json::from_str(&events[1].payload).unwrap();
    assert_eq!((&told["account"], told["accounts"].as_array().unwrap().len()), (&"mine".into(), 1), "{told}");
    assert_eq!(events[1].authorization_id, store.account("mine").await.unwrap().unwrap().authorization.id);
}

#[tokio::test]
async fn a_shop_that_is_back_is_told_with_the_end_of_its_new_tokens() {
    let (home, _, vault) = crate::support::two_shops().await;
    home.sql("UPDATE authorizations SET exhausted = 'ended', refresh_expires_at = 5").await;
    log_in(&vault, "lazada", as_name("two")).await.unwrap();
    let events = all_events(home.store().await.as_ref(), Sink::Hook).await;
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "recovered"));
    let told: serde_json::Value = serde_json::from_str(&events[0].payload).unwrap();
    let end = vault.account("two").await.unwrap().refresh_expires_at.unwrap();
    assert_eq!(told["ends_at"], end.to_string());
}

#[tokio::test]
async fn a_secret_that_is_replaced_is_written_down_with_where_it_came_from() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let new = |secret: &str, origin: &str| {
        NewApp::new("lazada", "500300", AppSecret::new(secret)).secret_origin(origin)
    };
    let tokens = ImportedTokens::default().access(AccessToken::new("a"));
    vault.add_app_with_tokens(new("planted0first0secret", "file one"), tokens).await.unwrap();
    let before = trail(&vault, None).await.len();
    vault.renew_secret(&new("planted0first0secret", "file two")).await.unwrap();
    assert_eq!(trail(&vault, None).await.len(), before, "the same stays, and where it is from");
    assert_eq!(vault.account("lazada").await.unwrap().secret_origin.as_deref(), Some("file one"));
    // The newest line is the one with the latest time.
    home.clock.advance_secs(1);
    vault.renew_secret(&new("planted0other0secret", "file two")).await.unwrap();
    assert_eq!(vault.account("lazada").await.unwrap().secret_origin.as_deref(), Some("file two"));
    let lines = trail(&vault, None).await;
    assert_eq!(lines.len(), before + 1);
    assert_eq!((lines[0].action.as_str(), lines[0].subject.as_str()), ("secret", "lazada"));
    assert_eq!((lines[0].succeeded, lines[0].detail.as_deref()), (true, Some("replaced, from file two")));
}

/// 400 days of it are kept, as a keeper does.
#[tokio::test]
async fn a_clock_that_is_years_ahead_takes_no_line_for_old() {
    let (home, _, vault) = shop().await;
    let day = std::time::Duration::from_hours(24);
    let forget = async || {
        let before = home.clock.now() - jiff::SignedDuration::from_hours(400 * 24);
        vault.forget_audit(before).await.unwrap()
    };
    let write_line = async || {
        vault.rekey(KeyChoice::Environment(AppSecret::new("no key")), &|_| {}).await.unwrap_err();
    };
    for _ in 0..6 {
        home.clock.advance(100 * day);
        write_line().await;
    }
    let before = trail(&vault, None).await.len();
    home.clock.advance(5 * 365 * day);
    write_line().await;
    assert_eq!(forget().await, 0, "all are older than 400 days, but one");
    home.clock.set_back(5 * 365 * day);
    let forgotten = forget().await;
    let left = trail(&vault, None).await.len() as u64;
    assert!((1..4).contains(&forgotten), "what really is that old: {forgotten}");
    assert_eq!(left, before as u64 + 1 - forgotten);
}

#[tokio::test]
async fn the_trail_says_who_did_what_to_apps_and_accounts() {
    let (_home, _, vault) = crate::support::two_shops().await;
    vault.add_app(NewApp::new("daraz", "500300", AppSecret::new("planted0first0secret"))).await.unwrap();
    vault.tag_account("one", &["eu".to_owned()], &[]).await.unwrap();
    vault.tag_account("one", &["eu".to_owned()], &[]).await.unwrap();
    vault.rename_account("one", "first").await.unwrap();
    let lines = trail(&vault, None).await;
    let done = |action: &str| -> Vec<(String, String)> {
        let lines = lines.iter().filter(|line| line.action == action);
        lines.map(|line| (line.subject.clone(), line.detail.clone().unwrap_or_default())).collect()
    };
    let pair = |subject: &str, detail: &str| (subject.to_owned(), detail.to_owned());
    let mut accounts = done("account");
    accounts.sort();
    assert_eq!(accounts, [pair("first", "renamed from one"), pair("one", "tags: eu")]);
    assert!(done("app").contains(&pair("daraz", "added")), "{lines:?}");
    let process = format!(", pid {}", std::process::id());
    for line in &lines {
        let by = line.by.as_deref().unwrap();
        let (user, rest) = by.split_once('@').unwrap();
        assert!(!user.is_empty() && rest.len() > process.len() && rest.ends_with(&process), "{by}");
    }
    let of_account = trail(&vault, Some("first")).await;
    assert!(of_account.iter().any(|line| line.action == "account"), "{of_account:?}");
}
