//! param2's token calls: `getToken`, the older `refreshToken`, `postponeToken`.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sesame_catalog::TokenRules;
use sesame_core::AppSecret;

use super::{
    Refused, bad_token,
    param2::{Route, Success},
    shop_of,
};
use crate::{
    apps::{App, Refreshing},
    clock::{after, seconds_left},
    received::Fields,
    state::State,
    token_replies,
    tokens::{Grant, Look, Pair},
};

/// How long before its end a refresh token may be postponed where the data do not say: 30 days.
const POSTPONE_WINDOW: u64 = 30 * 86_400;

/// A token call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Get,
    /// Obsolete, and signed.
    Refresh,
    Postpone,
}

impl Call {
    /// Finds out which call a path names, by the platform's own list of them.
    pub(super) fn of(route: &Route<'_>, rules: &TokenRules) -> Option<Self> {
        // `namespace/name` stands for version 1 under any protocol; `http/1/namespace/name` for itself.
        let is = |listed: &str| {
            let mut parts = listed.rsplit('/');
            parts.next() == Some(route.name)
                && parts.next() == Some(route.namespace)
                && match (parts.next(), parts.next(), parts.next()) {
                    (None, _, _) => route.version == "1",
                    (Some(version), Some(protocol), None) => {
                        version == route.version && protocol == route.protocol
                    }
                    _ => false,
                }
        };
        if is(&rules.create) || rules.create_also.iter().any(|also| is(also)) {
            Some(Self::Get)
        } else if is(&rules.refresh) || rules.refresh_also.iter().any(|also| is(also)) {
            Some(Self::Refresh)
        } else if rules.postpone.as_deref().is_some_and(is) {
            Some(Self::Postpone)
        } else {
            None
        }
    }

    pub(super) const fn is_signed(self) -> bool {
        matches!(self, Self::Refresh)
    }
}

/// The refusal of a token call by GET. That they are POST is documented, the code is inferred.
pub(super) fn only_by_post() -> Refused {
    let says = "this call is a POST: its parameters hold secrets";
    Refused::new("405", says).status(405).sub("invalid_request", says).with_hint(says)
}

/// An OAuth refusal: HTTP 400 or 401 with both shapes that clients read.
fn oauth(error: &'static str, says: impl Into<String>) -> Refused {
    let says = says.into();
    let status = if error == "invalid_client" { 401 } else { 400 };
    Refused::new(if status == 401 { "401" } else { "400" }, says.clone())
        .status(status)
        .sub(error, says.clone())
        .with_hint(says)
}

pub(super) fn serve(
    state: &State,
    app: &App,
    call: Call,
    fields: &Fields<'_>,
    now: Timestamp,
) -> Result<Success, Refused> {
    let outcome = match call {
        Call::Get => get_token(state, app, fields, now),
        Call::Refresh => refresh(state, app, fields, now),
        Call::Postpone => postpone(state, app, fields, now),
    };
    match outcome {
        Ok(pair) => {
            let shop = state.shop(pair.shop).ok_or_else(|| oauth("invalid_grant", "the shop is gone"))?;
            let reply = token_replies::param2(&app.platform_name, shop, &pair, now);
            Ok(Success { body: reply.to_string(), code: "" })
        }
        Err(refused) => {
            state.tokens.refused.fetch_add(1, Ordering::Relaxed);
            Err(refused)
        }
    }
}

/// Checks `client_id` and `client_secret`; the secret in constant time.
fn check_client(app: &App, fields: &Fields<'_>) -> Result<(), Refused> {
    let id = fields.filled("client_id").ok_or_else(|| oauth("invalid_request", "client_id is missing"))?;
    if id != app.key {
        return Err(oauth("invalid_client", "client_id is not the app key of the path"));
    }
    let secret =
        fields.filled("client_secret").ok_or_else(|| oauth("invalid_request", "client_secret is missing"))?;
    if AppSecret::new(secret) != app.secret {
        return Err(oauth("invalid_client", "client_secret is not the secret of this app"));
    }
    Ok(())
}

fn get_token(state: &State, app: &App, fields: &Fields<'_>, now: Timestamp) -> Result<Pair, Refused> {
    check_client(app, fields)?;
    match fields.filled("grant_type") {
        Some("authorization_code") => {
            let code = fields.filled("code").ok_or_else(|| oauth("invalid_request", "code is missing"))?;
            let uri = fields
                .filled("redirect_uri")
                .ok_or_else(|| oauth("invalid_request", "redirect_uri is missing"))?;
            let shop = state
                .tokens
                .redeem(code, &app.key, Some(uri), now)
                .map_err(|problem| oauth("invalid_grant", problem.says()))?;
            if state.shop(shop).is_none_or(|found| found.platform != app.platform_name) {
                return Err(oauth(
                    "invalid_grant",
                    "the code was issued for another platform's app with the same key",
                ));
            }
            let wanted =
                fields.get("need_refresh_token") == Some("true") && app.refreshing() == Refreshing::Allowed;
            let ends = wanted.then(|| after(now, state.platform(app).tokens.refresh_life));
            state.tokens.created.fetch_add(1, Ordering::Relaxed);
            Ok(grant(state, app, shop, ends, now))
        }
        Some("refresh_token") => refresh(state, app, fields, now),
        Some(_) => Err(oauth("unsupported_grant_type", "grant_type is authorization_code or refresh_token")),
        None => Err(oauth("invalid_request", "grant_type is missing")),
    }
}

/// The refresh token stays good and does not come back (protocols 1.5).
fn refresh(state: &State, app: &App, fields: &Fields<'_>, now: Timestamp) -> Result<Pair, Refused> {
    let token =
        fields.filled("refresh_token").ok_or_else(|| oauth("invalid_request", "refresh_token is missing"))?;
    let (shop, _) = state
        .tokens
        .use_refresh(token, &app.key, now, false)
        .map_err(|problem| oauth("invalid_grant", problem.says()))?;
    if state.shop(shop).is_none_or(|found| found.platform != app.platform_name) {
        return Err(oauth(
            "invalid_grant",
            "the token was issued for another platform's app with the same key",
        ));
    }
    state.tokens.refreshed.fetch_add(1, Ordering::Relaxed);
    Ok(grant(state, app, shop, None, now))
}

/// A new refresh token for an old one near its end; the old one is dead at once.
fn postpone(state: &State, app: &App, fields: &Fields<'_>, now: Timestamp) -> Result<Pair, Refused> {
    check_client(app, fields)?;
    let access = fields.filled("access_token").unwrap_or_default();
    let shop = shop_of(state, app, access, now)
        .map_err(|why| bad_token(sesame_core::Protocol::Param2).with_hint(why))?;
    let token =
        fields.filled("refresh_token").ok_or_else(|| oauth("invalid_request", "refresh_token is missing"))?;
    let unauthorized = |problem: crate::tokens::TokenProblem| {
        bad_token(sesame_core::Protocol::Param2).with_hint(problem.says())
    };
    let (owner, ends) = state.tokens.use_refresh(token, &app.key, now, false).map_err(unauthorized)?;
    if owner != shop {
        return Err(bad_token(sesame_core::Protocol::Param2).with_hint("the two tokens belong to two shops"));
    }
    let rules = &state.platform(app).tokens;
    let window = if rules.postpone_window == 0 { POSTPONE_WINDOW } else { rules.postpone_window };
    let left = seconds_left(ends, now);
    if left > window {
        let says = format!(
            "the refresh token has {} days left; it may be postponed in its last {} days",
            left / 86_400,
            window / 86_400
        );
        return Err(Refused::new("400", says.clone()).with_hint(says));
    }
    state.tokens.use_refresh(token, &app.key, now, true).map_err(unauthorized)?;
    state.tokens.refreshed.fetch_add(1, Ordering::Relaxed);
    Ok(grant(state, app, shop, Some(after(now, rules.refresh_life)), now))
}

fn grant(state: &State, app: &App, shop: usize, refresh_ends: Option<Timestamp>, now: Timestamp) -> Pair {
    state.tokens.grant(
        state.clock.base().as_ref(),
        &Grant {
            app_key: &app.key,
            shop,
            now,
            access_life: state.platform(app).tokens.access_life,
            refresh_ends,
            look: Look::Param2,
            single: false,
        },
    )
}
