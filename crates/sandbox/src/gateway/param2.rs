//! The param2 gateway: `/openapi/{protocol}/{version}/{namespace}/{name}/{appKey}`.
//!
//! Order of checks, as far as it was probed live: path shape, API, app, signature, token, limits,
//! required arguments, API. When the time is looked at is a guess: after the signature. Gateway errors
//! have an HTTP error status; success is the bare payload.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use sesame_catalog::Api;
use sesame_core::{Protocol, Shape};

use super::{
    ApiCall, BUSINESS_FAILURE, Success, app_for,
    arguments::{self, Check},
    keep_reason, limits,
    param2_tokens::TokenCall,
    shop_for, signature, too_far,
};
use crate::{
    apps::App,
    error::{GatewayError, GatewayResult},
    received::{Fields, Head, Layered},
    reply::WebReply,
    source::ReplySource,
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
}

/// What a path names.
enum Param2Target {
    Token(TokenCall),
    Api(Arc<Api>),
}

const PROTOCOLS: [&str; 7] = ["param2", "http", "json2", "xml2", "json", "xml", "param"];

impl<'a> Route<'a> {
    fn read(path: &'a str) -> GatewayResult<Self> {
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
        Ok(Self { protocol, version, namespace, name, key, path })
    }

    /// Finds out what it names on the platform of an app. Token calls are those that the platform lists.
    fn target(&self, state: &State, app: &App) -> Option<Param2Target> {
        let api = [self.protocol, self.version, self.namespace, self.name];
        if let Some(call) = TokenCall::of(api, &state.platform(app).tokens) {
            return Some(Param2Target::Token(call));
        }
        if self.namespace == "system.oauth2" {
            return None;
        }
        let full = format!("{}:{}@{}", self.namespace, self.name, self.version);
        state.contracts.find(app.platform, &full).map(Param2Target::Api)
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
    let route = Route::read(head.path);
    let mut target = None;
    if let Ok(route) = &route {
        trace.api = format!("{}:{}", route.namespace, route.name).into();
        let token = fields.filled("access_token");
        (trace.app, target) =
            app_for(state, Protocol::Param2, route.key, token, fields, now, |app| route.target(state, app));
        if trace.app.is_none() {
            // An API is known or not whoever calls.
            let mut apps = state.apps.all().filter(|app| app.protocol == Protocol::Param2);
            target = apps.find_map(|app| route.target(state, app));
        }
        if let Some(Param2Target::Api(contract)) = &target {
            trace.contract = Some(Arc::clone(contract));
        }
    }
    if let Some(reply) = trace.strike(state) {
        return reply;
    }

    let as_xml = route.as_ref().is_ok_and(|route| route.wants_xml(fields));
    let outcome = route.and_then(|route| {
        let asked = Param2Request { route, head, fields, posted, now };
        answer(state, &asked, target.as_ref(), &trace)
    });
    match outcome {
        Ok((body, code)) => {
            trace.count(state, code);
            trace.finish(WebReply::of_value(200, &body, as_xml.then_some("result")), None)
        }
        Err(error) => {
            trace.count(state, &error.code);
            let body = error_body(&error, &state.request_id(now));
            let reply = WebReply::of_value(error.status, &body, as_xml.then_some("error"));
            trace.finish(reply, keep_reason(state, &error, head.path, fields, now))
        }
    }
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

struct Param2Request<'a> {
    route: Route<'a>,
    head: &'a Head<'a>,
    fields: &'a Fields<'a>,
    posted: bool,
    now: Timestamp,
}

fn answer(
    state: &State,
    asked: &Param2Request<'_>,
    target: Option<&Param2Target>,
    trace: &Trace<'_>,
) -> GatewayResult<Success> {
    let Param2Request { route, fields, posted, now, .. } = *asked;
    // 1 API
    let Some(target) = target else {
        let shown: String = format!("{} version {}", trace.api, route.version).chars().take(160).collect();
        let platform = trace.app.map_or("any platform", |app| &app.platform_name);
        return Err(GatewayError::new("gw.APIUnsupported", "Unsupported API")
            .with_hint(format!("the catalog lists no API {shown:?} of {platform}")));
    };

    // 2 app
    let Some(app) = trace.app else {
        return Err(GatewayError::new("gw.AppKeyNotFound", "AppKey is not found")
            .with_hint("this sandbox has no param2 app with this key; see /_sandbox/apps"));
    };
    if let Some(doubled) = fields.doubled() {
        let says = format!("The parameter {doubled} came twice with two different values");
        return Err(GatewayError::new("400", says));
    }

    // 3 signature, 4 time
    trace.warning.set(check_signature(state, app, asked, target)?);
    check_time(state, app, fields, now)?;

    let contract = match target {
        // Token calls have their own checks.
        Param2Target::Token(call) => {
            if let Some(failure) = limits::check(state, app, trace, None, now)? {
                return Ok((failure, BUSINESS_FAILURE));
            }
            trace.source.set(Some(ReplySource::World));
            let issued = call.serve(state, app, posted, fields, now).inspect_err(|_| {
                state.tokens.refused.fetch_add(1, Ordering::Relaxed);
            });
            return issued.map(|reply| (reply, ""));
        }
        Param2Target::Api(contract) => contract,
    };

    // 5 token
    let shop = shop_for(state, app, contract, fields.filled("access_token"), now, || {
        GatewayError::new("401", "Request need user authenticated")
            .status(401)
            .with_hint("this API needs a seller's token and no access_token came")
    })?;

    // 6 limits, and faults that were ordered
    if let Some(failure) = limits::check(state, app, trace, shop, now)? {
        return Ok((failure, BUSINESS_FAILURE));
    }

    // 7 arguments
    let data = data_of(&route, fields)?;
    let args = Layered { first: &data, then: fields };
    arguments::check(Protocol::Param2, contract, &args, fields, Check::Basics)?;

    // 8 the API itself
    let call =
        ApiCall { app, contract, name: &contract.name, shop, args: &args, fields, simplify: true, now };
    let payload = call.payload(state, trace).map_err(|error| {
        // The APIs' own errors come with HTTP 200 (protocols 1.6).
        if error.code.starts_with("gw.") { error } else { error.status(200) }
    });
    Ok((payload?, ""))
}

/// Checks the signature. Returns the warning for a call that a stricter gateway would refuse.
///
/// One that came has to be right. No document says for which APIs the gateway misses one, and clients
/// that send none are in use, so it is missed only with `--strict-signatures`. Token calls need none and
/// a wrong one is ignored: a client that signs them with the key of another app is in use.
fn check_signature(
    state: &State,
    app: &App,
    asked: &Param2Request<'_>,
    target: &Param2Target,
) -> GatewayResult<Option<&'static str>> {
    let Param2Request { route, head, fields, now, .. } = asked;
    let missing =
        |hint| Err(GatewayError::new("gw.SignatureMissing", "Signature is missing").with_hint(hint));
    let (is_token_call, needs_none) = match target {
        Param2Target::Token(call) => (true, !call.is_signed()),
        Param2Target::Api(contract) => (false, contract.signed == Some(false)),
    };
    match fields.get("_aop_signature") {
        Some("") => missing("`_aop_signature` came and is empty"),
        Some(signature) => {
            let (shape, path, body) = (Shape::Param2, route.path, b"".as_slice());
            let signed = signature::Signed { shape, path, method: "", signature, body, template: None };
            match signature::check(state, app, head, fields, &signed, *now) {
                Err(_) if is_token_call && (needs_none || !state.strict_signatures) => {
                    Ok(Some("the signature is wrong, and ignored on token calls"))
                }
                Err(id) => {
                    let mut error = GatewayError::new("gw.SignatureInvalid", "Signature is invalid");
                    error.refusal = Some(id);
                    Err(error)
                }
                Ok(()) => Ok(None),
            }
        }
        // Seen live (protocols 1.3): who signs as on TOP gets this, whether or not the API is signed.
        None if fields.get("sign").is_some() && !takes_sign(target) => missing(
            "the request carries `sign`, which is TOP's; param2 wants `_aop_signature`: HMAC-SHA1 over path and sorted pairs",
        ),
        None if needs_none => Ok(None),
        None if state.strict_signatures => missing("this sandbox wants every call signed: `_aop_signature`"),
        None => Ok(Some("unsigned: no `_aop_signature` came; --strict-signatures refuses such calls")),
    }
}

fn takes_sign(target: &Param2Target) -> bool {
    matches!(target, Param2Target::Api(api) if api.params.iter().any(|param| param.name == "sign"))
}

/// Checks `_aop_timestamp`, if it came: milliseconds since 1970.
fn check_time(state: &State, app: &App, fields: &Fields<'_>, now: Timestamp) -> GatewayResult<()> {
    let Some(text) = fields.filled("_aop_timestamp") else { return Ok(()) };
    let Some(at) = text.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()) else {
        return Err(GatewayError::invalid(Protocol::Param2, "_aop_timestamp")
            .with_hint("_aop_timestamp is milliseconds since 1970"));
    };
    match too_far(at, now, state.platform(app).clock.window) {
        None => Ok(()),
        Some((_, hint)) => {
            Err(GatewayError::new("400", "RequestValidateException: Request is expired.").with_hint(hint))
        }
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
