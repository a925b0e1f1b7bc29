//! The generated reference.

use std::path::Path;

use crate::house::House;

/// `docs/cli.md` follows from the command line. Write it anew with
/// `cargo run -- generate-docs > docs/cli.md`.
#[test]
fn the_reference_is_not_stale() {
    let written = House::empty().run(&["generate-docs"]).succeeds().stdout;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == written, "docs/cli.md is stale: cargo run -- generate-docs > docs/cli.md");
}
