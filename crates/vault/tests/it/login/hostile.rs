//! Token replies of a gateway that is broken or hostile: bounded, and nothing odd is kept.

use std::sync::Arc;

use sesame_core::ErrorKind;
use sesame_vault::LoginOptions;

use crate::support::{FakeTransport, Home, app, as_name, log_in, reply};

over_both! {
    #[tokio::test]
    an_approval_of_thousands_of_shops_is_some_hundred_accounts_that_share_one_identity,
    odd_tokens_are_refused_when_they_arrive,
    odd_names_are_refused_at_a_login_and_cost_a_refresh_nothing,
    the_end_of_a_refresh_token_that_is_not_there_is_not_shown;
}

fn body(tokens: &str, more: &str) -> String {
    format!(r#"{{{tokens},"expires_in":259200,"refresh_expires_in":2592000,{more}"code":"0"}}"#)
}

const TOKENS: &str = r#""access_token":"50000planted0access1","refresh_token":"50001planted0refresh1""#;

async fn an_approval_of_thousands_of_shops_is_some_hundred_accounts_that_share_one_identity() {
    let country = |n: usize| {
        String::from_iter([n / 676, n / 26, n].map(|n| char::from(b'a' + u8::try_from(n % 26).unwrap())))
    };
    let shop = |n| format!(r#"{{"country":"{}","seller_id":"{}"}}"#, country(n), n + 1);
    let list: Vec<String> = (0..2_000).map(shop).collect();
    let reply = body(TOKENS, &format!(r#""account":"many","country_user_info":[{}],"#, list.join(",")));
    let home = Home::new(FakeTransport::json(reply.leak()));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    for _ in 0..2 {
        let accounts = log_in(&vault, "lazada", as_name("m")).await.unwrap();
        assert_eq!((accounts.len(), accounts[0].name.as_str()), (500, "m-aaa"));
        let warnings = format!("{:?}", vault.take_warnings());
        assert!(warnings.contains("lists 2000 shops") && warnings.contains("first 500"), "{warnings}");
    }
    let store = home.store().await;
    let id = store.account("m-aaa").await.unwrap().unwrap().authorization.id;
    let rows = store.accounts_using(id).await.unwrap();
    let identity = &rows[0].authorization.tokens.identity;
    assert!(rows.len() == 500 && identity.len() > 500 * 10);
    assert!(rows.iter().all(|row| Arc::ptr_eq(identity, &row.authorization.tokens.identity)));
}

async fn odd_tokens_are_refused_when_they_arrive() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let good = |_: &_| Ok(reply(200, body(TOKENS, r#""account":"x","#)));
    home.transport.answer(good);
    log_in(&vault, "lazada", as_name("x")).await.unwrap();
    let long = "a".repeat(5_000);
    for odd in ["50000planted\\u001b]0;x", "50000 planted", "50000planted\\n", "50000planted\\u0085", &long] {
        for tokens in [
            format!(r#""access_token":"{odd}","refresh_token":"50001planted0refresh2""#),
            format!(r#""access_token":"50000planted0access2","refresh_token":"{odd}""#),
        ] {
            let reply_body = body(&tokens, r#""account":"x","#);
            home.transport.answer(move |_| Ok(reply(200, reply_body.clone())));
            for error in [
                log_in(&vault, "lazada", as_name("x")).await.unwrap_err(),
                log_in(&vault, "lazada", LoginOptions::default()).await.unwrap_err(),
                vault.refresh("x").await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Envelope, "{error}");
                assert!(error.message().contains("_token has blanks or control characters"), "{error}");
                assert!(!format!("{error:?}").contains("planted"), "{error:?}");
            }
        }
    }
    assert_eq!(vault.accounts().await.unwrap()[0].generation, 1, "nothing was overwritten");
    home.transport.answer(good);
    vault.refresh("x").await.unwrap();
}

async fn odd_names_are_refused_at_a_login_and_cost_a_refresh_nothing() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    home.transport.answer(|_| Ok(reply(200, body(TOKENS, r#""account":"x","seller_id":"7","#))));
    log_in(&vault, "lazada", as_name("x")).await.unwrap();
    for (generation, (odd, field)) in (2..).zip([
        (r#""account":"x","seller_id":"7\u0007","#.to_owned(), "seller_id"),
        (
            r#""account":"x","country_user_info":[{"country":"sg","seller_id":"7 7"}],"#.to_owned(),
            "seller_id",
        ),
        (format!(r#""account":"{}","seller_id":"7","#, "x".repeat(100_000)), "account"),
        (format!(r#""account":"x","seller_id":"{}","#, "7".repeat(100_000)), "seller_id"),
    ]) {
        let reply_body = body(TOKENS, &odd);
        home.transport.answer(move |_| Ok(reply(200, reply_body.clone())));
        let error = log_in(&vault, "lazada", as_name("y")).await.unwrap_err();
        assert!(error.message().contains(&format!("{field} has control characters")), "{error}");
        assert!(error.message().len() < 300, "{error}");
        assert_eq!(vault.refresh("x").await.unwrap().generation, generation);
    }
    let account = vault.account("x").await.unwrap();
    assert_eq!((account.login.as_deref(), account.shop_id.as_deref()), (Some("x"), Some("7")));
    // A country is part of names: what is none is not said.
    home.transport
        .answer(|_| Ok(reply(200, body(TOKENS, r#""account":"z","country":"../../etc","seller_id":"8","#))));
    let accounts = log_in(&vault, "lazada", as_name("z")).await.unwrap();
    assert_eq!((accounts[0].name.as_str(), &accounts[0].country), ("z", &None));
}

async fn the_end_of_a_refresh_token_that_is_not_there_is_not_shown() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    home.transport.answer(|_| {
        Ok(reply(200, body(r#""access_token":"50000planted0access1""#, r#""account":"x","seller_id":"7","#)))
    });
    let accounts = log_in(&vault, "lazada", as_name("x")).await.unwrap();
    assert_eq!((accounts[0].has_refresh_token, accounts[0].refresh_expires_at), (false, None));
    assert_eq!(accounts[0].needs_person_by, accounts[0].access_expires_at);
}
