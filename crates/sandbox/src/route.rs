//! Which door a request goes to.

use jiff::Timestamp;
use sesame_core::Protocol;

use crate::{
    control::{self, Verb},
    gateway::{self, Door},
    oauth,
    received::{Fields, Head, Unreadable},
    reply::{Media, WebReply},
    state::State,
};

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Head,
    Delete,
    Other,
}

/// Serves one request. Everything in here is synchronous: waiting is for the server.
pub(crate) fn serve(state: &State, method: Method, head: &Head<'_>, body: &[u8], now: Timestamp) -> WebReply {
    let path = head.path;
    if path == "/_sandbox" || path.starts_with("/_sandbox/") {
        let verb = match method {
            Method::Get | Method::Head => Some(Verb::Get),
            Method::Post => Some(Verb::Post),
            Method::Delete => Some(Verb::Delete),
            Method::Other => None,
        };
        return control::serve(state, verb, head, body);
    }
    match method {
        Method::Get | Method::Post => {}
        // Some clients look whether the host is there before they call; that is no call.
        Method::Head => return WebReply::new(200, Media::Plain, ""),
        Method::Delete | Method::Other => {
            return refuse(&Unreadable {
                status: 405,
                code: "method-not-allowed",
                message: "the gateways take GET and POST".to_owned(),
            });
        }
    }
    let served = match path {
        "/" => return WebReply::new(200, Media::Html, index(state)),
        "/router/batch" => {
            Fields::of_query(head).map(|fields| gateway::serve_batch(state, head, &fields, body, now))
        }
        "/router/rest" => Fields::read(head, body).map(|fields| {
            // Seen live: the IOP host serves this route too. The key tells which gateway is meant.
            let key = fields.get("app_key").unwrap_or_default();
            let top = state.apps.with_key(key, Protocol::Top).next().is_some();
            let iop = state.apps.with_key(key, Protocol::Iop).next().is_some();
            if iop && !top {
                gateway::serve_iop(state, Door::Sync, head, &fields, now)
            } else {
                gateway::serve_top(state, head, &fields, now)
            }
        }),
        "/sync" => {
            Fields::read(head, body).map(|fields| gateway::serve_iop(state, Door::Sync, head, &fields, now))
        }
        "/oauth/authorize" | "/authorize" | "/auth/authorize.htm" => Fields::read(head, body)
            .map(|fields| oauth::serve_authorize(state, head, &fields, method == Method::Post, now)),
        "/token" => Fields::read(head, body)
            .map(|fields| oauth::serve_token(state, head, &fields, method == Method::Post, now)),
        _ if path.starts_with("/rest/2.0/") => Fields::read(head, body)
            .map(|fields| gateway::serve_iop(state, Door::RestVariables, head, &fields, now)),
        _ if path == "/rest" || path.starts_with("/rest/") => {
            Fields::read(head, body).map(|fields| gateway::serve_iop(state, Door::Rest, head, &fields, now))
        }
        _ if path.starts_with("/openapi/") || path.starts_with("/api/") => {
            Fields::read(head, body).map(|fields| gateway::serve_param2(state, head, &fields, now))
        }
        _ => {
            return refuse(&Unreadable {
                status: 404,
                code: "no-such-route",
                message: "this sandbox serves /rest/..., /rest/2.0/..., /sync, /openapi/..., /router/rest, /router/batch, \
                          /oauth/authorize, /authorize, /auth/authorize.htm, /token and /_sandbox/"
                    .to_owned(),
            });
        }
    };
    served.unwrap_or_else(|unreadable| refuse(&unreadable))
}

/// Refuses what no gateway can look at. `error` and `error_description` are what every family of
/// clients reads from an HTTP error.
pub(crate) fn refuse(unreadable: &Unreadable) -> WebReply {
    let body =
        serde_json::json!({"error": unreadable.code, "error_description": unreadable.message}).to_string();
    WebReply::json(unreadable.status, body)
}

/// The page of `/`, for people who open the address in a browser.
fn index(state: &State) -> String {
    let url = state.url();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sesame sandbox</title></head><body>\
<h1>Sesame sandbox</h1><p>Offline gateways of the Alibaba family at {url}: <code>/rest</code>, <code>/sync</code>, \
<code>/openapi</code>, <code>/router/rest</code>.</p><p><a href=\"/_sandbox/stats\">Statistics</a>, \
<a href=\"/_sandbox/apps\">apps</a>, <a href=\"/_sandbox/refusals\">refusals</a></p></body></html>\n"
    )
}
