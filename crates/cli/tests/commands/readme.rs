//! The commands that the READMEs print are run as printed.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use sesame_core::AppSecret;
use sesame_sandbox::AppSpec;

use crate::house::House;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The title of the section whose commands want a shop with orders and a spreadsheet.
const SELLERS_DAY: &str = "## A seller's day\n";

/// The lines of all ```sh blocks of a document, without their comments.
fn shell_lines(document: &str) -> Vec<String> {
    shell_lines_of(&std::fs::read_to_string(root().join(document)).unwrap())
}

fn shell_lines_of(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            let command = line.split(" #").next().unwrap_or_default().trim();
            if !command.is_empty() {
                lines.push(command.to_owned());
            }
        }
    }
    lines
}

#[test]
fn both_readmes_open_with_the_same_two_commands() {
    for document in ["README.md", "README.zh-CN.md"] {
        let lines = shell_lines(document);
        assert_eq!(lines[..2], ["cargo run -- demo", "./dev test"], "{document}");
    }
    let dev = std::fs::metadata(root().join("dev")).unwrap();
    #[cfg(unix)]
    assert!(std::os::unix::fs::PermissionsExt::mode(&dev.permissions()) & 0o111 != 0, "./dev cannot be run");
    assert!(dev.is_file());
}

#[test]
fn both_readmes_print_the_same_commands() {
    assert_eq!(shell_lines("README.md"), shell_lines("README.zh-CN.md"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> = ["", "docs", "docs/decisions", "interop", "crates/catalog/data"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    documents.sort();
    let mut broken = Vec::new();
    for document in &documents {
        let text = std::fs::read_to_string(document).unwrap();
        for target in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            if !document.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(documents.len() >= 10 && broken.is_empty(), "{broken:#?}");
}

#[cfg(unix)]
#[test]
fn the_readmes_commands_work_as_printed() {
    let secret = "a-secret-of-the-readme-000000000";
    let mut house = House::with(|options| {
        options.apps.push(AppSpec {
            platform: "alibaba".to_owned(),
            key: "12345678".to_owned(),
            secret: AppSecret::new(secret),
            redirect_uri: None,
        });
    });
    // The shell finds `sesame`, and nothing else of the outside, on its path.
    let binary = Path::new(env!("CARGO_BIN_EXE_sesame")).parent().unwrap().to_owned();
    house.set("PATH", &format!("{}:/usr/bin:/bin", binary.display()));
    house.set("MY_SECRET", secret);

    let table = "account\tapp_key\tapp_secret\taliId\taccess_token\trefresh_token\taccess_create_time\trefresh_create_time\n\
         cn1\t900123\tsecret0of0the0table\t8888\taaaa-1\trrrr-1\t2026-11-26 20:00:00\t2026-11-01 10:00:00\n";
    std::fs::write(house.path().join("shops.tsv"), table).unwrap();

    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (before, rest) = text.split_once(SELLERS_DAY).unwrap();
    let after = rest.split_once("\n## ").unwrap().1;
    let mut run = 0;
    for line in shell_lines_of(before).into_iter().chain(shell_lines_of(after)) {
        if !line.starts_with("sesame ") {
            continue;
        }
        if line.starts_with("sesame sandbox") {
            // It would run on: that its options are understood is enough here.
            house.run(&[line.split(' ').skip(1).collect::<Vec<_>>(), vec!["--help"]].concat()).succeeds();
            continue;
        }
        // It would run on, too: one round of it is enough.
        let line = line.replace("sesame keeper", "sesame keeper --once");
        // Not the imported one, whose app the sandbox does not know.
        let shops = house.run(&["accounts", "--output", "json"]).json();
        let healthy = shops.as_array().unwrap().iter().find(|shop| shop["state"] == "healthy");
        let shop = healthy.and_then(|shop| shop["name"].as_str()).map(str::to_owned);
        let line = line.replace("SHOP", shop.as_deref().unwrap_or("SHOP"));
        let done = house.shell(&line);
        assert_eq!(done.code, Some(0), "{line}\n{}\n{}", done.stdout, done.stderr);
        run += 1;
    }
    assert!(run >= 5, "the README lost its commands: {run}");
}

/// 1,000 prices from a workbook, set and set back; the orders of two shops on two platforms, shipped, with labels.
#[cfg(unix)]
#[test]
fn the_sellers_day_works_as_printed() {
    let mut house = House::with(|options| {
        options.products = 900;
    })
    .and_accounts(&[("lazada", "shop"), ("daraz", "other")]);
    let binary = Path::new(env!("CARGO_BIN_EXE_sesame")).parent().unwrap().to_owned();
    house.set("PATH", &format!("{}:/usr/bin:/bin", binary.display()));

    let products = house.run(&["products", "list", "shop", "--all", "-o", "json"]).succeeds().json();
    let skus =
        products.as_array().unwrap().iter().flat_map(|product| product["raw"]["skus"].as_array().unwrap());
    let codes: Vec<&str> = skus.map(|sku| sku["SellerSku"].as_str().unwrap()).take(1_000).collect();
    assert_eq!(codes.len(), 1_000);
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["sku", "price"]).unwrap();
    for (row, code) in (1_u32..).zip(&codes) {
        sheet.write_string(row, 0, *code).unwrap();
        sheet.write_number(row, 1, 123.0 + f64::from(row % 50)).unwrap();
    }
    book.save(house.path().join("prices.xlsx")).unwrap();
    let price = |code: &str| {
        let asked = format!("sku_seller_list=[\"{code}\"]");
        let json = house.run(&["call", "shop", "/products/get", &asked]).succeeds().json();
        let skus = json["data"]["products"][0]["skus"].as_array().unwrap().clone();
        skus.iter().find(|sku| sku["SellerSku"] == code).unwrap()["price"].to_string()
    };
    let before = price(codes[10]);
    for (account, platform) in [("shop", "lazada"), ("other", "daraz")] {
        let products = house.run(&["products", "list", account, "--all", "-o", "json"]).succeeds().json();
        let in_stock = |product: &&Json| product["raw"]["skus"][0]["Available"].as_u64() > Some(5);
        let product =
            products.as_array().unwrap().iter().filter(|row| row["status"] == "Active").find(in_stock);
        let id = product.unwrap()["id"].as_str().unwrap();
        house
            .shell(&format!(
                r#"curl -fsS '{}/_sandbox/orders?platform={platform}' -d '{{"do":"create","paid":true,"lines":[{{"product":{id},"quantity":2}}]}}'"#,
                house.url()
            ))
            .succeeds();
    }

    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = text.split_once(SELLERS_DAY).unwrap().1.split_once("\n## ").unwrap().0;
    let lines = shell_lines_of(section);
    assert_eq!(lines.len(), 9);
    for line in lines {
        let done = house.shell(&line.replace("SHOP", "shop").replace("PEN-RED-12", codes[0]));
        assert_eq!(done.code, Some(0), "{line}\n{}\n{}", done.stdout, done.stderr);
        if line.contains("prices.xlsx --yes") {
            assert!(done.stdout.contains("1000 done"), "{}", done.stdout);
            assert_eq!(price(codes[10]), "134.0", "row 11 of the workbook");
        } else if line.contains("--undo") {
            assert_eq!(price(codes[10]), before);
        }
    }
    let orders = ["orders", "list", "--all-shops", "--since", "1d", "--stage", "packed", "-o", "json"];
    assert_eq!(house.run(&orders).succeeds().json().as_array().unwrap().len(), 2, "not all were shipped");
    assert_eq!(std::fs::read_dir(house.path().join("labels")).unwrap().count(), 2);
}
