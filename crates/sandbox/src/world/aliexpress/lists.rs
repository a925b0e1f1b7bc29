//! AliExpress' product lists, old and current.

use crate::world::{
    Answer, Ask, Shop,
    arguments::{Dialect, Reader, members},
    json::{Json, price},
    stock::{Product, Status, Stock, matches_text},
    times::{self, COMPACT, PLAIN},
};

/// Documented: 20 unless asked, below 100. That more is cut to 99 and not refused is a guess, after
/// what ICBU was seen to do.
const DEFAULT_PAGE: usize = 20;
const LARGEST_PAGE: usize = 99;

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
pub(super) fn legacy(ask: &Ask<'_>) -> Result<String, Answer> {
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
pub(super) fn solution(ask: &Ask<'_>) -> Result<String, Answer> {
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
pub(in crate::world) fn legacy_row(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product) {
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
pub(in crate::world) fn solution_row(out: &mut Json, shop: &Shop, stock: &Stock, product: &Product) {
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

pub(super) fn pictures(product: &Product) -> String {
    (0..product.pictures()).map(|place| product.picture(place)).collect::<Vec<_>>().join(";")
}

pub(super) fn source(product: &Product) -> &'static str {
    if product.noise.is_multiple_of(3) { "tdx" } else { "isv" }
}

/// A listing lives 30 days from its last change (`wsValidNum`).
pub(super) fn off_line(product: &Product) -> i64 {
    product.modified + 30 * 86_400
}

/// Why a product is off sale, in the documented words.
pub(super) fn ws_display(product: &Product) -> Option<&'static str> {
    const WORDS: [&str; 5] =
        ["expire_offline", "user_offline", "violate_offline", "punish_offline", "degrade_offline"];
    (product.status == Status::Offline).then(|| *product.details(7).pick(&WORDS))
}
