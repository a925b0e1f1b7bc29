//! Fault injection: what real gateways and networks do to clients, on demand.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sesame_core::{Error, Result};

/// What goes wrong.
///
/// "Effect" is what the call does: a product changed, a token rotated. A client cannot see it when
/// the answer is lost, which is why it matters on which side of it the fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FaultKind {
    /// The answer comes late. The effect happens at once.
    Latency {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// The connection ends without an answer and without effect.
    DropBefore,
    /// The connection ends without an answer, after the effect.
    DropAfter,
    /// No answer, ever, and no effect. The connection stays open until the client leaves.
    Hang,
    /// No answer, ever, but the effect happens.
    HangAfter,
    /// Status 200 with an HTML page of the edge. No effect.
    Html,
    /// Status 200 with an empty body, after the effect.
    Empty,
    /// Half of the answer, then the connection ends, after the effect.
    Truncated,
    /// The answer is followed by white space up to this many bytes, after the effect.
    Huge {
        /// The size of the body.
        bytes: u64,
    },
    /// The API's limit of calls a second: IOP's `901`, and its like elsewhere. No effect.
    Busy,
    /// The app's rate limit with a ban: IOP's `ApiCallLimit`, TOP's 7, param2's
    /// `gw.QosAppFrequencyLimit` (which names no seconds). No effect.
    CallLimit {
        /// How long the ban lasts.
        seconds: u64,
    },
    /// An HTTP status with a page of the edge: 500, 502, 503, 504, 429 ... No effect.
    Status {
        /// The status.
        status: u16,
    },
    /// The answer's `Date` header is off. The effect happens.
    WrongDate {
        /// By how much, in seconds; negative is too early.
        seconds: i64,
    },
    /// The envelope says success and the payload says failure: `success:false` inside `code:"0"`.
    /// No effect.
    BusinessFailure,
    /// The access token is refused although it is good: `IllegalAccessToken`, 401, 27. No effect.
    IllegalToken,
    /// Any error in the envelope of the gateway. No effect.
    Error {
        /// The code.
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
        /// TOP's sub code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sub_code: Option<String>,
        /// TOP's sub message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sub_message: Option<String>,
        /// IOP's `type`; `None` for the one that the documents show with the code.
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
        origin: Option<ErrorOrigin>,
    },
}

/// IOP's `type` of an error: whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ErrorOrigin {
    /// The caller's.
    Isv,
    /// The service's behind the gateway.
    Isp,
    /// The gateway's.
    System,
}

impl ErrorOrigin {
    /// Returns the type that the documents show with a code (protocols 2.7).
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "ServiceTimeout" | "HttpConnectError" | "UnknownRuntimeException" => Self::Isp,
            "6" | "1000" | "506" | "1002" | "E1002" | "901" | "E901" => Self::System,
            _ => Self::Isv,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Isv => "ISV",
            Self::Isp => "ISP",
            Self::System => "SYSTEM",
        }
    }
}

/// One rule: what goes wrong, where, how often.
///
/// Read from JSON, an unknown member is an error: `"cuont": 1` would strike every call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Json>")]
pub struct FaultRule {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// The API, as it is called or by its canonical name; `*` at the end stands for any rest.
    /// `None` for every API. The OAuth routes are called `/oauth/authorize` and `/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The platform; `None` for every platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The number of calls it strikes; each that fits uses one up. `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The share of the calls that fit which it strikes, by the sandbox's seed. `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// The members of a rule, without checking for unknown ones.
#[derive(Deserialize)]
struct LooseRule {
    #[serde(flatten)]
    kind: FaultKind,
    api: Option<String>,
    platform: Option<String>,
    count: Option<u64>,
    probability: Option<f64>,
}

impl TryFrom<Map<String, Json>> for FaultRule {
    type Error = serde_json::Error;

    fn try_from(members: Map<String, Json>) -> Result<Self, Self::Error> {
        let loose: LooseRule = serde_json::from_value(Json::Object(members.clone()))?;
        let LooseRule { kind, api, platform, count, probability } = loose;
        // Serde cannot refuse unknown members of an enum that stands among others.
        let mut known = vec!["api", "platform", "count", "probability"];
        if matches!(kind, FaultKind::Error { .. }) {
            known.extend(["message", "sub_code", "sub_message", "type"]);
        }
        let own = serde_json::to_value(&kind)?;
        let unknown = members.keys().find(|name| !known.contains(&name.as_str()) && own.get(name).is_none());
        if let Some(name) = unknown {
            return Err(serde::de::Error::custom(format!("unknown field `{name}`")));
        }
        Ok(Self { kind, api, platform, count, probability })
    }
}

impl FaultRule {
    /// Creates a rule that strikes every call.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, api: None, platform: None, count: None, probability: None }
    }

    /// Limits the rule to one API.
    #[must_use]
    pub fn on(mut self, api: impl Into<String>) -> Self {
        self.api = Some(api.into());
        self
    }

    /// Limits the rule to a number of calls.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Checks what the types cannot.
    pub(crate) fn check(&self) -> Result<()> {
        if self.probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(Error::usage("the probability of a fault is a number from 0 to 1"));
        }
        if let FaultKind::Status { status } = self.kind
            && !(400..=599).contains(&status)
        {
            return Err(Error::usage(format!("invalid status {status}: use 400 to 599")));
        }
        if let FaultKind::Huge { bytes } = self.kind
            && bytes > 1 << 32
        {
            return Err(Error::usage("a huge reply has at most 4 GiB"));
        }
        if let FaultKind::WrongDate { seconds } = self.kind
            && seconds.unsigned_abs() > 3_155_760_000
        {
            return Err(Error::usage("the date is off by at most 100 years"));
        }
        Ok(())
    }

    /// Returns `true` if the rule is about a call, named as it was called and as the catalog does.
    pub(crate) fn fits(&self, platform: &str, names: &[&str]) -> bool {
        if self.platform.as_deref().is_some_and(|wanted| wanted != platform) {
            return false;
        }
        let Some(api) = self.api.as_deref() else { return true };
        match api.strip_suffix('*') {
            Some(head) => names.iter().any(|name| name.starts_with(head)),
            None => names.contains(&api),
        }
    }
}

/// Reads the form of the command line: `KIND[=N][@API][,count=N][,probability=P][,platform=NAME]`,
/// e.g. `latency=200`, `call-limit=3@/products/get,count=1`, `error=InsufficientPermission`.
impl FromStr for FaultRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            Error::usage(format!("invalid fault {text:?}: {what}")).with_hint(
                "Write KIND[=N][@API][,count=N][,probability=P][,platform=NAME]; kinds: latency=MS, drop-before, \
                 drop-after, hang, hang-after, html, empty, truncated, huge=BYTES, busy, call-limit=SECONDS, \
                 status=CODE, wrong-date=SECONDS, business-failure, illegal-token, error=CODE.",
            )
        };
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let (head, api) = head.split_once('@').map_or((head, None), |(head, api)| (head, Some(api)));
        let (name, number) = head.split_once('=').map_or((head, None), |(name, number)| (name, Some(number)));
        let mut json = serde_json::Map::new();
        json.insert("kind".to_owned(), name.into());
        let field = match name {
            "latency" => Some("ms"),
            "huge" => Some("bytes"),
            "call-limit" | "wrong-date" => Some("seconds"),
            "status" => Some("status"),
            "error" => Some("code"),
            _ => None,
        };
        match (field, number) {
            (Some("code"), Some(code)) => {
                json.insert("code".to_owned(), code.into());
            }
            (Some(field), Some(number)) => {
                let number: i64 =
                    number.parse().map_err(|_| wrong(format!("{number:?} is not an integer")))?;
                json.insert(field.to_owned(), number.into());
            }
            (Some(_), None) => return Err(wrong(format!("{name} needs a value: {name}=N"))),
            (None, Some(_)) => return Err(wrong(format!("{name:?} is unknown, or takes no value"))),
            (None, None) => {}
        }
        let kind = serde_json::from_value(json.into()).map_err(|error| wrong(error.to_string()))?;
        let mut rule =
            Self { kind, api: api.map(str::to_owned), platform: None, count: None, probability: None };
        for part in parts {
            match part.split_once('=') {
                Some(("count", count)) => {
                    rule.count = Some(count.parse().map_err(|_| wrong(format!("invalid count {count:?}")))?);
                }
                Some(("probability", share)) => {
                    rule.probability =
                        Some(share.parse().map_err(|_| wrong(format!("invalid probability {share:?}")))?);
                }
                Some(("platform", name)) => rule.platform = Some(name.to_owned()),
                _ => return Err(wrong(format!("{part:?} is not one of count=, probability=, platform="))),
            }
        }
        rule.check()?;
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_form_of_the_command_line() {
        let rule: FaultRule = "call-limit=3@/products/get,count=1,platform=lazada".parse().unwrap();
        assert_eq!(rule.kind, FaultKind::CallLimit { seconds: 3 });
        assert_eq!(rule.api.as_deref(), Some("/products/get"));
        assert_eq!((rule.count, rule.platform.as_deref()), (Some(1), Some("lazada")));
        assert_eq!("html".parse::<FaultRule>().unwrap().kind, FaultKind::Html);
        assert_eq!(
            "wrong-date=-10800".parse::<FaultRule>().unwrap().kind,
            FaultKind::WrongDate { seconds: -10_800 }
        );
        for wrong in [
            "",
            "nonsense",
            "latency",
            "html=3",
            "latency=x",
            "html,often",
            "status=200",
            "html,probability=2",
        ] {
            let error = wrong.parse::<FaultRule>().unwrap_err();
            assert_eq!(error.kind(), sesame_core::ErrorKind::Usage, "{wrong}");
        }
    }

    #[test]
    fn json_and_rule_are_the_same() {
        let json = serde_json::json!({"kind": "error", "code": "X", "message": "", "api": "/a", "count": 2});
        let rule: FaultRule = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&rule).unwrap(), json);
        let all = r#"{"kind":"latency","ms":5,"api":null,"platform":"1688","count":2,"probability":0.5}"#;
        let rule: FaultRule = serde_json::from_str(all).unwrap();
        assert_eq!((rule.kind, rule.probability), (FaultKind::Latency { ms: 5 }, Some(0.5)));
    }

    #[test]
    fn a_member_that_no_rule_has_is_named() {
        for (wrong, name) in [
            (r#"{"kind":"html","cuont":1}"#, "cuont"),
            (r#"{"kind":"latency","ms":1,"seconds":1}"#, "seconds"),
            (r#"{"kind":"html","ms":1}"#, "ms"),
            (r#"{"kind":"latency"}"#, "ms"),
            (r#"{"api":"/a"}"#, "kind"),
        ] {
            let error = serde_json::from_str::<FaultRule>(wrong).unwrap_err().to_string();
            assert!(error.contains(name), "{wrong}: {error}");
        }
    }
}
