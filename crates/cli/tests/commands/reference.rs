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

#[test]
fn every_command_has_a_man_page() {
    let house = House::empty();
    let folder = house.path().join("man");
    house.run(&["generate-docs", "--man", folder.to_str().unwrap()]).succeeds();
    let page = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(page("sesame.1").contains(".TH sesame 1"));
    assert!(page("sesame-vault-rekey.1").contains("sesame vault rekey"));
    assert!(page("sesame-apis-search.1").contains("Examples"));
}
