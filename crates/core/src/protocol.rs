//! The three protocols and the request shapes they come in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A family of wire rules. A platform is a protocol plus data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// `_aop_signature`, the "ocean" gateway: 1688 and the old AliExpress.
    Param2,
    /// `sign` over a path: Lazada, AliExpress, Alibaba.com, Daraz, Miravia.
    Iop,
    /// `method=`: Taobao, Tmall and older AliExpress and Alibaba.com.
    Top,
}

impl Protocol {
    /// Returns the name used in data files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Param2 => "param2",
            Self::Iop => "iop",
            Self::Top => "top",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "param2" => Ok(Self::Param2),
            "iop" => Ok(Self::Iop),
            "top" => Ok(Self::Top),
            other => Err(crate::Error::usage(format!("invalid protocol {other:?}"))
                .with_hint("Use one of: param2, iop, top.")),
        }
    }
}

/// How one request is laid out and which text of it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// `/openapi/param2/1/ns/name/KEY`: the path is signed.
    Param2,
    /// param2's parameter signing: no path. Authorize URLs and push messages.
    Param2Params,
    /// `/rest/some/path`: the path is signed.
    IopRest,
    /// `/rest/2.0/some/{variable}`: the path with its variables replaced is signed.
    IopRestVariables,
    /// `/sync?method=`: no path is signed.
    IopSync,
    /// `/router/rest?method=`: no path is signed.
    Top,
    /// `/router/batch`: the public parameters and the raw body are signed.
    TopBatch,
}

impl Shape {
    /// All shapes, in the order of their protocols.
    pub const ALL: [Self; 7] = [
        Self::Param2,
        Self::Param2Params,
        Self::IopRest,
        Self::IopRestVariables,
        Self::IopSync,
        Self::Top,
        Self::TopBatch,
    ];

    /// Returns the protocol this shape belongs to.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Param2 | Self::Param2Params => Protocol::Param2,
            Self::IopRest | Self::IopRestVariables | Self::IopSync => Protocol::Iop,
            Self::Top | Self::TopBatch => Protocol::Top,
        }
    }

    /// Returns the name used in data files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Param2 => "param2",
            Self::Param2Params => "param2-params",
            Self::IopRest => "iop-rest",
            Self::IopRestVariables => "iop-rest-variables",
            Self::IopSync => "iop-sync",
            Self::Top => "top",
            Self::TopBatch => "top-batch",
        }
    }

    /// Returns `true` if the path is part of the signed text.
    pub const fn signs_path(self) -> bool {
        matches!(self, Self::Param2 | Self::IopRest | Self::IopRestVariables)
    }

    /// Returns the name of the parameter that carries the signature.
    pub const fn signature_param(self) -> &'static str {
        match self.protocol() {
            Protocol::Param2 => "_aop_signature",
            Protocol::Iop | Protocol::Top => "sign",
        }
    }

    /// Returns the name of the parameter that carries the access token in this shape.
    ///
    /// Source: protocols 1.2, 2.2, 3.2. `/sync` reads both names; the SDKs send `session`.
    pub const fn token_param(self) -> &'static str {
        match self {
            Self::IopSync | Self::Top | Self::TopBatch => "session",
            _ => "access_token",
        }
    }

    /// Returns the system parameters that a caller may not set, because the client sets them.
    pub const fn reserved(self) -> &'static [&'static str] {
        match self.protocol() {
            Protocol::Param2 => &["_aop_signature", "_aop_timestamp", "access_token"],
            Protocol::Iop => match self {
                Self::IopSync => &[
                    "sign",
                    "app_key",
                    "timestamp",
                    "sign_method",
                    "access_token",
                    "session",
                    "method",
                    "format",
                    "simplify",
                    "partner_id",
                ],
                _ => {
                    &["sign", "app_key", "timestamp", "sign_method", "access_token", "session", "partner_id"]
                }
            },
            Protocol::Top => &[
                "sign",
                "app_key",
                "timestamp",
                "sign_method",
                "session",
                "method",
                "format",
                "simplify",
                "partner_id",
                "v",
                "target_app_key",
            ],
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
