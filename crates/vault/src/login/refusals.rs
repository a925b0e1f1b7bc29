//! Why an approval is not stored, in words for the person who gave it.

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
    let ours = who(row.account.login.as_deref(), row.account.shop_id.as_deref());
    Error::new(
        ErrorKind::Authorization,
        sesame_core::scalar::printable(&format!(
            "the platform did not say whose tokens these are, and account {:?} is {ours}; nothing was overwritten",
            row.account.name
        )),
    )
    .with_fault(Fault::Platform)
    .with_hint("Log in again; if the platform still names no shop, choose another --as name, or add --replace-shop if you are sure whose approval it was.")
}

pub(super) fn other_shop(row: &FullRow, owner: &Owner) -> Error {
    let theirs = who(owner.login.as_deref(), owner.shops.first().and_then(|shop| shop.shop_id.as_deref()));
    let ours = who(row.account.login.as_deref(), row.account.shop_id.as_deref());
    Error::new(
        ErrorKind::Authorization,
        sesame_core::scalar::printable(&format!(
            "the approval came from another shop: account {:?} is {ours}, the tokens are those of {theirs}; nothing was overwritten",
            row.account.name
        )),
    )
    .with_fault(Fault::Seller)
    .with_hint("Log in to the platform as the right shop and try again; or choose another --as name; or add --replace-shop if the account is meant to become the other shop.")
}

pub(super) fn other_country(row: &FullRow, owner: &Owner) -> Error {
    let shops = &owner.shops;
    let named: Vec<String> = shops
        .iter()
        .map(|shop| {
            let country = shop.country.as_deref().unwrap_or("a country that is not said");
            format!("{} in {country}", who(None, shop.shop_id.as_deref()))
        })
        .collect();
    let own = row.account.country.as_deref().unwrap_or_default();
    let ours = who(row.account.login.as_deref(), row.account.shop_id.as_deref());
    Error::new(
        ErrorKind::Authorization,
        sesame_core::scalar::printable(&format!(
            "the approval is not one for the shop of account {:?}, which is {ours} in {own}: it names {}; nothing was overwritten",
            row.account.name,
            named.join(", ")
        )),
    )
    .with_fault(Fault::Seller)
    .with_hint("Let the seller approve that country, or all of them at once, and try again; or choose the account of the approved one with --as; or add --replace-shop if the account is meant to become that shop.")
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
