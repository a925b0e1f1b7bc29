//! Every documented error code of the three protocols, and what a program should make of it.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use jiff::Timestamp;
use sesame_catalog::Catalog;
use sesame_core::{
    ErrorKind, HttpResponse, Retry, Shape,
    classify::{Failure, RetryRule, classify},
    envelope::read_reply,
    redact::Redactor,
};

use ErrorKind::{
    App, Argument, Authorization, Business, Clock, Permission, Platform, Quota, Signature, Token, UnknownApi,
};
use RetryRule::{Backoff, Ban, Never, NextDay, Refresh, Second};

/// Code, kind, retry, whether it may have been carried out.
type Row = (&'static str, ErrorKind, RetryRule, bool);

const IOP: &[Row] = &[
    ("MissingParameter", Argument, Never, false),
    ("InvalidParameter", Argument, Never, false),
    ("InvalidAppKey", App, Never, false),
    ("AppKeyNotExist", App, Never, false),
    ("IncompleteSignature", Signature, Never, false),
    ("InvalidSignature", Signature, Never, false),
    ("IllegalTimestamp", Clock, RetryRule::Clock, false),
    ("InvalidApiPath", UnknownApi, Never, false),
    ("IllegalAccessToken", Token, Refresh, false),
    ("illegalaccesstoken", Token, Refresh, false),
    ("InvalidAccessToken", Token, Refresh, false),
    ("IllegalRefreshToken", Authorization, Never, false),
    ("InvalidCode", Authorization, Never, false),
    ("AUTH_TYPE_UNSUPPORTED", Authorization, Never, false),
    ("InsufficientPermission", Permission, Never, false),
    ("InsufficientIsvPermissions", Permission, Never, false),
    ("AppNotSubscribed", App, Never, false),
    ("MissingPartner", App, Never, false),
    ("AppWhiteIpLimit", Permission, Never, false),
    ("ApiCallLimit", Quota, Ban, false),
    ("AppApiCallLimit", Quota, Ban, false),
    ("SellerCallLimit", Quota, Ban, false),
    ("AppCallLimit", Quota, NextDay, false),
    ("appcalllimit", Quota, NextDay, false),
    ("ServiceTimeout", Platform, Backoff, true),
    ("HttpConnectError", Platform, Backoff, true),
    ("UnknownRuntimeException", Platform, Backoff, true),
    ("rpc timeout", Platform, Backoff, true),
    ("15", Business, Never, false),
    ("SellerNotVerified", Permission, Never, false),
    ("SellerNotActive", Permission, Never, false),
    ("Mp3SellerApiLimit", Permission, Never, false),
];

const SISTERS: &[Row] = &[
    ("901", Quota, Second, false),
    ("E901", Quota, Second, false),
    ("6", Platform, Backoff, true),
    ("1000", Platform, Backoff, true),
    ("506", Platform, Backoff, true),
    ("1002", Platform, Backoff, true),
    ("E1002", Platform, Backoff, true),
    ("E006", Platform, Backoff, true),
    ("5", Argument, Never, false),
    ("E005", Argument, Never, false),
    ("30", Argument, Never, false),
    ("501", Argument, Never, false),
    ("36", Argument, Never, false),
    ("207", Business, Never, false),
    ("4225", Business, Never, false),
];

const ALIEXPRESS: &[Row] = &[
    ("UnsupportedParamMapping", Argument, Never, false),
    ("DELIVERY_NOT_AVAILABLE_TO_YOUR_ADDRESS", Business, Never, false),
    ("DELIVERY_INFO_EMPTY", Business, Never, false),
    ("B_DROPSHIPPER_DELIVERY_ADDRESS_VALIDATE_FAIL", Argument, Never, false),
    ("B_DROPSHIPPER_DELIVERY_ADDRESS_CPF_CN_INVALID", Argument, Never, false),
    ("B_DROPSHIPPER_DELIVERY_ADDRESS_CPF_NOT_MATCH", Argument, Never, false),
    ("BLACKLIST_BUYER_IN_LIST", Permission, Never, false),
    ("USER_ACCOUNT_DISABLED", Permission, Never, false),
    ("PRICE_PAY_CURRENCY_ERROR", Business, Never, false),
    ("DELIVERY_METHOD_NOT_EXIST", Business, Never, false),
    ("INVENTORY_HOLD_ERROR", Business, Never, false),
    ("A001_ORDER_CANNOT_BE_PLACED", Business, Never, false),
    ("A006_SOMETHING", Business, Never, false),
    ("REPEATED_ORDER_ERROR", Business, Never, false),
    ("ITEM_ID_NOT_FOUND", Business, Never, false),
    ("TRACKING DATA NOT FOUND", Business, Never, false),
    ("All SKU Unsaleable", Business, Never, false),
    ("602", Business, Never, false),
    ("605", Business, Never, false),
    ("404", Platform, Backoff, false),
    ("401", App, Never, false),
];

const ALIBABA: &[Row] = &[
    ("PUB_BIZCHECK_PRODUCT_IN_AUDITING", Business, RetryRule::Later, false),
    ("NEVER_PAY_SUCCESS_IN_DROPSHIPER", Business, Never, false),
    ("CATEGORY_NOT_EXIST", Business, Never, false),
    ("PUB_BIZCHECK_CAT_DATA_NOTEXIST", Business, Never, false),
    ("PRODUCT_NOT_EXIST", Business, Never, false),
];

const LAZADA: &[Row] = &[
    ("OPEN_API_TIMESTAMP_INVALID", Clock, RetryRule::Clock, false),
    ("APP_KEY_INVALID", App, Never, false),
    ("OPEN_API_CALL_EXCEED_LIMIT", Quota, Backoff, false),
];

const PARAM2: &[Row] = &[
    ("gw.SignatureMissing", Signature, Never, false),
    ("gw.SignatureInvalid", Signature, Never, false),
    ("gw.AppKeyMissing", App, Never, false),
    ("gw.AppKeyNotFound", App, Never, false),
    ("gw.NoUsageLeftError", Quota, Never, false),
    ("gw.APIUnsupported", UnknownApi, Never, false),
    ("gw.APIACLDecline", Permission, Never, false),
    ("gw.ParamMissing", Argument, Never, false),
    ("gw.QosAppFrequencyLimit", Quota, Backoff, false),
    ("gw.QosApiFrequencyLimit", Quota, Backoff, false),
    ("gw.QosRequestLimit", Quota, Backoff, false),
    ("gw.ISPInvokeError", Platform, Backoff, true),
    ("gw.ISPInvokeTimeout", Platform, Backoff, true),
    ("gw.ISPConnectError", Platform, Backoff, false),
    ("gw.SomethingNew", Platform, Never, false),
    ("400", Argument, Never, false),
    ("401", Token, Refresh, false),
    ("403", Permission, Never, false),
    ("500", Platform, Backoff, true),
    ("invalid_grant", Authorization, Never, false),
];

const TOP: &[Row] = &[
    ("3", Platform, Backoff, false),
    ("4", Quota, Ban, false),
    ("5", Quota, Ban, false),
    ("6", Quota, Ban, false),
    ("7", Quota, NextDay, false),
    ("8", Quota, Ban, false),
    ("9", Argument, Never, false),
    ("10", Platform, Backoff, true),
    ("11", Permission, Never, false),
    ("12", Permission, Never, false),
    ("13", Permission, Never, false),
    ("15", Business, Never, false),
    ("21", UnknownApi, Never, false),
    ("22", UnknownApi, Never, false),
    ("23", Argument, Never, false),
    ("24", Signature, Never, false),
    ("25", Signature, Never, false),
    ("26", Token, Refresh, false),
    ("27", Token, Refresh, false),
    ("28", App, Never, false),
    ("29", App, Never, false),
    ("30", Clock, RetryRule::Clock, false),
    ("31", Clock, RetryRule::Clock, false),
    ("32", Argument, Never, false),
    ("33", Argument, Never, false),
    ("34", Argument, Never, false),
    ("40", Argument, Never, false),
    ("41", Argument, Never, false),
    ("42", Permission, Never, false),
    ("43", Argument, Never, false),
    ("50", Business, Never, false),
    ("88", Platform, Backoff, true),
    ("501", Business, Never, false),
    ("550", Business, Never, false),
];

/// Code, sub code, kind, retry.
const SUB_CODES: &[(&str, &str, ErrorKind, RetryRule)] = &[
    ("15", "isp.top-remote-connection-timeout", Platform, Backoff),
    ("15", "isp.top-remote-connection-timeout-tmall", Platform, Backoff),
    ("15", "isp.top-remote-connection-error", Platform, Backoff),
    ("15", "isp.remote-connection-error-tmall", Platform, Backoff),
    ("15", "isp.top-remote-service-unavailable-tmall", Platform, Backoff),
    ("15", "isp.top-remote-unknown-error", Platform, Backoff),
    ("15", "isp.unknown-error", Platform, Backoff),
    ("15", "isp.remote-service-timeout", Platform, Backoff),
    ("15", "isp.top-mapping-parse-error", Platform, Never),
    ("50", "isp.something-new", Platform, Backoff),
    ("530", "isv.item-listing-service-error:GENERIC_FAILURE-tmall", Platform, Backoff),
    ("15", "isv.item-listing-service-error:GENERIC_FAILURE-tmall", Platform, Backoff),
    ("15", "isp.top-flow-control-limited", Quota, Ban),
    ("15", "isp.call-limited", Quota, Ban),
    ("15", "isv.api-flow-limit", Quota, Ban),
    ("7", "ISP_FLOW_CONTROL_LIMIT", Quota, Ban),
    ("11", "isv.permission-ip-whitelist-limit", Permission, Never),
    ("11", "isv.permission-api-package-gateway-no-auth", Permission, Never),
    ("11", "isv.permission-api-package-user-permission-not-granted", Permission, Never),
    ("15", "isv.trade-not-exist", Business, Never),
    ("15", "isv.item-not-exist", Business, Never),
    ("15", "isv.fail-send-no-stock", Business, Never),
    ("7", "accesscontrol.limited-by-app-access-count", Quota, NextDay),
    ("7", "accesscontrol.limited-by-api-access-count", Quota, Ban),
    ("7", "accesscontrol.limited-by-app-api-access-count", Quota, Ban),
    ("29", "isv.appkey-not-exists", App, Never),
    ("11", "isv.permission-api-package-limit", Permission, Never),
    ("40", "isv.missing-parameter", Argument, Never),
    ("40", "isv.missing-parameter:fields", Argument, Never),
    ("41", "isv.invalid-parameter:num_iid", Argument, Never),
    ("50", "isv.item-update-service-rejection", Business, Never),
    ("50", "isv.something-new", Business, Never),
    ("15", "isv.something-new", Business, Never),
    ("31", "isv.timestamp-limit-error", Clock, RetryRule::Clock),
    ("43", "isv.request-replay-error", Argument, Never),
    ("27", "session-expired", Token, Refresh),
    ("27", "invalid-sessionkey", Token, Refresh),
    // The code is the stronger word where no rule names the sub code.
    ("27", "isv.something-new", Token, Refresh),
    ("25", "", Signature, Never),
];

fn check(platform: &str, rows: &[Row]) {
    let catalog = Catalog::builtin();
    let table = &catalog.platform(platform).unwrap().replies.errors;
    for (code, kind, retry, maybe_done) in rows {
        let rule = table.find(code, None).unwrap_or_else(|| panic!("{platform} knows {code}"));
        assert_eq!(
            (rule.kind, rule.retry, rule.maybe_done),
            (*kind, *retry, *maybe_done),
            "{platform} {code}"
        );
        assert!(rule.advice.len() > 10 && !rule.says.is_empty(), "{platform} {code}");
    }
}

#[test]
fn every_documented_code_has_its_rule() {
    for platform in ["lazada", "daraz", "miravia", "aliexpress", "alibaba"] {
        check(platform, IOP);
    }
    for platform in ["lazada", "daraz", "miravia"] {
        check(platform, SISTERS);
    }
    check("lazada", LAZADA);
    check("aliexpress", ALIEXPRESS);
    check("alibaba", ALIBABA);
    check("1688", PARAM2);
    check("aliexpress-legacy", PARAM2);
    check("taobao", TOP);
}

#[test]
fn every_documented_sub_code_has_its_rule() {
    let catalog = Catalog::builtin();
    let table = &catalog.platform("taobao").unwrap().replies.errors;
    for (code, sub, kind, retry) in SUB_CODES {
        let rule = table.find(code, Some(sub)).unwrap_or_else(|| panic!("knows {code} {sub}"));
        assert_eq!((rule.kind, rule.retry), (*kind, *retry), "{code} {sub}");
    }
    // The same services stand behind /sync.
    let iop = &catalog.platform("alibaba").unwrap().replies.errors;
    assert_eq!(iop.find("15", Some("isp.top-remote-connection-error")).unwrap().kind, Platform);
    assert_eq!(iop.find("11", Some("isv.permission-api-package-limit")).unwrap().kind, Permission);
}

#[test]
fn no_rule_is_hidden_behind_another() {
    for platform in Catalog::builtin().platforms() {
        let table = &platform.replies.errors;
        for rule in &table.rules {
            // What a gateway would send for this rule: its own text, patterns filled in.
            let code = match rule.code.strip_suffix("..") {
                Some(from) => from.to_owned(),
                None if rule.code.is_empty() => "no-such-code".to_owned(),
                None => rule.code.replace('*', "zz"),
            };
            let sub = Some(rule.sub_code.replace('*', "-zz")).filter(|sub| !sub.is_empty());
            let message = rule.message.replace('*', "zz");
            let failure = Failure { code, sub_code: sub, message, ..Failure::default() };
            let shown = format!("{} {} {}", platform.name, rule.code, rule.sub_code);
            let found = table.find_for(&failure).expect(&shown);
            assert_eq!((&found.code, &found.sub_code), (&rule.code, &rule.sub_code), "{shown}");
        }
    }
}

fn retry_of(platform: &str, code: &str, message: &str, now: &str) -> Retry {
    let catalog = Catalog::builtin();
    let failure = Failure {
        code: code.to_owned(),
        sub_message: Some(message.to_owned()),
        http_status: 200,
        ..Failure::default()
    };
    let rules = &catalog.platform(platform).unwrap().replies.errors;
    classify(rules, &failure, &Redactor::default(), now.parse::<Timestamp>().unwrap()).retry()
}

#[test]
fn waits_are_those_that_the_gateway_names() {
    let noon = "2026-11-21T04:00:00Z"; // 12:00 in Beijing
    let after = |seconds: u64| Retry::After(Duration::from_secs(seconds));
    assert_eq!(retry_of("lazada", "901", "too frequent", noon), after(1));
    assert_eq!(retry_of("lazada", "E901", "", noon), after(1));
    let limit = "The frequency of app access to the api exceeds the limit. This ban will last 1 seconds";
    assert_eq!(retry_of("lazada", "ApiCallLimit", limit, noon), after(2));
    assert_eq!(retry_of("aliexpress", "AppApiCallLimit", limit, noon), after(2));
    assert_eq!(retry_of("lazada", "ApiCallLimit", "no number", noon), Retry::Backoff);
    assert_eq!(retry_of("lazada", "AppCallLimit", "quota used up", noon), after(12 * 3600));
    assert_eq!(retry_of("lazada", "appcalllimit", "quota used up", "2026-11-21T15:59:59Z"), after(1));
    assert_eq!(retry_of("lazada", "AppCallLimit", "This ban will last 30 seconds", noon), after(31));
    assert_eq!(retry_of("taobao", "7", "This ban will last for 3 more seconds", noon), after(4));
    assert_eq!(retry_of("taobao", "7", "App Call Limited", noon), after(12 * 3600));
    assert_eq!(retry_of("taobao", "8", "This ban will last for 3 more seconds", noon), after(4));
    assert_eq!(retry_of("taobao", "27", "", noon), Retry::AfterRefresh);
    assert_eq!(retry_of("1688", "401", "Request need user authorized", noon), Retry::AfterRefresh);
    assert_eq!(retry_of("1688", "gw.QosAppFrequencyLimit", "", noon), Retry::Backoff);
    assert_eq!(retry_of("alibaba", "IllegalTimestamp", "", noon), Retry::AfterClock);
}

fn read(platform: &str, shape: Shape, body: &str) -> Result<(), (ErrorKind, Option<String>, String)> {
    let catalog = Catalog::builtin();
    let rules = &catalog.platform(platform).unwrap().replies;
    let response =
        HttpResponse { status: 200, body: body.as_bytes().to_vec().into(), ..HttpResponse::default() };
    match read_reply(shape, rules, &response, &Redactor::default(), Timestamp::UNIX_EPOCH) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.kind(), error.code().map(str::to_owned), error.message().to_owned())),
    }
}

#[test]
fn success_that_is_none_is_a_refusal() {
    for (platform, shape, body, code) in [
        (
            "alibaba",
            Shape::IopRest,
            r#"{"code":"0","result":{"success":false,"message_info":"no","msg_code":"isp.error-happened"},"request_id":"r"}"#,
            "isp.error-happened",
        ),
        (
            "alibaba",
            Shape::IopRest,
            r#"{"code":"0","success":false,"msg_code":"B_PRODUCT_NOT_FOUND","message":"none"}"#,
            "B_PRODUCT_NOT_FOUND",
        ),
        (
            "alibaba",
            Shape::IopSync,
            r#"{"alibaba_icbu_product_schema_get_response":{"biz_success":"false","msg_code":"X","message":"no"}}"#,
            "X",
        ),
        (
            "lazada",
            Shape::IopRest,
            r#"{"code":"0","success":"false","error_code":"E1","error_msg":"no"}"#,
            "E1",
        ),
        ("lazada", Shape::IopRest, r#"{"code":"0","result":{"not_success":true,"error_code":"E2"}}"#, "E2"),
        (
            "aliexpress",
            Shape::IopSync,
            r#"{"aliexpress_affiliate_product_query_response":{"resp_result":{"resp_code":402,"resp_msg":"no"}}}"#,
            "402",
        ),
        ("1688", Shape::Param2, r#"{"result":{"success":false,"code":"C3","message":"no"}}"#, "C3"),
        (
            "aliexpress-legacy",
            Shape::Param2,
            r#"{"success":false,"error_code":"14033003","error_message":"no"}"#,
            "14033003",
        ),
        (
            "taobao",
            Shape::Top,
            r#"{"alibaba_icbu_product_batch_update_display_response":{"sub_success":false,"sub_error_code":"C4"}}"#,
            "C4",
        ),
    ] {
        let (_, found, _) = read(platform, shape, body).expect_err(body);
        assert_eq!(found.as_deref(), Some(code), "{body}");
    }
}

#[test]
fn honest_success_is_not_refused() {
    for (platform, shape, body) in [
        (
            "alibaba",
            Shape::IopRest,
            r#"{"code":"0","result":{"success":true,"total_item":0,"products":[],"error_code":"","error_msg":""}}"#,
        ),
        ("alibaba", Shape::IopRest, r#"{"code":"0","result":{"success":"true","response_code":"0"}}"#),
        ("lazada", Shape::IopRest, r#"{"code":"0","data":{"countTotal":0,"orders":[]}}"#),
        ("lazada", Shape::IopRest, r#"{"code":"0","data":[],"success":null}"#),
        ("lazada", Shape::IopRest, r#"{"code":"0","result":{"success":{"a":1}}}"#),
        ("lazada", Shape::IopRest, r#"{"code":"0","result":{"not_success":false}}"#),
        (
            "aliexpress",
            Shape::IopSync,
            r#"{"aliexpress_ds_product_get_response":{"result":{},"rsp_code":"200","rsp_msg":"Call succeeds"}}"#,
        ),
        ("aliexpress", Shape::IopSync, r#"{"x_response":{"resp_result":{"resp_code":200,"result":{}}}}"#),
        ("1688", Shape::Param2, r#"{"success":"true","result":[]}"#),
        ("1688", Shape::Param2, r#""20261010164552223+0800""#),
        ("aliexpress-legacy", Shape::Param2, r#"{"success":true,"errorCode":0,"productCount":0}"#),
        ("taobao", Shape::Top, r#"{"items_onsale_get_response":{"total_results":0}}"#),
    ] {
        assert_eq!(read(platform, shape, body), Ok(()), "{body}");
    }
}

#[test]
fn every_rule_says_where_it_is_from_and_when_it_was_looked_up() {
    for platform in Catalog::builtin().platforms() {
        for rule in &platform.replies.errors.rules {
            assert!(!rule.source.is_empty() && rule.date.parse::<jiff::civil::Date>().is_ok(), "{rule:?}");
            assert!(rule.says.ends_with('.') || rule.says.ends_with(')'), "{}", rule.says);
            assert!(rule.advice.ends_with(['.', '/']), "{}", rule.advice);
        }
        for flag in &platform.replies.flags {
            assert!(!flag.ok.is_empty() && !flag.source.is_empty() && !flag.date.is_empty(), "{flag:?}");
        }
    }
}
