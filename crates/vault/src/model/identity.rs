//! Whose token it is: what a token reply says of the shop, and whether two replies mean the same one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use sesame_catalog::IdentityFields;
use sesame_core::scalar;

/// Maximum number of shops of one reply that become accounts. Sellers have six countries; what lists more is not
/// one of them, and each shop takes memory and a row.
pub(crate) const SHOP_LIMIT: usize = 500;
/// The longest id, login name and country, in characters.
const ID_LIMIT: usize = 100;
const LOGIN_LIMIT: usize = 256;
const COUNTRY_LIMIT: usize = 16;

/// Ids of a shop by the name of their field, e.g. `aliId`, or `sg.seller_id` for one country's.
///
/// Replies of one platform differ in which fields they carry, so all of them are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    #[serde(default)]
    ids: BTreeMap<String, String>,
    #[serde(default)]
    login: Option<String>,
}

/// One shop of a token reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReplyShop {
    pub(crate) shop_id: Option<String>,
    pub(crate) country: Option<String>,
}

/// What a token reply says of its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) identity: Identity,
    pub(crate) login: Option<String>,
    pub(crate) country: Option<String>,
    /// One shop, or one for each country of a cross-border seller; at most [`SHOP_LIMIT`].
    pub(crate) shops: Vec<ReplyShop>,
    /// How many more the reply lists.
    pub(crate) left_out: usize,
    /// The name of a field that holds what no platform calls a shop. It is not kept.
    pub(crate) invalid: Option<String>,
}

/// Whether two identities mean the same shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Same,
    Other,
    /// They have no field in common.
    Unknown,
}

impl Identity {
    /// Reads the stored form.
    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Writes the stored form.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Keeps what the former identity knew and the new reply does not repeat.
    pub(crate) fn or_from(mut self, former: &Self) -> Self {
        for (field, id) in &former.ids {
            self.ids.entry(field.clone()).or_insert_with(|| id.clone());
        }
        self.login = self.login.or_else(|| former.login.clone());
        self
    }

    /// An identity of one id, by the name of its field.
    pub(crate) fn of(field: &str, id: &str) -> Self {
        Self { ids: BTreeMap::from([(field.to_owned(), id.to_owned())]), login: None }
    }

    /// The ids, whatever they are called; one may come twice.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.values().map(String::as_str)
    }

    /// Returns `true` if it names a shop in a country.
    pub(crate) fn lists(&self, country: &str) -> bool {
        self.ids.keys().any(|field| field.split_once('.').is_some_and(|(of, _)| of == country))
    }

    /// Returns `true` if it says more than what was known.
    pub(crate) fn adds_to(&self, known: &Self) -> bool {
        self.ids.keys().any(|field| !known.ids.contains_key(field))
            || (self.login.is_some() && known.login.is_none())
    }

    /// Two identities that mean the same shop have one of these in common.
    pub(crate) fn marks(&self) -> impl Iterator<Item = String> {
        let ids = self.ids.iter().map(|(field, id)| format!("{}={id}", leaf(field)));
        ids.chain(self.login.iter().map(|login| format!("={}", login.to_ascii_lowercase())))
    }

    /// Compares by the first field, in the order of the platform's data, that both have; by the
    /// login names where they share none.
    pub(crate) fn compare(&self, other: &Self, fields: &IdentityFields) -> Match {
        for leaf in fields.id.iter().map(|path| leaf(path)) {
            let mut common =
                self.named(leaf).filter_map(|(field, id)| other.ids.get(field).map(|theirs| id == theirs));
            let is_same = match common.next() {
                Some(first) => first && common.all(|same| same),
                // A table knows an id and no country: it is that of any of them.
                None => match (self.ids.get(leaf), other.ids.get(leaf)) {
                    (Some(id), _) if other.named(leaf).next().is_some() => other.has(leaf, id),
                    (_, Some(id)) if self.named(leaf).next().is_some() => self.has(leaf, id),
                    _ => continue,
                },
            };
            return if is_same { Match::Same } else { Match::Other };
        }
        match (&self.login, &other.login) {
            (Some(ours), Some(theirs)) if ours.eq_ignore_ascii_case(theirs) => Match::Same,
            (Some(_), Some(_)) => Match::Other,
            _ => Match::Unknown,
        }
    }

    /// The ids of one field, whichever countries they are of.
    fn named(&self, leaf: &str) -> impl Iterator<Item = (&String, &String)> {
        self.ids.iter().filter(move |(field, _)| self::leaf(field) == leaf)
    }

    fn has(&self, leaf: &str, id: &str) -> bool {
        self.named(leaf).any(|(_, theirs)| theirs == id)
    }
}

/// The name of a field without where it stands.
pub(crate) fn leaf(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Reads the owner out of a token reply, by the fields that the platform's data names.
///
/// A field `list.leaf` may sit in a list of objects, in one object, or in a map from country to
/// object: all three are documented for one platform (protocols 2.8).
pub(crate) fn owner(reply: &Json, fields: &IdentityFields, decode_login: bool) -> Owner {
    let mut ids = BTreeMap::new();
    let mut first = None;
    let mut by_country: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut left_out = BTreeSet::new();
    let mut invalid = None;
    let mut id_of = |value: &Json, path: &str| {
        let id = text(value)?;
        let is_id = !id.chars().any(|c| c.is_whitespace() || c.is_control());
        if is_id && id.chars().count() <= ID_LIMIT {
            return Some(id);
        }
        invalid.get_or_insert_with(|| path.to_owned());
        None
    };
    for path in &fields.id {
        match path.split_once('.') {
            None => {
                if let Some(id) = reply.get(path).and_then(|value| id_of(value, path)) {
                    first.get_or_insert_with(|| id.clone());
                    ids.entry(path.clone()).or_insert(id);
                }
            }
            Some((head, leaf)) => {
                for (country, entry) in reply.get(head).map(entries).unwrap_or_default() {
                    let Some(id) = entry.get(leaf).and_then(|value| id_of(value, path)) else { continue };
                    first.get_or_insert_with(|| id.clone());
                    match country {
                        Some(country)
                            if by_country.len() >= SHOP_LIMIT && !by_country.contains_key(&country) =>
                        {
                            left_out.insert(country);
                        }
                        Some(country) => {
                            by_country.entry(country.clone()).or_default().get_or_insert_with(|| id.clone());
                            ids.entry(format!("{country}.{leaf}")).or_insert(id);
                        }
                        None => {
                            ids.entry(leaf.to_owned()).or_insert(id);
                        }
                    }
                }
            }
        }
    }
    let login = fields.login.iter().find_map(|path| Some((at(reply, path)?, path)));
    let login = login.and_then(|(login, path)| {
        let login = if decode_login { percent_decoded(&login) } else { login };
        if login.chars().count() <= LOGIN_LIMIT && !login.chars().any(char::is_control) {
            return Some(login);
        }
        invalid.get_or_insert_with(|| path.clone());
        None
    });
    let country = fields.country.iter().find_map(|path| country_text(&at(reply, path)?));
    // The mark of cross-border sellers is not a country.
    let is_country = |country: &String| Some(country) != fields.cross_border.as_ref();
    by_country.retain(|country, _| is_country(country));
    let shops = if by_country.len() > 1 {
        by_country
            .into_iter()
            .map(|(country, shop_id)| ReplyShop { shop_id, country: Some(country) })
            .collect()
    } else {
        let listed = by_country.into_keys().next();
        vec![ReplyShop { shop_id: first, country: listed.or_else(|| country.clone().filter(is_country)) }]
    };
    let identity = Identity { ids, login: login.clone() };
    Owner { identity, login, country, shops, left_out: left_out.len(), invalid }
}

/// Lists the objects under a field, each with its country.
fn entries(value: &Json) -> Vec<(Option<String>, &Json)> {
    let country_of =
        |entry: &Json| entry.get("country").and_then(scalar::text).and_then(|country| country_text(&country));
    match value {
        Json::Array(list) => {
            list.iter().filter(|entry| entry.is_object()).map(|entry| (country_of(entry), entry)).collect()
        }
        Json::Object(map) if !map.is_empty() && map.values().all(Json::is_object) => {
            map.iter().map(|(country, entry)| (country_text(country), entry)).collect()
        }
        Json::Object(_) => vec![(country_of(value), value)],
        _ => Vec::new(),
    }
}

fn at(reply: &Json, path: &str) -> Option<String> {
    let mut value = reply;
    for part in path.split('.') {
        value = value.get(part)?;
    }
    text(value)
}

/// An id or name as text; `None` for null, an empty text and the numbers that stand for "none".
fn text(value: &Json) -> Option<String> {
    scalar::text(value)
        .map(|text| text.trim().to_owned())
        .filter(|text| !matches!(text.as_str(), "" | "0" | "-1" | "null"))
}

/// A country in lower case; `None` for what is not letters alone: it becomes part of names.
fn country_text(text: &str) -> Option<String> {
    let is_country =
        (1..=COUNTRY_LIMIT).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphabetic());
    is_country.then(|| text.to_ascii_lowercase())
}

/// Undoes URL encoding, as TOP does it to nicks (`%E5%95%86` and `+`).
fn percent_decoded(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> IdentityFields {
        IdentityFields {
            id: [
                "country_user_info.seller_id",
                "country_user_info_list.seller_id",
                "user_info.seller_id",
                "seller_id",
                "account_id",
            ]
            .map(str::to_owned)
            .to_vec(),
            login: vec!["account".to_owned(), "nick".to_owned()],
            country: vec!["country".to_owned()],
            cross_border: Some("cb".to_owned()),
        }
    }

    #[test]
    fn reads_every_documented_shape_of_a_shop_list() {
        let list = json!({"country":"cb","country_user_info":[{"country":"sg","seller_id":"1001","user_id":10101},{"country":"MY","seller_id":2001}]});
        let renamed = json!({"country":"cb","country_user_info_list":[{"country":"SG","seller_id":"1001"},{"country":"my","seller_id":"2001"}]});
        let map =
            json!({"country":"cb","country_user_info":{"SG":{"seller_id":"1001"},"MY":{"seller_id":"2001"}}});
        let expected = owner(&list, &fields(), false);
        assert_eq!(
            expected.shops,
            vec![
                ReplyShop { shop_id: Some("2001".into()), country: Some("my".into()) },
                ReplyShop { shop_id: Some("1001".into()), country: Some("sg".into()) },
            ]
        );
        for other in [renamed, map] {
            let got = owner(&other, &fields(), false);
            assert_eq!(got.shops, expected.shops);
            assert_eq!(got.identity.compare(&expected.identity, &fields()), Match::Same);
        }
    }

    #[test]
    fn one_object_is_one_shop() {
        let reply = json!({"country":"pk","user_info":{"country":"PK","seller_id":77},"account":"a@b.pk"});
        let got = owner(&reply, &fields(), false);
        assert_eq!(got.shops, vec![ReplyShop { shop_id: Some("77".into()), country: Some("pk".into()) }]);
        assert_eq!(got.login.as_deref(), Some("a@b.pk"));
    }

    #[test]
    fn the_mark_of_a_cross_border_seller_is_no_country() {
        for reply in [
            json!({"country":"CB","account":"x"}),
            json!({"country":"cb","country_user_info":[{"country":"cb","seller_id":"1"}]}),
        ] {
            let got = owner(&reply, &fields(), false);
            assert_eq!((got.shops.len(), &got.shops[0].country), (1, &None), "{reply}");
        }
        let one = json!({"country":"cb","country_user_info":[{"country":"SG","seller_id":"1"}]});
        assert_eq!(owner(&one, &fields(), false).shops[0].country.as_deref(), Some("sg"));
    }

    #[test]
    fn what_is_news_and_what_is_listed() {
        let known = Identity::of("seller_id", "1001");
        let reply = json!({"country_user_info":[{"country":"sg","seller_id":"1001"}],"account":"x"});
        let learned = owner(&reply, &fields(), false).identity.or_from(&known);
        assert!(learned.adds_to(&known) && !learned.adds_to(&learned) && !known.adds_to(&learned));
        assert!(learned.lists("sg") && !learned.lists("s") && !learned.lists("seller_id"));
        assert_eq!(learned.ids().collect::<Vec<_>>(), ["1001", "1001"]);
    }

    #[test]
    fn another_shop_is_told_from_a_reply_that_says_less() {
        let first =
            owner(&json!({"seller_id":"1","account_id":"9","account":"x"}), &fields(), false).identity;
        let same = owner(&json!({"seller_id":1,"account_id":"10"}), &fields(), false).identity;
        let other =
            owner(&json!({"seller_id":"2","account_id":"9","account":"x"}), &fields(), false).identity;
        let less = owner(&json!({"account":"X"}), &fields(), false).identity;
        let stranger = owner(&json!({"account":"y"}), &fields(), false).identity;
        let nothing = owner(&json!({"account_id":null}), &fields(), false).identity;
        assert_eq!(
            first.compare(&same, &fields()),
            Match::Same,
            "the field that comes first in the data decides"
        );
        assert_eq!(first.compare(&other, &fields()), Match::Other);
        assert_eq!(first.compare(&less, &fields()), Match::Same);
        assert_eq!(first.compare(&stranger, &fields()), Match::Other);
        assert_eq!(first.compare(&nothing, &fields()), Match::Unknown);
        assert_eq!(Identity::parse(&first.to_json()), first);
    }

    #[test]
    fn an_id_without_a_country_is_that_of_any() {
        let reply = |sg: u32, my: u32| {
            let shops = json!([{"country":"sg","seller_id":sg},{"country":"my","seller_id":my}]);
            owner(&json!({"country_user_info":shops}), &fields(), false).identity
        };
        let imported = Identity::of("seller_id", "1001");
        for (both, expected) in [
            (reply(1001, 2001), Match::Same),
            (reply(3001, 1001), Match::Same),
            (reply(1002, 2002), Match::Other),
        ] {
            assert_eq!(imported.compare(&both, &fields()), expected);
            assert_eq!(both.compare(&imported, &fields()), expected);
            let shared = both.marks().any(|mark| imported.marks().any(|ours| ours == mark));
            assert_eq!(shared, expected == Match::Same);
        }
        // Once learned, it is compared by country.
        let learned = reply(1001, 2001).or_from(&imported);
        assert_eq!(learned.compare(&reply(1001, 2001), &fields()), Match::Same);
        assert_eq!(learned.compare(&reply(2001, 1001), &fields()), Match::Other);
    }

    #[test]
    fn a_list_of_shops_without_end_is_cut() {
        let country = |n: usize| {
            let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
            String::from_iter([letter(n / 676), letter(n / 26), letter(n)])
        };
        let shops: Vec<Json> =
            (0..2_000).map(|n| json!({"country": country(n), "seller_id": n + 1})).collect();
        let got = owner(&json!({"country_user_info": shops}), &fields(), false);
        assert_eq!((got.shops.len(), got.left_out, got.identity.ids.len()), (SHOP_LIMIT, 1_500, SHOP_LIMIT));
    }

    #[test]
    fn what_is_no_id_no_name_and_no_country_is_not_kept() {
        let long = "9".repeat(ID_LIMIT + 1);
        for id in ["10\u{1b}01", "10 01", "10\n01", "10\u{85}01", "10\u{3000}01", &long] {
            let listed = json!({"country_user_info": [{"country": "sg", "seller_id": id}]});
            for (reply, field) in
                [(json!({"seller_id": id}), "seller_id"), (listed, "country_user_info.seller_id")]
            {
                let got = owner(&reply, &fields(), false);
                assert_eq!(
                    (got.identity, got.invalid.as_deref()),
                    (Identity::default(), Some(field)),
                    "{id:?}"
                );
            }
        }
        for login in ["a\u{7}b", &"x".repeat(LOGIN_LIMIT + 1)] {
            let got = owner(&json!({"account": login, "seller_id": 1}), &fields(), false);
            assert_eq!((got.login, got.invalid.as_deref()), (None, Some("account")));
        }
        for country in ["../../etc", "s g", "s1", "", "新", &"a".repeat(COUNTRY_LIMIT + 1)] {
            let alone = json!({"country": country, "seller_id": 1});
            let list = json!({"country_user_info": [{"country": country, "seller_id": 1}]});
            let map = json!({"country_user_info": {country: {"seller_id": 1}}});
            for reply in [alone, list, map] {
                let got = owner(&reply, &fields(), false);
                let shop = ReplyShop { shop_id: Some("1".into()), country: None };
                assert_eq!((got.shops, got.invalid), (vec![shop], None), "{reply}");
            }
        }
    }

    #[test]
    fn numbers_that_stand_for_none_are_no_ids_and_the_next_field_counts() {
        for none in [json!("0"), json!(0), json!(-1), json!("-1"), json!(""), json!(" "), json!(null)] {
            let reply = json!({"country_user_info": [{"country": "sg", "seller_id": none}], "seller_id": none, "account_id": 9});
            assert_eq!(owner(&reply, &fields(), false).identity, Identity::of("account_id", "9"), "{none}");
        }
    }

    #[test]
    fn a_nick_is_decoded_where_the_platform_encodes_it() {
        let reply = json!({"nick":"%E5%95%86%E5%BA%97+1"});
        assert_eq!(owner(&reply, &fields(), true).login.as_deref(), Some("商店 1"));
        assert_eq!(owner(&reply, &fields(), false).login.as_deref(), Some("%E5%95%86%E5%BA%97+1"));
        assert_eq!(owner(&json!({"nick":"100%"}), &fields(), true).login.as_deref(), Some("100%"));
    }
}
