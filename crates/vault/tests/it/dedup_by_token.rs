//! Tokens that come into a vault a second time: one refresh token stays one authorization.

use crate::support::{FakeTransport, Home, IopService, Policy, all_bytes, app};
use sesame_core::{AccessToken, AppSecret, Error, ErrorKind, RefreshToken};
use sesame_vault::{
    CopyOptions, ImportedTokens, NewApp, Vault,
    import::{ImportOptions, Imported, Table, TableFormat},
};

const HEAD: &str = "account,app_key,app_secret,access_token,refresh_token,seller_id,country\n";

/// A row of the service's first pair, which dies with its first refresh.
fn first_pair(name: &str, seller: &str, country: &str) -> String {
    let (access, refresh) = (support_access(0), support_refresh(0));
    format!("{name},500100,planted-secret,{access},{refresh},{seller},{country}\n")
}

fn csv(text: &str) -> Table {
    Table::read(text.into(), TableFormat::Csv).unwrap()
}

fn support_access(number: u64) -> String {
    format!("50000planted0access0{number:04}0token")
}

fn support_refresh(number: u64) -> String {
    format!("50001planted0refresh0{number:04}0token")
}

async fn import(
    vault: &Vault,
    platform: &str,
    rows: &str,
    change: impl Fn(&mut ImportOptions),
) -> sesame_core::Result<Imported> {
    let mut options = ImportOptions::new(platform).unwrap();
    change(&mut options);
    vault.import_table(&csv(&format!("{HEAD}{rows}")), &options).await
}

fn rotating() -> Home {
    let mut home = Home::new(FakeTransport::json("{}"));
    home.transport = IopService::new(Policy::Dies, &home.clock).transport();
    home
}

fn tokens(access: &str, refresh: &str, name: Option<&str>) -> ImportedTokens {
    let tokens =
        ImportedTokens::default().access(AccessToken::new(access)).refresh(RefreshToken::new(refresh));
    name.into_iter().fold(tokens, ImportedTokens::account_name)
}

async fn names(vault: &Vault) -> Vec<String> {
    let mut names: Vec<String> =
        vault.accounts().await.unwrap().into_iter().map(|account| account.name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_shops_of_a_cross_border_seller_share_one_authorization() {
    let home = rotating();
    let vault = home.open().await;
    let rows = first_pair("shop-sg", "1001", "sg") + &first_pair("shop-my", "2001", "my");
    let done = import(&vault, "lazada", &rows, |_| {}).await.unwrap();
    assert_eq!(done.accounts, ["shop-sg", "shop-my"]);
    assert!(
        done.notes.iter().any(|note| note.starts_with("1 shop has the refresh token of another account")),
        "{:?}",
        done.notes
    );
    assert_eq!(vault.accounts_sharing("shop-sg").await.unwrap(), ["shop-my"]);
    let sg = vault.account("shop-sg").await.unwrap();
    let my = vault.account("shop-my").await.unwrap();
    assert_eq!((sg.shop_id.as_deref(), my.shop_id.as_deref()), (Some("1001"), Some("2001")));
    assert_eq!((sg.region.as_deref(), my.region.as_deref()), (Some("sg"), Some("my")));
    // Each in its turn: two authorizations would end each other's.
    vault.refresh("shop-sg").await.unwrap();
    vault.refresh("shop-my").await.unwrap();
    assert_eq!(vault.account("shop-sg").await.unwrap().generation, 3);
    // The same command again, though the tokens are others by now.
    let again = import(&vault, "lazada", &rows, |_| {}).await.unwrap();
    assert_eq!((again.accounts.len(), again.left_alone.len()), (0, 2), "{again:?}");
    for mark in ["planted-secret", &support_refresh(0)] {
        assert!(!crate::support::contains(&all_bytes(home.directory.path()), mark));
    }
}

#[tokio::test]
async fn one_more_name_for_tokens_of_the_vault_joins_their_authorization() {
    let home = rotating();
    let vault = home.open().await;
    import(&vault, "lazada", &first_pair("one", "", ""), |_| {}).await.unwrap();
    let both = first_pair("one", "", "") + &first_pair("two", "", "my");
    let done = import(&vault, "lazada", &both, |_| {}).await.unwrap();
    assert_eq!((done.accounts.as_slice(), done.left_alone.len()), (["two".to_owned()].as_slice(), 1));
    assert_eq!(done.apps, [] as [String; 0]);
    vault.refresh("two").await.unwrap();
    vault.refresh("one").await.unwrap();
    // A key that the vault does not have has tokens of its own.
    let other = first_pair("three", "", "").replace("500100", "500200");
    import(&vault, "lazada", &other, |_| {}).await.unwrap();
    assert_eq!(vault.accounts_sharing("three").await.unwrap(), [] as [String; 0]);
}

#[tokio::test]
async fn a_shop_that_was_renamed_is_not_added_again() {
    let home = rotating();
    let vault = home.open().await;
    import(&vault, "lazada", &first_pair("one", "1001", "sg"), |_| {}).await.unwrap();
    vault.rename_account("one", "uno").await.unwrap();
    let again = import(&vault, "lazada", &first_pair("one", "1001", "sg"), |_| {}).await.unwrap();
    assert_eq!(again.left_alone, [("one".to_owned(), "uno".to_owned())]);
}

#[tokio::test]
async fn a_shop_of_param2_under_two_names_is_one_authorization_with_the_newer_access_token() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let head = "account,app_key,app_secret,access_token,refresh_token,aliId,access_create_time\n";
    let row = |name: &str, access: &str, id: &str, hour: u32| {
        format!("{name},77,sec77,{access},same-refresh,{id},2026-11-22 0{hour}:00:00\n")
    };
    let import = async |rows: &str| {
        vault.import_table(&csv(&format!("{head}{rows}")), &ImportOptions::new("1688").unwrap()).await
    };
    // One token cannot be two shops' where a seller has one.
    let wrong = row("one", "a1", "7", 1) + &row("two", "a2", "8", 3);
    let error = import(&wrong).await.unwrap_err();
    assert!(error.message().contains("line 3: its refresh token is that of account \"one\""), "{error}");
    assert!(!error.message().contains("same-refresh"));
    let rows = row("one", "older", "7", 1) + &row("two", "newest", "7", 4) + &row("tre", "old", "", 2);
    let done = import(&rows).await.unwrap();
    assert_eq!(done.accounts.len(), 3);
    assert!(!done.notes.iter().any(|note| note.contains("may end")), "{:?}", done.notes);
    for name in ["one", "two", "tre"] {
        let handle = vault.handle(name).await.unwrap();
        assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "newest", "{name}");
    }
    let error = import(&row("four", "a", "9", 1)).await.unwrap_err();
    assert!(error.message().contains("which is another shop"), "{error}");
    // Of two tokens of one shop nobody knows which one lives.
    let done = import(&(row("five", "a", "55", 1) + &row("six", "b", "55", 1).replace("same-r", "r"))).await;
    assert!(done.unwrap_err().message().contains("line 2"), "five has the first one's token and another id");
}

#[tokio::test]
async fn tokens_of_a_file_that_the_vault_has_are_left_alone_or_get_the_name_that_is_given() {
    let home = rotating();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let pair = |name| tokens(&support_access(0), &support_refresh(0), name);
    let (first, stood) = vault.import_tokens("lazada", pair(None)).await.unwrap();
    assert_eq!((first.name.as_str(), stood), ("lazada", false));
    let (again, stood) = vault.import_tokens("lazada", pair(None)).await.unwrap();
    assert_eq!((again.name.as_str(), stood), ("lazada", true));
    let error = vault.import_tokens("lazada", pair(Some("lazada"))).await.unwrap_err();
    assert!(error.message().contains("already an account"), "{error}");
    let (named, stood) = vault.import_tokens("lazada", pair(Some("mine"))).await.unwrap();
    assert_eq!((named.name.as_str(), stood), ("mine", false));
    assert_eq!(vault.accounts_sharing("mine").await.unwrap(), ["lazada"]);
    vault.refresh("lazada").await.unwrap();
    vault.refresh("mine").await.unwrap();
    // Others are another shop's.
    let (other, stood) = vault.import_tokens("lazada", tokens("a", "other", None)).await.unwrap();
    assert_eq!((other.name.as_str(), stood), ("lazada-2", false));
}

fn new(name: Option<&str>, key: &str, secret: &str) -> NewApp {
    name.into_iter().fold(NewApp::new("lazada", key, AppSecret::new(secret)), NewApp::name)
}

#[tokio::test]
async fn a_second_app_of_the_key_does_not_get_a_second_authorization() {
    let home = rotating();
    let vault = home.open().await;
    let pair = |name| tokens(&support_access(0), &support_refresh(0), name);
    vault.add_app_with_tokens(new(None, "500300", crate::support::SECRET), pair(None)).await.unwrap();
    let (second, account, stood) = vault
        .add_app_with_tokens(new(Some("two"), "500300", crate::support::SECRET), pair(None))
        .await
        .unwrap();
    assert_eq!((second[0].0.name.as_str(), account.name.as_str(), stood), ("two", "lazada", true));
    let (_, account, stood) = vault
        .add_app_with_tokens(new(Some("three"), "500300", crate::support::SECRET), pair(Some("mine")))
        .await
        .unwrap();
    assert_eq!((account.app.as_str(), stood), ("lazada", false), "its tokens are that one's");
    vault.refresh("lazada").await.unwrap();
    vault.refresh("mine").await.unwrap();
    assert_eq!(vault.apps().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_known_key_keeps_its_secret_when_the_tokens_cannot_come_in() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let known = new(None, "500300", "the0first0secret");
    let (added, ..) = vault.add_app_with_tokens(known, tokens("a", "r", Some("mine"))).await.unwrap();
    assert_eq!((added.len(), added[0].1), (1, None), "it is new");
    let renewed = new(None, "500300", "another0secret");
    for (name, words) in [("mine", "already an account"), ("-x", "starts with a dash")] {
        let error =
            vault.add_app_with_tokens(renewed.clone(), tokens("b", "s", Some(name))).await.unwrap_err();
        assert!(error.message().contains(words), "{error}");
        let same = vault.renew_secret(&new(None, "500300", "the0first0secret")).await.unwrap();
        assert!(!same[0].1, "the secret was replaced, and the tokens are nowhere");
    }
    let (apps, account, stood) =
        vault.add_app_with_tokens(renewed, tokens("b", "s", Some("two"))).await.unwrap();
    assert_eq!((apps.len(), apps[0].1, account.name.as_str(), stood), (1, Some(true), "two", false));
}

#[tokio::test]
async fn other_tokens_under_a_name_that_was_made_up_are_refused_and_not_taken_for_known() {
    let home = rotating();
    let vault = home.open().await;
    let made_up = |options: &mut ImportOptions| options.name_is_made_up = true;
    let row = first_pair("lazada", "", "");
    import(&vault, "lazada", &row, made_up).await.unwrap();
    let again = import(&vault, "lazada", &row, made_up).await.unwrap();
    assert_eq!(again.left_alone, [("lazada".to_owned(), "lazada".to_owned())]);
    let other = row.replace("0000", "9999");
    let check = |error: Error, words: &str| {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.message().contains("has other tokens in this vault"), "{error}");
        assert!(error.message().contains(words) && !error.message().contains("planted"), "{error}");
    };
    check(import(&vault, "lazada", &other, made_up).await.unwrap_err(), "--as NAME");
    // A name of the table's own, with nothing heard from the platform since.
    check(import(&vault, "lazada", &other, |_| {}).await.unwrap_err(), "another name");
    assert_eq!(names(&vault).await, ["lazada"]);
    // Under a name that was chosen before, the tokens are found as well.
    vault.rename_account("lazada", "mine").await.unwrap();
    let again = import(&vault, "lazada", &row, made_up).await.unwrap();
    assert_eq!(again.left_alone, [("lazada".to_owned(), "mine".to_owned())]);
    // The vault's tokens are newer than the table's: the name is what tells the shop.
    let named = first_pair("mine", "", "");
    vault.refresh("mine").await.unwrap();
    let again = import(&vault, "lazada", &named, |_| {}).await.unwrap();
    assert_eq!(again.left_alone, [("mine".to_owned(), "mine".to_owned())]);
}

#[tokio::test]
async fn a_copy_joins_tokens_that_the_target_has_from_elsewhere() {
    let home = rotating();
    let vault = home.open().await;
    let rows = first_pair("shop-sg", "", "sg") + &first_pair("shop-my", "", "my");
    import(&vault, "lazada", &rows, |_| {}).await.unwrap();
    let mut other = Home::new(home.transport.clone());
    other.clock = home.clock.clone();
    let there = other.open().await;
    import(&there, "lazada", &first_pair("shop-sg", "", "sg"), |_| {}).await.unwrap();
    let done = vault.copy_to(&there, CopyOptions::default(), &|_| {}).await.unwrap();
    assert_eq!((done.accounts, done.left_alone, done.apps), (1, 1, 0), "{done:?}");
    assert_eq!(there.accounts_sharing("shop-sg").await.unwrap(), ["shop-my"]);
    there.refresh("shop-sg").await.unwrap();
    there.refresh("shop-my").await.unwrap();
    assert!(there.check().await.unwrap().is_clean());
}
