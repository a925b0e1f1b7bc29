//! A vault in one file under a passphrase: what comes back, and what is refused.

use crate::support::{FakeTransport, Home, IopService, Policy, SECRET, app, as_name, contains, log_in};
use sesame_core::{AccessToken, AppSecret, ErrorKind, RefreshToken};
use sesame_vault::{ImportedTokens, LoginOptions, NewApp, Vault, store::FullRow};

over_both! {
    #[tokio::test]
    everything_comes_back_and_nothing_is_in_the_clear,
    names_of_others_stop_all_unless_renamed,
    wrong_passphrases_damage_and_newer_forms_are_told_apart,
    sandbox_marks_are_kept,
    what_went_wrong_and_the_pauses_after_it_come_along;
}

const PASSPHRASE: &str = "planted passphrase of the tests";

fn words(text: &str) -> AppSecret {
    AppSecret::new(text)
}

async fn export(vault: &Vault) -> Vec<u8> {
    let mut file = Vec::new();
    vault.export(&words(PASSPHRASE), false, &mut file).await.unwrap();
    file
}

async fn import(vault: &Vault, file: &[u8], rename: bool) -> sesame_core::Result<sesame_vault::Imported> {
    vault.import(&words(PASSPHRASE), rename, &mut &*file).await
}

/// A vault with two shops of a login, and one that was given up.
async fn filled(home: &mut Home) -> Vault {
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("one")).await.unwrap();
    log_in(&vault, "lazada", as_name("one too")).await.unwrap();
    service.become_seller("2002");
    log_in(&vault, "lazada", as_name("two")).await.unwrap();
    vault.refresh("two").await.unwrap();
    let tokens = ImportedTokens {
        access: Some(AccessToken::new("planted0imported0access")),
        refresh: Some(RefreshToken::new("planted0imported0refresh")),
        account_name: Some("商店".to_owned()),
        ..ImportedTokens::default()
    };
    vault.import_tokens("lazada", tokens).await.unwrap();
    let store = home.store().await;
    let row = store.account("two").await.unwrap().unwrap();
    store.set_tags(row.account.id, &row.account.tags, &["a".to_owned(), "b".to_owned()]).await.unwrap();
    store
        .exhaust(
            row.authorization.id,
            row.authorization.generation,
            "given up",
            7,
            &sesame_vault::store::Notes::default(),
        )
        .await
        .unwrap();
    store.close().await;
    vault
}

async fn rows(home: &Home) -> Vec<FullRow> {
    let store = home.store().await;
    let mut rows = store.accounts().await.unwrap();
    store.close().await;
    // What is sealed anew, planned anew, or not taken along.
    for row in &mut rows {
        row.app.secret.clear();
        row.authorization.tokens.access = None;
        row.authorization.tokens.refresh = None;
        row.authorization.tokens.warm_at = None;
        row.authorization.tokens.due_at = None;
    }
    rows.sort_by_key(|row| row.account.name.clone());
    rows
}

async fn everything_comes_back_and_nothing_is_in_the_clear() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let file = export(&vault).await;
    for planted in ["planted", SECRET, "lazada", "one too"] {
        assert!(!contains(&file, planted), "{planted}");
    }
    let mut other = Home::new(home.transport.clone());
    other.clock = home.clock.clone();
    let there = other.open().await;
    let done = import(&there, &file, false).await.unwrap();
    assert_eq!((done.apps.len(), done.accounts.len()), (1, 4));
    assert_eq!(done.needs_authorization, [("two".to_owned(), "given up".to_owned())]);
    assert_eq!(rows(&other).await, rows(&home).await);
    let report = there.check().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    for shop in ["one", "one too", "two", "商店"] {
        let token = |vault: Vault| async move {
            let handle = vault.handle(shop).await.unwrap();
            vault.token_of(&handle).await.unwrap().access.expose().to_owned()
        };
        assert_eq!(token(vault.clone()).await, token(there.clone()).await, "{shop}");
    }
    there.refresh("two").await.unwrap();
    let again = import(&there, &file, false).await.unwrap();
    assert_eq!((again.accounts.len(), again.apps.len(), again.left_alone.len()), (0, 0, 4));
    // A shop that was renamed is still that shop; one that was removed comes back.
    there.rename_account("one", "uno").await.unwrap();
    there.remove_account("商店").await.unwrap();
    let again = import(&there, &file, false).await.unwrap();
    assert_eq!(again.accounts, ["商店"]);
    assert!(again.left_alone.contains(&("one".to_owned(), "uno".to_owned())), "{again:?}");
    let lines = |lines: Vec<sesame_vault::AuditLine>, action: &str| {
        lines.iter().filter(|line| line.action == action).count()
    };
    assert_eq!(lines(vault.audit(&sesame_vault::AuditFilter::default()).await.unwrap(), "export"), 1);
    assert_eq!(lines(there.audit(&sesame_vault::AuditFilter::default()).await.unwrap(), "import"), 5);
}

async fn names_of_others_stop_all_unless_renamed() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let file = export(&vault).await;
    let mut other = Home::new(home.transport.clone());
    other.clock = home.clock.clone();
    let there = other.open().await;
    there
        .add_app(NewApp {
            platform: "lazada".to_owned(),
            name: Some("lazada".to_owned()),
            key: "999".to_owned(),
            secret: words("another0secret"),
            redirect_uri: None,
            region: None,
            secret_origin: None,
        })
        .await
        .unwrap();
    log_in(&there, "lazada", LoginOptions { as_name: Some("one".to_owned()), ..LoginOptions::default() })
        .await
        .unwrap();
    let error = import(&there, &file, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("app \"lazada\""), "{error}");
    assert_eq!(there.accounts().await.unwrap().len(), 1);
    let done = import(&there, &file, true).await.unwrap();
    assert!(done.renamed.contains(&("lazada".to_owned(), "lazada-2".to_owned())), "{done:?}");
    assert!(done.renamed.contains(&("one".to_owned(), "one-2".to_owned())), "{done:?}");
    assert_eq!(there.accounts().await.unwrap().len(), 5);
    assert!(there.check().await.unwrap().is_clean());
}

async fn wrong_passphrases_damage_and_newer_forms_are_told_apart() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let file = export(&vault).await;
    let other = Home::new(FakeTransport::json("{}"));
    let there = other.open().await;
    let error = there.import(&words("not the passphrase"), false, &mut &*file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("not the passphrase"), "{error}");
    let error = vault.export(&words("short"), false, &mut Vec::new()).await.unwrap_err();
    assert!(error.message().contains("fewer than 8"), "{error}");

    let text = |from: &str, to: &str| {
        let at = file.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut changed = file.clone();
        changed.splice(at..at + from.len(), to.bytes());
        changed
    };
    let header = file.iter().position(|byte| *byte == b'\n').unwrap();
    let mut cases = vec![
        ("newer", text("\"sesame_export\":1", "\"sesame_export\":2"), "knows form 1"),
        ("hungry", text("65536", "4294967295"), "damaged"),
        ("hungry", text("\"passes\":3", "\"passes\":9"), "damaged"),
        ("no export", b"account,app_key\n1,2\n".to_vec(), "no export"),
        ("empty", Vec::new(), "no export"),
        ("longer", [file.as_slice(), b"x"].concat(), "damaged"),
        ("doubled", [&file[..], &file[header + 1..]].concat(), "damaged"),
    ];
    for at in [header + 1, header + 2, header + 300, file.len() - 1] {
        let mut changed = file.clone();
        changed[at] ^= 1;
        cases.push(("flipped", changed, "damaged"));
    }
    for length in [header + 1, header + 3, file.len() - 1] {
        cases.push(("cut", file[..length].to_vec(), "damaged"));
    }
    for (name, changed, words) in cases {
        let error = import(&there, &changed, false).await.unwrap_err();
        assert!(error.message().contains(words), "{name}: {error}");
        assert!(error.hint().is_some() && !error.message().contains("planted"), "{name}");
    }
    assert_eq!((there.accounts().await.unwrap().len(), there.apps().await.unwrap().len()), (0, 0));
}

async fn sandbox_marks_are_kept() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = Vault::open(home.sandboxed()).await.unwrap();
    app(&vault, "lazada").await;
    let file = export(&vault).await;
    let other = Home::new(FakeTransport::json("{}"));
    let there = other.open().await;
    import(&there, &file, false).await.unwrap();
    assert!(there.app("lazada").await.unwrap().sandbox);
    let error = there.begin_login("lazada", LoginOptions::default()).await.unwrap_err();
    assert!(error.message().contains("sandbox"), "{error}");
}

async fn what_went_wrong_and_the_pauses_after_it_come_along() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let now = crate::support::START;
    let set = |attempts: i64, pause: i64, since: i64| {
        format!(
            "UPDATE authorizations SET attempts = {attempts}, not_before = {pause}, postpone_after = {pause}, \
             refreshing_since = {since}, interrupted_since = {since}"
        )
    };
    let told = |row: &FullRow| {
        let row = &row.authorization;
        (row.attempts, row.not_before, row.postpone_after, row.refreshing_since, row.interrupted_since)
    };
    let (pause, since) = (Some(now + 60_000), Some(now - 5_000));
    for (statement, expected) in [
        (set(3, now + 60_000, now - 5_000), (3, pause, pause, since, since)),
        // What was damaged keeps nobody away, and a cut off refresh stays one.
        (set(i64::MAX, i64::MAX, i64::MAX), (4_000_000, None, None, Some(now), Some(now))),
        (set(-1, -1, i64::MIN + 1), (0, None, None, Some(0), Some(0))),
    ] {
        home.sql(&statement).await;
        let file = export(&vault).await;
        let mut other = Home::new(home.transport.clone());
        other.clock = home.clock.clone();
        import(&other.open().await, &file, false).await.unwrap();
        for row in rows(&other).await {
            assert_eq!(told(&row), expected, "{statement}");
        }
    }
}
