//! An independent model of each platform's world, in Python (`tests/model`), agrees after thousands of
//! random writes over HTTP.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use crate::support::Bench;

async fn agrees(platform: &str, writes: u32) {
    let bench = Bench::start().await;
    let secret = bench.app(platform).app_secret.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/run.py");
    let run = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args([&bench.sandbox.url(), platform, "--secret", &secret, "--writes", &writes.to_string()])
        .stdin(Stdio::null())
        .output()
        .await;
    let output = run.expect("the model needs python3");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("writes agree"), "{platform}: {out}\n{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_writes_on_lazada_agree_with_a_model() {
    agrees("lazada", 5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_writes_on_daraz_agree_with_a_model() {
    agrees("daraz", 5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_on_miravia_agree_with_a_model() {
    agrees("miravia", 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_writes_on_alibaba_agree_with_a_model() {
    agrees("alibaba", 5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_writes_on_1688_agree_with_a_model() {
    agrees("1688", 5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_writes_on_aliexpress_agree_with_a_model() {
    agrees("aliexpress", 5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_writes_on_taobao_agree_with_a_model() {
    agrees("taobao", 5_000).await;
}
