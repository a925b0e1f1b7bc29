//! The parent's side: the sandbox, the moved clock, the children.

use std::{
    net::SocketAddr, os::unix::fs::FileExt as _, path::Path, process::Stdio, sync::Arc, time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sesame_catalog::{Catalog, Environment};
use sesame_core::{
    AppSecret, BoxFuture, Clock, HttpRequest, Transport as _,
    request::{HeaderValue, Method, header::CONTENT_TYPE},
};
use sesame_sandbox::{OldRefreshToken, Options, Sandbox};
use sesame_testing::postgres::Server;
use sesame_vault::{
    Account, Callback, KeyChoice, Location, LoginOptions, NewApp, SystemClock, Vault, VaultOptions,
    store::{Sink, SqlStore, Store},
};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    child::{Role, SPEC, Spec},
    support::{SocketTransport, all_events},
};

/// The clock of the machine, moved by as many milliseconds as a file says, for all who read it.
#[derive(Debug, Clone)]
pub struct SharedClock {
    file: Arc<std::fs::File>,
    /// Sleeping takes this part of its time: pauses are not what is tested.
    pace: u32,
}

impl SharedClock {
    pub fn open(path: &Path, pace: u32) -> Self {
        let mut options = std::fs::File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).unwrap();
        Self { file: Arc::new(file), pace }
    }

    fn ahead(&self) -> i64 {
        let mut bytes = [0; 8];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => i64::from_le_bytes(bytes),
            Err(_) => 0,
        }
    }

    /// Moves the clock of everybody; only one process at a time does.
    pub fn advance(&self, by: SignedDuration) {
        let ahead = self.ahead() + i64::try_from(by.as_millis()).unwrap();
        self.file.write_all_at(&ahead.to_le_bytes(), 0).unwrap();
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_millis(self.ahead())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(duration / self.pace)
    }

    fn random(&self, buffer: &mut [u8]) {
        SystemClock.random(buffer);
    }
}

/// Where the vault of a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    Sqlite,
    Postgres,
}

pub struct World {
    pub sandbox: Sandbox,
    location: String,
    pub directory: tempfile::TempDir,
    pub clock: SharedClock,
    platform: &'static str,
}

impl World {
    pub async fn start(
        store: Storage,
        platform: &'static str,
        policy: OldRefreshToken,
        shops: usize,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = match store {
            Storage::Sqlite => format!("sqlite:{}", directory.path().join("home/vault.db").display()),
            Storage::Postgres => Server::shared().database().by_tcp,
        };
        let clock = SharedClock::open(&directory.path().join("clock"), 1);
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            auto_approve: true,
            products: 1,
            shops,
            old_refresh_token: policy,
            ..Options::new(Arc::new(Catalog::builtin()), Arc::new(clock.clone()))
        };
        Self { sandbox: Sandbox::start(options).await.unwrap(), location, directory, clock, platform }
    }

    /// What a child is started with, to be completed.
    pub fn spec(&self, role: Role) -> Spec {
        Spec {
            role,
            location: self.location.clone(),
            home: self.directory.path().join("home"),
            endpoint: self.sandbox.url(),
            clock: self.directory.path().join("clock"),
            pace: 1,
        }
    }

    /// Returns `true` while a process holds the lock of the vault's file.
    pub async fn is_locked(&self) -> bool {
        if !self.location.starts_with("sqlite:") {
            return false;
        }
        let options: SqliteConnectOptions = self.location.parse().unwrap();
        let mut connection = options.busy_timeout(Duration::ZERO).connect().await.unwrap();
        let locked = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut connection).await.is_err();
        connection.close().await.unwrap();
        locked
    }

    pub async fn open(&self) -> Vault {
        self.spec(Role::Verify).open().await
    }

    /// Adds the sandbox's app of the platform.
    pub async fn add_app(&self, vault: &Vault) {
        let app = self.sandbox.describe().apps.into_iter().find(|app| app.platform == self.platform).unwrap();
        vault
            .add_app(
                NewApp::new(app.platform, app.app_key, AppSecret::new(app.app_secret.unwrap()))
                    .name("app")
                    .redirect_uri(app.redirect_uri),
            )
            .await
            .unwrap();
    }

    async fn control(&self, method: Method, path: &str, body: Json) -> Json {
        control(&self.sandbox.url(), method, path, body).await
    }

    /// From now on the gateway takes this long for each reply.
    pub async fn slow_down(&self, milliseconds: u64) {
        let rule = json!({"kind": "latency", "ms": milliseconds});
        self.control(Method::POST, "/_sandbox/faults", rule).await;
    }

    /// How many refreshes the gateway carried out.
    pub async fn refreshed(&self) -> u64 {
        let stats = self.control(Method::GET, "/_sandbox/stats", Json::Null).await;
        stats["tokens"]["refreshed"].as_u64().unwrap()
    }

    /// The kinds of the events that were written down, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let store = self.spec(Role::Verify).store().await;
        let events = all_events(store.as_ref(), Sink::Hook).await;
        store.close().await;
        events.into_iter().map(|event| event.kind).collect()
    }

    /// Tells whether the gateway has this access token on its books.
    pub async fn knows(&self, access: &str) -> bool {
        let end = json!({"token": access, "which": "access", "in_seconds": 3_600});
        self.control(Method::POST, "/_sandbox/tokens/expire", end).await["changed"] == 1
    }

    /// The gateway's own list of tokens of a kind that are alive, masked.
    pub async fn living(&self, kind: &str) -> Vec<String> {
        let list = self.control(Method::GET, "/_sandbox/tokens", Json::Null).await;
        let list = list["tokens"].as_array().unwrap();
        let living = list.iter().filter(|token| token["kind"] == kind && token["state"] == "alive");
        living.map(|token| token["token"].as_str().unwrap().to_owned()).collect()
    }
}

/// Asks the sandbox's control API.
pub async fn control(url: &str, method: Method, path: &str, body: Json) -> Json {
    let mut request = HttpRequest::new(method, format!("{url}{path}"));
    if !body.is_null() {
        request.body = body.to_string().into();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let reply = SocketTransport.send(request).await.unwrap();
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

/// Logs in as `sesame login` does: the sandbox redirects at once, the address is the callback.
pub async fn log_in(vault: &Vault, name: &str) -> Account {
    let options = LoginOptions::default().as_name(name);
    let login = vault.begin_login("app", options).await.unwrap();
    let page = HttpRequest::new(Method::GET, login.authorize_url.clone());
    let reply = SocketTransport.send(page).await.unwrap();
    vault
        .finish_login(&login, Callback::Url(reply.header("location").unwrap().to_owned()))
        .await
        .unwrap()
        .remove(0)
}

impl Spec {
    pub fn location(&self) -> Location {
        self.location.parse::<Location>().unwrap().at_home(&self.home)
    }

    pub fn options(&self) -> VaultOptions {
        VaultOptions::new(self.location(), Arc::new(SocketTransport))
            .key(KeyChoice::File)
            .clock(Arc::new(SharedClock::open(&self.clock, self.pace)))
            .catalog(Arc::new(Catalog::builtin()))
            .environment(Environment::sandbox(&self.endpoint).unwrap())
    }

    pub async fn open(&self) -> Vault {
        Vault::open(self.options()).await.unwrap()
    }

    pub async fn store(&self) -> Box<dyn Store> {
        Box::new(SqlStore::open(&self.location()).await.unwrap())
    }
}

/// A child process. Dropped, it is killed.
pub struct Process {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub fn start(spec: &Spec) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), spec)
    }

    /// Starts the child by another program, which is given the child's arguments.
    pub fn start_by(mut command: Command, spec: &Spec) -> Self {
        let mut child = command
            .args(["child::child", "--exact", "--ignored", "--nocapture"])
            .env(SPEC, serde_json::to_string(spec).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take().unwrap(), child, lines }
    }

    /// Returns the next thing that the child says.
    pub async fn hear(&mut self) -> Json {
        let next = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some((_, said)) = line.split_once("@@ ") {
                    return serde_json::from_str(said).unwrap();
                }
            }
            json!({"ended": true})
        };
        tokio::time::timeout(Duration::from_mins(2), next).await.expect("the child says something in time")
    }

    pub async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until the child ends by itself, and well.
    pub async fn end(mut self) {
        let status = tokio::time::timeout(Duration::from_mins(1), self.child.wait()).await;
        assert!(status.expect("the child ends in time").unwrap().success());
    }

    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().await;
        assert!(sent.unwrap().success());
    }
}
