//! `kill -9` between any two steps of a rekey, while the shops of the vault are many and in use.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};
use sesame_core::mask::mask;
use sesame_sandbox::OldRefreshToken::Dies;
use sesame_vault::{KeyChoice, on_fail_point};

use crate::{
    child::{Role, Spec, say},
    times,
    world::{
        Process,
        Storage::{self, Postgres, Sqlite},
        World, log_in,
    },
};

const SHOPS: usize = 6;
/// More than a rekey passes: it is not killed then, and ends.
const NEVER: usize = 1_000;

fn name(shop: usize) -> String {
    format!("shop-{shop}")
}

/// The child's part: says which tokens it finds, refreshes one of them, and rekeys.
pub async fn rekey(spec: &Spec, stop_at: usize) {
    let vault = spec.open().await;
    let mut tokens = Vec::new();
    for shop in 0..SHOPS {
        let handle = vault.handle(&name(shop)).await.unwrap();
        tokens.push(mask(vault.token_of(&handle).await.unwrap().access.expose()));
    }
    // A value of before the kill and one of after it, under whatever key stands now.
    vault.refresh(&name(0)).await.unwrap();
    let handle = vault.handle(&name(0)).await.unwrap();
    let newest = mask(vault.token_of(&handle).await.unwrap().access.expose());
    say(&json!({"tokens": tokens, "newest": newest}));
    let passed = AtomicUsize::new(0);
    on_fail_point(move |reached| {
        if reached == "during-rekey" && passed.fetch_add(1, Ordering::SeqCst) == stop_at {
            say(&json!({"reached": reached}));
            loop {
                std::thread::park();
            }
        }
    });
    let done = vault.rekey(KeyChoice::Auto, &|_| {}).await.unwrap();
    say(&json!({"key": done.key_id, "resumed": done.resumed, "unreadable": done.unreadable}));
    vault.close().await;
}

/// Kills a rekey at its first stop, the next one at its second, and so on; after each a fresh process
/// opens the vault, has all tokens, refreshes, and begins a rekey of its own.
async fn killed_in(store: Storage) {
    let world = World::start(store, "lazada", Dies, SHOPS).await;
    let vault = world.open().await;
    world.add_app(&vault).await;
    for shop in 0..SHOPS {
        log_in(&vault, &name(shop)).await;
    }
    vault.close().await;
    let rounds = times(10, 200);
    let (mut kills, mut ended, mut former): (usize, usize, Option<Json>) = (0, 0, None);
    let mut stop_at = 0;
    while kills < rounds || ended == 0 {
        let context = format!("{store:?}, kill {kills}, stop {stop_at}");
        let mut process = Process::start(&world.spec(Role::Rekey { stop_at }));
        let said = process.hear().await;
        let tokens = said["tokens"].as_array().unwrap_or_else(|| panic!("{context}: {said}")).clone();
        assert_eq!(tokens.len(), SHOPS, "{context}");
        if let Some(former) = former.take() {
            assert_eq!(Json::from(tokens), former, "{context}: the tokens of before the kill");
        }
        // What the next process has to find.
        let mut next = said["tokens"].clone();
        next[0] = said["newest"].clone();
        former = Some(next);
        let said = process.hear().await;
        if said["reached"].is_string() {
            process.kill().await;
            kills += 1;
            stop_at += 1;
        } else {
            assert_eq!(said["unreadable"], json!([]), "{context}: {said}");
            process.end().await;
            ended += 1;
            stop_at = 0;
        }
    }
    assert!(ended > 0 && kills >= rounds, "{store:?}");
    // And at last one that nobody kills.
    let mut process = Process::start(&world.spec(Role::Rekey { stop_at: NEVER }));
    assert_eq!(process.hear().await["tokens"], former.unwrap(), "{store:?}");
    assert_eq!(process.hear().await["unreadable"], json!([]), "{store:?}");
    process.end().await;
    assert_eq!(world.refreshed().await, (kills + ended + 1) as u64, "{store:?}");
    println!(
        "{store:?}: {kills} rekeys killed, {ended} ended: every token of {SHOPS} shops found after each"
    );
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_rekey_that_is_killed_leaves_every_token_readable() {
    killed_in(Sqlite).await;
    killed_in(Postgres).await;
}
