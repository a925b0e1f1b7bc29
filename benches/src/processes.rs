//! The command as people and scripts run it: a process from start to end.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    Effort,
    report::{Report, Target},
    setting::{Server, peak_megabytes},
};

/// The command in a home of its own, with all platforms in a sandbox.
struct Room {
    sesame: PathBuf,
    home: tempfile::TempDir,
    endpoint: String,
}

impl Room {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.sesame);
        command
            .args(arguments)
            .env("SESAME_HOME", self.home.path())
            .env("SESAME_ENDPOINT", &self.endpoint)
            .env_remove("SESAME_VAULT")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output()?;
        ensure!(output.status.success(), "sesame {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns the milliseconds from start to end, with the output thrown away.
    fn time(&self, arguments: &[&str]) -> Result<f64> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let status = command.status()?;
        let time = began.elapsed().as_secs_f64() * 1_000.0;
        ensure!(status.success(), "sesame {arguments:?}: {status}");
        Ok(time)
    }

    /// Returns the most memory a run had, looked up as often as possible while it lasts.
    fn peak(&self, arguments: &[&str]) -> Result<f64> {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut peak: f64 = 0.0;
        loop {
            if let Some(now) = peak_megabytes(child.id()) {
                peak = peak.max(now);
            }
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "sesame {arguments:?}: {status}");
                return Ok(peak);
            }
        }
    }
}

fn sesame() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("SESAME_BIN") {
        return Ok(named.into());
    }
    let beside = std::env::current_exe()?.with_file_name("sesame");
    ensure!(
        beside.exists(),
        "{} is not there: build it with `cargo build --release -p sesame-cli`, or set SESAME_BIN",
        beside.display()
    );
    Ok(beside)
}

fn sandbox(sesame: &Path, home: &Path, products: &str) -> Result<(Server, Value)> {
    let mut command = Command::new(sesame);
    command
        .args(["sandbox", "--json", "--auto-approve", "--listen", "127.0.0.1:0", "--products", products])
        .env("SESAME_HOME", home)
        .stderr(Stdio::null());
    let server = Server::start(&mut command)?;
    let description = serde_json::from_str(&server.said).context("the sandbox did not start")?;
    Ok((server, description))
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let sesame = sesame()?;
    let home = tempfile::tempdir()?;
    let (server, description) = sandbox(&sesame, home.path(), "10000")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let app = description["apps"]
        .as_array()
        .and_then(|apps| apps.iter().find(|app| app["platform"] == "lazada"))
        .context("the sandbox has no app of lazada")?;
    let room = Room { sesame, home, endpoint: text(&description["listen"]) };
    room.run(&[
        "app",
        "add",
        "lazada",
        "--name",
        "shop",
        "--key",
        &text(&app["app_key"]),
        "--secret",
        &text(&app["app_secret"]),
        "--redirect-uri",
        &text(&app["redirect_uri"]),
    ])?;
    room.run(&["login", "shop", "--as", "summer"])?;

    let runs: [(&str, &[&str], f64); 4] = [
        ("sesame --version", &["--version"], 5.0),
        ("sesame token", &["token", "summer"], 15.0),
        ("sesame apis show", &["apis", "show", "/products/get"], 15.0),
        ("sesame apis search", &["apis", "search", "update", "stock"], 25.0),
    ];
    let mut times = vec![Vec::new(); runs.len()];
    for _ in 0..effort.of(101) {
        for (times, (_, arguments, _)) in times.iter_mut().zip(&runs) {
            times.push(room.time(arguments)?);
        }
    }
    for (times, (what, _, target)) in times.into_iter().zip(&runs) {
        report.add("processes", *what, times, "ms", Target::AtMost(*target));
    }
    let call = ["call", "summer", "/products/get", "limit=50"];
    let mut peaks = Vec::new();
    for _ in 0..effort.of(21) {
        peaks.push(room.peak(&call)?);
    }
    report.add("processes", "sesame call, peak memory", peaks, "MB", Target::AtMost(25.0));
    room.run(&["call", "summer", "/products/get", "--all"])?;
    let peak = peak_megabytes(server.id()).context("no VmHWM")?;
    report.add(
        "processes",
        "sesame sandbox, 10,000 products a shop, peak memory",
        peak,
        "MB",
        Target::AtMost(120.0),
    );
    Ok(())
}
