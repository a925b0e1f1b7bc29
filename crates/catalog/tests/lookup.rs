//! From what people write to the contract of one API.

use sesame_catalog::{Catalog, Endpoint, Safety, request_url, signed_path};
use sesame_core::{ErrorKind, Shape};

#[test]
fn the_built_in_platforms_decode() {
    let names: Vec<&str> = Catalog::builtin().platforms().iter().map(|platform| platform.name.as_str()).collect();
    assert_eq!(names, ["alibaba", "aliexpress", "aliexpress-legacy", "1688", "lazada", "daraz", "miravia", "taobao"]);
}

#[test]
fn smoke() {
    let catalog = Catalog::builtin();
    let api = catalog.api("lazada", "orders/get").unwrap();
    println!("{:?}", api.paging);
    let urls = catalog.platform("lazada").unwrap().urls(Some("vn"), None).unwrap();
    println!("{}", request_url(&urls, &api, "1", None));
    println!("{:?}", catalog.search("product list", None, 10));
    println!("{:?}", catalog.explain("IllegalAccessToken"));
    println!("{:?}", catalog.api("1688", "system/currentTime"));
    println!("{:?}", catalog.api("aliexpress-legacy", "api.findProductInfoListQuery@2").unwrap().params.len());
}
