//! ICBU's second generation of category APIs: plain JSON, `success` at the top.

use crate::world::{
    Answer, Ask,
    attributes::{self, Attribute, COLOR, Kind},
    categories::{Family, TREE},
    json::Json,
};

/// `/alibaba/icbu/category/get/v2`: the categories below one, or those of level 1. An unknown
/// parent and a leaf are refused alike (documented).
pub(super) fn categories(ask: &Ask<'_>) -> Result<String, Answer> {
    let parent = ask.read.id("parent_category_id")?;
    let node = parent.and_then(|id| Family::Icbu.node(id));
    if parent.is_some() && node.is_none_or(|node| Family::Icbu.is_leaf(node)) {
        return Ok(failure("The parent category does not exist or is a leaf."));
    }
    let mut out = start();
    out.key("data").list();
    for child in Family::Icbu.children(node) {
        out.object().put("category_id", Family::Icbu.id(child)).with("category_name", TREE[child].en);
        // A text, as in the catalog's sample.
        out.with("leaf_category", if Family::Icbu.is_leaf(child) { "true" } else { "false" });
        out.put("level", TREE[child].level).end();
    }
    Ok(out.end_list().end().finish())
}

/// `/alibaba/icbu/category/attribute/get/v2`.
pub(super) fn get(ask: &Ask<'_>) -> Result<String, Answer> {
    let Some(id) = ask.read.id("category_id")? else { return Err(ask.read.missing("category_id")) };
    let Some(node) = Family::Icbu.node(id).filter(|node| Family::Icbu.is_leaf(*node)) else {
        return Ok(failure("The category does not exist or is not a leaf."));
    };
    let mut out = start();
    out.key("data").object().key("category_attributes").list();
    for attribute in attributes::of_category(node).filter(|attribute| attribute.id != COLOR) {
        write(&mut out, attribute);
    }
    out.end_list().key("sale_attributes").list();
    for attribute in attributes::of_category(node).filter(|attribute| attribute.id == COLOR) {
        write(&mut out, attribute);
    }
    Ok(out.end_list().end().end().finish())
}

fn write(out: &mut Json, attribute: &Attribute) {
    let own = matches!(attribute.kind, Kind::Input | Kind::Decimal | Kind::SingleOrOwn);
    out.object().put("attribute_id", attribute.id).with("attribute_name", attribute.en);
    out.put("required", attribute.required).put("support_custom_value", own);
    out.put("support_multi_value", attribute.kind == Kind::Multi).key("attribute_value_list").list();
    for choice in attribute.choices {
        out.object().put("attribute_value_id", choice.0).with("attribute_value_name", choice.1).end();
    }
    out.end_list().end();
}

fn start() -> Json {
    let mut out = Json::default();
    out.object().put("success", true).with("message", "").with("msg_code", "");
    out
}

fn failure(message: &str) -> String {
    let mut out = Json::default();
    out.object().put("success", false).with("message", message);
    out.with("msg_code", "BUSINESS_CATEGORY_NOT_EXIST").key("data").list().end_list().end();
    out.finish()
}
