//! `Client::call` against a bare pooled hyper loop that encodes and signs the same arguments and
//! parses the same reply. The server is another process, so that its CPU time does not count.

use std::{
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use sesame_client::Call;
use sesame_core::{
    AppSecret, BoxFuture, Clock, Shape,
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
    median::paired,
    report::{Report, Target},
    setting::{Server, Setting, cpu_seconds},
};

const SECRET: &str = "a-secret-of-32-characters-000001";
const TOKEN: &str = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg";
const API: &str = "/alibaba/icbu/product/list";
const IN_FLIGHT: usize = 64;
/// Rounds of both sides, turn by turn.
const ROUNDS: usize = 9;
const REPLY: &str = r#"{"code":"0","result":{"success":true,"total_item":1,"page_size":20,"current_page":1,"products":[{"id":1600123456789,"subject":"Stainless steel water bottle 500 ml","category_id":100001234,"gmt_modified":"2026-11-20 10:00:00","status":"approved"}]},"request_id":"0ba2887315178178017221014"}"#;

/// The other side: answers every request with the same bytes and looks no further than it must.
pub(crate) fn serve() -> Result<()> {
    runtime(2)?.block_on(async {
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

fn runtime(threads: usize) -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}

fn arguments() -> Map<String, Value> {
    match json!({"language": "ENGLISH", "current_page": 1, "page_size": 20, "subject": "water bottle & cup 水杯", "gmt_modified_from": "2026-11-01 00:00:00"})
    {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    }
}

/// One side of the comparison.
trait Loop: Send + Sync + 'static {
    /// Makes one call.
    fn call(&self) -> impl Future<Output = Result<()>> + Send;
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
    fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            key: SigningKey::new(Digest::HmacSha256, &AppSecret::new(SECRET)),
            arguments: arguments(),
            idle: Mutex::default(),
        }
    }
}

impl Loop for Bare {
    async fn call(&self) -> Result<()> {
        let params =
            flatten(Shape::IopRest, &self.arguments, |_| Wire { comma_list: false, xml_root: None })?;
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

/// The same call by `Client::call`.
struct Ours {
    setting: Setting,
    call: Call,
}

impl Ours {
    async fn new(address: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let setting = Setting::with_clock(&format!("http://{address}"), clock).await?;
        setting.shop("alibaba", SECRET, TOKEN).await?;
        let mut call = Call::new("alibaba", API);
        call.args = arguments();
        Ok(Self { setting, call })
    }
}

impl Loop for Ours {
    async fn call(&self) -> Result<()> {
        let outcome = self.setting.client.call(&self.call).await?;
        ensure!(outcome.attempts == 1 && outcome.reply.request_id().is_some(), "repeated");
        Ok(())
    }
}

/// Calls a second, and microseconds of CPU time a call.
struct Rate {
    calls: f64,
    cpu: f64,
}

/// Runs `IN_FLIGHT` tasks that call one after the other for a time.
async fn flood<L: Loop>(time: Duration, side: &Arc<L>) -> Result<Rate> {
    let done = Arc::new(AtomicU64::new(0));
    let (began, cpu) = (Instant::now(), cpu_seconds("self")?);
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (side, done) = (Arc::clone(side), Arc::clone(&done));
            tokio::spawn(async move {
                while began.elapsed() < time {
                    side.call().await?;
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
    Ok(Rate { calls: done / began.elapsed().as_secs_f64(), cpu: (cpu_seconds("self")? - cpu) * 1e6 / done })
}

/// Returns the microseconds of a call.
async fn one_by_one(count: u32, side: &impl Loop) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..count {
        side.call().await?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(count))
}

/// How the two sides share the machine.
#[derive(Clone, Copy, PartialEq)]
enum Placement {
    /// The client has one core with one thread, the server another: what is measured is the client.
    Apart,
    /// Two threads each, wherever the system puts them.
    Free,
}

impl Placement {
    fn name(self) -> &'static str {
        match self {
            Self::Apart => "a core each",
            Self::Free => "two threads each",
        }
    }

    /// A command of this program that runs on the server's core.
    fn server(self) -> Result<Command> {
        let exe = std::env::current_exe()?;
        if self == Self::Free {
            let mut command = Command::new(exe);
            command.arg("serve-fixed");
            return Ok(command);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", "1"]).arg(exe).arg("serve-fixed");
        Ok(command)
    }

    /// A runtime for the client, whose threads run on the client's core.
    fn client(self) -> Result<Runtime> {
        if self == Self::Free {
            return runtime(2);
        }
        // Threads run where their parent may.
        let pinned = pin("0")?;
        let runtime = runtime(1);
        pin(&pinned)?;
        runtime
    }
}

/// Lets this thread run on these cores alone; returns those it had before.
fn pin(cores: &str) -> Result<String> {
    let output = Command::new("taskset")
        .args(["-cp", cores, &std::process::id().to_string()])
        .output()
        .context("taskset of util-linux is needed")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    // "pid 7's current affinity list: 0,1", then the same for the new one.
    let before = said.lines().next().and_then(|line| line.rsplit_once(": "));
    Ok(before.context("taskset did not say where this ran")?.1.trim().to_owned())
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    flooded(Placement::Apart, effort, report)?;
    flooded(Placement::Free, effort, report)?;
    instructions(report)
}

/// Calls in both loops, turn by turn, many in flight and then one at a time.
fn flooded(placement: Placement, effort: Effort, report: &mut Report) -> Result<()> {
    let server = Server::start(&mut placement.server()?)?;
    let address = server.said.clone();
    // In a task of its own: the thread that waits for it may run on any core.
    let (ours, theirs, alone) = placement.client()?.block_on(async move {
        tokio::spawn(async move {
            let (sesame, bare) =
                (Arc::new(Ours::new(&address, Arc::new(SystemClock)).await?), Arc::new(Bare::new(&address)));
            let turn = effort.turn(Duration::from_millis(1_500));
            flood(turn / 5, &sesame).await.context("sesame")?;
            flood(turn / 5, &bare).await.context("bare")?;
            let (mut ours, mut theirs, mut alone) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
            for _ in 0..ROUNDS {
                ours.push(flood(turn, &sesame).await?);
                theirs.push(flood(turn, &bare).await?);
            }
            for _ in 0..effort.of(60).max(ROUNDS) {
                alone.0.push(one_by_one(500, &*sesame).await?);
                alone.1.push(one_by_one(500, &*bare).await?);
            }
            Ok::<_, anyhow::Error>((ours, theirs, alone))
        })
        .await?
    })?;
    let rates = |rates: &[Rate]| rates.iter().map(|rate| rate.calls).collect::<Vec<_>>();
    let cpu = |rates: &[Rate]| rates.iter().map(|rate| rate.cpu).collect::<Vec<_>>();
    let ratio = |ours: &[f64], theirs: &[f64]| paired(ours, theirs, |ours, theirs| ours / theirs);
    let place = placement.name();
    let mut row = |what: &str, figure: Vec<f64>, unit, target| {
        // What the system's placement of threads makes of it says nothing about the code.
        let target = if placement == Placement::Apart { target } else { Target::None };
        report.add("calls", format!("{place}, {what}"), figure, unit, target);
    };
    row("64 in flight, Client::call", rates(&ours), "calls/s", Target::None);
    row("64 in flight, bare hyper", rates(&theirs), "calls/s", Target::None);
    let share = ratio(&rates(&ours), &rates(&theirs));
    row("64 in flight, share of bare hyper's rate", share, "times", Target::AtLeast(0.85));
    row("64 in flight, CPU of Client::call", cpu(&ours), "us", Target::None);
    row("64 in flight, CPU of bare hyper", cpu(&theirs), "us", Target::None);
    let against = ratio(&cpu(&ours), &cpu(&theirs));
    row("64 in flight, CPU against bare hyper", against, "times", Target::AtMost(1.25));
    let adds = paired(&alone.0, &alone.1, |ours, theirs| ours - theirs);
    row("one at a time, bare hyper", alone.1, "us", Target::None);
    row("one at a time, Client::call adds", adds, "us", Target::AtMost(10.0));
    Ok(())
}

/// Instructions a call outside the kernel, counted by valgrind: the same in every run.
///
/// Valgrind shows programs a processor without SHA instructions, so the digest of the signature takes
/// some 20,000 of them on both sides; the difference has none of that.
fn instructions(report: &mut Report) -> Result<()> {
    let server = Server::role(&["serve-fixed"])?;
    let (ours, theirs) = (counted(&server.said, "sesame")?, counted(&server.said, "bare")?);
    report.add("calls", "instructions of Client::call", ours, "a call", Target::None);
    report.add("calls", "instructions of bare hyper", theirs, "a call", Target::None);
    report.add("calls", "instructions, Client::call adds", ours - theirs, "a call", Target::AtMost(15_000.0));
    report.add("calls", "instructions against bare hyper", ours / theirs, "times", Target::AtMost(1.25));
    Ok(())
}

/// Counts the instructions of one call: of many calls less those of few, without start and end.
fn counted(address: &str, side: &str) -> Result<f64> {
    let (few, many) = (200_u32, 1_200_u32);
    let count = |calls: u32| -> Result<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args(["make-calls", side, address, &calls.to_string()])
            .output()
            .context("valgrind is needed to count instructions")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "valgrind: {said}");
        let collected = said.lines().find_map(|line| line.split_once("Collected : "));
        Ok(collected.context("valgrind counted nothing")?.1.trim().parse()?)
    };
    Ok((count(many)? - count(few)?) / f64::from(many - few))
}

/// The system's clock without the coarse one: valgrind hides what that is read by.
#[derive(Debug)]
struct FineClock;

impl Clock for FineClock {
    fn now(&self) -> jiff::Timestamp {
        SystemClock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(duration)
    }

    fn random(&self, buffer: &mut [u8]) {
        SystemClock.random(buffer);
    }
}

/// The role in which instructions are counted: makes calls one after the other on one thread.
pub(crate) fn make(arguments: &[String]) -> Result<()> {
    let [side, address, count] = arguments else { bail!("a side, an address and a number are needed") };
    let count = count.parse()?;
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        if side == "bare" {
            one_by_one(count, &Bare::new(address)).await?;
        } else {
            one_by_one(count, &Ours::new(address, Arc::new(FineClock)).await?).await?;
        }
        Ok(())
    })
}
