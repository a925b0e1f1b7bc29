//! HTTP requests and replies as values, and the trait by which they travel.
//!
//! Methods and headers are those of the crate [`http`]. Requests and replies are types of their own,
//! because the `Debug` of [`http::Request`] and [`http::Response`] shows URL and body, which hold
//! tokens here, and because a request carries its limits.

use std::{fmt, future::Future, net::IpAddr, pin::Pin, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    Params, Result,
    mask::mask_url,
    params::Value,
    redact::{ForeignText, Redactor},
};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The largest reply that is read unless the caller says otherwise: 64 MiB.
pub const MAX_REPLY: usize = 64 << 20;

/// The media type of form bodies. The charset is spelt out because param2 asks for it.
pub const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// A request that is ready to be sent. `Debug` masks the secrets in its URL and hides its body.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The absolute URL, with its query.
    pub url: String,
    /// The headers, without those that belong to the connection.
    pub headers: HeaderMap,
    /// The body; empty with GET.
    pub body: Bytes,
    /// The time limit for the whole exchange.
    pub timeout: Duration,
    /// The largest reply to read, in bytes after decompression. With 0 the body is not read: the reply has
    /// its status and headers alone.
    pub max_reply: usize,
}

/// The most characters of a request or a reply that a log shows.
const LOG_LIMIT: usize = 8_000;

impl HttpRequest {
    /// Describes the request for a log: method, URL and body, without secrets. A body that is not a form
    /// is shown by its size.
    pub fn described(&self, redactor: &Redactor<'_>) -> ForeignText {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let body = match std::str::from_utf8(&self.body) {
            Ok(body) if kind.starts_with("application/x-www-form-urlencoded") => {
                mask_url(&format!("?{body}"))
            }
            _ => format!("{} bytes", self.body.len()),
        };
        redactor.text(&format!("{} {} {body}", self.method, mask_url(&self.url)), LOG_LIMIT)
    }

    /// Creates a request with the default limits: 30 s and [`MAX_REPLY`].
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(30),
            max_reply: MAX_REPLY,
        }
    }

    /// Creates a POST with a form body.
    pub fn form<'a>(url: impl Into<String>, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut body = Vec::with_capacity(512);
        encode_form(&mut body, pairs);
        Self::post(url, HeaderValue::from_static(FORM), body)
    }

    /// Creates a POST with a body of a media type.
    pub fn post(url: impl Into<String>, media_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let mut request = Self::new(Method::POST, url);
        request.headers.insert(CONTENT_TYPE, media_type);
        request.body = body.into();
        request
    }

    /// Creates a POST with a JSON body.
    pub fn json(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::post(url, HeaderValue::from_static("application/json"), body)
    }

    /// Creates a GET with a query.
    pub fn query<'a>(url: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(Method::GET, with_query(url, pairs))
    }

    /// Creates a POST with a multipart body: text parts in order, then the file parts.
    ///
    /// `boundary` must not occur in any part; 16 random bytes in hex are enough.
    pub fn multipart(url: impl Into<String>, params: &Params, boundary: &str) -> Self {
        let mut body = BytesMut::new();
        for (name, value) in params.iter() {
            body.put_slice(b"--");
            body.put_slice(boundary.as_bytes());
            body.put_slice(b"\r\nContent-Disposition: form-data; name=\"");
            put_quoted(&mut body, name);
            match value {
                Value::Text(text) => {
                    body.put_slice(b"\"\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n");
                    body.put_slice(text.as_bytes());
                }
                Value::File(file) => {
                    body.put_slice(b"\"; filename=\"");
                    put_quoted(&mut body, &file.file_name);
                    body.put_slice(b"\"\r\nContent-Type: ");
                    let safe = !file.content_type.bytes().any(|byte| byte < b' ');
                    let kind = if safe { file.content_type.as_str() } else { "application/octet-stream" };
                    body.put_slice(kind.as_bytes());
                    body.put_slice(b"\r\n\r\n");
                    body.put_slice(&file.content);
                }
            }
            body.put_slice(b"\r\n");
        }
        body.put_slice(b"--");
        body.put_slice(boundary.as_bytes());
        body.put_slice(b"--\r\n");
        let media_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
            .unwrap_or(HeaderValue::from_static("multipart/form-data"));
        Self::post(url, media_type, body.freeze())
    }
}

/// Writes a name between quotes in the way browsers do (WHATWG HTML, multipart/form-data).
fn put_quoted(out: &mut BytesMut, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.put_slice(b"%22"),
            b'\r' => out.put_slice(b"%0D"),
            b'\n' => out.put_slice(b"%0A"),
            other => out.put_u8(other),
        }
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &mask_url(&self.url))
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Bytes that are left as they are in queries and form bodies: unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `a=b&c=d` with everything but unreserved characters percent-encoded.
///
/// A space becomes `%20`, which both form and query decoders understand.
pub fn encode_form<'a>(out: &mut Vec<u8>, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut first = true;
    for (name, value) in pairs {
        if !first {
            out.push(b'&');
        }
        first = false;
        encode_into(out, name);
        out.push(b'=');
        encode_into(out, value);
    }
}

fn encode_into(out: &mut Vec<u8>, text: &str) {
    for chunk in utf8_percent_encode(text, UNRESERVED) {
        out.extend_from_slice(chunk.as_bytes());
    }
}

/// Percent-encodes one path segment.
pub fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Appends a query to a URL that may already have one.
pub fn with_query<'a>(url: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = Vec::with_capacity(url.len() + 256);
    out.extend_from_slice(url.as_bytes());
    let mut query = Vec::new();
    encode_form(&mut query, pairs);
    if !query.is_empty() {
        out.push(if url.contains('?') { b'&' } else { b'?' });
        out.extend_from_slice(&query);
    }
    // Both halves are UTF-8: the URL came in as such and the query is ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// A reply. The body is whole and already decompressed. `Debug` hides it, and all headers but the type.
#[derive(Clone, Default)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl HttpResponse {
    /// Describes the reply for a log: status and body, without secrets.
    pub fn described(&self, redactor: &Redactor<'_>) -> ForeignText {
        redactor.text(&format!("{} {}", self.status, String::from_utf8_lossy(&self.body)), LOG_LIMIT)
    }

    /// Creates a reply without headers.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    /// Sets a header. One whose value no header may have is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Returns the first header of a name; `None` if there is none, or it is not ASCII text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the seconds of the header `Retry-After`. Its form with a date is not read: these gateways do
    /// not use it.
    pub fn retry_after(&self) -> Option<u64> {
        self.header(RETRY_AFTER.as_str())?.trim().parse().ok()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("content_type", &self.header(CONTENT_TYPE.as_str()))
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Returns `true` for an address that the public internet does not reach: loopback, the private ranges of
/// RFC 1918 and RFC 4193, and those kept for documentation, which networks of containers use, too.
///
/// ```
/// use sesame_core::request::is_private_address;
///
/// assert!(is_private_address("172.17.0.2".parse().unwrap()));
/// assert!(!is_private_address("8.8.8.8".parse().unwrap()));
/// ```
pub fn is_private_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_documentation(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// Sends requests to a gateway.
///
/// It is the seam between those who need calls (the vault, the client) and whoever makes them.
/// Implementations verify TLS always, follow no redirects and keep the request's limits.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole reply.
    ///
    /// # Errors
    /// [`ErrorKind::Network`](crate::ErrorKind::Network), [`Timeout`](crate::ErrorKind::Timeout) or
    /// [`Envelope`](crate::ErrorKind::Envelope) (reply too large).
    /// [`Error::is_ambiguous`](crate::Error::is_ambiguous) tells whether the request may have
    /// arrived. An HTTP error status is not an error here.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>>;
}
