//! Routes: which gateway or page serves a request.

use hyper::Method;
use jiff::Timestamp;
use sesame_core::Protocol;

use crate::{
    by_hand, control, documents,
    gateway::{self, IopRoute},
    oauth,
    received::{Fields, Head, Unreadable},
    reply::{Media, WebReply},
    state::State,
};

/// Serves one request. Everything in here is synchronous: waiting is for the server.
pub(crate) fn serve(
    state: &State,
    method: &Method,
    head: &Head<'_>,
    body: &[u8],
    now: Timestamp,
) -> WebReply {
    let path = head.path;
    if path.starts_with(documents::ROUTE) {
        return documents::serve(state, method, head);
    }
    if let Some(label) = path.strip_prefix("/_sandbox/labels/") {
        return by_hand::label(state, method, label, now);
    }
    if path == "/_sandbox" || path.starts_with("/_sandbox/") {
        return control::serve(state, method, head, body);
    }
    let posted = match *method {
        Method::GET => false,
        Method::POST => true,
        // Some clients look whether the host is there before they call; that is not a call.
        Method::HEAD => return WebReply::new(200, Media::Plain, ""),
        _ => {
            return refuse(&Unreadable {
                status: 405,
                code: "method-not-allowed",
                message: "the gateways take GET and POST".to_owned(),
            });
        }
    };
    let served = match path {
        "/" => return front(state, head, body),
        "/router/batch" => {
            Fields::of_query(head).map(|fields| gateway::serve_batch(state, head, &fields, body, now))
        }
        "/router/rest" => Fields::read(head, body).map(|fields| {
            // Seen live: the IOP host serves this route too. The key tells which gateway is meant.
            let key = fields.get("app_key").unwrap_or_default();
            let top = state.apps.with_key(key, Protocol::Top).next().is_some();
            let iop = state.apps.with_key(key, Protocol::Iop).next().is_some();
            if iop && !top {
                gateway::serve_iop(state, IopRoute::Sync, head, &fields, now)
            } else {
                gateway::serve_top(state, head, &fields, now)
            }
        }),
        "/sync" => Fields::read(head, body)
            .map(|fields| gateway::serve_iop(state, IopRoute::Sync, head, &fields, now)),
        "/oauth/authorize" | "/authorize" | "/auth/authorize.htm" => {
            Fields::read(head, body).map(|fields| oauth::serve_authorize(state, head, &fields, posted, now))
        }
        "/token" => {
            Fields::read(head, body).map(|fields| oauth::serve_token(state, head, &fields, posted, now))
        }
        _ if path.starts_with("/rest/2.0/") => Fields::read(head, body)
            .map(|fields| gateway::serve_iop(state, IopRoute::RestVariables, head, &fields, now)),
        _ if path == "/rest" || path.starts_with("/rest/") => Fields::read(head, body)
            .map(|fields| gateway::serve_iop(state, IopRoute::Rest, head, &fields, now)),
        _ if path.starts_with("/openapi/") || path.starts_with("/api/") => {
            Fields::read(head, body).map(|fields| gateway::serve_param2(state, head, &fields, posted, now))
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

/// Serves `/`: a page for people who open the address in a browser. Clients of Lazada's old Seller
/// Center, which is gone, call it with `Action`.
fn front(state: &State, head: &Head<'_>, body: &[u8]) -> WebReply {
    let fields = match Fields::read(head, body) {
        Ok(fields) => fields,
        Err(unreadable) => return refuse(&unreadable),
    };
    if let Some(action) = fields.get("Action") {
        let error = serde_json::json!({"ErrorResponse": {
            "Head": {
                "RequestAction": action.chars().take(64).collect::<String>(),
                "ErrorType": "Sender",
                "ErrorCode": "5",
                "ErrorMessage": "E005: Invalid Request Format. The Seller Center API is gone: call /rest/PATH.",
            },
            "Body": "",
        }});
        let as_json = fields.get("Format").is_some_and(|format| format.eq_ignore_ascii_case("json"));
        return WebReply::of_value(400, &error, (!as_json).then_some("ErrorResponse"));
    }
    let url = state.url();
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sesame sandbox</title></head><body>\
<h1>Sesame sandbox</h1><p>Offline gateways of the Alibaba family at {url}: <code>/rest</code>, <code>/sync</code>, \
<code>/openapi</code>, <code>/router/rest</code>.</p><p><a href=\"/_sandbox/stats\">Statistics</a>, \
<a href=\"/_sandbox/apps\">apps</a>, <a href=\"/_sandbox/refusals\">refusals</a></p></body></html>\n"
    );
    WebReply::new(200, Media::Html, page)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, LazyLock},
        time::Duration,
    };

    use proptest::prelude::*;
    use sesame_catalog::Catalog;
    use sesame_core::{
        BoxFuture, Clock, Shape,
        request::encode_form,
        sign::{Digest, sign},
    };

    use super::*;
    use crate::Options;

    #[derive(Debug)]
    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_795_293_100).unwrap()
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }

        fn random(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    static STATE: LazyLock<State> = LazyLock::new(|| {
        let mut options = Options::new(Arc::new(Catalog::builtin()), Arc::new(Standing));
        options.products = 3;
        State::new(&options).unwrap()
    });

    fn answer(path: &str, query: &str, content_type: &str, body: &[u8]) -> WebReply {
        let head =
            Head { path, query, content_type: Some(content_type), separator: Some("@@"), none_match: None };
        serve(&STATE, &Method::POST, &head, body, STATE.clock.now())
    }

    const PATHS: [&str; 17] = [
        "/rest",
        "/rest/products/get",
        "/rest/2.0/orders/1",
        "/rest/2.0/",
        "/sync",
        "/router/rest",
        "/router/batch",
        "/token",
        "/oauth/authorize",
        "/authorize",
        "/auth/authorize.htm",
        "/openapi/",
        "/openapi/param2/1/system/currentTime/1",
        "/openapi/json2/1/a/b/c",
        "/_sandbox/faults",
        "/_sandbox/clock",
        "/_sandbox/documents/lazada/handler/share/apidoc/getApi.json",
    ];

    /// Parameters whose names are not the gateway's own.
    fn arguments() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("x[a-zA-Z0-9_. \u{4e2d}&=+%]{0,6}", any::<String>(), 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn nothing_that_arrives_makes_it_panic(
            path in prop_oneof![proptest::sample::select(&PATHS[..]).prop_map(str::to_owned), "/[ -~]{0,30}"],
            query in "[ -~]{0,60}",
            content_type in prop_oneof![Just("application/json".to_owned()), Just("multipart/form-data; boundary=b".to_owned()), "[ -~]{0,20}"],
            body in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            let _ = answer(&path, &query, &content_type, &body);
        }

        #[test]
        fn what_is_signed_by_the_rules_is_verified(arguments in arguments(), in_query in any::<bool>()) {
            let now = STATE.clock.now();
            let (ms, text) = (now.as_millisecond().to_string(), sesame_core::time::top_timestamp(now));
            let app = |platform: &str| STATE.apps.all().find(|app| app.platform_name == platform).unwrap();
            let (lazada, taobao, old) = (app("lazada"), app("taobao"), app("1688"));
            let signed_path = format!("param2/1/system/currentTime/{}", old.key);
            let cases = [
                (lazada, Shape::IopRest, Digest::HmacSha256, "/rest/order/get".to_owned(), "/order/get"),
                (taobao, Shape::Top, Digest::Md5Sandwich, "/router/rest".to_owned(), ""),
                (old, Shape::Param2, Digest::HmacSha1, format!("/openapi/{signed_path}"), signed_path.as_str()),
            ];
            for (app, shape, digest, path, signed) in cases {
                let mut pairs = match shape {
                    Shape::IopRest => vec![("app_key", app.key.as_str()), ("timestamp", &ms), ("sign_method", "sha256")],
                    Shape::Top => vec![("app_key", app.key.as_str()), ("timestamp", &text), ("v", "2.0"), ("format", "json"), ("method", "taobao.time.get")],
                    _ => Vec::new(),
                };
                pairs.extend(arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                let signature = sign(app.signing_key(digest), shape, signed, &pairs, b"");
                pairs.push((shape.signature_param(), signature.as_str()));
                let mut form = Vec::new();
                encode_form(&mut form, pairs.iter().copied());
                let form = String::from_utf8(form).unwrap();
                let (query, body) = if in_query { (form.as_str(), "") } else { ("", form.as_str()) };
                let reply = answer(&path, query, "application/x-www-form-urlencoded", body.as_bytes());
                let text = String::from_utf8(reply.body.to_vec()).unwrap();
                // The first has no token, which is looked at after the signature; the others answer.
                prop_assert!(text.contains("IllegalAccessToken") || text.contains("time_get_response") || text.starts_with("\"2026"), "{path}: {text}");
                // And one character more is one too many.
                let (query, body) = (format!("{query}&extra=1"), body.as_bytes());
                let reply = answer(&path, &query, "application/x-www-form-urlencoded", body);
                let text = String::from_utf8(reply.body.to_vec()).unwrap();
                prop_assert!(text.contains("Signature"), "{path}: {text}");
            }
        }
    }
}
