//! The example of an overlay in `data/README.md` works as printed.

use std::fs;

use sesame_catalog::Catalog;

#[test]
fn the_overlay_of_the_readme_is_read() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/README.md")).unwrap();
    let overlay = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("readme.toml"), overlay).unwrap();
    let catalog = Catalog::open(Some(folder.path())).unwrap();
    let api = catalog.api("lazada", "our-orders").unwrap();
    assert_eq!(api.name, "/orders/get");
    assert!(api.params.iter().any(|param| param.name == "our_filter"));
}
