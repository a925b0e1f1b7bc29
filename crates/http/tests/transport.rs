//! The transport against real sockets: small servers on loopback that misbehave in one way each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fmt::Write as _,
    io::Write as _,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use sesame_core::{
    Error, ErrorKind, HttpRequest, HttpResponse, Transport,
    request::{HeaderValue, Method, is_private_address},
};
use sesame_http::HttpTransport;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server that hands each connection, with its number from 0, to a function.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start<F, R>(on_connection: F) -> Self
    where
        F: Fn(TcpStream, usize) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::start_at("127.0.0.1".parse().unwrap(), on_connection).await
    }

    async fn start_at<F, R>(address: IpAddr, on_connection: F) -> Self
    where
        F: Fn(TcpStream, usize) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(on_connection(stream, counter.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self { url, connections }
    }

    /// A server that answers every request with the same bytes.
    async fn fixed(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |mut stream, _| {
            let answer = Arc::clone(&answer);
            async move {
                while read_request(&mut stream).await.is_some() {
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one request with its body; nothing at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |value| value.trim().parse().unwrap());
            if text.len() >= end + 4 + length {
                return Some(String::from_utf8_lossy(&text).into_owned());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => text.extend_from_slice(&buffer[..read]),
        }
    }
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn post(url: &str) -> HttpRequest {
    let mut request = HttpRequest::form(
        format!("{url}/rest/order/get"),
        [("a", "1"), ("access_token", "secret-token-of-24-chars")],
    );
    request.timeout = Duration::from_secs(5);
    request
}

async fn send(request: HttpRequest) -> Result<HttpResponse, Error> {
    HttpTransport::new().send(request).await
}

#[tokio::test]
async fn sends_what_it_is_given_and_reads_what_comes() {
    let server = Server::start(|mut stream, _| async move {
        let request = read_request(&mut stream).await.unwrap();
        let answer = http("200 OK", "Date: Sat, 10 Oct 2026 08:45:52 GMT\r\nRetry-After: 7\r\nx-sandbox-refusal: r1\r\nContent-Type: text/plain\r\n", request.as_bytes());
        stream.write_all(&answer).await.unwrap();
    })
    .await;
    let mut request = post(&server.url);
    request.headers.insert("x-protocol", HeaderValue::from_static("GOP"));
    let response = send(request).await.unwrap();
    let seen = String::from_utf8(response.body.to_vec()).unwrap();
    assert!(seen.starts_with("POST /rest/order/get HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with("a=1&access_token=secret-token-of-24-chars"), "{seen}");
    let lower = seen.to_lowercase();
    for header in [
        concat!("user-agent: sesame/", env!("CARGO_PKG_VERSION")),
        "accept-encoding: gzip",
        "x-protocol: gop",
        "content-type: application/x-www-form-urlencoded; charset=utf-8",
        "host: 127.0.0.1:",
    ] {
        assert!(lower.contains(header), "{header} is missing in {seen}");
    }
    assert_eq!(response.header("date"), Some("Sat, 10 Oct 2026 08:45:52 GMT"));
    assert_eq!((response.retry_after(), response.header("x-sandbox-refusal")), (Some(7), Some("r1")));
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::fixed(http("200 OK", "", b"{}")).await;
    let transport = HttpTransport::new();
    for _ in 0..20 {
        transport.send(post(&server.url)).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn many_at_once_all_come_back() {
    let server = Server::fixed(http("200 OK", "", b"{}")).await;
    let transport = Arc::new(HttpTransport::new());
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (transport, request) = (Arc::clone(&transport), post(&server.url));
            tokio::spawn(async move { transport.send(request).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().body.as_ref(), b"{}");
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced() {
    // Each connection answers once and is then closed without a word.
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(&http("200 OK", "", b"{}")).await.unwrap();
    })
    .await;
    let transport = HttpTransport::new();
    for _ in 0..5 {
        transport.send(post(&server.url)).await.unwrap();
        // Lets hyper see the end of the connection, as it would between two calls of a person.
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    assert!(server.connections() >= 2);
}

#[tokio::test]
async fn dropped_before_an_answer_is_ambiguous_and_not_sent_twice() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
    })
    .await;
    let error = send(post(&server.url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.is_ambiguous(), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn dropped_in_the_middle_of_an_answer_is_ambiguous() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":").await;
    })
    .await;
    let error = send(post(&server.url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.is_ambiguous());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_certain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = send(post(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!error.is_ambiguous());
    assert!(error.is_retryable());
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn an_unknown_name_is_certain_and_said() {
    let error = send(post("https://gateway.invalid")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
    assert!(!error.is_ambiguous());
    assert!(error.to_string().contains("gateway.invalid"), "{error}");
}

#[tokio::test]
async fn a_gateway_that_hangs_ends_in_time() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut request = post(&server.url);
    request.timeout = Duration::from_millis(300);
    let began = Instant::now();
    let error = send(request).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_ambiguous());
    assert!(error.to_string().contains("0.3 s"), "{error}");
}

#[tokio::test]
async fn a_gateway_that_drips_ends_in_time() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if stream.write_all(b"x").await.is_err() {
                return;
            }
        }
    })
    .await;
    let mut request = post(&server.url);
    request.timeout = Duration::from_millis(300);
    assert_eq!(send(request).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_not_read() {
    // It never ends, is broken, or is larger than it says.
    for rest in ["Content-Length: 1000000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "\r\n"] {
        let server = Server::fixed(format!("HTTP/1.1 202 Accepted\r\nX-Id: 7\r\n{rest}")).await;
        let mut request = post(&server.url);
        request.max_reply = 0;
        let reply = send(request).await.unwrap();
        assert_eq!((reply.status, reply.body.len()), (202, 0));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let trap = Server::fixed(http("200 OK", "", b"gotcha")).await;
    let location = format!("Location: {}/steal?access_token=secret-token-of-24-chars\r\n", trap.url);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let server = Server::fixed(http(status, &location, b"")).await;
        let response = send(post(&server.url)).await.unwrap();
        assert_eq!(response.status.to_string(), status[..3]);
        assert!(response.header("location").unwrap().ends_with("24-chars"));
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn plain_http_leaves_this_machine_never() {
    for url in ["http://192.0.2.1", "http://api.lazada.sg", "http://127.0.0.1.example.com"] {
        let began = Instant::now();
        let error = send(post(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
        assert!(!error.is_ambiguous());
        assert!(began.elapsed() < Duration::from_millis(500));
    }
    assert_eq!(
        send(HttpRequest::new(Method::GET, "ftp://127.0.0.1/")).await.unwrap_err().kind(),
        ErrorKind::Usage
    );
}

#[tokio::test]
async fn gzip_is_unpacked_and_bombs_are_bounded() {
    let server =
        Server::fixed(http("200 OK", "Content-Encoding: gzip\r\n", &packed(br#"{"code":"0"}"#))).await;
    assert_eq!(send(post(&server.url)).await.unwrap().body.as_ref(), br#"{"code":"0"}"#);

    let bomb = packed(&vec![0; 200 << 20]);
    let server = Server::fixed(http("200 OK", "Content-Encoding: gzip\r\n", &bomb)).await;
    let error = send(post(&server.url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Envelope);
    assert!(error.to_string().contains("64 MiB"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_reply_of_100_mb_is_bounded_with_and_without_a_length() {
    // Says its length: refused before a byte of it is read.
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n").await;
        let _ = stream.write_all(&vec![b' '; 1 << 20]).await;
    })
    .await;
    let error = send(post(&server.url)).await.unwrap_err();
    assert!(error.to_string().contains("64 MiB"), "{error}");

    // Does not: cut off at the limit.
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        for _ in 0..1_600 {
            if stream.write_all(&chunk).await.is_err() {
                return;
            }
        }
    })
    .await;
    let mut request = post(&server.url);
    request.max_reply = 1 << 20;
    let error = send(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Envelope);
    assert!(error.to_string().contains("1 MiB"), "{error}");
}

#[tokio::test]
async fn what_is_not_http_is_said() {
    let server = Server::fixed("SSH-2.0-OpenSSH_9.2\r\n").await;
    let error = send(post(&server.url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("not HTTP"), "{error}");
}

#[tokio::test]
async fn tls_against_plain_http_is_certain() {
    let server = Server::fixed(http("200 OK", "", b"{}")).await;
    let url = server.url.replace("http://", "https://");
    let error = send(post(&url)).await.unwrap_err();
    assert!(!error.is_ambiguous(), "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn no_error_shows_a_token() {
    let closed = Server::start(|stream, _| async move { drop(stream) }).await;
    let mut shown = String::new();
    for url in [closed.url.as_str(), "http://192.0.2.1", "https://gateway.invalid"] {
        let request =
            HttpRequest::query(&format!("{url}/rest/x"), [("access_token", "secret-token-of-24-chars")]);
        write!(shown, "{request:?}").unwrap();
        let error = send(request).await.unwrap_err();
        write!(shown, "{error} {error:?} {:?}", error.hint()).unwrap();
    }
    assert!(!shown.contains("secret-token-of-24-chars"), "{shown}");
}

/// A gateway may refuse a large request by its head and never read the rest. The connection is then
/// still writing, and no call may wait for it.
#[tokio::test]
async fn a_connection_that_is_still_writing_is_not_used_again() {
    let server = Server::start(|mut stream, _| async move {
        let mut head = [0; 512];
        let _ = stream.read(&mut head).await.unwrap();
        stream.write_all(&http("200 OK", "", b"early")).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let transport = HttpTransport::new();
    for call in 1..=2 {
        let mut request = post(&server.url);
        request.body = vec![b'a'; 32 << 20].into();
        let begun = Instant::now();
        let response = transport.send(request).await.unwrap();
        assert_eq!(&response.body[..], b"early");
        assert!(begun.elapsed() < Duration::from_secs(4), "call {call} took {:?}", begun.elapsed());
        assert_eq!(server.connections(), call);
    }
}

/// A whole reply on a connection in order is followed by the next request on the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_in_order_stay_in_use() {
    let server = Server::fixed(http("200 OK", "", &vec![b'a'; 40_000])).await;
    let transport = HttpTransport::new();
    for _ in 0..300 {
        transport.send(post(&server.url)).await.unwrap();
    }
    assert!(server.connections() <= 3, "{} connections for 300 calls", server.connections());
}

#[tokio::test]
async fn a_sandbox_that_does_not_run_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = send(post(&url)).await.unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("sesame sandbox") && hint.contains("SESAME_ENDPOINT"), "{hint}");
    assert!(!hint.contains("firewall"), "{hint}");
}

/// The address by which this machine would reach others; nothing is sent to find it out.
fn own_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && is_private_address(address)).then_some(address)
}

#[tokio::test]
async fn plain_http_leaves_this_machine_for_the_named_sandbox_alone() {
    let Some(address) = own_address() else {
        eprintln!("this machine has no private address to try");
        return;
    };
    let server = Server::start_at(address, async |mut stream, _| {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await;
    let get =
        async |transport: &HttpTransport| transport.send(HttpRequest::new(Method::GET, &*server.url)).await;
    assert_eq!(get(&HttpTransport::new()).await.unwrap_err().kind(), ErrorKind::Usage);
    let other = HttpTransport::new().with_sandbox(format!("http://{address}:1"));
    assert_eq!(get(&other).await.unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(server.connections(), 0);
    let named = HttpTransport::new().with_sandbox(server.url.clone());
    assert_eq!(get(&named).await.unwrap().body, "ok");
    assert_eq!(named.route(&server.url).unwrap(), "direct");
}
