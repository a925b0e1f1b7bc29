//! Documents: what is read, what is refused, and what comes back of the whole catalog.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use sesame_catalog::{Catalog, Field, HttpMethods, Param, Record, Type};
use sesame_core::Protocol;
use sesame_documents::{
    ApiChange, ChangeKind, differences, document, document_list, openapi, overlays, patch, read, record_of,
    top_document, top_list,
};

fn of_platform(catalog: &Catalog, platform: &str) -> Vec<Record> {
    let listed = catalog.list(platform);
    listed.iter().map(|api| record_of(&catalog.api(platform, &api.name).unwrap())).collect()
}

/// Takes away what the shape of document hosts has no place for.
fn as_documents_can_say(record: &Record) -> Record {
    fn param_of(param: &Param) -> Param {
        Param {
            list: param.list,
            required: param.required,
            note: param.note.as_deref().map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned),
            vendor_type: class(param.kind, param.vendor_type.as_deref()),
            children: param.children.iter().map(param_of).collect(),
            // Limits, values and defaults stand in sentences, if at all.
            ..Param::named(param.name.clone(), param.kind)
        }
    }
    fn field_of(field: &Field) -> Field {
        Field {
            example: None,
            vendor_type: class(field.kind, field.vendor_type.as_deref()),
            children: field.children.iter().map(field_of).collect(),
            ..field.clone()
        }
    }
    // One word stands for the type: a class for objects, the type itself for all others.
    fn class(kind: Type, class: Option<&str>) -> Option<String> {
        class.filter(|_| kind == Type::Object).map(str::to_owned)
    }
    Record {
        // The title is a name of the operation where there is no title, and one name at most.
        title: record.title.clone(),
        about: record.about.clone(),
        group: record.group.clone(),
        http: record.http,
        auth: record.auth,
        params: record.params.iter().map(param_of).collect(),
        response: record.response.iter().map(field_of).collect(),
        errors: record.errors.clone(),
        reply: record.reply.clone(),
        ..Record::named(record.name.clone())
    }
}

#[test]
fn a_document_host_gives_back_every_entry_of_every_platform() {
    let catalog = Catalog::builtin();
    let mut lost = BTreeSet::new();
    for platform in catalog.platforms() {
        let before = of_platform(&catalog, &platform.name);
        let mut text = document_list(&before).to_string();
        for record in &before {
            text.push_str(&document(record).to_string());
        }
        let after = read(text.as_bytes()).unwrap();
        assert_eq!(after.len(), before.len(), "{}", platform.name);
        for old in &before {
            let mut new = after.iter().find(|new| new.name == old.name).unwrap().clone();
            new.aliases.clear();
            let mut differences = differences(&as_documents_can_say(old), &new);
            // A class whose name is the word of another type.
            differences.retain(|one| {
                let is_lost = one.key.as_deref() == Some("vendor type") && one.new.is_none();
                lost.extend(one.old.iter().filter(|_| is_lost).filter_map(Json::as_str).map(str::to_owned));
                !is_lost
            });
            assert!(differences.is_empty(), "{} {}: {differences:#?}", platform.name, old.name);
            // And on top of the catalog it says nothing new.
            assert_eq!(patch(Some(old), &new).entry, None, "{} {}", platform.name, old.name);
        }
    }
    assert_eq!(
        lost.iter().map(String::as_str).collect::<Vec<_>>(),
        ["BigDecimal", "Double", "File", "Integer", "Long", "Price", "String"]
    );
}

#[test]
fn a_host_of_tops_documents_gives_back_every_entry_too() {
    let catalog = Catalog::builtin();
    for platform in catalog.platforms().iter().filter(|platform| platform.protocol == Protocol::Top) {
        let before = of_platform(&catalog, &platform.name);
        let mut text = top_list(&before).to_string();
        for record in &before {
            text.push_str(&top_document(record).to_string());
        }
        let after = read(text.as_bytes()).unwrap();
        assert_eq!(after.len(), before.len(), "{}", platform.name);
        for (old, new) in before.iter().zip(&after) {
            assert_eq!((&new.name, &new.title_zh, &new.about_zh), (&old.name, &old.title_zh, &old.about_zh));
            let limits = |params: &[Param]| -> Vec<_> {
                let limits = |param: &Param| {
                    let max = param.max.filter(|max| *max > 0.0);
                    (param.name.clone(), param.required, param.max_len, max, param.min, param.max_items)
                };
                params.iter().map(limits).collect()
            };
            assert_eq!(limits(&new.params), limits(&old.params), "{}", old.name);
            // On top of the catalog it says nothing new.
            assert_eq!(patch(Some(old), new).entry, None, "{} {}", platform.name, old.name);
        }
    }
}

#[test]
fn openapi_gives_back_every_entry_too() {
    let catalog = Catalog::builtin();
    for platform in catalog.platforms() {
        let listed = catalog.list(&platform.name);
        let apis: Vec<_> = listed.iter().map(|api| catalog.api(&platform.name, &api.name).unwrap()).collect();
        let text = openapi(platform, &apis, "1").to_string();
        let after = read(text.as_bytes()).unwrap();
        assert_eq!(after.len(), apis.len(), "{}", platform.name);
        for api in &apis {
            let old = record_of(api);
            let new = after.iter().find(|new| new.name == old.name).unwrap();
            let said: Vec<_> = new.params.iter().map(|param| (&param.name, param.kind, param.list)).collect();
            for param in api.callers() {
                assert!(said.contains(&(&param.name, param.kind, param.list)), "{} {}", old.name, param.name);
            }
            let new_fields: Vec<_> =
                new.response.iter().map(|field| (&field.name, field.kind, field.list)).collect();
            let old_fields: Vec<_> =
                old.response.iter().map(|field| (&field.name, field.kind, field.list)).collect();
            assert_eq!(new_fields, old_fields, "{}", old.name);
        }
    }
}

fn get_api() -> Json {
    json!({"success": true, "data": {"id": 7, "desc": " Lists orders. ", "parameters": {"data": [
        {"name": "app_key", "type": "String", "required": true, "desc": "", "children": null},
        {"name": "access_token", "type": "String", "required": true},
        {"name": "sign", "type": "String", "required": true},
        {"name": "limit", "type": "Number", "required": "false", "desc": "How many."},
        {"name": "skus", "type": "Sku[]", "required": 1, "children": [{"name": "ids", "type": "Number[]"}]},
        {"name": "image", "type": "byte[]"},
    ]}, "outputParameters": null, "apiList": [{"title": "GetThings", "path": "/things/get", "method": "GET",
        "errorCodes": {"data": [{"code": 4, "codeDesc": "too much", "solution": ""}]},
        "examples": {"data": [{"responseCode": "{\"code\":\"0\",\"request_id\":\"1\",\"data\":[]}"}]}}]}})
}

#[test]
fn a_document_is_read_without_what_every_call_has() {
    let record = read(get_api().to_string().as_bytes()).unwrap().remove(0);
    assert_eq!(
        (record.name.as_str(), record.auth, record.http),
        ("/things/get", Some(true), Some(HttpMethods::Get))
    );
    assert_eq!(record.about.as_deref(), Some("Lists orders."));
    assert_eq!((record.title, record.aliases), (None, vec!["GetThings".to_owned()]));
    let params: Vec<_> = record
        .params
        .iter()
        .map(|p| (p.name.as_str(), p.kind, p.list, p.required, p.children.len()))
        .collect();
    assert_eq!(
        params,
        [
            ("limit", Type::Integer, false, Some(false), 0),
            ("skus", Type::Object, true, Some(true), 1),
            ("image", Type::Bytes, false, None, 0),
        ]
    );
    assert_eq!(record.reply, Some(json!({"data": []})));
    assert_eq!((record.errors[0].code.as_str(), record.errors[0].says.as_str()), ("4", "too much"));
}

#[test]
fn the_mirror_of_top_is_read() {
    let text = json!({"id": 1, "name": "taobao.thing.get", "apiChineseName": "获取", "description": "d", "requestParams": [
        {"name": "fields", "type": "Field List", "required": true, "description": "f", "maxListSize": 20},
        {"name": "price", "type": "Price", "required": false, "maxLength": 8, "maxValue": 0, "minValue": 1},
        {"name": "order", "type": "OrderDto", "subParams": [{"name": "tid", "type": "Number"}]},
    ], "responseParams": [{"name": "items", "type": "Item[]", "subParams": [{"name": "at", "type": "Date"}]}]});
    let record = read(text.to_string().as_bytes()).unwrap().remove(0);
    assert_eq!(record.title_zh.as_deref(), Some("获取"));
    assert_eq!((record.params[0].kind, record.params[0].max_items), (Type::String, Some(20)));
    let price = &record.params[1];
    assert_eq!((price.kind, price.max_len, price.max, price.min), (Type::Decimal, Some(8), None, Some(1.0)));
    assert_eq!(record.params[2].vendor_type.as_deref(), Some("OrderDto"));
    assert!(record.response[0].list && record.response[0].children[0].kind == Type::Date);
}

#[test]
fn what_is_cut_off_or_garbled_is_refused_with_its_place() {
    let whole = get_api().to_string();
    for cut in (1..whole.len()).step_by(7) {
        let error = read(&whole.as_bytes()[..cut]).unwrap_err().to_string();
        assert!(error.contains("cut off at line 1, column"), "{cut}: {error}");
    }
    let why = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
    assert!(why("").contains("empty"));
    assert!(why("<!DOCTYPE html><p>busy").contains("HTML"));
    assert!(why("{\"a\": }").contains("not valid JSON at line 1, column 7"));
    assert!(why("{\"success\":false,\"errorCode\":\"NO_SESSION\"}").contains("NO_SESSION"));
    assert!(why("{\"some\":\"thing\"}").contains("unknown form"));
    let mut bad = get_api();
    bad["data"]["parameters"]["data"][3]["name"] = json!(5);
    let error = why(&format!("[{}, {bad}]", get_api()));
    assert!(error.contains("[1].data.parameters.data[3].name"), "{error}");
    // Very deep ones end somewhere.
    let deep = "[".repeat(100_000);
    assert!(why(&deep).contains("recursion limit"));
}

#[test]
fn recursive_types_end() {
    let text = json!({"openapi": "3.1.0", "paths": {"/rest/tree/get": {"get": {"summary": "Tree",
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}}}}},
        "components": {"schemas": {"Node": {"type": "object", "properties": {
            "name": {"type": ["string", "null"]},
            "left": {"$ref": "#/components/schemas/Node"},
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}}}}});
    let record = read(text.to_string().as_bytes()).unwrap().remove(0);
    assert_eq!((record.name.as_str(), record.response.len()), ("/tree/get", 3));
    assert!(record.response[1].children.is_empty() && record.response[2].list);
    let lost = text.to_string().replace("schemas/Node\"", "schemas/Gone\"");
    let error = read(lost.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("paths./rest/tree/get.get") && error.contains("leads nowhere"), "{error}");
}

#[test]
fn a_patch_holds_what_is_new_and_can_be_read_by_the_catalog() {
    let mut known = read(get_api().to_string().as_bytes()).unwrap().remove(0);
    known.params[0].kind = Type::Decimal;
    known.params.push(Param::named("seen_live".to_owned(), Type::String));
    let said = |change: &dyn Fn(&mut Json)| {
        let mut text = get_api();
        change(&mut text);
        read(text.to_string().as_bytes()).unwrap().remove(0)
    };
    // A coarser word for a number changes nothing, and what documents leave out stays.
    let merged = patch(Some(&known), &said(&|_| {}));
    assert_eq!((merged.entry, merged.kept), (None, vec!["seen_live".to_owned()]));
    let odd = "quote \" backslash \\ del \u{7f} line\nbreak 中文";
    let merged = patch(
        Some(&known),
        &said(&|text| {
            let params = &mut text["data"]["parameters"]["data"];
            params[3]["desc"] = json!(odd);
            params[4]["children"][0]["required"] = json!(true);
            params.as_array_mut().unwrap().push(json!({"name": "new.one", "type": "Boolean"}));
        }),
    );
    let files = overlays("lazada", odd, "2026-11-30", &[merged.entry.unwrap()]);
    let overlay = Catalog::parse_overlay(&files[0]).unwrap_or_else(|wrong| panic!("{wrong:?}\n{}", files[0]));
    let mut after = known.clone();
    overlay.apis[0].apply(&overlay, &mut after).unwrap();
    let change = ApiChange::between("x", Some(&known), Some(&after)).unwrap();
    let fields: Vec<_> =
        change.differences.iter().map(|one| (one.field.as_str(), one.key.as_deref())).collect();
    assert_eq!(
        fields,
        [("params.limit", Some("note")), ("params.skus.ids", Some("required")), ("params.new.one", None)]
    );
    assert_eq!(after.params[0].note.as_deref(), Some(odd));
    assert_eq!(change.change, ChangeKind::Changed);
}

#[test]
fn many_entries_make_several_files_that_can_be_read() {
    let entries: Vec<Json> =
        (0..3_000).map(|nth| json!({"name": format!("/a/b{nth}"), "about": "x".repeat(1_000)})).collect();
    let files = overlays("lazada", "s", "2026-11-30", &entries);
    assert!(files.len() > 2);
    let read: usize = files.iter().map(|file| Catalog::parse_overlay(file).unwrap().apis.len()).sum();
    assert_eq!(read, 3_000);
}
