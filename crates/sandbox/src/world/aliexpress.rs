//! AliExpress: the legacy param2 namespace and the product list of the current gateway.

use super::{
    Answer, Ask, Shop,
    arguments::{Dialect, Reader, members},
    attributes::{self, COLOUR, MATERIAL},
    categories::{Family, TREE},
    json::{Json, price},
    random::Random,
    stock::{Product, Status, Stock, matches_text},
    times::{self, COMPACT, PLAIN},
    words::{COLOURS, MATERIALS},
};

/// Documented: 20 unless asked, below 100. That more is cut to 99 and not refused is a guess, after
/// what ICBU was seen to do.
const DEFAULT_PAGE: usize = 20;
const LARGEST_PAGE: usize = 99;
/// Documented: fixed.
const MODULES_PAGE: usize = 50;

/// Answers a call of the legacy namespace; `None` when the world does not back it.
pub(super) fn answer_legacy(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    Some(match ask.call.api.strip_prefix("aliexpress.open:")? {
        "api.findAeProductDetailModuleListByQurey" => module_list(ask),
        "api.findProductInfoListQuery" => legacy_list(ask),
        "api.findAeProductById" => legacy_product(ask),
        "api.getChildrenPostCategoryById" => children(ask),
        _ => return None,
    })
}

/// Answers a call of the current gateway; `None` when the world does not back it.
pub(super) fn answer(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    (ask.call.api == "aliexpress.solution.product.list.get").then(|| solution_list(ask))
}

// Lists of products.

/// What both product lists filter by.
struct Filter {
    status: Status,
    subject: Option<String>,
    group: Option<u64>,
    id: Option<u64>,
    excepted: Vec<u64>,
    /// Off sale in so many days at most.
    off_line_time: Option<i64>,
    ws_display: Option<String>,
    owner: Option<String>,
    sku_code: Option<String>,
    created: (Option<i64>, Option<i64>),
    modified: (Option<i64>, Option<i64>),
}

impl Filter {
    fn passes(&self, shop: &Shop, stock: &Stock, product: &Product) -> bool {
        let within = |at: i64, (from, to): (Option<i64>, Option<i64>)| {
            from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
        };
        self.id.is_none_or(|id| product.id == id)
            && !self.excepted.contains(&product.id)
            && self.group.is_none_or(|wanted| stock.group_of(product).is_some_and(|group| group.id == wanted))
            && self.ws_display.as_ref().is_none_or(|wanted| ws_display(product) == Some(wanted.as_str()))
            && self.owner.as_ref().is_none_or(|owner| *owner == shop.login)
            && self.off_line_time.is_none_or(|days| (off_line(product) - times::NEWEST) / 86_400 <= days)
            && self.sku_code.as_ref().is_none_or(|code| *code == product.sku_code(0))
            && within(product.created, self.created)
            && within(product.modified, self.modified)
            && self.subject.as_ref().is_none_or(|subject| matches_text(&product.title, subject))
    }

    fn is_plain(&self) -> bool {
        self.id.is_none()
            && self.excepted.is_empty()
            && self.group.is_none()
            && self.ws_display.is_none()
            && self.owner.is_none()
            && self.off_line_time.is_none()
            && self.sku_code.is_none()
            && self.created == (None, None)
            && self.modified == (None, None)
            && self.subject.is_none()
    }
}

fn status(word: &str) -> Option<Status> {
    Some(match word {
        "onSelling" => Status::Selling,
        "offline" => Status::Offline,
        "auditing" => Status::Auditing,
        "editingRequired" => Status::Rejected,
        _ => return None,
    })
}

fn ids(read: &Reader<'_>, name: &str) -> Result<Vec<u64>, Answer> {
    read.list(name)?.iter().map(|id| id.parse().map_err(|_| read.invalid(name))).collect()
}

/// `api.findProductInfoListQuery`, versions 1 and 2. The documents of version 2 only name
/// `isSuccess`; the list that those of version 1 name is sent for both.
fn legacy_list(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let word = read.required("productStatusType")?;
    let filter = Filter {
        status: status(word).ok_or_else(|| read.invalid("productStatusType"))?,
        subject: read.text("subject").map(str::to_owned),
        group: read.id("groupId")?,
        id: read.id("productId")?,
        excepted: ids(read, "exceptedProductIds")?,
        off_line_time: read.number("offLineTime")?,
        ws_display: read.text("wsDisplay").map(str::to_owned),
        owner: read.text("ownerMemberId").map(str::to_owned),
        sku_code: None,
        created: (None, None),
        modified: (None, None),
    };
    let page = read.count("currentPage", 1, 1)?;
    let size = read.count("pageSize", 1, DEFAULT_PAGE)?.min(LARGEST_PAGE);
    let (shop, stock) = ask.stock()?;
    let test = |product: &Product| filter.passes(shop, stock, product);
    let chosen = stock
        .choose_status(filter.status, (!filter.is_plain()).then_some(&test as &dyn Fn(&Product) -> bool));
    let mut out = Json::with_room(size * 700 + 128);
    out.object().key("aeopAEProductDisplayDTOList").list();
    chosen.write_page(&stock.rows, (page - 1).saturating_mul(size), size, &mut out);
    out.end_list().put("totalPage", chosen.len().div_ceil(size)).put("currentPage", page);
    out.put("productCount", chosen.len());
    if ask.call.version >= 2 {
        out.put("isSuccess", true);
    }
    Ok(out.put("success", true).end().finish())
}

/// `aliexpress.solution.product.list.get`: the query travels as one JSON object.
fn solution_list(ask: &Ask<'_>) -> Result<String, Answer> {
    const QUERY: &str = "aeop_a_e_product_list_query";
    let query = ask.read.object(QUERY)?;
    let members = query.as_ref().map(members);
    // The query is optional and its status is not. Without one, public clients send the page beside
    // the method and get what is on sale.
    let (read, default_status) = match &members {
        Some(members) => (Reader::new(members, Dialect::Iop), ""),
        None => (ask.read, "onSelling"),
    };
    let read = &read;
    let (shop, stock) = ask.stock()?;
    let page = read.count("current_page", 1, 1)?;
    let word = read.text("product_status_type").unwrap_or(default_status);
    let Some(status) = status(word) else {
        // `success` and the names are documented, the number is that of the vendor's sample page.
        let mut out = Json::default();
        out.object().key("result").object().put("success", false).put("error_code", 13_004_024);
        out.with("error_message", "productStatus invalid").with("error_msg", "productStatus invalid");
        out.put("total_page", 0).put("product_count", 0).put("current_page", page).end().end();
        return Ok(out.finish());
    };
    let zone = &stock.zone;
    let filter = Filter {
        status,
        subject: read.text("subject").map(str::to_owned),
        group: read.id("group_id")?,
        id: read.id("product_id")?,
        excepted: ids(read, "excepted_product_ids")?,
        off_line_time: read.number("off_line_time")?,
        ws_display: read.text("ws_display").map(str::to_owned),
        owner: read.text("owner_member_id").map(str::to_owned),
        sku_code: read.text("sku_code").map(str::to_owned),
        created: (read.time("gmt_create_start", zone, false)?, read.time("gmt_create_end", zone, true)?),
        modified: (read.time("gmt_modified_start", zone, false)?, read.time("gmt_modified_end", zone, true)?),
    };
    let size = read.count("page_size", 1, DEFAULT_PAGE)?.min(LARGEST_PAGE);
    let test = |product: &Product| filter.passes(shop, stock, product);
    let chosen = stock
        .choose_status(filter.status, (!filter.is_plain()).then_some(&test as &dyn Fn(&Product) -> bool));
    // The class of the list's items, as the TOP page of the API names it.
    let wrapper = (!ask.call.simplify).then_some("item_display_dto");
    let mut out = Json::with_room(size * 800 + 256);
    out.object().key("result").object().put("success", true);
    out.put("total_page", chosen.len().div_ceil(size)).put("product_count", chosen.len());
    out.put("current_page", page).key("aeop_a_e_product_display_d_t_o_list").open_list(wrapper);
    chosen.write_page(&stock.rows, (page - 1).saturating_mul(size), size, &mut out);
    Ok(out.close_list(wrapper).end().end().finish())
}

/// Writes a product as the legacy list shows it.
pub(super) fn legacy_row(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product) {
    let compact = |at| times::write(at, &stock.zone, COMPACT);
    out.object().with("subject", &product.title);
    out.put("groupId", stock.group_of(product).map_or(0, |group| group.id));
    out.with("wsOfflineDate", &compact(off_line(product))).put("productId", product.id);
    out.with("imageURLs", &pictures(product)).with("src", source(product));
    out.with("gmtCreate", &compact(product.created)).with("gmtModified", &compact(product.modified));
    out.with("productMinPrice", &price(product.price)).with("productMaxPrice", &price(product.top_price));
    out.with("ownerMemberId", &shop.login).put("ownerMemberSeq", shop.user_id);
    match ws_display(product) {
        Some(word) => out.with("wsDisplay", word),
        None => out.nulls(&["wsDisplay"]),
    };
    out.with("currencyCode", shop.currency).end();
}

/// Writes a product as the current list shows it.
pub(super) fn solution_row(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product) {
    let plain = |at| times::write(at, &stock.zone, PLAIN);
    out.object().with("ws_offline_date", &plain(off_line(product)));
    if let Some(word) = ws_display(product) {
        out.with("ws_display", word);
    }
    out.with("subject", &product.title).with("src", source(product));
    out.with("product_min_price", &price(product.price)).with("product_max_price", &price(product.top_price));
    out.put("product_id", product.id)
        .put("owner_member_seq", shop.user_id)
        .with("owner_member_id", &shop.login);
    out.with("image_u_r_ls", &pictures(product));
    out.put("group_id", stock.group_of(product).map_or(0, |group| group.id));
    out.with("gmt_modified", &plain(product.modified)).with("gmt_create", &plain(product.created));
    out.put("freight_template_id", 1_000).with("currency_code", shop.currency);
    if product.noise.is_multiple_of(4) {
        out.with("coupon_start_date", &plain(product.listed));
        out.with("coupon_end_date", &plain(product.listed + 30 * 86_400));
    }
    out.end();
}

fn pictures(product: &Product) -> String {
    (0..product.pictures()).map(|place| product.picture(place)).collect::<Vec<_>>().join(";")
}

fn source(product: &Product) -> &'static str {
    if product.noise.is_multiple_of(3) { "tdx" } else { "isv" }
}

/// A listing lives 30 days from its last change (`wsValidNum`).
fn off_line(product: &Product) -> i64 {
    product.modified + 30 * 86_400
}

/// Why a product is off sale, in the documented words.
fn ws_display(product: &Product) -> Option<&'static str> {
    const WORDS: [&str; 5] =
        ["expire_offline", "user_offline", "violate_offline", "punish_offline", "degrade_offline"];
    (product.status == Status::Offline).then(|| *product.details(7).pick(&WORDS))
}

// One product.

/// `api.findAeProductById`. What it answers for an unknown product is not documented; the form is
/// that of other business failures of the family.
fn legacy_product(ask: &Ask<'_>) -> Result<String, Answer> {
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
    let first = random.index(COLOURS.len());
    for place in 0..count.max(1) {
        let colour = COLOURS[(first + place as usize) % COLOURS.len()];
        let id = if count == 0 { "<none>".to_owned() } else { format!("{COLOUR}:{}", colour.0) };
        out.object().with("id", &id).with("skuCode", &product.sku_code(place));
        out.with("skuPrice", &price(product.price)).put("skuStock", product.stock > 0);
        out.put("ipmSkuStock", product.stock / count.max(1)).with("currencyCode", shop.currency);
        out.key("aeopSKUProperty").list();
        if count > 0 {
            out.object().put("skuPropertyId", COLOUR).put("propertyValueId", colour.0);
            out.nulls(&["propertyValueDefinitionName", "skuImage"]).end();
        }
        out.end_list().end();
    }
    out.end_list();
}

fn failed(code: &str, message: &str) -> String {
    let mut out = Json::default();
    out.object().put("success", false).with("errorCode", code).with("errorMsg", message).end();
    out.finish()
}

// Categories.

/// `api.getChildrenPostCategoryById`: 0 is the root. A leaf, as any category without children, has
/// an empty list.
fn children(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let Some(id) = read.id("cateId")? else { return Err(read.missing("cateId")) };
    let family = Family::AliExpress;
    let node = family.node(id);
    if id != 0 && node.is_none() {
        return Ok(failed("CATEGORY_NOT_EXIST", &format!("The category {id} does not exist.")));
    }
    let mut out = Json::default();
    out.object().put("success", true).key("aeopPostCategoryList").list();
    for child in family.children(node) {
        let known = &TREE[child];
        out.object().put("id", family.id(child)).put("level", known.level);
        out.put("isleaf", family.is_leaf(child)).key("names").object();
        out.with("en", known.en).with("zh", known.zh).with("es", known.es).end().end();
    }
    Ok(out.end_list().end().finish())
}

// Detail modules.

/// A detail module: a piece of HTML that a seller puts on many product pages.
#[derive(Debug)]
pub(super) struct Module {
    id: u64,
    name: String,
    status: &'static str,
    kind: &'static str,
    contents: String,
}

const MODULE_STATUSES: [&str; 3] = ["approved", "auditing", "tbd"];
const MODULE_KINDS: [&str; 2] = ["custom", "relation"];

/// Generates the detail modules of a shop: some pages of approved ones.
pub(super) fn modules(random: &mut Random, serial: usize) -> Vec<Module> {
    const NAMES: [&str; 6] =
        ["Delivery terms", "Size chart", "Feedback", "About us", "售后说明", "\"Black Friday\" <sale> 🎁"];
    let count = random.between(130, 190);
    (0..count)
        .map(|place| {
            let name = format!("{} {}", random.pick(&NAMES), place + 1);
            let kind = MODULE_KINDS[usize::from(random.chance(25))];
            let contents = if kind == "custom" {
                format!(
                    "<div class=\"m\"><h3>{}</h3><p>30 days &amp; no questions asked.</p></div>",
                    place + 1
                )
            } else {
                // A relation module is a list of the shop's products.
                format!(
                    "<kse:widget data-widget-type=\"relatedProduct\" id=\"{}\"></kse:widget>",
                    random.below(9_999)
                )
            };
            Module {
                id: 100_200_300 + serial as u64 * 10_000 + u64::from(place) * 7,
                name,
                status: MODULE_STATUSES[if random.chance(80) { 0 } else { 1 + random.index(2) }],
                kind,
                contents,
            }
        })
        .collect()
}

/// Writes a module as lists show it.
pub(super) fn module_row(out: &mut Json, shop: &Shop, module: &Module) {
    out.object().put("id", module.id).with("name", &module.name).with("status", module.status);
    out.with("type", module.kind).with("displayContent", &module.contents);
    out.with("moduleContents", &module.contents).put("aliMemberId", shop.id).end();
}

/// `api.findAeProductDetailModuleListByQurey` (the real spelling): 50 rows a page, pages from 1.
fn module_list(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let status = read.required("moduleStatus")?;
    read.required("pageIndex")?;
    let page = read.count("pageIndex", 1, 1)?;
    let kind = read.text("type");
    if !MODULE_STATUSES.contains(&status) {
        return Err(read.invalid("moduleStatus"));
    }
    if kind.is_some_and(|kind| !MODULE_KINDS.contains(&kind)) {
        return Err(read.invalid("type"));
    }
    let (_, stock) = ask.stock()?;
    let chosen: Vec<usize> = stock
        .modules
        .iter()
        .enumerate()
        .filter(|(_, module)| module.status == status && kind.is_none_or(|kind| kind == module.kind))
        .map(|(at, _)| at)
        .collect();
    let from = (page - 1).saturating_mul(MODULES_PAGE).min(chosen.len());
    let mut out = Json::with_room(20_000);
    out.object().key("aeopDetailModuleList").list();
    for at in &chosen[from..(from + MODULES_PAGE).min(chosen.len())] {
        out.raw(stock.module_rows.run(*at, at + 1));
    }
    out.end_list().put("currentPage", page).put("totalPage", chosen.len().div_ceil(MODULES_PAGE));
    Ok(out.put("success", true).end().finish())
}
