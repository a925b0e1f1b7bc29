//! Replies on their way out, with the faults that strike there.

use std::{
    borrow::Cow,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use serde_json::Value;

use crate::{
    fault::FaultKind,
    faults::{EDGE_PAGE, Plan, status_page},
    xml,
};

/// The media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Xml,
    Html,
    Plain,
    Pdf,
}

impl Media {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=UTF-8",
            Self::Xml => "text/xml;charset=UTF-8",
            Self::Html => "text/html;charset=UTF-8",
            Self::Plain => "text/plain;charset=UTF-8",
            Self::Pdf => "application/pdf",
        }
    }
}

/// How the exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ending {
    /// The whole answer.
    #[default]
    Whole,
    /// No answer: the connection ends.
    Drop,
    /// No answer: the connection stays.
    Hang,
    /// Half of the answer, then the connection ends.
    Cut,
    /// White space follows up to this many bytes.
    Padded(u64),
}

/// An answer. No `Debug`: it may hold tokens.
#[derive(Clone)]
pub(crate) struct WebReply {
    pub(crate) status: u16,
    pub(crate) media: Media,
    pub(crate) body: Bytes,
    /// Headers beside those that every answer has.
    pub(crate) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) date_shift: i64,
    pub(crate) latency_ms: u64,
    pub(crate) ending: Ending,
}

impl WebReply {
    pub(crate) fn new(status: u16, media: Media, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            media,
            body: body.into(),
            headers: Vec::new(),
            date_shift: 0,
            latency_ms: 0,
            ending: Ending::Whole,
        }
    }

    /// Returns a JSON value, or XML with this name around what has no root of its own.
    pub(crate) fn of_value(status: u16, body: &Value, xml_root: Option<&str>) -> Self {
        match xml_root {
            Some(root) => Self::new(status, Media::Xml, xml::of_json(body, root)),
            None => Self::json(status, body.to_string()),
        }
    }

    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, Media::Json, body)
    }

    pub(crate) fn redirect(location: String) -> Self {
        Self::new(302, Media::Html, Bytes::from_static(b"<!DOCTYPE html><title>Redirect</title>"))
            .with_header("location", location)
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What the edge does before a gateway sees the call.
    pub(crate) fn of_edge(kind: &FaultKind) -> Self {
        let mut reply = Self::new(200, Media::Html, Bytes::new());
        match kind {
            FaultKind::DropBefore => reply.ending = Ending::Drop,
            FaultKind::Hang => reply.ending = Ending::Hang,
            FaultKind::Status { status } => {
                reply.status = *status;
                reply.body = status_page(*status).into_owned().into();
            }
            _ => reply.body = Bytes::from_static(EDGE_PAGE.as_bytes()),
        }
        reply
    }

    /// Applies what the plan says of the way back.
    pub(crate) fn with_faults(mut self, plan: Option<&Plan>) -> Self {
        let Some(plan) = plan else { return self };
        self.latency_ms = plan.latency_ms;
        self.date_shift = plan.date_shift;
        match plan.answer {
            Some(FaultKind::DropAfter) => self.ending = Ending::Drop,
            Some(FaultKind::HangAfter) => self.ending = Ending::Hang,
            Some(FaultKind::Empty) => {
                self.status = 200;
                self.body = Bytes::new();
            }
            Some(FaultKind::Truncated) => self.ending = Ending::Cut,
            Some(FaultKind::Huge { bytes }) => self.ending = Ending::Padded(bytes),
            _ => {}
        }
        self
    }
}

/// The body of an answer: whole, cut off, or padded.
pub(crate) struct ReplyBody {
    bytes: Option<Bytes>,
    padding: u64,
    /// Whether the connection ends inside the body.
    cut: Cut,
    declared: u64,
}

/// The steps of a body that is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It is whole.
    No,
    /// Nothing more for a moment: the server writes out what it has while a body is pending, and
    /// throws it away when a body fails.
    Pause,
    /// Now it fails.
    Fail,
}

impl ReplyBody {
    pub(crate) fn new(bytes: Bytes, ending: Ending) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match ending {
            Ending::Cut => {
                let half = bytes.slice(..bytes.len() / 2);
                Self { bytes: Some(half), padding: 0, cut: Cut::Pause, declared: length.max(1) }
            }
            Ending::Padded(size) => {
                let padding = size.saturating_sub(length);
                Self { bytes: Some(bytes), padding, cut: Cut::No, declared: length + padding }
            }
            _ => Self { bytes: Some(bytes), padding: 0, cut: Cut::No, declared: length },
        }
    }
}

/// A piece of padding.
static SPACES: [u8; 16 << 10] = [b' '; 16 << 10];

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.bytes.take()
            && !bytes.is_empty()
        {
            self.declared -= u64::try_from(bytes.len()).unwrap_or(0).min(self.declared);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.cut {
            Cut::No => {}
            Cut::Pause => {
                self.cut = Cut::Fail;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Cut::Fail => return Poll::Ready(Some(Err(io::Error::other("cut off on purpose")))),
        }
        if self.padding > 0 {
            let size = usize::try_from(self.padding).unwrap_or(usize::MAX).min(SPACES.len());
            let sent = u64::try_from(size).unwrap_or(0);
            self.padding -= sent;
            self.declared -= sent.min(self.declared);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&SPACES[..size])))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.cut == Cut::No && self.padding == 0 && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared)
    }
}
