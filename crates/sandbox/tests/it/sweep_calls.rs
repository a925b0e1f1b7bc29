//! Calls by the catalog's entries alone: encoded, signed, sent over a connection that stays open, decoded.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Environment, Platform, Type, Urls, request_url, signed_path};
use sesame_core::{
    AppSecret, Error, HttpRequest, HttpResponse, Params, Protocol, Shape, Value,
    encode::{self, Wire},
    envelope::{Reply, read_reply},
    params::File,
    redact::Redactor,
    request::HeaderName,
    sign::{Digest, SigningKey, sign},
    time,
};
use sesame_sandbox::DescribedApp;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Bench, CATALOG, NOON, read_answer};

/// A shop that calls.
pub(crate) struct Caller {
    pub(crate) platform: &'static Platform,
    app: DescribedApp,
    key: SigningKey,
    token: String,
    urls: Urls,
    /// Ids that the shop has: of an order, a line, a package, a product, a SKU.
    pub(crate) ids: Vec<String>,
}

/// What came back.
pub(crate) struct Outcome {
    pub(crate) reply: Result<Reply, Error>,
    pub(crate) source: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Caller {
    /// Logs the first shop of a platform in.
    pub(crate) async fn login(bench: &Bench, name: &str) -> Self {
        let app = bench.app(name);
        let platform = CATALOG.platform(name).unwrap();
        let (token, digest) = match platform.protocol {
            Protocol::Iop => {
                let login = bench.iop_login(&app, &bench.login(name)).await;
                (login["access_token"].clone(), Digest::HmacSha256)
            }
            Protocol::Top => {
                let code = bench.code(&app, &bench.login(name)).await;
                let pairs = [("method", "taobao.top.auth.token.create"), ("code", code.as_str())];
                let reply = bench.top(&app, &pairs).await.json();
                let text = reply["top_auth_token_create_response"]["token_result"].as_str().unwrap();
                (serde_json::from_str::<Json>(text).unwrap()["access_token"].clone(), Digest::Md5Sandwich)
            }
            Protocol::Param2 => {
                let code = bench.code(&app, &bench.login(name)).await;
                let secret = app.app_secret.clone().unwrap();
                let pairs = [
                    ("grant_type", "authorization_code"),
                    ("need_refresh_token", "true"),
                    ("client_id", app.app_key.as_str()),
                    ("client_secret", &secret),
                    ("redirect_uri", &app.redirect_uri),
                    ("code", &code),
                ];
                let target = format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key);
                let reply = bench.form(&target, &pairs).await.json();
                (reply["access_token"].clone(), Digest::HmacSha1)
            }
        };
        let key = SigningKey::new(digest, &AppSecret::new(app.app_secret.clone().unwrap()));
        let urls = platform.urls(None, &Environment::sandbox(&bench.sandbox.url()).unwrap()).unwrap();
        let ids = ids(bench, name).await;
        Self { platform, app, key, token: token.as_str().unwrap().to_owned(), urls, ids }
    }

    /// Encodes and signs a call.
    fn request(&self, api: &Api, args: &Map<String, Json>) -> Result<HttpRequest, Error> {
        let wire = |name: &str| Wire {
            comma_list: encode::comma_lists(api.shape.protocol()),
            xml_root: api
                .params
                .iter()
                .find(|param| param.name == name && param.kind == Type::Xml)
                .and_then(|param| param.children.first())
                .map(|root| root.name.as_str()),
        };
        let mut params = encode::flatten(api.shape, args, wire)?;
        let filled = match &api.path {
            Some(path) if path.contains('{') => Some(encode::fill_path(path, &mut params)?),
            _ => None,
        };
        for file in api.files(true) {
            let content = File::new("photo.jpg", Bytes::from_static(b"\xff\xd8\xff"));
            params.push_value(file.name.clone(), Value::File(content))?;
        }
        let url = request_url(&self.urls, api, &self.app.app_key, filled.as_deref());
        let path: Cow<'_, str> = signed_path(api, &self.app.app_key, filled.as_deref());
        let (token, signature) = self.system(api, &mut params)?;
        if api.auth != Some(false) {
            params.push(token, self.token.as_str())?;
        }
        let pairs: Vec<(&str, &str)> = params.texts().collect();
        let signed = sign(&self.key, api.shape, &path, &pairs, b"").as_str().to_owned();
        params.push(signature, signed)?;
        Ok(if params.has_files() {
            HttpRequest::multipart(url, &params, "0123456789abcdef")
        } else {
            HttpRequest::form(url, params.texts())
        })
    }

    /// Adds the parameters that every request has; returns the names of token and signature.
    fn system(&self, api: &Api, params: &mut Params) -> Result<(&'static str, &'static str), Error> {
        let now: Timestamp = NOON.parse().unwrap();
        let millis = now.as_millisecond().to_string();
        match api.shape {
            Shape::Param2 | Shape::Param2Params => {
                params.push("_aop_timestamp", millis)?;
                Ok(("access_token", "_aop_signature"))
            }
            Shape::IopRest | Shape::IopRestVariables | Shape::IopSync => {
                params.push("app_key", self.app.app_key.as_str())?;
                params.push("sign_method", "sha256")?;
                params.push("timestamp", millis)?;
                if api.shape == Shape::IopSync {
                    params.push("method", api.name.as_str())?;
                }
                Ok(("access_token", "sign"))
            }
            Shape::Top | Shape::TopBatch => {
                params.push("app_key", self.app.app_key.as_str())?;
                params.push("format", "json")?;
                params.push("method", api.name.as_str())?;
                params.push("sign_method", "md5")?;
                params.push("timestamp", time::top_timestamp(now))?;
                params.push("v", "2.0")?;
                Ok(("session", "sign"))
            }
        }
    }
}

async fn ids(bench: &Bench, platform: &str) -> Vec<String> {
    let query = format!("platform={platform}&limit=1000");
    let orders = bench.get(&format!("/_sandbox/orders?{query}")).await.json();
    let products = bench.get(&format!("/_sandbox/products?{query}")).await.json();
    let find = |rows: &Json, place: &str, fits: &dyn Fn(&Json) -> bool| {
        let row = rows.as_array().unwrap().iter().find(|row| fits(row))?;
        Some(row.pointer(place)?.to_string())
    };
    let (orders, products) = (&orders["orders"], &products["products"]);
    let is_there = |product: &Json| product["status"] != "deleted";
    let package = find(orders, "/packages/0/id", &|order| order["packages"][0].is_object());
    let ids = [
        find(orders, "/id", &|_| true),
        find(orders, "/lines/0/id", &|_| true),
        find(products, "/id", &is_there),
        find(products, "/skus/0/id", &is_there),
        package.map(|id| format!("FP{id:0>13}")),
    ];
    ids.into_iter().flatten().collect()
}

/// A connection that is used again and again.
pub(crate) struct Connection {
    pub(crate) host: String,
    stream: Option<TcpStream>,
}

impl Connection {
    pub(crate) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), stream: None }
    }

    /// Sends a call and reads what comes back.
    pub(crate) async fn call(&mut self, caller: &Caller, api: &Api, args: &Map<String, Json>) -> Outcome {
        let request = match caller.request(api, args) {
            Ok(request) => request,
            Err(error) => return Outcome { reply: Err(error), source: None, body: Vec::new() },
        };
        let target = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let mut bytes = format!(
            "POST /{target} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.host,
            request.body.len()
        );
        for (name, value) in &request.headers {
            bytes.push_str(&[name.as_str(), ": ", value.to_str().unwrap(), "\r\n"].concat());
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(&request.body);
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&self.host).await.unwrap(),
        };
        stream.write_all(&bytes).await.unwrap();
        let answer = read_answer(&mut stream).await.unwrap_or_else(|| panic!("no answer to {}", api.name));
        self.stream = Some(stream);
        let mut response = HttpResponse::new(answer.status, answer.body.clone());
        for (name, value) in &answer.headers {
            response = response.with_header(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let redactor = Redactor::new([]);
        let now = NOON.parse().unwrap();
        let reply = read_reply(api.shape, &caller.platform.replies, &response, &redactor, now);
        let source = answer.header("x-sandbox-source").map(str::to_owned);
        Outcome { reply, source, body: answer.body }
    }
}

/// A sandbox of its own, with the first shop of a platform.
pub(crate) struct Fresh {
    _bench: Bench,
    pub(crate) caller: Caller,
    pub(crate) connection: Connection,
}

impl Fresh {
    pub(crate) async fn start(platform: &str) -> Self {
        let bench = Bench::start().await;
        let caller = Caller::login(&bench, platform).await;
        let connection = Connection::new(&bench.host);
        Self { _bench: bench, caller, connection }
    }
}
