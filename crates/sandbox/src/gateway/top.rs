//! The TOP gateway: `/router/rest`.
//!
//! Order of checks (protocols 6): method, app, signature, timestamp, version, session, rights,
//! limits, arguments, API. The HTTP status is always 200; XML unless JSON is asked for.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sesame_core::{Protocol, Shape};

use super::{
    Hurdle, Refused, Trace, arguments, bad_token, extend, hurdle, payload, quoted, root_of, shop_of,
    signature, world_call,
};
use crate::{
    apps::App,
    contracts::Contract,
    oauth,
    received::{Fields, Head},
    reply::{Media, WebReply},
    state::State,
    token_replies::Step,
    world::Args,
    xml,
};

/// The outcome of one call: a body, always JSON until the format is applied.
pub(super) struct Outcome {
    pub(super) body: String,
    pub(super) refusal: Option<String>,
}

/// What a method names.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Token(Step),
    Time,
    Api(Arc<Contract>),
}

pub(super) fn target(state: &State, app: &App, method: &str) -> Option<Target> {
    // Paths are no methods: `/token`, which the platform lists too, has its own route.
    if method.starts_with('/') {
        return None;
    }
    let rules = &state.platform(app).tokens;
    if rules.create_also.iter().any(|also| also == method) {
        return Some(Target::Token(Step::Create));
    }
    if rules.refresh_also.iter().any(|also| also == method) {
        return Some(Target::Token(Step::Refresh));
    }
    state
        .contracts
        .find(app.platform, method)
        .map(Target::Api)
        .or((method == "taobao.time.get").then_some(Target::Time))
}

/// Serves one request.
pub(crate) fn serve(state: &State, head: &Head<'_>, fields: &Fields<'_>, now: Timestamp) -> WebReply {
    let method = fields.get("method").unwrap_or_default();
    let mut trace = Trace { api: method.into(), ..Trace::default() };
    let app = fields.filled("app_key").and_then(|key| state.apps.with_key(key, Protocol::Top).next());
    trace.app = app;
    // A method is known or not whichever app calls; for an unknown one any TOP app stands in.
    let judge = app.or_else(|| state.apps.all().find(|app| app.protocol == Protocol::Top));
    let target = judge.and_then(|app| target(state, app, method));
    if let Some(Target::Api(contract)) = &target {
        trace.contract = Some(Arc::clone(contract));
    }
    trace.plan(state);
    if let Some(edge) = trace.plan.as_ref().and_then(|plan| plan.edge.as_ref()) {
        trace.count(state, "trouble at the edge");
        return WebReply::of_edge(edge).troubled(trace.plan.as_ref());
    }

    let outcome = check_request(state, head, fields, app, target.as_ref(), now)
        .and_then(|app| {
            let Some(target) = &target else { return Err(invalid_method(method)) };
            let call = Single { app, target, session: fields.filled("session"), args: fields, fields, now };
            call.serve(state, &trace)
        })
        .map(|(payload, code)| {
            (enveloped(state, payload, method, fields.get("simplify") == Some("true"), now), code)
        });
    let outcome = finish(state, head, fields, &trace, outcome, now);
    in_format(fields, outcome).troubled(trace.plan.as_ref())
}

/// Counts the outcome and turns a refusal into a body.
pub(super) fn finish(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    trace: &Trace<'_>,
    outcome: Result<(String, &'static str), Refused>,
    now: Timestamp,
) -> Outcome {
    match outcome {
        Ok((body, code)) => {
            trace.count(state, code);
            Outcome { body, refusal: None }
        }
        Err(refused) => {
            trace.count(state, &refused.code);
            Outcome {
                body: error_body(&refused, &state.request_id(now)),
                refusal: refused.keep(state, head.path, fields, now),
            }
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

fn in_format(fields: &Fields<'_>, outcome: Outcome) -> WebReply {
    let mut reply = if wants_json(fields) {
        WebReply::json(200, outcome.body)
    } else {
        WebReply::new(200, Media::Xml, xml::of_json(&outcome.body, "response"))
    };
    reply.refusal = outcome.refusal;
    reply
}

pub(super) fn enveloped(
    state: &State,
    payload: String,
    method: &str,
    simplify: bool,
    now: Timestamp,
) -> String {
    let body = extend(payload, &format!("\"request_id\":\"{}\"", state.request_id(now)));
    if simplify { body } else { format!("{{{}:{body}}}", quoted(&root_of(method))) }
}

pub(super) fn error_body(refused: &Refused, request_id: &str) -> String {
    // The code is a number on this gateway; trouble may have invented one that is not.
    let code = match refused.code.parse::<i64>() {
        Ok(number) => number.to_string(),
        Err(_) => quoted(&refused.code),
    };
    let mut inner = format!("{{\"code\":{code},\"msg\":{}}}", quoted(&refused.message));
    if let Some(sub_code) = &refused.sub_code {
        inner = extend(inner, &format!("\"sub_code\":{}", quoted(sub_code)));
    }
    if let Some(sub_message) = &refused.sub_message {
        inner = extend(inner, &format!("\"sub_msg\":{}", quoted(sub_message)));
    }
    format!("{{\"error_response\":{}}}", extend(inner, &format!("\"request_id\":\"{request_id}\"")))
}

pub(super) fn missing_method() -> Refused {
    Refused::new("21", "Missing Method")
        .with_hint("no parameter `method` came, neither in the query nor in a body that could be read")
}

pub(super) fn invalid_method(method: &str) -> Refused {
    let shown: String = method.chars().take(120).collect();
    Refused::new("22", "Invalid Method")
        .with_hint(format!("the catalog lists no method {shown:?} of this platform"))
}

/// The checks of a request that comes before those of the single call.
fn check_request<'a>(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    app: Option<&'a App>,
    target: Option<&Target>,
    now: Timestamp,
) -> Result<&'a App, Refused> {
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
) -> Result<&'a App, Refused> {
    if fields.filled("app_key").is_none() {
        return Err(Refused::new("28", "Missing App Key").with_hint("no parameter `app_key` came"));
    }
    let Some(app) = app else {
        return Err(Refused::new("29", "Invalid App Key")
            .sub("isv.appkey-not-exists", "the app key does not exist")
            .with_hint("this sandbox has no TOP app with this key; see /_sandbox/apps"));
    };
    let Some(sign) = fields.filled("sign") else {
        return Err(Refused::new("24", "Missing Signature").with_hint("no parameter `sign` came"));
    };
    if let Some(doubled) = fields.doubled() {
        return Err(
            invalid_argument(doubled).with_hint(format!("{doubled:?} came twice with two different values"))
        );
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
        let mut refused = Refused::new("25", "Invalid Signature");
        refused.id = Some(id);
        refused
    })?;
    check_time(state, app, fields, now)?;
    match fields.filled("v") {
        Some("2.0") => {}
        None => {
            return Err(Refused::new("32", "Missing Version").with_hint("no parameter `v` came; it is 2.0"));
        }
        Some("1.0") => {
            return Err(Refused::new("34", "Unsupported Version").with_hint("version 1.0 is gone; use v=2.0"));
        }
        Some(_) => return Err(Refused::new("33", "Invalid Version").with_hint("the only version is 2.0")),
    }
    match fields.filled("format") {
        None => {}
        Some(format) if format.eq_ignore_ascii_case("json") || format.eq_ignore_ascii_case("xml") => {}
        Some(_) => return Err(Refused::new("23", "Invalid Format").with_hint("format is json or xml")),
    }
    Ok(app)
}

/// GMT+8 text, or milliseconds as one official SDK sends them.
fn check_time(state: &State, app: &App, fields: &Fields<'_>, now: Timestamp) -> Result<(), Refused> {
    let Some(text) = fields.filled("timestamp") else {
        return Err(Refused::new("30", "Missing Timestamp").with_hint("no parameter `timestamp` came"));
    };
    let invalid = |hint: String| {
        Err(Refused::new("31", "Invalid Timestamp")
            .sub("isv.timestamp-limit-error", "the timestamp is out of range")
            .with_hint(hint))
    };
    let Some(at) = sesame_core::time::parse_request_timestamp(text).filter(|_| !text.contains('T')) else {
        return invalid("the timestamp is not yyyy-MM-dd HH:mm:ss (24 hours, GMT+8)".to_owned());
    };
    let window = state.platform(app).clock.window;
    let off = at.duration_since(now);
    if window > 0 && off.abs() > SignedDuration::from_secs(i64::try_from(window).unwrap_or(i64::MAX)) {
        let mut hint = format!(
            "the request's time is {} s off the sandbox's clock ({now}); {window} s are allowed",
            off.as_secs()
        );
        let hours = (off.as_secs() + if off.is_negative() { -1_800 } else { 1_800 }) / 3_600;
        let rest = off.as_secs() - hours * 3_600;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) && hours != 0 && rest.abs() < 600 {
            hint = format!(
                "{hint}; it is off by {hours} whole hours: the text has to be the time of GMT+8, and this looks like local time (run the client with TZ=Asia/Shanghai)"
            );
        }
        return invalid(hint);
    }
    Ok(())
}

fn invalid_argument(name: &str) -> Refused {
    Refused::new("41", format!("Invalid Arguments:{name}"))
        .sub(format!("isv.invalid-parameter:{name}"), format!("the parameter {name} is not valid"))
}

/// One call whose request was found genuine.
pub(super) struct Single<'a> {
    pub(super) app: &'a App,
    pub(super) target: &'a Target,
    pub(super) session: Option<&'a str>,
    pub(super) args: &'a dyn Args,
    /// For file parts, and for `simplify`.
    pub(super) fields: &'a Fields<'a>,
    pub(super) now: Timestamp,
}

impl Single<'_> {
    /// Returns the payload and the outcome for the statistics.
    pub(super) fn serve(&self, state: &State, trace: &Trace<'_>) -> Result<(String, &'static str), Refused> {
        let Self { app, now, .. } = *self;
        let simplify = self.fields.get("simplify") == Some("true");
        let contract = match self.target {
            Target::Api(contract) => Some(contract),
            _ => None,
        };

        // session
        let shop = match (contract.and_then(|contract| contract.api.auth), self.session) {
            (_, _) if contract.is_none() => None,
            (Some(false), _) | (None, None) => None,
            (Some(true), None) => {
                return Err(Refused::new("26", "Missing Session")
                    .with_hint("this method needs a seller's session and none came"));
            }
            (_, Some(session)) => Some(
                shop_of(state, app, session, now).map_err(|why| bad_token(Protocol::Top).with_hint(why))?,
            ),
        };

        // limits, and what was ordered to go wrong
        match hurdle(state, app, trace, shop, now) {
            Hurdle::Refused(refused) => return Err(refused),
            Hurdle::Failure(payload) => return Ok((payload, "business failure")),
            Hurdle::Clear => {}
        }

        // arguments, then the API
        match self.target {
            Target::Token(step) => self.token_call(state, *step).map(|payload| (payload, "")),
            Target::Time => {
                let time = sesame_core::time::top_timestamp(now);
                Ok((format!("{{\"time\":\"{time}\"}}"), ""))
            }
            Target::Api(contract) => {
                match arguments::check(contract, self.args, self.fields) {
                    Some(arguments::Wrong::Missing(name)) => return Err(missing_argument(&name)),
                    Some(arguments::Wrong::Invalid(name)) => return Err(invalid_argument(&name)),
                    None => {}
                }
                let call = world_call(state, self.app, contract, shop, self.args, simplify, now);
                payload(state, app, contract, &call).map(|payload| (payload.into_owned(), ""))
            }
        }
    }

    /// `taobao.top.auth.token.*`: the reply of `/token` as JSON inside a text.
    fn token_call(&self, state: &State, step: Step) -> Result<String, Refused> {
        let name = if step == Step::Create { "code" } else { "refresh_token" };
        let text =
            self.args.get(name).filter(|text| !text.is_empty()).ok_or_else(|| missing_argument(name))?;
        let reply = match step {
            Step::Create => oauth::top_create(state, self.app, text, None, self.now),
            Step::Refresh => oauth::top_refresh(state, self.app, text, self.now),
        };
        match reply {
            Ok(reply) => Ok(format!("{{\"token_result\":{}}}", quoted(&reply))),
            Err(says) => Err(Refused::new("15", "Remote service error")
                .sub(format!("isv.invalid-parameter:{name}"), says)
                .with_hint(says)),
        }
    }
}

fn missing_argument(name: &str) -> Refused {
    Refused::new("40", format!("Missing Required Arguments:{name}"))
        .sub(format!("isv.missing-parameter:{name}"), format!("the parameter {name} is missing"))
}
