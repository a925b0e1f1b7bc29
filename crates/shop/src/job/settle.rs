//! What a row that was sent without an answer has come to, by what is there now.

use sesame_catalog::Action;

use super::{JobEntry, JobKind, RowOutcome};
use crate::{SkuState, skus::Found};

/// Judges a row that was sent. [`RowOutcome::Pending`] means: it may be sent again.
///
/// An absolute value may be sent twice. An addition may not: it is sent again only if all that is known of the
/// stock is as it was before, what orders have reserved included. A sale in the meantime makes it unknown.
pub(super) fn judge(kind: JobKind, action: &Action, entry: &JobEntry, found: Found) -> RowOutcome {
    if kind.is_of_products() {
        return product(kind, action, &found);
    }
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            return RowOutcome::Unknown { message: format!("it cannot be read again: {}", error.message()) };
        }
    };
    let [now] = found.as_slice() else {
        return RowOutcome::Unknown { message: "it is not there any more".to_owned() };
    };
    let value = |state: &SkuState| if kind == JobKind::PriceSet { state.price } else { state.quantity };
    if entry.wanted.is_some() && value(now) == entry.wanted {
        return RowOutcome::Done;
    }
    if kind != JobKind::StockAdd {
        return RowOutcome::Pending;
    }
    let seen = |state: &SkuState| (state.quantity, state.reserved, state.warehouse.clone());
    if entry.state().is_some_and(|before| before.quantity.is_some() && seen(before) == seen(now)) {
        return RowOutcome::Pending;
    }
    let text =
        |amount: Option<crate::Amount>| amount.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
    RowOutcome::Unknown {
        message: format!(
            "the stock was {}, should be {} and is {}: others change it, too, so it was not sent again",
            text(entry.state().and_then(|before| before.quantity)),
            text(entry.wanted),
            text(now.quantity)
        ),
    }
}

fn product(kind: JobKind, action: &Action, found: &Found) -> RowOutcome {
    let status = found.as_ref().ok().and_then(|rows| Some(rows.first()?.status.clone().unwrap_or_default()));
    match status {
        Some(status) if action.becomes.contains(&status) => RowOutcome::Done,
        // It may be said twice.
        Some(_) => RowOutcome::Pending,
        None if kind == JobKind::ProductDelete => RowOutcome::Done,
        None => RowOutcome::refused("there is no such product"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sesame_catalog::Catalog;

    use super::*;
    use crate::Amount;

    fn entry(before: i64, reserved: i64, value: i64) -> JobEntry {
        let mut entry = super::super::journal::entry("A", before + value);
        entry.row.value = Some(value.into());
        entry.before[0].quantity = Some(before.into());
        entry.before[0].reserved = Some(reserved.into());
        entry.outcome = RowOutcome::Sent;
        entry
    }

    proptest! {
        /// However the stock moved: an addition that happened is never sent again while reserved and stock tell
        /// of each sale.
        #[test]
        fn an_addition_that_happened_is_not_sent_again(
            before in 0_i64..50, value in 1_i64..5, sold in 0_i64..5, happened: bool,
        ) {
            let action = Catalog::builtin().action("lazada", "stock-add").unwrap();
            let entry = entry(before, 0, value);
            let mut now = entry.before[0].clone();
            now.quantity = Some(Amount::from(before + if happened { value } else { 0 }));
            now.reserved = Some(sold.into());
            let judged = judge(JobKind::StockAdd, &action, &entry, Ok(vec![now]));
            match (happened, sold) {
                (true, _) => prop_assert_eq!(judged, RowOutcome::Done),
                (false, 0) => prop_assert_eq!(judged, RowOutcome::Pending),
                (false, _) => prop_assert_eq!(judged.word(), "unknown"),
            }
        }
    }

    #[test]
    fn a_stock_that_others_changed_too_is_unknown_for_an_addition_and_set_again_for_a_set() {
        let action = Catalog::builtin().action("taobao", "stock-add").unwrap();
        let entry = entry(10, 0, 5);
        let mut now = entry.before[0].clone();
        now.quantity = Some(Amount::from(14));
        let judged = judge(JobKind::StockAdd, &action, &entry, Ok(vec![now.clone()]));
        assert_eq!(
            judged.message().1.unwrap(),
            "the stock was 10, should be 15 and is 14: others change it, too, so it was not sent again"
        );
        assert_eq!(judge(JobKind::StockSet, &action, &entry, Ok(vec![now])), RowOutcome::Pending);
        assert_eq!(judge(JobKind::StockAdd, &action, &entry, Ok(Vec::new())).word(), "unknown");
    }

    #[test]
    fn products_are_judged_by_their_status() {
        let catalog = Catalog::builtin();
        let entry = entry(1, 0, 1);
        let (online, delete) = (
            catalog.action("taobao", "product-online").unwrap(),
            catalog.action("taobao", "product-delete").unwrap(),
        );
        let is = |status: &str| Ok(vec![SkuState { status: Some(status.to_owned()), ..SkuState::default() }]);
        assert_eq!(judge(JobKind::ProductOnline, &online, &entry, is("onsale")), RowOutcome::Done);
        assert_eq!(judge(JobKind::ProductOnline, &online, &entry, is("instock")), RowOutcome::Pending);
        assert_eq!(judge(JobKind::ProductOnline, &online, &entry, Ok(Vec::new())).word(), "failed");
        assert_eq!(judge(JobKind::ProductDelete, &delete, &entry, is("instock")), RowOutcome::Pending);
        assert_eq!(judge(JobKind::ProductDelete, &delete, &entry, Ok(Vec::new())), RowOutcome::Done);
    }
}
