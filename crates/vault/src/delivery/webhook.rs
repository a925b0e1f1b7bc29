//! Events as signed HTTP POSTs.

use std::time::Duration;

use sesame_core::{
    Error, ErrorKind, Fault, HttpRequest, Result,
    request::{HeaderName, HeaderValue},
    sign::{Digest, SigningKey},
};

use super::{Taker, Webhook};
use crate::{
    oauth::callback::Place,
    store::{EventRow, Sink},
    vault::Inner,
};

/// The shortest secret: what is shorter can be guessed.
const SHORTEST_SECRET: usize = 16;
/// The longest answer that is read, and then ignored: 1 MiB.
const LONGEST_ANSWER: usize = 1 << 20;

/// An address that was checked, with its key.
pub(super) struct Receiver {
    url: String,
    key: SigningKey,
}

impl Receiver {
    pub(super) fn new(webhook: &Webhook) -> Result<Self> {
        let bad = |why: &str| {
            // The address is not repeated: it may hold a secret.
            Error::usage(format!("the webhook's address {why}"))
                .with_hint("Write https://HOST/PATH; plain http:// is for this machine only (127.0.0.1, ::1, localhost).")
        };
        let url = webhook.url.trim();
        if url.len() > 2_048 || url.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(bad("is longer than 2,048 characters or has some that no address has"));
        }
        let Some(place) = Place::of(url) else {
            return Err(bad("is no address of a web server, or holds a user name"));
        };
        if !place.is_https() && !place.is_loopback() {
            return Err(bad("is not encrypted"));
        }
        let length = webhook.secret.expose().chars().count();
        if length < SHORTEST_SECRET {
            return Err(Error::usage(format!(
                "the webhook's secret has {length} characters; it needs {SHORTEST_SECRET} or more"
            ))
            .with_hint("Make one: openssl rand -hex 32. Give it to the receiver, too."));
        }
        Ok(Self { url: url.to_owned(), key: SigningKey::new(Digest::HmacSha256, &webhook.secret) })
    }

    /// Builds the POST of an event.
    fn request(&self, event: &EventRow, seconds: i64, limit: Duration) -> HttpRequest {
        let mut request = HttpRequest::json(self.url.clone(), event.payload.clone());
        request.timeout = limit;
        request.max_reply = LONGEST_ANSWER;
        let headers = [
            ("sesame-event", event.kind.clone()),
            ("sesame-event-id", event.id.to_string()),
            ("sesame-timestamp", seconds.to_string()),
            ("sesame-signature", self.signature(seconds, &event.payload)),
        ];
        for (name, value) in headers {
            // All of them are ASCII.
            if let Ok(value) = HeaderValue::from_str(&value) {
                request.headers.insert(HeaderName::from_static(name), value);
            }
        }
        request
    }

    /// Signs the time and the body together, so that an old POST cannot be sent again as a new one.
    fn signature(&self, seconds: i64, body: &str) -> String {
        let digest = self.key.digest_of(format!("{seconds}.{body}").as_bytes());
        format!("t={seconds},v1={}", digest.as_str().to_ascii_lowercase())
    }
}

impl Taker for Receiver {
    const SINK: Sink = Sink::Webhook;

    async fn hand(&self, inner: &Inner, event: &EventRow, limit: Duration) -> Result<()> {
        let request = self.request(event, inner.clock.now().as_second(), limit);
        let reply = inner.transport.send(request).await.map_err(|error| error.context("the webhook"))?;
        match reply.status {
            200..=299 => Ok(()),
            status => {
                let more = if (300..400).contains(&status) { "; redirects are not followed" } else { "" };
                Err(Error::new(
                    ErrorKind::Network,
                    format!("the webhook answered with status {status}{more}"),
                )
                .with_fault(Fault::Caller)
                .with_http_status(status))
            }
        }
    }
}

/// Where an address is, without its path.
pub(super) fn place(url: &str) -> String {
    Place::of(url.trim()).map_or_else(
        || "no address".to_owned(),
        |place| {
            let scheme = if place.is_https() { "https" } else { "http" };
            match place.port {
                Some(port) => format!("{scheme}://{}:{port}/…", place.host),
                None => format!("{scheme}://{}/…", place.host),
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use sesame_core::AppSecret;

    use super::*;

    fn receiver(url: &str, secret: &str) -> Result<Receiver> {
        Receiver::new(&Webhook { url: url.to_owned(), secret: AppSecret::new(secret) })
    }

    #[test]
    fn what_is_not_encrypted_or_not_secret_is_refused() {
        const SECRET: &str = "0123456789abcdef";
        for url in [
            "https://a.example/hook?token=x",
            "http://127.0.0.1:9/x",
            "http://localhost/",
            "http://[::1]:8080",
        ] {
            assert!(receiver(url, SECRET).is_ok(), "{url}");
        }
        for url in [
            "http://a.example/",
            "ftp://a.example/",
            "a.example",
            "https://u:p@a.example/",
            "https://a b/",
            "",
            "http://127.0.0.1.a.example/",
        ] {
            let error = receiver(url, SECRET).err().unwrap_or_else(|| panic!("{url}"));
            assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
            assert!(url.is_empty() || !format!("{error:?}").contains(url), "{error:?}");
        }
        let error = receiver("https://a.example/", "planted-short").err().unwrap();
        assert!(!format!("{error:?}").contains("planted"), "{error:?}");
    }

    /// By `printf '%s' '1795305600.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    #[test]
    fn the_signature_is_what_openssl_makes_of_it() {
        let receiver = receiver("https://a.example/", "0123456789abcdef").unwrap();
        assert_eq!(
            receiver.signature(1_795_305_600, r#"{"a":1}"#),
            "t=1795305600,v1=9c6bd378ed798524d552f81664a2015461040afaf538d66ac9fa412aa1bd853a"
        );
    }

    #[test]
    fn an_address_shows_no_path() {
        let hook = Webhook {
            url: "https://a.example/planted?x=planted".to_owned(),
            secret: AppSecret::new("planted0planted0planted"),
        };
        let shown = format!("{hook:?}");
        assert!(shown.contains("a.example") && !shown.contains("planted"), "{shown}");
    }
}
