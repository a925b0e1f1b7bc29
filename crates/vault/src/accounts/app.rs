//! Apps: what the platform's console gave a developer.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use serde::Serialize;
use sesame_catalog::{Platform, Urls};
use sesame_core::{
    AppSecret, Error, ErrorKind, Result,
    command_line::{fill, quote},
    sign::{Digest, SigningKey},
};

use crate::{
    model::{Id, lock, name, setters},
    oauth::{callback::WebAddress, calls::ClientCredentials},
    seal::{Sealer, Slot, open_text},
    store::AppRow,
};

/// Where a platform sends the seller's browser unless the app says otherwise.
pub const DEFAULT_REDIRECT_URI: &str = "http://127.0.0.1:8756/callback";

/// An app to be added.
///
/// ```
/// use sesame_core::AppSecret;
/// use sesame_vault::NewApp;
///
/// let app = NewApp::new("lazada", "123456", AppSecret::new("from the console")).region("my");
/// # drop(app);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewApp {
    /// The platform: `alibaba`, `1688`, `lazada`, ...
    pub platform: String,
    /// A name; the platform's own, with a number where it is taken, when left out.
    pub name: Option<String>,
    /// The app key.
    pub key: String,
    /// The app secret.
    pub secret: AppSecret,
    /// What is registered in the platform's console; [`DEFAULT_REDIRECT_URI`] when left out.
    pub redirect_uri: Option<String>,
    /// The region whose hosts are called; the platform's first when left out.
    pub region: Option<String>,
    /// Where the secret was read from, for people: `standard input`, `variable MY_SECRET`.
    pub secret_origin: Option<String>,
}

impl NewApp {
    /// An app of a platform, with its key and secret from the platform's console.
    pub fn new(platform: impl Into<String>, key: impl Into<String>, secret: AppSecret) -> Self {
        Self {
            platform: platform.into(),
            name: None,
            key: key.into(),
            secret,
            redirect_uri: None,
            region: None,
            secret_origin: None,
        }
    }
}

setters! { NewApp {
    /// Sets its name.
    name: impl Into<String> = Some(name.into()),
    /// Sets the redirect URI that is registered in the console.
    redirect_uri: impl Into<String> = Some(redirect_uri.into()),
    /// Sets the region whose hosts are called.
    region: impl Into<String> = Some(region.into()),
    /// Sets where the secret was read from.
    secret_origin: impl Into<String> = Some(secret_origin.into()),
}}

/// An app, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct App {
    /// The id.
    #[serde(serialize_with = "as_text")]
    pub id: Id,
    /// The name.
    pub name: String,
    /// The platform.
    pub platform: String,
    /// The region, where one was chosen.
    pub region: Option<String>,
    /// The app key.
    pub app_key: String,
    /// Where the platform sends the seller's browser.
    pub redirect_uri: String,
    /// `true` if it was added against a sandbox.
    pub sandbox: bool,
    /// True while the secret that was replaced last is kept, since the new one has not worked yet.
    pub has_former_secret: bool,
    /// When it was added.
    #[serde(serialize_with = "as_text")]
    pub created_at: Timestamp,
}

/// What is changed of an app. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct AppEdit {
    /// Another name.
    pub name: Option<String>,
    /// Another region. Accounts that had the app's region follow, unless it is that of their country.
    pub region: Option<String>,
    /// Another redirect URI.
    pub redirect_uri: Option<String>,
    /// Exchanges the secret for the former one, which is kept until a new one has worked.
    pub former_secret: bool,
}

pub(crate) fn as_text<T: fmt::Display, S: serde::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl App {
    pub(crate) fn of(row: &AppRow) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            platform: row.platform.clone(),
            region: row.region.clone(),
            app_key: row.app_key.clone(),
            redirect_uri: row.redirect_uri.clone(),
            sandbox: row.sandbox.is_some(),
            has_former_secret: row.former_secret.is_some(),
            created_at: Timestamp::from_millisecond(row.created_at).unwrap_or_default(),
        }
    }
}

/// Finds what cannot be right in a new app, before anything is stored.
pub(crate) fn check(new: &NewApp) -> Result<()> {
    let key_hint =
        "Copy the app key from the platform's console: digits or letters, without quotes or spaces.";
    if new.key.is_empty() {
        return Err(Error::usage("the app key is empty").with_hint(key_hint));
    }
    if new.key.len() > 128
        || !new.key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(Error::usage("this does not look like an app key").with_hint(key_hint));
    }
    let secret = new.secret.expose();
    let wrong = if secret.is_empty() {
        "is empty"
    } else if secret.len() > 512 {
        "is longer than 512 bytes"
    } else if secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
        "holds spaces or line breaks"
    } else if secret.starts_with(['"', '\'']) || secret.ends_with(['"', '\'']) {
        "is in quotes"
    } else if secret == new.key {
        "is the same as the app key"
    } else {
        return check_redirect(new.redirect_uri.as_deref().unwrap_or(DEFAULT_REDIRECT_URI));
    };
    Err(Error::usage(format!("the app secret {wrong}"))
        .with_hint("Copy the app secret from the platform's console, exactly as shown there."))
}

pub(crate) fn check_redirect(uri: &str) -> Result<()> {
    let form = uri.starts_with("urn:") || WebAddress::of(uri).is_some_and(|_| uri.starts_with("http"));
    if form
        && uri.len() <= 2_000
        && !uri.contains('#')
        && !uri.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Ok(());
    }
    Err(Error::usage(format!("{uri:?} cannot be a redirect URI"))
        .with_hint(format!("Give the address that is registered in the platform's console, such as {DEFAULT_REDIRECT_URI}; platforms compare it letter by letter.")))
}

/// Chooses the name of a new app.
pub(crate) fn choose_name(new: &NewApp, platform: &str, taken: &[AppRow]) -> Result<String> {
    let is_taken = |name: &str| taken.iter().any(|app| app.name == name);
    match &new.name {
        None => Ok(name::first_free(platform, is_taken)),
        Some(chosen) => {
            name::check("app", chosen)?;
            if is_taken(chosen) { Err(name_taken(chosen)) } else { Ok(chosen.clone()) }
        }
    }
}

pub(crate) fn name_taken(name: &str) -> Error {
    Error::usage(format!("there is already an app called {name:?}"))
        .with_hint("Choose another name. `sesame app list` shows the apps.")
}

pub(crate) fn secret_slot(id: &Id) -> Slot<'_> {
    Slot { table: "app", row: id.as_bytes(), column: "secret" }
}

pub(crate) fn former_slot(id: &Id) -> Slot<'_> {
    Slot { table: "app", row: id.as_bytes(), column: "former_secret" }
}

/// What a platform knows an app by: platform and key, and whether it is one of a sandbox. Two apps of one
/// key are one to it. Sandboxes are one here, whatever their ports (each start may have another), and
/// never a real platform.
pub(crate) type AppKey<'a> = (&'a str, &'a str, bool);

pub(crate) fn app_key_of(app: &AppRow) -> AppKey<'_> {
    (&app.platform, &app.app_key, app.sandbox.is_some())
}

/// An app as this process uses it: the secret open, signing keys prepared once.
pub(crate) struct AppState {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) platform: &'static Platform,
    pub(crate) region: Option<String>,
    pub(crate) app_key: String,
    pub(crate) secret: AppSecret,
    pub(crate) redirect_uri: String,
    pub(crate) sandbox: Option<String>,
    /// What the platform counts and limits calls by: one app key, under however many names.
    pub(crate) counted_by: Arc<str>,
    /// The row's sealed secret: it changes with the secret, and with the vault's key.
    sealed: Mutex<Vec<u8>>,
    /// The platform refused the app or its signature: somebody may have replaced the secret.
    is_doubted: AtomicBool,
    /// The secret has not worked yet, and the one before is kept.
    is_on_trial: AtomicBool,
    keys: [OnceLock<SigningKey>; Digest::ALL.len()],
}

impl AppState {
    pub(crate) fn open(row: &AppRow, platform: &'static Platform, sealer: &Sealer) -> Result<Self> {
        let secret = open_text(sealer, secret_slot(&row.id), &row.secret)
            .map_err(|error| error.context(format!("the secret of app {:?}", row.name)))?;
        Ok(Self {
            id: row.id,
            name: row.name.clone(),
            platform,
            region: row.region.clone(),
            app_key: row.app_key.clone(),
            secret: AppSecret::new(secret),
            redirect_uri: row.redirect_uri.clone(),
            sandbox: row.sandbox.clone(),
            counted_by: format!("{} {}", row.platform, row.app_key).into(),
            sealed: Mutex::new(row.secret.clone()),
            is_doubted: AtomicBool::new(false),
            is_on_trial: AtomicBool::new(row.former_secret.is_some()),
            keys: [const { OnceLock::new() }; Digest::ALL.len()],
        })
    }

    /// Returns `true` if this still is what a row says; opens the row's secret only if its seal is another.
    pub(crate) fn is_of(&self, row: &AppRow, sealer: &Sealer) -> bool {
        if self.name != row.name || self.region != row.region || self.redirect_uri != row.redirect_uri {
            return false;
        }
        self.is_on_trial.store(row.former_secret.is_some(), Ordering::Relaxed);
        if *lock(&self.sealed) == row.secret {
            return true;
        }
        let is_same = open_text(sealer, secret_slot(&row.id), &row.secret)
            .is_ok_and(|secret| secret == self.secret.expose());
        if is_same {
            lock(&self.sealed).clone_from(&row.secret);
        }
        is_same
    }

    /// As [`app_key_of`].
    pub(crate) fn key_on_platform(&self) -> AppKey<'_> {
        (&self.platform.name, &self.app_key, self.sandbox.is_some())
    }

    /// Returns `true` if the platform cannot tell the two apart: one app key under two names.
    pub(crate) fn signs_as(&self, other: &Self) -> bool {
        self.key_on_platform() == other.key_on_platform() && self.secret == other.secret
    }

    /// Says that the platform refused the app or its signature.
    pub(crate) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if its row should be read again; once for each doubt.
    pub(crate) fn was_doubted(&self) -> bool {
        self.is_doubted.swap(false, Ordering::Relaxed)
    }

    /// Returns `true` while the former secret is kept, since this one has not worked yet.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.is_on_trial.load(Ordering::Relaxed)
    }

    /// The secret has worked.
    pub(crate) fn end_trial(&self) {
        self.is_on_trial.store(false, Ordering::Relaxed);
    }

    /// Puts the names of this app and of the account into the commands of a hint. Of a signature that the
    /// platform refused it says whose secret it was made with: Sesame signs by the documents, so it is the
    /// secret that is wrong.
    pub(crate) fn explained(&self, error: Error, account: Option<&str>) -> Error {
        if error.kind() != ErrorKind::Signature {
            let names = [("APP", Some(&*self.name)), ("NAME", Some(&*self.name)), ("ACCOUNT", account)];
            let names: Vec<_> = names.into_iter().filter_map(|(word, name)| Some((word, name?))).collect();
            let hint = error.hint().map(|hint| fill(hint, &names));
            return match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            };
        }
        let (name, platform, key) = (quote(&self.name), quote(&self.platform.name), &self.app_key);
        let back = if self.is_on_trial() {
            format!(
                " Its secret was replaced and has not worked yet; the former one comes back with `sesame app edit {name} --former-secret`."
            )
        } else {
            String::new()
        };
        error.with_hint(format!(
            "The secret of app {name} is probably not that of key {key}: copy it from the platform's console, then `sesame app add {platform} --key {key} --secret-stdin --replace`.{back}"
        ))
    }

    /// Returns what the app asks for tokens with.
    pub(crate) fn credentials<'a>(&'a self, urls: &'a Urls) -> ClientCredentials<'a> {
        ClientCredentials {
            platform: self.platform,
            urls,
            app_key: &self.app_key,
            secret: &self.secret,
            is_sandbox: self.sandbox.is_some(),
        }
    }

    /// Returns the prepared key of a digest.
    pub(crate) fn key(&self, digest: Digest) -> &SigningKey {
        let at = Digest::ALL.iter().position(|known| *known == digest).unwrap_or_default();
        self.keys[at].get_or_init(|| SigningKey::new(digest, &self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(key: &str, secret: &str, redirect: Option<&str>) -> NewApp {
        NewApp {
            platform: "alibaba".into(),
            name: None,
            key: key.into(),
            secret: AppSecret::new(secret),
            redirect_uri: redirect.map(str::to_owned),
            region: None,
            secret_origin: None,
        }
    }

    #[test]
    fn refuses_what_copying_went_wrong_with() {
        for (key, secret) in [
            ("", "s"),
            ("12 34", "s"),
            ("\"1234\"", "s"),
            ("1234", ""),
            ("1234", "a b"),
            ("1234", "\"abc\""),
            ("1234", "1234"),
            ("1234", "x\n"),
        ] {
            let error = check(&new(key, secret, None)).unwrap_err();
            assert!(error.hint().is_some(), "{key:?} {secret:?}");
        }
        for uri in ["callback", "ftp://x/", "http://a/#x", "http://a b/", ""] {
            assert!(check(&new("1", "abc", Some(uri))).is_err(), "{uri}");
        }
        for uri in ["urn:ietf:wg:oauth:2.0:oob", "https://shop.example/cb?x=1", DEFAULT_REDIRECT_URI] {
            assert!(check(&new("1", "abc", Some(uri))).is_ok(), "{uri}");
        }
    }

    #[test]
    fn the_secret_shows_in_no_debug_output() {
        let app = new("1234", "planted-secret-of-an-app", None);
        assert!(!format!("{app:?}").contains("planted-secret-of"));
    }
}
