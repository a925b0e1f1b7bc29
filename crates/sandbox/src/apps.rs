//! The apps a sandbox knows: its own, invented from the seed, and those of an app file.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sesame_catalog::Platform;
use sesame_core::{
    AppSecret, Error, Protocol, Result,
    sign::{Digest, SigningKey},
};

use crate::random::{BASE62, DIGITS, Random};

/// The redirect URI that apps have registered unless it is changed.
pub const DEFAULT_REDIRECT: &str = "http://127.0.0.1:8756/callback";

/// What an app may do with refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refreshing {
    /// Refresh tokens work as the platform documents.
    Allowed,
    /// `refresh_expires_in` (`re_expires_in`) is 0 and refreshing is refused.
    Never,
    /// An app sold in the service market: IOP answers `AUTH_TYPE_UNSUPPORTED`.
    MarketOnly,
}

/// An app beside the invented ones.
///
/// Several platforms may have the same key; then the route of a request, and the API it
/// names, tell which one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSpec {
    /// The platform's name.
    pub platform: String,
    /// The app key.
    pub key: String,
    /// The app secret.
    pub secret: AppSecret,
    /// The redirect URI that is registered for it. `None`: any address of the web is taken, since
    /// nothing says which one its platform has.
    pub redirect_uri: Option<String>,
}

/// One app.
#[derive(Debug)]
pub(crate) struct App {
    /// The index of its platform in the catalog's list.
    pub(crate) platform: usize,
    pub(crate) platform_name: String,
    pub(crate) protocol: Protocol,
    pub(crate) key: String,
    pub(crate) secret: AppSecret,
    /// True when the sandbox invented it, so that its secret may be shown.
    pub(crate) own: bool,
    keys: [SigningKey; Digest::ALL.len()],
    refreshing: Mutex<Refreshing>,
    redirect: Mutex<Redirect>,
}

/// Where an app's sellers may be sent back to.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Redirect {
    /// The registered URI, if it is known.
    pub(crate) uri: Option<String>,
    /// True: that URI and no other. False: any URI on loopback as well, because sandboxes serve
    /// programs on the same machine, whose ports nobody registers.
    pub(crate) exact: bool,
}

impl App {
    fn new(
        platform: usize,
        data: &Platform,
        key: String,
        secret: AppSecret,
        own: bool,
        redirect_uri: Option<String>,
    ) -> Self {
        let keys = Digest::ALL.map(|digest| SigningKey::new(digest, &secret));
        Self {
            platform,
            platform_name: data.name.clone(),
            protocol: data.protocol,
            key,
            secret,
            own,
            keys,
            refreshing: Mutex::new(Refreshing::Allowed),
            redirect: Mutex::new(Redirect { uri: redirect_uri, exact: false }),
        }
    }

    /// Returns the prepared key for a digest.
    pub(crate) fn signing_key(&self, digest: Digest) -> &SigningKey {
        // Every digest is in the list of all.
        &self.keys[Digest::ALL.iter().position(|known| *known == digest).unwrap_or(0)]
    }

    pub(crate) fn refreshing(&self) -> Refreshing {
        *self.refreshing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_refreshing(&self, refreshing: Refreshing) {
        *self.refreshing.lock().unwrap_or_else(PoisonError::into_inner) = refreshing;
    }

    pub(crate) fn redirect(&self) -> MutexGuard<'_, Redirect> {
        self.redirect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if a seller may be sent to `uri`.
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        let redirect = self.redirect();
        redirect.uri.as_deref().map_or_else(|| is_web_uri(uri), |registered| registered == uri)
            || (!redirect.exact && is_loopback_uri(uri))
    }
}

/// Returns `true` if a URI is `http(s)` with a host and nothing that no header takes.
fn is_web_uri(uri: &str) -> bool {
    let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']))
        && !uri.contains(['@', '\\'])
        && !uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
}

/// Returns `true` if a URI is `http(s)` on 127.0.0.0/8, `[::1]` or `localhost`.
pub(crate) fn is_loopback_uri(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")) else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A user part or a backslash would make browsers and this check see different hosts.
    if uri.contains(['@', '\\']) || uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return false;
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(six) => match six.split_once(']') {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => return false,
        },
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// All apps, found by key.
#[derive(Debug)]
pub(crate) struct Apps {
    list: Vec<App>,
    by_key: HashMap<String, Vec<usize>>,
}

impl Apps {
    /// Invents one app for each platform and adds those given.
    pub(crate) fn new(platforms: &[Platform], seed: u64, given: &[AppSpec]) -> Result<Self> {
        let mut apps = Self { list: Vec::new(), by_key: HashMap::new() };
        for spec in given {
            let Some(at) = platforms.iter().position(|platform| platform.name == spec.platform) else {
                let names: Vec<&str> = platforms.iter().map(|platform| platform.name.as_str()).collect();
                return Err(Error::usage(format!(
                    "the app {} is of an unknown platform: {:?}",
                    spec.key, spec.platform
                ))
                .with_hint(format!("Use one of: {}.", names.join(", "))));
            };
            let redirect = spec.redirect_uri.clone();
            apps.add(App::new(at, &platforms[at], spec.key.clone(), spec.secret.clone(), false, redirect));
        }
        for (at, platform) in platforms.iter().enumerate() {
            let mut numbers = Random::for_purpose(seed, &format!("app {}", platform.name));
            let key = loop {
                let key = format!("{}{}", 1 + numbers.modulo(9), numbers.text(DIGITS, 6));
                if !apps.by_key.contains_key(&key) {
                    break key;
                }
            };
            let secret = AppSecret::new(numbers.text(BASE62, 32));
            apps.add(App::new(at, platform, key, secret, true, Some(DEFAULT_REDIRECT.to_owned())));
        }
        Ok(apps)
    }

    fn add(&mut self, app: App) {
        self.by_key.entry(app.key.clone()).or_default().push(self.list.len());
        self.list.push(app);
    }

    /// Returns all apps, those invented first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &App> {
        self.list.iter().filter(|app| app.own).chain(self.list.iter().filter(|app| !app.own))
    }

    /// Returns the apps with this key, of one protocol.
    pub(crate) fn with_key<'a>(
        &'a self,
        key: &str,
        protocol: Protocol,
    ) -> impl Iterator<Item = &'a App> + Clone {
        self.by_key
            .get(key)
            .into_iter()
            .flatten()
            .map(|at| &self.list[*at])
            .filter(move |app| app.protocol == protocol)
    }

    /// Returns the apps with this key, of any protocol.
    pub(crate) fn any_with_key<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a App> + Clone {
        self.by_key.get(key).into_iter().flatten().map(|at| &self.list[*at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_counts_as_loopback() {
        for uri in
            ["http://127.0.0.1:8756/callback", "http://localhost/x", "http://[::1]:9/x", "https://127.8.9.1"]
        {
            assert!(is_loopback_uri(uri), "{uri}");
        }
        for uri in [
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://evil.example/?http://127.0.0.1",
            "http://localhost:99999/",
            "http://localhost\\@evil.example/",
            "ftp://127.0.0.1/",
            "javascript:alert(1)",
            "http://",
        ] {
            assert!(!is_loopback_uri(uri), "{uri}");
        }
    }
}
