//! A service with many shops: one client for all of them, a bounded number of calls at a time, and
//! one shop's trouble kept away from the others.
//!
//! Tokens are refreshed when they are due, once for all callers; quotas are counted per app and per
//! shop; connections are shared. None of that needs a line here.
//!
//! ```text
//! cargo run -p sesame-client --example many_shops
//! ```
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

mod practice;

use std::{sync::Arc, time::Instant};

use practice::Practice;
use sesame_client::{Call, Client};
use sesame_core::{Error, ErrorKind, Result};
use tokio::{sync::Semaphore, task::JoinSet};

/// How many shops are worked on at one time.
const AT_ONCE: usize = 16;

/// Counts the products of one shop.
async fn count(client: &Client, shop: &str, api: &str) -> Result<usize> {
    let mut call = Call::new(shop, api);
    if api.starts_with("/alibaba") {
        call = call.arg("language", "ENGLISH");
    }
    let mut pages = client.pages(call);
    let mut rows = 0;
    while let Some(page) = pages.next().await {
        rows += page?.items.len();
    }
    Ok(rows)
}

#[tokio::main]
async fn main() -> Result<()> {
    let practice = Practice::start(20, 60).await?;
    println!("a sandbox listens at {}", practice.url());
    let mut shops: Vec<(String, &str)> = Vec::new();
    for (platform, api) in [("alibaba", "/alibaba/icbu/product/list"), ("lazada", "/products/get")] {
        shops.extend(practice.authorize(platform, 20).await?.into_iter().map(|shop| (shop, api)));
    }
    // One shop that nobody authorized.
    shops.push(("forgotten-shop".to_owned(), "/products/get"));

    let began = Instant::now();
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut work = JoinSet::new();
    for (shop, api) in shops {
        let (client, permits) = (practice.client.clone(), Arc::clone(&permits));
        work.spawn(async move {
            // The semaphore lives as long as the tasks: this cannot fail.
            let _permit = permits.acquire_owned().await.map_err(|_| Error::local("the service ends"))?;
            let rows = count(&client, &shop, api).await.map_err(|error| error.context(&shop))?;
            Ok::<_, Error>((shop, rows))
        });
    }
    let (mut products, mut done) = (0, 0);
    while let Some(result) = work.join_next().await {
        match result.map_err(|error| Error::local(format!("a task failed: {error}")))? {
            Ok((shop, rows)) => {
                println!("{shop}: {rows} products");
                (products, done) = (products + rows, done + 1);
            }
            // A seller has to approve again: tell them, and leave the shop alone until then.
            Err(error) if error.kind() == ErrorKind::Authorization => println!("needs its seller: {error}"),
            Err(error) => println!("left out: {error} ({})", error.hint().unwrap_or_default()),
        }
    }
    println!("{products} products of {done} shops in {:.2} s", began.elapsed().as_secs_f64());
    practice.end().await;
    Ok(())
}
