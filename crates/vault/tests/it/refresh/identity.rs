//! Whose tokens a refresh brings, and whose account another program changed.

use super::{DAY, LIFE, settled, shop};
use crate::support::{FakeTransport, Home, IopService, Policy, app, as_name, log_in, reply};
use sesame_core::{AccessToken, ErrorKind, RefreshToken};
use sesame_vault::{AccountState, ImportedTokens};

over_both! {
    #[tokio::test(flavor = "multi_thread")]
    another_shops_tokens_overwrite_nothing,
    imported_tokens_learn_whose_they_are,
    a_refresh_that_names_nobody_is_taken_whatever_its_lives,
    a_name_that_another_program_gave_to_another_shop_is_that_shop_within_a_minute,
    a_shop_that_another_program_replaced_is_the_new_one_within_a_minute,
    tokens_that_another_program_fetched_are_used_before_the_former_is_refused;
}

async fn another_shops_tokens_overwrite_nothing() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.service.become_seller("666");
    shop.home.clock.advance_secs(LIFE + 5);
    let error = shop.vault.token_of(&handle).await.unwrap_err();
    assert!(error.message().contains("another shop"), "{error}");
    let account = settled(&shop.vault, "shop").await;
    assert_eq!((account.generation, account.shop_id.as_deref()), (1, Some("1001")));
}

async fn imported_tokens_learn_whose_they_are() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let first = log_in(&vault, "lazada", as_name("first")).await.unwrap();
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("an-access-token-of-another-program"))
        .refresh(RefreshToken::new(support_refresh(1)))
        .account_name("imported");
    // Beside a shop that has them, they would be that one's.
    vault.remove_account("first").await.unwrap();
    let (account, _) = vault.import_tokens("lazada", tokens.clone()).await.unwrap();
    assert_eq!((account.shop_id, account.state), (None, AccountState::NeedsRefresh));
    assert!(
        vault.import_tokens("lazada", tokens).await.unwrap_err().message().contains("already an account")
    );
    assert!(vault.import_tokens("lazada", ImportedTokens::default()).await.is_err());
    let handle = vault.handle("imported").await.unwrap();
    home.clock.advance_secs(90 * DAY);
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), "an-access-token-of-another-program");
    vault.report_rejected(&handle, 1).await.unwrap();
    let account = settled(&vault, "imported").await;
    assert_eq!((account.shop_id, account.login), (first[0].shop_id.clone(), first[0].login.clone()));

    // A refresh token alone is enough: the first call fetches the access token.
    let tokens =
        ImportedTokens::default().refresh(RefreshToken::new(support_refresh(1))).account_name("bare");
    vault.remove_account("imported").await.unwrap();
    assert_eq!(vault.import_tokens("lazada", tokens).await.unwrap().0.state, AccountState::NeedsRefresh);
    assert!(vault.token_of(&vault.handle("bare").await.unwrap()).await.is_ok());
}

fn support_refresh(number: u64) -> String {
    format!("50001planted0refresh0{number:04}0token")
}

async fn a_refresh_that_names_nobody_is_taken_whatever_its_lives() {
    let shop = shop(Policy::Dies).await;
    for (number, lives, stored) in [
        // The pair that it replaced is spent.
        (1, r#""expires_in":-5"#, true),
        (2, r#""expires_in":"soon""#, true),
        (3, r#""expires_in":3600,"refresh_expires_in":{}"#, true),
        (4, r#""expires_in":3600"#, true),
        (5, r#""expires_in":-5,"country_user_info":[{"country":"sg","seller_id":"1001"}]"#, true),
        (6, r#""expires_in":-5,"country_user_info":[{"country":"sg","seller_id":"2002"}]"#, false),
    ] {
        let before = shop.vault.account("shop").await.unwrap().generation;
        shop.home.transport.answer(move |_| {
            Ok(reply(200, format!(r#"{{"access_token":"a000000000000000000{number}","refresh_token":"r000000000000000000{number}",{lives},"code":"0"}}"#)))
        });
        let outcome = shop.vault.refresh("shop").await;
        let account = settled(&shop.vault, "shop").await;
        if stored {
            assert_eq!(outcome.unwrap().generation, before + 1, "{lives}");
            assert_eq!(account.shop_id.as_deref(), Some("1001"));
        } else {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Envelope, "{lives}");
            assert_eq!(account.generation, before, "{lives}");
        }
    }
}

/// What a service that runs for long sees of what another program does to the vault.
async fn a_name_that_another_program_gave_to_another_shop_is_that_shop_within_a_minute() {
    let shop = shop(Policy::Lives).await;
    let service = shop.vault.clone();
    let first = service.handle("shop").await.unwrap();
    let (id, token) = (first.id(), service.token(&first.id()).await.unwrap());

    let other = shop.home.open().await;
    other.rename_account("shop", "former").await.unwrap();
    shop.service.become_seller("2002");
    log_in(&other, "lazada", as_name("shop")).await.unwrap();
    shop.home.clock.advance_secs(61);
    let second = service.handle("shop").await.unwrap();
    assert_ne!(second.id(), id);
    assert_ne!(service.token(&second.id()).await.unwrap().expose(), token.expose());
    assert_eq!(service.handle("former").await.unwrap().id(), id);
    assert_eq!(service.token(&id).await.unwrap().expose(), token.expose());

    // One that was removed is known no more, by name or by id.
    other.remove_account("former").await.unwrap();
    assert!(service.token(&id).await.is_ok(), "a minute is not over");
    shop.home.clock.advance_secs(61);
    for error in [service.token(&id).await.unwrap_err(), service.handle("former").await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

async fn a_shop_that_another_program_replaced_is_the_new_one_within_a_minute() {
    let shop = shop(Policy::Lives).await;
    let service = shop.vault.clone();
    let id = service.handle("shop").await.unwrap().id();
    let former = service.token(&id).await.unwrap();
    let other = shop.home.open().await;
    shop.service.become_seller("2002");
    let options = as_name("shop").replace_shop(true);
    log_in(&other, "lazada", options).await.unwrap();
    shop.home.clock.advance_secs(61);
    let now = service.token(&id).await.unwrap();
    assert_ne!(now.expose(), former.expose());
    assert_eq!(now.expose(), shop.service.access());
}

async fn tokens_that_another_program_fetched_are_used_before_the_former_is_refused() {
    let shop = shop(Policy::Dies).await;
    let id = shop.vault.handle("shop").await.unwrap().id();
    shop.vault.token(&id).await.unwrap();
    let other = shop.home.open().await;
    other.refresh("shop").await.unwrap();
    shop.home.clock.advance_secs(61);
    assert_eq!(shop.vault.token(&id).await.unwrap().expose(), shop.service.access());
    assert_eq!(shop.service.refreshes(), 1);
}
