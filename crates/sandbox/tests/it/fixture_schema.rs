//! Schema documents of the world: well-formed, complete, and cascades that lead somewhere.

use quick_xml::{Reader, events::Event};
use serde_json::Value;
use sesame_sandbox::fixtures::Fixtures;

use crate::fixture_support::payload;

fn ask(world: &Fixtures, api: &str, args: &[(&str, &str)]) -> Value {
    payload(world, "alibaba", api, args)
}

fn schema(world: &Fixtures, id: &str, language: &str) -> String {
    let reply = ask(world, "/alibaba/icbu/product/schema/get", &[("cat_id", id), ("language", language)]);
    assert_eq!(reply["result"]["success"], true, "{reply}");
    reply["result"]["data"].as_str().unwrap().to_owned()
}

/// A field and the ids of the fields around it; its options.
#[derive(Debug)]
struct Seen {
    way: Vec<String>,
    kind: String,
    options: Vec<String>,
}

/// Reads a document, and panics where it is not well-formed or breaks the language's own rules.
fn read(xml: &str) -> Vec<Seen> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut fields: Vec<Seen> = Vec::new();
    let mut open: Vec<(String, Option<usize>)> = Vec::new();
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}"));
        let (element, has_end) = match &event {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                open.pop().unwrap();
                continue;
            }
            Event::Eof => {
                assert!(open.is_empty());
                return fields;
            }
            _ => continue,
        };
        let name = String::from(element.name().as_ref());
        let value = |wanted: &str| {
            let found = element.attributes().map(Result::unwrap).find(|a| a.key.as_ref() == wanted);
            found.map(|a| a.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned())
        };
        let mut at = None;
        match name.as_str() {
            "field" => {
                let id = value("id").unwrap();
                let mut way: Vec<String> = open
                    .iter()
                    .filter_map(|(_, at)| at.map(|at| fields[at].way.last().unwrap().clone()))
                    .collect();
                way.push(id);
                assert!(!value("name").unwrap().is_empty());
                let kind = value("type").unwrap();
                assert!(
                    ["input", "multiInput", "singleCheck", "multiCheck", "complex", "multiComplex", "label"]
                        .contains(&kind.as_str())
                );
                at = Some(fields.len());
                fields.push(Seen { way, kind, options: Vec::new() });
            }
            "rule" => assert!(value("name").is_some() && value("value").is_some()),
            "option" => {
                assert!(!value("displayName").unwrap().is_empty());
                let field = open.iter().rev().find_map(|(_, at)| *at).unwrap();
                fields[field].options.push(value("value").unwrap());
            }
            "depend-express" => assert!(value("fieldId").is_some() && value("symbol").is_some()),
            "itemSchema" | "fields" | "rules" | "options" | "depend-group" | "label-group" | "label" => {}
            other => panic!("no element {other} is known"),
        }
        if has_end {
            open.push((name, at));
        }
    }
}

fn leaves(world: &Fixtures) -> Vec<String> {
    let mut open = vec!["0".to_owned()];
    let mut leaves = Vec::new();
    while let Some(id) = open.pop() {
        let reply = ask(world, "/icbu/product/category/get", &[("cat_id", &id)]);
        let node = &reply["result"]["result"];
        if node["leaf_category"] == true {
            leaves.push(id);
        }
        open.extend(node["child_ids"].as_array().unwrap().iter().map(Value::to_string));
    }
    leaves
}

#[test]
fn every_leaf_has_a_well_formed_schema() {
    let world = Fixtures::generate(1, 1, 1);
    for leaf in leaves(&world) {
        for language in ["en_US", "zh_CN", "es_ES", "ar_SA"] {
            let fields = read(&schema(&world, &leaf, language));
            let roots: Vec<&str> = fields
                .iter()
                .filter(|field| field.way.len() == 1)
                .map(|field| field.way[0].as_str())
                .collect();
            assert!(roots.len() >= 30, "{}", roots.len());
            for needed in
                ["productTitle", "scImages", "icbuCatProp", "saleProp", "sku", "ladderPrice", "superText"]
            {
                assert_eq!(roots.iter().filter(|root| **root == needed).count(), 1, "{needed}");
            }
            let mut unique = roots.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), roots.len());
            for field in &fields {
                let checked = field.kind.ends_with("Check");
                assert_eq!(checked, !field.options.is_empty(), "{field:?}");
            }
            let attributes =
                fields.iter().filter(|field| field.way[0] == "icbuCatProp" && field.way.len() == 2);
            assert!(attributes.clone().count() >= 5);
            assert!(attributes.into_iter().all(|field| field.way[1].starts_with("p-")));
        }
    }
}

#[test]
fn names_follow_the_language_and_values_do_not() {
    let world = Fixtures::generate(1, 1, 1);
    let (english, chinese) = (schema(&world, "21110712", "en_US"), schema(&world, "21110712", "zh"));
    assert!(english.contains("Product name") && chinese.contains("产品名称"));
    let values =
        |xml: &str| -> Vec<Vec<String>> { read(xml).into_iter().map(|field| field.options).collect() };
    assert_eq!(values(&english), values(&chinese));
}

#[test]
fn cascades_lead_to_the_next_level() {
    let world = Fixtures::generate(1, 1, 1);
    let level = |xml: &str| {
        let args = [("cat_id", "21110712"), ("language", "en_US"), ("xml", xml)];
        let reply = ask(&world, "/icbu/product/schema/level/get", &args);
        assert_eq!(reply["result"]["success"], true, "{reply}");
        read(reply["result"]["data"].as_str().unwrap())
    };
    let ids = |fields: &[Seen]| fields.iter().map(|field| field.way.join("/")).collect::<Vec<_>>();
    assert_eq!(ids(&level("<itemSchema/>")), ["p-1"]);
    let china =
        r#"<field id="p-1" name="Place of Origin" type="singleCheck"><value>100000001</value></field>"#;
    let provinces = level(&format!("<itemSchema>{china}</itemSchema>"));
    assert_eq!(ids(&provinces), ["p-351"]);
    assert!(provinces[0].options.contains(&"35102".to_owned()));
    let zhejiang = r#"<field id="p-351" type="singleCheck"><value>35102</value></field>"#;
    let nested = format!(
        "<itemSchema><field id=\"icbuCatProp\" type=\"complex\"><complex-value>{china}{zhejiang}</complex-value></field></itemSchema>"
    );
    let cities = level(&nested);
    assert_eq!(ids(&cities), ["p-352"]);
    let yiwu = r#"<field id="p-352" type="singleCheck"><value>35211</value></field>"#;
    assert!(level(&format!("<itemSchema>{china}{zhejiang}{yiwu}</itemSchema>")).is_empty());
    // What is offered in a schema can be walked down without knowing any id before.
    let viet_nam = r#"<itemSchema><field id="p-1"><value>100000003</value></field></itemSchema>"#;
    assert!(level(viet_nam).is_empty());
}

#[test]
fn refusals_say_what_is_wrong() {
    let world = Fixtures::generate(1, 1, 1);
    let code = |api: &str, id: &str, xml: &str| {
        let reply = ask(&world, api, &[("cat_id", id), ("language", "en_US"), ("xml", xml)]);
        assert_eq!(reply["result"]["success"], false);
        assert!(!reply["result"]["message_info"].as_str().unwrap().is_empty());
        reply["result"]["msg_code"].as_str().unwrap().to_owned()
    };
    let leaf = leaves(&world);
    let root = ask(&world, "/icbu/product/category/get", &[("cat_id", "0")]);
    let top = root["result"]["result"]["child_ids"][0].to_string();
    for api in ["/alibaba/icbu/product/schema/get", "/icbu/product/schema/level/get"] {
        assert_eq!(code(api, "1", "<itemSchema/>"), "PUB_BIZCHECK_CAT_DATA_NOTEXIST");
        assert_eq!(code(api, &top, "<itemSchema/>"), "CHK_CAT_NOT_LEAF");
    }
    for xml in ["<itemSchema>", "words", "<a></b>", "<!DOCTYPE x [<!ENTITY a \"b\">]>"] {
        assert_eq!(code("/icbu/product/schema/level/get", &leaf[0], xml), "CHK_XML_INVALID", "{xml}");
    }
}

#[test]
fn top_names_have_their_own_shape() {
    let world = Fixtures::generate(1, 1, 1);
    let wrapper = r#"{"cat_id":21110712,"language":"zh_CN"}"#;
    let args = [("param_product_top_publish_request", wrapper)];
    let whole = ask(&world, "alibaba.icbu.product.schema.get", &args);
    assert_eq!(whole["biz_success"], true);
    assert_eq!(whole["data"].as_str().unwrap(), schema(&world, "21110712", "zh_CN"));
    let args = [("cat_id", "21110712"), ("language", "en_US"), ("xml", "<itemSchema/>")];
    let level = ask(&world, "alibaba.icbu.category.schema.level.get", &args);
    assert_eq!(read(level["result"]["data"].as_str().unwrap()).len(), 1);
}
