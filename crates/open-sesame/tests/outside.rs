//! A program of a crate outside this workspace, with one path dependency, compiles.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{fs, path::Path, process::Command};

const PROGRAM: &str = r#"
use open_sesame::{Json, Result, Sesame};

type Orders = Json;
type Product = Json;

pub async fn work(dir: &std::path::Path) -> Result<()> {
    let sesame = Sesame::builder().home(dir).build().await?;
    let orders: Orders = sesame.call("shop", "/orders/get").arg("limit", 10).send_as().await?;
    let mut rows = sesame.call("shop", "/products/get").rows::<Product>();
    let token = sesame.vault().access_token("shop").await?;

    // The rows are a stream, and a row or an error is what comes out of it.
    let row: Option<Result<Product>> = rows.next().await;
    drop((orders, row, token));
    Ok(())
}

/// Calls run on any thread.
pub fn is_send(dir: &std::path::Path) -> impl Send {
    work(dir)
}
"#;

/// Uses what `sesame codegen rust` wrote.
const TYPED: &str = r#"
#[allow(clippy::all)]
pub mod apis;

use open_sesame::{Result, Sesame};

pub async fn work(sesame: &Sesame) -> Result<Option<i64>> {
    let arguments = apis::OrdersGetArguments { limit: Some(10), ..Default::default() };
    let reply: apis::OrdersGetReply = sesame.call("shop", "/orders/get").args(&arguments)?.send_as().await?;
    Ok(reply.data.and_then(|data| data.count_total))
}
"#;

/// Ten APIs of several protocols: JSON in texts, files, deep lists, names that are keywords.
const APIS: [(&str, &str); 10] = [
    ("lazada", "/orders/get"),
    ("lazada", "/order/get"),
    ("lazada", "/product/create"),
    ("lazada", "/products/get"),
    ("lazada", "/finance/payout/status/get"),
    ("taobao", "taobao.trade.fullinfo.get"),
    ("taobao", "taobao.items.onsale.get"),
    ("aliexpress", "aliexpress.solution.product.post"),
    ("1688", "com.alibaba.product:alibaba.product.list.get"),
    ("aliexpress-legacy", "api.findAeProductById"),
];

#[test]
#[ignore = "builds every dependency anew, which takes minutes: run it with --ignored, as the nightly run does"]
fn four_lines_with_one_dependency_compile() {
    check(PROGRAM, None, "");
}

#[test]
#[ignore = "builds every dependency anew, which takes minutes: run it with --ignored, as the nightly run does"]
fn generated_types_compile_and_are_taken_by_calls() {
    let catalog = open_sesame::Catalog::builtin();
    let apis = APIS.map(|(platform, name)| catalog.api(platform, name).unwrap());
    assert!(apis.iter().all(|api| api.known));
    let text = sesame_documents::code::generate(sesame_documents::code::Language::Rust, &apis);
    check(TYPED, Some(&text), "serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n");
}

/// Compiles a crate that depends on the library by its path.
fn check(program: &str, apis: Option<&str>, dependencies: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap().parent().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nopen-sesame = {{ path = \"{}\" }}\n{dependencies}\n[workspace]\n",
        here.display()
    );
    fs::write(outside.path().join("Cargo.toml"), manifest).unwrap();
    // The versions that this workspace was built with: nothing has to be fetched.
    fs::copy(root.join("Cargo.lock"), outside.path().join("Cargo.lock")).unwrap();
    fs::create_dir(outside.path().join("src")).unwrap();
    fs::write(outside.path().join("src/lib.rs"), program).unwrap();
    if let Some(apis) = apis {
        fs::write(outside.path().join("src/apis.rs"), apis).unwrap();
    }
    let done = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet"])
        .current_dir(outside.path())
        .env("CARGO_TARGET_DIR", root.join("target/outside"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
