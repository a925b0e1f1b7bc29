//! How large the fixtures are, and how fast.
//!
//! The times are printed, not judged: they depend on the machine and the profile. To see them:
//! `cargo test --release -p sesame-sandbox --test it fixture_size -- --nocapture`.

use std::{process::Command, time::Instant};

use sesame_sandbox::fixtures::Fixtures;

use crate::fixture_support::ask_as;

type Args = &'static [(&'static str, &'static str)];

/// One list of each platform, with the largest page.
#[rustfmt::skip]
const LISTS: &[(&str, &str, Args)] = &[
    ("alibaba", "/alibaba/icbu/product/list", &[("page_size", "30"), ("current_page", "2")]),
    ("alibaba", "alibaba.icbu.product.list", &[("page_size", "30"), ("current_page", "2")]),
    ("alibaba", "/alibaba/order/list", &[("role", "seller"), ("page_size", "30")]),
    ("aliexpress", "aliexpress.solution.product.list.get", &[("aeop_a_e_product_list_query", r#"{"product_status_type":"onSelling","page_size":30}"#)]),
    ("aliexpress-legacy", "aliexpress.open:api.findProductInfoListQuery", &[("productStatusType", "onSelling"), ("pageSize", "30")]),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductDetailModuleListByQurey", &[("moduleStatus", "approved"), ("pageIndex", "1")]),
    ("1688", "com.alibaba.product:alibaba.product.list.get", &[("pageSize", "30")]),
    ("lazada", "/products/get", &[("limit", "30")]),
    ("daraz", "/category/tree/get", &[]),
    ("miravia", "/products/get", &[("limit", "30"), ("filter", "live")]),
    ("taobao", "taobao.items.onsale.get", &[("page_size", "30"), ("fields", "num_iid,title,price,modified,pic_url,num")]),
    ("alibaba", "/alibaba/icbu/product/schema/get", &[("cat_id", "21110712"), ("language", "en_US")]),
];

fn ask(world: &Fixtures, shop: usize, api: &str, args: &[(&str, &str)]) -> usize {
    ask_as(world, Some(shop), world.shops()[shop].platform, api, args).unwrap().to_string().len()
}

/// Makes every shop stock its shelves.
fn touch(world: &Fixtures) {
    // No product API of Taobao Global is known: its shops have nothing to stock.
    for (at, shop) in world.shops().iter().enumerate().filter(|(_, shop)| shop.platform != "taobao-global") {
        let (_, api, args) = LISTS
            .iter()
            .find(|list| list.0 == shop.platform && list.1 != "/category/tree/get")
            .map_or(("", "/products/get", &[] as Args), |list| (list.0, list.1, list.2));
        ask(world, at, api, args);
    }
}

fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1_024)
}

/// Measures in a process of its own: what other tests hold does not count.
#[test]
fn ten_thousand_products_stay_under_sixty_megabytes() {
    let measured = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fixture_size::measure", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&measured.stdout);
    println!("{output}");
    assert!(measured.status.success() && output.contains("10,000 products in 16 shops"), "{output}");
}

#[test]
#[ignore = "runs in a process of its own"]
fn measure() {
    let before = resident();
    // 16 shops with products, of 625 each: ten thousand products in all.
    let started = Instant::now();
    let world = Fixtures::generate(1, 2, 625);
    touch(&world);
    println!("10,000 products in 16 shops: {:?}", started.elapsed());
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        println!("resident memory grew by {} kB", grown / 1_000);
        assert!(grown < 60_000_000, "{grown}");
    }

    let started = Instant::now();
    let one = Fixtures::generate(1, 1, 10_000);
    ask(&one, 0, LISTS[0].1, LISTS[0].2);
    println!("10,000 products in one shop: {:?}", started.elapsed());

    let started = Instant::now();
    let demo = Fixtures::generate(1, 2, 60);
    println!("a world of 16 shops of 60 products, not yet asked: {:?}", started.elapsed());
    touch(&demo);
    println!("all 16 asked once: {:?}", started.elapsed());

    for (platform, api, args) in LISTS {
        let shop = world.shops().iter().position(|shop| shop.platform == *platform).unwrap();
        let bytes = ask(&world, shop, api, args);
        let rounds = if cfg!(debug_assertions) { 20 } else { 2_000 };
        let started = Instant::now();
        for _ in 0..rounds {
            assert_eq!(ask(&world, shop, api, args), bytes);
        }
        println!("{:>9.2?} an answer of {bytes:>6} bytes: {platform} {api}", started.elapsed() / rounds);
    }
}
