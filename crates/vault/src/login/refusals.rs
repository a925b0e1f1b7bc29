//! Approvals of another shop than the account's: nothing is overwritten.

use sesame_core::{Error, ErrorKind, Fault};

use crate::{
    model::{Warning, identity::Owner},
    store::FullRow,
};

fn who(login: Option<&str>, shop: Option<&str>) -> String {
    match (login, shop) {
        (Some(login), Some(shop)) => format!("{login} (id {shop})"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "an unnamed shop".to_owned(),
    }
}

pub(super) fn unnamed_shop(row: &FullRow) -> Error {
    let (name, ours) = (&row.account.name, shop_of_account(row));
    refused(
        Fault::Platform,
        &format!("the platform did not say whose tokens these are, and account {name:?} is {ours}"),
        "Log in again; if the platform still names no shop, choose another --as name, or add --replace-shop if you are sure whose approval it was.",
    )
}

pub(super) fn other_shop(row: &FullRow, owner: &Owner) -> Error {
    let theirs = who(owner.login.as_deref(), owner.shops.first().and_then(|shop| shop.shop_id.as_deref()));
    let (name, ours) = (&row.account.name, shop_of_account(row));
    refused(
        Fault::Seller,
        &format!(
            "the approval came from another shop: account {name:?} is {ours}, the tokens are those of {theirs}"
        ),
        "Log in to the platform as the right shop and try again; or choose another --as name; or add --replace-shop if the account is meant to become the other shop.",
    )
}

pub(super) fn other_country(row: &FullRow, owner: &Owner) -> Error {
    let named = owner.shops.iter().map(|shop| {
        let country = shop.country.as_deref().unwrap_or("a country that is not said");
        format!("{} in {country}", who(None, shop.shop_id.as_deref()))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let own = row.account.country.as_deref().unwrap_or_default();
    let (name, ours) = (&row.account.name, shop_of_account(row));
    refused(
        Fault::Seller,
        &format!(
            "the approval is not one for the shop of account {name:?}, which is {ours} in {own}: it names {named}"
        ),
        "Let the seller approve that country, or all of them at once, and try again; or choose the account of the approved one with --as; or add --replace-shop if the account is meant to become that shop.",
    )
}

fn shop_of_account(row: &FullRow) -> String {
    who(row.account.login.as_deref(), row.account.shop_id.as_deref())
}

/// Returns the error for an approval of another shop than the account's.
fn refused(fault: Fault, why: &str, hint: &'static str) -> Error {
    let message = sesame_core::scalar::printable(&format!("{why}; nothing was overwritten"));
    Error::new(ErrorKind::Authorization, message).with_fault(fault).with_hint(hint)
}

pub(super) fn not_named(accounts: &[String]) -> Warning {
    let (accounts, they_share) = match accounts {
        [one] => (format!("account {one:?}"), "shares its tokens"),
        several => (format!("accounts {}", several.join(", ")), "share its tokens"),
    };
    Warning::new(sesame_core::scalar::printable(&format!(
        "the approval names no shop in the country of {accounts}, which {they_share}: should calls there be refused, let the seller approve all countries at once"
    )))
}
