//! Which payloads are refusals although the envelope says yes: by the rules of each platform.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{fs, path::Path};

use jiff::Timestamp;
use serde_json::{Value, json};
use sesame_catalog::{Catalog, Field};
use sesame_core::{
    Error, ErrorKind, HttpResponse, Protocol, Retry, Shape, envelope::read_reply, redact::Redactor,
};

fn read(platform: &str, shape: Shape, body: &str) -> Result<(), Error> {
    let rules = &Catalog::builtin().platform(platform).unwrap().replies;
    let response =
        HttpResponse { status: 200, body: body.as_bytes().to_vec().into(), ..HttpResponse::default() };
    read_reply(shape, rules, &response, &Redactor::default(), Timestamp::UNIX_EPOCH).map(drop)
}

/// Puts a payload into the envelope that the shape has.
fn wrapped(shape: Shape, payload: Value) -> String {
    match shape {
        Shape::IopSync | Shape::Top => {
            json!({"some_api_get_response": payload, "request_id": "r"}).to_string()
        }
        Shape::Param2 => payload.to_string(),
        _ => {
            let mut payload = payload;
            payload["code"] = "0".into();
            payload["request_id"] = "r".into();
            payload.to_string()
        }
    }
}

/// Code and text, as the documents name them, and the objects that they stand in.
type Pair = (String, String, Vec<String>);

/// Finds the documented pairs of a code and a text that are named for errors, beside no flag.
fn pairs(fields: &[Field], path: &[String], out: &mut Vec<Pair>) {
    let plain = |field: &&Field| !field.list && field.children.is_empty();
    let name_of = |field: &Field| field.name.to_ascii_lowercase().replace('_', "");
    let has_flag = fields.iter().any(|field| name_of(field).contains("success"));
    let code = fields.iter().filter(plain).find(|field| {
        let name = name_of(field);
        (name.contains("err") && name.ends_with("code")) || name == "codeerror" || name == "msgcode"
    });
    let text = fields.iter().filter(plain).find(|field| {
        let name = name_of(field);
        (name.contains("err") && !name.contains("code")) || name == "msginfo"
    });
    if let (Some(code), Some(text), false) = (code, text, has_flag) {
        out.push((code.name.clone(), text.name.clone(), path.to_vec()));
    }
    for field in fields.iter().filter(|field| !field.list) {
        let mut path = path.to_vec();
        path.push(field.name.clone());
        pairs(&field.children, &path, out);
    }
}

/// APIs of TOP whose replies name errors in objects that hold data elsewhere, or by a word that does.
const UNREACHED: [&str; 9] = [
    "alibaba.aliqin.flow.alipay.isbindingtbaccount",
    "alibaba.aliqin.flow.alipay.publish",
    "alibaba.guard.access.auth",
    "alibaba.happytrip.order.get",
    "alibaba.security.jaq.app.riskdetail.get",
    "alibaba.security.jaq.app.risksummary.get",
    "taobao.xhotel.bnbowner.delete",
    "tmall.item.dapei.template.query",
    "tmall.nrt.stall.synchronize",
];

#[test]
fn every_documented_error_code_beside_an_error_text_is_a_refusal() {
    let catalog = Catalog::builtin();
    let mut seen = 0;
    for platform in catalog.platforms() {
        for summary in catalog.list(&platform.name) {
            if UNREACHED.contains(&summary.name.as_str()) {
                continue;
            }
            let api = catalog.api(&platform.name, &summary.name).unwrap();
            let mut found = Vec::new();
            pairs(&api.response, &[], &mut found);
            for (code, text, path) in found {
                let reply = |code_value: Value, text_value: Value, beside: Value| {
                    let mut payload = json!({ &code: code_value, &text: text_value, "some_list": beside });
                    for name in path.iter().rev() {
                        payload = json!({ name: payload });
                    }
                    wrapped(api.shape, payload)
                };
                let place = format!("{} {} {path:?} {code} {text}", platform.name, api.name);
                for beside in [Value::Null, json!([]), json!([{"id": 1}])] {
                    let body = reply("PHOTO_SIZE".into(), "too big".into(), beside.clone());
                    let error = read(&platform.name, api.shape, &body).expect_err(&place);
                    assert_eq!(error.code(), Some("PHOTO_SIZE"), "{place}");
                    assert!(error.message().contains("too big"), "{place}: {error}");
                    for no_error in [
                        json!("0"),
                        json!(0),
                        json!(""),
                        Value::Null,
                        json!("200"),
                        json!("00"),
                        json!("SUCCESS"),
                        json!("00000"),
                    ] {
                        for said in [json!(""), Value::Null, json!("success")] {
                            let body = reply(no_error.clone(), said, beside.clone());
                            assert!(read(&platform.name, api.shape, &body).is_ok(), "{place}: {body}");
                        }
                    }
                }
                seen += 1;
            }
        }
    }
    assert!(seen >= 230, "documented pairs are missing: {seen}");
}

#[test]
fn a_refusal_without_a_flag_is_found_wherever_it_stands() {
    for (platform, shape, payload, code) in [
        (
            "alibaba",
            Shape::IopRest,
            json!({"result": {"error_code": "PHOTO_SIZE", "error_msg": "too big"}}),
            "PHOTO_SIZE",
        ),
        (
            "alibaba",
            Shape::IopRest,
            json!({"result": {"error_code": "X", "error_msg": "no", "products": [], "total_item": 0}}),
            "X",
        ),
        (
            "alibaba",
            Shape::IopRest,
            json!({"result": {"result_code": "500", "result_msg": "no rights", "result_data": null}}),
            "500",
        ),
        ("alibaba", Shape::IopSync, json!({"errorcode": "X", "errormsg": "no"}), "X"),
        ("taobao-global", Shape::IopRest, json!({"error_msg": "scroll expired", "data": []}), ""),
        ("taobao-global", Shape::IopRest, json!({"biz_error_code": "E1", "biz_error_msg": "no"}), "E1"),
        ("lazada", Shape::IopRest, json!({"ret_code": "FAIL", "ret_msg": "no"}), "FAIL"),
        ("lazada", Shape::IopRest, json!({"data": {"errorCode": "E2", "errorMessage": "no"}}), "E2"),
        (
            "aliexpress",
            Shape::IopSync,
            json!({"result": {"error_code": 14031, "error_message": "no"}}),
            "14031",
        ),
        ("aliexpress", Shape::IopSync, json!({"result": {"error_code": 14031}}), "14031"),
        ("aliexpress", Shape::IopSync, json!({"result": {"code": "17", "msg": "no such order"}}), "17"),
        ("aliexpress", Shape::IopSync, json!({"code": "99", "msg": "no"}), "99"),
        ("1688", Shape::Param2, json!({"errorCode": "E3", "errorMessage": "no"}), "E3"),
        ("1688", Shape::Param2, json!({"errCode": "E3", "errMsg": "no", "productInfo": null}), "E3"),
        ("1688", Shape::Param2, json!({"errMsg": "no such product"}), ""),
        ("1688", Shape::Param2, json!({"code": 4, "message": "no"}), "4"),
        (
            "taobao",
            Shape::Top,
            json!({"result": {"error": {"code": "C", "message": "no", "view": "shown"}}}),
            "C",
        ),
        (
            "taobao",
            Shape::Top,
            json!({"response": {"flag": "failure", "code": "S003", "message": "no"}}),
            "S003",
        ),
        ("taobao", Shape::Top, json!({"result": {"success": "false", "error_code": "D"}}), "D"),
    ] {
        let body = wrapped(shape, payload);
        let error = read(platform, shape, &body).expect_err(&body);
        assert_eq!(error.code().unwrap_or_default(), code, "{body}");
        assert_eq!(error.retry(), Retry::Never, "{body}");
        assert!(error.hint().is_some(), "{body}");
    }
}

#[test]
fn what_is_no_error_stays_a_result() {
    for (platform, shape, payload) in [
        // A flag goes before a code: the order exists and is not paid yet.
        (
            "aliexpress",
            Shape::IopSync,
            json!({"result": {"is_success": true, "error_msg": "OrderCreated, autoPay fail:APIPayFail", "error_code": "X"}}),
        ),
        ("lazada", Shape::IopRest, json!({"success": "true", "error_code": "X", "error_msg": "old"})),
        ("taobao", Shape::Top, json!({"response": {"flag": "success", "code": "0", "message": "done"}})),
        // Rows and things of the shop may have fields of these names.
        ("lazada", Shape::IopRest, json!({"data": {"orders": [{"error_code": "X", "error_msg": "row"}]}})),
        ("lazada", Shape::IopRest, json!({"data": {"code": "SUMMER", "message": "10 % off"}})),
        ("lazada", Shape::IopRest, json!({"result": [{"error_code": "X", "error_msg": "row"}]})),
        ("lazada", Shape::IopRest, json!({"product": {"error_code": "X", "error_msg": "row"}})),
        (
            "aliexpress",
            Shape::IopSync,
            json!({"result": {"code": "1", "message": "found", "data": {"rows": [1]}}}),
        ),
        (
            "1688",
            Shape::Param2,
            json!({"errMsg": "some pictures are missing", "productInfo": {"productID": 1}}),
        ),
        ("1688", Shape::Param2, json!({"message": "stored", "productID": 1})),
        // The payment failed, asking for it did not.
        (
            "alibaba",
            Shape::IopRest,
            json!({"value": {"status": "PAY_FAILED", "reason_code": "50006", "reason_message": "no"}}),
        ),
        (
            "alibaba",
            Shape::IopRest,
            json!({"result": {"msg_code": "00000", "msg_info": "ok", "video": {"id": 1}}}),
        ),
        (
            "alibaba",
            Shape::IopRest,
            json!({"result": {"result_code": "200", "result_msg": "request success"}}),
        ),
        ("aliexpress", Shape::IopSync, json!({"code": "00", "msg": "ok", "data": {"totalCount": 0}})),
        (
            "aliexpress",
            Shape::IopSync,
            json!({"resp_result": {"resp_code": 405, "resp_msg": "The result is empty"}}),
        ),
    ] {
        let body = wrapped(shape, payload);
        if let Err(error) = read(platform, shape, &body) {
            panic!("{platform}: {error} of {body}");
        }
    }
    // On /rest the gateway's code may be any word of success.
    for code in [json!("00"), json!("200"), json!(200), json!("SUCCESS")] {
        assert!(
            read("alibaba", Shape::IopRest, &json!({"code": code, "a": [1]}).to_string()).is_ok(),
            "{code}"
        );
    }
}

#[test]
fn a_code_of_a_payload_gets_no_meaning_of_the_gateways() {
    let failed = |platform, code: &str, message: &str| {
        let payload = json!({"result": {"success": false, "code": code, "msg": message}});
        let shape = if platform == "taobao" { Shape::Top } else { Shape::IopSync };
        read(platform, shape, &wrapped(shape, payload)).unwrap_err()
    };
    let delivery = failed("aliexpress", "501", "DELIVERY_INFO_EMPTY");
    assert_eq!(delivery.kind(), ErrorKind::Business);
    assert!(delivery.hint().unwrap().contains("country"), "{delivery:#}");
    for code in ["501", "6", "15", "1000", "30", "5", "500"] {
        let error = failed("aliexpress", code, "something else");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Business, Retry::Never), "{code}");
        assert!(!error.hint().unwrap().contains("`detail`"), "{code}: {error:#}");
    }
    // TOP's 27 is a refused session, in the envelope alone.
    assert_eq!(failed("taobao", "27", "m").retry(), Retry::Never);
    assert_eq!(failed("aliexpress", "404", "System error").kind(), ErrorKind::Platform);
    assert_eq!(failed("aliexpress", "401", "This publisher is not registered").kind(), ErrorKind::App);
}

/// Recorded replies of the live platforms, where they lie beside the checkout.
#[test]
fn recorded_replies_are_read_as_what_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/found/replies");
    let Ok(entries) = fs::read_dir(folder) else { return };
    let catalog = Catalog::builtin();
    let mut seen = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let platform = match name.split('-').next().unwrap() {
            "ae" if name.contains("legacy") => "aliexpress-legacy",
            "ae" | "top" => "taobao",
            "taobao" => "taobao-global",
            other => other,
        };
        let shape = match catalog.platform(platform).unwrap().protocol {
            Protocol::Param2 => Shape::Param2,
            Protocol::Top => Shape::Top,
            Protocol::Iop if name.contains("-ds-") || name.contains("solution") => Shape::IopSync,
            Protocol::Iop => Shape::IopRest,
        };
        let is_refusal = ["error", "failed", "failure"].iter().any(|word| name.contains(word));
        let body = fs::read_to_string(&path).unwrap();
        let read = read(platform, shape, &body);
        assert_eq!(read.is_err(), is_refusal, "{name}: {read:?}");
        seen += 1;
    }
    assert!(seen >= 26, "{seen}");
}
