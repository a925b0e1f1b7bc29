//! A job of 5,000 SKUs, against what the platform lets pass.

use std::time::Instant;

use anyhow::{Result, ensure};
use open_sesame::{Amount, JobKind, JobRow, RowOutcome, sandbox::DemoEnv};

use crate::{
    Effort,
    report::{Report, Target},
};

const SKUS: usize = 5_000;
/// Lazada takes 20 SKUs a call, and 50 calls a second from a seller.
const SECONDS: f64 = 5_000.0 / 20.0 / 50.0;

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let demo = DemoEnv::start(1, SKUS).await?;
        let accounts = demo.authorize("lazada", 1).await?;
        let shop = demo.sesame.shop(&accounts[0]);
        let mut codes = Vec::new();
        let mut skus = shop.skus().rows();
        while let Some(sku) = skus.next().await {
            codes.extend(sku?.state.sku);
        }
        ensure!(codes.len() >= SKUS, "{} SKUs", codes.len());
        codes.truncate(SKUS);
        let folder = tempfile::tempdir()?;
        let [mut plans, mut runs] = [Vec::new(), Vec::new()];
        for round in 0..effort.of(50).min(5) {
            let stock = Amount::from(20_000 + i64::try_from(round)?);
            let rows = codes.iter().map(|code| JobRow::sku(code.as_str(), stock)).collect();
            let began = Instant::now();
            let plan = shop.plan(JobKind::StockSet, rows).await?;
            plans.push(began.elapsed().as_secs_f64());
            let began = Instant::now();
            let mut done = 0;
            let report = plan
                .start(folder.path())?
                .run(|row| done += usize::from(matches!(row.outcome, RowOutcome::Done)))
                .await;
            ensure!(report.stopped.is_none() && done == SKUS, "{done} of {SKUS} SKUs: {:?}", report.stopped);
            runs.push(began.elapsed().as_secs_f64() / SECONDS);
        }
        report.add("stock", "reading 5,000 SKUs of Lazada by their codes", plans, "s", Target::None);
        report.add(
            "stock",
            "writing them, against 20 a call and 50 calls a second",
            runs,
            "×",
            Target::AtMost(1.1),
        );
        demo.stop().await;
        Ok(())
    })
}
