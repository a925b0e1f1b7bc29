//! The sandbox under load, with the load generator on the same machine: each request is checked as
//! the gateways check it, signature and all.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sesame_catalog::Catalog;
use sesame_client::{Call, Prepared};
use sesame_core::{AppSecret, Clock, HttpRequest, Transport, request::Method};
use sesame_sandbox::{Options, Sandbox};
use sesame_vault::{Callback, LoginOptions, NewApp, SystemClock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
};

use crate::{
    Effort,
    report::{Report, Target},
    setting::{Server, Setting, peak_megabytes},
};

const CONNECTIONS: usize = 32;

/// The other side: a sandbox; prints its description.
pub(crate) fn serve(products: usize) -> Result<()> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let mut options = Options::new(Arc::new(Catalog::builtin()), Arc::new(SystemClock) as Arc<dyn Clock>);
        options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        options.auto_approve = true;
        options.products = products;
        let sandbox = Sandbox::start(options).await?;
        println!("{}", serde_json::to_string(&sandbox.describe())?);
        sandbox.run_until(std::future::pending()).await;
        Ok(())
    })
}

/// A request as bytes on the wire.
fn bytes(prepared: &Prepared, address: &str) -> Vec<u8> {
    let request = &prepared.request;
    let from = request.url.find("://").map_or(0, |at| at + 3);
    let path = request.url[from..].find('/').map_or("/", |at| &request.url[from + at..]);
    let mut out = format!("{} {path} HTTP/1.1\r\nhost: {address}\r\n", request.method.as_str());
    for (name, value) in &request.headers {
        out.extend([name.as_str(), ": ", value.to_str().unwrap_or_default(), "\r\n"]);
    }
    out.extend(["content-length: ", &request.body.len().to_string(), "\r\n\r\n"]);
    let mut out = out.into_bytes();
    out.extend_from_slice(&request.body);
    out
}

/// Reads one reply; returns its body.
async fn read_reply(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Vec<u8>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end])?;
            ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length: usize = head
                .split("\r\n")
                .find_map(|line| {
                    line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                })
                .context("no content-length")?
                .1
                .trim()
                .parse()?;
            let whole = end + 4 + length;
            while buffer.len() < whole {
                ensure!(stream.read_buf(buffer).await? > 0, "the sandbox closed the connection");
            }
            let body = buffer[end + 4..whole].to_vec();
            buffer.drain(..whole);
            return Ok(body);
        }
        ensure!(stream.read_buf(buffer).await? > 0, "the sandbox closed the connection");
    }
}

/// Sends the same requests over and over for a time; returns replies a second.
async fn flood(address: &str, requests: Arc<[Vec<u8>]>, wanted: &'static str, time: Duration) -> Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (address, requests, done) = (address.to_owned(), Arc::clone(&requests), Arc::clone(&done));
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(&address).await?;
                stream.set_nodelay(true)?;
                let mut buffer = Vec::with_capacity(64 << 10);
                let mut at = number;
                while began.elapsed() < time {
                    stream.write_all(&requests[at % requests.len()]).await?;
                    let body = read_reply(&mut stream, &mut buffer).await?;
                    if done.fetch_add(1, Ordering::Relaxed) % 1_000 == 0 {
                        let text = String::from_utf8_lossy(&body);
                        ensure!(text.contains(wanted), "{}", text.chars().take(300).collect::<String>());
                    }
                    at += 1;
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// Adds the sandbox's app of a platform and lets its first shop approve it; returns the account.
pub(crate) async fn authorize(setting: &Setting, description: &Value, platform: &str) -> Result<String> {
    let of_platform = |list: &str| {
        let list = description[list].as_array()?;
        list.iter().find(|entry| entry["platform"] == platform).cloned()
    };
    let (app, shop) = of_platform("apps")
        .zip(of_platform("shops"))
        .with_context(|| format!("the sandbox has no {platform}"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    setting
        .vault
        .add_app(
            NewApp::new(platform, text(&app["app_key"]), AppSecret::new(text(&app["app_secret"])))
                .name(platform)
                .redirect_uri(text(&app["redirect_uri"])),
        )
        .await?;
    let login = setting.vault.begin_login(platform, LoginOptions::default()).await?;
    let page = format!("{}&login={}", login.authorize_url, text(&shop["login"]));
    let response = setting.transport.send(HttpRequest::new(Method::GET, page)).await?;
    let back = response.header("location").context("the sandbox did not approve")?.to_owned();
    let accounts = setting.vault.finish_login(&login, Callback::Url(back)).await?;
    Ok(accounts.into_iter().next().context("no account")?.name)
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let server = Server::role(&["serve-sandbox", "10000"])?;
    let description: Value = serde_json::from_str(&server.said).context("the sandbox did not start")?;
    Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let url = description["listen"].as_str().context("no address")?;
        let address = url.trim_start_matches("http://").to_owned();
        let setting = Setting::new(url).await?;
        let mut shops = std::collections::HashMap::new();
        for platform in ["lazada", "taobao", "alibaba"] {
            shops.insert(platform, authorize(&setting, &description, platform).await?);
        }
        let loads = [
            (
                "/rest without a token",
                vec![Call::new(&shops["lazada"], "/seller/cb/country/get").arg("type", "seller")],
                "request_id",
                20_000.0,
            ),
            (
                "taobao.time.get",
                vec![Call::new(&shops["taobao"], "taobao.time.get")],
                "time_get_response",
                20_000.0,
            ),
            (
                "product list, pages of 30",
                (1..=100)
                    .map(|page| {
                        Call::new(&shops["alibaba"], "/alibaba/icbu/product/list")
                            .arg("language", "ENGLISH")
                            .arg("page_size", 30)
                            .arg("current_page", page)
                    })
                    .collect(),
                "products",
                5_000.0,
            ),
        ];
        let time = effort.turn(Duration::from_secs(1));
        for (what, calls, wanted, target) in loads {
            let mut requests = Vec::new();
            for call in &calls {
                requests.push(bytes(&setting.client.prepare(call).await?, &address));
            }
            let requests: Arc<[Vec<u8>]> = requests.into();
            flood(&address, Arc::clone(&requests), wanted, time / 3)
                .await
                .with_context(|| what.to_owned())?;
            let mut rates = Vec::new();
            for _ in 0..9 {
                rates.push(flood(&address, Arc::clone(&requests), wanted, time).await?);
            }
            report.add("sandbox", what, rates, "replies/s", Target::AtLeast(target));
        }
        let peak = peak_megabytes(server.id()).context("no VmHWM")?;
        report.add(
            "sandbox",
            "peak memory under this load, 10,000 products a shop",
            peak,
            "MB",
            Target::None,
        );
        Ok(())
    })
}
