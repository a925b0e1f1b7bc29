//! Tokens: windows, one refresh at a time, nothing lost.

use std::{sync::Arc, time::Duration};

use crate::support::{FakeTransport, Home, IopService, Policy, START, app, as_name, log_in, reply};
use jiff::Timestamp;
use sesame_core::{
    AccessToken, AppSecret, Clock as _, Error, ErrorKind, HttpResponse, RefreshToken, Result, Retry,
    request::header,
};
use sesame_vault::{Account, AccountState, ImportedTokens, LoginOptions, NewApp, Vault};

over_both! {
    #[tokio::test(flavor = "multi_thread")]
    fresh_tokens_ask_nobody,
    in_the_advisory_window_one_refreshes_and_the_others_go_on,
    in_the_mandatory_window_all_wait_for_one_refresh,
    two_vaults_on_one_file_refresh_once,
    a_process_that_died_holding_the_lease_delays_others_but_not_for_ever,
    a_caller_who_gives_up_does_not_cut_off_the_refresh,
    a_refused_generation_is_refreshed_once_however_many_say_so,
    a_dead_refresh_token_asks_for_a_person_and_never_calls_again,
    trouble_that_passes_is_not_taken_for_the_end,
    an_old_token_with_some_life_left_is_better_than_an_error,
    a_forced_refresh_waits_for_no_cool_down,
    another_shops_tokens_overwrite_nothing,
    the_end_of_an_iop_refresh_token_does_not_move,
    param2_keeps_the_refresh_token_that_a_refresh_does_not_return,
    a_refresh_token_without_a_life_is_not_tried,
    a_token_with_a_life_of_nought_is_used_until_it_is_refused,
    a_clock_three_hours_off_is_corrected_once,
    imported_tokens_learn_whose_they_are,
    a_gateway_that_refuses_every_token_it_issues_is_not_asked_for_ever,
    a_logout_during_a_refresh_stays_one,
    a_refused_access_token_says_nothing_of_the_refresh_token,
    param2_says_401_of_a_dead_refresh_token,
    a_refresh_that_names_nobody_is_taken_whatever_its_lives,
    no_secret_of_an_exchange_is_kept_in_an_error,
    a_token_call_takes_as_long_as_it_was_given,
    a_name_that_another_program_gave_to_another_shop_is_that_shop_within_a_minute,
    a_shop_that_another_program_replaced_is_the_new_one_within_a_minute,
    tokens_that_another_program_fetched_are_used_before_the_former_is_refused;
    #[tokio::test]
    an_app_with_tokens_is_added_whole_or_not_at_all;
}

const DAY: u64 = 86_400;
/// Lazada's documented life of an access token, and its advisory window.
const LIFE: u64 = 30 * DAY;
const ADVISORY: u64 = 36 * 3_600;

type Trouble = dyn Fn() -> Result<HttpResponse> + Send + Sync;

struct Shop {
    home: Home,
    service: IopService,
    vault: Vault,
}

/// A shop of Lazada, authorized a moment ago.
async fn shop(policy: Policy) -> Shop {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(policy, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let accounts = log_in(&vault, "lazada", as_name("shop")).await.unwrap();
    assert_eq!(accounts[0].name, "shop");
    Shop { home, service, vault }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millisecond(START + i64::try_from(seconds * 1_000).unwrap()).unwrap()
}

async fn settled(vault: &Vault, name: &str) -> Account {
    vault.settle().await;
    vault.account(name).await.unwrap()
}

async fn fresh_tokens_ask_nobody() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE - ADVISORY - 1);
    assert!(handle.fresh_token().is_some());
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
    assert_eq!(shop.home.transport.count(), 1, "the login's own call and no other");
}

async fn in_the_advisory_window_one_refreshes_and_the_others_go_on() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    let old = shop.service.access();
    shop.home.clock.advance_secs(LIFE - ADVISORY);
    shop.home.transport.close_gate();
    assert!(handle.fresh_token().is_none());
    for _ in 0..20 {
        let token = shop.vault.token_of(&handle).await.unwrap();
        assert_eq!(token.access.expose(), old, "the old one is still valid and nobody waits");
    }
    shop.home.transport.arrivals(2).await;
    shop.home.transport.open_gate();
    let account = settled(&shop.vault, "shop").await;
    assert_eq!(shop.service.refreshes(), 1);
    assert_eq!(account.generation, 2);
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
}

async fn in_the_mandatory_window_all_wait_for_one_refresh() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE + 5);
    shop.home.transport.close_gate();
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let (vault, handle) = (shop.vault.clone(), handle.clone());
            tokio::spawn(async move { vault.token_of(&handle).await.unwrap() })
        })
        .collect();
    shop.home.transport.arrivals(2).await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    shop.home.transport.open_gate();
    for task in waiting {
        let token = task.await.unwrap();
        assert_eq!((token.access.expose(), token.generation), (shop.service.access().as_str(), 2));
    }
    assert_eq!(shop.service.refreshes(), 1);
}

async fn two_vaults_on_one_file_refresh_once() {
    for policy in [Policy::Dies, Policy::Lives] {
        let shop = shop(policy).await;
        shop.home.clock.advance_secs(LIFE + 5);
        // As another process would: its own opening of the same file.
        let other = shop.home.open().await;
        let clock = shop.home.clock.clone().manual();
        shop.home.transport.close_gate();
        let mut waiting = Vec::new();
        for number in 0..64 {
            let vault = if number % 2 == 0 { shop.vault.clone() } else { other.clone() };
            waiting.push(tokio::spawn(async move {
                let handle = vault.handle("shop").await.unwrap();
                vault.token_of(&handle).await.unwrap()
            }));
        }
        shop.home.transport.arrivals(2).await;
        shop.home.transport.open_gate();
        // The other vault polls in this clock's time.
        let ticking = tokio::spawn(async move {
            for _ in 0..2_000 {
                clock.advance(Duration::from_millis(20));
                tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>())
                    .await
                    .unwrap_err();
            }
        });
        for task in waiting {
            let token = task.await.unwrap();
            assert_eq!(token.access.expose(), shop.service.access(), "{policy:?}");
        }
        ticking.abort();
        assert_eq!(shop.service.refreshes(), 1, "{policy:?}");
        assert_eq!(settled(&other, "shop").await.generation, 2);
    }
}

async fn a_process_that_died_holding_the_lease_delays_others_but_not_for_ever() {
    let shop = shop(Policy::Lives).await;
    shop.home.clock.advance_secs(LIFE + 5);
    shop.home.transport.close_gate();
    let handle = shop.vault.handle("shop").await.unwrap();
    let dying = tokio::spawn({
        let (vault, handle) = (shop.vault.clone(), handle.clone());
        async move { vault.token_of(&handle).await }
    });
    shop.home.transport.arrivals(2).await;
    // Its answer never comes. The other waits for the lease to end, then asks once more.
    let transport = shop.service.transport();
    let other =
        Vault::open(sesame_vault::VaultOptions { transport: Arc::new(transport), ..shop.home.options() })
            .await
            .unwrap();
    let before = shop.home.clock.clone();
    let token = other.token_of(&other.handle("shop").await.unwrap()).await.unwrap();
    assert_eq!(token.access.expose(), shop.service.access());
    assert!(before.now().as_millisecond() - START >= i64::try_from((LIFE + 5 + 75) * 1_000).unwrap());
    assert_eq!(token.generation, 2);
    // The first answer arrives after all: compare-and-set keeps what stands.
    shop.home.transport.open_gate();
    let late = dying.await.unwrap().unwrap();
    assert_eq!((late.generation, late.access.expose()), (2, token.access.expose()));
    assert_eq!(settled(&shop.vault, "shop").await.generation, 2);
}

async fn a_caller_who_gives_up_does_not_cut_off_the_refresh() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE + 5);
    shop.home.transport.close_gate();
    let caller = tokio::spawn({
        let (vault, handle) = (shop.vault.clone(), handle.clone());
        async move { vault.token_of(&handle).await }
    });
    shop.home.transport.arrivals(2).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    shop.home.transport.open_gate();
    assert_eq!(settled(&shop.vault, "shop").await.generation, 2);
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
    assert_eq!(shop.service.refreshes(), 1);
}

async fn a_refused_generation_is_refreshed_once_however_many_say_so() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    let generation = shop.vault.token_of(&handle).await.unwrap().generation;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (vault, handle) = (shop.vault.clone(), handle.clone());
            tokio::spawn(async move { vault.report_rejected(&handle, generation).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().generation, generation + 1);
    }
    // One who comes late with the old news gets the new token as well.
    assert_eq!(shop.vault.report_rejected(&handle, generation).await.unwrap().generation, generation + 1);
    assert_eq!(shop.service.refreshes(), 1);
}

async fn a_dead_refresh_token_asks_for_a_person_and_never_calls_again() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.transport.answer(|seen| {
        let given = &seen.form["refresh_token"];
        Ok(reply(200, format!(r#"{{"type":"ISV","code":"IllegalRefreshToken","message":"The specified refresh token {given} is invalid or expired","request_id":"r1"}}"#)))
    });
    shop.home.clock.advance_secs(LIFE + 5);
    let calls = shop.home.transport.count();
    for _ in 0..5 {
        let error = shop.vault.token_of(&handle).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authorization, "{error:?}");
        assert!(error.hint().unwrap().contains("sesame login lazada --as shop"));
        assert!(!format!("{error:?}").contains("planted0refresh0"), "{error:?}");
    }
    assert_eq!(shop.home.transport.count(), calls + 1);
    let account = settled(&shop.vault, "shop").await;
    assert!(
        matches!(&account.state, AccountState::NeedsAuthorization { reason } if reason.contains("no longer takes")),
        "{account:?}"
    );
    // Another process reads it off the row, without a call.
    let other = shop.home.open().await;
    assert!(other.token_of(&other.handle("shop").await.unwrap()).await.is_err());
    assert_eq!(shop.home.transport.count(), calls + 1);
    // A new approval ends it.
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| service.answer(seen)
    });
    log_in(&shop.vault, "lazada", as_name("shop")).await.unwrap();
    assert_eq!(settled(&shop.vault, "shop").await.state, AccountState::Healthy);
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
}

async fn trouble_that_passes_is_not_taken_for_the_end() {
    let troubles: Vec<(&str, Box<Trouble>)> = vec![
        ("502 page", Box::new(|| Ok(reply(502, "<html>Bad Gateway</html>")))),
        ("200 page", Box::new(|| Ok(reply(200, "<html>punish</html>")))),
        ("empty", Box::new(|| Ok(reply(200, "")))),
        ("cut", Box::new(|| Ok(reply(200, r#"{"access_token":"5000"#)))),
        ("no token", Box::new(|| Ok(reply(200, r#"{"code":"0","request_id":"r"}"#)))),
        ("timeout", Box::new(|| Err(Error::new(ErrorKind::Timeout, "no answer").with_ambiguity(true)))),
        ("connection", Box::new(|| Err(Error::new(ErrorKind::Network, "refused")))),
        (
            "limit",
            Box::new(|| {
                Ok(reply(
                    200,
                    r#"{"type":"ISV","code":"ApiCallLimit","message":"This ban will last 3 seconds","request_id":"r"}"#,
                ))
            }),
        ),
        (
            "wrong secret",
            Box::new(|| {
                Ok(reply(
                    200,
                    r#"{"type":"ISV","code":"IncompleteSignature","message":"x","request_id":"r"}"#,
                ))
            }),
        ),
    ];
    for (name, trouble) in troubles {
        let shop = shop(Policy::Dies).await;
        let handle = shop.vault.handle("shop").await.unwrap();
        shop.home.clock.advance_secs(LIFE + 5);
        let calls = shop.home.transport.count();
        shop.home.transport.answer(move |_| trouble());
        let error = shop.vault.token_of(&handle).await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::Authorization, "{name}: {error:?}");
        let account = settled(&shop.vault, "shop").await;
        assert_eq!(account.state, AccountState::NeedsRefresh, "{name}");
        assert_eq!((account.attempts, account.generation), (1, 1), "{name}");
        assert!(account.last_error.is_some(), "{name}");
        // In the cool-down nobody calls; another process honors it too.
        let error = shop.vault.token_of(&handle).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_)), "{name}: {error:?}");
        let other = shop.home.open().await;
        assert!(other.token_of(&other.handle("shop").await.unwrap()).await.is_err());
        assert_eq!(shop.home.transport.count(), calls + 1, "{name}");
        // Afterwards it works again.
        shop.home.clock.advance_secs(130);
        shop.home.transport.answer({
            let service = shop.service.clone();
            move |seen| service.answer(seen)
        });
        assert!(shop.vault.token_of(&handle).await.is_ok(), "{name}");
        let account = settled(&shop.vault, "shop").await;
        assert_eq!((account.attempts, account.last_error), (0, None), "{name}");
    }
}

async fn an_old_token_with_some_life_left_is_better_than_an_error() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE - 30);
    shop.home.transport.answer(|_| Ok(reply(502, "<html>")));
    assert_eq!(shop.vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
    shop.home.clock.advance_secs(31);
    assert!(shop.vault.token_of(&handle).await.is_err());
}

async fn a_forced_refresh_waits_for_no_cool_down() {
    let shop = shop(Policy::Dies).await;
    shop.home.transport.answer(|_| Ok(reply(502, "<html>")));
    assert!(shop.vault.refresh("shop").await.is_err());
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| service.answer(seen)
    });
    let account = shop.vault.refresh("shop").await.unwrap();
    assert_eq!((account.generation, account.state), (2, AccountState::Healthy));
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

async fn the_end_of_an_iop_refresh_token_does_not_move() {
    let shop = shop(Policy::Dies).await;
    let first = shop.vault.account("shop").await.unwrap().refresh_expires_at;
    assert_eq!(first, Some(at(180 * DAY)));
    shop.home.clock.advance_secs(10 * DAY);
    // One that claims a full life again is not believed: the warnings would come too late.
    shop.home.transport.answer(|_| {
        Ok(reply(200, r#"{"access_token":"a0000000000000000001","refresh_token":"r0000000000000000001","expires_in":2592000,"refresh_expires_in":15552000,"code":"0"}"#))
    });
    let account = shop.vault.refresh("shop").await.unwrap();
    assert_eq!(account.refresh_expires_at, first);
    assert_eq!(account.access_expires_at, Some(at(40 * DAY)));
    // One that says nothing moves nothing either.
    shop.home.transport.answer(|_| {
        Ok(reply(200, r#"{"access_token":"a0000000000000000002","refresh_token":"r0000000000000000002","expires_in":2592000,"code":"0"}"#))
    });
    assert_eq!(shop.vault.refresh("shop").await.unwrap().refresh_expires_at, first);
}

async fn param2_keeps_the_refresh_token_that_a_refresh_does_not_return() {
    let home = Home::new(FakeTransport::new(|seen| {
        assert!(!seen.form.contains_key("_aop_signature"));
        Ok(if seen.form["grant_type"] == "authorization_code" {
            reply(
                200,
                r#"{"aliId":"8888888888","resource_owner":"cn100","memberId":"b2b-1","expires_in":"36000","refresh_token":"479f9564-1049-456e-ab62-29d3e82277d9","access_token":"f14da3b8-b0b1-4f73-a5de-9bed637e0188","refresh_token_timeout":"20270522000000000-0800"}"#,
            )
        } else {
            assert_eq!(seen.form["refresh_token"], "479f9564-1049-456e-ab62-29d3e82277d9");
            reply(
                200,
                r#"{"aliId":"8888888888","resource_owner":"cn100","expires_in":"36000","access_token":"db90da74-0000-4f73-a5de-9bed637e0188"}"#,
            )
        })
    }));
    let vault = home.open().await;
    app(&vault, "aliexpress-legacy").await;
    let account = log_in(&vault, "aliexpress-legacy", as_name("ae")).await.unwrap().remove(0);
    assert_eq!(account.shop_id.as_deref(), Some("8888888888"));
    let end = account.refresh_expires_at;
    assert_eq!(end.unwrap().to_string(), "2027-05-22T08:00:00Z");
    let handle = vault.handle("ae").await.unwrap();
    // 10 minutes before the ten hours are over.
    home.clock.advance_secs(36_000 - 601);
    assert!(handle.fresh_token().is_some());
    home.clock.advance_secs(1);
    assert!(handle.fresh_token().is_none());
    for round in 2..5 {
        let account = vault.refresh("ae").await.unwrap();
        assert_eq!((account.generation, account.refresh_expires_at), (round, end));
        assert_eq!(
            vault.token_of(&handle).await.unwrap().access.expose(),
            "db90da74-0000-4f73-a5de-9bed637e0188"
        );
    }
}

async fn a_refresh_token_without_a_life_is_not_tried() {
    for body in [
        r#"{"access_token":"a0000000000000000001","refresh_token":"r0000000000000000001","expires_in":86400,"re_expires_in":0,"taobao_user_id":"7","taobao_user_nick":"%E5%95%86%E5%BA%97"}"#,
        r#"{"access_token":"a0000000000000000001","expires_in":86400,"taobao_user_id":"7","taobao_user_nick":"%E5%95%86%E5%BA%97"}"#,
    ] {
        let home = Home::new(FakeTransport::json(body));
        let vault = home.open().await;
        app(&vault, "taobao").await;
        let account = log_in(&vault, "taobao", LoginOptions::default()).await.unwrap().remove(0);
        assert_eq!((account.name.as_str(), account.refresh_expires_at), ("商店", None));
        let handle = vault.handle("商店").await.unwrap();
        home.clock.advance_secs(86_400 - 10);
        assert!(vault.token_of(&handle).await.is_ok(), "valid to the last second");
        home.clock.advance_secs(11);
        let error = vault.token_of(&handle).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authorization);
        assert_eq!(home.transport.count(), 1);
        let account = settled(&vault, "商店").await;
        assert!(account.state.reason().is_some(), "{account:?}");
    }
}

async fn a_token_with_a_life_of_nought_is_used_until_it_is_refused() {
    let home = Home::new(FakeTransport::json(
        r#"{"access_token":"a0000000000000000001","refresh_token":"r0000000000000000001","expires_in":0,"refresh_expires_in":86400,"user_id":"7","code":"0"}"#,
    ));
    let vault = home.open().await;
    app(&vault, "aliexpress").await;
    log_in(&vault, "aliexpress", as_name("x")).await.unwrap();
    let handle = vault.handle("x").await.unwrap();
    home.clock.advance_secs(3_600);
    for _ in 0..10 {
        vault.token_of(&handle).await.unwrap();
    }
    assert_eq!(home.transport.count(), 1, "no refresh in a loop");
    assert_eq!(vault.report_rejected(&handle, 1).await.unwrap().generation, 2);
    assert_eq!(home.transport.count(), 2);
}

async fn a_clock_three_hours_off_is_corrected_once() {
    let shop = shop(Policy::Dies).await;
    let service = shop.service.clone();
    shop.home.transport.answer(move |seen| {
        let sent: i64 = seen.form["timestamp"].parse().unwrap();
        let theirs = START + 3 * 3_600_000;
        if (sent - theirs).abs() > 7_200_000 {
            let mut refusal = reply(200, r#"{"type":"ISV","code":"IllegalTimestamp","message":"The timestamp is invalid","request_id":"r"}"#);
            refusal = refusal.with_header(header::DATE, "Sun, 22 Nov 2026 03:00:00 GMT");
            return Ok(refusal);
        }
        service.answer(seen)
    });
    assert_eq!(shop.vault.refresh("shop").await.unwrap().generation, 2);
    assert_eq!(shop.home.transport.count(), 3);
}

async fn imported_tokens_learn_whose_they_are() {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let first = log_in(&vault, "lazada", as_name("first")).await.unwrap();
    let tokens = ImportedTokens {
        access: Some(AccessToken::new("an-access-token-of-another-program")),
        refresh: Some(RefreshToken::new(support_refresh(1))),
        account_name: Some("imported".to_owned()),
        ..ImportedTokens::default()
    };
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
    let tokens = ImportedTokens {
        refresh: Some(RefreshToken::new(support_refresh(1))),
        account_name: Some("bare".to_owned()),
        ..ImportedTokens::default()
    };
    vault.remove_account("imported").await.unwrap();
    assert_eq!(vault.import_tokens("lazada", tokens).await.unwrap().0.state, AccountState::NeedsRefresh);
    assert!(vault.token_of(&vault.handle("bare").await.unwrap()).await.is_ok());
}

fn support_refresh(number: u64) -> String {
    format!("50001planted0refresh0{number:04}0token")
}

async fn a_gateway_that_refuses_every_token_it_issues_is_not_asked_for_ever() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    let mut generation = 1;
    for _ in 0..3 {
        generation = shop.vault.report_rejected(&handle, generation).await.unwrap().generation;
    }
    for _ in 0..20 {
        let error = shop.vault.report_rejected(&handle, generation).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Token, "{error:?}");
        assert!(matches!(error.retry(), Retry::After(_)));
    }
    // A call that comes anew is no way around it.
    for _ in 0..5 {
        let error = shop.vault.token_of(&handle).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Token, "{error:?}");
    }
    assert_eq!(shop.service.refreshes(), 3);
    shop.home.clock.advance_secs(61);
    assert_eq!(shop.vault.report_rejected(&handle, generation).await.unwrap().generation, generation + 1);
}

async fn a_logout_during_a_refresh_stays_one() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE + 5);
    shop.home.transport.close_gate();
    let vault = shop.vault.clone();
    let asking = tokio::spawn(async move { vault.token_of(&handle).await });
    shop.home.transport.arrivals(2).await;
    shop.vault.remove_account("shop").await.unwrap();
    shop.home.transport.open_gate();
    let answer = asking.await.unwrap();
    assert!(answer.is_err(), "{answer:?}");
    shop.vault.settle().await;
    assert_eq!(shop.vault.accounts().await.unwrap(), []);
    let report = shop.vault.check().await.unwrap();
    assert!(report.is_clean() && report.waiting == 0, "{report:?}");
}

async fn a_refused_access_token_says_nothing_of_the_refresh_token() {
    let shop = shop(Policy::Dies).await;
    shop.home.transport.answer(|_| {
        Ok(reply(200, r#"{"type":"ISV","code":"IllegalAccessToken","message":"The specified access token is invalid or expired","request_id":"r1"}"#))
    });
    let error = shop.vault.refresh("shop").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Token, Retry::Backoff), "{error:?}");
    assert!(error.hint().unwrap().contains("sesame refresh shop"), "{error:?}");
    let account = settled(&shop.vault, "shop").await;
    assert_eq!(account.state, AccountState::Healthy, "{account:?}");
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| service.answer(seen)
    });
    assert_eq!(shop.vault.refresh("shop").await.unwrap().generation, 2);
}

async fn param2_says_401_of_a_dead_refresh_token() {
    let home = Home::new(FakeTransport::json(
        r#"{"aliId":"8888888888","resource_owner":"cn100","expires_in":"36000","refresh_token":"479f9564-1049-456e-ab62-29d3e82277d9","access_token":"f14da3b8-b0b1-4f73-a5de-9bed637e0188","refresh_token_timeout":"20270522000000000-0800"}"#,
    ));
    let vault = home.open().await;
    app(&vault, "aliexpress-legacy").await;
    log_in(&vault, "aliexpress-legacy", as_name("ae")).await.unwrap();
    home.transport.answer(|_| {
        Ok(reply(
            401,
            r#"{"error_code":"401","error_message":"Request need user authorized","exception":"x"}"#,
        ))
    });
    let error = vault.refresh("ae").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization, "{error:?}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("sesame login aliexpress-legacy --as ae") && hint.contains("sesame refresh ae"));
    assert!(settled(&vault, "ae").await.state.reason().is_some());
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

async fn no_secret_of_an_exchange_is_kept_in_an_error() {
    let shop = shop(Policy::Dies).await;
    shop.home.transport.answer(|seen| {
        let words = format!(
            "sent {} signed {} for {}",
            seen.form["refresh_token"],
            seen.form["sign"],
            crate::support::SECRET
        );
        Ok(reply(
            200,
            format!(
                r#"{{"type":"ISP","code":"Odd","message":"{words}","request_id":"{}"}}"#,
                seen.form["sign"]
            ),
        ))
    });
    let sign = || shop.home.transport.seen().last().unwrap().form["sign"].clone();
    let error = shop.vault.refresh("shop").await.unwrap_err();
    let account = settled(&shop.vault, "shop").await;
    let kept = format!("{error:?} {}", account.last_error.unwrap());
    for secret in [sign().as_str(), "planted0refresh0", crate::support::SECRET] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
}

async fn a_token_call_takes_as_long_as_it_was_given() {
    let shop = shop(Policy::Dies).await;
    for (chosen, used) in [(None, 20), (Some(7), 7), (Some(1), 5), (Some(600), 60)] {
        if let Some(seconds) = chosen {
            shop.vault.set_exchange_timeout(Duration::from_secs(seconds));
        }
        shop.vault.refresh("shop").await.unwrap();
        let seen = shop.home.transport.seen();
        assert_eq!(seen.last().unwrap().timeout, Duration::from_secs(used), "{chosen:?}");
        assert_eq!(shop.vault.longest_exchange(), Duration::from_secs(2 * used + 30));
    }
}

async fn an_app_with_tokens_is_added_whole_or_not_at_all() {
    let home = Home::new(FakeTransport::json("{}"));
    let vault = home.open().await;
    let new = |name: &str| NewApp {
        platform: "lazada".to_owned(),
        name: Some(name.to_owned()),
        key: "500300".to_owned(),
        secret: AppSecret::new(crate::support::SECRET),
        redirect_uri: None,
        region: None,
        secret_origin: None,
    };
    let tokens = ImportedTokens {
        access: Some(AccessToken::new("an-access-token-of-another-program")),
        account_name: Some("shop".to_owned()),
        ..ImportedTokens::default()
    };
    let (app, account, _) = vault.add_app_with_tokens(new("one"), tokens.clone()).await.unwrap();
    assert_eq!((app.name.as_str(), account.name.as_str(), account.app.as_str()), ("one", "shop", "one"));
    for (app, tokens) in [
        ("two", tokens.clone()),
        ("one", ImportedTokens { account_name: None, ..tokens }),
        ("two", ImportedTokens::default()),
    ] {
        let error = vault.add_app_with_tokens(new(app), tokens).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
    }
    assert_eq!(vault.apps().await.unwrap().len(), 1);
    assert_eq!(vault.accounts().await.unwrap().len(), 1);
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
    let options = LoginOptions { replace_shop: true, ..as_name("shop") };
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
