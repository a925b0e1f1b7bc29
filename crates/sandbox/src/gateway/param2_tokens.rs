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
                // Python writes `True`.
                let wanted =
                    fields.get("need_refresh_token").is_some_and(|is| is.eq_ignore_ascii_case("true"));
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

/// Returns an OAuth error: HTTP 400 or 401 with both shapes that clients read.
fn oauth(name: &'static str, message: impl Into<String>) -> Box<GatewayError> {
    let message = message.into();
    let status = if name == "invalid_client" { 401 } else { 400 };
    GatewayError::new(status.to_string(), message.clone())
        .status(status)
        .sub(name, message.clone())
        .with_hint(message)
}
