//! ICBU's category tree and the mapping of old ids to new ones.

use super::{Form, failure};
use crate::world::{
    Answer, Ask, attributes,
    categories::{Family, TREE, way},
    json::Json,
};

/// Old ids are the new ones less these. Invented: the vendor publishes no pair.
const OLD_CATEGORY: u64 = 20_000_000;
const OLD_ATTRIBUTE: u64 = 800_000_000;
const OLD_VALUE: u64 = 900_000_000;

/// `/icbu/product/category/get`: 0 is the root, whose children are the categories of level 1.
pub(super) fn get(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    ask.read.required("cat_id")?;
    let id = ask.read.id("cat_id")?.unwrap_or(0);
    let node = Family::Icbu.node(id);
    if id != 0 && node.is_none() {
        return Ok(no_category(form, id));
    }
    let mut out = Json::default();
    out.object();
    if form == Form::Gop {
        out.key("result").object().put("success", true).with("response_code", "").with("response_msg", "");
        out.key("result").object();
    } else {
        out.key("category").object();
    }
    out.put("category_id", id);
    // The wrapper of ids is `number` live; the official sample prints `string`.
    out.key("child_ids").open_list(form.wrap("number"));
    for child in Family::Icbu.children(node) {
        out.plain(Family::Icbu.id(child));
    }
    out.close_list(form.wrap("number"));
    out.put("leaf_category", node.is_some_and(|node| Family::Icbu.is_leaf(node)));
    out.put("level", node.map_or(0, |node| TREE[node].level));
    out.with("name", node.map_or("root", |node| TREE[node].en));
    out.with("cn_name", node.map_or("根类目", |node| TREE[node].zh));
    out.key("parent_ids").open_list(form.wrap("number"));
    if let Some(node) = node {
        let above = way(node);
        // The root is the parent of level 1 (a guess).
        if above.len() == 1 {
            out.plain(0);
        }
        for parent in &above[..above.len() - 1] {
            out.plain(Family::Icbu.id(*parent));
        }
    }
    out.close_list(form.wrap("number")).end().end();
    if form == Form::Gop {
        out.end();
    }
    Ok(out.finish())
}

fn no_category(form: Form, id: u64) -> String {
    let message = format!("The category {id} does not exist.");
    if form != Form::Gop {
        return failure(form, "CATEGORY_NOT_EXIST", &message);
    }
    let mut out = Json::default();
    out.object().key("result").object().put("success", false);
    // `response_*` are this API's documented names; `msg_code` is what its siblings send.
    out.with("response_code", "CATEGORY_NOT_EXIST").with("response_msg", &message);
    out.with("msg_code", "CATEGORY_NOT_EXIST").nulls(&["result"]).end().end();
    out.finish()
}

/// `/alibaba/icbu/category/id/mapping`: old ids to new ones; a new id maps to itself.
///
/// `mapping_result` is a number, as the TOP page says; the GOP page calls it an object without
/// naming a single field.
pub(super) fn mapping(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let read = &ask.read;
    let kind = read.number("convert_type")?.unwrap_or(1);
    let name = match kind {
        1 => "cat_id",
        2 => "attribute_id",
        3 => "attribute_value_id",
        _ => return Err(read.invalid("convert_type")),
    };
    let Some(id) = read.id(name)? else { return Err(read.missing(name)) };
    let found = match kind {
        1 => [Some(id), id.checked_add(OLD_CATEGORY)]
            .into_iter()
            .flatten()
            .find(|id| Family::Icbu.node(*id).is_some()),
        2 => either(id, OLD_ATTRIBUTE, |id| attributes::all().any(|known| u64::from(known.id) == id)),
        _ => either(id, OLD_VALUE, |id| {
            attributes::all().any(|known| known.choices.iter().any(|choice| u64::from(choice.0) == id))
        }),
    };
    let mut out = Json::default();
    out.object();
    if form == Form::Gop {
        out.key("result").object().put("success", found.is_some());
    }
    match found {
        Some(id) => out.put("mapping_result", id),
        None => out.nulls(&["mapping_result"]),
    };
    if form == Form::Gop {
        let code = if found.is_some() { "" } else { "MAPPING_NOT_EXIST" };
        let message = if found.is_some() { String::new() } else { format!("No mapping for {name} {id}.") };
        out.with("response_code", code).with("response_msg", &message).end();
    }
    Ok(out.end().finish())
}

/// Old attribute and value ids are larger than the new ones here.
fn either(id: u64, offset: u64, known: impl Fn(u64) -> bool) -> Option<u64> {
    [Some(id), id.checked_sub(offset)].into_iter().flatten().find(|id| known(*id))
}
