//! One error for the whole product: a kind, whose fault it is, whether to try again, what to do.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    redact::{ForeignError, ForeignText, Redactor},
    scalar::printable,
};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the dozen or so words that programs decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// What the caller of Sesame asked for makes no sense; nothing was sent.
    Usage,
    /// The gateway says the signature is missing or wrong.
    Signature,
    /// The gateway does not know the app key, or the app may not be used like this.
    App,
    /// The gateway does not accept the time of the request.
    Clock,
    /// The access token is missing, wrong or has ended; a refresh may help.
    Token,
    /// The shop has to be authorized (again).
    Authorization,
    /// The app, the seller or this address has no right to the API.
    Permission,
    /// The gateway misses an argument or does not accept one.
    Argument,
    /// The gateway does not know the API.
    UnknownApi,
    /// A rate or a daily limit is used up.
    Quota,
    /// The platform failed; the same call may work later.
    Platform,
    /// The platform did what it was asked and says no.
    Business,
    /// The reply is not what the protocol promises: HTML, empty, cut, too large.
    Envelope,
    /// The gateway could not be reached, or the connection ended early.
    Network,
    /// No answer in time.
    Timeout,
    /// All that came is good, and it is not all there is: a list that ended early or changed while it was read.
    Incomplete,
    /// The vault, a file or another thing on this machine failed.
    Local,
}

impl ErrorKind {
    /// Returns the name used in JSON output and data files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Signature => "signature",
            Self::App => "app",
            Self::Clock => "clock",
            Self::Token => "token",
            Self::Authorization => "authorization",
            Self::Permission => "permission",
            Self::Argument => "argument",
            Self::UnknownApi => "unknown-api",
            Self::Quota => "quota",
            Self::Platform => "platform",
            Self::Business => "business",
            Self::Envelope => "envelope",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose side has to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The program or person that made the call.
    Caller,
    /// The seller: authorize, verify the shop, fix the product.
    Seller,
    /// The platform.
    Platform,
    /// The network between here and there.
    Network,
    /// This machine: disk, clock, permissions.
    Machine,
}

impl Fault {
    /// Returns the name used in JSON output and data files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Seller => "seller",
            Self::Platform => "platform",
            Self::Network => "network",
            Self::Machine => "machine",
        }
    }
}

/// When the same call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Never: it would fail in the same way.
    Never,
    /// After a pause that grows with each attempt.
    Backoff,
    /// Not before this much time has passed; the platform said so.
    After(Duration),
    /// Once, after a new access token was fetched.
    AfterRefresh,
    /// Once, after the clock was corrected.
    AfterClock,
}

/// An error of any part of Sesame.
///
/// `{}` prints one sentence that says what happened, `{:#}` adds what to do about it, which is
/// [`Error::hint`]. Nothing in the product matches on the text of either; programs look at
/// [`Error::kind`], [`Error::retry`] and [`Error::is_ambiguous`].
///
/// ```
/// use sesame_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Quota, "the daily limit is used up").with_hint("Call again tomorrow.");
/// assert_eq!(error.to_string(), "the daily limit is used up");
/// assert_eq!(format!("{error:#}"), "the daily limit is used up. Call again tomorrow.");
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    fault: Fault,
    retry: Retry,
    message: Cow<'static, str>,
    full: Option<Cow<'static, str>>,
    hint: Option<Cow<'static, str>>,
    code: Option<ForeignText>,
    sub_code: Option<ForeignText>,
    request_id: Option<ForeignText>,
    reference: Option<ForeignText>,
    detail: Option<ForeignText>,
    http_status: Option<u16>,
    ambiguous: bool,
    source: Option<Box<ForeignError>>,
}

impl Error {
    /// Creates an error; the fault and the retry rule follow from the kind until set otherwise.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let (fault, retry) = match kind {
            ErrorKind::Usage
            | ErrorKind::Signature
            | ErrorKind::App
            | ErrorKind::Argument
            | ErrorKind::UnknownApi
            | ErrorKind::Permission
            | ErrorKind::Business => (Fault::Caller, Retry::Never),
            ErrorKind::Clock => (Fault::Machine, Retry::AfterClock),
            ErrorKind::Token => (Fault::Caller, Retry::AfterRefresh),
            ErrorKind::Authorization => (Fault::Seller, Retry::Never),
            ErrorKind::Quota => (Fault::Caller, Retry::Backoff),
            ErrorKind::Platform | ErrorKind::Envelope => (Fault::Platform, Retry::Backoff),
            ErrorKind::Network | ErrorKind::Timeout => (Fault::Network, Retry::Backoff),
            ErrorKind::Incomplete => (Fault::Platform, Retry::Never),
            ErrorKind::Local => (Fault::Machine, Retry::Never),
        };
        Self(Box::new(Inner {
            kind,
            fault,
            retry,
            message: visible(message.into()),
            full: None,
            hint: None,
            code: None,
            sub_code: None,
            request_id: None,
            reference: None,
            detail: None,
            http_status: None,
            ambiguous: false,
            source: None,
        }))
    }

    /// Creates an error about what the caller asked for.
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Creates an error about this machine: a file, the vault, the keyring.
    pub fn local(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Local, message)
    }

    /// Sets what to do about it, as one or more sentences.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets whose fault it is.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.0.fault = fault;
        self
    }

    /// Sets when the call may be repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Sets the whole of what the platform said, where the message is shorter.
    pub(crate) fn with_full_message(mut self, full: &ForeignText) -> Self {
        self.0.full = (full.as_str() != self.0.message).then(|| full.to_string().into());
        self
    }

    /// Sets what else the reply says.
    pub(crate) fn with_detail(mut self, detail: Option<ForeignText>) -> Self {
        self.0.detail = detail;
        self
    }

    /// Sets the platform's own code.
    #[doc(hidden)]
    #[must_use]
    pub fn with_code(mut self, code: impl Into<ForeignText>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Sets the platform's sub code.
    #[doc(hidden)]
    #[must_use]
    pub fn with_sub_code(mut self, code: impl Into<ForeignText>) -> Self {
        self.0.sub_code = Some(code.into());
        self
    }

    /// Sets the request id that the platform's support asks for.
    #[doc(hidden)]
    #[must_use]
    pub fn with_request_id(mut self, id: Option<ForeignText>) -> Self {
        self.0.request_id = id;
        self
    }

    /// Sets the reference under which the other side explains the failure.
    #[doc(hidden)]
    #[must_use]
    pub fn with_reference(mut self, reference: Option<ForeignText>) -> Self {
        self.0.reference = reference;
        self
    }

    /// Sets the HTTP status of the reply.
    #[doc(hidden)]
    #[must_use]
    pub fn with_http_status(mut self, status: u16) -> Self {
        self.0.http_status = Some(status);
        self
    }

    /// Sets whether the platform may have carried out the call.
    #[must_use]
    pub fn with_ambiguity(mut self, ambiguous: bool) -> Self {
        self.0.ambiguous = ambiguous;
        self
    }

    /// Sets the error underneath. Its words are kept, and those of its sources, as clean text.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(Box::new(Redactor::default().source(&*source.into())));
        self
    }

    /// Puts words in front of the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = visible(format!("{context}: {}", self.0.message).into());
        self.0.full = self.0.full.map(|full| visible(format!("{context}: {full}").into()));
        self
    }

    /// Says it in other words, as an error of another kind. What the platform said (its codes and ids, the
    /// HTTP status) and the source are kept; the hint, the fault and the rest follow from the kind.
    #[doc(hidden)]
    #[must_use]
    pub fn rephrased(self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let Inner { code, sub_code, request_id, reference, http_status, source, .. } = *self.0;
        let Inner { message, hint, fault, retry, ambiguous, .. } = *Self::new(kind, message).0;
        Self(Box::new(Inner {
            kind,
            fault,
            retry,
            message,
            full: None,
            hint,
            code,
            sub_code,
            request_id,
            reference,
            detail: None,
            http_status,
            ambiguous,
            source,
        }))
    }

    /// Masks the secrets of a call in every field, whoever made the error.
    ///
    /// What [`read_reply`](crate::envelope::read_reply) returns was cleaned already. This is for errors of
    /// those who do not know the call's secrets: a transport, above all.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor<'_>) -> Self {
        let inner = &mut *self.0;
        for text in [Some(&mut inner.message), inner.full.as_mut(), inner.hint.as_mut()].into_iter().flatten()
        {
            if let Cow::Owned(masked) = redactor.mask(text) {
                *text = masked.into();
            }
        }
        let Inner { code, sub_code, request_id, reference, detail, .. } = inner;
        for text in [code, sub_code, request_id, reference, detail].into_iter().flatten() {
            *text = redactor.again(text);
        }
        inner.source = inner.source.take().map(|source| Box::new(redactor.source(&*source)));
        self
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whose fault it is.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Returns when the same call may be repeated, safety of the call apart.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Returns `true` if the same call may be repeated at some time.
    pub fn is_retryable(&self) -> bool {
        self.0.retry != Retry::Never
    }

    /// Returns the wait that the platform asked for; `None` if it named none.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.retry {
            Retry::After(wait) => Some(wait),
            _ => None,
        }
    }

    /// Returns the sentence that says what happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the message with all that the platform said, which may be long: up to 60,000 characters.
    /// [`Error::message`] holds the first 1,000 of them.
    pub fn full_message(&self) -> &str {
        self.0.full.as_deref().unwrap_or(&self.0.message)
    }

    /// Returns what to do about it, as one or more sentences.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the platform's code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_ref().map(ForeignText::as_str)
    }

    /// Returns the platform's sub code.
    pub fn sub_code(&self) -> Option<&str> {
        self.0.sub_code.as_ref().map(ForeignText::as_str)
    }

    /// Returns the platform's request id.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_ref().map(ForeignText::as_str)
    }

    /// Returns the reference under which the other side explains the failure, where it gives one: a
    /// sandbox keeps the text that it expected to be signed.
    pub fn reference(&self) -> Option<&str> {
        self.0.reference.as_ref().map(ForeignText::as_str)
    }

    /// Returns what the reply says beside code and message, as it came: mostly JSON, with the rows that failed.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_ref().map(ForeignText::as_str)
    }

    /// Returns the HTTP status of the reply, if one came.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// Returns `true` if the platform may have carried out the call although it failed here.
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }
}

/// Makes control characters visible, where there are any. Line breaks stay: a text of a platform that
/// becomes part of a message has none.
fn visible(text: Cow<'static, str>) -> Cow<'static, str> {
    let shown = text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    if shown == text { text } else { shown.into() }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.hint {
            Some(hint) if f.alternate() && !hint.is_empty() => write!(f, ". {hint}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        // It is what `main` prints of an error that it returns.
        if let Some(hint) = &self.0.hint {
            out.field("hint", hint);
        }
        if let Some(code) = &self.0.code {
            out.field("code", code);
        }
        if let Some(code) = &self.0.sub_code {
            out.field("sub_code", code);
        }
        if let Some(id) = &self.0.request_id {
            out.field("request_id", id);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
