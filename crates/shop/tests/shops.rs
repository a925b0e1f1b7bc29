//! Several shops at the same time: how many, and in which order.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::{Stream as _, stream};
use sesame_client::Client;
use sesame_core::AppSecret;
use sesame_http::HttpTransport;
use sesame_shop::{AT_ONCE, Shops};
use sesame_vault::{KeyChoice, Location, Vault, VaultOptions};

/// Shops named 0, 1, 2 .. of a client that nobody calls.
async fn shops(count: usize) -> Shops {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(directory.path().join("vault.db"));
    let options = VaultOptions::new(location, Arc::new(HttpTransport::new()))
        .key(KeyChoice::Environment(AppSecret::new("00".repeat(32))));
    let vault = Vault::open(options).await.unwrap();
    Shops::new(&Client::new(vault), (0..count).map(|nth| nth.to_string()))
}

#[tokio::test]
async fn no_more_shops_are_worked_on_at_once_than_allowed_and_none_is_left_out() {
    for (at_once, count) in [(AT_ONCE, 120), (3, 10), (1, 4), (7, 2), (2, 0)] {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let shops = shops(count).await.at_once(at_once);
        let mut done = shops.each(async |_| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::task::yield_now().await;
            running.set(running.get() - 1);
        });
        let mut names = Vec::new();
        while let Some((shop, ())) = done.next().await {
            names.push(shop.account().parse::<usize>().unwrap());
        }
        names.sort_unstable();
        assert_eq!(names, (0..count).collect::<Vec<_>>());
        assert_eq!(most.get(), at_once.min(count), "{at_once} of {count}");
    }
}

#[tokio::test]
async fn shops_take_turns_and_each_keeps_its_order() {
    let shops = shops(4).await.at_once(2);
    // All of them have the next item at once: nobody has to wait.
    let mut merged = shops.merge(|_| stream::iter(0..100));
    let mut order = Vec::new();
    while let Some((shop, item)) = merged.next().await {
        order.push((shop.account().to_owned(), item));
    }
    for shop in ["0", "1", "2", "3"] {
        let items: Vec<i32> = order.iter().filter(|(of, _)| of == shop).map(|(_, item)| *item).collect();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
    let before_its_end = order.iter().position(|(of, item)| of == "0" && *item == 99).unwrap();
    let others = order[..before_its_end].iter().filter(|(of, _)| of == "1").count();
    assert!(others > 90, "the second shop had {others} items while the first had 100");
}

#[tokio::test]
async fn the_next_shop_begins_when_one_ends_without_an_item() {
    let shops = shops(3).await.at_once(1);
    let opened = RefCell::new(Vec::new());
    let mut merged = pin!(shops.merge(|shop| {
        opened.borrow_mut().push(shop.account().to_owned());
        // Two of no rows; the third waits for ever.
        let ends = shop.account() != "2";
        stream::poll_fn(move |_| if ends { Poll::Ready(None::<()>) } else { Poll::Pending })
    }));
    let poll = merged.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
    assert_eq!(*opened.borrow(), ["0", "1", "2"]);
}
