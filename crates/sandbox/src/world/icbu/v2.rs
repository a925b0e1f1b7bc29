//! The product calls of ICBU's version 2: one product, and a search by model number or SKU code.

use serde_json::{Value, json};

use super::products::{model, rts};
use crate::{
    token_replies::ReplyStyle,
    world::{
        Answer, Ask, Shop, attributes,
        categories::{Family, TREE, way},
        json::price,
        stock::{Product, Status},
        words::COLORS,
    },
};

/// The largest page (documented); also the default, which is not documented.
const LARGEST_PAGE: usize = 20;

/// `/alibaba/icbu/product/get/v2`: by product, or by SKU.
pub(super) fn get(ask: &Ask<'_>) -> Result<String, Answer> {
    let (product, sku) = (ask.read.id("product_id")?, ask.read.id("sku_id")?);
    if product.is_none() && sku.is_none() {
        return Err(ask.read.missing("product_id"));
    }
    let (shop, stock) = ask.stock()?;
    let found = match (product, sku) {
        (Some(id), _) => stock.product(id),
        (None, Some(sku)) => stock.products.iter().find(|product| sku_ids(product).any(|(id, _)| id == sku)),
        _ => None,
    };
    Ok(match found {
        Some(product) => reply(ask, true, json!({"product_info": info(shop, product)})),
        None => reply(
            ask,
            false,
            json!({"message": "The product does not exist.", "msg_code": "B_PRODUCT_NOT_FOUND"}),
        ),
    })
}

/// `/alibaba/icbu/product/search/v2`.
pub(super) fn search(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let page = read.count("page_index", 1, 1)?;
    let size = read.count("page_size", 1, LARGEST_PAGE)?.min(LARGEST_PAGE);
    let (wanted_model, sku_code) = (read.text("model_number"), read.text("sku_code"));
    let (shop, stock) = ask.stock()?;
    let chosen: Vec<&Product> = stock
        .products
        .iter()
        .filter(|product| {
            wanted_model.is_none_or(|wanted| model(product) == wanted)
                && sku_code
                    .is_none_or(|wanted| sku_ids(product).any(|(_, place)| product.sku_code(place) == wanted))
        })
        .collect();
    let rows: Vec<Value> = chosen
        .iter()
        .skip((page - 1).saturating_mul(size))
        .take(size)
        .map(|product| info(shop, product))
        .collect();
    Ok(reply(
        ask,
        true,
        json!({
            "product_info": rows,
            "page": {
                "page_index": page,
                "page_size": size,
                "total_item": chosen.len(),
                "total_page": chosen.len().div_ceil(size),
            },
        }),
    ))
}

/// Live, the members stand beside `code`; the document has them under `result`.
fn reply(ask: &Ask<'_>, success: bool, mut members: Value) -> String {
    members["success"] = success.into();
    match ask.call.style {
        ReplyStyle::Documented => json!({"result": members}).to_string(),
        _ => members.to_string(),
    }
}

fn sku_ids(product: &Product) -> impl Iterator<Item = (u64, u32)> {
    (0..product.details(2).between(1, 3))
        .map(|place| (product.id % 100_000_000_000 * 10 + u64::from(place), place))
}

fn info(shop: &Shop, product: &Product) -> Value {
    let node = usize::from(product.node);
    let names: Vec<&str> = way(node).into_iter().map(|at| TREE[at].en).collect();
    let mut random = product.details(8);
    let attributes: Vec<Value> = attributes::of_category(node)
        .filter(|attribute| attribute.id != attributes::COLOR)
        .map(|attribute| {
            let value =
                if attribute.choices.is_empty() { "Custom" } else { random.pick(attribute.choices).1 };
            json!({"attribute_name": attribute.en, "attribute_value": value})
        })
        .collect();
    let skus: Vec<Value> = sku_ids(product)
        .zip(COLORS)
        .map(|((id, place), color)| {
            json!({
                "sku_id": id,
                "sku_code": product.sku_code(place),
                "sku_price": {"price": number(product.price), "currency": shop.currency},
                "inventory": product.stock,
                "sale_attributes": [{
                    "attribute_name": "Color",
                    "attribute_value": color.1,
                    "image": {"image_url": product.picture(place)},
                }],
            })
        })
        .collect();
    let images: Vec<Value> =
        (0..product.pictures()).map(|place| json!({"image_url": product.picture(place)})).collect();
    json!({
        "basic_info": {
            "product_id": product.id,
            "title": product.title,
            "description": "<p></p>",
            "keywords": TREE[node].en,
            "language": "en_US",
            "product_images": images,
            "create_timestamp": product.created * 1_000,
            "last_modified_timestamp": product.modified * 1_000,
            "owner_ali_id": shop.id,
            "model_number": model(product),
            "status": if product.status == Status::Selling { "online" } else { "offline" },
            "audit_status": match product.status {
                Status::Selling | Status::Offline => "approved",
                Status::Auditing => "auditing",
                Status::Rejected => "rejected",
            },
        },
        "category_info": {"category_id": Family::Icbu.id(node), "category_name": names.join("/")},
        "attributes": attributes,
        "logistics_info": {
            "shipping_template_id": "2041723009",
            "weight": "0.5",
            "dimension": {"length": 10, "width": 10, "height": 10},
            "tiered_lead_time": [{"quantity": product.minimum * 10, "lead_time": 7}],
        },
        "trade_info": {
            "moq": product.minimum,
            "unit": "Piece",
            "inventory": product.stock,
            "price": {
                "price_type": if rts(product) { "TIERED" } else { "RANGE" },
                "currency": shop.currency,
                "tiered_price": [{"quantity": product.minimum, "price": number(product.price)}],
                "range_price": format!("{}-{}", price(product.price), price(product.top_price)),
            },
            "sku_info": skus,
        },
    })
}

/// Cents as a JSON number.
fn number(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}
