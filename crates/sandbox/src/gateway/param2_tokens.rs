//! param2's token calls: `getToken`, the older `refreshToken`, `postponeToken`.

use jiff::Timestamp;
use serde_json::Value;
use sesame_catalog::TokenRules;
use sesame_core::{AppSecret, Protocol};

use super::shop_of;
use crate::{
    apps::App,
    error::{GatewayError, GatewayResult},
    exchange::{Exchange, ExchangeError},
    received::Fields,
    state::State,
    token_replies,
};

/// A token call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenCall {
    Get,
    /// Obsolete, and signed.
    Refresh,
    Postpone,
}

impl TokenCall {
    /// Finds out which call an API is (protocol, version, namespace, name), by the platform's own list
    /// of them.
    pub(super) fn of([protocol, version, namespace, name]: [&str; 4], rules: &TokenRules) -> Option<Self> {
        // `namespace/name` stands for version 1 under any protocol; `http/1/namespace/name` for itself.
        let is = |listed: &str| match listed.split('/').collect::<Vec<_>>()[..] {
            [listed_namespace, listed_name] => {
                version == "1" && [namespace, name] == [listed_namespace, listed_name]
            }
            _ => listed.split('/').eq([protocol, version, namespace, name]),
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

    /// Serves the call.
    pub(super) fn serve(
        self,
        state: &State,
        app: &App,
        posted: bool,
        fields: &Fields<'_>,
        now: Timestamp,
    ) -> GatewayResult<Value> {
        // That token calls are POST is documented, the code is inferred; one official SDK sends
        // `getToken` as GET.
        if !posted && self != Self::Get {
            let says = "this call is a POST: its parameters hold secrets";
            return Err(GatewayError::new("405", says)
                .status(405)
                .sub("invalid_request", says)
                .with_hint(says));
        }
        let required = |name: &str| {
            fields.filled(name).ok_or_else(|| oauth("invalid_request", format!("{name} is missing")))
        };
        // The official SDKs say `refreshToken`, and `default` for the redirect URI.
        let refresh_token = || fields.filled("refreshToken").map_or_else(|| required("refresh_token"), Ok);
        let exchange = Exchange { state, app, now };
        if self != Self::Refresh {
            if required("client_id")? != app.key {
                return Err(oauth("invalid_client", "client_id is not the app key of the path"));
            }
            // Compared in constant time.
            if AppSecret::new(required("client_secret")?) != app.secret {
                return Err(oauth("invalid_client", "client_secret is not the secret of this app"));
            }
        }
        let grant_type = if self == Self::Get { required("grant_type")? } else { "" };
        let issued = match (self, grant_type) {
            (Self::Get, "authorization_code") => {
                let wanted = fields.get("need_refresh_token") == Some("true");
                let redirect = Some(required("redirect_uri")?).filter(|uri| *uri != "default");
                exchange.create(required("code")?, redirect, wanted)
            }
            (Self::Refresh, _) | (Self::Get, "refresh_token") => exchange.refresh(refresh_token()?),
            (Self::Get, _) => {
                let says = "grant_type is authorization_code or refresh_token";
                return Err(oauth("unsupported_grant_type", says));
            }
            (Self::Postpone, _) => {
                let access = fields.filled("access_token").unwrap_or_default();
                let shop = shop_of(state, app, access, now)
                    .map_err(|why| GatewayError::bad_token(Protocol::Param2).with_hint(why))?;
                return exchange
                    .postpone(refresh_token()?, shop)
                    .map(|(shop, pair)| token_replies::param2(&app.platform_name, shop, &pair, now))
                    .map_err(|error| match error {
                        ExchangeError::TooEarly { .. } => {
                            GatewayError::new("400", error.message()).with_hint(error.message())
                        }
                        _ => GatewayError::bad_token(Protocol::Param2).with_hint(error.message()),
                    });
            }
        };
        let (shop, pair) = issued.map_err(|error| oauth("invalid_grant", error.message()))?;
        Ok(token_replies::param2(&app.platform_name, shop, &pair, now))
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
