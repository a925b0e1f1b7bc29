//! The examples of overlays in `data/README.md` work as printed.

use std::fs;

use sesame_catalog::Catalog;

#[test]
fn the_overlays_of_the_readme_are_read() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (nth, rest) in text.split("```toml\n").skip(1).enumerate() {
        let overlay = rest.split("```").next().unwrap();
        fs::write(folder.path().join(format!("{nth}.toml")), overlay).unwrap();
    }
    let catalog = Catalog::open(Some(folder.path())).unwrap();
    let api = catalog.api("lazada", "our-orders").unwrap();
    assert_eq!(api.name, "/orders/get");
    assert!(api.params.iter().any(|param| param.name == "our_filter"));
    assert_eq!(catalog.facet("taobao-global", "products").unwrap().columns.len(), 3);
}
