//! The param2 gateway: `/openapi/{protocol}/{version}/{namespace}/{name}/{appKey}`.
//!
//! Order of checks (protocols 6): path shape, app, signature, API, token, rights, limits, required
//! arguments, API. Gateway errors have an HTTP error status; success is the bare payload.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use sesame_catalog::Api;
use sesame_core::{Protocol, Shape};

use super::{
    ApiCall, BUSINESS_FAILURE, Success, app_for, arguments, keep_reason, limits, param2_tokens::TokenCall,
    shop_of, signature,
};
use crate::{
    error::{GatewayError, GatewayResult},
    received::{Fields, Head, Layered},
    reply::WebReply,
    state::State,
    trace::Trace,
};

/// The parts of a path.
#[derive(Debug, Clone, Copy)]
struct Route<'a> {
    /// `param2`, `http`, `json2`, `xml2`, ...
    protocol: &'a str,
    version: &'a str,
    namespace: &'a str,
    name: &'a str,
    key: &'a str,
    /// What is signed: from the protocol to the app key, as in the URL.
    path: &'a str,
    /// Whether it came by POST, as token calls have to.
    posted: bool,
}

const PROTOCOLS: [&str; 7] = ["param2", "http", "json2", "xml2", "json", "xml", "param"];

impl<'a> Route<'a> {
    fn read(path: &'a str, posted: bool) -> GatewayResult<Self> {
        // `/openapi/` is for public APIs, `/api/` for the vendor's inner ones (protocols 1.1).
        let path = path.strip_prefix("/openapi/").or_else(|| path.strip_prefix("/api/")).unwrap_or_default();
        let unsupported = |hint: &str| {
            GatewayError::new("gw.APIUnsupported", "Unsupported API").with_hint(format!(
                "{hint}; the path is /openapi/PROTOCOL/VERSION/NAMESPACE/NAME/APPKEY, e.g. /openapi/param2/1/system/currentTime/1000000"
            ))
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (protocol, version, namespace, name, key) = match parts[..] {
            [protocol, version, namespace, name, key] if !key.is_empty() => {
                (protocol, version, namespace, name, key)
            }
            [_, _, _, _] | [_, _, _, _, ""] => {
                return Err(GatewayError::new("gw.AppKeyMissing", "AppKey is missing")
                    .with_hint("the app key is the last segment of the path, not a parameter"));
            }
            _ => return Err(unsupported("the path does not have five parts")),
        };
        if !PROTOCOLS.contains(&protocol) {
            return Err(unsupported("the first part is not a protocol"));
        }
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unsupported("the version is not a number"));
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
    let mut trace = Trace::new(None, head.path);
    let route = Route::read(head.path, posted);
    if let Ok(route) = &route {
        trace.api = format!("{}:{}", route.namespace, route.name).into();
        let full = format!("{}@{}", trace.api, route.version);
        let token = fields.filled("access_token");
        (trace.app, trace.contract) =
            app_for(state, Protocol::Param2, route.key, token, fields, now, |app| {
                state.contracts.find(app.platform, &full)
            });
    }
    if let Some(reply) = trace.strike(state) {
        return reply;
    }

    let as_xml = route.as_ref().is_ok_and(|route| route.wants_xml(fields));
    let outcome = route.and_then(|route| answer(state, &route, head, fields, &trace, now));
    let reply = match outcome {
        Ok((body, code)) => {
            trace.count(state, code);
            WebReply::of_value(200, &body, as_xml.then_some("result"))
        }
        Err(error) => {
            trace.count(state, &error.code);
            let body = error_body(&error, &state.request_id(now));
            let mut reply = WebReply::of_value(error.status, &body, as_xml.then_some("error"));
            reply.refusal = keep_reason(state, &error, head.path, fields, now);
            reply
        }
    };
    reply.with_faults(trace.plan.as_ref())
}

fn error_body(error: &GatewayError, request_id: &str) -> Value {
    match &error.sub_code {
        // OAuth errors: both shapes that clients read (protocols 1.5), four members in all.
        Some(name) => json!({
            "error": name,
            "error_description": error.sub_message,
            "error_code": error.code,
            "error_message": error.message,
        }),
        None => json!({
            "error_code": error.code,
            "error_message": error.message,
            "exception": error.message,
            "request_id": request_id,
        }),
    }
}

fn answer(
    state: &State,
    route: &Route<'_>,
    head: &Head<'_>,
    fields: &Fields<'_>,
    trace: &Trace<'_>,
    now: Timestamp,
) -> GatewayResult<Success> {
    let found = trace.contract.as_ref();
    // 1 app
    let Some(app) = trace.app else {
        return Err(GatewayError::new("gw.AppKeyInvalid", "AppKey is invalid")
            .with_hint("this sandbox has no param2 app with this key; see /_sandbox/apps"));
    };
    if let Some(doubled) = fields.doubled() {
        return Err(GatewayError::new(
            "400",
            format!("The parameter {doubled} came twice with two different values"),
        ));
    }

    // 2 signature: checked when there is one, missed where the entry says that there has to be one.
    // Token calls name no secret in it; one that came is tolerated (protocols 1.5).
    let api = [route.protocol, route.version, route.namespace, route.name];
    let token_call = TokenCall::of(api, &state.platform(app).tokens);
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
            let mut error = GatewayError::new("gw.SignatureInvalid", "Signature is invalid");
            error.refusal = Some(id);
            error
        })?;
    } else if let Some(hint) = missing_signature(fields, signature.is_some(), token_call, found) {
        return Err(GatewayError::new("gw.SignatureMissing", "Signature is missing").with_hint(hint));
    }

    // Token calls have their own checks.
    if let Some(call) = token_call {
        if let Some(failure) = limits::check(state, app, trace, None, now)? {
            return Ok((failure, BUSINESS_FAILURE));
        }
        let issued = call.serve(state, app, route.posted, fields, now).inspect_err(|_| {
            state.tokens.refused.fetch_add(1, Ordering::Relaxed);
        });
        return issued.map(|reply| (reply, ""));
    }

    // 3 API; a token call that the platform does not list is none, whatever the catalog describes
    let Some(contract) = found.filter(|_| route.namespace != "system.oauth2") else {
        if let Some(body) = time_api(route, now) {
            return Ok((body, ""));
        }
        let shown: String = format!("{}:{} version {}", route.namespace, route.name, route.version)
            .chars()
            .take(160)
            .collect();
        return Err(GatewayError::new("gw.APIUnsupported", "Unsupported API")
            .with_hint(format!("the catalog lists no API {shown:?} of {}", app.platform_name)));
    };

    // 4 token; APIs that need none never look at it
    let shop = match (contract.auth, fields.filled("access_token")) {
        (Some(false), _) | (None, None) => None,
        (Some(true), None) => {
            return Err(GatewayError::new("401", "Request need user authenticated")
                .status(401)
                .with_hint("this API needs a seller's token and no access_token came"));
        }
        (_, Some(token)) => Some(
            shop_of(state, app, token, now)
                .map_err(|why| GatewayError::bad_token(Protocol::Param2).with_hint(why))?,
        ),
    };

    // 5 limits, and faults that were ordered
    if let Some(failure) = limits::check(state, app, trace, shop, now)? {
        return Ok((failure, BUSINESS_FAILURE));
    }

    // 6 arguments
    let data = data_of(route, fields)?;
    let args = Layered { first: &data, then: fields };
    arguments::check(Protocol::Param2, contract, &args, fields)?;

    // 7 the API itself; the time APIs answer a bare string or number, which no list of fields describes
    if contract.response.is_empty()
        && let Some(body) = time_api(route, now)
    {
        return Ok((body, ""));
    }
    let call = ApiCall { app, contract, name: &contract.name, shop, args: &args, simplify: true, now };
    let payload = call.payload(state).map_err(|error| {
        // The APIs' own errors come with HTTP 200 (protocols 1.6).
        if error.code.starts_with("gw.") { error } else { error.status(200) }
    });
    Ok((payload?, ""))
}

/// Returns what is wrong with a call that carries no signature, if that is wrong.
fn missing_signature(
    fields: &Fields<'_>,
    empty: bool,
    token_call: Option<TokenCall>,
    found: Option<&Arc<Api>>,
) -> Option<&'static str> {
    if empty {
        return Some("`_aop_signature` came and is empty");
    }
    if let Some(call) = token_call {
        return call.is_signed().then_some("this call has to be signed: `_aop_signature`");
    }
    // Seen live (protocols 1.3): who signs as on TOP gets this, whether or not the API is signed.
    let takes_sign = |contract: &Arc<Api>| contract.params.iter().any(|param| param.name == "sign");
    if fields.get("sign").is_some() && !found.is_some_and(takes_sign) {
        return Some(
            "the request carries `sign`, which is TOP's; param2 wants `_aop_signature`: HMAC-SHA1 over path and sorted pairs",
        );
    }
    found
        .is_some_and(|contract| contract.signed == Some(true))
        .then_some("this API has to be signed: `_aop_signature`")
}

/// `system/currentTime` and `system/currentTimeMillis`, which exist in version 1.
fn time_api(route: &Route<'_>, now: Timestamp) -> Option<Value> {
    if route.version != "1" {
        return None;
    }
    match (route.namespace, route.name) {
        ("system", "currentTime") => Some(sesame_core::time::compact(now, 8).into()),
        ("system", "currentTimeMillis") => Some(now.as_millisecond().into()),
        _ => None,
    }
}

/// The arguments of the `json` protocols: one parameter, `_data_`, that holds them all.
fn data_of(route: &Route<'_>, fields: &Fields<'_>) -> GatewayResult<Vec<(String, String)>> {
    let Some(data) = fields.filled("_data_") else { return Ok(Vec::new()) };
    if route.protocol.starts_with("xml") {
        return Err(GatewayError::new("400", "XML arguments are not supported")
            .with_hint("this sandbox reads the arguments of xml2 calls as parameters and answers in XML; use json2 for `_data_`"));
    }
    let members: serde_json::Map<String, Value> = serde_json::from_str(data).map_err(|error| {
        GatewayError::new("400", "Invalid argument _data_")
            .with_hint(format!("_data_ is not a JSON object: {error}"))
    })?;
    let pairs = members.into_iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    });
    Ok(pairs.collect())
}
