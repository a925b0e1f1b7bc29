//! Many processes that want the same token, and one that is stopped for too long.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::Value as Json;
use sesame_core::Clock as _;
use sesame_sandbox::OldRefreshToken::{self, Dies, Lives};

use crate::{
    child::Role,
    world::{
        Process,
        Storage::{self, Postgres, Sqlite},
        World, log_in,
    },
};

const PROCESSES: usize = 8;
const TASKS: usize = 1_250;

/// A world with one shop whose access token has ended.
async fn ended(store: Storage, platform: &'static str, policy: OldRefreshToken) -> World {
    let world = World::start(store, platform, policy, 1).await;
    let vault = world.open().await;
    world.add_app(&vault).await;
    let account = log_in(&vault, "shop").await;
    let left = account.access_expires_at.unwrap().duration_since(world.clock.now());
    world.clock.advance(left + SignedDuration::from_secs(5));
    vault.close().await;
    world
}

async fn ready(world: &World, tasks: usize, wait_at: Option<&str>) -> Process {
    let wait_at = wait_at.map(str::to_owned);
    let mut process = Process::start(&world.spec(Role::Ask { tasks, wait_at }));
    assert_eq!(process.hear().await["ready"], true);
    process
}

async fn ten_thousand_ask(store: Storage, policy: OldRefreshToken) {
    let world = ended(store, "lazada", policy).await;
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(ready(&world, TASKS, None).await);
    }
    for process in &mut processes {
        process.tell("go").await;
    }
    let (mut valid, mut tokens, mut slowest) = (0, BTreeSet::new(), 0.0_f64);
    for mut process in processes {
        let said = process.hear().await;
        assert_eq!(said["errors"], serde_json::json!([]), "{policy:?}");
        valid += said["valid"].as_u64().unwrap();
        slowest = slowest.max(said["seconds"].as_f64().unwrap());
        tokens.extend(said["tokens"].as_array().unwrap().iter().map(Json::to_string));
        process.end().await;
    }
    assert_eq!(valid, 10_000, "{policy:?}");
    assert_eq!(tokens.len(), 1, "{policy:?}: all have the same token: {tokens:?}");
    assert_eq!(world.refreshed().await, 1, "{policy:?}");
    println!(
        "8 processes x 1,250 tasks, {store:?}, {policy:?}: 1 refresh, {valid} tokens, the slowest process {slowest:.2} s"
    );
    world.sandbox.stop().await;
}

#[tokio::test]
async fn ten_thousand_tasks_of_eight_processes_refresh_once() {
    for store in [Sqlite, Postgres] {
        for policy in [Dies, Lives] {
            ten_thousand_ask(store, policy).await;
        }
    }
}

/// What both processes end with when the owner of the lease is stopped at a point for longer than its
/// lease, and another process asks meanwhile.
async fn stopped_at(
    store: Storage,
    point: &str,
    platform: &'static str,
    policy: OldRefreshToken,
) -> (World, Json, Json) {
    let world = ended(store, platform, policy).await;
    let mut owner = ready(&world, 1, Some(point)).await;
    owner.tell("go").await;
    assert_eq!(owner.hear().await["reached"], point);
    // A process that is stopped with the lock of the file in its hand stops everybody: another thread of it
    // may just note a use.
    owner.signal("STOP").await;
    while world.is_locked().await {
        owner.signal("CONT").await;
        tokio::task::yield_now().await;
        owner.signal("STOP").await;
    }
    // Longer than any lease; the other machine's clock goes on meanwhile.
    world.clock.advance(SignedDuration::from_mins(3));
    let mut other = ready(&world, 1, None).await;
    other.tell("go").await;
    let others = other.hear().await;
    other.end().await;
    owner.signal("CONT").await;
    owner.tell("go on").await;
    let owners = owner.hear().await;
    owner.end().await;
    (world, others, owners)
}

/// The one token that a process got.
fn token(said: &Json) -> &Json {
    assert_eq!(said["errors"], serde_json::json!([]), "{said}");
    &said["tokens"][0]
}

async fn is_usable(world: &World, generation: i64) {
    let mut process = ready(world, 1, None).await;
    process.tell("go").await;
    let said = process.hear().await;
    process.end().await;
    assert_eq!(token(&said)[0], generation, "{said}");
    assert_eq!(said["state"], "healthy", "{said}");
    let access = token(&said)[1].as_str().unwrap();
    assert!(world.living("access").await.iter().any(|living| living == access), "{said}");
}

#[tokio::test]
async fn an_owner_stopped_before_it_sends_leaves_the_others_token_alone() {
    for (store, platform, policy) in [
        (Sqlite, "lazada", Dies),
        (Sqlite, "lazada", Lives),
        (Sqlite, "1688", Dies),
        (Postgres, "lazada", Dies),
        (Postgres, "lazada", Lives),
    ] {
        let (world, others, owners) = stopped_at(store, "after-intent", platform, policy).await;
        assert_eq!(token(&others)[0], 2, "{store:?}, {platform}, {policy:?}");
        // Refused, or given a pair that it may not write: it takes the token that stands.
        assert_eq!(token(&owners), token(&others), "{store:?}, {platform}, {policy:?}");
        is_usable(&world, 2).await;
        let dies = platform == "lazada" && policy == Dies;
        assert_eq!(world.refreshed().await, if dies { 1 } else { 2 }, "{store:?}, {platform}, {policy:?}");
        world.sandbox.stop().await;
    }
}

#[tokio::test]
async fn an_owner_stopped_with_the_answer_in_hand_overwrites_nothing_newer() {
    for (store, platform, policy) in
        [(Sqlite, "lazada", Lives), (Sqlite, "1688", Dies), (Postgres, "lazada", Lives)]
    {
        let (world, others, owners) = stopped_at(store, "after-receive", platform, policy).await;
        assert_eq!(token(&others)[0], 2, "{store:?}, {platform}, {policy:?}");
        assert_eq!(token(&owners), token(&others), "{store:?}, {platform}, {policy:?}");
        is_usable(&world, 2).await;
        assert_eq!(world.refreshed().await, 2, "{store:?}, {platform}, {policy:?}");
        world.sandbox.stop().await;
    }
}

/// The other one finds the refresh token spent and asks for a person; the owner still holds the only
/// good pair, stores it, and the shop is back.
#[tokio::test]
async fn an_owner_stopped_with_the_only_good_pair_brings_the_shop_back() {
    for store in [Sqlite, Postgres] {
        let (world, others, owners) = stopped_at(store, "after-receive", "lazada", Dies).await;
        assert_eq!(others["state"], "needs-authorization", "{others}");
        assert!(others["reason"].as_str().unwrap().contains("was interrupted"), "{others}");
        assert_eq!(token(&owners)[0], 2, "{owners}");
        is_usable(&world, 2).await;
        assert_eq!(world.refreshed().await, 1);
        // Who heard that the shop was lost hears that it is back.
        assert_eq!(world.events().await, ["exhausted", "recovered"]);
        world.sandbox.stop().await;
    }
}
