//! What token calls answer: the same facts under every platform's own names.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::{
    clock::{millis, seconds_left},
    tokens::Pair,
    world::Shop,
};

/// Which of the three shapes that Lazada documents its token replies take (protocols 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LazadaReply {
    /// The API pages: numbers as texts, `country_user_info` on create and
    /// `country_user_info_list` on refresh, with short codes.
    #[default]
    ApiPage,
    /// The guide: a cross-border seller (`cb`) with a seller id in each country, bare numbers, and
    /// neither short codes nor `code` and `request_id`.
    Guide,
    /// A map keyed by country instead of a list, as another page shows it.
    Map,
}

/// Create and refresh differ in small things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Refresh,
}

fn number(text: bool, number: u64) -> Json {
    if text { number.to_string().into() } else { number.into() }
}

/// The reply of `/auth/token/create` and `/refresh`, without code and request id.
pub(crate) fn iop(
    platform: &str,
    shop: &Shop,
    pair: &Pair,
    step: Step,
    lazada: LazadaReply,
    now: Timestamp,
) -> Json {
    let access = seconds_left(pair.access_ends, now);
    // An app that may not refresh gets a refresh token all the same, with no time left on it.
    let refresh = seconds_left(pair.refresh_ends, now);
    let refresh_token = pair.refresh.as_deref().unwrap_or_default();
    let (id, user) = (shop.id.to_string(), shop.user_id.to_string());
    let country = shop.country.to_ascii_lowercase();
    match platform {
        "lazada" if lazada == LazadaReply::Guide => lazada_guide(shop, pair, refresh, access),
        "lazada" => {
            let texts = lazada == LazadaReply::ApiPage;
            let mut reply = json!({
                "access_token": pair.access,
                "country": country,
                "refresh_token": refresh_token,
                "account_id": user,
                "account_platform": "seller_center",
                "refresh_expires_in": number(texts, refresh),
                "expires_in": number(texts, access),
                "account": shop.login,
            });
            let (name, value) = if texts {
                (
                    if step == Step::Create { "country_user_info" } else { "country_user_info_list" },
                    json!([{"country": shop.country, "user_id": user, "seller_id": id, "short_code": shop.member_id}]),
                )
            } else {
                let entry = json!({"user_id": user, "seller_id": id, "short_code": shop.member_id});
                ("country_user_info", Json::Object([(country, entry)].into_iter().collect()))
            };
            reply[name] = value;
            reply
        }
        "aliexpress" => json!({
            "refresh_token_valid_time": millis(pair.refresh_ends),
            "havana_id": user,
            "expire_time": millis(pair.access_ends),
            "locale": "zh_CN",
            "user_nick": shop.login,
            "access_token": pair.access,
            "refresh_token": refresh_token,
            "user_id": user,
            "account_platform": "buyerApp",
            "refresh_expires_in": number(true, refresh),
            "expires_in": number(true, access),
            "sp": "ae",
            "seller_id": id,
            "account_id": user,
            "account": shop.login,
        }),
        "alibaba" => json!({
            "refresh_token_valid_time": millis(pair.refresh_ends),
            "havana_id": user,
            "expire_time": millis(pair.access_ends),
            "locale": "en_US",
            "user_nick": shop.login,
            "access_token": pair.access,
            "refresh_token": refresh_token,
            "user_id": user,
            "account_id": Json::Null,
            "account_platform": "seller_center",
            "country": shop.country,
            "refresh_expires_in": number(true, refresh),
            "expires_in": number(true, access),
            "sp": "icbu",
            "seller_id": id,
            "account": shop.login,
            "user_info": {"user_id": user, "seller_id": id, "loginId": shop.login},
        }),
        // Daraz answers like this (live 2026-08-17); Miravia and newer sisters are taken to be alike.
        _ => json!({
            "access_token": pair.access,
            "country": country,
            "refresh_token": refresh_token,
            "account_platform": "seller_center",
            "refresh_expires_in": refresh,
            "expires_in": access,
            "account": shop.login,
            "user_info": {"country": country, "user_id": user, "seller_id": id, "short_code": shop.member_id},
        }),
    }
}

/// Between the ids that one cross-border seller has in two countries; more than any id of the world.
const NEXT_COUNTRY: u64 = 10_000_000_000;

fn lazada_guide(shop: &Shop, pair: &Pair, refresh: u64, access: u64) -> Json {
    let own = shop.country.to_ascii_lowercase();
    let other = if own == "my" { "sg" } else { "my" };
    json!({
        "access_token": pair.access,
        "country": "cb",
        "refresh_token": pair.refresh.as_deref().unwrap_or_default(),
        "account_platform": "seller_center",
        "refresh_expires_in": refresh,
        "expires_in": access,
        "account": shop.login,
        "country_user_info": [
            {"country": own, "seller_id": shop.id.to_string(), "user_id": shop.user_id},
            {
                "country": other,
                "seller_id": (shop.id + NEXT_COUNTRY).to_string(),
                "user_id": shop.user_id + NEXT_COUNTRY,
            },
        ],
    })
}

/// The reply of `getToken`. A refresh carries no refresh token.
pub(crate) fn param2(platform: &str, shop: &Shop, pair: &Pair, now: Timestamp) -> Json {
    let mut reply = json!({
        "aliId": shop.id.to_string(),
        "resource_owner": shop.login,
        "memberId": shop.member_id,
        "expires_in": seconds_left(pair.access_ends, now).to_string(),
    });
    if let Some(refresh) = &pair.refresh {
        reply["refresh_token"] = refresh.as_str().into();
        reply["refresh_token_timeout"] = timeout(platform, pair.refresh_ends).into();
    }
    reply["access_token"] = pair.access.as_str().into();
    reply
}

/// `refresh_token_timeout`: 14 digits in Beijing's time on 1688, as documented; 17 in that of the
/// US west coast on AliExpress, as real traffic shows (protocols 1.5).
fn timeout(platform: &str, ends: Timestamp) -> String {
    if platform == "1688" {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
        ends.to_zoned(zone).strftime("%Y%m%d%H%M%S%z").to_string()
    } else {
        sesame_core::time::compact(ends, -8)
    }
}

/// The reply of `/token`.
pub(crate) fn top(shop: &Shop, pair: &Pair, now: Timestamp) -> Json {
    let access = seconds_left(pair.access_ends, now);
    let refresh = seconds_left(pair.refresh_ends, now);
    let nick =
        percent_encoding::utf8_percent_encode(&shop.login, percent_encoding::NON_ALPHANUMERIC).to_string();
    let ends = millis(pair.access_ends);
    json!({
        "w1_expires_in": access,
        "refresh_token_valid_time": millis(pair.refresh_ends),
        "taobao_user_nick": nick,
        "re_expires_in": refresh,
        "expire_time": ends,
        "token_type": "Bearer",
        "access_token": pair.access,
        "taobao_open_uid": shop.member_id,
        "w1_valid": ends,
        "refresh_token": pair.refresh.as_deref().unwrap_or_default(),
        "w2_expires_in": access,
        "w2_valid": ends,
        "r1_expires_in": access,
        "r2_expires_in": access,
        "r2_valid": ends,
        "taobao_user_id": shop.id.to_string(),
        "expires_in": access,
        "r1_valid": ends,
    })
}
