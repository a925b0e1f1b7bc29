//! `kill -9` at every instant of a refresh that matters.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value as Json;
use sesame_core::Clock as _;
use sesame_sandbox::OldRefreshToken::{self, Dies, Lives};
use sesame_vault::SystemClock;

use crate::{
    child::Role,
    times,
    world::{
        Process,
        Storage::{self, Postgres, Sqlite},
        World, log_in,
    },
};

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    BeforeIntent,
    AfterIntent,
    /// The request is on its way, and the gateway never carried it out.
    SentInVain,
    /// The gateway carried it out, and its answer is not here.
    Sent,
    Received,
    Journalled,
    Stored,
}

use Window::{AfterIntent, BeforeIntent, Journalled, Received, Sent, SentInVain, Stored};

const WINDOWS: [Window; 7] = [BeforeIntent, AfterIntent, SentInVain, Sent, Received, Journalled, Stored];

impl Window {
    fn role(self, verify: bool, postpone: bool) -> Role {
        let (point, trouble) = match self {
            BeforeIntent => ("before-intent", None),
            AfterIntent => ("after-intent", None),
            SentInVain => ("after-send", Some("hang")),
            Sent => ("after-send", Some("hang-after")),
            Received if postpone => ("during-postpone", None),
            Received => ("after-receive", None),
            Journalled => ("after-journal", None),
            Stored => ("after-store", None),
        };
        let api = if postpone { "@system.oauth2:postponeToken" } else { "" };
        let trouble = trouble.map(|kind| format!("{kind}{api},count=1"));
        Role::Round { verify, point: point.to_owned(), trouble, store_away: self == Journalled, postpone }
    }

    /// The gateway has new tokens for us, and we do not.
    fn loses_the_answer(self) -> bool {
        matches!(self, Sent | Received)
    }
}

/// What is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Refresh,
    /// On 1688 alone, where it kills the old refresh token at once.
    Postpone,
}

/// Kills a process at a window a given number of times; after each time another one asks for the token.
async fn kill_at(
    store: Storage,
    window: Window,
    call: Call,
    platform: &'static str,
    policy: OldRefreshToken,
) {
    let postpone = call == Call::Postpone;
    // An answer that is lost takes the only good refresh token with it.
    let dies = postpone || (platform != "1688" && policy == Dies);
    let world = World::start(store, platform, policy, 1).await;
    let vault = world.open().await;
    world.add_app(&vault).await;
    log_in(&vault, "shop").await;
    vault.close().await;

    let rounds = times(10, 200);
    let mut before = world.refreshed().await;
    let mut begun = world.clock.now();
    for round in 0..=rounds {
        let role = if round == rounds { Role::Verify } else { window.role(round > 0, postpone) };
        let mut process = Process::start(&crate::child::Spec {
            pace: if window == Journalled { 100 } else { 1 },
            ..world.spec(role)
        });
        if round > 0 {
            let context = format!("{store:?}, {call:?} {window:?}, {platform}, {policy:?}, kill {round}");
            let said = process.hear().await;
            check(&world, &said, window.loses_the_answer() && dies, &context).await;
            if let Some(reason) = said["reason"].as_str() {
                let since = reason.split(' ').find_map(|word| word.parse::<jiff::Timestamp>().ok());
                let since = since.unwrap_or_else(|| panic!("{context}: {reason}"));
                assert!(begun <= since && since <= world.clock.now(), "{context}: {reason}");
            }
            let spent = world.refreshed().await - before;
            let twice = window.loses_the_answer() && !dies;
            // After a postponement that was cut off there are the refreshes before and after it, and
            // perhaps another one.
            if !postpone {
                assert_eq!(spent, if twice { 2 } else { 1 }, "{context}: refreshes");
            }
        }
        if round == rounds {
            process.end().await;
            break;
        }
        before = world.refreshed().await;
        begun = world.clock.now();
        let said = process.hear().await;
        assert!(
            said["reached"].is_string(),
            "{store:?}, {call:?} {window:?}, {platform}, {policy:?}, kill {round}: {said}"
        );
        while window == Sent && world.refreshed().await < before + 1 + u64::from(postpone) {
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
        process.kill().await;
        // Until then the lease of the killed process ends. The access token of a refresh before a
        // postponement is good for ten hours: after those it shows what is lost.
        world.clock.advance(if postpone {
            SignedDuration::from_hours(11)
        } else {
            SignedDuration::from_mins(2)
        });
    }
    world.sandbox.stop().await;
}

/// Checks what a fresh process was told after the kill.
async fn check(world: &World, said: &Json, lost: bool, context: &str) {
    assert!(
        said["millis"].as_u64().unwrap() < 5_000,
        "{context}: nobody waits once the lease has ended: {said}"
    );
    if lost {
        assert_eq!(said["state"], "needs-authorization", "{context}: {said}");
        let reason = said["reason"].as_str().unwrap();
        assert!(reason.contains("was interrupted before its answer could be stored"), "{context}: {said}");
        assert!(said["error"].as_str().unwrap().starts_with("authorization: "), "{context}: {said}");
        return;
    }
    let access = said["access"].as_str().unwrap_or_else(|| panic!("{context}: the shop is lost: {said}"));
    assert_eq!(said["state"], "healthy", "{context}: {said}");
    assert!(
        world.living("access").await.iter().any(|token| token == access),
        "{context}: the gateway knows no such token: {said}"
    );
}

async fn kill_everywhere(store: Storage, platform: &'static str, policy: OldRefreshToken) {
    for window in WINDOWS {
        kill_at(store, window, Call::Refresh, platform, policy).await;
    }
}

async fn kill_while_prolonging(store: Storage) {
    for window in WINDOWS.into_iter().filter(|window| *window != BeforeIntent) {
        kill_at(store, window, Call::Postpone, "1688", Dies).await;
    }
}

#[tokio::test]
async fn killed_while_pairs_rotate_and_old_ones_die() {
    kill_everywhere(Sqlite, "lazada", Dies).await;
}

#[tokio::test]
async fn killed_while_pairs_rotate_and_old_ones_live() {
    kill_everywhere(Sqlite, "lazada", Lives).await;
}

#[tokio::test]
async fn killed_while_the_refresh_token_is_prolonged() {
    kill_while_prolonging(Sqlite).await;
}

#[tokio::test]
async fn killed_while_the_refresh_token_stays() {
    kill_everywhere(Sqlite, "1688", Dies).await;
}

#[tokio::test]
async fn killed_on_postgresql_while_pairs_rotate_and_old_ones_die() {
    kill_everywhere(Postgres, "lazada", Dies).await;
}

#[tokio::test]
async fn killed_on_postgresql_while_pairs_rotate_and_old_ones_live() {
    kill_everywhere(Postgres, "lazada", Lives).await;
}

#[tokio::test]
async fn killed_on_postgresql_while_the_refresh_token_is_prolonged() {
    kill_while_prolonging(Postgres).await;
}

#[tokio::test]
async fn killed_on_postgresql_while_the_refresh_token_stays() {
    kill_everywhere(Postgres, "1688", Dies).await;
}
