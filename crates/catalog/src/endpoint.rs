//! Where calls go: the URLs of a region, or a sandbox instead.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use sesame_core::{
    Error, HttpResponse, Result, Shape,
    redact::{ForeignText, Redactor},
    request::is_private_address,
};

use crate::{Api, Platform};

/// The header by which a sandbox names its explanation of a refusal.
const REFERENCE_HEADER: &str = "x-sandbox-refusal";

/// Whom calls reach: the live platforms, or a sandbox in the place of all of them.
///
/// ```
/// use sesame_catalog::{Catalog, Environment};
///
/// # fn main() -> sesame_core::Result<()> {
/// let sandbox = Environment::sandbox("http://127.0.0.1:4600")?;
/// let urls = Catalog::builtin().platform("lazada")?.urls(Some("my"), &sandbox)?;
/// assert_eq!(urls.api, "http://127.0.0.1:4600");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Environment {
    /// The platforms themselves.
    #[default]
    Live,
    /// The sandbox at this address.
    Sandbox(SandboxUrl),
}

impl Environment {
    /// The sandbox at an address such as `http://127.0.0.1:4600`.
    ///
    /// # Errors
    /// As [`SandboxUrl::parse`].
    pub fn sandbox(url: &str) -> Result<Self> {
        SandboxUrl::parse(url).map(Self::Sandbox)
    }

    /// Returns `true` if no call reaches a platform.
    pub fn is_sandbox(&self) -> bool {
        matches!(self, Self::Sandbox(_))
    }

    /// Returns the sandbox's address; `None` if calls go to the live platforms.
    pub fn sandbox_url(&self) -> Option<&SandboxUrl> {
        match self {
            Self::Live => None,
            Self::Sandbox(url) => Some(url),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("live"),
            Self::Sandbox(url) => write!(f, "sandbox {url}"),
        }
    }
}

/// Endings of names that the public internet does not have. Names of one word, such as those of containers,
/// are no public ones either.
const PRIVATE_NAMES: [&str; 5] = [".localhost", ".local", ".internal", ".test", ".home.arpa"];

/// The address of a sandbox: scheme, host and port, on this machine or in a private network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SandboxUrl(String);

impl SandboxUrl {
    /// Reads `http://127.0.0.1:4600`.
    ///
    /// The host is `localhost`, a loopback or private address, the name of a container (one word, as in
    /// `http://sandbox:4600`), or a name under `.local`, `.internal`, `.localhost`, `.test` or
    /// `.home.arpa`. Nothing on the public internet is a sandbox: every platform is sent there, and the
    /// secrets of its apps with it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::usage(format!("{:?} cannot be the address of a sandbox: {why}", shown(text))).with_hint(
                "Give scheme, address and port of a sandbox on this machine or in a private network, e.g. http://127.0.0.1:4600 or http://sandbox:4600. Real platforms are reached by leaving SESAME_ENDPOINT unset.",
            ))
        };
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("it does not start with http://");
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return refuse("only http and https are spoken");
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@', '\\'])
            || rest.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return refuse("only scheme, host and port are allowed");
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((host, "")) => (format!("[{host}]"), None),
                Some((host, port)) => match port.strip_prefix(':') {
                    Some(port) => (format!("[{host}]"), Some(port)),
                    None => {
                        return refuse("the address in brackets is followed by something else than a port");
                    }
                },
                None => return refuse("the bracket is not closed"),
            },
            None => match rest.split_once(':') {
                Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
                None => (rest.to_ascii_lowercase(), None),
            },
        };
        if !is_private(&host) {
            return refuse("it is neither on this machine nor in a private network");
        }
        let port = match port {
            None => String::new(),
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!(":{port}")
                }
                _ => return refuse("the port is not a number from 1 to 65535"),
            },
        };
        Ok(Self(format!("{scheme}://{host}{port}")))
    }

    /// Returns scheme, host and port, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the reference by which a sandbox explains a refusal; `None` if it gives none. Not to be asked
    /// of a live platform's reply.
    pub fn reference(response: &HttpResponse, redactor: &Redactor<'_>) -> Option<ForeignText> {
        response.header(REFERENCE_HEADER).map(|reference| redactor.text(reference, 200))
    }

    /// Puts this address in the place of scheme, host and port of a URL; the path stays.
    fn instead_of(&self, url: &str) -> String {
        let path = url
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
            .unwrap_or_default();
        format!("{}{path}", self.0)
    }
}

fn is_private(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|address| is_private_address(IpAddr::V6(address)));
    }
    if let Ok(v4) = host.parse::<Ipv4Addr>() {
        return is_private_address(IpAddr::V4(v4));
    }
    // Numbers that look like a name, such as 0177.1, are an address to some resolvers.
    let is_name = host.split('.').all(|label| {
        label.starts_with(|c: char| c.is_ascii_lowercase())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    is_name && (!host.contains('.') || PRIVATE_NAMES.iter().any(|ending| host.ends_with(ending)))
}

/// Shortens what is shown back and hides what stands before an `@`: it may be a password.
fn shown(text: &str) -> String {
    let text = match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(80).chain(['…']).collect() }
}

impl fmt::Display for SandboxUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SandboxUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// The base URLs that one account uses, none with a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// Calls: `/rest`, `/openapi`, `/router/rest` follow.
    pub api: String,
    /// Token calls, likewise.
    pub token: String,
    /// The page where a seller approves an app.
    pub authorize: Option<String>,
    /// `/sync` follows.
    pub sync: String,
}

impl Platform {
    /// Returns the base URLs of a region (the default one for `None`) in an environment: a
    /// sandbox takes the place of all hosts.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a region that the platform does not have.
    pub fn urls(&self, region: Option<&str>, environment: &Environment) -> Result<Urls> {
        let region = self.region(region).ok_or_else(|| {
            let names: Vec<&str> = self.regions.iter().map(|region| region.name.as_str()).collect();
            Error::usage(format!("{} has no region {:?}", self.name, shown(region.unwrap_or_default())))
                .with_hint(format!("Use one of: {}.", names.join(", ")))
        })?;
        let place = |url: &str| match environment {
            Environment::Live => url.trim_end_matches('/').to_owned(),
            Environment::Sandbox(sandbox) => sandbox.instead_of(url.trim_end_matches('/')),
        };
        // A sandbox has its own authorize page even where that of the platform is not known.
        let authorize = match (&region.authorize, environment) {
            (Some(url), _) => Some(place(url)),
            (None, Environment::Sandbox(sandbox)) => Some(format!("{sandbox}/oauth/authorize")),
            (None, Environment::Live) => None,
        };
        Ok(Urls {
            api: place(&region.api),
            token: place(&region.token),
            authorize,
            sync: place(region.sync.as_deref().unwrap_or(&region.api)),
        })
    }
}

/// Returns the URL of a call, without its query.
///
/// `filled_path` replaces the path of an API whose path has variables. Token calls go to the
/// platform's token host.
pub fn request_url(urls: &Urls, api: &Api, app_key: &str, filled_path: Option<&str>) -> String {
    let path = filled_path.or(api.path.as_deref()).unwrap_or(&api.name);
    match api.shape {
        Shape::IopRest => {
            let base = if path.starts_with("/auth/token/") { &urls.token } else { &urls.api };
            [base, "/rest", &escaped(path)].concat()
        }
        Shape::IopRestVariables => format!("{}/rest/2.0{}", urls.api, escaped(path)),
        Shape::IopSync => format!("{}/sync", urls.sync),
        Shape::Param2 | Shape::Param2Params => {
            let base =
                if api.namespace.as_deref() == Some("system.oauth2") { &urls.token } else { &urls.api };
            format!("{base}/openapi/{}", escaped(&signed_path(api, app_key, None)))
        }
        Shape::Top => format!("{}/router/rest", urls.api),
        Shape::TopBatch => format!("{}/router/batch", urls.api),
    }
}

/// Returns the path that goes into the signature: `/order/get`, `param2/1/ns/name/KEY`, or nothing.
pub fn signed_path<'a>(api: &'a Api, app_key: &str, filled_path: Option<&'a str>) -> Cow<'a, str> {
    match api.shape {
        Shape::IopRest | Shape::IopRestVariables => {
            filled_path.or(api.path.as_deref()).unwrap_or(&api.name).into()
        }
        Shape::Param2 => {
            let namespace = api.namespace.as_deref().unwrap_or_default();
            let name = api.name.split_once(':').map_or(api.name.as_str(), |(_, name)| name);
            format!("param2/{}/{namespace}/{name}/{app_key}", api.version).into()
        }
        Shape::Param2Params | Shape::IopSync | Shape::Top | Shape::TopBatch => "".into(),
    }
}

/// Percent-encodes what may not stand in a path. The gateway signs what it decodes.
fn escaped(path: &str) -> Cow<'_, str> {
    let stands = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'')
            || matches!(byte, b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
    };
    if path.bytes().all(stands) {
        return path.into();
    }
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if stands(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out.into()
}
