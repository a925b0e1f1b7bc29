//! The listener on this machine that receives the callback of a login.
//!
//! It is bound before the URL is shown. A stray tab, a favicon, a port scanner or a page with a
//! wrong state get an answer and do not end the wait; reads are bounded in size and time.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind as ErrorKindOfSystem},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use sesame_core::{Clock, Error, ErrorKind, Result, command_line::quote};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use url::Host;

use super::{Callback, Login, hash};
use crate::{
    accounts::Account,
    oauth::callback::{CallbackQuery, LONGEST, WebAddress},
};

/// How long the listener waits for a person.
const PATIENCE: Duration = Duration::from_mins(15);
/// How long one connection may take to send its request.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// How long a browser may take to read its page.
const WRITE_LIMIT: Duration = Duration::from_secs(2);
/// Browsers open some connections in advance and leave them idle.
const MOST_CONNECTIONS: usize = 32;

/// Waits for the callback of one login. Dropping it frees the port.
#[derive(Debug)]
pub struct Listener {
    /// One, or two for `localhost`, which is two addresses.
    sockets: Vec<TcpListener>,
    expected: Arc<Expected>,
    clock: Arc<dyn Clock>,
}

/// The browser that brought a callback and waits for a page.
#[derive(Debug)]
pub struct Browser(TcpStream);

impl Browser {
    /// Shows how the login ended: the name of the shop, or that it failed and where to read why.
    pub async fn show(mut self, outcome: &Result<Vec<Account>>) {
        let text = match outcome.as_deref() {
            Ok([]) => "The app is authorized. This page may be closed.".to_owned(),
            Ok([first, ..]) => {
                let shop = first.login.as_deref().unwrap_or(&first.name);
                format!("The app is authorized for the shop {}. This page may be closed.", escaped(shop))
            }
            Err(_) => "The app is not authorized. The terminal says why; this page may be closed.".to_owned(),
        };
        let page = page("200 OK", &text);
        // The browser may be gone already, or not read.
        let _ = tokio::time::timeout(WRITE_LIMIT, async {
            self.0.write_all(page.as_bytes()).await?;
            self.0.shutdown().await
        })
        .await;
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[derive(Debug)]
struct Expected {
    origin: String,
    path: String,
    /// The hash of the state.
    state: Vec<u8>,
}

impl Listener {
    pub(crate) async fn bind(login: &Login, clock: Arc<dyn Clock>) -> Result<Self> {
        let uri = &login.redirect_uri;
        let Some(place) = WebAddress::of(uri).filter(WebAddress::is_loopback) else {
            return Err(Error::usage(format!("the redirect URI {uri} does not lead to this machine"))
                .with_hint("Approve the app in the browser, then paste the address it ends at."));
        };
        let port = place.0.port_or_known_default().unwrap_or(80);
        let addresses = match place.0.host() {
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Ipv4(address)) => vec![address.into()],
            // Whichever of the two the browser takes, no other program may listen there.
            _ => vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        };
        let mut sockets = Vec::new();
        for address in addresses {
            match TcpListener::bind(SocketAddr::new(address, port)).await {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 has one address of that name.
                Err(error) if !sockets.is_empty() && error.kind() != ErrorKindOfSystem::AddrInUse => {}
                Err(error) => return Err(taken(port, &login.app, error)),
            }
        }
        let origin = uri.split(['?', '#']).next().unwrap_or_default().to_owned();
        let expected =
            Arc::new(Expected { origin, path: place.0.path().to_owned(), state: hash(&login.state) });
        Ok(Self { sockets, expected, clock })
    }

    /// Returns the addresses it listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Waits for the callback of this login. The browser that brought it waits for [`Browser::show`].
    ///
    /// May be dropped at any time, e.g. because a person pasted the address first.
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`] when the app was not approved within 15 minutes.
    pub async fn accept(&self) -> Result<(Callback, Browser)> {
        let mut over = self.clock.sleep(PATIENCE);
        let mut connections: JoinSet<Option<(Callback, Browser)>> = JoinSet::new();
        let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
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
                accepted = self.next() => {
                    // A connection that broke before it was accepted is ignored.
                    let Ok(stream) = accepted else { continue };
                    // Who connects and says nothing makes room for who comes later.
                    oldest.retain(|connection| !connection.is_finished());
                    if oldest.len() >= MOST_CONNECTIONS && let Some(silent) = oldest.pop_front() {
                        silent.abort();
                    }
                    let expected = self.expected.clone();
                    let limit = self.clock.sleep(READ_LIMIT);
                    oldest.push_back(connections.spawn(async move {
                        tokio::select! {
                            got = serve(stream, &expected) => got,
                            () = limit => None,
                        }
                    }));
                }
            }
        }
    }

    /// Accepts the next connection on any of the addresses.
    async fn next(&self) -> io::Result<TcpStream> {
        std::future::poll_fn(|context| {
            for socket in &self.sockets {
                if let Poll::Ready(accepted) = socket.poll_accept(context) {
                    return Poll::Ready(accepted.map(|(stream, _)| stream));
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn taken(port: u16, app: &str, error: io::Error) -> Error {
    let app = quote(app);
    Error::local(format!("port {port}, where the callback would arrive, cannot be opened: {error}"))
        .with_hint(format!("Whoever holds it would get the approval. Another login may be waiting: finish or end it. Or register another redirect URI with the platform: `sesame app edit {app} --redirect-uri URI`."))
        .with_source(error)
}

/// Answers one connection; the callback that is waited for is answered later.
async fn serve(mut stream: TcpStream, expected: &Expected) -> Option<(Callback, Browser)> {
    let head = read_head(&mut stream).await?;
    match answer(&head, expected) {
        Ok(callback) => Some((callback, Browser(stream))),
        Err(page) => {
            let _ = stream.write_all(page.as_bytes()).await;
            let _ = stream.shutdown().await;
            None
        }
    }
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
fn answer(head: &str, expected: &Expected) -> std::result::Result<Callback, String> {
    let refuse = |status: &str, text: &str| Err(page(status, text));
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (request.next(), request.next()) else {
        return refuse("400 Bad Request", "Sesame does not understand this request.");
    };
    // A foreign web page may point a name of its own at 127.0.0.1; its Host gives it away.
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    if !host
        .and_then(|host| WebAddress::of(&format!("http://{host}")))
        .is_some_and(|place| place.is_loopback())
    {
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
    // Compared as hashes: how long that takes tells nothing of the state.
    if found.state.is_none_or(|state| hash(&state) != expected.state) {
        return refuse(
            "400 Bad Request",
            "This answer belongs to another login. Sesame still waits for the one it began: approve the app on the page it opened last. If you refused, end the command with Ctrl-C.",
        );
    }
    Ok(Callback::Url(format!("{}?{query}", expected.origin)))
}

fn page(status: &str, text: &str) -> String {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sesame</title>\
         <style>body{{font:18px/1.5 sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}}</style>\
         <h1>Sesame</h1><p>{text}</p></html>\n"
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

    fn ask(line: &str, host: &str) -> std::result::Result<Callback, String> {
        let expected = Expected {
            origin: "http://127.0.0.1:8756/callback".into(),
            path: "/callback".into(),
            state: hash("s1"),
        };
        answer(&format!("{line}\r\nHost: {host}\r\n\r\n"), &expected)
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
            let page = ask(line, host).unwrap_err();
            assert!(page.starts_with(&format!("HTTP/1.1 {status}")), "{line} {host}: {page}");
        }
        let Ok(Callback::Url(url)) = ask("GET /callback?code=0123&state=s1 HTTP/1.1", "localhost:8756")
        else {
            panic!("expected a callback")
        };
        assert_eq!(url, "http://127.0.0.1:8756/callback?code=0123&state=s1");
        // A refusal ends the wait too: the terminal says why.
        assert!(ask("GET /callback?state=s1 HTTP/1.1", here).is_ok());
    }

    #[test]
    fn a_page_shows_names_as_text() {
        assert_eq!(escaped("<b>&\"'"), "&lt;b&gt;&amp;\"'");
    }
}
