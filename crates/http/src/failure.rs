//! What went wrong on the way, in words: kind, whether the request may have arrived, what to do.

use std::{error::Error as StdError, time::Duration};

use rustls::CertificateError;
use sesame_core::{Error, ErrorKind, Fault, Retry};

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("the name {name} has no address")]
pub(crate) struct NoAddress {
    pub(crate) name: String,
    #[source]
    pub(crate) source: std::io::Error,
}

/// No answer, or no connection, in time.
pub(crate) fn timed_out(what: &str, limit: Duration, may_have_arrived: bool) -> Error {
    let limit = if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{:.1} s", limit.as_secs_f64())
    };
    Error::new(ErrorKind::Timeout, format!("{what} within {limit}"))
        .with_ambiguity(may_have_arrived)
        .with_hint("The gateway or the network is slow. Try again, or allow more time with --timeout.")
}

/// How an origin is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteKind {
    Direct,
    Proxy,
    /// A sandbox: no proxy is between.
    Sandbox,
}

/// A connection that could not be made.
pub(crate) fn unreachable(origin: &str, error: Box<dyn StdError + Send + Sync>, route: RouteKind) -> Error {
    let told = reason(error.as_ref());
    let base = Error::new(ErrorKind::Network, format!("{origin} could not be reached: {}", told.text))
        .with_ambiguity(false)
        .with_retry(if told.lasting { Retry::Never } else { Retry::Backoff })
        .with_fault(if told.machine { Fault::Machine } else { Fault::Network });
    base.with_hint(told.hint.unwrap_or_else(|| unreachable_hint(route))).with_source(error)
}

pub(crate) fn unreachable_hint(route: RouteKind) -> &'static str {
    match route {
        RouteKind::Proxy => {
            "A proxy is set in the environment (HTTPS_PROXY or ALL_PROXY): check that it answers and lets this host pass, or add the host to NO_PROXY. `sesame doctor` shows the route."
        }
        RouteKind::Sandbox => {
            "Is the sandbox running? `sesame sandbox` starts one; SESAME_ENDPOINT decides the address."
        }
        RouteKind::Direct => {
            "Check the network, a firewall, and whether a proxy has to be set (HTTPS_PROXY). `sesame doctor` shows the route."
        }
    }
}

/// A connection that ended while a request was on it.
pub(crate) fn broken(origin: &str, error: &hyper::Error, may_have_arrived: bool) -> Error {
    let what = if error.is_incomplete_message() {
        "closed the connection before it had answered".to_owned()
    } else if error.is_parse() {
        "answered with something that is not HTTP".to_owned()
    } else {
        format!("broke the connection: {}", innermost(error))
    };
    Error::new(ErrorKind::Network, format!("{origin} {what}")).with_ambiguity(may_have_arrived).with_hint(if may_have_arrived {
        "Nobody can tell whether the call was carried out. Look before you repeat a call that changes something."
    } else {
        "Nothing was sent. Try again."
    })
}

/// Why a connection could not be made.
struct Reason {
    text: String,
    hint: Option<&'static str>,
    /// It will fail in the same way until somebody changes something.
    lasting: bool,
    /// It is this machine's doing.
    machine: bool,
}

fn reason(error: &(dyn StdError + 'static)) -> Reason {
    let told = |text: String, hint, lasting, machine| Reason { text, hint, lasting, machine };
    let mut seen = Some(error);
    while let Some(error) = seen {
        if let Some(error) = error.downcast_ref::<NoAddress>() {
            return told(
                error.to_string(),
                Some(
                    "The host name is wrong, or this machine cannot resolve names now. Check the region and the network.",
                ),
                false,
                false,
            );
        }
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref::<rustls::Error>() {
            let (text, hint, machine) = certificate(why);
            return told(text, Some(hint), true, machine);
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return told(
                format!("TLS failed: {error}"),
                Some(
                    "Something on the way does not speak TLS as the platform does: a proxy, a captive portal, or a wrong port.",
                ),
                false,
                false,
            );
        }
        seen = below(error);
    }
    told(innermost(error), None, false, false)
}

fn certificate(why: &CertificateError) -> (String, &'static str, bool) {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "its TLS certificate has ended".to_owned(),
            "Check the clock of this machine first; if it is right, the platform or a proxy has an old certificate.",
            true,
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "its TLS certificate is not valid yet".to_owned(),
            "The clock of this machine is behind. Set it.",
            true,
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            "its TLS certificate is for another name".to_owned(),
            "The host name is wrong, or something on the way answers in its place. Do not go on before you know which.",
            false,
        ),
        CertificateError::UnknownIssuer => (
            "its TLS certificate comes from an authority that this machine does not trust".to_owned(),
            "A company proxy that looks into TLS needs its own authority in the trust store of this machine (or in SSL_CERT_FILE). Without such a proxy, somebody may be listening: stop.",
            false,
        ),
        other => (
            format!("its TLS certificate is not valid: {other:?}"),
            "Something on the way answers in the platform's place, or the platform made a mistake. TLS checks cannot be turned off.",
            false,
        ),
    }
}

/// The error below. `io::Error` hides the one it wraps from `source`.
fn below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && let Some(inner) = io.get_ref()
    {
        return Some(inner);
    }
    error.source()
}

/// The words of the innermost error, which is the one that says something.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(inner) = below(last) {
        last = inner;
    }
    sesame_core::scalar::printable(&last.to_string())
}
