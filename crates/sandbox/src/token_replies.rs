//! Token replies: the same facts under each platform's own names.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::{
    clock::{millis, seconds_left},
    fixtures::Shop,
    settings::ReplyStyle,
    tokens::Pair,
};

/// The token call that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantStep {
    Create,
    Refresh,
}

/// Returns the reply of `/auth/token/create` and `/refresh`, without code and request id.
///
/// Members and their order are those of recorded replies, see `vectors/token`.
pub(crate) fn iop(
    platform: &str,
    shop: &Shop,
    pair: &Pair,
    step: GrantStep,
    style: ReplyStyle,
    now: Timestamp,
) -> Json {
    let access = seconds_left(pair.access_ends, now);
    // An app that may not refresh gets a refresh token all the same, with no time left on it.
    let refresh = seconds_left(pair.refresh_ends, now);
    let refresh_token = pair.refresh.as_deref().unwrap_or_default();
    let (id, user) = (shop.id.to_string(), shop.user_id.to_string());
    let country = shop.country.to_ascii_lowercase();
    let mut reply = match platform {
        "lazada" => lazada(shop, pair, step, style, now),
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
            "refresh_expires_in": refresh,
            "expires_in": access,
            "sp": "ae",
            "seller_id": id,
            "account": shop.login,
        }),
        "alibaba" => json!({
            "access_token": pair.access,
            "account": shop.login,
            "account_platform": "buyerApp",
            "country": "GLOBAL",
            "expires_in": access,
            "refresh_expires_in": refresh,
            "refresh_token": refresh_token,
            "user_info": {"country": "GLOBAL", "loginId": shop.login, "seller_id": id, "user_id": user},
        }),
        "taobao-global" => json!({
            "access_token": pair.access,
            "refresh_token": refresh_token,
            "user_id": user,
            "account_platform": "seller_center",
            "refresh_expires_in": refresh,
            "expires_in": access,
            "seller_id": id,
            "account": shop.login,
            "short_code": "",
        }),
        // Daraz; Miravia and newer sisters are taken to be alike.
        _ => json!({
            "access_token": pair.access,
            "refresh_token": refresh_token,
            "expires_in": access,
            "refresh_expires_in": refresh,
            "country": country,
            "account": shop.login,
            "account_platform": "seller_center",
            "user_info": {"country": country, "user_id": shop.user_id, "seller_id": id, "short_code": shop.member_id},
        }),
    };
    if style == ReplyStyle::Documented {
        for name in ["expires_in", "refresh_expires_in"] {
            reply[name] = reply[name].to_string().into();
        }
    }
    reply
}

/// Separates the ids that one cross-border seller has in two countries; larger than any shop's id.
const NEXT_COUNTRY: u64 = 10_000_000_000;

fn lazada(shop: &Shop, pair: &Pair, step: GrantStep, style: ReplyStyle, now: Timestamp) -> Json {
    let own = shop.country.to_ascii_lowercase();
    let (id, user) = (shop.id.to_string(), shop.user_id.to_string());
    let listed = if style == ReplyStyle::Documented { shop.country } else { &own };
    let mut shops =
        json!([{"country": listed, "user_id": user, "seller_id": id, "short_code": shop.member_id}]);
    if style == ReplyStyle::CrossBorder {
        let other = if own == "my" { "sg" } else { "my" };
        let (id, user) = (shop.id + NEXT_COUNTRY, shop.user_id + NEXT_COUNTRY);
        shops = json!([
            {"country": own, "seller_id": shop.id.to_string(), "user_id": shop.user_id},
            {"country": other, "seller_id": id.to_string(), "user_id": user},
        ]);
    }
    let mut reply = json!({
        "access_token": pair.access,
        "country": if style == ReplyStyle::CrossBorder { "cb" } else { &own },
        "refresh_token": pair.refresh.as_deref().unwrap_or_default(),
        "account_platform": "seller_center",
        "refresh_expires_in": seconds_left(pair.refresh_ends, now),
        "country_user_info": shops,
        "expires_in": seconds_left(pair.access_ends, now),
        "account": shop.login,
    });
    if style == ReplyStyle::Documented {
        reply["account_id"] = user.into();
    }
    // Recorded in 2020: a refresh has the list under both names. The document only has the second.
    if step == GrantStep::Refresh {
        reply["country_user_info_list"] = reply["country_user_info"].clone();
        if style == ReplyStyle::Documented {
            reply.as_object_mut().map(|members| members.shift_remove("country_user_info"));
        }
    }
    reply
}

/// Returns the reply of `getToken`. A refresh carries no refresh token.
pub(crate) fn param2(platform: &str, shop: &Shop, pair: &Pair, now: Timestamp) -> Json {
    let mut reply = json!({});
    // 17 digits, in Beijing's time on 1688 and in that of the US west coast on AliExpress.
    if pair.refresh.is_some() {
        let offset = if platform == "1688" { 8 } else { -8 };
        reply["refresh_token_timeout"] = sesame_core::time::compact(pair.refresh_ends, offset).into();
    }
    reply["aliId"] = shop.id.to_string().into();
    reply["resource_owner"] = shop.login.as_str().into();
    if platform == "1688" {
        reply["memberId"] = shop.member_id.as_str().into();
    }
    reply["expires_in"] = seconds_left(pair.access_ends, now).to_string().into();
    if let Some(refresh) = &pair.refresh {
        reply["refresh_token"] = refresh.as_str().into();
    }
    reply["access_token"] = pair.access.as_str().into();
    reply
}

/// Returns the reply of `/token`.
pub(crate) fn top(shop: &Shop, pair: &Pair, now: Timestamp) -> Json {
    let access = seconds_left(pair.access_ends, now);
    let nick =
        percent_encoding::utf8_percent_encode(&shop.login, percent_encoding::NON_ALPHANUMERIC).to_string();
    let ends = millis(pair.access_ends);
    json!({
        "taobao_user_nick": nick,
        "re_expires_in": seconds_left(pair.refresh_ends, now),
        "expires_in": access,
        "expire_time": ends,
        "r1_expires_in": access,
        "w2_valid": ends,
        "w2_expires_in": access,
        "taobao_user_id": shop.id.to_string(),
        "w1_expires_in": access,
        "r1_valid": ends,
        "r2_valid": ends,
        "w1_valid": ends,
        "r2_expires_in": access,
        "token_type": "Bearer",
        "refresh_token": pair.refresh.as_deref().unwrap_or_default(),
        "refresh_token_valid_time": millis(pair.refresh_ends),
        "access_token": pair.access,
    })
}
