//! TOP's wrapped lists on the routes that have them.

use crate::support::Bench;

/// The names of the wrappers are those of the vendor's classes.
#[tokio::test]
async fn lists_are_wrapped_on_the_top_like_route_unless_simplified() {
    let bench = Bench::start().await;
    let query = r#"{"product_status_type":"onSelling"}"#;
    for (platform, method, args, list, class) in [
        (
            "aliexpress",
            "aliexpress.solution.product.list.get",
            vec![("aeop_a_e_product_list_query", query)],
            "/result/aeop_a_e_product_display_d_t_o_list",
            "item_display_dto",
        ),
        ("alibaba", "alibaba.icbu.product.list", vec![], "/products", "alibaba_product_brief_response"),
        ("alibaba", "alibaba.icbu.photobank.group.list", vec![], "/groups", "photo_album_group"),
        ("alibaba", "alibaba.icbu.category.get.new", vec![("cat_id", "0")], "/category/child_ids", "number"),
        (
            "alibaba",
            "alibaba.icbu.product.get",
            vec![("product_id", "1600107214049")],
            "/product/attributes",
            "product_attribute",
        ),
    ] {
        let app = bench.app(platform);
        let login = bench.iop_login(&app, &bench.login(platform)).await;
        let mut pairs = args;
        let token = login["access_token"].as_str().unwrap();
        pairs.extend([("method", method), ("access_token", token), ("language", "ENGLISH")]);
        let reply = bench.sync(&app, &pairs).await.json();
        let root = format!("/{}_response", method.replace('.', "_"));
        pairs.push(("simplify", "true"));
        let simple = bench.sync(&app, &pairs).await.json();
        let plain = simple.pointer(list).unwrap_or_else(|| panic!("{simple:.300}"));
        assert!(!plain.as_array().unwrap().is_empty());
        let wrapped = reply.pointer(&format!("{root}{list}")).unwrap();
        let names: Vec<&String> = wrapped.as_object().unwrap().keys().collect();
        assert_eq!(names, [class], "{method}");
        assert_eq!(wrapped[class].as_array().unwrap().len(), plain.as_array().unwrap().len());
    }
}
