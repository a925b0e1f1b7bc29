//! 1688: the product list and the category tree.

use super::{
    Answer, Ask,
    attributes::{self, COLOR},
    categories::{Family, TREE},
    json::{Json, price},
    stock::{Product, Status, Stock, matches_text},
    words::{COLORS, MATERIALS},
};

/// Not documented: 20 unless asked, 50 at most, as for the searches of the platform.
const DEFAULT_PAGE: usize = 20;
const LARGEST_PAGE: usize = 50;

/// Answers a call; `None` when the world does not back it.
pub(super) fn answer(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    Some(match ask.call.api {
        "com.alibaba.product:alibaba.product.list.get" => list(ask),
        "com.alibaba.product:alibaba.category.get" => category(ask),
        _ => return None,
    })
}

/// `alibaba.category.get`: 0 is the root; exactly three levels. That an unknown id gives an empty
/// list with a message is a guess.
fn category(ask: &Ask<'_>) -> Result<String, Answer> {
    let Some(id) = ask.read.id("categoryID")? else { return Err(ask.read.missing("categoryID")) };
    let family = Family::Ali1688;
    let node = family.node(id);
    let mut out = Json::default();
    out.object().key("categoryInfo").list();
    if id == 0 || node.is_some() {
        out.object().put("categoryID", id).with("name", node.map_or("根类目", |node| TREE[node].zh));
        out.put("level", node.map_or(0, |node| TREE[node].level));
        out.put("isLeaf", node.is_some_and(|node| family.is_leaf(node))).key("parentIDs").list();
        if let Some(node) = node {
            out.plain(TREE[node].parent.map_or(0, |parent| family.id(parent)));
        }
        out.end_list().key("childIDs").list();
        for child in family.children(node) {
            out.plain(family.id(child));
        }
        out.end_list().end();
    }
    let message = if id == 0 || node.is_some() { "" } else { "The category does not exist." };
    Ok(out.end_list().with("errorMsg", message).end().finish())
}

/// `alibaba.product.list.get`. Arguments that do not narrow the list here (`webSite`, `signs`,
/// `productSupportedBizGroups`) are passed over.
fn list(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let (_, stock) = ask.stock()?;
    let page = read.count("pageNo", 1, 1)?;
    let size = read.count("pageSize", 1, DEFAULT_PAGE)?.min(LARGEST_PAGE);
    let statuses = read.list("statusList")?;
    let category = read.id("categoryId")?;
    let from = read.time("startModifyTime", &stock.zone, false)?;
    let to = read.time("endModifyTime", &stock.zone, true)?;
    let (subject, cargo) = (read.text("subjectKey"), read.text("cargoNumber"));
    let test = |product: &Product| {
        (statuses.is_empty() || statuses.iter().any(|wanted| wanted == status(product)))
            && category.is_none_or(|wanted| Family::Ali1688.id(usize::from(product.node)) == wanted)
            && from.is_none_or(|from| product.modified >= from)
            && to.is_none_or(|to| product.modified <= to)
            && cargo.is_none_or(|cargo| cargo_number(product) == cargo)
            && subject.is_none_or(|subject| matches_text(&product.title, subject))
    };
    let plain = statuses.is_empty()
        && category.is_none()
        && from.is_none()
        && to.is_none()
        && subject.is_none()
        && cargo.is_none();
    let chosen = stock.choose((!plain).then_some(&test as &dyn Fn(&Product) -> bool));
    let mut out = Json::with_room(size * 2_400 + 256);
    out.object().key("result").object().with("message", "").key("result").object();
    out.key("pageResult").object().put("sizePerPage", size).key("resultList").list();
    chosen.write_page(&stock.rows, (page - 1).saturating_mul(size), size, &mut out);
    out.end_list().put("totalRecords", chosen.len()).put("pageIndex", page).end().end();
    out.with("subCode", "").with("subMessage", "").with("code", "").put("success", true).end();
    Ok(out.end().finish())
}

/// The words of the platform's own pages; the catalog lists none.
fn status(product: &Product) -> &'static str {
    match product.status {
        Status::Selling => "published",
        Status::Offline => "member expired",
        Status::Auditing => "auditing",
        Status::Rejected => "untread",
    }
}

fn cargo_number(product: &Product) -> String {
    format!("HH-{:05}", product.noise % 100_000)
}

/// Writes a product as lists show it.
pub(super) fn row(out: &mut Json, stock: &Stock, product: &Product) {
    let mut random = product.details(2);
    let material = random.index(MATERIALS.len());
    out.object().put("productID", product.id).with("productType", "wholesale");
    out.put("categoryID", Family::Ali1688.id(usize::from(product.node)));
    out.key("attributes").list();
    out.object().put("attributeID", attributes::BRAND).with("attributeName", "品牌");
    out.put("valueID", -1).with("value", "其他").put("isCustom", true).end();
    out.object().put("attributeID", attributes::MATERIAL).with("attributeName", "材质");
    out.put("valueID", attributes::material_id(material)).with("value", MATERIALS[material].1);
    out.put("isCustom", false).end().end_list();
    out.key("groupID").list();
    if let Some(group) = stock.group_of(product) {
        out.plain(group.id);
    }
    out.end_list().with("status", status(product)).with("subject", &product.title);
    out.with("description", "<p>支持一件代发，7天无理由退换。</p>").with("language", "CHINESE");
    out.put("periodOfValidity", 180).put("bizType", 1).put("pictureAuth", false);
    let pictures: Vec<String> = (0..product.pictures()).map(|place| product.picture(place)).collect();
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
    out.key("image").object().texts("images", None, &pictures).put("isWatermark", false);
    out.put("isWatermarkFrame", false).with("watermarkPosition", "center").end();
    out.key("skuInfos").list();
    let (first, count) = (random.index(COLORS.len()), random.between(1, 3));
    for place in 0..count {
        let color = COLORS[(first + place as usize) % COLORS.len()];
        out.object().key("attributes").list().object().put("attributeID", COLOR).put("attValueID", color.0);
        out.with("attributeValue", color.2)
            .with("customValueName", "")
            .with("skuImageUrl", &product.picture(place));
        out.with("attributeDisplayName", "颜色").end().end_list();
        out.with("cargoNumber", &cargo_number(product)).put("amountOnSale", product.stock / count);
        out.with("retailPrice", &price(product.top_price)).with("price", &price(product.price));
        out.key("priceRange").list().end_list().with("skuCode", &product.sku_code(place));
        out.put("skuId", product.id * 10 + u64::from(place));
        out.with("specId", &format!("{:032x}", u128::from(product.noise) << u32::from(place == 1))).end();
    }
    out.end_list();
    trade(out, product);
    // The goods are sold at home.
    out.nulls(&["internationalTradeInfo"]);
    out.key("extendInfos").list().object().with("key", "freightId").with("value", "1").end().end_list();
    out.with("supplierUserId", "").put("qualityLevel", random.between(1, 5)).end();
}

fn trade(out: &mut Json, product: &Product) {
    out.key("saleInfo").object().put("supportOnlineTrade", true).put("mixWholeSale", true);
    out.with("saleType", "normal").put("priceAuth", false).key("priceRanges").list();
    for (step, share) in [(1, 100), (10, 90)] {
        out.object().put("startQuantity", product.minimum * step);
        out.with("price", &price((product.price / 100 * share).max(1))).end();
    }
    out.end_list()
        .with("amountOnSale", &product.stock.to_string())
        .with("unit", "件")
        .put("minOrderQuantity", product.minimum);
    out.put("batchNumber", 1).with("retailprice", &price(product.top_price)).with("tax", "");
    out.with("sellunit", "件").put("quoteType", 0).end();
    out.key("shippingInfo").object().put("freightTemplateID", 1).with("unitWeight", "0.50");
    out.with("packageSize", "20x15x10").put("volume", 3_000).put("handlingTime", 3);
    out.put("sendGoodsAddressId", 100_200_300).end();
}
