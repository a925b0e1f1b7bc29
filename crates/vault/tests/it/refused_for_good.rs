//! Rows that the store refuses whenever they come: each blocks itself alone, and no text costs tokens.

use std::sync::{Arc, atomic::Ordering};

use sesame_core::Clock as _;
use sesame_vault::{Keeper, KeeperOptions, KeyChoice, LoginOptions, Vault, WarmPolicy, store::Sink};

use crate::support::{FlakyStore, Home, IopService, all_events, as_name, log_in, reply, two_shops};

over_both! {
    #[tokio::test(flavor = "multi_thread")]
    a_refresh_whose_text_is_refused_stores_its_tokens,
    a_login_whose_text_is_refused_stores_its_tokens,
    an_answer_that_cannot_leave_the_journal_holds_up_no_other,
    a_warning_that_is_refused_holds_up_no_other;
}

/// Lets the database refuse rows of a table for good.
async fn refuse(home: &Home, table: &str, which: &str) {
    let rule = |event: &str| {
        format!(
            "CREATE TRIGGER refused_{table}_{event} BEFORE {event} ON {table} WHEN {} \
             BEGIN SELECT RAISE(ABORT, 'refused for good'); END;",
            which.replace("ROW.", "NEW.")
        )
    };
    if home.is_in_postgresql() {
        let check = which.replace("ROW.", "");
        home.sql(&format!("ALTER TABLE {table} ADD CONSTRAINT refused CHECK (NOT ({check})) NOT VALID"))
            .await;
    } else {
        home.sql(&(rule("INSERT") + &rule("UPDATE"))).await;
    }
}

/// The service's answers, with another login name of the shop.
fn call_it(home: &Home, service: &IopService, login: &'static str) {
    let service = service.clone();
    home.transport.answer(move |seen| {
        let body = String::from_utf8(service.answer(seen)?.body.to_vec()).unwrap();
        Ok(reply(200, body.replace("seller@example.com", login)))
    });
}

async fn refresh_both(vault: &Vault, service: &IopService) -> [i64; 2] {
    let mut generations = [0; 2];
    for (at, (name, seller)) in [("one", "1001"), ("two", "2002")].into_iter().enumerate() {
        service.become_seller(seller);
        generations[at] = vault.refresh(name).await.unwrap().generation;
    }
    generations
}

async fn a_refresh_whose_text_is_refused_stores_its_tokens() {
    let (home, service, vault) = two_shops().await;
    refuse(&home, "authorizations", "ROW.identity LIKE '%refused%'").await;
    call_it(&home, &service, "refused");
    assert_eq!(refresh_both(&vault, &service).await, [2, 2]);
    assert!(home.waiting().is_empty());
    let handle = vault.handle("one").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().generation, 2);
    // What was known of the shop stays known.
    service.become_seller("3003");
    assert!(vault.refresh("one").await.unwrap_err().message().contains("another shop"));
    assert_eq!(vault.account("two").await.unwrap().shop_id.as_deref(), Some("2002"));
}

async fn a_login_whose_text_is_refused_stores_its_tokens() {
    let (home, service, vault) = two_shops().await;
    refuse(&home, "account", "ROW.login LIKE '%refused%'").await;
    call_it(&home, &service, "refused");
    service.become_seller("3003");
    for (options, name) in [(as_name("three"), "three"), (LoginOptions::default(), "lazada-shop")] {
        let accounts = log_in(&vault, "lazada", options).await.unwrap();
        assert_eq!((accounts[0].name.as_str(), &accounts[0].login), (name, &None));
        let warnings = format!("{:?}", vault.take_warnings());
        assert!(warnings.contains("the tokens are stored, but not whose they are"), "{warnings}");
        let handle = vault.handle(name).await.unwrap();
        assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), service.access());
        vault.refresh(name).await.unwrap();
        service.become_seller("4004");
    }
}

async fn an_answer_that_cannot_leave_the_journal_holds_up_no_other() {
    let (home, service, vault) = two_shops().await;
    let store = FlakyStore::over(home.store().await);
    let fail = store.fail_replace.clone();
    let away = Vault::open_with(home.options(), Arc::new(store)).await.unwrap();
    fail.store(usize::MAX, Ordering::SeqCst);
    refresh_both(&away, &service).await;
    away.close().await;
    assert_eq!(home.waiting().len(), 1, "both are in one file");
    let one = home.store().await.account("one").await.unwrap().unwrap().authorization;
    refuse(&home, "authorizations", &row_takes_no_tokens(&home, &one.id.to_string())).await;
    let other = home.open().await;
    let warnings = format!("{:?}", other.take_warnings());
    assert!(warnings.contains("cannot be moved into the vault"), "{warnings}");
    assert_eq!(other.account("two").await.unwrap().generation, 2);
    service.become_seller("2002");
    other.refresh("two").await.unwrap();
    other.rekey(KeyChoice::File, &|_| {}).await.unwrap();
    service.become_seller("1001");
    let sent = home.transport.count();
    let error = other.refresh("one").await.unwrap_err();
    assert!(error.message().contains("cannot be moved into the vault"), "{error}");
    assert_eq!(home.transport.count(), sent, "its token was spent");
    drop(vault);
}

/// Refuses new tokens of one authorization.
fn row_takes_no_tokens(home: &Home, id: &str) -> String {
    let id = id.replace('-', "");
    let id = if home.is_in_postgresql() { format!("'\\x{id}'::bytea") } else { format!("x'{id}'") };
    format!("ROW.authorization_id = {id} AND ROW.generation > 1")
}

async fn a_warning_that_is_refused_holds_up_no_other() {
    let (home, _, vault) = two_shops().await;
    refuse(&home, "event", "ROW.payload LIKE '%\"account\":\"one\"%'").await;
    // 7 days before both end.
    home.clock.advance(std::time::Duration::from_hours(173 * 24 + 1));
    let store = home.store().await;
    let options = KeeperOptions::default().warm(WarmPolicy::Never);
    Keeper::new(vault.clone(), options).tick().await.unwrap();
    let events = all_events(store.as_ref(), Sink::Hook).await;
    let told: Vec<_> = events.iter().map(|event| event.payload.contains("\"account\":\"two\"")).collect();
    assert_eq!(told, [true], "{events:?} at {}", home.clock.now());
}
