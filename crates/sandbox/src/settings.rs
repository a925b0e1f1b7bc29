//! Settings that may change while a sandbox runs.

use serde::{Deserialize, Serialize};

/// What becomes of a refresh token that was used. No IOP document says (protocols 8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OldRefreshToken {
    /// It dies: the harder case for clients, so the default.
    #[default]
    Dies,
    /// It lives on to its own end.
    Lives,
}

/// Which form replies take where the live gateways and the documents differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyStyle {
    /// As recorded from the live gateways: the seconds of token replies are numbers.
    #[default]
    Recorded,
    /// As on the vendors' API pages: the seconds of token replies are strings, Lazada's countries are
    /// upper case, and ICBU's v2 product calls wrap their reply in `result`.
    Documented,
    /// Like `Recorded`, but sellers of Lazada are cross-border ones (country `cb`) with a seller id in
    /// each of two countries, as its guide shows them (protocols 2.8).
    CrossBorder,
}

/// Settings that may change while a sandbox runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Settings {
    pub(crate) old_refresh_token: OldRefreshToken,
    pub(crate) reply_style: ReplyStyle,
}
