//! ICBU's product list and product page.

use serde_json::Value;

use super::{Form, failure, trace};
use crate::{
    seed::BASE62,
    world::{
        Answer, Ask, Shop,
        attributes::{self, COLOR, Kind},
        categories::{Family, way},
        json::{Json, price},
        random::Random,
        stock::{Product, Status, Stock, matches_text},
        times::{self, PLAIN},
        words::{COLORS, Language, MATERIALS, person},
    },
};

/// A larger `page_size` is silently cut to this (live).
const LARGEST_PAGE: usize = 30;
/// Not documented; the samples of both gateways' pages say 20.
const DEFAULT_PAGE: usize = 20;
/// Only the first rows can be reached (documented; that pages behind them are empty is a guess).
const WINDOW: usize = 5_000;

/// `/alibaba/icbu/product/list`.
pub(super) fn list(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let read = &ask.read;
    let (shop, stock) = ask.stock()?;
    let page = read.count("current_page", 1, 1)?;
    let size = read.count("page_size", 1, DEFAULT_PAGE)?.min(LARGEST_PAGE);
    let subject = read.text("subject");
    let category = read.id("category_id")?;
    let groups = [read.number("group_id1")?, read.number("group_id2")?, read.number("group_id3")?];
    let id = read.id("id")?;
    let from = read.time("gmt_modified_from", &stock.zone, false)?;
    let to = read.time("gmt_modified_to", &stock.zone, true)?;

    let test = |product: &Product| {
        id.is_none_or(|id| product.id == id)
            && from.is_none_or(|from| product.modified >= from)
            && to.is_none_or(|to| product.modified <= to)
            && category.is_none_or(|wanted| in_category(product, wanted))
            && groups.iter().zip(0..).all(|(wanted, level)| in_group(stock, product, level, *wanted))
            && subject.is_none_or(|subject| matches_text(&product.title, subject))
    };
    let filtered = subject.is_some()
        || category.is_some()
        || id.is_some()
        || from.is_some()
        || to.is_some()
        || groups.iter().any(Option::is_some);
    let chosen = stock.choose(filtered.then_some(&test as &dyn Fn(&Product) -> bool));

    let first = (page - 1).saturating_mul(size);
    let room = WINDOW.saturating_sub(first).min(size);
    let mut out = Json::with_room(room.min(chosen.len()) * 1_000 + 256);
    out.object();
    if form == Form::Gop {
        out.key("result").object();
    }
    // GOP says `curr_page` (document and live), TOP `current_page`.
    let page_name = if form == Form::Gop { "curr_page" } else { "current_page" };
    out.put("total_item", chosen.len()).put(page_name, page).put("page_size", size);
    let wrapper = form.wrap("alibaba_product_brief_response");
    out.key("products").open_list(wrapper);
    if form == Form::Wrapped {
        for at in chosen.page(first, room) {
            row(&mut out, shop, stock, &stock.products[at], form);
        }
    } else {
        chosen.write_page(&stock.rows, first, room, &mut out);
    }
    out.close_list(wrapper);
    if form == Form::Gop {
        trace(ask, &mut out);
        out.nulls(&["error_code", "error_msg"]).end();
    }
    Ok(out.end().finish())
}

/// A category filter takes a leaf; that a node above also finds what is below is a guess.
fn in_category(product: &Product, wanted: u64) -> bool {
    way(usize::from(product.node)).iter().any(|node| Family::Icbu.id(*node) == wanted)
}

/// `group_id1=0`: products without a group; `group_id2=-1`, `group_id3=-1`: without one on that
/// level (documented).
fn in_group(stock: &Stock, product: &Product, level: usize, wanted: Option<i64>) -> bool {
    let Some(wanted) = wanted else { return true };
    let at = stock.group_of(product).and_then(|group| group.way.get(level));
    match (wanted, level) {
        (0, 0) | (-1, 1 | 2) => at.is_none(),
        _ => at.is_some_and(|at| stock.groups[usize::from(*at)].id == u64::try_from(wanted).unwrap_or(0)),
    }
}

/// Writes a product as lists show it.
pub(in crate::world) fn row(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product, form: Form) {
    let group = stock.group_of(product);
    out.object();
    out.put("id", product.id).with("product_id", &secret(product.id)).with("subject", &product.title);
    // Seen empty on 382 of 382 products.
    out.texts("keywords", form.wrap("string"), &[]);
    out.put("category_id", Family::Icbu.id(usize::from(product.node)));
    out.put("group_id", group.map_or(0, |group| group.id)).with("group_name", group.map_or("", |g| &g.name));
    head(out, product);
    out.put("is_specific", product.noise.is_multiple_of(7)).put("is_rts", rts(product));
    out.put("smart_edit", smart(product)).with("red_model", &model(product));
    out.with("owner_member_display_name", owner(shop)).with("pc_detail_url", &page_url(product));
    out.with("gmt_create", &times::write(product.created, &stock.zone, PLAIN));
    out.with("gmt_modified", &times::write(product.modified, &stock.zone, PLAIN));
    picture(out, product, form, 1);
    out.end();
}

fn head(out: &mut Json, product: &Product) {
    out.with("language", if product.language == Language::Spanish { "spanish" } else { "english" });
    out.with("product_type", if rts(product) { "wholesale" } else { "sourcing" });
    // Documented: approved, tbd = rejected, new or modified = under review; display Y or N.
    out.with(
        "status",
        match product.status {
            Status::Selling | Status::Offline => "approved",
            Status::Auditing if product.noise.is_multiple_of(2) => "new",
            Status::Auditing => "modified",
            Status::Rejected => "tbd",
        },
    );
    out.with("display", if product.status == Status::Selling { "Y" } else { "N" });
}

fn picture(out: &mut Json, product: &Product, form: Form, most: u32) {
    let urls: Vec<String> = (0..product.pictures().min(most)).map(|place| product.picture(place)).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    out.key("main_image").object().texts("images", form.wrap("string"), &urls);
    out.put("watermark", false).with("watermark_frame", "N").with("watermark_position", "center").end();
}

/// `/icbu/product/get`: flat under `result` on GOP, a `product` node on TOP. The sources differ on
/// GOP; the flat form is that of the catalog's sample.
pub(super) fn get(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let wanted = wanted(ask, form)?;
    let (shop, stock) = ask.stock()?;
    let found = wanted.parse().ok().or_else(|| reveal(&wanted)).and_then(|id| stock.product(id));
    let Some(product) = found else {
        return Ok(failure(form, "B_PRODUCT_NOT_FOUND", &format!("No product {wanted} in this shop.")));
    };
    let mut out = Json::with_room(4_096);
    out.object().key(if form == Form::Gop { "result" } else { "product" }).object();
    page(&mut out, shop, stock, product, form);
    if form == Form::Gop {
        trace(ask, &mut out);
    }
    Ok(out.end().end().finish())
}

fn wanted(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let read = &ask.read;
    if form != Form::Gop {
        return read.required("product_id").map(str::to_owned);
    }
    let request = read.object("product_get_request")?.ok_or_else(|| read.missing("product_get_request"))?;
    match request.get("productId") {
        None | Some(Value::Null) => Err(read.missing("product_get_request.productId")),
        Some(id) => {
            sesame_core::scalar::text(id).ok_or_else(|| read.invalid("product_get_request.productId"))
        }
    }
}

fn page(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product, form: Form) {
    let mut random = product.details(2);
    out.with("product_id", &secret(product.id)).with("subject", &product.title);
    out.with("description", &format!("<p>{}</p><p>&nbsp;</p>", escape(&product.title)));
    let words: Vec<&str> = product.title.split_whitespace().take(3).collect();
    out.texts("keywords", form.wrap("string"), &words);
    out.put("group_id", stock.group_of(product).map_or(0, |group| group.id));
    out.put("category_id", Family::Icbu.id(usize::from(product.node)));
    head(out, product);
    out.with("gmt_modified", &times::write(product.modified, &stock.zone, PLAIN));
    out.put("owner_member", shop.id).with("owner_member_display_name", owner(shop));
    out.put("is_smart_edit", smart(product)).put("rts", rts(product)).with("price_type", "LADDER_PRICE");
    out.with("pc_detail_url", &page_url(product));
    picture(out, product, form, 6);

    let wrapper = form.wrap("product_attribute");
    out.key("attributes").open_list(wrapper);
    for attribute in attributes::of_category(usize::from(product.node)) {
        let choice = (!attribute.choices.is_empty()).then(|| random.pick(attribute.choices));
        let free = match attribute.id {
            attributes::BRAND => format!("{} Brand", shop.name),
            attributes::MODEL => model(product),
            _ if attribute.kind == Kind::Decimal => price(random.between(100, 24_000)),
            _ => String::new(),
        };
        out.object().put("attribute_id", attribute.id).with("attribute_name", attribute.en);
        match choice {
            Some(choice) => out.put("value_id", choice.0).with("value_name", choice.1),
            None => out.put("value_id", -1).with("value_name", &free),
        };
        out.nulls(&["sku_custom_image_url", "sku_custom_value_name"]).end();
    }
    out.close_list(wrapper);
    skus(out, product, &mut random, form);
    trade(out, product, &mut random, form);
}

fn skus(out: &mut Json, product: &Product, random: &mut Random, form: Form) {
    let first = random.index(COLORS.len());
    let count = random.between(1, 3);
    let colors: Vec<_> = COLORS.iter().cycle().skip(first).zip(0..count).collect();
    out.key("product_sku").object();
    out.key("sku_attributes").open_list(form.wrap("sku_attribute")).object();
    out.put("attribute_id", COLOR).with("attribute_name", "Color");
    out.key("values").open_list(form.wrap("sku_attribute_value"));
    for (color, _) in &colors {
        out.object().put("value_id", color.0).with("system_value_name", color.1);
        out.nulls(&["custom_value_name", "image_url"]).with("mark_info", color.4).end();
    }
    out.close_list(form.wrap("sku_attribute_value")).end().close_list(form.wrap("sku_attribute"));
    out.key("skus").open_list(form.wrap("sku_definition"));
    for (color, place) in &colors {
        out.object().put("sku_id", product.id % 100_000_000_000 * 10 + u64::from(*place));
        out.with("sku_code", &product.sku_code(*place));
        out.with("attr2_value", &format!("{{\"{COLOR}\":{}}}", color.0));
        out.key("bulk_discount_prices").open_list(form.wrap("bulk_discount_price"));
        for (step, share) in [(1, 100), (5, 92), (20, 85)] {
            out.object().put("start_quantity", product.minimum * step);
            out.with("price", &price((product.price * share / 100).max(1))).end();
        }
        out.close_list(form.wrap("bulk_discount_price"));
        out.key("inventory_dto_list").open_list(form.wrap("product_inventory_dto"));
        out.object().with("store_code", "").put("inventory", product.stock / count).end();
        out.close_list(form.wrap("product_inventory_dto")).end();
    }
    out.close_list(form.wrap("sku_definition")).end();
}

fn trade(out: &mut Json, product: &Product, random: &mut Random, form: Form) {
    out.key("wholesale_trade").object();
    out.with("unit_type", "Piece").with("sale_type", "normal").nulls(&["batch_number"]);
    out.with("price", &price(product.price)).with("package_size", "10X10X10");
    out.with("weight", &format!("0.{:03}", random.between(20, 999))).put("volume", 1_000);
    out.put("min_order_quantity", product.minimum).put("shipping_line_template_id", 2_041_723_009_u64);
    out.put("handling_time", 7);
    periods(out, product, form);
    out.end();
    out.key("sourcing_trade").object();
    out.with("fob_currency", "USD").with("fob_min_price", &price(product.price));
    out.with("fob_max_price", &price(product.top_price)).with("fob_unit_type", "Piece");
    out.texts("payment_methods", form.wrap("string"), &["T/T", "L/C", "Western Union"]);
    out.with("min_order_quantity", &product.minimum.to_string()).with("min_order_unit_type", "Piece");
    out.with("supply_quantity", "10000")
        .with("supply_unit_type", "Piece")
        .with("supply_period_type", "Month");
    out.with("delivery_port", "Ningbo").with("delivery_time", "15");
    let material = random.pick(MATERIALS);
    out.with("packaging_desc", &format!("1 pc per box, {} inlay", material.0));
    periods(out, product, form);
    out.end();
    out.key("custom_info").object().key("custom_contents").open_list(form.wrap("custom_content"));
    out.object().with("custom_type", "Customized logo").put("min_order_quantity", product.minimum * 10).end();
    out.close_list(form.wrap("custom_content")).end();
}

fn periods(out: &mut Json, product: &Product, form: Form) {
    out.key("deliver_periods").open_list(form.wrap("deliver_period"));
    out.object().put("quantity", product.minimum * 10).put("process_period", 7).end();
    out.object().put("quantity", product.minimum * 100).put("process_period", 20).end();
    out.close_list(form.wrap("deliver_period"));
}

fn owner(shop: &Shop) -> &'static str {
    person(&mut Random::new(shop.id, &[3]))
}

pub(super) fn rts(product: &Product) -> bool {
    product.noise.is_multiple_of(3)
}

fn smart(product: &Product) -> bool {
    product.noise.is_multiple_of(5)
}

pub(super) fn model(product: &Product) -> String {
    format!("CK{:04}", product.noise % 10_000)
}

fn page_url(product: &Product) -> String {
    format!("https://www.example.invalid/product-detail/x_{}.html", product.id)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `/alibaba/icbu/product/id/encrypt`. That an id of nobody's product is encrypted all the same is
/// a guess.
pub(super) fn encrypt(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let Some(id) = ask.read.id("product_id")? else { return Err(ask.read.missing("product_id")) };
    let mut out = Json::default();
    out.object();
    if form == Form::Gop {
        out.key("result").object();
    }
    out.with("secret_id", &secret(id));
    if form == Form::Gop {
        out.nulls(&["error_code", "error_msg"]).end();
    }
    Ok(out.end().finish())
}

/// `alibaba.icbu.product.id.decrypt`, which only TOP has.
pub(super) fn decrypt(ask: &Ask<'_>) -> Result<String, Answer> {
    let hidden = ask.read.required("product_id")?;
    let id = reveal(hidden).ok_or_else(|| ask.read.invalid("product_id"))?;
    Ok(format!("{{\"id\":{id}}}"))
}

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const INVERSE: u64 = {
    // Newton's iteration modulo 2^64; an odd number is its own inverse modulo 8.
    let mut inverse = FACTOR;
    let mut round = 0;
    while round < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
};

/// Returns the "encrypted" id of a product: opaque, of one length, and unique.
fn secret(id: u64) -> String {
    let mut rest = id.wrapping_mul(FACTOR);
    let mut text = *b"IDX100000000000";
    for place in text[4..].iter_mut().rev() {
        *place = BASE62[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// Returns the id behind an "encrypted" one.
fn reveal(secret: &str) -> Option<u64> {
    let digits = secret.strip_prefix("IDX1").filter(|digits| digits.len() == 11)?;
    let mut number = 0_u64;
    for byte in digits.bytes() {
        let digit = BASE62.iter().position(|known| *known == byte)?;
        number = number.checked_mul(62)?.checked_add(digit as u64)?;
    }
    Some(number.wrapping_mul(INVERSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_lead_back_to_ids() {
        for id in [0, 1, 1_600_107_214_049, u64::MAX] {
            let hidden = secret(id);
            assert_eq!(hidden.len(), 15);
            assert_eq!(reveal(&hidden), Some(id));
        }
        for text in ["", "IDX1", "IDX1abc", "IDX1zzzzzzzzzzz", "IDX1ééééé1", "1600107214049"] {
            assert_eq!(reveal(text), None, "{text}");
        }
    }
}
