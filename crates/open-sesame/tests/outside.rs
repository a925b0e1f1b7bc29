//! A program of a crate outside this workspace, with one path dependency, compiles.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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

#[test]
#[ignore = "builds every dependency anew, which takes minutes: run it with --ignored, as the nightly run does"]
fn four_lines_with_one_dependency_compile() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap().parent().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nopen-sesame = {{ path = {here:?} }}\n\n[workspace]\n"
    );
    fs::write(outside.path().join("Cargo.toml"), manifest).unwrap();
    // The versions that this workspace was built with: nothing has to be fetched.
    fs::copy(root.join("Cargo.lock"), outside.path().join("Cargo.lock")).unwrap();
    fs::create_dir(outside.path().join("src")).unwrap();
    fs::write(outside.path().join("src/lib.rs"), PROGRAM).unwrap();
    let done = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet"])
        .current_dir(outside.path())
        .env("CARGO_TARGET_DIR", root.join("target/outside"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
