//! TOP's `/token` (RFC 6749), and the same exchange for `taobao.top.auth.token.*`.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::json;
use sesame_core::{AppSecret, Protocol};

use crate::{
    apps::{App, Refreshing},
    clock::after,
    gateway::Trace,
    received::{Fields, Head},
    reply::WebReply,
    state::State,
    token_replies,
    tokens::{Grant, Look},
};

/// An RFC 6749 error.
type Refusal = (u16, &'static str, &'static str);

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
    let mut trace = Trace { app, api: "/token".into(), ..Trace::default() };
    trace.plan(state);
    if let Some(edge) = trace.plan.as_ref().and_then(|plan| plan.edge.as_ref()) {
        trace.count(state, "trouble at the edge");
        return WebReply::of_edge(edge).troubled(trace.plan.as_ref());
    }
    let reply = match exchange(state, app, fields, posted, &trace, now) {
        Ok(reply) => {
            trace.count(state, "");
            WebReply::json(200, reply)
        }
        Err((status, error, says)) => {
            trace.count(state, error);
            let body = json!({"error": error, "error_description": says}).to_string();
            let mut reply = WebReply::json(status, body);
            let hint = fields.unread().map_or_else(|| says.to_owned(), |unread| format!("{unread}; {says}"));
            reply.refusal = Some(state.keep_refusal(error, head.path, &hint, &fields.pairs(), now));
            reply
        }
    };
    reply.troubled(trace.plan.as_ref())
}

fn exchange(
    state: &State,
    app: Option<&App>,
    fields: &Fields<'_>,
    posted: bool,
    trace: &Trace<'_>,
    now: Timestamp,
) -> Result<String, Refusal> {
    if !posted {
        return Err((405, "invalid_request", "this call is a POST: its parameters hold secrets"));
    }
    if let Some(_doubled) = fields.doubled() {
        return Err((400, "invalid_request", "a parameter came twice with two different values"));
    }
    let app = match (app, fields.filled("client_id")) {
        (Some(app), _) => app,
        (None, None) => return Err((400, "invalid_request", "client_id is missing")),
        (None, Some(_)) => {
            return Err((401, "invalid_client", "no TOP app of this sandbox has this client_id"));
        }
    };
    let secret =
        fields.filled("client_secret").ok_or((400, "invalid_request", "client_secret is missing"))?;
    // Compared in constant time, as everywhere.
    if AppSecret::new(secret) != app.secret {
        return Err((401, "invalid_client", "client_secret is not the secret of this app"));
    }
    if trace.plan.as_ref().is_some_and(|plan| plan.refusal.is_some()) {
        return Err((503, "temporarily_unavailable", "the service behind the gateway failed"));
    }
    match fields.filled("grant_type") {
        Some("authorization_code") => {
            let code = fields.filled("code").ok_or((400, "invalid_request", "code is missing"))?;
            let uri =
                fields.filled("redirect_uri").ok_or((400, "invalid_request", "redirect_uri is missing"))?;
            top_create(state, app, code, Some(uri), now).map_err(|says| (400, "invalid_grant", says))
        }
        Some("refresh_token") => {
            let token =
                fields.filled("refresh_token").ok_or((400, "invalid_request", "refresh_token is missing"))?;
            top_refresh(state, app, token, now).map_err(|says| (400, "invalid_grant", says))
        }
        Some(_) => Err((400, "unsupported_grant_type", "grant_type is authorization_code or refresh_token")),
        None => Err((400, "invalid_request", "grant_type is missing")),
    }
}

/// Turns a code into a session.
pub(crate) fn top_create(
    state: &State,
    app: &App,
    code: &str,
    redirect_uri: Option<&str>,
    now: Timestamp,
) -> Result<String, &'static str> {
    let shop = state.tokens.redeem(code, &app.key, redirect_uri, now).map_err(|problem| {
        state.tokens.refused.fetch_add(1, Ordering::Relaxed);
        problem.says()
    })?;
    state.tokens.created.fetch_add(1, Ordering::Relaxed);
    grant(state, app, shop, after(now, refresh_life(state, app)), now)
}

/// What the data leave open depends on the level of the app; the invented one is of a level that may
/// refresh. `Refreshing::Never` is the other kind.
fn refresh_life(state: &State, app: &App) -> u64 {
    const OF_OUR_LEVEL: u64 = 30 * 86_400;
    match state.platform(app).tokens.refresh_life {
        0 => OF_OUR_LEVEL,
        life => life,
    }
}

/// Turns a refresh token into a new session; the former pair ends with it.
pub(crate) fn top_refresh(
    state: &State,
    app: &App,
    token: &str,
    now: Timestamp,
) -> Result<String, &'static str> {
    let refused = |says| {
        state.tokens.refused.fetch_add(1, Ordering::Relaxed);
        says
    };
    if app.refreshing() != Refreshing::Allowed {
        return Err(refused("this app may not refresh: re_expires_in was 0"));
    }
    let (shop, ends) =
        state.tokens.use_refresh(token, &app.key, now, true).map_err(|problem| refused(problem.says()))?;
    let fixed = state.platform(app).tokens.refresh_end_fixed;
    let ends = if fixed { ends } else { after(now, refresh_life(state, app)) };
    state.tokens.refreshed.fetch_add(1, Ordering::Relaxed);
    grant(state, app, shop, ends, now)
}

fn grant(
    state: &State,
    app: &App,
    shop: usize,
    refresh_ends: Timestamp,
    now: Timestamp,
) -> Result<String, &'static str> {
    let found = state
        .shop(shop)
        .filter(|found| found.platform == app.platform_name)
        .ok_or("it was issued for another platform's app with the same key")?;
    let refresh_ends = if app.refreshing() == Refreshing::Allowed { refresh_ends } else { now };
    let pair = state.tokens.grant(
        state.clock.base().as_ref(),
        &Grant {
            app_key: &app.key,
            shop,
            now,
            access_life: state.platform(app).tokens.access_life,
            refresh_ends: Some(refresh_ends),
            look: Look::Top,
            // One session per shop and app (protocols 6).
            single: true,
        },
    );
    Ok(token_replies::top(found, &pair, now).to_string())
}
