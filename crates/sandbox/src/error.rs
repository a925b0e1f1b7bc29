//! Errors of the gateways, before they are put into an envelope.

use std::borrow::Cow;

use sesame_core::Protocol;

/// The result of what a gateway does. Boxed, because the error is large and rare.
pub type GatewayResult<T> = Result<T, Box<GatewayError>>;

/// An error of a gateway, or of the service behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayError {
    /// The code (`14`, `MissingParameter`, `gw.APIUnsupported`).
    pub code: Cow<'static, str>,
    /// The message.
    pub message: Cow<'static, str>,
    /// IOP's `type`: `ISV` (the caller), `ISP` (the service behind the API) or `SYSTEM`.
    pub origin: &'static str,
    /// TOP's sub code; on param2 the OAuth error.
    pub sub_code: Option<Cow<'static, str>>,
    /// TOP's sub message; on param2 the OAuth error's description.
    pub sub_message: Option<Cow<'static, str>>,
    /// IOP's `detail`: what is wrong where, of several things.
    pub(crate) detail: Option<serde_json::Value>,
    /// param2's HTTP status; the other gateways always answer 200.
    pub(crate) status: u16,
    /// What the caller should know; kept under a refusal id.
    pub(crate) hint: Option<String>,
    /// The refusal id, if the report is already kept (signatures).
    pub(crate) refusal: Option<String>,
}

impl GatewayError {
    pub(crate) fn new(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        Box::new(Self {
            code: code.into(),
            message: message.into(),
            origin: "ISV",
            sub_code: None,
            sub_message: None,
            detail: None,
            status: 400,
            hint: None,
            refusal: None,
        })
    }

    pub(crate) fn with_hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn origin(mut self: Box<Self>, origin: &'static str) -> Box<Self> {
        self.origin = origin;
        self
    }

    pub(crate) fn detail(mut self: Box<Self>, detail: impl Into<serde_json::Value>) -> Box<Self> {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn status(mut self: Box<Self>, status: u16) -> Box<Self> {
        self.status = status;
        self
    }

    pub(crate) fn sub(
        mut self: Box<Self>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        self.sub_code = Some(code.into());
        self.sub_message = Some(message.into());
        self
    }

    /// A required argument is missing.
    pub(crate) fn missing(protocol: Protocol, name: &str) -> Box<Self> {
        match protocol {
            Protocol::Iop => Self::new(
                "MissingParameter",
                format!(
                    "The input parameter \"{name}\" that is mandatory for processing this request is not supplied"
                ),
            ),
            Protocol::Top => Self::new("40", format!("Missing Required Arguments:{name}"))
                .sub(format!("isv.missing-parameter:{name}"), format!("the parameter {name} is missing")),
            Protocol::Param2 => Self::new("gw.ParamMissing", format!("Required argument {name}")),
        }
    }

    /// An argument has the wrong type or format.
    pub(crate) fn invalid(protocol: Protocol, name: &str) -> Box<Self> {
        match protocol {
            Protocol::Iop => {
                Self::new("InvalidParameter", format!("The specified parameter \"{name}\" is not valid"))
            }
            Protocol::Top => Self::new("41", format!("Invalid Arguments:{name}"))
                .sub(format!("isv.invalid-parameter:{name}"), format!("the parameter {name} is not valid")),
            Protocol::Param2 => Self::new("400", format!("Invalid argument {name}")),
        }
    }

    /// The access token is refused.
    pub(crate) fn bad_token(protocol: Protocol) -> Box<Self> {
        match protocol {
            Protocol::Iop => {
                Self::new("IllegalAccessToken", "The specified access token is invalid or expired")
            }
            Protocol::Top => Self::new("27", "Invalid session")
                .sub("invalid-sessionkey", "the session is invalid or has ended"),
            Protocol::Param2 => Self::new("401", "Request need user authorized").status(401),
        }
    }
}
