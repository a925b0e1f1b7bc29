//! `Client::call` against a bare pooled hyper loop that encodes and signs the same arguments and
//! parses the same reply. The server is another process, so that its CPU time does not count.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use sesame_client::{Call, Client};
use sesame_core::{
    AppSecret, Clock, Shape,
    encode::{Wire, flatten},
    request::{FORM, encode_form},
    sign::{self, Digest, SigningKey},
};
use sesame_vault::SystemClock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

use crate::{
    Effort,
    median::median,
    report::{Report, Target},
    setting::{Server, Setting, cpu_seconds},
};

const SECRET: &str = "a-secret-of-32-characters-000001";
const TOKEN: &str = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg";
const API: &str = "/alibaba/icbu/product/list";
const IN_FLIGHT: usize = 64;
const REPLY: &str = r#"{"code":"0","result":{"success":true,"total_item":1,"page_size":20,"current_page":1,"products":[{"id":1600123456789,"subject":"Stainless steel water bottle 500 ml","category_id":100001234,"gmt_modified":"2026-11-20 10:00:00","status":"approved"}]},"request_id":"0ba2887315178178017221014"}"#;

/// The other side: answers every request with the same bytes and looks no further than it must.
pub(crate) fn serve() -> Result<()> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let answer: Arc<[u8]> = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json;charset=utf-8\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\ncontent-length: {}\r\n\r\n{REPLY}",
            REPLY.len()
        )
        .into_bytes()
        .into();
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut text = Vec::with_capacity(8_192);
                loop {
                    while let Some(length) = whole(&text) {
                        text.drain(..length);
                        if stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                    match stream.read_buf(&mut text).await {
                        Ok(read) if read > 0 => {}
                        _ => return,
                    }
                }
            });
        }
    })
}

/// Returns the length of the first request, once it is all there.
fn whole(text: &[u8]) -> Option<usize> {
    let head = text.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = std::str::from_utf8(&text[..head])
        .ok()?
        .split("\r\n")
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or_default();
    (text.len() >= head + length).then_some(head + length)
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn arguments() -> Map<String, Value> {
    match json!({"language": "ENGLISH", "current_page": 1, "page_size": 20, "subject": "water bottle & cup 水杯", "gmt_modified_from": "2026-11-01 00:00:00"})
    {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    }
}

/// The bare loop: no account, no catalog, no quota, no retry, no limit.
struct Bare {
    address: String,
    key: SigningKey,
    arguments: Map<String, Value>,
    idle: Mutex<Vec<http1::SendRequest<Full<Bytes>>>>,
}

/// What it reads of a reply.
#[derive(Deserialize)]
struct Envelope<'a> {
    code: &'a str,
    #[serde(borrow)]
    result: &'a RawValue,
    request_id: &'a str,
}

impl Bare {
    async fn call(&self) -> Result<()> {
        let params = flatten(Shape::IopRest, &self.arguments, |_| Wire { comma_list: false })?;
        let time = SystemClock.now().as_millisecond().to_string();
        let system = [
            ("app_key", "123456"),
            ("sign_method", "sha256"),
            ("timestamp", time.as_str()),
            ("access_token", TOKEN),
        ];
        let pairs: Vec<(&str, &str)> = params.texts().chain(system).collect();
        let signature = sign::sign(&self.key, Shape::IopRest, API, &pairs, b"");
        let mut body = Vec::with_capacity(1_024);
        encode_form(&mut body, pairs.into_iter().chain([("sign", signature.as_str())]));
        let request = Request::post(concat!("/rest", "/alibaba/icbu/product/list"))
            .header(header::HOST, &self.address)
            .header(header::USER_AGENT, "bare")
            .header(header::ACCEPT_ENCODING, "gzip")
            .header(header::CONTENT_TYPE, FORM)
            .header("X-Protocol", "GOP")
            .body(Full::from(body))?;

        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sender = if let Some(sender) = idle {
            sender
        } else {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender
        };
        sender.ready().await?;
        let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        let envelope: Envelope<'_> = serde_json::from_slice(&body)?;
        ensure!(
            envelope.code == "0" && !envelope.result.get().is_empty() && !envelope.request_id.is_empty(),
            "refused"
        );
        Ok(())
    }
}

async fn sesame_call(client: &Client, call: &Call) -> Result<()> {
    let outcome = client.call(call).await?;
    ensure!(outcome.attempts == 1 && outcome.reply.request_id().is_some(), "repeated");
    Ok(())
}

/// Calls a second and CPU seconds a call.
struct Rate {
    calls: f64,
    cpu: f64,
}

/// Runs `IN_FLIGHT` tasks that call one after the other for a time.
async fn flood<F, R>(time: Duration, call: F) -> Result<Rate>
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = Result<()>> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let (began, cpu) = (Instant::now(), cpu_seconds("self")?);
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (call, done) = (call.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while began.elapsed() < time {
                    call().await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let done = done.load(Ordering::Relaxed) as f64;
    Ok(Rate { calls: done / began.elapsed().as_secs_f64(), cpu: (cpu_seconds("self")? - cpu) / done })
}

async fn one_by_one<R: Future<Output = Result<()>>>(count: u32, call: impl Fn() -> R) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..count {
        call().await?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(count))
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let server = Server::role(&["serve-fixed"])?;
    let address = server.said.clone();
    runtime()?.block_on(async move {
        let setting = Setting::new(&format!("http://{address}")).await?;
        setting.shop("alibaba", SECRET, TOKEN).await?;
        let mut call = Call::new("alibaba", API);
        call.args = arguments();
        let (client, call) = (setting.client.clone(), Arc::new(call));
        let sesame = move || {
            let (client, call) = (client.clone(), Arc::clone(&call));
            async move { sesame_call(&client, &call).await }
        };
        let bare = Arc::new(Bare {
            address,
            key: SigningKey::new(Digest::HmacSha256, &AppSecret::new(SECRET)),
            arguments: arguments(),
            idle: Mutex::default(),
        });
        let bare = move || {
            let bare = Arc::clone(&bare);
            async move { bare.call().await }
        };

        // Warm up, then turn by turn.
        let (warm, turn) = (Duration::from_millis(300), Duration::from_millis(1_500));
        flood(warm, sesame.clone()).await.context("sesame")?;
        flood(warm, bare.clone()).await.context("bare")?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..effort.of(9) {
            ours.push(flood(turn, sesame.clone()).await?);
            theirs.push(flood(turn, bare.clone()).await?);
        }
        let rate = |rates: &[Rate]| median(rates.iter().map(|rate| rate.calls).collect());
        let cpu = |rates: &[Rate]| median(rates.iter().map(|rate| rate.cpu).collect());
        report.add(
            "calls",
            format!("{IN_FLIGHT} in flight, Client::call"),
            rate(&ours),
            "calls/s",
            Target::None,
        );
        report.add(
            "calls",
            format!("{IN_FLIGHT} in flight, bare hyper"),
            rate(&theirs),
            "calls/s",
            Target::None,
        );
        report.add(
            "calls",
            format!("{IN_FLIGHT} in flight, share of bare hyper's rate"),
            rate(&ours) / rate(&theirs),
            "times",
            Target::AtLeast(0.85),
        );
        report.add(
            "calls",
            format!("{IN_FLIGHT} in flight, CPU against bare hyper"),
            cpu(&ours) / cpu(&theirs),
            "times",
            Target::AtMost(1.25),
        );

        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..effort.of(60) {
            ours.push(one_by_one(500, &sesame).await?);
            theirs.push(one_by_one(500, &bare).await?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        report.add("calls", "one at a time, bare hyper", theirs, "us", Target::None);
        report.add("calls", "one at a time, Client::call adds", ours - theirs, "us", Target::AtMost(10.0));
        drop(server);
        Ok(())
    })
}
