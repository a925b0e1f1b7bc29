//! What a caller asks for, and what it gets.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sesame_catalog::Safety;
use sesame_core::{envelope::Reply, mask, params::File, request::MAX_REPLY, scalar};

/// One call: an account, an API, arguments. The command line and the library build the same value.
///
/// ```
/// use sesame_client::Call;
///
/// let call: Call = serde_json::from_str(
///     r#"{"account":"my-shop","api":"/orders/get","args":{"limit":10},"options":{"timeout":20}}"#,
/// )?;
/// assert_eq!(call, Call::new("my-shop", "/orders/get").arg("limit", 10).timeout(std::time::Duration::from_secs(20)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Call {
    /// The account's name in the vault.
    pub account: String,
    /// The API: a path, a method, `[namespace:]name[@version]` or an alias of one.
    pub api: String,
    /// The arguments, as the platform names them. Values may be JSON of any depth.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// Files by the name of their parameter. They are sent as multipart parts and not signed.
    #[serde(skip)]
    pub files: Vec<(String, File)>,
    /// Limits of this call.
    #[serde(default)]
    pub options: CallOptions,
}

impl Call {
    /// Creates a call without arguments.
    pub fn new(account: impl Into<String>, api: impl Into<String>) -> Self {
        Self { account: account.into(), api: api.into(), ..Self::default() }
    }

    /// Adds an argument, or replaces it.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.args.insert(name.into(), value.into());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, file: File) -> Self {
        self.files.push((name.into(), file));
        self
    }

    /// Sets the maximum number of times the request is sent.
    #[must_use]
    pub fn attempts(mut self, limit: u32) -> Self {
        self.options.attempts = Some(limit);
        self
    }

    /// Sets the time that the whole call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }
}

/// Shows no secret: an argument may be a code or a token.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args.iter().map(|(name, value)| (name, Shown(name, value)));
        let files = self.files.iter().map(|(name, file)| (name, file.content.len()));
        f.debug_struct("Call")
            .field("account", &self.account)
            .field("api", &self.api)
            .field("args", &MapOf(args.collect()))
            .field("file_bytes", &MapOf(files.collect()))
            .field("options", &self.options)
            .finish()
    }
}

/// Pairs, written as a map.
struct MapOf<K, V>(Vec<(K, V)>);

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for MapOf<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, value))).finish()
    }
}

/// The value of a name, masked if it is secret, at any depth.
struct Shown<'a>(&'a str, &'a Value);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, value) = *self;
        match value {
            Value::Null | Value::Bool(_) => write!(f, "{value}"),
            Value::Object(members) => {
                f.debug_map().entries(members.iter().map(|(name, value)| (name, Self(name, value)))).finish()
            }
            Value::Array(items) => f.debug_list().entries(items.iter().map(|item| Self(name, item))).finish(),
            _ if mask::is_secret_param(name) => {
                fmt::Debug::fmt(&mask::mask(&scalar::text(value).unwrap_or_default()), f)
            }
            // An argument may be JSON in a text, with names of its own.
            Value::String(text) => fmt::Debug::fmt(&mask::mask_text(text), f),
            Value::Number(number) => write!(f, "{number}"),
        }
    }
}

/// Limits of a call. All have a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CallOptions {
    /// The time the whole call may take, waits and repeats included; 60 s unless set. In JSON a
    /// number of seconds.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The time that one exchange with the gateway may take; 30 s unless set. In JSON a number of
    /// seconds.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// Maximum number of times the request is sent; 4 unless set. One more repeat each for an access
    /// token that had to be refreshed and a clock that had to be corrected is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// What the caller knows of the safety of this very call, against the catalog: an order
    /// created with an idempotency key of the platform is `idempotent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Safety>,
    /// The largest reply in bytes; 64 MiB unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_reply: Option<usize>,
}

impl CallOptions {
    /// The default of [`CallOptions::timeout`].
    pub const TIMEOUT: Duration = Duration::from_mins(1);
    /// The default of [`CallOptions::attempt_timeout`].
    pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
    /// The default of [`CallOptions::attempts`].
    pub const ATTEMPTS: u32 = 4;
    /// The largest [`CallOptions::attempts`].
    pub const MAX_ATTEMPTS: u32 = 20;
    /// The largest [`CallOptions::timeout`]: a day.
    pub const MAX_TIMEOUT: Duration = Duration::from_hours(24);

    pub(crate) fn whole(&self) -> Duration {
        self.timeout.unwrap_or(Self::TIMEOUT).min(Self::MAX_TIMEOUT)
    }

    pub(crate) fn attempt(&self) -> Duration {
        self.attempt_timeout.unwrap_or(Self::ATTEMPT_TIMEOUT)
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.attempts.unwrap_or(Self::ATTEMPTS).clamp(1, Self::MAX_ATTEMPTS)
    }

    pub(crate) fn reply_limit(&self) -> usize {
        self.max_reply.unwrap_or(MAX_REPLY)
    }
}

/// The answer to a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallOutput {
    /// The platform's answer; its bytes are untouched.
    pub reply: Reply,
    /// What the caller should know, as sentences: undocumented arguments, a corrected clock.
    pub warnings: Vec<String>,
    /// Number of times the request was sent.
    pub attempts: u32,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature that serde's `with` asks for")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_f64(time.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let Some(seconds) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
        Duration::try_from_secs_f64(seconds)
            .map(Some)
            .map_err(|_| D::Error::custom(format!("invalid duration: {seconds} s")))
    }
}
