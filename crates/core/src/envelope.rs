//! What a reply says: result, refusal, or not a reply at all.
//!
//! Replies lie: HTTP 200 with an error, HTTP 200 with an HTML page, `success:false` inside
//! `code:"0"`. Nothing here parses more than it must, and the vendor's bytes stay reachable.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    Error, ErrorKind, ErrorTable, HttpResponse, Protocol, Result, Retry, Shape,
    classify::{Failure, ID_LIMIT, classify},
    decode::decode as decode_json,
    path,
    redact::{ForeignText, Redactor},
    scalar::{self, Text},
};

/// A field of the payload that says whether the call really worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessFlag {
    /// Dotted path from the payload, e.g. `result.success`.
    pub flag: String,
    /// Values that mean success, as text, compared without regard to case.
    pub ok: Vec<String>,
    /// Paths that may hold the code, first found wins.
    #[serde(default)]
    pub code: Vec<String>,
    /// Paths that may hold the message, first found wins.
    #[serde(default)]
    pub message: Vec<String>,
    /// Where this is known from.
    pub source: String,
}

/// The data by which replies of one platform are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyRules {
    /// Documented errors.
    pub errors: ErrorTable,
    /// Fields that contradict a successful envelope, in order.
    #[serde(default)]
    pub flags: Vec<SuccessFlag>,
}

/// A successful reply: the vendor's bytes and where the payload is in them.
#[derive(Clone)]
pub struct Reply {
    body: Bytes,
    from: usize,
    to: usize,
    request_id: Option<ForeignText>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("bytes", &self.body.len())
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// Returns the whole body as the vendor sent it.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the payload: the content of `..._response`, else the whole body.
    pub fn payload(&self) -> &str {
        std::str::from_utf8(&self.body[self.from..self.to]).unwrap_or_default()
    }

    /// Returns the platform's request id.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(ForeignText::as_str)
    }

    /// Creates an error about this reply, with its request id.
    pub fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, message).with_request_id(self.request_id.clone())
    }

    /// Parses the payload.
    ///
    /// # Errors
    /// [`ErrorKind::Envelope`] if the payload has another shape than `T`. The message says where, as a JSON
    /// path, and what was expected there; it does not repeat the value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        decode_json(self.payload()).map_err(|error| error.with_request_id(self.request_id.clone()))
    }
}

/// Reads one reply.
///
/// The redactor has to know the secrets of the call: no error repeats one, in whatever field and however
/// the reply writes it.
///
/// # Errors
/// What [`classify`] makes of a refusal; [`ErrorKind::Envelope`] for bytes that are not a reply of the
/// protocol: HTML, empty, cut, not UTF-8. Such a reply leaves open whether the call was carried
/// out ([`Error::is_ambiguous`]).
pub fn read_reply(
    shape: Shape,
    rules: &ReplyRules,
    response: &HttpResponse,
    redactor: &Redactor<'_>,
    now: Timestamp,
) -> Result<Reply> {
    match decode(shape, &rules.flags, response) {
        Ok((payload, request_id)) => Ok(Reply {
            body: response.body.clone(),
            from: payload.start,
            to: payload.end,
            request_id: request_id.map(|id| redactor.text(&id, ID_LIMIT)),
        }),
        Err(Unsuccessful::Refusal(failure)) => {
            let error = classify(&rules.errors, &failure, redactor, now);
            Err(match response.retry_after() {
                // The edge's own header is the only hint where the body gives none.
                Some(seconds) if error.retry() == Retry::Backoff => {
                    error.with_retry(Retry::After(std::time::Duration::from_secs(seconds.min(86_400))))
                }
                _ => error,
            })
        }
        Err(Unsuccessful::Unreadable(error)) => Err(error),
    }
}

/// Why there is no reply.
#[derive(Debug, Clone)]
pub enum Unsuccessful {
    /// The gateway or the API said no.
    Refusal(Box<Failure>),
    /// The bytes are no reply of this protocol.
    Unreadable(Error),
}

/// The members of a JSON object, in order, none of them parsed.
type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

fn members(text: &str) -> Option<Members<'_>> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Members<'de>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::with_capacity(8);
            while let Some(key) = map.next_key::<Text<'de>>()? {
                out.push((key.0, map.next_value::<&'de RawValue>()?));
            }
            Ok(out)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = serde::Deserializer::deserialize_map(&mut deserializer, Visitor).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

fn member<'a>(members: &Members<'a>, name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw)
}

fn text_member(members: &Members<'_>, names: &[&str]) -> Option<String> {
    borrowed_member(members, names).map(Cow::into_owned)
}

fn borrowed_member<'a>(members: &Members<'a>, names: &[&str]) -> Option<Cow<'a, str>> {
    names
        .iter()
        .find_map(|name| member(members, name).and_then(scalar::raw_text))
        .filter(|text| !text.is_empty())
}

/// Where the payload is in the body, and the request id as it came.
type Decoded = (std::ops::Range<usize>, Option<String>);

/// Separates results from refusals and from bytes that are neither.
///
/// # Errors
/// [`Unsuccessful`].
#[doc(hidden)]
pub fn decode(shape: Shape, flags: &[SuccessFlag], response: &HttpResponse) -> Result<Decoded, Unsuccessful> {
    let status = response.status;
    let Ok(text) = std::str::from_utf8(&response.body) else {
        return Err(unreadable(response, "the reply is not UTF-8"));
    };
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.is_empty() {
        return Err(unreadable(response, "the reply is empty"));
    }
    if trimmed.starts_with('<') {
        return Err(markup(shape, response, trimmed));
    }
    if !trimmed.starts_with('{') {
        return bare(shape, response, trimmed);
    }
    let Some(top) = members(trimmed) else {
        return Err(unreadable(response, "the reply is JSON that was cut or damaged"));
    };
    if let Some(failure) = refusal(shape, &top, status) {
        return Err(Unsuccessful::Refusal(Box::new(failure)));
    }
    if status >= 400 {
        return Err(Unsuccessful::Refusal(Box::new(by_status(
            shape,
            status,
            text_member(&top, &["request_id"]),
            "",
        ))));
    }

    let (payload, inner) = unwrap(shape, trimmed, &top);
    let request_id = text_member(&top, &["request_id", "requestId"])
        .or_else(|| inner.as_ref().and_then(|inner| text_member(inner, &["request_id", "requestId"])));
    if let Some(failure) = contradiction(flags, inner.as_ref().unwrap_or(&top), status, request_id.as_ref()) {
        return Err(Unsuccessful::Refusal(Box::new(failure)));
    }
    let from = payload.as_ptr() as usize - text.as_ptr() as usize;
    Ok((from..from + payload.len(), request_id))
}

/// Reads a body that is JSON but no object: param2's `currentTime` answers a text, others a list.
fn bare(shape: Shape, response: &HttpResponse, trimmed: &str) -> Result<Decoded, Unsuccessful> {
    let json = serde_json::from_str::<&RawValue>(trimmed).is_ok();
    if !json || (shape.protocol() != Protocol::Param2 && !trimmed.starts_with('[')) {
        return Err(unreadable(response, "the reply is not JSON"));
    }
    if response.status >= 400 {
        return Err(Unsuccessful::Refusal(Box::new(by_status(shape, response.status, None, trimmed))));
    }
    let from = trimmed.as_ptr() as usize - response.body.as_ptr() as usize;
    Ok((from..from + trimmed.len(), None))
}

/// Makes a refusal of an HTTP error status whose body names no code. Only param2 has codes that
/// are HTTP statuses; elsewhere `500` is a business code and must not be taken for one.
fn by_status(shape: Shape, status: u16, request_id: Option<String>, said: &str) -> Failure {
    Failure {
        code: if shape.protocol() == Protocol::Param2 {
            status.to_string()
        } else {
            format!("HTTP {status}")
        },
        message: said.to_owned(),
        request_id,
        http_status: status,
        ..Failure::default()
    }
}

/// Finds the gateway's refusal among the members of the body.
fn refusal(shape: Shape, top: &Members<'_>, status: u16) -> Option<Failure> {
    // OAuth pages of every family may answer like this (RFC 6749, 5.2).
    if let Some(error) = member(top, "error").filter(|_| top.len() <= 4).and_then(scalar::raw_text)
        && (status >= 400 || member(top, "error_description").is_some())
    {
        return Some(Failure {
            code: error.into_owned(),
            message: text_member(top, &["error_description"]).unwrap_or_default(),
            request_id: text_member(top, &["request_id"]),
            http_status: status,
            ..Failure::default()
        });
    }
    if let Some(inner) = member(top, "error_response").and_then(|raw| members(raw.get())) {
        return Some(iop_or_top_failure(&inner, status));
    }
    match shape.protocol() {
        Protocol::Param2 => {
            // `error_code` is a refusal whatever the status; the other spellings belong to APIs, too,
            // unless the status or the code says that the gateway speaks (protocols 1.5, 1.6).
            let failed = !(200..400).contains(&status);
            let said = text_member(top, &["error_code"]).filter(|code| failed || code != "0");
            let also =
                || text_member(top, &["errorCode", "code"]).filter(|code| failed || code.starts_with("gw."));
            said.or_else(also).map(|code| Failure {
                in_payload: !failed && !code.starts_with("gw."),
                code,
                message: text_member(top, &["error_message", "errorMessage", "message", "exception"])
                    .unwrap_or_default(),
                request_id: text_member(top, &["request_id", "requestId"]),
                http_status: status,
                ..Failure::default()
            })
        }
        Protocol::Iop => {
            let code = borrowed_member(top, &["code"])?;
            let gateway = shape != Shape::IopSync || member(top, "type").is_some();
            (gateway && code != "0").then(|| iop_or_top_failure(top, status))
        }
        Protocol::Top => None,
    }
}

fn iop_or_top_failure(members: &Members<'_>, status: u16) -> Failure {
    let mut message = text_member(members, &["msg", "message"]).unwrap_or_default();
    if let Some(detail) =
        member(members, "detail").map(RawValue::get).filter(|detail| *detail != "null" && *detail != "[]")
    {
        message.push(' ');
        message.push_str(detail);
    }
    Failure {
        code: text_member(members, &["code"]).unwrap_or_default(),
        sub_code: text_member(members, &["sub_code"]),
        message,
        sub_message: text_member(members, &["sub_msg"]),
        origin: text_member(members, &["type"]),
        request_id: text_member(members, &["request_id"]),
        http_status: status,
        in_payload: false,
    }
}

/// Takes the `..._response` wrapper off, where there is one.
fn unwrap<'a>(shape: Shape, whole: &'a str, top: &Members<'a>) -> (&'a str, Option<Members<'a>>) {
    if matches!(shape, Shape::IopSync | Shape::Top | Shape::TopBatch) {
        let wrapper = top.iter().find(|(key, raw)| key.ends_with("_response") && raw.get().starts_with('{'));
        if let Some((_, raw)) = wrapper {
            return (raw.get(), members(raw.get()));
        }
    }
    (whole, None)
}

/// Finds a field of the payload that says the call did not work.
fn contradiction(
    flags: &[SuccessFlag],
    payload: &Members<'_>,
    status: u16,
    request_id: Option<&String>,
) -> Option<Failure> {
    for flag in flags {
        let Some(value) = text_at(payload, &flag.flag) else { continue };
        if flag.ok.iter().any(|ok| ok.eq_ignore_ascii_case(&value)) {
            continue;
        }
        let first = |paths: &[String]| {
            let text = paths.iter().find_map(|path| text_at(payload, path));
            text.filter(|text| !text.is_empty()).map(Cow::into_owned)
        };
        return Some(Failure {
            code: first(&flag.code).unwrap_or_else(|| format!("{}={value}", flag.flag)),
            message: first(&flag.message).unwrap_or_default(),
            request_id: request_id.cloned(),
            http_status: status,
            in_payload: true,
            ..Failure::default()
        });
    }
    None
}

fn text_at<'a>(payload: &Members<'a>, path: &str) -> Option<Cow<'a, str>> {
    match path.split_once('.') {
        None => member(payload, path).and_then(scalar::raw_text),
        Some((head, rest)) => path::text(member(payload, head)?, rest),
    }
}

/// Reads a body that starts with `<`: TOP's XML errors, or an HTML page from the edge.
fn markup(shape: Shape, response: &HttpResponse, text: &str) -> Unsuccessful {
    if shape.protocol() == Protocol::Top && text.contains("<error_response>") {
        let tag = |name: &str| {
            let from = text.find(&format!("<{name}>"))? + name.len() + 2;
            let to = from + text[from..].find(&format!("</{name}>"))?;
            Some(text[from..to].to_owned())
        };
        return Unsuccessful::Refusal(Box::new(Failure {
            code: tag("code").unwrap_or_default(),
            sub_code: tag("sub_code"),
            message: tag("msg").unwrap_or_default(),
            sub_message: tag("sub_msg"),
            request_id: tag("request_id"),
            http_status: response.status,
            ..Failure::default()
        }));
    }
    unreadable(response, "the reply is a web page, not an answer of the API")
}

fn unreadable(response: &HttpResponse, why: &'static str) -> Unsuccessful {
    let status = response.status;
    let (kind, retry) = match status {
        429 => (ErrorKind::Quota, Retry::Backoff),
        500..=599 => (ErrorKind::Platform, Retry::Backoff),
        400..=499 => (ErrorKind::Envelope, Retry::Never),
        _ => (ErrorKind::Envelope, Retry::Backoff),
    };
    let retry = match response.retry_after() {
        Some(seconds) if retry == Retry::Backoff => {
            Retry::After(std::time::Duration::from_secs(seconds.min(86_400)))
        }
        _ => retry,
    };
    Unsuccessful::Unreadable(
        Error::new(kind, format!("{why} (HTTP status {status}, {} bytes)", response.body.len()))
            .with_fault(crate::Fault::Platform)
            .with_retry(retry)
            // A 4xx page comes from the edge, before the API; anything else leaves it open.
            .with_ambiguity(!(400..500).contains(&status))
            .with_http_status(status)
            .with_hint("This is the edge of the platform or a proxy on the way, not the API. Check the host, the path and whether this address is allowed; try again later. `sesame doctor` shows the route."),
    )
}
