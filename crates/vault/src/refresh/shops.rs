//! Which shop of a token reply an account is, and what the reply says of it.

use sesame_catalog::{IdentityFields, Platform};

use crate::{
    model::identity::{Owner, ReplyShop},
    store::AccountRow,
};

/// The country of an account, unless it is the mark of cross-border sellers.
pub(super) fn country_of<'a>(account: &'a AccountRow, fields: &IdentityFields) -> Option<&'a str> {
    account.country.as_deref().filter(|country| Some(*country) != fields.cross_border.as_deref())
}

/// Finds an account among the shops of its authorization; `None` if the reply does not say.
/// `is_alone`: no other account uses that authorization.
pub(crate) fn shop_of<'a>(
    account: &AccountRow,
    owner: &'a Owner,
    fields: &IdentityFields,
    is_alone: bool,
) -> Option<&'a ReplyShop> {
    let shops = owner.shops.as_slice();
    let same_id = |shop: &&ReplyShop| shop.shop_id.is_some() && shop.shop_id == account.shop_id;
    let single = match shops {
        [shop] => Some(shop),
        _ => None,
    };
    match country_of(account, fields) {
        Some(country) => {
            let own = shops.iter().find(|shop| shop.country.as_deref() == Some(country));
            // The approval of one country says nothing of the shops in the others.
            own.or_else(|| single.filter(|shop| is_alone && (shop.country.is_none() || same_id(shop))))
        }
        None => shops.iter().find(same_id).or(single),
    }
}

/// Returns `true` if a reply may be about an account as far as countries go: it names the account's own one,
/// or none at all, and does not have the account's shop in another one.
pub(crate) fn may_be_about(account: &AccountRow, owner: &Owner, fields: &IdentityFields) -> bool {
    let Some(country) = country_of(account, fields) else { return true };
    if owner.shops.iter().all(|shop| shop.country.is_none()) {
        return true;
    }
    let own = owner.shops.iter().find(|shop| shop.country.as_deref() == Some(country));
    own.is_some_and(|own| {
        let has_its_id = |shop: &ReplyShop| shop.shop_id.is_some() && shop.shop_id == account.shop_id;
        own.shop_id == account.shop_id || !owner.shops.iter().any(has_its_id)
    })
}

/// The region that the platform's data has for a country.
pub(crate) fn region_of_country(platform: &Platform, country: Option<&str>) -> Option<String> {
    country.filter(|country| platform.region(Some(country)).is_some()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;

    fn fields() -> IdentityFields {
        IdentityFields { cross_border: Some("cb".to_owned()), ..IdentityFields::default() }
    }

    fn account(shop_id: Option<&str>, country: Option<&str>) -> AccountRow {
        AccountRow {
            id: Id::FIRST,
            name: "x".to_owned(),
            app_id: Id::FIRST,
            authorization_id: Id::FIRST,
            login: None,
            shop_id: shop_id.map(str::to_owned),
            country: country.map(str::to_owned),
            region: None,
            tags: Vec::new(),
            created_at: 0,
        }
    }

    fn owner(shops: &[(Option<&str>, Option<&str>)]) -> Owner {
        let shop = |(id, country): &(Option<&str>, Option<&str>)| ReplyShop {
            shop_id: id.map(str::to_owned),
            country: country.map(str::to_owned),
        };
        Owner { shops: shops.iter().map(shop).collect(), ..Owner::default() }
    }

    #[test]
    fn an_account_is_found_by_its_country_or_else_by_its_id() {
        let both = owner(&[(Some("2"), Some("my")), (Some("1"), Some("sg"))]);
        let only_sg = owner(&[(Some("1"), Some("sg"))]);
        let unsaid = owner(&[(Some("1"), None)]);
        for (account, owner, is_alone, expected) in [
            (account(Some("2"), Some("my")), &both, false, Some("2")),
            (account(Some("2"), Some("my")), &only_sg, false, None),
            (account(Some("2"), Some("my")), &only_sg, true, None),
            (account(Some("1"), Some("my")), &only_sg, true, Some("1")),
            (account(Some("1"), Some("my")), &only_sg, false, None),
            (account(Some("1"), Some("sg")), &unsaid, true, Some("1")),
            (account(Some("1"), Some("sg")), &unsaid, false, None),
            (account(Some("1"), None), &both, false, Some("1")),
            (account(None, None), &both, true, None),
            (account(None, None), &only_sg, false, Some("1")),
            (account(None, Some("cb")), &only_sg, false, Some("1")),
        ] {
            let found = shop_of(&account, owner, &fields(), is_alone);
            assert_eq!(found.and_then(|shop| shop.shop_id.as_deref()), expected, "{account:?} {owner:?}");
        }
    }

    #[test]
    fn a_reply_about_other_countries_is_not_about_an_account() {
        let both = owner(&[(Some("2"), Some("my")), (Some("1"), Some("sg"))]);
        let only_sg = owner(&[(Some("1"), Some("sg"))]);
        let unsaid = owner(&[(Some("1"), None)]);
        for (account, owner, expected) in [
            (account(Some("2"), Some("my")), &both, true),
            (account(Some("1"), Some("my")), &both, false),
            // An id of another kind, which the list does not have.
            (account(Some("9"), Some("my")), &both, true),
            (account(Some("2"), Some("my")), &only_sg, false),
            (account(Some("2"), Some("my")), &unsaid, true),
            (account(Some("2"), None), &only_sg, true),
            (account(None, Some("cb")), &only_sg, true),
        ] {
            assert_eq!(may_be_about(&account, owner, &fields()), expected, "{account:?} {owner:?}");
        }
    }
}
