//! What the server's errors mean, and what to do.

use std::io;

use sesame_core::{Error, Retry, redact::Redactor};

use super::relay::CleartextPassword;
use crate::database::Database;

/// Describes an error: which database, what to do, and whether waiting helps.
pub(super) fn describe(database: &Database, error: sqlx::Error) -> Error {
    let place = database.place();
    // A server, or what answers in its place, may repeat what it was sent.
    let redactor = Redactor::new(database.password.iter().map(sesame_core::AppSecret::expose));
    let said = |text: &dyn std::fmt::Display| redactor.text(&text.to_string(), 1_000).to_string();
    let (message, hint, waiting_helps) = match &error {
        sqlx::Error::Database(error) => {
            said_by_server(&place, error.code().as_deref().unwrap_or_default(), &said(&error.message()))
        }
        sqlx::Error::Io(error) if is_cleartext(error) => (
            format!("the server of the vault {place} asks for the password in clear text, without TLS"),
            "It was not sent. Set scram-sha-256 in the server's pg_hba.conf, or use sslmode=verify-full or the \
             server's socket in SESAME_VAULT. If the server does not ask so, another program listens on its port.",
            false,
        ),
        sqlx::Error::Io(error) => lost(&place, error.kind(), &said(error)),
        sqlx::Error::Tls(why) => untrusted(&place, &said(why)),
        sqlx::Error::PoolTimedOut => (
            format!("the vault's database {place} is busy: no connection was free for 15 seconds"),
            "Repeat the command; if it stays, look at what the server is doing.",
            true,
        ),
        sqlx::Error::PoolClosed => (format!("the vault {place} is closed"), "Open it again.", false),
        sqlx::Error::Configuration(why) => (
            format!("the address of the vault's database {place} cannot be used: {}", said(why)),
            "Check its names in SESAME_VAULT, and who may read the files.",
            false,
        ),
        sqlx::Error::Protocol(why) => (
            format!("what answers at {place} does not speak as PostgreSQL does: {}", said(why)),
            "Check host and port in SESAME_VAULT; a pooler in front must keep a session together.",
            false,
        ),
        other => (
            format!("the vault {place} failed: {}", said(other)),
            "Nothing else was changed. Repeat the command; if it stays, report it.",
            false,
        ),
    };
    let error = Error::local(message).with_hint(hint).with_source(error).redacted(&redactor);
    if waiting_helps { error.with_retry(Retry::Backoff) } else { error }
}

/// Returns `true` if the password was asked for in clear text.
fn is_cleartext(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<CleartextPassword>)
}

/// Errors of the server itself, by their code (PostgreSQL's appendix "Error Codes").
fn said_by_server(place: &str, code: &str, said: &str) -> (String, &'static str, bool) {
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        ("28", _) => (
            format!("the vault's database {place} refuses the login: {said}"),
            "Check user and password in SESAME_VAULT (or PGPASSWORD, ~/.pgpass), and the server's pg_hba.conf.",
            false,
        ),
        (_, "3D000") => (
            format!("there is no database {place}: {said}"),
            "Make it first (createdb NAME), or name another in SESAME_VAULT. Sesame makes its tables itself.",
            false,
        ),
        (_, "42501") => (
            format!("the user of the vault's database {place} lacks a right: {said}"),
            "Let the database's owner run: CREATE SCHEMA sesame AUTHORIZATION user_name. It may be made only once; the same user has to be used from then on.",
            false,
        ),
        (_, "53100") => (
            format!("the disk of the server is full: the vault {place} cannot be written"),
            "Free some space there. What the vault held is unchanged.",
            true,
        ),
        (_, "53300") => (
            format!("the vault's database {place} has too many connections"),
            "End some of them or raise the server's max_connections. Each process uses at most 8.",
            true,
        ),
        ("53", _) => (
            format!("the server of the vault {place} lacks a resource: {said}"),
            "Look at the server's memory and limits, then repeat the command.",
            true,
        ),
        (_, "57014") => (
            format!("the vault's database {place} took more than 30 seconds for one statement"),
            "Look at what the server is doing, then repeat the command.",
            true,
        ),
        (_, "55P03") => (
            format!("rows of the vault {place} were held by another program for more than 15 seconds"),
            "End the other program (a session left open in a transaction), then repeat the command.",
            true,
        ),
        (_, "57P03") => (
            format!("the server of the vault {place} is starting or stopping: {said}"),
            "Wait until it is up, then repeat the command.",
            true,
        ),
        ("57" | "08", _) | (_, "25P03" | "25P04") => (
            format!("the server ended the connection to the vault {place}: {said}"),
            "What was committed before is unchanged. Repeat the command once the server is up.",
            true,
        ),
        ("40", _) => (
            format!("the vault's database {place} undid the work because of other work: {said}"),
            "Repeat the command.",
            true,
        ),
        (_, "25006") => (
            format!("the vault's database {place} takes no writes: {said}"),
            "Name the server that takes writes, not a replica of it.",
            true,
        ),
        ("XX" | "58", _) => (
            format!("the vault's database {place} is damaged or its disk fails: {said}"),
            "Look at the server's log. Restore the database from a backup if need be.",
            false,
        ),
        (_, "42P01" | "42703" | "3F000") => (
            format!("the tables of the vault {place} are not those of this version: {said}"),
            "Somebody changed or removed them while the vault was open. Restore the database from a backup.",
            false,
        ),
        _ => (
            format!("the vault {place} failed: {said} ({code})"),
            "Nothing else was changed. Repeat the command; if it stays, report it.",
            false,
        ),
    }
}

fn lost(place: &str, kind: io::ErrorKind, error: &str) -> (String, &'static str, bool) {
    match kind {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => (
            format!("the vault's database {place} cannot be reached: no server listens there ({error})"),
            "Start the server, or check host and port in SESAME_VAULT.",
            true,
        ),
        io::ErrorKind::NotConnected => (
            format!("the vault's database {place} cannot be reached: {error}"),
            "Check host and port in SESAME_VAULT, the network and the firewall.",
            true,
        ),
        io::ErrorKind::TimedOut => (
            format!("the vault's database {place} did not answer in time: {error}"),
            "Check the network and the server, then repeat the command.",
            true,
        ),
        io::ErrorKind::PermissionDenied => (
            format!("the vault's database {place} cannot be reached: {error}"),
            "Check who may use the socket or read the certificate's files.",
            false,
        ),
        // So comes what the handshake finds: an untrusted certificate, or of another name.
        io::ErrorKind::InvalidData => untrusted(place, error),
        _ => (
            format!("the connection to the vault's database {place} was lost or not made: {error}"),
            "What was committed before is unchanged. Check the network and the server, then repeat the command.",
            true,
        ),
    }
}

fn untrusted(place: &str, why: &str) -> (String, &'static str, bool) {
    (
        format!("the server of the vault {place} does not prove who it is: {why}"),
        "Its certificate has to be valid for the host in SESAME_VAULT. One of your own authority is trusted with sslrootcert=FILE.",
        false,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_helps_against_what_passes_and_nothing_shows_a_password() {
        let database = Database::parse("postgres://shop:planted0hunter2@db.example/vault").unwrap();
        let io = |kind: io::ErrorKind| sqlx::Error::Io(io::Error::new(kind, "said the system"));
        for (error, words, retried) in [
            (sqlx::Error::PoolTimedOut, "is busy", true),
            (io(io::ErrorKind::NotConnected), "cannot be reached", true),
            (io(io::ErrorKind::TimedOut), "did not answer", true),
            (io(io::ErrorKind::ConnectionRefused), "no server listens", true),
            (io(io::ErrorKind::ConnectionReset), "was lost", true),
            (io(io::ErrorKind::InvalidData), "does not prove who it is", false),
            (sqlx::Error::Protocol("HTTP/1.1".into()), "does not speak", false),
            (sqlx::Error::Configuration("no file".into()), "cannot be used", false),
            (sqlx::Error::PoolClosed, "is closed", false),
        ] {
            let error = describe(&database, error);
            assert!(error.message().contains(words), "{error}");
            assert!(error.message().contains("\"vault\" at db.example:5432"), "{error}");
            assert_eq!(error.is_retryable(), retried, "{error}");
            assert!(!format!("{error:?} {:?}", error.hint()).contains("hunter2"));
        }
        for (code, words, retried) in [
            ("28P01", "refuses the login", false),
            ("3D000", "there is no database", false),
            ("42501", "lacks a right", false),
            ("53100", "disk of the server is full", true),
            ("53200", "lacks a resource", true),
            ("53300", "too many connections", true),
            ("57014", "more than 30 seconds", true),
            ("57P01", "ended the connection", true),
            ("57P03", "starting or stopping", true),
            ("08006", "ended the connection", true),
            ("55P03", "held by another program", true),
            ("40001", "undid the work", true),
            ("25006", "takes no writes", true),
            ("XX001", "damaged", false),
            ("42P01", "not those of this version", false),
            ("22021", "failed", false),
            ("", "failed", false),
        ] {
            let (message, hint, waiting_helps) = said_by_server("here", code, "said the server");
            assert!(message.contains(words), "{code}: {message}");
            assert!(!hint.is_empty());
            assert_eq!(waiting_helps, retried, "{code}");
        }
    }
}
