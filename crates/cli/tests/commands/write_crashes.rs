//! Writes that are killed in the middle and lose replies: the numbers are the asked ones all the same.

use std::{
    collections::BTreeMap,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use sesame_sandbox::{FaultKind, FaultRule};

use crate::house::House;

/// Numbers that look random and are the same each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Returns `true` in `./dev torture`.
pub(crate) fn is_torture() -> bool {
    std::env::var_os("SESAME_TORTURE").is_some()
}

/// How much is tried: the short form in every run, the long one in `./dev torture`.
#[derive(Clone, Copy)]
struct Size {
    products: usize,
    skus: usize,
    kills: usize,
}

fn size() -> Size {
    if is_torture() {
        Size { products: 3_500, skus: 5_000, kills: 50 }
    } else {
        Size { products: 150, skus: 200, kills: 10 }
    }
}

/// A shop whose gateway loses one write of eight, and of another one of eight the answer. Its answers come late,
/// so that there are calls on their way whenever a command is killed.
fn house(platform: &str, size: Size, apis: &[&str]) -> House {
    let house = House::with(|options| {
        options.products = size.products;
        let lost = |kind: FaultKind, api: &str| {
            let mut rule = FaultRule::new(kind).on(api);
            rule.probability = Some(0.125);
            rule
        };
        let rules = |api: &&str| {
            let late = FaultRule::new(FaultKind::Latency { ms: 100 }).on(*api);
            [late, lost(FaultKind::DropBefore, api), lost(FaultKind::DropAfter, api)]
        };
        options.faults = apis.iter().flat_map(rules).collect();
    });
    house.and_accounts(&[(platform, "shop")])
}

/// The stock of all SKUs, by product and code, as the world has it.
fn books(house: &House, platform: &str) -> BTreeMap<(String, String), i64> {
    let mut books = BTreeMap::new();
    let mut offset = 0;
    loop {
        let json = house.control(&format!("products?platform={platform}&limit=1000&offset={offset}"), None);
        let products = json["products"].as_array().unwrap();
        for product in products {
            for sku in product["skus"].as_array().unwrap() {
                let key = (product["id"].to_string(), sku["code"].as_str().unwrap().to_owned());
                books.insert(key, sku["stock"].as_i64().unwrap());
            }
        }
        offset += products.len();
        if products.is_empty() {
            return books;
        }
    }
}

/// When a command is killed.
#[derive(Clone, Copy)]
enum Moment {
    After(Duration),
    /// As soon as it has begun this number of calls that write.
    Sent(u64),
}

/// The journals of jobs, and how much of each was seen.
struct Journals<'a> {
    house: &'a House,
    seen: BTreeMap<PathBuf, u64>,
}

impl<'a> Journals<'a> {
    /// Looks at what is there, so that only what comes later counts.
    fn of(house: &'a House) -> Self {
        let mut journals = Self { house, seen: BTreeMap::new() };
        journals.sent();
        journals
    }

    /// Counts the calls that were begun since it looked last.
    fn sent(&mut self) -> u64 {
        let mut sent = 0;
        for path in journals(self.house) {
            let from = self.seen.entry(path.clone()).or_default();
            let mut new = Vec::new();
            let mut file = std::fs::File::open(path).unwrap();
            file.seek(SeekFrom::Start(*from)).unwrap();
            file.read_to_end(&mut new).unwrap();
            for line in new.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
                *from += line.len() as u64;
                sent += u64::from(line.starts_with(b"{\"sent\""));
            }
        }
        sent
    }
}

fn journals(house: &House) -> Vec<PathBuf> {
    let files = std::fs::read_dir(house.path().join("jobs")).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect()
}

/// Runs a command and kills it. Returns its exit code if it came to its end by itself.
#[expect(clippy::disallowed_methods, reason = "another process is waited for, which has no virtual clock")]
fn run_until(house: &House, arguments: &[&str], moment: Moment) -> Option<i32> {
    let mut journals = Journals::of(house);
    let mut child = house
        .command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (start, mut sent) = (Instant::now(), 0);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        let is_now = match moment {
            Moment::After(after) => start.elapsed() >= after,
            Moment::Sent(calls) => {
                sent += journals.sent();
                sent >= calls
            }
        };
        if is_now {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Goes on with the last job of a command until there is none left that is unfinished. Returns how often it was
/// killed while calls were on their way.
fn finish(house: &House, command: [&str; 2], kills: usize, random: &mut Random) -> usize {
    let resume = [command[0], command[1], "shop", "--resume"];
    let (mut killed, mut amid_calls) = (0, 0);
    while killed < kills {
        let moment = match random.below(4) {
            0 => Moment::After(Duration::from_millis(random.below(4_500))),
            _ => Moment::Sent(1 + random.below(6)),
        };
        match run_until(house, &resume, moment) {
            Some(2) => break,
            Some(_) => {}
            None => {
                killed += 1;
                amid_calls += usize::from(matches!(moment, Moment::Sent(_)));
            }
        }
    }
    for _ in 0..200 {
        let done = house.run(&resume);
        if done.code == Some(2) {
            assert!(done.stderr.contains("no unfinished job"), "{}", done.stderr);
            return amid_calls;
        }
    }
    panic!("the job does not come to its end");
}

/// Gives a command, killed again and again, until there is a job more. Killed before there is a plan, it is given
/// again; afterwards it is gone on with. The last time it is killed amid its first calls. Returns how often it was
/// killed there.
fn begin(house: &House, command: &[&str], random: &mut Random) -> usize {
    let before = journals(house).len();
    run_until(house, command, Moment::After(Duration::from_millis(5)));
    run_until(house, command, Moment::After(Duration::from_millis(random.below(300))));
    let mut amid_calls = 0;
    while journals(house).len() == before {
        amid_calls += usize::from(run_until(house, command, Moment::Sent(1)).is_none());
    }
    amid_calls
}

/// What is written amid kills and lost replies.
struct Trial {
    platform: &'static str,
    command: [&'static str; 2],
    /// The calls whose replies are lost.
    apis: &'static [&'static str],
    /// Whether the SKU's code alone says which it is, without the product.
    by_code: bool,
    /// What is asked for, by the stock that is there.
    value: fn(i64) -> i64,
    /// What is there afterwards.
    expected: fn(i64) -> i64,
    /// One kill of this number, at least, is amid calls: where many rows go into a call, there are few.
    share: usize,
}

impl Trial {
    fn run(&self) {
        let (size, command) = (size(), self.command);
        let house = house(self.platform, size, self.apis);
        let before = books(&house, self.platform);
        let mut random = Random(before.len() as u64);
        let chosen: BTreeMap<_, i64> =
            before.iter().map(|(key, stock)| (key, *stock)).take(size.skus).collect();
        assert_eq!(chosen.len(), size.skus);
        let row = |((product, sku), stock): (&&(String, String), &i64)| {
            let product = if self.by_code { "" } else { product };
            format!("{product},{sku},{}\n", (self.value)(*stock))
        };
        let rows: String = chosen.iter().map(row).collect();
        let file = house.file("stock.csv", &format!("product,sku,quantity\n{rows}"));
        let mut killed = begin(&house, &[command[0], command[1], "shop", &file, "--yes"], &mut random);
        // What is left to do is in the journal.
        std::fs::remove_file(&file).unwrap();
        killed += finish(&house, command, size.kills, &mut random);
        assert!(killed >= size.kills / self.share, "{killed}");
        let after = books(&house, self.platform);
        for (key, stock) in &before {
            let expected = if chosen.contains_key(key) { (self.expected)(*stock) } else { *stock };
            assert_eq!(after[key], expected, "{key:?} was {stock}");
        }
        // Back, through the same trouble.
        begin(&house, &[command[0], command[1], "shop", "--undo", "--yes"], &mut random);
        finish(&house, command, size.kills / 5, &mut random);
        for (key, stock) in books(&house, self.platform) {
            assert_eq!(stock, before[&key], "{key:?} is not back");
        }
    }
}

#[test]
fn an_addition_that_is_killed_and_loses_replies_adds_each_row_once() {
    Trial {
        platform: "lazada",
        command: ["stock", "add"],
        apis: &["/product/stock/sellable/adjust"],
        by_code: true,
        value: |_| 7,
        expected: |stock| stock + 7,
        share: 10,
    }
    .run();
}

#[test]
fn a_stock_that_is_set_amid_kills_is_the_asked_one_and_comes_back() {
    Trial {
        platform: "lazada",
        command: ["stock", "set"],
        apis: &["/product/price_quantity/update"],
        by_code: true,
        value: |stock| stock + 1_000,
        expected: |stock| stock + 1_000,
        share: 10,
    }
    .run();
}

#[test]
fn an_addition_on_taobao_amid_kills_adds_each_row_once() {
    Trial {
        platform: "taobao",
        command: ["stock", "add"],
        apis: &["taobao.skus.quantity.update", "taobao.item.quantity.update"],
        by_code: false,
        value: |_| 7,
        expected: |stock| stock + 7,
        share: 3,
    }
    .run();
}

#[test]
fn pieces_that_are_added_and_taken_away_on_alibaba_amid_kills_are_counted_once() {
    // What cannot be taken away is added.
    let change = |stock: i64| if stock % 2 == 0 && stock > 3 { -3 } else { 7 };
    Trial {
        platform: "alibaba",
        command: ["stock", "add"],
        apis: &["/icbu/product/inventory/update"],
        by_code: false,
        value: change,
        expected: |stock| stock + if stock % 2 == 0 && stock > 3 { -3 } else { 7 },
        share: 3,
    }
    .run();
}

#[test]
fn a_stock_that_is_set_on_aliexpress_amid_kills_is_the_asked_one_and_comes_back() {
    Trial {
        platform: "aliexpress",
        command: ["stock", "set"],
        apis: &["aliexpress.solution.batch.product.inventory.update"],
        by_code: false,
        value: |stock| stock + 1_000,
        expected: |stock| stock + 1_000,
        share: 10,
    }
    .run();
}

#[test]
fn orders_that_are_shipped_amid_kills_are_packed_once() {
    let size = size();
    let house = house("lazada", size, &["/order/fulfill/pack", "/order/package/rts"]);
    let list = ["orders", "list", "shop", "--all", "--stage", "to_ship", "-o", "json"];
    let waiting = |house: &House| -> Vec<String> {
        let json = house.run(&list).succeeds().json();
        json.as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
    };
    let orders: Vec<String> = waiting(&house).into_iter().take(12).collect();
    let folder = house.path().join("labels").display().to_string();
    let mut ship = vec!["orders", "ship", "shop", "--yes", "--labels", &folder];
    ship.extend(orders.iter().map(String::as_str));
    let mut random = Random(7);
    for _ in 0..size.kills.min(20) {
        run_until(&house, &ship, Moment::After(Duration::from_millis(random.below(4_000))));
    }
    let done = (0..20).any(|_| house.run(&ship).code == Some(0));
    assert!(done, "the orders are shipped in the end");
    for order in &orders {
        let json = house.run(&["orders", "get", "shop", order, "-o", "json"]).succeeds().json();
        let json = json.as_array().map_or(&json, |rows| &rows[0]);
        let packages = json["packages"].as_array().unwrap();
        assert_eq!(packages.len(), 1, "{order}: {packages:?}");
        let label = format!("{folder}/{order}-{}.pdf", packages[0]["id"].as_str().unwrap());
        assert!(std::fs::read(&label).unwrap().starts_with(b"%PDF-"), "{label}");
        let lines = json["lines"].as_array().unwrap();
        let is_ready =
            |line: &serde_json::Value| line["status"] == "ready_to_ship" || line["stage"] == "cancelled";
        assert!(lines.iter().all(is_ready), "{order}");
    }
}
