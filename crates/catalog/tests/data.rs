//! The data itself: nothing lost in the conversion, every entry decodes, every fact has a source.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use sesame_catalog::{Api, Catalog, Environment, Field, OAuthStyle, PagingStyle, Param, Type, request_url};
use sesame_core::{Protocol, Shape, sign::Digest};

/// Records of each base file.
const FILES: &[(&str, usize)] = &[
    ("1688", 181),
    ("alibaba", 87),
    ("alibaba-top", 117),
    ("aliexpress", 519),
    ("aliexpress-legacy", 72),
    ("aliexpress-top", 40),
    ("daraz", 17),
    ("lazada", 379),
    ("miravia", 5),
    ("taobao", 5163),
    ("taobao-global", 15),
];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

fn lines(file: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(data().join("base").join(format!("{file}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_record_is_there_in_order() {
    for (file, count) in FILES {
        let names: Vec<String> = lines(file).iter().map(full_name).collect();
        assert_eq!(names.len(), *count, "{file}");
        assert!(names.is_sorted(), "{file}");
    }
    let files = fs::read_dir(data().join("base")).unwrap().count();
    assert_eq!(files, FILES.len());
}

fn full_name(line: &serde_json::Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    format!("{} {} {}", text("name"), text("namespace"), line["version"])
}

#[test]
fn an_overlay_adds_no_api_by_a_slip_of_the_pen() {
    let catalog = Catalog::builtin();
    let base: BTreeSet<String> = FILES
        .iter()
        .flat_map(|(file, _)| lines(file))
        .map(|line| line["name"].as_str().unwrap().to_ascii_lowercase())
        .collect();
    let mut added = BTreeSet::new();
    for platform in catalog.platforms() {
        for api in catalog.list(&platform.name) {
            let plain = api.name.split('@').next().unwrap().rsplit(':').next().unwrap().to_ascii_lowercase();
            if !base.contains(&plain) {
                added.insert(plain);
            }
        }
    }
    assert!(added.contains("gettoken"), "{added:?}");
    for name in &added {
        let like: Vec<&String> = base.iter().filter(|known| one_edit_apart(known, name)).collect();
        assert!(like.is_empty(), "an overlay adds {name}; does it mean {like:?}?");
    }
}

/// Whether one letter too many, too few or wrong tells the two apart.
fn one_edit_apart(left: &str, right: &str) -> bool {
    let head = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left.as_bytes()[head..], &right.as_bytes()[head..]);
    let without_first = |text: &'_ [u8]| text.get(1..).unwrap_or_default().to_vec();
    without_first(left) == without_first(right)
        || without_first(left) == right
        || left == without_first(right).as_slice()
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
    assert!(all.len() > 6500);
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
    }
}

#[test]
fn titles_that_nobody_wrote_are_made_of_words() {
    let catalog = Catalog::builtin();
    for (platform, name, title) in [
        // It does not pay.
        (
            "aliexpress",
            "cainiao.global.logistics.queryorderpaystatus",
            "Query global logistics order pay status",
        ),
        ("taobao", "taobao.qimen.deliveryorder.batchconfirm", "Confirm Qimen batch delivery order"),
        // An order, not a shipment of one.
        ("taobao", "alibaba.dchain.aoxiang.consignorder.cancel", "Cancel dchain aoxiang consign order"),
        // Words that only look as if they were made of two.
        ("taobao", "taobao.subway.wordpackage.update", "Update subway word package"),
    ] {
        let api = catalog.api(platform, name).unwrap();
        assert!(api.title_derived, "{name}");
        assert_eq!(api.title.as_deref(), Some(title));
    }
}

/// `apis show` prints the example of a list with `--all`.
#[test]
fn an_example_is_whole_where_the_page_is_asked_for_inside_an_object() {
    let mut nested = 0;
    for api in all() {
        let Some((outer, _)) = api.paging.as_ref().and_then(|paging| paging.index.split_once('.')) else {
            continue;
        };
        nested += 1;
        let example = api.example_arguments();
        let given = example.get(outer).map(|value| match value {
            serde_json::Value::String(text) => serde_json::from_str(text).unwrap(),
            value => value.clone(),
        });
        let members = api.params.iter().filter(|param| param.name == outer).flat_map(|param| &param.children);
        for member in members.filter(|member| member.required == Some(true)) {
            let given = given.as_ref().and_then(|given| given.get(&member.name));
            assert!(given.is_some(), "{} {}: no {outer}.{}", api.platform, api.name, member.name);
        }
    }
    assert!(nested > 250, "{nested}");
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
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-$.".contains(c))
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
        // Without it such a list would end after one page.
        assert!(paging.style != PagingStyle::Cursor || paging.next.is_some(), "{place}: no next cursor");
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

#[test]
fn files_are_no_arguments_of_an_example() {
    let catalog = Catalog::builtin();
    let mut seen = 0;
    for platform in catalog.platforms() {
        for api in catalog.list(&platform.name) {
            let api = catalog.api(&platform.name, &api.name).unwrap();
            let arguments = api.example_arguments();
            for file in api.files(false) {
                assert!(!arguments.contains_key(&file.name), "{} {}", api.name, file.name);
                seen += usize::from(api.files(true).any(|called| called.name == file.name));
            }
        }
    }
    assert!(seen > 50, "{seen}");
    // The file is optional, and the example shows it.
    let search = catalog.api("aliexpress", "aliexpress.ds.image.search").unwrap();
    assert_eq!(search.files(true).count(), 1);
    let members = catalog.api("lazada", "/partner/list").unwrap().example_arguments();
    assert!(members["page_size"].as_str().is_some_and(|size| size.parse::<u32>().is_ok()), "{members:?}");
}
