//! A small model of a platform, with rows that change, come and go between two calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value as Json, json};
use sesame_core::{BoxFuture, Clock, HttpRequest, HttpResponse, Result, Transport};

use crate::stage::{JumpingClock, param};

/// How a platform shows its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Pages from 1, the newest change first, only the first rows.
    Alibaba,
    /// Offsets, by id, up to a largest one.
    Lazada,
    /// Windows of a day at most, the newest change first.
    Taobao,
    /// One state after the other, the newest change first.
    Aliexpress,
}

/// The pages and the reach of all styles; the catalog of the tests says the same.
pub(crate) const SIZE: u64 = 5;
pub(crate) const REACH: u64 = 40;

const STATES: [&str; 4] =
    ["PLACE_ORDER_SUCCESS", "WAIT_SELLER_SEND_GOODS", "WAIT_BUYER_ACCEPT_GOODS", "FINISH"];

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) updated: i64,
    state: usize,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// The page that is asked for is not heeded.
    SamePage,
    /// The window that is asked for is not heeded.
    NoWindow,
    /// The list counts rows that it does not show.
    Hidden(u64),
    /// Every nth call fails at the platform.
    Fails(u64),
    /// From this call on there is no quota left.
    NoQuota(u64),
}

pub(crate) struct Model {
    style: Style,
    clock: Arc<JumpingClock>,
    world: Mutex<World>,
}

pub(crate) struct World {
    pub(crate) rows: BTreeMap<u64, Row>,
    /// The rows that were there from the first call on.
    pub(crate) throughout: BTreeSet<u64>,
    pub(crate) calls: u64,
    pub(crate) trouble: Trouble,
    /// Changes between two calls, in tenths.
    rate: u64,
    random: u64,
    next: u64,
}

impl World {
    fn random(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    /// Something happens.
    fn churn(&mut self, now: i64) {
        let mut left = self.rate;
        while left > 0 {
            if left < 10 && self.random(10) >= left {
                break;
            }
            left = left.saturating_sub(10);
            let nth = usize::try_from(self.random(self.rows.len() as u64)).unwrap();
            let Some(id) = self.rows.keys().nth(nth).copied() else { break };
            match self.random(10) {
                0 => {
                    self.rows.remove(&id);
                    self.throughout.remove(&id);
                }
                1 => {
                    self.next += 1;
                    self.rows.insert(self.next, Row { updated: now, state: 0 });
                }
                _ => {
                    let row = self.rows.get_mut(&id).unwrap();
                    *row = Row { updated: now, state: (row.state + 1).min(STATES.len() - 1) };
                }
            }
        }
    }
}

impl Model {
    /// Makes rows that changed in the last days, many of them at the same time. `rate` is the number of
    /// changes between two calls, in tenths.
    pub(crate) fn new(
        style: Style,
        clock: &Arc<JumpingClock>,
        rows: u64,
        spread: i64,
        rate: u64,
        seed: u64,
    ) -> Arc<Self> {
        let mut world = World {
            rows: BTreeMap::new(),
            throughout: BTreeSet::new(),
            calls: 0,
            trouble: Trouble::None,
            rate,
            random: seed,
            next: 1_000_000,
        };
        let now = clock.now().as_second();
        for id in 1..=rows {
            let ago = i64::try_from(world.random(spread.unsigned_abs())).unwrap();
            let state = usize::try_from(world.random(4)).unwrap();
            world.rows.insert(id, Row { updated: now - 1 - ago, state });
            world.throughout.insert(id);
        }
        Arc::new(Self { style, clock: Arc::clone(clock), world: Mutex::new(world) })
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(match self.style {
            Style::Alibaba | Style::Aliexpress => "America/Los_Angeles",
            Style::Lazada => "Asia/Singapore",
            Style::Taobao => "Asia/Shanghai",
        })
        .unwrap()
    }

    fn at(&self, text: Option<String>) -> Option<i64> {
        let text = text?;
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(at.as_second());
        }
        let civil: civil::DateTime = text.replace(' ', "T").parse().unwrap_or_else(|_| panic!("{text}"));
        Some(civil.to_zoned(self.zone()).unwrap().timestamp().as_second())
    }

    fn answer(&self, request: &HttpRequest) -> String {
        // A call takes a while, and meanwhile things happen.
        self.clock.advance(Duration::from_millis(137));
        let now = self.clock.now().as_second();
        let mut world = self.world();
        world.calls += 1;
        world.churn(now);
        match world.trouble {
            Trouble::Fails(nth) if world.calls.is_multiple_of(nth) => {
                return r#"{"type":"ISP","code":"ServiceTimeout","message":"m","request_id":"r"}"#.to_owned();
            }
            Trouble::NoQuota(from) if world.calls >= from => {
                return r#"{"type":"ISV","code":"ApiCallLimit","message":"This ban will last 86400 more seconds","request_id":"r"}"#.to_owned();
            }
            _ => {}
        }
        let ask = |name: &str| param(request, name);
        let number =
            |name: &str| ask(name).unwrap_or_else(|| panic!("{name} of {request:?}")).parse::<u64>().unwrap();
        let (since, until, size, page) = match self.style {
            Style::Alibaba => ("gmt_modified_from", "gmt_modified_to", "page_size", "current_page"),
            Style::Lazada => ("update_after", "update_before", "limit", "offset"),
            Style::Taobao => ("start_modified", "end_modified", "page_size", "page_no"),
            Style::Aliexpress => ("modified_date_start", "modified_date_end", "page_size", "current_page"),
        };
        let (mut since, mut until) = (self.at(ask(since)), self.at(ask(until)));
        if self.style == Style::Taobao {
            let (since, until) = (since.unwrap(), until.unwrap());
            assert!(until - since <= 86_400, "a window of {} seconds", until - since);
        }
        if world.trouble == Trouble::NoWindow {
            (since, until) = (None, None);
        }
        let size = number(size).min(SIZE);
        let mut offset = if self.style == Style::Lazada { number(page) } else { (number(page) - 1) * size };
        assert!(self.style == Style::Taobao || offset + size <= REACH + SIZE, "offset {offset}");
        if world.trouble == Trouble::SamePage {
            offset = 0;
        }
        let state = ask("order_status");
        let mut found: Vec<(u64, &Row)> = world
            .rows
            .iter()
            .filter(|(_, row)| since.is_none_or(|since| row.updated >= since))
            .filter(|(_, row)| until.is_none_or(|until| row.updated <= until))
            .filter(|(_, row)| state.as_ref().is_none_or(|state| STATES[row.state] == state))
            .map(|(id, row)| (*id, row))
            .collect();
        if self.style != Style::Lazada {
            found.sort_by_key(|(id, row)| (std::cmp::Reverse(row.updated), *id));
        }
        let hidden = if let Trouble::Hidden(hidden) = world.trouble { hidden } else { 0 };
        let total = found.len() as u64 + hidden;
        let shown =
            found.into_iter().skip(usize::try_from(offset).unwrap()).take(usize::try_from(size).unwrap());
        self.page(&shown.collect::<Vec<_>>(), total).to_string()
    }

    fn page(&self, rows: &[(u64, &Row)], total: u64) -> Json {
        let list = |key: &str| -> Vec<Json> {
            rows.iter().map(|(id, row)| json!({key: id, "updated": row.updated})).collect()
        };
        match self.style {
            Style::Alibaba => json!({"code": "0", "result": {"total_item": total, "products": list("id")}}),
            Style::Lazada => {
                json!({"code": "0", "data": {"total_products": total, "products": list("item_id")}})
            }
            Style::Taobao => {
                json!({"trades_sold_increment_get_response": {"total_results": total, "trades": {"trade": list("tid")}}})
            }
            Style::Aliexpress => json!({"aliexpress_solution_order_get_response":
                {"result": {"success": true, "total_count": total, "target_list": {"order_dto": list("order_id")}}}}),
        }
    }
}

impl Transport for Model {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        Box::pin(std::future::ready(Ok(HttpResponse::new(200, self.answer(&request)))))
    }
}

/// Returns what a user's catalog says of a style, so that a small model has windows enough.
pub(crate) fn overlay(style: Style) -> String {
    let (api, paging) = match style {
        Style::Alibaba => (
            "/alibaba/icbu/product/list",
            format!("style = \"page\"\nindex = \"current_page\"\nsize = \"page_size\"\nfirst = 1\nitems = \"result.products\"\ntotal = \"result.total_item\"\nkey = \"id\"\nreachable = {REACH}"),
        ),
        Style::Lazada => (
            "/products/get",
            format!("style = \"offset\"\nindex = \"offset\"\nsize = \"limit\"\nitems = \"data.products\"\ntotal = \"data.total_products\"\nkey = \"item_id\"\nmax_index = {}", REACH - SIZE),
        ),
        Style::Taobao => (
            "taobao.trades.sold.increment.get",
            "style = \"page\"\nindex = \"page_no\"\nsize = \"page_size\"\nfirst = 1\nitems = \"trades\"\ntotal = \"total_results\"\nkey = \"tid\"".to_owned(),
        ),
        Style::Aliexpress => (
            "aliexpress.solution.order.get",
            format!("style = \"page\"\nindex = \"current_page\"\nsize = \"page_size\"\nfirst = 1\nitems = \"result.target_list\"\ntotal = \"result.total_count\"\nkey = \"order_id\"\nreachable = {REACH}"),
        ),
    };
    format!("[[api]]\nname = \"{api}\"\n[api.paging]\nmax_size = {SIZE}\n{paging}\n")
}

impl Style {
    pub(crate) const ALL: [Self; 4] = [Self::Alibaba, Self::Lazada, Self::Taobao, Self::Aliexpress];

    pub(crate) fn platform(self) -> &'static str {
        match self {
            Self::Alibaba => "alibaba",
            Self::Lazada => "lazada",
            Self::Taobao => "taobao",
            Self::Aliexpress => "aliexpress",
        }
    }

    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Alibaba | Self::Lazada => "products",
            Self::Taobao | Self::Aliexpress => "orders",
        }
    }

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Alibaba => "id",
            Self::Lazada => "item_id",
            Self::Taobao => "tid",
            Self::Aliexpress => "order_id",
        }
    }
}
