//! What comes back from the authorize page.

use sesame_core::{AuthCode, Error, ErrorKind, Fault, Result, Retry, mask::mask_url, redact::Redactor};
use url::{Host, Url};

/// The longest callback that is read, in bytes.
pub(crate) const LONGEST: usize = 16 << 10;

/// A callback that passed the checks of its form.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) code: AuthCode,
    pub(crate) state: String,
}

/// The part of an address that a callback has to agree with: all but its query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WebAddress(pub(crate) Url);

impl WebAddress {
    /// Reads an address; `None` for `urn:` and other things without a host, and for one with a user.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        let has_user = !url.username().is_empty() || url.password().is_some();
        (url.has_host() && !has_user).then_some(Self(url))
    }

    /// Returns `true` if a listener on this machine can receive it: plain HTTP to a loopback address.
    pub(crate) fn is_loopback(&self) -> bool {
        self.0.scheme() == "http"
            && self.0.host().is_some_and(|host| match host {
                Host::Domain(name) => name == "localhost",
                Host::Ipv4(address) => address.is_loopback(),
                Host::Ipv6(address) => address.is_loopback(),
            })
    }
}

/// Reads a callback URL for a redirect URI. The caller compares the state before it uses the code.
///
/// # Errors
/// [`ErrorKind::Usage`] for a text that is not a callback of this redirect URI;
/// [`ErrorKind::Authorization`] when the seller refused; [`ErrorKind::App`] or [`ErrorKind::Platform`] for
/// every other error of the authorize page.
pub(crate) fn read(text: &str, redirect_uri: &str) -> Result<Received> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(Error::usage(format!(
            "the callback has {} bytes; no platform sends that many",
            text.len()
        ))
        .with_hint("Paste only the address that the browser shows after the approval."));
    }
    let Some(place) = WebAddress::of(text) else {
        return Err(Error::usage("this is not a callback address")
            .with_hint("Paste the whole address that the browser shows after the approval: it begins with the redirect URI and holds code= and state=. A code alone goes to --code."));
    };
    if WebAddress::of(redirect_uri).as_ref() != Some(&place) {
        return Err(Error::usage(format!(
            "the callback comes from somewhere else: it went to {}, the app's redirect URI is {redirect_uri}",
            mask_url(text.split(['?', '#']).next().unwrap_or_default())
        ))
        .with_hint("Register exactly the app's redirect URI in the platform's console, or give the app the one that is registered there: `sesame app edit APP --redirect-uri URI`."));
    }
    let query = text
        .split_once('?')
        .map(|(_, query)| query.split('#').next().unwrap_or_default())
        .unwrap_or_default();
    let found = CallbackQuery::read(query)?;
    let state = found.state.unwrap_or_default();
    if let Some(refusal) = found.error {
        let secrets = [found.code.as_deref(), Some(state.as_str())];
        let redactor = Redactor::new(secrets.into_iter().flatten());
        return Err(refused(&refusal, found.description.as_deref(), &redactor));
    }
    let Some(code) = found.code else {
        // param2 and IOP document no error parameter: a refusal is a callback without a code.
        return Err(refused("", None, &Redactor::default()));
    };
    if state.is_empty() {
        return Err(Error::usage("the callback has no state, so it cannot be matched to a login")
            .with_hint("Start the login again and paste the whole address, with its code= and state=."));
    }
    Ok(Received { code: AuthCode::new(code), state })
}

/// The error of a callback without a code. Of those that a page may send (RFC 6749, 4.1.2.1) only
/// `access_denied` is the seller's.
fn refused(code: &str, description: Option<&str>, redactor: &Redactor<'_>) -> Error {
    let said = match description {
        Some(text) => format!("{code}: {text}"),
        None => code.to_owned(),
    };
    let (kind, fault, message, hint) = match code {
        "" => (
            ErrorKind::Authorization,
            Fault::Seller,
            "the seller did not approve the app: the callback has no code".to_owned(),
            "Run `sesame login APP` again and press the button that approves. Nothing was stored or changed.",
        ),
        "access_denied" => (
            ErrorKind::Authorization,
            Fault::Seller,
            format!("the seller did not approve the app: {said}"),
            "Run `sesame login APP` again and press the button that approves. Nothing was stored or changed.",
        ),
        "server_error" | "temporarily_unavailable" => (
            ErrorKind::Platform,
            Fault::Platform,
            format!("the authorize page failed: {said}"),
            "Try `sesame login APP` again later. Nothing was stored or changed.",
        ),
        _ => (
            ErrorKind::App,
            Fault::Caller,
            format!("the authorize page refused the app: {said}"),
            "Compare the app key, the redirect URI and the region that `sesame app list` shows with the platform's console: the redirect URI has to equal the registered one exactly (`sesame app edit APP --redirect-uri URI`), and the app has to be released to the user who approves. Nothing was stored or changed.",
        ),
    };
    let error = Error::new(kind, redactor.text(&message, 1_000).to_string())
        .with_fault(fault)
        .with_retry(Retry::Never)
        .with_hint(hint);
    if code.is_empty() { error } else { error.with_code(redactor.text(code, 200)) }
}

/// The parameters of a callback that mean something.
#[derive(Default)]
pub(crate) struct CallbackQuery {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) error: Option<String>,
    description: Option<String>,
}

impl CallbackQuery {
    pub(crate) fn read(query: &str) -> Result<Self> {
        let mut out = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut out.code,
                "state" => &mut out.state,
                "error" => &mut out.error,
                "error_description" => &mut out.description,
                _ => continue,
            };
            if value.is_empty() {
                continue;
            }
            if place.is_some() {
                return Err(Error::usage(format!("the callback has {name:?} twice"))
                    .with_hint("Start the login again and paste the address as the browser shows it."));
            }
            *place = Some(value.into_owned());
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:8756/callback";

    #[test]
    fn reads_code_and_state() {
        let got =
            read(" http://127.0.0.1:8756/callback?code=0_100132_a%2Bb&state=s1&x=y#frag \n", HERE).unwrap();
        assert_eq!(got.code.expose(), "0_100132_a+b");
        assert_eq!(got.state, "s1");
        assert!(read("https://Shop.Example/cb?code=c&state=s", "https://shop.example:443/cb").is_ok());
    }

    #[test]
    fn each_wrong_callback_has_its_own_error() {
        let message = |url: &str| read(url, HERE).unwrap_err();
        let elsewhere = message("http://127.0.0.1:9999/callback?code=plantedplantedplanted&state=s");
        assert!(elsewhere.message().contains("somewhere else"), "{elsewhere}");
        assert!(!format!("{elsewhere:?}").contains("plantedplanted"));
        for other in [
            "http://localhost:8756/callback?code=c",
            "http://127.0.0.1:8756/other?code=c",
            "https://127.0.0.1:8756/callback?code=c",
        ] {
            assert!(message(other).message().contains("somewhere else"), "{other}");
        }
        let refused = message("http://127.0.0.1:8756/callback?state=s");
        assert_eq!(refused.kind(), ErrorKind::Authorization);
        let refused =
            message("http://127.0.0.1:8756/callback?state=s&error=access_denied&error_description=no%20way");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Authorization, Some("access_denied")));
        assert!(message("http://127.0.0.1:8756/callback?code=c").message().contains("no state"));
        assert!(message("http://127.0.0.1:8756/callback?code=c&code=d&state=s").message().contains("twice"));
        assert!(message("0_100132_abc").message().contains("not a callback address"));
        assert!(message(&format!("{HERE}?code={}", "x".repeat(LONGEST))).message().contains("bytes"));
    }

    #[test]
    fn only_access_denied_is_the_refusal_of_the_seller() {
        let refused = |query: &str| read(&format!("{HERE}?state=s&{query}"), HERE).unwrap_err();
        let denied = refused("error=access_denied");
        assert_eq!((denied.kind(), denied.fault()), (ErrorKind::Authorization, Fault::Seller));
        for (query, said) in [
            (
                "error=invalid_client&error_description=application+callback+can+not+match+the+redirect_uri",
                "can not match the redirect_uri",
            ),
            ("error=1001&error_description=not+released", "1001: not released"),
            ("error=unauthorized_client", "unauthorized_client"),
            ("error=invalid_scope", "invalid_scope"),
            ("error=something-new", "something-new"),
        ] {
            let error = refused(query);
            assert_eq!((error.kind(), error.fault()), (ErrorKind::App, Fault::Caller), "{query}");
            assert!(error.message().contains(said) && !error.message().contains("seller"), "{error}");
            let hint = error.hint().unwrap();
            assert!(hint.contains("--redirect-uri") && hint.contains("sesame app list"), "{hint}");
        }
        for query in ["error=server_error", "error=temporarily_unavailable&error_description=busy"] {
            let error = refused(query);
            assert_eq!((error.kind(), error.fault()), (ErrorKind::Platform, Fault::Platform), "{query}");
        }
    }

    #[test]
    fn knows_loopback() {
        for yes in [
            "http://127.0.0.1:8756/callback",
            "http://localhost/cb",
            "http://[::1]:1/x",
            "http://127.9.9.9:2",
        ] {
            assert!(WebAddress::of(yes).unwrap().is_loopback(), "{yes}");
        }
        for no in [
            "https://127.0.0.1/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
            "http://localhost.evil/",
        ] {
            assert!(!WebAddress::of(no).unwrap().is_loopback(), "{no}");
        }
        assert_eq!(WebAddress::of("urn:ietf:wg:oauth:2.0:oob"), None);
        assert_eq!(WebAddress::of("http://user@127.0.0.1/"), None);
    }
}
