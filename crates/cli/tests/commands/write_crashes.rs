//! Writes that are killed in the middle and lose replies: the numbers are the asked ones all the same.

use std::{
    collections::BTreeMap,
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
struct Size {
    products: usize,
    skus: usize,
    kills: usize,
}

fn size() -> Size {
    if is_torture() {
        Size { products: 3_000, skus: 5_000, kills: 50 }
    } else {
        Size { products: 120, skus: 150, kills: 4 }
    }
}

/// A shop whose gateway carries out one write of eight and loses its answer.
fn house(size: &Size, apis: &[&str]) -> House {
    let house = House::with(|options| {
        options.products = size.products;
        options.faults = apis
            .iter()
            .map(|api| {
                let mut rule = FaultRule::new(FaultKind::DropAfter).on(*api);
                rule.probability = Some(0.125);
                rule
            })
            .collect();
    });
    house.and_accounts(&[("lazada", "shop")])
}

/// The stock of all SKUs by their code.
fn books(house: &House) -> BTreeMap<String, i64> {
    let list = ["products", "list", "shop", "--all", "-o", "json"];
    let json = house.run(&list).succeeds().json();
    let skus = json.as_array().unwrap().iter().flat_map(|row| row["raw"]["skus"].as_array().unwrap());
    skus.map(|sku| (sku["SellerSku"].as_str().unwrap().to_owned(), sku["quantity"].as_i64().unwrap()))
        .collect()
}

/// Runs a command and kills it after a while. Returns `true` if it came to its end by itself.
#[expect(clippy::disallowed_methods, reason = "another process is waited for, which has no virtual clock")]
fn run_for(house: &House, arguments: &[&str], after: Duration) -> bool {
    let mut child = house
        .command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        if start.elapsed() >= after {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Goes on with the last job of a command until there is none left that is unfinished.
fn finish(house: &House, command: &[&str; 2], size: &Size, random: &mut Random) {
    let resume = [command[0], command[1], "shop", "--resume"];
    for nth in 0..200 {
        if nth < size.kills {
            run_for(house, &resume, Duration::from_millis(random.below(4_500)));
            continue;
        }
        let done = house.run(&resume);
        if done.code == Some(2) {
            assert!(done.stderr.contains("no unfinished job"), "{}", done.stderr);
            return;
        }
    }
    panic!("the job does not come to its end");
}

fn tried(command: [&'static str; 2], api: &str, value: impl Fn(i64) -> i64, expected: impl Fn(i64) -> i64) {
    let size = size();
    let house = house(&size, &[api]);
    let before = books(&house);
    let mut random = Random(before.len() as u64);
    let chosen: Vec<(&String, &i64)> = before.iter().take(size.skus).collect();
    let rows: Vec<String> = chosen.iter().map(|(sku, stock)| format!("{sku},{}", value(**stock))).collect();
    let file = house.file("stock.csv", &format!("sku,quantity\n{}\n", rows.join("\n")));
    // Killed before there is a plan, the command is given again; afterwards it is gone on with.
    let begin = [command[0], command[1], "shop", &file, "--yes"];
    let has_job = || std::fs::read_dir(house.path().join("jobs")).is_ok_and(|mut jobs| jobs.next().is_some());
    run_for(&house, &begin, Duration::from_millis(5));
    while !has_job() {
        run_for(&house, &begin, Duration::from_millis(300 + random.below(1_200)));
    }
    finish(&house, &command, &size, &mut random);
    let after = books(&house);
    for (sku, stock) in &before {
        let is_chosen = chosen.iter().any(|(chosen, _)| *chosen == sku);
        let expected = if is_chosen { expected(*stock) } else { *stock };
        assert_eq!(after[sku], expected, "{sku} was {stock}");
    }
    let skus = chosen.len();
    assert!(skus > 100, "{skus}");
    if command[1] == "set" {
        // Back, through the same trouble.
        let undo = [command[0], command[1], "shop", "--undo", "--yes"];
        house.run(&undo);
        finish(&house, &command, &Size { kills: 0, ..size }, &mut random);
        assert_eq!(books(&house), before);
    }
}

#[test]
fn an_addition_that_is_killed_and_loses_replies_adds_each_row_once() {
    tried(["stock", "add"], "/product/stock/sellable/adjust", |_| 7, |stock| stock + 7);
}

#[test]
fn a_stock_that_is_set_amid_kills_is_the_asked_one_and_comes_back() {
    tried(["stock", "set"], "/product/price_quantity/update", |stock| stock + 1_000, |stock| stock + 1_000);
}

#[test]
fn orders_that_are_shipped_amid_kills_are_packed_once() {
    let size = size();
    let house = house(&size, &["/order/fulfill/pack", "/order/package/rts"]);
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
        run_for(&house, &ship, Duration::from_millis(random.below(4_000)));
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
