//! Doubles for the vault's tests: a clock in virtual time, a scripted transport, a store that fails.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    clippy::missing_fields_in_debug,
    clippy::new_without_default,
    reason = "each test file uses its own part of it, and a double that cannot go on may panic"
)]

mod flaky;
mod gateway;
pub mod param2;
mod socket;
mod storage;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

pub use flaky::{Breakdown, FlakyStore, Pause};
pub use gateway::{IopService, Policy, refresh as refresh_token};
use jiff::Timestamp;
use sesame_catalog::{Catalog, Environment};
use sesame_core::{AppSecret, BoxFuture, Clock, HttpRequest, HttpResponse, Result, Transport};
use sesame_testing::postgres;
use sesame_vault::{
    App, Callback, Database, KeyChoice, Location, LoginOptions, NewApp, Vault, VaultOptions,
    store::{DueClaim, EventRow, HOLDS_BACK, Sink, SqlStore, Store},
};
pub use socket::SocketTransport;
pub use storage::{Storage, with_storage};
use tokio::sync::{Semaphore, watch};

/// 2026-11-22T00:00:00Z.
pub const START: i64 = 1_795_305_600_000;

/// A clock that moves when told to. Clones are one clock.
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<ClockState>);

#[derive(Debug)]
struct ClockState {
    now: watch::Sender<i64>,
    /// True: sleeping moves the time itself.
    auto: AtomicBool,
    random: AtomicU64,
}

impl FakeClock {
    pub fn new() -> Self {
        Self(Arc::new(ClockState {
            now: watch::Sender::new(START),
            auto: AtomicBool::new(true),
            random: AtomicU64::new(1),
        }))
    }

    /// From now on sleepers wait for [`FakeClock::advance`].
    pub fn manual(self) -> Self {
        self.0.auto.store(false, Ordering::SeqCst);
        self
    }

    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.0.now.send_modify(|now| *now += by);
    }

    /// As somebody does who sees that the clock is wrong.
    pub fn set_back(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.0.now.send_modify(|now| *now -= by);
    }

    pub fn advance_secs(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(*self.0.now.borrow()).unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let state = self.0.clone();
        let until = *state.now.borrow() + i64::try_from(duration.as_millis()).unwrap();
        Box::pin(async move {
            if state.auto.load(Ordering::SeqCst) {
                // Long waits (the listener's patience) never end by themselves.
                if duration > Duration::from_mins(10) {
                    std::future::pending::<()>().await;
                }
                tokio::task::yield_now().await;
                state.now.send_modify(|now| *now = (*now).max(until));
                return;
            }
            let mut now = state.now.subscribe();
            let _ = now.wait_for(|now| *now >= until).await;
        })
    }

    fn random(&self, buffer: &mut [u8]) {
        // splitmix64: different for each call, the same in each run.
        for chunk in buffer.chunks_mut(8) {
            let mut z = self.0.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A request as a test looks at it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub url: String,
    pub form: BTreeMap<String, String>,
    pub timeout: Duration,
}

type Handler = dyn Fn(&Seen) -> Result<HttpResponse> + Send + Sync;

/// A transport that answers by a closure, counts, and can be held back.
#[derive(Clone)]
pub struct FakeTransport {
    handler: Arc<Mutex<Arc<Handler>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    gate: Arc<Semaphore>,
    gated: Arc<AtomicBool>,
    arrived: Arc<watch::Sender<usize>>,
}

impl FakeTransport {
    pub fn new(handler: impl Fn(&Seen) -> Result<HttpResponse> + Send + Sync + 'static) -> Self {
        Self {
            handler: Arc::new(Mutex::new(Arc::new(handler))),
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            gated: Arc::default(),
            arrived: Arc::new(watch::Sender::new(0)),
        }
    }

    pub fn json(body: &'static str) -> Self {
        Self::new(move |_| Ok(reply(200, body)))
    }

    pub fn answer(&self, handler: impl Fn(&Seen) -> Result<HttpResponse> + Send + Sync + 'static) {
        *self.handler.lock().unwrap() = Arc::new(handler);
    }

    /// Answers as the closure does, without counting.
    pub fn ask(&self, seen: &Seen) -> Result<HttpResponse> {
        let handler = self.handler.lock().unwrap().clone();
        handler(seen)
    }

    /// Holds answers back until [`FakeTransport::open_gate`]. The request has arrived by then.
    pub fn close_gate(&self) {
        self.gated.store(true, Ordering::SeqCst);
    }

    /// Holds nothing back that comes from now on; what waits goes on waiting.
    pub fn leave_gate(&self) {
        self.gated.store(false, Ordering::SeqCst);
    }

    pub fn open_gate(&self) {
        self.gated.store(false, Ordering::SeqCst);
        self.gate.add_permits(1_000);
    }

    /// Waits until that many requests have arrived.
    pub async fn arrivals(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        tokio::time::timeout(Duration::from_secs(20), arrived.wait_for(|now| *now >= count))
            .await
            .expect("the requests arrive")
            .unwrap();
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Transport for FakeTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        Box::pin(async move {
            let form = form_urlencoded::parse(&request.body).into_owned().collect();
            let seen = Seen { url: request.url.clone(), form, timeout: request.timeout };
            let handler = self.handler.lock().unwrap().clone();
            // The gateway acts when the request arrives; only its answer is held back.
            let answer = handler(&seen);
            self.seen.lock().unwrap().push(seen);
            self.arrived.send_modify(|count| *count += 1);
            if self.gated.load(Ordering::SeqCst) {
                self.gate.acquire().await.unwrap().forget();
            }
            answer
        })
    }
}

pub fn reply(status: u16, body: impl Into<String>) -> HttpResponse {
    HttpResponse::new(status, body.into())
}

/// A vault in a directory of its own.
pub struct Home {
    pub directory: tempfile::TempDir,
    database: Option<(&'static postgres::Server, String, Database)>,
    pub clock: FakeClock,
    pub transport: FakeTransport,
    pub catalog: Arc<Catalog>,
}

impl Home {
    pub fn new(transport: FakeTransport) -> Self {
        Self::on(transport, postgres::Server::shared)
    }

    /// One whose database has no neighbors: all bytes of its server are read.
    pub fn alone(transport: FakeTransport) -> Self {
        // As the shared one, it ends with this process.
        Self::on(transport, || Box::leak(Box::new(postgres::Server::start(&[]).unwrap())))
    }

    fn on(transport: FakeTransport, server: impl FnOnce() -> &'static postgres::Server) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            database: (storage::current() == Storage::Postgres).then(|| {
                let server = server();
                let fresh = server.database();
                (server, fresh.name.clone(), Database::parse(&fresh.by_socket).unwrap())
            }),
            clock: FakeClock::new(),
            transport,
            catalog: Arc::new(Catalog::builtin()),
        }
    }

    /// The same once more, with its clock, as it stands: a vault that nobody has open.
    pub fn twin(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir(&home).unwrap();
        for file in std::fs::read_dir(self.directory.path().join("home")).unwrap().map(Result::unwrap) {
            if file.path().is_file() {
                std::fs::copy(file.path(), home.join(file.file_name())).unwrap();
            }
        }
        let database = self.database.as_ref().map(|(server, name, _)| {
            let copy = server.copy(name);
            (*server, copy.name.clone(), Database::parse(&copy.by_socket).unwrap())
        });
        let (clock, transport) = (self.clock.clone(), self.transport.clone());
        let twin = Self { directory, database, clock, transport, catalog: self.catalog.clone() };
        // Named after the database.
        let _ = std::fs::rename(home.join(self.key_file().file_name().unwrap()), twin.key_file());
        twin
    }

    /// Runs statements on the vault's database, whose tables are in the schema named first.
    pub async fn sql(&self, statements: &str) {
        if let Some((server, name, _)) = &self.database {
            server.sql(name, &format!("SET search_path = sesame; {statements}"));
            return;
        }
        let address = format!("sqlite:{}", self.path().display());
        let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&address).await.unwrap();
        let statements = sqlx::AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    }

    /// Every byte of its files, those of its database among them.
    pub fn all_bytes(&self) -> Vec<u8> {
        let mut bytes = all_bytes(self.directory.path());
        if let Some((server, name, _)) = &self.database {
            server.sql(name, "CHECKPOINT");
            bytes.extend(all_bytes(&server.data()));
        }
        bytes
    }

    /// Where its key file is.
    pub fn key_file(&self) -> std::path::PathBuf {
        self.location().key_file().unwrap()
    }

    pub fn is_in_postgresql(&self) -> bool {
        self.database.is_some()
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("home/vault.db")
    }

    pub fn location(&self) -> Location {
        match &self.database {
            None => Location::Sqlite(self.path()),
            Some((_, _, database)) => {
                Location::Postgres(Box::new(database.clone())).at_home(self.directory.path().join("home"))
            }
        }
    }

    pub fn options(&self) -> VaultOptions {
        VaultOptions::new(self.location(), Arc::new(self.transport.clone()))
            .key(KeyChoice::File)
            .clock(Arc::new(self.clock.clone()))
            .catalog(self.catalog.clone())
    }

    pub fn sandboxed(&self) -> VaultOptions {
        self.options().environment(Environment::sandbox("http://127.0.0.1:4600").unwrap())
    }

    /// The vault's store, opened once more.
    pub async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqlStore::open(&self.location()).await.unwrap())
    }

    /// The files of its journal in which replies wait: the first byte of a record says so.
    pub fn waiting(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self.journal()).into_iter().flatten().map(|file| file.unwrap().path());
        files.filter(|path| records(&std::fs::read(path).unwrap()).contains(&1)).collect()
    }

    /// Where its journal is, or will be.
    pub fn journal(&self) -> std::path::PathBuf {
        self.key_file().with_extension("journal")
    }

    pub async fn open(&self) -> Vault {
        Vault::open(self.options()).await.unwrap()
    }
}

pub const SECRET: &str = "planted0app0secret0of0the0tests";

pub async fn app(vault: &Vault, platform: &str) -> App {
    add_app(vault, platform, None).await
}

pub async fn add_app(vault: &Vault, platform: &str, redirect_uri: Option<&str>) -> App {
    let redirect_uri = redirect_uri.map(str::to_owned);
    vault.add_app(redirect_uri.into_iter().fold(new_app(platform), NewApp::redirect_uri)).await.unwrap()
}

pub async fn named_app(vault: &Vault, platform: &str, name: &str) -> App {
    vault.add_app(new_app(platform).name(name)).await.unwrap()
}

fn new_app(platform: &str) -> NewApp {
    NewApp::new(platform, "500100", AppSecret::new(SECRET))
}

/// The callback that a platform would send the browser to.
pub fn callback(login: &sesame_vault::Login, code: &str) -> Callback {
    Callback::Url(format!("{}?code={code}&state={}", login.redirect_uri, login.state))
}

pub async fn log_in(vault: &Vault, app: &str, options: LoginOptions) -> Result<Vec<sesame_vault::Account>> {
    let login = vault.begin_login(app, options).await?;
    vault.finish_login(&login, callback(&login, "0_100132_code")).await
}

/// An open vault with the shops `one` and `two` of Lazada, 1001 and 2002; the gateway goes on as 2002.
pub async fn two_shops() -> (Home, IopService, Vault) {
    let mut home = Home::new(FakeTransport::json("{}"));
    let service = IopService::new(Policy::Lives, &home.clock);
    home.transport = service.transport();
    let vault = home.open().await;
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("one")).await.unwrap();
    service.become_seller("2002");
    log_in(&vault, "lazada", as_name("two")).await.unwrap();
    (home, service, vault)
}

pub fn as_name(name: &str) -> LoginOptions {
    LoginOptions::default().as_name(name)
}

/// Every byte of every file under a directory.
pub fn all_bytes(directory: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(all_bytes(&path));
        } else {
            out.extend(std::fs::read(&path).unwrap());
        }
    }
    out
}

pub fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// All events that a sink has not taken, oldest first. An event of a shop holds back the later ones until
/// it was refused for good, which is what happens to it here.
pub async fn all_events(store: &dyn Store, sink: Sink) -> Vec<EventRow> {
    let now = i64::MAX / 2;
    let mut all: Vec<EventRow> = Vec::new();
    loop {
        let claim = DueClaim { owner: "a test", now, until: now, limit: 1_000_000 };
        let claimed = store.claim_events(sink, 0, claim).await.unwrap();
        let known = all.len();
        for due in claimed {
            if all.iter().any(|known| known.id == due.event.id) {
                continue;
            }
            for _ in due.attempts..HOLDS_BACK {
                store.event_failed(due.event.id, sink, due.fence, 0).await.unwrap();
            }
            all.push(due.event);
        }
        if all.len() == known {
            all.sort_by_key(|event| (event.at, event.id));
            return all;
        }
    }
}

/// The states of the records of a journal's file: 1 waits, 2 is done.
fn records(file: &[u8]) -> Vec<u8> {
    let mut states = Vec::new();
    let mut at = 0;
    while let Some(header) = file.get(at..at + 32).filter(|header| header[0] != 0) {
        states.push(header[0]);
        let length = u64::from_le_bytes(header[8..16].try_into().unwrap());
        at = (at + 32 + usize::try_from(length).unwrap()).next_multiple_of(32);
    }
    states
}

/// A file of a journal with one reply in it, which nobody can open.
pub fn journal_file(id: sesame_vault::Id) -> Vec<u8> {
    let body = [7; 64];
    let mut file = vec![0; 16 << 10];
    file[0] = 1;
    file[8..16].copy_from_slice(&(body.len() as u64).to_le_bytes());
    file[16..32].copy_from_slice(id.as_bytes());
    file[32..32 + body.len()].copy_from_slice(&body);
    file
}
