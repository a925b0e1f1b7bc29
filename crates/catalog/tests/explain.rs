//! `Catalog::explain`: what a code or a message means, everywhere and on one platform.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use sesame_catalog::{Catalog, Explained};
use sesame_core::{ErrorKind, Fault};

fn explain(text: &str, place: Option<&str>) -> Vec<Explained> {
    Catalog::builtin().explain(text, place).unwrap()
}

fn scopes(text: &str, place: Option<&str>) -> Vec<String> {
    explain(text, place).into_iter().map(|found| found.scope).collect()
}

#[test]
fn every_place_that_knows_a_code_speaks() {
    assert_eq!(scopes("IllegalAccessToken", None), ["iop"]);
    assert_eq!(scopes("incompletesignature", None), ["iop"]);
    assert_eq!(scopes("15", None), ["iop", "top"]);
    let group = explain("LEVEL1_GROUP_COUNT_LIMIT", None);
    assert_eq!(group[0].scope, "alibaba /icbu/product/group/add");
    assert!(group[0].rule.says.contains("50 level-1 groups"), "{}", group[0].rule.says);
    let limit = explain("901", None);
    assert_eq!(limit[0].scope, "iop");
    assert_eq!((limit[0].rule.kind, limit[0].rule.fault), (ErrorKind::Quota, Fault::Caller));
    assert!(explain("no such code", None).is_empty() && explain("", None).is_empty());
    assert!(Catalog::builtin().explain("15", Some("lazda")).unwrap_err().hint().unwrap().contains("lazada"));
}

#[test]
fn the_pattern_of_another_protocol_hides_no_code() {
    for code in ["4225", "701", "1003", "4137", "4104"] {
        let everywhere = scopes(code, None);
        assert!(everywhere[0].starts_with("lazada"), "{code}: {everywhere:?}");
        assert_eq!(scopes(code, Some("lazada"))[0], "lazada, daraz, miravia", "{code}");
    }
    for code in ["602", "605"] {
        assert_eq!(scopes(code, Some("aliexpress"))[0], "aliexpress", "{code}");
    }
    assert!(explain("99999", None).is_empty(), "no number is explained by the range of one protocol");
    assert_eq!(scopes("505", Some("taobao")), ["top"]);
}

#[test]
fn a_code_is_found_with_and_without_its_platform() {
    for (code, platform, kind) in [
        ("gw.AppKeyNotFound", "1688", ErrorKind::App),
        ("gw.NoUsageLeftError", "1688", ErrorKind::Quota),
        ("isp.top-flow-control-limited", "taobao", ErrorKind::Quota),
        ("isv.permission-ip-whitelist-limit", "taobao", ErrorKind::Permission),
        ("isv.trade-not-exist", "taobao", ErrorKind::Business),
        ("isv.item-not-exist", "taobao", ErrorKind::Business),
        ("isv.anything-else", "taobao", ErrorKind::Business),
        ("isp.anything-else", "taobao", ErrorKind::Platform),
        ("530", "taobao", ErrorKind::Platform),
        ("404", "aliexpress", ErrorKind::Platform),
        ("401", "aliexpress", ErrorKind::App),
        ("404", "1688", ErrorKind::UnknownApi),
        ("PUB_BIZCHECK_PRODUCT_IN_AUDITING", "alibaba", ErrorKind::Business),
        ("-2", "alibaba", ErrorKind::Platform),
        ("E036", "lazada", ErrorKind::Argument),
        ("36", "lazada", ErrorKind::Argument),
    ] {
        let found = explain(code, Some(platform));
        assert_eq!(found.first().map(|found| found.rule.kind), Some(kind), "{code} on {platform}");
        let kinds: Vec<ErrorKind> = explain(code, None).iter().map(|found| found.rule.kind).collect();
        assert!(kinds.contains(&kind), "{code}: {kinds:?}");
    }
}

#[test]
fn the_documented_codes_of_an_api_are_found_with_its_platform() {
    let catalog = Catalog::builtin();
    let mut seen = 0;
    for platform in ["lazada", "alibaba", "aliexpress", "1688"] {
        for summary in catalog.list(platform) {
            for note in catalog.api(platform, &summary.name).unwrap().errors {
                let found = catalog.explain(&note.code, Some(platform)).unwrap();
                assert!(!found.is_empty(), "{platform} {} {:?}", summary.name, note.code);
                seen += 1;
            }
        }
    }
    assert!(seen > 800, "{seen}");
}

#[test]
fn what_means_the_same_on_several_protocols_is_said_once() {
    let found = explain("isv.trade-not-exist", None);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].scope, "top, iop");
    assert_eq!(explain("isv.missing-parameter:fields", None).len(), 1);
}

#[test]
fn a_message_leads_to_its_code() {
    for (message, code) in [
        ("The specified access token is invalid or expired", "IllegalAccessToken"),
        ("IllegalAccessToken: The specified access token is invalid or expired", "IllegalAccessToken"),
        ("the request signature does not conform to platform standards.", "IncompleteSignature"),
        ("com.alibaba.x.RequestValidateException: Request is expired.", "400"),
        ("access token is invalid or expired", "IllegalAccessToken"),
        ("this ban will last 1 seconds", "ApiCallLimit"),
        ("\"IllegalAccessToken\",", "IllegalAccessToken"),
        ("Invalid Timestamp", "31"),
        ("SourceIp not in whitelist", "AppWhiteIpLimit"),
        ("Invalid Order ID", "16"),
        ("E016: \"4711\" Invalid Order ID", "16"),
        ("E208: Item not exist", "208"),
        ("BIZ_CHECK_PRICE_PRECISION_INVALID", "4104"),
        // Words of a code in another order.
        ("the account number is invalid", "TRANSFER_ERROR_ACCOUNT_NUMBER_INVALID"),
        ("parcels not found", "PARCEL_NOT_FOUND"),
    ] {
        let found = explain(message, None);
        assert!(found.iter().any(|found| found.rule.code == code), "{message}: {found:?}");
    }
    // Not the codes that have the same words.
    let zero = explain("BIZ_CHECK_PRICE_IS_ZERO", None);
    assert!(zero.iter().all(|found| found.rule.code == "4118") && !zero.is_empty(), "{zero:?}");
    let pasted = explain("11/isv.permission-ip-whitelist-limit: Insufficient isv permissions", None);
    assert_eq!(pasted[0].rule.sub_code, "isv.permission-ip-whitelist-limit");
    assert_eq!(explain("27/invalid-sessionkey", None)[0].rule.sub_code, "invalid-sessionkey");
    for unknown in [
        "a text that no platform ever said",
        "no such code",
        "ITEM_SET_NOT_FOUND",
        "the order of the shop is blue",
    ] {
        assert!(explain(unknown, None).is_empty(), "{unknown}");
    }
}

#[test]
fn an_unknown_app_key_of_a_platform_with_two_registries_names_both_regions() {
    for code in ["InvalidAppKey", "param-appkey.not.exists"] {
        let found = explain(code, Some("alibaba"));
        assert_eq!(found.len(), 1, "{code}");
        let advice = &found[0].rule.advice;
        for words in ["sesame app edit NAME --region seller", "sesame app edit NAME --region global"] {
            assert!(advice.contains(words), "{code}: {advice}");
        }
    }
    // Nobody else is sent there.
    assert!(!explain("InvalidAppKey", Some("lazada"))[0].rule.advice.contains("seller"));
}

#[test]
fn a_page_that_only_lists_a_code_does_not_hide_what_it_means() {
    for platform in [None, Some("taobao")] {
        let found = explain("isv.invalid-parameter", platform);
        assert!(!found.is_empty() && found.iter().all(|found| !found.rule.guess), "{found:?}");
    }
}

#[test]
fn the_advice_of_an_api_is_told() {
    let found = explain("B_DROPSHIPPER_DELIVERY_ADDRESS_CPF_NOT_MATCH", Some("aliexpress"));
    let api = Catalog::builtin().api("aliexpress", "aliexpress.ds.order.create").unwrap();
    let note = api.errors.iter().find(|note| note.code == found[0].rule.code).unwrap();
    assert!(found.iter().any(|found| found.rule.advice == note.advice), "{found:?}");
}

/// What the pages of Lazada print beside their codes, where it lies beside the checkout.
#[test]
fn messages_of_pages_lead_to_their_codes() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../../shared/catalogue/lazada-errors.jsonl");
    let Ok(text) = std::fs::read_to_string(file) else { return };
    let (mut asked, mut missed) = (std::collections::BTreeSet::new(), Vec::new());
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let [says, code] = ["says", "code"].map(|key| row[key].as_str().unwrap().trim_matches('"'));
        // Some pages have no message, but a word for it.
        if says.split(' ').count() < 3 && !says.contains('_') || says.contains("detail") {
            continue;
        }
        if !asked.insert((code.to_owned(), says.to_owned())) {
            continue;
        }
        let found = explain(says, Some("lazada"));
        let same = |known: &str| known.trim_start_matches(['E', '0']) == code.trim_start_matches(['E', '0']);
        if !found.iter().any(|found| same(&found.rule.code)) {
            missed.push(format!("{code} {says}"));
        }
    }
    assert!(missed.len() * 3 < asked.len(), "{} of {}:\n{}", missed.len(), asked.len(), missed.join("\n"));
}

#[test]
fn what_only_the_sandbox_says_is_a_guess() {
    for (platform, code) in [
        ("alibaba", "ORDER_NOT_EXIST"),
        ("aliexpress", "ORDER_NOT_EXIST"),
        ("aliexpress-legacy", "ORDER_NOT_EXIST"),
        ("1688", "ORDER_NOT_EXIST"),
        ("aliexpress", "CATEGORY_NOT_EXIST"),
    ] {
        let found = explain(code, Some(platform));
        assert!(found[0].rule.guess && found[0].rule.source.contains("the sandbox"), "{platform}: {found:?}");
    }
}
