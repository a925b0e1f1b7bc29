//! Orders: what buyers bought in a shop.

use super::{Shop, random::Random, times::NEWEST};

/// An order.
#[derive(Debug)]
pub(super) struct Order {
    /// The id.
    pub(super) id: u64,
    /// Seconds.
    pub(super) created: i64,
    /// Seconds.
    pub(super) modified: i64,
    /// The sum in cents.
    pub(super) total: u32,
    /// How many things were bought.
    pub(super) items: u32,
    /// Where it stands, in the platform's word.
    pub(super) status: &'static str,
    /// The seed of its details.
    pub(super) noise: u64,
}

/// ICBU's order states that a running shop shows (documented list, the common ones first).
pub(super) const ICBU_STATUSES: [&str; 16] = [
    "trade_success",
    "undeliver",
    "delivering",
    "wait_confirm_receipt",
    "unpay",
    "trade_close",
    "to_be_audited",
    "intention_processing",
    "paying",
    "paid",
    "captured",
    "relating",
    "wait_confirm_modify",
    "trade_unavailable",
    "charge_back",
    "frozen",
];

/// Lazada's order states. The catalog has no list; these are the ones its public SDKs know.
pub(super) const LAZADA_STATUSES: [&str; 12] = [
    "delivered",
    "pending",
    "ready_to_ship",
    "shipped",
    "unpaid",
    "canceled",
    "returned",
    "failed",
    "topack",
    "toship",
    "packed",
    "lost",
];

/// Generates the orders of a shop, newest first: three for each product, 2,000 at most, on the
/// platforms whose order lists the world answers.
pub(super) fn generate(random: &mut Random, shop: &Shop, serial: usize, products: usize) -> Vec<Order> {
    let (first_id, statuses): (u64, &'static [&'static str]) = match shop.platform {
        "alibaba" => (2_712_077_270_010_000, &ICBU_STATUSES),
        "lazada" | "daraz" | "miravia" => (31_202_240_000_000, &LAZADA_STATUSES),
        _ => return Vec::new(),
    };
    let count = products.saturating_mul(3).min(2_000);
    let gap = u32::try_from(31_000_000 / count.max(1)).unwrap_or(1).max(2);
    let mut created = NEWEST;
    let mut orders: Vec<Order> = (0..count)
        .map(|place| {
            created -= i64::from(random.between(1, gap));
            let common = random.chance(80);
            Order {
                id: first_id
                    + serial as u64 * 100_000_000
                    + (count - place) as u64 * 97
                    + u64::from(random.below(97)),
                created,
                modified: (created + i64::from(random.between(0, 900_000))).min(NEWEST),
                total: random.between(200, 900_000),
                items: random.between(1, 9),
                status: if common {
                    statuses[random.index(5)]
                } else {
                    statuses[random.index(statuses.len())]
                },
                noise: random.next(),
            }
        })
        .collect();
    orders.sort_unstable_by_key(|order| std::cmp::Reverse((order.created, order.id)));
    orders
}
