//! Taobao and Tmall: items on sale.

use super::{
    Answer, Ask, Shop,
    categories::Family,
    json::{Json, price},
    stock::{Product, Status, Stock, matches_text},
    times::{self, PLAIN},
};

/// Documented: 40 unless asked, 200 at most. That more is refused is a guess.
const DEFAULT_PAGE: usize = 40;
const LARGEST_PAGE: usize = 200;
/// The page says that a product of page and size over 20,000 is an error, and elsewhere 100,000;
/// the stricter one holds here.
const WINDOW: usize = 20_000;

/// The fields of an item, in the order in which rows hold them.
const FIELDS: [&str; 28] = [
    "approve_status",
    "iid",
    "num_iid",
    "title",
    "nick",
    "type",
    "cid",
    "seller_cids",
    "pic_url",
    "num",
    "props",
    "valid_thru",
    "list_time",
    "price",
    "has_discount",
    "has_invoice",
    "has_warranty",
    "has_showcase",
    "modified",
    "delist_time",
    "postage_id",
    "outer_id",
    "is_ex",
    "is_virtual",
    "is_taobao",
    "sold_quantity",
    "is_cspu",
    "first_starts_time",
];

/// Answers a call; `None` when the world does not back it.
pub(super) fn answer(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    (ask.call.api == "taobao.items.onsale.get").then(|| on_sale(ask))
}

/// `taobao.items.onsale.get`: only the fields that `fields` names; names that no item has are
/// passed over.
fn on_sale(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let fields = read.required("fields")?;
    let wanted: Vec<usize> =
        (0..FIELDS.len()).filter(|at| fields.split(',').any(|field| field.trim() == FIELDS[*at])).collect();
    if wanted.is_empty() {
        return Err(read.invalid("fields"));
    }
    let page = read.count("page_no", 1, 1)?;
    let size = read.count("page_size", 1, DEFAULT_PAGE)?;
    if size > LARGEST_PAGE {
        return Err(read.invalid("page_size"));
    }
    if page.saturating_mul(size) > WINDOW {
        return Err(read.invalid("page_no"));
    }
    let (_, stock) = ask.stock()?;
    let category = read.id("cid")?;
    let groups = read.list("seller_cids")?;
    let text = read.text("q");
    let discount = truth(ask, "has_discount")?;
    let showcase = truth(ask, "has_showcase")?;
    let taobao = truth(ask, "is_taobao")?;
    let from = read.time("start_modified", &stock.zone, false)?;
    let to = read.time("end_modified", &stock.zone, true)?;
    let test = |product: &Product| {
        category.is_none_or(|wanted| Family::Taobao.id(usize::from(product.node)) == wanted)
            && (groups.is_empty()
                || stock.group_of(product).is_some_and(|group| groups.contains(&group.id.to_string())))
            && discount.is_none_or(|wanted| wanted == has_discount(product))
            && showcase.is_none_or(|wanted| wanted == has_showcase(product))
            && taobao.is_none_or(|wanted| wanted)
            && from.is_none_or(|from| product.modified >= from)
            && to.is_none_or(|to| product.modified <= to)
            && text.is_none_or(|text| matches_text(&product.title, text))
    };
    let plain = category.is_none()
        && groups.is_empty()
        && discount.is_none()
        && showcase.is_none()
        && taobao.is_none()
        && from.is_none()
        && to.is_none()
        && text.is_none();
    let chosen = stock.choose_status(Status::Selling, (!plain).then_some(&test as &dyn Fn(&Product) -> bool));
    let first = (page - 1).saturating_mul(size);
    let total = chosen.len();
    let shown: Vec<usize> = match read.text("order_by") {
        None | Some("list_time:desc") => chosen.page(first, size).collect(),
        Some(order) => {
            let mut all: Vec<usize> = chosen.page(0, total).collect();
            sort(stock, order, &mut all).ok_or_else(|| read.invalid("order_by"))?;
            all.into_iter().skip(first).take(size).collect()
        }
    };
    let wrapper = (!ask.call.simplify).then_some("item");
    let mut out = Json::with_room(shown.len() * wanted.len() * 40 + 96);
    out.object().put("total_results", total).key("items").open_list(wrapper);
    for at in shown {
        write(&mut out, stock, at, &wanted);
    }
    Ok(out.close_list(wrapper).end().finish())
}

fn truth(ask: &Ask<'_>, name: &str) -> Result<Option<bool>, Answer> {
    match ask.read.text(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(ask.read.invalid(name)),
    }
}

/// Sorts by `column:asc|desc`; nothing for a column or direction that is not documented.
fn sort(stock: &Stock, order: &str, list: &mut [usize]) -> Option<()> {
    let (column, direction) = order.split_once(':').unwrap_or((order, "desc"));
    let key: fn(&Product) -> i64 = match column {
        "list_time" => |product| product.listed,
        "delist_time" => delisted,
        "modified" => |product| product.modified,
        "num" => |product| i64::from(product.stock),
        "sold_quantity" => |product| i64::from(sold(product)),
        _ => return None,
    };
    let by = |at: &usize| (key(&stock.products[*at]), stock.products[*at].id);
    match direction {
        "asc" => list.sort_by_key(by),
        "desc" => list.sort_by_key(|at| std::cmp::Reverse(by(at))),
        _ => return None,
    }
    Some(())
}

/// Copies the wanted members out of a row.
fn write(out: &mut Json, stock: &Stock, at: usize, wanted: &[usize]) {
    let row = stock.rows.run(at, at + 1);
    let marks = &stock.marks[at * FIELDS.len()..(at + 1) * FIELDS.len()];
    out.object();
    if wanted.len() == FIELDS.len() {
        out.raw(&row[1..row.len() - 1]);
    } else {
        for field in wanted {
            // A member starts behind the brace or the comma before it.
            let from = if *field == 0 { 1 } else { usize::from(marks[field - 1]) + 1 };
            out.raw(&row[from..usize::from(marks[*field])]);
        }
    }
    out.end();
}

/// Writes an item with all its fields, and notes where each ends.
pub(super) fn row(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product, marks: &mut Vec<u16>) {
    // Not the first row: its comma is written with its brace.
    let start = if out.len() == 0 { 0 } else { out.len() + 1 };
    let plain = |at| times::write(at, &stock.zone, PLAIN);
    out.object();
    for field in FIELDS {
        match field {
            "approve_status" => {
                out.with(field, if product.status == Status::Selling { "onsale" } else { "instock" })
            }
            "iid" => out.with(field, &product.id.to_string()),
            "num_iid" => out.put(field, product.id),
            "title" => out.with(field, &product.title),
            "nick" => out.with(field, &shop.login),
            "type" => out.with(field, "fixed"),
            "cid" => out.put(field, Family::Taobao.id(usize::from(product.node))),
            "seller_cids" => {
                out.with(field, &stock.group_of(product).map_or(String::new(), |group| group.id.to_string()))
            }
            "pic_url" => out.with(field, &product.picture(0)),
            "num" => out.put(field, product.stock),
            "props" => out.with(field, "20000:3323083;191288010:3327837"),
            "valid_thru" => out.put(field, 7),
            "list_time" | "first_starts_time" => out.with(field, &plain(product.listed)),
            "price" => out.with(field, &price(product.price)),
            "has_discount" => out.put(field, has_discount(product)),
            "has_invoice" | "is_taobao" => out.put(field, true),
            "has_warranty" => out.put(field, product.noise.is_multiple_of(6)),
            "has_showcase" => out.put(field, has_showcase(product)),
            "modified" => out.with(field, &plain(product.modified)),
            "delist_time" => out.with(field, &plain(delisted(product))),
            "postage_id" => out.put(field, 100_200_300),
            "outer_id" => out.with(field, &product.sku_code(0)),
            "sold_quantity" => out.put(field, sold(product)),
            _ => out.put(field, false),
        };
        // A row is about a kilobyte; its title has a bounded length.
        marks.push(u16::try_from(out.len() - start).unwrap_or(u16::MAX));
    }
    out.end();
}

fn has_discount(product: &Product) -> bool {
    product.noise.is_multiple_of(4)
}

fn has_showcase(product: &Product) -> bool {
    product.noise.is_multiple_of(5)
}

/// A listing lasts seven days (`valid_thru`).
fn delisted(product: &Product) -> i64 {
    product.listed + 7 * 86_400
}

fn sold(product: &Product) -> u32 {
    u32::try_from(product.noise % 5_000).unwrap_or(0)
}
