//! One call: an account, an API, arguments; a reply, or an error that says what to do.
//!
//! ```text
//! cargo run -p sesame-client --example one_call
//! ```
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

mod practice;

use practice::Practice;
use serde_json::Value;
use sesame_client::Call;

#[tokio::main]
async fn main() -> sesame_core::Result<()> {
    let practice = Practice::start(1, 40).await?;
    println!("a sandbox listens at {}", practice.url());
    let shop = practice.authorize("alibaba", 1).await?.remove(0);

    let call = Call::new(&shop, "/alibaba/icbu/product/list").arg("language", "ENGLISH").arg("page_size", 3);

    // What would be sent, without sending it. Secrets are masked.
    println!("\n{}\n", practice.client.prepare(&call).await?.curl(false));

    let outcome = practice.client.call(&call).await?;
    for warning in &outcome.warnings {
        println!("note: {warning}");
    }
    let reply: Value = outcome.reply.parse()?;
    println!("{reply:#}");

    // An error is a kind, whose fault it is, whether to try again, and what to do.
    let wrong = Call::new(&shop, "/icbu/product/get")
        .arg("product_get_request", serde_json::json!({"productId": "no-such-product"}));
    if let Err(error) = practice.client.call(&wrong).await {
        println!("\n{} ({}, at the hands of the {})", error, error.kind(), error.fault().as_str());
        println!("{}", error.hint().unwrap_or_default());
    }
    practice.end().await;
    Ok(())
}
