//! What a reply says: result, refusal, or not a reply at all.
//!
//! Replies lie: HTTP 200 with an error, HTTP 200 with an HTML page, `success:false` inside
//! `code:"0"`. Nothing here parses more than it must, and the vendor's bytes stay reachable.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    Error, ErrorKind, Fault, HttpResponse, Protocol, Result, Retry, Shape,
    classify::{Failure, ID_LIMIT, classify},
    decode::decode as decode_json,
    payload::{Members, contradiction, member, members},
    redact::{ForeignText, Redactor},
    scalar,
};

pub use crate::payload::{FieldNames, RefusalRule, ReplyRules, SuccessFlag};

/// The deepest nesting of a reply that is read.
const DEEPEST: usize = 128;

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
/// protocol: HTML, empty, cut, nested deeper than 128 levels, not UTF-8. Such a reply leaves open whether the call was carried
/// out ([`Error::is_ambiguous`]).
pub fn read_reply(
    shape: Shape,
    rules: &ReplyRules,
    response: &HttpResponse,
    redactor: &Redactor<'_>,
    now: Timestamp,
) -> Result<Reply> {
    match decode(shape, rules, response) {
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
    /// The bytes are not a reply of this protocol.
    Unreadable(Error),
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
type Decoded<'a> = (std::ops::Range<usize>, Option<Cow<'a, str>>);

/// Separates results from refusals and from bytes that are neither.
///
/// # Errors
/// [`Unsuccessful`].
#[doc(hidden)]
pub fn decode<'a>(
    shape: Shape,
    rules: &ReplyRules,
    response: &'a HttpResponse,
) -> Result<Decoded<'a>, Unsuccessful> {
    let status = response.status;
    let Ok(text) = std::str::from_utf8(&response.body) else {
        return Err(unreadable(response, "the reply is not UTF-8"));
    };
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.is_empty() {
        return Err(unreadable(response, "the reply is empty"));
    }
    if trimmed.starts_with('<') {
        return Err(markup(response, trimmed));
    }
    if is_deep(trimmed) {
        return Err(Unsuccessful::Unreadable(
            Error::new(ErrorKind::Envelope, format!("the reply is nested deeper than {DEEPEST} levels"))
                .with_fault(Fault::Platform)
                .with_retry(Retry::Never)
                .with_ambiguity(true)
                .with_http_status(status)
                .with_hint("No API of the platforms answers like this: look who answers at this host, and report it with the time of the call."),
        ));
    }
    if !trimmed.starts_with('{') {
        return bare(shape, response, trimmed);
    }
    let Some(top) = members(trimmed) else {
        return Err(unreadable(response, "the reply is JSON that was cut or damaged"));
    };
    if let Some(failure) = refusal(shape, rules, &top, status) {
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
    let id_of = |members: &Members<'a>| borrowed_member(members, &["request_id", "requestId"]);
    let request_id = id_of(&top).or_else(|| inner.as_ref().and_then(id_of));
    let members = inner.unwrap_or(top);
    if let Some(failure) = contradiction(rules, members, payload, status, request_id.as_deref()) {
        return Err(Unsuccessful::Refusal(Box::new(failure)));
    }
    let from = payload.as_ptr() as usize - text.as_ptr() as usize;
    Ok((from..from + payload.len(), request_id))
}

/// Reads a body that is JSON but no object: param2's `currentTime` answers a text, others a list.
fn bare(shape: Shape, response: &HttpResponse, trimmed: &str) -> Result<Decoded<'static>, Unsuccessful> {
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
fn refusal(shape: Shape, rules: &ReplyRules, top: &Members<'_>, status: u16) -> Option<Failure> {
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
    if let Some(inner) = member(top, "ErrorResponse").and_then(|raw| members(raw.get())) {
        let head = member(&inner, "Head").and_then(|raw| members(raw.get())).unwrap_or_default();
        let body = member(&inner, "Body").map(RawValue::get).filter(|body| !is_empty_json(body));
        return Some(Failure {
            detail: body.map(str::to_owned),
            ..seller_center_failure(&|name| text_member(&head, &[name]), status)
        });
    }
    let is_success =
        |code: &str| code == "0" || rules.refusal.as_ref().is_some_and(|rule| rule.is_success(code));
    match shape.protocol() {
        Protocol::Param2 => {
            // `error_code` is a refusal whatever the status; the other spellings belong to APIs, too,
            // unless the status or the code says that the gateway speaks (protocols 1.5, 1.6).
            let failed = !(200..400).contains(&status);
            let said = text_member(top, &["error_code"]).filter(|code| failed || !is_success(code));
            let also =
                || text_member(top, &["errorCode", "code"]).filter(|code| failed || code.starts_with("gw."));
            said.or_else(also).map(|code| {
                whole(
                    top,
                    Failure {
                        code,
                        message: text_member(top, &["error_message", "errorMessage", "message", "exception"])
                            .unwrap_or_default(),
                        request_id: text_member(top, &["request_id", "requestId"]),
                        http_status: status,
                        ..Failure::default()
                    },
                )
            })
        }
        Protocol::Iop => {
            let code = borrowed_member(top, &["code"])?;
            let gateway = shape != Shape::IopSync || member(top, "type").is_some();
            let refused = code != "0" && (!is_success(&code) || member(top, "type").is_some());
            (gateway && refused).then(|| iop_or_top_failure(top, status))
        }
        Protocol::Top => None,
    }
}

fn iop_or_top_failure(members: &Members<'_>, status: u16) -> Failure {
    let failure = Failure {
        code: text_member(members, &["code"]).unwrap_or_default(),
        sub_code: text_member(members, &["sub_code"]),
        message: text_member(members, &["msg", "message"]).unwrap_or_default(),
        sub_message: text_member(members, &["sub_msg"]),
        origin: text_member(members, &["type"]),
        request_id: text_member(members, &["request_id"]),
        http_status: status,
        ..Failure::default()
    };
    whole(members, failure)
}

/// Adds what the members say beyond the fields of a failure: `detail` with the fields that are wrong.
fn whole(members: &Members<'_>, mut failure: Failure) -> Failure {
    let texts = [&failure.sub_code, &failure.sub_message, &failure.origin, &failure.request_id];
    let texts: Vec<&String> = texts.into_iter().flatten().chain([&failure.code, &failure.message]).collect();
    let is_told =
        |raw: &RawValue| scalar::raw_text(raw).is_some_and(|text| texts.iter().any(|told| **told == text));
    let rest: Vec<_> = members
        .iter()
        .filter(|(name, raw)| {
            !matches!(&**name, "_trace_id_" | "success") && !is_empty_json(raw.get()) && !is_told(raw)
        })
        .collect();
    failure.detail = match rest.as_slice() {
        [] => None,
        [(name, raw)] if name == "detail" => Some(raw.get().to_owned()),
        rest => {
            let rest: Vec<String> =
                rest.iter().map(|(name, raw)| format!("{name:?}:{}", raw.get())).collect();
            Some(format!("{{{}}}", rest.join(",")))
        }
    };
    failure
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

/// Returns `true` if arrays and objects are nested deeper than a reply may have them.
fn is_deep(json: &str) -> bool {
    let opens = |byte: u8| matches!(byte, b'[' | b'{');
    // Mostly there are fewer of them at all. Counted in bytes, many at a time.
    let opened = |part: &[u8]| usize::from(part.iter().map(|byte| u8::from(opens(*byte))).sum::<u8>());
    if json.as_bytes().chunks(255).map(opened).sum::<usize>() <= DEEPEST {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    json.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if opens(byte) => depth += 1,
            _ => {}
        }
        depth > DEEPEST
    })
}

fn is_empty_json(json: &str) -> bool {
    matches!(json, "null" | "[]" | "{}" | "\"\"")
}

/// The refusal of the platforms' older Seller Center API, whose clients may reach a gateway of today.
fn seller_center_failure(field: &dyn Fn(&str) -> Option<String>, status: u16) -> Failure {
    Failure {
        code: field("ErrorCode").unwrap_or_default(),
        message: field("ErrorMessage").unwrap_or_default(),
        origin: field("ErrorType"),
        request_id: field("RequestId").filter(|id| !id.is_empty()),
        http_status: status,
        ..Failure::default()
    }
}

/// Reads a body that starts with `<`: an error as XML, another document, or an HTML page from the edge.
fn markup(response: &HttpResponse, text: &str) -> Unsuccessful {
    let tag = |name: &str| {
        let from = text.find(&format!("<{name}>"))? + name.len() + 2;
        let to = from + text[from..].find(&format!("</{name}>"))?;
        Some(xml_text(&text[from..to]))
    };
    if text.contains("<error_response>") {
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
    if text.contains("<ErrorResponse>") {
        let detail = tag("Body").filter(|body| !body.is_empty());
        let failure = seller_center_failure(&tag, response.status);
        return Unsuccessful::Refusal(Box::new(Failure { detail, ..failure }));
    }
    // A page may come with the declaration of XML in front.
    let head = text[..text.floor_char_boundary(1_024)].to_ascii_lowercase();
    let is_page =
        ["<!doctype html", "<html", "<head", "<body", "<title"].iter().any(|tag| head.contains(tag));
    if is_page || response.status >= 400 {
        return unreadable(response, "the reply is a web page, not an answer of the API");
    }
    Unsuccessful::Unreadable(
        Error::new(ErrorKind::Envelope, format!("the reply is XML, not JSON ({} bytes)", response.body.len()))
            .with_fault(Fault::Platform)
            .with_retry(Retry::Never)
            .with_ambiguity(true)
            .with_http_status(response.status)
            .with_hint("Sesame asks for JSON, and an API of today answers so. Check the host and the region of the account: an older API may answer there."),
    )
}

/// Undoes the escapes of an XML text.
fn xml_text(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
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
            .with_fault(Fault::Platform)
            .with_retry(retry)
            // A 4xx page comes from the edge, before the API; anything else leaves it open.
            .with_ambiguity(!(400..500).contains(&status))
            .with_http_status(status)
            .with_hint("This is the edge of the platform or a proxy on the way, not the API. Check the host, the path and whether this address is allowed; try again later. `sesame doctor` shows the route."),
    )
}
