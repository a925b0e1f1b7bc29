//! Events as signed HTTP POSTs, as Standard Webhooks describes them (<https://www.standardwebhooks.com>).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sesame_core::{
    Error, ErrorKind, Fault, HttpRequest, Result,
    request::{HeaderName, HeaderValue},
};
use sha2::Sha256;

use super::Webhook;
use crate::{oauth::callback::WebAddress, store::EventRow, vault::Services};

/// What a secret may begin with; its key follows in base64.
const PREFIX: &str = "whsec_";
/// The shortest and the longest key, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// An address that was checked, with its key.
pub(super) struct Receiver {
    url: String,
    key: Hmac<Sha256>,
}

impl Receiver {
    pub(super) fn new(webhook: &Webhook) -> Result<Self> {
        let invalid = |why: &str| {
            // The address is not repeated: it may hold a secret.
            Error::usage(format!("invalid webhook address: it {why}"))
                .with_hint("Write https://HOST/PATH; plain http:// is for this machine only (127.0.0.1, ::1, localhost).")
        };
        let url = webhook.url.trim();
        if url.len() > 2_048 || url.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(invalid("is longer than 2,048 characters or has some that no address has"));
        }
        let Some(place) = WebAddress::of(url) else {
            return Err(invalid("does not name a web server, or holds a user name"));
        };
        if place.0.scheme() != "https" && !place.is_loopback() {
            return Err(invalid("is not encrypted"));
        }
        let secret = webhook.secret.expose();
        let key = BASE64.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok();
        let key = key.filter(|key| KEY_BYTES.contains(&key.len()));
        let key = key.and_then(|key| Hmac::new_from_slice(&key).ok()).ok_or_else(|| {
            Error::usage("invalid webhook secret: expected whsec_ and 24 to 64 bytes in base64").with_hint(
                "Make one: echo \"whsec_$(openssl rand -base64 32)\". Give it to the receiver, too.",
            )
        })?;
        Ok(Self { url: url.to_owned(), key })
    }

    /// Builds the POST of an event.
    fn request(&self, event: &EventRow, seconds: i64, timeout: Duration) -> HttpRequest {
        let mut request = HttpRequest::json(self.url.clone(), event.payload.clone());
        request.timeout = timeout;
        // The status says it all.
        request.max_reply = 0;
        let id = event.id.to_string();
        let headers = [
            ("webhook-signature", self.signature(&id, seconds, &event.payload)),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-id", id),
        ];
        for (name, value) in headers {
            // All of them are ASCII.
            if let Ok(value) = HeaderValue::from_str(&value) {
                request.headers.insert(HeaderName::from_static(name), value);
            }
        }
        request
    }

    /// Signs id, time and body together, so that an old POST cannot be sent again as a new one.
    fn signature(&self, id: &str, seconds: i64, body: &str) -> String {
        let mac = self.key.clone().chain_update(format!("{id}.{seconds}.{body}"));
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }

    /// Posts an event.
    pub(super) async fn deliver(
        &self,
        services: &Services,
        event: &EventRow,
        timeout: Duration,
    ) -> Result<()> {
        let request = self.request(event, services.clock.now().as_second(), timeout);
        let reply = services.transport.send(request).await.map_err(|error| error.context("the webhook"))?;
        match reply.status {
            200..=299 => Ok(()),
            status => {
                let more = if (300..400).contains(&status) { "; redirects are not followed" } else { "" };
                let message = format!("the webhook answered with status {status}{more}");
                Err(Error::new(ErrorKind::Network, message)
                    .with_fault(Fault::Caller)
                    .with_http_status(status))
            }
        }
    }
}

/// Returns where an address is, without its path.
pub(super) fn place(url: &str) -> String {
    WebAddress::of(url.trim()).map_or_else(
        || "an invalid address".to_owned(),
        |place| format!("{}/…", place.0.origin().ascii_serialization()),
    )
}

#[cfg(test)]
mod tests {
    use sesame_core::AppSecret;

    use super::*;

    const SECRET: &str = "whsec_cGxhbnRlZDB3ZWJob29rMGtleTBvZjB0aGUwdGVzdHM=";

    fn receiver(url: &str, secret: &str) -> Result<Receiver> {
        Receiver::new(&Webhook { url: url.to_owned(), secret: AppSecret::new(secret) })
    }

    #[test]
    fn what_is_not_encrypted_or_not_secret_is_refused() {
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
        for secret in ["planted-short", "whsec_planted0", "", "whsec_", &"planted0".repeat(12)] {
            let error = receiver("https://a.example/", secret).err().unwrap_or_else(|| panic!("{secret}"));
            assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        }
        assert!(receiver("https://a.example/", SECRET.strip_prefix(PREFIX).unwrap()).is_ok());
    }

    /// By `printf '%s' 'ID.1795305600.{"a":1}' | openssl dgst -sha256 -hmac KEY -binary | base64`.
    #[test]
    fn the_signature_is_what_openssl_makes_of_it() {
        let receiver = receiver("https://a.example/", SECRET).unwrap();
        assert_eq!(
            receiver.signature("01a20b6c-7f0e-7c55-9a1e-5f6c3a1e9d10", 1_795_305_600, r#"{"a":1}"#),
            "v1,250GEeo73oy9NZWrHZBi6ODhzjNiZr7rz+vaJ8u+9yw="
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
