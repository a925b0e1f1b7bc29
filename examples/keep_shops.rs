//! A service with a thousand shops that makes its own calls: a keeper in the background keeps all of
//! them authorized, and `Vault::token` hands out their tokens.
//!
//! The keeper refreshes before anybody has to wait, prolongs what can be prolonged, and writes
//! warnings down before an authorization ends. Several such services may share one vault: they share
//! the work, too.
//!
//! ```text
//! cargo run -p sesame-client --example keep_shops            # 50 shops
//! cargo run --release -p sesame-client --example keep_shops 1000
//! ```
#![expect(clippy::print_stdout, reason = "an example that shows what it got")]

mod practice;

use std::time::Instant;

use practice::Practice;
use sesame_client::Call;
use sesame_core::{Error, ErrorKind, Result};
use sesame_vault::{AccountId, Keeper, KeeperOptions, WarmPolicy};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<()> {
    let shops = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(50);
    let practice = Practice::start(shops, 1).await?;
    let vault = practice.vault.clone();
    println!("a sandbox listens at {}", practice.url());
    let names = practice.authorize("lazada", shops).await?;

    // One keeper a process. With `Used`, the default, shops that nobody used for a week are only
    // prolonged and warned about.
    let options = KeeperOptions { warm: WarmPolicy::Always, ..KeeperOptions::default() };
    let keeper = Keeper::new(vault.clone(), options);
    let (stop, stopped) = oneshot::channel::<()>();
    let keeping = tokio::spawn(async move {
        keeper
            .run(async {
                // Stopped, or nobody is left who could.
                let _ = stopped.await;
            })
            .await
    });

    // What the service itself remembers of a shop is its id.
    let ids: Vec<AccountId> = vault.accounts().await?.iter().map(|account| account.id).collect();
    for round in ["first", "second"] {
        let began = Instant::now();
        for id in &ids {
            match vault.token(id).await {
                // Here a call would be made; `expose` gives the token itself, `Display` a mask.
                Ok(token) if id == &ids[0] => println!("the first shop's token is {token}"),
                Ok(_) => {}
                // A seller has to approve again: tell them, and leave the shop alone until then.
                Err(error) if error.kind() == ErrorKind::Authorization => {
                    println!("needs its seller: {error}");
                }
                Err(error) => println!("left out: {error} ({})", error.hint().unwrap_or_default()),
            }
        }
        println!("{round} time: {} tokens in {:.2?}", ids.len(), began.elapsed());
    }

    // Whoever lets Sesame make the calls uses a client over the same vault.
    if let Some(name) = names.first() {
        let answer = practice.client.call(&Call::new(name, "/products/get").arg("filter", "all")).await?;
        println!("{name}: {} bytes of products", answer.reply.payload().len());
    }

    // On SIGTERM: stop the keeper, then wait for what is under way.
    let _ = stop.send(());
    let totals = keeping.await.map_err(|error| Error::local(format!("the keeper failed: {error}")))??;
    println!("the keeper refreshed {} and prolonged {}", totals.refreshed, totals.postponed);
    vault.settle().await;
    practice.end().await;
    Ok(())
}
