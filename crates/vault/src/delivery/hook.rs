//! Events for a command on this machine.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::Stdio,
    time::Duration,
};

use sesame_core::{Clock, Error, Fault, Result, Retry, mask::mask_text, scalar::printable};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    task::JoinHandle,
};

/// How much of what a hook prints is kept for the log: 4 KiB of each output.
const KEPT_OUTPUT: usize = 4 << 10;
/// How long output is waited for after the hook ended: something that it left behind may hold it.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long the end of a killed hook is waited for.
const KILLING: Duration = Duration::from_secs(5);

/// The variables of ours that a hook may see. All others hold secrets, or may hold them tomorrow.
const SHOWN: [&str; 6] =
    ["SESAME_HOME", "SESAME_ENDPOINT", "SESAME_OUTPUT", "SESAME_TIMEOUT", "SESAME_LOG", "SESAME_KEY"];
/// Variables of others by which we may have been given secrets.
const HIDDEN: [&str; 2] = ["PGPASSWORD", "PGPASSFILE"];

/// A command that was found.
pub(super) struct Hook {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Hook {
    pub(super) fn new(words: Vec<OsString>) -> Result<Self> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or_else(|| {
            Error::usage("the hook names no command")
                .with_hint("Give the command and its arguments, each as a word.")
        })?;
        runnable(&program).map_err(|why| {
            Error::usage(format!("the hook {} {why}", program.display()))
                .with_hint("It is run without a shell: name a program, with its path or one that PATH finds, that may be executed.")
        })?;
        Ok(Self { program, arguments: words.collect() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        for (name, value) in env::vars_os() {
            if is_private(&name, &value) {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // A group of its own: Ctrl-C at our terminal is not for it, and what it starts ends with it.
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    /// Runs the command with an event on its standard input.
    pub(super) async fn deliver(&self, clock: &dyn Clock, payload: &str, timeout: Duration) -> Result<()> {
        let mut child = self.command().spawn().map_err(|error| {
            failed(format!("the hook {} cannot be started: {error}", self.program.display()))
        })?;
        let group = child.id();
        let output = [child.stdout.take().map(keep), child.stderr.take().map(keep)];
        let stdin = child.stdin.take();
        let work = async {
            let write = async {
                if let Some(mut stdin) = stdin {
                    // A hook may end without reading; its code says whether that was meant.
                    let _ = stdin.write_all(payload.as_bytes()).await;
                    let _ = stdin.write_all(b"\n").await;
                }
            };
            // Its end counts, whether it has read or not.
            tokio::pin!(write);
            tokio::select! {
                status = child.wait() => status,
                () = &mut write => child.wait().await,
            }
        };
        let status = tokio::select! {
            biased;
            status = work => Some(status),
            () = clock.sleep(timeout) => None,
        };
        if status.is_none() {
            kill(&mut child, group, clock).await;
        }
        for (name, task) in ["stdout", "stderr"].into_iter().zip(output) {
            log(name, task, clock).await;
        }
        match status {
            None => Err(failed(format!(
                "the hook {} did not end within {} s and was killed",
                self.program.display(),
                timeout.as_secs()
            ))),
            Some(Err(error)) => Err(failed(format!("could not read the hook's exit status: {error}"))),
            Some(Ok(status)) if status.success() => Ok(()),
            Some(Ok(status)) => Err(failed(format!("the hook did not accept the event: {status}"))),
        }
    }
}

fn failed(message: String) -> Error {
    Error::local(message).with_fault(Fault::Caller).with_retry(Retry::Backoff)
}

/// Returns `true` if a variable is kept from hooks.
fn is_private(name: &OsStr, value: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    if name == "SESAME_VAULT" {
        // The address of a database server holds its password.
        return !value.to_str().is_some_and(|value| value.trim_start().starts_with("sqlite:"));
    }
    HIDDEN.contains(&name) || (name.starts_with("SESAME_") && !SHOWN.contains(&name))
}

/// Checks that a program can be run, as far as that can be seen beforehand.
fn runnable(program: &OsStr) -> std::result::Result<(), String> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        return may_run(path);
    }
    let found = env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| may_run(&folder.join(program)).is_ok()));
    if found { Ok(()) } else { Err("is not found in PATH".to_owned()) }
}

fn may_run(path: &Path) -> std::result::Result<(), String> {
    // On Windows a program may be named without its ending.
    let with_ending = path.with_added_extension(env::consts::EXE_EXTENSION);
    let path = if cfg!(windows) && !path.is_file() { &with_ending } else { path };
    let about = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be looked at: {error}"),
    })?;
    if !about.is_file() {
        return Err("is not a file".to_owned());
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o111 == 0 {
        return Err("may not be executed".to_owned());
    }
    Ok(())
}

/// Kills a hook and, where the system can, all that it started.
async fn kill(child: &mut Child, group: Option<u32>, clock: &dyn Clock) {
    #[cfg(unix)]
    if let Some(group) = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        && let Err(error) = rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
    {
        tracing::debug!("what a hook started cannot be killed: {error}");
    }
    #[cfg(not(unix))]
    let _ = group;
    let end = async {
        // It may have ended this moment.
        let _ = child.kill().await;
    };
    tokio::select! {
        biased;
        () = end => {}
        () = clock.sleep(KILLING) => tracing::warn!("a killed hook has not ended"),
    }
}

/// Reads an output to its end, so that the hook is never held up, and keeps its beginning.
fn keep(mut output: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let mut kept = Vec::new();
        let mut buffer = [0; 4 << 10];
        while let Ok(read @ 1..) = output.read(&mut buffer).await {
            let room = KEPT_OUTPUT.saturating_sub(kept.len()).min(read);
            kept.extend_from_slice(&buffer[..room]);
        }
        kept
    })
}

async fn log(name: &str, task: Option<JoinHandle<Vec<u8>>>, clock: &dyn Clock) {
    let Some(mut task) = task else { return };
    let kept = tokio::select! {
        biased;
        kept = &mut task => kept.unwrap_or_default(),
        () = clock.sleep(LAST_WORDS) => {
            task.abort();
            return;
        }
    };
    if !kept.is_empty() {
        let text = mask_text(&printable(&String::from_utf8_lossy(&kept)));
        tracing::debug!(output = name, "output of the hook: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_ours_are_kept_from_hooks() {
        let private = |name: &str, value: &str| is_private(OsStr::new(name), OsStr::new(value));
        for name in [
            "SESAME_MASTER_KEY",
            "SESAME_PASSPHRASE",
            "SESAME_WEBHOOK_SECRET",
            "SESAME_OF_TOMORROW",
            "PGPASSWORD",
        ] {
            assert!(private(name, "x"), "{name}");
        }
        assert!(private("SESAME_VAULT", "postgres://u:p@h/d"));
        for (name, value) in
            [("SESAME_VAULT", "sqlite:/x"), ("SESAME_HOME", "/x"), ("PATH", "/bin"), ("HOME", "/")]
        {
            assert!(!private(name, value), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_run_is_said_at_once() {
        let why = |word: &OsStr| Hook::new(vec![word.to_owned()]).err().unwrap().message().to_owned();
        assert!(Hook::new(vec!["sh".into()]).is_ok());
        assert!(Hook::new(vec!["/bin/sh".into()]).is_ok());
        assert!(why(OsStr::new("no-such-program-here")).contains("PATH"));
        assert!(why(OsStr::new("/nowhere/at/all")).contains("does not exist"));
        assert!(why(OsStr::new("/")).contains("not a file"));
        assert!(why(OsStr::new("")).contains("no command"));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(why(file.path().as_os_str()).contains("may not be executed"));
    }
}
