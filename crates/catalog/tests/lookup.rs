//! From what people write to the contract of one API.

use proptest::prelude::*;
use sesame_catalog::{Catalog, PagingStyle, Safety, SearchFilter, Type};
use sesame_core::{ErrorKind, Shape};

fn catalog() -> Catalog {
    Catalog::builtin()
}

#[test]
fn the_platforms_are_those_that_scripts_rely_on() {
    let names: Vec<&str> = catalog().platforms().iter().map(|platform| platform.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "alibaba",
            "aliexpress",
            "aliexpress-legacy",
            "1688",
            "lazada",
            "daraz",
            "miravia",
            "taobao",
            "taobao-global"
        ]
    );
}

#[test]
fn an_unknown_platform_is_a_usage_error_with_a_suggestion() {
    let error = catalog().platform("lasada").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let hint = error.hint().unwrap();
    assert!(hint.contains("Did you mean \"lazada\"?") && hint.contains("taobao"), "{hint}");
    assert!(catalog().platform("").unwrap_err().hint().unwrap().starts_with("The platforms are"));
}

#[test]
fn paths_are_found_with_and_without_slash_in_any_case_and_by_title() {
    for name in [
        "/orders/get",
        "orders/get",
        "/Orders/Get",
        "/rest/orders/get",
        "GetOrders",
        "getorders",
        " /orders/get ",
    ] {
        let api = catalog().api("lazada", name).unwrap();
        assert!(api.known, "{name}");
        assert_eq!(
            (api.name.as_str(), api.path.as_deref(), api.shape),
            ("/orders/get", Some("/orders/get"), Shape::IopRest)
        );
    }
    assert_eq!(catalog().api("daraz", "/orders/get").unwrap().platform, "daraz");
    assert!(catalog().api("miravia", "/products/get").unwrap().known);
}

#[test]
fn aliases_lead_to_the_path_that_the_gateway_routes() {
    let of = |name: &str| catalog().api("alibaba", name).unwrap();
    for name in ["/icbu/product/list", "/alibaba/icbu/product/list", "alibaba.icbu.product.list"] {
        assert_eq!(of(name).name, "/alibaba/icbu/product/list", "{name}");
    }
    assert_eq!(of("/alibaba/icbu/category/schema/level/get").name, "/icbu/product/schema/level/get");
    assert_eq!(of("alibaba.icbu.category.get.new").name, "/icbu/product/category/get");
    assert_eq!(of("alibaba.icbu.category.id.mapping").name, "/alibaba/icbu/category/id/mapping");
    assert_eq!(of("alibaba.icbu.product.batch.update.display").name, "/icbu/product/update/display");
    // Its arguments differ from those of the path, so it stays a call of its own.
    let twin = of("alibaba.icbu.product.get");
    assert_eq!((twin.shape, twin.path), (Shape::IopSync, None));
    let legacy = catalog().api("aliexpress-legacy", "api.findAeProductDetailModuleListByQuery").unwrap();
    assert_eq!(legacy.name, "aliexpress.open:api.findAeProductDetailModuleListByQurey");
}

#[test]
fn the_same_method_has_the_shape_of_the_platform_that_is_asked() {
    assert_eq!(catalog().api("taobao", "alibaba.icbu.product.list").unwrap().shape, Shape::Top);
    assert_eq!(
        catalog().api("aliexpress", "aliexpress.solution.product.list.get").unwrap().shape,
        Shape::IopSync
    );
    assert_eq!(catalog().api("aliexpress", "/auth/token/create").unwrap().shape, Shape::IopRest);
    // No slash in front: the vendor's SDK sends it as a method.
    assert_eq!(catalog().api("aliexpress", "aliexpress/message/list").unwrap().shape, Shape::IopSync);
}

#[test]
fn param2_names_are_taken_in_every_spelling() {
    for name in [
        "com.alibaba.product:alibaba.product.list.get",
        "com.alibaba.product/alibaba.product.list.get",
        "alibaba.product.list.get",
        "alibaba.product.list.get@1",
        "param2/1/com.alibaba.product/alibaba.product.list.get",
        "param2/1/com.alibaba.product/alibaba.product.list.get/1000000",
        "/openapi/param2/1/com.alibaba.product/alibaba.product.list.get/1000000",
    ] {
        let api = catalog().api("1688", name).unwrap();
        assert!(api.known, "{name}");
        assert_eq!(api.name, "com.alibaba.product:alibaba.product.list.get");
        assert_eq!(
            (api.shape, api.version, api.namespace.as_deref()),
            (Shape::Param2, 1, Some("com.alibaba.product"))
        );
    }
    for name in ["system/currentTime", "system:currentTime", "currentTime"] {
        let api = catalog().api("1688", name).unwrap();
        assert_eq!(
            (api.name.as_str(), api.safety, api.auth),
            ("system:currentTime", Safety::Read, Some(false))
        );
    }
    for name in ["getToken", "refreshToken", "postponeToken"] {
        for platform in ["1688", "aliexpress-legacy"] {
            let api = catalog().api(platform, &format!("system.oauth2/{name}")).unwrap();
            assert!(api.known && api.safety == Safety::Write, "{platform} {name}");
        }
    }
}

#[test]
fn versions_are_told_apart() {
    let of = |name: &str| catalog().api("aliexpress-legacy", name).unwrap();
    let (one, two) = (of("api.findProductInfoListQuery"), of("api.findProductInfoListQuery@2"));
    assert_eq!((one.version, two.version), (1, 2));
    assert_eq!(one.name, two.name);
    let has = |api: &sesame_catalog::Api, name: &str| api.params.iter().any(|param| param.name == name);
    assert!(has(&one, "exceptedProductIds") && !has(&two, "exceptedProductIds"));
    assert_eq!((one.signed, two.signed), (Some(true), Some(false)));
    let third = of("api.findProductInfoListQuery@3");
    assert!(!third.known);
    assert_eq!((third.version, third.namespace.as_deref()), (3, Some("aliexpress.open")));
    let listed: Vec<String> = catalog().list("aliexpress-legacy").into_iter().map(|api| api.name).collect();
    assert!(listed.contains(&"aliexpress.open:api.findProductInfoListQuery@2".to_owned()));
    // What a list prints can be looked up as it is.
    for name in &listed {
        assert!(of(name).known, "{name}");
    }
}

#[test]
fn unknown_names_of_legal_form_are_callable() {
    let of = |platform: &str, name: &str| catalog().api(platform, name).unwrap();
    let path = of("lazada", "shiny/new/thing");
    assert!(!path.known && path.safety == Safety::Write && path.safety_derived);
    assert_eq!((path.shape, path.path.as_deref()), (Shape::IopRest, Some("/shiny/new/thing")));
    assert_eq!(of("aliexpress", "/orders/{orderId}").shape, Shape::IopRestVariables);
    assert_eq!(of("aliexpress", "aliexpress.shiny.get").shape, Shape::IopSync);
    assert_eq!(of("aliexpress", "aliexpress.shiny.get").safety, Safety::Read);
    assert_eq!(of("taobao", "taobao.shiny.update").shape, Shape::Top);
    let named = of("1688", "com.alibaba.shiny:alibaba.shiny.doIt@2");
    assert_eq!((named.name.as_str(), named.version), ("com.alibaba.shiny:alibaba.shiny.doIt", 2));
    assert_eq!(of("1688", "alibaba.shiny.doIt").namespace.as_deref(), Some("com.alibaba.product"));
}

#[test]
fn illegal_names_are_usage_errors_that_say_why() {
    let long = "a".repeat(301);
    for (platform, name, why) in [
        ("lazada", "", "is empty"),
        ("lazada", "/", "names nothing"),
        ("lazada", "orders get", "holds a space"),
        ("lazada", "/orders/../admin", "holds `..`"),
        ("lazada", "/orders//get", "holds `//`"),
        ("lazada", "/orders/get?limit=1", "holds '?'"),
        ("lazada", "/orders/get#x", "holds '#'"),
        ("lazada", "/orders/\u{7}get", "holds"),
        ("lazada", "/ordérs", "holds 'é'"),
        ("lazada", "ns:name", "holds ':'"),
        ("aliexpress", "/orders/{id", "a brace that is not closed"),
        ("aliexpress", "/orders/id}", "closes a brace"),
        ("taobao", "/router/rest", "is a path"),
        ("1688", "ns:name@0", "version"),
        ("1688", "ns:name@two", "version"),
        ("1688", "ns:", "is not `[namespace:]name[@version]`"),
        ("1688", "param2/1/ns", "is a URL path"),
        ("lazada", long.as_str(), "301 bytes"),
    ] {
        let error = catalog().api(platform, name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{name}");
        assert!(error.message().contains(why), "{name:?}: {}", error.message());
        assert!(error.hint().is_some_and(|hint| hint.contains("apis search")), "{name}");
        assert!(error.message().len() < 400 && !error.message().contains('\u{7}'), "{name}");
    }
}

#[test]
fn safety_is_written_down_or_derived_and_says_which() {
    let of = |platform: &str, name: &str| {
        let api = catalog().api(platform, name).unwrap();
        (api.safety, api.safety_derived)
    };
    assert_eq!(of("lazada", "/products/get"), (Safety::Read, false));
    assert_eq!(of("lazada", "/product/brands/get"), (Safety::Read, true));
    assert_eq!(of("lazada", "/logistics/tps/stations/create"), (Safety::Write, true));
    assert_eq!(of("alibaba", "/auth/token/refresh"), (Safety::Write, false));
    assert_eq!(of("alibaba", "/icbu/product/inventory/update"), (Safety::Write, false));
    assert_eq!(of("alibaba", "/icbu/product/edit-inventory"), (Safety::Idempotent, false));
    assert_eq!(of("aliexpress-legacy", "api.findAeProductProhibitedWords"), (Safety::Read, true));
    // A word that changes something takes the reading verb back.
    for name in [
        "x.getAndLockStock",
        "x.queryAndConfirm",
        "x.getToken",
        "x.listUpdate",
        "x.add_list",
        "x.pull",
        "x.getStock.do",
    ] {
        assert_eq!(of("taobao", name), (Safety::Write, true), "{name}");
    }
    for name in ["x.get", "x.list", "x.findOrders", "x.getOrderList", "x.get_orders"] {
        assert_eq!(of("taobao", name), (Safety::Read, true), "{name}");
    }
    assert_eq!(of("lazada", "/x/get/v2"), (Safety::Read, true));
}

/// Style, index, size, largest page, first page, rows, key, reachable rows.
type Pages<'a> =
    (PagingStyle, &'a str, Option<&'a str>, Option<u64>, Option<u64>, &'a str, &'a str, Option<u64>);

#[test]
fn the_named_apis_page_as_documented() {
    use PagingStyle::{Offset, Page};
    let cases: &[(&str, &str, Pages<'_>)] = &[
        (
            "alibaba",
            "/alibaba/icbu/product/list",
            (Page, "current_page", Some("page_size"), Some(30), Some(1), "result.products", "id", Some(5000)),
        ),
        (
            "alibaba",
            "/alibaba/order/list",
            (Page, "start_page", Some("page_size"), Some(100), Some(0), "value.order_list", "trade_id", None),
        ),
        (
            "aliexpress-legacy",
            "api.findAeProductDetailModuleListByQurey",
            (Page, "pageIndex", None, None, Some(1), "aeopDetailModuleList", "id", None),
        ),
        (
            "aliexpress-legacy",
            "api.findProductInfoListQuery",
            (
                Page,
                "currentPage",
                Some("pageSize"),
                Some(99),
                Some(1),
                "aeopAEProductDisplayDTOList",
                "productId",
                None,
            ),
        ),
        (
            "aliexpress-legacy",
            "api.findProductInfoListQuery@2",
            (
                Page,
                "currentPage",
                Some("pageSize"),
                Some(99),
                Some(1),
                "aeopAEProductDisplayDTOList",
                "productId",
                None,
            ),
        ),
        (
            "aliexpress",
            "aliexpress.solution.product.list.get",
            (
                Page,
                "aeop_a_e_product_list_query.current_page",
                Some("aeop_a_e_product_list_query.page_size"),
                Some(99),
                Some(1),
                "result.aeop_a_e_product_display_d_t_o_list",
                "product_id",
                None,
            ),
        ),
        (
            "lazada",
            "/products/get",
            (Offset, "offset", Some("limit"), Some(50), Some(0), "data.products", "item_id", Some(10_000)),
        ),
        (
            "lazada",
            "/orders/get",
            (Offset, "offset", Some("limit"), Some(100), Some(0), "data.orders", "order_id", Some(5_000)),
        ),
        (
            "1688",
            "alibaba.product.list.get",
            (
                Page,
                "pageNo",
                Some("pageSize"),
                None,
                Some(1),
                "result.result.pageResult.resultList",
                "productID",
                None,
            ),
        ),
        (
            "taobao",
            "taobao.items.onsale.get",
            (Page, "page_no", Some("page_size"), Some(200), Some(1), "items", "num_iid", Some(20_000)),
        ),
    ];
    for (platform, name, wanted) in cases {
        let api = catalog().api(platform, name).unwrap();
        let paging = api.paging.unwrap_or_else(|| panic!("{name} pages"));
        let found = (
            paging.style,
            paging.index.as_str(),
            paging.size.as_deref(),
            paging.max_size,
            paging.first,
            paging.items.as_deref().unwrap_or_default(),
            paging.key.as_deref().unwrap_or_default(),
            paging.reachable.or(paging.max_index),
        );
        assert_eq!(found, *wanted, "{name}");
        assert!(api.example.is_some() && api.safety == Safety::Read && !api.safety_derived, "{name}");
    }
    let modules = catalog().api("aliexpress-legacy", "api.findAeProductDetailModuleListByQurey").unwrap();
    assert_eq!(modules.paging.unwrap().fixed_size, Some(50));
}

#[test]
fn dotted_names_of_the_sources_are_members_and_json_examples_are_fields() {
    let api = catalog().api("alibaba", "/icbu/product/get").unwrap();
    let request = &api.params[0];
    assert_eq!((request.name.as_str(), request.kind), ("product_get_request", Type::Object));
    assert_eq!(request.children[0].name, "productId");
    let result = &api.response[0];
    assert!(result.children.iter().any(|field| field.name == "skus" || field.name == "product_sku"));
    let items = catalog().api("taobao", "taobao.items.onsale.get").unwrap().response;
    let items = items.iter().find(|field| field.name == "items").unwrap();
    assert!(items.list && items.vendor_type.as_deref() == Some("Item"));
}

#[test]
fn search_ranks_the_name_before_its_neighbors() {
    let catalog = catalog();
    let names = |text: &str, platform: Option<&str>| -> Vec<String> {
        catalog
            .search(text, &SearchFilter { platform, limit: 20, ..SearchFilter::default() })
            .into_iter()
            .map(|api| api.name)
            .collect()
    };
    assert_eq!(names("/orders/get", Some("lazada"))[0], "/orders/get");
    assert_eq!(names("GETORDERS", Some("lazada"))[0], "/orders/get");
    assert_eq!(names("taobao.items.onsale.get", None)[0], "taobao.items.onsale.get");
    assert!(names("onsale items", None).contains(&"taobao.items.onsale.get".to_owned()));
    assert!(names("detailmodule", Some("aliexpress-legacy"))[0].contains("DetailModule"));
    let product = |filter: SearchFilter<'_>| catalog.search("product", &filter);
    assert_eq!(product(SearchFilter { limit: 7, ..SearchFilter::default() }).len(), 7);
    assert!(names("", None).is_empty() && names("product nosuchword", None).is_empty());
    assert!(product(SearchFilter { platform: Some("nowhere"), ..SearchFilter::default() }).is_empty());
}

#[test]
fn what_a_list_prints_is_found_under_its_name() {
    let catalog = catalog();
    for platform in catalog.platforms() {
        for api in catalog.list(&platform.name) {
            let found = catalog.api(&platform.name, &api.name).unwrap();
            assert!(found.known, "{} {}", platform.name, api.name);
            assert!(
                found.name == api.name || format!("{}@{}", found.name, found.version) == api.name,
                "{} {}",
                found.name,
                api.name
            );
            assert_eq!(
                (found.safety, found.safety_derived),
                (api.safety, api.safety_derived),
                "{}",
                api.name
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_name_panics(platform in 0usize..8, name in "\\PC{0,40}") {
        let catalog = catalog();
        let platform = &catalog.platforms()[platform].name;
        let _ = catalog.api(platform, &name);
        let _ = catalog.search(&name, &SearchFilter { platform: Some(platform), ..SearchFilter::default() });
        let _ = catalog.explain(&name, None);
    }

    #[test]
    fn names_of_legal_letters_give_an_api_or_a_usage_error(platform in 0usize..8, name in "[a-zA-Z0-9/._:@{}-]{1,30}") {
        let catalog = catalog();
        let platform = &catalog.platforms()[platform].name;
        match catalog.api(platform, &name) {
            Ok(api) => {
                prop_assert_eq!(&api.platform, platform);
                prop_assert_eq!(api.path.is_some(), matches!(api.shape, Shape::IopRest | Shape::IopRestVariables));
                prop_assert!(api.path.is_none_or(|path| path.starts_with('/') && !path.contains("..")));
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Usage),
        }
    }
}

#[test]
fn the_end_of_a_name_finds_the_only_api_that_has_it() {
    let named = |platform: &str, name: &str| {
        let api = catalog().api(platform, name).unwrap();
        api.known.then_some(api.name)
    };
    let found = named("taobao", "trades.sold.get");
    assert_eq!(found.as_deref(), Some("taobao.trades.sold.get"));
    let found = named("1688", "queryProductDetail");
    assert_eq!(found.as_deref(), Some("com.alibaba.fenxiao.crossborder:product.search.queryProductDetail"));
    // Of several, of a path, of a whole name that is not in the catalog, of a piece of a word.
    for (platform, name) in [
        ("taobao", "item.get"),
        ("lazada", "/fulfill/pack"),
        ("taobao", "taobao.sold.get"),
        ("taobao", "ades.sold.get"),
        ("taobao", "d.get"),
    ] {
        assert_eq!(named(platform, name), None, "{platform} {name}");
    }
}
