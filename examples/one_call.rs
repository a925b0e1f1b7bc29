//! One call: an account, an API, arguments; a reply, or an error that says what to do.
//!
//! `cargo run -p open-sesame --features sandbox --example one_call`
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

use open_sesame::{Json, sandbox::DemoEnv};

#[tokio::main]
async fn main() -> open_sesame::Result<()> {
    let demo = DemoEnv::start(1, 40).await?;
    println!("a sandbox listens at {}", demo.url());
    let shop = demo.authorize("alibaba", 1).await?.remove(0);
    let list = || {
        demo.sesame.call(&shop, "/alibaba/icbu/product/list").arg("language", "ENGLISH").arg("page_size", 3)
    };

    // What would be sent, without sending it. Secrets are masked.
    println!("\n{}\n", list().prepare().await?.curl(false));
    println!("{:#}", list().send_as::<Json>().await?);

    // An error is a kind, whose fault it is, whether to try again, and what to do.
    let wrong = demo.sesame.call(&shop, "/icbu/product/get");
    if let Err(error) = wrong.arg("product_get_request", r#"{"productId":"no-such-product"}"#).send().await {
        println!("\n{error:#}\n({}; fault: {})", error.kind(), error.fault());
    }
    demo.stop().await;
    Ok(())
}
