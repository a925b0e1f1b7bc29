//! Where a URL points: scheme, host and port, and what of it is allowed.

use std::net::IpAddr;

use hyper::{Uri, header::HeaderValue};
use sesame_core::{Error, Result, mask::mask_url, request::is_private_address};

/// One scheme, host and port.
pub(crate) struct Origin {
    /// `https://api.lazada.sg`, for messages.
    name: String,
    /// The same as a URI, for the connector.
    uri: Uri,
    host_header: HeaderValue,
    is_https: bool,
    place: Place,
}

/// Where an origin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On this machine.
    Loopback,
    /// The sandbox that was named, in a private network.
    Sandbox,
    /// Anywhere.
    Anywhere,
}

/// Splits `https://host:port/path?query` before the path.
///
/// # Errors
/// A usage error for anything but `http` and `https`.
pub(crate) fn split(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(|| {
        Error::usage(format!("invalid gateway URL {:?}", shown(url)))
            .with_hint("It has to begin with https://.")
    })?;
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    Ok(url.split_at(url.len() - rest.len() + end))
}

impl Origin {
    /// Parses `scheme://host[:port]` and refuses what must not be called. Plain HTTP is for this machine and
    /// the `sandbox`.
    pub(crate) fn parse(text: &str, sandbox: Option<&str>) -> Result<Self> {
        let bad = || Error::usage(format!("invalid gateway address {:?}", shown(text)));
        if text.contains('@') {
            // User names in URLs serve phishing; no gateway wants one.
            return Err(bad().with_hint("Leave out the user name before the @."));
        }
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
        let authority = uri.authority().ok_or_else(bad)?.as_str();
        let is_https = uri.scheme_str() == Some("https");
        let place = if is_loopback(host) {
            Place::Loopback
        } else if sandbox == Some(text) {
            Place::Sandbox
        } else {
            Place::Anywhere
        };
        if !is_https && place == Place::Anywhere {
            return Err(Error::usage(format!("plain HTTP to {host} is not allowed: it would show the token and the signature to everybody on the way"))
                .with_hint("Use https://. Plain http:// is for a sandbox on this machine (127.0.0.1, ::1, localhost), or in a private network where SESAME_ENDPOINT names it."));
        }
        let host_header = HeaderValue::from_str(authority).map_err(|_| bad())?;
        Ok(Self {
            name: text.to_owned(),
            host_header,
            is_https,
            place,
            uri: with_root(&uri).ok_or_else(bad)?,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn host_header(&self) -> HeaderValue {
        self.host_header.clone()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Returns `true` for this machine and for the sandbox: neither is asked for through a proxy.
    pub(crate) fn is_near(&self) -> bool {
        self.place != Place::Anywhere
    }

    /// Returns `true` if plain HTTP may go to this address, which the name led to.
    pub(crate) fn may_lead_to(&self, address: IpAddr) -> bool {
        match self.place {
            Place::Loopback => address.is_loopback(),
            Place::Sandbox => is_private_address(address),
            Place::Anywhere => false,
        }
    }
}

/// Gives the URI the path that `http::Uri` asks for beside an authority.
fn with_root(uri: &Uri) -> Option<Uri> {
    Uri::builder()
        .scheme(uri.scheme()?.clone())
        .authority(uri.authority()?.clone())
        .path_and_query("/")
        .build()
        .ok()
}

/// Returns `true` if a host is this machine by its very name: 127.0.0.0/8, `[::1]`, `localhost`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A URL as people may see it: secrets masked, at most 200 characters.
fn shown(url: &str) -> String {
    mask_url(url).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_before_path_query_and_fragment() {
        assert_eq!(split("https://a.b:8/c?d").unwrap(), ("https://a.b:8", "/c?d"));
        assert_eq!(split("https://a.b?d").unwrap(), ("https://a.b", "?d"));
        assert_eq!(split("http://[::1]:4600").unwrap(), ("http://[::1]:4600", ""));
        assert!(split("ftp://a.b").is_err());
        assert!(split("api.lazada.sg/rest").is_err());
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "http://127.0.0.1:4600",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost:80",
            "http://LOCALHOST",
        ] {
            assert!(Origin::parse(good, None).unwrap().is_near(), "{good}");
        }
        for bad in [
            "http://api.lazada.sg",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::ffff:10.0.0.1]",
            "http://2130706433",
            "http://127.0.0.1@evil.example",
            "http://sandbox:4601",
            "http://sandbox",
        ] {
            let error = Origin::parse(bad, Some("http://sandbox:4600"))
                .err()
                .unwrap_or_else(|| panic!("{bad} was taken"));
            assert_eq!(error.kind(), sesame_core::ErrorKind::Usage, "{bad}");
        }
        assert!(!Origin::parse("https://api.lazada.sg", None).unwrap().is_near());
    }

    #[test]
    fn plain_http_to_a_sandbox_stays_in_a_private_network() {
        let sandbox = Origin::parse("http://sandbox:4600", Some("http://sandbox:4600")).unwrap();
        assert!(sandbox.is_near() && !sandbox.is_https());
        for address in ["127.0.0.1", "172.17.0.2", "192.0.2.2", "fd00::2", "::ffff:10.0.0.1"] {
            assert!(sandbox.may_lead_to(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "169.254.169.254", "2001:4860:4860::8888", "0.0.0.0"] {
            assert!(!sandbox.may_lead_to(address.parse().unwrap()), "{address}");
        }
        let here = Origin::parse("http://localhost:4600", Some("http://sandbox:4600")).unwrap();
        assert!(!here.may_lead_to("172.17.0.2".parse().unwrap()));
    }

    #[test]
    fn messages_show_no_secret() {
        let error = split("gopher://x/?access_token=50000601c30atpedfgu3LVvik87").unwrap_err();
        assert!(!error.to_string().contains("atpedfgu3"), "{error}");
    }
}
