//! Several shops at the same time.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use futures_core::Stream;
use futures_util::stream::{Once, SelectAll, once};
use sesame_client::Client;

use crate::Shop;

/// The number of shops that are worked on at the same time, unless [`Shops::at_once`] sets another.
pub const AT_ONCE: usize = 50;

/// Several accounts, for what is to be done with all of them. Cheap to clone.
///
/// ```no_run
/// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
/// use sesame_client::Call;
/// use sesame_shop::Shops;
///
/// let shops = Shops::new(&client, ["berlin", "madrid"]);
/// let mut pages = shops.merge(|shop| {
///     shop.client().pages(Call::new(shop.account(), "/products/get")).into_stream()
/// });
/// while let Some((shop, page)) = pages.next().await {
///     match page {
///         Ok(page) => println!("{}: {} products", shop.account(), page.items.len()),
///         // The other shops go on.
///         Err(error) => eprintln!("{}: {error:#}", shop.account()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Shops {
    shops: Vec<Shop>,
    at_once: usize,
}

impl Shops {
    /// Creates the shops of some accounts, in this order. Nothing is looked up before the first call.
    pub fn new<A: Into<String>>(client: &Client, accounts: impl IntoIterator<Item = A>) -> Self {
        let shops = accounts.into_iter().map(|account| Shop::new(client.clone(), account)).collect();
        Self { shops, at_once: AT_ONCE }
    }

    /// Sets how many shops are worked on at the same time, at least 1. Default: [`AT_ONCE`].
    #[must_use]
    pub fn at_once(mut self, limit: usize) -> Self {
        self.at_once = limit.max(1);
        self
    }

    /// Merges a stream of each shop into one.
    ///
    /// The streams of [`Shops::at_once`] shops are open at a time; the next is opened when one ends. The items
    /// of a shop keep their order, those of different shops come as they are ready, and no shop keeps another
    /// waiting. An item that is an error ends nothing but what its own stream ends.
    pub fn merge<S: Stream, O: FnMut(Shop) -> S>(&self, open: O) -> Merged<S, O> {
        Merged {
            waiting: self.shops.clone().into_iter(),
            at_once: self.at_once,
            open,
            running: SelectAll::new(),
        }
    }

    /// Runs a piece of work for each shop, as [`Shops::merge`] does with streams, and returns what comes of it.
    pub fn each<F: Future>(
        &self,
        mut work: impl FnMut(Shop) -> F,
    ) -> Merged<Once<F>, impl FnMut(Shop) -> Once<F>> {
        self.merge(move |shop| once(work(shop)))
    }
}

/// The streams of several shops as one [`Stream`]. Made by [`Shops::merge`].
pub struct Merged<S, O> {
    waiting: vec::IntoIter<Shop>,
    at_once: usize,
    open: O,
    running: SelectAll<OfShop<S>>,
}

// Every stream is pinned in a box of its own.
impl<S, O> Unpin for Merged<S, O> {}

/// The stream of one shop.
struct OfShop<S> {
    shop: Shop,
    stream: Pin<Box<S>>,
}

impl<S: Stream> Stream for OfShop<S> {
    type Item = (Shop, S::Item);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = self.stream.as_mut().poll_next(context);
        item.map(|item| Some((self.shop.clone(), item?)))
    }
}

impl<S: Stream, O: FnMut(Shop) -> S> Merged<S, O> {
    /// Returns the next item of any shop; `None` if all streams have ended.
    ///
    /// The same as `StreamExt::next`, for programs that need no other adapter.
    pub async fn next(&mut self) -> Option<(Shop, S::Item)> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<S: Stream, O: FnMut(Shop) -> S> Stream for Merged<S, O> {
    type Item = (Shop, S::Item);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            while this.running.len() < this.at_once
                && let Some(shop) = this.waiting.next()
            {
                let stream = Box::pin((this.open)(shop.clone()));
                this.running.push(OfShop { shop, stream });
            }
            let item = Pin::new(&mut this.running).poll_next(context);
            // A stream that ended without an item made room for the next one.
            let has_room = this.running.len() < this.at_once && this.waiting.len() > 0;
            if matches!(item, Poll::Ready(Some(_))) || !has_room {
                return item;
            }
        }
    }
}

impl<S, O> std::fmt::Debug for Merged<S, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merged").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
