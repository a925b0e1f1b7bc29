//! A whole list as a stream of typed rows: the catalog knows how each API pages.
//!
//! `cargo run -p open-sesame --features sandbox --example paged_stream`
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

use open_sesame::sandbox::DemoEnv;

/// The fields this program cares for; the rest of a row is not parsed.
#[derive(serde::Deserialize)]
struct Product {
    id: u64,
    subject: String,
}

#[tokio::main]
async fn main() -> open_sesame::Result<()> {
    let demo = DemoEnv::start(1, 100).await?;
    println!("a sandbox listens at {}", demo.url());
    let shop = demo.authorize("alibaba", 1).await?.remove(0);

    let list = demo.sesame.call(shop, "/alibaba/icbu/product/list").arg("language", "ENGLISH");
    let mut products = list.rows::<Product>();
    let mut count = 0;
    while let Some(product) = products.next().await {
        let product = product?;
        count += 1;
        if count % 25 == 1 {
            println!("  {:>14}  {}", product.id, product.subject);
        }
    }
    println!("{count} products");
    demo.stop().await;
    Ok(())
}
