//! Arguments to parameters to bytes, and back.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sesame_core::{
    ErrorKind, Params, Shape,
    encode::{MAX_TEXT, Wire, fill_path, flatten},
    params,
    request::{HttpRequest, encode_form},
};

fn args(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

const PLAIN: fn(&str) -> Wire<'static> = |_| Wire { comma_list: false, xml_root: None };

fn flat(shape: Shape, value: &Value) -> Vec<(String, String)> {
    let params = flatten(shape, &args(value), PLAIN).unwrap();
    params.texts().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn values_keep_their_text() {
    let value = json!({
        "text": "a&b=c+d%20 \r\n😀中文", "number": 20, "fraction": 1.5, "yes": true, "no": false,
        "request": {"b": [1, {"c": "ü"}], "a": null}, "list": ["u1", "u2"], "empty": "", "null": null,
        "looks_like_json": "{\"a\": 1}", "10": "ten", "2": "two",
    });
    assert_eq!(
        flat(Shape::IopRest, &value),
        [
            ("text", "a&b=c+d%20 \r\n😀中文"),
            ("number", "20"),
            ("fraction", "1.5"),
            ("yes", "true"),
            ("no", "false"),
            ("request", r#"{"b":[1,{"c":"ü"}],"a":null}"#),
            ("list", r#"["u1","u2"]"#),
            ("looks_like_json", "{\"a\": 1}"),
            ("10", "ten"),
            ("2", "two"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn lists_join_with_commas_only_where_nothing_is_lost() {
    let join = |value: Value| {
        let params = flatten(Shape::Top, &args(&json!({ "fields": value })), |_| Wire {
            comma_list: true,
            xml_root: None,
        })
        .unwrap();
        params.text("fields").map(str::to_owned)
    };
    assert_eq!(join(json!(["num_iid", "title", 3, true])).as_deref(), Some("num_iid,title,3,true"));
    assert_eq!(join(json!(["a,b", "c"])).as_deref(), Some(r#"["a,b","c"]"#));
    assert_eq!(join(json!([{"a": 1}])).as_deref(), Some(r#"[{"a":1}]"#));
    assert_eq!(join(json!([])), None);
}

#[test]
fn names_that_the_client_sets_are_refused() {
    for (shape, name) in [
        (Shape::IopRest, "sign"),
        (Shape::IopRest, "app_key"),
        (Shape::IopRest, "timestamp"),
        (Shape::IopSync, "method"),
        (Shape::IopSync, "session"),
        (Shape::Top, "v"),
        (Shape::Param2, "_aop_signature"),
        (Shape::Param2, "access_token"),
    ] {
        let error = flatten(shape, &args(&json!({ name: "x" })), PLAIN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{name}");
        assert!(error.message().contains(name));
    }
    assert!(flatten(Shape::Param2, &args(&json!({ "sign": "x", "method": "y" })), PLAIN).is_ok());
    assert!(flatten(Shape::IopRest, &args(&json!({ "": "x" })), PLAIN).is_err());
}

#[test]
fn sizes_are_bounded() {
    assert!(
        flatten(Shape::IopRest, &args(&json!({ "xml": "x".repeat(5 << 20) })), PLAIN).is_ok(),
        "5 MB is allowed"
    );
    let error =
        flatten(Shape::IopRest, &args(&json!({ "xml": "x".repeat(MAX_TEXT + 1) })), PLAIN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let many: Map<String, Value> = (0..1_001).map(|at| (at.to_string(), json!(at))).collect();
    assert!(flatten(Shape::IopRest, &many, PLAIN).is_err());
}

#[test]
fn path_variables_are_replaced_and_taken_out() {
    let mut params = Params::new();
    params.push("orderId", "1234").unwrap();
    params.push("other", "x").unwrap();
    assert_eq!(fill_path("/orders/{orderId}/items", &mut params).unwrap(), "/orders/1234/items");
    assert_eq!(params.texts().collect::<Vec<_>>(), [("other", "x")]);
    assert!(fill_path("/orders/{orderId}", &mut params).unwrap_err().message().contains("orderId"));
    assert!(fill_path("/orders/{orderId", &mut params).is_err());
    for evil in ["../x", "a/b", "..", "a?b", "a#b"] {
        let mut params = Params::new();
        params.push("id", evil).unwrap();
        assert!(fill_path("/x/{id}", &mut params).is_err(), "{evil}");
    }
}

#[test]
fn doubled_names_are_refused() {
    let mut params = Params::new();
    params.push("a", "1").unwrap();
    assert_eq!(params.push("a", "1").unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn multipart_cannot_be_broken_out_of() {
    let mut params = Params::new();
    params.push("na\"me\r\nX: y", "v").unwrap();
    params
        .push_value(
            "image".into(),
            sesame_core::Value::File(params::File {
                file_name: "a\"b\r\n.png".into(),
                content_type: "image/png\r\nEvil: 1".into(),
                content: bytes::Bytes::from_static(b"\x89PNG\r\n--not-the-boundary"),
            }),
        )
        .unwrap();
    let request = HttpRequest::multipart("http://127.0.0.1/", &params, "b0undary");
    let body = String::from_utf8_lossy(&request.body);
    assert!(!body.contains("\r\nX: y") && !body.contains("\r\nEvil"), "{body}");
    assert!(body.contains("name=\"na%22me%0D%0AX: y\"") && body.contains("filename=\"a%22b%0D%0A.png\""));
    assert!(body.ends_with("--b0undary--\r\n"));
}

proptest! {
    #[test]
    fn a_form_decodes_to_what_was_encoded(pairs in prop::collection::vec(("\\PC{0,12}", "(?s).{0,40}"), 0..12)) {
        let mut body = Vec::new();
        encode_form(&mut body, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        prop_assert!(body.is_ascii());
        let back: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        // An empty pair leaves no trace in a form; everything else must come back.
        let expected: Vec<(String, String)> = pairs.into_iter().collect();
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn flatten_keeps_every_text_and_its_order(map in prop::collection::btree_map("[a-z]{1,8}x", "(?s).{0,30}", 0..20)) {
        let object: Map<String, Value> = map.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let params = flatten(Shape::IopRest, &object, PLAIN).unwrap();
        let expected: Vec<(&str, &str)> = object.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).filter(|(_, value)| !value.is_empty()).collect();
        prop_assert_eq!(params.texts().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn an_object_is_written_as_xml_where_the_argument_is_that() {
    let wire = |_: &str| Wire { comma_list: false, xml_root: Some("Request") };
    let sku = json!({ "Product": { "Skus": { "Sku": [{ "SkuId": 1, "Price": "9.90" }, { "SkuId": 2 }] } } });
    let text = "<Request><Product><Skus><Sku><SkuId>1</SkuId><Price>9.90</Price></Sku><Sku><SkuId>2</SkuId></Sku></Skus></Product></Request>";
    for payload in [sku.clone(), json!({ "Request": sku }), json!(text)] {
        let params = flatten(Shape::IopRest, &args(&json!({ "payload": payload })), wire).unwrap();
        assert_eq!(params.get("payload"), Some(&sesame_core::Value::Text(text.to_owned())));
    }
}
