//! A whole list, page by page: the catalog knows how each API pages.
//!
//! ```text
//! cargo run -p sesame-client --example paged_stream
//! ```
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

mod practice;

use practice::Practice;
use serde::Deserialize;
use sesame_client::Call;

/// The fields this program cares for; the rest of a row is not parsed.
#[derive(Deserialize)]
struct Product {
    id: u64,
    subject: String,
}

#[tokio::main]
async fn main() -> sesame_core::Result<()> {
    let practice = Practice::start(1, 100).await?;
    println!("a sandbox listens at {}", practice.url());
    let shop = practice.authorize("alibaba", 1).await?.remove(0);

    let mut pages =
        practice.client.pages(Call::new(&shop, "/alibaba/icbu/product/list").arg("language", "ENGLISH"));
    let mut rows = 0;
    while let Some(page) = pages.next().await {
        let page = page?;
        println!("page {}: {} of {} products", page.number, page.items.len(), page.total.unwrap_or_default());
        for warning in &page.warnings {
            println!("note: {warning}");
        }
        for item in &page.items {
            rows += 1;
            if rows % 25 == 1
                && let Ok(product) = serde_json::from_str::<Product>(item.get())
            {
                println!("  {:>14}  {}", product.id, product.subject);
            }
        }
    }
    println!("{rows} products");
    practice.end().await;
    Ok(())
}
