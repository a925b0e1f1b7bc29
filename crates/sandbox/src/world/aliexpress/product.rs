//! AliExpress' product page of the legacy namespace.

use super::{
    failed,
    lists::{off_line, pictures, source, ws_display},
};
use crate::world::{
    Answer, Ask, Shop,
    attributes::{self, COLOR, MATERIAL},
    categories::{Family, TREE},
    json::{Json, price},
    random::Random,
    stock::{Product, Status},
    times::{self, COMPACT},
    words::{COLORS, MATERIALS},
};

/// `api.findAeProductById`. What it answers for an unknown product is not documented; the form is
/// that of other business failures of the family.
pub(super) fn get(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let Some(id) = read.id("productId")? else { return Err(read.missing("productId")) };
    let (shop, stock) = ask.stock()?;
    let Some(product) = stock.product(id) else {
        return Ok(failed("PRODUCT_NOT_EXIST", &format!("The product {id} does not exist in this shop.")));
    };
    let mut random = product.details(2);
    let compact = |at| times::write(at, &stock.zone, COMPACT);
    let group = stock.group_of(product).map_or(0, |group| group.id);
    let mut out = Json::with_room(4_096);
    out.object().put("success", true).put("productId", product.id).with("subject", &product.title);
    out.put("categoryId", Family::AliExpress.id(usize::from(product.node))).put("groupId", group);
    out.key("groupIds").list().plain(group).end_list();
    out.with("detail", &format!("<p>{}</p>", TREE[usize::from(product.node)].en)).with("mobileDetail", "");
    out.with("keyword", TREE[usize::from(product.node)].en).with("imageURLs", &pictures(product));
    out.put("isImageDynamic", product.pictures() > 1).with("productPrice", &price(product.price));
    out.with("currencyCode", shop.currency).put("productUnit", 100_000_015).put("packageType", false);
    out.put("lotNum", 1);
    for side in ["packageLength", "packageWidth", "packageHeight"] {
        out.put(side, random.between(5, 60));
    }
    out.with("grossWeight", &format!("{}.{:03}", random.below(4), random.between(20, 999)));
    out.put("isPackSell", false).put("deliveryTime", 7).put("wsValidNum", 30);
    out.with("wsDisplay", ws_display(product).unwrap_or(""))
        .with("wsOfflineDate", &compact(off_line(product)));
    out.with(
        "productStatusType",
        match product.status {
            Status::Selling => "onSelling",
            Status::Offline => "offline",
            Status::Auditing => "auditing",
            Status::Rejected => "editingRequired",
        },
    );
    out.put("freightTemplateId", 1_000).put("promiseTemplateId", 0).put("sizechartId", 0);
    out.with("reduceStrategy", "payment_success_deduct").nulls(&["bulkOrder", "bulkDiscount"]);
    out.with("src", source(product)).with("ownerMemberId", &shop.login).put("ownerMemberSeq", shop.user_id);
    out.with("gmtCreate", &compact(product.created)).with("gmtModified", &compact(product.modified));
    properties(&mut out, &mut random);
    skus(&mut out, shop, product, &mut random);
    Ok(out.end().finish())
}

fn properties(out: &mut Json, random: &mut Random) {
    let material = random.index(MATERIALS.len());
    out.key("aeopAeProductPropertys").list();
    out.object().put("attrNameId", attributes::BRAND).with("attrName", "Brand Name");
    out.put("attrValueId", 200_000_000).with("attrValue", "NoBrand").end();
    out.object().put("attrNameId", MATERIAL).with("attrName", "Material");
    out.put("attrValueId", attributes::material_id(material)).with("attrValue", MATERIALS[material].0).end();
    out.end_list();
}

fn skus(out: &mut Json, shop: &Shop, product: &Product, random: &mut Random) {
    let count = random.below(4);
    out.key("aeopAeProductSKUs").list();
    // Documented: a product without SKUs has one of the id "<none>".
    let first = random.index(COLORS.len());
    for place in 0..count.max(1) {
        let color = COLORS[(first + place as usize) % COLORS.len()];
        let id = if count == 0 { "<none>".to_owned() } else { format!("{COLOR}:{}", color.0) };
        out.object().with("id", &id).with("skuCode", &product.sku_code(place));
        out.with("skuPrice", &price(product.price)).put("skuStock", product.stock > 0);
        out.put("ipmSkuStock", product.stock / count.max(1)).with("currencyCode", shop.currency);
        out.key("aeopSKUProperty").list();
        if count > 0 {
            out.object().put("skuPropertyId", COLOR).put("propertyValueId", color.0);
            out.nulls(&["propertyValueDefinitionName", "skuImage"]).end();
        }
        out.end_list().end();
    }
    out.end_list();
}
