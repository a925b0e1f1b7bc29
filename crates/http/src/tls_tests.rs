//! TLS and proxies against servers whose certificates an authority of our own signed.

use std::sync::{Arc, Mutex};

use hyper_util::client::proxy::matcher::Matcher;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sesame_core::{Error, ErrorKind, Fault, HttpRequest, HttpResponse, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{connect::Connector, transport::HttpTransport};

const TOKEN: &str = "secret-token-of-24-chars";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        Self::called("Sesame tests")
    }

    fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Starts a TLS server for a name whose certificate is valid in the years given.
    async fn server(&self, name: &str, years: (i32, i32)) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![leaf.der().clone()],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
                    }
                });
            }
        });
        port
    }
}

/// A proxy that leads everything to one port, or refuses; it remembers what it was sent in the clear.
async fn proxy(to: Option<u16>, refusal: &'static str) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let ears = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let ears = Arc::clone(&ears);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or_default();
                ears.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
                match to {
                    Some(to) => {
                        let mut there = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                        let _ = copy_bidirectional(&mut stream, &mut there).await;
                    }
                    None => stream.write_all(refusal.as_bytes()).await.unwrap(),
                }
            });
        }
    });
    (port, heard)
}

fn no_proxy() -> Matcher {
    Matcher::builder().build()
}

async fn get(transport: &HttpTransport, url: &str) -> Result<HttpResponse, Error> {
    transport.send(HttpRequest::query(url, [("access_token", TOKEN)])).await
}

#[tokio::test]
async fn a_certificate_that_is_right_is_taken() {
    let authority = Authority::new();
    let port = authority.server("localhost", (2020, 2100)).await;
    let transport = HttpTransport::with_connector(Connector::trusting(no_proxy(), authority.root()));
    for _ in 0..3 {
        assert_eq!(get(&transport, &format!("https://localhost:{port}/")).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_certificate_that_is_wrong_is_refused_and_explained() {
    let authority = Authority::new();
    let trusting = || HttpTransport::with_connector(Connector::trusting(no_proxy(), authority.root()));
    let other = authority.server("gateway.example", (2020, 2100)).await;
    let old = authority.server("localhost", (2020, 2021)).await;
    let early = authority.server("localhost", (2090, 2100)).await;
    let cases = [
        (other, "another name", Fault::Network),
        (old, "has ended", Fault::Machine),
        (early, "not valid yet", Fault::Machine),
    ];
    for (port, said, fault) in cases {
        let error = get(&trusting(), &format!("https://localhost:{port}/")).await.unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Network, fault), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(!error.is_ambiguous() && !error.is_retryable());
    }

    let stranger = Authority::called("Somebody else").server("localhost", (2020, 2100)).await;
    let error = get(&trusting(), &format!("https://localhost:{stranger}/")).await.unwrap_err();
    assert!(error.to_string().contains("does not trust"), "{error}");
    // The roots of this machine know neither authority.
    let error = get(&HttpTransport::new(), &format!("https://localhost:{stranger}/")).await.unwrap_err();
    assert!(!error.is_ambiguous(), "{error:?}");
}

#[tokio::test]
async fn a_proxy_sees_the_host_and_nothing_else() {
    let authority = Authority::new();
    let port = authority.server("gateway.example", (2020, 2100)).await;
    let (by, heard) = proxy(Some(port), "").await;
    let proxies = Matcher::builder().https(format!("http://user:password@127.0.0.1:{by}")).build();
    let transport = HttpTransport::with_connector(Connector::trusting(proxies, authority.root()));
    assert_eq!(get(&transport, "https://gateway.example/rest/x").await.unwrap().status, 200);
    let heard = heard.lock().unwrap();
    assert!(heard.starts_with("CONNECT gateway.example:443 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.to_lowercase().contains("proxy-authorization: basic"), "{heard}");
    assert!(!heard.contains(TOKEN), "{heard}");
    let route = transport.route("https://gateway.example/rest/x").unwrap();
    assert_eq!(route, format!("by the proxy http://127.0.0.1:{by}"));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_as_the_reason() {
    let (by, _) = proxy(None, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    let proxies = Matcher::builder().https(format!("http://127.0.0.1:{by}")).build();
    let transport = HttpTransport::with_connector(Connector::trusting(proxies, Authority::new().root()));
    let error = get(&transport, "https://gateway.example/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!error.is_ambiguous());
    assert!(error.hint().unwrap().contains("HTTPS_PROXY"), "{error:?}");
}

#[tokio::test]
async fn this_machine_and_exceptions_need_no_proxy() {
    let (by, heard) = proxy(None, "HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    let authority = Authority::new();
    let port = authority.server("localhost", (2020, 2100)).await;
    let proxies = Matcher::builder().all(format!("http://127.0.0.1:{by}")).no("gateway.example").build();
    let transport = HttpTransport::with_connector(Connector::trusting(proxies, authority.root()));
    assert_eq!(get(&transport, &format!("https://localhost:{port}/")).await.unwrap().status, 200);
    assert_eq!(transport.route("https://gateway.example/").unwrap(), "direct");
    assert!(heard.lock().unwrap().is_empty());
    let socks = Matcher::builder().all("ftp://127.0.0.1:1").build();
    let transport = HttpTransport::with_connector(Connector::new(socks));
    if let Err(error) = transport.route("https://gateway.example/") {
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}
