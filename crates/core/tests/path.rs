//! Dotted paths: into payloads as they come, and into arguments.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use serde_json::{Map, Value, json, value::RawValue};
use sesame_core::path;

fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).unwrap()
}

fn rows(payload: &str, path: &str) -> Option<Vec<String>> {
    path::rows(raw(payload), path).map(|rows| rows.iter().map(|row| row.get().to_owned()).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what `rows` returns")]
fn texts(rows: &[&str]) -> Option<Vec<String>> {
    Some(rows.iter().map(ToString::to_string).collect())
}

#[test]
fn rows_are_found_wrapped_bare_single_and_crossed() {
    let wrapped = r#"{"items":{"item":[{"id":1},{"id":2}]}}"#;
    let both = texts(&[r#"{"id":1}"#, r#"{"id":2}"#]);
    for path in ["items.item", "items", ".items..item."] {
        assert_eq!(rows(wrapped, path), both, "{path}");
    }
    assert_eq!(rows(r#"{"items":[{"id":1},{"id":2}]}"#, "items.item"), both);
    assert_eq!(rows(r#"{"items":{"item":{"id":1,"b":2}}}"#, "items.item"), texts(&[r#"{"id":1,"b":2}"#]));
    assert_eq!(
        rows(r#"{"a":[{"b":[1,2]},{"b":[3]},{"c":1}]}"#, "a.b"),
        texts(&["1", "2", "3", r#"{"c":1}"#])
    );
    assert_eq!(rows(r#"[{"id":1}]"#, ""), texts(&[r#"{"id":1}"#]));
    assert_eq!(rows(r#"{"a":[{"b":[1]},{"b":[2]}]}"#, "a.1.b"), texts(&["2"]));
    assert_eq!(rows(r#"{"a":{"w":[{"b":[1]},{"b":[2]}]}}"#, "a.1.b"), texts(&["2"]));
}

#[test]
fn no_rows_and_no_place_are_different() {
    for (payload, path) in [
        (r#"{"items":{}}"#, "items"),
        (r#"{"items":null}"#, "items.item"),
        (r#"{"items":""}"#, "items.item"),
        (r#"{"data":{ }}"#, "data.items"),
    ] {
        assert_eq!(rows(payload, path), texts(&[]), "{payload}");
    }
    for (payload, path) in [
        (r#"{"total":0}"#, "items.item"),
        (r#"{"items":"oops"}"#, "items"),
        (r#"{"items":5}"#, "items.item"),
        (r#"{"data":{"errors":["x"]}}"#, "data.items"),
        ("{}", "data.items"),
    ] {
        assert_eq!(rows(payload, path), None, "{payload}");
    }
}

#[test]
fn scalars_are_text_whatever_their_form() {
    let payload = raw(
        r#"{"result":{"total_item":"1234","more":"Y","list":[{"n":5.50}],"skus":{"sku":[{"n":7}]},"bad":-1,"t\u00e9":"\u4e2d"}}"#,
    );
    assert_eq!(path::unsigned(payload, "result.total_item"), Some(1234));
    assert_eq!(path::text(payload, "result.list.0.n").as_deref(), Some("5.50"));
    assert_eq!(path::text(payload, "result.skus.0.n").as_deref(), Some("7"));
    assert_eq!(path::text(payload, "result.skus.sku.0.n").as_deref(), Some("7"));
    assert_eq!(path::unsigned(payload, "result.bad"), None);
    assert_eq!(path::boolean(payload, "result.more"), Some(true));
    for nowhere in ["result.none", "result.list.n", "result.list.1.n", "result.total_item.x", "result.list"] {
        assert_eq!(path::text(payload, nowhere), None, "{nowhere}");
    }
    assert_eq!(path::text(raw(r#"{"a":1,"a":2}"#), "a").as_deref(), Some("1"));
}

#[test]
fn arguments_are_set_flat_nested_and_inside_text() {
    let mut arguments = Map::new();
    path::set(&mut arguments, "page_no", json!(2)).unwrap();
    path::set(&mut arguments, "request.page.current", json!(3)).unwrap();
    arguments.insert("query".into(), json!(r#"{"subject":"cup","page":7}"#));
    assert_eq!(path::argument(&arguments, "query.page"), Some(json!(7)));
    path::set(&mut arguments, "query.page", json!(4)).unwrap();
    assert_eq!(
        Value::Object(arguments.clone()),
        json!({"page_no": 2, "request": {"page": {"current": 3}}, "query": {"subject": "cup", "page": 4}})
    );
    assert_eq!(path::argument(&arguments, "request.page.current"), Some(json!(3)));
    assert_eq!(path::argument(&arguments, "query.none"), None);
    for not_an_object in [json!("not json"), json!([1]), json!(5)] {
        arguments.insert("query".into(), not_an_object);
        assert!(path::set(&mut arguments, "query.page", json!(1)).is_err());
    }
}

/// JSON of any form, with few names, so that paths meet something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c\"\\\\é]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The plain meaning of a path: members and positions.
fn plain<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

proptest! {
    /// What is there under its plain path is found, unparsed, as it was written.
    #[test]
    fn finds_what_the_parsed_document_has(json in any_json(), path in "([a-c0-2]\\.){0,3}[a-c0-2]") {
        let text = json.to_string();
        let found = path::get(raw(&text), &path).map(RawValue::get);
        if let Some(expected) = plain(&json, &path) {
            prop_assert_eq!(found.map(str::to_owned), Some(expected.to_string()));
        }
        if let Some(rows) = path::rows(raw(&text), &path)
            && let Some(Value::Array(expected)) = plain(&json, &path)
        {
            prop_assert_eq!(rows.len(), expected.len());
        }
    }

    /// A list counts the same with and without a wrapper around it, named in the path or not.
    #[test]
    fn a_wrapper_may_be_there_or_not(items in proptest::collection::vec("[a-c]{1,3}", 1..4)) {
        let rows: Vec<Value> = items.iter().map(|id| json!({"id": id})).collect();
        let bare = json!({"list": rows}).to_string();
        let wrapped = json!({"list": {"item": rows}}).to_string();
        for path in ["list", "list.item"] {
            prop_assert_eq!(path::rows(raw(&bare), path).unwrap().len(), rows.len());
            prop_assert_eq!(path::rows(raw(&wrapped), path).unwrap().len(), rows.len());
        }
        let last = format!("list.{}.id", rows.len() - 1);
        prop_assert_eq!(path::text(raw(&bare), &last), path::text(raw(&wrapped), &last));
    }

    /// What was set is read back, and nothing else changes.
    #[test]
    fn an_argument_that_was_set_is_read_back(path in "([a-c]\\.){0,3}[a-c]", value in any_json()) {
        let mut arguments = Map::from_iter([("other".to_owned(), json!(1))]);
        path::set(&mut arguments, &path, value.clone()).unwrap();
        prop_assert_eq!(path::argument(&arguments, &path), Some(value));
        prop_assert_eq!(&arguments["other"], 1);
    }

    /// No text leads to a panic.
    #[test]
    fn any_path_into_any_json_is_survived(json in any_json(), path in ".{0,12}") {
        let text = json.to_string();
        let _ = (path::get(raw(&text), &path), path::rows(raw(&text), &path), path::text(raw(&text), &path));
    }
}

#[test]
fn of_two_places_the_first_that_holds_something_counts() {
    let read = |text: &str| {
        let reply: Box<serde_json::value::RawValue> = serde_json::from_str(text).unwrap();
        (
            path::rows(&reply, "rows|result.rows").map(|rows| rows.len()),
            path::unsigned(&reply, "page.total|result.page.total"),
        )
    };
    assert_eq!(read(r#"{"rows":[1,2],"page":{"total":7}}"#), (Some(2), Some(7)));
    assert_eq!(read(r#"{"result":{"rows":[1,2],"page":{"total":7}}}"#), (Some(2), Some(7)));
    assert_eq!(read(r#"{"rows":[],"result":{"rows":[1]}}"#).0, Some(0));
    assert_eq!(read(r#"{"other":1}"#), (None, None));
}
