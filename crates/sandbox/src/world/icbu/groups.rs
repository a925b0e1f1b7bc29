//! ICBU's product groups, photo groups and photos.

use super::{Form, failure, trace};
use crate::world::{
    Answer, Ask,
    json::Json,
    stock::{Group, Product, Stock},
    times::{self, PLAIN},
    words::person,
};

/// `/alibaba/icbu/product/group/get`: -1 lists the groups of level 1.
///
/// Which of `parent_id` and `parent_id2` is which level is not documented: here the first is the
/// group's parent of level 1 and the second that of level 2.
pub(super) fn get(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    ask.read.required("group_id")?;
    let wanted = ask.read.number("group_id")?.unwrap_or(-1);
    let (_, stock) = ask.stock()?;
    let group = find(&stock.groups, wanted);
    if wanted != -1 && group.is_none() {
        return Ok(failure(form, "GROUP_IS_NOT_EXIST", &format!("The group {wanted} does not exist.")));
    }
    let mut out = Json::default();
    out.object();
    if form == Form::Gop {
        out.key("result").object();
    }
    out.key("product_group").object().put("group_id", wanted);
    out.with("group_name", group.map_or("", |group| &group.name));
    let above: &[u16] = group.map_or(&[], |group| &group.way[..group.way.len() - 1]);
    for (name, level) in [("parent_id", 0), ("parent_id2", 1)] {
        match above.get(level) {
            Some(at) => out.put(name, stock.groups[usize::from(*at)].id),
            None => out.nulls(&[name]),
        };
    }
    out.key("children_id_list").open_list(form.wrap("number"));
    for id in children(&stock.groups, group) {
        out.plain(id);
    }
    out.close_list(form.wrap("number")).end();
    if form == Form::Gop {
        out.end();
    }
    Ok(out.end().finish())
}

/// `/icbu/product/photobank/group/list`: the groups below `id`, or those of level 1.
pub(super) fn photo_groups(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let wanted = ask.read.number("id")?;
    let (_, stock) = ask.stock()?;
    let parent = wanted.and_then(|id| find(&stock.photo_groups, id));
    let mut out = Json::default();
    out.object();
    if form == Form::Gop {
        out.key("result").object();
    }
    out.key("groups").open_list(form.wrap("photo_album_group"));
    // An unknown parent has nothing below it.
    if wanted.is_none() || parent.is_some() {
        let below = |group: &&Group| {
            let above = group.way.len().checked_sub(2).map(|at| group.way[at]);
            above.map(|at| stock.photo_groups[usize::from(at)].id) == parent.map(|parent| parent.id)
        };
        for group in stock.photo_groups.iter().filter(below) {
            out.object().put("id", group.id).with("name", &group.name);
            for (name, level) in [("level1", 0), ("level2", 1), ("level3", 2)] {
                let id = group.way.get(level).map_or(0, |at| stock.photo_groups[usize::from(*at)].id);
                out.put(name, id);
            }
            out.end();
        }
    }
    out.close_list(form.wrap("photo_album_group"));
    if form == Form::Gop {
        out.nulls(&["error_code", "error_msg"]).end();
    }
    Ok(out.end().finish())
}

/// `/icbu/product/photobank/list`: the pictures of the products, each in a photo group.
///
/// camelCase names on GOP, snake_case on TOP. No total is documented and none is sent. The largest
/// page is not documented: 100 here.
pub(super) fn photos(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let read = &ask.read;
    let [group, page, size] = if form == Form::Gop {
        for name in ["groupId", "currentPage", "pageSize"] {
            read.required(name)?;
        }
        ["groupId", "currentPage", "pageSize"]
    } else {
        ["group_id", "current_page", "page_size"]
    };
    let group = read.number(group)?;
    let page = read.count(page, 1, 1)?;
    let size = read.count(size, 1, 20)?.min(100);
    let (_, stock) = ask.stock()?;
    let all = group.is_none_or(|group| group <= 0);
    let at_group = group.and_then(|id| stock.photo_groups.iter().position(|known| is(known, id)));
    let chosen = stock.choose(Some(&|product| all || Some(photo_group(stock, product)) == at_group));

    let mut out = Json::with_room(size * 400);
    out.object();
    if form == Form::Gop {
        out.key("result").object();
    }
    out.key("pagination_query_list").object();
    out.key("list").open_list(form.wrap("photobank_image_do"));
    for at in chosen.page((page - 1).saturating_mul(size), size) {
        let product = &stock.products[at];
        let mut random = product.details(5);
        let name = format!("{}-main.jpg", product.sku_code(0).to_lowercase());
        out.object().with("id", &(product.id % 100_000_000_000).to_string());
        out.with("file_name", &name).with("display_name", &name).with("url", &product.picture(0));
        let (bytes, uses) = (random.between(9_000, 900_000), random.below(3));
        // Texts on GOP, numbers on TOP.
        if form == Form::Gop {
            out.with("file_size", &bytes.to_string()).with("reference_count", &uses.to_string());
        } else {
            out.put("file_size", bytes).put("reference_count", uses);
        }
        out.put("group_id", stock.photo_groups.get(photo_group(stock, product)).map_or(0, |group| group.id));
        out.with("gmt_modified", &times::write(product.created, &stock.zone, PLAIN));
        out.with("owner_member_display_name", person(&mut random)).end();
    }
    out.close_list(form.wrap("photobank_image_do")).end();
    trace(ask, &mut out);
    if form == Form::Gop {
        out.nulls(&["error_code", "error_msg"]).end();
    }
    Ok(out.end().finish())
}

fn photo_group(stock: &Stock, product: &Product) -> usize {
    product.details(6).index(stock.photo_groups.len().max(1))
}

fn find(groups: &[Group], wanted: i64) -> Option<&Group> {
    groups.iter().find(|group| is(group, wanted))
}

fn is(group: &Group, wanted: i64) -> bool {
    u64::try_from(wanted) == Ok(group.id)
}

fn children<'a>(groups: &'a [Group], of: Option<&'a Group>) -> impl Iterator<Item = u64> {
    let level = of.map_or(1, |group| group.way.len() + 1);
    groups
        .iter()
        .filter(move |group| group.way.len() == level && of.is_none_or(|of| group.way.starts_with(&of.way)))
        .map(|group| group.id)
}
