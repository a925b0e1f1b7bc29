//! Shops of param2 and a keeper that looks after them, in virtual time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use sesame_core::{AccessToken, Clock as _, RefreshToken};
use sesame_vault::{
    ImportedTokens, Keeper, Vault,
    store::{EventRow, FullRow, Sink, SqlStore, Store},
};

use super::{FakeTransport, Home, START, all_events, app, reply};

pub const HOUR: u64 = 3_600;
pub const DAY: u64 = 24 * HOUR;

/// A token service with the rules of param2: the refresh token stays, and may be postponed near its end.
#[derive(Clone, Default)]
pub struct Param2Service(pub Arc<Mutex<Calls>>);

#[derive(Default)]
pub struct Calls {
    /// How often each refresh token was spent, and when.
    pub refreshed: BTreeMap<String, usize>,
    pub postponed: Vec<String>,
    pub refuse_postponements: bool,
    pub refuse_refreshes: bool,
}

impl Param2Service {
    pub fn transport(&self) -> FakeTransport {
        let service = self.clone();
        FakeTransport::new(move |seen| {
            let mut calls = service.0.lock().unwrap();
            let refresh = seen.form["refresh_token"].clone();
            // Each is of a shop of its own.
            let shop: String = refresh.chars().filter(char::is_ascii_digit).collect();
            if seen.url.contains("/postponeToken/") {
                assert!(seen.form.contains_key("client_secret") && seen.form.contains_key("access_token"));
                if calls.refuse_postponements {
                    return Ok(reply(
                        400,
                        r#"{"error_code":"gw.QosAppFrequencyLimit2","error_message":"refresh token postpone not allowed"}"#,
                    ));
                }
                calls.postponed.push(refresh.clone());
                return Ok(reply(
                    200,
                    format!(
                        r#"{{"aliId":"{shop}","resource_owner":"shop","expires_in":"36000","access_token":"postponed-access-{refresh}","refresh_token":"{refresh}-again","refresh_token_timeout":"20270601000000000+0800"}}"#
                    ),
                ));
            }
            if calls.refuse_refreshes {
                return Ok(reply(
                    401,
                    r#"{"error_code":"401","error_message":"Request need user authorized"}"#,
                ));
            }
            let spent = calls.refreshed.entry(refresh.clone()).or_default();
            *spent += 1;
            Ok(reply(
                200,
                format!(
                    r#"{{"aliId":"{shop}","resource_owner":"shop","expires_in":"36000","access_token":"access-{spent}-{refresh}"}}"#
                ),
            ))
        })
    }

    pub fn refreshes(&self) -> usize {
        self.0.lock().unwrap().refreshed.values().sum()
    }

    pub fn spent(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().refreshed.clone()
    }

    pub fn postponed(&self) -> Vec<String> {
        self.0.lock().unwrap().postponed.clone()
    }
}

pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millisecond(START + i64::try_from(seconds * 1_000).unwrap()).unwrap()
}

pub fn shop(number: usize, access_left: u64, refresh_left: u64) -> ImportedTokens {
    ImportedTokens::default()
        .access(AccessToken::new(format!("imported-access-{number:04}")))
        .refresh(RefreshToken::new(format!("imported-refresh-{number:04}")))
        .account_name(format!("shop-{number:04}"))
        .access_expires_at(at(access_left))
        .refresh_expires_at(at(refresh_left))
}

/// A home with a store in memory and param2 shops.
pub async fn shops(home: &Home, count: usize, access_left: u64, refresh_left: u64) -> (Vault, Arc<SqlStore>) {
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let vault = Vault::open_with(home.options(), store.clone()).await.unwrap();
    app(&vault, "aliexpress-legacy").await;
    for number in 0..count {
        vault.import_tokens("aliexpress-legacy", shop(number, access_left, refresh_left)).await.unwrap();
    }
    (vault, store)
}

pub fn home(transport: FakeTransport) -> Home {
    let home = Home::new(transport);
    // The key of a vault in memory lives in a file.
    std::fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    home
}

pub async fn events(store: &dyn Store) -> Vec<EventRow> {
    all_events(store, Sink::Hook).await
}

pub async fn row(store: &dyn Store, name: &str) -> FullRow {
    store.account(name).await.unwrap().unwrap()
}

/// Lets passes follow each other until a time, in virtual time.
pub async fn keep_until(keeper: &Keeper, home: &Home, until: u64) {
    let until = at(until);
    loop {
        let pass = keeper.tick().await.unwrap();
        let next = pass.next_due.unwrap_or(until).min(until);
        let now = home.clock.now();
        if now >= until {
            return;
        }
        let step = u64::try_from(next.duration_since(now).as_millis().max(1)).unwrap();
        home.clock.advance(Duration::from_millis(step));
    }
}
