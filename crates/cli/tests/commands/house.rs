//! A temporary home and a running sandbox, and commands run in them.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use sesame_catalog::Catalog;
use sesame_core::{HttpRequest, Transport as _, request::Method};
use sesame_http::HttpTransport;
use sesame_sandbox::{Description, Options, Sandbox};
use sesame_vault::SystemClock;

/// Variables that choose another place for the master key than the file.
const KEYS: [&str; 2] = ["SESAME_PASSPHRASE", "SESAME_MASTER_KEY"];

/// A home without a sandbox, or with one.
pub(crate) struct House {
    home: tempfile::TempDir,
    sandbox: Option<Running>,
    environment: Vec<(String, String)>,
}

struct Running {
    url: String,
    known: Description,
    /// Dropped last: the sandbox lives on its threads.
    runtime: tokio::runtime::Runtime,
    _sandbox: Sandbox,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl House {
    /// A home, and nothing else.
    pub(crate) fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, sandbox: None, environment: Vec::new() }
    }

    /// A home and a sandbox that approves by itself.
    pub(crate) fn with_sandbox() -> Self {
        Self::with(|_| {})
    }

    /// A home and a sandbox with other options.
    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(Arc::new(Catalog::builtin()), Arc::new(SystemClock));
        options.listen = "127.0.0.1:0".parse().unwrap();
        options.auto_approve = true;
        options.shops = 1;
        options.products = 35;
        change(&mut options);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let mut house = Self::empty();
        house.sandbox =
            Some(Running { url: sandbox.url(), known: sandbox.describe(), runtime, _sandbox: sandbox });
        house
    }

    /// A sandbox, and an account `NAME` of an app `PLATFORM` on each of these platforms.
    pub(crate) fn with_accounts(accounts: &[(&str, &str)]) -> Self {
        Self::with_sandbox().and_accounts(accounts)
    }

    /// Adds apps and authorizes shops.
    pub(crate) fn and_accounts(self, accounts: &[(&str, &str)]) -> Self {
        for (platform, name) in accounts {
            self.add_app(platform);
            self.run(&["login", platform, "--as", name]).succeeds();
        }
        self
    }

    /// Adds the sandbox's app of a platform, under the platform's name.
    pub(crate) fn add_app(&self, platform: &str) {
        let (key, secret) = self.app(platform);
        self.run_with(&["app", "add", platform, "--key", &key, "--secret-stdin"], &secret).succeeds();
    }

    /// Returns key and secret of the sandbox's app.
    pub(crate) fn app(&self, platform: &str) -> (String, String) {
        let apps = &self.sandbox.as_ref().unwrap().known.apps;
        let app = apps.iter().find(|app| app.platform == platform).unwrap();
        (app.app_key.clone(), app.app_secret.clone().unwrap())
    }

    /// Returns the login name of the sandbox's first shop on a platform.
    pub(crate) fn shop(&self, platform: &str) -> String {
        let shops = &self.sandbox.as_ref().unwrap().known.shops;
        shops.iter().find(|shop| shop.platform == platform).unwrap().login.clone()
    }

    /// Returns the sandbox's address.
    pub(crate) fn url(&self) -> &str {
        &self.sandbox.as_ref().unwrap().url
    }

    /// Asks the sandbox's control API, or gives it something.
    pub(crate) fn control(&self, path: &str, given: Option<serde_json::Value>) -> serde_json::Value {
        let sandbox = self.sandbox.as_ref().unwrap();
        let url = format!("{}/_sandbox/{path}", sandbox.url);
        let request = match given {
            Some(json) => HttpRequest::json(url, json.to_string()),
            None => HttpRequest::new(Method::GET, url),
        };
        let reply = sandbox.runtime.block_on(HttpTransport::new().send(request)).unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Returns the home.
    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Sets a variable for all commands from here on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Writes a file into the home's neighborhood and returns its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let directory = self.home.path().join("files");
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Prepares a command in this house and nothing of the outer environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sesame"));
        command.args(arguments).env_clear().current_dir(self.home.path());
        command.env("SESAME_HOME", self.home.path()).env("TZ", "Asia/Shanghai");
        let has_key = self.environment.iter().any(|(name, _)| KEYS.contains(&name.as_str()));
        if !has_key {
            command.env("SESAME_KEY", "file");
        }
        command.env("HOME", self.home.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some(sandbox) = &self.sandbox {
            command.env("SESAME_ENDPOINT", &sandbox.url);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command without input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, "")
    }

    /// Runs a command with this input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read may have gone before all was written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a line in a shell, in the environment that commands get.
    #[cfg(unix)]
    pub(crate) fn shell(&self, line: &str) -> Done {
        let template = self.command(&[]);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).env_clear().stdin(Stdio::null());
        command.current_dir(template.get_current_dir().unwrap());
        command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command and shows all of it, with what differs from run to run replaced.
    pub(crate) fn show(&self, arguments: &[&str]) -> String {
        self.show_with(arguments, "")
    }

    /// The same with input.
    pub(crate) fn show_with(&self, arguments: &[&str], input: &str) -> String {
        let done = self.run_with(arguments, input);
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        let code = done.code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        let text = format!(
            "$ sesame {}\n[exit {code}]\n--- stdout\n{}--- stderr\n{}",
            words.join(" "),
            ended(&done.stdout),
            ended(&done.stderr)
        );
        let text = text.replace(&self.home.path().display().to_string(), "[HOME]");
        match &self.sandbox {
            Some(sandbox) => text.replace(&sandbox.url, "http://127.0.0.1:[PORT]"),
            None => text,
        }
    }
}

impl Done {
    /// Fails the test unless the command ended well.
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the command ended with this code.
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Reads standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Reads the error that `--output json` prints.
    pub(crate) fn error(&self) -> serde_json::Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stderr))["error"]
            .clone()
    }
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '{', '"', '<', '\n']) { format!("'{word}'") } else { word.to_owned() }
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}(no line break)\n") }
}

/// All files below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { out.extend(files_below(&path)) } else { out.push(path) }
    }
    out
}

/// Replaces times and ids, so that snapshots stay the same.
#[macro_export]
macro_rules! snapshot {
    ($name:expr, $text:expr) => {
        insta::with_settings!({filters => vec![
            (r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+)?( ?[+-]\d{4}|Z)?", "[TIME]"),
            (r"\b\d{4}-\d{2}-\d{2}T[\d:]*…", "[TIME]…"),
            (r"\b\d{4}-\d{2}-\d{2}\b", "[DAY]"),
            (r"\b20\d{15}[+-]\d{4}\b", "[TIME]"),
            (r"\b2101179[0-9a-f]{15,}\b", "[REQUEST]"),
            (r"\b\d+ (days|h \d+ min|h|min|ms)\b", "[SPAN]"),
            (r#""(timestamp|[a-z_]*seconds_left)": \d+"#, r#""$1": [NUMBER]"#),
            (r"timestamp=?\d{13}", "timestamp=[TIME]"),
            // One token in sixty ends as a signature may: what stands before tells them apart.
            (r"(sign\W{1,4})[0-9A-F]{3}…[0-9A-F]{3}", "$1[SIGNATURE]"),
            (r"[^\s,]+@[^\s,]+, pid \d+", "[WHO]"),
            (r"50\d…[A-Za-z0-9_-]{3}", "[TOKEN]"),
            (r"[0-9A-F]{3}…[0-9A-F]{3}", "[SIGNATURE]"),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}\b", "[ID]"),
            (r"\b20\d{6}-\d{6}-[0-9a-f]{6}\b", "[JOB]"),
            (r"_sandbox/refusals/r\d+", "_sandbox/refusals/[ID]"),
        ], prepend_module_to_snapshot => false, snapshot_path => "../snapshots"}, {
            insta::assert_snapshot!($name, $text);
        });
    };
}
