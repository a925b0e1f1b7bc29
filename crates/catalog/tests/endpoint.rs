//! Where calls go.

use proptest::prelude::*;
use sesame_catalog::{Catalog, Environment, SandboxUrl, request_url, signed_path};
use sesame_core::ErrorKind;

#[test]
fn a_sandbox_is_on_this_machine_or_in_a_private_network() {
    for (text, wanted) in [
        ("http://127.0.0.1:4600", "http://127.0.0.1:4600"),
        ("http://127.0.0.1:4600/", "http://127.0.0.1:4600"),
        ("HTTP://LocalHost:80", "http://localhost:80"),
        ("https://127.8.9.10", "https://127.8.9.10"),
        ("http://[::1]:4600", "http://[::1]:4600"),
        ("http://sandbox:4600", "http://sandbox:4600"),
        ("http://My_Sandbox-1", "http://my_sandbox-1"),
        ("http://host.docker.internal:4600/", "http://host.docker.internal:4600"),
        ("https://sandbox.team.svc.cluster.local", "https://sandbox.team.svc.cluster.local"),
        ("http://10.0.0.1:80", "http://10.0.0.1:80"),
        ("http://172.17.0.2:4600", "http://172.17.0.2:4600"),
        ("http://192.168.1.7", "http://192.168.1.7"),
        ("http://[fd00::2]:4600", "http://[fd00::2]:4600"),
    ] {
        assert_eq!(SandboxUrl::parse(text).unwrap().as_str(), wanted);
    }
    for text in [
        "",
        "127.0.0.1:4600",
        "ftp://127.0.0.1",
        "http://",
        "http://api.lazada.sg",
        "http://128.0.0.1",
        "https://8.8.8.8",
        "http://169.254.169.254",
        "http://172.32.0.1",
        "http://sandbox.example.com",
        "http://local.example.com",
        "http://.local",
        "http://a..local",
        "http://2130706433",
        "http://0x7f000001",
        "http://sand\u{e4}box",
        "http://[2001:4860:4860::8888]",
        "http://[::ffff:8.8.8.8]",
        "http://[sandbox]",
        "http://0.0.0.0:4600",
        "http://[::]:4600",
        "http://[::2]:4600",
        "http://[::1",
        "http://[::1]4600",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1@evil.example",
        "http://user:pass@127.0.0.1",
        "http://127.0.0.1:4600/rest",
        "http://127.0.0.1:4600?x",
        "http://127.0.0.1:0",
        "http://127.0.0.1:70000",
        "http://127.0.0.1:+80",
        "http://127.0.0.1:80:81",
        "http://127.1:80",
        "http://0177.0.0.1",
        "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1 :80",
        "http://localhost\n:80",
    ] {
        let error = SandboxUrl::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
        assert!(!error.message().contains("user:pass"), "{text}");
    }
}

#[test]
fn a_region_has_its_hosts_and_an_endpoint_replaces_them_all() {
    let catalog = Catalog::builtin();
    let lazada = catalog.platform("lazada").unwrap();
    let urls = lazada.urls(Some("th"), &Environment::Live).unwrap();
    assert_eq!(
        (urls.api.as_str(), urls.token.as_str()),
        ("https://api.lazada.co.th", "https://auth.lazada.com")
    );
    assert_eq!(urls.authorize.as_deref(), Some("https://auth.lazada.com/oauth/authorize"));
    let error = lazada.urls(Some("fr"), &Environment::Live).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint().unwrap().contains("sg, my, th, vn, ph, id"));

    let sandbox = Environment::sandbox("http://127.0.0.1:4600").unwrap();
    for platform in catalog.platforms() {
        for region in &platform.regions {
            let urls = platform.urls(Some(&region.name), &sandbox).unwrap();
            for url in [&urls.api, &urls.token, &urls.sync] {
                assert_eq!(url, "http://127.0.0.1:4600", "{}", platform.name);
            }
            let authorize = urls.authorize.expect("a sandbox has an authorize page for every platform");
            assert!(authorize.starts_with("http://127.0.0.1:4600/"), "{authorize}");
        }
    }
    let legacy = catalog.platform("aliexpress-legacy").unwrap().urls(None, &sandbox).unwrap();
    assert_eq!(legacy.authorize.as_deref(), Some("http://127.0.0.1:4600/auth/authorize.htm"));
    // Nobody has written down the authorize page of the test gateway.
    let test = catalog.platform("alibaba").unwrap().urls(Some("test"), &Environment::Live).unwrap();
    assert_eq!((test.api.as_str(), test.authorize), ("https://openapi-api-sandbox.alibaba.com", None));
    // Keys of the platform of sellers are known at one host alone, for everything.
    let seller = catalog.platform("alibaba").unwrap().urls(Some("seller"), &Environment::Live).unwrap();
    for url in [&seller.api, &seller.token, &seller.sync] {
        assert_eq!(url, "https://open-api.alibaba.com");
    }
    assert_eq!(seller.authorize.as_deref(), Some("https://open-api.alibaba.com/oauth/authorize"));
    let global = catalog.platform("alibaba").unwrap().urls(None, &Environment::Live).unwrap();
    assert_eq!(global.api, "https://openapi-api.alibaba.com");
}

#[test]
fn each_shape_has_its_url_and_its_signed_path() {
    let catalog = Catalog::builtin();
    let cases = [
        ("lazada", "/orders/get", "https://api.lazada.sg/rest/orders/get", "/orders/get"),
        (
            "lazada",
            "/auth/token/create",
            "https://auth.lazada.com/rest/auth/token/create",
            "/auth/token/create",
        ),
        (
            "alibaba",
            "/alibaba/icbu/product/list",
            "https://openapi-api.alibaba.com/rest/alibaba/icbu/product/list",
            "/alibaba/icbu/product/list",
        ),
        ("alibaba", "alibaba.icbu.product.get", "https://open-api.alibaba.com/sync", ""),
        ("aliexpress", "aliexpress.solution.product.list.get", "https://api-sg.aliexpress.com/sync", ""),
        (
            "1688",
            "com.alibaba.product:alibaba.product.list.get",
            "https://gw.open.1688.com/openapi/param2/1/com.alibaba.product/alibaba.product.list.get/KEY",
            "param2/1/com.alibaba.product/alibaba.product.list.get/KEY",
        ),
        (
            "aliexpress-legacy",
            "api.findProductInfoListQuery@2",
            "https://gw.api.alibaba.com/openapi/param2/2/aliexpress.open/api.findProductInfoListQuery/KEY",
            "param2/2/aliexpress.open/api.findProductInfoListQuery/KEY",
        ),
        (
            "aliexpress-legacy",
            "system.oauth2:getToken",
            "https://gw.api.alibaba.com/openapi/param2/1/system.oauth2/getToken/KEY",
            "param2/1/system.oauth2/getToken/KEY",
        ),
        ("taobao", "taobao.time.get", "https://eco.taobao.com/router/rest", ""),
    ];
    for (platform, name, url, path) in cases {
        let api = catalog.api(platform, name).unwrap();
        let urls = catalog.platform(platform).unwrap().urls(None, &Environment::Live).unwrap();
        assert_eq!(request_url(&urls, &api, "KEY", None), url);
        assert_eq!(signed_path(&api, "KEY", None), path);
    }
    let api = catalog.api("aliexpress", "/orders/{orderId}").unwrap();
    let urls = catalog.platform("aliexpress").unwrap().urls(None, &Environment::Live).unwrap();
    assert_eq!(
        request_url(&urls, &api, "KEY", Some("/orders/12 3")),
        "https://api-sg.aliexpress.com/rest/2.0/orders/12%203"
    );
    assert_eq!(signed_path(&api, "KEY", Some("/orders/12 3")), "/orders/12 3");
}

proptest! {
    #[test]
    fn no_text_panics_and_an_address_that_is_taken_is_private(text in "(http://)?[a-z0-9.:@/\\[\\]]{0,24}") {
        if let Ok(endpoint) = SandboxUrl::parse(&text) {
            let host = endpoint.as_str().trim_start_matches("http://");
            let host = host.split('/').next().unwrap_or_default();
            let address = match host.strip_prefix('[') {
                Some(rest) => rest.split(']').next().unwrap_or_default(),
                None => host.split(':').next().unwrap_or_default(),
            };
            // Where a name leads is checked when it is called.
            if let Ok(address) = address.parse() {
                prop_assert!(sesame_core::request::is_private_address(address), "{host}");
            }
        }
    }
}
