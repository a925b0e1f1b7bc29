//! Making a connection: name, TCP, proxy, TLS.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{Uri, client::conn::http1};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{
            HttpConnector,
            dns::Name,
            proxy::{SocksV5, Tunnel},
        },
        proxy::matcher::{Intercept, Matcher},
    },
    rt::TokioIo,
};
use rustls::ClientConfig;
use sesame_core::{Error, Result};
use tokio::{
    net::TcpStream,
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tower_service::Service;

use crate::{
    failure::{self, NoAddress, RouteKind},
    origin::Origin,
    pool::Connection,
};

/// Making a connection (name, TCP, proxy, TLS) takes at most this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection runs over.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections.
pub(crate) struct Connector {
    tcp: HttpConnector<Resolver>,
    proxies: Matcher,
    /// Filled by the first `https` request: reading the roots takes milliseconds that a command
    /// which talks to nobody should not pay.
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Connector {
    pub(crate) fn from_env() -> Self {
        Self::new(Matcher::from_env())
    }

    pub(crate) fn new(proxies: Matcher) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_mins(1)));
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Self { tcp, proxies, tls: OnceCell::new() }
    }

    /// Trusts one more certificate authority: how the tests meet TLS servers of their own.
    #[cfg(test)]
    pub(crate) fn trusting(proxies: Matcher, root: rustls::pki_types::CertificateDer<'static>) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = Self::new(proxies);
        connector.tls.set(Arc::new(config)).unwrap();
        connector
    }

    /// Opens a connection and gets it ready for a request. Nothing of the request is sent, so no
    /// error of this is ambiguous.
    pub(crate) async fn open(
        &self,
        origin: &Origin,
        deadline: Instant,
        whole: Duration,
    ) -> Result<Connection> {
        let by = self.proxy(origin)?;
        let connect_deadline = deadline.min(Instant::now() + CONNECT_TIMEOUT);
        let stream = timeout_at(connect_deadline, self.stream(origin, by.as_ref())).await;
        let stream = stream.unwrap_or_else(|_| {
            let what = format!("{} could not be reached", origin.name());
            let hint = failure::unreachable_hint(route_kind(origin, by.as_ref()));
            Err(failure::timed_out(&what, CONNECT_TIMEOUT.min(whole), false).with_hint(hint))
        })?;
        let (sender, connection) =
            http1::handshake(stream).await.map_err(|error| failure::broken(origin.name(), &error, false))?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                // Whoever waits for a reply gets this error too; on an idle connection it is of no
                // interest to anybody.
                tracing::debug!(%error, "a connection ended");
            }
        });
        Ok(Connection::new(sender, task.abort_handle()))
    }

    async fn stream(&self, origin: &Origin, by: Option<&Intercept>) -> Result<Stream> {
        let failed = |error: BoxError| failure::unreachable(origin.name(), error, route_kind(origin, by));
        if !origin.is_https() {
            let stream =
                self.tcp.clone().call(origin.uri().clone()).await.map_err(|error| failed(error.into()))?;
            // `localhost` is a name like any other to the resolver: look where it really led.
            let peer = stream.inner().peer_addr().map_err(|error| failed(error.into()))?;
            if !origin.may_lead_to(peer.ip()) {
                return Err(Error::usage(format!(
                    "{} leads to {}, where plain HTTP is not allowed",
                    origin.name(),
                    peer.ip()
                ))
                .with_hint(
                    "Plain http:// is for a sandbox on this machine or in a private network. Write its address instead of the name, or use https://.",
                ));
            }
            return Ok(MaybeHttpsStream::Http(stream));
        }
        let tls = self.tls.get_or_try_init(tls_config).await?.clone();
        let uri = origin.uri().clone();
        let stream = match by {
            None => HttpsConnector::from((self.tcp.clone(), tls)).call(uri).await,
            Some(by) if is_socks(by.uri()) => {
                let mut socks = SocksV5::new(by.uri().clone(), self.tcp.clone())
                    // `socks5h` asks the proxy for the address, `socks5` asks here.
                    .local_dns(by.uri().scheme_str() == Some("socks5"));
                if let Some((user, password)) = by.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                HttpsConnector::from((socks, tls)).call(uri).await
            }
            Some(by) => {
                let mut tunnel = Tunnel::new(by.uri().clone(), self.tcp.clone());
                if let Some(auth) = by.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                HttpsConnector::from((tunnel, tls)).call(uri).await
            }
        };
        stream.map_err(failed)
    }

    /// Returns the proxy for an origin. This machine and the sandbox are never asked for through a proxy.
    fn proxy(&self, origin: &Origin) -> Result<Option<Intercept>> {
        if origin.is_near() {
            return Ok(None);
        }
        let Some(by) = self.proxies.intercept(origin.uri()) else { return Ok(None) };
        let known = by.uri().scheme_str() == Some("http") || is_socks(by.uri());
        if known {
            return Ok(Some(by));
        }
        Err(Error::usage(format!(
            "the proxy variable names the scheme {:?}, which Sesame does not speak",
            by.uri().scheme_str().unwrap_or_default()
        ))
        .with_hint("Set HTTPS_PROXY to http://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT; what travels through it stays encrypted."))
    }

    pub(crate) fn route(&self, origin: &Origin) -> Result<String> {
        Ok(match self.proxy(origin)? {
            None => "direct".to_owned(),
            // Only scheme, host and port: the URL of a proxy may hold a password.
            Some(by) => format!(
                "by the proxy {}://{}{}",
                by.uri().scheme_str().unwrap_or_default(),
                by.uri().host().unwrap_or_default(),
                by.uri().port().map(|port| format!(":{port}")).unwrap_or_default()
            ),
        })
    }
}

/// Tells how an origin is reached, for hints.
fn route_kind(origin: &Origin, by: Option<&Intercept>) -> RouteKind {
    match by {
        Some(_) => RouteKind::Proxy,
        None if origin.is_near() => RouteKind::Sandbox,
        None => RouteKind::Direct,
    }
}

fn is_socks(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("socks5" | "socks5h"))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads the roots that this machine trusts.
async fn tls_config() -> Result<Arc<ClientConfig>> {
    let config = tokio::task::spawn_blocking(|| {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .try_with_platform_verifier()?
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok::<_, rustls::Error>(config)
    })
    .await
    .map_err(|error| Error::local(format!("TLS could not be set up: {error}")))?;
    config.map(Arc::new).map_err(|error| {
        Error::local(format!("TLS could not be set up: {error}"))
            .with_hint("This machine trusts no certificate authority. Install its package of them (Debian: ca-certificates), or name a file by SSL_CERT_FILE.")
    })
}

/// Asks the system for addresses, and says so when it has none: an error of its own type lets
/// [`failure`] tell a wrong name from a closed port.
#[derive(Clone, Copy)]
struct Resolver;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NoAddress;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAddress>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAddress>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map(Vec::from_iter);
            match found {
                Ok(found) => Ok(found.into_iter()),
                Err(source) => Err(NoAddress { name, source }),
            }
        })
    }
}
