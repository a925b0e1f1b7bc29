//! Every row exactly once, however the platform pages and however the rows move.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use proptest::prelude::*;
use sesame_core::{Clock, Error, ErrorKind, path};
use sesame_shop::{Bookmark, Request, Shop, Walk};

use crate::{
    model::{Model, REACH, SIZE, Style, Trouble, overlay},
    stage::{self, clock},
};

/// Reads on until the end or an error: how often each row came, and the error.
async fn read(style: Style, walk: &mut Walk, found: &mut BTreeMap<u64, u32>, most: usize) -> Option<Error> {
    for _ in 0..most {
        match walk.next().await {
            None => return None,
            Some(Err(error)) => return Some(error),
            Some(Ok(page)) => {
                for row in page.rows {
                    *found.entry(path::unsigned(&row, style.key()).unwrap()).or_default() += 1;
                }
            }
        }
    }
    Some(Error::usage("interrupted"))
}

struct Bench {
    style: Style,
    model: Arc<Model>,
    shop: Shop,
    _home: tempfile::TempDir,
}

impl Bench {
    async fn new(style: Style, rows: u64, spread: i64, rate: u64, seed: u64) -> Self {
        let clock = clock();
        let model = Model::new(style, &clock, rows, spread, rate, seed);
        let gateway = Arc::clone(&model) as Arc<dyn sesame_core::Transport>;
        let (shop, home) =
            stage::shop(style.platform(), gateway, clock as Arc<dyn Clock>, &overlay(style)).await;
        Self { style, model, shop, _home: home }
    }

    fn request(&self) -> Request {
        let mut request = Request::new(self.style.list());
        if self.style == Style::Taobao {
            let now = self.shop.client().clock().now();
            request.since = Some(now.checked_sub(SignedDuration::from_millis(8 * 86_400_000 + 345)).unwrap());
        }
        request
    }

    async fn walk(&self) -> Walk {
        Walk::open(&self.shop, self.request()).await.unwrap()
    }

    /// Fails if a row came twice, or one that was always there did not come.
    fn check(&self, found: &BTreeMap<u64, u32>) {
        let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{:?}: came twice: {twice:?}", self.style);
        let world = self.model.world();
        let missing: Vec<_> = world.throughout.iter().filter(|id| !found.contains_key(id)).collect();
        assert!(missing.is_empty(), "{:?}: {} are missing: {missing:?}", self.style, missing.len());
    }
}

async fn every_row_comes_once(style: Style, rows: u64, spread: i64, rate: u64, seed: u64) {
    let bench = Bench::new(style, rows, spread, rate.min(rows / 40), seed).await;
    let mut found = BTreeMap::new();
    let error = read(style, &mut bench.walk().await, &mut found, usize::MAX).await;
    assert!(error.is_none(), "{style:?}: {error:?}");
    bench.check(&found);
    let calls = bench.model.world().calls;
    assert!(calls < 200 + rows * 3, "{style:?}: {calls} calls for {rows} rows");
}

/// Reads a list that is cut off every few pages, by what a bookmark file would hold.
async fn every_row_comes_once_in_pieces(style: Style, rows: u64, rate: u64, seed: u64, piece: usize) {
    let bench = Bench::new(style, rows, 5 * 86_400, rate.min(rows / 40), seed).await;
    let mut found = BTreeMap::new();
    let mut walk = bench.walk().await;
    for _ in 0..10_000 {
        let error = read(style, &mut walk, &mut found, piece).await;
        match error {
            None => return bench.check(&found),
            Some(error) => assert_eq!(error.message(), "interrupted"),
        }
        let text = serde_json::to_string(&walk.bookmark().unwrap()).unwrap();
        let bookmark: Bookmark = serde_json::from_str(&text).unwrap();
        assert_eq!(bookmark.count(), found.len() as u64);
        let mut request = bench.request();
        request.bookmark = Some(bookmark);
        walk = Walk::open(&bench.shop, request).await.unwrap();
    }
    panic!("{style:?}: no end");
}

fn run<F: Future<Output = ()>>(future: F) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_row_that_was_always_there_comes_once(
        style in prop::sample::select(Style::ALL.as_slice()),
        rows in 0_u64..400,
        days in 1_i64..7,
        rate in prop::sample::select([0_u64, 1, 5, 10].as_slice()),
        seed in any::<u64>(),
    ) {
        run(every_row_comes_once(style, rows, days * 86_400, rate, seed));
    }

    #[test]
    fn every_row_comes_once_although_the_read_is_cut_off(
        style in prop::sample::select(Style::ALL.as_slice()),
        rows in 0_u64..250,
        rate in prop::sample::select([0_u64, 5, 10].as_slice()),
        seed in any::<u64>(),
        piece in 1_usize..12,
    ) {
        run(every_row_comes_once_in_pieces(style, rows, rate, seed, piece));
    }
}

#[test]
fn a_small_list_is_one_call() {
    run(async {
        for style in [Style::Alibaba, Style::Lazada] {
            let bench = Bench::new(style, SIZE, 86_400, 0, 1).await;
            let mut found = BTreeMap::new();
            assert!(read(style, &mut bench.walk().await, &mut found, 9).await.is_none());
            assert_eq!((found.len() as u64, bench.model.world().calls), (SIZE, 1), "{style:?}");
        }
    });
}

#[test]
fn more_rows_in_one_second_than_are_shown_are_said_with_the_numbers() {
    run(async {
        let rows = REACH + 10;
        let bench = Bench::new(Style::Alibaba, rows, 1, 0, 1).await;
        let mut found = BTreeMap::new();
        let error = read(Style::Alibaba, &mut bench.walk().await, &mut found, usize::MAX).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        assert!(
            error.message().contains("50 rows have changed between") && error.message().contains("shows 40"),
            "{error}"
        );
        assert_eq!(found.len() as u64, REACH, "what can be reached is printed");
    });
}

#[test]
fn a_platform_that_does_not_heed_pages_or_windows_is_an_error() {
    run(async {
        for (trouble, kind, said) in [
            (Trouble::SamePage, ErrorKind::Envelope, "is the same as the first one"),
            (Trouble::NoWindow, ErrorKind::Incomplete, "in every window of time"),
        ] {
            let bench = Bench::new(Style::Alibaba, 200, 86_400, 0, 1).await;
            bench.model.world().trouble = trouble;
            let error =
                read(Style::Alibaba, &mut bench.walk().await, &mut BTreeMap::new(), 10_000).await.unwrap();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.message().contains(said), "{error}");
            assert!(bench.model.world().calls < 60);
        }
    });
}

#[test]
fn rows_that_are_counted_and_never_shown_are_told_of_after_the_others() {
    run(async {
        let bench = Bench::new(Style::Lazada, 22, 86_400, 0, 1).await;
        bench.model.world().trouble = Trouble::Hidden(2);
        let mut found = BTreeMap::new();
        let error = read(Style::Lazada, &mut bench.walk().await, &mut found, usize::MAX).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        assert!(
            error.message().contains("tells of 24 rows") && error.message().contains("gave 22"),
            "{error}"
        );
        bench.check(&found);
    });
}

#[test]
fn an_end_of_the_quota_leaves_a_bookmark_to_go_on_from() {
    run(async {
        let bench = Bench::new(Style::Alibaba, 300, 5 * 86_400, 5, 7).await;
        bench.model.world().trouble = Trouble::NoQuota(30);
        let mut found = BTreeMap::new();
        let mut walk = bench.walk().await;
        let error = read(Style::Alibaba, &mut walk, &mut found, usize::MAX).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Quota);
        let bookmark = walk.bookmark().unwrap();
        assert_eq!(bookmark.count(), found.len() as u64);

        // A day later, in another process: the ban is forgotten, and the rows went on changing.
        bench.model.world().trouble = Trouble::Fails(7);
        let fresh =
            Shop::new(sesame_client::Client::new(bench.shop.client().vault().clone()), bench.shop.account());
        let mut request = bench.request();
        request.bookmark = Some(bookmark);
        let mut walk = Walk::open(&fresh, request).await.unwrap();
        assert!(read(Style::Alibaba, &mut walk, &mut found, usize::MAX).await.is_none());
        bench.check(&found);
    });
}

#[test]
fn a_bookmark_of_another_list_is_refused() {
    run(async {
        let bench = Bench::new(Style::Alibaba, 9, 86_400, 0, 1).await;
        let bookmark = bench.walk().await.bookmark();
        let mut request = Request::new("orders");
        request.bookmark.clone_from(&bookmark);
        let error = Walk::open(&bench.shop, request).await.unwrap_err();
        assert!(error.message().contains("products") && error.message().contains("orders"), "{error}");
        let mut request = bench.request();
        request.status = Some("approved".to_owned());
        request.bookmark = bookmark;
        assert_eq!(Walk::open(&bench.shop, request).await.unwrap_err().kind(), ErrorKind::Usage);
    });
}
