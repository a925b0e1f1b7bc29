//! The TOP gateway: `/router/rest`.
//!
//! Order of checks (protocols 6): method, app, signature, timestamp, version, session, rights,
//! limits, arguments, API. The HTTP status is always 200; XML unless JSON is asked for.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sesame_catalog::Api;
use sesame_core::{Protocol, Shape};

use super::{
    ApiCall, BUSINESS_FAILURE, Success,
    arguments::{self, Check},
    keep_reason, limits, members_of, object, root_of, shop_for, signature, too_far,
};
use crate::{
    apps::App,
    error::{GatewayError, GatewayResult},
    exchange::Exchange,
    fixtures::Args,
    received::{Fields, Head},
    reply::WebReply,
    source::ReplySource,
    state::State,
    token_replies::{self, GrantStep},
    trace::Trace,
};

/// The outcome of one call.
pub(super) struct Outcome {
    pub(super) body: Value,
    pub(super) refusal: Option<String>,
}

/// What a method names.
#[derive(Debug, Clone)]
pub(super) enum TopTarget {
    Token(GrantStep),
    Api(Arc<Api>),
}

pub(super) fn target(state: &State, app: &App, method: &str) -> Option<TopTarget> {
    // A path is not a method: `/token`, which the platform lists too, has its own route.
    if method.starts_with('/') {
        return None;
    }
    let rules = &state.platform(app).tokens;
    if rules.create_also.iter().any(|also| also == method) {
        return Some(TopTarget::Token(GrantStep::Create));
    }
    if rules.refresh_also.iter().any(|also| also == method) {
        return Some(TopTarget::Token(GrantStep::Refresh));
    }
    state.contracts.find(app.platform, method).map(TopTarget::Api)
}

/// Serves one request.
pub(crate) fn serve(state: &State, head: &Head<'_>, fields: &Fields<'_>, now: Timestamp) -> WebReply {
    let method = fields.get("method").unwrap_or_default();
    let app = fields.filled("app_key").and_then(|key| state.apps.with_key(key, Protocol::Top).next());
    let mut trace = Trace::new(app, method);
    // A method is known or not whichever app calls; for an unknown one any TOP app stands in.
    let judge = app.or_else(|| state.apps.all().find(|app| app.protocol == Protocol::Top));
    let target = judge.and_then(|app| target(state, app, method));
    if let Some(TopTarget::Api(contract)) = &target {
        trace.contract = Some(Arc::clone(contract));
    }
    if let Some(reply) = trace.strike(state) {
        return reply;
    }
    let outcome = check_request(state, head, fields, app, target.as_ref(), now).and_then(|app| {
        let Some(target) = &target else { return Err(invalid_method(method)) };
        let call = Single { app, target, session: fields.filled("session"), args: fields, fields, now };
        call.serve(state, &trace)
    });
    let simplify = fields.get("simplify") == Some("true");
    let outcome = outcome.map(|success| (success, simplify));
    let outcome = finish(state, head, fields, &trace, outcome, now);
    let reply = WebReply::of_value(200, &outcome.body, (!wants_json(fields)).then_some("response"));
    trace.finish(reply, outcome.refusal)
}

/// Counts the outcome and puts it into the envelope, without the name around it if `simplify` (the
/// second of the success) is set.
pub(super) fn finish(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    trace: &Trace<'_>,
    outcome: GatewayResult<(Success, bool)>,
    now: Timestamp,
) -> Outcome {
    let request_id = Value::String(state.request_id(now));
    match outcome {
        Ok(((payload, code), simplify)) => {
            trace.count(state, code);
            let mut members = members_of(payload);
            members.insert("request_id".to_owned(), request_id);
            let body = if simplify { members.into() } else { object(root_of(&trace.api), members) };
            Outcome { body, refusal: None }
        }
        Err(error) => {
            trace.count(state, &error.code);
            // The code is a number on this gateway; a fault may have invented one that is not.
            let code = error.code.parse::<i64>().map_or_else(|_| json!(error.code), Value::from);
            let mut members =
                Map::from_iter([("code".to_owned(), code), ("msg".to_owned(), json!(error.message))]);
            let subs = [("sub_code", &error.sub_code), ("sub_msg", &error.sub_message)];
            for (name, value) in subs.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
                members.insert(name.to_owned(), json!(value));
            }
            members.insert("request_id".to_owned(), request_id);
            let refusal = keep_reason(state, &error, head.path, fields, now);
            Outcome { body: object("error_response", members), refusal }
        }
    }
}

pub(super) fn wants_json(fields: &Fields<'_>) -> bool {
    // `simplify` is for JSON only (protocols 3.2), so it asks for it.
    match fields.filled("format") {
        Some(format) => !format.eq_ignore_ascii_case("xml"),
        None => fields.get("simplify") == Some("true"),
    }
}

pub(super) fn missing_method() -> Box<GatewayError> {
    GatewayError::new("21", "Missing Method")
        .with_hint("no parameter `method` came, neither in the query nor in a body that could be read")
}

pub(super) fn invalid_method(method: &str) -> Box<GatewayError> {
    let shown: String = method.chars().take(120).collect();
    GatewayError::new("22", "Invalid Method")
        .with_hint(format!("the catalog lists no method {shown:?} of this platform"))
}

/// The checks of a request that comes before those of the single call.
fn check_request<'a>(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    app: Option<&'a App>,
    target: Option<&TopTarget>,
    now: Timestamp,
) -> GatewayResult<&'a App> {
    let Some(method) = fields.filled("method") else { return Err(missing_method()) };
    if target.is_none() {
        return Err(invalid_method(method));
    }
    check_public(state, head, fields, app, Shape::Top, b"", now)
}

/// App, signature, timestamp, version, format: the same for single calls and batches.
pub(super) fn check_public<'a>(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    app: Option<&'a App>,
    shape: Shape,
    body: &[u8],
    now: Timestamp,
) -> GatewayResult<&'a App> {
    if fields.filled("app_key").is_none() {
        return Err(GatewayError::new("28", "Missing App Key").with_hint("no parameter `app_key` came"));
    }
    let Some(app) = app else {
        return Err(GatewayError::new("29", "Invalid App Key")
            .sub("isv.appkey-not-exists", "the app key does not exist")
            .with_hint("this sandbox has no TOP app with this key; see /_sandbox/apps"));
    };
    let Some(sign) = fields.filled("sign") else {
        return Err(GatewayError::new("24", "Missing Signature").with_hint("no parameter `sign` came"));
    };
    if let Some(doubled) = fields.doubled() {
        return Err(GatewayError::invalid(Protocol::Top, doubled)
            .with_hint(format!("{doubled:?} came twice with two different values")));
    }
    let signed = signature::Signed {
        shape,
        path: head.path,
        // Missing means md5, as far as is known (protocols 3.2).
        method: fields.filled("sign_method").unwrap_or("md5"),
        signature: sign,
        body,
        template: None,
    };
    signature::check(state, app, head, fields, &signed, now).map_err(|id| {
        let mut error = GatewayError::new("25", "Invalid Signature");
        error.refusal = Some(id);
        error
    })?;
    check_time(state, app, fields, now)?;
    match fields.filled("v") {
        Some("2.0") => {}
        None => {
            return Err(
                GatewayError::new("32", "Missing Version").with_hint("no parameter `v` came; it is 2.0")
            );
        }
        Some("1.0") => {
            return Err(
                GatewayError::new("34", "Unsupported Version").with_hint("version 1.0 is gone; use v=2.0")
            );
        }
        Some(_) => {
            return Err(GatewayError::new("33", "Invalid Version").with_hint("the only version is 2.0"));
        }
    }
    match fields.filled("format") {
        None => {}
        Some(format) if format.eq_ignore_ascii_case("json") || format.eq_ignore_ascii_case("xml") => {}
        Some(_) => return Err(GatewayError::new("23", "Invalid Format").with_hint("format is json or xml")),
    }
    Ok(app)
}

/// GMT+8 text, or milliseconds as one official SDK sends them.
fn check_time(state: &State, app: &App, fields: &Fields<'_>, now: Timestamp) -> GatewayResult<()> {
    let Some(text) = fields.filled("timestamp") else {
        return Err(GatewayError::new("30", "Missing Timestamp").with_hint("no parameter `timestamp` came"));
    };
    let invalid = |hint: String| {
        Err(GatewayError::new("31", "Invalid Timestamp")
            .sub("isv.timestamp-limit-error", "the timestamp is out of range")
            .with_hint(hint))
    };
    let Some(at) = sesame_core::time::parse_request_timestamp(text).filter(|_| !text.contains('T')) else {
        return invalid("the timestamp is not yyyy-MM-dd HH:mm:ss (24 hours, GMT+8)".to_owned());
    };
    let window = state.platform(app).clock.window;
    if let Some((off, mut hint)) = too_far(at, now, window) {
        let hours = (off + 1_800).div_euclid(3_600);
        let rest = off - hours * 3_600;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) && hours != 0 && rest.abs() < 600 {
            hint = format!(
                "{hint}; it is off by {hours} whole hours: the text has to be the time of GMT+8, and this looks like local time (run the client with TZ=Asia/Shanghai)"
            );
        }
        return invalid(hint);
    }
    Ok(())
}

/// One call whose request was found genuine.
pub(super) struct Single<'a> {
    pub(super) app: &'a App,
    pub(super) target: &'a TopTarget,
    pub(super) session: Option<&'a str>,
    pub(super) args: &'a dyn Args,
    /// For file parts, and for `simplify`.
    pub(super) fields: &'a Fields<'a>,
    pub(super) now: Timestamp,
}

impl Single<'_> {
    pub(super) fn serve(&self, state: &State, trace: &Trace<'_>) -> GatewayResult<Success> {
        let Self { app, now, fields, args, .. } = *self;
        // session
        let shop = match self.target {
            TopTarget::Token(_) => None,
            TopTarget::Api(contract) => shop_for(state, app, contract, self.session, now, || {
                GatewayError::new("26", "Missing Session")
                    .with_hint("this method needs a seller's session and none came")
            })?,
        };

        // limits, and faults that were ordered
        if let Some(failure) = limits::check(state, app, trace, shop, now)? {
            return Ok((failure, BUSINESS_FAILURE));
        }

        // arguments, then the API
        let payload = match self.target {
            TopTarget::Token(step) => {
                trace.source.set(Some(ReplySource::World));
                self.token_call(state, *step)?
            }
            TopTarget::Api(contract) => {
                arguments::check(Protocol::Top, contract, args, fields, Check::Basics)?;
                let simplify = fields.get("simplify") == Some("true");
                let name = &contract.name;
                ApiCall { app, contract, name, shop, args, fields, simplify, now }.payload(state, trace)?
            }
        };
        Ok((payload, ""))
    }

    /// `taobao.top.auth.token.*`: the reply of `/token` as JSON inside a string.
    fn token_call(&self, state: &State, step: GrantStep) -> GatewayResult<Value> {
        let name = if step == GrantStep::Create { "code" } else { "refresh_token" };
        let given = self.args.get(name).filter(|text| !text.is_empty());
        let given = given.ok_or_else(|| GatewayError::missing(Protocol::Top, name))?;
        let exchange = Exchange { state, app: self.app, now: self.now };
        let issued = match step {
            GrantStep::Create => exchange.create(given, None, true),
            GrantStep::Refresh => exchange.refresh(given),
        };
        let (shop, pair) = issued.map_err(|error| {
            state.tokens.refused.fetch_add(1, Ordering::Relaxed);
            GatewayError::new("15", "Remote service error")
                .sub(format!("isv.invalid-parameter:{name}"), error.message())
                .with_hint(error.message())
        })?;
        Ok(json!({"token_result": token_replies::top(shop, &pair, self.now).to_string()}))
    }
}
