//! A setting: which form replies take where the live gateways and the documents differ.

/// Which form replies take where the live gateways and the documents differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
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
