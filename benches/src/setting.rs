//! What the measurements have in common: a server in a process of its own, a client with a shop.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result};
use sesame_catalog::Environment;
use sesame_client::Client;
use sesame_core::{AccessToken, AppSecret, Clock, Transport};
use sesame_http::HttpTransport;
use sesame_vault::{ImportedTokens, KeyChoice, Location, NewApp, SystemClock, Vault, VaultOptions};

/// A process that ends with its owner.
pub(crate) struct Server {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Server {
    /// Starts a command and waits for its first line.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .context("the other side did not start")?;
        let mut said = String::new();
        let stdout = child.stdout.take().context("the other side has no output")?;
        BufReader::new(stdout).read_line(&mut said)?;
        Ok(Self { child, said: said.trim().to_owned() })
    }

    /// Starts this very program in another role.
    pub(crate) fn role(arguments: &[&str]) -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).args(arguments))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client whose platforms are all at one address.
pub(crate) struct Setting {
    pub(crate) client: Client,
    pub(crate) vault: Vault,
    pub(crate) transport: Arc<HttpTransport>,
    _home: tempfile::TempDir,
}

impl Setting {
    pub(crate) async fn new(url: &str) -> Result<Self> {
        Self::with_clock(url, Arc::new(SystemClock)).await
    }

    pub(crate) async fn with_clock(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let transport = Arc::new(HttpTransport::new());
        let vault = Vault::open(
            VaultOptions::new(
                Location::Sqlite(home.path().join("vault.db")),
                Arc::clone(&transport) as Arc<dyn Transport>,
            )
            .key(KeyChoice::File)
            .clock(clock)
            .environment(Environment::sandbox(url)?),
        )
        .await?;
        Ok(Self { client: Client::new(vault.clone()), vault, transport, _home: home })
    }

    /// Adds an app and a shop with a token that nobody checks.
    pub(crate) async fn shop(&self, platform: &str, secret: &str, token: &str) -> Result<()> {
        self.vault.add_app(NewApp::new(platform, "123456", AppSecret::new(secret)).name(platform)).await?;
        let now = SystemClock.now();
        let tokens = ImportedTokens::default()
            .access(AccessToken::new(token))
            .account_name(platform)
            .access_expires_at(now.checked_add(std::time::Duration::from_hours(2_400))?);
        self.vault.import_tokens(platform, tokens).await?;
        Ok(())
    }
}

/// CPU time of a process in seconds, user and system. Linux only.
pub(crate) fn cpu_seconds(process: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold spaces; after its bracket come the numbered fields from 3 on.
    let (_, fields) = stat.rsplit_once(')').context("no /proc/PID/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields.get(11).context("no utime")?.parse::<f64>()?
        + fields.get(12).context("no stime")?.parse::<f64>()?;
    // USER_HZ is 100 on every Linux that this runs on (man 5 proc).
    Ok(ticks / 100.0)
}

/// The most memory a process had, in megabytes.
pub(crate) fn peak_megabytes(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1_000.0)
}
