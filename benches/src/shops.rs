//! Lists of many shops, against one shop after the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_core::Stream;
use open_sesame::{Json, Shop, Shops, sandbox::DemoEnv};
use sesame_core::HttpRequest;

use crate::{
    Effort,
    report::{Report, Target},
};

const SHOPS: usize = 100;
/// The shops that stand for all when they are read one after the other: nothing of the others makes them slower.
const SOME: usize = SHOPS / 10;
/// What the gateway takes for each call.
const LATENCY: &str = r#"{"kind":"latency","ms":50}"#;

/// Reads lists of some shops to their ends; returns how long it took, and the number of rows.
async fn read<T, S: Stream<Item = Result<T, open_sesame::Error>>>(
    shops: &Shops,
    open: impl FnMut(Shop) -> S,
) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let mut rows = shops.merge(open);
    let mut count = 0;
    while let Some((_, row)) = rows.next().await {
        row?;
        count += 1;
    }
    Ok((began.elapsed(), count))
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let rows = 20;
        let demo = DemoEnv::start(SHOPS, rows).await?;
        let accounts = demo.authorize("lazada", SHOPS).await?;
        let faults = format!("{}/_sandbox/faults", demo.url());
        let request = HttpRequest::json(faults, LATENCY);
        demo.sesame.transport().send(request).await?;
        let (all, some) = (demo.sesame.shops(&accounts), demo.sesame.shops(&accounts[..SOME]).at_once(1));
        let [mut products, mut orders] = [Vec::new(), Vec::new()];
        for _ in 0..effort.of(50).min(5) {
            let open = |shop: Shop| demo.sesame.call(shop.account(), "/products/get").rows::<Json>();
            let (apart, count) = read(&some, open).await?;
            ensure!(count == SOME * rows, "{count} of {} rows", SOME * rows);
            let (together, count) = read(&all, open).await?;
            ensure!(count == SHOPS * rows, "{count} of {} rows", SHOPS * rows);
            products.push(10.0 * apart.as_secs_f64() / together.as_secs_f64());

            // With their lines, which are a call of their own.
            let (apart, few) = read(&some, |shop| shop.orders().rows()).await?;
            let (together, count) = read(&all, |shop| shop.orders().rows()).await?;
            ensure!(few > 100 && count > 5 * few, "{few} and {count} orders");
            orders.push(10.0 * apart.as_secs_f64() / together.as_secs_f64());
        }
        for (what, ratios) in [("products", products), ("orders", orders)] {
            report.add(
                "shops",
                format!("{what} of 100 shops by a gateway of 50 ms, faster than one after the other"),
                ratios,
                "×",
                Target::AtLeast(20.0),
            );
        }
        demo.stop().await;
        Ok(())
    })
}
