//! What is written for other tools.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use sesame_catalog::{Api, Catalog, Field, Param, Type};
use sesame_documents::{
    code::{Language, generate},
    json_schema,
    reference::Reference,
};

fn api() -> Api {
    let mut api = Catalog::builtin().api("lazada", "/orders/get").unwrap();
    let text = |name: &str| Param::named(name.to_owned(), Type::String);
    api.params = ["type", "2fast", "a b", "a-b", "self", "中文", "orderId"].map(text).to_vec();
    api.params[0].required = Some(true);
    api.params[0].note = Some("ends */ here\nand | there".to_owned());
    api.response = vec![];
    api
}

#[test]
fn names_of_rust_are_legal_and_differ() {
    let text = generate(Language::Rust, &[api()]);
    for line in [
        "pub r#type: String,",
        "#[serde(rename = \"2fast\", skip_serializing_if = \"Option::is_none\")]\n    pub _2fast: Option<String>,",
        "pub a_b: Option<String>,",
        "pub a_b2: Option<String>,",
        "pub self_: Option<String>,",
        "#[serde(rename = \"中文\", skip_serializing_if = \"Option::is_none\")]\n    pub field: Option<String>,",
        "pub order_id: Option<String>,",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn keys_of_typescript_and_python_are_quoted_and_comments_end_where_they_should() {
    let text = generate(Language::TypeScript, &[api()]);
    assert!(text.contains("  \"a b\"?: string;") && text.contains("  \"type\": string;"), "{text}");
    assert!(!text.contains("ends */"), "{text}");
    let text = generate(Language::Python, &[api()]);
    assert!(text.contains("    \"a b\": str,") && text.contains("    \"type\": Required[str],"), "{text}");
    assert!(text.contains("    # and | there\n"), "{text}");
}

#[test]
fn the_types_of_two_apis_with_one_name_differ() {
    let mut other = api();
    "/orders_get".clone_into(&mut other.name);
    let text = generate(Language::Rust, &[api(), other]);
    assert!(
        text.contains("pub struct OrdersGetArguments {") && text.contains("pub struct OrdersGetArguments2 {")
    );
}

#[test]
fn very_deep_types_end_in_any_json() {
    let mut field = Field {
        children: vec![],
        ..Catalog::builtin().api("lazada", "/orders/get").unwrap().response[0].clone()
    };
    field.kind = Type::Object;
    for _ in 0..60 {
        field = Field { children: vec![field.clone()], ..field };
    }
    let mut api = api();
    api.response = vec![field];
    let text = generate(Language::Rust, &[api]);
    assert!(text.contains("Option<Value>") && text.matches("pub struct").count() == 17, "{text}");
}

#[test]
fn every_api_has_a_schema_and_a_page_of_its_own() {
    let catalog = Catalog::builtin();
    let mut reference = Reference::default();
    let mut paths = std::collections::HashSet::new();
    for platform in catalog.platforms() {
        for listed in catalog.list(&platform.name) {
            let api = catalog.api(&platform.name, &listed.name).unwrap();
            let (path, page) = reference.page(&api);
            assert!(paths.insert(path.to_lowercase()) && page.starts_with("# "), "{path}");
            assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)), "{path}");
            let schema = json_schema(&api);
            let named = schema["properties"].as_object().unwrap();
            assert!(api.callers().all(|param| named.contains_key(&param.name)), "{}", api.name);
            // What is required can be given.
            let required = schema["required"].as_array().into_iter().flatten();
            assert!(
                required.into_iter().all(|name| named.contains_key(name.as_str().unwrap())),
                "{}",
                api.name
            );
        }
    }
    let index = reference.index();
    assert!(!index.contains("ROWS") && index.matches("</script>").count() == 1);
}
