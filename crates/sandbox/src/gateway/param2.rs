//! The param2 gateway: `/openapi/{protocol}/{version}/{namespace}/{name}/{appKey}`.
//!
//! Order of checks (protocols 6): path shape, app, signature, API, token, rights, limits, required
//! arguments, API. Gateway errors have an HTTP error status; success is the bare payload.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use serde_json::json;
use sesame_core::{Protocol, Shape};

use super::{
    Hurdle, Refused, Trace, arguments, bad_token, hurdle, param2_tokens, payload, shop_of, signature,
    world_call,
};
use crate::{
    apps::App,
    contracts::Contract,
    received::{Fields, Head, Layered, Owned},
    reply::{Media, WebReply},
    state::State,
    world::Args,
    xml,
};

/// The parts of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    /// `param2`, `http`, `json2`, `xml2`, ...
    pub(super) protocol: &'a str,
    pub(super) version: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) key: &'a str,
    /// What is signed: from the protocol to the app key, as in the URL.
    pub(super) path: &'a str,
    /// Whether it came by POST, as token calls have to.
    pub(super) posted: bool,
}

const PROTOCOLS: [&str; 7] = ["param2", "http", "json2", "xml2", "json", "xml", "param"];

impl<'a> Route<'a> {
    fn read(path: &'a str, posted: bool) -> Result<Self, Refused> {
        // `/openapi/` is for public APIs, `/api/` for the vendor's inner ones (protocols 1.1).
        let path = path.strip_prefix("/openapi/").or_else(|| path.strip_prefix("/api/")).unwrap_or_default();
        let unsupported = |hint: &str| {
            Refused::new("gw.APIUnsupported", "Unsupported API").with_hint(format!(
                "{hint}; the path is /openapi/PROTOCOL/VERSION/NAMESPACE/NAME/APPKEY, e.g. /openapi/param2/1/system/currentTime/1000000"
            ))
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (protocol, version, namespace, name, key) = match parts[..] {
            [protocol, version, namespace, name, key] if !key.is_empty() => {
                (protocol, version, namespace, name, key)
            }
            [_, _, _, _] | [_, _, _, _, ""] => {
                return Err(Refused::new("gw.AppKeyMissing", "AppKey is missing")
                    .with_hint("the app key is the last segment of the path, not a parameter"));
            }
            _ => return Err(unsupported("the path does not have five parts")),
        };
        if !PROTOCOLS.contains(&protocol) {
            return Err(unsupported("the first part is no protocol"));
        }
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unsupported("the version is no number"));
        }
        Ok(Self { protocol, version, namespace, name, key, path, posted })
    }

    fn wants_xml(&self, fields: &Fields<'_>) -> bool {
        match fields.filled("_aop_responseFormat") {
            Some(format) => format.starts_with("xml"),
            None => self.protocol.starts_with("xml"),
        }
    }
}

/// Serves one request.
pub(crate) fn serve(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    posted: bool,
    now: Timestamp,
) -> WebReply {
    let mut trace = Trace { api: head.path.into(), ..Trace::default() };
    let route = Route::read(head.path, posted);
    let mut found: Option<Arc<Contract>> = None;
    if let Ok(route) = &route {
        trace.api = format!("{}:{}", route.namespace, route.name).into();
        let full = format!("{}@{}", trace.api, route.version);
        let candidates = state.apps.with_key(route.key, Protocol::Param2);
        let several = candidates.clone().nth(1).is_some();
        for app in candidates {
            let contract = state.contracts.find(app.platform, &full);
            let is_its = |text| state.tokens.is_for(text, &app.platform_name, state.world.shops());
            let owns = several
                && (fields
                    .filled("access_token")
                    .is_some_and(|token| shop_of(state, app, token, now).is_ok())
                    || fields.filled("code").is_some_and(is_its)
                    || fields.filled("refresh_token").is_some_and(is_its));
            if trace.app.is_none() || owns || (found.is_none() && contract.is_some()) {
                trace.app = Some(app);
                found = contract;
            }
            if owns {
                break;
            }
        }
    }
    trace.contract.clone_from(&found);
    trace.plan(state);
    if let Some(edge) = trace.plan.as_ref().and_then(|plan| plan.edge.as_ref()) {
        trace.count(state, "trouble at the edge");
        return WebReply::of_edge(edge).troubled(trace.plan.as_ref());
    }

    let as_xml = route.as_ref().is_ok_and(|route| route.wants_xml(fields));
    let outcome = route.and_then(|route| answer(state, &route, head, fields, &trace, found.as_ref(), now));
    let reply = match outcome {
        Ok(Success { body, code }) => {
            trace.count(state, code);
            if as_xml {
                WebReply::new(200, Media::Xml, xml::of_json(&body, "result"))
            } else {
                WebReply::json(200, body)
            }
        }
        Err(refused) => {
            trace.count(state, &refused.code);
            let body = error_body(&refused, &state.request_id(now));
            let mut reply = if as_xml {
                WebReply::new(refused.status, Media::Xml, xml::of_json(&body, "error"))
            } else {
                WebReply::json(refused.status, body)
            };
            reply.refusal = refused.keep(state, head.path, fields, now);
            reply
        }
    };
    reply.troubled(trace.plan.as_ref())
}

fn error_body(refused: &Refused, request_id: &str) -> String {
    if let Some(error) = &refused.sub_code {
        // OAuth trouble: both shapes that clients read (protocols 1.5), four members in all.
        return json!({
            "error": error,
            "error_description": refused.sub_message,
            "error_code": refused.code,
            "error_message": refused.message,
        })
        .to_string();
    }
    json!({
        "error_code": refused.code,
        "error_message": refused.message,
        "exception": refused.message,
        "request_id": request_id,
    })
    .to_string()
}

pub(super) struct Success {
    pub(super) body: String,
    pub(super) code: &'static str,
}

fn answer(
    state: &State,
    route: &Route<'_>,
    head: &Head<'_>,
    fields: &Fields<'_>,
    trace: &Trace<'_>,
    found: Option<&Arc<Contract>>,
    now: Timestamp,
) -> Result<Success, Refused> {
    // 1 app
    let Some(app) = trace.app else {
        return Err(Refused::new("gw.AppKeyInvalid", "AppKey is invalid")
            .with_hint("this sandbox has no param2 app with this key; see /_sandbox/apps"));
    };
    if let Some(doubled) = fields.doubled() {
        return Err(Refused::new(
            "400",
            format!("The parameter {doubled} came twice with two different values"),
        ));
    }

    // 2 signature: checked when there is one, missed where the entry says that there has to be one.
    // Token calls name no secret in it; one that came is tolerated (protocols 1.5).
    let token_call = param2_tokens::Call::of(route, &state.platform(app).tokens);
    let signature =
        if token_call.is_some_and(|call| !call.is_signed()) { None } else { fields.get("_aop_signature") };
    if let Some(given) = signature.filter(|given| !given.is_empty()) {
        let signed = signature::Signed {
            shape: Shape::Param2,
            path: route.path,
            method: "",
            signature: given,
            body: b"",
            template: None,
        };
        signature::check(state, app, head, fields, &signed, now).map_err(|id| {
            let mut refused = Refused::new("gw.SignatureInvalid", "Signature is invalid");
            refused.id = Some(id);
            refused
        })?;
    } else if let Some(hint) = missing_signature(fields, signature.is_some(), token_call, found) {
        return Err(Refused::new("gw.SignatureMissing", "Signature is missing").with_hint(hint));
    }

    // Token calls have their own checks.
    if let Some(call) = token_call {
        if !route.posted {
            state.tokens.refused.fetch_add(1, Ordering::Relaxed);
            return Err(param2_tokens::only_by_post());
        }
        return match hurdle(state, app, trace, None, now) {
            Hurdle::Refused(refused) => Err(refused),
            Hurdle::Failure(body) => Ok(Success { body, code: "business failure" }),
            Hurdle::Clear => param2_tokens::serve(state, app, call, fields, now),
        };
    }

    // 3 API; a token call that the platform does not list is none, whatever the catalog describes
    let Some(contract) = found.filter(|_| route.namespace != "system.oauth2") else {
        if let Some(body) = time_api(route, now) {
            return Ok(Success { body, code: "" });
        }
        let shown: String = format!("{}:{} version {}", route.namespace, route.name, route.version)
            .chars()
            .take(160)
            .collect();
        return Err(Refused::new("gw.APIUnsupported", "Unsupported API")
            .with_hint(format!("the catalog lists no API {shown:?} of {}", app.platform_name)));
    };

    // 4 token; APIs that need none never look at it
    let shop = match (contract.api.auth, fields.filled("access_token")) {
        (Some(false), _) | (None, None) => None,
        (Some(true), None) => {
            return Err(Refused::new("401", "Request need user authenticated")
                .status(401)
                .with_hint("this API needs a seller's token and no access_token came"));
        }
        (_, Some(token)) => {
            Some(shop_of(state, app, token, now).map_err(|why| bad_token(Protocol::Param2).with_hint(why))?)
        }
    };

    // 5 limits, and what was ordered to go wrong
    match hurdle(state, app, trace, shop, now) {
        Hurdle::Refused(refused) => return Err(refused),
        Hurdle::Failure(body) => return Ok(Success { body, code: "business failure" }),
        Hurdle::Clear => {}
    }

    // 6 arguments
    let data = data_of(route, fields)?;
    let args = Layered { first: &data, then: fields };
    match arguments::check(contract, &args, fields) {
        Some(arguments::Wrong::Missing(name)) => {
            return Err(Refused::new("gw.ParamMissing", format!("Required argument {name}")));
        }
        Some(arguments::Wrong::Invalid(name)) => {
            return Err(Refused::new("400", format!("Invalid argument {name}")));
        }
        None => {}
    }

    // 7 the API itself
    call_api(state, app, contract, route, shop, &args, now)
}

/// Tells what is wrong with a call that carries no signature, if that is wrong.
fn missing_signature(
    fields: &Fields<'_>,
    empty: bool,
    token_call: Option<param2_tokens::Call>,
    found: Option<&Arc<Contract>>,
) -> Option<&'static str> {
    if empty {
        return Some("`_aop_signature` came and is empty");
    }
    if let Some(call) = token_call {
        return call.is_signed().then_some("this call has to be signed: `_aop_signature`");
    }
    // Seen live (protocols 1.3): who signs as on TOP gets this, whether or not the API is signed.
    let takes_sign = |contract: &Arc<Contract>| contract.api.params.iter().any(|param| param.name == "sign");
    if fields.get("sign").is_some() && !found.is_some_and(takes_sign) {
        return Some(
            "the request carries `sign`, which is TOP's; param2 wants `_aop_signature`: HMAC-SHA1 over path and sorted pairs",
        );
    }
    found
        .is_some_and(|contract| contract.api.signed == Some(true))
        .then_some("this API has to be signed: `_aop_signature`")
}

fn call_api(
    state: &State,
    app: &App,
    contract: &Contract,
    route: &Route<'_>,
    shop: Option<usize>,
    args: &dyn Args,
    now: Timestamp,
) -> Result<Success, Refused> {
    // The time APIs answer a bare text or number, which no list of fields describes.
    if contract.api.response.is_empty()
        && let Some(body) = time_api(route, now)
    {
        return Ok(Success { body, code: "" });
    }
    match payload(state, app, contract, &world_call(state, app, contract, shop, args, true, now)) {
        Ok(body) => Ok(Success { body: body.into_owned(), code: "" }),
        // The APIs' own errors come with HTTP 200 (protocols 1.6).
        Err(refused) => Err(if refused.code.starts_with("gw.") { refused } else { refused.status(200) }),
    }
}

/// `system/currentTime` and `system/currentTimeMillis`, which exist in version 1.
fn time_api(route: &Route<'_>, now: Timestamp) -> Option<String> {
    if route.version != "1" {
        return None;
    }
    match (route.namespace, route.name) {
        ("system", "currentTime") => Some(format!("\"{}\"", sesame_core::time::compact(now, 8))),
        ("system", "currentTimeMillis") => Some(now.as_millisecond().to_string()),
        _ => None,
    }
}

/// The arguments of the `json` protocols: one parameter, `_data_`, that holds them all.
fn data_of(route: &Route<'_>, fields: &Fields<'_>) -> Result<Owned, Refused> {
    let Some(data) = fields.filled("_data_") else { return Ok(Owned::default()) };
    if route.protocol.starts_with("xml") {
        return Err(Refused::new("400", "XML arguments are not supported")
            .with_hint("this sandbox reads the arguments of xml2 calls as parameters and answers in XML; use json2 for `_data_`"));
    }
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(data).map_err(|error| {
            Refused::new("400", "Invalid argument _data_")
                .with_hint(format!("_data_ is no JSON object: {error}"))
        })?;
    let pairs = members.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    });
    Ok(Owned(pairs.collect()))
}
