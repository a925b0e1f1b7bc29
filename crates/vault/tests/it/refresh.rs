//! Tokens: windows, one refresh at a time, nothing lost.

mod identity;
mod lives;

use crate::support::{FakeTransport, Home, IopService, Policy, START, app, as_name, log_in, reply};
use jiff::Timestamp;
use sesame_core::{AccessToken, AppSecret, Clock as _, Error, ErrorKind, HttpResponse, Result, Retry};
use sesame_vault::{Account, AccountState, ImportedTokens, NewApp, Vault};
use std::{sync::Arc, time::Duration};

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
    a_gateway_that_refuses_every_token_it_issues_is_not_asked_for_ever,
    a_logout_during_a_refresh_stays_one,
    a_refused_access_token_says_nothing_of_the_refresh_token,
    param2_says_401_of_a_dead_refresh_token,
    no_secret_of_an_exchange_is_kept_in_an_error,
    a_token_call_takes_as_long_as_it_was_given;
    #[tokio::test]
    an_app_with_tokens_is_added_whole_or_not_at_all;
}

const DAY: u64 = 86_400;

/// Lazada's documented life of an access token, and its advisory window.
pub(crate) const LIFE: u64 = 30 * DAY;

const ADVISORY: u64 = 36 * 3_600;

type Trouble = dyn Fn() -> Result<HttpResponse> + Send + Sync;

pub(crate) struct Shop {
    pub(crate) home: Home,
    pub(crate) service: IopService,
    pub(crate) vault: Vault,
}

/// A shop of Lazada, authorized a moment ago.
pub(crate) async fn shop(policy: Policy) -> Shop {
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

pub(crate) async fn settled(vault: &Vault, name: &str) -> Account {
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
    let other = Vault::open(shop.home.options().transport(Arc::new(transport))).await.unwrap();
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
    let new = |name: &str| NewApp::new("lazada", "500300", AppSecret::new(crate::support::SECRET)).name(name);
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("an-access-token-of-another-program"))
        .account_name("shop");
    let (apps, account, _) = vault.add_app_with_tokens(new("one"), tokens.clone()).await.unwrap();
    assert_eq!(
        (apps[0].0.name.as_str(), account.name.as_str(), account.app.as_str()),
        ("one", "shop", "one")
    );
    for (app, tokens) in [("two", tokens.clone()), ("one", tokens), ("two", ImportedTokens::default())] {
        let error = vault.add_app_with_tokens(new(app), tokens).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
    }
    assert_eq!(vault.apps().await.unwrap().len(), 1);
    assert_eq!(vault.accounts().await.unwrap().len(), 1);
}
