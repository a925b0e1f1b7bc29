//! ICBU's order list.

use crate::world::{
    Answer, Ask, arguments,
    json::Json,
    orders::{ICBU_STATUSES, Order},
    stock::Stock,
    times::{self, SPOKEN},
};

/// Documented: 10 unless asked, 100 at most (that more is cut and not refused is a guess).
const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 100;

/// `/alibaba/order/list`: pages from 0; `total_count` is a text.
pub(super) fn list(ask: &Ask<'_>) -> Result<String, Answer> {
    let read = &ask.read;
    let (_, stock) = ask.stock()?;
    // The page calls `role` required and gives it a default.
    let role = read.text("role").unwrap_or("buyer");
    if !matches!(role, "seller" | "buyer") {
        return Err(read.invalid("role"));
    }
    let page = read.count("start_page", 0, 0)?;
    let size = read.count("page_size", 1, DEFAULT_PAGE)?.min(LARGEST_PAGE);
    let statuses = read.list("status")?;
    if statuses.iter().any(|status| !ICBU_STATUSES.contains(&status.as_str())) {
        return Err(read.invalid("status"));
    }
    let created = (date(ask, stock, "create_date_start")?, date(ask, stock, "create_date_end")?);
    let modified = (date(ask, stock, "modified_date_start")?, date(ask, stock, "modified_date_end")?);

    let within = |at: i64, (from, to): (Option<i64>, Option<i64>)| {
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
    };
    // These shops only sell.
    let chosen: Vec<usize> = (0..if role == "seller" { stock.orders.len() } else { 0 })
        .filter(|at| {
            let order = &stock.orders[*at];
            within(order.created, created)
                && within(order.modified, modified)
                && (statuses.is_empty() || statuses.iter().any(|status| status == order.status))
        })
        .collect();
    let from = page.saturating_mul(size).min(chosen.len());
    let mut out = Json::with_room(size * 260 + 64);
    out.object().key("value").object().with("total_count", &chosen.len().to_string());
    out.key("order_list").list();
    for at in &chosen[from..(from + size).min(chosen.len())] {
        out.raw(stock.order_rows.run(*at, at + 1));
    }
    Ok(out.end_list().end().end().finish())
}

/// A date of an order filter: `{"date_str":"yyyy-MM-dd HH:mm:ss","date_timestamp":ms}`, either of
/// the two.
fn date(ask: &Ask<'_>, stock: &Stock, name: &str) -> Result<Option<i64>, Answer> {
    let Some(object) = ask.read.object(name)? else { return Ok(None) };
    let members = arguments::members(&object);
    let inner = arguments::Reader::new(&members, arguments::Dialect::Iop);
    if let Some(millis) = inner.number("date_timestamp")? {
        return Ok(Some(millis.div_euclid(1_000)));
    }
    inner.time("date_str", &stock.zone, false).map_err(|_| ask.read.invalid(name))
}

/// Writes an order as lists show it.
pub(in crate::world) fn row(out: &mut Json, stock: &Stock, order: &Order) {
    out.object().with("trade_id", &order.id.to_string()).with("trade_status", order.status);
    for (name, at) in [("create_date", order.created), ("modify_date", order.modified)] {
        out.key(name).object().with("format_date", &times::write(at, &stock.zone, SPOKEN));
        out.put("timestamp", at * 1_000).end();
    }
    out.end();
}
