//! The client itself: from a request to a reply.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Request,
    header::{self, HeaderValue},
    http::uri::PathAndQuery,
};
use sesame_core::{BoxFuture, Error, HttpRequest, HttpResponse, Result, Transport, request::Method};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{
    body,
    connect::Connector,
    failure,
    origin::{self, Origin},
    pool::{Connection, Pool, Slot},
};

/// Who we say we are.
pub const USER_AGENT: &str = concat!("sesame/", env!("CARGO_PKG_VERSION"));

/// Maximum number of exchanges at one time; more wait. Below the 1,024 open files that many systems allow.
const MAX_IN_FLIGHT: usize = 768;

/// The pooled HTTP client.
///
/// Cheap until used: the roots of TLS are read with the first `https` request, the proxy is taken
/// from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (spelt in either case). Must be used inside a
/// tokio runtime.
///
/// ```no_run
/// use sesame_core::{HttpRequest, Transport, request::Method};
/// use sesame_http::HttpTransport;
///
/// # async fn example() -> sesame_core::Result<()> {
/// let transport = HttpTransport::new();
/// let reply = transport.send(HttpRequest::new(Method::GET, "https://api.lazada.sg/rest/")).await?;
/// println!("{}", reply.status);
/// # Ok(())
/// # }
/// ```
pub struct HttpTransport {
    pool: Pool,
    connector: Connector,
    in_flight: Semaphore,
}

impl HttpTransport {
    /// Creates the client. Opens nothing and reads nothing but the proxy variables.
    pub fn new() -> Self {
        Self::with_connector(Connector::from_env())
    }

    /// Allows plain HTTP to a sandbox such as `http://sandbox:4600`, as long as its name leads into a private
    /// network ([`is_private_address`](sesame_core::request::is_private_address)). To this machine it is
    /// always allowed, to anybody else never: whoever listens would read tokens.
    ///
    /// ```
    /// let transport = sesame_http::HttpTransport::new().with_sandbox("http://sandbox:4600");
    /// # drop(transport);
    /// ```
    #[must_use]
    pub fn with_sandbox(mut self, origin: impl Into<Box<str>>) -> Self {
        self.pool.sandbox = Some(origin.into());
        self
    }

    pub(crate) fn with_connector(connector: Connector) -> Self {
        Self { pool: Pool::new(), connector, in_flight: Semaphore::new(MAX_IN_FLIGHT) }
    }

    /// Describes the way a URL would take, for `sesame doctor`: direct, or by which proxy.
    ///
    /// # Errors
    /// What [`Transport::send`] would refuse before sending anything.
    pub fn route(&self, url: &str) -> Result<String> {
        let (origin, _) = origin::split(url)?;
        let origin = Origin::parse(origin, self.pool.sandbox.as_deref())?;
        self.connector.route(&origin)
    }

    /// Checks a request and turns it into hyper's; nothing is sent. Apart from the exchange, so that
    /// the request does not make its future large: one is allocated for every call.
    fn lay_out(&self, mut request: HttpRequest) -> Result<Ready> {
        let now = Instant::now();
        let (origin, path) = origin::split(&request.url)?;
        let slot = self.pool.slot(origin)?;
        let origin = &slot.origin;
        let mut message = message(origin, path, request.method, std::mem::take(&mut request.body))?;
        *message.headers_mut() = headers(request.headers, origin);
        let (timeout, limit) = (request.timeout, request.max_reply);
        Ok(Ready { slot, message, now, deadline: now + timeout, timeout, limit })
    }

    /// Sends a request and reads the reply.
    #[expect(clippy::manual_async_fn, reason = "an async function holds what is given to it twice")]
    fn exchange(&self, mut ready: Ready) -> impl Future<Output = Result<HttpResponse>> + Send + '_ {
        async move {
            let (deadline, timeout) = (ready.deadline, ready.timeout);
            // The semaphore is never closed, so only the time can run out here.
            let permit = if let Ok(permit) = self.in_flight.try_acquire() {
                Some(permit)
            } else {
                let permit = Box::pin(timeout_at(deadline, self.in_flight.acquire())).await;
                ready.now = Instant::now();
                permit.ok().and_then(Result::ok)
            };
            let Some(_permit) = permit else {
                return Err(failure::timed_out("all connections were busy", timeout, false));
            };

            let mut may_reuse = true;
            loop {
                let Slot { origin, .. } = &*ready.slot;
                let idle = if may_reuse { ready.slot.check_out(ready.now, deadline).await } else { None };
                let reused = idle.is_some();
                let mut connection = match idle {
                    Some(connection) => connection,
                    // Rare and large: in a box of its own it does not make every exchange large.
                    None => Box::pin(self.connector.open(origin, deadline, timeout)).await?,
                };
                let Connection { sender, deadline: limit, .. } = &mut connection;
                let late = || failure::timed_out("no complete answer came", timeout, true);
                limit.set(deadline);
                // From here on the request may arrive at the other side. What is pinned ends with its
                // statement: so the body takes the place that the request had.
                let sent = limit.limit(pin!(sender.try_send_request(ready.message))).await;
                let response = match sent.ok_or_else(late)? {
                    Ok(response) => response,
                    Err(mut error) => match error.take_message() {
                        // hyper hands the request back when not a byte of it was written. The
                        // gateway closed an idle connection: once more, on a fresh one.
                        Some(unsent) if reused => {
                            (ready.message, may_reuse) = (unsent, false);
                            continue;
                        }
                        unsent => {
                            return Err(failure::broken(
                                origin.name(),
                                &error.into_error(),
                                unsent.is_none(),
                            ));
                        }
                    },
                };
                let (head, incoming) = response.into_parts();
                if ready.limit == 0 {
                    // The connection ends with what else would come.
                    let body = Bytes::new();
                    return Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers, body });
                }
                let body =
                    limit.limit(pin!(body::read(origin.name(), &head.headers, incoming, ready.limit))).await;
                let body = body.ok_or_else(late)??;
                ready.slot.check_in(connection);
                return Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers, body });
            }
        }
    }
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").finish_non_exhaustive()
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        match self.lay_out(request) {
            Ok(ready) => Box::pin(self.exchange(ready)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// A request that may leave.
struct Ready {
    slot: Arc<Slot>,
    message: Request<Full<Bytes>>,
    now: Instant,
    deadline: Instant,
    timeout: Duration,
    limit: usize,
}

/// Builds hyper's request.
fn message(origin: &Origin, path: &str, method: Method, body: Bytes) -> Result<Request<Full<Bytes>>> {
    // A fragment never travels.
    let path = if path.as_bytes().contains(&b'#') { path.split('#').next().unwrap_or(path) } else { path };
    let path = if path.is_empty() || path.starts_with('?') { &format!("/{path}") } else { path };
    let path = PathAndQuery::try_from(path)
        .map_err(|error| Error::usage(format!("the URL for {} cannot be sent: {error}", origin.name())))?;

    let mut message = Request::new(Full::new(body));
    *message.method_mut() = method;
    *message.uri_mut() = path.into();
    Ok(message)
}

/// Adds the headers that belong to the connection.
fn headers(mut headers: HeaderMap, origin: &Origin) -> HeaderMap {
    // Three of ours, and the length that hyper adds. With one more than there are, the map is twice as
    // large and the allocator takes its slow way.
    headers.reserve(4);
    headers.insert(header::HOST, origin.host_header());
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One is allocated for every call, and up to this size the allocator keeps freed ones at hand.
    #[test]
    fn an_exchange_is_small() {
        let transport = HttpTransport::new();
        let request = HttpRequest::new(Method::GET, "http://127.0.0.1:1/");
        let size = size_of_val(&transport.exchange(transport.lay_out(request).unwrap()));
        assert!(size <= 1_032, "{size} bytes");
    }
}
