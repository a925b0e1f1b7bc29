//! TOP's `/token`: a code or a refresh token for a session.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};
use sesame_core::{AppSecret, Protocol};

use crate::{
    apps::App,
    exchange::Exchange,
    received::{Fields, Head},
    reply::WebReply,
    state::State,
    token_replies,
    trace::Trace,
};

/// An RFC 6749 error: HTTP status, name, description.
type OAuthError = (u16, &'static str, String);

/// Serves `POST /token`.
pub(crate) fn serve(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    posted: bool,
    now: Timestamp,
) -> WebReply {
    let id = fields.filled("client_id");
    let app = id.and_then(|key| state.apps.with_key(key, Protocol::Top).next());
    let mut trace = Trace::new(app, "/token");
    if let Some(reply) = trace.strike(state) {
        return reply;
    }
    match exchange(state, app, fields, posted, &trace, now) {
        Ok(reply) => {
            trace.count(state, "");
            trace.finish(WebReply::of_value(200, &reply, None), None)
        }
        Err((status, name, message)) => {
            trace.count(state, name);
            let body = json!({"error": name, "error_description": message});
            let hint =
                fields.unread().map_or_else(|| message.clone(), |unread| format!("{unread}; {message}"));
            let refusal = state.keep_refusal(name, head.path, &hint, &fields.pairs(), now);
            trace.finish(WebReply::of_value(status, &body, None), Some(refusal))
        }
    }
}

fn exchange(
    state: &State,
    app: Option<&App>,
    fields: &Fields<'_>,
    posted: bool,
    trace: &Trace<'_>,
    now: Timestamp,
) -> Result<Value, OAuthError> {
    let wrong = |name, message: &str| (400, name, message.to_owned());
    let required = |name: &str| {
        fields.filled(name).ok_or_else(|| (400, "invalid_request", format!("{name} is missing")))
    };
    if !posted {
        return Err((405, "invalid_request", "this call is a POST: its parameters hold secrets".to_owned()));
    }
    if fields.doubled().is_some() {
        return Err(wrong("invalid_request", "a parameter came twice with two different values"));
    }
    required("client_id")?;
    let Some(app) = app else {
        return Err((401, "invalid_client", "no TOP app of this sandbox has this client_id".to_owned()));
    };
    // Compared in constant time.
    if AppSecret::new(required("client_secret")?) != app.secret {
        return Err((401, "invalid_client", "client_secret is not the secret of this app".to_owned()));
    }
    if trace.plan.as_ref().is_some_and(|plan| plan.refusal.is_some()) {
        let message = "the service behind the gateway failed".to_owned();
        return Err((503, "temporarily_unavailable", message));
    }
    let exchange = Exchange { state, app, now };
    let issued = match required("grant_type")? {
        "authorization_code" => exchange.create(required("code")?, Some(required("redirect_uri")?), true),
        "refresh_token" => exchange.refresh(required("refresh_token")?),
        _ => {
            let message = "grant_type is authorization_code or refresh_token";
            return Err(wrong("unsupported_grant_type", message));
        }
    };
    let (shop, pair) = issued.map_err(|error| {
        state.tokens.refused.fetch_add(1, Ordering::Relaxed);
        (400, "invalid_grant", error.message())
    })?;
    Ok(token_replies::top(shop, &pair, now))
}
