//! Lazada, Daraz and Miravia: products, the category tree, orders.

use std::sync::OnceLock;

use super::{
    Answer, Ask, Shop, arguments,
    attributes::{self, Kind, material_id},
    categories::{Family, TREE},
    json::{Json, price},
    orders::{LAZADA_STATUSES, Order},
    stock::{Chosen, Product, Status, Stock},
    times::{self, WITH_OFFSET},
    words::{self, COLORS, Language, MATERIALS},
};

/// Documented largest pages; a larger `limit` is an invalid one (19).
const LARGEST_PAGE: usize = 50;
const LARGEST_ORDER_PAGE: usize = 100;
/// Not documented for either list.
const DEFAULT_PAGE: usize = 20;
/// Documented: products behind this offset cannot be reached; walk by `update_after`.
const LARGEST_OFFSET: usize = 10_000;

/// Answers a call; `None` when the world does not back it.
pub(super) fn answer(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    Some(match ask.call.api {
        "/products/get" => products(ask),
        "/category/tree/get" => Ok(tree(ask.read.text("language_code").unwrap_or(""))),
        "/orders/get" => orders(ask),
        "/product/item/get" => item(ask),
        "/category/attributes/get" => category_attributes(ask),
        "/seller/get" => seller(ask),
        _ => return None,
    })
}

fn invalid(code: &'static str, value: &str, says: &str) -> Answer {
    let shown: String = value.chars().take(64).collect();
    arguments::refusal(code, format!("\"{shown}\" {says}"), None)
}

/// Reads `offset` and `limit`; codes 14 and 19.
fn window(ask: &Ask<'_>, largest: usize) -> Result<(usize, usize), Answer> {
    let read = |name, least, default, code, says| {
        let Some(text) = ask.read.text(name) else { return Ok(default) };
        text.parse().ok().filter(|number| *number >= least).ok_or_else(|| invalid(code, text, says))
    };
    let offset = read("offset", 0_usize, 0, "14", "Invalid Offset")?;
    let limit = read("limit", 1, DEFAULT_PAGE, "19", "Invalid Limit")?;
    if limit > largest {
        return Err(invalid("19", &limit.to_string(), "Invalid Limit"));
    }
    Ok((offset, limit))
}

/// Reads a date filter; code 17.
fn date(ask: &Ask<'_>, stock: &Stock, name: &str) -> Result<Option<i64>, Answer> {
    let Some(text) = ask.read.text(name) else { return Ok(None) };
    // A plus sign that a client forgot to encode arrives as a space.
    let mended = text.replace(' ', "+");
    times::read(text, &stock.zone, name.ends_with("before"))
        .or_else(|| times::read(&mended, &stock.zone, false))
        .map(Some)
        .ok_or_else(|| invalid("17", text, "Invalid Date Format"))
}

fn within(at: i64, (after, before): (Option<i64>, Option<i64>)) -> bool {
    after.is_none_or(|after| at >= after) && before.is_none_or(|before| at <= before)
}

// Products.

/// `/products/get`.
fn products(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let (_, stock) = ask.stock()?;
    let (offset, limit) = window(ask, LARGEST_PAGE)?;
    if offset > LARGEST_OFFSET {
        return Err(invalid("14", &offset.to_string(), "Invalid Offset"));
    }
    let filter = read.text("filter").unwrap_or("all");
    let created = (date(ask, stock, "create_after")?, date(ask, stock, "create_before")?);
    let updated = (date(ask, stock, "update_after")?, date(ask, stock, "update_before")?);
    let skus = match read.text("sku_seller_list") {
        None => None,
        Some(text) => Some(serde_json::from_str::<Vec<String>>(text).map_err(|_| {
            arguments::refusal("70", "You have corrupt data in your sku seller list.".to_owned(), None)
        })?),
    };
    let test = |product: &Product| {
        within(product.created, created)
            && within(product.modified, updated)
            && skus.as_ref().is_none_or(|skus| skus.iter().any(|sku| *sku == product.sku_code(0)))
    };
    let plain = created == (None, None) && updated == (None, None) && skus.is_none();
    let narrowed = (!plain).then_some(&test as &dyn Fn(&Product) -> bool);
    let chosen = match filter {
        "all" => stock.choose(narrowed),
        "live" => stock
            .choose(Some(&|product| product.status == Status::Selling && product.stock > 0 && test(product))),
        "sold-out" => stock.choose(Some(&|product| {
            product.status == Status::Selling && product.stock == 0 && test(product)
        })),
        "inactive" => stock.choose_status(Status::Offline, narrowed),
        "pending" => stock.choose_status(Status::Auditing, narrowed),
        "rejected" => stock.choose_status(Status::Rejected, narrowed),
        "deleted" => Chosen::Some(Vec::new().into()),
        _ => return Err(invalid("36", filter, "Invalid status filter")),
    };
    let mut out = Json::with_room(limit * 1_300 + 64);
    out.object().key("data").object().put("total_products", chosen.len()).key("products").list();
    chosen.write_page(&stock.rows, offset, limit, &mut out);
    Ok(out.end_list().end().end().finish())
}

/// Writes a product as lists show it. Times are milliseconds as texts, images a JSON list in a
/// text, as in the vendor's samples.
pub(super) fn row(out: &mut Json, shop: &Shop, product: &Product) {
    let mut random = product.details(2);
    let node = usize::from(product.node);
    let images: Vec<String> =
        (0..product.pictures()).map(|place| format!("\"{}\"", product.picture(place))).collect();
    let images = format!("[{}]", images.join(","));
    let material = random.index(MATERIALS.len());
    out.object().put("primary_category", Family::Lazada.id(node));
    out.key("attributes").object().with("name", &product.title);
    out.with("short_description", &format!("<ul><li>{}</li></ul>", TREE[node].en));
    out.with("brand", "No Brand").with("model", &format!("M-{}", product.noise % 10_000));
    out.with("material", MATERIALS[material].0).put("material_id", material_id(material));
    out.with("warranty_type", "No Warranty").end();
    out.key("skus").list();
    let count = random.between(1, 2);
    for place in 0..count {
        let color = random.pick(COLORS);
        let id = product.id * 10 + u64::from(place);
        out.object().put("SkuId", id).with("SellerSku", &product.sku_code(place));
        out.with("ShopSku", &format!("{}_{}-{id}", product.id, shop.country));
        out.with("Status", if product.status == Status::Selling { "active" } else { "inactive" });
        out.put("quantity", product.stock / count).put("Available", product.stock / count);
        out.key("price")
            .plain(price(product.price))
            .key("special_price")
            .plain(price(product.price / 10 * 9));
        out.with("color_family", color.1).with("package_weight", "0.5").with("package_length", "20");
        out.with("package_width", "15").with("package_height", "10");
        out.texts("Images", None, &[&product.picture(place)]);
        out.with("Url", &format!("https://www.example.invalid/products/i{}-s{id}.html", product.id)).end();
    }
    out.end_list().put("item_id", product.id);
    out.with("created_time", &(product.created * 1_000).to_string());
    out.with("updated_time", &(product.modified * 1_000).to_string());
    out.with("images", &images).with("marketImages", "[]");
    let (status, sub) = match product.status {
        Status::Selling => ("Active", ""),
        Status::Offline => ("InActive", ""),
        Status::Auditing => ("Pending", "QC"),
        Status::Rejected => ("Suspended", "Rejected"),
    };
    out.with("status", status).with("subStatus", sub).key("suspendedSkus").list().end_list();
    out.put("trialProduct", false).key("rejectReason").list();
    if product.status == Status::Rejected {
        out.object()
            .with("suggestion", "Use a clear main image.")
            .with("violationDetail", "Blurred image")
            .end();
    }
    out.end_list().with("hiddenReason", "").with("hiddenStatus", "").end();
}

/// `/product/item/get`: the row of the list and its variations; 208 for an unknown one (documented).
fn item(ask: &Ask<'_>) -> Result<String, Answer> {
    let Some(id) = ask.read.id("item_id")? else { return Err(ask.read.missing("item_id")) };
    let (shop, stock) = ask.stock()?;
    let Some(product) = stock.product(id) else {
        return Err(arguments::refusal("208", "Item not exist".to_owned(), None));
    };
    let mut whole = Json::default();
    row(&mut whole, shop, product);
    let whole = whole.finish();
    let mut out = Json::with_room(whole.len() + 400);
    out.object().key("data").object().raw(&whole[1..whole.len() - 1]);
    out.key("variation").object().key("variation1").object().with("name", "color_family");
    out.put("has_image", true).put("customize", true);
    let colors: Vec<&str> = COLORS.iter().map(|color| color.1).collect();
    out.texts("options", None, &colors).with("label", "Color").end().end();
    Ok(out.key("bizSupplement").object().end().key("imageSequence").object().end().end().end().finish())
}

/// `/seller/get`: who the token is for.
fn seller(ask: &Ask<'_>) -> Result<String, Answer> {
    let (shop, _) = ask.stock()?;
    let mut out = Json::default();
    out.object().key("data").object().with("name_company", &shop.name).put("seller_id", shop.id);
    out.with("name", &shop.name).with("short_code", &format!("{}{}", shop.country, shop.user_id % 1_000_000));
    out.with("logo_url", "https://img.example.invalid/logo.png").with("email", &shop.login);
    out.put("cb", false).with("location", shop.country).with("status", "ACTIVE").put("verified", true);
    Ok(out.put("marketplaceEaseMode", false).end().end().finish())
}

// Categories.

/// `/category/attributes/get`; 57 for what is no leaf (documented: no attribute sets linked).
fn category_attributes(ask: &Ask<'_>) -> Result<String, Answer> {
    let id = ask.read.required("primary_category_id")?;
    let node = id.parse().ok().and_then(|id| Family::Lazada.node(id));
    let Some(node) = node.filter(|node| Family::Lazada.is_leaf(*node)) else {
        let message = "No attribute sets linked to that category.".to_owned();
        return Err(arguments::refusal("57", message, None));
    };
    let mut out = Json::default();
    out.object().key("data").list();
    for attribute in attributes::of_category(node) {
        let sale = attribute.id == attributes::COLOR;
        out.object().key("advanced").object().put("is_key_prop", u8::from(attribute.required)).end();
        out.with("label", attribute.en).with("name", &attribute.en.to_lowercase().replace(' ', "_"));
        out.put("is_mandatory", u8::from(attribute.required));
        out.with("attribute_type", if sale { "sku" } else { "normal" });
        out.with(
            "input_type",
            match attribute.kind {
                Kind::Input => "text",
                Kind::Decimal => "numeric",
                Kind::Multi => "multiSelect",
                Kind::SingleOrOwn => "enumInput",
                Kind::Single | Kind::Cascade => "singleSelect",
            },
        );
        out.key("options").list();
        for choice in attribute.choices {
            out.object().with("name", choice.1).with("en_name", choice.1).put("id", choice.0).end();
        }
        out.end_list().put("is_sale_prop", u8::from(sale)).put("id", attribute.id).end();
    }
    Ok(out.end_list().end().finish())
}

/// `/category/tree/get`: the whole tree at once, the same for every shop.
fn tree(language: &str) -> String {
    static TREES: [OnceLock<String>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let (place, language) = match language.get(..2) {
        Some("zh") => (1, Language::Chinese),
        Some("es") => (2, Language::Spanish),
        _ => (0, Language::English),
    };
    TREES[place]
        .get_or_init(|| {
            let mut out = Json::default();
            out.object().key("data").list();
            branches(&mut out, None, language);
            out.end_list().end();
            out.finish()
        })
        .clone()
}

fn branches(out: &mut Json, node: Option<usize>, language: Language) {
    for child in Family::Lazada.children(node) {
        let leaf = Family::Lazada.is_leaf(child);
        out.object().put("category_id", Family::Lazada.id(child));
        out.with("name", words::name(&TREE[child], language)).put("leaf", leaf);
        // Whether a category takes variations.
        out.put(
            "var",
            leaf && attributes::of_category(child).any(|attribute| attribute.id == attributes::COLOR),
        );
        if !leaf {
            out.key("children").list();
            branches(out, Some(child), language);
            out.end_list();
        }
        out.end();
    }
}

// Orders.

/// `/orders/get`: `update_after` or `created_after` is mandatory (documented); that their absence
/// is code 17 is a guess, the nearest of the codes listed for this API.
fn orders(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let (_, stock) = ask.stock()?;
    let (offset, limit) = window(ask, LARGEST_ORDER_PAGE)?;
    let created = (date(ask, stock, "created_after")?, date(ask, stock, "created_before")?);
    let updated = (date(ask, stock, "update_after")?, date(ask, stock, "update_before")?);
    if created.0.is_none() && updated.0.is_none() {
        return Err(invalid("17", "", "Invalid Date Format: update_after or created_after is mandatory"));
    }
    let status = read.text("status");
    if let Some(status) = status.filter(|status| !LAZADA_STATUSES.contains(status)) {
        return Err(invalid("36", status, "Invalid status filter"));
    }
    let by_update = match read.text("sort_by") {
        None | Some("created_at") => false,
        Some("updated_at") => true,
        Some(other) => return Err(invalid("75", other, "Invalid sort filter.")),
    };
    let ascending = match read.text("sort_direction").map(str::to_ascii_uppercase).as_deref() {
        None | Some("DESC") => false,
        Some("ASC") => true,
        Some(other) => return Err(invalid("74", other, "Invalid sort direction.")),
    };
    let mut chosen: Vec<usize> = (0..stock.orders.len())
        .filter(|at| {
            let order = &stock.orders[*at];
            within(order.created, created)
                && within(order.modified, updated)
                && status.is_none_or(|status| status == order.status)
        })
        .collect();
    if by_update {
        chosen.sort_by_key(|at| std::cmp::Reverse((stock.orders[*at].modified, stock.orders[*at].id)));
    }
    if ascending {
        chosen.reverse();
    }
    let from = offset.min(chosen.len());
    let page = &chosen[from..(from + limit).min(chosen.len())];
    let mut out = Json::with_room(page.len() * 2_000 + 64);
    out.object().key("data").object().put("countTotal", chosen.len()).put("count", page.len());
    out.key("orders").list();
    for at in page {
        out.raw(stock.order_rows.run(*at, at + 1));
    }
    Ok(out.end_list().end().end().finish())
}

/// Writes an order as lists show it.
pub(super) fn order_row(out: &mut Json, shop: &Shop, stock: &Stock, order: &Order) {
    let mut random = super::random::Random::new(order.noise, &[1]);
    let date = |at| times::write(at, &stock.zone, WITH_OFFSET);
    let person = words::person(&mut random);
    let (first, last) = person.split_once(' ').unwrap_or((person, ""));
    out.object().with("branch_number", "").with("tax_code", "").with("extra_attributes", "");
    // Recorded: ids and amounts are numbers, the price is a string. The document has strings.
    out.with("address_updated_at", &date(order.created)).put("shipping_fee", price(order.total / 20));
    out.with("customer_first_name", first)
        .with("payment_method", if random.chance(50) { "COD" } else { "MIXEDCARD" });
    out.texts("statuses", None, &[order.status]).with("remarks", "").put("order_number", order.id);
    out.put("order_id", order.id).put("voucher", "0.00").with("national_registration_number", "");
    out.with("promised_shipping_times", "").put("items_count", order.items);
    out.put("voucher_platform", 0).put("voucher_seller", 0);
    out.with("created_at", &date(order.created)).with("price", &price(order.total));
    out.key("address_billing");
    address(out, shop, first, last);
    out.with("warehouse_code", "dropshipping").with("shipping_fee_original", &price(order.total / 20));
    out.with("shipping_fee_discount_seller", "0.00").with("shipping_fee_discount_platform", "0.00");
    out.key("address_shipping");
    address(out, shop, first, last);
    out.with("customer_last_name", last).put("gift_option", false).with("voucher_code", "");
    out.with("updated_at", &date(order.modified)).with("delivery_info", "").with("gift_message", "");
    out.with("buyer_note", if random.chance(10) { "Please wrap as a \"gift\" 🎁" } else { "" });
    out.key("recipient_info").object().with("passport_no", "").with("identify_no", "");
    out.with("detail_address", "")
        .end()
        .put("need_cancel_confirm", false)
        .with("is_cancel_pending", "")
        .end();
}

/// Addresses come masked.
fn address(out: &mut Json, shop: &Shop, first: &str, last: &str) {
    out.object().with("address1", "1*** S*** Street").with("phone2", "").with("first_name", first);
    out.with("phone", "6*******21").with("address5", "").with("post_code", "1*****").with("address4", "");
    out.with("last_name", last).with("country", shop.country).with("address3", "").with("address2", "");
    out.with("city", "C***").with("addressDsitrict", "").end();
}
