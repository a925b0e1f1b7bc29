//! `kill -9` of a keeper that has many shops to refresh.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use sesame_core::{Clock as _, mask::mask, request::Method};
use sesame_sandbox::OldRefreshToken::{self, Dies, Lives};
use sesame_vault::{Keeper, KeeperOptions, SystemClock, Vault, WarmPolicy, on_fail_point};

use crate::{
    child::{Role, Spec, outlive, say},
    times,
    world::{
        Process, SharedClock,
        Storage::{self, Postgres, Sqlite},
        World, control, log_in,
    },
};

const SHOPS: usize = 8;
/// The instants of a keeper's work, and whether the gateway carries out the call that is cut off there
/// and nobody has its answer.
const WINDOWS: [(&str, bool); 5] = [
    ("before-intent", false),
    ("after-intent", false),
    ("after-send", true),
    ("after-receive", true),
    ("after-store", false),
];

fn name(shop: usize) -> String {
    format!("shop-{shop}")
}

fn keeper(vault: &Vault, in_flight: usize) -> Keeper {
    Keeper::new(
        vault.clone(),
        KeeperOptions::default().warm(WarmPolicy::Always).per_app(1_000).in_flight(in_flight),
    )
}

/// The child's part: takes up what a killed keeper has left, says how each shop stands; then logs in
/// anew, lets all access tokens end, and keeps them until it stops for good at a fail point.
pub async fn keep(spec: &Spec, verify: bool, stop: Option<(&str, usize)>, in_flight: usize) {
    let clock = SharedClock::open(&spec.clock, 1);
    let vault = spec.open().await;
    if verify {
        // The leases of the killed one have ended.
        clock.advance(SignedDuration::from_mins(3));
        let keeper = keeper(&vault, 64);
        // What is put off is put off for seconds or minutes.
        for _ in 0..20 {
            keeper.tick().await.unwrap();
            clock.advance(SignedDuration::from_mins(1));
        }
        let mut shops = Vec::new();
        for shop in 0..SHOPS {
            let account = vault.account(&name(shop)).await.unwrap();
            let handle = vault.handle(&name(shop)).await.unwrap();
            let access = vault.token_of(&handle).await.ok().map(|token| mask(token.access.expose()));
            shops.push(json!({
                "state": account.state.as_str(), "reason": account.state.reason(), "access": access,
                "generation": account.generation,
            }));
        }
        say(&json!({ "shops": shops }));
        drop(keeper);
    }
    vault.close().await;
    let Some((point, after)) = stop else { return };
    // A keeper of this process has decided what is kept: another vault, another keeper.
    let vault = spec.open().await;
    let mut last = None;
    for shop in 0..SHOPS {
        last = Some(log_in(&vault, &name(shop)).await);
    }
    outlive(&clock, &last.unwrap());
    let passed = AtomicUsize::new(0);
    let point = point.to_owned();
    if point == "after-send" {
        control(&spec.endpoint, Method::POST, "/_sandbox/faults", json!("hang-after,count=1")).await;
    }
    on_fail_point(move |reached| {
        if reached == point && passed.fetch_add(1, Ordering::SeqCst) == after {
            say(&json!({"reached": reached}));
            loop {
                std::thread::park();
            }
        }
    });
    keeper(&vault, in_flight).tick().await.unwrap();
    say(&json!({"missed": true}));
}

/// Kills keepers at a window, at the first shop, the second one and so on, and lets another one go on.
async fn kill_at(store: Storage, window: (&str, bool), policy: OldRefreshToken, in_flight: usize) {
    let (point, loses_the_answer) = window;
    let world = World::start(store, "lazada", policy, SHOPS).await;
    let vault = world.open().await;
    world.add_app(&vault).await;
    vault.close().await;
    let rounds = times(10, 200);
    let mut before = 0;
    for round in 0..=rounds {
        let context = format!("{store:?}, {point}, {policy:?}, {in_flight} in flight, kill {round}");
        // A batch is begun at once; the call that hangs is the first.
        let is_first = point == "after-send" || (point == "before-intent" && in_flight > 1);
        let after = if is_first { 0 } else { round % SHOPS };
        let stop_at = (round < rounds).then(|| (point.to_owned(), after));
        let mut process = Process::start(&world.spec(Role::Keep { verify: round > 0, stop_at, in_flight }));
        if round > 0 {
            let said = process.hear().await;
            check(&world, &said, loses_the_answer && policy == Dies, &context).await;
            let spent = world.refreshed().await - before;
            let repeated = if policy == Lives { SHOPS as u64 } else { 0 };
            let (fewest, most) = (SHOPS as u64, SHOPS as u64 + repeated);
            assert!((fewest..=most).contains(&spent), "{context}: {spent} refreshes");
        }
        if round == rounds {
            process.end().await;
            break;
        }
        before = world.refreshed().await;
        let said = process.hear().await;
        assert!(said["reached"].is_string(), "{context}: {said}");
        while point == "after-send" && world.refreshed().await <= before {
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
        process.kill().await;
    }
    world.sandbox.stop().await;
}

/// Checks what the next keeper has made of it: one shop is lost at most, and says why.
async fn check(world: &World, said: &Json, lost: bool, context: &str) {
    let living: BTreeSet<String> = world.living("access").await.into_iter().collect();
    let shops = said["shops"].as_array().unwrap_or_else(|| panic!("{context}: {said}"));
    assert_eq!(shops.len(), SHOPS, "{context}");
    let mut without = 0;
    for shop in shops {
        if let Some(access) = shop["access"].as_str() {
            assert_eq!(shop["state"], "healthy", "{context}: {shop}");
            assert!(living.contains(access), "{context}: the gateway knows no such token: {shop}");
        } else {
            without += 1;
            assert_eq!(shop["state"], "needs-authorization", "{context}: {shop}");
            let reason = shop["reason"].as_str().unwrap();
            assert!(
                reason.contains("was interrupted before its answer could be stored"),
                "{context}: {shop}"
            );
        }
    }
    assert_eq!(without, usize::from(lost), "{context}: {said}");
}

async fn kill_everywhere(store: Storage) {
    for window in WINDOWS {
        // One call at a time: one answer is lost at most.
        kill_at(store, window, Dies, 1).await;
        kill_at(store, window, Lives, 64).await;
    }
}

#[tokio::test]
async fn a_killed_keeper_leaves_its_shops_to_the_next_one() {
    kill_everywhere(Sqlite).await;
}

#[tokio::test]
async fn a_killed_keeper_leaves_its_shops_to_the_next_one_on_postgresql() {
    kill_everywhere(Postgres).await;
}
