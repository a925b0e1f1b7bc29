//! A throw-away PostgreSQL server from this machine's binaries.
//!
//! It lives in a temporary directory, listens on a socket there and on a free port of 127.0.0.1, and
//! ends with the process that started it, however that ends. No server that is there already is used.

use std::{
    fs,
    io::{self, Write as _},
    net::TcpListener,
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The owner of everything in the server.
pub const USER: &str = "sesame";
/// Its password over TCP. The socket asks for none.
pub const PASSWORD: &str = "planted0database0password";

/// How long the server may take to start, on a machine that is busy.
const STARTING: Duration = Duration::from_mins(1);
/// What is to be run where the binaries are missing.
const INSTALL: &str = "sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql";

/// A running server.
#[derive(Debug)]
pub struct Server {
    binaries: PathBuf,
    directory: TempDir,
    account: Option<Account>,
    port: u16,
    settings: Vec<String>,
    running: Mutex<Option<Child>>,
    databases: AtomicUsize,
}

/// Another user of this machine: a server refuses to run as root.
#[derive(Debug, Clone)]
struct Account {
    uid: u32,
    gid: u32,
}

/// A fresh database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its address by the socket, without a password.
    pub by_socket: String,
    /// Its address by TCP, with the password.
    pub by_tcp: String,
}

impl Server {
    /// Returns the one server of this process; the first call starts it.
    ///
    /// # Panics
    /// When it cannot be started; a missing PostgreSQL is named with the line to run.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| match Self::start(&[]) {
            Ok(server) => server,
            Err(why) => panic!("no PostgreSQL for the tests: {why}"),
        })
    }

    /// Starts a server; each setting is `name=value` of `postgresql.conf`. Takes some two seconds.
    ///
    /// # Errors
    /// For people, when it cannot be started.
    pub fn start(settings: &[&str]) -> Result<Self, String> {
        Self::start_in(&std::env::temp_dir(), settings)
    }

    /// As [`Server::start`], with its data in a directory within `parent`, e.g. on a small disk.
    ///
    /// # Errors
    /// For people, when it cannot be started.
    pub fn start_in(parent: &Path, settings: &[&str]) -> Result<Self, String> {
        Self::start_with(parent, settings, &[])
    }

    /// Starts a server that speaks TLS with this certificate and key, in PEM.
    ///
    /// # Errors
    /// For people, when it cannot be started.
    pub fn start_tls(certificate: &str, key: &str) -> Result<Self, String> {
        // The names are as the server sees them, from its data.
        let settings = ["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key"];
        let files = [("server.crt", certificate), ("server.key", key)];
        Self::start_with(&std::env::temp_dir(), &settings, &files)
    }

    fn start_with(parent: &Path, settings: &[&str], files: &[(&str, &str)]) -> Result<Self, String> {
        let binaries = find_binaries().ok_or_else(|| format!("initdb is not installed. Run: {INSTALL}"))?;
        let failed = |what: &str, error: &io::Error| format!("{what}: {error}");
        let directory = tempfile::Builder::new()
            .prefix("sesame-pg-")
            .tempdir_in(parent)
            .map_err(|error| failed("no temporary directory", &error))?;
        let port = free_port().map_err(|error| failed("no free port", &error))?;
        let server = Self {
            binaries,
            directory,
            account: other_account()?,
            port,
            settings: settings.iter().map(ToString::to_string).collect(),
            running: Mutex::default(),
            databases: AtomicUsize::new(1),
        };
        server.give_away(server.directory.path())?;
        for (name, content) in files {
            server.write(name, content)?;
        }
        server.make()?;
        server.run()?;
        Ok(server)
    }

    /// Makes a file or directory the server's.
    fn give_away(&self, path: &Path) -> Result<(), String> {
        let Some(Account { uid, gid }) = self.account else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .map_err(|error| format!("{} cannot be given away: {error}", path.display()))
    }

    /// Writes a file that the server alone can read.
    fn write(&self, name: &str, content: &str) -> Result<PathBuf, String> {
        let path = self.directory.path().join(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(|error| format!("{name}: {error}"))?;
        self.give_away(&path)?;
        Ok(path)
    }

    /// Returns the directory of its data.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Runs a program as the server's user, in the server's directory.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        // Settings of whoever runs the tests would reach the server, too.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG") || name.starts_with("LC_")) {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").current_dir(self.directory.path());
        command
    }

    fn make(&self) -> Result<(), String> {
        let password = self.write("password", PASSWORD)?;
        let mut initdb = self.command(self.binaries.join("initdb"));
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8"]);
        initdb.args(["--username", USER, "--pgdata"]).arg(self.data()).arg("--pwfile").arg(&password);
        let made = initdb.output().map_err(|error| format!("initdb: {error}"))?;
        if made.status.success() {
            return Ok(());
        }
        Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)))
    }

    /// Starts the server process, after [`Server::kill`] again, and waits until it answers.
    ///
    /// # Errors
    /// For people, with the end of its log.
    pub fn run(&self) -> Result<(), String> {
        // The shell waits for a word or for the end of its input, which is the end of this process,
        // and takes the server along; without a word its files, too.
        let script = r#"
            "$@" </dev/null >>server.log 2>&1 &
            server=$!
            echo $server >server.pid
            read word
            kill -QUIT $server 2>/dev/null
            wait $server
            [ "$word" = keep ] || rm -rf "$PWD"
        "#;
        let mut shell = self.command("/bin/sh");
        shell.args(["-c", script, "sh"]).arg(self.binaries.join("postgres")).arg("-D").arg(self.data());
        let socket = format!("unix_socket_directories={}", self.directory.path().display());
        let port = format!("port={}", self.port);
        let fixed = [
            "listen_addresses=127.0.0.1",
            &port,
            &socket,
            "max_connections=200",
            "shared_buffers=32MB",
            "wal_level=minimal",
            "max_wal_senders=0",
            "fsync=on",
        ];
        for setting in fixed.into_iter().chain(self.settings.iter().map(String::as_str)) {
            shell.args(["-c", setting]);
        }
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        // A group of its own: Ctrl-C is for the tests.
        let child = shell
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("the shell that watches the server: {error}"))?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let begun = Instant::now();
        while begun.elapsed() < STARTING {
            // Its last line is "ready" once connections are taken.
            let about = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if about.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            pause();
        }
        let log = self.log();
        let end: Vec<&str> = log.lines().rev().take(10).collect();
        Err(format!("it did not start within {} s: {end:?}", STARTING.as_secs()))
    }

    /// Returns the number of the server's first process; the others are its children.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.directory.path().join("server.pid")).unwrap_or_default();
        text.trim().parse().expect("the server runs")
    }

    /// Ends the server at once, as a crash does: `KILL` for the first process, at which the others
    /// end by themselves. Waits until all are gone. [`Server::run`] starts it again.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&self) {
        let first = self.pid();
        let mut processes = children(first);
        processes.push(first);
        let killed = Command::new("kill").args(["-KILL", &first.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server is killed");
        let begun = Instant::now();
        while processes.iter().any(|process| is_running(*process)) {
            assert!(begun.elapsed() < STARTING, "the server's processes end");
            pause();
        }
        self.let_go();
    }

    /// Ends the shell, and with it the server if it still runs.
    fn let_go(&self) {
        let child = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            if let Some(mut input) = child.stdin.take() {
                let _ = input.write_all(b"keep\n");
            }
            let _ = child.wait();
        }
    }

    /// Makes a fresh database.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.named(&name)
    }

    /// Makes a database that holds what another one holds, to which nobody is connected.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn copy(&self, from: &str) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {from}"));
        self.named(&name)
    }

    /// Returns the addresses of a database that may be there or not.
    pub fn named(&self, name: &str) -> Database {
        let socket = self.directory.path().display();
        let port = self.port;
        Database {
            name: name.to_owned(),
            by_socket: format!("postgres://{USER}@/{name}?host={socket}&port={port}"),
            by_tcp: format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}"),
        }
    }

    /// Runs statements by `psql` and returns what it prints, without headings.
    ///
    /// # Panics
    /// When one fails.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = self.command(self.binaries.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg("--host").arg(self.directory.path()).args(["--port", &self.port.to_string()]);
        psql.args(["--username", USER, "--dbname", database, "--command", statements]);
        let said = psql.stdin(Stdio::null()).output().expect("psql runs");
        assert!(said.status.success(), "{statements}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    /// Returns what it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default()
    }

    /// Returns the CPU time of all its processes in seconds, user and system.
    pub fn cpu_seconds(&self) -> f64 {
        let first = self.pid();
        let mut all = children(first);
        all.push(first);
        all.into_iter().filter_map(ticks).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Finds the binaries of the newest version there is.
fn find_binaries() -> Option<PathBuf> {
    let complete =
        |place: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| place.join(name).exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("SESAME_POSTGRES_BIN").map(PathBuf::from);
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, place)| place);
    named.into_iter().chain(debian).chain(std::env::split_paths(&path)).find(complete)
}

/// Finds another user when this one is root.
fn other_account() -> Result<Option<Account>, String> {
    use std::os::unix::fs::MetadataExt as _;
    let me = fs::metadata("/proc/self").map_or(1, |about| about.uid());
    if me != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |wanted: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
            (fields[0] == wanted).then_some(Account { uid, gid })
        })
    };
    let found = find("postgres").or_else(|| find("nobody"));
    found.map(Some).ok_or_else(|| {
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody".to_owned()
    })
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for, in its time")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

fn stat(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold spaces; after its bracket come the numbered fields from 3 on.
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn is_running(process: u32) -> bool {
    stat(process).is_some_and(|fields| fields.first().is_some_and(|state| state != "Z" && state != "X"))
}

#[expect(clippy::cast_precision_loss, reason = "some thousand ticks")]
fn ticks(process: u32) -> Option<f64> {
    let fields = stat(process)?;
    // Own time and that of children that ended; USER_HZ is 100 on every Linux that this runs on.
    let all: u64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(all as f64 / 100.0)
}

fn children(of: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| {
            stat(*process).is_some_and(|fields| fields.get(1).is_some_and(|parent| *parent == of.to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_survives_being_killed_and_ends() {
        let server = Server::start(&[]).unwrap();
        let database = server.database();
        server.sql(&database.name, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (42)");
        let first = server.pid();
        server.kill();
        assert!(!is_running(first));
        server.run().unwrap();
        assert_eq!(server.sql(&database.name, "SELECT x FROM kept").trim(), "42");
        assert!(server.cpu_seconds() > 0.0);
        let (second, directory) = (server.pid(), server.directory.path().to_owned());
        drop(server);
        assert!(!is_running(second) && !directory.exists());
    }
}
