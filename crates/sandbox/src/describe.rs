//! The description of a running sandbox for scripts: one line of JSON.

use serde::Serialize;
use sesame_core::Protocol;

use crate::{apps::DEFAULT_REDIRECT, state::State};

/// The line that `sesame sandbox --json` prints.
///
/// Scripts rely on its names; `Debug` masks the secrets, `Serialize` shows those that the
/// sandbox invented.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// The base URL.
    pub listen: String,
    /// The apps, those invented first.
    pub apps: Vec<DescribedApp>,
    /// The shops that can log in.
    pub shops: Vec<DescribedShop>,
}

/// An app of the sandbox.
#[derive(Clone, Serialize)]
pub struct DescribedApp {
    /// The platform's name.
    pub platform: String,
    /// `param2`, `iop` or `top`.
    pub protocol: &'static str,
    /// The app key.
    pub app_key: String,
    /// The secret, if the sandbox invented it; `None` for apps of an app file.
    pub app_secret: Option<String>,
    /// The registered redirect URI.
    pub redirect_uri: String,
    /// The page where sellers approve.
    pub authorize_url: String,
    /// What SDKs take as their server URL.
    pub api_base: String,
}

/// A shop that can log in.
#[derive(Debug, Clone, Serialize)]
pub struct DescribedShop {
    /// The platform's name.
    pub platform: &'static str,
    /// What the seller logs in with.
    pub login: String,
}

impl std::fmt::Debug for DescribedApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DescribedApp")
            .field("platform", &self.platform)
            .field("app_key", &self.app_key)
            .field("app_secret", &self.app_secret.as_deref().map(sesame_core::mask::mask))
            .field("api_base", &self.api_base)
            .finish_non_exhaustive()
    }
}

impl Description {
    pub(crate) fn of(state: &State) -> Self {
        let listen = state.url().to_owned();
        let apps = state
            .apps
            .all()
            .map(|app| {
                let base = match app.protocol {
                    Protocol::Param2 => "/openapi",
                    Protocol::Iop => "/rest",
                    Protocol::Top => "/router/rest",
                };
                DescribedApp {
                    platform: app.platform_name.clone(),
                    protocol: app.protocol.as_str(),
                    app_key: app.key.clone(),
                    app_secret: app.own.then(|| app.secret.expose().to_owned()),
                    redirect_uri: app.redirect().uri.clone().unwrap_or_else(|| DEFAULT_REDIRECT.to_owned()),
                    authorize_url: format!("{listen}{}", authorize_path(state, app.platform, app.protocol)),
                    api_base: format!("{listen}{base}"),
                }
            })
            .collect();
        let shops = state
            .fixtures
            .shops()
            .iter()
            .map(|shop| DescribedShop { platform: shop.platform, login: shop.login.clone() })
            .collect();
        Self { listen, apps, shops }
    }
}

/// The path of the platform's own page; the family's where nobody has found it.
fn authorize_path(state: &State, platform: usize, protocol: Protocol) -> String {
    let page = state.contracts.platform(platform).region(None).and_then(|region| region.authorize.as_deref());
    let path = page.and_then(|page| {
        let rest = page.split_once("://")?.1;
        Some(rest[rest.find('/')?..].to_owned())
    });
    let known =
        |path: &String| matches!(path.as_str(), "/oauth/authorize" | "/authorize" | "/auth/authorize.htm");
    path.filter(known).unwrap_or_else(|| {
        match protocol {
            Protocol::Top => "/authorize",
            Protocol::Param2 | Protocol::Iop => "/oauth/authorize",
        }
        .to_owned()
    })
}
