//! Apps: one rate for an app key, a new secret, an app that hangs.

use crate::support::{
    FakeTransport, app,
    param2::{DAY, HOUR, Param2Service, home, keep_until, shop, shops},
    reply,
};
use sesame_core::{AppSecret, BoxFuture, Error, ErrorKind, HttpRequest, HttpResponse, Result, Transport};
use sesame_vault::{Keeper, KeeperOptions, NewApp, Vault, store::SqlStore};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::{Notify, oneshot};

fn legacy_app(name: &str, key: &str, secret: &str) -> NewApp {
    NewApp::new("aliexpress-legacy", key, AppSecret::new(secret)).name(name)
}

#[tokio::test]
async fn two_names_of_one_app_key_share_its_rate() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let vault =
        Vault::open_with(home.options(), Arc::new(SqlStore::in_memory().await.unwrap())).await.unwrap();
    for (name, number) in [("one", 0), ("two", 50)] {
        vault.add_app(legacy_app(name, "777", "planted0app0secret")).await.unwrap();
        for number in number..number + 10 {
            vault.import_tokens(name, shop(number, HOUR, 180 * DAY)).await.unwrap();
        }
    }
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault, KeeperOptions::default().per_app(4));
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 4);
}

/// While five calls take two seconds, the slots of all that wait for the rate have come and gone.
#[tokio::test]
async fn a_round_leaves_nothing_undone_where_the_platform_is_slow() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, _) = shops(&home, 12, HOUR, 180 * DAY).await;
    let (answering, clock) = (service.transport(), home.clock.clone());
    home.transport.answer(move |seen| {
        clock.advance_secs(2);
        answering.ask(seen)
    });
    home.clock.advance_secs(2 * HOUR);
    let round = Keeper::new(vault, KeeperOptions::default()).drain().await.unwrap();
    assert_eq!((round.done.refreshed, round.done.deferred), (12, 0));
}

/// A keeper and a program that calls run on while somebody resets the secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_secret_is_taken_up_by_what_runs() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let (vault, store) = shops(&home, 2, HOUR, 180 * DAY).await;
    let id = vault.account("shop-0001").await.unwrap().id;
    vault.token(&id).await.unwrap();
    // As two processes: neither learns from the other.
    let kept = Vault::open_with(home.options(), store.clone()).await.unwrap();
    let keeper = Keeper::new(kept, KeeperOptions::default());
    let answering = service.transport();
    home.transport.answer(move |seen| {
        if seen.form["client_secret"] == "planted0new0secret" {
            return answering.ask(seen);
        }
        Ok(reply(400, r#"{"error_code":"gw.SignatureInvalid","error_message":"Invalid signature"}"#))
    });
    home.clock.advance_secs(2 * HOUR);
    // Both learn the former one first.
    assert_eq!(vault.token(&id).await.unwrap_err().kind(), ErrorKind::Signature);
    assert_eq!(keeper.tick().await.unwrap().done.refreshed, 0);
    let known = vault.apps().await.unwrap().remove(0);
    let other = Vault::open_with(home.options(), store.clone()).await.unwrap();
    let renewed = other.renew_secret(&legacy_app(&known.name, &known.app_key, "planted0new0secret")).await;
    assert_eq!(renewed.unwrap().len(), 1);
    home.clock.advance_secs(120);
    assert!(vault.token(&id).await.unwrap().expose().starts_with("access-1-"));
    keep_until(&keeper, &home, 2 * HOUR + 600).await;
    assert_eq!(service.spent().len(), 2);
}

/// Lets the calls of one app hang.
#[derive(Clone)]
struct Hanging {
    app_key: &'static str,
    release: Arc<Notify>,
    released: Arc<AtomicBool>,
    others: FakeTransport,
}

impl Transport for Hanging {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        if !form.contains(&format!("client_id={}", self.app_key)) {
            return self.others.send(request);
        }
        Box::pin(async move {
            if !self.released.load(Ordering::SeqCst) {
                self.release.notified().await;
            }
            Err(Error::new(ErrorKind::Timeout, "no answer").with_ambiguity(true))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_hangs_does_not_starve_the_others() {
    let service = Param2Service::default();
    let home = home(service.transport());
    let hanging = Hanging {
        app_key: "666",
        release: Arc::default(),
        released: Arc::default(),
        others: home.transport.clone(),
    };
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let options = home.options().transport(Arc::new(hanging.clone()));
    let vault = Vault::open_with(options, store.clone()).await.unwrap();
    app(&vault, "aliexpress-legacy").await;
    vault.add_app(legacy_app("bad", "666", "planted0other0secret")).await.unwrap();
    // The bad app's rows are due first.
    for number in 0..200 {
        vault.import_tokens("bad", shop(number, HOUR - 60, 180 * DAY)).await.unwrap();
    }
    for number in 200..240 {
        vault.import_tokens("aliexpress-legacy", shop(number, HOUR, 180 * DAY)).await.unwrap();
    }
    home.clock.advance_secs(2 * HOUR);
    let keeper = Keeper::new(vault, KeeperOptions::default().in_flight(32));
    let (stop, stopped) = oneshot::channel::<()>();
    let run = tokio::spawn(async move { keeper.run(async { stopped.await.unwrap() }).await.unwrap() });
    home.transport.arrivals(40).await;
    assert_eq!(service.spent().len(), 40, "all of the good app, while the bad one hangs");
    stop.send(()).unwrap();
    hanging.released.store(true, Ordering::SeqCst);
    hanging.release.notify_waiters();
    let totals = run.await.unwrap();
    assert_eq!(totals.refreshed, 40);
    // Three seconds' worth of its rate, and no more.
    assert!((5..=22).contains(&totals.failed), "{totals:?}");
}
