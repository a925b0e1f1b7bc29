//! Categories and their attributes in AliExpress' legacy namespace.

use super::failed;
use crate::world::{
    Answer, Ask,
    attributes::{self, Attribute, COLOR, Kind},
    categories::{Family, TREE},
    json::Json,
};

/// `api.getChildrenPostCategoryById`: 0 is the root. A leaf, as any category without children, has
/// an empty list.
pub(super) fn children(ask: &Ask<'_>) -> Result<String, Answer> {
    let (id, node) = node(ask)?;
    if id != 0 && node.is_none() {
        return Ok(unknown(id));
    }
    Ok(list(Family::AliExpress.children(node)))
}

/// `api.getPostCategoryById`.
pub(super) fn get(ask: &Ask<'_>) -> Result<String, Answer> {
    let (id, node) = node(ask)?;
    Ok(node.map_or_else(|| unknown(id), |node| list(std::iter::once(node))))
}

/// `api.getAttributesResultByCateId`: all attributes of a leaf, cascades with their first level.
pub(super) fn attributes(ask: &Ask<'_>) -> Result<String, Answer> {
    let (id, node) = node(ask)?;
    Ok(match node.filter(|node| Family::AliExpress.is_leaf(*node)) {
        Some(node) => attribute_list(attributes::of_category(node)),
        None => unknown(id),
    })
}

/// `api.getChildAttributesResultByPostCateIdAndPath`: what follows the last pair of
/// `parentAttrValueList` (`[[attribute,value],...]`); without it, all attributes.
pub(super) fn child_attributes(ask: &Ask<'_>) -> Result<String, Answer> {
    let Some(text) = ask.read.text("parentAttrValueList") else { return attributes(ask) };
    let (id, node) = node(ask)?;
    let path: Vec<[u32; 2]> =
        serde_json::from_str(text).map_err(|_| ask.read.invalid("parentAttrValueList"))?;
    if node.is_none() {
        return Ok(unknown(id));
    }
    let next = path.last().and_then(|[attribute, value]| attributes::next_step(*attribute, *value));
    Ok(attribute_list(next.into_iter()))
}

fn node(ask: &Ask<'_>) -> Result<(u64, Option<usize>), Answer> {
    let Some(id) = ask.read.id("cateId")? else { return Err(ask.read.missing("cateId")) };
    Ok((id, Family::AliExpress.node(id)))
}

fn unknown(id: u64) -> String {
    failed("CATEGORY_NOT_EXIST", &format!("The category {id} does not exist or is not a leaf."))
}

fn list(nodes: impl Iterator<Item = usize>) -> String {
    let family = Family::AliExpress;
    let mut out = Json::default();
    out.object().put("success", true).key("aeopPostCategoryList").list();
    for node in nodes {
        let known = &TREE[node];
        out.object().put("id", family.id(node)).put("level", known.level);
        out.put("isleaf", family.is_leaf(node)).key("names").object();
        out.with("en", known.en).with("zh", known.zh).end().end();
    }
    out.end_list().end().finish()
}

fn attribute_list<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> String {
    let mut out = Json::default();
    out.object().put("success", true).key("attributes").list();
    for (attribute, place) in attributes.zip(1..) {
        let sku = attribute.id == COLOR;
        out.object().put("id", attribute.id).key("names").object();
        out.with("en", attribute.en).with("zh", attribute.zh).end();
        out.put("required", attribute.required).put("keyAttribute", attribute.required).put("sku", sku);
        out.put("spec", place).put("visible", true);
        out.put("customizedName", sku || attribute.kind == Kind::SingleOrOwn).put("customizedPic", sku);
        out.with("inputType", if attribute.kind == Kind::Decimal { "NUMBER" } else { "STRING" });
        out.with(
            "attributeShowTypeValue",
            match attribute.kind {
                Kind::Input | Kind::Decimal => "input",
                Kind::Multi => "check_box",
                Kind::Single | Kind::SingleOrOwn | Kind::Cascade => "list_box",
            },
        );
        if sku {
            out.with("skuStyleValue", "colour_atla").nulls(&["units"]);
        } else {
            out.nulls(&["skuStyleValue", "units"]);
        }
        out.key("values").list();
        for choice in attribute.choices {
            out.object().put("id", choice.0).key("names").object();
            out.with("en", choice.1).with("zh", choice.2).end().key("attributes").list();
            // The sample leaves this list empty; that it holds the ids of what follows is a guess.
            if let Some(next) = attributes::next_step(attribute.id, choice.0) {
                out.plain(next.id);
            }
            out.end_list().end();
        }
        out.end_list().end();
    }
    out.end_list().end().finish()
}
