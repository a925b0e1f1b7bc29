//! The runtime of commands that wait, and Ctrl-C.

use std::{future::Future, time::Duration};

use sesame_core::Error;
use tokio::runtime::Runtime;

use crate::{
    session::Session,
    stop::{INTERRUPTED, Outcome, Stop, say},
};

/// How long an answer that is on its way to the vault is waited for after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a command to its end or to Ctrl-C, on one thread.
///
/// Ctrl-C ends the command at its next wait with code 130. Nothing is lost: a refresh that was sent
/// is noted in the vault before it leaves, and its answer is waited for a moment.
pub(crate) fn block_on(session: &Session, work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_start)?;
    finish(runtime, Some(session), work)
}

/// Runs a command to its end or to Ctrl-C, on all cores.
pub(crate) fn block_on_many(work: impl Future<Output = Outcome>) -> Outcome {
    finish(many()?, None, work)
}

/// Runs a server, on all cores. It hears Ctrl-C itself: for a server it is the usual end.
pub(crate) fn serve(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = many()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

fn many() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(cannot_start)
}

fn finish(runtime: Runtime, session: Option<&Session>, work: impl Future<Output = Outcome>) -> Outcome {
    let outcome = runtime.block_on(async {
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            () = interrupted() => {
                say("interrupted");
                Err(Stop::Status(INTERRUPTED))
            }
        };
        if let Some(session) = session {
            let patience = if matches!(outcome, Err(Stop::Status(INTERRUPTED))) {
                PATIENCE
            } else {
                session.settings.timeout.value
            };
            let _ = tokio::time::timeout(patience, session.settle()).await;
        }
        outcome
    });
    // A thread may be waiting for a line of input; it must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// Runs something that blocks, such as a read of standard input, beside the runtime: Ctrl-C is heard
/// meanwhile.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    // It can only fail by a panic, which the hook has reported.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Stop::Status(1)))
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // No signals here: then the system ends the process by itself.
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn cannot_start(error: std::io::Error) -> Error {
    Error::local(format!("cannot start the runtime: {error}"))
        .hint("The machine may be out of memory, threads or open files.")
}
