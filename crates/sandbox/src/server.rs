//! The HTTP server: one port, plain HTTP/1.1.
//!
//! It is hyper without a framework: faults need the connection itself (dropped replies, replies cut
//! off), and a router could not serve paths that differ by app key.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{ALLOW, CONTENT_TYPE, DATE, HOST, HeaderValue, ORIGIN},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use sesame_core::{Error, Result};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    describe::Description,
    options::Options,
    received::{Head, MAX_HEADERS, Unreadable},
    reply::{Ending, Media, ReplyBody, WebReply},
    route,
    state::State,
};

/// A running sandbox. Dropping it stops it without waiting for calls in progress.
#[derive(Debug)]
pub struct Sandbox {
    state: Arc<State>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Sandbox {
    /// Starts a sandbox and returns when it accepts connections.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    ///
    /// use sesame_catalog::Catalog;
    /// use sesame_core::{Clock, Result};
    /// use sesame_sandbox::{Options, Sandbox};
    ///
    /// async fn with_a_sandbox(clock: Arc<dyn Clock>) -> Result<()> {
    ///     let mut options = Options::new(Arc::new(Catalog::builtin()), clock);
    ///     options.listen = ([127, 0, 0, 1], 0).into();
    ///     options.auto_approve = true;
    ///     options.faults.push("call-limit=3@/products/get,count=1".parse()?);
    ///     let sandbox = Sandbox::start(options).await?;
    ///     let lazada = sandbox.describe().apps.into_iter().find(|app| app.platform == "lazada");
    ///     println!("{}: {lazada:?}", sandbox.url());
    ///     sandbox.stop().await;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an address other than loopback
    /// without [`Options::allow_public`], for apps of unknown platforms, and for more shops or
    /// products than a sandbox holds;
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the address is in use.
    pub async fn start(options: Options) -> Result<Self> {
        options.check()?;
        let listener = TcpListener::bind(options.listen).await.map_err(|error| {
            Error::local(format!("cannot listen on {}: {error}", options.listen))
                .with_hint("Another program (or sandbox) may have the port: choose another with --listen 127.0.0.1:PORT, or port 0 for any.")
                .with_source(error)
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::local(format!("the port has no address: {error}")).with_source(error))?;
        let state = Arc::new(State::new(&options)?);
        // Set once, right here.
        let _ = state.url.set(format!("http://{address}"));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&state), options.max_connections, stopped));
        tracing::info!(listen = %address, "the sandbox is ready");
        Ok(Self { state, address, stop, task })
    }

    /// Returns the base URL: `http://127.0.0.1:4600`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address, apps and shops.
    pub fn describe(&self) -> Description {
        Description::of(&self.state)
    }

    /// Stops the sandbox: no new connections; calls in progress get a second to finish.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }

    /// Runs until `signal` is ready, then stops.
    pub async fn run_until(self, signal: impl Future<Output = ()>) {
        signal.await;
        self.stop().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How long calls in progress may take when the sandbox stops.
const GRACE: Duration = Duration::from_secs(1);
/// How long a client may take to send the head of a request, and its body.
const PATIENCE: Duration = Duration::from_secs(30);

async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    max_connections: usize,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(max_connections.max(1)));
    let mut connections = JoinSet::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            _ = stopped.changed() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        // Finished connections are forgotten as new ones come.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: wait for some to come back.
            tracing::warn!("a connection could not be accepted");
            state.clock.base().sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Answers are small and whole; waiting for more of them costs 40 ms each.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let mut stopped = stopped.clone();
        connections.spawn(async move {
            let _permit = permit;
            let service = service_fn(|request| serve(&state, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_headers(MAX_HEADERS * 2)
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                // An error here is a client that left, or a fault that was ordered.
                _ = connection.as_mut() => return,
                _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
    let finish = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = finish => {}
        () = state.clock.base().sleep(GRACE) => {}
    }
}

/// Serves one request. An error ends the connection without an answer.
async fn serve(state: &State, request: Request<Incoming>) -> io::Result<Response<ReplyBody>> {
    let (parts, body) = request.into_parts();
    let now = state.clock.now();
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let head = Head {
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        content_type: parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
        separator: text("top-api-separator"),
        none_match: text("if-none-match"),
    };
    let reply = match check_head(state, &parts) {
        Err(unreadable) => route::refuse(&unreadable),
        Ok(()) => match read_body(body, state.max_body, PATIENCE).await {
            Err(unreadable) => route::refuse(&unreadable),
            Ok(body) => route::serve(state, &parts.method, &head, &body, now),
        },
    };
    if reply.latency_ms > 0 {
        state.clock.base().sleep(Duration::from_millis(reply.latency_ms)).await;
    }
    match reply.ending {
        Ending::Drop => Err(io::Error::other("dropped on purpose")),
        // Ends when the client leaves or the sandbox stops.
        Ending::Hang => match std::future::pending::<Infallible>().await {},
        Ending::Whole | Ending::Cut | Ending::Padded(_) => Ok(response(state, reply)),
    }
}

/// Checks what is wrong with a request whatever it asks for.
fn check_head(state: &State, parts: &hyper::http::request::Parts) -> Result<(), Unreadable> {
    if parts.headers.len() > MAX_HEADERS {
        return Err(Unreadable {
            status: 431,
            code: "too-many-headers",
            message: format!("the request has more than {MAX_HEADERS} headers"),
        });
    }
    if parts.uri.path().starts_with("/_sandbox") {
        // No login guards the control API, so web pages may not reach it through a browser: not by
        // a request from another origin, and not by a name that resolves to this machine.
        // A header that is not ASCII is nobody's own.
        let of = |name| parts.headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
        let own =
            |origin: &str| origin.strip_prefix("http://").is_some_and(|origin| Some(origin) == of(HOST));
        let foreign = of(ORIGIN).is_some_and(|origin| !own(origin));
        let renamed = !state.public && of(HOST).is_some_and(|host| !is_plain_host(host));
        if foreign || renamed {
            return Err(Unreadable {
                status: 403,
                code: "foreign-origin",
                message:
                    "the control API answers programs on its own address, not web pages of other origins"
                        .to_owned(),
            });
        }
    }
    Ok(())
}

/// An IP address or `localhost`, with or without a port.
fn is_plain_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

/// Reads a body up to a size, in a time that it takes as a whole: single bytes that trickle in do not
/// prolong it.
async fn read_body<B>(body: B, most: usize, patience: Duration) -> Result<Bytes, Unreadable>
where
    B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let refused = |status, code, message| Err(Unreadable { status, code, message });
    match tokio::time::timeout(patience, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            refused(413, "request-too-large", format!("the body has more than {most} bytes"))
        }
        Ok(Err(_)) => refused(400, "broken-body", "the body ended before its end".to_owned()),
        Err(_) => refused(408, "request-timeout", "the body did not arrive in time".to_owned()),
    }
}

fn response(state: &State, reply: WebReply) -> Response<ReplyBody> {
    let WebReply { status, media, body, headers: own, date_shift, ending, .. } = reply;
    let mut response = Response::new(ReplyBody::new(body, ending));
    // Statuses are checked where they come in; 500 is what is left for one that is not.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_value(media));
    headers.insert(DATE, state.clock.date(date_shift));
    for (name, value) in own {
        if let Ok(value) = HeaderValue::try_from(value.as_ref()) {
            headers.insert(name, value);
        }
    }
    if status == 405 {
        headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

const fn media_value(media: Media) -> HeaderValue {
    HeaderValue::from_static(media.as_str())
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use hyper::body::Frame;

    use super::*;

    /// One byte each few milliseconds, without an end.
    struct Trickle(tokio::time::Interval);

    impl Body for Trickle {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b"a")))))
        }
    }

    #[tokio::test]
    async fn a_body_that_trickles_in_is_cut_off() {
        let body = Trickle(tokio::time::interval(Duration::from_millis(5)));
        let refused = read_body(body, 1 << 20, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!((refused.status, refused.code), (408, "request-timeout"));
    }
}
