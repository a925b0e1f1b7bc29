//! The data itself: nothing lost in the conversion, every entry decodes, every fact has a source.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use sesame_catalog::{Api, Catalog, Environment, Field, HttpMethods, OAuthStyle, Param, Type, request_url};
use sesame_core::{Protocol, Shape, sign::Digest};

/// Records of each base file, and what overlays add to it.
const FILES: &[(&str, usize, &[&str])] = &[
    ("1688", 58, OF_1688),
    ("alibaba", 87, &[]),
    ("alibaba-top", 117, &[]),
    ("aliexpress", 279, &[]),
    ("aliexpress-legacy", 72, TOKENS),
    ("aliexpress-top", 12, &[]),
    ("lazada", 377, OF_LAZADA),
    ("taobao", 94, &["taobao.time.get", "taobao.top.auth.token.create", "taobao.top.auth.token.refresh"]),
];

const OF_1688: &[&str] = &[
    "cn.alibaba.open:push.cursor.messageList",
    "cn.alibaba.open:push.message.confirm",
    "cn.alibaba.open:push.query.messageList",
    "cn.alibaba.open:subaccount.auth.add",
    "cn.alibaba.open:subaccount.auth.cancel",
    "cn.alibaba.open:subaccount.auth.list",
    "system.oauth2:getToken",
    "system.oauth2:postponeToken",
    "system.oauth2:refreshToken",
    "system:currentTime",
    "system:currentTimeMillis",
];

const OF_LAZADA: &[&str] = &[
    "/finance/transaction/detail/get",
    "/order/cancel",
    "/order/failure_reason/get",
    "/order/pack",
    "/order/repack",
    "/order/rts",
    "/order/sof/delivered",
    "/product/category/suggestion/get/batch",
    "/product/qc/status/get",
    "/review/seller/list",
    "/seller/update",
    "/shipment/providers/get",
];

const TOKENS: &[&str] = &[
    "system.oauth2:getToken",
    "system.oauth2:postponeToken",
    "system.oauth2:refreshToken",
    "system:currentTime",
    "system:currentTimeMillis",
];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

fn lines(file: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(data().join("base").join(format!("{file}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn all_1096_records_are_there() {
    let mut total = 0;
    for (file, count, _) in FILES {
        assert_eq!(lines(file).len(), *count, "{file}");
        total += count;
    }
    assert_eq!(total, 1096);
    let files = fs::read_dir(data().join("base")).unwrap().count();
    assert_eq!(files, FILES.len());
}

#[test]
fn overlays_add_what_is_listed_here_and_nothing_by_a_slip_of_the_pen() {
    let catalog = Catalog::builtin();
    let home: BTreeMap<&str, &str> =
        [("1688", "1688"), ("aliexpress-legacy", "aliexpress-legacy"), ("lazada", "lazada")].into();
    for (file, count, added) in FILES {
        let Some(platform) = home.get(file) else { continue };
        let listed: BTreeSet<String> = catalog.list(platform).into_iter().map(|api| api.name).collect();
        assert_eq!(listed.len(), count + added.len(), "{file}");
        for name in *added {
            assert!(listed.contains(*name), "{name}");
        }
    }
    // Two or three files each; what an alias or an earlier file hides is listed once.
    let base: BTreeSet<String> = ["alibaba", "alibaba-top", "aliexpress", "aliexpress-top", "taobao"]
        .iter()
        .flat_map(|file| lines(file))
        .map(|record| record["name"].as_str().unwrap().to_owned())
        .collect();
    for platform in ["alibaba", "aliexpress", "taobao"] {
        for api in catalog.list(platform) {
            assert!(
                base.contains(&api.name)
                    || FILES.iter().any(|(_, _, added)| added.contains(&api.name.as_str())),
                "{}",
                api.name
            );
        }
    }
}

fn all() -> Vec<Api> {
    let catalog = Catalog::builtin();
    let mut out = Vec::new();
    for platform in catalog.platforms() {
        for api in catalog.list(&platform.name) {
            out.push(catalog.api(&platform.name, &api.name).unwrap());
        }
    }
    out
}

#[test]
fn every_entry_decodes_and_makes_sense() {
    let catalog = Catalog::builtin();
    let all = all();
    assert!(all.len() > 1096);
    for api in all {
        let place = format!("{} {}", api.platform, api.name);
        let protocol = catalog.platform(&api.platform).unwrap().protocol;
        assert_eq!(api.shape.protocol(), protocol, "{place}");
        assert_eq!(
            api.path.is_some(),
            matches!(api.shape, Shape::IopRest | Shape::IopRestVariables),
            "{place}"
        );
        assert_eq!(api.namespace.is_some(), protocol == Protocol::Param2, "{place}");
        assert!(api.source.as_deref().is_some_and(|source| source.len() > 5), "{place} has no source");
        params(&place, &api.params);
        fields(&place, &api.response);
        for note in api.notes.iter().chain(api.errors.iter().map(|error| &error.says)) {
            assert!(!note.contains('\n') && note.len() < 2_000, "{place}: {note}");
        }
        assert_ne!(api.http, Some(HttpMethods::Hsf).filter(|_| api.platform == "alibaba"), "{place}");
    }
}

fn params(place: &str, list: &[Param]) {
    let mut seen = BTreeSet::new();
    for param in list {
        let place = format!("{place}.{}", param.name);
        assert!(is_name(&param.name), "{place}");
        assert!(seen.insert(&param.name), "{place} is there twice");
        assert!(
            param.children.is_empty() || matches!(param.kind, Type::Object | Type::Json | Type::Xml),
            "{place}"
        );
        assert!(param.values.len() != 1 || param.kind == Type::String, "{place}: a choice of one");
        assert!(param.max.zip(param.min).is_none_or(|(max, min)| max >= min), "{place}");
        if let (Some(default), Type::Integer) = (&param.default, param.kind) {
            assert!(default.is_number() || default.as_str().is_some(), "{place}");
        }
        params(&place, &param.children);
    }
}

fn fields(place: &str, list: &[Field]) {
    let mut seen = BTreeSet::new();
    for field in list {
        let place = format!("{place}.{}", field.name);
        // Junk of the sources, such as "(top-level fields)", is no field.
        assert!(is_name(&field.name), "{place}");
        assert!(seen.insert(&field.name), "{place} is there twice");
        assert!(field.children.is_empty() || field.kind == Type::Object, "{place}");
        assert!(!field.example.as_ref().is_some_and(|example| example.to_string().contains('…')), "{place}");
        fields(&place, &field.children);
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-$".contains(c))
}

/// What a dotted path leads to, if it leads to anything.
fn at<'a>(list: &'a [Field], path: &str) -> Option<&'a Field> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let found = list.iter().find(|field| field.name == head)?;
    rest.map_or(Some(found), |rest| at(&found.children, rest))
}

fn param_at<'a>(list: &'a [Param], path: &str) -> Option<&'a Param> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let found = list.iter().find(|param| param.name == head)?;
    rest.map_or(Some(found), |rest| param_at(&found.children, rest))
}

#[test]
fn page_rules_name_parameters_and_fields_that_exist() {
    let mut paged = 0;
    for api in all() {
        let place = format!("{} {}", api.platform, api.name);
        let Some(paging) = &api.paging else { continue };
        paged += 1;
        assert!(param_at(&api.params, &paging.index).is_some(), "{place}: {}", paging.index);
        if let Some(size) = &paging.size {
            assert!(param_at(&api.params, size).is_some(), "{place}: {size}");
        }
        if let Some(items) = &paging.items {
            // Of two places the documents name one.
            let rows = items.split('|').find_map(|path| at(&api.response, path));
            let rows = rows.unwrap_or_else(|| panic!("{place}: {items}"));
            assert!(rows.list, "{place}: {items} is no list");
            if let Some(key) = &paging.key {
                assert!(at(&rows.children, key).is_some(), "{place}: rows have no {key}");
            }
        }
        for path in [&paging.total, &paging.total_pages, &paging.has_next, &paging.next].into_iter().flatten()
        {
            let known = path.split('|').any(|path| at(&api.response, path).is_some());
            // TOP documents has_next in the text of a parameter, not among the fields.
            assert!(known || path == "has_next", "{place}: {path}");
        }
    }
    assert!(paged > 120, "{paged}");
}

#[test]
fn arguments_of_examples_are_parameters() {
    let mut examples = 0;
    for api in all() {
        let Some(example) = api.example.as_ref().and_then(serde_json::Value::as_object) else { continue };
        examples += 1;
        for name in example.keys() {
            assert!(
                api.params.iter().any(|param| param.name == *name),
                "{} {}: {name}",
                api.platform,
                api.name
            );
        }
        for param in api.params.iter().filter(|param| param.required == Some(true)) {
            let given = example.contains_key(&param.name)
                || matches!(param.name.as_str(), "client_id" | "client_secret");
            assert!(given, "{} {}: {} is required", api.platform, api.name, param.name);
        }
    }
    assert!(examples > 30, "{examples}");
}

#[test]
fn every_platform_is_complete() {
    let catalog = Catalog::builtin();
    for platform in catalog.platforms() {
        let name = &platform.name;
        assert!(!platform.regions.is_empty() && platform.region(None).is_some(), "{name}");
        assert!(platform.region(Some("nowhere")).is_none());
        assert!(!platform.replies.errors.rules.is_empty() && !platform.replies.flags.is_empty(), "{name}");
        assert!(
            !platform.tokens.identity.id.is_empty() && !platform.tokens.identity.login.is_empty(),
            "{name}"
        );
        assert_eq!(platform.date, "2026-11-21");
        assert!(TimeZone::get(&platform.time_zone).is_ok(), "{}", platform.time_zone);
        let style = match platform.protocol {
            Protocol::Param2 => OAuthStyle::Param2,
            Protocol::Iop => OAuthStyle::Iop,
            Protocol::Top => OAuthStyle::Top,
        };
        assert_eq!(platform.tokens.style, style, "{name}");
        for region in &platform.regions {
            assert!(TimeZone::get(platform.time_zone_in(region)).is_ok(), "{name} {}", region.name);
            for url in
                [Some(&region.api), Some(&region.token), region.authorize.as_ref(), region.sync.as_ref()]
                    .into_iter()
                    .flatten()
            {
                assert!(url.starts_with("https://") && !url.ends_with('/'), "{name}: {url}");
            }
        }
        // Token calls and the clock are APIs that can be looked up.
        let mut apis: Vec<&str> =
            platform.clock.api.as_deref().into_iter().chain(platform.tokens.postpone.as_deref()).collect();
        if platform.tokens.create.contains('/') && platform.tokens.create != "/token" {
            apis.extend([platform.tokens.create.as_str(), platform.tokens.refresh.as_str()]);
        }
        let also = platform.tokens.create_also.iter().chain(&platform.tokens.refresh_also);
        apis.extend(also.map(String::as_str).filter(|api| catalog.api(name, api).is_ok_and(|api| api.known)));
        for api in apis {
            let api = catalog.api(name, api).unwrap();
            assert!(api.known, "{name} {}", api.name);
            let urls = platform.urls(None, &Environment::Live).unwrap();
            if api.name != "system:currentTime"
                && api.name != "taobao.time.get"
                && !api.name.starts_with("taobao.top")
            {
                assert!(request_url(&urls, &api, "KEY", None).starts_with(&urls.token), "{}", api.name);
            }
        }
        for quota in platform.quotas.iter().filter(|quota| !quota.api.is_empty()) {
            assert!(catalog.api(name, &quota.api).unwrap().known, "{name} {}", quota.api);
            assert!(quota.calls > 0 && quota.seconds > 0 && matches!(quota.per.as_str(), "app" | "account"));
        }
    }
}

#[test]
fn every_shape_of_a_platform_has_a_digest_and_we_send_the_first() {
    let catalog = Catalog::builtin();
    let first = |platform: &str, shape: Shape| {
        let choice = catalog.platform(platform).unwrap().digest(shape).unwrap().clone();
        (choice.method, choice.digest)
    };
    assert_eq!(first("lazada", Shape::IopRest), ("sha256".to_owned(), Digest::HmacSha256));
    assert_eq!(first("aliexpress", Shape::IopSync), ("sha256".to_owned(), Digest::HmacSha256));
    assert_eq!(first("taobao", Shape::Top), ("hmac-sha256".to_owned(), Digest::HmacSha256));
    assert_eq!(first("1688", Shape::Param2), (String::new(), Digest::HmacSha1));
    for platform in catalog.platforms() {
        for shape in Shape::ALL.into_iter().filter(|shape| shape.protocol() == platform.protocol) {
            assert!(platform.digest(shape).is_some(), "{} {shape}", platform.name);
        }
        let taken = |shape: Shape| platform.digests.get(&shape).map_or(0, Vec::len);
        match platform.protocol {
            Protocol::Iop => {
                // Lazada's migration guide of 2018 also has HMAC-MD5; of Taobao Global nothing is known.
                let wanted = match platform.name.as_str() {
                    "lazada" | "daraz" | "miravia" => (2, 4),
                    "taobao-global" => (1, 1),
                    _ => (1, 4),
                };
                assert_eq!((taken(Shape::IopRest), taken(Shape::IopSync)), wanted, "{}", platform.name);
                assert_eq!(first(&platform.name, Shape::IopRest).0, "sha256");
                assert_eq!(first(&platform.name, Shape::IopSync).0, "sha256");
            }
            Protocol::Top => assert_eq!((taken(Shape::Top), taken(Shape::TopBatch)), (3, 3)),
            Protocol::Param2 => assert_eq!(taken(Shape::Param2), 1),
        }
    }
}
