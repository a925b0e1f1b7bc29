//! Many shops, a task for each: tokens are refreshed once for all callers, quotas are counted, connections
//! are shared, and one shop's trouble is kept away from the others. None of that needs a line here.
//!
//! `cargo run -p open-sesame --features sandbox --example many_shops`
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

use open_sesame::{ErrorKind, Json, sandbox::DemoEnv};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> open_sesame::Result<()> {
    let demo = DemoEnv::start(20, 60).await?;
    println!("a sandbox listens at {}", demo.url());
    let mut shops = demo.authorize("lazada", 20).await?;
    shops.push("forgotten-shop".to_owned());

    let mut work = JoinSet::new();
    for shop in shops {
        let mut rows = demo.sesame.call(&shop, "/products/get").rows::<Json>();
        work.spawn(async move {
            let mut count = 0;
            while let Some(row) = rows.next().await {
                count += row.map(|_| 1).map_err(|error| error.context(&shop))?;
            }
            Ok::<_, open_sesame::Error>((shop, count))
        });
    }
    for result in work.join_all().await {
        match result {
            Ok((shop, count)) => println!("{shop}: {count} products"),
            // A seller has to approve again: tell them, and leave the shop alone until then.
            Err(error) if error.kind() == ErrorKind::Authorization => println!("needs its seller: {error}"),
            Err(error) => println!("left out: {error:#}"),
        }
    }
    demo.stop().await;
    Ok(())
}
