//! A vault that is copied into another one: what arrives, what is left alone, and what is refused.

use std::{fmt::Write as _, sync::Arc};

use crate::support::{
    FakeTransport, Home, IopService, Policy, SECRET, all_bytes, app, as_name, contains, log_in,
};
use sesame_core::{AccessToken, AppSecret, ErrorKind, RefreshToken};
use sesame_testing::postgres::Server;
use sesame_vault::{
    AuditFilter, Copied, CopyOptions, Database, ImportedTokens, KeyChoice, Location, LoginOptions, NewApp,
    Vault,
    import::{ImportOptions, Table, TableFormat},
    store::{FullRow, SqlStore, Store},
};

over_both! {
    #[tokio::test]
    everything_arrives_and_the_source_stays_as_it_is,
    tokens_of_an_earlier_copy_are_brought_up_to_date_and_newer_ones_stay,
    names_of_others_stop_all_unless_renamed,
    sandbox_marks_and_what_went_wrong_come_along,
    the_vault_itself_and_a_plain_copy_of_its_file_are_refused,
    a_copy_opens_with_its_own_key_alone,
    a_vault_goes_to_the_other_kind_of_store_and_back,
    a_copy_that_was_cut_off_is_repeated;
}

async fn copy(from: &Vault, to: &Vault) -> sesame_core::Result<Copied> {
    from.copy_to(to, CopyOptions::default(), &|_| {}).await
}

/// An empty vault of the same kind, with the same clock.
async fn target(home: &Home) -> (Home, Vault) {
    let mut other = Home::new(home.transport.clone());
    other.clock = home.clock.clone();
    let vault = other.open().await;
    (other, vault)
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
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("planted0imported0access"))
        .refresh(RefreshToken::new("planted0imported0refresh"))
        .account_name("商店");
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
    rows_of(home.store().await.as_ref()).await
}

async fn rows_of(store: &dyn Store) -> Vec<FullRow> {
    let mut rows = store.accounts().await.unwrap();
    store.close().await;
    // What is sealed anew and planned anew.
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

/// The access token that a vault hands out.
async fn token(vault: &Vault, shop: &str) -> String {
    let handle = vault.handle(shop).await.unwrap();
    vault.token_of(&handle).await.unwrap().access.expose().to_owned()
}

async fn everything_arrives_and_the_source_stays_as_it_is() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let (other, there) = target(&home).await;
    let before = rows(&home).await;
    let done = copy(&vault, &there).await.unwrap();
    assert_eq!((done.apps, done.accounts, done.left_alone, done.updated), (1, 4, 0, 0), "{done:?}");
    assert_eq!(rows(&other).await, before);
    assert_eq!(rows(&home).await, before);
    let report = there.check().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    for shop in ["one", "one too", "two", "商店"] {
        assert_eq!(token(&vault, shop).await, token(&there, shop).await, "{shop}");
    }
    for planted in ["planted", SECRET] {
        assert!(!contains(&other.all_bytes(), planted), "{planted}");
    }
    there.refresh("two").await.unwrap();
    let again = copy(&vault, &there).await.unwrap();
    assert_eq!((again.accounts, again.apps, again.left_alone, again.updated), (0, 0, 4, 0), "{again:?}");
    // A shop that was renamed is still that shop; one that was removed comes back.
    there.rename_account("one", "uno").await.unwrap();
    there.remove_account("商店").await.unwrap();
    let again = copy(&vault, &there).await.unwrap();
    assert_eq!((again.accounts, again.left_alone), (1, 3), "{again:?}");
    let lines = async |vault: &Vault, action: &str| {
        let lines = vault.audit(&AuditFilter::default()).await.unwrap();
        lines.iter().filter(|line| line.action == action).count()
    };
    assert_eq!((lines(&vault, "copy").await, lines(&there, "import").await), (3, 5));
}

async fn tokens_of_an_earlier_copy_are_brought_up_to_date_and_newer_ones_stay() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let (_other, there) = target(&home).await;
    copy(&vault, &there).await.unwrap();
    home.clock.advance_secs(60);
    vault.refresh("two").await.unwrap();
    let done = copy(&vault, &there).await.unwrap();
    assert_eq!((done.accounts, done.left_alone, done.updated), (0, 4, 1), "{done:?}");
    assert_eq!(token(&there, "two").await, token(&vault, "two").await);
    home.clock.advance_secs(60);
    there.refresh("two").await.unwrap();
    let newer = token(&there, "two").await;
    assert_ne!(newer, token(&vault, "two").await);
    assert_eq!(copy(&vault, &there).await.unwrap().updated, 0);
    assert_eq!(token(&there, "two").await, newer);
    assert!(there.check().await.unwrap().is_clean());
}

async fn names_of_others_stop_all_unless_renamed() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let (_other, there) = target(&home).await;
    there
        .add_app(NewApp::new("lazada", "999", AppSecret::new("another0secret")).name("lazada"))
        .await
        .unwrap();
    log_in(&there, "lazada", LoginOptions::default().as_name("one")).await.unwrap();
    let error = copy(&vault, &there).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("app \"lazada\", account \"one\""), "{error}");
    assert_eq!((there.accounts().await.unwrap().len(), there.apps().await.unwrap().len()), (1, 1));
    let mut rename = CopyOptions::default();
    rename.rename = true;
    let done = vault.copy_to(&there, rename, &|_| {}).await.unwrap();
    assert!(done.renamed.contains(&("lazada".to_owned(), "lazada-2".to_owned())), "{done:?}");
    assert!(done.renamed.contains(&("one".to_owned(), "one-2".to_owned())), "{done:?}");
    assert_eq!(there.accounts().await.unwrap().len(), 5);
    assert!(there.check().await.unwrap().is_clean());
}

async fn sandbox_marks_and_what_went_wrong_come_along() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = Vault::open(home.sandboxed()).await.unwrap();
    app(&vault, "lazada").await;
    let (_other, there) = target(&home).await;
    copy(&vault, &there).await.unwrap();
    assert!(there.app("lazada").await.unwrap().sandbox);
    let error = there.begin_login("lazada", LoginOptions::default()).await.unwrap_err();
    assert!(error.message().contains("sandbox"), "{error}");

    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let (pause, since) = (crate::support::START + 60_000, crate::support::START - 5_000);
    home.sql(&format!(
        "UPDATE authorizations SET attempts = 3, not_before = {pause}, postpone_after = {pause}, \
         refreshing_since = {since}, interrupted_since = {since}, lease_owner = 'other', lease_until = {pause}"
    ))
    .await;
    let (other, there) = target(&home).await;
    copy(&vault, &there).await.unwrap();
    for row in rows(&other).await {
        let row = row.authorization;
        assert_eq!((row.attempts, row.not_before, row.postpone_after), (3, Some(pause), Some(pause)));
        assert_eq!((row.refreshing_since, row.interrupted_since), (Some(since), Some(since)));
        assert_eq!((row.lease_owner, row.lease_until), (None, None), "a lease is another vault's");
    }
}

async fn the_vault_itself_and_a_plain_copy_of_its_file_are_refused() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let again = home.open().await;
    for target in [&vault, &again] {
        let error = copy(&vault, target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.message().contains("is this vault"), "{error}");
    }
    again.close().await;
    vault.close().await;
    let twin = home.twin();
    let vault = home.open().await;
    let error = copy(&vault, &twin.open().await).await.unwrap_err();
    assert!(error.message().contains("plain copy"), "{error}");
}

async fn a_copy_opens_with_its_own_key_alone() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let place = tempfile::tempdir().unwrap();
    let options = |key| home.options().location(Location::Sqlite(place.path().join("copy.db"))).key(key);
    let own = || KeyChoice::Passphrase(AppSecret::new("planted words of the copy"));
    let there = Vault::open(options(own())).await.unwrap();
    copy(&vault, &there).await.unwrap();
    there.close().await;
    // Neither the source's key nor another passphrase.
    std::fs::copy(home.key_file(), place.path().join("copy.db.key")).unwrap();
    let others = KeyChoice::Passphrase(AppSecret::new("planted words of another"));
    for wrong in [KeyChoice::File, KeyChoice::Auto, others] {
        assert!(Vault::open(options(wrong)).await.is_err());
    }
    let there = Vault::open(options(own())).await.unwrap();
    assert_eq!(token(&there, "one").await, token(&vault, "one").await);
    there.close().await;
    for planted in ["planted", SECRET] {
        assert!(!contains(&all_bytes(place.path()), planted), "{planted}");
    }
}

/// From either kind of store to the other one, and back.
async fn a_vault_goes_to_the_other_kind_of_store_and_back() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let vault = filled(&mut home).await;
    let place = tempfile::tempdir().unwrap();
    let location = if home.is_in_postgresql() {
        Location::Sqlite(place.path().join("vault.db"))
    } else {
        let database = Database::parse(&Server::shared().database().by_socket).unwrap();
        Location::Postgres(Box::new(database)).at_home(place.path())
    };
    let options = home.options().location(location.clone());
    let middle = Vault::open(options).await.unwrap();
    copy(&vault, &middle).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(SqlStore::open(&location).await.unwrap());
    assert_eq!(rows_of(store.as_ref()).await, rows(&home).await);
    let (other, back) = target(&home).await;
    copy(&middle, &back).await.unwrap();
    assert_eq!(rows(&other).await, rows(&home).await);
    for shop in ["one", "two", "商店"] {
        assert_eq!(token(&vault, shop).await, token(&back, shop).await, "{shop}");
    }
}

async fn a_copy_that_was_cut_off_is_repeated() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    // Three pages and a bit.
    let mut table = "account,app_key,app_secret,access_token,refresh_token,seller_id\n".to_owned();
    for shop in 0..1_700 {
        writeln!(table, "shop{shop},77,sec77,a{shop},r{},{shop}", shop / 2).unwrap();
    }
    let table = Table::read(table.into(), TableFormat::Csv).unwrap();
    vault.import_table(&table, &ImportOptions::new("lazada").unwrap()).await.unwrap();
    let (other, there) = target(&home).await;
    for pages in 1..=3_u64 {
        let seen = tokio::sync::Semaphore::new(0);
        let progress = |done: u64| {
            if done >= pages * 500 {
                seen.add_permits(1);
            }
        };
        // As far as the target is concerned, a kill: what is under way is given up.
        tokio::select! {
            biased;
            permit = seen.acquire() => drop(permit),
            copied = vault.copy_to(&there, CopyOptions::default(), &progress) => panic!("{copied:?}"),
        }
        let there = there.accounts().await.unwrap().len();
        assert!((500..1_700).contains(&there), "{there}");
    }
    let done = copy(&vault, &there).await.unwrap();
    assert!(done.left_alone >= 1_500 && done.accounts + done.left_alone == 1_700, "{done:?}");
    assert_eq!(rows(&other).await, rows(&home).await);
    assert!(there.check().await.unwrap().is_clean());
}
