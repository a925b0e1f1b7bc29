//! Trouble on demand: what real gateways and networks do to clients.

use std::{
    borrow::Cow,
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sesame_core::{Error, Result};

use crate::seed::Numbers;

/// What goes wrong.
///
/// "Effect" is what the call does: a product changed, a token rotated. A client cannot see it when
/// the answer is lost, which is why it matters on which side of it the trouble strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TroubleKind {
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
    /// Status 200 with nothing in it, after the effect.
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
        /// IOP's `type`. Nothing: the one that the documents show with the code.
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

impl TroubleKind {
    /// The members that this kind has in JSON, beside those of every rule.
    fn members(&self) -> &'static [&'static str] {
        match self {
            Self::Latency { .. } => &["kind", "ms"],
            Self::Huge { .. } => &["kind", "bytes"],
            Self::CallLimit { .. } | Self::WrongDate { .. } => &["kind", "seconds"],
            Self::Status { .. } => &["kind", "status"],
            Self::Error { .. } => &["kind", "code", "message", "sub_code", "sub_message", "type"],
            Self::DropBefore
            | Self::DropAfter
            | Self::Hang
            | Self::HangAfter
            | Self::Html
            | Self::Empty
            | Self::Truncated
            | Self::Busy
            | Self::BusinessFailure
            | Self::IllegalToken => &["kind"],
        }
    }
}

/// One rule: what goes wrong, where, how often.
///
/// Read from JSON, a member that no rule has is an error: `"cuont": 1` would strike every call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Json>")]
pub struct TroubleRule {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: TroubleKind,
    /// The API, as it is called or by its canonical name; `*` at the end stands for any rest.
    /// Nothing: every API. The OAuth routes are called `/oauth/authorize` and `/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The platform. Nothing: every platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// How many calls it strikes; each that fits uses one up. Nothing: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The share of the calls that fit which it strikes, by the sandbox's seed. Nothing: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// The members of every rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    api: Option<String>,
    platform: Option<String>,
    count: Option<u64>,
    probability: Option<f64>,
}

impl TryFrom<Map<String, Json>> for TroubleRule {
    type Error = serde_json::Error;

    fn try_from(members: Map<String, Json>) -> Result<Self, Self::Error> {
        let kind: TroubleKind = serde_json::from_value(Json::Object(members.clone()))?;
        // Serde cannot refuse unknown members of an enum that stands among others.
        let rest = members.into_iter().filter(|(name, _)| !kind.members().contains(&name.as_str()));
        let Where { api, platform, count, probability } =
            serde_json::from_value(Json::Object(rest.collect()))?;
        Ok(Self { kind, api, platform, count, probability })
    }
}

impl TroubleRule {
    /// Creates a rule that strikes every call.
    pub fn new(kind: TroubleKind) -> Self {
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
            return Err(Error::usage("the probability of trouble is a number from 0 to 1"));
        }
        if let TroubleKind::Status { status } = self.kind
            && !(400..=599).contains(&status)
        {
            return Err(Error::usage(format!("the status {status} is no trouble; use 400 to 599")));
        }
        if let TroubleKind::Huge { bytes } = self.kind
            && bytes > 1 << 32
        {
            return Err(Error::usage("a huge answer has at most 4 GiB"));
        }
        if let TroubleKind::WrongDate { seconds } = self.kind
            && seconds.unsigned_abs() > 3_155_760_000
        {
            return Err(Error::usage("a date is wrong by at most 100 years"));
        }
        Ok(())
    }

    fn fits(&self, platform: &str, names: &[&str]) -> bool {
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
impl FromStr for TroubleRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            Error::usage(format!("cannot read the trouble {text:?}: {what}")).with_hint(
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
                    number.parse().map_err(|_| wrong(format!("{number:?} is no whole number")))?;
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
                    rule.count = Some(count.parse().map_err(|_| wrong(format!("{count:?} is no count")))?);
                }
                Some(("probability", share)) => {
                    rule.probability =
                        Some(share.parse().map_err(|_| wrong(format!("{share:?} is no number")))?);
                }
                Some(("platform", name)) => rule.platform = Some(name.to_owned()),
                _ => return Err(wrong(format!("{part:?} is none of count=, probability=, platform="))),
            }
        }
        rule.check()?;
        Ok(rule)
    }
}

/// What one call meets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) latency_ms: u64,
    pub(crate) date_shift: i64,
    /// Strikes at the edge, before anything is checked.
    pub(crate) edge: Option<TroubleKind>,
    /// Strikes where the gateway looks at limits, after signature and token.
    pub(crate) refusal: Option<TroubleKind>,
    /// Strikes the answer on its way back.
    pub(crate) answer: Option<TroubleKind>,
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Troubles {
    any: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: Vec<Numbered>,
    next: u64,
    numbers: Numbers,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Numbered {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) rule: TroubleRule,
    pub(crate) struck: u64,
}

/// The most rules at a time.
const MAX_RULES: usize = 1_000;

impl Troubles {
    pub(crate) fn new(seed: u64, rules: &[TroubleRule]) -> Result<Self> {
        let inner = Inner { rules: Vec::new(), next: 1, numbers: Numbers::new(seed, "trouble") };
        let troubles = Self { any: AtomicBool::new(false), inner: Mutex::new(inner) };
        for rule in rules {
            troubles.add(rule.clone())?;
        }
        Ok(troubles)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, rule: TroubleRule) -> Result<u64> {
        rule.check()?;
        let mut inner = self.lock();
        if inner.rules.len() >= MAX_RULES {
            return Err(Error::usage(format!("there are {MAX_RULES} rules of trouble already")));
        }
        let id = inner.next;
        inner.next += 1;
        inner.rules.push(Numbered { id, rule, struck: 0 });
        self.any.store(true, Ordering::Release);
        Ok(id)
    }

    /// Takes one rule out, or all of them.
    pub(crate) fn clear(&self, id: Option<u64>) -> usize {
        let mut inner = self.lock();
        let before = inner.rules.len();
        inner.rules.retain(|rule| id.is_some_and(|id| id != rule.id));
        self.any.store(!inner.rules.is_empty(), Ordering::Release);
        before - inner.rules.len()
    }

    pub(crate) fn list(&self) -> Vec<Numbered> {
        self.lock().rules.clone()
    }

    /// Decides what a call meets and uses up the counts of the rules that strike.
    pub(crate) fn plan(&self, platform: &str, names: &[&str]) -> Option<Plan> {
        // The usual case costs one load.
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut inner = self.lock();
        let Inner { rules, numbers, .. } = &mut *inner;
        let mut plan = Plan::default();
        let mut struck = false;
        for numbered in rules.iter_mut() {
            let rule = &numbered.rule;
            if !rule.fits(platform, names) || rule.count.is_some_and(|count| numbered.struck >= count) {
                continue;
            }
            let slot = match rule.kind {
                TroubleKind::Latency { .. } | TroubleKind::WrongDate { .. } => None,
                TroubleKind::DropBefore
                | TroubleKind::Hang
                | TroubleKind::Html
                | TroubleKind::Status { .. } => Some(&mut plan.edge),
                TroubleKind::DropAfter
                | TroubleKind::HangAfter
                | TroubleKind::Empty
                | TroubleKind::Truncated
                | TroubleKind::Huge { .. } => Some(&mut plan.answer),
                TroubleKind::Busy
                | TroubleKind::CallLimit { .. }
                | TroubleKind::BusinessFailure
                | TroubleKind::IllegalToken
                | TroubleKind::Error { .. } => Some(&mut plan.refusal),
            };
            // One trouble of a sort a call; later rules keep their counts for later calls.
            if slot.as_ref().is_some_and(|slot| slot.is_some()) {
                continue;
            }
            if rule.probability.is_some_and(|share| numbers.share() >= share) {
                continue;
            }
            numbered.struck += 1;
            struck = true;
            match (&rule.kind, slot) {
                (TroubleKind::Latency { ms }, _) => plan.latency_ms = plan.latency_ms.saturating_add(*ms),
                (TroubleKind::WrongDate { seconds }, _) => plan.date_shift = *seconds,
                (kind, Some(slot)) => *slot = Some(kind.clone()),
                (_, None) => {}
            }
        }
        struck.then_some(plan)
    }
}

/// The page that edges send when they feel like it.
pub(crate) const EDGE_PAGE: &str = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>\
<h1>Sorry, the page you visited is not available</h1><p>punish-component</p></body></html>";

/// The page of an edge with an error status.
pub(crate) fn status_page(status: u16) -> Cow<'static, str> {
    match status {
        502 => "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n".into(),
        other => format!("<html><head><title>{other}</title></head><body><h1>{other}</h1></body></html>").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_form_of_the_command_line() {
        let rule: TroubleRule = "call-limit=3@/products/get,count=1,platform=lazada".parse().unwrap();
        assert_eq!(rule.kind, TroubleKind::CallLimit { seconds: 3 });
        assert_eq!(rule.api.as_deref(), Some("/products/get"));
        assert_eq!((rule.count, rule.platform.as_deref()), (Some(1), Some("lazada")));
        assert_eq!("html".parse::<TroubleRule>().unwrap().kind, TroubleKind::Html);
        assert_eq!(
            "wrong-date=-10800".parse::<TroubleRule>().unwrap().kind,
            TroubleKind::WrongDate { seconds: -10_800 }
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
            let error = wrong.parse::<TroubleRule>().unwrap_err();
            assert_eq!(error.kind(), sesame_core::ErrorKind::Usage, "{wrong}");
        }
    }

    #[test]
    fn counts_are_used_up_and_shares_follow_the_seed() {
        let troubles = Troubles::new(1, &["busy@/a/*,count=2".parse().unwrap()]).unwrap();
        assert!(troubles.plan("lazada", &["/b"]).is_none());
        for _ in 0..2 {
            assert_eq!(troubles.plan("lazada", &["/a/x"]).unwrap().refusal, Some(TroubleKind::Busy));
        }
        assert!(troubles.plan("lazada", &["/a/x"]).is_none());

        let struck = |seed| {
            let troubles = Troubles::new(seed, &["html,probability=0.25".parse().unwrap()]).unwrap();
            (0..1_000).map(|_| troubles.plan("lazada", &["/x"]).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(struck(7), struck(7));
        assert_ne!(struck(7), struck(8));
        let count = struck(7).iter().filter(|struck| **struck).count();
        assert!((180..320).contains(&count), "{count}");
    }

    #[test]
    fn json_and_rule_are_the_same() {
        let json = serde_json::json!({"kind": "error", "code": "X", "message": "", "api": "/a", "count": 2});
        let rule: TroubleRule = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&rule).unwrap(), json);
        let all = r#"{"kind":"latency","ms":5,"api":null,"platform":"1688","count":2,"probability":0.5}"#;
        let rule: TroubleRule = serde_json::from_str(all).unwrap();
        assert_eq!((rule.kind, rule.probability), (TroubleKind::Latency { ms: 5 }, Some(0.5)));
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
            let error = serde_json::from_str::<TroubleRule>(wrong).unwrap_err().to_string();
            assert!(error.contains(name), "{wrong}: {error}");
        }
    }
}
