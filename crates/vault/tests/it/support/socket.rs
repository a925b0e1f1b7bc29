//! The plainest HTTP client there is, for a sandbox on this machine: one connection a request.

use std::io::Write as _;

use sesame_core::{
    BoxFuture, Error, ErrorKind, HttpRequest, HttpResponse, Result, Transport,
    request::header::{CONTENT_TYPE, DATE, LOCATION},
};
use tokio::io::AsyncReadExt as _;

/// Has handed the whole request over when it waits for the first time: a process that is stopped while
/// it waits has sent, and has no answer.
#[derive(Debug, Clone, Copy)]
pub struct SocketTransport;

impl Transport for SocketTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        Box::pin(async move {
            let limit = request.timeout;
            match tokio::time::timeout(limit, exchange(request)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Error::new(ErrorKind::Timeout, format!("no answer within {limit:?}"))
                    .with_ambiguity(true)),
            }
        })
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Network, error.to_string())
}

async fn exchange(request: HttpRequest) -> Result<HttpResponse> {
    let rest = request.url.strip_prefix("http://").ok_or_else(|| broken("not a plain address"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let more = request.headers.iter().fold(String::new(), |more, (name, value)| {
        more + name.as_str() + ": " + value.to_str().unwrap() + "\r\n"
    });
    let mut message = format!(
        "{} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n",
        request.method.as_str(),
        request.body.len()
    )
    .into_bytes();
    message.extend_from_slice(&request.body);
    // On this machine neither waits for anybody.
    let mut stream = std::net::TcpStream::connect(authority).map_err(broken)?;
    stream.write_all(&message).map_err(broken)?;
    let lost = |what: &dyn std::fmt::Display| broken(what).with_ambiguity(true);
    stream.set_nonblocking(true).map_err(|error| lost(&error))?;
    let mut stream = tokio::net::TcpStream::from_std(stream).map_err(|error| lost(&error))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|error| lost(&error))?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(|| lost(&"the connection ended without an answer"))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    assert!(header("transfer-encoding").is_none(), "token replies have a length");
    let body = answer.split_off(end + 4);
    if header("content-length")
        .and_then(|text| text.parse().ok())
        .is_some_and(|length: usize| length > body.len())
    {
        return Err(lost(&"the answer was cut off"));
    }
    let status = head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(|| lost(&"no status"))?;
    let kept = [CONTENT_TYPE, DATE, LOCATION];
    Ok(kept.into_iter().fold(HttpResponse::new(status, body), |reply, name| match header(name.as_str()) {
        Some(value) => reply.with_header(name, &value),
        None => reply,
    }))
}
