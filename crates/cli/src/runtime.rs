//! The runtime of commands that wait, and how they end early: Ctrl-C, SIGTERM, SIGHUP.

use std::{future::Future, pin::Pin, time::Duration};

use sesame_core::{Clock, Error};
use sesame_vault::Vault;
use tokio::{runtime::Runtime, sync::watch};

use crate::{
    context::Context,
    exit::{CliError, CliResult, INTERRUPTED, note, say},
};

/// How long a vault may take to write its log back into its file.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs a command to its end or to Ctrl-C, on one thread.
///
/// Ctrl-C ends the command at its next wait with code 130, SIGTERM with 143, SIGHUP with 129. Nothing
/// is lost: an answer with new tokens that is on its way is waited for, as long as it may take. A
/// second signal leaves at once.
pub(crate) fn block_on<'a>(context: &'a Context, work: impl Future<Output = CliResult> + 'a) -> CliResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_start)?;
    finish(runtime, Some(context), Box::pin(work))
}

/// Runs a command to its end or to Ctrl-C, on all cores.
pub(crate) fn block_on_many(work: impl Future<Output = CliResult>) -> CliResult {
    finish(many()?, None, Box::pin(work))
}

/// Runs a server, on all cores. It hears Ctrl-C itself: for a server it is the usual end.
pub(crate) fn serve(work: impl Future<Output = CliResult>) -> CliResult {
    let runtime = many()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

/// Runs a service until the first signal, which is its usual end; on all cores.
///
/// `work` gets what becomes true with that signal. It finishes what is under way then, and so does the
/// vault; a second signal leaves at once.
pub(crate) fn until_stopped<F: Future<Output = CliResult>>(
    context: &Context,
    work: impl FnOnce(watch::Receiver<bool>) -> F,
) -> CliResult {
    let runtime = many()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen();
        let (stop, stopping) = watch::channel(false);
        let mut work = std::pin::pin!(work(stopping));
        let mut telling = std::pin::pin!(tell(Some(context)));
        let outcome = tokio::select! {
            biased;
            outcome = &mut work => Some(outcome),
            _ = signals.next() => None,
            () = &mut telling => None,
        };
        let outcome = if let Some(outcome) = outcome {
            outcome
        } else {
            say("Stopping: what is under way is finished. A second signal leaves at once.");
            stop.send_replace(true);
            tokio::select! {
                biased;
                outcome = &mut work => outcome,
                signal = signals.next() => {
                    say(signal.words);
                    return Err(CliError::Status(signal.code));
                }
                () = &mut telling => Ok(()),
            }
        };
        leave(Some(context), &mut signals, outcome).await
    });
    runtime.shutdown_background();
    outcome
}

fn many() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(cannot_start)
}

/// The command is boxed, so that this is compiled once and not for each command.
type Work<'a> = Pin<Box<dyn Future<Output = CliResult> + 'a>>;

fn finish(runtime: Runtime, context: Option<&Context>, work: Work<'_>) -> CliResult {
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen();
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            signal = signals.next() => {
                // Somebody may have been typing a secret, which a terminal does not show.
                crate::hidden_input::restore();
                note("note", signal.words);
                Err(CliError::Status(signal.code))
            }
            () = tell(context) => Ok(()),
        };
        leave(context, &mut signals, outcome).await
    });
    // A thread may be waiting for a line of input; it must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// Prints what the vault has to say while a command runs, e.g. that another process is waited for.
/// Never ends.
async fn tell(context: Option<&Context>) {
    let Some(context) = context else { return std::future::pending().await };
    loop {
        match context.opened() {
            Some(vault) => {
                vault.warned().await;
                for notice in vault.take_warnings() {
                    note("note", &notice.to_string());
                }
            }
            None => context.clock.sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Finishes what the vault has under way, and closes it.
async fn leave(context: Option<&Context>, signals: &mut Signals, outcome: CliResult) -> CliResult {
    let Some((vault, context)) = context.and_then(|context| Some((context.opened()?, context))) else {
        return outcome;
    };
    let outcome =
        if vault.is_busy() { settle(vault, context.clock.as_ref(), signals, outcome).await } else { outcome };
    // What was given up is not waited for after all.
    if vault.is_busy() {
        return outcome;
    }
    // So that a copy of its file holds all of it. Whoever opens it next would do it otherwise.
    tokio::select! {
        () = vault.clone().close() => {}
        () = context.clock.sleep(CLOSING) => {}
    }
    outcome
}

/// Waits for new tokens that are on their way: the platform may have ended the old ones already.
async fn settle(vault: &Vault, clock: &dyn Clock, signals: &mut Signals, outcome: CliResult) -> CliResult {
    let limit = vault.longest_exchange();
    // Whoever pressed Ctrl-C wants to know at once why the command is still there.
    let silence = Duration::from_secs(if matches!(outcome, Err(CliError::Status(128..))) { 0 } else { 2 });
    let explain = async {
        clock.sleep(silence).await;
        say(&format!(
            "new tokens are on their way and are waited for, at most {} s; Ctrl-C leaves at once and may lose them",
            limit.as_secs()
        ));
        std::future::pending::<()>().await;
    };
    let lost = "the new tokens were not stored, and the platform may have ended the old ones. `sesame refresh ACCOUNT` tries the old ones; if they are refused, run `sesame login APP --as ACCOUNT`.";
    tokio::select! {
        biased;
        () = vault.settle() => outcome,
        signal = signals.next() => {
            note("warning", lost);
            Err(CliError::Status(signal.code))
        }
        () = clock.sleep(limit) => {
            note("warning", lost);
            outcome
        }
        () = explain => outcome,
    }
}

/// Runs something that blocks, such as a read of standard input, beside the runtime: Ctrl-C is heard
/// meanwhile.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> CliResult<T> + Send + 'static,
) -> CliResult<T> {
    // It can only fail by a panic, which the hook has reported.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(CliError::Status(1)))
}

/// A signal that ends a command.
#[derive(Debug, Clone, Copy)]
struct Ending {
    /// What shells report for a program that it ended.
    code: u8,
    /// What is said about it.
    words: &'static str,
}

const CTRL_C: Ending = Ending { code: INTERRUPTED, words: "interrupted" };

/// The signals that end a command; heard from the moment this is made.
struct Signals {
    #[cfg(unix)]
    heard: Vec<(tokio::signal::unix::Signal, Ending)>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let terminated = Ending { code: 143, words: "interrupted by SIGTERM" };
        let hung_up = Ending { code: 129, words: "interrupted by SIGHUP: the terminal was closed" };
        let kinds = [
            Some((SignalKind::interrupt(), CTRL_C)),
            Some((SignalKind::terminate(), terminated)),
            // A command that nohup started outlives its terminal.
            (!ignores_hangup()).then_some((SignalKind::hangup(), hung_up)),
        ];
        // One that cannot be heard ends the process by itself, as the system does it.
        let heard =
            kinds.into_iter().flatten().filter_map(|(kind, ending)| Some((signal(kind).ok()?, ending)));
        Self { heard: heard.collect() }
    }

    async fn next(&mut self) -> Ending {
        use std::task::Poll;

        std::future::poll_fn(|context| {
            for (signal, ending) in &mut self.heard {
                if signal.poll_recv(context) == Poll::Ready(Some(())) {
                    return Poll::Ready(*ending);
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self {}
    }

    async fn next(&mut self) -> Ending {
        if tokio::signal::ctrl_c().await.is_err() {
            // No signals here: then the system ends the process by itself.
            std::future::pending::<()>().await;
        }
        CTRL_C
    }
}

/// Returns `true` if SIGHUP is ignored, as `nohup` leaves it. Only Linux says so without unsafe code.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    // proc_pid_status(5): a mask in hexadecimal, signal 1 is its lowest bit.
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?.trim().to_owned();
            u128::from_str_radix(&mask, 16).ok()
        })
        .is_some_and(|mask| mask & 1 == 1)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn cannot_start(error: std::io::Error) -> Error {
    Error::local(format!("cannot start the runtime: {error}"))
        .with_hint("The machine may be out of memory, threads or open files.")
}
