//! Lists that move while they are read, through trouble and kills: every row that is there all the while comes
//! once.

#![expect(clippy::print_stdout, reason = "how much moved, and what is missing, says what a run was worth")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    process::{Child, Stdio},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    house::House,
    write_crashes::{Random, is_torture},
};

/// A list of one platform, and how much of it is read.
struct Tried {
    platform: &'static str,
    list: &'static str,
    rows: usize,
    kills: usize,
}

/// A shop that changes 50 times a second behind a gateway with limits, of whose replies some are lost, late,
/// cut off or errors.
fn house(tried: &Tried) -> House {
    let house = House::with(|options| {
        // A shop has an order for ten products.
        options.products = if tried.list == "orders" { tried.rows * 10 } else { tried.rows };
        options.churn = 50.0;
    });
    let house = house.and_accounts(&[(tried.platform, "shop")]);
    house.control("quotas", Some(json!({"calls": 100, "seconds": 1})));
    for mut fault in [
        json!({"kind": "drop-before"}),
        json!({"kind": "drop-after"}),
        json!({"kind": "truncated"}),
        json!({"kind": "html"}),
        json!({"kind": "busy"}),
        json!({"kind": "status", "status": 503}),
        json!({"kind": "latency", "ms": 80}),
    ] {
        fault["probability"] = 0.01.into();
        house.control("faults", Some(fault));
    }
    house
}

/// The ids of what the gateway has in its books.
fn books(house: &House, tried: &Tried) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let since: Timestamp = house.control("clock", None)["now"].as_str().unwrap().parse().unwrap();
    let since = (since - SignedDuration::from_hours(24 * 89)).to_string();
    for page in 0.. {
        let path = format!("{}?platform={}&limit=1000&offset={}", tried.list, tried.platform, page * 1_000);
        let json = house.control(&path, None);
        let rows = json[tried.list].as_array().unwrap();
        // Taobao shows the orders of the last three months.
        let is_shown = |row: &&Json| {
            row["status"] != "deleted"
                && !(tried.list == "orders"
                    && tried.platform == "taobao"
                    && row["modified"].as_str() < Some(since.as_str()))
        };
        let living = rows.iter().filter(is_shown);
        ids.extend(living.map(|row| row["id"].to_string()));
        if rows.len() < 1_000 {
            break;
        }
    }
    ids
}

/// Waits until a process ends, or kills it when the file has this many bytes.
#[expect(clippy::disallowed_methods, reason = "another process is waited for, which has no virtual clock")]
fn ends_before(child: &mut Child, file: &File, bytes: u64) -> bool {
    while child.try_wait().unwrap().is_none() {
        if file.metadata().unwrap().len() >= bytes {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn every_row_comes_once(tried: &Tried) {
    let house = house(tried);
    let before = books(&house, tried);
    assert!(before.len() > tried.rows / 2, "{}", before.len());
    let bookmark = house.path().join("list.bm").display().to_string();
    let rows = house.path().join("rows.ndjson");
    let file = OpenOptions::new().create(true).append(true).open(&rows).unwrap();
    let list = [tried.list, "list", "shop", "--all", "-o", "ndjson", "--bookmark", &bookmark];
    let mut random = Random(before.len() as u64);
    let mut kills = 0;
    for run in 0.. {
        let errors = house.path().join("errors.txt");
        let mut child = house
            .command(&list)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let written = file.metadata().unwrap().len();
        let most =
            written.max(1_500 * 20) / (fs::read_to_string(&rows).unwrap().lines().count().max(20) as u64);
        let share = 2 * before.len() as u64 / (tried.kills as u64 + 1);
        let until = if kills < tried.kills { written + random.below(share) * most } else { u64::MAX };
        if !ends_before(&mut child, &file, until) {
            kills += 1;
            continue;
        }
        let said = fs::read_to_string(&errors).unwrap();
        match child.wait().unwrap().code() {
            Some(0) => break,
            // The network and the limits of the gateway: the same command goes on.
            Some(5 | 6) => assert!(said.contains("--bookmark") && run < 200, "{said}"),
            code => panic!("{tried}: {code:?} {said}"),
        }
    }
    let after = books(&house, tried);
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for line in fs::read_to_string(&rows).unwrap().lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        *found.entry(row["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{tried}: {} came twice: {:?}", twice.len(), &twice[..twice.len().min(9)]);
    let stable = before.intersection(&after).count();
    let missing: Vec<_> = before.intersection(&after).filter(|id| !found.contains_key(*id)).collect();
    for id in missing.iter().take(3) {
        println!(
            "{tried} {}",
            house.control(&format!("{}?platform={}&id={id}", tried.list, tried.platform), None)
        );
    }
    assert!(
        missing.is_empty(),
        "{tried}: {} of {stable} are missing: {:?}",
        missing.len(),
        &missing[..missing.len().min(9)]
    );
    // A shop begins with 2,000 orders at most.
    let expected = if tried.list == "orders" { tried.rows.min(2_000) } else { tried.rows };
    assert!(stable > expected / 2, "{tried}: {stable}");
    println!(
        "{tried}: {stable} rows of {} were there all the while, {kills} kills: each came once",
        before.len()
    );
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.list, self.platform)
    }
}

fn products(platform: &'static str) {
    let (rows, kills) = if is_torture() { (20_000, 20) } else { (600, 3) };
    every_row_comes_once(&Tried { platform, list: "products", rows, kills });
}

fn orders(platform: &'static str) {
    let (rows, kills) = if is_torture() { (10_000, 20) } else { (300, 3) };
    every_row_comes_once(&Tried { platform, list: "orders", rows, kills });
}

#[test]
fn a_catalog_of_alibaba_that_moves_comes_once_through_kills() {
    products("alibaba");
}

#[test]
fn a_catalog_of_aliexpress_that_moves_comes_once_through_kills() {
    products("aliexpress");
}

#[test]
fn a_catalog_of_1688_that_moves_comes_once_through_kills() {
    products("1688");
}

#[test]
fn a_catalog_of_lazada_that_moves_comes_once_through_kills() {
    products("lazada");
}

#[test]
fn a_catalog_of_taobao_that_moves_comes_once_through_kills() {
    products("taobao");
}

#[test]
fn orders_of_aliexpress_that_move_come_once_through_kills() {
    orders("aliexpress");
}

#[test]
fn orders_of_1688_that_move_come_once_through_kills() {
    orders("1688");
}

#[test]
fn orders_of_lazada_that_move_come_once_through_kills() {
    orders("lazada");
}

#[test]
fn orders_of_taobao_that_move_come_once_through_kills() {
    orders("taobao");
}
