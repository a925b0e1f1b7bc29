//! A sandbox in virtual time, and an HTTP client small enough to send anything.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value as Json;
use sesame_catalog::Catalog;
use sesame_core::{
    AppSecret, BoxFuture, Clock, Shape,
    request::encode_form,
    sign::{Digest, SigningKey, sign},
};
use sesame_sandbox::{AppSpec, DescribedApp, Options, Sandbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The day of the captures, 12:32:12Z.
pub(crate) const NOON: &str = "2026-11-21T12:32:12Z";

/// Time that only moves when somebody sleeps.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    ms: AtomicI64,
    pub(crate) slept_ms: AtomicU64,
    random: AtomicU64,
}

impl VirtualClock {
    pub(crate) fn new() -> Arc<Self> {
        let start: Timestamp = NOON.parse().unwrap();
        Arc::new(Self {
            ms: AtomicI64::new(start.as_millisecond()),
            slept_ms: AtomicU64::new(0),
            random: AtomicU64::new(1),
        })
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.ms.load(Ordering::Relaxed)).unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let ms = u64::try_from(duration.as_millis()).unwrap();
        self.slept_ms.fetch_add(ms, Ordering::Relaxed);
        self.ms.fetch_add(i64::try_from(ms).unwrap(), Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let n = self.random.fetch_add(1, Ordering::Relaxed);
            let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (z >> 56) as u8;
        }
    }
}

pub(crate) static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::builtin()));

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) host: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(seen, _)| seen.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// The code of an IOP or TOP error, or `0`.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let code =
            json.pointer("/error_response/code").or(json.get("code")).or(json.get("error_code")).cloned();
        match code {
            Some(Json::String(code)) => code,
            Some(Json::Number(code)) => code.to_string(),
            _ => "0".to_owned(),
        }
    }
}

/// Sends bytes and reads one answer. Nothing when the connection ends without one.
pub(crate) async fn exchange(host: &str, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(host).await.unwrap();
    // A refusal may come before the whole request is taken.
    let _ = stream.write_all(request).await;
    read_answer(&mut stream).await
}

pub(crate) async fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        let Ok(read) = stream.read(&mut buffer).await else { break };
        if read == 0 {
            break;
        }
        body.extend_from_slice(&buffer[..read]);
    }
    Some(Answer { status, headers, body })
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    encode_form(&mut out, pairs.iter().copied());
    String::from_utf8(out).unwrap()
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = VirtualClock::new();
        let mut options = Options::new(Arc::clone(&CATALOG), clock.clone());
        options.listen = "127.0.0.1:0".parse().unwrap();
        options.auto_approve = true;
        options.products = 40;
        change(&mut options);
        let sandbox = Sandbox::start(options).await.unwrap();
        let host = sandbox.url().trim_start_matches("http://").to_owned();
        Self { sandbox, clock, host }
    }

    pub(crate) fn app(&self, platform: &str) -> DescribedApp {
        self.sandbox.describe().apps.into_iter().find(|app| app.platform == platform).unwrap()
    }

    pub(crate) fn login(&self, platform: &str) -> String {
        self.sandbox.describe().shops.into_iter().find(|shop| shop.platform == platform).unwrap().login
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host);
        exchange(&self.host, request.as_bytes()).await.unwrap()
    }

    pub(crate) async fn post(&self, target: &str, content_type: &str, body: &[u8]) -> Answer {
        self.send("POST", target, &[("Content-Type", content_type)], body).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.host,
            body.len()
        );
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request.push_str(&[name, ": ", value, "\r\n"].concat());
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        exchange(&self.host, &bytes).await
    }

    pub(crate) async fn form(&self, target: &str, pairs: &[(&str, &str)]) -> Answer {
        self.post(target, "application/x-www-form-urlencoded", form(pairs).as_bytes()).await
    }

    pub(crate) async fn control(&self, method: &str, route: &str, body: &Json) -> Json {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let target = format!("/_sandbox/{route}");
        let answer = self
            .send(method, &target, &[("Content-Type", "application/json")], body.as_bytes())
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The sandbox's time, in milliseconds.
    pub(crate) async fn now_ms(&self) -> String {
        let clock = self.control("GET", "clock", &Json::Null).await;
        let now: Timestamp = clock["now"].as_str().unwrap().parse().unwrap();
        now.as_millisecond().to_string()
    }

    pub(crate) async fn advance(&self, span: &str) {
        self.control("POST", "clock", &serde_json::json!({"advance": span})).await;
    }

    /// Adds system parameters and the signature of an IOP call.
    pub(crate) async fn iop_pairs(
        &self,
        app: &DescribedApp,
        path: Option<&str>,
        pairs: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let now = self.now_ms().await;
        let mut all: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in
            [("app_key", app.app_key.as_str()), ("timestamp", &now), ("sign_method", "sha256")]
        {
            if !all.iter().any(|(seen, _)| seen == name) {
                all.push((name.to_owned(), value.to_owned()));
            }
        }
        let shape = if path.is_some() { Shape::IopRest } else { Shape::IopSync };
        let signature = signature(app, Digest::HmacSha256, shape, path.unwrap_or_default(), &all);
        all.push(("sign".to_owned(), signature));
        all
    }

    /// Calls `/rest{path}` as a form.
    pub(crate) async fn rest(&self, app: &DescribedApp, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let all = self.iop_pairs(app, Some(path), pairs).await;
        self.form(&format!("/rest{path}"), &borrowed(&all)).await
    }

    /// Calls `/sync` as a form.
    pub(crate) async fn sync(&self, app: &DescribedApp, pairs: &[(&str, &str)]) -> Answer {
        let all = self.iop_pairs(app, None, pairs).await;
        self.form("/sync", &borrowed(&all)).await
    }

    /// Calls a TOP method as a form; `md5` unless the pairs say otherwise.
    pub(crate) async fn top(&self, app: &DescribedApp, pairs: &[(&str, &str)]) -> Answer {
        let all = self.top_pairs(app, pairs).await;
        self.form("/router/rest", &borrowed(&all)).await
    }

    pub(crate) async fn top_pairs(
        &self,
        app: &DescribedApp,
        pairs: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let now = Timestamp::from_millisecond(self.now_ms().await.parse().unwrap()).unwrap();
        let now = sesame_core::time::top_timestamp(now);
        let mut all: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in
            [("app_key", app.app_key.as_str()), ("timestamp", &now), ("v", "2.0"), ("format", "json")]
        {
            if !all.iter().any(|(seen, _)| seen == name) {
                all.push((name.to_owned(), value.to_owned()));
            }
        }
        all.retain(|(_, value)| value != "-");
        let method = all.iter().find(|(name, _)| name == "sign_method").map_or("md5", |(_, value)| value);
        let digest = match method {
            "hmac" => Digest::HmacMd5,
            "hmac-sha256" => Digest::HmacSha256,
            _ => Digest::Md5Sandwich,
        };
        let signature = signature(app, digest, Shape::Top, "", &all);
        all.push(("sign".to_owned(), signature));
        all
    }

    /// Calls a param2 API, signed.
    pub(crate) async fn param2(&self, app: &DescribedApp, api: &str, pairs: &[(&str, &str)]) -> Answer {
        let path = format!("param2/1/{api}/{}", app.app_key);
        let mut all: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let signature = signature(app, Digest::HmacSha1, Shape::Param2, &path, &all);
        all.push(("_aop_signature".to_owned(), signature));
        self.form(&format!("/openapi/{path}"), &borrowed(&all)).await
    }

    /// Lets the sandbox approve and returns the code.
    pub(crate) async fn code(&self, app: &DescribedApp, login: &str) -> String {
        let page = app.authorize_url.trim_start_matches(&self.sandbox.url()).to_owned();
        let site = if app.platform == "1688" { "1688" } else { "" };
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &app.app_key),
            ("redirect_uri", &app.redirect_uri),
            ("state", "st-1"),
            ("site", site),
            ("login", login),
        ]);
        let answer = self.get(&format!("{page}?{query}")).await;
        assert_eq!(answer.status, 302, "{}", answer.text());
        let location = answer.header("location").unwrap();
        assert!(location.starts_with(&app.redirect_uri) && location.contains("state=st-1"), "{location}");
        query_value(location, "code").unwrap()
    }

    /// Logs a shop in on an IOP platform and returns the token reply.
    pub(crate) async fn iop_login(&self, app: &DescribedApp, login: &str) -> Json {
        let code = self.code(app, login).await;
        let answer = self.rest(app, "/auth/token/create", &[("code", &code)]).await;
        assert_eq!(answer.code(), "0", "{}", answer.text());
        answer.json()
    }

    pub(crate) async fn refusal(&self, answer: &Answer) -> Json {
        let id =
            answer.header("x-sandbox-refusal").unwrap_or_else(|| panic!("no refusal id: {}", answer.text()));
        self.control("GET", &format!("refusals/{id}"), &Json::Null).await
    }
}

pub(crate) fn app(platform: &str, key: &str, secret: &str) -> AppSpec {
    AppSpec {
        platform: platform.to_owned(),
        key: key.to_owned(),
        secret: AppSecret::new(secret),
        redirect_uri: Some(sesame_sandbox::DEFAULT_REDIRECT.to_owned()),
    }
}

pub(crate) fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

pub(crate) fn signature(
    app: &DescribedApp,
    digest: Digest,
    shape: Shape,
    path: &str,
    pairs: &[(String, String)],
) -> String {
    let secret = AppSecret::new(app.app_secret.clone().unwrap());
    sign(&SigningKey::new(digest, &secret), shape, path, &borrowed(pairs), b"").as_str().to_owned()
}

pub(crate) fn query_value(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes())
        .find(|(seen, _)| seen == name)
        .map(|(_, value)| value.into_owned())
}
