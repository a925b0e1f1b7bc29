//! The store goes away while tokens are being refreshed: its disk is full, its file may not grow.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value as Json, json};
use sesame_core::{Clock as _, mask::mask};
use sesame_sandbox::OldRefreshToken::Dies;
use sesame_testing::postgres::Server;
use sesame_vault::on_fail_point;
use tokio::{process::Command, sync::Semaphore, task::JoinSet};

use crate::{
    child::{Role, Spec, say},
    times,
    world::{Process, SharedClock, Storage, World, log_in},
};

const SHOPS: usize = 125;
/// Refreshes under way at a time.
const AT_ONCE: usize = 24;

fn name(shop: usize) -> String {
    format!("shop-{shop}")
}

/// How often each shop is refreshed: 1,000 refreshes in all in `./dev torture`.
fn rounds() -> usize {
    times(3, 8)
}

/// The child's part: refreshes every shop `rounds()` times, tries again what fails, and says how it goes.
pub async fn storm(spec: &Spec) {
    let vault = spec.open().await;
    let journalled = Arc::new(AtomicU64::new(0));
    on_fail_point({
        let journalled = journalled.clone();
        move |point| {
            if point == "after-journal" {
                journalled.fetch_add(1, Ordering::SeqCst);
                say(&json!({"kept": true}));
            }
        }
    });
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let clock = SharedClock::open(&spec.clock, 1);
    let mut tasks = JoinSet::new();
    for shop in 0..SHOPS {
        let (vault, room, clock) = (vault.clone(), room.clone(), clock.clone());
        tasks.spawn(async move {
            let mut done = 0;
            while done < rounds() {
                let permit = room.acquire().await.unwrap();
                match vault.refresh(&name(shop)).await {
                    Ok(_) => {
                        done += 1;
                        say(&json!({"done": shop}));
                    }
                    Err(error) => {
                        say(&json!({"failed": error.message(), "kind": error.kind().to_string()}));
                        clock.sleep(Duration::from_millis(50)).await;
                    }
                }
                drop(permit);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    // What waits in the journal moves into the store by itself.
    let mut tokens = BTreeMap::new();
    for shop in 0..SHOPS {
        let handle = vault.handle(&name(shop)).await.unwrap();
        tokens.insert(shop, mask(vault.token_of(&handle).await.unwrap().access.expose()));
    }
    say(&json!({"tokens": tokens, "journalled": journalled.load(Ordering::SeqCst)}));
    vault.close().await;
}

/// How the store is taken away, and given back.
enum Away {
    /// No file of the process may be longer than a few replies in the journal: the vault's cannot be written.
    Limit,
    /// The disk is full.
    Disk(PathBuf),
    /// The database server is killed, and started again.
    Server(Arc<Server>),
}

impl Away {
    async fn take(&self, process: &Process) {
        match self {
            Self::Limit => limit(process, "40000").await,
            Self::Disk(disk) => {
                let mut ballast = fs::File::create(disk.join("ballast")).unwrap();
                // To the last page: smaller and smaller pieces.
                for piece in [1 << 16, 1 << 12, 1 << 8] {
                    let piece = vec![0xA5; piece];
                    while ballast.write_all(&piece).is_ok() {}
                }
            }
            Self::Server(server) => blocking(server, Server::kill).await,
        }
    }

    async fn give_back(&self, process: &Process) {
        match self {
            Self::Limit => limit(process, "unlimited").await,
            Self::Disk(disk) => fs::remove_file(disk.join("ballast")).unwrap(),
            Self::Server(server) => blocking(server, |server| server.run().unwrap()).await,
        }
    }
}

/// The gateway goes on answering meanwhile.
async fn blocking(server: &Arc<Server>, work: impl FnOnce(&Server) + Send + 'static) {
    let server = server.clone();
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap();
}

async fn limit(process: &Process, bytes: &str) {
    let mut command = Command::new("prlimit");
    let set = command.arg("--pid").arg(process.id().to_string()).arg(format!("--fsize={bytes}:unlimited"));
    assert!(set.status().await.unwrap().success());
}

/// Starts the child so that a write past its limit fails instead of ending it.
fn start_limited(spec: &Spec) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' 25; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    Process::start_by(command, spec)
}

/// A thousand refreshes, during which the store goes away again and again.
async fn refreshed_through(world: &World, spec: &Spec, away: &Away) {
    let vault = spec.open().await;
    world.add_app(&vault).await;
    for shop in 0..SHOPS {
        log_in(&vault, &name(shop)).await;
    }
    vault.close().await;
    // The gateway is slow enough for refreshes to be under way whenever the store goes.
    world.slow_down(150).await;

    let mut process = start_limited(spec);
    let (mut done, mut failed, mut fails_now, mut is_away, mut taken) = (0, 0, 0, false, 0);
    let mut keeps_now = 0;
    let last = loop {
        let said = process.hear().await;
        if said["done"].is_u64() {
            done += 1;
        } else if said["failed"].is_string() {
            // Whatever failed, nothing was lost by it.
            let text = said["failed"].as_str().unwrap();
            assert_eq!(said["kind"], "local", "{text}");
            assert!(!text.contains("neither to the vault nor to its journal"), "{text}");
            failed += 1;
            fails_now += 1;
        } else if said["kept"].is_boolean() {
            keeps_now += 1;
        } else {
            break said;
        }
        if !is_away && done >= 100 + taken * 200 {
            away.take(&process).await;
            (is_away, fails_now, keeps_now, taken) = (true, 0, 0, taken + 1);
        } else if is_away && fails_now >= 40 && keeps_now > 0 {
            away.give_back(&process).await;
            is_away = false;
        }
    };
    if is_away {
        away.give_back(&process).await;
    }
    process.end().await;
    assert_eq!(done, SHOPS * rounds());
    let refreshed = world.refreshed().await;
    assert!(failed > 0 && taken > 1, "the store was away: {failed} failures, {taken} times");
    let journalled = last["journalled"].as_u64().unwrap();
    assert!(journalled > 0, "some answers came while the store was away");
    println!(
        "{refreshed} refreshes, the store away {taken} times: {journalled} answers by the journal, {failed} put off, none lost"
    );

    // A fresh process has the newest tokens of all shops, and the gateway takes their refresh tokens.
    let vault = spec.open().await;
    let mut stored = 0;
    for shop in 0..SHOPS {
        let account = vault.account(&name(shop)).await.unwrap();
        stored += u64::try_from(account.generation - 1).unwrap();
        let handle = vault.handle(&name(shop)).await.unwrap();
        let token = vault.token_of(&handle).await.unwrap();
        let access = &token.access;
        assert_eq!(last["tokens"][shop.to_string()], Json::from(mask(access.expose())), "shop {shop}");
        assert!(world.knows(access.expose()).await, "shop {shop}");
        vault.refresh(&name(shop)).await.unwrap();
    }
    // Whatever the gateway gave stands as one generation: none was skipped, none came twice.
    assert_eq!(stored, refreshed);
    vault.close().await;
    assert_eq!(leftovers(spec), Vec::<String>::new(), "the journal is empty");
}

/// What stands in journals, wherever their directory is.
fn leftovers(spec: &Spec) -> Vec<String> {
    let beside = spec.location.strip_prefix("sqlite:").and_then(|path| Path::new(path).parent());
    let mut files = Vec::new();
    for place in fs::read_dir(beside.unwrap_or(&spec.home)).unwrap() {
        let place = place.unwrap().path();
        if place.extension().is_some_and(|ending| ending == "journal") {
            files.extend(fs::read_dir(place).unwrap().map(|file| file.unwrap().path().display().to_string()));
        }
    }
    files
}

#[tokio::test]
async fn a_vault_that_cannot_be_written_loses_none_of_a_thousand_refreshes() {
    let world = World::start(Storage::Sqlite, "lazada", Dies, SHOPS).await;
    let spec = Spec { pace: 20, ..world.spec(Role::Storm) };
    refreshed_through(&world, &spec, &Away::Limit).await;
    world.sandbox.stop().await;
}

/// A file system of a few MiB, for this test alone. Nothing without the right to mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    async fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=12m,mode=700", "none"]).arg(at).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_loses_none_of_a_thousand_refreshes() {
    let world = World::start(Storage::Sqlite, "lazada", Dies, SHOPS).await;
    let Some(disk) = SmallDisk::mount(&world.directory.path().join("disk")).await else {
        println!("not run: no right to mount a file system of its own");
        return;
    };
    let location = format!("sqlite:{}", disk.0.join("vault.db").display());
    let spec = Spec { pace: 20, location, ..world.spec(Role::Storm) };
    refreshed_through(&world, &spec, &Away::Disk(disk.0.clone())).await;
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_database_server_that_is_killed_loses_none_of_a_thousand_refreshes() {
    let world = World::start(Storage::Sqlite, "lazada", Dies, SHOPS).await;
    let server = tokio::task::spawn_blocking(|| Server::start(&[]).unwrap()).await.unwrap();
    let location = server.database().by_tcp;
    let spec = Spec { pace: 20, location, ..world.spec(Role::Storm) };
    refreshed_through(&world, &spec, &Away::Server(Arc::new(server))).await;
    world.sandbox.stop().await;
}
