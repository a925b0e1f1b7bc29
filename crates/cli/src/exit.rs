//! How a command ends other than well: what is printed, and the exit code.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use owo_colors::OwoColorize;
use sesame_core::{Error, ErrorKind, Fault};

/// The result of a command and of everything it calls here.
pub(crate) type CliResult<T = ()> = Result<T, CliError>;

/// Why a command stops.
#[derive(Debug)]
pub(crate) enum CliError {
    /// It failed: print the error and leave with the code of its kind.
    Failed(Error),
    /// It failed after a part of a list was printed; how much, in words, is the last that is said.
    Incomplete(Error, String),
    /// Standard output cannot be written.
    Output(Error),
    /// Whoever read our standard output has gone (`| head`): nothing is wrong.
    ReaderGone,
    /// Everything was said already; leave with this code.
    Status(u8),
}

/// A person has to do something before this can work.
pub(crate) const NEEDS_PERSON: u8 = 3;
/// What shells report for a program that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Errors of our own standard output; nothing else may use `?` on an [`io::Error`].
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::Output(
            Error::local(format!("cannot write to standard output: {error}"))
                .with_hint("Is the disk full, or the output closed?"),
        )
    }
}

impl CliError {
    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed(error) | Self::Incomplete(error, _) | Self::Output(error) => exit_code(error.kind()),
            Self::ReaderGone => 0,
            Self::Status(code) => *code,
        }
    }
}

/// Maps kinds of errors to the exit codes that scripts rely on.
pub(crate) fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => 2,
        ErrorKind::Authorization | ErrorKind::Token => NEEDS_PERSON,
        ErrorKind::Signature
        | ErrorKind::App
        | ErrorKind::Permission
        | ErrorKind::Argument
        | ErrorKind::UnknownApi
        | ErrorKind::Business
        | ErrorKind::Clock
        | ErrorKind::Platform
        | ErrorKind::Envelope => 4,
        ErrorKind::Network | ErrorKind::Timeout => 5,
        ErrorKind::Quota => 6,
        _ => 1,
    }
}

/// Exit codes, those first that somebody has to do something about, those last that go away with time.
///
/// A script that repeats a command after 5 may rely on it: nothing else was wrong.
const BY_WEIGHT: [u8; 6] = [NEEDS_PERSON, 4, 2, 1, 6, 5];

/// Returns the exit code of a command with several failures. `None` without any.
pub(crate) fn weightiest(codes: impl IntoIterator<Item = u8>) -> Option<u8> {
    let weight = |code: &u8| BY_WEIGHT.iter().position(|known| known == code);
    codes.into_iter().min_by_key(weight)
}

/// Prints the failure of one shop of several, in one line: what happened and what to do.
pub(crate) fn report_of_shop(shop: &str, error: &Error) {
    let text = if speaks_json() {
        let mut record = as_json(error);
        record["error"]["shop"] = shop.into();
        format!("{record}\n")
    } else {
        format!("{} {}\n", "error:".red().bold(), in_one_line(shop, error))
    };
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn in_one_line(shop: &str, error: &Error) -> String {
    let message = error.message();
    let mut out = format!("{shop}: {}", message.trim_end_matches('.'));
    if let Some(code) = error.sub_code().or(error.code()).filter(|code| !message.contains(code)) {
        let _ = write!(out, " ({code})");
    }
    if error.is_ambiguous() {
        out.push_str("; the platform may have carried out the call: look before you repeat it");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(out, ". {hint}");
    }
    sesame_core::scalar::printable(&out)
}

/// Prints an error on standard error, for people or as one line of JSON.
///
/// `endpoint` is the sandbox in use: it keeps the explanation of a refusal. People see all that a platform
/// said if they asked for it (`-v`).
pub(crate) fn report(error: &Error, json: bool, endpoint: Option<&str>, verbose: bool) {
    let text = if json { format!("{}\n", as_json(error)) } else { as_text(error, endpoint, verbose) };
    // Nobody is left to be told when standard error is closed.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn as_text(error: &Error, endpoint: Option<&str>, verbose: bool) -> String {
    let message = if verbose { error.full_message() } else { error.message() };
    let mut out = format!("{} {}\n", "error:".red().bold(), printable_lines(message));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "  {} {}", format_args!("{name}:").dimmed(), printable_lines(value));
    };
    line("fault", error.fault().as_str());
    if let Some(hint) = error.hint() {
        line("hint", hint);
    }
    if let Some(code) = error.code() {
        match error.sub_code() {
            Some(sub) => line("code", &format!("{code} ({sub})")),
            None => line("code", code),
        }
    }
    if let Some(id) = error.request_id() {
        line("request id", id);
    }
    if let Some(wait) = error.retry_after() {
        line("retry", &format!("after {}", crate::humanize::duration(wait)));
    }
    if message != error.full_message() {
        line("note", "the platform said more; -v or -o json shows all of it");
    }
    if error.is_ambiguous() {
        line("note", "the platform may have carried out the call; look before you repeat it");
    }
    let is_over = error.kind() == ErrorKind::Authorization && error.fault() == Fault::Seller;
    if endpoint.is_some() && is_over && error.code().is_none() {
        line("note", "a sandbox knows no tokens from before it was started");
    }
    if let Some(id) = error.reference() {
        match endpoint {
            Some(url) => line("expected", &format!("{}/_sandbox/refusals/{id}", url.trim_end_matches('/'))),
            None => line("refusal", id),
        }
    }
    let mut source = std::error::Error::source(error);
    let mut said = error.message().to_owned();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Some libraries repeat in each source what its sources say.
        if !said.contains(&text) {
            line("cause", &text);
            said = text;
        }
        source = cause.source();
    }
    out
}

fn as_json(error: &Error) -> serde_json::Value {
    serde_json::json!({ "error": {
        "kind": error.kind().as_str(),
        "fault": error.fault().as_str(),
        "message": error.full_message(),
        "hint": error.hint(),
        "code": error.code(),
        "sub_code": error.sub_code(),
        "request_id": error.request_id(),
        "http_status": error.http_status(),
        "retry_after": error.retry_after().map(|wait| wait.as_secs_f64()),
        "may_have_happened": error.is_ambiguous(),
        "refusal_id": error.reference(),
    }})
}

/// Keeps line breaks, indented, and replaces every other control character: replies must not steer
/// the terminal.
fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(sesame_core::scalar::printable).collect();
    lines.join("\n    ")
}

/// Programs read standard error, too: what is said there is one JSON object a line.
static JSON_LINES: AtomicBool = AtomicBool::new(false);

/// Sets whether notes are lines of JSON: `{"warning":"..."}`.
pub(crate) fn use_json_lines(json: bool) {
    JSON_LINES.store(json, Ordering::Relaxed);
}

/// Returns `true` if they are.
pub(crate) fn speaks_json() -> bool {
    JSON_LINES.load(Ordering::Relaxed)
}

/// Prints a line that is not a result: a warning, a note, progress.
pub(crate) fn note(kind: &str, text: &str) {
    if speaks_json() {
        let _ =
            writeln!(io::stderr(), "{}", serde_json::json!({ kind: sesame_core::scalar::printable(text) }));
        return;
    }
    let _ = writeln!(anstream::stderr(), "{} {}", format_args!("{kind}:").yellow(), printable_lines(text));
}

/// Prints the warnings of a call.
pub(crate) fn warn_all(warnings: &[String]) {
    for warning in warnings {
        note("warning", warning);
    }
}

/// Prints a plain line on standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Returns `true` if a person can answer a question: standard input and standard error are terminals.
pub(crate) fn person_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_scripts_rely_on() {
        let codes = [
            (ErrorKind::Usage, 2),
            (ErrorKind::Authorization, 3),
            (ErrorKind::Token, 3),
            (ErrorKind::Signature, 4),
            (ErrorKind::Business, 4),
            (ErrorKind::Envelope, 4),
            (ErrorKind::Network, 5),
            (ErrorKind::Timeout, 5),
            (ErrorKind::Quota, 6),
            (ErrorKind::Local, 1),
        ];
        for (kind, code) in codes {
            assert_eq!(exit_code(kind), code, "{kind}");
        }
    }

    #[test]
    fn of_several_failures_the_one_counts_that_somebody_has_to_mend() {
        assert_eq!(weightiest([]), None);
        assert_eq!(weightiest([5, 5]), Some(5));
        for (codes, expected) in
            [([5, 6], 6), ([6, 1], 1), ([1, 4], 4), ([4, 3], 3), ([2, 5], 2), ([4, 2], 4)]
        {
            let [first, second] = codes;
            assert_eq!((weightiest(codes), weightiest([second, first])), (Some(expected), Some(expected)));
        }
    }

    #[test]
    fn the_failure_of_a_shop_is_one_line() {
        let error =
            Error::new(ErrorKind::Token, "the token\nhas ended.").with_code("27").with_hint("Log in:\nx");
        assert_eq!(
            in_one_line("my shop\u{1b}", &error),
            "my shop\\u{1b}: the token has ended (27). Log in: x"
        );
        let error = Error::new(ErrorKind::Quota, "ApiCallLimit: slow down").with_code("ApiCallLimit");
        assert_eq!(in_one_line("a", &error), "a: ApiCallLimit: slow down");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let stop = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(stop.code(), 0);
        let stop = CliError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(stop.code(), 1);
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        let error = Error::usage("bad\u{1b}[2J name").with_hint("line one\nline two");
        let text = as_text(&error, None, false);
        assert!(!text.contains("\u{1b}[2J"));
        assert!(text.contains("line one\n    line two"));
    }

    #[test]
    fn json_errors_have_every_documented_key() {
        let error = Error::new(ErrorKind::Quota, "ApiCallLimit: slow down").with_code("ApiCallLimit");
        let json = as_json(&error);
        for key in [
            "kind",
            "fault",
            "message",
            "hint",
            "code",
            "sub_code",
            "request_id",
            "retry_after",
            "refusal_id",
        ] {
            assert!(json["error"].get(key).is_some(), "{key}");
        }
        assert_eq!(json["error"]["kind"], "quota");
    }
}
