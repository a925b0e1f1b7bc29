//! The IOP gateway: `/rest`, `/rest/2.0` and `/sync`.
//!
//! Order of checks (protocols 6): mandatory parameters, timestamp, app, path, signature, token,
//! required arguments, limits, API. A live probe with an invented key got `InvalidAppKey` for real and
//! invented paths alike. The HTTP status is always 200.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sesame_catalog::Api;
use sesame_core::{Protocol, Shape};

use super::{
    ApiCall, BUSINESS_FAILURE, Success, app_for,
    arguments::{self, Check},
    keep_reason, limits, members_of, object, root_of, shop_for, signature, too_far,
};
use crate::{
    apps::App,
    error::{GatewayError, GatewayResult},
    exchange::{Exchange, ExchangeError},
    received::{Fields, Head, Layered},
    reply::WebReply,
    source::ReplySource,
    state::State,
    token_replies::{self, GrantStep},
    trace::Trace,
};

/// The routes of this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IopRoute {
    /// `/rest/some/path`.
    Rest,
    /// `/rest/2.0/some/{variable}`.
    RestVariables,
    /// `/sync?method=`, and `/router/rest` for keys of an IOP app.
    Sync,
}

impl IopRoute {
    const fn shape(self) -> Shape {
        match self {
            Self::Rest => Shape::IopRest,
            Self::RestVariables => Shape::IopRestVariables,
            Self::Sync => Shape::IopSync,
        }
    }
}

/// What a request names.
#[derive(Debug, Clone)]
enum IopTarget {
    /// A token call. `as_text`: the reply sits as JSON in a text, TOP's way.
    Token {
        step: GrantStep,
        as_text: bool,
    },
    Api(Arc<Api>, Vec<(String, String)>),
}

/// Finds out what a name means. Token calls are served whatever the catalog lists.
fn target(state: &State, app: &App, route: IopRoute, name: &str) -> Option<IopTarget> {
    let token = |step, as_text| Some(IopTarget::Token { step, as_text });
    let rules = &state.platform(app).tokens;
    if rules.create == name || rules.create_also.iter().any(|also| also == name) {
        return token(GrantStep::Create, false);
    }
    if rules.refresh == name || rules.refresh_also.iter().any(|also| also == name) {
        return token(GrantStep::Refresh, false);
    }
    match name {
        // Platforms that share a catalog do not share all names of the token calls.
        "/auth/token/createWithOpenId" | "/auth/token/security/create" | "/auth/token/security/refresh" => {
            return None;
        }
        "taobao.top.auth.token.create" if route == IopRoute::Sync => return token(GrantStep::Create, true),
        "taobao.top.auth.token.refresh" if route == IopRoute::Sync => return token(GrantStep::Refresh, true),
        _ => {}
    }
    let is_path = name.starts_with('/');
    match route {
        IopRoute::Rest if !is_path => None,
        IopRoute::RestVariables => state
            .contracts
            .find_template(app.platform, name)
            .or_else(|| Some((state.contracts.find(app.platform, name)?, Vec::new())))
            .map(|(contract, values)| IopTarget::Api(contract, values)),
        _ => {
            let contract = state.contracts.find(app.platform, name)?;
            // A TOP name is not a path, even with a slash in front.
            let served = !is_path || matches!(contract.shape, Shape::IopRest | Shape::IopRestVariables);
            served.then(|| IopTarget::Api(contract, Vec::new()))
        }
    }
}

/// Serves one request.
pub(crate) fn serve(
    state: &State,
    route: IopRoute,
    head: &Head<'_>,
    fields: &Fields<'_>,
    now: Timestamp,
) -> WebReply {
    let path = match route {
        IopRoute::Rest => match head.path.strip_prefix("/rest").unwrap_or_default() {
            // Inferred, no document says it: the iop SDKs for PHP and Python post to the base URL
            // and name the path in `method` alone; because it holds a slash they sign it in front.
            "" | "/" => fields.get("method").filter(|method| method.starts_with('/')).unwrap_or_default(),
            path => path,
        },
        IopRoute::RestVariables => head.path.strip_prefix("/rest/2.0").unwrap_or_default(),
        IopRoute::Sync => "",
    };
    let name = if route == IopRoute::Sync { fields.get("method").unwrap_or_default() } else { path };
    let mut trace = Trace::new(None, name);

    // Which app and which API, without judging yet.
    let key = fields.get("app_key").unwrap_or_default();
    let (app, target) = app_for(state, Protocol::Iop, key, token_of(fields), fields, now, |app| {
        target(state, app, route, name)
    });
    trace.app = app;
    if let Some(IopTarget::Api(contract, _)) = &target {
        trace.contract = Some(Arc::clone(contract));
    }
    if let Some(reply) = trace.strike(state) {
        return reply;
    }

    let asked = Asked { route, head, fields, path, name, now };
    let outcome = answer(state, &asked, target.as_ref(), &trace);
    let request_id = state.request_id(now);
    // Replies recorded since 2021 end like this, errors too; the trace id names the same moment.
    let ids = [("request_id", request_id.clone()), ("_trace_id_", format!("{request_id}e0df7"))];
    let (body, refusal) = match outcome {
        Ok((payload, code)) => {
            trace.count(state, code);
            let wrapped = route == IopRoute::Sync && fields.get("simplify") != Some("true");
            let mut members = members_of(payload);
            if !wrapped {
                members.insert("code".to_owned(), "0".into());
            }
            add(&mut members, ids);
            (if wrapped { object(root_of(name), members) } else { members.into() }, None)
        }
        Err(error) => {
            trace.count(state, &error.code);
            let message = if route == IopRoute::Sync { "msg" } else { "message" };
            // Sub codes are TOP's; no document shows them here.
            let mut members = Map::new();
            add(&mut members, [("type", error.origin), ("code", &error.code), (message, &error.message)]);
            members.extend(error.detail.clone().map(|detail| ("detail".to_owned(), detail)));
            add(&mut members, ids);
            let refusal = keep_reason(state, &error, head.path, fields, now);
            (
                if route == IopRoute::Sync { object("error_response", members) } else { members.into() },
                refusal,
            )
        }
    };
    let as_xml = route == IopRoute::Sync && fields.get("format") == Some("xml");
    trace.finish(WebReply::of_value(200, &body, as_xml.then_some("response")), refusal)
}

fn add(members: &mut Map<String, Value>, pairs: impl IntoIterator<Item = (&'static str, impl Into<String>)>) {
    members.extend(pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value.into()))));
}

struct Asked<'a> {
    route: IopRoute,
    head: &'a Head<'a>,
    fields: &'a Fields<'a>,
    path: &'a str,
    name: &'a str,
    now: Timestamp,
}

/// Both names are in use on both routes (protocols 2.2).
fn token_of<'a>(fields: &'a Fields<'_>) -> Option<&'a str> {
    fields.filled("access_token").or_else(|| fields.filled("session"))
}

fn answer(
    state: &State,
    asked: &Asked<'_>,
    found: Option<&IopTarget>,
    trace: &Trace<'_>,
) -> GatewayResult<Success> {
    let Asked { route, head, fields, path, name, now } = *asked;

    // 1 mandatory parameters
    let mandatory: &[&str] = match route {
        IopRoute::Sync => &["app_key", "method", "timestamp", "sign_method", "sign"],
        _ => &["app_key", "timestamp", "sign_method", "sign"],
    };
    if let Some(missing) = mandatory.iter().find(|name| fields.filled(name).is_none()) {
        return Err(GatewayError::missing(Protocol::Iop, missing).with_hint(format!(
            "{missing:?} came neither in the query nor in a body that could be read ({} parameters came); bodies are read as form, multipart or JSON",
            fields.pairs().len()
        )));
    }
    if let Some(doubled) = fields.doubled() {
        return Err(GatewayError::invalid(Protocol::Iop, doubled)
            .with_hint(format!("{doubled:?} came twice with two different values; what the platform makes of that is not documented")));
    }

    // 2 timestamp
    check_time(state, trace.app, route, fields.filled("timestamp").unwrap_or_default(), now)?;

    // 3 app
    let Some(app) = trace.app else {
        return Err(GatewayError::new("InvalidAppKey", "The specified App Key is invalid")
            .with_hint("this sandbox has no IOP app with this key; its apps are in the line that `sesame sandbox --json` prints, under /_sandbox/apps and in the file given by --app-file"));
    };

    // 4 path
    let Some(target) = found else { return Err(unknown_path(route, name, app)) };

    // 5 signature
    let signed = signature::Signed {
        shape: route.shape(),
        path,
        method: fields.filled("sign_method").unwrap_or_default(),
        signature: fields.filled("sign").unwrap_or_default(),
        body: b"",
        template: match target {
            IopTarget::Api(contract, values) if !values.is_empty() => {
                Some(signature::SignedTemplate { path: &contract.name, values })
            }
            _ => None,
        },
    };
    signature::check(state, app, head, fields, &signed, now).map_err(|id| {
        let mut error = GatewayError::new(
            "IncompleteSignature",
            "The request signature does not conform to platform standards",
        );
        error.refusal = Some(id);
        error
    })?;

    let (contract, variables) = match target {
        IopTarget::Token { step, as_text } => {
            if let Some(failure) = limits::check(state, app, trace, None, now)? {
                return Ok((failure, BUSINESS_FAILURE));
            }
            trace.source.set(Some(ReplySource::World));
            return token_call(state, app, asked, *step, *as_text);
        }
        IopTarget::Api(contract, variables) => (contract, variables),
    };

    // 6 token
    let shop = shop_for(state, app, contract, token_of(fields), now, || {
        GatewayError::bad_token(Protocol::Iop)
            .with_hint("this API needs a seller's token and none came (access_token, or session)")
    })?;

    // 7 required arguments
    let args = Layered { first: variables, then: fields };
    arguments::check(Protocol::Iop, contract, &args, fields, Check::Basics)?;

    // 8 limits, and faults that were ordered
    if let Some(failure) = limits::check(state, app, trace, shop, now)? {
        return Ok((failure, BUSINESS_FAILURE));
    }

    // 9 the API itself
    let simplify = route != IopRoute::Sync || fields.get("simplify") == Some("true");
    // A TOP name and its path are one API whose answers differ in shape.
    let is_top_name = route == IopRoute::Sync && !asked.name.starts_with('/');
    let name = if is_top_name { asked.name } else { &contract.name };
    ApiCall { app, contract, name, shop, args: &args, fields, simplify, now }
        .payload(state, trace)
        .map(|payload| (payload, ""))
}

fn unknown_path(route: IopRoute, name: &str, app: &App) -> Box<GatewayError> {
    let error = GatewayError::new("InvalidApiPath", "The specified Api Path is invalid");
    let shown: String = name.chars().take(120).collect();
    let mut hint = format!("the catalog lists no API {shown:?} of {}", app.platform_name);
    if route == IopRoute::Rest && name.is_empty() {
        return error.with_hint(
            "the URL ends at /rest, and no `method` came that begins with a slash; names with dots are called on /sync",
        );
    }
    if route != IopRoute::Sync && name.starts_with("/rest") {
        hint.push_str("; /rest stands twice in the URL");
    } else if name.starts_with("//") {
        hint.push_str("; the base URL ends in a slash and the path begins with one");
    } else if route == IopRoute::Sync && name.contains('/') {
        hint.push_str("; paths are called on /rest, names with dots on /sync");
    } else if route != IopRoute::Sync && name.contains('.') {
        hint.push_str("; names with dots are called on /sync?method=, paths on /rest");
    }
    error.with_hint(hint)
}

/// Milliseconds, or ISO with `Z`; TOP's text too on the TOP-like route.
fn check_time(
    state: &State,
    app: Option<&App>,
    route: IopRoute,
    text: &str,
    now: Timestamp,
) -> GatewayResult<()> {
    let illegal = |hint: String| {
        Err(GatewayError::new("IllegalTimestamp", "The timestamp is invalid or malformed").with_hint(hint))
    };
    // Daraz' guide prints TOP's text on `/rest`.
    let takes_text = route == IopRoute::Sync || app.is_some_and(|app| app.platform_name == "daraz");
    let legal_form = text.bytes().all(|byte| byte.is_ascii_digit())
        || (text.contains('T') && text.ends_with('Z'))
        || (takes_text && !text.contains('T'));
    let Some(at) = sesame_core::time::parse_request_timestamp(text).filter(|_| legal_form) else {
        return illegal(
            "the timestamp is neither milliseconds since 1970 nor yyyy-MM-ddTHH:mm:ssZ".to_owned(),
        );
    };
    // Without an app the general rule stands (developer.alibaba.com, articleId=120691).
    let window = app.map_or(7_200, |app| state.platform(app).clock.window);
    if let Some((_, mut hint)) = too_far(at, now, window) {
        if text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            hint.push_str("; these look like seconds, and milliseconds are wanted");
        }
        return illegal(hint);
    }
    Ok(())
}

/// `/auth/token/create` and `/auth/token/refresh`, under all their names.
fn token_call(
    state: &State,
    app: &App,
    asked: &Asked<'_>,
    step: GrantStep,
    as_text: bool,
) -> GatewayResult<Success> {
    let Asked { fields, now, .. } = *asked;
    let exchange = Exchange { state, app, now };
    let name = if step == GrantStep::Create { "code" } else { "refresh_token" };
    let issued = match fields.filled(name) {
        None => Err(GatewayError::missing(Protocol::Iop, name)),
        Some(code) if step == GrantStep::Create => {
            exchange.create(code, None, true).map_err(|error| exchange_error(app, &error))
        }
        Some(token) => exchange.refresh(token).map_err(|error| exchange_error(app, &error)),
    };
    let (shop, pair) = issued.inspect_err(|_| {
        state.tokens.refused.fetch_add(1, Ordering::Relaxed);
    })?;
    let reply = token_replies::iop(&app.platform_name, shop, &pair, step, state.settings().reply_style, now);
    Ok((if as_text { json!({"token_result": reply.to_string()}) } else { reply }, ""))
}

fn exchange_error(app: &App, error: &ExchangeError) -> Box<GatewayError> {
    match error {
        ExchangeError::Code(_) | ExchangeError::OtherPlatform => {
            GatewayError::new("InvalidCode", "Invalid authorization code")
        }
        ExchangeError::MarketOnly => GatewayError::new(
            "AUTH_TYPE_UNSUPPORTED",
            format!("{} can only be authorized by market, not support refresh", app.key),
        ),
        _ => GatewayError::new("IllegalRefreshToken", "The specified refresh token is invalid or expired"),
    }
    .with_hint(error.message())
}
