//! A service that makes its own calls: a keeper keeps its shops authorized, the vault hands out tokens.
//!
//! `cargo run -p open-sesame --features sandbox --example keep_shops`
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

use open_sesame::{Keeper, KeeperOptions, WarmPolicy, sandbox::DemoEnv};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> open_sesame::Result<()> {
    let shops = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(50);
    let demo = DemoEnv::start(shops, 1).await?;
    demo.authorize("lazada", shops).await?;
    let vault = demo.sesame.vault().clone();

    // One keeper a process. It refreshes before anybody has to wait, and warns before a shop is lost.
    let options = KeeperOptions::default().warm(WarmPolicy::Always);
    let keeper = Keeper::new(vault.clone(), options);
    let (stop, stopped) = oneshot::channel::<()>();
    let keeping = tokio::spawn(async move { keeper.run(async { _ = stopped.await }).await });

    for account in vault.accounts().await? {
        match vault.token(&account.id).await {
            // Here a call would be made; `expose` returns the token itself, `Display` a mask.
            Ok(token) => println!("{}: {token}", account.name),
            Err(error) => println!("{}: {error:#}", account.name),
        }
    }
    // On SIGTERM: stop the keeper, then wait for what is under way.
    drop(stop);
    if let Ok(totals) = keeping.await {
        println!("the keeper refreshed {}", totals?.refreshed);
    }
    vault.settle().await;
    demo.stop().await;
    Ok(())
}
