//! The stage that the tests of the line play on: a real vault and catalog, a scripted gateway, and
//! a clock that jumps instead of sleeping.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sesame_client::Client;
use sesame_core::{
    AccessToken, AppSecret, BoxFuture, Clock, Error, HttpRequest, HttpResponse, RefreshToken, Result,
    Transport, request::Method,
};
use sesame_vault::{ImportedTokens, KeyChoice, Location, NewApp, Vault, VaultOptions};

/// The secret of every app on the stage.
pub(crate) const SECRET: &str = "planted-secret-of-the-app-0001";
/// The access token of every account on the stage.
pub(crate) const TOKEN: &str = "planted-access-token-of-the-shop-0002";
/// The refresh token of every account on the stage.
pub(crate) const REFRESH: &str = "planted-refresh-token-of-the-shop-0003";

/// A clock that starts on 2026-06-01 and jumps over every sleep.
#[derive(Debug)]
pub(crate) struct JumpingClock {
    now: Mutex<Timestamp>,
    pub(crate) slept: Mutex<Vec<Duration>>,
}

impl JumpingClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }

    /// All time slept so far.
    pub(crate) fn slept(&self) -> Duration {
        self.slept.lock().unwrap().iter().sum()
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.slept.lock().unwrap().push(duration);
        self.advance(duration);
        Box::pin(tokio::task::yield_now())
    }

    fn random(&self, buffer: &mut [u8]) {
        // Distinct enough for ids and nonces on a stage; the half for jitter.
        static NEXT: AtomicU64 = AtomicU64::new(0x8000_0001);
        for chunk in buffer.chunks_mut(8) {
            let bytes = NEXT.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

type Answer = Box<dyn FnMut(&HttpRequest) -> Result<HttpResponse> + Send>;

/// A gateway that answers by a script and remembers what it was sent.
#[derive(Default)]
pub(crate) struct Gateway {
    script: Mutex<VecDeque<Answer>>,
    always: Mutex<Option<Answer>>,
    seen: Mutex<Vec<HttpRequest>>,
    hangs: AtomicBool,
}

impl Gateway {
    /// Answers the next request like this.
    pub(crate) fn then(
        &self,
        answer: impl FnMut(&HttpRequest) -> Result<HttpResponse> + Send + 'static,
    ) -> &Self {
        self.script.lock().unwrap().push_back(Box::new(answer));
        self
    }

    /// Answers the next request with this body and status 200.
    pub(crate) fn says(&self, body: &str) -> &Self {
        let response = ok(body);
        self.then(move |_| Ok(response.clone()))
    }

    /// Fails the next request.
    pub(crate) fn fails(&self, error: Error) -> &Self {
        self.then(move |_| Err(error.clone()))
    }

    /// Answers all requests that the script does not cover.
    pub(crate) fn always(
        &self,
        answer: impl FnMut(&HttpRequest) -> Result<HttpResponse> + Send + 'static,
    ) -> &Self {
        *self.always.lock().unwrap() = Some(Box::new(answer));
        self
    }

    /// From now on answers nothing.
    pub(crate) fn hangs(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    pub(crate) fn seen(&self) -> Vec<HttpRequest> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests to anything but the token service.
    pub(crate) fn calls(&self) -> Vec<HttpRequest> {
        self.seen()
            .into_iter()
            .filter(|request| !request.url.contains("/auth/token/") && !request.url.contains("getToken"))
            .collect()
    }
}

impl Transport for Gateway {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        if self.hangs.load(Ordering::SeqCst) {
            self.seen.lock().unwrap().push(request);
            return Box::pin(std::future::pending());
        }
        let scripted = self.script.lock().unwrap().pop_front();
        let answer = match scripted {
            Some(mut answer) => answer(&request),
            None => match self.always.lock().unwrap().as_mut() {
                Some(answer) => answer(&request),
                None => panic!("the script has no answer for {request:?}"),
            },
        };
        self.seen.lock().unwrap().push(request);
        Box::pin(std::future::ready(answer))
    }
}

pub(crate) fn ok(body: &str) -> HttpResponse {
    HttpResponse::new(200, body.to_owned())
}

/// A refusal in the form of `/rest`.
pub(crate) fn refusal(code: &str, message: &str) -> String {
    serde_json::json!({"type": "ISV", "code": code, "message": message, "request_id": "r1"}).to_string()
}

/// The parameters of a request, decoded, from its body or its query.
pub(crate) fn params(request: &HttpRequest) -> Vec<(String, String)> {
    let text = if request.method == Method::POST {
        String::from_utf8(request.body.to_vec()).unwrap()
    } else {
        request.url.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned())
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (decoded(name), decoded(value))
        })
        .collect()
}

pub(crate) fn param(request: &HttpRequest, name: &str) -> Option<String> {
    params(request).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            assert_ne!(bytes[at], b'+', "a plus is read as a space by some and as a plus by others");
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: Arc<JumpingClock>,
    _home: tempfile::TempDir,
}

/// Sets the stage: one account, named like its platform, on each of the platforms.
pub(crate) async fn stage(platforms: &[&str]) -> Stage {
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(JumpingClock {
        now: Mutex::new("2026-06-01T00:00:00Z".parse().unwrap()),
        slept: Mutex::default(),
    });
    let gateway = Arc::new(Gateway::default());
    let vault = Vault::open(
        VaultOptions::new(
            Location::Sqlite(home.path().join("vault.db")),
            Arc::clone(&gateway) as Arc<dyn Transport>,
        )
        .key(KeyChoice::Environment(AppSecret::new(
            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        )))
        .clock(Arc::clone(&clock) as Arc<dyn Clock>),
    )
    .await
    .unwrap();
    for platform in platforms {
        let app = NewApp::new(*platform, "123456", AppSecret::new(SECRET)).name(*platform);
        vault.add_app(app).await.unwrap();
        let year = |years: i64| clock.now() + jiff::SignedDuration::from_hours(24 * 365 * years);
        let tokens = ImportedTokens::default()
            .access(AccessToken::new(TOKEN))
            .refresh(RefreshToken::new(REFRESH))
            .account_name(*platform)
            .access_expires_at(year(1))
            .refresh_expires_at(year(2));
        vault.import_tokens(platform, tokens).await.unwrap();
    }
    Stage { client: Client::new(vault), gateway, clock, _home: home }
}
