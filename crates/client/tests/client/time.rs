//! Bans, clocks and timeouts of calls, on virtual time.

use std::{sync::Arc, time::Duration};

use crate::calls::unreached;
use crate::stage::{REFRESH, SECRET, TOKEN, ok, param, refusal, stage};
use serde_json::json;
use sesame_client::{Call, Key, MemoryQuota, Names, QuotaStore, Scope};
use sesame_core::{Clock as _, ErrorKind, Retry, request::header};

const FINE: &str = r#"{"code":"0","data":{"total_products":0,"products":[]},"request_id":"r0"}"#;

/// An API that no catalog knows: a write.
const WRITE: &str = "/warehouse/thing/destroy";
const READ: &str = "/products/get";

#[tokio::test]
async fn a_ban_is_waited_for_by_everybody() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.says(&refusal(
        "ApiCallLimit",
        "The frequency of app access to the api exceeds the limit. This ban will last 5 seconds",
    ));
    stage.gateway.always(|_| Ok(ok(FINE)));
    let outcome = stage.client.call(&Call::new("lazada", READ)).await.unwrap();
    assert_eq!(outcome.attempts, 2);
    let slept = stage.clock.slept();
    assert!(slept >= Duration::from_secs(6) && slept < Duration::from_secs(8), "{slept:?}");

    // Another ban: a second call comes while it lasts, and waits without having been refused.
    stage.gateway.says(&refusal("ApiCallLimit", "This ban will last 5 seconds"));
    let once = Call::new("lazada", READ).attempts(1);
    let error = stage.client.call(&once).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(6)));
    let before = stage.clock.slept();
    assert_eq!(stage.client.call(&Call::new("lazada", READ)).await.unwrap().attempts, 1);
    assert!(stage.clock.slept() >= before + Duration::from_secs(6));
    // Other APIs are not concerned.
    let before = stage.clock.slept();
    stage
        .client
        .call(&Call::new("lazada", "/orders/get").arg("created_after", "2026-01-01T00:00:00+08:00"))
        .await
        .unwrap();
    assert_eq!(stage.clock.slept(), before);
}

#[tokio::test]
async fn a_wait_beyond_the_time_of_the_call_is_an_error_and_no_sleep() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.always(|_| Ok(ok(&refusal("AppCallLimit", "app call limit"))));
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Quota);
    // Until midnight in Beijing, which is 16 hours away.
    assert_eq!(error.retry_after(), Some(Duration::from_hours(16)));
    assert_eq!((stage.clock.slept(), stage.gateway.seen().len()), (Duration::ZERO, 1));
    // The next call is not even sent; it concerns the whole app.
    let error = stage.client.call(&Call::new("lazada", "/category/tree/get")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Quota);
    assert!(error.retry_after().is_some());
    assert_eq!((stage.clock.slept(), stage.gateway.seen().len()), (Duration::ZERO, 1));
}

#[tokio::test]
async fn a_clock_that_is_three_hours_off_is_corrected_once_from_the_date() {
    let stage = stage(&["lazada"]).await;
    let illegal = || {
        let refused = ok(&refusal("IllegalTimestamp", "The timestamp is invalid"));
        refused.with_header(header::DATE, "Mon, 01 Jun 2026 03:00:00 GMT")
    };
    stage.gateway.then(move |_| Ok(illegal())).says(FINE).says(FINE);
    let outcome = stage.client.call(&Call::new("lazada", WRITE)).await.unwrap();
    assert_eq!(outcome.attempts, 2);
    assert!(
        outcome.warnings.iter().any(|warning| warning.contains("3 h 0 min behind")),
        "{:?}",
        outcome.warnings
    );
    stage.client.call(&Call::new("lazada", READ)).await.unwrap();
    let times: Vec<_> =
        stage.gateway.seen().iter().map(|request| param(request, "timestamp").unwrap()).collect();
    assert_eq!(times, ["1780272000000", "1780282800000", "1780282800000"]);

    // Corrected and still refused: that is not the clock.
    stage.gateway.then(move |_| Ok(illegal()));
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Clock, Retry::Never));
}

#[tokio::test]
async fn a_clock_that_is_years_off_is_for_people() {
    let stage = stage(&["lazada"]).await;
    stage.gateway.then(|_| {
        Ok(ok(&refusal("IllegalTimestamp", "")).with_header(header::DATE, "Sat, 01 Jun 2030 03:00:00 GMT"))
    });
    let error = stage.client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Clock);
    assert!(error.hint().unwrap().contains("off by"), "{error:?}");
}

#[tokio::test]
async fn a_call_without_time_is_not_sent() {
    let stage = stage(&["lazada"]).await;
    let error = stage.client.call(&Call::new("lazada", READ).timeout(Duration::ZERO)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Timeout, false));
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert!(stage.gateway.seen().is_empty());
}

#[tokio::test]
async fn a_call_waits_for_a_new_token_no_longer_than_it_may_take() {
    let stage = stage(&["lazada"]).await;
    // The access token has ended, the refresh token has not.
    stage.clock.advance(Duration::from_hours(24 * 400));
    stage.gateway.hangs();
    let call = Call::new("lazada", READ).timeout(Duration::from_millis(300));
    let error = tokio::time::timeout(Duration::from_secs(5), stage.client.call(&call)).await;
    let error = error.expect("must end by itself").unwrap_err();
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Timeout, false), "{error:?}");
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert!(stage.gateway.calls().is_empty());
}

#[tokio::test]
async fn a_wait_that_is_too_long_for_a_repeat_is_said_beside_the_failure() {
    let stage = stage(&["lazada"]).await;
    let quota = Arc::new(MemoryQuota::new());
    let client = stage.client.clone().with_quota(Arc::clone(&quota) as Arc<dyn QuotaStore>);
    // The first attempt fails for the network; meanwhile another call of the app is banned.
    let now = stage.clock.now();
    stage.gateway.then(move |_| {
        let names = &Names { platform: "lazada", app: "123456", account: "lazada", api: "/other" };
        let banned = quota.refused(Key { scope: Scope::App, names }, now, Some(Duration::from_hours(10)));
        drop(banned);
        Err(unreached())
    });
    let error = client.call(&Call::new("lazada", READ)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.hint().unwrap_or_default().contains("time of the call"), "{error:?}");
}

#[test]
fn a_call_shows_no_secret_to_debug() {
    let call = Call::new("lazada", READ)
        .arg("access_token", TOKEN)
        .arg("payload", json!({"refresh_token": REFRESH, "limit": 7}))
        .arg("text", format!(r#"{{"app_secret":"{SECRET}"}}"#));
    let text = format!("{call:?}");
    for secret in [TOKEN, REFRESH, SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("payload") && text.contains("limit") && text.contains('7'), "{text}");
}
