//! The child's side: opens the vault, does as it is told, says what it sees.

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sesame_core::{Clock as _, mask::mask, request::Method};
use sesame_vault::{Account, Vault, on_fail_point};

use crate::{
    keepers::keep,
    rekey::rekey,
    storage::storm,
    support::FlakyStore,
    window::measure,
    world::{SharedClock, control, log_in},
};

/// The variable that makes this program a child.
pub const SPEC: &str = "SESAME_CRASH_CHILD";

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub role: Role,
    pub location: String,
    /// Where key file and journal are of a vault that is elsewhere itself.
    pub home: PathBuf,
    pub endpoint: String,
    pub clock: PathBuf,
    pub pace: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Role {
    /// Asks for the token once.
    Verify,
    /// Asks for the token (`verify`), logs in anew, lets the access token end, and refreshes it; stops
    /// for good at a fail point. With `postpone` the refresh token is in its last days, so that a
    /// postponement follows the refresh, and the point is one of that.
    Round { verify: bool, point: String, trouble: Option<String>, store_away: bool, postpone: bool },
    /// Asks by many tasks at once, when told to; waits at a fail point until it is told to go on.
    Ask { tasks: usize, wait_at: Option<String> },
    /// Refreshes so many times and measures.
    Measure { refreshes: usize },
    /// Gives the vault a new master key; stops for good when a point is reached for so many times. What
    /// stands is said before.
    Rekey { stop_at: usize },
    /// Keeps the tokens of many shops, so many at a time; first (`verify`) what another one has left.
    /// Stops for good when a point is reached after so many times.
    Keep { verify: bool, stop_at: Option<(String, usize)>, in_flight: usize },
    /// Refreshes many shops while the store goes away.
    Storm,
}

/// Says something to the parent.
pub fn say(what: &Json) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@@ {what}").unwrap();
    out.flush().unwrap();
}

/// Waits for a line of the parent's.
fn told() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Says how the account stands, with what became of a question for its token.
async fn ask(vault: &Vault) -> Json {
    let begun = Instant::now();
    let handle = vault.handle("shop").await.unwrap();
    let outcome = vault.token_of(&handle).await;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let account = vault.account("shop").await.unwrap();
    let mut said = json!({"millis": millis, "generation": account.generation, "state": account.state.as_str(), "reason": account.state.reason()});
    match outcome {
        Ok(token) => said["access"] = mask(token.access.expose()).into(),
        Err(error) => said["error"] = format!("{}: {error}", error.kind()).into(),
    }
    said
}

/// Lets the access token of an account end.
pub fn outlive(clock: &SharedClock, account: &Account) {
    let left = account.access_expires_at.unwrap().duration_since(clock.now());
    clock.advance(left + SignedDuration::from_secs(5));
}

#[test]
#[ignore = "is what the other tests start"]
fn child() {
    let Ok(spec) = std::env::var(SPEC) else { return };
    let spec: Spec = serde_json::from_str(&spec).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(serve(spec));
}

async fn serve(spec: Spec) {
    match &spec.role {
        Role::Verify => {
            let vault = spec.open().await;
            say(&ask(&vault).await);
            vault.close().await;
        }
        Role::Round { verify, point, trouble, store_away, postpone } => {
            if *verify {
                let vault = spec.open().await;
                say(&ask(&vault).await);
                vault.close().await;
            }
            let store = FlakyStore::over(Arc::from(spec.store().await));
            let fail = store.fail_replace.clone();
            let vault = Vault::open_with(spec.options(), Arc::new(store)).await.unwrap();
            let account = log_in(&vault, "shop").await;
            let clock = SharedClock::open(&spec.clock, 1);
            if *postpone {
                let end = account.refresh_expires_at.unwrap() - SignedDuration::from_hours(20 * 24);
                clock.advance(end.duration_since(clock.now()));
            } else {
                outlive(&clock, &account);
            }
            if let Some(trouble) = trouble {
                control(&spec.endpoint, Method::POST, "/_sandbox/faults", json!(trouble)).await;
            }
            // The refresh comes first; what is meant is the call after it.
            let (point, postpone, store_away) = (point.clone(), *postpone, *store_away);
            let calls = AtomicUsize::new(usize::from(!postpone));
            if store_away && !postpone {
                fail.store(usize::MAX, Ordering::SeqCst);
            }
            on_fail_point(move |reached| {
                if reached == "after-store" && calls.fetch_add(1, Ordering::SeqCst) == 0 {
                    if store_away {
                        fail.store(usize::MAX, Ordering::SeqCst);
                    }
                    return;
                }
                if reached == point && calls.load(Ordering::SeqCst) > 0 {
                    say(&json!({"reached": reached}));
                    loop {
                        std::thread::park();
                    }
                }
            });
            let missed = ask(&vault).await;
            vault.settle().await;
            say(&json!({"missed": missed}));
        }
        Role::Measure { refreshes } => measure(&spec, *refreshes).await,
        Role::Storm => storm(&spec).await,
        Role::Keep { verify, stop_at, in_flight } => {
            let stop_at = stop_at.as_ref().map(|(point, after)| (point.as_str(), *after));
            keep(&spec, *verify, stop_at, *in_flight).await;
        }
        Role::Rekey { stop_at } => rekey(&spec, *stop_at).await,
        Role::Ask { tasks, wait_at } => {
            let vault = spec.open().await;
            if let Some(point) = wait_at.clone() {
                let once = AtomicBool::new(false);
                on_fail_point(move |reached| {
                    if reached == point && !once.swap(true, Ordering::SeqCst) {
                        say(&json!({"reached": reached}));
                        told();
                    }
                });
            }
            say(&json!({"ready": true}));
            told();
            let begun = Instant::now();
            let asked: Vec<_> = (0..*tasks)
                .map(|_| {
                    let vault = vault.clone();
                    tokio::spawn(async move {
                        let handle = vault.handle("shop").await?;
                        vault.token_of(&handle).await
                    })
                })
                .collect();
            let (mut valid, mut tokens, mut errors) = (0, BTreeSet::new(), BTreeSet::new());
            for task in asked {
                match task.await.unwrap() {
                    Ok(token) => {
                        valid += 1;
                        tokens.insert((token.generation, mask(token.access.expose())));
                    }
                    Err(error) => drop(errors.insert(format!("{}: {error}", error.kind()))),
                }
            }
            let took: Duration = begun.elapsed();
            let account = vault.account("shop").await.unwrap();
            say(&json!({
                "valid": valid, "tokens": tokens, "errors": errors, "seconds": took.as_secs_f64(),
                "generation": account.generation, "state": account.state.as_str(), "reason": account.state.reason(),
            }));
            vault.close().await;
        }
    }
}
