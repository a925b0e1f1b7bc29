//! How long tokens live: what platforms say, leave out and say wrong.

use super::{DAY, at, settled, shop};
use crate::support::{FakeTransport, Home, Policy, START, app, as_name, log_in, reply};
use sesame_core::{ErrorKind, request::header};
use sesame_vault::LoginOptions;

over_both! {
    #[tokio::test(flavor = "multi_thread")]
    the_end_of_an_iop_refresh_token_does_not_move,
    param2_keeps_the_refresh_token_that_a_refresh_does_not_return,
    a_refresh_token_without_a_life_is_not_tried,
    a_token_with_a_life_of_nought_is_used_until_it_is_refused,
    a_clock_three_hours_off_is_corrected_once;
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
