//! The listener on this machine that receives the callback of a login.
//!
//! It is bound before the URL is shown. A stray tab, a favicon, a port scanner or a page with a
//! wrong state get an answer and do not end the wait; reads are bounded in size and time.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sesame_core::{Clock, Error, ErrorKind, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Callback, Login};
use crate::oauth::callback::{CallbackQuery, LONGEST, Place, is_loopback_host, split_port};

/// How long the listener waits for a person.
const PATIENCE: Duration = Duration::from_mins(15);
/// How long one connection may take to send its request.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// Browsers open some connections in advance and leave them idle.
const MOST_CONNECTIONS: usize = 32;

/// Waits for the callback of one login. Dropping it frees the port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    expected: Arc<Expected>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Expected {
    origin: String,
    path: String,
    state: String,
}

impl Listener {
    pub(crate) async fn bind(login: &Login, clock: Arc<dyn Clock>) -> Result<Self> {
        let uri = &login.redirect_uri;
        let Some(place) = Place::of(uri).filter(Place::is_loopback) else {
            return Err(Error::usage(format!("the redirect URI {uri} does not lead to this machine"))
                .with_hint("Approve the app in the browser, then paste the address it ends at."));
        };
        let port = place.port.unwrap_or(80);
        let address = match place.host.as_str() {
            "[::1]" => IpAddr::V6(Ipv6Addr::LOCALHOST),
            host => IpAddr::V4(host.parse().unwrap_or(Ipv4Addr::LOCALHOST)),
        };
        let socket = TcpListener::bind(SocketAddr::new(address, port)).await.map_err(|error| {
            Error::local(format!("port {port}, where the callback would arrive, cannot be opened: {error}"))
                .with_hint("Another login may be waiting: finish or end it. Or use --no-browser and paste the address that the browser ends at.")
                .with_source(error)
        })?;
        let origin = uri.split(['?', '#']).next().unwrap_or_default().to_owned();
        let expected = Arc::new(Expected { origin, path: place.path, state: login.state.clone() });
        Ok(Self { socket, expected, clock })
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Waits for the callback of this login and shows the browser a small page.
    ///
    /// May be dropped at any time, e.g. because a person pasted the address first.
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`] when the app was not approved within 15 minutes.
    pub async fn accept(&self) -> Result<Callback> {
        let mut over = self.clock.sleep(PATIENCE);
        let mut connections: JoinSet<Option<Callback>> = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut over => {
                    return Err(Error::new(ErrorKind::Authorization, "the app was not approved within 15 minutes")
                        .with_hint("Run `sesame login` again."));
                }
                Some(done) = connections.join_next() => {
                    if let Ok(Some(callback)) = done {
                        return Ok(callback);
                    }
                }
                accepted = self.socket.accept(), if connections.len() < MOST_CONNECTIONS => {
                    // The connection broke before it was accepted.
                    let Ok((stream, _)) = accepted else { continue };
                    let expected = self.expected.clone();
                    let limit = self.clock.sleep(READ_LIMIT);
                    connections.spawn(async move {
                        tokio::select! {
                            got = serve(stream, &expected) => got,
                            () = limit => None,
                        }
                    });
                }
            }
        }
    }
}

/// Answers one connection; returns the callback if it was the one waited for.
async fn serve(mut stream: TcpStream, expected: &Expected) -> Option<Callback> {
    let head = read_head(&mut stream).await?;
    let (page, callback) = answer(&head, expected);
    // The browser may be gone already; what it brought counts all the same.
    let _ = stream.write_all(page.as_bytes()).await;
    let _ = stream.shutdown().await;
    callback
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::with_capacity(2_048);
    let mut chunk = [0; 2_048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 || head.len() + read > 2 * LONGEST {
            return None;
        }
        head.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(head).ok()
}

/// Decides about one request. Pure, so that every kind of stray request can be tested.
fn answer(head: &str, expected: &Expected) -> (String, Option<Callback>) {
    let refuse = |status: &str, text: &str| (page(status, "Sesame", text), None);
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (request.next(), request.next()) else {
        return refuse("400 Bad Request", "Sesame cannot read this request.");
    };
    // A page elsewhere may point a name of its own at 127.0.0.1; its Host gives it away.
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    if !host.and_then(split_port).is_some_and(|(host, _)| is_loopback_host(host)) {
        return refuse(
            "421 Misdirected Request",
            "This address is only for the browser on the same machine.",
        );
    }
    if method != "GET" {
        return refuse("405 Method Not Allowed", "Only GET is answered here.");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != expected.path {
        return refuse("404 Not Found", "Sesame waits for the answer of an authorize page, at another path.");
    }
    let Ok(found) = CallbackQuery::read(query) else {
        return refuse("400 Bad Request", "This address holds a parameter twice. Start the login again.");
    };
    if found.state.as_deref() != Some(expected.state.as_str()) {
        return refuse(
            "400 Bad Request",
            "This answer belongs to another login. Sesame still waits for the one it began: approve the app on the page it opened last. If you refused, end the command with Ctrl-C.",
        );
    }
    let text = if found.code.is_some() {
        "Sesame has the shop's answer. Go back to the terminal; this page may be closed."
    } else {
        "The app was not approved. Go back to the terminal; this page may be closed."
    };
    (page("200 OK", "Sesame", text), Some(Callback::Url(format!("{}?{query}", expected.origin))))
}

fn page(status: &str, title: &str, text: &str) -> String {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:18px/1.5 sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}}</style>\
         <h1>{title}</h1><p>{text}</p></html>\n"
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            origin: "http://127.0.0.1:8756/callback".into(),
            path: "/callback".into(),
            state: "s1".into(),
        }
    }

    fn ask(line: &str, host: &str) -> (String, Option<Callback>) {
        answer(&format!("{line}\r\nHost: {host}\r\n\r\n"), &expected())
    }

    #[test]
    fn only_the_callback_of_this_login_ends_the_wait() {
        let here = "127.0.0.1:8756";
        for (line, host, status) in [
            ("GET /favicon.ico HTTP/1.1", here, "404"),
            ("GET / HTTP/1.1", here, "404"),
            ("POST /callback?code=c&state=s1 HTTP/1.1", here, "405"),
            ("GET /callback?code=c&state=other HTTP/1.1", here, "400"),
            ("GET /callback?code=c HTTP/1.1", here, "400"),
            ("GET /callback?code=c&code=d&state=s1 HTTP/1.1", here, "400"),
            ("GET /callback?code=c&state=s1 HTTP/1.1", "evil.example:8756", "421"),
            ("GET /callback?code=c&state=s1 HTTP/1.1", "127.0.0.1.evil.example", "421"),
            ("", here, "400"),
        ] {
            let (page, callback) = ask(line, host);
            assert!(page.starts_with(&format!("HTTP/1.1 {status}")), "{line} {host}: {page}");
            assert!(callback.is_none(), "{line} {host}");
        }
        let (page, callback) =
            ask("GET /callback?code=planted_code_0123&state=s1 HTTP/1.1", "localhost:8756");
        assert!(page.starts_with("HTTP/1.1 200") && !page.contains("planted_code"), "{page}");
        let Some(Callback::Url(url)) = callback else { panic!("expected a callback") };
        assert_eq!(url, "http://127.0.0.1:8756/callback?code=planted_code_0123&state=s1");
        // A refusal ends the wait too: the terminal says why.
        let (page, callback) = ask("GET /callback?state=s1 HTTP/1.1", here);
        assert!(page.contains("not approved") && callback.is_some());
    }
}
