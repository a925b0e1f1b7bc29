//! Platforms: a protocol plus hosts, OAuth rules, token lives, clock windows and error tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sesame_core::{Protocol, Shape, envelope::ReplyRules, sign::Digest};

/// One platform, as `crates/catalog/data/platforms.toml` describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The name scripts use: `alibaba`, `aliexpress`, `aliexpress-legacy`, `1688`, `lazada`,
    /// `daraz`, `miravia`, `taobao`, `taobao-global`.
    pub name: String,
    /// The name people use.
    pub title: String,
    /// The wire rules.
    pub protocol: Protocol,
    /// Which files of `base/` list its APIs, first found wins: `["alibaba", "alibaba-top"]`.
    pub catalogs: Vec<String>,
    /// The platform whose APIs it speaks: facets that it has not itself are those of that platform.
    #[serde(default)]
    pub dialect: Option<String>,
    /// Its regions; the first is the default. Most platforms have one, called `global`.
    pub regions: Vec<Region>,
    /// How a seller authorizes an app.
    pub authorize: AuthorizeRules,
    /// How tokens are fetched, how long they live.
    pub tokens: TokenRules,
    /// What the platform says of clocks.
    pub clock: ClockRules,
    /// The IANA time zone of dates in requests and replies: `America/Los_Angeles`.
    pub time_zone: String,
    /// The currency of prices that name none, by ISO 4217, where it is the same in all regions: `CNY`.
    #[serde(default)]
    pub currency: Option<String>,
    /// The namespace of an API that is given without one (param2 only).
    #[serde(default)]
    pub default_namespace: Option<String>,
    /// Digests by shape and `sign_method`: what this platform takes, and what we send.
    pub digests: BTreeMap<Shape, Vec<DigestChoice>>,
    /// Headers sent with each call, e.g. `X-Protocol: GOP`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Documented quotas.
    #[serde(default)]
    pub quotas: Vec<QuotaRule>,
    /// What is known of batches of calls, where the platform has them.
    #[serde(default)]
    pub batch: Option<BatchRules>,
    /// The host of the vendor's documents, where one is known that programs can read.
    #[serde(default)]
    pub documents: Option<DocumentHost>,
    /// Codes of payloads that are not refusals on this platform alone.
    #[serde(default)]
    pub success_words: Vec<String>,
    /// How replies are read. Filled from the tables of protocol and platform when loaded.
    #[serde(default)]
    pub replies: ReplyRules,
    /// What users should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Set where the vendor has switched the gateway off: what to do instead, as sentences.
    #[serde(default)]
    pub switched_off: Option<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, `yyyy-mm-dd`.
    pub date: String,
}

impl Platform {
    /// Returns a region by name, or the default one.
    pub fn region(&self, name: Option<&str>) -> Option<&Region> {
        match name {
            None => self.regions.first(),
            Some(name) => self.regions.iter().find(|region| region.name == name),
        }
    }

    /// Returns the digest and the `sign_method` word that we sign a shape with.
    pub fn digest(&self, shape: Shape) -> Option<&DigestChoice> {
        self.digests.get(&shape)?.first()
    }

    /// Returns the IANA time zone of dates in a region.
    pub fn time_zone_in<'a>(&'a self, region: &'a Region) -> &'a str {
        region.time_zone.as_deref().unwrap_or(&self.time_zone)
    }

    /// Returns the currency of prices that name none, where one is known.
    pub fn currency_in<'a>(&'a self, region: Option<&'a Region>) -> Option<&'a str> {
        region.and_then(|region| region.currency.as_deref()).or(self.currency.as_deref())
    }
}

/// A host that serves `handler/share/apidoc/getApiCategoryMixed.json` and `getApi.json?path=`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentHost {
    /// The base URL: `https://isvconsole.lazada.com`.
    pub url: String,
    /// Parameters of the list.
    #[serde(default)]
    pub list: BTreeMap<String, String>,
    /// Parameters of a document, beside `path`.
    #[serde(default)]
    pub document: BTreeMap<String, String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up.
    pub date: String,
    /// `true` if it is a guess.
    #[serde(default)]
    pub guess: bool,
}

/// The hosts of a platform in one country.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// `sg`, `my`, ... or `global`.
    pub name: String,
    /// The console that its keys come from, where the regions of a platform have keys of their own:
    /// `open.alibaba.com`.
    #[serde(default)]
    pub console: Option<String>,
    /// The base URL of calls, without `/rest`, `/sync`, `/openapi` or `/router/rest`:
    /// `https://api.lazada.sg`.
    pub api: String,
    /// The base URL of token calls, likewise.
    pub token: String,
    /// The page where a seller approves an app. Absent if it is not known.
    #[serde(default)]
    pub authorize: Option<String>,
    /// The base URL for `/sync` where it is another host.
    #[serde(default)]
    pub sync: Option<String>,
    /// The time zone of dates, where it is not that of the platform.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The currency of prices that name none, by ISO 4217: `SGD`.
    #[serde(default)]
    pub currency: Option<String>,
    /// Parameters of the authorize URL that replace those of the platform or join them.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Whether the authorize URL is signed, where it is not as on the rest of the platform.
    #[serde(default)]
    pub signed: Option<bool>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, where it is not the date of the platform.
    #[serde(default)]
    pub date: Option<String>,
    /// `true` if it is a guess.
    #[serde(default)]
    pub guess: bool,
}

/// How the authorize URL is put together.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeRules {
    /// Parameters that are always sent: `response_type=code`, `force_auth=true`, `site=1688`, ...
    pub params: BTreeMap<String, String>,
    /// `true` if the URL carries `_aop_signature` (param2 of the old days).
    #[serde(default)]
    pub signed: bool,
    /// What may be chosen as `country`; empty where the page knows no such parameter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// How long a code lives, in seconds. It is good once.
    pub code_life: u64,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, where it is not the date of the platform.
    #[serde(default)]
    pub date: Option<String>,
    /// `true` if it is a guess.
    #[serde(default)]
    pub guess: bool,
}

/// Which calls fetch tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OAuthStyle {
    /// Signed `/auth/token/create` and `/auth/token/refresh`.
    Iop,
    /// Unsigned `system.oauth2/getToken` with the secret in the body, over HTTPS.
    Param2,
    /// Unsigned POST to `/token` (RFC 6749), or the signed `taobao.top.auth.token.*`.
    Top,
}

/// How tokens are fetched and how long they live.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRules {
    /// Which calls.
    pub style: OAuthStyle,
    /// The API that turns a code into tokens: `/auth/token/create`, `system.oauth2/getToken`, `/token`.
    pub create: String,
    /// The API that refreshes.
    pub refresh: String,
    /// Other spellings of the create call that are known to work, in the order to try by hand.
    #[serde(default)]
    pub create_also: Vec<String>,
    /// Other spellings of the refresh call.
    #[serde(default)]
    pub refresh_also: Vec<String>,
    /// The documented life of an access token in seconds, used when a reply gives none.
    pub access_life: u64,
    /// The documented life of a refresh token in seconds, used when a reply gives none.
    pub refresh_life: u64,
    /// Codes that say that this app may refresh no tokens: they live as long as an order of the service
    /// market, and are used to that end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_codes: Vec<String>,
    /// `true` if a refresh returns no refresh token and the old one stays good.
    #[serde(default)]
    pub keeps_refresh_token: bool,
    /// `true` if the end of the refresh token does not move with a refresh.
    #[serde(default)]
    pub refresh_end_fixed: bool,
    /// Seconds before the end at which one caller refreshes and others go on.
    pub advisory_seconds: u64,
    /// For lives other than `access_life`: the same as a share of the life, e.g. 0.1.
    pub advisory_share: f64,
    /// Seconds before the end at which everybody waits for the refresh.
    pub mandatory_seconds: u64,
    /// The API that exchanges a refresh token near its end for a new one, and the window in seconds.
    #[serde(default)]
    pub postpone: Option<String>,
    /// The last seconds of a refresh token's life in which it may be postponed.
    #[serde(default)]
    pub postpone_window: u64,
    /// Fields of the reply that name the shop.
    pub identity: IdentityFields,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, where it is not the date of the platform.
    #[serde(default)]
    pub date: Option<String>,
    /// `true` if lives are a guess.
    #[serde(default)]
    pub guess: bool,
}

impl TokenRules {
    /// Returns `true` if a code says that this app may refresh no tokens.
    pub fn denies(&self, code: &str) -> bool {
        self.denied_codes.iter().any(|denied| denied == code)
    }
}

/// Fields of a token reply that say whose token it is, as dotted paths; first found wins.
///
/// A path `list.leaf` may lead into a list of objects, one object, or a map from country to object:
/// all three are documented for one platform. The order of such a list says nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityFields {
    /// The shop's lasting id: `aliId`, `user_id`, `seller_id`, `havana_id`, `taobao_user_id`.
    pub id: Vec<String>,
    /// The login name: `resource_owner`, `account`, `user_nick`, `taobao_user_nick`.
    pub login: Vec<String>,
    /// The country: `country`.
    #[serde(default)]
    pub country: Vec<String>,
    /// What stands in place of a country where the seller is cross-border; it is not a country itself.
    #[serde(default)]
    pub cross_border: Option<String>,
}

/// What a platform says of clocks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockRules {
    /// How far a request's time may be off, in seconds. Zero: not checked as far as is known.
    pub window: u64,
    /// The API that tells the platform's time, if it has one.
    #[serde(default)]
    pub api: Option<String>,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, where it is not the date of the platform.
    #[serde(default)]
    pub date: Option<String>,
    /// `true` if it is a guess.
    #[serde(default)]
    pub guess: bool,
}

/// A word of `sign_method` and the digest it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestChoice {
    /// The word on the wire; empty where the shape has no such parameter (param2).
    pub method: String,
    /// The digest.
    pub digest: Digest,
}

/// What a platform says of batches.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRules {
    /// Maximum number of calls of one batch.
    pub calls: usize,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, where it is not the date of the platform.
    #[serde(default)]
    pub date: Option<String>,
    /// `true` if it is a guess.
    #[serde(default)]
    pub guess: bool,
}

/// A documented limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRule {
    /// The API it is for; empty for all of the app.
    #[serde(default)]
    pub api: String,
    /// Calls in `seconds`.
    pub calls: u64,
    /// The length of the window.
    pub seconds: u64,
    /// `app` or `account`: who shares it.
    pub per: String,
    /// `true` if it is only known of test apps.
    #[serde(default)]
    pub test_app: bool,
    /// Where this is known from.
    pub source: String,
    /// When that was looked up, where it is not the date of the platform.
    #[serde(default)]
    pub date: Option<String>,
}
