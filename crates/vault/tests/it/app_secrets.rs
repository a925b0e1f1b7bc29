//! A secret of an app that is replaced: the former one stays until the new one has worked.

use crate::support::{
    FakeTransport, Home, SECRET, app,
    param2::{DAY, HOUR, Param2Service, home, shop},
    reply,
};
use sesame_core::{AccessToken, AppSecret, Error, ErrorKind, RefreshToken};
use sesame_vault::{
    AppEdit, Callback, ImportedTokens, Keeper, KeeperOptions, KeyChoice, LoginOptions, NewApp, Vault,
    WarmPolicy,
};

const FORMER: AppEdit = AppEdit { name: None, region: None, redirect_uri: None, former_secret: true };

/// A vault whose shop `shop-0000` is due for a refresh, on a gateway that knows one secret.
async fn due_shop(good: &'static str) -> (Home, Vault, NewApp) {
    let service = Param2Service::default();
    let home = home(service.transport());
    let answering = service.transport();
    home.transport.answer(move |seen| {
        if seen.form["client_secret"] == good {
            return answering.ask(seen);
        }
        Ok(reply(400, r#"{"error_code":"gw.SignatureInvalid","error_message":"Invalid signature"}"#))
    });
    let vault = home.open().await;
    let known = app(&vault, "aliexpress-legacy").await;
    vault.import_tokens(&known.name, shop(0, HOUR, 180 * DAY)).await.unwrap();
    home.clock.advance_secs(2 * HOUR);
    let new = NewApp::new(&known.platform, &known.app_key, AppSecret::new("planted0new0secret"));
    (home, vault, new)
}

async fn has_former(vault: &Vault) -> bool {
    vault.apps().await.unwrap()[0].has_former_secret
}

#[tokio::test]
async fn a_former_secret_goes_when_the_new_one_has_worked() {
    let (_home, vault, new) = due_shop("planted0new0secret").await;
    assert!(vault.apps_of_key(&new).await.unwrap()[0].1, "it would be replaced");
    assert!(!has_former(&vault).await, "asking changes nothing");
    assert!(vault.renew_secret(&new).await.unwrap()[0].1);
    assert!(has_former(&vault).await);
    vault.refresh("shop-0000").await.unwrap();
    assert!(!has_former(&vault).await);
    let error = vault.edit_app("aliexpress-legacy", &FORMER).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[tokio::test]
async fn a_refused_secret_names_the_way_back_and_the_former_one_works_again() {
    let (home, vault, mut new) = due_shop(SECRET).await;
    // Mistyped twice: what worked last is what is kept.
    for wrong in ["planted0wrong0one", "planted0wrong0two"] {
        new.secret = AppSecret::new(wrong);
        vault.renew_secret(&new).await.unwrap();
    }
    // Another master key seals it, too.
    vault.rekey(KeyChoice::Auto, &|_| {}).await.unwrap();
    let error = vault.refresh("shop-0000").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signature);
    let hint = error.hint().unwrap();
    assert!(hint.contains("sesame app edit aliexpress-legacy --former-secret"), "{hint}");
    assert!(has_former(&vault).await, "a refusal proves nothing");
    home.clock.advance_secs(300);
    vault.edit_app("aliexpress-legacy", &FORMER).await.unwrap();
    assert!(vault.check().await.unwrap().findings.is_empty());
    vault.refresh("shop-0000").await.unwrap();
    assert!(!has_former(&vault).await);
}

#[tokio::test]
async fn a_secret_that_is_mended_takes_the_old_error_along() {
    let (home, vault, mut new) = due_shop(SECRET).await;
    new.secret = AppSecret::new("planted0wrong0one");
    vault.renew_secret(&new).await.unwrap();
    vault.refresh("shop-0000").await.unwrap_err();
    let failed = vault.account("shop-0000").await.unwrap();
    assert!(failed.blocked && failed.last_error.is_some() && failed.attempts == 1, "{failed:?}");
    // The name of the app has nothing to do with it.
    let named = AppEdit { name: Some("erp".to_owned()), ..AppEdit::default() };
    vault.edit_app("aliexpress-legacy", &named).await.unwrap();
    assert!(vault.account("shop-0000").await.unwrap().blocked);
    vault.edit_app("erp", &FORMER).await.unwrap();
    let mended = vault.account("shop-0000").await.unwrap();
    assert_eq!(
        (mended.blocked, mended.last_error, mended.last_error_at, mended.attempts),
        (false, None, None, 0)
    );
    // Nothing waits for the pause after the failure.
    home.clock.advance_secs(1);
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().warm(WarmPolicy::Always));
    let done = keeper.tick().await.unwrap().done;
    assert_eq!((done.refreshed, done.failed), (1, 0), "{done:?}");
}

#[tokio::test]
async fn an_app_is_renamed_and_removed_when_no_account_uses_it() {
    let (_home, vault, _) = due_shop(SECRET).await;
    let edit = AppEdit { name: Some("erp".to_owned()), ..AppEdit::default() };
    assert_eq!(vault.edit_app("aliexpress-legacy", &edit).await.unwrap().name, "erp");
    assert_eq!(vault.account("shop-0000").await.unwrap().app, "erp");
    assert_eq!(vault.remove_app("erp").await.unwrap_err().kind(), ErrorKind::Usage);
    vault.remove_account("shop-0000").await.unwrap();
    vault.remove_app("erp").await.unwrap();
    assert_eq!(vault.apps().await.unwrap(), []);
    let nowhere = AppEdit { region: Some("mars".to_owned()), ..AppEdit::default() };
    assert_eq!(vault.edit_app("erp", &nowhere).await.unwrap_err().kind(), ErrorKind::Usage);
}

#[tokio::test]
async fn hints_name_the_app_and_the_account_that_they_are_about() {
    let home = Home::new(FakeTransport::json(
        r#"{"type":"ISV","code":"InvalidAppKey","message":"The specified App Key is invalid","request_id":"r"}"#,
    ));
    let vault = home.open().await;
    let new = NewApp::new("alibaba", "500100", AppSecret::new("planted0secret0ours")).name("my erp");
    let tokens = ImportedTokens::default().access(AccessToken::new("a")).refresh(RefreshToken::new("r"));
    vault.add_app_with_tokens(new, tokens.account_name("shop")).await.unwrap();
    let error = vault.refresh("shop").await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("`sesame app edit 'my erp' --region seller`"), "{hint}");
    assert!(hint.contains("`sesame app list`") && !hint.contains("NAME"), "{hint}");
    let login = vault.begin_login("my erp", LoginOptions::default()).await.unwrap();
    let back = format!("{}?code=1_code&state={}", login.redirect_uri, login.state);
    let error = vault.finish_login(&login, Callback::Url(back)).await.unwrap_err();
    assert!(error.hint().unwrap().contains("`sesame app edit 'my erp' --region global`"), "{error:#}");
    let advice = "Run `sesame login APP --as ACCOUNT`.";
    let error = Error::new(ErrorKind::Token, "ended").with_hint(advice);
    let error = vault.handle("shop").await.unwrap().advise(error);
    assert_eq!(error.hint(), Some("Run `sesame login 'my erp' --as shop`."));
}
