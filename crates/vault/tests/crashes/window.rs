//! How long the window is in which a kill loses a shop, where old refresh tokens die: from the moment
//! the gateway's answer leaves it until the answer is durable.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;
use sesame_sandbox::OldRefreshToken::Dies;
use sesame_vault::on_fail_point;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    child::{Role, Spec, say},
    times,
    world::{Process, Storage, World, log_in},
};

type Stamp = Arc<Mutex<Option<Instant>>>;

/// Stands before the gateway and notes when an answer leaves.
async fn noting(gateway: SocketAddr, left: Stamp) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let left = left.clone();
            tokio::spawn(async move {
                let upstream = TcpStream::connect(gateway).await.unwrap();
                let ((mut from_client, mut to_client), (mut from_gateway, mut to_gateway)) =
                    (client.into_split(), upstream.into_split());
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_gateway).await;
                });
                let mut answer = Vec::new();
                from_gateway.read_to_end(&mut answer).await.unwrap();
                *left.lock().unwrap() = Some(Instant::now());
                to_client.write_all(&answer).await.unwrap();
            });
        }
    });
    address
}

/// The child's part: refreshes, one after the other, and says how long each answer was nowhere but in
/// memory, in microseconds.
pub async fn measure(spec: &Spec, refreshes: usize) {
    let left = Stamp::default();
    let gateway = spec.endpoint.strip_prefix("http://").unwrap().parse().unwrap();
    let proxy = noting(gateway, left.clone()).await;
    let vault = Spec { endpoint: format!("http://{proxy}"), ..spec.clone() }.open().await;
    let windows = Arc::new(Mutex::new(Vec::new()));
    on_fail_point({
        let (windows, left) = (windows.clone(), left.clone());
        move |point| {
            if point == "after-store" {
                windows.lock().unwrap().push(left.lock().unwrap().unwrap().elapsed());
            }
        }
    });
    for _ in 0..refreshes {
        vault.refresh("shop").await.unwrap();
    }
    let micros: Vec<u128> = windows.lock().unwrap().iter().map(Duration::as_micros).collect();
    say(&json!({"micros": micros}));
    vault.close().await;
}

async fn measured(store: Storage) {
    let refreshes = times(50, 1_000);
    let world = World::start(store, "lazada", Dies, 1).await;
    let vault = world.open().await;
    world.add_app(&vault).await;
    log_in(&vault, "shop").await;
    vault.close().await;
    let mut process = Process::start(&world.spec(Role::Measure { refreshes }));
    let said = process.hear().await;
    process.end().await;
    let mut micros: Vec<u64> =
        said["micros"].as_array().unwrap().iter().map(|micros| micros.as_u64().unwrap()).collect();
    assert_eq!(micros.len(), refreshes);
    assert_eq!(world.refreshed().await, refreshes as u64);
    micros.sort_unstable();
    let at = |share: usize| micros[(micros.len() - 1) * share / 100];
    println!(
        "answer left the gateway until it was durable, {store:?}, {refreshes} refreshes: median {} us, 95 % {} us, longest {} us",
        at(50),
        at(95),
        at(100)
    );
    assert!(at(50) < 1_000_000, "a second between answer and disk: {micros:?}");
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_window_is_measured() {
    measured(Storage::Sqlite).await;
    measured(Storage::Postgres).await;
}
