//! A real vault, client and catalog over a gateway of a test, and a clock that jumps instead of sleeping.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sesame_catalog::Catalog;
use sesame_client::Client;
use sesame_core::{
    AccessToken, AppSecret, BoxFuture, Clock, HttpRequest, RefreshToken, Transport, request::Method,
};
use sesame_shop::Shop;
use sesame_vault::{ImportedTokens, KeyChoice, Location, NewApp, Vault, VaultOptions};

/// A clock that jumps over every sleep.
#[derive(Debug)]
pub(crate) struct JumpingClock(Mutex<Timestamp>);

impl JumpingClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.advance(duration);
        Box::pin(tokio::task::yield_now())
    }

    fn random(&self, buffer: &mut [u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(0x8000_0001);
        for chunk in buffer.chunks_mut(8) {
            let bytes = NEXT.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

pub(crate) fn clock() -> Arc<JumpingClock> {
    Arc::new(JumpingClock(Mutex::new("2026-10-30T12:00:00Z".parse().unwrap())))
}

/// Opens a shop of a platform, named like it. `overlays` are files of a user's catalog.
pub(crate) async fn shop(
    platform: &str,
    gateway: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    overlay: &str,
) -> (Shop, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("catalog");
    std::fs::create_dir(&folder).unwrap();
    if !overlay.is_empty() {
        let head = format!("platform = \"{platform}\"\nsource = \"a test\"\ndate = \"2026-11-30\"\n");
        std::fs::write(folder.join("test.toml"), head + overlay).unwrap();
    }
    let catalog = Catalog::open(Some(&folder)).unwrap();
    assert!(catalog.mistakes().is_empty(), "{:?}", catalog.mistakes());
    let year = |years: i64| clock.now() + jiff::SignedDuration::from_hours(24 * 365 * years);
    let (access, refresh) = (year(1), year(2));
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let options = VaultOptions::new(Location::Sqlite(home.path().join("vault.db")), gateway)
        .key(KeyChoice::Environment(AppSecret::new(key)))
        .catalog(Arc::new(catalog))
        .clock(clock);
    let vault = Vault::open(options).await.unwrap();
    let app = NewApp::new(platform, "123456", AppSecret::new("planted-secret-of-the-app")).name(platform);
    vault.add_app(app).await.unwrap();
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("planted-access-token-of-the-shop"))
        .refresh(RefreshToken::new("planted-refresh-token-of-the-shop"))
        .account_name(platform)
        .access_expires_at(access)
        .refresh_expires_at(refresh);
    vault.import_tokens(platform, tokens).await.unwrap();
    (Shop::new(Client::new(vault), platform), home)
}

/// Returns a parameter of a request, decoded, from its body or its query.
pub(crate) fn param(request: &HttpRequest, name: &str) -> Option<String> {
    let query = || request.url.split_once('?').map_or("", |(_, query)| query).to_owned();
    let text = if request.method == Method::POST {
        String::from_utf8(request.body.to_vec()).unwrap()
    } else {
        query()
    };
    let value =
        text.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))?.1.to_owned();
    Some(decoded(&value))
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}
