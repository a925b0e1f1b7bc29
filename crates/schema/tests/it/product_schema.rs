//! Products against a JSON Schema in the form of AliExpress's, and the gateway's own words for the same faults.

use serde_json::{Value as Json, json};
use sesame_schema::{Finding, Path, ProductSchema, Step, refused};

/// In the form that the documents describe: attributes are objects with `value`, `customValue` and `unit`.
fn schema() -> Json {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["category_id", "title_multi_language_list", "category_attributes", "sku_info_list"],
        "additionalProperties": false,
        "properties": {
            "category_id": {"type": "integer"},
            "title_multi_language_list": {"type": "array", "minItems": 1, "items": {
                "type": "object",
                "properties": {"locale": {"enum": ["en_US", "ru_RU"]}, "title": {"type": "string", "maxLength": 128}},
            }},
            "category_attributes": {"type": "object", "properties": {
                "Brand Name": {
                    "type": "object",
                    "properties": {
                        "value": {"oneOf": [{"const": "4", "title": "Other"}, {"const": "5", "title": "NoBrand"}]},
                        "customValue": {"type": "string", "maxLength": 70},
                    },
                    "if": {"properties": {"value": {"const": "4"}}},
                    "then": {"required": ["customValue"]},
                },
                "Size/Fit": {"properties": {"value": {"type": "array", "uniqueItems": true, "items": {"oneOf": [{"const": "1"}]}}}},
            }},
            "sku_info_list": {"type": "array", "maxItems": 2, "items": {"properties": {
                "price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
                "sku_code": {"type": "string", "pattern": "^[\\w-]+$"},
            }}},
        },
    })
}

fn product() -> Json {
    json!({
        "category_id": 7,
        "title_multi_language_list": [{"locale": "en_US", "title": "Teacup"}],
        "category_attributes": {"Brand Name": {"value": "5"}},
        "sku_info_list": [{"price": 1.5, "sku_code": "a-1"}],
    })
}

/// Changes the product at a place, which may be new.
fn with(pointer: &str, value: Json) -> Json {
    let mut product = product();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    product.pointer_mut(parent).unwrap()[name] = value;
    product
}

fn found(product: &Json) -> Vec<Finding> {
    ProductSchema::from_json(&schema().to_string()).unwrap().check(product).findings
}

#[test]
fn a_finding_is_the_one_that_the_gateway_has() {
    assert_eq!(found(&product()), []);
    let title = "x".repeat(130);
    for (changed, line) in [
        (
            with("/title_multi_language_list/0/title", title.into()),
            "#/title_multi_language_list/0/title: expected maxLength: 128, actual: 130",
        ),
        (
            with("/title_multi_language_list", json!([])),
            "#/title_multi_language_list: expected minimum item count: 1, found: 0",
        ),
        (
            with("/title_multi_language_list/0/locale", "de".into()),
            "#/title_multi_language_list/0/locale: de is not a valid enum value",
        ),
        (
            with("/category_attributes/Brand Name/value", "6".into()),
            "#/category_attributes/Brand Name/value: #: 0 subschemas matched instead of one",
        ),
        (
            with("/category_attributes/Brand Name/value", "4".into()),
            "#/category_attributes/Brand Name: required key [customValue] not found",
        ),
        (
            with("/category_attributes/Size~1Fit", json!({"value": ["1", "1"]})),
            "#/category_attributes/Size~1Fit/value: array items are not unique",
        ),
        (
            with("/sku_info_list", json!([{}, {}, {}])),
            "#/sku_info_list: expected maximum item count: 2, found: 3",
        ),
        (with("/sku_info_list/0/price", json!(0)), "#/sku_info_list/0/price: 0 is not greater than 0"),
        (
            with("/sku_info_list/0/price", json!(0.005)),
            "#/sku_info_list/0/price: 0.005 is not a multiple of 0.01",
        ),
        (
            with("/sku_info_list/0/price", "1".into()),
            "#/sku_info_list/0/price: expected type: Number, found: String",
        ),
        (
            with("/sku_info_list/0/sku_code", "a b".into()),
            "#/sku_info_list/0/sku_code: string [a b] does not match pattern ^[\\w-]+$",
        ),
        (with("/color", "red".into()), "#: extraneous key [color] is not permitted"),
    ] {
        let (found, theirs) = (found(&changed), refused(line, "", ""));
        assert_eq!((found.len(), theirs.len()), (1, 1), "{line}: {found:?}");
        let (ours, theirs) = (&found[0], &theirs[0]);
        assert_eq!((&ours.path, &ours.rule), (&theirs.path, &theirs.rule), "{line}");
        assert_eq!(ours.severity, theirs.severity);
        if let Some(limit) = theirs.limit.as_deref().filter(|_| ours.rule != "type") {
            assert_eq!(ours.limit.as_deref(), Some(limit), "{line}");
        }
        // The gateway has none of type, and of items by their count.
        assert_eq!(ours.actual, theirs.actual, "{line}");
    }
}

#[test]
fn all_findings_come_at_once_with_values() {
    let found = found(
        &json!({"category_id": "x", "title_multi_language_list": [{"title": 1}, {"title": "a".repeat(129)}], "0": 1}),
    );
    let rules: Vec<(String, &str)> =
        found.iter().map(|one| (one.path.to_string(), one.rule.as_str())).collect();
    for expected in [
        ("/category_id", "type"),
        ("/title_multi_language_list/0/title", "type"),
        ("/title_multi_language_list/1/title", "maxLength"),
        ("/category_attributes", "required"),
        ("/sku_info_list", "required"),
        ("/0", "additionalProperties"),
    ] {
        assert!(rules.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} {rules:?}");
    }
    assert_eq!(rules.len(), 6, "{rules:?}");
    let category = found.iter().find(|one| one.path.to_string() == "/category_id").unwrap();
    assert_eq!((category.value.as_deref(), category.limit.as_deref()), (Some("x"), Some("integer")));
    assert!(found.iter().all(|one| !one.message.contains("aaaa")), "messages do not repeat the product");
}

#[test]
fn numbers_are_indexes_in_lists_alone() {
    let schema = json!({"additionalProperties": {"items": {"type": "string"}}});
    let found =
        ProductSchema::from_json(&schema.to_string()).unwrap().check(&json!({"5": ["x", 1]})).findings;
    assert_eq!(found[0].path, Path(vec![Step::from("5"), Step::from(1)]));
}

#[test]
fn the_declared_draft_counts() {
    let is_ok = |schema: Json, value: &Json| {
        ProductSchema::from_json(&schema.to_string()).unwrap().check(value).is_ok()
    };
    let list = |uri: &str, key: &str| json!({"$schema": uri, key: [{"type": "string"}]});
    assert!(!is_ok(list("http://json-schema.org/draft-04/schema#", "items"), &json!([1])));
    assert!(!is_ok(list("http://json-schema.org/draft-06/schema#", "items"), &json!([1])));
    assert!(!is_ok(list("https://json-schema.org/draft/2020-12/schema", "prefixItems"), &json!([1])));
    // A member that draft 4 does not know, and a bound that only draft 4 writes so.
    assert!(is_ok(json!({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1}), &json!(2)));
    assert!(!is_ok(
        json!({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": true}),
        &json!(1)
    ));
    // Without one it is draft 7: the validator of the platform knows none after it.
    assert!(!is_ok(json!({"items": [{"type": "string"}]}), &json!([1])));
    assert!(is_ok(json!({"prefixItems": [{"type": "string"}]}), &json!([1])));
}

#[test]
fn what_is_no_schema_is_refused() {
    for (text, expected) in [
        ("{", "the schema is not JSON: "),
        (r#"{"type": "text"}"#, r#"the schema cannot be used, at "/type": "#),
        (r#"{"properties": {"a": {"pattern": "("}}}"#, "the schema cannot be used, at "),
        (r#"{"$ref": "http://127.0.0.1:1/schema"}"#, "the schema cannot be used, at "),
        (r#"{"$ref": "file:///etc/passwd"}"#, "the schema cannot be used, at "),
        (r#"{"$schema": "https://a.example/own"}"#, "the schema cannot be used, at "),
    ] {
        let error = ProductSchema::from_json(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let large = format!("{{\"title\": \"{}\"}}", "x".repeat(sesame_schema::MAX_BYTES));
    assert_eq!(ProductSchema::from_json(&large).unwrap_err().to_string(), "the schema is larger than 10 MiB");
}

#[test]
fn a_schema_that_goes_round_in_a_circle_ends() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}, "$ref": "#/definitions/a"}),
        json!({"properties": {"a": {"$ref": "#"}}}),
        json!({"not": {"$ref": "#"}}),
    ] {
        if let Ok(schema) = ProductSchema::from_json(&schema.to_string()) {
            schema.check(&json!({"a": {"a": {"a": 1}}}));
        }
    }
}
