//! One list of many shops, against one shop after the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use open_sesame::{Json, Sesame, Shops, sandbox::DemoEnv};
use sesame_core::HttpRequest;

use crate::{
    Effort,
    report::{Report, Target},
};

const SHOPS: usize = 100;
/// What the gateway takes for each page.
const LATENCY: &str = r#"{"kind":"latency","ms":50,"api":"/products/get"}"#;

/// Lists all products of some shops at the same time; returns how long it took.
async fn list(sesame: &Sesame, shops: &Shops, count: usize) -> Result<Duration> {
    let began = Instant::now();
    let mut products = shops.merge(|shop| sesame.call(shop.account(), "/products/get").rows::<Json>());
    let mut seen = 0;
    while let Some((_, product)) = products.next().await {
        product?;
        seen += 1;
    }
    ensure!(seen == count, "{seen} of {count} rows");
    Ok(began.elapsed())
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let rows = 20;
        let demo = DemoEnv::start(SHOPS, rows).await?;
        let accounts = demo.authorize("lazada", SHOPS).await?;
        let faults = format!("{}/_sandbox/faults", demo.url());
        let request = HttpRequest::json(faults, LATENCY);
        demo.sesame.transport().send(request).await?;
        let mut ratios = Vec::new();
        for _ in 0..effort.of(50).min(5) {
            // A tenth of them stands for all: nothing of the others makes them slower.
            let some = demo.sesame.shops(&accounts[..SHOPS / 10]).at_once(1);
            let apart = list(&demo.sesame, &some, SHOPS / 10 * rows).await? * 10;
            let together = list(&demo.sesame, &demo.sesame.shops(&accounts), SHOPS * rows).await?;
            ratios.push(apart.as_secs_f64() / together.as_secs_f64());
        }
        report.add(
            "shops",
            "a list of 100 shops by a gateway of 50 ms, faster than one after the other",
            ratios,
            "×",
            Target::AtLeast(20.0),
        );
        demo.stop().await;
        Ok(())
    })
}
