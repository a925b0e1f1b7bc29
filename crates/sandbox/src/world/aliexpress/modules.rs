//! Detail modules of AliExpress' legacy namespace.

use crate::world::{
    Answer, Ask, Shop, arguments,
    json::Json,
    random::Random,
    times::{self, COMPACT},
};

/// Documented: fixed.
const PAGE: usize = 50;

/// A detail module: a piece of HTML that a seller puts on many product pages.
#[derive(Debug)]
pub(in crate::world) struct Module {
    id: u64,
    name: String,
    status: &'static str,
    kind: &'static str,
    contents: String,
}

const MODULE_STATUSES: [&str; 3] = ["approved", "auditing", "tbd"];
const MODULE_KINDS: [&str; 2] = ["custom", "relation"];

/// Generates the detail modules of a shop: some pages of approved ones.
pub(in crate::world) fn generate(random: &mut Random, serial: usize) -> Vec<Module> {
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
pub(in crate::world) fn row(out: &mut Json, shop: &Shop, module: &Module) {
    out.object();
    members(out, shop, module);
    out.end();
}

/// `api.findAeProductDetailModuleListByQurey` (the real spelling): 50 rows a page, pages from 1.
pub(super) fn list(ask: &Ask<'_>) -> Result<String, Answer> {
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
    let from = (page - 1).saturating_mul(PAGE).min(chosen.len());
    let mut out = Json::with_room(20_000);
    out.object().key("aeopDetailModuleList").list();
    for at in &chosen[from..(from + PAGE).min(chosen.len())] {
        out.raw(stock.module_rows.run(*at, at + 1));
    }
    out.end_list().put("currentPage", page).put("totalPage", chosen.len().div_ceil(PAGE));
    Ok(out.put("success", true).end().finish())
}

/// `api.findAeProductModuleById`. 14033003, "module missing", is documented.
pub(super) fn get(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let Some(id) = read.id("moduleId")? else { return Err(read.missing("moduleId")) };
    let (shop, stock) = ask.stock()?;
    let Some(module) = stock.modules.iter().find(|module| module.id == id) else {
        return Err(arguments::refusal("14033003", format!("The module {id} does not exist."), None));
    };
    let at = times::write(times::NEWEST - i64::try_from(id % 20_000_000).unwrap_or(0), &stock.zone, COMPACT);
    let mut out = Json::default();
    out.object().with("gmtCreate", &at).with("gmtModified", &at);
    members(&mut out, shop, module);
    Ok(out.put("success", true).end().finish())
}

fn members(out: &mut Json, shop: &Shop, module: &Module) {
    out.put("id", module.id).with("name", &module.name).with("status", module.status);
    out.with("type", module.kind).with("displayContent", &module.contents);
    out.with("moduleContents", &module.contents).put("aliMemberId", shop.id);
}
